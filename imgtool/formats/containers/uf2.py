"""UF2: blocks of 512 bytes with up to 476 bytes of data and their address each, for drag-and-drop flashing.

esptool writes it; the boot ROM does not read it.  The contents are not judged here; they are laid out and
read in their turn.

Source: https://github.com/microsoft/uf2/blob/master/README.md; see docs/formats/uf2.md.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from construct import Bytes, Const, ConstructError, Int32ul, Struct

from imgtool.formats.containers.blocks import Block, RecordScan, Runs, error, merged, reading_of, too_large
from imgtool.formats.reading import FileKind, Finding, Reading, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from construct import Construct

__all__ = ["FAMILY", "build", "parse", "read"]

FAMILY: Final = 0x7EAB_61ED
"""The ESP8266 in the list of families."""

_ROOM: Final = 476
_BLOCK = Struct(
    "magic_0" / Const(0x0A32_4655, Int32ul),
    "magic_1" / Const(0x9E5D_5157, Int32ul),
    "flags" / Int32ul,
    "address" / Int32ul,
    "size" / Int32ul,
    "number" / Int32ul,
    "count" / Int32ul,  # esptool counts each input file anew
    "family" / Int32ul,  # file size where flag 0x2000 is not set
    "data" / Bytes(_ROOM),
    "magic_end" / Const(0x0AB1_6F30, Int32ul),
)
_MD5 = Struct(  # esptool writes it right behind the data, the specification into the last bytes of the room
    "address" / Int32ul,
    "size" / Int32ul,
    "digest" / Bytes(16),
)
_MAGIC: Final = b"UF2\nWQ]\x9e"
_NOT_FLASH: Final = 0x0001
_CONTAINER: Final = 0x1000
_HAS_FAMILY: Final = 0x2000
_HAS_MD5: Final = 0x4000
_PAYLOAD: Final = 256


@cache
def _compiled() -> Construct[Any, Any]:
    # Five times as fast, which counts here: a full flash has 65,536 blocks.
    return _BLOCK.compile()


def parse(data: bytes) -> tuple[Block, ...]:
    """Read the data of a file: ascending, neighbours joined.

    Raises:
        FormatError: A block is damaged or missing, its MD5 is wrong, it is for another chip, two hold the
            same address, or the file ends inside a block.
    """
    return _scan(data).unwrap()


def build(blocks: Iterable[Block], *, md5: bool = False) -> bytes:
    """The blocks with 256 bytes of data each, numbered through, for the ESP8266.

    Args:
        blocks: What to write.
        md5: Whether each block carries the MD5 of its data.

    Raises:
        FormatError: Two blocks hold the same address, or one leaves the 32-bit address space.
    """
    chunks = [
        Block(block.address + offset, block.data[offset : offset + _PAYLOAD])
        for block in merged(blocks)
        for offset in range(0, len(block.data), _PAYLOAD)
    ]
    flags = _HAS_FAMILY | (_HAS_MD5 if md5 else 0)
    return b"".join(
        _BLOCK.build(
            {
                "flags": flags,
                "address": chunk.address,
                "size": len(chunk.data),
                "number": number,
                "count": len(chunks),
                "family": FAMILY,
                "data": (chunk.data + (_md5_of(chunk) if md5 else b"")).ljust(_ROOM, b"\0"),
            }
        )
        for number, chunk in enumerate(chunks)
    )


def _md5_of(chunk: Block) -> bytes:
    digest = hashlib.md5(chunk.data, usedforsecurity=False).digest()
    return _MD5.build({"address": chunk.address, "size": len(chunk.data), "digest": digest})


def read(data: bytes) -> Reading | None:
    """Read a file that begins with the magics of a UF2 block."""
    if not data.startswith(_MAGIC):
        return None
    return reading_of(FileKind.UF2, "UF2", data, _scan(data))


def _scan(data: bytes) -> RecordScan:
    return too_large(data) or _blocks(data)


def _blocks(data: bytes) -> RecordScan:
    runs = Runs()
    notes: list[Finding] = []
    following, count = 0, 0  # number of the next block, and how many its run has
    step = _BLOCK.sizeof()
    for offset in range(0, len(data), step):
        where = f"block {offset // step}"
        if len(data) - offset < step:
            problem = error("cut", f"{where} is cut short: {len(data) - offset} of {step} bytes", offset)
            return runs.scan(problem, tuple(notes), {})
        try:
            fields = _compiled().parse(data[offset : offset + step])
        except ConstructError:
            problem = error("block", f"{where} does not have the format's magic numbers", offset)
            return runs.scan(problem, tuple(notes), {})
        if following == count:
            following, count = 0, fields.count
        if (fields.number, fields.count) != (following, count):
            message = (
                f"{where} is number {fields.number:,} of {fields.count:,}, not {following:,} of {count:,}"
            )
            return runs.scan(error("missing", message, offset), tuple(notes), {})
        following += 1
        room = _ROOM - (_MD5.sizeof() if fields.flags & _HAS_MD5 else 0)
        problem_found = _judge(fields.flags, fields.family, fields.size, room, where)
        if problem_found is not None:
            code, message = problem_found
            return runs.scan(error(code, message, offset), tuple(notes), {})
        if fields.flags & _NOT_FLASH:
            continue
        if not fields.flags & _HAS_FAMILY and not notes:
            message = "the file does not say which chip it is for"
            notes.append(Finding(Severity.NOTE, "no-family", message, offset))
        block = Block(fields.address, fields.data[: fields.size])
        if fields.flags & _HAS_MD5 and not _md5_holds(block, fields.data):
            return runs.scan(error("md5", f"{where}: its MD5 does not match", offset), tuple(notes), {})
        runs.add(block.address, block.data)
    missing = error("cut", f"the file ends with block {following:,} of {count:,}", len(data))
    return runs.scan(missing if following != count else None, tuple(notes), {})


def _judge(flags: int, family: int, size: int, room: int, where: str) -> tuple[str, str] | None:
    if flags & _HAS_FAMILY and family != FAMILY:
        return (
            "family",
            f"{where} is for another chip: its family is 0x{family:08x}, the ESP8266's 0x{FAMILY:08x}",
        )
    if flags & _CONTAINER:
        return "container", f"{where} belongs to a named file; only flash contents are read"
    if size > room:
        return "block", f"{where} states {size:,} bytes of data, there is room for {room}"
    return None


def _md5_holds(block: Block, room: bytes) -> bool:
    """Whether the MD5 part is right, as far as it speaks of this block alone.

    By the specification it may cover a longer stretch of flash, other files' data included.  That cannot be
    checked here.
    """
    for place in (len(block.data), _ROOM - _MD5.sizeof()):
        fields = _MD5.parse(room[place : place + _MD5.sizeof()])
        if (fields.address, fields.size) == (block.address, len(block.data)):
            digest: bytes = fields.digest
            return digest == hashlib.md5(block.data, usedforsecurity=False).digest()
    return True
