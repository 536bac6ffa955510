from __future__ import annotations

import hashlib
import zlib
from functools import reduce
from operator import xor

import crcmod.predefined
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imgtool.formats.checksums import XOR_SEED, crc32_mpeg2, sdk_crc, value_of, xor8
from tests.support import IMAGES

JAMCRC = crcmod.predefined.mkPredefinedCrcFun("jamcrc")
MPEG2 = crcmod.predefined.mkPredefinedCrcFun("crc-32-mpeg")
# Around the stretches that are taken at a time, and around words.
LENGTHS = [0, 1, 2, 3, 4, 5, 8, 9, 255, 256, 4095, 4096, 65_535, 65_536, 65_537, 200_000]


def sample(length: int) -> bytes:
    return hashlib.shake_128(b"checks").digest(length)


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


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"", 0xFFFF_FFFF),
        (b"123456789", 0x0376_E6E7),  # the check of the catalogue of CRCs
        (b"\0", 0x4E08_BFB4),
        (b"\xff" * 4, 0),
    ],
    ids=["nothing", "check", "zero", "ones"],
)
def test_crc32_mpeg2(data: bytes, value: int) -> None:
    assert crc32_mpeg2([data]) == value


def test_sdk_crc_of_the_catalogues_check() -> None:
    assert sdk_crc(b"123456789") == 0x340B_C6D9


@pytest.mark.parametrize("length", LENGTHS)
def test_crcs_are_crcmods(length: int) -> None:
    data = sample(length)
    jamcrc = JAMCRC(data)

    assert crc32_mpeg2([data]) == MPEG2(data)
    assert sdk_crc(data) in (jamcrc, (1 << 32) - jamcrc)
    assert (sdk_crc(data) == jamcrc) == (jamcrc < 1 << 31)


@given(st.binary(max_size=5_000))
def test_crcs_of_any_bytes_are_crcmods(data: bytes) -> None:
    assert crc32_mpeg2([data]) == MPEG2(data)
    assert sdk_crc(data) in (JAMCRC(data), (1 << 32) - JAMCRC(data))


@given(st.lists(st.binary(max_size=2_000), max_size=8))
def test_crcs_of_blocks_are_those_of_all_bytes(blocks: list[bytes]) -> None:
    whole = b"".join(blocks)

    assert crc32_mpeg2(blocks) == crc32_mpeg2(map(memoryview, blocks)) == MPEG2(whole)
    assert value_of("crc32-mpeg2", blocks) == MPEG2(whole)
    assert value_of("sdk-crc32", blocks) == sdk_crc(whole)


@pytest.mark.parametrize("cut", LENGTHS)
def test_crc32_mpeg2_over_a_cut(cut: int) -> None:
    data = sample(200_000)

    assert crc32_mpeg2((data[:cut], data[cut:])) == MPEG2(data[cut:], MPEG2(data[:cut]))
