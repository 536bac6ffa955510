"""Runs of one byte value: where fill begins and ends, found at C speed.

Erased flash reads 0xFF, and most of a flash image is erased flash.  Not a format by itself; see
regions/blank.py.
"""

from __future__ import annotations

from typing import Final

from imgtool.errors import FormatError

__all__ = ["ERASED", "LEAST_ERASED", "expect", "is_fill", "padded", "run_end", "run_start"]

ERASED: Final = 0xFF
"""What an erased flash cell reads as."""

LEAST_ERASED: Final = 0x1_0000
"""Bytes of erased flash behind a firmware that no build pads with."""

_CHUNK: Final = 1 << 14


def run_end(data: bytes, start: int, stop: int, value: int = ERASED) -> int:
    """First offset in ``[start, stop)`` that does not hold ``value``, the end of the data, or ``stop``."""
    fill = bytes([value])
    if stop - start > _CHUNK:  # comparing is ten times as fast as stripping
        whole = fill * _CHUNK
        while start + _CHUNK <= stop and data.startswith(whole, start):
            start += _CHUNK
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
    if stop - start > _CHUNK:  # likewise
        whole = fill * _CHUNK
        while stop - _CHUNK >= start and data.startswith(whole, stop - _CHUNK):
            stop -= _CHUNK
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


def expect(data: bytes, start: int, stop: int, value: int = ERASED) -> None:
    """Make sure that ``[start, stop)`` holds nothing but ``value``.

    Raises:
        FormatError: Another byte stands there, the data ends there, or ``start`` lies behind ``stop``;
            carries the offset.
    """
    if start > stop:
        message = "a part reaches into the next one"
        raise FormatError(message, offset=stop, expected=f"its end by 0x{stop:05x}", found=f"0x{start:05x}")
    end = run_end(data, start, stop, value)
    if end < stop:
        found = f"0x{data[end]:02x}" if end < len(data) else "the end of the data"
        raise FormatError("not all bytes are fill", offset=end, expected=f"0x{value:02x}", found=found)


def padded(data: bytes, size: int, message: str, *, value: int = ERASED) -> bytes:
    """The bytes, and fill behind them up to a size.

    Raises:
        FormatError: They are more than that; with this message.
    """
    if len(data) > size:
        expected, found = f"at most {size:,} bytes", f"{len(data):,} bytes"
        raise FormatError(message, offset=size, expected=expected, found=found)
    return data.ljust(size, bytes([value]))
