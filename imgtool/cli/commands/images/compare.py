"""``imgtool compare``: what differs between two images or dumps, and whether that matters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imgtool.cli.input.arguments import JsonOption

__all__ = ["compare"]


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="The older file, or what was flashed.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The newer file, or what was read back.")],
    exact: Annotated[
        bool, typer.Option("--exact", help="Exit code 1 for any difference, the firmware's own too.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Say what differs between two images or dumps, and what of it the firmware changes by itself.

    Example: imgtool compare nodemcu-full.bin read-back.bin
    """
    from imgtool.cli.input.files import read_file
    from imgtool.engine.verdicts import DONE, NO, answers_no
    from imgtool.operations.compare.files import compare as compared

    result = compared(read_file(a), read_file(b))
    no = answers_no(result, exact=exact)
    if json:
        from imgtool.cli.show.document import print_document
        from imgtool.engine.documents import comparison_fields, document

        print_document(document("compare", ok=not no, results=[comparison_fields(str(a), str(b), result)]))
    else:
        from imgtool.cli.show.compare_report import show_comparison

        show_comparison(str(a), str(b), result)
    raise typer.Exit(NO if no else DONE)
