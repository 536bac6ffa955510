from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.formats.fill import is_fill, run_end, run_start

FEW = st.lists(st.sampled_from([0x00, 0xFE, 0xFF]), max_size=30).map(bytes)
BIG = b"\xff" * 0x4000 + b"\x00" + b"\xff" * 0x8000


@given(FEW, st.data())
def test_run_end_is_the_first_other_byte(data: bytes, draw: st.DataObject) -> None:
    start = draw.draw(st.integers(0, len(data)))
    stop = draw.draw(st.integers(start, len(data)))

    assert run_end(data, start, stop) == next((i for i in range(start, stop) if data[i] != 0xFF), stop)


@given(FEW, st.data())
def test_run_start_is_behind_the_last_other_byte(data: bytes, draw: st.DataObject) -> None:
    start = draw.draw(st.integers(0, len(data)))
    stop = draw.draw(st.integers(start, len(data)))
    others = [i for i in range(start, stop) if data[i] != 0xFF]

    assert run_start(data, start, stop) == (others[-1] + 1 if others else start)


@pytest.mark.parametrize(
    ("start", "stop", "end"), [(0, len(BIG), 0x4000), (0x4001, len(BIG), len(BIG)), (0, 0x4000, 0x4000)]
)
def test_run_end_over_chunks(start: int, stop: int, end: int) -> None:
    assert run_end(BIG, start, stop) == end


def test_run_start_over_chunks() -> None:
    assert run_start(BIG, 0, len(BIG)) == 0x4001


@pytest.mark.parametrize(
    ("data", "value", "answer"),
    [(b"", 0xFF, True), (b"\xff\xff", 0xFF, True), (b"\xff\x00", 0xFF, False), (b"\0\0", 0, True)],
)
def test_is_fill(data: bytes, value: int, answer: bool) -> None:
    assert is_fill(data, 0, len(data), value) is answer
