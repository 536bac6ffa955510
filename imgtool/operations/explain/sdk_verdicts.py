"""Rules on what a firmware stops at once it was loaded: init data, and a map for another flash size.

Lines that say it all by themselves: :mod:`imgtool.operations.explain.known_lines`.  What comes before:
:mod:`imgtool.operations.explain.boot_verdicts`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES, SDK_SECTORS, SECTOR
from imgtool.operations import actions
from imgtool.operations.actions import FileRole, PlacedFile, Remark, Stretch, Unknown, cure
from imgtool.operations.explain.values import INSPECT, LogOutcome, Verdict

if TYPE_CHECKING:
    from imgtool.chip import FlashSize
    from imgtool.formats.logs.boots import Boot
    from imgtool.operations.actions import Action, Cure

__all__ = ["init_data", "other_map"]

_RF_CAL_FROM_END: Final = next(sector.from_end for sector in SDK_SECTORS if sector.name == "rf-cal")
_INIT_DATA_FROM_END: Final = next(sector.from_end for sector in SDK_SECTORS if sector.name == "init-data")
_ERASED: Final = 0xFF
_IMAGE: Final = 0xE9  # what an image begins with: the SDK looks at flash address 0


def init_data(boot: Boot) -> LogOutcome | None:
    """The SDK found no init data."""
    if boot.init_data_byte is None or boot.has("too-small"):
        return None
    if boot.has("nodemcu-size") and (boot.has("no-partitions") or boot.init_data_byte == _IMAGE):
        return _NO_TABLE
    if boot.has("nodemcu-size"):
        return _nodemcu_3(boot.init_data_byte)
    size = _header_size(boot)
    found = (
        "The flash is erased there"
        if boot.init_data_byte == _ERASED
        else f"0x{boot.init_data_byte:02X} stands there: something else was written to that sector, such as "
        "the RF calibration of Arduino firmware, which older NodeMCU does not replace by itself"
    )
    where = (
        f"For {size.name}, the flash size of this log, init data begins at 0x{_init_address(size):05x}."
        if size
        else f"The log does not tell the flash size. Init data begins at: {_address_table()}."
    )
    cause = f"The SDK finds no init data where it looks for it: the first byte must be 0x05. {found}. {where}"
    first = () if size else (cure("Find the size of the flash chip.", actions.ask_chip()),)
    cures = (*first, *_init_data_cures(boot, size))
    notes = (
        Remark(
            "The SDK takes the flash size from the image header, not from the chip. If init data was "
            "written and this message stays, the header has another size. See which one it has.",
            (actions.inspect(FileRole.LOW_HALF),),
        ),
        Remark(
            "NodeMCU 3.0 and later keeps init data elsewhere (0x0f000, early builds 0x0c000) and writes "
            "it itself; there, writing 0x10000.bin again makes it do so."
        ),
    )
    return LogOutcome(Verdict.INIT_DATA, "The SDK stops: its init data is missing.", cause, cures, notes)


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


def _init_data_cures(boot: Boot, size: FlashSize | None) -> tuple[Cure, ...]:
    """How init data gets to its place; firmware with a boot loader has no image of a whole flash here."""
    address = _init_address(size) if size else Unknown.ADDRESS
    behind = "" if size or boot.rf_cal else ", which is the one in front of it"
    erase = _rf_cal_erased(boot, size)
    also = f", and erase the RF-cal sector{behind}" if erase else ""
    if boot.loader is not None:
        write = actions.flash(PlacedFile(FileRole.INIT_DATA, address))
        text = f"Write the init data that comes with the SDK of the firmware{also}."
        return (cure(text, write, *erase),)
    made = actions.make_flash(size=size.name if size else Unknown.SIZE, init_data="v05")
    whole = cure(
        "Write the whole flash, with init data in its place; this replaces the files on the chip. In "
        "the folder of 0x00000.bin and 0x10000.bin:",
        made,
        actions.flash(FileRole.WHOLE_FLASH),
    )
    if not erase:
        return (whole,)
    parts = (
        actions.split(FileRole.WHOLE_FLASH, FileRole.FLASH_PARTS),
        actions.flash(PlacedFile(FileRole.INIT_DATA_PART, address)),
    )
    text = f"To keep the files on the chip, write only the init data of that image{also}."
    return (whole, cure(text, made, *parts, *erase))


def _rf_cal_erased(boot: Boot, size: FlashSize | None) -> tuple[Action, ...]:
    """The RF-cal sector, to be erased; none where the init data of some flash size lies in it.

    To erase that one would undo the cure.
    """
    at: int | Unknown = Unknown.RF_CAL_ADDRESS
    if boot.rf_cal is not None:
        at = boot.rf_cal.sector * SECTOR
        if any(at == _init_address(row) for row in FLASH_SIZES):
            return ()
    elif size is not None:
        at = size.bytes - _RF_CAL_FROM_END * SECTOR
    return (actions.erase(Stretch(at, SECTOR)),)


def _header_size(boot: Boot) -> FlashSize | None:
    """The flash size of the header: as the boot loader says, or else as the RF-cal sector implies."""
    name = boot.loader.flash_size if boot.loader else None
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
    if found is None or boot.has("sdk-version"):  # some firmware goes on
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
