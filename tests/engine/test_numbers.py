from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.engine.numbers import number, number_in, number_of_32_bits
from imgtool.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("16", 16),
        ("0x10000", 0x10000),
        ("0X1f", 0x1F),
        ("0b101", 5),
        ("0o17", 0o17),
        ("010", 10),
        ("64K", 65536),
        ("64k", 65536),
        ("64KB", 65536),
        ("4M", 4 << 20),
        ("4MB", 4 << 20),
        ("4mb", 4 << 20),
        ("0x10K", 16384),
        ("1_000", 1000),
    ],
)
def test_number(text: str, value: int) -> None:
    assert number(text) == value


@given(st.integers(0, 1 << 40))
def test_number_in_any_base(value: int) -> None:
    assert [number(form) for form in (str(value), hex(value), oct(value), bin(value))] == [value] * 4


@pytest.mark.parametrize(
    "text",
    ["", "x", "-1", "1.5", "1.5M", "0x", "0xg", "4G", "4 MB", "1e3", "K", "0b2", "\u0663", "_", "4MiB"],
)
def test_no_number(text: str) -> None:
    with pytest.raises(UsageError):
        number(text)
    assert number_in(text) is None


def test_a_number_that_is_no_word_is_what_it_is() -> None:
    assert (number(65536), number_of_32_bits(0), number_of_32_bits("0xffffffff")) == (65536, 0, 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("word", "found"), [("5000000000", "5000000000"), (1 << 32, "0x100000000"), (-1, "-0x1")]
)
def test_more_than_32_bits(word: str | int, found: str) -> None:
    with pytest.raises(UsageError, match="at most 0xffffffff") as caught:
        number_of_32_bits(word)

    assert caught.value.found == found
