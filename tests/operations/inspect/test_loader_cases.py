"""What starts by ``inspect``, and by the modelled boot, against what real loaders were seen to start."""

from __future__ import annotations

import functools
import operator
import struct

import pytest

from imgtool.engine.descriptions import verdict_words
from imgtool.operations.inspect.describe import describe
from imgtool.virtual.chip.boot_loader import start_loader
from imgtool.virtual.chip.boot_stage import BootFlash
from tests.operations.inspect.loader_cases import (
    BIG_FLASH,
    MONGOOSE,
    PLACES,
    RBOOT,
    RTOS,
    VERSIONS,
    Case,
    made_up_loader,
    sdk_cases,
)
from tests.support import IMAGES, codes

SDK = [(version, case) for version in VERSIONS for case in sdk_cases(version)]
MOST_STARTS = 12  # boot loader 1.7 comes to an end in its eighth
# No certain matter: a length without end, no segment at all, an address behind the end of the flash.
LIKELY = ("long", "empty", "old, old, flags fd0V")


def names(cases: list[tuple[str, Case]]) -> list[str]:
    return [f"{version}: {case.name}" for version, case in cases]


def started(case: Case, flash: bytes) -> tuple[int | None, str]:
    """The number of the image that ``inspect`` says to run, and how sure it is."""
    description = describe(flash)
    assert description.state is not None
    active = description.state.active_slot
    assert active is not None
    assert ("nothing-starts" in codes(description.findings)) == (case.seen is None) == active.nothing
    if active.offset is None:
        return None, active.certainty
    return PLACES[active.scheme](case, active.offset), active.certainty


@pytest.mark.parametrize(("version", "case"), SDK, ids=names(SDK))
def test_espressifs_loader(version: str, case: Case) -> None:
    number, certainty = started(case, case.flash(made_up_loader(f"2nd boot version : {version}\n")))

    assert number == case.seen
    assert certainty == "known" or case.name.startswith(LIKELY)


@pytest.mark.parametrize(("version", "case"), SDK, ids=names(SDK))
def test_the_model_of_espressifs_loader(version: str, case: Case) -> None:
    chip = BootFlash(memoryview(case.flash(made_up_loader("loader"))))
    head, rounds, image = chip.head(2 << 20), 0, None
    for _ in range(MOST_STARTS):
        start = start_loader(chip, head, version, rounds)
        image, rounds = start.image, start.rounds
        if image is not None or start.stage.outcome is not None:
            break

    assert (None if image is None else PLACES["espressif"](case, image)) == case.seen


@pytest.mark.parametrize("version", ["1.3(b3)"])
def test_a_version_that_was_not_run_is_likely_at_most(version: str) -> None:
    loader = made_up_loader(f"2nd boot version : {version}\n")
    case = next(case for case in sdk_cases("1.6") if case.name == "old, old")

    assert started(case, case.flash(loader)) == (1, "likely")


@pytest.mark.parametrize(("name", "ends"), [("-, new", "hold"), ("-, -", "hold, but nothing starts")])
def test_the_first_line_says_that_nothing_starts(name: str, ends: str) -> None:
    case = next(case for case in sdk_cases("1.6") if case.name == name)
    description = describe(case.flash(made_up_loader("2nd boot version : 1.6\n")))

    assert verdict_words(description).endswith(f"all checks {ends}")


@pytest.mark.parametrize("case", RBOOT, ids=lambda case: case.name)
def test_rboot(case: Case) -> None:
    number, certainty = started(case, case.flash(made_up_loader("rBoot v1.4.2 - made up\n")))

    assert number == case.seen
    assert certainty in ("known", "likely")


# ROM 1 of the default is elsewhere in 4 MB for these builds.
WITH_BIG_FLASH = [*(case for case in RBOOT if case.name != "no configuration, 4 MB"), *BIG_FLASH]


@pytest.mark.parametrize("case", WITH_BIG_FLASH, ids=lambda case: case.name)
def test_rboot_with_big_flash(case: Case) -> None:
    loader = made_up_loader("rBoot v1.4.0 - x\nrBoot Option: Big flash\n")

    assert started(case, case.flash(loader))[0] == case.seen


@pytest.mark.parametrize("case", MONGOOSE, ids=lambda case: case.name)
def test_rboot_of_mongoose_os(case: Case) -> None:
    loader = made_up_loader("rBoot v1.2.1 - x\nBoot is unconfirmed\n")

    assert started(case, case.flash(loader)) == (case.seen, "known")


@pytest.mark.parametrize("config", [b"", struct.pack("<6B2xII8x", 0xE1, 1, 0, 0, 0, 2, 0x2000, 0x82000)])
def test_mongoose_os_without_a_configuration_of_its_own(config: bytes) -> None:
    case = next(case for case in RBOOT if case.name == "no configuration")
    flash = case._replace(contents={**case.contents, 0x1000: config})
    state = describe(flash.flash(made_up_loader("rBoot v1.2.1-cesanta1 - x\n"))).state

    assert state is not None
    assert state.active_slot is not None
    assert (state.active_slot.name, state.active_slot.certainty) == (None, "not known")


CONFIG = struct.pack("<6B2xII8x", 0xE1, 1, 0, 1, 0, 2, 0x2000, 0x82000)
RIGHT = bytes((functools.reduce(operator.xor, CONFIG, 0xEF), 0, 0, 0))
WRONG = bytes((RIGHT[0] ^ 1, 0, 0, 0))


@pytest.mark.parametrize(
    ("options", "check", "name", "certainty"),
    [
        ("rBoot v1.4.0", RIGHT, "ROM 1", "known"),
        ("rBoot v1.4.0", WRONG, "ROM 1", "known"),  # what stands there is none to this build
        ("rBoot v1.4.0", b"", "ROM 1", "known"),
        ("rBoot v1.4.0 rBoot Option: Config chksum", RIGHT, "ROM 1", "known"),
        ("rBoot v1.4.0 rBoot Option: Config chksum", WRONG, "ROM 0", "known"),
        ("rBoot v1.4.0 rBoot Option: Config chksum", b"", "ROM 0", "known"),
        ("Rom %d is bad Booting rom %d", WRONG, None, "not known"),
        ("Rom %d is bad Booting rom %d", RIGHT, "ROM 1", "known"),
    ],
)
def test_the_checksum_of_the_configuration_counts_where_the_build_looks(
    options: str, check: bytes, name: str | None, certainty: str
) -> None:
    case = next(case for case in RBOOT if case.name == "no configuration")
    flash = case._replace(contents={**case.contents, 0x1000: CONFIG + check})
    state = describe(flash.flash(made_up_loader(options))).state

    assert state is not None
    assert state.active_slot is not None
    assert (state.active_slot.name, state.active_slot.certainty) == (name, certainty)


@pytest.mark.parametrize(
    ("options", "certainty"),
    [
        ("rBoot v1.4.2", "likely"),
        ("rBoot v1.4.2 rBoot Option: Big flash", "known"),
        ("Booting rom %d", "known"),
    ],
)
def test_a_rom_behind_the_first_mb_is_for_builds_that_map_it(options: str, certainty: str) -> None:
    config = struct.pack("<6B2xII8x", 0xE1, 1, 0, 1, 0, 2, 0x2000, 0x202000)
    rom = next(iter(BIG_FLASH)).contents[0x202000]
    case = Case("", 4 << 20, 4, {0x1000: config, 0x202000: rom}, None)
    state = describe(case.flash(made_up_loader(options))).state

    assert state is not None
    assert state.active_slot is not None
    assert (state.active_slot.offset, state.active_slot.certainty) == (0x202000, certainty)
    assert ("maps the first MB alone" in state.active_slot.reason) == (certainty == "likely")


@pytest.mark.parametrize("case", RTOS, ids=lambda case: case.name)
def test_rtos_sdk(case: Case) -> None:
    assert started(case, case.flash(IMAGES["rtos3/bootloader.bin"])) == (case.seen, "known")
