"""Parts of the page of page.py that are tables: partitions, files, segments and checks of a file.

Also the file itself as the page sees it, and what all of its sections begin with.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.cli.show.html.values import Cell, address, escaped, link, rows_of, table
from imgtool.formats.filesystems.espfs import EspFs
from imgtool.formats.filesystems.stored_files import FileListing
from imgtool.formats.kinds import KINDS
from imgtool.formats.regions.nodemcu_page import EAGLEROM, END_MARKER, TAKE_REST, PartitionTable
from imgtool.formats.regions.rtos_partitions import RtosPartitionTable
from imgtool.quantities import bytes_and_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.formats.regions.nodemcu_page import Entry
    from imgtool.operations.inspect.describe import Description

__all__ = [
    "DEEPEST_HEADING",
    "OF_ANY_PART",
    "PageFile",
    "block",
    "checks",
    "file_lists",
    "has_files",
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
    linked = KINDS[file.description.kind].at_start
    for part, fields in zip(file.description.parts, file.parts, strict=True):
        name, records, starts = _records(part.value, fields)
        if not records:
            continue
        head, rows = rows_of(records)
        if linked:
            head.append("begins with")
            for start, row in zip(starts, rows, strict=True):
                row.append(Cell("" if start is None else _holds(file, start)))
        tables.append(table(f"{name} at {address(part.offset)}", head, rows))
    return block(file, "Partition table", "".join(tables))


def _records(
    value: object, fields: dict[str, Any]
) -> tuple[str, Sequence[dict[str, Any]], Sequence[int | None]]:
    """What the entries of a partition table are called, their fields, and where each begins if known."""
    if isinstance(value, RtosPartitionTable):
        return "partitions", fields["partitions"], [row.offset for row in value.partitions]
    if not isinstance(value, PartitionTable):
        return "", (), ()
    if value.resolved:
        return "entries", fields["entries"], [entry.address for entry in value.entries]
    pairs = list(zip(fields["entries"], value.entries, strict=True))
    known = [entry.address if entry.address or entry.type == EAGLEROM else None for entry in value.entries]
    return "entries", [_as_it_stands(record, entry) for record, entry in pairs], known


def _as_it_stands(record: dict[str, Any], entry: Entry) -> dict[str, Any]:
    """An entry of a NodeMCU table before its first boot, with words for what that will fill in."""
    row = dict(record)
    if entry.address == 0 and entry.type != EAGLEROM:
        row["address"] = "by the first boot"
    if entry.size == TAKE_REST:
        row["size"] = "the rest"
    elif entry.size == 0 and entry.type != END_MARKER:
        row["size"] = "by the first boot"
    return row


def _holds(file: PageFile, offset: int) -> str:
    """The part that begins a partition."""
    number = file.part_at(offset) if offset < file.description.size else None
    return "" if number is None else link(f"{file.anchor}-p{number}", escaped(file.parts[number]["kind"]))


def has_files(value: object) -> bool:
    """Whether what a part holds has files, for :func:`file_lists`."""
    return isinstance(value, EspFs | FileListing) and bool(value.files)


def file_lists(file: PageFile) -> str:
    """The files of each file system, with how full it is."""
    shown = []
    for number, (part, fields) in enumerate(zip(file.description.parts, file.parts, strict=True)):
        if not has_files(part.value):
            continue
        listed = fields["files"]
        where = f"{part.kind} at {address(part.offset)}"
        known = [f"{len(listed):,} file{'' if len(listed) == 1 else 's'}"]
        if isinstance(part.value, FileListing):
            counts = ((part.value.used, "used"), (part.value.free, "free"))
            known += [f"{bytes_and_units(count)} {name}" for count, name in counts if count is not None]
            if all(each.whole for each in part.value.files):
                listed = [{name: each[name] for name in each if name != "whole"} for each in listed]
        place = link(f"{file.anchor}-p{number}", escaped(where))
        rows = table(f"Files of {where}", *rows_of(listed))
        if len(listed) > _FEW_ROWS:
            rows = f"<details><summary>all files</summary>{rows}</details>"
        shown.append(f"<p>{place}: {escaped(', '.join(known))}</p>{rows}")
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
