"""Files on the virtual board, by the firmware's own Lua: listed, read to the last byte, written.

Not a test, and no judgement of imgtool's.  Names and contents go over the line as they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from imgtool.formats.reading import Firmware
from imgtool.operations.inspect.describe import describe
from tests.oracle.firmware_console import Console
from tests.support import real

__all__ = ["FIRMWARE", "FileConsole", "image_of"]

MORE: Final = "IMGTOOL_MORE_IMAGES"
"""Names a folder with further images, of which one is of NodeMCU 1.5.4.1."""

FIRMWARE: Final = ("0.9.5", "1.5.4.1", "2.1", "3.0")
_OF_CORPUS: Final = {
    "0.9.5": "nodemcu/nodemcu_integer_0.9.5_20150318.bin",
    "2.1": "nodemcu/yuan-nodemcu_integer.bin",
    "3.0": "nodemcu/heikomat-firmware-lfs.bin",
}
_PIECE: Final = 250  # bytes: what 0.9.5 reads at once
_PIECES: Final = 40  # for which a line takes no longer than the watchdog waits
_PROMPT: Final = b"\n> "
_LEAST: Final = 100_000
_MOST: Final = 1 << 20


def image_of(name: str) -> bytes:
    """A real image of a release; the test is skipped where it is not at hand."""
    if name in _OF_CORPUS:
        return real(_OF_CORPUS[name])
    found = next((data for data, firmware in _more() if firmware.version == name), None)
    if found is None:
        pytest.skip(f"{MORE} names no folder with an image of NodeMCU {name}")
    return found


@cache
def _all_of(folder: str) -> tuple[tuple[bytes, Firmware], ...]:
    found = []
    for path in sorted(Path(folder).iterdir()):
        if path.is_file() and _LEAST < path.stat().st_size < _MOST:
            data = path.read_bytes()
            described = describe(data)
            if described.firmware is not None and described.firmware.name == "NodeMCU" and described.ok:
                found.append((data, described.firmware))
    return tuple(found)


def _more() -> Iterator[tuple[bytes, Firmware]]:
    folder = os.environ.get(MORE, "")
    if folder:
        yield from (each for each in _all_of(folder) if each[0][:1] == b"\xe9")


def _quoted(name: bytes) -> str:
    return '"' + "".join(f"\\{byte:03d}" for byte in name) + '"'


class FileConsole(Console):
    """A person at the serial line who looks after files."""

    def ask(self, line: str, least: int = 0, seconds: float = 60) -> bytes:
        """The bytes that come back for a line; so many of them come before the next prompt."""
        self.chip.uart.arrive(line.encode() + b"\r\n", self.chip.now, None)
        echo = len(line) + 2
        answer = b""
        while not (answer.endswith(_PROMPT) and len(answer) >= echo + least + 2):
            more = self.run(seconds, b"> ")
            answer += more
            assert more, f"no answer to {line!r}: {answer[-200:]!r}"
        return answer.partition(b"\n")[2].removesuffix(b"> ")

    def listing(self) -> dict[bytes, int]:
        """What ``file.list()`` has."""
        answer = self.ask(r'for n,s in pairs(file.list()) do uart.write(0,n.."\009"..s.."\010") end print()')
        rows = (row.strip(b"\r").rpartition(b"\t") for row in answer.split(b"\n") if b"\t" in row)
        return {name: int(size) for name, _, size in rows}

    def read_file(self, name: bytes, size: int) -> bytes:
        """All of a file that has so many bytes."""
        self.ask(f'file.open({_quoted(name)},"r")')
        content = b""
        loop = f"local s=file.read({_PIECE}) if s then uart.write(0,s) end tmr.wdclr()"
        while True:
            wanted = min(size - len(content), _PIECE * _PIECES)
            more = self.ask(f"for i=1,{_PIECES} do {loop} end print()", least=wanted)
            content += more.removesuffix(b"\r\n")
            if len(content) >= size:
                break
        self.ask("file.close()")
        return content

    def write_file(self, name: bytes, data: bytes) -> None:
        """A file with these bytes."""
        self.ask(f'file.open({_quoted(name)},"w")')
        for at in range(0, len(data), 40):
            self.ask(f"file.write({_quoted(data[at : at + 40])})")
        self.ask("file.close()")

    def remove_file(self, name: bytes) -> None:
        """Remove it."""
        self.ask(f"file.remove({_quoted(name)})")
