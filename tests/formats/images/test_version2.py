from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures import blocks
from imgtool.errors import FormatError
from imgtool.formats.images import version2
from imgtool.formats.images.version1 import BootImage, Segment
from imgtool.formats.images.version2 import OtaImage
from imgtool.formats.reading import PartKind, Reading
from tests.strategies import OTA_IMAGES
from tests.support import IMAGES, flipped, said

USER1 = IMAGES["v2/user1.bin"]
NO_TAIL = IMAGES["v2/no-tail.bin"]
WHOLE = ["v2/user1.bin", "v2/user2.bin", "v2/no-tail.bin"]
INNER = 16 + 0x15A00


def _small() -> bytes:
    """A whole image of a few lines, made by the fixtures' own writer."""
    header = blocks.Header(0x40100004, blocks.MODE_QIO, blocks.SIZE_1MB)
    segments = [blocks.Segment(0x40100000, bytes(range(1, 40))), blocks.Segment(0x3FFE8000, b"\x80" * 9)]
    body: bytes = blocks.ota_image(blocks.Header(0x40100004, 0, 1), header, b"\x12\xc1\xf0" * 20, segments)
    tail: bytes = blocks.words(blocks.sdk_crc(body))
    return body + tail


SMALL = _small()


def read(data: bytes) -> Reading:
    reading = version2.read(data)
    assert reading is not None
    return reading


@pytest.mark.parametrize(
    ("name", "slot", "mode", "size", "checksum", "crc"),
    [
        ("v2/user1.bin", 1, "qio", "1MB", 0xFB, 0x14425E25),
        ("v2/user2.bin", 2, "qio", "1MB", 0xDD, 0x0EB5ED52),
        ("v2/no-tail.bin", None, "dio", "4MB", 0x31, None),
    ],
)
def test_facts(name: str, slot: int | None, mode: str, size: str, checksum: int, crc: int | None) -> None:
    reading = read(IMAGES[name])

    header = reading.header
    checks = [part.checksum.stored for part in reading.parts if part.checksum is not None]
    assert header is not None
    assert (header.version, header.slot, header.mode, header.size) == (2, slot, mode, size)
    assert checks == [checksum] + ([] if crc is None else [crc])


@pytest.mark.parametrize("name", WHOLE)
def test_nothing_is_wrong_with_whole_images(name: str) -> None:
    assert said(read(IMAGES[name]).findings, "error", "warning") == []


def test_parts() -> None:
    parts = [(part.kind, part.offset, part.size) for part in read(USER1).parts]

    assert parts == [
        (PartKind.IMAGE_V2, 0, 16),
        (PartKind.IROM, 16, 0x15A00),
        (PartKind.IMAGE_V1, INNER, 38320),
        (PartKind.CRC_TAIL, INNER + 38320, 4),
    ]


def test_an_image_without_crc_says_so() -> None:
    assert said(read(NO_TAIL).findings, "note") == ["no-crc"]


def test_wrong_crc_is_an_error_with_both_values() -> None:
    reading = read(IMAGES["v2/bad-crc.bin"])

    check = reading.parts[-1].checksum
    assert check is not None
    assert (check.stored, check.computed) == (0x14425E25, 0x02C38D81)
    assert said(reading.findings, "error") == ["crc"]


@pytest.mark.parametrize("name", WHOLE)
def test_parsed_and_built_again_it_is_the_same(name: str) -> None:
    assert OtaImage.parse(IMAGES[name]).build() == IMAGES[name]


@given(OTA_IMAGES)
def test_round_trip(image: OtaImage) -> None:
    assert OtaImage.parse(image.build()) == image


@given(OTA_IMAGES)
def test_built_images_hold(image: OtaImage) -> None:
    assert said(read(image.build()).findings, "error") == []


@given(OTA_IMAGES, st.integers(1, 17))
def test_irom_is_padded_to_a_line(image: OtaImage, size: int) -> None:
    odd = OtaImage(0, 1, image.entry, b"\x55" * size, image.boot)

    assert OtaImage.parse(odd.build()).irom == b"\x55" * size + bytes(-size % 16)


@pytest.mark.parametrize("offset", range(len(SMALL)))
def test_every_byte_is_covered(offset: int) -> None:
    reading = version2.read(flipped(SMALL, offset))

    # Without its first two bytes it is no such image at all, which says as much.
    assert reading is None or said(reading.findings, "error") != []


@pytest.mark.parametrize(
    "offset", [0x0, 0x3, 0x10, 0x5000, INNER - 1, INNER, INNER + 3, INNER + 0x100, -5, -1]
)
def test_every_sort_of_byte_of_a_big_one_is_covered(offset: int) -> None:
    reading = version2.read(flipped(USER1, offset % len(USER1), 0x40))

    assert reading is None or said(reading.findings, "error") != []


@pytest.mark.parametrize("length", range(2, len(SMALL)))
def test_a_cut_anywhere_is_said(length: int) -> None:
    findings = read(SMALL[:length]).findings

    # Without exactly its CRC it is a whole image of the tools that append none.
    assert said(findings, "error", "note") == (["no-crc"] if length == len(SMALL) - 4 else ["cut"])


def test_cut_inside_irom() -> None:
    assert said(read(IMAGES["broken/cut-v2-irom.bin"]).findings, "error") == ["cut"]


def test_parse_refuses_what_is_cut() -> None:
    with pytest.raises(FormatError, match="the irom part is cut short"):
        OtaImage.parse(IMAGES["broken/cut-v2-irom.bin"])


@pytest.mark.parametrize("count", [0x13, 0xFF])
def test_parts_cover_the_file_also_behind_a_bad_inner_header(count: int) -> None:
    reading = read(USER1[: INNER + 1] + bytes([count]) + USER1[INNER + 2 :])

    assert reading.parts[-1].end == len(USER1)


def test_outer_entry_that_differs_is_said() -> None:
    body = flipped(USER1[:-4], 5)
    data = body + blocks.words(blocks.sdk_crc(body))

    assert said(read(data).findings, "warning") == ["entry"]


def test_outer_byte_that_is_neither_slot_nor_size_is_said() -> None:
    body = USER1[:3] + b"\x77" + USER1[4:-4]
    data = body + blocks.words(blocks.sdk_crc(body))

    assert said(read(data).findings, "warning") == ["outer-header"]


def test_findings_about_the_inner_header_name_its_place() -> None:
    inner = BootImage(7, 0x20, 0x40100004, (Segment(0x40100000, b"abcd"),))
    data = OtaImage(0, 1, 0x40100004, bytes(32), inner).build()

    places = [finding.offset for finding in read(data).findings if finding.code == "flash-mode"]
    assert places == [16 + 32 + 2]


def test_erased_flash_behind_is_a_note() -> None:
    reading = read(USER1 + b"\xff" * 100)

    assert [part.kind for part in reading.parts][-2:] == [PartKind.CRC_TAIL, PartKind.GAP]
    assert said(reading.findings, "error", "warning", "note") == ["padding"]


@pytest.mark.parametrize("data", [b"", b"\xe9", b"\xea\x00" + bytes(30), b"\x04\xea"], ids=repr)
def test_what_is_no_such_image(data: bytes) -> None:
    assert version2.read(data) is None
