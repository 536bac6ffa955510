"""What a part inside of the chip may do with it: the ROM's functions and its serial loader, as an interface.

Not the chip (machine.py): that has more, which no ROM could reach.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from imgtool.virtual.chip.nor import NorFlash
    from imgtool.virtual.chip.uart import Uart
    from imgtool.virtual.cpu.core import Core

__all__ = ["ChipAccess"]


class ChipAccess(Protocol):
    """The chip as its ROM sees it; times are nanoseconds, addresses of the flash are bytes from its start."""

    @property
    def core(self) -> Core:
        """The processor."""
        ...

    @property
    def uart(self) -> Uart:
        """UART0."""
        ...

    @property
    def flash(self) -> NorFlash:
        """The SPI flash."""
        ...

    @property
    def now(self) -> int:
        """Time since power-on."""
        ...

    @property
    def reset_cause(self) -> int:
        """The cause of the last reset, as the ROM numbers it."""
        ...

    def advance(self, moment: int) -> None:
        """Let time pass until a moment, with interrupts served meanwhile."""
        ...

    def spend(self, ns: int) -> None:
        """Charge time in which interrupts are served, such as a transfer from the flash."""
        ...

    def work(self, instructions: int) -> None:
        """Charge work that is not interpreted, such as a ROM function over so many bytes."""
        ...

    def digest(self, ns: int) -> None:
        """Charge a digest of flash content by the ROM."""
        ...

    def pause(self, ns: int) -> None:
        """A delay that a program asks for."""
        ...

    def wait_for_input(self) -> None:
        """The program goes round in the ROM until a byte has come on the line."""
        ...

    def start(self, entry: int) -> None:
        """Jump to a program in RAM, as MEM_END does."""
        ...

    def boot_flash(self, *, continued: bool = False) -> None:
        """Do as the ROM does with the flash at hand, after a reset or when the loader was left for it."""
        ...

    def reset_by_software(self) -> None:
        """As ``software_reset`` of the ROM does; GPIO0 is read again.  The cause stays what it was."""
        ...

    def attach_flash(self) -> None:
        """Switch the SPI pins to the flash."""
        ...

    def flash_status(self) -> int:
        """Its first status register."""
        ...

    def wait_for_flash(self) -> None:
        """Wait as the ROM does before each of its SPI functions."""
        ...

    def erase(self, kind: str, address: int) -> None:
        """Erase a unit and wait until it is done."""
        ...

    def program(self, address: int, data: bytes) -> None:
        """Program bytes, a page at a time, and wait until each is done."""
        ...

    def is_ram(self, address: int, size: int) -> bool:
        """Whether a stretch lies in IRAM or DRAM."""
        ...

    def peek(self, address: int) -> int:
        """Read a word of RAM or a register.

        Raises:
            Trap: There is nothing that could be read, or the address is not aligned.
        """
        ...

    def poke(self, address: int, value: int) -> None:
        """Write a word of RAM or a register.

        Raises:
            Trap: There is nothing that could be written, or the address is not aligned.
        """
        ...
