"""A file system made of files, as a firmware takes it.

Which one that is comes from imgtool.layout.file_targets; the bytes are made by imgtool.formats.filesystems.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgtool.formats.filesystems.stored_files import NewFile
    from imgtool.layout.file_targets import FileTarget

__all__ = ["made_for"]


def made_for(target: FileTarget, files: Iterable[NewFile], erases: Iterable[int] = ()) -> bytes:
    """A file system with these files and nothing else; same files, same bytes.

    Args:
        target: The file system that the firmware takes.
        files: With names as a user has them: no slash in front.
        erases: Of SPIFFS: how often each block was erased so far.

    Raises:
        FileNameError: A name that the firmware cannot open.
        FileRoomError: They do not fit; it says by how many bytes.
    """
    raise NotImplementedError
