"""The functions for the radio's buses, against the boot ROM's own code.

A function is called with a table whose entries are all firmware's: a call out says which entry it was, and
returns what is at random.  Then with the ROM's own table, where functions here call each other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from imgtool.virtual.board.rom.phy_bus import FUNCTIONS
from tests.oracle import rom_calls
from tests.oracle.boot_rom import VARIABLE, boot_rom
from tests.oracle.rom_calls import SCRATCH, Bench, Given, Register, after

if TYPE_CHECKING:
    from imgtool.virtual.board.rom.machine import RomFunction
    from imgtool.virtual.cpu.full_core import FullCore

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not boot_rom(), reason=f"{VARIABLE} does not name a dump of the boot ROM"),
]

CALLS: Final = 100
OUTSIDE: Final = range(0x4010_F000, 0x4010_F000 + 16 * 71, 16)
"""What the entries of the table point to."""

OTHERS: Final = (0x4000_60C0, 0x4000_615C, 0x4000_6A98, 0x4000_6AD4)
"""Those of the ROM's table that are called, and are not of this module."""

ABS_TEMPS, DC_IQ_ESTS = (OUTSIDE[0], OTHERS[0]), (OUTSIDE[4], OTHERS[1])
READ_ANALOG, READ_FORCED = OUTSIDE[36], OUTSIDE[44]
PRINT: Final = 0x4000_1D14
TABLE_AT, TABLE = 0x3FFF_C730, SCRATCH + 0x7000
CONSTANTS: Final = (range(0x3FFF_C850, 0x3FFF_C858), range(0x3FFF_CCE0, 0x3FFF_CCE8))
BUS_STATE, ANALOG = 0x6000_05A0, 0x6000_0D00
FORCED: Final = range(0x6000_05A4, 0x6000_05B8, 4)
NEVER_FORCED: Final = {0x6000_05AC: 0b11 << 25}
"""Bits of a fine gain for which the real function takes factors from what lies behind its own."""

DEVICES: Final = (
    range(0x3FF0_0000, 0x3FF1_0000),
    range(0x3FF2_0000, 0x3FF3_0000),
    range(0x6000_0000, 0x6001_0000),
)
"""Where a board has peripherals: some registers here lie beyond those of the other functions."""

Arguments = Callable[[random.Random], tuple[int, ...]]


class Firmware:
    """What functions in the table do: on each core the same one after the other.

    Args:
        seed: For all that is at random.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._sources: dict[int, random.Random] = {}

    def __call__(self, core: FullCore, address: int, arguments: tuple[int, ...]) -> int:
        source = self._sources.setdefault(id(core), random.Random(self._seed))
        if address in DC_IQ_ESTS:
            for place in (arguments[2], arguments[2] + 4):
                bits = source.choice((3, 3, 3, 8, 12, 32))
                core.store_word(place, source.randrange(-1 << bits - 1, 1 << bits - 1) & 0xFFFF_FFFF)
        if address in ABS_TEMPS:
            return abs(arguments[0] - (arguments[0] >> 31 << 32))
        if address == READ_FORCED:
            return source.choice((source.getrandbits(7), source.getrandbits(6), 0x1FF))
        if address == READ_ANALOG:
            return source.choice((source.getrandbits(8), source.getrandbits(32)))
        return source.getrandbits(32)


def words(count: int, bits: int = 32) -> Arguments:
    return lambda source: tuple(source.getrandbits(bits) for _ in range(count))


def analog(source: random.Random) -> tuple[int, ...]:
    """Part, host, register, value."""
    bits = source.choice((8, 8, 32))
    return source.getrandbits(bits), source.randrange(8), source.getrandbits(bits), source.getrandbits(bits)


def field(source: random.Random) -> tuple[int, ...]:
    """Part, host, register, highest bit, lowest, value."""
    part, host, register, value = analog(source)
    low, high = sorted((source.randrange(8), source.randrange(8)))
    return part, host, register, high, low, value


def on_the_bus(source: random.Random) -> tuple[int, ...]:
    """Block, address, value; the address by chance beyond what there is."""
    value = source.getrandbits(source.choice((9, 32)))
    return source.randrange(8), source.choice((1, 2, 4, source.getrandbits(8))), value


def frequency(source: random.Random) -> tuple[int, ...]:
    return source.randrange(2300, 2600), source.randrange(2), source.randrange(1024), place(source)


def search(source: random.Random) -> tuple[int, ...]:
    told = source.randrange(2), source.randrange(2)
    return source.getrandbits(12), SCRATCH + 4 * source.randrange(64), source.getrandbits(8), *told


def place(source: random.Random) -> int:
    """An address of bytes."""
    return SCRATCH + source.randrange(0x1000)


def mismatch(source: random.Random) -> int:
    return source.choice((source.randrange(-40, 40), source.randrange(-130, 130), source.getrandbits(32)))


def of_receiver(source: random.Random) -> tuple[int, ...]:
    return mismatch(source), place(source), source.randrange(2), source.choice((0, 1, 1, 2))


def of_sender(source: random.Random) -> tuple[int, ...]:
    return mismatch(source), source.choice((0, 1, 7)), source.choice((0, 1, 1, 2))


def attenuation(source: random.Random) -> tuple[int, ...]:
    return place(source), source.randrange(5), place(source), place(source), source.randrange(2)


def places(count: int) -> Arguments:
    return lambda source: tuple(place(source) for _ in range(count))


ARGUMENTS: Final[dict[str, Arguments]] = {
    "rom_i2c_readReg": analog,
    "rom_i2c_readReg_Mask": field,
    "rom_i2c_writeReg": analog,
    "rom_i2c_writeReg_Mask": field,
    "rom_pbus_enter_debugmode": words(1),
    "rom_pbus_force_test": on_the_bus,
    "rom_pbus_rd": on_the_bus,
    "rom_pbus_set_rxgain": words(1),
    "rom_pbus_set_txgain": words(1),
    "rom_pbus_xpd_rx_off": words(1),
    "rom_pbus_xpd_tx_on": words(1),
    "rom_pbus_xpd_tx_on__low_gain": words(1),
    "rom_write_rfpll_sdm": places(1),
    "rom_rfpll_set_freq": frequency,
    "rom_pbus_dco___SA2": search,
    "rom_rfcal_rxiq_set_reg": of_receiver,
    "rom_rfcal_txiq_set_reg": of_sender,
    "rom_set_txbb_atten": attenuation,
    "rom_set_txiq_cal": places(2),
}
"""By function; those that are not here have none."""


def changing(address: int, seed: int) -> Register:
    """A register that reads as something else each time."""
    mask = ~NEVER_FORCED.get(address, 0)
    return lambda _written, reads: random.Random(f"{address} {seed} {reads}").getrandbits(32) & mask


def given(function: RomFunction, seed: int, memory: Mapping[int, bytes]) -> Given:
    source = random.Random(f"{function.name} {seed}")
    busy = source.randrange(4)
    registers: dict[int, Register] = {BUS_STATE: after(busy, 1 << 31, cleared=True)}
    registers |= {ANALOG + 4 * host: after(busy, 1 << 25, cleared=True) for host in range(8)}
    registers |= {address: changing(address, seed) for address in FORCED}
    return Given(
        arguments=ARGUMENTS.get(function.name, words(0))(source),
        seed=seed,
        memory=memory,
        registers=registers,
        reply=Firmware(seed),
        hidden=CONSTANTS,
    )


@pytest.fixture(autouse=True)
def _all_peripherals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rom_calls, "_DEVICES", DEVICES)


def check(bench: Bench, case: Given) -> None:
    assert bench.real(case).ended == "returned"
    bench.check(replace(case, reply=Firmware(case.seed)))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_as_the_real_one(function: RomFunction) -> None:
    table = b"".join(address.to_bytes(4, "little") for address in OUTSIDE)
    memory = {TABLE_AT: TABLE.to_bytes(4, "little"), TABLE: table}
    bench = Bench(function, outside=(*OUTSIDE, PRINT))
    for seed in range(CALLS):
        check(bench, given(function, seed, memory))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_with_what_it_calls(function: RomFunction) -> None:
    """The table is the ROM's: functions call each other."""
    bench = Bench(function, outside=(*OTHERS, PRINT), inside=FUNCTIONS)
    for seed in range(CALLS):
        check(bench, given(function, seed, {}))
