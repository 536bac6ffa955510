"""The job ``read``: flash content as bytes and as a named file."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import PurePath

import pytest

from imgtool.engine.jobs.read import ReadRequest, read
from imgtool.errors import InterruptedRunError, LayoutError, UsageError
from tests.engine.jobs.boards import MAC, ROM, STOPS, Stopping, board, flash, is_open
from tests.support import Command, Put

MOMENT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
CONTENT = bytes(range(256)) * 4


@pytest.mark.usefixtures("no_port_set")
def test_the_command_prints_the_document(imgtool: Command, put: Put) -> None:
    put("f.bin", CONTENT.ljust(0x80000, b"\xff"))
    port = "sim:512KB,flash=f.bin"
    printed = json.loads(
        imgtool("read", "0x100", "0x40", "-o", "x", "-p", port, "--stub", "none", "--json").out
    )
    result = read(board(CONTENT), ReadRequest(address=0x100, size=0x40, output="x", connect=ROM))

    for document in (printed, result.document):
        # Another chip, by another name.
        assert document["results"][0].pop("port").startswith("sim:")
        del document["results"][0]["chip"]
    assert printed == result.document


def test_a_part_of_it() -> None:
    wire = board(CONTENT)
    events: list[str] = []
    request = ReadRequest(address=0x100, size=0x40, output="part.bin", connect=ROM)
    result = read(wire, request, lambda event: events.append(event.stage))

    assert (result.ok, result.code, result.address, result.data) == (True, 0, 0x100, CONTENT[0x100:0x140])
    assert result.outputs == (("part.bin", result.data),)
    assert result.words.verdict.startswith("part.bin: 64 bytes from 0x000100 on, in ")
    assert (set(events), is_open(wire)) == ({"connect", "read"}, True)


def test_no_file_is_asked_for() -> None:
    result = read(board(CONTENT), ReadRequest(size=16, connect=ROM))

    assert (result.data, result.outputs, result.document["results"][0]["path"]) == (CONTENT[:16], (), None)
    assert result.words.verdict.startswith("16 bytes from ")


@pytest.mark.parametrize("folder", [None, "all"])
def test_a_backup_is_named_by_chip_and_moment(folder: str | None) -> None:
    request = ReadRequest(address=0x7FF00, output=folder, backup=MOMENT, connect=ROM)
    result = read(board(), request)

    name = str(PurePath(folder or "") / f"imgtool-{MAC.replace(':', '')}-20260203-040506.bin")
    assert result.outputs == ((name, b"\xff" * 0x100),)
    assert result.document["results"][0]["path"] == name


@pytest.mark.parametrize(("address", "size"), [(0, 0), (0, -1), (-4, None)])
def test_what_makes_no_sense(address: int, size: int | None) -> None:
    with pytest.raises(UsageError):
        ReadRequest(address=address, size=size)


@pytest.mark.parametrize(("address", "size"), [(0x7F000, 0x2000), (0x80000, None)])
def test_beyond_the_end(address: int, size: int | None) -> None:
    with pytest.raises(LayoutError, match="beyond the end of the flash"):
        read(board(), ReadRequest(address=address, size=size, connect=ROM))


@pytest.mark.parametrize("stage", ["connect", "read"])
@pytest.mark.parametrize("how", STOPS)
def test_stopped(how: Callable[[], BaseException], stage: str) -> None:
    wire = board(CONTENT)
    before = flash(wire)

    with pytest.raises(InterruptedRunError) as caught:
        read(wire, ReadRequest(size=64, output="x", connect=ROM), Stopping(stage, how))
    assert str(caught.value) == "interrupted: the flash is as it was, and no file was written"
    assert (flash(wire), is_open(wire)) == (before, True)
    assert read(wire, ReadRequest(size=64, connect=ROM)).data == CONTENT[:64]
