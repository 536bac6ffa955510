"""Whose a file system is that is there: by its magics, pages and limits, not by the firmware beside it.

That tells which names can be opened in it, and how files that are put in are laid out.  Which file system
a firmware would make is imgtool.layout.file_targets; its rows are what is compared here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.errors import DamagedFilesError, FormatError
from imgtool.formats.filesystems.littlefs import superblock_at
from imgtool.formats.filesystems.littlefs_shape import LittleFsShape, shape_of
from imgtool.formats.filesystems.spiffs_files import MAKERS
from imgtool.formats.filesystems.spiffs_make import FORMULAS, SpiffsShape
from imgtool.formats.reading import PartKind
from imgtool.layout.file_targets import TARGETS
from imgtool.layout.traits import NameRule

if TYPE_CHECKING:
    from imgtool.operations.files.reading import ReadFileSystem

__all__ = ["FileOwner", "owner_of"]

_NODEMCU: Final = "NodeMCU"
_SLASH: Final = b"/"
_OF_NODEMCU: Final = ("linear", "old")
_LITTLE: Final = {32: "the Arduino core", 255: "MicroPython"}
"""Who makes a LittleFS, by the longest name that it allows."""


class FileOwner(NamedTuple):
    """Whose a file system is.

    Attributes:
        title: In words; empty where that is not known.
        names: Which names its firmware can open.
        shape: How it is laid out.
    """

    title: str
    names: NameRule
    shape: SpiffsShape | LittleFsShape


def owner_of(kept: ReadFileSystem) -> FileOwner:
    """Whose a file system is.

    Args:
        kept: The file system.

    Raises:
        FormatError: It is laid out in a way that imgtool does not write.
    """
    return _of_spiffs(kept) if kept.found.kind is PartKind.SPIFFS else _of_littlefs(kept)


def _of_spiffs(kept: ReadFileSystem) -> FileOwner:
    found, layout = kept.found, kept.system.layout
    if found.formula not in FORMULAS or not found.block:
        raise FormatError(
            "the magics of this SPIFFS are by a formula that imgtool does not know, so it is only read",
            offset=found.start,
            expected=", ".join(FORMULAS),
            found=found.formula or "another one",
        )
    blocks = found.size // found.block
    shape = SpiffsShape(block_size=found.block, blocks=blocks, formula=found.formula, layout=layout)
    rows = (row for row in TARGETS.values() if _is_spiffs_like(row.shape(found.size), shape))
    row = next(rows, None)
    title = MAKERS.get((found.formula, layout), _NODEMCU if found.formula in _OF_NODEMCU else "")
    names = _as_there(kept, shape) if row is None else row.names
    return FileOwner(title, names, shape)


def _is_spiffs_like(other: SpiffsShape | LittleFsShape, shape: SpiffsShape) -> bool:
    return isinstance(other, SpiffsShape) and (other.formula, other.layout) == (shape.formula, shape.layout)


def _as_there(kept: ReadFileSystem, shape: SpiffsShape) -> NameRule:
    """The rule of nobody that is known: a slash in front where all names that are there have one."""
    names = [file.name for file in kept.system.files]
    slash = bool(names) and all(name.startswith(_SLASH) for name in names)
    return NameRule(longest=shape.index.room - 1, slash=slash)


def _of_littlefs(kept: ReadFileSystem) -> FileOwner:
    block = superblock_at(kept.image)
    if block is None:
        raise DamagedFilesError("the LittleFS has no superblock that can be read", offset=kept.found.start)
    rule = NameRule(longest=block.name_max, folders=True)
    shapes = ((row.names, row.shape(block.size)) for row in TARGETS.values())
    alike = (
        names
        for names, shape in shapes
        if isinstance(shape, LittleFsShape) and shape.name_max == block.name_max
    )
    names, shape = next(alike, rule), shape_of(block)
    return FileOwner(_LITTLE.get(block.name_max, ""), names, shape)
