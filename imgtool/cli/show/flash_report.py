"""What ``imgtool flash`` says, drawn: the plan, the result, a table of boards; the words are the engine's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgtool.cli.show.cures import show_cure
from imgtool.cli.show.text import Span, stdout
from imgtool.cli.show.words import show_rows, show_table, show_verdict, style_of
from imgtool.engine.jobs.flash import boards_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.cli.show.text import Screen
    from imgtool.engine.jobs.flash import FlashResult

__all__ = ["show_boards", "show_plan", "show_rehearsal", "show_result"]


def show_plan(result: FlashResult, *, more: bool = False) -> None:
    """Print what is about to be done to a board; ``more`` says whether a result comes below it."""
    from imgtool.cli.show.render import show_findings

    words, screen = result.plan_words, stdout()
    if words is None:
        return
    screen.paragraph(words.verdict, style="bold")
    show_rows(screen, words.rows)
    screen.line()
    for table in words.tables:
        show_table(screen, table)
    if words.changes:
        screen.line()
    for change in words.changes:
        screen.paragraph(change, lead=[Span("  change  ", "bold")])
    if words.findings:
        screen.line()
        show_findings(words.findings)
    for note in words.notes:
        screen.paragraph(note, lead=[Span("  note       ", "dim")])
    if result.port is None and result.note:
        screen.paragraph(result.note, lead=[Span("  note  ", "dim")])
    if more:
        screen.line()


def show_rehearsal(result: FlashResult, *, more: bool = False) -> None:
    """Print what the firmware did in memory; ``more`` says whether a result comes below it."""
    screen, words = stdout(), result.rehearsal_words
    if words is None:
        return
    screen.line()
    screen.paragraph(words.verdict, style=style_of(words.tone))
    show_rows(screen, words.rows)
    if more:
        screen.line()


def show_result(result: FlashResult) -> None:
    """Print what was done to a board, and how its firmware starts."""
    words, screen = result.words, stdout()
    show_verdict(screen, words)
    for note in words.notes:
        screen.paragraph(note, lead=[Span("  note  ", "dim")])
    _show_boot(screen, result)


def _show_boot(screen: Screen, result: FlashResult) -> None:
    words = result.words
    for row in words.rows:
        lead = [Span(f"{row.name}: ", "bold")] if row.name == "boot" else []
        style = style_of(result.boot_tone, bold=not result.boot_good) if lead else ""
        screen.paragraph(row.text, lead=lead, style=style)
    for number, cure in enumerate(words.cures, 1):
        show_cure(screen, number, cure)


def show_boards(results: Sequence[FlashResult]) -> None:
    """Print what became of several boards: a row each, then their errors, then a line that sums up."""
    words, screen = boards_words(results), stdout()
    for table in words.tables:
        show_table(screen, table)
    for note in words.notes:
        screen.paragraph(note, lead=[Span("  note  ", "dim")])
    for row in words.rows:
        style = "bold red" if row.name == "error" else "bold"
        screen.paragraph(row.text, lead=[Span(f"  {row.name:<7}", style)])
    screen.line()
    screen.line(words.verdict)
