from __future__ import annotations

import pytest

from imgtool.formats.reading import FileKind, PartKind
from imgtool.formats.regions import blank
from tests.support import IMAGES, codes


@pytest.mark.parametrize("size", [1, 4095, 4096, 0x80000])
def test_erased_flash_of_any_size(size: int) -> None:
    reading = blank.read(b"\xff" * size)

    assert reading is not None
    assert [(reading.kind, part.kind, part.size) for part in reading.parts] == [
        (FileKind.BLANK, PartKind.BLANK, size)
    ]


def test_blank_bin() -> None:
    reading = blank.read(IMAGES["blank.bin"])

    assert reading is not None
    assert reading.findings == ()


def test_no_bytes_are_an_error() -> None:
    reading = blank.read(b"")

    assert reading is not None
    assert (reading.kind, codes(reading.findings)) == (FileKind.EMPTY, ["empty"])


@pytest.mark.parametrize(
    "data", [b"\0", b"\0" * 4096, b"\xff" * 4095 + b"\xfe"], ids=["0", "zeros", "one-bit"]
)
def test_anything_else_is_not_blank(data: bytes) -> None:
    assert blank.read(data) is None
