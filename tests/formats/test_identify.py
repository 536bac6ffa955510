"""All formats at once: nothing raises, nothing is lost, nothing takes minutes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from fixtures import blocks
from imgtool.formats.registry import FORMATS, identify

LONGEST = 5.0  # seconds of this process alone, which others do not lengthen; 0.15 were measured
HOSTILE = {
    "zeros": b"\0",
    "erased but for the first byte": b"\xff",
    "every byte": bytes(range(256)),
    "line feeds": b"\n",
    "colons": b":00000000\n",
    "gzip magics": b"\x1f\x8b\x08\0",
    "v2 headers": bytes.fromhex("ea04000004001040 00000000 10000000".replace(" ", "")),
    "v1 headers": bytes.fromhex("e90100000400104000001040f0000000"),
    "espfs headers": b"ESfs" + bytes(12),
    "littlefs": b"\0\0\0\0\xf0\x0f\xff\xf7littlefs/\xe0\0\x10",
    "SPIFFS pages": b"\x01\x80\0\0\xf8\0\0\0",
}
STARTS = [
    b"",
    b"\xe9\x10\0\0",
    b"\xea\x04\0\0",
    b"\x55\xaa\x55\xaa",
    b"\x1f\x8b\x08\0",
    b"\x7fELF\1\1\1",
    b"ESfs",
]


def test_every_made_file_is_covered(made: dict[str, bytes]) -> None:
    for name, data in made.items():
        position = 0
        for part in identify(data).parts:
            assert part.offset == position, name
            position = part.end
        assert position == len(data), name


def test_every_real_file_is_covered(corpus: Path) -> None:
    for path in corpus.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert sum(part.size for part in identify(data).parts) == len(data)


@pytest.mark.parametrize("pattern", HOSTILE)
def test_patterns_take_no_time(pattern: str) -> None:
    body = HOSTILE[pattern] * ((4 << 20) // len(HOSTILE[pattern]))
    for start in STARTS:
        began = time.process_time()
        identify(start + body)
        assert time.process_time() - began < LONGEST


def test_any_bytes(made: dict[str, bytes], survives: Any) -> None:  # noqa: ANN401
    names = [name for name, data in made.items() if len(data) < 40_000]
    survives(identify, [made[name] for name in names])


def test_names_are_unique() -> None:
    assert len({form.name for form in FORMATS}) == len(FORMATS)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (blocks.stream("unknown", 0x1000), "compressed or encrypted (7.9 bits a byte)"),
        (bytes(range(7)) * 100, "data (2.8 bits a byte)"),
    ],
)
def test_what_is_unknown_has_a_hint(data: bytes, words: str) -> None:
    reading = identify(data)

    assert (reading.kind, reading.parts[0].note, reading.parts[0].facts["looks_like"]) == (
        "unknown",
        words,
        words,
    )
