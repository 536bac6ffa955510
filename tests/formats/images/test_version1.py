from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.errors import FormatError
from imgtool.formats.images import version1
from imgtool.formats.images.version1 import BootImage, Segment
from imgtool.formats.reading import FileKind, PartKind, Reading
from tests.strategies import BOOT_IMAGES, LOADABLE_IMAGES
from tests.support import IMAGES, codes, flipped, said

# fixtures/README.md: name, mode, size, entry, checksum, bytes.
TABLE = [
    ("sample/0x00000.bin", "dio", "1MB", 0x40100004, 0xFE, 34096),
    ("nodemcu-0.9.5/0x00000.bin", "qio", "512KB", 0x40100004, 0x64, 42832),
    ("nodemcu-1.5.4.1-cloud/0x00000.bin", "qio", "512KB", 0x401007AC, 0x06, 29600),
    ("nodemcu-3.0-2019/0x00000.bin", "dio", "1MB", 0x40100004, 0x85, 41264),
    ("nodemcu-3.0-2021/0x00000.bin", "dio", "1MB", 0x40100004, 0x3A, 42288),
    ("nonos-2.0/eagle.flash.bin", "dout", "4MB-c1", 0x40100004, 0x5E, 38320),
    ("nonos-1.3/0x00000.bin", "qio", "512KB", 0x40100004, 0x9D, 34096),
]
BOOT_NAMES = [row[0] for row in TABLE]
SAMPLE = IMAGES["sample/0x00000.bin"]
SMALL = BootImage(
    2, 0x20, 0x40100004, (Segment(0x40100000, bytes(range(1, 22))), Segment(0x3FFE8000, b"\x80" * 9))
).build()
# Where the boot ROM's checksum looks: data of both segments, and the checksum byte itself.
COVERED = [*range(16, 16 + 21), *range(16 + 21 + 8, 16 + 21 + 8 + 9), len(SMALL) - 1]


def read(data: bytes) -> Reading:
    reading = version1.read(data)
    assert reading is not None
    return reading


@pytest.mark.parametrize(("name", "mode", "size", "entry", "checksum", "length"), TABLE, ids=BOOT_NAMES)
def test_facts(name: str, mode: str, size: str, entry: int, checksum: int, length: int) -> None:
    reading = read(IMAGES[name])

    header, (part,) = reading.header, reading.parts
    assert header is not None
    assert part.checksum is not None
    assert (header.mode, header.size, header.freq, header.entry) == (mode, size, "40m", entry)
    assert (part.checksum.stored, part.checksum.computed, part.size) == (checksum, checksum, length)


def test_segments_with_their_memory() -> None:
    (part,) = read(SAMPLE).parts

    assert [(s.offset, s.size, s.address, s.memory) for s in part.segments] == [
        (0x10, 0x6000, 0x40100000, "IRAM"),
        (0x6018, 0x900, 0x3FFE8000, "DRAM"),
        (0x6920, 0x1C00, 0x3FFE8900, "DRAM"),
    ]


@pytest.mark.parametrize("name", BOOT_NAMES)
def test_nothing_is_wrong_with_whole_images(name: str) -> None:
    assert read(IMAGES[name]).findings == ()


@pytest.mark.parametrize("name", BOOT_NAMES)
def test_parsed_and_built_again_it_is_the_same(name: str) -> None:
    assert BootImage.parse(IMAGES[name]).build() == IMAGES[name]


@given(BOOT_IMAGES)
def test_round_trip(image: BootImage) -> None:
    assert BootImage.parse(image.build()) == image


@given(LOADABLE_IMAGES)
def test_built_images_have_the_right_checksum(image: BootImage) -> None:
    assert said(read(image.build()).findings, "error", "warning") == []


@given(BOOT_IMAGES, st.binary(max_size=40))
def test_an_image_ends_where_it_ends_whatever_follows(image: BootImage, behind: bytes) -> None:
    assert BootImage.parse(image.build() + behind) == image


@given(BOOT_IMAGES)
def test_checksum_is_the_last_byte_of_a_line(image: BootImage) -> None:
    data = image.build()

    assert (len(data) % 16, data[-1]) == (0, image.stored_checksum)


@pytest.mark.parametrize("count", [0, 1, 16])
def test_number_of_segments(count: int) -> None:
    image = BootImage(0, 0, 0x40100004, (Segment(0x40100000, b"abcd"),) * count, 0x11)

    assert len(BootImage.parse(image.build()).segments) == count


def test_seventeen_segments_are_not_built() -> None:
    image = BootImage(0, 0, 0x40100004, (Segment(0x40100000, b"abcd"),) * 17)

    with pytest.raises(FormatError, match="too many segments"):
        image.build()


def test_seventeen_segments_are_not_parsed() -> None:
    with pytest.raises(FormatError) as caught:
        BootImage.parse(IMAGES["broken/seventeen-segments.bin"])

    assert (caught.value.offset, caught.value.expected, caught.value.found) == (1, "at most 16", "17")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("broken/cut-in-segment.bin", "cut"),
        ("broken/cut-before-checksum.bin", "cut"),
        ("broken/header-only.bin", "cut"),
        ("broken/bad-checksum.bin", "checksum"),
        ("broken/seventeen-segments.bin", "segment-count"),
    ],
)
def test_broken_images(name: str, code: str) -> None:
    assert said(read(IMAGES[name]).findings, "error") == [code]


def test_wrong_checksum_is_shown_against_the_right_one() -> None:
    (part,) = read(IMAGES["broken/bad-checksum.bin"]).parts

    assert part.checksum is not None
    assert (part.checksum.stored, part.checksum.computed, part.checksum.ok) == (0xA4, 0xFE, False)


def test_bytes_behind_are_a_part_with_a_warning() -> None:
    reading = read(IMAGES["broken/trailing.bin"])

    assert [(part.kind, part.size) for part in reading.parts] == [
        (PartKind.IMAGE_V1, 34096),
        (PartKind.UNKNOWN, 5),
    ]
    assert said(reading.findings, "warning") == ["trailing"]


@pytest.mark.parametrize("value", [0x00, 0xFF])
def test_fill_behind_is_no_cause_for_alarm(value: int) -> None:
    reading = read(SAMPLE + bytes([value]) * 100)

    assert [part.kind for part in reading.parts] == [PartKind.IMAGE_V1, PartKind.GAP]
    assert said(reading.findings, "note", "warning", "error") == ["padding"]


@pytest.mark.parametrize("length", range(1, len(SMALL)))
def test_a_cut_anywhere_is_an_error(length: int) -> None:
    assert "cut" in said(read(SMALL[:length]).findings, "error")


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
@pytest.mark.parametrize("offset", COVERED)
def test_every_change_under_the_checksum_is_an_error(offset: int, mask: int) -> None:
    assert said(read(flipped(SMALL, offset, mask)).findings, "error") == ["checksum"]


@pytest.mark.parametrize("mask", [1 << bit for bit in range(8)])
@pytest.mark.parametrize("offset", [12, 13, 14, 15])
def test_every_change_of_the_first_segment_length_is_an_error(offset: int, mask: int) -> None:
    assert said(read(flipped(SMALL, offset, mask)).findings, "error") != []


@pytest.mark.parametrize(
    ("mode", "freq", "size", "bytes_2_and_3"),
    [
        (None, None, None, "0220"),
        (0, None, None, "0020"),
        (None, 0xF, None, "022f"),
        (None, None, 4, "0240"),
        (3, 2, 9, "0392"),
    ],
    ids=["nothing", "mode", "freq", "size", "all"],
)
def test_patch_header(mode: int | None, freq: int | None, size: int | None, bytes_2_and_3: str) -> None:
    patched = version1.patch_header(SAMPLE, mode=mode, freq=freq, size=size)

    assert patched == SAMPLE[:2] + bytes.fromhex(bytes_2_and_3) + SAMPLE[4:]


def test_patching_needs_an_image() -> None:
    with pytest.raises(FormatError):
        version1.patch_header(b"\0" * 100, mode=0)


@pytest.mark.parametrize(
    ("offset", "value", "code"),
    [(2, 0x07, "flash-mode"), (3, 0x70, "flash-size"), (3, 0x25, "flash-freq")],
)
def test_header_values_without_a_meaning(offset: int, value: int, code: str) -> None:
    data = SAMPLE[:offset] + bytes([value]) + SAMPLE[offset + 1 :]

    assert said(read(data).findings, "warning") == [code]


def test_a_segment_outside_of_all_memory() -> None:
    image = BootImage(0, 0, 0x40100000, (Segment(0x40100000, b"abcd"), Segment(0x50000000, b"efgh")))

    assert said(read(image.build()).findings, "error", "warning") == ["load-address"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xea" + SAMPLE[1:],
        # ESP32-C3: entry and load addresses that this chip does not have.
        struct.pack("<BBBBI", 0xE9, 3, 2, 0x1F, 0x403CC710) + struct.pack("<II", 0x3FCD5820, 16) + bytes(32),
    ],
    ids=["empty", "other-magic", "other-chip"],
)
def test_what_is_no_image_of_this_chip(data: bytes) -> None:
    assert version1.read(data) is None


@pytest.mark.parametrize("offset", [0, 16, 0x1000])
def test_parse_at_an_offset(offset: int) -> None:
    assert BootImage.parse(bytes(offset) + SMALL, offset) == BootImage.parse(SMALL)


def test_parse_names_the_offset_of_what_is_missing() -> None:
    with pytest.raises(FormatError) as caught:
        BootImage.parse(IMAGES["broken/cut-in-segment.bin"])

    assert caught.value.offset == 0x6018


def test_kind() -> None:
    assert read(SMALL).kind is FileKind.IMAGE_V1


def test_no_finding_without_a_code() -> None:
    assert "" not in codes(read(IMAGES["broken/cut-in-segment.bin"]).findings)
