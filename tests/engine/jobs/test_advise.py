"""The job ``advise``: what an upgrade will do, of a dump, an image or a board; its losses are the plan's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from fixtures.upgrades import MB, before_3, from_3, spiffs, used
from imgtool.device.session import ConnectOptions
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.advise import AdviseRequest, advise
from imgtool.engine.jobs.flash import FlashRequest, flash
from imgtool.errors import FormatError, InterruptedRunError, UsageError
from tests.engine.jobs.boards import STOPS, Stopping, board
from tests.support import IMAGES, Command, Put

if TYPE_CHECKING:
    from collections.abc import Callable

FILES: Final = spiffs(16)
OLD: Final = used(before_3("2.2.1"), {0x30000: FILES}, MB)
NEW: Final = InputFile("new.bin", from_3(0x40000))
STUB: Final = ConnectOptions(stub="imgtool")


def test_the_command_prints_the_document(imgtool: Command, put: Put) -> None:
    put("old.bin", OLD)
    put("new.bin", NEW.data)

    run = imgtool("advise", "old.bin", "new.bin", "--json")
    result = advise(AdviseRequest(files=(NEW,), old=(InputFile("old.bin", OLD),)))

    assert json.loads(run.out) == json.loads(json.dumps(result.document))
    assert (run.code, result.code, result.ok) == (1, 1, False)


def test_words() -> None:
    result = advise(AdviseRequest(files=(NEW,), old=(InputFile("old.bin", OLD),)))

    words = result.words
    assert words.verdict == result.advice.sentence
    assert [row.name for row in words.rows] == ["old", "new", "flash"]
    assert words.tables[0].head == ("what", "verdict", "why")
    assert any("read -o backup.bin" in command for cure in words.cures for command in cure.commands)
    assert result.outputs == ()


def test_a_board_loses_what_flash_says_that_it_loses() -> None:
    wire = board(OLD, "1MB")
    advised = advise(AdviseRequest(files=(NEW,), connect=STUB), wire)
    planned = flash(wire, FlashRequest(files=(NEW,), dry_run=True, connect=STUB))

    assert planned.plan is not None
    plan = advised.document["results"][0]["plan"]
    of_flash = planned.document["results"][0]["plan"]
    assert plan == {**of_flash, "seconds": None, "way": None}
    losses = plan["losses"]
    assert [loss["kind"] for loss in losses] == ["files"]
    assert [(loss["address"], loss["verdict"]) for loss in losses] == [(0x30000, "overwritten")]
    assert advised.old_name == wire.name


def test_nothing_to_compare_with() -> None:
    with pytest.raises(UsageError, match="nothing tells what is in the flash now"):
        advise(AdviseRequest(files=(NEW,)))


@pytest.mark.parametrize(
    ("old", "error", "words"),
    [
        (b"<!DOCTYPE html>", FormatError, "old.bin: OLD is neither a dump nor an image"),
        (IMAGES["sample/0x00000.bin"], UsageError, "does not tell how large the flash is"),
    ],
)
def test_what_is_no_flash(old: bytes, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        advise(AdviseRequest(files=(NEW,), old=(InputFile("old.bin", old),)))


@pytest.mark.parametrize("how", STOPS)
def test_stopped(how: Callable[[], BaseException]) -> None:
    with pytest.raises(InterruptedRunError, match="interrupted: nothing was changed"):
        advise(AdviseRequest(files=(NEW,), old=(InputFile("old.bin", OLD),)), None, Stopping("advise", how))
