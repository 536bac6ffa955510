"""Files kept through an upgrade: from each release of NodeMCU to each other one, judged by a model of it.

The plan is laid over the flash as the device would hold it; what the new release mounts, and what it reads,
is told by tests/nodemcu_files.py and tests/spiffs_model.py.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations_with_replacement, permutations
from typing import Final

import pytest

from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.draft import PlanRequest, Target
from imgtool.operations.flashing.plan import FlashPlan, plan_flash
from imgtool.operations.upgrade.values import AdviceVerdict, LossKind
from tests.nodemcu_files import FILES, RELEASES, SIZES, Release, contents, mounted, with_files

BY_NAME: Final = {release.name: release for release in RELEASES}
IROM_END: Final = 0x20000
KB: Final = 1 << 10

# Each release to itself and to each later one, on each size that both run on.
LATER: Final = [
    (old.name, new.name, size)
    for old, new in combinations_with_replacement(RELEASES, 2)
    for size in SIZES
    if size in old.sizes and size in new.sizes
]
BACK: Final = [
    (old.name, new.name, 1 << 20)
    for old, new in permutations(RELEASES, 2)
    if RELEASES.index(new) < RELEASES.index(old)
]
SOME: Final = [case for number, case in enumerate(LATER) if number % 10 == 0 and case[2] <= 4 << 20]


@cache
def old_flash(name: str, size: int) -> bytes:
    return with_files(BY_NAME[name], size, IROM_END)


def plan_of(flash: bytes, new: Release, **more: object) -> FlashPlan:
    target = Target("ESP8266EX", embedded=False, mac="", flash_id=b"", flash_bytes=len(flash))
    request = PlanRequest((Piece(0, new.image(), "new.bin"),), init_data=InitDataSource(), **more)  # type: ignore[arg-type]
    return plan_flash(request, target, lambda at, size: flash[at : at + size])


def after(flash: bytes, plan: FlashPlan) -> bytes:
    written = bytearray(flash)
    for piece in plan.pieces:
        written[piece.address : piece.address + len(piece.data)] = piece.data
    return bytes(written)


def check_kept(old: str, new: str, size: int) -> FlashPlan:
    flash, release = old_flash(old, size), BY_NAME[new]
    plan = plan_of(flash, release, keep_files=True)
    written = after(flash, plan)

    found = mounted(release, written, IROM_END)
    assert found is not None, "it formats"
    start, model = found
    assert contents(model) == FILES
    assert model.check() == []
    assert plan.files is not None
    assert start == plan.files.start
    assert not [loss for loss in plan.losses if loss.kind is LossKind.FILES]
    assert plan.files.point is not None
    assert plan.files.point.verdict is AdviceVerdict.KEPT
    # It goes on as any other one: writes, rewrites, removes.
    assert model.write(b"more.lua", bytes(5000))
    assert model.write(b"init.lua", b"other")
    model.remove(b"long.bin")
    assert model.check() == []
    return plan


@pytest.mark.parametrize(("old", "new", "size"), SOME, ids=str)
def test_files_are_there_after_an_upgrade(old: str, new: str, size: int) -> None:
    check_kept(old, new, size)


@pytest.mark.long
@pytest.mark.parametrize(
    ("old", "new", "size"), [*(case for case in LATER if case not in SOME), *BACK], ids=str
)
def test_files_are_there_after_every_upgrade(old: str, new: str, size: int) -> None:
    check_kept(old, new, size)
