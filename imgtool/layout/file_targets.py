"""The file system that a firmware takes: type, place, length, block size, magics, page layout and names.

Pure functions over the layout and the generation of the firmware; nothing is made here
(imgtool.formats.filesystems), and what is in a flash is not looked at.  The rules and where they are known
from: docs/flash-layouts.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from imgtool.formats.filesystems.littlefs_make import LittleFsShape
    from imgtool.formats.filesystems.spiffs_make import SpiffsShape

__all__ = ["FileTarget", "NameRule"]


class NameRule(NamedTuple):
    """Which names of files a firmware can open.

    Attributes:
        longest: Bytes that a name may have: of the whole name, or with folders of each part of it.
        slash: Whether every name begins with a slash, as in the Arduino core's SPIFFS; else none may.
        folders: Whether there are real folders; else a slash is a character of the name.
    """

    longest: int = 31
    slash: bool = False
    folders: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTarget:
    """A file system as a firmware takes it.

    Attributes:
        title: Whose it is, in words, such as ``NodeMCU 3.0.0``.
        shape: How it is laid out.
        names: Which names it can open.
        start: Its flash address; None where that is not known.
    """

    title: str
    shape: SpiffsShape | LittleFsShape
    names: NameRule
    start: int | None = None

    @property
    def end(self) -> int | None:
        """The address behind it."""
        return None if self.start is None else self.start + self.shape.size
