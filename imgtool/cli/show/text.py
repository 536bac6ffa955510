"""Lines, tables and colour for terminals of 80 columns and more: all that commands need to speak to people.

Not a general library for that: rich is one, and costs a third of the whole run of ``imgtool inspect`` in
import time (docs/performance.md).  Colour is used on terminals alone, and not where NO_COLOR is set
(https://no-color.org).
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Final, NamedTuple, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Line", "Screen", "Span", "stderr", "stdout"]

_WIDTH: Final = 80
_GUTTER: Final = "  "
_LEAST_WRAPPED: Final = 20

# Names and strings out of files are shown, never obeyed: no control codes, no marks that are not seen or that
# turn the direction of writing.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")

# Select Graphic Rendition codes, ECMA-48 8.3.117.
_CODES: Final = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}


class Span(NamedTuple):
    """A stretch of text and its style: words from ``bold dim red green yellow blue magenta cyan``."""

    text: str
    style: str = ""


Line = str | Span
"""What a table cell holds, and what a line is made of."""


class Screen(NamedTuple):
    """A stream to write to, its width in columns, and what it can show."""

    stream: TextIO
    width: int
    colour: bool

    @property
    def unicode(self) -> bool:
        """Whether it can show more than ASCII."""
        return (self.stream.encoding or "").lower().startswith("utf")

    def line(self, *spans: Line) -> None:
        """Write one line as it is."""
        self.stream.write("".join(self._shown(span) for span in spans).rstrip(" ") + "\n")

    def paragraph(self, text: str, *, lead: Sequence[Span] = (), style: str = "") -> None:
        """Write a text wrapped to the width, indented by what stands before its first line."""
        indent = sum(len(span.text) for span in lead)
        for number, piece in enumerate(_wrapped(text, self.width - indent)):
            self.line(*(lead if number == 0 else (" " * indent,)), Span(piece, style))

    def table(
        self, rows: Sequence[Sequence[Line]], *, head: Sequence[str] = (), right: Sequence[int] = ()
    ) -> None:
        """Write rows as aligned columns; the last one is wrapped.

        Args:
            rows: Cells, as many in each row.
            head: Column names.
            right: Which columns are flush right.
        """
        heads = [[Span(name, "dim") for name in head]] if head else []
        widths = [max(len(_text(row[at])) for row in (*heads, *rows)) for at in range(len(rows[0]) - 1)]
        indent = len(_GUTTER) * len(rows[0]) + sum(widths)
        for row in (*heads, *rows):
            cells = [
                _aligned(cell, width, right=at in right)
                for at, (cell, width) in enumerate(zip(row, widths, strict=False))
            ]
            last = row[-1]
            style = last.style if isinstance(last, Span) else ""
            for number, piece in enumerate(_wrapped(_text(last), self.width - indent)):
                before: list[Line] = (
                    [" " * indent]
                    if number
                    else [item for cell in cells for item in (_GUTTER, cell)] + [_GUTTER]
                )
                self.line(*before, Span(piece, style))

    def _shown(self, span: Line) -> str:
        shown = _CONTROL.sub(_spelt, _text(span))
        if isinstance(span, str) or not self.colour or not span.style:
            return shown
        codes = ";".join(_CODES[word] for word in span.style.split())
        return f"\x1b[{codes}m{shown}\x1b[0m"


def _spelt(found: re.Match[str]) -> str:
    return (
        found[0].encode("ascii", "backslashreplace").decode()
        if found[0] > "\x7f"
        else f"\\x{ord(found[0]):02x}"
    )


def _text(cell: Line) -> str:
    return cell if isinstance(cell, str) else cell.text


def _aligned(cell: Line, width: int, *, right: bool) -> Line:
    text = _text(cell).rjust(width) if right else _text(cell).ljust(width)
    return text if isinstance(cell, str) else Span(text, cell.style)


def _wrapped(text: str, width: int) -> list[str]:
    if len(text) <= width:
        return [text]
    return textwrap.wrap(text, max(width, _LEAST_WRAPPED), break_on_hyphens=False) or [""]


def _screen(stream: TextIO) -> Screen:
    terminal = stream.isatty()
    width = shutil.get_terminal_size((_WIDTH, 0)).columns if terminal else _WIDTH
    # Old Windows consoles show escape codes as they are; the ones that do not set one of these.
    capable = os.name != "nt" or "WT_SESSION" in os.environ or "TERM" in os.environ
    colour = terminal and capable and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Screen(stream, max(width, _WIDTH // 2), colour)


def stdout() -> Screen:
    """The screen that answers go to."""
    return _screen(sys.stdout)


def stderr() -> Screen:
    """The screen that progress and errors go to."""
    return _screen(sys.stderr)
