"""``imgtool advise``: what an upgrade will do to files, LFS, settings and init data."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.boot_rom import RomOption, rom_file
from imgtool.cli.input.connection import BaudOption, EventsOption, NoStubOption, ResetOption, StubOption
from imgtool.cli.input.options import images_of
from imgtool.engine.placing import size_name
from imgtool.errors import UsageError
from imgtool.phrase import Name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imgtool.engine.inputs import InputFile
    from imgtool.engine.jobs.advise import AdviseRequest, AdviseResult
    from imgtool.engine.results import Words

__all__ = ["advise"]


def advise(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[OLD] NEW...",
            help="OLD: a dump, an image, or a folder with 0x*.bin; not with --port. NEW: as for flash.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            "--port",
            metavar="PORT",
            help="The board is OLD: port, socket://, rfc2217:// or sim:4MB.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--flash-size",
            metavar="SIZE",
            help="How large the flash is, where OLD does not tell.",
            show_default=False,
        ),
    ] = None,
    keep_files: Annotated[
        bool, typer.Option("--keep-files", help="As imgtool flash --keep-files would do it.")
    ] = False,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Boot it in memory, too, and hold this against that.")
    ] = False,
    rom: RomOption = None,
    baud: BaudOption = None,
    stub: StubOption = "auto",
    no_stub: NoStubOption = False,
    reset: ResetOption = "auto",
    json: JsonOption = False,
    events: EventsOption = False,
) -> None:
    """Say what an upgrade will do: what stays, what is lost, whether it starts.

    Without --port the first word is OLD. With --port OLD is the board, and all words are NEW.
    Exit code 0: nothing is lost. 1: something is, or that is not known.

    Example: imgtool advise backup.bin nodemcu.bin
    """
    from imgtool.engine.jobs.advise import AdviseRequest

    given = list(words or [])
    if port is not None:
        if size is not None:
            raise UsageError(
                "a board tells its size itself", expected="no --flash-size with --port", found=size
            )
        if rehearse:
            raise UsageError(
                "--rehearse is for OLD in a file", expected="imgtool flash --rehearse --dry-run for a board"
            )
        from imgtool.cli.input.connection import connect_options

        request = AdviseRequest(
            files=_new(given),
            spelled=tuple(given),
            keep_files=keep_files,
            connect=connect_options(baud, stub, reset, no_stub=no_stub),
        )
        result = _of_board(port, request, events=events, silent=json)
    else:
        _check_no_board({"--baud": baud, "--stub": stub != "auto" or no_stub, "--reset": reset != "auto"})
        result = _of_file(
            given,
            AdviseRequest(
                files=(),
                size=size,
                keep_files=keep_files,
                rehearse=rehearse,
                rom=rom_file(rom) if rehearse else None,
            ),
            silent=json,
            events=events,
        )
    if json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
    else:
        _show(result.words)
    raise typer.Exit(result.code)


def _check_no_board(for_a_board: Mapping[str, object]) -> None:
    alone = next((name for name, value in for_a_board.items() if value), None)
    if alone is not None:
        raise UsageError(f"{alone} is for a board", expected=f"-p PORT with {alone}")


def _of_file(given: list[str], request: AdviseRequest, *, silent: bool, events: bool) -> AdviseResult:
    """OLD is a file, or a folder whose images make up one."""
    from imgtool.cli.input.placing import input_files
    from imgtool.cli.show.progress import Progress
    from imgtool.engine.jobs.advise import advise

    if len(given) < 2:  # noqa: PLR2004 - OLD and NEW
        raise UsageError(
            "OLD and NEW are both needed",
            expected="imgtool advise OLD NEW, or -p PORT NEW",
            found=Name(shlex.join(given) or "nothing"),
        )
    old, new = given[0], given[1:]
    if request.size is not None:
        size_name(request.size)
    files = _new(new)
    if not Path(old).exists() and ":" in old:
        raise UsageError(
            "OLD is no file", expected="a file, a folder, or -p PORT for a board", found=Name(old)
        )
    request = replace(
        request, files=files, old=input_files(images_of([old])), old_name=old, spelled=tuple(new)
    )
    if not request.rehearse:
        return advise(request)
    with Progress([old], events=events, silent=silent) as progress:
        listen = progress.listener(old)
        return advise(request, None, lambda event: None if event.stage == "advise" else listen(event))


def _new(words: list[str]) -> tuple[InputFile, ...]:
    from imgtool.cli.input.placing import found_here, input_files

    return input_files(images_of(words) if words else found_here())


def _of_board(given: list[str], request: AdviseRequest, *, events: bool, silent: bool) -> AdviseResult:
    from imgtool.cli.input.connection import port_name
    from imgtool.cli.run.connecting import opened
    from imgtool.cli.show.progress import Progress
    from imgtool.engine.jobs.advise import advise, check_new

    check_new(request)
    name = port_name(given)
    with Progress([name], events=events, silent=silent) as progress, opened(name, progress) as wire:
        return advise(request, wire, progress.listener(name))


def _show(words: Words) -> None:
    from imgtool.cli.show.cures import show_cures, show_notes
    from imgtool.cli.show.text import stdout
    from imgtool.cli.show.words import show_rows, show_table, show_verdict

    screen = stdout()
    show_verdict(screen, words)
    screen.line()
    show_rows(screen, words.rows)
    screen.line()
    for table in words.tables:
        if not table.rows:
            screen.line()
            screen.paragraph(table.title)
        else:
            show_table(screen, table)
    show_cures(screen, words.cures)
    show_notes(screen, words.notes)
