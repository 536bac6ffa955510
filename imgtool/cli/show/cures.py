"""What to do about something, for people: numbered cures with their commands, and notes.

Small, as ``explain`` starts without the rest of what draws results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgtool.cli.show.text import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.cli.show.text import Screen
    from imgtool.operations.explain.boot_verdicts import Cure

__all__ = ["show_cure", "show_cures", "show_notes"]


def show_cures(screen: Screen, cures: Sequence[Cure]) -> None:
    """Write cures, an empty line before each."""
    for number, cure in enumerate(cures, 1):
        screen.line()
        show_cure(screen, number, cure)


def show_cure(screen: Screen, number: int, cure: Cure) -> None:
    """Write one cure: its text behind its number, then its commands."""
    screen.paragraph(cure.text, lead=[Span(f"{number}. ", "bold")])
    for command in cure.commands:
        # Never wrapped: a command is there to be copied.
        screen.line("     ", Span(command, "cyan"))


def show_notes(screen: Screen, notes: Sequence[str]) -> None:
    """Write notes, an empty line before them."""
    if notes:
        screen.line()
    for note in notes:
        screen.paragraph(note, lead=[Span("  note  ", "dim")])
