"""The job ``id``: a chip at an open port, or a flash ID that is given."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from imgtool.engine.jobs.id import IdRequest, identify
from imgtool.errors import InterruptedRunError, UsageError
from imgtool.phrase import Name
from tests.engine.jobs.boards import MAC, STOPS, Stopping, board, is_open
from tests.support import Command


@pytest.mark.usefixtures("no_port_set")
def test_the_command_prints_the_document(imgtool: Command) -> None:
    spec = f"sim:1MB,mac={MAC}"
    result = identify(board(b"", "1MB"), IdRequest())

    assert json.loads(imgtool("id", "-p", spec, "--json").out) == result.document
    assert json.loads(imgtool("id", "--flash-id", "e04016", "--json").out) == (
        identify(None, IdRequest(flash_id="e0 4016")).document
    )


def test_a_chip_and_its_flash() -> None:
    wire = board(b"", "1MB")
    events: list[str] = []
    result = identify(wire, IdRequest(), lambda event: events.append(event.stage))

    assert result.chip is not None
    assert (result.chip.mac, result.flash.bytes) == (MAC, 1 << 20)
    assert (result.ok, result.code, result.outputs) == (True, 0, ())
    assert result.words.verdict == "ESP8266EX with a flash of 1 MB"
    assert ("MAC", MAC) in result.words.rows
    assert (events, is_open(wire)) == (["connect"], True)


def test_a_flash_id_needs_no_port() -> None:
    result = identify(None, IdRequest(flash_id="0xE0:40:16"))

    assert (result.chip, result.flash.part) == (None, "BG25Q32A")
    name, text = result.words.rows[-1]
    assert name == "known from"
    assert isinstance(text, Name)


@pytest.mark.parametrize("request_", [IdRequest(), IdRequest(flash_id="e040")], ids=["nothing", "short"])
def test_what_makes_no_sense(request_: IdRequest) -> None:
    with pytest.raises(UsageError):
        identify(None, request_)


@pytest.mark.parametrize("how", STOPS)
def test_stopped(how: Callable[[], BaseException]) -> None:
    wire = board()

    with pytest.raises(InterruptedRunError) as caught:
        identify(wire, IdRequest(), Stopping("connect", how))
    assert str(caught.value) == "interrupted: nothing was changed"
    assert is_open(wire)
    assert identify(wire, IdRequest()).ok
