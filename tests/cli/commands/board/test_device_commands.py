"""``imgtool id``, ``read``, ``verify`` and ``erase`` on virtual chips."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from imgtool.device.stub import espressif_stubs
from imgtool.engine.choices import ERASE_CHOICES
from imgtool.operations.flashing import transfer as transfers
from tests.support import BOOT_ROM, IMAGES, Command, Put, flash_512k

PORT = "sim:512KB,flash=f.bin"
ROM = ("--stub", "none")


pytestmark = pytest.mark.usefixtures("no_port_set")


@pytest.fixture
def board(put: Put) -> Path:
    """The flash of a board with NodeMCU on it."""
    return put("f.bin", flash_512k((0x7E000, b"credentials here")))


def result(out: str, command: str) -> dict[str, Any]:
    document = json.loads(out)
    assert (document["command"], len(document["results"])) == (command, 1)
    fields: dict[str, Any] = document["results"][0]
    return fields


def rows(out: str) -> dict[str, str]:
    """A table of names and values."""
    found = [re.split(r" {2,}", line.strip(), maxsplit=1) for line in out.splitlines()]
    return {row[0]: row[1] for row in found if len(row) == 2}


# id


@pytest.mark.parametrize("name", ["id", "flash-id", "read-mac"])
def test_id(imgtool: Command, name: str) -> None:
    run = imgtool(name, "-p", "sim:1MB,mac=5c:cf:7f:01:02:03", *ROM)

    assert run.code == 0
    assert rows(run.out) == {
        "chip": "ESP8266EX",
        "chip ID": "66051 (0x00010203)",
        "MAC": "5c:cf:7f:01:02:03",
        "crystal": "26 MHz",
        "flash ID": "c8 4014",
        "manufacturer": "GigaDevice, code 0xc8",
        "part": "GD25Q80",
        "capacity": "1 MB (1,048,576 bytes), by its ID and SFDP",
    }


def test_id_of_an_unknown_flash(imgtool: Command) -> None:
    found = rows(imgtool("id", "-p", "sim:4MB,fault=id=112213").out)

    assert found["part"] == "not in imgtool's table"
    assert found["manufacturer"] == "not known, code 0x11"
    assert found["capacity"] == "4 MB (4,194,304 bytes), by SFDP"
    assert found["contradiction"] == "the ID says 524,288 bytes; SFDP counts"


def test_id_in_json(imgtool: Command) -> None:
    run = imgtool("id", "-p", "sim:1MB,chip=esp8285", "--json")
    fields = result(run.out, "id")

    assert (run.err, fields["chip"]["model"][:7], fields["flash"]["bytes"]) == ("", "ESP8285", 1 << 20)
    assert fields["flash"]["source"] == "SFDP"


@pytest.mark.parametrize(
    ("words", "part", "capacity"),
    [
        (["e0", "4016"], "BG25Q32A", "4 MB (4,194,304 bytes), by its ID, 2^22 bytes"),
        (["e04016"], "BG25Q32A", "4 MB (4,194,304 bytes), by its ID, 2^22 bytes"),
        (["0xE0:40:16"], "BG25Q32A", "4 MB (4,194,304 bytes), by its ID, 2^22 bytes"),
        (["1f8501"], "AT25SF081", "1 MB (1,048,576 bytes), by its ID"),
        (["123413"], "not in imgtool's table", "512 KB (524,288 bytes), by its ID, 2^19 bytes"),
        (["1234ff"], "not in imgtool's table", "not known: neither the ID nor SFDP tells"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_known_of_an_id(imgtool: Command, words: list[str], part: str, capacity: str) -> None:
    run = imgtool("id", "--flash-id", *words)

    assert (run.code, rows(run.out)["part"], rows(run.out)["capacity"]) == (0, part, capacity)
    assert "port" not in result(imgtool("id", "--json", "--flash-id", *words).out, "id")


@pytest.mark.parametrize("arguments", [["--flash-id", "e040"], ["--flash-id", "no"], ["more"]], ids=" ".join)
def test_wrong_ids(imgtool: Command, arguments: list[str]) -> None:
    assert imgtool("id", *arguments).code == 2


# read


@pytest.mark.parametrize("arguments", [["read", "-o", "out.bin"], ["read-flash"]], ids=" ".join)
def test_read(board: Path, imgtool: Command, folder: Path, arguments: list[str]) -> None:
    last = ["out.bin"] if arguments == ["read-flash"] else []
    run = imgtool(*arguments, "0x7c000", "0x100", *last, "-p", PORT, *ROM)

    assert run.code == 0
    assert run.out.startswith("out.bin: 256 bytes from 0x07c000 on, in ")
    assert (folder / "out.bin").read_bytes() == board.read_bytes()[0x7C000:0x7C100]


def test_backup(board: Path, imgtool: Command, folder: Path) -> None:
    (folder / "all").mkdir()
    run = imgtool("read", "0x7fc00", "all", "--backup", "-o", "all", "-p", PORT, *ROM, "--json")

    fields = result(run.out, "read")
    assert re.fullmatch(r"all/imgtool-18fe34a1b2c3-\d{8}-\d{6}\.bin", Path(fields["path"]).as_posix())
    assert (fields["address"], fields["size"], fields["stub"]) == (0x7FC00, 0x400, "rom")
    assert (folder / fields["path"]).read_bytes() == board.read_bytes()[0x7FC00:]


def test_nothing_is_left_of_a_read_that_fails(board: Path, imgtool: Command, folder: Path) -> None:
    assert board.exists()
    run = imgtool("read", "0", "0x2000", "-o", "out.bin", "-p", f"{PORT},fault=gone=in:9000:1000s", *ROM)

    assert (run.code, sorted(path.name for path in folder.iterdir())) == (5, ["f.bin"])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["0", "0x1000"], 2, "expected -o FILE, or --backup"),
        (["0", "-o", "out.bin"], 2, "not a region"),
        (["0", "0", "-o", "out.bin"], 2, "nothing is to be read"),
        (["x", "0x1000", "-o", "out.bin"], 2, "not a address"),
        (["-o", "no/out.bin"], 2, "there is no folder no"),
        (["-o", "."], 2, "is a folder"),
        (["0x7f000", "0x2000", "-o", "out.bin"], 4, "beyond the end of the flash"),
        (["-o", "out.bin", "-p", "sim:512KB,boot=run", "--reset", "none"], 6, "the chip does not answer"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_reads(imgtool: Command, arguments: list[str], code: int, words: str) -> None:
    port = () if "-p" in arguments else ("-p", PORT)
    run = imgtool("read", *arguments, *port, *ROM)

    assert (run.code, words in " ".join(run.err.split())) == (code, True), run.err


BOOT_ROM_OF = ("read", "--rom", "-o", "rom.bin", "-p")


@pytest.mark.skipif(not BOOT_ROM, reason="IMGTOOL_BOOT_ROM names no dump of the boot ROM")
def test_the_boot_rom(imgtool: Command, folder: Path) -> None:
    run = imgtool(*BOOT_ROM_OF, f"sim:4MB,rom={BOOT_ROM}")

    assert (run.code, run.err.splitlines()) == (0, ["connecting", "reading 65,536 bytes"])
    assert run.out.startswith(
        "rom.bin: the boot ROM, 65,536 bytes from 0x40000000 on, in 5.4 s\nsha256 32f199bf"
    )
    assert (folder / "rom.bin").read_bytes() == Path(BOOT_ROM).read_bytes()


def test_a_chip_without_a_boot_rom(imgtool: Command, folder: Path) -> None:
    run = imgtool(*BOOT_ROM_OF, "sim:512KB")
    words = " ".join(run.out.split())

    assert run.code == 1
    assert words.startswith("rom.bin: not the boot ROM that is known, 65,536 bytes from 0x40000000 on")
    assert words.endswith("rom=FILE in the name of its port gives it one")
    assert run.err.splitlines()[-2:] == [
        "not the boot ROM that is known; it is read a second time",
        "verifying 65,536 bytes",
    ]
    assert (folder / "rom.bin").stat().st_size == 0x1_0000


@pytest.mark.long
def test_a_boot_rom_as_json(imgtool: Command) -> None:
    run = imgtool(*BOOT_ROM_OF, "sim:512KB", "--json")
    fields = result(run.out, "read")

    assert (run.code, run.err) == (1, "")
    assert (fields["known"], fields["address"], fields["stub"]) == (False, 0x4000_0000, "rom")
    assert (json.loads(run.out)["ok"], len(json.loads(run.out)["warnings"])) == (False, 1)


def test_nothing_is_left_of_a_boot_rom_that_is_not_read_whole(
    imgtool: Command, put: Put, folder: Path
) -> None:
    put("rom.bin", b"an older one")
    run = imgtool(*BOOT_ROM_OF, "sim:512KB,fault=gone=in:90000:1000s")

    assert (run.code, [path.name for path in folder.iterdir()]) == (5, ["rom.bin"])
    assert (folder / "rom.bin").read_bytes() == b"an older one"


def test_a_boot_rom_of_a_silent_chip(imgtool: Command, folder: Path) -> None:
    run = imgtool(*BOOT_ROM_OF, "sim:512KB,boot=run", "--reset", "none")

    assert (run.code, list(folder.iterdir())) == (6, [])
    assert "the chip does not answer" in " ".join(run.err.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no file is named (expected -o FILE)"),
        (["-o", "x", "0", "16"], "--rom reads all of the boot ROM (expected no ADDR SIZE, found 0 16)"),
        (["-o", "x", "all"], "--rom reads all of the boot ROM (expected no ADDR SIZE, found all)"),
        (["-o", "x", "--backup"], "the boot ROM is no backup (expected -o FILE, found --backup)"),
        (["--backup"], "the boot ROM is no backup (expected -o FILE, found --backup)"),
        (["-o", "no/x"], "there is no folder no"),
        (["-o", "."], "is a folder (expected a file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_reads_of_the_boot_rom(imgtool: Command, arguments: list[str], words: str) -> None:
    run = imgtool("read", "--rom", *arguments, "-p", PORT)

    assert (run.code, words in " ".join(run.err.split())) == (2, True), run.err


# verify


def test_verify(board: Path, put: Put, imgtool: Command) -> None:
    assert board.exists()
    put("0x00000.bin", IMAGES["sample/0x00000.bin"][:0x1000])
    run = imgtool("verify", "0", "0x00000.bin", "-p", PORT, *ROM)

    assert (run.code, run.out.splitlines()[-1][:34]) == (0, "the flash holds it: 4,096 bytes co")
    assert "header size 1MB -> 512KB" in run.out


@pytest.mark.parametrize("name", ["verify", "verify-flash"])
def test_header_that_flash_has_changed(board: Path, put: Put, imgtool: Command, name: str) -> None:
    assert board.exists()
    put("part.bin", IMAGES["sample/0x00000.bin"][:0x100])
    run = imgtool(name, "0", "part.bin", "-p", PORT, *ROM, "-fs", "keep")

    assert run.code == 1
    assert "  0x000003  only the image header: size 512KB instead of 1MB" in run.out.splitlines()


@pytest.mark.parametrize("form", [(), ("--json",)], ids=" ".join)
def test_differences(board: Path, put: Put, imgtool: Command, form: tuple[str, ...]) -> None:
    flash = bytearray(board.read_bytes())
    flash[0x101FE] ^= 0xFF
    put("f.bin", bytes(flash))
    wanted = IMAGES["sample/0x10000.bin"][:0x200]
    put("part.bin", wanted)
    run = imgtool("verify", "0x10000", "part.bin", "-p", PORT, *ROM, "-fs", "keep", *form)

    assert run.code == 1
    if form:
        assert result(run.out, "verify")["differences"][0] == {
            "address": 0x101FE,
            "expected": wanted[0x1FE:].hex(),
            "found": bytes([wanted[0x1FE] ^ 0xFF, wanted[0x1FF]]).hex(),
            "header_only": False,
        }
    else:
        assert run.out.splitlines()[0].startswith("the flash differs in 1 sector: 512 bytes compared in ")
        assert run.out.splitlines()[2] == "  0x0101fe"


def test_verify_beyond_the_flash(put: Put, imgtool: Command) -> None:
    put("big.bin", bytes(0x2000))

    assert imgtool("verify", "0x7f000", "big.bin", "-p", PORT, *ROM, "-fs", "keep").code == 4


# erase


def test_erase_names_its_choices(imgtool: Command) -> None:
    run = imgtool("erase", "-p", PORT)

    words = " ".join(run.err.split())
    assert (run.code, "all, ADDR SIZE, rf-cal, init-data, system-param, filesystem or lfs" in words) == (
        2,
        True,
    )
    assert ERASE_CHOICES in " ".join(imgtool("erase", "--help").out.replace("│", " ").split())


@pytest.mark.parametrize("name", ["erase", "erase-region"])
def test_erase_region(board: Path, imgtool: Command, name: str) -> None:
    before = board.read_bytes()
    run = imgtool(name, "0x10000", "0x2000", "-p", PORT, *ROM)

    assert run.code == 0
    assert run.out.splitlines()[-1].startswith("erased, not verified, in ")
    assert board.read_bytes() == before[:0x10000] + b"\xff" * 0x2000 + before[0x12000:]


@pytest.mark.parametrize("words", [["erase", "all"], ["erase-flash"]], ids=" ".join)
def test_erase_all(board: Path, imgtool: Command, words: list[str]) -> None:
    run = imgtool(*words, "-p", PORT, *ROM)

    assert (run.code, board.read_bytes().strip(b"\xff")) == (0, b"")


@pytest.mark.parametrize(
    ("name", "start", "size"),
    [("rf-cal", 0x7B000, 0x1000), ("init-data", 0x7C000, 0x1000), ("system-param", 0x7D000, 0x3000)],
)
def test_erase_by_name(board: Path, imgtool: Command, name: str, start: int, size: int) -> None:
    before = board.read_bytes()
    run = imgtool("erase", name, "-p", PORT, *ROM, "--json")

    fields = result(run.out, "erase")
    assert [(each["address"], each["size"]) for each in fields["erased"]] == [(start, size)]
    assert board.read_bytes() == before[:start] + b"\xff" * size + before[start + size :]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["0x1234", "0x1000"], 2, "the address is none (expected 0x1000 or 0x2000, found 0x1234)"),
        (["0x1000", "0x1800"], 2, "the size is none (expected 0x1000 or 0x2000, found 0x1800)"),
        (["0x1000", "100"], 2, "the size is none (expected 0x1000, found 100)"),
        (["0x1000", "0"], 2, "nothing is to be erased"),
        (["everything"], 2, "not something to erase"),
        (["0x7f000", "0x2000"], 4, "beyond the end of the flash"),
        (["rf-cal"], 4, "no image stands at 0"),
        (["filesystem"], 4, ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_erases(imgtool: Command, words: list[str], code: int, told: str) -> None:
    run = imgtool("erase", *words, "-p", PORT, *ROM)

    assert (run.code, told in " ".join(run.err.split())) == (code, True), run.err


def test_erase_of_a_protected_flash(imgtool: Command) -> None:
    run = imgtool("erase", "all", "-p", "sim:512KB,fault=protect", *ROM)

    assert (run.code, "the flash is write-protected" in run.err) == (6, True)


def test_interrupted_erase(imgtool: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(transfers, "erase_chip", stop)
    run = imgtool("erase", "all", "-p", PORT, *ROM)

    assert (run.code, "interrupted: the flash may be erased in part" in run.err) == (130, True)


def test_erase_that_fails_says_where(board: Path, imgtool: Command) -> None:
    if not espressif_stubs():
        pytest.skip("no esptool with a flasher stub is installed")
    assert board.name == "f.bin"
    run = imgtool("erase", "0x1000", "0x2000", "-p", f"{PORT},fault=worn=0x1801.0", "--json")

    error = json.loads(run.err)["error"]
    assert (run.code, error["offset"], error["sectors"]) == (7, 0x1801, [0x1000])
    assert error["expected"].startswith("ff ff")
    assert error["found"].startswith("fe ff")


# All of them.


@pytest.mark.parametrize(
    ("words", "name", "told"),
    [
        (["read", "0", "16", "-o", "x"], "read_flash", ": the flash is as it was, and no file was written"),
        (["verify", "f.bin"], "verify", ": the flash is as it was"),
    ],
    ids=["read", "verify"],
)
def test_interrupted(
    board: Path, imgtool: Command, monkeypatch: pytest.MonkeyPatch, words: list[str], name: str, told: str
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    assert board.name == "f.bin"
    monkeypatch.setattr(transfers, name, stop)
    run = imgtool(*words, "-p", PORT, *ROM)
    document = imgtool(*words, "-p", PORT, *ROM, "--json")

    assert (run.code, run.err.splitlines()[-2]) == (130, f"error: interrupted{told}")
    assert json.loads(document.err)["error"]["type"] == "InterruptedRunError"


def test_one_port_at_a_time(imgtool: Command) -> None:
    run = imgtool("id", "-p", "sim:1MB", "-p", "sim:2MB")

    assert (run.code, "several ports are given" in run.err) == (2, True)


@pytest.mark.parametrize(("name", "words"), [("flash_id", []), ("chip_id", []), ("erase_flash", [])])
def test_names_with_underscores(imgtool: Command, name: str, words: list[str]) -> None:
    assert imgtool(name, *words, "-p", "sim:512KB", *ROM).code == 0


@pytest.mark.parametrize("name", ["id", "flash", "verify", "read", "erase"])
def test_help(imgtool: Command, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    run = imgtool(name, "--help")

    words = " ".join(re.sub(r"[^\w\s$:/-]", " ", run.out).split())
    assert run.code == 0
    assert max(len(line) for line in run.out.splitlines()) <= 80
    assert all(option in words for option in ("--port -p", "--baud -b", "--stub", "--json", "--events"))
    assert "no-stub" not in words
    assert f"Example: imgtool {name}" in words
