"""Numbers in words."""

from __future__ import annotations

import pytest

from imgtool.quantities import duration, times


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (5.1, "5.1 s"), (59.94, "59.9 s"), (125.2, "2:05 min")]
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 times"), (1, "once"), (2, "2 times"), (1042, "1,042 times")]
)
def test_times(count: int, words: str) -> None:
    assert times(count) == words
