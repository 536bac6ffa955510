"""``imgtool flash @init-data v05`` and ``verify`` on virtual boards: written alone, compared, refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from imgtool.chip import SECTOR
from tests.support import IMAGES, Command, Put, aggregate, over

if TYPE_CHECKING:
    from pathlib import Path

ROM: Final = ("--stub", "none")
OWN: Final = ("--stub", "imgtool")  # to read a whole firmware takes the ROM loader minutes
MEGA: Final = 1 << 20
V05: Final = IMAGES["init-data/v05.bin"]
V08: Final = IMAGES["init-data/v08.bin"]
BLANK: Final = b"\xff" * SECTOR
NODEMCU_1M: Final = over(b"\xff" * MEGA, [(0, aggregate("sample"))])
NODEMCU_4M: Final = IMAGES["dumps/nodemcu-2.2-4m.bin"]
NODEMCU_3: Final = IMAGES["dumps/nodemcu-3-used-4m.bin"]
TOO_LARGE: Final = IMAGES["dumps/cut-4m-header.bin"]

pytestmark = pytest.mark.usefixtures("no_port_set")


def told(text: str) -> str:
    """The words of a message, however its lines are broken."""
    return " ".join(text.split())


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


WRITTEN: Final = {
    "NodeMCU 2 on 1 MB": ("v05", "1MB", NODEMCU_1M, 0xFC000, 0xFB000),
    "NodeMCU 2 on 4 MB": ("v08", "4MB", NODEMCU_4M, 0x3FC000, 0x3FB000),
    "NodeMCU 2 on 4 MB, its default": ("default", "4MB", NODEMCU_4M, 0x3FC000, 0x3FB000),
    "NodeMCU 3": ("v08", "4MB", NODEMCU_3, 0xF000, 0xD000),
    "NodeMCU 3, its default": ("default", "4MB", NODEMCU_3, 0xF000, 0xD000),
}
USUAL: Final = ("NodeMCU 2 on 1 MB", "NodeMCU 3, its default")


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case in USUAL else pytest.mark.long) for case in WRITTEN]
)
def test_written_alone(put: Put, imgtool: Command, case: str) -> None:
    word, size, flash, place, calibration = WRITTEN[case]
    board = put("f.bin", over(flash, [(place, BLANK)]))
    port = ("-p", f"sim:{size},flash=f.bin", *(OWN if word == "default" else ROM))
    run = imgtool("flash", "@init-data", word, *port, "--verify", "readback")

    content = V08 if word == "v08" else V05
    wanted = over(flash, [(place, content + BLANK[128:]), (calibration, BLANK)])
    assert (run.code, board.read_bytes() == wanted) == (0, True), run.err
    assert "written and verified" in run.out
    assert run.out.splitlines()[-1] == "boot: NodeMCU runs; nothing in this log is wrong."


def test_what_a_person_sees(put: Put, imgtool: Command) -> None:
    put("f.bin", NODEMCU_4M)
    run = imgtool("flash", "@init-data", "v08", "-p", "sim:4MB,flash=f.bin", *ROM, "--dry-run")

    assert run.code == 0
    assert run.out.splitlines() == [
        "blank RF calibration, init data v08",
        "  chip   ESP8266EX, MAC 18:fe:34:a1:b2:c3, crystal 26 MHz",
        "  flash  GigaDevice GD25Q32 (c8 4016), 4 MB",
        "  stub   none: the ROM loader, at 921,600 baud",
        "  time   about 0.1 s, if nothing of it is there already",
        "",
        "  address    size         what",
        "  0x3fb000  4,096  erase  blank RF calibration",
        "  0x3fc000  4,096  write  init data v08",
        "",
        "  change  RF calibration at 0x3fb000 is erased, as the init data is new",
        "  change  init data v08 goes to 0x3fc000, the place of @init-data",
        "",
        "  warning  0x3fc000  settings overwritten: 4,096 bytes of init data of the",
        "                     board's own at 0x3fc000 are written over",
        "  note       imgtool advise says more of this upgrade, and writes nothing: Lua,",
        "             modules, changes of API",
    ]


def test_a_dry_run_writes_nothing(put: Put, imgtool: Command) -> None:
    board = put("f.bin", NODEMCU_4M)
    run = imgtool("flash", "@init-data", "default", "-p", "sim:4MB,flash=f.bin", *OWN, "--dry-run", "--json")

    plan = json.loads(run.out)["results"][0]["plan"]
    assert "init data default is v05: NodeMCU 2.2 is on the device" in plan["changes"]
    assert (run.code, board.read_bytes() == NODEMCU_4M) == (0, True)


BLANK_FLASH: Final = [
    "error: no image stands at 0, so nothing tells where init-data is at offset",
    "       0x00000 (expected 0xe9, found 0xff)",
    "hint:  imgtool flash FIRMWARE writes one, and the init data that it needs",
]
ARDUINO: Final = [
    "error: an Arduino firmware is on the device: it has its init data compiled in,",
    "       and reads none from the flash",
    "hint:  there is nothing to write; what stands in the flash is not read",
]
LARGER: Final = [
    "error: the image header on the device states more flash than there is: nothing",
    "       tells where things are at offset 0x00003 (expected at most 1,048,576",
    "       bytes, found 4,194,304 bytes)",
    "hint:  imgtool flash FIRMWARE writes the firmware again, and a size into its",
    "       header that chip and firmware can use",
]


REFUSED: Final = {
    "blank": ("sim:4MB,flash=f.bin", b"\xff" * 4 * MEGA, BLANK_FLASH),
    "Arduino": ("sim:4MB,flash=f.bin", IMAGES["dumps/arduino-4m.bin"], ARDUINO),
    "header larger than the chip": ("sim:1MB,flash=f.bin", IMAGES["dumps/cut-4m-header.bin"], LARGER),
}


@pytest.mark.parametrize("command", ["flash", "verify"])
@pytest.mark.parametrize("word", ["v05", "default"])
@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_cure_and_nothing_written(
    put: Put, imgtool: Command, case: str, word: str, command: str
) -> None:
    port, flash, message = REFUSED[case]
    board = put("f.bin", flash)
    run = imgtool(command, "@init-data", word, "-p", port, *ROM)

    lines = run.err.splitlines()
    assert (run.code, lines[lines.index(message[0]) :]) == (4, message)
    assert board.read_bytes() == flash


def test_the_word_wins_over_a_file_of_that_name(put: Put, imgtool: Command) -> None:
    board = put("f.bin", NODEMCU_4M)
    put("v05", V08)
    port = ("-p", "sim:4MB,flash=f.bin", *ROM, "--no-boot-check")

    assert imgtool("flash", "@init-data", "v05", *port).code == 0
    assert board.read_bytes()[0x3FC000:0x3FC080] == V05
    assert imgtool("flash", "@init-data", "./v05", *port).code == 0
    assert board.read_bytes()[0x3FC000:0x3FC080] == V08
    assert imgtool("flash", "@init-data:v05", *port).code == 0
    assert board.read_bytes()[0x3FC000:0x3FC080] == V05
    assert imgtool("flash", "0x3fc000", "v05", *port).code == 0  # at an address it is a file
    assert board.read_bytes()[0x3FC000:0x3FC080] == V08


def test_the_help_says_so(imgtool: Command) -> None:
    help_of_flash = told(imgtool("flash", "--help").out)

    assert "@init-data v05, v08 or default (what the firmware needs) needs no file; ./v05" in help_of_flash


def test_fields_are_set(put: Put, imgtool: Command) -> None:
    board = put("f.bin", NODEMCU_4M)
    port = ("-p", "sim:4MB,flash=f.bin", *ROM, "--no-boot-check")
    run = imgtool("flash", "@init-data", "v05", "--set", "vdd33_const=33", *port)

    assert (run.code, board.read_bytes()[0x3FC000:0x3FC080]) == (0, over(V05, [(107, b"\x21")]))
    assert imgtool("flash", "@init-data", "v05", "--set", "vdd=33", *port).code == 2


@pytest.mark.parametrize(
    "words",
    [
        ["@init-data", "v08", "--init-data", "v05"],
        ["@init-data", "v08", "@init-data", "v05"],
        ["@init-data", "f.bin", "--init-data", "v05"],
        ["@init-data", "f.bin", "@init-data", "v05"],
    ],
    ids=" ".join,
)
def test_given_twice(put: Put, imgtool: Command, words: list[str]) -> None:
    put("f.bin", NODEMCU_4M)
    run = imgtool("flash", *words, "-p", "sim:4MB,flash=f.bin", *ROM)

    assert (run.code, "init data is given twice" in run.err) == (2, True)


def test_no_board_no_place(imgtool: Command) -> None:
    run = imgtool("flash", "@init-data", "v05", "--dry-run", "-fs", "4MB")

    assert (run.code, "cannot be asked where the named places are" in told(run.err)) == (4, True)


def test_verify(put: Put, imgtool: Command) -> None:
    # The firmware has calibrated anew since: that is not compared.
    put("f.bin", over(NODEMCU_3, [(0xF000, V05), (0xD000, b"\0\0\xff\0 calibration")]))
    port = ("-p", "sim:4MB,flash=f.bin", *ROM)

    for word, more, code in (("v05", (), 0), ("default", ("-fs", "keep"), 0), ("v08", (), 1)):
        assert imgtool("verify", "@init-data", word, *port, *more).code == code


def test_the_words_mean_the_same_to_other_commands(imgtool: Command, pair: Path) -> None:
    run = imgtool("merge", "0x00000.bin", "0x10000.bin", "@init-data", "v08", "-fs", "1MB", "-o", "out.bin")
    by_board = imgtool("merge", "0x00000.bin", "0x10000.bin", "@init-data", "default", "-o", "out.bin")

    assert (run.code, (pair / "out.bin").read_bytes()[0xFC000:0xFC080]) == (0, V08)
    assert (by_board.code, "no board is asked" in told(by_board.err)) == (2, True)


def test_by_a_stub_it_is_verified_and_then_nothing_is_left_to_do(put: Put, imgtool: Command) -> None:
    board = put("f.bin", NODEMCU_4M)
    command = ("flash", "@init-data", "v08", "-p", "sim:4MB,flash=f.bin", "--no-boot-check")
    first, second = imgtool(*command), imgtool(*command)

    assert (first.code, "written and verified: 8,192 bytes" in first.out) == (0, True)
    assert (second.code, "nothing to write" in second.out) == (0, True)
    assert board.read_bytes() == over(NODEMCU_4M, [(0x3FC000, V08 + BLANK[128:]), (0x3FB000, BLANK)])
