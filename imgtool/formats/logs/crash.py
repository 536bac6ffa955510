"""What a firmware says when it crashes, as values: registers, stack, backtrace.

The values only, which :mod:`imgtool.formats.logs.crash_reader` makes of lines.  No judgement, and no names of
functions: those are in :mod:`imgtool.formats.elf.symbols`.

The numbers of exceptions: Xtensa Instruction Set Architecture Reference Manual, table 4-64 (EXCCAUSE), in
https://blog.csdn.net/espressif/article/details/102796156 and
https://arduino-esp8266.readthedocs.io/en/latest/exception_causes.html.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from imgtool.chip import memory_at

__all__ = ["DIVISION_BY_ZERO", "EXCEPTIONS", "Allocation", "Crash", "StackWord", "is_code", "place_of"]

DIVISION_BY_ZERO: Final = 0x4000_DCE5
"""Where the ROM's division ends for a divisor of 0: an illegal instruction, so the exception is number 0.

https://github.com/esp8266/Arduino/blob/master/cores/esp8266/core_esp8266_postmortem.cpp
"""

EXCEPTIONS: Final = {
    0: "illegal instruction",
    1: "system call",
    2: "instruction fetch error",
    3: "load or store error",
    4: "level-1 interrupt",
    5: "stack fault (alloca)",
    6: "division by zero",
    8: "privileged instruction",
    9: "unaligned load or store",
    12: "data error in an instruction fetch",
    13: "data error in a load or store",
    14: "address error in an instruction fetch",
    15: "address error in a load or store",
    16: "instruction TLB miss",
    17: "instruction TLB multi-hit",
    18: "instruction fetch without privilege",
    20: "instruction fetch prohibited",
    24: "load or store TLB miss",
    25: "load or store TLB multi-hit",
    26: "load or store without privilege",
    28: "load prohibited",
    29: "store prohibited",
}
"""EXCCAUSE: what happened.  Other numbers are reserved, or of units that the lx106 does not have."""

_NEAR_ZERO: Final = 0x1000  # fields of any structure at a null pointer
_PERIPHERALS: Final = ((0x3FF0_0000, 0x3FF2_0000), (0x6000_0000, 0x6001_0000))
_UNPAINTED: Final = 0xFEEF_EFFE  # what the Arduino core fills its stack with
_TEXT: Final = range(0x20, 0x7F)


class StackWord(NamedTuple):
    """A word of the stack, and where it lay."""

    address: int
    value: int


class Allocation(NamedTuple):
    """The last allocation that failed: who asked, for how many bytes, and the source line if known."""

    caller: int
    size: int
    place: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """A crash as the firmware tells it.

    Attributes:
        line: Its first line in the log, from 1.
        kind: ``exception``, ``soft-wdt``, ``hardware-wdt``, ``task-wdt``, ``panic-at``, ``abort``,
            ``cpp-exception``, ``stack-overflow``, ``user-exception``, ``lua-panic``, or ``stack-dump`` for a
            dump whose beginning is not in the log.
        text: The words of the log.
        exception: Number of the exception, EXCCAUSE.
        detail: What the firmware adds: an assertion, a Lua message, a task.
        registers: Names as printed, in lower case, and values.
        context: ``sys``, ``cont`` or ``bearssl``: which of Arduino's stacks.
        stack: Its words, in the order of the log.
        backtrace: Code addresses that the firmware itself found.
        allocation: The last allocation that failed.
        earlier: Whether the firmware tells it of its run before, after a restart.
    """

    line: int
    kind: str
    text: str
    exception: int | None = None
    detail: str | None = None
    registers: tuple[tuple[str, int], ...] = ()
    context: str | None = None
    stack: tuple[StackWord, ...] = ()
    backtrace: tuple[int, ...] = ()
    allocation: Allocation | None = None
    earlier: bool = False

    def register(self, *names: str) -> int | None:
        """The first of these registers that was printed."""
        values = dict(self.registers)
        return next((values[name] for name in names if name in values), None)

    @property
    def pc(self) -> int | None:
        """Where it happened."""
        return self.register("epc1", "pc")

    @property
    def accessed(self) -> int | None:
        """Which address was accessed."""
        return self.register("excvaddr", "epcvaddr")


def is_code(address: int) -> bool:
    """Whether code can be there: ROM, RAM for code, flash."""
    region = memory_at(address)
    return region is not None and region.name not in ("DRAM", "DPORT", "RTC")


def place_of(address: int) -> str:
    """What stands at an address, in words."""
    if address < _NEAR_ZERO:
        return "at or near 0: a null pointer"
    if address == _UNPAINTED:
        return "the pattern of stack that was never used"
    if any(start <= address < end for start, end in _PERIPHERALS):
        return "registers of the hardware"
    region = memory_at(address)
    if region is not None:
        return _REGIONS.get(region.name, region.name)
    raw = address.to_bytes(4, "little")
    if all(byte in _TEXT for byte in raw):
        return f"no memory; its bytes are the text '{raw.decode()}', so a text has overwritten a pointer"
    return "no memory"


_REGIONS: Final = {
    "DRAM": "RAM",
    "ROM": "the boot ROM",
    "IRAM": "RAM for code (IRAM)",
    "IRAM (cache)": "RAM for code (IRAM), or the cache",
    "IROM": "flash (irom)",
}
