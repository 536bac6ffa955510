from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from imgtool.chip import flash_size
from tests.support import IMAGES, Command, Put, Run, aggregate

Refused = Callable[[str, list[str]], Run]
V05 = IMAGES["init-data/v05.bin"]


def put_pair(put: Put, folder: str, below: str = ".") -> None:
    for name in ("0x00000.bin", "0x10000.bin"):
        put(f"{below}/{name}", f"{folder}/{name}")


@pytest.fixture
def refused(folder: Path, put: Put, imgtool: Command) -> Refused:
    """Runs fullimage on a pair with further files beside it, and checks that it writes nothing."""

    def run(name: str, arguments: list[str]) -> Run:
        put_pair(put, name)
        put("lfs.img", "lfs/lfs-5.1.img")
        put("files.img", "spiffs/linear.bin")
        before = sorted(folder.iterdir())
        done = imgtool("fullimage", *arguments, "-o", "out.bin")
        assert sorted(folder.iterdir()) == before
        return done

    return run


@pytest.mark.parametrize("size", ["512KB", "1MB", "2MB", "2MB-c1", "4MB", "4MB-c1", "8MB", "16MB"])
def test_sizes(pair: Path, imgtool: Command, size: str) -> None:
    run = imgtool("fullimage", "--size", size, pair, "-o", "out.bin")

    data, flash = (pair / "out.bin").read_bytes(), flash_size(size)
    assert (run.code, run.err, len(data), data[3] >> 4) == (0, "", flash.bytes, flash.code)
    assert data[-0x4000:-0x3F80] == V05


@pytest.mark.parametrize(
    "arguments",
    [
        ["0x00000.bin", "0x10000.bin"],
        ["."],
        ["whole.bin"],
        ["0:0x00000.bin", "0x10000", "0x10000.bin"],
        ["@args.txt"],
        [],
    ],
    ids=" ".join,
)
def test_ways_to_name_the_firmware(pair: Path, put: Put, imgtool: Command, arguments: list[str]) -> None:
    put("whole.bin", aggregate("sample"))
    put("args.txt", b"0x00000.bin 0x10000.bin")
    run = imgtool("fullimage", "--size", "1MB", *arguments, "-o", "out.bin")

    data = (pair / "out.bin").read_bytes()
    assert (run.code, data[:0x2D5B4] == aggregate("sample"), data[0xFC000:0xFC080]) == (0, True, V05)


def test_files_of_the_bin_folder(folder: Path, put: Put, imgtool: Command) -> None:
    put_pair(put, "sample", "bin")
    run = imgtool("fullimage", "--size", "1MB")

    assert (run.code, (folder / "nodemcu-2.2.0-1MB.bin").stat().st_size) == (0, 1 << 20)


def test_files_here_come_before_the_bin_folder(folder: Path, put: Put, imgtool: Command) -> None:
    put_pair(put, "nodemcu-0.9.5", "bin")
    put_pair(put, "sample")
    imgtool("fullimage", "--size", "1MB")

    assert [path.name for path in folder.glob("nodemcu-*")] == ["nodemcu-2.2.0-1MB.bin"]


def test_no_files_anywhere(folder: Path, imgtool: Command) -> None:
    run = imgtool("fullimage", "--size", "1MB")

    assert (run.code, "./0x*.bin" in run.err, list(folder.iterdir())) == (2, True, [])


def test_dry_run_writes_nothing(pair: Path, imgtool: Command) -> None:
    before = sorted(pair.iterdir())
    run = imgtool("fullimage", "--size", "1MB", "--dry-run")

    assert (run.code, sorted(pair.iterdir())) == (0, before)


@pytest.mark.parametrize("option", ["--dry-run", "--json"])
def test_plan_names_every_region(pair: Path, imgtool: Command, option: str) -> None:
    assert pair.is_dir()
    out = imgtool("fullimage", "--size", "1MB", "--dry-run", option).out

    assert [word in out for word in ("rf-cal", "init-data", "system-param", "irom", "image-v1")] == [True] * 5


def test_plan_is_a_table_and_a_map(pair: Path, imgtool: Command) -> None:
    assert pair.is_dir()
    lines = [line.split() for line in imgtool("fullimage", "--size", "1MB", "--dry-run").out.splitlines()]

    assert ["0x0fc000", "4,096", "init-data", "set", "v05"] in lines
    assert [words[0] for words in lines if len(words) == 2 and len(words[1]) == 64] == [
        f"0x{row:06x}" for row in range(0, 0x100000, 0x20000)
    ]


@pytest.mark.parametrize(
    ("folder_name", "arguments", "code", "words"),
    [
        ("sample", ["--size", "256KB"], 4, "256KB"),
        ("nodemcu-3.0-2021", ["--size", "512KB"], 4, "need 1MB"),
        ("nodemcu-0.9.5", ["--size", "2MB-c1"], 4, "flash sizes"),
        ("nodemcu-0.9.5", ["--size", "4MB-c1"], 4, "flash sizes"),
        ("nodemcu-0.9.5", ["--size", "8MB"], 4, "flash sizes"),
        ("nodemcu-0.9.5", ["--size", "16MB"], 4, "flash sizes"),
        ("sample", ["--size", "4MB", "--keep-header"], 4, "does not agree"),
        ("sample", ["--size", "4MB", "--lfs", "lfs.img"], 4, "no LFS partition"),
        ("sample", ["--size", "1MB", "--filesystem", "files.img@0xD0000"], 4, "files.img"),
        ("sample", ["--size", "1MB", "--filesystem", "files.img@2MB"], 4, "flash of 1MB"),
        ("sample", ["--size", "4MB", "--init-data", "keep"], 3, "no init data to keep"),
        ("sample", ["--size", "4MB", "--init-data", "files.img"], 3, "no init data"),
        ("nodemcu-3.0-2021", ["--size", "4MB", "--lfs", "files.img"], 3, "files.img"),
        ("sample", ["--size", "4m"], 2, "not a flash size"),
        ("sample", ["--size", "3MB"], 2, "not a flash size"),
        ("sample", [], 2, "--size"),
        ("sample", ["--size", "4MB", "--init-data", "v06"], 2, "v06"),
        ("sample", ["--size", "4MB", "--set", "crystal_26m_en"], 2, "FIELD=VALUE"),
        ("sample", ["--size", "4MB", "--set", "nonsense=1"], 2, "nonsense"),
        ("sample", ["--size", "4MB", "--set", "crystal_26m_en=27"], 2, "crystal_26m_en"),
        ("sample", ["--size", "4MB", "--set", "target_power_qdb_0=1e9999999"], 2, "target_power_qdb_0"),
        ("sample", ["--size", "4MB", "-fm", "spi"], 2, "not a flash mode"),
        ("sample", ["--size", "4MB", "--filesystem", "missing.img"], 2, "missing.img"),
        ("sample", ["--size", "4MB", "--filesystem", "files.img@0xZZ"], 2, "0xZZ"),
        ("sample", ["--size", "4MB", "@rf-cal", "files.img", "0x00000.bin", "0x10000.bin"], 2, "rf-cal"),
        ("sample", ["--size", "4MB", "@spiffs", "files.img"], 2, ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_exit_code_and_reason(
    refused: Refused, folder_name: str, arguments: list[str], code: int, words: str
) -> None:
    run = refused(folder_name, arguments)

    text = " ".join(run.err.replace("\u2502", " ").split())
    assert (run.code, run.out, words in text) == (code, "", True)


@pytest.mark.parametrize(
    ("choice", "block"),
    [
        ("auto", V05),
        ("v05", V05),
        ("v08", IMAGES["init-data/v08.bin"]),
        ("none", b"\xff" * 128),
        ("init.bin", IMAGES["init-data/g0.bin"]),
    ],
)
def test_init_data(pair: Path, put: Put, imgtool: Command, choice: str, block: bytes) -> None:
    put("init.bin", "init-data/g0.bin")
    imgtool(
        "fullimage", "--size", "1MB", "0x00000.bin", "0x10000.bin", "--init-data", choice, "-o", "out.bin"
    )

    assert (pair / "out.bin").read_bytes()[0xFC000:0xFC080] == block


def test_init_data_that_is_kept(folder: Path, put: Put, imgtool: Command) -> None:
    put("old.bin", "aggregated/sample-with-sdk-sectors.bin")
    imgtool("fullimage", "--size", "1MB", "old.bin", "--init-data", "keep", "-o", "out.bin")

    assert (folder / "out.bin").read_bytes()[0xFC000:0xFC080] == IMAGES["init-data/g0.bin"]


def test_fields(pair: Path, imgtool: Command) -> None:
    arguments = ["--set", "crystal_26m_en=40MHz", "--set", "target_power_qdb_5=12.25dBm"]
    imgtool("fullimage", "--size", "1MB", *arguments, "-o", "out.bin")

    block = (pair / "out.bin").read_bytes()[0xFC000:0xFC080]
    assert (block[48], block[39], block[:39] == V05[:39]) == (0, 49, True)


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        ("files.img", 0x30000),
        ("files.img@0x100000", 0x100000),
        ("files.img@1MB", 0x100000),
        ("a@1.img", 0x30000),
    ],
)
def test_file_system(pair: Path, put: Put, imgtool: Command, argument: str, address: int) -> None:
    put("files.img", "spiffs/linear.bin")
    put("a@1.img", "spiffs/linear.bin")
    run = imgtool("fullimage", "--size", "4MB", "--filesystem", argument, "-o", "out.bin")

    assert run.code == 0
    assert (pair / "out.bin").read_bytes()[address : address + 0x40000] == IMAGES["spiffs/linear.bin"]


@pytest.mark.parametrize(
    "arguments", [["--lfs", "lfs.img"], ["0x00000.bin", "0x10000.bin", "@lfs", "lfs.img"]]
)
def test_lfs(folder: Path, put: Put, imgtool: Command, arguments: list[str]) -> None:
    put_pair(put, "nodemcu-3.0-2021")
    raw = IMAGES["lfs/lfs-5.1.raw"]
    put("lfs.img", b"\x52" + raw[1:])
    run = imgtool("fullimage", "--size", "4MB", *arguments, "-o", "out.bin")

    assert (run.code, (folder / "out.bin").read_bytes()[0x2E000:0x2E008]) == (0, b"\x53" + raw[1:8])


def test_the_same_inputs_give_the_same_bytes(pair: Path, imgtool: Command) -> None:
    for name in ("one.bin", "two.bin"):
        imgtool("fullimage", "--size", "4MB", "0x00000.bin", "0x10000.bin", "-o", name)

    assert (pair / "one.bin").read_bytes() == (pair / "two.bin").read_bytes()


def test_its_output_passes_inspect(pair: Path, imgtool: Command) -> None:
    imgtool("fullimage", "--size", "4MB", "-o", "out.bin")
    run = imgtool("inspect", "--json", pair / "out.bin")

    (result,) = json.loads(run.out)["results"]
    assert (run.code, result["kind"], [p for p in result["parts"] if p["kind"] == "unknown"]) == (
        0,
        "flash-dump",
        [],
    )


def test_json(pair: Path, imgtool: Command) -> None:
    run = imgtool("fullimage", "--size", "1MB", "--json")

    document = json.loads(run.out)
    (result,) = document["results"]
    assert (run.code, document["command"], document["ok"], result["path"], result["flash_size"]) == (
        0,
        "fullimage",
        True,
        "nodemcu-2.2.0-1MB.bin",
        "1MB",
    )
    assert (result["written"], result["size"], (pair / result["path"]).stat().st_size) == (
        True,
        1 << 20,
        1 << 20,
    )


def test_json_of_a_dry_run(pair: Path, imgtool: Command) -> None:
    (result,) = json.loads(imgtool("fullimage", "--size", "1MB", "--json", "--dry-run").out)["results"]

    assert (result["written"], (pair / result["path"]).exists()) == (False, False)
