"""Pieces of an image, as JSON and as a table: which bytes go where.

Not how they are put together (imgtool.operations.assemble).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.engine.results import Table
    from imgtool.operations.assemble.pieces import Piece

__all__ = ["piece_fields", "pieces_table"]


def piece_fields(piece: Piece) -> dict[str, Any]:
    """A piece of a merge, split or full image."""
    return {"name": piece.name, "address": piece.address, "size": len(piece.data)}


def pieces_table(pieces: Sequence[Piece], head: str = "from") -> Table:
    """Which piece goes where; ``head`` is what its name stands for."""
    from imgtool.engine.results import Table  # noqa: PLC0415 - JSON does without

    rows = tuple((f"0x{piece.address:06x}", f"{len(piece.data):,}", piece.name) for piece in pieces)
    return Table(rows=rows, head=("address", "size", head), right=(1,))
