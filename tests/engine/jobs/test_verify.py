"""The job ``verify``: whether a flash holds what ``flash`` would write there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.flash import FlashRequest, flash
from imgtool.engine.jobs.verify import VerifyRequest, verify
from imgtool.engine.ports import open_wire
from imgtool.errors import InterruptedRunError, LayoutError
from tests.engine.jobs.boards import ROM, STOPS, Stopping, board
from tests.support import IMAGES, Command, Put

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATA: Final = b"settings".ljust(4096, b"\x5a")
FILE: Final = InputFile("data.bin", DATA, 0x40000)


@pytest.mark.usefixtures("no_port_set")
@pytest.mark.parametrize("right", [True, False])
def test_the_command_prints_the_document(imgtool: Command, put: Put, folder: Path, right: bool) -> None:
    put("data.bin", DATA)
    held = bytearray(b"\xff" * 0x80000)
    held[0x40000:0x41000] = DATA if right else DATA[::-1]
    (folder / "f.bin").write_bytes(held)

    run = imgtool(
        "verify",
        "0x40000",
        "data.bin",
        "--stub",
        "none",
        "-fs",
        "keep",
        "-p",
        "sim:512KB,flash=f.bin",
        "--json",
    )
    wire = open_wire("sim:512KB,flash=f.bin")
    result = verify(wire, VerifyRequest(files=(FILE,), size="keep", connect=ROM))
    wire.close()

    assert json.loads(run.out) == json.loads(json.dumps(result.document))
    assert (run.code, result.ok, result.code) == (0 if right else 1, right, 0 if right else 1)


def test_words_name_the_sector_and_what_it_means() -> None:
    wire = board(b"\xff" * 0x40000 + DATA[::-1])

    result = verify(wire, VerifyRequest(files=(FILE,), size="keep", connect=ROM))

    assert [each.address for each in result.differences] == [0x40000]
    assert result.words.verdict.startswith("the flash differs in 1 sector: 4,096 bytes compared in ")
    (table,) = result.words.tables
    assert table.title == "0x040000"


def test_it_is_the_plan_of_flash() -> None:
    image = InputFile("image.bin", IMAGES["sample/0x00000.bin"][:4096].ljust(4096, b"\0"))
    wire = board(spec="1MB")
    force = frozenset({"damaged", "fit", "place"})
    wrote = flash(
        wire,
        FlashRequest(files=(image,), init_data="none", force=force, boot_check=False, connect=ROM),
    )

    result = verify(wire, VerifyRequest(files=(image,), connect=ROM))

    assert wrote.plan is not None
    assert result.plan is not None
    assert (result.plan.pieces, result.changes) == (wrote.plan.pieces, wrote.plan.changes)
    assert result.ok


def test_files_as_they_are_must_have_room() -> None:
    with pytest.raises(LayoutError, match="beyond the end of the flash"):
        verify(board(), VerifyRequest(files=(InputFile("x.bin", DATA, 0x80000),), size="keep", connect=ROM))


@pytest.mark.parametrize("how", STOPS)
def test_stopped(how: Callable[[], BaseException]) -> None:
    with pytest.raises(InterruptedRunError, match="interrupted: the flash is as it was"):
        verify(board(), VerifyRequest(files=(FILE,), size="keep", connect=ROM), Stopping("verify", how))
