"""A folder of parts with its manifest: its files read, and kept from being led out of.

Not the manifest itself (operations/extract/manifest.py), and no folder of ``0x*.bin`` (options.py).
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from imgtool.cli.input.files import read_file, real_path, unusable
from imgtool.errors import ImgtoolError, UsageError
from imgtool.operations.extract.manifest import FillStretch, Manifest, wrong_file

if TYPE_CHECKING:
    from imgtool.operations.extract.manifest import FileStretch

__all__ = ["files_beside", "is_inside"]


def files_beside(path: Path, data: bytes) -> dict[str, bytes]:
    """The files that a manifest names, by their names.

    Args:
        path: The manifest, whose folder they are in.
        data: Its bytes.

    Raises:
        FormatError: It is no manifest, or a file is missing, has not its size, or lies outside of the folder.
        UsageError: A file that is there cannot be read.
    """
    try:
        return {
            stretch.file: _read(path.parent, number, stretch)
            for number, stretch in enumerate(Manifest.parse(data).stretches)
            if not isinstance(stretch, FillStretch)
        }
    except UsageError:
        raise
    except ImgtoolError as error:
        raise error.with_source(str(path)) from None


def _read(folder: Path, number: int, stretch: FileStretch) -> bytes:
    path = folder / stretch.file
    if not is_inside(path, folder):
        raise wrong_file(number, stretch, "a link that leads out of the folder")
    try:
        status = path.stat()
    except FileNotFoundError:
        raise wrong_file(number, stretch, "no file") from None
    except (OSError, ValueError) as error:
        raise unusable(path, "read", error) from None
    if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device would not end
        raise wrong_file(number, stretch, "something that is no file")
    if status.st_size != stretch.size:
        raise wrong_file(number, stretch, f"{status.st_size:,} bytes")
    return read_file(path)


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path lies in a folder once all links are followed."""
    return real_path(path).parent == real_path(folder)
