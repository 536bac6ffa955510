"""LittleFS images, as mklittlefs and others make them: the superblock, and whether all of it is there.

The files inside are read by littlefs_files.py.

Source: https://github.com/littlefs-project/littlefs/blob/master/SPEC.md, on-disk version 2; see
docs/formats/littlefs.md.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from construct import Int16ul, Int32ul, Struct

from imgtool.formats.filesystems.stored_files import Superblock
from imgtool.formats.images.version1 import trailing
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity

__all__ = ["LittleFsSuperblock", "inside", "read", "superblock_at"]

_SUPERBLOCK = Struct(
    "minor" / Int16ul,
    "major" / Int16ul,
    "block_size" / Int32ul,
    "block_count" / Int32ul,
    "name_max" / Int32ul,
    "file_max" / Int32ul,
    "attribute_max" / Int32ul,
)
_MAGIC: Final = b"littlefs"
_MAGIC_OFFSET: Final = 8
_SUPERBLOCK_TAG: Final = 0x201 << 20  # that type, entry 0
_ENTRY: Final = 0xFFFF_FC00  # type and entry of a tag
# 0x5FF is the record of a forward CRC, which disk version 2.1 has in front of the CRC: no end of a commit.
_CRC_TYPES: Final = range(0x500, 0x580)
_TAG: Final = 4  # bytes
_CRC: Final = 4
# In a CRC tag: the tags of the next commit are stored with the top bit flipped.
_VALID_FLIPPED: Final = 0x0010_0000
_DELETED: Final = 0x3FF
_NULL: Final = 0xFFFF_FFFF
_HALF: Final = 0x8000_0000  # revisions count round: one is later than another by less than that
_SMALLEST_BLOCK: Final = 128
_PAIR: Final = 2  # the superblock's two blocks
_LARGEST_BLOCK: Final = 0x1_0000
_LARGEST: Final = 0x100_0000
_MOST_TAGS: Final = 4096
_MOST_MAGICS: Final = 64


@dataclass(frozen=True, slots=True)
class LittleFsSuperblock(Superblock):
    """What the superblock says; blocks have 4096 or 8192 bytes on the ESP8266.

    Attributes:
        block: The block it was read from, 0 or 1.
        version: On-disk version, such as ``2.0``.
        intact: Whether the CRC of its block's first commit is right.
        revision: How often its block was written: of two, the later one counts.
    """

    block: int
    version: str
    intact: bool
    revision: int = 0


def superblock_at(data: bytes, offset: int = 0) -> LittleFsSuperblock | None:
    """The superblock of the file system at ``offset``, from block 0 or else from block 1.

    Either may be the newer one, and after a power cut only one is whole: the one with a right CRC counts.
    """
    first = _superblock(data, offset, 0)
    # What a damaged first block says of the block size cannot be trusted, so the second one is looked for.
    second = (
        _superblock(data, offset + first.block_size, 1)
        if first is not None and first.intact
        else _second_block(data, offset)
    )
    if first is None or second is None:
        return first or second
    if first.intact and second.intact:
        newer = (second.revision - first.revision) & _NULL
        return second if 0 < newer < _HALF and second.block_size == first.block_size else first
    return second if second.intact and not first.intact else first


def _second_block(data: bytes, offset: int) -> LittleFsSuperblock | None:
    """The superblock in block 1, by its magic: it says itself how long block 0 is."""
    window = data[offset : offset + _LARGEST_BLOCK + _MAGIC_OFFSET + len(_MAGIC)]
    place = window.find(_MAGIC, _MAGIC_OFFSET + 1)
    for _ in range(_MOST_MAGICS):
        if place < 0:
            break
        second = _superblock(data, offset + place - _MAGIC_OFFSET, 1)
        if second is not None and second.block_size == place - _MAGIC_OFFSET:
            return second
        place = window.find(_MAGIC, place + 1)
    return None


def _superblock(data: bytes, offset: int, block: int) -> LittleFsSuperblock | None:
    if data[offset + _MAGIC_OFFSET : offset + _MAGIC_OFFSET + len(_MAGIC)] != _MAGIC:
        return None
    commits = _Commits(data[offset : offset + _LARGEST_BLOCK])
    if commits.superblock is None:
        return None
    fields = _SUPERBLOCK.parse(commits.superblock)
    size, count = fields.block_size, fields.block_count
    if not _SMALLEST_BLOCK <= size <= _LARGEST_BLOCK or not _PAIR <= count <= _LARGEST // size:
        return None
    version = f"{fields.major}.{fields.minor}"
    revision = int.from_bytes(data[offset : offset + 4], "little")
    return LittleFsSuperblock(size, count, block, version, commits.whole > 0, revision)


class _Commits:
    """The commits of a metadata block, which is a log of them, up to the first whose CRC is wrong.

    Attributes:
        whole: How many there are.
        superblock: Contents of the last superblock in them: a later one may have made it 2.1, or larger.
            Where no commit is whole, the first one that stands there; None for none.
    """

    def __init__(self, block: bytes) -> None:
        self.whole = 0
        self.superblock: bytes | None = None
        position, start = 4, 0  # behind the revision, which the first commit's CRC covers
        tag = _NULL
        waiting: bytes | None = None  # in a commit whose CRC was not reached yet
        for _ in range(_MOST_TAGS):
            # Tags are big-endian, and each is stored XORed with the one before it.
            tag ^= int.from_bytes(block[position : position + _TAG], "big")
            position += _TAG
            size = tag & _DELETED
            size = 0 if size == _DELETED else size
            if tag >> 31 or position + size > len(block):
                break
            if tag >> 20 in _CRC_TYPES:
                stored = int.from_bytes(block[position : position + _CRC], "little")
                if size < _CRC or stored != zlib.crc32(block[start:position]) ^ _NULL:
                    break
                self.whole += 1
                self.superblock, waiting = waiting or self.superblock, None
                start = position + size
                tag ^= (tag & _VALID_FLIPPED) << 11
            elif tag & _ENTRY == _SUPERBLOCK_TAG and size >= _SUPERBLOCK.sizeof():
                waiting = block[position : position + size]
            position += size
        self.superblock = self.superblock or waiting


def inside(data: bytes, offset: int, stop: int) -> Reading | None:
    """Read the file system that begins at ``offset`` of a flash, None if none is there."""
    # Inside a flash block 0 must be readable: what block 1 alone says could be block 0 of the next sector.
    if offset and not data.startswith(_MAGIC, offset + _MAGIC_OFFSET):
        return None
    found = superblock_at(data, offset)
    if found is None:
        return None
    note = f"LittleFS {found.version}, {found.blocks} blocks of {found.block_size:,} bytes"
    size = min(found.size, stop - offset)
    part = Part(PartKind.LITTLEFS, offset, size, note=note, value=found)
    findings: list[Finding] = []
    if size < found.size:
        message = f"the file system has {found.size:,} bytes by its superblock, but {size:,} are there"
        findings.append(Finding(Severity.ERROR, "cut", message, stop))
    if not found.intact:
        message = "neither copy of the superblock has a right CRC"
        findings.append(Finding(Severity.ERROR, "crc", message, offset + found.block * found.block_size))
    return Reading(FileKind.LITTLEFS, (part,), findings=tuple(findings))


def read(data: bytes) -> Reading | None:
    """Read a file that is a LittleFS image."""
    found = inside(data, 0, len(data))
    if found is None:
        return None
    tail, tail_findings = trailing(data, found.parts[-1].end)
    return Reading(FileKind.LITTLEFS, (*found.parts, *tail), findings=(*found.findings, *tail_findings))
