"""From files that a job is given to what lies where: pieces, named places, init data, header changes.

Not the reading of words or of files: whoever calls has done that.  Start-up counts here: what few runs need
is imported for those alone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.chip import FLASH_FREQUENCIES, FLASH_MODES, FLASH_SIZES, MEGABIT_SIZES
from imgtool.errors import FormatError, ImgtoolError, UsageError
from imgtool.operations.assemble.pieces import HeaderChange, Piece, address_in_name
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from imgtool.engine.inputs import InputFile
    from imgtool.engine.results import Table
    from imgtool.errors import Move
    from imgtool.formats.reading import Finding
    from imgtool.operations.assemble.extras import InitDataSource
    from imgtool.operations.extract.manifest import Assembled, FileStretch, Manifest

__all__ = [
    "INIT_DATA_ALONE",
    "INIT_DATA_CHOICES",
    "KEEP",
    "MANIFEST",
    "FileContent",
    "ManifestFile",
    "PlacedFiles",
    "address_in_name",
    "check_places",
    "content_of",
    "content_piece",
    "files_of_manifest",
    "filesystem_piece",
    "form_by_name",
    "header_change",
    "init_source",
    "only_firmware",
    "piece_fields",
    "pieces_table",
    "placed",
    "published_init_data",
    "size_name",
]

KEEP: Final = "keep"
"""The word for a field of a header, or init data, that stays as it is."""

INIT_DATA_CHOICES: Final = ("auto", KEEP, "none", "v05", "v08")
"""Where init data can come from, beside a file."""

INIT_DATA_ALONE: Final = ("v05", "v08", "default")
"""What can stand for a file of init data at its place; the last is what the firmware on a board needs."""

MANIFEST: Final = "imgtool-manifest.json"
"""The file that makes a folder the parts of one image; imgtool/operations/extract/manifest.py reads it."""

_RAW: Final = "bin"
_GZIP: Final = b"\x1f\x8b"
_FORMS: Final = {
    ".hex": "hex",
    ".ihex": "hex",
    ".ihx": "hex",
    ".srec": "srec",
    ".s19": "srec",
    ".s37": "srec",
    ".mot": "srec",
    ".uf2": "uf2",
}


class PlacedFiles(NamedTuple):
    """Files as pieces of a flash; a tuple, as a page of help makes the class.

    Attributes:
        pieces: What has an address, in the order of the files.
        named: What goes to a named place such as ``@lfs``: the name and the piece.
        findings: What is to be said of parts that were changed since they were extracted.
        parts: Names of the files that an extracted folder was put together from.
        inputs: Names of all files: those that were given, then ``parts``.
        verbatim: Whether an extracted folder is all there is, and nothing in it was changed.
    """

    pieces: tuple[Piece, ...]
    named: tuple[tuple[str, Piece], ...] = ()
    findings: tuple[Finding, ...] = ()
    parts: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    verbatim: bool = False


def placed(files: Sequence[InputFile]) -> PlacedFiles:
    """What lies where, by the places of files, their names, and the addresses that are in them.

    A file without a place goes to the address that its name ends in, else to 0.  Intel HEX, S-record and UF2
    hold addresses of their own, and so does the manifest of an extracted folder.

    Raises:
        UsageError: There is no file, two have no address, or one that holds addresses is given another.
        FormatError: A record or a manifest is damaged, or a file that a manifest names is missing.
        LayoutError: Records hold addresses that are not those of flash.
    """
    if not files:
        raise UsageError("no image is given", expected="files, or a folder with 0x*.bin")
    unpacked = [each for file in files for each in _out_of_archive(file)]
    try:
        check_places((file.name, file.place) for file in unpacked)
    except UsageError as error:
        error.moves = _moves_of_nameless(unpacked)
        raise
    pieces: list[Piece] = []
    named: list[tuple[str, Piece]] = []
    assembled: list[Assembled] = []
    for file in unpacked:
        if _is_manifest(file):
            assembled.append(_assembled(file))
            pieces.append(assembled[-1])
        elif isinstance(file.place, str):
            named.append((file.place, content_piece(file)))
        else:
            pieces += _addressed(file)
    parts = tuple(str(PurePath(each.name).parent / name) for each in assembled for name in each.files)
    return PlacedFiles(
        pieces=tuple(pieces),
        named=tuple(named),
        findings=tuple(finding for each in assembled for finding in each.findings),
        parts=parts,
        inputs=(*(file.name for file in files), *parts),
        verbatim=len(files) == 1 and all(each.same for each in assembled) and bool(assembled),
    )


def _out_of_archive(file: InputFile) -> tuple[InputFile, ...]:
    """The firmware in an archive or a gzip file; the file itself where it is neither.

    What is written behind a firmware stays packed: an update that a boot loader unpacks.
    """
    from imgtool.formats.containers.archive import archive_of  # noqa: PLC0415 - not for help

    opened = _out_of_gzip(file) if file.data.startswith(_GZIP) else file
    if archive_of(opened.data) is None:
        return (opened,)
    from imgtool.operations.assemble.choosing import from_archive  # noqa: PLC0415 - few files are archives

    taken = from_archive(opened.data, file.name, placed=file.place is not None)
    return tuple(file._replace(name=_name_in(file.name, each.name), data=each.data) for each in taken)


def _name_in(archive: str, member: str) -> str:
    """What to call a file in an archive: below the archive, also where its own path begins at the root."""
    return str(PurePath(archive) / (member.lstrip("/") or PurePath(archive).stem))


def _out_of_gzip(file: InputFile) -> InputFile:
    """What is in a gzip file, where that is firmware or an archive; else the file itself.

    Raises:
        FormatError: It is damaged, cut, or too large for any flash.
    """
    from imgtool.formats.containers.archive import archive_of  # noqa: PLC0415 - few files are packed
    from imgtool.operations.inspect.archives import packed_firmware  # noqa: PLC0415 - likewise

    content = packed_firmware(file.data, file.name)
    if content is None or (file.place and archive_of(content) is None):
        return file
    return file._replace(name=file.name.removesuffix(".gz"), data=content)


def only_firmware(files: Sequence[tuple[str, bytes]], folder: str) -> tuple[str, ...]:
    """The names of the firmware among the files of a folder, where it is the only one.

    Args:
        files: Names and bytes.
        folder: Name of the folder.

    Raises:
        FormatError: There is none, or more than one.
    """
    from imgtool.operations.assemble.choosing import firmware_among, is_whole  # noqa: PLC0415 - few runs name a folder
    from imgtool.operations.inspect.archives import found_files  # noqa: PLC0415 - likewise

    found = found_files(files)
    try:
        return tuple(file.name for file in firmware_among(found, folder))
    except FormatError as error:
        whole = next((file.name for file in found if is_whole(file)), None)
        if whole is not None:
            error.add_note(Phrase("name the one that you want, such as ", Name(PurePath(folder) / whole)))
        raise


def check_places(files: Iterable[tuple[str, int | str | None]]) -> None:
    """Refuse files of which two would go to address 0 for want of another.

    Args:
        files: The name of each and its place, as :class:`imgtool.engine.inputs.InputFile` has them.

    Raises:
        UsageError: Two have no address.
    """
    names = [(PurePath(name).name, place) for name, place in files]
    # Files of records hold addresses of their own.
    nameless = [
        Name(name)
        for name, place in names
        if place is None and address_in_name(name) is None and form_by_name(name) == _RAW
    ]
    if len(nameless) > 1:
        raise UsageError(
            Phrase(nameless[0], " and ", nameless[1], " both have no address"),
            expected="names that end in an address such as 0x10000.bin, or ADDR FILE",
            found="two files that would both go to 0x00000",
        )


def _moves_of_nameless(files: Sequence[InputFile]) -> tuple[Move, ...]:
    """The places of files that have no address, where they tell it; none where they do not make up for it."""
    from imgtool.operations.assemble.right_places import right_places  # noqa: PLC0415 - for errors alone

    pieces = [piece for file in files if not isinstance(file.place, str) for piece in _addressed(file)]
    moves = right_places(pieces)
    moved = {move.file for move in moves}
    try:
        check_places((file.name, file.place) for file in files if file.name not in moved)
    except UsageError:
        return ()
    return moves


def form_by_name(name: str) -> str:
    """The format that the name of an image asks for: ``bin``, ``hex``, ``srec`` or ``uf2``."""
    return _FORMS.get(PurePath(name).suffix.lower(), _RAW)


def _addressed(file: InputFile) -> tuple[Piece, ...]:
    from imgtool.operations.assemble.records import form_of, pieces_of_records  # noqa: PLC0415 - not for help

    name, form = Name(file.name), form_of(file.data)
    place = address_in_name(PurePath(file.name).name) if file.place is None else file.place
    if form == _RAW:
        return (Piece(place if isinstance(place, int) else 0, file.data, name),)
    if isinstance(place, int) and place:
        raise UsageError(
            Phrase(name, " holds addresses of its own"), expected="no address", found=f"0x{place:x}"
        )
    return pieces_of_records(file.data, form, name)


def _is_manifest(file: InputFile) -> bool:
    return file.beside is not None or PurePath(file.name).name == MANIFEST


def _assembled(file: InputFile) -> Assembled:
    """The image that a folder of parts makes."""
    if file.place is not None:
        raise UsageError(
            "a manifest has addresses of its own", expected="no address before it", found=Name(file.name)
        )
    manifest = _manifest(file.name, file.data)
    try:
        return manifest.assemble(file.beside or {}, Name(file.name))
    except ImgtoolError as error:
        raise error.with_source(file.name) from None


class ManifestFile(NamedTuple):
    """A file that a manifest names.

    Attributes:
        manifest: Name of the manifest.
        number: Its entry, from 0.
        stretch: What the entry says.
    """

    manifest: str
    number: int
    stretch: FileStretch

    @property
    def name(self) -> str:
        """Its name, in the folder of the manifest."""
        return self.stretch.file

    @property
    def size(self) -> int:
        """How many bytes it has to have."""
        return self.stretch.size

    def refusal(self, found: str) -> ImgtoolError:
        """The error for something else in its place."""
        from imgtool.operations.extract.manifest import wrong_file  # noqa: PLC0415 - mostly no file is one

        return wrong_file(self.number, self.stretch, found).with_source(self.manifest)


def files_of_manifest(name: str, data: bytes) -> tuple[ManifestFile, ...]:
    """The files that a manifest names, for :attr:`imgtool.engine.inputs.InputFile.beside`.

    Args:
        name: Name of the manifest.
        data: Its bytes.

    Raises:
        FormatError: It is no manifest.
    """
    from imgtool.operations.extract.manifest import FileStretch  # noqa: PLC0415 - mostly no file is one

    return tuple(
        ManifestFile(name, number, stretch)
        for number, stretch in enumerate(_manifest(name, data).stretches)
        if isinstance(stretch, FileStretch)
    )


def _manifest(name: str, data: bytes) -> Manifest:
    from imgtool.operations.extract.manifest import Manifest  # noqa: PLC0415 - mostly no file is one

    try:
        return Manifest.parse(data)
    except ImgtoolError as error:
        raise error.with_source(name) from None


class FileContent(NamedTuple):
    """What a file holds.

    Attributes:
        data: The image; of records what they hold, from their lowest address on.
        form: ``bin``, or the format of the records.
        pieces: The blocks of records at their flash addresses; none for a raw file.
    """

    data: bytes
    form: str = _RAW
    pieces: tuple[Piece, ...] = ()

    @property
    def start(self) -> int:
        """Flash address of the first byte, as far as the file says: 0 for a raw one."""
        return self.pieces[0].address if self.pieces else 0


def content_of(file: InputFile) -> FileContent:
    """The image that a file is, or that is in its Intel HEX, S-record or UF2; its place does not matter.

    Raises:
        FormatError: A record is damaged.
        LayoutError: It holds addresses that are not those of flash.
    """
    from imgtool.operations.assemble.records import form_of, pieces_of_records  # noqa: PLC0415 - not for help

    form = form_of(file.data)
    if form == _RAW:
        return FileContent(file.data)
    from imgtool.formats.fill import ERASED  # noqa: PLC0415 - few files are records
    from imgtool.operations.assemble.joining import join  # noqa: PLC0415 - likewise

    pieces = pieces_of_records(file.data, form, Name(file.name))
    start = pieces[0].address
    moved = [replace(piece, address=piece.address - start) for piece in pieces]
    return FileContent(join(moved, moved[-1].end, ERASED), form, pieces)


def content_piece(file: InputFile) -> Piece:
    """The image in a file, as :func:`content_of` finds it, at address 0."""
    return Piece(0, content_of(file).data, Name(file.name))


def filesystem_piece(file: InputFile) -> Piece:
    """A file system image at the address that was given for it; without one it goes to its place."""
    from imgtool.operations.assemble.extras import AT_ITS_PLACE  # noqa: PLC0415 - few runs have one

    address = file.place if isinstance(file.place, int) else AT_ITS_PLACE
    return replace(content_piece(file), address=address)


def published_init_data(choice: str) -> InputFile:
    """A published set of init data as if it were a file for its named place.

    Args:
        choice: One of :data:`INIT_DATA_ALONE`.

    Raises:
        UsageError: It is what only a board can tell.
    """
    from imgtool.engine.inputs import InputFile  # noqa: PLC0415 - few runs have any
    from imgtool.formats.regions.init_data import SETS  # noqa: PLC0415 - likewise
    from imgtool.operations.flashing.init_data import INIT_DATA  # noqa: PLC0415 - likewise

    if choice not in SETS:
        sets = (name for name in INIT_DATA_ALONE if name in SETS)
        raise UsageError(
            f"{choice} is what the firmware on a board needs, and no board is asked",
            expected=", ".join((*sets, "or a file")),
            found=choice,
        )
    return InputFile(f"init data {choice}", SETS[choice], INIT_DATA)


def init_source(
    choice: str, file: InputFile | None, changes: Mapping[str, str], *, by_board: bool = False
) -> InitDataSource:
    """Where init data comes from.

    Args:
        choice: One of :data:`INIT_DATA_CHOICES`; does not matter where there is a file.
        file: A file with init data; None for none.
        changes: Fields to set, by name, as texts.
        by_board: Whether a board can tell what its firmware needs, so that the choice may be ``default``.

    Raises:
        UsageError: There is no such choice, or no such field, or a field cannot have its value.
        FormatError: The file holds damaged records.
        LayoutError: The file holds addresses that are not those of flash.
    """
    from imgtool.operations.assemble.extras import InitDataSource  # noqa: PLC0415 - slow, and not for sizes alone

    _check_fields(changes)
    if file is not None:
        return InitDataSource("file", content_piece(file), changes)
    choices = dict.fromkeys((*INIT_DATA_CHOICES, *(INIT_DATA_ALONE if by_board else ())))
    if choice not in choices:
        expected = ", ".join((*choices, "or a file"))
        raise UsageError("there is no such init data", expected=expected, found=Name(choice))
    return InitDataSource(choice, None, changes)


def _check_fields(fields: Mapping[str, str]) -> None:
    """A field that does not exist, or cannot have its value, is wrong usage, not a wrong file."""
    if not fields:
        return
    from imgtool.formats.regions.init_data import InitData  # noqa: PLC0415 - few runs set any

    try:
        InitData.of_set("v05").replace(fields)
    except FormatError as error:
        raise UsageError(error.message, expected=error.expected, found=error.found) from None


def header_change(
    mode: str = KEEP, freq: str = KEEP, size: str = KEEP, old_size: str = KEEP
) -> tuple[HeaderChange, str | None]:
    """The header change that is asked for, and a note on the spelling of the size.

    Args:
        mode: Flash mode.
        freq: Flash frequency.
        size: Flash size.
        old_size: The same as esptool's ``-fs`` has it, which knows the megabit spellings of old tools too.

    Raises:
        UsageError: A value that has no meaning, or two sizes.
    """
    given = [(word, short) for word, short in ((size, False), (old_size, True)) if word.lower() != KEEP]
    if len(given) > 1:
        raise UsageError(
            "two flash sizes are given", expected="--flash-size or -fs", found=f"{size} and {old_size}"
        )
    name, note = size_name(given[0][0], short=given[0][1]) if given else (None, None)
    change = HeaderChange(
        _keep_or(mode, FLASH_MODES, "mode"), _keep_or(freq, FLASH_FREQUENCIES, "frequency"), name
    )
    return change, note


def _keep_or(text: str, table: Mapping[str, int], what: str) -> str | None:
    """A name from a table, or None for ``keep``."""
    word = text.lower()
    if word == KEEP:
        return None
    if word not in table:
        raise UsageError(f"not a flash {what}", expected=", ".join((KEEP, *table)), found=text)
    return word


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


def piece_fields(piece: Piece) -> dict[str, Any]:
    """A piece of a merge, split or full image, for JSON."""
    return {"name": piece.name, "address": piece.address, "size": len(piece.data)}


def pieces_table(pieces: Sequence[Piece], head: str = "from") -> Table:
    """Which piece goes where; ``head`` is what its name stands for."""
    from imgtool.engine.results import Table  # noqa: PLC0415 - JSON does without

    rows = tuple((f"0x{piece.address:06x}", f"{len(piece.data):,}", piece.name) for piece in pieces)
    return Table(rows=rows, head=("address", "size", head), right=(1,))
