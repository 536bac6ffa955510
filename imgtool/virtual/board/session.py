"""A boot of firmware with nobody on the line: what it says until it has no more to say.

No verdict: that is explain's, on the text.  Time is the chip's, and repeats with the same flash.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.virtual.chip.machine import Activity

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.virtual.board.firmware_chip import FirmwareChip

__all__ = ["Ending", "FirmwareRun", "Missing", "Said", "missing_of", "run_firmware"]

_SECOND: Final = 1_000_000_000
_STEP_NS: Final = 50_000_000
_QUIET_NS: Final = 3 * _SECOND  # of a firmware that waits for interrupts
_FED_NS: Final = 4 * _SECOND  # of one that computes, and feeds the watchdog
_BUSY_NS: Final = 10 * _SECOND  # of one that computes, and does not: longer than the watchdog lets it hang
_ALIKE: Final = 3  # boots with the same words are a loop
_MOST_BOOTS: Final = 30
# The same words in a row without a start between them: a handler that never gets away.
_LONGEST_PHRASE: Final = 300
_PHRASES: Final = 8
_LEAST_SAID: Final = 1200
_SAMPLE: Final = 64
_BANNER: Final = b"\n ets Jan  8 2013,rst cause:"


class Ending(StrEnum):
    """Why a run was ended."""

    QUIET = "it says no more"
    STOPPED = "the processor waits for ever"
    ASLEEP = "it sleeps, and nothing wakes it"
    LOOP = "it starts again and again"
    REPEATS = "it says the same again and again"
    MISSING = "it needs more of the boot ROM than there is"
    TIME = "the time is up"

    @property
    def is_for_ever(self) -> bool:
        """Whether the processor has come to a place that it does not leave."""
        return self in (Ending.STOPPED, Ending.REPEATS, Ending.MISSING)


class Said(NamedTuple):
    """What came at one speed, in one piece.

    Attributes:
        baud: The speed.
        text: The bytes.
    """

    baud: int
    text: bytes


class Missing(NamedTuple):
    """What a firmware needs of the boot ROM that is not there.

    Attributes:
        name: The function, by the names of Espressif's linker script.
        address: The address.
        by: What calls it returns to there, or the address of the instruction that reads it.
    """

    name: str
    address: int
    by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareRun:
    """What firmware did.

    Attributes:
        ending: Why the run was ended.
        said: What it sent, in order.
        seconds: How long it ran, by the chip's clock.
        instructions: How many it took.
        boots: How often the boot ROM said who it is.
        exceptions: How many exceptions of the processor there were, by their cause; firmware handles most.
        unmodelled: Registers that were read and have nothing behind them, with the program counter.
        missing: What of the boot ROM it has needed and is not there: that ended the run.  None for nothing.
    """

    ending: Ending
    said: tuple[Said, ...]
    seconds: float
    instructions: int
    boots: int
    exceptions: dict[int, int] = field(default_factory=dict)
    unmodelled: dict[int, int] = field(default_factory=dict)
    missing: Missing | None = None

    @property
    def log(self) -> bytes:
        """All that it sent."""
        return b"".join(piece.text for piece in self.said)


def run_firmware(
    chip: FirmwareChip, seconds: float, on_time: Callable[[float], None] = lambda _: None
) -> FirmwareRun:
    """Switch a chip on to boot from flash, and let it run.

    Args:
        chip: The chip, off.
        seconds: How long at most, by the chip's clock.
        on_time: Told the seconds that have passed, again and again.
    """
    chip.power_on(download=False)
    start, active = chip.now, chip.now
    end = start + round(seconds * _SECOND)
    heard: list[tuple[int, int]] = []  # byte, speed
    operations = 0
    ending = Ending.TIME
    while chip.now < end:
        chip.run(min(end, chip.now + _STEP_NS))
        fresh = [(byte, speed) for byte, _, speed in chip.uart.drain()]
        heard += fresh
        done = sum(chip.flash.counts.values())
        if fresh or done != operations:
            active, operations = chip.now, done
        found = _ending(chip, chip.now - active)
        if found is None and fresh:
            found = _loop(heard) or _repeats(heard)
        if found is not None:
            ending = found
            break
        on_time((chip.now - start) / _SECOND)
    said = tuple(
        Said(speed, bytes(byte for byte, _ in group)) for speed, group in groupby(heard, lambda item: item[1])
    )
    core = chip.board.core
    return FirmwareRun(
        ending=ending,
        said=said,
        seconds=(chip.now - start) / _SECOND,
        instructions=core.instructions,
        boots=sum(piece.text.count(_BANNER) for piece in said),
        exceptions=dict(core.exceptions),
        unmodelled=dict(chip.board.unmodelled),
        missing=missing_of(chip),
    )


def missing_of(chip: FirmwareChip) -> Missing | None:
    """What of the boot ROM the firmware has needed that is not there; None for nothing."""
    if chip.missing is None:
        return None
    from imgtool.virtual.board.rom.names import name_at  # noqa: PLC0415 - mostly nothing is missing

    return Missing(name_at(chip.missing.address), chip.missing.address, chip.missing.by)


def _ending(chip: FirmwareChip, silence: int) -> Ending | None:
    board = chip.board
    if chip.missing is not None:
        return Ending.MISSING
    if chip.activity is not Activity.FIRMWARE:
        return Ending.STOPPED
    if board.resets is not None:
        return Ending.ASLEEP if board.resets.at is None else None
    if board.core.idles:
        return Ending.QUIET if silence >= _QUIET_NS else None
    if board.core.waiting:
        return Ending.STOPPED if silence >= _QUIET_NS else None
    return Ending.QUIET if silence >= (_FED_NS if board.fed else _BUSY_NS) else None


def _loop(heard: list[tuple[int, int]]) -> Ending | None:
    """Whether the last boots said the same, word by word."""
    boots = bytes(byte for byte, _ in heard).split(_BANNER)[1:-1]
    alike = len(boots) >= _ALIKE and len(set(boots[-_ALIKE:])) == 1
    return Ending.LOOP if alike or len(boots) >= _MOST_BOOTS else None


def _repeats(heard: list[tuple[int, int]]) -> Ending | None:
    """Whether the last that it said is one phrase, over and over."""
    tail = bytes(byte for byte, _ in heard[-_PHRASES * _LONGEST_PHRASE :])
    before = tail.rfind(tail[-_SAMPLE:], 0, -1)
    if before < 0:
        return None
    phrase = len(tail) - _SAMPLE - before
    needed = max(_LEAST_SAID, _PHRASES * phrase)
    alike = tail[-needed:]
    if phrase > _LONGEST_PHRASE or len(alike) < needed or alike[phrase:] != alike[:-phrase]:
        return None
    return Ending.REPEATS
