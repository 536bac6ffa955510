"""The instructions of the lx106, the ESP8266's core: bytes to a mnemonic and its operands, from one table.

Not a disassembler for people, and not what instructions compute: that is in virtual/cpu.

The lx106 is a little-endian Xtensa LX with 16 address registers and without windows, loops, booleans,
division or floating point.  It has the density, 16- and 32-bit multiply, NSA, exception, interrupt and timer
options.  Encodings: Xtensa Instruction Set Architecture Reference Manual (Cadence), chapters 3, 6 and 7;
compared in the tests with GNU as and objdump for xtensa-lx106-elf.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ROWS",
    "SPECIAL_REGISTERS",
    "Instruction",
    "Row",
    "decode",
    "special_access",
]

# Special registers of the lx106's options, by number.  226 is INTERRUPT when read and INTSET when written.
SPECIAL_REGISTERS: Final = {
    3: "sar",
    5: "litbase",
    96: "ibreakenable",
    104: "ddr",
    128: "ibreaka0",
    144: "dbreaka0",
    160: "dbreakc0",
    176: "configid0",
    177: "epc1",
    178: "epc2",
    179: "epc3",
    192: "depc",
    194: "eps2",
    195: "eps3",
    208: "configid1",
    209: "excsave1",
    210: "excsave2",
    211: "excsave3",
    226: "interrupt",
    227: "intclear",
    228: "intenable",
    230: "ps",
    231: "vecbase",
    232: "exccause",
    233: "debugcause",
    234: "ccount",
    235: "prid",
    236: "icount",
    237: "icountlevel",
    238: "excvaddr",
    240: "ccompare0",
}

_WRITE_ONLY: Final = {227}
_READ_ONLY: Final = {176, 208, 235}
_NO_EXCHANGE: Final = {226, 227} | _READ_ONLY


def special_access(mnemonic: str, number: int) -> bool:
    """Whether ``rsr``, ``wsr`` or ``xsr`` is defined for a special register."""
    forbidden = {"rsr": _WRITE_ONLY, "wsr": _READ_ONLY, "xsr": _NO_EXCHANGE}[mnemonic]
    return number in SPECIAL_REGISTERS and number not in forbidden


class Instruction(NamedTuple):
    """A decoded instruction.

    Attributes:
        mnemonic: As GNU as spells it; special registers are an operand.
        operands: In assembler order; registers and special registers by number, immediates as their value
            (signed where they are), branch targets and literals as addresses.
        size: Bytes, 2 or 3.
    """

    mnemonic: str
    operands: tuple[int, ...]
    size: int


class Row(NamedTuple):
    """How one mnemonic is encoded: ``word & mask == match``, and what its operands are made of."""

    mnemonic: str
    match: int
    mask: int
    operands: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes; the upper half of the operation codes are the density option's."""
        return 2 if self.match & 0xF >= _DENSITY else 3


_DENSITY: Final = 8
_WORD: Final = 0xFFFF_FFFF
# ISA manual, tables 3-17 and 3-18: the constants of the compare-with-immediate branches.
_B4CONST: Final = (-1, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 32, 64, 128, 256)
_B4CONSTU: Final = (32768, 65536, *_B4CONST[2:])


def _signed(value: int, bits: int) -> int:
    return (value ^ 1 << bits - 1) - (1 << bits - 1)


# Operand kinds: what each takes from the instruction word and its address.
_OPERANDS: Final[dict[str, Callable[[int, int], int]]] = {
    "r": lambda w, _: w >> 12 & 15,
    "s": lambda w, _: w >> 8 & 15,
    "t": lambda w, _: w >> 4 & 15,
    "level": lambda w, _: w >> 8 & 15,
    "code_s": lambda w, _: w >> 8 & 15,
    "code_t": lambda w, _: w >> 4 & 15,
    "special": lambda w, _: w >> 8 & 255,
    "imm8": lambda w, _: _signed(w >> 16, 8),
    "imm8_256": lambda w, _: _signed(w >> 16, 8) << 8,
    "imm12": lambda w, _: _signed((w >> 8 & 15) << 8 | w >> 16, 12),
    "offset": lambda w, _: w >> 16,
    "offset2": lambda w, _: w >> 16 << 1,
    "offset4": lambda w, _: w >> 16 << 2,
    "offset4n": lambda w, _: w >> 12 << 2,
    "imm4n": lambda w, _: (w >> 4 & 15) or -1,
    "imm7n": lambda w, _: _low_movi((w >> 4 & 7) << 4 | w >> 12),
    "left": lambda w, _: 32 - (w >> 20 << 4 & 16 | w >> 4 & 15),
    "right": lambda w, _: w >> 20 << 4 & 16 | w >> 8 & 15,
    "right4": lambda w, _: w >> 8 & 15,
    "amount": lambda w, _: w >> 4 << 4 & 16 | w >> 8 & 15,
    "extract": lambda w, _: w >> 16 << 4 & 16 | w >> 8 & 15,
    "width": lambda w, _: (w >> 20) + 1,
    "bit": lambda w, _: w >> 12 << 4 & 16 | w >> 4 & 15,
    "const": lambda w, _: _B4CONST[w >> 12 & 15],
    "constu": lambda w, _: _B4CONSTU[w >> 12 & 15],
    "literal": lambda w, pc: ((pc + 3 & ~3) + ((w >> 8) - 0x10000 << 2)) & _WORD,
    "call": lambda w, pc: ((pc & ~3) + 4 + (_signed(w >> 6, 18) << 2)) & _WORD,
    "jump": lambda w, pc: pc + 4 + _signed(w >> 6, 18) & _WORD,
    "near": lambda w, pc: pc + 4 + _signed(w >> 16, 8) & _WORD,
    "far": lambda w, pc: pc + 4 + _signed(w >> 12, 12) & _WORD,
    "ahead": lambda w, pc: pc + 4 + (w >> 4 << 4 & 48 | w >> 12) & _WORD,
}


def _low_movi(value: int) -> int:
    return value - 128 if value >= 96 else value  # noqa: PLR2004 (movi.n: -32..95)


# Mnemonic, bits that are fixed, which bits those are, operands.  In the order of the manual's opcode maps.
_TABLE: Final = """
    ill       000000 ffffff
    ret       000080 ffffff
    jx        0000a0 fff0ff s
    callx0    0000c0 fff0ff s
    isync     002000 ffffff
    rsync     002010 ffffff
    esync     002020 ffffff
    dsync     002030 ffffff
    excw      002080 ffffff
    memw      0020c0 ffffff
    extw      0020d0 ffffff
    nop       0020f0 ffffff
    rfe       003000 ffffff
    rfde      003200 ffffff
    rfi       003010 fff0ff level
    break     004000 fff00f code_s code_t
    syscall   005000 ffffff
    simcall   005100 ffffff
    rsil      006000 fff00f t level
    witlb     506000 fff00f t s
    wdtlb     50e000 fff00f t s
    waiti     007000 fff0ff level
    and       100000 ff000f r s t
    or        200000 ff000f r s t
    xor       300000 ff000f r s t
    ssr       400000 fff0ff s
    ssl       401000 fff0ff s
    ssa8l     402000 fff0ff s
    ssa8b     403000 fff0ff s
    ssai      404000 fff0ef amount
    nsa       40e000 fff00f t s
    nsau      40f000 fff00f t s
    neg       600000 ff0f0f r t
    abs       600100 ff0f0f r t
    add       800000 ff000f r s t
    addx2     900000 ff000f r s t
    addx4     a00000 ff000f r s t
    addx8     b00000 ff000f r s t
    sub       c00000 ff000f r s t
    subx2     d00000 ff000f r s t
    subx4     e00000 ff000f r s t
    subx8     f00000 ff000f r s t
    slli      010000 ef000f r s left
    srai      210000 ef000f r t right
    srli      410000 ff000f r t right4
    xsr       610000 ff000f t special
    src       810000 ff000f r s t
    srl       910000 ff0f0f r t
    sll       a10000 ff00ff r s
    sra       b10000 ff0f0f r t
    mul16u    c10000 ff000f r s t
    mul16s    d10000 ff000f r s t
    mull      820000 ff000f r s t
    rsr       030000 ff000f t special
    wsr       130000 ff000f t special
    moveqz    830000 ff000f r s t
    movnez    930000 ff000f r s t
    movltz    a30000 ff000f r s t
    movgez    b30000 ff000f r s t
    extui     040000 0e000f r t extract width
    l32r      000001 00000f t literal
    l8ui      000002 00f00f t s offset
    l16ui     001002 00f00f t s offset2
    l32i      002002 00f00f t s offset4
    s8i       004002 00f00f t s offset
    s16i      005002 00f00f t s offset2
    s32i      006002 00f00f t s offset4
    l16si     009002 00f00f t s offset2
    movi      00a002 00f00f t imm12
    addi      00c002 00f00f t s imm8
    addmi     00d002 00f00f t s imm8_256
    call0     000005 00003f call
    j         000006 00003f jump
    beqz      000016 0000ff s far
    bnez      000056 0000ff s far
    bltz      000096 0000ff s far
    bgez      0000d6 0000ff s far
    beqi      000026 0000ff s const near
    bnei      000066 0000ff s const near
    blti      0000a6 0000ff s const near
    bgei      0000e6 0000ff s const near
    bltui     0000b6 0000ff s constu near
    bgeui     0000f6 0000ff s constu near
    bnone     000007 00f00f s t near
    beq       001007 00f00f s t near
    blt       002007 00f00f s t near
    bltu      003007 00f00f s t near
    ball      004007 00f00f s t near
    bbc       005007 00f00f s t near
    bbci      006007 00e00f s bit near
    bany      008007 00f00f s t near
    bne       009007 00f00f s t near
    bge       00a007 00f00f s t near
    bgeu      00b007 00f00f s t near
    bnall     00c007 00f00f s t near
    bbs       00d007 00f00f s t near
    bbsi      00e007 00e00f s bit near
    l32i.n      0008   000f t s offset4n
    s32i.n      0009   000f t s offset4n
    add.n       000a   000f r s t
    addi.n      000b   000f r s imm4n
    movi.n      000c   008f s imm7n
    beqz.n      008c   00cf s ahead
    bnez.n      00cc   00cf s ahead
    mov.n       000d   f00f t s
    ret.n       f00d   ffff
    break.n     f02d   f0ff code_s
    nop.n       f03d   ffff
    ill.n       f06d   ffff
"""


def _rows() -> dict[str, Row]:
    rows = {}
    for line in _TABLE.split("\n"):
        if words := line.split():
            mnemonic, match, mask, *operands = words
            rows[mnemonic] = Row(mnemonic, int(match, 16), int(mask, 16), tuple(operands))
    return rows


ROWS: Final = _rows()
"""Every mnemonic's row."""

_BY_LOW_NIBBLE: Final = tuple(
    tuple(row for row in ROWS.values() if row.match & 15 == nibble) for nibble in range(16)
)


@functools.lru_cache(maxsize=1 << 14)  # translations go over the same code again and again
def decode(code: bytes, address: int) -> Instruction | None:
    """The instruction that some bytes begin with.

    Args:
        code: Two or more bytes (three, for most instructions); what follows does not matter.
        address: Where they stand, for targets relative to it.

    Returns:
        The instruction; None where the bytes are none of the lx106's, or too few.
    """
    if len(code) < 2:  # noqa: PLR2004 (the shortest)
        return None
    size = 2 if code[0] & 15 >= _DENSITY else 3
    if len(code) < size:
        return None
    word = int.from_bytes(code[:size], "little")
    for row in _BY_LOW_NIBBLE[word & 15]:
        if word & row.mask == row.match:
            operands = tuple(_OPERANDS[kind](word, address) for kind in row.operands)
            return Instruction(row.mnemonic, operands, size) if _defined(row.mnemonic, operands) else None
    return None


def _defined(mnemonic: str, operands: tuple[int, ...]) -> bool:
    """Whether the operands of a matching row have a meaning."""
    if mnemonic in {"rsr", "wsr", "xsr"}:
        return special_access(mnemonic, operands[1])
    return mnemonic != "slli" or operands[2] < 32  # noqa: PLR2004 (1..31)
