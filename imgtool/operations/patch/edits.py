"""Edits of a file: which bytes change, and what that means, each with its old and its new value.

Values only.  Which edits there are is decided in steps.py and the modules that it calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Difference", "Edit", "applied", "differences", "hex_words"]

_SHOWN: Final = 8  # bytes of a value
_LONG: Final = 4096
_ERASED: Final = b"\xff"


@dataclass(frozen=True, slots=True)
class Edit:
    """One field of a file with another value.

    Attributes:
        offset: Where its bytes are.
        data: The new bytes; empty where another edit holds them, as for a page that is rebuilt.
        field: Its name.
        old: Its value before, in words.
        new: Its value afterwards.
        follows: Whether it follows from other edits and was not asked for.
    """

    offset: int
    data: bytes
    field: str
    old: str
    new: str
    follows: bool = False

    @property
    def end(self) -> int:
        """Offset behind its bytes."""
        return self.offset + len(self.data)


@dataclass(frozen=True, slots=True)
class Difference:
    """A run of bytes that are not what they were; ``old`` is shorter where the file grew."""

    offset: int
    old: bytes
    new: bytes


def applied(data: bytes, edits: Sequence[Edit]) -> bytes:
    """The bytes with the edits made, in their order; where one reaches behind the end, the file grows."""
    end = max((edit.end for edit in edits), default=0)
    changed = bytearray(data.ljust(end, _ERASED))
    for edit in edits:
        changed[edit.offset : edit.end] = edit.data
    return bytes(changed)


def differences(old: bytes, new: bytes, edits: Sequence[Edit]) -> tuple[Difference, ...]:
    """What the edits made different, in file order: exact runs, but a long edit as one."""
    return tuple(_differences(old, new, edits))


def _differences(old: bytes, new: bytes, edits: Sequence[Edit]) -> Iterator[Difference]:
    for start, stop in _joined(edits):
        if stop - start > _LONG:
            if old[start:stop] != new[start:stop]:
                yield Difference(start, old[start:stop], new[start:stop])
            continue
        changed = (n for n in range(start, stop) if old[n : n + 1] != new[n : n + 1])
        for _, run in groupby(enumerate(changed), lambda pair: pair[1] - pair[0]):
            places = [place for _, place in run]
            first, end = places[0], places[-1] + 1
            yield Difference(first, old[first:end], new[first:end])


def _joined(edits: Sequence[Edit]) -> Iterator[tuple[int, int]]:
    """The stretches that the edits write, ascending, those that touch joined."""
    start = stop = -1
    for edit in sorted((edit for edit in edits if edit.data), key=lambda edit: edit.offset):
        if edit.offset > stop:
            if stop > start:
                yield start, stop
            start, stop = edit.offset, edit.end
        stop = max(stop, edit.end)
    if stop > start:
        yield start, stop


def hex_words(block: bytes) -> str:
    """Bytes as the value of a field: the first of them in hex."""
    return block[:_SHOWN].hex(" ") + (" ..." if len(block) > _SHOWN else "")
