"""Programs for the lx106, assembled and run by QEMU; not what is compared.

QEMU counts instructions for its clock (32 ns each), so two runs of a program are the same.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from imgtool.virtual.cpu.core import IRAM_BASE
from tests.support import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

_TOOLS = ("qemu-system-xtensa", "xtensa-lx106-elf-as", "xtensa-lx106-elf-ld", "xtensa-lx106-elf-objcopy")
MISSING = [tool for tool in _TOOLS if shutil.which(tool) is None]
"""What is not installed of what is needed."""


class Built(NamedTuple):
    """A program.

    Attributes:
        elf: The file for QEMU.
        code: The bytes at the start of IRAM.
        symbols: Addresses by name.
    """

    elf: Path
    code: bytes
    symbols: dict[str, int]


def build(text: str, folder: Path) -> Built:
    """Assemble and link; ``.text`` goes to IRAM, ``.reset`` to where QEMU starts."""
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
    listed = subprocess.run([f"{binutils}nm", elf], check=True, capture_output=True, text=True).stdout
    symbols = {name: int(value, 16) for value, _, name in (line.split() for line in listed.splitlines())}
    return Built(elf, code.read_bytes(), symbols)


def run(elf: Path) -> bytes:
    """What the program writes to standard output until it ends, by QEMU's simulator calls."""
    machine = ["-M", "sim", "-cpu", "lx106", "-nographic", "-monitor", "none", "-semihosting"]
    done = subprocess.run(
        ["qemu-system-xtensa", *machine, "-icount", "shift=5", "-kernel", str(elf)],  # noqa: S607 (wherever it is installed)
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )
    return done.stdout
