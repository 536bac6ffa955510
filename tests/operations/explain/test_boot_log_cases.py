"""Every case of boot_log_cases.py as it is, cut anywhere, and damaged."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.engine.boot_logs import explain
from imgtool.operations.explain.log import Explanation
from imgtool.operations.explain.values import Verdict
from tests.boot_logs import NOISE
from tests.operations.explain.boot_log_cases import CASES, LogCase

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# What a log comes to that tells too little, or not yet.
SILENT: Final = (Verdict.UNFINISHED, Verdict.NOTHING_KNOWN, Verdict.SPEAKS, Verdict.RUNS)
# Nobody could say these of a log of which characters are missing, if they are not its own.
BY_ONE_LINE: Final = (Verdict.STRAPS, Verdict.DOWNLOAD, Verdict.BAD_IMAGE, Verdict.NO_IMAGE)


def commands_of(result: Explanation) -> list[str]:
    return [command for cure in result.cures for command in cure.commands]


def words_of(result: Explanation) -> str:
    texts = [cure.text for cure in result.cures]
    return "\n".join((result.sentence, result.cause, *texts, *result.notes))


def test_every_verdict_has_a_case() -> None:
    elsewhere = {Verdict.WRONG_BAUD, Verdict.NOTHING_KNOWN}

    assert {case.verdict for case in CASES} | elsewhere == set(Verdict)
    assert len(CASES) >= 40


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict_words_and_cures(case: LogCase) -> None:
    result = explain(case.log)
    said, commands = words_of(result), commands_of(result)

    assert result.verdict is case.verdict
    assert [word for word in case.words if word not in said] == []
    assert [command for command in case.commands if command not in commands] == []
    assert [command for command in case.never if command in commands] == []
    assert result.ok == (case.verdict in (Verdict.RUNS, Verdict.SPEAKS, Verdict.DOWNLOAD))
    assert not result.foreign


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_sentences_are_sentences(case: LogCase) -> None:
    result = explain(case.log)
    texts = [result.sentence, result.cause, *(cure.text for cure in result.cures), *result.notes]

    assert [
        text for text in texts if not re.match(r"[A-Z0-9'].*[.)]$", text, re.DOTALL) and ":" not in text
    ] == []
    assert [text for text in texts if "  " in text or " ." in text or ".." in text.replace("...", "")] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_log_cut_anywhere_gets_no_other_cure(case: LogCase) -> None:
    allowed = {case.verdict, *SILENT, *case.also}
    cuts = [(end, explain(case.log[:end]).verdict) for end in range(0, len(case.log), 13)]

    assert [(case.log[max(end - 30, 0) : end], found) for end, found in cuts if found not in allowed] == []


@given(case=st.sampled_from(CASES), cut=st.floats(0, 1))
def test_any_prefix(case: LogCase, cut: float) -> None:
    found = explain(case.log[: round(cut * len(case.log))]).verdict

    assert found in {case.verdict, *SILENT, *case.also}


DISGUISES: Final[dict[str, Callable[[str], str | bytes]]] = {
    "line feeds": lambda log: log.replace("\r\n", "\n"),
    "times": lambda log: "".join(f"12:01:02.123 -> {line}\n" for line in log.splitlines()),
    "brackets": lambda log: "".join(f"[2019-12-12 09:45:36,678] {line}\n" for line in log.splitlines()),
    "colours": lambda log: "".join(f"\x1b[0;32m{line}\x1b[0m\n" for line in log.splitlines()),
    "noise in front": lambda log: NOISE + log,
    "bytes": lambda log: log.encode("utf-8").decode("latin-1"),
    "PlatformIO": lambda log: "".join(f"12:01:02.123 > {line}\n" for line in log.splitlines()),
    "PowerShell": lambda log: ("\ufeff\u4e32\u53e3:\r\n" + log).encode("utf-16-le"),
    "the other order": lambda log: ("\ufeff" + log).encode("utf-16-be"),
    "no mark": lambda log: log.encode("utf-16-le"),
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_logs_are_explained_through_a_monitor(disguise: str) -> None:
    found = {case.name: explain(DISGUISES[disguise](case.log)).verdict for case in CASES}

    assert {name: verdict for name, verdict in found.items() if verdict is not expected(name)} == {}


def expected(name: str) -> Verdict:
    return next(case.verdict for case in CASES if case.name == name)


@given(
    case=st.sampled_from(CASES),
    edits=st.lists(st.tuples(st.integers(0, 5000), st.sampled_from(["lose", "double", "noise"])), max_size=6),
)
def test_lost_and_doubled_characters(case: LogCase, edits: list[tuple[int, str]]) -> None:
    log = case.log
    for place, edit in edits:
        at = place % len(log)
        log = log[:at] + {"lose": "", "double": 2 * log[at], "noise": "\xfe"}[edit] + log[at + 1 :]
    result = explain(log)

    assert result.sentence
    assert result.cause
    crashes = {
        Verdict.EXCEPTION,
        Verdict.PANIC,
        Verdict.WATCHDOG,
        Verdict.OUT_OF_MEMORY,
        Verdict.SCRIPT_ERROR,
    }
    if case.verdict in SILENT:
        assert result.verdict not in crashes | {Verdict.SYSTEM_PARAM, Verdict.INIT_DATA}


@given(
    lines=st.lists(
        st.sampled_from(sorted({line for case in CASES for line in case.log.splitlines(True)})), max_size=60
    )
)
def test_lines_in_any_order(lines: list[str]) -> None:
    result = explain("".join(lines))

    assert result.cause
    assert result.foreign == (not result.boots)


def test_a_firmware_image_is_no_log_though_it_has_such_lines() -> None:
    image = b"".join(
        Random(0).randbytes(300) + line.encode()
        for case in CASES
        for line in case.log.split("\r\n")
        if "cause:" not in line
    )
    result = explain(b"\xe9\x03\x00\x00" + image)

    assert result.foreign
    assert result.verdict is Verdict.WRONG_BAUD
    assert result.speeds == ()
    assert "imgtool inspect FILE" in commands_of(result)


@pytest.mark.long
def test_no_real_image_is_a_log(corpus: Path) -> None:
    found = {path.name: explain(path.read_bytes()) for path in sorted(corpus.glob("*/*.bin"))}

    assert {name for name, result in found.items() if not result.foreign} == set()
