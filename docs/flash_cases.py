"""What ``benchmark_flash.py`` compares: images, flashes, tools, options.  Not the running of any of it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import esptool  # type: ignore[import-untyped]

from fixtures.blocks import (
    EPILOGUE,
    IROM_OFFSET,
    MAX_BODY,
    MIN_BODY,
    MODE_DIO,
    POWERED,
    PROLOGUES,
    RF_CAL,
    SDK_COMPILED,
    SECTOR,
    SIZE_4MB,
    TAME,
    App,
    align,
    link,
    padded,
    stream,
    strings,
)
from fixtures.nodemcu import V05
from imgtool.operations.assemble.fullimage import fullimage
from imgtool.operations.assemble.pieces import Piece

ROOT: Final = Path(__file__).resolve().parents[1]
FLASH: Final = 0x40_0000
BAUDS: Final = (115200, 460800, 921600)

# --- what is written -----------------------------------------------------------------------------

IMAGE_SIZE: Final = 416_522  # of a NodeMCU build that was the example before there was a tool
CHANGED: Final = 0x3_0000  # the sector that differs in the case of one sector
COPIED: Final = 115  # of 256 choices: with it the image deflates to two thirds, as that build did


def code_like(seed: str, size: int) -> bytes:
    """Functions whose bodies repeat earlier code as much as real code does; for deflate, not to be run."""
    choices = iter(stream(f"{seed}/choices", 2 * size))
    fresh = stream(f"{seed}/fresh", size).translate(TAME)
    code, used = bytearray(), 0
    while len(code) < size:
        body = bytearray()
        wanted = MIN_BODY + next(choices) % (MAX_BODY - MIN_BODY)
        while len(body) < wanted:
            choice = next(choices)
            start = len(code) - 16 - (next(choices) << 7 | next(choices))
            if choice < COPIED and start >= 0:
                body += code[start : start + 3 + choice % 8].translate(TAME)
            else:
                body += fresh[used : used + 3]
                used += 3
        code += padded(PROLOGUES[wanted % len(PROLOGUES)] + body + EPILOGUE, 4)
    return bytes(code[:size])


@cache
def image() -> bytes:
    """An aggregated image like NodeMCU's of 2019 with many modules; the header says 4MB and dio."""
    banner = b"\nNodeMCU 2.2.0 build 20190301" + POWERED
    text = strings(banner, b"2.2.1(6ab97e9)", SDK_COMPILED, RF_CAL, b"%d")
    app = App(
        "flash-bench",
        irom_size=IMAGE_SIZE - IROM_OFFSET,
        irom_text=text + code_like("flash-bench", 310_000),
        rodata_text=V05,
        iram_size=0x7800,
        rodata_size=0x3400,
        mode=MODE_DIO,
        size_freq=SIZE_4MB,
    )
    linked = link(app)
    return linked.boot.ljust(IROM_OFFSET, b"\xff") + linked.irom


class Case(NamedTuple):
    """What a flash holds, and what is to be written to address 0 of it."""

    name: str
    title: str
    before: bytes
    image: bytes

    @property
    def inputs(self) -> str:
        """A digest of both."""
        return hashlib.sha256(self.before + self.image).hexdigest()[:16]

    def fault(self, after: bytes, *, erased: bool) -> str | None:
        """What is wrong with a flash after the image has been written, None if nothing is.

        The rest of the image's last sector may be kept or erased: tools differ in that.
        """
        size, end = len(self.image), align(len(self.image), SECTOR)
        if after[:size] != self.image:
            at = next(n for n in range(size) if after[n] != self.image[n])
            return f"the flash does not hold the image: 0x{at:06x} differs"
        if after[size:end] not in (self.before[size:end], b"\xff" * (end - size)):
            return "the rest of the last sector is neither kept nor erased"
        if after[end:] != (b"\xff" * (FLASH - end) if erased else self.before[end:]):
            return "sectors outside the image were changed"
        return None


@cache
def cases() -> tuple[Case, ...]:
    """The cases, in the order of the table."""
    dense = image()
    full = fullimage([Piece(0, dense, "nodemcu.bin")], "4MB").data
    dirty, blank = stream("flash-bench/dirty", FLASH), b"\xff" * FLASH
    rest = dirty[align(len(dense), SECTOR) :]
    held = padded(dense, SECTOR, b"\xff") + rest
    sector = slice(CHANGED, CHANGED + SECTOR)
    changed = bytearray(held)
    changed[sector] = stream("flash-bench/changed", SECTOR)
    return (
        Case("dense", "416 KB onto dirty flash", dirty, dense),
        Case("full-dirty", "4 MB onto dirty flash", dirty, full),
        Case("full-blank", "4 MB onto blank flash", blank, full),
        Case("again", "416 KB again", held, dense),
        Case("one-sector", "416 KB, one sector changed", bytes(changed), dense),
    )


# --- how it is written ---------------------------------------------------------------------------


class Option(NamedTuple):
    """One way to call a tool; OLD in its words is a file of what the flash held in the image's place."""

    name: str
    words: tuple[str, ...]
    cases: tuple[str, ...]
    bauds: tuple[int, ...] = BAUDS


class Tool(NamedTuple):
    """A tool and the ways to call it that are worth comparing.

    A figure is the median of so many rounds.  Runs of a stub differ by a percent: it waits for bytes in
    loops, and how often it has gone round when they arrive depends on how the pseudo terminal delivers them.
    The ROM's loader is not interpreted; runs of it differ by one SYNC that is asked again or not, 13 ms.

    ``verified`` is what ``imgtool flash`` must say of how it has verified.
    """

    name: str
    words: tuple[str, ...]
    options: tuple[Option, ...]
    rounds: int = 1
    verified: str | None = None

    @property
    def ours(self) -> bool:
        """Whether it is imgtool."""
        return self.name.startswith("imgtool")


ALL: Final = ("dense", "full-dirty", "full-blank", "again", "one-sector")
ESPTOOL: Final = ("-m", "esptool", "--chip", "esp8266", "--port", "PORT", "--baud", "BAUD")
# No init data beside the image: esptool writes none either.
QUIET: Final = ("--init-data", "none", "--no-boot-check", "--json")
IMGTOOL: Final = ("-m", "imgtool", "flash", "--port", "PORT", "--baud", "BAUD", *QUIET)
ROUNDS: Final = 3
PLAIN: Final = Option("plain", (), ALL)

# Left out is what cannot be the fastest: a digest before a write that is needed anyway; an old file of which
# no sector is in the new one; 10 s of chip erase where six 64 KB erases do, or nothing is to be erased.
# --no-compress was tried at lower speeds too, with 4 MB, --erase-all and one sector: it wins nothing there.
# Without a stub esptool takes --skip-flashed and --diff-with, and writes everything all the same.
# --erase-all makes it ignore --diff-with.  The old file of a blank flash is one of 0xFF.
OPTIONS: Final = (
    PLAIN,
    Option("--no-compress", ("--no-compress",), ("dense",), (921600,)),
    Option("--skip-flashed", ("--skip-flashed",), ("again",)),
    Option("--diff-with", ("--diff-with", "OLD"), ("full-blank", "again", "one-sector")),
    Option("--diff-with --no-compress", ("--diff-with", "OLD", "--no-compress"), ("full-blank",), (921600,)),
    Option("--erase-all", ("--erase-all",), ("full-dirty",)),
)
# The words behind an option that takes several files must begin with a dash.
LAST: Final = ("-fs", "keep")

TOOLS: Final = (
    Tool("esptool", (*ESPTOOL, "write-flash"), OPTIONS, ROUNDS),
    Tool("imgtool-espressif", (*IMGTOOL, "--stub", "espressif"), (PLAIN,), ROUNDS, "digest"),
    Tool("imgtool-own", (*IMGTOOL, "--stub", "imgtool"), (PLAIN,), ROUNDS, "digest"),
    Tool("esptool-rom", (*ESPTOOL, "--no-stub", "write-flash"), (PLAIN,)),
    Tool("imgtool-rom", (*IMGTOOL, "--stub", "none"), (PLAIN,), verified="no"),
)
PAIRS: Final = (
    ("with Espressif's stub", "esptool", "imgtool-espressif"),
    ("imgtool's own stub against esptool's", "esptool", "imgtool-own"),
    ("with the ROM alone", "esptool-rom", "imgtool-rom"),
)


class Run(NamedTuple):
    """One figure to be made."""

    tool: Tool
    option: Option
    case: Case
    baud: int

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from the others, the versions included."""
        return (
            self.tool.name,
            self.option.name,
            self.case.name,
            str(self.baud),
            inputs(self.case),
            versions(self.tool),
        )

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.tool.name} {self.option.name}: {self.case.title}, {self.baud} baud"


@cache
def inputs(case: Case) -> str:
    """The digest of a case, once."""
    return case.inputs


def tree(*packages: str) -> str:
    """A digest of the source of some of our packages."""
    files = (
        path
        for name in packages
        for path in sorted((ROOT / "imgtool" / name).glob("**/*"))
        if path.suffix in {".py", ".json"}
    )
    known = hashlib.sha256()
    for path in files:
        known.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return known.hexdigest()[:12]


@cache
def versions(tool: Tool) -> str:
    """What a result of a tool depends on: esptool's has nothing to do with what we change in ``flash``."""
    ours = f" imgtool {tree('cli', 'device', 'operations')}" if tool.ours else ""
    return f"esptool {esptool.__version__} virtual {tree('virtual')}{ours}"
