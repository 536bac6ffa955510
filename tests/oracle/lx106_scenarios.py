"""Made-up lx106 programs, a question about exceptions or interrupts each, for the comparison with QEMU.

Not random ones, and not the handlers: :mod:`tests.oracle.lx106_exceptions` has these.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tests.oracle.lx106_exceptions import CLOSE, DEBUG, DOUBLE, ENABLE, ENTERED, KERNEL, NMI, USER, program


class Scenario(NamedTuple):
    """A program for one question.

    Attributes:
        vectors: The handlers that are to be entered.
        body: As :func:`program` has it, and the others.
    """

    vectors: tuple[int, ...]
    body: str
    ps: int = 0x20
    literals: str = ""
    routine: str = ""

    @property
    def text(self) -> str:
        """The program."""
        return program(self.body, ps=self.ps, literals=self.literals, routine=self.routine)


_COUNT_A2: Final = " _addi a2, a2, 1\n"
_RAISE: Final = " wsr.intset a3\n rsync\n" + _COUNT_A2
_TIMER: Final = (
    " movi a3, 0x40\n{}\n rsr.ccount a4\n movi a5, 200\n add a4, a4, a5\n wsr.ccompare0 a4\n rsync\n"
)
_PENDING: Final = "again: rsr.interrupt a5\n beqz a5, again\n"
_NO_TIMER: Final = "\n movi a4, 0\n wsr.ccompare0 a4\n"  # its value differs
_BACK: Final = ".align 4\nback: .word there"

SCENARIOS: Final = {
    "system call": Scenario((USER,), f" syscall\n{_COUNT_A2}"),
    "system call of the kernel": Scenario((KERNEL,), f" syscall\n{_COUNT_A2}", ps=0),
    "illegal instructions": Scenario((USER,) * 2, f" ill\n{_COUNT_A2} ill.n\n{_COUNT_A2}"),
    "interrupt level of an exception": Scenario((USER,), f" ill\n{_COUNT_A2}", ps=0x2F),
    "unaligned accesses": Scenario(
        (USER,) * 7,
        " movi a4, 0x123\n addi a5, a1, 3\n _l32i a3, a5, 0\n _l32i.n a3, a5, 4\n _s32i a4, a5, 4\n"
        " _s32i.n a4, a5, 8\n l16ui a3, a5, 2\n s16i a3, a5, 0\n l16si a4, a5, 2\n _addi a5, a1, 2\n"
        " l16ui a6, a5, 0\n l8ui a7, a5, 1\n",
    ),
    "unaligned accesses to nothing": Scenario(
        (USER,) * 2, f"{CLOSE} movi a5, 1\n _l32i a4, a5, 0\n s16i a4, a5, 0\n"
    ),
    "EXCVADDR stays": Scenario((USER,) * 3, " _addi a5, a1, 2\n _l32i a4, a5, 0\n syscall\n ill\n"),
    "accesses to nothing": Scenario(
        (USER,) * 6,
        f"{CLOSE} l32i a4, a3, 0\n s32i a4, a3, 4\n l8ui a4, a3, 3\n s8i a4, a3, 1\n l16si a4, a3, 2\n"
        f" s16i a4, a3, 6\n{_COUNT_A2}",
    ),
    "jumps to nothing": Scenario(
        (USER,) * 3,
        f"{CLOSE} movi a4, 0x123\n callx0 a3\n callx0 a4\n call0 near_nothing\n{_COUNT_A2} j over\n.align 4\n"
        "near_nothing: mov a5, a0\n callx0 a3\n jx a5\nover:",
    ),
    "exceptions in a handler": Scenario(
        (USER, DOUBLE, DOUBLE, DOUBLE, DOUBLE),
        f" syscall\n{_COUNT_A2}",
        routine=" syscall\n movi a4, 7\n ill\n ill.n\n addi a4, a1, 1\n _l32i a4, a4, 0\n ret",
    ),
    "an exception in a handler of the kernel": Scenario(
        (KERNEL, DOUBLE), f" syscall\n{_COUNT_A2}", ps=3, routine=" ill\n ret"
    ),
    "an exception with EXCM": Scenario((DOUBLE,), f" ill\n{_COUNT_A2}", ps=0x10),
    "breaks": Scenario(
        (DEBUG,) * 3,
        " break 1, 2\n break.n 3\n rsil a3, 2\n break 1, 1\n break.n 1\n rsil a3, 1\n break 0, 0\n",
    ),
    "a break in a handler": Scenario((USER, DEBUG), f" syscall\n{_COUNT_A2}", routine=" break 1, 1\n ret"),
    "return from level 3": Scenario(
        (),
        " l32r a3, back\n wsr.epc3 a3\n movi a3, 0x25\n wsr.eps3 a3\n rsync\n rfi 3\n ill\n"
        "there: rsr.ps a4\n",
        literals=_BACK,
    ),
    "what PS keeps": Scenario(
        (), " movi a3, 0x2f\n wsr.ps a3\n rsync\n rsr.ps a4\n rsil a5, 5\n rsr.ps a6\n"
    ),
    "software's interrupt": Scenario((USER,), f"{ENABLE} wsr.intset a3\n{_COUNT_A2}{_COUNT_A2}"),
    "software's interrupt in the kernel": Scenario(
        (KERNEL,), f"{ENABLE} wsr.intset a3\n{_COUNT_A2}{_COUNT_A2}", ps=0
    ),
    "raised, then enabled": Scenario(
        (USER,),
        f" movi a3, -1\n wsr.intset a3\n rsync\n rsr.interrupt a4\n{_COUNT_A2} wsr.intenable a3\n{_COUNT_A2}"
        f" rsr.intenable a5\n{_COUNT_A2}",
    ),
    "raised, then enabled by xsr": Scenario(
        (USER,),
        f" movi a3, 0x80\n wsr.intset a3\n rsync\n{_COUNT_A2} xsr.intenable a3\n{_COUNT_A2}{_COUNT_A2}",
    ),
    "masked, then let in by rsil": Scenario(
        (USER,), f"{ENABLE} rsil a4, 1\n{_RAISE} rsil a5, 0\n{_COUNT_A2}{_COUNT_A2}"
    ),
    "masked by level 15, then let in by wsr.ps": Scenario(
        (KERNEL,), f"{ENABLE} rsil a4, 15\n{_RAISE} movi a5, 0\n wsr.ps a5\n{_COUNT_A2}{_COUNT_A2}"
    ),
    "masked by EXCM, then let in by xsr.ps": Scenario(
        (USER,), f"{ENABLE}{_RAISE} movi a5, 0x20\n xsr.ps a5\n{_COUNT_A2}{_COUNT_A2}", ps=0x30
    ),
    "masked, then cleared": Scenario(
        (),
        f"{ENABLE} rsil a4, 1\n{_RAISE} rsr.interrupt a5\n wsr.intclear a3\n rsil a6, 0\n{_COUNT_A2}"
        " rsr.interrupt a7\n",
    ),
    "not enabled": Scenario((), f" movi a3, 0x80\n{_RAISE}{_COUNT_A2} rsr.interrupt a4\n"),
    "waiti where one is there": Scenario(
        (USER,), f"{ENABLE} rsil a4, 1\n{_RAISE} waiti 0\n{_COUNT_A2}{_COUNT_A2}"
    ),
    "let in by rfe": Scenario(
        (USER,),
        f"{ENABLE} l32r a5, back\n wsr.epc1 a5\n{_RAISE} rfe\nthere: {_COUNT_A2}{_COUNT_A2}",
        ps=0x30,
        literals=_BACK,
    ),
    "let in by rfi 2": Scenario(
        (USER,),
        f"{ENABLE} l32r a5, back\n wsr.epc2 a5\n movi a5, 0x20\n wsr.eps2 a5\n rsil a4, 2\n{_RAISE} rfi 2\n"
        f"there: {_COUNT_A2}{_COUNT_A2}",
        literals=_BACK,
    ),
    "let in by rfi 3": Scenario(
        (USER,),
        f"{ENABLE} l32r a5, back\n wsr.epc3 a5\n movi a5, 0x20\n wsr.eps3 a5\n rsil a4, 3\n{_RAISE} rfi 3\n"
        f"there: {_COUNT_A2}{_COUNT_A2}",
        literals=_BACK,
    ),
    "raised in a handler": Scenario(
        (USER, USER),
        f"{ENABLE} syscall\n{_COUNT_A2}{_COUNT_A2}",
        routine=" movi a3, 0x80\n wsr.intset a3\n rsync\n rsr.interrupt a3\n rsr.ps a4\n ret",
    ),
    "level 0 in a handler does not let in": Scenario(
        (USER, USER),
        f"{ENABLE} rsil a4, 1\n{_RAISE} syscall\n{_COUNT_A2} rsil a4, 0\n{_COUNT_A2}",
        routine=" rsil a3, 0\n rsync\n rsr.interrupt a3\n rsr.ps a4\n ret",
    ),
    "an exception, then what is masked": Scenario(
        (USER, DOUBLE, USER),
        f"{ENABLE} rsil a4, 1\n{_RAISE} syscall\n{_COUNT_A2} rsil a4, 0\n{_COUNT_A2}",
        routine=" ill\n ret",
    ),
    "the timer": Scenario(
        (USER,),
        _TIMER.format(" wsr.intenable a3") + f"again: l32i a5, a1, {ENTERED}\n beqz a5, again" + _NO_TIMER,
    ),
    "waiti for the timer": Scenario(
        (USER,), _TIMER.format(" wsr.intenable a3") + f" waiti 0\n l32i a5, a1, {ENTERED}" + _NO_TIMER
    ),
    "the timer masked": Scenario(
        (USER,),
        _TIMER.format(" wsr.intenable a3\n rsil a6, 1")
        + f"{_PENDING}{_COUNT_A2} rsil a6, 0\n{_COUNT_A2} rsr.interrupt a7"
        + _NO_TIMER,
    ),
    "the timer, enabled late": Scenario(
        (USER,),
        _TIMER.format("")
        + f"{_PENDING}{_COUNT_A2} wsr.intenable a3\n{_COUNT_A2} rsr.interrupt a7"
        + _NO_TIMER,
    ),
    "what ends the timer's interrupt": Scenario(
        (),
        _TIMER.format("") + f"{_PENDING} movi a5, -1\n wsr.intclear a5\n rsync\n rsr.interrupt a6\n"
        " wsr.ccompare0 a4\n rsync\n rsr.interrupt a7" + _NO_TIMER,
    ),
    "what ends the timer's interrupt, by xsr": Scenario(
        (),
        _TIMER.format("") + f"{_PENDING} mov a6, a4\n xsr.ccompare0 a6\n rsync\n rsr.interrupt a7\n"
        " sub a6, a6, a4" + _NO_TIMER,
    ),
    "timer and software at once": Scenario(
        (USER,),
        _TIMER.format(" rsil a6, 1\n movi a7, 0xc0\n wsr.intenable a7")
        + f"{_PENDING} movi a5, 0x80\n wsr.intset a5\n rsync\n"
        + f"{_COUNT_A2} rsil a6, 0\n{_COUNT_A2}"
        + _NO_TIMER,
    ),
}

_WAITS: Final = f"there: l32i a5, a1, {ENTERED}\n beqz a5, there\n{_COUNT_A2}"
_ONLY: Final = " movi a5, {:#x}\n wsr.intenable a5\n rsync\n"
_LINE, _EDGE, _NMI = 1 << 5, 1 << 9, 1 << 14

# What comes from outside before the instruction at ``here``, which lets it in or not; then the program is at
# ``there`` until a handler has been entered.
INTERRUPTED: Final = {
    "the NMI": (_NMI, Scenario((NMI,), f"here: rsil a4, 0\n{_WAITS}")),
    "the NMI at level 15": (_NMI, Scenario((NMI,), f"here: rsil a4, 15\n{_WAITS}")),
    "the NMI in a handler": (_NMI, Scenario((NMI,), f"here: rsil a4, 1\n{_WAITS}", ps=0x30)),
    "the NMI in the kernel": (_NMI, Scenario((NMI,), f"here: rsil a4, 3\n{_WAITS}", ps=0)),
    "an edge": (
        _EDGE,
        Scenario(
            (USER,),
            f"{_ONLY.format(_EDGE)}here: rsil a4, 0\n{_WAITS} rsr.interrupt a6\n",
            routine=" movi a3, -1\n wsr.intclear a3\n rsync\n ret",
        ),
    ),
    "a line, that only who raises it lets down": (
        _LINE,
        Scenario(
            (KERNEL,),
            f"{_ONLY.format(_LINE)}here: rsil a4, 0\n{_WAITS} rsr.interrupt a6\n",
            ps=0,
            routine=" movi a3, -1\n wsr.intclear a3\n movi a3, 0\n wsr.intenable a3\n rsync\n ret",
        ),
    ),
    "an edge beside a line that is off": (
        _EDGE | _LINE,
        Scenario(
            (USER,),
            f"{_ONLY.format(_EDGE)}here: rsil a4, 0\n{_WAITS} rsr.interrupt a6\n",
            routine=" movi a3, -1\n wsr.intclear a3\n rsync\n ret",
        ),
    ),
}
