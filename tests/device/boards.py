"""Virtual boards in the same process, as the device layer sees them."""

from __future__ import annotations

import pytest

from imgtool.device.port import Wire
from imgtool.device.session import ConnectOptions, Session
from imgtool.device.stub import espressif_stubs
from imgtool.virtual.line.port import SimPort, open_port

needs_stub = pytest.mark.skipif(not espressif_stubs(), reason="no esptool with a flasher stub is installed")

STUBS = ["imgtool", pytest.param("espressif", marks=needs_stub)]
WAYS = [*STUBS, "none"]


def wire_to(spec: str, content: bytes = b"", *, lines: bool = True, baud: bool = True) -> Wire:
    """A port to a new virtual chip whose flash begins with ``content``."""
    port = open_port(spec)
    if content:
        put(port, 0, content)
    return Wire(spec, port, port.clock, baud, lines, slow_lines=False, highest_baud=921_600)


def chip_of(wire: Wire) -> SimPort:
    port = wire.serial
    assert isinstance(port, SimPort)
    return port


def put(port: SimPort, address: int, data: bytes) -> None:
    """Put bytes into the flash as if they had always been there."""
    port.chip.flash._store.write(address, data)


def flash_of(wire: Wire, address: int, size: int) -> bytes:
    return chip_of(wire).chip.flash._store.read(address, size)


def connect(wire: Wire, stub: str = "none", baud: int | None = None) -> Session:
    return Session.connect(wire, ConnectOptions(stub=stub, baud=baud))
