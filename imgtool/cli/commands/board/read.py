"""``imgtool read``: the content of the flash, or a part of it, to a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

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
    port: PortOption = None,
    baud: BaudOption = None,
    stub: StubOption = "auto",
    no_stub: NoStubOption = False,
    reset: ResetOption = "auto",
    json: JsonOption = False,
    events: EventsOption = False,
) -> None:
    """Read the flash, or a part of it, into a file.

    Example: imgtool read --backup
    """
    from datetime import datetime

    from imgtool.cli.input.connection import connect_options, port_name
    from imgtool.cli.input.files import write_file
    from imgtool.cli.run.connecting import opened
    from imgtool.cli.show.document import print_document
    from imgtool.cli.show.progress import Progress
    from imgtool.cli.show.render import show_lines
    from imgtool.engine.jobs import read as job

    address, size, last = _region(words or [])
    request = job.ReadRequest(
        address=address,
        size=size,
        output=str(_target(output or last, backup=backup)),
        backup=datetime.now().astimezone() if backup else None,
        connect=connect_options(baud, stub, reset, no_stub=no_stub),
    )
    name = port_name(port)
    with Progress([name], events=events, silent=json) as progress, opened(name, progress) as wire:
        result = job.read(wire, request, progress.listener(name))
    for file in result.outputs:
        write_file(Path(file.name), file.data)
    if json:
        print_document(result.document)
        return
    show_lines([result.words.verdict, *(f"{row.name} {row.text}" for row in result.words.rows)])


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
    if output is None and not backup:
        raise UsageError("no file is named", expected="-o FILE, or --backup", found="neither")
    target = output or Path()
    folder = target if backup else target.parent
    if not folder.is_dir():
        raise UsageError(
            Phrase("there is no folder ", folder), expected="a folder that is there", found="none"
        )
    if not backup and target.is_dir():
        raise UsageError(Phrase(target, " is a folder"), expected="a file, or --backup too", found="a folder")
    if not os.access(folder, os.W_OK):
        raise UsageError(Phrase("the folder ", folder, " cannot be written to"))
    return target
