from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.elves import NOBITS, NOTE, OBJECT, RISC_V, SHARED, X86, Elf, Section
from imgtool.errors import FormatError
from imgtool.formats.elf.program import ElfProgram, ProgramBlock, Reserved
from tests.support import IMAGES

APP = IMAGES["elf/app.elf"]
PROGRAM = Elf(
    (
        Section(".data", 0x3FFE_8000, b"data", flags=3),
        Section(".rodata", 0x3FFE_8004, b"12345"),
        Section(".bss", 0x3FFE_8010, kind=NOBITS, size=100, flags=3),
        Section(".text", 0x4010_0000, b"code", flags=6),
        Section(".note", 0x4010_0010, b"note", NOTE),
        Section(".debug", 0, b"debug", flags=0),
        Section(".nothing", 0x4010_0020),
        Section(".scratch", 0x4010_0030, kind=NOBITS, size=4, flags=0),
    )
)


def test_sections() -> None:
    program = ElfProgram.parse(PROGRAM.build())

    assert program == ElfProgram(
        0x4010_0004,
        (
            ProgramBlock(".data", 0x3FFE_8000, b"data", 3),
            ProgramBlock(".rodata", 0x3FFE_8004, b"12345", 2),
            ProgramBlock(".text", 0x4010_0000, b"code", 6),
        ),
        (
            ProgramBlock(".data .rodata", 0x3FFE_8000, b"data12345", 5),
            ProgramBlock(".text", 0x4010_0000, b"code", 5),
            ProgramBlock("segment 3", 0x4010_0010, b"note", 5),
        ),
        (Reserved(".bss", 0x3FFE_8010, 100),),
        (".note",),
    )


def test_without_a_section_table_the_segments_tell_what_has_no_bytes() -> None:
    program = ElfProgram.parse(replace(PROGRAM, tables=False).build())

    assert program.sections is None
    assert [block.data for block in program.segments] == [b"data12345", b"code", b"note"]
    assert program.reserved[0] == Reserved("segment 1", 0x3FFE_8010, 100)


def test_ends() -> None:
    assert (ProgramBlock("a", 0x10, b"123").end, Reserved("b", 0x10, 5).end) == (0x13, 0x15)


def changed(offset: int, value: int, size: int = 2) -> bytes:
    return APP[:offset] + value.to_bytes(size, "little") + APP[offset + size :]


@pytest.mark.parametrize(
    ("data", "words", "offset"),
    [
        (b"", "no ELF file", 0),
        (b"\xe9\x03\x00\x20", "no ELF file", 0),
        (APP[:10], "identification is cut short", 0),
        (APP[:40], "the ELF header is cut short", 0),
        (replace(PROGRAM, word_size=2).build(), "another machine.*32 bits, found 64 bits", 4),
        (replace(PROGRAM, word_size=7).build(), "found class 7", 4),
        (replace(PROGRAM, byte_order=2).build(), "little-endian, found big-endian", 5),
        (replace(PROGRAM, byte_order=0).build(), "found byte order 0", 5),
        (replace(PROGRAM, machine=RISC_V).build(), r"another machine.*Xtensa \(94\), found RISC-V", 18),
        (replace(PROGRAM, machine=X86).build(), "found Intel 80386", 18),
        (replace(PROGRAM, machine=0x7777).build(), "found machine 30583", 18),
        (replace(PROGRAM, kind=OBJECT).build(), "no linked program.*found a relocatable object", 16),
        (replace(PROGRAM, kind=SHARED).build(), "found a shared object", 16),
        (replace(PROGRAM, kind=0x1234).build(), "found type 4660", 16),
        (APP[:-1], "the section table is cut short.*found 319 bytes", len(APP) - 320),
        (changed(46, 64), "section headers have another size.*40 bytes, found 64", 46),
        (changed(42, 56), "program headers have another size.*32 bytes, found 56", 42),
        (changed(50, 99), "section names is missing.*below 8, found 99", 50),
        (changed(44, 0x7FFF), "table of program headers is cut short", 52),
        (changed(len(APP) - 280 + 16, 0xFFFFFF, 4), r"section .data is cut short.*2,304 bytes", 0xFFFFFF),
    ],
)
def test_refused(data: bytes, words: str, offset: int) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        ElfProgram.parse(data)

    assert caught.value.offset == offset


def test_real_program(corpus: Path) -> None:
    data = (corpus / "elf/esp8266-nonosssdk20-iotdemo.elf").read_bytes()
    program = ElfProgram.parse(data)

    assert [(b.name, b.address, len(b.data)) for b in program.sections or ()] == [
        (".data", 0x3FFE_8000, 2976),
        (".rodata", 0x3FFE_8BA0, 3600),
        (".irom0.text", 0x4021_0000, 225_820),
        (".text", 0x4010_0000, 30_092),
    ]
    assert program.reserved == (Reserved(".bss", 0x3FFE_99B0, 0x79E0),)


@given(
    st.sampled_from([APP, PROGRAM.build()]),
    st.lists(st.tuples(st.integers(0, 200) | st.integers(-500, -1), st.integers(0, 255)), max_size=4),
    st.integers(0, 600),
)
def test_any_damage_is_a_format_error_or_none(data: bytes, edits: list[tuple[int, int]], cut: int) -> None:
    damaged = bytearray(data)
    for place, value in edits:
        damaged[place] = value
    try:
        program = ElfProgram.parse(bytes(damaged[: len(damaged) - cut if cut < 300 else cut]))
    except FormatError:
        return
    assert all(block.data for block in (*(program.sections or ()), *program.segments))


@given(st.binary(max_size=200))
def test_any_bytes_behind_the_magic(data: bytes) -> None:
    with pytest.raises(FormatError):
        ElfProgram.parse(b"\x7fELF\1\1\1" + data)


def test_section_flags_of_an_unloaded_type_without_memory_are_no_finding() -> None:
    sections = (Section(".text", 0x4010_0000, b"code"), Section(".info", 0x10, b"note", NOTE, flags=0))

    assert ElfProgram.parse(Elf(sections).build()).skipped == ()
