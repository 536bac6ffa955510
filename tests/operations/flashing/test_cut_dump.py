"""Dumps that are only a part of a flash: refused where what starts, or what it needs, is not in them."""

from __future__ import annotations

from typing import Final, NamedTuple

import pytest

from fixtures import blocks, dumps, firmwares, generations, nodemcu
from imgtool.errors import PartOfFlashError
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.plan import FlashPlan, PlanRequest, Reader, Target, plan_flash
from tests.support import IMAGES, over, said

MB: Final = 1 << 20
SECTOR: Final = 0x1000
FOUR_C1: Final = 0x60
USER1, USER2 = IMAGES["v2/user1.bin"], IMAGES["v2/user2.bin"]
ROM = IMAGES["v2/no-tail.bin"]
# The flags of a loader that names user2, in the copy that counts.
NAMES_USER2: Final = {4 * MB - 3 * SECTOR: b"\xfd\xe6" + b"\xff" * 0x60, 4 * MB - SECTOR: b"\0"}


def sdk(*users: int, size: int = 4 * MB, code: int = FOUR_C1, flags: dict[int, bytes] | None = None) -> bytes:
    """A flash of a device with Espressif's boot loader, as it is in use."""
    images = {at: USER1 if at == 0x1000 else USER2 for at in users}
    head = {0: dumps.boot_loader(IMAGES, code)}
    return dumps.flash(size, head | images | generations.five_sectors(size, 1) | (flags or {}))


def rboot(current: int, *roms: int) -> bytes:
    """A flash of 4 MB with rBoot."""
    contents = {
        0: dumps.sized(IMAGES["rboot/rboot.bin"], 0x40),
        0x1000: firmwares.rboot_config(0x2000, 0x202000, current=current),
    }
    images = dict.fromkeys(roms, ROM)
    return dumps.flash(4 * MB, contents | images | generations.five_sectors(4 * MB, 1))


def plan(data: bytes, *others: tuple[int, bytes], force: str = "", read: Reader | None = None) -> FlashPlan:
    pieces = (Piece(0, data, "dump.bin"), *(Piece(at, block, "other.bin") for at, block in others))
    request = PlanRequest(pieces, init_data=InitDataSource("keep"), force=frozenset(force.split()))
    return plan_flash(
        request, Target("ESP8266EX", embedded=False, mac="", flash_id=b"", flash_bytes=4 * MB), read
    )


class Part(NamedTuple):
    """A part of a flash, and words of what is said to be missing."""

    data: bytes
    words: tuple[str, ...]


REFUSED: Final = {
    "no user1, user2 behind the end": Part(
        sdk(0x101000)[:MB], ("user2 (0x101000)", "init data (0x3fc000) are not in it")
    ),
    "the loader alone": Part(sdk()[:MB], ("user2 (0x101000)", "init data (0x3fc000)")),
    "user1, and no init data": Part(sdk(0x1000)[:MB], ("init data (0x3fc000) is not in it",)),
    "both, of 1 MB in 4 MB": Part(
        sdk(0x1000, 0x81000, code=0x40)[:MB], ("init data (0x3fc000) is not in it",)
    ),
    "rBoot's ROM in force": Part(rboot(1, 0x2000, 0x202000)[:MB], ("ROM 1 (0x202000)",)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_part_without_what_it_needs_is_refused(name: str) -> None:
    part = REFUSED[name]

    with pytest.raises(PartOfFlashError) as error:
        plan(part.data)
    assert error.value.check == "damaged"
    assert [words for words in part.words if words not in str(error.value)] == []
    assert f"found {len(part.data):,} bytes" in str(error.value)


@pytest.mark.parametrize("name", REFUSED)
def test_a_part_can_be_written_all_the_same(name: str) -> None:
    assert "forced-damaged" in said(plan(REFUSED[name].data, force="damaged").findings, "warning")


@pytest.mark.parametrize(
    "data",
    [
        sdk(0x1000, 0x101000),
        sdk(0x101000, flags=NAMES_USER2),
        sdk(0x1000, 0x81000, size=MB, code=0x20),
        rboot(1, 0x2000, 0x202000),
    ],
    ids=["c1", "user2", "1 MB", "rboot"],
)
def test_a_whole_flash_is_not_refused(data: bytes) -> None:
    assert "cut-dump" not in said(plan(data).findings, "warning", "error")


def test_init_data_may_be_on_the_device_or_beside_the_file() -> None:
    data = sdk(0x1000)[:MB]
    device = over(b"\xff" * (4 * MB), [(0x3FC000, nodemcu.V05)])

    def read(address: int, size: int) -> bytes:
        return device[address : address + size]

    assert "cut-dump" in said(plan(data, read=read).findings, "warning")
    assert "cut-dump" in said(plan(data, (0x3FC000, nodemcu.V05)).findings, "warning")
    with pytest.raises(PartOfFlashError):
        plan(data, read=lambda _, size: b"\xff" * size)


def test_the_other_half_beside_it_makes_it_whole() -> None:
    whole = sdk(0x101000)

    found = plan(whole[:MB], (MB, whole[MB:]))
    assert said(found.findings, "error") == []


def test_the_end_of_a_flash_that_everything_starts_without_may_be_missing() -> None:
    # Arduino's core brings its init data along, and makes the SDK's parameters anew.
    found = plan(IMAGES["dumps/arduino-4m.bin"][: 2 * MB])

    assert "cut-dump" in said(found.findings, "warning")


def test_an_image_is_no_part_of_a_flash() -> None:
    for name in ("dumps/nodemcu-2.2-4m.bin", "rtos3/bootloader.bin"):
        head = IMAGES[name]
        found = plan(head)
        assert "cut-dump" not in said(found.findings, "warning", "error")


def test_what_is_longer_than_its_header_says_is_no_part() -> None:
    data = dumps.flash(2 * MB, {0: dumps.boot_loader(IMAGES, blocks.SIZE_1MB), 0x1000: USER1})

    assert "cut-dump" not in said(plan(data).findings, "warning", "error")
