"""Real NodeMCU on the virtual board as judge of ``advise``: what an upgrade does is what was said before.

The old firmware boots and writes files by Lua, the new one is written as ``imgtool flash`` does, and boots.
Needs a dump of the boot ROM and the real images; ``nox -s firmware``.
"""

from __future__ import annotations

from functools import cache
from itertools import permutations
from typing import Final, NamedTuple

import pytest

from imgtool.operations.upgrade.values import AdvicePoint, AdviceVerdict, FirmwareAdvice, Topic
from tests.advice import advise
from tests.oracle.firmware_console import Console, needs_rom
from tests.support import flashed, real

pytestmark = [pytest.mark.long, needs_rom]

MB: Final = 1 << 20
FIRMWARE: Final = {
    "0.9.5": "nodemcu/nodemcu_integer_0.9.5_20150318.bin",
    "2.1": "nodemcu/yuan-nodemcu_integer.bin",
    "3.0": "nodemcu/heikomat-firmware-lfs.bin",
}
FILES: Final = {"one.lua": 14, "two.txt": 167, "three.txt": 327}
FORMATS: Final = b"Formatting file system"
WRITES_INIT_DATA: Final = b"Init Data"
GONE: Final = (AdviceVerdict.FORMATTED, AdviceVerdict.OVERWRITTEN, AdviceVerdict.LOST)
INIT_DATA: Final = {"0.9.5": -4, "2.1": -4}  # sector, from the end of the flash; 3.0 has it below irom
EARLY_INIT_DATA: Final = 0xC000
SECTOR: Final = 0x1000


class Upgraded(NamedTuple):
    """What was said, and what came of it."""

    advice: FirmwareAdvice
    written: bytes
    after: Console
    prompt: bool

    @property
    def files(self) -> AdvicePoint:
        """What was said of the files."""
        point = self.advice.point(Topic.FILES)
        assert point is not None
        return point

    def verdict(self, topic: Topic) -> AdviceVerdict | None:
        point = self.advice.point(topic)
        return None if point is None else point.verdict


@cache
def used(name: str, size: int) -> bytes:
    """The flash of a board that has booted and written files."""
    console = Console(flashed(b"\xff" * size, real(FIRMWARE[name])))
    assert console.to_prompt().endswith(b"\n> ")
    for file, lines in (("one.lua", 2), ("two.txt", 22), ("three.txt", 42)):
        console.write(file, lines)
    assert console.files() == FILES
    return console.flash


@cache
def upgraded(old: str, new: str, size: int) -> Upgraded:
    before = used(old, size)
    image = real(FIRMWARE[new])
    written = flashed(before, image)
    console = Console(written)
    return Upgraded(advise(before, image), written, console, console.to_prompt().endswith(b"\n> "))


PAIRS: Final = [(old, new, size) for size in (4 * MB, MB) for old, new in permutations(FIRMWARE, 2)]
SAME: Final = [(name, name, MB) for name in FIRMWARE]


@pytest.mark.parametrize(("old", "new", "size"), [*PAIRS, *SAME])
def test_what_becomes_of_the_files(old: str, new: str, size: int) -> None:
    result = upgraded(old, new, size)
    verdict = result.verdict(Topic.FILES)

    assert result.prompt
    assert b"rf_cal[0]" not in result.after.said
    files = result.after.files()
    if verdict is AdviceVerdict.KEPT:
        assert files == FILES
    else:
        assert verdict in GONE
        assert not files.keys() & FILES.keys()
        assert not result.advice.ok


@pytest.mark.parametrize(("old", "new", "size"), [*PAIRS, *SAME])
def test_whether_the_first_boot_formats(old: str, new: str, size: int) -> None:
    result = upgraded(old, new, size)
    formats = result.verdict(Topic.FIRST_BOOT) is not None

    assert formats == (FORMATS in result.after.said)
    assert (result.verdict(Topic.FILES) is AdviceVerdict.FORMATTED) <= formats


@pytest.mark.parametrize(("old", "new", "size"), PAIRS)
def test_what_becomes_of_the_init_data(old: str, new: str, size: int) -> None:
    result = upgraded(old, new, size)
    places = {
        name: INIT_DATA[name] * SECTOR + size if name in INIT_DATA else EARLY_INIT_DATA for name in (old, new)
    }
    there = slice(places[new], places[new] + 128)
    verdict = result.verdict(Topic.INIT_DATA)

    assert verdict in (AdviceVerdict.KEPT, AdviceVerdict.REWRITTEN)
    assert (verdict is AdviceVerdict.KEPT) == (places[old] == places[new])
    assert WRITES_INIT_DATA not in result.after.said  # it was there already
    assert result.after.flash[there] == result.written[there] == used("2.1", size)[size - 4 * SECTOR :][:128]
