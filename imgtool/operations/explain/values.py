"""The values that the rules on boot logs speak in: verdicts, outcomes, and actions that several of them name.

No rule is here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.operations.actions import FileRole, flash, inspect, record_log, verify

if TYPE_CHECKING:
    from imgtool.operations.actions import Cure, Remark

__all__ = [
    "CHECK_FAILED",
    "INSPECT",
    "INSPECT_PAIR",
    "RECORD_FIRMWARE",
    "RECORD_ROM",
    "SAFEST_WRITE",
    "VERIFY",
    "WRITE",
    "LogOutcome",
    "Verdict",
]

INSPECT: Final = inspect(FileRole.FIRMWARE)
INSPECT_PAIR: Final = inspect(FileRole.LOW_HALF, FileRole.HIGH_HALF)
WRITE: Final = flash(FileRole.FIRMWARE)
SAFEST_WRITE: Final = flash(FileRole.FIRMWARE, mode="dout", frequency="40m")
"""In the mode and at the speed that every board can read."""
VERIFY: Final = verify(FileRole.FIRMWARE)
RECORD_ROM: Final = record_log(74_880)
RECORD_FIRMWARE: Final = record_log(115_200)


class Verdict(StrEnum):
    """What a boot log comes to."""

    RUNS = "runs"
    SPEAKS = "speaks"
    DOWNLOAD = "download"
    STRAPS = "straps"
    BOOT_LOOP = "boot-loop"
    BAD_IMAGE = "bad-image"
    NO_IMAGE = "no-image"
    INIT_DATA = "init-data"
    TOO_SMALL_FLASH = "too-small-flash"
    PARTITION_TABLE = "partition-table"
    SYSTEM_PARAM = "system-param"
    EXCEPTION = "exception"
    WATCHDOG = "watchdog"
    PANIC = "panic"
    OUT_OF_MEMORY = "out-of-memory"
    SCRIPT_ERROR = "script-error"
    FILE_SYSTEM = "file-system"
    FLASH_SIZE = "flash-size"
    SAFE_MODE = "safe-mode"
    SETTINGS = "settings"
    HARDWARE = "hardware"
    CANNOT_JUDGE = "cannot-judge"
    UNFINISHED = "unfinished"
    WRONG_BAUD = "wrong-baud"
    NOTHING_KNOWN = "nothing-known"


class LogOutcome(NamedTuple):
    """What one boot comes to, see :class:`~imgtool.operations.explain.log.Explanation`."""

    verdict: Verdict
    sentence: str
    cause: str
    cures: tuple[Cure, ...] = ()
    notes: tuple[Remark, ...] = ()


CHECK_FAILED: Final = LogOutcome(
    Verdict.PANIC,
    "The firmware stopped itself: a check in it failed",
    "The program, or a library in it, found something that must not be, and gave up.",
)
"""What an assertion comes to that says no more than its place."""
