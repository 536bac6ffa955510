"""NodeMCU's partition table as a layout: what its first boot makes of it, and which regions it names.

Not the record page that holds it: imgtool/formats/regions/nodemcu_page.py.  The rules and where they are
known from: docs/flash-layouts.md.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from imgtool.chip import IROM_PLACE, SECTOR
from imgtool.errors import PartitionError
from imgtool.formats.reading import PartKind
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.regions.nodemcu_page import Entry, PartitionTable
from imgtool.layout.regions import Region, align_up
from imgtool.quantities import in_bytes

__all__ = ["PARTITION_STEP", "SYSTEM_PARAM_SIZE", "lowest_protected", "resolve", "table_regions"]

PARTITION_STEP: Final = 0x2000
"""NodeMCU 3 rounds irom and LFS up to this, and its SPIFFS inwards."""

SYSTEM_PARAM_SIZE: Final = 0x3000
"""Bytes at the end of the flash that its newer tables leave to the SDK."""

_SPIFFS_PREFERRED: Final = 0x10_0000

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
        (r for r in table_regions(table) if r.kind in _PROTECTED and 0 < r.start < IROM_PLACE),
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
    limit = flash_bytes - (SYSTEM_PARAM_SIZE if at_end else 0)
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
        return Entry(entry.type, entry.address, align_up(irom_end - entry.address, PARTITION_STEP))
    if entry.type in (nodemcu_page.LFS0, nodemcu_page.LFS1):
        return Entry(entry.type, entry.address or last, align_up(entry.size, PARTITION_STEP))
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
        raise PartitionError(
            f"partition {entry.name} is not aligned to sectors", partition=entry.name, offset=entry.address
        )
    if entry.address < last:
        raise PartitionError(
            f"partition {entry.name} begins inside the one before it",
            partition=entry.name,
            offset=entry.address,
            expected=f"0x{last:06x} or more",
            found=f"0x{entry.address:06x}",
        )
    if end > flash_bytes:
        raise PartitionError(
            f"partition {entry.name} leaves the flash",
            partition=entry.name,
            offset=entry.address,
            expected=f"its end at or below 0x{flash_bytes:06x}",
            found=f"0x{end:06x}, {in_bytes(end - flash_bytes)} too many",
        )
