"""What starts by ``inspect``, and by the modelled boot, against what real loaders were seen to start."""

from __future__ import annotations

import pytest

from imgtool.engine.descriptions import verdict_words
from imgtool.operations.inspect.describe import describe
from imgtool.virtual.chip.boot_loader import start_loader
from imgtool.virtual.chip.boot_stage import BootFlash
from tests.operations.inspect.loader_cases import (
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


@pytest.mark.parametrize("case", RTOS, ids=lambda case: case.name)
def test_rtos_sdk(case: Case) -> None:
    assert started(case, case.flash(IMAGES["rtos3/bootloader.bin"])) == (case.seen, "known")
