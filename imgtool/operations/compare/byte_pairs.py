"""Two stretches of bytes: how many differ, where first, and in which direction the bits went.

At C speed, by way of long integers: a flash has up to 16 MB.  Not what the bytes mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["bit_changes", "difference", "differing_sectors"]

_CHUNK: Final = 1 << 16


def _chunks(a: bytes, b: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """The chunks that differ, as far as both go."""
    size = min(len(a), len(b))
    for start in range(0, size, _CHUNK):
        stop = min(start + _CHUNK, size)
        one, two = a[start:stop], b[start:stop]
        if one != two:
            yield start, one, two


def _number(block: bytes) -> int:
    return int.from_bytes(block, "big")


def difference(a: bytes, b: bytes) -> tuple[int, int | None]:
    """How many bytes differ, with those that only one has, and the offset of the first; None for none."""
    count, first = 0, None
    for start, one, two in _chunks(a, b):
        changed = (_number(one) ^ _number(two)).to_bytes(len(one), "big")
        count += len(one) - changed.count(0)
        if first is None:
            first = start + len(changed) - len(changed.lstrip(b"\0"))
    over = abs(len(a) - len(b))
    if over and first is None:
        first = min(len(a), len(b))
    return count + over, first


def bit_changes(a: bytes, b: bytes) -> tuple[int, int]:
    """How many bits went from 1 in A to 0 in B, and how many from 0 to 1, as far as both go."""
    cleared = raised = 0
    for _, one, two in _chunks(a, b):
        old, new = _number(one), _number(two)
        changed = old ^ new
        cleared += (changed & old).bit_count()
        raised += (changed & new).bit_count()
    return cleared, raised


def differing_sectors(a: bytes, b: bytes, offset: int) -> tuple[int, ...]:
    """The starts of the flash sectors that differ in stretches which begin at ``offset``."""
    size = max(len(a), len(b))
    starts = range(offset - offset % SECTOR, offset + size, SECTOR)
    return tuple(
        start
        for start in starts
        if a[max(0, start - offset) : start + SECTOR - offset]
        != b[max(0, start - offset) : start + SECTOR - offset]
    )
