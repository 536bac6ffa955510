"""A file taken apart: listed, all of its parts, one part, one segment, an ELF file, the files in it.

Not the taking (imgtool.operations.extract); the files of file systems are in extract_files.py.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.chip import IROM_BASE, IROM_WINDOW
from imgtool.device.events import Event, ignore
from imgtool.engine.documents import document, finding_fields, part_fields, warnings_of
from imgtool.engine.numbers import number
from imgtool.engine.placing import MANIFEST
from imgtool.engine.results import Output, Table, Tone, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE, NO
from imgtool.errors import ImgtoolError, UsageError
from imgtool.formats.reading import Finding, Severity
from imgtool.operations.assemble.wrong_files import refuse_without_parts
from imgtool.operations.extract.parts import extract as take_apart
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from imgtool.device.events import Listener
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import InputFile
    from imgtool.engine.jobs.extract_files import FilesTaken
    from imgtool.operations.extract.parts import ExtractedPart, Extraction
    from imgtool.operations.extract.to_elf import ElfOutput

__all__ = ["ExtractRequest", "ExtractResult", "Taken", "extract"]

_MOST_NAMES: Final = 20  # parts that an error names
_NO_PARTS: Final = "It holds nothing but fill."


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractRequest:
    """A file to take apart.

    Attributes:
        file: The file.
        output: Where it goes: a folder for all parts and for files, else a file; None to list it alone.
        part: Only this part: its name, or the offset that it begins at, as a number or a word.
        segment: Only this segment of an image: ``N``, or ``PART:N`` where there are several images.
        files: Whether the files of file systems are meant, not the parts.
        to_elf: Whether an ELF file is made of the image.
        irom_address: Where irom runs, for the ELF file, as a number or a word; None for what the file tells.
    """

    file: InputFile
    output: str | None = None
    part: str | int | None = None
    segment: str | int | None = None
    files: bool = False
    to_elf: bool = False
    irom_address: str | int | None = None


class Taken(NamedTuple):
    """What was taken out.

    Attributes:
        line: What it is, on one line.
        fields: More for the document.
        findings: What is to be said.
        outputs: The files.
        tables: What is in it.
        parts: The parts that it is about.
        elf: The ELF file, if that is what was made.
        files: The files of file systems, if they are meant.
    """

    line: str
    fields: Mapping[str, Any]
    findings: tuple[Finding, ...]
    outputs: tuple[Output, ...] = ()
    tables: tuple[Table, ...] = ()
    parts: tuple[ExtractedPart, ...] = ()
    elf: ElfOutput | None = None
    files: FilesTaken | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractResult:
    """What was taken out of a file.

    Attributes:
        name: Name of the file.
        extraction: All that it can be taken apart into.
        taken: What was asked for.
        written: Whether there are outputs: it was not listed alone.
    """

    name: str
    extraction: Extraction = field(repr=False)
    taken: Taken = field(repr=False)
    written: bool

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is to be said."""
        return self.taken.findings

    @property
    def parts(self) -> tuple[ExtractedPart, ...]:
        """The parts that were written; none where they were listed, or something else was made."""
        return self.taken.parts

    @property
    def elf(self) -> ElfOutput | None:
        """The ELF file; None where none was asked for."""
        return self.taken.elf

    @property
    def files(self) -> FilesTaken | None:
        """The files of file systems; None where they were not asked for."""
        return self.taken.files

    @property
    def ok(self) -> bool:
        """Whether nothing of the files, if they were asked for, is damaged."""
        return self.files is None or self.files.ok

    @property
    def code(self) -> int:
        """The exit code of ``extract``."""
        return DONE if self.ok else NO

    @property
    def document(self) -> Document:
        """What ``extract`` prints under ``--json``."""
        source = self.extraction.manifest.source
        fields = {
            "path": self.name,
            "size": source.size,
            "sha256": source.sha256,
            "kind": source.kind,
            "wrapper": None if source.wrapper is None else source.wrapper.kind,
            "written": self.written,
            **self.taken.fields,
            "findings": [finding_fields(finding) for finding in self.findings],
        }
        return document("extract", ok=self.ok, results=[fields], warnings=warnings_of(self.findings))

    @property
    def words(self) -> Words:
        """What was taken out, and a table of what is in it."""
        return Words(
            verdict=self.taken.line,
            tone=Tone.PLAIN if self.ok else Tone.WRONG,
            tables=self.taken.tables,
            findings=self.findings,
        )

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The files to write; a manifest is the last, so that a run that breaks off leaves none."""
        return self.taken.outputs


def extract(request: ExtractRequest, on_event: Listener = ignore) -> ExtractResult:
    """Take a file apart.

    Args:
        request: What is asked for.
        on_event: Told when the file is taken apart, and when what is asked for is made of it.

    Raises:
        UsageError: What is asked for is not there, or does not go together.
        FormatError: The file is empty, larger than any flash, or has not what is asked for.
        InterruptedRunError: It was stopped.
    """
    _check(request)
    address = None if request.irom_address is None else _irom_address(request.irom_address)
    file = request.file
    with stoppable():
        on_event(Event("extract", 0, 2, file.name))
        try:
            extraction = take_apart(file.data, PurePath(file.name).name)
            refuse_without_parts(extraction.description)
            on_event(Event("extract", 1, 2, request.output or file.name))
            taken = _taken(request, extraction, address)
        except UsageError:
            raise
        except ImgtoolError as error:
            raise error.with_source(file.name) from None
    return ExtractResult(
        name=file.name, extraction=extraction, taken=taken, written=request.output is not None
    )


def _check(request: ExtractRequest) -> None:
    """Refuse what does not go together."""
    asked = [
        name
        for name, value in (
            ("the files of file systems", request.files),
            ("a segment", request.segment is not None),
            ("an ELF file", request.to_elf),
        )
        if value
    ]
    if request.segment is not None and request.part is not None:
        asked.append("a part")
    if len(asked) > 1:
        raise UsageError(
            f"{asked[0]} and {asked[1]} do not go together", expected="one of them", found="both"
        )
    if request.irom_address is not None and not request.to_elf:
        raise UsageError("where irom runs is told for an ELF file", expected="an ELF file")
    single = request.part is not None or request.segment is not None or request.to_elf
    if single and request.output is None and not request.files:
        raise UsageError("nothing says where it goes", expected="a name for the output")


def _irom_address(word: str | int) -> int:
    value = number(word)
    if not IROM_BASE <= value < IROM_BASE + IROM_WINDOW or value % 4:
        raise UsageError(
            "irom cannot run there",
            expected=f"a multiple of 4 from 0x{IROM_BASE:08x} to 0x{IROM_BASE + IROM_WINDOW - 1:08x}",
            found=word if isinstance(word, str) else f"{word:#x}",
        )
    return value


def _taken(request: ExtractRequest, extraction: Extraction, address: int | None) -> Taken:
    only = None if request.part is None else _part(extraction, request.part)
    if request.files:
        return _files(extraction, request.file.name, request.output, only)
    if request.output is None:
        return _listed(extraction, request.file.name)
    if request.to_elf:
        return _elf(extraction, request.output, only, address)
    if request.segment is not None:
        return _segment(extraction, request.output, str(request.segment))
    return _all(extraction, request.output) if only is None else _one(extraction, request.output, only)


def _part(extraction: Extraction, word: str | int) -> ExtractedPart:
    """The part that a word names: its name, or the offset that it begins at."""
    named = isinstance(word, str) and not word[:1].isdigit()
    found = extraction.find(word if named else number(word, "offset"))
    if found is None:
        names = [f"{part.name} (0x{part.part.offset:05x})" for part in extraction.parts[:_MOST_NAMES]]
        if len(extraction.parts) > len(names):
            names.append(f"or another of {len(extraction.parts):,}")
        name = word if isinstance(word, str) else f"0x{word:05x}"
        raise UsageError(f"there is no part {name}", expected=", ".join(names) or "none", found=name)
    return found


def _listed(extraction: Extraction, name: str) -> Taken:
    """What could be taken out."""
    source = extraction.manifest.source
    around = "" if source.wrapper is None else f", inside {source.wrapper.kind}"
    return Taken(
        Phrase(Name(name), f": {source.kind}{around}, {source.size:,} bytes"),
        {"parts": [_part_fields(part) for part in extraction.parts]},
        extraction.findings,
        tables=(_table_of_parts(extraction.parts),),
    )


def _all(extraction: Extraction, folder: str) -> Taken:
    """All parts and their manifest, as files of a folder."""
    kept = {stretch.file: stretch for stretch in extraction.manifest.files}
    contents = {part.file: part.data for part in extraction.parts if part.file in kept}
    contents[MANIFEST] = extraction.manifest.build()
    outputs = tuple(Output(str(PurePath(folder) / name), data) for name, data in contents.items())
    rows = []
    for part in extraction.parts:
        stretch = kept.get(part.file)
        place = None if stretch is None else str(PurePath(folder) / part.file)
        rows.append(
            {**_part_fields(part), "path": place} | ({} if stretch is None else {"sha256": stretch.sha256})
        )
    fills = len(extraction.manifest.stretches) - len(kept)
    line = Phrase(f"{len(kept)} file{'' if len(kept) == 1 else 's'} and {MANIFEST} in ", Name(folder))
    if fills:
        line = Phrase(line, f"; {fills} stretch{'' if fills == 1 else 'es'} of fill in the manifest only")
    return Taken(
        Phrase(line, "."),
        {"parts": rows, "output": folder, "manifest": outputs[-1].name},
        extraction.findings,
        outputs,
        (_table_of_files(extraction.parts, kept),),
        extraction.parts,
    )


def _one(extraction: Extraction, output: str, part: ExtractedPart) -> Taken:
    data = part.alone
    findings = extraction.findings
    if len(data) < len(part.data):
        rest = f"{len(part.data) - len(data):,} bytes of its sector"
        message = f"only the {len(data)} bytes of init data are written, not the other {rest}"
        findings = (*findings, Finding(Severity.NOTE, "trimmed", message, part.part.offset + len(data)))
    row = {
        **_part_fields(part),
        "path": output,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return Taken(
        Phrase(Name(output), f": {len(data):,} bytes, {part.name} at 0x{part.part.offset:05x}"),
        {"parts": [row], "output": output},
        findings,
        (Output(output, data),),
        parts=(part,),
    )


def _segment(extraction: Extraction, output: str, word: str) -> Taken:
    name, colon, index = word.rpartition(":")
    images = [_part(extraction, name)] if colon else list(extraction.images)
    if len(images) != 1 or not images[0].part.segments:
        names = ", ".join(f"{image.name}:N" for image in extraction.images)
        raise UsageError(
            "there are several images" if len(images) > 1 else "there is no image with segments there",
            expected=names or "an image",
            found=word,
        )
    image = images[0]
    segments = image.part.segments
    if not index.isdecimal() or int(index) >= len(segments):
        raise UsageError(
            f"{image.name} has no such segment", expected=f"0 to {len(segments) - 1}", found=index
        )
    segment = segments[int(index)]
    row = {
        "name": f"{image.name}:{index}",
        "kind": "segment",
        "offset": segment.offset,
        "size": segment.size,
        "address": segment.address,
        "memory": segment.memory,
        "path": output,
    }
    where = f"for 0x{segment.address:08x} ({segment.memory or 'no memory'})"
    return Taken(
        Phrase(Name(output), f": {segment.size:,} bytes, segment {index} of {image.name}, {where}"),
        {"parts": [row], "output": output},
        extraction.findings,
        (Output(output, extraction.segment(segment)),),
    )


def _elf(extraction: Extraction, output: str, part: ExtractedPart | None, address: int | None) -> Taken:
    from imgtool.operations.extract.to_elf import to_elf  # noqa: PLC0415 - slow, and few runs want one

    made = to_elf(extraction, part, irom_address=address)
    entry, symbols = made.executable.entry, made.executable.symbols
    sections = _section_fields(made)
    fields = {
        "output": output,
        "entry": entry,
        "symbols": [{"name": symbol.name, "address": symbol.address} for symbol in symbols],
        "sections": sections,
    }
    return Taken(
        Phrase(Name(output), f": ELF file of {len(made.data):,} bytes, entry point 0x{entry:08x}"),
        fields,
        made.findings,
        (Output(output, made.data),),
        (_table_of_sections(sections),),
        elf=made,
    )


def _files(extraction: Extraction, name: str, folder: str | None, only: ExtractedPart | None) -> Taken:
    from imgtool.engine.jobs import extract_files  # noqa: PLC0415 - few runs want files

    taken = extract_files.files_taken(extraction, only, name)
    fields = extract_files.files_fields(taken, folder)
    tables = (taken.table,)
    if folder is None:
        told = (
            f"{taken.count} in {taken.names}"
            if taken.listed
            else f"the files in {taken.names} are not listed"
        )
        line = Phrase(Name(name), f": {told}.")
        return Taken(line, fields, taken.findings, tables=tables, files=taken)
    findings = (*taken.findings, *extract_files.notes_on_written(taken))
    line = Phrase(f"{taken.count} of {taken.names} in ", Name(folder), ".")
    return Taken(line, fields, findings, taken.outputs(folder), tables, files=taken)


# For programs.


def _part_fields(part: ExtractedPart) -> dict[str, Any]:
    return {"name": part.name, **part_fields(part.part)}


def _section_fields(made: ElfOutput) -> list[dict[str, Any]]:
    """The sections of an ELF file, and which part each comes from."""
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


# For people.


def _table_of_parts(parts: Iterable[ExtractedPart]) -> Table:
    rows = []
    for each in parts:
        part = each.part
        where = "by segment" if part.segments else ""
        where = where if part.address is None else f"0x{part.address:08x}"
        rows.append((each.name, str(part.kind), f"0x{part.offset:06x}", f"{part.size:,}", where))
    head = ("part", "kind", "offset", "size", "load address")
    return Table(rows=tuple(rows), head=head, right=(3,), below="" if rows else _NO_PARTS)


def _table_of_files(parts: Iterable[ExtractedPart], kept: Container[str]) -> Table:
    """The parts as files of a folder, but for those that the manifest alone has."""
    rows = tuple(
        (
            each.name,
            f"0x{each.part.offset:06x}",
            f"{each.part.size:,}",
            Name(each.file) if each.file in kept else "one byte value, in the manifest only",
        )
        for each in parts
    )
    head = ("part", "offset", "size", "file")
    return Table(rows=rows, head=head, right=(2,), below="" if rows else _NO_PARTS)


def _table_of_sections(sections: Iterable[Mapping[str, Any]]) -> Table:
    rows = tuple(
        (row["name"], row["flags"], f"0x{row['address']:08x}", f"{row['size']:,}", row["from"])
        for row in sections
    )
    return Table(rows=rows, head=("section", "flags", "address", "size", "from"), right=(3,))
