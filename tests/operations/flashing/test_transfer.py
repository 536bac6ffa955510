"""Pieces into the flash of a virtual chip: what is left alone, what is written, what is made of faults.

The flash itself is looked at, past all that imgtool says about it.
"""

from __future__ import annotations

import os
import random
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from imgtool.errors import ChipError, ImgtoolError, LayoutError, VerifyError
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.transfer import (
    Job,
    Transfer,
    erase,
    erase_chip,
    estimate,
    read_flash,
    transfer,
    verify,
)
from tests.device.boards import STUBS, WAYS, chip_of, connect, flash_of, needs_stub, put, wire_to

if TYPE_CHECKING:
    from imgtool.device.events import Event
    from imgtool.device.wire import Wire

# Every way has tests of its own; those that take seconds and are of what all have in common go one way.
OWN_STUB = ["imgtool", pytest.param("espressif", marks=[needs_stub, pytest.mark.long])]
OWN_WAY = [*OWN_STUB, pytest.param("none", marks=pytest.mark.long)]

SECTOR, BLOCK, SIZE = 0x1000, 0x1_0000, 0x10_0000
BLANK = b"\xff" * SECTOR


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def code(size: int, seed: int = 1) -> bytes:
    """Bytes that deflate to about half."""
    return b"".join(bytes([byte, 0]) for byte in noise(size // 2, seed))


def job(data: bytes, address: int = 0, **rest: object) -> Job:
    return Job((Piece(address, data, "image.bin"),), **rest)  # type: ignore[arg-type]


def counts(wire: Wire) -> dict[str, int]:
    return dict(chip_of(wire).chip.flash.counts)


@dataclass
class Done:
    wire: Wire
    result: Transfer
    events: list[Event]


def run(spec: str, content: bytes, task: Job, way: str, baud: int | None = None) -> Done:
    wire = wire_to(spec, content)
    events: list[Event] = []
    return Done(wire, transfer(connect(wire, way, baud), task, events.append), events)


@pytest.mark.parametrize("way", OWN_WAY)
def test_dense_data_on_dirty_flash_leaves_the_rest_as_it_was(way: str) -> None:
    before, data = noise(SIZE), code(0x1_2345, 2)
    done = run("sim:1MB", before, job(data, 0x2_F000), way)
    after = flash_of(done.wire, 0, SIZE)
    end = 0x2_F000 + len(data)
    assert after[0x2_F000:end] == data
    assert after[:0x2_F000] == before[:0x2_F000]
    assert after[-(-end // SECTOR) * SECTOR :] == before[-(-end // SECTOR) * SECTOR :]
    assert set(after[end : -(-end // SECTOR) * SECTOR]) == {0xFF}
    assert done.result.verified == ("no" if way == "none" else "digest")
    assert (done.result.written, done.result.unchanged) == (0x1_3000, 0)
    assert not chip_of(done.wire).chip.flash.violations


@pytest.mark.parametrize("way", STUBS)
def test_what_is_there_already_is_not_written_again(way: str) -> None:
    data = code(0x2_3454)
    done = run("sim:1MB", data + b"\x00" * 0x2000, job(data), way)
    assert (done.result.written, done.result.erased, done.result.unchanged) == (0, 0, 0x2_4000)
    assert done.result.verified == "digest"
    assert counts(done.wire) == {}


@pytest.mark.parametrize("way", STUBS)
@pytest.mark.parametrize("place", [0, 0x1_2345, 0x2_3453])
def test_one_changed_byte_costs_one_sector(way: str, place: int) -> None:
    data = code(0x2_3454)
    changed = data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]
    done = run("sim:1MB", changed + b"\x00" * 0x2000, job(data), way)
    assert flash_of(done.wire, 0, len(data)) == data
    assert (done.result.written, counts(done.wire)["sector"]) == (SECTOR, 1)


@pytest.mark.parametrize("way", STUBS)
def test_blank_sectors_of_a_blank_flash_are_left_alone(way: str) -> None:
    data = code(SECTOR) + BLANK * 100 + code(SECTOR, 2)
    done = run("sim:1MB", b"", job(data), way)
    assert flash_of(done.wire, 0, len(data)) == data
    assert done.result.written == 2 * SECTOR
    assert counts(done.wire) == {"page": 32}


@pytest.mark.long
@pytest.mark.parametrize("way", OWN_STUB)
def test_no_page_is_programmed_for_sectors_that_are_to_be_blank(way: str) -> None:
    data = code(BLOCK) + b"\xff" * BLOCK * 3
    done = run("sim:1MB", noise(SIZE), job(data), way)
    assert flash_of(done.wire, 0, len(data)) == data
    assert counts(done.wire) == {"block64": 4, "page": 256}
    assert (done.result.written, done.result.erased) == (BLOCK, 3 * BLOCK)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("size", "chip"), [(SIZE, 1), (SIZE - SECTOR, 0)])
def test_a_whole_flash_that_is_dirty_is_erased_at_once(way: str, size: int, chip: int) -> None:
    data = (code(SECTOR) + BLANK * 200 + code(2 * SECTOR)).ljust(size, b"\xff")
    done = run("sim:1MB", noise(SIZE), job(data), way)
    assert flash_of(done.wire, 0, SIZE) == data + noise(SIZE)[size:]
    assert counts(done.wire).get("chip", 0) == chip


@pytest.mark.parametrize("way", STUBS)
def test_a_block_of_which_much_is_to_be_blank_is_erased_as_one(way: str) -> None:
    data = code(3 * SECTOR) + BLANK * 9 + code(4 * SECTOR)
    done = run("sim:1MB", noise(SIZE), job(data), way)
    assert flash_of(done.wire, 0, BLOCK) == data
    assert counts(done.wire) == {"block64": 1, "page": 112}


@pytest.mark.parametrize("way", WAYS)
def test_erase_all_leaves_nothing_else(way: str) -> None:
    done = run("sim:1MB", noise(SIZE), job(code(0x3000), 0x1_0000, erase_all=True), way)
    assert flash_of(done.wire, 0, SIZE) == (b"\xff" * BLOCK + code(0x3000)).ljust(SIZE, b"\xff")


@pytest.mark.parametrize("way", STUBS)
def test_without_diff_everything_is_written(way: str) -> None:
    data = code(0x3000)
    done = run("sim:1MB", data, job(data, diff=False), way)
    assert (done.result.written, done.result.unchanged) == (0x3000, 0)


@pytest.mark.long
def test_the_rom_alone_verifies_by_reading_when_it_is_asked_to() -> None:
    data = code(0x400) + BLANK[:0xC00]
    done = run("sim:1MB", noise(SIZE), job(data, verify="readback"), "none")
    assert done.result.verified == "readback"
    # Two of the same bit: the eight bits of check that the ROM itself looks at do not tell.
    bad = wire_to("sim:1MB,fault=worn=0x10.3,worn=0x20.3", bytes(SIZE))
    with pytest.raises(VerifyError) as caught:
        transfer(connect(bad, "none"), job(b"\xaa" * 0x400 + b"\xff" * 0xC00, verify="readback"))
    assert (caught.value.offset, caught.value.sectors) == (0x10, (0,))


def test_what_the_rom_itself_finds_is_told_as_what_it_is() -> None:
    wire = wire_to("sim:1MB,fault=worn=0x1410.3", bytes(SIZE))
    with pytest.raises(VerifyError, match="reads back something else") as caught:
        transfer(connect(wire), job(b"\xaa" * 0x2000))
    assert (caught.value.offset, caught.value.sectors) == (0x1400, (0x1000,))


@pytest.mark.parametrize("way", STUBS)
def test_a_cell_that_does_not_erase_is_told_with_its_place_and_bytes(way: str) -> None:
    wire = wire_to("sim:1MB,fault=worn=0x1234.5", b"\x00" * SIZE)
    data = b"\xff" * 0x1000 + b"\xaa" * 0x1000
    with pytest.raises(VerifyError) as caught:
        transfer(connect(wire, way), job(data))
    error = caught.value
    assert (error.offset, error.sectors) == (0x1234, (0x1000,))
    assert error.expected is not None
    assert str(error.expected).startswith("aa aa")
    assert str(error.found).startswith("8a aa")
    assert "does not erase" in error.cause
    assert error.data["sectors"] == [0x1000]


@pytest.mark.parametrize("way", STUBS)
def test_an_erase_that_the_flash_skips_is_repaired(way: str) -> None:
    done = run("sim:1MB,fault=skip=sector:2", noise(SIZE), job(code(3 * SECTOR)), way)
    assert flash_of(done.wire, 0, 3 * SECTOR) == code(3 * SECTOR)
    assert done.result.retries == 1
    assert [event.message for event in done.events if event.stage == "retry"] == [
        "4,096 bytes read back differently"
    ]


@pytest.mark.parametrize("way", WAYS)
def test_a_port_that_goes_and_comes_back_is_gone_on_with(way: str) -> None:
    done = run("sim:1MB,fault=gone=in:20000:2s", noise(SIZE), job(noise(0x6000, 5)), way)
    assert flash_of(done.wire, 0, 0x6000) == noise(0x6000, 5)
    assert done.result.retries == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_port_that_stays_away_is_told(way: str) -> None:
    wire = wire_to("sim:1MB,fault=gone=in:20000:500s", noise(SIZE))
    with pytest.raises(ImgtoolError, match="the port is lost"):
        transfer(connect(wire, way), job(noise(0x6000, 5)))


def test_a_chip_that_was_changed_under_way_is_not_written_to() -> None:
    wire = wire_to("sim:1MB", b"")
    session = connect(wire)
    transfer(session, job(code(SECTOR)))
    put(chip_of(wire), 0, b"\x00" * SECTOR)
    chip_of(wire).chip.setup = type(chip_of(wire).chip.setup)(mac=b"\x18\xfe\x34\x00\x00\x01")
    with pytest.raises(ChipError, match="another chip is on the port now"):
        session.recover(ChipError("something"))


def test_a_write_protected_flash_is_not_tried() -> None:
    wire = wire_to("sim:1MB,fault=protect", b"\x00" * SIZE)
    with pytest.raises(ChipError, match="write-protected"):
        transfer(connect(wire), job(code(SECTOR)))
    assert counts(wire) == {}
    transfer(connect(wire), job(code(SECTOR), unprotect=True))
    assert flash_of(wire, 0, SECTOR) == code(SECTOR)


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ((Piece(0x10, b"x", "a.bin"),), "begins inside a sector"),
        ((Piece(0, b"x" * 0x1001, "a.bin"), Piece(0x1000, b"y", "b.bin")), "share a sector"),
    ],
)
def test_pieces_begin_at_sectors_of_their_own(pieces: tuple[Piece, ...], message: str) -> None:
    wire = wire_to("sim:1MB")
    with pytest.raises(LayoutError, match=message):
        transfer(connect(wire), Job(pieces))
    assert counts(wire) == {}


@pytest.mark.parametrize("way", WAYS)
def test_verify_finds_what_differs_and_where(way: str) -> None:
    data = code(0x900)
    wire = wire_to("sim:1MB", b"\xff" * 0x100 + data)
    session = connect(wire, way)
    assert verify(session, [Piece(0x100, data, "a")]) == ()
    put(chip_of(wire), 0x345, b"\x99\x98")
    (found,) = verify(session, [Piece(0x100, data, "a")])
    assert (found.address, found.found[:2]) == (0x345, b"\x99\x98")
    assert found.expected[:2] == data[0x245:0x247]


@pytest.mark.parametrize("way", WAYS)
def test_erase_takes_the_sectors_that_it_is_given(way: str) -> None:
    before = noise(SIZE)
    wire = wire_to("sim:1MB", before)
    erase(connect(wire, way), 0xF000, 0x1_2000)
    assert flash_of(wire, 0, SIZE) == before[:0xF000] + b"\xff" * 0x1_2000 + before[0x2_1000:]
    assert counts(wire) == {"sector": 2, "block64": 1}


@pytest.mark.parametrize("region", [(0x10, 0x1000), (0x1000, 0x10), (0x1000, 0)])
def test_erase_refuses_parts_of_sectors(region: tuple[int, int]) -> None:
    with pytest.raises(LayoutError, match="only whole sectors can be erased"):
        erase(connect(wire_to("sim:1MB")), *region)


@pytest.mark.parametrize("way", WAYS)
def test_erase_chip_leaves_nothing(way: str) -> None:
    wire = wire_to("sim:512KB", noise(0x8_0000))
    erase_chip(connect(wire, way))
    assert flash_of(wire, 0, 0x8_0000) == b"\xff" * 0x8_0000


@pytest.mark.parametrize("way", STUBS)
def test_an_erase_that_leaves_something_is_told(way: str) -> None:
    with pytest.raises(VerifyError, match="not blank"):
        erase(connect(wire_to("sim:1MB,fault=worn=0x1004.1", b"\x00" * SIZE), way), 0x1000, 0x1000)


@pytest.mark.long  # tests/device/test_own_stub.py reads broken blocks again, too
@pytest.mark.parametrize("way", WAYS)
def test_read_gives_what_is_there_over_a_bad_line(way: str) -> None:
    size = 0x200 if way == "none" else 0xA000
    wire = wire_to("sim:1MB,fault=flip=out:1500.1,drop=out:2200,lose-reply=60", noise(SIZE))
    assert read_flash(connect(wire, way), 0x1234, size) == noise(SIZE)[0x1234 : 0x1234 + size]


def test_estimates_grow_with_what_is_to_be_done() -> None:
    session = connect(wire_to("sim:1MB"))
    small, large = job(code(0x1000)), job(code(0x8000))
    for stub in (True, False):
        assert 0 < estimate(small, session, stub=stub) < estimate(large, session, stub=stub)
    assert estimate(small, session, stub=False) < estimate(
        job(code(0x1000), verify="readback"), session, stub=False
    )


# Seeded faults.  What is tried of them by default is a small part; `nox -s faults` runs all.

FEW = {"none": 30, "espressif": 6, "imgtool": 6}
MANY = int(os.environ.get("IMGTOOL_FAULT_RUNS", "500"))


def faulty(seed: int, sectors: int) -> str:
    """A plan of line faults, and with some seeds one of the flash, the power or the cable."""
    source = random.Random(seed)
    extra = (
        f",cut=sector:{source.randint(1, 3)}:0.5",
        f",skip=sector:{source.randint(1, 3)}",
        f",gone=in:{source.randrange(20_000)}:2s",
        f",worn=0x{0x1_0000 + source.randrange(sectors * SECTOR):x}.{source.randrange(8)}",
        "",
    )
    return f"sim:1MB,fault=seed={seed}:{source.randint(1, 5)}{source.choice(extra)}"


def one_run(seed: int, way: str, *, readback: bool) -> None:
    """Success is told exactly when the flash holds the plan, nothing else changes, a second run repairs."""
    source = random.Random(-seed)
    sectors = 1 if readback else source.randint(1, 4)
    kinds = (source.randbytes(SECTOR), BLANK, source.randbytes(64) * 64)
    data = b"".join(source.choice(kinds) for _ in range(sectors))
    if readback:
        data = data[:0x100].ljust(0x400, b"\xff")
    spec, before = faulty(seed, sectors), noise(0x3_0000, seed)
    task = job(data, 0x1_0000, verify="readback" if readback else "auto")
    wire = wire_to(spec, before)
    said: str = "failed"
    with suppress(ImgtoolError):
        said = transfer(connect(wire, way), task).verified
    end = 0x1_0000 + -(-len(data) // SECTOR) * SECTOR
    after = flash_of(wire, 0, len(before))
    assert after[:0x1_0000] == before[:0x1_0000], spec
    assert after[end:] == before[end:], spec
    right = after[0x1_0000 : 0x1_0000 + len(data)] == data
    if said in ("digest", "readback"):
        assert right, spec
    if said == "failed":
        again = wire_to("sim:1MB", after)
        transfer(connect(again, way), task)
        assert flash_of(again, 0x1_0000, len(data)) == data, spec


@pytest.mark.parametrize("way", OWN_WAY)
def test_a_few_seeded_faults(way: str) -> None:
    for seed in range(FEW[way]):
        one_run(seed, way, readback=False)


def test_a_few_seeded_faults_with_readback() -> None:
    for seed in range(6):
        one_run(seed, "none", readback=True)


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_many_seeded_faults(way: str) -> None:
    for seed in range(MANY):
        one_run(seed, way, readback=False)


@pytest.mark.long
def test_many_seeded_faults_with_readback() -> None:
    for seed in range(MANY):
        one_run(seed, "none", readback=True)
