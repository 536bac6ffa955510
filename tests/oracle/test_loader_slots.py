"""Espressif's real boot loaders as judge of the slot that is said to start.

Needs a dump of the boot ROM and the loaders.  What they started is recorded, and the usual tests hold inspect
and the modelled boot to it: tests/operations/inspect/test_loader_slots.py.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from imgtool.virtual.board.boot_rom import BootRom
from tests.oracle.slot_cases import SlotCase, slot_cases, started
from tests.oracle.slot_runs import run
from tests.support import BOOT_ROM, real

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not BOOT_ROM, reason="IMGTOOL_BOOT_ROM names no dump of the boot ROM"),
]


@cache
def rom() -> BootRom:
    return BootRom.parse(Path(BOOT_ROM).read_bytes())


@pytest.mark.parametrize("case", slot_cases(), ids=lambda case: case.name)
def test_the_loader_starts_what_is_recorded(case: SlotCase) -> None:
    seen = run(rom(), case.flash(real(f"boot/boot_v{case.loader}.bin")))

    assert seen.number == started()[case.name], seen.log
