"""Rules on what a firmware stops at once it was loaded: init data, and a map for another flash size.

Lines that say it all by themselves: :mod:`imgtool.operations.explain.messages`.  What comes before:
:mod:`imgtool.operations.explain.boot_verdicts`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES, SDK_SECTORS, SECTOR
from imgtool.operations import actions
from imgtool.operations.actions import FileRole, Remark, cure
from imgtool.operations.explain.messages.micropython import LARGEST
from imgtool.operations.explain.messages.row import Speaker
from imgtool.operations.explain.messages.table import evidence_of, speaker_of
from imgtool.operations.explain.values import INSPECT, WRITE, LogOutcome, Verdict

if TYPE_CHECKING:
    from imgtool.chip import FlashSize
    from imgtool.formats.logs.boots import Boot
    from imgtool.operations.actions import Cure

__all__ = ["init_data", "other_map"]

_RF_CAL_FROM_END: Final = next(sector.from_end for sector in SDK_SECTORS if sector.name == "rf-cal")
_INIT_DATA_FROM_END: Final = next(sector.from_end for sector in SDK_SECTORS if sector.name == "init-data")
_ERASED: Final = 0xFF
_IMAGE: Final = 0xE9  # what an image begins with: the SDK looks at flash address 0


def init_data(boot: Boot) -> LogOutcome | None:
    """The SDK found no init data, and went no further."""
    if boot.init_data_byte is None or boot.has("too-small") or _went_on(boot):
        return None
    if boot.has("nodemcu-size") and (boot.has("no-partitions") or boot.init_data_byte == _IMAGE):
        return _NO_TABLE
    if boot.has("nodemcu-size"):
        return _nodemcu_3(boot.init_data_byte)
    speaker = speaker_of(boot)
    if speaker is Speaker.MICROPYTHON:
        return _micropython(boot.init_data_byte)
    size = _header_size(boot)
    found = (
        "The flash is erased there"
        if boot.init_data_byte == _ERASED
        else f"0x{boot.init_data_byte:02X} stands there: something else was written to that sector, such as "
        "the RF calibration of Arduino firmware, or the size in the header is not that of the chip, and the "
        "place lies in the firmware or in its files"
    )
    where = (
        f"For {size.name}, the flash size of this log, init data begins at 0x{_init_address(size):05x}, and "
        f"RF calibration at 0x{size.bytes - _RF_CAL_FROM_END * SECTOR:05x}."
        if size
        else f"The log does not tell the flash size. Init data begins at: {_address_table()}."
    )
    cause = f"The SDK finds no init data where it looks for it: the first byte must be 0x05. {found}. {where}"
    notes = (
        Remark(
            "The SDK takes the flash size from the image header, not from the chip. If init data was "
            "written and this message stays, the header has another size. See which one it has.",
            (INSPECT,),
        ),
        *((_NODEMCU_NOTE,) if _may_be_nodemcu(boot, speaker) else ()),
    )
    return LogOutcome(
        Verdict.INIT_DATA,
        "The SDK stops: its init data is missing.",
        cause,
        _init_data_cures(boot),
        notes,
    )


_NODEMCU_NOTE: Final = Remark(
    "NodeMCU 3.0 and later keeps init data elsewhere (0x0f000, early builds 0x0c000) and writes "
    "it itself; there, writing 0x10000.bin again makes it do so."
)


def _may_be_nodemcu(boot: Boot, speaker: Speaker | None) -> bool:
    """Whether NodeMCU may be what was started: it has no boot loader."""
    alone = boot.loader is None and not boot.has("rboot", "eboot-load")
    return alone and speaker in (None, Speaker.NODEMCU, Speaker.NONOS_SDK)


def _went_on(boot: Boot) -> bool:
    """Whether the SDK, or the application, speaks behind the line on init data."""
    at = next((message.line for message in boot.messages if message.kind == "init-data"), 0)
    later = any(message.line > at and message.kind == "sdk-version" for message in boot.messages)
    return later or evidence_of(boot, after=at) is not None


def _micropython(byte: int) -> LogOutcome:
    """MicroPython writes its init data itself, four sectors before the end that the header states."""
    return LogOutcome(
        Verdict.FLASH_SIZE,
        "MicroPython stops: the flash size in its header is one that its SDK cannot use.",
        "MicroPython writes init data itself, by the size in the header, and its SDK looks for it "
        f"elsewhere, where 0x{byte:02X} stands. So the header has more than the chip, more than the SDK "
        f"inside knows ({LARGEST} at most before SDK 2.1), or a size that the two do not take alike. Init "
        "data itself is not the trouble.",
        (
            cure(
                f"Write MicroPython again with {LARGEST} in the header, or with the size of the chip "
                "where it has less.",
                actions.flash(FileRole.FIRMWARE, size=LARGEST),
            ),
            cure("Ask the chip for its size.", actions.ask_chip()),
        ),
    )


_NO_TABLE: Final = LogOutcome(
    Verdict.PARTITION_TABLE,
    "NodeMCU finds no partition table.",
    "This is NodeMCU 3.0 or later. Its partition table is in the first sector of the file for 0x10000, and "
    "is not there. Without one the SDK looks for its init data at 0, finds an image, and restarts for ever.",
    (
        cure(
            "Write the file with the partition table again.",
            actions.flash(FileRole.HIGH_HALF),
        ),
    ),
)


def _nodemcu_3(byte: int) -> LogOutcome:
    """NodeMCU 3 has a table that says where init data is; docs/flash-layouts.md."""
    return LogOutcome(
        Verdict.INIT_DATA,
        "The SDK stops: its init data is missing.",
        "This is NodeMCU 3.0 or later. It keeps init data where its partition table says: at 0x0f000, in "
        f"early builds at 0x0c000. The first byte there must be 0x05, and it is 0x{byte:02X}. NodeMCU "
        "writes it at its first boot, notes that at 0x10000, and never does it again.",
        (
            cure(
                "Make it a first boot again: write the file with the partition table.",
                actions.flash(FileRole.HIGH_HALF),
            ),
        ),
    )


def _init_data_cures(boot: Boot) -> tuple[Cure, ...]:
    """How init data gets to its place: one command, the board tells the place."""
    write = cure(
        "Write init data to its place; the RF-cal sector, which was made with what stood there, is erased "
        "with it. Files and settings on the chip stay.",
        actions.flash_init_data("v05"),
    )
    sizes = cure(
        "If this message stays: write the firmware again. That puts the size of the chip into the header, "
        "or the largest one that its SDK can use.",
        WRITE,
    )
    size = _header_size(boot)
    old = (_OLD_SDK,) if size is not None and size.bytes > _OLD_SDK_KNOWS else ()
    if boot.init_data_byte == _ERASED:
        return (*old, write, sizes)
    return (*old, sizes._replace(text=_SIZE_FIRST), write)


_OLD_SDK_KNOWS: Final = 0x40_0000
"""Bytes of the largest flash that an SDK before 2.1 knows; layout/generations.py."""
_OLD_SDK: Final = cure(
    "If the firmware is on an SDK before 2.1, which takes more than 4 MB for 512 KB: write it with 4MB in "
    "the header. Whichever it is, that works.",
    actions.flash(FileRole.FIRMWARE, size=LARGEST),
)
_SIZE_FIRST: Final = (
    "Write the firmware again. That puts the size of the chip into the header, or the largest one that "
    "its SDK can use."
)


def _header_size(boot: Boot) -> FlashSize | None:
    """The flash size of the header: as a line says, or else as the RF-cal sector implies."""
    name = boot.flash_size
    if name is None and boot.rf_cal is not None:
        name = boot.rf_cal.flash_size
    return next((size for size in FLASH_SIZES if size.name == name), None)


def _init_address(size: FlashSize) -> int:
    return size.bytes - _INIT_DATA_FROM_END * SECTOR


def _address_table() -> str:
    rows = {size.bytes: size for size in reversed(FLASH_SIZES) if size.name != "256KB"}
    return ", ".join(f"0x{_init_address(rows[size]):05x} for {rows[size].name}" for size in sorted(rows))


def other_map(boot: Boot) -> LogOutcome | None:
    """The firmware was built for another flash size than the header states."""
    found = re.search(r"map\s{0,2}(\d+).*?(\d+)$", boot.text_of("mismatch"))
    if found is None or boot.has("sdk-version") or evidence_of(boot):  # some firmware goes on
        return None
    built, header = (_size_name(int(number)) for number in found.groups())
    return LogOutcome(
        Verdict.PARTITION_TABLE,
        "The firmware stops at its partition table.",
        f"It says '{boot.text_of('mismatch')}': the firmware was built for the map of {built}, and "
        f"the header has that of {header}.",
        (
            cure("See which size the header has.", INSPECT),
            cure(
                "Write the file at 0 again with the size that the firmware was built for, if the chip has "
                "it.",
                actions.flash(FileRole.FIRMWARE, size=built),
            ),
        ),
    )


def _size_name(code: int) -> str:
    return next((size.name for size in FLASH_SIZES if size.code == code), f"number {code}")
