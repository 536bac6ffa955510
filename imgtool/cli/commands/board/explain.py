"""``imgtool explain``: what a boot log says: verdict, cause, cure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.errors import UsageError

if TYPE_CHECKING:
    from imgtool.cli.show.text import Line, Screen
    from imgtool.formats.logs.boots import Boot
    from imgtool.operations.explain.log import Explanation

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

    Exit code 0: the firmware starts, or waits to be written. 1: it does not. 3: this is no boot log.

    Example: imgtool explain boot.log
    """
    from imgtool.engine.boot_logs import explain as explained
    from imgtool.engine.verdicts import code_of_explanation

    symbols = []
    if elf:
        from imgtool.cli.input.files import read_symbols

        symbols = read_symbols(elf)
    result = explained(_read(log), symbols)
    if json:
        from imgtool.cli.show.document import print_document
        from imgtool.engine.documents import document
        from imgtool.engine.jobs.explain import explanation_fields

        name = _STDIN if log is None else log
        print_document(document("explain", ok=result.ok, results=[explanation_fields(name, result)]))
    else:
        _show(result)
    raise typer.Exit(code_of_explanation(result))


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


# For people.

_SHOWN_BOOTS = 3


def _show(result: Explanation) -> None:
    from imgtool.cli.show.cures import show_cures, show_notes
    from imgtool.cli.show.text import stdout
    from imgtool.engine.jobs.explain import boot_runs

    screen = stdout()
    style = "bold green" if result.ok else "bold red" if result.boots else "bold yellow"
    screen.paragraph(result.sentence, style=style)
    screen.line()
    screen.paragraph(result.cause)
    show_cures(screen, result.cures)
    show_notes(screen, result.notes)
    if result.crash is not None:
        from imgtool.cli.show.crash_report import show_crash

        show_crash(screen, result.crash, result.frames)
    for first, count in boot_runs(result.boots)[-_SHOWN_BOOTS:]:
        screen.line()
        _show_boot(screen, first, count)


def _show_boot(screen: Screen, boot: Boot, count: int) -> None:
    from imgtool.cli.show.text import Span
    from imgtool.engine.jobs.explain import boot_rows

    again = f", and {count - 1} more like it" if count > 1 else ""
    screen.paragraph(f"Boot from line {boot.line} on{again}", style="bold")
    rows: list[tuple[Line, ...]] = [
        (Span(name, "dim"), value) for name, value in boot_rows(boot, numbered=True)
    ]
    if rows:
        screen.table(rows)
