"""Functions and source lines of a linked program, by code address: the symbol table and the line tables.

Not what a program puts into memory (program.py), and no other debug information: no variables, no types, no
inlined functions.  The symbol table is read once; of the line tables only those that an address falls into.
pyelftools knows them.  Where either is damaged, names are left out, and it is said that they are.

Source: the ELF specification, https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.symtab.html; DWARF,
https://dwarfstd.org/doc/DWARF5.pdf section 6.2.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.errors import FormatError
from imgtool.formats.elf.program import sections_with_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.formats.elf.program import SectionBytes

__all__ = ["ElfSymbols", "Function", "SourceLine", "readable_name"]

_EXECUTABLE: Final = 0x4  # SHF_EXECINSTR
_SYMBOL: Final = struct.Struct("<IIIBBH")
_FUNCTION: Final = 2  # STT_FUNC
_UNTYPED: Final = 0  # STT_NOTYPE: labels of assembler
_UNDEFINED: Final = 0
_CALL_SIZE: Final = 3  # CALL0 and CALLX0 of the lx106
_LONGEST_UNSIZED: Final = 0x2000  # a label is no name for what is this far behind it
_LONGEST_NAME: Final = 0x2000  # bytes; names of C++ templates have some thousand
_DEBUG_NAMES: Final = (".debug_", ".zdebug_", ".eh_frame")  # what pyelftools takes debug information from
_MOST_DEBUG: Final = 0x1000_0000  # bytes of a section of it, unpacked; programs for the ESP8266 have few MB


class Function(NamedTuple):
    """A function: name, first address, size in bytes; 0 where the symbol table has none."""

    name: str
    address: int
    size: int


class SourceLine(NamedTuple):
    """A place in the source, as the compiler was called with it."""

    file: str
    line: int


class ElfSymbols:
    """The names of one program.

    Attributes:
        functions: Functions and labels in sections of code, by address.
        has_lines: Whether there are line tables.
        names_damaged: Whether functions have names that cannot be read, which are left out.
    """

    def __init__(self, data: bytes) -> None:
        sections = sections_with_bytes(data)
        self._code = [s for s in sections if s.flags & _EXECUTABLE and s.address]
        self.functions, self.names_damaged = _functions(sections, self._code)
        self._starts = [function.address for function in self.functions]
        self.has_lines = any(section.name == ".debug_line" for section in sections)
        self._data = data
        self._lines: _LineTable | None = None

    @classmethod
    def parse(cls, data: bytes) -> ElfSymbols:
        """Read an ELF file.

        Raises:
            FormatError: It is no ELF file, not a linked program for an Xtensa with 32 bits, or cut short.
        """
        return cls(data)

    def holds(self, address: int) -> bool:
        """Whether the program has code at an address."""
        return self._section(address) is not None

    def is_behind_call(self, address: int) -> bool:
        """Whether the instruction in front of an address is a call, so that one can return there."""
        section = self._section(address - _CALL_SIZE)
        if section is None:
            return False
        at = address - _CALL_SIZE - section.address
        first, second, third = section.data[at : at + _CALL_SIZE].ljust(_CALL_SIZE, b"\0")
        # CALL0: the low six bits are 000101.  CALLX0: 0000 0000 0000 ssss 11 00 0000.
        return first & 0x3F == 0x05 or (first == 0xC0 and second >> 4 == 0 and third == 0)  # noqa: PLR2004

    def function_at(self, address: int) -> Function | None:
        """The function that an address lies in."""
        section = self._section(address)
        index = bisect_right(self._starts, address) - 1
        if section is None or index < 0:
            return None
        found = self.functions[index]
        reach = found.size or _LONGEST_UNSIZED
        inside = found.address >= section.address and address < found.address + reach
        return found if inside else None

    def line_at(self, address: int) -> SourceLine | None:
        """The source line of an address, if the program has line tables for it."""
        if not self.has_lines or not self.holds(address):
            return None
        if self._lines is None:
            self._lines = _LineTable(self._data)
        return self._lines.at(address)

    @property
    def lines_damaged(self) -> bool:
        """Whether source lines were left out so far, as line tables cannot be read."""
        return self._lines is not None and self._lines.damaged

    def _section(self, address: int) -> SectionBytes | None:
        return next((s for s in self._code if s.address <= address < s.address + len(s.data)), None)


def _functions(sections: tuple[SectionBytes, ...], code: list[SectionBytes]) -> tuple[list[Function], bool]:
    """Functions and labels by address, and whether some have names that cannot be read."""
    table = next((s.data for s in sections if s.name == ".symtab"), b"")
    names = next((s.data for s in sections if s.name == ".strtab"), b"")
    ranges = [(s.address, s.address + len(s.data)) for s in code]
    found: dict[int, tuple[int, int, int]] = {}  # by address: whether a function, size, place of the name
    whole = len(table) - len(table) % _SYMBOL.size
    for name, value, size, info, _, section in _SYMBOL.iter_unpack(table[:whole]):
        kind = info & 0xF
        if kind not in (_FUNCTION, _UNTYPED) or section == _UNDEFINED or not name:
            continue
        if not any(start <= value < end for start, end in ranges):
            continue
        rank = (int(kind == _FUNCTION), size, name)
        if rank > found.get(value, (-1, 0, 0)):
            found[value] = rank
    functions: list[Function] = []
    damaged = False
    for address in sorted(found):
        _, size, at = found[address]
        name = _name_at(names, at)
        if name is None:
            damaged = True
        # Labels of the compiler's own: literals and the ends of loops.
        elif name and not name.startswith((".L", "_l32r", "$")):
            functions.append(Function(readable_name(name), address, size))
    return functions, damaged


def _name_at(names: bytes, at: int) -> str | None:
    """A name of a string table; None where there is none that can be one."""
    end = names.find(b"\0", at, at + _LONGEST_NAME)
    return None if end < 0 else _readable(names[at:end])


def _readable(raw: bytes) -> str | None:
    """A name as text; None for what is no text."""
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return name if name.isprintable() else None


_NESTED: Final = re.compile(r"_ZN?[KVrO]*")


def readable_name(name: str) -> str:
    """A C++ name without its types: ``_ZN6String6concatEPKc`` is ``String::concat``.

    Templates, operators and what else is not made of plain names stay as they are.
    """
    start = _NESTED.match(name)
    if start is None:
        return name
    words: list[str] = []
    at = start.end()
    while at < len(name) and name[at].isdigit():
        digits = re.match(r"[1-9]\d{0,3}", name[at:])
        if digits is None:
            return name
        begin = at + digits.end()
        at = begin + int(digits[0])
        if at > len(name):
            return name
        words.append(name[begin:at])
    rest = name[at : at + 2]
    if rest[:1] == "C" and words:
        words.append(words[-1])
    elif rest[:1] == "D" and words:
        words.append("~" + words[-1])
    elif rest[:1] == "I":
        return name
    return "::".join(words) or name


class _LineTable:
    """The line tables, one decoded for each unit that was asked for.

    Attributes:
        damaged: Whether something was left out, as it cannot be read.
    """

    def __init__(self, data: bytes) -> None:
        self.damaged = False
        self._dwarf = self._tried(lambda: _debug_information(data))
        self._aranges = None if self._dwarf is None else self._tried(self._dwarf.get_aranges)
        self._offsets: list[int] | None = None
        self._units: dict[int, list[tuple[int, int, SourceLine]]] = {}

    def at(self, address: int) -> SourceLine | None:
        if self._aranges is not None and self._aranges.entries:
            offset = self._tried(lambda: self._aranges.cu_offset_at_addr(address))
            units = [] if offset is None else [offset]
        else:
            units = self._all()
        for unit in units:
            for start, end, line in self._unit(unit):
                if start <= address < end:
                    return line
        return None

    def _all(self) -> list[int]:
        """Where all units begin: for programs without a table of address ranges."""
        if self._offsets is None:
            dwarf = self._dwarf
            units = None
            if dwarf is not None:
                units = self._tried(lambda: [unit.cu_offset for unit in dwarf.iter_CUs()])
            self._offsets = units or []
        return self._offsets

    def _unit(self, offset: int) -> list[tuple[int, int, SourceLine]]:
        if offset not in self._units:
            self._units[offset] = self._tried(lambda: list(self._rows(offset))) or []
        return self._units[offset]

    def _rows(self, offset: int) -> Iterator[tuple[int, int, SourceLine]]:
        program = self._dwarf.line_program_for_CU(self._dwarf.get_CU_at(offset))
        if program is None:
            return
        before = None
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            if before is not None and state.address > before.address:
                file = _file(program, before.file)
                if file is None or before.line < 0:
                    self.damaged = True
                else:
                    yield before.address, state.address, SourceLine(file, before.line)
            before = None if state.end_sequence else state

    def _tried(self, step: Any) -> Any:  # noqa: ANN401 - whatever pyelftools returns
        """What a step gives; None if it fails: pyelftools raises anything on damaged debug information."""
        try:
            return step()
        except Exception:  # noqa: BLE001 - the address then has no line, which is no error
            self.damaged = True
            return None


def _file(program: Any, number: int) -> str | None:  # noqa: ANN401 - pyelftools' own
    """A file of a line table with its folder; None where its name cannot be read.

    Files are counted from 1 up to DWARF 4, from 0 in DWARF 5.
    """
    header = program.header
    first = 0 if header["version"] >= 5 else 1  # noqa: PLR2004 - the version of the format
    files = program["file_entry"]
    if not first <= number < first + len(files):
        return None
    entry = files[number - first]
    name = _readable(entry.name)
    index = entry.dir_index - first
    folders = header["include_directory"]
    if name is None or index < 0 or index >= len(folders):
        return name
    folder = _readable(folders[index])
    if folder is None:
        return None
    return f"{folder}/{name}" if folder not in ("", ".") else name


def _debug_information(data: bytes) -> Any:  # noqa: ANN401 - pyelftools' own
    """The debug information of a program, as pyelftools has it.

    Raises:
        FormatError: A section of it would be larger than any is: pyelftools makes it all before it looks.
    """
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415 - only for programs that have it

    program = ELFFile(BytesIO(data))
    for section in program.iter_sections():
        if section.name.startswith(_DEBUG_NAMES) and section.data_size > _MOST_DEBUG:
            raise FormatError(
                f"section {section.name} is too large",
                expected=f"at most {_MOST_DEBUG:,} bytes",
                found=f"{section.data_size:,} bytes",
            )
    return program.get_dwarf_info(relocate_dwarf_sections=False)
