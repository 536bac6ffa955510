"""Take the column "on the virtual chip" of docs/virtual/timing.md: esptool's stub of old on dirty flash.

Run by hand, ``python docs/silicon_runs.py [LINE ...]``; needs esptool 5, of which it takes version 1 of the
stub, as the boards of ``silicon_lines.py`` had.  The data is made: as many bytes, and as many deflated.
What it prints goes into ``silicon_lines.py``.  No figure of a real chip.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import tempfile
import zlib
from itertools import pairwise
from pathlib import Path

from esptool import loader
from esptool.cmds import attach_flash, write_flash
from esptool.targets.esp8266 import ESP8266ROM
from silicon_lines import LINES, SLOW, Line

from imgtool import open_port

KB = 1024
NEAR = 4
"""Bytes; the deflated size is as near."""


def made(size: int, share: int) -> bytes:
    """Bytes of which so many are random, spread over all of them."""
    source = random.Random(size)  # noqa: S311 - a sample
    ends = [share * at // size for at in (*range(0, size, KB), size)]
    parts = (source.randbytes(end - begin) + b"imgtool!" * KB for begin, end in pairwise(ends))
    return b"".join(part[:KB] for part in parts)[:size]


def sample(size: int, deflated: int) -> bytes:
    """Data that deflates to about so many bytes."""
    low, high = 0, size
    while high - low > NEAR:
        middle = (low + high) // 2
        if len(zlib.compress(made(size, middle), 9)) < deflated:
            low = middle
        else:
            high = middle
    return made(size, low)


def seconds(line: Line, folder: Path) -> float:
    """Modelled seconds from the request that begins the write to the digest behind it."""
    (folder / "data.bin").write_bytes(sample(line.size, line.deflated or 0))
    (folder / "flash.bin").write_bytes(random.Random(8266).randbytes(0x40_0000))  # noqa: S311 - a sample
    port = open_port(f"sim:4MB,flash={folder / 'flash.bin'}", baudrate=115200, wall=True)
    ledger = port.chip.ledger
    marks: list[float] = []
    esp = ESP8266ROM(port)
    esp.connect("no-reset")
    esp = esp.run_stub()
    if line.baud != SLOW:
        esp.change_baud(line.baud)
    attach_flash(esp)
    begin, digest = esp.flash_defl_begin, esp.flash_md5sum

    def begin_timed(*arguments: object, **named: object) -> object:
        marks.append(ledger.seconds()[0])
        return begin(*arguments, **named)

    def digest_timed(*arguments: object, **named: object) -> object:
        marks.append(ledger.seconds()[0])
        return digest(*arguments, **named)

    esp.flash_defl_begin, esp.flash_md5sum = begin_timed, digest_timed
    write_flash(esp, [(0, str(folder / "data.bin"))], flash_freq="keep", flash_mode="keep", flash_size="keep")
    port.close()
    return marks[1] - marks[0]


def main(numbers: list[int]) -> None:
    """Print line after line."""
    loader.StubFlasher.set_stub_subdir("1")
    for number in numbers or range(len(LINES)):
        if LINES[number].deflated is not None:
            with (
                tempfile.TemporaryDirectory() as folder,
                Path(os.devnull).open("w") as nothing,
                contextlib.redirect_stdout(nothing),
            ):
                took = seconds(LINES[number], Path(folder))
            print(number, f"{took:.2f}", flush=True)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]])
