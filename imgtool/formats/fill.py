"""Runs of one byte value: where fill begins and ends, found at C speed.

Erased flash reads 0xFF, and most of a flash image is erased flash.  Not a format by itself; see blank.py.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ERASED", "is_fill", "run_end", "run_start"]

ERASED: Final = 0xFF
"""What an erased flash cell reads as."""

_CHUNK: Final = 1 << 14


def run_end(data: bytes, start: int, stop: int, value: int = ERASED) -> int:
    """First offset in ``[start, stop)`` that does not hold ``value``, the end of the data, or ``stop``."""
    fill = bytes([value])
    while start < stop:
        chunk = data[start : min(start + _CHUNK, stop)]
        left = len(chunk.lstrip(fill))
        if left or not chunk:  # an empty chunk: the data ends before stop
            return start + len(chunk) - left
        start += len(chunk)
    return stop


def run_start(data: bytes, start: int, stop: int, value: int = ERASED) -> int:
    """Where the run of ``value`` that ends at ``stop`` begins, from ``start`` on; ``stop`` if none does."""
    fill = bytes([value])
    while stop > start:
        low = max(start, stop - _CHUNK)
        left = len(data[low:stop].rstrip(fill))
        if left:
            return low + left
        stop = low
    return start


def is_fill(data: bytes, start: int, stop: int, value: int = ERASED) -> bool:
    """Whether ``[start, stop)`` holds nothing but ``value`` (true for an empty stretch)."""
    return run_end(data, start, stop, value) == stop
