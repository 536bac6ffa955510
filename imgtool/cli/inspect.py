"""``imgtool inspect``: what a file is, its parts on a map, every check, which firmware it holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgtool.cli.options import JsonOption

if TYPE_CHECKING:
    from imgtool.operations.describe import Description

__all__ = ["inspect"]

_DAMAGED = 1
_FOREIGN = 3


def inspect(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files to look at.", show_default=False)
    ],
    json: JsonOption = False,
) -> None:
    """Say what files are: parts on a map, checks, firmware.

    Exit code 0: every check holds. 1: a file is damaged. 3: it is no ESP8266 file.

    Example: imgtool inspect nodemcu.bin
    """
    from imgtool.cli.files import read_file
    from imgtool.operations.describe import describe

    described = []
    for path in files:
        description = describe(read_file(path))
        described.append((str(path), description))
        if not json:
            _show(str(path), description, first=len(described) == 1)
    if json:
        from imgtool.cli.report import description_fields, document

        ok = all(description.ok for _, description in described)
        typer.echo(document("inspect", ok=ok, results=[description_fields(*pair) for pair in described]))
    raise typer.Exit(max(_exit_code(description) for _, description in described))


def _show(path: str, description: Description, *, first: bool) -> None:
    from imgtool.cli.render import show_description, show_lines

    if not first:
        show_lines([""])
    show_description(path, description)


def _exit_code(description: Description) -> int:
    if description.foreign:
        return _FOREIGN
    return 0 if description.ok else _DAMAGED
