"""A function of the boot ROM called twice: its own code, and what stands for it on a board without a dump.

Both start from the same registers, RAM and peripherals, and end where the function returns.  Compared are the
result, what the ABI keeps, RAM above the stack pointer, and in one order what was read and written outside of
memory, delays, waits and calls out.  Peripherals are words that keep what is written, unless a call sets them
up.

Not the functions of the emulated loader (rom_functions.py).  The time that a function takes is not compared.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.formats.code import isa
from imgtool.virtual.board.rom.machine import Call, Jump, Machine, Outcome, RomFunction, Steps, Wait
from imgtool.virtual.cpu.core import DRAM_BASE, DRAM_SIZE, IRAM_BASE, IRAM_SIZE, ROM, Core, Trap
from imgtool.virtual.cpu.full_core import WINDOW, Cause, FullCore
from tests.oracle.boot_rom import boot_rom

if TYPE_CHECKING:
    from imgtool.virtual.board.rom.machine import Handler

RETURN: Final = 0x4010_E000
"""Where every function returns to."""

STACK: Final = 0x3FFF_FE00
"""Where the stack pointer stands at the call; arguments behind the sixth lie there."""

ROM_DATA: Final = range(0x3FFF_C000, 0x3FFF_EB30)
"""The ROM's own variables and tables in DRAM: as its start leaves them, unless a call sets them."""

SCRATCH: Final = 0x3FFF_0000
"""From here on 0x8000 bytes of DRAM that nothing else uses, for what arguments point to."""

POINTERS: Final = (0x4010_F000, 0x4010_F100, 0x4010_F200, 0x4010_F300)
"""Made-up functions of firmware; calls of them are calls out."""

DELAY: Final = 0x4000_2ECC
"""ets_delay_us: a delay, whoever calls it."""

_UNPACKED: Final = 0x4000_E328  # start, end and source of each piece of the ROM's data; ends with zeros
_VECTORS: Final = {
    ROM.start + offset: name for offset, name in ((0x10, "break"), (0x20, "NMI"), (0x70, "double"))
}
_EXCEPTIONS: Final = (ROM.start + 0x30, ROM.start + 0x50)
_DEVICES: Final = (range(0x6000_0000, 0x6000_2000), range(0x3FF0_0000, 0x3FF2_0000))
_FRAMES: Final = 0x1000  # below the stack pointer: what may differ
_KEPT: Final = (0, 1, 12, 13, 14, 15)
_SLICE: Final = 20_000
_MOST: Final = 4_000_000  # instructions of a call
_MOST_ACCESSES: Final = 50_000
_WORD: Final = 0xFFFF_FFFF
_EPC1, _EXCCAUSE, _EXCVADDR, _INTENABLE = 177, 232, 238, 228
_LEVEL: Final = 0xF
_SHOWN: Final = 8  # lines of one kind in a report

Register = int | Callable[[int, int], int]
"""What a register reads as: a word, or a function of what was last written and of the reads since then."""

Reply = Callable[[FullCore, int, tuple[int, ...]], int]
"""A function of firmware: what it does with the core's memory, and its result, by address and arguments.

Of the real side it gets six words, of ours as many as the call names.
At an instruction that waits for an interrupt, it stands for the interrupt's handler, and the address is 0.
"""


def after(count: int, mask: int, *, cleared: bool = False) -> Register:
    """A register: bits become set, or clear, when it has been read some times since it was written."""

    def value(written: int, reads: int) -> int:
        changed = reads >= count
        return written | mask if changed != cleared else written & ~mask

    return value


def nothing(_core: FullCore, _address: int, _arguments: tuple[int, ...]) -> int:
    """A function that returns 0."""
    return 0


@dataclass(frozen=True, kw_only=True)
class Given:
    """One call of a function.

    Attributes:
        arguments: Words, from a2 on.
        seed: For what is left open: other registers, RAM, peripherals.
        memory: Bytes by address, in DRAM or IRAM, the ROM's data included.
        registers: Peripherals by address.
        reply: What calls out do and return.
        window: What the window of the flash shows; none if empty.
        flash: What our handlers read from the flash; the ROM's own code reads it from the SPI controller.
        emulated: Whether firmware handles loads of parts from what gives only words.
        hidden: Parts of the ROM's data that only its own code has: constants of it.
        in_order: Whether reads of peripherals count each, and in their order; else only which there are.
        interrupts: The register INTENABLE, and the level in PS.
    """

    arguments: tuple[int, ...] = ()
    seed: int = 0
    memory: Mapping[int, bytes] = field(default_factory=dict)
    registers: Mapping[int, Register] = field(default_factory=dict)
    reply: Reply = nothing
    window: bytes = b""
    flash: bytes = b""
    emulated: bool = False
    hidden: tuple[range, ...] = ()
    in_order: bool = True
    interrupts: tuple[int, int] = (0, 0)


class Event(NamedTuple):
    """What a function did to its surroundings.

    Attributes:
        what: read, write, delay, wait or call.
        address: Of the register, or whom it called; 0 for a delay and a wait.
        values: The value and its size in bytes; microseconds; a level; the arguments of a call.
    """

    what: str
    address: int
    values: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.what} 0x{self.address:08x} ({', '.join(map(hex, self.values))})"


class Effect(NamedTuple):
    """What has become of a call.

    Attributes:
        ended: "returned", where it went instead, or why it did neither.
        finished: Whether it came to its end.
        registers: a0 to a15, INTENABLE and the level in PS.
        has_result: Whether a2 means something.
        dram: All of it.
        iram: All of it.
        events: What it did, in order.
    """

    ended: str
    finished: bool
    registers: tuple[int, ...]
    has_result: bool
    dram: bytes
    iram: bytes
    events: tuple[Event, ...]

    @property
    def result(self) -> int:
        """What is in a2."""
        return self.registers[2]


class _RunsOnError(Exception):
    """It polls and polls."""


class _Side:
    """A core with its peripherals: the bus of the core, and the surroundings of the machine."""

    def __init__(self, rom: bytes | None) -> None:
        self.core = FullCore(self, rom)
        self.events: list[Event] = []
        self.ended, self.finished = "", False
        self._given = Given()
        self._words: dict[int, int] = {}
        self._reads: dict[int, int] = {}
        hooks = self.core.hooks
        hooks[RETURN] = partial(self.end, "returned", finished=True)
        hooks[DELAY] = self._delayed
        for address, name in _VECTORS.items():
            hooks[address] = partial(self.end, name)
        for address in _EXCEPTIONS:
            hooks[address] = self._exception

    # Setting up --------------------------------------------------------------------------------------------

    def set_up(self, given: Given, ram: tuple[bytes, bytes], registers: list[int]) -> None:
        core = self.core
        core.reset()
        core.dram[:], core.iram[:] = ram
        for address, data in given.memory.items():
            core.load(address, data)
        for number, value in enumerate(given.arguments[6:]):
            core.load(STACK + 4 * number, value.to_bytes(4, "little"))
        core.a[:] = registers
        core.special[_INTENABLE], core.ps = given.interrupts
        core.map_window(0, bytearray(given.window.ljust(len(WINDOW), b"\xff")) if given.window else None)
        core.emulates_loads = given.emulated
        self.events, self.ended, self.finished = [], "", False
        self._given, self._words, self._reads = given, {}, {}

    def run(self, address: int) -> None:
        """Run until it ends."""
        core = self.core
        core.pc = address
        most = core.instructions + _MOST
        try:
            while not self.ended and core.instructions < most:
                core.run(_SLICE)
                if core.waiting and not self.ended:
                    self.waited(core.ps & _LEVEL)
        except _RunsOnError:
            pass
        self.ended = self.ended or f"runs on, at 0x{core.pc:08x}"

    def effect(self, *, has_result: bool) -> Effect:
        core = self.core
        return Effect(
            ended=self.ended,
            finished=self.finished,
            registers=(*core.a, core.enabled, core.ps & _LEVEL),
            has_result=has_result,
            dram=bytes(core.dram),
            iram=bytes(core.iram),
            events=tuple(self.events),
        )

    def end(self, why: str, *, finished: bool = False) -> None:
        self.ended, self.finished = why, finished
        self.core.stop = True

    # Calls out, delays, exceptions -------------------------------------------------------------------------

    def called(self, address: int, arguments: tuple[int, ...]) -> int:
        """A call out; what it returns."""
        self.events.append(Event("call", address, arguments))
        return self._given.reply(self.core, address, arguments) & _WORD

    def delay(self, micros: int) -> None:
        self.events.append(Event("delay", 0, (micros,)))

    def read_flash(self, address: int, size: int) -> bytes:
        return self._given.flash[address : address + size].ljust(size, b"\xff")

    def waited(self, level: int) -> None:
        """An instruction that waits; the interrupt comes at once."""
        self.events.append(Event("wait", 0, (level,)))
        self.core.ps = self.core.ps & ~_LEVEL | level
        self.core.waiting = False
        self._given.reply(self.core, 0, ())

    def _delayed(self) -> None:
        self.delay(self.core.a[2])
        self.core.pc = self.core.a[0]

    def _exception(self) -> None:
        core = self.core
        cause, place = core.special[_EXCCAUSE], core.special.get(_EXCVADDR, 0)
        if cause == Cause.LOAD_STORE and self._given.emulated and self._emulated(place):
            return
        if cause == Cause.ILLEGAL:
            place = core.special[_EPC1]
        self.end(f"exception {cause} at 0x{place:08x}")

    def _emulated(self, place: int) -> bool:
        """What firmware does with a load of a part; a store is none."""
        core = self.core
        pc = core.special[_EPC1]
        offset = pc - ROM.start
        instruction = isa.decode(boot_rom()[offset : offset + 3], pc)
        assert instruction is not None
        size = {"l8ui": 1, "l16ui": 2, "l16si": 2}.get(instruction.mnemonic)
        if size is None:
            return False
        value = int.from_bytes(core.load_bytes(place, size), "little")
        if instruction.mnemonic == "l16si" and value & 0x8000:
            value |= 0xFFFF_0000
        core.a[instruction.operands[0]] = value
        core.ps &= ~0x10
        core.pc = pc + instruction.size
        return True

    # The bus -----------------------------------------------------------------------------------------------

    def _checked(self, address: int) -> int:
        if not any(address in devices for devices in _DEVICES):
            raise Trap("nothing is there", address=address)
        if len(self.events) > _MOST_ACCESSES:
            self.ended = f"polls on and on, at 0x{address:08x}"
            raise _RunsOnError
        return address & ~3

    def read(self, address: int, size: int) -> int:
        at = self._checked(address)
        preset = self._given.registers.get(at)
        value = self._words.get(at)
        if value is None:
            value = (
                preset
                if isinstance(preset, int)
                else random.Random(self._given.seed << 32 | at).getrandbits(32)
            )
            self._words[at] = value
        if callable(preset):
            value = preset(value, self._reads.get(at, 0)) & _WORD
        self._reads[at] = self._reads.get(at, 0) + 1
        value = value >> 8 * (address & 3) & (1 << 8 * size) - 1
        self.events.append(Event("read", address, (value, size)))
        return value

    def write(self, address: int, value: int, size: int) -> None:
        at = self._checked(address)
        self.events.append(Event("write", address, (value, size)))
        shift, mask = 8 * (address & 3), (1 << 8 * size) - 1
        self._words[at] = self._words.get(at, 0) & ~(mask << shift) | value << shift
        self._reads[at] = 0

    def enter_rom(self, core: Core, address: int) -> None:
        raise Trap(f"a ROM routine, a0 {core.a[0]:#x}", address=address)


class Bench:
    """The two sides of one function.

    Args:
        function: What is compared.
        outside: Addresses of the ROM whose calls are calls out, beside :data:`POINTERS`.
        inside: Functions of the ROM that the function's handler calls, which run in their handlers.
        ends: Addresses that the function jumps to instead of returning.
        wide: Whether the result is one of 64 bits, in a2 and a3.
    """

    def __init__(
        self,
        function: RomFunction,
        outside: Iterable[int] = (),
        inside: Iterable[RomFunction] = (),
        ends: Iterable[int] = (),
        *,
        wide: bool = False,
    ) -> None:
        self.function = function
        self.wide = wide
        self._outside = frozenset((*POINTERS, *outside))
        self._inside = {known.address: known for known in inside}
        self._real = _Side(boot_rom())
        self._ours = _Side(None)
        self._machine = Machine(self._ours.core, self._ours)
        self._has_result = False
        for address in self._outside:
            self._real.core.hooks[address] = self._called_out
        for side in (self._real, self._ours):
            for address in ends:
                side.core.hooks[address] = partial(side.end, f"reached 0x{address:08x}", finished=True)
        self._ours.core.hooks[function.address] = self._handled

    def real(self, given: Given) -> Effect:
        """What the ROM's own code does."""
        self._set_up(self._real, given)
        self._real.run(self.function.address)
        return self._real.effect(has_result=True)

    def ours(self, given: Given) -> Effect:
        """What the handler does."""
        self._set_up(self._ours, given)
        core = self._ours.core
        for hidden in given.hidden:
            core.load(hidden.start, random.Random(given.seed).randbytes(len(hidden)))
        self._has_result = False
        self._ours.run(self.function.address)
        return self._ours.effect(has_result=self._has_result)

    def differences(self, given: Given) -> str:
        """How the two differ; empty where they do not."""
        real, ours = self.real(given), self.ours(given)
        found = list(_differences(real, ours, given, wide=self.wide))
        if not found:
            return ""
        arguments = ", ".join(map(hex, given.arguments))
        return "\n  ".join([f"{self.function.name}({arguments}), seed {given.seed}: real, ours", *found])

    def check(self, given: Given) -> None:
        """Assert that they do not."""
        found = self.differences(given)
        assert not found, found

    @staticmethod
    def _set_up(side: _Side, given: Given) -> None:
        source = random.Random(given.seed)
        registers = [source.getrandbits(32) for _ in range(16)]
        registers[0], registers[1] = RETURN, STACK
        for number, value in enumerate(given.arguments[:6]):
            registers[2 + number] = value & _WORD
        dram = bytearray(source.randbytes(DRAM_SIZE))
        data = ROM_DATA.start - DRAM_BASE
        dram[data : data + len(ROM_DATA)] = _rom_data()
        side.set_up(given, (bytes(dram), source.randbytes(IRAM_SIZE)), registers)

    # The real side -----------------------------------------------------------------------------------------

    def _called_out(self) -> None:
        core = self._real.core
        core.a[2] = self._real.called(core.pc, tuple(core.a[2:8]))
        core.pc = core.a[0]

    # Ours --------------------------------------------------------------------------------------------------

    def _handled(self) -> None:
        core = self._ours.core
        result = self._run(self.function.handler)
        self._has_result = isinstance(result, int)
        if isinstance(result, int):
            core.a[2] = result & _WORD
        core.pc = result.address if isinstance(result, Jump) else core.a[0]

    def _run(self, handler: Handler) -> Outcome:
        steps = handler(self._machine)
        return self._stepped(steps) if isinstance(steps, Generator) else steps

    def _stepped(self, steps: Steps) -> Outcome:
        answer: int | None = None
        while True:
            try:
                step = next(steps) if answer is None else steps.send(answer)
            except StopIteration as end:
                result: Outcome = end.value
                return result
            answer = 0
            if isinstance(step, Wait):
                self._ours.waited(step.level)
            else:
                answer = self._answer(step)

    def _answer(self, call: Call) -> int:
        arguments = tuple(argument & _WORD for argument in call.arguments)
        if call.address in self._outside:
            return self._ours.called(call.address, arguments)
        if call.address == DELAY:
            self._ours.delay(*arguments)
            return 0
        called = self._inside.get(call.address)
        assert called is not None, f"a call of 0x{call.address:08x}, which is neither outside nor inside"
        core = self._ours.core
        saved = core.a[:]
        core.a[2 : 2 + len(arguments)] = arguments
        result = self._run(called.handler)
        core.a[:] = saved
        assert not isinstance(result, Jump), f"{called.name} does not return"
        return 0 if result is None else result & _WORD


def _rom_data() -> bytes:
    """The ROM's data as its start unpacks it, zeros where it unpacks nothing."""
    rom, data = boot_rom(), bytearray(len(ROM_DATA))
    entry = _UNPACKED - ROM.start
    while True:
        start, end, source = (int.from_bytes(rom[entry + at : entry + at + 4], "little") for at in (0, 4, 8))
        if not start:
            return bytes(data)
        size = end - start + 3 & ~3
        data[start - ROM_DATA.start : start - ROM_DATA.start + size] = rom[source - ROM.start :][:size]
        entry += 12


def _differences(real: Effect, ours: Effect, given: Given, *, wide: bool) -> Iterable[str]:
    if real.ended != ours.ended:
        yield f"ended: {real.ended}, {ours.ended}"
    if real.ended == ours.ended and real.finished:
        yield from _different_registers(real, ours, wide=wide)
        below = STACK - DRAM_BASE - _FRAMES, STACK - DRAM_BASE
        yield from _different_memory(DRAM_BASE, real.dram, ours.dram, [below, *_offsets(given.hidden)])
        yield from _different_memory(IRAM_BASE, real.iram, ours.iram, [])
    yield from _different_events(real, ours, given)


def _offsets(ranges: Iterable[range]) -> list[tuple[int, int]]:
    return [(hidden.start - DRAM_BASE, hidden.stop - DRAM_BASE) for hidden in ranges]


def _different_registers(real: Effect, ours: Effect, *, wide: bool) -> Iterable[str]:
    names = [f"a{number}" for number in range(16)] + ["INTENABLE", "the level in PS"]
    for number, (name, one, other) in enumerate(zip(names, real.registers, ours.registers, strict=True)):
        of_result = ours.has_result and number in (range(2, 4) if wide else range(2, 3))
        compared = number in _KEPT or number >= 16 or of_result
        if compared and one != other:
            yield f"{name}: 0x{one:08x}, 0x{other:08x}"


def _different_memory(base: int, real: bytes, ours: bytes, spared: list[tuple[int, int]]) -> Iterable[str]:
    one, other = bytearray(real), bytearray(ours)
    for start, end in spared:
        one[start:end] = other[start:end] = bytes(end - start)
    if one == other:
        return
    words = [at for at in range(0, len(one), 4) if one[at : at + 4] != other[at : at + 4]]
    for at in words[:_SHOWN]:
        yield f"bytes at 0x{base + at:08x}: {one[at : at + 4].hex(' ')}, {other[at : at + 4].hex(' ')}"
    if len(words) > _SHOWN:
        yield f"and {len(words) - _SHOWN} words more"


def _different_events(real: Effect, ours: Effect, given: Given) -> Iterable[str]:
    ones, others = list(real.events), list(ours.events)
    if not given.in_order:
        for what in sorted(_read(ones) ^ _read(others)):
            yield f"reads of 0x{what:08x}: {what in _read(ones)}, {what in _read(others)}"
        ones = [event for event in ones if event.what != "read"]
        others = [event for event in others if event.what != "read"]
    for number, (one, other) in enumerate(zip_longest(ones, others)):
        if not _same(one, other):
            yield f"event {number} of {len(ones)}, {len(others)}:"
            for before in ones[max(0, number - _SHOWN) : number]:
                yield f"    both {before}"
            yield from (f"    real {event}" for event in ones[number : number + _SHOWN])
            yield from (f"    ours {event}" for event in others[number : number + _SHOWN])
            return


def _read(events: Iterable[Event]) -> set[int]:
    return {event.address for event in events if event.what == "read"}


def _same(real: Event | None, ours: Event | None) -> bool:
    """Whether they are the same, as far as the arguments go that our call names."""
    if real is None or ours is None or real[:2] != ours[:2]:
        return False
    if real.what != "call":
        return real.values == ours.values
    return real.values[: len(ours.values)] == ours.values
