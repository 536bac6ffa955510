"""Numbers in words."""

from __future__ import annotations

import pytest

from imgtool.quantities import duration


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (5.1, "5.1 s"), (59.94, "59.9 s"), (125.2, "2:05 min")]
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words
