"""``imgtool extract``: parts of an image or a dump to files, or the image as an ELF file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.errors import UsageError

if TYPE_CHECKING:
    from imgtool.engine.jobs.extract import ExtractResult

__all__ = ["extract"]

_STDOUT: Final = Path("-")


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
    from imgtool.cli.input.placing import file_as_it_is
    from imgtool.engine.jobs.extract import ExtractRequest
    from imgtool.engine.jobs.extract import extract as take_apart

    _check_words(output, files=files, part=part, segment=segment, to_elf=to_elf, irom_address=irom_address)
    request = ExtractRequest(
        file=file_as_it_is(file),
        output=None if output is None else str(output),
        part=part,
        segment=segment,
        files=files,
        to_elf=to_elf,
        irom_address=irom_address,
    )
    result = take_apart(request)
    if output is not None:
        from imgtool.cli.input.files import write_file
        from imgtool.cli.input.output_folder import write_found_files, write_parts

        if files:
            write_found_files(output, result.outputs, [file])
        elif part is None and segment is None and not to_elf:
            write_parts(output, result.outputs, [file])
        else:
            write_file(output, result.outputs[0].data, [file])
    if json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
    else:
        _show(result)
    raise typer.Exit(result.code)


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
        raise UsageError("--irom-address is for --to-elf", expected="--to-elf too")
    other = [name for name in given if name != "--part"]
    if files and other:
        raise UsageError(f"--files and {other[0]} do not go together", expected="one of them", found="both")
    if given and output is None and not files:
        raise UsageError(f"{given[0]} needs an output", expected="-o FILE")
    if segment is not None and len(given) > 1:
        raise UsageError(
            f"--segment and {next(name for name in given if name != '--segment')} do not go together",
            expected="--segment [PART:]N alone",
            found="both",
        )


def _show(result: ExtractResult) -> None:
    from imgtool.cli.show.render import show_findings, show_lines, show_partitions
    from imgtool.cli.show.text import stdout
    from imgtool.cli.show.words import show_table

    show_lines([result.words.verdict])
    screen = stdout()
    for table in result.words.tables:
        show_table(screen, table)
        if table.below:
            screen.line(table.below)
    show_partitions([part.part for part in result.parts])
    show_findings(result.findings)
