"""``imgtool ports``: the serial ports that are there, and why one cannot be opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgtool.cli.input.arguments import JsonOption

if TYPE_CHECKING:
    from imgtool.engine.results import Words

__all__ = ["ports"]


def ports(json: JsonOption = False) -> int:
    """List the serial ports: adapter, USB id, driver, and why one cannot be opened.

    Example: imgtool ports
    """
    from imgtool.engine.jobs import ports as job

    result = job.ports()
    if json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
    else:
        _show(result.words)
    return result.code


def _show(words: Words) -> None:
    from imgtool.cli.show import text
    from imgtool.cli.show.text import Span
    from imgtool.cli.show.words import line_of, text_of
    from imgtool.engine.jobs.ports import CURE

    screen = text.stdout()
    if not words.tables:
        screen.paragraph(words.verdict)
    for table in words.tables:
        rows = [
            [Span(text_of(port), "" if isinstance(port, str) else "bold"), *map(line_of, rest)]
            for port, *rest in table.rows
        ]
        screen.table(rows, head=table.head)
    for row in words.rows:
        if row.name == CURE:
            screen.paragraph(row.text, lead=[Span("  cure  ", "bold")])
        else:
            screen.line()
            screen.paragraph(row.text, lead=[Span(f"{row.name}  ", "bold")])
    for note in words.notes:
        screen.line()
        screen.paragraph(note, lead=[Span("  note  ", "dim")])
