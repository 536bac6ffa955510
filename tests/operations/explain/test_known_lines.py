"""The table of lines that mean one thing: each row has a log and a row of the page, and is all it takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from imgtool.engine.boot_logs import explain
from imgtool.engine.watching import Watch
from imgtool.operations import actions
from imgtool.operations.actions import FileRole, Remark, cure
from imgtool.operations.explain import known_lines
from imgtool.operations.explain.known_lines import KNOWN_LINES, KnownLine, read_log
from imgtool.operations.explain.values import LogOutcome, Verdict
from imgtool.operations.watching.stream import WatchNote
from tests.boot_logs import BANNER, LOADED, SDK
from tests.operations.explain.boot_log_cases import CASES

PAGE: Final = (Path(__file__).parents[3] / "docs/how-to/boot-logs.md").read_text(encoding="utf-8")
NAMES: Final = [row.name for row in KNOWN_LINES]
# A line that no firmware prints.
MELTED: Final = KnownLine(
    name="melted",
    marks="has melted",
    form=r"\bthe flash has melted at 0x[0-9a-f]{1,6}\b",
    says=LogOutcome(
        Verdict.NO_IMAGE,
        "The flash has melted.",
        "Line {line} says '{text}'.",
        (cure("Let it cool, and write it again.", actions.flash(FileRole.FIRMWARE)),),
    ),
)
WARM: Final = KnownLine(
    name="warm",
    marks="getting warm",
    form=r"\bit is getting warm\b",
    spoken=True,
    says=Remark("The flash is warm.", (actions.ask_chip(),)),
)
LOG: Final = BANNER + LOADED + "the flash has melted at 0x1000\r\n"


def test_every_name_is_there_once() -> None:
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("row", KNOWN_LINES, ids=NAMES)
def test_a_row_has_a_log(row: KnownLine) -> None:
    logs = [case.log for case in CASES if any(boot.has(row.name) for boot in read_log(case.log).boots)]

    assert logs


@pytest.mark.parametrize("row", KNOWN_LINES, ids=NAMES)
def test_a_row_is_on_the_page(row: KnownLine) -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]

    assert [line for line in rows if re.search(row.form, line)]


def notes_of(log: str) -> list[WatchNote]:
    watch = Watch(74880)
    events = [*watch.feed(log.encode(), 1.0), *watch.pause(5.0), *watch.close(6.0)]
    return [event for event in events if isinstance(event, WatchNote) and event.kind == "failure"]


def test_without_a_row_the_line_is_the_firmwares() -> None:
    assert explain(LOG).verdict is Verdict.RUNS
    assert notes_of(LOG) == []


def test_a_row_is_all_that_explain_and_the_monitor_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_lines, "KNOWN_LINES", (*KNOWN_LINES, MELTED, WARM))
    result = explain(LOG)
    (note,) = notes_of(LOG)

    assert (result.verdict, result.sentence) == (Verdict.NO_IMAGE, "The flash has melted.")
    assert result.cause == "Line 13 says 'the flash has melted at 0x1000'."
    assert result.cures[0].commands == ("imgtool flash FILE",)
    assert (note.text, note.verdict, note.cure) == (result.sentence, result.verdict, result.cures[0])
    assert "The flash is warm: imgtool id." in explain(BANNER + LOADED + SDK + "it is getting warm\r\n").notes
