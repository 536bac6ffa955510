"""What a newcomer touches to add something: each is added to a copy of the package, and works.

The tables of docs/explanation/architecture.md name these tests.  What has to be added elsewhere than a test
says is a place that was forgotten.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from fixtures.upgrades import before_3
from tests.boot_logs import BANNER, LOADED

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


GENERATION: Final = """    Generation(
        name="NodeMCU 4",
        family=Family.NODEMCU,
        names=("NodeMCU",),
        numbering=Numbering.OWN,
        first=(4,),
        kept=(
            KeptSectors(PartKind.INIT_DATA, "init-data", 8, 1),
            KeptSectors(PartKind.RF_CAL, "rf-cal", 7, 1),
            KeptSectors(PartKind.SYSTEM_PARAM, "system-param", 3, 3),
        ),
        needs_init_data=True,
        missing_init_data=InitDataRepair.IF_ERASED,
        own_init_data=OwnInitData("v08"),
        files=SpiffsRule(
            magics=Magics.LINEAR, place=FilePlace.BEHIND, step=0x4_0000, kept_sectors=8, gap=0, least=0
        ),
        sources=(Source(Standing.INFERRED, "https://example.org/"),),
    ),
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a copy of the package."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "imgtool", tmp_path / "imgtool", ignore=ignored)
    return tmp_path


def result(folder: Path, *words: str, code: int = 0) -> dict[str, Any]:
    """The one result of a command with ``--json``."""
    found: dict[str, Any] = json.loads(run(folder, *words, code=code))["results"][0]
    return found


def run(folder: Path, *words: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "imgtool", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
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


def test_a_generation_is_a_row(copy: Path) -> None:
    rows = copy / "imgtool/layout/generations.py"
    text = rows.read_text(encoding="utf-8")
    newest = '        first=(3,),\n        rule="NodeMCU\'s partition table",\n'
    unknown = '    Generation(\n        name="NodeMCU of a release that is not known",\n'
    assert text.count(newest) == text.count(unknown) == 1
    text = text.replace(newest, newest.replace("(3,),", "(3,),\n        before=(4,),"))
    rows.write_text(text.replace(unknown, GENERATION + unknown), encoding="utf-8")
    image = before_3("2.2.1").replace(b"NodeMCU 2.2.1", b"NodeMCU 4.0.0")
    (copy / "new.bin").write_bytes(image)
    (copy / "old.bin").write_bytes(before_3("2.2.1"))

    run(copy, "fullimage", "--size", "1MB", "old.bin", "-o", "old-flash.bin")
    run(copy, "fullimage", "--size", "1MB", "new.bin", "-o", "new-flash.bin")
    flash = (copy / "new-flash.bin").read_bytes()
    parts = result(copy, "inspect", "--json", "new-flash.bin")["parts"]
    points = result(copy, "advise", "--json", "old-flash.bin", "new.bin")["points"]
    said = {point["topic"]: point["reason"] for point in points}

    assert flash[0xF8000:0xF8010].hex() == "05000402050505020500040505040505"
    assert flash[0xFC000:0xFC010] == b"\xff" * 16
    assert {part["kind"]: part["offset"] for part in parts if part["kind"] in ("init-data", "rf-cal")} == {
        "init-data": 0xF8000,
        "rf-cal": 0xF9000,
    }
    assert "0x0f8000" in said["init data"]
    assert "0x040000" in said["first boot"]


BOOT_MESSAGE: Final = r"""
    _rom(
        name="melted",
        marks="has melted",
        form=r"\bthe flash has melted\b",
        example="the flash has melted",
        weight=Weight.FAILS,
        after_loading=True,
        says=LogOutcome(
            Verdict.NO_IMAGE,
            "The flash has melted.",
            "It says '{text}'.",
            (cure("Let it cool, and write it again.", WRITE),),
        ),
    ),
"""


def test_a_boot_message_is_a_row(copy: Path) -> None:
    known = copy / "imgtool/operations/explain/messages/rom.py"
    head = "ROWS: Final = ("
    text = known.read_text(encoding="utf-8")
    assert head in text
    known.write_text(text.replace(head, head + BOOT_MESSAGE), encoding="utf-8")
    (copy / "boot.log").write_bytes((BANNER + LOADED + "the flash has melted\r\n").encode())
    shown = run(copy, "explain", "boot.log", code=1)

    assert shown.splitlines()[0] == "The flash has melted."
    assert "It says 'the flash has melted'." in shown
    assert "     imgtool flash FILE" in shown.splitlines()
