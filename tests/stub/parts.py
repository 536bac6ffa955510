"""Parts of the stub on their own, called directly: on the virtual core, and under QEMU.

What stands around them is in tests/stub/c: a job comes in, runs of bytes go out.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fixtures import stub_build
from imgtool.virtual.cpu.core import DRAM_BASE, DRAM_SIZE, Core, Trap
from tests.support import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCES: Final = Path(__file__).parent / "c"
QEMU: Final = "qemu-system-xtensa"
RETURN: Final = 0x4000_0100
STACK: Final = 0x3FFF_FFF0
STACK_BYTES: Final = 0x800
RUNS: Final = 3
CANARY: Final = 0xA5
MOST_INSTRUCTIONS: Final = 20_000_000
LOAD, INFLATE, CRC = range(3)
RECEIVE, SEND = range(2)
UNPACK: Final = ("unpack.c", ("inflate.c", "crc32.c"))
LINE: Final = ("line.c", ("frame.c", "crc32.c"))


def missing_compiler() -> str | None:
    """Why no part can be built; None if it can."""
    if shutil.which(stub_build.COMPILER) is None:
        return f"not installed: {stub_build.COMPILER}"
    recorded: dict[str, Any] = json.loads(stub_build.STUB.read_text())
    if stub_build.compiler_version() != recorded["compiler"]:
        return f"not the compiler of the stub: {stub_build.compiler_version()}"
    return None


@dataclass(frozen=True)
class Part:
    """A linked part: its ELF file, what it loads, and where its names lie."""

    elf: Path
    text: tuple[int, bytes]
    data: tuple[int, bytes]
    names: dict[str, int]


def build(part: tuple[str, Sequence[str]], folder: Path) -> Part:
    """Compile a part with the flags of the stub."""
    name, sources = part
    elf = folder / f"{name}.elf"
    files = [SOURCES / "start.S", SOURCES / "runner.c", SOURCES / name]
    files += [stub_build.FIRMWARE / source for source in sources]
    # Warnings are for those who build the stub.
    flags = [
        *(flag for flag in stub_build.FLAGS if not flag.startswith("-W")),
        "-nostdlib",
        "-I",
        stub_build.FIRMWARE,
    ]
    # Not by -Wl, which cuts at the commas that the name of a folder may have.
    script = ("-T", str(SOURCES / "part.ld"))
    for_c = [stub_build.COMPILER, *map(str, flags), *script, *map(str, files[1:])]
    start = folder / "start.o"
    subprocess.run([stub_build.COMPILER, "-c", str(files[0]), "-o", str(start)], check=True)
    # Called from outside: link-time optimisation must leave it a function.
    keep = ["-Wl,-u,do_job", "-Wl,-u,job", "-Wl,-u,runs"]
    subprocess.run([*for_c, str(start), *keep, "-o", str(elf)], check=True)
    names = stub_build.symbols(elf)
    return Part(elf, stub_build.section(elf, ".text"), stub_build.section(elf, ".data"), names)


class _Nothing:
    """No peripherals; the one ROM address is where a job returns to."""

    def read(self, address: int, size: int) -> int:
        raise Trap(f"read of {size} bytes", address=address)

    def write(self, address: int, value: int, size: int) -> None:
        raise Trap(f"write of {value:#x}, {size} bytes", address=address)

    def enter_rom(self, core: Core, address: int) -> None:
        if address != RETURN:
            raise Trap("call of the ROM", address=address)
        core.stop = True


class OnCore:
    """A part on the virtual core, between canaries."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.core = Core(_Nothing())
        self.core.ps = 0
        start, end = part.data[0], part.names["all_end"]
        self.core.load(DRAM_BASE, bytes([CANARY]) * DRAM_SIZE)
        self.core.load(start, bytes(end - start))
        self.core.load(*part.text)
        self.core.load(*part.data)
        self.guarded = (end, STACK - STACK_BYTES)

    def run(self, job: bytes) -> bytes:
        """Do a job; a trap, a write outside and a job without an end are errors."""
        core = self.core
        core.load(self.part.names["job"], job)
        core.a[:] = [CANARY * 0x01010101] * 16
        core.a[0], core.a[1], core.a[2], core.pc = RETURN, STACK, len(job), self.part.names["do_job"]
        saved = core.a[12:]
        first = core.instructions
        while core.pc != RETURN:
            assert core.instructions - first < MOST_INSTRUCTIONS
            assert not core.run(MOST_INSTRUCTIONS), "waits for ever"
        assert core.a[1] == STACK
        assert core.a[12:] == saved
        low, high = self.guarded
        assert core.fetch(low, high - low) == bytes([CANARY]) * (high - low)
        words = struct.unpack(f"<{2 * RUNS}I", core.fetch(self.part.names["runs"], 8 * RUNS))
        pairs = zip(words[::2], words[1::2], strict=True)
        return b"".join(core.fetch(start, size) for start, size in pairs if size)


def in_qemu(part: Part, jobs: Sequence[bytes]) -> list[bytes]:
    """The answers to jobs, done by one run of QEMU."""
    machine = ["-M", "sim", "-cpu", "lx106", "-nographic", "-monitor", "none", "-semihosting"]
    done = subprocess.run(
        [QEMU, *machine, "-kernel", str(part.elf)],
        input=b"".join(struct.pack("<I", len(job)) + job for job in jobs),
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )
    answers = []
    rest = done.stdout
    while rest:
        (size,) = struct.unpack_from("<I", rest)
        answers.append(rest[4 : 4 + size])
        rest = rest[4 + size :]
    return answers


def load_job(place: int, data: bytes) -> bytes:
    return struct.pack("<2I", LOAD, place) + data


def inflate_job(stream: bytes, *, place: int, history: int, window: int, room: int, piece: int) -> bytes:
    return struct.pack("<6I", INFLATE, place, history, window, room, piece) + stream


def crc_job(before: int, skipped: int, data: bytes) -> bytes:
    return struct.pack("<3I", CRC, before, skipped) + bytes(skipped) + data


def receive_job(line: bytes) -> bytes:
    return struct.pack("<I", RECEIVE) + line


def send_job(data: bytes) -> bytes:
    return struct.pack("<I", SEND) + data
