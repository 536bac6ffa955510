"""The firmware of a flash is the one that starts, whatever lies behind it."""

from __future__ import annotations

import pytest

from fixtures import blocks, dumps, generations
from fixtures.upgrades import MB, before_3, flash, from_3, used_3
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES

LARGE = 0x40000
ERASED = b"\xff"


def over(new: bytes, old: bytes) -> bytes:
    """A flash that a shorter firmware was written to, in whole sectors."""
    written = new.ljust(-(-len(new) // blocks.SECTOR) * blocks.SECTOR, ERASED)
    return written + old[len(written) :]


@pytest.mark.parametrize(
    ("new", "version", "sdk"),
    [
        ("0.9.5", "0.9.5", None),
        ("1.4.0", "1.4.0", None),
        ("1.5.4.1-20161201", "1.5.4.1", "1.5.4.1(39cb9a32)"),
        ("2.2.1", "2.2.1", "2.2.1(6ab97e9)"),
    ],
)
@pytest.mark.parametrize("short", [4, 1500])  # bytes that the image has less than its last sector
def test_remnants_of_a_larger_nodemcu_3_do_not_name_the_sdk(
    new: str, version: str, sdk: str | None, short: int
) -> None:
    old = used_3(from_3(LARGE), {}, MB)
    image = before_3(new, 0x10000 - 64 - short)
    found = describe(flash(over(image, old), {}, MB)).firmware
    assert found is not None
    assert (found.name, found.version, found.sdk) == ("NodeMCU", version, sdk)


def test_remnants_do_not_name_the_banner() -> None:
    old = before_3("0.9.5", 0x30000)
    found = describe(flash(over(before_3("2.2.1", 0x10000 - 200), old), {}, MB)).firmware
    assert found is not None
    assert (found.version, found.sdk) == ("2.2.1", "2.2.1(6ab97e9)")


@pytest.mark.parametrize(("user", "sdk"), [(1, "2.2.1(6ab97e9)"), (2, "3.0.6(072755c)")])
def test_the_slot_that_starts_names_the_firmware(user: int, sdk: str) -> None:
    user2 = generations.slot_of(IMAGES["v2/user2.bin"], (b"2.2.1(6ab97e9)", b"3.0.6(072755c)"))
    contents = {0: dumps.boot_loader(IMAGES), 0x1000: IMAGES["v2/user1.bin"], 0x81000: user2}
    description = describe(generations.flash(MB, contents | generations.five_sectors(MB, user)))
    assert description.state is not None
    assert description.state.active_slot is not None
    assert description.state.active_slot.name == f"user{user}"
    assert description.firmware is not None
    assert description.firmware.sdk == sdk
