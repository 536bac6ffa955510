"""A flash of which only that is read which somebody asks for: a board's, at the far end of a slow line.

Not the reading: that is handed in.  What is written here stays here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LazyStore"]

_ERASED: Final = b"\xff"
_PAGE: Final = 0x100  # file systems read the first of each block, and go on from there
_MOST_AHEAD: Final = 0x100  # pages that are read at once for who reads on and on: the block of a device


class LazyStore:
    """A store that reads a page when it is first asked for.

    A page that is written over as a whole, or erased, is never read.

    Args:
        size: Bytes.
        read: Reads so many bytes from an address on; both are those of whole pages.

    Attributes:
        fetched: Bytes that were read.
        reads: How often something was.
        touched: Numbers of the sectors that were written.
    """

    def __init__(self, size: int, read: Callable[[int, int], bytes]) -> None:
        self.fetched = 0
        self.reads = 0
        self.touched: set[int] = set()
        self._read = read
        self._before = bytearray(_ERASED * size)
        self._data = bytearray(_ERASED * size)
        self._there = bytearray(-(-size // _PAGE))  # by page, 1 for what is known
        self._next = -1
        self._ahead = 1

    @property
    def size(self) -> int:
        """Its capacity in bytes."""
        return len(self._data)

    @property
    def before(self) -> bytes:
        """What was there at first, as far as it is known; the rest as erased."""
        return bytes(self._before)

    @property
    def content(self) -> bytes:
        """What is there now, likewise."""
        return bytes(self._data)

    def lay(self, address: int, data: bytes) -> None:
        """Have bytes there from the first; a page that they cover in part is read."""
        self._fetch_edges(address, len(data))
        for held in (self._before, self._data):
            held[address : address + len(data)] = data
        self._know(address, len(data))

    def at_hand(self, address: int, length: int, /) -> bool:
        """Whether nothing has to be read for these."""
        first, end = _pages(address, length)
        return self._there.find(0, first, end) < 0

    def read(self, address: int, length: int) -> bytes:
        """The ``length`` bytes from ``address`` on."""
        self._fetch(*_pages(address, length))
        return bytes(self._data[address : address + length])

    def write(self, address: int, data: bytes) -> None:
        """Replace the bytes from ``address`` on."""
        self._fetch_edges(address, len(data))
        self._data[address : address + len(data)] = data
        self._know(address, len(data))
        self.touched.update(range(address // SECTOR, (address + len(data) - 1) // SECTOR + 1))

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def _know(self, address: int, length: int) -> None:
        first, end = _pages(address, length)
        self._there[first:end] = b"\x01" * (end - first)

    def _fetch_edges(self, address: int, length: int) -> None:
        """Read the pages that a write leaves something of."""
        first, end = _pages(address, length)
        if address % _PAGE:
            self._fetch(first, first + 1)
        if (address + length) % _PAGE:
            self._fetch(end - 1, end)

    def _fetch(self, first: int, end: int) -> None:
        while (missing := self._there.find(0, first, end)) >= 0:
            # Who reads where the last read ended goes on, mostly, and each read takes a turn of the line.
            self._ahead = min(2 * self._ahead, _MOST_AHEAD) if missing == self._next else 1
            stop = max(end, missing + self._ahead)
            known = self._there.find(1, missing, stop)
            stop = min(known if known >= 0 else stop, missing + _MOST_AHEAD, len(self._there))
            start, size = missing * _PAGE, min(stop * _PAGE, self.size) - missing * _PAGE
            data = self._read(start, size)
            for held in (self._before, self._data):
                held[start : start + size] = data
            self._know(start, size)
            self.fetched += size
            self.reads += 1
            self._next = stop


def _pages(address: int, length: int) -> tuple[int, int]:
    """The first page of a stretch, and the one behind its last."""
    return address // _PAGE, -(-(address + length) // _PAGE)
