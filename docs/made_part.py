"""A part of a page that a script makes: put between two lines of the page, or checked to be as it should be.

No script itself: module_map.py, kind_table.py, generations.py, program_parts.py and silicon_lines.py make the
parts.  Each of several parts of a page is named behind the script.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

END: Final = "<!-- end -->\n"


def run(page: Path, script: str, part: str) -> int:
    """Write the part, or with ``--check`` say whether it is as it should be.

    Args:
        page: The page.
        script: The script's name, as the line before the part has it.
        part: The text between the two lines.

    Returns:
        The exit code.

    Raises:
        ValueError: The page has no place for the part.
    """
    start = f"<!-- made by docs/{script}: begin -->\n"
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(start)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no place for it: the lines {start!r} and {END!r}")
    made = f"{before}{begin}\n{part.strip()}\n\n{end}{after}"
    if "--check" not in sys.argv[1:]:
        page.write_text(made, encoding="utf-8")
    elif made != text:
        print(f"{page.name} is out of date: python docs/{script}")
        return 1
    return 0
