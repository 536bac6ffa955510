"""Which slot starts: inspect and the modelled boot against what Espressif's real loaders started."""

from __future__ import annotations

import re

import pytest

from imgtool.formats.logs.boots import ResetCause
from imgtool.operations.inspect.describe import describe
from imgtool.operations.inspect.sdk_loader import loader_choice
from imgtool.virtual.chip.boot import boot
from tests.oracle.slot_cases import SlotCase, slot_cases, started
from tests.support import real

NAMES = {"user1": 1, "user2": 2}


def test_every_case_was_run() -> None:
    assert set(started()) == {case.name for case in slot_cases()}
    assert set(started().values()) == {1, 2, None}


@pytest.mark.parametrize("case", slot_cases(), ids=lambda case: case.name)
def test_inspect_names_what_was_started(case: SlotCase) -> None:
    choice = loader_choice(case.flash(), case.loader)

    assert (None if choice.starts is None else NAMES[choice.starts.name]) == started()[case.name]
    assert choice.certainty == "known"
    assert choice.reason


@pytest.mark.parametrize("case", slot_cases(), ids=lambda case: case.name)
def test_the_model_starts_what_was_started(case: SlotCase) -> None:
    said = boot(case.flash(real(f"boot/boot_v{case.loader}.bin")), ResetCause.POWER_ON).text()
    jumps = re.findall(rb"jump to run user([12])", said)
    ends = said.rstrip().endswith((b"user code done", b"error magic!")) or b"run usererror" in said

    assert (None if ends or not jumps else int(jumps[-1])) == started()[case.name]


def test_a_loader_with_nothing_but_its_second_image_is_told_as_one() -> None:
    case = SlotCase("1.7", ("none", "good"))
    state = describe(case.flash(real("boot/boot_v1.7.bin"))).state

    assert state is not None
    assert state.active_slot is not None
    assert (state.active_slot.scheme, state.active_slot.name) == ("espressif", "user2")
