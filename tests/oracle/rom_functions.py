"""The ROM's functions for memory, strings and division: its own code, and what stands for it in imgtool.

Not those for the flash and the line: what requests make of them is compared as a whole (loader_requests.py).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.virtual.chip.rom import FUNCTIONS, LOADER_RETURN
from imgtool.virtual.cpu.core import Trap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.virtual.chip.machine import VirtualChip
    from tests.oracle.boot_rom import RomChip

_ADDRESS: Final = {function.name: address for address, function in FUNCTIONS.items()}
_ONE, _OTHER, _STACK = 0x3FFE_9000, 0x3FFE_A000, 0x3FFF_F000
_END: Final = 0x4010_F000  # where the ROM's code returns to: an instruction that jumps to itself
_JUMP: Final = bytes.fromhex("06ffff00")
_BYTES: Final = 0x60
_AT: Final = 0x10  # of what is worked on
_SIZES: Final = (0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 30)
_NUMBERS: Final = (0, 1, 2, 0xFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)

_TWO_AND_SIZE: Final = ("memcpy", "memmove", "memcmp", "strncpy", "strncmp")
_MEMORY: Final = ("memset", "bzero", "strlen", "strcpy", "strcmp", *_TWO_AND_SIZE)
DIVISIONS: Final = ("__divsi3", "__udivsi3", "__umodsi3")
NAMES: Final = (*_MEMORY, *(f"ets_{name}" for name in _MEMORY), *DIVISIONS)
"""All that are compared."""

_WITHOUT_RESULT: Final = ("bzero", "ets_bzero")  # what they leave in a2 means nothing


class Call(NamedTuple):
    """One call.

    Attributes:
        name: Of the function.
        arguments: Words.
        one: What lies at the first place.
        other: What lies at the second.
    """

    name: str
    arguments: tuple[int, ...]
    one: bytes
    other: bytes


class Outcome(NamedTuple):
    """What has become of it: the result, None after an exception, and the bytes at both places."""

    result: int | None
    one: bytes = b""
    other: bytes = b""


def calls(name: str, source: random.Random, count: int) -> Iterator[Call]:
    """Calls with arguments at random."""
    for _ in range(count):
        one, other = _text(source), _text(source)
        if source.random() < 0.5:
            other = one[: source.randrange(len(one))] + other
        places = tuple(
            base + _AT + min(source.randrange(4), len(text) - 1)
            for base, text in ((_ONE, one), (_OTHER, other))
        )
        size = source.choice(_SIZES)
        arguments = {
            "memset": (places[0], source.getrandbits(9), size),
            "bzero": (places[0], size),
            "strlen": places[:1],
            "strcpy": places,
            "strcmp": places,
        }.get(name.removeprefix("ets_"), (*places, size))
        if name in DIVISIONS:
            arguments = tuple(source.choice((*_NUMBERS, source.getrandbits(32))) for _ in range(2))
        yield Call(name, arguments, _framed(one), _framed(other))


def _text(source: random.Random) -> bytes:
    return bytes(source.choice(b"ab\x80\xff") for _ in range(source.randrange(20))) + b"\0"


def _framed(text: bytes) -> bytes:
    return (bytes(_AT) + text).ljust(_BYTES, b"x")


def in_the_rom(chip: RomChip, call: Call) -> Outcome:
    """Run the ROM's code."""
    core = chip.core
    core.load(_END, _JUMP)
    _set_up(chip, call, _END)
    try:
        while core.pc != _END:
            core.stop = False
            core.run(100)
    except Trap:
        return Outcome(None)
    return _outcome(chip, call)


def in_the_model(chip: VirtualChip, call: Call) -> Outcome:
    """Run what stands for it."""
    _set_up(chip, call, LOADER_RETURN)
    try:
        chip.rom.call(chip.rom.function(_ADDRESS[call.name]))
    except Trap:
        return Outcome(None)
    return _outcome(chip, call)


def _set_up(chip: VirtualChip, call: Call, back: int) -> None:
    core = chip.core
    core.load(_ONE, call.one)
    core.load(_OTHER, call.other)
    core.a[:] = [back, _STACK, *call.arguments, *[0] * (14 - len(call.arguments))]
    core.pc = _ADDRESS[call.name]


def _outcome(chip: VirtualChip, call: Call) -> Outcome:
    result = None if call.name in _WITHOUT_RESULT else chip.core.a[2]
    return Outcome(result, chip.core.fetch(_ONE, _BYTES), chip.core.fetch(_OTHER, _BYTES))
