"""``imgtool files get``: files out of the file system of an image, a dump or a board."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

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
from imgtool.errors import UsageError

if TYPE_CHECKING:
    from imgtool.engine.jobs.files.getting import GetFilesResult

__all__ = ["get"]

_STDOUT: Final = Path("-")


def get(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE] [PATTERN...]",
            help="An image or dump (without one: the board), and names such as '*.lua'.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FOLDER", help="Where they go; - prints one file.", show_default=False
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
    """Take stored files out, into a folder; without PATTERN all of them.

    The first word is IMAGE if it is a file here that is an image, a dump or a firmware.
    With --port or --image all words are patterns. No name leads out of the folder.
    Exit code 1: a pattern fits no file, or something is damaged.

    Example: imgtool files get dump.bin '*.lua' -o out
    """
    from imgtool.cli.input.file_words import address_of, holder_words
    from imgtool.cli.run.file_board import BoardWords, run_job
    from imgtool.engine.jobs.files.getting import GetFilesRequest, get_files

    if output is None:
        raise UsageError("nothing says where the files go", expected="-o FOLDER, or -o - for one file")
    if output == _STDOUT and json:
        raise UsageError("--json and -o - both go to stdout", expected="-o FOLDER with --json", found="both")
    held = holder_words(words, image, port)
    options = BoardWords(port, baud, stub, no_stub, reset, events, silent=json)
    folder = None if output == _STDOUT else str(output)
    request = GetFilesRequest(
        image=held.image,
        patterns=tuple(held.words),
        output=folder,
        at=address_of(at),
        connect=options.connect(),
    )
    result = run_job(get_files, request, options, held.words)
    if folder is None:
        _print(result)
    else:
        _write(result, Path(folder), held.inputs(), as_json=json)
    raise typer.Exit(result.code)


def _print(result: GetFilesResult) -> None:
    """One file to stdout as it is; what is to be said of it goes to stderr."""
    from imgtool.cli.show.text import stderr

    for made in result.outputs:
        sys.stdout.flush()
        sys.stdout.buffer.write(made.data)
        sys.stdout.buffer.flush()
    screen = stderr()
    for words in (*(finding.message for finding in result.findings), *result.words.notes):
        screen.paragraph(words)


def _write(result: GetFilesResult, folder: Path, inputs: list[Path], *, as_json: bool) -> None:
    from imgtool.cli.input.output_folder import write_found_files

    if result.outputs:
        write_found_files(folder, result.outputs, inputs)
    if as_json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
        return
    from imgtool.cli.show.files_report import show_files

    show_files(result.words)
