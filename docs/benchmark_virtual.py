"""Measure what docs/performance.md states of the virtual chip: its core, and reads and writes through it.

Run by ``nox -s bench_virtual``; needs esptool.  The content of the flash is compared every time, so that a
chip that loses bytes is never fast.  ``--before FOLDER`` measures the reads and writes in the same process
with another source tree too, in turns, and gives the ratio.  Not a test, and no figure of a real chip.
"""

from __future__ import annotations

import argparse
import importlib.util
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

# Its own tree, or the one that it is told to measure.
sys.path.insert(
    0,
    sys.argv[2] if sys.argv[1:2] == ["--root"] else str(Path(__file__).resolve().parents[1]),
)

from fixtures.programs import Program, addi, bnez, jump, l8ui
from imgtool.virtual.chip.machine import Setup, VirtualChip
from imgtool.virtual.cpu.core import Core

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sysconfig.get_path("scripts"))
RAM = 0x3FFE_8000
AT = 0x1000


class Write(NamedTuple):
    """One write by esptool: wall seconds of the client, processor seconds of the chip, its report."""

    wall: float
    cpu: float
    instructions: int
    modelled: float


class Passage(NamedTuple):
    """A read or write over ``sim:``: processor seconds of host and chip, instructions, modelled seconds."""

    cpu: float
    instructions: int
    modelled: float


def sample(size: int) -> bytes:
    """Bytes of which half can be deflated."""
    return random.Random(size).randbytes(size // 2) + b"imgtool!" * (size // 16)  # noqa: S311 - a sample


def pass_through(way: str, size: int, stub: str) -> Passage:
    """Read or write in this process, by imgtool at its highest speed."""
    from imgtool.device.session import ConnectOptions, Session  # noqa: PLC0415 - for a process of its own
    from imgtool.virtual.line.report import report  # noqa: PLC0415
    from imgtool.virtual.line.wire import open_sim  # noqa: PLC0415

    data = sample(size)
    with tempfile.TemporaryDirectory() as name:
        flash = Path(name) / "flash.bin"
        flash.write_bytes((b"\xff" * AT + data if way == "read" else b"").ljust(0x40_0000, b"\xff"))
        begun = time.process_time()
        wire = open_sim(f"sim:4MB,flash={flash}")
        session = Session.connect(wire, ConnectOptions(stub=stub))
        if way == "read":
            found = session.flasher.read(AT, size, lambda _: None)
        else:
            session.flasher.write(AT, data, lambda _: None, erased=False)
        cpu = time.process_time() - begun
        if way == "write":
            found = flash.read_bytes()[AT : AT + size]
        told = report(wire.link)
        session.close()
    if found != data:
        sys.exit("the flash does not hold what was written, or is not what was read")
    return Passage(cpu, told["instructions"], told["modelled_seconds"][0]["seconds"])


def passed(root: Path, way: str, size: int, stub: str) -> Passage:
    """The same in a process of its own, with the package of a source tree."""
    words = [sys.executable, __file__, "--root", str(root), "--pass", way, str(size), stub]
    done = subprocess.run(words, cwd=root, check=True, stdout=subprocess.PIPE)
    return Passage(*json.loads(done.stdout))


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
        data = sample(size)
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


def passages(rounds: int, before: Path | None) -> None:
    """Print the table of what goes over ``sim:``."""
    stubs = ["imgtool", *(["espressif"] if importlib.util.find_spec("esptool") else [])]
    heads = ["over `sim:`", "stub", *(["before", "now", "ratio"] if before else ["processor time"])]
    print(f"| {' | '.join([*heads, 'instructions', 'modelled'])} |\n|{'---|' * (len(heads) + 2)}")
    for way, size in (("read", 0x10000), ("write", 0x10000), ("write", 0x80000)):
        for stub in stubs:
            was, now = [], []
            for _ in range(rounds):
                if before:
                    was.append(passed(before, way, size, stub).cpu)
                now.append(passed(ROOT, way, size, stub))
            cpu = statistics.median(one.cpu for one in now)
            cells = [f"{cpu:.2f} s"]
            if before:
                earlier = statistics.median(was)
                cells = [f"{earlier:.2f} s", *cells, f"**{cpu / earlier:.2f}**"]
            print(
                f"| {way} {size // 1024} KB | {stub} | {' | '.join(cells)} "
                f"| {now[0].instructions / 1e6:.1f} million | {now[0].modelled:.2f} s |"
            )


def arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description="Measure the virtual chip.")
    parser.add_argument("rounds", nargs="?", type=int, default=5)
    parser.add_argument("--before", type=Path, help="a source tree to compare with; only over sim:")
    parser.add_argument("--root", help=argparse.SUPPRESS)
    parser.add_argument("--pass", dest="one", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Print the tables."""
    asked = arguments()
    if asked.one:
        way, size, stub = asked.one
        print(json.dumps(pass_through(way, int(size), stub)))
        return
    rounds = asked.rounds
    if asked.before:
        print(f"Medians of {rounds} runs in turns, Python {sys.version.split()[0]}.\n")
        passages(rounds, asked.before.resolve())
        return
    speeds = sorted(core_speed() for _ in range(rounds))
    print(f"Medians of {rounds} runs, Python {sys.version.split()[0]}, {os.cpu_count()} processors.\n")
    print(f"The core alone: {statistics.median(speeds) / 1e6:.1f} million instructions a second.\n")
    print("| esptool writes | wall | the chip's processor time | instructions | modelled |")
    print("|---|---|---|---|---|")
    for size, baud, deflate in (
        (0x10000, 115200, True),
        (0x10000, 921600, True),
        (0x10000, 921600, False),
        (0x68000, 921600, True),
    ):
        runs = [write(size, baud, deflate=deflate) for _ in range(rounds)]
        wall, cpu = (statistics.median(values) for values in ([r.wall for r in runs], [r.cpu for r in runs]))
        kind = "deflated" if deflate else "plain"
        print(
            f"| {size // 1024} KB, {baud} baud, {kind} | {wall:.1f} s | {cpu:.1f} s"
            f" | {runs[0].instructions / 1e6:.1f} million | {runs[0].modelled:.1f} s |"
        )
    print()
    passages(rounds, None)


if __name__ == "__main__":
    main()
