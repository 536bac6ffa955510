"""Measure what docs/performance.md states of the virtual chip: its core, and esptool's writes to it.

Run by ``nox -s bench_virtual``; needs esptool.  The content of the flash is compared after every write, so
that a chip that loses bytes is never fast.  Not a test, and no figure of a real chip.
"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fixtures.programs import Program, addi, bnez, jump, l8ui
from imgtool.virtual.chip.machine import Setup, VirtualChip
from imgtool.virtual.cpu.core import Core

BIN = Path(sysconfig.get_path("scripts"))
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
RAM = 0x3FFE_8000


class Write(NamedTuple):
    """One write by esptool: wall seconds of the client, processor seconds of the chip, its report."""

    wall: float
    cpu: float
    instructions: int
    modelled: float


def sum_loop() -> Program:
    """Adds up the bytes of 4 KB of RAM for ever: loads, arithmetic, branches, as stubs are made of."""
    program = Program(RAM, RAM + 0x1000)
    start = program.here
    program.load(2, 0)
    program.load(3, 1)
    loop = program.here
    program.add(l8ui(4, 2, 0))
    program.add(bytes([0x40, 0x55, 0x80]))  # add a5, a5, a4
    program.add(bytes([0x50, 0x66, 0x30]))  # xor a6, a6, a5
    program.add(bytes([0x60, 0x61, 0x41]))  # srli a6, a6, 1
    program.add(addi(2, 2, 1))
    program.add(bytes([0x20, 0x73, 0xC0]))  # sub a7, a3, a2
    program.add(bnez(7, loop, program.here))
    program.add(jump(start, program.here))
    return program


def core_speed() -> float:
    """Interpreted instructions a second."""
    core: Core = VirtualChip(Setup()).core
    program = sum_loop()
    segment = program.segment()
    core.load(segment.address, segment.data)
    core.pc, core.ps = program.entry, 0
    core.run(100_000)
    begun, count = time.perf_counter(), core.instructions
    core.run(10_000_000)
    return (core.instructions - count) / (time.perf_counter() - begun)


def write(size: int, baud: int, *, deflate: bool) -> Write:
    """Write random bytes with esptool and its stub."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = random.Random(size).randbytes(size // 2) + b"imgtool!" * (size // 16)  # noqa: S311 - a sample
        (folder / "data.bin").write_bytes(data)
        words = ["--flash", "flash.bin", "--flash-size", "1MB", "--report", "report.json"]
        chip = subprocess.Popen([BIN / "imgtool", "simulate", *words], cwd=folder, stdout=subprocess.PIPE)
        assert chip.stdout is not None  # noqa: S101 - it is a pipe
        address = chip.stdout.readline().decode().strip()
        options = () if deflate else ("-u",)
        client = [str(BIN / "esptool"), "--chip", "esp8266", "--port", address]
        begun = time.perf_counter()
        subprocess.run(
            [*client, "-b", str(baud), "write-flash", *options, "0x1000", "data.bin"],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        wall = time.perf_counter() - begun
        chip.send_signal(signal.SIGTERM)
        _, _, usage = os.wait4(chip.pid, 0)
        chip.stdout.close()
        if (folder / "flash.bin").read_bytes()[0x1000 : 0x1000 + size] != data:
            sys.exit("the flash does not hold what was written")
        report = json.loads((folder / "report.json").read_text())
    seconds = report["modelled_seconds"][0]["seconds"]
    return Write(wall, usage.ru_utime + usage.ru_stime, report["instructions"], seconds)


def main() -> None:
    """Print the tables."""
    speeds = sorted(core_speed() for _ in range(ROUNDS))
    print(f"Medians of {ROUNDS} runs, Python {sys.version.split()[0]}, {os.cpu_count()} processors.\n")
    print(f"The core alone: {statistics.median(speeds) / 1e6:.1f} million instructions a second.\n")
    print("| esptool writes | wall | the chip's processor time | instructions | modelled |")
    print("|---|---|---|---|---|")
    for size, baud, deflate in (
        (0x10000, 115200, True),
        (0x10000, 921600, True),
        (0x10000, 921600, False),
        (0x68000, 921600, True),
    ):
        runs = [write(size, baud, deflate=deflate) for _ in range(ROUNDS)]
        wall, cpu = (statistics.median(values) for values in ([r.wall for r in runs], [r.cpu for r in runs]))
        kind = "deflated" if deflate else "plain"
        print(
            f"| {size // 1024} KB, {baud} baud, {kind} | {wall:.1f} s | {cpu:.1f} s"
            f" | {runs[0].instructions / 1e6:.1f} million | {runs[0].modelled:.1f} s |"
        )


if __name__ == "__main__":
    main()
