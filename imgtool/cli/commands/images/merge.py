"""``imgtool merge``: build outputs to one image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.options import (
    FreqOption,
    ImagesArgument,
    ModeOption,
    OldSizeOption,
    OutputFormat,
    SizeOption,
    images_of,
)

__all__ = ["merge"]


def merge(
    context: typer.Context,
    images: ImagesArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Where to write.", show_default=False)
    ],
    fill: Annotated[
        str | None, typer.Option("--fill", metavar="BYTE", help="Value between the parts; default 0xFF.")
    ] = None,
    pad_to: Annotated[
        str | None, typer.Option("--pad-to", metavar="SIZE", help="Fill up to this length.")
    ] = None,
    form: Annotated[
        OutputFormat | None,
        typer.Option("--format", help="Default: by the output's name, else bin.", show_default=False),
    ] = None,
    mode: ModeOption = "keep",
    freq: FreqOption = "keep",
    size: SizeOption = "keep",
    old_size: OldSizeOption = "keep",
    json: JsonOption = False,
) -> None:
    """Merge 0x00000.bin and 0x10000.bin, or any files with addresses, into one image.

    Example: imgtool merge 0x00000.bin 0x10000.bin -o nodemcu.bin
    """
    from imgtool.cli.input.files import write_file
    from imgtool.cli.input.placing import input_files
    from imgtool.engine.jobs.merge import MergeRequest
    from imgtool.engine.jobs.merge import merge as join

    request = MergeRequest(
        files=input_files(images_of(images or [])),
        output=str(output),
        fill=fill,
        pad_to=pad_to,
        form=None if form is None else form.value,
        mode=mode,
        freq=freq,
        size=size,
        old_size=old_size,
    )
    result = join(request)
    write_file(output, result.output.data, map(Path, result.inputs))
    if json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
    else:
        from imgtool.cli.input.corrected import corrected_in
        from imgtool.cli.show.render import show_right, show_words

        show_words(result.words)
        show_right(corrected_in(context, result.merged.moves))
    raise typer.Exit(result.code)
