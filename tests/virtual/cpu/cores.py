"""Cores for tests: a strict one, and full ones with a ROM of a test's own, in each tier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.virtual.cpu.core import ROM, Core, Trap
from imgtool.virtual.cpu.full_core import FullCore

if TYPE_CHECKING:
    from collections.abc import Mapping

CLOSURES: Final = 1 << 30
TIERS: Final = (CLOSURES, 0, 2)
"""Values for :attr:`FullCore.warm`: never translated, translated at once, from the third time on."""
DEVICE: Final = 0x6000_0000
DEBUG, NMI, KERNEL, USER, DOUBLE = (ROM.start + offset for offset in (0x10, 0x20, 0x30, 0x50, 0x70))
_VECTORS: Final = (DEBUG, NMI, KERNEL, USER, DOUBLE)


class Bus:
    """A device of eight readable and writable words, and nothing else."""

    def __init__(self) -> None:
        self.words = [0] * 8
        self.core: Core | None = None
        self.stop_at: int | None = None
        self.counts: list[int] = []

    def _touched(self, address: int) -> int:
        assert self.core is not None
        self.counts.append(self.core.instructions)
        if not DEVICE <= address < DEVICE + 32:
            raise Trap("nothing is there", address=address)
        if address == self.stop_at:
            self.core.stop = True
        return address - DEVICE >> 2

    def read(self, address: int, size: int) -> int:
        word = self.words[self._touched(address)]
        return word >> 8 * (address & 3) & (1 << 8 * size) - 1

    def write(self, address: int, value: int, size: int) -> None:
        index, shift = self._touched(address), 8 * (address & 3)
        mask = (1 << 8 * size) - 1 << shift
        self.words[index] = self.words[index] & ~mask | value << shift

    def enter_rom(self, core: Core, address: int) -> None:
        raise Trap(f"a ROM routine, a0 {core.a[0]:#x}", address=address)


def strict_core() -> tuple[Core, Bus]:
    """A core that no interrupt would disturb."""
    bus = Bus()
    core = bus.core = Core(bus)
    core.ps = 0
    return core, bus


def full_core(warm: int, rom: Mapping[int, str] | None = None) -> tuple[FullCore, Bus]:
    """A core out of reset, with interrupts let in, that stops at its vectors.

    Args:
        warm: The tier.
        rom: Code by address, as hexadecimal digits; at a vector that has some, it does not stop.
    """
    content = bytearray(len(ROM))
    for address, text in (rom or {}).items():
        code = bytes.fromhex(text)
        content[address - ROM.start : address - ROM.start + len(code)] = code
    bus = Bus()
    core = bus.core = FullCore(bus, bytes(content))
    core.reset()
    core.ps = 0
    core.warm = warm
    for vector in _VECTORS:
        if vector not in (rom or {}):
            stop_at(core, vector)
    return core, bus


def stop_at(core: FullCore, address: int) -> None:
    """Let no code run there."""

    def stop() -> None:
        core.stop = True

    core.hooks[address] = stop


def run_to_hook(core: FullCore) -> int:
    """Run until the core stands where no code runs; where that is."""
    for _ in range(1000):
        assert not core.run(1000)
        if core.pc in core.hooks:
            return core.pc
    raise AssertionError(f"it runs on and on, at {core.pc:#x}")
