"""Pieces in address order, and as one run of bytes: none empty, none overlapping.

Not what may stand where: that is places.py.  No image is looked at: that is merge.py.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES
from imgtool.errors import LayoutError
from imgtool.operations.assemble.wrong_files import empty_file
from imgtool.phrase import Phrase
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.operations.assemble.pieces import Piece

__all__ = ["LARGEST_FLASH", "join", "lay_out"]

LARGEST_FLASH: Final = max(size.bytes for size in FLASH_SIZES)
"""Bytes of the largest flash that the SDK knows."""


def lay_out(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """The pieces in address order, none empty and none overlapping.

    Raises:
        FormatError: A piece is empty.
        LayoutError: Two pieces claim the same bytes.
    """
    if not pieces:
        raise LayoutError("there is nothing to put into the image", expected="at least one piece")
    for piece in pieces:
        if not piece.data:
            raise empty_file(piece.name)
        if not piece.address >= 0 or piece.end > LARGEST_FLASH:
            raise LayoutError(
                "no flash reaches that far",
                source=piece.name,
                offset=piece.address,
                expected=f"a flash address, its end at or below 0x{LARGEST_FLASH:x}",
                found=f"0x{piece.end:x}",
            )
    ordered = tuple(sorted(pieces, key=lambda piece: piece.address))
    for one, two in pairwise(ordered):
        if one.end > two.address:
            stop = min(one.end, two.end)
            raise LayoutError(
                Phrase(_span(one), " and ", _span(two), f" overlap by {in_bytes(stop - two.address)}"),
                offset=two.address,
            )
    return ordered


def _span(piece: Piece) -> Phrase:
    return Phrase(piece.name, f" (0x{piece.address:05x} to 0x{piece.end - 1:05x})")


def join(pieces: Sequence[Piece], size: int, fill_byte: int) -> bytes:
    """The pieces at their addresses in ``size`` bytes of fill."""
    blocks: list[bytes] = []
    position = 0
    for piece in pieces:
        blocks += [bytes([fill_byte]) * (piece.address - position), piece.data]
        position = piece.end
    blocks.append(bytes([fill_byte]) * (size - position))
    return b"".join(blocks)
