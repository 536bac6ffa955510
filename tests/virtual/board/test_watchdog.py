"""The hardware watchdog: its stages, what feeds it, and the reset by it."""

from __future__ import annotations

import pytest

from imgtool.virtual.board.watchdog import CONTROL, FEED, FIRST, SECOND, Watchdog
from tests.virtual.board import boards
from tests.virtual.board.boards import MS, Bench

BASE = 0x6000_0900
EDGES = 0x3FF0_0004
ENABLE, ONE_STAGE, FOOD = 1 << 0, 1 << 2, 0x73
UNIT = 800_000
BY_WATCHDOG = 4


class Time:
    now = 0


def watchdog(time: Time, first: int, second: int) -> Watchdog:
    made = Watchdog(lambda: time.now)
    made.write(FIRST, first)
    made.write(SECOND, second)
    return made


@pytest.mark.parametrize(("first", "stage"), [(0, UNIT), (1, 2 * UNIT), (11, UNIT << 11), (0x1B, UNIT << 11)])
def test_a_stage_doubles_with_its_register(first: int, stage: int) -> None:
    time = Time()
    dog = watchdog(time, first, 2)
    seen = [(dog.due, dog.bites)]
    time.now = 5
    dog.write(CONTROL, ENABLE)
    seen.append((dog.due, dog.bites))
    time.now = 5 + stage
    dog.warn()
    seen.append((dog.due, dog.bites))
    assert seen == [(None, False), (5 + stage, False), (5 + stage + 4 * UNIT, True)]


def test_as_sdks_set_it_the_reset_comes_after_eight_seconds() -> None:
    dog = watchdog(Time(), 11, 13)
    assert abs((UNIT << 11) + (UNIT << 13) - 8.2e9) < 1e7
    dog.write(CONTROL, ENABLE | ONE_STAGE)
    assert (dog.due, dog.bites) == (UNIT << 11, True)


def test_only_its_food_feeds_it() -> None:
    time = Time()
    dog = watchdog(time, 1, 1)
    dog.write(CONTROL, ENABLE)
    time.now = UNIT
    for other in (0, 0x72, 0x7300):
        dog.write(FEED, other)
        assert dog.due == 2 * UNIT
    dog.write(FEED, 0xFF00 | FOOD)
    assert dog.due == 3 * UNIT
    dog.warn()
    dog.write(FEED, FOOD)
    assert (dog.due, dog.bites) == (3 * UNIT, False)


def test_off_means_off() -> None:
    dog = watchdog(Time(), 1, 1)
    dog.write(CONTROL, ENABLE)
    dog.write(CONTROL, 0)
    assert dog.due is None
    dog.write(FEED, FOOD)
    assert dog.due is None
    assert [dog.read(offset) for offset in (CONTROL, FIRST, SECOND, FEED)] == [0, 1, 1, 0]
    dog.write(CONTROL, ENABLE)
    dog.reset()
    assert (dog.due, dog.read(FIRST)) == (None, 0)


# On the board -----------------------------------------------------------------------------------------------


def test_the_first_stage_interrupts_and_the_second_resets() -> None:
    bench = Bench()
    bench.write(EDGES, 1)
    bench.write(BASE + FIRST, 3)
    bench.write(BASE + SECOND, 4)
    bench.write(BASE + CONTROL, ENABLE)
    bench.wait(6 * MS)
    assert (bench.pending(), bench.board.resets) == (0, None)
    bench.wait(1 * MS)
    assert (bench.pending(), bench.board.resets) == (1 << 8, None)
    bench.wait(100 * MS)
    reset = bench.board.resets
    assert reset is not None
    assert (reset.cause, reset.at) == (BY_WATCHDOG, (UNIT << 3) + (UNIT << 4))


def test_one_stage_resets_at_once() -> None:
    bench = Bench()
    bench.write(EDGES, 1)
    bench.write(BASE + FIRST, 3)
    bench.write(BASE + CONTROL, ENABLE | ONE_STAGE)
    bench.wait(100 * MS)
    assert bench.board.resets is not None
    assert bench.board.resets.at == UNIT << 3
    assert bench.pending() == 0


def test_a_reset_stops_it() -> None:
    bench = Bench()
    bench.write(BASE + CONTROL, ENABLE | ONE_STAGE)
    bench.board.reset(boards.EXTERNAL)
    bench.wait(100 * MS)
    assert bench.board.resets is None


@pytest.mark.parametrize(("code", "bitten"), [("007000 46feff", False), ("007100 46feff", True)])
def test_a_core_that_waits_for_any_interrupt_feeds_it(code: str, bitten: bool) -> None:
    """In place of the radio's interrupts: waiti 0 does, waiti 1 does not; j . - 3."""
    bench = Bench()
    bench.write(BASE + FIRST, 3)
    bench.write(BASE + SECOND, 3)
    bench.write(BASE + CONTROL, ENABLE)
    bench.code(code)
    bench.core.ps = 0
    bench.wait(100 * MS)
    assert (bench.board.resets is not None) == bitten
