"""Names of functions and lines: of programs that a compiler made, of made-up tables, and of damaged files."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import tracemalloc
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.elves import ALLOC, EXEC, NOBITS, Elf, Section
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.explain import ExplainRequest, ExplainResult, explain
from imgtool.errors import FormatError
from imgtool.formats.elf.program import ElfProgram
from imgtool.formats.elf.symbols import ElfSymbols, Function, SourceLine, readable_name
from tests.strategies import BYTE
from tests.support import over

COMPILER: Final = "xtensa-lx106-elf-gcc"
CODE: Final = 0x4021_0000
SOURCE: Final = """\
int __attribute__((noinline)) leaf(int *p)
{
    return *p + 1;
}
int __attribute__((noinline)) middle(int *p)
{
    volatile int v[4] = {1, 2, 3, leaf(p)};
    return v[leaf(p) & 3];
}
void start(void)
{
    volatile int x = middle(0);
    (void)x;
    for (;;)
        ;
}
"""


@pytest.fixture(scope="module", params=["-gdwarf-4", "-gdwarf-5", "-g0"])
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    compiler = shutil.which(COMPILER)
    if compiler is None:
        pytest.skip(f"{COMPILER} is not installed (Debian: gcc-xtensa-lx106)")
    folder: Path = tmp_path_factory.mktemp("elf")
    (folder / "main.c").write_text(SOURCE)
    flags = ["-O1", "-mlongcalls", "-ffreestanding", "-nostdlib", f"-Wl,-Ttext={CODE:#x}", "-Wl,-estart"]
    command = [compiler, request.param, *flags, "main.c", "-o", "main.elf"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return request.param, (folder / "main.elf").read_bytes()


def test_functions_of_a_compiled_program(compiled: tuple[str, bytes]) -> None:
    symbols = ElfSymbols.parse(compiled[1])

    assert [function.name for function in symbols.functions] == ["leaf", "middle", "start"]
    for function in symbols.functions:
        assert symbols.function_at(function.address) == function
        assert symbols.function_at(function.address + function.size - 1) == function


def test_lines_of_a_compiled_program(compiled: tuple[str, bytes]) -> None:
    option, data = compiled
    symbols = ElfSymbols.parse(data)
    leaf, middle, _ = symbols.functions
    lines = [symbols.line_at(function.address) for function in (leaf, middle)]

    assert symbols.has_lines == (option != "-g0")
    assert (symbols.lines_damaged, symbols.names_damaged) == (False, False)
    if option == "-g0":
        assert lines == [None, None]
    else:
        numbers = [line.line if line else 0 for line in lines]
        assert numbers[0] in range(2, 5)
        assert numbers[1] in range(6, 10)
        assert all(line is not None and line.file.endswith("main.c") for line in lines)


def test_calls_of_a_compiled_program(compiled: tuple[str, bytes]) -> None:
    symbols = ElfSymbols.parse(compiled[1])
    ends = symbols.functions[-1]
    returns = [at for at in range(CODE, ends.address + ends.size) if symbols.is_behind_call(at)]
    holders = [symbols.function_at(at) for at in returns]

    assert {holder and holder.name for holder in holders} == {"middle", "start"}


def table(*symbols: tuple[str, int, int, int]) -> tuple[Section, Section]:
    """A symbol table: name, address, size and type of each."""
    names, rows = b"\0", bytes(16)
    for name, address, size, kind in symbols:
        rows += struct.pack("<IIIBBH", len(names), address, size, 0x10 | kind, 0, 1)
        names += name.encode() + b"\0"
    return Section(".symtab", 0, rows, kind=2, flags=0), Section(".strtab", 0, names, kind=3, flags=0)


TEXT: Final = Section(".irom0.text", CODE, bytes(0x4000), flags=ALLOC | EXEC)
MADE: Final = Elf(
    (
        TEXT,
        *table(
            ("one", CODE, 16, 2),
            ("label", CODE + 32, 0, 0),
            ("data", 0x3FFE_8000, 4, 1),
            (".L1", CODE + 64, 0, 0),
        ),
    )
).build()


def debug_sections() -> tuple[Section, ...]:
    """Debug information of one unit (DWARF 4): line 7 for 16 bytes, then line 9 for 16."""
    abbreviations = bytes.fromhex("01 11 00 10 17 00 00 00")  # a unit with a line table
    unit = struct.pack("<HIB", 4, 0, 4) + b"\x01" + struct.pack("<I", 0)
    ranges = struct.pack("<HIBBI", 2, 0, 4, 0, 0) + struct.pack("<IIII", CODE, 32, 0, 0)
    folders_and_files = b"src\0\0" + b"main.c\0\x01\0\0" + b"\0"
    fields = bytes([1, 1, 1, 0xFB, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]) + folders_and_files
    rows = (
        b"\x00\x05\x02" + struct.pack("<I", CODE),  # the address
        b"\x03\x06\x01",  # six lines on, a row
        b"\x02\x10\x03\x02\x01",  # 16 bytes and two lines on, a row
        b"\x02\x10\x00\x01\x01",  # 16 bytes on, the end
    )
    lines = struct.pack("<HI", 4, len(fields)) + fields + b"".join(rows)
    contents = {".debug_abbrev": abbreviations}
    for name, block in ((".debug_info", unit), (".debug_aranges", ranges), (".debug_line", lines)):
        contents[name] = struct.pack("<I", len(block)) + block
    return tuple(Section(name, 0, data, flags=0) for name, data in contents.items())


def row_of(data: bytes, name: str) -> int:
    """Where the row of a section stands in the section table."""
    table, count, names = (*struct.unpack_from("<I", data, 32), *struct.unpack_from("<HH", data, 48))
    strings = struct.unpack_from("<10I", data, table + 40 * names)[4]
    rows = range(table, table + 40 * count, 40)
    words = {
        data[strings + struct.unpack_from("<I", data, row)[0] :].partition(b"\0")[0]: row for row in rows
    }
    return words[name.encode()]


def with_lines() -> bytes:
    """A program with names and lines; the row of its symbols says what pyelftools wants to know of them."""
    symbols = table(("one", CODE, 16, 2), ("two", CODE + 32, 16, 2))
    data = Elf((TEXT, *symbols, *debug_sections())).build()
    first = struct.unpack_from("<I", data, 32)[0]
    strings = (row_of(data, ".strtab") - first) // 40
    row = row_of(data, ".symtab")
    return over(data, [(row + 24, struct.pack("<I", strings)), (row + 36, struct.pack("<I", 16))])


WITH_LINES: Final = with_lines()
CRASH: Final = (
    " ets Jan  8 2013,rst cause:2, boot mode:(3,6)\n"
    "Fatal exception 28(LoadProhibitedCause):\n"
    f"epc1=0x{CODE:08x}, epc2=0x00000000, epc3=0x00000000, excvaddr=0x00000010, depc=0x00000000\n"
)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (CODE, "one"),
        (CODE + 15, "one"),
        (CODE + 16, None),
        (CODE + 32, "label"),
        (CODE + 70, "label"),
        (CODE + 32 + 0x2000, None),
        (CODE - 1, None),
        (CODE + 0x4000, None),
        (0x3FFE_8000, None),
    ],
)
def test_function_of_an_address(address: int, name: str | None) -> None:
    found = ElfSymbols.parse(MADE).function_at(address)

    assert (found and found.name) == name


@pytest.mark.parametrize(
    ("code", "call"),
    [
        (b"\x05\x00\x00", True),
        (b"\xc5\xff\xff", True),
        (b"\xc0\x03\x00", True),
        (b"\xc0\x13\x00", False),
        (b"\x15\x00\x00", False),
    ],
)
def test_calls(code: bytes, call: bool) -> None:
    symbols = ElfSymbols.parse(Elf((Section(".text", CODE, code, flags=ALLOC | EXEC),)).build())

    assert symbols.is_behind_call(CODE + 3) is call


@pytest.mark.parametrize(
    ("mangled", "name"),
    [
        ("_ZN6String6concatEPKc", "String::concat"),
        ("_ZNK6String6lengthEv", "String::length"),
        ("_ZN6StringC2ERKS_", "String::String"),
        ("_ZN6StringD1Ev", "String::~String"),
        ("_Z4loopv", "loop"),
        ("loop", "loop"),
        ("_ZNSt8functionIFvvEED2Ev", "_ZNSt8functionIFvvEED2Ev"),
        ("_ZN99xE", "_ZN99xE"),
        ("_Z", "_Z"),
    ],
)
def test_readable_names(mangled: str, name: str) -> None:
    assert readable_name(mangled) == name


@given(st.text(alphabet="_ZNKIE0129abCDv", max_size=30))
def test_any_name(name: str) -> None:
    assert readable_name(name) or not name


@pytest.mark.parametrize("data", [b"", b"\x7fELF", MADE[:60], b"\xe9" * 100])
def test_no_program(data: bytes) -> None:
    with pytest.raises(FormatError):
        ElfSymbols.parse(data)


def test_a_program_without_symbols() -> None:
    symbols = ElfSymbols.parse(Elf((TEXT,)).build())

    assert (symbols.functions, symbols.function_at(CODE), symbols.line_at(CODE)) == ([], None, None)


def test_debug_information_packed_in_a_way_that_nobody_knows() -> None:
    compressed = 0x800  # SHF_COMPRESSED; its header: type, size, alignment
    packed = Section(".debug_line", 0, struct.pack("<III", 0xD7, 64, 1) + bytes(16), flags=compressed)
    symbols = ElfSymbols.parse(Elf((TEXT, packed)).build())

    assert symbols.has_lines
    assert not symbols.lines_damaged  # nobody has asked yet
    assert symbols.line_at(CODE) is None
    assert symbols.lines_damaged


def test_lines_of_a_made_program() -> None:
    symbols = ElfSymbols.parse(WITH_LINES)

    assert symbols.line_at(CODE + 2) == SourceLine("src/main.c", 7)
    assert symbols.line_at(CODE + 17) == SourceLine("src/main.c", 9)
    assert symbols.line_at(CODE + 40) is None
    assert (symbols.lines_damaged, symbols.names_damaged) == (False, False)


@pytest.mark.parametrize("name", [".debug_info", ".debug_line", ".debug_abbrev", ".debug_aranges"])
def test_a_debug_section_that_claims_4_gb_costs_nothing(name: str) -> None:
    row = row_of(WITH_LINES, name)
    place = struct.unpack_from("<I", WITH_LINES, row + 16)[0]
    empty = over(WITH_LINES, [(row + 4, struct.pack("<I", NOBITS)), (row + 20, b"\xff" * 4)])
    packed = over(WITH_LINES, [(row + 9, b"\x08"), (place, struct.pack("<III", 1, 0xFFFF_FFFF, 1))])

    for data in (empty, packed):
        symbols = ElfSymbols.parse(data)
        tracemalloc.start()
        line = symbols.line_at(CODE)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert (line, most < 4_000_000) == (None, True)
        # What is no section of lines any more was never there.
        assert symbols.lines_damaged or not symbols.has_lines


def test_sections_that_claim_the_same_bytes_are_refused() -> None:
    table, count = (*struct.unpack_from("<I", WITH_LINES, 32), *struct.unpack_from("<H", WITH_LINES, 48))
    claims = struct.pack("<II", 0, len(WITH_LINES))
    data = over(WITH_LINES, [(table + 40 * number + 16, claims) for number in range(1, count)])

    with pytest.raises(FormatError, match="the sections have more bytes than the file"):
        ElfSymbols.parse(data)
    with pytest.raises(FormatError, match="the sections have more bytes than the file"):
        ElfProgram.parse(data)


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (b"\x01\xffe\0", False),
        (b"\x1b[2\0", False),
        (b"o\xcc\x8a\0", True),
        (b"on\xc0\0", False),
    ],
    ids=["no text", "controls", "letters of other alphabets", "cut letter"],
)
def test_names_that_cannot_be_read_are_left_out(change: bytes, left: bool) -> None:
    at = struct.unpack_from("<I", WITH_LINES, row_of(WITH_LINES, ".strtab") + 16)[0]
    symbols = ElfSymbols.parse(over(WITH_LINES, [(at + 1, change)]))

    assert (CODE in {function.address for function in symbols.functions}) is left
    assert symbols.names_damaged is not left
    assert symbols.function_at(CODE + 32) is not None


def test_a_name_beyond_the_table_and_one_without_an_end() -> None:
    at = struct.unpack_from("<I", WITH_LINES, row_of(WITH_LINES, ".symtab") + 16)[0]
    beyond = ElfSymbols.parse(over(WITH_LINES, [(at + 16, b"\xff\xff\xff\x7f")]))
    long = Elf((TEXT, *table(("n" * 0x3000, CODE, 16, 2), ("short", CODE + 32, 16, 2)))).build()

    assert (beyond.names_damaged, beyond.function_at(CODE)) == (True, None)
    assert [function.name for function in ElfSymbols.parse(long).functions] == ["short"]


def explained(program: bytes) -> ExplainResult | FormatError:
    """The crash explained with a program, or what is said of that."""
    try:
        return explain(ExplainRequest(log=CRASH.encode(), elfs=(InputFile("damaged.elf", program),)))
    except FormatError as error:
        return error


EDITS: Final = st.lists(
    st.tuples(
        st.sampled_from(["anywhere", "header", "table", "debug"]),
        st.integers(0, 1 << 16),
        st.one_of(st.sampled_from([0, 1, 4, 0x7F, 0x80, 0xFF]), BYTE),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(edits=EDITS, cut=st.one_of(st.none(), st.integers(0, len(MADE) * 2)))
def test_a_damaged_program_is_refused_or_names_less(
    edits: list[tuple[str, int, int]], cut: int | None
) -> None:
    data = bytearray(WITH_LINES)
    header, names = struct.unpack_from("<I", data, 32)[0], row_of(WITH_LINES, ".debug_abbrev")
    debug = struct.unpack_from("<I", data, names + 16)[0]
    places = {
        "anywhere": (0, len(data)),
        "header": (4, 48),
        "table": (header, len(data) - header),
        "debug": (debug, header - debug),
    }
    for where, at, value in edits:
        start, size = places[where]
        data[start + at % size] = value
    found = explained(bytes(data[:cut]))
    if isinstance(found, FormatError):
        assert str(found).startswith("damaged.elf: ")
        return
    assert json.dumps(found.document)
    assert found.words.verdict
    for frame in found.explanation.frames:
        assert frame.function is None or frame.function.isprintable()


@pytest.mark.parametrize(("name", "at"), [(".debug_info", 11), (".debug_abbrev", 0)])
def test_damage_of_the_debug_part_is_noted_and_the_function_is_named(name: str, at: int) -> None:
    place = struct.unpack_from("<I", WITH_LINES, row_of(WITH_LINES, name) + 16)[0]
    damaged = over(WITH_LINES, [(place + at, b"\xfe" * 4)])
    found = explain(ExplainRequest(log=CRASH.encode(), elfs=(InputFile("damaged.elf", damaged),))).explanation

    assert [(frame.function, frame.line) for frame in found.frames] == [("one", None)]
    assert any("debug information of the ELF file is damaged" in note for note in found.notes)


def test_nothing_is_noted_of_a_whole_program() -> None:
    found = explain(
        ExplainRequest(log=CRASH.encode(), elfs=(InputFile("whole.elf", WITH_LINES),))
    ).explanation

    assert [(frame.function, frame.file, frame.line) for frame in found.frames] == [("one", "src/main.c", 7)]
    assert not any("damaged" in note for note in found.notes)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=30))
def test_damaged_debug_information_is_no_error(
    compiled: tuple[str, bytes], edits: list[tuple[int, int]]
) -> None:
    data = bytearray(compiled[1])
    for place, value in edits:
        data[52 + place % (len(data) - 52)] = value
    try:
        symbols = ElfSymbols.parse(bytes(data))
    except FormatError:
        return
    for address in range(CODE, CODE + 0x80, 4):
        symbols.line_at(address)
        assert isinstance(symbols.function_at(address), Function | None)


def test_a_real_program(corpus: Path) -> None:
    symbols = ElfSymbols.parse((corpus / "elf" / "esp8266-nonosssdk20-iotdemo.elf").read_bytes())
    names = {function.name: function for function in symbols.functions}
    line = symbols.line_at(names["device_get"].address)

    assert len(names) > 1000
    assert line is not None
    assert line.file.endswith("user_webserver.c")
