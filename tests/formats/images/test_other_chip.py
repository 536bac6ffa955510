from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.formats.images import other_chip
from imgtool.formats.images.version1 import BootImage, Segment
from imgtool.formats.reading import FileKind, Severity
from imgtool.formats.registry import identify


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("esp32/bootloader-c3.bin", "image for the ESP32-C3"),
        ("esp32/cut-c3.bin", "image for the ESP32-C3"),
        ("esp32/unknown-chip.bin", "image for another Espressif chip (id 77)"),
        ("esp32/empty-first.bin", "image for the ESP32"),
        ("esp32/flash.bin", "flash contents of the ESP32"),
    ],
)
def test_the_chip_is_named(made: dict[str, bytes], name: str, named: str) -> None:
    reading = identify(made[name])
    assert reading.kind is FileKind.ESP32
    assert reading.parts[0].note == named
    finding = reading.findings[0]
    assert (finding.severity, finding.code) == (Severity.ERROR, "other-chip")
    assert named in finding.message


def test_an_unknown_number_needs_a_right_checksum(made: dict[str, bytes]) -> None:
    data = bytearray(made["esp32/unknown-chip.bin"])
    data[-1] ^= 1
    assert identify(bytes(data)).kind is FileKind.UNKNOWN


@given(
    st.sampled_from(sorted(other_chip.CHIPS)),
    st.integers(0, 8),
    st.sampled_from([0, 1]),
    st.sampled_from([0x40100000, 0x40108000, 0x3FFE8000, 0x40201010]),
    st.binary(min_size=24, max_size=200),
)
def test_lengths_that_look_like_a_chip(chip: int, high: int, byte_23: int, address: int, data: bytes) -> None:
    # Byte 12 is the low byte of the first segment's length here, the number of the chip there; byte 23 lies
    # in the segment and is made to look like the flag of a digest.
    first = (data * 64).ljust(0x900, b"\0")[: (high << 8 | chip) or 0x100]
    first = first[:7] + bytes([byte_23]) + first[8:] if len(first) > 8 else first
    image = BootImage(2, 0x20, 0x40100004, (Segment(address, first), Segment(0x3FFE8000, data)))
    built = image.build()
    assert built[12] == chip
    assert other_chip.read(built) is None
    assert identify(built).kind in (FileKind.IMAGE_V1, FileKind.RAM_IMAGE)


def test_no_real_image_is_taken_for_another_chips(corpus: Path) -> None:
    images = [path for path in corpus.rglob("*.bin") if path.read_bytes()[:1] == b"\xe9"]
    assert len(images) > 15
    taken = [path.name for path in images if other_chip.read(path.read_bytes()) is not None]
    assert taken == ["esp32c3-bootloader.bin"]


def test_no_cut_image_is_either(corpus: Path) -> None:
    for path in corpus.rglob("*.bin"):
        data = path.read_bytes()
        if data[:1] == b"\xe9" and path.parent.name != "nearmiss":
            assert all(other_chip.read(data[:end]) is None for end in range(0, 64, 3))


def test_any_bytes(made: dict[str, bytes], survives: Any) -> None:  # noqa: ANN401
    names = [name for name in made if name.startswith("esp32/") or name.endswith("0x00000.bin")]
    survives(other_chip.read, [made[name] for name in names])


@pytest.mark.parametrize("others", [(), (Segment(0x40100000, b"code"),)], ids=["alone", "with code"])
def test_an_empty_first_segment_here_is_no_other_chips(others: tuple[Segment, ...]) -> None:
    built = BootImage(2, 0x20, 0x40100004, (Segment(0x3FFE8000, b""), *others)).build()

    assert other_chip.read(built) is None


def test_an_empty_first_segment_and_nothing_behind_it(made: dict[str, bytes]) -> None:
    """Then only the header would tell, and too little of it does."""
    data = made["esp32/empty-first.bin"]

    assert identify(data[:32]).kind is FileKind.UNKNOWN
    second = data[32:36]
    assert other_chip.read(data.replace(second, b"\0\0\0\0", 1)) is None
