"""The options that ``flash`` shares with others; what they mean is decided in imgtool.engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imgtool.engine.choices import LOSE_CHOICES, WAIVERS

__all__ = [
    "BackupOption",
    "DetectSizeOption",
    "FilesOption",
    "ForceOption",
    "KeepFilesOption",
    "LoseOption",
    "OldDetectSizeOption",
    "RestoreFilesOption",
]

BackupOption = Annotated[
    str | None,
    typer.Option(
        "--backup",
        metavar="WHERE",
        help="Save the whole flash first: a new FILE, a FOLDER, or auto (here, by MAC and date).",
        show_default=False,
    ),
]
FilesOption = Annotated[
    Path | None,
    typer.Option(
        "--files", metavar="FOLDER", help="Files to put in: the file system is made for the firmware."
    ),
]
KeepFilesOption = Annotated[
    bool, typer.Option("--keep-files", help="Carry the board's files over; they are saved first.")
]
RestoreFilesOption = Annotated[
    Path | None,
    typer.Option("--restore-files", metavar="FILE", help="Put in the files of a saved copy or a dump."),
]
LoseOption = Annotated[
    list[str] | None,
    typer.Option(
        "--lose",
        metavar="KIND",
        help=f"What may be lost: {', '.join(LOSE_CHOICES)}.",
        show_default=False,
    ),
]

ForceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--force",
        metavar="CHECK",
        help=f"Go on in spite of a check: {', '.join(WAIVERS)}.",
        show_default=False,
    ),
]
DetectSizeOption = Annotated[
    str, typer.Option("--flash-size", metavar="SIZE", help="detect, keep, or a size such as 4MB.")
]
OldDetectSizeOption = Annotated[
    str | None,
    typer.Option(
        "-fs", metavar="SIZE", help="As --flash-size; also 4m to 32m (megabits).", show_default=False
    ),
]
