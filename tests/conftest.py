"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real images; without it, tests that need it are skipped."""
    folder = os.environ.get("IMGTOOL_CORPUS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("IMGTOOL_CORPUS does not name the folder of real images")
    return Path(folder)
