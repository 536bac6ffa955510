"""``imgtool monitor`` on virtual chips, and what it shows."""

from __future__ import annotations

import io
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from imgtool.cli.show.monitor_view import ScreenView, Stamp
from imgtool.cli.show.text import Screen
from imgtool.engine.boot_logs import explain
from imgtool.engine.watching import Selection, harmless
from imgtool.operations.explain.crash_frames import Frame
from imgtool.operations.watching.stream import WatchLine, WatchNote, WatchText
from tests.support import Command, Put, flash_512k
from tests.terminal import terminal

PORT = "sim:512KB,flash=f.bin"
TIMED = ("--seconds", "2")


pytestmark = pytest.mark.usefixtures("no_port_set")


@pytest.fixture
def board(put: Put) -> Path:
    """The flash of a board with NodeMCU on it."""
    return put("f.bin", flash_512k())


def words(*texts: str) -> list[str]:
    return [f"-- imgtool: {text}" for text in texts]


def result(out: str) -> dict[str, Any]:
    document = json.loads(out)
    assert document["command"] == "monitor"
    fields: dict[str, Any] = document["results"][0]
    return fields


# Virtual chips.


def test_a_boot_with_notes(board: Path, imgtool: Command) -> None:
    run = imgtool("monitor", "-p", PORT, *TIMED)
    shown = run.out.splitlines()

    assert (run.code, run.err) == (0, "")
    assert board.exists()
    assert shown[:4] == [
        *words(f"{PORT}, 74880 baud, then the chip's own"),
        "",
        " ets Jan  8 2013,rst cause:2, boot mode:(3,6)",
        *words("external reset; boot from flash"),
    ]
    assert "load 0x40100000, len 24576, room 16 " in shown
    assert words("unreadable at 74880 baud: now 115200")[0] in shown
    assert shown[-2].endswith("powered by Lua 5.1.4 on SDK 2.2.1(6ab97e9)")
    assert shown[-1:] == words("NodeMCU runs")


@pytest.mark.usefixtures("board")
def test_without_notes_and_at_one_speed(imgtool: Command) -> None:
    run = imgtool("monitor", "-p", PORT, *TIMED, "--no-notes", "-b", "115200")

    assert run.out.count("-- imgtool:") == 1
    assert run.out.splitlines()[-1].startswith("NodeMCU 2.2.0 build 20190301 powered by Lua 5.1.4")


def test_a_failure_has_its_first_cure(imgtool: Command) -> None:
    run = imgtool("monitor", "-p", "sim:512KB", *TIMED)

    assert run.out.splitlines()[-5:] == [
        "ets_main.c ",
        *words(
            "There is no image at flash address 0.",
            "See what the flash holds at 0.",
            "  imgtool read 0 0x10000 -o head.bin",
            "  imgtool inspect head.bin",
        ),
    ]


def test_no_reset_leaves_the_chip_where_it_is(imgtool: Command) -> None:
    out = imgtool("monitor", "-p", "sim:512KB", *TIMED, "--no-reset").out

    assert out.count("rst cause") == 1
    assert words("power on; download over UART")[0] in out.splitlines()


@pytest.mark.usefixtures("board")
def test_until_a_line_matches(imgtool: Command) -> None:
    seen = imgtool("monitor", "-p", PORT, *TIMED, "--until", r"csum 0x[0-9a-f]{2}")
    missed = imgtool("monitor", "-p", PORT, *TIMED, "--until", "no such words")

    assert (seen.code, seen.out.splitlines()[-1]) == (0, "csum 0xfe")
    assert (missed.code, missed.out.splitlines()[-1]) == (1, "-- imgtool: no line matched no such words")


@pytest.mark.usefixtures("board")
def test_filters(imgtool: Command) -> None:
    out = imgtool("monitor", "-p", PORT, *TIMED, "--filter", "load|csum", "--exclude", "0x3ffe").out

    assert [line for line in out.splitlines() if not line.startswith("-- imgtool")] == [
        "load 0x40100000, len 24576, room 16 ",
        "csum 0xfe",
    ]
    assert words("external reset; boot from flash")[0] in out


@pytest.mark.usefixtures("board")
@pytest.mark.parametrize(
    ("form", "pattern"), [("elapsed", r"\[ {5}0\.\d{3}\] csum"), ("clock", r"\[\d\d:\d\d:\d\d\.\d{3}\] csum")]
)
def test_timestamps(imgtool: Command, form: str, pattern: str) -> None:
    out = imgtool("monitor", "-p", PORT, *TIMED, "--timestamps", form).out

    assert re.search(f"^{pattern}", out, re.MULTILINE)
    assert explain(out).boots


@pytest.mark.usefixtures("board")
def test_the_log_has_the_bytes_and_is_never_overwritten(imgtool: Command, folder: Path) -> None:
    log = folder / "boot.log"
    log.write_bytes(b"before\n")
    fields = result(imgtool("monitor", "-p", PORT, *TIMED, "--log", "boot.log", "--json").out)
    data = log.read_bytes().removeprefix(b"before\n")

    assert (len(data), fields["log"]) == (fields["bytes"], "boot.log")
    assert data.startswith(b"\r\n ets Jan  8 2013,rst cause:2, boot mode:(3,6)\r\n\r\nload 0x40100000, ")
    assert explain(data).boots[0].segments[0].length == 24576


@pytest.mark.usefixtures("board")
def test_json(imgtool: Command) -> None:
    run = imgtool("monitor", "-p", PORT, *TIMED, "--json", "--until", "csum")
    fields = result(run.out)

    assert (run.code, run.err) == (0, "")
    assert {name: fields[name] for name in ("port", "baud", "ended", "log")} == {
        "port": PORT,
        "baud": 74880,
        "ended": "until",
        "log": None,
    }
    assert fields["lines"][-1]["text"] == "csum 0xfe"
    assert [(note["kind"], note["text"]) for note in fields["notes"]] == [
        ("boot", "external reset; boot from flash")
    ]
    assert json.loads(imgtool("monitor", "-p", PORT, *TIMED, "--json", "--until", "never").out)["ok"] is False


def test_a_failure_in_json(imgtool: Command) -> None:
    note = result(imgtool("monitor", "-p", "sim:512KB", *TIMED, "--json").out)["notes"][-1]

    assert (note["kind"], note["verdict"]) == ("failure", "no-image")
    assert note["cure"]["commands"][0] == "imgtool read 0 0x10000 -o head.bin"


@pytest.mark.usefixtures("board")
def test_events(imgtool: Command) -> None:
    run = imgtool("monitor", "-p", PORT, *TIMED, "--events")
    events = [json.loads(line) for line in run.err.splitlines()]

    assert {event["event"] for event in events} == {"line", "note", "speed"}
    assert [event["baud"] for event in events if event["event"] == "speed"] == [115200]
    assert {event["port"] for event in events} == {PORT}
    assert "csum 0xfe" in run.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["-b", "0"],
        ["-b", "fast"],
        ["-b", "99999999"],
        ["--seconds", "0"],
        ["--seconds", "-1"],
        ["--timestamps", "iso"],
        ["--eol", "nl"],
        ["--filter", "("],
        ["--until", "*"],
        ["--json"],
        ["--log", "."],
        ["--log", "no/folder/x.log"],
        ["-p", "sim:5MB"],
    ],
    ids=" ".join,
)
def test_usage(imgtool: Command, arguments: list[str]) -> None:
    port = [] if "-p" in arguments else ["-p", "sim:512KB"]
    run = imgtool("monitor", *port, *arguments)

    assert (run.code, run.out) == (2, "")
    assert run.err.startswith("error: " if "--json" not in arguments else "{")


def test_a_port_that_is_not_there(imgtool: Command) -> None:
    assert imgtool("monitor", "-p", "/dev/no-such-port", *TIMED).code == 5
    assert imgtool("monitor", "-p", "socket://127.0.0.1:1", *TIMED).code == 5


def test_upload_speeds_do_not_count(imgtool: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGTOOL_BAUD", "921600")
    monkeypatch.setenv("IMGTOOL_PORT", "sim:512KB")

    assert "sim:512KB, 74880 baud" in imgtool("monitor", *TIMED).out


@pytest.mark.usefixtures("board")
def test_a_lost_port_comes_back_and_the_log_goes_on(imgtool: Command, folder: Path) -> None:
    run = imgtool("monitor", "-p", f"{PORT},fault=gone=out:300:2s", "--seconds", "5", "--log", "boot.log")

    assert run.code == 0
    assert [line for line in run.out.splitlines() if "port is" in line] == words(
        "the port is lost; waiting for it to come back", "the port is back"
    )
    assert (folder / "boot.log").read_bytes().count(b"rst cause") == 2


@pytest.mark.usefixtures("board")
def test_a_lost_port_ends_it_where_that_is_wanted(imgtool: Command) -> None:
    run = imgtool("monitor", "-p", f"{PORT},fault=gone=out:300:2s", *TIMED, "--no-reconnect")

    assert run.code == 5
    assert "the port is lost" in run.err


@pytest.mark.usefixtures("board")
def test_a_lost_port_is_not_waited_for_longer_than_the_time(imgtool: Command) -> None:
    run = imgtool("monitor", "-p", f"{PORT},fault=gone=out:100:60s", *TIMED, "--until", "csum")

    assert (run.code, run.out.splitlines()[-2]) == (
        1,
        words("the port is lost; waiting for it to come back")[0],
    )


def test_the_help_fits(imgtool: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = imgtool("monitor", "--help").out

    assert [line for line in out.splitlines() if len(line) > 80 or "\u2026" in line] == []
    assert "Example: imgtool monitor" in out


# What is shown.


def view(**options: Any) -> tuple[ScreenView, io.StringIO]:  # noqa: ANN401 - those of two classes
    stream = io.StringIO()
    selection = Selection(*(options.pop(name, None) for name in ("only", "but")))
    stamp = Stamp(options.pop("stamp", ""), datetime(2026, 1, 2, 3, 4, 5, 678900).astimezone())
    return ScreenView(Screen(stream, 80, colour=False), stamp, selection, **options), stream


def test_nothing_of_the_device_drives_the_terminal() -> None:
    shown, stream = view()
    evil = "\x1b]0;title\x07\x1b[2J\x9b1m\u202etxt\u2066\b\b\r\x7f\u200b"
    shown.show(WatchText(1, 0, evil))
    shown.show(WatchLine(1, 0, evil, b""))

    assert stream.getvalue() == harmless(evil) + "\n"
    assert stream.getvalue().startswith("\\x1b]0;title\\x07\\x1b[2J\\x9b1m\\u202etxt\\u2066\\x08")
    assert re.search("[^ -~\n]", stream.getvalue()) is None
    assert harmless("a\tb \u00e9\u4f60") == "a\tb \u00e9\u4f60"


def test_functions_of_a_crash_fit_the_screen() -> None:
    shown, out = view()
    frames = (
        Frame(
            source="epc1",
            address=0x4020_1108,
            place="flash (irom)",
            function="Sensor::read",
            offset=8,
            file="/home/me/src/sensor.cpp",
            line=12,
            called=True,
        ),
        Frame("stack", 0x4020_1204, "flash (irom)", "_Z" + "x" * 200, 4),
    )
    shown.show(WatchNote(1, "failure", "The firmware crashed.", frames=frames))

    first, second, third = out.getvalue().splitlines()
    assert first == "-- imgtool: The firmware crashed."
    assert second == "-- imgtool:   epc1   0x40201108  Sensor::read+0x8, src/sensor.cpp:12"
    assert len(third) == 80


def test_elf_files_are_read_before_the_port_is_opened(imgtool: Command, put: Put) -> None:
    run = imgtool("monitor", "-p", "sim:512KB", *TIMED, "--elf", str(put("x.elf", b"text")))

    assert run.code == 3
    assert "x.elf" in run.err


def test_raw_lets_colours_through() -> None:
    shown, stream = view(raw=True)
    shown.show(WatchLine(1, 0, "\x1b[31mred\x1b[0m", b""))

    assert stream.getvalue() == "\x1b[31mred\x1b[0m\n"


def test_a_prompt_is_shown_at_once_and_again_behind_a_note() -> None:
    shown, stream = view()
    shown.show(WatchText(1, 0, ">"))
    shown.show(WatchText(1, 0, "> "))
    assert stream.getvalue() == "> "
    shown.show(WatchNote(0, "boot", "power on"))
    shown.show(WatchLine(1, 0, "> x", b""))

    assert stream.getvalue() == "> \n-- imgtool: power on\n> x\n"


@pytest.mark.parametrize("options", [{"live": False}, {"only": re.compile("x")}, {"but": re.compile("y")}])
def test_only_whole_lines(options: dict[str, Any]) -> None:
    shown, stream = view(**options)
    shown.show(WatchText(1, 0, "> "))
    assert stream.getvalue() == ""
    shown.show(WatchLine(1, 0, "> x", b""))
    shown.close()

    assert stream.getvalue() == "> x\n"


def test_a_draft_stays_behind_what_comes() -> None:
    shown, stream = view()
    shown.show(WatchText(1, 0, "> "))
    shown.draft("prin")
    shown.draft("print(")
    assert terminal(stream.getvalue()) == ["> print("]
    shown.show(WatchNote(0, "boot", "power on"))
    shown.show(WatchText(1, 0, "> tick"))
    shown.draft("pri")
    assert terminal(stream.getvalue()) == [">", "-- imgtool: power on", "> tickpri"]
    shown.echo("sent")
    shown.draft("")
    shown.close()

    assert terminal(stream.getvalue()) == [">", "-- imgtool: power on", "> tick", "sent", "> tick", ""]


def test_a_long_draft_stays_on_its_row() -> None:
    shown, stream = view()
    shown.show(WatchText(1, 0, "> "))
    shown.draft("x" * 100 + "end")

    assert len(terminal(stream.getvalue())[0]) == 79
    assert stream.getvalue().endswith("end")


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("漢字x", 5), ("e\u0301", 1)])
def test_a_draft_is_rubbed_out_by_its_columns(text: str, columns: int) -> None:
    shown, stream = view()
    shown.draft(text)
    shown.draft("")

    assert stream.getvalue() == text + "\b" * columns + " " * columns + "\b" * columns


def test_stamps() -> None:
    shown, stream = view(stamp="clock")
    shown.show(WatchText(1, 0.5, "a"))
    shown.show(WatchLine(1, 0.5, "ab", b""))

    assert stream.getvalue() == "[03:04:06.178] ab\n"
