"""The project's own ROM functions for memory, strings, printing and arithmetic, by what C has them do."""

from __future__ import annotations

import math
import struct
from collections.abc import Generator
from typing import Final

import pytest

from imgtool.virtual.board.rom import arithmetic, memory, text
from imgtool.virtual.board.rom.machine import Call, Machine, Outcome, Steps
from imgtool.virtual.cpu.core import IRAM_BASE
from imgtool.virtual.cpu.full_core import WINDOW, Cause
from tests.virtual.cpu.cores import KERNEL, full_core

FUNCTIONS: Final = {
    function.name: function for function in (*arithmetic.FUNCTIONS, *memory.FUNCTIONS, *text.FUNCTIONS)
}
DATA: Final = 0x3FFF_0000
OTHER: Final = 0x3FFF_0100
TEMPLATE: Final = 0x3FFF_0200
STACK: Final = 0x3FFF_8000
CODE: Final = IRAM_BASE + 0x100
PUTC: Final = 0x4010_2000
SEND: Final = 0x4000_3B30
PUTC1: Final = 0x3FFF_DD48
WORD: Final = 0xFFFF_FFFF


class Board:
    """A core on which functions are called; characters that they hand on are kept."""

    def __init__(self) -> None:
        self.core, _ = full_core(0)
        self.machine = Machine(self.core, self)
        self.sent = bytearray()

    def delay(self, micros: int) -> None:
        raise AssertionError(micros)

    def read_flash(self, address: int, size: int) -> bytes:
        raise AssertionError(address, size)

    def call(self, name: str, *arguments: int) -> int:
        """Call a function; what it leaves in a2."""
        core = self.core
        core.a[1] = STACK
        for number, argument in enumerate(arguments):
            if number < 6:
                core.a[2 + number] = argument & WORD
            else:
                self.machine.set_word(STACK + 4 * (number - 6), argument)
        ended = FUNCTIONS[name].handler(self.machine)
        if isinstance(ended, Generator):
            ended = self._driven(ended)
        if isinstance(ended, int):
            core.a[2] = ended & WORD
        return core.a[2]

    def _driven(self, steps: Steps) -> Outcome:
        answer: int | None = None
        while True:
            try:
                call = next(steps) if answer is None else steps.send(answer)
            except StopIteration as end:
                ended: Outcome = end.value
                return ended
            assert isinstance(call, Call)
            assert call.address in {PUTC, SEND}
            self.sent.append(call.arguments[0])
            answer = 0

    def wide(self, name: str, *arguments: int) -> int:
        """Call a function of 64-bit values; its result."""
        halves = [half for value in arguments for half in (value & WORD, value >> 32 & WORD)]
        return self.call(name, *halves) | self.core.a[3] << 32

    def store(self, address: int, data: bytes) -> int:
        self.core.load(address, data)
        return address


@pytest.fixture
def board() -> Board:
    return Board()


def single(number: float) -> int:
    return int.from_bytes(struct.pack("<f", number), "little")


def double(number: float) -> int:
    return int.from_bytes(struct.pack("<d", number), "little")


# Arithmetic -------------------------------------------------------------------------------------------------

WHOLE: Final = [
    ("__divsi3", (7, 2), 3),
    ("__divsi3", (-7, 2), -3),
    ("__divsi3", (-0x8000_0000, -1), -0x8000_0000),
    ("__udivsi3", (WORD, 16), 0x0FFF_FFFF),
    ("__umodsi3", (WORD, 16), 15),
    ("__fixunssfsi", (single(3.9),), 3),
    ("__floatsisf", (-3,), single(-3)),
    ("__floatunsisf", (WORD,), single(float(WORD))),
    ("__floatsisf", (0x0100_0001,), single(0x0100_0000)),  # half way: to even
    ("__addsf3", (single(0.1), single(0.2)), single(struct.unpack("<f", struct.pack("<f", 0.3))[0])),
    ("__subsf3", (single(1), single(1)), 0),
    ("__mulsf3", (single(1e38), single(10)), single(math.inf)),
    ("__mulsf3", (single(1e-38), single(-1e-3)), single(-1e-41)),  # denormal
]


@pytest.mark.parametrize(("name", "arguments", "result"), WHOLE)
def test_words(board: Board, name: str, arguments: tuple[int, ...], result: int) -> None:
    assert board.call(name, *arguments) == result & WORD


LONG: Final = [
    ("__muldi3", (0x1_0000_0001, 0xFFFF_FFFF), 0xFFFF_FFFF_FFFF_FFFF),
    ("__divdi3", (-(1 << 40), 3), -((1 << 40) // 3)),
    ("__udivdi3", (1 << 63, 10), (1 << 63) // 10),
    ("__umoddi3", (1 << 63, 10), (1 << 63) % 10),
    ("__adddf3", (double(0.1), double(0.2)), double(0.1 + 0.2)),
    ("__subdf3", (double(1e308), double(-1e308)), double(math.inf)),
    ("__muldf3", (double(1.1), double(-1.1)), double(-1.1 * 1.1)),
    ("__divdf3", (double(1), double(3)), double(1 / 3)),
    ("__divdf3", (double(-1), double(0)), double(-math.inf)),
]


@pytest.mark.parametrize(("name", "arguments", "result"), LONG)
def test_longs(board: Board, name: str, arguments: tuple[int, ...], result: int) -> None:
    assert board.wide(name, *arguments) == result & (1 << 64) - 1


def test_conversions(board: Board) -> None:
    assert board.wide("__extendsfdf2", single(1.5)) == double(1.5)
    assert board.wide("__truncdfsf2", double(0.1)) & WORD == single(0.1)
    assert board.wide("__fixdfsi", double(-2.9)) & WORD == -2 & WORD
    assert board.wide("__fixdfsi", double(1e12)) & WORD == 0x7FFF_FFFF
    board.call("__floatsidf", -7)
    assert board.core.a[2] | board.core.a[3] << 32 == double(-7)


@pytest.mark.parametrize("name", ["__addsf3", "__mulsf3"])
def test_a_nan_stays_one(board: Board, name: str) -> None:
    found = board.call(name, single(math.inf), single(-math.inf if name == "__addsf3" else 0.0))
    assert math.isnan(struct.unpack("<f", found.to_bytes(4, "little"))[0])


@pytest.mark.parametrize(
    ("name", "at"), [("__divsi3", 0x4000_DCE5), ("__udivsi3", 0x4000_E25D), ("__umodsi3", 0x4000_E296)]
)
def test_division_by_zero_is_an_illegal_instruction(board: Board, name: str, at: int) -> None:
    core = board.core

    def divide() -> None:
        board.call(name, 5, 0)

    core.hooks[CODE] = divide
    core.pc = CODE
    core.run(10)
    assert core.pc == KERNEL
    assert core.exceptions == {Cause.ILLEGAL: 1}
    assert core.special[177] == at


def test_random_numbers_are_those_of_a_seed(board: Board) -> None:
    first, again = ((board.call("srand", 42), [board.call("rand") for _ in range(5)])[1] for _ in range(2))
    assert first == again
    assert len(set(first)) == 5


# Memory -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 3, 4, 7, 16, 33])
@pytest.mark.parametrize("offset", range(4))
def test_copies(board: Board, offset: int, size: int) -> None:
    data = bytes(range(1, 41))
    board.store(OTHER, data)
    board.store(DATA, bytes(48))
    assert board.call("ets_memcpy", DATA + offset, OTHER + 1, size) == DATA + offset
    assert board.core.fetch(DATA, 48) == (bytes(offset) + data[1 : 1 + size]).ljust(48, b"\0")
    assert board.call("memcmp", DATA + offset, OTHER + 1, size) == 0
    board.call("ets_memset", DATA, 0x1FF, size)
    assert board.core.fetch(DATA, size) == b"\xff" * size
    board.call("ets_bzero", DATA, size)
    assert board.core.fetch(DATA, size) == bytes(size)


@pytest.mark.parametrize("by", [-5, -1, 1, 5])
def test_moves_over_itself(board: Board, by: int) -> None:
    data = bytes(range(40))
    board.store(DATA, data)
    board.call("ets_memmove", DATA + 8 + by, DATA + 8, 20)
    assert board.core.fetch(DATA + 8 + by, 20) == data[8:28]


def test_whole_words_come_from_the_flash(board: Board) -> None:
    flash = bytearray(bytes(range(256)) * 0x1000)
    board.core.map_window(0, flash)
    board.call("memcpy", DATA, WINDOW.start + 4, 16)
    assert board.core.fetch(DATA, 16) == bytes(range(4, 20))
    assert board.call("memcmp", DATA, WINDOW.start + 4, 16) == 0


def test_rounding_up(board: Board) -> None:
    assert [board.call("roundup2", value, 8) for value in (0, 1, 8, 9)] == [0, 8, 8, 16]


# Strings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", range(4))
def test_strings(board: Board, offset: int) -> None:
    one = board.store(DATA + offset, b"a string\0")
    other = board.store(OTHER, b"a stroke\0")
    assert board.call("ets_strlen", one) == 8
    assert board.call("ets_strcmp", one, other) == ord("i") - ord("o") & WORD
    assert board.call("ets_strncmp", one, other, 5) == 0
    assert board.call("ets_strstr", one, board.store(TEMPLATE, b"ring\0")) == one + 4
    assert board.call("ets_strstr", one, other) == 0
    assert board.call("ets_strcpy", other, one) == other
    assert board.core.fetch(OTHER, 9) == b"a string\0"
    board.call("ets_strncpy", other, board.store(TEMPLATE, b"xyz\0"), 7)
    assert board.core.fetch(OTHER, 9) == b"xyz\0\0\0\0g\0"


def test_an_address_of_a_network_card(board: Board) -> None:
    written = board.store(OTHER, b" \t18:FE:34:a0:b1:0c\0")
    assert board.call("ets_str2macaddr", DATA, written) == DATA
    assert board.core.fetch(DATA, 6) == bytes.fromhex("18fe34a0b10c")
    assert board.call("ets_str2macaddr", DATA, board.store(OTHER, b"18:FE:3x\0")) == 0


# Printing ---------------------------------------------------------------------------------------------------

# Template, arguments, what is printed, and how much is counted; only what C's printf prints too.
FORMATS: Final = [
    (b"plain", (), b"plain"),
    (b"%d %d", (5, -5), b"5 -5"),
    (b"%u", (-1,), b"4294967295"),
    (b"%x %X", (0xBEEF, 0xBEEF), b"beef BEEF"),
    (b"[%5d] [%-5d] [%05d]", (-42, -42, -42), b"[  -42] [-42  ] [-0042]"),
    (b"%08x", (0x1234,), b"00001234"),
    (b"%c%c", (65, 66), b"AB"),
    (b"[%6s] [%-6s]", (OTHER, OTHER), b"[  text] [text  ]"),
    (b"%%", (), b"%"),
    (b"%ld %lu", (-1, 1), b"-1 1"),
    (b"%d %d %d %d %d %d %d", (1, 2, 3, 4, 5, 6, 7), b"1 2 3 4 5 6 7"),
    (b"%lld", (0, 0xFFFF_FFFE, WORD), b"-2"),  # at an even place, behind one that is not used
]


@pytest.mark.parametrize(("template", "arguments", "printed"), FORMATS)
def test_printf(board: Board, template: bytes, arguments: tuple[int, ...], printed: bytes) -> None:
    board.store(OTHER, b"text\0")
    board.store(TEMPLATE, template + b"\0")
    board.machine.set_word(PUTC1, PUTC)
    assert board.call("ets_printf", TEMPLATE, *arguments) == len(printed) - (template == b"%%")
    assert bytes(board.sent) == printed


# What C's has otherwise: <null>, a pointer in 8 digits, the field behind %% that counts from the last one's.
PECULIAR: Final = [
    (b"%s", (0,), b"<null>"),
    (b"%p", (0x1F,), b"0x0000001f"),
    (b"%d%%.", (50,), b"50% ."),
    (b"%.3d", (7,), b"7"),
    (b"%o", (8,), b"%o"),
]


@pytest.mark.parametrize(("template", "arguments", "printed"), PECULIAR)
def test_printf_peculiarities(
    board: Board, template: bytes, arguments: tuple[int, ...], printed: bytes
) -> None:
    board.store(TEMPLATE, template + b"\0")
    board.machine.set_word(PUTC1, PUTC)
    board.call("ets_printf", TEMPLATE, *arguments)
    assert bytes(board.sent) == printed


def test_where_characters_go(board: Board) -> None:
    board.store(TEMPLATE, b"a\r\n\0")
    assert board.call("ets_printf", TEMPLATE) == 0  # nowhere
    assert not board.sent
    board.call("ets_uart_printf", TEMPLATE)
    assert bytes(board.sent) == b"a\r\n"
    board.call("ets_install_uart_printf")
    assert board.machine.word(PUTC1) == 0x4000_1DCC
    board.sent.clear()
    board.call("ets_install_putc1", PUTC)
    board.call("ets_install_putc2", PUTC)
    assert board.call("ets_printf", TEMPLATE) == 3
    assert bytes(board.sent) == b"aa\r\r\n\n"


def test_a_list_of_arguments(board: Board) -> None:
    """va_list: registers that were stored, then the stack."""
    board.store(TEMPLATE, b"%d %d %d\0")
    registers, stack = DATA, DATA + 0x40
    board.machine.set_word(registers + 16, 1)
    board.machine.set_word(registers + 20, 2)
    board.machine.set_word(stack + 0x20, 3)
    assert board.call("ets_vprintf", PUTC, TEMPLATE, stack, registers, 16) == 5
    assert bytes(board.sent) == b"1 2 3"
