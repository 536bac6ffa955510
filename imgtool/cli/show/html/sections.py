"""Parts of the page of page.py that are tables: partitions, files, segments and checks of a file.

Also the file itself as the page sees it, and what all of its sections begin with.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.cli.show.html.values import Cell, address, escaped, is_records, link, rows_of, table
from imgtool.formats.reading import FileKind
from imgtool.formats.regions.nodemcu_page import EAGLEROM, END_MARKER, TAKE_REST
from imgtool.operations.inspect.describe import AT_FLASH_START
from imgtool.quantities import bytes_and_units

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
    kind = file.description.kind
    linked = kind is FileKind.FLASH_DUMP or kind in AT_FLASH_START
    for part in file.parts:
        if part["kind"] != "partition-table":
            continue
        for name, records in part.items():
            if name in OF_ANY_PART or not is_records(records):
                continue
            open_ended = part.get("resolved") is False
            head, rows = rows_of([_as_it_stands(each) if open_ended else each for each in records])
            if linked:
                head.append("begins with")
                for record, row in zip(records, rows, strict=True):
                    start = record.get("address", record.get("offset"))
                    known = not open_ended or start or record["type"] == EAGLEROM
                    row.append(Cell(_holds(file, start) if known else ""))
            tables.append(table(f"{name} at {address(part['offset'])}", head, rows))
    return block(file, "Partition table", "".join(tables))


def _as_it_stands(record: dict[str, Any]) -> dict[str, Any]:
    """An entry of a NodeMCU table before its first boot, with words for what that will fill in."""
    said = dict(record)
    if record["address"] == 0 and record["type"] != EAGLEROM:
        said["address"] = "by the first boot"
    if record["size"] == TAKE_REST:
        said["size"] = "the rest"
    elif record["size"] == 0 and record["type"] != END_MARKER:
        said["size"] = "by the first boot"
    return said


def _holds(file: PageFile, offset: object) -> str:
    """The part that begins a partition."""
    number = file.part_at(offset) if isinstance(offset, int) and offset < file.description.size else None
    return "" if number is None else link(f"{file.anchor}-p{number}", escaped(file.parts[number]["kind"]))


def file_lists(file: PageFile) -> str:
    """The files of each file system, with how full it is."""
    shown = []
    for number, part in enumerate(file.parts):
        listed = part.get("files")
        if not is_records(listed):
            continue
        where = f"{part['kind']} at {address(part['offset'])}"
        known = [f"{len(listed):,} file{'' if len(listed) == 1 else 's'}"]
        known += [
            f"{bytes_and_units(part[name])} {name}" for name in ("used", "free") if _is_count(part.get(name))
        ]
        place = link(f"{file.anchor}-p{number}", escaped(where))
        if all(each.get("whole") for each in listed):
            listed = [{name: value for name, value in each.items() if name != "whole"} for each in listed]
        rows = table(f"Files of {where}", *rows_of(listed))
        if len(listed) > _FEW_ROWS:
            rows = f"<details><summary>all files</summary>{rows}</details>"
        shown.append(f"<p>{place}: {escaped(', '.join(known))}</p>{rows}")
    return block(file, "Files", "".join(shown))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value >= 0


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
