"""SPIFFS as a firmware runs it, over a NOR flash: the judge of the file systems that imgtool makes.

Mounts, lists, reads, writes, appends, removes, collects garbage and checks itself.  A second implementation,
written from the published structure for tests alone: it imports neither ``imgtool`` nor the makers of the
fixtures, and no code of SPIFFS is in it.  Not what a power cut leaves, and not the caches of the firmware:
each call writes through.

Sources:

* https://github.com/pellepl/spiffs: ``spiffs_nucleus.h`` for what stands in pages, ``spiffs_nucleus.c`` for
  mounting and writing, ``spiffs_gc.c`` for the choice of a block, ``spiffs_check.c`` for consistency
* the same files of https://github.com/nodemcu/nodemcu-firmware at its tags for layouts and magics
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from struct import pack, unpack_from
from typing import Final, NamedTuple

PAGE: Final = 256
SECTOR: Final = 0x1000
HEADER: Final = 5
CONTENT: Final = PAGE - HEADER
MAGIC_AT: Final = PAGE - 4
COUNT_AT: Final = PAGE - 2
KEY: Final = 0x0529 ^ PAGE
FREE: Final = 0xFFFF
GONE: Final = 0x0000
INDEX: Final = 0x8000
UNDEFINED: Final = 0xFFFF_FFFF
FILE: Final = 1

# Flags of a page; a bit that is cleared holds.
USED, FINAL, IS_INDEX, BEING_REMOVED, DELETED = 0x01, 0x02, 0x04, 0x40, 0x80
LIVE_DATA: Final = 0xFF & ~(USED | FINAL)
LIVE_INDEX: Final = 0xFF & ~(USED | FINAL | IS_INDEX)

# Garbage collection: what a block's pages and its age count for, and how often it is tried for one write.
FOR_DELETED, FOR_USED, FOR_AGE, TRIES = 5, -1, 50, 5


class Layout(NamedTuple):
    """Offsets in the first index page of a file and in every other one, and what these can hold."""

    size: int
    type: int
    name: int
    first: int
    more: int
    in_first: int
    in_more: int
    name_length: int = 32
    metadata: int = 0


LAYOUTS: Final = {
    "0.9.2": Layout(6, 10, 11, 43, 6, 106, 125),
    "0.9.5": Layout(6, 10, 12, 44, 6, 106, 125),
    "0.9.6": Layout(7, 11, 12, 44, 6, 106, 125),
    "0.9.6-20150406": Layout(6, 10, 11, 44, 6, 106, 125),
    "packed": Layout(5, 9, 10, 42, 5, 107, 125),  # 1.4.0, 1.5.1
    "aligned": Layout(8, 12, 13, 46, 8, 105, 124),  # 1.5.4.1 to 3.0.0, Arduino, Sming to 4.2
    "sming-4.3": Layout(8, 12, 13, 62, 8, 97, 124, metadata=16),
    "mongoose": Layout(8, 12, 13, 70, 8, 93, 124, name_length=48, metadata=8),
    "unaligned": Layout(8, 12, 13, 45, 8, 105, 124),  # mkspiffs by itself
    "esp32": Layout(8, 12, 13, 49, 8, 103, 124, metadata=4),
    "metadata": Layout(8, 12, 13, 50, 8, 103, 124, metadata=4),
}


@dataclass(frozen=True)
class Config:
    """What a firmware has built in, and the space that it found.

    ``magic`` is ``none``; ``linear`` or ``old``, which depend on the length; ``constant``.  ``any_block``
    is whether garbage collection also takes blocks in which nothing is deleted, as NodeMCU 2.2 and later do;
    ``skips_last`` whether a search that would begin with the last page of a block begins behind it, as in
    NodeMCU before 2.1.0-20170811: a listing so passes over a file
    (https://github.com/pellepl/spiffs/issues/90).
    """

    block: int = 0x2000
    blocks: int = 16
    layout: str = "aligned"
    magic: str = "linear"
    any_block: bool = True
    skips_last: bool = False

    @property
    def entries(self) -> int:
        """Pages of a block that the lookup page is for."""
        return self.block // PAGE - 1


class RefusedError(Exception):
    """The firmware does not mount it; most format it then."""


class DamagedError(Exception):
    """A page is not what an index says; the firmware gives an error to who reads."""


class _FullError(Exception):
    """No space."""


class Flash:
    """NOR: writing clears bits, erasing a sector sets them."""

    def __init__(self, data: bytes) -> None:
        assert len(data) % SECTOR == 0
        self.data = bytearray(data)

    def write(self, at: int, new: bytes | bytearray) -> None:
        old = self.data[at : at + len(new)]
        lost = int.from_bytes(new, "little") & ~int.from_bytes(old, "little")
        assert not lost, f"a write at {at:#x} would set bits"
        self.data[at : at + len(new)] = new

    def erase(self, at: int) -> None:
        assert at % SECTOR == 0
        self.data[at : at + SECTOR] = b"\xff" * SECTOR


class Spiffs:
    """A file system in a flash.

    ``garbage`` is what the firmware's stack holds where it writes bytes that mean nothing.
    """

    def __init__(self, config: Config, data: bytes | None = None, *, garbage: int = 0xA5) -> None:
        size = config.block * config.blocks
        self.flash = Flash(b"\xff" * size if data is None else data)
        assert len(self.flash.data) == size
        self.config = config
        self.layout = LAYOUTS[config.layout]
        self.blocks = config.blocks
        self.free_blocks = self.used = self.deleted = 0
        self.next_count = 0
        self.collections = 0
        self._cursor = 1
        self._cleaning: int | None = None
        self._garbage = bytes([garbage])

    @property
    def data(self) -> bytes:
        """The whole flash."""
        return bytes(self.flash.data)

    # Formatting and mounting.

    def format(self) -> None:
        """Erase everything; magics and erase counts of 0."""
        for block in range(self.blocks):
            self.next_count = 0
            self._erase(block)

    def mount(self) -> None:
        """Look at all of it as a firmware does that starts.

        Raises:
            RefusedError: By its magics it is no file system, or one of another size or kind.
        """
        self.blocks = self.config.blocks
        if self.config.magic in ("linear", "old"):
            self.blocks = self._probed()
        wrong = [block for block in range(self.blocks) if not self._magic_is_right(block)]
        if len(wrong) > 1:
            raise RefusedError(f"{len(wrong)} blocks have no right magic, the first is {wrong[0]}")
        self.next_count = self._count_after(self.erase_counts())
        for block in wrong:
            self._erase(block)
        self._take_stock()

    def _probed(self) -> int:
        """How many blocks it has by its first magics; where they say it, one of them may be erased."""
        magics = [self._number(block * self.config.block + MAGIC_AT) for block in range(3)]
        counts = {(magic ^ KEY) + self._step(block) for block, magic in enumerate(magics) if magic != FREE}
        if magics.count(FREE) > 1 or len(counts) != 1:
            raise RefusedError(f"the first magics do not agree: {magics}")
        blocks = counts.pop()
        if not 3 <= blocks <= self.config.blocks:
            raise RefusedError(f"{blocks} blocks, and there is room for {self.config.blocks}")
        if self.config.magic == "old" and not self._ends_well(blocks):
            raise RefusedError("the last blocks have other magics")
        return blocks

    def _ends_well(self, blocks: int) -> bool:
        """Whether the last block has its magic, or the one before it where the last one has none."""
        ends = range(max(3, blocks - 2), blocks)
        magics = {block: self._number(block * self.config.block + MAGIC_AT) for block in ends}
        if magics.get(blocks - 1) == FREE:
            del magics[blocks - 1]
        return not magics or magics[max(magics)] == self._magic(max(magics), blocks)

    def _step(self, block: int) -> int:
        if self.config.magic == "old":
            return (0, 1, 3)[block] if block < 3 else 4 * block
        return block

    def _magic(self, block: int, blocks: int) -> int:
        if self.config.magic == "none":
            return FREE
        if self.config.magic == "constant":
            return KEY
        return KEY ^ (blocks - self._step(block)) & 0xFFFF

    def _magic_is_right(self, block: int) -> bool:
        if self.config.magic == "none":
            return True  # nobody looks
        return self._number(block * self.config.block + MAGIC_AT) == self._magic(block, self.blocks)

    def erase_counts(self) -> list[int]:
        """Of each block; FREE where none was written."""
        return [self._number(block * self.config.block + COUNT_AT) for block in range(self.blocks)]

    @staticmethod
    def _count_after(counts: list[int]) -> int:
        known = [count for count in counts if count != FREE]
        if not known:
            return 1
        wrapped = max(known) - min(known) > FREE // 2
        return (min(known) if wrapped else max(known)) + 1

    def _take_stock(self) -> None:
        tables = [self._table(block) for block in range(self.blocks)]
        self.free_blocks = sum(table[0] == FREE for table in tables)
        owners = Counter(owner for table in tables for owner in table)
        self.deleted = owners[GONE]
        self.used = owners.total() - owners[GONE] - owners[FREE]
        self._cursor = 1
        self._cleaning = None

    # Pages.

    def _number(self, at: int) -> int:
        return int.from_bytes(self.flash.data[at : at + 2], "little")

    def _table(self, block: int) -> tuple[int, ...]:
        """The entries of a lookup page."""
        return unpack_from(f"<{self.config.entries}H", self.flash.data, block * self.config.block)

    def _pages(self, block: int) -> range:
        first = block * (self.config.entries + 1) + 1
        return range(first, first + self.config.entries)

    def _owners(self) -> Iterator[tuple[int, int]]:
        """Every page that the lookup pages are for, and what they say of it."""
        for block in range(self.blocks):
            yield from zip(self._pages(block), self._table(block), strict=True)

    def _block_of(self, page: int) -> int:
        return page // (self.config.entries + 1)

    def _entry_at(self, page: int) -> int:
        """Where the lookup entry of a page stands."""
        block, number = divmod(page, self.config.entries + 1)
        return block * self.config.block + 2 * (number - 1)

    def _head(self, page: int) -> tuple[int, int, int]:
        number, span, flags = unpack_from("<HHB", self.flash.data, page * PAGE)
        return number, span, flags

    def _content(self, page: int) -> bytearray:
        return self.flash.data[page * PAGE : (page + 1) * PAGE]

    def _is_live(self, page: int, number: int, span: int) -> bool:
        found, at, flags = self._head(page)
        if (found, at) != (number, span) or flags & (USED | FINAL | DELETED) != DELETED:
            return False
        return not (number & INDEX and span == 0 and not flags & BEING_REMOVED)

    def _find_index(self, number: int, span: int) -> int | None:
        """The index page of an object for a span of index pages."""
        owner = number | INDEX
        pages = (page for page, found in self._owners() if found == owner)
        return next((page for page in pages if self._is_live(page, owner, span)), None)

    def _next_free(self) -> int:
        """The next page that can be written, from where the last one was, round and round."""
        if self._cleaning is None and self.free_blocks < 2:
            self._collect_quickly()
            if self.free_blocks < 2:
                raise _FullError
        block, number = divmod(self._cursor, self.config.entries + 1)
        start = max(0, number - 1)
        if self._is_skipped(start):
            block, start = block + 1, 0
        for step in range(self.blocks + 1):
            at = (block + step) % self.blocks
            table = self._table(at)
            if FREE in table[start:]:
                entry = table.index(FREE, start)
                if at == self._cleaning:
                    raise _FullError  # where SPIFFS, too full as it is, would erase what it has just moved
                self.free_blocks -= entry == 0
                self._cursor = self._pages(at)[entry] + 1
                return self._pages(at)[entry]
            start = 0
        raise _FullError

    def _is_skipped(self, entry: int) -> bool:
        """Whether a search that would begin with an entry begins with the next block."""
        return self.config.skips_last and entry >= self.config.entries - 1

    def _put(self, page: int, owner: int, content: bytes | bytearray) -> None:
        """Write a free page and its lookup entry."""
        self.flash.write(self._entry_at(page), pack("<H", owner))
        self.flash.write(page * PAGE, content)
        self.used += 1

    def _take(self, owner: int, content: bytes | bytearray) -> int:
        page = self._next_free()
        self._put(page, owner, content)
        return page

    def _delete(self, page: int) -> None:
        flags = self._head(page)[2] & ~(DELETED | USED)
        self.flash.write(self._entry_at(page), pack("<H", GONE))
        self.flash.write(page * PAGE + 4, bytes([flags]))
        self.used -= 1
        self.deleted += 1

    def _move(self, page: int, content: bytes | bytearray | None = None) -> int:
        """Write a page anew, with other contents where they are given, and delete the old one."""
        owner = self._number(self._entry_at(page))
        new = self._take(owner, self._content(page) if content is None else content)
        self._delete(page)
        return new

    def _erase(self, block: int) -> None:
        start = block * self.config.block
        for sector in range(start, start + self.config.block, SECTOR):
            self.flash.erase(sector)
        self.free_blocks += 1
        self.flash.write(start + COUNT_AT, pack("<H", self.next_count))
        if self.config.magic != "none":
            self.flash.write(start + MAGIC_AT, pack("<H", self._magic(block, self.blocks)))
        self.next_count = (self.next_count + 1) % INDEX

    # Garbage collection.

    @property
    def _room(self) -> int:
        """Pages that may be written before something must be collected."""
        return self.config.entries * (self.blocks - 2) - self.used - self.deleted

    def _make_room(self, length: int) -> None:
        """Collect until so many bytes can be written.

        Raises:
            _FullError: They cannot be.
        """
        if self.free_blocks > 3 and length < self._room * CONTENT:
            return
        if -(-length // CONTENT) > self._room + self.deleted:
            raise _FullError
        for _ in range(TRIES):
            before = self._room
            block = self._worst_block()
            if block is None:
                if -(-length // CONTENT) < self._room:
                    return
                break
            self._collect(block)
            if before <= 0 and before == self._room:
                break
            if self.free_blocks > 2 and length <= self._room * CONTENT:
                break
        if length > self._room * CONTENT:
            raise _FullError

    def _worst_block(self) -> int | None:
        """The block that is collected next: by its deleted and used pages and by its age."""
        crammed = self._room <= 0
        counts = self.erase_counts()

        def score(block: int) -> int:
            table = self._table(block)
            written = table[: table.index(FREE)] if FREE in table else table
            gone = written.count(GONE)
            count = counts[block]
            age = self.next_count - count if self.next_count > count else FREE - (count - self.next_count)
            return FOR_DELETED * gone + FOR_USED * (len(written) - gone) + (0 if crammed else FOR_AGE * age)

        blocks = [b for b in range(self.blocks) if self.config.any_block or GONE in self._table(b)]
        return max(blocks, key=score, default=None)

    def _collect(self, block: int) -> None:
        """Move what lives in a block to others and erase it."""
        self.collections += 1
        self._cleaning = block
        if self._block_of(self._cursor) == block:
            self._cursor = self._pages((block + 1) % self.blocks)[0]
        self._move_data(block)
        for page, owner in zip(self._pages(block), self._table(block), strict=True):
            if owner not in (FREE, GONE) and owner & INDEX:
                if self._head(page)[2] & DELETED:
                    self._move(page)
                else:
                    self._delete(page)
        self._cleaning = None
        table = self._table(block)
        assert all(owner in (FREE, GONE) for owner in table)
        self.deleted -= table.count(GONE)
        # A block whose first page is free counts as free already, and is counted again, as SPIFFS does.
        self._erase(block)

    def _move_data(self, block: int) -> None:
        """Move data pages out of a block; each index page that names some is written once."""
        groups = defaultdict(list)
        for page, owner in zip(self._pages(block), self._table(block), strict=True):
            if owner not in (FREE, GONE) and not owner & INDEX:
                groups[owner, self._place(self._head(page)[1])[0]].append(page)
        for (number, index_span), pages in groups.items():
            index = self._find_index(number, index_span)
            if index is None:  # nothing names them
                for page in pages:
                    self._delete(page)
                continue
            table = self._content(index)
            for page in pages:
                _, at = self._place(self._head(page)[1])
                if self._head(page)[2] & DELETED:
                    table[at : at + 2] = pack("<H", self._move(page))
                else:
                    self._delete(page)
                    table[at : at + 2] = pack("<H", FREE)
            self._move(index, table)

    def _collect_quickly(self) -> None:
        """Erase a block in which everything is deleted, if there is one."""
        for block in range(self.blocks):
            table = self._table(block)
            if set(table) == {GONE}:
                self.deleted -= len(table)
                self._erase(block)
                return

    # Index pages.

    def _place(self, span: int) -> tuple[int, int]:
        """Which index page has the number of a data page, and at which offset in it."""
        layout = self.layout
        if span < layout.in_first:
            return 0, layout.first + 2 * span
        more, entry = divmod(span - layout.in_first, layout.in_more)
        return more + 1, layout.more + 2 * entry

    def _heads(self) -> Iterator[int]:
        """The first index pages of all files, as the firmware lists them."""
        for page, owner in self._owners():
            if owner in (FREE, GONE) or not owner & INDEX:
                continue
            _, span, flags = self._head(page)
            live = flags & (DELETED | FINAL | BEING_REMOVED) == DELETED | BEING_REMOVED
            if span == 0 and live:
                yield page

    def _name(self, head: int) -> bytes:
        at = head * PAGE + self.layout.name
        return bytes(self.flash.data[at : at + self.layout.name_length]).partition(b"\0")[0]

    def _size(self, head: int) -> int:
        (size,) = unpack_from("<I", self.flash.data, head * PAGE + self.layout.size)
        return 0 if size == UNDEFINED else int(size)

    def _find(self, name: bytes) -> int | None:
        return next((head for head in self._heads() if self._name(head) == name), None)

    def _sized(self, page: bytearray, size: int) -> bytearray:
        page[self.layout.size : self.layout.size + 4] = pack("<I", size)
        return page

    # Files.

    def listing(self) -> list[tuple[bytes, int]]:
        """Name and size of each file; one search for each, which begins behind the one before."""
        found = []
        last = -2
        for head in self._heads():
            resumed = last % (self.config.entries + 1)  # the entry behind the last one
            if head == last + 1 and self._is_skipped(resumed):
                continue
            found.append((self._name(head), self._size(head)))
            last = head
        return found

    def metadata(self, name: bytes) -> bytes:
        """What stands behind the name of a file."""
        head = self._find(name)
        assert head is not None
        at = head * PAGE + self.layout.name + self.layout.name_length
        return bytes(self.flash.data[at : at + self.layout.metadata])

    def read(self, name: bytes) -> bytes:
        """The contents of a file.

        Raises:
            KeyError: There is none of that name.
            DamagedError: A page of it is another one's, or deleted, or there is no index page.
        """
        head = self._find(name)
        if head is None:
            raise KeyError(name)
        number = self._head(head)[0] & ~INDEX
        size = self._size(head)
        chunks = []
        for span in range(-(-size // CONTENT)):
            page = self._data_page(head, number, span)
            chunks.append(self.flash.data[page * PAGE + HEADER : (page + 1) * PAGE])
        return b"".join(chunks)[:size]

    def _data_page(self, head: int, number: int, span: int) -> int:
        index_span, at = self._place(span)
        index = head if index_span == 0 else self._find_index(number, index_span)
        if index is None:
            raise DamagedError(f"index page {index_span} of object {number} is missing")
        page = self._number(index * PAGE + at)
        wrong = self._wrong_reference(page, number, span)
        if wrong:
            raise DamagedError(wrong)
        return page

    def _wrong_reference(self, page: int, number: int, span: int) -> str:
        """Why a page cannot be that stretch of an object; empty where it can."""
        what = f"stretch {span} of object {number} is page {page}"
        if page % (self.config.entries + 1) == 0 or page >= self.blocks * (self.config.entries + 1):
            return f"{what}, which is none for data"
        found, at, flags = self._head(page)
        if (found, at) != (number, span) or flags & (USED | FINAL | IS_INDEX | DELETED) != IS_INDEX | DELETED:
            return f"{what}, which is {found:#06x} {at} with flags {flags:#04x}"
        return ""

    def write(self, name: bytes, data: bytes, *, chunk: int = 0x1_0000_0000) -> bool:
        """Write a file anew, in calls of so many bytes; False where no space is left for all of it.

        What was in it before is lost then as well.
        """
        assert 0 < len(name) < self.layout.name_length, "SPIFFS refuses the name"
        try:
            head = self._find(name)
            if head is None:
                self._create(name)
            else:
                self._truncate(head)
        except _FullError:
            return False
        return all(self.append(name, data[at : at + chunk]) for at in range(0, len(data), chunk))

    def append(self, name: bytes, data: bytes) -> bool:
        """Write behind the end of a file; False where no space is left."""
        head = self._find(name)
        assert head is not None
        try:
            self._make_room(len(data) + CONTENT)
            head = self._find(name)  # it may have been moved
            assert head is not None
            self._append(head, data)
        except _FullError:
            return False
        return True

    def remove(self, name: bytes) -> None:
        """Remove a file; needs no space.

        Raises:
            KeyError: There is none of that name.
        """
        head = self._find(name)
        if head is None:
            raise KeyError(name)
        self.flash.write(head * PAGE + 4, bytes([self._head(head)[2] & ~BEING_REMOVED]))
        for index in self._drop_data(head):
            self._delete(index)
        self._delete(head)

    def _free_number(self) -> int:
        taken = {owner & ~INDEX for _, owner in self._owners() if owner not in (FREE, GONE)}
        return next(number for number in range(1, INDEX - 1) if number not in taken)

    def _create(self, name: bytes) -> None:
        self._make_room(CONTENT)
        layout = self.layout
        number = self._free_number() | INDEX
        page = bytearray(self._garbage * layout.first)
        page[:HEADER] = pack("<HHB", number, 0, LIVE_INDEX)
        page[layout.type] = FILE
        page[layout.name :] = name.ljust(layout.name_length, b"\0") + b"\xff" * layout.metadata
        page = page.ljust(layout.first, self._garbage)
        self._take(number, self._sized(page, UNDEFINED))

    def _drop_data(self, head: int) -> list[int]:
        """Delete the data pages of a file, the last one first; its index pages but the first one."""
        number = self._head(head)[0] & ~INDEX
        indices: list[int] = []
        for span in reversed(range(-(-self._size(head) // CONTENT))):
            index_span, at = self._place(span)
            if index_span and (not indices or self._head(indices[-1])[1] != index_span):
                found = self._find_index(number, index_span)
                if found is None:
                    raise DamagedError(f"index page {index_span} of object {number} is missing")
                indices.append(found)
            index = indices[-1] if index_span else head
            page = self._number(index * PAGE + at)
            if not self._wrong_reference(page, number, span):
                self._delete(page)
        return indices

    def _truncate(self, head: int) -> None:
        """Leave nothing in a file, but itself: its first index page is written anew."""
        if self._size(head) == 0:
            return
        name = self._name(head)
        self._make_room(2 * CONTENT)
        found = self._find(name)  # it may have been moved
        assert found is not None
        left = self.layout.in_first * CONTENT
        for index in self._drop_data(found):
            span = self._head(index)[1]
            self._delete(index)
            size = left + (span - 1) * self.layout.in_more * CONTENT
            found = self._move(found, self._sized(self._content(found), size))
        empty = self._content(found)[: self.layout.first].ljust(PAGE, b"\xff")
        self._move(found, self._sized(empty, UNDEFINED))

    def _append(self, head: int, data: bytes) -> None:
        number = self._head(head)[0] & ~INDEX
        start = size = self._size(head)
        while size < start + len(data):
            index_span, _ = self._place(size // CONTENT)
            fresh = index_span and self._find_index(number, index_span) is None
            if fresh:
                self._take(number | INDEX, pack("<HHB", number | INDEX, index_span, LIVE_INDEX))
            index = head if index_span == 0 else self._find_index(number, index_span)
            assert index is not None
            in_place = start == 0 or index_span > 0
            table, done, full = self._write_data(index, size, data[size - start :])
            size += done
            if index_span == 0 and in_place:
                self.flash.write(index * PAGE, self._sized(table, size or UNDEFINED))
            elif index_span == 0:
                head = self._move(head, self._sized(table, size))
            else:
                self.flash.write(index * PAGE, table)
                head = self._move(head, self._sized(self._content(head), size))
            if full:
                raise _FullError

    def _write_data(self, index: int, size: int, data: bytes) -> tuple[bytearray, int, bool]:
        """Write data as far as an index page can name it.

        Returns:
            The index page as it has to be, how many bytes were written, whether there was no space for more.
        """
        number, index_span, _ = self._head(index)
        table = self._content(index)
        done = 0
        while done < len(data) and self._place((size + done) // CONTENT)[0] == index_span:
            span, inside = divmod(size + done, CONTENT)
            _, at = self._place(span)
            chunk = data[done : done + CONTENT - inside]
            if inside:
                page = int.from_bytes(table[at : at + 2], "little")
                wrong = self._wrong_reference(page, number & ~INDEX, span)
                if wrong:
                    raise DamagedError(wrong)
                self.flash.write(page * PAGE + HEADER + inside, chunk)
            else:
                try:
                    page = self._take(number & ~INDEX, pack("<HHB", number & ~INDEX, span, LIVE_DATA) + chunk)
                except _FullError:
                    return table, done, True
                table[at : at + 2] = pack("<H", page)
            done += len(chunk)
        return table, done, False

    # Consistency.

    def check(self) -> list[str]:
        """What does not agree: in each page with its lookup entry, in index pages with data pages.

        Stricter than that of SPIFFS, which mends what it can: also erased pages, names, sizes, the bytes
        behind the end of a file, magics and erase counts.
        """
        problems = [*self._check_blocks(), *self._check_lookup()]
        owners = dict(self._owners())
        indices: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for page, owner in owners.items():
            if owner not in (FREE, GONE) and owner & INDEX:
                indices[owner & ~INDEX][self._head(page)[1]].append(page)
        named: Counter[int] = Counter()
        for number, spans in indices.items():
            problems += self._check_object(number, spans, named)
        for page, owner in owners.items():
            if owner not in (FREE, GONE) and not owner & INDEX and named[page] != 1:
                problems.append(f"page {page} of object {owner} is named {named[page]} times")
        names = Counter(self._name(head) for head in self._heads())
        return problems + [f"{name!r} is there {count} times" for name, count in names.items() if count > 1]

    def _check_blocks(self) -> Iterator[str]:
        for block, count in enumerate(self.erase_counts()):
            if not self._magic_is_right(block):
                yield f"block {block} has a wrong magic"
            if self.config.magic == "none" and self._number(block * self.config.block + MAGIC_AT) != FREE:
                yield f"block {block} has something in the place of a magic"
            if self.config.magic != "none" and count == FREE:
                yield f"block {block} has no erase count"
            start = block * self.config.block
            spare = self.flash.data[start + 2 * self.config.entries : start + MAGIC_AT]
            if spare.strip(b"\xff"):
                yield f"the lookup page of block {block} has entries for pages behind it"

    def _check_lookup(self) -> Iterator[str]:
        for page, owner in self._owners():
            number, _, flags = self._head(page)
            if owner == FREE:
                if self._content(page).strip(b"\xff"):
                    yield f"page {page} is free, and not erased"
            elif owner == GONE:
                if flags & DELETED:
                    yield f"page {page} is deleted, but not by its own flags {flags:#04x}"
            elif number != owner:
                yield f"page {page} is of {number:#06x}, its lookup entry says {owner:#06x}"
            elif flags != (LIVE_INDEX if owner & INDEX else LIVE_DATA):
                yield f"page {page} of {owner:#06x} has flags {flags:#04x}"

    def _check_object(self, number: int, spans: dict[int, list[int]], named: Counter[int]) -> Iterator[str]:
        """One object by its index pages; counts the data pages that these name."""
        for span, pages in spans.items():
            if len(pages) > 1:
                yield f"object {number} has {len(pages)} index pages {span}"
        if 0 not in spans:
            yield f"object {number} has no first index page"
            return
        head = spans[0][0]
        yield from self._check_head(number, head)
        size = self._size(head)
        needed = -(-size // CONTENT)
        if sorted(spans) != list(range(self._place(max(needed, 1) - 1)[0] + 1)):
            yield f"object {number} of {size} bytes has the index pages {sorted(spans)}"
            return
        room = self.layout.in_first + (len(spans) - 1) * self.layout.in_more
        for span in range(room):
            index_span, at = self._place(span)
            page = self._number(spans[index_span][0] * PAGE + at)
            if span >= needed:
                if page != FREE:
                    yield f"object {number} names page {page} behind its end"
                continue
            named[page] += 1
            wrong = self._wrong_reference(page, number, span)
            if wrong:
                yield wrong
            elif span == needed - 1 and self._behind(page, size).strip(b"\xff"):
                yield f"page {page} is not erased behind the end of object {number}"

    def _behind(self, page: int, size: int) -> bytearray:
        """What stands in a last page behind the end of the file."""
        return self._content(page)[HEADER + (size - 1) % CONTENT + 1 :]

    def _check_head(self, number: int, head: int) -> Iterator[str]:
        page = self._content(head)
        if page[self.layout.type] != FILE:
            yield f"object {number} has the type {page[self.layout.type]}"
        field = page[self.layout.name : self.layout.name + self.layout.name_length]
        name, end, rest = field.partition(b"\0")
        if not name or not end or rest.strip(b"\0"):
            yield f"object {number} has the name {bytes(field)!r}"
        if not 0 < number < INDEX - 1:
            yield f"object {number} cannot have that number"
