"""The written model of a boot against what real firmware was seen to do: fixtures/firmware, without the ROM.

tests/oracle/test_firmware.py runs it anew.
"""

from __future__ import annotations

import pytest

from imgtool.engine.boot_logs import explain
from tests.oracle.broken_boots import allowed, seen_broken
from tests.oracle.firmware_boots import Scenario, differences, scenarios, seen_boots


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: scenario.name)
def test_the_model_says_what_was_seen(scenario: Scenario) -> None:
    assert differences(scenario.name, scenario.flash(), seen_boots()[scenario.name]) == []


def test_every_boot_that_was_seen_has_its_scenario() -> None:
    assert list(seen_boots()) == [scenario.name for scenario in scenarios()]


@pytest.mark.parametrize("name", sorted({**seen_boots(), **seen_broken()}))
def test_no_log_is_called_better_than_the_boot_was(name: str) -> None:
    seen = {**seen_boots(), **seen_broken()}[name]

    assert allowed(seen, explain(seen.text).verdict)


def test_logs_of_every_sort_are_there() -> None:
    verdicts = {seen.verdict for seen in seen_broken().values()}

    assert {"BAD_IMAGE", "NO_IMAGE", "EXCEPTION", "BOOT_LOOP", "UNFINISHED", "RUNS"} <= verdicts


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("NodeMCU 3.0, chip of 512KB", "TOO_SMALL_FLASH"),
        ("NodeMCU 3.0, first sector of irom erased", "PARTITION_TABLE"),
        ("NodeMCU 3.0, 4 MB in the header of a chip of 1 MB", "UNFINISHED"),
        ("loader 1.7, AT 1.7.6", "PARTITION_TABLE"),
        ("loader 1.7, AT 1.7.6, size code 2", "RUNS"),
        ("loader 1.7, AT 1.7.6, size code 3", "RUNS"),
        ("NodeMCU 2.1, damaged init data", "INIT_DATA"),
        ("NodeMCU 2.1, without irom", "EXCEPTION"),
        ("Arduino core, deep sleep", "SPEAKS"),
        ("rBoot alone", "NO_IMAGE"),
    ],
)
def test_explain_says_what_the_firmware_does(name: str, verdict: str) -> None:
    assert seen_boots()[name].verdict == verdict
