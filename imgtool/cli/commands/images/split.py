"""``imgtool split``: an image back into the parts that it was merged from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imgtool.cli.input.arguments import JsonOption

__all__ = ["split"]


def split(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="An aggregated image, a flash image or a Tuya OTA file.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where the parts go; made if need be.")
    ] = Path(),
    json: JsonOption = False,
) -> None:
    """Cut an image into its parts, named by flash address: the inverse of merge.

    Example: imgtool split nodemcu.bin -o parts
    """
    from imgtool.cli.input.files import write_files
    from imgtool.cli.input.output_folder import make_folder
    from imgtool.cli.input.placing import input_file
    from imgtool.engine.jobs.split import SplitRequest
    from imgtool.engine.jobs.split import split as cut

    result = cut(SplitRequest(input_file(file), str(output)))
    make_folder(output)
    write_files([(Path(made.name), made.data) for made in result.outputs], [file])
    if json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
    else:
        from imgtool.cli.show.render import show_words

        show_words(result.words)
    raise typer.Exit(result.code)
