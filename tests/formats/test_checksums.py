from __future__ import annotations

import zlib
from functools import reduce
from operator import xor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imgtool.formats.checksums import XOR_SEED, sdk_crc, xor8
from tests.support import IMAGES


@pytest.mark.parametrize(
    ("blocks", "value"),
    [
        ([], 0xEF),
        ([b""], 0xEF),
        ([b"\xef"], 0x00),
        ([b"\x01\x02", b"\x04"], 0xE8),
        ([b"\x55" * 0x10000], 0xEF),
        ([b"\x55" * 0x10001], 0xBA),
    ],
    ids=["nothing", "empty", "seed", "two-blocks", "a-chunk", "more-than-a-chunk"],
)
def test_xor8(blocks: list[bytes], value: int) -> None:
    assert xor8(blocks) == value


@given(st.lists(st.binary(max_size=300)), st.integers(0, 255))
def test_xor8_is_the_xor_of_all_bytes(blocks: list[bytes], seed: int) -> None:
    assert xor8(blocks, seed) == reduce(xor, b"".join(blocks), seed)


def test_seed_is_the_boot_roms() -> None:
    assert XOR_SEED == 0xEF


@given(st.binary(max_size=500))
@example(b"")
@example(b"123456789")
def test_sdk_crc_is_espressifs_rule(data: bytes) -> None:
    # gen_appbin.py: all_bin_crc = zlib.crc32 as a signed number; if < 0: abs(crc) - 1, else: abs(crc) + 1.
    crc = zlib.crc32(data)
    signed = crc - (1 << 32) if crc >> 31 else crc

    assert sdk_crc(data) == (abs(signed) - 1 if signed < 0 else abs(signed) + 1)


@pytest.mark.parametrize(
    ("name", "crc"), [("v2/user1.bin", 0x14425E25), ("v2/user2.bin", 0x0EB5ED52)], ids=["bit-31-clear", "set"]
)
def test_sdk_crc_of_images(name: str, crc: int) -> None:
    assert sdk_crc(IMAGES[name][:-4]) == crc
