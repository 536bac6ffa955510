"""``imgtool explain``: what a boot log says: verdict, cause, cure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.errors import UsageError

if TYPE_CHECKING:
    from imgtool.engine.inputs import InputFile
    from imgtool.engine.results import Words

__all__ = ["explain"]

_STDIN = "-"


def explain(
    log: Annotated[
        str | None, typer.Argument(metavar="LOG", help="A boot log; - for stdin.", show_default=False)
    ] = None,
    elf: Annotated[
        list[Path] | None,
        typer.Option(
            "--elf",
            metavar="FILE",
            help="The ELF file of the firmware: names the functions of a crash. Several are allowed.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say what a boot log means: verdict, cause, and the commands that cure it.

    Exit code 0: the firmware runs or speaks, or the chip waits to be written. 1: it fails, or that cannot be
    told. 3: this is no boot log.

    Example: imgtool explain boot.log
    """
    from imgtool.engine.jobs.explain import ExplainRequest
    from imgtool.engine.jobs.explain import explain as explained

    elfs = _programs(elf) if elf else ()
    result = explained(ExplainRequest(log=_read(log), name=_STDIN if log is None else log, elfs=elfs))
    if json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
    else:
        _show(result.words)
    raise typer.Exit(result.code)


def _programs(paths: list[Path]) -> tuple[InputFile, ...]:
    from imgtool.cli.input.placing import file_as_it_is

    return tuple(map(file_as_it_is, paths))


def _read(log: str | None) -> bytes:
    if log not in (None, _STDIN):
        from imgtool.cli.input.files import read_file

        return read_file(Path(log or ""))
    stdin: TextIO | None = sys.stdin  # None for a process that was started without one
    if stdin is None or (log is None and stdin.isatty()):
        found = "none" if stdin is None else "a terminal"
        raise UsageError("no log is given", expected="a file, or a log on stdin", found=found)
    try:
        return stdin.buffer.read()
    except OSError as error:
        from imgtool.cli.input.files import unusable

        raise unusable("stdin", "read", error) from None


def _show(words: Words) -> None:
    from imgtool.cli.show.cures import show_cures, show_notes
    from imgtool.cli.show.text import Span, stdout
    from imgtool.cli.show.words import show_table, style_of

    screen = stdout()
    screen.paragraph(words.verdict, style=style_of(words.tone, bold=True))
    screen.line()
    for row in words.rows:
        screen.paragraph(row.text)
    show_cures(screen, words.cures)
    show_notes(screen, words.notes)
    for table in words.tables:
        screen.line()
        show_table(screen, table)
        if table.below:
            screen.paragraph(table.below, lead=[Span("  note  ", "dim")])
