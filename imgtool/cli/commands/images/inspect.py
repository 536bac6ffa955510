"""``imgtool inspect``: what files are, their parts on a map, every check, which firmware they hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.errors import UsageError
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.engine.jobs.inspect import InspectResult

__all__ = ["inspect"]

_STDOUT = Path("-")


def inspect(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Files to look at; of folders every file.", show_default=False
        ),
    ],
    recursive: Annotated[  # noqa: ARG001 - folders were once walked only if it was given
        bool, typer.Option("-r", "--recursive", help="Folders are walked, with or without it.")
    ] = False,
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", metavar="N", min=1, help="Files to look at side by side.")
    ] = 1,
    show_credentials: Annotated[
        bool,
        typer.Option("--show-credentials", help="Print networks and passwords that a dump holds, too."),
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="OUT.html", help="Write a page on them, too; - for stdout.", show_default=False
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say what files are: parts on a map, checks, firmware; several as a table.

    Exit code 0: every check holds. 1: a file is damaged. 3: it is no ESP8266 file.

    Example: imgtool inspect nodemcu.bin
    """
    paths = list(_paths(files))
    if not paths:
        raise UsageError("there is no file to look at", expected="files", found="empty folders")
    if html == _STDOUT and json:
        raise UsageError("page and JSON cannot both go to stdout; name a file for the page")
    result = _inspected(paths, jobs, show_credentials=show_credentials)
    if html is not None:
        _write_page(html, result)
    if json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
    elif html != _STDOUT:
        _show(result)
        if show_credentials:
            _show_networks(result)
        _say_where(html)
    raise typer.Exit(result.code)


def _paths(files: list[Path]) -> Iterator[Path]:
    """The files that are named, and those in the folders that are named, in order of their names."""
    for path in files:
        if not path.is_dir():
            yield path
        else:
            yield from sorted(each for each in path.rglob("*") if each.is_file())


def _inspected(paths: list[Path], jobs: int, *, show_credentials: bool) -> InspectResult:
    """All files, one after the other or side by side; never more than one a process in memory."""
    from functools import partial

    from imgtool.engine.jobs.inspect import InspectResult

    look = partial(_inspect_one, show_credentials=show_credentials)
    if jobs == 1 or len(paths) == 1:
        return InspectResult.joined(map(look, paths))
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(min(jobs, len(paths))) as pool:
        return InspectResult.joined(pool.map(look, paths))


def _inspect_one(path: Path, *, show_credentials: bool) -> InspectResult:
    from imgtool.cli.input.files import read_file
    from imgtool.engine.inputs import InputFile
    from imgtool.engine.jobs.inspect import InspectRequest
    from imgtool.engine.jobs.inspect import inspect as look

    return look(InspectRequest((InputFile(str(path), read_file(path)),), show_credentials))


def _show(result: InspectResult) -> None:
    from imgtool.cli.show.render import show_description, show_overview

    if len(result.files) == 1:
        file = result.files[0]
        show_description(Name(file.name), file.description)
    else:
        show_overview([(file.name, file.description) for file in result.files])


def _show_networks(result: InspectResult) -> None:
    from imgtool.cli.show import text
    from imgtool.cli.show.state_report import show_networks

    screen = text.stdout()
    for file in result.files:
        if len(result.files) > 1:
            screen.line()
            screen.paragraph(Name(file.name), style="bold")
        show_networks(screen, file.networks or ())


def _write_page(path: Path, result: InspectResult) -> None:
    from imgtool.cli.show.html.page import html_page

    page = html_page([(file.name, file.description) for file in result.files]).encode()
    if path == _STDOUT:
        typer.echo(page, nl=False)
        return
    from imgtool.cli.input.files import write_file

    write_file(path, page, inputs=[Path(file.name) for file in result.files])


def _say_where(page: Path | None) -> None:
    from imgtool.cli.show.render import show_lines

    if page is not None:
        show_lines(["", Phrase("The page is in ", page)])
