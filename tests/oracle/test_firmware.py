"""Real firmware, run under the chip's boot ROM, as judge of the recorded boots and of the written model.

Minutes; needs a dump of the ROM and real images.  What was seen is in fixtures/firmware, and the usual tests
hold the model to it: tests/virtual/chip/test_seen_boots.py.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from imgtool.operations.explain.values import Verdict
from imgtool.virtual.board.boot_rom import BootRom
from tests.oracle.broken_boots import NAMES, allowed, broken, seen_broken
from tests.oracle.firmware_boots import Scenario, differences, run, scenarios, seen_boots
from tests.support import BOOT_ROM

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not BOOT_ROM, reason="IMGTOOL_BOOT_ROM names no dump of the boot ROM"),
]

AGAIN = (
    "NodeMCU 0.9.2, size code 4",
    "NodeMCU 0.9.5, size code 4",
    "NodeMCU 2.1, size code 4",
    "NodeMCU 2.1, size code 0",
    "NodeMCU 3.0, size code 4",
    "NodeMCU 3.0, chip of 1MB",
    "loader 1.7, AT 1.7.6, size code 2",
    "AT 1.3 without a loader, init data, size code 2",
)


@cache
def rom() -> BootRom:
    return BootRom.parse(Path(BOOT_ROM).read_bytes())


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: scenario.name)
def test_it_boots_as_it_was_seen_to(scenario: Scenario) -> None:
    flash = scenario.flash()
    seen, _ = run(flash, rom(), scenario.name)

    assert seen == seen_boots()[scenario.name]
    assert differences(scenario.name, flash, seen) == []


@pytest.mark.parametrize("name", NAMES)
def test_broken_firmware_does_what_it_was_seen_to(name: str) -> None:
    seen, _ = run(broken(name).flash(), rom(), name)

    assert seen == seen_broken()[name]
    assert allowed(seen, Verdict[seen.verdict])


@pytest.mark.parametrize("name", AGAIN)
def test_the_model_tells_the_second_boot_too(name: str) -> None:
    first = next(scenario for scenario in scenarios() if scenario.name == name)
    _, flash = run(first.flash(), rom())
    seen, after = run(flash, rom(), f"{name}, again")

    assert differences(name, flash, seen) == []
    assert run(flash, rom(), f"{name}, again") == (seen, after)
