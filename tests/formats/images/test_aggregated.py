from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.formats.images import aggregated
from imgtool.formats.images.version1 import BootImage, Segment
from imgtool.formats.reading import FileKind, PartKind, Reading
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES, IROM, aggregate, holes, said, spans

BOOT = IMAGES["sample/0x00000.bin"]
CODE = IMAGES["sample/0x10000.bin"]
SAMPLE = aggregate("sample")
OLD = aggregate("nonos-1.3", names=("0x00000", "0x40000"))


def read(data: bytes) -> Reading:
    reading = aggregated.read(data)
    assert reading is not None
    return reading


def test_parts() -> None:
    assert spans(read(SAMPLE).parts) == [
        ("image-v1", 0, len(BOOT)),
        ("gap", len(BOOT), IROM),
        ("irom", IROM, len(SAMPLE)),
    ]


def test_irom_runs_from_the_flash_window() -> None:
    assert read(SAMPLE).parts[-1].address == 0x40210000


def test_irom_of_an_old_sdk() -> None:
    code = IMAGES["nonos-1.3/0x40000.bin"]
    data = IMAGES["nonos-1.3/0x00000.bin"].ljust(0x40000, b"\xff") + code

    assert spans(read(data).parts)[-1] == ("irom", 0x40000, 0x40000 + len(code))


def test_record_page_of_nodemcu_3() -> None:
    parts = read(aggregate("nodemcu-3.0-2021")).parts

    assert [(part.kind, part.offset) for part in parts[2:]] == [
        (PartKind.PARTITION_TABLE, IROM),
        (PartKind.IROM, IROM + 0x1000),
    ]


@given(st.integers(0, 255))
def test_any_fill(fill: int) -> None:
    reading = read(aggregate("sample", fill=fill))

    assert [part.kind for part in reading.parts] == [PartKind.IMAGE_V1, PartKind.GAP, PartKind.IROM]


def test_image_that_ends_right_at_irom_has_no_gap() -> None:
    boot = BootImage(0, 0, 0x40100004, (Segment(0x40100000, b"\x55" * (IROM - 17)),)).build()

    assert spans(read(boot + CODE).parts)[:2] == [("image-v1", 0, IROM), ("irom", IROM, IROM + len(CODE))]


@pytest.mark.parametrize("first", [0x00, 0xE9, 0xEA, 0xFF])
def test_irom_may_begin_with_any_byte(first: int) -> None:
    assert describe(BOOT.ljust(IROM, b"\xff") + bytes([first]) + CODE[1:]).kind is FileKind.AGGREGATED


def test_uncovered_irom_is_a_note() -> None:
    assert said(read(SAMPLE).findings, "error", "warning", "note") == ["irom-uncovered"]


def test_damaged_image_is_an_error() -> None:
    bad = IMAGES["broken/bad-checksum.bin"].ljust(IROM, b"\xff") + CODE

    assert said(read(bad).findings, "error") == ["checksum"]


def test_parts_of_different_builds_are_a_warning() -> None:
    assert said(read(aggregate("broken/mixed")).findings, "warning") == ["mixed-builds"]


@pytest.mark.parametrize(
    "folder", ["sample", "nodemcu-0.9.5", "nodemcu-1.5.4.1-cloud", "nodemcu-3.0-2019", "nodemcu-3.0-2021"]
)
def test_parts_of_one_build_are_not(folder: str) -> None:
    assert said(read(aggregate(folder)).findings, "warning") == []


def test_image_that_runs_over_irom_is_none() -> None:
    assert aggregated.read(IMAGES["broken/overlong-irom.bin"] + CODE) is None


@pytest.mark.parametrize("address", [0x40100000, 0x40100100, 0x3FFE8000])
def test_an_empty_segment_harms_nothing(address: int) -> None:
    boot = BootImage(0, 0, 0x40100004, (Segment(address, b""), Segment(0x40100000, b"\x55" * 64))).build()

    assert describe(boot.ljust(IROM, b"\xff") + CODE).kind is FileKind.AGGREGATED


def test_bytes_in_the_gap_of_nodemcu_3_are_a_part_with_a_warning() -> None:
    data = bytearray(aggregate("nodemcu-3.0-2021"))
    data[0xC000:0xC004] = b"junk"
    reading = read(bytes(data))

    assert [(p.offset, p.end) for p in reading.parts if p.kind is PartKind.UNKNOWN] == [(0xC000, 0xC004)]
    assert said(reading.findings, "warning") == ["gap"]


CUTS = [
    1, 7, 8, 15, 16, 0x6000, 0x6018, 0x6A00, len(BOOT) - 1, len(BOOT) + 1, 0xA000, 0xFFFF, IROM, IROM + 1,
    IROM + 2, IROM + 16, IROM + 0x1000, 0x18000, len(SAMPLE) - 1,
]  # fmt: skip


@pytest.mark.parametrize("length", CUTS, ids=hex)
def test_a_cut_anywhere_is_an_error_or_said(length: int) -> None:
    assert describe(SAMPLE[:length]).findings != ()


@pytest.mark.parametrize("length", range(0x100, len(SAMPLE), 0x1357), ids=hex)
def test_parts_cover_a_cut_file(length: int) -> None:
    assert holes(describe(SAMPLE[:length])) == []


@pytest.mark.parametrize("folder", ["nodemcu-3.0-2019", "nodemcu-3.0-2021"])
def test_the_partition_table_of_nodemcu_3_tells_a_cut(folder: str) -> None:
    whole = aggregate(folder)

    assert said(describe(whole[:-0x1000]).findings, "error") == ["cut"]


@pytest.mark.parametrize("folder", ["nodemcu-3.0-2019", "nodemcu-3.0-2021"])
def test_a_whole_nodemcu_3_is_not_called_cut(folder: str) -> None:
    assert describe(aggregate(folder)).ok
