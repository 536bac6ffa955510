"""Random lx106 programs that end, as GNU assembler text, for the comparison of the virtual core with QEMU.

a1 holds the address of the memory window, a15 counts loops, a13 and a14 are for addresses; a2 to a12 hold
whatever comes.  The end stores all registers, SAR and PS into the window, writes the window to standard
output and exits, both by QEMU's simulator calls.
"""

from __future__ import annotations

from random import Random

WINDOW = 0x3FFF_0000
WINDOW_SIZE = 1024
_SAVED = 512  # offset of the registers in the window; random accesses stay below

_DATA = [f"a{number}" for number in range(2, 13)]
_THREE = "add addx2 addx4 addx8 and or xor sub subx2 subx4 subx8 mul16s mul16u mull add.n"
_MOVES = "moveqz movnez movltz movgez"
_TWO = "abs neg nsa nsau mov.n"
_WITH_REGISTER = "ball bany bbc bbs beq bge bgeu blt bltu bnall bne bnone"
_WITH_CONSTANT = "beqi bnei bgei blti"
_WITH_UNSIGNED = "bgeui bltui"
_WITH_BIT = "bbci bbsi"
_WITH_ZERO = "beqz bnez bgez bltz"
_AMOUNTS = "ssr ssl ssa8l ssa8b ssai"
ACCESSES = "l8ui l16ui l16si l32i l32i.n s8i s16i s32i s32i.n"
_NOTHING = "memw nop nop.n isync rsync esync dsync extw excw"
_STORAGE = "excsave1 excsave2 excsave3 epc2 epc3 eps2 eps3 depc epc1"
_CONSTANTS = (-1, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 32, 64, 128, 256)
_UNSIGNED = (32768, 65536, *_CONSTANTS[2:])
_EDGES = (0, 1, 2, 31, 32, 0x7F, 0x80, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


class Program:
    """Builds the text of one program from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.lines: list[str] = []
        self.labels = 0
        self.literals: list[str] = []

    def text(self, chunks: int) -> str:
        self.body(chunks)
        window = self.literal(WINDOW)
        head = [".text", ".global start, reset", *self.literals, "start:", f" _l32r a1, {window}"]
        return "\n".join([*head, *self.lines, _END, ROUTINES, RESET])

    def body(self, chunks: int) -> None:
        """Fill :attr:`lines`, and :attr:`literals` that must stand before them."""
        pick = self.random.choice
        for register in _DATA:
            self.constant(register)
        for _ in range(chunks):
            pick((self.straight, self.skip, self.loop, self.guarded, self.call, self.jumps, self.special))()

    def emit(self, mnemonic: str, *operands: object) -> None:
        self.lines.append(f" _{mnemonic} " + ", ".join(map(str, operands)))

    def label(self) -> str:
        self.labels += 1
        return f"label{self.labels}"

    def literal(self, value: object) -> str:
        name = f"literal{len(self.literals)}"
        self.literals.append(f".align 4\n{name}: .word {value}")
        return name

    def constant(self, register: str) -> None:
        pick = self.random
        match pick.randrange(4):
            case 0:
                self.emit("movi", register, pick.randrange(-2048, 2048))
            case 1:
                self.emit("movi.n", register, pick.randrange(-32, 96))
            case _:
                self.emit("l32r", register, self.literal(pick.choice([*_EDGES, pick.getrandbits(32)])))

    def any(self) -> None:  # noqa: C901 (a choice)
        """One random instruction, or a few that belong together; it does not jump."""
        pick = self.random
        x, y, z = (pick.choice(_DATA) for _ in range(3))
        match pick.randrange(14):
            case 0 | 1 | 2:
                self.emit(pick.choice(_THREE.split()), x, y, z)
            case 3:
                self.emit(pick.choice(_MOVES.split()), x, y, z)
            case 4:
                self.emit(pick.choice(_TWO.split()), x, y)
            case 5:
                self.emit("addi", x, y, pick.randrange(-128, 128))
                self.emit("addi.n", x, z, pick.choice([-1, *range(1, 16)]))
                self.emit("addmi", y, z, pick.randrange(-128, 128) * 256)
            case 6:
                shift = pick.randrange(32)
                self.emit("extui", x, y, shift, pick.randrange(1, min(16, 32 - shift) + 1))
            case 7:
                self.emit("slli", x, y, pick.randrange(1, 32))
                self.emit("srli", x, z, pick.randrange(16))
                self.emit("srai", z, y, pick.randrange(32))
            case 8 | 9:
                self.shift(x, y, z)
            case 10 | 11 | 12:
                self.memory(x, y)
            case 13:
                if pick.randrange(2):
                    self.constant(x)
                else:
                    self.emit(pick.choice(_NOTHING.split()))

    def shift(self, x: str, y: str, z: str) -> None:
        pick = self.random
        kind = pick.choice(_AMOUNTS.split())
        self.emit(kind, pick.randrange(32) if kind == "ssai" else z)
        # QEMU 7.2 shifts right by 0 instead of 32 where it saw ssl or ssa8b set SAR to 32, but not where wsr
        # did: translate_srl and translate_sra of
        # https://gitlab.com/qemu-project/qemu/-/blob/v7.2.0/target/xtensa/translate.c take their 32-bit path
        # for a left shift's SAR.  The manual's result is 0 (or the sign), and compilers do not mix them.
        kinds = "sll src" if kind in {"ssl", "ssa8b"} else "sll srl sra src"
        for _ in range(pick.randrange(1, 3)):
            shift = pick.choice(kinds.split())
            self.emit(shift, x, y, *([pick.choice(_DATA)] if shift == "src" else []))

    def memory(self, x: str, y: str) -> None:
        pick = self.random
        base, room = "a1", _SAVED
        if pick.randrange(2):
            base, room = "a14", 64
            self.emit("extui", "a13", y, 0, 6)
            self.emit("addx4", "a14", "a13", "a1")
        mnemonic = pick.choice(ACCESSES.split())
        size = {"8": 1, "1": 2, "3": 4}[mnemonic[1]]
        most = 64 if mnemonic.endswith(".n") else min(room, 256 * size)
        self.emit(mnemonic, x, base, pick.randrange(most // size) * size)

    def straight(self) -> None:
        for _ in range(self.random.randrange(1, 8)):
            self.any()

    def condition(self, target: str) -> None:
        """A random branch."""
        pick = self.random
        x, y = pick.choice(_DATA), pick.choice(_DATA)
        match pick.randrange(5):
            case 0 | 1:
                self.emit(pick.choice(_WITH_REGISTER.split()), x, y, target)
            case 2:
                kind = pick.choice(f"{_WITH_CONSTANT} {_WITH_UNSIGNED}".split())
                values = _UNSIGNED if kind in _WITH_UNSIGNED.split() else _CONSTANTS
                self.emit(kind, x, pick.choice(values), target)
            case 3:
                self.emit(pick.choice(_WITH_BIT.split()), x, pick.randrange(32), target)
            case 4:
                self.emit(pick.choice(_WITH_ZERO.split()), x, target)

    def skip(self) -> None:
        """A branch forward."""
        over = self.label()
        if self.random.randrange(4):
            self.condition(over)
        else:
            self.emit(self.random.choice(("beqz.n", "bnez.n")), self.random.choice(_DATA), over)
        for _ in range(self.random.randrange(1, 4)):
            self.any()
        self.lines.append(f"{over}:")

    def loop(self) -> None:
        """A counted loop, with branches in it."""
        top = self.label()
        self.emit("movi", "a15", self.random.randrange(1, 40))
        self.lines.append(f"{top}:")
        for _ in range(self.random.randrange(1, 4)):
            self.random.choice((self.any, self.any, self.skip))()
        self.emit("addi", "a15", "a15", -1)
        match self.random.randrange(5):
            case 0:
                self.emit("bnez", "a15", top)
            case 1:
                self.emit("bgei", "a15", 1, top)
            case 2:
                self.emit("bnei", "a15", -1, top)
            case 3:
                self.emit("bgez", "a15", top)
            case 4:
                over = self.label()
                self.emit("beqz", "a15", over)
                self.emit("j", top)
                self.lines.append(f"{over}:")

    def guarded(self) -> None:
        """A random branch backward, taken at most so many times."""
        top, out = self.label(), self.label()
        self.emit("movi", "a15", self.random.randrange(1, 30))
        self.lines.append(f"{top}:")
        self.any()
        self.emit("addi.n", "a15", "a15", -1)
        self.emit("beqz", "a15", out)
        self.condition(top)
        self.any()
        self.condition(top)
        self.lines.append(f"{out}:")

    def call(self) -> None:
        name = self.random.choice(list(_ROUTINES))
        if self.random.randrange(2):
            self.emit("call0", name)
        else:
            register = self.random.choice(("a0", "a13", "a14"))
            self.emit("l32r", register, self.literal(name))
            self.emit("callx0", register)

    def jumps(self) -> None:
        there = self.label()
        if self.random.randrange(2):
            self.emit("j", there)
        else:
            self.emit("l32r", "a14", self.literal(there))
            match self.random.randrange(3):
                case 0:
                    self.emit("jx", "a14")
                case 1:
                    self.lines += [" wsr.epc1 a14", " rsync", " rfe"]
                case 2:
                    self.lines += [" rsr.ps a13", " wsr.eps2 a13", " wsr.epc2 a14", " rsync", " rfi 2"]
        for _ in range(self.random.randrange(1, 4)):
            self.any()
        self.lines.append(f"{there}:")

    def special(self) -> None:
        pick = self.random
        x, y = pick.choice(_DATA), pick.choice(_DATA)
        match pick.randrange(4):
            case 0:  # SAR above 32 is left out: shifts by it are not defined
                self.emit("extui", "a14", x, 0, 5)
                self.lines += [f" {pick.choice(('wsr', 'xsr'))}.sar a14", f" rsr.sar {y}"]
                self.shift(x, y, x)
            case 1:
                self.emit("rsil", x, pick.randrange(16))
                self.lines += [f" rsr.ps {y}"]
            case 2:
                self.emit("movi", "a14", 0x10 + pick.randrange(16))
                self.lines += [f" {pick.choice(('wsr', 'xsr'))}.ps a14", " rsync", f" rsr.ps {y}"]
            case 3:
                name = pick.choice(_STORAGE.split())
                self.lines += [f" wsr.{name} {x}", f" xsr.{name} {y}", f" rsr.{name} {x}"]


_ROUTINES = {
    "leaf": "_xor a2, a3, a4\n _addx8 a5, a2, a6\n _ret",
    "leaf_n": "_add.n a7, a7, a8\n _ret.n",
    "far": "_mov.n a14, a0\n _sub a9, a9, a10\n _jx a14",
    "saves": (
        "_movi a13, 252\n _add a13, a13, a1\n _s32i a0, a13, 0\n _call0 leaf\n _call0 leaf_n\n"
        " _movi a13, 252\n _add a13, a13, a1\n _l32i a0, a13, 0\n _ret"
    ),
}

ROUTINES = "\n".join(f".align 4\n{name}:\n {body}" for name, body in _ROUTINES.items())
"""What random programs call."""
RESET = """
.section .reset, "ax"
reset: j near
.align 4
where: .word start
near: l32r a0, where
 jx a0
"""
"""Brings QEMU to ``start``."""

_END = (
    "\n".join(f" _s32i a{number}, a1, {_SAVED + 4 * number}" for number in range(16))
    + f"\n rsr.sar a2\n _s32i a2, a1, {_SAVED + 64}\n rsr.ps a2\n _s32i a2, a1, {_SAVED + 68}"
    + f"\n movi a2, 4\n movi a3, 1\n mov a4, a1\n movi a5, {WINDOW_SIZE}\n simcall"
    + "\n movi a2, 1\n movi a3, 0\n simcall"
)
