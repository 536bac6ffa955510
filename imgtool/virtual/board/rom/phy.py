"""The ROM's functions for the radio's baseband, measurements and clocks, and the table of all its functions.

Not the radio, which a board has none of, nor its buses (:mod:`imgtool.virtual.board.rom.phy_bus`).  What the
registers mean is not published; they are named here after what the functions do with them.  Calls go through
the table in DRAM in which an SDK puts its own functions in the place of the ROM's.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.virtual.board.rom.machine import Call, RomFunction, Wait
from imgtool.virtual.board.rom.phy_table import POINTER, AnalogField, call, signed

if TYPE_CHECKING:
    from imgtool.virtual.board.rom.machine import Machine, Steps

__all__ = ["DATA", "FUNCTIONS"]

_WORD: Final = 0xFFFF_FFFF

# The table: a word for each function.
_TABLE: Final = POINTER + 4
_ENTRIES: Final = (
    *(0x4000_60C0, 0x4000_60D0, 0x4000_60EC, 0x4000_610C, 0x4000_615C, 0, 0x4000_61B8, 0x4000_6238),
    *(0x4000_6260, 0x4000_62DC, 0x4000_6394, 0x4000_63B0, 0x4000_6400, 0x4000_6430, 0x4000_6484),
    *(0x4000_650C, 0x4000_6550, 0x4000_65A4, 0x4000_6628, 0x4000_6738, 0x4000_678C, 0x4000_67C8),
    *(0x4000_6830, 0, 0, 0x4000_6874, 0x4000_68B4, 0x4000_698C, 0x4000_6A1C, 0x4000_6A98, 0x4000_6AD4),
    *(0x4000_6B10, 0x4000_6C50, 0x4000_6F84, 0x4000_711C, 0x4000_718C, 0x4000_7268, 0x4000_729C),
    *(0x4000_72D8, 0x4000_730C, 0x4000_737C, 0x4000_7410, 0x4000_7448, 0x4000_747C, 0x4000_74D8),
    *(0x4000_754C, 0x4000_7610, 0x4000_7648, 0x4000_7688, 0x4000_76CC, 0x4000_76FC, 0x4000_7740),
    *(0x4000_77A0, 0x4000_7804, 0x4000_781C, 0x4000_7868, 0x4000_78DC, 0x4000_7968, 0x4000_7A28),
    *(0x4000_7BF0, 0x4000_7EB4, 0x4000_804C, 0x4000_8264, 0x4000_8388, 0x4000_8610, 0x4000_88B8),
    *(0x4000_8A70, 0x4000_8B6C, 0x4000_8C6C, 0x4000_8D34),
)
_READ_SAR, _IQ_EST_DISABLE, _IQ_EST_ENABLE, _TO_DB = 0x24, 0x30, 0x34, 0x38
_SET_TX_CLOCK, _SAR_INIT = 0x3C, 0x4C
_WRITE_ANALOG_FIELD, _FORCE = 0x9C, 0xAC

DATA: Final = {POINTER: _TABLE} | {_TABLE + 4 * number: entry for number, entry in enumerate(_ENTRIES)}
"""The words in DRAM that a start sets; some functions in the table are not here."""

# Clear channel assessment.
_CCA, _CCA_OFF = 0x6000_9B00, 1 << 28
_BACKOFFS: Final = ((0x6000_9C28, 10), (0x6000_9D24, 1))  # the same 7 bits twice
_MOST_BACKOFF: Final = 0x7F

# The MAC's sender.
_TX_SOURCE, _TX_ENABLE = 0x3FF2_0DE0, 0x3FF2_0C94
_TX_SOURCE_HIGH, _TX_SOURCE_KEPT, _TX_HELD = 0x7F80_0000, 0xFC, 3

# The estimate of I and Q.
_ESTIMATE: Final = 0x6000_057C
_ESTIMATE_ON, _ESTIMATE_START, _ESTIMATE_IDLE, _ESTIMATE_DONE = 1 << 0, 1 << 1, 1 << 12, 1 << 31
_SAMPLES_AT, _SAMPLES, _KIND_AT = 2, 0x7FFF, 18
_ESTIMATE_KEPT: Final = 0xFFFA_0001
_OFFSETS: Final = (0x6000_05DC, 0x6000_05E0)
_OFFSET_FRACTION: Final = 6

# The converter that measures what is sent.
_SAR_CLOCK, _SAR_CLOCK_ON = 0x6000_0710, 1 << 25
_SAR, _SAR_POWER, _SAR_START = 0x6000_0D50, 1 << 0, 1 << 1
_SAR_MODE, _SAR_MODE_BITS = 0x6000_0D5C, (1 << 21, 1 << 23)
_SAR_VALUES: Final = range(0x6000_0D80, 0x6000_0DA0, 4)
_SAR_BITS, _SAR_MIDDLE, _SAR_US = 0xFFF, 0x800, 25

# Tones: a step in the lowest bits, what it is weaker by as a negative, and the switch.
_TONE_WEAKER_AT, _TONE_ON_AT, _TONE_ALSO_AT = 10, 18, 28

_DIVIDE: Final = 0x4000_DC88


class _Tone(NamedTuple):
    """A source of a tone.

    Attributes:
        register: Where it is.
        kept: What of it stays.
    """

    register: int
    kept: int


def _set_field(machine: Machine, field: AnalogField, value: int) -> Call:
    return call(machine, _WRITE_ANALOG_FIELD, *field, value)


def _get_romfuncs(machine: Machine) -> int:
    """``phy_get_romfuncs``: where the table is."""
    return machine.word(POINTER)


# Numbers ----------------------------------------------------------------------------------------------------


def _abs_temp(machine: Machine) -> int:
    """``rom_abs_temp``: a number without its sign."""
    return abs(machine.signed(0))


_BAND_2_GHZ: Final = 1 << 7
_FIRST_MHZ, _CHANNEL_MHZ = 2407, 5
_JAPAN_MHZ, _JAPAN_CHANNEL = 2484, 14
_BEYOND_MHZ, _BEYOND_CHANNEL, _BEYOND_CHANNEL_MHZ = 2512, 15, 20


def _mhz2ieee(machine: Machine) -> int:
    """``rom_mhz2ieee``: the channel that a frequency belongs to; beyond the band only where flags say so."""
    frequency = machine.arg(0)
    if frequency == _JAPAN_MHZ:
        return _JAPAN_CHANNEL
    if frequency < _JAPAN_MHZ:
        return signed(int((frequency - _FIRST_MHZ) / _CHANNEL_MHZ), 8)
    if not machine.arg(1) & _BAND_2_GHZ:
        return -1
    channels = int(signed(frequency - _BEYOND_MHZ) / _BEYOND_CHANNEL_MHZ)
    return signed(_BEYOND_CHANNEL + channels, 8)


_DB_FRACTION: Final = 3  # bits; what is shifted in as many is whole
_OCTAVE: Final = 48  # sixteenths of a decibel
_MANTISSA_BITS: Final = 4
_MANTISSAS: Final = tuple(
    round(160 * math.log10(1 + place / 16))
    for place in range(16)  # sixteenths of a decibel, too
)


def _linear_to_db(machine: Machine) -> int:
    """``rom_linear_to_db``: a power, shifted by some bits, in sixteenths of a decibel; below 16 roughly."""
    shift = machine.arg(1)
    if shift < _DB_FRACTION:
        value = signed(machine.arg(0) << _DB_FRACTION - shift)
    else:
        value = machine.signed(0) >> (shift - _DB_FRACTION & 0x1F)
    octaves = (value & _WORD).bit_length() - _MANTISSA_BITS
    if octaves < 1:
        return _MANTISSAS[value & 0xF]
    return _OCTAVE * octaves + _MANTISSAS[value >> octaves - 1 & 0xF]


# Channel, MAC and clocks ------------------------------------------------------------------------------------


def _disable_cca(machine: Machine) -> None:
    """``rom_chip_v5_disable_cca``: send without listening first."""
    machine.set_bits(_CCA, _CCA_OFF, _CCA_OFF)


def _enable_cca(machine: Machine) -> None:
    """``rom_chip_v5_enable_cca``: listen first."""
    machine.set_bits(_CCA, _CCA_OFF, 0)


def _sense_backoff(machine: Machine) -> None:
    """``rom_chip_v5_sense_backoff``: by how much less sensitive; above 127 is 127."""
    wanted = machine.arg(0)
    value = _MOST_BACKOFF if wanted & _MOST_BACKOFF + 1 else wanted
    for register, shift in _BACKOFFS:
        machine.set_word(register, machine.word(register) & ~(_MOST_BACKOFF << shift) | value << shift)


def _let_send(machine: Machine, held: int, enable: int) -> None:
    source = machine.word(_TX_SOURCE)
    machine.set_word(_TX_SOURCE, source >> 1 & _TX_SOURCE_HIGH | source & _TX_SOURCE_KEPT | held)
    machine.set_bits(_TX_ENABLE, 1, enable)


def _tx_mac_disable(machine: Machine) -> None:
    """``rom_tx_mac_disable``: the MAC sends nothing."""
    _let_send(machine, _TX_HELD, 0)


def _tx_mac_enable(machine: Machine) -> None:
    """``rom_tx_mac_enable``: the MAC sends."""
    _let_send(machine, 0, 1)


_CLOCKS, _CLOCK_GATES = (0x77, 0, 28), (0x7C, 1, 21)
_TX_CLOCK: Final = (AnalogField(*_CLOCKS, 6, 6), AnalogField(*_CLOCK_GATES, 0, 0))
_RX_CLOCK: Final = (AnalogField(*_CLOCKS, 5, 5), AnalogField(*_CLOCK_GATES, 1, 1))
_SCALE, _MOST_SCALE = AnalogField(0x77, 0, 9, 7, 0), 63


def _set_clock(machine: Machine, fields: tuple[AnalogField, ...]) -> Steps:
    switch = machine.arg(0)
    for field in fields:
        yield _set_field(machine, field, switch)
    return None


def _set_txclk_en(machine: Machine) -> Steps:
    """``rom_set_txclk_en``: the sender's clock on or off."""
    return _set_clock(machine, _TX_CLOCK)


def _set_rxclk_en(machine: Machine) -> Steps:
    """``rom_set_rxclk_en``: the receiver's clock on or off."""
    return _set_clock(machine, _RX_CLOCK)


def _set_ana_inf_tx_scale(machine: Machine) -> Steps:
    """``rom_set_ana_inf_tx_scale``: what is sent weaker in the analog part; what remains for the digital."""
    wanted = machine.arg(0)
    remains = min(wanted, _MOST_SCALE)
    yield _set_field(machine, _SCALE, remains - wanted & 0xFF)
    return remains


def _set_loopback_gain(machine: Machine) -> Steps:
    """``rom_set_loopback_gain``: gains where the receiver hears the sender of the same chip."""
    sender, first, second, third = (machine.arg(number) for number in range(4))
    rows = (2, 1, 0x185), (7, 1, sender), (2, 1, first), (3, 1, second), (3, 2, third)
    for block, address, value in rows:
        yield call(machine, _FORCE, block, address, value)
    return None


# The estimate of I and Q ------------------------------------------------------------------------------------


def _iq_est_disable(machine: Machine) -> None:
    """``rom_iq_est_disable``: no estimate."""
    machine.set_bits(_ESTIMATE, ~_ESTIMATE_KEPT, _ESTIMATE_IDLE)
    machine.set_bits(_ESTIMATE, _ESTIMATE_ON, 0)


def _iq_est_enable(machine: Machine) -> None:
    """``rom_iq_est_enable``: an estimate of a kind, from so many samples; it is waited for."""
    kind, samples = machine.arg(0), machine.arg(1)
    machine.set_bits(_ESTIMATE, _ESTIMATE_ON, _ESTIMATE_ON)
    command = kind << _KIND_AT | (samples & _SAMPLES) << _SAMPLES_AT | _ESTIMATE_START
    machine.set_word(_ESTIMATE, machine.word(_ESTIMATE) & _ESTIMATE_KEPT | command)
    while not machine.word(_ESTIMATE) & _ESTIMATE_DONE:
        pass


def _dc_iq_est(machine: Machine) -> Steps:
    """``rom_dc_iq_est``: the offsets of I and Q, the mean of so many samples and one."""
    kind, samples, result = machine.arg(0), machine.arg(1), machine.arg(2)
    yield call(machine, _IQ_EST_ENABLE, kind, samples)
    for number, register in enumerate(_OFFSETS):
        total = signed(machine.word(register)) >> _OFFSET_FRACTION
        mean = yield Call(_DIVIDE, (total & _WORD, samples + 1 & _WORD))
        machine.set_word(result + 4 * number, mean)
    yield call(machine, _IQ_EST_DISABLE)
    return None


# What is sent, and how strong it is -------------------------------------------------------------------------


def _sar_init(machine: Machine) -> Steps:
    """``rom_sar_init``: the converter's clock, and its part."""
    machine.set_bits(_SAR_CLOCK, _SAR_CLOCK_ON, _SAR_CLOCK_ON)
    yield _set_field(machine, AnalogField(0x6C, 2, 0, 4, 4), 1)
    yield _set_field(machine, AnalogField(0x6C, 2, 1, 1, 0), 2)
    return None


def _en_pwdet(machine: Machine) -> Steps:
    """``rom_en_pwdet``: the converter on with 1 and off with 0."""
    switch = machine.arg(0)
    yield call(machine, _SAR_INIT)
    for bit in _SAR_MODE_BITS:
        machine.set_bits(_SAR_MODE, bit, 0)
    if switch in (0, 1):
        machine.set_bits(_SAR, _SAR_POWER, switch)
    return None


def _get_fm_sar_dout(machine: Machine) -> None:
    """``rom_get_fm_sar_dout``: measure the power, and what to compare it with; 16 bits each."""
    machine.set_bits(_SAR, _SAR_START, 0)
    machine.set_bits(_SAR, _SAR_START, _SAR_START)
    machine.delay(_SAR_US)
    _, *powers, one, other, zero, also_zero = (
        _SAR_MIDDLE - (machine.word(register) & _SAR_BITS) for register in _SAR_VALUES
    )
    nothing = 3 * (zero + also_zero)
    machine.set_half(machine.arg(0), 2 * sum(powers) - nothing)
    machine.set_half(machine.arg(1), 3 * (one + other) - nothing)


def _measured(machine: Machine, frame: int) -> Generator[Call | Wait, int, tuple[int, int]]:
    """Two numbers with a sign, for which there is room on the stack while they are measured."""
    core = machine.core
    place = core.a[1] - frame & _WORD
    core.a[1] = place
    yield call(machine, _READ_SAR, place, place + 2)
    core.a[1] = place + frame & _WORD
    return signed(machine.half(place), 16), signed(machine.half(place + 2), 16)


def _get_power_db(machine: Machine) -> Steps:
    """``rom_get_power_db``: the power that is measured, with an offset, in sixteenths of a decibel."""
    offset = machine.arg(0)
    power, reference = yield from _measured(machine, 0x10)
    power_db = yield call(machine, _TO_DB, power, _DB_FRACTION)
    reference_db = yield call(machine, _TO_DB, reference, _DB_FRACTION)
    return signed(offset + power_db - reference_db, 16)


def _txtone_linear_pwr(machine: Machine) -> Steps:
    """``rom_txtone_linear_pwr``: the sum of so many powers, each shifted by some bits."""
    count, shift = machine.arg(0), machine.arg(1) & 0x1F
    total = 0
    for _ in range(count):
        power, reference = yield from _measured(machine, 0x20)
        total += int(signed(power << shift) / (reference or 1))
    return signed(total, 16)


_TONES: Final = (
    _Tone(0x6000_05B8, 0xF000_0000),
    _Tone(0x6000_05BC, 0xF000_0000),
    _Tone(0x6000_05C4, 0xE000_0000),
)


def _start_tx_tone(machine: Machine) -> Steps:
    """``rom_start_tx_tone``: of three tones, each a switch, a step and an attenuation, those that are on."""
    first, second, third = (tuple(machine.arg(3 * tone + part) for part in range(3)) for tone in range(3))
    yield call(machine, _SET_TX_CLOCK, 1)
    switch = third[0] & 0xFF
    also = switch << _TONE_ALSO_AT
    wanted = first, second, (switch, signed(third[1], 16) | also, third[2])
    for tone, (on, step, weaker) in zip(_TONES, wanted, strict=True):
        if on:
            value = on << _TONE_ON_AT | step | (-weaker & 0xFF) << _TONE_WEAKER_AT
            machine.set_word(tone.register, machine.word(tone.register) & tone.kept | value)
    return None


def _stop_tx_tone(machine: Machine) -> Steps:
    """``rom_stop_tx_tone``: the tone of a number off, from 1 on; with another number all of them."""
    number = machine.arg(0)
    tones = _TONES[number - 1 : number] if 1 <= number <= len(_TONES) else _TONES
    for tone in tones:
        machine.set_bits(tone.register, 1 << _TONE_ON_AT, 0)
    yield call(machine, _SET_TX_CLOCK, 0)
    return None


FUNCTIONS: Final[tuple[RomFunction, ...]] = (
    RomFunction(0x4000_60C0, "rom_abs_temp", _abs_temp),
    RomFunction(0x4000_60D0, "rom_chip_v5_disable_cca", _disable_cca),
    RomFunction(0x4000_60EC, "rom_chip_v5_enable_cca", _enable_cca),
    RomFunction(0x4000_610C, "rom_chip_v5_sense_backoff", _sense_backoff),
    RomFunction(0x4000_615C, "rom_dc_iq_est", _dc_iq_est),
    RomFunction(0x4000_61B8, "rom_en_pwdet", _en_pwdet),
    RomFunction(0x4000_62DC, "rom_get_fm_sar_dout", _get_fm_sar_dout),
    RomFunction(0x4000_63B0, "rom_get_power_db", _get_power_db),
    RomFunction(0x4000_6400, "rom_iq_est_disable", _iq_est_disable),
    RomFunction(0x4000_6430, "rom_iq_est_enable", _iq_est_enable),
    RomFunction(0x4000_6484, "rom_linear_to_db", _linear_to_db),
    RomFunction(0x4000_650C, "rom_set_txclk_en", _set_txclk_en),
    RomFunction(0x4000_6550, "rom_set_rxclk_en", _set_rxclk_en),
    RomFunction(0x4000_65A4, "rom_mhz2ieee", _mhz2ieee),
    RomFunction(0x4000_6738, "rom_sar_init", _sar_init),
    RomFunction(0x4000_678C, "rom_set_ana_inf_tx_scale", _set_ana_inf_tx_scale),
    RomFunction(0x4000_67C8, "rom_set_loopback_gain", _set_loopback_gain),
    RomFunction(0x4000_68B4, "rom_start_tx_tone", _start_tx_tone),
    RomFunction(0x4000_698C, "rom_stop_tx_tone", _stop_tx_tone),
    RomFunction(0x4000_6A1C, "rom_txtone_linear_pwr", _txtone_linear_pwr),
    RomFunction(0x4000_6A98, "rom_tx_mac_disable", _tx_mac_disable),
    RomFunction(0x4000_6AD4, "rom_tx_mac_enable", _tx_mac_enable),
    RomFunction(0x4000_6B08, "phy_get_romfuncs", _get_romfuncs),
)
