"""What a log comes to in which no boot can be read: the wrong speed, another chip, another text.

The speeds are told by :mod:`imgtool.formats.logs.garbled`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.formats.logs.boots import Boot
from imgtool.formats.logs.garbled import CRYSTAL_40, Speeds, is_rom_noise, speeds_of
from imgtool.operations.actions import Remark, cure, record_log
from imgtool.operations.explain.values import INSPECT, RECORD_FIRMWARE, RECORD_ROM, LogOutcome, Verdict

if TYPE_CHECKING:
    from imgtool.formats.logs.boots import BootLog
    from imgtool.operations.actions import Cure

__all__ = ["Unread", "noise_note", "unread"]

_SURE: Final = 0.9
_LEAST_SHOWN: Final = 0.02  # likelihood of what is still listed
_MOST_SHOWN: Final = 4


class Unread(NamedTuple):
    """A log without a boot.

    Attributes:
        outcome: What it comes to.
        boots: What is known of a firmware that prints behind the noise.
        speeds: The pairs of speeds that explain the noise, the likeliest first.
    """

    outcome: LogOutcome
    boots: tuple[Boot, ...] = ()
    speeds: tuple[Speeds, ...] = ()


def noise_note(log: BootLog) -> Remark | None:
    """What unreadable characters in front of a boot are."""
    if not log.garbled or not log.boots or log.boots[0].cause is not None or not is_rom_noise(log.garbled):
        return None
    return _ROM_NOISE


_ROM_NOISE: Final = Remark(
    "The noise at the start is the boot ROM at 74880 baud, read at 115200; nothing is wrong with it. To "
    "read it, record it at its own speed.",
    (RECORD_ROM,),
)


def unread(log: BootLog) -> Unread:
    """What a log without a boot comes to."""
    if log.other_chip:
        return Unread(
            LogOutcome(
                Verdict.NOTHING_KNOWN,
                "This is the boot log of another chip, such as an ESP32.",
                "It has lines that no ESP8266 prints. imgtool is for the ESP8266 and ESP8285.",
            )
        )
    if log.readable and log.garbled and is_rom_noise(log.garbled):
        return _firmware_alone(log)
    if log.noise:
        return _noise(log.garbled)
    record = cure("Record it at the speed of the ROM.", RECORD_ROM)
    return Unread(
        LogOutcome(
            Verdict.NOTHING_KNOWN,
            "There is no line of an ESP8266 boot in this.",
            "The ROM prints ' ets Jan  8 2013,rst cause:' at every reset, at 74880 baud. A log at another "
            "speed begins with noise or with nothing, and then has only what the firmware prints.",
            (record,),
        )
    )


def _firmware_alone(log: BootLog) -> Unread:
    line, _ = log.readable[0]
    boot = Boot(line=line, firmware=log.readable, firmware_lines=len(log.readable), noise=True)
    outcome = LogOutcome(
        Verdict.SPEAKS,
        "A firmware speaks; the noise in front of it is the boot ROM, and no failure that is known is here.",
        "The ROM prints at 74880 baud, and the firmware at the speed of this log. imgtool does not know "
        "the lines of this firmware.",
        notes=(_ROM_NOISE,),
    )
    return Unread(outcome, (boot,))


def _noise(garbled: str) -> Unread:
    speeds = speeds_of(garbled)
    other = cure("If it is no log, see what it is.", INSPECT)
    if not speeds:
        return Unread(
            LogOutcome(
                Verdict.WRONG_BAUD,
                "Too little of this can be read; if it is a boot log, it was recorded at the wrong speed.",
                "The ROM prints at 74880 baud, at 115200 where the crystal has 40 MHz. Noise also comes "
                "from a missing ground line. Or it is a file of another kind. "
                "The bytes fit no pair of speeds that imgtool knows.",
                (
                    cure("Record it at the speed of the ROM.", RECORD_ROM),
                    cure(
                        "Record it at the speed of most firmware, and of the ROM with 40 MHz.",
                        RECORD_FIRMWARE,
                    ),
                    other,
                ),
            )
        )
    first = speeds[0]
    if first.likelihood >= _SURE:
        sentence = f"This was recorded at the wrong speed: the chip sends at {first.sent} baud."
        cause = f"The noise is {_words(first)}: {_share(first)}. {_ratio(first)}"
    else:
        sentence = "This was recorded at the wrong speed; which one is right cannot be told for sure."
        cause = "The noise may be one of several, the likeliest first; trying them in this order tells which."
    shown = [each for each in speeds if each.likelihood >= _LEAST_SHOWN][:_MOST_SHOWN]
    cures: list[Cure] = []
    if first.likelihood >= _SURE:
        cures.append(cure(f"Record it at {first.sent} baud.", record_log(first.sent)))
        shown = []
    for each in shown:
        recorded = record_log(each.sent)
        if all(recorded not in named.actions for named in cures):
            cures.append(cure(f"Record it at {each.sent} baud: {_words(each)} ({_share(each)}).", recorded))
    return Unread(
        LogOutcome(Verdict.WRONG_BAUD, sentence, cause, (*cures, other)), speeds=speeds[:_MOST_SHOWN]
    )


def _words(speeds: Speeds) -> str:
    if not speeds.rom:
        return f"a firmware that prints at {speeds.sent} baud, read at {speeds.heard}"
    crystal = "40 MHz" if speeds.sent == CRYSTAL_40 else "26 MHz"
    return f"the boot ROM of a board with a {crystal} crystal, at {speeds.sent} baud, read at {speeds.heard}"


def _share(speeds: Speeds) -> str:
    return f"{round(100 * speeds.likelihood)} % of what imgtool knows speaks for that"


def _ratio(speeds: Speeds) -> str:
    if speeds.rom:
        return "The text has the patterns of the ROM, whose speed only the crystal decides."
    ratio = speeds.sent / speeds.heard
    return f"Only the ratio shows: it was sent at {ratio:.2g} times the speed that it was read at."
