"""The row of a line that means one thing by itself: who prints it, how it looks, what it says about a boot.

No rows here: they are in the files beside this one, by firmware, and :mod:`.table` puts them together.
``explain``, the boot check of ``flash`` and the monitor go by the same rows; docs/boot-messages.md is made
of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.formats.logs.line_forms import BootStage, LineForm
from imgtool.operations.actions import Remark
from imgtool.operations.explain.values import LogOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imgtool.formats.logs.boots import Boot, BootMessage

__all__ = ["SHOW_THEIR_START", "Message", "Speaker", "Told", "Turn", "Weight"]


class Speaker(Enum):
    """Who prints a line."""

    ROM = ("the boot ROM", BootStage.ROM)
    ESPRESSIF_LOADER = ("Espressif's boot loader", BootStage.LOADER)
    RBOOT = ("rBoot", BootStage.LOADER)
    RTOS_LOADER = ("the boot loader of the RTOS SDK", BootStage.LOADER)
    EBOOT = ("Arduino's boot loader", BootStage.LOADER)
    NONOS_SDK = ("the non-OS SDK", BootStage.SDK)
    OLD_RTOS_SDK = ("the RTOS SDK 1.x and 2.x", BootStage.SDK)
    RTOS_SDK = ("the RTOS SDK 3.x", BootStage.SDK)
    OPEN_RTOS = ("esp-open-rtos", BootStage.SDK)
    ARDUINO = ("the Arduino core", BootStage.APPLICATION)
    NODEMCU = ("NodeMCU", BootStage.APPLICATION)
    MICROPYTHON = ("MicroPython", BootStage.APPLICATION)
    AT = ("AT firmware", BootStage.APPLICATION)
    TASMOTA = ("Tasmota", BootStage.APPLICATION)
    ESPHOME = ("ESPHome", BootStage.APPLICATION)
    ESPEASY = ("ESP Easy", BootStage.APPLICATION)
    WLED = ("WLED", BootStage.APPLICATION)
    ESPURNA = ("ESPurna", BootStage.APPLICATION)
    ESPRUINO = ("Espruino", BootStage.APPLICATION)
    ESP_LINK = ("esp-link", BootStage.APPLICATION)
    SMING = ("Sming", BootStage.APPLICATION)
    HOMEKIT = ("esp-homekit", BootStage.APPLICATION)
    HAA = ("HAA", BootStage.APPLICATION)
    MONGOOSE = ("Mongoose OS", BootStage.APPLICATION)
    DEAUTHER = ("Deauther", BootStage.APPLICATION)
    REPEATER = ("esp_wifi_repeater", BootStage.APPLICATION)
    HOMIE = ("Homie", BootStage.APPLICATION)
    WIFI_MANAGER = ("WiFiManager", BootStage.APPLICATION)
    VENDOR = ("firmware of a vendor", BootStage.APPLICATION)
    ANY = ("no firmware that is known", BootStage.ROM)

    def __init__(self, title: str, stage: BootStage) -> None:
        self.title = title
        self.stage = stage


SHOW_THEIR_START: Final = frozenset(
    (
        Speaker.NODEMCU,
        Speaker.MICROPYTHON,
        Speaker.AT,
        Speaker.TASMOTA,
        Speaker.ESPHOME,
        Speaker.ESPEASY,
        Speaker.ESPURNA,
        Speaker.ESPRUINO,
        Speaker.ESP_LINK,
        Speaker.MONGOOSE,
        Speaker.DEAUTHER,
        Speaker.REPEATER,
        Speaker.HOMIE,
    )
)
"""Firmware of which every build says when it is through with its start."""


class Weight(Enum):
    """What a line says about the boot that it stands in."""

    RUNS = "only the running application prints it"
    SPEAKS = "the application has begun; whether it gets far is not said"
    FAILS = "the boot has failed"
    REPEATS = "in order once; the failure where start after start has it"
    UNCLEAR = "something has failed that no rule knows"
    NOTED = "worth a word; the boot goes on"
    EARLIER = "about the run before"
    NORMAL = "in order"


class Turn(Enum):
    """When a line that fails a boot is asked about, among the rules."""

    CAUSE = "before the rules on crashes: it says why, and what comes behind it follows from it"
    RESULT = "behind the rules on crashes, which say more where there is one"


class Told(NamedTuple):
    """A line of a log that a row knows.

    Attributes:
        boot: The boot that it stands in.
        message: The line.
        groups: The named groups of its form; those that are not there are empty.
    """

    boot: Boot
    message: BootMessage
    groups: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A line that means one thing by itself.

    Attributes:
        name: Short stable name, the kind of its message.
        speaker: Who prints it.
        marks: Words that it cannot be without, ``|`` between them; see ``LineForm``.
        form: Expression for it; empty where :mod:`imgtool.formats.logs` has it, as numbers are read from it.
        example: A line as it is printed.
        weight: What it says about its boot.
        says: What the boot comes to, for ``FAILS``, ``REPEATS`` and ``UNCLEAR``; a remark for ``NOTED``; else
            a few words for the table of messages.  ``{text}``, ``{line}`` and the named groups of the form
            stand for those of the log.
        source: Where the line is known from.
        versions: Of which releases it is, empty for all.
        once: What is to be said of a line of the weight ``REPEATS`` that stands in one start only.
        refine: Makes the outcome from the numbers of the line, where sentences alone cannot.
        turn: When it is asked about, for ``FAILS``.
        unless: Names of later messages with which the boot has got over it.
        until_runs: Whether a boot that shows later that its application runs has got over it.
        behind: A line of one of these must stand before it in the boot, for words that others print, too.
        never_behind: No line of these may stand before it: they cannot start its speaker.
        leads_to: What boots come to that follow this line and show nothing: it tells of a restart.
        slow: Whether what it tells of may take up to a minute, as making a file system does.
        after_loading: Whether it means something only once an image was started.
        begins: Whether it is the first line of its speaker, so that a second one is of another boot.
        crash: Whether a crash begins with it, so that registers and a stack may follow.
        whole: Whether it is a line of its own.
        fallback: Whether it counts only in a line that no other row knows.
    """

    name: str
    speaker: Speaker
    marks: str = ""
    form: str = ""
    example: str
    weight: Weight
    says: LogOutcome | Remark | str
    source: str
    versions: str = ""
    once: Remark | None = None
    refine: Callable[[LogOutcome, Told], LogOutcome] | None = None
    turn: Turn = Turn.CAUSE
    unless: tuple[str, ...] = ()
    until_runs: bool = False
    behind: tuple[Speaker, ...] = ()
    never_behind: tuple[Speaker, ...] = ()
    leads_to: LogOutcome | None = None
    slow: bool = False
    after_loading: bool = False
    begins: bool = False
    crash: bool = False
    whole: bool = False
    fallback: bool = False

    @property
    def line_form(self) -> LineForm:
        """How the reader of logs finds it."""
        return LineForm(
            self.name,
            self.marks,
            self.form,
            stage=self.speaker.stage,
            after_loading=self.after_loading,
            begins=self.begins,
            crash=self.crash,
            whole=self.whole,
            fallback=self.fallback,
            example=self.example,
        )
