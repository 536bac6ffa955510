"""Reported files, each with the operation that it was reported of; the kinds have tests of their own.

More of them are in assemble/test_partitions.py and test_room_for_files.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from imgtool.errors import FormatError, PartOfFlashError
from imgtool.formats.reading import FileKind
from imgtool.formats.registry import identify
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.building.images import build
from imgtool.operations.flashing.draft import PlanRequest, Target
from imgtool.operations.flashing.plan import FlashPlan, plan_flash
from imgtool.operations.inspect.describe import describe
from tests.support import read_case, said

if TYPE_CHECKING:
    from pathlib import Path

MB: Final = 1 << 20


def plan(data: bytes, *force: str) -> FlashPlan:
    request = PlanRequest(
        (Piece(0, data, "file.bin"),), init_data=InitDataSource("keep"), force=frozenset(force)
    )
    return plan_flash(request, Target("ESP8266EX", False, "", b"", 4 * MB))


def test_an_entry_point_that_no_memory_holds(corpus: Path) -> None:
    data = read_case(corpus, "fuzz", "04-entry0.bin")

    assert said(describe(data).findings, "error") == ["entry"]
    with pytest.raises(FormatError, match="entry point is 0x00000000") as caught:
        plan(data)
    assert (caught.value.offset, caught.value.check) == (4, "damaged")
    assert "forced-damaged" in said(plan(data, "damaged").findings, "warning")


def test_a_second_byte_that_is_damaged(corpus: Path) -> None:
    data = read_case(corpus, "fuzz", "03-v2-byte1.bin")

    assert (identify(data).kind, describe(data).ok) == (FileKind.IMAGE_V2, False)


def test_a_boot_loader_with_the_second_slot_alone(corpus: Path) -> None:
    found = describe(read_case(corpus, "22-loader-and-user2-only", "dump.bin"))

    assert found.state is not None
    active = found.state.active_slot
    assert active is not None
    assert (str(active.scheme), active.name, active.offset) == ("espressif", "user2", 0x81000)
    assert str(found.parts[0].kind) == "bootloader"


def test_a_part_of_a_dump_for_a_large_flash(corpus: Path) -> None:
    with pytest.raises(PartOfFlashError) as caught:
        plan(read_case(corpus, "31-cut-dump-to-large-flash", "backup.bin"))

    assert "user2 (0x101000)" in str(caught.value)
    assert "init data (0x3fc000)" in str(caught.value)


def test_a_program_of_the_rtos_sdk_becomes_one_application(corpus: Path) -> None:
    built = build(read_case(corpus, "32-rtos-elf", "app.elf"))
    (file,) = built.files

    assert (built.version, file.address) == (3, 0x10000)
    assert (describe(file.data).kind, describe(file.data).ok) == (FileKind.RTOS_APP, True)
