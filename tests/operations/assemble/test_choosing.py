"""Which files of an archive or of a folder are its firmware."""

from __future__ import annotations

import gzip
import lzma
from pathlib import PurePath

import pytest

from imgtool.engine.inputs import InputFile
from imgtool.engine.placing import placed
from imgtool.errors import FormatError, WrongFileError
from imgtool.operations.assemble.choosing import firmware_among, from_archive
from imgtool.operations.assemble.merge import merge
from imgtool.operations.inspect.archives import found_files
from tests.formats.containers.test_archive import zipped
from tests.support import IMAGES, aggregate

WHOLE = aggregate("sample")
OTHER = aggregate("nodemcu-0.9.5")
HALF, CODE = IMAGES["sample/0x00000.bin"], IMAGES["sample/0x10000.bin"]
INIT, FILES = IMAGES["init-data/v05.bin"], IMAGES["spiffs/linear.bin"]
PAIR = {"x/0x00000.bin": HALF, "x/0x10000.bin": CODE}
TEXT = b"some words to read\n"


@pytest.mark.parametrize(
    ("files", "taken"),
    [
        ({"a.bin": WHOLE}, ["a.bin"]),
        ({"README": TEXT, "a.bin": WHOLE, "init.bin": INIT, "fs.bin": FILES}, ["a.bin"]),
        ({"a.bin": IMAGES["arduino/core-3.1.bin"]}, ["a.bin"]),
        ({"a.bin": WHOLE, "copy/a.bin": WHOLE}, ["copy/a.bin"]),
        (PAIR, [*PAIR]),
        ({**PAIR, "x/notes.txt": TEXT}, [*PAIR]),
        ({"n-0x00000.bin": WHOLE}, ["n-0x00000.bin"]),
        ({"README": TEXT, "a.bin.gz": gzip.compress(WHOLE)}, ["a.bin"]),
        ({"a.bin.gz": gzip.compress(WHOLE), "b.bin": WHOLE}, ["b.bin"]),
        ({"a.bin": WHOLE, "notes.gz": gzip.compress(TEXT), "cut.gz": gzip.compress(OTHER)[:900]}, ["a.bin"]),
        ({"boot-0x00000.bin": IMAGES["boot/boot-1.6.bin"], "u-0x01000.bin": IMAGES["v2/user1.bin"]}, None),
    ],
)
def test_what_is_taken(files: dict[str, bytes], taken: list[str] | None) -> None:
    found = found_files(files.items())

    assert [file.name for file in firmware_among(found, "x.zip")] == (list(files) if taken is None else taken)


@pytest.mark.parametrize(
    ("files", "message", "named"),
    [
        ({"a.bin": WHOLE, "b.bin": OTHER}, "more than one firmware", ["a.bin", "b.bin"]),
        ({"a/0x00000.bin": HALF, "b/0x00000.bin": OTHER}, "more than one firmware", ["a/0x00000.bin"]),
        ({"a.bin": HALF, "b.bin": CODE}, "more than one firmware", ["a.bin", "b.bin"]),
        ({"a.bin": WHOLE, "user1.bin": IMAGES["v2/user1.bin"]}, "more than one firmware", ["user1.bin"]),
        ({"user1.bin": IMAGES["v2/user1.bin"]}, "need addresses", ["user1.bin"]),
        (
            {"a.bin.gz": gzip.compress(WHOLE), "b.bin.gz": gzip.compress(OTHER)},
            "more than one firmware",
            ["a.bin", "b.bin"],
        ),
        ({"notes.gz": gzip.compress(TEXT)}, "no firmware in it", ["notes.gz"]),
        ({"a.txt": TEXT, "init.bin": INIT}, "no firmware in it", ["init.bin"]),
        ({}, "no firmware in it", ["nothing"]),
    ],
)
def test_what_is_not_guessed(files: dict[str, bytes], message: str, named: list[str]) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        firmware_among(found_files(files.items()), "x.zip")

    assert all(name in str(caught.value.found) for name in named)


def test_float_and_integer_are_explained() -> None:
    files = {"nodemcu-float.bin": WHOLE, "nodemcu-integer.bin": OTHER}
    with pytest.raises(FormatError) as caught:
        firmware_among(found_files(files.items()), "cloud")

    assert any("whole numbers only" in note for note in caught.value.__notes__)


def test_a_place_is_for_the_only_file() -> None:
    (file,) = from_archive(zipped({"README": TEXT, "data.bin": FILES}), "x.zip", placed=True)

    assert file.data == FILES
    with pytest.raises(FormatError, match="which file in it goes there"):
        from_archive(zipped({"init.bin": INIT, "data.bin": FILES}), "x.zip", placed=True)


def test_a_damaged_archive() -> None:
    with pytest.raises(FormatError, match="ZIP archive is damaged") as caught:
        from_archive(zipped({"a.bin": WHOLE})[:5000], "x.zip", placed=False)

    assert caught.value.source == "x.zip"


def test_an_archive_that_cannot_be_opened_is_no_flash_content() -> None:
    with pytest.raises(FormatError, match="not firmware: unpack it first") as caught:
        placed([InputFile("x.7z", bytes.fromhex("377abcaf271c0004") + bytes(100))])

    assert (caught.value.source, caught.value.found) == ("x.7z", "7z archive")


@pytest.mark.parametrize("depth", [1, 2])
def test_a_gzip_file_is_unpacked(depth: int) -> None:
    data = WHOLE
    for _ in range(depth):
        data = gzip.compress(data)
    (piece,) = placed([InputFile("a.bin.gz", data)]).pieces

    assert piece.data == WHOLE


def test_a_gzip_file_at_an_address_is_written_as_it_is() -> None:
    packed = gzip.compress(WHOLE)
    (piece,) = placed([InputFile("a.bin.gz", packed, 0x30_0000)]).pieces

    assert piece.data == packed


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (gzip.compress(WHOLE)[:5000], "gzip stream is cut short"),
        (gzip.compress(bytes(1 << 25)), "no ESP8266 flash is that large"),
        (lzma.compress(bytes(1 << 25)), "larger than any flash"),
        (lzma.compress(bytes(1 << 27), preset=0), "xz file is too large"),
        (lzma.compress(WHOLE)[:5000], "xz file is damaged or cut"),
        (bytes.fromhex("377abcaf271c0004") + bytes(100), "this is a 7z archive, not firmware"),
    ],
    ids=["cut gzip", "large gzip", "large xz", "bomb", "cut xz", "7z"],
)
def test_what_cannot_be_unpacked(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        placed([InputFile("a.x", data)])

    assert caught.value.source == "a.x"


@pytest.mark.parametrize("inside", [TEXT, gzip.compress(gzip.compress(WHOLE)), b"", IMAGES["elf/sample.elf"]])
def test_a_gzip_file_without_firmware_is_not_merged(inside: bytes) -> None:
    files = placed([InputFile("a.gz", gzip.compress(inside))])

    with pytest.raises(WrongFileError, match="gzip file"):
        merge(files.pieces)


def test_a_path_from_the_root_is_a_label_below_the_archive() -> None:
    (piece,) = placed([InputFile("x.zip", zipped({"/etc/a.bin": WHOLE}))]).pieces

    assert piece.name == str(PurePath("x.zip", "etc", "a.bin"))
