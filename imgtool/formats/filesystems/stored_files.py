"""Files in a file system of a flash: the values that reading any of them gives, and that making one takes.

No format: spiffs_files.py and littlefs_files.py read them, spiffs_make.py and littlefs_make.py make them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from imgtool.formats.reading import Finding, PartKind

__all__ = [
    "FileListing",
    "FileSystem",
    "ListedFile",
    "NewFile",
    "Space",
    "StoredFile",
    "StoredFolder",
    "Superblock",
]


@dataclass(frozen=True, slots=True)
class Superblock:
    """What a file system says of its size; what else it says is for the class of each.

    Attributes:
        block_size: Bytes of a block.
        blocks: How many blocks it has.
    """

    block_size: int
    blocks: int

    @property
    def size(self) -> int:
        """Bytes of the file system."""
        return self.block_size * self.blocks


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
        name: Its name as it is stored, with folders: what ``path`` shows.
        metadata: What SPIFFS stores behind the name: of Sming 4.3 and later, Mongoose OS, ESP-IDF.
        attributes: Of LittleFS: number and bytes of each, such as the time of the last write.
    """

    path: str
    size: int
    data: bytes
    whole: bool = True
    number: int | None = None
    name: bytes = b""
    metadata: bytes = b""
    attributes: tuple[tuple[int, bytes], ...] = ()


class NewFile(NamedTuple):
    """A file that goes into a file system.

    Attributes:
        name: Its name as it is to be stored, with folders as in ``lib/net.lua``.
        data: Its contents.
        metadata: What goes behind the name in SPIFFS; erased where it is empty.
        attributes: Of LittleFS: number and bytes of each.
    """

    name: bytes
    data: bytes
    metadata: bytes = b""
    attributes: tuple[tuple[int, bytes], ...] = ()

    @classmethod
    def of(cls, file: StoredFile) -> NewFile:
        """The same file, for another file system."""
        return cls(file.name, file.data, file.metadata, file.attributes)


class StoredFolder(NamedTuple):
    """A folder of a LittleFS.

    Attributes:
        name: As it is stored, with those above it; empty for the root.
        attributes: Number and bytes of each.
    """

    name: bytes
    attributes: tuple[tuple[int, bytes], ...] = ()


class Space(NamedTuple):
    """How much files need, and how much there is.

    Attributes:
        needed: Pages of SPIFFS, or blocks of LittleFS.
        room: As many there are for files.
        unit: Bytes of one.
    """

    needed: int
    room: int
    unit: int

    @property
    def fits(self) -> bool:
        """Whether all of it fits."""
        return self.needed <= self.room

    @property
    def too_many(self) -> int:
        """Bytes that are too many; 0 where it fits."""
        return max(0, self.needed - self.room) * self.unit

    @property
    def left(self) -> int:
        """Bytes that further files can take."""
        return max(0, self.room - self.needed) * self.unit


@dataclass(frozen=True, slots=True, kw_only=True)
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
        listed: False where nothing here can read it, and a finding says why: ``files`` is empty, and what
            is in it is not known.
        folders: The folders of a LittleFS, its root first; none of SPIFFS, whose names only look like paths.
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
    listed: bool = True
    folders: tuple[StoredFolder, ...] = ()


class ListedFile(NamedTuple):
    """A file without its contents.

    Attributes:
        path: As in :class:`StoredFile`.
        size: Its bytes, as the file system states them.
        whole: Whether all of it could be read.
    """

    path: str
    size: int
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FileListing:
    """What a part that holds a file system says, with its files but without their contents.

    Attributes:
        superblock: What the part says before its files are read.
        kind: Which file system.
        layout: As in :class:`FileSystem`, and so are all others.
        files: Its files, by path.
        used: Bytes in use.
        free: Bytes that can be written.
        deleted: Bytes that wait to be erased.
        half_written: Files that are left out.
        most_erases: Highest erase count of a block.
    """

    superblock: Superblock
    kind: PartKind
    layout: str
    files: tuple[ListedFile, ...]
    used: int | None
    free: int | None
    deleted: int
    half_written: int
    most_erases: int | None

    @classmethod
    def of(cls, superblock: Superblock, system: FileSystem) -> FileListing:
        """The listing of a file system that was read."""
        return cls(
            superblock=superblock,
            kind=system.kind,
            layout=system.layout,
            files=tuple(ListedFile(file.path, file.size, file.whole) for file in system.files),
            used=system.used,
            free=system.free,
            deleted=system.deleted,
            half_written=system.half_written,
            most_erases=system.most_erases,
        )
