"""Virtual boards in the same process, as the device layer sees them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imgtool.device.session import ConnectOptions, Session
from imgtool.device.stub import espressif_stubs
from imgtool.device.wire import Lines, Wire
from imgtool.virtual.line.wire import SimWire, open_sim

needs_stub = pytest.mark.skipif(not espressif_stubs(), reason="no esptool with a flasher stub is installed")

STUBS = ["imgtool", pytest.param("espressif", marks=needs_stub)]
WAYS = [*STUBS, "none"]


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


def put(port: SimWire, address: int, data: bytes) -> None:
    """Put bytes into the flash as if they had always been there."""
    port.chip.flash._store.write(address, data)


def flash_of(wire: Wire, address: int, size: int) -> bytes:
    return chip_of(wire).chip.flash._store.read(address, size)


def connect(wire: Wire, stub: str = "none", baud: int | None = None) -> Session:
    return Session.connect(wire, ConnectOptions(stub=stub, baud=baud))
