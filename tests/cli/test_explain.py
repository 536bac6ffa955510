from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.support import IMAGES, Command, Put

LOADED = (
    b"load 0x40100000, len 28740, room 16 \r\ntail 4\r\nchksum 0xe7\r\n"
    b"load 0x3ffe8000, len 2888, room 4 \r\ntail 4\r\nchksum 0xd6\r\n"
    b"load 0x3ffe8b50, len 15536, room 4 \r\ntail 12\r\nchksum 0x39\r\ncsum 0x39\r\n"
)
BANNER = b" ets Jan  8 2013,rst cause:2, boot mode:(3,6)\r\n\r\n"
RUNS = BANNER + LOADED + b"rf cal sector: 1019\r\nSDK ver: 2.0.0(656edbf) compiled @ Jul 19 2016 17:58:40\r\n"
DOWNLOAD = b" ets Jan  8 2013,rst cause:2, boot mode:(1,7)\r\n\r\n"
INIT_DATA = BANNER + LOADED + b"rf cal sector: 1019\r\nrf_cal[0] !=0x05,is 0xFF\r\n"


class Stdin(io.TextIOWrapper):
    def __init__(self, data: bytes, *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(data))
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(
    ("log", "code", "sentence"),
    [
        (RUNS, 0, "nothing in this log is wrong"),
        (DOWNLOAD, 0, "waits for a flasher"),
        (INIT_DATA, 1, "init data is missing"),
        (BANNER, 1, "too early to tell"),
        (BANNER + LOADED + b"Fatal exception (0):\r\n", 1, "illegal instruction"),
        (b"\xfe\x82\xe0" * 40, 3, "Too little of this can be read"),
        (b"", 3, "no line of an ESP8266 boot"),
        (b"ESP-ROM:esp32c3-api1-20210207\n", 3, "another chip"),
    ],
)
def test_exit_code(put: Put, imgtool: Command, log: bytes, code: int, sentence: str) -> None:
    put("boot.log", log)
    run = imgtool("explain", "boot.log")

    assert (run.code, run.err, sentence in run.out.splitlines()[0]) == (code, "", True)


@pytest.mark.parametrize("arguments", [(), ("-",)], ids=["absent", "dash"])
def test_stdin(imgtool: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    monkeypatch.setattr("sys.stdin", Stdin(INIT_DATA))
    run = imgtool("explain", *arguments)

    assert (run.code, run.out.splitlines()[0]) == (1, "The SDK stops: its init data is missing.")


def test_no_log_on_a_terminal(imgtool: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Stdin(b"", terminal=True))
    run = imgtool("explain")

    assert (run.code, run.out, "no log is given" in run.err) == (2, "", True)


@pytest.mark.parametrize("name", ["missing.log", "."])
def test_no_such_file(put: Put, imgtool: Command, name: str) -> None:
    put("boot.log", RUNS)
    run = imgtool("explain", name)

    assert (run.code, run.out, name in run.err) == (2, "", True)


def test_commands_stand_on_lines_of_their_own(put: Put, imgtool: Command) -> None:
    put("boot.log", INIT_DATA)
    lines = imgtool("explain", "boot.log").out.splitlines()

    assert "     imgtool fullimage --size 4MB --init-data v05 -o flash.bin" in lines
    assert "     imgtool flash 0x3fc000 parts/0x3fc000.bin" in lines


def test_the_cure_works(pair: Path, imgtool: Command) -> None:
    made = imgtool(*["fullimage", "--size", "4MB", "--init-data", "v05", "-o", "flash.bin"])
    cut = imgtool(*["split", "flash.bin", "-o", "parts"])

    assert (made.code, cut.code) == (0, 0)
    assert (pair / "parts" / "0x3fc000.bin").read_bytes() == IMAGES["init-data/v05.bin"]


@pytest.mark.parametrize(
    "log", [RUNS, INIT_DATA * 9, BANNER * 50, b"\xff" * 5000, DOWNLOAD + INIT_DATA + RUNS]
)
def test_eighty_columns(put: Put, imgtool: Command, log: bytes) -> None:
    put("boot.log", log)

    assert max(len(line) for line in imgtool("explain", "boot.log").out.splitlines()) <= 80


def test_repeated_boots_are_counted(put: Put, imgtool: Command) -> None:
    put("boot.log", INIT_DATA * 9)
    out = imgtool("explain", "boot.log").out

    assert (out.count("Boot from line"), "and 8 more like it" in out) == (1, True)


def test_control_characters_are_not_obeyed(put: Put, imgtool: Command) -> None:
    put("boot.log", RUNS + b"\x1b]0;title\x07 hello\x9b2J\r\n")

    assert not {"\x1b", "\x07", "\x9b"} & set(imgtool("explain", "boot.log").out)


def test_json(put: Put, imgtool: Command) -> None:
    put("boot.log", INIT_DATA)
    run = imgtool("explain", "boot.log", "--json")
    document = json.loads(run.out)
    (result,) = document["results"]
    (boot,) = result["boots"]

    assert (run.code, document["command"], document["ok"]) == (1, "explain", False)
    assert (result["path"], result["verdict"], result["repeats"]) == ("boot.log", "init-data", 1)
    assert result["cures"][0]["commands"][-1] == "imgtool flash flash.bin"
    assert boot["mode"] == {
        "code": 3,
        "second": 6,
        "name": "boot from flash",
        "gpio15": False,
        "gpio0": True,
        "gpio2": True,
    }
    assert boot["segments"][0] == {
        "line": 3,
        "address": 0x40100000,
        "length": 28740,
        "room": 16,
        "tail": 4,
        "checksum": 0xE7,
        "consistent": True,
    }
    assert boot["rf_cal"] == {"line": 13, "sector": 1019, "flash_size": "4MB"}


def test_json_of_noise(put: Put, imgtool: Command) -> None:
    put("boot.log", b"\xfe\x82\xe0" * 40)
    run = imgtool("explain", "--json", "boot.log")
    (result,) = json.loads(run.out)["results"]

    assert (run.code, result["verdict"], result["boots"]) == (3, "wrong-baud", [])
