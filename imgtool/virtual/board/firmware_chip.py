"""A virtual ESP8266 that runs the firmware's own code, from the boot ROM's first instruction on.

Not the chip's parts (peripherals.py), and not the download mode: that is the virtual chip's, as without a
ROM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.chip import ROM_BASE, ROM_SIZE
from imgtool.virtual.board.peripherals import Board, Parts
from imgtool.virtual.chip.boot import ResetCause
from imgtool.virtual.chip.machine import Activity, Stop, VirtualChip
from imgtool.virtual.chip.nor import PowerCut
from imgtool.virtual.cpu.full_core import NoRomError

if TYPE_CHECKING:
    from imgtool.virtual.board.boot_rom import BootRom
    from imgtool.virtual.chip.machine import Setup
    from imgtool.virtual.chip.nor import Operation

__all__ = ["FirmwareChip"]

_SLICE: Final = 40_000  # instructions between two looks at the line
_STRETCH_NS: Final = 1_000_000_000
_WAKE_FLASH: Final = b"\xab"
_WORD_SIZE: Final = 4
_ROM: Final = range(ROM_BASE, ROM_BASE + ROM_SIZE, _WORD_SIZE)


class FirmwareChip(VirtualChip):
    """The virtual chip with a boot ROM: a boot from flash runs what is there.

    Args:
        setup: What it is made of.
        rom: The boot ROM; None for functions of the project's own writing.

    Attributes:
        board: What firmware runs on.
        missing: What of the ROM firmware has needed that is not there: it has stopped since.
    """

    def __init__(self, setup: Setup | None, rom: BootRom | None) -> None:
        super().__init__(setup)
        parts = Parts(uart=self.uart, flash=self.flash, spi=self.spi, efuses=self._efuses())
        self.board = Board(rom, self, parts)
        self._rom = None if rom is None else rom.content
        self.missing: NoRomError | None = None

    def skip_to(self, moment: int) -> None:
        """Let time pass in which the processor does nothing."""
        self._skip_to(moment)

    def _operated(self, operation: Operation) -> None:
        super()._operated(operation)
        self.board.window.changed(operation)

    def read(self, address: int, size: int) -> int:
        """What lies outside RAM, for the core of the download mode: there a word of the ROM is what it is.

        Raises:
            Trap: There is nothing, or it is not emulated.
        """
        if self._rom is not None and size == _WORD_SIZE and address in _ROM:
            offset = address - ROM_BASE
            return int.from_bytes(self._rom[offset : offset + _WORD_SIZE], "little")
        return super().read(address, size)

    def boot_flash(self, *, continued: bool = False) -> None:
        """Start at the ROM's reset vector, with the pins set for a boot from flash.

        Args:
            continued: Whether the loader was left for it, rather than the chip reset.  The ROM's code starts
                anew all the same, and says who it is.
        """
        del continued
        self.activity = Activity.FIRMWARE
        self.missing = None
        self._work_with(self.board.core)
        self.flash.attached = True
        self.uart.set_clock_at_reset()
        if self.reset_cause is ResetCause.DEEP_SLEEP:
            # SDKs have sent the flash to sleep, too, and the ROM has no word for it: that something wakes it
            # is inferred from boards that wake.
            self.flash.transact(self.now, _WAKE_FLASH, 0)
        self.board.reset(int(self.reset_cause))

    def _stop_everything(self) -> None:
        super()._stop_everything()
        self._work_with(self.core)

    def _step(self, until: int | None) -> Stop | None:
        if self.activity is not Activity.FIRMWARE or self._strap_at is not None:
            return super()._step(until)
        self.listen()
        board = self.board
        if board.resets is not None:
            return self._wait_for_reset(board.resets.at, until)
        end = min(self._break_at(), self.now + _STRETCH_NS)
        try:
            waits = board.run(end, _SLICE)
        except PowerCut:
            self._power_cut()
            return None
        except NoRomError as error:
            self.missing = error
            return self._idle()
        if not waits:
            return None
        return self._wait_until(board.next_event(), until)

    def _wait_for_reset(self, moment: int | None, until: int | None) -> Stop | None:
        if moment is None:
            return self._idle()
        if self.now < moment:
            return self._wait_until(moment, until)
        assert self.board.resets is not None  # noqa: S101 (that is why we are here)
        self._reset(ResetCause(self.board.resets.cause), download=self._strapped_for_download())
        return None
