"""The monitor's loop at a pipe: when a line of it is sent, and what its end is."""

from __future__ import annotations

from imgtool.cli.input.keyboard import Lines
from imgtool.cli.input.typing_keys import Typing
from imgtool.cli.run.monitor_loop import MonitorLoop
from imgtool.engine.jobs.monitor import Ended, Monitor, MonitorEvent, MonitorRequest
from imgtool.operations.watching.stream import WatchLine
from tests.engine.jobs.stalling import BAUD, STALL, Board


class Given(Lines):
    """Lines that are there at once."""

    def __init__(self, *lines: bytes) -> None:
        super().__init__(None)
        self._lines = list(lines)


class Shown:
    """A view that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[MonitorEvent] = []

    def show(self, event: MonitorEvent) -> None:
        self.events.append(event)


def run(monitor: Monitor, *lines: bytes, until_eof: bool = True) -> list[str]:
    """The lines that were shown."""
    shown = Shown()
    MonitorLoop(
        monitor=monitor,
        views=[shown],
        screen=None,
        source=Given(*lines),
        typing=Typing(b"\n"),
        eol=b"\n",
        until_eof=until_eof,
    ).run()
    return [event.text for event in shown.events if isinstance(event, WatchLine)]


def test_a_line_is_sent_after_the_answer_to_the_one_before() -> None:
    board = Board()
    monitor = Monitor(board, MonitorRequest(baud=BAUD, reset=False))

    assert run(monitor, b"one", b"two") == ["answer", "answer"]
    assert board.heard == [b"one\n", b"answer\n", b"two\n", b"answer\n"]
    assert monitor.result().ended is Ended.EOF


def test_the_end_of_the_pipe_is_none_of_the_monitor() -> None:
    monitor = Monitor(Board(), MonitorRequest(baud=BAUD, reset=False, seconds=5 * STALL))

    assert run(monitor, b"one", until_eof=False) == ["answer"]
    assert monitor.result().ended is Ended.SECONDS
