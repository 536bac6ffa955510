"""What a linked ELF program puts into memory: the sections and load segments that images are made of.

Not the recognition of ELF files for ``inspect`` (file.py), and not symbols or debug information (symbols.py,
which takes its sections from here).  pyelftools knows the layouts; which bytes are taken is decided here.

Source: the ELF specification, https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html; which section
types count: docs/how-to/build.md.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from elftools.common.exceptions import ELFParseError
from elftools.common.utils import struct_parse
from elftools.elf.structs import ELFStructs

from imgtool.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ElfProgram", "ProgramBlock", "Reserved", "SectionBytes", "sections_with_bytes"]

_MAGIC: Final = b"\x7fELF"
_IDENT_SIZE: Final = 16
_HEADER_SIZE: Final = 52
_SECTION_SIZE: Final = 40
_SEGMENT_SIZE: Final = 32
_ALLOCATED: Final = 0x2  # SHF_ALLOC
_THREAD_LOCAL: Final = 0x400  # SHF_TLS

# What linkers put bytes into that a program finds in memory when it starts.
_LOADED: Final = ("SHT_PROGBITS", "SHT_INIT_ARRAY", "SHT_FINI_ARRAY", "SHT_PREINIT_ARRAY")
_WITHOUT_BYTES: Final = ("SHT_NOBITS", "SHT_NULL")
_MOST_CLAIMS: Final = 4  # linkers write each byte once

_KINDS: Final = {
    "ET_REL": "a relocatable object, which is not linked yet",
    "ET_DYN": "a shared object",
    "ET_CORE": "a core dump",
}


class ProgramBlock(NamedTuple):
    """Bytes and the address that they are loaded to: a section, or a load segment.

    Attributes:
        name: The section's name; for a segment, the names of the sections in it.
        address: Where the first byte goes; a segment's physical address.
        data: The bytes, as many as the file has.
        flags: Section or segment flags as in the file.
    """

    name: str
    address: int
    data: bytes
    flags: int = 0

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + len(self.data)


class Reserved(NamedTuple):
    """Memory without bytes in the file, such as ``.bss``: its name, address and size in bytes."""

    name: str
    address: int
    size: int

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + self.size


class ElfProgram(NamedTuple):
    """A linked program for the ESP8266.

    Attributes:
        entry: Address at which it starts.
        sections: Those with bytes for the memory, in file order; None where there is no section table.
        segments: Load segments with bytes, in file order.
        reserved: Memory that it uses beside those, in file order.
        skipped: Names of allocated sections of types that no loader knows.
    """

    entry: int
    sections: tuple[ProgramBlock, ...] | None
    segments: tuple[ProgramBlock, ...]
    reserved: tuple[Reserved, ...]
    skipped: tuple[str, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> ElfProgram:
        """Read an ELF file.

        Raises:
            FormatError: It is no ELF file, not a linked program for an Xtensa with 32 bits, or cut short.
        """
        return _ElfReader(data).program()


class SectionBytes(NamedTuple):
    """A section with bytes in the file, of the memory or not: name, address (0 for none), flags, bytes."""

    name: str
    address: int
    flags: int
    data: bytes


def sections_with_bytes(data: bytes) -> tuple[SectionBytes, ...]:
    """Every section of a linked program that has bytes, in file order; none where there is no section table.

    Raises:
        FormatError: As for :meth:`ElfProgram.parse`.
    """
    return _ElfReader(data).all_sections()


class _ElfReader:
    """The tables of one file, read with their bounds checked first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._stream = BytesIO(data)
        _check_ident(data)
        self._structs = ELFStructs(little_endian=True, elfclass=32)
        self._structs.create_basic_structs()
        self._header = self._row(self._structs.Elf_Ehdr, 0, _HEADER_SIZE, "the ELF header")
        _check_kind(self._header)
        self._structs.create_advanced_structs(self._header["e_type"], self._header["e_machine"])

    def program(self) -> ElfProgram:
        """All that an image is made of."""
        rows = list(self._sections())
        sections: list[ProgramBlock] = []
        reserved: list[Reserved] = []
        skipped: list[str] = []
        for name, row in rows:
            address, size = row["sh_addr"], row["sh_size"]
            if address == 0 or size == 0:
                continue  # debug information, comments, tables: nothing of the program
            if row["sh_type"] in _LOADED:
                content = self._bytes(row["sh_offset"], size, f"section {name}")
                sections.append(ProgramBlock(name, address, content, row["sh_flags"]))
            elif row["sh_flags"] & _ALLOCATED == 0:
                continue
            elif row["sh_type"] == "SHT_NOBITS" and row["sh_flags"] & _THREAD_LOCAL:
                continue  # .tbss takes no addresses: it is made anew for each thread
            elif row["sh_type"] == "SHT_NOBITS":
                reserved.append(Reserved(name, address, size))
            else:
                skipped.append(name)
        segments, behind = self._segments(sections)
        has_table = bool(rows)
        return ElfProgram(
            self._header["e_entry"],
            tuple(sections) if has_table else None,
            segments,
            tuple(reserved) if has_table else behind,
            tuple(skipped),
        )

    def all_sections(self) -> tuple[SectionBytes, ...]:
        """Every section with bytes."""
        return tuple(
            SectionBytes(
                name,
                row["sh_addr"],
                row["sh_flags"],
                self._bytes(row["sh_offset"], row["sh_size"], f"section {name}"),
            )
            for name, row in self._sections()
            if row["sh_type"] not in _WITHOUT_BYTES and row["sh_size"]
        )

    def _sections(self) -> Iterator[tuple[str, Any]]:
        header = self._header
        count, start, step = header["e_shnum"], header["e_shoff"], header["e_shentsize"]
        if count == 0 or start == 0:
            return
        _check_step(step, _SECTION_SIZE, "section", 46)
        self._check_table(start, count * step, "the section table")
        rows = [
            self._row(self._structs.Elf_Shdr, start + index * step, _SECTION_SIZE, f"section header {index}")
            for index in range(count)
        ]
        claimed = sum(row["sh_size"] for row in rows if row["sh_type"] not in _WITHOUT_BYTES)
        self._check_claims(claimed, start, "sections")
        names = header["e_shstrndx"]
        if names >= count:
            raise FormatError(
                "the table of section names is missing",
                offset=50,
                expected=f"a section below {count}",
                found=str(names),
            )
        place = rows[names]["sh_offset"]
        table = self._bytes(place, rows[names]["sh_size"], "the table of section names")
        for row in rows:
            raw = table[row["sh_name"] :].partition(b"\0")[0]
            yield raw.decode("utf-8", "backslashreplace"), row

    def _segments(
        self, sections: list[ProgramBlock]
    ) -> tuple[tuple[ProgramBlock, ...], tuple[Reserved, ...]]:
        header = self._header
        count, start, step = header["e_phnum"], header["e_phoff"], header["e_phentsize"]
        if count == 0 or start == 0:
            return (), ()
        _check_step(step, _SEGMENT_SIZE, "program", 42)
        self._check_table(start, count * step, "the table of program headers")
        segments: list[ProgramBlock] = []
        reserved: list[Reserved] = []
        claimed = 0
        for index in range(count):
            what = f"program header {index}"
            row = self._row(self._structs.Elf_Phdr, start + index * step, _SEGMENT_SIZE, what)
            address, size, memory = row["p_paddr"], row["p_filesz"], row["p_memsz"]
            if row["p_type"] != "PT_LOAD" or address == 0:
                continue
            inside = [s.name for s in sections if address <= s.address < address + size]
            name = " ".join(inside) or f"segment {index}"
            claimed += size
            self._check_claims(claimed, start, "segments")
            if size:
                content = self._bytes(row["p_offset"], size, f"segment {index}")
                segments.append(ProgramBlock(name, address, content, row["p_flags"]))
            if memory > size:
                reserved.append(Reserved(name, address + size, memory - size))
        return tuple(segments), tuple(reserved)

    def _row(self, layout: Any, offset: int, size: int, what: str) -> Any:  # noqa: ANN401 - pyelftools' own
        self._check_table(offset, size, what)
        try:
            return struct_parse(layout, self._stream, offset)
        except ELFParseError as error:
            raise FormatError(f"{what} cannot be read: {error}", offset=offset) from None

    def _bytes(self, offset: int, size: int, what: str) -> bytes:
        self._check_table(offset, size, what)
        return self._data[offset : offset + size]

    def _check_claims(self, claimed: int, table: int, what: str) -> None:
        """Refuse a table by which the same bytes are taken again and again: it must not cost all memory."""
        if claimed > _MOST_CLAIMS * len(self._data):
            raise FormatError(
                f"the {what} have more bytes than the file",
                offset=table,
                expected=f"at most {len(self._data):,} bytes",
                found=f"{claimed:,} bytes",
            )

    def _check_table(self, offset: int, size: int, what: str) -> None:
        if offset + size > len(self._data):
            raise FormatError(
                f"{what} is cut short",
                offset=offset,
                expected=f"{size:,} bytes",
                found=f"{max(len(self._data) - offset, 0):,} bytes",
            )


def _check_ident(data: bytes) -> None:
    if not data.startswith(_MAGIC):
        raise FormatError(
            "this is no ELF file",
            offset=0,
            expected="7f 45 4c 46",
            found=data[:4].hex(" ") or "an empty file",
        )
    if len(data) < _IDENT_SIZE:
        raise FormatError(
            "the ELF identification is cut short",
            offset=0,
            expected=f"{_IDENT_SIZE} bytes",
            found=f"{len(data)} bytes",
        )
    if data[4] != 1:
        found = "64 bits" if data[4] == 2 else f"class {data[4]}"  # noqa: PLR2004 - ELFCLASS64
        raise FormatError("the program is for another machine", offset=4, expected="32 bits", found=found)
    if data[5] != 1:
        found = "big-endian" if data[5] == 2 else f"byte order {data[5]}"  # noqa: PLR2004 - ELFDATA2MSB
        raise FormatError(
            "the program is for another machine", offset=5, expected="little-endian", found=found
        )


def _check_kind(header: Any) -> None:  # noqa: ANN401 - pyelftools' own
    machine = header["e_machine"]
    if machine != "EM_XTENSA":
        raise FormatError(
            "the program is for another machine",
            offset=18,
            expected="Xtensa (94)",
            found=_machine(machine),
        )
    if header["e_type"] != "ET_EXEC":
        kind = header["e_type"]
        raise FormatError(
            "this is no linked program",
            offset=16,
            expected="an executable (type 2)",
            found=_KINDS.get(kind, f"type {kind}"),
        )


def _machine(machine: str | int) -> str:
    if isinstance(machine, int):
        return f"machine {machine}"
    from elftools.elf.descriptions import describe_e_machine  # noqa: PLC0415 - only where it is wrong

    return str(describe_e_machine(machine))


def _check_step(step: int, expected: int, what: str, offset: int) -> None:
    if step != expected:
        raise FormatError(
            f"the {what} headers have another size",
            offset=offset,
            expected=f"{expected} bytes",
            found=f"{step} bytes",
        )
