"""NodeMCU's partition table changed: place and size of LFS and SPIFFS.

A table that a first boot has not resolved stays unresolved, so that irom's end stays in it; it is checked as
the first boot would resolve it.  Not the contents of the partitions: steps.py puts those in.

Rules: docs/formats/nodemcu-record-page.md, after platform.c and user_main.c of
https://github.com/nodemcu/nodemcu-firmware
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES, IROM_PLACE, IROM_WINDOW, SECTOR
from imgtool.errors import FormatError, LayoutError
from imgtool.formats import fill
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import Finding, PartKind, Severity
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.regions.nodemcu_page import LFS0, SPIFFS0, SYSTEM_PARAM, TAKE_REST, Entry, PartitionTable
from imgtool.layout.nodemcu import PARTITION_STEP, SYSTEM_PARAM_SIZE, resolve
from imgtool.layout.regions import align_up
from imgtool.operations.patch.edits import Edit
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from imgtool.formats.regions.nodemcu_page import RecordPage
    from imgtool.operations.inspect.describe import Description

__all__ = ["REST", "TableChange", "TablePatch", "check_table", "patch_table"]

REST: Final = TAKE_REST
"""Size of a SPIFFS partition that takes what is left."""

_RECORD_HEADER, _ENTRY_SIZE = 4, 12
_FIELDS: Final = (("address", 4), ("size", 8))


@dataclass(frozen=True, slots=True)
class TableChange:
    """Which entries of a NodeMCU partition table to change, in bytes; None keeps a value.

    Attributes:
        lfs_address: Where LFS begins.
        lfs_size: Its size; 0 takes the partition out.
        spiffs_address: Where SPIFFS begins.
        spiffs_size: Its size; 0xFFFFFFFF for what is left.
    """

    lfs_address: int | None = None
    lfs_size: int | None = None
    spiffs_address: int | None = None
    spiffs_size: int | None = None

    @property
    def any(self) -> bool:
        """Whether it changes anything."""
        return self != TableChange()


@dataclass(frozen=True, slots=True)
class TablePatch:
    """The edits of a table, and what is to be said of them."""

    edits: tuple[Edit, ...] = ()
    findings: tuple[Finding, ...] = ()


def patch_table(data: bytes, description: Description, change: TableChange) -> TablePatch:
    """The edits that change the partition table of an image, a dump, or a record page alone.

    Raises:
        FormatError: It holds no NodeMCU partition table.
        LayoutError: The firmware would not start with the table that is asked for.
    """
    offset, page, table = _table_in(data, description)
    header = description.header
    flash = None if header is None or header.flash_size is None else header.flash_size.bytes
    if table.resolved:
        flash = _flash_of(table, flash)
        changed = _of_resolved(table, change, flash)
    else:
        changed = _of_fresh(table, change, flash)
        _check_floor(changed, change.spiffs_address)
    lfs = changed.find(LFS0)
    if change.lfs_address and (lfs is None or lfs.size == 0):
        raise LayoutError("LFS has no size, so it has no place", expected="a size too")
    findings: list[Finding] = []
    if flash is None:
        message = "no image header says how large the flash is: the table was not checked against its end"
        findings.append(Finding(Severity.NOTE, "table-unchecked", message, offset))
    before = resolve(table, flash, 0).entries if flash and not table.resolved else table.entries
    after = resolve(changed, flash, 0).entries if flash else changed.entries
    _check(after)
    findings += _left_behind(data, before, after)
    if not table.resolved and flash is not None:
        findings.append(_prediction(after, offset))
    return TablePatch(_edits(data, offset, page, table, changed), tuple(findings))


def check_table(data: bytes, before: Description, after: Description) -> None:
    """Make sure that a NodeMCU partition table that changed is still one with which the firmware starts.

    Raises:
        FormatError: There was one, and now there is none.
        LayoutError: The first boot would stop at it, or at the flash size that the header states now.
    """
    had, has = _stated(before), _stated(after)
    if had is None or had == has:
        return
    _, _, table = _table_in(data, after)
    flash = None if after.header is None or after.header.flash_size is None else after.header.flash_size.bytes
    if flash is not None:
        _check(resolve(table, flash, 0).entries)


def _stated(description: Description) -> tuple[PartitionTable, str | None] | None:
    """The partition table and the flash size that it is for; None without a table."""
    size = None if description.header is None else description.header.size
    values = (part.value for part in description.parts)
    return next(((found, size) for found in values if isinstance(found, PartitionTable)), None)


def _table_in(data: bytes, description: Description) -> tuple[int, RecordPage, PartitionTable]:
    for part in description.parts:
        page = None if part.kind is not PartKind.PARTITION_TABLE else nodemcu_page.page_at(data, part.offset)
        if page is not None and page.table is not None:
            return part.offset, page, page.table
    raise FormatError(
        "it holds no NodeMCU partition table",
        expected="NodeMCU 3.0 or later, whose record page stands at 0x10000",
        found=KINDS[description.kind].words,
    )


def _flash_of(table: PartitionTable, stated: int | None) -> int | None:
    """Bytes of the flash: by the header, else by the system parameters, which are its last sectors."""
    system = table.find(SYSTEM_PARAM)
    if stated is not None or system is None or system.address < IROM_WINDOW - SYSTEM_PARAM_SIZE:
        return stated
    return system.address + system.size


def _of_fresh(table: PartitionTable, change: TableChange, flash: int | None) -> PartitionTable:
    """An unresolved table with other values; what they leave open is left to the first boot."""
    entries = []
    for entry in table.entries:
        if entry.type == LFS0:
            size = entry.size if change.lfs_size is None else align_up(change.lfs_size, PARTITION_STEP)
            entries.append(Entry(LFS0, _or(change.lfs_address, entry.address), size))
        elif entry.type == SPIFFS0:
            address = _or(change.spiffs_address, entry.address)
            size = _or(change.spiffs_size, entry.size)
            if size == REST and address:
                # The firmware would count it from the end of the partition before, and leave the flash.
                size = _left(_limit(table, flash), address)
            entries.append(Entry(SPIFFS0, address, size))
        else:
            entries.append(entry)
    return PartitionTable(tuple(entries))


def _check_floor(table: PartitionTable, wanted: int | None) -> None:
    """Refuse a place for SPIFFS before the end of LFS: the first boot would put it elsewhere in silence."""
    before = PartitionTable(tuple(entry for entry in table.entries if entry.type != SPIFFS0))
    ends = [
        (entry.address + entry.size, entry.name)
        for entry in resolve(before, FLASH_SIZES[-1].bytes, 0).entries
        if entry.type in (nodemcu_page.IROM, LFS0)
    ]
    end, name = max(ends, default=(0, ""))
    if wanted and wanted < end:  # 0 leaves it to the first boot
        raise LayoutError(
            f"partition {nodemcu_page.TYPES[SPIFFS0]} begins inside {name}",
            offset=wanted,
            expected=f"0x{end:06x} or more",
            found=f"0x{wanted:06x}",
        )


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _left(end: int, address: int) -> int:
    """Bytes of SPIFFS from its address to where it ends."""
    if address >= end:
        raise LayoutError(
            "nothing is left for SPIFFS",
            offset=address,
            expected=f"its beginning below 0x{end:06x}",
            found=f"0x{address:06x}",
        )
    return end - address


def _limit(table: PartitionTable, flash: int | None) -> int:
    """Where SPIFFS ends at the latest: before the system parameters at the end, or with the flash."""
    if flash is None:
        raise LayoutError(
            "no image header says how large the flash is, so what is left of it is not known",
            expected="a size in bytes",
            found="the rest",
        )
    system = table.find(SYSTEM_PARAM)
    if system is not None and system.address > IROM_PLACE:
        return min(system.address, flash)  # a first boot has put them there, and they stay
    return flash - (SYSTEM_PARAM_SIZE if system is not None and system.address == 0 else 0)


def _of_resolved(table: PartitionTable, change: TableChange, flash: int | None) -> PartitionTable:
    """A resolved table with other values; SPIFFS makes room for an LFS that grows, its end stays."""
    code = table.find(nodemcu_page.IROM)
    behind_code = 0 if code is None else code.address + code.size
    lfs = table.find(LFS0) or Entry(LFS0, behind_code, 0)
    size = lfs.size if change.lfs_size is None else align_up(change.lfs_size, PARTITION_STEP)
    lfs = Entry(LFS0, _or(change.lfs_address, lfs.address), size)
    spiffs = table.find(SPIFFS0)
    if spiffs is None and (change.spiffs_size is not None or change.spiffs_address is not None):
        spiffs = Entry(SPIFFS0, max(behind_code, lfs.address + lfs.size), 0)
    if spiffs is not None:
        spiffs = _spiffs(spiffs, change, lfs, lambda: _limit(table, flash))
    others = [entry for entry in table.entries if entry.type not in (LFS0, SPIFFS0)]
    entries = [*others, *(entry for entry in (lfs, spiffs) if entry is not None and entry.size)]
    return PartitionTable(tuple(sorted(entries, key=lambda entry: entry.address)))


def _spiffs(spiffs: Entry, change: TableChange, lfs: Entry, limit: Callable[[], int]) -> Entry:
    address = spiffs.address
    if change.spiffs_address is not None:
        address = change.spiffs_address
    elif lfs.size and lfs.address < spiffs.address + spiffs.size and address < lfs.address + lfs.size:
        address = lfs.address + lfs.size
    if change.spiffs_size is None:
        size = _left(spiffs.address + spiffs.size, address)
    else:
        size = _left(limit(), address) if change.spiffs_size == REST else change.spiffs_size
    return Entry(SPIFFS0, address, size)


def _check(entries: tuple[Entry, ...]) -> None:
    """What :func:`imgtool.layout.nodemcu.resolve` does not refuse, as the first boot does not."""
    for entry in entries:
        if entry.type == LFS0 and entry.address + entry.size > IROM_WINDOW:
            over = entry.address + entry.size - IROM_WINDOW
            raise LayoutError(
                "LFS runs from flash and leaves the part of it that the cache shows",
                offset=entry.address,
                expected=f"its end at or below 0x{IROM_WINDOW:06x}",
                found=f"0x{entry.address + entry.size:06x}, {in_bytes(over)} too many",
            )
        loose = entry.address % SECTOR or (entry.size % SECTOR and entry.size != REST)
        if entry.type in (LFS0, SPIFFS0) and loose:
            raise LayoutError(
                f"partition {entry.name} is not aligned to sectors",
                offset=entry.address,
                expected="multiples of 0x1000",
                found=f"address 0x{entry.address:06x}, size 0x{entry.size:x}",
            )
    placed = [entry for entry in entries if entry.size and entry.size != REST]
    for one, two in pairwise(sorted(placed, key=lambda entry: entry.address)):
        if two.type in (LFS0, SPIFFS0) and two.address and one.address + one.size > two.address:
            raise LayoutError(
                f"partition {two.name} begins inside {one.name}",
                offset=two.address,
                expected=f"0x{one.address + one.size:06x} or more",
                found=f"0x{two.address:06x}",
            )


def _left_behind(data: bytes, before: tuple[Entry, ...], after: tuple[Entry, ...]) -> list[Finding]:
    """What stands in a partition and is lost to the firmware where that goes elsewhere."""
    findings = []
    for entry in before:
        now = next((each for each in after if each.type == entry.type), replace(entry, size=0))
        stop = min(entry.address + entry.size, len(data))
        used = entry.address < stop and not fill.is_fill(data, entry.address, stop)
        if not used or (now.address, now.size) == (entry.address, entry.size):
            continue
        if entry.type == SPIFFS0:
            message = (
                f"the partition of the file system at 0x{entry.address:06x} changed: the next boot formats"
            )
            findings.append(Finding(Severity.WARNING, "filesystem-formatted", message, entry.address))
        elif entry.type == LFS0 and (now.address != entry.address or now.size == 0):
            message = f"the LFS image at 0x{entry.address:06x} stays behind: LFS is to be loaded anew"
            findings.append(Finding(Severity.WARNING, "lfs-lost", message, entry.address))
    return findings


def _prediction(after: tuple[Entry, ...], offset: int) -> Finding:
    words = [
        f"{entry.name} 0x{entry.address:06x} + 0x{entry.size:x}"
        for entry in after
        if entry.type in (LFS0, SPIFFS0)
    ]
    message = "the first boot makes of it: " + (", ".join(words) or "neither LFS nor SPIFFS")
    return Finding(Severity.NOTE, "table-resolved", message, offset)


def _edits(
    data: bytes, offset: int, page: RecordPage, old: PartitionTable, new: PartitionTable
) -> tuple[Edit, ...]:
    record = next(record for record in page.records if record.id == nodemcu_page.TABLE)
    rows = offset + record.offset + _RECORD_HEADER
    if [entry.type for entry in old.entries] == [entry.type for entry in new.entries]:
        return tuple(
            Edit(place + at, word.to_bytes(4, "little"), f"{after.name} {name}", f"0x{was:x}", f"0x{word:x}")
            for index, (before, after) in enumerate(zip(old.entries, new.entries, strict=True))
            for place in (rows + index * _ENTRY_SIZE,)
            for name, at in _FIELDS
            if (was := getattr(before, name)) != (word := getattr(after, name))
        )
    whole = page.with_table(new).build()
    room = min(len(whole), len(data) - offset)
    was, now = (f"{len(table.entries)} partitions" for table in (old, new))
    rebuilt = Edit(offset, whole[:room], "record page, rebuilt", was, now, follows=True)
    return (*_entry_edits(rows, old, new), rebuilt)


def _entry_edits(rows: int, old: PartitionTable, new: PartitionTable) -> list[Edit]:
    """The entries that come, go or change, without bytes: the page is rebuilt."""
    edits = []
    for kind in (LFS0, SPIFFS0):
        before, after = old.find(kind), new.find(kind)
        for name, _ in _FIELDS:
            was = "none" if before is None else f"0x{getattr(before, name):x}"
            now = "none" if after is None else f"0x{getattr(after, name):x}"
            if was != now:
                edits.append(Edit(rows, b"", f"{nodemcu_page.TYPES[kind]} {name}", was, now))
    return edits
