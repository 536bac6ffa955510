"""What ``inspect`` found out as one HTML page that needs nothing else: no network, no script, no second file.

Made of the values that ``--json`` prints, in the words of the terminal.  Functions that return strings;
map.py draws, values.py escapes.  There is no time in it: the same files give the same bytes.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from imgtool import __version__
from imgtool.cli.show.html.map import basics, figure, sort_of, thumbnail
from imgtool.cli.show.html.sections import (
    DEEPEST_HEADING,
    OF_ANY_PART,
    PageFile,
    block,
    checks,
    file_lists,
    partitions,
    segments,
)
from imgtool.cli.show.html.state import state_cards
from imgtool.cli.show.html.values import (
    Cell,
    address,
    definitions,
    escaped,
    fact_list,
    link,
    table,
)
from imgtool.cli.show.words import text_of
from imgtool.engine.descriptions import image_words, summary_words, verdict_words
from imgtool.engine.documents import description_fields
from imgtool.engine.file_tables import app_details, has_files, init_data_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.engine.results import Table
    from imgtool.operations.inspect.describe import Description

__all__ = ["html_page"]

_STYLES: Final = "page.css"
# Nothing is loaded and nothing runs, whatever a page should come to hold.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_FEW_FINDINGS: Final = 20
_FEW_FIELDS: Final = 8


def _file(name: str, description: Description, anchor: str, level: int) -> PageFile:
    starts = tuple(part.offset for part in description.parts)
    return PageFile(name, description, description_fields(name, description), anchor, level, starts)


def html_page(described: Sequence[tuple[str, Description]]) -> str:
    """The page on some files: one as it is, several below a table of all.

    Args:
        described: Each file's name and what it is.
    """
    several = len(described) > 1
    listed = [
        _file(name, each, f"f{number}", 2 if several else 1)
        for number, (name, each) in enumerate(described, 1)
    ]
    title = summary_words([each for _, each in described]) if several else listed[0].name
    overview = _overview(listed, title) if several else ""
    styles = files("imgtool.cli.show.html").joinpath(_STYLES).read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escaped(title)} - imgtool</title>\n<style>\n{styles}</style>\n</head>\n<body>\n"
        f"{overview}<main>\n{''.join(_section(each) for each in listed)}</main>\n"
        f"<footer>Made by imgtool {escaped(__version__)}, <code>imgtool inspect --html</code></footer>\n"
        "</body>\n</html>\n"
    )


def _overview(listed: Sequence[PageFile], title: str) -> str:
    rows = [
        [
            Cell(link(each.anchor, escaped(each.name))),
            Cell(_short_verdict(each.description), "tight"),
            Cell(escaped(each.description.kind), "extra"),
            Cell(escaped(image_words(each.description))),
            Cell(f"{each.description.size:,}", "num"),
            Cell(_thumbnail(each), "wide"),
        ]
        for each in listed
    ]
    head = ("file", "verdict", "kind", "holds", "size", "map")
    listing = table("Files", head, rows)
    return f'<header>\n<h1>{escaped(title)}</h1>\n</header>\n<nav aria-label="Files">{listing}</nav>\n'


def _thumbnail(file: PageFile) -> str:
    return thumbnail(file.parts, file.description.size) if len(file.parts) > 1 else ""


def _short_verdict(description: Description) -> str:
    if description.foreign:
        return '<b class="odd">no ESP8266 file</b>'
    return '<b class="good">good</b>' if description.ok else '<b class="bad">damaged</b>'


def _section(file: PageFile) -> str:
    blocks = [
        _title(file),
        _findings(file),
        _map(file),
        state_cards(file),
        _cards(file),
        partitions(file),
        file_lists(file),
        segments(file),
        checks(file),
        _details(file),
        _content(file),
    ]
    content = "\n".join(filter(None, blocks))
    return f'<article id="{file.anchor}" class="level{file.level}">\n{content}\n</article>\n'


def _title(file: PageFile) -> str:
    state = "odd" if file.description.foreign else "good" if file.description.ok else "bad"
    mark = {"good": "\u2713", "bad": "\u2717", "odd": "?"}[state]
    return (
        f'<header class="file"><h{file.level}>{escaped(file.name)}</h{file.level}>'
        f'<p class="verdict {state}"><span aria-hidden="true">{mark}</span> '
        f"{escaped(verdict_words(file.description))}</p>{_lead(file)}</header>"
    )


def _lead(file: PageFile) -> str:
    """Firmware and header in a few words."""
    header = file.fields["header"]
    words = [] if file.description.firmware is None else [image_words(file.description)]
    if header is not None:
        words.append(", ".join(filter(None, (header["mode"], header["freq"], _size(file)))))
    return f'<p class="lead">{" &middot; ".join(escaped(each) for each in words)}</p>' if words else ""


def _size(file: PageFile) -> str | None:
    """The flash size in the header; an RTOS SDK application reads it by another table, and says so."""
    app, header = app_details(file.description), file.description.header
    return (None if app is None else app.flash_size) or (None if header is None else header.size)


def _map(file: PageFile) -> str:
    if not file.parts:
        return ""
    title = "Map" if len(file.parts) > 1 else "Parts"
    return block(file, title, figure(file.parts, file.description.size, file.anchor, file.name))


def _findings(file: PageFile) -> str:
    """Errors come first; of a great many notes most are folded away."""
    items = [
        f'<li class="{escaped(finding["severity"])}"><b>{escaped(finding["severity"])}</b>'
        f"<span>{escaped(finding['message'])} "
        f"<small>{file.place(finding['offset']) + ' ' if 'offset' in finding else ''}"
        f"<code>{escaped(finding['code'])}</code></small></span></li>"
        for finding in file.fields["findings"]
    ]
    if not items:
        return ""
    shown, folded = items[:_FEW_FINDINGS], items[_FEW_FINDINGS:]
    content = f'<ul class="findings">{"".join(shown)}</ul>'
    if folded:
        content += (
            f"<details><summary>{len(folded):,} more</summary>"
            f'<ul class="findings">{"".join(folded)}</ul></details>'
        )
    return block(file, "Findings", content)


def _cards(file: PageFile) -> str:
    """Firmware, header and digest."""
    firmware, header = file.fields["firmware"], file.fields["header"]
    cards = []
    if firmware is not None:
        leading = ("name", "version", "sdk", "build", "lua", "builder")
        order = [*leading, *(name for name in firmware if name not in leading)]
        known = {name: firmware[name] for name in order if firmware.get(name) is not None}
        cards.append(
            block(file, "Firmware", fact_list(known, file.name), "broad" if len(known) > _FEW_FIELDS else "")
        )
    if header is not None:
        values = {name: value for name, value in header.items() if value is not None}
        if _size(file) not in (None, header["size"]):
            values["size"] = f"{_size(file)}, by the table of the RTOS SDK"
        cards.append(block(file, "Header", fact_list(values, file.name)))
    shown = f'<div class="cards">{"".join(cards)}</div>' if cards else ""
    return (
        f'{shown}<p class="digest"><span>sha256</span> <code class="hex">{file.fields["sha256"]}</code></p>'
    )


def _details(file: PageFile) -> str:
    """Everything on every part; a link to one opens it."""
    return block(file, "Parts in detail", "".join(_part(file, number) for number in range(len(file.parts))))


def _part(file: PageFile, number: int) -> str:
    part, described = file.parts[number], file.description.parts[number]
    # Their files have a section of their own.
    elsewhere = OF_ANY_PART | ({"files"} if has_files(described) else set())
    facts = {name: value for name, value in part.items() if name not in elsewhere}
    note = f" <span>{escaped(part['note'])}</span>" if part.get("note") else ""
    label = f"{part['kind']} at {address(part['offset'])}"
    shown = (_init_data(part, init_data_table(described)) or fact_list(facts, label)) if facts else ""
    return (
        f'<details class="{sort_of(part["kind"])}">'
        f"<summary><code>{address(part['offset'])}</code> <b>{escaped(part['kind'])}</b>{note}</summary>"
        # Inside: browsers open what is closed around the target of a link.
        f'<div id="{file.anchor}-p{number}">{definitions(basics(part, file.description.size))}{shown}</div>'
        "</details>"
    )


def _init_data(part: dict[str, Any], fields: Table | None) -> str:
    """Init data by its documented fields; those that differ from set v05 say so."""
    if fields is None or not fields.rows:
        return ""
    rows = [
        [
            Cell(escaped(text_of(name))),
            Cell(escaped(text_of(value)), "num"),
            Cell("" if isinstance(value, str) else '<b class="odd">differs</b>'),
            Cell(escaped(text_of(meaning))),
        ]
        for name, value, meaning in fields.rows
    ]
    others = {name: value for name, value in part.items() if name not in OF_ANY_PART | {"fields"}}
    label = f"Fields of init data at {address(part['offset'])}"
    return fact_list(others, label) + table(label, ("field", "value", "from v05", "meaning"), rows)


def _content(file: PageFile) -> str:
    """What is inside a file that only wraps another."""
    inner = file.description.content
    if inner is None:
        return ""
    name = f"{file.name}, inside"
    level = min(file.level + 1, DEEPEST_HEADING - 1)
    return _section(_file(name, inner, f"{file.anchor}-in", level))
