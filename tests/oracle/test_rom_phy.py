"""The functions for the radio's baseband and measurements, against the boot ROM's own code.

A function is called with a table whose entries are all firmware's: a call out says which entry it was, and
returns what is at random.  Then with the ROM's own table, where functions here call each other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from imgtool.virtual.board.rom import arithmetic
from imgtool.virtual.board.rom.phy import DATA, FUNCTIONS
from imgtool.virtual.cpu.core import DRAM_BASE
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
OUTSIDE: Final = range(0x4010_F000, 0x4010_F000 + 16 * 70, 16)
"""What the entries of the table point to."""

OTHERS: Final = (0x4000_730C, 0x4000_747C)
"""Those of the ROM's table that are called, and are not of this module."""

READ_SAR: Final = OUTSIDE[9]
TABLE_AT, TABLE = 0x3FFF_C730, SCRATCH + 0x7000
MANTISSAS: Final = (range(0x3FFF_CBD0, 0x3FFF_CBE0),)
"""What the real function has in a table, and ours computes."""

ESTIMATE: Final = 0x6000_057C
SAR_VALUES: Final = range(0x6000_0D80, 0x6000_0DA0, 4)

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
        if address == READ_SAR:
            for place in arguments[:2]:
                core.store_part(place, source.choice((0, 1, 0xFFFF, 0x8000, source.getrandbits(16))), 2)
        return source.getrandbits(32)


def number(source: random.Random) -> int:
    """A word, small as often as large, and with either sign."""
    value = source.getrandbits(source.randrange(1, 33))
    return source.choice((value, -value)) & 0xFFFF_FFFF


def numbers(count: int) -> Arguments:
    return lambda source: tuple(number(source) for _ in range(count))


def one_of(*values: int) -> Arguments:
    return lambda source: (source.choice((*values, number(source))),)


def frequency(source: random.Random) -> tuple[int, ...]:
    near = source.choice((2407, 2412, 2472, 2483, 2484, 2485, 2512, source.randrange(2300, 2800)))
    return source.choice((near, near, number(source))), source.choice((0, 0x80, number(source)))


def power(source: random.Random) -> tuple[int, ...]:
    return number(source), source.choice((0, 2, 3, 4, source.randrange(32), number(source)))


def powers(source: random.Random) -> tuple[int, ...]:
    return source.choice((0, 1, source.randrange(20))), source.choice((source.randrange(16), number(source)))


def samples(source: random.Random) -> tuple[int, ...]:
    return number(source), source.choice((0, source.getrandbits(15), number(source) & ~1)), place(source)


def place(source: random.Random) -> int:
    """An address of words."""
    return SCRATCH + 4 * source.randrange(0x400)


def halves(source: random.Random) -> tuple[int, ...]:
    return place(source) + source.choice((0, 2)), place(source) + source.choice((0, 2))


def tones(source: random.Random) -> tuple[int, ...]:
    """Three times a switch, a step and an attenuation; in the last what is stored of them is less."""
    return tuple(
        part
        for _ in range(3)
        for part in (source.choice((0, 1, number(source))), number(source), number(source))
    )


ARGUMENTS: Final[dict[str, Arguments]] = {
    "rom_abs_temp": one_of(0, 0x8000_0000),
    "rom_chip_v5_sense_backoff": one_of(0, 0x7F, 0x80, 0xFF),
    "rom_dc_iq_est": samples,
    "rom_en_pwdet": one_of(0, 1),
    "rom_get_fm_sar_dout": halves,
    "rom_get_power_db": numbers(1),
    "rom_iq_est_enable": numbers(2),
    "rom_linear_to_db": power,
    "rom_set_txclk_en": one_of(0, 1),
    "rom_set_rxclk_en": one_of(0, 1),
    "rom_mhz2ieee": frequency,
    "rom_set_ana_inf_tx_scale": one_of(0, 63, 64),
    "rom_set_loopback_gain": numbers(4),
    "rom_start_tx_tone": tones,
    "rom_stop_tx_tone": one_of(0, 1, 2, 3, 4),
    "rom_txtone_linear_pwr": powers,
}
"""By function; those that are not here have none."""


def changing(address: int, seed: int) -> Register:
    """A register that reads as something else each time."""
    return lambda _written, reads: random.Random(f"{address} {seed} {reads}").getrandbits(32)


def given(function: RomFunction, seed: int, memory: Mapping[int, bytes]) -> Given:
    source = random.Random(f"{function.name} {seed}")
    registers: dict[int, Register] = {ESTIMATE: after(source.randrange(2, 5), 1 << 31)}
    registers |= {address: changing(address, seed) for address in SAR_VALUES}
    return Given(
        arguments=ARGUMENTS.get(function.name, numbers(0))(source),
        seed=seed,
        memory=memory,
        registers=registers,
        hidden=MANTISSAS,
    )


@pytest.fixture(autouse=True)
def _all_peripherals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rom_calls, "_DEVICES", DEVICES)


def check(bench: Bench, case: Given) -> None:
    """Each side has its own source of what is at random."""
    assert bench.real(replace(case, reply=Firmware(case.seed))).ended == "returned"
    bench.check(replace(case, reply=Firmware(case.seed)))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_as_the_real_one(function: RomFunction) -> None:
    table = b"".join(address.to_bytes(4, "little") for address in OUTSIDE)
    memory = {TABLE_AT: TABLE.to_bytes(4, "little"), TABLE: table}
    bench = Bench(function, outside=OUTSIDE, inside=arithmetic.FUNCTIONS)
    for seed in range(CALLS):
        check(bench, given(function, seed, memory))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_with_what_it_calls(function: RomFunction) -> None:
    """The table is the ROM's: functions call each other."""
    bench = Bench(function, outside=OTHERS, inside=(*FUNCTIONS, *arithmetic.FUNCTIONS))
    for seed in range(CALLS):
        check(bench, given(function, seed, {}))


def test_the_table_is_the_real_one() -> None:
    """What the real ROM's start leaves at those addresses."""
    where = next(function for function in FUNCTIONS if function.name == "phy_get_romfuncs")
    left = Bench(where).real(Given())
    words = {address: left.dram[address - DRAM_BASE :][:4] for address in DATA}
    assert words == {address: value.to_bytes(4, "little") for address, value in DATA.items()}
    assert left.result == min(DATA) + 4
