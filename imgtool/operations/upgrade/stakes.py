"""What is at stake in a write: files, LFS, settings, and of these what is lost, from one function for all.

``flash``, ``advise`` and whoever else asks take their verdict from here, so that they cannot disagree.  The
rules are in files.py and regions.py; which flash is looked at, and how far, is not decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.formats.reading import PartKind
from imgtool.formats.regions.nodemcu_page import PAGE_ADDRESS, PAGE_SIZE
from imgtool.operations.upgrade.files import file_points, in_use
from imgtool.operations.upgrade.regions import lfs_point, settings_point, wifi_point
from imgtool.operations.upgrade.values import AdviceVerdict, Loss, LossKind, Topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imgtool.operations.upgrade.side import FlashSide
    from imgtool.operations.upgrade.values import AdvicePoint

__all__ = ["losses_of", "points_at_stake"]

_LOST: Final = (AdviceVerdict.FORMATTED, AdviceVerdict.OVERWRITTEN, AdviceVerdict.LOST)
_OUT_OF_REACH: Final = (AdviceVerdict.MOVED, AdviceVerdict.REWRITTEN)
_HEAD: Final = 16  # bytes of a sector that tell whether it was ever written


def points_at_stake(before: FlashSide, after: FlashSide, *, made: bool) -> list[AdvicePoint]:
    """What becomes of what a user has put into a flash.

    Args:
        before: The flash as it is.
        after: The flash with the write over it.
        made: Whether the write brings a file system of its own.
    """
    optional = (lfs_point(before, after), settings_point(before, after), wifi_point(before, after))
    return [*file_points(before, after, made=made), *(point for point in optional if point is not None)]


def losses_of(points: Iterable[AdvicePoint], before: FlashSide) -> tuple[Loss, ...]:
    """What of that is lost, with its place.

    Args:
        points: What :func:`points_at_stake` says.
        before: The flash as it is.
    """
    return tuple(loss for point in points for loss in _losses(point, before))


def _losses(point: AdvicePoint, before: FlashSide) -> Iterator[Loss]:
    if point.topic is Topic.WIFI and point.verdict in _OUT_OF_REACH:
        region = None if before.layout is None else before.layout.find(PartKind.SYSTEM_PARAM)
        if region is not None and _is_written(before, region.start, region.size):
            yield _loss(LossKind.SETTINGS, "the SDK's parameters", region.start, region.size, point)
    if point.verdict not in _LOST:
        return
    if point.topic is Topic.FILES:
        files = in_use(before)
        if files is not None:
            yield _loss(LossKind.FILES, files.name, files.start, files.size, point)
    elif point.topic is Topic.LFS and before.lfs is not None:
        yield _loss(LossKind.LFS, "LFS", before.lfs.start, before.lfs.size, point)
    elif point.topic is Topic.SETTINGS:
        yield _loss(LossKind.SETTINGS, "NodeMCU's settings", PAGE_ADDRESS, PAGE_SIZE, point)


def _loss(kind: LossKind, name: str, start: int, size: int, point: AdvicePoint) -> Loss:
    return Loss(kind=kind, name=name, start=start, size=size, verdict=point.verdict, reason=point.reason)


def _is_written(side: FlashSide, start: int, size: int) -> bool:
    """Whether anything was ever written to a region of whole sectors."""
    return any(side.read(at, _HEAD).strip(b"\xff") for at in range(start, start + size, SECTOR))
