"""imgtool's own stub as the host uses it: when it is trusted, what it writes, and what a bad line does to it.

The flash itself is looked at, past all that stub and host say about it.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import struct
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.device.flasher import StubFlasher
from imgtool.device.own_requests import DEFLATED, StubInfo, StubRead, rows_of
from imgtool.device.own_stub import OwnFlasher, check_own_stub
from imgtool.device.protocol import Command
from imgtool.device.session import ConnectOptions, Session
from imgtool.device.wire import Lines
from imgtool.errors import ChipError, ImgtoolError, LineError, RefusedError, VerifyError
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.transfer import Job, transfer, verify
from imgtool.virtual.chip.faults import FaultInjector, parse_plan
from tests.device.boards import chip_of, connect, flash_of, needs_stub, put, wire_to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imgtool.device.events import Event
    from imgtool.device.link import Link
    from imgtool.device.protocol import Reply, Request
    from imgtool.device.wire import Wire

SECTOR, BLOCK, SIZE = 0x1000, 0x1_0000, 0x10_0000
BLANK = b"\xff" * SECTOR
WHOLE_BLOCK = 1 << 9
MAGIC, RING, _, FLASH_ID, FAILURES, _ = range(6)  # words of INFO's answer


def nothing(_: int) -> None:
    """Nobody counts."""


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def code(size: int, seed: int = 1) -> bytes:
    """Bytes that deflate to about half."""
    return b"".join(bytes([byte, 0]) for byte in noise(size // 2, seed))


def mixed(sectors: int, seed: int) -> bytes:
    """Sectors of which many are alike, as frames of one content are what answers do not tell apart."""
    source = random.Random(seed)
    kinds = (noise(SECTOR, seed), BLANK, bytes(SECTOR), code(SECTOR, seed))
    return b"".join(source.choice(kinds) for _ in range(sectors))


def started(wire: Wire, baud: int | None = None) -> OwnFlasher:
    flasher = connect(wire, "imgtool", baud).flasher
    assert isinstance(flasher, OwnFlasher)
    return flasher


def info_of(session: Session) -> StubInfo:
    return check_own_stub(session.link, session.flash.id, session.flash.bytes)


def nobody_has_esptool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgtool.device.session.espressif_stubs", tuple)


def change_info(link: Link, word: int, change: Callable[[int], int], times: int = 1000) -> None:
    """Change what the stub says of itself, so often."""
    ask_all = link.request_all
    left = times

    def changed(request: Request, reply: Reply) -> Reply:
        nonlocal left
        if request.command != Command.INFO or not left:
            return reply
        left -= 1
        words = list(struct.unpack("<6I", reply.data))
        words[word] = change(words[word])
        return reply._replace(data=struct.pack("<6I", *words))

    def all_changed(requests: Sequence[Request]) -> list[Reply]:
        return [changed(*pair) for pair in zip(requests, ask_all(requests), strict=True)]

    link.request_all = all_changed  # type: ignore[method-assign]


# Which stub is used, and whether it is trusted.


@pytest.mark.parametrize(
    ("spec", "flash_id"),
    [
        ("sim:512KB", "c84013"),
        ("sim:16MB", "c84018"),
        ("sim:part=AT25SF161", "1f8601"),
        ("sim:1MB,chip=esp8285", "c84014"),
    ],
)
@pytest.mark.parametrize("baud", [pytest.param(9600, marks=pytest.mark.long), 115_200, 921_600])
def test_it_starts_and_passes_its_self_check(spec: str, flash_id: str, baud: int) -> None:
    wire = wire_to(spec)
    session = connect(wire, "imgtool", baud)

    assert (session.flasher.name, session.flasher.digests, session.baud) == ("imgtool", True, baud)
    info = info_of(session)
    assert (info.failures, info.overruns) == (0, 0)
    assert info.flash_bytes.hex() == flash_id
    assert not chip_of(wire).chip.traps
    assert chip_of(wire).chip.flash.violations == chip_of(wire).chip.flash.ignored == []


WRONG = [
    (FAILURES, lambda _: 1, "does not pass its self-check: its RAM"),
    (FAILURES, lambda _: 0x100, "does not pass its self-check: 0x100"),
    (FLASH_ID, lambda _: 0x1640EF, r"another flash than the ROM does \(expected c84014, found ef4016\)"),
    (MAGIC, lambda _: 0x3147_4D49, "another one .expected 0x32474d49, found 0x31474d49"),
]


@pytest.mark.parametrize("way", ["auto", "imgtool"])
@pytest.mark.parametrize(("word", "change", "message"), WRONG)
def test_one_that_fails_is_not_used(
    word: int, change: Callable[[int], int], message: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody_has_esptool(monkeypatch)
    events: list[Event] = []
    before = noise(0x2000)
    wire = wire_to("sim:1MB", before)
    session = Session.connect(wire, ConnectOptions(stub=way), events.append)
    change_info(session.link, word, change)

    session.flasher.write(SECTOR, code(SECTOR), nothing, erased=False)

    assert session.flasher.name == "rom"
    assert re.search(message, next(event.message for event in events if event.stage == "retry"))
    notes = [event.message for event in events if event.stage == "note"]
    assert notes == ["no flasher stub works; going on with the ROM loader alone"]
    assert flash_of(wire, 0, 0x2000) == before[:SECTOR] + code(SECTOR)


def test_one_that_fails_is_not_used_later_where_no_reset_removes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_has_esptool(monkeypatch)
    session = connect(wire_to("sim:1MB", lines=False), "auto")
    change_info(session.link, FAILURES, lambda _: 1)
    for _ in range(2):
        with pytest.raises(ChipError, match="does not pass its self-check") as caught:
            _ = session.flasher
        session.recover(caught.value)


def test_one_that_runs_is_gone_on_with_where_no_reset_removes_it() -> None:
    wire = wire_to("sim:1MB", lines=False)
    session = connect(wire, "imgtool", 115_200)
    first = session.flasher
    session.recover(ChipError("something"))

    assert session.flasher is not first
    assert isinstance(session.flasher, OwnFlasher)
    session.flasher.write(0, code(SECTOR), nothing, erased=False)
    assert flash_of(wire, 0, SECTOR) == code(SECTOR)


@pytest.mark.parametrize("place", [2, 4, 9, 17, 23, 30, 34])
def test_a_disturbed_answer_about_it_is_none(place: int) -> None:
    session = connect(wire_to("sim:1MB"), "imgtool")
    tampering = Tampering(session.link)
    tampering.hearing(Command.INFO, (1,), flipped(place, 5))

    flasher = session.flasher
    assert isinstance(flasher, OwnFlasher)
    assert flasher._ring == 20_480


@needs_stub
def test_espressifs_comes_first_until_ours_is_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    assert connect(wire_to("sim:1MB"), "auto").flasher.name == "espressif v2"
    monkeypatch.setattr("imgtool.device.session.PROVEN_ON_SILICON", True)
    assert connect(wire_to("sim:1MB"), "auto").flasher.name == "imgtool"
    session = connect(wire_to("sim:1MB"), "auto")
    change_info(session.link, FAILURES, lambda _: 1)
    assert session.flasher.name == "espressif v2"


@pytest.mark.parametrize("proven", [False, True])
def test_ours_comes_first_where_there_is_no_other(monkeypatch: pytest.MonkeyPatch, *, proven: bool) -> None:
    nobody_has_esptool(monkeypatch)
    monkeypatch.setattr("imgtool.device.session.PROVEN_ON_SILICON", proven)
    assert connect(wire_to("sim:1MB"), "auto").flasher.name == "imgtool"


# What it does to the flash.


ROOMS = [(0, 1), (0xF000, 2), pytest.param(0x1_F000, 18, marks=pytest.mark.long), (0xF_D000, 3)]


@pytest.mark.parametrize("erased", [False, True])
@pytest.mark.parametrize(("address", "sectors"), ROOMS)
def test_write_changes_its_sectors_and_no_others(address: int, sectors: int, *, erased: bool) -> None:
    before, data = bytearray(noise(SIZE)), mixed(sectors, sectors)
    if erased:
        before[address : address + len(data)] = b"\xff" * len(data)
    wire = wire_to("sim:1MB", bytes(before))
    session = connect(wire, "imgtool")
    done: list[int] = []
    session.flasher.write(address, data, done.append, erased=erased)

    before[address : address + len(data)] = data
    assert flash_of(wire, 0, SIZE) == bytes(before)
    # Two sectors a frame where nothing has to be erased, or in the second half of a block; the last is short.
    steps = [after - at for at, after in zip([0, *done], done, strict=False)]
    assert (sum(steps), steps[-1]) == (sectors * SECTOR, SECTOR)
    assert {*steps} <= {SECTOR, 2 * SECTOR}
    assert erased or steps.count(2 * SECTOR) <= 4 * (sectors // 16)
    info = info_of(session)
    assert info.overruns == 0
    chip = chip_of(wire).chip
    assert (chip.uart.overflows, chip.traps, chip.flash.violations) == (0, [], [])
    assert not erased or {*chip.flash.counts} <= {"page"}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(bytes(0x6_0000), id="all alike", marks=pytest.mark.long),
        pytest.param(mixed(24, 9), id="mixed"),
    ],
)
def test_its_ring_never_overflows(data: bytes) -> None:
    # Frames of hardly any bytes, of which the ring would hold more than the stub has places for.
    wire = wire_to("sim:1MB,fault=slow=block64:1,slow=block64:2", noise(SIZE))
    session = connect(wire, "imgtool")
    session.flasher.write(0x1_0000, data, nothing, erased=False)

    assert flash_of(wire, 0x1_0000, len(data)) == data
    info = info_of(session)
    assert (info.overruns, chip_of(wire).chip.uart.overflows) == (0, 0)


@pytest.mark.parametrize(
    ("spec", "size"),
    [("sim:512KB", 0x8_0000), pytest.param("sim:16MB", 0x100_0000, marks=pytest.mark.long)],
)
def test_it_works_at_the_end_of_the_flash_and_not_beyond(spec: str, size: int) -> None:
    wire = wire_to(spec)
    put(chip_of(wire), size - BLOCK, noise(BLOCK))
    flasher = started(wire)
    data = mixed(16, 4)
    flasher.write(size - BLOCK, data, nothing, erased=False)

    assert flash_of(wire, size - BLOCK, BLOCK) == data
    assert flasher.read(size - 0x1001, 0x1001, nothing) == data[-0x1001:]
    assert flasher.matching(size - BLOCK, [data[at : at + SECTOR] for at in range(0, BLOCK, SECTOR)]) == {
        *range(16)
    }
    before = flash_of(wire, 0, size)
    with pytest.raises(RefusedError, match="refuses WRITE_FRAME") as caught:
        flasher.write(size - SECTOR, noise(2 * SECTOR, 3), nothing, erased=False)
    assert caught.value.offset == size
    with pytest.raises(RefusedError, match="refuses READ_BLOCK") as caught:
        flasher.read(size - SECTOR, 2 * SECTOR, nothing)
    assert caught.value.offset == size
    with pytest.raises(ChipError, match="refuses ERASE_DIRTY"):
        flasher.erase(size - SECTOR, 2 * SECTOR)
    with pytest.raises(ChipError, match="refuses BLANK"):
        flasher.matching(size, [BLANK])
    assert flash_of(wire, 0, size - SECTOR) == before[:-SECTOR]


@pytest.mark.parametrize(
    ("address", "size", "counts"),
    [
        (0x1000, 0x1000, {"sector": 1}),
        (0xF000, 0x1_2000, {"sector": 2, "block64": 1}),
        (0x1_0000, 0x2_0000, {"block64": 2}),
        # Of the block at 0x40000 only two sectors are not blank; that at 0x50000 is blank.
        (0x4_0000, 0x2_0000, {"sector": 2}),
    ],
)
def test_erase_takes_what_is_not_blank_and_nothing_else(
    address: int, size: int, counts: dict[str, int]
) -> None:
    before = noise(0x4_0000) + BLANK * 3 + noise(SECTOR) + BLANK * 4 + bytes(SECTOR)
    wire = wire_to("sim:1MB", before.ljust(0x6_0000, b"\xff"))
    after = bytearray(flash_of(wire, 0, SIZE))
    started(wire).erase(address, size)

    after[address : address + size] = b"\xff" * size
    assert flash_of(wire, 0, SIZE) == bytes(after)
    assert chip_of(wire).chip.flash.counts == counts


def test_erase_of_the_chip_leaves_nothing() -> None:
    wire = wire_to("sim:4MB", noise(SIZE))
    started(wire).erase_chip()
    assert flash_of(wire, 0, 0x40_0000) == b"\xff" * 0x40_0000
    assert chip_of(wire).chip.flash.counts == {"chip": 1}


@pytest.mark.parametrize(
    ("address", "size"),
    [(0, 1), (3, 0x1001), pytest.param(0x1_2345, 0x6789, marks=pytest.mark.long), (0xFFF, 2), (0xF_FFFF, 1)],
)
def test_read_and_digest_give_what_is_there(address: int, size: int) -> None:
    content = noise(SIZE)
    flasher = started(wire_to("sim:1MB", content))
    done: list[int] = []

    assert flasher.read(address, size, done.append) == content[address : address + size]
    assert done == sorted(done)
    assert done[-1] == size
    wanted = hashlib.md5(content[address : address + size], usedforsecurity=False).digest()
    assert flasher.digest(address, size) == wanted


STRETCHES = st.lists(st.tuples(st.integers(0, 0x3000), st.integers(1, SECTOR)), max_size=40)


@given(STRETCHES, st.lists(st.builds(StubRead, *[st.integers(0, 64)] * 2, st.just(64), st.integers(1, 9))))
def test_rows_are_of_all_stretches_and_of_no_other(
    stretches: list[tuple[int, int]], rows: list[StubRead]
) -> None:
    asked = [*stretches, *((r.address + n * r.step, r.size + 1) for r in rows for n in range(r.pieces))]
    found = [(r.address + n * r.step, r.size) for r in rows_of(asked) for n in range(r.pieces)]
    assert len(found) == len({*found})
    assert {*found} == {*asked}
    assert all(row.whole * row.pieces <= SECTOR or row.pieces == 1 for row in rows_of(asked))


def test_places_in_steps_are_one_request() -> None:
    steps = [(at, 2) for at in range(0x1_0000, 0x40_0000, 0x1_0000)]
    beside = [(0x7_B000, 2), (0xC_B000, 2), (0x1_0000, 4)]
    assert rows_of([*steps, *beside]) == [
        StubRead(0x1_0000, 2, 0x1_0000, 63),
        StubRead(0x7_B000, 2, 0x5_0000, 2),
        StubRead(0x1_0000, 4),
    ]


def test_short_stretches_are_what_is_there() -> None:
    content = noise(SIZE)
    flasher = started(wire_to("sim:1MB", content))
    stretches = [(at, 3) for at in range(0x1_0001, SIZE, 0x1_0000)]
    stretches += [(0x40, 2), (0x7_B000, SECTOR), (0x7_C001, SECTOR), (0x40, 2), (0x41, 2), (SIZE - 1, 1)]
    assert flasher.read_each(stretches) == [content[at : at + size] for at, size in stretches]
    assert flasher.read_each([]) == []
    with pytest.raises(RefusedError, match="refuses READ_BLOCK") as caught:
        flasher.read_each([(at, 2) for at in range(SIZE - 0x2_0000, SIZE + 1, 0x1_0000)])
    assert caught.value.offset == SIZE


def test_matching_finds_the_sectors_that_are_right() -> None:
    held = [noise(SECTOR, seed) for seed in range(6)] + [BLANK] * 4 + [noise(SECTOR, 10), BLANK]
    wanted = list(held)
    wanted[1] = wanted[1][:-1] + bytes([wanted[1][-1] ^ 1])
    wanted[3] = BLANK  # is not
    wanted[7] = noise(SECTOR, 7)  # is blank
    wanted[10] = wanted[10][:0x804]  # the rest does not matter
    wanted[11] = b"\xff" * 0x100
    flasher = started(wire_to("sim:1MB", noise(SECTOR) + b"".join(held)))

    assert flasher.matching(SECTOR, wanted) == {*range(12)} - {1, 3, 7}


def test_matching_asks_for_many_sectors_in_parts() -> None:
    held = mixed(600, 3)
    flasher = started(wire_to("sim:4MB", held[: 300 * SECTOR] + bytes(SECTOR) + held[301 * SECTOR :]))
    contents = [held[at : at + SECTOR] for at in range(0, len(held), SECTOR)]
    expected = {*range(600)} - ({300} if contents[300] != bytes(SECTOR) else set())
    assert flasher.matching(0, contents) == expected


def test_a_sector_is_not_blank_because_a_bit_of_the_answer_was_disturbed() -> None:
    session = connect(wire_to("sim:1MB", BLANK * 8 + bytes(SECTOR) + BLANK * 8), "imgtool")
    flasher = session.flasher
    Tampering(session.link).hearing(Command.BLANK, (1,), flipped(9))
    assert flasher.matching(0, [BLANK] * 17) == {*range(17)} - {8}


# The code that it inflates with.


def late_packets(session: Session) -> list[int]:
    """Bytes of each packet that is loaded into RAM from now on."""
    found: list[int] = []
    send = session.link.send

    def noted(payload: bytes) -> None:
        if payload[1] == Command.MEM_DATA:
            found.append(len(payload))
        send(payload)

    session.link.send = noted  # type: ignore[method-assign]
    return found


def test_what_it_inflates_with_is_loaded_when_it_pays() -> None:
    wire = wire_to("sim:1MB", noise(SIZE))
    session = connect(wire, "imgtool")
    flasher = session.flasher
    tampering, packets = Tampering(session.link), late_packets(session)
    flasher.write(0, code(2 * SECTOR), nothing, erased=False)
    flasher.write(0x5000, code(SECTOR, 2), nothing, erased=False)
    assert (packets, {flags & DEFLATED for _, flags in tampering.sent}) == ([], {0})
    flasher.write(0x8000, code(SECTOR, 3), nothing, erased=False)
    flasher.write(0x9000, code(SECTOR, 4), nothing, erased=False)
    assert len(packets) == 1
    assert [flags & DEFLATED for _, flags in tampering.sent[-2:]] == [DEFLATED] * 2
    assert flash_of(wire, 0, 2 * SECTOR) == code(2 * SECTOR)
    assert [flash_of(wire, at, SECTOR) for at in (0x5000, 0x8000, 0x9000)] == [
        code(SECTOR, seed) for seed in (2, 3, 4)
    ]


@pytest.mark.parametrize("disturbed", [False, True])
@pytest.mark.parametrize("lines", [Lines.NONE, Lines.APART])
def test_one_that_is_met_is_known_again(lines: Lines, *, disturbed: bool) -> None:
    wire = wire_to("sim:1MB", noise(SIZE))
    wire.traits = replace(wire.traits, lines=lines)
    assert connect(wire, "imgtool", 115_200).flasher.name == "imgtool"
    session = connect(wire, "imgtool", 115_200)
    if disturbed:
        Tampering(session.link).hearing(Command.INFO, (1,), IN_ANSWERS["lost"])
    packets = late_packets(session)
    flasher = session.flasher
    assert (session.reset_used, type(flasher)) == ("none", OwnFlasher)
    flasher.write(0x3000, code(5 * SECTOR), nothing, erased=False)
    assert flasher.read(0x3000, 5 * SECTOR, nothing) == code(5 * SECTOR)
    assert flash_of(wire, 0, 0x9000) == noise(SIZE)[:0x3000] + code(5 * SECTOR) + noise(SIZE)[0x8000:0x9000]
    assert len(packets) == 1


@pytest.mark.parametrize("silent", [False, True])
def test_one_of_others_that_is_met_is_not_taken_for_ours(*, silent: bool) -> None:
    """Espressif's refuse INFO; whoever says nothing to it is asked what all of them know."""
    wire = wire_to("sim:1MB", noise(SIZE), lines=False)
    assert connect(wire, "espressif", 115_200).flasher.name.startswith("espressif")
    session = connect(wire, "imgtool", 115_200)
    if silent:
        Tampering(session.link).hearing(Command.INFO, (1, 2, 3), IN_ANSWERS["lost"])
    assert type(session.flasher) is StubFlasher
    session.flasher.write(0x3000, code(5 * SECTOR), nothing, erased=False)
    assert flash_of(wire, 0, 0x9000) == noise(SIZE)[:0x3000] + code(5 * SECTOR) + noise(SIZE)[0x8000:0x9000]


@pytest.mark.parametrize("kind", ["lost", "cut off"])
@pytest.mark.parametrize("command", [Command.MEM_BEGIN, Command.MEM_DATA, Command.SETUP])
def test_what_it_inflates_with_is_loaded_again_when_an_answer_is_disturbed(
    command: Command, kind: str
) -> None:
    wire = wire_to("sim:1MB", noise(SIZE))
    session = connect(wire, "imgtool")
    flasher = session.flasher
    Tampering(session.link).hearing(command, (1,), IN_ANSWERS[kind])
    flasher.write(0, code(5 * SECTOR), nothing, erased=False)
    assert flash_of(wire, 0, 5 * SECTOR) == code(5 * SECTOR)


@pytest.mark.parametrize("breaks", [1, pytest.param(1000, id="always")])
def test_code_that_came_broken_is_not_run(breaks: int) -> None:
    """Two bits that the packet's own checksum does not see."""
    wire = wire_to("sim:1MB", noise(SIZE))
    session = connect(wire, "imgtool")
    flasher = session.flasher
    write, left = wire.write, breaks

    def disturb(data: bytes) -> None:
        nonlocal left
        if data[2] == Command.MEM_DATA and left:
            left -= 1
            data = flipped(900, 3)(data)
            data = flipped(1900, 3)(data)
        write(data)

    wire.write = disturb  # type: ignore[method-assign]
    if breaks > 1:
        with pytest.raises(LineError, match="the stub's code comes broken every time"):
            flasher.write(0, code(5 * SECTOR), nothing, erased=False)
        assert flash_of(wire, 0, SIZE) == noise(SIZE)
    else:
        flasher.write(0, code(5 * SECTOR), nothing, erased=False)
        assert flash_of(wire, 0, 5 * SECTOR) == code(5 * SECTOR)
    assert not chip_of(wire).chip.traps


# The order of frames.


@pytest.mark.parametrize("baud", [460_800, 921_600])
@pytest.mark.parametrize(
    ("address", "size"),
    [
        pytest.param(0xE000, 0x2_7000, marks=pytest.mark.long),
        pytest.param(0x1_0000, 0x1_0000, marks=pytest.mark.long),
        (0x1_1000, 0x4000),
        (0xF000, 0x1_1000),
    ],
)
def test_each_sector_is_sent_once_and_refers_to_what_is_written(address: int, size: int, baud: int) -> None:
    data = code(size)
    wire = wire_to("sim:1MB", noise(SIZE))
    session = connect(wire, "imgtool", baud)
    flasher = session.flasher
    tampering = Tampering(session.link)
    flasher.write(address, data, nothing, erased=False)

    assert flash_of(wire, address, size) == data
    assert flash_of(wire, 0, address) == noise(SIZE)[:address]
    written: set[int] = set()
    for (start, flags), length in zip(tampering.sent, tampering.lengths, strict=True):
        dictionary = range(start - (flags >> 16 << 8), start, SECTOR)
        assert {*dictionary} <= written
        sectors = {*range(start, start + length, SECTOR)}
        assert not sectors & written
        written |= sectors
    assert written == {*range(address, address + size, SECTOR)}
    # Where erases take longer than the line, only the second half of a block has longer frames.
    short = [
        length == SECTOR
        for (start, _), length in zip(tampering.sent, tampering.lengths, strict=True)
        if start % BLOCK < BLOCK // 2 or not address <= start // BLOCK * BLOCK <= address + size - BLOCK
    ]
    assert all(short) == (baud == 921_600 or len(short) < 2)
    assert max(tampering.lengths) == (SECTOR if all(short) and size < BLOCK else 2 * SECTOR)
    assert tampering.lengths[-1] == SECTOR
    ends = tampering.sent[-1][0] + SECTOR == address + size
    assert ends == (baud == 460_800 or (address + size) % BLOCK == 0 or size < BLOCK)


def test_a_flash_that_seems_blank_gets_larger_frames_and_is_erased_where_it_is_not() -> None:
    before = bytearray(b"\xff" * SIZE)
    before[0x1_3000:0x1_3004] = before[0x2_5000:0x2_5004] = b"held"
    wire = wire_to("sim:1MB", bytes(before))
    session = connect(wire, "imgtool", 921_600)
    flasher = session.flasher
    tampering = Tampering(session.link)
    data = code(0x2_3000)
    flasher.write(0x1_0000, data, nothing, erased=False)

    assert max(tampering.lengths) == 2 * SECTOR
    assert [address for address, _ in tampering.sent] == sorted(address for address, _ in tampering.sent)
    assert flash_of(wire, 0, SIZE) == bytes(before[:0x1_0000]) + data + bytes(before[0x3_3000:])
    assert chip_of(wire).chip.flash.counts["sector"] == 2


@pytest.mark.parametrize("baud", [pytest.param(115_200, marks=pytest.mark.long), 460_800])
def test_on_a_slow_line_a_block_begins_with_a_short_frame(baud: int) -> None:
    wire = wire_to("sim:1MB", noise(SIZE))
    session = connect(wire, "imgtool", baud)
    flasher = session.flasher
    tampering = Tampering(session.link)
    data = code(2 * BLOCK + 3 * SECTOR)
    flasher.write(0, data, nothing, erased=False)

    block = [1, 2, 2, 2, 1, 2, 2, 2, 2]
    assert [length // SECTOR for length in tampering.lengths] == [*block, *block, 1, 1, 1]
    assert [address for address, _ in tampering.sent] == sorted(address for address, _ in tampering.sent)
    assert flash_of(wire, 0, len(data)) == data


# Frames that come broken, or do not come.


@dataclass
class Tampering:
    """Changes what the host sends or hears: the n-th frame of a command, which is counted from 1.

    Attributes:
        link: The host's side of the line.
        sent: Frames of WRITE_FRAME that were sent: address and flags.
        lengths: Their plain bytes.
    """

    link: Link
    sent: list[tuple[int, int]] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        send = self.link.send

        def note(payload: bytes) -> None:
            if payload[1] == Command.WRITE_FRAME:
                address, size, _, flags = struct.unpack_from("<4I", payload, 8)
                self.sent.append((address, flags))
                self.lengths.append(size)
            send(payload)

        self.link.send = note  # type: ignore[method-assign]

    def sending(self, number: int, change: Callable[[bytes], bytes]) -> None:
        """Change a write as it is on the line."""
        port = self.link.wire
        write, count = port.write, 0

        def changed(data: bytes) -> None:
            nonlocal count
            if data[2] == Command.WRITE_FRAME:
                count += 1
                if count == number:
                    data = change(data)
            if data:
                write(data)

        port.write = changed  # type: ignore[method-assign]

    def hearing(self, command: Command, numbers: tuple[int, ...], change: Callable[[bytes], bytes]) -> None:
        """Change answers; one that has become nothing is lost."""
        receive, count = self.link.receive, 0

        def changed(timeout: float, expected: int = 12) -> bytes:
            nonlocal count
            while True:
                frame = receive(timeout, expected)
                if frame[:2] != bytes([1, command]):
                    return frame
                count += 1
                if count not in numbers:
                    return frame
                if altered := change(frame):
                    return altered

        self.link.receive = changed  # type: ignore[method-assign]


def flipped(place: int, bit: int = 0) -> Callable[[bytes], bytes]:
    """Inverts a bit, other than of a byte that SLIP gives a meaning."""

    def change(data: bytes) -> bytes:
        at = place
        while data[at] in b"\xc0\xdb" or data[at] ^ 1 << bit in b"\xc0\xdb":
            at += 1
        return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]

    return change


ON_THE_LINE: dict[str, Callable[[bytes], bytes]] = {
    "lost": lambda _: b"",
    "twice": lambda data: data + data,
    "without its beginning": lambda data: data[1:],
    "without its end": lambda data: data[:-1],
    "without its middle": lambda data: data[: len(data) // 2] + data[len(data) // 2 + 1 :],
    "cut off": lambda data: data[:20],
    "in two": lambda data: data[:24] + b"\xc0" + data[24:],
    "with more": lambda data: data[:-1] + b"\x00\xc0",
    "direction": flipped(1),
    "command": flipped(2),
    "length": flipped(3),
    "check": flipped(5, 7),
    "address": flipped(10, 4),
    "size": flipped(14),
    "CRC": flipped(18),
    "leave": flipped(22, 1),
    "content": flipped(30, 3),
}
SPARSE = noise(64, 2) * 64
# Neighbours that are alike, and some that are alone of their kind: a few sectors, and a block and one more.
FEW = bytes(2 * SECTOR) + SPARSE + BLANK * 2 + noise(SECTOR)
ALIKE = (bytes(2 * SECTOR) + SPARSE + BLANK * 2 + b"\x55" * SECTOR * 3) * 2 + bytes(SECTOR)


def check_write(
    data: bytes, sending: tuple[int, str] | None = None, hearing: tuple[tuple[int, ...], str] | None = None
) -> None:
    """Write at 0x10000 with something in the way, and look at what came of it."""
    before = noise(0x3_0000)
    wire = wire_to("sim:1MB", before)
    session = connect(wire, "imgtool")
    flasher = session.flasher
    tampering = Tampering(session.link)
    if sending is not None:
        tampering.sending(sending[0], ON_THE_LINE[sending[1]])
    if hearing is not None:
        tampering.hearing(Command.WRITE_FRAME, hearing[0], IN_ANSWERS[hearing[1]])
    done: list[int] = []
    flasher.write(0x1_0000, data, done.append, erased=False)

    assert flash_of(wire, 0, len(before)) == before[:0x1_0000] + data + before[0x1_0000 + len(data) :]
    assert done == sorted(done)
    assert done[-1] == len(data)
    seen: set[int] = set()
    for address, flags in tampering.sent:
        assert address not in seen or not flags & WHOLE_BLOCK
        seen.add(address)
    assert info_of(session).overruns == 0
    chip = chip_of(wire).chip
    assert (chip.uart.overflows, chip.traps, chip.flash.violations) == (0, [], [])


OFTEN = ("lost", "twice", "without its middle", "in two", "with more", "command", "address", "content")


@pytest.mark.parametrize(
    "kind", [kind if kind in OFTEN else pytest.param(kind, marks=pytest.mark.long) for kind in ON_THE_LINE]
)
def test_a_frame_that_comes_broken_is_written_all_the_same(kind: str) -> None:
    check_write(FEW, sending=(2, kind))


@pytest.mark.parametrize("number", [1, 17, *(pytest.param(n, marks=pytest.mark.long) for n in (9, 16))])
def test_a_frame_of_a_block_that_is_erased_as_one_is_lost(number: int) -> None:
    check_write(ALIKE, sending=(number, "lost"))


IN_ANSWERS: dict[str, Callable[[bytes], bytes]] = {
    "lost": lambda _: b"",
    "cut off": lambda data: data[:-1],
    "value": flipped(4),
    "status": flipped(8, 2),
    "status 80": flipped(8, 7),
}


@pytest.mark.parametrize("numbers", [(1,), pytest.param((2, 5), marks=pytest.mark.long)], ids=str)
@pytest.mark.parametrize("kind", IN_ANSWERS)
def test_an_answer_that_is_lost_or_broken_does_no_harm(kind: str, numbers: tuple[int, ...]) -> None:
    check_write(FEW, hearing=(numbers, kind))


@pytest.mark.parametrize(
    "numbers",
    [(2, 16, 18), *(pytest.param(n, marks=pytest.mark.long) for n in ((1,), (4, 5), (17,)))],
    ids=str,
)
def test_answers_to_frames_of_a_block_that_is_erased_as_one_are_lost(numbers: tuple[int, ...]) -> None:
    check_write(ALIKE, hearing=(numbers, "lost"))


def test_frames_of_one_content_are_all_written_when_the_first_is_lost() -> None:
    data = bytes(6 * SECTOR) + code(SECTOR)
    wire = wire_to("sim:1MB", noise(0x2_0000))
    session = connect(wire, "imgtool")
    _ = session.flasher
    Tampering(session.link).sending(1, ON_THE_LINE["lost"])
    session.flasher.write(0x1000, data, nothing, erased=False)

    assert flash_of(wire, 0x1000, len(data)) == data


def test_a_line_that_breaks_every_frame_is_told() -> None:
    wire = wire_to("sim:1MB", noise(SIZE))
    session = connect(wire, "imgtool")
    _ = session.flasher
    write = wire.write

    def disturb(data: bytes) -> None:
        write(flipped(30)(data) if data[2] == Command.WRITE_FRAME else data)

    wire.write = disturb  # type: ignore[method-assign]
    with pytest.raises(LineError, match="comes broken every time") as caught:
        session.flasher.write(0x5000, code(SECTOR), nothing, erased=False)
    assert caught.value.offset == 0x5000
    assert flash_of(wire, 0, SIZE) == noise(SIZE)


@pytest.mark.parametrize(
    ("faults", "size"),
    [
        pytest.param("flip=out:3000.2", 0x3000, marks=pytest.mark.long),
        pytest.param("drop=out:9000", 0x4345, marks=pytest.mark.long),
        pytest.param("insert=out:2000:c0", 0x3000, marks=pytest.mark.long),
        ("lose-reply=3", 0x3000),
    ],
)
def test_a_block_that_comes_broken_is_read_again(faults: str, size: int) -> None:
    content = noise(0x2_0000)
    wire = wire_to("sim:1MB", content)
    flasher = started(wire)
    chip_of(wire).chip.injector = FaultInjector(parse_plan(faults))

    assert flasher.read(0x123, size, nothing) == content[0x123 : 0x123 + size]


@pytest.mark.long
def test_a_read_that_never_comes_whole_is_told() -> None:
    wire = wire_to("sim:1MB", noise(SIZE))
    session = connect(wire, "imgtool")
    flasher = session.flasher
    receive = session.link.receive

    def disturb(timeout: float, expected: int = 12) -> bytes:
        frame = receive(timeout, expected)
        at = int.from_bytes(frame[4:8], "little")
        return frame[:-1] if len(frame) > SECTOR and at == 0x3000 else frame

    session.link.receive = disturb  # type: ignore[method-assign]
    with pytest.raises(LineError, match="broken every time") as caught:
        flasher.read(0x1000, 0x4000, nothing)
    assert caught.value.offset == 0x3000


# A flash that does not do what it is told.


def locked(wire: Wire) -> None:
    """Protect the flash for good: what is written to its status registers is not taken."""
    flash = chip_of(wire).chip.flash
    flash.protect()
    flash._write_status = lambda *_: None  # type: ignore[method-assign]


def test_a_flash_that_cannot_be_unlocked_refuses_with_the_address() -> None:
    wire = wire_to("sim:1MB", noise(SIZE))
    flasher = started(wire)
    locked(wire)

    with pytest.raises(RefusedError, match="refuses WRITE_FRAME: the flash cannot be unlocked") as caught:
        flasher.write(0x2_3000, code(3 * SECTOR), nothing, erased=False)
    assert caught.value.offset == 0x2_3000
    with pytest.raises(RefusedError, match="refuses ERASE_DIRTY: the flash cannot be unlocked") as caught:
        flasher.erase(0x2_4000, SECTOR)
    assert caught.value.offset == 0x2_4000
    assert flash_of(wire, 0, SIZE) == noise(SIZE)


def test_a_flash_that_is_not_to_be_written_refuses_with_the_address() -> None:
    wire = wire_to("sim:1MB", noise(SIZE))
    flasher = started(wire)
    flash: Any = chip_of(wire).chip.flash
    set_latch = flash._set_latch
    # As with a supply voltage below what the flash writes at.
    flash._set_latch = lambda opcode, *rest: None if opcode == 0x06 else set_latch(opcode, *rest)

    with pytest.raises(RefusedError, match="the flash does not do what it is told") as caught:
        flasher.write(0x2_3000, code(3 * SECTOR), nothing, erased=False)
    assert caught.value.offset == 0x2_3000
    assert flash_of(wire, 0, SIZE) == noise(SIZE)


def test_a_worn_sector_is_told_with_its_address() -> None:
    wire = wire_to("sim:1MB,fault=worn=0x23456.3", noise(SIZE))
    with pytest.raises(VerifyError) as caught:
        transfer(connect(wire, "imgtool"), Job((Piece(0x2_0000, b"\xaa" * 0x5000, "a.bin"),)))
    assert (caught.value.offset, caught.value.sectors) == (0x2_3456, (0x2_3000,))
    assert flash_of(wire, 0, 0x2_0000) == noise(SIZE)[:0x2_0000]
    assert flash_of(wire, 0x2_5000, 0x1000) == noise(SIZE)[0x2_5000:0x2_6000]


# Transfers.


@pytest.mark.parametrize("size", [1, 3, 0xFFF, 0x1001, 0x3345])
@pytest.mark.parametrize("before", [b"", noise(0x3_0000)], ids=["blank", "dirty"])
def test_a_last_sector_that_is_not_full_is_written_and_not_written_again(size: int, before: bytes) -> None:
    data = code(size + 1)[:size]
    wire = wire_to("sim:1MB", before)
    session = connect(wire, "imgtool")
    job = Job((Piece(0xF000, data, "a.bin"),))

    assert transfer(session, job).verified == "digest"
    end = -(-(0xF000 + size) // SECTOR) * SECTOR
    after = flash_of(wire, 0, 0x3_0000)
    assert after[0xF000:end] == data.ljust(end - 0xF000, b"\xff")
    assert (after[:0xF000] + after[end:]).strip(b"\xff") == (before[:0xF000] + before[end:]).strip(b"\xff")
    assert transfer(session, job).written == 0
    assert verify(session, job.pieces) == ()


@pytest.mark.parametrize("way", ["imgtool", pytest.param("espressif", marks=needs_stub)])
def test_a_piece_behind_one_that_ends_inside_a_sector_is_compared_in_its_place(way: str) -> None:
    one, other = code(0x5804), BLANK + code(0x5000, 2) + BLANK
    pieces = (Piece(0x1000, one, "a"), Piece(0x7000, other, "b"))
    whole = one.ljust(0x6000, b"\xff") + other
    # All is right but for the end of the last sector, which would be that of the first if they were joined.
    wire = wire_to("sim:1MB", b"\xff" * SECTOR + whole[:-0x400] + bytes(0x400))
    result = transfer(connect(wire, way), Job(pieces))

    assert flash_of(wire, 0x1000, len(whole)) == whole
    assert (result.written + result.erased, result.verified) == (SECTOR, "digest")


# Seeded faults of the line, all of them behind the start of the stub.

MANY = int(os.environ.get("IMGTOOL_FAULT_RUNS", "500"))


def one_run(seed: int) -> None:
    """Success is told exactly when the flash holds what was written, and nothing else ever changes."""
    source = random.Random(seed)
    sectors, number = source.choice((1, 2, 3, 4, 6, 18)), source.randrange(16)
    start = number * SECTOR
    before, data = noise(0x3_0000, seed), mixed(sectors, seed)
    wire = wire_to("sim:1MB", before)
    session = connect(wire, "imgtool")
    flasher = session.flasher
    plan = f"seed={seed}:{source.randint(1, 5)}"
    chip_of(wire).chip.injector = FaultInjector(parse_plan(plan))
    said = False
    if source.randrange(2):
        with suppress(ChipError):
            flasher.write(start, data, nothing, erased=False)
            said = True
    else:
        with suppress(ImgtoolError):
            said = transfer(session, Job((Piece(start, data, "a.bin"),))).verified == "digest"
    after = flash_of(wire, 0, len(before))
    assert after[:start] == before[:start], plan
    assert after[start + len(data) :] == before[start + len(data) :], plan
    assert not said or after[start : start + len(data)] == data, plan
    assert said, plan


@pytest.mark.long
def test_a_few_seeded_faults() -> None:
    for seed in range(5):
        one_run(seed)


@pytest.mark.long
def test_many_seeded_faults() -> None:
    for seed in range(MANY):
        one_run(seed)
