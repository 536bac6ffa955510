"""A record of JSON with its length and CRC in front, as Tuya's firmware keeps its settings: at a sector.

What is read are the names of its fields.  What they hold is not: it is keys and networks.

Source: three records of two real dumps; see docs/formats/flash-dump.md.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Final

from imgtool.chip import SECTOR

__all__ = ["JsonRecord"]

_HEAD: Final = 8
_WORD: Final = 4
_LEAST: Final = len(b"{}")


@dataclass(frozen=True, slots=True)
class JsonRecord:
    """A record: bytes of its text, and the names of its outer fields."""

    length: int
    fields: tuple[str, ...]

    @classmethod
    def parse(cls, sector: bytes) -> JsonRecord | None:
        """Read the record that a sector begins with; None where none is, or its CRC is wrong."""
        length = int.from_bytes(sector[:_WORD], "little")
        if not _LEAST <= length <= SECTOR - _HEAD:
            return None
        text = sector[_HEAD : _HEAD + length]
        stored = int.from_bytes(sector[_WORD:_HEAD], "little")
        if text[:1] != b"{" or zlib.crc32(text) != stored:
            return None
        try:
            read = json.loads(text.rstrip(b"\0"))
        except (ValueError, RecursionError):
            return None
        return cls(length, tuple(name for name in read if name.isprintable()))
