"""SLIP frames: what goes in comes out, and what is broken is dropped and counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.device.slip import Decoder, encode

# Bytes in which the special ones are frequent.
payloads = st.lists(st.sampled_from(b"\xc0\xdb\xdc\xdd\x00A"), max_size=30).map(bytes)
streams = st.lists(st.sampled_from(b"\xc0\xdb\xdc\xdd\x00A") | st.integers(0, 255), max_size=60).map(bytes)


@pytest.mark.parametrize(
    ("payload", "frame"),
    [
        (b"", "c0c0"),
        (b"A", "c041c0"),
        (b"\xc0", "c0dbdcc0"),
        (b"\xdb", "c0dbddc0"),
        (b"\xdb\xdc\xc0\xdd", "c0dbdddcdbdcddc0"),
    ],
)
def test_by_hand(payload: bytes, frame: str) -> None:
    assert encode(payload) == bytes.fromhex(frame)


@given(st.lists(payloads, max_size=4))
def test_a_round_trip(parts: list[bytes]) -> None:
    decoder = Decoder()
    assert decoder.feed(b"".join(map(encode, parts))) == [part for part in parts if part]
    assert decoder.noise == 0
    assert not decoder.inside


@given(payloads)
def test_no_delimiter_within_a_frame(payload: bytes) -> None:
    assert b"\xc0" not in encode(payload)[1:-1]


@given(streams, st.integers(1, 7), st.sampled_from([3, 1 << 20]))
def test_pieces_make_no_difference(stream: bytes, step: int, limit: int) -> None:
    whole, pieces = Decoder(limit), Decoder(limit)
    found = [frame for at in range(0, len(stream), step) for frame in pieces.feed(stream[at : at + step])]
    assert found == whole.feed(stream)
    assert (pieces.noise, pieces.inside) == (whole.noise, whole.inside)


@given(streams, st.sampled_from([1, 3, 1 << 20]))
def test_every_byte_is_a_delimiter_or_in_a_frame_or_noise(stream: bytes, limit: int) -> None:
    decoder = Decoder(limit)
    ended = stream + b"\xc0"
    found = decoder.feed(ended)
    carried = sum(len(encode(frame)) - 2 for frame in found)
    assert carried + decoder.noise + ended.count(b"\xc0") == len(ended)
    assert all(0 < len(frame) <= limit for frame in found)


@given(streams, payloads.filter(bool))
def test_a_frame_survives_whatever_came_before(noise: bytes, payload: bytes) -> None:
    assert Decoder().feed(noise + encode(payload))[-1] == payload


@pytest.mark.parametrize(
    ("stream", "found", "noise"),
    [
        ("414243c044c0", [b"D"], 3),  # noise before the first frame
        ("c041c042c0", [b"A", b"B"], 0),  # a shared delimiter
        ("c0c0c041c0c0", [b"A"], 0),  # empty frames
        ("c041db42c043c0", [b"C"], 3),  # a bad escape drops the frame
        ("c041db4243c044c0", [b"D"], 4),  # and what is behind it up to the next delimiter
        ("c041dbc042c0", [b"B"], 2),  # an escape of nothing
        ("c0dbc042c0", [b"B"], 1),
        ("c0dbdbddc042c0", [b"B"], 3),  # an escape of an escape
    ],
)
def test_broken_frames(stream: str, found: list[bytes], noise: int) -> None:
    decoder = Decoder()
    assert decoder.feed(bytes.fromhex(stream)) == found
    assert decoder.noise == noise


def test_the_limit_counts_the_payload() -> None:
    decoder = Decoder(4)
    assert decoder.feed(encode(b"\xc0\xdb\xc0\xdb")) == [b"\xc0\xdb\xc0\xdb"]
    assert decoder.feed(encode(b"12345") + encode(b"1234")) == [b"1234"]
    assert decoder.noise == 5


def test_an_endless_frame_does_not_grow() -> None:
    decoder = Decoder(100)
    assert decoder.feed(b"\xc0" + b"x" * 10_000) == []
    assert decoder.noise == 10_000
    assert not decoder.inside


@pytest.mark.parametrize(
    ("stream", "inside"),
    [(b"", False), (b"\xc0", False), (b"\xc0A", True), (b"\xc0\xdb", True), (b"A", False)],
)
def test_inside(stream: bytes, inside: bool) -> None:
    decoder = Decoder()
    decoder.feed(stream)
    assert decoder.inside is inside
