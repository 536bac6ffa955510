from __future__ import annotations

import gzip

import pytest

import imgtool
from fixtures import filesystems
from imgtool.formats.reading import PartKind
from imgtool.operations.describe import describe
from imgtool.operations.filesystems import file_systems, with_files
from tests.support import IMAGES, said


def test_of_a_dump() -> None:
    (system,) = file_systems(IMAGES["dumps/nodemcu-2.2-4m.bin"])

    assert (system.kind, system.offset, system.size) == (PartKind.SPIFFS, 0x30000, 0x40000)
    assert [(file.path, file.data) for file in system.files] == [("init.lua", b"print('hi')\n")]
    assert imgtool.file_systems is file_systems


def test_of_littlefs_in_a_dump() -> None:
    (system,) = file_systems(IMAGES["dumps/arduino-4m.bin"])
    assert (system.kind, system.offset, system.files) == (PartKind.LITTLEFS, 0x200000, ())


def test_inside_of_a_gzip_file() -> None:
    packed = gzip.compress(IMAGES["dumps/nodemcu-2.2-4m.bin"], 1, mtime=0)
    (system,) = file_systems(packed)
    assert system.offset == 0x30000

    content = with_files(packed, describe(packed)).content
    assert content is not None
    part = next(part for part in content.parts if part.kind is PartKind.SPIFFS)
    assert part.facts["files"] == [{"path": "init.lua", "size": 12, "whole": True}]


@pytest.mark.parametrize("name", ["sample/0x10000.bin", "blank.bin", "elf/app.elf", "text/page.html"])
def test_without_a_file_system(name: str) -> None:
    data = IMAGES.get(name, b"")
    description = describe(data)

    assert file_systems(data) == ()
    assert with_files(data, description) is description


def test_findings_come_to_the_description() -> None:
    data = IMAGES["broken/spiffs-file.bin"]
    plain = describe(data)
    described = with_files(data, plain)

    assert plain.ok
    assert not described.ok
    assert said(described.findings, "error") == ["file-damaged"]


def test_every_fixture(made: dict[str, bytes]) -> None:
    for data in made.values():
        for system in file_systems(data):
            assert sum(len(file.data) for file in system.files) <= system.size


def test_three_megabytes_full_of_files() -> None:
    variant = filesystems.Variant(0x2000, 384)
    files = {f"{number}.bin".encode(): bytes([number]) * 25_000 for number in range(100)}
    (system,) = file_systems(filesystems.spiffs(files, variant))
    assert {file.path.encode(): file.data for file in system.files} == files
