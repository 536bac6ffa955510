"""Rules on what happens before a firmware runs: straps, boot ROM, boot loader.

A rule takes one boot of a log and says what it comes to, or None where that is for another rule to say;
:mod:`imgtool.operations.explain.log` asks them in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.formats.logs.boots import DOWNLOAD, FLASH, LoaderLines
from imgtool.operations import actions
from imgtool.operations.actions import FileRole, PlacedFile, Stretch, Unknown, cure
from imgtool.operations.explain.messages.row import Speaker, Weight
from imgtool.operations.explain.messages.table import evidence_of, speaker_of
from imgtool.operations.explain.values import (
    INSPECT,
    INSPECT_PAIR,
    SAFEST_WRITE,
    VERIFY,
    WRITE,
    LogOutcome,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.formats.logs.boots import Boot, BootSegment
    from imgtool.operations.actions import Cure

__all__ = ["bad_image", "download", "fitted", "no_image", "no_slot", "straps", "whole_files"]

# What is built as two files for 0 and 0x10000, as far as lines tell.
_IN_PAIRS: Final = (None, Speaker.NODEMCU, Speaker.NONOS_SDK)
_PAIR_WHOLE: Final = cure("See whether the files are whole and of one build.", INSPECT_PAIR)
_FILE_WHOLE: Final = cure("See whether the file is whole.", INSPECT)
_SEED: Final = 0xEF  # of the image checksum: what is left when all data is zero
_ALL_ONES: Final = 0xFFFF_FFFF
_SLOT_FAILS: Final = ("error-magic", "backup-failed", "flash-addr", "first-failed", "boot-retry")
_FIRST_SLOT: Final = 0x1000
_SLOT_FILES: Final[dict[int | None, FileRole]] = {1: FileRole.SLOT_1, 2: FileRole.SLOT_2}


def whole_files(boot: Boot) -> Cure:
    """See whether the file, or the two files of a firmware without a boot loader, are whole."""
    return _PAIR_WHOLE if speaker_of(boot) in _IN_PAIRS else _FILE_WHOLE


def fitted(cures: Sequence[Cure], written: Speaker | None) -> tuple[Cure, ...]:
    """Cures for a firmware that is known to be on the chip, though its log does not tell."""
    if written in _IN_PAIRS:
        return tuple(cures)
    return tuple(_FILE_WHOLE if each == _PAIR_WHOLE else each for each in cures)


def bad_image(boot: Boot) -> LogOutcome | None:
    """The ROM began to load an image, and it is damaged, cut or read in the wrong mode."""
    broken = [segment for segment in boot.segments if not segment.plausible]
    zeros = bool(boot.segments) and all(segment.checksum == _SEED for segment in boot.segments)
    stopped = boot.has("ets-main") and boot.checksum is not None
    unread = (
        boot.has("flash-read-err") and boot.checksum is None
    )  # behind the loading it is the firmware's word
    failed = boot.has("csum-err") or unread or stopped
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
            cure("See the mode in the header, and whether the file is whole.", INSPECT),
            cure(
                "Write it again in a mode that needs fewer lines; the ESP8285 needs this one.",
                actions.flash(FileRole.FIRMWARE, mode="dout"),
            ),
            cure("The same, faster, for most boards of 4 MB.", actions.flash(FileRole.FIRMWARE, mode="dio")),
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
            cure("See whether the file is whole.", INSPECT),
            cure("Write it again, and compare.", WRITE, VERIFY),
            cure(
                "If it verifies, and this stays: another mode.", actions.flash(FileRole.FIRMWARE, mode="dout")
            ),
        ),
    )


def _damaged(what: str) -> LogOutcome:
    return LogOutcome(
        Verdict.BAD_IMAGE,
        "The image does not load: it is damaged, in the file or in the flash.",
        f"{what}. The likeliest first: the file is damaged; it was not written well; the chip reads the "
        "flash badly, by mode, by speed or for lack of power. The first two commands tell them apart.",
        (
            cure("See whether the file is whole; if not, get or build it again.", INSPECT),
            cure("If it is, write it again, and compare.", WRITE, VERIFY),
            cure(
                "If it verifies, and this stays: the safest mode and speed, and a better power supply.",
                SAFEST_WRITE,
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
            cure(
                "See what the flash holds at 0.",
                actions.read(FileRole.FLASH_START, Stretch(0, 0x1_0000)),
                actions.inspect(FileRole.FLASH_START),
            ),
            cure("See whether the file is one for address 0.", INSPECT),
            cure("Write it to 0, and compare.", WRITE, VERIFY),
        ),
    )


def no_slot(boot: Boot) -> LogOutcome | None:
    """Espressif's boot loader found no application that it can start."""
    told = [message.line for message in boot.messages if message.kind in _SLOT_FAILS]
    if not told or evidence_of(boot, Weight.RUNS, Weight.SPEAKS, after=told[-1]):
        return None
    loader = boot.loader or LoaderLines(boot.line)
    slot = f"user{loader.slot}" if loader.slot else "the application"
    at = f" at 0x{loader.address:x}" if loader.address is not None else ""
    target = loader.address if loader.address is not None else Unknown.ADDRESS
    bad = not boot.has("error-magic", "flash-addr")
    what = "fails its check" if bad else "does not begin with 0xE9 or 0xEA, as an image does"
    size = f" ({loader.flash_size})" if loader.flash_size else ""
    backup = " The other slot failed, too." if boot.has("backup-failed") else ""
    file = _SLOT_FILES.get(loader.slot, FileRole.FIRMWARE)
    return LogOutcome(
        Verdict.BAD_IMAGE if bad else Verdict.NO_IMAGE,
        f"The boot loader cannot start {slot}{at}.",
        f"The boot loader itself is good. What it finds{at} {what}.{backup} Either the file is not there, "
        f"or it was built for another map than the header's{size}, and its slot lies elsewhere. The header "
        "of the file tells its slot and its size.",
        (
            cure("See whether the file is whole, and for which slot and map it is.", actions.inspect(file)),
            cure("If it is for this slot: write it there.", actions.flash(PlacedFile(file, target))),
            cure(
                "If it is for another map: write the boot loader again with that size in its header.",
                actions.flash(
                    PlacedFile(FileRole.BOOT_LOADER, 0),
                    PlacedFile(FileRole.SLOT_1, _FIRST_SLOT),
                    size=Unknown.SIZE,
                ),
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
        "reset. A button, a level shifter, or the DTR and RTS lines of the adapter may hold it low.",
        (
            cure(
                "To write firmware, see first whether the chip answers.",
                actions.ask_chip(waiting=True),
            ),
            cure("To run the firmware: release GPIO0, and reset the chip."),
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
            cure("Pull GPIO15 down, with 10 kOhm or less; take off what holds it high.")
            if mode is None or mode.gpio15 is not False
            else cure("Leave GPIO2 open or pull it up at reset; take off what holds it low."),
        ),
    )
