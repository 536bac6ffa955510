"""Where things lie in a flash: the layout of each firmware generation, and the rules of fit.

Addresses come from the flash size and the firmware, never from the file that is looked at, except that
NodeMCU 3.0 and later carry a partition table.  Not parsing (imgtool.formats), and not the making of images
(imgtool.operations).  The rules and where they are known from: docs/flash-layouts.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES, SDK_SECTORS, SECTOR
from imgtool.errors import LayoutError
from imgtool.formats.reading import Finding, PartKind, Severity
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.regions.nodemcu_page import Entry, PartitionTable
from imgtool.formats.regions.rtos_partitions import DATA
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from imgtool.chip import FlashSize
    from imgtool.formats.reading import Firmware
    from imgtool.formats.regions.rtos_partitions import RtosPartitionTable

__all__ = [
    "FlashLayout",
    "Region",
    "align_up",
    "arduino_regions",
    "filesystem_places",
    "filesystem_start",
    "keeps_rf_cal",
    "layout_for",
    "lowest_protected",
    "resolve",
    "rtos_regions",
    "sdk_regions",
    "size_findings",
    "size_for",
    "table_regions",
]

_IROM_START: Final = 0x1_0000
_PARTITION_STEP: Final = 0x2000  # NodeMCU 3 rounds irom and LFS up to this
_SPIFFS_PREFERRED: Final = 0x10_0000
_SYSTEM_PARAM_SIZE: Final = 0x3000
_LEAST_NODEMCU_3: Final = 0x10_0000

_TABLE_KINDS: Final = {
    nodemcu_page.RF_CAL: PartKind.RF_CAL,
    nodemcu_page.INIT_DATA: PartKind.INIT_DATA,
    nodemcu_page.SYSTEM_PARAM: PartKind.SYSTEM_PARAM,
    nodemcu_page.LFS0: PartKind.LFS,
    nodemcu_page.LFS1: PartKind.LFS,
    nodemcu_page.SPIFFS0: PartKind.SPIFFS,
    nodemcu_page.SPIFFS1: PartKind.SPIFFS,
    nodemcu_page.TLS_CERT: PartKind.USER_DATA,
}
_PROTECTED: Final = (PartKind.RF_CAL, PartKind.INIT_DATA, PartKind.SYSTEM_PARAM)

# First NodeMCU release with Espressif's numbering of the size nibble (1.5.4.1-20160802).
_SDK_NUMBERING: Final = (1, 5, 4, 1)
# First one that finds its init data for every nibble (2.1.0-20170521).
_ALL_SIZES: Final = (2, 1)
_CODES_OF_NODEMCU_0_9: Final = range(5)  # nibbles that mean the same to every release
_SDK_3: Final = (3,)
_SPIFFS_STEP: Final = 0x2000
_SPIFFS_FAR_STEP: Final = 0x1_0000
_SPIFFS_TRIES: Final = 8
_SEARCH_IN_64K: Final = 700_000  # flash bytes from which NodeMCU looks at 64 KiB steps


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of flash with a use: kind, first address, bytes, and its name in the table or the SDK."""

    kind: PartKind
    start: int
    size: int
    name: str

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class FlashLayout:
    """What is reserved in a flash beside the firmware itself.

    Attributes:
        flash: The flash size.
        regions: In address order.
        rule: What the addresses rest on, in words.
        findings: What is to be said about this firmware on this size.
    """

    flash: FlashSize
    regions: tuple[Region, ...]
    rule: str
    findings: tuple[Finding, ...] = ()

    def find(self, kind: PartKind) -> Region | None:
        """The first region of a kind."""
        return next((region for region in self.regions if region.kind is kind), None)


def align_up(value: int, step: int) -> int:
    """The least multiple of ``step`` that is not below ``value``."""
    return -(-value // step) * step


def sdk_regions(end: int) -> tuple[Region, ...]:
    """The sectors that a non-OS SDK before 3.0 keeps in front of flash address ``end``."""
    return tuple(
        Region(PartKind(sector.name), end - sector.from_end * SECTOR, sector.sectors * SECTOR, sector.name)
        for sector in SDK_SECTORS
    )


def keeps_rf_cal(firmware: Firmware | None) -> bool:
    """Whether a firmware's SDK has a sector for RF calibration; before 1.5.4.1 it is the application's."""
    if firmware is None:
        return True
    release = firmware.release if firmware.name == "NodeMCU" else ()
    stated = release or tuple(
        int(n) for n in re.findall(r"\d+", (firmware.sdk or "").split("(", maxsplit=1)[0])
    )
    return not stated or stated >= _SDK_NUMBERING


def arduino_regions(end: int) -> tuple[Region, ...]:
    """The sectors that the Arduino core keeps in front of flash address ``end``; it compiles init data in."""
    first = end - 5 * SECTOR
    return (
        Region(PartKind.USER_DATA, first, SECTOR, "EEPROM"),
        Region(PartKind.RF_CAL, first + SECTOR, SECTOR, "rf-cal"),
        Region(PartKind.SYSTEM_PARAM, first + 2 * SECTOR, 3 * SECTOR, "system-param"),
    )


def rtos_regions(table: RtosPartitionTable, end: int) -> tuple[Region, ...]:
    """The data partitions of an RTOS SDK table that lie below flash address ``end``, in address order."""
    rows = sorted((row for row in table.partitions if row.type == DATA), key=lambda row: row.offset)
    regions: list[Region] = []
    for row in rows:
        last = regions[-1].end if regions else 0
        if last <= row.offset < end and row.size and row.offset % SECTOR == 0:
            regions.append(Region(PartKind.USER_DATA, row.offset, row.size, row.label))
    return tuple(regions)


def table_regions(table: PartitionTable) -> tuple[Region, ...]:
    """The regions that a resolved NodeMCU partition table names, without the firmware's own."""
    return tuple(
        Region(_TABLE_KINDS[entry.type], entry.address, entry.size, entry.name)
        for entry in sorted(table.entries, key=lambda entry: entry.address)
        if entry.type in _TABLE_KINDS and entry.size
    )


def lowest_protected(table: PartitionTable) -> Region | None:
    """The first region below irom that the table keeps for the SDK: the 0x00000 image must end before it."""
    return next(
        (r for r in table_regions(table) if r.kind in _PROTECTED and 0 < r.start < _IROM_START),
        None,
    )


def resolve(table: PartitionTable, flash_bytes: int, irom_end: int) -> PartitionTable:
    """What the first boot of NodeMCU >= 3.0 makes of its table; a resolved one is only checked.

    Args:
        table: The table in the image.
        flash_bytes: Flash size by the image header: that is what the firmware goes by.
        irom_end: Flash address behind irom, used where the table itself does not state it.

    Raises:
        LayoutError: The first boot would stop at this table: a partition leaves the flash or overlaps
            another.
    """
    if table.resolved:
        for one, entry in pairwise((Entry(nodemcu_page.END_MARKER, 0, 0), *table.entries)):
            _check_entry(entry, one.address + one.size, flash_bytes)
        return table
    if table.irom_end is not None:
        irom_end = table.irom_end
    system = table.find(nodemcu_page.SYSTEM_PARAM)
    at_end = system is not None and system.address == 0
    limit = flash_bytes - (_SYSTEM_PARAM_SIZE if at_end else 0)
    entries: list[Entry] = []
    last = 0
    for entry in table.entries:
        if entry.type == nodemcu_page.END_MARKER:
            continue
        placed = _place(entry, last, limit, irom_end)
        if placed.size == 0:
            continue
        _check_entry(placed, last, flash_bytes)
        entries.append(placed)
        last = placed.address + placed.size
    return PartitionTable(tuple(entries))


def _place(entry: Entry, last: int, limit: int, irom_end: int) -> Entry:
    if entry.type == nodemcu_page.IROM and entry.size == 0:
        return Entry(entry.type, entry.address, align_up(irom_end - entry.address, _PARTITION_STEP))
    if entry.type in (nodemcu_page.LFS0, nodemcu_page.LFS1):
        return Entry(entry.type, entry.address or last, align_up(entry.size, _PARTITION_STEP))
    if entry.type == nodemcu_page.SPIFFS0:
        if entry.size == nodemcu_page.TAKE_REST:
            # Also with an address of its own the size is counted from the end of the entry before.
            return Entry(entry.type, entry.address or last, max(0, limit - last))
        if entry.address < last:
            # Where it overlaps what is already at 1 MB, the first boot stops; so it is not moved elsewhere
            # here.
            fits = _SPIFFS_PREFERRED + entry.size <= limit
            return Entry(entry.type, _SPIFFS_PREFERRED if fits else last, entry.size)
    if entry.type == nodemcu_page.SYSTEM_PARAM and entry.address == 0:
        return Entry(entry.type, limit, entry.size)
    return entry


def _check_entry(entry: Entry, last: int, flash_bytes: int) -> None:
    end = entry.address + entry.size
    if entry.address % SECTOR or entry.size % SECTOR:
        raise LayoutError(f"partition {entry.name} is not aligned to sectors", offset=entry.address)
    if entry.address < last:
        raise LayoutError(
            f"partition {entry.name} begins inside the one before it",
            offset=entry.address,
            expected=f"0x{last:06x} or more",
            found=f"0x{entry.address:06x}",
        )
    if end > flash_bytes:
        raise LayoutError(
            f"partition {entry.name} leaves the flash",
            offset=entry.address,
            expected=f"its end at or below 0x{flash_bytes:06x}",
            found=f"0x{end:06x}, {in_bytes(end - flash_bytes)} too many",
        )


def layout_for(
    flash: FlashSize, firmware: Firmware | None, table: PartitionTable | None, irom_end: int
) -> FlashLayout:
    """The layout of a flash that holds a non-OS SDK firmware.

    Args:
        flash: The size, which the firmware will read from the image header.
        firmware: Which firmware it is; None where its strings do not tell.
        table: Its partition table, for NodeMCU >= 3.0.
        irom_end: Flash address behind its irom part.

    Raises:
        LayoutError: The firmware cannot work on this size, or imgtool knows no layout for it.
    """
    name = "the firmware" if firmware is None else f"{firmware.name} {firmware.version or ''}".strip()
    if flash.name == "256KB":
        raise LayoutError(
            "a 256KB flash has no room for the SDK's own sectors, and no SDK defines a place for them",
            expected="512KB or more",
            found=flash.name,
        )
    if table is not None:
        if flash.bytes < _LEAST_NODEMCU_3:
            raise LayoutError(
                f"{name} does not start on this flash: NodeMCU 3.0 and later need 1MB",
                expected="1MB or more",
                found=flash.name,
            )
        regions = table_regions(resolve(table, flash.bytes, irom_end))
        state = "partition table" if table.resolved else "partition table as its first boot will resolve it"
        return FlashLayout(flash, regions, f"NodeMCU's {state}")
    release = () if firmware is None else firmware.release
    if firmware is not None and firmware.name == "NodeMCU":
        if release >= _SDK_3:
            raise LayoutError(
                f"{name} should carry a partition table at 0x10000, and there is none", offset=0x10000
            )
        if release and release < _SDK_NUMBERING and flash.code not in _CODES_OF_NODEMCU_0_9:
            raise LayoutError(
                f"{name} numbers the flash sizes in a way of its own and would take {flash.name} for another",
                expected="512KB, 1MB, 2MB or 4MB",
                found=flash.name,
            )
    rule = "the last five sectors, as every non-OS SDK before 3.0 has it"
    return FlashLayout(flash, sdk_regions(flash.bytes), rule, size_findings(flash, firmware))


def size_for(
    capacity: int,
    stated: FlashSize | None,
    firmware: Firmware | None,
    table: PartitionTable | None = None,
) -> FlashSize | None:
    """The flash size that a firmware is to be told on a chip: the largest that fits and that it understands.

    A map with OTA slots of 1 MB (``-c1``) stays one with such slots.

    Args:
        capacity: Bytes of the chip's flash.
        stated: What its header states; None where that has no meaning.
        firmware: Which firmware it is.
        table: Its partition table, for NodeMCU >= 3.0.

    Returns:
        None where no size will do.
    """
    large_slots = stated is not None and stated.name.endswith("-c1")
    least = 0 if table is None else _LEAST_NODEMCU_3
    understood: tuple[FlashSize, ...] = FLASH_SIZES
    if firmware is not None and firmware.name == "NodeMCU" and firmware.release and table is None:
        # 0.9.x has a numbering of its own; up to 2.0 init data is looked for in the wrong place.
        old = firmware.release < _ALL_SIZES
        understood = tuple(s for s in FLASH_SIZES if not old or s.code in _CODES_OF_NODEMCU_0_9)
    fitting = [
        size
        for size in understood
        if least <= size.bytes <= capacity
        and (size.ota_slot == stated.ota_slot if large_slots and stated else not size.name.endswith("-c1"))
    ]
    return max(fitting, key=lambda size: size.bytes, default=None)


def size_findings(flash: FlashSize, firmware: Firmware | None) -> tuple[Finding, ...]:
    """What is uncertain about a firmware on a flash size."""
    if firmware is None:
        return ()
    release = firmware.release
    if (
        firmware.name == "NodeMCU"
        and _SDK_NUMBERING <= release < _ALL_SIZES
        and flash.code not in _CODES_OF_NODEMCU_0_9
    ):
        message = (
            f"NodeMCU {firmware.version} looks for its init data in the wrong place on {flash.name}; "
            "2.1.0 is the first that does not"
        )
        return (Finding(Severity.WARNING, "old-nodemcu-size", message),)
    if (firmware.sdk or "").startswith("3.") and firmware.name != "NodeMCU":
        message = (
            "an SDK 3 firmware sets the places of its sectors in its own code; "
            "these are the ones of Espressif's examples"
        )
        return (Finding(Severity.WARNING, "sdk-3-layout", message),)
    return ()


def filesystem_start(layout: FlashLayout, firmware: Firmware | None, firmware_end: int) -> int | None:
    """Where a NodeMCU before 3.0 looks first for its file system; None where that is not known.

    Args:
        layout: The flash.
        firmware: Which firmware.
        firmware_end: Flash address behind irom, rounded up to a sector.
    """
    if firmware is None or firmware.name != "NodeMCU" or not firmware.release:
        return None
    if firmware.release < (1,):
        return (firmware_end + 0x3000) // 0x4000 * 0x4000
    if firmware.release < _SDK_NUMBERING:
        return align_up(firmware_end, 0x4000)
    small = layout.flash.bytes < _SEARCH_IN_64K
    return align_up(firmware_end, 0x2000 if small else 0x1_0000)


def filesystem_places(layout: FlashLayout, firmware: Firmware | None, firmware_end: int) -> tuple[int, ...]:
    """Where a NodeMCU before 3.0 looks for a file system, in this order; empty where that is not known.

    Args:
        layout: The flash.
        firmware: Which firmware.
        firmware_end: Flash address behind irom, rounded up to a sector.
    """
    first = filesystem_start(layout, firmware, firmware_end)
    if first is None:
        return ()
    if firmware is None or firmware.release < _SDK_NUMBERING:
        return (first,)
    end = layout.flash.bytes
    near = align_up(firmware_end, _SPIFFS_STEP)
    far = range(_SPIFFS_TRIES if end >= _SEARCH_IN_64K else 0)
    places = [first + step * _SPIFFS_FAR_STEP for step in far]
    places += [near + step * _SPIFFS_STEP for step in range(_SPIFFS_TRIES)]
    return tuple(dict.fromkeys(place for place in places if place < end))
