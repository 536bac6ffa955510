"""One row a kind, and nowhere else a list of kinds; the page of kinds is what the rows say."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from imgtool.formats.kinds import KINDS, Spot, Starter
from imgtool.formats.reading import FileKind, PartKind
from imgtool.formats.registry import identify
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "imgtool"
MODULES: Final = sorted(PACKAGE.rglob("*.py"))
# The kinds themselves, and their rows.
HOME: Final = {"formats/reading.py", "formats/kinds.py"}


def test_every_kind_has_a_row() -> None:
    assert set(KINDS) == set(FileKind)


def test_the_words_of_a_kind_are_its_own() -> None:
    words = [row.words for row in KINDS.values()]

    assert all(words)
    assert len(set(words)) == len(words)


@pytest.mark.parametrize("kind", FileKind)
def test_a_row_is_of_one_piece(kind: FileKind) -> None:
    row = KINDS[kind]

    assert (row.address is not None) == (Spot.FIXED in row.spots)
    assert (row.region is not None) == (Spot.REGION in row.spots)
    assert not (row.no_content and row.spots), "what no flash holds has no place in one"
    assert row.no_content or row.spots or kind is FileKind.EMPTY
    assert not row.at_start or Spot.START in row.spots
    assert row.brings is None or Spot.START in row.spots
    assert not (Spot.SLOT in row.spots or Spot.FIXED in row.spots) or row.started_by
    assert not row.never_at_start or row.belongs or Spot.LINKED in row.spots
    assert not row.own_checks or row.wraps


@pytest.mark.parametrize("starter", Starter)
def test_every_starter_is_brought_by_a_kind(starter: Starter) -> None:
    assert [kind for kind, row in KINDS.items() if row.brings is starter]


@pytest.mark.parametrize("name", [name for name in IMAGES if not name.startswith("broken/")])
def test_the_rows_agree_with_what_is_read(name: str) -> None:
    reading, description = identify(IMAGES[name]), describe(IMAGES[name])
    row = KINDS[reading.kind]

    assert (reading.content is not None) <= row.wraps
    assert description.foreign == KINDS[description.kind].foreign
    assert row.holds_firmware or reading.firmware is None
    assert row.at_start <= (reading.header is not None)
    if row.open_end:
        assert any(part.kind is PartKind.IROM for part in reading.parts)


# --- nowhere else ---


def members(node: ast.AST) -> set[str]:
    """The kinds that an expression spells out."""
    return {
        each.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute)
        and isinstance(each.value, ast.Name)
        and each.value.id == "FileKind"
    }


def functions(tree: ast.Module) -> Iterator[ast.AST]:
    """The functions of a module, and each statement at its top."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
    yield from (node for node in tree.body if not isinstance(node, ast.ClassDef | ast.FunctionDef))


def lists_of_kinds(source: str) -> list[str]:
    """Where a module lists kinds: in a collection, or by comparing with one kind after the other."""
    found: list[str] = []
    for scope in functions(ast.parse(source)):
        nodes = list(ast.walk(scope))
        found += [
            f"line {node.lineno}: a collection of {', '.join(sorted(members(node)))}"
            for node in nodes
            if isinstance(node, ast.Tuple | ast.List | ast.Set | ast.Dict) and len(members(node)) > 1
        ]
        comparisons = [node for node in nodes if isinstance(node, ast.Compare | ast.MatchValue)]
        compared = {name for node in comparisons for name in members(node)}
        if len(compared) > 1:
            line = getattr(scope, "lineno", 1)
            found.append(f"line {line}: comparisons with {', '.join(sorted(compared))}")
    return found


@pytest.mark.parametrize("path", MODULES, ids=[path.relative_to(PACKAGE).as_posix() for path in MODULES])
def test_no_other_module_lists_kinds(path: Path) -> None:
    if path.relative_to(PACKAGE).as_posix() in HOME:
        return

    assert lists_of_kinds(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "A = (FileKind.ELF, FileKind.UF2)",
        "A = {FileKind.ELF: 1, FileKind.UF2: 2}",
        "def f(kind):\n    return kind is FileKind.ELF or kind is FileKind.UF2",
        "def f(kind):\n    if kind is FileKind.ELF:\n        return 1\n    return kind is not FileKind.UF2",
        "def f(kind):\n    return kind in [FileKind.ELF, FileKind.UF2]",
        "match kind:\n    case FileKind.ELF:\n        a = 1\n    case FileKind.UF2:\n        a = 2",
    ],
)
def test_a_list_is_found(source: str) -> None:
    assert lists_of_kinds(source)


@pytest.mark.parametrize(
    "source",
    [
        "def f(kind):\n    return kind is FileKind.ELF",
        "def f(data):\n    return Reading(FileKind.ELF) if data else Reading(FileKind.UF2)",
        "def f(kind):\n    return kind is FileKind.ELF\ndef g(kind):\n    return kind is FileKind.UF2",
    ],
)
def test_what_is_no_list_is_not_taken_for_one(source: str) -> None:
    assert lists_of_kinds(source) == []


# --- what a new kind touches ---

DUMMY: Final = '''"""A dummy format, for a test."""

from __future__ import annotations

from imgtool.formats.reading import FileKind, Part, PartKind, Reading

__all__ = ["read"]


def read(data: bytes) -> Reading | None:
    """Read a file of this format."""
    return Reading(FileKind.DUMMY, (Part(PartKind.UNKNOWN, 0, len(data)),)) if data[:4] == b"DUMY" else None
'''
TRIES: Final = """
from imgtool.operations.assemble.merge import merge
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.plan import PlanRequest, Target, plan_flash
from imgtool.operations.inspect.describe import describe
from imgtool.operations.patch.steps import Changes, patch

data = b"DUMY" + bytes(100)
target = Target("ESP8266EX", embedded=False, mac="", flash_id=b"", flash_bytes=4 * 2**20)
piece = Piece(0x200000, data, "d")
plan = plan_flash(PlanRequest((piece,)), target)
print(describe(data).kind, len(plan.pieces), len(merge([piece]).data), len(patch(data, Changes()).data))
"""
CUES: Final = {
    "formats/reading.py": ('    UNKNOWN = "unknown"\n\n\nclass PartKind', '    DUMMY = "dummy"\n'),
    "formats/kinds.py": (
        "        FileKind.UNKNOWN: KindRow(",
        '        FileKind.DUMMY: KindRow(words="dummy file", spots=_ALL),\n',
    ),
    "formats/registry.py": (
        '    Format("raw irom part"',
        '    Format("dummy", "containers.dummy", (b"DUMY",)),\n',
    ),
}
"""What a new kind goes in front of, by file, and what goes there."""


def python(folder: Path, *words: str) -> str:
    """What Python prints in a folder, errors included."""
    command = [sys.executable, *words]
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.stdout


def test_a_kind_is_added_in_four_places_of_the_package(tmp_path: Path) -> None:
    """Its format's file, its member, its row, its row in the registry: every command then knows it."""
    copy = tmp_path / "imgtool"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name, (cue, line) in CUES.items():
        source = (copy / name).read_text(encoding="utf-8")
        assert source.count(cue) == 1
        (copy / name).write_text(source.replace(cue, line + cue), encoding="utf-8")
    (copy / "formats/containers/dummy.py").write_text(DUMMY, encoding="utf-8")

    (tmp_path / "a.bin").write_bytes(b"DUMY" + bytes(100))

    assert python(tmp_path, "-c", TRIES) == "dummy 1 2097256 104\n"
    assert "dummy file, 104 bytes" in python(tmp_path, "-m", "imgtool", "inspect", "a.bin")


# --- the page ---


def test_the_table_of_kinds_is_made_from_the_rows() -> None:
    command = [sys.executable, str(ROOT / "docs" / "kind_table.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")
