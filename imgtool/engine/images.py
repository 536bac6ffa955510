"""Images that were made of others, as JSON.

Not their making (imgtool.operations), nor their files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgtool.engine.documents import description_fields, finding_fields

if TYPE_CHECKING:
    from pathlib import Path

    from imgtool.operations.assemble.fullimage import FullImage
    from imgtool.operations.assemble.merge import Merged
    from imgtool.operations.assemble.pieces import Piece
    from imgtool.operations.extract.split import Split

__all__ = [
    "full_image_fields",
    "merged_fields",
    "piece_fields",
    "split_fields",
]


def piece_fields(piece: Piece) -> dict[str, Any]:
    """A piece of a merge, split or full image."""
    return {"name": piece.name, "address": piece.address, "size": len(piece.data)}


def merged_fields(path: Path, form: str, size: int, merged: Merged) -> dict[str, Any]:
    """The result of ``merge``: the file, its format and size, and what is in it."""
    return {
        "path": str(path),
        "format": form,
        "size": size,
        "fill": merged.fill,
        "parts": [piece_fields(piece) for piece in merged.pieces],
        "findings": [finding_fields(finding) for finding in merged.findings],
    }


def split_fields(path: Path, folder: Path, result: Split) -> dict[str, Any]:
    """The result of ``split``: the file, and its parts in a folder."""
    parts = [{**piece_fields(piece), "path": str(folder / piece.name)} for piece in result.pieces]
    return {
        "path": str(path),
        "size": result.size,
        "fill": result.fill,
        "parts": parts,
        "findings": [finding_fields(finding) for finding in result.findings],
    }


def full_image_fields(path: Path, made: FullImage, *, written: bool) -> dict[str, Any]:
    """The result of ``fullimage``."""
    return {
        **description_fields(str(path), made.description),
        "written": written,
        "flash_size": made.flash.name,
        "layout": made.rule,
        "pieces": [piece_fields(piece) for piece in made.pieces],
        "findings": [finding_fields(finding) for finding in (*made.findings, *made.description.findings)],
    }
