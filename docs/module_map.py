"""The map of modules in docs/explanation/architecture.md, made from the first line of each docstring.

Not a description of its own: to change a line of the map, change the module's docstring.  ``python
docs/module_map.py`` writes it, ``--check`` says whether it is as it should be.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from made_part import run

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGE: Final = ROOT / "imgtool"
PAGE: Final = ROOT / "docs" / "explanation" / "architecture.md"


def first_line(path: Path) -> str:
    """What a module says of itself in one line, without roles of reStructuredText and without a full stop."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    line = docstring.partition("\n")[0].rstrip(".")
    for role in (":mod:", ":func:", ":class:", ":data:"):
        line = line.replace(role, "")
    return line.replace("``", "`").replace("|", "\\|")


def folders() -> Iterator[Path]:
    """The packages, each before those in it."""
    yield from sorted(path.parent for path in PACKAGE.rglob("__init__.py"))


def module_map() -> str:
    """A table a folder: what it is, then its modules in the order of their names."""
    lines: list[str] = []
    for folder in folders():
        modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
        name = folder.relative_to(ROOT).as_posix()
        lines += ["", f"### `{name}/`", "", f"{first_line(folder / '__init__.py')}.", ""]
        if modules:
            lines += ["| Module | Is |", "|---|---|"]
            lines += [f"| `{module.name}` | {first_line(module)} |" for module in modules]
            lines.append("")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(run(PAGE, "module_map.py", module_map()))
