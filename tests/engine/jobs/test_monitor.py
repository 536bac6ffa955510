"""The job ``monitor``: stepped by its owner, on virtual chips and on a port that is made up."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from imgtool.device.wire import Lines
from imgtool.engine.jobs.monitor import (
    Ended,
    Monitor,
    MonitorEnd,
    MonitorEvent,
    MonitorRequest,
    PortChange,
)
from imgtool.engine.watching import Selection, pattern_of
from imgtool.errors import PortError, UsageError
from imgtool.operations.watching.stream import WatchLine, WatchNote, WatchSpeed, WatchText
from tests.engine.jobs.boards import board, is_open
from tests.engine.jobs.stalling import BAUD, STALL, Board
from tests.support import Command, Put, flash_512k

AT_ONE_SPEED = MonitorRequest(baud=BAUD, reset=False)


def run(monitor: Monitor) -> list[MonitorEvent]:
    """All that happens until it is over."""
    events: list[MonitorEvent] = []
    while not monitor.over:
        events += monitor.step()
    return events


def lines(events: list[MonitorEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, WatchLine)]


def notes(events: list[MonitorEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, WatchNote)]


# On virtual chips.


@pytest.mark.usefixtures("no_port_set")
def test_the_command_prints_the_document(imgtool: Command, put: Put, folder: Path) -> None:
    put("f.bin", flash_512k())
    words = ("--json", "--seconds", "2", "--filter", "load|csum", "--until", "csum", "--log", "l.log")
    printed = json.loads(imgtool("monitor", "-p", "sim:512KB,flash=f.bin", *words).out)
    kept: list[bytes] = []
    request = MonitorRequest(
        seconds=2, until=re.compile("csum"), selection=Selection(re.compile("load|csum")), log="l.log"
    )
    monitor = Monitor(board(flash_512k()), request, kept.append)
    run(monitor)
    result = monitor.result()

    for document in (printed, result.document):
        assert document["results"][0].pop("port").startswith("sim:")
    assert printed == result.document
    assert (result.ok, result.code, result.ended) == (True, 0, Ended.UNTIL)
    assert b"".join(kept) == (folder / "l.log").read_bytes()
    assert result.size == len(b"".join(kept))


def test_a_boot() -> None:
    wire = board(flash_512k())
    monitor = Monitor(wire, MonitorRequest(seconds=2))

    assert monitor.opening == f"{wire.name}, 74880 baud, then the chip's own"
    events = run(monitor)
    assert "csum 0xfe" in lines(events)
    assert [event.baud for event in events if isinstance(event, WatchSpeed)] == [115_200]
    assert "external reset; boot from flash" in notes(events)
    assert isinstance(events[-1], MonitorEnd)
    assert events[-1].how is Ended.SECONDS
    assert (monitor.step(), monitor.send(b"x"), monitor.reset()) == ([], [], [])
    assert (monitor.result().baud, monitor.result().words.verdict) == (115_200, "the time is over")
    assert is_open(wire)


def test_resets_by_hand_and_a_speed_that_stays() -> None:
    monitor = Monitor(board(), MonitorRequest(reset=False))
    monitor.step()
    events = monitor.loader()
    for _ in range(20):
        events += monitor.step()
    assert [note for note in notes(events) if note.startswith("reset")] == ["reset into the ROM loader"]
    assert any("download over UART" in note for note in notes(events))
    assert notes(monitor.next_speed()) == ["115200 baud from here on"]
    events = monitor.reset()
    for _ in range(20):
        events += monitor.step()
    assert "reset" in notes(events)
    assert (monitor.baud, monitor.result().ended) == (115_200, Ended.KEY)


def test_a_port_that_is_lost_comes_back() -> None:
    monitor = Monitor(board(flash_512k(), "512KB", "fault=gone=out:300:2s"), MonitorRequest(seconds=5))
    events: list[MonitorEvent] = []
    while not monitor.lost:
        events += monitor.step()
    assert events[-1] == WatchNote(monitor.now, "port", "the port is lost; waiting for it to come back")
    # Nothing is done with it until then.
    assert (monitor.send(b"x"), monitor.reset(), monitor.next_speed(), monitor.ready) == ([], [], [], False)
    events += run(monitor)

    assert [event.there for event in events if isinstance(event, PortChange)] == [False, True]
    assert "the port is back" in notes(events)
    assert monitor.result().ended is Ended.SECONDS


def test_a_lost_port_ends_it_where_that_is_wanted() -> None:
    wire = board(flash_512k(), "512KB", "fault=gone=out:300:2s")
    monitor = Monitor(wire, MonitorRequest(seconds=5, reconnect=False))

    with pytest.raises(PortError):
        run(monitor)
    assert not monitor.result().words.verdict.startswith("the time")


# On a port that is made up.


def test_what_is_sent_and_what_is_kept() -> None:
    port = Board()
    monitor = Monitor(port, MonitorRequest(baud=BAUD, reset=False, keep=False))
    # It has only begun; then the chip has been quiet for a while.
    assert [(monitor.step(), monitor.ready) for _ in range(2)] == [([], False), ([], True)]
    monitor.send(b"one\n")
    assert not monitor.calm
    assert lines([*monitor.step(), *monitor.step()]) == ["answer"]
    monitor.end(Ended.EOF)
    monitor.end()
    events = monitor.step()

    assert port.heard == [b"one\n", b"answer\n"]
    assert events == [MonitorEnd(monitor.now, Ended.EOF)]
    (fields,) = monitor.result().document["results"]
    assert (fields["ended"], fields["lines"], fields["notes"]) == ("eof", [], [])


def test_what_is_written_to_a_port_that_is_lost_is_told() -> None:
    port = Board()
    monitor = Monitor(port, AT_ONE_SPEED)
    monitor.step()
    port.gone = True
    events = monitor.send(b"one\n")

    assert [type(event) for event in events] == [PortChange, WatchNote]
    assert monitor.lost
    # It has no way to be opened again.
    with pytest.raises(PortError):
        run(monitor)


def test_a_chip_that_has_spoken_is_not_called_silent() -> None:
    port = Board((1.0, b"hello\n"), lines=Lines.APART)
    events = run(Monitor(port, MonitorRequest(baud=BAUD, seconds=3 * STALL)))

    assert (lines(events), notes(events)) == (["hello"], [])


def test_a_chip_that_is_silent_is_called_so() -> None:
    events = run(Monitor(Board(lines=Lines.APART), MonitorRequest(baud=BAUD, seconds=3 * STALL)))

    assert notes(events) == ["nothing has come since the reset"]


def test_without_lines_a_reset_is_by_hand() -> None:
    events = run(Monitor(Board(), MonitorRequest(baud=BAUD, seconds=1)))

    assert notes(events) == ["DTR and RTS do not reach the chip by this port: reset it by hand"]


def test_the_rest_of_the_last_line_is_waited_for() -> None:
    port = Board((0.0, b"rea"), (0.05, b"dy now\nmore\n"), (3 * STALL, b"later\n"))
    monitor = Monitor(port, MonitorRequest(baud=BAUD, reset=False, until=re.compile("rea")))
    events = run(monitor)

    assert monitor.result().ended is Ended.UNTIL
    assert lines(events)[:1] == ["ready now"]
    assert "later" not in lines(events)


def test_a_whole_line_ends_it_at_once() -> None:
    port = Board((0.0, b"ready\n"), (0.05, b"more\n"))
    monitor = Monitor(port, MonitorRequest(baud=BAUD, reset=False, until=re.compile("ready")))

    assert lines(run(monitor)) == ["ready"]
    assert monitor.result().words.verdict == "a line matched ready"


def test_what_came_before_the_end_is_told() -> None:
    port = Board((STALL + 0.5, b"late\n"), (3 * STALL, b"later\n"))
    request = MonitorRequest(baud=BAUD, reset=False, seconds=STALL + 1, until=re.compile("never"))
    monitor = Monitor(port, request)

    assert lines(run(monitor)) == ["late"]
    result = monitor.result()
    assert (result.ended, result.ok, result.code) == (Ended.SECONDS, False, 1)
    assert result.words.verdict == "no line matched never"


def test_what_is_left_of_a_line_is_told_at_the_end() -> None:
    monitor = Monitor(Board((0.0, b"> ")), AT_ONE_SPEED)
    events = monitor.step()
    monitor.end()

    assert [event.text for event in events if isinstance(event, WatchText)] == ["> "]
    assert lines(monitor.step()) == ["> "]


@pytest.mark.parametrize(
    "make",
    [
        lambda: MonitorRequest(baud=0),
        lambda: MonitorRequest(baud=99_999_999),
        lambda: MonitorRequest(seconds=0),
        lambda: pattern_of("("),
    ],
)
def test_what_makes_no_sense(make: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        make()
