"""The flash of which only that is read which somebody asks for."""

from __future__ import annotations

from random import Random
from typing import Final

import pytest

from imgtool.flash_parts import default_part
from imgtool.virtual.chip.lazy_store import LazyStore
from imgtool.virtual.chip.nor import NorFlash
from imgtool.virtual.chip.store import MemoryStore

SIZE: Final = 0x8_0000
CONTENT: Final = Random(1).randbytes(SIZE)


class Far:
    """A flash at the end of a line, which notes what is read of it."""

    def __init__(self) -> None:
        self.reads: list[tuple[int, int]] = []
        self.store = LazyStore(SIZE, self)

    def __call__(self, address: int, size: int) -> bytes:
        self.reads.append((address, size))
        return CONTENT[address : address + size]


def test_nothing_is_read_unasked() -> None:
    far = Far()

    assert far.store.size == SIZE
    assert far.store.content == far.store.before == b"\xff" * SIZE
    assert not far.reads


def test_a_page_is_read_once() -> None:
    far = Far()

    assert far.store.read(0x1234, 4) == CONTENT[0x1234:0x1238]
    assert far.store.read(0x1200, 0x100) == CONTENT[0x1200:0x1300]

    assert far.reads == [(0x1200, 0x100)]
    assert (far.store.fetched, far.store.reads) == (0x100, 1)
    assert far.store.at_hand(0x1200, 0x100)
    assert not far.store.at_hand(0x1200, 0x101)


def test_who_reads_on_and_on_is_read_ahead_for() -> None:
    far = Far()
    for address in range(0, 0x4_0000, 16):
        far.store.read(address, 16)

    sizes = [size for _, size in far.reads]
    assert sizes[:4] == [0x100, 0x200, 0x400, 0x800]
    assert max(sizes) == 0x1_0000
    assert len(sizes) < 16


def test_the_first_pages_of_blocks_are_read_alone() -> None:
    far = Far()
    for address in range(0, SIZE, 0x2000):
        far.store.read(address, 8)

    assert far.reads == [(address, 0x100) for address in range(0, SIZE, 0x2000)]


def test_what_is_laid_over_it_is_not_read() -> None:
    far = Far()
    far.store.lay(0x1000, bytes(0x2000))

    assert far.store.read(0x0F00, 0x2200) == CONTENT[0x0F00:0x1000] + bytes(0x2000) + CONTENT[0x3000:0x3100]
    assert [address for address, _ in far.reads] == [0x0F00, 0x3000]
    assert far.store.before == far.store.content
    assert not far.store.touched


def test_what_is_written_over_is_not_read() -> None:
    far = Far()
    far.store.write(0x1000, b"\xff" * 0x1000)
    far.store.write(0x2010, b"abc")

    assert far.reads == [(0x2000, 0x100)]
    assert far.store.read(0x2000, 0x20) == CONTENT[0x2000:0x2010] + b"abc" + CONTENT[0x2013:0x2020]
    assert far.store.before[0x2000:0x2100] == CONTENT[0x2000:0x2100]
    assert far.store.touched == {1, 2}


def test_an_erase_reads_nothing() -> None:
    far = Far()
    flash = NorFlash(default_part(SIZE), far.store)
    end = flash.erase(0, "sector", 0x5000)
    flash.program(end, 0x5000, b"new")

    assert not far.reads
    assert flash.read(0x5000, 0x1000) == b"new".ljust(0x1000, b"\xff")


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_same_flash_as_one_that_is_all_there(seed: int) -> None:
    """Any order of reads and writes: the same bytes, and none that is read twice."""
    random = Random(seed)
    far, near = Far(), MemoryStore(SIZE)
    near.write(0, CONTENT)
    for _ in range(300):
        address = random.randrange(SIZE)
        size = min(random.choice((1, 4, 0x100, 0x1000, 0x8000)), SIZE - address)
        if random.random() < 0.3:
            data = random.randbytes(size)
            far.store.write(address, data)
            near.write(address, data)
        else:
            assert far.store.read(address, size) == near.read(address, size)

    assert far.store.read(0, SIZE) == near.read(0, SIZE)
    read = [page for address, size in far.reads for page in range(address, address + size, 0x100)]
    assert len(read) == len(set(read))
    assert sum(size for _, size in far.reads) == far.store.fetched
