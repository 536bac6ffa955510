"""The board's registers, resets, sleep, clocks and delays, without the chip's ROM."""

from __future__ import annotations

import pytest

from imgtool.flash_parts import default_part
from imgtool.virtual.board.answers import ANSWERS
from imgtool.virtual.board.firmware_chip import FirmwareChip
from imgtool.virtual.board.peripherals import Reset
from imgtool.virtual.chip.machine import Setup
from imgtool.virtual.chip.store import MemoryStore
from imgtool.virtual.cpu.core import Trap
from imgtool.virtual.cpu.full_core import Cause
from tests.virtual.board.boards import (
    CODE,
    EFUSES,
    EXTERNAL,
    MS,
    POWER_ON,
    RESET,
    SECOND,
    US,
    Bench,
    rom_of,
)

GPIO_OUT = 0x6000_0300
UART0 = 0x6000_0000
RTC_MEMORY = 0x6000_1000
RTC_STORE = 0x6000_0730
RTC_POWER, RTC_ALARM, SLEEP, RTC_COUNT = 0x6000_0700, 0x6000_0704, 0x6000_0708, 0x6000_071C
RESET_CAUSE, RESET_KIND, STRAPS = 0x6000_0714, 0x6000_0718, 0x6000_0318
CPU_CLOCK = 0x3FF0_0014
I2C = 0x6000_0D10
I2C_WRITE, PLL = 1 << 24, 0x67
START_SLEEP = 1 << 20
WAKING = 5
DELAY = 0x4000_2ECC

# Registers --------------------------------------------------------------------------------------------------


def test_registers_keep_what_is_written() -> None:
    bench = Bench()
    bench.write(GPIO_OUT, 0x89ABCDEF)
    assert bench.read(GPIO_OUT) == 0x89ABCDEF
    assert [bench.read(GPIO_OUT + at, 1) for at in range(4)] == [0xEF, 0xCD, 0xAB, 0x89]
    assert [bench.read(GPIO_OUT + at, 2) for at in (0, 2)] == [0xCDEF, 0x89AB]
    assert bench.board.unmodelled == {}


def test_stores_of_bytes_and_half_words_leave_the_rest() -> None:
    bench = Bench()
    bench.write(GPIO_OUT, 0x89ABCDEF)
    bench.write(GPIO_OUT + 1, 0x11, 1)
    assert bench.read(GPIO_OUT) == 0x89AB11EF
    bench.write(GPIO_OUT + 2, 0x2233, 2)
    assert bench.read(GPIO_OUT) == 0x223311EF
    bench.write(GPIO_OUT + 3, 0x44, 1)
    assert bench.read(GPIO_OUT) == 0x443311EF


def test_a_byte_stored_to_the_fifo_is_sent() -> None:
    bench = Bench()
    bench.code("324200 06ffff", a2=UART0, a3=0x141)  # s8i a3, a2, 0; j .
    bench.wait(1 * MS)
    assert [byte for byte, _, _ in bench.uart.drain()] == [0x41]


def test_each_unmodelled_address_is_noted_once_with_its_first_reader() -> None:
    bench = Bench()
    # l32i.n a3, a2, 0; l8ui a4, a2, 5; l32i.n a3, a2, 0; j .
    bench.code("3802 420205 3802 06ffff", a2=GPIO_OUT, a3=1, a4=1)
    bench.wait(10 * US)
    assert bench.board.unmodelled == {GPIO_OUT: CODE, GPIO_OUT + 4: CODE + 2}
    assert bench.core.a[3:5] == [0, 0]
    bench.write(GPIO_OUT + 8, 0)
    bench.read(GPIO_OUT + 8)
    assert GPIO_OUT + 8 not in bench.board.unmodelled


@pytest.mark.parametrize(
    ("address", "value"), [(0x2000_0000, 0x8000), (0x3FFC_1234, 0x3FFC_1234), (0x7000_0000, 0x8000)]
)
def test_what_an_address_without_registers_answers(address: int, value: int) -> None:
    assert Bench().read(address) == value


@pytest.mark.parametrize(
    ("code", "cause"), [("3802", Cause.LOAD_PROHIBITED), ("3902", Cause.STORE_PROHIBITED)]
)
def test_where_nothing_is_firmware_gets_an_exception(code: str, cause: int) -> None:
    bench = Bench()
    bench.code(code, a2=0)
    bench.core.ps = 0
    bench.wait(10 * US)
    assert bench.core.exceptions[cause] == 1
    with pytest.raises(Trap, match="nothing can be"):
        bench.read(0)


def test_a_store_to_an_address_that_swallows_it() -> None:
    bench = Bench()
    bench.write(0x8888_8888, 1)
    with pytest.raises(Trap, match="nothing can be written"):
        bench.write(0x2000_0000, 1)


@pytest.mark.parametrize("row", ANSWERS, ids=lambda row: row.name)
def test_registers_that_firmware_waits_for(row: object) -> None:
    bench = Bench()
    assert row in ANSWERS
    address, ones, zeros, at_reset = (getattr(row, name) for name in ("address", "ones", "zeros", "at_reset"))
    assert bench.read(address) == at_reset & ~zeros | ones
    for value in (0, 0xFFFF_FFFF, 0x1234_5678):
        bench.write(address, value)
        assert bench.read(address) == value & ~zeros | ones
    bench.board.reset(EXTERNAL)
    assert (
        bench.read(address)
        == (0x1234_5678 if 0x700 <= address & 0xFFFF < 0x800 else at_reset) & ~zeros | ones
    )


def test_the_efuses_are_read_and_not_written() -> None:
    bench = Bench()
    assert [bench.read(0x3FF0_0000 + offset) for offset in EFUSES] == list(EFUSES.values())
    bench.write(0x3FF0_0050, 0)
    assert bench.read(0x3FF0_0050) == EFUSES[0x50]
    assert bench.read(0x3FF0_0052, 2) == EFUSES[0x50] >> 16


def test_the_pins_choose_the_boot_from_flash() -> None:
    assert Bench().read(STRAPS) >> 16 & 3 == 3


def test_random_numbers_are_the_same_in_each_run() -> None:
    first, second = Bench(), Bench()
    numbers = [first.read(0x3FF2_0E44) for _ in range(5)]
    assert numbers == [second.read(0x3FF2_0E44) for _ in range(5)]
    assert len(set(numbers)) == 5


def test_the_radios_registers_answer_by_block_and_register() -> None:
    bench = Bench()
    bench.write(I2C, I2C_WRITE | 0x5A << 16 | 3 << 8 | 0x61)
    bench.write(I2C, I2C_WRITE | 0xA5 << 16 | 4 << 8 | 0x61)
    bench.write(I2C, 3 << 8 | 0x61)
    assert bench.read(I2C) == 0x5A << 16 | 3 << 8 | 0x61
    bench.write(I2C + 4, 7 << 8 | 0x62)
    assert bench.read(I2C + 4) >> 16 == 0x80  # the synthesizer has locked
    bench.board.reset(EXTERNAL)
    bench.write(I2C, 3 << 8 | 0x61)
    assert bench.read(I2C) >> 16 == 0


def test_a_program_waits_for_room_in_the_fifo() -> None:
    """Time passes while it polls: with every look at a full FIFO a byte has left."""
    bench = Bench()
    for _ in range(128):
        bench.write(UART0, 0x55)
    before = bench.clock.now
    full = [bench.read(UART0 + 0x1C) >> 16 & 0xFF for _ in range(4)]
    assert full[0] >= 126 > full[-1]
    assert bench.clock.now > before


def test_a_received_byte_raises_the_line_until_it_is_read() -> None:
    bench = Bench()
    bench.write(UART0 + 0x24, 1)  # an interrupt for each byte
    bench.write(UART0 + 0x0C, 1)
    bench.uart.arrive(b"ab", bench.clock.now, None)
    bench.wait(5 * MS)
    assert bench.pending() == 1 << 5
    assert bench.read(UART0) == ord("a")
    assert bench.pending() == 1 << 5
    assert bench.read(UART0) == ord("b")
    bench.write(UART0 + 0x10, 1)
    assert bench.pending() == 0


# Clocks -----------------------------------------------------------------------------------------------------


def cycles(bench: Bench, ns: int) -> int:
    before = bench.core.ccount
    bench.clock.skip_to(bench.clock.now + ns)
    return bench.core.ccount - before


def test_the_clocks_are_the_crystals_until_the_pll_runs() -> None:
    bench = Bench()
    assert cycles(bench, 1 * MS) == 52_000
    bench.write(CPU_CLOCK, 1)
    assert cycles(bench, 1 * MS) == 52_000
    bench.write(I2C, I2C_WRITE | 0x88 << 16 | 4 << 8 | PLL)
    assert cycles(bench, 1 * MS) == 160_000
    bench.write(CPU_CLOCK, 0)
    assert cycles(bench, 1 * MS) == 80_000
    bench.board.reset(EXTERNAL)
    assert cycles(bench, 1 * MS) == 52_000


def test_the_pll_changes_the_speed_of_line_and_timers() -> None:
    bench = Bench()
    bench.write(0x6000_0628, 1 << 7)
    divider = bench.read(UART0 + 0x14)
    slow = bench.uart.baud
    assert slow == round(52_000_000 / divider)
    bench.clock.skip_to(1 * MS)
    assert bench.read(0x6000_0624) == 52_000
    bench.write(I2C, I2C_WRITE | PLL)
    assert bench.uart.baud == round(80_000_000 / divider)
    bench.clock.skip_to(2 * MS)
    assert bench.read(0x6000_0624) == 132_000


def test_the_timer_of_the_core_interrupts_at_its_cycle() -> None:
    """Also where the core waits, and the board skips to that very moment."""
    bench = Bench({0x4000_0030: "1b33 20f013 003000"})  # addi.n a3, a3, 1; wsr.ccompare0 a2; rfe
    # 1: waiti 0; j 1b
    bench.code("007000 46feff", a2=0x8000_0000, a3=0)
    bench.core.ps = 0
    bench.core.special.update({228: 1 << 6, 240: bench.core.ccount + 52_000})
    bench.board.run(bench.clock.now + MS, 5)
    before = bench.clock.now
    while bench.core.a[3] == 0 and bench.clock.now < 100 * MS:
        if bench.board.run(bench.clock.now + 50 * MS, 100):
            event = bench.board.next_event()
            assert event is not None
            bench.clock.skip_to(event)
    assert bench.core.a[3] == 1
    assert bench.clock.now - before == pytest.approx(1 * MS, abs=2 * US)


# Delays -----------------------------------------------------------------------------------------------------


def test_a_delay_passes_at_once() -> None:
    bench = Bench()
    bench.code("c00300 06ffff", a2=5000, a3=DELAY)  # callx0 a3; j .
    bench.board.run(bench.clock.now + SECOND, 2)
    assert bench.core.pc == CODE + 3
    assert bench.clock.now == pytest.approx(5 * MS, abs=US)


def test_interrupts_come_in_the_middle_of_a_delay() -> None:
    # At the vector: addi.n a6, a6, 1; wsr.intclear a5; rfe
    bench = Bench({0x4000_0030: "1b66 50e313 003000"})
    bench.write(0x3FF0_0004, 0b010)
    bench.write(0x6000_0600, 52_000)
    bench.write(0x6000_0608, 1 << 7 | 1 << 6)  # each millisecond
    bench.core.special[228] = 1 << 9
    bench.code("c00300 4d06 06ffff", a2=5500, a3=DELAY, a4=0, a5=1 << 9, a6=0)
    bench.core.ps = 0
    while bench.core.a[4] == 0 and bench.clock.now < SECOND:
        bench.board.run(SECOND, 1000)
    assert bench.core.a[4] == 5
    assert 5.5 * MS <= bench.clock.now < 5.6 * MS


def test_a_delay_ends_a_run_at_its_moment() -> None:
    bench = Bench()
    bench.code("c00300 06ffff", a2=10_000, a3=DELAY)
    bench.board.run(2 * MS, 1000)
    assert 2 * MS <= bench.clock.now < 2 * MS + 2 * US
    assert bench.core.pc == DELAY
    bench.wait(8 * MS)
    assert bench.core.pc == CODE + 3


@pytest.mark.parametrize("micros", [0, 1])
def test_a_short_delay(micros: int) -> None:
    bench = Bench()
    bench.code("c00300 06ffff", a2=micros, a3=DELAY)
    bench.wait(10 * US)
    assert bench.core.pc == CODE + 3


# Resets and sleep -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cause", [POWER_ON, EXTERNAL, 3, 4, WAKING])
def test_what_a_reset_keeps(cause: int) -> None:
    bench = Bench()
    for address in (GPIO_OUT, RTC_STORE, RTC_MEMORY, RTC_MEMORY + 0x3FC, CPU_CLOCK):
        bench.write(address, 0x55)
    bench.core.dram[:4] = b"stay"
    bench.board.reset(cause)
    kept = 0 if cause == POWER_ON else 0x55
    assert [bench.read(address) for address in (RTC_STORE, RTC_MEMORY, RTC_MEMORY + 0x3FC)] == [kept] * 3
    assert [bench.read(address) for address in (GPIO_OUT, CPU_CLOCK)] == [0, 0]
    assert bench.read(RESET_CAUSE) == cause
    assert (bench.read(RESET_KIND) >> 8 & 0x3F == 8) == (cause == WAKING)
    assert (bench.core.pc, bytes(bench.core.dram[:4])) == (RESET, b"stay")


def test_deep_sleep_ends_at_the_alarm() -> None:
    bench = Bench()
    bench.clock.skip_to(10 * MS)
    alarm = bench.read(RTC_COUNT) + 150  # a millisecond of the RTC
    bench.write(RTC_ALARM, alarm)
    bench.write(RTC_POWER, 0)
    bench.write(SLEEP, START_SLEEP | 7)
    assert bench.board.resets == Reset(WAKING, 11 * MS)
    assert bench.read(SLEEP) == 7  # the bit clears itself
    assert not bench.board.run(SECOND, 1000)
    assert bench.core.instructions == 0


def test_deep_sleep_without_an_alarm_is_for_ever() -> None:
    bench = Bench()
    bench.write(SLEEP, START_SLEEP)
    assert bench.board.resets == Reset(WAKING, None)


def test_the_short_sleep_that_starts_the_pll_is_none() -> None:
    bench = Bench()
    bench.write(RTC_POWER, 1)
    bench.write(SLEEP, START_SLEEP)
    assert bench.board.resets is None
    bench.write(RTC_POWER, 0)
    bench.write(SLEEP, 7)
    assert bench.board.resets is None


# As a chip --------------------------------------------------------------------------------------------------


def chip_with(code: str) -> FirmwareChip:
    """A chip whose ROM has some code at the reset vector."""
    part = default_part(1 << 20)
    return FirmwareChip(Setup(part, MemoryStore(part.bytes)), rom_of({RESET: code}))


# A literal in front of the vector is in reach of l32r only as bytes of the ROM: movi and shifts do.
# movi a2, 0x600; slli a2, a2, 20: registers at 0x60000000.
DEVICES = "22a600 c02201"


def test_a_chip_sleeps_and_wakes() -> None:
    # addmi a3, a2, 0x700; l32i.n a4, a3, 0x1c; addmi a4, a4, 0x600 (10.24 ms); s32i.n a4, a3, 4;
    # movi.n a5, 1; slli a5, a5, 20; s32i.n a5, a3, 8; j .
    chip = chip_with(f"{DEVICES} 32d207 4873 42d406 4913 0c15 c05501 5923 06ffff")
    chip.power_on(download=False)
    causes = []
    for _ in range(60):
        chip.run(chip.now + MS)
        causes.append(chip.board.core.readers[RESET_CAUSE]())
    assert causes[0] == POWER_ON
    assert causes[-1] == WAKING
    wakes = chip.now // (1536 * SECOND // 150_000)
    assert wakes == pytest.approx(5, abs=1)


def test_a_chip_is_reset_by_its_watchdog() -> None:
    # addmi a3, a2, 0x900; movi.n a4, 5; s32i.n a4, a3, 0 (one stage, on); j .
    chip = chip_with(f"{DEVICES} 32d209 0c54 4903 06ffff")
    chip.power_on(download=False)
    chip.run(10 * MS)
    assert chip.board.core.readers[RESET_CAUSE]() == 4


def test_a_chip_that_sleeps_for_ever_waits_for_a_reset() -> None:
    # addmi a3, a2, 0x700; movi.n a5, 1; slli a5, a5, 20; s32i.n a5, a3, 8; j .
    chip = chip_with(f"{DEVICES} 32d207 0c15 c05501 5923 06ffff")
    chip.power_on(download=False)
    chip.run(SECOND)
    asleep = chip.board.resets
    chip.power_on(download=False)
    assert (asleep, chip.board.resets) == (Reset(WAKING, None), None)
    assert chip.board.core.readers[RESET_CAUSE]() == EXTERNAL
