"""NodeMCU at the console of the virtual board: boot to the prompt, a line of Lua, its answer.

Not a test, and no judgement of imgtool's: what the firmware's own code says and leaves in the flash.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

import pytest

from imgtool.flash_parts import default_part
from imgtool.virtual.board.boot_rom import BootRom
from imgtool.virtual.board.firmware_chip import FirmwareChip
from imgtool.virtual.chip.machine import Setup, Stop
from imgtool.virtual.chip.store import MemoryStore
from tests.support import BOOT_ROM

__all__ = ["BANNER", "Console", "needs_rom"]

_SECOND: Final = 1_000_000_000
_STEP: Final = _SECOND // 20
_PROMPT: Final = b"\n> "
_ANSWER: Final = 5.0  # seconds of the chip for a line of Lua
_FILE: Final = re.compile(r"^(\S+)\t(\d+)\r?$", re.MULTILINE)

BANNER: Final = b" ets Jan  8 2013"
"""What the boot ROM says at each reset."""

needs_rom: Final = pytest.mark.skipif(not BOOT_ROM, reason="IMGTOOL_BOOT_ROM names no dump of the boot ROM")


@lru_cache(maxsize=1)
def _rom() -> BootRom:
    return BootRom.parse(Path(BOOT_ROM).read_bytes())


class Console:
    """A board that runs what is in its flash, and a person at its serial line.

    Args:
        content: The flash from 0 on; the rest is erased.
        size: Bytes of the flash; those of the content if left out.

    Attributes:
        said: All that it has sent.
    """

    def __init__(self, content: bytes, size: int | None = None) -> None:
        part = default_part(size or len(content))
        store = MemoryStore(part.bytes)
        store.write(0, content)
        self.chip = FirmwareChip(Setup(part, store), _rom())
        self.said = b""
        self.chip.power_on(download=False)

    @property
    def flash(self) -> bytes:
        """What is in the flash now."""
        return self.chip.flash.read(0, self.chip.flash.length)

    @property
    def boots(self) -> int:
        """How often it has started."""
        return self.said.count(BANNER)

    def run(self, seconds: float, until: bytes | None = None, *, boots: int | None = None) -> bytes:
        """Let it run for so long by its clock, or until it has said something; what it has said meanwhile.

        Args:
            seconds: At most.
            until: What ends it.
            boots: So many starts end it, too.
        """
        before = len(self.said)
        end = self.chip.now + round(seconds * _SECOND)
        while self.chip.now < end:
            moment = min(end, self.chip.now + _STEP)
            if self.chip.run(moment) is Stop.IDLE:
                self.chip.pass_time(moment)
            self.said += bytes(byte for byte, _, _ in self.chip.uart.drain())
            fresh = self.said[before:]
            if (until is not None and until in fresh) or (boots is not None and fresh.count(BANNER) >= boots):
                break
        return self.said[before:]

    def to_prompt(self, seconds: float = 60, boots: int = 4) -> bytes:
        """What it says up to Lua's prompt; or without one, if it does not come to it."""
        return self.run(seconds, _PROMPT, boots=boots)

    def reset(self) -> bytes:
        """Off and on again, and up to the prompt."""
        self.chip.power_on(download=False)
        return self.to_prompt()

    def type(self, line: str) -> str:
        """A line at the prompt; what comes back, without the line and the next prompt."""
        self.chip.uart.arrive(line.encode() + b"\r\n", self.chip.now, None)
        answer = self.run(_ANSWER, _PROMPT).decode("latin-1")
        return answer.partition("\n")[2].removesuffix("> ").strip("\r\n")

    def write(self, name: str, lines: int = 1) -> None:
        """A file of so many lines, written by Lua."""
        self.type(f'file.open("{name}","w") for i=1,{lines} do file.writeline("line "..i) end file.close()')

    def files(self) -> dict[str, int]:
        """What ``file.list()`` has: names and sizes."""
        answer = self.type("for n,s in pairs(file.list()) do print(n,s) end")
        return {name: int(size) for name, size in _FILE.findall(answer)}
