"""SPIFFS without magics, as Sming and old NodeMCU releases have it: recognised by the structure of blocks.

Comes behind spiffs.py, which knows NodeMCU's magics.  As a file by itself, and inside a flash.  Only the size
and how many files there are: their contents are read by spiffs_files.py.

Source: spiffs_nucleus.h of https://github.com/pellepl/spiffs; see docs/formats/spiffs.md.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Final

from construct import Int8ul, Int16ul, Struct

from imgtool.formats import fill
from imgtool.formats.filesystems.spiffs_files import LAYOUTS, IndexLayout, read_files
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
_PAGE_END: Final = 2  # bytes, the erase count of a lookup page
_TRAILER: Final = 2  # entries at the end of the lookup page that hold magic and erase count
_BLOCK_SIZES: Final = (0x2000, 0x1000)
_ERASED: Final = 0xFFFF
_INDEX: Final = 0x8000  # top bit of an object number: the page holds an index
_DELETED_ENTRY: Final = 0x0000
_FLAG_MASK: Final = 0xC7  # used, final, index; index being deleted, deleted
_LIVE_INDEX: Final = 0xC0
_NAME: Final = 32
_FILE_TYPE: Final = 1
_FIRST_BLOCKS: Final = 8  # in which mostly there is a whole file
_MORE_BLOCKS: Final = 16 * _FIRST_BLOCKS  # where files are long
_PRINTABLE: Final = range(0x20, 0x7F)


@dataclass(frozen=True, slots=True)
class PlainSpiffs(Superblock):
    """A file system without magics, as Sming and old NodeMCU releases have it.

    By the bytes of a block its lookup pages agree with the pages that they describe; its blocks are the whole
    ones up to the end of the file or the first one that does not fit.

    Attributes:
        files: Files in it.
        magic: Whether the first block has something where NodeMCU's magic goes, by no formula known.
    """

    files: int
    magic: bool

    @property
    def formula(self) -> str:
        """As :attr:`imgtool.formats.filesystems.spiffs.SpiffsSignature.formula`: ``unknown`` or ``none``."""
        return "unknown" if self.magic else "none"


def plain_at(data: bytes, offset: int = 0, stop: int | None = None) -> PlainSpiffs | None:
    """The file system without magics at ``offset``; None if there is none, or it holds no file.

    It ends at ``stop`` at the latest: the end of the data where that is None.

    Every page in use begins with the number that its block's lookup page has for it, and every other one is
    erased.  That is checked for all pages of all blocks, so nothing else is taken for a file system.
    """
    stop = len(data) if stop is None else stop
    for block_size in _BLOCK_SIZES:
        blocks = files = 0
        for block in range(offset, stop - block_size + 1, block_size):
            found = _files(data, block, block_size)
            if found is None:
                break
            blocks, files = blocks + 1, files + found
        if files:
            return PlainSpiffs(
                block_size,
                blocks,
                files,
                data[offset + _MAGIC_OFFSET : offset + _MAGIC_OFFSET + 2] != _NO_MAGIC,
            )
    return None


def _files(data: bytes, block: int, block_size: int) -> int | None:
    """How many files have their header in the block; None if the block is not consistent."""
    if fill.is_fill(data, block, block + _MAGIC_OFFSET):
        return 0 if fill.is_fill(data, block + _PAGE, block + block_size) else None
    entries = _LOOKUP.unpack_from(data, block)
    pages = block_size // _PAGE - 1
    if any(entry != _ERASED for entry in entries[pages:-_TRAILER]):
        return None
    files = 0
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
            files += entry >= _INDEX and _is_file(data, start)
    return files


def _is_file(data: bytes, start: int) -> bool:
    header = _PAGE_HEADER.parse(data[start : start + _PAGE_HEADER.sizeof()])
    if header.flags & _FLAG_MASK != _LIVE_INDEX or header.span != 0:
        return False
    return any(_has_name(data, start, layout) for layout in LAYOUTS)


def _has_name(data: bytes, start: int, layout: IndexLayout) -> bool:
    name = data[start + layout.text : start + layout.text + _NAME].partition(b"\0")[0]
    return data[start + layout.type] == _FILE_TYPE and bool(name) and all(byte in _PRINTABLE for byte in name)


def inside(data: bytes, offset: int, stop: int) -> tuple[Reading | None, int]:
    """Read the file system without magics that begins at ``offset`` of a flash, its first page in use.

    Its pages must be numbered from there, by the files in it.  It ends with the last block that is not
    erased: formatting leaves an erase count in every one.

    Returns:
        What was read, None if none is there, and up to where blocks were looked at: none begins before that.
    """
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
    note = _no_magic(found)._replace(offset=offset)
    return Reading(FileKind.SPIFFS, (_part(found, offset),), findings=(note,)), end


def _numbered(data: bytes, offset: int, found: PlainSpiffs, blocks: int) -> bool:
    """Whether a file with contents in so many blocks is whole, or there is none with contents."""
    stop = offset + found.block_size * min(blocks, found.blocks)
    system = read_files(data, offset, stop, block_size=found.block_size, blocks=found.blocks)
    filled = [file for file in system.files if file.size]
    return any(file.whole for file in filled) or (blocks >= found.blocks and not filled)


def _part(found: PlainSpiffs, offset: int) -> Part:
    magic = "unknown magic" if found.magic else "no magic"
    count = f"{found.files} file{'' if found.files == 1 else 's'}"
    note = f"SPIFFS, {found.blocks} blocks of {found.block_size // 1024} KB, {magic}, {count}"
    return Part(PartKind.SPIFFS, offset, found.size, note=note, value=found)


def _no_magic(found: PlainSpiffs) -> Finding:
    what = "magics by another formula" if found.magic else "no magics"
    message = f"the blocks have {what}: NodeMCU from 1.5.4.1 on does not mount this file system"
    return Finding(Severity.NOTE, "no-magic", message)


def read(data: bytes) -> Reading | None:
    """Read a file that is a SPIFFS image without magics; those with NodeMCU's are left to spiffs.py."""
    found = plain_at(data)
    if found is None:
        return None
    size = found.block_size * found.blocks
    part = _part(found, 0)
    findings = [_no_magic(found)]
    if size == len(data):
        return Reading(FileKind.SPIFFS, (part,), findings=tuple(findings))
    rest = Part(PartKind.UNKNOWN, size, len(data) - size)
    if rest.size < found.block_size:
        message = f"the file ends inside a block: {rest.size:,} of {found.block_size:,} bytes"
        findings.append(Finding(Severity.ERROR, "cut", message, size))
    else:
        message = f"block {found.blocks} is not consistent, and no check covers what follows"
        findings.append(Finding(Severity.ERROR, "damaged", message, size))
    return Reading(FileKind.SPIFFS, (part, rest), findings=tuple(findings))
