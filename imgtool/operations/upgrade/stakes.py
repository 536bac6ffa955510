"""What is at stake in a write: files, LFS, settings, and of these what is lost, from one function for all.

``flash``, ``advise`` and whoever else asks take their verdict from here, so that they cannot disagree.  The
rules are in files.py and regions.py; which flash is looked at, and how far, is not decided here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imgtool.formats.reading import PartKind
from imgtool.formats.regions.nodemcu_page import PAGE_ADDRESS, PAGE_SIZE
from imgtool.operations.upgrade.file_names import names_in
from imgtool.operations.upgrade.files import file_points, in_use
from imgtool.operations.upgrade.regions import lfs_point, settings_point, wifi_point
from imgtool.operations.upgrade.values import AdvicePoint, AdviceVerdict, Loss, LossKind, Topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from imgtool.operations.upgrade.side import FlashSide

__all__ = ["losses_of", "points_at_stake", "with_others", "without_harm"]

_LOST: Final = (AdviceVerdict.FORMATTED, AdviceVerdict.OVERWRITTEN, AdviceVerdict.LOST)
_TOPICS: Final = {
    LossKind.FILES: Topic.FILES,
    LossKind.LFS: Topic.LFS,
    LossKind.SETTINGS: Topic.SETTINGS,
    LossKind.FIRMWARE: Topic.FIRMWARE,
    LossKind.UNKNOWN: Topic.UNKNOWN_DATA,
}
_AT_STAKE: Final = (*_TOPICS.values(), Topic.STALE_FILES, Topic.FIRST_BOOT, Topic.WIFI)


def points_at_stake(before: FlashSide, after: FlashSide, *, made: bool) -> list[AdvicePoint]:
    """What becomes of what a user has put into a flash.

    Args:
        before: The flash as it is.
        after: The flash with the write over it.
        made: Whether the write brings a file system of its own.
    """
    optional = (lfs_point(before, after), settings_point(before, after), wifi_point(before, after))
    files = (_weighed(point, before) for point in file_points(before, after, made=made))
    return [*files, *(point for point in optional if point is not None)]


def _weighed(point: AdvicePoint, before: FlashSide) -> AdvicePoint:
    """The point about files; an empty file system is no loss."""
    files = in_use(before)
    if point.topic is not Topic.FILES or point.verdict not in _LOST or files is None or before.assumed:
        return point
    if names_in(files, before.read) != ():
        return point
    reason = f"the {files.name} at {files.where} holds no files"
    return AdvicePoint(Topic.FILES, AdviceVerdict.NONE, reason)


def with_others(points: Sequence[AdvicePoint], losses: Iterable[Loss]) -> list[AdvicePoint]:
    """The points, with one for each loss that no rule of theirs has told.

    Args:
        points: What the rules say.
        losses: What is lost.
    """
    reasons = {point.reason for point in points}
    others = [
        AdvicePoint(_TOPICS[loss.kind], loss.verdict, loss.reason)
        for loss in losses
        if loss.reason not in reasons
    ]
    files = any(point.topic is Topic.FILES for point in others)  # of a kind that no rule looks for
    rules = [
        point for point in points if not files or point.topic is not Topic.FILES or point.verdict in _LOST
    ]
    at = next((n for n, point in enumerate(rules) if point.topic not in _AT_STAKE), len(rules))
    return [*rules[:at], *others, *rules[at:]]


def without_harm(points: Iterable[AdvicePoint]) -> list[AdvicePoint]:
    """The points of a write that changes nothing."""
    return [
        point
        for point in points
        if point.topic is not Topic.FIRST_BOOT and (point.topic not in _AT_STAKE or point.ok)
    ]


def losses_of(points: Iterable[AdvicePoint], before: FlashSide) -> tuple[Loss, ...]:
    """What of that is lost, with its place.

    Args:
        points: What :func:`points_at_stake` says.
        before: The flash as it is.
    """
    return tuple(loss for point in points for loss in _losses(point, before))


def _losses(point: AdvicePoint, before: FlashSide) -> Iterator[Loss]:
    if point.verdict not in _LOST:
        return
    if point.topic is Topic.FILES:
        files = in_use(before)
        if files is not None:
            loss = _loss(LossKind.FILES, files.name, files.start, files.size, point)
            yield replace(loss, files=names_in(files, before.read) or ())
    elif point.topic is Topic.LFS and before.lfs is not None:
        yield _loss(LossKind.LFS, "LFS", before.lfs.start, before.lfs.size, point)
    elif point.topic is Topic.WIFI and before.layout is not None:
        region = before.layout.find(PartKind.SYSTEM_PARAM)
        if region is not None:
            yield _loss(LossKind.SETTINGS, "the SDK's parameters", region.start, region.size, point)
    elif point.topic is Topic.SETTINGS:
        yield _loss(LossKind.SETTINGS, "NodeMCU's settings", PAGE_ADDRESS, PAGE_SIZE, point)


def _loss(kind: LossKind, name: str, start: int, size: int, point: AdvicePoint) -> Loss:
    return Loss(kind=kind, name=name, start=start, size=size, verdict=point.verdict, reason=point.reason)
