"""ELF files: what the linker makes and image builders read.  Not flashable as they are.

The file header, the program headers and the place of the section table; symbols and sections are not read.

Source: the ELF specification, https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html; see
docs/formats/elf.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from construct import Const, Int8ul, Int16ul, Int32ul, Padding, Struct

from imgtool.errors import FormatError
from imgtool.formats._wire import parse_at
from imgtool.formats.reading import (
    Fact,
    FileKind,
    Finding,
    Part,
    PartKind,
    Reading,
    SegmentInfo,
    Severity,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["XTENSA", "read"]

_IDENT = Struct(
    "magic" / Const(b"\x7fELF"),
    "word_size" / Int8ul,  # 1: 32 bits
    "byte_order" / Int8ul,  # 1: little-endian
    "version" / Int8ul,
    "padding" / Padding(9),
)
_HEADER = Struct(
    "ident" / _IDENT,
    "type" / Int16ul,
    "machine" / Int16ul,
    "version" / Int32ul,
    "entry" / Int32ul,
    "segments_offset" / Int32ul,
    "sections_offset" / Int32ul,
    "flags" / Int32ul,
    "header_size" / Int16ul,
    "segment_size" / Int16ul,
    "segment_count" / Int16ul,
    "section_size" / Int16ul,
    "section_count" / Int16ul,
    "names_index" / Int16ul,
)
_SEGMENT = Struct(
    "type" / Int32ul,
    "offset" / Int32ul,
    "virtual_address" / Int32ul,
    "physical_address" / Int32ul,  # where it is loaded, or lies in flash
    "file_size" / Int32ul,
    "memory_size" / Int32ul,
    "flags" / Int32ul,
    "align" / Int32ul,
)
_MAGIC: Final = b"\x7fELF"
_LOAD: Final = 1
_MOST_SEGMENTS: Final = 256  # linkers write fewer than ten; a damaged count must not cost minutes

XTENSA: Final = 94
"""The machine number of the Tensilica Xtensa, which the lx106 core is one of."""

_MACHINES: Final = {3: "Intel 80386", 40: "ARM", 62: "AMD x86-64", 83: "AVR", 183: "AArch64", 243: "RISC-V"}


def read(data: bytes) -> Reading | None:
    """Read a file that begins with the ELF magic, for whatever machine."""
    if not data.startswith(_MAGIC):
        return None
    try:
        ident = parse_at(_IDENT, data, 0, "the ELF identification")
        if (ident.word_size, ident.byte_order) != (1, 1):
            message = "the ELF file is not a 32-bit little-endian one, so it is for another machine"
            return _reading(data, (), (Finding(Severity.WARNING, "machine", message, 4),), {})
        header = parse_at(_HEADER, data, 0, "the ELF header")
    except FormatError as problem:
        return _reading(data, (), (Finding(Severity.ERROR, "cut", problem.message, problem.offset),), {})
    findings = [*_machine(header)]
    segments = tuple(_segments(data, header, findings))
    sections = header.sections_offset + header.section_size * header.section_count
    if sections > len(data):
        message = f"the section table ends at 0x{sections:05x}, the file at 0x{len(data):05x}"
        findings.append(Finding(Severity.ERROR, "cut", message, len(data)))
    facts: dict[str, Fact] = {
        "machine": header.machine,
        "entry": header.entry,
        "sections": header.section_count,
    }
    return _reading(data, segments, tuple(findings), facts)


def _machine(header: Any) -> Iterator[Finding]:  # noqa: ANN401 - a Container
    if header.machine != XTENSA:
        name = _MACHINES.get(header.machine, f"machine {header.machine}")
        message = f"the ELF file is for {name}; the ESP8266 is an Xtensa"
        yield Finding(Severity.WARNING, "machine", message, 18)


def _segments(
    data: bytes,
    header: Any,  # noqa: ANN401 - a Container
    findings: list[Finding],
) -> Iterator[SegmentInfo]:
    """The load segments that are whole; what is wrong with the others goes to the findings."""
    count = min(header.segment_count, _MOST_SEGMENTS)
    if count < header.segment_count:
        message = f"{header.segment_count:,} program headers are stated; only the first {count} were read"
        findings.append(Finding(Severity.WARNING, "segment-count", message, 44))
    for index in range(count):
        offset = header.segments_offset + index * max(header.segment_size, _SEGMENT.sizeof())
        try:
            segment = parse_at(_SEGMENT, data, offset, f"program header {index}")
        except FormatError as problem:
            findings.append(Finding(Severity.ERROR, "cut", problem.message, problem.offset))
            return
        if segment.type != _LOAD or segment.file_size == 0:
            continue
        if segment.offset + segment.file_size > len(data):
            message = (
                f"the segment for 0x{segment.physical_address:08x} is cut short: it ends at "
                f"0x{segment.offset + segment.file_size:05x}, the file at 0x{len(data):05x}"
            )
            findings.append(Finding(Severity.ERROR, "cut", message, segment.offset))
            continue
        yield SegmentInfo(segment.offset, segment.file_size, segment.physical_address)


def _reading(
    data: bytes, segments: tuple[SegmentInfo, ...], findings: tuple[Finding, ...], facts: dict[str, Fact]
) -> Reading:
    count = len(segments)
    note = f"ELF, {count} load segment{'' if count == 1 else 's'}"
    if "entry" in facts:
        note += f", entry point 0x{facts['entry']:08x}"
    part = Part(PartKind.UNKNOWN, 0, len(data), segments=segments, note=note, facts=facts)
    return Reading(FileKind.ELF, (part,), findings=findings)
