"""Lines, tables and colour for terminals of 80 columns and more: all that commands need to speak to people.

Not a general library for that: rich is one, and costs a third of the whole run of ``imgtool inspect`` in
import time (docs/performance.md).  Colour is used on terminals alone, and not where NO_COLOR is set
(https://no-color.org).

No word is broken, and no name (imgtool.phrase), whatever is in it: who reads a path may copy it.  One that is
too long for its place has a line of its own, which may be longer than the terminal is wide.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TYPE_CHECKING, Final, NamedTuple, TextIO

from imgtool.phrase import Name, has_name, pieces_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Line", "Screen", "Span", "columns", "stderr", "stdout", "wrapped"]

_WIDTH: Final = 80
_GUTTER: Final = "  "
# A text with less room than this beside what stands before it goes below that.
_LEAST_BESIDE: Final = 20
# A line of its own begins where its text would, if that is near the edge, else here.
_NEAR: Final = 16
_ASIDE: Final = 4
_SPACE: Final = re.compile(r"([\t\n\v\f\r ]+)")

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

    @property
    def name_width(self) -> int:
        """How wide names may be in a table that is too wide: a longer one has a line of its own."""
        return self.width * 3 // 8

    def line(self, *spans: Line) -> None:
        """Write one line as it is."""
        self.stream.write("".join(self._shown(span) for span in spans).rstrip(" ") + "\n")

    def paragraph(self, text: str, *, lead: Sequence[Line] = (), style: str = "") -> None:
        """Write a text wrapped to the width, indented by what stands before its first line."""
        indent = sum(len(_text(span)) for span in lead)
        room = max(self.width - indent, 0)
        before = [*lead]
        if room < _LEAST_BESIDE and len(text) > room:
            self._flush(before)
            before, indent = [], min(indent, _ASIDE)
            room = self.width - indent
        for piece in wrapped(text, room):
            if len(piece) > room:
                self._flush(before)
                before = [self._aside(indent, piece)]
            self.line(*(before or [" " * indent]), Span(piece, style))
            before = []

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
        widths = self._widths([*heads, *rows])
        for row in (*heads, *rows):
            before: list[Line] = []
            for at, (cell, width) in enumerate(zip(row, widths, strict=False)):
                if len(_text(cell)) <= width:
                    before += [_GUTTER, _aligned(cell, width, right=at in right)]
                    continue
                start = sum(2 + each for each in widths[:at]) + len(_GUTTER)
                self._flush(before)
                self.line(self._aside(start, _text(cell)), cell)
                before = [" " * (start + width)]
            last = row[-1]
            style = last.style if isinstance(last, Span) else ""
            if _text(last) or _visible(before) or not before:
                self.paragraph(_text(last), lead=[*before, _GUTTER], style=style)

    def _widths(self, rows: Sequence[Sequence[Line]]) -> list[int]:
        """Those of all columns but the last; where the table is too wide, long names do not count."""
        *columns, last = ([_text(cell) for cell in column] for column in zip(*rows, strict=True))
        widths = [max(map(len, column)) for column in columns]
        if sum(len(_GUTTER) + width for width in (*widths, max(map(len, last)))) <= self.width:
            return widths
        most = self.name_width
        return [
            max((len(cell) for cell in column if len(cell) <= most or not has_name(cell)), default=0)
            for column in columns
        ]

    def _aside(self, indent: int, text: str) -> str:
        """What stands before a text that has a line of its own: less than ever where it fits only so."""
        left = indent if indent <= _NEAR else _ASIDE
        room = self.width - len(text)
        return " " * (min(left, room) if room >= 0 else left)

    def _flush(self, before: Sequence[Line]) -> None:
        """Write what stands before something that has a line of its own, if it is anything."""
        if _visible(before):
            self.line(*before)

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


def _visible(spans: Sequence[Line]) -> bool:
    return any(_text(span).strip() for span in spans)


def _aligned(cell: Line, width: int, *, right: bool) -> Line:
    text = _text(cell).rjust(width) if right else _text(cell).ljust(width)
    return text if isinstance(cell, str) else Span(text, cell.style)


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines of at most this width, broken at spaces that are in no name.

    Returns:
        At least one line; a longer one is one word.
    """
    if len(text) <= width and not has_name(text):
        return [text]
    lines = []
    line: str | None = None
    for space, word in _words(text):
        if line is not None and len(line) + len(space) + len(word) <= width:
            line += space + word
            continue
        if line is not None:
            lines.append(line)
        fits = not lines and len(space) + len(word) <= width
        line = space + word if fits else word
    return [*lines, line or ""]


def _words(text: str) -> Iterator[tuple[str, str]]:
    """The words of a text, each with the space before it; a name is one, with what touches it."""
    space = word = ""
    for piece in pieces_of(text):
        chunks = [_CONTROL.sub(_spelt, piece)] if isinstance(piece, Name) else _SPACE.split(piece)
        for chunk in chunks:
            if isinstance(piece, Name) or not _SPACE.fullmatch(chunk):
                word += chunk
                continue
            if word:
                yield space, word
                space = word = ""
            space += " " * len(chunk)
    if word:
        yield space, word


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: East Asian characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(1 + (east_asian_width(char) in "WF") - bool(combining(char)) for char in text)


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
