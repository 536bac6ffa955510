"""Results for people, at 80 columns, with and without colour.  The only importer of rich.

Answers go to stdout, errors to stderr.  What is said comes from the results; nothing is computed here.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from imgtool.cli.flash_map import draw_map, style_of
from imgtool.formats.init_data import FIELDS, SETS
from imgtool.formats.reading import FileKind, PartKind, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from imgtool.errors import ImgtoolError
    from imgtool.formats.reading import Finding, Firmware, Header, Part
    from imgtool.operations.describe import Description
    from imgtool.operations.merge import Piece

__all__ = [
    "show_description",
    "show_error",
    "show_findings",
    "show_layout",
    "show_lines",
    "show_note",
    "show_pieces",
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
_ALGORITHMS: Final = {
    "xor8": "XOR",
    "sdk-crc32": "CRC-32",
    "crc32-mpeg2": "CRC-32",
    "md5": "MD5",
    "sha256": "SHA-256",
}
_WIDTH: Final = 80
_LONG_DIGEST: Final = 64  # bits
_INDENT: Final = (0, 0, 0, 2)


def _console(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH)
    return console


def _print(item: RenderableType) -> None:
    _console().print(item)


def show_lines(lines: Iterable[str]) -> None:
    """Print plain lines to stdout."""
    console = _console()
    for line in lines:
        console.print(Text(line))


def show_error(error: ImgtoolError, hint: str) -> None:
    """Print an error and its hint to stderr."""
    console = _console(stderr=True)
    console.print(Text.assemble(("error: ", "bold red"), str(error)))
    console.print(Text.assemble(("hint:  ", "bold"), hint), style="dim")


def show_findings(findings: Sequence[Finding], *, stderr: bool = False) -> None:
    """Print findings, one paragraph each."""
    if not findings:
        return
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        place = "" if finding.offset is None else f"0x{finding.offset:06x}"
        table.add_row(
            Text(str(finding.severity), _SEVERITY_STYLE[finding.severity]), place, Text(finding.message)
        )
    _console(stderr=stderr).print(Padding(table, _INDENT))


def show_description(path: str, description: Description) -> None:
    """Print what ``inspect`` found out about a file."""
    console = _console()
    console.print(Text(path, "bold"))
    console.print(_verdict(description))
    console.print()
    console.print(Padding(_facts(description), _INDENT))
    if len(description.parts) > 1:
        console.print()
        show_layout(description.parts, description.size)
    for table in (
        _segments(description),
        _checks(description),
        _partitions(description),
        _init_data(description),
    ):
        if table is not None:
            console.print()
            console.print(Padding(table, _INDENT))
    if description.findings:
        console.print()
        show_findings(description.findings)
    if description.content is not None:
        console.print()
        show_description(f"{path}, inside", description.content)


def _verdict(description: Description) -> Text:
    what = f"{_KINDS[description.kind]}, {_bytes(description.size)}: "
    errors = sum(finding.severity is Severity.ERROR for finding in description.findings)
    checked = bool(description.checksums)
    if errors:
        return Text.assemble(what, (f"{errors} error{'s' if errors > 1 else ''}", "bold red"))
    return Text.assemble(
        what, ("all checks hold" if checked else "nothing wrong, but it has no checks", "green")
    )


def _bytes(count: int) -> str:
    for unit, size in (("MB", 1 << 20), ("KB", 1 << 10)):
        if count >= size and count % size == 0:
            return f"{count:,} bytes ({count // size} {unit})"
    return f"{count:,} byte{'' if count == 1 else 's'}"


def _facts(description: Description) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in (*_firmware(description.firmware), *_header(description.header)):
        table.add_row(name, Text(value))
    table.add_row("sha256", description.sha256)
    return table


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


def _header(header: Header | None) -> list[tuple[str, str]]:
    if header is None:
        return []
    mode = header.mode or f"mode {header.mode_code}?"
    freq = header.freq or f"frequency {header.size_freq_code & 0xF}?"
    size = header.size or f"size {header.size_freq_code >> 4}?"
    slot = "" if header.slot is None else f", slot byte {header.slot} (user{header.slot})"
    return [("header", f"{mode}, {freq}, {size}, entry point 0x{header.entry:08x}{slot}")]


def show_layout(parts: Sequence[Part], size: int) -> None:
    """Print the map of a file, drawn to scale, and the table of its parts."""
    console = _console()
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    drawn = draw_map(parts, size, unicode=unicode)
    for start, runs in drawn.rows:
        console.print(Text.assemble(f"  0x{start:06x}  ", *runs))
    legend = Text("            ")
    for mark, style, names in drawn.legend:
        entry = Text.assemble((mark, style), f" {names}   ")
        if len(legend.plain.splitlines()[-1]) + len(entry.plain.rstrip()) > _WIDTH:
            legend.append("\n            ")
        legend.append_text(entry)
    console.print(legend)
    console.print(Text(f"            one cell is {_bytes(drawn.cell)}", "dim"))
    console.print()
    table = _table(("offset", "left"), ("size", "right"), ("part", "left"), ("contents", "left"))
    for part in parts:
        where = "" if part.address is None or part.kind is PartKind.LFS else f"at 0x{part.address:08x}"
        contents = ", ".join(word for word in (part.note, where) if word)
        table.add_row(
            f"0x{part.offset:06x}", f"{part.size:,}", Text(str(part.kind), style_of(part.kind)), contents
        )
    console.print(Padding(table, _INDENT))


def _table(*columns: tuple[str, str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for name, justify in columns[:-1]:
        table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
    table.add_column(columns[-1][0], overflow="fold")
    return table


def _segments(description: Description) -> Table | None:
    rows = [(part, segment) for part in description.parts for segment in part.segments]
    if not rows:
        return None
    table = _table(
        ("segment", "right"), ("load address", "left"), ("size", "right"), ("memory", "left"), ("offset", "")
    )
    number = 0
    before = None
    for part, segment in rows:
        number = number + 1 if part is before else 0
        before = part
        memory = Text(segment.memory or "none", "" if segment.memory else "yellow")
        table.add_row(
            str(number), f"0x{segment.address:08x}", f"{segment.size:,}", memory, f"0x{segment.offset:06x}"
        )
    return table


def _checks(description: Description) -> Table | None:
    if not description.checksums:
        return None
    table = _table(("check", "left"), ("stored", "left"), ("computed", "left"), ("", "left"))
    for part, check in description.checksums:
        digits = check.bits // 4
        values = [f"0x{value:0{digits}x}" for value in (check.stored, check.computed)]
        if check.bits > _LONG_DIGEST:
            values = [f"{value[2:14]}..." for value in values]
        name = f"{_ALGORITHMS.get(check.algorithm, check.algorithm)} of {part.kind}"
        verdict = Text("holds", "green") if check.ok else Text("WRONG", "bold red")
        table.add_row(name, *values, verdict)
    return table


def _partitions(description: Description) -> Table | None:
    for part in description.parts:
        entries = part.facts.get("entries")
        if part.kind is PartKind.PARTITION_TABLE and isinstance(entries, list):
            table = _table(("partition", "left"), ("address", "left"), ("size", "left"))
            for entry in entries:
                if isinstance(entry, dict):
                    table.add_row(*(_partition_cell(entry.get(key)) for key in ("name", "address", "size")))
            return table
    return None


def _partition_cell(value: object) -> str:
    return f"0x{value:06x}" if isinstance(value, int) else str(value)


def _init_data(description: Description) -> Table | None:
    """The documented fields, for a file that is init data."""
    if description.kind is not FileKind.INIT_DATA:
        return None
    fields = description.parts[0].facts.get("fields")
    if not isinstance(fields, dict):
        return None
    table = _table(("field", "left"), ("value", "left"), ("meaning", "left"))
    for field in FIELDS:
        value = fields[field.name]
        if field.settable and isinstance(value, int):
            changed = value & 0xFF != SETS["v05"][field.offset]
            table.add_row(
                field.name, Text(field.show(value), "bold yellow" if changed else ""), field.meaning
            )
    return table


def show_pieces(pieces: Sequence[Piece]) -> None:
    """Print which piece goes where."""
    table = _table(("address", "left"), ("size", "right"), ("from", "left"))
    for piece in pieces:
        table.add_row(f"0x{piece.address:06x}", f"{len(piece.data):,}", piece.name)
    _print(Padding(table, _INDENT))


def show_note(text: str | None) -> None:
    """Print a note to stderr, if there is one."""
    if text:
        _console(stderr=True).print(Text.assemble(("  note ", "dim"), text))
