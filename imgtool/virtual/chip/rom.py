"""Functions of the boot ROM, emulated at their published addresses.

Not the ROM's code, and what a function costs is assumed.  Those for the flash are in
:mod:`imgtool.virtual.chip.rom_flash`.  The addresses are those of Espressif's linker script
(https://github.com/espressif/ESP8266_NONOS_SDK/blob/master/ld/eagle.rom.addr.v6.ld).  Arguments come in a2 to
a7, a result goes into a2 (CALL0 ABI).  An address without a row here is a trap.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.virtual.chip.ledger import digest_ns
from imgtool.virtual.chip.rom_flash import FlashParameters
from imgtool.virtual.chip.uart import CLKDIV, CONF0, FIFO_RESETS
from imgtool.virtual.cpu.core import Trap

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.virtual.chip.access import ChipAccess
    from imgtool.virtual.chip.rom_flash import RomFlash

    Handler = Callable[["Rom"], int | None]

__all__ = ["INTERRUPT_RETURN", "LOADER_RETURN", "ROM_END", "ROM_START", "Rom", "RomFunction"]

ROM_START: Final = 0x4000_0000
ROM_END: Final = 0x4001_0000

INTERRUPT_RETURN: Final = 0x4000_0030
"""Where an interrupt handler returns to: the dispatcher, which restores the registers."""

LOADER_RETURN: Final = 0x4000_10A8
"""Where a program that MEM_END started returns to (the stubs of esptool know this address of ``main``)."""

_WORD: Final = 0xFFFF_FFFF
_OK: Final = 0
_FAILED: Final = 1
_RX_ONE_CHAR_BLOCK: Final = 0x4000_3B64
_SPI_BYTE_NS: Final = 200  # 40 MHz, one line


class RomFunction(NamedTuple):
    """A function: its name in the linker script, what it does, and whether it waits for the flash."""

    name: str
    handler: Handler
    waits: bool = False


class Rom:
    """The ROM's functions, and what they keep between calls.

    Attributes:
        handlers: Interrupt number to handler address and argument.
        unmasked: Interrupts that may come, as bits.
        user_start: What a program asked to be called when it has returned; None if nothing.
    """

    def __init__(self, chip: ChipAccess, flash: RomFlash) -> None:
        self._chip = chip
        self._flash = flash
        self._core = chip.core
        self.reset()

    def reset(self) -> None:
        """Forget what programs have set up."""
        self.handlers: dict[int, tuple[int, int]] = {}
        self.unmasked = 0
        self.user_start: int | None = None
        self._digests: dict[int, Any] = {}
        self._seed = 1

    def function(self, address: int) -> RomFunction:
        """The function at an address.

        Raises:
            Trap: None is known there.
        """
        found = FUNCTIONS.get(address)
        if found is None:
            raise Trap(f"call of an unknown ROM address 0x{address:08x}", address=address)
        return found

    def call(self, function: RomFunction) -> None:
        """Do what the function at the program counter does, and return to the caller."""
        self._core.pc = self._core.a[0]
        result = function.handler(self)
        if result is not None:
            self._core.a[2] = result & _WORD

    # Arguments.

    def _arg(self, number: int) -> int:
        return self._core.a[2 + number]

    def _signed(self, number: int) -> int:
        value = self._arg(number)
        return value - (1 << 32) if value >> 31 else value

    def _text(self, address: int) -> bytes:
        found = bytearray()
        while (byte := self._core.fetch(address + len(found), 1)[0]) != 0:
            found.append(byte)
        return bytes(found)

    # Serial output.

    def _send(self, data: bytes) -> None:
        uart = self._chip.uart
        for byte in data:
            self._chip.advance(uart.space_at())
            uart.send(bytes([byte]))
        if uart.crowded:
            self._core.stop = True  # the host gets it before there is more

    def uart_tx_one_char(self) -> int:
        self._send(bytes([self._arg(0) & 0xFF]))
        return _OK

    def ets_putc(self) -> int:
        self._send(bytes([self._arg(0) & 0xFF]))
        return _OK

    def ets_write_char(self) -> None:
        # A line feed goes out as CR LF.
        byte = self._arg(0) & 0xFF
        self._send(b"\r\n" if byte == ord("\n") else bytes([byte]))

    def ets_printf(self) -> int:
        text = self._format(self._text(self._arg(0)), 1)
        self._send(text.replace(b"\n", b"\r\n"))
        return len(text)

    def _format(self, template: bytes, first: int) -> bytes:
        """C's printf for what programs use of it: %d %i %u %x %X %p %c %s %%, widths, 0 and -."""
        result = bytearray()
        at = 0
        used = first
        while at < len(template):
            byte = template[at : at + 1]
            at += 1
            if byte != b"%":
                result += byte
                continue
            start = at
            while at < len(template) and template[at] in b"0123456789-+ #.lh":
                at += 1
            flags = template[start:at].rstrip(b"lh").decode("latin-1")
            kind = template[at : at + 1].decode("latin-1")
            at += 1
            if kind == "%":
                result += b"%"
                continue
            value = self._variadic(used)
            used += 1
            result += self._field(kind, flags, value)
        return bytes(result)

    def _field(self, kind: str, flags: str, value: int) -> bytes:
        if kind in "di":
            value -= (value >> 31) << 32
        if kind == "s":
            return (f"%{flags}s" % self._text(value).decode("latin-1")).encode("latin-1")
        if kind == "c":
            return bytes([value & 0xFF])
        if kind == "p":
            return b"0x%x" % value
        if kind not in "diuxXo":
            raise Trap(f"ets_printf does not know %{kind}")
        return (f"%{flags}{kind}" % value).encode("latin-1")

    def _variadic(self, number: int) -> int:
        in_registers = 6
        if number < in_registers:
            return self._arg(number)
        place = self._core.a[1] + 4 * (number - in_registers)
        return int.from_bytes(self._core.fetch(place, 4), "little")

    # Serial input.

    def uart_rx_one_char(self) -> int:
        self._chip.uart.deliver()
        byte = self._chip.uart.pop()
        if byte is None:
            return _FAILED
        self._core.load(self._arg(0), bytes([byte]))
        return _OK

    def uart_rx_one_char_block(self) -> int | None:
        self._chip.uart.deliver()
        byte = self._chip.uart.pop()
        if byte is None:
            # It goes round until there is one: it is called again then.
            self._core.pc = _RX_ONE_CHAR_BLOCK
            self._chip.wait_for_input()
        return byte

    def uart_div_modify(self) -> None:
        """It waits for nothing, and empties both FIFOs: what has not left is lost."""
        if self._arg(0) == 0:
            uart = self._chip.uart
            uart.write(CLKDIV, self._arg(1))
            conf0 = uart.read(CONF0)
            uart.write(CONF0, conf0 | FIFO_RESETS)
            uart.write(CONF0, conf0)

    # The SPI flash.

    def select_spi_function(self) -> None:
        self._chip.attach_flash()

    def spi_flash_attach(self) -> None:
        self._flash.attach()

    def spi_read(self) -> int:
        address, target, size = self._arg(0), self._arg(1), self._arg(2)
        data = self._flash.read(address, size)
        if data is None:
            return _FAILED
        if data:
            self._core.load(target, data)
        return _OK

    def spi_write(self) -> int:
        address, source, size = self._arg(0), self._arg(1), self._arg(2)
        if address % 4 or source % 4:
            raise Trap("SPIWrite from or to an unaligned address", address=source)
        done = self._flash.write(address, self._core.fetch(source, -(-size // 4) * 4)[:size])
        return _OK if done else _FAILED

    def spi_erase_sector(self) -> int:
        return _OK if self._flash.erase_sector(self._arg(0)) else _FAILED

    def spi_erase_block(self) -> int:
        return _OK if self._flash.erase_block(self._arg(0)) else _FAILED

    def spi_erase_chip(self) -> int:
        self._chip.erase("chip", 0)
        return _OK

    def spi_erase_area(self) -> int:
        return _OK if self._flash.erase_area(self._arg(0), self._arg(1)) else _FAILED

    def spi_unlock(self) -> int:
        self._flash.unlock()
        return _OK

    def spi_lock(self) -> int:
        self._flash.lock()
        return _OK

    def spi_param_cfg(self) -> int:
        _, size, block, sector, page = (self._arg(number) for number in range(5))
        if not (block and sector and block % sector == 0):
            raise Trap("SPIParamCfg with blocks that are no whole number of sectors")
        self._flash.configure(FlashParameters(size, block, sector, page))
        return _OK

    def spi_read_mode(self) -> int:
        self._flash.configure_reads()
        return _OK

    def spi_read_status(self) -> int:
        self._flash.wait()
        self._core.load(self._arg(1), self._chip.flash_status().to_bytes(4, "little"))
        return _OK

    def wait_spi_idle(self) -> int:
        self._flash.wait()
        return _OK

    def spi_write_enable(self) -> int:
        self._flash.enable_write()
        return _OK

    # Interrupts, time, reset.

    def ets_isr_attach(self) -> None:
        self.handlers[self._arg(0)] = (self._arg(1), self._arg(2))

    def ets_isr_mask(self) -> None:
        self.unmasked &= ~self._arg(0)

    def ets_isr_unmask(self) -> None:
        self.unmasked |= self._arg(0)

    def ets_intr_lock(self) -> None:
        self._core.ps = self._core.ps & ~0xF | 3

    def ets_intr_unlock(self) -> None:
        self._core.ps &= ~0xF

    def ets_set_user_start(self) -> None:
        self.user_start = self._arg(0)

    def ets_delay_us(self) -> None:
        self._chip.pause(self._arg(0) * 1000)

    def software_reset(self) -> None:
        self._chip.reset_by_software()

    def rtc_get_reset_reason(self) -> int:
        return self._chip.reset_cause

    def xthal_get_ccount(self) -> int:
        return self._chip.now * 52 // 1000

    def ets_get_cpu_frequency(self) -> int:
        return 52

    def rand(self) -> int:
        self._seed = (self._seed * 1103515245 + 12345) & _WORD
        return self._seed >> 1

    def nothing(self) -> None:
        """A function whose effect does not show here."""

    def zero(self) -> int:
        return 0

    # Memory and strings.

    def memset(self) -> None:
        size = self._arg(2)
        if size:
            self._core.load(self._arg(0), bytes([self._arg(1) & 0xFF]) * size)
        self._chip.work(size)

    def memcpy(self) -> None:
        size = self._arg(2)
        if size:
            self._core.load(self._arg(0), self._core.fetch(self._arg(1), size))
        self._chip.work(size)

    def bzero(self) -> None:
        size = self._arg(1)
        if size:
            self._core.load(self._arg(0), bytes(size))
        self._chip.work(size)

    def memcmp(self) -> int:
        one, other = (self._core.fetch(self._arg(n), self._arg(2)) for n in (0, 1))
        self._chip.work(2 * len(one))
        return _difference(one, other)

    def strlen(self) -> int:
        return len(self._text(self._arg(0)))

    def strcmp(self) -> int:
        one, other = (self._text(self._arg(n)) + b"\0" for n in (0, 1))
        return _difference(one, other)

    def strncmp(self) -> int:
        one, other = ((self._text(self._arg(n)) + b"\0")[: self._arg(2)] for n in (0, 1))
        return _difference(one, other)

    def strcpy(self) -> None:
        self._core.load(self._arg(0), self._text(self._arg(1)) + b"\0")

    def strncpy(self) -> None:
        size = self._arg(2)
        if size:
            self._core.load(self._arg(0), self._text(self._arg(1))[:size].ljust(size, b"\0"))

    # Arithmetic.

    def udivsi3(self) -> int:
        return self._arg(0) // self._divisor()

    def umodsi3(self) -> int:
        return self._arg(0) % self._divisor()

    def divsi3(self) -> int:
        self._divisor()
        one, other = self._signed(0), self._signed(1)
        quotient = abs(one) // abs(other)
        return quotient if (one < 0) == (other < 0) else -quotient

    def _divisor(self) -> int:
        if self._arg(1) == 0:
            raise Trap("division by zero")
        return self._arg(1)

    # MD5: the state stays here, keyed by the address of the program's context.

    def md5_init(self) -> None:
        self._digests[self._arg(0)] = hashlib.md5(usedforsecurity=False)

    def md5_update(self) -> None:
        context, data, size = self._arg(0), self._arg(1), self._arg(2)
        if context not in self._digests:
            raise Trap("MD5Update without MD5Init", address=context)
        if size:
            self._digests[context].update(self._core.fetch(data, size))
        # The rate counts reading the flash too, which SPIRead has charged already.
        self._chip.digest(max(0, digest_ns(size) - size * _SPI_BYTE_NS))

    def md5_final(self) -> None:
        digest = self._digests.pop(self._arg(1), None)
        if digest is None:
            raise Trap("MD5Final without MD5Init", address=self._arg(1))
        self._core.load(self._arg(0), digest.digest())


def _difference(one: bytes, other: bytes) -> int:
    """That of the first two bytes that differ; 0 for none."""
    return next((a - b for a, b in zip(one, other, strict=False) if a != b), 0)


FUNCTIONS: Final[dict[int, RomFunction]] = {
    0x40000600: RomFunction("rand", Rom.rand),
    0x40000F74: RomFunction("ets_intr_lock", Rom.ets_intr_lock),
    0x40000F80: RomFunction("ets_intr_unlock", Rom.ets_intr_unlock),
    0x40000F88: RomFunction("ets_isr_attach", Rom.ets_isr_attach),
    0x40000F98: RomFunction("ets_isr_mask", Rom.ets_isr_mask),
    0x40000FA8: RomFunction("ets_isr_unmask", Rom.ets_isr_unmask),
    0x40000FBC: RomFunction("ets_set_user_start", Rom.ets_set_user_start),
    0x400018A4: RomFunction("ets_memset", Rom.memset),
    0x400018B4: RomFunction("ets_memcpy", Rom.memcpy),
    0x400018C4: RomFunction("ets_memmove", Rom.memcpy),
    0x400018D4: RomFunction("ets_memcmp", Rom.memcmp),
    0x40001DA0: RomFunction("ets_write_char", Rom.ets_write_char),
    0x4000242C: RomFunction("ets_install_putc1", Rom.nothing),
    0x40002438: RomFunction("ets_install_uart_printf", Rom.nothing),
    0x400024CC: RomFunction("ets_printf", Rom.ets_printf),
    0x40002544: RomFunction("ets_uart_printf", Rom.ets_printf),
    0x400025E0: RomFunction("rtc_get_reset_reason", Rom.rtc_get_reset_reason),
    0x4000264C: RomFunction("software_reset", Rom.software_reset),
    0x40002A88: RomFunction("ets_strcpy", Rom.strcpy),
    0x40002A98: RomFunction("ets_strncpy", Rom.strncpy),
    0x40002AA8: RomFunction("ets_strcmp", Rom.strcmp),
    0x40002AB8: RomFunction("ets_strncmp", Rom.strncmp),
    0x40002AC8: RomFunction("ets_strlen", Rom.strlen),
    0x40002AE8: RomFunction("ets_bzero", Rom.bzero),
    0x40002BE8: RomFunction("ets_putc", Rom.ets_putc),
    0x40002ECC: RomFunction("ets_delay_us", Rom.ets_delay_us, waits=True),
    0x40002F04: RomFunction("ets_update_cpu_frequency", Rom.nothing),
    0x40002F0C: RomFunction("ets_get_cpu_frequency", Rom.ets_get_cpu_frequency),
    0x40002F34: RomFunction("ets_wdt_get_mode", Rom.zero),
    0x40002FA0: RomFunction("ets_wdt_enable", Rom.nothing),
    0x400030F0: RomFunction("ets_wdt_disable", Rom.zero),
    0x40003158: RomFunction("ets_wdt_restore", Rom.nothing),
    0x40003170: RomFunction("ets_wdt_init", Rom.nothing),
    0x4000383C: RomFunction("uartAttach", Rom.nothing),
    0x400038A4: RomFunction("uart_buff_switch", Rom.nothing),
    0x400039D8: RomFunction("uart_div_modify", Rom.uart_div_modify),
    0x40003A14: RomFunction("Uart_Init", Rom.nothing),
    0x40003B30: RomFunction("uart_tx_one_char", Rom.uart_tx_one_char),
    _RX_ONE_CHAR_BLOCK: RomFunction("uart_rx_one_char_block", Rom.uart_rx_one_char_block),
    0x40003B8C: RomFunction("uart_rx_one_char", Rom.uart_rx_one_char),
    0x40003F58: RomFunction("SelectSpiFunction", Rom.select_spi_function),
    0x400043C8: RomFunction("SPI_read_status", Rom.spi_read_status),
    0x4000443C: RomFunction("SPI_write_enable", Rom.spi_write_enable, waits=True),
    0x4000448C: RomFunction("Wait_SPI_Idle", Rom.wait_spi_idle, waits=True),
    0x40004644: RomFunction("spi_flash_attach", Rom.spi_flash_attach, waits=True),
    0x40004678: RomFunction("Cache_Read_Enable", Rom.nothing),
    0x400047F0: RomFunction("Cache_Read_Disable", Rom.nothing),
    0x40004878: RomFunction("SPIUnlock", Rom.spi_unlock, waits=True),
    0x400048A8: RomFunction("SPILock", Rom.spi_lock, waits=True),
    0x400048EC: RomFunction("SPIReadModeCnfig", Rom.spi_read_mode, waits=True),
    0x40004984: RomFunction("SPIEraseChip", Rom.spi_erase_chip, waits=True),
    0x400049B4: RomFunction("SPIEraseBlock", Rom.spi_erase_block, waits=True),
    0x40004A00: RomFunction("SPIEraseSector", Rom.spi_erase_sector, waits=True),
    0x40004A4C: RomFunction("SPIWrite", Rom.spi_write, waits=True),
    0x40004B1C: RomFunction("SPIRead", Rom.spi_read, waits=True),
    0x40004B44: RomFunction("SPIEraseArea", Rom.spi_erase_area, waits=True),
    0x40004C2C: RomFunction("SPIParamCfg", Rom.spi_param_cfg),
    0x40004C50: RomFunction("gpio_init", Rom.nothing),
    0x40004CD0: RomFunction("gpio_output_set", Rom.nothing),
    0x40009818: RomFunction("MD5Init", Rom.md5_init),
    0x40009834: RomFunction("MD5Update", Rom.md5_update),
    0x40009900: RomFunction("MD5Final", Rom.md5_final),
    0x4000BDC8: RomFunction("strcmp", Rom.strcmp),
    0x4000BEC8: RomFunction("strcpy", Rom.strcpy),
    0x4000BF4C: RomFunction("strlen", Rom.strlen),
    0x4000BFA8: RomFunction("strncmp", Rom.strncmp),
    0x4000C0A0: RomFunction("strncpy", Rom.strncpy),
    0x4000DC88: RomFunction("__divsi3", Rom.divsi3),
    0x4000DD38: RomFunction("xthal_get_ccount", Rom.xthal_get_ccount),
    0x4000DE84: RomFunction("bzero", Rom.bzero),
    0x4000DEA8: RomFunction("memcmp", Rom.memcmp),
    0x4000DF48: RomFunction("memcpy", Rom.memcpy),
    0x4000E04C: RomFunction("memmove", Rom.memcpy),
    0x4000E190: RomFunction("memset", Rom.memset),
    0x4000E21C: RomFunction("__udivsi3", Rom.udivsi3),
    0x4000E268: RomFunction("__umodsi3", Rom.umodsi3),
}
"""Address to function."""
