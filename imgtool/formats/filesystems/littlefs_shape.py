"""All that decides how a LittleFS is laid out, and what the firmwares choose of it.

Not where a firmware looks for one, and of which size: imgtool.layout.  It is made by littlefs_make.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.errors import FormatError
from imgtool.formats.filesystems.littlefs import BLOCK_SIZES, LARGEST
from imgtool.formats.filesystems.stored_files import Superblock
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from imgtool.formats.filesystems.littlefs import LittleFsSuperblock

__all__ = ["ARDUINO", "ATTRIBUTE_MAX", "MICROPYTHON", "LittleFsShape", "Parameters", "shape_for", "shape_of"]

ATTRIBUTE_MAX: Final = 1022
"""Bytes of the longest attribute."""
_VERSIONS: Final[Mapping[str, int]] = {"2.0": 0x2_0000, "2.1": 0x2_0001}
_NAME_MAX: Final = 255
_FEWEST_BLOCKS: Final = 2  # the superblock and the root folder
_INLINE_PART: Final = 8  # of a block, that an inline file may take at the most
_UNIT: Final = 8  # of a block
_NEVER: Final = -1


class Parameters(NamedTuple):
    """What a firmware gives its library, whatever the flash.

    Attributes:
        prog_size: As in :class:`LittleFsShape`, and so are all others.
        cache_size: Bytes.
        lookahead_size: Bytes.
        block_cycles: Writes.
        name_max: Bytes.
    """

    prog_size: int
    cache_size: int
    lookahead_size: int
    block_cycles: int
    name_max: int


ARDUINO: Final = Parameters(64, 64, 64, 16, 32)
"""Of https://github.com/esp8266/Arduino/blob/3.1.2/libraries/LittleFS/src/LittleFS.h, version 2.0 in all."""

MICROPYTHON: Final = Parameters(32, 128, 32, 100, 255)
"""Of https://github.com/micropython/micropython/blob/v1.22.0/extmod/vfs_lfs.c; version 2.1 from 1.22 on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LittleFsShape(Superblock):
    """All that decides how a LittleFS is laid out.

    Attributes:
        version: On disk, ``2.0`` or ``2.1``.
        name_max: Bytes of the longest name that the superblock allows.
        prog_size: Bytes that are read and written at once.
        cache_size: Bytes; files up to this, an eighth of a block and 1022 bytes are stored inline.
        lookahead_size: Bytes of the map in which the firmware looks for free blocks; of no effect here.
        block_cycles: Writes of a metadata block before it is moved, -1 for never.
    """

    version: str = "2.0"
    name_max: int = ARDUINO.name_max
    prog_size: int = ARDUINO.prog_size
    cache_size: int = ARDUINO.cache_size
    lookahead_size: int = ARDUINO.lookahead_size
    block_cycles: int = ARDUINO.block_cycles

    def __post_init__(self) -> None:
        """Refuse what no firmware could work with.

        Raises:
            FormatError: There is no such version, or no such size of blocks, names or buffers.
        """
        if self.version not in _VERSIONS:
            raise FormatError(
                "no such version of LittleFS", expected=", ".join(_VERSIONS), found=self.version
            )
        units = self.prog_size > 0 and self.cache_size > 0 and self.cache_size % self.prog_size == 0
        if (
            not units
            or self.block_size not in BLOCK_SIZES
            or self.block_size % _UNIT
            or self.block_size % self.prog_size
        ):
            raise FormatError(
                "no block size of LittleFS",
                expected=f"0x1000 or 0x2000, in pieces of {in_bytes(self.prog_size)}",
                found=self.block_size,
            )
        most = LARGEST // self.block_size
        if not _FEWEST_BLOCKS <= self.blocks <= most:
            raise FormatError(
                "no length of LittleFS", expected=f"2 to {most:,} blocks", found=f"{self.blocks:,}"
            )
        if not 0 < self.name_max <= _NAME_MAX:
            raise FormatError(
                "no longest name of LittleFS",
                expected=f"1 to {in_bytes(_NAME_MAX)}",
                found=f"{self.name_max:,}",
            )
        if self.block_cycles != _NEVER and self.block_cycles < 1:
            raise FormatError(
                "no number of writes", expected="-1, or 1 and more", found=f"{self.block_cycles:,}"
            )

    @property
    def version_number(self) -> int:
        """The version as the superblock has it."""
        return _VERSIONS[self.version]

    @property
    def inline_max(self) -> int:
        """Bytes of the largest file that is stored in the metadata, and takes no block."""
        return min(self.cache_size, self.block_size // _INLINE_PART, ATTRIBUTE_MAX)


def shape_for(parameters: Parameters, *, block_size: int, blocks: int, version: str) -> LittleFsShape:
    """The shape that a firmware takes.

    Args:
        parameters: Its own, such as :data:`ARDUINO`.
        block_size: Bytes of a block.
        blocks: How many there are.
        version: On disk.

    Raises:
        FormatError: No firmware could work with that.
    """
    return LittleFsShape(block_size=block_size, blocks=blocks, version=version, **parameters._asdict())


def shape_of(found: LittleFsSuperblock) -> LittleFsShape:
    """The shape of one that is there.

    Nothing in it tells how its firmware writes.  By the longest name it is taken for the Arduino core or for
    MicroPython; either can work with what the other one wrote.

    Args:
        found: What :func:`imgtool.formats.filesystems.littlefs.superblock_at` found.

    Raises:
        FormatError: Nothing here can write one like that.
    """
    firmware = ARDUINO if found.name_max <= ARDUINO.name_max else MICROPYTHON
    return shape_for(
        firmware._replace(name_max=found.name_max),
        block_size=found.block_size,
        blocks=found.blocks,
        version=found.version,
    )
