"""The job ``erase``: all, a range, or what has a name."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from imgtool.device.session import ConnectOptions
from imgtool.engine.choices import ERASE_ALL
from imgtool.engine.jobs.erase import EraseRange, EraseRequest, erase, whole_sectors
from imgtool.errors import InterruptedRunError, LayoutError, ProtectedError, StatedSizeError, UsageError
from tests.engine.jobs.boards import ROM, STOPS, Stopping, board, flash, is_open
from tests.support import IMAGES, Command, Put, flash_512k

CONTENT = bytes(range(256)) * 32  # two sectors
BLANK = b"\xff" * 0x1000


@pytest.mark.usefixtures("no_port_set")
def test_the_command_prints_the_document(imgtool: Command, put: Put) -> None:
    put("f.bin", flash_512k())
    port = "sim:512KB,flash=f.bin"
    printed = json.loads(imgtool("erase", "init-data", "-p", port, "--stub", "none", "--json").out)
    result = erase(board(flash_512k()), EraseRequest("init-data", ROM))

    for document in (printed, result.document):
        # Another chip, by another name.
        assert document["results"][0].pop("port").startswith("sim:")
        del document["results"][0]["chip"]
    assert printed == result.document


def test_a_range() -> None:
    wire = board(CONTENT)
    result = erase(wire, EraseRequest(whole_sectors(0, 0x1000), ROM))

    assert flash(wire, 0, 0x2000) == BLANK + CONTENT[0x1000:]
    assert (result.ok, result.code, result.outputs, result.verified) == (True, 0, (), False)
    assert result.erased == (EraseRange("", 0, 0x1000),)
    assert result.words.verdict.startswith("erased, not verified, in ")
    assert result.words.tables[0].rows == (("0x000000", "4,096", ""),)
    assert is_open(wire)


def test_all_of_it() -> None:
    wire = board(CONTENT)
    result = erase(wire, EraseRequest(ERASE_ALL, ROM))

    assert flash(wire).strip(b"\xff") == b""
    assert result.erased == (EraseRange("the whole flash", 0, 0x80000),)


def test_what_has_a_name() -> None:
    wire = board(flash_512k((0x7E000, b"credentials here")))
    before = flash(wire)
    result = erase(wire, EraseRequest("system-param", ROM))

    assert [(each.address, each.size) for each in result.erased] == [(0x7D000, 0x3000)]
    assert flash(wire) == before[:0x7D000] + b"\xff" * 0x3000


@pytest.mark.parametrize(
    "what",
    ["everything", "", EraseRange("", 0x10, 0x1000), EraseRange("", 0, 0x10), EraseRange("", 0, 0)],
    ids=str,
)
def test_what_makes_no_sense(what: str | EraseRange) -> None:
    with pytest.raises(UsageError):
        EraseRequest(what)


def test_what_is_not_there() -> None:
    wire = board()

    with pytest.raises(LayoutError, match="beyond the end of the flash"):
        erase(wire, EraseRequest(whole_sectors(0x7F000, 0x2000), ROM))
    with pytest.raises(LayoutError, match="no image stands at 0"):
        erase(wire, EraseRequest("rf-cal", ROM))
    with pytest.raises(ProtectedError):
        erase(board(b"", "512KB", "fault=protect"), EraseRequest(ERASE_ALL, ROM))


def test_a_size_that_the_firmware_cannot_use() -> None:
    old = IMAGES["generations/nodemcu-2.0.bin"]
    wire = board(old[:3] + b"\x80" + old[4:], "8MB")

    with pytest.raises(StatedSizeError):
        erase(wire, EraseRequest("rf-cal", ConnectOptions(stub="imgtool")))
    assert flash(wire, 0x7FB000, 0x1000) == BLANK


@pytest.mark.parametrize(
    ("stage", "left"),
    [("connect", "nothing was erased"), ("erase", "the flash may be erased in part")],
)
@pytest.mark.parametrize("how", STOPS)
def test_stopped(how: Callable[[], BaseException], stage: str, left: str) -> None:
    wire = board(CONTENT)

    with pytest.raises(InterruptedRunError) as caught:
        erase(wire, EraseRequest(whole_sectors(0, 0x1000), ROM), Stopping(stage, how))
    assert str(caught.value) == f"interrupted: {left}"
    assert is_open(wire)
    assert (flash(wire, 0, 0x2000) == CONTENT) == (stage == "connect")
