"""What imgtool's own stub is asked in a way of its own: the requests as bytes, and what their answers mean.

Not the exchange of them, nor what is done with them (imgtool.device.own_stub).  docs/stub.md has the
protocol; what it shares with Espressif's stubs is in imgtool.device.protocol.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.device import protocol
from imgtool.device.flash_chip import BLOCK
from imgtool.device.protocol import Command, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imgtool.device.protocol import Reply

__all__ = [
    "ANSWER",
    "DEFLATED",
    "ERASED",
    "FRAME",
    "WHOLE_BLOCK",
    "StubInfo",
    "StubRead",
    "info_of",
    "info_request",
    "own_request",
    "reads_of",
    "rows_of",
    "words_of",
    "write_request",
]

DEFLATED: Final = 1
"""WRITE: what follows is a raw deflate stream."""

ERASED: Final = 1 << 8
"""WRITE: the sectors are erased already."""

WHOLE_BLOCK: Final = 1 << 9
"""WRITE: all of its block of 64 KB will be written."""

FRAME: Final = 0x1000
"""Plain bytes of a frame, and of a block that is read: several fit into the ring."""

ANSWER: Final = 5.0
"""Seconds until an answer must be there."""

_INFO: Final = struct.Struct("<6I")
_UNIT: Final = 0x100  # of a dictionary's length
_WORD: Final = 4  # reads are of whole ones
_CHECKED: Final = 16  # bytes of data that the check word covers; the rest of a write has a CRC of its own


class StubInfo(NamedTuple):
    """What the stub says of itself.

    Attributes:
        magic: ``IMG2``; its last character is the version of the protocol.
        ring: Bytes that may be under way to it.
        largest: Bytes of data in a frame, at most.
        flash_id: The flash's ID as it reads it; byte 0 is the manufacturer, byte 3 anything.
        failures: Bits of its self-check, 0 if all is good.
        overruns: How often bytes were lost since its start.
    """

    magic: int
    ring: int
    largest: int
    flash_id: int
    failures: int
    overruns: int

    @property
    def flash_bytes(self) -> bytes:
        """The flash's ID as it comes from the flash: three bytes."""
        return self.flash_id.to_bytes(4, "little")[:3]


def words_of(*values: int) -> bytes:
    """The data of a request: words of 32 bits."""
    return struct.pack(f"<{len(values)}I", *values)


def own_request(
    command: Command, data: bytes = b"", *, timeout: float = ANSWER, attempts: int = 3, answer: int = 0
) -> Request:
    """A request with the check word that the stub wants: over its header and its arguments.

    Args:
        command: From INFO on.
        data: Its data.
        timeout: Seconds until the answer must be there.
        attempts: How often it may be sent.
        answer: Bytes of the answer's data.
    """
    head = struct.pack("<BBH", 0, command, len(data))
    check = zlib.crc32(head + data[:_CHECKED])
    return Request(command, data, check, timeout=timeout, attempts=attempts, answer=answer)


def write_request(
    address: int, plain: bytes, flags: int = 0, history: bytes = b"", *, deflated: bool = False
) -> Request:
    """A write, compressed where that is less and may be.

    Args:
        address: Of its first byte: that of a sector.
        plain: Bytes; a multiple of 256.
        flags: Of the method.
        history: What the flash holds right before it, as far as it is to be referred to.
        deflated: Whether the stub can inflate: its late code is loaded.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, history)
    packed = packer.compress(plain) + packer.flush() if deflated else plain
    if len(packed) < len(plain):
        flags |= DEFLATED | len(history) // _UNIT << 16
    else:
        packed = plain
    timeout = protocol.erase_region(0, BLOCK if flags & WHOLE_BLOCK else FRAME).timeout
    head = words_of(address, len(plain), zlib.crc32(plain), flags)
    return own_request(Command.WRITE_FRAME, head + packed, timeout=timeout)


def info_request(*, timeout: float = ANSWER) -> Request:
    """Asks the stub for what it says of itself."""
    return own_request(Command.INFO, timeout=timeout, answer=_INFO.size)


def info_of(reply: Reply) -> StubInfo:
    """What the answer to :func:`info_request` says."""
    return StubInfo(*_INFO.unpack(reply.data))


class StubRead(NamedTuple):
    """Bytes of the flash that are asked for; the stub gives whole words.

    Attributes:
        address: Of the first byte.
        size: Bytes of each piece.
        step: From one piece to the next, in whole words.
        pieces: How many.
    """

    address: int
    size: int
    step: int = 0
    pieces: int = 1

    @property
    def start(self) -> int:
        """Where the words of the first piece begin."""
        return self.address // _WORD * _WORD

    @property
    def whole(self) -> int:
        """Bytes of the words of a piece."""
        return -(-(self.address + self.size) // _WORD) * _WORD - self.start

    def request(self) -> Request:
        """Asks for the words."""
        words = words_of(self.start, self.whole, self.step, self.pieces)
        return own_request(Command.READ_BLOCK, words, answer=self.whole * self.pieces)

    def part_of(self, reply: Reply) -> bytes:
        """The bytes out of the words, one piece behind the other."""
        first = self.address - self.start
        starts = (first + number * self.whole for number in range(self.pieces))
        return b"".join(reply.data[at : at + self.size] for at in starts)


def reads_of(address: int, size: int) -> Iterator[StubRead]:
    """Reads of a stretch, by blocks; all but the first begin at a word."""
    end = address + size
    while address < end:
        count = min(FRAME - address % _WORD, end - address)
        yield StubRead(address, count)
        address += count


def rows_of(stretches: Iterable[tuple[int, int]]) -> list[StubRead]:
    """Reads of short stretches, by as few as a look at each finds: always the longest row from the lowest on.

    Args:
        stretches: Addresses and bytes, a sector at most.

    Returns:
        Rows of stretches of one size that lie equally far apart, each a frame's length at most.
    """
    places: dict[int, set[int]] = {}
    for address, size in stretches:
        places.setdefault(size, set()).add(address)
    rows: list[StubRead] = []
    for size, left in places.items():
        while left:
            first = min(left)
            steps = (address - first for address in sorted(left) if (address - first) % _WORD == 0)
            row = max((_row(first, size, step, left) for step in steps), key=lambda row: row.pieces)
            left -= {first + number * row.step for number in range(row.pieces)}
            rows.append(row)
    return rows


def _row(first: int, size: int, step: int, places: set[int]) -> StubRead:
    """The read of what begins at these places from the first on, at every step: a frame at most."""
    row = StubRead(first, size, step)
    most = FRAME // max(row.whole, 1) if step else 1
    while row.pieces < most and first + row.pieces * step in places:
        row = row._replace(pieces=row.pieces + 1)
    return row
