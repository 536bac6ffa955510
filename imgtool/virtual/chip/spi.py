"""The registers of the ESP8266's SPI0 controller, through which ROM, stub and host reach the flash.

Not the flash (:mod:`imgtool.virtual.chip.nor`), and not the cache that maps it into the address space.

Names and bits: ``spi_register.h`` and ``spi_struct.h`` of Espressif's ESP8266_RTOS_SDK,
https://github.com/espressif/ESP8266_RTOS_SDK/tree/master/components/esp8266/include/esp8266.  Where the
commands take their addresses and data from: ``SPI_sector_erase``, ``SPI_page_program``, ``SPI_read_data`` and
``SPI_write_status`` in the C source of the ROM's routines that Espressif's older flash drivers carry; user
commands: ``spi_user_cmd_raw`` in that SDK's components/spi_flash/src/spi_flash_raw.c.

Assumed, not confirmed on silicon: most registers are 0 after a reset; a transfer is clocked at 40 MHz
whatever CLOCK says; the bit of a ready-made command clears when it has been sent, without waiting for the
flash, so that the driver polls its status; a command that is written while another runs starts after it;
BE sends the 64 KiB erase D8, as the ROM uses it, though a comment in the SDK says 32 KiB; the answer to RES
goes to W0.  Bit and byte order, the slave mode and full duplex are not modelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from imgtool.virtual.chip.nor import NorFlash

__all__ = ["BASE", "CYCLE", "REGISTERS", "SpiController"]

BASE: Final = 0x6000_0200
"""Address of the first register."""

CYCLE: Final = 25
"""Time of one SPI clock at 40 MHz, in ns."""

_CMD: Final = 0x00
_ADDR: Final = 0x04
_CTRL: Final = 0x08
_RD_STATUS: Final = 0x10
_USER: Final = 0x1C
_USER1: Final = 0x20
_USER2: Final = 0x24
_WR_STATUS: Final = 0x28
_W0: Final = 0x40
_BUFFER: Final = 64  # bytes of W0..W15

REGISTERS: Final = {
    "CMD": _CMD,
    "ADDR": _ADDR,
    "CTRL": _CTRL,
    "CTRL1": 0x0C,
    "RD_STATUS": _RD_STATUS,
    "CTRL2": 0x14,
    "CLOCK": 0x18,
    "USER": _USER,
    "USER1": _USER1,
    "USER2": _USER2,
    "WR_STATUS": _WR_STATUS,
    "PIN": 0x2C,
    "SLAVE": 0x30,
    "SLAVE1": 0x34,
    "SLAVE2": 0x38,
    "SLAVE3": 0x3C,
    **{f"W{number}": _W0 + 4 * number for number in range(16)},
    **{f"EXT{number}": 0xF0 + 4 * number for number in range(4)},
}
"""Offset of each register from :data:`BASE`."""

_KNOWN: Final = frozenset(REGISTERS.values())
# As a chip shows them before a host has written to them: https://github.com/espressif/esptool/issues/397
_AT_RESET: Final = {_USER: 0x8000_0040, _USER2: 0x7000_0000}
_WORD: Final = 0xFFFF_FFFF
_MIDDLE: Final = 0xFF_FFFF  # the 24 bits of a flash address

# CMD
_READ: Final = 1 << 31
_WRSR: Final = 1 << 26
_RDSR: Final = 1 << 27
_PP: Final = 1 << 25
_USR: Final = 1 << 18

# USER
_USR_COMMAND: Final = 1 << 31
_USR_ADDR: Final = 1 << 30
_USR_DUMMY: Final = 1 << 29
_USR_MISO: Final = 1 << 28
_USR_MOSI: Final = 1 << 27
_MOSI_HIGHPART: Final = 1 << 25
_MISO_HIGHPART: Final = 1 << 24

# CTRL
_FAST_READ: Final = 1 << 13
_TWO_BYTE_STATUS: Final = 1 << 22


class _Simple(NamedTuple):
    """A ready-made command that needs nothing but an opcode and perhaps an address."""

    bit: int
    opcode: int
    addressed: bool = False
    dummies: int = 0
    receive: int = 0  # bytes to W0


_SIMPLE: Final = (
    _Simple(1 << 30, 0x06),  # WREN
    _Simple(1 << 29, 0x04),  # WRDI
    _Simple(1 << 28, 0x9F, receive=3),  # RDID
    _Simple(1 << 24, 0x20, addressed=True),  # SE
    _Simple(1 << 23, 0xD8, addressed=True),  # BE
    _Simple(1 << 22, 0xC7),  # CE
    _Simple(1 << 21, 0xB9),  # DP
    _Simple(1 << 20, 0xAB, dummies=3, receive=1),  # RES
    _Simple(1 << 19, 0xA3, dummies=3),  # HPM
)


class _ReadMode(NamedTuple):
    """How READ is sent: the CTRL bit that asks for it, and what goes over the lines."""

    bit: int
    opcode: int
    dummies: int  # bytes, as the flash counts them
    dummy_cycles: int
    address_lines: int
    data_lines: int


_SLOW_READ: Final = _ReadMode(0, 0x03, 0, 0, 1, 1)
_FAST: Final = _ReadMode(0, 0x0B, 1, 8, 1, 1)
_READ_MODES: Final = (
    _ReadMode(1 << 24, 0xEB, 3, 6, 4, 4),
    _ReadMode(1 << 23, 0xBB, 1, 4, 2, 2),
    _ReadMode(1 << 20, 0x6B, 1, 8, 1, 4),
    _ReadMode(1 << 14, 0x3B, 1, 8, 1, 2),
)


class SpiController:
    """SPI0 with a flash on it.

    Args:
        flash: The flash; its :attr:`~imgtool.virtual.chip.nor.NorFlash.attached` says whether the pins are
            switched to it.

    Attributes:
        ready_at: When the transfer under way is over, in ns.  The flash may be busy for longer.
    """

    def __init__(self, flash: NorFlash) -> None:
        self.flash = flash
        self.reset()

    def reset(self) -> None:
        """What a reset of the chip does."""
        self.ready_at = 0
        self._pending = 0
        self._registers = dict.fromkeys(_KNOWN, 0) | _AT_RESET
        self._buffer = bytearray(_BUFFER)

    def read(self, offset: int, now: int) -> int:
        """A register, as a 32-bit number.

        Raises:
            KeyError: There is no register at that offset.
        """
        if offset == _CMD:
            return self._pending if now < self.ready_at else 0
        if offset not in _KNOWN:
            raise KeyError(offset)
        if _W0 <= offset < _W0 + _BUFFER:
            return int.from_bytes(self._buffer[offset - _W0 : offset - _W0 + 4], "little")
        return self._registers[offset]

    def write(self, offset: int, value: int, now: int) -> None:
        """Write a register; a command that CMD names is carried out.

        Raises:
            KeyError: There is no register at that offset.
            PowerCut: The flash loses its power in the middle of what it was told to do.
        """
        if offset not in _KNOWN:
            raise KeyError(offset)
        value &= _WORD
        if offset == _CMD:
            self._start(value, now)
        elif _W0 <= offset < _W0 + _BUFFER:
            self._buffer[offset - _W0 : offset - _W0 + 4] = value.to_bytes(4, "little")
        else:
            self._registers[offset] = value

    def _start(self, command: int, now: int) -> None:
        running = now < self.ready_at
        self._pending = command | (self._pending if running else 0)
        if not running:
            self.ready_at = now
        for row in _SIMPLE:
            if command & row.bit:
                self._simple(row)
        if command & _RDSR:
            status = self._transfer(b"\x05", 1)
            self._registers[_RD_STATUS] = self._registers[_RD_STATUS] & ~0xFF | status[0]
        if command & _WRSR:
            size = 2 if self._registers[_CTRL] & _TWO_BYTE_STATUS else 1
            value = self._registers[_RD_STATUS].to_bytes(4, "little")
            self._transfer(b"\x01" + value[:size], 0)
        if command & _PP:
            length = min(self._registers[_ADDR] >> 24, _BUFFER)
            self._transfer(b"\x02" + self._address() + self._buffer[:length], 0)
        if command & _READ:
            self._read_flash()
        if command & _USR:
            self._user()

    def _address(self) -> bytes:
        """The address of the ready-made commands: the low 24 bits, not the high ones."""
        return (self._registers[_ADDR] & _MIDDLE).to_bytes(3, "big")

    def _transfer(self, sent: bytes, receive: int, cycles: int | None = None) -> bytes:
        self.ready_at += (8 * (len(sent) + receive) if cycles is None else cycles) * CYCLE
        return self.flash.transact(self.ready_at, bytes(sent), receive)

    def _simple(self, row: _Simple) -> None:
        address = self._address() if row.addressed else b""
        answer = self._transfer(bytes([row.opcode]) + address + bytes(row.dummies), row.receive)
        if row.receive:
            self._buffer[:4] = answer.ljust(4, b"\x00")

    def _read_flash(self) -> None:
        """READ: the upper eight bits of ADDR are the number of bytes."""
        control = self._registers[_CTRL]
        mode = _SLOW_READ
        if control & _FAST_READ:
            mode = next((row for row in _READ_MODES if control & row.bit), _FAST)
        length = min(self._registers[_ADDR] >> 24, _BUFFER)
        cycles = 8 + 24 // mode.address_lines + mode.dummy_cycles + 8 * length // mode.data_lines
        sent = bytes([mode.opcode]) + self._address() + bytes(mode.dummies)
        self._buffer[:length] = self._transfer(sent, length, cycles)

    def _user(self) -> None:
        """A user command: phases switched on in USER, lengths in USER1, opcode in USER2."""
        user, user1 = self._registers[_USER], self._registers[_USER1]
        sent, bits = 0, 0
        for value, count in self._phases(user, user1):
            sent, bits = sent << count | value, bits + count
        receive = (user1 >> 8 & 0x1FF) + 1 if user & _USR_MISO else 0
        start = _BUFFER // 2 if user & _MISO_HIGHPART else 0
        receive = min(receive, 8 * (_BUFFER - start))
        # The flash counts clocks: what is sent beyond whole bytes goes off the first byte that it answers.
        whole, odd = divmod(bits, 8)
        data = (sent >> odd).to_bytes(whole, "big")
        length = -(-(odd + receive) // 8)
        answer = int.from_bytes(self._transfer(data, length, bits + receive), "big")
        if receive:
            answer = (answer >> (8 * length - odd - receive)) & ((1 << receive) - 1)
            size = -(-receive // 8)
            # A last byte that is not full has its bits at the top: assumed.
            self._buffer[start : start + size] = (answer << (8 * size - receive)).to_bytes(size, "big")

    def _phases(self, user: int, user1: int) -> list[tuple[int, int]]:
        """What is sent, as numbers and their bits, most significant bit first."""
        phases: list[tuple[int, int]] = []
        if user & _USR_COMMAND:
            user2 = self._registers[_USER2]
            # Bits 7 to 0 go first, then 15 to 8.
            value = int.from_bytes((user2 & 0xFFFF).to_bytes(2, "little"), "big")
            count = (user2 >> 28) + 1
            phases.append((value >> (16 - count), count))
        if user & _USR_ADDR:
            count = (user1 >> 26) + 1
            value = self._registers[_ADDR] << 32 | self._registers[_WR_STATUS]
            phases.append((value >> (64 - count), count))
        if user & _USR_DUMMY:
            phases.append((0, (user1 & 0xFF) + 1))
        if user & _USR_MOSI:
            start = _BUFFER // 2 if user & _MOSI_HIGHPART else 0
            count = min((user1 >> 17 & 0x1FF) + 1, 8 * (_BUFFER - start))
            value = int.from_bytes(self._buffer[start:], "big")
            phases.append((value >> (8 * (_BUFFER - start) - count), count))
        return phases
