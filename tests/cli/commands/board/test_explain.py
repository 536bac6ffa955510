from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from imgtool.formats.logs.serial_line import heard_at
from tests.operations.explain.boot_log_cases import CASES, LogCase
from tests.operations.explain.test_crash_frames import PROGRAM
from tests.support import IMAGES, Command, Put

LOADED = (
    b"load 0x40100000, len 28740, room 16 \r\ntail 4\r\nchksum 0xe7\r\n"
    b"load 0x3ffe8000, len 2888, room 4 \r\ntail 4\r\nchksum 0xd6\r\n"
    b"load 0x3ffe8b50, len 15536, room 4 \r\ntail 12\r\nchksum 0x39\r\ncsum 0x39\r\n"
)
BANNER = b" ets Jan  8 2013,rst cause:2, boot mode:(3,6)\r\n\r\n"
RUNS = BANNER + LOADED + b"rf cal sector: 1019\r\nSDK ver: 2.0.0(656edbf) compiled @ Jul 19 2016 17:58:40\r\n"
LIVES = RUNS + b"scandone\r\n"
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
        (LIVES, 0, "nothing in this log is wrong"),
        (RUNS, 1, "whether it runs cannot be told"),
        (RUNS + b"hello\r\n", 0, "The firmware speaks"),
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

    assert "     imgtool flash @init-data v05" in lines


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
    assert result["cures"][0]["commands"] == ["imgtool flash @init-data v05"]
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


CRASH = (
    RUNS
    + b"\r\nException (28):\r\nepc1=0x40201108 epc2=0x00000000 epc3=0x00000000 excvaddr=0x00000008 "
    + b"depc=0x00000000\r\n\r\n>>>stack>>>\r\n\r\nctx: cont\r\nsp: 3ffffdb0 end: 3fffffc0 offset: 0190\r\n"
    + b"3ffffe00:  3ffe8000 40201203 feefeffe 4000050c  \r\n<<<stack<<<\r\n"
)


def test_names_of_an_elf_file(put: Put, imgtool: Command) -> None:
    put("boot.log", CRASH)
    put("firmware.elf", PROGRAM)
    run = imgtool("explain", "--elf", "firmware.elf", "boot.log")

    assert (run.code, "in Sensor::read." in " ".join(run.out.split())) == (1, True)
    assert "  epc1  0x40201108  Sensor::read+0x8" in run.out.splitlines()
    assert "--elf" not in run.out


def test_the_command_for_names_is_shown(put: Put, imgtool: Command) -> None:
    put("boot.log", CRASH)
    run = imgtool("explain", "boot.log")

    assert "     imgtool explain --elf FIRMWARE.elf LOG" in run.out.splitlines()
    assert "  epc1   0x40201108  flash (irom)" in run.out.splitlines()


@pytest.mark.parametrize(("data", "code"), [(b"\xe9 no ELF file", 3), (None, 2)])
def test_no_elf_file(put: Put, imgtool: Command, data: bytes | None, code: int) -> None:
    put("boot.log", CRASH)
    if data is not None:
        put("firmware.elf", data)
    run = imgtool("explain", "boot.log", "--elf", "firmware.elf")

    assert (run.code, run.out, "firmware.elf" in run.err) == (code, "", True)


def test_json_of_a_crash(put: Put, imgtool: Command) -> None:
    put("boot.log", CRASH)
    put("firmware.elf", PROGRAM)
    (result,) = json.loads(imgtool("explain", "boot.log", "--elf", "firmware.elf", "--json").out)["results"]

    assert (result["verdict"], result["crash"]["exception"], result["crash"]["kind"]) == (
        "exception",
        28,
        "exception",
    )
    assert result["crash"]["registers"]["excvaddr"] == 8
    assert result["crash"]["stack"][1] == {"address": 0x3FFFFE04, "value": 0x40201203}
    assert result["frames"][0] == {
        "source": "epc1",
        "address": 0x40201108,
        "place": "flash (irom)",
        "function": "Sensor::read",
        "offset": 8,
        "file": None,
        "line": None,
        "called": False,
    }
    assert (result["speeds"], result["boots"][0]["crashes"]) == ([], 1)


def test_noise_of_the_rom(put: Put, imgtool: Command) -> None:
    put("boot.log", heard_at(RUNS, 74880, 115200))
    run = imgtool("explain", "boot.log")
    (result,) = json.loads(imgtool("explain", "--json", "boot.log").out)["results"]

    assert (run.code, run.out.splitlines()[0]) == (
        3,
        "This was recorded at the wrong speed: the chip sends at 74880 baud.",
    )
    assert "     imgtool monitor -b 74880 --log boot.log" in run.out.splitlines()
    assert (result["speeds"][0]["sent"], result["speeds"][0]["heard"]) == (74880, 115200)


def test_noise_of_a_board_with_another_crystal(put: Put, imgtool: Command) -> None:
    put("boot.log", heard_at(RUNS, 115200, 74880))
    out = imgtool("explain", "boot.log").out

    assert "40 MHz crystal" in out
    assert "     imgtool monitor -b 115200 --log boot.log" in out.splitlines()


def test_the_rom_as_noise_in_front_of_a_firmware(put: Put, imgtool: Command) -> None:
    put(
        "boot.log",
        heard_at(RUNS, 74880, 115200) + b"\r\nHello, this is my sketch\r\nsensor ready, 21.5 degrees\r\n",
    )
    run = imgtool("explain", "boot.log")

    assert (run.code, "no failure that is known is here." in " ".join(run.out.split())) == (0, True)
    assert "Hello, this is my sketch" in run.out


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_fits_into_80_columns(put: Put, imgtool: Command, case: LogCase) -> None:
    put("boot.log", case.log.encode())
    lines = imgtool("explain", "boot.log").out.splitlines()

    assert [line for line in lines if len(line) > 80] == []


def test_json_of_noise(put: Put, imgtool: Command) -> None:
    put("boot.log", b"\xfe\x82\xe0" * 40)
    run = imgtool("explain", "--json", "boot.log")
    (result,) = json.loads(run.out)["results"]

    assert (run.code, result["verdict"], result["boots"]) == (3, "wrong-baud", [])
