"""``imgtool files make``: a file system of a folder's files, as a firmware takes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.errors import UsageError
from imgtool.phrase import Name

if TYPE_CHECKING:
    from imgtool.engine.inputs import InputFile
    from imgtool.engine.jobs.files import making as job

__all__ = ["make"]

_LIST: Final = "list"


def make(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="FOLDER...", help="Folders with files, or files.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to write.", show_default=False),
    ] = None,
    firmware: Annotated[
        list[str] | None,
        typer.Option(
            "--for",
            metavar="FIRMWARE",
            help="Its image, its halves, a folder with 0x*.bin, or a name; list prints all names.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="SIZE", help="Flash size.", show_default="that in the image's header"),
    ] = None,
    length: Annotated[
        str | None,
        typer.Option("--length", metavar="BYTES", help="Of the file system, where a name tells none."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make a file system of files: of the kind, size and place that a firmware looks for.

    Names count from FOLDER on.
    Left out: .DS_Store, ._*, Thumbs.db, desktop.ini, .git, .svn and __pycache__.

    Example: imgtool files make files -o fs.bin --for nodemcu.bin --size 4MB
    """
    from imgtool.engine.jobs.files import making as job

    if firmware == [_LIST]:
        _show(job.file_targets(), as_json=json)
        return
    if not words:
        raise UsageError("no folder is given", expected="FOLDER")
    if output is None:
        raise UsageError("nothing says where it goes", expected="-o FILE")
    if not firmware:
        raise UsageError("nothing says for which firmware", expected="--for IMAGE, or --for NAME")
    from imgtool.cli.input.file_tree import named_files
    from imgtool.cli.input.files import write_file
    from imgtool.engine.numbers import number

    name = firmware[0] if len(firmware) == 1 and job.is_target(firmware[0]) else ""
    content = named_files(words, None)
    request = job.MakeFilesRequest(
        files=content.files,
        output=str(output),
        firmware=() if name else _images(firmware),
        target=name,
        size=size,
        length=None if length is None else number(length, "length"),
        left_out=content.left_out,
    )
    result = job.make_files(request)
    for made in result.outputs:
        write_file(Path(made.name), made.data, map(Path, result.inputs))
    _show(result, as_json=json)
    raise typer.Exit(result.code)


def _images(words: list[str]) -> tuple[InputFile, ...]:
    """The firmware, read; of a word that is neither a name nor a file here both are said."""
    from imgtool.cli.input.options import images_of
    from imgtool.cli.input.placing import input_files

    if len(words) == 1 and not Path(words[0]).exists() and ":" not in words[0]:
        refusal = UsageError(
            "that is neither a file here nor a firmware that is known by name",
            expected="an image, or a name such as nodemcu-3.0",
            found=Name(words[0]),
        )
        refusal.hint = "imgtool files make --for list prints all names"
        raise refusal
    return input_files(images_of(words))


def _show(result: job.MakeFilesResult | job.FileTargetsResult, *, as_json: bool) -> None:
    if as_json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
    else:
        from imgtool.cli.show.files_report import show_files

        show_files(result.words)
