"""Serial ports of the machine and in the network, by pyserial: opened by name, and used as a wire.

The only place that opens a port by pyserial and knows the terminal calls of POSIX; it can be imported where
there are none.
Not the protocol of an open port (imgtool.device.wire), not the list of ports (imgtool.device.port_list), and
not the words for what fails (imgtool.device.port_reasons).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from imgtool.device.adapters import UNKNOWN_HIGHEST_BAUD, Adapter, adapter_of
from imgtool.device.host_ports import THIS_MACHINE
from imgtool.device.port_errors import FaultyPortError
from imgtool.device.port_reasons import failure, missing, network_failure, no_permission, not_a_port
from imgtool.device.wire import FIRST_BAUD, READ_TIMEOUT, Lines, WallClock, Wire, WireTraits, losses
from imgtool.errors import PortError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from imgtool.device.host_ports import Machine

_fcntl: ModuleType | None
_termios: ModuleType | None
try:
    import fcntl as _fcntl
    import termios as _termios
except ImportError:  # not POSIX, or a browser
    _fcntl = _termios = None

__all__ = ["SerialWire", "open_serial"]

_WRITE_TIMEOUT: Final = 10.0  # s; 16 KB at 74880 baud take 2.2
_NETWORK: Final = ("socket", "rfc2217")
_GLANCE: Final = 0.005  # s between two looks at a port whose time-out is not to be changed

_TERMINAL: Final[tuple[type[Exception], ...]] = () if _termios is None else (_termios.error,)
"""What the terminal calls raise of their own; all else of pyserial is an ``OSError``."""

_TROUBLES: Final[tuple[type[Exception], ...]] = (OSError, ValueError, *_TERMINAL)
"""What opening a port may raise."""


class SerialWire(Wire):
    """An open port of pyserial.

    Args:
        name: The port's name as it was given.
        port: The port, with pyserial's interface.
        traits: What it can do.
        machine: How the machine is looked at when it is opened again.
    """

    def __init__(self, name: str, port: Any, traits: WireTraits, machine: Machine = THIS_MACHINE) -> None:  # noqa: ANN401 - pyserial's
        self.name = name
        self.clock = WallClock()
        self.traits = traits
        self._port = port
        self._machine = machine

    def read(self, size: int, timeout: float) -> bytes:
        """Up to ``size`` bytes, fewer if the time is over."""
        port = self._port
        with _as_os_errors():
            if timeout <= 0:
                # Without a change of the time-out, which sets the speed anew where it is an unusual one.
                return bytes(port.read(min(size, port.in_waiting)))
            if port.timeout != timeout:
                if self.traits.lines is Lines.SLOW:
                    return self._read_by_glances(size, timeout)
                port.timeout = timeout
            return bytes(port.read(size))

    def _read_by_glances(self, size: int, timeout: float) -> bytes:
        """Read with a time-out that is not the port's: to change that is a negotiation with its server."""
        port, clock = self._port, self.clock
        deadline = clock.monotonic() + timeout
        data = b""
        while len(data) < size and (left := deadline - clock.monotonic()) > 0:
            if left > port.timeout:
                data += port.read(size - len(data))
                continue
            clock.sleep(min(left, _GLANCE))
            data += port.read(min(size - len(data), port.in_waiting))
        return data

    def write(self, data: bytes) -> None:
        """Send bytes."""
        with _as_os_errors():
            self._port.write(data)

    def set_baud(self, baud: int) -> None:
        """Change the speed; a ``ValueError`` tells what an adapter, or a server far away, refuses."""
        with _as_os_errors():
            self._port.baudrate = baud

    def set_lines(self, dtr: bool, rts: bool) -> None:
        """Set DTR and RTS, in one step where the system can."""
        with _as_os_errors():
            if self.traits.lines is Lines.TOGETHER:
                self._set_at_once(dtr=dtr, rts=rts)
            else:
                self._set_apart(dtr=dtr, rts=rts)

    def _set_at_once(self, *, dtr: bool, rts: bool) -> None:
        port = self._port
        bits = _modem_bits(port)
        if bits is not None and _fcntl is not None and _termios is not None:
            for bit, on in ((_termios.TIOCM_DTR, dtr), (_termios.TIOCM_RTS, rts)):
                bits = bits | bit if on else bits & ~bit
            _fcntl.ioctl(port.fileno(), _termios.TIOCMSET, bits.to_bytes(4, sys.byteorder))
        # Also after one step: pyserial keeps what it was told last, and these change nothing then.
        if not dtr and not rts:
            port.rts = rts
            port.dtr = dtr
        else:
            port.dtr = dtr
            port.rts = rts

    def _set_apart(self, *, dtr: bool, rts: bool) -> None:
        """Set what changes, as each takes its time, in an order that does not pass through RTS alone.

        usbser.sys of Windows passes RTS on only when DTR is written; so both change at once there if RTS
        comes first, which is safe where RTS is released.
        """
        port = self._port
        if rts and bool(port.dtr) != dtr:
            port.dtr = dtr
        again = bool(port.rts) != rts and self.traits.lines is not Lines.SLOW
        if bool(port.rts) != rts:
            port.rts = rts
        if again or bool(port.dtr) != dtr:
            port.dtr = dtr

    def drain(self) -> None:
        """Wait until all that was written has left."""
        with _as_os_errors():
            self._port.flush()

    def discard(self) -> None:
        """Drop what has come and was not read."""
        with _as_os_errors():
            self._port.reset_input_buffer()

    def close(self) -> None:
        """Close the port; one that is lost, too."""
        with contextlib.suppress(OSError, *_TERMINAL):
            self._port.close()

    def reopen(self) -> None:
        """Open the port again by its name, at 115200 baud and with both lines released.

        Raises:
            UnusablePortError: It cannot be opened, or not yet.
        """
        self.close()
        self._port, self.traits = _opened(self.name, self._machine)


@contextlib.contextmanager
def _as_os_errors() -> Iterator[None]:
    """Have the terminal calls fail as all else does: their error is no ``OSError``."""
    try:
        yield
    except _TERMINAL as error:
        raise OSError(*error.args) from error


# Opening.


def open_serial(name: str, machine: Machine = THIS_MACHINE) -> SerialWire:
    """Open a port at 115200 baud, with reads that wait for ``READ_TIMEOUT``.

    A device file is locked (``flock``) where the system can, so that no second program that locks gets it.
    DTR and RTS are released, in a way that does not reset a board with the usual circuit.

    Args:
        name: A device (``/dev/ttyUSB0``, ``COM3``), ``socket://HOST:PORT``, ``rfc2217://HOST:PORT``, or
            another URL that pyserial knows.
        machine: How the machine is looked at.

    Raises:
        UnusablePortError: It cannot be opened.
    """
    return SerialWire(name, *_opened(name, machine), machine)


def _opened(name: str, machine: Machine) -> tuple[Any, WireTraits]:
    try:
        import serial  # noqa: F401, PLC0415 - slow to import
    except ImportError as error:
        message = "this Python has no serial ports"
        raise FaultyPortError(message, source=name, detail=str(error)) from error
    scheme, there, _ = name.partition("://")
    if there:
        return _open_url(name, scheme.lower(), machine)
    return _open_device(name, machine)


def _open_url(name: str, scheme: str, machine: Machine) -> tuple[Any, WireTraits]:
    import serial  # noqa: PLC0415 - slow to import

    if scheme in _NETWORK:
        _check_address(name)
    try:
        port = serial.serial_for_url(name, do_not_open=True, baudrate=FIRST_BAUD, timeout=READ_TIMEOUT)
        port.dtr = port.rts = False
        port.open()
    except _TROUBLES as error:
        if scheme not in _NETWORK:
            if isinstance(error, ValueError) and not isinstance(error, OSError):
                raise not_a_port(name, f"no kind of port that pyserial knows: {scheme}://") from error
            raise failure(name, error, machine) from error
        raise network_failure(name, error) from error
    raw = scheme == "socket"
    adapter = _adapter_behind(port, machine)
    traits = WireTraits(
        baud=not raw,
        lines=_lines_of(port, scheme, machine),
        highest_baud=FIRST_BAUD if raw else _highest_baud(adapter),
        adapter=adapter,
    )
    return port, traits


def _check_address(name: str) -> None:
    try:
        parts = urlsplit(name)
        complete = bool(parts.hostname) and parts.port is not None
    except ValueError:  # a port number that is none
        complete = False
    if not complete:
        raise not_a_port(name, "no address of the form SCHEME://HOST:PORT")


def _open_device(name: str, machine: Machine) -> tuple[Any, WireTraits]:
    import serial  # noqa: PLC0415 - slow to import

    if not name:
        raise missing(name, machine)
    if machine.posix:
        _check_device(name, machine)
    port = serial.Serial(
        baudrate=FIRST_BAUD,
        timeout=READ_TIMEOUT,
        write_timeout=_WRITE_TIMEOUT,
        exclusive=True if machine.posix else None,
    )
    # POSIX systems assert both lines when a port is opened, and with both the usual circuit pulls no pin.
    # pyserial would then release DTR first, and RTS alone resets the chip; so both stay, and go below.
    # Windows sets the lines as it opens, so there they never come.
    port.dtr = port.rts = machine.posix
    port.port = name
    try:
        port.open()
    except _TROUBLES as error:
        raise failure(name, error, machine) from error
    adapter = _adapter_at(name, machine)
    lines = Lines.APART
    if machine.posix:
        lines = Lines.TOGETHER if _has_lines(port) else Lines.NONE
    traits = WireTraits(lines=lines, highest_baud=_highest_baud(adapter), adapter=adapter)
    if lines is Lines.TOGETHER:
        wire = SerialWire(name, port, traits, machine)
        try:
            with losses(wire):
                wire.set_lines(dtr=False, rts=False)
        except PortError:
            wire.close()
            raise
    return port, traits


def _check_device(name: str, machine: Machine) -> None:
    """Tell what pyserial would not tell apart, before anything is opened."""
    try:
        mode = Path(name).stat().st_mode
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            raise missing(name, machine) from error
        raise failure(name, error, machine) from error
    except ValueError as error:
        raise missing(name, machine) from error
    if stat.S_ISDIR(mode):
        raise not_a_port(name, "a folder, not a serial port")
    if not stat.S_ISCHR(mode):
        raise not_a_port(name, "a file, not a serial port")
    if not machine.access(name, os.R_OK | os.W_OK):
        raise no_permission(name, machine)


# What an open port can do.


def _highest_baud(adapter: Adapter | None) -> int:
    return UNKNOWN_HIGHEST_BAUD if adapter is None else adapter.highest_baud


def _adapter_behind(port: Any, machine: Machine) -> Adapter | None:  # noqa: ANN401 - pyserial's
    """The adapter of a port that was opened by a URL: by what it says itself, or by its device."""
    said = getattr(port, "adapter", None)
    if isinstance(said, Adapter):
        return said
    vid, pid = getattr(port, "vid", None), getattr(port, "pid", None)
    if isinstance(vid, int) and isinstance(pid, int):
        return adapter_of(vid, pid)
    # hwgrep://, spy:// and alt:// put the device in the place of their URL.
    path = getattr(port, "port", None)
    return _adapter_at(path, machine) if isinstance(path, str) and "://" not in path else None


def _adapter_at(name: str, machine: Machine) -> Adapter | None:
    path = os.path.realpath(name) if machine.posix else name
    for port in machine.comports():
        if name == port.device or (machine.posix and os.path.realpath(port.device) == path):
            return adapter_of(port.vid, port.pid)
    return None


def _lines_of(port: Any, scheme: str, machine: Machine) -> Lines:  # noqa: ANN401 - pyserial's
    """How DTR and RTS of a port change that was opened by a URL."""
    if scheme == "socket":
        return Lines.NONE
    if scheme == "rfc2217":
        return Lines.SLOW
    if machine.posix and _has_lines(port):
        return Lines.TOGETHER
    return Lines.NONE if machine.posix and _is_terminal(port) else Lines.APART


def _is_terminal(port: Any) -> bool:  # noqa: ANN401 - pyserial's
    """Whether a device is behind a port; one without modem lines is a pseudo terminal."""
    try:
        return os.isatty(port.fileno())
    except (OSError, AttributeError):
        return False


def _has_lines(port: Any) -> bool:  # noqa: ANN401 - pyserial's
    """Whether a device has modem lines; pseudo terminals have none."""
    return _modem_bits(port) is not None


def _modem_bits(port: Any) -> int | None:  # noqa: ANN401 - pyserial's
    if _fcntl is None or _termios is None:
        return None
    try:
        answer: bytes = _fcntl.ioctl(port.fileno(), _termios.TIOCMGET, bytes(4))
    except (OSError, AttributeError):  # no descriptor, or one without lines
        return None
    return int.from_bytes(answer, sys.byteorder)
