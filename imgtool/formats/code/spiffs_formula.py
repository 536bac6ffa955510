"""By which formula the code of NodeMCU computes the magics of its SPIFFS.

Not which release has which: that is layout/first_boot.py.  The sources have one expression for both, in a
function that formats a block and in those that look for blocks:

    0x20140529 ^ page size ^ (blocks - f(block))

In the linear formula f is the block itself, in the old one 0, 1, 3 for the first three and then block * 4.
Only 16 bits of it count, so GCC has ``movi`` with 0x0529, ``sub`` and ``xor``; what is subtracted tells the
formula.  Code in which that is not clear tells nothing.

* https://github.com/nodemcu/nodemcu-firmware/blob/2.1.0-master_20170521/app/spiffs/spiffs_nucleus.h
* https://github.com/nodemcu/nodemcu-firmware/blob/2.1.0-master_20170811/app/spiffs/spiffs_nucleus.h
"""

from __future__ import annotations

import itertools
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from imgtool.formats.code.flow import ENTRY, function_around

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.formats.code.flow import Function, Origin
    from imgtool.formats.code.isa import Instruction

__all__ = ["magic_formula"]

_MAGIC: Final = 0x0529
_LOADED: Final = bytes((0xA0 | _MAGIC >> 8, _MAGIC & 0xFF))  # movi, behind the byte with its register
_MOVI: Final = 2
_NEAR: Final = 0x4000  # bytes: the functions are of one source file
_MOST_LOADS: Final = 64  # real images have up to 5
_LEAST: Final = 2  # expressions that must agree
_ARGUMENTS: Final = range(2, 8)  # registers
_FOURFOLD: Final = 2  # bits to the left


class _Is(Enum):
    """What a value is."""

    BLOCK = auto()
    """An argument, something from memory, or such a one counted up or down."""
    CONSTANT = auto()
    """A number, such as where the counting begins."""
    BLOCK_TIMES_4 = auto()
    ONE_SHIFTED = auto()
    ONE_SHIFTED_LESS_1 = auto()
    OTHER = auto()


_LEAVES: Final = {
    **dict.fromkeys(("l8ui", "l16ui", "l32i", "l32i.n"), _Is.BLOCK),
    **dict.fromkeys(("movi", "movi.n"), _Is.CONSTANT),
}
_COUNTED: Final = frozenset({_Is.BLOCK, _Is.CONSTANT})
_FORMULAS: Final = {
    frozenset({_Is.BLOCK}): "linear",
    _COUNTED: "linear",
    frozenset({_Is.BLOCK_TIMES_4, _Is.ONE_SHIFTED_LESS_1}): "old",
    frozenset({_Is.BLOCK_TIMES_4}): "old",  # where only blocks from 3 on are looked at
}


def magic_formula(code: bytes) -> str | None:
    """The formula by which code computes SPIFFS magics: ``linear``, ``old``, or None where it does not tell.

    Args:
        code: An image or its irom part, from a multiple of 4 on.  Behind it may be anything, such as what is
            left of another build: the first code counts.
    """
    told = [_FORMULAS.get(subtracted) for subtracted in _subtracted(code)]
    return told[0] if len(told) >= _LEAST and len(set(told)) == 1 else None


# Where it is computed.


def _subtracted(code: bytes) -> Iterator[frozenset[_Is]]:
    """What each expression of a magic subtracts, in the first code that has any."""
    first = len(code)
    for function in _functions(code):
        if function.entry > first + _NEAR:
            return
        for place in _subtractions(function):
            first = min(first, function.entry)
            yield _made_of(function, function.at[place].operands[2], place)


def _functions(code: bytes) -> Iterator[Function]:
    """The functions in which the constant of the magic is loaded."""
    seen: set[int] = set()
    for place in itertools.islice(_loads(code), _MOST_LOADS):
        if place in seen:
            continue
        function = function_around(code, place)
        if function is not None:
            seen.update(function.at)
            yield function


def _loads(code: bytes) -> Iterator[int]:
    place = code.find(_LOADED)
    while place > 0:
        if code[place - 1] & 0x0F == _MOVI:
            yield place - 1
        place = code.find(_LOADED, place + 1)


def _subtractions(function: Function) -> list[int]:
    """The subtractions of a function whose result is combined with the constant of the magic."""
    found: set[int] = set()
    for offset, instruction in function.at.items():
        if instruction.mnemonic == "xor":
            parts = _combined(function, offset)
            if any(_is_magic(function.at[part]) for part in parts):
                found |= {part for part in parts if function.at[part].mnemonic == "sub"}
    return sorted(found)


def _combined(function: Function, offset: int) -> set[int]:
    """The instructions whose results an ``xor`` combines, alone or with further ones."""
    found: set[int] = set()
    ahead, seen = {offset}, set[int]()
    while ahead:
        here = ahead.pop()
        seen.add(here)
        for register in function.at[here].operands[1:]:
            made = {origin.offset for origin in function.origins(register, here)} - {ENTRY}
            more = {each for each in made if function.at[each].mnemonic == "xor"}
            found |= made - more
            ahead |= more - seen
    return found


def _is_magic(instruction: Instruction) -> bool:
    return instruction.mnemonic == "movi" and instruction.operands[1] == _MAGIC


# What is subtracted.


def _made_of(
    function: Function, register: int, offset: int, seen: frozenset[int] = frozenset()
) -> frozenset[_Is]:
    """What the value in a register may be when an instruction takes it.

    Args:
        function: The function.
        register: The register.
        offset: The instruction.
        seen: What has led here: the way around a loop adds nothing.
    """
    origins = function.origins(register, offset)
    return frozenset(
        _kind(function, origin, seen | {origin.offset}) for origin in origins if origin.offset not in seen
    )


def _kind(function: Function, origin: Origin, seen: frozenset[int]) -> _Is:
    """What one instruction, or the caller, makes."""
    offset = origin.offset
    if offset == ENTRY:
        return _Is.BLOCK if origin.register in _ARGUMENTS else _Is.OTHER
    mnemonic, operands, _ = function.at[offset]
    if mnemonic in _LEAVES:
        return _LEAVES[mnemonic]
    if mnemonic == "sll":
        return _Is.ONE_SHIFTED if _is_one(function, operands[1], offset) else _Is.OTHER
    fourfold = mnemonic == "slli" and operands[2] == _FOURFOLD
    added = _added(function, offset)
    if not fourfold and abs(added) != 1:
        return _Is.OTHER
    base = _made_of(function, operands[1], offset, seen)
    if base <= _COUNTED:
        return _Is.BLOCK_TIMES_4 if fourfold else _Is.BLOCK
    return _Is.ONE_SHIFTED_LESS_1 if added == -1 and base == {_Is.ONE_SHIFTED} else _Is.OTHER


def _added(function: Function, offset: int) -> int:
    """The number that an instruction adds to its first source; 0 where it does something else."""
    mnemonic, operands, _ = function.at[offset]
    if mnemonic in {"addi", "addi.n"}:
        return operands[2]
    return int(mnemonic in {"add", "add.n"} and _is_one(function, operands[2], offset))


def _is_one(function: Function, register: int, offset: int) -> bool:
    """Whether a register holds 1 when an instruction takes it."""
    made = {origin.offset for origin in function.origins(register, offset)}
    return bool(made) and all(
        each != ENTRY
        and _LEAVES.get(function.at[each].mnemonic) is _Is.CONSTANT
        and function.at[each].operands[1] == 1
        for each in made
    )
