"""The tiers of the full core, and the strict core: each does the same with the same code."""

from __future__ import annotations

from hashlib import sha256
from random import Random

import pytest

from imgtool.formats.code import isa
from imgtool.virtual.cpu.core import DRAM_BASE, IRAM_BASE, ROM, Core, Trap
from imgtool.virtual.cpu.full_core import WINDOW
from imgtool.virtual.cpu.semantics import BY_CORE, CONDITIONS, LOADS, STORES
from tests.virtual.cpu.cores import (
    CLOSURES,
    DEBUG,
    DEVICE,
    KERNEL,
    TIERS,
    full_core,
    run_to_hook,
    stop_at,
    strict_core,
)
from tests.virtual.cpu.random_code import (
    POINTER,
    STORAGE,
    access,
    branch,
    encode,
    plain,
    program,
    random_value,
    straight,
)

CODE = 0x4010_4000
DATA = 0x3FFF_0000
SIMCALL = isa.ROWS["simcall"].match.to_bytes(3, "little")
NEVER_STRICT = {"break", "break.n", "ill", "ill.n", "simcall", "syscall"}  # the strict core ends there
SAR, PS, EPC1, EPC2, EPC3, DEPC, EPS2, EPS3 = 3, 230, 177, 178, 179, 192, 194, 195


def state(core: Core) -> tuple[object, ...]:
    """All that code can see, but for the program counter."""
    special = {number: value for number, value in core.special.items() if number in (*STORAGE, 232, 233, 238)}
    digest = sha256(core.dram + core.iram).hexdigest()
    return tuple(core.a), core.sar, core.ps, special, core.instructions, digest


def prepare(core: Core, code: bytes, seed: object) -> int:
    """Put code and random values in; the address behind the code."""
    random = Random(str(seed))
    for start in range(CODE - 256, CODE, 4):
        core.load(start, random_value(random).to_bytes(4, "little"))  # literals
    core.load(CODE, code)
    core.pc, end = CODE, CODE + len(code)
    core.load(DATA, random.randbytes(1024))
    for register in range(16):
        core.a[register] = random_value(random)
    core.a[POINTER] = DATA
    core.sar = random.randrange(64)
    for number in STORAGE:
        core.special[number] = random_value(random)
    return end


def strictly(code: bytes, seed: object, target: int | None = None, **special: int) -> tuple[object, ...]:
    core, _ = strict_core()
    end = prepare(core, code + SIMCALL, seed) - 3
    _aim(core, target, end, special)
    with pytest.raises(Trap, match="simulator call"):  # noqa: PT012 (the end of a loop)
        while True:
            core.run(10_000)
    assert core.pc == end
    return state(core)


def fully(
    warm: int, code: bytes, seed: object, target: int | None = None, **special: int
) -> tuple[object, ...]:
    core, _ = full_core(warm)
    end = prepare(core, code, seed)
    core.load(end, SIMCALL)
    _aim(core, target, end, special)
    stop_at(core, end)
    assert run_to_hook(core) == end
    return state(core)


def _aim(core: Core, target: int | None, end: int, special: dict[str, int]) -> None:
    """Let a register hold where the code goes on, and special registers by name."""
    if target is not None:
        core.a[target] = end
    for name, value in special.items():
        number = {name: number for number, name in isa.SPECIAL_REGISTERS.items()}[name]
        core.special[number] = value or end


def around(random: Random, mnemonic: str) -> bytes:
    """A program around one instruction, which has an effect and comes to its end either way."""
    name = plain(mnemonic)
    if name in LOADS or name in STORES:
        return encode(random, mnemonic, s=POINTER)
    if name in CONDITIONS or name == "j":
        # Over an instruction that shows whether it was executed.
        return branch(random, mnemonic, isa.ROWS[mnemonic].size + 3) + encode(random, "addi", r=3, s=3)
    if name == "call0":
        return branch(random, mnemonic, 8) + encode(random, "addi") + encode(random, "nop.n")
    if name == "l32r":
        return encode(random, mnemonic, literal=0x10000 - random.randrange(2, 64) << 8)
    if name in {"rsr", "wsr", "xsr"}:
        number = random.choice([n for n in (SAR, PS, *STORAGE) if isa.special_access(mnemonic, n)])
        return encode(random, mnemonic, special=number << 8)
    return encode(random, mnemonic)


GOING_ON = sorted(set(isa.ROWS) - BY_CORE - {"break.n", "ill.n", "jx", "callx0", "ret", "ret.n"})


@pytest.mark.parametrize("mnemonic", GOING_ON)
def test_each_instruction(mnemonic: str) -> None:
    random = Random(mnemonic)
    for seed in range(12):
        code = around(random, mnemonic)
        expected = strictly(code, seed)
        assert [fully(warm, code, seed) for warm in (CLOSURES, 0)] == [expected] * 2, code.hex()


@pytest.mark.parametrize(
    ("mnemonic", "register"), [("jx", 5), ("callx0", 5), ("callx0", 0), ("ret", 0), ("ret.n", 0)]
)
def test_each_jump_to_a_register(mnemonic: str, register: int) -> None:
    code = encode(Random(0), mnemonic, s=register)
    expected = strictly(code, 0, target=register)
    assert [fully(warm, code, 0, target=register) for warm in (CLOSURES, 0)] == [expected] * 2


@pytest.mark.parametrize(
    ("mnemonic", "level", "special"),
    [
        ("rfe", 0, {"epc1": 0}),
        ("rfde", 0, {"depc": 0}),
        ("rfi", 2, {"epc2": 0, "eps2": 0x35}),
        ("rfi", 3, {"epc3": 0, "eps3": 0x13}),
    ],
)
def test_each_return(mnemonic: str, level: int, special: dict[str, int]) -> None:
    code = encode(Random(0), mnemonic, level=level << 8)
    expected = strictly(code, 0, **special)
    assert [fully(warm, code, 0, **special) for warm in (CLOSURES, 0)] == [expected] * 2


def test_waiti() -> None:
    code = encode(Random(0), "waiti", level=7 << 8)
    strict, _ = strict_core()
    closures, _ = full_core(CLOSURES)
    translated, _ = full_core(0)
    for core in (strict, closures, translated):
        prepare(core, code, 0)
        assert core.run(100)
        assert (core.pc, core.ps) == (CODE + 3, 7)
    assert state(strict) == state(closures) == state(translated)


@pytest.mark.parametrize("mnemonic", sorted(NEVER_STRICT))
@pytest.mark.parametrize("ps", [0, 0x20, 0x10, 2])
def test_each_exception_is_the_same_in_both_tiers(mnemonic: str, ps: int) -> None:
    random = Random(mnemonic)
    code = b"".join(straight_without_state(random) for _ in range(5)) + encode(random, mnemonic)
    ends = []
    for warm in (CLOSURES, 0):
        core, _ = full_core(warm)
        stop_at(core, prepare(core, code, 0))
        core.ps = ps
        ends.append((run_to_hook(core), state(core)))
    assert ends[0] == ends[1]


def straight_without_state(random: Random) -> bytes:
    return encode(random, random.choice(("add", "sub", "mull", "xor", "addi", "neg", "src")))


def test_no_instruction_is_left_out() -> None:
    elsewhere = {"jx", "callx0", "ret", "ret.n", "rfe", "rfde", "rfi", "waiti"}
    assert {*GOING_ON, *NEVER_STRICT} | elsewhere == set(isa.ROWS)


@pytest.mark.parametrize("seed", range(30))
def test_random_programs(seed: int) -> None:
    random = Random(seed)
    code = program(random, 25)
    expected = strictly(code, seed)
    for warm in TIERS:
        assert fully(warm, code, seed) == expected, f"warm {warm}"


def test_a_program_that_gets_warm_on_its_way() -> None:
    """Registers pass from one tier to the other in the middle of a loop."""
    random = Random(5)
    body = b"".join(straight(random) for _ in range(12))
    code = bytes.fromhex("f2a0ff") + body + bytes.fromhex("0bff")  # movi a15, 255; ...; addi.n a15, a15, -1
    code += branch(random, "bnez", -(len(body) + 2), s=15)
    expected = strictly(code, 5)
    assert [fully(warm, code, 5) for warm in (1, 100, 101, 254)] == [expected] * 4


# With exceptions in the middle, which only the full core has ----------------------------------------------

# The handlers log what happened to where a13 points, and go on 3 bytes behind:
# rsr.epc1 a14; s32i.n a14, a13, 0; rsr.exccause a14; s32i.n a14, a13, 4; rsr.excvaddr a14;
# s32i.n a14, a13, 8; addi.n a13, a13, 12; rsr.epc1 a14; addi.n a14, a14, 3; wsr.epc1 a14; rfe
_HANDLER = "e0b103 e90d e0e803 e91d e0ee03 e92d cbdd e0b103 3bee e0b113 003000"
# rsr.epc2 a14; s32i.n a14, a13, 0; addi.n a13, a13, 4; addi.n a14, a14, 3; wsr.epc2 a14; rfi 2
_DEBUGGER = "e0b203 e90d 4bdd 3bee e0b213 103200"
LOG = DATA + 0x4000
TABLE = DATA + 0x800
PLACES = (
    DRAM_BASE,
    DRAM_BASE + 0x17F00,
    IRAM_BASE,
    IRAM_BASE + 0x100,
    IRAM_BASE + 0xFF00,
    0x4011_0000,
    ROM.start + 0x1000,
    WINDOW.start,
    WINDOW.stop - 1024,
    DEVICE,
    0,
    0x7FFF_FFFF,
    0xFFFF_FE00,
    0xFFFF_FFFF,
    DATA,
    DATA + 1,
)


def with_faults(random: Random) -> bytes:
    """A loop with accesses to anywhere, and with what raises exceptions; each of these is 3 bytes long."""
    code = b""
    for _ in range(30):
        match random.randrange(4):
            case 0:
                code += bytes([0x08 | 14 << 4, random.randrange(16) << 4 | 12])  # l32i.n a14, a12, ...
                fault = access(random, 14)
                code += fault if len(fault) == 3 else b""
            case 1:
                code += random.choice(
                    [
                        b"\x00\x00\x00",
                        SIMCALL,
                        b"\x00\x50\x00",
                        b"\x00\x40\x00",
                        b"\x50\x34\xc2",
                        b"\x6d\xf0\x00",
                    ]
                )
            case _:
                code += straight_within(random)
    return (
        bytes.fromhex("f2a014") + code + bytes.fromhex("0bff") + branch(random, "bnez", -len(code) - 2, s=15)
    )


def straight_within(random: Random) -> bytes:
    """What leaves alone the registers of the handlers, and special registers."""
    mnemonic = random.choice(
        ("add", "subx8", "mul16s", "src", "sra", "ssl", "extui", "movi.n", "movnez", "nsa")
    )
    row = isa.ROWS[mnemonic]
    return encode(
        random, mnemonic, **{kind: random.randrange(2, 12) for kind in "rst" if kind in row.operands}
    )


@pytest.mark.parametrize("seed", range(12))
def test_exceptions_in_the_middle_of_random_programs(seed: int) -> None:
    code = with_faults(Random(seed))
    ends = []
    for warm in TIERS:
        rom = {
            ROM.start + 0x100: _HANDLER,
            ROM.start + 0x140: _DEBUGGER,
            KERNEL: branch(Random(0), "j", 0xD0).hex(),
            DEBUG: branch(Random(0), "j", 0x130).hex(),
        }
        core, bus = full_core(warm, rom)
        end = prepare(core, code, seed)
        core.map_window(0, bytearray(Random(seed).randbytes(len(WINDOW))))
        core.a[12], core.a[13] = TABLE, LOG
        core.load(TABLE, b"".join(place.to_bytes(4, "little") for place in PLACES))
        stop_at(core, end)
        assert run_to_hook(core) == end
        ends.append((state(core), core.exceptions, bus.words, bus.counts))
    assert ends[1:] == ends[:1] * 2
    assert sum(ends[0][1].values()) > 20
