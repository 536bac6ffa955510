"""Programs for the lx106, assembled and run by QEMU; not what they are, and not what is compared.

QEMU counts instructions for its clock (32 ns each), so two runs of a program are the same.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.virtual.cpu.core import IRAM_BASE
from tests.support import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

_TOOLS = ("qemu-system-xtensa", "xtensa-lx106-elf-as", "xtensa-lx106-elf-ld", "xtensa-lx106-elf-objcopy")
MISSING = [tool for tool in _TOOLS if shutil.which(tool) is None]
"""What is not installed of what is needed."""
_QUIET: Final = ["-nographic", "-monitor", "none", "-serial", "none"]
_MACHINE: Final = [_TOOLS[0], "-M", "sim", "-cpu", "lx106", *_QUIET, "-semihosting", "-icount", "shift=5"]


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
    done = subprocess.run([*_MACHINE, "-kernel", str(elf)], check=True, capture_output=True, timeout=PATIENCE)
    return done.stdout


def run_interrupted(built: Built, bits: int) -> bytes:
    """As :func:`run`; before the instruction at ``here``, interrupts come from outside.

    The machine has no device that would raise them, so QEMU's stub for GDB writes the register INTERRUPT.
    QEMU looks at it when an instruction is executed that may let an interrupt in: one is to be at ``here``.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        debugger = ["-S", "-chardev", f"socket,id=debugger,fd={theirs.fileno()}", "-gdb", "chardev:debugger"]
        with subprocess.Popen(
            [*_MACHINE, *debugger, "-kernel", str(built.elf)],
            stdout=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
        ) as process:
            theirs.close()
            ours.settimeout(PATIENCE)
            try:
                _raise_at(ours, built.symbols["here"], bits)
                written, _ = process.communicate(timeout=PATIENCE)
            finally:
                process.kill()
    return written


# GDB's remote protocol: https://sourceware.org/gdb/current/onlinedocs/gdb.html/Remote-Protocol.html.  Which
# register has which number is in QEMU's gdb-config.c.inc for the lx106; two of them are INTERRUPT.
_REGISTERS: Final = (37, 38)


def _raise_at(debugger: socket.socket, address: int, bits: int) -> None:
    breakpoint_ = f"0,{address:x},2"
    for command, answer in ((f"Z{breakpoint_}", "OK"), ("c", "T05thread:01;"), (f"z{breakpoint_}", "OK")):
        assert _asked(debugger, command) == answer
    registers = _asked(debugger, "g")
    for number in _REGISTERS:
        value = bits.to_bytes(4, "little").hex()
        registers = registers[: 8 * number] + value + registers[8 * number + 8 :]
    assert _asked(debugger, f"G{registers}") == "OK"
    _tell(debugger, "c")


def _tell(debugger: socket.socket, text: str) -> None:
    debugger.sendall(f"${text}#{sum(text.encode()) % 256:02x}".encode())


def _asked(debugger: socket.socket, text: str) -> str:
    """The answer to a command."""
    _tell(debugger, text)
    got = ""
    while (found := re.search(r"\$(.*)#..", got)) is None:
        more = debugger.recv(4096)
        assert more, f"QEMU has closed the line after {got!r}"
        got += more.decode()
    debugger.sendall(b"+")
    return found[1]
