"""Patterns of the shell against the names of stored files.

A slash in front does not count, as file systems on a flash have names with and without.  ``*`` stands for a
slash too: in SPIFFS that is a character like others.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgtool.formats.filesystems.stored_files import StoredFile

__all__ = ["Matched", "matched"]


class Matched(NamedTuple):
    """What patterns have found.

    Attributes:
        files: The files that one of them fits, in the order of these.
        without: The patterns that fit no file.
    """

    files: tuple[StoredFile, ...]
    without: tuple[str, ...]


def matched(files: Iterable[StoredFile], patterns: Sequence[str]) -> Matched:
    """The files whose names fit.

    Args:
        files: All.
        patterns: Of the shell: ``*``, ``?``, ``[...]``; a folder's name stands for all below it.  None for
            all files.
    """
    if not patterns:
        return Matched(tuple(files), ())
    left = set(patterns)
    found = []
    for file in files:
        fitting = [pattern for pattern in patterns if _fits(file.path, pattern)]
        left.difference_update(fitting)
        if fitting:
            found.append(file)
    return Matched(tuple(found), tuple(pattern for pattern in dict.fromkeys(patterns) if pattern in left))


def _fits(path: str, pattern: str) -> bool:
    name, wanted = path.lstrip("/"), pattern.lstrip("/")
    folder = wanted.rstrip("/") + "/"
    # A name may have characters in it that mean something in a pattern.
    return name == wanted or fnmatchcase(name, wanted) or fnmatchcase(name, f"{folder}*")
