"""The virtual chip as a port of pyserial in the same process, for whatever takes a ``serial.Serial``.

A shell: the port itself is imgtool.virtual.line.wire's.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import serial

from imgtool.virtual.line.spec import SCHEME, Spec
from imgtool.virtual.line.wire import LineClock, SimWire, open_sim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import ReadableBuffer

    from imgtool.virtual.chip.machine import VirtualChip
    from imgtool.virtual.line.link import VirtualLine

__all__ = ["SimPort", "open_port"]


class SimPort(serial.SerialBase):
    """A serial port behind which the virtual chip is.

    Args:
        wire: The open port, as imgtool itself uses one.

    Attributes:
        wire: The port as the jobs take one; it has a speed of its own to set.
    """

    def __init__(self, wire: SimWire) -> None:
        self.wire = wire
        super().__init__()
        self.dtr = self.rts = False
        self.port = wire.name
        self.is_open = wire.is_open
        self._reconfigure_port()

    @property
    def chip(self) -> VirtualChip:
        """The chip."""
        return self.wire.chip

    @property
    def link(self) -> VirtualLine:
        """The line: bytes and frames counted each way."""
        return self.wire.link

    @property
    def clock(self) -> LineClock:
        """The host's time; ``clock.sleep`` in place of ``time.sleep``."""
        return self.wire.clock

    # What pyserial's base class asks of a port.

    def open(self) -> None:
        """Switch the chip on if it is not, and open the line."""
        if self.is_open:
            raise serial.SerialException("the port is open already")
        with _as_pyserial():
            self.wire.reopen()
        self.is_open = True
        self._reconfigure_port()

    def close(self) -> None:
        """Close the line; the chip goes on."""
        self.is_open = False
        self.wire.close()

    def _reconfigure_port(self) -> None:
        self.wire.set_baud(self.baudrate)

    def _update_dtr_state(self) -> None:
        self._lines()

    def _update_rts_state(self) -> None:
        self._lines()

    def _update_break_state(self) -> None:
        """A break has no effect on this chip."""

    def _lines(self) -> None:
        self.wire.set_lines(dtr=bool(self.dtr), rts=bool(self.rts))

    # Reading and writing.

    @property
    def in_waiting(self) -> int:
        """Bytes that have arrived."""
        self._check_open()
        with _as_pyserial():
            return self.wire.in_waiting

    @property
    def out_waiting(self) -> int:
        """Bytes that have not left yet."""
        return self.wire.out_waiting

    def read(self, size: int = 1) -> bytes:
        """Up to ``size`` bytes, fewer if the time-out comes first."""
        self._check_open()
        with _as_pyserial():
            return self.wire.read(size, self.timeout)

    def write(self, b: ReadableBuffer, /) -> int:
        """Put bytes on the line; returns at once, as a driver with room in its buffer does."""
        self._check_open()
        data = bytes(b)
        with _as_pyserial():
            self.wire.write(data)
        return len(data)

    def flush(self) -> None:
        """Wait until all bytes have left."""
        self.wire.drain()

    def reset_input_buffer(self) -> None:
        """Drop what has arrived by now."""
        self._check_open()
        with _as_pyserial():
            self.wire.discard()

    def reset_output_buffer(self) -> None:
        """Nothing waits on the host's side of this line."""

    @property
    def cts(self) -> bool:
        """Not wired."""
        return False

    dsr = ri = cd = cts

    def _check_open(self) -> None:
        if not self.is_open:
            raise serial.PortNotOpenError


@contextlib.contextmanager
def _as_pyserial() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise serial.SerialException(str(error)) from None


def open_port(spec: str | Spec = SCHEME, *, wall: bool = False, **settings: Any) -> SimPort:  # noqa: ANN401 - pyserial's
    """Open a virtual chip as a serial port.

    Args:
        spec: ``sim:``, ``sim:SIZE``, ``sim:SIZE,NAME=VALUE,...``; the names are those of
            ``imgtool.virtual.line.spec.parse_spec``.
        wall: Whether real time counts on the port's clock, for hosts that sleep in earnest.
        settings: Properties of the port, such as ``baudrate`` and ``timeout``.

    Raises:
        ImgtoolError: The name is not understood, or its flash file is not of that size or in use.
    """
    port = SimPort(open_sim(spec, wall=wall))
    for key, value in settings.items():
        setattr(port, key, value)
    return port
