"""Rules on what a firmware stops at once it was loaded: init data, flash size, partition table.

Rules on what comes before: :mod:`imgtool.operations.explain.boot_verdicts`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES, SDK_SECTORS, SECTOR
from imgtool.operations.explain.boot_verdicts import INSPECT, Cure, LogOutcome, Verdict

if TYPE_CHECKING:
    from imgtool.chip import FlashSize
    from imgtool.formats.logs.boots import Boot

__all__ = ["init_data", "no_table", "partition_table", "too_small"]

_RF_CAL_FROM_END: Final = next(sector.from_end for sector in SDK_SECTORS if sector.name == "rf-cal")
_INIT_DATA_FROM_END: Final = next(sector.from_end for sector in SDK_SECTORS if sector.name == "init-data")
_ERASED: Final = 0xFF


def init_data(boot: Boot) -> LogOutcome | None:
    """The SDK found no init data."""
    if boot.init_data_byte is None:
        return None
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
    first = () if size else (Cure("Find the size of the flash chip.", ("imgtool id",)),)
    cures = (*first, *_init_data_cures(boot, size))
    notes = (
        (
            "The SDK takes the flash size from the image header, not from the chip; imgtool inspect "
            "0x00000.bin shows it. If init data was written and this message stays, the header has "
            "another size."
        ),
        (
            "NodeMCU 3.0 and later keeps init data elsewhere (0x0f000, early builds 0x0c000) and writes "
            "it itself; there, writing 0x10000.bin again makes it do so."
        ),
    )
    return LogOutcome(Verdict.INIT_DATA, "The SDK stops: its init data is missing.", cause, cures, notes)


def _nodemcu_3(byte: int) -> LogOutcome:
    """NodeMCU 3 has a table that says where init data is; docs/flash-layouts.md."""
    return LogOutcome(
        Verdict.INIT_DATA,
        "The SDK stops: its init data is missing.",
        "This is NodeMCU 3.0 or later. It keeps init data where its partition table says: at 0x0f000, in "
        f"early builds at 0x0c000. The first byte there must be 0x05, and it is 0x{byte:02X}. NodeMCU "
        "writes it at its first boot, notes that at 0x10000, and never does it again.",
        (
            Cure(
                "Make it a first boot again: write the file with the partition table.",
                ("imgtool flash 0x10000.bin",),
            ),
        ),
    )


def _init_data_cures(boot: Boot, size: FlashSize | None) -> tuple[Cure, ...]:
    """How init data gets to its place; firmware with a boot loader has no image of a whole flash here."""
    address = f"0x{_init_address(size):05x}" if size else "ADDRESS"
    rf_cal = _rf_cal_address(boot, size)
    behind = "" if size or boot.rf_cal else ", which is the one in front of it"
    erase = "" if rf_cal is None else f"imgtool erase {rf_cal} 0x1000"
    also = f", and erase the RF-cal sector{behind}" if erase else ""
    if boot.loader is not None:
        write = f"imgtool flash {address} esp_init_data_default_v05.bin"
        text = f"Write the init data that comes with the SDK of the firmware{also}."
        return (Cure(text, (write, erase) if erase else (write,)),)
    made = f"imgtool fullimage --size {size.name if size else 'SIZE'} --init-data v05 -o flash.bin"
    whole = Cure(
        "Write the whole flash, with init data in its place; this replaces the files on the chip. In "
        "the folder of 0x00000.bin and 0x10000.bin:",
        (made, "imgtool flash flash.bin"),
    )
    if not erase:
        return (whole,)
    parts = ("imgtool split flash.bin -o parts", f"imgtool flash {address} parts/{address}.bin")
    text = f"To keep the files on the chip, write only the init data of that image{also}."
    return (whole, Cure(text, (made, *parts, erase)))


def _rf_cal_address(boot: Boot, size: FlashSize | None) -> str | None:
    """The RF-cal sector, for a command; None where the init data of some flash size lies in it.

    To erase that one would undo the cure.
    """
    if boot.rf_cal is None:
        return f"0x{size.bytes - _RF_CAL_FROM_END * SECTOR:05x}" if size else "RF_CAL_ADDRESS"
    at = boot.rf_cal.sector * SECTOR
    return None if any(at == _init_address(row) for row in FLASH_SIZES) else f"0x{at:05x}"


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


def too_small(boot: Boot) -> LogOutcome | None:
    """NodeMCU 3 found a header of less than 1 MB."""
    if not boot.has("too-small"):
        return None
    found = boot.text_of("too-small")
    return LogOutcome(
        Verdict.TOO_SMALL_FLASH,
        "NodeMCU stops: it takes the flash for too small.",
        f"It says '{found}'. NodeMCU 3.0 and later needs 1 MB, and takes the size from the image header. "
        "Either the header is wrong, or the chip is really that small: flash-id tells the size of the "
        "chip.",
        (
            Cure("Ask the chip for its size.", ("imgtool id",)),
            Cure(
                "If it has 1 MB or more: put that size into the header.",
                (
                    "imgtool fullimage --size SIZE 0x00000.bin 0x10000.bin -o flash.bin",
                    "imgtool flash flash.bin",
                ),
            ),
            Cure(
                "If it has 512 KB: take NodeMCU 2.2 or earlier; imgtool inspect shows the version.",
                (INSPECT,),
            ),
        ),
    )


def partition_table(boot: Boot) -> LogOutcome | None:
    """The firmware found a partition table that does not fit."""
    kinds = ("invalid-table", "alignment", "table-too-large", "table-failed", "mismatch")
    if not boot.has(*kinds):
        return None
    found = next(message.text for message in boot.messages if message.kind in kinds)
    again = Cure(
        "Find the size of the chip, and make an image whose header says it.",
        (
            "imgtool id",
            "imgtool fullimage --size SIZE 0x00000.bin 0x10000.bin -o flash.bin",
            "imgtool flash flash.bin",
        ),
    )
    mismatch = re.search(r"map\s{0,2}(\d+).*?(\d+)$", boot.text_of("mismatch"))
    if mismatch:
        built, header = (_size_name(int(number)) for number in mismatch.groups())
        cause = (
            f"It says '{boot.text_of('mismatch')}': the firmware was built for the map of {built}, and "
            f"the header has that of {header}."
        )
        cures = (
            Cure("See which size the header has.", (INSPECT,)),
            Cure(
                "Write the file at 0 again with the size that the firmware was built for, if the chip has "
                "it.",
                (f"imgtool flash -fs {built} FILE",),
            ),
        )
    elif boot.has("alignment"):
        cause = (
            f"It says '{found}': an entry of NodeMCU's table lies outside the flash, overlaps another or "
            "does not begin at a sector. Mostly the header has a smaller size than the table was made "
            "for."
        )
        cures = (Cure("See table and header.", ("imgtool inspect 0x00000.bin 0x10000.bin",)), again)
    else:
        cause = (
            f"It says '{found}': the table of the firmware does not fit the flash size in the image "
            "header. Either the header has a smaller size than the chip, or the firmware is for a larger "
            "chip."
        )
        cures = (Cure("See which size the header has.", ("imgtool inspect 0x00000.bin",)), again)
    return LogOutcome(Verdict.PARTITION_TABLE, "The firmware stops at its partition table.", cause, cures)


def no_table(boot: Boot) -> LogOutcome | None:
    """The boot loader of the RTOS SDK found no partition table, or nothing that it can start."""
    if boot.has("no-bootable"):
        return LogOutcome(
            Verdict.NO_IMAGE,
            "The boot loader of the RTOS SDK finds no application that it can start.",
            f"It says '{boot.text_of('no-bootable')}'. The partition table is there. Where it has an "
            "application, none was written, or it is damaged, or it is for another address.",
            (
                Cure(
                    "See where the table has applications, and write one there.",
                    (
                        "imgtool read 0x8000 0x1000 -o table.bin",
                        "imgtool inspect table.bin",
                        "imgtool flash ADDRESS APPLICATION.bin",
                    ),
                ),
            ),
        )
    if not boot.has("no-table"):
        return None
    return LogOutcome(
        Verdict.PARTITION_TABLE,
        "The boot loader of the RTOS SDK finds no partition table.",
        f"It says '{boot.text_of('no-table')}'. The table is a file of its own, mostly for 0x8000, made "
        "by the build: it was not written, or to another address than the boot loader was built for.",
        (
            Cure("Write it where the build says.", ("imgtool flash 0x8000 partitions.bin",)),
            Cure(
                "See what stands there.",
                ("imgtool read 0x8000 0x1000 -o table.bin", "imgtool inspect table.bin"),
            ),
        ),
    )


def _size_name(code: int) -> str:
    return next((size.name for size in FLASH_SIZES if size.code == code), f"number {code}")
