"""``imgtool files remove``: files out of the file system of an image, a dump or a board, for good."""

from __future__ import annotations

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

__all__ = ["remove"]


def remove(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE] PATTERN...",
            help="An image or dump (without one: the board), and names such as 'old*'.",
            show_default=False,
        ),
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
    """Remove stored files; where a pattern fits none, nothing is removed (exit code 1).

    The first word is IMAGE if it is a file here that is an image, a dump or a firmware.
    With --port or --image all words are patterns.
    The files of a board are saved here until those that stay are read back.

    Example: imgtool files remove dump.bin 'old*' -o new.bin
    """
    from functools import partial

    from imgtool.cli.input.file_words import address_of, changed_path, holder_words
    from imgtool.cli.run.file_board import BoardWords, keeping, run_job, show_changed
    from imgtool.engine.jobs.files.changing import RemoveFilesRequest, remove_files

    held = holder_words(words, image, port)
    if not held.words:
        raise UsageError("nothing is named that is to be removed", expected="names, or patterns like 'old*'")
    target = changed_path(held, output, in_place=in_place, dry_run=dry_run)
    options = BoardWords(port, baud, stub, no_stub, reset, events, silent=json, backup=backup)
    request = RemoveFilesRequest(
        patterns=tuple(held.words),
        image=held.image,
        output=None if target is None else str(target),
        at=address_of(at),
        dry_run=dry_run,
        connect=options.connect(),
    )
    result = run_job(partial(remove_files, keeping=keeping(backup)), request, options, held.words)
    show_changed(result, held.inputs(in_place=in_place), as_json=json)
    raise typer.Exit(result.code)
