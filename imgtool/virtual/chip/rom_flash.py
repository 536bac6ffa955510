"""The boot ROM's routines for the SPI flash, and what they keep: the size that they believe in.

Not the ROM's code: written from what that code was seen to do when it was executed, to the order of the
commands that reach the flash (tests/oracle/test_boot_rom.py compares the two).  Names are those of the linker
script https://github.com/espressif/ESP8266_NONOS_SDK/blob/master/ld/eagle.rom.addr.v6.ld.

One thing is otherwise: the ROM programs and reads in pieces of 32 bytes, these routines in pages and at once,
because the time that a page takes is known and that of a piece is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.virtual.cpu.memory import Trap

if TYPE_CHECKING:
    from imgtool.virtual.chip.access import ChipAccess

__all__ = ["AT_RESET", "FlashParameters", "RomFlash"]

_WORD: Final = 0xFFFF_FFFF
_BUSY: Final = 0x01
_BYTE_NS: Final = 200  # 40 MHz, one line
_LOCKED: Final = 0x1C  # block protection, all of it

_SPI0: Final = 0x6000_0200
_CTRL, _USER = _SPI0 + 0x08, _SPI0 + 0x1C
_USER_AT_ATTACH: Final = 1 << 2  # chip select is set up before the clock
_CTRL_AT_ATTACH: Final = 0x28_8313  # clock and pins
_TWO_BYTE_STATUS: Final = 1 << 22
_READ_MODES: Final = 1 << 24 | 1 << 23 | 1 << 20 | 1 << 14 | 1 << 13


@dataclass(frozen=True, slots=True)
class FlashParameters:
    """What SPIParamCfg tells the ROM of the flash.

    Attributes:
        size: Bytes; nothing beyond is erased, written or read.
        block: Bytes of the large erase.
        sector: Bytes of the small one.
        page: Bytes of a program.
    """

    size: int
    block: int
    sector: int
    page: int


AT_RESET: Final = FlashParameters(0x40_0000, 0x1_0000, 0x1000, 0x100)
"""What the ROM believes until it is told, whatever flash there is."""


class RomFlash:
    """The routines.

    Args:
        chip: The chip.

    Attributes:
        parameters: What they believe of the flash.
    """

    def __init__(self, chip: ChipAccess) -> None:
        self._chip = chip
        self.reset()

    def reset(self) -> None:
        """As a reset of the chip leaves it."""
        self.parameters = AT_RESET

    def attach(self) -> None:
        """spi_flash_attach: pins, controller, and quad mode switched off."""
        chip = self._chip
        chip.attach_flash()
        chip.poke(_USER, chip.peek(_USER) | _USER_AT_ATTACH)
        chip.poke(_CTRL, chip.peek(_CTRL) | _CTRL_AT_ATTACH)
        # Whether the flash is there, the ROM does not ask.
        chip.flash.transact(chip.now, b"\xab\x00\x00\x00", 1)
        self.configure_reads()

    def configure_reads(self) -> None:
        """SPIReadModeCnfig for slow reads: it clears all of the second status register, QE among it."""
        chip = self._chip
        chip.poke(_CTRL, chip.peek(_CTRL) & ~_READ_MODES | _TWO_BYTE_STATUS)
        self.enable_write()
        self._write_status(self._chip.flash_status())

    def enable_write(self) -> None:
        """SPI_write_enable, which asks until the flash has it.

        Raises:
            Trap: The flash does not answer, for which the ROM waits for ever.
        """
        self.wait()
        self._chip.flash.transact(self._chip.now, b"\x06", 0)

    def wait(self) -> None:
        """Wait_SPI_Idle.

        Raises:
            Trap: The flash does not answer, for which the ROM waits for ever.
        """
        if not self._chip.flash.attached:
            raise Trap("the boot ROM waits for ever for a flash that its pins are not switched to")
        self._chip.wait_for_flash()

    def _write_status(self, first: int) -> None:
        """Write the first status register, and 0 into the second one."""
        self.wait()
        self._chip.flash.transact(self._chip.now, bytes([0x01, first & ~_BUSY, 0]), 0)

    def unlock(self) -> None:
        """SPIUnlock: both status registers become 0."""
        self.enable_write()
        self._write_status(0)

    def lock(self) -> None:
        """SPILock: all blocks are protected."""
        self.enable_write()
        self._write_status(_LOCKED)

    def configure(self, parameters: FlashParameters) -> None:
        """SPIParamCfg."""
        self.parameters = parameters

    def erase_sector(self, number: int) -> bool:
        """SPIEraseSector; False for one beyond the end."""
        if number >= self.parameters.size // self.parameters.sector:
            return False
        self._chip.erase("sector", number * self.parameters.sector)
        return True

    def erase_block(self, number: int) -> bool:
        """SPIEraseBlock; False for one beyond the end."""
        if number >= self.parameters.size // self.parameters.block:
            return False
        self._chip.erase("block64", number * self.parameters.block)
        return True

    def erase_area(self, start: int, size: int) -> bool:
        """SPIEraseArea: whether it was done, which it is in part where it runs over the end.

        The sectors up to the first block are counted twice: of N sectors from one that is h before a block it
        erases N + min(h, N), blocks only while more than 16 are left.

        Args:
            start: First byte; a multiple of a sector.
            size: Bytes, rounded up to sectors.
        """
        known = self.parameters
        self.configure_reads()
        if known.size < start + size & _WORD or start % known.sector:
            return False
        self.unlock()
        per_block = known.block // known.sector
        sector, count = start // known.sector, -(-size // known.sector)
        for _ in range(min(per_block - sector % per_block, count)):
            if not self.erase_sector(sector):
                return False
            sector += 1
        while count > per_block:
            if not self.erase_block(sector // per_block):
                return False
            sector += per_block
            count -= per_block
        return all(self.erase_sector(number) for number in range(sector, sector + count))

    def write(self, address: int, data: bytes) -> bool:
        """SPIWrite; False where it would go beyond the end."""
        if self.parameters.size < address + len(data) & _WORD:
            return False
        self.wait()
        self._chip.program(address, data)
        return True

    def read(self, address: int, size: int) -> bytes | None:
        """SPIRead; None where it would go beyond the end."""
        if self.parameters.size < address + size & _WORD:
            return None
        if not size:
            return b""
        self.wait()
        chip = self._chip
        data = chip.flash.transact(chip.now, b"\x03" + address.to_bytes(4, "big")[1:], size)
        chip.spend(size * _BYTE_NS)
        return data
