"""What ``imgtool patch`` changed, or would change, for people: field by field and byte by byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgtool.cli.show import text
from imgtool.cli.show.render import show_findings, show_note
from imgtool.cli.show.text import Span
from imgtool.cli.show.words import show_table, text_of
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from imgtool.engine.results import Words

__all__ = ["show_fields", "show_patched"]


def show_patched(words: Words) -> None:
    """Print what changed, and what is to be said about it."""
    screen = text.stdout()
    screen.paragraph(words.verdict)
    for table in words.tables:
        screen.line()
        show_table(screen, table)
        if table.below:
            screen.line(f"  {table.below}")
    for row in words.rows:
        screen.line()
        screen.paragraph(Phrase(row.name, ": ", row.text))
    if words.findings:
        screen.line()
        show_findings(words.findings)
    for note in words.notes:
        show_note(note)


def show_fields(words: Words) -> None:
    """Print the fields of init data that can be set."""
    screen = text.stdout()
    for name, *more in (row for table in words.tables for row in table.rows):
        screen.paragraph(text_of(name), style="bold")
        for cell in more:
            screen.paragraph(text_of(cell), lead=[Span("    ")])
