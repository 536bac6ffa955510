"""What all tests share: the made files, the real ones, and what holds for every format's ``read``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures import make

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imgtool.formats.reading import Reading

    Read = Callable[[bytes], Reading | None]
    Survives = Callable[[Read, Sequence[bytes]], None]


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real images that IMGTOOL_CORPUS names."""
    folder = Path(os.environ.get("IMGTOOL_CORPUS", ""))
    if "IMGTOOL_CORPUS" not in os.environ or not folder.is_dir():
        pytest.skip("IMGTOOL_CORPUS does not name a folder of real images")
    return folder


@pytest.fixture(scope="session")
def made() -> dict[str, bytes]:
    """Every file of fixtures/make.py by its path."""
    return make.build()


def assert_covered(reading: Reading, data: bytes) -> None:
    """The parts stand in file order without holes and reach to the end."""
    position = 0
    for part in reading.parts:
        assert part.offset == position
        assert part.size >= 0
        position = part.end
    assert position == len(data)


def _edited(data: bytes, edits: list[tuple[int, int]], start: int, end: int) -> bytes:
    changed = bytearray(data)
    for place, value in edits:
        if changed:
            changed[place % len(changed)] = value
    return bytes(changed[start : max(start, len(changed) - end)])


@pytest.fixture(scope="session")
def survives() -> Survives:
    """A check that a ``read`` takes any bytes: random ones, and made files edited and cut."""

    def check(read: Read, seeds: Sequence[bytes]) -> None:
        place = st.integers(0, 1 << 12) | st.integers(0, 1 << 24)
        edits = st.lists(st.tuples(place, st.integers(0, 255)), max_size=6)
        magics = st.sampled_from([seed[:8] for seed in seeds])
        damaged = st.one_of(
            st.binary(max_size=600),
            st.tuples(magics, st.binary(max_size=600)).map(b"".join),
            st.builds(_edited, st.sampled_from(seeds), edits, st.just(0), st.just(0) | place),
            st.builds(_edited, st.sampled_from(seeds), edits, st.integers(0, 64), place),
        )

        @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
        @given(data=damaged)
        def never_raises(data: bytes) -> None:
            reading = read(data)
            if reading is not None:
                assert_covered(reading, data)

        never_raises()
        for seed in seeds:
            for end in range(min(len(seed), 128)):
                reading = read(seed[:end])
                if reading is not None:
                    assert_covered(reading, seed[:end])

    return check
