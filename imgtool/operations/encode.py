"""A merged image as a file: raw, or as records with addresses, which leave out the fill between.

What lies between the pieces is part of a raw image alone: flashing one erases what was there, records do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.formats import intel_hex, srecord, uf2
from imgtool.formats.blocks import Block

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imgtool.operations.merge import Merged

__all__ = ["encode", "encode_blocks"]

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
    return encode_blocks([Block(merged.start, merged.data)] if filled else pieces, form)


def encode_blocks(blocks: Sequence[Block], form: str) -> bytes:
    """Blocks as a file of records: ``hex``, ``srec`` or ``uf2``.

    Raises:
        KeyError: No format has that name.
    """
    return _BUILDERS[form](blocks)
