from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.formats import lx106
from tests.support import IMAGES

CODE = ["sample/0x10000.bin", "nodemcu-0.9.5/0x10000.bin", "nonos-1.3/0x40000.bin", "v2/user1.bin"]
DATA = ["spiffs/linear.bin", "blank.bin", "lfs/lfs-5.1.raw", "init-data/sector.bin"]


@pytest.mark.parametrize("name", CODE)
def test_code_looks_like_code(name: str) -> None:
    assert lx106.looks_like_code(IMAGES[name])


@pytest.mark.parametrize("name", DATA)
def test_data_does_not(name: str) -> None:
    assert not lx106.looks_like_code(IMAGES[name])


def test_too_little_says_nothing() -> None:
    assert not lx106.looks_like_code(b"\x12\xc1\xf0\x0d\xf0\0\0\0" * 31)


@given(
    st.lists(st.one_of(st.integers(0, 0xFFFFFFFF), st.integers(0x40100000, 0x40108000)), max_size=50),
    st.integers(0, 0x7FFF),
)
def test_pointers_are_the_aligned_words_of_the_range(words: list[int], size: int) -> None:
    data = struct.pack(f"<{len(words)}I", *words)

    found = lx106.pointers(data, 0x40100000, 0x40100000 + size)
    assert found == {w for w in words if 0x40100000 <= w < 0x40100000 + size and w % 4 == 0}


def test_no_pointer_into_nothing() -> None:
    assert lx106.pointers(struct.pack("<I", 0x40100000), 0x40100000, 0x40100000) == frozenset()


def test_share_of_function_starts() -> None:
    code = b"\x12\xc1\xf0\x21" + bytes(4) + b"\x00\x0d\xf0\x00" + b"\x55" * 8

    # A frame at 0, none at 4 and 16, a return right in front of 12, and one address outside.
    assert lx106.function_share([0x100, 0x104, 0x10C, 0x110, 0x999], code, 0x100) == (4, 0.5)
