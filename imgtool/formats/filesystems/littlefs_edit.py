"""Files put into a LittleFS that is there, and removed from it, as a device does it.

Which files there are is read by littlefs_files.py; one that is damaged is not changed.

Source: https://github.com/littlefs-project/littlefs/blob/master/DESIGN.md; see docs/formats/littlefs.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imgtool.errors import CutError, FormatError
from imgtool.formats.filesystems.littlefs import superblock_at
from imgtool.formats.filesystems.littlefs_files import read_files
from imgtool.formats.filesystems.littlefs_library import Flash, LibraryError, need_library, opened
from imgtool.formats.filesystems.littlefs_make import check_files, compose, folders_above
from imgtool.formats.filesystems.littlefs_metadata import blocks_in_use
from imgtool.formats.filesystems.stored_files import NewFile
from imgtool.formats.reading import Severity
from imgtool.phrase import Phrase
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from imgtool.formats.filesystems.littlefs_shape import LittleFsShape
    from imgtool.formats.filesystems.stored_files import FileSystem, StoredFolder
    from imgtool.formats.reading import Finding

__all__ = ["edited"]


def edited(data: bytes, shape: LittleFsShape, remove: Collection[bytes], add: Sequence[NewFile]) -> bytes:
    """The same file system with files removed and put into it.

    The library does it, so only blocks that it touches change.  Where it has no room for that, and after a
    power cut with work half done, all is composed anew.  Version, number and size of blocks and the longest
    name stay those on disk, whatever the shape says.  Folders that become empty stay.

    Args:
        data: All of it; what is behind its end stays.
        shape: Its shape.
        remove: Names of files that are to go; those that are not there do not matter.
        add: Files that are to come; one that is there with that name is replaced, with its attributes.  It is
            left alone if its contents are the same, and its attributes, too, or none are given.

    Raises:
        CutError: The end of it is missing.
        FormatError: There is none, or it is damaged, or of another version; or as :func:`check_files`.
        FileNameError: As :func:`check_files`.
        FileRoomError: All files together do not fit.
        UsageError: The library is not there.
    """
    own = _own_shape(data, shape)
    image = data[: own.size]
    system = _read_whole(image, own)
    there = {file.name: NewFile.of(file) for file in system.files}
    going = {*remove, *(file.name for file in add)}
    kept = [file for name, file in there.items() if name not in going]
    check_files([*kept, *add], own, system.folders)
    fresh = [file for file in add if not _is_same(file, there.get(file.name))]
    kept += [there[file.name] for file in add if file not in fresh]
    gone = there.keys() - {file.name for file in kept}
    if not gone and not fresh:
        return data
    folders = {folder.name for folder in system.folders}
    missing = folders_above(file.name for file in fresh) - folders
    changed = _changed(image, own, sorted(gone), sorted(missing), fresh)
    if changed is None or not _holds(changed, own, [*kept, *fresh], system.folders):
        changed = compose([*kept, *fresh], own, system.folders)
    return changed + data[own.size :]


def _own_shape(data: bytes, shape: LittleFsShape) -> LittleFsShape:
    """The shape, as far as the file system itself does not say otherwise."""
    found = superblock_at(data)
    if found is None:
        raise FormatError("there is no LittleFS", expected="a superblock in block 0 or 1")
    if len(data) < found.size:
        raise CutError("the LittleFS is cut", expected=in_bytes(found.size), found=in_bytes(len(data)))
    return replace(
        shape,
        block_size=found.block_size,
        blocks=found.blocks,
        version=found.version,
        name_max=found.name_max,
    )


def _read(image: bytes, shape: LittleFsShape) -> tuple[FileSystem, list[Finding]]:
    """What is in one, and what is damaged."""
    system = read_files(image, 0, len(image), block_size=shape.block_size, blocks=shape.blocks)
    return system, [finding for finding in system.findings if finding.severity is Severity.ERROR]


def _read_whole(image: bytes, shape: LittleFsShape) -> FileSystem:
    need_library()
    system, errors = _read(image, shape)
    if errors:
        raise FormatError(Phrase("a damaged LittleFS cannot be changed: ", errors[0].message))
    return system


def _is_same(file: NewFile, there: NewFile | None) -> bool:
    if there is None or file.data != there.data:
        return False
    return not file.attributes or sorted(file.attributes) == sorted(there.attributes)


def _changed(
    image: bytes,
    shape: LittleFsShape,
    gone: Iterable[bytes],
    folders: Iterable[bytes],
    fresh: Iterable[NewFile],
) -> bytes | None:
    """It with files removed, and folders and files made; None where the library cannot do that inside."""
    # The library believes what it reads there, and would end the process.
    if blocks_in_use(image, shape.block_size, shape.blocks) is None:
        return None
    flash = Flash(shape.block_size, image)
    try:
        with opened(flash, shape, shape.blocks, block_cycles=shape.block_cycles, is_new=False) as writer:
            for name in gone:
                writer.remove(name)
            for name in folders:
                writer.make_folder(name)
            for file in fresh:
                writer.write(file)
    except LibraryError:
        return None
    return flash.image(shape.blocks)


def _holds(
    image: bytes, shape: LittleFsShape, files: Iterable[NewFile], folders: Iterable[StoredFolder]
) -> bool:
    """Whether one has these files and no others, and these folders among others."""
    system, errors = _read(image, shape)
    found = {file.name: (file.data, file.attributes) for file in system.files}
    wanted = {file.name: (file.data, tuple(sorted(file.attributes))) for file in files}
    return not errors and found == wanted and set(folders) <= set(system.folders)
