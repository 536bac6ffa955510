"""Images that were made of a linked program, as JSON, and how to flash them.

Not their making (imgtool.operations), nor their files.
"""

from __future__ import annotations

import hashlib
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from imgtool.engine.documents import checksum_fields, finding_fields, header_fields
from imgtool.operations.assemble.pieces import address_in_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imgtool.formats.reading import Checksum, Finding
    from imgtool.operations.building.images import Built, BuiltSegment
    from imgtool.operations.building.memory_use import MemoryUse

__all__ = [
    "BuildOutput",
    "built_fields",
    "flash_command",
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
