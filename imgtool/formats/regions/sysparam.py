"""The settings of esp-open-rtos: named values in a region of a few sectors, of which there are two in a row.

What is read is how large a region is, whether it is the one in force, and the names in it.  Values are not:
they may be passwords.  Nothing here is built, and these are not the SDK's own parameters (system_param.py).

Source: ``core/sysparam.c`` of https://github.com/SuperHouse/esp-open-rtos; see docs/formats/sysparam.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from construct import Const, Int16ul, Struct

from imgtool.chip import SECTOR
from imgtool.errors import FormatError
from imgtool.formats import fill
from imgtool.formats.wire import parse_at

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAGIC", "StoredValue", "SysparamRegion"]

MAGIC: Final = b"EORp"
"""First bytes of a region."""

_HEAD = Struct("magic" / Const(MAGIC), "flags" / Int16ul, "unused" / Int16ul)
_ENTRY = Struct("flags" / Int16ul, "length" / Int16ul)
_SECOND: Final = 0x8000
_ACTIVE: Final = 0x4000
_SECTORS: Final = 0x0FFF
_ALIVE: Final = 0x8000
_INVALID: Final = 0x4000  # it was being written
_IS_VALUE: Final = 0x2000
_BINARY: Final = 0x1000
_ID: Final = 0x0FFF
_END: Final = 0xFFFF
_STEPS: Final = (1, 4)  # entries follow on each other; early releases began each at a word


class StoredValue(NamedTuple):
    """A setting: its name, the bytes of its value, and whether that is binary.  The value is not read."""

    name: str
    size: int
    binary: bool


@dataclass(frozen=True, slots=True)
class SysparamRegion:
    """One of the two regions.

    Attributes:
        sectors: How many sectors it has.
        second: Whether it is the second of the two.
        active: Whether it is the one in force.
        values: What is set in it.
        damaged: Whether its entries end in something that is none.
    """

    sectors: int
    second: bool
    active: bool
    values: tuple[StoredValue, ...]
    damaged: bool

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.sectors * SECTOR

    @classmethod
    def parse(cls, data: bytes, offset: int = 0) -> SysparamRegion:
        """Read the region at an offset; it may be cut by the end of the data.

        Raises:
            FormatError: No region begins there.
        """
        head = parse_at(_HEAD, data, offset, "sysparam region")
        sectors = head.flags & _SECTORS
        if not sectors:
            raise FormatError(
                "the sysparam region has no sectors", offset=offset + 4, expected="1 or more", found="0"
            )
        body = data[offset + _HEAD.sizeof() : offset + sectors * SECTOR]
        read = [_entries(body, step) for step in _STEPS]
        entries, clean = next((each for each in read if each[1]), read[0])
        second, active = bool(head.flags & _SECOND), bool(head.flags & _ACTIVE)
        return cls(sectors, second, active, tuple(_values(entries)), not clean)


class _Entry(NamedTuple):
    flags: int
    payload: bytes


def _entries(body: bytes, step: int) -> tuple[list[_Entry], bool]:
    """The entries of a region, and whether nothing but erased flash follows them."""
    found: list[_Entry] = []
    at = 0
    while at + _ENTRY.sizeof() <= len(body):
        entry = parse_at(_ENTRY, body, at, "sysparam entry")
        if entry.flags == _END:
            return found, fill.is_fill(body, at, len(body))
        begin = at + _ENTRY.sizeof()
        if begin + entry.length > len(body):
            return found, False
        found.append(_Entry(entry.flags, body[begin : begin + entry.length]))
        at = begin + -(-entry.length // step) * step
    return found, True


def _values(entries: list[_Entry]) -> Iterator[StoredValue]:
    valid = [entry for entry in entries if entry.flags & (_ALIVE | _INVALID) == _ALIVE]
    names = {entry.flags & _ID: entry.payload for entry in valid if not entry.flags & _IS_VALUE}
    for entry in valid:
        name = names.get(entry.flags & _ID)
        if entry.flags & _IS_VALUE and name is not None:
            text = name.decode("utf-8", "replace")
            shown = text if text.isprintable() else "(no name)"
            yield StoredValue(shown, len(entry.payload), bool(entry.flags & _BINARY))
