from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from imgtool.errors import FormatError
from imgtool.formats.elf import file
from imgtool.formats.elf.file import Executable, Section, Symbol
from imgtool.formats.reading import FileKind, SegmentInfo, Severity
from imgtool.formats.registry import identify
from tests.strategies import EXECUTABLES


def test_load_segments(made: dict[str, bytes]) -> None:
    reading = identify(made["elf/sample.elf"])
    assert reading.kind is FileKind.ELF
    assert reading.findings == ()
    assert reading.parts[0].segments == (
        SegmentInfo(0x94, 0x90, 0x3FFE8000),
        SegmentInfo(0x124, 0x240, 0x40100000),
        SegmentInfo(0x364, 0x800, 0x40210000),
    )
    assert reading.parts[0].facts == {"machine": 94, "entry": 0x40100004, "sections": 1}


@pytest.mark.parametrize(
    ("name", "severity", "codes"),
    [
        ("elf/riscv.elf", Severity.WARNING, ["machine"]),
        ("broken/cut.elf", Severity.ERROR, ["cut", "cut"]),
        ("broken/cut-section-table.elf", Severity.ERROR, ["cut"]),
    ],
)
def test_what_is_said(made: dict[str, bytes], name: str, severity: Severity, codes: list[str]) -> None:
    reading = identify(made[name])
    assert reading.kind is FileKind.ELF
    assert [f.code for f in reading.findings] == codes
    assert {f.severity for f in reading.findings} == {severity}


def test_64_bits_are_another_machine(made: dict[str, bytes]) -> None:
    data = bytearray(made["elf/sample.elf"])
    data[4] = 2
    reading = identify(bytes(data))
    assert [(f.severity, f.code) for f in reading.findings] == [(Severity.WARNING, "machine")]


def test_a_wild_segment_count_costs_nothing(made: dict[str, bytes]) -> None:
    data = bytearray(made["elf/sample.elf"].ljust(0x300000, b"\0"))
    data[44:46] = struct.pack("<H", 0xFFFF)
    assert "segment-count" in [f.code for f in identify(bytes(data)).findings]


def test_real_program(corpus: Path) -> None:
    reading = identify((corpus / "elf/esp8266-nonosssdk20-iotdemo.elf").read_bytes())
    assert reading.kind is FileKind.ELF
    assert reading.findings == ()
    assert {s.memory for s in reading.parts[0].segments} == {"DRAM", "IRAM", "IROM"}


def test_any_bytes(made: dict[str, bytes], survives: Any) -> None:  # noqa: ANN401
    survives(file.read, [data for name, data in made.items() if name.endswith(".elf")])


# --- executables that are written here ---


@given(EXECUTABLES)
def test_what_is_built_is_whole(executable: Executable) -> None:
    reading = file.read(executable.build())

    assert reading is not None
    assert reading.findings == ()
    assert [(s.address, s.size) for s in reading.parts[0].segments] == [
        (s.address, len(s.data)) for s in executable.sections if s.data
    ]


def sample() -> Executable:
    code = Section(".iram", 0x40100002, b"\x12\xc1\xf0\x0d\xf0", executable=True)
    return Executable(
        0x40100002,
        (code, Section(".dram", 0x3FFE8000, b"abcd", writable=True)),
        (Symbol("_start", 0x40100002),),
    )


def test_contents_stand_where_their_address_asks() -> None:
    for segment in file.read(sample().build()).parts[0].segments:  # type: ignore[union-attr]  # it is one
        assert segment.offset % 4 == segment.address % 4


def test_a_symbol_outside_of_all_sections() -> None:
    executable = Executable(0, (), (Symbol("rom", 0x40000000),))

    assert Executable.parse(executable.build()) == executable


@pytest.mark.parametrize(
    "executable",
    [
        Executable(0, (Section("a", 0xFFFF_FFFF, b"ab"),)),
        Executable(0, (Section("a\0b", 0, b"ab"),)),
        Executable(0, (), (Symbol("\0", 0),)),
        Executable(0, (Section("", 0, b""),) * 0xFF00),
    ],
    ids=["address", "name", "symbol", "count"],
)
def test_what_cannot_be_written(executable: Executable) -> None:
    with pytest.raises(FormatError):
        executable.build()


@pytest.mark.parametrize("end", range(0, 390, 7))
def test_a_cut_executable(end: int) -> None:
    data = sample().build()
    assert end < len(data)

    with pytest.raises(FormatError):
        Executable.parse(data[:end])


@pytest.mark.parametrize(("offset", "value"), [(4, 2), (5, 2), (16, 1), (18, 3), (50, 99)])
def test_another_elf(offset: int, value: int) -> None:
    data = bytearray(sample().build())
    data[offset] = value

    with pytest.raises(FormatError):
        Executable.parse(bytes(data))


def test_a_real_executable(corpus: Path) -> None:
    executable = Executable.parse((corpus / "elf/esp8266-nonosssdk20-iotdemo.elf").read_bytes())

    assert [section.name for section in executable.sections] == [".data", ".rodata", ".irom0.text", ".text"]
    assert Symbol("call_user_start", executable.entry) in executable.symbols
