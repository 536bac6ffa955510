"""NVS, where the RTOS SDK 3 keeps settings and calibration: pages of one sector, values by name.

What is read are how many values there are, and the namespaces that they are in.  Values are not: they are
networks and keys.  Nothing is built.  Where the partition is, the table says (rtos_partitions.py).

Source: ``components/nvs_flash`` of https://github.com/espressif/ESP8266_RTOS_SDK, whose partition generator
made the page that this was tried on; see docs/formats/nvs.md.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from construct import Array, Bytes, Int8ul, Int32ul, Struct

from imgtool.chip import SECTOR
from imgtool.formats.wire import parse_at

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NvsPages"]

_HEADER = Struct(
    "state" / Int32ul,
    "number" / Int32ul,
    "version" / Int8ul,
    "unused" / Bytes(19),
    "crc" / Int32ul,
    "used" / Array(32, Int8ul),
)
_COVERED: Final = slice(4, 28)
_ENTRY: Final = 32
_FIRST: Final = 64  # offset of the first entry
_ENTRIES: Final = (SECTOR - _FIRST) // _ENTRY
_STATES: Final = (0xFFFF_FFFE, 0xFFFF_FFFC, 0xFFFF_FFF8)  # in use, full, being freed
_WRITTEN: Final = 0b10
_CRC: Final = slice(4, 8)
_KEY: Final = slice(8, 24)
_VALUE: Final = 24
_NAMESPACES: Final = 0  # the namespace in which all others are named
_BLOB_PARTS: Final = (0x42,)  # pieces of a value, of which its index (0x48) counts
_START: Final = 0xFFFF_FFFF


class _Entry(NamedTuple):
    """An entry: number of its namespace, type, name, and first byte of what it holds."""

    namespace: int
    type: int
    name: str
    first: int


@dataclass(frozen=True, slots=True)
class NvsPages:
    """Pages in a row.

    Attributes:
        pages: How many.
        namespaces: The names that values are kept under, in the order of their numbers.
        values: How many values there are.
    """

    pages: int
    namespaces: tuple[str, ...]
    values: int

    @property
    def size(self) -> int:
        """Their bytes."""
        return self.pages * SECTOR

    @classmethod
    def parse(cls, data: bytes, offset: int, stop: int) -> NvsPages | None:
        """Read the pages that begin at an offset; None where none is.

        Args:
            data: What they lie in.
            offset: Where the first one begins.
            stop: Where the last one ends at the latest.
        """
        starts = range(offset, min(stop, len(data)) - SECTOR + 1, SECTOR)
        count = next((n for n, at in enumerate(starts) if not _is_page(data, at)), len(starts))
        if not count:
            return None
        entries = [entry for at in starts[:count] for entry in _entries(data[at : at + SECTOR])]
        names = {entry.first: entry.name for entry in entries if entry.namespace == _NAMESPACES}
        values = sum(e.namespace != _NAMESPACES and e.type not in _BLOB_PARTS for e in entries)
        return cls(count, tuple(names[number] for number in sorted(names)), values)


def _is_page(data: bytes, at: int) -> bool:
    if int.from_bytes(data[at : at + 4], "little") not in _STATES:
        return False
    head = parse_at(_HEADER, data, at, "NVS page")
    covered = data[at + _COVERED.start : at + _COVERED.stop]
    return bool(head.crc == zlib.crc32(covered, _START))


def _entries(page: bytes) -> Iterator[_Entry]:
    """The entries of a page that are in force and whole; firmware erases the others when it meets them."""
    used = parse_at(_HEADER, page, 0, "NVS page").used
    number = 0
    while number < _ENTRIES:
        state = used[number // 4] >> number % 4 * 2 & 0b11
        entry = page[_FIRST + number * _ENTRY :][:_ENTRY]
        stored = int.from_bytes(entry[_CRC], "little")
        covered = entry[: _CRC.start] + entry[_CRC.stop :]
        if state != _WRITTEN or stored != zlib.crc32(covered, _START):
            number += 1
            continue
        namespace, type_, span = entry[:3]
        name = entry[_KEY].partition(b"\0")[0].decode("ascii", "replace")
        yield _Entry(namespace, type_, name if name.isprintable() else "(no name)", entry[_VALUE])
        number += max(1, span)
