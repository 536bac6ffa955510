"""An image as an ELF executable for disassemblers: its segments, and its irom, at their load addresses.

What an image does not say is assumed, and said: where the irom of a version-2 image runs, and of a raw irom
part.  No symbols are recovered but the entry point, and nothing is made that could be linked or debugged.

Addresses: docs/formats/image-v1.md, docs/formats/image-v2.md and docs/formats/irom.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from imgtool.chip import IROM_BASE, IROM_WINDOW
from imgtool.errors import FormatError
from imgtool.formats.elf.file import Executable, Section, Symbol
from imgtool.formats.images import irom, version1
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import FileKind, Finding, PartKind, Severity

if TYPE_CHECKING:
    from imgtool.formats.reading import Part
    from imgtool.operations.extract.parts import ExtractedPart, Extraction

__all__ = ["ElfOutput", "to_elf"]

_IMAGES: Final = (PartKind.IMAGE_V1, PartKind.APP, PartKind.BOOTLOADER)
_IMAGE_HEADERS: Final = 16  # the image's header and the first segment's
_OTA_HEADER: Final = 16
_IROM_END: Final = IROM_BASE + IROM_WINDOW


@dataclass(frozen=True, slots=True)
class _Memory:
    """How sections for a memory are called, and what they hold."""

    section: str
    writable: bool = False
    executable: bool = False


_MEMORIES: Final = {
    "IRAM": _Memory(".iram", executable=True),
    "IRAM (cache)": _Memory(".iram_cache", executable=True),
    "DRAM": _Memory(".dram", writable=True),
    "IROM": _Memory(".irom0.text", executable=True),
}
_TABLE: Final = _Memory(".irom0.table")  # NodeMCU's record page: in front of the code, but none
_ELSEWHERE: Final = _Memory(".elsewhere")


@dataclass(frozen=True, slots=True)
class ElfOutput:
    """An ELF file made of an image.

    Attributes:
        executable: Its sections, symbols and entry point.
        data: The file.
        origins: For each section the name of the part that it comes from.
        findings: What was assumed, and what was left out.
    """

    executable: Executable
    data: bytes
    origins: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Program:
    """What runs together: an image, and what of the flash belongs to it.

    Attributes:
        image: The image; None for raw irom.
        code: irom, and NodeMCU's record page before it, in file order.
    """

    image: ExtractedPart | None
    code: tuple[ExtractedPart, ...] = ()

    @property
    def is_loader(self) -> bool:
        return self.image is not None and self.image.part.kind is PartKind.BOOTLOADER

    @property
    def name(self) -> str:
        return (self.image or self.code[0]).name


def to_elf(
    extraction: Extraction, part: ExtractedPart | None = None, *, irom_address: int | None = None
) -> ElfOutput:
    """The ELF file of an image.

    Args:
        extraction: The file that it is in.
        part: Which image, or which irom part alone; by default the first one that is no boot loader.
        irom_address: Where irom runs; by default what the file tells.

    Raises:
        FormatError: There is no code, or no irom that could have another address.
    """
    program, others = _chosen(extraction, part)
    findings: list[Finding] = list(extraction.findings)
    if others:
        message = f"made of {program.name}; there is code in {', '.join(others)} too"
        findings.append(_note("one-of-several", message))
    sections, origins = _segments(extraction, program)
    entry = None if program.image is None else _entry(extraction, program.image)
    if program.code:
        base, base_findings = _irom_base(extraction, program, irom_address)
        findings += base_findings
        for each in program.code:
            address = base + each.part.offset - program.code[0].part.offset
            _add_code(each, address, sections, origins, findings)
        entry = base if entry is None else entry
    elif irom_address is not None:
        raise FormatError(
            "there is no irom part whose address could be set", expected="irom", found=program.name
        )
    elif program.image is not None and _lacks_irom(extraction, program.image):
        findings.append(_note("no-irom", "the code that runs from flash (irom) is not in this file"))
    if entry is None or not sections:
        raise _no_code(extraction)
    executable = Executable(entry, _with_names(sections), _symbols(sections, program, entry))
    return ElfOutput(executable, executable.build(), tuple(origins), tuple(findings))


def _note(code: str, message: str) -> Finding:
    return Finding(Severity.NOTE, code, message)


def _no_code(extraction: Extraction) -> FormatError:
    return FormatError(
        "there is no code of an ESP8266 program in it",
        expected="an image with segments, or irom",
        found=KINDS[extraction.description.kind].words,
    )


def _programs(extraction: Extraction) -> list[_Program]:
    """The images with the irom that belongs to each, then irom that belongs to none."""
    programs: list[_Program] = []
    waiting: list[ExtractedPart] = []  # irom of a version-2 image, which stands before its segments
    orphans: list[ExtractedPart] = []
    inside_v2 = False
    whole = extraction.description.kind
    if whole is FileKind.ELF or KINDS[whole].foreign:
        return []
    for part in extraction.parts:
        kind = part.part.kind
        if kind is PartKind.IMAGE_V2:
            orphans += waiting
            waiting, inside_v2 = [], True
        elif kind in _IMAGES and part.part.segments:
            programs.append(_Program(part, tuple(waiting)))
            waiting, inside_v2 = [], False
        elif _is_code(part.part):
            last = programs[-1] if programs else None
            if inside_v2:
                waiting.append(part)
            elif last is not None and _takes_irom(last):
                programs[-1] = replace(last, code=(*last.code, part))
            else:
                orphans.append(part)
    orphans += waiting
    return [*programs, *([_Program(None, tuple(orphans))] if orphans else [])]


def _is_code(part: Part) -> bool:
    page = part.kind is PartKind.PARTITION_TABLE and part.address is not None
    return part.kind is PartKind.IROM or page


def _takes_irom(program: _Program) -> bool:
    """Whether irom behind an image belongs to it: not to a version-2 image, whose irom came before."""
    if program.image is None or program.image.part.kind is not PartKind.IMAGE_V1:
        return False
    before_it = program.code and program.code[0].part.offset < program.image.part.offset
    return not before_it


def _chosen(extraction: Extraction, part: ExtractedPart | None) -> tuple[_Program, list[str]]:
    """The program that is meant, and the names of the others where nobody chose."""
    programs = _programs(extraction)
    if part is not None:
        if _is_code(part.part) and programs:
            return _Program(None, (part,)), []
        for program in programs:
            if program.image is not None and program.image.name == part.name:
                return program, []
        raise FormatError(
            f"{part.name} holds no code of an ESP8266 program",
            offset=part.part.offset,
            expected=", ".join(program.name for program in programs) or "a file with code",
            found=str(part.part.kind),
        )
    if not programs:
        raise _no_code(extraction)
    program = next((each for each in programs if not each.is_loader), programs[0])
    return program, [each.name for each in programs if each is not program]


def _entry(extraction: Extraction, image: ExtractedPart) -> int:
    start = image.part.segments[0].offset - _IMAGE_HEADERS
    return version1.scan(extraction.data, start).header.entry


def _segments(extraction: Extraction, program: _Program) -> tuple[list[Section], list[str]]:
    sections: list[Section] = []
    origins: list[str] = []
    for number, segment in enumerate(program.image.part.segments if program.image else ()):
        memory = _MEMORIES.get(segment.memory or "", _ELSEWHERE)
        if segment.size:
            sections.append(_section(memory, segment.address, extraction.segment(segment)))
            origins.append(f"{program.name}, segment {number}")
    return sections, origins


def _section(memory: _Memory, address: int, data: bytes) -> Section:
    return Section(memory.section, address, data, memory.writable, memory.executable)


def _add_code(
    part: ExtractedPart, address: int, sections: list[Section], origins: list[str], findings: list[Finding]
) -> None:
    if address >= _IROM_END and address == part.part.address:
        message = f"{part.name} lies behind the first MB of flash, which no address shows; it is left out"
        findings.append(Finding(Severity.NOTE, "not-mapped", message, part.part.offset))
        return
    if address + len(part.data) > _IROM_END:
        message = f"{part.name} reaches behind 0x{_IROM_END:08x}, where the flash is no longer mapped"
        findings.append(Finding(Severity.WARNING, "not-mapped", message, part.part.offset))
    memory = _MEMORIES["IROM"] if part.part.kind is PartKind.IROM else _TABLE
    sections.append(_section(memory, address, part.data))
    origins.append(part.name)


def _irom_base(
    extraction: Extraction, program: _Program, given: int | None
) -> tuple[int, tuple[Finding, ...]]:
    """The address of the first irom part, and what it rests on where the file does not say."""
    first = program.code[0]
    if given is not None:
        return given, ()
    if extraction.description.kind is FileKind.IROM and program.image is None:
        linked = irom.record_page(extraction.data, 0) or irom.linked_at(extraction.data)
        base = (first.part.address or IROM_BASE) if first.part.offset == 0 else first.part.address
        address = base or IROM_BASE + irom.OFFSETS[0]
        return address, (_about_base(address, "its pointers tell so" if linked else "assumed"),)
    if first.part.address is not None:
        if program.image is not None:
            return first.part.address, ()
        return first.part.address, (_about_base(first.part.address, "its place in the file"),)
    slot = irom.linked_user_slot(first.data)
    header = extraction.description.header
    if slot is not None:
        reason = f"its pointers tell so, for flash 0x{slot:05x}"
    else:
        slot = irom.SLOTS[0]
        named = header is not None and header.slot == 1
        reason = "the slot of user1" if named else "assumed: the slot of user1, as nothing tells"
    address = IROM_BASE + slot + _OTA_HEADER
    return address, (_about_base(address, reason),)


def _about_base(address: int, reason: str) -> Finding:
    return _note("irom-address", f"irom runs at 0x{address:08x} ({reason})")


def _lacks_irom(extraction: Extraction, image: ExtractedPart) -> bool:
    own = any(segment.memory == "IROM" for segment in image.part.segments)
    return (
        image.part.kind is PartKind.IMAGE_V1 and not own and extraction.description.kind is FileKind.IMAGE_V1
    )


def _with_names(sections: list[Section]) -> tuple[Section, ...]:
    """The sections, each with a name of its own."""
    counts: dict[str, int] = {}
    named = []
    for section in sections:
        count = counts[section.name] = counts.get(section.name, 0) + 1
        named.append(section if count == 1 else replace(section, name=f"{section.name}.{count}"))
    return tuple(named)


def _symbols(sections: list[Section], program: _Program, entry: int) -> tuple[Symbol, ...]:
    code = next((section for section in sections if section.name == _MEMORIES["IROM"].section), None)
    start = () if program.image is None else (Symbol("_start", entry),)
    return start if code is None else (*start, Symbol("irom0_start", code.address, function=False))
