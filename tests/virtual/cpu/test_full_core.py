"""The full core: exceptions, interrupts, the timer, the window and changed code, in both tiers."""

from __future__ import annotations

import pytest

from imgtool.virtual.cpu.core import DRAM_BASE, IRAM_BASE, ROM
from imgtool.virtual.cpu.full_core import WINDOW, Cause, FullCore
from tests.virtual.cpu.cores import (
    CLOSURES,
    DEBUG,
    DEVICE,
    DOUBLE,
    KERNEL,
    NMI,
    USER,
    Bus,
    full_core,
    run_to_hook,
    stop_at,
)

CODE = 0x4010_0100
DATA = 0x3FFF_0000
EPC1, EPC2, EPC3, DEPC, EPS2, EPS3 = 177, 178, 179, 192, 194, 195
INTERRUPT, INTENABLE, VECBASE, EXCCAUSE, DEBUGCAUSE, EXCVADDR, CCOMPARE = 226, 228, 231, 232, 233, 238, 240
UM, EXCM = 0x20, 0x10
SOFTWARE, TIMER, LINE, EDGE = 1 << 7, 1 << 6, 1 << 5, 1 << 9
NOP, COUNT_A4 = "3df0", "1b44"  # nop.n; addi.n a4, a4, 1
pytestmark = pytest.mark.parametrize("warm", [CLOSURES, 0], ids=["closures", "translated"])


def with_code(warm: int, listing: str, rom: dict[int, str] | None = None, **registers: int) -> FullCore:
    """A core with a program at CODE: one line an instruction, its bytes first; and registers set."""
    core, _ = with_bus(warm, listing, rom, **registers)
    return core


def with_bus(
    warm: int, listing: str, rom: dict[int, str] | None = None, **registers: int
) -> tuple[FullCore, Bus]:
    core, bus = full_core(warm, rom)
    core.load(CODE, assembled(listing))
    core.pc = CODE
    for name, value in registers.items():
        core.a[int(name[1:])] = value
    return core, bus


def assembled(listing: str) -> bytes:
    return b"".join(bytes.fromhex(line.split()[0]) for line in listing.strip().splitlines())


def special(core: FullCore, *numbers: int) -> list[int]:
    return [core.special.get(number, 0) for number in numbers]


# Exceptions -------------------------------------------------------------------------------------------------

# Bytes, a2, cause, EXCVADDR (None: it stays).
FAULTS = [
    ("000000", 0, Cause.ILLEGAL, None),  # ill
    ("6df0", 0, Cause.ILLEGAL, None),  # ill.n
    ("5034c2", 0, Cause.ILLEGAL, None),  # quou, which the lx106 has not
    ("005100", 0, Cause.ILLEGAL, None),  # simcall
    ("103100", 0, Cause.ILLEGAL, None),  # rfi 1
    ("005000", 0, Cause.SYSCALL, None),
    ("320200", IRAM_BASE + 1, Cause.LOAD_STORE, IRAM_BASE + 1),  # l8ui a3, a2, 0
    ("321200", IRAM_BASE + 2, Cause.LOAD_STORE, IRAM_BASE + 2),  # l16ui
    ("329200", IRAM_BASE, Cause.LOAD_STORE, IRAM_BASE),  # l16si
    ("320200", ROM.start + 3, Cause.LOAD_STORE, ROM.start + 3),
    ("321200", WINDOW.start + 2, Cause.LOAD_STORE, WINDOW.start + 2),
    ("324200", IRAM_BASE, Cause.LOAD_STORE, IRAM_BASE),  # s8i a3, a2, 0
    ("325200", IRAM_BASE, Cause.LOAD_STORE, IRAM_BASE),  # s16i
    ("322200", DATA + 2, Cause.ALIGNMENT, DATA + 2),  # l32i
    ("321200", DATA + 1, Cause.ALIGNMENT, DATA + 1),
    ("329200", IRAM_BASE + 1, Cause.ALIGNMENT, IRAM_BASE + 1),
    ("326200", DATA + 1, Cause.ALIGNMENT, DATA + 1),  # s32i
    ("325200", WINDOW.start + 1, Cause.ALIGNMENT, WINDOW.start + 1),
    ("322201", 0xFFFF_FFFE, Cause.ALIGNMENT, 2),  # l32i a3, a2, 4: the address goes round
    ("322200", 0, Cause.LOAD_PROHIBITED, 0),
    ("322201", 0xFFFF_FFFC, Cause.LOAD_PROHIBITED, 0),
    ("320200", DRAM_BASE - 1, Cause.LOAD_PROHIBITED, DRAM_BASE - 1),
    ("322200", IRAM_BASE + 0x10000, Cause.LOAD_PROHIBITED, IRAM_BASE + 0x10000),
    ("326200", 0, Cause.STORE_PROHIBITED, 0),
    ("324200", 3, Cause.STORE_PROHIBITED, 3),
    ("326200", ROM.start, Cause.STORE_PROHIBITED, ROM.start),
    ("326200", WINDOW.start + 4, Cause.STORE_PROHIBITED, WINDOW.start + 4),
    ("326201", 0xFFFF_FFFC, Cause.STORE_PROHIBITED, 0),
]
# Registers are in locals of a translated function when the exception comes.
BEFORE = "1b44 addi.n a4, a4, 1\n0c75 movi.n a5, 7\n4066c0 sub a6, a6, a4\n104f40 ssai 31"
AFTER = "1b44 addi.n a4, a4, 1\n1b33 addi.n a3, a3, 1"


@pytest.mark.parametrize(("ps", "vector"), [(0, KERNEL), (UM, USER), (UM | 5, USER), (UM | EXCM, DOUBLE)])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault[0]}-{fault[1]:x}")
def test_exception(warm: int, ps: int, vector: int, fault: tuple[str, int, int, int | None]) -> None:
    code, a2, cause, address = fault
    core = with_code(warm, f"{BEFORE}\n{code}\n{AFTER}", a2=a2, a3=0x33333333, a4=1, a6=10)
    core.ps = ps
    core.special[EXCVADDR] = 0x1234
    assert run_to_hook(core) == vector
    at = CODE + len(assembled(BEFORE))
    assert special(core, EXCCAUSE, EXCVADDR) == [cause, 0x1234 if address is None else address]
    assert special(core, EPC1, DEPC) == ([0, at] if ps & EXCM else [at, 0])
    assert core.ps == ps | EXCM
    assert core.a[2:7] == [a2, 0x33333333, 2, 7, 8]
    # A second one at once counts, so that a handler that raises another at once comes to an end.
    assert (core.sar, core.instructions) == (31, 5 if ps & EXCM else 4)
    assert core.exceptions == {cause: 1}


@pytest.mark.parametrize("target", [DATA, 0x4011_0000, 0x5000_0000, 0, 0xFFFF_FFFF])
def test_a_jump_to_where_no_code_is(warm: int, target: int) -> None:
    core = with_code(warm, "a00200 jx a2", a2=target)
    assert run_to_hook(core) == KERNEL
    assert special(core, EXCCAUSE, EXCVADDR, EPC1) == [Cause.FETCH_PROHIBITED, target, target]
    assert core.instructions == 1


def test_the_vectors_move_with_vecbase(warm: int) -> None:
    core = with_code(warm, "20e713 wsr.vecbase a2\n005000 syscall", a2=IRAM_BASE)
    stop_at(core, IRAM_BASE + 0x30)
    assert run_to_hook(core) == IRAM_BASE + 0x30


def test_a_handler_goes_on_behind_the_instruction(warm: int) -> None:
    # rsr.epc1 a8; addi.n a8, a8, 3; wsr.epc1 a8; rfe
    core = with_code(
        warm, f"005000 syscall\n{COUNT_A4}\n005000 syscall\n{COUNT_A4}", {KERNEL: "80b103 3b88 80b113 003000"}
    )
    stop_at(core, CODE + 10)
    assert run_to_hook(core) == CODE + 10
    assert (core.a[4], core.ps, core.exceptions) == (2, 0, {Cause.SYSCALL: 2})
    assert core.instructions == 2 + 2 * 4


def test_a_handler_of_a_double_exception_returns_to_the_first(warm: int) -> None:
    # Kernel: syscall; addi.n a4, a4, 1; rfe.  Double: rsr.depc a8; addi.n a8, a8, 3; wsr.depc a8; rfde
    core = with_code(warm, "000000 ill", {KERNEL: "005000 1b44 003000", DOUBLE: "80c003 3b88 80c013 003200"})
    core.run(6)
    assert special(core, EPC1, DEPC, EXCCAUSE) == [CODE, KERNEL + 3, Cause.SYSCALL]
    assert core.exceptions[Cause.ILLEGAL] == core.exceptions[Cause.SYSCALL] == 1
    assert (core.pc, core.ps, core.a[4]) == (CODE, 0, 1)


@pytest.mark.parametrize(("code", "size", "cause"), [("204100", 3, 1 << 3), ("2df3", 2, 1 << 4)])
def test_break_is_an_exception_of_the_debugger(warm: int, code: str, size: int, cause: int) -> None:
    core = with_code(warm, f"{NOP}\n{code}\n{COUNT_A4}")
    core.ps = UM | 1
    assert run_to_hook(core) == DEBUG
    assert special(core, EPC2, EPS2, DEBUGCAUSE) == [CODE + 2, UM | 1, cause]
    assert core.ps == UM | EXCM | 2
    assert core.exceptions == {}
    # From level 2 on, it does nothing.
    core.pc = CODE
    stop_at(core, CODE + 4 + size)
    assert run_to_hook(core) == CODE + 4 + size
    assert core.a[4] == 1


def test_rfi_2_ends_the_exception_of_the_debugger(warm: int) -> None:
    # rsr.epc2 a8; addi.n a8, a8, 3; wsr.epc2 a8; rfi 2
    core = with_code(warm, f"204100 break\n{COUNT_A4}", {DEBUG: "80b203 3b88 80b213 103200"})
    core.ps = UM
    stop_at(core, CODE + 5)
    assert run_to_hook(core) == CODE + 5
    assert (core.ps, core.a[4]) == (UM, 1)


# Interrupts -------------------------------------------------------------------------------------------------

ENDLESS = f"{COUNT_A4}\n86feff j . - 2"


@pytest.mark.parametrize(("ps", "vector"), [(0, KERNEL), (UM, USER)])
def test_a_line_that_is_up_interrupts(warm: int, ps: int, vector: int) -> None:
    core = with_code(warm, ENDLESS)
    core.ps = ps
    core.special[INTENABLE] = LINE
    core.run(10)
    core.lines = LINE
    counted, at = core.a[4], core.pc
    assert run_to_hook(core) == vector
    assert special(core, EXCCAUSE, EPC1) == [Cause.INTERRUPT, at]
    assert (core.a[4], core.ps) == (counted, ps | EXCM)
    assert core.exceptions == {}


@pytest.mark.parametrize(
    ("ps", "enabled", "raised", "lines"),
    [
        (EXCM, LINE, 0, LINE),
        (1, LINE, 0, LINE),
        (15, LINE, 0, LINE),
        (0, EDGE, 0, LINE),
        (0, LINE, EDGE, 0),
        (0, 0, EDGE, LINE),
    ],
)
def test_masked_interrupts(warm: int, ps: int, enabled: int, raised: int, lines: int) -> None:
    core = with_code(warm, ENDLESS)
    core.ps, core.lines = ps, lines
    core.special[INTENABLE] = enabled
    core.raise_interrupt(raised)
    assert not core.run(100)
    assert (core.a[4] >= 50, core.ps) == (True, ps)


def test_an_edge_stays_until_it_is_cleared_and_a_line_as_long_as_it_is_up(warm: int) -> None:
    # rsr.interrupt a3; wsr.intclear a2; rsr.interrupt a5
    core = with_code(warm, "30e203\n20e313\n50e203", a2=0xFFFF_FFFF)
    core.raise_interrupt(EDGE | TIMER)
    core.lines = LINE
    stop_at(core, CODE + 9)
    run_to_hook(core)
    assert core.a[3] == EDGE | TIMER | LINE
    assert core.a[5] == TIMER | LINE  # the timer's goes away by a store to CCOMPARE only


def test_software_raises_its_own_interrupt_alone(warm: int) -> None:
    core = with_code(warm, "20e213 wsr.intset a2\n30e203 rsr.interrupt a3", a2=0xFFFF_FFFF)
    stop_at(core, CODE + 6)
    run_to_hook(core)
    assert core.a[3] == SOFTWARE


# Each of these lets an interrupt in that waits: it comes before the next instruction, and after the result.
LETTING_IN = [
    ("306000", 2, SOFTWARE, 2, 0),  # rsil a3, 0
    ("20e613", 2, SOFTWARE, 0x33, 0),  # wsr.ps a2
    ("30e661", 2, SOFTWARE, 2, 0),  # xsr.ps a3
    ("20e413", 0, 0, 0x33, 0),  # wsr.intenable a2
    ("30e461", 0, 0, 0, SOFTWARE),  # xsr.intenable a3
    ("003000", EXCM, SOFTWARE, 0x33, 0),  # rfe
    ("103200", 2, SOFTWARE, 0x33, 0),  # rfi 2
    ("103300", 3, SOFTWARE, 0x33, 0),  # rfi 3
    ("007000", 2, SOFTWARE, 0x33, 0),  # waiti 0
]


@pytest.mark.parametrize(("code", "ps", "enabled", "result", "a3"), LETTING_IN)
def test_an_interrupt_comes_before_the_next_instruction(
    warm: int, code: str, ps: int, enabled: int, result: int, a3: int
) -> None:
    core = with_code(warm, f"{COUNT_A4}\n{code}\n{COUNT_A4}\n{COUNT_A4}", a3=a3 or 0x33)
    core.a[2] = SOFTWARE if code == "20e413" else 0
    if code == "30e661":
        core.a[3] = 0
    core.ps = ps
    core.special.update({INTENABLE: enabled, EPC1: CODE + 5, EPC2: CODE + 5, EPC3: CODE + 5})
    core.raise_interrupt(SOFTWARE)
    assert run_to_hook(core) == KERNEL
    assert special(core, EPC1, EXCCAUSE) == [CODE + 5, Cause.INTERRUPT]
    assert (core.a[3], core.a[4], core.instructions) == (result, 1, 2)


def test_intset_interrupts_before_the_next_instruction(warm: int) -> None:
    core = with_code(warm, f"20e213 wsr.intset a2\n{COUNT_A4}", a2=SOFTWARE)
    core.special[INTENABLE] = SOFTWARE
    assert run_to_hook(core) == KERNEL
    assert (special(core, EPC1), core.a[4]) == ([CODE + 3], 0)


def test_intclear_comes_in_time(warm: int) -> None:
    # wsr.intclear a2; rsil a3, 0; addi.n a4, a4, 1
    core = with_code(warm, f"20e313\n306000\n{COUNT_A4}", a2=SOFTWARE)
    core.ps = 3
    core.special[INTENABLE] = SOFTWARE
    core.raise_interrupt(SOFTWARE)
    stop_at(core, CODE + 8)
    assert run_to_hook(core) == CODE + 8
    assert (core.a[4], special(core, INTERRUPT)) == (1, [0])


def test_a_line_that_a_store_raises_interrupts_behind_it(warm: int) -> None:
    core, bus = with_bus(warm, f"3902 s32i.n a3, a2, 0\n{COUNT_A4}", a2=DEVICE)
    core.special[INTENABLE] = LINE
    write = bus.write

    def raising(address: int, value: int, size: int) -> None:
        write(address, value, size)
        core.lines, core.stop = LINE, True

    bus.write = raising  # type: ignore[method-assign]
    core.run(100)
    assert run_to_hook(core) == KERNEL
    assert (special(core, EPC1), core.a[4], core.instructions) == ([CODE + 2], 0, 1)


def test_waiti_waits_for_an_interrupt(warm: int) -> None:
    core = with_code(warm, f"007000 waiti 0\n{COUNT_A4}")
    core.ps = 3
    core.special[INTENABLE] = LINE | EDGE
    assert core.run(100)
    assert (core.pc, core.instructions, core.ps) == (CODE + 3, 1, 0)
    assert core.idles
    assert core.run(100)
    assert core.instructions == 1
    core.raise_interrupt(EDGE)
    assert run_to_hook(core) == KERNEL
    assert special(core, EPC1) == [CODE + 3]
    assert not core.waiting


def test_waiti_above_the_interrupts_level_waits_for_the_nmi(warm: int) -> None:
    core = with_code(warm, f"007100 waiti 1\n{COUNT_A4}")
    core.special[INTENABLE] = EDGE
    core.raise_interrupt(EDGE)
    core.ps = 1
    assert core.run(100)
    assert not core.idles
    core.raise_nmi()
    assert run_to_hook(core) == NMI
    assert special(core, EPC3, EPS3) == [CODE + 3, 1]


def test_waiti_does_not_wait_where_an_interrupt_is_there_already(warm: int) -> None:
    """Not even where the run ends with it: who skips the time would skip the interrupt."""
    core = with_code(warm, f"007000 waiti 0\n{COUNT_A4}")
    core.ps = 3
    core.special[INTENABLE] = EDGE
    core.raise_interrupt(EDGE)
    assert not core.run(1)
    assert run_to_hook(core) == KERNEL


@pytest.mark.parametrize("ps", [0, UM, EXCM | 15])
def test_nothing_masks_the_nmi_and_rfi_3_returns(warm: int, ps: int) -> None:
    core = with_code(warm, ENDLESS, {NMI: "1b55 103300"})  # addi.n a5, a5, 1; rfi 3
    core.ps = ps
    core.run(10)
    at = core.pc
    core.raise_nmi()
    assert (core.pc, core.ps) == (NMI, ps & ~15 | EXCM | 3)
    assert special(core, EPC3, EPS3) == [at, ps]
    core.run(10)
    assert (core.a[5], core.ps) == (1, ps)


# The timer --------------------------------------------------------------------------------------------------


def timed(warm: int, listing: str, **registers: int) -> FullCore:
    core, _ = with_bus(warm, listing, None, **registers)
    core.cycles = lambda: core.instructions * 2
    return core


def test_the_timer_interrupts_when_ccount_has_come_to_ccompare(warm: int) -> None:
    core = timed(warm, f"20f013 wsr.ccompare0 a2\n{ENDLESS}", a2=100)
    core.special[INTENABLE] = TIMER
    core.run(1)
    core.look_at_timer()
    assert core.compare_in == 98
    core.run(20)
    core.look_at_timer()
    assert special(core, INTERRUPT) == [0]
    core.run(60)
    core.look_at_timer()
    assert run_to_hook(core) == KERNEL


def test_a_look_at_the_very_cycle_finds_it_once(warm: int) -> None:
    core = timed(warm, f"20f013 wsr.ccompare0 a2\n{NOP}\n{ENDLESS}", a2=4)
    core.run(1)
    assert core.ccount == 2
    core.instructions = 2
    core.look_at_timer()
    assert special(core, INTERRUPT) == [TIMER]
    moments = [core.compare_in]  # nobody waits for it while it is not enabled
    core.special.update({INTERRUPT: 0, INTENABLE: TIMER})
    assert [*moments, core.compare_in] == [None, 1 << 32]
    core.instructions += 10
    core.look_at_timer()
    assert special(core, INTERRUPT) == [0]


def test_a_match_is_kept_while_the_interrupt_is_off(warm: int) -> None:
    core = timed(warm, f"20f013 wsr.ccompare0 a2\n{ENDLESS}", a2=20)
    core.run(100)
    core.run(100)
    core.look_at_timer()
    assert special(core, INTERRUPT) == [TIMER]


@pytest.mark.parametrize("code", ["20f013", "20f061"])  # wsr and xsr.ccompare0 a2
def test_a_store_to_ccompare_clears_the_interrupt(warm: int, code: str) -> None:
    core = timed(warm, f"{code}\n{COUNT_A4}", a2=0x1000)
    core.special[CCOMPARE] = 7
    core.raise_interrupt(TIMER | EDGE)
    core.run(1)
    assert special(core, INTERRUPT, CCOMPARE) == [EDGE, 0x1000]
    assert core.a[2] == (7 if "61" in code else 0x1000)


@pytest.mark.parametrize(("code", "a2"), [("20ea13", 5000), ("20ea61", 0)])  # wsr and xsr.ccount a2
def test_a_store_to_ccount_is_no_match(warm: int, code: str, a2: int) -> None:
    core = timed(warm, f"20f013 wsr.ccompare0 a2\n3d02 mov.n a3, a2\n{code}\n40ea03 rsr.ccount a4", a2=5000)
    stop_at(core, CODE + 11)
    core.run(1)
    core.look_at_timer()
    run_to_hook(core)
    core.look_at_timer()
    assert special(core, INTERRUPT) == [0]
    assert core.a[4] == 5002
    assert core.a[2] == (4 if a2 == 0 else 5000)


# The window and changed code --------------------------------------------------------------------------------


def flash_with(*parts: tuple[int, str]) -> bytearray:
    content = bytearray(b"\xff" * len(WINDOW))
    for offset, text in parts:
        code = bytes.fromhex(text)
        content[offset : offset + len(code)] = code
    return content


def test_the_window_shows_what_is_mapped_and_0_while_it_is_closed(warm: int) -> None:
    core = with_code(warm, "3812 l32i.n a3, a2, 4", a2=WINDOW.start)
    stop_at(core, CODE + 2)
    seen = []
    for place, content in ((None, None), (0, "01020304"), (1, "05060708"), (0, "01020304"), (None, None)):
        core.map_window(place, flash_with((4, content)) if content else None)
        core.pc = CODE
        run_to_hook(core)
        seen.append(core.a[3])
    assert seen == [0, 0x04030201, 0x08070605, 0x04030201, 0]


def test_code_runs_from_the_window_as_it_is_mapped(warm: int) -> None:
    core, _ = full_core(warm)
    stop_at(core, WINDOW.start + 2)
    results = []
    for place, code in ((0, "0c13"), (1, "0c73"), (0, "0c13"), (1, "0c73")):  # movi.n a3, 1 or 7
        core.map_window(place, flash_with((0, code)))
        core.pc = WINDOW.start
        run_to_hook(core)
        results.append(core.a[3])
    assert results == [1, 7, 1, 7]


def test_code_in_a_closed_window_is_illegal(warm: int) -> None:
    core, _ = full_core(warm)
    core.pc = WINDOW.start + 0x40
    assert run_to_hook(core) == KERNEL
    assert special(core, EXCCAUSE, EPC1) == [Cause.ILLEGAL, WINDOW.start + 0x40]


@pytest.mark.parametrize("literal", [False, True])
def test_code_is_made_anew_after_the_window_has_changed(warm: int, literal: bool) -> None:
    core, _ = full_core(warm)
    # movi.n a3, 1, or at 4: l32r a3, WINDOW
    content = flash_with((0, "01000000"), (4, "31ffff")) if literal else flash_with((4, "0c13"))
    start, end = WINDOW.start + 4, WINDOW.start + (7 if literal else 6)
    stop_at(core, end)
    core.map_window(0, content)
    results = []
    for value in (1, 7):
        if literal:
            content[0] = value
        else:
            content[4:6] = bytes([0x0C, value << 4 | 3])
        core.window_changed(0, 0, 8)
        core.pc = start
        run_to_hook(core)
        results.append(core.a[3])
    assert results == [1, 7]


def test_code_elsewhere_in_the_window_stays_as_it_is(warm: int) -> None:
    """A change of one page does not throw away what was made from others."""
    core, _ = full_core(warm)
    content = flash_with((0, "0c13"))
    stop_at(core, WINDOW.start + 2)
    core.map_window(0, content)
    for change in (0x1000, 0):
        content[0:2] = bytes.fromhex("0c73") if change else bytes.fromhex("0c53")
        core.window_changed(0, change, 4)
        core.window_changed(9, 0, 4)  # nothing was ever made of that one
        core.pc = WINDOW.start
        run_to_hook(core)
    assert core.a[3] == 5


def test_a_store_that_changes_the_window_under_its_own_code(warm: int) -> None:
    """What comes next is the code that is there now; and a result goes where that code says."""
    core, bus = full_core(warm)
    # At 0: l32i.n a3, a2, 0, or l32i.n a4, a2, 0; nop.n
    contents = [flash_with((0, "3802 3df0")), flash_with((0, "4802 3df0"))]
    stop_at(core, WINDOW.start + 4)
    bus.words[0], bus.stop_at, core.a[2] = 5, DEVICE, DEVICE
    for place in (0, 1):
        core.map_window(place, contents[place])
        core.pc = WINDOW.start
        run_to_hook(core)
        assert core.a[3 + place] == 5
        core.a[3 + place] = 0


@pytest.mark.parametrize("content", [None, flash_with((0, "3df0"))])
def test_a_store_that_closes_the_window_over_itself(warm: int, content: bytearray | None) -> None:
    core, bus = full_core(warm)
    core.map_window(0, flash_with((0, "326200")))  # s32i a3, a2, 0
    core.a[2] = DEVICE

    def closing(address: int, value: int, size: int) -> None:
        del address, value, size
        core.map_window(1, content)

    bus.write = closing  # type: ignore[method-assign]
    core.pc = WINDOW.start
    core.run(1)
    assert core.instructions == 1
    assert run_to_hook(core) == KERNEL  # nothing but erased flash, or nothing, is there


def test_a_literal_in_dram(warm: int) -> None:
    """The ROM's vectors have theirs there."""
    literal = DRAM_BASE + 0x17FFC
    core, _ = full_core(warm, {ROM.start + 0x100: "31bfff"})  # l32r a3, ROM - 4
    stop_at(core, ROM.start + 0x103)
    for value in (1, 0x8000_0001):
        core.load(literal, value.to_bytes(4, "little"))
        core.pc = ROM.start + 0x100
        run_to_hook(core)
        assert core.a[3] == value


@pytest.mark.parametrize("loops", [1, 300])
def test_code_of_iram_that_stores_over_itself(warm: int, loops: int) -> None:
    # 1: movi.n a3, 1; s32i.n a4, a2, 0 (over these two); addi.n a5, a5, -1; bnez a5, 1b
    core = with_code(warm, "0c13\n4902\n0b55\n5665ff", a2=CODE + 256, a5=loops)
    stop_at(core, CODE + 9)
    core.a[4] = int.from_bytes(bytes.fromhex("0c734902"), "little")
    run_to_hook(core)
    assert core.a[3] == 1
    core.pc, core.a[2], core.a[5] = CODE, CODE, 2
    run_to_hook(core)
    assert core.a[3] == 7


@pytest.mark.parametrize(("new", "end"), [("ffffffff", KERNEL), ("000000ff", KERNEL), ("3df03df0", CODE + 8)])
def test_a_store_over_the_own_instruction(warm: int, new: str, end: int) -> None:
    """It has gone by then: the next one is that behind it as it was."""
    core = with_code(warm, f"3902 s32i.n a3, a2, 0\n{COUNT_A4}\n{COUNT_A4}\n{COUNT_A4}", a2=CODE)
    core.a[3] = int.from_bytes(bytes.fromhex(new), "little")
    stop_at(core, CODE + 8)
    assert run_to_hook(core) == end
    assert core.a[4] == (2 if end != KERNEL else 0)
    assert core.special.get(EPC1, CODE + 2) == CODE + 2


def test_a_store_of_what_is_there_already_keeps_code(warm: int) -> None:
    core = with_code(warm, f"3902 s32i.n a3, a2, 0\n{COUNT_A4}", a2=CODE)
    core.a[3] = int.from_bytes(core.fetch(CODE, 4), "little")
    stop_at(core, CODE + 4)
    run_to_hook(core)
    assert (core.a[4], core.instructions) == (1, 2)


# The bus and hooks ------------------------------------------------------------------------------------------


def test_parts_of_a_word_are_read_by_the_bus_and_not_by_its_reader(warm: int) -> None:
    # l8ui a3, a2, 0; l16si a4, a2, 2; l32i.n a5, a2, 0
    core, bus = with_bus(warm, "320200\n429201\n5802", a2=DEVICE)
    core.readers[DEVICE] = lambda: 0xFEDC_BA98
    bus.words[0] = 0xFEDC_BA98
    stop_at(core, CODE + 8)
    run_to_hook(core)
    assert core.a[3:6] == [0x98, 0xFFFF_FEDC, 0xFEDC_BA98]


@pytest.mark.parametrize(
    ("code", "a3"), [("322200", 0xFFFF8001), ("329200", 0xFFFF8001), ("320200", 1), ("326200", 0x33)]
)
def test_stop_from_an_access(warm: int, code: str, a3: int) -> None:
    core, bus = with_bus(warm, f"{code}\n{COUNT_A4}", a2=DEVICE, a3=0x33)
    bus.words[0] = 0xFFFF_8001
    bus.stop_at = DEVICE
    core.run(1000)
    assert (core.a[3], core.a[4], core.instructions, core.pc) == (a3, 0, 1, CODE + 3)


def test_counts_are_exact_when_the_bus_is_called(warm: int) -> None:
    # 1: s32i.n a3, a2, 0; addi a4, a4, -1; bnez a4, 1b
    core, bus = with_bus(warm, "3902\n42c4ff\n5674ff", a2=DEVICE, a4=5)
    stop_at(core, CODE + 8)
    run_to_hook(core)
    assert bus.counts == [0, 3, 6, 9, 12]
    assert core.instructions == 15


@pytest.mark.parametrize("at", [ROM.start + 0x200, IRAM_BASE + 0x200, WINDOW.start + 0x200])
def test_a_hook_runs_in_place_of_code(warm: int, at: int) -> None:
    # call0-like through a2 with code in front of the hook: nop.n; nop.n; (hook)
    core = with_code(warm, f"c00200 callx0 a2\n{COUNT_A4}", {ROM.start + 0x1FC: "3df03df0"}, a2=at - 4)
    core.load(IRAM_BASE + 0x1FC, bytes.fromhex("3df03df0000000"))
    core.map_window(0, flash_with((0x1FC, "3df03df0000000")))
    stop_at(core, CODE + 5)
    seen = []

    def hook() -> None:
        seen.append((core.instructions, core.a[0]))
        core.pc = core.a[0]

    core.hooks[at] = hook
    assert run_to_hook(core) == CODE + 5
    assert seen == [(3, CODE + 3)]
    assert core.a[4] == 1


def test_reset(warm: int) -> None:
    core = with_code(warm, f"20e713 wsr.vecbase a2\n20f013 wsr.ccompare0 a2\n{ENDLESS}", a2=IRAM_BASE)
    core.run(100)
    core.lines, core.sar, core.waiting = LINE, 9, True
    core.reset()
    assert (core.pc, core.ps, core.sar, core.lines) == (ROM.start + 0x80, 0x1F, 0, 0)
    assert core.special == {VECBASE: ROM.start}
    assert not core.waiting
    core.pc = CODE + 6
    before = core.a[4]
    core.run(10)
    assert core.a[4] > before  # RAM stays, and the code in it


def test_the_tiers_change_over_in_a_run(warm: int) -> None:
    core = with_code(min(warm, 5), ENDLESS)
    core.run(1000)
    assert core.a[4] == core.instructions // 2 >= 500
