"""The programs of docs/python-api.md do what the page says: each is run on fixtures and virtual chips."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from docs.programs import back_up, flash_board, full_image, gate_build, own_port
from tests.support import IMAGES, aggregate

ROOT: Final = Path(__file__).parents[1]
USED: Final = IMAGES["dumps/nodemcu-3-used-4m.bin"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("0x00000.bin", "0x10000.bin"):
        (tmp_path / name).write_bytes(IMAGES[f"sample/{name}"])
    (tmp_path / "nodemcu.bin").write_bytes(aggregate("sample"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_shows_the_files() -> None:
    command = [sys.executable, str(ROOT / "docs" / "program_parts.py"), "--check"]

    subprocess.run(command, check=True)


def test_a_gate_lets_a_build_pass(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gate_build.main(["0x00000.bin", str(folder / "0x10000.bin")]) == 0
    assert capsys.readouterr().out.endswith("good: NodeMCU 2.2.0, SDK 2.2.1(6ab97e9)\n")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (IMAGES["broken/bad-checksum.bin"], "refused: not all checks hold"),
        (IMAGES["sample/0x00000.bin"], "refused: nothing is no NodeMCU"),
    ],
)
def test_a_gate_refuses_a_build(
    folder: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    (folder / "built.bin").write_bytes(content)

    assert gate_build.main(["built.bin"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == said


def test_a_whole_flash_is_made(folder: Path) -> None:
    assert full_image.main(".", "flash.bin") == 0

    made = (folder / "flash.bin").read_bytes()
    assert len(made) == 0x400000
    assert made[0x3FC000:0x3FC080] == IMAGES["init-data/v05.bin"][:0x80]


def test_a_whole_flash_of_damaged_files_is_not_made(folder: Path) -> None:
    (folder / "0x00000.bin").write_bytes(IMAGES["broken/bad-checksum.bin"])

    assert full_image.main(".", "flash.bin") == 1
    assert not (folder / "flash.bin").exists()


def test_a_board_is_flashed_unless_something_would_be_lost(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = folder / "content.bin"
    content.write_bytes(USED)
    port = "sim:4MB,flash=content.bin"

    assert flash_board.main(port, "nodemcu.bin") == 1
    said = capsys.readouterr().out
    assert re.search(r"^LOSE  0x03e000 +262,144 SPIFFS: ", said, re.MULTILINE)
    assert "InterruptedRunError: interrupted: nothing was written\n" in said
    assert content.read_bytes() == USED

    assert flash_board.main(port, "nodemcu.bin", "--lose") == 0
    said = capsys.readouterr().out
    assert "written and verified: 180,224 bytes" in said
    assert "boot: NodeMCU runs; nothing in this log is wrong." in said
    assert content.read_bytes()[0x10000:0x20000] == aggregate("sample")[0x10000:0x20000]


def test_a_board_is_not_flashed_with_a_damaged_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "nodemcu.bin").write_bytes(IMAGES["broken/bad-checksum.bin"])

    assert flash_board.main("sim:4MB", "nodemcu.bin") == 1
    assert capsys.readouterr().out.startswith("FormatError: nodemcu.bin: ")


def test_a_board_is_backed_up(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = folder / "content.bin"
    content.write_bytes(aggregate("sample").ljust(0x80000, b"\xff"))

    assert back_up.main("sim:512KB,mac=5c:cf:7f:01:02:03,flash=content.bin", "backups") == 0

    (backup,) = (folder / "backups").iterdir()
    assert re.fullmatch(r"imgtool-5ccf7f010203-\d{8}-\d{6}\.bin", backup.name)
    assert backup.read_bytes() == content.read_bytes()
    assert f"{backup.name}: 524,288 bytes" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_a_port_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert own_port.main("nodemcu.bin") == 0

    first, second = capsys.readouterr().out.splitlines()
    assert first == "ESP8266EX with a flash of 1 MB"
    assert second.startswith("written and verified: ")
