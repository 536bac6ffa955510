"""A merged image as a file: raw, or as records with addresses, which leave out the fill between.

What lies between the pieces is part of a raw image alone: flashing one erases what was there, records do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.formats.containers import intel_hex, srecord, uf2
from imgtool.formats.containers.blocks import Block

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imgtool.operations.assemble.merge import Merged
    from imgtool.operations.assemble.pieces import Piece

__all__ = ["encode", "records_of"]

_BUILDERS: Final[dict[str, Callable[[Sequence[Block]], bytes]]] = {
    "hex": intel_hex.build,
    "srec": srecord.build,
    "uf2": uf2.build,
}


def encode(merged: Merged, form: str, *, filled: bool = False) -> bytes:
    """The bytes of the file.

    Args:
        merged: The image.
        form: ``bin``, ``hex``, ``srec`` or ``uf2``.
        filled: Whether records hold the fill between the pieces too, as a raw image does.

    Raises:
        KeyError: No format has that name.
    """
    if form == "bin":
        return merged.data
    pieces = [Block(piece.address, piece.data) for piece in merged.pieces]
    return _BUILDERS[form]([Block(merged.start, merged.data)] if filled else pieces)


def records_of(data: bytes, pieces: Sequence[Piece], form: str) -> bytes:
    """A file of records with the addresses of the pieces, and bytes that may have changed since.

    Args:
        data: The bytes from the first piece's address on; the last piece takes what is more than before.
        pieces: What was read from the file, ascending.
        form: ``hex``, ``srec`` or ``uf2``.
    """
    start = pieces[0].address
    ends = [*(piece.end for piece in pieces[:-1]), start + len(data)]
    blocks = [
        Block(piece.address, data[piece.address - start : end - start])
        for piece, end in zip(pieces, ends, strict=True)
    ]
    return _BUILDERS[form](blocks)
