"""An open port as the rest of imgtool knows it: the small protocol that all ports follow, one's own too.

Not the opening of ports by their names (imgtool.engine.ports), and no pyserial (imgtool.device.port).  What
talks to a chip uses :class:`Wire` and nothing else of a port.
"""

from __future__ import annotations

import contextlib
import os
import time
from abc import abstractmethod
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from imgtool.device.adapters import UNKNOWN_HIGHEST_BAUD
from imgtool.device.host_ports import holders
from imgtool.device.port_errors import LostPortError, OneTimePortError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.device.adapters import Adapter

__all__ = [
    "FIRST_BAUD",
    "READ_TIMEOUT",
    "Clock",
    "Lines",
    "WallClock",
    "Wire",
    "WireTraits",
    "losses",
    "lost",
]

FIRST_BAUD: Final = 115_200
"""The speed that a port is opened with."""

READ_TIMEOUT: Final = 0.05
"""How long one read waits for bytes, s.  Whoever waits longer reads again, as every change of a time-out is a
negotiation with the server where the port is an RFC 2217 one."""

_AT_ONCE: Final = 4096
_MOST_TO_DISCARD: Final = 1 << 20  # bytes; a port that always has more is left as it is


class Clock(Protocol):
    """The time that pauses and time-outs are taken from."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""


class WallClock:
    """The real time."""

    def monotonic(self) -> float:
        """Seconds, of ``time.monotonic``."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(max(0.0, seconds))


class Lines(Enum):
    """How DTR and RTS of a port change, where both are to."""

    TOGETHER = "together"
    """In one step."""
    APART = "apart"
    """One after the other, as on Windows and in browsers."""
    SLOW = "slow"
    """One after the other, and each takes 0.1 s and more, as over a network."""
    NONE = "none"
    """Not at all, as they do not reach the chip."""


@dataclass(frozen=True, kw_only=True)
class WireTraits:
    """What a port can do.

    Attributes:
        baud: Whether changes of speed reach the chip.
        lines: How DTR and RTS change.  The ways into the ROM loader for ``APART`` work for lines that change
            together, too, so this is what a port has that knows no better.
        highest_baud: Highest rate worth a try, baud.
        adapter: The adapter, where it is known.
    """

    baud: bool = True
    lines: Lines = Lines.APART
    highest_baud: int = UNKNOWN_HIGHEST_BAUD
    adapter: Adapter | None = None


class Wire(Protocol):
    """An open port.

    A port of one's own may be derived from this, and then needs a ``name`` and the five methods that do
    nothing here; or it has all that is listed, and is derived from nothing.  A method raises ``OSError``, or
    a ``PortError`` that says more, when the port is lost; both end up as a ``PortError``.

    Attributes:
        name: What the port is called.
        clock: The time on this port; all waiting goes by it.
        traits: What the port can do.
    """

    name: str
    clock: Clock = WallClock()
    traits: WireTraits = WireTraits()

    @abstractmethod
    def read(self, size: int, timeout: float) -> bytes:
        """What comes from the chip.

        Args:
            size: How many bytes are wanted; more are not given.
            timeout: Seconds to wait for them at most; 0 gives what has come.

        Returns:
            ``size`` bytes as soon as there are so many, and fewer when the time is over.

        Raises:
            OSError: The port is lost.
        """

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send all of these bytes; they may still be on their way when this returns.

        Raises:
            OSError: The port is lost.
        """

    @abstractmethod
    def set_baud(self, baud: int) -> None:
        """Change the speed, in both directions; never called where ``traits.baud`` is False.

        Raises:
            OSError: The port is lost.
            ValueError: It does not take this speed.
        """

    @abstractmethod
    def set_lines(self, dtr: bool, rts: bool) -> None:
        """Set both lines; True asserts, which is a low pin.  Never called where ``traits.lines`` is ``NONE``.

        Where they cannot change in one step, the first to change must not leave RTS asserted alone, which is
        a reset, and the second has to follow as soon as it can.

        Raises:
            OSError: The port is lost.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the port; one that is lost or closed, too."""

    def drain(self) -> None:
        """Wait until all that was written has left; a port that cannot know returns at once.

        Raises:
            OSError: The port is lost.
        """
        return  # an empty body would be taken for an abstract method

    def discard(self) -> None:
        """Drop what has come and was not read.

        Raises:
            OSError: The port is lost.
        """
        for _ in range(_MOST_TO_DISCARD // _AT_ONCE):
            if not self.read(_AT_ONCE, 0):
                return

    def reopen(self) -> None:
        """Open the port again after it was lost; what it was set to before need not hold.

        Raises:
            OSError: It cannot be opened, or not yet.
            PortError: The same; a ``OneTimePortError`` where this kind of port never can be.
        """
        raise OneTimePortError("the port is lost, and cannot be opened again by itself", source=self.name)


# Ports that go away.


@contextlib.contextmanager
def losses(wire: Wire) -> Iterator[None]:
    """Turn an ``OSError`` of a port into :func:`lost`.

    Raises:
        UnusablePortError: The port is lost.
    """
    try:
        yield
    except OSError as error:
        raise lost(wire.name, error) from error


def lost(name: str, error: OSError) -> LostPortError:
    """The error for a port that failed while it was in use."""
    detail = str(error)
    if "://" not in name and Path(name).exists() and "multiple access" in detail:
        message = "the port is lost: it was unplugged, or another program reads from it too"
        who = next((holder for holder in holders(name) if holder.pid != os.getpid()), None)
        if who is None:
            return LostPortError(message, source=name, detail=detail)
        return LostPortError(message, source=name, detail=detail, program=who.program, pid=who.pid)
    cause = "the connection broke" if "://" in name else "it was unplugged, or its adapter failed"
    return LostPortError(f"the port is lost: {cause}", source=name, detail=detail)
