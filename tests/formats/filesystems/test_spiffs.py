from __future__ import annotations

import pytest

from imgtool.formats.filesystems import spiffs
from imgtool.formats.reading import FileKind, PartKind, Reading
from tests.support import IMAGES, said

LINEAR = IMAGES["spiffs/linear.bin"]
OLD = IMAGES["spiffs/old-formula.bin"]


def read(data: bytes) -> Reading:
    reading = spiffs.read(data)
    assert reading is not None
    return reading


def magics(*values: int, block: int = 0x2000) -> bytes:
    """Blocks with nothing in them but their magic."""
    return b"".join((b"\xff" * 0xFC + value.to_bytes(2, "little")).ljust(block, b"\xff") for value in values)


@pytest.mark.parametrize(("data", "formula"), [(LINEAR, "linear"), (OLD, "old")], ids=["linear", "old"])
def test_signature(data: bytes, formula: str) -> None:
    signature = spiffs.signature_at(data)

    assert signature is not None
    assert (signature.block_size, signature.blocks, signature.formula, signature.size) == (
        0x2000,
        32,
        formula,
        0x40000,
    )


# First magics of images that the firmware's own spiffsimg built, flash-layouts facts D6.
@pytest.mark.parametrize(
    ("values", "block", "blocks"),
    [((0x05E4, 0x05E5, 0x05E2, 0x05E3), 0x2000, 461), ((0x0409, 0x0436, 0x0437, 0x0434), 0x2000, 32)],
)
def test_signatures_of_spiffsimg(values: tuple[int, ...], block: int, blocks: int) -> None:
    signature = spiffs.signature_at(magics(*values, block=block))

    assert signature is not None
    assert (signature.block_size, signature.blocks) == (block, blocks)


@pytest.mark.parametrize("blocks", [26, 6, 3])
def test_small_blocks(blocks: int) -> None:
    data = magics(*(0x0429 ^ (blocks - number) for number in range(blocks)), block=0x1000)

    signature = spiffs.signature_at(data)
    assert signature is not None
    assert (signature.block_size, signature.blocks) == (0x1000, blocks)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_one_erased_block_does_not_hide_it(number: int) -> None:
    start = 0x2000 * number
    data = LINEAR[:start] + b"\xff" * 0x2000 + LINEAR[start + 0x2000 :]

    assert spiffs.signature_at(data) is not None


def test_two_erased_blocks_do() -> None:
    assert spiffs.signature_at(b"\xff" * 0x4000 + LINEAR[0x4000:]) is None


@pytest.mark.parametrize("data", [LINEAR, OLD], ids=["linear", "old"])
def test_a_whole_file(data: bytes) -> None:
    reading = read(data)

    assert (reading.kind, [(p.kind, p.size) for p in reading.parts], reading.findings) == (
        FileKind.SPIFFS,
        [(PartKind.SPIFFS, 0x40000)],
        (),
    )


@pytest.mark.parametrize("length", [0x6000, 0x20000, 0x3FFFF])
def test_a_cut_file_is_an_error(length: int) -> None:
    assert said(read(LINEAR[:length]).findings, "error") == ["cut"]


def test_what_follows_is_a_part() -> None:
    reading = read(LINEAR + b"more")

    assert [(p.kind, p.size) for p in reading.parts] == [(PartKind.SPIFFS, 0x40000), (PartKind.UNKNOWN, 4)]
    assert said(reading.findings, "warning") == ["trailing"]


def test_inside_a_flash() -> None:
    flash = b"\xff" * 0x30000 + LINEAR + b"\xff" * 0x1000

    found = spiffs.inside(flash, 0x30000, len(flash))
    assert found is not None
    assert [(part.offset, part.size) for part in found.parts] == [(0x30000, 0x40000)]


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff" * 0x10000, bytes(0x10000), LINEAR[:0x100], LINEAR[0x100:], IMAGES["sample/0x10000.bin"]],
    ids=["empty", "erased", "zeros", "one-page", "shifted", "code"],
)
def test_what_is_no_spiffs(data: bytes) -> None:
    assert spiffs.read(data) is None


@pytest.mark.parametrize(("block", "left"), [(0, 32), (1, 31), (31, 1), (32, None)])
def test_each_block_says_how_many_are_left(block: int, left: int | None) -> None:
    assert spiffs.blocks_left(LINEAR, block * 0x2000) == left


def test_no_magic_says_nothing() -> None:
    assert spiffs.blocks_left(b"\xff" * 0x1000, 0) is None
