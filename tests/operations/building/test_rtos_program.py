"""Programs of the RTOS SDK 3: the one application that each becomes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures import elves
from fixtures.elves import ALLOC, EXEC, NOBITS, Elf, Section
from imgtool.errors import FormatError, ImgtoolError, LayoutError, UsageError
from imgtool.formats.images.rtos_app import ESP32_SIZES, RtosApp
from imgtool.formats.images.version1 import BootImage
from imgtool.operations.assemble.pieces import HeaderChange
from imgtool.operations.building.images import build
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES, codes, said

if TYPE_CHECKING:
    from pathlib import Path

    from imgtool.operations.building.images import Built

DRAM, IRAM, SLOT, RTC = 0x3FFE_8000, 0x4010_0000, 0x4021_0000, 0x6000_1200
PROGRAM: Final = elves.rtos_program()
TEXT: Final = Section(".flash.text", SLOT + 0x10, bytes(range(1, 41)), flags=ALLOC | EXEC)
RODATA: Final = Section(".flash.rodata", TEXT.address + 40, bytes(8) + b"constant")
DATA: Final = Section(".dram0.data", DRAM, b"data")
CODE: Final = Section(".iram0.text", IRAM, b"code", flags=ALLOC | EXEC)
SMALL: Final = (CODE, DATA, TEXT, RODATA)


def made(*sections: Section, entry: int = SLOT + 0x14, **options: object) -> Built:
    return build(Elf(sections, entry).build(), **options)  # type: ignore[arg-type]


def segments(built: Built) -> list[tuple[int, bytes]]:
    return [(each.address, each.data) for each in BootImage.parse(built.files[0].data).segments]


def test_the_application_is_that_of_the_sdks_converter() -> None:
    built = build(PROGRAM.build(), header=HeaderChange("dio", "40m", "2MB"))
    (file,) = built.files

    assert file.data == IMAGES["rtos3/app.bin"]
    assert (built.version, file.address, file.suffix, built.size) == (3, 0x10000, "0x10000.bin", "2MB")
    assert [segment.name for segment in built.segments] == [
        ".flash.text",
        ".flash.rodata",
        ".dram0.data",
        ".iram0.vectors",
        ".iram0.text",
    ]
    assert built.findings == ()


def test_it_passes_all_checks_and_has_its_name() -> None:
    description = describe(build(PROGRAM.build()).files[0].data)

    assert (description.kind, description.ok) == ("rtos-app", True)
    assert description.firmware is not None
    assert description.firmware.name == "blinky"
    assert codes(description.findings) == ["flash-size-code"]


def test_a_real_application_comes_out_of_its_sections_again(corpus: Path) -> None:
    real = (corpus / "rtos/rtos3-hello-world.bin").read_bytes()
    image = RtosApp.parse(real).image
    names = (".flash.text", ".flash.rodata", ".dram0.data", ".iram0.vectors", ".iram0.text")
    sections = [
        Section(name, each.address, bytes(8) * (name == ".flash.rodata") + each.data)
        for name, each in zip(names, image.segments, strict=True)
    ]
    mode = {0: "qio", 2: "dio"}[image.mode_code]
    freq = {0: "40m", 0xF: "80m"}[image.size_freq_code & 0xF]
    header = HeaderChange(mode, freq, ESP32_SIZES[image.size_freq_code >> 4])

    assert build(Elf(sections, image.entry).build(), header=header).files[0].data == real


@pytest.mark.parametrize("offset", [0x1000, 0x10000, 0x80000, 0xF0000])
def test_it_goes_to_the_slot_that_it_is_linked_for(offset: int) -> None:
    built = build(elves.rtos_program(0x4020_0000 + offset).build())

    assert built.files[0].address == offset


def test_the_order_is_flash_then_rtc_then_ram() -> None:
    rtc = Section(".rtc.data", RTC, b"rtc.")

    assert segments(made(rtc, *SMALL)) == [
        (SLOT + 0x10, TEXT.data),
        (RODATA.address, b"constant"),
        (RTC, b"rtc."),
        (DRAM, b"data"),
        (IRAM, b"code"),
    ]


@pytest.mark.parametrize(
    ("rodata", "found"),
    [
        (replace(RODATA, data=bytes(8)), [(SLOT + 0x10, TEXT.data + bytes(8))]),
        (replace(RODATA, data=b"no room here"), [(SLOT + 0x10, TEXT.data + b"no room here")]),
        (replace(RODATA, name=".rodata2"), [(SLOT + 0x10, TEXT.data + RODATA.data)]),
        (
            replace(RODATA, address=RODATA.address + 8),
            [(SLOT + 0x10, TEXT.data + bytes(8)), (RODATA.address + 8, b"constant")],
        ),
        (
            replace(RODATA, address=RODATA.address + 6),
            [(SLOT + 0x10, TEXT.data + bytes(14) + b"constant" + bytes(2))],
        ),
    ],
    ids=["nothing but room", "no room", "another name", "a gap", "between words"],
)
def test_read_only_data(rodata: Section, found: list[tuple[int, bytes]]) -> None:
    assert segments(made(TEXT, rodata)) == found


@given(
    st.lists(st.tuples(st.integers(0, 40), st.binary(min_size=1, max_size=60)), min_size=1, max_size=6),
    st.integers(-1, 5),
)
def test_each_byte_that_runs_from_flash_stands_where_its_address_tells(
    parts: list[tuple[int, bytes]], rodata: int
) -> None:
    sections, address = [TEXT], TEXT.address + len(TEXT.data)
    for number, (gap, data) in enumerate(parts):
        address = (address + gap + 3) // 4 * 4
        name, content = (".flash.rodata", bytes(8) + data) if number == rodata else (f".flash.{number}", data)
        sections.append(Section(name, address, content))
        address += len(content)
    file = made(*sections).files[0].data
    image = BootImage.parse(file)

    assert all(len(segment.data) % 4 == 0 for segment in image.segments)
    assert (image.checksum, RtosApp.parse(file).sha256) == (image.stored_checksum, file[-32:])
    for section in sections:
        room = 8 if section.name == ".flash.rodata" else 0
        at = section.address - SLOT
        assert file[at + room : at + len(section.data)] == section.data[room:]


WRONG: Final = {
    "starts in RAM": ((SMALL, IRAM), FormatError, "runs from flash"),
    "starts nowhere": ((SMALL, SLOT + 0x1000), FormatError, "runs from flash"),
    "no place": (((replace(TEXT, address=SLOT + 0x20),), SLOT + 0x24), LayoutError, "begin in a sector"),
    "behind the window": (((replace(TEXT, address=0x4031_0010),), 0x4031_0010), LayoutError, "no memory"),
    "IRAM": (((*SMALL[1:], replace(CODE, data=bytes(0xC004))), SLOT + 0x14), LayoutError, "IRAM overflows"),
    "DRAM": (
        ((*SMALL, Section(".b", DRAM + 4, kind=NOBITS, size=0x18000)), SLOT + 0x14),
        LayoutError,
        "DRAM overflows",
    ),
    "RTC": (((*SMALL, Section(".rtc.data", RTC, bytes(0x204))), SLOT + 0x14), LayoutError, "RTC overflows"),
    "overlap": (((*SMALL, Section(".x", DRAM, b"data")), SLOT + 0x14), LayoutError, "overlap"),
    "1 MB line": (
        ((replace(TEXT, data=bytes(0xEFF00)), replace(CODE, data=bytes(0x100))), SLOT + 0x14),
        LayoutError,
        "1 MB line",
    ),
}


@pytest.mark.parametrize(("program", "kind", "words"), WRONG.values(), ids=WRONG)
def test_refused(program: tuple[tuple[Section, ...], int], kind: type[ImgtoolError], words: str) -> None:
    sections, entry = program

    with pytest.raises(kind, match=words):
        made(*sections, entry=entry)


def test_what_just_fits() -> None:
    built = made(
        TEXT,
        replace(CODE, data=bytes(0xC000)),
        Section(".dram0.bss", DRAM, kind=NOBITS, size=0x18000),
        Section(".rtc.data", RTC, bytes(0x200)),
    )

    assert {use.name: use.free for use in built.memory} == {
        "IRAM": 0,
        "DRAM": 0,
        "IROM": 0x4030_0000 - SLOT - 0x10 - len(TEXT.data),
        "RTC": 0,
    }
    longest = 0x10_0000 - 0x1_0000 - 0x10 - 16 - 32
    assert len(made(replace(TEXT, data=bytes(longest))).files[0].data) == 0xF0000


@pytest.mark.parametrize(
    "options",
    [{"version": 1}, {"version": 2}, {"version": 2, "slot": 1}, {"use_segments": True}],
    ids=["pair", "version 2", "slot", "segments"],
)
def test_nothing_else_is_made_of_it(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="program of the RTOS SDK 3"):
        build(PROGRAM.build(), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", ["256KB", "512KB", "2MB-c1", "4MB-c1"])
def test_a_size_without_a_code(size: str) -> None:
    with pytest.raises(UsageError, match="no code for that flash size"):
        build(PROGRAM.build(), header=HeaderChange(size=size))


def test_programs_of_the_first_releases_are_told_by_where_they_start() -> None:
    text = replace(TEXT, name=".irom0.text")

    assert made(text, replace(CODE, name=".text")).version == 3


@pytest.mark.parametrize("name", ["elf/app.elf", "elf/ram.elf", "elf/user1.elf"])
def test_other_programs_are_none(name: str) -> None:
    with pytest.raises(FormatError, match="no program of the RTOS SDK 3"):
        build(IMAGES[name], 3)


def test_a_program_for_a_user_slot_is_none() -> None:
    assert build(IMAGES["elf/user1.elf"], 2).version == 2
    assert said(build(IMAGES["elf/app.elf"]).findings, "warning", "error") == []
    assert build(IMAGES["elf/app.elf"]).version == 1
