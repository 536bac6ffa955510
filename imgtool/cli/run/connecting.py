"""What all commands that talk to a chip share: a session with the chip at a port by its name.

Not their options (input/connection.py), and not the protocol (imgtool.device).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from imgtool.engine import connecting
from imgtool.engine.ports import open_wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.cli.show.progress import Progress
    from imgtool.device.session import ConnectOptions, Session
    from imgtool.device.wire import Wire

__all__ = ["connected", "opened"]


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
