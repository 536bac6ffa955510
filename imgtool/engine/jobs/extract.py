"""What was taken out of a file: its parts, a segment, an ELF file, the files of file systems; as JSON.

Not the taking (imgtool.operations.extract), nor the writing of files.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from imgtool.engine.documents import finding_fields, part_fields
from imgtool.formats.reading import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from imgtool.formats.filesystems.stored_files import StoredFile
    from imgtool.formats.reading import Finding, SegmentInfo
    from imgtool.operations.extract.parts import ExtractedPart, Extraction
    from imgtool.operations.extract.to_elf import ElfOutput

__all__ = [
    "FileRow",
    "elf_fields",
    "extraction_fields",
    "files_fields",
    "is_damaged",
    "part_rows",
    "section_rows",
    "segment_row",
    "written_part_row",
]


class FileRow(NamedTuple):
    """A file, the part that it is in, and where it goes below the folder."""

    part: str
    file: StoredFile
    target: str


def extraction_fields(
    taken: Extraction, path: Path, more: Mapping[str, Any], findings: Iterable[Finding], *, written: bool
) -> dict[str, Any]:
    """The result of ``extract``: the file, what was done, and what is to be said."""
    source = taken.manifest.source
    return {
        "path": str(path),
        "size": source.size,
        "sha256": source.sha256,
        "kind": source.kind,
        "wrapper": None if source.wrapper is None else source.wrapper.kind,
        "written": written,
        **more,
        "findings": [finding_fields(finding) for finding in findings],
    }


def part_rows(taken: Extraction, folder: Path | None = None) -> list[dict[str, Any]]:
    """The parts of a file for JSON; with a folder also where they are."""
    files = {stretch.file: stretch for stretch in taken.manifest.files}
    rows = []
    for part in taken.parts:
        row = {"name": part.name, **part_fields(part.part)}
        if folder is not None:
            kept = files.get(part.file)
            row |= (
                {"path": None} if kept is None else {"path": str(folder / part.file), "sha256": kept.sha256}
            )
        rows.append(row)
    return rows


def section_rows(made: ElfOutput) -> list[dict[str, Any]]:
    """The sections of an ELF file, and which part each comes from, for JSON."""
    return [
        {
            "name": section.name,
            "address": section.address,
            "size": len(section.data),
            "flags": "".join(("A", "W" if section.writable else "", "X" if section.executable else "")),
            "from": origin,
        }
        for section, origin in zip(made.executable.sections, made.origins, strict=True)
    ]


def written_part_row(part: ExtractedPart, path: Path, data: bytes) -> dict[str, Any]:
    """A part that stands in a file of its own, for JSON."""
    return {
        "name": part.name,
        **part_fields(part.part),
        "path": str(path),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def segment_row(name: str, segment: SegmentInfo, path: Path) -> dict[str, Any]:
    """A segment that stands in a file of its own, for JSON."""
    return {
        "name": name,
        "kind": "segment",
        "offset": segment.offset,
        "size": segment.size,
        "address": segment.address,
        "memory": segment.memory,
        "path": str(path),
    }


def elf_fields(made: ElfOutput, path: Path) -> dict[str, Any]:
    """An ELF file: its place, entry point, symbols and sections, for JSON."""
    symbols = made.executable.symbols
    return {
        "output": str(path),
        "entry": made.executable.entry,
        "symbols": [{"name": symbol.name, "address": symbol.address} for symbol in symbols],
        "sections": section_rows(made),
    }


def files_fields(rows: Sequence[FileRow], folder: Path | None) -> dict[str, Any]:
    """The files of file systems, and where they are if they were written, for JSON."""
    files: list[dict[str, Any]] = []
    for row in rows:
        digest = hashlib.sha256(row.file.data).hexdigest()
        fields = {"part": row.part, "path": row.file.path, "size": row.file.size, "whole": row.file.whole}
        written = {} if folder is None else {"output": str(folder / row.target), "bytes": len(row.file.data)}
        files.append({**fields, **written, "sha256": digest})
    return {**({} if folder is None else {"output": str(folder)}), "files": files}


def is_damaged(findings: Iterable[Finding]) -> bool:
    """Whether ``extract --files`` answers no: something of the files, or around them, is wrong."""
    return any(finding.severity is Severity.ERROR for finding in findings)
