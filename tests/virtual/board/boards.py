"""A board for tests: with a ROM of a test's own, and a clock that stands unless code runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgtool.chip import ROM_SIZE
from imgtool.flash_parts import default_part
from imgtool.virtual.board.boot_rom import BootRom
from imgtool.virtual.board.peripherals import Board, Parts
from imgtool.virtual.chip.ledger import INSTRUCTION_NS
from imgtool.virtual.chip.nor import NorFlash, Operation
from imgtool.virtual.chip.spi import SpiController
from imgtool.virtual.chip.store import MemoryStore
from imgtool.virtual.chip.uart import Uart
from imgtool.virtual.cpu.core import ROM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imgtool.virtual.chip.store import Store

SECOND = 1_000_000_000
MS = 1_000_000
US = 1000
POWER_ON, EXTERNAL = 1, 2
CODE = 0x4010_0000
RESET = 0x4000_0080
# waiti 15; j . - 3: nothing but time passes.
ASLEEP = {RESET: "007f00 46feff"}
EFUSES = {0x50: 0x12345678, 0x54: 0x9ABCDEF0}


class Clock:
    """Nanoseconds since power-on."""

    def __init__(self) -> None:
        self.skipped = 0
        self.board: Board | None = None

    @property
    def now(self) -> int:
        done = 0 if self.board is None else self.board.core.instructions
        return self.skipped + done * INSTRUCTION_NS

    def skip_to(self, moment: int) -> None:
        self.skipped += max(0, moment - self.now)


def rom_of(parts: Mapping[int, str]) -> BootRom:
    """A ROM with code at some addresses, as hexadecimal digits."""
    content = bytearray(ROM_SIZE)
    for address, text in parts.items():
        code = bytes.fromhex(text)
        content[address - ROM.start : address - ROM.start + len(code)] = code
    return BootRom(bytes(content))


class Bench:
    """A board, and what it is made of.

    Args:
        rom: Code of the ROM by address; a reset begins at 0x40000080.
        megabytes: Of the flash.
        store: What keeps its bytes; None for one in memory.
    """

    def __init__(
        self, rom: Mapping[int, str] | None = None, *, megabytes: float = 4, store: Store | None = None
    ) -> None:
        part = default_part(int(megabytes * (1 << 20)))
        self.clock = Clock()
        self.store: Store = MemoryStore(part.bytes) if store is None else store
        self.flash = NorFlash(part, self.store, on_operation=self._operated)
        self.uart = Uart(lambda: self.clock.now)
        spi = SpiController(self.flash)
        parts = Parts(uart=self.uart, flash=self.flash, spi=spi, efuses=EFUSES)
        self.board = self.clock.board = Board(rom_of({**ASLEEP, **(rom or {})}), self.clock, parts)
        self.core = self.board.core
        self.board.reset(POWER_ON)

    def _operated(self, operation: Operation) -> None:
        self.board.window.changed(operation)

    def read(self, address: int, size: int = 4) -> int:
        """As a load of the core's."""
        reader = self.core.readers.get(address)
        return reader() if reader is not None and size == 4 else self.board.read(address, size)

    def write(self, address: int, value: int, size: int = 4) -> None:
        """As a store of the core's."""
        self.board.write(address, value, size)

    def wait(self, ns: int) -> None:
        """Let the board run for so long, or until it is reset."""
        end = self.clock.now + ns
        while self.clock.now < end and self.board.resets is None:
            if self.board.run(end, 1000):
                event = self.board.next_event()
                assert event is not None
                self.clock.skip_to(event)
        if self.board.resets is None:
            self.board.run(end, 1)

    def pending(self) -> int:
        """The interrupts that wait in the core, as bits."""
        return self.core.special.get(226, 0) | self.core.lines

    def code(self, code: str, **registers: int) -> None:
        """Let the core go on with some code in IRAM."""
        self.core.load(CODE, bytes.fromhex(code))
        self.core.pc = CODE
        self.core.waiting = False
        for name, value in registers.items():
            self.core.a[int(name[1:])] = value
