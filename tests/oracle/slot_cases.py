"""Flashes with Espressif's boot loader, from which one of two images, or none, starts.

Not the loader: the first bytes of an image stand for it, and tests/oracle/test_loader_slots.py puts the real
ones there.  What these started is in fixtures/firmware/slots.json.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR, flash_size_of_code
from tests.oracle.slot_runs import flash_of, user_image, wrong_sum

if TYPE_CHECKING:
    from collections.abc import Iterator

MB: Final = 0x10_0000
RECORDED: Final = Path(__file__).parents[2] / "fixtures" / "firmware" / "slots.json"
MINORS: Final = {"1.2": 2, "1.6": 6, "1.7": 7}
_STATES: Final = ("good", "bad", "none")
_MAPS: Final = ((0, 0x8_0000), (3, 2 * MB), (4, 4 * MB), (5, 2 * MB), (6, 4 * MB))


@dataclass(frozen=True)
class SlotCase:
    """A flash.

    Attributes:
        loader: Version of the boot loader.
        states: What is in the slots of the header's map: ``good``, ``bad`` (a wrong checksum) or ``none``.
        flags: First bytes of the copy of the parameters that is in force; empty for a fresh chip.
        code: The size nibble.
        size: Bytes of the flash.
    """

    loader: str
    states: tuple[str, str]
    flags: bytes = b""
    code: int = 2
    size: int = MB

    @property
    def name(self) -> str:
        """A name of its own."""
        flags = self.flags.hex() or "fresh"
        return f"{self.loader}, {'/'.join(self.states)}, {flags}, code {self.code}"

    def flash(self, loader: bytes = b"\xe9\x01\x02\x40") -> bytes:
        """All of the flash, with a loader at 0."""
        places = flash_size_of_code(self.code)
        assert places is not None
        contents = {0: loader[:3] + bytes((self.code << 4 | loader[3] & 0x0F,)) + loader[4:]}
        for number, state in enumerate(self.states):
            address = SECTOR + number * places.ota_slot
            if state != "none":
                image = user_image(number + 1)
                contents[address] = wrong_sum(image) if state == "bad" else image
        if self.flags:
            contents[self.size - 3 * SECTOR] = self.flags
            contents[self.size - SECTOR] = b"\0"
        return flash_of(self.size, contents)


def slot_cases() -> tuple[SlotCase, ...]:
    """All of them."""
    return tuple(case for loader in MINORS for case in _of(loader))


def _of(loader: str) -> Iterator[SlotCase]:
    minor = MINORS[loader]
    old = minor == MINORS["1.2"]
    second = minor if old else 0xE0 | minor
    firsts = (0, 1, 2) if old else (0xFC, 0xFD, 0xF8, 0xF9, 0xFA, 0xFE)
    for one in _STATES:
        yield from (SlotCase(loader, (one, other)) for other in _STATES)
    for first in firsts:
        flags = bytes((first, second))
        yield SlotCase(loader, ("good", "good"), flags)
        yield SlotCase(loader, ("none", "good"), flags)
        yield SlotCase(loader, ("good", "bad"), flags)
    yield SlotCase(loader, ("good", "good"), bytes((firsts[1], second ^ 1)))  # another version's
    for code, size in _MAPS:
        yield SlotCase(loader, ("none", "good"), code=code, size=size)
        yield SlotCase(loader, ("good", "good"), bytes((firsts[1], second)), code, size)


@cache
def started() -> dict[str, int | None]:
    """Which image the real loader started in the end, by the name of the case; None for none."""
    found: dict[str, int | None] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return found
