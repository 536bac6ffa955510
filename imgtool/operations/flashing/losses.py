"""What a flash plan destroys or puts out of reach on its device, and what the first boot makes of the rest.

The rules are those of ``imgtool advise`` (upgrade/stakes.py), asked about what few reads show
(upgrade/glance.py).  Not the plan itself: that is plan.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import SECTOR
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import Finding, PartKind, Severity
from imgtool.layout.generations import generation_of
from imgtool.layout.traits import Magics
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.inspect.device_settings import starts_eboot
from imgtool.operations.upgrade.files import in_use
from imgtool.operations.upgrade.glance import glance
from imgtool.operations.upgrade.look import side_after, side_before
from imgtool.operations.upgrade.regions import init_data_points
from imgtool.operations.upgrade.side import OldFlash
from imgtool.operations.upgrade.stakes import losses_of, points_at_stake
from imgtool.operations.upgrade.values import AdvicePoint, AdviceVerdict, Topic

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from imgtool.operations.flashing.checks import FlashContent
    from imgtool.operations.flashing.draft import Device, Draft
    from imgtool.operations.upgrade.side import FlashSide
    from imgtool.operations.upgrade.values import Loss

__all__ = ["FIRST_START", "Stakes", "brings_files", "what_is_lost"]

FIRST_START: Final = "first-boot"
"""Code of the finding that the firmware makes a file system at its first start."""

_WORDS: Final = {
    Topic.FILES: ("files", "files"),
    Topic.LFS: ("lfs", "LFS"),
    Topic.SETTINGS: ("settings", "settings"),
    Topic.WIFI: ("wifi", "Wi-Fi settings"),
    Topic.FIRST_BOOT: (FIRST_START, "first boot"),
}
_TOLD_BY: Final = {
    (Topic.SETTINGS, AdviceVerdict.LOST): "settings-replaced",
    (Topic.FILES, AdviceVerdict.OVERWRITTEN): "filesystem-overwritten",
}
"""What the other steps of a plan have said of these, by the code of their finding."""
_MOSTLY: Final = 0.5


class Stakes(NamedTuple):
    """What comes of a write for what is on the device.

    Attributes:
        points: What becomes of it, topic by topic; none where nothing was looked at.
        losses: What of it is lost.
        findings: What is to be said of both.
    """

    points: tuple[AdvicePoint, ...] = ()
    losses: tuple[Loss, ...] = ()
    findings: tuple[Finding, ...] = ()


def what_is_lost(
    pieces: Sequence[Piece],
    draft: Draft,
    content: FlashContent,
    device: Device,
    right: Collection[int] | None,
) -> Stakes:
    """What a device loses by a write.

    Args:
        pieces: What is written: whole sectors.
        draft: What was said so far.
        content: What the pieces are.
        device: The device.
        right: Numbers of the sectors that hold already what they should; None where that is not known.
    """
    capacity = device.target.flash_bytes
    if device.read is None or capacity is None or not (pieces or device.erased):
        return Stakes()
    if not device.erased and _is_repair(pieces, right):
        return Stakes()
    before = glance(device.read, capacity)
    if _wants_a_name(before, content):
        before = side_before(OldFlash(device.read, capacity, capacity, "device"))
    after = _after(before, pieces, content, device, right)
    if content.main is None and not device.erased:
        points = _written_over(before, after, content)
    else:
        points = points_at_stake(before, after, made=brings_files(content))
    losses = losses_of(points, before)
    lost = {loss.reason for loss in losses}
    told = {finding.code for finding in draft.findings}
    said = [
        point
        for point in points
        if (point.reason in lost or point.topic is Topic.FIRST_BOOT)
        and _TOLD_BY.get((point.topic, point.verdict)) not in told
    ]
    findings = [_finding(point) for point in said]
    if "init-data-missing" not in told:
        findings += _no_start(before, after)
    return Stakes(tuple(points), losses, tuple(findings))


def brings_files(content: FlashContent) -> bool:
    """Whether a file system is among what is written."""
    if any(KINDS[each.kind].region is PartKind.SPIFFS for _, each in content.pieces):
        return True
    parts = () if content.main is None else content.main.parts
    return any(part.kind is PartKind.SPIFFS for part in parts)


def _is_repair(pieces: Sequence[Piece], right: Collection[int] | None) -> bool:
    """Whether the device holds this firmware already: all of it, or its start and most of the rest."""
    if not right or not pieces or pieces[0].address:
        return False
    sectors = sum(-(-len(piece.data) // SECTOR) for piece in pieces)
    return len(right) == sectors or (0 in right and len(right) > _MOSTLY * sectors)


def _wants_a_name(before: FlashSide, content: FlashContent) -> bool:
    """Whether it matters which firmware is on the device: then all of it is read, which takes seconds."""
    main = content.main
    if main is None or before.header is None or before.page is not None:
        return False
    if KINDS[main.kind].first_half or content.start:
        return True  # what is written starts with what is there
    without = any(each.formula == Magics.NONE for each in before.filesystems)
    foreign = not generation_of(main.firmware).is_nodemcu
    return without or (foreign and bool(before.filesystems) and not starts_eboot(before.read))


def _after(
    before: FlashSide,
    pieces: Sequence[Piece],
    content: FlashContent,
    device: Device,
    right: Collection[int] | None,
) -> FlashSide:
    if device.erased:
        erased = replace(before, read=lambda _, size: b"\xff" * size)
        after = side_after(erased, pieces, content.main, content.start)
        return replace(after, written=((0, before.capacity),))
    after = side_after(before, pieces, content.main, content.start)
    if not right:
        return after
    changed = (
        (piece.address + start, min(piece.address + start + SECTOR, piece.end))
        for piece in pieces
        for start in range(0, len(piece.data), SECTOR)
        if (piece.address + start) // SECTOR not in right
    )
    return replace(after, written=tuple(changed))


def _written_over(before: FlashSide, after: FlashSide, content: FlashContent) -> list[AdvicePoint]:
    """What data that is no firmware hits; a file system in the place of another is meant for there."""
    files = in_use(before)
    meant = {piece.address for piece, each in content.pieces if KINDS[each.kind].region is PartKind.SPIFFS}
    if files is None or files.start in meant or not after.hit(files.start, files.end):
        return []
    reason = f"a part of the {files.name} at {files.where} is written over"
    return [AdvicePoint(Topic.FILES, AdviceVerdict.OVERWRITTEN, reason)]


def _no_start(before: FlashSide, after: FlashSide) -> list[Finding]:
    """That a firmware will not find init data, where the plan has no place for any."""
    return [
        Finding(Severity.WARNING, "init-data-missing", point.reason)
        for point in init_data_points(before, after)
        if point.verdict is AdviceVerdict.BOOT_LOOP
    ]


def _finding(point: AdvicePoint) -> Finding:
    code, words = _WORDS[point.topic]
    lost = point.topic is not Topic.FIRST_BOOT
    verdict = f"{code}-{point.verdict}" if lost else code
    severity = Severity.WARNING if lost else Severity.NOTE
    title = f"{words} {point.verdict}" if lost else words
    return Finding(severity, verdict, f"{title}: {point.reason}")
