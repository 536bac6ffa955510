"""FRC1 and FRC2: counts, moments, and what happens to them when the clock changes."""

from __future__ import annotations

import pytest

from imgtool.virtual.board.timers import ALARM, CLEAR, CONTROL, COUNT, LOAD, DownTimer, UpTimer
from tests.virtual.board.boards import CODE, MS, SECOND, US, Bench

FRC1, FRC2 = 0x6000_0600, 0x6000_0620
EDGES, NMI_SOURCE = 0x3FF0_0004, 0x3FF0_0000
ENABLE, RELOAD, EXPIRED = 1 << 7, 1 << 6, 1 << 8
ROUND = 1 << 23


class Time:
    """A clock that is set by hand, and the peripherals' frequency."""

    def __init__(self) -> None:
        self.now, self.hz = 0, 1_000_000

    def down(self) -> DownTimer:
        return DownTimer(lambda: self.now, lambda: self.hz)

    def up(self) -> UpTimer:
        return UpTimer(lambda: self.now, lambda: self.hz)


# FRC1 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("divider", "factor"), [(0, 1), (1, 16), (2, 256)])
def test_frc1_counts_down_to_its_moment(divider: int, factor: int) -> None:
    time = Time()
    timer = time.down()
    timer.write(CONTROL, ENABLE | divider << 2)
    timer.write(LOAD, 1000)
    assert timer.due == 1000 * factor * US
    time.now = 400 * factor * US
    assert (timer.read(COUNT), timer.read(LOAD), timer.read(CONTROL)) == (600, 1000, ENABLE | divider << 2)


def test_frc1_does_nothing_while_it_is_off() -> None:
    time = Time()
    timer = time.down()
    timer.write(LOAD, 1000)
    time.now = SECOND
    stopped, count = timer.due, timer.read(COUNT)
    timer.write(CONTROL, ENABLE)
    started = timer.due
    time.now += 300 * US
    timer.write(CONTROL, 0)
    time.now += SECOND
    assert (stopped, count, started) == (None, 1000, SECOND + 1000 * US)
    assert (timer.due, timer.read(COUNT)) == (None, 700)


@pytest.mark.parametrize(("control", "next_round"), [(ENABLE, ROUND), (ENABLE | RELOAD, 1000)])
def test_frc1_goes_on_from_its_load_or_from_the_top(control: int, next_round: int) -> None:
    time = Time()
    timer = time.down()
    timer.write(CONTROL, control)
    timer.write(LOAD, 1000)
    time.now = 1010 * US  # somebody looks late: nothing is lost
    timer.expire()
    assert timer.due == (1000 + next_round) * US
    assert timer.read(COUNT) == next_round - 10
    assert timer.read(CONTROL) == control | EXPIRED
    timer.write(CLEAR, 1)
    assert timer.read(CONTROL) == control


def test_a_load_of_0_is_a_whole_round_of_frc1() -> None:
    time = Time()
    timer = time.down()
    timer.write(CONTROL, ENABLE)
    timer.write(LOAD, 0)
    assert timer.due == ROUND * US
    timer.write(LOAD, 1 << 23 | 5)
    assert (timer.due, timer.read(LOAD)) == (5 * US, 5)


def test_frc1_keeps_its_count_when_the_clock_changes() -> None:
    time = Time()
    timer = time.down()
    timer.write(CONTROL, ENABLE)
    timer.write(LOAD, 1000)
    time.now = 400 * US
    timer.rebase()
    time.hz *= 2
    timer.plan()
    assert timer.due == 400 * US + 300 * US
    time.now = 500 * US
    assert timer.read(COUNT) == 400


def test_frc1_after_a_reset() -> None:
    time = Time()
    timer = time.down()
    timer.write(LOAD, 5)
    timer.write(CONTROL, ENABLE)
    timer.expire()
    timer.reset()
    assert [timer.read(offset) for offset in (LOAD, COUNT, CONTROL, CLEAR)] == [0, 0, 0, 0]
    assert timer.due is None


# FRC2 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("divider", "factor"), [(0, 1), (1, 16), (2, 256)])
def test_frc2_counts_up_to_its_alarm(divider: int, factor: int) -> None:
    time = Time()
    timer = time.up()
    timer.write(CONTROL, ENABLE | divider << 2)
    timer.write(ALARM, 1000)
    assert timer.due == 1000 * factor * US
    time.now = 400 * factor * US
    assert (timer.read(COUNT), timer.read(ALARM), timer.read(LOAD)) == (400, 1000, 0)


def test_frc2_goes_round() -> None:
    time = Time()
    timer = time.up()
    timer.write(LOAD, 0xFFFF_FF00)
    timer.write(CONTROL, ENABLE)
    timer.write(ALARM, 0x100)
    assert timer.due == 0x200 * US
    time.now = 0x180 * US
    assert timer.read(COUNT) == 0x80


def test_frc2_stands_while_it_is_off() -> None:
    time = Time()
    timer = time.up()
    timer.write(LOAD, 7)
    timer.write(ALARM, 10)
    time.now = SECOND
    assert (timer.due, timer.read(COUNT)) == (None, 7)
    timer.write(CONTROL, ENABLE)
    assert timer.due == SECOND + 3 * US
    time.now += 2 * US
    timer.write(CONTROL, 0)
    time.now += SECOND
    assert timer.read(COUNT) == 9


def test_frc2_expires_once_in_a_round() -> None:
    time = Time()
    timer = time.up()
    timer.write(CONTROL, ENABLE)
    timer.write(ALARM, 1000)
    assert timer.due is not None
    time.now = timer.due
    timer.expire()
    assert timer.due == (1000 + (1 << 32)) * US
    assert timer.read(CONTROL) == ENABLE | EXPIRED
    timer.write(CLEAR, 1)
    assert timer.read(CONTROL) == ENABLE
    timer.write(ALARM, 1500)
    assert timer.due == 1500 * US


def test_frc2_loses_nothing_over_many_changes() -> None:
    """Each write counts anew from a base; parts of ticks must not get lost on the way."""
    time = Time()
    timer = time.up()
    timer.write(CONTROL, ENABLE | 2 << 2)
    time.hz = 80_000_000
    for _ in range(1000):
        time.now += 3201  # a tick is 3200 ns
        timer.write(CLEAR, 1)
    assert timer.read(COUNT) == 1000 * 3201 // 3200


def test_frc2_keeps_its_count_when_clock_or_divider_change() -> None:
    time = Time()
    timer = time.up()
    timer.write(CONTROL, ENABLE)
    timer.write(ALARM, 1000)
    time.now = 400 * US
    timer.rebase()
    time.hz *= 2
    timer.plan()
    assert timer.due == 700 * US
    timer.write(CONTROL, ENABLE | 1 << 2)
    assert timer.due == (400 + 600 * 8) * US


def test_frc2_after_a_reset() -> None:
    time = Time()
    timer = time.up()
    timer.write(CONTROL, ENABLE)
    timer.write(ALARM, 3)
    time.now = 3 * US
    timer.expire()
    timer.reset()
    assert [timer.read(offset) for offset in (LOAD, COUNT, CONTROL, ALARM)] == [0, 0, 0, 0]
    assert timer.due is None


# On the board -----------------------------------------------------------------------------------------------

TICKS = 52  # a microsecond of the peripherals' clock


def test_the_timers_interrupt_as_their_edges_are_let_through() -> None:
    bench = Bench()
    bench.write(FRC1, 100 * TICKS)
    bench.write(FRC1 + CONTROL, ENABLE)
    bench.write(FRC2 + CONTROL, ENABLE)
    bench.write(FRC2 + ALARM, 200 * TICKS)
    seen = []
    for edges in (0, 0b010, 0b110):
        bench.write(EDGES, edges)
        bench.write(FRC1, 100 * TICKS)
        bench.write(FRC2, 0)
        bench.wait(99 * US)
        early = bench.pending()
        bench.wait(2 * US)
        middle = bench.pending()
        bench.wait(100 * US)
        seen.append((early, middle, bench.pending()))
        bench.core.special[226] = 0
    assert seen == [(0, 0, 0), (0, 1 << 9, 1 << 9), (0, 1 << 9, 1 << 9 | 1 << 10)]
    assert bench.read(FRC1 + CONTROL) == ENABLE | EXPIRED


def test_frc1_may_be_the_nmi() -> None:
    bench = Bench({0x4000_0020: "1b33 103300"})  # addi.n a3, a3, 1; rfi 3
    bench.write(NMI_SOURCE, 0x0F)
    bench.write(EDGES, 0b010)
    bench.write(FRC1, 100 * TICKS)
    bench.write(FRC1 + CONTROL, ENABLE | RELOAD)
    before = bench.core.a[3]
    bench.wait(1 * MS + 50 * US)
    assert bench.core.a[3] - before == 10
    assert bench.pending() == 0


def test_a_handler_of_a_timers_interrupt_runs_at_its_moment() -> None:
    """The code that counts is in a loop that has no access to anything; it has to be left in time."""
    # At the vector: addi.n a3, a3, 1; wsr.intclear a2; rfe.  The loop: addi.n a4, a4, 1; j . - 2
    bench = Bench({0x4000_0030: "1b33 20e313 003000"})
    bench.code("1b44 86feff", a2=1 << 9)
    bench.core.ps = 0
    bench.core.special[228] = 1 << 9
    bench.write(EDGES, 0b010)
    bench.write(FRC1, 100 * TICKS)
    bench.write(FRC1 + CONTROL, ENABLE | RELOAD)
    bench.wait(1 * MS + 50 * US)
    assert bench.core.a[3] == 10
    assert CODE <= bench.core.pc < CODE + 8


def test_an_alarm_that_comes_during_a_command_of_the_flash_is_not_lost() -> None:
    """The command takes long, and the next instruction sets the alarm anew."""
    bench = Bench()
    bench.write(EDGES, 0b100)
    bench.write(FRC2 + CONTROL, ENABLE)
    bench.write(FRC2 + ALARM, 1000 * TICKS)
    bench.write(0x6000_0200, 1 << 30)  # write enable
    bench.write(0x6000_0204, 0)
    # s32i.n a3, a2, 0 (sector erase); s32i.n a4, a2, 0 (read status: waits); s32i.n a6, a5, 0 (alarm); j .
    bench.code("3902 4902 6905 06ffff", a2=0x6000_0200, a3=1 << 24, a4=1 << 27, a5=FRC2 + ALARM, a6=7)
    bench.wait(100 * MS)
    assert bench.flash.counts["sector"] == 1
    assert bench.clock.now > 20 * MS
    assert bench.read(FRC2 + ALARM) == 7
    assert bench.pending() == 1 << 10
