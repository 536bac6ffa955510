from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imgtool import FormatError, ImgtoolError, LayoutError
from imgtool.cli.app import EXIT_CODES, HINTS
from imgtool.cli.input.arguments import UsageError
from imgtool.errors import ChipError, PortError, VerifyError

if TYPE_CHECKING:
    from collections.abc import Iterator


def _leaves(kind: type[ImgtoolError]) -> Iterator[type[ImgtoolError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _leaves(below)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ImgtoolError("it is wrong"), "it is wrong"),
        (ImgtoolError("it is wrong", source="a.bin"), "a.bin: it is wrong"),
        (ImgtoolError("it is wrong", offset=0x10), "it is wrong at offset 0x00010"),
        (ImgtoolError("it is wrong", expected=5, found=255), "it is wrong (expected 0x05, found 0xff)"),
        (ImgtoolError("it is wrong", expected="this"), "it is wrong (expected this, found nothing)"),
        (
            ImgtoolError("it is wrong", source="a.bin", offset=0, expected="this", found="that"),
            "a.bin: it is wrong at offset 0x00000 (expected this, found that)",
        ),
    ],
    ids=["message", "source", "offset", "numbers", "nothing-found", "all"],
)
def test_text(error: ImgtoolError, text: str) -> None:
    assert str(error) == text


def test_data_holds_only_what_is_known() -> None:
    assert ImgtoolError("no", offset=0, found="x").data == {"offset": 0, "found": "x"}


def test_data_names_the_check_that_refuses() -> None:
    assert LayoutError("no", check="fit").data == {"check": "fit"}


def test_the_first_source_stays() -> None:
    error = FormatError("no").with_source("inner.bin").with_source("outer.bin")

    assert error.source == "inner.bin"


@pytest.mark.parametrize("kind", [FormatError, LayoutError])
def test_they_are_value_errors(kind: type[ImgtoolError]) -> None:
    assert issubclass(kind, ValueError)


@pytest.mark.parametrize("kind", sorted(_leaves(ImgtoolError), key=str))
def test_every_error_has_an_exit_code_and_a_hint(kind: type[ImgtoolError]) -> None:
    assert [any(known in table for known in kind.__mro__) for table in (EXIT_CODES, HINTS)] == [True, True]


@pytest.mark.parametrize(
    ("kind", "code"),
    [(UsageError, 2), (FormatError, 3), (LayoutError, 4), (PortError, 5), (ChipError, 6), (VerifyError, 7)],
)
def test_exit_codes_of_the_contract(kind: type[ImgtoolError], code: int) -> None:
    assert EXIT_CODES[kind] == code
