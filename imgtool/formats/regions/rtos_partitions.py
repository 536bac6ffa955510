"""Partition table of Espressif's RTOS SDK 3, for flash offset 0x8000: rows of 32 bytes, and an MD5 of them.

The same format as the ESP32's.  Not NodeMCU's table at 0x10000 (nodemcu_page.py), which has records instead.

Source: gen_esp32part.py and esp_flash_partitions.h in https://github.com/espressif/ESP8266_RTOS_SDK; see
docs/formats/rtos-partitions.md.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from construct import Bytes, Const, Int8ul, Int32ul, Struct

from imgtool.chip import RTOS_TABLE_PLACE, SECTOR
from imgtool.errors import FormatError
from imgtool.formats import fill
from imgtool.formats.reading import (
    Checksum,
    Cover,
    FileKind,
    Finding,
    Part,
    PartKind,
    Reading,
    Severity,
)
from imgtool.formats.wire import built, parse_at

__all__ = [
    "SIZE",
    "Partition",
    "RtosPartitionTable",
    "inside",
    "part_at",
    "place_in",
    "read",
    "table_at",
]

SIZE: Final = 0xC00
"""Bytes that the SDK's tools write, erased behind the last row."""


MAGIC: Final = b"\xaa\x50"
"""What each row of a table begins with."""

MD5_MAGIC: Final = b"\xeb\xeb"
"""What the row with the MD5 begins with."""

_LABEL: Final = 16
_ROW = Struct(
    "magic" / Const(MAGIC),
    "type" / Int8ul,
    "subtype" / Int8ul,
    "offset" / Int32ul,
    "size" / Int32ul,
    "label" / Bytes(_LABEL),
    "flags" / Int32ul,
)
_MD5_ROW = Struct(
    "magic" / Const(MD5_MAGIC),
    "fill" / Bytes(14),
    "md5" / Bytes(16),
)
_MD5_FILL: Final = b"\xff" * 14
ROW_SIZE: Final = _ROW.sizeof()
"""Bytes of a row."""

APP, DATA = 0, 1
_OTA_FIRST, _OTA_END, _TEST = 0x10, 0x20, 0x20
SPIFFS: Final = 0x82
"""Subtype of the data that is a SPIFFS."""
_SUBTYPES: Final = {
    (APP, 0x00): "factory",
    (APP, _TEST): "test",
    (DATA, 0x00): "ota",
    (DATA, 0x01): "phy",
    (DATA, 0x02): "nvs",
    (DATA, 0x03): "coredump",
    (DATA, 0x04): "nvs_keys",
    (DATA, 0x81): "fat",
    (DATA, SPIFFS): "spiffs",
}
_TYPES: Final = {APP: "app", DATA: "data"}


@dataclass(frozen=True, slots=True)
class Partition:
    """One row.

    Attributes:
        type: 0 application, 1 data, from 0x40 on the project's own.
        subtype: Which kind of it.
        offset: Flash offset.
        size: Bytes.
        label: Its name.
        flags: Bit 0: encrypted.
    """

    type: int
    subtype: int
    offset: int
    size: int
    label: str
    flags: int = 0

    @property
    def kind(self) -> str:
        """Type and subtype in words."""
        kind = _TYPES.get(self.type, f"0x{self.type:02x}")
        if self.is_ota:
            return f"{kind}, ota_{self.subtype - _OTA_FIRST}"
        return f"{kind}, " + _SUBTYPES.get((self.type, self.subtype), f"0x{self.subtype:02x}")

    @property
    def slot(self) -> int | None:
        """Its number among the slots for updates; None for another partition."""
        return self.subtype - _OTA_FIRST if self.is_ota else None

    @property
    def end(self) -> int:
        """The flash offset behind it."""
        return self.offset + self.size

    @property
    def is_ota(self) -> bool:
        """Whether it is one of the slots for updates."""
        return self.type == APP and _OTA_FIRST <= self.subtype < _OTA_END

    def build(self) -> bytes:
        """The row as bytes.

        Raises:
            FormatError: A number or a name that its field cannot hold.
        """
        label = self.label.encode() if self.label.isprintable() else b""
        fields = {
            "type": self.type,
            "subtype": self.subtype,
            "offset": self.offset,
            "size": self.size,
            "label": label.ljust(_LABEL, b"\0"),
            "flags": self.flags,
        }
        if len(label) > _LABEL or label.decode() != self.label:
            expected = f"at most {_LABEL} bytes of readable text"
            raise FormatError("no name of a partition", expected=expected, found=repr(self.label))
        return built(_ROW, fields, "row")


@dataclass(frozen=True, slots=True)
class RtosPartitionTable:
    """The rows in file order.

    Attributes:
        partitions: The rows.
        stored_md5: Digest of the rows as the table has it; None for tables without one.
    """

    partitions: tuple[Partition, ...]
    stored_md5: bytes | None = None

    @classmethod
    def parse(cls, data: bytes, offset: int = 0) -> RtosPartitionTable:
        """Read the table at ``offset``; its digest is read, not judged.

        Raises:
            FormatError: A row that is neither partition, digest nor erased, or a table without an end.
        """
        rows: list[Partition] = []
        digest = None
        position = offset
        stop = min(len(data), offset + SIZE)
        while position + ROW_SIZE <= stop:
            row = data[position : position + ROW_SIZE]
            if fill.is_fill(row, 0, ROW_SIZE):
                return cls(tuple(rows), digest)
            if row[:1] == b"\xeb" and digest is None:
                digest = _digest(data, position)
            elif digest is not None:
                raise FormatError(
                    "a row stands behind the MD5 row",
                    offset=position,
                    expected="erased flash",
                    found=row[:2].hex(" "),
                )
            else:
                rows.append(_partition(data, position, len(rows)))
            position += ROW_SIZE
        if position == offset + SIZE:
            return cls(tuple(rows), digest)
        raise FormatError(
            "the table is cut short",
            offset=len(data),
            expected=f"{SIZE:,} bytes",
            found=f"{len(data) - offset:,} bytes",
        )

    def build(self) -> bytes:
        """The table as bytes, with its stored digest if it has one, and erased flash behind it.

        Raises:
            FormatError: More rows than fit, a partition that its row cannot hold, or no digest.
        """
        block = self.rows
        if self.stored_md5 is not None:
            block += built(_MD5_ROW, {"fill": _MD5_FILL, "md5": self.stored_md5}, "MD5 row")
        return fill.padded(block, SIZE, "the partitions do not fit the table")

    @property
    def applications(self) -> tuple[Partition, ...]:
        """The rows that are for applications."""
        return tuple(row for row in self.partitions if row.type == APP)

    @property
    def end(self) -> int:
        """Bytes that rows and digest take."""
        return ROW_SIZE * (len(self.partitions) + (self.stored_md5 is not None))

    @property
    def rows(self) -> bytes:
        """The rows as bytes, what the digest covers."""
        return b"".join(partition.build() for partition in self.partitions)

    @property
    def checksum(self) -> Checksum | None:
        """Stored and computed digest, None for tables without one."""
        if self.stored_md5 is None:
            return None
        return Checksum("md5", int.from_bytes(self.stored_md5, "big"), int.from_bytes(self.md5, "big"), 128)

    @property
    def md5(self) -> bytes:
        """The digest that the rows give."""
        return hashlib.md5(self.rows, usedforsecurity=False).digest()


def _digest(data: bytes, offset: int) -> bytes:
    fields = parse_at(_MD5_ROW, data, offset, "MD5 row")
    if fields.fill != _MD5_FILL:
        raise FormatError(
            "the MD5 row is not filled with 0xff", offset=offset + 2, found=fields.fill.hex(" ")
        )
    digest: bytes = fields.md5
    return digest


def _partition(data: bytes, offset: int, index: int) -> Partition:
    fields = parse_at(_ROW, data, offset, f"row {index}")
    name = fields.label.split(b"\0", maxsplit=1)[0]
    try:
        label = name.decode("utf-8")
    except UnicodeDecodeError:
        label = ""
    if not label.isprintable() or fields.label.rstrip(b"\0") != label.encode():
        raise FormatError(f"row {index} has no readable name", offset=offset + 12, found=name.hex(" "))
    return Partition(fields.type, fields.subtype, fields.offset, fields.size, label, fields.flags)


def part_at(data: bytes, offset: int, size: int) -> tuple[Part, tuple[Finding, ...]]:
    """The table at ``offset`` as a part of that size, and what is to be said of it."""
    try:
        table = RtosPartitionTable.parse(data, offset)
    except FormatError as problem:
        found = "" if problem.found is None else f" (found {problem.found})"
        part = Part(PartKind.PARTITION_TABLE, offset, size, note="damaged")
        code = "cut" if problem.offset == len(data) else "partition-row"
        finding = Finding(Severity.ERROR, code, problem.message + found, problem.offset)
        return part, (finding,)
    check = table.checksum
    if check is not None:
        digest = offset + table.end - 16
        check = check._replace(cover=Cover(digest, ((offset, offset + table.end - ROW_SIZE),)))
    count = len(table.partitions)
    note = f"{count} partition{'' if count == 1 else 's'}" if count else "no partitions"
    part = Part(PartKind.PARTITION_TABLE, offset, size, checksum=check, note=note, value=table)
    return part, _findings(data, offset, size, table)


def _findings(data: bytes, offset: int, size: int, table: RtosPartitionTable) -> tuple[Finding, ...]:
    findings = []
    if size < SIZE:
        message = f"the table is cut: {size:,} of {SIZE:,} bytes; it is always written whole"
        findings.append(Finding(Severity.ERROR, "cut", message, offset + size))
    check = table.checksum
    if check is None:
        message = "the table has no MD5 row: a changed byte in it cannot be seen"
        findings.append(Finding(Severity.NOTE, "no-md5", message, offset))
    elif not check.ok:
        message = "the table's MD5 is not that of its rows, at which no boot loader of this chip looks"
        findings.append(Finding(Severity.ERROR, "md5", message, offset + table.end - 16))
    if table.end >= SIZE:
        message = "the table has no erased row behind its last one, and a boot loader stops on that"
        findings.append(Finding(Severity.ERROR, "partition-row", message, offset + SIZE))
    if not fill.is_fill(data, offset + table.end, offset + size):
        message = "not all bytes behind the table's last row are erased"
        findings.append(Finding(Severity.ERROR, "partition-row", message, offset + table.end))
    return tuple(findings)


def read(data: bytes) -> Reading | None:
    """Read a file that begins with a partition table, whole or damaged."""
    if len(data) < ROW_SIZE or len(data) > SECTOR:
        return None
    if data[:2] == MD5_MAGIC:  # a table without partitions has this row alone
        return inside(data, 0, len(data))
    if data[:2] != MAGIC:
        return None
    # Two bytes are little to go by: the first row must be one, or the file as large as a table.
    try:
        _partition(data, 0, 0)
    except FormatError:
        if len(data) not in (SIZE, SECTOR):
            return None
    part, findings = part_at(data, 0, len(data))
    return Reading(FileKind.PARTITION_TABLE, (part,), findings=findings)


def inside(data: bytes, offset: int, stop: int) -> Reading | None:
    """Read the table that begins at ``offset`` of a flash, damaged or not."""
    size = min(SIZE, stop - offset)
    if data.startswith(MD5_MAGIC, offset) and not _is_md5_alone(data, offset, size):
        return None
    part, findings = part_at(data, offset, size)
    return Reading(FileKind.PARTITION_TABLE, (part,), findings=findings)


def _is_md5_alone(data: bytes, offset: int, size: int) -> bool:
    """Whether a row with an MD5 stands there, and erased flash behind it."""
    filled = data.startswith(MD5_MAGIC + _MD5_FILL, offset)
    return size >= ROW_SIZE and filled and fill.is_fill(data, offset + ROW_SIZE, offset + size)


def place_in(data: bytes) -> int:
    """The offset of the table in a flash: the usual one, or where a project moved it to.

    A build has the offset in its boot loader (``CONFIG_PARTITION_TABLE_OFFSET``), as a number among others.
    """
    if data.startswith((MAGIC, MD5_MAGIC), RTOS_TABLE_PLACE):
        return RTOS_TABLE_PLACE
    starts = range(RTOS_TABLE_PLACE + SECTOR, len(data), SECTOR)
    return next((start for start in starts if table_at(data, start) is not None), RTOS_TABLE_PLACE)


def table_at(data: bytes, offset: int) -> RtosPartitionTable | None:
    """The table at ``offset`` if a readable one with rows is there."""
    if not data.startswith(MAGIC, offset):
        return None
    try:
        table = RtosPartitionTable.parse(data, offset)
    except FormatError:
        return None
    return table if table.partitions else None
