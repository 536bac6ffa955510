"""The checks that ESP8266 images carry: the ROM's XOR, the CRC tail of SDK images, the CRC of Arduino images.

Everything runs at C speed, wherever Python does: both CRCs are what :func:`zlib.crc32` computes, with bits
turned round where the model wants that.  crcmod, which has the models by name, is what the tests hold them
against; its C code is not everywhere, and its Python code takes a hundred times as long as this.
"""

from __future__ import annotations

import zlib
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["XOR_SEED", "crc32_mpeg2", "sdk_crc", "stored_bytes", "sum32", "value_of", "xor8"]

XOR_SEED: Final = 0xEF
"""Start value of the boot ROM's checksum."""

# Big enough for int.from_bytes to run in C over long stretches, small enough to keep memory flat.
_CHUNK: Final = 1 << 16
_BYTE: Final = 8  # bits
_ALL_BITS: Final = 0xFFFF_FFFF
_MIRRORED: Final = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


def xor8(blocks: Iterable[bytes], seed: int = XOR_SEED) -> int:
    """XOR of every byte of the blocks, as the boot ROM computes it over segment data.

    The bytes are folded as big integers instead of being walked one by one.
    """
    folded = 0
    for block in blocks:
        view = memoryview(block)
        for start in range(0, len(view), _CHUNK):
            # Little endian puts byte 0 at bit 0 for every chunk, so chunks of different length line up.
            folded ^= int.from_bytes(view[start : start + _CHUNK], "little")
    width = _CHUNK * 8
    while width > _BYTE:
        width //= 2
        folded = (folded >> width) ^ (folded & ((1 << width) - 1))
    return folded ^ seed


def sdk_crc(data: bytes) -> int:
    """CRC-32 of an SDK image (user1.bin, user2.bin) as Espressif's gen_appbin.py stores it.

    It is the CRC-32/JAMCRC read as a signed number and made positive, a relic of Python 2's signed ``crc32``.
    Checked against 20 real images, see docs/formats/image-v2.md.
    """
    crc = zlib.crc32(data) ^ _ALL_BITS  # the model leaves out the last inversion
    return crc if crc < 1 << 31 else (1 << 32) - crc


def crc32_mpeg2(blocks: Iterable[bytes | memoryview]) -> int:
    """CRC-32/MPEG-2 of the blocks, one after the other, as the Arduino core computes it over an image.

    It takes the highest bit of a byte first where zlib's CRC-32 takes the lowest, by the same polynomial: so
    it is that of the mirrored bytes, mirrored, without the inversion at the end.
    """
    crc = 0
    for block in blocks:
        view = memoryview(block)
        for start in range(0, len(view), _CHUNK):
            crc = zlib.crc32(bytes(view[start : start + _CHUNK]).translate(_MIRRORED), crc)
    return int.from_bytes((crc ^ _ALL_BITS).to_bytes(4, "little").translate(_MIRRORED), "big")


def sum32(blocks: Iterable[bytes]) -> int:
    """Sum of every byte of the blocks, 32 bits of it."""
    return sum(sum(block) for block in blocks) & _ALL_BITS


def otadata_crc(data: bytes) -> int:
    """CRC-32 of the RTOS SDK's otadata: as zlib's, but begun with what is inverted to 0."""
    return zlib.crc32(data, _ALL_BITS)


def value_of(algorithm: str, blocks: Sequence[bytes]) -> int:
    """The value of a check over blocks, one after the other.

    Args:
        algorithm: A name as in :class:`imgtool.formats.reading.Checksum`; not ``crc32``, which is gzip's own.
        blocks: What it covers.

    Raises:
        KeyError: No such algorithm.
    """
    return _VALUES[algorithm](blocks)


def stored_bytes(algorithm: str, value: int, bits: int) -> bytes:
    """How a value stands in a file: digests, and Tuya's sums, with the highest byte first."""
    return value.to_bytes(bits // 8, "big" if algorithm in _BIG_ENDIAN else "little")


def _digest(name: str, blocks: Iterable[bytes]) -> int:
    import hashlib  # noqa: PLC0415 - most images have no digest, and OpenSSL takes its time to load

    digest = hashlib.new(name, usedforsecurity=False)
    for block in blocks:
        digest.update(block)
    return int.from_bytes(digest.digest(), "big")


_DIGESTS: Final = ("md5", "sha256")
_BIG_ENDIAN: Final = (*_DIGESTS, "sum32")
_VALUES: Final[dict[str, Callable[[Sequence[bytes]], int]]] = {
    "xor8": xor8,
    "sdk-crc32": lambda blocks: sdk_crc(b"".join(blocks)),
    "crc32-mpeg2": crc32_mpeg2,
    "sum32": sum32,
    "crc32-otadata": lambda blocks: otadata_crc(b"".join(blocks)),
    **{name: partial(_digest, name) for name in _DIGESTS},
}
