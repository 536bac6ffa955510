"""LittleFS images, as mklittlefs and others make them: the superblock, and whether all of it is there.

The files inside are read by littlefs_files.py.

Source: https://github.com/littlefs-project/littlefs/blob/master/SPEC.md, on-disk version 2; see
docs/formats/littlefs.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from construct import Container, Int16ul, Int32ul, Struct

from imgtool.formats.filesystems.littlefs_metadata import Log, last_superblock
from imgtool.formats.filesystems.stored_files import Superblock
from imgtool.formats.images.version1 import trailing
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity

__all__ = ["BLOCK_SIZES", "LARGEST", "LittleFsSuperblock", "inside", "read", "superblock_at"]

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
_NULL: Final = 0xFFFF_FFFF
_HALF: Final = 0x8000_0000  # revisions count round: one is later than another by less than that
_PAIR: Final = 2  # the superblock's two blocks
_LARGEST_BLOCK: Final = 0x1_0000
BLOCK_SIZES: Final = range(128, _LARGEST_BLOCK + 1)
"""Bytes that a block may have."""
LARGEST: Final = 0x100_0000
"""Bytes of the largest file system."""
_MOST_MAGICS: Final = 64
_NAME_MAX: Final = 255  # where it says none


@dataclass(frozen=True, slots=True)
class LittleFsSuperblock(Superblock):
    """What the superblock says; blocks have 4096 or 8192 bytes on the ESP8266.

    Attributes:
        block: The block it was read from, 0 or 1.
        version: On-disk version, such as ``2.0``.
        intact: Whether the CRC of its block's first commit is right.
        revision: How often its block was written: of two, the later one counts.
        name_max: Bytes of the longest name.
    """

    block: int
    version: str
    intact: bool
    revision: int = 0
    name_max: int = 255


def superblock_at(data: bytes, offset: int = 0) -> LittleFsSuperblock | None:
    """The superblock of the file system at ``offset``, from block 0 or else from block 1.

    Either may be the newer one, and after a power cut only one is whole: the one with a right CRC counts.
    The version is that of the root folder, which may have moved on.
    """
    found = _first_superblock(data, offset)
    last = None if found is None else last_superblock(data, offset, found.block_size, found.blocks)
    if found is None or last is None:
        return found
    return replace(found, version=_version(_SUPERBLOCK.parse(last)))


def _first_superblock(data: bytes, offset: int) -> LittleFsSuperblock | None:
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
    log = Log(data[offset : offset + _LARGEST_BLOCK])
    if log.superblock is None:
        return None
    fields = _SUPERBLOCK.parse(log.superblock)
    size, count = fields.block_size, fields.block_count
    if size not in BLOCK_SIZES or not _PAIR <= count <= LARGEST // size:
        return None
    revision = int.from_bytes(data[offset : offset + 4], "little")
    name_max = fields.name_max or _NAME_MAX
    return LittleFsSuperblock(size, count, block, _version(fields), log.whole > 0, revision, name_max)


def _version(fields: Container[int]) -> str:
    return f"{fields.major}.{fields.minor}"


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
