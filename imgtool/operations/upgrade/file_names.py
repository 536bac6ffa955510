"""The names of the files in a file system, by as little of it as tells them.

Their contents are not read: a line carries ninety kilobytes a second.  For all of a file system that is at
hand see formats/filesystems.
"""

from __future__ import annotations

from struct import unpack_from
from typing import TYPE_CHECKING, Final

from imgtool.formats.filesystems import littlefs_files, spiffs_files
from imgtool.formats.filesystems.littlefs import superblock_at
from imgtool.formats.reading import PartKind, Severity
from imgtool.operations.inspect.device_settings import read_ahead, remembered

if TYPE_CHECKING:
    from imgtool.formats.filesystems.stored_files import FileSystem
    from imgtool.operations.inspect.device_settings import Reader
    from imgtool.operations.upgrade.side import FoundFileSystem

__all__ = ["names_in"]

_PAGE: Final = 0x100
_ENTRY: Final = 2
_FREE: Final = 0xFFFF
_INDEX: Final = 0x8000  # of an entry, for an index page
_MOST_READ: Final = 0x4_0000  # bytes of a device that take three seconds


def names_in(found: FoundFileSystem, read: Reader) -> tuple[str, ...] | None:
    """The names of its files, in order; None where finding them out would take too long, or cannot be done.

    Args:
        found: The file system.
        read: Reads the flash that it is in.
    """
    read = remembered(read)
    if not read.quick:
        return None
    if found.kind is PartKind.SPIFFS:
        return _told(_spiffs(found, read)) if found.block else None
    if found.size > _MOST_READ and not read.at_hand:
        return None
    data = read(found.start, found.size)
    superblock = superblock_at(data)
    if superblock is None:
        return None
    size, count = superblock.block_size, superblock.blocks
    return _told(littlefs_files.read_files(data, 0, len(data), block_size=size, blocks=count))


def _told(system: FileSystem) -> tuple[str, ...] | None:
    """The names; None where none could be read of files that are there."""
    unread = not system.listed or any(each.severity is Severity.ERROR for each in system.findings)
    return tuple(file.path for file in system.files) or (None if unread else ())


def _spiffs(found: FoundFileSystem, read: Reader) -> FileSystem:
    """A SPIFFS of which its lookup pages are read, and the index pages that these name."""
    pages = found.block // _PAGE - 1
    blocks = range(0, found.size - found.block + 1, found.block)
    sparse = bytearray(b"\xff" * found.size)

    def fill_in(starts: list[int], size: int) -> None:
        read_ahead(read, [(found.start + start, size) for start in starts], found.end)
        for start in starts:
            sparse[start : start + size] = read(found.start + start, size)

    fill_in(list(blocks), pages * _ENTRY)
    entries = ((block, enumerate(unpack_from(f"<{pages}H", sparse, block), 1)) for block in blocks)
    fill_in(
        [
            block + page * _PAGE
            for block, numbered in entries
            for page, entry in numbered
            if entry & _INDEX and entry != _FREE
        ],
        _PAGE,
    )
    return spiffs_files.read_files(bytes(sparse), 0, found.size, block_size=found.block, blocks=len(blocks))
