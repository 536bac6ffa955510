"""A comparison for people: the verdict, both files, then a block for each table of it.

What is said comes from the result; nothing is worded here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgtool.cli.show import text
from imgtool.cli.show.text import Span
from imgtool.cli.show.words import line_of, style_of, text_of
from imgtool.engine.results import Tone

if TYPE_CHECKING:
    from imgtool.cli.show.text import Screen
    from imgtool.engine.results import Table, Words

__all__ = ["show_comparison"]


def show_comparison(words: Words) -> None:
    """Print what the comparison found."""
    screen = text.stdout()
    files, *tables = words.tables
    screen.paragraph(words.verdict, style=style_of(words.tone, bold=words.tone is Tone.WRONG))
    screen.line()
    screen.table([(Span(text_of(first), "bold"), *map(line_of, rest)) for first, *rest in files.rows])
    for note in words.notes:
        screen.paragraph(note, lead=[Span("  ")])
    for table in tables:
        _show(screen, table)


def _show(screen: Screen, table: Table) -> None:
    """Write a table below an empty line; the rows of one with a title stand further in."""
    screen.line()
    if table.title:
        screen.line(Span(f"  {table.title}", "bold"))
    if table.lead:
        screen.paragraph(table.lead, lead=[Span("    ")])
    if table.title or table.head:
        rows = [[*([""] if table.title else []), *map(line_of, row)] for row in table.rows]
        if rows:
            screen.table(rows, head=table.head, right=table.right)
    else:
        _show_marks(screen, table)
    for line in table.below.splitlines():
        screen.line(f"  {line}")


def _show_marks(screen: Screen, table: Table) -> None:
    for mark, words in table.rows:
        screen.paragraph(text_of(words), lead=[Span(f"  {text_of(mark)}  ", style_of(Tone.CARE))])
