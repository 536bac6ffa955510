"""The real boot loaders of Espressif, rBoot and the RTOS SDK, run: what they start is what the cases say.

Needs a dump of the boot ROM and the loaders; those of 1.1, 1.4(b1) and 1.5 are in Espressif's old SDKs, an
rBoot with "Big flash" (1.4.0) in esp-homekit-devices, that of Mongoose OS (1.2.1) in mongoose-os.  What
``inspect`` and the modelled boot say of the same flashes: tests/operations/inspect/test_loader_cases.py.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from imgtool.flash_parts import default_part
from imgtool.operations.inspect.describe import describe
from imgtool.virtual.board.boot_rom import BootRom
from imgtool.virtual.board.firmware_chip import FirmwareChip
from imgtool.virtual.board.session import run_firmware
from imgtool.virtual.chip.machine import Setup
from imgtool.virtual.chip.store import MemoryStore
from tests.operations.inspect.loader_cases import (
    BIG_FLASH,
    MONGOOSE,
    PLACES,
    RBOOT,
    RTOS,
    VERSIONS,
    Case,
    sdk_cases,
)
from tests.oracle.slot_runs import run
from tests.support import BOOT_ROM, corpus_folder

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not BOOT_ROM, reason="IMGTOOL_BOOT_ROM names no dump of the boot ROM"),
]

SECONDS = 1.0  # of the chip's time: the RTOS SDK's loader is done in a fourth of it
SDK = [(version, case) for version in VERSIONS for case in sdk_cases(version)]


@cache
def rom() -> BootRom:
    return BootRom.parse(Path(BOOT_ROM).read_bytes())


def loader(name: str) -> bytes:
    path = corpus_folder() / "boot" / name
    if not path.exists():
        pytest.skip(f"no {name} is among the real images")
    return path.read_bytes()


def named(flash: bytes, case: Case) -> int | None:
    """The number of the image that ``inspect`` names, with the real loader in the flash."""
    state = describe(flash).state
    active = None if state is None else state.active_slot
    assert active is not None
    return None if active.offset is None else PLACES[active.scheme](case, active.offset)


@pytest.mark.parametrize(("version", "case"), SDK, ids=[f"{version}: {case.name}" for version, case in SDK])
def test_espressifs_loader(version: str, case: Case) -> None:
    name = version if version == "1.4(b1)" else version.split("(", maxsplit=1)[0]
    flash = case.flash(loader(f"boot_v{name}.bin"))
    seen = run(rom(), flash)

    assert (seen.number, named(flash, case)) == (case.seen, case.seen), seen.log


@pytest.mark.parametrize("case", RBOOT, ids=lambda case: case.name)
def test_rboot(case: Case) -> None:
    flash = case.flash(loader("rboot-mger.bin"))
    seen = run(rom(), flash)

    assert (seen.number, named(flash, case)) == (case.seen, case.seen), seen.log


@pytest.mark.parametrize(
    ("name", "case"),
    [("rboot-big-flash.bin", case) for case in BIG_FLASH]
    + [("rboot-mongoose.bin", case) for case in MONGOOSE],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
def test_other_builds_of_rboot(name: str, case: Case) -> None:
    flash = case.flash(loader(name))
    seen = run(rom(), flash)

    assert (seen.number, named(flash, case)) == (case.seen, case.seen), seen.log


@pytest.mark.parametrize("case", RTOS, ids=lambda case: case.name)
def test_rtos_sdk(case: Case) -> None:
    flash = case.flash(loader("rtos3-bootloader.bin"))
    store = MemoryStore(len(flash))
    store.write(0, flash)
    log = run_firmware(FirmwareChip(Setup(default_part(len(flash)), store), rom()), SECONDS).log
    # Its applications need more than these images have; which one was loaded and entered, it says.
    loaded = re.search(rb"Loaded app from partition at offset 0x([0-9a-f]+)", log)
    number = None if loaded is None else PLACES["otadata"](case, int(loaded[1], 16))

    assert (number, named(flash, case)) == (case.seen, case.seen), log
    assert (b"No bootable app partitions" in log or b"is too small" in log) == (case.seen is None)
