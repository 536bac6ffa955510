"""Parts of the stub, linked once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.stub import parts

if TYPE_CHECKING:
    from tests.stub.parts import OnCore, Part


def _built(part: tuple[str, tuple[str, ...]], factory: pytest.TempPathFactory) -> Part:
    reason = parts.missing_compiler()
    if reason:
        pytest.skip(reason)
    return parts.build(part, factory.mktemp("part"))


@pytest.fixture(scope="session")
def unpack_part(tmp_path_factory: pytest.TempPathFactory) -> Part:
    """Inflate and CRC-32."""
    return _built(parts.UNPACK, tmp_path_factory)


@pytest.fixture(scope="session")
def line_part(tmp_path_factory: pytest.TempPathFactory) -> Part:
    """Frames."""
    return _built(parts.LINE, tmp_path_factory)


@pytest.fixture(scope="session")
def unpack(unpack_part: Part) -> OnCore:
    return parts.OnCore(unpack_part)


@pytest.fixture(scope="session")
def line(line_part: Part) -> OnCore:
    return parts.OnCore(line_part)
