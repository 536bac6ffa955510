"""The virtual chip as a serial port in the same process: ``sim:``, ``sim:4MB``, ``sim:4MB,flash=FILE``.

Not a server (imgtool.virtual.servers).  The port has pyserial's interface, so that whatever takes a
``serial.Serial`` takes it.  Its time is virtual: a read that times out costs none of ours.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import serial

from imgtool.virtual.link import Link, PortGoneError
from imgtool.virtual.machine import Pause, VirtualChip
from imgtool.virtual.spec import SCHEME, Spec, parse_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer

    from imgtool.virtual.traffic import Recorder

__all__ = ["Clock", "SimPort", "open_port"]

_POLL_NS: Final = 100_000  # what looking at in_waiting costs a host, so that a loop round it comes to an end
_FOREVER_NS: Final = 3600 * 1_000_000_000


class Clock:
    """The host's time on a virtual line, for time-outs and pauses.

    Args:
        wall: Whether real time counts too, for a host that sleeps in earnest.
    """

    def __init__(self, *, wall: bool = False) -> None:
        self._ns = 0
        self._wall = wall
        self._seen = time.monotonic_ns()

    @property
    def ns(self) -> int:
        """Nanoseconds since the chip was switched on."""
        if self._wall:
            seen = time.monotonic_ns()
            self._ns += seen - self._seen
            self._seen = seen
        return self._ns

    def monotonic(self) -> float:
        """Seconds, as ``time.monotonic``."""
        return self.ns / 1e9

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        self._ns += round(max(0.0, seconds) * 1e9)

    def reach(self, ns: int) -> None:
        """Move on to a moment, if it is not past."""
        self._ns = max(self._ns, ns)


class SimPort(serial.SerialBase):
    """A serial port behind which the virtual chip is.

    Args:
        chip: The chip; it is switched on when the port opens.
        boot: Whether it boots from flash when it is switched on, rather than wait in download mode.
        clock: The host's time.
        recorder: Takes down what crosses the line.

    Attributes:
        chip: The chip.
        link: The line.
        clock: The host's time; ``clock.sleep`` in place of ``time.sleep``.
    """

    def __init__(
        self,
        chip: VirtualChip | None = None,
        *,
        boot: bool = False,
        clock: Clock | None = None,
        recorder: Recorder | None = None,
        name: str = SCHEME,
    ) -> None:
        self.chip = chip or VirtualChip()
        self.clock = clock or Clock()
        self.link = Link(self.chip, recorder)
        self._boot = boot
        self._received: list[tuple[int, int]] = []
        self._close: Callable[[], None] = lambda: None
        super().__init__()
        self.dtr = self.rts = False
        self.port = name
        self.open()

    # What pyserial's base class asks of a port.

    def open(self) -> None:
        """Switch the chip on if it is not, and open the line."""
        if self.is_open:
            raise serial.SerialException("the port is open already")
        self._check_gone()
        self.link.connect(download=not self._boot)
        self.is_open = True
        self._received.clear()

    def close(self) -> None:
        """Close the line; the chip goes on."""
        if self.is_open:
            self.is_open = False
            self.link.disconnect()
            self._close()

    def _reconfigure_port(self) -> None:
        """Nothing to set: the speed is read when bytes are sent."""

    def _update_dtr_state(self) -> None:
        self._lines()

    def _update_rts_state(self) -> None:
        self._lines()

    def _update_break_state(self) -> None:
        """A break has no effect on this chip."""

    def _lines(self) -> None:
        if self.is_open:
            self._run_to_now()
            self.link.lines(dtr=bool(self.dtr), rts=bool(self.rts))

    # Reading and writing.

    @property
    def in_waiting(self) -> int:
        """Bytes that have arrived."""
        self._check_open()
        self.clock.sleep(_POLL_NS / 1e9)
        self._run_to_now()
        now = self.clock.ns
        return sum(1 for _, at in self._received if at <= now)

    @property
    def out_waiting(self) -> int:
        """Bytes that have not left yet."""
        left = self.link.line_free - self.clock.ns
        return max(0, -(-left * self.baudrate // 10_000_000_000))

    def read(self, size: int = 1) -> bytes:
        """Up to ``size`` bytes, fewer if the time-out comes first."""
        self._check_open()
        start = self.clock.ns
        # Without a time-out the wait ends where nothing more can come: there is no one else to wait for.
        deadline = start + (_FOREVER_NS if self.timeout is None else round(self.timeout * 1e9))
        while self._count(deadline) < size and self._produce(deadline):
            pass
        count = min(size, self._count(deadline))
        taken, self._received = self._received[:count], self._received[count:]
        if taken:
            self.clock.reach(taken[-1][1])
        if count < size and self.timeout is not None:
            self.clock.reach(deadline)
        return bytes(byte for byte, _ in taken)

    def _count(self, moment: int) -> int:
        if self._received and self._received[-1][1] <= moment:
            return len(self._received)
        return sum(1 for _, at in self._received if at <= moment)

    def _produce(self, deadline: int) -> bool:
        """Let the chip run until it has put out something; False if nothing comes before the deadline."""
        self._take()
        if self._received and self._received[-1][1] > deadline:
            return False
        before = len(self._received)
        pause = self.chip.run(deadline)
        self._take()
        if len(self._received) > before or pause is Pause.OUTPUT:
            return True
        self._check_gone()
        return False

    def _run_to_now(self) -> None:
        now = self.clock.ns
        while self.chip.now < now:
            self._take()
            if self.chip.run(now) is Pause.IDLE:
                self.chip.pass_time(now)
        self._take()

    def _take(self) -> None:
        self._received += self.link.take()

    def write(self, b: ReadableBuffer, /) -> int:
        """Put bytes on the line; returns at once, as a driver with room in its buffer does."""
        self._check_open()
        self._run_to_now()
        data = bytes(b)
        try:
            self.link.send(data, baud=self.baudrate, at=self.clock.ns)
        except PortGoneError as gone:
            raise serial.SerialException(str(gone)) from None
        return len(data)

    def flush(self) -> None:
        """Wait until all bytes have left."""
        self.clock.reach(self.link.line_free)

    def reset_input_buffer(self) -> None:
        """Drop what has arrived by now."""
        self._check_open()
        self._run_to_now()
        now = self.clock.ns
        self._received = [item for item in self._received if item[1] > now]

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
        self._check_gone()

    def _check_gone(self) -> None:
        if self.link.gone(self.clock.ns):
            self.is_open = False
            raise serial.SerialException(f"{self.port or SCHEME} is gone: the fault plan has unplugged it")


def open_port(spec: str | Spec = SCHEME, *, wall: bool = False, **settings: Any) -> SimPort:  # noqa: ANN401 - pyserial's
    """Open a virtual chip as a serial port.

    Args:
        spec: ``sim:``, ``sim:SIZE``, ``sim:SIZE,NAME=VALUE,...``; the names are those of
            ``imgtool.virtual.spec.parse_spec``.
        wall: Whether real time counts on the port's clock, for hosts that sleep in earnest.
        settings: Properties of the port, such as ``baudrate`` and ``timeout``.

    Raises:
        ImgtoolError: The name is not understood, or its flash file is not of that size or in use.
    """
    read = parse_spec(spec) if isinstance(spec, str) else spec
    setup = read.setup()
    name = spec if isinstance(spec, str) else SCHEME
    port = SimPort(VirtualChip(setup), boot=read.boot, clock=Clock(wall=wall), name=name)
    if setup.store is not None:
        port._close = setup.store.close  # noqa: SLF001 - the file goes with the port
    for key, value in settings.items():
        setattr(port, key, value)
    return port
