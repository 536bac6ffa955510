"""ELF files: what the linker makes and image builders read.  Not flashable as they are.

Of any ELF file ``read`` looks at the file header, the program headers and the place of the section table.
:class:`Executable` is one with sections of code and data and a few symbols, for disassemblers: it is written
here, and read back.  What debuggers need, and relocation, is not.

Source: the ELF specification, https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html; see
docs/formats/elf.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from construct import Const, Int8ul, Int16ul, Int32ul, Padding, Struct

from imgtool.errors import FormatError
from imgtool.formats.reading import (
    FileKind,
    Finding,
    Part,
    PartKind,
    Reading,
    SegmentInfo,
    Severity,
)
from imgtool.formats.wire import parse_at

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["XTENSA", "ElfHeader", "Executable", "Section", "Symbol", "read"]

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
_SECTION = Struct(
    "name" / Int32ul,
    "type" / Int32ul,
    "flags" / Int32ul,
    "address" / Int32ul,
    "offset" / Int32ul,
    "size" / Int32ul,
    "link" / Int32ul,
    "info" / Int32ul,
    "align" / Int32ul,
    "entry_size" / Int32ul,
)
_SYMBOL = Struct(
    "name" / Int32ul,
    "value" / Int32ul,
    "size" / Int32ul,
    "info" / Int8ul,  # binding in the upper half, type in the lower
    "other" / Int8ul,
    "section" / Int16ul,
)
_MAGIC: Final = b"\x7fELF"
_LOAD: Final = 1
_MOST_SEGMENTS: Final = 256  # linkers write fewer than ten; a damaged count must not cost minutes

XTENSA: Final = 94
"""The machine number of the Tensilica Xtensa, which the lx106 core is one of."""

_MACHINES: Final = {3: "Intel 80386", 40: "ARM", 62: "AMD x86-64", 83: "AVR", 183: "AArch64", 243: "RISC-V"}


@dataclass(frozen=True, slots=True)
class ElfHeader:
    """What the header of an ELF file says.

    Attributes:
        machine: Number of the processor, :data:`XTENSA` for the ESP8266.
        entry: Entry point address.
        sections: How many there are.
    """

    machine: int
    entry: int
    sections: int


def read(data: bytes) -> Reading | None:
    """Read a file that begins with the ELF magic, for whatever machine."""
    if not data.startswith(_MAGIC):
        return None
    try:
        ident = parse_at(_IDENT, data, 0, "the ELF identification")
        if (ident.word_size, ident.byte_order) != (1, 1):
            message = "the ELF file is not a 32-bit little-endian one, so it is for another machine"
            return _reading(data, (), (Finding(Severity.WARNING, "machine", message, 4),), None)
        header = parse_at(_HEADER, data, 0, "the ELF header")
    except FormatError as problem:
        return _reading(data, (), (Finding(Severity.ERROR, "cut", problem.message, problem.offset),), None)
    findings = [*_machine(header)]
    segments = tuple(_segments(data, header, findings))
    sections = header.sections_offset + header.section_size * header.section_count
    if sections > len(data):
        message = f"the section table ends at 0x{sections:05x}, the file at 0x{len(data):05x}"
        findings.append(Finding(Severity.ERROR, "cut", message, len(data)))
    value = ElfHeader(header.machine, header.entry, header.section_count)
    return _reading(data, segments, tuple(findings), value)


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
    data: bytes, segments: tuple[SegmentInfo, ...], findings: tuple[Finding, ...], value: ElfHeader | None
) -> Reading:
    count = len(segments)
    note = f"ELF, {count} load segment{'' if count == 1 else 's'}"
    if value is not None:
        note += f", entry point 0x{value.entry:08x}"
    part = Part(PartKind.UNKNOWN, 0, len(data), segments=segments, note=note, value=value)
    return Reading(FileKind.ELF, (part,), findings=findings)


_EXECUTABLE: Final = 2  # e_type
_FLAGS: Final = (
    0x300  # e_flags as the Xtensa linker writes them: instructions and literals in sections of their own
)
_PROGBITS, _SYMTAB, _STRTAB = 1, 2, 3  # sh_type
_WRITE, _ALLOC, _EXEC = 1, 2, 4  # sh_flags
_READABLE: Final = 4  # p_flags; write and execute are 2 and 1
_GLOBAL: Final = 0x10
_FUNCTION: Final = 2
_ABSOLUTE: Final = 0xFFF1  # the section of a symbol that lies in none
_WORD: Final = 4
_ADDRESS_LIMIT: Final = 1 << 32
_MOST_SECTIONS: Final = 0xFF00 - 4  # from 0xFF00 on section numbers have other meanings


@dataclass(frozen=True, slots=True)
class Section:
    """A section with contents that is loaded.

    Attributes:
        name: Its name, such as ``.irom0.text``.
        address: Where its first byte is loaded, or runs.
        data: Its contents.
        writable: Whether the program may write there.
        executable: Whether it holds code.
    """

    name: str
    address: int
    data: bytes
    writable: bool = False
    executable: bool = False

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + len(self.data)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name for an address.

    Attributes:
        name: The name.
        address: What it stands for.
        function: Whether a function begins there.
    """

    name: str
    address: int
    function: bool = True


@dataclass(frozen=True, slots=True)
class Executable:
    """A 32-bit little-endian Xtensa executable; each section is a load segment of its own.

    Attributes:
        entry: Entry point address.
        sections: Its sections in file order.
        symbols: Its global symbols.
    """

    entry: int
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Executable:
        """Read entry point, loaded sections with contents, and global symbols of an executable.

        Raises:
            FormatError: It is no such ELF file, or is cut short.
        """
        header = parse_at(_HEADER, data, 0, "the ELF header")
        kind = (header.ident.word_size, header.ident.byte_order, header.type, header.machine)
        if kind != (1, 1, _EXECUTABLE, XTENSA):
            raise FormatError(
                "this is no 32-bit little-endian Xtensa executable",
                offset=4,
                expected=f"class 1, data 1, type {_EXECUTABLE}, machine {XTENSA}",
                found="class {}, data {}, type {}, machine {}".format(*kind),
            )
        table = [
            parse_at(_SECTION, data, header.sections_offset + number * _SECTION.sizeof(), f"section {number}")
            for number in range(header.section_count)
        ]
        if not table or header.names_index >= len(table):
            raise FormatError("the ELF file has no section names", offset=48, expected="a table")
        names = _contents(data, table[header.names_index])
        return cls(
            header.entry,
            tuple(_section(data, fields, names) for fields in table if _is_loaded(fields)),
            tuple(
                symbol
                for fields in table
                if fields.type == _SYMTAB
                for symbol in _symbols(data, fields, table)
            ),
        )

    def build(self) -> bytes:
        """The file: headers, contents, symbols, names, section table.

        Raises:
            FormatError: A section leaves the address space, there are too many, or a name holds a null byte.
        """
        self._check()
        start = _HEADER.sizeof() + len(self.sections) * _SEGMENT.sizeof()
        body = _Body(start)
        names, strings = _Strings(), _Strings()
        segments: list[bytes] = []
        table = [_section_header(0, 0)]
        for section in self.sections:
            offset = body.add(section.data, section.address % _WORD)
            segments.append(_segment_header(section, offset))
            table.append(_loaded_header(section, names.add(section.name), offset))
        symbols = [bytes(_SYMBOL.sizeof())]  # the first one is no symbol
        symbols += [_SYMBOL.build(self._symbol(symbol, strings)) for symbol in self.symbols]
        table += [
            _table_header(names.add(".symtab"), _SYMTAB, body, b"".join(symbols), link=len(table) + 1),
            _table_header(names.add(".strtab"), _STRTAB, body, strings.data),
        ]
        # The last of the names is that of the names.
        table.append(_table_header(names.add(".shstrtab"), _STRTAB, body, names.data))
        sections_offset = body.add(b"".join(table), 0)
        return self._header(len(table), sections_offset) + b"".join(segments) + body.data

    def _check(self) -> None:
        if len(self.sections) > _MOST_SECTIONS:
            raise FormatError(
                "too many sections", expected=f"at most {_MOST_SECTIONS}", found=f"{len(self.sections)}"
            )
        for section in self.sections:
            if not 0 <= section.address <= section.end <= _ADDRESS_LIMIT:
                raise FormatError(
                    f"section {section.name} leaves the address space",
                    expected=f"its end at or below 0x{_ADDRESS_LIMIT:x}",
                    found=f"0x{section.end:x}",
                )

    def _header(self, count: int, sections_offset: int) -> bytes:
        return _HEADER.build(
            {
                "ident": {"word_size": 1, "byte_order": 1, "version": 1},
                "type": _EXECUTABLE,
                "machine": XTENSA,
                "version": 1,
                "entry": self.entry,
                "segments_offset": _HEADER.sizeof() if self.sections else 0,
                "sections_offset": sections_offset,
                "flags": _FLAGS,
                "header_size": _HEADER.sizeof(),
                "segment_size": _SEGMENT.sizeof(),
                "segment_count": len(self.sections),
                "section_size": _SECTION.sizeof(),
                "section_count": count,
                "names_index": count - 1,
            }
        )

    def _symbol(self, symbol: Symbol, strings: _Strings) -> dict[str, int]:
        homes = (
            number
            for number, section in enumerate(self.sections, 1)
            if section.address <= symbol.address < section.end
        )
        return _symbol_fields(strings.add(symbol.name), symbol, next(homes, _ABSOLUTE))


class _Strings:
    """A string table: the names one behind the other, each with a null byte, an empty one first."""

    def __init__(self) -> None:
        self.data = b"\0"

    def add(self, name: str) -> int:
        """Take a name, and tell where it stands."""
        block = name.encode()
        if b"\0" in block:
            raise FormatError("a name holds a null byte", expected="a name without one", found=repr(name))
        at = len(self.data)
        self.data += block + b"\0"
        return at


class _Body:
    """What stands behind the headers."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._blocks: list[bytes] = []
        self._size = 0

    def add(self, block: bytes, remainder: int) -> int:
        """Take a block at the next offset with that remainder modulo 4, and tell the offset."""
        offset = self._start + self._size
        gap = (remainder - offset) % _WORD
        self._blocks += [bytes(gap), block]
        self._size += gap + len(block)
        return offset + gap

    @property
    def data(self) -> bytes:
        return b"".join(self._blocks)


def _section_header(name: int, kind: int, **fields: int) -> bytes:
    zeros = dict.fromkeys(("flags", "address", "offset", "size", "link", "info", "align", "entry_size"), 0)
    return _SECTION.build({**zeros, **fields, "name": name, "type": kind})


def _table_header(name: int, kind: int, body: _Body, block: bytes, link: int = 0) -> bytes:
    """The header of a table that goes behind the contents; ``link`` is the section of its names."""
    fields = {"offset": body.add(block, 0), "size": len(block), "align": _WORD if link else 1}
    if link:
        fields |= {
            "link": link,
            "info": 1,
            "entry_size": _SYMBOL.sizeof(),
        }  # no symbol but the first is local
    return _section_header(name, kind, **fields)


def _loaded_header(section: Section, name: int, offset: int) -> bytes:
    return _section_header(
        name,
        _PROGBITS,
        flags=_ALLOC | _WRITE * section.writable | _EXEC * section.executable,
        address=section.address,
        offset=offset,
        size=len(section.data),
        align=_align_of(section),
    )


def _segment_header(section: Section, offset: int) -> bytes:
    size = len(section.data)
    return _SEGMENT.build(
        {
            "type": _LOAD,
            "offset": offset,
            "virtual_address": section.address,
            "physical_address": section.address,
            "file_size": size,
            "memory_size": size,
            "flags": _READABLE | 2 * section.writable | 1 * section.executable,
            "align": _align_of(section),
        }
    )


def _align_of(section: Section) -> int:
    return 1 if section.address % _WORD else _WORD


def _symbol_fields(name: int, symbol: Symbol, section: int) -> dict[str, int]:
    info = _GLOBAL | (_FUNCTION if symbol.function else 0)
    return {"name": name, "value": symbol.address, "size": 0, "info": info, "other": 0, "section": section}


def _is_loaded(fields: Any) -> bool:  # noqa: ANN401 - a Container
    return bool(fields.type == _PROGBITS and fields.flags & _ALLOC)


def _contents(data: bytes, fields: Any) -> bytes:  # noqa: ANN401 - a Container
    block = data[fields.offset : fields.offset + fields.size]
    if len(block) < fields.size:
        raise FormatError(
            "a section is cut short",
            offset=fields.offset,
            expected=f"{fields.size:,} bytes",
            found=f"{len(block):,}",
        )
    return block


def _text_at(strings: bytes, at: int) -> str:
    return strings[at:].split(b"\0", maxsplit=1)[0].decode("utf-8", "replace")


def _section(data: bytes, fields: Any, names: bytes) -> Section:  # noqa: ANN401 - a Container
    writable, executable = bool(fields.flags & _WRITE), bool(fields.flags & _EXEC)
    return Section(
        _text_at(names, fields.name), fields.address, _contents(data, fields), writable, executable
    )


def _symbols(data: bytes, fields: Any, table: list[Any]) -> Iterator[Symbol]:  # noqa: ANN401 - a Container
    """The global symbols of a symbol table that are defined in the file."""
    if fields.link >= len(table):
        raise FormatError("the symbols have no names", expected="a table", found=f"section {fields.link}")
    names, block = _contents(data, table[fields.link]), _contents(data, fields)
    for at in range(0, len(block), _SYMBOL.sizeof()):
        symbol = parse_at(_SYMBOL, block, at, "symbol")
        if symbol.info >> 4 == _GLOBAL >> 4 and symbol.section != 0:
            yield Symbol(_text_at(names, symbol.name), symbol.value, symbol.info & 0xF == _FUNCTION)
