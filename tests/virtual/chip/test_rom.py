"""Functions of the ROM, called as a program calls them: arguments in a2 to a7, the result in a2."""

from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.virtual.chip.ledger import digest_ns
from imgtool.virtual.chip.machine import Activity, Setup, Stop, VirtualChip
from imgtool.virtual.chip.rom import FUNCTIONS, LOADER_RETURN
from imgtool.virtual.cpu.core import Trap

BUFFER = 0x3FFE_9000
OTHER = 0x3FFE_A000
STACK = 0x3FFF_F000
ADDRESS = {function.name: address for address, function in FUNCTIONS.items()}


@pytest.fixture
def chip() -> VirtualChip:
    chip = VirtualChip(Setup())
    chip.power_on(download=True)
    chip.uart.drain()
    return chip


def call(chip: VirtualChip, name: str, *arguments: int) -> int:
    """Call a function with the core's registers set up for it; the result."""
    core = chip.core
    core.a[0], core.a[1] = LOADER_RETURN, STACK
    for number, value in enumerate(arguments):
        core.a[2 + number] = value & 0xFFFF_FFFF
    core.pc = ADDRESS[name]
    chip.rom.call(chip.rom.function(ADDRESS[name]))
    assert core.pc == LOADER_RETURN
    return core.a[2]


def test_a_program_that_waits_for_a_byte_costs_nothing_and_gets_it(chip: VirtualChip) -> None:
    chip.start(ADDRESS["uart_rx_one_char_block"])
    waiting = [chip.run() for _ in range(3)]
    before, done = chip.now, chip.core.instructions
    assert waiting[-1] is Stop.IDLE
    chip.pass_time(before + 500_000_000)
    chip.uart.arrive(b"\xa5", chip.now, 115_200)
    while chip.activity is Activity.PROGRAM:
        chip.run()
    assert chip.core.a[2] == 0xA5
    assert chip.core.instructions - done < 10


def said(chip: VirtualChip) -> bytes:
    return bytes(byte for byte, _, _ in chip.uart.drain())


def test_every_address_is_in_the_rom_and_aligned() -> None:
    assert all(0x4000_0000 <= address < 0x4001_0000 and address % 4 == 0 for address in FUNCTIONS)
    assert len(ADDRESS) == len(FUNCTIONS)


@given(st.binary(min_size=1, max_size=80), st.integers(0, 3))
def test_memory_functions(data: bytes, shift: int) -> None:
    chip = VirtualChip(Setup())
    chip.core.load(BUFFER + shift, data)
    assert call(chip, "memcpy", OTHER, BUFFER + shift, len(data)) == OTHER
    assert chip.core.fetch(OTHER, len(data)) == data
    assert call(chip, "memcmp", OTHER, BUFFER + shift, len(data)) == 0
    assert call(chip, "memmove", OTHER + 1, OTHER, len(data)) == OTHER + 1
    assert chip.core.fetch(OTHER + 1, len(data)) == data
    call(chip, "memset", OTHER, 0x1A5, len(data))
    assert chip.core.fetch(OTHER, len(data)) == b"\xa5" * len(data)
    call(chip, "bzero", OTHER, len(data))
    assert chip.core.fetch(OTHER, len(data)) == bytes(len(data))


@given(st.integers(0, 2**32 - 1), st.integers(1, 2**32 - 1))
def test_division(one: int, other: int) -> None:
    chip = VirtualChip(Setup())
    signed, divisor = struct.unpack("<ii", struct.pack("<II", one, other))
    assert call(chip, "__udivsi3", one, other) == one // other
    assert call(chip, "__umodsi3", one, other) == one % other
    assert (
        call(chip, "__divsi3", one, other)
        == int(abs(signed) // abs(divisor)) * (1 if (signed < 0) == (divisor < 0) else -1) & 0xFFFF_FFFF
    )


@pytest.mark.parametrize("name", ["__udivsi3", "__umodsi3", "__divsi3"])
def test_division_by_zero_is_a_trap(chip: VirtualChip, name: str) -> None:
    with pytest.raises(Trap, match="division by zero"):
        call(chip, name, 1, 0)


@pytest.mark.parametrize(
    ("name", "one", "other", "difference"),
    [
        ("strcmp", b"abc\0", b"abc\0", 0),
        ("strcmp", b"abc\0", b"abd\0", -1),
        ("strcmp", b"b\0", b"abc\0", 1),
        ("strcmp", b"ab\0", b"a\0", 0x62),
        ("ets_strcmp", b"\xff\0", b"a\0", 0x9E),
    ],
)
def test_strings_compare(chip: VirtualChip, name: str, one: bytes, other: bytes, difference: int) -> None:
    """The ROM gives the difference of the bytes."""
    chip.core.load(BUFFER, one)
    chip.core.load(OTHER, other)
    assert call(chip, name, BUFFER, OTHER) == difference & 0xFFFF_FFFF


def test_another_speed_waits_for_nothing_and_empties_the_fifos(chip: VirtualChip) -> None:
    uart = chip.uart
    chip.pass_time(uart.quiet_at)
    uart.arrive(b"in", chip.now, 115_200)
    for byte in b"out":
        uart.put(byte)
    begun = chip.now
    call(chip, "uart_div_modify", 0, 56)
    assert chip.now == begun
    assert said(chip) == b"o"
    assert uart.waiting == 0
    call(chip, "uart_div_modify", 1, 100)
    assert uart.read(0x14) == 56


def test_strings(chip: VirtualChip) -> None:
    chip.core.load(BUFFER, b"hello\0")
    assert call(chip, "strlen", BUFFER) == 5
    call(chip, "strcpy", OTHER, BUFFER)
    assert chip.core.fetch(OTHER, 6) == b"hello\0"
    call(chip, "strncpy", OTHER, BUFFER, 8)
    assert chip.core.fetch(OTHER, 8) == b"hello\0\0\0"
    chip.core.load(OTHER, b"help\0")
    assert call(chip, "strncmp", BUFFER, OTHER, 3) == 0


@pytest.mark.parametrize(
    ("template", "arguments", "printed"),
    [
        (b"plain\n", (), b"plain\r\n"),
        (b"%d %u", (0xFFFF_FFFF, 0xFFFF_FFFF), b"-1 4294967295"),
        (b"0x%08x|%X|%5d|%-5d|", (0xBEEF, 0xBEEF, 42, 42), b"0x0000beef|BEEF|   42|42   |"),
        (b"%c%c%%", (0x4F, 0x4B), b"OK%"),
        (b"%lu %p", (7, 0x40100000), b"7 0x40100000"),
        (b"%d %d %d %d %d %d %d", (1, 2, 3, 4, 5, 6, 7), b"1 2 3 4 5 6 7"),
    ],
)
def test_printf(chip: VirtualChip, template: bytes, arguments: tuple[int, ...], printed: bytes) -> None:
    chip.core.load(BUFFER, template + b"\0")
    # What does not fit into a3 to a7 is on the stack.
    chip.core.load(STACK, struct.pack("<8I", *(*arguments[5:], *[0] * 8)[:8]))
    call(chip, "ets_printf", BUFFER, *arguments[:5])
    assert said(chip) == printed


def test_printf_of_a_string(chip: VirtualChip) -> None:
    chip.core.load(BUFFER, b"<%s>\0")
    chip.core.load(OTHER, b"text\0")
    call(chip, "ets_printf", BUFFER, OTHER)
    assert said(chip) == b"<text>"


def test_md5_of_pieces(chip: VirtualChip) -> None:
    chip.core.load(OTHER, b"abcdefgh")
    call(chip, "MD5Init", BUFFER)
    call(chip, "MD5Update", BUFFER, OTHER, 3)
    call(chip, "MD5Update", BUFFER, OTHER + 3, 5)
    call(chip, "MD5Final", BUFFER + 0x100, BUFFER)
    assert chip.core.fetch(BUFFER + 0x100, 16) == hashlib.md5(b"abcdefgh", usedforsecurity=False).digest()
    with pytest.raises(Trap, match="without MD5Init"):
        call(chip, "MD5Update", BUFFER, OTHER, 3)


def test_a_digest_with_its_read_costs_what_the_contract_says(chip: VirtualChip) -> None:
    chip.attach_flash()
    call(chip, "MD5Init", BUFFER)
    start = chip.now
    call(chip, "SPIRead", 0, OTHER, 4096)
    call(chip, "MD5Update", BUFFER, OTHER, 4096)
    assert chip.now - start == pytest.approx(digest_ns(4096), rel=0.001)
    assert digest_ns(650_000) == 1_000_000_000


def test_the_flash_is_not_there_before_it_is_attached(chip: VirtualChip) -> None:
    chip.attach_flash()
    chip.program(0, b"\x12\x34")
    chip.power_on(download=True)
    with pytest.raises(Trap, match="waits for ever"):
        call(chip, "SPIRead", 0, OTHER, 2)
    call(chip, "spi_flash_attach")
    call(chip, "SPIRead", 0, OTHER, 2)
    assert chip.core.fetch(OTHER, 2) == b"\x12\x34"


def test_flash_functions(chip: VirtualChip) -> None:
    chip.attach_flash()
    chip.core.load(BUFFER, bytes(range(256)) * 2)
    start = chip.now
    assert call(chip, "SPIWrite", 0x1080, BUFFER, 512) == 0
    assert chip.now - start == 3 * 700_000  # 128, 256 and 128 bytes
    assert chip.flash.read(0x1080, 512) == bytes(range(256)) * 2
    assert call(chip, "SPIRead", 0x1100, OTHER, 256) == 0
    assert chip.core.fetch(OTHER, 256) == (bytes(range(256)) * 2)[0x80:0x180]
    start = chip.now
    assert call(chip, "SPIEraseSector", 1) == 0
    assert chip.now - start == 45_000_000
    assert chip.flash.read(0x1000, 0x1000) == b"\xff" * 0x1000
    assert call(chip, "SPIEraseBlock", 2) == 0
    assert call(chip, "SPIEraseChip") == 0
    assert chip.flash.counts == {"page": 3, "sector": 1, "block64": 1, "chip": 1}


def test_unaligned_writes_are_a_trap(chip: VirtualChip) -> None:
    with pytest.raises(Trap, match="unaligned"):
        call(chip, "SPIWrite", 2, BUFFER, 4)


def erased_by(start: int, count: int) -> int:
    """Sectors that the ROM erases, by the published description of its fault."""
    return count + min(16 - start % 16, count)


@given(st.integers(0, 40), st.integers(1, 40))
def test_erase_area_counts_the_head_twice(start: int, count: int) -> None:
    chip = VirtualChip(Setup())
    chip.attach_flash()
    for sector in range(128):
        chip.flash.program(chip.flash.busy_until, sector * 0x1000, b"\0")
    call(chip, "SPIEraseArea", start * 0x1000, count * 0x1000)
    erased = [sector for sector in range(128) if chip.flash.read(sector * 0x1000, 1) == b"\xff"]
    assert erased == list(range(start, start + erased_by(start, count)))


def test_an_unknown_address_is_a_trap(chip: VirtualChip) -> None:
    with pytest.raises(Trap, match="unknown ROM address 0x40000f00"):
        chip.rom.function(0x40000F00)


def test_delays_take_time(chip: VirtualChip) -> None:
    start = chip.now
    call(chip, "ets_delay_us", 1500)
    assert chip.now - start == 1_500_000
