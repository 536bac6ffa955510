"""What the commands take alike: numbers, images with addresses, header options.

Parsing of words only; files are opened in files.py.
"""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from imgtool.chip import FLASH_FREQUENCIES, FLASH_MODES, FLASH_SIZES, MEGABIT_SIZES
from imgtool.cli.input.arguments import NAMED_PLACES, UsageError
from imgtool.phrase import Name, Phrase

__all__ = [
    "INIT_DATA_CHOICES",
    "MANIFEST",
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
    "images_of",
    "keep_or",
    "number",
    "size_name",
]

_ADDRESS_IN_NAME: Final = re.compile(r"0x([0-9a-f]{5,6})\.bin\Z", re.IGNORECASE)
_NUMBER: Final = re.compile(r"(0x[0-9a-f_]+|0b[01_]+|0o[0-7_]+|[0-9][0-9_]*)(k|kb|m|mb)?\Z", re.IGNORECASE)

INIT_DATA_CHOICES: Final = ("auto", "keep", "none", "v05", "v08")
"""What ``--init-data`` can be, beside a file."""

MANIFEST: Final = "imgtool-manifest.json"
"""The file that makes a folder the parts of one image; imgtool/operations/extract/manifest.py reads it."""

_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20}


ImagesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="IMAGES...",
        help="FILE, ADDR FILE, ADDR:FILE, or a folder with 0x*.bin or a manifest.",
        show_default=False,
    ),
]
ModeOption = Annotated[
    str, typer.Option("-fm", "--flash-mode", metavar="MODE", help=f"keep, {', '.join(FLASH_MODES)}.")
]
FreqOption = Annotated[
    str, typer.Option("-ff", "--flash-freq", metavar="FREQ", help=f"keep, {', '.join(FLASH_FREQUENCIES)}.")
]
InitDataOption = Annotated[
    str, typer.Option("--init-data", metavar="SOURCE", help=f"{', '.join(INIT_DATA_CHOICES)}, or a file.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Set a field of the init data.", show_default=False),
]
SizeOption = Annotated[
    str,
    typer.Option(
        "--flash-size", metavar="SIZE", help=f"keep, {', '.join(size.name for size in FLASH_SIZES)}."
    ),
]
OldSizeOption = Annotated[
    str,
    typer.Option("-fs", metavar="SIZE", help=f"As --flash-size; also {', '.join(MEGABIT_SIZES)} (megabits)."),
]


def number(text: str, what: str = "number") -> int:
    """A number in any base, with K, M, KB or MB for bytes.

    Raises:
        UsageError: It is none.
    """
    value = _number(text)
    if value is None:
        raise UsageError(
            Phrase(f"not a {what}: ", Name(text)), expected="such as 0x10000, 64K or 1MB", found=Name(text)
        )
    return value


def _number(text: str) -> int | None:
    match = _NUMBER.match(text)
    if match is None:
        return None
    digits, unit = match.groups()
    base = 0 if digits[:2].lower() in ("0x", "0b", "0o") else 10
    try:
        return int(digits, base) * _UNITS[(unit or "").lower()[:1]]
    except ValueError:
        return None


def size_name(text: str, *, short: bool = False) -> tuple[str, str | None]:
    """A flash size as it is spelled here, and a note where another spelling was given.

    Args:
        text: What was given.
        short: Whether the megabit spellings of old tools are understood (``32m`` is 4MB).

    Raises:
        UsageError: It is no flash size.
    """
    names = {size.name.lower(): size.name for size in FLASH_SIZES}
    word = text.lower()
    if word in names:
        return names[word], None
    if short and word in MEGABIT_SIZES:
        name = MEGABIT_SIZES[word]
        return name, f"-fs {text} is in megabits, as old tools had it: that is {name}"
    raise UsageError("not a flash size", expected=", ".join(names.values()), found=text)


def keep_or(text: str, table: dict[str, int], what: str) -> str | None:
    """A name from a table, or None for ``keep``.

    Raises:
        UsageError: Neither.
    """
    word = text.lower()
    if word == "keep":
        return None
    if word not in table:
        raise UsageError(f"not a flash {what}", expected=", ".join(("keep", *table)), found=text)
    return word


class Placed(NamedTuple):
    """A file and where it goes: an address, a named place such as ``@lfs``, or None for neither."""

    path: Path
    place: int | str | None


def images_of(words: list[str]) -> list[Placed]:
    """The images that the words name: ``FILE``, ``ADDR FILE``, ``ADDR:FILE``, ``@NAME FILE``, or a folder.

    Raises:
        UsageError: An address without a file, a folder without images, or several files without an address.
    """
    images: list[Placed] = []
    left = list(words)
    while left:
        word = left.pop(0)
        place = word if word in NAMED_PLACES else _number(word)
        head, colon, tail = word.partition(":")
        if place is not None:
            if not left:
                raise UsageError(f"no file behind {word}", expected="ADDR FILE", found=word)
            images.append(Placed(Path(left.pop(0)), place))
        elif colon and tail and (head in NAMED_PLACES or _number(head) is not None):
            images.append(Placed(Path(tail), head if head in NAMED_PLACES else _number(head)))
        else:
            images += _files(Path(word))
    _check_places(images)
    return images


def _files(path: Path) -> list[Placed]:
    if path.is_dir():
        if (path / MANIFEST).is_file():
            return [Placed(path / MANIFEST, None)]
        found = folder_images(path)
        if not found:
            raise UsageError(
                Phrase("the folder ", path, " holds no image"), expected="files named 0x*.bin", found="none"
            )
        return found
    match = _ADDRESS_IN_NAME.search(path.name)
    return [Placed(path, None if match is None else int(match[1], 16))]


def folder_images(folder: Path) -> list[Placed]:
    """The images of a folder by their names, in address order."""
    named = [
        (match, path) for path in folder.glob("0x*.bin") if (match := _ADDRESS_IN_NAME.search(path.name))
    ]
    return sorted(
        (Placed(path, int(match[1], 16)) for match, path in named), key=lambda placed: str(placed.path)
    )


def _check_places(images: list[Placed]) -> None:
    # Files of records hold addresses of their own.
    nameless = [
        Name(image.path.name)
        for image in images
        if image.place is None and OutputFormat.of_name(image.path) is OutputFormat.BIN
    ]
    if len(nameless) > 1:
        raise UsageError(
            Phrase(nameless[0], " and ", nameless[1], " both have no address"),
            expected="names that end in an address such as 0x10000.bin, or ADDR FILE",
            found="two files that would both go to 0x00000",
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
        return _BY_SUFFIX.get(path.suffix.lower(), cls.BIN)


_BY_SUFFIX: Final = {
    ".hex": OutputFormat.HEX,
    ".ihex": OutputFormat.HEX,
    ".ihx": OutputFormat.HEX,
    ".srec": OutputFormat.SREC,
    ".s19": OutputFormat.SREC,
    ".s37": OutputFormat.SREC,
    ".mot": OutputFormat.SREC,
    ".uf2": OutputFormat.UF2,
}
