"""QEMU's lx106 as an independent opinion on what instructions do.

Random programs run under ``qemu-system-xtensa -M sim -cpu lx106`` and in the virtual core, whole and
instruction by instruction; registers, SAR, PS and a memory window have to agree.  Interrupts, exceptions and
timing are not compared.
"""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from imgtool.virtual.cpu import isa
from imgtool.virtual.cpu.core import IRAM_BASE, Core, Trap
from tests.oracle.lx106_programs import WINDOW, WINDOW_SIZE, Program
from tests.support import PATIENCE

TOOLS = ("qemu-system-xtensa", "xtensa-lx106-elf-as", "xtensa-lx106-elf-ld", "xtensa-lx106-elf-objcopy")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]

PROGRAMS = 60
CHUNKS = 120
EXECUTED = 100_000
# What ends a program here, or stops QEMU as well: the virtual core's own tests have these.
NOT_RUN = {"break", "break.n", "ill", "ill.n", "rfde", "simcall", "syscall", "waiti"}


class NoBus:
    """Nothing outside RAM."""

    def read(self, address: int, size: int) -> int:
        raise Trap(f"read of {size} bytes", address=address)

    def write(self, address: int, value: int, size: int) -> None:
        raise Trap(f"write of {value:#x}, {size} bytes", address=address)

    def enter_rom(self, core: Core, address: int) -> None:
        raise Trap(f"ROM call, a0 {core.a[0]:#x}", address=address)


def build(text: str, folder: Path) -> tuple[Path, bytes, int]:
    """An ELF file for QEMU, the bytes at the start of IRAM, and where the program starts."""
    source, made, elf, code = (folder / f"program.{kind}" for kind in ("s", "o", "elf", "bin"))
    source.write_text(text)
    binutils = "xtensa-lx106-elf-"
    link = f"--no-relax -Ttext={IRAM_BASE:#x} --section-start=.reset=0x50000000 -e reset"
    for command in (
        [f"{binutils}as", str(source), "-o", str(made)],
        [f"{binutils}ld", *link.split(), str(made), "-o", str(elf)],
        [f"{binutils}objcopy", "-O", "binary", "-j", ".text", str(elf), str(code)],
    ):
        subprocess.run(command, check=True, capture_output=True)
    symbols = subprocess.run([f"{binutils}nm", elf], check=True, capture_output=True, text=True).stdout
    start = next(int(line.split()[0], 16) for line in symbols.splitlines() if line.endswith(" start"))
    return elf, code.read_bytes(), start


def in_qemu(elf: Path) -> bytes:
    """The memory window at the end."""
    machine = ["-M", "sim", "-cpu", "lx106", "-nographic", "-monitor", "none", "-semihosting"]
    done = subprocess.run(
        ["qemu-system-xtensa", *machine, "-kernel", str(elf)],  # noqa: S607 (wherever it is installed)
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )
    return done.stdout


def core_with(code: bytes, start: int) -> Core:
    core = Core(NoBus())
    core.load(IRAM_BASE, code)
    core.pc = core.a[0] = start  # as after the jump from QEMU's reset vector
    return core


def run_whole(core: Core) -> None:
    with pytest.raises(Trap, match="simulator call"):  # noqa: PT012 (the end of a loop)
        while True:
            assert not core.run(10_000)


def run_in_steps(core: Core) -> Counter[str]:
    counts: Counter[str] = Counter()
    with pytest.raises(Trap, match="simulator call"):  # noqa: PT012 (the end of a loop)
        while True:
            instruction = isa.decode(core.fetch(core.pc, 3), core.pc)
            assert instruction is not None
            core.step()
            counts[instruction.mnemonic] += 1
    return counts


def test_random_programs_end_as_in_qemu(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    executed = 0
    for seed in range(PROGRAMS):
        elf, code, start = build(Program(seed).text(CHUNKS), tmp_path)
        expected = in_qemu(elf)
        assert len(expected) == WINDOW_SIZE
        whole, steps = core_with(code, start), core_with(code, start)
        run_whole(whole)
        counts += run_in_steps(steps)
        assert whole.fetch(WINDOW, WINDOW_SIZE) == expected, f"seed {seed}"
        assert steps.fetch(WINDOW, WINDOW_SIZE) == expected, f"seed {seed}"
        assert whole.instructions == steps.instructions == counts.total() - executed
        executed = counts.total()
    assert executed >= EXECUTED
    never = {mnemonic for mnemonic in isa.ROWS if not counts[mnemonic]}
    assert never == NOT_RUN
