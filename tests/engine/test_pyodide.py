"""The engine in Pyodide, the Python of browsers, run by Node.js: its documents are CPython's, byte for byte.

Needs Node.js and npm.  Pyodide comes from npm and the wheels of our dependencies from PyPI, into a temporary
folder.  A minute, more on a busy machine: ``nox -s pyodide``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.engine.test_bare_platform import SCRIPT, said, write_files

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.long

ROOT: Final = Path(__file__).resolve().parents[2]
PYODIDE: Final = "pyodide@314.0.8"
WHEELS: Final = ("construct", "bincopy", "humanfriendly", "argparse-addons", "pyelftools")
"""What the engine imports: no crcmod, no littlefs-python, no pyserial, no typer."""


def run(*words: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def wheels(folder: Path) -> Path:
    """The wheels of imgtool and of what its engine imports, in the versions that are installed here."""
    versions: Sequence[str] = [f"{name}=={metadata.version(name)}" for name in WHEELS]
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, *versions)
    names = [path.name for path in folder.iterdir()]
    assert len(names) == len(WHEELS) + 1
    assert [name for name in names if not name.endswith("-none-any.whl")] == []
    return folder


def test_documents_are_cpythons_byte_for_byte(tmp_path: Path) -> None:
    node, npm = program("node"), program("npm")
    run(npm, "install", "--no-audit", "--no-fund", "--prefix", tmp_path, PYODIDE, cwd=tmp_path)
    files = write_files(tmp_path / "files")
    pyodide = tmp_path / "node_modules" / "pyodide"
    runner = Path(__file__).with_name("pyodide_run.mjs")
    there = json.loads(run(node, runner, pyodide, wheels(tmp_path / "wheels"), SCRIPT, files))
    here = said(SCRIPT.with_name("bare_platform.py"), SCRIPT, files)

    assert there["modules"] == here["modules"]
    assert list(there["jobs"]) == list(here["jobs"])
    for name, job in here["jobs"].items():
        assert json.dumps(there["jobs"][name]) == json.dumps(job), name
