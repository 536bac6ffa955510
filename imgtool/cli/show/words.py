"""Words of a result for people: tones as colours, tables as columns.

What is said comes from imgtool.engine.results; nothing is worded here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.cli.show.text import Span
from imgtool.engine.results import Tone

if TYPE_CHECKING:
    from imgtool.cli.show.text import Line, Screen
    from imgtool.engine.results import Cell, Table

__all__ = ["line_of", "show_table", "style_of", "text_of"]

_STYLES: Final = {
    Tone.PLAIN: "",
    Tone.GOOD: "green",
    Tone.CARE: "yellow",
    Tone.WRONG: "red",
    Tone.WORK: "cyan",
    Tone.DIM: "dim",
}


def style_of(tone: Tone, *, bold: bool = False) -> str:
    """The style of a tone."""
    return f"bold {_STYLES[tone]}".rstrip() if bold else _STYLES[tone]


def text_of(cell: Cell) -> str:
    """What stands in a cell."""
    return cell if isinstance(cell, str) else cell.text


def line_of(cell: Cell) -> Line:
    """A cell as it is written; what is wrong stands out."""
    return (
        cell if isinstance(cell, str) else Span(cell.text, style_of(cell.tone, bold=cell.tone is Tone.WRONG))
    )


def show_table(screen: Screen, table: Table) -> None:
    """Write a table: its title if it has one, and its rows if it has any; not what is left out of it."""
    if table.title:
        screen.paragraph(table.title, style="bold")
    if table.rows:
        rows = [[line_of(cell) for cell in row] for row in table.rows]
        screen.table(rows, head=table.head, right=table.right)
