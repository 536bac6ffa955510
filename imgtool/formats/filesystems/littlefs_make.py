"""A LittleFS made of files, by littlefs-python: see littlefs_files.py for the reading.

Not where a firmware looks for one, and which one it takes: imgtool.layout.  Changes inside one that is there:
littlefs_edit.py.

What is made is what the library of the firmware would have written with its own parameters, on flash that was
erased.

Source: https://github.com/littlefs-project/littlefs/blob/master/SPEC.md; see docs/formats/littlefs.md.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from imgtool.errors import FileNameError, FileRoomError, FormatError
from imgtool.formats.filesystems.littlefs_files import DEEPEST
from imgtool.formats.filesystems.littlefs_library import Flash, LibraryError, opened
from imgtool.formats.filesystems.littlefs_metadata import blocks_of
from imgtool.formats.filesystems.littlefs_shape import ATTRIBUTE_MAX, LittleFsShape
from imgtool.formats.filesystems.stored_files import Space
from imgtool.phrase import Name, Phrase
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgtool.formats.filesystems.littlefs_library import Writer
    from imgtool.formats.filesystems.stored_files import NewFile, StoredFolder

__all__ = ["LittleFsShape", "check_files", "compose", "folders_above", "space_for", "writable_room"]

_ATTRIBUTE_NUMBERS: Final = range(0x100)
_NEVER: Final = -1  # is a metadata block moved
_PAIR: Final = 2
_SLASH: Final = b"/"
_NO_NAMES: Final = (b"", b".", b"..")


# Checks.


def check_files(files: Sequence[NewFile], shape: LittleFsShape, folders: Sequence[StoredFolder] = ()) -> None:
    """Refuse names and attributes that a LittleFS cannot hold.

    Raises:
        FileNameError: A part of a name is empty, too long, ``.`` or ``..``, or has a zero byte; a name
            stands twice, or is that of a file and of a folder; or it lies too deep.
        FormatError: There is no such attribute, or it is too long.
    """
    inner = [folder.name for folder in folders if folder.name]
    names = [file.name for file in files]
    most = shape.name_max
    parted = {name: name.split(_SLASH) for name in (*names, *inner)}
    counts = Counter([*names, *(folder.name for folder in folders)])
    above = {*inner, *folders_above([*names, *inner])}
    for wrong, what in (
        ([name for name, parts in parted.items() if any(_is_no_name(part) for part in parts)], "no name"),
        ([name for name, parts in parted.items() if max(map(len, parts)) > most], "too long a name"),
        ([name for name, parts in parted.items() if len(parts) > DEEPEST], "too deep in folders"),
        ([name for name in names if name in above], "the name of a file and of a folder"),
        ([name for name, count in counts.items() if count > 1], "a name that stands twice"),
    ):
        if wrong:
            raise _wrong_names(wrong, what, most)
    for file in files:
        _check_attributes(file.name, file.attributes)
    for folder in folders:
        _check_attributes(folder.name, folder.attributes)


def _is_no_name(part: bytes) -> bool:
    return part in _NO_NAMES or b"\0" in part


def folders_above(names: Iterable[bytes]) -> set[bytes]:
    """The folders that lie above files and folders, and that their names need."""
    parted = (name.split(_SLASH) for name in names)
    return {_SLASH.join(parts[:depth]) for parts in parted for depth in range(1, len(parts))}


def _wrong_names(names: Sequence[bytes], what: str, most: int) -> FileNameError:
    shown = [_shown(name) for name in names]
    others = f", and {len(names) - 1} more" if len(names) > 1 else ""
    return FileNameError(
        Phrase(Name(shown[0]) or "''", f" is {what} in LittleFS{others}"),
        names=shown,
        expected=f"1 to {most} bytes in each part, each name once, and {DEEPEST - 1} folders at the most",
        found=in_bytes(max(map(len, names[0].split(_SLASH)))),
    )


def _check_attributes(name: bytes, attributes: Sequence[tuple[int, bytes]]) -> None:
    numbers = [number for number, _ in attributes]
    wrong = [number for number in numbers if number not in _ATTRIBUTE_NUMBERS or numbers.count(number) > 1]
    longest = max((len(value) for _, value in attributes), default=0)
    if wrong or longest > ATTRIBUTE_MAX:
        raise FormatError(
            Phrase("LittleFS cannot hold the attributes of ", Name(_shown(name or _SLASH))),
            expected=f"numbers from 0 to 255, each once, of {ATTRIBUTE_MAX:,} bytes at the most",
            found=f"number {wrong[0]}" if wrong else in_bytes(longest),
        )


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


# Space.


def space_for(files: Sequence[NewFile], shape: LittleFsShape, folders: Sequence[StoredFolder] = ()) -> Space:
    """Whether files fit: by this alone :func:`compose` decides.

    It is as much as the library takes that has room, so with fewer blocks it would not fit, or only with
    folders more than half full.  A device needs :func:`writable_room` beside it to write a file anew.

    Args:
        files: In the order in which they are to be written.
        shape: How it is laid out; its number of blocks is the room.
        folders: As in :func:`compose`.

    Returns:
        Blocks, with the two of the superblock.

    Raises:
        FileNameError: As :func:`check_files`.
        FormatError: As :func:`check_files`; or a file does not fit into a block with its attributes.
        UsageError: The library is not there.
    """
    check_files(files, shape, folders)
    # What a file has behind its first block does not change how folders are laid out.
    first = [file._replace(data=file.data[: shape.inline_max + 1]) for file in files]
    behind = sum(max(0, _file_blocks(file, shape) - 1) for file in files)
    entries = len(files) + len(folders_above(file.name for file in files))
    entries += sum(len(folder.name.split(_SLASH)) for folder in folders)
    enough = 2 * _PAIR * (entries + 1) + entries + len(files)  # a pair for each entry, and for each folder
    flash = Flash(shape.block_size)
    with opened(flash, shape, enough, block_cycles=_NEVER, is_new=True) as writer:
        _fill(writer, first, shape, folders)
        used = writer.used
    return Space(used + behind, shape.blocks, shape.block_size)


def writable_room(files: Iterable[NewFile], shape: LittleFsShape) -> int:
    """How many blocks should stay free, so that a device can write each of the files anew.

    The old contents are given up when the new ones are there; two more are for a folder that has to grow.
    """
    return max((_file_blocks(file, shape) for file in files), default=0) + _PAIR


def _file_blocks(file: NewFile, shape: LittleFsShape) -> int:
    size = len(file.data)
    return 0 if size <= shape.inline_max else blocks_of(size, shape.block_size)


def _check_room(space: Space, files: Sequence[NewFile], shape: LittleFsShape) -> None:
    if space.fits:
        return
    count = f"{len(files):,} file{'' if len(files) == 1 else 's'}"
    where = f"a LittleFS of {in_bytes(shape.size)}"
    raise FileRoomError(
        f"{count} do not fit into {where}: {in_bytes(space.too_many)} too many",
        too_many=space.too_many,
        expected=f"{space.room:,} blocks of {in_bytes(space.unit)}",
        found=f"{space.needed:,} blocks",
    )


# Making it.


def compose(files: Sequence[NewFile], shape: LittleFsShape, folders: Sequence[StoredFolder] = ()) -> bytes:
    """A LittleFS with these files and nothing else; same files, same bytes.

    Nothing is worn by making it, so no block is moved because of that, whatever the firmware would do.

    Args:
        files: In the order in which they are to be written; the folders in their names are made.
        shape: How it is laid out.
        folders: Further folders, and the attributes of any; the root has an empty name.

    Raises:
        FileNameError: As :func:`check_files`.
        FormatError: As :func:`check_files`; or a file does not fit into a block with its attributes.
        FileRoomError: They do not fit.
        UsageError: The library is not there.
    """
    _check_room(space_for(files, shape, folders), files, shape)
    flash = Flash(shape.block_size)
    with opened(flash, shape, shape.blocks, block_cycles=_NEVER, is_new=True) as writer:
        _fill(writer, files, shape, folders)
    return flash.image(shape.blocks)


def _fill(
    writer: Writer, files: Sequence[NewFile], shape: LittleFsShape, folders: Sequence[StoredFolder]
) -> None:
    """Make the folders, and write the files.

    Raises:
        FormatError: One does not fit into a block with its name and attributes.
    """
    attributes = {folder.name: folder.attributes for folder in folders}
    needed = folders_above([*attributes, *(file.name for file in files)])
    name = b""
    try:
        writer.set_attributes(b"", attributes.pop(b"", ()))
        for name in sorted({*attributes, *needed}):
            writer.make_folder(name)
            writer.set_attributes(name, attributes.get(name, ()))
        for file in files:
            name = file.name
            writer.write(file)
    except LibraryError as error:
        raise FormatError(
            Phrase(Name(_shown(name or _SLASH)), " cannot be written with its attributes"),
            expected=f"as much as a block of {in_bytes(shape.block_size)} holds",
            found=f"{error} of the library",
        ) from error
