"""What the core of a virtual ESP8266 sees: where RAM and ROM are, what a bus does, and how a program fails.

Not a bus: the chip has one.  The addresses are those of :data:`imgtool.chip.MEMORY`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imgtool.virtual.cpu.core import Core

__all__ = ["DRAM_BASE", "DRAM_SIZE", "IRAM_BASE", "IRAM_SIZE", "ROM", "Bus", "Trap"]

DRAM_BASE: Final = 0x3FFE_8000
DRAM_SIZE: Final = 0x1_8000
IRAM_BASE: Final = 0x4010_0000
IRAM_SIZE: Final = 0x1_0000
ROM: Final = range(0x4000_0000, 0x4001_0000)


class Bus(Protocol):
    """What lies outside the core's RAM."""

    def read(self, address: int, size: int) -> int:
        """The value at an aligned address; ``size`` is 1, 2 or 4 bytes.

        Raises:
            Trap: Nothing is there.
        """
        ...

    def write(self, address: int, value: int, size: int) -> None:
        """Store a value of ``size`` bytes at an aligned address.

        Raises:
            Trap: Nothing is there.
        """
        ...

    def enter_rom(self, core: Core, address: int) -> None:
        """Do what the ROM does from ``address`` on, and set ``core.pc``: mostly to register a0."""
        ...


class Trap(Exception):  # noqa: N818 (the field's word)
    """The program did what the chip cannot do, or what is not emulated.

    Args:
        cause: What happened, in a few words.
        address: The address concerned, if one is.
        pc: Address of the instruction; filled in by the core if not given.

    Attributes:
        registers: a0 to a15 as they were before the instruction.
        special: Special registers by name: sar, ps and those that were written.
    """

    def __init__(self, cause: str, *, address: int | None = None, pc: int | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.address = address
        self.pc = pc
        self.registers: tuple[int, ...] = ()
        self.special: Mapping[str, int] = {}

    def __str__(self) -> str:
        where = "" if self.address is None else f" at 0x{self.address:08x}"
        by = "" if self.pc in {None, self.address} else f", by the instruction at 0x{self.pc:08x}"
        return f"{self.cause}{where}{by}"
