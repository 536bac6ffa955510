"""What a newcomer touches to add something: each is added to a copy of the package, and works.

The tables of docs/explanation/architecture.md name these tests.  What has to be added elsewhere than a test
says is a place that was forgotten.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
COMMAND: Final = '''"""``imgtool count``: how many bytes a file has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["count"]


def count(file: Annotated[Path, typer.Argument(help="A file.")]) -> int:
    """Say how many bytes a file has."""
    typer.echo(f"{file.stat().st_size} bytes")
    return 0
'''


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a copy of the package."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "imgtool", tmp_path / "imgtool", ignore=ignored)
    return tmp_path


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "imgtool", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_command_is_a_file_and_a_row(copy: Path) -> None:
    (copy / "imgtool/cli/commands/images/count.py").write_text(COMMAND, encoding="utf-8")
    app = copy / "imgtool/cli/app.py"
    row = '    "inspect": "images.inspect",\n'
    text = app.read_text(encoding="utf-8")
    assert row in text
    app.write_text(text.replace(row, f'{row}    "count": "images.count",\n'), encoding="utf-8")
    (copy / "five.bin").write_bytes(b"12345")

    assert run(copy, "count", "five.bin") == "5 bytes\n"
    assert "Say how many bytes a file has." in run(copy, "--help")
