"""What the commands of ``files`` take alike: an image or a board, and names of stored files.

Which word is the image is decided here, by what that file is (imgtool.engine.jobs.files.holder).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from imgtool.errors import UsageError
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imgtool.engine.inputs import InputFile

__all__ = [
    "AtOption",
    "CopyOption",
    "DryRunOption",
    "HolderWords",
    "ImageOption",
    "InPlaceOption",
    "OutputOption",
    "address_of",
    "changed_path",
    "check_no_board",
    "holder_words",
]

ImageOption = Annotated[
    Path | None,
    typer.Option("-i", "--image", metavar="FILE", help="The image or dump.", show_default=False),
]
AtOption = Annotated[
    str | None,
    typer.Option("--at", metavar="ADDR", help="Where the file system begins.", show_default="the one in use"),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="Where the changed IMAGE goes.", show_default=False),
]
InPlaceOption = Annotated[bool, typer.Option("--in-place", help="Replace IMAGE itself.")]
CopyOption = Annotated[
    str | None,
    typer.Option(
        "--backup",
        metavar="WHERE",
        help="Keep the copy of a board's files as they were: auto, a folder, a file.",
        show_default=False,
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would change, write nothing.")]


class HolderWords(NamedTuple):
    """Words with the image taken out.

    Attributes:
        image: The image, read; None for a board.
        words: The other words.
    """

    image: InputFile | None
    words: list[str]

    def inputs(self, *, in_place: bool = False) -> list[Path]:
        """The image, if it must not be written over."""
        return [] if self.image is None or in_place else [Path(self.image.name)]


def holder_words(words: Sequence[str] | None, image: Path | None, port: list[str] | None) -> HolderWords:
    """The image that is meant, if one is.

    With ``--image`` or ``--port`` all words are names.  Else the first one is the image if it is the name of
    a file that is there and is an image, a dump or a firmware.

    Raises:
        UsageError: Both options are given, or the image cannot be read.
    """
    from imgtool.cli.input.placing import file_as_it_is

    given = list(words or [])
    if image is not None:
        if port:
            raise UsageError("--image and --port are both given", expected="one of them", found="both")
        return HolderWords(file_as_it_is(image), given)
    if port or not given or not Path(given[0]).is_file():
        return HolderWords(None, given)
    from imgtool.engine.jobs.files.holder import is_holder

    file = file_as_it_is(Path(given[0]))
    return HolderWords(file, given[1:]) if is_holder(file.data) else HolderWords(None, given)


def address_of(word: str | None) -> int | None:
    """The address of a file system; None for none.

    Raises:
        UsageError: The word is no number.
    """
    if word is None:
        return None
    from imgtool.engine.numbers import number

    return number(word, "address")


def check_no_board(for_a_board: Mapping[str, object]) -> None:
    """Refuse options for a board beside an image.

    Raises:
        UsageError: One is given.
    """
    alone = next((name for name, value in for_a_board.items() if value), None)
    if alone is not None:
        raise UsageError(f"{alone} is for a board", expected="no IMAGE", found="an image")


def changed_path(held: HolderWords, output: Path | None, *, in_place: bool, dry_run: bool) -> Path | None:
    """Where the changed image goes; None for a board, and for a dry run.

    Raises:
        UsageError: Nothing says where it goes, or too much does; or it is for an image and there is none.
    """
    if output is not None and in_place:
        raise UsageError("--output and --in-place are both given", expected="one of them", found="both")
    if held.image is None:
        if output is None and not in_place:
            return None
        option = "-o" if output is not None else "--in-place"
        first = Name(held.words[0]) if held.words else "no word"
        raise UsageError(
            f"{option} is for an image, and none is given",
            expected="IMAGE as the first word, or --image FILE",
            found=Phrase(first, " is no image") if held.words else "none",
        )
    if dry_run:
        return None
    if output is None and not in_place:
        raise UsageError(
            "nothing says where the changed image goes", expected="-o FILE, --in-place or --dry-run"
        )
    return Path(held.image.name) if in_place else output
