"""The files of the file systems in a dump: which there are, what to call them here, as JSON and in words.

Part of the job in extract.py; not the reading of file systems (imgtool.operations.inspect.file_systems).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.engine.placing import MANIFEST
from imgtool.engine.results import Output, Table, Tone, Toned
from imgtool.errors import FormatError, UsageError
from imgtool.formats.reading import Finding, Severity
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgtool.formats.filesystems.stored_files import FileSystem, StoredFile
    from imgtool.operations.extract.parts import ExtractedPart, Extraction

__all__ = ["FileRow", "FilesTaken", "files_fields", "files_taken", "notes_on_written", "taken_of"]

_FEW: Final = 5  # file systems that are named one by one


class FileRow(NamedTuple):
    """A file, the part that it is in, and where it goes below the folder."""

    part: str
    file: StoredFile
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesTaken:
    """The files of some file systems.

    Attributes:
        systems: The file systems, each with the name of its part.
        rows: Their files.
        findings: What is to be said of them, errors of the dump around them first.
    """

    systems: tuple[tuple[str, FileSystem], ...]
    rows: tuple[FileRow, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing of the files, or around them, is wrong."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def count(self) -> str:
        """How many files there are, in words."""
        return f"{len(self.rows):,} file{'' if len(self.rows) == 1 else 's'}"

    @property
    def listed(self) -> bool:
        """Whether any of the file systems could be read."""
        return any(system.listed for _, system in self.systems)

    @property
    def names(self) -> str:
        """The names of their file systems, or how many there are."""
        if len(self.systems) > _FEW:
            return f"{len(self.systems):,} file systems"
        return ", ".join(f"{name} (0x{system.offset:05x})" for name, system in self.systems)

    @property
    def table(self) -> Table:
        """The files, a row each."""
        several = len(self.systems) > 1
        head = ("part", "size", "file") if several else ("size", "file")
        rows = tuple(
            (*((row.part,) if several else ()), f"{row.file.size:,}", _named(row.file)) for row in self.rows
        )
        return Table(rows=rows, head=head, right=(len(head) - 2,))

    def outputs(self, folder: str) -> tuple[Output, ...]:
        """The files as they are to be written below a folder."""
        return tuple(Output(str(PurePath(folder) / row.target), row.file.data) for row in self.rows)


def files_taken(taken: Extraction, only: ExtractedPart | None, name: str) -> FilesTaken:
    """The files of the file systems of a dump.

    Args:
        taken: What was taken apart.
        only: The only part whose files are asked for; None for all.
        name: Name of the dump.

    Raises:
        FormatError: There is no file system.
        UsageError: It is not in that part.
    """
    from imgtool.operations.inspect.file_systems import file_systems  # noqa: PLC0415 - few runs want files

    systems = tuple(
        (part.name, system)
        for system in file_systems(taken.data, taken.description)
        for part in taken.parts
        if part.part.offset == system.offset and only in (None, part)
    )
    if not systems:
        raise _none(taken, only, name)
    around = [
        finding
        for finding in taken.description.findings
        if finding.severity is Severity.ERROR and _is_about(finding, systems)
    ]
    return taken_of(systems, around)


def taken_of(systems: Sequence[tuple[str, FileSystem]], findings: Iterable[Finding] = ()) -> FilesTaken:
    """The files of some file systems, with names that are safe here.

    Args:
        systems: The file systems, each with the name of its part.
        findings: What is to be said beside what they say themselves.
    """
    rows = _rows(systems)
    own = [finding for _, system in systems for finding in system.findings]
    said = dict.fromkeys((*findings, *own, *_renamed(rows)))
    return FilesTaken(systems=tuple(systems), rows=rows, findings=tuple(said))


def files_fields(taken: FilesTaken, folder: str | None) -> dict[str, Any]:
    """The files of file systems, and where they are if they were written, for JSON."""
    files: list[dict[str, Any]] = []
    for row in taken.rows:
        digest = hashlib.sha256(row.file.data).hexdigest()
        fields = {"part": row.part, "path": row.file.path, "size": row.file.size, "whole": row.file.whole}
        written = (
            {}
            if folder is None
            else {"output": str(PurePath(folder) / row.target), "bytes": len(row.file.data)}
        )
        files.append({**fields, **written, "sha256": digest})
    return {**({} if folder is None else {"output": folder}), "files": files}


def notes_on_written(taken: FilesTaken) -> tuple[Finding, ...]:
    """What else is to be said where the files are written: that some could not be read whole."""
    if all(row.file.whole for row in taken.rows):
        return ()
    message = "of damaged files what could be read is written, with zeros for a lost stretch"
    return (Finding(Severity.NOTE, "file-parts", message),)


def _none(taken: Extraction, only: ExtractedPart | None, name: str) -> FormatError | UsageError:
    kinds = ", ".join(dict.fromkeys(part.part.kind for part in taken.parts)) or "nothing"
    expected = "a part spiffs or littlefs"
    if only is None:
        return FormatError("no file system is there", source=name, expected=expected, found=kinds)
    message = Phrase(Name(name), f": no file system is in {only.name}")
    return UsageError(message, expected=expected, found=kinds)


def _is_about(finding: Finding, systems: Sequence[tuple[str, FileSystem]]) -> bool:
    """Whether an error of the whole dump is about one of the file systems, as that it is cut."""
    at = finding.offset
    return at is not None and any(system.offset <= at <= system.offset + system.size for _, system in systems)


def _rows(systems: Sequence[tuple[str, FileSystem]]) -> tuple[FileRow, ...]:
    from imgtool.operations.extract.safe_names import safe_paths  # noqa: PLC0415 - few runs want files

    files = [(name, file) for name, system in systems for file in system.files]
    several = len(systems) > 1
    wanted = [f"{name}/{file.path.lstrip('/')}" if several else file.path for name, file in files]
    targets = safe_paths(wanted, [MANIFEST])
    return tuple(FileRow(name, file, target) for (name, file), target in zip(files, targets, strict=True))


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


def _named(file: StoredFile) -> Toned:
    if file.whole:
        return Toned(Name(file.path), Tone.PLAIN)
    return Toned(Phrase(Name(file.path), " (damaged)"), Tone.WRONG)
