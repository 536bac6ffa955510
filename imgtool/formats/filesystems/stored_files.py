"""Files in a file system of a flash: the values that reading any of them gives.

No format: spiffs_files.py and littlefs_files.py read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgtool.formats.reading import Finding, PartKind

__all__ = ["FileSystem", "StoredFile"]


@dataclass(frozen=True, slots=True)
class StoredFile:
    r"""One file.

    Attributes:
        path: Its name as it is stored, with folders as in ``lib/net.lua``; may hold anything, also ``../x``.
            Bytes that are no UTF-8 stand as ``\xff``.
        size: Its bytes, as the file system states them.
        data: Its contents.  Of a damaged file what could be read: a lost stretch before the last readable
            byte is zeros, a lost end is left out.
        whole: Whether all of it could be read, and everything about it agrees.
        number: The object that it is, for SPIFFS; None for LittleFS.
    """

    path: str
    size: int
    data: bytes
    whole: bool = True
    number: int | None = None


@dataclass(frozen=True, slots=True)
class FileSystem:
    """A file system and the files in it.

    Attributes:
        kind: ``spiffs`` or ``littlefs``.
        offset: Where it begins in the file that was read.
        size: Its bytes, as it states them; a cut one has fewer.
        block_size: Bytes of a block.
        blocks: How many blocks it has.
        layout: Which variant: for SPIFFS the layout of its index pages, for LittleFS the version on disk.
        files: Its files, by path.
        used: Bytes of the pages (LittleFS: blocks) in use; None where that cannot be told.
        free: Bytes of those that can be written without erasing (LittleFS: that are not in use).
        deleted: Bytes of pages that wait to be erased; 0 for LittleFS, which does not tell them apart.
        half_written: Files that were being written or deleted when the power went, and are left out.
        most_erases: Highest erase count of a block; None where none is kept.
        findings: What is to be said; errors name the damaged file and the offset.
    """

    kind: PartKind
    offset: int
    size: int
    block_size: int
    blocks: int
    layout: str
    files: tuple[StoredFile, ...]
    used: int | None
    free: int | None
    deleted: int = 0
    half_written: int = 0
    most_erases: int | None = None
    findings: tuple[Finding, ...] = ()
