"""The files below a folder, read, by the names that they are to have in a file system.

Not what a firmware makes of a name: that is decided when the file system is made.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.cli.input.files import read_file, unusable
from imgtool.engine.inputs import FolderFile
from imgtool.errors import UsageError
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["FolderContent", "folder_files", "named_files", "read_folder"]

_LITTER: Final = frozenset((".DS_Store", "Thumbs.db", "desktop.ini", ".git", ".svn", "__pycache__"))
# What other programs leave in folders: no part of what a user means.  Of each file on a disk that is not its
# own a Mac has another one that begins so.
_MAC: Final = "._"

_EXPECTED: Final = "files, and folders with files"
_MOST_BYTES: Final = 0x100_0000  # the largest flash: no folder with more can be meant


class FolderContent(NamedTuple):
    """The files below a folder.

    Attributes:
        files: The files, by name.
        left_out: What other programs have left there, by name: it is not taken.
    """

    files: tuple[FolderFile, ...]
    left_out: tuple[str, ...] = ()


def folder_files(folder: Path) -> tuple[FolderFile, ...]:
    """All files below a folder, by name, but for what other programs leave there.

    Raises:
        UsageError: It is no folder, something in it cannot be read, is a link to a folder or no file, or it
            holds more than any flash.
    """
    return read_folder(folder).files


def read_folder(folder: Path) -> FolderContent:
    """The same, and what is left out.

    Raises:
        UsageError: As :func:`folder_files`.
    """
    if not folder.is_dir():
        raise UsageError(Phrase(folder, " is no folder"), expected="a folder with the files")
    found: list[FolderFile] = []
    left_out: list[str] = []
    size = 0
    for path in _below(folder, left_out):
        name = path.relative_to(folder).as_posix()
        data = read_file(path)
        size += len(data)
        if size > _MOST_BYTES:
            raise UsageError(
                Phrase(folder, " holds more than any flash"),
                expected=f"at most {_MOST_BYTES:,} bytes",
                found=Phrase("more than that, up to ", Name(name)),
            )
        found.append(FolderFile(name, data, str(path)))
    return FolderContent(tuple(sorted(found, key=lambda file: file.name)), tuple(sorted(left_out)))


def named_files(words: Sequence[str], name: str | None) -> FolderContent:
    """The files that words name, and those below folders that they name.

    A file goes by its own name without the folders that it is in here, those below a folder by their names
    from there on.

    Args:
        words: Paths.
        name: What the one file is to be called, or what the names of those of the one folder begin with;
            None for nothing else.

    Raises:
        UsageError: One cannot be read, is no file, or several are to have one name.
    """
    if name is not None and len(words) != 1:
        raise UsageError(
            "one name is for one file or folder", expected="one", found=f"{len(words)} files and folders"
        )
    files: list[FolderFile] = []
    left_out: list[str] = []
    for word in words:
        path = Path(word)
        if path.is_dir():
            below = read_folder(path)
            lead = "" if not name else f"{name.rstrip('/')}/"
            files += (file._replace(name=f"{lead}{file.name}") for file in below.files)
            left_out += below.left_out
        else:
            if path.exists() and not path.is_file():
                raise UsageError(Phrase(path, " is no file"), expected=_EXPECTED)
            files.append(FolderFile(name or path.name, read_file(path), word))
    return FolderContent(tuple(files), tuple(left_out))


def _below(folder: Path, left_out: list[str]) -> list[Path]:
    found: list[Path] = []

    def stop(error: OSError) -> None:
        raise unusable(str(error.filename), "read", error)

    def taken(place: Path, names: Iterable[str]) -> list[str]:
        left_out.extend((place / name).relative_to(folder).as_posix() for name in names if _is_litter(name))
        return sorted(name for name in names if not _is_litter(name))

    # Links to folders are not followed: they can go in circles.
    for where, folders, files in os.walk(folder, onerror=stop):
        place = Path(where)
        folders[:] = taken(place, folders)
        for name in folders:
            if (place / name).is_symlink():
                raise UsageError(Phrase(place / name, " is a link to a folder"), expected=_EXPECTED)
        found += (place / name for name in taken(place, files))
    for path in found:
        if not path.is_file():
            raise UsageError(Phrase(path, " is no file"), expected=_EXPECTED)
    return found


def _is_litter(name: str) -> bool:
    return name in _LITTER or name.startswith(_MAC)
