"""Listings of lx106 code: hand-written pieces of functions, each line its bytes and its assembly.

The pieces of :data:`SUBTRAHENDS` leave in a13 what is subtracted from the number of blocks; a3 is the block.
That the bytes are what the assembly says: test_flow.py, with GNU as.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ENTER",
    "ENTER_LARGE",
    "ENTER_LEAF",
    "LEAVE",
    "LINE_NUMBER",
    "MAGIC",
    "MAGIC_FIRST",
    "NO_XOR",
    "PIECES",
    "SUBTRAHENDS",
    "assembled",
    "function",
]

ENTER: Final = """
    12c1f0 addi a1, a1, -16
    026103 s32i a0, a1, 12
"""
ENTER_LARGE: Final = """
    92a0d0 movi a9, 208
    9011c0 sub a1, a1, a9
    026133 s32i a0, a1, 204
"""
ENTER_LEAF: Final = """
    12c1f0 addi a1, a1, -16
    226103 s32i a2, a1, 12
"""
LEAVE: Final = """
    022103 l32i a0, a1, 12
    12c110 addi a1, a1, 16
    0df0   ret.n
"""
MAGIC: Final = """
    52a529 movi a5, 0x529
    e872   l32i.n a14, a2, 28
    422208 l32i a4, a2, 32
    505e30 xor a5, a14, a5
    d044c0 sub a4, a4, a13
    404530 xor a4, a5, a4
    425100 s16i a4, a1, 0
"""
MAGIC_FIRST: Final = """
    d047c0 sub a4, a7, a13
    e04430 xor a4, a4, a14
    52a529 movi a5, 0x529
    404530 xor a4, a5, a4
    4040f4 extui a4, a4, 0, 16
"""
NO_XOR: Final = """
    52a529 movi a5, 0x529
    422208 l32i a4, a2, 32
    d044c0 sub a4, a4, a13
    404580 add a4, a5, a4
"""
LINE_NUMBER: Final = """
    42a529 movi a4, 0x529
    c00000 callx0 a0
    06ffff j .
"""

SUBTRAHENDS: Final = {
    "argument": """
    30d0f4 extui a13, a3, 0, 16
""",
    "loaded": """
    d21103 l16ui a13, a1, 6
""",
    "spilled": """
    dd03   mov.n a13, a3
    d911   s32i.n a13, a1, 4
    c00000 callx0 a0
    d22101 l32i a13, a1, 4
""",
    "counted": """
    0c0d   movi.n a13, 0
    060100 j . + 8
    1bdd   addi.n a13, a13, 1
    d0d0f4 extui a13, a13, 0, 16
    668df7 bnei a13, 8, . - 5
""",
    "counted by register": """
    0c1f   movi.n a15, 1
    0c0d   movi.n a13, 0
    fadd   add.n a13, a13, a15
    772dfa blt a13, a7, . - 2
""",
    "old": """
    0c1f   movi.n a15, 1
    f6330a bgeui a3, 3, . + 14
    001340 ssl a3
    00dfa1 sll a13, a15
    0bdd   addi.n a13, a13, -1
    860000 j . + 6
    e0d311 slli a13, a3, 2
    d0d0f4 extui a13, a13, 0, 16
""",
    "old hoisted": """
    0c1f   movi.n a15, 1
    e0d311 slli a13, a3, 2
    f63307 bgeui a3, 3, . + 11
    001340 ssl a3
    00dfa1 sll a13, a15
    0bdd   addi.n a13, a13, -1
""",
    "old from 3": """
    0b33   addi.n a3, a3, -1
    e0d311 slli a13, a3, 2
""",
    "times 8": """
    d0d311 slli a13, a3, 3
""",
    "times 16": """
    e0d311 slli a13, a3, 2
    e0dd11 slli a13, a13, 2
""",
    "shifted": """
    0c1f   movi.n a15, 1
    001340 ssl a3
    00dfa1 sll a13, a15
""",
    "shifted less 2": """
    0c1f   movi.n a15, 1
    f6330b bgeui a3, 3, . + 15
    001340 ssl a3
    00dfa1 sll a13, a15
    d2cdfe addi a13, a13, -2
    860000 j . + 6
    e0d311 slli a13, a3, 2
""",
    "two shifted": """
    0c2f   movi.n a15, 2
    f6330a bgeui a3, 3, . + 14
    001340 ssl a3
    00dfa1 sll a13, a15
    0bdd   addi.n a13, a13, -1
    860000 j . + 6
    e0d311 slli a13, a3, 2
""",
    "half old": """
    dd03   mov.n a13, a3
    b63302 bltui a3, 3, . + 6
    e0d311 slli a13, a3, 2
""",
    "called": """
    c00000 callx0 a0
    dd02   mov.n a13, a2
""",
    "constant": """
    0c4d   movi.n a13, 4
""",
    "by 4": """
    0c0d   movi.n a13, 0
    4bdd   addi.n a13, a13, 4
    772dfa blt a13, a7, . - 2
""",
    "multiplied": """
    30d382 mull a13, a3, a3
""",
}

PIECES: Final = (
    ENTER,
    ENTER_LARGE,
    ENTER_LEAF,
    LEAVE,
    MAGIC,
    MAGIC_FIRST,
    NO_XOR,
    LINE_NUMBER,
    *SUBTRAHENDS.values(),
)


def assembled(*listings: str) -> bytes:
    """The bytes of listings, one behind the other."""
    lines = (line for listing in listings for line in listing.strip().splitlines())
    return b"".join(bytes.fromhex(line.split()[0]) for line in lines)


def function(*listings: str, enter: str = ENTER) -> bytes:
    """A function, padded to a word."""
    code = assembled(enter, *listings, LEAVE)
    return code + bytes(-len(code) % 4)
