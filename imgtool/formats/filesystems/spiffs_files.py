"""The files in a SPIFFS, by its pages: index pages name the data pages, and each page says whose it is.

Where one begins, its block size and its length come from spiffs.py and spiffs_plain.py.  Every variant that
NodeMCU had, and those of Arduino, Sming, Mongoose OS and the RTOS SDK; which one it is shows in the pages.
Never raises: what does not agree is a finding.

Source: spiffs_nucleus.h of https://github.com/pellepl/spiffs, and of NodeMCU at its tags; see
docs/formats/spiffs.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import unpack_from
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.formats import fill
from imgtool.formats.filesystems.stored_files import FileSystem, StoredFile
from imgtool.formats.reading import Finding, PartKind, Severity
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["LAYOUTS", "MAKERS", "IndexLayout", "blocks_in_front", "layout_at", "read_as", "read_files"]

_PAGE: Final = 0x100
_HEADER: Final = 5  # object, span, flags
_CONTENT: Final = _PAGE - _HEADER  # bytes of a file in a data page
_FREE: Final = 0xFFFF
_DELETED: Final = 0x0000
_INDEX: Final = 0x8000  # top bit of an object number: the page is an index
_ERASE_COUNT: Final = 0xFE
_UNDEFINED: Final = 0xFFFF_FFFF  # size of a file that was made and not yet written
_FILE_TYPE: Final = 1
# Flags, active low: 01 used, 02 final, 04 index, 40 index being deleted, 80 deleted.
_STATE: Final = 0x87
_LIVE_DATA: Final = 0x84
_LIVE_INDEX: Final = 0x80
_KEPT: Final = 0x40
_UNTOUCHED: Final = b"\xff" * _HEADER
_PROBED_HEADERS: Final = 64
_PROBED_ENTRIES: Final = 4
_PROBED_BLOCKS: Final = (8, 128)  # in which mostly there are files, and where those are long
_PROBED_FILES: Final = 4
_FIRST_RUN: Final = b"init.lua"
_NO_CHARACTER: Final = "\N{REPLACEMENT CHARACTER}"
_FRONT: Final = 0x1_0000  # less than that may lie in front of the first block that is mounted
_USED_BLOCKS: Final = 4  # of which the pages tell where they count from


class IndexLayout(NamedTuple):
    """Where the fields of index pages stand: they moved with the releases.

    Attributes:
        name: What imgtool calls it.
        size: Offset of the file's size.
        type: Offset of its type.
        text: Offset of its name.
        first: Offset of the page numbers in the first index page of a file.
        more: Offset of the page numbers in every other one.
        room: Bytes of the name.
        metadata: Bytes behind it that the firmware may use as it likes.
        block: The only block size that its makers use; None where they differ.
    """

    name: str
    size: int
    type: int
    text: int
    first: int
    more: int
    room: int = 32
    metadata: int = 0
    block: int | None = None

    @property
    def in_first(self) -> int:
        """How many page numbers the first index page of a file holds."""
        return (_PAGE - self.first) // 2

    @property
    def in_more(self) -> int:
        """How many every other one holds."""
        return (_PAGE - self.more) // 2


_SMALL: Final = 0x1000
_0_9_5: Final = IndexLayout("0.9.5", 6, 10, 12, 44, 6, block=_SMALL)
# That build has its names a byte earlier; all else stands where 0.9.5 has it.
_2015_04_06: Final = IndexLayout("0.9.6-20150406", 6, 10, 11, 44, 6, block=_SMALL)

LAYOUTS: Final = (
    IndexLayout("aligned", 8, 12, 13, 46, 8),  # NodeMCU from 1.5.4.1 on, Arduino, Sming before 4.3
    IndexLayout("sming-4.3", 8, 12, 13, 62, 8, metadata=16),  # with 16 bytes of metadata
    IndexLayout("mongoose", 8, 12, 13, 70, 8, room=48, metadata=8, block=_SMALL),  # longer names
    IndexLayout("metadata", 8, 12, 13, 50, 8, metadata=4),  # aligned, with 4 bytes of metadata
    IndexLayout("esp32", 8, 12, 13, 49, 8, metadata=4),  # unaligned: ESP-IDF, mkspiffs for the ESP32
    IndexLayout("unaligned", 8, 12, 13, 45, 8),  # a SPIFFS built with its own defaults
    IndexLayout("packed", 5, 9, 10, 42, 5, block=_SMALL),  # NodeMCU 1.4.0 and 1.5.1
    IndexLayout("0.9.6", 7, 11, 12, 44, 6, block=_SMALL),  # NodeMCU 0.9.6-dev, of June and July 2015 as well
    _0_9_5,  # NodeMCU from 2014-12-26 up to 0.9.5
    _2015_04_06,
    IndexLayout("0.9.2", 6, 10, 11, 43, 6, block=_SMALL),  # NodeMCU before 2014-12-26
)
"""The variants, the most common first."""

MAKERS: Final[Mapping[tuple[str, str], str]] = {
    ("constant", ""): "the Arduino core or Mongoose OS",  # no file tells
    ("constant", "aligned"): "the Arduino core",
    ("constant", "mongoose"): "Mongoose OS",
    ("linear", "esp32"): "mkspiffs for the ESP32",
    ("linear", "unaligned"): "mkspiffs with its own defaults",
    ("none", "aligned"): "Sming before 4.3",
    ("none", "sming-4.3"): "Sming 4.3 or later",
    ("none", "packed"): "NodeMCU 1.4.0 or 1.5.1",
    ("none", "0.9.6"): "NodeMCU 0.9.6",
    ("none", "0.9.6-20150406"): "NodeMCU 0.9.6 of 2015-04-06",
    ("none", "0.9.5"): "NodeMCU up to 0.9.5",
    ("none", "0.9.2"): "NodeMCU 0.9.2",
}
"""Who makes file systems with those magics and that layout, where it is not today's NodeMCU."""

# Pages are read one by one, thousands of them, and most of what is read is two bytes: construct takes twenty
# times as long as int.from_bytes for that.


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


@dataclass(slots=True)
class _Pages:
    """What stands in the pages: indices by object and span, as offsets; counts."""

    data: bytes
    offset: int
    stop: int
    block_size: int
    blocks: int
    indices: dict[int, dict[int, list[int]]] = field(default_factory=dict)
    doubtful: set[int] = field(default_factory=set)
    strange: list[int] = field(default_factory=list)
    live_data: int = 0
    used: int = 0
    free: int = 0
    deleted: int = 0
    half_written: int = 0
    most_erases: int | None = None

    def add_index(self, start: int) -> None:
        """An index page by its own header, which is all there."""
        spans = self.indices.setdefault(_number(self.data, start) & ~_INDEX, {})
        spans.setdefault(_number(self.data, start + 2), []).append(start)

    def place(self, page: int) -> int | None:
        """Offset of a page by its number; None for a page that cannot hold data."""
        per_block = self.block_size // _PAGE
        if page % per_block == 0 or page >= self.blocks * per_block:
            return None
        return self.offset + page * _PAGE

    def is_data(self, start: int, number: int, span: int) -> bool:
        """Whether the page at an offset holds that stretch of that object."""
        head = self.data[start : start + _HEADER]
        return (
            start + _PAGE <= self.stop
            and head[:4] == (span << 16 | number).to_bytes(4, "little")
            and head[4] & _STATE == _LIVE_DATA
        )


def read_files(data: bytes, offset: int, stop: int, *, block_size: int, blocks: int) -> FileSystem:
    """The files of the SPIFFS at ``offset``.

    Args:
        data: What it lies in.
        offset: Its first byte.
        stop: Where it ends in ``data``: of a cut one, before its own end.
        block_size: Bytes of a block.
        blocks: How many blocks it has by its magics.
    """
    end = min(stop, offset + block_size * blocks, len(data))
    pages = _scanned(data, offset, end, block_size, blocks)
    return _files_of(pages, _layout_of(pages))


def read_as(layout: IndexLayout, data: bytes, *, block_size: int, blocks: int) -> FileSystem:
    """The files of a SPIFFS of which the layout is known: few files do not always tell it.

    Args:
        layout: That of its index pages.
        data: All of it.
        block_size: Bytes of a block.
        blocks: How many blocks it has.
    """
    return _files_of(_scanned(data, 0, len(data), block_size, blocks), layout)


def _files_of(pages: _Pages, layout: IndexLayout) -> FileSystem:
    offset = pages.offset
    findings = _strange_pages(pages)
    files: list[StoredFile] = []
    used_data = 0
    spare = (pages.stop - offset) // _PAGE  # lost pages that may be given as zeros, in all files together
    for number, spans in sorted(pages.indices.items()):
        if 0 not in spans:
            continue
        reader = _FileReader(pages, layout, number, spans, spare)
        files.append(reader.file())
        findings += reader.findings
        used_data += reader.found
        spare -= reader.filled
    headless = [spans for spans in pages.indices.values() if 0 not in spans]
    if headless:
        start = min(start for spans in headless for starts in spans.values() for start in starts)
        message = f"{_counted(len(headless), 'file')} cannot be named: the first index page is missing"
        findings.append(Finding(Severity.ERROR, "file-lost", message, start))
    if pages.live_data > used_data:
        message = f"{_counted(pages.live_data - used_data, 'page')} of data in no file that could be read"
        findings.append(Finding(Severity.NOTE, "stray-pages", message, offset))
    return FileSystem(
        kind=PartKind.SPIFFS,
        offset=offset,
        size=pages.block_size * pages.blocks,
        block_size=pages.block_size,
        blocks=pages.blocks,
        layout=layout.name,
        files=tuple(sorted(files, key=lambda file: (file.path, file.number or 0))),
        used=pages.used * _PAGE,
        free=pages.free * _PAGE,
        deleted=pages.deleted * _PAGE,
        half_written=pages.half_written,
        most_erases=pages.most_erases,
        findings=tuple(findings),
    )


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _scanned(data: bytes, offset: int, stop: int, block_size: int, blocks: int) -> _Pages:
    """Every page by its block's lookup page and by its own header."""
    found = _Pages(data, offset, stop, block_size, blocks)
    for block in range(offset, stop - _PAGE + 1, block_size):
        erases = _number(data, block + _ERASE_COUNT)
        if erases != _FREE:
            found.most_erases = max(erases, found.most_erases or 0)
        there = min(block_size, stop - block) // _PAGE
        if fill.is_fill(data, block, block + 2 * (there - 1)):
            found.free += there - 1
            continue
        for page, entry in enumerate(unpack_from(f"<{there - 1}H", data, block), 1):
            _sort_in(found, block + page * _PAGE, entry)
    _add_doubtful(found)
    return found


def _add_doubtful(found: _Pages) -> None:
    """Index pages whose lookup entry is wrong: they count where no other one stands for the same stretch."""
    for start in found.strange:
        flags = found.data[start + 4]
        number, span = _number(found.data, start), _number(found.data, start + 2)
        is_index = number & _INDEX and number != _FREE and flags & (_STATE | _KEPT) == _LIVE_INDEX | _KEPT
        if is_index and span not in found.indices.get(number & ~_INDEX, {}):
            found.add_index(start)
            found.doubtful.add(start)


def _sort_in(found: _Pages, start: int, entry: int) -> None:
    data = found.data
    if entry == _FREE:
        found.free += 1
        return
    if entry == _DELETED:
        found.deleted += 1
        return
    found.used += 1
    head = data[start : start + _HEADER]
    if head == _UNTOUCHED:
        found.half_written += bool(entry & _INDEX)
    elif head[0] | head[1] << 8 != entry:
        found.strange.append(start)
    elif entry & _INDEX:
        state = head[4] & _STATE
        first = head[2:4] == b"\0\0"
        if state == _LIVE_INDEX and (head[4] & _KEPT or not first):
            found.add_index(start)
        elif state & 0x80 and first:
            found.half_written += 1
    else:
        found.live_data += head[4] & _STATE == _LIVE_DATA


def _strange_pages(pages: _Pages) -> list[Finding]:
    if not pages.strange:
        return []
    start = pages.strange[0]
    count = len(pages.strange)
    others = "" if count == 1 else f", nor do {_counted(count - 1, 'other')}"
    message = f"a page does not belong to the object that the block's lookup page names{others}"
    return [Finding(Severity.WARNING, "lookup", message, start)]


def layout_at(data: bytes, offset: int, stop: int, *, block_size: int, blocks: int) -> IndexLayout | None:
    """The layout of the SPIFFS at ``offset`` by the files in its first blocks; None where none is there.

    Args:
        data: What it lies in.
        offset: Its first byte.
        stop: Where it ends in ``data``.
        block_size: Bytes of a block.
        blocks: How many blocks it has.
    """
    stop = min(stop, offset + block_size * blocks, len(data))
    ends = (min(stop, offset + block_size * some) for some in _PROBED_BLOCKS)
    for end in ends:
        pages = _scanned(data, offset, end, block_size, blocks)
        heads = sum(0 in spans for spans in pages.indices.values())
        if heads >= _PROBED_FILES or end == stop or end - offset == block_size * _PROBED_BLOCKS[-1]:
            return _layout_of(pages) if heads else None
    return None


def blocks_in_front(read: Callable[[int, int], bytes], start: int, *, block_size: int, blocks: int) -> int:
    """How many formatted blocks come before the file system that is in use; mostly none.

    With linear magics each block looks like the first of a shorter file system.  NodeMCU may format from one
    address and mount from a later block on, a multiple of 64 KB, see
    :func:`imgtool.layout.file_places.filesystem_mounted`: then the blocks before are blank, and pages are
    numbered from there.  Where there are no files nothing tells, and it is 0.

    Args:
        read: Address and number of bytes to these bytes.
        start: Address of the first block.
        block_size: Bytes of a block.
        blocks: How many there are.
    """
    most = min(blocks, _FRONT // block_size)
    used = next((at for at in range(most + 1) if _is_used(read, start + at * block_size)), 0)
    if not used:
        return 0
    count = min(blocks - used, _USED_BLOCKS)
    window = b"\xff" * (used * block_size) + read(start + used * block_size, count * block_size)

    def agreement(front: int) -> int:
        first, total = front * block_size, used + count - front
        pages = _scanned(window, first, len(window), block_size, total)
        heads = [at for spans in pages.indices.values() for at in spans.get(0, ())][:_PROBED_HEADERS]
        return max(sum(_agreement(pages, layout, at) for at in heads) for layout in LAYOUTS)

    return max(range(min(used, most - 1) + 1), key=agreement)  # the first one where several agree as well


def _is_used(read: Callable[[int, int], bytes], block: int) -> bool:
    return read(block, 2) != _FREE.to_bytes(2, "little")


def _layout_of(pages: _Pages) -> IndexLayout:
    """The layout by which most first index pages agree with the data pages that they name."""
    heads = [start for spans in pages.indices.values() for start in spans.get(0, ())][:_PROBED_HEADERS]

    def agreeing(layout: IndexLayout) -> int:
        return sum(_agreement(pages, layout, start) for start in heads)

    best = max(LAYOUTS, key=agreeing)  # the first one where several agree as well
    if best is _0_9_5 and agreeing(_2015_04_06) == agreeing(best) and _begin_earlier(pages.data, heads):
        return _2015_04_06
    return best


def _begin_earlier(data: bytes, heads: list[int]) -> bool:
    """Whether names begin a byte before where 0.9.5 has them.

    What 0.9.5 leaves there is whatever its stack held, mostly the same each time.  First letters of names
    differ, begin a text, or make one to the name that NodeMCU runs.
    """
    at = _2015_04_06.text
    names = [data[start + at : start + at + _2015_04_06.room].partition(b"\0")[0] for start in heads]
    firsts = {name[:4].decode("utf-8", "replace")[:1] for name in names}  # no character takes more bytes
    texts = all(first.isprintable() for first in firsts) and not firsts & {"", _NO_CHARACTER}
    return texts and (len(firsts) > 1 or _FIRST_RUN in names)


def _agreement(pages: _Pages, layout: IndexLayout, start: int) -> int:
    data = pages.data
    size = _size(data, layout, start)
    name = data[start + layout.text : start + layout.text + layout.room]
    text, end, rest = name.partition(b"\0")
    plausible = size <= len(data) and text and (not end or not rest.strip(b"\0\xff")) and min(text) >= 0x20  # noqa: PLR2004 - the first printable character
    if data[start + layout.type] != _FILE_TYPE or not plausible:
        return 0
    number = _number(data, start) & ~_INDEX
    agreed = 1
    for span in range(min(_PROBED_ENTRIES, -(-size // _CONTENT))):
        place = pages.place(_number(data, start + layout.first + 2 * span))
        agreed += place is not None and pages.is_data(place, number, span)
    return agreed


def _size(data: bytes, layout: IndexLayout, start: int) -> int:
    size = int.from_bytes(data[start + layout.size : start + layout.size + 4], "little")
    return 0 if size == _UNDEFINED else size


class _FileReader:
    """One file: its first index page, the others, its data."""

    def __init__(
        self, pages: _Pages, layout: IndexLayout, number: int, spans: dict[int, list[int]], spare: int
    ) -> None:
        self.findings: list[Finding] = []
        self.found = 0  # data pages that are as they should be
        self.filled = 0  # those that are not, and for which zeros stand
        self._pages, self._layout, self._number, self._spans = pages, layout, number, spans
        self._spare = spare
        self._chunks: list[bytes] = []
        self._lost: list[tuple[int, str]] = []
        self._lost_count = 0

    def file(self) -> StoredFile:
        """Its contents, as far as they are there."""
        data, layout = self._pages.data, self._layout
        starts = self._spans[0]
        start = starts[0]
        if len(starts) > 1:
            start = max(starts, key=lambda at: (_agreement(self._pages, layout, at), _size(data, layout, at)))
        name = data[start + layout.text : start + layout.text + layout.room].partition(b"\0")[0]
        path = name.decode("utf-8", "backslashreplace")
        size = _size(data, layout, start)
        self._read(start, size)
        content = b"".join(self._chunks)[:size]
        self._judge(path, start, size)
        whole = not any(finding.severity is Severity.ERROR for finding in self.findings)
        if len(starts) > 1:
            message = Phrase(
                Name(path), f" has {len(starts)} first index pages; the one that fits best is taken"
            )
            self.findings.append(Finding(Severity.WARNING, "index-twice", message, min(starts)))
        behind = start + layout.text + layout.room
        metadata = data[behind : behind + layout.metadata]
        return StoredFile(path, size, content, whole, self._number, name, metadata)

    def _read(self, start: int, size: int) -> None:
        layout = self._layout
        in_first, in_more = layout.in_first, layout.in_more
        # No file has more pages than the file system: a size that was damaged would not end.
        needed = min(-(-size // _CONTENT), self._pages.blocks * self._pages.block_size // _PAGE)
        waiting = 0  # lost pages that count only if another one follows
        span, index, room = 0, 0, in_first
        table: int | None = start + layout.first
        while span < needed:
            end = min(span + room, needed)
            if table is None:
                where = self._spans[index][0] if index in self._spans else start
                self._lose(where, f"index page {index} is missing", end - span)
                waiting += end - span
            else:
                for position in range(end - span):
                    content = self._content(table + 2 * position, span + position)
                    if content is None:
                        waiting += 1
                    elif self._fill(waiting):
                        waiting = 0
                        self._chunks.append(content)
                        self.found += 1
                    else:
                        return
            span, index, room = end, index + 1, in_more
            # Of several the first: they are copies, of which one waits to be deleted.
            place = self._spans.get(index, [-1])[0]
            table = None if place < 0 else place + layout.more

    def _fill(self, count: int) -> bool:
        """Put zeros for lost pages, unless there were too many: then the file ends before them."""
        if self.filled + count > self._spare:
            return False
        self.filled += count
        self._chunks += [bytes(_CONTENT)] * count
        return True

    def _content(self, entry: int, span: int) -> bytes | None:
        pages = self._pages
        page = _number(pages.data, entry)
        start = pages.place(page)
        if start is None:
            self._lose(entry, "no page is named" if page == _FREE else f"page {page} holds no data")
        elif start + _PAGE > pages.stop:
            self._lose(entry, f"page {page} is behind the end of what is there")
        elif not pages.is_data(start, self._number, span):
            self._lose(start, f"page {page} is not stretch {span} of it, by its own header")
        else:
            return pages.data[start + _HEADER : start + _PAGE]
        return None

    def _lose(self, at: int, why: str, count: int = 1) -> None:
        self._lost_count += count
        if not self._lost:
            self._lost.append((at, why))

    def _judge(self, path: str, start: int, size: int) -> None:
        name = Name(path) or f"object {self._number}"
        data, layout = self._pages.data, self._layout
        capacity = self._pages.blocks * self._pages.block_size
        wrong = None
        if self._lost:
            at, why = self._lost[0]
            of = -(-size // _CONTENT)
            wrong = at, f"{self._lost_count:,} of its {_counted(of, 'page')} cannot be read: {why}"
        if size > capacity:
            wrong = start, f"its size is {size:,} bytes, more than the file system has"
        elif not path:
            wrong = start, "it has no name"
        elif data[start + layout.type] != _FILE_TYPE:
            wrong = start, f"its type is {data[start + layout.type]}, not that of a file"
        elif start in self._pages.doubtful or any(
            at in self._pages.doubtful for starts in self._spans.values() for at in starts
        ):
            wrong = wrong or (start, "an index page does not belong to it by the block's lookup page")
        if wrong:
            self.findings.append(
                Finding(Severity.ERROR, "file-damaged", Phrase(name, f" is damaged: {wrong[1]}"), wrong[0])
            )
