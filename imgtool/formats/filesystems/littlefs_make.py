"""A LittleFS made of files, and changed inside, by littlefs-python: see littlefs_files.py for the reading.

Not where a firmware looks for one, and which one it takes: imgtool.layout.

Source: https://github.com/littlefs-project/littlefs/blob/master/SPEC.md; see docs/formats/littlefs.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgtool.formats.filesystems.stored_files import Superblock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.formats.filesystems.stored_files import NewFile, Space, StoredFolder

__all__ = ["LittleFsShape", "compose", "space_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LittleFsShape(Superblock):
    """All that decides how a LittleFS is laid out.

    Attributes:
        version: On disk, ``2.0`` or ``2.1``.
        name_max: Bytes of the longest name that the superblock allows.
        prog_size: Bytes that are read and written at once.
        cache_size: Bytes; files up to this, an eighth of a block and 1022 bytes are stored inline.
        lookahead_size: Bytes.
        block_cycles: Writes of a metadata block before it is moved.
    """

    version: str = "2.0"
    name_max: int = 32
    prog_size: int = 64
    cache_size: int = 64
    lookahead_size: int = 64
    block_cycles: int = 16


def compose(files: Sequence[NewFile], shape: LittleFsShape, folders: Sequence[StoredFolder] = ()) -> bytes:
    """A LittleFS with these files and nothing else."""
    raise NotImplementedError


def space_for(files: Sequence[NewFile], shape: LittleFsShape, folders: Sequence[StoredFolder] = ()) -> Space:
    """Whether files fit."""
    raise NotImplementedError
