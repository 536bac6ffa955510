"""``imgtool split``: an image back into the parts that it was merged from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.errors import UsageError
from imgtool.phrase import Phrase

__all__ = ["split"]


def split(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An aggregated image or a flash image.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where the parts go; made if need be.")
    ] = Path(),
    json: JsonOption = False,
) -> None:
    """Cut an image into its parts, named by flash address: the inverse of merge.

    Example: imgtool split nodemcu.bin -o parts
    """
    from imgtool.cli.input.files import write_files
    from imgtool.cli.input.placing import read_content
    from imgtool.errors import ImgtoolError
    from imgtool.operations.extract.split import split as cut

    data = read_content(file)
    try:
        result = cut(data)
    except ImgtoolError as error:
        raise error.with_source(str(file)) from None
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(Phrase("the folder ", output, f" cannot be made: {error.strerror}")) from None
    write_files([(output / piece.name, piece.data) for piece in result.pieces], [file])
    if json:
        from imgtool.cli.show.document import print_document
        from imgtool.engine.documents import document
        from imgtool.engine.images import split_fields

        fields = split_fields(file, output, result)
        print_document(document("split", ok=True, results=[fields]))
        return
    from imgtool.cli.show.render import show_findings, show_lines, show_pieces

    count = len(result.pieces)
    show_lines(
        [
            Phrase(f"{count} parts in ", output, ", to be flashed at these addresses:")
            if count != 1
            else Phrase("1 part in ", output, ":")
        ]
    )
    show_pieces(result.pieces, head="file")
    show_findings(result.findings)
