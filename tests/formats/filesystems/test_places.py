"""LittleFS, espfs, and SPIFFS without magics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imgtool.formats.filesystems import espfs, littlefs, spiffs_plain
from imgtool.formats.reading import FileKind, Severity
from imgtool.formats.registry import identify


@pytest.mark.parametrize(
    ("name", "block_size", "blocks"),
    [
        ("littlefs/empty.bin", 0x1000, 16),
        ("littlefs/block-1-only.bin", 0x1000, 16),
        ("littlefs/large-blocks.bin", 0x2000, 8),
    ],
)
def test_littlefs(made: dict[str, bytes], name: str, block_size: int, blocks: int) -> None:
    reading = identify(made[name])
    assert reading.kind is FileKind.LITTLEFS
    assert reading.findings == ()
    assert reading.parts[0].facts == {"version": "2.0", "block_size": block_size, "blocks": blocks}


@pytest.mark.parametrize("block", [0, 1])
def test_one_whole_superblock_is_enough(made: dict[str, bytes], block: int) -> None:
    for place in range(0, 0x40, 3):
        data = bytearray(made["littlefs/empty.bin"])
        data[0x1000 * block + place] ^= 0x81
        reading = littlefs.read(bytes(data))
        assert reading is not None
        assert reading.findings == ()


@pytest.mark.parametrize(
    ("name", "code"), [("broken/littlefs-cut.bin", "cut"), ("broken/littlefs-crc.bin", "crc")]
)
def test_damaged_littlefs(made: dict[str, bytes], name: str, code: str) -> None:
    reading = identify(made[name])
    assert reading.kind is FileKind.LITTLEFS
    assert [(f.severity, f.code) for f in reading.findings] == [(Severity.ERROR, code)]


def test_espfs(made: dict[str, bytes]) -> None:
    reading = identify(made["espfs/web.espfs"])
    assert reading.kind is FileKind.ESPFS
    assert reading.findings == ()
    found = espfs.scan(made["espfs/web.espfs"])
    assert [(file.name, file.stored_size, file.packing) for file in found.files] == [
        ("index.html", 19, None),
        ("js/app.js", 42, "gzip"),
        ("a", 0, None),
    ]
    assert found.files[0].content == b"<html>hello</html>\n"


@pytest.mark.parametrize(
    ("name", "code"), [("broken/espfs-cut.espfs", "cut"), ("broken/espfs-damaged.espfs", "damaged")]
)
def test_damaged_espfs(made: dict[str, bytes], name: str, code: str) -> None:
    reading = identify(made[name])
    assert reading.kind is FileKind.ESPFS
    assert [(f.severity, f.code) for f in reading.findings] == [(Severity.ERROR, code)]
    assert reading.parts[0].facts["file_count"] == 1


def test_every_cut_of_an_espfs_is_seen(made: dict[str, bytes]) -> None:
    whole = made["espfs/web.espfs"]
    for end in range(4, len(whole)):
        reading = espfs.read(whole[:end])
        assert reading is not None
        assert [f.severity for f in reading.findings] == [Severity.ERROR]


def test_endless_espfs() -> None:
    empty = b"ESfs" + bytes(12)
    reading = espfs.read(empty * 100_000)
    assert reading is not None
    assert [f.code for f in reading.findings] == ["damaged"]


def test_spiffs_without_magics(made: dict[str, bytes]) -> None:
    reading = identify(made["spiffs/no-magic.bin"])
    assert reading.kind is FileKind.SPIFFS
    assert [(f.severity, f.code) for f in reading.findings] == [(Severity.NOTE, "no-magic")]
    facts = {"block_size": 0x2000, "blocks": 4, "formula": "none", "file_count": 1}
    assert reading.parts[0].facts == facts


def test_magics_come_first(made: dict[str, bytes]) -> None:
    for name, formula in (("spiffs/linear.bin", "linear"), ("spiffs/old-formula.bin", "old")):
        assert identify(made[name]).parts[0].facts["formula"] == formula


def test_damaged_spiffs_without_magics(made: dict[str, bytes]) -> None:
    reading = identify(made["broken/spiffs-no-magic-cut.bin"])
    assert [f.code for f in reading.findings] == ["no-magic", "cut"]
    data = bytearray(made["spiffs/no-magic.bin"])
    data[0x4000:0x6000] = bytes(range(256)) * 32
    assert [f.code for f in identify(bytes(data)).findings] == ["no-magic", "damaged"]


def test_real_spiffs_without_magics(corpus: Path) -> None:
    data = (corpus / "fs/rgbww-spiff_rom.bin").read_bytes()
    reading = identify(data)
    assert reading.kind is FileKind.SPIFFS
    facts = {"block_size": 0x2000, "blocks": 96, "formula": "none", "file_count": 4}
    assert reading.parts[0].facts == facts
    assert [f.severity for f in reading.findings] == [Severity.NOTE]


def test_nothing_else_is_a_file_system(corpus: Path, made: dict[str, bytes]) -> None:
    for path in corpus.rglob("*"):
        if path.is_file() and path.parent.name != "fs":
            data = path.read_bytes()
            assert spiffs_plain.plain_at(data) is None
            assert littlefs.superblock_at(data) is None
    for name, data in made.items():
        assert spiffs_plain.plain_at(data) is None or "spiffs" in name
        assert littlefs.superblock_at(data) is None or "littlefs" in name


def test_file_systems_inside_a_flash(made: dict[str, bytes]) -> None:
    small, web = made["littlefs/empty.bin"], made["espfs/web.espfs"]
    flash = b"\xff" * 0x3000 + small + web + b"\xff" * 0x100
    start = 0x3000 + len(small)
    found = littlefs.inside(flash, 0x3000, len(flash))
    assert found is not None
    assert (found.parts[0].offset, found.parts[0].size, found.findings) == (0x3000, len(small), ())
    cut = littlefs.inside(flash, 0x3000, 0x5000)
    assert cut is not None
    assert [(f.code, f.offset) for f in cut.findings] == [("cut", 0x5000)]
    archive = espfs.inside(flash, start, len(flash))
    assert archive is not None
    assert (archive.parts[0].offset, archive.parts[0].size, archive.findings) == (start, len(web), ())
    short = espfs.inside(flash, start, start + 0x50)
    assert short is not None
    assert [f.code for f in short.findings] == ["cut"]
    assert short.parts[0].end == start + 0x50
    assert littlefs.inside(flash, 0, 0x3000) is None
    assert espfs.inside(flash, 0, 0x3000) is None


def test_any_bytes(made: dict[str, bytes], survives: Any) -> None:  # noqa: ANN401
    survives(littlefs.read, [data for name, data in made.items() if "littlefs" in name])
    survives(espfs.read, [data for name, data in made.items() if "espfs" in name])
    survives(spiffs_plain.read, [data for name, data in made.items() if "spiffs" in name])
