"""Real firmware on a board without the boot ROM, against the same board with it: all that it says and writes.

Times differ a little, as functions of the project's own take about as long as the real ones: they are not
compared, and in a text the milliseconds of a log are left out.  What ends early for want of a function has
said the same until then.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

import pytest

from imgtool.flash_parts import default_part
from imgtool.virtual.board.boot_rom import BootRom
from imgtool.virtual.board.firmware_chip import FirmwareChip
from imgtool.virtual.board.session import Ending, FirmwareRun, run_firmware
from imgtool.virtual.chip.machine import Setup
from imgtool.virtual.chip.store import MemoryStore
from tests.oracle.firmware_boots import Scenario, scenarios
from tests.oracle.firmware_console import needs_rom
from tests.support import BOOT_ROM

pytestmark = [pytest.mark.long, needs_rom]

SECONDS: Final = 60.0
MILLISECONDS: Final = re.compile(rb"(?<=[IWE] \()\d+(?=\))")
ON_AND_ON: Final = (Ending.LOOP, Ending.REPEATS, Ending.MISSING)
"""Endings that are noticed a little earlier or later."""


@lru_cache(maxsize=1)
def _rom() -> BootRom:
    return BootRom.parse(Path(BOOT_ROM).read_bytes())


def ran(flash: bytes, rom: BootRom | None) -> tuple[FirmwareRun, bytes]:
    store = MemoryStore(len(flash))
    store.write(0, flash)
    run = run_firmware(FirmwareChip(Setup(default_part(len(flash)), store), rom), SECONDS)
    return run, store.read(0, len(flash))


def text(run: FirmwareRun) -> bytes:
    return MILLISECONDS.sub(b"N", run.log)


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: scenario.name)
def test_it_says_and_writes_the_same(scenario: Scenario) -> None:
    flash = scenario.flash()
    own, flash_by_own = ran(flash, None)
    real, flash_by_real = ran(flash, _rom())

    if own.ending in ON_AND_ON:
        size = min(len(text(own)), len(text(real))) - len(b"I (N")
        assert text(own)[:size] == text(real)[:size]
    else:
        assert text(own) == text(real)
        assert flash_by_own == flash_by_real
    assert own.ending in (real.ending, Ending.MISSING)


def test_nodemcu_lacks_nothing() -> None:
    names = {scenario.name: scenario for scenario in scenarios()}
    for name in ("NodeMCU 0.9.2", "NodeMCU 0.9.5", "NodeMCU 2.1", "NodeMCU 3.0"):
        run, _ = ran(names[name].flash(), None)
        assert (run.missing, run.log.endswith(b"\n> ")) == (None, True), name
