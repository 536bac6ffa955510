"""The table of messages: each row finds its own line, weighs what it says, and is all that it takes."""

from __future__ import annotations

import re
import string
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.engine.boot_logs import explain
from imgtool.engine.watching import Watch
from imgtool.formats.logs import crash_lines
from imgtool.formats.logs.boot_lines import line_table
from imgtool.layout.generations import GENERATIONS
from imgtool.layout.traits import Family
from imgtool.operations import actions
from imgtool.operations.actions import FileRole, Remark, Verb, cure
from imgtool.operations.explain.log import Explanation
from imgtool.operations.explain.messages import micropython, table
from imgtool.operations.explain.messages.row import SHOW_THEIR_START, Message, Speaker, Weight
from imgtool.operations.explain.messages.table import MESSAGES, is_piece, read_log, row_of, speaker_of
from imgtool.operations.explain.values import LogOutcome, Verdict
from imgtool.operations.watching.stream import WatchNote
from tests.boot_logs import BANNER, LOADED, LOADS, MB4, NOISE

ROOT: Final = Path(__file__).resolve().parents[3]
NAMES: Final = [row.name for row in MESSAGES]
FORMED: Final = [row for row in MESSAGES if row.form]
FAILING: Final = [row for row in MESSAGES if row.weight is Weight.FAILS]
SHOWING: Final = [row for row in FORMED if row.weight is Weight.RUNS]
BEGUN: Final = [row for row in FORMED if row.weight is Weight.SPEAKS]
REPEATING: Final = [row for row in MESSAGES if row.weight is Weight.REPEATS]
CALM: Final = [row for row in FORMED if row.weight in (Weight.NORMAL, Weight.NOTED, Weight.EARLIER)]
# What stands in front of a line in a log of its own kind; the ROM's lines come first everywhere.
FRONT: Final = BANNER + LOADED
# A line that no firmware prints.
MELTED: Final = Message(
    name="melted",
    speaker=Speaker.VENDOR,
    marks="has melted",
    form=r"\bthe flash has melted at 0x[0-9a-f]{1,6}\b",
    example="the flash has melted at 0x1000",
    weight=Weight.FAILS,
    says=LogOutcome(
        Verdict.NO_IMAGE,
        "The flash has melted.",
        "Line {line} says '{text}'.",
        (cure("Let it cool, and write it again.", actions.flash(FileRole.FIRMWARE)),),
    ),
    source="nowhere",
)
WARM: Final = Message(
    name="warm",
    speaker=Speaker.VENDOR,
    marks="getting warm",
    form=r"\bit is getting warm\b",
    example="it is getting warm",
    weight=Weight.NOTED,
    says=Remark("The flash is warm.", (actions.ask_chip(),)),
    source="nowhere",
)
LOG: Final = FRONT + MELTED.example + "\r\n"
PAIRED: Final = (Speaker.NODEMCU, Speaker.NONOS_SDK, Speaker.ROM, Speaker.ANY)
"""Whose firmware may be two files for 0 and 0x10000."""


def names(rows: list[Message]) -> list[str]:
    return [row.name for row in rows]


def front_of(row: Message) -> str:
    """A log up to the line of a row: the ROM's lines, and what it stands behind."""
    behind = next(
        (other for other in MESSAGES if row.behind and other.speaker is row.behind[0] and not other.behind),
        None,
    )
    front = (
        BANNER + LOADS if row.name == "flash-read-err" else FRONT
    )  # behind the loading it is the firmware's word
    return front + (f"{behind.example}\r\n" if behind else "")


def log_of(row: Message) -> str:
    return f"{front_of(row)}{row.example}\r\n"


def commands_of(result: Explanation) -> list[str]:
    return [command for each in result.cures for command in each.commands]


def test_every_name_is_there_once() -> None:
    assert sorted(set(NAMES)) == sorted(NAMES)


def test_rows_without_a_form_are_lines_that_the_reader_knows() -> None:
    known = {name.replace("_", "-") for name in line_table().rows}

    assert {row.name for row in MESSAGES if not row.form} <= known | {"banner", "stack-smashed"}


@pytest.mark.parametrize("row", MESSAGES, ids=NAMES)
def test_a_row_is_whole(row: Message) -> None:
    says = {
        Weight.FAILS: LogOutcome,
        Weight.REPEATS: LogOutcome,
        Weight.UNCLEAR: LogOutcome,
        Weight.NOTED: Remark,
        Weight.EARLIER: Remark,
    }.get(row.weight, str)

    assert isinstance(row.says, says)
    assert isinstance(row.once, Remark) == (row.weight is Weight.REPEATS)
    assert re.match(r"https://\S+$|seen by running|reports of users|of no firmware", row.source)
    assert row.example.strip() or row.name == "prompt"
    assert not (
        row.unless and [name for name in row.unless if row_of(name) is None and name not in line_table().rows]
    )


@pytest.mark.parametrize("row", FORMED, ids=names(FORMED))
def test_the_example_is_found_by_its_own_row_first(row: Message) -> None:
    boots = read_log(log_of(row)).boots

    assert boots
    assert [message.kind for message in boots[-1].messages if message.line == log_of(row).count("\n")][
        :1
    ] == [row.name]


@pytest.mark.parametrize("row", FORMED, ids=names(FORMED))
def test_a_form_is_bounded(row: Message) -> None:
    random = Random(row.name)
    words = [word for mark in row.marks.split("|") for word in mark.split()]
    texts = [
        "".join(random.choices(string.printable, k=4000)),
        " ".join(random.choices(words, k=900)),
        row.example * 90,
    ]

    assert re.search(r"(?<!\\)[*+](?![\w?])", re.sub(r"\[[^\]]*\]", "", row.form)) is None
    assert all(re.search(row.form, text) is None or True for text in texts)


@pytest.mark.parametrize("row", FAILING, ids=names(FAILING))
def test_a_failing_line_fails_the_boot(row: Message) -> None:
    result = explain(log_of(row))

    assert not result.ok
    assert result.verdict not in (Verdict.UNFINISHED, Verdict.NOTHING_KNOWN, Verdict.CANNOT_JUDGE)
    if isinstance(row.says, LogOutcome) and row.says.cause:
        assert result.verdict is row.says.verdict or "OOM" in row.example  # which is known by its words
        assert result.sentence.startswith(row.says.sentence.rstrip(".")[:12])
    assert result.cures


@pytest.mark.parametrize("row", FAILING, ids=names(FAILING))
def test_cures_fit_the_firmware(row: Message) -> None:
    result = explain(log_of(row))

    if row.speaker not in PAIRED:
        assert [
            command for command in commands_of(result) if "0x10000.bin" in command or "fullimage" in command
        ] == []


@pytest.mark.parametrize("row", FAILING, ids=names(FAILING))
def test_no_prefix_of_a_failing_log_runs(row: Message) -> None:
    log = log_of(row)
    behind = len(front_of(row))
    found = {explain(log[:end]).verdict for end in range(0, len(log), 3) if end <= len(FRONT) or end > behind}

    assert Verdict.RUNS not in found or row.behind


FINAL: Final = [row for row in FAILING if not (row.until_runs or row.unless or row.behind or row.begins)]
AROUND: Final = [row for row in FORMED if row.weight is not Weight.FAILS and not (row.begins or row.behind)]


@given(
    row=st.sampled_from(FINAL),
    before=st.lists(st.sampled_from(AROUND), max_size=4),
    after=st.lists(st.sampled_from(AROUND), max_size=4),
)
def test_no_log_with_a_failing_line_is_called_well(
    row: Message, before: list[Message], after: list[Message]
) -> None:
    lines = [each.example for each in (*before, row, *after)]

    assert not explain(front_of(row) + "\r\n".join(lines) + "\r\n").ok


@pytest.mark.parametrize("row", FAILING, ids=names(FAILING))
@pytest.mark.parametrize("disguise", ["times", "milliseconds", "colours", "lost escapes", "noise"])
def test_a_failing_line_is_read_through_a_monitor(row: Message, disguise: str) -> None:
    log = log_of(row)
    shown = {
        "times": lambda: "".join(f"[12:01:02.123] {line}\n" for line in log.splitlines()),
        "milliseconds": lambda: "".join(
            f"{5 * number:6}> {line}\n" for number, line in enumerate(log.splitlines())
        ),
        "colours": lambda: "".join(f"\x1b[0;31m{line}\x1b[0m\n" for line in log.splitlines()),
        "lost escapes": lambda: "".join(f"[0;31m{line}[0m\n" for line in log.splitlines()),
        "noise": lambda: NOISE * 3 + log + NOISE,
    }[disguise]()

    assert explain(shown).verdict is explain(log).verdict


@pytest.mark.parametrize("row", SHOWING, ids=names(SHOWING))
def test_evidence_shows_that_the_firmware_runs(row: Message) -> None:
    result = explain(log_of(row))

    assert result.verdict is Verdict.RUNS
    assert result.ok


@pytest.mark.parametrize("row", BEGUN, ids=names(BEGUN))
def test_an_application_that_has_begun_speaks(row: Message) -> None:
    begun = Verdict.UNFINISHED if row.speaker in SHOW_THEIR_START else Verdict.SPEAKS

    assert explain(log_of(row)).verdict is begun


@pytest.mark.parametrize("row", CALM, ids=names(CALM))
def test_other_lines_neither_fail_a_boot_nor_show_that_it_runs(row: Message) -> None:
    found = explain(log_of(row)).verdict
    shown = explain(front_of(row)).verdict

    # Some lines of a script or a slot are judged by a rule that looks at more than them.
    judged_apart = (
        Verdict.SCRIPT_ERROR,
        Verdict.OUT_OF_MEMORY,
        Verdict.NO_IMAGE,
        Verdict.BAD_IMAGE,
        Verdict.PARTITION_TABLE,
    )
    own = (Verdict.SPEAKS,) if row.speaker is Speaker.ANY else ()
    assert found in (shown, Verdict.UNFINISHED, Verdict.STRAPS, *judged_apart, *own)
    assert found is not Verdict.RUNS or shown is Verdict.RUNS


@pytest.mark.parametrize("row", CALM, ids=names(CALM))
def test_other_lines_do_not_undo_what_was_shown(row: Message) -> None:
    log = f"{log_of(row)}ip:192.168.1.17,mask:255.255.255.0,gw:192.168.1.1\r\n"
    rules = (Verdict.SCRIPT_ERROR, Verdict.OUT_OF_MEMORY)

    assert explain(log).verdict in (Verdict.RUNS, *rules)


@pytest.mark.parametrize("row", REPEATING, ids=names(REPEATING))
def test_what_is_in_order_once_is_a_failure_start_after_start(row: Message) -> None:
    once, again = explain(log_of(row)), explain(log_of(row) * 3)

    assert isinstance(row.says, LogOutcome)
    assert isinstance(row.once, Remark)
    assert once.verdict is not row.says.verdict
    assert [note for note in once.notes if note.startswith(row.once.text[:20])]
    assert again.verdict is row.says.verdict
    assert again.cures


@pytest.mark.parametrize("row", [row for row in MESSAGES if row.leads_to], ids=lambda row: row.name)
def test_what_came_before_a_restart_is_part_of_the_cause(row: Message) -> None:
    known = row.speaker is Speaker.NODEMCU
    log = f"{'NodeMCU 3.0.0.0 built on a machine' if known else 'scandone'}\r\n{row.example}\r\n"
    one, two = explain(log + FRONT), explain(log + FRONT * 2)

    assert row.leads_to is not None
    assert one.verdict is Verdict.UNFINISHED
    assert any("first one since" in note for note in one.notes)
    assert two.verdict is row.leads_to.verdict
    assert two.sentence == row.leads_to.sentence


def test_the_size_for_micropython_is_that_of_its_generation() -> None:
    sizes = {row.sizes.largest for row in GENERATIONS if row.family is Family.MICROPYTHON}

    assert sizes == {int(micropython.LARGEST.removesuffix("MB")) << 20}


def test_the_page_of_the_messages_is_made_from_their_rows() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "docs" / "boot_messages.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (made.returncode, made.stdout) == (0, "")


def test_speakers_have_rows() -> None:
    assert {row.speaker for row in MESSAGES} == set(Speaker)


@pytest.mark.parametrize(
    ("words", "piece"),
    [
        ("2.0.0(656edbf) compiled @ Jul 19 2016 17:58:40", True),
        ("3ffe8000, len 2888, room 4", True),
        ("ver: 1055, pp ver: 10.2", True),
        ("temperature 21.5", False),
        ("Hello from the sketch", False),
        ("2.1", False),
    ],
)
def test_the_end_of_a_known_line_is_no_text_of_an_application(words: str, piece: bool) -> None:
    assert is_piece(words) is piece
    assert (explain(f"{FRONT}{words}\r\n").verdict is Verdict.SPEAKS) is not piece


def test_a_loader_is_never_the_name_of_the_firmware() -> None:
    (boot,) = read_log(BANNER + LOADED + "rBoot v1.4.2 - x\r\nBooting rom 0.\r\nhello there\r\n").boots

    assert speaker_of(boot) is Speaker.RBOOT
    assert "rBoot runs" not in explain(BANNER + LOADED + MB4).sentence


def notes_of(log: str) -> list[WatchNote]:
    watch = Watch(74880)
    events = [*watch.feed(log.encode(), 1.0), *watch.pause(5.0), *watch.close(6.0)]
    return [event for event in events if isinstance(event, WatchNote) and event.kind == "failure"]


def test_without_a_row_the_line_is_the_firmwares() -> None:
    assert explain(LOG).verdict is Verdict.SPEAKS
    assert notes_of(LOG) == []


def test_a_row_is_all_that_explain_and_the_monitor_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MESSAGES", (*MESSAGES, MELTED, WARM))
    result = explain(LOG)
    (note,) = notes_of(LOG)

    assert (result.verdict, result.sentence) == (Verdict.NO_IMAGE, "The flash has melted.")
    assert result.cause == "Line 13 says 'the flash has melted at 0x1000'."
    assert result.cures[0].commands == ("imgtool flash FILE",)
    assert (note.text, note.verdict, note.cure) == (result.sentence, result.verdict, result.cures[0])
    assert "The flash is warm: imgtool id." in explain(FRONT + "it is getting warm\r\n").notes


def test_crash_lines_have_rows() -> None:
    parts = (
        "registers",
        "stack-words",
        "backtrace",
        "alloc",
        "reset-info",
        "reset-reason",
        "cut-here",
        "stack-dump",
    )

    assert [form.name for form in crash_lines.CRASH_FORMS if form.name not in (*NAMES, *parts)] == []


def test_a_cure_never_asks_to_record_what_is_already_known() -> None:
    result = explain(LOG.replace(MELTED.example, "Exception (28):"))

    assert all(
        action.verb is not Verb.RECORD_LOG or action.baud for each in result.cures for action in each.actions
    )


def test_cures_fit_what_is_known_to_be_on_the_chip() -> None:
    log = FRONT + "Fatal exception (0): \r\nepc1=0x402411b4, epc2=0x00000000, excvaddr=0x00000000\r\n"
    pair = "imgtool inspect 0x00000.bin 0x10000.bin"

    assert pair in commands_of(explain(log))
    assert pair in commands_of(explain(log, written=Speaker.NODEMCU))
    assert pair not in commands_of(explain(log, written=Speaker.MICROPYTHON))
