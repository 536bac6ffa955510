"""The virtual chip behind a TCP port, a pseudo terminal, or an RFC 2217 server.

Not a port in the same process (imgtool.virtual.line.port).  A server waits in real time for its client, and
the chip computes in virtual time; where the chip could answer a client that has not spoken yet, the client
gets a moment to do so, so that both see the order of things that a wire would give.  What the chip sends is
passed on while it sends, as an adapter does, and not when it has ended.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from serial import rfc2217

from imgtool.virtual.chip.machine import Stop
from imgtool.virtual.line.link import PortGoneError, VirtualLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.virtual.chip.machine import VirtualChip
    from imgtool.virtual.line.record import Recorder

__all__ = ["Channel", "Closed", "Pty", "Rfc2217", "Server", "Tcp"]

_GRACE: Final = 0.05
"""Seconds of real time that a client has to react to output while the chip has more to do."""

_PAUSE: Final = 0.02
"""Seconds of silence from which a client is taken to sleep on purpose: after a change of speed they do."""

_AT_ONCE: Final = 1 << 16
_LOOK: Final = 0.02  # seconds between two looks whether somebody has opened a pty
_LINGER_NS: Final = 10_000_000
"""How long what has left the chip waits for more, in its time: adapters have such a timer, of 1 to 16 ms."""

_STRETCH_NS: Final = 200_000_000  # how long a program that never pauses runs between two looks at the client
_AFTER_NS: Final = 3_000_000_000
"""What the chip still does when a client has gone: the boot after a last reset, for one."""


class Closed(Exception):  # noqa: N818 - an end, not a failure
    """The client has gone."""


class Channel(Protocol):
    """A way for bytes to and from one client at a time."""

    address: str
    """What the user is told to connect to."""

    def wait(self, wake: int) -> bool:
        """Wait for a client, or until ``wake`` is readable; True if there is a client."""

    def client(self) -> int:
        """A file descriptor that is readable when the client has sent something."""

    def read(self, link: VirtualLine) -> bool:
        """Pass on what the client has sent; False if there was nothing.

        Raises:
            Closed: The client has gone.
        """

    def tune(self, link: VirtualLine) -> None:
        """Tell the line the client's speed, where it can be known."""

    def write(self, data: bytes) -> None:
        """Have bytes ready for the client; :meth:`flush` sends them."""

    def flush(self) -> bool:
        """Send what the client takes without waiting for it; True when nothing is left.

        Raises:
            Closed: The client has gone.
        """

    def hang_up(self) -> None:
        """Part from the client."""

    def close(self) -> None:
        """Stop for good."""


class Tcp:
    """A TCP port; raw bytes, as pyserial's ``socket://`` has them."""

    scheme = "socket"

    def __init__(self, host: str, port: int) -> None:
        self._listener = socket.create_server((host, port), family=_family(host))
        bound = self._listener.getsockname()
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        self.address = f"{self.scheme}://{shown}:{bound[1]}"
        self._client: socket.socket | None = None
        self._unsent = bytearray()

    def wait(self, wake: int) -> bool:
        """Wait for a client."""
        self._unsent.clear()
        ready, _, _ = select.select([self._listener.fileno(), wake], [], [])
        if self._listener.fileno() not in ready:
            return False
        self._client, _ = self._listener.accept()
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client.setblocking(False)
        return True

    def client(self) -> int:
        """The client's socket."""
        return self._socket.fileno()

    @property
    def _socket(self) -> socket.socket:
        if self._client is None:
            raise Closed
        return self._client

    def _receive(self) -> bytes:
        try:
            data = self._socket.recv(_AT_ONCE)
        except BlockingIOError:
            return b""
        except OSError:
            raise Closed from None
        if not data:
            raise Closed
        return data

    def tune(self, link: VirtualLine) -> None:
        """Nothing to tell: the client's speed is not known."""

    def read(self, link: VirtualLine) -> bool:
        """Pass on what the client has sent, at the chip's own speed: the client's is not known."""
        data = self._receive()
        link.send(data)
        return bool(data)

    def write(self, data: bytes) -> None:
        """Have bytes ready for the client."""
        self._unsent += data

    def flush(self) -> bool:
        """Send what the client takes."""
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except BlockingIOError:
                return False
            except OSError:
                raise Closed from None
            del self._unsent[:sent]
        return True

    def hang_up(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def close(self) -> None:
        """Close the port."""
        self.hang_up()
        self._listener.close()


class Rfc2217(Tcp):
    """A TCP port with RFC 2217: the client's speed, DTR and RTS are known.

    Its resets are real, so a new connection does not reset the chip by itself.
    """

    scheme = "rfc2217"

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self._manager: _Manager | None = None

    def read(self, link: VirtualLine) -> bool:
        """Pass on bytes and settings in their order."""
        data = self._receive()
        if self._manager is None:
            self._manager = _Manager(link, super().write)
        self._manager.feed(data)
        self.flush()
        return bool(data)

    def wait(self, wake: int) -> bool:
        """Wait for a client; the negotiation begins with its first bytes."""
        self._manager = None
        return super().wait(wake)

    def write(self, data: bytes) -> None:
        """Send to the client, with the telnet escape byte doubled."""
        super().write(data.replace(b"\xff", b"\xff\xff"))


class _Manager:
    """What pyserial's RFC 2217 server side takes for a serial port."""

    def __init__(self, link: VirtualLine, send: Callable[[bytes], None]) -> None:
        self._link = link
        self._data = bytearray()
        self._baud = 115200
        self._dtr = self._rts = False
        self.bytesize, self.parity, self.stopbits = 8, "N", 1
        self.xonxoff = self.rtscts = self.break_condition = False
        self.cts = self.dsr = self.ri = self.cd = False
        self.write = send
        self._manager = rfc2217.PortManager(cast("Any", self), cast("Any", self))

    def feed(self, data: bytes) -> None:
        try:
            for byte in self._manager.filter(data):
                self._data += byte
        except (struct.error, IndexError):
            # Not the telnet that pyserial's side can read.
            raise Closed from None
        self._pass_on()

    def _pass_on(self) -> None:
        if self._data:
            self._link.send(bytes(self._data), baud=self._baud)
            self._data.clear()

    @property
    def baudrate(self) -> int:
        return self._baud

    @baudrate.setter
    def baudrate(self, value: int) -> None:
        self._pass_on()
        self._baud = value
        self._link.host_baud = value

    @property
    def dtr(self) -> bool:
        return self._dtr

    @dtr.setter
    def dtr(self, value: bool) -> None:
        self._pass_on()
        self._dtr = value
        self._link.lines(dtr=self._dtr, rts=self._rts)

    @property
    def rts(self) -> bool:
        return self._rts

    @rts.setter
    def rts(self, value: bool) -> None:
        self._pass_on()
        self._rts = value
        self._link.lines(dtr=self._dtr, rts=self._rts)

    def reset_input_buffer(self) -> None:
        self._link.take()

    def reset_output_buffer(self) -> None:
        """What the client has sent is on the line already."""


class Pty:
    """A pseudo terminal.  It has no DTR and RTS; the client's speed is known on Linux."""

    def __init__(self) -> None:
        if sys.platform == "win32":
            raise OSError(errno.ENOSYS, "there are no pseudo terminals on Windows")
        import tty  # noqa: PLC0415 - POSIX only

        self._master, slave = os.openpty()
        self.address = os.ttyname(slave)
        tty.setraw(slave)
        # Nobody but the client may hold the other end: its last close is what ends a session.
        os.close(slave)
        os.set_blocking(self._master, False)
        self._poll = select.poll()
        self._poll.register(self._master, select.POLLIN)
        self._unsent = bytearray()

    def wait(self, wake: int) -> bool:
        """Wait until somebody has opened it."""
        self._unsent.clear()
        while self._hung_up():
            ready, _, _ = select.select([wake], [], [], _LOOK)
            if ready:
                return False
        return True

    def _hung_up(self) -> bool:
        return any(event & select.POLLHUP for _, event in self._poll.poll(0))

    def client(self) -> int:
        """Our end."""
        return self._master

    def read(self, link: VirtualLine) -> bool:
        """Pass on what the client has sent."""
        try:
            data = os.read(self._master, _AT_ONCE)
        except BlockingIOError:
            return False
        except OSError:
            raise Closed from None
        link.send(data, baud=self._speed())
        return True

    def tune(self, link: VirtualLine) -> None:
        """Tell the client's speed as it is now: a client that only listens sets it too."""
        link.host_baud = self._speed()

    def _speed(self) -> int | None:
        """The speed that the client has set; only Linux tells numbers that have no name."""
        if not sys.platform.startswith("linux"):
            return None
        import fcntl  # noqa: PLC0415 - POSIX only

        # struct termios2 of asm-generic/termbits.h; TCGETS2 is _IOR('T', 0x2A, struct termios2).
        settings = fcntl.ioctl(self._master, 0x802C542A, bytes(44))
        speed: int = struct.unpack_from("<I", settings, 40)[0]
        return speed or None

    def write(self, data: bytes) -> None:
        """Have bytes ready for the client."""
        self._unsent += data

    def flush(self) -> bool:
        """Send what the client takes; it must read for that."""
        while self._unsent:
            try:
                sent = os.write(self._master, self._unsent)
            except BlockingIOError:
                if self._hung_up():
                    raise Closed from None
                return False
            except OSError:
                raise Closed from None
            del self._unsent[:sent]
        return True

    def hang_up(self) -> None:
        """Nothing that could be closed on our side."""

    def close(self) -> None:
        """Close our end."""
        os.close(self._master)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class Server:
    """One chip on one channel, for one client after the other.

    Args:
        chip: The chip.
        channel: Where clients come from.
        boot: Whether a new connection boots from flash rather than into download mode.
        realtime: Whether output is held back until as much real time has passed as the chip's clock says.
        recorder: Takes down the traffic.

    Attributes:
        link: The line.
        notice: Told, in words, what a user should hear of: a program that was stopped by a trap.
    """

    def __init__(
        self,
        chip: VirtualChip,
        channel: Channel,
        *,
        boot: bool = False,
        realtime: bool = False,
        recorder: Recorder | None = None,
    ) -> None:
        self.chip = chip
        self.link = VirtualLine(chip, recorder)
        self._channel = channel
        self._boot = boot
        self._realtime = realtime
        self._wired = isinstance(channel, Rfc2217)
        self._stopping = False
        self._asked: Callable[[], None] | None = None
        self._trapped = 0
        self.notice: Callable[[str], None] = lambda _: None
        # Sockets, as on Windows nothing else can be waited for; they do not block a signal handler.
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._waker.setblocking(False)
        self._wake_read = self._wake.fileno()
        self._start = 0.0
        self._heard = False
        self._heard_ns = 0
        self._wrote = self._silent_until = time.monotonic()
        self._wrote_cpu = 0.0  # seconds that this thread has computed until then
        chip.timed = True
        chip.linger_ns = _LINGER_NS
        chip.listen = self._listen
        if self._wired:
            chip.slow_lines = True

    @property
    def waker(self) -> int:
        """For :func:`signal.set_wakeup_fd`: a signal that comes right before a wait must end that too."""
        return self._waker.fileno()

    def _wake_up(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: it will wake up
            self._waker.send(b".")

    def stop(self) -> None:
        """End :meth:`serve` soon; may be called from a signal handler."""
        self._stopping = True
        self._wake_up()

    def ask(self, action: Callable[[], None]) -> None:
        """Do something soon between two steps of the chip; may be called from a signal handler."""
        self._asked = action
        self._wake_up()

    def _attend(self) -> None:
        """Whatever woke us up, and what is to be told."""
        with contextlib.suppress(BlockingIOError):
            self._wake.recv(_AT_ONCE)
        if self._asked is not None:
            action, self._asked = self._asked, None
            action()
        for trap in self.chip.traps[self._trapped :]:
            self.notice(f"the chip has stopped: {trap}")
            for first in range(0, len(trap.registers), 4):
                row = enumerate(trap.registers[first : first + 4], first)
                self.notice("  ".join(f"a{number:<2} 0x{value:08x}" for number, value in row))
        self._trapped = len(self.chip.traps)

    def serve(self, sessions: int | None = None) -> None:
        """Serve clients until :meth:`stop`, or so many of them."""
        self.link.power_on(download=not self._boot and not self._wired)
        left = sessions
        while not self._stopping and left != 0:
            if not self._channel.wait(self._wake_read):
                self._attend()
                continue
            left = None if left is None else left - 1
            if not self._wired:
                self.link.connect(download=not self._boot)
            self._start = time.monotonic() - self.chip.now / 1e9
            with contextlib.suppress(Closed):
                self._session()
            self._channel.hang_up()
            if self._wired:
                self._go_on()
            self.link.disconnect()
            self._stay_away()

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()
        self._wake.close()
        self._waker.close()

    def _go_on(self) -> None:
        """Let what the client has begun come to its end, unheard."""
        self.chip.timed = False
        self.chip.listen = lambda: None
        end = self.chip.now + _AFTER_NS
        while self.chip.run(end) not in {Stop.DUE, Stop.IDLE}:
            self.link.take()
        self.link.take()
        self.chip.timed = True
        self.chip.listen = self._listen

    def _session(self) -> None:
        while not self._stopping:
            pause = self.chip.run(self.chip.now + (_LINGER_NS if self._realtime else _STRETCH_NS))
            self._give(self._taken(pause))
            self._attend()
            if self.link.gone(self.chip.now):
                raise Closed
            if not self._speaking():
                self._hear(self._patience(pause))
            if pause is Stop.TIMED and not self._heard:
                self.chip.pass_time(self.chip.wake)

    def _taken(self, pause: Stop) -> list[tuple[int, int]]:
        """What the client gets: what has left, or all where the client may react to it now."""
        if pause is Stop.STARTED:
            return self.link.take_sent(self.chip.uart.quiet_at)
        if pause in {Stop.SENT, Stop.DUE}:
            return self.link.take_sent(self.chip.now)
        return self.link.take()

    def _speaking(self) -> bool:
        """Whether the chip is in the middle of an answer: no host can have reacted to it by its clock.

        What the client sends meanwhile is taken when the answer has ended, or has gone on for long: taken as
        soon as it has come, it would be a matter of the machine's speed when the chip gets it.
        """
        last, now = self.chip.uart.pending, self.chip.now
        if self._realtime or last is None or now >= self._heard_ns + _STRETCH_NS:
            return False
        return now < last + self.chip.setup.latency_ns

    def _patience(self, pause: Stop) -> float | None:
        """How long to wait for the client: None for ever."""
        if pause is Stop.IDLE:
            return None
        if pause is Stop.STARTED or (pause is Stop.OUTPUT and not self._realtime):
            return _GRACE
        if pause is Stop.TIMED:
            return max(0.0, (self.chip.wake - self.chip.now) / 1e9)
        return self._ahead()

    def _ahead(self) -> float:
        """Seconds by which the chip's clock is ahead of real time, where that counts."""
        return max(0.0, self.chip.now / 1e9 + self._start - time.monotonic()) if self._realtime else 0.0

    def _hear(self, patience: float | None) -> None:
        """Wait for the client, or until something wakes us up."""
        self._heard = False
        self._heard_ns = self.chip.now
        if self._speaks(patience):
            self._heard = self._receive()

    def _speaks(self, patience: float | None) -> bool:
        """Whether the client has sent something, after a wait for it; notes until when it was silent.

        What is there at once may have come while the chip computed: that was no silence of the client, and
        taken for one it would make the chip compute for as long again.
        """
        client = self._channel.client()
        waits: tuple[float | None, ...] = (0,) if patience == 0 else (0, patience)
        for wait in waits:
            ready, _, _ = select.select([client, self._wake_read], [], [], wait)
            self._silent_until = time.monotonic()
            if ready and wait == 0:
                self._silent_until -= time.thread_time() - self._wrote_cpu
            if ready:
                return client in ready
        return False

    def _receive(self) -> bool:
        self.link.wall_ns = self._wall()
        silent = self._silent_until - self._wrote
        self.link.slept_ns = int(silent * 1e9) if silent >= _PAUSE else 0
        try:
            return self._channel.read(self.link)
        except PortGoneError:
            raise Closed from None

    def _wall(self) -> int | None:
        return int((time.monotonic() - self._start) * 1e9) if self._realtime else None

    def _listen(self) -> None:
        """Take what the client has sent while the chip is busy."""
        with contextlib.suppress(Closed):
            if not self._speaking() and self._speaks(0):
                self._receive()
            if self.chip.output_due <= self.chip.now:
                # In the middle of what the chip does: what the client does not take now waits.
                self._channel.tune(self.link)
                items = self.link.take_sent(self.chip.now)
                self._channel.write(bytes(byte for byte, _ in items))
                self._flush(items)

    def _give(self, items: list[tuple[int, int]]) -> None:
        self._channel.tune(self.link)
        while self._realtime and items and not self._stopping:
            end = items[0][1] + _LINGER_NS
            piece = [item for item in items if item[1] <= end]
            items = [item for item in items if item[1] > end]
            self._wait_for(piece[-1][1] / 1e9 + self._start)
            self._send(piece)
        self._send(items)

    def _send(self, items: list[tuple[int, int]]) -> None:
        self._channel.write(bytes(byte for byte, _ in items))
        while not self._flush(items) and not self._stopping:
            # The client does not read.  What it sends meanwhile is taken all the same.
            self._hear(_LOOK)
            self._attend()

    def _flush(self, items: list[tuple[int, int]]) -> bool:
        if items:
            # Before the write: on a busy machine the client may hear, sleep and speak before this goes on,
            # and would seem to have spoken at once.
            self._wrote, self._wrote_cpu = time.monotonic(), time.thread_time()
        return self._channel.flush()

    def _wait_for(self, moment: float) -> None:
        """Wait until a moment of real time, with an ear for the client."""
        while (left := moment - time.monotonic()) > 0 and not self._stopping:
            self._hear(left)
            self._attend()

    def _stay_away(self) -> None:
        """Wait out the time for which the fault plan has unplugged the port."""
        left = self.link.gone(self.chip.now)
        end = time.monotonic() + left / 1e9
        while left and (rest := end - time.monotonic()) > 0 and not self._stopping:
            select.select([self._wake_read], [], [], rest)
            self._attend()
        self.chip.pass_time(self.chip.now + left)
