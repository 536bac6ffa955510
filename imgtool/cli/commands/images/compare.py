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
    from imgtool.cli.input.placing import file_as_it_is
    from imgtool.engine.jobs.compare import CompareRequest
    from imgtool.engine.jobs.compare import compare as compared

    result = compared(CompareRequest(file_as_it_is(a), file_as_it_is(b), exact))
    if json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
    else:
        from imgtool.cli.show.compare_report import show_comparison

        show_comparison(result.words)
    raise typer.Exit(result.code)
