from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from fixtures.elves import OBJECT, RISC_V, Elf, Section
from imgtool.operations.building.images import build
from tests.support import IMAGES, Command, Put

PAIR = {file.suffix: file.data for file in build(IMAGES["elf/app.elf"]).files}
AGGREGATED = PAIR["0x00000.bin"].ljust(0x10000, b"\xff") + PAIR["0x10000.bin"]
USER1 = build(IMAGES["elf/user1.elf"], 2).files[0].data


@pytest.fixture
def app(folder: Path, put: Put) -> Path:
    for name in ("app", "user1", "user2", "ram"):
        put(f"{name}.elf", f"elf/{name}.elf")
    return folder


def made(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the ELF files."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".elf")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def prefixed(prefix: str) -> dict[str, bytes]:
    return {prefix + name: data for name, data in PAIR.items()}


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["app.elf"], prefixed("app.elf-")),
        (["app.elf", "--version", "1"], prefixed("app.elf-")),
        (["app.elf", "--use-segments"], prefixed("app.elf-")),
        (["app.elf", "-o", "out-"], prefixed("out-")),
        (["app.elf", "-o", "out"], prefixed("out")),
        (["app.elf", "-o", "there"], prefixed("there/")),
        (["app.elf", "-o", "there/"], prefixed("there/")),
        (["app.elf", "--output", "new/bin/"], prefixed("new/bin/")),
        (["app.elf", "-o", "there/x-"], prefixed("there/x-")),
        (["ram.elf"], {"ram.elf-0x00000.bin": build(IMAGES["elf/ram.elf"]).files[0].data}),
        (["app.elf", "--merge"], {"app.bin": AGGREGATED}),
        (["app.elf", "--merge", "-o", "whole.bin"], {"whole.bin": AGGREGATED}),
        (["app.elf", "--merge", "-o", "there"], {"there/app.bin": AGGREGATED}),
        (["user1.elf", "--version", "2"], {"user1-0x01000.bin": USER1}),
        (["user1.elf", "--version", "2", "-o", "u.bin"], {"u.bin": USER1}),
        (["user1.elf", "--version", "2", "-o", "new/"], {"new/user1-0x01000.bin": USER1}),
        (["app.elf", "--dry-run"], {}),
        (["app.elf", "--dry-run", "-o", "new/"], {}),
        (["app.elf", "--dry-run", "--merge"], {}),
    ],
    ids=" ".join,
)
def test_files(app: Path, imgtool: Command, arguments: list[str], files: dict[str, bytes]) -> None:
    (app / "there").mkdir()
    run = imgtool("build", *arguments)

    assert (run.code, run.err, made(app)) == (0, "", files)
    assert ("To flash" in run.out) == ("--dry-run" not in arguments)


def test_beside_the_elf_file(folder: Path, put: Put, imgtool: Command) -> None:
    put("deep/app.v1.elf", "elf/user1.elf")
    imgtool("build", "deep/app.v1.elf", "--version", "2")

    assert made(folder) == {"deep/app.v1-0x01000.bin": USER1}


def test_the_name_that_esptool_has(app: Path, imgtool: Command) -> None:
    assert imgtool("elf2image", "app.elf").code == imgtool("elf2image", "app.elf", "-o", "b/").code == 0
    assert made(app) == prefixed("app.elf-") | prefixed("b/")


@pytest.mark.parametrize(
    ("words", "head"),
    [
        ([], "e9020020"),
        (["-fm", "dio", "-ff", "80m", "--flash-size", "4MB"], "e902024f"),
        (["--flash-mode", "DOUT", "--flash-freq", "26m", "-fs", "2MB-c1"], "e9020351"),
        (["-fs", "32m"], "e9020040"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_header(app: Path, imgtool: Command, words: list[str], head: str) -> None:
    run = imgtool("build", "app.elf", *words)

    assert (run.code, made(app)["app.elf-0x00000.bin"][:4].hex()) == (0, head)
    assert ("megabits" in run.out) == ("32m" in words)


def test_slot(app: Path, imgtool: Command) -> None:
    imgtool("build", "user2.elf", "--version", "2", "--slot", "2")

    assert made(app)["user2-0x81000.bin"][:4] == b"\xea\x04\x00\x02"


def test_full_image(app: Path, imgtool: Command) -> None:
    run = imgtool("build", "app.elf", "--fullimage", "4MB", "--set", "crystal_26m_en=40MHz")

    (data,) = made(app).values()
    assert (run.code, list(made(app)), len(data), data[3]) == (0, ["app-4MB.bin"], 4 << 20, 0x40)
    assert (data[0x10000:0x18000], data[0x3FC000], data[0x3FC030]) == (PAIR["0x10000.bin"], 5, 0)


def test_full_image_without_init_data(app: Path, imgtool: Command) -> None:
    run = imgtool("build", "app.elf", "--merge", "--fullimage", "1MB", "--init-data", "none", "-o", "f.bin")

    assert (run.code, made(app)["f.bin"][0xFC000:0xFC080]) == (0, b"\xff" * 128)


def test_what_is_built_passes_inspect(app: Path, imgtool: Command) -> None:
    for words in (
        ["app.elf"],
        ["app.elf", "--merge"],
        ["app.elf", "--fullimage", "2MB"],
        ["ram.elf"],
        ["user1.elf", "--version", "2"],
        ["user2.elf", "--version", "2", "--slot", "2"],
    ):
        assert imgtool("build", *words).code == 0

    names = sorted(made(app))
    run = imgtool("inspect", *names, "--json")
    kinds = {result["path"]: result["kind"] for result in json.loads(run.out)["results"]}
    assert (run.code, kinds) == (
        0,
        {
            "app-2MB.bin": "flash-dump",
            "app.bin": "aggregated",
            "app.elf-0x00000.bin": "image-v1",
            "app.elf-0x10000.bin": "irom",
            "ram.elf-0x00000.bin": "ram-image",
            "user1-0x01000.bin": "image-v2",
            "user2-0x81000.bin": "image-v2",
        },
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["app.elf", "--version", "4"], 2, "no such image version"),
        (["app.elf", "--slot", "1"], 2, "version-1 image has no slot"),
        (["user1.elf", "--version", "2", "--slot", "3"], 2, "no such slot"),
        (["user1.elf", "--version", "2", "--merge"], 2, "version-2 image is one file"),
        (["user1.elf", "--version", "2", "--fullimage", "1MB"], 2, "version-2 image is one file"),
        (["app.elf", "-fm", "keep"], 2, "no header yet that could be kept"),
        (["app.elf", "-ff", "64m"], 2, "not a flash frequency"),
        (["app.elf", "-fs", "4MB", "--flash-size", "4MB"], 2, "two flash sizes"),
        (["app.elf", "-fs", "2MB", "--fullimage", "4MB"], 2, "two flash sizes"),
        (["app.elf", "--fullimage", "3MB"], 2, "not a flash size"),
        (["app.elf", "--init-data", "v08"], 2, "init data goes into the image of a whole flash"),
        (["app.elf", "--set", "crystal_26m_en=0"], 2, "init data goes into the image of a whole flash"),
        (["app.elf", "--merge", "-o", "app.elf"], 2, "app.elf is an input"),
        (["app.elf", "-o", "app.elf/"], 2, "cannot be made"),
        (["missing.elf"], 2, "missing.elf cannot be read"),
        (["0x00000.bin"], 3, "0x00000.bin: this is no ELF file"),
        (["riscv.elf"], 3, "riscv.elf: the program is for another machine"),
        (["object.elf"], 3, "found a relocatable object"),
        (["cut.elf"], 3, "cut.elf: the section table is cut short"),
        (["empty.elf"], 3, "nothing to load"),
        (["app.elf", "--fullimage", "256KB"], 4, "256KB"),
        (["ram.elf", "--fullimage", "1MB"], 4, "knows no flash layout"),
        (["ram.elf", "--version", "2"], 3, "begins with code that runs from flash"),
        (["user1.elf"], 4, "reaches into .irom0.text by 29,072 bytes"),
        (["overflow.elf"], 4, "overflow.elf: DRAM overflows by 1,280 bytes: section .bss"),
        (["two.elf"], 4, ".irom0.text at 0x40210000, .irom1.text at 0x4021a000"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_refused(app: Path, put: Put, imgtool: Command, words: list[str], code: int, said: str) -> None:
    put("0x00000.bin", "sample/0x00000.bin")
    put("overflow.elf", "broken/dram-overflow.elf")
    put("two.elf", "broken/two-iroms.elf")
    put("cut.elf", IMAGES["elf/app.elf"][:-4])
    put("empty.elf", Elf(()).build())
    sections = (Section(".text", 0x4010_0000, b"12345678"),)
    put("riscv.elf", Elf(sections, machine=RISC_V).build())
    put("object.elf", Elf(sections, kind=OBJECT).build())
    before = made(app)
    run = imgtool("build", *words)

    text = " ".join(run.err.split())
    assert (run.code, run.out, said in text, made(app)) == (code, "", True, before)


def report_of(run_out: str) -> dict[str, Any]:
    document = json.loads(run_out)
    assert (document["command"], document["ok"], len(document["results"])) == ("build", True, 1)
    result: dict[str, Any] = document["results"][0]
    return result


def test_json(app: Path, imgtool: Command) -> None:
    result = report_of(imgtool("build", "app.elf", "--json").out)

    assert list(result) == [
        "path",
        "version",
        "written",
        "header",
        "flash_size",
        "files",
        "segments",
        "irom",
        "memory",
        "findings",
    ]
    assert (result["path"], result["version"], result["written"], result["findings"]) == (
        "app.elf",
        1,
        True,
        [],
    )
    assert (result["header"]["mode"], result["header"]["freq"], result["header"]["size"]) == (
        "qio",
        "40m",
        "1MB",
    )
    for file in result["files"]:
        data = (app / file["path"]).read_bytes()
        assert (file["size"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert [(file["address"], file["checksum"] and file["checksum"]["ok"]) for file in result["files"]] == [
        (0, True),
        (0x10000, None),
    ]
    assert [segment["memory"] for segment in result["segments"]] == ["DRAM", "IRAM"]
    assert result["irom"]["name"] == ".irom0.text"


def test_json_of_memory(app: Path, imgtool: Command) -> None:
    assert app.is_dir()
    memory = {use["name"]: use for use in report_of(imgtool("build", "app.elf", "--json").out)["memory"]}

    assert {name: (use["used"], use["free"], use["limit"]) for name, use in memory.items()} == {
        "IRAM": (23_680, 9_088, 32_768),
        "DRAM": (36_624, 45_296, 81_920),
        "IROM": (32_767, 884_737, 917_504),
    }
    assert [(s["name"], s["size"], s["loaded"]) for s in memory["DRAM"]["sections"]] == [
        (".data", 2304, True),
        (".rodata", 7165, True),
        (".bss", 27_152, False),
    ]


def test_json_of_a_dry_run(app: Path, imgtool: Command) -> None:
    result = report_of(imgtool("build", "user1.elf", "--version", "2", "--dry-run", "--json").out)

    assert (result["written"], made(app), result["files"][0]["checksum"]["algorithm"]) == (
        False,
        {},
        "sdk-crc32",
    )


def test_warnings_are_in_the_json(app: Path, imgtool: Command) -> None:
    assert app.is_dir()
    document = json.loads(imgtool("build", "app.elf", "--version", "2", "-fs", "8m", "--json").out)

    assert (document["ok"], [finding["code"] for finding in document["results"][0]["findings"]]) == (
        True,
        ["irom-address"],
    )
    assert ["no slot" in document["warnings"][0], "megabits" in document["warnings"][1]] == [True, True]


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["app.elf"], "imgtool flash app.elf-0x00000.bin app.elf-0x10000.bin"),
        (["app.elf", "-o", "a b/"], "imgtool flash 'a b/0x00000.bin' 'a b/0x10000.bin'"),
        (["app.elf", "--merge", "-o", "x"], "imgtool flash x"),
        (["app.elf", "--merge", "-o", "x0x10000.bin"], "imgtool flash 0x00000 x0x10000.bin"),
        (["user1.elf", "--version", "2"], "imgtool flash user1-0x01000.bin"),
        (["user1.elf", "--version", "2", "-o", "user1.bin"], "imgtool flash 0x01000 user1.bin"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_next_command(app: Path, imgtool: Command, words: list[str], command: str) -> None:
    assert app.is_dir()
    out = imgtool("build", *words).out

    assert out.splitlines()[-1] == f"  {command}"


def test_the_next_command_works(app: Path, imgtool: Command) -> None:
    assert app.is_dir()
    imgtool("build", "app.elf")
    run = imgtool("flash", "app.elf-0x00000.bin", "app.elf-0x10000.bin", "--port", "sim:1MB", "--dry-run")

    assert run.code == 0


@pytest.mark.parametrize("words", [["app.elf"], ["app.elf", "--version", "2"], ["ram.elf"]], ids=" ".join)
def test_report_fits_80_columns(app: Path, imgtool: Command, words: list[str]) -> None:
    assert app.is_dir()
    lines = imgtool("build", *words).out.splitlines()

    assert [line for line in lines if len(line) > 80 or line != line.rstrip()] == []


def bars(out: str) -> dict[str, str]:
    rows = [line.split() for line in out.splitlines()]
    return {row[0]: row[-1] for row in rows if len(row) > 5 and row[-2].endswith("%")}


def test_bars(app: Path, imgtool: Command) -> None:
    assert app.is_dir()
    drawn = bars(imgtool("build", "app.elf").out.replace("cache RAM", "cache"))

    assert drawn == {
        "IRAM": "\u2588" * 23 + "\u00b7" * 9,
        "DRAM": "\u2588" * 14 + "\u00b7" * 18,
        "IROM": "\u2588" + "\u00b7" * 31,
    }


@pytest.mark.parametrize(
    ("size", "cells"), [(1, 1), (0x7FFF, 31), (0x8000, 32), (0x4000, 16)], ids=["1", "31", "32", "16"]
)
def test_nothing_used_and_nothing_free_vanishes(put: Put, imgtool: Command, size: int, cells: int) -> None:
    put("app.elf", Elf((Section(".text", 0x4010_0000, bytes(size)),), 0x4010_0000).build())
    drawn = bars(imgtool("build", "app.elf", "--dry-run").out)

    assert drawn["IRAM"].count("\u2588") == cells


def test_a_pair_is_written_whole_or_not_at_all(put: Put, imgtool: Command, folder: Path) -> None:
    put("app.elf", "elf/app.elf")
    (folder / "bin").mkdir()
    (folder / "bin" / "0x00000.bin").write_bytes(b"before")
    (folder / "bin" / "0x10000.bin").mkdir()

    run = imgtool("build", "app.elf", "-o", "bin/")

    assert run.code == 2
    assert "0x10000.bin" in run.err
    assert (folder / "bin" / "0x00000.bin").read_bytes() == b"before"
    assert sorted(path.name for path in (folder / "bin").iterdir()) == ["0x00000.bin", "0x10000.bin"]
