"""Files that a job is given: their names and bytes, and where they go.

No file is opened here; who calls has read them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imgtool.formats.filesystems.stored_files import NewFile

__all__ = ["FolderFile", "InputFile", "new_files"]


class InputFile(NamedTuple):
    """A file that a job is given; a tuple, as every start of ``inspect`` makes the class.

    Attributes:
        name: What to call it: its path, as it is told in documents and messages.
        data: Its bytes.
        place: Where it goes: a flash address, a named place such as ``@lfs``; None by its name, else 0.
        beside: Of a manifest that ``extract`` has made: the files that it names, by these names.
    """

    name: str
    data: bytes
    place: int | str | None = None
    beside: Mapping[str, bytes] | None = None

    def __repr__(self) -> str:
        """Without the bytes."""
        return f"InputFile(name={self.name!r}, place={self.place!r})"


class FolderFile(NamedTuple):
    """A file that is to go into a file system; a tuple, as a page of help makes the class.

    Attributes:
        name: What it is to be called there, with folders as in ``lib/net.lua``.
        data: Its bytes.
        path: What to call it in messages; empty for ``name``.
    """

    name: str
    data: bytes
    path: str = ""

    def __repr__(self) -> str:
        """Without the bytes."""
        return f"FolderFile(name={self.name!r})"


def new_files(files: Sequence[FolderFile]) -> tuple[NewFile, ...]:
    """Files as a file system takes them; a name of other bytes than UTF-8 keeps these."""
    from imgtool.formats.filesystems.stored_files import NewFile  # noqa: PLC0415 - few jobs make file systems

    return tuple(NewFile(file.name.encode("utf-8", "surrogateescape"), file.data) for file in files)
