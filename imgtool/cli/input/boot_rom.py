"""The dump of the chip's boot ROM that a boot on the virtual board may use, read.

imgtool has none, and does without; ``imgtool read --rom`` takes it from a chip.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from imgtool.chip import OWN_ROM

if TYPE_CHECKING:
    from imgtool.engine.inputs import InputFile

__all__ = ["RomOption", "rom_file"]

_VARIABLE: Final = "IMGTOOL_BOOT_ROM"

RomOption = Annotated[
    Path | None,
    typer.Option(
        "--rom",
        metavar="FILE",
        help=f"A dump of the boot ROM; that of {_VARIABLE}, or imgtool's own functions, if not given.",
        show_default=False,
    ),
]


def rom_file(rom: Path | None) -> InputFile | None:
    """The dump that is named, or else that of the environment; None for the functions of imgtool's own.

    Raises:
        UsageError: It cannot be read.
    """
    from imgtool.cli.input.placing import file_as_it_is

    path = rom or (Path(name) if (name := os.environ.get(_VARIABLE)) else None)
    return None if path is None or str(path) == OWN_ROM else file_as_it_is(path)
