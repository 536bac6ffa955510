from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.elves import ALLOC, EXEC, NOBITS, NOTE, Elf, Section
from imgtool.chip import flash_size
from imgtool.errors import FormatError, ImgtoolError, LayoutError
from imgtool.formats.checksums import sdk_crc
from imgtool.formats.images.version1 import BootImage
from imgtool.formats.images.version2 import OtaImage
from imgtool.operations.assemble.merge import merge
from imgtool.operations.assemble.pieces import HeaderChange
from imgtool.operations.building.images import Built, build
from imgtool.operations.building.memory_use import irom_map
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES, codes, table_page

if TYPE_CHECKING:
    from collections.abc import Sequence

DRAM, IRAM, CACHE, IROM = 0x3FFE_8000, 0x4010_0000, 0x4010_8000, 0x4021_0000
APP: Final = IMAGES["elf/app.elf"]
TEXT: Final = Section(".text", IRAM, bytes(range(32)), flags=ALLOC | EXEC)
FLASHED: Final = Section(".irom0.text", IROM, b"irom" * 4, flags=ALLOC | EXEC)


def elf(*sections: Section, entry: int = IRAM + 4) -> bytes:
    return Elf(sections, entry).build()


def bss(address: int, size: int, name: str = ".bss") -> Section:
    return Section(name, address, kind=NOBITS, size=size, flags=3)


def digests(built: Built) -> list[tuple[int, int, str]]:
    return [
        (file.address, len(file.data), hashlib.sha256(file.data).hexdigest()[:16]) for file in built.files
    ]


def test_version_1() -> None:
    built = build(elf(TEXT, FLASHED))
    image, code = built.files

    assert BootImage.parse(image.data).build() == image.data
    assert [(s.address, s.data) for s in BootImage.parse(image.data).segments] == [(IRAM, TEXT.data)]
    assert (image.address, image.suffix, code.address, code.suffix, code.data, code.checksum) == (
        0,
        "0x00000.bin",
        0x10000,
        "0x10000.bin",
        FLASHED.data,
        None,
    )
    assert image.checksum is not None
    assert (image.checksum.ok, image.checksum.stored) == (True, image.data[-1])
    assert built.findings == ()


def test_version_1_without_irom_is_one_file() -> None:
    assert [file.suffix for file in build(elf(TEXT)).files] == ["0x00000.bin"]


def test_version_2() -> None:
    user = replace(FLASHED, address=0x4020_1010, data=b"odd")
    (file,) = build(elf(user, TEXT), 2).files
    image = OtaImage.parse(file.data)

    assert (image.irom, image.stored_crc, file.address) == (b"odd".ljust(16, b"\0"), image.crc, 0x1000)
    assert (image.mode_code, image.size_freq_or_slot) == (image.boot.mode_code, image.boot.size_freq_code)
    assert sdk_crc(file.data[:-4]) == int.from_bytes(file.data[-4:], "little")


@pytest.mark.parametrize("slot", [1, 2])
def test_slot_number_as_the_sdk_writes_it(slot: int) -> None:
    data = IMAGES[f"elf/user{slot}.elf"]
    header = HeaderChange("dio", "80m", "1MB")
    built = build(data, 2, header=header, slot=slot)
    image = OtaImage.parse(built.files[0].data)

    assert built.files[0].data[:4] == bytes([0xEA, 4, 0, slot])
    assert (image.boot.mode_code, image.boot.size_freq_code) == (2, 0x2F)
    assert (image.stored_crc, built.header.slot, built.findings) == (image.crc, slot, ())
    described = describe(built.files[0].data)
    assert (described.ok, described.header is not None and described.header.slot) == (True, slot)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (HeaderChange(), (0, 0x20)),
        (HeaderChange(mode="dout"), (3, 0x20)),
        (HeaderChange(freq="80m", size="16MB"), (0, 0x9F)),
        (HeaderChange("dio", "26m", "4MB-c1"), (2, 0x61)),
    ],
)
def test_header(header: HeaderChange, expected: tuple[int, int]) -> None:
    built = build(APP, header=header)

    assert (built.files[0].data[2], built.files[0].data[3]) == expected
    assert (built.header.mode_code, built.header.size_freq_code) == expected


def test_names_of_segments() -> None:
    built = build(APP)

    assert [(s.name, s.address, s.memory) for s in built.segments] == [
        (".data .rodata", DRAM, "DRAM"),
        (".text", IRAM, "IRAM"),
    ]
    assert built.irom is not None
    assert (built.irom.name, built.irom.size) == (".irom0.text", 0x8000)


def test_padding_that_is_written_over_does_no_harm() -> None:
    built = build(elf(TEXT, Section(".data", DRAM, bytes(5)), Section(".d2", DRAM + 5, b"123")))

    assert [(segment.address, segment.size) for segment in built.segments[1:]] == [(DRAM, 8), (DRAM + 5, 4)]


def test_thread_local_memory_takes_no_addresses() -> None:
    tbss = replace(bss(DRAM, 8, ".tbss"), flags=ALLOC | 0x400)

    assert build(elf(TEXT, tbss, Section(".rodata", DRAM, b"1234"))).segments[1].size == 4


def test_pieces_go_on_to_merge() -> None:
    merged = merge(build(APP).pieces)

    assert (str(describe(merged.data).kind), merged.findings) == ("aggregated", ())


@pytest.mark.parametrize("use_segments", [False, True])
@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (1, [(0, 36704, "60779d2bee6a884f"), (0x10000, 225_820, "27c8cba7cc914005")]),
        (2, [(0x10000, 262_548, "cf22d7197223513b")]),
    ],
)
def test_real_program(
    corpus: Path, version: int, expected: list[tuple[int, int, str]], use_segments: bool
) -> None:
    data = (corpus / "elf/esp8266-nonosssdk20-iotdemo.elf").read_bytes()

    assert digests(build(data, version, use_segments=use_segments)) == expected


# Refusals.

_LONG: Final = replace(FLASHED, data=bytes(0x10_0000 - 0x1_0000 + 4))
_MANY: Final = [Section(f".t{n}", IRAM + 64 * n, bytes(8)) for n in range(17)]
_SDK3_PAGE: Final = table_page((101, 0, 0xB000), (4, 0xD000, 0x1000), (5, 0xF000, 0x1000), (102, 0x10000, 0))
_BIG: Final = [
    Section(".text", IRAM, bytes(0x7000)),
    Section(".rodata", DRAM, bytes(0x9010)),
]

REFUSED: Final = {
    "several irom sections": (
        [TEXT, FLASHED, replace(FLASHED, name=".irom1", address=IROM + 0x20)],
        1,
        LayoutError,
        r"several sections are to run from flash.*\.irom0\.text at 0x40210000, \.irom1 at 0x40210020",
    ),
    "version 2 without irom": (
        [TEXT],
        2,
        FormatError,
        "version-2 image begins with code that runs from flash",
    ),
    "nothing to load": ([bss(DRAM, 8)], 1, FormatError, "nothing to load"),
    "only debug information": ([Section(".debug", 0, b"12")], 1, FormatError, "nothing to load"),
    "entry point nowhere": (
        [replace(TEXT, data=b"ab")],
        1,
        FormatError,
        "entry point lies in no section of code",
    ),
    "entry point in .bss": (
        [Section(".data", DRAM, b"1234"), bss(IRAM, 16)],
        1,
        FormatError,
        "expected an address in a section that is loaded to IRAM, found 0x40100004",
    ),
    "more than 16 segments": (_MANY, 1, FormatError, r"more segments than the 16 .*17: \.t0, \.t1, "),
    "overlap": (
        [TEXT, Section(".vectors", IRAM + 0x18, bytes(16))],
        1,
        LayoutError,
        r"\.text \(0x40100000 to 0x4010001f\) and \.vectors \(0x40100018 to 0x40100027\) overlap by 8 bytes",
    ),
    "padding over what is loaded before": (
        [TEXT, Section(".d2", DRAM + 5, b"123"), Section(".data", DRAM, bytes(5))],
        1,
        LayoutError,
        r"\.data is filled up to whole words, over \.d2, loaded before it",
    ),
    "overlap by .bss": (
        [TEXT, Section(".data", DRAM, bytes(9)), bss(DRAM + 8, 4)],
        1,
        LayoutError,
        r"\.data .* and \.bss .* overlap by 1 byte",
    ),
    "overlap behind another": (
        [TEXT, bss(DRAM, 64), bss(DRAM + 4, 4, ".sbss"), Section(".data", DRAM + 32, b"1234")],
        1,
        LayoutError,
        r"\.bss .* and \.data .* overlap by 4 bytes",
    ),
    "no memory below": ([TEXT, Section(".x", 0x3FFE_0000, b"1")], 1, LayoutError, r"\.x lies .* no memory"),
    "no memory above": ([TEXT, Section(".x", 0x4030_0000, b"1")], 1, LayoutError, "found 0x40300000"),
    "no memory for .bss": ([TEXT, bss(0x4020_0000 - 4, 4)], 1, LayoutError, "found 0x401ffffc"),
    "boot ROM": ([TEXT, Section(".x", 0x4000_0100, b"1")], 1, LayoutError, r"\.x lies .* no memory"),
    "IRAM overflow": (
        [replace(TEXT, data=bytes(0x8005)), FLASHED],
        1,
        LayoutError,
        r"IRAM overflows by 5 bytes: section \.text .* below 0x40108000 .*found 0x40108005",
    ),
    "IRAM overflow by memory without bytes": (
        [TEXT, bss(IRAM + 0x7FF0, 17, ".noinit"), FLASHED],
        1,
        LayoutError,
        r"IRAM overflows by 1 byte: section \.noinit",
    ),
    "code behind IRAM": (
        [TEXT, Section(".more", CACHE, bytes(16)), FLASHED],
        1,
        LayoutError,
        r"IRAM overflows by 16 bytes: section \.more",
    ),
    "cache RAM overflow": (
        [TEXT, Section(".more", 0x4010_FFF0, bytes(20))],
        1,
        LayoutError,
        r"cache RAM overflows by 4 bytes: section \.more",
    ),
    "DRAM overflow": (
        [TEXT, Section(".rodata", DRAM, bytes(0x14001))],
        1,
        LayoutError,
        r"DRAM overflows by 1 byte: section \.rodata .*0x3fffc000",
    ),
    "DRAM overflow by .bss": (
        [TEXT, Section(".data", DRAM, b"1"), bss(DRAM + 0x100, 0x14000)],
        1,
        LayoutError,
        r"DRAM overflows by 256 bytes: section \.bss .*found 0x3fffc100",
    ),
    "irom overflow": (
        [TEXT, _LONG],
        1,
        LayoutError,
        r"IROM overflows by 4 bytes: section \.irom0\.text .*0x40300000 \(the window",
    ),
    "image reaches into irom": (
        [*_BIG, Section(".irom0.text", IROM, b"1")],
        1,
        LayoutError,
        r"flash address 0 reaches into \.irom0\.text by 48 bytes .*below 0x10000, .*found 0x10030",
    ),
    "image reaches into a slot": (
        [replace(TEXT, data=bytes(0x2000)), replace(FLASHED, address=0x4020_1010)],
        1,
        LayoutError,
        r"reaches into \.irom0\.text by 4,112 bytes",
    ),
    "image reaches into NodeMCU's settings": (
        [
            Section(".text", IRAM, bytes(0x7000)),
            Section(".data", DRAM, bytes(0x6800)),
            replace(FLASHED, data=_SDK3_PAGE),
        ],
        1,
        LayoutError,
        "reaches 2,080 bytes into RF cal of its table",
    ),
}


@pytest.mark.parametrize(("sections", "version", "kind", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(sections: Sequence[Section], version: int, kind: type[ImgtoolError], words: str) -> None:
    with pytest.raises(kind, match=words):
        build(elf(*sections), version)


def test_irom_behind_the_flash_of_the_header() -> None:
    sections = (TEXT, replace(FLASHED, data=bytes(0x7_0001)))

    assert build(elf(*sections)).findings == ()
    with pytest.raises(LayoutError, match=r"\.irom0\.text leaves the flash of 512KB by 4 bytes"):
        build(elf(*sections), header=HeaderChange(size="512KB"))


def test_without_a_section_table() -> None:
    data = Elf((TEXT, FLASHED), tables=False).build()

    with pytest.raises(FormatError, match=r"no section table .*found 2 load segments"):
        build(data)
    assert build(data, use_segments=True).files == build(elf(TEXT, FLASHED)).files


def test_no_load_segment() -> None:
    data = bytearray(elf(TEXT))
    struct.pack_into("<I", data, 52, 4)  # PT_NOTE
    with pytest.raises(FormatError, match="expected a load segment with bytes"):
        build(bytes(data), use_segments=True)


@pytest.mark.parametrize(("version", "slot"), [(3, None), (0, None), (1, 1), (2, 0), (2, 3)])
def test_wrong_arguments(version: int, slot: int | None) -> None:
    with pytest.raises(ValueError, match="no "):
        build(APP, version, slot=slot)


# Findings.

FINDINGS: Final = {
    "usual": ([TEXT, FLASHED], 1, None, []),
    "RAM program": ([TEXT, Section(".more", 0x4010_F000, b"1234")], 1, None, [("cache-ram", "note")]),
    "over the border of IRAM": ([replace(TEXT, data=bytes(0x8010))], 1, None, [("cache-ram", "note")]),
    "NodeMCU 3's early code": (
        [TEXT, Section(".pre_init_ram", 0x4010_E000, b"1234"), FLASHED],
        1,
        None,
        [("cache-ram", "warning")],
    ),
    "registers": ([TEXT, Section(".dport", 0x3FF0_0000, b"1234")], 1, None, [("load-address", "warning")]),
    "between words": ([TEXT, Section(".rodata", DRAM + 2, b"12")], 1, None, [("unaligned", "warning")]),
    "unknown type": ([TEXT, Section(".x", DRAM, b"12", NOTE)], 1, None, [("section-skipped", "warning")]),
    "entry point in flash": ([replace(TEXT, address=IROM)], 1, None, [("entry", "warning")]),
    "longer than its map": (
        [TEXT, replace(FLASHED, data=bytes(0xE_0004))],
        1,
        None,
        [("irom-map", "warning")],
    ),
    "user1 as version 1": (
        [TEXT, replace(FLASHED, address=0x4020_1010)],
        1,
        None,
        [("irom-address", "warning")],
    ),
    "no slot": ([TEXT, FLASHED], 2, None, [("irom-address", "warning")]),
    "slot of another map": (
        [TEXT, replace(FLASHED, address=0x4024_1010)],
        2,
        None,
        [("irom-address", "warning")],
    ),
    "rBoot": ([TEXT, replace(FLASHED, address=0x4020_2010)], 2, None, []),
    "wrong slot": ([TEXT, replace(FLASHED, address=0x4028_1010)], 2, 1, [("slot", "warning")]),
}


@pytest.mark.parametrize(("sections", "version", "slot", "expected"), FINDINGS.values(), ids=FINDINGS)
def test_findings(
    sections: Sequence[Section], version: int, slot: int | None, expected: list[tuple[str, str]]
) -> None:
    entry = sections[0].address + 4
    built = build(elf(*sections, entry=entry), version, slot=slot)

    assert [(finding.code, str(finding.severity)) for finding in built.findings] == expected


@pytest.mark.parametrize(
    ("address", "size", "length", "slots"),
    [
        (0x4021_0000, "1MB", 0xE0000, ()),
        (0x4024_0000, "512KB", 0x3C000, ()),
        (0x4020_1010, "512KB", 0x2B000, (1,)),
        (0x4020_1010, "1MB", 0x6B000, (1,)),
        (0x4020_1010, "4MB", 0x6B000, (1,)),
        (0x4020_1010, "4MB-c1", 0xE0000, (1, 2)),
        (0x4020_1010, "16MB", 0xE0000, (1, 2)),
        (0x4024_1010, "512KB", 0x2B000, (2,)),
        (0x4028_1010, "2MB", 0x6B000, (2,)),
        (0x4020_2010, "256KB", 0, (1,)),
    ],
)
def test_linker_maps(address: int, size: str, length: int, slots: tuple[int, ...]) -> None:
    row = irom_map(address, flash_size(size))

    assert row is not None
    assert (row.size, row.slots) == (length, slots)


@pytest.mark.parametrize(
    ("address", "size"), [(0x4024_1010, "1MB"), (0x4028_1010, "4MB-c1"), (0x4020_1000, "1MB")]
)
def test_no_linker_map(address: int, size: str) -> None:
    assert irom_map(address, flash_size(size)) is None


# Memory.


def test_memory() -> None:
    iram, dram, irom = build(APP).memory

    assert (iram.name, iram.used, iram.free, iram.limit) == ("IRAM", 0x5C80, 0x8000 - 0x5C80, 0x8000)
    assert (dram.name, dram.used + dram.free, dram.limit) == ("DRAM", 0x14000, 0x14000)
    assert [(s.name, s.size, s.loaded) for s in dram.sections] == [
        (".data", 0x900, True),
        (".rodata", 0x1BFD, True),
        (".bss", 0x6A10, False),
    ]
    assert dram.used == dram.sections[2].address + 0x6A10 - DRAM
    assert (irom.name, irom.start, irom.used, irom.limit) == ("IROM", IROM, 0x7FFF, 0xE0000)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ([TEXT], [("IRAM", 32, 0x8000), ("DRAM", 0, 0x14000)]),
        (
            [TEXT, Section(".x", 0x4010_F000, bytes(16))],
            [("IRAM", 32, 0x8000), ("DRAM", 0, 0x14000), ("cache RAM", 0x7010, 0x8000)],
        ),
        (
            [TEXT, replace(FLASHED, address=0x4022_0000)],
            [("IRAM", 32, 0x8000), ("DRAM", 0, 0x14000), ("IROM", 16, 0xE0000)],
        ),
        (
            [TEXT, replace(FLASHED, data=bytes(0xE0100))],
            [("IRAM", 32, 0x8000), ("DRAM", 0, 0x14000), ("IROM", 0xE0100, 0xE0000)],
        ),
    ],
    ids=["no irom", "cache RAM", "irom of no map", "irom longer than its map"],
)
def test_memories(sections: list[Section], expected: list[tuple[str, int, int]]) -> None:
    assert [(use.name, use.used, use.limit) for use in build(elf(*sections)).memory] == expected


def test_every_section_is_in_one_memory() -> None:
    names = [section.name for use in build(APP).memory for section in use.sections]

    assert sorted(names) == [".bss", ".data", ".irom0.text", ".rodata", ".text"]


# The law: what is built holds the sections' bytes at their addresses.


def _runs(start: int, room: int) -> st.SearchStrategy[list[tuple[int, bytes]]]:
    """Up to five stretches in a memory that do not overlap, some of them adjacent; whole words apart."""
    gaps = st.sampled_from([0, 0, 4, 16, 100])
    return st.lists(st.tuples(gaps, st.binary(min_size=1, max_size=room // 8)), max_size=5).map(
        lambda items: _placed(start, items)
    )


def _placed(start: int, items: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    placed = []
    for gap, data in items:
        placed.append((start + gap, data))
        start += gap + -(-len(data) // 4) * 4
    return placed


SECTIONS: Final = st.tuples(
    _runs(IRAM + 32, 2000), _runs(DRAM, 2000), _runs(0x4010_E000, 400), st.binary(max_size=3000)
)


@given(SECTIONS, st.sampled_from([1, 2]), st.booleans(), st.randoms(use_true_random=False))
def test_parsing_a_built_image_gives_the_sections_back(
    made: tuple[list[tuple[int, bytes]], list[tuple[int, bytes]], list[tuple[int, bytes]], bytes],
    version: int,
    use_segments: bool,
    random: Random,
) -> None:
    *loaded, flashed = made
    blocks = [(IRAM, TEXT.data), *(block for run in loaded for block in run)]
    random.shuffle(blocks)
    if flashed or version == 2:
        blocks.insert(len(blocks) // 2, (0x4020_2010, flashed or b"1"))
    sections = [Section(f".s{number}", address, data) for number, (address, data) in enumerate(blocks)]
    try:
        built = build(elf(*sections), version, use_segments=use_segments)
    except FormatError as error:
        assert "more segments than the 16" in str(error)  # noqa: PT017 - one of the two outcomes
        return
    memory: dict[int, bytes] = {}
    for file in built.files:
        if file.suffix == "0x00000.bin":
            image = BootImage.parse(file.data)
        elif version == 2:
            outer = OtaImage.parse(file.data)
            image = outer.boot
            memory[0x4020_2010] = outer.irom
        else:
            memory[0x4020_2010] = file.data
            continue
        memory |= {segment.address: segment.data for segment in image.segments}
    for address, data in blocks:
        ((start, whole),) = [(at, held) for at, held in memory.items() if at <= address < at + len(held)]
        assert whole[address - start : address - start + len(data)] == data
    assert sum(map(len, memory.values())) < sum(len(data) + 4 for _, data in blocks) + 16


def test_the_same_program_gives_the_same_bytes() -> None:
    assert build(APP).files == build(APP).files


def test_codes_are_unique_to_one_reason() -> None:
    built = build(elf(TEXT, replace(FLASHED, address=0x4020_1010), Section(".x", DRAM + 1, b"1")))

    assert codes(built.findings) == ["unaligned", "irom-address"]
