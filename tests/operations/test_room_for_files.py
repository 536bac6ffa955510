"""A NodeMCU without room for files: what each operation says, and nothing where it is just enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from fixtures.upgrades import MB, before_3, flash, from_3, spiffs
from imgtool.chip import SECTOR
from imgtool.layout.file_room import NO_ROOM
from imgtool.layout.generations import GENERATIONS
from imgtool.layout.traits import FilePlace
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.fullimage import Extras, fullimage
from imgtool.operations.assemble.merge import merge
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.flashing.draft import PlanRequest, Target
from imgtool.operations.flashing.plan import FlashPlan, plan_flash
from imgtool.operations.inspect.describe import PLENTY_BEHIND_IROM, describe
from imgtool.operations.upgrade.side import OldFlash
from imgtool.operations.upgrade.values import AdviceVerdict, Topic
from tests.advice import advise
from tests.support import codes, read_case, said

if TYPE_CHECKING:
    from pathlib import Path

    from imgtool.layout.traits import Generation

FLASH: Final = 0x8_0000
FITS: Final = 0x6_6000  # bytes of irom: five sectors are left
LACKS: Final = 0x6_7000  # three
ERASED: Final = b"\xff" * FLASH
LARGE_LFS: Final = 0xD_C000  # up to 0xFC000
CASE: Final = "35-nodemcu-no-room-for-files"
BAD: Final = ("one-sector.bin", "none.bin")
RELEASES: Final = ("1.5.4.1-20160802", "2.0.0", "2.1.0-20170811", "2.2.1")


def plan(image: bytes, size: int, *, seen: bytes | None = None, choice: str = "detect") -> FlashPlan:
    target = Target("ESP8266EX", False, "", b"", size)
    request = PlanRequest((Piece(0, image, "new.bin"),), init_data=InitDataSource(), size_choice=choice)
    return plan_flash(request, target, None if seen is None else OldFlash.of_dump(seen, size, "").read)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(("irom", "lacks"), [(FITS, False), (LACKS, True)])
def test_before_3(release: str, irom: int, *, lacks: bool) -> None:
    image = before_3(release, irom)
    made = fullimage([Piece(0, image, "new.bin")], "512KB")
    merged = merge([Piece(0, image, "new.bin")], header=HeaderChange(size="512KB"))
    padded = merge([Piece(0, image, "new.bin")], pad_to=FLASH)
    advice = advise(ERASED, image)

    told = [(*made.findings, *made.description.findings), describe(made.data).findings]
    told += [merged.findings, padded.findings, plan(image, FLASH).findings]
    told += [plan(image, FLASH, seen=ERASED).findings, plan(made.data, FLASH).findings]
    assert [said(each, "warning").count(NO_ROOM) for each in told] == [int(lacks)] * len(told)
    missing = [point.verdict for point in advice.points if point.topic is Topic.FILE_ROOM]
    assert (missing, advice.ok) == ([AdviceVerdict.MISSING] if lacks else [], not lacks)
    formats = [point for point in advice.points if point.topic is Topic.FIRST_BOOT]
    assert bool(formats) != lacks
    assert "Flash it." not in [cure.text for cure in advice.cures] or not lacks


@pytest.mark.parametrize(
    ("early", "size", "lacks"),
    [(False, 0x4000, False), (False, 0x2000, True), (True, 0x6000, False), (True, 0x4000, True)],
)
def test_from_3(size: int, *, early: bool, lacks: bool) -> None:
    image = from_3(early=early, spiffs=size)
    made = fullimage([Piece(0, image, "new.bin")], "1MB")

    told = [(*made.findings, *made.description.findings), plan(image, MB).findings]
    told += [plan(image, MB, seen=b"\xff" * MB).findings]
    assert [codes(tuple(each)).count(NO_ROOM) for each in told] == [int(lacks)] * len(told)
    assert advise(b"\xff" * MB, image).ok != lacks


def test_what_lfs_leaves_depends_on_the_flash() -> None:
    image = from_3(lfs=LARGE_LFS)

    assert NO_ROOM in codes(plan(image, MB).findings)
    assert NO_ROOM not in codes(plan(image, 4 * MB).findings)


def test_an_image_alone_is_for_any_flash() -> None:
    image = bytearray(before_3("2.2.1", LACKS))
    assert NO_ROOM not in codes(describe(bytes(image)).findings)  # the header says 1 MB

    image[3] &= 0x0F
    assert NO_ROOM in said(describe(bytes(image)).findings, "note")
    assert NO_ROOM not in codes(plan(bytes(image), 4 * MB).findings)
    assert NO_ROOM not in codes(plan(bytes(image), 4 * MB, choice="512KB").findings)  # it corrects that
    assert NO_ROOM in codes(plan(bytes(image), FLASH, choice="512KB").findings)


def test_a_file_system_that_comes_along_is_used() -> None:
    image = before_3("2.2.1", 0xD_1000)  # up to 0xE1000 of 1 MB
    files = Piece(-1, spiffs(8, 0x1000), "files.bin")
    bare = fullimage([Piece(0, image, "new.bin")], "1MB")
    filled = fullimage([Piece(0, image, "new.bin")], "1MB", Extras(filesystem=files))

    assert NO_ROOM in codes((*bare.findings, *bare.description.findings))
    assert NO_ROOM not in codes((*filled.findings, *filled.description.findings))


def test_files_of_before_are_kept_where_the_new_one_mounts_them() -> None:
    image = before_3("2.2.1", 0xD_1000)
    old = flash(before_3("2.2.1"), {0xF0000: spiffs(8, 0x1000)}, MB)
    advice = advise(old, image)

    assert [p.verdict for p in advice.points if p.topic is Topic.FILES] == [AdviceVerdict.KEPT]
    assert not [p for p in advice.points if p.topic is Topic.FILE_ROOM]
    assert NO_ROOM not in codes(plan(image, MB, seen=old).findings)


def test_files_of_before_are_lost_and_no_new_ones_can_be_kept() -> None:
    old = flash(before_3("2.2.1"), {0x28000: spiffs(8, 0x1000)}, FLASH)
    advice = advise(old, before_3("2.2.1", LACKS))
    verdicts = {point.topic: point.verdict for point in advice.points}

    assert verdicts[Topic.FILES] is AdviceVerdict.OVERWRITTEN
    assert verdicts[Topic.FILE_ROOM] is AdviceVerdict.MISSING
    assert [str(loss.kind) for loss in advice.losses].count("files") == 1


def test_the_warning_refuses_nothing() -> None:
    found = plan(before_3("2.2.1", LACKS), FLASH, seen=ERASED)

    assert (found.losses, NO_ROOM in codes(found.findings)) == ((), True)


@pytest.mark.parametrize("name", BAD)
def test_the_reported_case(corpus: Path, name: str) -> None:
    image = read_case(corpus, CASE, name)
    made = fullimage([Piece(0, image, name)], "512KB")
    advice = advise(ERASED, image)

    assert NO_ROOM in said((*made.findings, *made.description.findings), "warning")
    assert NO_ROOM in said(plan(image, FLASH).findings, "warning")
    assert (advice.ok, [p.ok for p in advice.points if p.topic is Topic.FILE_ROOM]) == (False, [False])
    assert not [p for p in advice.points if p.topic is Topic.FIRST_BOOT]


def test_no_real_image_is_warned_of(corpus: Path) -> None:
    paths = [path for path in corpus.rglob("*") if path.is_file()]

    assert [path.name for path in paths if NO_ROOM in codes(describe(path.read_bytes()).findings)] == []


@pytest.mark.parametrize(
    "row", [row for row in GENERATIONS if row.files is not None], ids=lambda row: row.name
)
def test_no_rule_takes_more_than_what_is_plenty(row: Generation) -> None:
    """`inspect` asks the rules where less is left, as most firmware has far more."""
    rule = row.files
    assert rule is not None
    if rule.place is FilePlace.BEHIND:
        most = (rule.gap or 0) + rule.step + rule.kept_sectors * SECTOR + rule.least_room
        assert most < PLENTY_BEHIND_IROM
