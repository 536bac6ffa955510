"""Values as HTML: everything that goes from a result into a page passes through here and is escaped.

Numbers, names, lists and nested facts as definition lists and tables, by their names and types alone, so that
a new fact of a part needs no code.  Not the page: page.py puts these together.  What may stand in a
document: https://html.spec.whatwg.org/multipage/parsing.html#preprocessing-the-input-stream
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeGuard

from imgtool.quantities import bytes_and_units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Cell",
    "address",
    "definitions",
    "escaped",
    "fact_list",
    "is_records",
    "link",
    "rows_of",
    "table",
    "words_of",
]

_NOTHING: Final = '<span class="none">none</span>'
# Last words in the names of numbers: what they count.  Others are plain, and in hexadecimal too if large.
_PLACES: Final = ("address", "offset", "entry", "start", "end", "stop", "stored", "computed")
_CODES: Final = ("code",)
_BYTES: Final = ("size", "bytes", "used", "free", "length", "capacity")
_SPELT: Final = {
    "sdk": "SDK",
    "lfs": "LFS",
    "lua": "Lua",
    "ssl": "SSL",
    "rf": "RF",
    "rtos": "RTOS",
    "elf": "ELF",
}
_LARGE: Final = 0x1000
_LONG_HEX: Final = 24  # digits that need to be broken over lines
_HEX_DIGITS: Final = frozenset("0123456789abcdef")


class Cell(NamedTuple):
    """A table cell: its HTML and its class."""

    html: str
    style: str = ""


def escaped(value: object) -> str:
    """A string out of a file as text of a page: no markup, and no character that is not seen.

    Control characters, halves of surrogate pairs, marks that turn the direction of writing and code points
    that HTML does not allow are spelt out, as on the terminal.
    """
    text = str(value)
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _spelt(char) for char in text)
    return html.escape(text)


def _spelt(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004


def words_of(name: str) -> str:
    """The name of a field as words, escaped."""
    return escaped(" ".join(_SPELT.get(word, word) for word in name.split("_")))


def address(value: int) -> str:
    """An address or offset in hexadecimal, as text."""
    return f"0x{value:06x}"


def link(anchor: str, content: str) -> str:
    """A link inside the page; the content is HTML."""
    return f'<a href="#{anchor}">{content}</a>'


def definitions(pairs: Sequence[tuple[str, str]], style: str = "") -> str:
    """A definition list of names (text) and values (HTML)."""
    rows = "".join(f"<div><dt>{words_of(name)}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="{style}">{rows}</dl>' if style else f"<dl>{rows}</dl>"


def table(label: str, head: Sequence[str], rows: Sequence[Sequence[Cell]], style: str = "") -> str:
    """A table that scrolls by itself where it is too wide, also by the keyboard.

    Args:
        label: What it shows, for those who do not see it; text.
        head: Column names; text.
        rows: Cells, as many in each row; the first one names its row.
        style: A class for the table.
    """
    names = "".join(
        f'<th scope="col"{_class(cell.style)}>{escaped(name)}</th>'
        for name, cell in zip(head, rows[0], strict=True)
    )
    body = "".join(f"<tr>{_row(row)}</tr>" for row in rows)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escaped(label)}">'
        f"<table{_class(style)}><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(cells: Sequence[Cell]) -> str:
    first, *rest = cells
    return f'<th scope="row"{_class(first.style)}>{first.html}</th>' + "".join(
        f"<td{_class(cell.style)}>{cell.html}</td>" for cell in rest
    )


def _class(style: str) -> str:
    return f' class="{style}"' if style else ""


def fact_list(facts: Mapping[str, Any], label: str) -> str:
    """Named facts: short ones as a definition list, lists of records as tables below it.

    Args:
        facts: Values with a JSON form.
        label: Whose facts they are, for the names of the tables; text.
    """
    plain = {name: value for name, value in facts.items() if not _is_block(value)}
    blocks = {name: value for name, value in facts.items() if _is_block(value)}
    shown = [definitions([(name, _value(name, value)) for name, value in plain.items()])] if plain else []
    for name, value in blocks.items():
        inner = (
            fact_list(value, label)
            if isinstance(value, dict)
            else table(f"{name.replace('_', ' ')} of {label}", *rows_of(value))
        )
        shown.append(f'<p class="over">{words_of(name)}</p>{inner}')
    return "".join(shown)


def _is_block(value: object) -> bool:
    return bool(value) and (isinstance(value, dict) or is_records(value))


def is_records(value: object) -> TypeGuard[Sequence[dict[str, Any]]]:
    """Whether a value is a list of records, and so a table."""
    return isinstance(value, list | tuple) and all(isinstance(each, dict) for each in value) and any(value)


def rows_of(records: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[Cell]]]:
    """Records as column names (text) and rows; the columns are all names that occur, in their order."""
    names = list(dict.fromkeys(name for record in records for name in record))
    rows = [[_cell(name, record.get(name)) for name in names] for record in records]
    return [name.replace("_", " ") for name in names], rows


def _cell(name: str, value: object) -> Cell:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Cell("" if value is None else _value(name, value))
    if _counts(name, _BYTES):
        return Cell(f"{value:,}", "num")
    return Cell(_value(name, value), "num")


def _value(name: str, value: object) -> str:
    if value is None or value in ("", [], (), {}):
        return _NOTHING
    if isinstance(value, dict):
        return definitions([(inner, _value(inner, each)) for inner, each in value.items()])
    if isinstance(value, list | tuple):
        return ", ".join(_value(name, each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _number(name, value) if isinstance(value, int) else _string(str(value))


def _string(text: str) -> str:
    if len(text) >= _LONG_HEX and _HEX_DIGITS.issuperset(text):
        return f'<code class="hex">{text}</code>'
    # Long lists, such as that of NodeMCU's modules, have no blanks.
    return escaped(text).replace(",", ",<wbr>")


def _number(name: str, value: int) -> str:
    if value < 0:
        return f"{value:,}"
    if _counts(name, _PLACES):
        return f"<code>{address(value)}</code>"
    if _counts(name, _CODES):
        return f"<code>0x{value:02x}</code>"
    if _counts(name, _BYTES):
        return bytes_and_units(value)
    return f"{value:,} (<code>0x{value:x}</code>)" if value >= _LARGE else str(value)


def _counts(name: str, endings: tuple[str, ...]) -> bool:
    return name.rpartition("_")[2] in endings
