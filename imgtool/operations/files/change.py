"""Files put into a file system that is there, or removed from it: as bytes, and as what changes on a flash.

SPIFFS is changed in place where it can be, else composed anew, which frees what deleted files take; LittleFS
is changed by its own rules.  Nothing is written here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import SECTOR
from imgtool.errors import DamagedFilesError, FileNameError, FormatError
from imgtool.formats import fill
from imgtool.formats.filesystems import littlefs_edit, littlefs_make, spiffs_edit, spiffs_make
from imgtool.formats.filesystems.spiffs_make import SpiffsShape
from imgtool.formats.filesystems.stored_files import NewFile
from imgtool.operations.assemble.filesystem import check_names, named_for
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.files.owner import owner_of
from imgtool.operations.files.reading import differing
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from imgtool.formats.filesystems.stored_files import Space, StoredFile
    from imgtool.operations.files.owner import FileOwner
    from imgtool.operations.files.reading import ReadFileSystem

__all__ = ["ChangeWay", "FileChange", "PutFile", "changed", "check_undamaged"]

_PIECE: Final = "file system"
_FIRST_BLOCKS: Final = 2  # of a LittleFS: its superblock, and its root folder


class ChangeWay(Enum):
    """How a file system is changed."""

    NOTHING = "nothing"
    """It holds what it should already."""
    IN_PLACE = "in place"
    """What stays is left where it is."""
    REBUILT = "rebuilt"
    """All of it is made anew, without what deleted files took."""


class PutFile(NamedTuple):
    """A file that is put in.

    Attributes:
        name: As it is stored.
        size: Its bytes.
        replaced: Bytes of the file of that name that was there; None for none.
        same: Whether that one is the same, so that nothing is written.
    """

    name: bytes
    size: int
    replaced: int | None
    same: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A change of a file system.

    Attributes:
        kept: The file system as it is.
        owner: Whose it is.
        way: How it is changed.
        image: All of it, changed.
        files: The files that it has then, in no order.
        put: What is put in.
        removed: What is removed.
        space: How much of it the files then take.
    """

    kept: ReadFileSystem
    owner: FileOwner
    way: ChangeWay
    image: bytes
    files: tuple[NewFile, ...]
    put: tuple[PutFile, ...]
    removed: tuple[StoredFile, ...]
    space: Space

    @property
    def sectors(self) -> tuple[Piece, ...]:
        """The sectors that change, whole, in address order."""
        return tuple(
            Piece(self.kept.found.start + at, self.image[at : at + SECTOR], _PIECE)
            for at in range(0, len(self.image), SECTOR)
            if self.image[at : at + SECTOR] != self.kept.image[at : at + SECTOR]
        )

    @property
    def steps(self) -> tuple[tuple[Piece, ...], ...]:
        """The same in the order in which they are to be written, each step when the one before is there.

        First what was erased, then what held something, last what leads to it: lookup pages of SPIFFS, or the
        root of a LittleFS.  So a flash that is written in part shows as much as it can of what was there.
        """
        sectors = self.sectors
        blank = {piece.address for piece in sectors if self._is_blank(piece)}
        leads = {piece.address for piece in sectors if self._leads(piece)}
        order = (
            [piece for piece in sectors if piece.address in blank - leads],
            [piece for piece in sectors if piece.address not in blank | leads],
            [piece for piece in sectors if piece.address in leads],
        )
        return tuple(tuple(step) for step in order if step)

    def _is_blank(self, piece: Piece) -> bool:
        at = piece.address - self.kept.found.start
        return fill.is_fill(self.kept.image, at, at + len(piece.data))

    def _leads(self, piece: Piece) -> bool:
        at, shape = piece.address - self.kept.found.start, self.owner.shape
        if isinstance(shape, SpiffsShape):
            return at % shape.block_size == 0
        return at < _FIRST_BLOCKS * shape.block_size


def check_undamaged(kept: ReadFileSystem) -> None:
    """Refuse to change a file system that is damaged.

    Raises:
        DamagedFilesError: It is, or its next mount erases a block of it.
        FormatError: Its files cannot be listed here.
    """
    messages = [*kept.findings, *(() if kept.system.listed else kept.system.findings)]
    if messages:
        finding = messages[0]
        raise DamagedFilesError(
            Phrase(f"the {kept.found.name} is damaged, so nothing in it is changed: ", finding.message),
            offset=finding.offset,
        )


def changed(kept: ReadFileSystem, add: Sequence[NewFile] = (), remove: Collection[bytes] = ()) -> FileChange:
    """A file system with files put in and removed.

    Args:
        kept: The file system.
        add: Files, with names as a user has them: with or without a slash in front.  One that is there with
            that name is replaced, and left alone where it is the same.
        remove: Names of files that are to go, as they are stored.

    Raises:
        DamagedFilesError: It is damaged.
        FormatError: It is laid out in a way that imgtool does not write.
        FileNameError: A name that its firmware cannot open, or that two files get.
        FileRoomError: They do not fit; it says by how many bytes.
    """
    check_undamaged(kept)
    owner = owner_of(kept)
    named = named_for(owner.names, add)
    check_names(owner.names, named, owner.title or f"the {kept.found.name}")
    _check_apart(named, owner)
    there = {file.name: file for file in kept.system.files}
    put = tuple(_put(file, there.get(file.name)) for file in named)
    new = [file for file, one in zip(named, put, strict=True) if not one.same]
    going = {*remove, *(file.name for file in named)}
    staying = [NewFile.of(file) for file in kept.system.files if file.name not in going]
    same = [NewFile.of(there[one.name]) for one in put if one.same]
    files = (*staying, *same, *new)
    way, image = _made(kept, owner, new, set(remove), files)
    change = FileChange(
        kept=kept,
        owner=owner,
        way=way,
        image=image,
        files=files,
        put=put,
        removed=tuple(file for file in kept.system.files if file.name in remove),
        space=_space(files, owner),
    )
    _check_made(change)
    return change


def _put(file: NewFile, there: StoredFile | None) -> PutFile:
    same = there is not None and there.data == file.data
    return PutFile(file.name, len(file.data), None if there is None else there.size, same)


def _check_apart(files: Sequence[NewFile], owner: FileOwner) -> None:
    """Refuse files that would be one in the file system.

    Raises:
        FileNameError: Two have the same name there, or one has that of a folder.
    """
    counts = Counter(file.name for file in files)
    twice = [name for name, count in counts.items() if count > 1]
    if owner.names.folders:
        twice += [name for name in counts if any(other.startswith(name + b"/") for other in counts)]
    if twice:
        shown = [name.decode("utf-8", "backslashreplace") for name in twice]
        raise FileNameError(
            Phrase("two of the files would be called ", Name(shown[0])),
            names=shown,
            expected="a name for each",
            found=f"{counts[twice[0]]} of that name" if counts[twice[0]] > 1 else "a folder of that name",
        )


def _made(
    kept: ReadFileSystem,
    owner: FileOwner,
    new: Sequence[NewFile],
    remove: Collection[bytes],
    files: Sequence[NewFile],
) -> tuple[ChangeWay, bytes]:
    """How it is changed, and all of it then."""
    if not new and not remove:
        return ChangeWay.NOTHING, kept.image
    shape = owner.shape
    if not isinstance(shape, SpiffsShape):
        return ChangeWay.IN_PLACE, littlefs_edit.edited(kept.image, shape, remove, new)
    image = spiffs_edit.edited(kept.image, shape, remove, new)
    if image is not None:
        return ChangeWay.IN_PLACE, image
    counts = spiffs_edit.erase_counts(kept.image, shape)
    return ChangeWay.REBUILT, spiffs_make.compose(sorted(files), shape, counts)


def _space(files: Sequence[NewFile], owner: FileOwner) -> Space:
    shape = owner.shape
    if isinstance(shape, SpiffsShape):
        return spiffs_make.space_for(files, shape)
    return littlefs_make.space_for(files, shape)


def _check_made(change: FileChange) -> None:
    """See that the changed file system reads as it should, before anybody trusts it.

    Raises:
        FormatError: A file of it does not.
    """
    start = change.kept.found.start

    def read(address: int, size: int) -> bytes:
        return change.image[address - start : address - start + size]

    wrong = differing(change.files, change.kept.found, read)
    if wrong:
        raise FormatError(
            Phrase(
                "with the change its files would not be as they should, so nothing is changed: ",
                Name(wrong[0]),
            ),
            offset=start,
        )
