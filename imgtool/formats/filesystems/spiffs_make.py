"""A SPIFFS made of files: every layout, magic and block size that spiffs_files.py reads.

Not where a firmware looks for one, and which one it takes: imgtool.layout.  Changes inside one that is there:
spiffs_edit.py.

Made as a device would leave it that has written file after file: block after block, with nothing deleted, the
rest erased.  The recipe was tested against the file system's own sources of 15 releases of NodeMCU.

Source: spiffs_nucleus.h of https://github.com/pellepl/spiffs; see docs/formats/spiffs.md.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from struct import pack
from typing import Final, NamedTuple

from imgtool.errors import FileNameError, FileRoomError, FormatError
from imgtool.formats.filesystems.spiffs import CONSTANT_MAGIC, MAGIC_OFFSET, SpiffsSignature, magic_of
from imgtool.formats.filesystems.spiffs_files import LAYOUTS, IndexLayout
from imgtool.formats.filesystems.stored_files import NewFile, Space, Superblock
from imgtool.phrase import Name, Phrase
from imgtool.quantities import in_bytes

__all__ = [
    "CONTENT",
    "FORMULAS",
    "INDEX",
    "PAGE",
    "FreePages",
    "PlacedPage",
    "SpiffsShape",
    "check_files",
    "compose",
    "file_pages",
    "free_places",
    "magics",
    "pages_of",
    "put_page",
    "room_of",
    "space_for",
]

PAGE: Final = 0x100
_HEADER: Final = 5
CONTENT: Final = PAGE - _HEADER
_ERASED: Final = 0xFF
INDEX: Final = 0x8000
_LIVE_DATA: Final = 0xFC
_LIVE_INDEX: Final = 0xF8
_FILE_TYPE: Final = 1
_UNDEFINED: Final = 0xFFFF_FFFF
_STRAY: Final = b"\x10"
_NO_MAGIC: Final = b"\xff\xff"
_KEPT_FREE: Final = 2  # blocks, without which a device cannot collect garbage
_MOST_FILES: Final = 0x7FFE  # 0x7FFF with the bit for an index page would read as free
_MOST_PAGES: Final = 0x1_0000
_PAGES_OF_BLOCK: Final = range(3, PAGE // 2 - 1)  # one lookup page has room for so many
_LAYOUTS: Final[Mapping[str, IndexLayout]] = {layout.name: layout for layout in LAYOUTS}

FORMULAS: Final = ("none", "linear", "old", "constant")
"""Of the magics: see :class:`imgtool.layout.traits.Magics`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpiffsShape(Superblock):
    """All that decides how a SPIFFS is laid out.

    Attributes:
        formula: Of the magics, one of :data:`FORMULAS`.
        layout: Of its index pages, by its name in
            :data:`imgtool.formats.filesystems.spiffs_files.LAYOUTS`.
    """

    formula: str = "linear"
    layout: str = "aligned"

    def __post_init__(self) -> None:
        """Refuse what no firmware could work with.

        Raises:
            FormatError: There is no such formula, layout or size.
        """
        if self.formula not in FORMULAS:
            raise FormatError("no such magics", expected=", ".join(FORMULAS), found=self.formula)
        if self.layout not in _LAYOUTS:
            raise FormatError("no such layout of SPIFFS", expected=", ".join(_LAYOUTS), found=self.layout)
        pages = self.block_size // PAGE
        if self.block_size % PAGE or pages not in _PAGES_OF_BLOCK:
            raise FormatError("no block size of SPIFFS", expected="0x1000 or 0x2000", found=self.block_size)
        if not 0 < self.blocks * pages <= _MOST_PAGES:
            most = _MOST_PAGES // pages
            raise FormatError(
                "no length of SPIFFS", expected=f"1 to {most:,} blocks", found=f"{self.blocks:,}"
            )

    @property
    def pages(self) -> int:
        """Pages of a block that hold files: all but the first."""
        return self.block_size // PAGE - 1

    @property
    def index(self) -> IndexLayout:
        """The layout of its index pages."""
        return _LAYOUTS[self.layout]


# Space.


def pages_of(size: int, layout: IndexLayout) -> int:
    """How many pages a file takes.

    Args:
        size: Its bytes.
        layout: That of its index pages.
    """
    data = -(-size // CONTENT)
    return data + 1 + max(0, -(-(data - layout.in_first) // layout.in_more))


def room_of(shape: SpiffsShape) -> int:
    """How many pages files may take, so that a device can go on writing: two blocks stay free."""
    return max(0, shape.blocks - _KEPT_FREE) * shape.pages


def space_for(files: Iterable[NewFile], shape: SpiffsShape) -> Space:
    """Whether files fit: by this alone :func:`compose` decides."""
    return Space(sum(pages_of(len(file.data), shape.index) for file in files), room_of(shape), PAGE)


# Checks.


def check_files(files: Sequence[NewFile], shape: SpiffsShape) -> None:
    """Refuse files that a SPIFFS cannot hold.

    Raises:
        FileNameError: A name is empty, too long, has a zero byte, or stands twice.
        FormatError: Metadata has another length than the layout.
        FileRoomError: They do not fit.
    """
    most = shape.index.room - 1
    counts = Counter(file.name for file in files)
    twice = [name for name, count in counts.items() if count > 1]
    long = [file.name for file in files if len(file.name) > most]
    broken = [file.name for file in files if not file.name or b"\0" in file.name]
    for names, what in ((broken, "no name"), (long, "too long a name"), (twice, "the name of two files")):
        if names:
            raise _wrong_names(names, what, most)
    for file in files:
        if file.metadata and len(file.metadata) != shape.index.metadata:
            raise FormatError(
                Phrase("the metadata of ", Name(_shown(file.name)), " does not fit the layout"),
                expected=in_bytes(shape.index.metadata),
                found=in_bytes(len(file.metadata)),
            )
    _check_room(files, shape)


def _wrong_names(names: Sequence[bytes], what: str, most: int) -> FileNameError:
    shown = [_shown(name) for name in names]
    others = f", and {len(names) - 1} more" if len(names) > 1 else ""
    return FileNameError(
        Phrase(Name(shown[0]) or "''", f" is {what} in SPIFFS{others}"),
        names=shown,
        expected=f"1 to {most} bytes, each name once",
        found=in_bytes(len(names[0])),
    )


def _check_room(files: Sequence[NewFile], shape: SpiffsShape) -> None:
    space = space_for(files, shape)
    count = f"{len(files):,} file{'' if len(files) == 1 else 's'}"
    if not space.fits:
        where = f"a SPIFFS of {in_bytes(shape.size)}"
        largest = max(files, key=lambda file: len(file.data))
        alone = f"{pages_of(len(largest.data), shape.index):,}"
        raise FileRoomError(
            f"{count} do not fit into {where}: {in_bytes(space.too_many)} too many",
            too_many=space.too_many,
            expected=f"{space.room:,} pages of {PAGE} bytes",
            found=Phrase(f"{space.needed:,}, of which ", Name(_shown(largest.name)), f" takes {alone}"),
        )
    if len(files) > _MOST_FILES:
        raise FileRoomError(
            f"{count} are more than a SPIFFS can number",
            too_many=(len(files) - _MOST_FILES) * PAGE,
            expected=f"{_MOST_FILES:,}",
            found=count,
        )


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


# Making it.


def compose(files: Sequence[NewFile], shape: SpiffsShape, erases: Sequence[int] = ()) -> bytes:
    """A SPIFFS with these files and nothing else; same files, same bytes.

    Args:
        files: In the order in which they are to be written.
        shape: How it is laid out.
        erases: How often each block was erased so far; 0 for those that are not named.

    Raises:
        FileNameError: A name is empty, too long, has a zero byte, or stands twice.
        FormatError: Metadata has another length than the layout.
        FileRoomError: They do not fit.
    """
    check_files(files, shape)
    image = _empty(shape, erases)
    places = FreePages(shape, free_places(shape, range(shape.blocks - _KEPT_FREE)))
    for number, file in enumerate(files, 1):
        for page in file_pages(file, number, shape, places):
            put_page(image, shape, page)
    return bytes(image)


def magics(shape: SpiffsShape) -> tuple[bytes, ...]:
    """The two bytes at :data:`MAGIC_OFFSET` of each block."""
    if shape.formula in ("none", "constant"):
        return (_NO_MAGIC if shape.formula == "none" else CONSTANT_MAGIC,) * shape.blocks
    signature = SpiffsSignature(shape.block_size, shape.blocks, shape.formula)
    return tuple(magic_of(signature, block) for block in range(shape.blocks))


def _empty(shape: SpiffsShape, erases: Sequence[int]) -> bytearray:
    """A formatted one: a magic and an erase count in each block; without magics nothing is formatted."""
    image = bytearray([_ERASED]) * shape.size
    counted = shape.formula != "none"
    for block, magic in enumerate(magics(shape)):
        at = block * shape.block_size + MAGIC_OFFSET
        image[at : at + 2] = magic
        if block < len(erases) or counted:
            count = erases[block] if block < len(erases) else 0
            image[at + 2 : at + 4] = pack("<H", count)
    return image


class PlacedPage(NamedTuple):
    """A page of a file.

    Attributes:
        number: Its number in the file system, counted with lookup pages.
        owner: Its entry in the lookup page: the object, with the top bit for an index page.
        content: Its bytes.
    """

    number: int
    owner: int
    content: bytes


def free_places(shape: SpiffsShape, blocks: Iterable[int]) -> Iterator[int]:
    """The numbers of all pages of blocks that can hold files, block after block."""
    for block in blocks:
        first = block * (shape.pages + 1) + 1
        yield from range(first, first + shape.pages)


class FreePages:
    """Pages that can be written, handed out for the pages of files; the last one of a block for data alone.

    SPIFFS before 0.3.6, of NodeMCU up to 2.1.0-20170521, begins no search there.  A first index page behind
    another one is left out when files are listed, see https://github.com/pellepl/spiffs/issues/90; and for
    each byte behind a further index page 0.9.5 reads all lookup pages (run: 4.5 s for 250 bytes on 1 MB).
    Only where all others are taken, an index page comes there.

    Args:
        shape: Of the file system.
        numbers: The numbers of the pages.
    """

    def __init__(self, shape: SpiffsShape, numbers: Iterable[int]) -> None:
        self._pages = shape.pages
        self._numbers = iter(numbers)
        self._last: deque[int] = deque()

    def for_index(self) -> int:
        """The number of a page for an index; there must be one."""
        for number in self._numbers:
            if number % (self._pages + 1) != self._pages:
                return number
            self._last.append(number)
        return self._last.popleft()

    def for_data(self) -> int:
        """The number of a page for data; there must be one."""
        return self._last.popleft() if self._last else next(self._numbers)


def put_page(image: bytearray, shape: SpiffsShape, page: PlacedPage) -> None:
    """Put a page where it belongs, and its owner into the lookup page of its block."""
    block, entry = divmod(page.number, shape.pages + 1)
    at = page.number * PAGE
    image[at : at + PAGE] = page.content
    at = block * shape.block_size + 2 * (entry - 1)
    image[at : at + 2] = pack("<H", page.owner)


def file_pages(file: NewFile, number: int, shape: SpiffsShape, places: FreePages) -> list[PlacedPage]:
    """The pages of a file, in the order of their places.

    Args:
        file: The file.
        number: Its object number, from 1 on.
        shape: Of the file system.
        places: Pages that are free; as many are taken as :func:`pages_of` says.
    """
    layout = shape.index
    chunks = [file.data[at : at + CONTENT] for at in range(0, len(file.data), CONTENT)]
    taken: list[PlacedPage] = []
    first, room, span, index = 0, layout.in_first, 0, 0
    while index == 0 or first < len(chunks):
        at = places.for_index()
        own = []
        for chunk in chunks[first : first + room]:
            own.append(places.for_data())
            head = pack("<HHB", number, span, _LIVE_DATA)
            taken.append(PlacedPage(own[-1], number, _filled(head + chunk)))
            span += 1
        head = _first_index(file, number, shape) if index == 0 else _more_index(number, index, layout)
        page = _filled(head + pack(f"<{len(own)}H", *own))
        taken.append(PlacedPage(at, number | INDEX, page))
        first, room, index = first + room, layout.in_more, index + 1
    return sorted(taken)


def _filled(page: bytes) -> bytes:
    return page.ljust(PAGE, bytes([_ERASED]))


def _first_index(file: NewFile, number: int, shape: SpiffsShape) -> bytes:
    """The first index page up to its page numbers; the alignment bytes mean nothing.

    Those in front of the name are zeros, and one behind it is none: else names of NodeMCU 0.9.6 of 2015-04-06
    could as well be 0.9.5's, with the first letter for its alignment.
    """
    layout = shape.index
    size = len(file.data) or _UNDEFINED
    behind = layout.text + layout.room
    page = bytearray(behind).ljust(layout.first, _STRAY)
    page[:_HEADER] = pack("<HHB", number | INDEX, 0, _LIVE_INDEX)
    page[layout.size : layout.size + 4] = pack("<I", size)
    page[layout.type] = _FILE_TYPE
    page[layout.text : layout.text + len(file.name)] = file.name
    metadata = file.metadata or bytes([_ERASED]) * layout.metadata
    page[behind : behind + layout.metadata] = metadata
    return bytes(page)


def _more_index(number: int, index: int, layout: IndexLayout) -> bytes:
    return pack("<HHB", number | INDEX, index, _LIVE_INDEX).ljust(layout.more, b"\0")
