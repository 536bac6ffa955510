"""``imgtool prove``: what only a chip can tell about imgtool's own stub, observed on this one, to a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.connection import BaudOption, EventsOption, PortOption, ResetOption
from imgtool.errors import UsageError
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from imgtool.engine.results import Output, Words

__all__ = ["prove"]


def prove(
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Where to write.",
            show_default="imgtool-stub-MAC-DATE.json",
        ),
    ] = None,
    scratch: Annotated[
        str | None,
        typer.Option(
            "--scratch",
            metavar="ADDR",
            help="Block of 64 KB to write, and to put back.",
            show_default="one that is blank",
        ),
    ] = None,
    board: Annotated[
        str | None,
        typer.Option("--board", metavar="TEXT", help="Which board it is, in your words.", show_default=False),
    ] = None,
    port: PortOption = None,
    baud: BaudOption = None,
    reset: ResetOption = "auto",
    json: JsonOption = False,
    events: EventsOption = False,
) -> None:
    """Try imgtool's own flasher stub on a chip, and write what was seen to a file.

    Exit code 0: all that is assumed of the chip holds. 1: something does not, or was not observed.

    Example: imgtool prove --port /dev/ttyUSB0
    """
    from datetime import datetime

    from imgtool.cli.input.connection import connect_options, port_name
    from imgtool.cli.input.options import number
    from imgtool.cli.run.connecting import opened
    from imgtool.cli.show.document import print_document
    from imgtool.cli.show.progress import Progress
    from imgtool.engine.jobs import prove as job

    address = None if scratch is None else job.whole_block(number(scratch, "address"), scratch)
    _check_output(output)
    request = job.ProveRequest(
        moment=datetime.now().astimezone(),
        keep=_write,
        drop=lambda kept: Path(kept).unlink(missing_ok=True),
        output=None if output is None else str(output),
        scratch=address,
        board=board,
        connect=connect_options(baud, "imgtool", reset),
    )
    name = port_name(port)
    with Progress([name], events=events, silent=json) as progress, opened(name, progress) as wire:
        result = job.prove(wire, request, progress.listener(name))
    for file in result.outputs:
        _write(file)
    if json:
        print_document(result.document)
    else:
        _show(result.words)
    raise typer.Exit(result.code)


def _write(file: Output) -> None:
    from imgtool.cli.input.files import write_file

    write_file(Path(file.name), file.data)


def _check_output(output: Path | None) -> None:
    """Look at the place of the output before the flash is written."""
    from imgtool.cli.input.files import check_name

    if output is not None:
        check_name(output)
    folder = Path() if output is None else output.parent
    if not folder.is_dir():
        raise UsageError(Phrase("there is no folder ", folder), expected="a folder that is there")
    if output is not None and output.is_dir():
        raise UsageError(Phrase(output, " is a folder"), expected="a file")
    if not os.access(folder, os.W_OK):
        raise UsageError(Phrase("the folder ", folder, " cannot be written to"))


def _show(words: Words) -> None:
    from imgtool.cli.show.text import Span, stdout
    from imgtool.cli.show.words import show_table, show_verdict

    screen = stdout()
    for table in words.tables:
        show_table(screen, table)
    if words.findings:
        screen.line()
    for finding in words.findings:
        screen.paragraph(finding.message, lead=[Span("  no  ", "bold red")])
    screen.line()
    show_verdict(screen, words)
    for note in words.notes:
        screen.paragraph(note)
