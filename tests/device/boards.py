"""Virtual boards in the same process, as the device layer sees them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from imgtool.device.session import ConnectOptions, Session
from imgtool.device.stub import espressif_stubs
from imgtool.device.wire import Clock, Lines, Wire, WireTraits
from imgtool.virtual.board.boot_rom import BootRom
from imgtool.virtual.board.firmware_chip import FirmwareChip
from imgtool.virtual.chip.faults import parse_plan
from imgtool.virtual.chip.machine import Setup
from imgtool.virtual.line.wire import SimWire, open_sim

if TYPE_CHECKING:
    from collections.abc import Callable

needs_stub = pytest.mark.skipif(not espressif_stubs(), reason="no esptool with a flasher stub is installed")

STUBS = ["imgtool", pytest.param("espressif", marks=needs_stub)]
WAYS = [*STUBS, "none"]
# For jobs of seconds: the others in the long run.
FEW_STUBS = ["imgtool", pytest.param("espressif", marks=[needs_stub, pytest.mark.long])]
FEW_WAYS = [*FEW_STUBS, pytest.param("none", marks=pytest.mark.long)]


def wire_to(spec: str, content: bytes = b"", *, lines: bool = True, baud: bool = True) -> Wire:
    """A port to a new virtual chip whose flash begins with ``content``."""
    wire = open_sim(spec)
    if content:
        put(wire, 0, content)
    if not lines:
        wire.traits = replace(wire.traits, lines=Lines.NONE)
    wire.traits = replace(wire.traits, baud=baud)
    return wire


def chip_of(wire: Wire) -> SimWire:
    assert isinstance(wire, SimWire)
    return wire


def made_up_rom() -> bytes:
    """64 KB that are no boot ROM, but for the word by which hosts know the chip."""
    content = bytearray(random.Random(1).randbytes(0x1_0000))
    content[0x1000:0x1004] = bytes.fromhex("01c1f0ff")
    return bytes(content)


def rom_board(
    content: bytes, faults: str = "", *, kind: type[FirmwareChip] = FirmwareChip, baud: bool = False
) -> SimWire:
    """A port to a new virtual chip with such a ROM."""
    setup = Setup(plan=parse_plan(faults)) if faults else Setup()
    wire = SimWire(kind(setup, BootRom(content)))
    wire.traits = replace(wire.traits, baud=baud)
    return wire


def put(port: SimWire, address: int, data: bytes) -> None:
    """Put bytes into the flash as if they had always been there."""
    port.chip.flash._store.write(address, data)


def flash_of(wire: Wire, address: int, size: int) -> bytes:
    return chip_of(wire).chip.flash._store.read(address, size)


def connect(wire: Wire, stub: str = "none", baud: int | None = None) -> Session:
    return Session.connect(wire, ConnectOptions(stub=stub, baud=baud))


@dataclass
class Apart:
    """A port of one's own to a virtual chip; between its two lines it waits.

    Attributes:
        sim: The chip's side.
        gap: Seconds between the lines of one call.
        order: Which line comes first: ``dr``, as Chrome 139 has a combined call and as Windows is used, or
            ``rd``.
        each: Whether it waits before the first line, too.
        wiring: What the lines do on the board; the two transistors are the virtual chip's own.
        states: DTR and RTS as they have been, with the time.
    """

    sim: SimWire
    gap: float = 0.0
    order: str = "dr"
    each: bool = False
    wiring: Callable[[bool, bool], tuple[bool, bool]] = lambda dtr, rts: (dtr, rts)
    states: list[tuple[bool, bool, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name = self.sim.name
        self.clock: Clock = self.sim.clock
        self.traits = WireTraits()
        self.states.append((False, False, self.clock.monotonic()))

    def set_lines(self, dtr: bool, rts: bool) -> None:
        wanted = {"d": dtr, "r": rts}
        for number, line in enumerate(self.order):
            if self.each or number:
                self.clock.sleep(self.gap)
            was_dtr, was_rts, _ = self.states[-1]
            now = {"d": was_dtr, "r": was_rts, line: wanted[line]}
            self.states.append((now["d"], now["r"], self.clock.monotonic()))
            self.sim.set_lines(*self.wiring(now["d"], now["r"]))

    def read(self, size: int, timeout: float) -> bytes:
        return self.sim.read(size, timeout)

    def write(self, data: bytes) -> None:
        self.sim.write(data)

    def set_baud(self, baud: int) -> None:
        self.sim.set_baud(baud)

    def drain(self) -> None:
        self.sim.drain()

    def discard(self) -> None:
        self.sim.discard()

    def close(self) -> None:
        self.sim.close()

    def reopen(self) -> None:
        self.sim.reopen()
