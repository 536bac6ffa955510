from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgtool.device.protocol import Command
from imgtool.errors import FormatError
from imgtool.flash_parts import flash_part
from imgtool.virtual.chip.faults import (
    Cut,
    Delay,
    Drop,
    Duplicate,
    Fault,
    FaultInjector,
    FaultPlan,
    Flip,
    Garbage,
    Gone,
    Insert,
    LinePause,
    LoseReply,
    Piece,
    Protect,
    Seed,
    Skip,
    Slow,
    Unplugged,
    Worn,
    WrongId,
    parse_plan,
)
from imgtool.virtual.chip.nor import Disturbance, NorFlash, Operation, PowerCut
from imgtool.virtual.chip.packets import COMMAND_BY_NAME, PacketPlace
from imgtool.virtual.chip.store import MemoryStore
from tests.rom_host import MEM_DATA, SYNC, SYNC_REPLY, data_request

WORDS: list[tuple[str, Fault]] = [
    ("drop=in:120", Drop("in", 120)),
    ("flip=out:55.3", Flip("out", 55, 3)),
    ("duplicate=in:9", Duplicate("in", 9)),
    ("insert=in:10:c0", Insert("in", 10, b"\xc0")),
    ("delay=out:100:250ms", Delay("out", 100, 250_000_000)),
    ("delay=out:100:1500ms", Delay("out", 100, 1_500_000_000)),
    ("delay=in:0:7us", Delay("in", 0, 7_000)),
    ("delay=in:0:7ns", Delay("in", 0, 7)),
    ("gone=in:5000:2s", Gone("in", 5000, 2_000_000_000)),
    ("drop=in:sync:1+3", Drop("in", PacketPlace(Command.SYNC, 1, 3))),
    ("flip=in:mem-data:1+25.2", Flip("in", PacketPlace(Command.MEM_DATA, 1, 25), 2)),
    ("duplicate=out:md5:2+9", Duplicate("out", PacketPlace(Command.MD5, 2, 9))),
    ("insert=in:mem-end:1+10:c0", Insert("in", PacketPlace(Command.MEM_END, 1, 10), b"\xc0")),
    ("delay=out:erase-region:1+3:2s", Delay("out", PacketPlace(Command.ERASE_REGION, 1, 3), 2_000_000_000)),
    ("gone=in:deflate-data:3+50:1s", Gone("in", PacketPlace(Command.DEFLATE_DATA, 3, 50), 1_000_000_000)),
    ("lose-reply=3", LoseReply(3)),
    ("garbage=16", Garbage(16)),
    ("cut=sector:3:0.5", Cut("sector", 3, 0.5)),
    ("slow=page:7", Slow("page", 7)),
    ("slow=chip:1", Slow("chip", 1)),
    ("skip=sector:2", Skip("sector", 2)),
    ("worn=0x3000.4", Worn(0x3000, 4)),
    ("protect", Protect()),
    ("id=ef4016", WrongId(b"\xef\x40\x16")),
    ("seed=42", Seed(42)),
    ("seed=42:5", Seed(42, 5)),
]


@pytest.mark.parametrize(("word", "fault"), WORDS, ids=[word for word, _ in WORDS])
def test_word(word: str, fault: Fault) -> None:
    assert parse_plan(word) == FaultPlan((fault,))
    assert str(parse_plan(word)) == word


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("drop=in:0x78", "drop=in:120"),
        ("drop=in:sync:01+0x10", "drop=in:sync:1+16"),
        ("worn=12288.4", "worn=0x3000.4"),
        ("id=EF4016", "id=ef4016"),
        ("delay=in:1:1000ms", "delay=in:1:1s"),
        ("cut=page:1:1", "cut=page:1:1.0"),
        ("seed=3:0", "seed=3"),
        (" protect , drop=in:1 ", "protect,drop=in:1"),
        ("", ""),
    ],
)
def test_other_spellings(text: str, plain: str) -> None:
    assert str(parse_plan(text)) == plain


@pytest.mark.parametrize(
    "word",
    [
        "drop",
        "drop=",
        "drop=up:1",
        "drop=in:-1",
        "drop=in:1:2",
        "flip=in:5",
        "flip=in:5.8",
        "flip=in:mem-data:1.5",
        "flip=in:mem-data+25.5",
        "flip=in:mem-data:0+25.5",
        "flip=in:mem-data:1+2.5",
        "flip=in:07:1+25.5",
        "drop=in:+25",
        "insert=in:10",
        "insert=in:10:c",
        "delay=in:1:5",
        "delay=in:1:5m",
        "lose-reply=0",
        "garbage=0",
        "garbage=5000",
        "cut=sector:3",
        "cut=sector:3:1.5",
        "cut=sector:0:0.5",
        "cut=byte:1:0.5",
        "slow=page",
        "worn=0x3000",
        "protect=1",
        "protect=",
        "id=ef40",
        "id=ef40zz",
        "seed=x",
        "seed=1:2000",
        "unknown=1",
        "=1",
    ],
)
def test_refused_word(word: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_plan(f"protect,{word},drop=in:1")

    assert caught.value.found == word
    assert caught.value.expected


@pytest.mark.parametrize("text", [",", "protect,", ",,protect"])
def test_empty_word(text: str) -> None:
    with pytest.raises(FormatError, match="no fault without a name"):
        parse_plan(text)


def test_refusal_is_one_sentence() -> None:
    with pytest.raises(FormatError) as caught:
        parse_plan("flip=in:5")

    assert (
        str(caught.value)
        == "the fault flip is not written so (expected as in flip=out:55.3, found flip=in:5)"
    )


directions = st.sampled_from(["in", "out"])
offsets = st.one_of(
    st.integers(0, 60),
    st.builds(
        PacketPlace, st.sampled_from([Command.MEM_DATA, Command.SYNC]), st.integers(1, 3), st.integers(3, 8)
    ),
)
kinds = st.sampled_from(["page", "sector", "block32", "block64", "chip"])
counts = st.integers(1, 1000)
times = st.integers(0, 10**11)
line_faults: st.SearchStrategy[Fault] = st.one_of(
    st.builds(Drop, directions, offsets),
    st.builds(Flip, directions, offsets, st.integers(0, 7)),
    st.builds(Duplicate, directions, offsets),
    st.builds(Insert, directions, offsets, st.binary(min_size=1, max_size=3)),
    st.builds(Delay, directions, offsets, times),
    st.builds(Gone, directions, offsets, times),
    st.builds(LoseReply, st.integers(1, 4)),
    st.builds(Garbage, st.integers(1, 20)),
)
faults: st.SearchStrategy[Fault] = st.one_of(
    line_faults,
    st.builds(Cut, kinds, counts, st.floats(0, 1).map(abs)),
    st.builds(Slow, kinds, counts),
    st.builds(Skip, kinds, counts),
    st.builds(Worn, st.integers(0, 0xFFFFFF), st.integers(0, 7)),
    st.just(Protect()),
    st.builds(WrongId, st.binary(min_size=3, max_size=3)),
    st.builds(Seed, st.integers(0, 10**9), st.integers(0, 9)),
)


@pytest.mark.parametrize("command", Command)
def test_every_command_has_a_name(command: Command) -> None:
    place = PacketPlace(command, 2, 30)

    assert parse_plan(f"drop=out:{place}") == FaultPlan((Drop("out", place),))
    assert COMMAND_BY_NAME[str(place).partition(":")[0]] is command


@given(st.lists(faults, max_size=6).map(tuple).map(FaultPlan))
def test_law_text_of_a_plan_is_the_plan(plan: FaultPlan) -> None:
    assert parse_plan(str(plan)) == plan


@given(st.lists(line_faults, max_size=8).map(tuple).map(FaultPlan), st.data())
def test_law_the_cut_of_a_stream_does_not_matter(plan: FaultPlan, data: st.DataObject) -> None:
    stream = data.draw(st.lists(st.sampled_from(b"\xc0\x00\x01\x07\x08\xdb"), max_size=80).map(bytes))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    whole, cut = FaultInjector(plan), FaultInjector(plan)
    bounds = [0, *cuts, len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(bounds)]

    assert join(whole.incoming(stream)) == join([piece for chunk in chunks for piece in cut.incoming(chunk)])
    assert join(whole.outgoing(stream)) == join([piece for chunk in chunks for piece in cut.outgoing(chunk)])


@given(st.binary(max_size=50))
def test_law_no_plan_changes_nothing(data: bytes) -> None:
    injector = FaultInjector(FaultPlan())

    assert injector.incoming(data) == injector.outgoing(data) == ([data] if data else [])
    assert injector.disturb(Operation("page", 0, 1, 1, blank=False)) is None


def join(pieces: list[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, bytes) and joined and isinstance(last := joined[-1], bytes):
            joined[-1] = last + piece
        else:
            joined.append(piece)
    return joined


STREAM = b"0123456789"
LINE: list[tuple[str, list[Piece]]] = [
    ("drop=in:3", [b"012456789"]),
    ("flip=in:3.0", [b"0122456789"]),
    ("duplicate=in:9", [b"01234567899"]),
    ("insert=in:0:c0db", [b"\xc0\xdb0123456789"]),
    ("delay=in:4:1ms", [b"0123", LinePause(1_000_000), b"456789"]),
    ("gone=in:0:1s", [Unplugged(1_000_000_000), b"0123456789"]),
    ("drop=in:3,drop=in:3,duplicate=in:3", [b"012456789"]),
    ("flip=in:3.1,duplicate=in:3,insert=in:3:2d", [b"012-11456789"]),
    ("drop=in:10,drop=out:1", [b"0123456789"]),
]


@pytest.mark.parametrize(("text", "pieces"), LINE, ids=[text for text, _ in LINE])
def test_faults_of_the_line(text: str, pieces: list[Piece]) -> None:
    assert FaultInjector(parse_plan(text)).incoming(STREAM) == pieces
    other = {"in:": "out:", "out:": "in:"}
    mirrored = re.sub(r"\b(in|out):", lambda match: other[match[0]], text)
    assert FaultInjector(parse_plan(mirrored)).outgoing(STREAM) == pieces


def test_bytes_count_over_all_calls_as_they_were_before() -> None:
    injector = FaultInjector(parse_plan("insert=in:1:aa,drop=in:12"))

    assert injector.incoming(STREAM) == [b"0\xaa123456789"]
    assert injector.incoming(STREAM) == [b"013456789"]


# Byte 25 of such a packet is the first of its data: a delimiter, eight bytes of header, four words.
UPLOAD = [data_request(MEM_DATA, bytes([0x55, number, 0xAA]), number) for number in range(3)]
FLIPPED = [packet.replace(b"\x55", b"\x51") for packet in UPLOAD]


@pytest.mark.parametrize("syncs", range(4))
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_byte_of_a_packet_is_the_same_however_often_a_host_has_asked(syncs: int, step: int) -> None:
    injector = FaultInjector(parse_plan("flip=in:mem-data:2+25.2"))
    stream = SYNC * syncs + b"".join(UPLOAD)

    heard = [
        piece
        for start in range(0, len(stream), step)
        for piece in injector.incoming(stream[start : start + step])
    ]

    assert join(heard) == [SYNC * syncs + UPLOAD[0] + FLIPPED[1] + UPLOAD[2]]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        # The last byte of a packet is its second delimiter, and none behind it is.
        ("drop=in:mem-data:1+28", [UPLOAD[0][:28] + UPLOAD[1]]),
        ("drop=in:mem-data:1+29", [UPLOAD[0] + UPLOAD[1]]),
        ("drop=in:mem-data:3+25", [UPLOAD[0] + UPLOAD[1]]),
        ("drop=out:mem-data:1+25", [UPLOAD[0] + UPLOAD[1]]),
        # With other faults, those by count too.
        ("flip=in:mem-data:2+25.2,flip=in:25.2", [FLIPPED[0] + FLIPPED[1]]),
        ("flip=in:mem-data:1+25.2,duplicate=in:25", [FLIPPED[0].replace(b"\x51", b"\x51\x51") + UPLOAD[1]]),
        ("gone=in:mem-data:2+3:1s", [UPLOAD[0] + UPLOAD[1][:3], Unplugged(1_000_000_000), UPLOAD[1][3:]]),
    ],
)
def test_faults_of_packets(text: str, pieces: list[Piece]) -> None:
    assert len(UPLOAD[0]) == 29
    assert join(FaultInjector(parse_plan(text)).incoming(UPLOAD[0] + UPLOAD[1])) == pieces


def test_packets_of_either_direction_are_counted_for_themselves() -> None:
    injector = FaultInjector(parse_plan("flip=out:sync:3+5.0"))

    assert injector.incoming(SYNC * 4) == [SYNC * 4]
    assert injector.outgoing(b"\xc0\x00\x08" + SYNC_REPLY * 4) == [
        b"\xc0\x00\x08" + SYNC_REPLY * 2 + SYNC_REPLY[:5] + b"\x06" + SYNC_REPLY[6:] + SYNC_REPLY
    ]


def test_a_packet_does_not_outlive_its_connection() -> None:
    injector = FaultInjector(parse_plan("flip=in:mem-data:1+25.2,flip=in:mem-data:2+25.2"))
    assert injector.incoming(UPLOAD[0][:20]) == [UPLOAD[0][:20]]

    injector.connect()

    assert injector.incoming(bytes(20)) == [bytes(20)]
    assert injector.incoming(UPLOAD[1]) == [FLIPPED[1]]


FRAMES = [b"\xc0\x01one\xc0", b"\xc0\x01two\xc0", b"\xc0\x01three\xc0"]


@pytest.mark.parametrize("step", [1, 2, 5, 100])
def test_a_lost_reply_is_lost_whole(step: int) -> None:
    injector = FaultInjector(parse_plan("lose-reply=2"))
    stream = b"boot" + b"".join(FRAMES) + b"text"

    sent = [
        piece
        for start in range(0, len(stream), step)
        for piece in injector.outgoing(stream[start : start + step])
    ]

    assert join(sent) == [b"boot" + FRAMES[0] + FRAMES[2] + b"text"]


def test_lost_bytes_count_too() -> None:
    injector = FaultInjector(parse_plan("lose-reply=1,flip=out:7.0"))

    assert injector.outgoing(FRAMES[0] + FRAMES[1]) == [b"\xc0\x00two\xc0"]


def test_a_frame_does_not_outlive_its_connection() -> None:
    injector = FaultInjector(parse_plan("lose-reply=1"))
    assert injector.outgoing(b"\xc0\x01o") == []

    injector.connect()

    assert injector.outgoing(FRAMES[1]) == [FRAMES[1]]


def test_garbage_comes_before_the_first_frame_only() -> None:
    injector = FaultInjector(parse_plan("garbage=16,seed=7"))
    again = FaultInjector(parse_plan("seed=7,garbage=16"))
    other = FaultInjector(parse_plan("garbage=16,seed=8"))

    first = injector.outgoing(b"boot" + FRAMES[0])

    assert len(first) == 1
    assert isinstance(first[0], bytes)
    assert (first[0][:4], first[0][20:]) == (b"boot", FRAMES[0])
    assert injector.outgoing(FRAMES[1]) == [FRAMES[1]]
    assert again.outgoing(b"boot" + FRAMES[0]) == first
    assert other.outgoing(b"boot" + FRAMES[0]) != first


@given(st.integers(0, 10**6), st.integers(0, 12))
def test_law_a_seed_draws_the_same_faults(seed: int, count: int) -> None:
    plan = FaultPlan((Protect(), Seed(seed, count)))

    assert plan.expanded == FaultPlan((Protect(), Seed(seed, count))).expanded
    assert len(plan.expanded) == 1 + count
    drawn = FaultPlan(plan.expanded)
    assert parse_plan(str(drawn)) == drawn


def test_seeds_differ() -> None:
    assert len({FaultPlan((Seed(seed, 3),)).expanded for seed in range(20)}) == 20


def test_what_the_owner_asks_of_a_plan() -> None:
    plan = parse_plan("protect,id=c84014,seed=9:2")

    assert (plan.protect, plan.jedec_id, plan.seed) == (True, b"\xc8\x40\x14", 9)
    assert (FaultPlan().protect, FaultPlan().jedec_id, FaultPlan().seed) == (False, None, 0)


def test_disturbances() -> None:
    injector = FaultInjector(parse_plan("slow=page:7,cut=sector:3:0.5,slow=sector:3,worn=0x3005.4"))

    assert injector.disturb(Operation("page", 0, 256, 7, blank=False)) == Disturbance(slow=True)
    assert injector.disturb(Operation("page", 0x3000, 256, 8, blank=False)) is None
    assert injector.disturb(Operation("sector", 0, 0x1000, 3, blank=False)) == Disturbance(slow=True, cut=0.5)
    assert injector.disturb(Operation("sector", 0x3000, 0x1000, 4, blank=True)) == Disturbance(
        stuck=((0x3005, 4),)
    )
    assert injector.disturb(Operation("block32", 0x8000, 0x8000, 1, blank=True)) is None


@settings(max_examples=20)
@given(st.integers(0, 0xFFF), st.integers(0, 7))
def test_a_plan_at_work_on_a_flash(cell: int, bit: int) -> None:
    part = flash_part("GD25Q40")
    plan = parse_plan(f"worn={cell}.{bit},cut=page:2:0")
    flash = NorFlash(part, MemoryStore(part.bytes), disturb=FaultInjector(plan).disturb)

    now = flash.erase(0, "block64", 0)
    now = flash.program(now, 0x2000, b"\0")

    expected = bytearray(b"\xff" * 0x1000)
    expected[cell] &= ~(1 << bit)
    assert flash.read(0, 0x1000) == expected
    with pytest.raises(PowerCut):
        flash.program(now, 0x2001, b"\0")
    assert flash.read(0x2000, 2) == b"\0\xff"
