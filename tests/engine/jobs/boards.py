"""Virtual boards for jobs that work on one: a port that is open, and what its flash holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.device.session import ConnectOptions
from imgtool.engine.ports import open_wire
from imgtool.errors import InterruptedRunError
from tests.device.boards import chip_of, flash_of, put

if TYPE_CHECKING:
    from imgtool.device.events import Event
    from imgtool.device.wire import Wire

ROM: Final = ConnectOptions(stub="none")
"""Without a stub: the virtual chip has little to compute for a start."""

MAC: Final = "5c:cf:7f:01:02:03"


def board(content: bytes = b"", spec: str = "512KB", *more: str) -> Wire:
    """A port to a new virtual chip whose flash begins with ``content``."""
    wire = open_wire(",".join((f"sim:{spec}", f"mac={MAC}", *more)))
    if content:
        put(chip_of(wire), 0, content)
    return wire


def flash(wire: Wire, address: int = 0, size: int = 0x80000) -> bytes:
    return flash_of(wire, address, size)


def is_open(wire: Wire) -> bool:
    return chip_of(wire).is_open


@dataclass
class Stopping:
    """A listener that stops a job when it is told of a stage, by one error or the other.

    Attributes:
        stage: At which.
        how: What it raises.
    """

    stage: str
    how: Callable[[], BaseException] = lambda: InterruptedRunError("stopped by its owner")

    def __call__(self, event: Event) -> None:
        if event.stage == self.stage:
            raise self.how()


STOPS: Final = (KeyboardInterrupt, lambda: InterruptedRunError("stopped by its owner"))
"""What a listener raises to stop a job."""
