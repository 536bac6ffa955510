"""The programs on docs/python-api.md, made from the files in docs/programs, which are type-checked and run.

No text of its own: to change a program on the page, change its file.  ``python docs/program_parts.py`` writes
them, ``--check`` says whether they are as they should be.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from made_part import run

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "python-api.md"
PROGRAMS: Final = sorted((ROOT / "docs" / "programs").glob("*.py"))


def block(program: Path) -> str:
    """A program as a block of code."""
    return f"```python\n{program.read_text(encoding='utf-8')}```\n"


if __name__ == "__main__":
    sys.exit(max(run(PAGE, f"program_parts.py {each.stem}", block(each)) for each in PROGRAMS))
