"""Random lx106 code without an assembler: instructions are made from the rows of the decoder's own table.

What a made instruction means is not said here; two cores that run the same bytes have to agree.
a2 to a12 hold whatever comes.  a1 points to memory that may be accessed, a15 counts loops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.formats.code import isa
from imgtool.virtual.cpu.semantics import CONDITIONS, ENDS, LOADS, STORES

if TYPE_CHECKING:
    from random import Random

EDGES: Final = (0, 1, 2, 31, 32, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
POINTER, COUNTER = 1, 15
DATA_REGISTERS: Final = range(2, 13)

_SHIFT: Final = {"r": 12, "s": 8, "t": 4}
_SAR: Final = 3
_ACCESS: Final = frozenset(LOADS) | frozenset(STORES)
_SPECIAL: Final = frozenset({"rsr", "wsr", "xsr"})
STRAIGHT: Final = tuple(
    mnemonic
    for mnemonic in isa.ROWS
    if mnemonic.removesuffix(".n") not in ENDS | _ACCESS | _SPECIAL | {"rsil", "l32r"}
)
"""What computes from registers alone, and goes on behind itself."""
ACCESSES: Final = (*LOADS, *STORES, "l32i.n", "s32i.n")
STORAGE: Final = (177, 178, 179, 192, 194, 195, 209, 210, 211)  # EPC, DEPC, EPS and EXCSAVE: they keep values


def plain(mnemonic: str) -> str:
    """Without the mark of the density option."""
    return mnemonic.removesuffix(".n")


def random_value(random: Random) -> int:
    """A register's value: often one of the edges."""
    return random.choice(EDGES) if random.randrange(2) else random.getrandbits(32)


def encode(random: Random, mnemonic: str, **fixed: int) -> bytes:
    """An instruction with random operands.

    Args:
        random: Gives them.
        mnemonic: Which.
        fixed: Operands that are not random, by their kind: a register's number, or the bits that an immediate
            has in the instruction, in place.
    """
    row = isa.ROWS[mnemonic]
    while True:
        word = row.match | random.getrandbits(8 * row.size) & ~row.mask
        for kind in row.operands:
            if kind in _SHIFT:
                register = fixed.get(kind, random.choice(DATA_REGISTERS))
                word = word & ~(15 << _SHIFT[kind]) | register << _SHIFT[kind]
            elif kind in fixed:
                bits = _BITS[kind]
                word = word & ~bits | fixed[kind] & bits
        code = word.to_bytes(row.size, "little")
        instruction = isa.decode(code, 0)
        if instruction is not None:
            assert instruction.mnemonic == mnemonic
            return code


_BITS: Final = {
    "near": 0xFF0000,
    "far": 0xFFF000,
    "jump": 0xFFFFC0,
    "call": 0xFFFFC0,
    "ahead": 0xF030,
    "special": 0xFF00,
    "level": 0xF00,
    "literal": 0xFFFF00,
}


def branch(random: Random, mnemonic: str, distance: int, **registers: int) -> bytes:
    """A branch or jump to somewhere ``distance`` bytes from its address; a call has to stand at a word."""
    offset = distance - 4
    bits = {
        "near": offset << 16,
        "far": offset << 12,
        "jump": offset << 6,
        "call": offset >> 2 << 6,
        "ahead": (offset & 15) << 12 | offset & 0x30,
    }
    kind = isa.ROWS[mnemonic].operands[-1]
    return encode(random, mnemonic, **{kind: bits[kind]}, **registers)


def special(random: Random, number: int) -> bytes:
    """A random access to a special register."""
    mnemonics = [m for m in ("rsr", "wsr", "xsr") if isa.special_access(m, number)]
    return encode(random, random.choice(mnemonics), special=number << 8)


def straight(random: Random) -> bytes:
    """One instruction that goes on behind itself."""
    match random.randrange(10):
        case 0 | 1 | 2:
            return access(random, POINTER)
        case 3:
            return special(random, _SAR)
        case 4:
            return _other(random)
        case _:
            return encode(random, random.choice(STRAIGHT))


def access(random: Random, pointer: int) -> bytes:
    """A load or a store, at some offset that is a multiple of its size."""
    return encode(random, random.choice(ACCESSES), s=pointer)


def _other(random: Random) -> bytes:
    match random.randrange(4):
        case 0:  # a literal: some of the code before
            return encode(random, "l32r", literal=0x10000 - random.randrange(1, 64) << 8)
        case 1:
            return encode(random, "rsil")
        case 2:
            return encode(random, "isync")
        case _:
            return special(random, random.choice(STORAGE))


_BRANCHES: Final = (*sorted(CONDITIONS), "beqz.n", "bnez.n")


def program(random: Random, pieces: int) -> bytes:
    """Code that ends behind itself, with branches ahead and counted loops."""
    code = b""
    for _ in range(pieces):
        match random.randrange(5):
            case 0:
                code += _skip(random)
            case 1:
                body = b"".join(
                    _skip(random) if random.randrange(4) == 0 else straight(random)
                    for _ in range(random.randrange(1, 4))
                )
                code += _loop(random, body)
            case _:
                code += straight(random)
    return code


def _skip(random: Random) -> bytes:
    """A branch or jump over a few instructions."""
    over = b"".join(straight(random) for _ in range(random.randrange(1, 5)))
    mnemonic = random.choice((*_BRANCHES, "j"))
    size = isa.ROWS[mnemonic].size
    over = over if len(over) + size >= 4 else over + encode(random, "nop")
    return branch(random, mnemonic, size + len(over)) + over


def _loop(random: Random, body: bytes) -> bytes:
    """The same again and again, as a15 counts."""
    start = bytes([0x0C | COUNTER << 8 & 0xF0, COUNTER | random.randrange(1, 12) << 4])  # movi.n a15, ...
    count = encode(random, "addi.n", r=COUNTER, s=COUNTER)
    count = bytes([count[0] & 0x0F, count[1]])  # addi.n a15, a15, -1
    back = branch(random, "bnez", -(len(body) + len(count)), s=COUNTER)
    return start + body + count + back
