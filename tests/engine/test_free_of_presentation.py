"""The engine is data in and data out: it prints nothing, opens nothing, and works where no terminal is."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import imgtool.engine

FOLDER = Path(str(imgtool.engine.__file__)).parent
MODULES = sorted(FOLDER.rglob("*.py"))
PRESENTATION = {"typer", "click", "rich", "serial"}
FORBIDDEN_CALLS = {"print", "input", "open", "echo", "write_text", "write_bytes", "read_text", "read_bytes"}


def test_it_imports_no_typer_no_rich_and_no_serial() -> None:
    inside = [path.relative_to(FOLDER).with_suffix("").parts for path in MODULES]
    names = [".".join(("imgtool", "engine", *parts)) for parts in inside if parts[-1] != "__init__"]
    program = (
        f"import importlib, sys\nfor name in {names}: importlib.import_module(name)\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}

    assert loaded & PRESENTATION == set()
    assert "imgtool.cli" not in done.stdout.split()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_it_prints_and_opens_nothing(path: Path) -> None:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
            if name in FORBIDDEN_CALLS:
                found.append(name)
        elif isinstance(node, ast.Attribute) and node.attr in {"stdout", "stderr", "stdin", "environ"}:
            found.append(node.attr)

    assert found == []
