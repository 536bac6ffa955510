"""Verdicts: which exit code an error or a result has, and whether a firmware starts."""

from __future__ import annotations

import pytest

from imgtool.device.port_errors import BusyPortError
from imgtool.engine import descriptions, verdicts
from imgtool.engine.descriptions import code_of_descriptions, described, file_verdict, verdict_words
from imgtool.engine.verdicts import answers_no, code_of_explanation, exit_code_of, may_start
from imgtool.errors import (
    ImgtoolError,
    InterruptedRunError,
    SilentError,
    StubLineError,
    VerifyError,
)
from imgtool.operations.compare.files import compare
from imgtool.operations.explain.log import Explanation, explain
from imgtool.operations.explain.values import Verdict
from tests.boot_logs import BANNER, DOWNLOAD, INIT, LOADED, SDK
from tests.support import IMAGES, aggregate

INIT_DATA = f"{BANNER}{LOADED}{SDK}{INIT}".encode()
FAILS = explain(INIT_DATA)
UNFINISHED = explain(BANNER.encode())
SPEAKS = explain(BANNER + LOADED + "value 17\r\n")
CANNOT_JUDGE = explain(BANNER + LOADED + "E (47) power: no answer\r\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SilentError("no"), 6),
        (StubLineError("no"), 6),
        (BusyPortError("no"), 5),
        (VerifyError("no"), 7),
        (InterruptedRunError("no"), 130),
    ],
)
def test_a_cause_has_the_code_of_its_class(error: ImgtoolError, code: int) -> None:
    assert exit_code_of(error) == code


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["init-data/v05.bin"], 0),
        (["broken/bad-checksum.bin"], 1),
        (["text/page.bin"], 3),
        (["init-data/v05.bin", "text/page.bin", "broken/bad-checksum.bin"], 3),
    ],
)
def test_code_of_files(names: list[str], code: int) -> None:
    assert code_of_descriptions(described(IMAGES[name]) for name in names) == code


def test_the_codes_of_files_are_those_of_all() -> None:
    assert (descriptions._DAMAGED, descriptions._FOREIGN) == (verdicts.NO, verdicts.FOREIGN)  # noqa: SLF001


def test_files_of_file_systems_are_in_the_description() -> None:
    assert "files" in described(IMAGES["spiffs/files-linear.bin"]).parts[0].facts
    assert "files" not in described(IMAGES["sample/0x00000.bin"]).parts[0].facts


@pytest.mark.parametrize(
    ("name", "good", "words"),
    [
        ("sample/0x00000.bin", True, "all checks hold"),
        ("broken/bad-checksum.bin", False, "1 error"),
        ("init-data/v05.bin", True, "nothing wrong; it has no checks"),
    ],
)
def test_verdict_of_a_file(name: str, words: str, good: bool) -> None:
    description = described(IMAGES[name])

    assert file_verdict(description)[1:] == (words, good)
    assert verdict_words(description).endswith(f" bytes: {words}") or f": {words}" in verdict_words(
        description
    )


def test_compare_answers_no() -> None:
    one, other = aggregate("sample"), bytearray(aggregate("sample"))
    other[0x300] ^= 1
    same, differs = compare(one, one), compare(one, bytes(other))

    assert [answers_no(same, exact=exact) for exact in (False, True)] == [False, False]
    assert [answers_no(differs, exact=exact) for exact in (False, True)] == [True, True]


def test_code_of_a_boot_log() -> None:
    assert (code_of_explanation(FAILS), code_of_explanation(explain(b"hello world\n"))) == (1, 3)


@pytest.mark.parametrize(
    ("boot", "starts"),
    [
        (None, True),
        (FAILS, False),
        (explain(b""), True),
        (UNFINISHED, True),
        (SPEAKS, True),
        (CANNOT_JUDGE, True),
        (explain(DOWNLOAD), True),
    ],
)
def test_whether_a_firmware_starts(boot: Explanation | None, starts: bool) -> None:
    assert may_start(boot) is starts


def test_these_are_what_they_are_called() -> None:
    found = [explanation.verdict for explanation in (UNFINISHED, SPEAKS, CANNOT_JUDGE)]
    assert found == [Verdict.UNFINISHED, Verdict.SPEAKS, Verdict.CANNOT_JUDGE]
