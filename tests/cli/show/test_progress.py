"""Progress: bars on a terminal, lines elsewhere, JSON for programs."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING

import pytest

from imgtool.cli.show import progress as module
from imgtool.cli.show.progress import Progress
from imgtool.cli.show.text import Screen
from imgtool.device.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable


class Ticks:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Stream(io.StringIO):
    """A stream with an encoding."""

    encoding = "utf-8"


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    made = Stream()
    monkeypatch.setattr(module, "stderr", lambda: Screen(made, 80, colour=False))
    return made


@pytest.fixture
def terminal(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The lines that are on the terminal now."""
    monkeypatch.setattr(module, "_takes_pictures", lambda: True)
    monkeypatch.setattr(module, "_REDRAW", 0.0)

    def shown() -> list[str]:
        return played(stream.getvalue())

    return shown


def played(text: str) -> list[str]:
    """What a terminal shows after these characters."""
    lines, row, column = [""], 0, 0
    for piece in re.findall(r"\x1b\[\d*[AJ]|\r|\n|[^\x1b\r\n]+", text):
        if piece == "\r":
            column = 0
        elif piece == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif piece.endswith("A") and piece[0] == "\x1b":
            row -= int(piece[2:-1] or 1)
        elif piece == "\x1b[J":
            lines[row] = lines[row][:column]
            del lines[row + 1 :]
        else:
            lines[row] = lines[row][:column] + piece
            column += len(piece)
    return lines


def test_bar_with_rate_and_time_left(terminal: Callable[[], list[str]]) -> None:
    clock = Ticks()
    progress = Progress(["port"])
    progress.clock("port", clock)
    listen = progress.listener("port")
    listen(Event("write", 0, 416_522))
    clock.sleep(2.0)
    listen(Event("write", 204_800, 416_522))

    (line,) = terminal()
    assert line.startswith("writing       ")
    assert line.endswith(" 49 %  204,800 of 416,522  100 KB/s  0:02 left")
    assert line.count("█") == pytest.approx(0.49 * (line.count("█") + line.count("░")), abs=1)
    assert len(line) < 80


@pytest.mark.parametrize("total", [1, 4096, 4_194_304, 16_777_216])
@pytest.mark.parametrize("seconds", [0.0, 0.3, 90.0, 5000.0])
def test_bar_fits(terminal: Callable[[], list[str]], total: int, seconds: float) -> None:
    clock = Ticks()
    progress = Progress(["port"])
    progress.clock("port", clock)
    listen = progress.listener("port")
    listen(Event("compare", 0, total))
    clock.sleep(seconds)
    listen(Event("compare", total // 3, total))

    assert len(terminal()[0]) < 80


def test_bar_goes_away(terminal: Callable[[], list[str]]) -> None:
    with Progress(["port"]) as progress:
        progress.listener("port")(Event("write", 1, 2))
        progress.note("something")
        assert [line[:9] for line in terminal()] == ["something", "writing  "]

    assert terminal() == ["something", ""]


def test_a_row_for_each_board(terminal: Callable[[], list[str]]) -> None:
    progress = Progress(["/dev/ttyUSB0", "/dev/ttyUSB1"])
    progress.listener("/dev/ttyUSB1")(Event("write", 1, 2))
    progress.listener("/dev/ttyUSB0")(Event("verify", 1, 4))
    progress.end("/dev/ttyUSB1", "ok")

    first, second = terminal()
    assert first.startswith("/dev/ttyUSB0          verifying  ")
    assert second == "/dev/ttyUSB1          ok"
    assert max(map(len, (first, second))) < 80


def test_lines_where_there_is_no_terminal(stream: Stream) -> None:
    clock = Ticks()
    progress = Progress(["port"])
    progress.clock("port", clock)
    listen = progress.listener("port")
    for done in range(0, 101, 10):
        listen(Event("write", done * 1000, 100_000))
        clock.sleep(3.0)
    listen(Event("retry", message="no answer"))
    listen(Event("verify", 0, 100_000))

    assert stream.getvalue().splitlines() == [
        "writing 100,000 bytes",
        "writing 100,000 bytes: 40 %",
        "writing 100,000 bytes: 80 %",
        "trying again: no answer",
        "verifying 100,000 bytes",
    ]


def test_what_is_waited_for_is_told_when_it_changes(stream: Stream) -> None:
    clock = Ticks()
    progress = Progress(["port"])
    progress.clock("port", clock)
    listen = progress.listener("port")
    for seconds in range(30):
        listen(Event("boot", seconds, message="waiting up to 2 s" if seconds < 2 else "waiting up to 60 s"))
        clock.sleep(1.0)

    assert stream.getvalue().splitlines() == ["waiting up to 2 s", "waiting up to 60 s"]


def test_what_is_waited_for_stands_behind_its_stage(terminal: Callable[[], list[str]]) -> None:
    listen = Progress(["port"]).listener("port")
    listen(Event("write", 100, 100))
    listen(Event("boot", message="waiting up to 2 s"))
    listen(Event("boot", 1, message="waiting up to 2 s"))

    assert terminal() == ["starting      waiting up to 2 s"]


def test_events(stream: Stream) -> None:
    progress = Progress(["a", "b"], events=True, silent=True)
    progress.listener("b")(Event("write", 1, 2, "so"))
    progress.end("b", "ok")

    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {"event": "write", "port": "b", "done": 1, "total": 2, "message": "so"},
        {"event": "end", "port": "b", "done": 0, "total": 0, "message": "ok"},
    ]


def test_silence(stream: Stream) -> None:
    progress = Progress(["a"], silent=True)
    progress.listener("a")(Event("write", 1, 2))
    progress.note("so")

    assert stream.getvalue() == ""


def test_stop(stream: Stream) -> None:
    progress = Progress(["a"])
    progress.stop()

    with pytest.raises(KeyboardInterrupt):
        progress.listener("a")(Event("write", 1, 2))
    assert stream.getvalue() == ""
