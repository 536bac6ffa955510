"""lx106 programs with exceptions and interrupts, as GNU assembler text, for the comparison with QEMU.

Not ordinary instructions: random ones are of :mod:`tests.oracle.lx106_programs`.  Made-up programs are in
:mod:`tests.oracle.lx106_scenarios`.

All handlers log the state that they find, an entry a time, and go on behind what raised it.  A program may
name a routine that the next handler of a first exception calls once: it runs with PS.EXCM set.
"""

from __future__ import annotations

from struct import iter_unpack, unpack_from
from typing import Final, NamedTuple

from tests.oracle.lx106_programs import ACCESSES, RESET, ROUTINES, WINDOW, Program

DEBUG, NMI, KERNEL, USER, DOUBLE = 0x10, 0x20, 0x30, 0x50, 0x70
"""Offsets from VECBASE; in the lx106's core-isa.h, which is in QEMU and in Espressif's SDK."""

# The words of an entry, and what a program stores at its end.
_FOUND: Final = "epc1 exccause excvaddr ps depc epc2 eps2 debugcause interrupt intenable epc3 eps3 sar"
_LOGGED: Final = ["vector", *_FOUND.split(), "a0", "a15"]
_KEPT: Final = f"{_FOUND} excsave1 excsave2 excsave3 vecbase ccompare0"
_STATE: Final = [*(f"a{number}" for number in range(16)), *_KEPT.split()]

# Where things are in the window.  Random accesses stay below the state.  A double exception or a break comes
# while another handler runs, so each has its own place for registers.
_STATE_AT: Final = 512
_SAVED: Final = {"general": 768, "double": 800, "debug": 832, "nmi": 864}
_POINTER: Final = 960
_ROUTINE: Final = 964
ENTERED: Final = 968
"""Offset of the count of handlers that were entered."""
_LOG_AT: Final = 1024
_ENTRY: Final = 4 * len(_LOGGED)
_ENTRIES: Final = 256  # older ones are lost
SIZE: Final = _LOG_AT + _ENTRIES * _ENTRY
"""Bytes of the window that a program writes to standard output."""

_HANDLERS: Final = {
    DEBUG: ("debug", 2),
    NMI: ("nmi", 3),
    KERNEL: ("general", 1),
    USER: ("general", 1),
    DOUBLE: ("double", 3),
}


class End(NamedTuple):
    """What is compared.

    Attributes:
        memory: What random accesses reach.
        state: Registers at the end, by name.
        entered: How often a handler was entered.
        log: What each found, by name; the last 256, not in order if there were more.
    """

    memory: bytes
    state: dict[str, int]
    entered: int
    log: list[dict[str, int]]

    @property
    def vectors(self) -> list[int]:
        """Which handlers were entered."""
        return [entry["vector"] for entry in self.log]


def end_of(window: bytes) -> End:
    """Read the window that a program leaves."""
    (count,) = unpack_from("<I", window, ENTERED)
    entries = iter_unpack(f"<{len(_LOGGED)}I", window[_LOG_AT:SIZE])
    log = [dict(zip(_LOGGED, entry, strict=True)) for entry in entries][:count]
    state = unpack_from(f"<{len(_STATE)}I", window, _STATE_AT)
    return End(window[:_STATE_AT], dict(zip(_STATE, state, strict=True)), count, log)


def program(body: str, *, ps: int = 0x20, literals: str = "", routine: str = "", routines: str = "") -> str:
    """A whole program.

    Args:
        body: Its code; it falls off the end.  a1 is the window's address, and must stay so; a2 is 0.
        ps: PS before the first instruction of it.
        literals: Words that ``l32r`` in it refers to, with their labels.
        routine: What the first handler calls; it may change a2 to a5, and returns by ``ret``.
        routines: More code, that it jumps to.
    """
    start = (
        f".align 4\nwindow: .word {WINDOW:#x}\nbase: .word vectors\nsize: .word {SIZE}\n"
        f"called: .word routine\n{literals}\n.align 4\n"
        "start:\n l32r a1, window\n l32r a2, base\n wsr.vecbase a2\n"
        f" addmi a2, a1, {_LOG_AT}\n s32i a2, a1, {_POINTER}\n"
        + (f" l32r a2, called\n s32i a2, a1, {_ROUTINE}\n" if routine else "")
        + f" movi a2, {ps}\n wsr.ps a2\n rsync\n movi a2, 0\n"
    )
    end = [
        f" s32i {name}, a1, {at}" if name.startswith("a") else f" rsr.{name} a2\n s32i a2, a1, {at}"
        for at, name in zip(range(_STATE_AT, _SAVED["general"], 4), _STATE, strict=False)
    ]
    written = (
        "finish:\n movi a2, 4\n movi a3, 1\n mov a4, a1\n l32r a5, size\n simcall\n"
        " movi a2, 1\n movi a3, 0\n simcall"
    )
    parts = [".text\n.global start, reset, finish\nvectors:", *_vectors(), start, body, *end, written]
    handlers = [
        *_handler("general", 1, "epc1", "rfe"),
        *_handler("double", 3, "depc", "rfde"),
        *_handler("debug", 2, "epc2", "rfi 2"),
        *_handler("nmi", 3, "epc3", "rfi 3"),
    ]
    return "\n".join([*parts, routines, f".align 4\nroutine:\n{routine}", *handlers, RESET])


def _vectors() -> list[str]:
    lines = []
    for offset, (handler, excsave) in _HANDLERS.items():
        lines += [f".org {offset:#x}", f" wsr.excsave{excsave} a0", f" movi a0, {offset:#x}", f" j {handler}"]
    return [*lines, ".org 0x100"]


def _handler(name: str, excsave: int, pc: str, returns: str) -> list[str]:
    saved = _SAVED[name]
    log = []
    for at, register in enumerate(_LOGGED):
        own = {"vector": "a0", "a15": "a15"}.get(register)
        source = f"excsave{excsave}" if register == "a0" else register
        log += (
            [f" s32i {own or 'a3'}, a2, {4 * at}"]
            if own
            else [f" rsr.{source} a3", f" s32i a3, a2, {4 * at}"]
        )
    return [
        f".align 4\n{name}:",
        *(f" s32i a{number}, a1, {saved + 4 * number}" for number in range(2, 6)),
        f" l32i a2, a1, {_POINTER}",
        *log,
        f" addi a2, a2, {_ENTRY}\n addmi a3, a1, {SIZE}\n bne a2, a3, {name}_logged",
        f" addmi a2, a1, {_LOG_AT}\n{name}_logged:\n s32i a2, a1, {_POINTER}",
        f" l32i a2, a1, {ENTERED}\n addi a2, a2, 1\n s32i a2, a1, {ENTERED}",
        *(_general(saved) if name == "general" else []),
        *(_no_code(name, excsave, pc) if name in {"general", "double"} else []),
        *([] if name == "nmi" else _skip(name, pc)),
        f"{name}_back:",
        *(f" l32i a{number}, a1, {saved + 4 * number}" for number in range(2, 6)),
        f" rsr.excsave{excsave} a0\n {returns}",
    ]


def _general(saved: int) -> list[str]:
    """Call the routine; end an interrupt."""
    called = (
        f" rsr.exccause a2\n s32i a2, a1, {saved}\n l32i a2, a1, {_ROUTINE}\n beqz a2, general_called\n"
        f" movi a3, 0\n s32i a3, a1, {_ROUTINE}\n callx0 a2\n"
        f"general_called:\n l32i a2, a1, {saved}\n bnei a2, 4, general_no_interrupt"
    )
    timer = " rsr.ccompare0 a2\n wsr.ccompare0 a2"
    software = " movi a2, 0x80\n wsr.intclear a2\n rsync\n j general_back"
    return [called, timer, software, "general_no_interrupt:\n wsr.exccause a2"]


def _no_code(name: str, excsave: int, pc: str) -> list[str]:
    """Go back to a0 from a jump to where no code is."""
    return [
        f" rsr.exccause a2\n movi a3, 20\n bne a2, a3, {name}_skip",
        f" rsr.excsave{excsave} a2\n wsr.{pc} a2\n j {name}_back\n{name}_skip:",
    ]


def _skip(name: str, pc: str) -> list[str]:
    """Go on behind the instruction: of 2 bytes, if bit 3 of its first one is set."""
    return [
        f" rsr.sar a4\n rsr.{pc} a2\n movi a3, -4\n and a3, a2, a3\n l32i a3, a3, 0\n ssa8l a2\n srl a3, a3",
        f" addi a2, a2, 2\n bbsi a3, 3, {name}_skipped\n addi a2, a2, 1\n{name}_skipped:",
        f" wsr.{pc} a2\n wsr.sar a4\n rsync",
    ]


CLOSE: Final = " movi a3, 0\n movi a4, 15\n wdtlb a4, a3\n witlb a4, a3\n isync\n dsync\n"
"""Let nothing be in region 0, as the boot ROM does: it sets the attributes 0x2222211f."""
ENABLE: Final = " movi a3, 0x80\n wsr.intenable a3\n rsync\n"
"""Enable the interrupt that INTSET raises, whose bit is then in a3."""


# Random programs -------------------------------------------------------------------------------------------


class FaultyProgram(Program):
    """A random program with exceptions and interrupts in it."""

    def faulty(self, chunks: int) -> str:
        """The text of the program."""
        self.lines.append(f"{CLOSE}{ENABLE}")
        routine = self.literal("nested")
        self.routine = routine
        self.body(chunks)
        nested = (
            ".align 4\nnested:\n syscall\n movi a4, 0x80\n wsr.intset a4\n rsync\n"
            " addi a5, a1, 2\n ill.n\n _l32i a3, a5, 0\n s16i a3, a5, 6\n rsr.exccause a4\n ret"
        )
        body = "\n".join(self.lines)
        return program(body, literals="\n".join(self.literals), routines=f"{ROUTINES}\n{nested}")

    def any(self) -> None:
        if self.random.randrange(5):
            super().any()
        else:
            self.fault()

    def fault(self) -> None:
        """Something that raises an exception, or an interrupt, mostly."""
        pick = self.random
        match pick.randrange(9):
            case 0:
                self.lines.append(f" .byte {pick.choice(_ILLEGAL)}")
            case 1:
                self.lines.append(pick.choice((" syscall", " ill", " ill.n")))
            case 2:
                self.lines.append(pick.choice((" break 1, 15", " break.n 3")))
            case 3 | 4:
                self.emit("addi", "a14", "a1", pick.randrange(4))
                self.access("a14", pick.randrange(16) * 4)
            case 5:
                self.emit("movi", "a14", pick.randrange(2048))
                self.access("a14", pick.randrange(16) * 4)
            case 6:
                self.emit("movi", "a14", pick.randrange(2048))
                self.emit("callx0", "a14")
            case 7:
                self.emit("movi", "a14", -1)
                self.lines.append(pick.choice((" wsr.intset a14", " wsr.intset a14", " wsr.intclear a14")))
            case 8:
                self.emit("l32r", "a14", self.routine)
                self.emit("s32i", "a14", "a1", _ROUTINE)

    def access(self, base: str, offset: int) -> None:
        mnemonic = self.random.choice(ACCESSES.split())
        register = f"a{self.random.randrange(2, 13)}"
        self.emit(mnemonic, register, base, min(offset, 60))

    def special(self) -> None:
        """As the ordinary ones, and what lets interrupts in."""
        pick = self.random
        match pick.randrange(5):
            case 0:
                self.emit("movi", "a14", 0x20 * pick.randrange(2))
                self.lines += [f" {pick.choice(('wsr', 'xsr'))}.ps a14", " rsync"]
            case 1:
                self.emit("movi", "a14", pick.choice((0, 0x80, 0x80, -1)))
                self.lines += [f" {pick.choice(('wsr', 'xsr'))}.intenable a14", " rsync"]
            case 2:
                self.emit("rsil", f"a{pick.randrange(2, 13)}", pick.randrange(3))
            case _:
                super().special()


# Words that are no instruction of the lx106: of division, floating point, windows, loops, and of no option.
_ILLEGAL: Final = (
    "0x50, 0x34, 0xc2",
    "0x00, 0x00, 0x0a",
    "0x36, 0x41, 0x00",
    "0x90, 0x00, 0x00",
    "0x76, 0x84, 0x05",
    "0x13, 0xff, 0x03",
    "0x04, 0x00, 0x00",
    "0x6d, 0xf1",
)
