"""LittleFS images, as mklittlefs and others make them: the superblock, and whether all of it is there.

The files inside are read by littlefs_files.py.

Source: https://github.com/littlefs-project/littlefs/blob/master/SPEC.md, on-disk version 2; see
docs/formats/littlefs.md.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from construct import Bytes, Const, Int16ul, Int32ub, Int32ul, Struct

from imgtool.errors import FormatError
from imgtool.formats.filesystems.stored_files import Superblock
from imgtool.formats.images.version1 import trailing
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity
from imgtool.formats.wire import parse_at

__all__ = ["LittleFsSuperblock", "inside", "read", "superblock_at"]

_SUPERBLOCK = Struct(
    "revision" / Int32ul,
    "name_tag" / Int32ub,  # tags are big-endian, and each is stored XORed with the one before it
    "magic" / Const(b"littlefs"),
    "struct_tag" / Int32ub,
    "minor" / Int16ul,
    "major" / Int16ul,
    "block_size" / Int32ul,
    "block_count" / Int32ul,
    "name_max" / Int32ul,
    "file_max" / Int32ul,
    "attribute_max" / Int32ul,
)
_TAG = Struct("stored" / Int32ub)
_CRC = Struct("stored" / Bytes(4))
_MAGIC: Final = b"littlefs"
_MAGIC_OFFSET: Final = 8
_INLINE: Final = 0x201  # type of the struct tag
_CRC_TYPES: Final = range(0x500, 0x600)
_DELETED: Final = 0x3FF
_NULL: Final = 0xFFFF_FFFF
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
    """

    block: int
    version: str
    intact: bool


def superblock_at(data: bytes, offset: int = 0) -> LittleFsSuperblock | None:
    """The superblock of the file system at ``offset``, from block 0 or else from block 1.

    Either may be the newer one, and after a power cut only one is whole: the one with a right CRC counts.
    """
    first = _superblock(data, offset, 0)
    if first is not None and first.intact:
        return first
    # What a damaged first block says of the block size cannot be trusted, so the second one is looked for.
    window = data[offset : offset + _LARGEST_BLOCK + _MAGIC_OFFSET + len(_MAGIC)]
    place = window.find(_MAGIC, _MAGIC_OFFSET + 1)
    for _ in range(_MOST_MAGICS):
        if place < 0:
            break
        second = _superblock(data, offset + place - _MAGIC_OFFSET, 1)
        if second is not None and second.block_size == place - _MAGIC_OFFSET:
            return second if first is None or second.intact else first
        place = window.find(_MAGIC, place + 1)
    return first


def _superblock(data: bytes, offset: int, block: int) -> LittleFsSuperblock | None:
    if data[offset + _MAGIC_OFFSET : offset + _MAGIC_OFFSET + len(_MAGIC)] != _MAGIC:
        return None
    try:
        fields = parse_at(_SUPERBLOCK, data, offset, "LittleFS superblock")
    except FormatError:
        return None
    tag = _NULL ^ fields.name_tag ^ fields.struct_tag
    size, count = fields.block_size, fields.block_count
    if tag >> 20 != _INLINE or not _SMALLEST_BLOCK <= size <= _LARGEST_BLOCK or count < _PAIR:
        return None
    if size * count > _LARGEST:
        return None
    intact = _commit_holds(data[offset : offset + size])
    return LittleFsSuperblock(size, count, block, f"{fields.major}.{fields.minor}", intact)


def _commit_holds(block: bytes) -> bool:
    """Whether the CRC that ends the first commit of a metadata block is right."""
    position, tag = 4, _NULL
    for _ in range(_MOST_TAGS):
        try:
            tag ^= parse_at(_TAG, block, position, "tag").stored
        except FormatError:
            return False
        position += _TAG.sizeof()
        if tag >> 31:
            return False
        if tag >> 20 in _CRC_TYPES:
            stored = int.from_bytes(block[position : position + _CRC.sizeof()], "little")
            return stored == zlib.crc32(block[:position]) ^ _NULL
        size = tag & _DELETED
        position += 0 if size == _DELETED else size
    return False


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
