"""The pages on the virtual chip are complete: their tables are those of the program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from imgtool.errors import FormatError
from imgtool.flash_parts import FLASH_PARTS
from imgtool.virtual.chip.faults import parse_plan
from imgtool.virtual.chip.packets import COMMAND_BY_NAME

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "virtual"
HOW_TO = ROOT / "docs" / "how-to" / "virtual-chip-in-ci.md"


def table(page: str, first: str) -> list[list[str]]:
    """The rows of the table of a page whose first column has that heading."""
    text = (PAGES / page).read_text(encoding="utf-8")
    found = re.search(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert found is not None
    return [
        [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        for line in found[1].splitlines()
    ]


def in_words(size: int) -> str:
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size >> 10} KB"


def test_every_flash_part_has_a_row_and_no_other() -> None:
    shown = [row[:6] for row in table("parts.md", "Part")]

    assert sorted(shown) == sorted(
        [
            part.name,
            part.vendor,
            part.id.hex(" "),
            in_words(part.bytes),
            "yes" if part.sfdp else "no",
            str(part.status_registers),
        ]
        for part in FLASH_PARTS
    )


@pytest.mark.parametrize("part", FLASH_PARTS, ids=lambda part: part.name)
def test_every_flash_part_names_its_source(part: object) -> None:
    name, cite = getattr(part, "name", ""), getattr(part, "cite", "")
    (row,) = (row for row in table("parts.md", "Part") if row[0] == name)

    assert row[6].endswith(f"({cite})")


def test_every_fault_has_a_row_and_no_other() -> None:
    with pytest.raises(FormatError) as refused:
        parse_plan("nonsense")

    assert [row[0] for row in table("faults.md", "Fault")] == str(refused.value.expected).split(", ")


@pytest.mark.parametrize("row", table("faults.md", "Fault"), ids=lambda row: row[0])
def test_every_example_of_a_fault_is_one(row: list[str]) -> None:
    words = [word.strip().strip("`") for word in row[1].split("or")] if row[0] == "seed" else [row[1]]

    for word in words:
        assert str(parse_plan(word)) == word
        assert word.partition("=")[0] == row[0]


def test_every_command_that_a_fault_can_name_is_listed() -> None:
    rows = table("faults.md", "Who knows the commands")

    assert [name for row in rows for name in re.findall("[a-z0-9-]+", row[1])] == list(COMMAND_BY_NAME)


def test_the_tests_of_the_how_to_page_pass(tmp_path: Path) -> None:
    snippets = re.findall(
        r"^```python\n(.*?)^```$", HOW_TO.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    own = [snippet for snippet in snippets if "esptool" not in snippet]
    (tmp_path / "test_page.py").write_text("\n\n".join(own), encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_page.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(snippets) == len(own) + 1
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout


def test_the_lines_of_real_boards_stand_beside_the_model_as_its_constants_have_it() -> None:
    command = [sys.executable, str(ROOT / "docs" / "silicon_lines.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")
