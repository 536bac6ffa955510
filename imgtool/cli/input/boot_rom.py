"""The dump of the chip's boot ROM that a boot on the virtual board needs, read.

imgtool has none; ``imgtool read --rom`` takes it from a chip.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from imgtool.errors import UsageError

if TYPE_CHECKING:
    from imgtool.engine.inputs import InputFile

__all__ = ["RomOption", "rom_file"]

_VARIABLE: Final = "IMGTOOL_BOOT_ROM"

RomOption = Annotated[
    Path | None,
    typer.Option(
        "--rom",
        metavar="FILE",
        help=f"A dump of the boot ROM; that of {_VARIABLE} if not given.",
        show_default=False,
    ),
]


def rom_file(rom: Path | None) -> InputFile:
    """The dump that is named, or else that of the environment.

    Raises:
        UsageError: There is none, or it cannot be read.
    """
    from imgtool.cli.input.placing import file_as_it_is

    path = rom or (Path(name) if (name := os.environ.get(_VARIABLE)) else None)
    if path is None:
        refusal = UsageError(
            "a boot needs the chip's boot ROM, which imgtool does not have",
            expected=f"--rom FILE, or {_VARIABLE}",
        )
        refusal.hint = "imgtool read --rom -o rom.bin takes it from a board"
        raise refusal
    return file_as_it_is(path)
