"""``imgtool files list``: the files that are stored in an image, in a dump or on a board."""

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
from imgtool.cli.input.file_words import AtOption, ImageOption

__all__ = ["list_"]


def list_(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE] [PATTERN...]",
            help="An image or dump (without one: the board), and names such as '*.lua'.",
            show_default=False,
        ),
    ] = None,
    image: ImageOption = None,
    at: AtOption = None,
    port: PortOption = None,
    baud: BaudOption = None,
    stub: StubOption = "auto",
    no_stub: NoStubOption = False,
    reset: ResetOption = "auto",
    json: JsonOption = False,
    events: EventsOption = False,
) -> None:
    """List stored files: name and size, and how full their file system is.

    The first word is IMAGE if it is a file here that is an image, a dump or a firmware.
    With --port or --image all words are patterns.
    Exit code 1: a pattern fits no file, or something is damaged.

    Example: imgtool files list dump.bin
    """
    from imgtool.cli.input.file_words import address_of, holder_words
    from imgtool.cli.run.file_board import BoardWords, run_job
    from imgtool.engine.jobs.files.listing import ListFilesRequest, list_files

    held = holder_words(words, image, port)
    options = BoardWords(port, baud, stub, no_stub, reset, events, silent=json)
    request = ListFilesRequest(
        image=held.image, patterns=tuple(held.words), at=address_of(at), connect=options.connect()
    )
    result = run_job(list_files, request, options, held.words)
    if json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
    else:
        from imgtool.cli.show.files_report import show_files

        show_files(result.words)
    raise typer.Exit(result.code)
