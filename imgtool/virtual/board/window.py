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
        self._stale: list[tuple[int, int]] = []
        self._open: int | None = None

    def show(self, place: int | None) -> None:
        """Open the window at an address of the flash, a multiple of a megabyte, or close it."""
        self._refresh()
        if place is not None and place not in self._copies:
            self._copies[place] = bytearray(self._flash.read(place, _MEGABYTE))
        self._open = place
        self._core.map_window(place, None if place is None else self._copies[place])

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
