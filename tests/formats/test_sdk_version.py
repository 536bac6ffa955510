"""Which SDK an image is on: by the start of its data, by a commit, by dates; and what is no SDK."""

from __future__ import annotations

import struct

import pytest

from imgtool.formats.images.version1 import BootImage, Segment
from imgtool.formats.sdk_version import COMPILED, sdk_of


def image(text: bytes, address: int = 0x3FFE8000, before: bytes = b"code") -> bytes:
    data = text.ljust(-(-(len(text) + 1) // 4) * 4, b"\0")
    return BootImage(2, 0x20, 0x40100004, (Segment(0x40100000, before), Segment(address, data))).build()


@pytest.mark.parametrize(
    "version",
    [
        "1.2.0",
        "1.3.0",
        "1.4.0",
        "1.5.0",
        "1.5.4.1",
        "1.5.4.1(39cb9a32)",
        "2.2.1(6ab97e9)",
        "2.2.0-dev(9422289)",
        "3.0.0-rc1",
        "3.1.0-dev",
        "1.0.1(b2)",
    ],
)
@pytest.mark.parametrize("address", [0x3FFE8000, 0x3FFE8488, 0x3FFF0000, 0x3FFFC000])
def test_the_first_string_of_a_data_segment(version: str, address: int) -> None:
    data = image(version.encode(), address)

    assert sdk_of(data) == version
    assert sdk_of(b"\xff" * 0x1010 + data + b"\xff" * 100) == version


@pytest.mark.parametrize(
    "data",
    [
        image(b"x1.4.9"),  # not its first string
        image(b"mbed TLS\x001.4.9"),
        image(b"1.4.9 of something"),
        image(b"1.4"),
        image(b"1.4.0", 0x40108000),  # no data memory
        image(b"1.4.0", 0x3FFD0000),
        image(b"code", before=b"1.4.0\0\0\0"),
        b"\x001.4.9\0\x001.0.0\0\x001.1.2\0",
        b"0.9.5\0" + bytes(4) + b"Feb 13 2015\0",
        b"0.9.5 Feb 13 2015\0",
        b"1.2.0\0Feb 13 2015\0",
        b"1.6.2\0\0\0Feb 13 2015\0",
        b"10.9.5\0\0Feb 13 2015\0",
        b"(6ab97e9)",
        b"SDK ver: %s compiled @ Jan  1 2016 00:00:00",
    ],
    ids=lambda data: repr(data[-24:]),
)
def test_what_is_no_sdk(data: bytes) -> None:
    assert sdk_of(data) is None


@pytest.mark.parametrize("version", ["0.9.3", "0.9.3.1", "0.9.5(b1)", "1.0.1", "1.1.2"])
@pytest.mark.parametrize("zeros", [1, 3, 4])
def test_a_version_and_a_date_before_1_2(version: str, zeros: int) -> None:
    text = b"\0" + version.encode() + bytes(zeros)

    assert sdk_of(text + b"Mar 18 2015\0") == version
    assert sdk_of(text + b"Feb  3 2015\0") == version
    assert sdk_of(text + b"Mar 18 2015") is None
    # A hash comes first.
    assert sdk_of(text + b"Mar 18 2015\0 2.0.0(656edbf)") == "2.0.0(656edbf)"


@pytest.mark.parametrize(("date", "sdk"), COMPILED.items())
def test_the_date_of_the_libraries(date: str, sdk: str) -> None:
    data = b"SDK ver: %s compiled @ " + date.encode() + b"\n"

    assert sdk_of(data) == sdk
    assert sdk_of(data.replace(b":", b";")) is None
    # What the image says of itself comes first.
    assert sdk_of(data + image(b"1.4.0")) == "1.4.0"


def test_the_first_of_two_images_counts() -> None:
    one, two = image(b"1.4.0"), image(b"2.2.1(6ab97e9)")

    assert sdk_of(one + b"\xff" * 0x1000 + two) == "1.4.0"
    assert sdk_of(two + one) == "2.2.1(6ab97e9)"
    assert sdk_of(b"1.5.4(baaeaebb)\x002.0.0(656edbf)") == "1.5.4(baaeaebb)"


def test_segments_that_are_too_large_are_none() -> None:
    header = struct.pack("<II", 0x3FFE8000, 0x0002_0000)

    assert sdk_of(header + b"1.4.0\0\0\0") is None
