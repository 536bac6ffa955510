"""The ROM's functions for the SPI flash and the cache that shows it.

Not the flash nor its controller: both get the commands that the ROM's code gives, in its order and in its
pieces of 32 bytes; but a long read is made at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.virtual.board.rom.machine import RomFunction
from imgtool.virtual.cpu.full_core import Cause

if TYPE_CHECKING:
    from imgtool.virtual.board.rom.machine import Machine

__all__ = ["DATA", "FUNCTIONS", "attach", "set_mode"]

_WORD: Final = 0xFFFF_FFFF

# The SPI controller.
_CMD, _ADDR, _CTRL, _STATUS = 0x6000_0200, 0x6000_0204, 0x6000_0208, 0x6000_0210
_USER, _BUFFER = 0x6000_021C, 0x6000_0240
_READ, _WRITE_ENABLE, _READ_STATUS, _WRITE_STATUS = 1 << 31, 1 << 30, 1 << 27, 1 << 26
_PROGRAM, _ERASE_SECTOR, _ERASE_BLOCK, _ERASE_CHIP, _WAKE = 1 << 25, 1 << 24, 1 << 23, 1 << 22, 1 << 20
_PIECE: Final = 32
_ADDRESS: Final = 0xFF_FFFF
_IN_SECTOR: Final = 0xFFF  # of a sector as the controller erases it
_DIVIDED_BY_ZERO, _REMAINS_OF_ZERO = 0x4000_E25D, 0x4000_E296
_BUSY, _WRITABLE, _LOCKED, _QUAD = 0x01, 0x02, 0x1C, 0x200
_CS_SETUP: Final = 1 << 2
_TWO_BYTE_STATUS: Final = 1 << 22
_READ_MODES: Final = 0x190_6000
_MODES: Final = {0: 0x100_2000, 1: 0x10_2000, 2: 0x80_2000, 3: 0x6000, 4: 0x2000}
_QUAD_MODES: Final = (0, 1)
_SLOW: Final = 5
_AT_ATTACH: Final = 0x28_8000
_UNDIVIDED, _BY_4 = 0x1000, 0x313  # clocks

# The flash as the ROM believes it: a pointer, and what it points to.
_CHIP: Final = 0x3FFF_C714
_ID, _SIZE, _BLOCK, _SECTOR, _PAGE, _STATUS_BITS = 0, 4, 8, 12, 16, 20
DATA: Final = {
    _CHIP: _CHIP + 4,
    _CHIP + 4 + _ID: 0x16_40EF,
    _CHIP + 4 + _SIZE: 0x40_0000,
    _CHIP + 4 + _BLOCK: 0x1_0000,
    _CHIP + 4 + _SECTOR: 0x1000,
    _CHIP + 4 + _PAGE: 0x100,
    _CHIP + 4 + _STATUS_BITS: 0xFFFF,
}
"""The words in DRAM that a start sets."""

# The cache.
_CACHE, _CACHE_RAM, _ARBITER = 0x3FF0_000C, 0x3FF0_0024, 9
_CACHE_ON, _FLUSH, _FLUSHED = 1 << 8, 1 << 0, 1 << 1
_ODD, _EVEN, _WHICH = 1 << 25, 1 << 24, 0x3_0000_00
_PLACE: Final = 0x407_0000
_USED_BY_CACHE: Final = 1 << 17

# Pins.
_SPI_PINS: Final = tuple(0x6000_081C + 4 * number for number in range(6))
_PIN_FUNCTION, _SPI_FUNCTION, _PULL_UP = 0x130, 0x10, 0x80
_PIN_CLOCKS, _PIN_UNDIVIDED = 0x6000_0800, 1 << 8
_PIN_CLOCK: Final = 0x6000_0D48


def _chip(machine: Machine) -> int:
    return machine.word(_CHIP)


def _command(machine: Machine, command: int) -> None:
    """Give a command, and wait until the controller is done with it."""
    machine.set_word(_CMD, command)
    while machine.word(_CMD):
        pass


def _read_status(machine: Machine, chip: int) -> int:
    """The first status register, once the flash is not busy any more."""
    while True:
        machine.set_word(_STATUS, 0)
        _command(machine, _READ_STATUS)
        found = machine.word(_STATUS) & machine.word(chip + _STATUS_BITS)
        if not found & _BUSY:
            return found


def _wait(machine: Machine, chip: int) -> None:
    while machine.word(_CACHE) >> _ARBITER & 1:
        pass
    _read_status(machine, chip)


def _write_status(machine: Machine, chip: int, value: int) -> None:
    _wait(machine, chip)
    machine.set_word(_STATUS, value)
    _command(machine, _WRITE_STATUS)


def _enable_write(machine: Machine, chip: int) -> None:
    """Ask until the flash takes a write."""
    _wait(machine, chip)
    _command(machine, _WRITE_ENABLE)
    while not _read_status(machine, chip) & _WRITABLE:
        pass


def _erase(machine: Machine, chip: int, command: int, address: int | None) -> None:
    _wait(machine, chip)
    if address is not None:
        machine.set_word(_ADDR, address & _ADDRESS)
    _command(machine, command)
    _wait(machine, chip)


def attach(machine: Machine) -> None:
    """``spi_flash_attach``: the controller is set up, the flash woken, its quad mode switched off."""
    _select_pins(machine)
    machine.set_bits(_USER, _CS_SETUP, _CS_SETUP)
    machine.set_bits(_CTRL, _UNDIVIDED, 0)
    machine.set_bits(_PIN_CLOCKS, _PIN_UNDIVIDED, 0)
    machine.set_word(_CTRL, _AT_ATTACH | _BY_4)
    _command(machine, _WAKE)
    set_mode(machine, _SLOW)


def set_mode(machine: Machine, mode: int) -> None:
    """``SPIReadModeCnfig``: how the controller reads; quad mode of the flash is switched on or off for it."""
    chip = _chip(machine)
    machine.set_bits(_CTRL, _READ_MODES, 0)
    machine.set_bits(_CTRL, _TWO_BYTE_STATUS, _TWO_BYTE_STATUS)
    _enable_write(machine, chip)
    _write_status(machine, chip, _QUAD if mode in _QUAD_MODES else _read_status(machine, chip) & 0xFF)
    bits = _MODES.get(mode, 0)
    machine.set_bits(_CTRL, bits, bits)


# What firmware calls ----------------------------------------------------------------------------------------


def _quotient(machine: Machine, value: int, divisor: int) -> int:
    """By the ROM's own division, which ends with an exception where there is nothing to divide by."""
    if not divisor:
        machine.core.pc = _DIVIDED_BY_ZERO
        machine.core.raise_exception(Cause.ILLEGAL)
    return value // divisor


def _remainder(machine: Machine, value: int, divisor: int) -> int:
    """The same."""
    if not divisor:
        machine.core.pc = _REMAINS_OF_ZERO
        machine.core.raise_exception(Cause.ILLEGAL)
    return value % divisor


def _spi_read_status(machine: Machine) -> int:
    """``SPI_read_status``."""
    found = _read_status(machine, machine.arg(0))
    machine.set_word(machine.arg(1), found)
    return 0


def _spi_write_status(machine: Machine) -> int:
    """``SPI_write_status``."""
    _write_status(machine, machine.arg(0), machine.arg(1))
    return 0


def _spi_write_enable(machine: Machine) -> int:
    """``SPI_write_enable``."""
    _enable_write(machine, machine.arg(0))
    return 0


def _wait_idle(machine: Machine) -> int:
    """``Wait_SPI_Idle``."""
    _wait(machine, machine.arg(0))
    return 0


def _select_pins(machine: Machine) -> None:
    """``SelectSpiFunction``: the pins of the flash."""
    for pin in _SPI_PINS:
        machine.set_bits(pin, _PULL_UP, 0)
        machine.set_bits(pin, _PIN_FUNCTION, 0)
        machine.set_bits(pin, _SPI_FUNCTION, _SPI_FUNCTION)
    machine.set_word(_PIN_CLOCK, 0)


def _flash_attach(machine: Machine) -> None:
    attach(machine)


def _read_mode(machine: Machine) -> int:
    """``SPIReadModeCnfig``."""
    set_mode(machine, machine.arg(0))
    return 0


def _unlock(machine: Machine) -> int:
    """``SPIUnlock``: no block is protected."""
    chip = _chip(machine)
    _enable_write(machine, chip)
    _write_status(machine, chip, 0)
    return 0


def _lock(machine: Machine) -> int:
    """``SPILock``: all blocks are protected."""
    chip = _chip(machine)
    _enable_write(machine, chip)
    _write_status(machine, chip, _LOCKED)
    return 0


def _erase_chip(machine: Machine) -> int:
    """``SPIEraseChip``."""
    chip = _chip(machine)
    _enable_write(machine, chip)
    _erase(machine, chip, _ERASE_CHIP, None)
    return 0


def _erase_unit(machine: Machine, number: int, unit: int, command: int) -> int:
    chip = _chip(machine)
    size = machine.word(chip + unit)
    if number >= _quotient(machine, machine.word(chip + _SIZE), size):
        return 1
    _enable_write(machine, chip)
    if command == _ERASE_SECTOR and number * size & _IN_SECTOR:
        return 1
    _erase(machine, chip, command, number * size)
    return 0


def _erase_sector(machine: Machine) -> int:
    """``SPIEraseSector``; 1 for one beyond the end."""
    return _erase_unit(machine, machine.arg(0), _SECTOR, _ERASE_SECTOR)


def _erase_block(machine: Machine) -> int:
    """``SPIEraseBlock``; 1 for one beyond the end."""
    return _erase_unit(machine, machine.arg(0), _BLOCK, _ERASE_BLOCK)


def _write(machine: Machine) -> int:
    """``SPIWrite``; 1 where it would go beyond the end, or the length of a page's part is no word's."""
    address, source, size = (machine.arg(number) for number in range(3))
    chip = _chip(machine)
    if machine.word(chip + _SIZE) < address + size & _WORD:
        return 1
    page = machine.word(chip + _PAGE)
    first = page - _remainder(machine, address, page)
    if size < first:
        return _program(machine, address, source, size)
    if _program(machine, address, source, first):
        return 1
    done = first
    pages, count = (size - first) // page, 0
    while count != pages:
        if _program(machine, address + done, source + done, page):
            return 1
        done += page
        count = count + 1 & 0xFF  # so 256 pages never end
    return _program(machine, address + done, source + done, size - done)


def _program(machine: Machine, address: int, source: int, size: int) -> int:
    """Program within a page, in pieces."""
    chip = _chip(machine)
    page = machine.word(chip + _PAGE)
    if size & 3 or _remainder(machine, address, page) + size > page:
        return 1
    _wait(machine, chip)
    for at in range(0, size, _PIECE):
        length = min(_PIECE, size - at)
        machine.set_word(_ADDR, address + at & _ADDRESS | length << 24)
        for offset in range(0, length, 4):
            machine.set_word(_BUFFER + offset, machine.word(source + at + offset))
        _enable_write(machine, chip)
        _command(machine, _PROGRAM)
        _wait(machine, chip)
    return 0


def _read(machine: Machine) -> int:
    """``SPIRead``: words; 1 where it would go beyond the end."""
    address, target, size = machine.arg(0), machine.arg(1), machine.signed(2)
    chip = _chip(machine)
    if machine.word(chip + _SIZE) < address + size & _WORD:
        return 1
    _wait(machine, chip)
    at_once = max(0, (size - _PIECE) // _PIECE * _PIECE)
    if at_once:
        machine.set_bytes(target, machine.surroundings.read_flash(address, at_once))
    for at in range(at_once, size, _PIECE):
        length = min(_PIECE, size - at)
        machine.set_word(_ADDR, address + at | length << 24)
        _command(machine, _READ)
        for offset in range(0, length, 4):
            machine.set_word(target + at + offset, machine.word(_BUFFER + offset))
    return 0


def _erase_area(machine: Machine) -> int:
    """``SPIEraseArea``: the sectors up to the first block are counted twice."""
    start, size = machine.arg(0), machine.arg(1)
    set_mode(machine, _SLOW)
    chip = _chip(machine)
    sector_size, block_size = machine.word(chip + _SECTOR), machine.word(chip + _BLOCK)
    if machine.word(chip + _SIZE) < start + size & _WORD or _remainder(machine, start, sector_size):
        return 1
    _unlock(machine)
    sector, in_block, count = start // sector_size, block_size // sector_size, -(-size // sector_size)
    single = min(in_block - _remainder(machine, sector, in_block), count)
    for _ in range(single):
        if _erase_unit(machine, sector, _SECTOR, _ERASE_SECTOR):
            return 1
        sector += 1
    while count > in_block:
        if _erase_unit(machine, sector // in_block, _BLOCK, _ERASE_BLOCK):
            return 1
        sector += in_block
        count -= in_block
    return int(any(_erase_unit(machine, sector + at, _SECTOR, _ERASE_SECTOR) for at in range(count)))


def _configure(machine: Machine) -> int:
    """``SPIParamCfg``: what the flash is."""
    chip = _chip(machine)
    for number, field in enumerate((_ID, _SIZE, _BLOCK, _SECTOR, _PAGE, _STATUS_BITS)):
        machine.set_word(chip + field, machine.arg(number))
    return 0


# The cache --------------------------------------------------------------------------------------------------


def _stop_cache(machine: Machine) -> None:
    """Switch the cache off, and flush it."""
    while machine.word(_CACHE) & _CACHE_ON:
        machine.set_bits(_CACHE, _CACHE_ON, 0)
    machine.set_bits(_CTRL, _USED_BY_CACHE, 0)
    machine.set_bits(_CACHE, _FLUSH, 0)
    machine.set_bits(_CACHE, _FLUSH, _FLUSH)
    while not machine.word(_CACHE) & _FLUSHED:
        pass
    machine.set_bits(_CACHE, _FLUSH, 0)


def _disable_cache(machine: Machine) -> None:
    """``Cache_Read_Disable``."""
    _stop_cache(machine)


def _enable_cache(machine: Machine) -> None:
    """``Cache_Read_Enable``: which megabyte of which two is shown, and how much RAM the cache takes."""
    odd, pair, more = (machine.arg(number) for number in range(3))
    _stop_cache(machine)
    machine.set_bits(_CTRL, _USED_BY_CACHE, _USED_BY_CACHE)
    on = machine.word(_CACHE) & _CACHE_ON
    if odd == 0:
        machine.set_bits(_CACHE, _WHICH, 0)
    elif odd == 1:
        machine.set_bits(_CACHE, _EVEN, 0)
        machine.set_bits(_CACHE, _ODD, _ODD)
    else:
        machine.set_bits(_CACHE, _ODD, 0)
        machine.set_bits(_CACHE, _EVEN, _EVEN)
    machine.set_bits(_CACHE, _PLACE, 0)
    bits = pair << 16 | more << 26
    machine.set_bits(_CACHE, bits, bits)
    size = 0x18 if more else 0x08
    machine.set_bits(_CACHE_RAM, size, size)
    while not on:
        machine.set_bits(_CACHE, _CACHE_ON, _CACHE_ON)
        on = machine.word(_CACHE) & _CACHE_ON


FUNCTIONS: Final = (
    RomFunction(0x4000_3F58, "SelectSpiFunction", _select_pins),
    RomFunction(0x4000_43C8, "SPI_read_status", _spi_read_status),
    RomFunction(0x4000_4400, "SPI_write_status", _spi_write_status),
    RomFunction(0x4000_443C, "SPI_write_enable", _spi_write_enable),
    RomFunction(0x4000_448C, "Wait_SPI_Idle", _wait_idle),
    RomFunction(0x4000_4644, "spi_flash_attach", _flash_attach),
    RomFunction(0x4000_4678, "Cache_Read_Enable", _enable_cache),
    RomFunction(0x4000_47F0, "Cache_Read_Disable", _disable_cache),
    RomFunction(0x4000_4878, "SPIUnlock", _unlock),
    RomFunction(0x4000_48A8, "SPILock", _lock),
    RomFunction(0x4000_48EC, "SPIReadModeCnfig", _read_mode),
    RomFunction(0x4000_4984, "SPIEraseChip", _erase_chip),
    RomFunction(0x4000_49B4, "SPIEraseBlock", _erase_block),
    RomFunction(0x4000_4A00, "SPIEraseSector", _erase_sector),
    RomFunction(0x4000_4A4C, "SPIWrite", _write),
    RomFunction(0x4000_4B1C, "SPIRead", _read),
    RomFunction(0x4000_4B44, "SPIEraseArea", _erase_area),
    RomFunction(0x4000_4C2C, "SPIParamCfg", _configure),
)
"""Flash and cache."""
