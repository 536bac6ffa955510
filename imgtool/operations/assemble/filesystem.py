"""A file system made of files, as a firmware takes it: names adapted and checked, then composed.

Which one that is comes from imgtool.layout.file_targets; the bytes are made by imgtool.formats.filesystems.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.errors import FileNameError
from imgtool.formats.filesystems import spiffs_make
from imgtool.formats.filesystems.littlefs_shape import LittleFsShape
from imgtool.formats.filesystems.spiffs_make import SpiffsShape
from imgtool.layout.file_targets import target_for
from imgtool.operations.assemble.pieces import Piece
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgtool.formats.filesystems.stored_files import NewFile, Space, StoredFolder
    from imgtool.formats.reading import Firmware
    from imgtool.layout.file_targets import FileTarget
    from imgtool.layout.regions import FlashLayout
    from imgtool.layout.traits import NameRule

__all__ = ["check_names", "made_for", "named_for", "place_files", "space_in", "title_of"]

_SLASH: Final = b"/"


def named_for(rule: NameRule, files: Iterable[NewFile]) -> tuple[NewFile, ...]:
    """The files by the names that a firmware opens, in the order of these.

    Args:
        rule: That of the firmware.
        files: With names as they stand in any file system: with or without a slash in front.
    """
    front = _SLASH if rule.slash else b""
    renamed = (file._replace(name=front + file.name.lstrip(_SLASH)) for file in files)
    return tuple(sorted(renamed, key=lambda file: file.name))


def check_names(rule: NameRule, files: Sequence[NewFile], title: str) -> None:
    """Refuse names that a firmware cannot open.

    Args:
        rule: That of the firmware.
        files: With names as it has them.
        title: Whose rule it is.

    Raises:
        FileNameError: It names the first of them, and holds all.
    """
    wrong = [file.name for file in files if _too_long(rule, file.name)]
    if not wrong:
        return
    shown = [name.decode("utf-8", "backslashreplace") for name in wrong]
    others = f", nor {len(wrong) - 1} more" if len(wrong) > 1 else ""
    part = " in each part" if rule.folders else ""
    raise FileNameError(
        Phrase(f"{title} cannot open a file with the name ", Name(shown[0]), others),
        names=shown,
        expected=f"1 to {rule.longest} bytes{part}",
        found=f"{max(map(len, wrong[0].split(_SLASH) if rule.folders else [wrong[0]]))}",
    )


def _too_long(rule: NameRule, name: bytes) -> bool:
    parts = name.split(_SLASH) if rule.folders else [name]
    return any(not 0 < len(part) <= rule.longest for part in parts)


def space_in(target: FileTarget, files: Sequence[NewFile]) -> Space:
    """How much files need in the file system of a firmware, and how much room it has."""
    shape = target.shape
    named = named_for(target.names, files)
    if isinstance(shape, LittleFsShape):
        from imgtool.formats.filesystems import littlefs_make  # noqa: PLC0415 - few firmwares have one

        return littlefs_make.space_for(named, shape)
    return spiffs_make.space_for(named, shape)


def made_for(
    target: FileTarget,
    files: Iterable[NewFile],
    *,
    folders: Sequence[StoredFolder] = (),
    erases: Sequence[int] = (),
) -> bytes:
    """A file system with these files and nothing else; same files, same bytes.

    Args:
        target: The file system that the firmware takes.
        files: With names as they stand in any file system: with or without a slash in front.
        folders: Of LittleFS: folders that are to be there without a file in them, and attributes of others.
        erases: Of SPIFFS: how often each block was erased so far.

    Raises:
        FileNameError: A name that the firmware cannot open, or that two files have.
        FileRoomError: They do not fit; it says by how many bytes.
    """
    shape = target.shape
    named = named_for(target.names, files)
    check_names(target.names, named, target.title)
    if isinstance(shape, SpiffsShape):
        return spiffs_make.compose([_without_metadata(file, shape) for file in named], shape, erases)
    from imgtool.formats.filesystems import littlefs_make  # noqa: PLC0415 - likewise

    return littlefs_make.compose(named, shape, folders)


def place_files(
    files: Sequence[NewFile] | None,
    layout: FlashLayout,
    firmware: Firmware | None,
    irom_end: int,
    boot: bytes | None = None,
) -> list[Piece]:
    """A file system with these files at the place where the firmware makes one; nothing for None.

    Args:
        files: The files.
        layout: The flash.
        firmware: Which firmware.
        irom_end: Flash address behind irom.
        boot: The image for 0.

    Raises:
        LayoutError: Nothing tells where it looks for files.
        FileNameError: A name that the firmware cannot open, or that two files have.
        FileRoomError: They do not fit; it says by how many bytes.
    """
    if files is None:
        return []
    target = target_for(layout, firmware, irom_end, boot)
    return [Piece(target.start or 0, made_for(target, files), title_of(files))]


def title_of(files: Sequence[NewFile]) -> str:
    """What to call a file system with these files."""
    return f"file system with {len(files):,} file{'' if len(files) == 1 else 's'}"


def _without_metadata(file: NewFile, shape: SpiffsShape) -> NewFile:
    """The file with metadata only where the layout is one that has as much."""
    return file if len(file.metadata) == shape.index.metadata else file._replace(metadata=b"")
