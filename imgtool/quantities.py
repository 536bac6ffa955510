"""Numbers of bytes, how often, and durations in words, for messages of all layers: nobody else spells them.

Not the parsing of sizes that users give: that is imgtool/cli/input/options.py.
"""

from __future__ import annotations

from typing import Final

__all__ = ["bytes_and_units", "capacity", "duration", "in_bytes", "times"]

_UNITS: Final = (("MB", 1 << 20), ("KB", 1 << 10))
_MINUTE: Final = 60


def in_bytes(count: int) -> str:
    """A number of bytes: ``1 byte``, ``4,096 bytes``."""
    return f"{count:,} byte{'' if count == 1 else 's'}"


def times(count: int) -> str:
    """How often: ``once``, ``1,042 times``."""
    return "once" if count == 1 else f"{count:,} times"


def bytes_and_units(count: int) -> str:
    """A number of bytes, and of KB or MB where that is round: ``4,096 bytes (4 KB)``."""
    rounded = _rounded(count)
    return in_bytes(count) if rounded is None else f"{in_bytes(count)} ({rounded})"


def capacity(size: int | None) -> str:
    """A capacity as people say it: ``4 MB``, bytes where it is not round; None is not known."""
    if size is None:
        return "unknown size"
    return _rounded(size) or in_bytes(size)


def duration(seconds: float) -> str:
    """A time as people say it: ``5.1 s``, ``2:05 min``."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole // _MINUTE}:{whole % _MINUTE:02d} min"


def _rounded(count: int) -> str | None:
    return next((f"{count // size} {unit}" for unit, size in _UNITS if count and count % size == 0), None)
