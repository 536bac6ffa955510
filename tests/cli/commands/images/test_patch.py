"""``imgtool patch`` as its users run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from imgtool.formats.containers import intel_hex
from imgtool.formats.containers.blocks import Block
from tests.support import IMAGES, Command, Put, aggregate


@pytest.fixture
def image(put: Put) -> Path:
    """An aggregated image."""
    return put("image.bin", aggregate("sample"))


def test_to_another_file(image: Path, imgtool: Command, folder: Path) -> None:
    before = image.read_bytes()

    run = imgtool("patch", "image.bin", "--mode", "dio", "--size", "4MB", "--freq", "80m", "-o", "out.bin")

    assert (run.code, run.err) == (0, "")
    assert image.read_bytes() == before
    assert (folder / "out.bin").read_bytes() == before[:2] + b"\x02\x4f" + before[4:]


def test_in_place(image: Path, imgtool: Command) -> None:
    before = image.read_bytes()

    assert imgtool("patch", "image.bin", "--entry", "0x40100008", "--in-place").code == 0

    assert image.read_bytes() == before[:4] + b"\x08\x00\x10\x40" + before[8:]
    assert [path.name for path in image.parent.iterdir()] == ["image.bin"]


def test_a_dry_run_shows_fields_and_bytes_and_writes_nothing(
    put: Put, imgtool: Command, folder: Path
) -> None:
    put("user1.bin", "v2/user1.bin")

    run = imgtool("patch", "user1.bin", "--mode", "dio", "--dry-run")

    assert run.code == 0
    assert [path.name for path in folder.iterdir()] == ["user1.bin"]
    lines = [line.split() for line in run.out.splitlines()]
    assert lines[3][:2] == ["flash", "mode"]
    assert lines[3][-2:] == ["qio", "dio"]
    assert any(words[:2] == ["CRC-32", "check"] and words[-1] == "follows" for words in lines)
    assert any(words[1:2] == ["1"] and words[-2:] == ["00", "02"] for words in lines)
    assert max(map(len, run.out.splitlines())) <= 80


def test_json(image: Path, imgtool: Command) -> None:
    run = imgtool("patch", image, "--mode", "qio", "--dry-run", "--json")

    document = json.loads(run.out)
    (result,) = document["results"]
    assert (document["command"], document["ok"], result["written"]) == ("patch", True, False)
    assert result["fields"] == [
        {"field": "flash mode", "offset": 2, "old": "dio", "new": "qio", "follows": False}
    ]
    assert result["bytes"] == [{"offset": 2, "size": 1, "old": "02", "new": "00"}]


def test_nothing_to_change_is_said(image: Path, imgtool: Command) -> None:
    run = imgtool("patch", image, "--mode", "dio", "--dry-run")

    assert run.code == 0
    assert "nothing changes" in run.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--mode", "dio"], "-o FILE, --in-place or --dry-run"),
        (["-o", "out.bin"], "nothing is to be changed"),
        (["--mode", "dio", "-o", "x.bin", "--in-place"], "both given"),
        (["--mode", "dio", "-o", "image.bin"], "input"),
        (["--mode", "fast", "--dry-run"], "not a flash mode"),
        (["--size", "3MB", "--dry-run"], "not a flash size"),
        (["--size", "1MB", "-fs", "8m", "--dry-run"], "two flash sizes"),
        (["--entry", "0x140100000", "--dry-run"], "at most 0xffffffff"),
        (["--set", "vdd33_const", "--dry-run"], "FIELD=VALUE"),
        (["--set", "vdd33=3", "--dry-run"], "vdd33_const"),
        (["--set", "vdd33_const=33", "--set", "vdd33_const=34", "--dry-run"], "set twice"),
        (["--write", "0x10", "--dry-run"], "ADDR=HEX or ADDR=FILE"),
        (["--write", "0x10=abc", "--dry-run"], "two hex digits"),
        (["--write", "0x10=no-such-file", "--dry-run"], "cannot be read"),
        (["--init-data", "none", "--dry-run"], "not taken out"),
        (["--spiffs-size", "much", "--dry-run"], "not a number"),
    ],
)
def test_wrong_usage(image: Path, imgtool: Command, folder: Path, arguments: list[str], words: str) -> None:
    before = image.read_bytes()

    run = imgtool("patch", "image.bin", *arguments)

    assert run.code == 2
    assert words in " ".join(run.err.split())
    assert image.read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["image.bin"]


@pytest.mark.parametrize(
    ("name", "arguments", "code", "words"),
    [
        ("gzip/sample.bin.gz", ["--mode", "dio"], 3, "packed"),
        ("v2/bad-crc.bin", ["--mode", "dio"], 3, "--repair"),
        ("sample/0x00000.bin", ["--set", "vdd33_const=33"], 3, "no init data"),
        ("sample/0x00000.bin", ["--lfs-size", "64K"], 3, "no NodeMCU partition table"),
        ("sample/0x00000.bin", ["--write", "0x99999=00"], 4, "does not lie in the file"),
        ("sample/0x00000.bin", ["--entry", "0x3ffe8000"], 4, "no code can run"),
    ],
)
def test_refusals_name_the_file_and_write_nothing(
    put: Put, imgtool: Command, name: str, arguments: list[str], code: int, words: str
) -> None:
    folder = put("image.bin", name).parent

    run = imgtool("patch", "image.bin", *arguments, "-o", "out.bin")

    assert run.code == code
    assert words in run.err
    assert "image.bin" in run.err
    assert not (folder / "out.bin").exists()


def test_an_image_that_stays_damaged_is_exit_code_1(put: Put, imgtool: Command) -> None:
    put("image.bin", "broken/bad-checksum.bin")

    run = imgtool("patch", "image.bin", "--mode", "qout", "-o", "out.bin")

    assert run.code == 1
    assert "damaged, as it was before" in run.out


def test_repair(put: Put, imgtool: Command) -> None:
    put("image.bin", "broken/bad-checksum.bin")

    assert imgtool("patch", "image.bin", "--repair", "--in-place").code == 0

    assert imgtool("inspect", "image.bin").code == 0


def test_bytes_from_hex_and_from_a_file(image: Path, put: Put, imgtool: Command, folder: Path) -> None:
    put("new.dat", b"\x01\x02\x03")

    run = imgtool(
        "patch", image, "--write", "0x20=de ad_be:ef", "--write", "0x40210000=new.dat", "-o", "out.bin"
    )

    data = (folder / "out.bin").read_bytes()
    assert run.code == 0
    assert data[0x20:0x24].hex() == "deadbeef"
    assert data[0x10000:0x10003] == b"\x01\x02\x03"


def test_init_data_fields(put: Put, imgtool: Command, folder: Path) -> None:
    put("init.bin", "init-data/v05.bin")

    run = imgtool(
        "patch",
        "init.bin",
        "--set",
        "target_power_qdb_0=17dBm",
        "--set",
        "crystal_26m_en=40MHz",
        "--in-place",
    )

    assert run.code == 0
    assert "20.50 dBm" in run.out
    data = (folder / "init.bin").read_bytes()
    assert (data[34], data[48]) == (68, 0)


def test_no_file(imgtool: Command) -> None:
    run = imgtool("patch", "--mode", "dio", "--dry-run")

    assert (run.code, "no file is given" in run.err) == (2, True)


def test_the_list_of_fields(imgtool: Command) -> None:
    run = imgtool("patch", "--set", "list")
    table = json.loads(imgtool("patch", "--set", "list", "--json").out)["results"]

    assert run.code == 0
    assert "0.00 to 20.50 dBm in steps of 0.25; v05 has 20.50 dBm" in run.out
    assert {row["name"] for row in table} >= {"vdd33_const", "crystal_26m_en", "rf_cal_use_flash"}


def test_records_stay_records(put: Put, imgtool: Command, folder: Path) -> None:
    pair = [Block(0, IMAGES["sample/0x00000.bin"]), Block(0x10000, IMAGES["sample/0x10000.bin"])]
    put("image.hex", intel_hex.build(pair))

    assert imgtool("patch", "image.hex", "--mode", "qio", "--in-place").code == 0
    assert imgtool("patch", "image.hex", "--mode", "dio", "-o", "out.bin").code == 0

    blocks = intel_hex.parse((folder / "image.hex").read_bytes())
    assert [(block.address, len(block.data)) for block in blocks] == [(b.address, len(b.data)) for b in pair]
    assert blocks[0].data[2] == 0
    assert (folder / "out.bin").read_bytes() == aggregate("sample")


def test_addresses_in_records_are_those_of_the_records(put: Put, imgtool: Command, folder: Path) -> None:
    put("irom.hex", intel_hex.build([Block(0x10000, IMAGES["sample/0x10000.bin"])]))

    run = imgtool("patch", "irom.hex", "--write", "0x10100=1234", "-o", "out.hex")

    (block,) = intel_hex.parse((folder / "out.hex").read_bytes())
    assert (run.code, block.address, block.data[0x100:0x102]) == (0, 0x10000, b"\x12\x34")
    assert "offsets count from 0x010000" in " ".join(run.out.split())
    assert imgtool("patch", "irom.hex", "--write", "0x100=12", "--dry-run").code == 2


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="there is no /dev/stdin")
def test_records_through_a_pipe_are_read_once(folder: Path) -> None:
    data = intel_hex.build([Block(0x10000, IMAGES["sample/0x10000.bin"])])
    program = Path(sys.executable).with_name("imgtool")
    words = ["patch", "/dev/stdin", "--write", "0x10100=1234", "-o", "out.hex"]
    done = subprocess.run([program, *words], cwd=folder, input=data, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
    assert intel_hex.parse((folder / "out.hex").read_bytes())[0].address == 0x10000


def test_a_nodemcu_table_and_its_contents_in_one_run(put: Put, imgtool: Command, folder: Path) -> None:
    put("image.bin", aggregate("nodemcu-3.0-2019"))
    put("lfs.img", "lfs/lfs-5.1.img")
    put("files.img", "spiffs/linear.bin")

    run = imgtool(
        "patch", "image.bin", "-o", "out.bin", "--size", "4MB", "--lfs-size", "64K", "--spiffs-addr", "1MB",
        "--spiffs-size", "256K", "--lfs", "lfs.img", "--filesystem", "files.img",
    )  # fmt: skip

    assert run.code == 0, run.err
    data = (folder / "out.bin").read_bytes()
    assert data[0x100000:][: len(IMAGES["spiffs/linear.bin"])] == IMAGES["spiffs/linear.bin"]
    assert max(map(len, run.out.splitlines())) <= 80


def test_help_fits_80_columns(imgtool: Command) -> None:
    run = imgtool("patch", "--help")

    assert run.code == 0
    assert max(map(len, run.out.splitlines())) <= 80
