"""The files below a folder, read, by the names that they are to have in a file system.

Not what a firmware makes of a name: that is decided when the file system is made.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from imgtool.cli.input.files import read_file, unusable
from imgtool.engine.inputs import FolderFile
from imgtool.errors import UsageError
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LITTER", "folder_files"]

LITTER: Final = frozenset((".DS_Store", "Thumbs.db", "desktop.ini", ".git", ".svn", "__pycache__"))
"""What other programs leave in folders: no part of what a user means."""

_EXPECTED: Final = "files, and folders with files"
_MOST_BYTES: Final = 0x100_0000  # the largest flash: no folder with more can be meant


def folder_files(folder: Path) -> tuple[FolderFile, ...]:
    """All files below a folder, by name; those that :data:`LITTER` names are left out.

    Raises:
        UsageError: It is no folder, something in it cannot be read, is a link to a folder or no file, or it
            holds more than any flash.
    """
    if not folder.is_dir():
        raise UsageError(Phrase(folder, " is no folder"), expected="a folder with the files")
    found: list[FolderFile] = []
    size = 0
    for path in _below(folder):
        name = path.relative_to(folder).as_posix()
        data = read_file(path)
        size += len(data)
        if size > _MOST_BYTES:
            raise UsageError(
                Phrase(folder, " holds more than any flash"),
                expected=f"at most {_MOST_BYTES:,} bytes",
                found=f"more than that, up to {name}",
            )
        found.append(FolderFile(name, data, str(path)))
    return tuple(sorted(found, key=lambda file: file.name))


def _below(folder: Path) -> list[Path]:
    found: list[Path] = []

    def stop(error: OSError) -> None:
        raise unusable(str(error.filename), "read", error)

    # Links to folders are not followed: they can go in circles.
    for where, folders, files in os.walk(folder, onerror=stop):
        folders[:] = sorted(name for name in folders if name not in LITTER)
        place = type(folder)(where)
        for name in folders:
            if (place / name).is_symlink():
                raise UsageError(Phrase(place / name, " is a link to a folder"), expected=_EXPECTED)
        found += (place / name for name in sorted(files) if name not in LITTER)
    for path in found:
        if not path.is_file():
            raise UsageError(Phrase(path, " is no file"), expected=_EXPECTED)
    return found
