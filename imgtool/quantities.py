"""Numbers of bytes in words, for messages of all layers: the only place that spells them.

Not the parsing of sizes that users give: that is imgtool/cli/input/options.py.
"""

from __future__ import annotations

from typing import Final

__all__ = ["bytes_and_units", "capacity", "in_bytes"]

_UNITS: Final = (("MB", 1 << 20), ("KB", 1 << 10))


def in_bytes(count: int) -> str:
    """A number of bytes: ``1 byte``, ``4,096 bytes``."""
    return f"{count:,} byte{'' if count == 1 else 's'}"


def bytes_and_units(count: int) -> str:
    """A number of bytes, and of KB or MB where that is round: ``4,096 bytes (4 KB)``."""
    rounded = _rounded(count)
    return in_bytes(count) if rounded is None else f"{in_bytes(count)} ({rounded})"


def capacity(size: int | None) -> str:
    """A capacity as people say it: ``4 MB``, bytes where it is not round; None is not known."""
    if size is None:
        return "unknown size"
    return _rounded(size) or in_bytes(size)


def _rounded(count: int) -> str | None:
    return next((f"{count // size} {unit}" for unit, size in _UNITS if count and count % size == 0), None)
