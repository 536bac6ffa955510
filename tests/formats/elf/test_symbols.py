"""Names of functions and lines: of programs that a compiler made, of made-up tables, and of damaged files."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.elves import ALLOC, EXEC, Elf, Section
from imgtool.errors import FormatError
from imgtool.formats.elf.symbols import ElfSymbols, Function, readable_name

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
    assert symbols.line_at(CODE) is None


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
