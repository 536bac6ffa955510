"""``imgtool try``: boots an image on the virtual board, with its own code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.boot_rom import RomOption, rom_file
from imgtool.cli.input.options import images_of

if TYPE_CHECKING:
    from imgtool.engine.inputs import InputFile
    from imgtool.engine.results import Words

__all__ = ["try_"]

_LONGEST: Final = 86_400.0


def try_(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE...",
            help="An image, its halves, a full image, or a dump; as for flash.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="SIZE",
            help="The board's flash; the file's, or 4MB, if not given.",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(metavar="N", min=0.001, max=_LONGEST, help="How long at most, by the chip's clock."),
    ] = 60.0,
    files: Annotated[
        Path | None,
        typer.Option(
            "--files", metavar="FOLDER", help="Files to put into the flash first.", show_default=False
        ),
    ] = None,
    script: Annotated[
        Path | None,
        typer.Option(
            "--script",
            metavar="FILE",
            help="Type its lines at the prompt, check answers.",
            show_default=False,
        ),
    ] = None,
    rom: RomOption = None,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all that it says here.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write the flash as it is afterwards.", show_default=False
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Boot an image in memory, with its own code: does it start, what does it say and write?

    Exit code 0: it starts, and a script gets its answers. 1: not. No board is needed, and no file changes.

    Example: imgtool try nodemcu.bin --files lua --script test.txt
    """
    from imgtool.cli.input.file_tree import folder_files
    from imgtool.cli.input.files import write_file
    from imgtool.cli.input.placing import file_as_it_is
    from imgtool.cli.show.progress import Progress
    from imgtool.engine.jobs.virtual.try_boot import TryRequest, try_boot
    from imgtool.engine.jobs.virtual.try_script import try_script

    dump = rom_file(rom)
    request = TryRequest(
        files=_files(list(words or [])),
        rom=None if dump is None else dump.data,
        rom_name=None if dump is None else dump.name,
        size=size,
        seconds=seconds,
        output=None if output is None else str(output),
        log=None if log is None else str(log),
        content=None if files is None else folder_files(files),
    )
    with Progress(["try"], events=False, silent=json) as progress:
        listener = progress.listener("try")
        result = (
            try_boot(request, listener)
            if script is None
            else try_script(request, file_as_it_is(script), listener)
        )
    for made in result.outputs:
        write_file(Path(made.name), made.data)
    if json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
    else:
        _show(result.words)
    raise typer.Exit(result.code)


def _files(words: list[str]) -> tuple[InputFile, ...]:
    from imgtool.cli.input.placing import found_here, input_files

    return input_files(images_of(words) if words else found_here())


def _show(words: Words) -> None:
    from imgtool.cli.show.cures import show_cures, show_notes
    from imgtool.cli.show.text import stdout
    from imgtool.cli.show.words import show_rows, show_table, show_verdict

    screen = stdout()
    show_verdict(screen, words)
    screen.line()
    show_rows(screen, words.rows)
    show_cures(screen, words.cures)
    show_notes(screen, words.notes)
    for table in words.tables:
        screen.line()
        show_table(screen, table)
        if table.below:
            screen.paragraph(table.below)
