"""``imgtool extract --files``: the files of the file systems in a dump, listed or written to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from imgtool.cli.input.options import MANIFEST
from imgtool.engine.jobs.extract import FileRow, extraction_fields, files_fields, is_damaged
from imgtool.errors import FormatError, UsageError
from imgtool.formats.reading import Finding, Severity
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.formats.filesystems.stored_files import FileSystem
    from imgtool.operations.extract.parts import ExtractedPart, Extraction

__all__ = ["extract_files"]

_DAMAGED: Final = 1
_FEW: Final = 5  # file systems that are named one by one


def extract_files(
    taken: Extraction, source: Path, folder: Path | None, only: ExtractedPart | None, *, json: bool
) -> None:
    """Write the files of the file systems, or list them where no folder is given.

    Args:
        taken: What was taken apart.
        source: Its path.
        folder: Where the files go.
        only: The only part whose files are asked for; None for all.
        json: Whether to print a document.

    Raises:
        FormatError: There is no file system.
        UsageError: It is not in that part, or the folder cannot be used.
        typer.Exit: With 1, if a file is damaged.
    """
    from imgtool.operations.inspect.file_systems import file_systems

    found = [
        (part.name, system)
        for system in file_systems(taken.data, taken.description)
        for part in taken.parts
        if part.part.offset == system.offset and only in (None, part)
    ]
    if not found:
        kinds = ", ".join(dict.fromkeys(part.part.kind for part in taken.parts)) or "nothing"
        expected = "a part spiffs or littlefs"
        if only is None:
            message = "no file system is there"
            raise FormatError(message, source=str(source), expected=expected, found=kinds)
        message = f"no file system is in {only.name}"
        raise UsageError(Phrase(source, ": ", message), expected=expected, found=kinds)
    rows = _rows(found)
    findings = [*(finding for _, system in found for finding in system.findings), *_renamed(rows)]
    errors = [f for f in taken.description.findings if f.severity is Severity.ERROR and _is_about(f, found)]
    findings = [*errors, *findings]
    if folder is not None:
        _write(rows, source, folder)
        if not all(row.file.whole for row in rows):
            message = "of damaged files what could be read is written, with zeros for a lost stretch"
            findings.append(Finding(Severity.NOTE, "file-parts", message))
    damaged = is_damaged(findings)
    if json:
        _print_json(taken, source, folder, rows, findings)
    else:
        _print_text(source, folder, found, rows, findings)
    if damaged:
        raise typer.Exit(_DAMAGED)


def _is_about(finding: Finding, found: Sequence[tuple[str, FileSystem]]) -> bool:
    """Whether an error of the whole dump is about one of the file systems, as that it is cut."""
    at = finding.offset
    return at is not None and any(system.offset <= at <= system.offset + system.size for _, system in found)


def _rows(found: Sequence[tuple[str, FileSystem]]) -> list[FileRow]:
    from imgtool.operations.extract.safe_names import safe_paths

    files = [(name, file) for name, system in found for file in system.files]
    several = len(found) > 1
    wanted = [f"{name}/{file.path.lstrip('/')}" if several else file.path for name, file in files]
    targets = safe_paths(wanted, [MANIFEST])
    return [FileRow(name, file, target) for (name, file), target in zip(files, targets, strict=True)]


def _renamed(rows: Sequence[FileRow]) -> list[Finding]:
    return [
        Finding(
            Severity.WARNING,
            "renamed",
            Phrase(Name(row.file.path) or "a file without a name", " becomes ", Name(row.target)),
        )
        for row in rows
        if row.target not in (row.file.path.lstrip("/"), f"{row.part}/{row.file.path.lstrip('/')}")
    ]


def _write(rows: Sequence[FileRow], source: Path, folder: Path) -> None:
    """Write all files, or none where one cannot be."""
    from imgtool.cli.input.files import real_path, unusable, write_files

    if (folder / MANIFEST).exists():
        raise UsageError(
            Phrase(folder, " holds parts that were extracted"),
            expected="another folder for the files",
            found=MANIFEST,
        )
    if folder.exists() and not folder.is_dir():
        raise UsageError(Phrase(folder, " is no folder"), expected="a folder for the files", found="a file")
    home = real_path(folder)
    outputs = [(folder / row.target, row.file.data) for row in rows]
    for path, _ in outputs:
        if real_path(path) != home / path.relative_to(folder):
            raise UsageError(Phrase(path, " is a link, or lies behind one"))
    for place in sorted({folder, *(path.parent for path, _ in outputs)}):
        try:
            place.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise unusable(Phrase("the folder ", place), "made", error) from None
    write_files(outputs, [source])


def _print_json(
    taken: Extraction,
    source: Path,
    folder: Path | None,
    rows: Sequence[FileRow],
    findings: Sequence[Finding],
) -> None:
    from imgtool.cli.show.document import print_document
    from imgtool.engine.documents import document, warnings_of

    more = files_fields(rows, folder)
    result = extraction_fields(taken, source, more, findings, written=folder is not None)
    print_document(
        document("extract", ok=not is_damaged(findings), results=[result], warnings=warnings_of(findings))
    )


def _print_text(
    source: Path,
    folder: Path | None,
    found: Sequence[tuple[str, FileSystem]],
    rows: Sequence[FileRow],
    findings: Sequence[Finding],
) -> None:
    from imgtool.cli.show import text
    from imgtool.cli.show.render import show_findings, show_lines

    count = f"{len(rows):,} file{'' if len(rows) == 1 else 's'}"
    names = ", ".join(f"{name} (0x{system.offset:05x})" for name, system in found)
    if len(found) > _FEW:
        names = f"{len(found):,} file systems"
    if folder is None and not any(system.listed for _, system in found):
        show_lines([Phrase(source, f": the files in {names} are not listed.")])
    elif folder is None:
        show_lines([Phrase(source, f": {count} in {names}.")])
    else:
        show_lines([Phrase(f"{count} of {names} in ", folder, ".")])
    several = len(found) > 1
    cells = [
        (
            *((row.part,) if several else ()),
            f"{row.file.size:,}",
            text.Span(Name(row.file.path))
            if row.file.whole
            else text.Span(Phrase(Name(row.file.path), " (damaged)"), "bold red"),
        )
        for row in rows
    ]
    if cells:
        head = ("part", "size", "file") if several else ("size", "file")
        text.stdout().table(cells, head=head, right=(len(head) - 2,))
    show_findings(findings)
