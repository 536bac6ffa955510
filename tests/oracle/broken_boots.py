"""Boots of real firmware that is broken: cut, damaged, with a sector missing; and what each must come to.

Not the scenarios that the written model is held to (tests/oracle/firmware_boots.py): nobody models what
broken code does, but ``explain`` must not call it well.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from imgtool.chip import SECTOR
from imgtool.operations.explain.values import Verdict
from imgtool.virtual.board.session import Ending
from tests.oracle.firmware_boots import Scenario, Seen, scenarios
from tests.support import real

__all__ = ["BROKEN", "NAMES", "allowed", "broken", "seen_broken"]

BROKEN: Final = Path(__file__).parents[2] / "fixtures" / "firmware" / "broken.jsonl"
WHOLE: Final = (
    "NodeMCU 0.9.5, size code 4",
    "NodeMCU 2.1, size code 4",
    "NodeMCU 3.0, size code 4",
    "loader 1.7, AT 1.7.6, size code 4",
    "AT 1.3 without a loader, init data, size code 4",
    "IoT demo, init data",
    "MicroPython 1.9, size code 4",
    "rBoot, repeater, init data",
    "RTOS SDK loader, hello-world",
    "Arduino core, deep sleep",
    "WLED 0.14",
    "ESPHome 2021",
)
"""Boots that go well, by their names among the scenarios."""

_FLIPPED, _HALF, _QUARTER, _SECTOR = _DAMAGES = (
    "a byte damaged",
    "the second half missing",
    "the last quarter missing",
    "a sector missing",
)
_GOOD: Final = (Verdict.RUNS, Verdict.SPEAKS)
# What these firmwares print when they run, told apart from the rows of the messages.
_PROMPTS: Final = (
    b"powered by Lua",
    b"\nready\r\n",
    b"Ada\r\n",
    b"Starting Console TCP Server",
    b"\n>>> ",
    b"mode : ",
)
_SLEEPS: Final = "deep sleep"  # and wakes up: a loop that is in order
_SPEAKS_AGAIN: Final = b"Booted!"


NAMES: Final = tuple(f"{whole}; {damage}" for whole in WHOLE for damage in _DAMAGES)


def broken(name: str) -> Scenario:
    """A broken variant of a whole firmware; the test is skipped where there are no real images."""
    known, _, damage = name.partition("; ")
    whole = next(each for each in scenarios() if each.name == known)
    address, file = max(whole.files.items(), key=lambda placed: len(real(placed[1])))
    size = len(real(file))
    middle, end = (address + size // 2) & -SECTOR, (address + size + SECTOR - 1) & -SECTOR
    if damage == _FLIPPED:
        return replace(whole, name=name, flip=(*whole.flip, address + 0x208))
    stretches = {
        _HALF: (middle, end),
        _QUARTER: (end - (size // 4 & -SECTOR), end),
        _SECTOR: (middle, middle + SECTOR),
    }
    return replace(whole, name=name, erased=(stretches[damage],))


@cache
def seen_broken() -> dict[str, Seen]:
    """What is recorded of each."""
    lines = BROKEN.read_text(encoding="utf-8").splitlines()
    return {seen.name: seen for seen in (Seen.from_json(json.loads(line)) for line in lines)}


def allowed(seen: Seen, verdict: Verdict) -> bool:
    """Whether a verdict agrees with what the board did."""
    goes_on = seen.ending in (Ending.QUIET.name, Ending.TIME.name)
    sleeps = _SLEEPS in seen.name and _SPEAKS_AGAIN in seen.text
    if not goes_on:
        return verdict not in _GOOD or sleeps
    if verdict is Verdict.RUNS:
        return any(words in seen.text for words in _PROMPTS)
    return True
