"""The metadata of a LittleFS: the commits of a block, and whether all blocks are as the library leaves them.

No files are read here: littlefs_files.py.  What can be read may still be unsound: two files that share a
block, an end of a folder that leads into another one.  The library trusts that when it writes, and its
assertions end the process; so what is changed inside is looked through first.

Source: https://github.com/littlefs-project/littlefs/blob/master/SPEC.md; see docs/formats/littlefs.md.
"""

from __future__ import annotations

import zlib
from struct import unpack, unpack_from
from typing import Final, NamedTuple

__all__ = ["Log", "Tag", "attribute_numbers", "blocks_in_use", "blocks_of", "last_superblock"]

_REVISION: Final = 4  # bytes
_TAG: Final = 4
_CRC: Final = 4
_POINTER: Final = 4
_PAIR: Final = 8
_SUPERBLOCK_SIZE: Final = 24
# 0x5FF is the record of a forward CRC, which disk version 2.1 has in front of the CRC: no end of a commit.
_CRC_TYPES: Final = range(0x500, 0x580)
# In a CRC tag: the tags of the next commit are stored with the top bit flipped.
_VALID_FLIPPED: Final = 0x0010_0000
_DELETED: Final = 0x3FF
_NULL: Final = 0xFFFF_FFFF
_HALF: Final = 0x8000_0000  # revisions count round: one is later than another by less than that

_FILE: Final = 0x001
_FOLDER: Final = 0x002
_SUPERBLOCK: Final = 0x0FF
_FOLDER_AT: Final = 0x200
_INLINE: Final = 0x201
_BLOCKS_AT: Final = 0x202
_ATTRIBUTES: Final = range(0x300, 0x400)
_CREATED: Final = 0x401
_REMOVED: Final = 0x4FF
_FORWARD_CRC: Final = 0x5FF
_FOLDER_ENDS: Final = 0x600
_FOLDER_GOES_ON: Final = 0x601
_HALF_DONE: Final = 0x7FF
_NOT_IN_NAMES: Final = frozenset(b"/\0")


class Tag(NamedTuple):
    """An entry of the log that a metadata block is.

    Attributes:
        kind: Its type.
        entry: The entry of the folder that it is about, 0x3FF for none.
        content: What stands behind it; None where it says that there is no more such thing.
    """

    kind: int
    entry: int
    content: bytes | None


class Log:
    """The commits of a metadata block, up to the first whose CRC is wrong.

    Attributes:
        whole: How many there are.
        tags: What they say, in order, without CRCs.
        behind: What stands behind the last whole one, and no right CRC covers.
    """

    def __init__(self, block: bytes) -> None:
        self.whole = 0
        self.tags: list[Tag] = []
        self.behind: list[Tag] = []
        position, start, tag = _REVISION, 0, _NULL  # the first CRC covers the revision, too
        while position + _TAG <= len(block):
            # Tags are big-endian, and each is stored XORed with the one before it.
            tag ^= int.from_bytes(block[position : position + _TAG], "big")
            position += _TAG
            size = tag & _DELETED
            content = None if size == _DELETED else block[position : position + size]
            size = 0 if content is None else size
            if tag >> 31 or position + size > len(block):
                break
            if tag >> 20 in _CRC_TYPES:
                stored = block[position : position + _CRC]
                right = zlib.crc32(block[start:position]) ^ _NULL
                if stored != right.to_bytes(_CRC, "little"):
                    break
                self.whole += 1
                self.tags += self.behind
                self.behind = []
                if size < _CRC:  # the library goes by the CRC all the same, but never leaves that
                    self.tags.append(Tag(tag >> 20, tag >> 10 & _DELETED, content))
                start = position + size
                tag ^= (tag & _VALID_FLIPPED) << 11
            else:
                self.behind.append(Tag(tag >> 20, tag >> 10 & _DELETED, content))
            position += size

    @property
    def superblock(self) -> bytes | None:
        """The last one in it: a later commit may have made it 2.1, or larger; None for none.

        Where no commit is whole, or none of them has one, what stands behind them.
        """
        return _superblock_in(self.tags) or _superblock_in(self.behind)


def _superblock_in(tags: list[Tag]) -> bytes | None:
    contents = [tag.content or b"" for tag in tags if (tag.kind, tag.entry) == (_INLINE, 0)]
    return next((each for each in reversed(contents) if len(each) >= _SUPERBLOCK_SIZE), None)


def last_superblock(data: bytes, offset: int, block_size: int, blocks: int) -> bytes | None:
    """The superblock in the root folder; None where its blocks are damaged.

    Blocks 0 and 1 alone have an old one where they were written so often that the root has moved on.

    Args:
        data: What the file system lies in.
        offset: Its first byte.
        block_size: Bytes of a block.
        blocks: How many blocks it has.
    """
    found: bytes | None = None
    seen: set[int] = set()
    place: tuple[int, int] | None = (0, 1)
    while place is not None and not seen & set(place) and max(place) < blocks:
        seen |= set(place)
        starts = [offset + number * block_size for number in place]
        log = _current((data[starts[0] : starts[0] + block_size], data[starts[1] : starts[1] + block_size]))
        if log is None or not any((tag.kind, tag.entry) == (_SUPERBLOCK, 0) for tag in log.tags):
            break
        found = _superblock_in(log.tags) or found
        ends = [tag for tag in log.tags if tag.kind in (_FOLDER_ENDS, _FOLDER_GOES_ON)]
        place = _pair(ends[-1].content) if ends and ends[-1].kind == _FOLDER_GOES_ON else None
    return found


def attribute_numbers(data: bytes, offset: int, stop: int, block_size: int) -> tuple[int, ...]:
    """The numbers of the attributes that any block may give to any file.

    Args:
        data: What the file system lies in.
        offset: Its first byte.
        stop: Where it ends in ``data``.
        block_size: Bytes of a block.
    """
    kinds = {
        tag.kind
        for start in range(offset, stop, block_size)
        for tag in Log(data[start : min(start + block_size, stop)]).tags
    }
    return tuple(sorted(kind - _ATTRIBUTES.start for kind in kinds if kind in _ATTRIBUTES))


def blocks_of(size: int, block_size: int) -> int:
    """How many blocks the contents of a file take that is not stored in the metadata.

    Each block but the first begins with pointers to blocks before it: one more than its number can be halved.

    Args:
        size: Its bytes, at least 1.
        block_size: Bytes of a block.
    """
    each = block_size - 2 * _POINTER  # two pointers a block on the average
    last = size - 1
    about = last // each
    if about == 0:
        return 1
    return (last - _POINTER * ((about - 1).bit_count() + 2)) // each + 1


def blocks_in_use(data: bytes, block_size: int, blocks: int) -> frozenset[int] | None:
    """The blocks that metadata and files account for; None where that is not as the library leaves it.

    So it is after a power cut, too, if the next mount has to end what was begun.

    Args:
        data: All of the file system.
        block_size: Bytes of a block.
        blocks: How many blocks it has.
    """
    if len(data) < block_size * blocks:
        return None
    look = _Look(data, block_size, blocks)
    try:
        look.through()
    except _UnsoundError:
        return None
    return frozenset(look.taken)


class _UnsoundError(Exception):
    """Something that the library does not leave."""


def _need(holds: bool) -> None:
    if not holds:
        raise _UnsoundError


class _Entry:
    """An entry of a folder: its name, and where its contents are."""

    def __init__(self) -> None:
        self.name: Tag | None = None
        self.place: Tag | None = None


class _Pair:
    """What the two blocks of a pair say together: the later one that is whole counts.

    Attributes:
        entries: Of the folder, or of its part that is here.
        next: The pair behind it in the list of all pairs; None for the last.
        goes_on: Whether that belongs to the same folder.
        half_done: What it adds to the work that a power cut left; XORed over all pairs.
    """

    def __init__(self, blocks: tuple[bytes, bytes]) -> None:
        self.entries: list[_Entry] = []
        self.next: tuple[int, int] | None = None
        self.goes_on = False
        self.half_done = 0
        log = _current(blocks)
        _need(log is not None)
        for tag in log.tags if log is not None else ():
            self._apply(tag)

    def _apply(self, tag: Tag) -> None:
        kind, content = tag.kind, tag.content
        if kind in (_FILE, _FOLDER, _SUPERBLOCK):
            # A block that was written anew has names alone, in any order, and they say how many there are.
            self.entries += [_Entry() for _ in range(len(self.entries), tag.entry + 1)]
            self.entries[tag.entry].name = tag
        elif kind in (_FOLDER_AT, _INLINE, _BLOCKS_AT):
            _need(tag.entry < len(self.entries))
            self.entries[tag.entry].place = tag
        elif kind == _CREATED:
            _need(tag.entry <= len(self.entries))
            self.entries.insert(tag.entry, _Entry())
        elif kind == _REMOVED:
            _need(tag.entry < len(self.entries))
            del self.entries[tag.entry]
        elif kind in (_FOLDER_ENDS, _FOLDER_GOES_ON):
            _need(content is not None and len(content) == _PAIR)
            self.next, self.goes_on = _pair(content), kind == _FOLDER_GOES_ON
        elif kind == _HALF_DONE:
            self.half_done = int.from_bytes(content or b"", "little")
        else:
            _need(kind in _ATTRIBUTES or kind == _FORWARD_CRC)


def _current(blocks: tuple[bytes, bytes]) -> Log | None:
    """The log of a pair that counts: the later one that is whole; None where neither is."""
    logs = Log(blocks[0]), Log(blocks[1])
    revisions = [int.from_bytes(block[:_REVISION], "little") for block in blocks]
    later = int(0 < (revisions[1] - revisions[0]) & _NULL < _HALF)
    found = logs[later] if logs[later].whole else logs[1 - later]
    return found if found.whole else None


def _pair(content: bytes | None) -> tuple[int, int] | None:
    """The two blocks that eight bytes name; None for no blocks."""
    first, second = unpack_from("<II", (content or b"").ljust(_PAIR, b"\xff"))
    return None if first == second == _NULL else (first, second)


class _Look:
    """A look through all pairs and files.

    Attributes:
        taken: The blocks that were come across.
    """

    def __init__(self, data: bytes, block_size: int, blocks: int) -> None:
        self.taken: set[int] = set()
        self._data, self._size, self._blocks = data, block_size, blocks
        self._folders: list[frozenset[int]] = []  # that entries lead to

    def through(self) -> None:
        """Look at everything."""
        heads: list[frozenset[int]] = []  # of folders, in the list of all pairs
        half_done = 0
        place: tuple[int, int] | None = (0, 1)
        root = True
        while place is not None:
            self._take(place[0])
            self._take(place[1])
            pair = _Pair((self._block(place[0]), self._block(place[1])))
            for number, entry in enumerate(pair.entries):
                self._entry(entry, first=root and number == 0)
            half_done ^= pair.half_done
            if pair.next is not None and not pair.goes_on:
                heads.append(frozenset(pair.next))
            root = root and pair.goes_on
            place = pair.next
        _need(half_done == 0)
        _need(len(set(heads)) == len(heads) == len(self._folders) and set(heads) == set(self._folders))

    def _block(self, number: int) -> bytes:
        return self._data[number * self._size : (number + 1) * self._size]

    def _take(self, block: int) -> None:
        _need(block < self._blocks and block not in self.taken)
        self.taken.add(block)

    def _entry(self, entry: _Entry, *, first: bool) -> None:
        name, place = entry.name, entry.place
        if name is None or place is None or name.content is None or place.content is None:
            raise _UnsoundError
        if name.kind == _SUPERBLOCK:
            _need(first and place.kind == _INLINE)
            return
        _need(bool(name.content) and not _NOT_IN_NAMES & set(name.content))
        if name.kind == _FOLDER:
            _need(place.kind == _FOLDER_AT and len(place.content) == _PAIR)
            self._folders.append(frozenset(_pair(place.content) or ()))
        elif place.kind == _BLOCKS_AT:
            _need(len(place.content) == _PAIR)
            self._file(*unpack("<II", place.content))
        else:
            _need(place.kind == _INLINE)

    def _file(self, block: int, size: int) -> None:
        """The blocks of a file, from the last on: each leads to the one before, every other one over it."""
        _need(0 < size <= len(self._data))
        over: int | None = None  # where the last of those leads
        for index in range(blocks_of(size, self._size) - 1, -1, -1):
            self._take(block)
            before, second = unpack_from("<II", self._data, block * self._size)
            if index % 2 == 0:
                _need(over in (None, block))
                over = second
            block = before
