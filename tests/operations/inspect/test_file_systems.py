from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

from fixtures import filesystems
from imgtool.formats.reading import Finding, PartKind, Severity
from imgtool.operations.inspect.describe import describe
from imgtool.operations.inspect.file_systems import file_systems, with_files
from tests.support import IMAGES, said


def test_of_a_dump() -> None:
    (system,) = file_systems(IMAGES["dumps/nodemcu-2.2-4m.bin"])

    assert (system.kind, system.offset, system.size) == (PartKind.SPIFFS, 0x30000, 0x40000)
    assert [(file.path, file.data) for file in system.files] == [("init.lua", b"print('hi')\n")]


def test_of_littlefs_in_a_dump() -> None:
    (system,) = file_systems(IMAGES["dumps/arduino-4m.bin"])
    assert (system.kind, system.offset, system.files) == (PartKind.LITTLEFS, 0x200000, ())


# Every variant that a NodeMCU release makes, at a place where that release has it, and Arduino's.
IN_DUMPS = [
    ("nodemcu-0.9.5", 0x2C000, filesystems.Variant(0x1000, 80, None, "0.9.5")),
    ("nodemcu-0.9.5", 0x2C000, filesystems.Variant(0x1000, 80, None, "0.9.6")),
    ("nodemcu-1.5.1", 0x30000, filesystems.Variant(0x1000, 76, None, "packed")),
    ("nodemcu-1.5.4.1-20160802", 0x40000, filesystems.Variant(0x2000, 29)),
    ("nodemcu-1.5.4.1-20160802", 0x2A000, filesystems.Variant(0x1000, 81)),
    ("nodemcu-1.5.4.1-20161201", 0x40000, filesystems.Variant(0x2000, 29, "old")),
    ("nodemcu-1.5.4.1-20161201", 0x28000, filesystems.Variant(0x1000, 83, "old")),
    ("nodemcu-2.0", 0x40000, filesystems.Variant(0x2000, 29, "old")),
    ("nodemcu-2.1", 0x2E000, filesystems.Variant(0x2000, 38, "old")),
    ("nodemcu-2.2-lfs", 0x40000, filesystems.Variant(0x2000, 29)),
    ("nodemcu-3-first", 0x3C000, filesystems.Variant(0x2000, 98)),
    ("nodemcu-3-current", 0x3E000, filesystems.Variant(0x2000, 95)),
    ("nodemcu-3-current", 0x3E000, filesystems.Variant(0x1000, 26)),
    ("arduino-sdk-2", 0xBB000, filesystems.Variant(0x2000, 32)),
]


@pytest.mark.parametrize(("name", "start", "variant"), IN_DUMPS)
def test_every_variant_in_a_dump_of_its_generation(
    name: str, start: int, variant: filesystems.Variant
) -> None:
    image = filesystems.used(filesystems.FILES, variant)
    dump = IMAGES[f"generations/{name}.bin"]
    held = sum(part.size for part in describe(dump).parts if part.kind is PartKind.SPIFFS)
    place = image.ljust(held, b"\xff")
    dump = dump[:start] + place + dump[start + len(place) :]
    (system,) = (each for each in file_systems(dump) if each.kind is PartKind.SPIFFS)

    assert (system.offset, system.size, system.block_size) == (start, len(image), variant.block)
    assert system.layout == variant.layout
    assert {file.path.encode(): file.data for file in system.files} == filesystems.FILES
    assert all(file.whole for file in system.files)
    if variant.formula is not None:
        part = next(part for part in describe(dump).parts if part.kind is PartKind.SPIFFS)
        assert part.facts["formula"] == variant.formula


def test_the_real_one_is_found_in_a_dump(corpus: Path) -> None:
    image = (corpus / "fs" / "rgbww-spiff_rom.bin").read_bytes()
    (alone,) = file_systems(image)
    dump = IMAGES["dumps/nodemcu-2.2-4m.bin"]
    (_, system) = file_systems(dump[:0x100000] + image + dump[0x100000 + len(image) :])

    assert (system.offset, system.size) == (0x100000, len(image))
    assert system.files == alone.files
    assert all(file.data[:2] == b"\x1f\x8b" for file in system.files)


def test_littlefs_of_another_maker_is_read_in_a_dump() -> None:
    littlefs = pytest.importorskip("littlefs")
    made = littlefs.LittleFS(block_size=8192, block_count=253)
    made.mkdir("www")
    for name, content in (("/config.json", b"{}"), ("/www/index.html", b"<p>" * 9000)):
        with made.open(name, "wb") as file:
            file.write(content)
    image = bytes(made.context.buffer)
    dump = IMAGES["dumps/arduino-4m.bin"]
    (system,) = file_systems(dump[:0x200000] + image + dump[0x200000 + len(image) :])

    assert (system.kind, system.size) == (PartKind.LITTLEFS, len(image))
    assert {file.path: file.data for file in system.files} == {
        "config.json": b"{}",
        "www/index.html": b"<p>" * 9000,
    }


def test_a_remnant_that_is_cut_is_no_error() -> None:
    dump = IMAGES["generations/nodemcu-3-current.bin"]
    image = filesystems.used(filesystems.FILES, filesystems.Variant(0x2000, 98))
    place = next(part for part in describe(dump).parts if part.kind is PartKind.SPIFFS).offset
    own = describe(dump[:place] + image + dump[place + len(image) :])
    other = describe(dump[: place - 0x8000] + image[:0x8000] + dump[place:])

    assert said(own.findings, "error") == ["cut"]
    assert said(other.findings, "error") == []
    assert "cut" in said(other.findings, "warning")


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


@pytest.fixture
def no_littlefs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is not there; the import system takes None for that."""
    monkeypatch.setitem(sys.modules, "littlefs", None)


UNREAD = "the files in the LittleFS are not listed: that needs the package littlefs-python"


@pytest.mark.usefixtures("no_littlefs")
@pytest.mark.parametrize(("name", "offset"), [("littlefs/empty.bin", 0), ("dumps/arduino-4m.bin", 0x200000)])
def test_littlefs_without_its_library_is_said_and_no_damage(name: str, offset: int) -> None:
    data = IMAGES[name]
    plain = describe(data)
    whole = with_files(data, plain)
    finding = Finding(Severity.WARNING, "littlefs-unread", UNREAD, offset)

    assert whole.ok
    assert [each for each in whole.findings if each not in plain.findings] == [finding]
    # It is as without the files: a listing without any would say that there are none.
    assert whole.parts == plain.parts


@pytest.mark.usefixtures("no_littlefs")
def test_littlefs_without_its_library_keeps_its_size() -> None:
    (system,) = file_systems(IMAGES["dumps/arduino-4m.bin"])

    assert (system.listed, system.files, system.used, system.free) == (False, (), None, None)
    assert (system.kind, system.offset, system.layout) == (PartKind.LITTLEFS, 0x200000, "2.0")
    assert system.size == system.block_size * system.blocks


@pytest.mark.usefixtures("no_littlefs")
@pytest.mark.parametrize("name", ["broken/littlefs-crc.bin", "broken/littlefs-cut.bin"])
def test_damage_is_told_without_the_library(name: str) -> None:
    data = IMAGES[name]
    whole = with_files(data, describe(data))

    assert not whole.ok
    assert said(whole.findings, "error") == said(describe(data).findings, "error")
    assert "littlefs-unread" in said(whole.findings, "warning")


@pytest.mark.usefixtures("no_littlefs")
def test_spiffs_beside_it_is_listed() -> None:
    files = IMAGES["spiffs/files-linear.bin"]
    dump = IMAGES["dumps/arduino-4m.bin"]
    found = file_systems(dump[:0x100000] + files + dump[0x100000 + len(files) :])

    assert [(system.kind, system.listed, bool(system.files)) for system in found] == [
        (PartKind.SPIFFS, True, True),
        (PartKind.LITTLEFS, False, False),
    ]
