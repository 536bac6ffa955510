"""Measure what docs/performance.md states of real firmware on the virtual board.

Run by ``nox -s bench_firmware``; ``IMGTOOL_BOOT_ROM`` names a dump of the boot ROM and ``IMGTOOL_CORPUS`` the
folder of real images.  Each firmware has a process of its own, so that code that was translated for one does
not help the next.  Seconds are those of the processor.  Not a test, and no figure of a real chip.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imgtool.flash_parts import default_part
from imgtool.virtual.board.boot_rom import BootRom
from imgtool.virtual.board.firmware_chip import FirmwareChip
from imgtool.virtual.chip.machine import Setup
from imgtool.virtual.chip.store import MemoryStore

SIZE = 0x40_0000
SECOND = 1_000_000_000
PROMPT = b"\n> "
LINES = (b"print(1+1)\r\n", b"local s=0 for i=1,20000 do s=s+i end print(s)\r\n")
# Name, files by address, what it says when it has come far enough.
RUNS: tuple[tuple[str, dict[int, str], bytes], ...] = (
    ("NodeMCU 0.9.5", {0: "nodemcu/nodemcu_integer_0.9.5_20150318.bin"}, PROMPT),
    ("NodeMCU 2.1", {0: "nodemcu/yuan-nodemcu_integer.bin"}, PROMPT),
    ("NodeMCU 3.0", {0: "nodemcu/heikomat-firmware-lfs.bin"}, PROMPT),
    ("boot loader 1.2 alone", {0: "boot/boot_v1.2.bin"}, b"user code done"),
    ("boot loader 1.7, to its first reset", {0: "boot/boot_v1.7.bin"}, b"try this bin again"),
    (
        "AT 1.3 (SDK 2.0)",
        {
            0: "at/at-sdk2.0-noboot-eagle.flash.bin",
            0x1_0000: "at/at-sdk2.0-noboot-eagle.irom0text.bin",
            0x7_C000: "initdata/esp_init_data_default_v08.bin",
        },
        b"ready",
    ),
)


def chip_of(files: dict[int, str]) -> FirmwareChip:
    """A board with the files in a flash that is erased otherwise."""
    store = MemoryStore(SIZE)
    for address, name in files.items():
        store.write(address, (Path(os.environ["IMGTOOL_CORPUS"]) / name).read_bytes())
    rom = BootRom.parse(Path(os.environ["IMGTOOL_BOOT_ROM"]).read_bytes())
    return FirmwareChip(Setup(default_part(SIZE), store), rom)


def until(chip: FirmwareChip, words: bytes) -> None:
    """Run until it has said something."""
    said = b""
    end = chip.now + 60 * SECOND
    while words not in said:
        if chip.now >= end:
            sys.exit(f"{words!r} did not come: {said[-200:]!r}")
        chip.run(chip.now + SECOND // 50)
        said += bytes(byte for byte, _, _ in chip.uart.drain())


def stage(chip: FirmwareChip, words: bytes, since: float, typed: bytes = b"") -> dict[str, float]:
    """Run a stage; its figures."""
    instructions, moment = chip.board.core.instructions, chip.now
    if typed:
        chip.uart.arrive(typed, chip.now, None)
    until(chip, words)
    spent = time.process_time() - since
    done = chip.board.core.instructions - instructions
    return {"cpu": spent, "instructions": done, "seconds": (chip.now - moment) / SECOND}


def measure(number: int) -> dict[str, dict[str, float]]:
    """All stages of one firmware."""
    _, files, words = RUNS[number]
    start = time.process_time()
    found = {"start of the program": {"cpu": start, "instructions": 0.0, "seconds": 0.0}}
    chip = chip_of(files)
    chip.power_on(download=False)
    found["first boot"] = stage(chip, words, start)
    if words == PROMPT:
        for line in LINES:
            found[line.decode().strip()] = stage(chip, PROMPT, time.process_time(), line)
        start = time.process_time()
        chip.power_on(download=False)
        found["second boot, warm"] = stage(chip, words, start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found["memory"] = {"cpu": peak, "instructions": 0, "seconds": 0}
    return found


def main() -> None:
    """Print the tables, the best of three."""
    if sys.argv[1:]:
        print(json.dumps(measure(int(sys.argv[1]))))
        return
    print("| Firmware | Stage | CPU s | chip's s | million instructions | million a CPU second | MB |")
    print("|---|---|---|---|---|---|---|")
    for number, (name, _, _) in enumerate(RUNS):
        runs = [
            json.loads(
                subprocess.run(
                    [sys.executable, __file__, str(number)], check=True, capture_output=True
                ).stdout
            )
            for _ in range(3)
        ]
        peak = max(run.pop("memory")["cpu"] for run in runs)
        for title in runs[0]:
            best = min((run[title] for run in runs), key=lambda figures: figures["cpu"])
            millions = best["instructions"] / 1e6
            rate = millions / best["cpu"]
            figures = f"{best['cpu']:.2f} | {best['seconds']:.2f} | {millions:.2f} | {rate:.1f} | {peak:.0f}"
            print(f"| {name} | `{title}` | {figures} |", flush=True)


if __name__ == "__main__":
    main()
