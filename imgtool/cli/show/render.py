"""Results for people, at 80 columns, with and without colour.

What is said comes from the results; nothing is computed here.  Answers go to stdout, errors to stderr.
"""

from __future__ import annotations

import os
from itertools import groupby
from typing import TYPE_CHECKING, Final

from imgtool.cli.show import text
from imgtool.cli.show.flash_map import draw_map, style_of
from imgtool.cli.show.text import Span
from imgtool.engine.descriptions import errors_of, file_verdict, summary_words
from imgtool.formats.reading import FileKind, PartKind, Severity
from imgtool.phrase import Name, Phrase
from imgtool.quantities import bytes_and_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.cli.show.text import Line, Screen
    from imgtool.errors import ImgtoolError
    from imgtool.formats.images.rtos_app import RtosAppDetails
    from imgtool.formats.reading import Finding, Firmware, Part
    from imgtool.operations.inspect.describe import Description

__all__ = [
    "app_details",
    "part_rows",
    "show_description",
    "show_error",
    "show_findings",
    "show_layout",
    "show_lines",
    "show_note",
    "show_overview",
    "show_partitions",
]

_SEVERITY_STYLE: Final = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}
_LONG_DIGEST: Final = 64  # bits
_LOOSE: Final = (PartKind.UNKNOWN, PartKind.BLANK, PartKind.GAP)
_MOST_LOOSE: Final = 40  # rows of what no format knows, and of the fill between
_LEAST_FIRMWARE: Final = 10  # columns
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


def show_error(error: ImgtoolError, hint: str) -> None:
    """Print an error and its hint to stderr."""
    screen = text.stderr()
    screen.paragraph(error.phrase, lead=[Span("error: ", "bold red")])
    screen.paragraph(hint, lead=[Span("hint:  ", "bold")])


def show_findings(findings: Sequence[Finding]) -> None:
    """Print findings, one paragraph each."""
    rows = [
        (
            Span(str(finding.severity), _SEVERITY_STYLE[finding.severity]),
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
    screen.table([(Span(name, "dim"), value) for name, value in _facts(description)])
    if len(description.parts) > 1:
        screen.line()
        show_layout(description.parts, description.size)
    if description.state is not None:
        from imgtool.cli.show.state_report import show_state

        show_state(screen, description.state)
    _show_segments(screen, description)
    _show_checks(screen, description)
    show_partitions(description.parts)
    if any(part.kind in (PartKind.SPIFFS, PartKind.LITTLEFS) for part in description.parts):
        from imgtool.cli.show.file_list import show_file_systems

        show_file_systems(description.parts)
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
    taken = [(path, f"{each.size:,}", str(each.kind)) for path, each in named]
    head = ("file", "size", "kind", "firmware")
    left = _left_beside(taken, head, screen)
    rows = [(*row, _state(each, left)) for row, (_, each) in zip(taken, named, strict=True)]
    if folder:
        screen.paragraph(Name(folder), style="bold")
    screen.table(rows, head=head, right=(1,))
    wrong = [(path, finding) for path, each in named for finding in errors_of(each)]
    if wrong:
        screen.line()
    for path, finding in wrong:
        screen.paragraph(Phrase(path, ": ", finding.message), lead=[Span("  error  ", "bold red")])
    screen.line()
    screen.line(summary_words([description for _, description in named]))


def _left_beside(rows: Sequence[Sequence[str]], head: Sequence[str], screen: Screen) -> int:
    """How wide the firmware may be for one line a file, where its name leaves room for that."""
    most = screen.name_width
    widths = [
        max(len(cell) for cell in column if len(cell) <= most) for column in zip(*rows, head, strict=False)
    ]
    left = screen.width - sum(2 + width for width in widths) - 2
    return left if left >= _LEAST_FIRMWARE else screen.width


def _folder_of(paths: Sequence[str]) -> str:
    """The folder that all paths begin with, empty where they have none in common."""
    try:
        return os.path.commonpath([os.path.dirname(path) for path in paths])
    except ValueError:  # some are absolute and some are not, or they lie on several drives
        return ""


def _clipped(words: str, width: int) -> str:
    return words if len(words) <= width else words[: width - 3] + "..."


def _state(description: Description, width: int) -> Line:
    errors = len(errors_of(description))
    if errors:
        return Span(f"{errors} error{'s' if errors > 1 else ''}", "bold red")
    firmware = description.firmware
    return _clipped("" if firmware is None else f"{firmware.name} {firmware.version or ''}".strip(), width)


def _facts(description: Description) -> list[tuple[str, str]]:
    return [
        *_firmware(description.firmware),
        *_header(description),
        *(
            ("contents", part.note)
            for part in description.parts[:1]
            if part.note and len(description.parts) == 1
        ),
        ("sha256", description.sha256),
    ]


def _firmware(firmware: Firmware | None) -> list[tuple[str, str]]:
    if firmware is None:
        return []
    words = [f"{firmware.name} {firmware.version or ''}".strip()]
    words += [f"build {firmware.build}"] if firmware.build else []
    words += [f"Lua {firmware.lua}"] if firmware.lua else []
    words += [f"by {firmware.builder}"] if firmware.builder else []
    lines = [("firmware", ", ".join(words))]
    lines += [("SDK", firmware.sdk)] if firmware.sdk else []
    return lines + [(name, value) for name, value in firmware.details.items() if value]


def _header(description: Description) -> list[tuple[str, str]]:
    header = description.header
    if header is None:
        return []
    mode = header.mode or f"mode {header.mode_code}?"
    freq = header.freq or f"frequency {header.size_freq_code & 0xF}?"
    # An RTOS SDK application reads its size code by another table, and says so in its part.
    app = app_details(description)
    size = (header.size if app is None else app.flash_size) or f"size {header.size_freq_code >> 4}?"
    slot = "" if header.slot is None else f", slot byte {header.slot} (user{header.slot})"
    return [("header", f"{mode}, {freq}, {size}, entry point 0x{header.entry:08x}{slot}")]


def app_details(description: Description) -> RtosAppDetails | None:
    """What the RTOS SDK application says that a file begins with; None for all other files."""
    if not description.parts or description.parts[0].kind is not PartKind.APP:
        return None
    from imgtool.formats.images.rtos_app import RtosAppDetails

    value = description.parts[0].value
    return value if isinstance(value, RtosAppDetails) else None


def show_layout(parts: Sequence[Part], size: int) -> None:
    """Print the map of a file, drawn to scale, and the table of its parts."""
    screen = text.stdout()
    drawn = draw_map(parts, size, unicode=screen.unicode)
    for start, runs in drawn.rows:
        screen.line(f"  0x{start:06x}  ", *(Span(cells, style) for cells, style in runs))
    _show_legend(screen, drawn.legend)
    screen.line(_INDENT, Span(f"one cell is {bytes_and_units(drawn.cell)}", "dim"))
    screen.line()
    screen.table(part_rows(parts), head=("offset", "size", "part", "contents"), right=(1,))


def part_rows(parts: Sequence[Part]) -> list[tuple[Line, ...]]:
    """Offset, size, kind and contents of each part; long runs of unknown data and fill end in one row.

    Args:
        parts: In file order.
    """
    rows: list[tuple[Line, ...]] = []
    for loose, run in groupby(parts, lambda part: part.kind in _LOOSE):
        some = list(run)
        most = _MOST_LOOSE if loose and len(some) > _MOST_LOOSE + 1 else len(some)
        rows += [_part_row(part) for part in some[:most]]
        if left := some[most:]:
            size = sum(part.size for part in left)
            words = f"and {len(left):,} more parts: --json or --html has all"
            rows.append((f"0x{left[0].offset:06x}", f"{size:,}", Span("...", "dim"), words))
    return rows


def _part_row(part: Part) -> tuple[Line, ...]:
    where = "" if part.address is None else f"at 0x{part.address:08x}"
    contents = ", ".join(word for word in (part.note, where) if word)
    return f"0x{part.offset:06x}", f"{part.size:,}", Span(str(part.kind), style_of(part.kind)), contents


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


def _show_segments(screen: Screen, description: Description) -> None:
    several = sum(bool(part.segments) for part in description.parts) > 1
    rows: list[tuple[Line, ...]] = [
        (
            f"0x{part.offset:06x} {number}" if several else str(number),
            f"0x{segment.address:08x}",
            f"{segment.size:,}",
            Span(segment.memory or "none", "" if segment.memory else "yellow"),
            f"0x{segment.offset:06x}",
        )
        for part in description.parts
        for number, segment in enumerate(part.segments)
    ]
    if rows:
        screen.line()
        screen.table(rows, head=("segment", "load address", "size", "memory", "offset"), right=(0, 2))


def _show_checks(screen: Screen, description: Description) -> None:
    rows: list[tuple[Line, ...]] = []
    for part, check in description.checksums:
        values = [f"0x{value:0{check.bits // 4}x}" for value in (check.stored, check.computed)]
        if check.bits > _LONG_DIGEST:
            values = [f"{value[2:14]}..." for value in values]
        covered = "the contents" if part.kind is PartKind.UNKNOWN else part.kind
        name = f"{check.name} of {covered}"
        verdict = Span("holds", "green") if check.ok else Span("WRONG", "bold red")
        rows.append((name, *values, verdict))
    if rows:
        screen.line()
        screen.table(rows, head=("check", "stored", "computed", ""))


def show_partitions(parts: Sequence[Part]) -> None:
    """Print the entries of the partition tables among some parts."""
    screen = text.stdout()
    for part in parts:
        if part.kind is PartKind.PARTITION_TABLE:
            head, rows = _partitions(part.value)
            if rows:
                screen.line()
                screen.table(rows, head=head)


def _partitions(table: object) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and rows of NodeMCU's table or the RTOS SDK's."""
    from imgtool.formats.regions.nodemcu_page import PartitionTable
    from imgtool.formats.regions.rtos_partitions import RtosPartitionTable

    if isinstance(table, PartitionTable):
        rows = [(each.name, f"0x{each.address:06x}", f"0x{each.size:06x}") for each in table.entries]
        return ("partition", "address", "size"), [*rows]
    if isinstance(table, RtosPartitionTable):
        named = [
            (each.label, each.kind, f"0x{each.offset:06x}", f"0x{each.size:06x}") for each in table.partitions
        ]
        return ("partition", "kind", "address", "size"), [*named]
    return (), []


def _show_init_data(screen: Screen, description: Description) -> None:
    """The documented fields, for a file that is init data; those that differ from v05 stand out."""
    if description.kind is not FileKind.INIT_DATA:
        return
    from imgtool.formats.regions.init_data import FIELDS, SETS, InitData

    init = description.parts[0].value
    if not isinstance(init, InitData):
        return
    rows: list[tuple[Line, ...]] = []
    for field in FIELDS:
        value = init.values[field.name]
        if field.settable and isinstance(value, int):
            changed = value & 0xFF != SETS["v05"][field.offset]
            rows.append(
                (field.name, Span(field.show(value), "bold yellow" if changed else ""), field.meaning)
            )
    screen.line()
    screen.table(rows, head=("field", "value", "meaning"))
