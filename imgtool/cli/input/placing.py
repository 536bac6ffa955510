"""Words on the command line to pieces with flash addresses, read from their files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from imgtool.cli.input.arguments import UsageError
from imgtool.cli.input.files import read_file
from imgtool.cli.input.options import (
    INIT_DATA_CHOICES,
    MANIFEST,
    Placed,
    folder_images,
    keep_or,
    number,
    size_name,
)
from imgtool.errors import FormatError
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from imgtool.formats.reading import Finding
    from imgtool.operations.assemble.extras import InitDataSource

__all__ = [
    "FileContent",
    "FromParts",
    "content_of",
    "filesystem_piece",
    "found_here",
    "from_parts",
    "header_change",
    "init_source",
    "pieces_of",
    "read_content",
]

_KEEP = "keep"


def pieces_of(images: list[Placed]) -> tuple[list[Piece], list[tuple[str, Piece]]]:
    """Read the images: those with an address, and those that go to a named place."""
    from imgtool.operations.assemble.records import form_of, pieces_of_records

    if not images:
        raise UsageError("no image is given", expected="files, or a folder with 0x*.bin", found="nothing")
    pieces: list[Piece] = []
    named: list[tuple[str, Piece]] = []
    for image in images:
        parts = _of_manifest(image)
        if parts is not None:
            pieces.append(parts)
            continue
        data, name = read_file(image.path), Name(image.path)
        form = form_of(data)
        if isinstance(image.place, str):
            named.append((image.place, Piece(0, _flat(data, form, name), name)))
        elif form == "bin":
            pieces.append(Piece(image.place or 0, data, name))
        elif image.place:
            raise UsageError(
                Phrase(name, " holds addresses of its own"),
                expected="no address",
                found=f"0x{image.place:x}",
            )
        else:
            pieces += pieces_of_records(data, form, name)
    return pieces, named


class FileContent(NamedTuple):
    """What a file holds.

    Attributes:
        data: The image; of records what they hold, from their lowest address on.
        form: ``bin``, or the format of the records.
        pieces: The blocks of records at their flash addresses; none for a raw file.
    """

    data: bytes
    form: str = "bin"
    pieces: tuple[Piece, ...] = ()

    @property
    def start(self) -> int:
        """Flash address of the first byte, as far as the file says: 0 for a raw one."""
        return self.pieces[0].address if self.pieces else 0


def content_of(path: Path) -> FileContent:
    """Read a file: an image, or Intel HEX, S-record and UF2 with one in it.

    Raises:
        UsageError: It cannot be read.
        FormatError: A record is damaged.
        LayoutError: It holds addresses that are not those of flash.
    """
    from imgtool.operations.assemble.records import form_of, pieces_of_records

    data, name = read_file(path), Name(path)
    form = form_of(data)
    if form == "bin":
        return FileContent(data)
    return FileContent(_flat(data, form, name), form, pieces_of_records(data, form, name))


def read_content(path: Path) -> bytes:
    """The image in a file, as :func:`content_of` reads it."""
    return content_of(path).data


def _flat(data: bytes, form: str, name: str) -> bytes:
    if form == "bin":
        return data
    from imgtool.formats.fill import ERASED
    from imgtool.operations.assemble.merge import join
    from imgtool.operations.assemble.records import pieces_of_records

    pieces = pieces_of_records(data, form, name)
    start = pieces[0].address
    moved = [replace(piece, address=piece.address - start) for piece in pieces]
    return join(moved, moved[-1].end, ERASED)


class FromParts(NamedTuple):
    """What is to be known of pieces that were put together from folders with a manifest.

    Attributes:
        files: The files of the parts.
        findings: What is to be said of those that were changed since they were extracted.
        verbatim: Whether such a folder is all there is, and nothing in it was changed.
    """

    files: tuple[Path, ...] = ()
    findings: tuple[Finding, ...] = ()
    verbatim: bool = False


def from_parts(images: list[Placed], pieces: list[Piece]) -> FromParts:
    """What is to be known of the pieces that come from folders with a manifest; mostly none does."""
    if not any(image.path.name == MANIFEST for image in images):
        return FromParts()
    from imgtool.cli.input.parts_folder import findings_of, part_files
    from imgtool.operations.extract.manifest import Assembled

    only = pieces[0] if len(pieces) == 1 else None
    unchanged = isinstance(only, Assembled) and only.same
    return FromParts(tuple(part_files(pieces)), findings_of(pieces), unchanged)


def _of_manifest(image: Placed) -> Piece | None:
    """The image that a folder of parts makes, None for any other file."""
    if image.path.name != MANIFEST:
        return None
    if image.place is not None:
        raise UsageError(
            "a manifest has addresses of its own", expected="no address before it", found=Name(image.path)
        )
    from imgtool.cli.input.parts_folder import assembled

    return assembled(image.path)


def header_change(
    mode: str, freq: str, size: str = _KEEP, old_size: str = _KEEP
) -> tuple[HeaderChange, str | None]:
    """The header change that the options ask for, and a note on the spelling of the size.

    Args:
        mode: ``-fm``.
        freq: ``-ff``.
        size: ``--flash-size``.
        old_size: ``-fs``, which knows the megabit spellings of old tools too.

    Raises:
        UsageError: A value that has no meaning, or two sizes.
    """
    from imgtool.chip import FLASH_FREQUENCIES, FLASH_MODES

    given = [(word, short) for word, short in ((size, False), (old_size, True)) if word.lower() != _KEEP]
    if len(given) > 1:
        raise UsageError(
            "two flash sizes are given", expected="--flash-size or -fs", found=f"{size} and {old_size}"
        )
    name, note = size_name(given[0][0], short=given[0][1]) if given else (None, None)
    change = HeaderChange(
        keep_or(mode, FLASH_MODES, "mode"), keep_or(freq, FLASH_FREQUENCIES, "frequency"), name
    )
    return change, note


def found_here() -> list[Placed]:
    """The images that lie here, or in ``bin``, where none is named.

    Raises:
        UsageError: There are none.
    """
    for folder in (Path(), Path("bin")):
        found = folder_images(folder)
        if found:
            return found
    raise UsageError(
        "no image is given, and there is none here", expected="./0x*.bin or ./bin/0x*.bin", found="neither"
    )


def filesystem_piece(text: str) -> Piece:
    """A file system image, ``FILE`` or ``FILE@ADDR``; without an address it goes to its place."""
    from imgtool.operations.assemble.extras import AT_ITS_PLACE

    name, at, address = text.rpartition("@")
    if not at or not address[:1].isdigit() or Path(text).exists():
        return Piece(AT_ITS_PLACE, read_content(Path(text)), Name(text))
    return Piece(number(address, "address"), read_content(Path(name)), Name(name))


def init_source(choice: str, changes: list[str]) -> InitDataSource:
    """Where init data comes from: ``--init-data`` and the changes of ``--set``.

    Raises:
        UsageError: A change is none, or its field does not exist.
    """
    from imgtool.operations.assemble.extras import InitDataSource

    fields: dict[str, str] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise UsageError("not a change to a field", expected="FIELD=VALUE", found=change)
        if name.strip() in fields:
            raise UsageError(f"{name.strip()} is set twice", expected="each field once", found=change)
        fields[name.strip()] = value
    _check_fields(fields)
    if choice in INIT_DATA_CHOICES:
        return InitDataSource(choice, None, fields)
    return InitDataSource("file", Piece(0, read_content(Path(choice)), Name(choice)), fields)


def _check_fields(fields: dict[str, str]) -> None:
    """A field that does not exist, or cannot have its value, is wrong usage, not a wrong file."""
    if not fields:
        return
    from imgtool.formats.regions.init_data import InitData

    try:
        InitData.of_set("v05").replace(fields)
    except FormatError as error:
        raise UsageError(error.message, expected=error.expected, found=error.found) from None
