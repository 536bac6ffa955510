"""The options that ``imgtool flash`` and ``verify`` share; what they mean is decided in imgtool.engine."""

from __future__ import annotations

from typing import Annotated

import typer

from imgtool.engine.choices import WAIVERS

__all__ = ["DetectSizeOption", "ForceOption", "OldDetectSizeOption"]

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
