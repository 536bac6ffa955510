"""The core: what each instruction does, traps, idle loops, changed code, and runs inside of runs."""

from __future__ import annotations

import pytest

from imgtool.virtual.cpu.core import DRAM_BASE, IRAM_BASE, Core, Trap

DATA = 0x3FFF0000
CODE = 0x40100100
LITERALS = 0x40100000
ROM = 0x40000100
DEVICE = 0x60000000
MARK = 0x33333333  # in a3, where a result goes

# Assembly, bytes; a4, a5 and SAR before; a3 after.
RESULTS = [
    ("abs a3, a4", "403160", (0, 0, 0), 0),
    ("abs a3, a4", "403160", (0xFFFFFFFF, 0, 0), 1),
    ("abs a3, a4", "403160", (0x80000000, 0, 0), 0x80000000),
    ("neg a3, a4", "403060", (1, 0, 0), 0xFFFFFFFF),
    ("neg a3, a4", "403060", (0, 0, 0), 0),
    ("neg a3, a4", "403060", (0x80000000, 0, 0), 0x80000000),
    ("add a3, a4, a5", "503480", (0xFFFFFFFF, 1, 0), 0),
    ("add.n a3, a4, a5", "5a34", (0x7FFFFFFF, 1, 0), 0x80000000),
    ("addi a3, a4, -128", "32c480", (127, 0, 0), 0xFFFFFFFF),
    ("addi a3, a4, 127", "32c47f", (0xFFFFFF81, 0, 0), 0),
    ("addi.n a3, a4, -1", "0b34", (0, 0, 0), 0xFFFFFFFF),
    ("addi.n a3, a4, 15", "fb34", (1, 0, 0), 16),
    ("addmi a3, a4, -32768", "32d480", (0x8000, 0, 0), 0),
    ("addmi a3, a4, 32512", "32d47f", (1, 0, 0), 0x7F01),
    ("addx2 a3, a4, a5", "503490", (0x80000001, 3, 0), 5),
    ("addx4 a3, a4, a5", "5034a0", (0x40000001, 3, 0), 7),
    ("addx8 a3, a4, a5", "5034b0", (0x20000001, 3, 0), 11),
    ("sub a3, a4, a5", "5034c0", (0, 1, 0), 0xFFFFFFFF),
    ("subx2 a3, a4, a5", "5034d0", (1, 3, 0), 0xFFFFFFFF),
    ("subx4 a3, a4, a5", "5034e0", (0x40000001, 3, 0), 1),
    ("subx8 a3, a4, a5", "5034f0", (1, 9, 0), 0xFFFFFFFF),
    ("and a3, a4, a5", "503410", (0xF0F0F0F0, 0xFF00FF00, 0), 0xF000F000),
    ("or a3, a4, a5", "503420", (0xF0F0F0F0, 0xFF00FF00, 0), 0xFFF0FFF0),
    ("xor a3, a4, a5", "503430", (0xF0F0F0F0, 0xFF00FF00, 0), 0x0FF00FF0),
    ("mov.n a3, a4", "3d04", (0x80000001, 0, 0), 0x80000001),
    ("movi a3, -2048", "32a800", (0, 0, 0), 0xFFFFF800),
    ("movi a3, 2047", "32a7ff", (0, 0, 0), 2047),
    ("movi.n a3, -32", "6c03", (0, 0, 0), 0xFFFFFFE0),
    ("movi.n a3, 95", "5cf3", (0, 0, 0), 95),
    ("moveqz a3, a4, a5", "503483", (7, 0, 0), 7),
    ("moveqz a3, a4, a5", "503483", (7, 1, 0), 0x33333333),
    ("movnez a3, a4, a5", "503493", (7, 0, 0), 0x33333333),
    ("movnez a3, a4, a5", "503493", (7, 0x80000000, 0), 7),
    ("movltz a3, a4, a5", "5034a3", (7, 0x80000000, 0), 7),
    ("movltz a3, a4, a5", "5034a3", (7, 0x7FFFFFFF, 0), 0x33333333),
    ("movgez a3, a4, a5", "5034b3", (7, 0, 0), 7),
    ("movgez a3, a4, a5", "5034b3", (7, 0xFFFFFFFF, 0), 0x33333333),
    ("mul16u a3, a4, a5", "5034c1", (0xABCDFFFF, 0x1234FFFF, 0), 0xFFFE0001),
    ("mul16s a3, a4, a5", "5034d1", (0xABCDFFFF, 0x12340002, 0), 0xFFFFFFFE),
    ("mul16s a3, a4, a5", "5034d1", (0x8000, 0x8000, 0), 0x40000000),
    ("mull a3, a4, a5", "503482", (0xFFFFFFFF, 0xFFFFFFFF, 0), 1),
    ("mull a3, a4, a5", "503482", (0x10001, 0x10001, 0), 0x20001),
    ("nsa a3, a4", "30e440", (0, 0, 0), 31),
    ("nsa a3, a4", "30e440", (0xFFFFFFFF, 0, 0), 31),
    ("nsa a3, a4", "30e440", (0x80000000, 0, 0), 0),
    ("nsa a3, a4", "30e440", (0x7FFFFFFF, 0, 0), 0),
    ("nsa a3, a4", "30e440", (1, 0, 0), 30),
    ("nsau a3, a4", "30f440", (0, 0, 0), 32),
    ("nsau a3, a4", "30f440", (1, 0, 0), 31),
    ("nsau a3, a4", "30f440", (0x80000000, 0, 0), 0),
    ("extui a3, a4, 28, 4", "403c35", (0xA2345678, 0, 0), 10),
    ("extui a3, a4, 0, 16", "4030f4", (0xA2345678, 0, 0), 0x5678),
    ("extui a3, a4, 31, 1", "403f05", (0x80000000, 0, 0), 1),
    ("slli a3, a4, 1", "f03411", (0x80000001, 0, 0), 2),
    ("slli a3, a4, 31", "103401", (3, 0, 0), 0x80000000),
    ("srli a3, a4, 15", "403f41", (0x80000000, 0, 0), 0x10000),
    ("srai a3, a4, 31", "403f31", (0x80000000, 0, 0), 0xFFFFFFFF),
    ("srai a3, a4, 4", "403421", (0x80000000, 0, 0), 0xF8000000),
    ("srai a3, a4, 4", "403421", (0x7FFFFFFF, 0, 0), 0x07FFFFFF),
    ("srai a3, a4, 0", "403021", (0x80000001, 0, 0), 0x80000001),
    ("sll a3, a4", "0034a1", (3, 0, 1), 0x80000000),
    ("sll a3, a4", "0034a1", (3, 0, 32), 3),
    ("sll a3, a4", "0034a1", (3, 0, 0), 0),
    ("srl a3, a4", "403091", (0x80000000, 0, 31), 1),
    ("srl a3, a4", "403091", (0x80000000, 0, 32), 0),
    ("srl a3, a4", "403091", (0x80000001, 0, 0), 0x80000001),
    ("sra a3, a4", "4030b1", (0x80000000, 0, 31), 0xFFFFFFFF),
    ("sra a3, a4", "4030b1", (0x80000000, 0, 32), 0xFFFFFFFF),
    ("sra a3, a4", "4030b1", (0x40000000, 0, 30), 1),
    ("src a3, a4, a5", "503481", (0x12345678, 0x9ABCDEF0, 8), 0x789ABCDE),
    ("src a3, a4, a5", "503481", (0x12345678, 0x9ABCDEF0, 0), 0x9ABCDEF0),
    ("src a3, a4, a5", "503481", (0x12345678, 0x9ABCDEF0, 32), 0x12345678),
    ("rsr.sar a3", "300303", (0, 0, 63), 63),
    ("or a3, a4, a4", "403420", (5, 0, 0), 5),
]
SHIFTS = [
    ("ssl a4", "001440", 0, 32),
    ("ssl a4", "001440", 33, 31),
    ("ssr a4", "000440", 63, 31),
    ("ssa8l a4", "002440", 7, 24),
    ("ssa8b a4", "003440", 4, 32),
    ("ssa8b a4", "003440", 3, 8),
    ("ssai 31", "104f40", 0, 31),
    ("wsr.sar a4", "400313", 0xFF, 63),
]
BRANCHES = [
    ("beqz a4, . + 8", "164400", (0, 9), True),
    ("beqz a4, . + 8", "164400", (1, 9), False),
    ("beqz.n a4, . + 8", "8c44", (0, 9), True),
    ("bnez.n a4, . + 8", "cc44", (0, 9), False),
    ("bnez a4, . + 8", "564400", (0x80000000, 0), True),
    ("bltz a4, . + 8", "964400", (0x80000000, 0), True),
    ("bltz a4, . + 8", "964400", (0x7FFFFFFF, 0), False),
    ("bgez a4, . + 8", "d64400", (0, 0), True),
    ("bgez a4, . + 8", "d64400", (0xFFFFFFFF, 0), False),
    ("beqi a4, -1, . + 8", "260404", (0xFFFFFFFF, 0), True),
    ("beqi a4, 256, . + 8", "26f404", (255, 0), False),
    ("bnei a4, 12, . + 8", "66a404", (12, 0), False),
    ("bnei a4, -1, . + 8", "660404", (1, 0), True),
    ("blti a4, -1, . + 8", "a60404", (0xFFFFFFFE, 0), True),
    ("blti a4, -1, . + 8", "a60404", (0xFFFFFFFF, 0), False),
    ("blti a4, 1, . + 8", "a61404", (0x80000000, 0), True),
    ("bgei a4, 1, . + 8", "e61404", (0x80000000, 0), False),
    ("bgei a4, 5, . + 8", "e65404", (5, 0), True),
    ("bltui a4, 32768, . + 8", "b60404", (32768, 0), False),
    ("bltui a4, 32768, . + 8", "b60404", (32767, 0), True),
    ("bltui a4, 65536, . + 8", "b61404", (0xFFFFFFFF, 0), False),
    ("bgeui a4, 2, . + 8", "f62404", (2, 0), True),
    ("bgeui a4, 2, . + 8", "f62404", (0x80000000, 0), True),
    ("bgeui a4, 65536, . + 8", "f61404", (65535, 0), False),
    ("bnone a4, a5, . + 8", "570404", (0xF0, 0x0F), True),
    ("bnone a4, a5, . + 8", "570404", (0xF0, 0x1F), False),
    ("bany a4, a5, . + 8", "578404", (0xF0, 0x0F), False),
    ("bany a4, a5, . + 8", "578404", (0xF0, 0x10), True),
    ("ball a4, a5, . + 8", "574404", (0xF3, 0xF0), True),
    ("ball a4, a5, . + 8", "574404", (0xF0, 0xF1), False),
    ("bnall a4, a5, . + 8", "57c404", (0xF0, 0xF1), True),
    ("bnall a4, a5, . + 8", "57c404", (0xF0, 0), False),
    ("beq a4, a5, . + 8", "571404", (5, 5), True),
    ("bne a4, a5, . + 8", "579404", (5, 5), False),
    ("blt a4, a5, . + 8", "572404", (5, 5), False),
    ("blt a4, a5, . + 8", "572404", (0xFFFFFFFF, 0), True),
    ("blt a4, a5, . + 8", "572404", (0x7FFFFFFF, 0x80000000), False),
    ("bge a4, a5, . + 8", "57a404", (5, 5), True),
    ("bge a4, a5, . + 8", "57a404", (0, 0xFFFFFFFF), True),
    ("bge a4, a5, . + 8", "57a404", (0x80000000, 0x7FFFFFFF), False),
    ("bltu a4, a5, . + 8", "573404", (5, 5), False),
    ("bltu a4, a5, . + 8", "573404", (0xFFFFFFFF, 0), False),
    ("bltu a4, a5, . + 8", "573404", (0, 1), True),
    ("bgeu a4, a5, . + 8", "57b404", (5, 5), True),
    ("bgeu a4, a5, . + 8", "57b404", (0xFFFFFFFF, 0), True),
    ("bgeu a4, a5, . + 8", "57b404", (0, 1), False),
    ("bbc a4, a5, . + 8", "575404", (0x80000000, 31), False),
    ("bbc a4, a5, . + 8", "575404", (0x80000000, 30), True),
    ("bbs a4, a5, . + 8", "57d404", (0x80000000, 63), True),
    ("bbs a4, a5, . + 8", "57d404", (1, 1), False),
    ("bbci a4, 31, . + 8", "f77404", (0x80000000, 0), False),
    ("bbci a4, 0, . + 8", "076404", (0xFFFFFFFE, 0), True),
    ("bbsi a4, 31, . + 8", "f7f404", (0x80000000, 0), True),
    ("bbsi a4, 17, . + 8", "17f404", (0x10000, 0), False),
]


class Bus:
    """A device of one readable and writable word, a FIFO beside it, and a ROM that returns."""

    def __init__(self) -> None:
        self.word = 0
        self.fifo: list[int] = []
        self.log: list[tuple[object, ...]] = []
        self.counts: list[int] = []
        self.stop_at: int | None = None
        self.core: Core | None = None

    def read(self, address: int, size: int) -> int:
        assert self.core is not None
        self.counts.append(self.core.instructions)
        if address == self.stop_at:
            self.core.stop = True
        if address == DEVICE + 4:
            self.core.side_effect = True
            return self.fifo.pop(0) if self.fifo else 0
        if address & ~3 != DEVICE:
            raise Trap("nothing is there", address=address)
        self.log.append(("read", address, size))
        return self.word & (1 << 8 * size) - 1

    def write(self, address: int, value: int, size: int) -> None:
        assert self.core is not None
        self.counts.append(self.core.instructions)
        if address == self.stop_at:
            self.core.stop = True
        if address & ~3 != DEVICE:
            raise Trap("nothing is there", address=address)
        self.log.append(("write", address, value, size))

    def enter_rom(self, core: Core, address: int) -> None:
        self.counts.append(core.instructions)
        self.log.append(("rom", address))
        if address == self.stop_at:
            core.stop = True
        core.pc = core.a[0]


def machine(listing: str, **registers: int) -> tuple[Core, Bus]:
    """A core with a program at CODE: one line an instruction, its bytes first; and registers set."""
    bus = Bus()
    core = bus.core = Core(bus)
    core.load(CODE, b"".join(bytes.fromhex(line.split()[0]) for line in listing.strip().splitlines()))
    core.pc = CODE
    for name, value in registers.items():
        if name == "sar":
            core.sar = value
        else:
            core.a[int(name[1:])] = value
    return core, bus


def l32r(register: int, pc: int, literal: int) -> str:
    """The bytes of ``l32r`` at an address."""
    return f"{register << 4 | 1:02x}" + ((literal - (pc + 3 & ~3) >> 2) & 0xFFFF).to_bytes(2, "little").hex()


def trap_of(core: Core) -> Trap:
    with pytest.raises(Trap) as caught:
        core.run(100_000)
    return caught.value


# Semantics --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("assembly", "code", "before", "after"), RESULTS)
def test_result(assembly: str, code: str, before: tuple[int, int, int], after: int) -> None:
    del assembly
    a4, a5, sar = before
    core, _ = machine(code, a3=MARK, a4=a4, a5=a5, sar=sar)
    core.step()
    assert (core.a[3], core.a[4], core.a[5], core.sar) == (after, a4, a5, sar)
    assert core.pc == CODE + len(code) // 2


@pytest.mark.parametrize(("assembly", "code", "before", "after"), RESULTS)
def test_result_of_constants(assembly: str, code: str, before: tuple[int, int, int], after: int) -> None:
    """The translator knows literals, and computes with them."""
    del assembly
    a4, a5, sar = before
    loads = "".join(l32r(3 + number, CODE + 3 * number, LITERALS + 4 * number) for number in range(3))
    core, _ = machine(f"{loads}{code}005100", sar=sar)
    for number, value in enumerate((MARK, a4, a5)):
        core.load(LITERALS + 4 * number, value.to_bytes(4, "little"))
    trap_of(core)
    assert core.a[3] == after


@pytest.mark.parametrize(("assembly", "code", "a4", "after"), SHIFTS)
def test_shift_amount(assembly: str, code: str, a4: int, after: int) -> None:
    del assembly
    core, _ = machine(code, a4=a4, sar=17)
    core.step()
    assert core.sar == after


@pytest.mark.parametrize(("assembly", "code", "before", "taken"), BRANCHES)
def test_branch(assembly: str, code: str, before: tuple[int, int], taken: bool) -> None:
    del assembly
    core, _ = machine(code, a4=before[0], a5=before[1])
    core.step()
    assert core.pc == CODE + (8 if taken else len(code) // 2)
    assert core.instructions == 1


@pytest.mark.parametrize(
    ("code", "a3"),
    [
        ("320201", 0xFE),  # l8ui a3, a2, 1
        ("321202", 0xFCFD),  # l16ui a3, a2, 4
        ("329202", 0xFFFFFCFD),  # l16si a3, a2, 4
        ("329203", 0x7F01),  # l16si a3, a2, 6
        ("322201", 0x7F01FCFD),  # l32i a3, a2, 4
        ("3812", 0x7F01FCFD),  # l32i.n a3, a2, 4
    ],
)
def test_load(code: str, a3: int) -> None:
    core, _ = machine(code, a2=DATA, a3=MARK)
    core.load(DATA, bytes.fromhex("fffe0000fdfc017f"))
    core.step()
    assert core.a[3] == a3


@pytest.mark.parametrize(
    ("code", "memory"),
    [
        ("324201", "aa78aaaaaaaaaaaa"),  # s8i a3, a2, 1
        ("325201", "aaaa7856aaaaaaaa"),  # s16i a3, a2, 2
        ("326201", "aaaaaaaa78563412"),  # s32i a3, a2, 4
        ("3912", "aaaaaaaa78563412"),  # s32i.n a3, a2, 4
    ],
)
def test_store(code: str, memory: str) -> None:
    core, _ = machine(code, a2=DATA, a3=0x12345678)
    core.load(DATA, b"\xaa" * 8)
    core.step()
    assert core.fetch(DATA, 8).hex() == memory


@pytest.mark.parametrize("address", [DRAM_BASE, DRAM_BASE + 0x17FFC, IRAM_BASE, IRAM_BASE + 0xFFFC])
def test_first_and_last_word_of_ram(address: int) -> None:
    core, _ = machine("3902 s32i.n a3, a2, 0\n4802 l32i.n a4, a2, 0", a2=address, a3=0x80000001)
    core.step()
    core.step()
    assert core.a[4] == 0x80000001
    assert core.fetch(address, 4) == b"\x01\x00\x00\x80"


def test_an_address_wraps() -> None:
    core, bus = machine("322201 l32i a3, a2, 4", a2=0xFFFFFFFC)
    with pytest.raises(Trap, match="nothing is there at 0x00000000"):
        core.run(1)
    assert bus.log == []


def test_calls_and_jumps() -> None:
    core, _ = machine("450000 call0 . + 8\n6df0 ill.n\n3df0 nop.n\n3df0 nop.n\n0df0 ret.n")
    core.pc = CODE
    core.load(CODE + 8, bytes.fromhex("c00200"))  # callx0 a2
    core.a[2] = CODE + 16
    core.load(CODE + 16, bytes.fromhex("a00300"))  # jx a3
    core.a[3] = CODE + 24
    core.load(CODE + 24, bytes.fromhex("800000"))  # ret
    core.load(CODE + 11, bytes.fromhex("6df0"))
    trap = trap_of(core)
    assert trap.pc == CODE + 11
    assert core.a[0] == CODE + 11
    assert core.instructions == 4


def test_callx0_through_a0() -> None:
    core, _ = machine("c00000 callx0 a0", a0=CODE + 16)
    core.step()
    assert (core.pc, core.a[0]) == (CODE + 16, CODE + 3)


def test_special_registers() -> None:
    core, _ = machine(
        """306f00 rsil a3, 15
        30e613 wsr.ps a3
        30e661 xsr.ps a3
        30d113 wsr.excsave1 a3
        40d161 xsr.excsave1 a4
        30e213 wsr.intset a3
        50e313 wsr.intclear a5
        60e203 rsr.interrupt a6""",
        a4=9,
        a5=1,
    )
    core.ps = 0x20
    core.step()
    assert (core.a[3], core.ps) == (0x20, 0x2F)
    core.step()
    assert core.ps == 0x20
    core.a[3] = 0x33
    core.step()
    assert (core.a[3], core.ps) == (0x20, 0x33)
    core.a[3] = 7
    for _ in range(5):
        core.step()
    assert (core.a[4], core.special[209], core.a[6]) == (7, 9, 6)


def test_ps_has_no_fields_for_windows() -> None:
    core, _ = machine("30e613 wsr.ps a3", a3=0xFFFFFFFF)
    core.step()
    assert core.ps == 0x3F


def test_returns_from_exceptions_and_interrupts() -> None:
    core, _ = machine("30b113 wsr.epc1 a3\n003000 rfe", a3=CODE + 32)
    core.ps = 0x30
    core.load(CODE + 32, bytes.fromhex("50b213 40c213 103200".replace(" ", "")))
    core.a[4], core.a[5] = 0x21, CODE + 64  # wsr.epc2 a5; wsr.eps2 a4; rfi 2
    core.run(2)
    assert (core.pc, core.ps) == (CODE + 32, 0x20)
    core.run(3)
    assert (core.pc, core.ps) == (CODE + 64, 0x21)


def test_ccount_counts_and_can_be_set() -> None:
    core, _ = machine(
        "3df0 nop.n\n" * 10 + "30ea03 rsr.ccount a3\n40ea13 wsr.ccount a4\n30ea03 rsr.ccount a3"
    )
    for _ in range(11):
        core.step()
    assert core.a[3] == 13  # 1.3 cycles an instruction
    core.a[4] = 1000
    core.step()
    core.step()
    assert core.a[3] == 1001


# Traps ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "a2", "cause"),
    [
        ("000000", 0, "illegal instruction"),
        ("6df0", 0, "illegal instruction"),
        ("204100", 0, "breakpoint 1 2"),
        ("2df3", 0, "breakpoint 3"),
        ("005000", 0, "system call"),
        ("005100", 0, "simulator call"),
        ("5034c2", 0, "undefined instruction 50 34 c2"),  # quou
        ("103500", 0, "return from an interrupt level that the lx106 does not have: 5"),
        ("322200", DATA + 2, "unaligned access at 0x3fff0002"),
        ("3802", DATA + 1, "unaligned access at 0x3fff0001"),
        ("321200", DATA + 1, "unaligned access at 0x3fff0001"),
        ("329200", DATA + 3, "unaligned access at 0x3fff0003"),
        ("326200", DATA + 2, "unaligned access at 0x3fff0002"),
        ("3902", DATA + 3, "unaligned access at 0x3fff0003"),
        ("325200", DATA + 1, "unaligned access at 0x3fff0001"),
        ("322200", IRAM_BASE + 1, "unaligned access at 0x40100001"),
        ("320200", IRAM_BASE, "8-bit load from instruction RAM at 0x40100000"),
        ("321200", IRAM_BASE, "16-bit load from instruction RAM at 0x40100000"),
        ("324200", IRAM_BASE + 1, "8-bit store to instruction RAM at 0x40100001"),
        ("325200", IRAM_BASE + 2, "16-bit store to instruction RAM at 0x40100002"),
        ("322200", DRAM_BASE - 4, "nothing is there at 0x3ffe7ffc"),
        ("322200", 0x3FFE0000, "nothing is there at 0x3ffe0000"),
        ("322200", 0x40000000, "nothing is there at 0x40000000"),
        ("320200", 0x40200000, "nothing is there at 0x40200000"),
        ("326200", IRAM_BASE + 0x10000, "nothing is there at 0x40110000"),
        ("326200", 0, "nothing is there at 0x00000000"),
        ("326200", 0xFFFFFFFC, "nothing is there at 0xfffffffc"),
    ],
)
def test_trap(code: str, a2: int, cause: str) -> None:
    before = "3df0 nop.n\n4c75 movi.n a5, 71\n1b44 addi.n a4, a4, 1\n"
    core, _ = machine(f"{before}{code}\n1b44 addi.n a4, a4, 1", a2=a2, a3=MARK, a4=1, sar=5)
    trap = trap_of(core)
    pc = CODE + 6
    assert str(trap) == f"{cause}, by the instruction at 0x{pc:08x}"
    assert trap.pc == core.pc == pc
    assert trap.registers == tuple(core.a)
    assert trap.registers[2:6] == (a2, MARK, 2, 71)
    assert trap.special["sar"] == 5
    assert core.instructions == 3


@pytest.mark.parametrize("target", [0x40200000, DATA, 0, 0x40110000, 0xFFFFFFFF, 0x400FFFFF])
def test_only_instruction_ram_holds_code(target: int) -> None:
    core, _ = machine("a00200 jx a2", a2=target)
    trap = trap_of(core)
    assert (trap.pc, trap.address, core.instructions) == (target, target, 1)
    assert str(trap) == f"fetch from memory that holds no code at 0x{target:08x}"


def test_undefined_bytes_trap_only_when_they_are_reached() -> None:
    core, _ = machine("8c43 beqz.n a3, . + 8\n5034c2 quou\n3df0 nop.n\n3df0 nop.n\n005100 simcall")
    core.load(CODE + 8, bytes.fromhex("005100"))
    assert trap_of(core).cause == "simulator call"


def test_an_instruction_cut_by_the_end_of_ram() -> None:
    core, _ = machine("3df0 nop.n")
    core.load(IRAM_BASE + 0xFFFE, b"\x20\x20")
    core.pc = IRAM_BASE + 0xFFFE
    assert trap_of(core).cause == "undefined instruction 20 20"


def test_a_rom_routine_has_to_go_somewhere() -> None:
    class Stuck(Bus):
        def enter_rom(self, core: Core, address: int) -> None:
            del core, address

    core = Core(Stuck())
    core.pc = ROM
    with pytest.raises(Trap, match="the ROM routine did not return"):
        core.run(10)


def test_host_access_outside_ram() -> None:
    core, _ = machine("3df0 nop.n")
    with pytest.raises(Trap, match="4 bytes are not all in RAM at 0x3ffffffe"):
        core.load(0x3FFFFFFE, bytes(4))
    with pytest.raises(Trap, match="at 0x40000000"):
        core.fetch(0x40000000, 1)


# The bus, stopping and counting -----------------------------------------------------------------------------


def test_bus_accesses() -> None:
    listing = "320201 l8ui a3, a2, 1\n325201 s16i a3, a2, 2\n326200 s32i a3, a2, 0\n005100 simcall"
    core, bus = machine(listing, a2=DEVICE)
    bus.word = 0x1234
    trap_of(core)
    assert bus.log == [
        ("read", DEVICE + 1, 1),
        ("write", DEVICE + 2, 0x34, 2),
        ("write", DEVICE, 0x34, 4),
    ]
    assert bus.counts == [0, 1, 2]


def test_counts_in_a_loop_are_exact() -> None:
    # 1: s32i.n a3, a2, 0; addi a4, a4, -1; bnez a4, 1b; simcall
    core, bus = machine("3902\n42c4ff\n5674ff\n005100", a2=DEVICE, a4=5)
    trap_of(core)
    assert bus.counts == [0, 3, 6, 9, 12]
    assert core.instructions == 15


def test_a_run_ends_soon_after_its_limit() -> None:
    core, _ = machine("1b44 addi.n a4, a4, 1\n46feff j . - 3 + 1")
    core.load(CODE + 2, bytes.fromhex("86feff"))  # j . - 2
    for limit in (1, 10, 1000):
        before = core.instructions
        assert not core.run(limit)
        assert limit <= core.instructions - before <= limit + 2
        assert core.a[4] == core.instructions // 2


@pytest.mark.parametrize(
    ("code", "a3"),
    [("322200", 0xFFFF8001), ("329200", 0xFFFF8001), ("320200", 1), ("326200", MARK)],
)
def test_stop_from_an_access(code: str, a3: int) -> None:
    core, bus = machine(f"{code}\n1b44 addi.n a4, a4, 1\n005100", a2=DEVICE, a3=MARK)
    bus.word = 0xFFFF8001
    bus.stop_at = DEVICE
    assert not core.run(1000)
    assert (core.a[3], core.a[4], core.instructions) == (a3, 0, 1)
    assert core.pc == CODE + 3
    assert not core.stop
    assert trap_of(core).cause == "simulator call"


def test_stop_from_a_rom_routine() -> None:
    core, bus = machine("c00200 callx0 a2\n005100", a2=ROM)
    bus.stop_at = ROM
    assert not core.run(1000)
    assert (core.pc, core.instructions, bus.log) == (CODE + 3, 1, [("rom", ROM)])


def test_stop_before_a_run() -> None:
    core, _ = machine("005100 simcall")
    core.stop = True
    assert not core.run(1000)
    assert core.instructions == 0
    assert trap_of(core).cause == "simulator call"


def test_a_run_inside_of_a_run() -> None:
    """As an interrupt is delivered: from a ROM routine, with the registers brought back after it."""
    magic = 0x40000FFC

    class Interrupting(Bus):
        def enter_rom(self, core: Core, address: int) -> None:
            if address == magic:
                core.stop = True
                core.pc = 0
                return
            saved, sar, pc = tuple(core.a), core.sar, core.a[0]
            core.a[0], core.pc = magic, CODE + 64
            core.run(1000)
            assert core.pc == 0
            core.a[:], core.sar, core.pc = saved, sar, pc

    bus = Interrupting()
    core = bus.core = Core(bus)
    # movi.n a4, 7; callx0 a2; addi.n a4, a4, 1; simcall
    core.load(CODE, bytes.fromhex("0c74c002001b44005100"))
    # movi.n a4, 1; s32i.n a4, a3, 0; ssai 31; ret.n
    core.load(CODE + 64, bytes.fromhex("0c144903104f400df0"))
    core.pc, core.a[2], core.a[3] = CODE, ROM, DATA
    assert trap_of(core).cause == "simulator call"
    assert (core.a[4], core.sar, core.fetch(DATA, 4)) == (8, 0, b"\x01\x00\x00\x00")
    assert core.instructions == 3 + 4


def test_waiti() -> None:
    core, _ = machine("007300 waiti 3\n1b44 addi.n a4, a4, 1\n005100")
    core.ps = 0x2F
    assert core.run(1000)
    assert (core.pc, core.ps, core.instructions) == (CODE + 3, 0x23, 1)
    assert core.run(1000)
    assert core.instructions == 1
    core.waiting = False
    trap_of(core)
    assert core.a[4] == 1


# Idle loops -------------------------------------------------------------------------------------------------

FLAG_LOOP = "c02000 memw\n3802 l32i.n a3, a2, 0\n1673ff beqz a3, . - 5\n005100 simcall"


@pytest.mark.parametrize("address", [DATA, DEVICE])
def test_waiting_for_a_flag_is_idle(address: int) -> None:
    core, bus = machine(FLAG_LOOP, a2=address)
    assert core.run(100_000)
    assert core.instructions < 2000
    executed = core.instructions
    assert core.run(100_000)
    assert core.instructions <= executed + 6
    core.load(DATA, b"\x01")
    bus.word = 1
    assert trap_of(core).cause == "simulator call"


def test_a_wait_may_call_and_use_the_stack() -> None:
    # 1: call0 2f; beqz a3, 1b; simcall.  2: at + 16: addi a1, a1, -16; s32i.n a0, a1, 0; l32i.n a3, a2, 0;
    # l32i.n a0, a1, 0; addi a1, a1, 16; ret.n
    core, _ = machine("c50000\n1693ff\n005100", a1=DATA + 64, a2=DATA)
    core.load(CODE, bytes.fromhex("c50000"))
    core.load(CODE + 16, bytes.fromhex("12c1f00901380208 0112c1100df0".replace(" ", "")))
    assert core.run(100_000)
    core.load(DATA, b"\x01")
    assert trap_of(core).pc == CODE + 6


@pytest.mark.parametrize(
    ("listing", "why"),
    [
        ("1b44 addi.n a4, a4, 1\n86feff j . - 2", "a register counts"),
        ("3812 l32i.n a3, a2, 4\n86feff j . - 2", "a FIFO is emptied"),
        ("3902 s32i.n a3, a2, 0\n86feff j . - 2", "a device is written"),
        ("30ea03 rsr.ccount a3\n46feff j . - 3", "time is watched"),
        ("c00200 callx0 a2\n46feff j . - 3", "the ROM is called"),
        ("30d113 wsr.excsave1 a3\n46feff j . - 3", "a special register is written"),
    ],
)
def test_not_idle(listing: str, why: str) -> None:
    core, _ = machine(listing, a2=ROM if "ROM" in why else DEVICE)
    assert not core.run(20_000), why
    assert core.instructions >= 20_000


def test_counting_in_memory_is_not_idle() -> None:
    # 1: l32i.n a3, a2, 0; addi.n a3, a3, 1; s32i.n a3, a2, 0; movi.n a3, 1; j 1b
    core, _ = machine("3802\n1b33\n3902\n0c13\n06fdff", a2=DATA)
    assert not core.run(20_000)
    assert int.from_bytes(core.fetch(DATA, 4), "little") == pytest.approx(core.instructions / 5, abs=1)


def test_reads_of_another_address_do_not_count_as_reads_of_the_fifo() -> None:
    core, bus = machine(FLAG_LOOP, a2=DEVICE)
    core.side_effect = True
    assert core.run(100_000)
    assert set(bus.log) == {("read", DEVICE, 4)}


# Changed code -----------------------------------------------------------------------------------------------


def test_code_loaded_by_the_host_is_translated_anew() -> None:
    core, _ = machine("0c13 movi.n a3, 1\n005100 simcall")
    trap_of(core)
    core.load(CODE, bytes.fromhex("0c73"))
    core.pc = CODE
    trap_of(core)
    assert core.a[3] == 7


def test_code_stored_by_code_is_translated_anew() -> None:
    # 1: movi.n a3, 1; s32i.n a4, a2, 0 (over the first word of this loop); beqi a3, 1, 1b; simcall
    new = "0c734902"  # movi.n a3, 7; s32i.n a4, a2, 0
    core, _ = machine("0c13\n4902\n2613f8\n005100", a2=CODE, a4=int.from_bytes(bytes.fromhex(new), "little"))
    core.load(CODE + 4, bytes.fromhex("2613f8"))
    assert trap_of(core).cause == "simulator call"
    assert (core.a[3], core.instructions) == (7, 6)


def test_code_stored_right_ahead_of_the_program_counter() -> None:
    # s32i.n a4, a2, 0; nop.n; movi.n a3, 1 (becomes movi.n a3, 7); nop.n; simcall
    core, _ = machine("4902\n3df0\n0c13\n3df0\n005100", a2=CODE + 4)
    core.a[4] = int.from_bytes(bytes.fromhex("0c733df0"), "little")
    trap_of(core)
    assert core.a[3] == 7


def test_a_literal_that_changes() -> None:
    # 1: l32r a3, LITERALS; addi.n a3, a3, 1; s32i.n a3, a2, 0; addi a4, a4, -1; bnez a4, 1b; simcall
    core, _ = machine("31c0ff\n1b33\n3902\n42c4ff\n5624ff\n005100", a2=LITERALS, a4=300)
    trap_of(core)
    assert int.from_bytes(core.fetch(LITERALS, 4), "little") == 300


@pytest.mark.parametrize("literal", [5, 6])
def test_the_same_code_with_another_literal(literal: int) -> None:
    """What was translated for one core serves others, where all that it rests on is the same."""
    core, _ = machine("31c0ff l32r a3, LITERALS\n005100")
    core.load(LITERALS, literal.to_bytes(4, "little"))
    trap_of(core)
    assert core.a[3] == literal


def test_the_same_code_beside_other_code() -> None:
    """Behind a branch stands something else than where the same function was translated before."""
    results = []
    for behind in ("0c73 movi.n a3, 7", "0c53 movi.n a3, 5"):
        core, _ = machine(f"261301 beqi a3, 1, . + 5\n3df0 nop.n\n{behind}\n005100", a3=1)
        trap_of(core)
        results.append(core.a[3])
    assert results == [7, 5]


def test_storing_beside_code_keeps_it() -> None:
    core, _ = machine("3902 s32i.n a3, a2, 0\n005100", a2=CODE + 64, a3=5)
    trap_of(core)
    assert core.fetch(CODE + 64, 4) == b"\x05\x00\x00\x00"
