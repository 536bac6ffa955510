from __future__ import annotations

import gzip
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.formats.containers import gzip_file
from imgtool.formats.reading import FileKind, Severity
from imgtool.formats.registry import identify


def test_a_packed_image(made: dict[str, bytes]) -> None:
    reading = identify(made["gzip/sample.bin.gz"])
    assert reading.kind is FileKind.GZIP
    assert reading.content == made["sample/0x00000.bin"]
    assert reading.findings == ()
    assert reading.parts[0].facts == {"unpacked": 34096, "name": "sample.bin"}
    assert reading.parts[0].checksum is not None
    assert reading.parts[0].checksum.ok


def test_a_packed_lfs_image_stays_one(made: dict[str, bytes]) -> None:
    assert identify(made["lfs/lfs-5.1.img"]).kind is FileKind.LFS


@pytest.mark.parametrize(
    ("name", "code", "unpacked"),
    [
        ("broken/cut.bin.gz", "cut", 12262),
        ("broken/bad-crc.bin.gz", "crc", 34096),
        ("broken/bad-deflate.bin.gz", "damaged", 0),
        ("gzip/bomb.gz", "too-large", 0),
    ],
)
def test_damage(made: dict[str, bytes], name: str, code: str, unpacked: int) -> None:
    reading = identify(made[name])
    assert [(f.severity, f.code) for f in reading.findings] == [(Severity.ERROR, code)]
    assert len(reading.content or b"") == unpacked
    if code == "cut":
        assert made["sample/0x00000.bin"].startswith(reading.content or b"?")


def test_every_cut_is_seen(made: dict[str, bytes]) -> None:
    whole = made["gzip/sample.bin.gz"]
    for end in (*range(3, 40), *range(len(whole) - 20, len(whole))):
        reading = gzip_file.read(whole[:end])
        assert reading is not None
        assert [f.code for f in reading.findings] == ["cut"]


def test_a_bomb_takes_no_memory(made: dict[str, bytes]) -> None:
    assert len(gzip.decompress(made["gzip/bomb.gz"])) == 1 + 258 * 0x40000
    tracemalloc.start()
    gzip_file.read(made["gzip/bomb.gz"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * gzip_file.MAX_CONTENT


def test_what_stands_behind(made: dict[str, bytes]) -> None:
    reading = identify(made["gzip/sample-with-tail.bin.gz"])
    assert [(f.severity, f.code) for f in reading.findings] == [(Severity.WARNING, "trailing")]
    padded = identify(made["gzip/sample.bin.gz"] + b"\xff" * 9)
    assert [(f.severity, f.code) for f in padded.findings] == [(Severity.NOTE, "padding")]


@given(st.binary(max_size=3000), st.integers(0, 9))
def test_what_python_packs_is_unpacked(data: bytes, level: int) -> None:
    reading = gzip_file.read(gzip.compress(data, level))
    assert reading is not None
    assert (reading.content or b"") == data
    assert reading.findings == ()


def test_any_bytes(made: dict[str, bytes], survives: Any) -> None:  # noqa: ANN401
    survives(gzip_file.read, [data for name, data in made.items() if name.endswith(".bin.gz")])
