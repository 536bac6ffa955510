"""The job behind ``imgtool explain``, without the command line; the command prints the same document."""

from __future__ import annotations

import json

import pytest

from imgtool.device.events import Event
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.explain import ExplainRequest, explain
from imgtool.engine.results import Tone
from imgtool.errors import FormatError, InterruptedRunError
from imgtool.operations.explain.values import Verdict
from tests import boot_logs as logs
from tests.operations.explain.boot_log_cases import CASES, LogCase
from tests.operations.explain.test_crash_frames import PROGRAM
from tests.support import Command, Put

RUNS = (logs.BANNER + logs.LOADED + logs.MB4 + logs.RF + logs.SDK + "NodeMCU 3.0.0.0 \r\n> ").encode()
CRASH = (
    RUNS
    + b"\r\nException (28):\r\nepc1=0x40201108 epc2=0x00000000 epc3=0x00000000 excvaddr=0x00000008 "
    + b"depc=0x00000000\r\n\r\n>>>stack>>>\r\n\r\nctx: cont\r\nsp: 3ffffdb0 end: 3fffffc0 offset: 0190\r\n"
    + b"3ffffe00:  3ffe8000 40201203 feefeffe 4000050c  \r\n<<<stack<<<\r\n"
)
APP = InputFile("firmware.elf", PROGRAM)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_command_prints_the_document(put: Put, imgtool: Command, case: LogCase) -> None:
    put("boot.log", case.log.encode())
    run = imgtool("explain", "boot.log", "--json")
    result = explain(ExplainRequest(log=case.log.encode(), name="boot.log"))

    assert (json.loads(run.out), run.code) == (result.document, result.code)
    assert result.explanation.verdict is case.verdict


def test_the_command_with_a_program_prints_the_document(put: Put, imgtool: Command) -> None:
    put("boot.log", CRASH)
    put("firmware.elf", PROGRAM)
    run = imgtool("explain", "boot.log", "--elf", "firmware.elf", "--json")

    assert json.loads(run.out) == explain(ExplainRequest(log=CRASH, name="boot.log", elfs=(APP,))).document


@pytest.mark.parametrize(
    ("log", "ok", "code", "tone"),
    [
        (RUNS, True, 0, Tone.GOOD),
        (logs.BANNER.encode(), False, 1, Tone.WRONG),
        (b"no log", False, 3, Tone.CARE),
    ],
    ids=["runs", "cut", "foreign"],
)
def test_what_it_comes_to(log: bytes, ok: bool, code: int, tone: Tone) -> None:
    result = explain(ExplainRequest(log=log))

    assert (result.ok, result.code, result.words.tone, result.outputs) == (ok, code, tone, ())
    assert (result.name, result.document["results"][0]["path"]) == ("-", "-")


def test_words_of_a_crash() -> None:
    result = explain(ExplainRequest(log=CRASH, elfs=(APP,)))
    words = result.words
    registers, frames, boot = words.tables

    assert result.explanation.verdict is Verdict.EXCEPTION
    assert words.verdict == result.explanation.sentence
    assert [(row.name, row.text) for row in words.rows] == [("cause", result.explanation.cause)]
    assert words.cures
    assert (registers.title.startswith("Crash at line"), registers.rows[0][1]) == (True, "0x40201108")
    assert frames.rows[0] == (("epc1", Tone.DIM), "0x40201108", "Sensor::read+0x8")
    assert frames.below.startswith("Not shown: 2 words of the stack")
    assert boot.title == "Boot from line 1 on"


def test_boots_that_are_alike_are_one_table() -> None:
    (table,) = explain(ExplainRequest(log=logs.BANNER.encode() * 5)).words.tables

    assert table.title.endswith(", and 4 more like it")


def test_a_program_that_is_none() -> None:
    with pytest.raises(FormatError, match=r"notes\.txt"):
        explain(ExplainRequest(log=RUNS, elfs=(InputFile("notes.txt", b"no program"),)))


@pytest.mark.parametrize("name", ["firmware.elf", "boot.log"])
def test_it_can_be_stopped_at_each_step(name: str) -> None:
    seen = []

    def stop(event: Event) -> None:
        seen.append((event.stage, event.done, event.total, event.message))
        if event.message == name:
            raise InterruptedRunError("interrupted")

    with pytest.raises(InterruptedRunError, match="the log was not explained"):
        explain(ExplainRequest(log=CRASH, name="boot.log", elfs=(APP,)), stop)
    assert seen == [("explain", 0, 2, "firmware.elf"), ("explain", 1, 2, "boot.log")][: len(seen)]
