"""The partition ``otadata`` of the RTOS SDK 3: which application slot is in force.

Two entries of 32 bytes, each at the start of a sector of its own.  Not the partition table, which names the
slots (rtos_partitions.py).

Source: esp_flash_data_types.h and bootloader_utility.c in https://github.com/espressif/ESP8266_RTOS_SDK; see
docs/formats/rtos-partitions.md.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from imgtool.chip import SECTOR

__all__ = ["SIZE", "OtaData"]

SIZE: Final = 2 * SECTOR
_CRC: Final = 28  # behind the number and a label of 24 bytes
_EMPTY: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class OtaData:
    """The numbers of both entries; None for an entry that is empty or whose CRC is wrong.

    Attributes:
        sequences: They count up from 1 with each update.
        empty: Whether no entry was ever written.
    """

    sequences: tuple[int | None, int | None]
    empty: bool

    @classmethod
    def parse(cls, data: bytes, offset: int) -> OtaData:
        """Read both entries; what is not there counts as empty."""
        entries = [data[offset + at : offset + at + 32] for at in (0, SECTOR)]
        first, second = (_sequence(entry) for entry in entries)
        return cls((first, second), all(_is_empty(entry) for entry in entries))

    @property
    def newest(self) -> int | None:
        """The number in force, None where no entry is valid."""
        return max((number for number in self.sequences if number is not None), default=None)

    def slot(self, count: int) -> int | None:
        """Which of so many OTA slots is in force, from 0; None where no entry says so."""
        return None if self.newest is None or count == 0 else (self.newest - 1) % count


def _is_empty(entry: bytes) -> bool:
    return int.from_bytes(entry[:4], "little") == _EMPTY or not entry


def _sequence(entry: bytes) -> int | None:
    number = int.from_bytes(entry[:4], "little")
    stored = int.from_bytes(entry[_CRC : _CRC + 4], "little")
    valid = len(entry) > _CRC and number not in (0, _EMPTY) and zlib.crc32(entry[:4], _EMPTY) == stored
    return number if valid else None
