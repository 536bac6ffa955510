"""The jobs ``read`` and ``read_rom``: flash content, and the boot ROM, as bytes and as a named file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import PurePath

import pytest

from imgtool.engine.jobs.read import ReadRequest, ReadRomRequest, read, read_rom
from imgtool.errors import InterruptedRunError, LayoutError, UsageError
from tests.device.boards import made_up_rom, rom_board
from tests.engine.jobs.boards import MAC, ROM, STOPS, Stopping, board, flash, is_open
from tests.support import Command, Put

MOMENT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
CONTENT = bytes(range(256)) * 4
MADE_UP = made_up_rom()
DIGEST = hashlib.sha256(MADE_UP).hexdigest()


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


# The boot ROM.


def test_the_boot_rom() -> None:
    wire = rom_board(MADE_UP)
    events: list[str] = []
    request = ReadRomRequest(output="rom.bin", sha256=DIGEST)
    result = read_rom(wire, request, lambda event: events.append(event.stage))

    assert (result.ok, result.code, result.address, result.data) == (True, 0, 0x4000_0000, MADE_UP)
    assert result.outputs == (("rom.bin", MADE_UP),)
    assert result.words.verdict.startswith("rom.bin: the boot ROM, 65,536 bytes from 0x40000000 on, in ")
    assert (result.words.notes, result.document["warnings"]) == ((), [])
    # No stub is loaded for it, of itself.
    assert (set(events), is_open(wire)) == ({"connect", "read"}, True)
    fields = result.document["results"][0]
    assert [fields[name] for name in ("stub", "path", "address", "size", "sha256", "known")] == [
        "rom",
        "rom.bin",
        0x4000_0000,
        0x1_0000,
        DIGEST,
        True,
    ]


@pytest.mark.long
def test_another_boot_rom_is_given_back_with_a_warning() -> None:
    result = read_rom(rom_board(MADE_UP), ReadRomRequest(output="rom.bin", connect=ROM))

    assert (result.ok, result.code, result.outputs) == (False, 1, (("rom.bin", MADE_UP),))
    assert result.words.verdict.startswith("rom.bin: not the boot ROM that is known, 65,536 bytes")
    assert result.words.notes == tuple(result.document["warnings"])
    assert "it came twice alike" in result.words.notes[0]
    assert (result.document["ok"], result.document["results"][0]["known"]) == (False, False)


def test_a_virtual_chip_without_a_boot_rom() -> None:
    result = read_rom(board(), ReadRomRequest(connect=ROM))

    assert (result.code, result.outputs, result.data[:0x1000]) == (1, (), bytes(0x1000))
    assert result.words.notes[0].startswith("there is no boot ROM")
    assert "rom=FILE" in result.words.notes[0]


@pytest.mark.parametrize("stage", ["connect", "read", "note", "verify"])
def test_a_reading_of_the_boot_rom_is_stopped(stage: str) -> None:
    wire = rom_board(MADE_UP)

    with pytest.raises(InterruptedRunError) as caught:
        read_rom(wire, ReadRomRequest(output="x", connect=ROM), Stopping(stage))
    assert str(caught.value) == "interrupted: the flash is as it was, and no file was written"
    assert is_open(wire)
