"""What the commands of ``files`` say, drawn; the words are the engine's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgtool.cli.show.render import show_findings
from imgtool.cli.show.text import Span, stdout
from imgtool.cli.show.words import show_rows, show_table, show_verdict

if TYPE_CHECKING:
    from imgtool.engine.results import Words

__all__ = ["show_files"]


def show_files(words: Words) -> None:
    """Print a verdict, tables with what is to be said of each, rows, findings and notes."""
    screen = stdout()
    show_verdict(screen, words)
    for table in words.tables:
        if table.title:
            screen.line()
            screen.paragraph(table.title, style="bold")
        if table.lead:
            screen.paragraph(table.lead)
        show_table(screen, table._replace(title=""))
        if table.below:
            screen.paragraph(table.below, lead=[Span("  ")])
    if words.rows:
        screen.line()
        show_rows(screen, words.rows)
    if words.findings:
        screen.line()
        show_findings(words.findings)
    for note in words.notes:
        screen.paragraph(note, lead=[Span("  note  ", "dim")])
