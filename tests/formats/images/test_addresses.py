"""Entry points and load addresses that cannot be: what the header and the segments of an image name."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgtool.errors import FormatError
from imgtool.formats.images import version1, version2
from imgtool.formats.images.version1 import BootImage, Segment
from imgtool.formats.images.version2 import OtaImage
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import FileKind, Finding, Severity
from imgtool.formats.registry import identify
from imgtool.operations.assemble.merge import image_at_start
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES, flipped, said

CODE, DATA = 0x4010_0000, 0x3FFE_8000
FIRMWARE = [
    name
    for name, data in IMAGES.items()
    if data[:1] in (b"\xe9", b"\xea") and KINDS[identify(data).kind].is_firmware and describe(data).ok
]
ADDRESSES = ("entry", "load-address")


def image(entry: int, *segments: tuple[int, int]) -> bytes:
    return BootImage(
        2, 0x20, entry, tuple(Segment(at, b"\x12\xc1" * (size // 2)) for at, size in segments)
    ).build()


def about_addresses(data: bytes) -> list[Finding]:
    reading = version1.read(data)
    assert reading is not None
    return [finding for finding in reading.findings if finding.code in ADDRESSES]


@pytest.mark.parametrize(
    ("entry", "severity", "words"),
    [
        (CODE, None, ""),
        (CODE + 60, None, ""),
        (CODE + 64, "error", "no segment is loaded there"),
        (CODE - 4, "error", "no memory for code"),
        (CODE + 2, "warning", "no multiple of 4"),
        (0, "error", "no memory for code"),
        (0xFFFF_FFFF, "error", "no memory for code"),
        (DATA, "error", "no memory for code"),
        (0x4000_0000, "error", "no memory for code"),
        (0x4020_1010, "error", "no segment is loaded there"),
        (0x4030_0000, "error", "no memory for code"),
        (0x6000_1200, "error", "no memory for code"),
    ],
)
def test_entry_points(entry: int, severity: str | None, words: str) -> None:
    found = about_addresses(image(entry, (CODE, 64), (DATA, 8)))

    assert [(str(f.severity), f.code, f.offset) for f in found] == (
        [(severity, "entry", 4)] if severity else []
    )
    assert all(words in finding.message for finding in found)


@pytest.mark.parametrize(
    ("address", "size", "severity"),
    [
        (CODE + 0x8000, 64, None),
        (CODE + 0x7FF0, 64, None),  # from IRAM into the cache's half, as Arduino has it
        (CODE + 0xFFC0, 64, None),
        (CODE + 0xFFC4, 64, "error"),
        (DATA, 64, None),
        (DATA - 4, 64, "error"),
        (0x3FFF_FFC0, 64, None),
        (0x3FFF_FFC4, 64, "error"),
        (0x4020_1010, 64, None),
        (0x402F_FFC4, 64, "error"),
        (0x4000_0100, 64, "error"),
        (0x6000_1200, 64, None),
        (0x6000_13F0, 64, "error"),
        (0x3FF0_0000, 16, None),
        (0x3F40_0020, 64, "error"),  # the ESP32's
        (0, 64, "error"),
        (0, 0, "warning"),  # nothing is loaded; there may be one segment less
    ],
)
def test_load_addresses(address: int, size: int, severity: str | None) -> None:
    found = about_addresses(image(CODE, (CODE, 64), (address, size)))

    assert [(str(f.severity), f.code, f.offset) for f in found] == (
        [(severity, "load-address", 8 + 8 + 64)] if severity else []
    )


def test_of_an_image_that_is_cut_the_segment_may_be_missing() -> None:
    data = image(DATA + 0x11_8000, (DATA, 8), (CODE, 64))

    assert about_addresses(data[:30]) == []


@pytest.mark.parametrize(
    ("entry", "severity"), [(CODE, None), (CODE + 4, "warning"), (CODE + 64, "error"), (0, "error")]
)
def test_the_outer_entry_point_of_a_version_2_image(entry: int, severity: str | None) -> None:
    boot = BootImage(2, 0x20, CODE, (Segment(CODE, bytes(64)),))
    reading = version2.read(OtaImage(0, 1, entry, bytes(32), boot).build())
    assert reading is not None

    found = [(str(f.severity), f.offset) for f in reading.findings if f.code == "entry"]
    assert found == ([(severity, 4)] if severity else [])


def test_an_image_that_cannot_start_is_refused_where_it_is_to_start() -> None:
    data = image(0, (CODE, 64))

    with pytest.raises(FormatError, match="the program cannot start"):
        image_at_start(Piece(0, data, "image"), identify(data).kind)


@pytest.mark.parametrize("name", FIRMWARE)
def test_no_false_alarm(name: str) -> None:
    assert [f for f in identify(IMAGES[name]).findings if f.code in ADDRESSES] == []


def headers(data: bytes) -> list[tuple[int, version1.ImageScan]]:
    """The images in a file at sector starts and inside version-2 images, as far as their checksum holds."""
    found: list[tuple[int, version1.ImageScan]] = []
    for start in range(0, len(data), 0x1000):
        offset = version2.inner_offset(data, start) if data[start : start + 2] == b"\xea\x04" else start
        if offset is None or offset >= len(data) or data[offset] != version1.MAGIC:
            continue
        scanned = version1.scan(data, offset)
        if scanned.checksum is not None and scanned.checksum.ok:
            found.append((offset, scanned))
    return found


def test_no_false_alarm_over_real_images(corpus: Path) -> None:
    count = 0
    for path in sorted(path for path in corpus.rglob("*") if path.is_file()):
        for offset, scanned in headers(path.read_bytes()):
            assert version1.address_findings(scanned, offset) == (), path.name
            count += 1
    assert count >= 28


def test_every_bit_of_the_entry_points_of_real_images(corpus: Path) -> None:
    """A bit is seen, but for those that leave the entry point at a whole word of a segment of code."""
    caught = flips = 0
    for path in sorted(path for path in corpus.rglob("*") if path.is_file()):
        data = path.read_bytes()
        if data[:1] != b"\xe9" or not describe(data).ok:
            continue
        scanned = version1.scan(data)
        for bit in range(32):
            entry = scanned.header.entry ^ 1 << bit
            home = any(s.address <= entry < s.address + s.size for s in scanned.segments)
            damaged = identify(flipped(data, 4 + bit // 8, 1 << bit % 8))
            flips += 1
            words = said(damaged.findings, "error", "warning")
            if not home or entry % 4:
                assert words, (path.name, bit)
                caught += 1
            if not home:
                assert said(damaged.findings, "error"), (path.name, bit)
    # Of the 32 bits of each, 10 or 11 name another whole word of the segment.
    assert (flips, caught) == (704, 465)


def test_a_program_for_load_ram_is_judged_alike() -> None:
    data = next(data for data in IMAGES.values() if identify(data).kind is FileKind.RAM_IMAGE)

    assert Severity.ERROR in {finding.severity for finding in identify(flipped(data, 7, 0x20)).findings}
