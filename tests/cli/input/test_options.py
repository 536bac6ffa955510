from __future__ import annotations

from pathlib import Path

import pytest

from imgtool.cli.input.arguments import NAMED_PLACES, expand_arguments
from imgtool.cli.input.options import (
    OutputFormat,
    Placed,
    folder_images,
    images_of,
)
from imgtool.errors import UsageError
from tests.support import Put


@pytest.mark.parametrize(
    ("words", "places"),
    [
        (["a.bin"], [("a.bin", None)]),
        (["0x00000.bin"], [("0x00000.bin", 0)]),
        (["0x10000.bin"], [("0x10000.bin", 0x10000)]),
        (["nodemcu-0x10000.bin"], [("nodemcu-0x10000.bin", 0x10000)]),
        (["x/eagle.flash.bin0x00000.bin"], [("x/eagle.flash.bin0x00000.bin", 0)]),
        (["app-0x3FC000.BIN"], [("app-0x3FC000.BIN", 0x3FC000)]),
        (["0x1000.bin"], [("0x1000.bin", None)]),
        (["0x1234567.bin"], [("0x1234567.bin", None)]),
        (["0x10000.bin.old"], [("0x10000.bin.old", None)]),
        (["0", "a.bin", "0x10000", "b.bin"], [("a.bin", 0), ("b.bin", 0x10000)]),
        (["64K", "b.bin"], [("b.bin", 0x10000)]),
        (["0x10000", "0x00000.bin"], [("0x00000.bin", 0x10000)]),
        (["0x10000:b.bin"], [("b.bin", 0x10000)]),
        (["1M:b.bin"], [("b.bin", 0x100000)]),
        (["0x10000:C:\\b.bin"], [("C:\\b.bin", 0x10000)]),
        (["C:\\x.bin"], [("C:\\x.bin", None)]),
        (["C:\\0x10000.bin"], [("C:\\0x10000.bin", 0x10000)]),
        (["a.bin", "0x10000", "b.bin"], [("a.bin", None), ("b.bin", 0x10000)]),
        (["@lfs", "l.img", "a.bin"], [("l.img", "@lfs"), ("a.bin", None)]),
        (["@spiffs:f.img", "a.bin"], [("f.img", "@spiffs"), ("a.bin", None)]),
        ([], []),
    ],
    ids=lambda value: " ".join(value) if value and isinstance(value[0], str) else "",
)
def test_images(words: list[str], places: list[tuple[str, int | str | None]]) -> None:
    assert images_of(words) == [Placed(Path(name), place) for name, place in places]


@pytest.mark.parametrize(
    "words",
    [["0x10000"], ["a.bin", "@lfs"]],
    ids=" ".join,
)
def test_images_that_make_no_sense(words: list[str]) -> None:
    with pytest.raises(UsageError):
        images_of(words)


def test_folder(folder: Path, put: Put) -> None:
    for name in ("0x10000.bin", "0x00000.bin", "0x3fc000.bin", "other.bin", "0x10000.bak", "x0x10000.bin"):
        put(name, b"x")

    assert folder_images(folder) == [
        Placed(folder / "0x00000.bin", 0),
        Placed(folder / "0x10000.bin", 0x10000),
        Placed(folder / "0x3fc000.bin", 0x3FC000),
    ]


def test_folder_as_an_image(folder: Path, put: Put) -> None:
    put("bin/0x10000.bin", b"x")

    assert images_of(["bin"]) == [Placed(Path("bin/0x10000.bin"), 0x10000)]
    assert folder.is_dir()


def test_folder_without_images(folder: Path) -> None:
    with pytest.raises(UsageError, match="holds no image"):
        images_of([str(folder)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", []),
        ("a b", ["a", "b"]),
        ("-fm dio\n-ff 40m\n", ["-fm", "dio", "-ff", "40m"]),
        ("'a b.bin' \"c d.bin\"", ["a b.bin", "c d.bin"]),
        ("a # all that follows\nb", ["a", "b"]),
        ("firmware#1.bin", ["firmware#1.bin"]),
        ("@lfs x", ["@lfs", "x"]),
        ("\ufeffa", ["a"]),
        ("a\r\nb\r\n", ["a", "b"]),
    ],
    ids=[
        "empty",
        "words",
        "lines",
        "quotes",
        "comment",
        "hash-in-a-name",
        "place",
        "byte-order-mark",
        "crlf",
    ],
)
def test_argument_file(put: Put, content: str, words: list[str]) -> None:
    put("args.txt", content.encode())

    assert expand_arguments(["merge", "@args.txt", "-x"]) == ["merge", *words, "-x"]


@pytest.mark.parametrize("word", [*NAMED_PLACES, "@lfs:x.img"])
def test_named_places_are_no_argument_files(word: str) -> None:
    assert expand_arguments([word]) == [word]


@pytest.mark.parametrize("word", ["@", "@missing.txt", "@.", "@LFS"])
def test_argument_file_that_is_not_there(folder: Path, word: str) -> None:
    assert folder.is_dir()
    with pytest.raises(UsageError, match="cannot be read"):
        expand_arguments([word])


@pytest.mark.parametrize("content", [b"\xff\xfe", b"'open"], ids=["not-text", "open-quote"])
def test_argument_file_that_cannot_be_read(put: Put, content: bytes) -> None:
    put("args.txt", content)

    with pytest.raises(UsageError, match="cannot be read"):
        expand_arguments(["@args.txt"])


@pytest.mark.parametrize(
    ("name", "form"), [("a.bin", "bin"), ("a", "bin"), ("a.hex", "hex"), ("a.S19", "srec"), ("a.uf2", "uf2")]
)
def test_format_of_a_name(name: str, form: str) -> None:
    assert OutputFormat.of_name(Path(name)).value == form
