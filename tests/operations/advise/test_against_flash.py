"""What ``imgtool advise`` and ``imgtool flash`` say of one and the same upgrade: nothing that contradicts."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Final

import pytest

from fixtures import blocks, dumps
from fixtures.upgrades import MB, before_3, flash, from_3, lfs_region, spiffs, used, used_3
from imgtool.engine.spelling import Names
from imgtool.engine.upgrades import advise_request
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.draft import FlashRequest, Target
from imgtool.operations.flashing.plan import plan_flash
from imgtool.operations.upgrade.side import OldFlash
from imgtool.operations.upgrade.values import AdviceVerdict, Topic
from tests.support import IMAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.operations.inspect.device_settings import Reader

ERASED: Final = b"\xff"
FILES: Final = spiffs(16)
OLD_FILES: Final = spiffs(16, old=True)
PLAIN: Final = spiffs(8, 0x1000, magic=False)


def with_lfs() -> bytes:
    return used_3(from_3(lfs=0x10000), {0x20000: lfs_region(0x1000), 0x30000: FILES}, MB)


def fixture(name: str) -> Callable[[], bytes]:
    return lambda: IMAGES[name]


OLD: Final[dict[str, Callable[[], bytes]]] = {
    "blank": lambda: ERASED * MB,
    "noise": lambda: blocks.stream("advise/noise", MB),
    "zeros": lambda: bytes(MB),
    "no image, SPIFFS": lambda: dumps.flash(MB, {0x30000: FILES}),
    "no image, SPIFFS at 1 MB": lambda: dumps.flash(4 * MB, {0x100000: FILES}),
    "no image, old SPIFFS": lambda: dumps.flash(MB, {0x30000: OLD_FILES}),
    "noise, SPIFFS": lambda: blocks.stream("advise/noise", 0x30000) + FILES.ljust(MB - 0x30000, ERASED),
    "no image, settings": lambda: ERASED * blocks.SECTOR + with_lfs()[blocks.SECTOR :],
    "0.9.5": lambda: used(before_3("0.9.5"), {0x20000: PLAIN}, MB),
    "1.5.4.1": lambda: used(before_3("1.5.4.1-20161201"), {0x30000: OLD_FILES}, MB),
    "2.0": lambda: used(before_3("2.0.0"), {0x30000: OLD_FILES}, MB),
    "2.2": lambda: used(before_3("2.2.1"), {0x30000: FILES}, MB),
    "2.2 at 1 MB": lambda: used(before_3("2.2.1"), {0x100000: FILES}, 4 * MB),
    "2.2, header 4MB": lambda: flash(before_3("2.2.1"), {**dumps.sdk_sectors(MB), 0x30000: FILES}, MB, 4),
    "3": lambda: used_3(from_3(), {0x20000: FILES}, MB),
    "3 with LFS": with_lfs,
    "3, stale SPIFFS": lambda: used_3(from_3(lfs=0x10000), {0x30000: FILES, 0x80000: FILES}, MB),
    "3.0 of 2019": lambda: used_3(from_3(early=True), {0x20000: FILES}, MB, early=True),
    "init data": fixture("dumps/wiped-1m.bin"),
    "Arduino": fixture("dumps/arduino-4m.bin"),
    "MicroPython": fixture("generations/micropython.bin"),
    "rBoot": fixture("dumps/rboot-1m.bin"),
    "RTOS SDK 3": fixture("dumps/rtos3-1m.bin"),
}
NEW: Final[dict[str, Callable[[], bytes]]] = {
    "0.9.5": lambda: before_3("0.9.5"),
    "1.5.4.1": lambda: before_3("1.5.4.1-20161201"),
    "2.0": lambda: before_3("2.0.0"),
    "2.2": lambda: before_3("2.2.1"),
    "2.2, larger": lambda: before_3("2.2.1", 0x30000),
    "3": from_3,
    "3, larger": lambda: from_3(0x40000),
    "3 with LFS": lambda: from_3(lfs=0x10000),
    "3, SPIFFS of 256 KB": lambda: from_3(spiffs=0x40000),
    "3.0 of 2019": lambda: from_3(early=True),
}
# As many as there are old flashes, twice: each with two of the new images, and each of those four times.
SOME: Final = [
    (old, list(NEW)[(place * step + step) % len(NEW)]) for step in (1, 3) for place, old in enumerate(OLD)
]
ALL: Final = [pair for pair in product(OLD, NEW) if pair not in SOME]
LOST: Final = (AdviceVerdict.FORMATTED, AdviceVerdict.OVERWRITTEN, AdviceVerdict.LOST)


def reader(data: bytes) -> Reader:
    return lambda address, size: data[address : address + size].ljust(size, ERASED)


@cache
def old_of(name: str) -> bytes:
    return OLD[name]()


def contradictions(old: str, new: str) -> list[str]:
    """What the two commands say differently of a device; ``flash`` may know less, never something else."""
    data = old_of(old)
    request = FlashRequest((Piece(0, NEW[new](), "new.bin"),), init_data=InitDataSource())
    plan = plan_flash(request, Target("ESP8266EX", False, "", b"", len(data)), reader(data))
    advice = advise_request(OldFlash(reader(data), len(data), len(data), "device"), request, Names())
    points = {point.topic: point for point in reversed(advice.points)}
    told = {finding.code: finding.message for finding in plan.findings}

    def lost(topic: Topic) -> bool:
        return topic in points and points[topic].verdict in LOST

    found = []
    first = points.get(Topic.FIRST_BOOT)
    if (first is not None) != ("first-boot" in told):
        found.append(f"first boot: {first} and {told}")
    elif first is not None and first.reason not in told["first-boot"]:
        found.append(f"first boot: {first.reason!r} and {told['first-boot']!r}")
    verdicts = [code.removeprefix("files-") for code in told if code.startswith("files-")]
    if verdicts and verdicts != [str(points[Topic.FILES].verdict)]:
        found.append(f"files: {points[Topic.FILES]} and {verdicts}")
    if lost(Topic.FILES) and not verdicts and points[Topic.FILES].verdict is AdviceVerdict.LOST:
        found.append(f"files: {points[Topic.FILES]} and nothing")
    if "lfs-lost" in told and not lost(Topic.LFS):
        found.append(f"LFS: {points.get(Topic.LFS)} and {told['lfs-lost']!r}")
    if lost(Topic.LFS) and "lfs-lost" not in told and not old.startswith("2"):
        found.append(f"LFS: {points[Topic.LFS]} and nothing")
    if lost(Topic.SETTINGS) != bool({"settings-lost", "settings-replaced"} & set(told)):
        found.append(f"settings: {points.get(Topic.SETTINGS)} and {sorted(told)}")
    init = points.get(Topic.INIT_DATA)
    if init is not None and (init.verdict is AdviceVerdict.BOOT_LOOP) != ("init-data-missing" in told):
        found.append(f"init data: {init} and {sorted(told)}")
    return found


@pytest.mark.parametrize(("old", "new"), SOME)
def test_flash_and_advise_do_not_contradict_each_other(old: str, new: str) -> None:
    assert contradictions(old, new) == []


@pytest.mark.long
@pytest.mark.parametrize(("old", "new"), ALL)
def test_flash_and_advise_do_not_contradict_each_other_on_any_other_pair(old: str, new: str) -> None:
    assert contradictions(old, new) == []


def test_flash_says_that_a_device_without_firmware_is_formatted() -> None:
    data = old_of("no image, old SPIFFS")
    request = FlashRequest((Piece(0, before_3("2.2.1"), "new.bin"),), init_data=InitDataSource())
    plan = plan_flash(request, Target("ESP8266EX", False, "", b"", MB), reader(data))
    told = {finding.code: finding.message for finding in plan.findings}
    assert "it formats 0x030000" in told["first-boot"]


def test_flash_says_which_files_it_did_not_look_for() -> None:
    data = old_of("2.2")
    request = FlashRequest((Piece(0, from_3(), "new.bin"),), init_data=InitDataSource())
    plan = plan_flash(request, Target("ESP8266EX", False, "", b"", MB), reader(data))
    told = {finding.code: finding.message for finding in plan.findings}
    assert "files at other places were not looked for" in told["first-boot"]
