"""What a function of the boot ROM works on: arguments, memory, registers, and calls into firmware.

Not the functions.  Arguments come in a2 to a7 and on the stack, a result goes into a2 (CALL0 ABI).  A
function that calls firmware, or one that firmware may have put in the place of another, is a generator: it
yields a :class:`Call`, and is sent what that returns.  No stack frame of the ROM's is made: what lies below
the stack pointer differs from the real one's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from imgtool.virtual.cpu.full_core import FullCore

__all__ = [
    "Call",
    "Handler",
    "Jump",
    "Machine",
    "Outcome",
    "RomFunction",
    "Steps",
    "Surroundings",
    "Wait",
    "words_of",
]

_WORD: Final = 0xFFFF_FFFF
_IN_REGISTERS: Final = 6
_ACCESS: Final = 4  # instructions that the real functions have for one, about


class Call(NamedTuple):
    """A call out of a function.

    Attributes:
        address: Whom to call: firmware, or another function of the ROM.
        arguments: At most six words.
    """

    address: int
    arguments: tuple[int, ...] = ()


class Wait(NamedTuple):
    """Waiting for an interrupt of a level above: what ``waiti`` does.

    Attributes:
        level: The level; 0 for any interrupt.
    """

    level: int = 0


class Jump(NamedTuple):
    """How a function ends that does not return to its caller.

    Attributes:
        address: Where the processor goes on; registers are as the function has left them.
    """

    address: int


Outcome = int | Jump | None
"""How a function ends: with a result for a2, with None where a2 stays as it is, or elsewhere."""

Steps = Generator[Call | Wait, int, Outcome]
"""A function that calls or waits: it is sent what a call returns."""

Handler = Callable[["Machine"], "Outcome | Steps"]
"""A function."""


class RomFunction(NamedTuple):
    """A function of the ROM.

    Attributes:
        address: Where it begins.
        name: Its name in the linker script of Espressif's SDK.
        handler: What it does.
    """

    address: int
    name: str
    handler: Handler


class Surroundings(Protocol):
    """What a machine needs of its board beside the processor."""

    def delay(self, micros: int) -> None:
        """Let microseconds pass."""

    def read_flash(self, address: int, size: int) -> bytes:
        """Bytes of the flash, in the time that it takes to read them."""


def words_of(address: int, data: bytes) -> dict[int, int]:
    """Bytes as words by their address, a multiple of 4; filled up with zeros."""
    return {address + at: int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)}


class Machine:
    """The processor of a board, as a function of the ROM sees it.

    Args:
        core: The processor.
        surroundings: The rest of the board.
    """

    def __init__(self, core: FullCore, surroundings: Surroundings) -> None:
        self.core = core
        self.surroundings = surroundings

    # Arguments ---------------------------------------------------------------------------------------------

    def arg(self, number: int) -> int:
        """An argument, counted from 0, as an unsigned word; those behind the sixth lie on the stack."""
        if number < _IN_REGISTERS:
            return self.core.a[2 + number]
        return self.word(self.core.a[1] + 4 * (number - _IN_REGISTERS))

    def signed(self, number: int) -> int:
        """The same as a signed word."""
        value = self.arg(number)
        return value - (1 << 32) if value >> 31 else value

    # Memory and registers of the board ---------------------------------------------------------------------

    def word(self, address: int) -> int:
        """A word at an aligned address: of memory, or of a register, whose reader runs."""
        self.core.instructions += _ACCESS
        return self.core.load_word(address)

    def set_word(self, address: int, value: int) -> None:
        """Store a word at an aligned address, in memory or in a register."""
        self.core.instructions += _ACCESS
        self.core.store_word(address, value & _WORD)

    def set_bits(self, address: int, mask: int, value: int) -> None:
        """Store a word anew, with the bits of a mask changed."""
        self.set_word(address, self.word(address) & ~mask | value & mask)

    def byte(self, address: int) -> int:
        """A byte: of RAM, and where firmware handles such loads, of what gives only words."""
        self.core.instructions += _ACCESS
        return self.core.load_part(address, 1)

    def half(self, address: int) -> int:
        """Two bytes at an even address, as :meth:`byte`."""
        self.core.instructions += _ACCESS
        return self.core.load_part(address, 2)

    def set_byte(self, address: int, value: int) -> None:
        """Store a byte in RAM."""
        self.core.instructions += _ACCESS
        self.core.store_part(address, value & 0xFF, 1)

    def set_half(self, address: int, value: int) -> None:
        """Store two bytes in RAM, at an even address."""
        self.core.instructions += _ACCESS
        self.core.store_part(address, value & 0xFFFF, 2)

    def bytes_at(self, address: int, size: int) -> bytes:
        """Bytes, each as :meth:`byte`."""
        self.core.instructions += size // 2
        return self.core.load_bytes(address, size)

    def set_bytes(self, address: int, data: bytes) -> None:
        """Store bytes in RAM; in IRAM whole words only."""
        self.core.instructions += len(data) // 2
        self.core.store_bytes(address, data)

    def text(self, address: int) -> bytes:
        """A string of C, without its zero."""
        found = bytearray()
        while byte := self.byte(address + len(found)):
            found.append(byte)
        return bytes(found)

    # Time --------------------------------------------------------------------------------------------------

    def work(self, instructions: int) -> None:
        """Charge what the real function would compute, beside its accesses to memory."""
        self.core.instructions += instructions

    def delay(self, micros: int) -> None:
        """Let microseconds pass."""
        self.surroundings.delay(micros)
