"""Results for people, at 80 columns, with and without colour.

What is said comes from the results; nothing is computed here.  Answers go to stdout, errors to stderr.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from imgtool.cli.show import text
from imgtool.cli.show.flash_map import draw_map
from imgtool.cli.show.part_rows import part_rows
from imgtool.cli.show.text import Span
from imgtool.formats.reading import FileKind, PartKind, Severity
from imgtool.phrase import Name, Phrase
from imgtool.quantities import bytes_and_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.cli.show.text import Line, Screen
    from imgtool.errors import ImgtoolError
    from imgtool.formats.reading import Finding, Firmware, Part
    from imgtool.operations.assemble.merge import Piece
    from imgtool.operations.inspect.describe import Description

__all__ = [
    "firmware_words",
    "image_words",
    "show_description",
    "show_error",
    "show_findings",
    "show_layout",
    "show_lines",
    "show_note",
    "show_overview",
    "show_partitions",
    "show_pieces",
    "summary_words",
    "verdict_words",
]

_KINDS: Final = {
    FileKind.IMAGE_V1: "version-1 image (E9)",
    FileKind.IMAGE_V2: "version-2 image (EA, user1/user2)",
    FileKind.AGGREGATED: "aggregated firmware image",
    FileKind.IROM: "raw irom part",
    FileKind.ARDUINO: "Arduino firmware",
    FileKind.MICROPYTHON: "MicroPython firmware",
    FileKind.RTOS_APP: "RTOS SDK application",
    FileKind.RTOS_BOOTLOADER: "RTOS SDK boot loader",
    FileKind.SDK_BOOTLOADER: "Espressif boot loader",
    FileKind.RBOOT: "rBoot boot loader",
    FileKind.RBOOT_CONFIG: "rBoot configuration",
    FileKind.AT_USER: "user image of 2014 for address 0x1000",
    FileKind.FLASH_DUMP: "image of a whole flash",
    FileKind.INIT_DATA: "SDK init data",
    FileKind.BLANK: "blank (erased flash)",
    FileKind.LFS: "Lua Flash Store image",
    FileKind.SPIFFS: "SPIFFS file system",
    FileKind.LITTLEFS: "LittleFS file system",
    FileKind.ESPFS: "espfs archive",
    FileKind.PARTITION_TABLE: "RTOS SDK partition table",
    FileKind.GZIP: "gzip file",
    FileKind.ELF: "ELF file",
    FileKind.INTEL_HEX: "Intel HEX file",
    FileKind.S_RECORD: "S-record file",
    FileKind.UF2: "UF2 file",
    FileKind.TUYA_OTA: "Tuya OTA container",
    FileKind.RAM_IMAGE: "RAM program",
    FileKind.ESP32: "image for another chip",
    FileKind.TEXT: "text, not firmware",
    FileKind.EMPTY: "empty file",
    FileKind.UNKNOWN: "unknown",
}
_SEVERITY_STYLE: Final = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}
# Files in which every record has a check of its own.
_CHECKED_RECORDS: Final = (FileKind.INTEL_HEX, FileKind.S_RECORD)
_LONG_DIGEST: Final = 64  # bits
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
    screen.line(*_verdict(description))
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
    if any("files" in part.facts for part in description.parts):
        from imgtool.cli.show.file_list import show_file_systems

        show_file_systems(description.parts)
    _show_init_data(screen, description)
    if description.findings:
        screen.line()
        show_findings(description.findings)
    if description.content is not None:
        screen.line()
        show_description(Phrase(path, ", inside"), description.content)


def image_words(description: Description) -> str:
    """What an image is, on one line."""
    return firmware_words(description.firmware) or _KINDS[description.kind]


def firmware_words(firmware: Firmware | None) -> str:
    """Which firmware it is, on one line; empty for none."""
    if firmware is None:
        return ""
    name = f"{firmware.name} {firmware.version or ''}".strip()
    return f"{name}, SDK {firmware.sdk}" if firmware.sdk else name


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
    wrong = [(path, finding) for path, each in named for finding in _errors(each)]
    if wrong:
        screen.line()
    for path, finding in wrong:
        screen.paragraph(Phrase(path, ": ", finding.message), lead=[Span("  error  ", "bold red")])
    screen.line()
    screen.line(summary_words([description for _, description in named]))


def summary_words(descriptions: Sequence[Description]) -> str:
    """How many files are good, on one line."""
    damaged = sum(not description.ok and not description.foreign for description in descriptions)
    foreign = sum(description.foreign for description in descriptions)
    counts = f"{len(descriptions) - damaged - foreign} good, {damaged} damaged, {foreign} no ESP8266 files"
    return f"{len(descriptions)} files: {counts}"


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


def _errors(description: Description) -> list[Finding]:
    """The errors of a file and of what is inside it."""
    inside = [] if description.content is None or description.ok else _errors(description.content)
    return [f for f in description.findings if f.severity is Severity.ERROR] + inside


def _clipped(words: str, width: int) -> str:
    return words if len(words) <= width else words[: width - 3] + "..."


def _state(description: Description, width: int) -> Line:
    errors = len(_errors(description))
    if errors:
        return Span(f"{errors} error{'s' if errors > 1 else ''}", "bold red")
    firmware = description.firmware
    return _clipped("" if firmware is None else f"{firmware.name} {firmware.version or ''}".strip(), width)


def verdict_words(description: Description) -> str:
    """What a file is and whether it is whole, on one line."""
    return "".join(part if isinstance(part, str) else part.text for part in _verdict(description))


def _verdict(description: Description) -> list[Line]:
    what = f"{_KINDS[description.kind]}, {bytes_and_units(description.size)}: "
    own = sum(finding.severity is Severity.ERROR for finding in description.findings)
    if own:
        return [what, Span(f"{own} error{'s' if own > 1 else ''}", "bold red")]
    checked = description.checksums or description.kind in _CHECKED_RECORDS
    return [what, Span("all checks hold" if checked else "nothing wrong; it has no checks", "green")]


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
    size = description.parts[0].facts.get("flash_size", header.size) or f"size {header.size_freq_code >> 4}?"
    slot = "" if header.slot is None else f", slot byte {header.slot} (user{header.slot})"
    return [("header", f"{mode}, {freq}, {size}, entry point 0x{header.entry:08x}{slot}")]


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


# NodeMCU's record page and the RTOS SDK's table: columns, and the fields that they show.
_PARTITION_COLUMNS: Final = {
    "entries": {"partition": "name", "address": "address", "size": "size"},
    "partitions": {"partition": "label", "kind": "kind", "address": "offset", "size": "size"},
}


def show_partitions(parts: Sequence[Part]) -> None:
    """Print the entries of the partition tables among some parts."""
    screen = text.stdout()
    for part in parts:
        for fact, columns in _PARTITION_COLUMNS.items():
            entries = part.facts.get(fact)
            if part.kind is not PartKind.PARTITION_TABLE or not isinstance(entries, list):
                continue
            rows = [
                tuple(_partition_cell(entry.get(key)) for key in columns.values())
                for entry in entries
                if isinstance(entry, dict)
            ]
            if rows:
                screen.line()
                screen.table(rows, head=tuple(columns))


def _partition_cell(value: object) -> str:
    return f"0x{value:06x}" if isinstance(value, int) else str(value)


def _show_init_data(screen: Screen, description: Description) -> None:
    """The documented fields, for a file that is init data; those that differ from v05 stand out."""
    fields = description.parts[0].facts.get("fields") if description.kind is FileKind.INIT_DATA else None
    if not isinstance(fields, dict):
        return
    from imgtool.formats.regions.init_data import FIELDS, SETS

    rows: list[tuple[Line, ...]] = []
    for field in FIELDS:
        value = fields[field.name]
        if field.settable and isinstance(value, int):
            changed = value & 0xFF != SETS["v05"][field.offset]
            rows.append(
                (field.name, Span(field.show(value), "bold yellow" if changed else ""), field.meaning)
            )
    screen.line()
    screen.table(rows, head=("field", "value", "meaning"))


def show_pieces(pieces: Sequence[Piece], *, head: str = "from") -> None:
    """Print which piece goes where."""
    rows = [(f"0x{piece.address:06x}", f"{len(piece.data):,}", piece.name) for piece in pieces]
    text.stdout().table(rows, head=("address", "size", head), right=(1,))
