"""The lx106 core as firmware needs it: exceptions, interrupts, the boot ROM and the window of the flash.

Not the peripherals: they stand behind the :class:`~imgtool.virtual.cpu.core.Bus`, set :attr:`FullCore.lines`
and :meth:`FullCore.raise_interrupt`, and map the window.  What programs in RAM need is
:class:`~imgtool.virtual.cpu.core.Core`, which is stricter: what is an exception here ends the run there.

Code runs in two tiers.  A basic block begins as closures (:mod:`imgtool.virtual.cpu.closures`); from its
250th run on, it is the root of a translated function.  Most code of a boot runs a few times only.

Vectors, causes and registers: Xtensa Instruction Set Architecture Reference Manual, chapter 4 (exception,
interrupt and timer options), and ``xtensa/config/core-isa.h`` for the lx106 in Espressif's
https://github.com/espressif/ESP8266_RTOS_SDK.  That byte and half-word accesses to IRAM, ROM and the window
raise cause 3: the handler for it in https://github.com/espressif/ESP8266_NONOS_SDK, and NodeMCU's.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, Protocol

from imgtool.virtual.cpu.closures import closures
from imgtool.virtual.cpu.core import DRAM_BASE, IRAM_BASE, IRAM_SIZE, ROM, Core, Leave, Trap
from imgtool.virtual.cpu.translate import translate

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.virtual.cpu.core import Bus

    Block = Callable[[int, int], tuple[int, int]]

__all__ = ["WINDOW", "Cause", "FullCore", "NoRomError"]

WINDOW: Final = range(0x4020_0000, 0x4030_0000)
"""Where the cache shows a megabyte of the flash."""


class Cause:
    """Values of EXCCAUSE."""

    ILLEGAL = 0
    SYSCALL = 1
    LOAD_STORE = 3
    INTERRUPT = 4
    ALIGNMENT = 9
    FETCH_PROHIBITED = 20
    LOAD_PROHIBITED = 28
    STORE_PROHIBITED = 29


_WORD: Final = 0xFFFF_FFFF
_WARM: Final = 250  # runs after which a basic block is translated
_PAGE: Final = 0x1000

_EPC1, _EPC2, _EPC3, _DEPC, _EPS2, _EPS3 = 177, 178, 179, 192, 194, 195
_INTERRUPT, _INTCLEAR, _INTENABLE = 226, 227, 228
_PS, _VECBASE, _EXCCAUSE, _DEBUGCAUSE, _CCOUNT, _EXCVADDR, _CCOMPARE = 230, 231, 232, 233, 234, 238, 240
_LEVEL, _EXCM, _UM = 0xF, 0x10, 0x20
_DEBUG_LEVEL, _NMI_LEVEL = 2, 3
_DEBUG_VECTOR, _NMI_VECTOR, _KERNEL_VECTOR, _USER_VECTOR, _DOUBLE_VECTOR = 0x10, 0x20, 0x30, 0x50, 0x70
_RESET_VECTOR: Final = 0x80
_BREAK: Final = 1 << 3  # in DEBUGCAUSE; break.n is the next one
_TIMER: Final = 1 << 6  # CCOMPARE's interrupt
_SOFTWARE: Final = 1 << 7  # the only one that INTSET raises
_CLEARED: Final = _SOFTWARE | 0x3F00  # what INTCLEAR clears, the edges: neither the timer's nor levels
_IRAM_PAGE, _ROM_PAGE, _WINDOW_PAGE = 0x401, 0x400, 0x402


class _ProcessorException(BaseException):  # as Leave: no handler of errors is to see it
    """The instruction at pc raises an exception of the processor."""

    def __init__(self, cause: int, address: int | None = None) -> None:
        super().__init__()
        self.cause = cause
        self.address = address


class NoRomError(Exception):
    """The program needs what the boot ROM has at an address, and there is no dump of it.

    Attributes:
        address: What it calls or reads.
        by: From where: the return address of a call, or the instruction that reads.
    """

    def __init__(self, address: int, by: int) -> None:
        super().__init__(f"nothing stands for address 0x{address:08x} of the boot ROM")
        self.address, self.by = address, by


class WindowBytes(Protocol):
    """A megabyte of the flash, of which stretches are taken."""

    def __getitem__(self, part: slice, /) -> bytes | bytearray:
        """The bytes of a stretch."""
        ...


class WindowWords(Protocol):
    """The same, of which words are taken."""

    def __getitem__(self, index: int, /) -> int:
        """The word at a place, counted in words."""
        ...


class _World(NamedTuple):
    """Code as it is with the window in one place, or closed.

    Attributes:
        blocks: Functions by the address of their first instruction.
        pages: Pages of the window that they were made from.
    """

    blocks: dict[int, Block]
    pages: set[int]


class FullCore(Core):
    """An lx106 with its RAM, the ROM and the window.

    Args:
        bus: What lies outside of RAM, ROM and window.
        rom: The boot ROM, 64 KiB; None for functions of one's own, in :attr:`hooks`.

    Attributes:
        lines: Interrupts whose level is up, as bits.
        hooks: Addresses where a function of the owner's runs in place of code: it sets ``pc``.
        exceptions: How many there were, by EXCCAUSE; interrupts are not counted.
        warm: Runs after which a basic block is translated, for those that are made from now on.
        entered: Instructions executed before the basic block that runs as closures.
        emulates_loads: Whether firmware handles loads of parts of what gives only words; functions in place
            of code then get them at once.
    """

    def __init__(self, bus: Bus, rom: bytes | None) -> None:
        super().__init__(bus)
        self.lines = 0
        self.hooks: dict[int, Callable[[], None]] = {}
        self.exceptions: dict[int, int] = {}
        self.entered = 0
        self.emulates_loads = False
        self.warm = _WARM
        self._rom_bytes = rom
        self._rom32 = None if rom is None else memoryview(rom).cast("I")
        self._window: WindowBytes | None = None
        self._window32: WindowWords | None = None
        self._worlds: dict[int | None, _World] = {}
        self._world = self._worlds[None] = _World(self._blocks, set())
        self._compare_at: int | None = None

    def reset(self) -> None:
        """As a reset of the chip leaves it; RAM stays as it is."""
        self.special.clear()
        self.special[_VECBASE] = ROM.start
        self.ps = _LEVEL | _EXCM
        self.pc = ROM.start + _RESET_VECTOR
        self.sar = 0
        self.lines = 0
        self._compare_at = None
        self.waiting = False
        self.stop = True

    # The window --------------------------------------------------------------------------------------------

    def map_window(
        self, place: int | None, content: WindowBytes | None, words: WindowWords | None = None
    ) -> None:
        """Show a part of the flash, or nothing.

        Args:
            place: What tells one mapping from another: translated code is kept for each.
            content: The megabyte that is seen, shared with the caller; None for none, which reads as 0.
            words: The same as words, where they are not simply those of a buffer.
        """
        if place not in self._worlds:
            self._worlds[place] = _World({}, set())
        self._world = self._worlds[place]
        self._blocks = self._world.blocks
        self._left.clear()
        self._window = content
        if words is None and isinstance(content, bytearray):
            words = memoryview(content).cast("I")
        self._window32 = words
        self.stop = True

    def window_changed(self, place: int, start: int, size: int) -> None:
        """Bytes of a mapping have changed: code that was made from them is made anew."""
        world = self._worlds.get(place)
        if world is None:
            return
        pages = range(start // _PAGE, (start + size - 1) // _PAGE + 1)
        if not world.pages.isdisjoint(pages):
            world.blocks.clear()
            world.pages.clear()
            self._left.clear()
            self.stop = True

    # Interrupts and exceptions -----------------------------------------------------------------------------

    def raise_interrupt(self, bits: int) -> None:
        """Latch interrupts that are edges."""
        self.special[_INTERRUPT] = self.special.get(_INTERRUPT, 0) | bits

    def raise_nmi(self) -> None:
        """Enter the handler of the interrupt that nothing masks; between two calls of :meth:`run`."""
        self.special[_EPC3], self.special[_EPS3] = self.pc, self.ps
        self.ps = self.ps & ~_LEVEL | _NMI_LEVEL | _EXCM
        self.pc = self.special.get(_VECBASE, ROM.start) + _NMI_VECTOR
        self.waiting = False

    @property
    def enabled(self) -> int:
        """The interrupts that are switched on, as bits."""
        return self.special.get(_INTENABLE, 0)

    @property
    def compare_in(self) -> int | None:
        """Cycles until CCOUNT comes to CCOMPARE; None where nobody waits for that."""
        if not self.enabled & _TIMER:
            return None
        return self._compare_left

    @property
    def ccount(self) -> int:
        """The register CCOUNT."""
        return self.cycles() + self._cycles_offset & _WORD

    @property
    def _compare_left(self) -> int:
        return (self.special.get(_CCOMPARE, 0) - self.ccount & _WORD) or 1 << 32

    def look_at_timer(self) -> None:
        """Latch the timer's interrupt if CCOUNT has come to CCOMPARE since the last look, enabled or not."""
        left = self._compare_left
        if self._compare_at is not None and left > self._compare_at:
            self.raise_interrupt(_TIMER)
        self._compare_at = left

    @property
    def idles(self) -> bool:
        """Whether it waits for any interrupt there is."""
        return self.waiting and not self.ps & (_LEVEL | _EXCM)

    def _due(self) -> bool:
        special = self.special
        pending = (special.get(_INTERRUPT, 0) | self.lines) & special.get(_INTENABLE, 0)
        return pending != 0 and not self.ps & (_LEVEL | _EXCM)

    def _recheck(self, result: int | None, pc: int, n: int) -> None:
        """After what may have let an interrupt in: take it before the next instruction."""
        if self._due():
            self.pc, self.instructions = pc, n
            raise Leave(result)

    def _enter(self, cause: int, address: int | None) -> None:
        special = self.special
        vecbase = special.get(_VECBASE, ROM.start)
        if cause != Cause.INTERRUPT:
            self.exceptions[cause] = self.exceptions.get(cause, 0) + 1
        special[_EXCCAUSE] = cause
        if address is not None:
            special[_EXCVADDR] = address
        if self.ps & _EXCM:
            special[_DEPC] = self.pc
            self.pc = vecbase + _DOUBLE_VECTOR
            self.instructions += (
                1  # it takes time: a handler that raises one at once would never come to an end
            )
            return
        special[_EPC1] = self.pc
        self.pc = vecbase + (_USER_VECTOR if self.ps & _UM else _KERNEL_VECTOR)
        self.ps |= _EXCM

    # Running -----------------------------------------------------------------------------------------------

    def run(self, limit: int) -> bool:
        """Execute ``limit`` more instructions, or up to one function of translated code more.

        It ends early when :attr:`stop` is set, and at ``waiti``.

        Returns:
            Whether the program waits for an interrupt.
        """
        end = self.instructions + limit
        self.stop = False
        while self.instructions < end and not self.stop:
            if self._due():
                self.waiting = False
                self._enter(Cause.INTERRUPT, None)
            if self.waiting:
                return True
            self._slice(end)
        return self.waiting and not self._due()

    def _slice(self, end: int) -> None:
        """Run until ``end`` instructions are done in all, or something else needs a look."""
        pc, n, blocks = self.pc, self.instructions, self._blocks
        try:
            while n < end:
                block = blocks.get(pc)
                if block is None:
                    self.pc, self.instructions = pc, n
                    block = blocks[pc] = self._block(pc)
                pc, n = block(n, end)
            self.pc, self.instructions = pc, n
        except Leave as leave:
            self._leave(leave)
        except _ProcessorException as exception:
            self._enter(exception.cause, exception.address)

    def step(self) -> None:
        """Execute one instruction, by closures."""
        raise NotImplementedError

    # Code --------------------------------------------------------------------------------------------------

    def _code_at(self, address: int) -> bytes:
        if address in self.hooks:
            return b""
        if address in WINDOW:
            offset = address - WINDOW.start
            return bytes(3) if self._window is None else bytes(self._window[offset : offset + 3])
        if address in ROM:
            offset = address - ROM.start
            return b"" if self._rom_bytes is None else self._rom_bytes[offset : offset + 3]
        return super()._code_at(address)

    def _literal_at(self, address: int) -> int | None:
        if address in WINDOW:
            return None if self._window32 is None else self._window32[address - WINDOW.start >> 2]
        if address in ROM:
            return None if self._rom32 is None else self._rom32[address - ROM.start >> 2]
        return super()._literal_at(address)

    def _block(self, pc: int, *, single: bool = False, most: int = 0) -> Block:
        del single, most
        if pc in self.hooks:
            return functools.partial(self._hooked, pc, self.hooks[pc])
        if not self._code_at(pc):
            if self._rom_bytes is None and pc in ROM:
                raise NoRomError(pc, self.a[0])
            return functools.partial(self._no_code, pc)
        return self._cold(pc)

    def _hooked(self, pc: int, hook: Callable[[], None], n: int, _end: int) -> tuple[int, int]:
        self.pc, self.instructions = pc, n
        hook()
        raise Leave(None)

    def _no_code(self, pc: int, n: int, _end: int) -> tuple[int, int]:
        self.pc, self.instructions = pc, n
        raise _ProcessorException(Cause.FETCH_PROHIBITED, pc)

    def _cold(self, pc: int) -> Block:
        """The basic block there, as closures."""
        made = closures(self._code, pc, self._names)
        self._note(made.words)
        actions, ending = made.actions, made.ending
        left = self.warm

        def block(n: int, end: int) -> tuple[int, int]:
            nonlocal left
            left -= 1
            if left < 0:
                return self._warmed(pc, n)(n, end)
            self.entered = n
            for action in actions:
                action()
            return ending(n)

        return block

    def _warmed(self, pc: int, n: int) -> Block:
        """The same as the root of a translated function, from now on."""
        self.pc, self.instructions = pc, n
        made = translate(self._code, pc)
        self._note(made.words)
        names = dict(self._names)
        exec(compile(made.source, "<lx106>", "exec"), names)  # noqa: S102 (source of our own making)
        block: Block = names["block"]
        self._blocks[pc] = block
        return block

    def _note(self, words: frozenset[int]) -> None:
        """Remember what code was made from."""
        translated, pages = self._translated, self._world.pages
        for address in words:
            offset = address - IRAM_BASE
            if 0 <= offset < IRAM_SIZE:
                translated[offset >> 2] = 1
            elif address >= WINDOW.start:
                pages.add(address - WINDOW.start >> 12)

    def _forget(self) -> None:
        for world in self._worlds.values():
            world.blocks.clear()
            world.pages.clear()
        super()._forget()

    # What the functions call -------------------------------------------------------------------------------

    def _load(self, size: int, address: int, pc: int, n: int) -> int:
        self.pc, self.instructions = pc, n
        address &= _WORD
        page = address >> 20
        if page in _READ_ONLY_PAGES:
            if size != 4:  # noqa: PLR2004 (bytes of a word)
                raise _ProcessorException(Cause.LOAD_STORE, address)
            if page == _WINDOW_PAGE:
                return 0 if self._window32 is None else self._window32[address - WINDOW.start >> 2]
            if page == _IRAM_PAGE:
                if address - IRAM_BASE < IRAM_SIZE:
                    return self._iram32[address - IRAM_BASE >> 2]
            elif address in ROM:
                return self._rom_word(address)
        if DRAM_BASE <= address < ROM.start:  # a literal: the ROM's vectors have theirs there
            return self._dram32[address - DRAM_BASE >> 2]
        reader = self.readers.get(address)
        try:
            value = reader() if reader is not None and size == 4 else self.bus.read(address, size)  # noqa: PLR2004
        except Trap:
            raise _ProcessorException(Cause.LOAD_PROHIBITED, address) from None
        if self.stop:
            raise Leave(value)
        return value

    def _rom_word(self, address: int) -> int:
        if self._rom32 is None:
            raise NoRomError(address, self.pc)
        return self._rom32[address - ROM.start >> 2]

    def _store(self, size: int, address: int, value: int, pc: int, n: int) -> None:
        self.pc, self.instructions = pc, n
        address &= _WORD
        offset = address - IRAM_BASE
        if 0 <= offset < IRAM_SIZE:
            if size != 4:  # noqa: PLR2004 (bytes of a word)
                raise _ProcessorException(Cause.LOAD_STORE, address)
            index = offset >> 2
            if self._iram32[index] == value:
                return
            if self._translated[index]:
                following = self._following(pc)
                self._iram32[index] = value
                self._changing.add(index)
                self._forget()
                self.pc, self.instructions = following, n + 1
                raise Leave(None)
            self._iram32[index] = value
            return
        try:
            self.bus.write(address, value, size)
        except Trap:
            raise _ProcessorException(Cause.STORE_PROHIBITED, address) from None
        if self.stop:
            raise Leave(0)

    # For functions of the ROM that are not its own code -----------------------------------------------------

    @property
    def pending(self) -> int:
        """The interrupts that have come up, as bits, enabled or not."""
        return self.special.get(_INTERRUPT, 0) | self.lines

    def enable(self, interrupts: int) -> None:
        """Write INTENABLE."""
        if (self.enabled ^ interrupts) & _TIMER:
            self.stop = True
        self.special[_INTENABLE] = interrupts

    def clear_interrupts(self, bits: int) -> None:
        """Write INTCLEAR: edges are gone, levels stay."""
        self.special[_INTERRUPT] = self.special.get(_INTERRUPT, 0) & ~(bits & _CLEARED)

    def return_from_level(self, level: int) -> int:
        """PS as it was before an interrupt of level 2 or 3; where the processor goes on."""
        self.ps = self.special.get(_EPS2 + level - 2, 0)
        return self.special.get(_EPC2 + level - 2, 0)

    def wait(self, level: int) -> None:
        """Do as ``waiti`` does."""
        self.ps = self.ps & ~_LEVEL | level
        self.waiting = True

    def raise_exception(self, cause: int, address: int | None = None) -> NoReturn:
        """Leave the function with an exception of the processor at ``pc``."""
        raise _ProcessorException(cause, address)

    def load_word(self, address: int) -> int:
        """A word, as a load at ``pc`` reads it; a register's reader runs.

        A function in place of code may call it, and the others here: what raises an exception of the
        processor there raises it at ``pc``, and leaves the function.
        """
        address &= _WORD
        if address % 4:
            raise _ProcessorException(Cause.ALIGNMENT, address)
        if DRAM_BASE <= address < ROM.start:
            return self._dram32[address - DRAM_BASE >> 2]
        try:
            return self._load(4, address, self.pc, self.instructions)
        except Leave as leave:
            return leave.result or 0  # a load has one

    def store_word(self, address: int, value: int) -> None:
        """Store a word, as a store at ``pc`` does; a register's writer runs."""
        address &= _WORD
        if address % 4:
            raise _ProcessorException(Cause.ALIGNMENT, address)
        if DRAM_BASE <= address < ROM.start:
            self._dram32[address - DRAM_BASE >> 2] = value
            return
        offset = address - IRAM_BASE
        if 0 <= offset < IRAM_SIZE:
            index = offset >> 2
            if self._iram32[index] != value:
                self._iram32[index] = value
                if self._translated[index]:
                    self._changing.add(index)
                    self._forget()
            return
        try:
            self.bus.write(address, value, 4)
        except Trap:
            raise _ProcessorException(Cause.STORE_PROHIBITED, address) from None

    def load_bytes(self, address: int, size: int) -> bytes:
        """Bytes; what gives only words raises its exception, unless :attr:`emulates_loads`."""
        address &= _WORD
        if address >= DRAM_BASE and address + size <= ROM.start:
            return bytes(self.dram[address - DRAM_BASE : address - DRAM_BASE + size])
        found = bytearray()
        for at in range(address & ~3, address + size, 4):
            if (
                not self.emulates_loads
                and at >> 20 in _READ_ONLY_PAGES
                and (at < address or at + 4 > address + size)
            ):
                raise _ProcessorException(Cause.LOAD_STORE, max(at, address))
            found += self.load_word(at).to_bytes(4, "little")
        start = address & 3
        return bytes(found[start : start + size])

    def load_part(self, address: int, size: int) -> int:
        """A byte, or a half-word at an even address."""
        if size > 1 and address % size:
            raise _ProcessorException(Cause.ALIGNMENT, address)
        if not self.emulates_loads and address >> 20 in _READ_ONLY_PAGES:
            raise _ProcessorException(Cause.LOAD_STORE, address)
        return int.from_bytes(self.load_bytes(address, size), "little")

    def store_part(self, address: int, value: int, size: int) -> None:
        """Store a byte, or a half-word at an even address."""
        address &= _WORD
        if size > 1 and address % size:
            raise _ProcessorException(Cause.ALIGNMENT, address)
        if DRAM_BASE <= address < ROM.start:
            offset = address - DRAM_BASE
            self.dram[offset : offset + size] = value.to_bytes(size, "little")
        elif address >> 20 in _READ_ONLY_PAGES:
            raise _ProcessorException(Cause.LOAD_STORE, address)
        else:
            try:
                self.bus.write(address, value, size)
            except Trap:
                raise _ProcessorException(Cause.STORE_PROHIBITED, address) from None

    def store_bytes(self, address: int, data: bytes) -> None:
        """Store bytes; in IRAM, where only words can be stored, whole ones."""
        address &= _WORD
        if address >= DRAM_BASE and address + len(data) <= ROM.start:
            offset = address - DRAM_BASE
            self.dram[offset : offset + len(data)] = data
            return
        if address % 4 == 0:
            for at in range(0, len(data) & ~3, 4):
                self.store_word(address + at, int.from_bytes(data[at : at + 4], "little"))
            data, address = data[len(data) & ~3 :], address + (len(data) & ~3)
        for number, byte in enumerate(data):
            self.store_part(address + number, byte, 1)

    def _misaligned(self, address: int, pc: int, n: int) -> None:
        self.pc, self.instructions = pc, n
        raise _ProcessorException(Cause.ALIGNMENT, address & _WORD)

    def _undefined(self, pc: int, n: int) -> None:
        self.pc, self.instructions = pc, n
        raise _ProcessorException(Cause.ILLEGAL)

    def _stopped(self, what: str, n: int, pc: int, *_codes: int) -> tuple[int, int]:
        self.pc, self.instructions = pc, n
        if what != "breakpoint":
            raise _ProcessorException(Cause.SYSCALL if what == "system call" else Cause.ILLEGAL)
        following = self._following(pc)
        if self.ps & _LEVEL >= _DEBUG_LEVEL:
            return following, n + 1
        special = self.special
        special[_EPC2], special[_EPS2] = pc, self.ps
        special[_DEBUGCAUSE] = _BREAK << (following == pc + 2)
        self.ps = self.ps & ~_LEVEL | _DEBUG_LEVEL | _EXCM
        return special.get(_VECBASE, ROM.start) + _DEBUG_VECTOR, n + 1

    def _read_special(self, number: int, n: int) -> int:
        if number == _INTERRUPT:
            return self.special.get(_INTERRUPT, 0) | self.lines
        return super()._read_special(number, n)

    def _write_special(self, number: int, value: int, pc: int, n: int) -> None:
        old = self._read_special(number, n)
        if number in _WRITABLE:
            value &= _WRITABLE[number]
        super()._write_special(number, value, pc, n)
        if number in {_CCOMPARE, _CCOUNT}:
            self._compare_at = self._compare_left
            self.stop = True
            if number == _CCOMPARE:
                self.special[_INTERRUPT] = self.special.get(_INTERRUPT, 0) & ~_TIMER
        elif number == _INTENABLE and (old ^ value) & _TIMER:
            self.stop = True
        if self.stop:
            self.pc = pc
            raise Leave(old)
        if number in _LETS_IN:
            self._recheck(old, pc, n)

    def _rsil(self, level: int, pc: int, n: int) -> int:
        old = super()._rsil(level, pc, n)
        self._recheck(old, pc, n)
        return old

    def _rfe(self, n: int, pc: int) -> tuple[int, int]:
        return self._returned(*super()._rfe(n, pc))

    def _rfi(self, n: int, pc: int, level: int) -> tuple[int, int]:
        if level not in {2, 3}:
            return self._stopped("return from no level", n, pc)
        return self._returned(*super()._rfi(n, pc, level))

    def _returned(self, pc: int, n: int) -> tuple[int, int]:
        self._recheck(None, pc, n)
        return pc, n


_READ_ONLY_PAGES: Final = frozenset({_IRAM_PAGE, _ROM_PAGE, _WINDOW_PAGE})
_WRITABLE: Final = {_INTERRUPT: _SOFTWARE, _INTCLEAR: _CLEARED}
_LETS_IN: Final = frozenset({_PS, _INTENABLE, _INTERRUPT})
