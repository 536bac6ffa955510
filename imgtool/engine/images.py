"""Images that were made of others, or of a linked program, as JSON, and how to flash them.

Not their making (imgtool.operations), nor their files.
"""

from __future__ import annotations

import hashlib
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from imgtool.engine.documents import checksum_fields, description_fields, finding_fields, header_fields
from imgtool.operations.assemble.pieces import address_in_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imgtool.formats.reading import Checksum, Finding
    from imgtool.operations.assemble.fullimage import FullImage
    from imgtool.operations.assemble.merge import Merged
    from imgtool.operations.assemble.pieces import Piece
    from imgtool.operations.building.images import Built, BuiltSegment
    from imgtool.operations.building.memory_use import MemoryUse
    from imgtool.operations.extract.split import Split

__all__ = [
    "BuildOutput",
    "built_fields",
    "flash_command",
    "full_image_fields",
    "merged_fields",
    "piece_fields",
    "split_fields",
]


class BuildOutput(NamedTuple):
    """A file to write: path, flash address, bytes, the check in it."""

    path: Path
    address: int
    data: bytes
    checksum: Checksum | None = None


def built_fields(
    elf: Path, built: Built, outputs: Sequence[BuildOutput], findings: Sequence[Finding], *, written: bool
) -> dict[str, Any]:
    """The result of ``build``."""
    return {
        "path": str(elf),
        "version": built.version,
        "written": written,
        "header": header_fields(built.header),
        "files": [_file_fields(output) for output in outputs],
        "segments": [_segment_fields(segment) for segment in built.segments],
        "irom": None if built.irom is None else _segment_fields(built.irom),
        "memory": [_memory_fields(use) for use in built.memory],
        "findings": [finding_fields(finding) for finding in findings],
    }


def flash_command(outputs: Sequence[BuildOutput]) -> str:
    """The command that writes files to a flash."""
    return "imgtool flash " + shlex.join(word for each in outputs for word in _flash_words(each))


def _flash_words(output: BuildOutput) -> list[str]:
    """The file for ``flash``, with its address where the name does not end in it."""
    path = str(output.path)
    named = address_in_name(output.path.name)
    return [path] if (named or 0) == output.address else [f"0x{output.address:05x}", path]


def _file_fields(output: BuildOutput) -> dict[str, Any]:
    return {
        "path": str(output.path),
        "address": output.address,
        "size": len(output.data),
        "sha256": hashlib.sha256(output.data).hexdigest(),
        "checksum": None if output.checksum is None else checksum_fields(output.checksum),
    }


def _segment_fields(segment: BuiltSegment) -> dict[str, Any]:
    return {
        "name": segment.name,
        "address": segment.address,
        "size": segment.size,
        "memory": segment.memory,
    }


def _memory_fields(use: MemoryUse) -> dict[str, Any]:
    return {
        "name": use.name,
        "start": use.start,
        "used": use.used,
        "free": use.free,
        "limit": use.limit,
        "source": use.source,
        "sections": [
            {
                "name": section.name,
                "address": section.address,
                "size": section.size,
                "loaded": section.loaded,
            }
            for section in use.sections
        ],
    }


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
