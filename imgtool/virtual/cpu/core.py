"""The lx106 core of a virtual ESP8266: registers, RAM, and running the code in it.

Not the chip: what lies outside RAM is behind a :class:`Bus`, ROM routines included, and interrupts are
delivered from outside, between two calls of :meth:`Core.run`.  Code runs as Python functions that
:mod:`imgtool.virtual.cpu.translate` makes of it.

Strict, so that no program passes here that cannot work: unaligned accesses, byte and half-word accesses to
IRAM, code outside IRAM and undefined instructions end the run with a :class:`Trap`, where silicon raises an
exception.  That IRAM takes aligned 32-bit accesses only:
https://arduino-esp8266.readthedocs.io/en/latest/mmu.html.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from imgtool.formats.code import isa
from imgtool.virtual.cpu.memory import DRAM_BASE, DRAM_SIZE, IRAM_BASE, IRAM_SIZE, ROM, Trap
from imgtool.virtual.cpu.semantics import ENDS
from imgtool.virtual.cpu.translate import LONGEST, Code, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType

    from imgtool.formats.code.isa import Instruction

    Block = Callable[[int, int], tuple[int, int]]

__all__ = ["DRAM_BASE", "DRAM_SIZE", "IRAM_BASE", "IRAM_SIZE", "ROM", "Bus", "Core", "Leave", "Trap"]

_WORD: Final = 0xFFFF_FFFF
_IDLE_BLOCKS: Final = 64  # an idle loop has at most as many basic blocks
_IDLE_VISITS: Final = 3  # a busy loop shows by coming back as often with other registers
# Instructions until the next look for an idle loop, doubled from the least to the most while there is none.
_IDLE_PAUSES: Final = (500, 4000)

_SAR, _EPC, _DEPC, _EPS, _INTERRUPT, _INTCLEAR = 3, 176, 192, 192, 226, 227
_PS, _CCOUNT = 230, 234
_PS_LEVEL, _PS_EXCM = 0xF, 0x10
_PS_FIELDS = 0x3F  # INTLEVEL, EXCM and UM; that others read as 0 without windows and rings is assumed

# What no waiting loop does: these change what a look at the registers and at RAM does not show.
_IMPURE: Final = frozenset({"rfe", "rfi", "rfde", "waiti", "simcall", "syscall", "break", "ill"})


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


class Leave(BaseException):
    """Ends a block after the current instruction, which has had its effect but for its result."""

    def __init__(self, result: int | None) -> None:
        super().__init__()
        self.result = result


class _Left(NamedTuple):
    """What is still to be done for an instruction at which a block was left.

    Attributes:
        following: Address of the next instruction.
        register: Which one the result goes to; None for a store.
        signed: Whether 16 bits of the result are signed.
    """

    following: int
    register: int | None
    signed: bool


class Core:
    """An lx106 with its RAM.

    Args:
        bus: What lies outside RAM.

    Attributes:
        iram: Instruction RAM, 64 KiB from 0x40100000; to change it, use :meth:`load`.
        dram: Data RAM, 96 KiB from 0x3ffe8000.
        a: The 16 address registers, each in 0..2**32-1; change them in place (``core.a[:] = saved``).
        pc: Address of the next instruction.
        sar: Shift amount register, 0..63.
        ps: Processor state.
        special: The other special registers by number (:data:`~imgtool.formats.code.isa.SPECIAL_REGISTERS`).
        instructions: Executed so far; exact whenever the bus is called.
        stop: Set by the bus to make :meth:`run` return; it is cleared by the run that obeys.
        waiting: Set by ``waiti``.  Who delivers an interrupt clears it; until then :meth:`run` returns at
            once.
        side_effect: Set by the bus when a read changed something, so that a loop around it is not idle.
        readers: Addresses outside RAM that are read as words by a function of their own, not by the bus.
        writers: Likewise, what takes words that are stored there.
        cycles: Gives the cycle counter, for CCOUNT; by default 1.3 cycles an instruction.
    """

    def __init__(self, bus: Bus) -> None:
        if sys.byteorder != "little":
            raise NotImplementedError("the core's views of RAM as words need a little-endian host")
        self.bus = bus
        # Final: translated code refers to these three objects.
        self.iram: Final = bytearray(IRAM_SIZE)
        self.dram: Final = bytearray(DRAM_SIZE)
        self.a: Final = [0] * 16
        self.pc = ROM.start
        self.sar = 0
        self.ps = 0x1F  # after reset: INTLEVEL 15, EXCM
        self.special: dict[int, int] = {}
        self.instructions = 0
        self.stop = False
        self.waiting = False
        self.side_effect = False
        self.readers: Final[dict[int, Callable[[], int]]] = {}
        self.writers: Final[dict[int, Callable[[int], None]]] = {}
        self.cycles: Callable[[], int] = lambda: self.instructions * 13 // 10
        self._cycles_offset = 0
        self._journal: list[tuple[memoryview, int, int]] = []
        self._pause = _IDLE_PAUSES[0]
        self._next_look = 0
        self._iram32 = memoryview(self.iram).cast("I")
        self._blocks: dict[int, Block] = {}
        self._steps: dict[int, Block | None] = {}
        self._singles: dict[int, Block] = {}
        self._left: dict[int, _Left] = {}
        self._translated = bytearray(IRAM_SIZE // 4)
        self._changing: set[int] = set()
        self._code = Code(self._code_at, self._literal_at)
        dram = memoryview(self.dram)
        self._dram32 = dram.cast("I")
        self._names: dict[str, Any] = {
            "core": self,
            "a": self.a,
            "recover": self._recover,
            "dram8": dram[::-1],
            "dram16": dram.cast("H")[::-1],
            "dram32": dram.cast("I")[::-1],
            "load8": functools.partial(self._load, 1),
            "load16": functools.partial(self._load, 2),
            "load32": functools.partial(self._load, 4),
            "store8": functools.partial(self._store, 1),
            "store16": functools.partial(self._store, 2),
            "store32": functools.partial(self._store, 4),
            "misaligned": self._misaligned,
            "undefined": self._undefined,
            "read_special": self._read_special,
            "write_special": self._write_special,
            "rsil_": self._rsil,
            "rfe_": self._rfe,
            "rfde_": self._rfde,
            "rfi_": self._rfi,
            "waiti_": self._waiti,
            "ill_": functools.partial(self._stopped, "illegal instruction"),
            "break_": functools.partial(self._stopped, "breakpoint"),
            "simcall_": functools.partial(self._stopped, "simulator call"),
            "syscall_": functools.partial(self._stopped, "system call"),
        }

        self._step_names = self._names | {
            "store8": functools.partial(self._noted_store, 1),
            "store16": functools.partial(self._noted_store, 2),
            "store32": functools.partial(self._noted_store, 4),
        }

    # Memory, from outside ----------------------------------------------------------------------------------

    def load(self, address: int, data: bytes) -> None:
        """Write to RAM as a host does; code there is translated anew.

        Raises:
            Trap: It is not all within IRAM or DRAM.
        """
        memory, offset = self._ram(address, len(data))
        memory[offset : offset + len(data)] = data
        if memory is self.iram and any(self._translated[offset // 4 : (offset + len(data) + 3) // 4]):
            self._forget()

    def fetch(self, address: int, size: int) -> bytes:
        """Read from RAM as a host does.

        Raises:
            Trap: It is not all within IRAM or DRAM.
        """
        memory, offset = self._ram(address, size)
        return bytes(memory[offset : offset + size])

    def _ram(self, address: int, size: int) -> tuple[bytearray, int]:
        for memory, base in ((self.dram, DRAM_BASE), (self.iram, IRAM_BASE)):
            if base <= address and address + size <= base + len(memory):
                return memory, address - base
        raise Trap(f"{size} bytes are not all in RAM", address=address)

    # Running -----------------------------------------------------------------------------------------------

    def run(self, limit: int) -> bool:
        """Execute ``limit`` more instructions, or up to one function of translated code more.

        It ends early when :attr:`stop` is set, and when the program waits: at ``waiti``, and in a loop that
        can change nothing, of which it may be anywhere then.  Such a loop has no ROM calls, no writes to the
        bus and no reads with a side effect, and comes back to the same address with the same registers and
        the same RAM.

        A bus's ``enter_rom`` may call it, and has to bring the registers back then.

        Returns:
            Whether the program waits for something from outside.

        Raises:
            Trap: The program did what it must not; ``pc`` is at the instruction, and no register has changed.
        """
        end = self.instructions + limit
        try:
            while self.instructions < end and not self.stop and not self.waiting:
                if self.instructions >= self._next_look and self._idle(end):
                    return True
                self._slice(min(end, max(self._next_look, self.instructions + 1)))
        except Trap as trap:
            self._complete(trap)
            raise
        finally:
            self.stop = False
        return self.waiting

    def step(self) -> None:
        """Execute one instruction, or one ROM routine; for tracing and for tests, and slow.

        Raises:
            Trap: As :meth:`run`.
        """
        try:
            if self.pc not in self._singles:
                self._singles[self.pc] = self._block(self.pc, most=1)
            self.pc, self.instructions = self._singles[self.pc](self.instructions, 0)
        except Leave as leave:
            self._leave(leave)
        except Trap as trap:
            self._complete(trap)
            raise

    def _complete(self, trap: Trap) -> None:
        """Say where it happened, unless a run inside of this one did."""
        if not trap.registers:
            trap.pc = self.pc if trap.pc is None else trap.pc
            trap.registers = tuple(self.a)
            named = {isa.SPECIAL_REGISTERS[number]: value for number, value in self.special.items()}
            trap.special = {"sar": self.sar, "ps": self.ps, **named}

    def _slice(self, end: int) -> None:
        """Run translated functions until ``end`` instructions are done in all, or stop is set."""
        pc, n, blocks = self.pc, self.instructions, self._blocks
        while n < end:
            block = blocks.get(pc)
            if block is None:
                self.pc, self.instructions = pc, n
                block = blocks[pc] = self._block(pc)
            try:
                pc, n = block(n, end)
            except Leave as leave:
                self._leave(leave)
                if self.stop or self.waiting:
                    return
                pc, n = self.pc, self.instructions
        self.pc, self.instructions = pc, n

    def _leave(self, leave: Leave) -> None:
        """Finish the instruction at pc after a block was left because of it."""
        if leave.result is None:
            return
        left = self._left.get(self.pc)
        if left is None:
            left = self._left[self.pc] = self._left_at(self.pc)
        if left.register is not None:
            value = leave.result
            self.a[left.register] = value | 0xFFFF_0000 if left.signed and value & 0x8000 else value
        self.pc = left.following
        self.instructions += 1

    def _following(self, pc: int) -> int:
        """Address of the next instruction; to be asked for before a store, which may be over this one."""
        instruction = isa.decode(self._code_at(pc), pc)
        return pc + (instruction.size if instruction else 3)

    def _left_at(self, pc: int) -> _Left:
        instruction = isa.decode(self._code_at(pc), pc)
        if instruction is None or not instruction.operands:  # a store that closed the window over itself
            return _Left(pc + 3, None, False)
        nothing = instruction.mnemonic.startswith("s") or instruction.mnemonic == "wsr"
        register = None if nothing else instruction.operands[0]
        return _Left(pc + instruction.size, register, instruction.mnemonic == "l16si")

    # Translated code ---------------------------------------------------------------------------------------

    def _block(self, pc: int, *, single: bool = False, most: int = LONGEST) -> Block:
        code = self._code_at(pc)
        if pc in ROM and not code:
            return functools.partial(self._rom, pc)
        if not code:
            raise Trap("fetch from memory that holds no code", address=pc, pc=pc)
        made = translated(self._code, pc, single=single, most=most)
        for address in made.words:
            if address in _IRAM:  # the last instruction may be cut off
                self._translated[(address - IRAM_BASE) // 4] = 1
        names = dict(self._step_names if single else self._names)
        exec(_compiled(made.source), names)  # noqa: S102 (source of our own making, from numbers only)
        block: Block = names["block"]
        return block

    def _rom(self, address: int, n: int, _end: int) -> tuple[int, int]:
        self.pc, self.instructions = address, n
        self.bus.enter_rom(self, address)
        if self.stop:
            raise Leave(None)  # perhaps before the routine: it is entered again
        if self.pc == address:
            raise Trap("the ROM routine did not return", pc=address)
        return self.pc, self.instructions

    def _code_at(self, address: int) -> bytes:
        offset = address - IRAM_BASE
        return bytes(self.iram[offset : offset + 3]) if 0 <= offset < IRAM_SIZE else b""

    def _literal_at(self, address: int) -> int | None:
        index = (address - IRAM_BASE) >> 2
        return self._iram32[index] if 0 <= index < IRAM_SIZE // 4 and index not in self._changing else None

    def _forget(self) -> None:
        self._blocks.clear()
        self._steps.clear()
        self._singles.clear()
        self._left.clear()
        self._translated[:] = bytes(len(self._translated))

    def _recover(self, names: Mapping[str, int]) -> None:
        """Take the registers out of the locals of a block that is left by an exception."""
        for name, value in names.items():
            register = _REGISTERS.get(name)
            if register is not None:
                self.a[register] = value
            elif name == "sar":
                self.sar = value

    # Idle loops --------------------------------------------------------------------------------------------

    def _idle(self, end: int) -> bool:
        """Whether the code at pc comes back to where it was, having changed nothing; it is executed."""
        idle = self._comes_back(end)
        self._journal.clear()
        self._pause = _IDLE_PAUSES[0] if idle else min(2 * self._pause, _IDLE_PAUSES[1])
        self._next_look = self.instructions if idle else self.instructions + self._pause
        return idle

    def _comes_back(self, end: int) -> bool:
        self.side_effect = False
        steps, journal, registers = self._steps, self._journal, self.a
        seen: dict[tuple[int, ...], int] = {}  # registers to length of the journal
        visits: dict[int, int] = {}
        pc = self.pc
        state = (pc, self.sar, self.ps, *registers)
        for _ in range(_IDLE_BLOCKS):
            if pc not in steps:
                steps[pc] = self._step(pc)
            step = steps[pc]
            visits[pc] = count = visits.get(pc, 0) + 1
            if step is None or count > _IDLE_VISITS or self.instructions >= end:
                return False
            seen[state] = len(journal)
            try:
                self.pc, self.instructions = pc, _ = step(self.instructions, 0)
            except Leave as leave:
                self._leave(leave)
                return False
            if self.side_effect:
                return False
            state = (pc, self.sar, self.ps, *registers)
            before = seen.get(state)
            if before is not None and self._unchanged(before):
                return True
        return False

    def _unchanged(self, since: int) -> bool:
        """Whether RAM is as it was when the journal had that length."""
        was: dict[tuple[int, int], int] = {}
        for memory, index, value in self._journal[since:]:
            was.setdefault((memory is self._iram32, index), value)
        return all(
            (self._iram32 if instruction else self._dram32)[index] == value
            for (instruction, index), value in was.items()
        )

    def _step(self, pc: int) -> Block | None:
        """The basic block there as a function, if it has nothing in it that a waiting loop does not have."""
        at = pc
        while code := self._code_at(at):
            instruction = isa.decode(code, at)
            if instruction is None or not _can_wait(instruction):
                return None
            at += instruction.size
            if instruction.mnemonic.removesuffix(".n") in ENDS:
                return self._block(pc, single=True)
        return None

    def _noted_store(self, size: int, address: int, value: int, pc: int, n: int) -> None:
        """A store while looking for an idle loop: notes what was there."""
        address &= _WORD
        if 0 <= (offset := address - DRAM_BASE) < DRAM_SIZE:
            self._journal.append((self._dram32, offset >> 2, self._dram32[offset >> 2]))
            if size == 4:  # noqa: PLR2004 (bytes of a word)
                self._dram32[offset >> 2] = value
            else:
                self.dram[offset : offset + size] = value.to_bytes(size, "little")
            return
        if 0 <= (offset := address - IRAM_BASE) < IRAM_SIZE:
            self._journal.append((self._iram32, offset >> 2, self._iram32[offset >> 2]))
        else:
            self.side_effect = True
        self._store(size, address, value, pc, n)

    # What the functions call -------------------------------------------------------------------------------

    def _load(self, size: int, address: int, pc: int, n: int) -> int:
        self.pc, self.instructions = pc, n
        address &= _WORD
        if 0 <= (offset := address - IRAM_BASE) < IRAM_SIZE:
            if size != 4:  # noqa: PLR2004 (bytes of a word)
                raise Trap(f"{size * 8}-bit load from instruction RAM", address=address)
            return self._iram32[offset >> 2]
        reader = self.readers.get(address)
        value = reader() if reader is not None and size == 4 else self.bus.read(address, size)  # noqa: PLR2004
        if self.stop:
            raise Leave(value)
        return value

    def _store(self, size: int, address: int, value: int, pc: int, n: int) -> None:
        self.pc, self.instructions = pc, n
        address &= _WORD
        if 0 <= (offset := address - IRAM_BASE) < IRAM_SIZE:
            if size != 4:  # noqa: PLR2004 (bytes of a word)
                raise Trap(f"{size * 8}-bit store to instruction RAM", address=address)
            if self._translated[offset >> 2]:
                following = self._following(pc)
                self._iram32[offset >> 2] = value
                self._changing.add(offset >> 2)
                self._forget()
                self.pc, self.instructions = following, n + 1
                raise Leave(None)
            self._iram32[offset >> 2] = value
            return
        writer = self.writers.get(address)
        if writer is not None and size == 4:  # noqa: PLR2004
            writer(value)
        else:
            self.bus.write(address, value, size)
        if self.stop:
            raise Leave(0)

    def _misaligned(self, address: int, pc: int, n: int) -> None:
        self.pc, self.instructions = pc, n
        raise Trap("unaligned access", address=address & _WORD)

    def _undefined(self, pc: int, n: int) -> None:
        self.pc, self.instructions = pc, n
        raise Trap(f"undefined instruction {self._code_at(pc).hex(' ')}")

    def _stopped(self, what: str, n: int, pc: int, *codes: int) -> tuple[int, int]:
        self.pc, self.instructions = pc, n
        raise Trap(" ".join([what, *map(str, codes)]))

    def _read_special(self, number: int, n: int) -> int:
        self.instructions = n
        if number == _PS:
            return self.ps
        if number == _CCOUNT:
            return self.cycles() + self._cycles_offset & _WORD
        return self.special.get(number, 0)

    def _write_special(self, number: int, value: int, _pc: int, n: int) -> None:
        self.instructions = n
        if number == _PS:
            self.ps = value & _PS_FIELDS
        elif number == _CCOUNT:
            self._cycles_offset = value - self.cycles()
        elif number == _INTERRUPT:
            self.special[_INTERRUPT] = self.special.get(_INTERRUPT, 0) | value
        elif number == _INTCLEAR:
            self.special[_INTERRUPT] = self.special.get(_INTERRUPT, 0) & ~value
        else:
            self.special[number] = value

    def _rsil(self, level: int, _pc: int, _n: int) -> int:
        old, self.ps = self.ps, self.ps & ~_PS_LEVEL | level
        return old

    def _rfe(self, n: int, _pc: int) -> tuple[int, int]:
        self.ps &= ~_PS_EXCM
        return self.special.get(_EPC + 1, 0), n + 1

    def _rfde(self, n: int, _pc: int) -> tuple[int, int]:
        return self.special.get(_DEPC, 0), n + 1

    def _rfi(self, n: int, pc: int, level: int) -> tuple[int, int]:
        if level not in {2, 3}:
            return self._stopped("return from an interrupt level that the lx106 does not have:", n, pc, level)
        self.ps = self.special.get(_EPS + level, 0) & _PS_FIELDS
        return self.special.get(_EPC + level, 0), n + 1

    def _waiti(self, n: int, pc: int, level: int) -> tuple[int, int]:
        self.ps = self.ps & ~_PS_LEVEL | level
        self.pc, self.instructions = pc + 3, n + 1
        self.waiting = True
        raise Leave(None)


_REGISTERS: Final = {f"a{number}": number for number in range(16)}
_IRAM: Final = range(IRAM_BASE, IRAM_BASE + IRAM_SIZE)


def _can_wait(instruction: Instruction) -> bool:
    """Whether a loop with this instruction in it may be one that waits."""
    mnemonic = instruction.mnemonic.removesuffix(".n")
    if mnemonic in {"wsr", "xsr"}:
        return instruction.operands[1] in {_SAR, _PS}
    return mnemonic not in _IMPURE and (mnemonic != "rsr" or instruction.operands[1] != _CCOUNT)


@functools.lru_cache(maxsize=8192)
def _compiled(source: str) -> CodeType:
    """Code of a function; kept, because every virtual chip translates the same stubs."""
    return compile(source, "<lx106>", "exec")
