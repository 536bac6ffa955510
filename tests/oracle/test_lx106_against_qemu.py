"""QEMU's lx106 as an independent opinion on what instructions, exceptions and interrupts do.

Random programs run under ``qemu-system-xtensa -M sim -cpu lx106`` and in the strict core, whole and
instruction by instruction; registers, SAR, PS and a memory window have to agree.  Programs with exceptions
and interrupts run in the full core, in both of its tiers; what every handler finds has to agree, too, and the
special registers.  What is no instruction has to be none in both.  The instant of the timer's interrupt is
not compared, only what is found then.

Left out, because QEMU 7.2 is not the chip there:

* Bytes and half-words in instruction RAM: QEMU reads and writes them, the chip raises cause 3.  The handlers
  for it in Espressif's SDK and in NodeMCU are there for no other reason.
* Accesses and jumps to where nothing is, but in region 0.  QEMU's machine answers with its bus's error, cause
  15, and does not come back from such a jump.  Region 0 is closed by its attributes, as the boot ROM closes
  it; so causes 20, 28 and 29 come from the core itself.  What the chip does elsewhere is not known.
* ``rfi`` of levels that the lx106 does not have: 1 ends QEMU with a fault of its own, and
  programs with 0 or 4 do not end.
* ``simcall``, which QEMU executes; the chip has no simulator.
* The fields of PS that only windows have (WOE, OWB, CALLINC): QEMU keeps them.
* Stores to DEBUGCAUSE, illegal in QEMU, and LITBASE, of which it keeps some bits: the boot
  ROM stores 0 there.
"""

from __future__ import annotations

from collections import Counter
from itertools import product
from random import Random
from typing import TYPE_CHECKING

import pytest

from imgtool.formats.code import isa
from imgtool.virtual.cpu.core import IRAM_BASE, ROM, Core, Trap
from imgtool.virtual.cpu.full_core import Cause, FullCore
from tests.oracle import lx106_exceptions, qemu
from tests.oracle.lx106_exceptions import DEBUG, DOUBLE, KERNEL, USER, End, FaultyProgram, end_of
from tests.oracle.lx106_programs import WINDOW, WINDOW_SIZE, Program
from tests.oracle.lx106_scenarios import INTERRUPTED, SCENARIOS
from tests.virtual.cpu.cores import TIERS, stop_at

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(qemu.MISSING), reason=f"not installed: {', '.join(qemu.MISSING)}"),
]

PROGRAMS = 60
CHUNKS = 120
EXECUTED = 100_000
ENTERED = 5_000
WORDS = 4_000
# What QEMU takes and the core here does not: ret with a register in it; rer and wer, and the reading and
# clearing of a region's attributes, which core-isa.h has for the lx106; a shift to the left by 32.
ONLY_IN_QEMU = (
    (0x000080, 0xFFF0FF),
    (0x406000, 0xFFF00F),
    (0x407000, 0xFFF00F),
    *((0x500000 | number << 12, 0xFFF00F) for number in (3, 4, 5, 7, 11, 12, 13, 15)),
    (0x010000, 0xFF00FF),
)
LINES, EDGES, NMI_BIT = 0x3F, 0x3F00, 1 << 14  # interrupts from outside, by kind
# What ends a program here: the programs with exceptions have these, but for simcall, which is QEMU's own.
NOT_RUN = {"break", "break.n", "ill", "ill.n", "rfde", "simcall", "syscall", "waiti", "wdtlb", "witlb"}


class NoBus:
    """Nothing outside RAM."""

    def read(self, address: int, size: int) -> int:
        raise Trap(f"read of {size} bytes", address=address)

    def write(self, address: int, value: int, size: int) -> None:
        raise Trap(f"write of {value:#x}, {size} bytes", address=address)

    def enter_rom(self, core: Core, address: int) -> None:
        raise Trap(f"ROM call, a0 {core.a[0]:#x}", address=address)


def core_with(code: bytes, start: int) -> Core:
    core = Core(NoBus())
    core.load(IRAM_BASE, code)
    core.pc = core.a[0] = start  # as after the jump from QEMU's reset vector
    return core


def run_whole(core: Core) -> None:
    with pytest.raises(Trap, match="simulator call"):  # noqa: PT012 (the end of a loop)
        while True:
            assert not core.run(10_000)


def run_in_steps(core: Core) -> Counter[str]:
    counts: Counter[str] = Counter()
    with pytest.raises(Trap, match="simulator call"):  # noqa: PT012 (the end of a loop)
        while True:
            instruction = isa.decode(core.fetch(core.pc, 3), core.pc)
            assert instruction is not None
            core.step()
            counts[instruction.mnemonic] += 1
    return counts


def test_random_programs_end_as_in_qemu(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    executed = 0
    for seed in range(PROGRAMS):
        elf, code, symbols = qemu.build(Program(seed).text(CHUNKS), tmp_path)
        expected, start = qemu.run(elf), symbols["start"]
        assert len(expected) == WINDOW_SIZE
        whole, steps = core_with(code, start), core_with(code, start)
        run_whole(whole)
        counts += run_in_steps(steps)
        assert whole.fetch(WINDOW, WINDOW_SIZE) == expected, f"seed {seed}"
        assert steps.fetch(WINDOW, WINDOW_SIZE) == expected, f"seed {seed}"
        assert whole.instructions == steps.instructions == counts.total() - executed
        executed = counts.total()
    assert executed >= EXECUTED
    never = {mnemonic for mnemonic in isa.ROWS if not counts[mnemonic]}
    assert never == NOT_RUN


# Exceptions and interrupts ---------------------------------------------------------------------------------


def full_core_with(built: qemu.Built, warm: int) -> FullCore:
    core = FullCore(NoBus(), bytes(len(ROM)))
    core.reset()
    core.warm = warm
    core.load(IRAM_BASE, built.code)
    core.pc = core.a[0] = built.symbols["start"]
    stop_at(core, built.symbols["finish"])
    return core


def run_to_end(core: FullCore, slices: int) -> End:
    """Run a program, in calls for so many instructions; while it waits, time goes on."""
    for _ in range(100_000):
        waits = core.run(slices)
        core.look_at_timer()
        if core.pc in core.hooks:
            return end_of(core.fetch(WINDOW, lx106_exceptions.SIZE))
        core.instructions += slices if waits else 0
    raise AssertionError(f"it runs on and on, at {core.pc:#x}")


@pytest.mark.parametrize("name", SCENARIOS)
def test_exceptions_and_interrupts_are_as_in_qemu(name: str, tmp_path: Path) -> None:
    scenario = SCENARIOS[name]
    built = qemu.build(scenario.text, tmp_path)
    expected = end_of(qemu.run(built.elf))
    assert expected.vectors == list(scenario.vectors)
    for warm in TIERS:
        assert run_to_end(full_core_with(built, warm), 20) == expected


@pytest.mark.parametrize("name", INTERRUPTED)
def test_interrupts_from_outside_are_as_in_qemu(name: str, tmp_path: Path) -> None:
    bits, scenario = INTERRUPTED[name]
    built = qemu.build(scenario.text, tmp_path)
    expected = end_of(qemu.run_interrupted(built, bits))
    assert expected.vectors == list(scenario.vectors)
    for warm in TIERS:
        core = full_core_with(built, warm)
        core.run(200)
        assert core.pc == built.symbols["there"]
        core.lines = bits & LINES
        core.raise_interrupt(bits & EDGES)
        if bits & NMI_BIT:
            core.raise_nmi()
        assert run_to_end(core, 20) == expected


def undefined_words() -> list[int]:
    """Words of 24 bits that are no instructions: some of each operation code, and of special registers."""
    random = Random(1)
    words = [
        first | second << 16 | third << 20 | random.getrandbits(12) << 4
        for first, second, third, _ in product(range(8), range(16), range(16), range(5))
    ]
    words += [
        access | number << 8 | 0x30 for access in (0x030000, 0x130000, 0x610000) for number in range(256)
    ]
    words += [third << 20 | random.getrandbits(16) << 4 & 0xFFF0 for third in range(16) for _ in range(50)]
    return [
        word
        for word in words
        if isa.decode(word.to_bytes(3, "little"), 0) is None
        and not any(word & mask == match for match, mask in ONLY_IN_QEMU)
    ]


def test_what_is_no_instruction_is_illegal_in_qemu(tmp_path: Path) -> None:
    words = undefined_words()
    assert len(words) >= WORDS
    for start in range(0, len(words), 250):  # as many as the log has entries for
        some = words[start : start + 250]
        body = "\n".join(f" .byte {', '.join(map(hex, word.to_bytes(3, 'little')))}" for word in some)
        built = qemu.build(lx106_exceptions.program(f"first:\n{body}"), tmp_path)
        expected = end_of(qemu.run(built.elf))
        first = built.symbols["first"]
        assert [entry["epc1"] for entry in expected.log] == [first + 3 * at for at in range(len(some))]
        assert {entry["exccause"] for entry in expected.log} == {Cause.ILLEGAL}
        assert run_to_end(full_core_with(built, TIERS[1]), 1000) == expected


def test_random_programs_with_exceptions_end_as_in_qemu(tmp_path: Path) -> None:
    entered: Counter[tuple[int, int]] = Counter()
    for seed in range(PROGRAMS):
        built = qemu.build(FaultyProgram(seed).faulty(CHUNKS), tmp_path)
        expected = end_of(qemu.run(built.elf))
        executed = set()
        for warm in TIERS:
            core = full_core_with(built, warm)
            assert run_to_end(core, 1000) == expected, f"seed {seed}, translated after {warm}"
            executed.add(core.instructions)
        assert len(executed) == 1
        entered.update((entry["vector"], entry["exccause"]) for entry in expected.log)
    # All of them were there, from a thread, from a handler, and as the last one before a break.
    assert {vector for vector, _ in entered} == {DEBUG, KERNEL, USER, DOUBLE}
    for vector in (KERNEL, USER, DOUBLE):
        causes = {cause for at, cause in entered if at == vector}
        assert causes == {0, 1, 9, 20, 28, 29} | ({4} if vector != DOUBLE else set())
    assert entered.total() >= ENTERED
