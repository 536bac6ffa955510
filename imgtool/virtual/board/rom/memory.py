"""The boot ROM's functions for memory: what sets, copies and compares it.

Not what firmware links in their place.  As in the real ones, what lies at word boundaries is done by words,
so that they work on what gives only words: IRAM and the window of the flash.  What they do by bytes there
raises an exception, which firmware may handle.  In registers memmove writes in another order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.virtual.board.rom.machine import RomFunction
from imgtool.virtual.cpu.core import DRAM_BASE, DRAM_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.virtual.board.rom.machine import Machine

__all__ = ["FUNCTIONS"]

_WORD: Final = 0xFFFF_FFFF
_BYTES: Final = 4  # of a word
_ALIGNED: Final = _BYTES - 1
_GROUP: Final = 4  # words that are copied at once
_DRAM_END: Final = DRAM_BASE + DRAM_SIZE

# Sizes below which a place at no word boundary is worked on by bytes alone: an odd address, an even one.
_LEAST_SET: Final = (8, 8)
_LEAST_COPIED: Final = (7, 6)
_LEAST_MOVED: Final = 16  # bytes: fewer are moved as bytes, wherever they lie


def _in_dram(address: int, size: int) -> bool:
    return address >= DRAM_BASE and address + size <= _DRAM_END


# Setting ----------------------------------------------------------------------------------------------------


def _memset(machine: Machine) -> int:
    start, value, size = machine.arg(0), machine.arg(1) & 0xFF, machine.arg(2)
    if _in_dram(start, size):
        machine.set_bytes(start, bytes([value]) * size)
        return start
    at, left = start, size
    if at & 1 and left >= _LEAST_SET[0]:
        machine.set_byte(at, value)
        at, left = at + 1, left - 1
    if at & 2 and not at & 1 and left >= _LEAST_SET[1]:
        machine.set_half(at, value * 0x101)
        at, left = at + 2, left - 2
    if at & _ALIGNED:
        for _ in range(left):
            machine.set_byte(at, value)
            at += 1
        return start
    for _ in range(left // _BYTES):
        machine.set_word(at, value * 0x101_0101)
        at += _BYTES
    if left & 2:
        machine.set_half(at, value * 0x101)
        at += 2
    if left & 1:
        machine.set_byte(at, value)
    return start


def _bzero(machine: Machine) -> None:
    start, size = machine.arg(0), machine.arg(1)
    if _in_dram(start, size):
        machine.set_bytes(start, bytes(size))
        return
    for at in range(start, start + size):
        machine.set_byte(at, 0)


# Copying ----------------------------------------------------------------------------------------------------


def _memcpy(machine: Machine) -> int:
    to, source, size = machine.arg(0), machine.arg(1), machine.arg(2)
    apart = to + size <= source or source + size <= to
    if apart and _in_dram(to, size) and _in_dram(source, size):
        machine.set_bytes(to, machine.bytes_at(source, size))
        return to
    at, left = to, size
    if at & 1 and left >= _LEAST_COPIED[0]:
        machine.set_byte(at, machine.byte(source))
        at, source, left = at + 1, source + 1, left - 1
    if at & 2 and not at & 1 and left >= _LEAST_COPIED[1]:
        machine.set_bytes(at, bytes([machine.byte(source), machine.byte(source + 1)]))
        at, source, left = at + 2, source + 2, left - 2
    if at & _ALIGNED:
        _copy_bytes(machine, at, source, left)
        return to
    if not left:
        return to
    _copy_words(machine, at, source, left // _BYTES)
    done = left & ~_ALIGNED
    _copy_rest(machine, at + done, source + done, left - done)
    return to


def _copy_bytes(machine: Machine, at: int, source: int, size: int) -> None:
    for offset in range(size):
        machine.set_byte(at + offset, machine.byte(source + offset))


def _copy_words(machine: Machine, at: int, source: int, count: int) -> None:
    """Copy words to a word boundary; within each group the next word is read before one is written."""
    words = _words(machine, source)
    for size in (*[_GROUP] * (count // _GROUP), *(part for part in (2, 1) if count & part)):
        word = next(words)
        for _ in range(size - 1):
            following = next(words)
            machine.set_word(at, word)
            word, at = following, at + _BYTES
        machine.set_word(at, word)
        at += _BYTES


def _words(machine: Machine, source: int) -> Iterator[int]:
    """The words from a place on; where it is no boundary, put together from those at boundaries."""
    shift = 8 * (source & _ALIGNED)
    at = source & ~_ALIGNED
    if not shift:
        while True:
            yield machine.word(at)
            at += _BYTES
    word = machine.word(at)
    while True:
        at += _BYTES
        following = machine.word(at)
        yield (word | following << 32) >> shift & _WORD
        word = following


def _copy_rest(machine: Machine, at: int, source: int, size: int) -> None:
    """Copy the last bytes, fewer than a word: two of them at once if both places are at word boundaries."""
    if size & 2:
        if source & _ALIGNED:
            machine.set_bytes(at, bytes([machine.byte(source), machine.byte(source + 1)]))
        else:
            machine.set_half(at, machine.half(source))
    if size & 1:
        last = size - 1
        machine.set_byte(at + last, machine.byte(source + last))


def _memmove(machine: Machine) -> int:
    to, source, size = machine.arg(0), machine.arg(1), machine.arg(2)
    if _in_dram(to, size) and _in_dram(source, size):
        machine.set_bytes(to, machine.bytes_at(source, size))
    elif source < to < source + size:
        for offset in reversed(range(size)):
            machine.set_byte(to + offset, machine.byte(source + offset))
    else:
        by_words = size & ~_ALIGNED if size >= _LEAST_MOVED and not (to | source) & _ALIGNED else 0
        for offset in range(0, by_words, _BYTES):
            machine.set_word(to + offset, machine.word(source + offset))
        _copy_bytes(machine, to + by_words, source + by_words, size - by_words)
    return to


# Comparing --------------------------------------------------------------------------------------------------


def _memcmp(machine: Machine) -> int:
    one, other, size = machine.arg(0), machine.arg(1), machine.arg(2)
    at = 0
    if not (one | other) & _ALIGNED:
        while size - at >= _BYTES and machine.word(other + at) == machine.word(one + at):
            at += _BYTES
    for offset in range(at, size):
        theirs = machine.byte(other + offset)
        if difference := machine.byte(one + offset) - theirs:
            return difference
    return 0


def _roundup2(machine: Machine) -> int:
    value, unit = machine.arg(0), machine.arg(1)
    return value + unit - 1 & -unit


FUNCTIONS: Final[tuple[RomFunction, ...]] = (
    RomFunction(0x4000_18A4, "ets_memset", _memset),
    RomFunction(0x4000_18B4, "ets_memcpy", _memcpy),
    RomFunction(0x4000_18C4, "ets_memmove", _memmove),
    RomFunction(0x4000_18D4, "ets_memcmp", _memcmp),
    RomFunction(0x4000_2AE8, "ets_bzero", _bzero),
    RomFunction(0x4000_31B4, "roundup2", _roundup2),
    RomFunction(0x4000_DE84, "bzero", _bzero),
    RomFunction(0x4000_DEA8, "memcmp", _memcmp),
    RomFunction(0x4000_DF48, "memcpy", _memcpy),
    RomFunction(0x4000_E04C, "memmove", _memmove),
    RomFunction(0x4000_E190, "memset", _memset),
)
