"""Names out of a flash as names for files: below one folder, all different, valid on every system.

A file system on a flash may hold any bytes as a name: ``../x``, a drive, ``NUL``, two names that differ by
case only, a file ``a`` beside a file ``a/b``.  Nothing is opened here.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["safe_paths"]

# Separators, drives, wild cards and redirections of every system, control characters, and those that turn
# the direction of writing, so that a name does not look like another one.
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\\\u200e\u200f\u2028-\u202e\u2066-\u2069]')
# Windows takes these for devices, with any extension.
_DEVICES: Final = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])\Z", re.IGNORECASE
)
_LONGEST: Final = 200  # bytes of a component: systems take 255, and a number may be put behind it


def safe_paths(paths: Iterable[str], reserved: Iterable[str] = ()) -> tuple[str, ...]:
    """A path below a folder for each name, in their order, with ``/`` between folders.

    A leading ``/`` falls away, as file systems on a flash have names with and without.  All else stays if it
    is safe.

    Args:
        paths: The names.
        reserved: Names in the folder itself that none may get.
    """
    chooser = _Chooser(reserved)
    return tuple(chooser.chosen(path) for path in paths)


class _Chooser:
    """Which names are taken: on some systems ``A`` and ``a`` are one file."""

    def __init__(self, reserved: Iterable[str]) -> None:
        self._files = {_key(name) for name in reserved}
        self._folders: set[str] = set()
        self._next: dict[str, int] = {}

    def chosen(self, path: str) -> str:
        """The path that a name gets."""
        *folders, name = [_component(part) for part in path.split("/") if part] or ["_"]
        made = ""
        for folder in folders:
            made = self._free(made, folder, self._files)
            self._folders.add(_key(made))
        made = self._free(made, name, self._files, self._folders)
        self._files.add(_key(made))
        return made

    def _free(self, above: str, name: str, *taken: set[str]) -> str:
        """The name, with a number in it where it is taken."""
        prefix = f"{above}/" if above else ""
        wanted = candidate = prefix + name
        stem, dot, extension = name.rpartition(".") if "." in name[1:] else (name, "", "")
        while any(_key(candidate) in names for names in taken):
            number = self._next[_key(wanted)] = self._next.get(_key(wanted), 1) + 1
            candidate = f"{prefix}{stem}~{number}{dot}{extension}"
        return candidate


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _component(part: str) -> str:
    safe = _UNSAFE.sub("_", part)
    if safe.endswith((".", " ")):  # Windows drops them, and "." and ".." are folders
        safe = safe.rstrip(". ") + "_" * (len(safe) - len(safe.rstrip(". ")))
    if _DEVICES.match(safe.partition(".")[0].rstrip(" ")):
        safe = "_" + safe
    return safe.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore")
