"""An ESP8266 of which the boot ROM's own code runs, in imgtool's core: what a real chip answers.

The code is Espressif's and not here.  Who has a dump of it (docs/virtual/boot-rom.md names a public one) sets
``IMGTOOL_BOOT_ROM`` to its path.  It is executed from the reset vector on, over imgtool's UART, SPI
controller and flash.  Emulated are interrupts (who attaches one, and the dispatcher), the delay in
microseconds, and the counters with which the UART measures a speed.  The rest is as the chip has it.

Not for tests without that file: those have its observations, in ``fixtures/boot_rom``.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from imgtool.virtual.chip.machine import Activity, VirtualChip
from imgtool.virtual.chip.rom import INTERRUPT_RETURN
from imgtool.virtual.chip.uart import APB_HZ, AUTOBAUD, Uart
from imgtool.virtual.cpu.core import DRAM_BASE, ROM, Core, Trap
from tests.support import BOOT_ROM

if TYPE_CHECKING:
    from imgtool.virtual.chip.boot import ResetCause
    from imgtool.virtual.chip.machine import Setup

VARIABLE: Final = "IMGTOOL_BOOT_ROM"
DIGEST: Final = "32f199bf10da9a08c6c4e1b556b29c7606656b8a6d04e4f17d5afa74e5d98c68"
"""SHA-256 of the ROM, the same in every ESP8266 that was read."""

RESET_VECTOR: Final = 0x4000_0080

# ets_intr_lock, ets_intr_unlock, ets_isr_attach, ets_isr_mask, ets_isr_unmask, ets_delay_us
_EMULATED: Final = frozenset(
    (0x4000_0F74, 0x4000_0F80, 0x4000_0F88, 0x4000_0F98, 0x4000_0FA8, 0x4000_2ECC, INTERRUPT_RETURN)
)
_WORD: Final = 4
_STRAPS: Final = 0x6000_0318
_RESET_CAUSE: Final = 0x6000_0714
_DOWNLOAD, _FLASH_BOOT, _SDIO_PINS = 1, 3, 6
_EXTERNAL: Final = 2

_LOW_PULSE, _HIGH_PULSE, _EDGES = 0x28, 0x2C, 0x30
_MOST_EDGES: Final = 0x3FF
_MEASURED_SHORT: Final = 11  # clocks by which a pulse is measured too short; the ROM adds 12


@lru_cache(maxsize=1)
def boot_rom() -> bytes:
    """The ROM's 65,536 bytes; empty where the variable is not set.

    Raises:
        ValueError: The file is another one.
    """
    name = BOOT_ROM
    if not name:
        return b""
    rom = Path(name).read_bytes()
    if hashlib.sha256(rom).hexdigest() != DIGEST:
        raise ValueError(f"{VARIABLE} names a file that is no dump of the ESP8266's boot ROM")
    return rom


class RomCore(Core):
    """The core, with the ROM's code in it."""

    def _code_at(self, address: int) -> bytes:
        if address not in ROM:
            return super()._code_at(address)
        offset = address - ROM.start
        return b"" if address in _EMULATED else boot_rom()[offset : offset + 3]

    def _literal_at(self, address: int) -> int | None:
        return _rom_word(address) if address in ROM else super()._literal_at(address)


def _rom_word(address: int) -> int:
    offset = address - ROM.start
    return int.from_bytes(boot_rom()[offset : offset + _WORD], "little")


class MeasuringUart(Uart):
    """The UART with the counters that the ROM measures the host's speed by.

    What comes while it measures is not received: the ROM looks at the line only afterwards.
    """

    def arrive(self, data: bytes, start: int, baud: int | None) -> int:
        """Put bytes on the line, or have them measured."""
        if not self._plain[AUTOBAUD] & 1:
            return super().arrive(data, start, baud)
        pulse = round(APB_HZ / (baud or self.baud)) - _MEASURED_SHORT
        self._plain[_LOW_PULSE] = self._plain[_HIGH_PULSE] = pulse
        edges = self._plain[_EDGES] + sum(_edges_of(byte) for byte in data)
        self._plain[_EDGES] = min(_MOST_EDGES, edges)
        return start + len(data) * 10_000_000_000 // (baud or self.baud)


def _edges_of(byte: int) -> int:
    """Changes of level in a byte between its start bit and its stop bit, from an idle line on."""
    levels = byte << 1 | 1 << 9
    return 1 + ((levels ^ levels >> 1) & 0x1FF).bit_count()


class RomChip(VirtualChip):
    """The virtual ESP8266 on which the boot ROM itself runs, and neither its emulated loader nor its boot."""

    core_type = RomCore
    uart_type = MeasuringUart

    def __init__(self, setup: Setup | None = None) -> None:
        if not boot_rom():
            raise ValueError(f"{VARIABLE} is not set")
        self._boots_from = _DOWNLOAD
        super().__init__(setup)

    def _reset(self, cause: ResetCause, *, download: bool) -> None:
        self._stop_everything()
        self.reset_cause = cause
        self.resets[cause.name.lower()] = self.resets.get(cause.name.lower(), 0) + 1
        self._boots_from = _DOWNLOAD if download else _FLASH_BOOT
        core = self.core
        core.a[:] = [0] * len(core.a)
        core.pc, core.ps = RESET_VECTOR, 0x1F
        # Without a divider nothing would be sent before the ROM sets one.
        self.activity = Activity.PROGRAM

    def read(self, address: int, size: int) -> int:
        """What lies outside RAM."""
        if address in ROM:
            if size != _WORD:
                raise Trap(f"the ROM was read as {size} bytes", address=address)
            return _rom_word(address)
        if DRAM_BASE <= address < ROM.start:
            return int.from_bytes(self.core.fetch(address, size), "little")
        if address == _STRAPS:
            return self._boots_from << 16 | _SDIO_PINS << 29
        if address == _RESET_CAUSE:
            return int(self.reset_cause)
        return super().read(address, size)
