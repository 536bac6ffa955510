"""``imgtool read``: the content of the flash, or a part of it, to a file; or the boot ROM."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.connection import (
    BaudOption,
    EventsOption,
    NoStubOption,
    PortOption,
    ResetOption,
    StubOption,
)
from imgtool.errors import UsageError
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from imgtool.engine.jobs.read import ReadRequest, ReadRomRequest

__all__ = ["read"]

_WORDS = (0, 1, 2, 3)
_ALL = "all"


def read(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ADDR SIZE]", help="What to read; default the whole flash.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to write.", show_default=False),
    ] = None,
    backup: Annotated[
        bool, typer.Option("--backup", help="Name the file by MAC and date; -o is then a folder.")
    ] = False,
    rom: Annotated[bool, typer.Option("--rom", help="The chip's boot ROM instead: all 64 KB of it.")] = False,
    port: PortOption = None,
    baud: BaudOption = None,
    stub: StubOption = "auto",
    no_stub: NoStubOption = False,
    reset: ResetOption = "auto",
    json: JsonOption = False,
    events: EventsOption = False,
) -> None:
    """Read the flash, a part of it, or the chip's boot ROM into a file.

    Exit code 1: the boot ROM that --rom has read is not the known one.

    Example: imgtool read --backup
    """
    from imgtool.cli.input.connection import connect_options, port_name
    from imgtool.cli.input.files import write_file
    from imgtool.cli.run.connecting import opened
    from imgtool.cli.show.document import print_document
    from imgtool.cli.show.progress import Progress
    from imgtool.cli.show.render import show_lines, show_note
    from imgtool.engine.jobs import read as job

    connect = connect_options(baud, stub, reset, no_stub=no_stub)
    make = _rom_request if rom else _request
    request = replace(make(words or [], output, backup=backup), connect=connect)
    name = port_name(port)
    with Progress([name], events=events, silent=json) as progress, opened(name, progress) as wire:
        if isinstance(request, job.ReadRomRequest):
            result = job.read_rom(wire, request, progress.listener(name))
        else:
            result = job.read(wire, request, progress.listener(name))
    for file in result.outputs:
        write_file(Path(file.name), file.data)
    if json:
        print_document(result.document)
    else:
        show_lines([result.words.verdict, *(f"{row.name} {row.text}" for row in result.words.rows)])
        for note in result.words.notes:
            show_note(note)
    raise typer.Exit(result.code)


def _request(words: list[str], output: Path | None, *, backup: bool) -> ReadRequest:
    """What is asked for of the flash."""
    from datetime import datetime

    from imgtool.engine.jobs.read import ReadRequest

    address, size, last = _region(words)
    return ReadRequest(
        address=address,
        size=size,
        output=str(_target(output or last, backup=backup)),
        backup=datetime.now().astimezone() if backup else None,
    )


def _rom_request(words: list[str], output: Path | None, *, backup: bool) -> ReadRomRequest:
    """What is asked for of the boot ROM, of which there is no part and no backup."""
    from imgtool.engine.jobs.read import ReadRomRequest

    if words:
        raise UsageError(
            "--rom reads all of the boot ROM", expected="no ADDR SIZE", found=Name(" ".join(words))
        )
    if backup:
        raise UsageError("the boot ROM is no backup", expected="-o FILE", found="--backup")
    if output is None:
        raise UsageError("no file is named", expected="-o FILE")
    return ReadRomRequest(output=str(_target(output, backup=False)))


def _region(words: list[str]) -> tuple[int, int | None, Path | None]:
    """Address and size, None for all, and a file that stands behind them as esptool has it."""
    from imgtool.cli.input.options import number
    from imgtool.engine.jobs.read import check_size

    if len(words) not in _WORDS:
        raise UsageError("not a region", expected="ADDR SIZE, or all", found=Name(" ".join(words)))
    if not words or [word.lower() for word in words] == [_ALL]:
        return 0, None, None
    if len(words) == 1:
        raise UsageError("not a region", expected="ADDR SIZE, or all", found=words[0])
    address = number(words[0], "address")
    size = None if words[1].lower() == _ALL else number(words[1], "size")
    if size is not None:
        check_size(size, words[1])
    return address, size, Path(words[2]) if len(words) > 2 else None  # noqa: PLR2004 - the third word


def _target(output: Path | None, *, backup: bool) -> Path:
    """Where to write; looked at before the flash is read, which may take minutes."""
    from imgtool.cli.input.files import check_name

    if output is None and not backup:
        raise UsageError("no file is named", expected="-o FILE, or --backup")
    target = output or Path()
    check_name(target)
    folder = target if backup else target.parent
    if not folder.is_dir():
        raise UsageError(Phrase("there is no folder ", folder), expected="a folder that is there")
    if not backup and target.is_dir():
        raise UsageError(Phrase(target, " is a folder"), expected="a file, or --backup too")
    if not os.access(folder, os.W_OK):
        raise UsageError(Phrase("the folder ", folder, " cannot be written to"))
    return target
