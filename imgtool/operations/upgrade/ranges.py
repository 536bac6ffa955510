"""Ranges of a flash: what they have in common, what is left of them, and which of their sectors are used.

Whose the bytes are is told by owners.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import SECTOR
from imgtool.operations.inspect.device_settings import read_ahead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from imgtool.operations.inspect.device_settings import Remembered

__all__ = ["FlashRange", "common", "joined", "near", "used", "without"]

_SAMPLE: Final = 16  # bytes at the start of a sector
_MOST_SAMPLES: Final = 64  # of a device on a slow line, where each takes its time
_MOST_DIGESTED: Final = 0x10_0000  # bytes that a device digests in 1.6 s
_APART: Final = 0x1_0000  # ranges that are nearer than this are one group


class FlashRange(NamedTuple):
    """A range of a flash.

    Attributes:
        start: Its address.
        end: The address behind it.
    """

    start: int
    end: int

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.end - self.start


def used(read: Remembered, places: Sequence[FlashRange]) -> list[FlashRange]:
    """The sectors in these stretches that are not blank, as stretches.

    Of what is at hand each sector is looked at.  Of a device their starts are read, without a stub those of
    some, evenly spread, and what looks blank by those is digested, up to 1 MB of it.
    """
    if read.at_hand:
        sectors = (at for each in places for at in range(each.start, each.end, SECTOR))
        return joined(FlashRange(at, at + SECTOR) for at in sectors if read(at, SECTOR).strip(b"\xff"))
    count = sum(-(-(each.end - each.start) // SECTOR) for each in places)
    step = SECTOR if read.quick else SECTOR * max(1, -(-count // _MOST_SAMPLES))
    steps = [
        FlashRange(at, min(at + step, each.end))
        for each in places
        for at in range(each.start, each.end, step)
    ]
    read_ahead(read, [(each.start, _SAMPLE) for each in steps], max((each.end for each in places), default=0))
    found = [each for each in steps if read(each.start, _SAMPLE).strip(b"\xff")]
    blank = without(joined(steps), found)
    if sum(each.end - each.start for each in blank) <= _MOST_DIGESTED:
        found += [part for each in blank for part in _not_blank(read, each)]
    return joined(found)


def _not_blank(read: Remembered, place: FlashRange) -> Iterator[FlashRange]:
    """The sectors of a stretch that are not blank after all, by digests of ever smaller halves."""
    start, end = place
    if read.blank(start, end - start) is not False:
        return
    if end - start <= SECTOR:
        yield place
        return
    middle = start + -(-(end - start) // SECTOR) // 2 * SECTOR
    yield from _not_blank(read, FlashRange(start, middle))
    yield from _not_blank(read, FlashRange(middle, end))


def joined(places: Iterable[FlashRange]) -> list[FlashRange]:
    """FlashRangees in address order, those that touch or overlap as one."""
    whole: list[FlashRange] = []
    for each in sorted(places):
        if whole and each.start <= whole[-1].end:
            whole[-1] = FlashRange(whole[-1].start, max(whole[-1].end, each.end))
        else:
            whole.append(each)
    return whole


def near(places: Sequence[FlashRange]) -> Iterator[list[FlashRange]]:
    """FlashRangees in groups of which none is far from the next."""
    group: list[FlashRange] = []
    for each in places:
        if group and each.start - group[-1].end >= _APART:
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def without(places: Iterable[FlashRange], others: Iterable[FlashRange]) -> list[FlashRange]:
    """What of stretches others do not cover."""
    left = list(places)
    for other in others:
        left = [
            FlashRange(start, end)
            for each in left
            for start, end in (
                (each.start, min(each.end, other.start)),
                (max(each.start, other.end), each.end),
            )
            if start < end
        ]
    return left


def common(places: Iterable[FlashRange], others: Sequence[FlashRange]) -> list[FlashRange]:
    """What of stretches others cover."""
    pairs = ((one, two) for one in places for two in others)
    found = (FlashRange(max(one.start, two.start), min(one.end, two.end)) for one, two in pairs)
    return joined(each for each in found if each.start < each.end)
