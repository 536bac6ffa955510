"""Where RAM and ROM are for the core of a virtual ESP8266, and how a program fails.

Not a memory: the core has its RAM, and what lies outside is behind a bus.  The addresses are those of
:data:`imgtool.chip.MEMORY`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DRAM_BASE", "DRAM_SIZE", "IRAM_BASE", "IRAM_SIZE", "ROM", "Trap"]

DRAM_BASE: Final = 0x3FFE_8000
DRAM_SIZE: Final = 0x1_8000
IRAM_BASE: Final = 0x4010_0000
IRAM_SIZE: Final = 0x1_0000
ROM: Final = range(0x4000_0000, 0x4001_0000)


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
