"""A folder of parts with its manifest: its files read, and kept from being led out of.

Not the manifest itself (imgtool.engine.placing.files_of_manifest), and no folder of ``0x*.bin`` (options.py).
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from imgtool.cli.input.files import read_file, real_path, unusable
from imgtool.engine.placing import files_of_manifest

if TYPE_CHECKING:
    from imgtool.engine.placing import ManifestFile

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
    return {file.name: _read(path.parent, file) for file in files_of_manifest(str(path), data)}


def _read(folder: Path, file: ManifestFile) -> bytes:
    path = folder / file.name
    if not is_inside(path, folder):
        raise file.refusal("a link that leads out of the folder")
    try:
        status = path.stat()
    except FileNotFoundError:
        raise file.refusal("no file") from None
    except (OSError, ValueError) as error:
        raise unusable(path, "read", error) from None
    if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device would not end
        raise file.refusal("something that is no file")
    if status.st_size != file.size:
        raise file.refusal(f"{status.st_size:,} bytes")
    return read_file(path)


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path lies in a folder once all links are followed."""
    return real_path(path).parent == real_path(folder)
