"""Every command of the stub and every refusal, on the virtual chip under its traps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.stub.scenarios import SCENARIOS, play

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stub.host import Host


# Seconds each; tests/device/test_own_stub.py does the same from the host's side.
LONG = ("overrun", "plain_download", "refused_writes", "whole_blocks")


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(each, id=each.__name__, marks=[pytest.mark.long] if each.__name__ in LONG else [])
        for each in SCENARIOS
    ],
)
def test_commands(scenario: Callable[[Host], None]) -> None:
    play(scenario)
