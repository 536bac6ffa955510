"""``imgtool files put``: files into the file system of an image, a dump or a board."""

from __future__ import annotations

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
from imgtool.cli.input.file_words import (
    AtOption,
    CopyOption,
    DryRunOption,
    ImageOption,
    InPlaceOption,
    OutputOption,
)
from imgtool.errors import UsageError

__all__ = ["put"]


def put(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE] FILE...",
            help="An image or dump (without one: the board), and files or folders.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Its name there; of a folder, what goes before its names."),
    ] = None,
    output: OutputOption = None,
    in_place: InPlaceOption = False,
    image: ImageOption = None,
    at: AtOption = None,
    dry_run: DryRunOption = False,
    backup: CopyOption = None,
    port: PortOption = None,
    baud: BaudOption = None,
    stub: StubOption = "auto",
    no_stub: NoStubOption = False,
    reset: ResetOption = "auto",
    json: JsonOption = False,
    events: EventsOption = False,
) -> None:
    """Put files in, by their own names; of a folder what is in it, by the names from there on.

    The first word is IMAGE if it is a file here that is an image, a dump or a firmware.
    With --port or --image all words are files to put in.
    The files of a board are saved here until the new ones are read back.

    Example: imgtool files put init.lua
    """
    from functools import partial

    from imgtool.cli.input.file_tree import named_files
    from imgtool.cli.input.file_words import address_of, changed_path, holder_words
    from imgtool.cli.run.file_board import BoardWords, keeping, run_job, show_changed
    from imgtool.engine.jobs.files.changing import PutFilesRequest, put_files

    held = holder_words(words, image, port)
    if not held.words:
        raise UsageError("there is nothing to put in", expected="files, or folders with files")
    target = changed_path(held, output, in_place=in_place, dry_run=dry_run)
    content = named_files(held.words, name)
    options = BoardWords(port, baud, stub, no_stub, reset, events, silent=json, backup=backup)
    request = PutFilesRequest(
        files=content.files,
        left_out=content.left_out,
        image=held.image,
        output=None if target is None else str(target),
        at=address_of(at),
        dry_run=dry_run,
        connect=options.connect(),
    )
    result = run_job(partial(put_files, keeping=keeping(backup)), request, options)
    inputs = [*held.inputs(in_place=in_place), *(Path(file.path) for file in content.files)]
    show_changed(result, inputs, as_json=json)
    raise typer.Exit(result.code)
