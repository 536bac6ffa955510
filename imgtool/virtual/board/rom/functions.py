"""All functions of the boot ROM that there are, and the words that its start sets in DRAM.

A function is a row of the module that it stands in; a further module is a line in each table here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.virtual.board.rom import (
    arithmetic,
    exceptions,
    flash,
    gpio,
    memory,
    phy,
    phy_bus,
    pins,
    serial,
    tasks,
    text,
)
from imgtool.virtual.board.rom.start import starting

if TYPE_CHECKING:
    from imgtool.virtual.board.rom.machine import RomFunction

__all__ = ["DATA", "FUNCTIONS"]

DATA: Final = {
    **exceptions.DATA,
    **tasks.DATA,
    **flash.DATA,
    **pins.DATA,
    **phy.DATA,
    **text.DATA,
    **arithmetic.DATA,
}
"""The words in DRAM that a start sets: address to value."""

FUNCTIONS: Final[tuple[RomFunction, ...]] = (
    *starting(DATA),
    *exceptions.FUNCTIONS,
    *tasks.FUNCTIONS,
    *serial.FUNCTIONS,
    *flash.FUNCTIONS,
    *pins.FUNCTIONS,
    *gpio.FUNCTIONS,
    *memory.FUNCTIONS,
    *text.FUNCTIONS,
    *arithmetic.FUNCTIONS,
    *phy.FUNCTIONS,
    *phy_bus.FUNCTIONS,
)
"""All functions."""
