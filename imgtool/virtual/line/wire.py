"""The virtual chip as an open port in the same process: ``sim:``, ``sim:4MB``, ``sim:4MB,flash=FILE``.

Not a server (imgtool.virtual.line.servers), and no pyserial (imgtool.virtual.line.port).  Its time is
virtual: a read that times out costs none of ours.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imgtool.device.wire import FIRST_BAUD, Lines, Wire, WireTraits
from imgtool.errors import PortError
from imgtool.virtual.chip.machine import Stop, VirtualChip
from imgtool.virtual.chip.store import FileStore
from imgtool.virtual.line.link import PortGoneError, VirtualLine
from imgtool.virtual.line.report import report
from imgtool.virtual.line.spec import SCHEME, Spec, parse_spec

if TYPE_CHECKING:
    from pathlib import Path

    from imgtool.virtual.line.record import Recorder

__all__ = ["LineClock", "ReopenedStore", "SimWire", "open_sim"]

_POLL_NS: Final = (
    100_000  # what a look at what has come costs a host, so that a loop round it comes to an end
)
_HIGHEST_BAUD: Final = 921_600  # as high as imgtool goes of itself
_FOREVER_NS: Final = 3600 * 1_000_000_000


class LineClock:
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


class SimWire(Wire):
    """An open port behind which the virtual chip is.

    Args:
        chip: The chip; it is switched on when the port opens.
        boot: Whether it boots from flash when it is switched on, rather than wait in download mode.
        clock: The host's time.
        recorder: Takes down what crosses the line.
        file: What keeps the flash of the chip and is open as long as the port is; None if nothing has to be.
        name: The port's name.

    Attributes:
        chip: The chip.
        link: The line.
        clock: The host's time; ``clock.sleep`` in place of ``time.sleep``.
        baud: The host's speed.
        is_open: Whether the port is open.
        report_file: Where the chip's report is written when the port is closed; None for nowhere.
    """

    clock: LineClock

    def __init__(
        self,
        chip: VirtualChip | None = None,
        *,
        boot: bool = False,
        clock: LineClock | None = None,
        recorder: Recorder | None = None,
        file: ReopenedStore | None = None,
        name: str = SCHEME,
    ) -> None:
        self.name = name
        self.traits = WireTraits(lines=Lines.TOGETHER, highest_baud=_HIGHEST_BAUD)
        self.chip = chip or VirtualChip()
        self.clock = clock or LineClock()
        self.link = VirtualLine(self.chip, recorder)
        self.baud = FIRST_BAUD
        self.is_open = False
        self.report_file: Path | None = None
        self._boot = boot
        self._received: list[tuple[int, int]] = []
        self._lost = False
        self._file = file
        self.reopen()

    # Opening and closing.

    def reopen(self) -> None:
        """Open the line, and switch the chip on if it is not; it is the same chip as before.

        Raises:
            OSError: The fault plan has unplugged it, and it is not back yet.
            ImgtoolError: Its flash file is of another size now, in use, or cannot be used.
        """
        self.close()
        self._lost = False
        self._check_gone()
        if self._file is not None:
            self._file.open()
        self._run_to_now()
        self.link.take()
        self._received.clear()
        self.link.connect(download=not self._boot)
        self.is_open = True
        self.set_baud(self.baud)

    def close(self) -> None:
        """Close the line; the chip goes on."""
        if self.is_open:
            self.is_open = False
            self.link.disconnect()
            if self._file is not None:
                self._file.close()
            if self.report_file is not None:
                _write_report(self.report_file, self.link)

    def set_baud(self, baud: int) -> None:
        """Change the host's speed; what has come by now was read at the one before."""
        if self.is_open:
            self._run_to_now()
        self.baud = baud
        self.link.host_baud = baud or None

    def set_lines(self, dtr: bool, rts: bool) -> None:
        """Set DTR and RTS, in one step."""
        if self.is_open:
            self._run_to_now()
            self.link.lines(dtr=dtr, rts=rts)

    # Reading and writing.

    @property
    def in_waiting(self) -> int:
        """Bytes that have arrived; a look costs 0.1 ms."""
        self.check_open()
        self.clock.sleep(_POLL_NS / 1e9)
        self._run_to_now()
        now = self.clock.ns
        return sum(1 for _, at in self._received if at <= now)

    @property
    def out_waiting(self) -> int:
        """Bytes that have not left yet."""
        left = self.link.line_free - self.clock.ns
        return max(0, -(-left * self.baud // 10_000_000_000))

    def read(self, size: int, timeout: float | None) -> bytes:
        """Up to ``size`` bytes, fewer if the time-out comes first.

        Without a time-out the wait ends where nothing more can come: there is no one else to wait for.
        """
        self.check_open()
        start = self.clock.ns
        patience = _FOREVER_NS if timeout is None else max(_POLL_NS, round(timeout * 1e9))
        deadline = start + patience
        while self._count(deadline) < size and self._produce(deadline):
            pass
        count = min(size, self._count(deadline))
        taken, self._received = self._received[:count], self._received[count:]
        if taken:
            self.clock.reach(taken[-1][1])
        if count < size and timeout is not None:
            self.clock.reach(deadline)
        return bytes(byte for byte, _ in taken)

    def _count(self, moment: int) -> int:
        if self._received and self._received[-1][1] <= moment:
            return len(self._received)
        return sum(1 for _, at in self._received if at <= moment)

    def _produce(self, deadline: int) -> bool:
        """Let the chip run until it has put out something; False if nothing comes before the deadline."""
        before = len(self._received)
        self._take(deadline)
        pause = None if len(self._received) > before else self.chip.run(deadline)
        self._take(deadline)
        if len(self._received) > before or pause is Stop.OUTPUT:
            return True
        self._check_gone()
        return False

    def _run_to_now(self) -> None:
        now = self.clock.ns
        while self.chip.now < now:
            self._take(now)
            if self.chip.run(now) is Stop.IDLE:
                self.chip.pass_time(now)
        self._take(now)

    def _take(self, until: int) -> None:
        self._received += self.link.take(until)

    def write(self, data: bytes) -> None:
        """Put bytes on the line; returns at once, as a driver with room in its buffer does."""
        self.check_open()
        self._run_to_now()
        try:
            self.link.send(data, baud=self.baud or None, at=self.clock.ns)
        except PortGoneError as gone:
            self._lost = True
            raise OSError(str(gone)) from None

    def drain(self) -> None:
        """Wait until all bytes have left."""
        self.clock.reach(self.link.line_free)

    def discard(self) -> None:
        """Drop what has arrived by now."""
        self.check_open()
        self._run_to_now()
        now = self.clock.ns
        self._received = [item for item in self._received if item[1] > now]

    def check_open(self) -> None:
        """See that the port can be used.

        Raises:
            OSError: It is closed, or the fault plan has unplugged it.
        """
        if not self.is_open:
            raise OSError("the port is closed")
        self._check_gone()

    def _check_gone(self) -> None:
        # A port that was lost stays so until it is closed and opened again, also when it is back.
        if self._lost or self.link.gone(self.clock.ns):
            self._lost = True
            raise OSError(f"{self.name} is gone: the fault plan has unplugged it")


def _write_report(path: Path, link: VirtualLine) -> None:
    text = json.dumps(report(link), indent=2)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise PortError(f"the report cannot be written: {error.strerror}", source=str(path)) from None


class ReopenedStore:
    """A flash file that is open as long as the port is, so that others can use it in between.

    Args:
        store: The file, open.
    """

    def __init__(self, store: FileStore) -> None:
        self._store: FileStore | None = store
        self._path = store.path.absolute()
        self._size = store.size

    def open(self) -> None:
        """Open the file again, if it is closed.

        Raises:
            ImgtoolError: It is of another size now, in use, or cannot be used.
        """
        if self._store is None:
            self._store = FileStore(self._path, self._size)

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        if self._store is not None:
            self._store.close()
            self._store = None

    @property
    def size(self) -> int:
        """Its capacity in bytes."""
        return self._size

    @property
    def _opened(self) -> FileStore:
        if self._store is None:
            raise PortError("the flash file is closed with its port", source=str(self._path))
        return self._store

    def read(self, address: int, length: int) -> bytes:
        """The ``length`` bytes from ``address`` on."""
        return self._opened.read(address, length)

    def at_hand(self, _address: int, _length: int, /) -> bool:
        """Always."""
        return True

    def write(self, address: int, data: bytes) -> None:
        """Replace the bytes from ``address`` on."""
        self._opened.write(address, data)

    def flush(self) -> None:
        """Have the host write the file to its disk."""
        self._opened.flush()


def open_sim(spec: str | Spec = SCHEME, *, wall: bool = False) -> SimWire:
    """Open a virtual chip at 115200 baud.

    Args:
        spec: ``sim:``, ``sim:SIZE``, ``sim:SIZE,NAME=VALUE,...``; the names are those of
            ``imgtool.virtual.line.spec.parse_spec``.
        wall: Whether real time counts on the port's clock, for hosts that sleep in earnest.

    Raises:
        ImgtoolError: The name is not understood, or its flash file is not of that size or in use.
    """
    read = parse_spec(spec) if isinstance(spec, str) else spec
    setup = read.setup()
    name = spec if isinstance(spec, str) else SCHEME
    file = ReopenedStore(setup.store) if isinstance(setup.store, FileStore) else None
    if file is not None:
        setup = replace(setup, store=file)
    wire = SimWire(read.chip(setup), boot=read.boot, clock=LineClock(wall=wall), file=file, name=name)
    wire.report_file = read.report
    return wire
