"""QEMU's lx106 as another opinion: inflate, CRC-32 and framing, byte-equal with zlib and the core."""

from __future__ import annotations

import random
import shutil
import struct
import zlib
from typing import TYPE_CHECKING

import pytest

from imgtool.device.slip import Decoder, encode
from tests.stub import parts, streams
from tests.stub.host import request
from tests.stub.streams import DAMAGED, DONE, NO_INPUT, STRATEGIES, TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stub.parts import OnCore, Part

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which(parts.QEMU) is None, reason=f"not installed: {parts.QEMU}"),
]

WINDOW = 0xC000


def streams_of_all_kinds() -> Iterator[bytes]:
    rng = random.Random(21)
    yield from map(bytes.fromhex, TABLE.values())
    for level in range(0, 10, 3):
        for strategy in STRATEGIES.values():
            for _, data in streams.samples():
                stream = streams.packed(data, level, strategy, rng.randrange(9, 16))
                yield stream
                damaged = bytearray(stream)
                damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
                yield bytes(damaged)
                yield stream[: rng.randrange(len(stream))]
    for _ in range(100):
        yield rng.randbytes(60)
        lengths = [rng.choice((0, 0, 0, 0, 4, 8, 9, 12, 15)) for _ in range(rng.randrange(257, 287))]
        yield streams.dynamic(lengths, [1, 1], rng.randbytes(60))


def unpacked(answer: bytes) -> tuple[int, int, int, bytes]:
    """The end, the digest and the number of bytes, and the last of them."""
    end, crc, total = struct.unpack_from("<3I", answer)
    return end, crc, total, answer[12:]


def test_inflate(unpack_part: Part, unpack: OnCore) -> None:
    rng = random.Random(22)
    inputs = list(streams_of_all_kinds())
    jobs = [
        parts.inflate_job(
            stream,
            place=rng.randrange(WINDOW),
            history=0,
            window=WINDOW,
            room=1 << 20,
            piece=rng.randrange(1, 999),
        )
        for stream in inputs
    ]
    answers = parts.in_qemu(unpack_part, jobs)
    assert len(answers) == len(jobs)
    ends = set()
    for stream, job, answer in zip(inputs, jobs, answers, strict=True):
        end, crc, total, output = unpacked(answer)
        assert (end, crc, total, output) == unpacked(unpack.run(job))
        expected = streams.reference(stream)
        ends.add(expected.end)
        if expected.end == DONE:
            assert (end, crc, total) == (DONE, zlib.crc32(expected.output), len(expected.output))
            assert output == expected.output[-WINDOW:]
        else:
            assert end in {NO_INPUT, DAMAGED}
    assert ends == {DONE, NO_INPUT, DAMAGED}


def test_distances(unpack_part: Part) -> None:
    """As far back as there is, in a window that was filled before."""
    dictionary = random.Random(23).randbytes(streams.LONGEST_DISTANCE)
    pairs = [(3 + at % 256, 1 + at * 523 % 0x8000) for at in range(120)] + [(258, 0x8000)]
    stream = streams.matches(pairs, b"imgtool")
    jobs = [parts.load_job(at, dictionary[at : at + 0x4000]) for at in range(0, len(dictionary), 0x4000)]
    jobs += [
        parts.inflate_job(stream, place=0x8000, history=0x8000, window=WINDOW, room=1 << 20, piece=4096),
    ]
    end, crc, total, output = unpacked(parts.in_qemu(unpack_part, jobs)[-1])
    expected = streams.reference(stream, dictionary)
    assert (end, total, output, expected.end) == (DONE, len(expected.output), expected.output, DONE)
    assert crc == zlib.crc32(output)


def test_crc(unpack_part: Part, unpack: OnCore) -> None:
    rng = random.Random(24)
    inputs = [(rng.getrandbits(32), rng.randrange(4), rng.randbytes(rng.randrange(600))) for _ in range(200)]
    jobs = [parts.crc_job(*given) for given in inputs]
    for (before, _, data), job, answer in zip(inputs, jobs, parts.in_qemu(unpack_part, jobs), strict=True):
        assert int.from_bytes(answer[:4], "little") == zlib.crc32(data, before)
        assert answer[:4] == unpack.run(job)[:4]


def test_frames(line_part: Part, line: OnCore) -> None:
    rng = random.Random(25)
    payloads = [bytes(rng.choices(b"\xc0\xdb\xdc\xdd\0a", k=rng.randrange(60))) for _ in range(300)]
    jobs = [parts.send_job(payload) for payload in payloads]
    for payload, answer in zip(payloads, parts.in_qemu(line_part, jobs), strict=True):
        assert answer == encode(payload)
    lines = []
    for at in range(0, len(payloads), 6):
        line_data = bytearray(b"".join(encode(request(0x20, payload)) for payload in payloads[at : at + 6]))
        for _ in range(at % 3):
            line_data[rng.randrange(1, len(line_data))] = rng.choice(b"\xc0\xdb\x41\0")
        lines.append(bytes(line_data))
    jobs = [parts.receive_job(data) for data in lines]
    for number, (data, job, answer) in enumerate(
        zip(lines, jobs, parts.in_qemu(line_part, jobs), strict=True)
    ):
        assert answer == line.run(job)
        if number % 3 == 0:
            whole = Decoder().feed(data)
            assert [frame for frame in whole if frame[:8] not in answer] == []
