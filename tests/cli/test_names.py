"""What commands name stands whole on one line: paths, ports and what else a user may copy."""

from __future__ import annotations

import io
import re
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from imgtool.cli.commands.board.ports import ports as list_the_ports
from imgtool.cli.show import progress, text
from imgtool.cli.show.monitor_view import ScreenView, Stamp
from imgtool.cli.show.progress import Progress
from imgtool.cli.show.text import Screen
from imgtool.device import port_list
from imgtool.device.events import Event
from imgtool.device.host_ports import PortInfo
from imgtool.device.port_errors import BusyPortError
from imgtool.engine.watching import Selection
from imgtool.operations.explain.crash_frames import Frame
from imgtool.operations.watching.notes import WatchNote
from tests.support import IMAGES, Command, aggregate

FOLDERS: Final = [
    ("a-folder", 80),
    ("My projects/sensor station - 2", 40),
    ("My projects/sensor station - 2", 80),
    ("build-output-of-a-firmware-for-the-garden-" * 3, 80),
    ("Проекты öffentlich ß/語 " * 2 + "ordner mit langem Namen/" * 4 + "und noch einem", 200),
    (r"C:\Users\Somebody\My Documents\Arduino\build\esp8266-generic_1-0", 60),
]


@pytest.fixture(params=FOLDERS, ids=lambda drawn: f"{len(drawn[0])}-in-{drawn[1]}")
def place(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, of a long name or on a narrow screen."""
    name, width = request.param
    monkeypatch.setattr(text, "_WIDTH", width)
    made: Path = folder / name
    made.mkdir(parents=True)
    for file, data in {
        "0x00000.bin": IMAGES["sample/0x00000.bin"],
        "0x10000.bin": IMAGES["sample/0x10000.bin"],
        "whole image.bin": aggregate("sample"),
        "dump of it.bin": IMAGES["generations/nodemcu-3-with-files.bin"],
        "app.elf": IMAGES["elf/app.elf"],
        "no image.txt": b"text",
        "empty.bin": b"",
    }.items():
        (made / file).write_bytes(data)
    return made


COMMANDS: Final = {
    "inspect": (["inspect", "{}/whole image.bin"], ["whole image.bin"]),
    "inspect-page": (
        ["inspect", "{}/0x00000.bin", "--html", "{}/the page.html"],
        ["0x00000.bin", "the page.html"],
    ),
    "inspect-missing": (["inspect", "{}/not there.bin"], ["not there.bin"]),
    "inspect-folder": (["inspect", "{}"], [""]),
    "merge": (
        ["merge", "{}/0x00000.bin", "{}/0x10000.bin", "-o", "{}/out file.bin"],
        ["0x00000.bin", "out file.bin"],
    ),
    "merge-overlap": (
        ["merge", "{}/0x00000.bin", "0x100", "{}/0x10000.bin", "-o", "x.bin"],
        ["0x00000.bin", "0x10000.bin"],
    ),
    "merge-onto-input": (["merge", "{}/whole image.bin", "-o", "{}/whole image.bin"], ["whole image.bin"]),
    "merge-empty": (["merge", "{}/empty.bin", "-o", "x.bin"], ["empty.bin"]),
    "split-extra": (["split", "{}/whole image.bin", "{}/and more"], ["and more"]),
    "split": (["split", "{}/whole image.bin", "-o", "{}/new parts"], ["new parts"]),
    "split-refused": (["split", "{}/no image.txt"], ["no image.txt"]),
    "fullimage": (
        ["fullimage", "--size", "1MB", "{}/whole image.bin", "-o", "{}/full image.bin"],
        ["whole image.bin", "full image.bin"],
    ),
    "compare": (
        ["compare", "{}/whole image.bin", "{}/dump of it.bin"],
        ["whole image.bin", "dump of it.bin"],
    ),
    "extract": (["extract", "{}/whole image.bin"], ["whole image.bin"]),
    "extract-part": (["extract", "{}/whole image.bin", "--part", "irom", "-o", "{}/irom 1"], ["irom 1"]),
    "extract-all": (["extract", "{}/whole image.bin", "-o", "{}/the parts"], ["the parts"]),
    "extract-files": (["extract", "{}/dump of it.bin", "--files", "-o", "{}/the files"], ["the files"]),
    "extract-refused": (["extract", "{}/whole image.bin", "--files"], ["whole image.bin"]),
    "patch": (
        ["patch", "{}/whole image.bin", "--mode", "dout", "-o", "{}/a b.bin"],
        ["whole image.bin", "a b.bin"],
    ),
    "build": (
        ["build", "{}/app.elf", "-o", "{}/built "],
        ["app.elf", "built 0x00000.bin", "built 0x10000.bin"],
    ),
    "advise": (["advise", "{}/dump of it.bin", "{}/whole image.bin"], ["dump of it.bin"]),
    "plan": (
        [
            "flash",
            "--dry-run",
            "--flash-size",
            "1MB",
            "{}/0x00000.bin",
            "{}/0x10000.bin",
            "@lfs",
            "{}/no image.txt",
        ],
        ["no image.txt"],
    ),
    "plan-of-a-pair": (
        ["flash", "--dry-run", "--flash-size", "1MB", "{}/0x00000.bin", "{}/0x10000.bin"],
        ["0x00000.bin", "0x10000.bin"],
    ),
    "plan-of-a-board": (
        ["flash", "--dry-run", "-p", "sim:1MB,flash={}/chip 1.bin", "{}/0x00000.bin", "{}/0x10000.bin"],
        ["0x00000.bin", "0x10000.bin"],
    ),
    "plans": (
        [
            "flash",
            "--dry-run",
            *("-p", "sim:1MB,flash={}/chip 1.bin"),
            *("-p", "sim:2MB,flash={}/2"),
            "{}/0x00000.bin",
        ],
        ["chip 1.bin", "2"],
    ),
    "no-chip": (["id", "-p", "sim:1MB,flsh={}/chip 1.bin"], ["chip 1.bin"]),
    "two-ports": (["id", "-p", "{}/tty 1", "-p", "{}/tty 2"], ["tty 1", "tty 2"]),
    "no-port": (["id", "-p", "{}/tty 1"], ["tty 1"]),
    "read": (["read", "0", "0x100", "-p", "sim:1MB", "-o", "{}/read back.bin"], ["read back.bin"]),
    "read-nowhere": (["read", "-p", "sim:1MB", "-o", "{}/no folder/x.bin"], ["no folder"]),
    "monitor": (["monitor", "-p", "sim:1MB,flash={}/chip 1.bin", "--seconds", "0.1"], ["chip 1.bin"]),
    "monitor-elf": (
        ["monitor", "-p", "sim:1MB", "--seconds", "1", "--elf", "{}/no image.txt"],
        ["no image.txt"],
    ),
    "explain": (["explain", "{}/no log"], ["no log"]),
    "arguments": (["@{}/no arguments"], ["no arguments"]),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_names_is_whole(place: Path, imgtool: Command, command: str) -> None:
    words, files = COMMANDS[command]
    run = imgtool(*(word.replace("{}", str(place)) for word in words))
    shown = run.out + run.err

    assert run.code in range(8), shown
    for file in files:
        assert any(f"{place}/{file}".rstrip("/") in line for line in shown.splitlines()), shown
    # Nor does it begin anywhere without going on.
    assert str(place)[:12] not in shown.replace(str(place), "")


def test_the_table_of_a_folder(place: Path, imgtool: Command) -> None:
    inner = place / "a folder - with a name" / "that is rather long and goes on for a while"
    inner.mkdir(parents=True)
    (inner / "cut image.bin").write_bytes(IMAGES["sample/0x00000.bin"][:2000])
    lines = imgtool("inspect", "-r", place).out.splitlines()

    assert str(place) in lines
    for path in place.rglob("*.*"):
        assert any(str(path.relative_to(place)) in line for line in lines)
    assert not any(line.strip().startswith("...") for line in lines)


# Ports, progress, crashes.


LONG_PORT: Final = "/dev/serial/by-id/usb-Silicon_Labs_CP2102 USB to UART Bridge Controller_0001-if00-port0"


def test_a_port_is_whole(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    broken = BusyPortError("in use by picocom (pid 812)", source=LONG_PORT)
    found = [
        PortInfo(
            path=LONG_PORT,
            adapter="CP2102",
            driver="cp210x",
            vid=0x10C4,
            pid=0xEA60,
            serial_number=None,
            product=None,
            likely=True,
            failure=broken,
        ),
        PortInfo(
            path="/dev/ttyUSB1",
            adapter="CH340",
            driver="ch341-uart",
            vid=0x1A86,
            pid=0x7523,
            serial_number=None,
            product=None,
            likely=True,
        ),
    ]
    monkeypatch.setattr(port_list, "list_ports", lambda: tuple(found))
    list_the_ports()

    assert capsys.readouterr().out.splitlines() == [
        "  port          adapter  USB id     driver",
        f"  {LONG_PORT}",
        "                CP2102   10c4:ea60  cp210x",
        "  /dev/ttyUSB1  CH340    1a86:7523  ch341-uart",
        "",
        LONG_PORT,
        "    cannot be opened: in use by picocom (pid 812)",
        "  cure  close the serial monitor or other program that has it open, or choose",
        "        another port",
    ]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What progress has written to a screen of 80 columns."""
    stream = io.StringIO()
    monkeypatch.setattr(progress, "stderr", lambda: Screen(stream, 80, colour=False))
    return stream


def test_lines_of_boards_have_their_names(told: io.StringIO) -> None:
    several = Progress([LONG_PORT, "COM3"])
    several.listener(LONG_PORT)(Event("write", 0, 4096))
    several.listener("COM3")(Event("retry", message="no answer"))
    several.end(LONG_PORT, "ok")

    assert told.getvalue().splitlines() == [
        f"{LONG_PORT}:",
        "writing 4,096 bytes",
        "COM3: trying again: no answer",
        f"{LONG_PORT}:",
        "ok",
    ]


def test_bars_of_boards_have_their_names(told: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_takes_pictures", lambda: True)
    monkeypatch.setattr(progress, "_REDRAW", 0.0)
    several = Progress([LONG_PORT, "COM3"])
    for done in (0, 1024, 2048):
        several.listener(LONG_PORT)(Event("write", done, 4096))
        several.listener("COM3")(Event("verify", done, 4096))

    first, second, third = on_terminal(told.getvalue(), 80)[0:3]
    assert first + second == LONG_PORT
    assert third.startswith("  writing       ######")
    assert on_terminal(told.getvalue(), 80)[3].startswith("COM3                  verifying     ")

    several.end(
        LONG_PORT, "there is no such port; those that are there: /dev/ttyUSB0, /dev/ttyUSB1, /dev/ttyUSB2"
    )
    assert "".join(on_terminal(told.getvalue(), 80)[2:4]).split()[-1] == "/dev/ttyUSB2"

    several.clear()
    assert on_terminal(told.getvalue(), 80) == [""]


def on_terminal(written: str, width: int) -> list[str]:
    """What a terminal of a width shows after these characters."""
    shown, row, column = [""], 0, 0
    for piece in re.findall(r"\x1b\[\d*[AJ]|.|\n", written):
        if piece == "\r":
            column = 0
        elif piece == "\x1b[J":
            shown[row:] = [shown[row][:column]]
        elif piece[0] == "\x1b":
            row -= int(piece[2:-1])
        else:
            if piece == "\n" or column == width:
                row, column = row + 1, 0
                shown += [""] * (row + 1 - len(shown))
            if piece != "\n":
                shown[row] = shown[row][:column] + piece + shown[row][column + 1 :]
                column += 1
    return shown


def test_the_place_in_the_source_of_a_crash_is_whole() -> None:
    stream = io.StringIO()
    out, stamp = Screen(stream, 80, colour=False), Stamp("", datetime.now().astimezone())
    shown = ScreenView(out, stamp, Selection(None, None))
    file = "/home/me/My libraries/a driver for sensors.cpp"
    frame = Frame(
        source="epc1",
        address=0x4020_1108,
        place="flash (irom)",
        function="Sensor::read<" + "T, " * 30 + ">",
        offset=8,
        file=file,
        line=12,
        called=True,
    )
    shown.show(WatchNote(1, "failure", "The firmware crashed.", frames=(frame,)))

    _, function, source = stream.getvalue().splitlines()
    assert len(function) == 80
    assert source == "-- imgtool:     My libraries/a driver for sensors.cpp:12"
