from __future__ import annotations

import gzip
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.errors import FormatError
from imgtool.formats.containers import lfs
from imgtool.formats.containers.lfs import EarlyLfs, LfsImage
from imgtool.formats.reading import FileKind
from imgtool.formats.registry import identify
from tests.support import IMAGES, real, said

RAW = IMAGES["lfs/lfs-5.1.raw"]
PACKED = IMAGES["lfs/lfs-5.1.img"]
PLACED = IMAGES["lfs/lfs-5.1-at-0x98000.bin"]
SIZE = 4812
WORDS = SIZE // 4


@pytest.mark.parametrize("data", [RAW, PACKED, gzip.compress(RAW)], ids=["raw", "stored", "deflated"])
def test_relocated_as_the_firmware_does_it(data: bytes) -> None:
    assert LfsImage.parse(data).at(0x98000) == PLACED


@given(st.integers(0, 0x3FF).map(lambda number: number * 0x1000))
def test_relocated_anywhere(address: int) -> None:
    placed = struct.unpack(f"<{WORDS}I", LfsImage.parse(RAW).at(address))

    plain = struct.unpack(f"<{WORDS}I", RAW[:SIZE])
    bits = int.from_bytes(RAW[SIZE:], "little")
    expected = [
        0x40200000 + address + 4 * word if bits >> index & 1 else word for index, word in enumerate(plain)
    ]
    expected[0] |= 1
    assert list(placed) == expected


def test_an_absolute_image_stays_as_it_is() -> None:
    assert LfsImage.parse(PLACED).at(0x98000) == PLACED


@pytest.mark.parametrize("address", [0x97000, 0xA8000, 0])
def test_an_absolute_image_goes_nowhere_else(address: int) -> None:
    with pytest.raises(FormatError, match="fixed addresses for another place"):
        LfsImage.parse(PLACED).at(address)


@pytest.mark.parametrize(
    ("signature", "number_type"), [(0xFAFAA154, "float"), (0xFAFAA152, "integer"), (0xFAFAA150, "float")]
)
def test_number_type(signature: int, number_type: str) -> None:
    assert LfsImage.parse(struct.pack("<I", signature) + RAW[4:]).number_type == number_type


@pytest.mark.parametrize("data", [RAW, PACKED, PLACED], ids=["raw", "gzipped", "placed"])
def test_read(data: bytes) -> None:
    reading = lfs.read(data)

    assert reading is not None
    assert (reading.kind, [part.size for part in reading.parts]) == (FileKind.LFS, [len(data)])


def test_lua_53_is_named() -> None:
    reading = lfs.read(b"\x1bLua\x53\x0b\x19\x93\r\n\x1a\n" + bytes(100))

    assert reading is not None
    assert said(reading.findings, "note") == ["lfs-5.3"]


def test_lua_53_cannot_be_relocated() -> None:
    with pytest.raises(FormatError, match=r"Lua 5\.3"):
        LfsImage.parse(b"\x1bLua\x53\x0b" + bytes(100))


@pytest.mark.parametrize("length", [0, 3, 4, 31, 100, SIZE, len(RAW) - 1])
def test_a_cut_image_is_refused(length: int) -> None:
    with pytest.raises(FormatError):
        LfsImage.parse(RAW[:length])


@pytest.mark.parametrize("length", [2, 10, 100, len(PACKED) - 9, len(PACKED) - 1])
def test_a_cut_gzip_stream_is_refused(length: int) -> None:
    with pytest.raises(FormatError):
        LfsImage.parse(PACKED[:length])


def test_a_damaged_gzip_stream_is_refused() -> None:
    with pytest.raises(FormatError, match="gzip stream is damaged"):
        LfsImage.parse(PACKED[:1000] + b"\x55" + PACKED[1001:])


def test_a_gzip_bomb_is_refused() -> None:
    with pytest.raises(FormatError, match="more than an LFS image can"):
        LfsImage.parse(gzip.compress(RAW.ljust(0x1000000, b"\0")))


def test_a_marked_word_that_is_no_offset_is_refused() -> None:
    word = next(i for i in range(9, WORDS) if int.from_bytes(RAW[SIZE:], "little") >> i & 1)
    data = RAW[: 4 * word] + struct.pack("<I", WORDS) + RAW[4 * word + 4 :]

    with pytest.raises(FormatError, match="no offset"):
        LfsImage.parse(data).at(0x98000)


def test_a_bitmap_that_marks_words_behind_the_image_is_refused() -> None:
    with pytest.raises(FormatError):
        LfsImage.parse(RAW[:-1] + bytes([RAW[-1] | 0x80])).at(0x98000)


@pytest.mark.parametrize(
    "data", [b"", bytes(100), b"\xff" * 100, b"\x1f\x8b", gzip.compress(b"text", mtime=0)], ids=repr
)
def test_what_is_no_lfs(data: bytes) -> None:
    assert lfs.read(data) is None


def test_in_a_flash_only_placed_images_are_told() -> None:
    flash = b"\xff" * 0x98000 + PLACED + b"\xff" * 0x1000

    found = lfs.inside(flash, 0x98000, len(flash))
    assert found is not None
    assert [(part.offset, part.size, part.address) for part in found.parts] == [(0x98000, SIZE, 0x40298000)]


def test_real_image_is_relocated() -> None:
    image = LfsImage.parse(real("nodemcu/heikomat-lfs.img"))

    assert (len(image.at(0x8E000)), image.at(0x8E000)[:4]) == (0x12658 // 4 * 4, b"\x55\xa1\xfa\xfa")


EARLY = IMAGES["lfs/lfs-2018.img"]


def test_an_image_of_2018() -> None:
    reading = identify(EARLY)
    image = reading.parts[0].value

    assert isinstance(image, EarlyLfs)
    assert (reading.kind, image.header.size, image.broken) == (FileKind.LFS, len(EARLY), None)
    assert image.links is not None
    assert image.links > 100
    assert said(reading.findings, "note", "warning", "error") == ["lfs-2018"]
    assert "NodeMCU 2.2.1" in reading.findings[0].message


@pytest.mark.parametrize("length", [32, 1024, SIZE - 4])
def test_a_cut_image_of_2018(length: int) -> None:
    reading = identify(EARLY[:length])

    assert (reading.kind, said(reading.findings, "error")) == (FileKind.LFS, ["cut"])
    assert reading.findings[0].message == (
        f"the LFS image is cut short (expected 4,812 bytes, found {length:,} bytes)"
    )


def test_a_moved_image_of_2018_breaks_its_chain() -> None:
    """Four bytes lost in the middle, and as many behind: the size is right, the chain is not."""
    reading = identify(EARLY[:400] + EARLY[404:] + bytes(4))

    assert said(reading.findings, "error") == ["lfs-chain"]


@pytest.mark.parametrize("word", [2, 3])
@pytest.mark.parametrize("value", [0xFFFF_0000 | 9, 9 << 16 | 0xFFFF, 2 << 16 | 9, 3 << 16 | 9])
def test_links_out_of_bounds_or_in_circles(word: int, value: int) -> None:
    data = bytearray(EARLY)
    struct.pack_into("<I", data, 4 * word, value)
    reading = identify(bytes(data))

    # A link that happens to be right again is none of these.
    expected = [] if value >> 16 == 3 and word == 2 else ["lfs-chain"]
    assert said(reading.findings, "error") == expected


def test_what_follows_an_image_of_2018_is_a_part() -> None:
    reading = identify(EARLY + b"more")

    assert [part.size for part in reading.parts] == [len(EARLY), 4]
    assert said(reading.findings, "warning") == ["trailing"]


def test_an_image_of_2018_is_not_relocated() -> None:
    with pytest.raises(FormatError, match="an LFS image of 2018: only NodeMCU"):
        LfsImage.parse(EARLY)


def test_an_image_of_2018_in_a_flash() -> None:
    flash = b"\xff" * 0x1000 + EARLY
    found = lfs.inside(flash, 0x1000, len(flash))
    assert found is not None
    assert found.parts[0].end == len(flash)
    assert lfs.inside(flash[:-4], 0x1000, len(flash) - 4) is None
