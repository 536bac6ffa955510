"""What one boot of a log comes to: all rules in order, and those for boots that nothing is wrong with.

The rules on failures are in boot_verdicts.py, sdk_verdicts.py, crash_verdicts.py and panic_verdicts.py; a
line that means one thing by itself is a row of known_lines.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.operations import actions
from imgtool.operations.actions import FileRole, Remark, Unknown, cure
from imgtool.operations.explain import (
    boot_verdicts,
    crash_verdicts,
    known_lines,
    panic_verdicts,
    sdk_verdicts,
)
from imgtool.operations.explain.values import INSPECT, RECORD_ROM, LogOutcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.formats.logs.boots import Boot

__all__ = ["judged"]

_BANNERS: Final = ("nodemcu", "lua")


def judged(boot: Boot) -> LogOutcome:
    """What one boot comes to; the first rule that knows says it."""
    return next(outcome for rule in _RULES if (outcome := rule(boot)) is not None)


def _formatting(boot: Boot) -> LogOutcome | None:
    """NodeMCU formats before its banner: a log without that may be of one that never ends."""
    kinds = [message.kind for message in boot.messages]
    if "format" not in kinds or any(kind in _BANNERS for kind in kinds[kinds.index("format") :]):
        return None
    return LogOutcome(
        Verdict.UNFINISHED,
        "The log ends while NodeMCU makes its file system.",
        "That takes up to a minute, once. Where the header states more flash than the chip has, NodeMCU 3.0 "
        "and later erases its own first sectors by it, and stops for ever.",
        (
            cure("Wait for the prompt. If it does not come: ask the chip for its size.", actions.ask_chip()),
            cure(
                "If the header has another size: write an image whose header has the right one.",
                actions.make_flash(FileRole.LOW_HALF, FileRole.HIGH_HALF, size=Unknown.SIZE),
                actions.flash(FileRole.WHOLE_FLASH),
            ),
        ),
        notes=tuple(panic_verdicts.firmware_notes(boot)),
    )


def _runs(boot: Boot) -> LogOutcome | None:
    started = boot.checksum is not None or boot.loader is not None
    printed = boot.firmware_lines > 0 or (boot.has("eboot-load") and not boot.has("eboot-erased"))
    if not (started and printed) and boot.rf_cal is None and not boot.has("sdk-version") and not boot.spoken:
        return None
    if not started and boot.spoken:
        return LogOutcome(
            Verdict.RUNS,
            "The firmware runs; nothing in this log is wrong.",
            "It prints lines of its own. The loading is not in the log, or cannot be read: the ROM "
            "prints at another speed, 74880 baud.",
            notes=tuple(panic_verdicts.firmware_notes(boot)),
        )
    noise = Remark(
        "Behind the loading there are unreadable characters: firmware prints at a speed of its own, mostly "
        "115200."
    )
    return LogOutcome(
        Verdict.RUNS,
        "The image was loaded and started; nothing in this log is wrong.",
        "The checksum holds, and the firmware prints something of its own."
        if boot.checksum is not None
        else "The firmware prints something of its own.",
        notes=(*((noise,) if boot.noise else ()), *panic_verdicts.firmware_notes(boot)),
    )


def _unfinished(boot: Boot) -> LogOutcome:
    whole = cure(
        "Record a whole boot at 74880 baud: start the monitor first, and then reset the chip.", RECORD_ROM
    )
    if boot.has("nodemcu-size"):
        return LogOutcome(
            Verdict.UNFINISHED,
            "The log ends too early to tell: it stops where NodeMCU reads its partition table.",
            "What is there is in order. The log was cut.",
            (whole,),
        )
    if boot.has("eboot-erased"):
        return LogOutcome(
            Verdict.UNFINISHED,
            "The log ends too early to tell: it stops where Arduino's boot loader starts the application.",
            "The boot loader prints the word at 0x1010, and 0xffffffff is what erased flash has: there may "
            "be no application at 0x1000. Some builds have that word, too, and the firmware may be silent.",
            (
                whole,
                cure("See whether the file is whole; if it is, write it again.", INSPECT),
            ),
        )
    if boot.loader is not None:
        where = "where the boot loader starts the application"
    elif boot.checksum is not None:
        where = "where the ROM starts the image"
    elif boot.segments:
        where = "while the ROM loads the image"
    else:
        where = "before the ROM loads an image"
    return LogOutcome(
        Verdict.UNFINISHED,
        f"The log ends too early to tell: it stops {where}.",
        "What is there is in order. The firmware may be silent, may print at another speed, mostly "
        "115200, or the log was cut.",
        (whole,),
    )


_RULES: Final[tuple[Callable[[Boot], LogOutcome | None], ...]] = (
    sdk_verdicts.other_map,
    sdk_verdicts.init_data,
    known_lines.stopped,
    boot_verdicts.bad_image,
    boot_verdicts.no_image,
    boot_verdicts.no_slot,
    boot_verdicts.download,
    boot_verdicts.straps,
    panic_verdicts.system_param,
    panic_verdicts.out_of_memory,
    crash_verdicts.exception,
    crash_verdicts.watchdog,
    panic_verdicts.panic,
    known_lines.ended,
    panic_verdicts.script_error,
    panic_verdicts.python,
    _formatting,
    _runs,
    _unfinished,
)
