"""What parts hold: each format gives a value of its class, and its facts for JSON are made in one place."""

from __future__ import annotations

import ast
import json
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from imgtool.formats.containers import lfs
from imgtool.formats.part_facts import RENDERERS, facts_of
from imgtool.formats.reading import Part, PartKind
from imgtool.operations.inspect.describe import describe
from imgtool.operations.inspect.file_systems import with_files
from tests.support import IMAGES

PACKAGE: Final = Path(__file__).parents[2] / "imgtool"
OTHER_FACTS: Final = {"device/port.py", "device/port_errors.py", "virtual/cpu/translate.py"}
"""Modules with facts of their own, on ports and on code."""


class Held(NamedTuple):
    """What a part of a made file holds.

    Attributes:
        value: Class of the value, by module and name below imgtool.formats.
        facts: Names of its facts in JSON, in their order.
    """

    value: str
    facts: str


# By file and kind of part.  Names and order are those of docs/json.md.
EXPECTED: Final = {
    ("gzip/sample.bin.gz", "unknown"): Held("containers.gzip_file.GzipStream", "unpacked name"),
    ("broken/bad-deflate.bin.gz", "unknown"): Held("containers.gzip_file.GzipStream", "unpacked name"),
    ("lfs/lfs-5.1.img", "lfs"): Held("containers.lfs.LfsHeader", "lua number_type image_size absolute"),
    ("generations/nodemcu-2.2-lfs.bin", "lfs"): Held(
        "containers.lfs.LfsHeader", "lua number_type image_size absolute"
    ),
    ("hex/sample.hex", "unknown"): Held("containers.blocks.RecordContents", "bytes block_count blocks"),
    ("srec/sample.s37", "unknown"): Held(
        "containers.blocks.RecordContents", "bytes block_count blocks start"
    ),
    ("uf2/plain.uf2", "unknown"): Held("containers.blocks.RecordContents", "bytes block_count blocks"),
    ("text/page.bin", "unknown"): Held("containers.text_file.TextFile", "title"),
    ("text/lfs-pointer.bin", "unknown"): Held("containers.text_file.TextFile", "size"),
    ("text/notes.bin", "unknown"): Held("containers.text_file.TextFile", ""),
    ("lfs/lfs-2018.img", "lfs"): Held("containers.lfs.EarlyLfs", "lua number_type image_size absolute links"),
    ("tuya/ota.bin", "unknown"): Held("containers.tuya.TuyaHeader", "version images"),
    ("dumps/micropython-1m.bin", "unknown"): Held("contents.Hint", "looks_like entropy"),
    ("elf/app.elf", "unknown"): Held("elf.file.ElfHeader", "machine entry sections"),
    ("espfs/web.espfs", "user-data"): Held("filesystems.espfs.EspFs", "file_count files"),
    ("littlefs/empty.bin", "littlefs"): Held(
        "filesystems.littlefs.LittleFsSuperblock", "version block_size blocks"
    ),
    ("spiffs/linear.bin", "spiffs"): Held("filesystems.spiffs.SpiffsSignature", "block_size blocks formula"),
    ("spiffs/no-magic.bin", "spiffs"): Held(
        "filesystems.spiffs_plain.PlainSpiffs", "block_size blocks formula file_count"
    ),
    ("arduino/core-3.1.bin", "length-crc-words"): Held("images.arduino.Words", "length"),
    ("micropython/micropython.bin", "length-crc-words"): Held("images.micropython.Tail", "length"),
    ("esp32/bootloader-c3.bin", "unknown"): Held("images.other_chip.ChipImage", "chip entry chip_name"),
    ("esp32/unknown-chip.bin", "unknown"): Held("images.other_chip.ChipImage", "chip entry"),
    ("rtos3/app.bin", "app"): Held(
        "images.rtos_app.RtosAppDetails", "flash_size project version built rtos_sdk elf_sha256"
    ),
    ("init-data/v05.bin", "init-data"): Held("regions.init_data.InitData", "set fields"),
    ("dumps/sdk-boot-1m.bin", "init-data"): Held("regions.init_data.InitData", "set fields"),
    ("nodemcu-3.0-2021/0x10000.bin", "partition-table"): Held(
        "regions.nodemcu_page.PartitionTable", "resolved entries"
    ),
    ("rboot/config.bin", "rboot-config"): Held(
        "regions.rboot_config.RbootConfig", "mode current_rom gpio_rom count roms"
    ),
    ("rtos3/partitions.bin", "partition-table"): Held(
        "regions.rtos_partitions.RtosPartitionTable", "partitions"
    ),
    # Nothing to read, or nothing that can be.
    ("broken/partitions-row.bin", "partition-table"): Held("", ""),
    ("blank.bin", "blank"): Held("", ""),
    ("arduino/core-3.1.bin", "bootloader"): Held("", ""),
}
LISTED: Final = {
    "littlefs/empty.bin": "version block_size blocks files used free",
    "spiffs/files-linear.bin": (
        "block_size blocks formula files used free deleted half_written most_erases layout"
    ),
    "spiffs/no-magic.bin": (
        "block_size blocks formula file_count files used free deleted half_written most_erases layout"
    ),
}


def class_of(value: object) -> str:
    kind = type(value)
    return "" if value is None else f"{kind.__module__}.{kind.__qualname__}".removeprefix("imgtool.formats.")


@pytest.mark.parametrize(("name", "kind"), EXPECTED)
def test_a_part_holds_the_value_of_its_format(name: str, kind: str) -> None:
    part = next(part for part in describe(IMAGES[name]).parts if part.kind == kind)

    assert (class_of(part.value), " ".join(part.facts)) == EXPECTED[name, kind]


@pytest.mark.parametrize("name", LISTED)
def test_with_its_files_a_file_system_holds_a_listing_of_them(name: str) -> None:
    data = IMAGES[name]
    before = describe(data)
    after = with_files(data, before)

    assert class_of(after.parts[0].value) == "filesystems.stored_files.FileListing"
    assert " ".join(after.parts[0].facts) == LISTED[name]
    assert before.parts[0].facts.items() <= after.parts[0].facts.items()
    # Asked again, nothing is lost.
    assert with_files(data, after).parts == after.parts


def test_the_value_of_every_made_file_has_facts_with_a_json_form(made: dict[str, bytes]) -> None:
    seen = set()
    for data in made.values():
        for part in with_files(data, describe(data)).parts:
            json.dumps(dict(part.facts))
            seen.add(class_of(part.value))
            assert facts_of(part.value) == part.facts

    # No fixture is an archive or a Lua 5.3 image; the listing has taken the place of the superblocks.  What
    # makers and applications keep in sectors of their own is in tests/formats/regions/test_stored.py.
    alone = {
        "containers.archive.Archive",
        "regions.json_record.JsonRecord",
        "regions.protected_param.ProtectedParams",
        "regions.rboot_config.MongooseConfig",
        "regions.sysparam.SysparamRegion",
        "containers.lfs.Lfs53Image",
        "filesystems.littlefs.LittleFsSuperblock",
        "filesystems.spiffs.SpiffsSignature",
        "filesystems.spiffs_plain.PlainSpiffs",
    }
    assert seen - {""} == set(RENDERERS) - alone


@pytest.mark.parametrize("name", RENDERERS)
def test_the_table_names_classes_that_exist(name: str) -> None:
    module, _, kind = name.rpartition(".")

    assert isinstance(getattr(import_module(f"imgtool.formats.{module}"), kind), type)


def test_a_lua_53_image_says_its_size_once_it_is_loaded() -> None:
    built = lfs.read(b"\x1bLua\x53" + bytes(100))
    loaded = lfs.inside(bytes.fromhex("50a2fafa 40000000") + bytes(56), 0, 64)

    assert built is not None
    assert loaded is not None
    assert dict(built.parts[0].facts) == {"lua": "5.3"}
    assert dict(loaded.parts[0].facts) == {"lua": "5.3", "image_size": 64}


def test_another_value_is_refused() -> None:
    with pytest.raises(TypeError, match="no part of a file holds a dict"):
        _ = Part(PartKind.UNKNOWN, 0, 1, value={"a": 1}).facts


def readers_of_facts(tree: ast.AST) -> list[int]:
    """Lines at which a program takes something out of ``.facts``, by key or by ``in``."""
    lines = []
    for node in ast.walk(tree):
        read: list[ast.expr] = []
        match node:
            case (
                ast.Subscript(value=held)
                | ast.Attribute(value=held, attr="get" | "items" | "keys" | "values")
            ):
                read = [held]
            case ast.Compare(comparators=others):
                read = others
        lines += [each.lineno for each in read if isinstance(each, ast.Attribute) and each.attr == "facts"]
    return sorted(lines)


def test_readers_of_facts_are_found() -> None:
    read = "part.facts['a']\npart.facts.get('a')\n'a' in part.facts\npart.facts.items()\nprint(part.facts)\n"

    assert readers_of_facts(ast.parse(read)) == [1, 2, 3, 4]


def test_nothing_reads_facts_back() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if readers_of_facts(ast.parse(path.read_text(encoding="utf-8")))
    }

    assert found <= OTHER_FACTS
