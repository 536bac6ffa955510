"""The table of the radio's functions in DRAM, and what functions of both its modules share.

Not the entries (:mod:`imgtool.virtual.board.rom.phy`).  An SDK puts functions of its own into the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.virtual.board.rom.machine import Call

if TYPE_CHECKING:
    from imgtool.virtual.board.rom.machine import Machine

__all__ = ["POINTER", "AnalogField", "call", "signed"]

POINTER: Final = 0x3FFF_C730
"""The word that says where the table is; from a start on, right behind it."""

_WORD: Final = 0xFFFF_FFFF


class AnalogField(NamedTuple):
    """A field of a register of an analog part, from its highest bit to its lowest."""

    part: int
    host: int
    register: int
    high: int
    low: int


def call(machine: Machine, entry: int, *arguments: int) -> Call:
    """A call of whatever function stands in the table, so many bytes from its beginning."""
    words = tuple(argument & _WORD for argument in arguments)
    return Call(machine.word(machine.word(POINTER) + entry), words)


def signed(value: int, bits: int = 32) -> int:
    """The lowest bits of a word as a signed number."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value
