from __future__ import annotations

import random

import pytest

from imgtool.formats.images import irom
from imgtool.formats.reading import FileKind
from tests.support import IMAGES, codes, real

PARTS = {
    "sample/0x10000.bin": 0x10000,
    "nodemcu-0.9.5/0x10000.bin": 0x10000,
    "nodemcu-1.5.4.1-cloud/0x10000.bin": 0x10000,
    "nodemcu-3.0-2019/0x10000.bin": 0x10000,
    "nodemcu-3.0-2021/0x10000.bin": 0x10000,
    "nodemcu-3.0-2021-used/0x10000.bin": 0x10000,
    "nonos-2.0/eagle.irom0text.bin": 0x10000,
    "nonos-1.3/0x40000.bin": 0x40000,
}
REAL_PARTS = {
    "nodemcu/flasher-0x10000.bin": 0x10000,
    "nodemcu/fw-20150112-0x10000.bin": 0x10000,
    "nodemcu/fw092-2M-eagle.app.v6.irom0text.bin": 0x10000,
    "nodemcu/yuan-0x10000.bin": 0x10000,
    "at/at-sdk2.0-noboot-eagle.irom0text.bin": 0x10000,
    "sdkapps/esptool-iotdemo-0x10000.bin": 0x10000,
}


@pytest.mark.parametrize("name", PARTS)
def test_recognised_and_placed_by_its_pointers(name: str) -> None:
    reading = irom.read(IMAGES[name])

    assert reading is not None
    assert (reading.kind, reading.parts[0].address) == (FileKind.IROM, 0x40200000 + PARTS[name])


@pytest.mark.parametrize("name", REAL_PARTS)
def test_real_parts_are_recognised_and_placed(name: str) -> None:
    reading = irom.read(real(name))

    assert reading is not None
    assert (reading.kind, reading.parts[0].address) == (FileKind.IROM, 0x40200000 + REAL_PARTS[name])


@pytest.mark.parametrize("name", PARTS)
def test_it_says_how_sure_it_is(name: str) -> None:
    reading = irom.read(IMAGES[name])

    assert reading is not None
    assert codes(reading.findings) == ["irom-by-elimination", "irom-uncovered"]


@pytest.mark.parametrize("length", [256, 1000, 0x4321, 0x10000])
def test_a_piece_of_it_is_still_code(length: int) -> None:
    assert irom.read(IMAGES["sample/0x10000.bin"][:length]) is not None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 4096,
        random.Random(1).randbytes(0x40000),
        b"<html><body>404 not found</body></html>" * 100,
        IMAGES["sample/0x10000.bin"] * 9,
    ],
    ids=["empty", "zeros", "random", "text", "larger-than-the-cache-window"],
)
def test_what_is_no_irom(data: bytes) -> None:
    assert irom.read(data) is None


def test_parts_at_puts_the_record_page_apart() -> None:
    parts = irom.parts_at(IMAGES["nodemcu-3.0-2021/0x10000.bin"], 0, 0x10000)

    assert [(str(part.kind), part.size, part.address) for part in parts] == [
        ("partition-table", 0x1000, 0x40210000),
        ("irom", 118784 - 0x1000, 0x40211000),
    ]
