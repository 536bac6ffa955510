"""What each lx106 instruction computes, as Python expressions of its operands.

Not how they are put together: that is :mod:`imgtool.virtual.cpu.translate`.  Registers are integers in
0..2**32-1, SAR is in 0..63.  In an expression ``{0}``, ``{1}`` and ``{2}`` are the operands in assembler
order.

From the instruction descriptions (chapter 6) of the Xtensa ISA reference manual; compared with QEMU in
the tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BY_CORE",
    "CONDITIONS",
    "ENDS",
    "INDIRECT",
    "LOADS",
    "MOVES",
    "NOTHING",
    "SHIFTS",
    "STORES",
    "SYNONYMS",
    "VALUES",
    "Value",
]

_WORD: Final = 0xFFFF_FFFF


class Value(NamedTuple):
    """A result as an expression, and its maximum, given the operands'; none: it may be negative."""

    expression: str
    top: Callable[..., int] | None = None


def _bits(x: int, y: int) -> int:
    return (1 << max(x.bit_length(), y.bit_length())) - 1


# {1} is the first operand after the destination.  The lowest 32 bits of each expression are the result.
VALUES: Final = {
    "abs": Value("({1} if {1} < 0x80000000 else 0x100000000 - {1})", lambda x: x),
    "add": Value("{1} + {2}", lambda x, y: x + y),
    "addi": Value("{1} + {2}", lambda x, y: x + y if y >= 0 else -1),
    "addx2": Value("({1} << 1) + {2}", lambda x, y: x * 2 + y),
    "addx4": Value("({1} << 2) + {2}", lambda x, y: x * 4 + y),
    "addx8": Value("({1} << 3) + {2}", lambda x, y: x * 8 + y),
    "and": Value("{1} & {2}", min),
    "mov": Value("{1}", lambda x: x),
    "mul16s": Value("(({1} & 65535 ^ 32768) - 32768) * (({2} & 65535 ^ 32768) - 32768)"),
    "mul16u": Value("({1} & 65535) * ({2} & 65535)", lambda _x, _y: _WORD),
    "mull": Value("{1} * {2}", lambda x, y: x * y),
    "neg": Value("-{1}"),
    "nsa": Value("31 - ({1} if {1} < 0x80000000 else {1} ^ 0xffffffff).bit_length()", lambda _: 31),
    "nsau": Value("32 - ({1}).bit_length()", lambda _: 32),
    "or": Value("{1} | {2}", _bits),
    "slli": Value("{1} << {2}", lambda x, y: x << y),
    "srli": Value("{1} >> {2}", lambda x, y: x >> y),
    "sll": Value("({1} << 32) >> sar"),
    "srl": Value("{1} >> sar", lambda x: x),
    "sra": Value("({1} ^ 0x80000000) - 0x80000000 >> sar"),
    "src": Value("({1} << 32 | {2}) >> sar"),
    "sub": Value("{1} - {2}"),
    "subx2": Value("({1} << 1) - {2}"),
    "subx4": Value("({1} << 2) - {2}"),
    "subx8": Value("({1} << 3) - {2}"),
    "xor": Value("{1} ^ {2}", _bits),
}
SYNONYMS: Final = {"addmi": "addi"}

SHIFTS: Final = {
    "ssr": "{0} & 31",
    "ssl": "32 - ({0} & 31)",
    "ssai": "{0}",
    "ssa8l": "({0} & 3) << 3",
    "ssa8b": "32 - (({0} & 3) << 3)",
}

MOVES: Final = {
    "moveqz": "not {2}",
    "movnez": "{2}",
    "movltz": "{2} > 0x7fffffff",
    "movgez": "{2} < 0x80000000",
}

CONDITIONS: Final = {
    "beqz": "not {0}",
    "bnez": "{0}",
    "bltz": "{0} > 0x7fffffff",
    "bgez": "{0} < 0x80000000",
    "beqi": "{0} == {1}",
    "bnei": "{0} != {1}",
    "bltui": "{0} < {1}",
    "bgeui": "{0} >= {1}",
    "blti": "({0} ^ 0x80000000) < {1}",  # {1}: with the sign bit flipped
    "bgei": "({0} ^ 0x80000000) >= {1}",
    "bnone": "not {0} & {1}",
    "bany": "{0} & {1}",
    "ball": "not {1} & ~{0}",
    "bnall": "{1} & ~{0}",
    "beq": "{0} == {1}",
    "bne": "{0} != {1}",
    "blt": "({0} ^ 0x80000000) < ({1} ^ 0x80000000)",
    "bge": "({0} ^ 0x80000000) >= ({1} ^ 0x80000000)",
    "bltu": "{0} < {1}",
    "bgeu": "{0} >= {1}",
    "bbc": "not {0} >> ({1} & 31) & 1",
    "bbs": "{0} >> ({1} & 31) & 1",
    "bbci": "not {0} & {1}",  # {1}: the bit's weight
    "bbsi": "{0} & {1}",
}

# witlb and wdtlb: nothing is translated, and the attributes that they set for a region are not modelled.
NOTHING: Final = frozenset({"dsync", "esync", "rsync", "excw", "extw", "memw", "nop", "wdtlb", "witlb"})
INDIRECT: Final = frozenset({"jx", "ret", "callx0"})
# Done by the core, which raises or gives the next program counter.
BY_CORE: Final = frozenset({"break", "ill", "rfde", "rfe", "rfi", "simcall", "syscall", "waiti"})

ENDS: Final = frozenset(CONDITIONS) | INDIRECT | BY_CORE | {"j", "call0", "isync"}
"""The instructions that end a basic block."""

LOADS: Final = {"l8ui": 1, "l16ui": 2, "l16si": 2, "l32i": 4}
STORES: Final = {"s8i": 1, "s16i": 2, "s32i": 4}
