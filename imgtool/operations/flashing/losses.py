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
from imgtool.formats.regions.nodemcu_page import PAGE_ADDRESS, PAGE_SIZE
from imgtool.layout.file_places import file_room
from imgtool.layout.file_room import NO_ROOM, room_findings
from imgtool.layout.generations import generation_of
from imgtool.layout.traits import Magics
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.assemble.places import start_in
from imgtool.operations.inspect.device_settings import starts_eboot
from imgtool.operations.upgrade.files import in_use
from imgtool.operations.upgrade.glance import glance
from imgtool.operations.upgrade.look import side_after, side_before
from imgtool.operations.upgrade.overwritten import Coming, others_hit
from imgtool.operations.upgrade.regions import init_data_points
from imgtool.operations.upgrade.side import OldFlash
from imgtool.operations.upgrade.stakes import losses_of, points_at_stake, with_others
from imgtool.operations.upgrade.values import AdvicePoint, AdviceVerdict, LossKind, Topic
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from imgtool.operations.files.carry import FilesPlan
    from imgtool.operations.flashing.checks import FlashContent
    from imgtool.operations.flashing.draft import Device, Draft, Place
    from imgtool.operations.upgrade.side import FlashSide
    from imgtool.operations.upgrade.values import Loss

__all__ = [
    "FIRST_START",
    "Stakes",
    "brings_files",
    "changed",
    "is_there",
    "room_unseen",
    "seen_on",
    "what_is_lost",
    "with_files_kept",
]

FIRST_START: Final = "first-boot"
"""Code of the finding that the firmware makes a file system at its first start."""

_WORDS: Final = {
    Topic.FILES: ("files", "files"),
    Topic.LFS: ("lfs", "LFS"),
    Topic.SETTINGS: ("settings", "settings"),
    Topic.WIFI: ("wifi", "Wi-Fi settings"),
    Topic.FIRST_BOOT: (FIRST_START, "first boot"),
}
_KINDS: Final = {
    LossKind.FILES: ("files", "files"),
    LossKind.LFS: ("lfs", "LFS"),
    LossKind.SETTINGS: ("settings", "settings"),
    LossKind.FIRMWARE: ("firmware", "another firmware"),
    LossKind.UNKNOWN: ("unknown", "unknown data"),
}
_ALWAYS_SAID: Final = (Topic.FIRST_BOOT, Topic.FILE_ROOM)
_TOLD_BY: Final = {
    (Topic.SETTINGS, AdviceVerdict.LOST): "settings-replaced",
    (Topic.FILES, AdviceVerdict.OVERWRITTEN): "filesystem-overwritten",
}
"""What the other steps of a plan have said of these, by the code of their finding."""


class Stakes(NamedTuple):
    """What comes of a write for what is on the device.

    Attributes:
        points: What becomes of it, topic by topic; none where nothing was looked at.
        losses: What of it is lost.
        findings: What is to be said of both.
        formats: Whether the first start formats what it takes for its file system.
    """

    points: tuple[AdvicePoint, ...] = ()
    losses: tuple[Loss, ...] = ()
    findings: tuple[Finding, ...] = ()
    formats: bool = False


def what_is_lost(
    pieces: Sequence[Piece],
    draft: Draft,
    content: FlashContent,
    device: Device,
    right: Collection[int] | None,
    files: FilesPlan | None = None,
) -> Stakes:
    """What a device loses by a write.

    Args:
        pieces: What is written: whole sectors.
        draft: What was said so far.
        content: What the pieces are.
        device: The device.
        right: Numbers of the sectors that hold already what they should; None where that is not known.
        files: What becomes of the files, where that was planned.
    """
    if not (pieces or device.erased) or (not device.erased and is_there(pieces, right)):
        return Stakes()
    before = seen_on(device, content)
    if before is None:
        return Stakes()
    after = _after(before, pieces, content, device, right)
    if content.main is None and not device.erased:
        points = _written_over(before, after, content)
    else:
        made = brings_files(content) or (files is not None and bool(files.pieces))
        points = with_files_kept(points_at_stake(before, after, made=made), files)
    ruled = losses_of(points, before)
    others = tuple(
        loss
        for loss in others_hit(before, _coming(content, device, after, points))
        if not any(loss.kind is each.kind and loss.start == each.start for each in ruled)
    )
    losses = (*ruled, *others)
    lost = {loss.reason for loss in ruled}
    told = {finding.code for finding in draft.findings}
    said = [
        point
        for point in points
        if (point.reason in lost or point.topic in _ALWAYS_SAID)
        and _TOLD_BY.get((point.topic, point.verdict)) not in told
    ]
    findings = [_finding(point) for point in said] + [_of_loss(loss) for loss in others]
    if "init-data-missing" not in told:
        findings += _no_start(before, after)
    return Stakes(tuple(with_others(points, losses)), losses, tuple(findings), _formats(after, points))


def seen_on(device: Device, content: FlashContent) -> FlashSide | None:
    """The flash of a device as it is, looked at as far as a write needs it; None where it cannot be read.

    Args:
        device: The device.
        content: What is written.
    """
    capacity = device.target.flash_bytes
    if device.read is None or capacity is None:
        return None
    before = glance(device.read, capacity)
    if _wants_a_name(before, content):
        return side_before(OldFlash(device.read, capacity, capacity, "device"))
    return before


def with_files_kept(points: Sequence[AdvicePoint], files: FilesPlan | None) -> list[AdvicePoint]:
    """The points, with what was planned for the files in place of what would become of them.

    Args:
        points: What the rules say.
        files: The plan; None where there is none.
    """
    if files is None or files.point is None:
        return list(points)
    return [files.point, *(point for point in points if point.topic is not Topic.FILES)]


def room_unseen(
    stakes: Stakes, content: FlashContent, place: Place | None, device: Device
) -> Sequence[Finding]:
    """That a firmware can keep no file, where the file systems of the device were not looked at.

    Args:
        stakes: What was seen of the device, which goes before.
        content: What is written.
        place: Where it stands; None where that is not known, or it is the image of a whole flash.
        device: The device.
    """
    if stakes.points or content.main is None:
        return ()
    if place is None:  # the image of a whole flash shows it by itself
        return [each for each in content.main.findings if content.dump and each.code == NO_ROOM]
    files = (piece.address for piece, each in content.pieces if KINDS[each.kind].region is PartKind.SPIFFS)
    return room_findings(
        place.layout,
        content.main.firmware,
        place.irom_end,
        brought=min(files, default=None),
        capacity=device.target.flash_bytes,
    )


def _coming(content: FlashContent, device: Device, after: FlashSide, points: Sequence[AdvicePoint]) -> Coming:
    """What comes, for the rule of what has none of its own."""
    main = content.main
    start = start_in(content.placed)
    whole = main is not None and not content.start and not KINDS[main.kind].first_half
    room = None
    if _formats(after, points) and after.layout is not None:
        room = file_room(after.layout, after.firmware, after.irom_end)
    return Coming(
        firmware=None if main is None else main.firmware,
        starter=None if start is None else start.starter,
        whole=whole,
        name=after.name,
        written=after.written,
        formatted=None if room is None or room.start is None or not room.size else (room.start, room.end),
        erased=device.erased,
    )


def _formats(after: FlashSide, points: Sequence[AdvicePoint]) -> bool:
    """Whether the first start formats, which it also does where that fails."""
    topics = {point.topic for point in points}
    fails = Topic.FILE_ROOM in topics and not after.generation.without_magics
    return fails or Topic.FIRST_BOOT in topics


def brings_files(content: FlashContent) -> bool:
    """Whether a file system is among what is written."""
    if any(KINDS[each.kind].region is PartKind.SPIFFS for _, each in content.pieces):
        return True
    parts = () if content.main is None else content.main.parts
    return any(part.kind is PartKind.SPIFFS for part in parts)


def is_there(pieces: Sequence[Piece], right: Collection[int] | None) -> bool:
    """Whether a device holds already all that is written.

    Args:
        pieces: What is written: whole sectors.
        right: Numbers of the sectors that hold already what they should; None where that is not known.
    """
    return right is not None and not changed(pieces, right)


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


def changed(pieces: Sequence[Piece], right: Collection[int] | None) -> tuple[tuple[int, int], ...]:
    """The stretches that a write changes.

    Args:
        pieces: What is written: whole sectors.
        right: Numbers of the sectors that hold already what they should; None where that is not known.
    """
    return tuple(
        (piece.address + start, min(piece.address + start + SECTOR, piece.end))
        for piece in pieces
        for start in range(0, len(piece.data), SECTOR)
        if right is None or (piece.address + start) // SECTOR not in right
    )


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
    return replace(after, written=changed(pieces, right)) if right else after


def _written_over(before: FlashSide, after: FlashSide, content: FlashContent) -> list[AdvicePoint]:
    """What data that is no firmware hits; a file system or LFS in the place of another is meant for there."""
    meant = {(piece.address, KINDS[each.kind].region) for piece, each in content.pieces}
    points: list[AdvicePoint] = []
    files = in_use(before)
    if files is not None and (files.start, PartKind.SPIFFS) not in meant:
        points += _hit(after, Topic.FILES, f"the {files.name} at", files.start, files.size)
    lfs = before.lfs
    if lfs is not None and lfs.signature and (lfs.start, PartKind.LFS) not in meant:
        points += _hit(after, Topic.LFS, "the LFS at", lfs.start, lfs.size)
    if before.partitions:
        points += _hit(after, Topic.SETTINGS, "NodeMCU's settings at", PAGE_ADDRESS, PAGE_SIZE)
    return points


def _hit(after: FlashSide, topic: Topic, what: str, start: int, size: int) -> list[AdvicePoint]:
    """That a stretch is written over, if it is."""
    count = sum(max(0, min(b, start + size) - max(a, start)) for a, b in after.written)
    if not count:
        return []
    reason = f"{in_bytes(count)} of {what} 0x{start:06x} ({size:,} bytes) are written over"
    return [AdvicePoint(topic, AdviceVerdict.OVERWRITTEN, reason)]


def _no_start(before: FlashSide, after: FlashSide) -> list[Finding]:
    """That a firmware will not find init data, where the plan has no place for any."""
    return [
        Finding(Severity.WARNING, "init-data-missing", point.reason)
        for point in init_data_points(before, after)
        if point.verdict is AdviceVerdict.BOOT_LOOP
    ]


def _of_loss(loss: Loss) -> Finding:
    code, words = _KINDS[loss.kind]
    title = f"{words} {loss.verdict}"
    return Finding(Severity.WARNING, f"{code}-{loss.verdict}", f"{title}: {loss.reason}", loss.start)


def _finding(point: AdvicePoint) -> Finding:
    if point.topic is Topic.FILE_ROOM:
        return Finding(Severity.WARNING, NO_ROOM, f"no {point.topic}: {point.reason}")
    code, words = _WORDS[point.topic]
    lost = point.topic is not Topic.FIRST_BOOT
    verdict = f"{code}-{point.verdict}" if lost else code
    severity = Severity.WARNING if lost else Severity.NOTE
    title = f"{words} {point.verdict}" if lost else words
    return Finding(severity, verdict, f"{title}: {point.reason}")
