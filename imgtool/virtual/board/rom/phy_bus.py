"""The ROM's functions for the radio's buses: the analog parts' registers, and what is forced by hand.

Not the radio, which a board has none of, nor the functions that measure with it
(:mod:`imgtool.virtual.board.rom.phy`).  What the fields of the analog parts mean is not published; they have
here the numbers by which the real functions address them.  Nearly all calls go through the table in DRAM in
which an SDK puts its own functions in the place of the ROM's.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.virtual.board.rom.machine import Call, RomFunction, Wait
from imgtool.virtual.board.rom.phy_table import AnalogField, call, signed

if TYPE_CHECKING:
    from imgtool.virtual.board.rom.machine import Machine, Steps

__all__ = ["FUNCTIONS"]

_WORD: Final = 0xFFFF_FFFF

# Places in the table of functions.
_ABS_TEMP, _DC_IQ_EST = 0x00, 0x10
_TX_MAC_DISABLE, _TX_MAC_ENABLE = 0x74, 0x78
_READ_ANALOG, _WRITE_ANALOG, _WRITE_ANALOG_FIELD = 0x90, 0x98, 0x9C
_DEBUGMODE, _FORCE, _READ_FORCED, _WORKMODE = 0xA0, 0xAC, 0xB0, 0xBC
_RX_OFF, _RX_ON, _TX_OFF, _TX_ON_LOW_GAIN = 0xC0, 0xC4, 0xC8, 0xD0

# Registers of analog parts lie behind a serial bus; each of its hosts has a word for command and answer.
_ANALOG: Final = 0x6000_0D00
_REGISTER_AT, _DATA_AT = 8, 16  # the part is in the lowest byte
_WRITES, _BUSY = 1 << 24, 1 << 25

# The parallel bus: what the parts of the radio get from the MAC, or in debug mode by hand.
_BUS: Final = 0x6000_0594
_DEBUG, _START = 1, 2
_BLOCK_AT, _VALUE_AT, _ADDRESS_AT = 2, 5, 14
_COMMAND: Final = 0xFFFE
_BUS_STATE, _BUS_BUSY = 0x6000_05A0, 1 << 31
_FORCED: Final = 0x6000_05A4  # values, three to a word, the first on top; the last has its word alone
_VALUE_BITS, _PER_WORD, _ALONE = 9, 3, 12
_FIRST_VALUE: Final = (0, 2, 4, 5, 7, 9, 11, 12)  # by block
_THIRD_ADDRESS: Final = 4  # addresses are bits: 1, 2, 4

# Other registers.
_MAC_STATE, _MAC_ACTIVE = 0x3FF2_0C70, 1 << 1
_BASEBAND, _BY_HAND = 0x6000_9B08, 1 << 27
_PHY_RESET, _REQUESTS = 0x6000_0710, 0x3C00_0000
_ATTENUATIONS, _RATES, _SAME_RATES = 0x6000_0504, 24, 8
_TX_IQ: Final = 0x6000_9860

_PRINT: Final = 0x4000_1D14  # eprintf; the texts that it is given are Espressif's, and empty without a dump
_SETTLES_US: Final = 5


class _Analog(NamedTuple):
    """A value for a register of an analog part."""

    part: int
    host: int
    register: int
    value: int


class _Force(NamedTuple):
    """A value on the parallel bus."""

    block: int
    address: int
    value: int


# Registers of analog parts ----------------------------------------------------------------------------------


def _ask_analog(machine: Machine, command: int) -> int:
    """Send a command to the host that is the second argument; where its word is."""
    host = _ANALOG + 4 * machine.arg(1)
    machine.set_word(host, command)
    while machine.word(host) & _BUSY:
        pass
    return host


def _i2c_read(machine: Machine) -> int:
    """``rom_i2c_readReg``: a register of a part."""
    host = _ask_analog(machine, machine.arg(0) | machine.arg(2) << _REGISTER_AT)
    return machine.word(host) >> _DATA_AT & 0xFF


def _i2c_write(machine: Machine) -> None:
    """``rom_i2c_writeReg``: set a register of a part."""
    part, register, value = machine.arg(0), machine.arg(2), machine.arg(3)
    _ask_analog(machine, part | register << _REGISTER_AT | value << _DATA_AT | _WRITES)


def _mask(high: int, low: int) -> int:
    """Bits from 0 on, as many as a field has."""
    return (1 << (high - low + 1 & 0x1F)) - 1


def _i2c_read_field(machine: Machine) -> Steps:
    """``rom_i2c_readReg_Mask``: a field of a register."""
    high, low = machine.arg(3), machine.arg(4)
    value = yield call(machine, _READ_ANALOG, *(machine.arg(number) for number in range(3)))
    return signed(value) >> (low & 0x1F) & _mask(high, low) & 0xFF


def _i2c_write_field(machine: Machine) -> Steps:
    """``rom_i2c_writeReg_Mask``: set a field of a register; a value too large for it gets into the next."""
    place = tuple(machine.arg(number) for number in range(3))
    high, low, value = machine.arg(3), machine.arg(4), machine.arg(5)
    before = yield call(machine, _READ_ANALOG, *place)
    shift = low & 0x1F
    after = before & ~(_mask(high, low) << shift) | value << shift
    yield call(machine, _WRITE_ANALOG, *place, after & 0xFF)
    return None


def _write(machine: Machine, rows: Iterable[_Analog]) -> Steps:
    for row in rows:
        yield call(machine, _WRITE_ANALOG, *row)
    return None


def _set_field(machine: Machine, field: AnalogField, value: int) -> Call:
    return call(machine, _WRITE_ANALOG_FIELD, *field, value)


_RX_INIT: Final = (
    _Analog(0x61, 1, 8, 0x11),
    _Analog(0x61, 1, 6, 0x15),
    _Analog(0x61, 1, 7, 0x51),
    _Analog(0x64, 0, 4, 0x79),
    _Analog(0x64, 0, 7, 0x7B),
)
_TX_INIT: Final = tuple(
    _Analog(0x6B, 2, register, value)
    for register, value in enumerate((0x68, 0x0F, 0xA8, 0x06, 0x08, 0xB8, 0x5B, 0x04, 0x00, 0x74, 0x07), 1)
)
_CALIBRATIONS: Final = tuple(_Analog(0x62, 1, 0, value) for value in (0x5F, 0x7F, 0x3F))
_PLL_RESET: Final = (
    *(_Analog(0x62, 1, 10, value) for value in (0xA6, 0xA7, 0xA5)),
    _Analog(0x63, 0, 1, 0xF3),
    _Analog(0x62, 1, 11, 0xC0),
)
_DIVIDER_OPEN, _DIVIDER_SHUT = _Analog(0x63, 0, 0, 0x07), _Analog(0x63, 0, 0, 0x17)
_DIVIDER: Final = (3, 4, 5)  # registers of the same part, the integer first


def _rx_init(machine: Machine) -> Steps:
    """``rom_chip_v5_rx_init``: the receiver's parts as they are at first."""
    return _write(machine, _RX_INIT)


def _tx_init(machine: Machine) -> Steps:
    """``rom_chip_v5_tx_init``: the sender's part as it is at first."""
    return _write(machine, _TX_INIT)


def _restart_cal(machine: Machine) -> Steps:
    """``rom_restart_cal``: have the PLL calibrate itself anew."""
    return _write(machine, _CALIBRATIONS)


def _rfpll_reset(machine: Machine) -> Steps:
    """``rom_rfpll_reset``: reset the PLL."""
    return _write(machine, _PLL_RESET)


def _write_rfpll_sdm(machine: Machine) -> Steps:
    """``rom_write_rfpll_sdm``: the PLL's divider, three bytes."""
    source = machine.arg(0)
    yield call(machine, _WRITE_ANALOG, *_DIVIDER_OPEN)
    for number, register in enumerate(_DIVIDER):
        value = machine.byte(source + number)
        yield call(machine, _WRITE_ANALOG, *_DIVIDER_OPEN[:2], register, value)
    yield call(machine, _WRITE_ANALOG, *_DIVIDER_SHUT)
    return None


def _rfpll_set_freq(machine: Machine) -> None:
    """``rom_rfpll_set_freq``: the divider for MHz and 1,024ths of it, with a crystal of 26 MHz or of 40."""
    crystal, result = 26 if machine.arg(1) else 40, machine.arg(3)
    frequency = ((machine.arg(0) << 10) + machine.arg(2)) * 4 & _WORD
    divider = _single(_single(frequency / 3) / (crystal << 10) - 32)
    for number in range(3):
        whole = int(divider) & 0xFF
        machine.set_byte(result + number, whole)
        divider = (divider - whole) * 256


def _single(value: float) -> float:
    """As near as a float of 32 bits gets."""
    (rounded,) = struct.unpack("<f", struct.pack("<f", value))
    return float(rounded)


# The parallel bus -------------------------------------------------------------------------------------------


def _pbus_force_test(machine: Machine) -> None:
    """``rom_pbus_force_test``: put a value on the bus for an address of a block."""
    block, address, value = machine.arg(0), machine.arg(1), machine.arg(2)
    command = address << _ADDRESS_AT | value << _VALUE_AT | block << _BLOCK_AT | _START
    machine.set_word(_BUS, machine.word(_BUS) & ~_COMMAND | command)
    while machine.word(_BUS_STATE) & _BUS_BUSY:
        pass
    machine.set_bits(_BUS, _START, 0)


def _pbus_rd(machine: Machine) -> int:
    """``rom_pbus_rd``: the value that was last put on the bus."""
    block, address = machine.arg(0), machine.arg(1)
    behind = 2 if address == _THIRD_ADDRESS else address - 1
    number = _FIRST_VALUE[block % len(_FIRST_VALUE)] + behind & 0xFF
    word, place = divmod(number, _PER_WORD)
    shift = 0 if number == _ALONE else _VALUE_BITS * (_PER_WORD - 1 - place)
    return machine.word(_FORCED + 4 * word) >> shift & 0x1FF


def _pbus_debugmode(machine: Machine) -> Steps:
    """``rom_pbus_debugmode``: the bus by hand from now on; what is received is waited for."""
    if not machine.word(_BUS) & _DEBUG and machine.word(_MAC_STATE) & _MAC_ACTIVE:
        yield call(machine, _TX_MAC_DISABLE)
        machine.delay(_SETTLES_US)
        while not (yield from _receives(machine)):
            pass
    machine.set_bits(_BASEBAND, _BY_HAND, _BY_HAND)
    machine.set_bits(_BUS, _DEBUG, _DEBUG)
    return None


def _receives(machine: Machine) -> Generator[Call | Wait, int, bool]:
    """Whether the receiver's parts are all on."""
    for block, address, value in _RX_ON_ROWS:
        if (yield call(machine, _READ_FORCED, block, address)) & value != value:
            return False
    return True


def _pbus_workmode(machine: Machine) -> Steps:
    """``rom_pbus_workmode``: leave the bus to the MAC."""
    machine.set_bits(_BUS, _DEBUG, 0)
    machine.set_bits(_BASEBAND, _BY_HAND, 0)
    yield call(machine, _TX_MAC_ENABLE)
    return None


def _pbus_enter_debugmode(machine: Machine) -> Steps:
    """``rom_pbus_enter_debugmode``: the bus by hand, the receiver off and the sender on, at a low gain."""
    value = machine.arg(0)
    yield call(machine, _DEBUGMODE)
    yield call(machine, _RX_OFF, 1)
    yield call(machine, _TX_ON_LOW_GAIN, value)
    return None


def _pbus_exit_debugmode(machine: Machine) -> Steps:
    """``rom_pbus_exit_debugmode``: the sender off and the receiver on, and the bus to the MAC."""
    for entry in (_TX_OFF, _RX_ON, _WORKMODE):
        yield call(machine, entry)
    return None


_RX_ON_ROWS: Final = (_Force(2, 1, 0x184), _Force(3, 2, 0x006))
_TX_OFF_ROWS: Final = (_Force(6, 1, 0), _Force(1, 1, 0x0C), _Force(2, 1, 0))
_HIGH_GAIN, _LOW_GAIN = 0x5F, 0


def _force(machine: Machine, rows: Iterable[_Force]) -> Steps:
    for row in rows:
        yield call(machine, _FORCE, *row)
    return None


def _pbus_xpd_rx_off(machine: Machine) -> Steps:
    """``rom_pbus_xpd_rx_off``: the receiver's parts off, but for a value of the caller's."""
    return _force(machine, (_Force(2, 1, machine.arg(0)), _Force(3, 1, 0), _Force(3, 2, 0)))


def _pbus_xpd_rx_on(machine: Machine) -> Steps:
    """``rom_pbus_xpd_rx_on``: the receiver's parts on."""
    return _force(machine, _RX_ON_ROWS)


def _pbus_xpd_tx_off(machine: Machine) -> Steps:
    """``rom_pbus_xpd_tx_off``: the sender's parts off."""
    return _force(machine, _TX_OFF_ROWS)


def _tx_on(machine: Machine, gain: int) -> Steps:
    value = _Force(0, 1, machine.arg(0))
    return _force(
        machine, (_Force(2, 1, 1), _Force(7, 1, gain), value, _Force(1, 1, 0x7F), _Force(6, 1, 0x7F))
    )


def _pbus_xpd_tx_on(machine: Machine) -> Steps:
    """``rom_pbus_xpd_tx_on``: the sender's parts on."""
    return _tx_on(machine, _HIGH_GAIN)


def _pbus_xpd_tx_on_low_gain(machine: Machine) -> Steps:
    """``rom_pbus_xpd_tx_on__low_gain``: the same, where little is sent."""
    return _tx_on(machine, _LOW_GAIN)


def _pbus_set_rxgain(machine: Machine) -> Steps:
    """``rom_pbus_set_rxgain``: the receiver's gain, of which each of three values on the bus has a part."""
    gain = machine.arg(0)
    fine = yield call(machine, _READ_FORCED, 3, 2)
    state = yield call(machine, _READ_FORCED, 2, 1)
    reversed_bits = sum((gain >> bit & 1) << 9 - bit for bit in range(3, 10))
    yield call(machine, _FORCE, 3, 1, reversed_bits)
    yield call(machine, _FORCE, 3, 2, fine & 0x1C7 | (gain & 7) << 3)
    first = (gain >> 8 & 1) << 1
    yield call(machine, _FORCE, 2, 1, state & 0x185 | (gain >> 11 & 0xF) << 3 | first)
    return None


def _pbus_set_txgain(machine: Machine) -> Steps:
    """``rom_pbus_set_txgain``: the sender's gain, its parts in the other order."""
    gain = machine.arg(0)
    yield call(machine, _FORCE, 4, 1, (gain & 0x1F) << 4 | (gain >> 5 & 3) << 2 | gain >> 7 & 3)
    return None


# Calibration ------------------------------------------------------------------------------------------------

_Pair = tuple[int, int]

_FRAME: Final = 0x80  # on the stack, while functions are called that are given what is in it
_ESTIMATE_AT: Final = 0x10
_BLOCKS: Final = (4, 5)  # those of the two converters
_MIDDLE, _HIGHEST, _MOST_STEPS = 0x200, 0x3FF, 12
_COARSE_SHIFT: Final = 6
_FACTORS: Final = (105, 86, 80, 72, 64, 55, 50)  # for an offset, by the fine gain; 64 is one
_FACTOR: Final = 40  # in the second stage
_OFFSET_TEXT, _ESTIMATE_TEXT, _STAGE_TEXT, _NEW_LINE = 0x3FFF_D920, 0x3FFF_D92C, 0x3FFF_D934, 0x3FFF_D96C


class _Stage(NamedTuple):
    """How a stage looks for an offset.

    Attributes:
        address: On the bus.
        enough: An estimate so small is none.
        factor: By which an estimate is taken off the offset.
        shift: By which less.
    """

    address: int
    enough: int
    factor: int
    shift: int


class _Search(NamedTuple):
    """What both stages need.

    Attributes:
        samples: For the estimate.
        settles: Microseconds before it.
        told: Whether each step is printed.
    """

    samples: int
    settles: int
    told: bool


def _pbus_dco(machine: Machine) -> Steps:
    """``rom_pbus_dco___SA2``: find what the converters must add for the receiver to see no offset.

    First behind the fine gain, then behind the coarse one; each time four bytes are stored.
    """
    core = machine.core
    search = _Search(machine.arg(0), machine.arg(2), machine.arg(4) != 0)
    result, told = machine.arg(1), machine.arg(3)
    core.a[1] = core.a[1] - _FRAME & _WORD
    coarse = yield call(machine, _READ_FORCED, 3, 1)
    fine = yield call(machine, _READ_FORCED, 3, 2)
    for block in _BLOCKS:
        yield call(machine, _FORCE, block, 2, _MIDDLE >> 1)
    stages = _stages(coarse, fine)
    for stage in stages:
        place = result + 4 * (stage.address - 1)
        estimates = yield from _search(machine, search, stage, place)
        if told:
            for number in range(2):
                machine.set_word(core.a[1] + 4 * number, signed(machine.half(place + 2 * number), 16))
            gains = _coarse_steps(coarse), fine >> 3 & 0xFF
            yield Call(_PRINT, (_STAGE_TEXT, stage.address, *gains, *estimates))
        if search.told:
            yield Call(_PRINT, (_NEW_LINE,))
    if told:
        yield Call(_PRINT, (_NEW_LINE,))
    core.a[1] = core.a[1] + _FRAME & _WORD
    return None


def _coarse_steps(coarse: int) -> int:
    return (coarse & 0x7C).bit_count()


def _stages(coarse: int, fine: int) -> tuple[_Stage, _Stage]:
    """The two stages at the gains that are set."""
    steps, step = _coarse_steps(coarse), fine >> 3 & 0xFF
    enough = {0: 2, 1: 2, 2: 2, 3: 5}.get(steps, 10)
    factor = _FACTORS[step] if step < len(_FACTORS) else 0
    before = (coarse >> 2 & 3) + (coarse >> 4 & 1)
    return (
        _Stage(1, enough, factor, _COARSE_SHIFT + steps),
        _Stage(2, 2 if steps < 4 else 5, _FACTOR, 4 + min(before, 2)),  # noqa: PLR2004 (one more than 3)
    )


def _search(
    machine: Machine, search: _Search, stage: _Stage, place: int
) -> Generator[Call | Wait, int, _Pair]:
    """Step until the estimates are small, or often enough; what they were at last."""
    offsets = _MIDDLE, _MIDDLE
    estimates = 0, 0
    for _ in range(_MOST_STEPS):
        for number, offset in enumerate(offsets):
            halved = offset + 1 >> 1
            machine.set_half(place + 2 * number, halved)
            yield call(machine, _FORCE, _BLOCKS[number], stage.address, halved)
        machine.delay(search.settles)
        estimate_at = machine.core.a[1] + _ESTIMATE_AT
        yield call(machine, _DC_IQ_EST, 1, search.samples, estimate_at)
        estimates = machine.word(estimate_at), machine.word(estimate_at + 4)
        if search.told:
            yield Call(_PRINT, (_OFFSET_TEXT, *offsets))
            yield Call(_PRINT, (_ESTIMATE_TEXT, *estimates))
        if (yield from _small(machine, estimates, stage.enough)):
            break
        first, second = (_corrected(stage, *pair) for pair in zip(offsets, estimates, strict=True))
        offsets = first, second
    return estimates


def _small(machine: Machine, estimates: _Pair, enough: int) -> Generator[Call | Wait, int, bool]:
    for estimate in estimates:
        if signed((yield call(machine, _ABS_TEMP, estimate))) > enough:
            return False
    return True


def _corrected(stage: _Stage, offset: int, estimate: int) -> int:
    less = signed(estimate * stage.factor) >> stage.shift
    return max(0, min(signed(offset - less, 16), _HIGHEST))


# What is said of how the two halves of a signal differ: a value of 5 bits and one of 6, each with a sign or
# as a number and its sign apart.
_IQ: Final = 0x77
_SHORT_LIMIT, _LONG_LIMIT = 15, 31
_RX_SHORT_SIGN, _RX_SHORT = AnalogField(_IQ, 0, 24, 5, 5), AnalogField(_IQ, 0, 25, 4, 0)
_RX_LONG_SIGN = AnalogField(_IQ, 0, 24, 3, 3)
_RX_LONG_HIGH, _RX_LONG_LOW = AnalogField(_IQ, 0, 25, 7, 5), AnalogField(_IQ, 0, 26, 2, 0)
_TX_SHORT_SIGN, _TX_SHORT = AnalogField(_IQ, 0, 16, 0, 0), AnalogField(_IQ, 0, 16, 7, 3)
_TX_LONG_SIGN, _TX_LONG = AnalogField(_IQ, 0, 15, 6, 6), AnalogField(_IQ, 0, 17, 5, 0)


class _Mismatch(NamedTuple):
    """A value within its limit.

    Attributes:
        number: What is written, a byte with a sign.
        sign: 1 where it stands for its negative.
    """

    number: int
    sign: int

    def result(self, apart: int) -> int:
        """The value that it comes to."""
        return signed(-self.number, 8) if self.sign & apart else self.number


def _mismatch(value: int, *, short: bool, apart: int) -> _Mismatch:
    """A value as it is written, its sign with it or apart."""
    limit = _SHORT_LIMIT if short else _LONG_LIMIT
    if not apart:
        return _Mismatch(max(-limit, min(value, limit)), 0)
    number = signed(-value, 8) if value < 0 else value
    return _Mismatch(min(number, limit), int(value < 0))


def _rfcal_rxiq_set_reg(machine: Machine) -> Steps:
    """``rom_rfcal_rxiq_set_reg``: a mismatch of the receiver; the value that is set."""
    short, apart = machine.arg(2) != 0, machine.arg(3)
    found = _mismatch(machine.signed(0), short=short, apart=apart)
    if apart:
        machine.set_byte(machine.arg(1), found.sign)
        yield _set_field(machine, _RX_SHORT_SIGN if short else _RX_LONG_SIGN, found.sign)
    if short:
        yield _set_field(machine, _RX_SHORT, found.number & 0x1F)
    else:
        yield _set_field(machine, _RX_LONG_HIGH, found.number >> 3 & 7)
        yield _set_field(machine, _RX_LONG_LOW, found.number & 7)
    return found.result(apart)


def _rfcal_txiq_set_reg(machine: Machine) -> Steps:
    """``rom_rfcal_txiq_set_reg``: a mismatch of the sender; the value that is set."""
    short, apart = machine.arg(1) != 0, machine.arg(2)
    found = _mismatch(machine.signed(0), short=short, apart=apart)
    if apart:
        yield _set_field(machine, _TX_SHORT_SIGN if short else _TX_LONG_SIGN, found.sign)
    if short:
        yield _set_field(machine, _TX_SHORT, found.number & 0x1F)
    else:
        yield _set_field(machine, _TX_LONG, found.number & 0x3F)
    return found.result(apart)


def _set_txiq_cal(machine: Machine) -> Steps:
    """``rom_set_txiq_cal``: the signs of the sender's mismatches, from what the baseband has of them."""
    short_at, long_at = machine.arg(0), machine.arg(1)
    short = signed(machine.word(_TX_IQ) >> 24, 5)
    long = signed(machine.word(_TX_IQ) >> 18, 6)
    machine.set_byte(short_at, int(short > 0))
    machine.set_byte(long_at, int(long < 0))
    yield _set_field(machine, _TX_SHORT_SIGN, machine.byte(short_at))
    yield _set_field(machine, _TX_LONG_SIGN, machine.byte(long_at))
    return None


_BASEBAND_ATTENUATION: Final = AnalogField(_IQ, 0, 9, 7, 0)
_ATTENUATIONS_TEXT, _ATTENUATION_TEXT = 0x3FFF_DA18, 0x3FFF_D9BC


def _set_txbb_atten(machine: Machine) -> Steps:
    """``rom_set_txbb_atten``: by how much each rate is sent weaker, the first eight alike."""
    indices, count, table, wanted, told = (machine.arg(number) for number in range(5))
    if told:
        yield Call(_PRINT, (_ATTENUATIONS_TEXT,))
        for number in range(count):
            difference = machine.byte(table + number) - machine.byte(wanted + number)
            yield Call(_PRINT, (_ATTENUATION_TEXT, difference & _WORD))
        yield Call(_PRINT, (_NEW_LINE,))
    yield _set_field(machine, _BASEBAND_ATTENUATION, 0)
    for rate in range(_RATES):
        if rate < _SAME_RATES:
            value = machine.byte(indices) + machine.byte(table)
        else:
            value = machine.byte(table + machine.byte(indices + rate - _SAME_RATES + 1))
        machine.set_bits(_ATTENUATIONS + 4 * rate, 0xFF, -value)
    return None


def _phy_reset_req(machine: Machine) -> None:
    """``rom_phy_reset_req``: no requests of the radio's."""
    machine.set_bits(_PHY_RESET, _REQUESTS, 0)


FUNCTIONS: Final[tuple[RomFunction, ...]] = (
    RomFunction(0x4000_711C, "rom_chip_v5_rx_init", _rx_init),
    RomFunction(0x4000_718C, "rom_chip_v5_tx_init", _tx_init),
    RomFunction(0x4000_7268, "rom_i2c_readReg", _i2c_read),
    RomFunction(0x4000_729C, "rom_i2c_readReg_Mask", _i2c_read_field),
    RomFunction(0x4000_72D8, "rom_i2c_writeReg", _i2c_write),
    RomFunction(0x4000_730C, "rom_i2c_writeReg_Mask", _i2c_write_field),
    RomFunction(0x4000_737C, "rom_pbus_debugmode", _pbus_debugmode),
    RomFunction(0x4000_7410, "rom_pbus_enter_debugmode", _pbus_enter_debugmode),
    RomFunction(0x4000_7448, "rom_pbus_exit_debugmode", _pbus_exit_debugmode),
    RomFunction(0x4000_747C, "rom_pbus_force_test", _pbus_force_test),
    RomFunction(0x4000_74D8, "rom_pbus_rd", _pbus_rd),
    RomFunction(0x4000_754C, "rom_pbus_set_rxgain", _pbus_set_rxgain),
    RomFunction(0x4000_7610, "rom_pbus_set_txgain", _pbus_set_txgain),
    RomFunction(0x4000_7648, "rom_pbus_workmode", _pbus_workmode),
    RomFunction(0x4000_7688, "rom_pbus_xpd_rx_off", _pbus_xpd_rx_off),
    RomFunction(0x4000_76CC, "rom_pbus_xpd_rx_on", _pbus_xpd_rx_on),
    RomFunction(0x4000_76FC, "rom_pbus_xpd_tx_off", _pbus_xpd_tx_off),
    RomFunction(0x4000_7740, "rom_pbus_xpd_tx_on", _pbus_xpd_tx_on),
    RomFunction(0x4000_77A0, "rom_pbus_xpd_tx_on__low_gain", _pbus_xpd_tx_on_low_gain),
    RomFunction(0x4000_7804, "rom_phy_reset_req", _phy_reset_req),
    RomFunction(0x4000_781C, "rom_restart_cal", _restart_cal),
    RomFunction(0x4000_7868, "rom_rfpll_reset", _rfpll_reset),
    RomFunction(0x4000_78DC, "rom_write_rfpll_sdm", _write_rfpll_sdm),
    RomFunction(0x4000_7968, "rom_rfpll_set_freq", _rfpll_set_freq),
    RomFunction(0x4000_7BF0, "rom_pbus_dco___SA2", _pbus_dco),
    RomFunction(0x4000_8264, "rom_rfcal_rxiq_set_reg", _rfcal_rxiq_set_reg),
    RomFunction(0x4000_8A70, "rom_rfcal_txiq_set_reg", _rfcal_txiq_set_reg),
    RomFunction(0x4000_8C6C, "rom_set_txbb_atten", _set_txbb_atten),
    RomFunction(0x4000_8D34, "rom_set_txiq_cal", _set_txiq_cal),
)
