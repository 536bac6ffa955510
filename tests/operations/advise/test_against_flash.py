"""What ``imgtool advise`` and ``imgtool flash`` say of one and the same upgrade: nothing that contradicts."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Final

import pytest

from fixtures import blocks, dumps
from fixtures.upgrades import MB, before_3, flash, from_3, lfs_region, spiffs, used, used_3
from imgtool.engine.spelling import Names
from imgtool.errors import LayoutError
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.draft import Fate, PlanRequest, Target
from imgtool.operations.flashing.plan import plan_flash
from imgtool.operations.upgrade.side import OldFlash
from imgtool.operations.upgrade.values import AdviceVerdict, LossKind, Topic
from tests.advice import advise_request
from tests.support import IMAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from imgtool.operations.flashing.plan import FlashPlan
    from imgtool.operations.inspect.device_settings import Reader
    from imgtool.operations.upgrade.values import FirmwareAdvice

ERASED: Final = b"\xff"
FLASHES: Final = (MB // 2, MB, 2 * MB, 4 * MB)
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
    **{
        name: fixture(name)
        for name in IMAGES
        if name.startswith(("dumps/", "generations/")) and len(IMAGES[name]) in FLASHES
    },
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
KINDS_OF: Final = {
    Topic.FILES: LossKind.FILES,
    Topic.LFS: LossKind.LFS,
    Topic.SETTINGS: LossKind.SETTINGS,
    Topic.WIFI: LossKind.SETTINGS,
    Topic.FIRMWARE: LossKind.FIRMWARE,
    Topic.UNKNOWN_DATA: LossKind.UNKNOWN,
}


def reader(data: bytes) -> Reader:
    return lambda address, size: data[address : address + size].ljust(size, ERASED)


def right_on(data: bytes, pieces: Iterable[Piece]) -> frozenset[int]:
    """The sectors of a flash that hold already what they should."""
    return frozenset(
        (piece.address + at) // blocks.SECTOR
        for piece in pieces
        for at in range(0, len(piece.data), blocks.SECTOR)
        if data[piece.address + at :].startswith(piece.data[at : at + blocks.SECTOR])
    )


@cache
def old_of(name: str) -> bytes:
    return OLD[name]()


def contradictions(old: str, new: str) -> list[str]:
    """What the two commands say differently of a device, or of a dump of it."""
    data = old_of(old)
    request = PlanRequest((Piece(0, NEW[new](), "new.bin"),), init_data=InitDataSource())
    board = OldFlash(reader(data), len(data), len(data), "device")
    dump = OldFlash.of_dump(data, len(data), "flash-dump")
    found: list[str] = []
    target = Target("ESP8266EX", False, "", b"", len(data))
    try:
        plan = plan_flash(request, target, reader(data), lambda pieces: right_on(data, pieces))
    except LayoutError:
        verdicts = {point.verdict for point in advise_request(board, request, Names()).points}
        return found if AdviceVerdict.REFUSED in verdicts else ["flash alone refuses"]
    for name, before in (("board", board), ("dump", dump)):
        advice = advise_request(before, request, Names(), lambda pieces: right_on(data, pieces))
        found += [f"{name}: {words}" for words in _different(plan, advice)]
    return found


def _different(plan: FlashPlan, advice: FirmwareAdvice) -> Iterator[str]:
    told = {finding.code: finding.message for finding in plan.findings}
    if plan.losses != advice.losses:
        yield f"losses: {plan.losses} and {advice.losses}"
    losses = {(loss.kind, loss.verdict) for loss in plan.losses}
    points = {
        (KINDS_OF[p.topic], p.verdict) for p in advice.points if p.topic in KINDS_OF and p.verdict in LOST
    }
    if {loss for loss in losses if loss[1] in LOST} != points:
        yield f"losses {sorted(losses)} and points {sorted(points)}"
    moved = advice.point(Topic.WIFI)
    for verdict in (AdviceVerdict.MOVED, AdviceVerdict.REWRITTEN):
        if (LossKind.SETTINGS, verdict) in losses and (moved is None or moved.verdict is not verdict):
            yield f"Wi-Fi settings: {moved} and {sorted(losses)}"
    first = advice.point(Topic.FIRST_BOOT)
    if (None if first is None else f"first boot: {first.reason}") != told.get("first-boot"):
        yield f"first boot: {first} and {told.get('first-boot')!r}"
    files = advice.point(Topic.FILES)
    if files is not None and files.verdict in LOST:
        kept = [kept for kept in plan.kept if kept.name == "SPIFFS0" and kept.fate is Fate.UNTOUCHED]
        if kept and first is not None:
            yield f"files: {files} and {kept}"
    init = advice.point(Topic.INIT_DATA)
    if init is not None and (init.verdict is AdviceVerdict.BOOT_LOOP) != ("init-data-missing" in told):
        yield f"init data: {init} and {sorted(told)}"


@pytest.mark.parametrize(("old", "new"), SOME)
def test_flash_and_advise_do_not_contradict_each_other(old: str, new: str) -> None:
    assert contradictions(old, new) == []


@pytest.mark.long
@pytest.mark.parametrize(("old", "new"), ALL)
def test_flash_and_advise_do_not_contradict_each_other_on_any_other_pair(old: str, new: str) -> None:
    assert contradictions(old, new) == []


def test_flash_says_that_a_device_without_firmware_is_formatted() -> None:
    data = old_of("no image, old SPIFFS")
    request = PlanRequest((Piece(0, before_3("2.2.1"), "new.bin"),), init_data=InitDataSource())
    plan = plan_flash(request, Target("ESP8266EX", False, "", b"", MB), reader(data))
    told = {finding.code: finding.message for finding in plan.findings}
    assert "it formats 0x030000" in told["first-boot"]
