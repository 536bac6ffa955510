"""What ``imgtool build`` says to people: how full each memory is, the files, how to flash them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.cli.show.text import Span, stdout
from imgtool.cli.show.words import line_of, show_table
from imgtool.phrase import Name

if TYPE_CHECKING:
    from imgtool.cli.show.text import Screen
    from imgtool.engine.jobs.build import BuildResult
    from imgtool.operations.building.memory_use import MemoryUse

__all__ = ["show_built"]

_BAR: Final = 32
_NEARLY_FULL: Final = 0.9


def show_built(result: BuildResult) -> None:
    """Print what was built."""
    screen, words = stdout(), result.words
    sections, limits, files = words.tables[1:]
    screen.paragraph(Name(result.name), style="bold")
    screen.line(words.verdict)
    screen.line()
    _show_memory(screen, result)
    for table in (sections, limits):
        screen.line()
        show_table(screen, table)
    if words.findings or words.notes:
        from imgtool.cli.show.render import show_findings, show_note

        screen.line()
        show_findings(words.findings)
        for note in words.notes:
            show_note(note)
    screen.line()
    show_table(screen, files)
    for cure in words.cures:
        screen.line()
        screen.line(cure.text)
        for command in cure.commands:
            # A command is for copying, so it stays on one line.
            screen.line(f"  {command}")


def _show_memory(screen: Screen, result: BuildResult) -> None:
    """How full each memory is, with a bar beside the numbers."""
    table = result.words.tables[0]
    rows = [
        (*(line_of(cell) for cell in row), _bar(use, unicode=screen.unicode))
        for row, use in zip(table.rows, result.built.memory, strict=True)
    ]
    screen.table(rows, head=(*table.head, ""), right=table.right)


def _bar(use: MemoryUse, *, unicode: bool) -> Span:
    full, empty = ("█", "·") if unicode else ("#", ".")
    share = min(use.used / use.limit, 1.0)
    # Nothing that is used vanishes, and nothing that is free does.
    cells = min(max(round(share * _BAR), use.used > 0), _BAR if use.free <= 0 else _BAR - 1)
    style = "red" if use.free < 0 else "yellow" if share >= _NEARLY_FULL else "cyan"
    return Span(full * cells + empty * (_BAR - cells), style)
