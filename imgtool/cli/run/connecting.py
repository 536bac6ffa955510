"""What all commands that talk to a chip share: opening the port, and a session with the chip.

Not their options (input/connection.py), and not the protocol (imgtool.device).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from imgtool.engine import connecting
from imgtool.errors import FormatError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.cli.show.progress import Progress
    from imgtool.device.port import Wire
    from imgtool.device.session import ConnectOptions, Session

__all__ = ["connected", "open_wire", "opened", "reopen_wire"]

_VIRTUAL: Final = "sim:"
_USUAL_BAUD: Final = 115_200


def open_wire(name: str) -> Wire:
    """Open a port: a real one, one in the network, or a virtual chip.

    Raises:
        PortError: It cannot be opened.
        UsageError: It is the name of no virtual chip.
        ImgtoolError: The flash file of a virtual chip is of another size, or in use.
    """
    from imgtool.device import port

    if not name.startswith(_VIRTUAL):
        return port.open_wire(name)
    from imgtool.virtual.line.port import open_port

    try:
        chip = open_port(name, baudrate=_USUAL_BAUD, timeout=port.READ_TIMEOUT)
    except FormatError as error:
        raise UsageError(error.message, expected=error.expected, found=error.found) from None
    return port.Wire(name, chip, chip.clock, baud=True, lines=True, slow_lines=False, highest_baud=921_600)


def reopen_wire(wire: Wire) -> Wire:
    """Open a port again that was lost.

    Raises:
        PortError: It cannot be opened, or not yet.
    """
    wire.close()
    if not wire.name.startswith(_VIRTUAL):
        return open_wire(wire.name)
    from imgtool.device.port import losses

    with losses(wire):
        wire.serial.open()  # the same chip as before
    return wire


@contextmanager
def opened(name: str, progress: Progress) -> Iterator[Wire]:
    """A port that is closed in the end.

    Args:
        name: The port.
        progress: Who is told what happens; it takes its time from the port.

    Raises:
        PortError: It cannot be opened.
        UsageError: It is the name of no virtual chip.
    """
    wire = open_wire(name)
    try:
        progress.clock(name, wire.clock)
        yield wire
    finally:
        wire.close()


@contextmanager
def connected(
    name: str, options: ConnectOptions, progress: Progress, *, run: bool = True
) -> Iterator[Session]:
    """A session with the chip at a port.

    Args:
        name: The port.
        options: How to connect.
        progress: Who is told what happens; it takes its time from the port.
        run: Whether the chip is reset into its firmware in the end, if it can be.

    Raises:
        ChipError: It is silent.
        PortError: The port cannot be opened, or is lost.
    """
    with (
        opened(name, progress) as wire,
        connecting.connected(wire, options, progress.listener(name), run=run) as session,
    ):
        yield session
