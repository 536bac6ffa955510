"""Inflate, CRC-32 and SLIP of the stub against zlib and imgtool's own, executed on the virtual core.

The parts are linked on their own, with the stub's flags, and called directly; where there is no compiler, the
packaged stub's commands still show the same on a virtual chip, if with fewer streams.
"""

from __future__ import annotations

import random
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgtool.device.slip import Decoder, encode
from tests.stub import parts, streams
from tests.stub.host import DEFLATED, INFO, READ, WRITE, Host, deflate, loaded, request
from tests.stub.streams import DAMAGED, DONE, NO_INPUT, NO_ROOM, STRATEGIES, TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.stub.parts import OnCore

WINDOW = 0xC000
GUARD = 0x100
SLACK = 260  # behind the window, for a match that begins before its end
MUCH = 0x10_0000
LONGEST_MATCH = 258
PIECES = (1, 7, 64, 4096)

# The others differ in how zlib searches, and hardly in what is sent.
FEW_STRATEGIES = [
    name if name in ("default", "fixed") else pytest.param(name, marks=pytest.mark.long)
    for name in STRATEGIES
]


# Inflate.


class Unpacked:
    """What the stub's inflate makes of a stream in a window that held something else."""

    def __init__(self, unpack: OnCore, stream: bytes, dictionary: bytes = b"", **more: int) -> None:
        place, window, room = more.get("place", 0), more.get("window", WINDOW), more.get("room", MUCH)
        area = unpack.part.names["window"] - GUARD
        before = bytearray(b"\xee" * WINDOW)
        for index, byte in enumerate(dictionary):
            before[(place - len(dictionary) + index) % window] = byte
        unpack.core.load(area, b"\xa5" * GUARD + before + b"\xa5" * (SLACK + GUARD))
        job = parts.inflate_job(
            stream,
            place=place,
            history=len(dictionary),
            window=window,
            room=room,
            piece=more.get("piece", 64),
        )
        answer = unpack.run(job)
        self.end: int
        self.end, self.crc, self.total = struct.unpack_from("<3I", answer)
        self.output = answer[12:]
        # Nothing else has changed: not the rest of the window, not what is beside it and its slack, not the
        # input.
        whole = unpack.core.fetch(area, WINDOW + SLACK + 2 * GUARD)
        assert whole[:GUARD] == whole[-GUARD:] == b"\xa5" * GUARD
        assert whole[GUARD + window + SLACK : -GUARD - SLACK] == before[window + SLACK :]
        kept = min(self.total, window)
        fresh = (place + self.total) % window
        now, was = (area[fresh:window] + area[:fresh] for area in (whole[GUARD:], before))
        assert now == was[: window - kept] + self.output
        assert unpack.core.fetch(unpack.part.names["job"], len(job)) == job
        assert self.total <= room + LONGEST_MATCH
        if self.total <= window:
            assert zlib.crc32(self.output) == self.crc


def check(unpack: OnCore, stream: bytes, dictionary: bytes = b"", **more: int) -> int:
    """A stream that makes at most a window of output ends as zlib says."""
    done = Unpacked(unpack, stream, dictionary, **more)
    expected = streams.reference(stream, dictionary)
    assert done.total <= more.get("window", WINDOW)
    if expected.end == DONE:
        assert done.output == expected.output
    else:
        # zlib drops what it made of the last byte; the stub looks for the end of the input a symbol later.
        assert done.output.startswith(expected.output)
        assert done.total <= len(expected.output) + 2 * LONGEST_MATCH
    # At the end of a stream that is cut, one of both may have seen already that nothing can come of it.
    if (done.end, expected.end) == (DAMAGED, NO_INPUT):
        assert {streams.reference(longer, dictionary).end for longer in streams.endings(stream)} == {DAMAGED}
    elif (done.end, expected.end) == (NO_INPUT, DAMAGED):
        assert {Unpacked(unpack, longer, dictionary).end for longer in streams.endings(stream)} == {DAMAGED}
    else:
        assert done.end == expected.end, stream.hex(" ")
    return done.end


@pytest.mark.parametrize("name", TABLE)
def test_verdicts_of_zlib(unpack: OnCore, name: str) -> None:
    stream = bytes.fromhex(TABLE[name])
    for piece in PIECES:
        check(unpack, stream, piece=piece)
    for end in range(len(stream)):
        check(unpack, stream[:end])


@pytest.mark.parametrize("strategy", FEW_STRATEGIES)
def test_levels_and_strategies(unpack: OnCore, strategy: str) -> None:
    kinds = set()
    for level in range(10):
        for number, (_, data) in enumerate(streams.samples()):
            stream = streams.packed(data, level, STRATEGIES[strategy], 9 + (level + number) % 7)
            kinds.add(stream[0] >> 1 & 3)
            assert check(unpack, stream, piece=PIECES[(level + number) % 4], place=level * 997) == DONE
    assert 0 in kinds
    assert kinds >= ({0, 1} if strategy == "fixed" else {0, 1, 2})


def test_every_length_and_distance(unpack: OnCore) -> None:
    dictionary = random.Random(2).randbytes(streams.LONGEST_DISTANCE)
    lengths = [3, 258, *range(3, 259)]
    edges = {1 << bits for bits in range(16)} | {3 << bits for bits in range(14)}
    distances = sorted({edge + more for edge in edges for more in (0, 1)} - {0x8001})
    pairs = [(lengths[index % len(lengths)], distance) for index, distance in enumerate(distances)]
    assert check(unpack, streams.matches(pairs), dictionary, place=0x1234) == DONE
    pairs = [(length, 1 + length * 97 % 0x7FFF) for length in lengths]
    assert check(unpack, streams.matches(pairs), dictionary, place=WINDOW - 5) == DONE


@pytest.mark.parametrize("distance", [1, 2, 4, 257, 4096, 0x7FFF, 0x8000])
def test_reach(unpack: OnCore, distance: int) -> None:
    """A reference reaches as far as there is something, and not a byte farther."""
    known = random.Random(distance).randbytes(distance)
    for place in (0, 1, 0x8000, WINDOW - 1):
        assert check(unpack, streams.matches([(258, distance)]), known, place=place) == DONE
        assert check(unpack, streams.matches([(258, distance)]), known[1:], place=place) == DAMAGED
    # What the stream itself has made counts too.
    assert check(unpack, streams.matches([(3, distance)], b"x"), known[1:]) == DONE


def test_window_no_longer_than_the_longest_distance(unpack: OnCore) -> None:
    data = random.Random(3).randbytes(0x3000)
    stream = streams.matches([(258, 0x8000), (3, 1), (200, 0x7FFF)] * 40)
    dictionary = (data * 3)[:0x8000]
    expected = streams.reference(stream, dictionary).output
    done = Unpacked(unpack, stream, dictionary, window=0x8000, place=0x7000)
    assert (done.end, done.total, done.output) == (DONE, len(expected), expected)
    # Round and round.
    long = bytes(0x18000) + data[:0x800]
    done = Unpacked(unpack, streams.packed(long), window=0x8000, piece=4096)
    assert (done.end, done.total, done.crc) == (DONE, len(long), zlib.crc32(long))


def test_room(unpack: OnCore) -> None:
    for data in (b"a" * 999, random.Random(4).randbytes(999), b"abcdefghij" * 99):
        for level in (0, 9):
            stream = streams.packed(data, level)
            for room in (1, 258, len(data) - 1):
                done = Unpacked(unpack, stream, room=room)
                assert (done.end, done.output) == (NO_ROOM, data[: done.total])
                assert room < done.total <= room + LONGEST_MATCH
            done = Unpacked(unpack, stream + b"more", room=len(data))
            assert (done.end, done.output) == (DONE, data)


contents = st.lists(
    st.one_of(
        st.binary(max_size=200),
        st.builds(lambda byte, count: byte * count, st.binary(min_size=1, max_size=4), st.integers(1, 300)),
        st.sampled_from([b"\xc0\xdb", b"imgtool", bytes(range(256))]),
    ),
    max_size=8,
).map(b"".join)
compressed = st.builds(
    streams.packed,
    contents,
    st.integers(0, 9),
    st.sampled_from(list(STRATEGIES.values())),
    st.integers(9, 15),
)
pieces = st.sampled_from(PIECES)
places = st.integers(0, WINDOW - 1)


@settings(max_examples=60)
@given(
    data=contents,
    dictionary=contents,
    level=st.integers(1, 9),
    strategy=st.sampled_from(list(STRATEGIES.values())),
    where=st.fixed_dictionaries({"piece": pieces, "place": places}),
)
def test_what_zlib_packs(
    unpack: OnCore, data: bytes, dictionary: bytes, level: int, strategy: int, where: dict[str, int]
) -> None:
    stream = streams.packed(data, level, strategy, 15, dictionary)
    done = Unpacked(unpack, stream, dictionary, **where)
    assert (done.end, done.output) == (DONE, data)


@settings(max_examples=70)
@given(
    stream=compressed,
    edits=st.lists(st.tuples(st.integers(0, 1 << 12), st.integers(0, 255)), max_size=3),
    cut=st.integers(0, 60),
    piece=pieces,
)
def test_damaged_and_cut(
    unpack: OnCore, stream: bytes, edits: list[tuple[int, int]], cut: int, piece: int
) -> None:
    damaged = bytearray(stream)
    for at, value in edits:
        damaged[at % len(damaged)] = value
    damaged = damaged[: len(damaged) - cut]
    if len(streams.reference(bytes(damaged)).output) < WINDOW // 2:
        check(unpack, bytes(damaged), piece=piece)


@settings(max_examples=60)
@given(body=st.binary(max_size=80), kind=st.integers(0, 7), dictionary=st.binary(max_size=300))
def test_anything(unpack: OnCore, body: bytes, kind: int, dictionary: bytes) -> None:
    check(unpack, bytes((body[0] & 0xF8 | kind, *body[1:])) if body else b"", dictionary)


def complete(symbols: int, draws: Sequence[int]) -> list[int]:
    """Lengths of a complete code: a tree whose leaves were split at random."""
    leaves = [0]
    for draw in draws:
        leaf = draw % len(leaves)
        if leaves[leaf] < 15 and len(leaves) < symbols:
            leaves[leaf] += 1
            leaves.append(leaves[leaf])
    return leaves


@st.composite
def code_lengths(draw: st.DrawFn, symbols: int, least: int) -> list[int]:
    """Complete codes, those with one length changed, single codes, and anything."""
    count = draw(st.integers(least, symbols))
    lengths = [0] * count
    kind = draw(st.sampled_from(["complete", "changed", "single", "anything"]))
    if kind == "anything":
        chosen = draw(st.lists(st.integers(0, 15), max_size=20))
    elif kind == "single":
        chosen = [draw(st.integers(0, 3))]
    else:
        chosen = complete(count, draw(st.lists(st.integers(0, 1 << 16), min_size=1, max_size=60)))
        if kind == "changed":
            chosen[draw(st.integers(0, len(chosen) - 1))] = draw(st.integers(0, 15))
    chosen = chosen[:count]
    # From the end of the literals on, so that the end of the block and lengths are among them.
    start = max(0, min(count - len(chosen), least - 1 - draw(st.integers(0, len(chosen)))))
    lengths[start : start + len(chosen)] = chosen
    return lengths


@settings(max_examples=70)
@given(
    literals=code_lengths(286, 257),
    distances=code_lengths(30, 1),
    body=st.binary(max_size=120),
    dictionary=st.sampled_from([b"", bytes(range(256)) * 20]),
)
def test_any_codes(
    unpack: OnCore, literals: list[int], distances: list[int], body: bytes, dictionary: bytes
) -> None:
    check(unpack, streams.dynamic(literals, distances, body), dictionary)


def test_codes_of_every_length(unpack: OnCore) -> None:
    """Complete codes from one bit to fifteen, some looked up at once, some bit by bit."""
    lengths = [0] * 257
    ladder = [*range(1, 16), 15]
    lengths[241:257] = ladder
    rng = random.Random(6)
    for _ in range(10):
        rng.shuffle(ladder)
        lengths[241:257] = ladder
        for distances in ([0], [1], [1, 1], [*range(1, 15), *([15] * 2)], [2]):
            check(unpack, streams.dynamic(lengths, distances, rng.randbytes(60)))


# CRC-32.


@settings(max_examples=60)
@given(data=contents, before=st.integers(0, 0xFFFF_FFFF), skipped=st.integers(0, 3))
def test_crc(unpack: OnCore, data: bytes, before: int, skipped: int) -> None:
    answer = unpack.run(parts.crc_job(before, skipped, data))
    assert int.from_bytes(answer[:4], "little") == zlib.crc32(data, before)


# SLIP.


def received(line: OnCore, job: bytes) -> list[tuple[bytes, int]]:
    """Header and data as far as they came of each request, and the stub's verdict."""
    answer = line.run(job)
    found, at = [], 0
    while at < len(answer):
        error, count = struct.unpack_from("<2I", answer, at + 8)
        found.append((answer[at : at + 8] + answer[at + 16 : at + 16 + count], error))
        at += 16 + (count + 3 & ~3)
    return found


def expected_frames(data: bytes) -> list[tuple[bytes, bool]]:
    """The same by another way: header and data, and whether the frame is as long as it says."""
    found = []
    for segment in data.split(b"\xc0"):
        # An escape of nothing adds nothing.
        payload = segment.removesuffix(b"\xdb").replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
        if len(payload) >= 8 and payload[0] == 0:
            length = int.from_bytes(payload[2:4], "little")
            found.append((payload[: 8 + length], len(payload) == 8 + length))
    return found


escapes = st.lists(st.sampled_from([0xC0, 0xDB, 0xDC, 0xDD, 0, 0xFF]), max_size=60).map(bytes)
payloads = st.binary(max_size=60) | escapes
requests = st.builds(
    lambda command, data, check, more: encode(request(command, data, check)[: 8 + len(data) + more]),
    st.integers(0, 255),
    payloads,
    st.integers(0, 0xFFFF_FFFF),
    st.sampled_from([0, 0, 0, -1]),
)
# Cut at any place, even behind an escape, as long as a delimiter follows.
cut = st.builds(lambda frame, end: frame[:end] + b"\xc0", requests | payloads.map(encode), st.integers(0, 70))


@settings(max_examples=60)
@given(st.lists(requests | cut, max_size=12))
def test_received_frames(line: OnCore, lines: list[bytes]) -> None:
    data = b"\xc0" + b"".join(lines)
    found = received(line, parts.receive_job(data))
    assert [(content, not error) for content, error in found] == expected_frames(data)


@given(payloads, st.integers(0, 60), st.integers(0, 255).filter(lambda byte: byte not in b"\xc0\xdc\xdd"))
def test_bad_escapes(line: OnCore, data: bytes, place: int, byte: int) -> None:
    good = request(0x21, data)
    broken = good[: 8 + place] + b"\xdb" + bytes((byte,)) + good[8 + place + 2 :]
    # As encode() would, but for the one escape.
    head, tail = encode(broken[: 8 + place])[:-1], encode(broken[8 + place + 2 :])[1:]
    lines = encode(good) + head + bytes((0xDB, byte)) + tail + encode(good)
    found = received(line, parts.receive_job(lines))
    assert found[0] == found[-1] == (good, 0)
    assert all(error for _, error in found[1:-1])


@given(st.binary(max_size=40) | escapes, payloads)
def test_frames_behind_noise(line: OnCore, noise: bytes, data: bytes) -> None:
    good = request(0x21, data)
    found = received(line, parts.receive_job(noise + encode(good)))
    assert found[-1] == (good, 0)


@given(st.lists(payloads, max_size=12))
def test_whole_frames_are_those_of_imgtool(line: OnCore, contents: list[bytes]) -> None:
    data = b"".join(encode(request(0x20, content)) for content in contents)
    whole = [content for content, error in received(line, parts.receive_job(data)) if not error]
    assert whole == Decoder().feed(data)


@given(payloads)
def test_sent_frames(line: OnCore, data: bytes) -> None:
    assert line.run(parts.send_job(data)) == encode(data)


# The packaged stub itself.

ADDRESS = 0x8000
LITTLE, MUCH_DATA, BROKEN = 0xC8, 0xC9, 0xC7


@pytest.fixture(scope="module")
def chip() -> Host:
    return loaded("sim:4MB", 921_600)


def write(chip: Host, stream: bytes, size: int, crc: int, dictionary: int = 0) -> tuple[int, int]:
    head = struct.pack("<4I", ADDRESS, size, crc, DEFLATED | dictionary // 256 << 16)
    answer = chip.ask(WRITE, head + stream)
    return answer.code, answer.value


@pytest.mark.parametrize("name", TABLE)
def test_stub_refuses_what_zlib_refuses(chip: Host, name: str) -> None:
    stream = bytes.fromhex(TABLE[name])
    chip.put(ADDRESS, b"\x5a" * 0x1000)
    expected = streams.reference(stream)
    code, value = write(chip, stream, 0x4000, 0)
    assert value == ADDRESS
    # All are shorter than what was announced; what is wrong may show a little before zlib sees it, or after.
    assert code in {LITTLE, BROKEN}
    if expected.end == DONE:
        assert code == LITTLE
    assert chip.flash(ADDRESS, 0x1000) == b"\x5a" * 0x1000
    chip.clean()


@pytest.mark.parametrize("strategy", FEW_STRATEGIES)
def test_stub_writes_what_zlib_packs(chip: Host, strategy: str) -> None:
    for level in (0, 6):
        for _, sample in streams.samples():
            data = sample + b"\xff" * (-len(sample) % 256 or 256)
            stream = streams.packed(data, level, STRATEGIES[strategy])
            assert write(chip, stream, len(data), zlib.crc32(data)) == (0, ADDRESS)
            assert chip.flash(ADDRESS, len(data)) == data
    chip.clean()


def test_stub_reaches_32_kb_back(chip: Host) -> None:
    dictionary = random.Random(11).randbytes(0x8000)
    chip.put(0, dictionary)
    data = dictionary[:258] + dictionary[1000:1254]
    stream = streams.matches([(258, 0x8000), (254, 258 + 0x8000 - 1000)])
    assert streams.reference(stream, dictionary) == (DONE, data)
    assert write(chip, stream, len(data), zlib.crc32(data), 0x8000) == (0, ADDRESS)
    assert chip.flash(ADDRESS, len(data)) == data
    assert write(chip, stream, len(data), zlib.crc32(data), 0x7F00) == (BROKEN, ADDRESS)


@settings(max_examples=25)
@given(data=contents, edits=st.lists(st.tuples(st.integers(0, 1 << 12), st.integers(0, 255)), max_size=2))
def test_stub_writes_all_or_nothing(chip: Host, data: bytes, edits: list[tuple[int, int]]) -> None:
    data = (data + b"\xff" * (-len(data) % 256 or 256))[:0x1000]
    stream = bytearray(deflate(data))
    for at, value in edits:
        stream[at % len(stream)] = value
    chip.put(ADDRESS, b"\x5a" * 0x1000)
    expected = streams.reference(bytes(stream))
    code, value = write(chip, bytes(stream), len(data), zlib.crc32(data))
    good = expected == (DONE, data)
    if not good or len(stream) == len(deflate(data)):
        assert (code == 0) == good or code == 0xC0  # left over behind the end of the stream
    assert value == ADDRESS
    after = data.ljust(0x1000, b"\xff") if code == 0 else b"\x5a" * 0x1000
    assert chip.flash(ADDRESS, 0x1000) == after
    chip.clean()


def deflated_download(chip: Host, stream: bytes, size: int, packet: int) -> int:
    """Write by FLASH_DEFL; the code that FLASH_DEFL_END has."""
    assert chip.words(0x10, size, -(-len(stream) // packet), packet, 0x20000, 0).code == 0
    for at in range(0, len(stream), packet):
        answer = chip.packet(0x11, stream[at : at + packet])
        if answer.code:
            return answer.code
    return chip.words(0x12, 1).code


@pytest.mark.parametrize("packet", [1, 13, 0x400])
def test_stub_takes_zlib_streams_in_packets(chip: Host, packet: int) -> None:
    text = dict(streams.samples())["text"]
    data = text * 4 if packet > 1 else text[:60]
    assert deflated_download(chip, zlib.compress(data), len(data), packet) == 0
    assert chip.flash(0x20000, len(data)) == data


def test_stub_keeps_a_window_of_32_kb(chip: Host) -> None:
    known = random.Random(12).randbytes(0x100)
    stream = b"\x78\xda" + streams.matches(
        [(258, 256)] * 127 + [(258, 0x7F00), (258, 0x7FFF), (258, 0x8000)], known
    )
    expected = streams.reference(stream[2:]).output
    assert deflated_download(chip, stream + bytes(4), len(expected), 0x400) == 0
    assert chip.flash(0x20000, len(expected)) == expected


def test_stub_is_not_led_astray_by_an_empty_packet(chip: Host) -> None:
    data = dict(streams.samples())["text"]
    stream = zlib.compress(data)
    assert chip.words(0x10, len(data), 3, 0x4000, 0x20000, 0).code == 0
    for content in (stream[:50], b"", stream[50:]):
        assert chip.packet(0x11, content).code == 0
    assert chip.words(0x12, 1).code == 0
    assert chip.flash(0x20000, len(data)) == data
    chip.clean()


@settings(max_examples=25)
@given(payloads.filter(bool))
def test_stub_sends_frames(chip: Host, data: bytes) -> None:
    data += b"\xff" * (-len(data) % 4)
    chip.put(0x30000, data)
    assert chip.words(READ, 0x30000, len(data), 0, 1).data == data


def test_stub_is_sound_after_all(chip: Host) -> None:
    assert struct.unpack("<6I", chip.ask(INFO).data)[4:] == (0, 0)
    chip.clean()
