"""Images as ELF files: what lies where, what is assumed, and what a disassembler makes of it."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from imgtool.errors import FormatError
from imgtool.formats.elf.file import Executable
from imgtool.formats.reading import PartKind
from imgtool.operations.assemble.fullimage import fullimage
from imgtool.operations.assemble.merge import merge
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.extract.parts import extract
from imgtool.operations.extract.to_elf import ElfOutput, to_elf
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES, aggregate, codes, real
from tests.test_corpus import FILES

if TYPE_CHECKING:
    from collections.abc import Callable

    Disassemble = Callable[[bytes, int, int], list[str]]

OBJDUMP = "xtensa-lx106-elf-objdump"
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\t[0-9a-f ]+\t(.*)$")
SYMBOL = re.compile(r" ?<[^>]*>")


def elf_of(data: bytes, part: str | int | None = None, irom_address: int | None = None) -> ElfOutput:
    taken = extract(data)
    chosen = None if part is None else taken.find(part)
    assert part is None or chosen is not None
    return to_elf(taken, chosen, irom_address=irom_address)


def layout(made: ElfOutput) -> list[tuple[str, int, int]]:
    return [(s.name, s.address, len(s.data)) for s in made.executable.sections]


def test_an_aggregated_image() -> None:
    data = aggregate("sample")
    made = elf_of(data)
    sections = made.executable.sections

    assert layout(made) == [
        (".iram", 0x40100000, 24576),
        (".dram", 0x3FFE8000, 2304),
        (".dram.2", 0x3FFE8900, 7168),
        (".irom0.text", 0x40210000, 120244),
    ]
    assert [(s.writable, s.executable) for s in sections] == [
        (False, True),
        (True, False),
        (True, False),
        (False, True),
    ]
    assert (sections[0].data, sections[3].data) == (data[0x10:0x6010], data[0x10000:])
    assert made.executable.entry == 0x40100004
    assert [(s.name, s.address) for s in made.executable.symbols] == [
        ("_start", 0x40100004),
        ("irom0_start", 0x40210000),
    ]
    assert made.origins == (*(f"image-v1, segment {n}" for n in range(3)), "irom")
    assert made.findings == ()


def test_the_file_is_the_executable() -> None:
    made = elf_of(aggregate("sample"))

    assert Executable.parse(made.data) == made.executable


def test_a_flash_image_with_a_record_page() -> None:
    made = elf_of(IMAGES["dumps/nodemcu-3-used-4m.bin"])

    assert [row[:2] for row in layout(made)[3:]] == [
        (".irom0.table", 0x40210000),
        (".irom0.text", 0x40211000),
    ]


def test_the_application_comes_before_its_loader() -> None:
    made = elf_of(IMAGES["arduino/core-3.1.bin"])

    assert (made.executable.entry, ".iram_cache" in [s.name for s in made.executable.sections]) == (
        describe_entry(IMAGES["arduino/core-3.1.bin"], 0x1000),
        False,
    )
    assert [f.message for f in made.findings] == ["made of app-2; there is code in bootloader too"]


def describe_entry(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset + 4 : offset + 8], "little")


@pytest.mark.parametrize(
    "name", ["arduino/core-2.7.bin", "boot/boot-1.6-user1.bin", "rboot/whole.bin", "dumps/rtos3-1m.bin"]
)
def test_the_loader_when_it_is_asked_for(name: str) -> None:
    made = elf_of(IMAGES[name], "bootloader")

    assert (made.executable.entry, made.findings) == (describe_entry(IMAGES[name], 0), ())
    assert {origin.split(",")[0] for origin in made.origins} == {"bootloader"}


@pytest.mark.parametrize(
    ("name", "irom"),
    [
        ("boot/boot-1.6-user1.bin", 0x40201010),
        ("rboot/whole.bin", 0x40202010),
        ("micropython/micropython.bin", 0x40209000),
        ("at-2014/user2.bin", 0x40251000),
        ("dumps/at-512k.bin", 0x40240000),
        ("rtos3/app.bin", 0x40210010),
        ("arduino/core-2.3.bin", 0x40201010),
        ("dumps/micropython-1m.bin", 0x40209000),
    ],
)
def test_where_irom_runs(name: str, irom: int) -> None:
    made = elf_of(IMAGES[name])
    section = next(s for s in made.executable.sections if s.name == ".irom0.text")

    assert (section.address, "irom-address" in codes(made.findings)) == (irom, False)


def test_the_second_slot() -> None:
    made = elf_of(IMAGES["dumps/sdk-boot-2-slots-1m.bin"], "image-v1-2")

    assert layout(made)[-1][:2] == (".irom0.text", 0x40281010)
    assert elf_of(IMAGES["dumps/sdk-boot-2-slots-1m.bin"]).executable.sections[-1].address == 0x40201010


@pytest.mark.parametrize(
    ("name", "address", "words"),
    [
        ("at/at-sdk3.0.6-2024-06-user1.bin", 0x40201010, "flash 0x01000"),
        ("at/at-sdk3.0.6-2024-06-user2.bin", 0x40281010, "flash 0x81000"),
        ("at/sdk1.4-user1.1024.new.2.bin", 0x40201010, "flash 0x01000"),
        ("sdkapps/mger-repeater-0x02000.bin", 0x40202010, "flash 0x02000"),
    ],
)
def test_pointers_tell_the_slot_of_a_real_image(name: str, address: int, words: str) -> None:
    made = elf_of(real(name))

    assert layout(made)[-1][:2] == (".irom0.text", address)
    assert [words in finding.message for finding in made.findings] == [True]


def test_a_slot_that_nothing_tells_is_assumed_and_said() -> None:
    data = bytearray(IMAGES["v2/no-tail.bin"])
    data[0x10:0x14220] = bytes(range(256)) * 0x142 + bytes(range(16))
    made = elf_of(bytes(data))

    assert layout(made)[-1][:2] == (".irom0.text", 0x40201010)
    assert any("assumed: the slot of user1" in finding.message for finding in made.findings)
    assert elf_of(bytes(data), irom_address=0x40281010).executable.sections[-1].address == 0x40281010


def test_irom_alone() -> None:
    made = elf_of(IMAGES["sample/0x10000.bin"])

    assert (layout(made), made.executable.entry) == ([(".irom0.text", 0x40210000, 120244)], 0x40210000)
    assert [(s.name, s.address) for s in made.executable.symbols] == [("irom0_start", 0x40210000)]
    assert codes(made.findings) == ["irom-address"]


def test_irom_alone_at_another_address() -> None:
    made = elf_of(IMAGES["sample/0x10000.bin"], irom_address=0x40281010)

    assert (layout(made)[0][1], made.executable.entry) == (0x40281010, 0x40281010)


def test_irom_alone_with_a_record_page() -> None:
    made = elf_of(IMAGES["nodemcu-3.0-2021/0x10000.bin"])

    assert [row[:2] for row in layout(made)] == [(".irom0.table", 0x40210000), (".irom0.text", 0x40211000)]


def test_irom_of_an_image_by_its_name() -> None:
    made = elf_of(aggregate("sample"), "irom")

    assert (layout(made), made.executable.entry) == ([(".irom0.text", 0x40210000, 120244)], 0x40210000)


def test_an_image_without_its_irom() -> None:
    assert codes(elf_of(IMAGES["sample/0x00000.bin"]).findings) == ["no-irom"]
    assert codes(elf_of(IMAGES["ram/hello.bin"]).findings) == []


def test_irom_that_leaves_the_window_is_said() -> None:
    made = elf_of(IMAGES["sample/0x10000.bin"], irom_address=0x402FF000)

    assert codes(made.findings) == ["not-mapped"]


def test_an_address_for_no_irom() -> None:
    with pytest.raises(FormatError, match="no irom part"):
        elf_of(IMAGES["rtos3/app.bin"], irom_address=0x40210000)


def test_an_address_outside_of_the_address_space() -> None:
    with pytest.raises(FormatError, match="leaves the address space"):
        elf_of(IMAGES["sample/0x10000.bin"], irom_address=0xFFFF_FFF0)


@pytest.mark.parametrize(
    "name",
    [
        "init-data/v05.bin",
        "lfs/lfs-5.1.img",
        "lfs/lfs-5.1-at-0x98000.bin",
        "spiffs/linear.bin",
        "littlefs/empty.bin",
        "blank.bin",
        "elf/sample.elf",
        "esp32/bootloader-c3.bin",
        "rtos3/partitions.bin",
        "rboot/config.bin",
        "text/page.bin",
        "broken/header-only.bin",
        "dumps/wiped-1m.bin",
    ],
)
def test_what_has_no_code(name: str) -> None:
    with pytest.raises(FormatError, match="there is no code"):
        elf_of(IMAGES[name])


@pytest.mark.parametrize("part", ["init-data", "rf-cal", "spiffs"])
def test_parts_without_code(part: str) -> None:
    with pytest.raises(FormatError, match=f"{part} holds no code") as caught:
        elf_of(IMAGES["dumps/nodemcu-2.2-4m.bin"], part)

    assert caught.value.expected == "image-v1"


def test_a_damaged_image_is_made_and_said() -> None:
    assert "damaged" in codes(elf_of(IMAGES["broken/bad-checksum.bin"]).findings)


# --- by other programs ---


@pytest.fixture(scope="session")
def disassemble(tmp_path_factory: pytest.TempPathFactory) -> Disassemble:
    """The instructions between two addresses as objdump shows them, without symbols."""
    program = shutil.which(OBJDUMP)
    if program is None:
        pytest.skip(f"{OBJDUMP} is not installed (Debian: binutils-xtensa-lx106)")
    path = tmp_path_factory.mktemp("elf") / "it.elf"

    def run(data: bytes, start: int, stop: int) -> list[str]:
        path.write_bytes(data)
        words = [program, "-d", f"--start-address=0x{start:x}", f"--stop-address=0x{stop:x}", str(path)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        found = (INSTRUCTION.match(line) for line in done.stdout.splitlines())
        return [f"{match[1]} {SYMBOL.sub('', match[2])}" for match in found if match]

    return run


def test_the_code_of_a_real_program(disassemble: Disassemble) -> None:
    original = real("elf/esp8266-nonosssdk20-iotdemo.elf")
    names = {0: "sdkapps/esptool-iotdemo-0x00000.bin", 0x10000: "sdkapps/esptool-iotdemo-0x10000.bin"}
    made = elf_of(merge([Piece(address, real(name), name) for address, name in names.items()]).data)
    entry = made.executable.entry

    assert entry == describe_entry(original, 0x14)
    shown = disassemble(made.data, entry, entry + 0x10)
    assert shown == disassemble(original, entry, entry + 0x10)
    assert len(shown) > 3
    # A function of irom, between its first instruction and its return.
    start = 0x40210000 + made.executable.sections[-1].data.index(b"\x12\xc1\xf0")
    assert disassemble(made.data, start, start + 0x18) == disassemble(original, start, start + 0x18)


def test_sections_and_segments_of_a_real_program() -> None:
    original = Executable.parse(real("elf/esp8266-nonosssdk20-iotdemo.elf"))
    boot, code = real("sdkapps/esptool-iotdemo-0x00000.bin"), real("sdkapps/esptool-iotdemo-0x10000.bin")
    made = elf_of(merge([Piece(0, boot, "a"), Piece(0x10000, code, "b")]).data)
    by_address = {section.address: section.data for section in original.sections}

    for section in made.executable.sections:
        wanted = by_address[section.address]
        assert section.data[: len(wanted)] == wanted
        assert section.data[len(wanted) :].strip(b"\0") == b""


@pytest.mark.parametrize("name", [each.path for each in FILES if each.checks and each.ok])
def test_the_entry_of_every_real_image_is_code(disassemble: Disassemble, name: str) -> None:
    made = elf_of(real(name))
    first = disassemble(made.data, made.executable.entry, made.executable.entry + 8)[:2]

    assert len(first) == 2
    assert [line for line in first if ".byte" in line or line.endswith((" ill", "excw"))] == []


@pytest.mark.parametrize("name", ["dumps/nodemcu-3-used-4m.bin", "rtos3/app.bin", "sample/0x10000.bin"])
def test_pyelftools_reads_it(name: str) -> None:
    elffile = pytest.importorskip("elftools.elf.elffile")
    made = elf_of(IMAGES[name])
    elf = elffile.ELFFile(io.BytesIO(made.data))
    loaded = [s for s in elf.iter_sections() if s["sh_type"] == "SHT_PROGBITS"]

    assert (elf["e_entry"], elf["e_machine"], elf["e_type"]) == (
        made.executable.entry,
        "EM_XTENSA",
        "ET_EXEC",
    )
    assert [(s.name, s["sh_addr"], s.data()) for s in loaded] == [
        (s.name, s.address, s.data) for s in made.executable.sections
    ]
    assert [(s["p_type"], s["p_vaddr"], s["p_paddr"], s.data()) for s in elf.iter_segments()] == [
        ("PT_LOAD", s.address, s.address, s.data) for s in made.executable.sections
    ]
    assert [(s.name, s["st_value"]) for s in elf.get_section_by_name(".symtab").iter_symbols()][1:] == [
        (s.name, s.address) for s in made.executable.symbols
    ]


def test_describe_reads_it() -> None:
    made = elf_of(fullimage([Piece(0, aggregate("sample"), "a")], "512KB").data)
    description = describe(made.data)

    assert (str(description.kind), description.ok) == ("elf", True)
    assert [(s.address, s.size) for s in description.parts[0].segments] == [
        (s.address, len(s.data)) for s in made.executable.sections
    ]
    assert description.parts[0].kind is PartKind.UNKNOWN
