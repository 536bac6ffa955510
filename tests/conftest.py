"""Fixtures of all tests; the images and helpers that need no set-up are in support.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgtool.cli import app
from tests.support import IMAGES, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imgtool.formats.reading import Reading

    Command = Callable[..., Run]
    Read = Callable[[bytes], Reading | None]
    Survives = Callable[[Read, Sequence[bytes]], None]

# No deadline: tests do not measure time.  The generated images are big, which hypothesis calls unhealthy.
settings.register_profile(
    "imgtool",
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("imgtool")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("COLUMNS", raising=False)
    return tmp_path


@pytest.fixture
def no_port_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - in a folder of its own
    """No port or speed comes from the environment."""
    for name in ("IMGTOOL_PORT", "IMGTOOL_BAUD", "ESPTOOL_PORT", "ESPTOOL_BAUD"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def put(folder: Path) -> Callable[..., Path]:
    """Writes an image, by default a synthesised one, into the current folder."""

    def write(name: str, content: bytes | str) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(IMAGES[content] if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def pair(put: Callable[..., Path], folder: Path) -> Path:
    """The current folder, with the two halves of the sample in it."""
    put("0x00000.bin", "sample/0x00000.bin")
    put("0x10000.bin", "sample/0x10000.bin")
    return folder


@pytest.fixture
def imgtool(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:  # noqa: ARG001 - never in the project
    """Runs the command line in this process, in an empty folder."""

    def run(*arguments: str | Path) -> Run:
        capsys.readouterr()
        code: object = 0
        try:
            app.main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        assert isinstance(code, int | None)
        return Run(code or 0, out, err)

    return run


@pytest.fixture
def script(folder: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Runs the installed script as a process of its own."""

    def run(
        *arguments: str | bytes | Path, environment: dict[str, str] | None = None, stdout: int | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        program = Path(sys.executable).with_name("imgtool")
        return subprocess.run(
            [program, *arguments],
            cwd=folder,
            env={**os.environ, "NO_COLOR": "1", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            check=False,
        )

    return run


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
    return IMAGES


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

        @settings(max_examples=200, suppress_health_check=list(HealthCheck))
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
