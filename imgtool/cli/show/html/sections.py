"""Parts of the page of page.py that are tables: partitions, files, segments and checks of a file.

Also the file itself as the page sees it, and what all of its sections begin with.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.cli.show.html.values import Cell, address, escaped, link, rows_of, table
from imgtool.engine.file_tables import listed_files, partition_entries, starts_flash

if TYPE_CHECKING:
    from imgtool.operations.inspect.describe import Description

__all__ = [
    "DEEPEST_HEADING",
    "OF_ANY_PART",
    "PageFile",
    "block",
    "checks",
    "file_lists",
    "partitions",
    "segments",
]

DEEPEST_HEADING: Final = 6
OF_ANY_PART: Final = frozenset(("kind", "offset", "size", "address", "checksum", "segments", "note"))
"""Fields that parts of all kinds have; all others are facts of a part."""

_FEW_ROWS: Final = 40


class PageFile(NamedTuple):
    """A file on the page.

    Attributes:
        name: Its path as it was given; text.
        anchor: What its anchors begin with.
        level: Of its own heading.
        starts: The offset of each part.
    """

    name: str
    description: Description
    fields: dict[str, Any]
    anchor: str
    level: int
    starts: tuple[int, ...]

    @property
    def parts(self) -> list[dict[str, Any]]:
        """The fields of its parts."""
        parts: list[dict[str, Any]] = self.fields["parts"]
        return parts

    def part_at(self, offset: int) -> int | None:
        """Which part an offset lies in."""
        number = bisect_right(self.starts, offset) - 1
        if number < 0 or offset > self.parts[number]["offset"] + self.parts[number]["size"]:
            return None
        return number

    def place(self, offset: int) -> str:
        """An offset, as a link to the part that it lies in."""
        number = self.part_at(offset)
        code = f"<code>{address(offset)}</code>"
        return code if number is None else link(f"{self.anchor}-p{number}", code)


def block(file: PageFile, title: str, content: str, style: str = "") -> str:
    """A section with its heading (text), if there is content (HTML)."""
    if not content:
        return ""
    level = min(file.level + 1, DEEPEST_HEADING)
    opened = f'<section class="{style}">' if style else "<section>"
    return f"{opened}<h{level}>{escaped(title)}</h{level}>{content}</section>"


def partitions(file: PageFile) -> str:
    """The entries of partition tables, with what lies there."""
    tables = []
    linked = starts_flash(file.description)
    for part, fields in zip(file.description.parts, file.parts, strict=True):
        entries = partition_entries(part, fields)
        if entries is None:
            continue
        records, starts = entries
        head, rows = rows_of(records)
        if linked:
            head.append("begins with")
            for start, row in zip(starts, rows, strict=True):
                row.append(Cell("" if start is None else _holds(file, start)))
        name = "entries" if "entries" in fields else "partitions"
        tables.append(table(f"{name} at {address(part.offset)}", head, rows))
    return block(file, "Partition table", "".join(tables))


def _holds(file: PageFile, offset: int) -> str:
    """The part that begins a partition."""
    number = file.part_at(offset) if offset < file.description.size else None
    return "" if number is None else link(f"{file.anchor}-p{number}", escaped(file.parts[number]["kind"]))


def file_lists(file: PageFile) -> str:
    """The files of each file system, with how full it is."""
    shown = []
    for number, (part, fields) in enumerate(zip(file.description.parts, file.parts, strict=True)):
        listed = listed_files(part, fields)
        if listed is None:
            continue
        words, records = listed
        where = f"{part.kind} at {address(part.offset)}"
        place = link(f"{file.anchor}-p{number}", escaped(where))
        rows = table(f"Files of {where}", *rows_of(records))
        if len(records) > _FEW_ROWS:
            rows = f"<details><summary>all files</summary>{rows}</details>"
        shown.append(f"<p>{place}: {escaped(words)}</p>{rows}")
    return block(file, "Files", "".join(shown))


def segments(file: PageFile) -> str:
    """Where the segments of images lie and load."""
    rows = [
        [
            Cell(f"{file.place(part['offset'])} {part['kind']}"),
            Cell(str(number), "num"),
            Cell(f"<code>0x{segment['address']:08x}</code>", "num"),
            Cell(f"{segment['size']:,}", "num"),
            Cell(escaped(segment["memory"]) if segment["memory"] else '<b class="odd">none</b>'),
            Cell(f"<code>{address(segment['offset'])}</code>", "num"),
        ]
        for part in file.parts
        for number, segment in enumerate(part.get("segments", ()))
    ]
    head = ("image", "segment", "load address", "size", "memory", "offset")
    return block(file, "Segments", table(f"Segments of {file.name}", head, rows) if rows else "")


def checks(file: PageFile) -> str:
    """Every check, stored against computed."""
    rows = []
    for part, check in file.description.checksums:
        values = (
            Cell(f'<code class="hex">0x{value:0{check.bits // 4}x}</code>')
            for value in (check.stored, check.computed)
        )
        verdict = '<b class="good">holds</b>' if check.ok else '<b class="bad">WRONG</b>'
        rows.append(
            [
                Cell(f"{escaped(check.name)} of {escaped(part.kind)}"),
                Cell(file.place(part.offset)),
                *values,
                Cell(verdict),
            ]
        )
    head = ("check", "part at", "stored", "computed", "verdict")
    return block(file, "Checks", table(f"Checks of {file.name}", head, rows) if rows else "")
