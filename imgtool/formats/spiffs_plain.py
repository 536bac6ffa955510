"""SPIFFS without magics, as Sming and old NodeMCU releases have it: recognised by the structure of blocks.

Comes behind spiffs.py, which knows NodeMCU's magics.  Only the size and how many files there are: their
contents are read by spiffs_files.py.

Source: spiffs_nucleus.h of https://github.com/pellepl/spiffs; see docs/formats/spiffs.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from construct import Int8ul, Int16ul, Struct

from imgtool.formats import fill
from imgtool.formats.reading import Fact, FileKind, Finding, Part, PartKind, Reading, Severity
from imgtool.formats.spiffs_files import LAYOUTS, IndexLayout

__all__ = ["PlainSpiffs", "inside", "plain_at", "read"]

_PAGE: Final = 0x100
_PAGE_HEADER = Struct(
    "object" / Int16ul,
    "span" / Int16ul,
    "flags" / Int8ul,  # active low
)
_MAGIC_OFFSET: Final = 0xFC
_NO_MAGIC: Final = b"\xff\xff"
_ERASED_PAGE: Final = b"\xff" * _PAGE
_BLOCK_SIZES: Final = (0x2000, 0x1000)
_ERASED: Final = 0xFFFF
_INDEX: Final = 0x8000  # top bit of an object number: the page holds an index
_DELETED_ENTRY: Final = 0x0000
_FLAG_MASK: Final = 0xC7  # used, final, index; index being deleted, deleted
_LIVE_INDEX: Final = 0xC0
_NAME: Final = 32
_FILE_TYPE: Final = 1
_PRINTABLE: Final = range(0x20, 0x7F)


@dataclass(frozen=True, slots=True)
class PlainSpiffs:
    """A file system without magics, as Sming and old NodeMCU releases have it.

    Attributes:
        block_size: Bytes of a block, by which its lookup pages agree with the pages that they describe.
        blocks: Whole blocks up to the end of the file or the first one that does not fit.
        files: Files in it.
        magic: Whether the first block has something where NodeMCU's magic goes, by no formula known.
        formatted: Blocks up to the last one with an erase count or a page: formatting writes a count to all.
    """

    block_size: int
    blocks: int
    files: int
    magic: bool
    formatted: int


def plain_at(data: bytes, offset: int = 0) -> PlainSpiffs | None:
    """The file system without magics at ``offset``; None if there is none, or it holds no file.

    Every page in use begins with the number that its block's lookup page has for it, and every other one is
    erased.  That is checked for all pages of all blocks, so nothing else is taken for a file system.
    """
    return _plain(data, offset, len(data))


def _plain(data: bytes, offset: int, stop: int) -> PlainSpiffs | None:
    for block_size in _BLOCK_SIZES:
        blocks = files = formatted = 0
        for block in range(offset, stop - block_size + 1, block_size):
            found = _files(data, block, block_size)
            if found is None:
                break
            blocks, files = blocks + 1, files + found
            if data[block : block + _PAGE] != _ERASED_PAGE:
                formatted = blocks
        if files:
            magic = data[offset + _MAGIC_OFFSET : offset + _MAGIC_OFFSET + 2] != _NO_MAGIC
            return PlainSpiffs(block_size, blocks, files, magic, formatted)
    return None


def _files(data: bytes, block: int, block_size: int) -> int | None:
    """How many files have their header in the block; None if the block is not consistent."""
    if fill.is_fill(data, block, block + _MAGIC_OFFSET):
        return 0 if fill.is_fill(data, block + _PAGE, block + block_size) else None
    pages = block_size // _PAGE - 1
    files = 0
    for page in range(1, pages + 1):
        start = block + page * _PAGE
        # Tried at every sector of a dump: most of what is no file system differs at the first entry.
        entry = int.from_bytes(data[block + 2 * page - 2 : block + 2 * page], "little")
        if entry == _ERASED:
            # A look at both ends is enough to tell it from a page that another block size puts there.
            if not (fill.is_fill(data, start, start + 5) and fill.is_fill(data, start + 0xFE, start + _PAGE)):
                return None
        elif entry != _DELETED_ENTRY:
            if int.from_bytes(data[start : start + 2], "little") != entry:
                return None
            files += entry >= _INDEX and _is_file(data, start)
    return files if fill.is_fill(data, block + 2 * pages, block + _MAGIC_OFFSET) else None


def _is_file(data: bytes, start: int) -> bool:
    header = _PAGE_HEADER.parse(data[start : start + _PAGE_HEADER.sizeof()])
    if header.flags & _FLAG_MASK != _LIVE_INDEX or header.span != 0:
        return False
    return any(_has_name(data, start, layout) for layout in LAYOUTS)


def _has_name(data: bytes, start: int, layout: IndexLayout) -> bool:
    name = data[start + layout.text : start + layout.text + _NAME].partition(b"\0")[0]
    return data[start + layout.type] == _FILE_TYPE and bool(name) and all(byte in _PRINTABLE for byte in name)


def inside(data: bytes, offset: int, stop: int) -> Reading | None:
    """Read the file system without magics that begins at ``offset`` of a flash, None if none is there.

    It ends at the last block that was formatted: behind it the flash may be erased.
    """
    found = _plain(data, offset, stop)
    return None if found is None else Reading(FileKind.SPIFFS, (_part(found, offset, found.formatted),))


def _part(found: PlainSpiffs, offset: int, blocks: int) -> Part:
    facts: dict[str, Fact] = {
        "block_size": found.block_size,
        "blocks": blocks,
        "formula": "unknown" if found.magic else "none",
        "file_count": found.files,
    }
    magic = "unknown magic" if found.magic else "no magic"
    count = f"{found.files} file{'' if found.files == 1 else 's'}"
    note = f"SPIFFS, {blocks} blocks of {found.block_size // 1024} KB, {magic}, {count}"
    return Part(PartKind.SPIFFS, offset, blocks * found.block_size, note=note, facts=facts)


def read(data: bytes) -> Reading | None:
    """Read a file that is a SPIFFS image without magics; those with NodeMCU's are left to spiffs.py."""
    found = plain_at(data)
    if found is None:
        return None
    part = _part(found, 0, found.blocks)
    size = part.size
    what = "magics by another formula" if found.magic else "no magics"
    message = f"the blocks have {what}: NodeMCU from 1.5.4.1 on does not mount this file system"
    findings = [Finding(Severity.NOTE, "no-magic", message)]
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
