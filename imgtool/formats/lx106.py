"""What lx106 machine code looks like: enough to tell it from data, and whether two parts fit together.

Not a disassembler.  GCC for the lx106 uses the call0 ABI: a function that has a frame begins with ``addi a1,
a1, -N`` (bytes ``12 c1 NN``) and most end with ``ret.n`` (``0d f0``), padded with zeros to a multiple of 4.
Addresses are loaded from 32-bit literals between the functions, so the literals of one part name functions of
the other. The figures that the thresholds rest on: docs/formats/irom.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SAMPLE", "function_share", "looks_like_code", "pointers"]

_PROLOGUE: Final = b"\x12\xc1"
_RETURN: Final = b"\x0d\xf0"
SAMPLE: Final = 1 << 18
"""How many bytes are looked at."""

# Real code has 4.9 to 8.9 returns and 4.7 to 12.4 prologues per KiB; random bytes have 0.016 of each.
_PER_KIB: Final = 1.5
_LEAST: Final = 256


def looks_like_code(data: bytes) -> bool:
    """Whether the bytes hold as many function starts and returns as lx106 code does."""
    sample = data[:SAMPLE]
    if len(sample) < _LEAST:
        return False
    least = _PER_KIB * len(sample) / 1024
    return sample.count(_RETURN) >= least and sample.count(_PROLOGUE) >= least


def pointers(data: bytes, start: int, end: int, *, multiple: int = 4) -> frozenset[int]:
    """The distinct aligned words in ``data`` that are multiples of a number in ``[start, end)``.

    Args:
        data: Code, which begins at a whole word.
        start: The lowest address.
        end: The address behind the last, in the same 16 MiB.
        multiple: What the addresses are multiples of.
    """
    if start >= end:
        return frozenset()
    tops, thirds = data[3::4], data[2::4]
    last = end - 1
    marks = _marked(tops, start >> 24, last >> 24, len(tops))
    marks &= _marked(thirds, start >> 16 & 0xFF, last >> 16 & 0xFF, len(tops))
    hits = marks.to_bytes(len(tops), "little")
    found = set()
    position = hits.find(1)
    while position >= 0:
        word = int.from_bytes(data[4 * position : 4 * position + 4], "little")
        if start <= word < end and word % multiple == 0:
            found.add(word)
        position = hits.find(1, position + 1)
    return frozenset(found)


def _marked(values: bytes, low: int, high: int, count: int) -> int:
    """Which bytes are in ``[low, high]``: a one or a zero for each, as one number, at C speed."""
    table = bytes(low) + b"\1" * (high + 1 - low) + bytes(0xFF - high)
    return int.from_bytes(values[:count].translate(table), "little")


def function_share(addresses: Iterable[int], code: bytes, base: int) -> tuple[int, float]:
    """How many addresses lie in the code at ``base``, and which share of those begin a function."""
    inside = [address - base for address in addresses if base <= address < base + len(code)]
    starts = sum(_begins_function(code, offset) for offset in inside)
    return len(inside), starts / len(inside) if inside else 0.0


def _begins_function(code: bytes, offset: int) -> bool:
    # Leaf functions have no frame; but the function before them ends in a return within a word.
    return code.startswith(_PROLOGUE, offset) or _RETURN in code[max(0, offset - 5) : offset]
