"""For tests of Lua projects: a pytest fixture that makes boards in memory, which run real firmware.

Not imgtool's own tests, and nothing that imgtool imports: pytest is its user's.  A file of fixtures has::

    from imgtool.testing import virtual_board
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imgtool.engine.inputs import FolderFile, InputFile
from imgtool.engine.jobs.virtual.board import VirtualBoard

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

__all__ = ["board_with", "virtual_board"]


def board_with(
    *firmware: str | PathLike[str],
    size: str = "4MB",
    files: str | PathLike[str] | None = None,
    rom: str | PathLike[str] | None = None,
) -> VirtualBoard:
    """A board with a firmware, off.

    Args:
        firmware: Paths of an image, or of its halves.
        size: Name of the flash's size.
        files: A folder, for its file system; None for no file system.
        rom: A dump of the boot ROM; None for functions of imgtool's own.

    Raises:
        OSError: A file cannot be read.
        ImgtoolError: As for :class:`~imgtool.VirtualBoard`.
    """
    return VirtualBoard.of(
        *(InputFile(str(path), Path(path).read_bytes()) for path in firmware),
        size=size,
        files=None if files is None else _in_folder(Path(files)),
        rom=None if rom is None else Path(rom).read_bytes(),
    )


def _in_folder(folder: Path) -> tuple[FolderFile, ...]:
    return tuple(
        FolderFile(path.relative_to(folder).as_posix(), path.read_bytes(), str(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )


@pytest.fixture
def virtual_board() -> Callable[..., VirtualBoard]:
    """Makes boards: :func:`board_with`."""
    return board_with
