from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.errors import FormatError
from imgtool.formats.containers.blocks import MAX_SPAN, Block, laid_out, merged

PIECES = st.lists(st.tuples(st.integers(0, 5), st.binary(max_size=9)), max_size=8)


@given(PIECES, st.randoms())
def test_merging_keeps_every_byte_at_its_address(pieces: list[tuple[int, bytes]], order: object) -> None:
    image, blocks = b"", []
    for gap, data in pieces:
        image += b"\xff" * gap
        blocks.append(Block(len(image), data))
        image += data
    order.shuffle(blocks)  # type: ignore[attr-defined]
    joined = merged(blocks)
    whole = laid_out(joined)
    start = joined[0].address if joined else 0
    assert whole == image[start : start + len(whole)]
    assert all(first.end < second.address for first, second in pairwise(joined))
    assert merged(joined) == joined


def test_an_address_cannot_be_written_twice() -> None:
    with pytest.raises(FormatError, match="0x00000102 is written twice"):
        merged([Block(0x100, b"abc"), Block(0x102, b"d")])


def test_the_address_space_ends() -> None:
    assert merged([Block(0xFFFFFFFE, b"ab")])
    with pytest.raises(FormatError, match="address space"):
        merged([Block(0xFFFFFFFE, b"abc")])


def test_the_span_is_bounded() -> None:
    assert len(laid_out((Block(0, b"a"), Block(MAX_SPAN - 1, b"b")))) == MAX_SPAN
    with pytest.raises(FormatError, match="more than the largest flash has"):
        laid_out((Block(0, b"a"), Block(MAX_SPAN, b"b")))
