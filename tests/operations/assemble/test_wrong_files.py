"""What no flash holds: by kind and address; no real image is taken for it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from imgtool.errors import WrongFileError
from imgtool.formats.kinds import Starter
from imgtool.formats.registry import identify
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.assemble.places import Start, place
from imgtool.operations.assemble.wrong_files import (
    as_data,
    not_for_flash,
    refuse_without_parts,
    refuse_wrong_files,
)
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES

HALF = Start(Starter.ROM, in_files=True, half=True)
TEXT, ZEROS, PDF = b"some words to read\n", bytes(0x3000), b"%PDF-1.4\n\xe2\xe3\0" * 9


@pytest.mark.parametrize(
    ("data", "address", "start", "wrong"),
    [
        (TEXT, 0, None, True),
        (TEXT, 0x10000, None, False),  # data of a user
        (TEXT, 0x10000, HALF, True),  # where irom belongs
        (TEXT, 0x20000, HALF, False),
        (PDF, 0x10000, HALF, True),
        (PDF, 0x20000, HALF, False),
        (ZEROS, 0, None, True),
        (ZEROS, 0x10000, HALF, False),  # irom of which nothing is known
        (b"\xff" * 4096, 0, None, True),
        (b"\xff" * 4096, 0xFE000, HALF, False),
        (IMAGES["elf/sample.elf"], 0x20000, None, True),
        (IMAGES["esp32/flash.bin"], 0x20000, None, True),
        (IMAGES["tuya/one.bin"], 0x20000, None, True),
        (IMAGES["sample/0x00000.bin"], 0, None, False),
        (IMAGES["sample/0x10000.bin"], 0x10000, HALF, False),
        (IMAGES["init-data/v05.bin"], 0, None, False),  # a wrong place, and no wrong file
    ],
)
def test_by_kind_and_address(data: bytes, address: int, start: Start | None, *, wrong: bool) -> None:
    assert not_for_flash(identify(data), address, start) == wrong


@pytest.mark.parametrize(
    ("data", "more", "refused"),
    [
        (ZEROS, False, True),
        (ZEROS, True, False),
        (bytes(0x8_0000), False, False),
        (TEXT.ljust(0x8_0000, b" "), False, True),
        (b"\xff" * 0x1000, True, False),
        (PDF, True, True),
    ],
    ids=["zeros", "zeros and more", "as long as a flash", "text as long", "erased and more", "PDF and more"],
)
def test_what_begins_at_0(data: bytes, *, more: bool, refused: bool) -> None:
    pieces = [Piece(0, data, "a.bin"), *([Piece(0x10_0000, b"\1" * 16, "b.bin")] if more else [])]
    with pytest.raises(WrongFileError) if refused else contextlib.nullcontext() as caught:
        refuse_wrong_files(place(pieces), None)

    assert caught is None or caught.value.source == "a.bin"


@pytest.mark.parametrize(
    ("data", "address", "told"),
    [
        (TEXT, 0x20000, "this is a text"),
        (b"<!DOCTYPE html><title>Sign in</title>" * 4, 0x20000, "this is a web page"),
        (PDF, 0x20000, "this is a PDF"),
        (TEXT, 0, ""),  # refused
        (ZEROS, 0x20000, ""),
        (b"\xff" * 4096, 0x20000, ""),
        (bytes(range(1, 200)) * 9, 0x20000, ""),
        (IMAGES["espfs/web.espfs"], 0x20000, ""),
        (IMAGES["init-data/v05.bin"], 0x3FC000, ""),
        (IMAGES["gzip/sample.bin.gz"], 0x20000, ""),
    ],
)
def test_what_is_written_as_data(data: bytes, address: int, told: str) -> None:
    findings = as_data(place([Piece(address, data, "a.bin")]))

    assert [(each.code, each.offset) for each in findings] == ([("as-data", address)] if told else [])
    assert all(f"a.bin goes to 0x{address:06x} as data: {told}" in each.message for each in findings)


def test_no_real_image_is_a_wrong_file(corpus: Path) -> None:
    wrong = set()
    for path in sorted(corpus.rglob("*.*")):
        if path.is_file() and path.suffix not in (".md", ".tsv"):
            try:
                refuse_without_parts(describe(path.read_bytes()))
            except WrongFileError as error:
                wrong.add(error.kind)
            else:
                reading = identify(path.read_bytes())
                assert path.name == "blank.bin" or not not_for_flash(reading, 0, None) or reading.content
    assert wrong <= {"elf", "esp32"}
