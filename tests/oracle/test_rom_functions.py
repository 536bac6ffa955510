"""The project's own functions for memory, strings, printing and arithmetic, held to the boot ROM's.

Needs a dump of the ROM, ``IMGTOOL_BOOT_ROM``; ``nox -s rom`` runs it.  Not compared: ``%b``, of which the
real printf takes the last bit from what lies on its stack; stores to the window of the flash and partial ones
to registers, which no firmware does; and in which order memmove writes to registers.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

import pytest

from imgtool.virtual.board.rom import arithmetic, memory, text
from imgtool.virtual.board.rom.machine import RomFunction
from imgtool.virtual.cpu.core import IRAM_BASE
from imgtool.virtual.cpu.full_core import WINDOW, FullCore
from tests.oracle.boot_rom import VARIABLE, boot_rom
from tests.oracle.rom_calls import POINTERS, SCRATCH, Bench, Given

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not boot_rom(), reason=f"{VARIABLE} does not name a dump of the boot ROM"),
]

CALLS: Final = 250
DEVICE: Final = 0x6000_0100
IN_IRAM: Final = IRAM_BASE + 0x4000
IN_WINDOW: Final = WINDOW.start + 0x100

Calls = Callable[[random.Random], Given]
"""What makes a call at random."""


def compare(function: RomFunction, calls: Calls, *, wide: bool = False) -> None:
    bench = Bench(function, outside=(SEND, RECEIVE), wide=wide)
    source = random.Random(function.name)
    found = [told for _ in range(CALLS) if (told := bench.differences(calls(source)))]
    assert not found, f"{len(found)} of {CALLS}:\n" + "\n".join(found[:3])


def rows(functions: tuple[RomFunction, ...]) -> list[object]:
    return [pytest.param(function, id=function.name) for function in functions]


def plain(name: str) -> str:
    return name.removeprefix("ets_")


# Arithmetic -------------------------------------------------------------------------------------------------

WIDE: Final = frozenset(
    {
        *("__muldi3", "__umulsidi3", "__divdi3", "__udivdi3", "__umoddi3"),
        *("__adddf3", "__subdf3", "__muldf3", "__divdf3"),
        *("__extendsfdf2", "__floatsidf", "__floatunsidf"),
    }
)
OF_DOUBLE: Final = ("__truncdfsf2", "__fixdfsi", "__fixunsdfsi")
OF_SINGLE: Final = ("__extendsfdf2", "__fixunssfsi")
WORDS: Final = (0, 1, 2, 7, 0xFF, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0001, 0xFFFF_FFFE, 0xFFFF_FFFF)


def number(source: random.Random, bits: int, fraction: int) -> int:
    """The bits of a floating-point number: special, denormal, near 1, near a float's ends, or any."""
    sign = source.getrandbits(1) << bits - 1
    exponents = (1 << bits - 1 - fraction) - 1
    rest = source.choice((0, 1, 1 << fraction - 1, (1 << fraction) - 1, source.getrandbits(fraction)))
    middle = exponents // 2
    near = source.choice((0, 0, 0, 0x7F, -0x7F - fraction // 2 + 12, 31)) if bits == 64 else 0
    exponent = source.choice((0, 1, exponents - 1, exponents, middle + near + source.randint(-26, 33)))
    return sign | exponent << fraction | rest if source.random() < 0.9 else source.getrandbits(bits)


def numbers(source: random.Random, bits: int, fraction: int) -> tuple[int, int]:
    """Two of them, often alike."""
    one, other = (number(source, bits, fraction) for _ in range(2))
    if source.random() < 0.4:
        other = one ^ source.getrandbits(source.randint(1, fraction)) ^ source.getrandbits(1) << bits - 1
    return one, other


def words(*values: int) -> tuple[int, ...]:
    """Values of 64 bits as pairs."""
    return tuple(half for value in values for half in (value & 0xFFFF_FFFF, value >> 32))


def of_arithmetic(name: str) -> Calls:
    def call(source: random.Random) -> Given:
        if name.endswith("df3"):
            arguments = words(*numbers(source, 64, 52))
        elif name.endswith("sf3"):
            arguments = numbers(source, 32, 23)
        elif name in OF_DOUBLE:
            arguments = words(number(source, 64, 52))
        elif name in OF_SINGLE:
            arguments = (number(source, 32, 23),)
        else:
            sizes = (source.randint(1, 32) for _ in range(4))
            arguments = tuple(source.choice((*WORDS, *[source.getrandbits(size)] * 6)) for size in sizes)
        return Given(arguments=arguments, seed=source.getrandbits(3))

    return call


@pytest.mark.parametrize("function", rows(arithmetic.FUNCTIONS))
def test_arithmetic(function: RomFunction) -> None:
    compare(function, of_arithmetic(function.name), wide=function.name in WIDE)


# Memory -----------------------------------------------------------------------------------------------------

SIZES: Final = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 31, 32, 33, 48, 79)


def place(source: random.Random, *, stored: bool) -> int:
    """Anywhere: mostly in DRAM, and often at a word boundary."""
    base = source.choice((SCRATCH, SCRATCH, SCRATCH, IN_IRAM, SCRATCH if stored else IN_WINDOW))
    return base + 4 * source.randrange(4) + source.choice((0, 0, 0, 1, 2, 3))


def of_two_places(name: str, source: random.Random) -> Given:
    """What two places are asked for: overlapping at times, equal at the beginning at times."""
    moves = name != "memcmp"
    one, other, size = place(source, stored=moves), place(source, stored=False), source.choice(SIZES)
    if source.random() < 0.3 and moves:
        other = one + source.randint(-20, 20)
    same = source.randbytes(0x80)
    window, contents = bytearray(source.randbytes(0x200)), {}
    for address in (one, other):
        content = bytearray(same)
        if source.random() < 0.4:
            content[source.randrange(0x20)] ^= source.getrandbits(8)
        if address in WINDOW:
            at = address - WINDOW.start
            window[at : at + len(content)] = content
        elif not moves:
            contents[address] = bytes(content)
    return Given(
        arguments=(one, other, size),
        seed=source.getrandbits(16),
        memory=contents,
        window=bytes(window),
        emulated=source.random() < 0.4,
    )


def of_memory(name: str) -> Calls:
    def call(source: random.Random) -> Given:
        size = source.choice(SIZES)
        if name == "memset":
            arguments: tuple[int, ...] = (place(source, stored=True), source.getrandbits(32), size)
        elif name == "bzero":
            arguments = (place(source, stored=True), size)
        elif name == "roundup2":
            arguments = (source.getrandbits(32), source.choice((0, 1, 3, 4, 16, 0x1000)))
        else:
            return of_two_places(name, source)
        return Given(arguments=arguments, seed=source.getrandbits(16))

    return call


@pytest.mark.parametrize("function", rows(memory.FUNCTIONS))
def test_memory(function: RomFunction) -> None:
    compare(function, of_memory(plain(function.name)))


@pytest.mark.parametrize("name", ["memset", "memcpy"])
@pytest.mark.parametrize("size", SIZES)
def test_registers(name: str, size: int) -> None:
    """Whole words are read and written, in the real order."""
    function = next(function for function in memory.FUNCTIONS if function.name == name)
    arguments = {"memset": (DEVICE, 0x5A, size), "memcpy": (DEVICE, DEVICE + 0x40, size & ~3)}[name]
    Bench(function).check(Given(arguments=arguments))


# Strings ----------------------------------------------------------------------------------------------------


def letters(source: random.Random) -> bytes:
    return bytes(source.choice(b"ab\x80\xff") for _ in range(source.randrange(24)))


def of_strings(name: str) -> Calls:
    copies = name.endswith("cpy")

    def call(source: random.Random) -> Given:
        one, other = letters(source), letters(source)
        if source.random() < 0.6:
            other = one[: source.randrange(len(one) + 1)] + other
        if name == "strstr" and source.random() < 0.6:
            at = source.randrange(len(one) + 1)
            other = one[at : at + source.randrange(4)]
        offset = source.randrange(4)
        to = source.choice((SCRATCH, SCRATCH, SCRATCH, IN_IRAM)) + offset
        at = source.choice((offset, offset, source.randrange(4)))
        text_at = source.choice((SCRATCH + 0x100, SCRATCH + 0x100, IN_IRAM + 0x100, IN_WINDOW)) + at
        contents, window = {to: one + b"\0" + source.randbytes(8)}, b""
        if text_at in WINDOW:
            window = bytes(text_at - WINDOW.start) + other + b"\0" + source.randbytes(8)
        else:
            contents[text_at] = other + b"\0" + source.randbytes(8)
        arguments: tuple[int, ...] = (text_at,) if name == "strlen" else (to, text_at)
        if name.startswith("strn"):
            arguments += (source.choice((*SIZES, len(other), len(other) + 1)),)
        return Given(
            arguments=arguments,
            seed=source.getrandbits(16),
            memory=contents,
            window=window,
            emulated=source.random() < (0.3 if copies else 0.6),
        )

    return call


def of_addresses(source: random.Random) -> Given:
    """For ets_str2macaddr: mostly six pairs of digits."""
    pairs = [b"%02x" % source.randrange(256) if source.random() < 0.95 else b"g1" for _ in range(6)]
    written = source.choice((b":", b"-", b" ")).join(pairs)
    if source.random() < 0.5:
        written = written.upper()
    if source.random() < 0.2:
        written = written[: source.randrange(len(written))]
    at = SCRATCH + 0x100 + source.randrange(4)
    contents = {at: source.choice((b"", b" ", b"\t  ")) + written + b"\0"}
    return Given(arguments=(SCRATCH + source.randrange(4), at), memory=contents)


def of_digits(source: random.Random) -> Given:
    return Given(arguments=(source.choice((source.randrange(0x80), source.getrandbits(32))),))


# Printing ---------------------------------------------------------------------------------------------------

SEND: Final = 0x4000_3B30
RECEIVE: Final = 0x4000_3B64
VARIABLES: Final = 0x3FFF_DD48
TEMPLATE, LIST = SCRATCH + 0x800, SCRATCH + 0x1000
TEXTS: Final = (SCRATCH + 0xC00, SCRATCH + 0xC03, SCRATCH + 0xC40, 0)
BUFFER: Final = SCRATCH + 0x2000

FLAGS: Final = (b"", b"", b"", b"-", b"0", b"-0", b"0-", b"+")
WIDTHS: Final = (b"", b"", b"", b"1", b"4", b"8", b"12", b"20")
PRECISIONS: Final = (b"", b"", b"", b"", b".", b".3")
LONGS: Final = (b"", b"", b"", b"l", b"ll", b"lll")
LETTERS: Final = b"dduxXpssccD%iofUSCz"


def template(source: random.Random) -> bytes:
    pieces = []
    for _ in range(source.randrange(6)):
        pieces.append(source.choice((b"", b"x", b"\n", b"\r", b" : ")))
        if source.random() < 0.8:
            parts = (source.choice(choices) for choices in (FLAGS, WIDTHS, PRECISIONS, LONGS))
            pieces.append(b"%" + b"".join(parts) + bytes([source.choice(LETTERS)]))
    return b"".join(pieces)


def variables(source: random.Random) -> bytes:
    """What the ROM keeps for printing: four functions, the room in a buffer, the buffer, and an argument."""
    functions = [source.choice((0, pointer)) for pointer in POINTERS]
    return b"".join(
        value.to_bytes(4, "little")
        for value in (*functions, source.choice((0, 1, 2, 40)), BUFFER, source.getrandbits(32))
    )


def reply(_core: FullCore, address: int, arguments: tuple[int, ...]) -> int:
    return address >> 8 & 0xFF ^ sum(arguments[:1])


def of_printing(name: str) -> Calls:
    def call(source: random.Random) -> Given:
        format_ = template(source)
        choices = TEXTS if b"s" in format_.lower() else (*TEXTS, *WORDS, source.getrandbits(32))
        values = [source.choice(choices) for _ in range(28)]
        listed = b"".join(value.to_bytes(4, "little") for value in values)
        contents = {
            TEMPLATE: format_ + b"\0\0",  # one behind %: printing goes on behind it
            TEXTS[0]: letters(source) + b"\0",
            TEXTS[2]: letters(source) + b"\0",
            VARIABLES: variables(source),
        }
        arguments: tuple[int, ...] = (TEMPLATE, *values[:14])
        if name == "ets_vprintf":
            registers, stack = LIST, LIST + 0x40
            contents[registers], contents[stack + 0x20] = listed[:0x18], listed
            used = source.choice((0, 4, 8, 12, 20, 24, 36, 40))
            arguments = (POINTERS[0], TEMPLATE, stack, registers, used)
        return Given(arguments=arguments, seed=source.getrandbits(16), memory=contents, reply=reply)

    return call


def of_characters(source: random.Random) -> Given:
    return Given(
        arguments=(source.choice((10, 13, 65, 0, 0x1FF)), source.choice((0, POINTERS[1])), POINTERS[2]),
        seed=source.getrandbits(16),
        memory={VARIABLES: variables(source)},
        reply=reply,
    )


def received(_core: FullCore, _address: int, _arguments: tuple[int, ...]) -> int:
    return 0x1C1


def of_received(source: random.Random) -> Given:
    return Given(arguments=(SCRATCH + source.randrange(4),), seed=source.getrandbits(16), reply=received)


def of_text(name: str) -> Calls:
    if plain(name).startswith("str") and name != "ets_str2macaddr":
        return of_strings(plain(name))
    if name in {"ets_vprintf", "ets_printf", "ets_uart_printf", "ets_external_printf"}:
        return of_printing(name)
    others: dict[str, Calls] = {
        "ets_str2macaddr": of_addresses,
        "ets_char2xdigit": of_digits,
        "ets_getc": of_received,
    }
    return others.get(name, of_characters)


@pytest.mark.parametrize("function", rows(text.FUNCTIONS))
def test_text(function: RomFunction) -> None:
    compare(function, of_text(function.name))
