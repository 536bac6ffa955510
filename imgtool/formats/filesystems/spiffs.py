"""SPIFFS images as NodeMCU makes them: recognised by the magics in their blocks.

Only the signature and the size that it states: the files inside are read by spiffs_files.py.

Source: spiffs_config.h of https://github.com/nodemcu/nodemcu-firmware at several tags, and images built with
its spiffsimg; see docs/formats/spiffs.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from imgtool.formats import fill
from imgtool.formats.filesystems.spiffs_files import MAKERS, blocks_in_front, layout_at
from imgtool.formats.filesystems.stored_files import Superblock
from imgtool.formats.images import version1
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = [
    "CONSTANT_MAGIC",
    "MAGIC_OFFSET",
    "SpiffsSignature",
    "blocks_left",
    "in_front",
    "inside",
    "lost_magics",
    "magic_of",
    "probe",
    "read",
    "signature_at",
]

_PAGE: Final = 0x100
MAGIC_OFFSET: Final = 0xFC
"""Where a block has its magic: the second to last 16-bit entry of its lookup page."""
_KEY: Final = 0x0529 ^ _PAGE
CONSTANT_MAGIC: Final = _KEY.to_bytes(2, "little")
"""The magic of every block where it does not tell the length: of the Arduino core and Mongoose OS."""
_BLOCK_SIZES: Final = (0x2000, 0x1000)
MAGICS_LOST: Final = "magics-lost"
"""Code of the finding on a file system with more than one block without its magic."""
_LEAST_BLOCKS: Final = 3  # as many as are probed
_ERASED: Final = 0xFFFF


def _old_step(block: int) -> int:
    # NodeMCU 1.5.4.1-20161201 to 2.1.0-20170521.
    return 4 * block if block >= 3 else (0, 1, 3)[block]  # noqa: PLR2004 - the table has three entries


_FORMULAS: Final[Mapping[str, Callable[[int], int]]] = {"linear": lambda block: block, "old": _old_step}


@dataclass(frozen=True, slots=True)
class SpiffsSignature(Superblock):
    """What the magics say; blocks have 0x1000 or 0x2000 bytes.

    Attributes:
        formula: ``linear``, or ``old`` for NodeMCU 1.5.4.1-20161201 to 2.1.0-20170521.
    """

    formula: str


def magic_of(signature: SpiffsSignature, block: int) -> bytes:
    """The two bytes of magic in a block of a file system, at :data:`MAGIC_OFFSET` in it."""
    value = _KEY ^ (signature.blocks - _FORMULAS[signature.formula](block))
    return (value & _ERASED).to_bytes(2, "little")


def signature_at(data: bytes, offset: int = 0) -> SpiffsSignature | None:
    """The SPIFFS at ``offset``, by the magics of its first three blocks, one of which may be erased."""
    for block_size in _BLOCK_SIZES:
        first, second = blocks_left(data, offset), blocks_left(data, offset + block_size)
        if first is not None and second is not None and first - second != 1:
            continue  # by either formula: this alone rules almost everything else out
        # One block in front of any file system looks like this, unless nothing may stand there.
        if first is None and not fill.is_fill(data, offset, offset + block_size):
            continue
        signature = probe((first, second, blocks_left(data, offset + 2 * block_size)), block_size)
        if signature is not None:
            return signature
    return None


def in_front(read: Callable[[int, int], bytes], start: int, signature: SpiffsSignature) -> int:
    """How many bytes in front of the file system in use have magics as if they were a part of it; mostly 0.

    Args:
        read: Address and number of bytes to these bytes.
        start: Address where the magics begin.
        signature: What they say.
    """
    if signature.formula != "linear":
        return 0
    size, count = signature.block_size, signature.blocks
    return size * blocks_in_front(read, start, block_size=size, blocks=count)


def probe(
    left: Sequence[int | None], block_size: int, formulas: Iterable[str] = tuple(_FORMULAS)
) -> SpiffsSignature | None:
    """What SPIFFS itself makes of three blocks: it looks at their magics alone, one of which may be erased.

    Args:
        left: What :func:`blocks_left` says of each.
        block_size: How far they are apart.
        formulas: Which formulas to try, in order.
    """
    if left.count(None) > 1:
        return None
    for formula in formulas:
        step = _FORMULAS[formula]
        counts = {value + step(block) for block, value in enumerate(left) if value is not None}
        if len(counts) == 1 and (blocks := counts.pop()) >= _LEAST_BLOCKS:
            return SpiffsSignature(block_size, blocks, formula)
    return None


def blocks_left(data: bytes, block: int) -> int | None:
    """How many blocks the file system goes on for by the magic of the block at an offset; None for no magic.

    By the linear formula: with the old one it holds for the first block only.
    """
    # Probed at every sector of a dump, so without construct, which takes twenty times as long for a lone
    # number.
    entry = data[block + MAGIC_OFFSET : block + MAGIC_OFFSET + 2]
    value = int.from_bytes(entry, "little") if len(entry) == 2 else _ERASED  # noqa: PLR2004 - 16 bits
    return None if value == _ERASED else value ^ _KEY


def inside(data: bytes, offset: int, stop: int) -> Reading | None:
    """Read the file system that begins at ``offset`` of a flash, None if none is there.

    Formatted blocks in front of the one that is in use, see :func:`in_front`, are a part of their own.
    """
    signature = signature_at(data, offset)
    if signature is None:
        return None
    front = in_front(lambda at, size: data[at : at + size], offset, signature)
    if not front:
        return _read_at(data, offset, stop, signature)
    left = signature.blocks - front // signature.block_size
    found = _read_at(data, offset + front, stop, replace(signature, blocks=left))
    note = "blocks formatted for a SPIFFS that are in none"
    return found._replace(parts=(Part(PartKind.UNKNOWN, offset, front, note=note), *found.parts))


def _read_at(data: bytes, offset: int, stop: int, signature: SpiffsSignature) -> Reading:
    formula = "" if signature.formula == "linear" else ", old magic formula"
    size = min(signature.size, stop - offset)
    layout = layout_at(data, offset, offset + size, block_size=signature.block_size, blocks=signature.blocks)
    maker = None if layout is None else MAKERS.get((signature.formula, layout.name))
    of = "" if maker is None else f" of {maker}"
    note = f"SPIFFS{of}, {signature.blocks} blocks of {signature.block_size // 1024} KB{formula}"
    part = Part(PartKind.SPIFFS, offset, size, note=note, value=signature)
    findings: list[Finding] = []
    if maker is not None:
        message = f"NodeMCU mounts this file system and reads its files wrongly: it was made by {maker}"
        findings.append(Finding(Severity.NOTE, "foreign-layout", message, offset))
    if size < signature.size:
        message = f"the file system has {signature.size:,} bytes by its magics, but {size:,} are there"
        findings.append(Finding(Severity.ERROR, "cut", message, stop))
    magics = [magic_of(signature, block) for block in range(size // signature.block_size)]
    findings += lost_magics(data, offset, signature, magics)
    return Reading(FileKind.SPIFFS, (part,), findings=tuple(findings))


def lost_magics(data: bytes, offset: int, block: Superblock, magics: Sequence[bytes]) -> list[Finding]:
    """What comes of blocks without their magic: a mount gets over one, and erases it; over more it does not.

    Source: ``spiffs_obj_lu_scan`` in https://github.com/pellepl/spiffs/blob/master/src/spiffs_nucleus.c

    Args:
        data: What the file system lies in.
        offset: Its first byte.
        block: Its block size.
        magics: The magic that each block should have, as far as they are there.
    """
    places = [offset + number * block.block_size for number in range(len(magics))]
    lost = [
        (number, at)
        for number, (at, magic) in enumerate(zip(places, magics, strict=True))
        if data[at + MAGIC_OFFSET : at + MAGIC_OFFSET + len(magic)] != magic
    ]
    if not lost:
        return []
    number, start = lost[0]
    if len(lost) > 1:
        message = (
            f"{len(lost)} blocks have no right magic, the first is block {number}:"
            " no firmware mounts this file system, and most format it"
        )
        return [Finding(Severity.WARNING, MAGICS_LOST, message, start)]
    used = sum(
        data[at : at + 2] not in (b"\xff\xff", b"\0\0")
        for at in range(start, start + 2 * (block.block_size // _PAGE - 1), 2)
    )
    if not used:
        return []
    pages = f"{used} page{'' if used == 1 else 's'}"
    message = f"block {number} has no right magic: the next mount erases it, with {pages} of files"
    return [Finding(Severity.WARNING, "magic-lost", message, start)]


def read(data: bytes) -> Reading | None:
    """Read a file that is a SPIFFS image."""
    found = inside(data, 0, len(data))
    if found is None:
        return None
    tail, tail_findings = version1.trailing(data, found.parts[-1].end)
    # In a flash it may be a remnant; a file is made to be mounted.
    own = (
        finding._replace(severity=Severity.ERROR) if finding.code == MAGICS_LOST else finding
        for finding in found.findings
    )
    return Reading(FileKind.SPIFFS, (*found.parts, *tail), findings=(*own, *tail_findings))
