"""A function of lx106 code as GCC makes it: its instructions, and where a value in it may come from.

Not a decompiler: one function, read from its entry on along its branches, so that what stands between them
(padding, literals) is not taken for code.  By the call0 ABI a call leaves a1 and a12..a15 alone, see Xtensa
Instruction Set Architecture Reference Manual (Cadence), chapter 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.formats.code.isa import Instruction, decode

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ENTRY", "STACK", "Function", "Origin", "Slot", "function_around"]

ENTRY: Final = -1
"""Where a value comes from that the function was called with."""

STACK: Final = 1
"""The register that points to the frame."""

_RETURN_ADDRESS: Final = 0
_LONGEST: Final = 3  # bytes of an instruction
_IMMEDIATE: Final = 2  # the lowest four bits of addi, addmi and movi, among others
_MOST: Final = 0x800  # bytes of a function in front of what is looked for, and instructions of it
_HALF: Final = 16  # bits
_SAVED_BY: Final = 24  # instructions from the entry to the saving of the return address
_CALLS: Final = frozenset({"call0", "callx0"})
_CLOBBERED: Final = frozenset({0, *range(2, 12)})
_ENDS: Final = frozenset({"ret", "ret.n", "jx", "ill", "ill.n", "rfe", "rfde", "rfi"})
_STORES: Final = frozenset({"s8i", "s16i", "s32i", "s32i.n"})
_LOADS: Final = frozenset({"l8ui", "l16ui", "l16si", "l32i", "l32i.n"})
# What has a register as its first operand and does not write it; branches are told by their target.
_READERS: Final = _STORES | _ENDS | _CALLS | {"wsr", "ssr", "ssl", "ssa8l", "ssa8b", "ssai", "j"}


class Slot(NamedTuple):
    """A place in the frame of a function, by its distance from the stack pointer."""

    offset: int


class Origin(NamedTuple):
    """What has made a value: an instruction, or the caller.

    Attributes:
        offset: The instruction; :data:`ENTRY` for the caller.
        register: Where it was then.
    """

    offset: int
    register: int


class Function:
    """The instructions of a function that are reached from its entry.

    Args:
        code: Bytes; functions begin in them at multiples of 4.
        entry: Where it begins.

    Attributes:
        at: Its instructions by their offset.
    """

    def __init__(self, code: bytes, entry: int) -> None:
        self.entry = entry
        self.at: dict[int, Instruction] = {}
        self._before: dict[int, list[int]] = {entry: []}
        ahead = [entry]
        while ahead and len(self.at) < _MOST:
            offset = ahead.pop()
            if offset in self.at or not 0 <= offset < len(code):
                continue
            instruction = decode(code[offset : offset + _LONGEST], offset)
            if instruction is None:
                continue
            self.at[offset] = instruction
            for after in _after(offset, instruction):
                self._before.setdefault(after, []).append(offset)
                ahead.append(after)

    def sources(self, value: int | Slot, offset: int) -> frozenset[int]:
        """The instructions that may have written a value last before one runs.

        Args:
            value: A register, or a place in the frame.
            offset: The instruction that takes it.

        Returns:
            Their offsets; :data:`ENTRY` among them where it may come from the caller.
        """
        found: set[int] = set()
        seen: set[int] = set()
        ahead = [offset]
        while ahead:
            here = ahead.pop()
            if here == self.entry:
                found.add(ENTRY)
            for before in self._before.get(here, ()):
                if self._writes(before, value):
                    found.add(before)
                elif before not in seen:
                    seen.add(before)
                    ahead.append(before)
        return frozenset(found)

    def origins(self, register: int, offset: int) -> frozenset[Origin]:
        """What may have made the value in a register, through copies, spills, and cutting to 16 bits.

        Args:
            register: The register.
            offset: The instruction that takes it.
        """
        found: set[Origin] = set()
        seen: set[tuple[int | Slot, int]] = set()
        ahead: list[tuple[int | Slot, int]] = [(register, offset)]
        while ahead:
            value, taken = ahead.pop()
            if (value, taken) in seen:
                continue
            seen.add((value, taken))
            for source in self.sources(value, taken):
                copied = () if source == ENTRY else self._copied(source)
                if copied:
                    ahead += [(each, source) for each in copied]
                elif not isinstance(value, Slot):
                    found.add(Origin(source, value))
        return frozenset(found)

    def _copied(self, offset: int) -> tuple[int | Slot, ...]:
        """What an instruction hands on; nothing where it makes a value."""
        mnemonic, operands, _ = self.at[offset]
        if mnemonic in {"moveqz", "movnez"}:
            return operands[:2]
        narrowed = mnemonic == "extui" and operands[2:] == (0, _HALF)
        same = mnemonic == "or" and operands[1] == operands[2]
        if mnemonic == "mov.n" or narrowed or same:
            return operands[1:2]
        slot = self.slot_of(offset)
        if slot is None:
            return ()
        if mnemonic in _STORES:
            return operands[:1]
        return (slot,) if self.sources(slot, offset) - {ENTRY} else ()

    def slot_of(self, offset: int) -> Slot | None:
        """The place in the frame that a load reads or a store writes; None where it is something else."""
        mnemonic, operands, _ = self.at[offset]
        if mnemonic in _STORES | _LOADS and operands[1] == STACK:
            return Slot(operands[2])
        return None

    def saves_return(self) -> bool:
        """Whether it keeps its return address in its frame soon, as GCC has each function do that calls."""
        first = sorted(self.at)[:_SAVED_BY]
        return any(
            self.at[offset].mnemonic in _STORES
            and self.at[offset].operands[0] == _RETURN_ADDRESS
            and self.slot_of(offset) is not None
            for offset in first
        )

    def _writes(self, offset: int, value: int | Slot) -> bool:
        mnemonic, operands, _ = self.at[offset]
        if isinstance(value, Slot):
            return mnemonic in _STORES and self.slot_of(offset) == value
        if mnemonic in _CALLS:
            return value in _CLOBBERED
        if mnemonic in _READERS or mnemonic[0] == "b" or not operands:
            return False
        return operands[0] == value


def _after(offset: int, instruction: Instruction) -> Iterator[int]:
    """Where the processor goes on."""
    mnemonic, operands, size = instruction
    if mnemonic in _ENDS:
        return
    if mnemonic == "j":
        yield operands[0]
        return
    if mnemonic[0] == "b" and mnemonic not in {"break", "break.n"}:
        yield operands[-1]
    yield offset + size


def function_around(code: bytes, offset: int) -> Function | None:
    """The function that an instruction is in; None where none is found that has a frame and comes to it.

    Args:
        code: Bytes; functions begin in them at multiples of 4.
        offset: Where the instruction begins.
    """
    for entry in range(offset & ~3, max(-1, offset - _MOST), -4):
        if _makes_frame(code, entry):
            function = Function(code, entry)
            if offset in function.at and function.saves_return():
                return function
    return None


def _makes_frame(code: bytes, entry: int) -> bool:
    """Whether the stack pointer goes down there: by ``addi`` or ``addmi``, or by ``movi`` and ``sub``."""
    if code[entry] & 0x0F != _IMMEDIATE:
        return False
    first = decode(code[entry : entry + _LONGEST], entry)
    if first is None:
        return False
    mnemonic, operands, size = first
    if mnemonic in {"addi", "addmi"}:
        return operands[:2] == (STACK, STACK) and operands[2] < 0
    after = decode(code[entry + size : entry + size + _LONGEST], entry + size)
    return mnemonic == "movi" and after is not None and after[:2] == ("sub", (STACK, STACK, operands[0]))
