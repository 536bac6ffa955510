"""Words on the command line to the files that they name, read: what imgtool.engine.placing is given.

What lies where is decided there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imgtool.cli.input.files import read_file
from imgtool.cli.input.options import Placed, folder_images, number
from imgtool.engine.inputs import InputFile
from imgtool.engine.placing import INIT_DATA_CHOICES, MANIFEST, published_init_data
from imgtool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "changes_of",
    "file_as_it_is",
    "files_and_init_data",
    "filesystem_file",
    "found_here",
    "init_file",
    "input_file",
    "input_files",
]


def file_as_it_is(path: Path) -> InputFile:
    """A file, read, whatever its name.

    Raises:
        UsageError: It cannot be read.
    """
    return InputFile(str(path), read_file(path))


def input_file(path: Path, place: int | str | None = None) -> InputFile:
    """A file, read; of the manifest of an extracted folder also the files that it names.

    Raises:
        UsageError: It cannot be read.
        FormatError: It is no manifest, or a file that it names is missing or has not its size.
    """
    data = read_file(path)
    if path.name != MANIFEST or place is not None:  # one with a place is refused
        return InputFile(str(path), data, place)
    from imgtool.cli.input.parts_folder import files_beside

    return InputFile(str(path), data, place, files_beside(path, data))


def input_files(images: Sequence[Placed]) -> tuple[InputFile, ...]:
    """The images, read; as :func:`input_file`.  Init data by its name is as a file of it.

    Raises:
        UsageError: One cannot be read, or is what only a board can tell.
        FormatError: A manifest is none, or a file that it names is missing or has not its size.
    """
    return tuple(
        published_init_data(image.choice) if image.choice else input_file(image.path, image.place)
        for image in images
    )


def files_and_init_data(images: Sequence[Placed], option: str) -> tuple[tuple[InputFile, ...], str]:
    """The images for a board, read, and the choice of init data among them, in place of that of an option.

    Args:
        images: What the words name.
        option: What ``--init-data`` says; ``auto`` and ``none`` leave it to the images.

    Raises:
        UsageError: One cannot be read, or init data is given twice.
        FormatError: A manifest is none, or a file that it names is missing or has not its size.
    """
    choices = [image.choice for image in images if image.choice]
    given = [*([] if option in ("auto", "none") else [option]), *choices]
    if choices and len(given) > 1:
        raise UsageError("init data is given twice", expected="one", found=" and ".join(given))
    files = input_files([image for image in images if not image.choice])
    return files, choices[0] if choices else option


def found_here() -> list[Placed]:
    """The images that lie here, or in ``bin``, where none is named.

    Raises:
        UsageError: There are none.
    """
    for folder in (Path(), Path("bin")):
        found = folder_images(folder)
        if found:
            return found
    raise UsageError("no image is given, and there is none here", expected="./0x*.bin or ./bin/0x*.bin")


def filesystem_file(text: str) -> InputFile:
    """A file system image, ``FILE`` or ``FILE@ADDR``, read.

    Raises:
        UsageError: It cannot be read, or the address is none.
    """
    name, at, address = text.rpartition("@")
    if not at or not address[:1].isdigit() or Path(text).exists():
        return InputFile(text, read_file(Path(text)))
    return InputFile(name, read_file(Path(name)), number(address, "address"))


def init_file(choice: str) -> InputFile | None:
    """The file that ``--init-data`` names, read; None where it is a choice.

    Raises:
        UsageError: It cannot be read.
    """
    return None if choice in INIT_DATA_CHOICES else InputFile(choice, read_file(Path(choice)))


def changes_of(words: Sequence[str]) -> dict[str, str]:
    """The fields that ``--set`` sets, each ``FIELD=VALUE``.

    Raises:
        UsageError: A word is no change, or a field is set twice.
    """
    fields: dict[str, str] = {}
    for change in words:
        name, equals, value = change.partition("=")
        if not equals:
            raise UsageError("not a change to a field", expected="FIELD=VALUE", found=change)
        if name.strip() in fields:
            raise UsageError(f"{name.strip()} is set twice", expected="each field once", found=change)
        fields[name.strip()] = value
    return fields
