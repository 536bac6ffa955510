"""``imgtool extract``: parts of an image or a dump to files, or the image as an ELF file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from imgtool.chip import IROM_BASE, IROM_WINDOW
from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.options import number
from imgtool.engine.placing import MANIFEST
from imgtool.errors import UsageError
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.formats.reading import Finding
    from imgtool.operations.extract.parts import ExtractedPart, Extraction

__all__ = ["extract"]

_STDOUT: Final = Path("-")
_MOST_NAMES: Final = 20  # parts that an error names


def extract(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An image, a dump, or any other file.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="PATH", help="A folder for all parts, or a file.", show_default=False
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option("--part", metavar="NAME", help="Only this part: its name or its offset."),
    ] = None,
    segment: Annotated[
        str | None,
        typer.Option("--segment", metavar="[PART:]N", help="Only this segment of an image."),
    ] = None,
    files: Annotated[
        bool, typer.Option("--files", help="The files of SPIFFS and LittleFS: list them, -o writes them.")
    ] = False,
    to_elf: Annotated[
        bool, typer.Option("--to-elf", help="Write the image as an ELF file for disassemblers.")
    ] = False,
    irom_address: Annotated[
        str | None,
        typer.Option("--irom-address", metavar="ADDR", help="Where irom runs, for --to-elf."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Take an image or a dump apart: parts to files and a manifest that puts them together again.

    Without options it lists the parts and writes nothing. With --files it takes files out of file systems.

    Example: imgtool extract nodemcu.bin -o parts
    """
    from imgtool.cli.input.files import read_file
    from imgtool.errors import ImgtoolError
    from imgtool.operations.extract.parts import extract as take_apart

    _check_words(output, files=files, part=part, segment=segment, to_elf=to_elf, irom_address=irom_address)
    address = None if irom_address is None else _irom_address(irom_address)
    data = read_file(file)
    try:
        taken = take_apart(data, file.name)
        only = None if part is None else _part(taken, part)
        if files:
            from imgtool.cli.commands.images.extract_files import extract_files

            extract_files(taken, file, output, only, json=json)
            return
        report = _done(taken, file, output, only, segment=segment, to_elf=to_elf, address=address)
    except UsageError:
        raise
    except ImgtoolError as error:
        raise error.with_source(str(file)) from None
    if json:
        _print_json(taken, file, output, report)
    else:
        _print_text(taken, file, report)


def _done(
    taken: Extraction,
    file: Path,
    output: Path | None,
    only: ExtractedPart | None,
    *,
    segment: str | None,
    to_elf: bool,
    address: int | None,
) -> _Report:
    """List or write what was asked for."""
    from imgtool.engine.jobs.extract import part_rows

    if output is None:
        return _Report("", part_rows(taken), taken.findings)
    if to_elf:
        return _write_elf(taken, file, output, only, address)
    if segment is not None:
        return _write_segment(taken, file, output, segment)
    return _write_all(taken, file, output) if only is None else _write_part(taken, file, output, only)


def _irom_address(text: str) -> int:
    value = number(text, "number")
    if not IROM_BASE <= value < IROM_BASE + IROM_WINDOW or value % 4:
        raise UsageError(
            "irom cannot run there",
            expected=f"a multiple of 4 from 0x{IROM_BASE:08x} to 0x{IROM_BASE + IROM_WINDOW - 1:08x}",
            found=text,
        )
    return value


def _check_words(
    output: Path | None,
    *,
    files: bool,
    part: str | None,
    segment: str | None,
    to_elf: bool,
    irom_address: str | None,
) -> None:
    """Refuse options that make no sense together."""
    if output == _STDOUT:
        raise UsageError("extract writes files, nothing to stdout", expected="-o PATH", found="-o -")
    given = [
        name
        for name, value in (("--part", part), ("--segment", segment), ("--to-elf", to_elf))
        if value not in (None, False)
    ]
    if irom_address is not None and not to_elf:
        raise UsageError("--irom-address is for --to-elf", expected="--to-elf too", found="no --to-elf")
    other = [name for name in given if name != "--part"]
    if files and other:
        raise UsageError(f"--files and {other[0]} do not go together", expected="one of them", found="both")
    if given and output is None and not files:
        raise UsageError(f"{given[0]} needs an output", expected="-o FILE", found="none")
    if segment is not None and len(given) > 1:
        raise UsageError(
            f"--segment and {next(name for name in given if name != '--segment')} do not go together",
            expected="--segment [PART:]N alone",
            found="both",
        )


class _Report(NamedTuple):
    """What was done: a line, rows for the table of it, what is to be said, and more for JSON."""

    line: str
    rows: list[dict[str, Any]]
    findings: tuple[Finding, ...]
    more: dict[str, Any] = {}  # noqa: RUF012 - never changed
    shown: Sequence[ExtractedPart] = ()


def _part(taken: Extraction, name: str) -> ExtractedPart:
    """The part that a word names: its name, or the offset that it begins at.

    Raises:
        UsageError: There is none.
    """
    found = taken.find(number(name, "offset") if name[:1].isdigit() else name)
    if found is None:
        names = [f"{part.name} (0x{part.part.offset:05x})" for part in taken.parts[:_MOST_NAMES]]
        if len(taken.parts) > len(names):
            names.append(f"or another of {len(taken.parts):,}")
        raise UsageError(f"there is no part {name}", expected=", ".join(names) or "none", found=name)
    return found


def _write_all(taken: Extraction, file: Path, folder: Path) -> _Report:
    from imgtool.cli.input.files import check_output, unusable, write_file
    from imgtool.cli.input.parts_folder import is_inside
    from imgtool.engine.jobs.extract import part_rows

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise unusable(Phrase("the folder ", folder), "made", error) from None
    kept = {stretch.file for stretch in taken.manifest.files}
    contents = {part.file: part.data for part in taken.parts if part.file in kept}
    contents[MANIFEST] = taken.manifest.build()  # last: a run that breaks off leaves none
    for name in contents:
        check_output(folder / name, [file])
        if not is_inside(folder / name, folder):
            raise UsageError(Phrase(folder / name, " is a link that leads out of the folder"))
    for name, data in contents.items():
        write_file(folder / name, data)
    fills = len(taken.manifest.stretches) - len(kept)
    line = Phrase(f"{len(kept)} file{'' if len(kept) == 1 else 's'} and {MANIFEST} in ", folder)
    if fills:
        line = Phrase(line, f"; {fills} stretch{'' if fills == 1 else 'es'} of fill in the manifest only")
    more = {"output": str(folder), "manifest": str(folder / MANIFEST)}
    return _Report(Phrase(line, "."), part_rows(taken, folder), taken.findings, more, taken.parts)


def _write_part(taken: Extraction, file: Path, output: Path, part: ExtractedPart) -> _Report:
    from imgtool.cli.input.files import write_file
    from imgtool.engine.jobs.extract import written_part_row
    from imgtool.formats.reading import Finding, Severity

    data = part.alone
    write_file(output, data, [file])
    findings = taken.findings
    if len(data) < len(part.data):
        rest = f"{len(part.data) - len(data):,} bytes of its sector"
        message = f"only the {len(data)} bytes of init data are written, not the other {rest}"
        findings = (*findings, Finding(Severity.NOTE, "trimmed", message, part.part.offset + len(data)))
    row = written_part_row(part, output, data)
    line = Phrase(output, f": {len(data):,} bytes, {part.name} at 0x{part.part.offset:05x}")
    return _Report(line, [row], findings, {"output": str(output)}, [part])


def _write_segment(taken: Extraction, file: Path, output: Path, word: str) -> _Report:
    from imgtool.cli.input.files import write_file
    from imgtool.engine.jobs.extract import segment_row

    name, colon, index = word.rpartition(":")
    images = [_part(taken, name)] if colon else list(taken.images)
    if len(images) != 1 or not images[0].part.segments:
        names = ", ".join(f"{image.name}:N" for image in taken.images)
        raise UsageError(
            "there are several images" if len(images) > 1 else "there is no image with segments there",
            expected=names or "an image",
            found=word,
        )
    segments = images[0].part.segments
    if not index.isdecimal() or int(index) >= len(segments):
        raise UsageError(
            f"{images[0].name} has no such segment", expected=f"0 to {len(segments) - 1}", found=index
        )
    segment = segments[int(index)]
    write_file(output, taken.segment(segment), [file])
    row = segment_row(f"{images[0].name}:{index}", segment, output)
    where = f"for 0x{segment.address:08x} ({segment.memory or 'no memory'})"
    line = Phrase(output, f": {segment.size:,} bytes, segment {index} of {images[0].name}, {where}")
    return _Report(line, [row], taken.findings, {"output": str(output)})


def _write_elf(
    taken: Extraction, file: Path, output: Path, part: ExtractedPart | None, address: int | None
) -> _Report:
    from imgtool.cli.input.files import write_file
    from imgtool.engine.jobs.extract import elf_fields
    from imgtool.operations.extract.to_elf import to_elf

    made = to_elf(taken, part, irom_address=address)
    write_file(output, made.data, [file])
    entry = made.executable.entry
    line = Phrase(output, f": ELF file of {len(made.data):,} bytes, entry point 0x{entry:08x}")
    return _Report(line, [], made.findings, elf_fields(made, output))


def _print_json(taken: Extraction, file: Path, output: Path | None, report: _Report) -> None:
    from imgtool.cli.show.document import print_document
    from imgtool.engine.documents import document, warnings_of
    from imgtool.engine.jobs.extract import extraction_fields

    parts = {} if "sections" in report.more else {"parts": report.rows}
    more = {**parts, **report.more}
    fields = extraction_fields(taken, file, more, report.findings, written=output is not None)
    print_document(document("extract", ok=True, results=[fields], warnings=warnings_of(report.findings)))


def _print_text(taken: Extraction, file: Path, report: _Report) -> None:
    from imgtool.cli.show import text
    from imgtool.cli.show.render import show_findings, show_lines, show_partitions

    source = taken.manifest.source
    around = "" if source.wrapper is None else f", inside {source.wrapper.kind}"
    show_lines([report.line or Phrase(file, f": {source.kind}{around}, {source.size:,} bytes")])
    screen = text.stdout()
    if "sections" in report.more:
        rows = [
            (row["name"], row["flags"], f"0x{row['address']:08x}", f"{row['size']:,}", row["from"])
            for row in report.more["sections"]
        ]
        screen.table(rows, head=("section", "flags", "address", "size", "from"), right=(3,))
    elif not report.line or "manifest" in report.more:
        _show_parts(report)
    show_partitions([part.part for part in report.shown])
    show_findings(report.findings)


def _show_parts(report: _Report) -> None:
    from imgtool.cli.show import text

    if not report.rows:
        text.stdout().line("It holds nothing but fill.")
        return
    written = "manifest" in report.more
    rows = []
    for row in report.rows:
        address = f"0x{row['address']:08x}" if "address" in row else ""
        address = "by segment" if not address and "segments" in row else address
        last = Name(Path(row["path"]).name) if row.get("path") else "one byte value, in the manifest only"
        rows.append(
            (
                row["name"],
                *(() if written else (row["kind"],)),
                f"0x{row['offset']:06x}",
                f"{row['size']:,}",
                *((last,) if written else (address,)),
            )
        )
    head = (
        ("part", "offset", "size", "file") if written else ("part", "kind", "offset", "size", "load address")
    )
    text.stdout().table(rows, head=head, right=(2,) if written else (3,))
