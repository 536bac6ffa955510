"""NodeMCU >= 3.0's record page, the 4 KiB at flash 0x10000, and the partition table in it.

Records are a header word (payload length in words, id) and a payload; the newest partition table counts.
Not the RTOS SDK's partition table at 0x8000, which has another format.

Source: platform.c and user_main.c of https://github.com/nodemcu/nodemcu-firmware (tags 3.0-master_20190907
and later), confirmed on two real images; see docs/formats/nodemcu-record-page.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from construct import Array, Int8ul, Int16ul, Int32ul, Struct

from imgtool.chip import IROM_BASE
from imgtool.errors import FormatError
from imgtool.formats import fill
from imgtool.formats.reading import Fact, Part, PartKind
from imgtool.formats.wire import parse_at

__all__ = ["PAGE_SIZE", "TYPES", "Entry", "PartitionTable", "Record", "RecordPage", "part_at"]

PAGE_SIZE: Final = 0x1000

_RECORD = Struct(
    "words" / Int8ul,  # payload length
    "id" / Int8ul,
    "zero" / Int16ul,
)
_ENTRY = Struct(
    "type" / Int32ul,
    "address" / Int32ul,
    "size" / Int32ul,
)
_MOST_WORDS: Final = 64
_FREE: Final = b"\xff\xff\xff\xff"

DELETED, TABLE, PHY_DATA_DONE, REFLASH, LFS_PENDING, START_COMMAND, START_OPTION = range(7)

END_MARKER: Final = 0
RF_CAL, INIT_DATA, SYSTEM_PARAM = 4, 5, 6
EAGLEROM, IROM, LFS0, LFS1, TLS_CERT, SPIFFS0, SPIFFS1 = range(101, 108)

TYPES: Final = {
    END_MARKER: "end of irom",
    1: "boot loader",
    2: "OTA 1",
    3: "OTA 2",
    RF_CAL: "RF cal",
    INIT_DATA: "init data",
    SYSTEM_PARAM: "system parameters",
    EAGLEROM: "EAGLEROM",
    IROM: "irom",
    LFS0: "LFS0",
    LFS1: "LFS1",
    TLS_CERT: "TLS certificate",
    SPIFFS0: "SPIFFS0",
    SPIFFS1: "SPIFFS1",
}

TAKE_REST: Final = 0xFFFF_FFFF
"""Size of a SPIFFS partition that is to fill what is left of the flash."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A partition: type code, flash address, size in bytes."""

    type: int
    address: int
    size: int

    @property
    def name(self) -> str:
        """The type in words."""
        return TYPES.get(self.type, f"type {self.type}")


@dataclass(frozen=True, slots=True)
class PartitionTable:
    """The entries in flash order.

    A fresh image's table is unresolved: it ends in a marker with the end of irom, and leaves addresses and
    sizes to the first boot.
    """

    entries: tuple[Entry, ...]

    @property
    def resolved(self) -> bool:
        """Whether a first boot has fixed the addresses."""
        return all(entry.type != END_MARKER for entry in self.entries)

    @property
    def irom_end(self) -> int | None:
        """The page-aligned flash offset behind irom by an unresolved table; None for a resolved one."""
        marker = self.find(END_MARKER)
        return None if marker is None or marker.address < IROM_BASE else marker.address - IROM_BASE

    def find(self, kind: int) -> Entry | None:
        """The first entry of that type."""
        return next((entry for entry in self.entries if entry.type == kind), None)


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its offset in the page, id and payload."""

    offset: int
    id: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class RecordPage:
    """The records of a page in order."""

    records: tuple[Record, ...]

    @classmethod
    def parse(cls, data: bytes, offset: int = 0) -> RecordPage:
        """Read the page at ``offset``.

        Raises:
            FormatError: Cut short, or no chain of records that ends in free space.
        """
        end = offset + PAGE_SIZE
        records: list[Record] = []
        position = offset
        while position + _RECORD.sizeof() <= end and data[position : position + 4] != _FREE:
            fields = parse_at(_RECORD, data, position, "record header")
            if fields.zero or fields.words > _MOST_WORDS or fields.id > START_OPTION:
                raise FormatError("no record header", offset=position)
            start = position + _RECORD.sizeof()
            size = 4 * fields.words
            if start + size > min(end, len(data)):
                raise FormatError("the record is cut short", offset=position)
            records.append(Record(position - offset, fields.id, data[start : start + size]))
            position = start + size
        return cls(tuple(records))

    @property
    def table(self) -> PartitionTable | None:
        """The partition table in force, None where there is none."""
        return next((_table(record) for record in self.records if record.id == TABLE), None)

    def compacted(self) -> RecordPage:
        """The records in force: without those that were deleted, and of tables only the first."""
        kept: list[Record] = []
        for record in self.records:
            second = record.id == TABLE and any(each.id == TABLE for each in kept)
            if record.id != DELETED and not second:
                kept.append(record)
        return RecordPage(tuple(kept))

    def with_table(self, table: PartitionTable) -> RecordPage:
        """The records in force with another table in the place of the one that there is."""
        payload = table_payload(table)
        records = self.compacted().records
        return RecordPage(tuple(replace(r, payload=payload) if r.id == TABLE else r for r in records))

    def build(self) -> bytes:
        """The page as bytes, free space erased.

        Raises:
            FormatError: The records do not fit.
        """
        blocks = [
            _RECORD.build({"words": len(record.payload) // 4, "id": record.id, "zero": 0}) + record.payload
            for record in self.records
        ]
        return fill.padded(b"".join(blocks), PAGE_SIZE, "the records do not fit")


@lru_cache(maxsize=4)
def _table(record: Record) -> PartitionTable:
    count = len(record.payload) // _ENTRY.sizeof()
    fields = Array(count, _ENTRY).parse(record.payload)
    return PartitionTable(tuple(Entry(f.type, f.address, f.size) for f in fields))


def table_payload(table: PartitionTable) -> bytes:
    """The payload of a table record."""
    return b"".join(
        _ENTRY.build({"type": e.type, "address": e.address, "size": e.size}) for e in table.entries
    )


def page_at(data: bytes, offset: int) -> RecordPage | None:
    """The record page at ``offset`` if one is there: a chain of records with a NodeMCU partition table."""
    if data[offset + 2 : offset + 4] != b"\0\0":
        return None
    try:
        page = RecordPage.parse(data, offset)
    except FormatError:
        return None
    table = page.table
    # The table has no magic; a first entry for the 0x00000 image and one for irom make chance all but
    # impossible.
    if table is None or table.find(EAGLEROM) is None or table.find(IROM) is None:
        return None
    return page


def part_at(data: bytes, offset: int, address: int) -> Part | None:
    """The record page at ``offset`` as a part of a file."""
    page = page_at(data, offset)
    table = None if page is None else page.table
    if page is None or table is None:
        return None
    entries: list[Fact] = [
        {"type": entry.type, "name": entry.name, "address": entry.address, "size": entry.size}
        for entry in table.entries
    ]
    state = "resolved" if table.resolved else "unresolved, until its first boot"
    return Part(
        PartKind.PARTITION_TABLE,
        offset,
        min(PAGE_SIZE, len(data) - offset),
        address,
        note=f"NodeMCU record page, table {state}",
        facts={"resolved": table.resolved, "entries": entries},
    )
