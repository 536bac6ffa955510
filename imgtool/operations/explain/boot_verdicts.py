"""Rules on what happens before a firmware runs: straps, boot ROM, boot loader.

Also the words that all rules speak in.  A rule takes one boot of a log and says what it comes to, or None
where that is for another rule to say; :mod:`imgtool.operations.explain.log` asks them in order.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.formats.logs.boots import DOWNLOAD, FLASH, LoaderLines

if TYPE_CHECKING:
    from imgtool.formats.logs.boots import Boot, BootSegment

__all__ = [
    "INSPECT",
    "MONITOR",
    "MONITOR_FIRMWARE",
    "PAIR",
    "VERIFY",
    "WRITE",
    "Cure",
    "LogOutcome",
    "Verdict",
    "bad_image",
    "download",
    "monitor_at",
    "no_image",
    "no_slot",
    "straps",
    "whole_files",
]

INSPECT: Final = "imgtool inspect FILE"


def monitor_at(baud: int) -> str:
    """The command that records a log at a speed."""
    return f"imgtool monitor -b {baud} --log boot.log"


MONITOR: Final = monitor_at(74_880)
MONITOR_FIRMWARE: Final = monitor_at(115_200)

WRITE: Final = "imgtool flash FILE"
VERIFY: Final = "imgtool verify FILE"
PAIR: Final = "imgtool inspect 0x00000.bin 0x10000.bin"

_SEED: Final = 0xEF  # of the image checksum: what is left when all data is zero
_ALL_ONES: Final = 0xFFFF_FFFF


class Verdict(StrEnum):
    """What a boot log comes to."""

    RUNS = "runs"
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
    UNFINISHED = "unfinished"
    WRONG_BAUD = "wrong-baud"
    NOTHING_KNOWN = "nothing-known"


class Cure(NamedTuple):
    """What to do: a sentence that says when it helps, and the commands, which may be none."""

    text: str
    commands: tuple[str, ...] = ()


class LogOutcome(NamedTuple):
    """What one boot comes to, see :class:`~imgtool.operations.explain.log.Explanation`."""

    verdict: Verdict
    sentence: str
    cause: str
    cures: tuple[Cure, ...] = ()
    notes: tuple[str, ...] = ()


def whole_files(boot: Boot) -> Cure:
    """See whether the file, or the two files of a firmware without a boot loader, are whole."""
    if boot.loader is not None or boot.has("eboot-load", "eboot-erased", "eboot-copy"):
        return Cure("See whether the file is whole.", (INSPECT,))
    return Cure("See whether the files are whole and of one build.", (PAIR,))


def bad_image(boot: Boot) -> LogOutcome | None:
    """The ROM began to load an image, and it is damaged, cut or read in the wrong mode."""
    broken = [segment for segment in boot.segments if not segment.plausible]
    zeros = bool(boot.segments) and all(segment.checksum == _SEED for segment in boot.segments)
    failed = boot.has("csum-err", "flash-read-err") or (boot.has("ets-main") and boot.checksum is not None)
    if not boot.segments or not (failed or broken or _differs(boot)):
        return None
    if zeros or (broken and broken[0].address != _ALL_ONES and boot.segments[0].plausible):
        return _wrong_mode(zeros=zeros)
    if broken and broken[0].address == _ALL_ONES:
        return _erased_behind(broken[0])
    if broken:
        return _damaged("The image at 0 has a segment where the chip has no memory")
    if boot.has("flash-read-err") and boot.checksum is None:
        return _damaged("The ROM could not read the image to its end")
    return _damaged("The ROM read the image at 0 to its end, but its checksum is wrong")


def _differs(boot: Boot) -> bool:
    """Whether the checksums disagree and nothing was started: characters get lost, too."""
    printed = boot.segments[-1].checksum if boot.segments else None
    return (
        None not in (printed, boot.checksum)
        and printed != boot.checksum
        and boot.loader is None
        and not boot.firmware_lines
    )


def _wrong_mode(*, zeros: bool) -> LogOutcome:
    seen = (
        "Every checksum is 0xef, the seed: all data reads as zero"
        if zeros
        else "The first segment header is good, and the next one is nonsense"
    )
    return LogOutcome(
        Verdict.BAD_IMAGE,
        "The image does not load: the flash mode is probably wrong.",
        f"{seen}. The header is read in a mode that every flash chip knows, and the rest in the mode that "
        "the header asks for. Boards without all data lines, and every ESP8285, need dout or dio. Less "
        "likely: the file was damaged, or written only in part; the first command shows a damaged file.",
        (
            Cure("See the mode in the header, and whether the file is whole.", (INSPECT,)),
            Cure(
                "Write it again in a mode that needs fewer lines; the ESP8285 needs this one.",
                ("imgtool flash -fm dout FILE",),
            ),
            Cure("The same, faster, for most boards of 4 MB.", ("imgtool flash -fm dio FILE",)),
        ),
    )


def _erased_behind(segment: BootSegment) -> LogOutcome:
    return LogOutcome(
        Verdict.BAD_IMAGE,
        "The image does not load: it ends too early.",
        f"Line {segment.line} has a segment header of 0xff bytes: the flash is erased where the image "
        "should go on. The file is cut, it was written only in part, or another write erased it. If the "
        "file is whole and verifies, the flash mode is wrong, or the flash chip is.",
        (
            Cure("See whether the file is whole.", (INSPECT,)),
            Cure("Write it again, and compare.", (WRITE, VERIFY)),
            Cure("If it verifies, and this stays: another mode.", ("imgtool flash -fm dout FILE",)),
        ),
    )


def _damaged(what: str) -> LogOutcome:
    return LogOutcome(
        Verdict.BAD_IMAGE,
        "The image does not load: it is damaged, in the file or in the flash.",
        f"{what}. In this order: the file is damaged; it was not written well; the chip reads the flash "
        "badly, by mode, by speed or for lack of power. The first two commands tell them apart.",
        (
            Cure("See whether the file is whole; if not, get or build it again.", (INSPECT,)),
            Cure("If it is, write it again, and compare.", (WRITE, VERIFY)),
            Cure(
                "If it verifies, and this stays: the safest mode and speed, and a better power supply.",
                ("imgtool flash -fm dout -ff 40m FILE",),
            ),
        ),
    )


def no_image(boot: Boot) -> LogOutcome | None:
    """The ROM found nothing to load at 0."""
    if boot.segments or not boot.has("ets-main", "flash-read-err"):
        return None
    return LogOutcome(
        Verdict.NO_IMAGE,
        "There is no image at flash address 0.",
        "The ROM gave up before it loaded anything. The flash is erased, the file was written to another "
        "address, or its first byte is not 0xE9. If the right file is there, the ROM cannot read the "
        "flash: something else uses its pins (GPIO6 to GPIO11), or the power is too weak.",
        (
            Cure(
                "See what the flash holds at 0.",
                ("imgtool read 0 0x10000 -o head.bin", "imgtool inspect head.bin"),
            ),
            Cure("See whether the file is one for address 0.", (INSPECT,)),
            Cure("Write it to 0, and compare.", (WRITE, VERIFY)),
        ),
    )


def no_slot(boot: Boot) -> LogOutcome | None:
    """Espressif's boot loader found no application that it can start."""
    if not boot.has("error-magic", "backup-failed", "flash-addr", "first-failed"):
        return None
    loader = boot.loader or LoaderLines(boot.line)
    slot = f"user{loader.slot}" if loader.slot else "the application"
    at = f" at 0x{loader.address:x}" if loader.address is not None else ""
    target = f"0x{loader.address:x}" if loader.address is not None else "ADDRESS"
    bad = not boot.has("error-magic", "flash-addr")
    what = "fails its check" if bad else "does not begin with 0xE9 or 0xEA, as an image does"
    size = f" ({loader.flash_size})" if loader.flash_size else ""
    backup = " The other slot failed, too." if boot.has("backup-failed") else ""
    file = f"user{loader.slot}.bin" if loader.slot else "FILE"
    return LogOutcome(
        Verdict.BAD_IMAGE if bad else Verdict.NO_IMAGE,
        f"The boot loader cannot start {slot}{at}.",
        f"The boot loader itself is good. What it finds{at} {what}.{backup} Either the file is not there, "
        f"or it was built for another map than the header's{size}, so that the slots lie elsewhere: "
        "imgtool inspect shows the slot and the size in its header.",
        (
            Cure(
                "See whether the file is whole, and for which slot and map it is.",
                (f"imgtool inspect {file}",),
            ),
            Cure("If it is for this slot: write it there.", (f"imgtool flash {target} {file}",)),
            Cure(
                "If it is for another map: write the boot loader again with that size in its header.",
                ("imgtool flash -fs SIZE 0 BOOT_LOADER 0x1000 user1.bin",),
            ),
        ),
    )


def download(boot: Boot) -> LogOutcome | None:
    """The straps choose the download mode."""
    if boot.mode is None or boot.mode.code != DOWNLOAD or boot.segments or boot.checksum is not None:
        return None
    return LogOutcome(
        Verdict.DOWNLOAD,
        "The chip waits for a flasher: it started in download mode.",
        "GPIO0 was low at reset. That is right for writing; to run the firmware, GPIO0 must be high at "
        "reset. If nobody holds it low: a button, a level shifter or the adapter's DTR and RTS lines do.",
        (
            Cure("To write: imgtool flash finds the chip now.", ("imgtool id --reset none",)),
            Cure("To run the firmware: release GPIO0, and reset the chip."),
        ),
    )


def straps(boot: Boot) -> LogOutcome | None:
    """The straps choose neither the flash nor the download mode."""
    waiting = boot.has("waiting")
    if boot.segments or boot.checksum is not None or (boot.mode is None and not waiting):
        return None
    if boot.mode is not None and boot.mode.code in (DOWNLOAD, FLASH) and not waiting:
        return None
    mode = boot.mode
    if mode is None or mode.gpio15 is None:
        pins = "GPIO15 was probably high at reset"
    elif mode.gpio15:
        pins = "GPIO15 was high at reset, which means SDIO: a host is to send the firmware"
    else:
        pins = "GPIO2 was low at reset"
    return LogOutcome(
        Verdict.STRAPS,
        "The chip does not boot from flash: its strap pins say otherwise.",
        f"{pins}. To boot from flash, GPIO15 must be low and GPIO0 and GPIO2 high; to be written, GPIO15 "
        "and GPIO0 low and GPIO2 high. No command cures that: a resistor to ground or to 3.3 V does.",
        (
            Cure("Pull GPIO15 down, with 10 kOhm or less; take off what holds it high.")
            if mode is None or mode.gpio15 is not False
            else Cure("Leave GPIO2 open or pull it up at reset; take off what holds it low."),
        ),
    )
