from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imgtool.formats.containers import text_file
from imgtool.formats.images import mangled
from imgtool.formats.images.mangled import crlf_mangled
from imgtool.formats.reading import FileKind, Severity
from imgtool.formats.registry import identify


@pytest.mark.parametrize(
    ("name", "what", "message"),
    [
        ("text/page.bin", "HTML page", 'its title is "Page not found \N{MIDDLE DOT} GitHub"'),
        ("text/page-no-title.bin", "HTML page", "a page instead of the file"),
        ("text/lfs-pointer.bin", "Git LFS pointer", "the file of 520,192 bytes that it stands for"),
        ("text/link.bin", "link", "only a path, ../build/app.bin"),
        ("text/url.bin", "link", "only the address of a file, https://example.org/nodemcu.bin"),
        ("text/answer.bin", "JSON", "an answer of a server"),
        ("text/answer.xml", "XML", "an error message of a server"),
        ("text/notes.bin", "text", "this is a text"),
        ("text/utf-16.bin", "text", "this is a text"),
    ],
)
def test_text_is_explained(made: dict[str, bytes], name: str, what: str, message: str) -> None:
    reading = identify(made[name])
    assert reading.kind is FileKind.TEXT
    assert reading.parts[0].note == what
    assert [(f.severity, f.code) for f in reading.findings] == [(Severity.ERROR, "text")]
    assert message in reading.findings[0].message


@pytest.mark.parametrize(
    ("data", "is_text"),
    [
        (b"abc", False),
        (b"abcd", True),
        (b"ab\0cd", False),
        (b"caf\xe9 latin", False),
        ("l\u00f6schen".encode()[:2] + b"", False),
        (b"plain and cut \xc3", True),
        (b"\xff\xfe\xff\xff" * 9, False),
        (b"x" * (2 << 20), True),
    ],
)
def test_what_counts_as_text(data: bytes, is_text: bool) -> None:
    assert (text_file.read(data) is not None) == is_text


@pytest.mark.parametrize(
    ("name", "kind", "whole"),
    [
        ("broken/mangled.bin", FileKind.IMAGE_V1, True),
        ("broken/mangled-and-cut.bin", FileKind.IMAGE_V1, False),
        ("broken/mangled-user1.bin", FileKind.IMAGE_V2, True),
    ],
)
def test_text_mode_is_recognised(made: dict[str, bytes], name: str, kind: FileKind, whole: bool) -> None:
    reading = identify(made[name])
    assert reading.kind is kind
    assert [(f.severity, f.code) for f in reading.findings] == [(Severity.ERROR, "crlf")]
    assert ("is whole" in reading.findings[0].message) == whole
    assert reading.header is not None


def test_no_made_image_is_taken_for_mangled(made: dict[str, bytes]) -> None:
    taken = {name for name, data in made.items() if crlf_mangled(data)}
    assert taken == {name for name in made if "mangled" in name}


def test_no_real_image_is_taken_for_mangled(corpus: Path) -> None:
    for path in corpus.rglob("*.bin"):
        data = path.read_bytes()
        ends = (len(data), *range(0x1000, min(len(data), 0x40000), 0x1234))
        assert not any(crlf_mangled(data[:end]) for end in ends)
        damaged = bytearray(data)
        damaged[len(data) // 2] ^= 0x40
        assert not crlf_mangled(bytes(damaged))


def test_every_real_image_is_recognised_when_mangled(corpus: Path) -> None:
    for path in corpus.rglob("*.bin"):
        data = path.read_bytes()
        sound = all(f.severity is not Severity.ERROR for f in identify(data).findings)
        if sound and identify(data).kind in (FileKind.IMAGE_V1, FileKind.IMAGE_V2) and b"\n" in data:
            assert crlf_mangled(data.replace(b"\n", b"\r\n")), path.name


def test_any_bytes(made: dict[str, bytes], survives: Any) -> None:  # noqa: ANN401
    survives(text_file.read, [data for name, data in made.items() if name.startswith("text/")])
    survives(mangled.read, [data for name, data in made.items() if "mangled" in name])
