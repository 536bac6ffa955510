"""Boards side by side, and their log."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from imgtool.cli.run.boards import BoardLog, LogRow, side_by_side
from imgtool.errors import ChipError, UsageError
from tests.support import PATIENCE

ROW = LogRow(
    time="2026-01-02T03:04:05+00:00",
    port="COM3",
    mac="5c:cf:7f:00:00:01",
    flash_id="c84016",
    sha256="00",
    stub="rom",
    verified="no",
    result='say "so", ok',
)


def test_all_run_at_the_same_time() -> None:
    together = threading.Barrier(8)

    def work(_: str) -> int:
        return together.wait(PATIENCE)

    outcomes = side_by_side([str(number) for number in range(8)], work, lambda: None)

    assert sorted(outcome.result or 0 for outcome in outcomes) == list(range(8))
    assert [outcome.port for outcome in outcomes] == [str(number) for number in range(8)]


def test_one_that_fails_leaves_the_others_alone() -> None:
    def work(port: str) -> str:
        if port == "b":
            raise ChipError("silent")
        return port

    first, second, third = side_by_side(["a", "b", "c"], work, lambda: None)

    assert (first.result, second.result, third.result) == ("a", None, "c")
    assert str(second.error) == "silent"


def test_a_bug_is_raised_when_all_have_ended() -> None:
    done: list[str] = []

    def work(port: str) -> None:
        if port == "a":
            raise ZeroDivisionError
        done.append(port)

    with pytest.raises(ZeroDivisionError):
        side_by_side(["a", "b", "c"], work, lambda: None)
    assert sorted(done) == ["b", "c"]


CTRL_C = f"""
import signal, threading
from imgtool.cli.run.boards import side_by_side

both = threading.Barrier(2)
stopped = threading.Event()

def work(port):
    both.wait({PATIENCE})
    if port == "a":
        signal.raise_signal(signal.SIGINT)  # comes to the main thread, which waits
    assert stopped.wait({PATIENCE})
    return port

print(*(outcome.result for outcome in side_by_side(["a", "b"], work, stopped.set)))
"""


def test_ctrl_c_waits_for_all_boards() -> None:
    # In a process of its own: signals come to its main thread, which is not the one that tests run in.
    run = subprocess.run([sys.executable, "-c", CTRL_C], capture_output=True, text=True, check=False)

    assert (run.returncode, run.stdout) == (0, "a b\n"), run.stderr


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "log.CSV"
    for _ in range(2):
        BoardLog(path).add(ROW)

    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [list(LogRow._fields), list(ROW), list(ROW)]


def test_json_lines(tmp_path: Path) -> None:
    log = BoardLog(tmp_path / "log.jsonl")
    log.add(ROW)
    log.add(ROW)

    lines = (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [ROW._asdict()] * 2


def test_rows_of_many_threads(tmp_path: Path) -> None:
    log = BoardLog(tmp_path / "log.csv")
    side_by_side(
        [str(number) for number in range(20)], lambda port: log.add(ROW._replace(port=port)), lambda: None
    )

    with (tmp_path / "log.csv").open(encoding="utf-8", newline="") as file:
        assert sorted(int(row["port"]) for row in csv.DictReader(file)) == list(range(20))


@pytest.mark.parametrize("name", ["log.txt", "log", "no/log.csv", "."])
def test_logs_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        BoardLog(tmp_path / name)
