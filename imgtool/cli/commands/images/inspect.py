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

    from imgtool.operations.inspect.describe import Description
    from imgtool.operations.inspect.sdk_sectors import StoredNetwork

__all__ = ["inspect"]

_STDOUT = Path("-")


def inspect(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files to look at.", show_default=False)
    ],
    recursive: Annotated[
        bool, typer.Option("-r", "--recursive", help="Look at every file in folders, too.")
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
    paths = list(_paths(files, recursive=recursive))
    if not paths:
        raise UsageError("there is no file to look at", expected="files", found="empty folders")
    if html == _STDOUT and json:
        raise UsageError("page and JSON cannot both go to stdout; name a file for the page")
    described = _described(paths, jobs)
    if html is not None:
        _write_page(html, described)
    if json:
        from imgtool.cli.show.document import print_document
        from imgtool.engine.documents import description_fields, document

        results = [description_fields(str(path), description) for path, description in described]
        if show_credentials:
            from imgtool.engine.states import network_fields

            for result, (path, description) in zip(results, described, strict=True):
                result["networks"] = network_fields(_networks(path, description))
        print_document(document("inspect", ok=all(each.ok for _, each in described), results=results))
    elif html != _STDOUT:
        _show(described)
        if show_credentials:
            _show_networks(described)
        _say_where(html)
    from imgtool.engine.descriptions import code_of_descriptions

    raise typer.Exit(code_of_descriptions(description for _, description in described))


def _paths(files: list[Path], *, recursive: bool) -> Iterator[Path]:
    """The files that are named, and those in the folders that are named, in order of their names."""
    for path in files:
        if not path.is_dir():
            yield path
        elif recursive:
            yield from sorted(each for each in path.rglob("*") if each.is_file())
        else:
            raise UsageError(Phrase(path, " is a folder; -r looks at every file in it"))


def _described(paths: list[Path], jobs: int) -> list[tuple[Path, Description]]:
    if jobs == 1 or len(paths) == 1:
        return [(path, _describe(path)) for path in paths]
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(min(jobs, len(paths))) as pool:
        return list(zip(paths, pool.map(_describe, paths), strict=True))


def _describe(path: Path) -> Description:
    from imgtool.cli.input.files import read_file
    from imgtool.engine.descriptions import described

    return described(read_file(path))


def _show(described: list[tuple[Path, Description]]) -> None:
    from imgtool.cli.show.render import show_description, show_overview

    if len(described) == 1:
        path, description = described[0]
        show_description(Name(path), description)
    else:
        show_overview([(str(path), description) for path, description in described])


def _networks(path: Path, description: Description) -> tuple[StoredNetwork, ...]:
    """The networks that a file holds, with their passwords."""
    if description.state is None or description.state.system_param is None:
        return ()
    from imgtool.cli.input.files import read_file
    from imgtool.operations.inspect.sdk_sectors import stored_networks

    return stored_networks(read_file(path), description.state.system_param)


def _show_networks(described: list[tuple[Path, Description]]) -> None:
    from imgtool.cli.show import text
    from imgtool.cli.show.state_report import show_networks

    screen = text.stdout()
    for path, description in described:
        if len(described) > 1:
            screen.line()
            screen.paragraph(Name(path), style="bold")
        show_networks(screen, _networks(path, description))


def _write_page(path: Path, described: list[tuple[Path, Description]]) -> None:
    from imgtool.cli.show.html.page import html_page

    page = html_page([(str(file), description) for file, description in described]).encode()
    if path == _STDOUT:
        typer.echo(page, nl=False)
        return
    from imgtool.cli.input.files import write_file

    write_file(path, page, inputs=[file for file, _ in described])


def _say_where(page: Path | None) -> None:
    from imgtool.cli.show.render import show_lines

    if page is not None:
        show_lines(["", Phrase("The page is in ", page)])
