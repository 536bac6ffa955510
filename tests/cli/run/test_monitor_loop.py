"""The monitor's loop on a machine that stops it for seconds: those are no silence of the chip."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from imgtool.cli.input.keyboard import Lines
from imgtool.cli.input.typing_keys import Typing
from imgtool.cli.run.monitor_loop import Ended, MonitorPlan, MonitorRun
from imgtool.device.wire import Lines as WireLines
from imgtool.device.wire import Wire, WireTraits
from imgtool.operations.watching.stream import Watch, WatchLine, WatchNote

if TYPE_CHECKING:
    from imgtool.operations.watching.stream import WatchEvent

STALL: Final = 4.0  # seconds
BAUD: Final = 115200


class Board(Wire):
    """A port, its chip and the clock: each line is answered, and after each wait the machine stands still.

    Attributes:
        now: Seconds.
        coming: What the chip says, and when.
        heard: What has been read and written, in order.
    """

    def __init__(self, *coming: tuple[float, bytes]) -> None:
        self.name = "board"
        self.clock = self
        self.traits = WireTraits(lines=WireLines.NONE)
        self.now = 0.0
        self.coming = list(coming)
        self.heard: list[bytes] = []

    # The clock.

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    # The port.

    def set_baud(self, baud: int) -> None:
        assert baud == BAUD

    def set_lines(self, dtr: bool, rts: bool) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to close."""

    def read(self, size: int, timeout: float) -> bytes:
        waiting = b"".join(data for at, data in self.coming if at <= self.now)
        later = [(at, data) for at, data in self.coming if at > self.now]
        self.coming = [(self.now, waiting[size:]), *later] if waiting[size:] else later
        if waiting:
            self.heard.append(waiting[:size])
        if waiting or timeout:
            self.now += STALL
        return waiting[:size]

    def write(self, data: bytes) -> None:
        self.heard.append(data)
        self.coming.append((self.now + 0.2, b"answer\n"))


class Given(Lines):
    """Lines that are there at once."""

    def __init__(self, *lines: bytes) -> None:
        super().__init__(None)
        self._lines = list(lines)


class Shown:
    """A view that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[WatchEvent] = []

    def show(self, event: WatchEvent) -> None:
        self.events.append(event)

    def lines(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, WatchLine)]


@pytest.fixture
def shown() -> Shown:
    return Shown()


def run(board: Board, shown: Shown, watch: Watch | None = None, *lines: bytes, **plan: Any) -> Ended:  # noqa: ANN401 - those of MonitorPlan
    usual: dict[str, Any] = {
        "eol": b"\n",
        "reset": False,
        "reconnect": False,
        "seconds": None,
        "until": None,
        "until_eof": False,
        "paced": False,
        "log": lambda _: None,
    }
    monitor = MonitorRun(board, watch or Watch(BAUD), MonitorPlan(**(usual | plan)), [shown], None)
    return monitor.run(Given(*lines), Typing(b"\n", at_once=False), echo=False)


def test_a_line_is_sent_after_the_answer_to_the_one_before(shown: Shown) -> None:
    board = Board()

    assert run(board, shown, None, b"one", b"two", until_eof=True) is Ended.EOF
    assert board.heard == [b"one\n", b"answer\n", b"two\n", b"answer\n"]
    assert shown.lines() == ["answer", "answer"]


def test_a_chip_that_has_spoken_is_not_called_silent(shown: Shown) -> None:
    watch = Watch(BAUD)
    watch.restart(0.0)

    run(Board((1.0, b"hello\n")), shown, watch, seconds=3 * STALL)

    assert [event.kind for event in shown.events if isinstance(event, WatchNote)] == []
    assert shown.lines() == ["hello"]


def test_a_chip_that_is_silent_is_called_so(shown: Shown) -> None:
    watch = Watch(BAUD)
    watch.restart(0.0)

    run(Board(), shown, watch, seconds=3 * STALL)

    assert [event.kind for event in shown.events if isinstance(event, WatchNote)] == ["silence"]


def test_the_rest_of_the_last_line_is_waited_for(shown: Shown) -> None:
    board = Board((0.0, b"rea"), (0.05, b"dy now\nmore\n"), (3 * STALL, b"later\n"))

    assert run(board, shown, until=re.compile("rea")) is Ended.UNTIL
    assert shown.lines()[:1] == ["ready now"]
    assert "later" not in shown.lines()


def test_a_whole_line_ends_it_at_once(shown: Shown) -> None:
    board = Board((0.0, b"ready\n"), (0.05, b"more\n"))

    assert run(board, shown, until=re.compile("ready")) is Ended.UNTIL
    assert shown.lines() == ["ready"]


def test_what_came_before_the_end_is_shown(shown: Shown) -> None:
    board = Board((STALL + 0.5, b"late\n"), (3 * STALL, b"later\n"))

    assert run(board, shown, seconds=STALL + 1) is Ended.SECONDS
    assert shown.lines() == ["late"]
