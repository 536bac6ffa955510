"""Deflate streams for tests of the stub, and what zlib says of them."""

from __future__ import annotations

import random
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The errors that the stub has for them.
DONE, NO_INPUT, NO_ROOM, DAMAGED = 0, 0xC8, 0xC9, 0xC7

STRATEGIES: Final = {
    "default": zlib.Z_DEFAULT_STRATEGY,
    "filtered": zlib.Z_FILTERED,
    "huffman only": zlib.Z_HUFFMAN_ONLY,
    "rle": zlib.Z_RLE,
    "fixed": zlib.Z_FIXED,
}
LENGTHS_ORDER: Final = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
LONGEST_DISTANCE: Final = 0x8000

# Streams that reach every verdict of zlib; most are those of its own test of inflate:
# https://github.com/madler/zlib/blob/v1.2.13/test/infcover.c
TABLE: Final = {
    "nothing": "",
    "stored, of no byte": "01 00 00 ff ff",
    "fixed, of no byte": "03 00",
    "stored, then the end": "00 01 00 fe ff 00 03 00",
    "stored, with a wrong inverse of its length": "00 00 00 00 00",
    "stored, cut in its length": "01 05 00 fa",
    "stored, cut in its content": "01 05 00 fa ff 68 65",
    "no such block type": "06",
    "too many length symbols": "fc 00 00",
    "too many distance symbols": "05 df 00",
    "incomplete code of code lengths": "04 00 fe ff",
    "code of code lengths without a code": "04 00 00 00 00 00 00 00 00 00",
    "repeats nothing": "04 00 24 49 00",
    "repeats beyond the end": "04 00 24 e9 ff ff",
    "no end of block": "04 00 24 e9 ff 6d",
    "over-full set of lengths": "04 80 49 92 24 49 92 24 71 ff ff 93 11 00",
    "over-full set of distances": "04 80 49 92 24 49 92 24 0f b4 ff ff c3 84",
    "no such literal": "04 c0 81 08 00 00 00 00 20 7f eb 0b 00 00",
    "no such distance": "02 7e ff ff",
    "too far back": "0c c0 81 00 00 00 00 00 90 ff 6b 04 00",
    "long repeats": "05 c0 21 0d 00 00 00 80 b0 fe 6d 2f 91 6c",
    "long codes": "05 e0 81 91 24 cb b2 2c 49 e2 0f 2e 8b 9a 47 56 9f fb fe ec d2 ff 1f",
    "long length": "ed c0 01 01 00 00 00 40 20 ff 57 1b 42 2c 4f",
    "long distance": "ed cf c1 b1 2c 47 10 c4 30 fa 6f 35 1d 01 82 59 3d fb be 2e 2a fc 0f 0c",
    "to the end of the window": "ed c0 81 00 00 00 00 80 a0 fd a9 17 a9" + " 00" * 14 + " 06",
}


class Reference(NamedTuple):
    """What zlib makes of a stream."""

    end: int
    output: bytes


def reference(stream: bytes, dictionary: bytes = b"") -> Reference:
    """zlib's verdict, and all that it gives out before."""
    unpacker = zlib.decompressobj(-15, zdict=dictionary)
    output = b""
    try:
        for byte in stream:
            output += unpacker.decompress(bytes((byte,)))
            if unpacker.eof:
                return Reference(DONE, output)
    except zlib.error:
        return Reference(DAMAGED, output)
    return Reference(NO_INPUT, output)


def endings(stream: bytes) -> list[bytes]:
    """How a stream that has been cut might go on."""
    return [stream + ending for ending in (bytes(400), b"\xff" * 400, random.Random(1).randbytes(400))]


def packed(data: bytes, level: int = 9, strategy: int = 0, bits: int = 15, dictionary: bytes = b"") -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -bits, 9, strategy, dictionary)
    return packer.compress(data) + packer.flush()


def samples() -> Iterator[tuple[str, bytes]]:
    """Contents that ask for every kind of code."""
    rng = random.Random(7)
    yield "noise", rng.randbytes(700)
    yield "one byte", b"\x41" * 1500
    yield (
        "text",
        b"".join(rng.choice((b"flash ", b"sector ", b"erase", b"\n", b"0x40100000")) for _ in range(250)),
    )
    # Frequencies that fall like Fibonacci's numbers make codes of 15 bits.
    skewed = b"".join(bytes((value,)) * max(1, round(1.55**value)) for value in range(18))
    yield "skewed", bytes(rng.sample(skewed, len(skewed)))
    yield "nothing", b""


class Bits:
    """A deflate stream, put together bit by bit."""

    def __init__(self) -> None:
        self._value = 0
        self._count = 0

    def put(self, value: int, count: int) -> None:
        """A field, its lowest bit first."""
        self._value |= value << self._count
        self._count += count

    def code(self, value: int, count: int) -> None:
        """A Huffman code, its highest bit first."""
        for bit in reversed(range(count)):
            self.put(value >> bit & 1, 1)

    def fixed(self, symbol: int) -> None:
        """A literal or length by the fixed code (RFC 1951, 3.2.6)."""
        first, code, count = next(
            row for row in ((280, 0xC0, 8), (256, 0, 7), (144, 0x190, 9), (0, 0x30, 8)) if symbol >= row[0]
        )
        self.code(code + symbol - first, count)

    def match(self, length: int, distance: int) -> None:
        """A reference by the fixed code."""
        self.field(257, length - 3, 2, 255)
        symbol, extra, count = _split(distance - 1, 1)
        self.code(symbol, 5)
        self.put(extra, count)

    def field(self, first: int, value: int, shift: int, last: int) -> None:
        symbol, extra, count = (28, 0, 0) if value == last else _split(value, shift)
        self.fixed(first + symbol)
        self.put(extra, count)

    def bytes(self) -> bytes:
        return self._value.to_bytes((self._count + 7) // 8, "little")


def _split(value: int, shift: int) -> tuple[int, int, int]:
    """Symbol, extra bits and their count, as RFC 1951, 3.2.5 has both lengths and distances."""
    extra = max(0, value.bit_length() - 1 - shift)
    return (extra << shift) + (value >> extra), value & (1 << extra) - 1, extra


def matches(pairs: Sequence[tuple[int, int]], literals: bytes = b"") -> bytes:
    """One fixed block: some literals, then references of these lengths and distances."""
    bits = Bits()
    bits.put(3, 3)
    for literal in literals:
        bits.fixed(literal)
    for length, distance in pairs:
        bits.match(length, distance)
    bits.fixed(256)
    return bits.bytes()


def dynamic(literals: Sequence[int], distances: Sequence[int], body: bytes) -> bytes:
    """A dynamic block whose codes have these lengths (0..15), and whose content is anything."""
    bits = Bits()
    bits.put(5, 3)
    bits.put(len(literals) - 257, 5)
    bits.put(len(distances) - 1, 5)
    bits.put(15, 4)
    # Sixteen codes of four bits each: every length, no repeats.
    for symbol in LENGTHS_ORDER:
        bits.put(4 if symbol < 16 else 0, 3)
    for length in (*literals, *distances):
        bits.code(length, 4)
    bits.put(int.from_bytes(body, "little"), 8 * len(body))
    return bits.bytes()
