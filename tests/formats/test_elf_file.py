from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from imgtool.formats import elf_file, identify
from imgtool.formats.reading import FileKind, SegmentInfo, Severity


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
    survives(elf_file.read, [data for name, data in made.items() if name.endswith(".elf")])
