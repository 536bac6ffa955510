"""The window of the flash: which megabyte it shows, and what happens when the flash changes."""

from __future__ import annotations

from random import Random

import pytest

from imgtool.virtual.chip.lazy_store import LazyStore
from imgtool.virtual.cpu.full_core import WINDOW
from tests.virtual.board.boards import CODE, EXTERNAL, MS, Bench

CACHE = 0x3FF0_000C
ON = 1 << 8
MEGABYTE = 1 << 20
SPI = 0x6000_0200


def seen(bench: Bench, offset: int, count: int = 1) -> list[int]:
    """Words that the core loads from the window."""
    words = []
    for at in range(offset, offset + 4 * count, 4):
        bench.code("3802 06ffff", a2=WINDOW.start + at)  # l32i.n a3, a2, 0; j .
        bench.board.run(bench.clock.now + MS, 2)
        words.append(bench.core.a[3])
    return words


def stored(bench: Bench, address: int, count: int = 1) -> list[int]:
    data = bench.flash.read(address, 4 * count)
    return [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]


def filled(megabytes: float) -> Bench:
    bench = Bench(megabytes=megabytes)
    random = Random(0)
    for address in range(0, bench.flash.length, 0x8000):
        bench.store.write(address, random.randbytes(64))
    return bench


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (ON, 0),
        (ON | 1 << 25, MEGABYTE),
        (ON | 1 << 16, 2 * MEGABYTE),
        (ON | 1 << 16 | 1 << 25, 3 * MEGABYTE),
    ],
)
def test_which_megabyte_it_shows(value: int, place: int) -> None:
    bench = filled(4)
    bench.write(CACHE, value)
    for offset in (0, 0x8000, 0xF8000):
        assert seen(bench, offset, 4) == stored(bench, place + offset, 4)
    assert bench.read(CACHE) == value


@pytest.mark.parametrize("megabytes", [0.5, 1])
def test_a_small_flash_is_seen_again_and_again(megabytes: float) -> None:
    bench = filled(megabytes)
    for value in (ON, ON | 1 << 25):
        bench.write(CACHE, value)
        assert seen(bench, 0x8000) == stored(bench, 0x8000)
        assert seen(bench, 0x88000) == stored(bench, 0x88000 % bench.flash.length)


def test_it_is_closed_after_a_reset_and_reads_as_0() -> None:
    bench = filled(1)
    assert seen(bench, 0) == [0]
    bench.write(CACHE, ON)
    assert seen(bench, 0) == stored(bench, 0)
    bench.board.reset(EXTERNAL)
    assert (seen(bench, 0), bench.read(CACHE)) == ([0], 0)
    bench.write(CACHE, ON)
    bench.write(CACHE, 0)
    assert seen(bench, 0) == [0]


def test_the_cache_says_that_it_has_stopped() -> None:
    bench = Bench()
    bench.write(CACHE, 1)
    assert bench.read(CACHE) == 0b11
    bench.write(CACHE, 0)
    assert bench.read(CACHE) == 0


@pytest.mark.parametrize("open_meanwhile", [True, False])
@pytest.mark.parametrize("megabytes", [0.5, 1, 4])
def test_a_program_and_an_erase_are_seen(open_meanwhile: bool, megabytes: float) -> None:
    bench = filled(megabytes)
    top = bench.flash.length - 0x8000
    bench.write(CACHE, ON)
    bench.write(CACHE, ON if open_meanwhile else 0)
    # Over the end of what is shown of 4 MB, too.
    for address in (0x8000, min(top, MEGABYTE - 0x100)):
        for kind in ("sector", "program"):
            bench.flash.transact(bench.clock.now, b"\x06", 0)
            if kind == "sector":
                bench.flash.erase(bench.clock.now, "sector", address & ~0xFFF)
            else:
                bench.flash.program(bench.clock.now, address, b"\x12\x34\x56\x78")
            bench.clock.skip_to(bench.flash.busy_until)
            bench.write(CACHE, ON)
            assert seen(bench, address) == stored(bench, address)
            if megabytes == 0.5:
                assert seen(bench, address + 0x80000) == stored(bench, address)
            bench.write(CACHE, ON if open_meanwhile else 0)
        assert stored(bench, address) == [0x78563412]


def test_code_of_the_window_is_as_the_flash_is_now() -> None:
    bench = Bench(megabytes=1)
    bench.write(CACHE, ON)
    results = []
    for code in ("0c53 06ffff", "0c13 06ffff"):  # movi.n a3, 5 and, with bits cleared, 1; j .
        bench.flash.program(bench.clock.now, 0x1000, bytes.fromhex(code))
        bench.clock.skip_to(bench.flash.busy_until)
        bench.core.pc = WINDOW.start + 0x1000
        bench.core.waiting = False
        bench.board.run(bench.clock.now + MS, 10)
        results.append(bench.core.a[3])
    assert results == [5, 1]


def test_code_of_iram_changes_flash_and_calls_into_it() -> None:
    """Through the controller's registers: the code that is called is that after the change."""
    bench = Bench(megabytes=1)
    bench.write(CACHE, ON)
    bench.flash.program(0, 0, bytes.fromhex("0c73 0df0"))  # movi.n a3, 7; ret.n
    bench.clock.skip_to(bench.flash.busy_until)
    bench.write(SPI + 0x04, 4 << 24)  # four bytes at 0
    bench.write(SPI + 0x40, int.from_bytes(bytes.fromhex("0c13 0df0"), "little"))
    # callx0 a5; mov.n a4, a3; s32i.n a6, a2, 0 (write enable); s32i.n a7, a2, 0 (program);
    # s32i.n a8, a2, 0 (status: waits); callx0 a5; j .
    commands = {"a6": 1 << 30, "a7": 1 << 25, "a8": 1 << 27}
    bench.code("c00500 4d03 6902 7902 8902 c00500 06ffff", a2=SPI, a5=WINDOW.start, **commands)
    bench.wait(20 * MS)
    assert (bench.core.a[4], bench.core.a[3]) == (7, 1)
    assert bench.core.pc == CODE + 14


def far(megabytes: float, reads: list[int]) -> Bench:
    """A board whose flash is read when it is looked at."""
    near = filled(megabytes)

    def read(address: int, size: int) -> bytes:
        reads.append(address)
        return near.flash.read(address, size)

    return Bench(megabytes=megabytes, store=LazyStore(near.flash.length, read))


@pytest.mark.parametrize("megabytes", [0.5, 1, 4])
def test_only_what_it_looks_at_is_read(megabytes: float) -> None:
    reads: list[int] = []
    bench = far(megabytes, reads)
    bench.write(CACHE, ON)
    assert reads == []

    near = filled(megabytes)
    for offset in (0x8000, 0x10000, 0x8000, 0x78000):
        assert seen(bench, offset, 4) == stored(near, offset, 4)
    assert {address & -0x1000 for address in reads} == {0x8000, 0x10000, 0x78000}


def test_what_is_not_read_yet_is_seen_as_it_was_changed() -> None:
    reads: list[int] = []
    bench = far(1, reads)
    bench.write(CACHE, ON)
    end = bench.flash.erase(bench.clock.now, "sector", 0x8000)
    bench.clock.skip_to(end)
    bench.flash.program(end, 0x8004, b"\x01\x02\x03\x04")

    assert seen(bench, 0x8000, 3) == [0xFFFF_FFFF, 0x0403_0201, 0xFFFF_FFFF]
    assert reads == []


def test_code_that_is_far_away_runs() -> None:
    near = Bench(megabytes=1)
    near.store.write(0x8000, bytes.fromhex("0c73 06ffff"))  # movi.n a3, 7; j .
    reads: list[int] = []

    def read(address: int, size: int) -> bytes:
        reads.append(address)
        return near.flash.read(address, size)

    bench = Bench(megabytes=1, store=LazyStore(MEGABYTE, read))
    bench.write(CACHE, ON)
    bench.core.pc = WINDOW.start + 0x8000
    bench.core.waiting = False
    bench.board.run(bench.clock.now + MS, 2)

    assert bench.core.a[3] == 7
    assert {address & -0x1000 for address in reads} == {0x8000}
