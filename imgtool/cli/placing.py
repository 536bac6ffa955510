"""Words on the command line to pieces with flash addresses, read from their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgtool.cli.arguments import UsageError
from imgtool.cli.files import read_file
from imgtool.cli.options import keep_or, size_name
from imgtool.operations.merge import HeaderChange, Piece

if TYPE_CHECKING:
    from imgtool.cli.options import Placed

__all__ = ["header_change", "pieces_of"]


def pieces_of(images: list[Placed]) -> tuple[list[Piece], list[tuple[str, Piece]]]:
    """Read the images: those with an address, and those that go to a named place."""
    if not images:
        raise UsageError("no image is given", expected="files, or a folder with 0x*.bin", found="nothing")
    pieces: list[Piece] = []
    named: list[tuple[str, Piece]] = []
    for image in images:
        address = image.place if isinstance(image.place, int) else 0
        piece = Piece(address, read_file(image.path), str(image.path))
        if isinstance(image.place, str):
            named.append((image.place, piece))
        else:
            pieces.append(piece)
    return pieces, named


def header_change(mode: str, freq: str, size: str) -> tuple[HeaderChange, str | None]:
    """The header change that ``-fm``, ``-ff`` and ``-fs`` ask for, and a note on the spelling of the size."""
    from imgtool.chip import FLASH_FREQUENCIES, FLASH_MODES

    name, note = (None, None) if size.lower() == "keep" else size_name(size, short=True)
    change = HeaderChange(
        keep_or(mode, FLASH_MODES, "mode"), keep_or(freq, FLASH_FREQUENCIES, "frequency"), name
    )
    return change, note
