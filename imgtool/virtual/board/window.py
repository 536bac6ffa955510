"""The window of the flash: the megabyte of it that the cache shows to the processor.

Not the cache: what it would hold is never stale here, and a look through it takes no time.  Which megabyte it
is: real firmware under the boot ROM, and the ROM's Cache_Read_Enable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from imgtool.virtual.chip.nor import NorFlash, Operation
    from imgtool.virtual.cpu.full_core import FullCore

__all__ = ["FlashWindow"]

_MEGABYTE: Final = 0x10_0000
_PAGE: Final = 0x1000
_WORD: Final = 4


class _DistantWords:
    """The words of a megabyte that is read page by page, as the processor comes there."""

    def __init__(self, flash: NorFlash, place: int) -> None:
        self.content = bytearray(_MEGABYTE)
        self._flash = flash
        self._place = place
        self._missing = bytearray(b"\x01" * (_MEGABYTE // _PAGE))
        self._words = memoryview(self.content).cast("I")
        self.bytes = _DistantBytes(self)

    def __getitem__(self, index: int) -> int:
        if self._missing[index * _WORD // _PAGE]:
            self.need(index * _WORD, _WORD)
        return self._words[index]

    def need(self, start: int, size: int) -> None:
        """Read the pages of these bytes, where that has not been done."""
        for page in range(start // _PAGE, min((start + size - 1) // _PAGE + 1, len(self._missing))):
            if self._missing[page]:
                self._missing[page] = 0
                at = page * _PAGE
                self.content[at : at + _PAGE] = self._flash.read(self._place + at, _PAGE)


class _DistantBytes:
    """The same, for who takes bytes out of it."""

    def __init__(self, words: _DistantWords) -> None:
        self._words = words

    def __getitem__(self, part: slice) -> bytearray:
        start, stop, _ = part.indices(_MEGABYTE)
        self._words.need(start, stop - start)
        return self._words.content[part]


class FlashWindow:
    """What the core sees of the flash.

    Args:
        core: The processor.
        flash: The flash.
    """

    def __init__(self, core: FullCore, flash: NorFlash) -> None:
        self._core = core
        self._flash = flash
        self._copies: dict[int, bytearray] = {}
        self._distant: dict[int, _DistantWords] = {}
        self._stale: list[tuple[int, int]] = []
        self._open: int | None = None

    def show(self, place: int | None) -> None:
        """Open the window at an address of the flash, a multiple of a megabyte, or close it."""
        self._refresh()
        if place is not None and place not in self._copies:
            self._copies[place] = self._copy(place)
        self._open = place
        distant = None if place is None else self._distant.get(place)
        if place is not None and distant is not None:
            self._core.map_window(place, distant.bytes, distant)
        else:
            self._core.map_window(place, None if place is None else self._copies[place])

    def _copy(self, place: int) -> bytearray:
        if self._flash.at_hand(place, _MEGABYTE):
            return bytearray(self._flash.read(place, _MEGABYTE))
        self._distant[place] = _DistantWords(self._flash, place)
        return self._distant[place].content

    def changed(self, operation: Operation) -> None:
        """The flash has begun a program or an erase."""
        self._stale.append((operation.address, operation.size))
        if self._open is not None:
            self._refresh()

    def _refresh(self) -> None:
        for address, size in self._stale:
            for place, copy in self._copies.items():
                self._refresh_copy(place, copy, address, size)
        self._stale.clear()

    def _refresh_copy(self, place: int, copy: bytearray, address: int, size: int) -> None:
        # A flash of less than a megabyte is seen several times.
        for shift in range(0, _MEGABYTE, min(_MEGABYTE, self._flash.length)):
            base = place % self._flash.length
            start = max(0, address - base) + shift
            end = min(_MEGABYTE, address + size - base + shift)
            if address + size > base and start < end:
                copy[start:end] = self._flash.read(place + start, end - start)
                self._core.window_changed(place, start, end - start)
