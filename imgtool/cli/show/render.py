"""Results for people, at 80 columns, with and without colour.

What is said comes from the results; nothing is computed here.  Answers go to stdout, errors to stderr.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from imgtool.cli.show import text
from imgtool.cli.show.flash_map import draw_map, style_of
from imgtool.cli.show.text import Span
from imgtool.cli.show.words import line_of, show_table, show_verdict, text_of
from imgtool.engine.descriptions import errors_of, file_verdict, summary_words, tone_of
from imgtool.engine.file_tables import (
    checks_table,
    facts,
    file_system_tables,
    init_data_file,
    overview_table,
    partition_tables,
    parts_table,
    segments_table,
)
from imgtool.engine.results import Toned
from imgtool.phrase import Name, Phrase
from imgtool.quantities import bytes_and_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.cli.show.text import Line, Screen
    from imgtool.engine.results import Cell, Table, Words
    from imgtool.errors import ImgtoolError
    from imgtool.formats.reading import Finding, Part
    from imgtool.operations.inspect.describe import Description

__all__ = [
    "show_description",
    "show_error",
    "show_findings",
    "show_layout",
    "show_lines",
    "show_note",
    "show_overview",
    "show_partitions",
    "show_words",
]

_LEAST_FIRMWARE: Final = 10  # columns
_KIND: Final = 2  # the column of the parts that has their kinds
_INDENT: Final = "            "  # of a map row: two columns, the address, two columns


def show_lines(lines: Sequence[str]) -> None:
    """Print plain lines to stdout."""
    screen = text.stdout()
    for line in lines:
        screen.paragraph(line)


def show_note(message: str | None) -> None:
    """Print a note, if there is one."""
    if message:
        text.stdout().paragraph(message, lead=[Span("  note  ", "dim")])


def show_words(words: Words) -> None:
    """Print a result that is no more than its verdict, tables, findings and notes."""
    screen = text.stdout()
    show_verdict(screen, words)
    for table in words.tables:
        show_table(screen, table)
    show_findings(words.findings)
    for note in words.notes:
        show_note(note)


def show_error(error: ImgtoolError, hint: str) -> None:
    """Print an error and its hint to stderr."""
    screen = text.stderr()
    screen.paragraph(error.phrase, lead=[Span("error: ", "bold red")])
    screen.paragraph(hint, lead=[Span("hint:  ", "bold")])


def show_right(line: str | None) -> None:
    """Print the command as it should have been given, where that is known."""
    if line is not None:
        words = Phrase("this command has each file at its place: ", Name(line))
        text.stdout().paragraph(words, lead=[Span("hint:  ", "bold")])


def show_findings(findings: Sequence[Finding]) -> None:
    """Print findings, one paragraph each."""
    rows = [
        (
            line_of(Toned(str(finding.severity), tone_of(finding))),
            "" if finding.offset is None else f"0x{finding.offset:06x}",
            finding.message,
        )
        for finding in findings
    ]
    if rows:
        text.stdout().table(rows)


def show_description(path: str, description: Description) -> None:
    """Print what ``inspect`` found out about a file; the path is a :class:`Name`, or has one in it."""
    screen = text.stdout()
    screen.paragraph(path, style="bold")
    verdict = file_verdict(description)
    screen.line(f"{verdict.what}: ", Span(verdict.words, "green" if verdict.good else "bold red"))
    screen.line()
    screen.table([(Span(row.name, "dim"), row.text) for row in facts(description)])
    if len(description.parts) > 1:
        screen.line()
        show_layout(description.parts, description.size)
    if description.state is not None:
        from imgtool.cli.show.state_report import show_state

        show_state(screen, description.state)
    _show_tables(screen, [segments_table(description), checks_table(description)])
    show_partitions(description.parts)
    for table in file_system_tables(description.parts):
        _show_file_system(screen, table)
    _show_init_data(screen, description)
    if description.findings:
        screen.line()
        show_findings(description.findings)
    if description.content is not None:
        screen.line()
        show_description(Phrase(path, ", inside"), description.content)


def show_overview(described: Sequence[tuple[str, Description]]) -> None:
    """Print what several files are: a row each, what is wrong with which, and a line that sums up."""
    screen = text.stdout()
    folder = _folder_of([path for path, _ in described])
    named = [(Name(os.path.relpath(path, folder) if folder else path), each) for path, each in described]
    table = overview_table(named)
    left = _left_beside(table, screen)
    rows = [[*map(line_of, taken), _clipped(last, left)] for *taken, last in table.rows]
    if folder:
        screen.paragraph(Name(folder), style="bold")
    screen.table(rows, head=table.head, right=table.right)
    wrong = [(path, finding) for path, each in named for finding in errors_of(each)]
    if wrong:
        screen.line()
    for path, finding in wrong:
        screen.paragraph(Phrase(path, ": ", finding.message), lead=[Span("  error  ", "bold red")])
    screen.line()
    screen.line(summary_words([description for _, description in named]))


def _left_beside(table: Table, screen: Screen) -> int:
    """How wide the firmware may be for one line a file, where its name leaves room for that."""
    most = screen.name_width
    columns = list(zip(*([text_of(cell) for cell in row] for row in (*table.rows, table.head)), strict=True))
    widths = [max(len(cell) for cell in column if len(cell) <= most) for column in columns[:-1]]
    left = screen.width - sum(2 + width for width in widths) - 2
    return left if left >= _LEAST_FIRMWARE else screen.width


def _folder_of(paths: Sequence[str]) -> str:
    """The folder that all paths begin with, empty where they have none in common."""
    try:
        return os.path.commonpath([os.path.dirname(path) for path in paths])
    except ValueError:  # some are absolute and some are not, or they lie on several drives
        return ""


def _clipped(cell: Cell, width: int) -> Line:
    """A firmware that fits; how many errors there are is told in any case."""
    return cell[: width - 3] + "..." if isinstance(cell, str) and len(cell) > width else line_of(cell)


def show_layout(parts: Sequence[Part], size: int) -> None:
    """Print the map of a file, drawn to scale, and the table of its parts."""
    screen = text.stdout()
    drawn = draw_map(parts, size, unicode=screen.unicode)
    for start, runs in drawn.rows:
        screen.line(f"  0x{start:06x}  ", *(Span(cells, style) for cells, style in runs))
    _show_legend(screen, drawn.legend)
    screen.line(_INDENT, Span(f"one cell is {bytes_and_units(drawn.cell)}", "dim"))
    screen.line()
    table = parts_table(parts)
    rows = [
        [_coloured(cell) if at == _KIND else line_of(cell) for at, cell in enumerate(row)]
        for row in table.rows
    ]
    screen.table(rows, head=table.head, right=table.right)


def _coloured(kind: Cell) -> Line:
    """A kind of part in the style that it has on the map."""
    return Span(kind, style_of(kind)) if isinstance(kind, str) else line_of(kind)


def _show_legend(screen: Screen, legend: Sequence[tuple[str, str, str]]) -> None:
    row: list[Line] = []
    used = len(_INDENT)
    for mark, style, names in legend:
        if row and used + len(names) + 2 > screen.width:
            screen.line(_INDENT, *row)
            row, used = [], len(_INDENT)
        row += [Span(mark, style), f" {names}   "]
        used += len(names) + 5
    screen.line(_INDENT, *row)


def show_partitions(parts: Sequence[Part]) -> None:
    """Print the entries of the partition tables among some parts."""
    _show_tables(text.stdout(), partition_tables(parts))


def _show_tables(screen: Screen, tables: Sequence[Table]) -> None:
    """Print those that have rows, without their titles: what is in them is clear from their heads."""
    for table in tables:
        if table.rows:
            screen.line()
            show_table(screen, table._replace(title=""))


def _show_file_system(screen: Screen, table: Table) -> None:
    screen.line()
    for words in (table.title, table.lead):
        screen.paragraph(words, lead=[Span("  ")])
    show_table(screen, table._replace(title=""))
    if table.below:
        screen.line(f"  {table.below}")


def _show_init_data(screen: Screen, description: Description) -> None:
    """The documented fields, for a file that is init data; those that differ from v05 stand out."""
    table = init_data_file(description)
    if table is not None:
        rows = [
            [cell if isinstance(cell, str) else Span(cell.text, "bold yellow") for cell in row]
            for row in table.rows
        ]
        screen.line()
        screen.table(rows, head=table.head)
