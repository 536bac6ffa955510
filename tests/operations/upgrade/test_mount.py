"""The advice on files against a model of how NodeMCU itself finds, mounts and makes its SPIFFS.

The model is spelled from the firmware's own steps (configure a place, probe three magics, mount with the size
that results, format where that fails), over the bytes of a flash, and takes nothing from imgtool.operations.
Which release takes which formula and which steps: docs/flash-layouts.md.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, NamedTuple

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from fixtures import nodemcu
from fixtures.upgrades import KB, MB, before_3, from_3, resolved, spiffs, used
from imgtool.errors import ImgtoolError
from imgtool.operations.upgrade.values import AdviceVerdict, Topic
from tests.advice import advise
from tests.support import flashed

SECTOR: Final = 0x1000
ERASED: Final = 0xFFFF
OLD_FORMULA: Final = ("1.5.4.1-20161201", "2.0.0", "2.1.0-20170521")
BOTH_BLOCKS: Final = ("2.1.0-20170811", "2.2.1")
RELEASES: Final = ("1.5.4.1-20160802", *OLD_FORMULA, *BOTH_BLOCKS)
SIZES: Final = (512 * KB, MB, 2 * MB)


class Found(NamedTuple):
    """What a boot ends up with: where, how many bytes, in which blocks; and whether it was made anew."""

    start: int
    size: int
    block: int
    made: bool


def up(value: int, step: int) -> int:
    return -(-value // step) * step


def step_of(old: bool, block: int) -> int:
    """What the count in a magic goes down by from the first block to another."""
    if not old:
        return block
    return (1 << block) - 1 if block < 3 else block << 2


class MySpiffs:
    """A release before 3.0 that looks for its files in a flash."""

    def __init__(self, flash: bytes, release: str, end: int) -> None:
        self.flash = flash
        self.free = up(end, SECTOR)
        self.usable = len(flash) - 5 * SECTOR
        self.old = release in OLD_FORMULA
        self.both = release in BOTH_BLOCKS

    def magic(self, place: int) -> int:
        return int.from_bytes(self.flash[place + 0xFC : place + 0xFE], "little")

    def count(self, place: int, block: int, number: int) -> int:
        key = 0x0529 ^ 0x100
        return ((self.magic(place + number * block) ^ key) + step_of(self.old, number)) & ERASED

    def probe(self, place: int, block: int) -> int:
        """Bytes by three magics, one of which may be erased; 0 for none."""
        told = [
            self.count(place, block, number)
            for number in range(3)
            if self.magic(place + number * block) != ERASED
        ]
        return told[0] * block if len(told) >= 2 and len(set(told)) == 1 and told[0] >= 3 else 0

    def configured(self, place: int, block: int) -> int:
        """Bytes that a place has for blocks of a size; 0 where fewer than four fit."""
        size = (self.usable - place) // block * block
        return size if size // block >= 4 else 0

    def looked_at(self, place: int) -> Found | None:
        one = 0x2000 if self.configured(place, 0x2000) else 0x1000
        sizes = [0x1000, 0x2000] if self.both else [one]
        for block in sizes:
            room = self.configured(place, block)
            size = self.probe(place, block) if room else 0
            if size:
                return Found(place, min(size, room), block, made=False)
        return None

    def mounts(self, found: Found) -> bool:
        """Whether every block has the magic of the size that it is mounted with; one may be erased."""
        total = found.size // found.block
        erased = 0
        for number in range(total):
            place = found.start + number * found.block
            if self.magic(place) == ERASED:
                erased += 1
            elif self.count(found.start, found.block, number) != total:
                return False
        return erased <= 1

    @property
    def places(self) -> list[int]:
        far = [up(self.free + 0x10000 * i, 0x10000) for i in range(8)] if self.usable >= 700_000 else []
        return far + [up(self.free + 0x2000 * i, 0x2000) for i in range(8)]

    def boots(self) -> Found:
        found = next((hit for place in self.places if (hit := self.looked_at(place)) is not None), None)
        if found is not None and self.mounts(found):
            return found
        return self.formats()

    def formats(self) -> Found:
        if self.usable < 700_000:
            place = up(self.free, 0x2000)
        else:
            place = up(self.free + 0x10000, 0x10000)
            if 0 <= self.usable - place < 400_000:
                place = up(self.free + 0x8000, 0x2000)
        block = 0x2000 if self.configured(place, 0x2000) else 0x1000
        return Found(place, self.configured(place, block), block, made=True)


def boots_3(flash: bytes) -> Found:
    """What NodeMCU 3.0 mounts or makes: its partition alone, in blocks that go by its size."""
    page = flash[0x10000:0x11000]
    if page[1] == nodemcu.RECORD_TABLE:
        length = page[0] * 4
        if (
            int.from_bytes(page[4 + length - 12 : 8 + length - 12], "little") == 0
        ):  # an image before it booted
            page = resolved(flash, len(flash))
    at = 0
    while page[at + 1] != nodemcu.RECORD_TABLE:
        at += 4 + page[at] * 4
    words = [int.from_bytes(page[at + 4 + n : at + 8 + n], "little") for n in range(0, page[at] * 4, 4)]
    table = {words[n]: (words[n + 1], words[n + 2]) for n in range(0, len(words), 3)}
    start, size = table[nodemcu.SPIFFS0]
    block = 0x2000 if size // 0x2000 >= 4 else 0x1000
    chip = MySpiffs(flash, "2.2.1", 0)
    room = size // block * block
    probed = chip.probe(start, block)
    found = Found(start, min(probed, room), block, made=False)
    return found if probed and chip.mounts(found) else Found(start, room, block, made=True)


class Case(NamedTuple):
    """A flash whose firmware has its file system at one of its places, and what comes.

    ``many`` is blocks, 0 for all the rest; ``place`` is one of 16 where the old firmware looks.
    """

    size: int
    ran: str
    was: int
    place: int
    block: int
    many: int
    new: str
    irom: int


@cache
def image(new: str, irom: int) -> bytes:
    if new.startswith("3"):
        fixed = 0x40000 if new == "3-fixed" else nodemcu.ALL_THE_REST
        return from_3(up(irom, 0x1000) + 0x10000, early=new == "3-early", lfs=0x8000, spiffs=fixed)
    return before_3(new, irom)


IROM: Final = st.integers(2, 28).map(lambda n: n * 0x4000 - 0x800)
CASES: Final = st.builds(
    Case,
    size=st.sampled_from(SIZES),
    ran=st.sampled_from(RELEASES),
    was=IROM,
    place=st.integers(0, 15),
    block=st.sampled_from([0x2000, 0x2000, 0x1000]),
    many=st.one_of(st.integers(4, 40), st.just(0)),
    new=st.sampled_from([*RELEASES, "3", "3-early", "3-fixed"]),
    irom=IROM,
)


def agree(case: Case) -> None:
    end = 0x10000 + case.was
    places = MySpiffs(bytes(case.size), case.ran, end).places
    start = places[case.place % len(places)]
    count = case.many or (case.size - 5 * SECTOR - start) // case.block
    assume(count >= 4)
    content = spiffs(count, case.block, old=case.ran in OLD_FORMULA)
    here = Found(start, len(content), case.block, made=False)
    # Something stands in front: an erased block there cannot be told from a first one of its own.
    front = {start - 0x1000: b"\x11" * 0x1000} if start - 0x1000 >= up(end, SECTOR) else {}
    before = used(image(case.ran, case.was), {**front, start: content}, case.size)[: case.size]
    assume(MySpiffs(before, case.ran, end).boots() == here)
    new = image(case.new, case.irom)
    try:
        after = flashed(before, new)
    except ImgtoolError:
        assert advise(before, new).point(Topic.FILES) is None
        return
    end = 0x10000 + len(new[0x10000:])
    found = boots_3(after) if case.new.startswith("3") else MySpiffs(after, case.new, end).boots()
    advice = advise(before, new)
    files, first_boot = advice.point(Topic.FILES), advice.point(Topic.FIRST_BOOT)

    assert files is not None
    untouched = after[start : start + len(content)] == content
    kept = untouched and found == here
    assert (files.verdict is AdviceVerdict.KEPT) is kept, (files, found)
    assert (first_boot is not None) is found.made, (files, first_boot, found)
    if not untouched:
        assert files.verdict is AdviceVerdict.OVERWRITTEN, (files, found)
    elif not kept:
        wanted = AdviceVerdict.FORMATTED if found.made else AdviceVerdict.LOST
        assert files.verdict is wanted, (files, found)
    if first_boot is not None and found.size:
        said = re.search(r"formats 0x([0-9a-f]+) \(([\d,]+) bytes", first_boot.reason)
        assert said is not None, first_boot.reason
        assert (int(said[1], 16), int(said[2].replace(",", ""))) == (found.start, found.size), (
            first_boot.reason
        )


@settings(max_examples=8)
@given(case=CASES)
@example(case=Case(MB, "2.2.1", 0x77800, 1, 0x2000, 8, "2.2.1", 0x7F800))
@example(case=Case(512 * KB, "1.5.4.1-20161201", 0x5B800, 3, 0x2000, 0, "1.5.4.1-20160802", 0x57800))
@example(case=Case(MB, "1.5.4.1-20160802", 0x7800, 0, 0x2000, 0, "3", 0xB800))
@example(case=Case(512 * KB, "2.2.1", 0x13800, 0, 0x2000, 8, "2.2.1", 0xF800))
@example(case=Case(2 * MB, "2.0.0", 0x1F800, 1, 0x2000, 0, "2.2.1", 0x1F800))
@example(case=Case(MB, "2.2.1", 0xF800, 1, 0x1000, 8, "1.5.4.1-20160802", 0xF800))
def test_the_advice_is_what_nodemcu_does(case: Case) -> None:
    agree(case)


@pytest.mark.long
@settings(max_examples=1000, deadline=None)
@given(case=CASES)
def test_the_advice_is_what_nodemcu_does_in_many_cases(case: Case) -> None:
    agree(case)
