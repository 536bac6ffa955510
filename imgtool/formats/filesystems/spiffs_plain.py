"""SPIFFS with other magics than NodeMCU's: none, or the same in every block.

Without magics, as Sming and old NodeMCU releases have it, it is recognised by the structure of its blocks.
The Arduino core and Mongoose OS put the same magic into every block, which says nothing of the length.

Comes behind spiffs.py, which knows NodeMCU's magics.  As a file by itself, and inside a flash.  Only the size
and how many files there are: their contents are read by spiffs_files.py.

Source: spiffs_nucleus.h of https://github.com/pellepl/spiffs; see docs/formats/spiffs.md.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from construct import Int8ul, Int16ul, Struct

from imgtool.chip import SECTOR
from imgtool.formats import fill
from imgtool.formats.filesystems.spiffs import CONSTANT_MAGIC, lost_magics
from imgtool.formats.filesystems.spiffs_files import LAYOUTS, MAKERS, IndexLayout, layout_at, read_files
from imgtool.formats.filesystems.stored_files import Superblock
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity

__all__ = ["PlainSpiffs", "inside", "plain_at", "read"]

_PAGE: Final = 0x100
_PAGE_HEADER = Struct(
    "object" / Int16ul,
    "span" / Int16ul,
    "flags" / Int8ul,  # active low
)
# Object of every page of the block, the lookup page itself left out.  A large file system has thousands of
# blocks, for which construct takes a second.
_LOOKUP: Final = struct.Struct(f"<{_PAGE // 2}H")
_MAGIC_OFFSET: Final = 0xFC
_NO_MAGIC: Final = b"\xff\xff"
_LEAST_CONSTANT: Final = 3  # blocks
_PROBED: Final = 8  # blocks of 0x1000, of which every second one is none where they have 0x2000
_PAGE_END: Final = 2  # bytes, the erase count of a lookup page
_TRAILER: Final = 2  # entries at the end of the lookup page that hold magic and erase count
_BLOCK_SIZES: Final = (0x2000, 0x1000)
_ERASED: Final = 0xFFFF
_INDEX: Final = 0x8000  # top bit of an object number: the page holds an index
_DELETED_ENTRY: Final = 0x0000
_FLAG_MASK: Final = 0xC7  # used, final, index; index being deleted, deleted
_LIVE_INDEX: Final = 0xC0
_FILE_TYPE: Final = 1
_FIRST_BLOCKS: Final = 8  # in which mostly there is a whole file
_MORE_BLOCKS: Final = 16 * _FIRST_BLOCKS  # where files are long
_PRINTABLE: Final = range(0x20, 0x7F)
_MAGICS: Final = {
    "none": ("no magic", "no magics"),
    "unknown": ("unknown magic", "magics by another formula"),
    "constant": ("the same magic in each", "the same magic each"),
}


@dataclass(frozen=True, slots=True)
class PlainSpiffs(Superblock):
    """A file system with other magics than NodeMCU's, as Arduino, Mongoose OS, Sming and old NodeMCU have it.

    By the bytes of a block its lookup pages agree with the pages that they describe; its blocks are the whole
    ones up to the end of the file or the first one that does not fit.

    Attributes:
        files: Files in it.
        formula: ``none``; ``constant`` for the same magic in every block; ``unknown`` where the first block
            has something else there.
        layout: That of its files, as :data:`imgtool.formats.filesystems.spiffs_files.LAYOUTS` names it; None
            where none is in it.
    """

    files: int
    formula: str
    layout: str | None = None


class _Blocks(NamedTuple):
    """Blocks in a row that agree with what they hold.

    Attributes:
        blocks: How many.
        files: First index pages with a name.
        named: Those with a name in printable ASCII, which nothing else looks like.
    """

    blocks: int
    files: int
    named: int


def plain_at(data: bytes, offset: int = 0, stop: int | None = None) -> PlainSpiffs | None:
    """The file system with other magics than NodeMCU's at ``offset``; None if there is none.

    One without magics is known only if it holds a file.  It ends at ``stop`` at the latest: the end of the
    data where that is None.

    Every page in use begins with the number that its block's lookup page has for it, and every other one is
    erased.  That is checked for all pages of all blocks, so nothing else is taken for a file system.
    """
    stop = len(data) if stop is None else stop
    if _magic(data, offset) == CONSTANT_MAGIC:
        return _constant_at(data, offset, stop)
    best: PlainSpiffs | None = None
    for block_size in _BLOCK_SIZES:
        there = _blocks_at(data, offset, stop, block_size)
        if not there.named:
            continue
        formula = "none" if _magic(data, offset) == _NO_MAGIC else "unknown"
        layout = layout_at(data, offset, stop, block_size=block_size, blocks=there.blocks)
        found = PlainSpiffs(block_size, there.blocks, there.files, formula, layout and layout.name)
        if layout is None or layout.block in (None, block_size):
            return best if best is not None and best.files > found.files else found
        best = best or found
    return best


def _magic(data: bytes, block: int) -> bytes:
    return data[block + _MAGIC_OFFSET : block + _MAGIC_OFFSET + len(CONSTANT_MAGIC)]


def _blocks_at(data: bytes, offset: int, stop: int, block_size: int) -> _Blocks:
    """The blocks up to the first that is not consistent."""
    count = files = named = 0
    for block in range(offset, stop - block_size + 1, block_size):
        found = _files(data, block, block_size)
        if found is None:
            break
        count, files, named = count + 1, files + found[0], named + found[1]
    return _Blocks(count, files, named)


def _constant_at(data: bytes, offset: int, stop: int) -> PlainSpiffs | None:
    """The file system with the same magic in every block, of which one may have lost it."""
    steps = range(offset + SECTOR, min(stop, offset + _PROBED * SECTOR), 2 * SECTOR)
    small = [_magic(data, at) == CONSTANT_MAGIC for at in steps]
    block_size = min(_BLOCK_SIZES) if 2 * sum(small) >= len(small) > 0 else max(_BLOCK_SIZES)
    whole = range(offset, stop - block_size + 1, block_size)
    blocks = lost = 0
    for number, block in enumerate(whole, 1):
        if _magic(data, block) == CONSTANT_MAGIC:
            blocks = number
        else:
            lost += 1
            if lost > 1:
                break
    if blocks < _LEAST_CONSTANT or _files(data, offset, block_size) is None:
        return None
    found = [_files(data, block, block_size) or (0, 0) for block in whole[:blocks]]
    layout = layout_at(data, offset, offset + block_size * blocks, block_size=block_size, blocks=blocks)
    files = sum(count for count, _ in found)
    return PlainSpiffs(block_size, blocks, files, "constant", layout and layout.name)


def _files(data: bytes, block: int, block_size: int) -> tuple[int, int] | None:
    """How many files have their header in the block, and how many of them a name in printable ASCII.

    None if the block is not consistent.
    """
    if fill.is_fill(data, block, block + _MAGIC_OFFSET):
        return (0, 0) if fill.is_fill(data, block + _PAGE, block + block_size) else None
    entries = _LOOKUP.unpack_from(data, block)
    pages = block_size // _PAGE - 1
    if any(entry != _ERASED for entry in entries[pages:-_TRAILER]):
        return None
    files = named = 0
    for page, entry in enumerate(entries[:pages], 1):
        start = block + page * _PAGE
        if entry == _ERASED:
            # A look at both ends is enough to tell it from a page that another block size puts there.
            ends = (start, start + _PAGE_HEADER.sizeof()), (start + _PAGE - _PAGE_END, start + _PAGE)
            if not all(fill.is_fill(data, *span) for span in ends):
                return None
        elif entry != _DELETED_ENTRY:
            if int.from_bytes(data[start : start + 2], "little") != entry:
                return None
            names = _names(data, start) if entry >= _INDEX else []
            files += bool(names)
            named += any(all(byte in _PRINTABLE for byte in name) for name in names)
    return files, named


def _names(data: bytes, start: int) -> list[bytes]:
    """What may be the name of the file whose first index page begins here; nothing if it is none."""
    header = _PAGE_HEADER.parse(data[start : start + _PAGE_HEADER.sizeof()])
    if header.flags & _FLAG_MASK != _LIVE_INDEX or header.span != 0:
        return []
    names = [_name(data, start, layout) for layout in LAYOUTS if data[start + layout.type] == _FILE_TYPE]
    return [name for name in names if name and min(name) >= _PRINTABLE.start]


def _name(data: bytes, start: int, layout: IndexLayout) -> bytes:
    return data[start + layout.text : start + layout.text + layout.room].partition(b"\0")[0]


def inside(data: bytes, offset: int, stop: int) -> tuple[Reading | None, int]:
    """Read the file system with other magics than NodeMCU's that begins at ``offset`` of a flash.

    Of one without magics the first page must be in use, and its pages numbered from there, by the files in
    it.  It ends with the last block that is not erased: formatting leaves an erase count in every one.

    Returns:
        What was read, None if none is there, and up to where blocks were looked at: none begins before that.
    """
    if _magic(data, offset) == CONSTANT_MAGIC:
        found = _constant_at(data, offset, stop)
        return (None, offset) if found is None else (_reading(data, found, offset), offset + found.size)
    first = data[offset : offset + 2]
    if first == _NO_MAGIC or first not in (b"\0\0", data[offset + _PAGE : offset + _PAGE + 2]):
        return None, offset
    found = plain_at(data, offset, stop)
    if found is None:
        return None, offset
    size, blocks = found.block_size, found.blocks
    end = offset + size * blocks
    while fill.is_fill(data, offset + size * (blocks - 1), offset + size * blocks):
        blocks -= 1
    found = replace(found, blocks=blocks)
    if not any(_numbered(data, offset, found, some) for some in (_FIRST_BLOCKS, _MORE_BLOCKS, blocks)):
        return None, end
    return _reading(data, found, offset), end


def _reading(data: bytes, found: PlainSpiffs, offset: int) -> Reading:
    findings = [_no_magic(found)._replace(offset=offset)]
    if found.formula == "constant":
        findings += lost_magics(data, offset, found, [CONSTANT_MAGIC] * found.blocks)
    return Reading(FileKind.SPIFFS, (_part(found, offset),), findings=tuple(findings))


def _numbered(data: bytes, offset: int, found: PlainSpiffs, blocks: int) -> bool:
    """Whether a file with contents in so many blocks is whole, or there is none with contents."""
    stop = offset + found.block_size * min(blocks, found.blocks)
    system = read_files(data, offset, stop, block_size=found.block_size, blocks=found.blocks)
    filled = [file for file in system.files if file.size]
    return any(file.whole for file in filled) or (blocks >= found.blocks and not filled)


def _part(found: PlainSpiffs, offset: int) -> Part:
    maker = MAKERS.get((found.formula, found.layout or ""), "")
    of = f" of {maker}" if maker else ""
    count = f"{found.files} file{'' if found.files == 1 else 's'}"
    blocks = f"{found.blocks} blocks of {found.block_size // 1024} KB"
    note = f"SPIFFS{of}, {blocks}, {_MAGICS[found.formula][0]}, {count}"
    return Part(PartKind.SPIFFS, offset, found.size, note=note, value=found)


def _no_magic(found: PlainSpiffs) -> Finding:
    what = _MAGICS[found.formula][1]
    message = f"the blocks have {what}: NodeMCU from 1.5.4.1 on does not mount this file system"
    return Finding(Severity.NOTE, "no-magic", message)


def read(data: bytes) -> Reading | None:
    """Read a file that is a SPIFFS image with other magics than NodeMCU's, which are left to spiffs.py."""
    found = plain_at(data)
    if found is None:
        return None
    size = found.block_size * found.blocks
    reading = _reading(data, found, 0)
    findings = list(reading.findings)
    if size == len(data):
        return reading
    rest = Part(PartKind.UNKNOWN, size, len(data) - size)
    if rest.size < found.block_size:
        message = f"the file ends inside a block: {rest.size:,} of {found.block_size:,} bytes"
        findings.append(Finding(Severity.ERROR, "cut", message, size))
    else:
        message = f"block {found.blocks} is not consistent, and no check covers what follows"
        findings.append(Finding(Severity.ERROR, "damaged", message, size))
    return reading._replace(parts=(*reading.parts, rest), findings=tuple(findings))
