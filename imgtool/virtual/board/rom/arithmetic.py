"""The boot ROM's arithmetic: division, products of 64 bits, and floating point, as GCC calls them.

Not the functions of libgcc that the ROM lacks: firmware brings those.  A value of 64 bits lies in two
registers, its low word first, and so does a result, in a2 and a3.

Floating point rounds to the nearest, and to even, as IEEE 754 has it; what becomes of a NaN, which it leaves
open, was seen on the real ROM.  Division by zero is an illegal instruction, by whose address people know it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from imgtool.virtual.board.rom.machine import RomFunction
from imgtool.virtual.cpu.full_core import Cause

if TYPE_CHECKING:
    from imgtool.virtual.board.rom.machine import Handler, Machine

__all__ = ["DATA", "FUNCTIONS"]

_WORD: Final = 0xFFFF_FFFF
_WORD_BITS: Final = 32
_LONG: Final = 0xFFFF_FFFF_FFFF_FFFF
_MOST_POSITIVE: Final = 0x7FFF_FFFF
_MOST_NEGATIVE: Final = 0x8000_0000

# The instruction at which a division by zero ends; all those of 64 bits end at the unsigned one's.
_DIVSI3_BY_ZERO: Final = 0x4000_DCE5
_UDIVSI3_BY_ZERO: Final = 0x4000_E25D
_UMODSI3_BY_ZERO: Final = 0x4000_E296

_RANDOM: Final = 0x3FFF_C3A0
"""The state of the random numbers, 64 bits, in the ROM's data."""

DATA: Final = {_RANDOM: 1, _RANDOM + 4: 0}
"""The state of the random numbers at a start."""

_MULTIPLIER: Final = 0x5851_F42D_4C95_7F2D


def _long(machine: Machine, number: int) -> int:
    """An argument of 64 bits, counted from 0, among others of the kind."""
    return machine.arg(2 * number) | machine.arg(2 * number + 1) << 32


def _returned(machine: Machine, value: int) -> int:
    """The result of 64 bits: what goes into a2, the rest put into a3."""
    machine.core.a[3] = value >> 32 & _WORD
    return value & _WORD


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 else value


def _quotient(value: int, divisor: int) -> int:
    """The quotient of signed numbers, rounded to zero."""
    quotient = abs(value) // abs(divisor)
    return quotient if (value < 0) == (divisor < 0) else -quotient


def _by_zero(machine: Machine, address: int) -> NoReturn:
    machine.core.pc = address
    machine.core.raise_exception(Cause.ILLEGAL)


# Whole numbers ----------------------------------------------------------------------------------------------


def _divsi3(machine: Machine) -> int:
    if not machine.arg(1):
        _by_zero(machine, _DIVSI3_BY_ZERO)
    return _quotient(machine.signed(0), machine.signed(1))


def _udivsi3(machine: Machine) -> int:
    if not machine.arg(1):
        _by_zero(machine, _UDIVSI3_BY_ZERO)
    return machine.arg(0) // machine.arg(1)


def _umodsi3(machine: Machine) -> int:
    if not machine.arg(1):
        _by_zero(machine, _UMODSI3_BY_ZERO)
    return machine.arg(0) % machine.arg(1)


def _muldi3(machine: Machine) -> int:
    return _returned(machine, _long(machine, 0) * _long(machine, 1))


def _umulsidi3(machine: Machine) -> int:
    return _returned(machine, machine.arg(0) * machine.arg(1))


def _divdi3(machine: Machine) -> int:
    value, divisor = _signed(_long(machine, 0), 64), _signed(_long(machine, 1), 64)
    if not divisor:
        _by_zero(machine, _UDIVSI3_BY_ZERO)
    return _returned(machine, _quotient(value, divisor))


def _udivdi3(machine: Machine) -> int:
    if not _long(machine, 1):
        _by_zero(machine, _UDIVSI3_BY_ZERO)
    return _returned(machine, _long(machine, 0) // _long(machine, 1))


def _umoddi3(machine: Machine) -> int:
    if not _long(machine, 1):
        _by_zero(machine, _UDIVSI3_BY_ZERO)
    return _returned(machine, _long(machine, 0) % _long(machine, 1))


def _srand(machine: Machine) -> None:
    machine.set_word(_RANDOM, machine.arg(0))
    machine.set_word(_RANDOM + 4, 0)


def _rand(machine: Machine) -> int:
    state = machine.word(_RANDOM) | machine.word(_RANDOM + 4) << 32
    state = state * _MULTIPLIER + 1 & _LONG
    machine.set_word(_RANDOM, state)
    machine.set_word(_RANDOM + 4, state >> 32)
    return state >> 32 & _MOST_POSITIVE


# Floating point ---------------------------------------------------------------------------------------------


class _Kind(NamedTuple):
    """A format of floating point.

    Attributes:
        bits: Its size.
        fraction: How many of them are behind the point.
        code: What :mod:`struct` calls it, and a whole number of its size.
    """

    bits: int
    fraction: int
    code: str

    @property
    def low(self) -> int:
        """The bits of a lower word."""
        return (1 << self.bits - _WORD_BITS) - 1

    @property
    def sign(self) -> int:
        """The bit of the sign."""
        return 1 << self.bits - 1

    @property
    def infinity(self) -> int:
        """The exponent that infinities and NaNs have."""
        return (1 << self.bits - 1) - (1 << self.fraction)

    @property
    def quiet(self) -> int:
        """The bit that tells a quiet NaN."""
        return 1 << self.fraction - 1

    def special(self, value: int) -> bool:
        """Whether it is an infinity or a NaN."""
        return value & self.infinity == self.infinity

    def nan(self, value: int) -> bool:
        """Whether it is a NaN."""
        return value & ~self.sign > self.infinity

    def zero(self, value: int) -> bool:
        """Whether it is a zero of either sign."""
        return not value & ~self.sign

    def number(self, value: int) -> float:
        """What the bits stand for."""
        number: float = struct.unpack(f"<{self.code[0]}", struct.pack(f"<{self.code[1]}", value))[0]
        return number

    def rounded(self, number: float) -> int:
        """The bits for a number that is none of the special ones, or an infinity if it is too large."""
        try:
            bits: int = struct.unpack(f"<{self.code[1]}", struct.pack(f"<{self.code[0]}", number))[0]
        except OverflowError:
            return self.infinity | (self.sign if number < 0 else 0)
        return bits


_SINGLE: Final = _Kind(32, 23, "fI")
_DOUBLE: Final = _Kind(64, 52, "dQ")

_Operation = Callable[[_Kind, int, int], int]


def _sum(kind: _Kind, one: int, other: int) -> int:
    if not (kind.special(one) or kind.special(other)):
        return kind.rounded(kind.number(one) + kind.number(other))
    if not kind.special(other):
        return one
    if not kind.special(one):
        return other
    if (one ^ other) & kind.sign:  # infinities that are no sum; a NaN counts as one
        return one | kind.quiet
    return one if kind.nan(one) else other


def _difference(kind: _Kind, one: int, other: int) -> int:
    return _sum(kind, one, other ^ kind.sign)


def _product(kind: _Kind, one: int, other: int) -> int:
    sign = (one ^ other) & kind.sign
    if kind.special(one):
        if kind.zero(other):
            return one | kind.quiet
        return (other if kind.nan(other) else one) & ~kind.sign | sign
    if kind.special(other):
        if kind.zero(one):
            return other & ~kind.low | kind.quiet  # the lower word is that of the zero
        return other & ~kind.sign | sign
    return kind.rounded(kind.number(one) * kind.number(other))


def _ratio(kind: _Kind, one: int, other: int) -> int:
    sign = (one ^ other) & kind.sign
    if kind.special(one):
        return one ^ other & kind.sign | (kind.quiet if kind.special(other) else 0)
    if kind.special(other):
        return other if kind.nan(other) else sign
    if kind.zero(other):
        return sign | kind.infinity | (kind.quiet if kind.zero(one) else 0)
    return kind.rounded(kind.number(one) / kind.number(other))


def _single(operation: _Operation) -> Handler:
    """A function of two floats."""
    return lambda machine: operation(_SINGLE, machine.arg(0), machine.arg(1))


def _double(operation: _Operation) -> Handler:
    """A function of two doubles."""
    return lambda machine: _returned(machine, operation(_DOUBLE, _long(machine, 0), _long(machine, 1)))


def _fixdfsi(machine: Machine) -> int:
    value = _long(machine, 0)
    if _DOUBLE.nan(value):
        return _MOST_POSITIVE
    number = _DOUBLE.number(value)
    if abs(number) >= _MOST_NEGATIVE:
        return _MOST_NEGATIVE if number < 0 else _MOST_POSITIVE
    return math.trunc(number)


def _unsigned(kind: _Kind, value: int) -> int:
    """A whole number without sign; of a negative one its complement, and 0x80000000 if it is large."""
    if kind.nan(value):
        return _WORD
    number = kind.number(value)
    if number < 0:
        return math.trunc(number) if number > -_MOST_NEGATIVE else _MOST_NEGATIVE
    return math.trunc(number) if number < _WORD + 1 else _WORD


def _fixunsdfsi(machine: Machine) -> int:
    return _unsigned(_DOUBLE, _long(machine, 0))


def _fixunssfsi(machine: Machine) -> int:
    return _unsigned(_SINGLE, machine.arg(0))


def _floatsisf(machine: Machine) -> int:
    return _SINGLE.rounded(machine.signed(0))


def _floatunsisf(machine: Machine) -> int:
    return _SINGLE.rounded(machine.arg(0))


def _floatsidf(machine: Machine) -> int:
    return _returned(machine, _DOUBLE.rounded(machine.signed(0)))


def _floatunsidf(machine: Machine) -> int:
    return _returned(machine, _DOUBLE.rounded(machine.arg(0)))


def _truncdfsf2(machine: Machine) -> int:
    value = _long(machine, 0)
    sign = value >> 32 & _SINGLE.sign
    if _DOUBLE.nan(value):
        return sign | _SINGLE.infinity | _SINGLE.quiet
    return _SINGLE.rounded(_DOUBLE.number(value))


def _extendsfdf2(machine: Machine) -> int:
    value = machine.arg(0)
    sign = (value & _SINGLE.sign) << 32
    if _SINGLE.nan(value):
        return _returned(machine, sign | _DOUBLE.infinity | _DOUBLE.quiet)
    return _returned(machine, _DOUBLE.rounded(_SINGLE.number(value)))


FUNCTIONS: Final[tuple[RomFunction, ...]] = (
    RomFunction(0x4000_05F0, "srand", _srand),
    RomFunction(0x4000_0600, "rand", _rand),
    RomFunction(0x4000_0650, "__muldi3", _muldi3),
    RomFunction(0x4000_C180, "__addsf3", _single(_sum)),
    RomFunction(0x4000_C268, "__subsf3", _single(_difference)),
    RomFunction(0x4000_C3DC, "__mulsf3", _single(_product)),
    RomFunction(0x4000_C4C4, "__fixunssfsi", _fixunssfsi),
    RomFunction(0x4000_C538, "__adddf3", _double(_sum)),
    RomFunction(0x4000_C688, "__subdf3", _double(_difference)),
    RomFunction(0x4000_C8F0, "__muldf3", _double(_product)),
    RomFunction(0x4000_CB94, "__divdf3", _double(_ratio)),
    RomFunction(0x4000_CCB8, "__fixdfsi", _fixdfsi),
    RomFunction(0x4000_CD00, "__fixunsdfsi", _fixunsdfsi),
    RomFunction(0x4000_CD5C, "__truncdfsf2", _truncdfsf2),
    RomFunction(0x4000_CDFC, "__extendsfdf2", _extendsfdf2),
    RomFunction(0x4000_CE60, "__divdi3", _divdi3),
    RomFunction(0x4000_D310, "__udivdi3", _udivdi3),
    RomFunction(0x4000_D770, "__umoddi3", _umoddi3),
    RomFunction(0x4000_DC88, "__divsi3", _divsi3),
    RomFunction(0x4000_DCF0, "__umulsidi3", _umulsidi3),
    RomFunction(0x4000_E21C, "__udivsi3", _udivsi3),
    RomFunction(0x4000_E268, "__umodsi3", _umodsi3),
    RomFunction(0x4000_E2A4, "__floatunsisf", _floatunsisf),
    RomFunction(0x4000_E2AC, "__floatsisf", _floatsisf),
    RomFunction(0x4000_E2E8, "__floatunsidf", _floatunsidf),
    RomFunction(0x4000_E2F0, "__floatsidf", _floatsidf),
)
