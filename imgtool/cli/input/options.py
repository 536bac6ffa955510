"""What the commands take alike: numbers, images with addresses, header options.

Parsing of words only; files are opened in files.py.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from imgtool.chip import FLASH_FREQUENCIES, FLASH_MODES, FLASH_SIZES, MEGABIT_SIZES
from imgtool.cli.input.arguments import INIT_DATA_PLACE, NAMED_PLACES
from imgtool.engine.numbers import number, number_in
from imgtool.engine.placing import (
    INIT_DATA_ALONE,
    INIT_DATA_CHOICES,
    MANIFEST,
    address_in_name,
    form_by_name,
)
from imgtool.errors import UsageError
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "FreqOption",
    "ImagesArgument",
    "InitDataOption",
    "ModeOption",
    "OldSizeOption",
    "OutputFormat",
    "Placed",
    "SetOption",
    "SizeOption",
    "folder_images",
    "freq_option",
    "images_of",
    "init_data_option",
    "mode_option",
    "number",
    "old_size_option",
    "set_option",
]

ImagesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="IMAGES...",
        help="FILE, ADDR FILE, ADDR:FILE, or a folder with 0x*.bin or a manifest.",
        show_default=False,
    ),
]


def mode_option(*more: str, keep: bool = True, panel: str | None = None) -> object:
    """The option for the flash mode, for an annotation.

    Args:
        more: What it is called beside its usual names.
        keep: Whether ``keep`` is one of the choices that its help lists.
        panel: Where it stands in the help.
    """
    words = _choices(FLASH_MODES, keep=keep)
    return typer.Option(*more, "-fm", "--flash-mode", metavar="MODE", help=words, rich_help_panel=panel)


def freq_option(*more: str, keep: bool = True, panel: str | None = None) -> object:
    """The option for the flash frequency; as :func:`mode_option`."""
    words = _choices(FLASH_FREQUENCIES, keep=keep)
    return typer.Option(*more, "-ff", "--flash-freq", metavar="FREQ", help=words, rich_help_panel=panel)


def old_size_option(stands_for: str = "--flash-size", *, panel: str | None = None) -> object:
    """The option for a size as old tools had it, beside the one that it stands for."""
    words = f"As {stands_for}; also {', '.join(MEGABIT_SIZES)} (megabits)."
    return typer.Option("-fs", metavar="SIZE", help=words, rich_help_panel=panel)


def init_data_option(choices: Sequence[str], lead: str = "", *, panel: str | None = None) -> object:
    """The option for init data: one of the choices, or a file; ``lead`` stands before them in its help."""
    words = f"{lead}{', '.join(choices)}, or a file."
    return typer.Option("--init-data", metavar="SOURCE", help=words, rich_help_panel=panel)


def set_option(words: str, *, panel: str | None = None) -> object:
    """The option for fields of the init data, with its help."""
    return typer.Option("--set", metavar="FIELD=VALUE", help=words, show_default=False, rich_help_panel=panel)


def _choices(names: Iterable[str], *, keep: bool) -> str:
    return f"{', '.join(('keep', *names) if keep else names)}."


ModeOption = Annotated[str, mode_option()]
FreqOption = Annotated[str, freq_option()]
SizeOption = Annotated[
    str,
    typer.Option(
        "--flash-size", metavar="SIZE", help=_choices((size.name for size in FLASH_SIZES), keep=True)
    ),
]
OldSizeOption = Annotated[str, old_size_option()]
InitDataOption = Annotated[str, init_data_option(INIT_DATA_CHOICES)]
SetOption = Annotated[list[str] | None, set_option("Set a field of the init data.")]


_MOST_FILES: Final = 64  # of a folder that are looked at
_MOST_BYTES: Final = 0x101_0000  # the largest flash, and a little more


class Placed(NamedTuple):
    """A file and where it goes.

    Attributes:
        path: The file.
        place: An address, a named place such as ``@lfs``, or None for neither.
        choice: Init data by its name, in place of a file; empty for a file.
    """

    path: Path
    place: int | str | None
    choice: str = ""


def images_of(words: list[str]) -> list[Placed]:
    """The images that the words name: ``FILE``, ``ADDR FILE``, ``ADDR:FILE``, ``@NAME FILE``, or a folder.

    ``@init-data v05`` is no file, but init data by its name.

    Raises:
        UsageError: An address without a file, or a folder without images.
    """
    images: list[Placed] = []
    left = list(words)
    while left:
        word = left.pop(0)
        place = word if word in NAMED_PLACES else number_in(word)
        head, colon, tail = word.partition(":")
        if place is not None:
            if not left:
                raise UsageError(f"no file behind {word}", expected="ADDR FILE", found=word)
            images.append(_placed(left.pop(0), place))
        elif colon and tail and (head in NAMED_PLACES or number_in(head) is not None):
            images.append(_placed(tail, head if head in NAMED_PLACES else number_in(head)))
        else:
            images += _files(Path(word))
    return images


def _placed(word: str, place: int | str | None) -> Placed:
    """What stands behind a place: a file, or init data by its name; ./v05 is a file."""
    choice = word if place == INIT_DATA_PLACE and word in INIT_DATA_ALONE else ""
    return Placed(Path(word), place, choice)


def _files(path: Path) -> list[Placed]:
    if path.is_dir():
        if (path / MANIFEST).is_file():
            return [Placed(path / MANIFEST, None)]
        return folder_images(path) or _only_firmware(path)
    return [Placed(path, address_in_name(path.name))]


def _only_firmware(folder: Path) -> list[Placed]:
    """The firmware in a folder without addresses in its names, where it is the only one.

    Raises:
        UsageError: There is no file that could be one, or one cannot be read.
        FormatError: There is no firmware, or more than one.
    """
    from imgtool.cli.input.files import read_file
    from imgtool.engine.placing import only_firmware

    files = sorted(each for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))
    likely = [each for each in files if 0 < each.stat().st_size <= _MOST_BYTES][:_MOST_FILES]
    if not likely:
        raise UsageError(Phrase("the folder ", folder, " holds no image"), expected="files named 0x*.bin")
    names = only_firmware([(each.name, read_file(each)) for each in likely], str(folder))
    return [Placed(folder / name, address_in_name(name)) for name in names]


def folder_images(folder: Path) -> list[Placed]:
    """The images of a folder by their names, in address order."""
    named = (Placed(path, address_in_name(path.name)) for path in folder.glob("0x*.bin"))
    return sorted(
        (placed for placed in named if placed.place is not None), key=lambda placed: str(placed.path)
    )


class OutputFormat(Enum):
    """File formats that merge writes."""

    BIN = "bin"
    HEX = "hex"
    SREC = "srec"
    UF2 = "uf2"

    @classmethod
    def of_name(cls, path: Path) -> OutputFormat:
        """The format that a file name asks for."""
        return cls(form_by_name(str(path)))
