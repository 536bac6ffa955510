"""Which files of an archive or a folder are its firmware: the only one, or the only set with addresses.

Nothing is opened here.  Where several could be meant the error lists them with what they are; none is
guessed.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from imgtool.errors import FormatError
from imgtool.formats.containers.archive import archive_of
from imgtool.formats.kinds import KINDS, Starter
from imgtool.formats.reading import FileKind
from imgtool.formats.registry import identify
from imgtool.operations.assemble.pieces import address_in_name
from imgtool.operations.inspect.archives import FoundFile, looked_into, packed_firmware, problem_of
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["firmware_among", "from_archive", "is_whole"]

_MOST_NAMED: Final = 8
_NO_LOADER: Final = (Starter.ROM, Starter.EBOOT, None)
_UNPACK: Final = KINDS[FileKind.ARCHIVE].cure
_INTEGER, _FLOAT = "integer", "float"
_VARIANTS: Final = (
    "float has fractions in its numbers and is what most scripts want; integer knows whole numbers only, and"
    " takes less memory"
)


def from_archive(data: bytes, name: str, *, placed: bool) -> tuple[FoundFile, ...]:
    """The firmware in an archive: one file, or several with addresses in their names.

    Args:
        data: The archive.
        name: What to call it.
        placed: Whether an address or a place was given for it: then it is for the only file that is no text.

    Raises:
        FormatError: It cannot be opened, is damaged, or it cannot be told which file is meant.
    """
    try:
        found, every = looked_into(data)
    except FormatError as error:
        form = archive_of(data)
        if form is not None and not form.opens:
            error.add_note(_UNPACK)
        raise error.with_source(name) from None
    closed = problem_of(every)
    ours = tuple(file for file in found if not KINDS[file.kind].foreign)
    if closed is not None and not ours:
        raise FormatError(closed, source=name)
    if placed and len(ours) == 1:
        return ours
    try:
        if not placed:
            return firmware_among(found, name)
        raise _unclear("it does not tell which file in it goes there", "one file", ours or found, name)
    except FormatError as error:
        error.add_note(_UNPACK)
        raise


def firmware_among(found: Sequence[FoundFile], name: str) -> tuple[FoundFile, ...]:
    """The firmware among files: one file, or several of one folder with addresses in their names.

    Args:
        found: The files.
        name: What they are in.

    Raises:
        FormatError: There is none, or several.
    """
    found = [_unpacked(file) for file in found]
    sets = _sets(found)
    in_sets = {file.name for files in sets for file in files}
    others = [file for file in found if file.name not in in_sets]
    singles = {file.data: file for file in others if is_whole(file)}
    parts = [file for file in others if KINDS[file.kind].is_firmware and not is_whole(file)]
    choices = [*sets, *((file,) for file in singles.values())]
    if len(choices) == 1 and (sets or not parts):
        return choices[0]
    ours = [file for file in found if KINDS[file.kind].is_firmware]
    if not ours:
        raise _unclear("there is no firmware in it", "firmware for the ESP8266", found, name)
    if not choices:
        raise _unclear("its files need addresses", "a whole firmware, or names as 0x10000.bin", ours, name)
    raise _unclear("there is more than one firmware in it", "one", ours, name)


def _unpacked(file: FoundFile) -> FoundFile:
    """What a packed firmware is; every other file as it is."""
    if not KINDS[file.kind].wraps:
        return file
    try:
        data = packed_firmware(file.data, file.name)
    except FormatError:
        return file
    kind = None if data is None else identify(data).kind
    if data is None or kind is None or not KINDS[kind].is_firmware:
        return file
    return FoundFile(file.name.removesuffix(".gz"), data, kind)


def is_whole(file: FoundFile) -> bool:
    """Whether a file can be all that a flash needs: no boot loader, and nothing that one starts."""
    row = KINDS[file.kind]
    return row.at_start and row.brings in _NO_LOADER


def _sets(found: Sequence[FoundFile]) -> list[tuple[FoundFile, ...]]:
    """The files of each folder whose names end in addresses, where one of them is for 0."""
    folders: dict[str, list[FoundFile]] = {}
    for file in found:
        path = PurePosixPath(file.name)
        if address_in_name(path.name) is not None:
            folders.setdefault(str(path.parent), []).append(file)
    return [
        tuple(files)
        for files in folders.values()
        if any(address_in_name(PurePosixPath(file.name).name) == 0 for file in files)
    ]


def _unclear(message: str, expected: str, files: Iterable[FoundFile], name: str) -> FormatError:
    named = list(files)
    shown = [Phrase(Name(file.name), f" ({file.words})") for file in named[:_MOST_NAMED]]
    more = [f"and {len(named) - _MOST_NAMED} more"] if len(named) > _MOST_NAMED else []
    found = Phrase.joined(", ", [*shown, *more]) if named else "nothing"
    error = FormatError(message, source=name, expected=expected, found=found)
    names = " ".join(file.name.lower() for file in named)
    if _INTEGER in names and _FLOAT in names:
        error.add_note(_VARIANTS)
    return error
