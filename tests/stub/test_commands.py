"""Every command of the stub and every refusal, on the virtual chip under its traps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.stub.scenarios import SCENARIOS, play

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stub.host import Host


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_commands(scenario: Callable[[Host], None]) -> None:
    play(scenario)
