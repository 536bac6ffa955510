"""What all commands that talk to a chip share: a port by its name, opened and closed again.

Not their options (input/connection.py), and not what is done with it (imgtool.engine.jobs).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from imgtool.engine.ports import open_wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.cli.show.progress import Progress
    from imgtool.device.wire import Wire

__all__ = ["opened"]


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
