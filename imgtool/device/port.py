"""Serial ports: which are there, why one cannot be opened, opening one, and knowing when it is lost.

Not the protocol that crosses a line, and not the virtual chip: whoever has another object with pyserial's
interface puts it into a :class:`Wire`.  What is known about the machine's ports without opening them comes
from imgtool.device.host_ports, what is known about adapters from imgtool.device.adapters.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from imgtool.device.adapters import ADAPTERS, UNKNOWN_HIGHEST_BAUD, Adapter, adapter_of
from imgtool.device.host_ports import (
    THIS_MACHINE,
    Group,
    Holder,
    Machine,
    all_holders,
    driver_of,
    holders,
    runs,
)
from imgtool.device.port_errors import (
    BusyPortError,
    FaultyPortError,
    ForbiddenPortError,
    LostPortError,
    MissingPortError,
    NotAPortError,
    PortProblem,
    RefusedPortError,
    SeveralPortsError,
    UnusablePortError,
)
from imgtool.errors import PortError
from imgtool.phrase import Name, Phrase

__all__ = [
    "ADAPTERS",
    "READ_TIMEOUT",
    "Adapter",
    "Clock",
    "Group",
    "Holder",
    "Machine",
    "PortInfo",
    "PortProblem",
    "UnusablePortError",
    "WallClock",
    "Wire",
    "find_port",
    "holders",
    "list_ports",
    "losses",
    "lost",
    "open_wire",
    "set_lines",
]

READ_TIMEOUT: Final = 0.05
"""How long one read of an opened port waits for bytes, s.  Whoever waits longer reads again, as every change
of a time-out is a negotiation with the server where the port is an RFC 2217 one."""

_WRITE_TIMEOUT: Final = 10.0  # s; 16 KB at 74880 baud take 2.2
_FIRST_BAUD: Final = 115_200
_NETWORK: Final = ("socket", "rfc2217")

# Programs that are known to take ports that nobody gave them: ModemManager asks new ports whether they are
# modems; brltty's udev rules took every CH340 for a Braille display, and the port was gone.
_PROBER: Final = "ModemManager"
_SNATCHER: Final = "brltty"


# Failures.


def _missing(name: str, machine: Machine) -> MissingPortError:
    ports = _found(machine)
    listed = _listed(port.path for port in ports)
    return _none_of(ports, machine, Phrase("there is no such port; ", listed), name)


def _none_of(
    ports: tuple[PortInfo, ...], machine: Machine, message: str, name: str | None = None
) -> MissingPortError:
    """That a port is not among those that are there, and who may have taken it."""
    taken = not any(port.likely for port in ports) and runs(_SNATCHER, machine)
    paths = tuple(port.path for port in ports)
    return MissingPortError(message, source=name, ports=paths, suspect=_SNATCHER if taken else None)


def _listed(ports: Iterable[str]) -> str:
    names = Phrase.joined(", ", map(Name, ports))
    return Phrase("those that are there: ", names) if names else "there is no serial port at all"


def _no_permission(name: str, machine: Machine) -> ForbiddenPortError:
    group = machine.group(name)
    if group is None or not group.may:
        # No group would help.
        return ForbiddenPortError("no permission to open it", source=name)
    if group.in_session:
        why = f"although this user is in its group {group.name}"
    elif group.member:
        why = f"this user is in its group {group.name}, but this session is not yet"
    else:
        why = f"it belongs to group {group.name}, and this user is not in it"
    return ForbiddenPortError(
        f"no permission to open it: {why}",
        source=name,
        group=group.name,
        member=group.member,
        in_session=group.in_session,
    )


def _busy(name: str, who: tuple[Holder, ...], machine: Machine) -> BusyPortError:
    if who:
        named = ", ".join(f"{holder.program} (pid {holder.pid})" for holder in who)
        return BusyPortError(f"in use by {named}", source=name, program=who[0].program, pid=who[0].pid)
    if runs(_PROBER, machine):
        message = f"in use by another program; {_PROBER} is running, which tries new ports for modems"
        return BusyPortError(message, source=name, suspect=_PROBER)
    return BusyPortError("in use by another program", source=name)


_REASONS: Final = {
    errno.ENOENT: PortProblem.MISSING,
    errno.ENODEV: PortProblem.MISSING,
    errno.ENXIO: PortProblem.MISSING,
    errno.EACCES: PortProblem.PERMISSION,
    errno.EPERM: PortProblem.PERMISSION,
    errno.EBUSY: PortProblem.BUSY,
    errno.EAGAIN: PortProblem.BUSY,
    errno.ENOTTY: PortProblem.NOT_A_PORT,
    errno.EINVAL: PortProblem.NOT_A_PORT,
}


def _failure(name: str, error: BaseException, machine: Machine) -> UnusablePortError:
    """What an error at opening a device means."""
    code = _errno(error)
    reason = _REASONS.get(code, PortProblem.OTHER) if code is not None else PortProblem.OTHER
    if reason is PortProblem.PERMISSION and not machine.posix:
        # Windows gives "access denied" for a port that another program has; ports have no permissions there.
        reason = PortProblem.BUSY
    if reason is PortProblem.MISSING:
        return _missing(name, machine)
    if reason is PortProblem.PERMISSION:
        return _no_permission(name, machine)
    if reason is PortProblem.BUSY:
        return _busy(name, holders(name, machine) if machine.posix else (), machine)
    if reason is PortProblem.NOT_A_PORT:
        return _not_a_port(name, "a device, but not a serial port")
    if code == errno.EIO:
        # What /dev/ttyS0 gives on a machine that has the name but not the hardware.
        message = "there is no serial hardware behind this name, or it does not answer"
        return FaultyPortError(message, source=name, detail=str(error))
    return FaultyPortError(f"it cannot be opened: {_plain(error)}", source=name, detail=str(error))


def _not_a_port(name: str, what: str) -> NotAPortError:
    return NotAPortError(f"this is {what}", source=name)


def _errno(error: BaseException) -> int | None:
    """The system's error number, wherever pyserial has left it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno:
            return seen.errno
        # termios.error is no OSError, and pyserial on Windows puts the number into its text.
        if seen.args and isinstance(seen.args[0], int):
            return seen.args[0]
        number = re.search(r"\b(?:OS|Permission|FileNotFound)Error\((\d+)", str(seen))
        if number:
            return int(number[1])
        seen = seen.__cause__ or seen.__context__
    return None


def _plain(error: BaseException) -> str:
    """The system's words for an error, without pyserial's around them."""
    code = _errno(error)
    return str(error) if code is None else os.strerror(code)


def _troubles(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """What pyserial raises for a port that fails, and more; its own error is an OSError."""
    if sys.platform == "win32":
        return (OSError, *more)
    import termios  # noqa: PLC0415 - POSIX only

    return (OSError, termios.error, *more)


# Open ports.


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


@dataclass(frozen=True)
class Wire:
    """An open port, and what can be done with it.

    Attributes:
        name: The port's name as it was given.
        serial: The port, with pyserial's interface.
        clock: The time on this line.
        baud: Whether changes of speed reach the chip.
        lines: Whether DTR and RTS reach the chip.
        slow_lines: Whether a change of DTR or RTS takes 0.1 s and more.
        highest_baud: Highest rate worth a try, baud.
        adapter: The adapter, where it is known.
    """

    name: str
    serial: Any
    clock: Clock
    baud: bool
    lines: bool
    slow_lines: bool
    highest_baud: int
    adapter: Adapter | None = None

    def close(self) -> None:
        """Close the port; one that is lost, too."""
        with contextlib.suppress(*_troubles()):
            self.serial.close()


def open_wire(name: str, machine: Machine = THIS_MACHINE) -> Wire:
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
    scheme, there, _ = name.partition("://")
    if there:
        return _open_url(name, scheme.lower(), machine)
    return _open_device(name, machine)


def _open_url(name: str, scheme: str, machine: Machine) -> Wire:
    import serial  # noqa: PLC0415 - slow to import

    if scheme in _NETWORK:
        _check_address(name)
    try:
        port = serial.serial_for_url(name, do_not_open=True, baudrate=_FIRST_BAUD, timeout=READ_TIMEOUT)
        port.dtr = port.rts = False
        port.open()
    except _troubles(ValueError) as error:
        if scheme not in _NETWORK:
            if isinstance(error, ValueError) and not isinstance(error, OSError):
                raise _not_a_port(name, f"no kind of port that pyserial knows: {scheme}://") from error
            raise _failure(name, error, machine) from error
        raise _network_failure(name, error) from error
    raw = scheme == "socket"
    return Wire(
        name,
        port,
        WallClock(),
        baud=not raw,
        lines=not raw,
        slow_lines=scheme == "rfc2217",
        highest_baud=_FIRST_BAUD if raw else UNKNOWN_HIGHEST_BAUD,
    )


def _check_address(name: str) -> None:
    try:
        parts = urlsplit(name)
        complete = bool(parts.hostname) and parts.port is not None
    except ValueError:  # a port number that is none
        complete = False
    if not complete:
        raise _not_a_port(name, "no address of the form SCHEME://HOST:PORT")


def _network_failure(name: str, error: BaseException) -> RefusedPortError:
    text = str(error)
    if "does not seem to support" in text or "does not accept" in text:
        message = "the other side is no RFC 2217 server"
    elif isinstance(error.__context__, OSError):
        # A name that cannot be resolved has numbers of its own, and words.
        message = f"no connection: {error.__context__.strerror or error.__context__}"
    else:
        message = f"no connection: {text}"
    return RefusedPortError(message, source=name, detail=text)


def _open_device(name: str, machine: Machine) -> Wire:
    import serial  # noqa: PLC0415 - slow to import

    if not name:
        raise _missing(name, machine)
    if machine.posix:
        _check_device(name, machine)
    port = serial.Serial(
        baudrate=_FIRST_BAUD,
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
    except _troubles(ValueError) as error:
        raise _failure(name, error, machine) from error
    adapter = _adapter_at(name, machine)
    wire = Wire(
        name,
        port,
        WallClock(),
        baud=True,
        lines=not machine.posix or _has_lines(port),
        slow_lines=False,
        highest_baud=UNKNOWN_HIGHEST_BAUD if adapter is None else adapter.highest_baud,
        adapter=adapter,
    )
    if wire.lines and machine.posix:
        try:
            set_lines(wire, dtr=False, rts=False)
        except PortError:
            wire.close()
            raise
    return wire


def _check_device(name: str, machine: Machine) -> None:
    """Tell what pyserial would not tell apart, before anything is opened."""
    try:
        mode = Path(name).stat().st_mode
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            raise _missing(name, machine) from error
        raise _failure(name, error, machine) from error
    except ValueError as error:
        raise _missing(name, machine) from error
    if stat.S_ISDIR(mode):
        raise _not_a_port(name, "a folder, not a serial port")
    if not stat.S_ISCHR(mode):
        raise _not_a_port(name, "a file, not a serial port")
    if not machine.access(name, os.R_OK | os.W_OK):
        raise _no_permission(name, machine)


def _adapter_at(name: str, machine: Machine) -> Adapter | None:
    path = os.path.realpath(name) if machine.posix else name
    for port in machine.comports():
        if name == port.device or (machine.posix and os.path.realpath(port.device) == path):
            return adapter_of(port.vid, port.pid)
    return None


# DTR and RTS.


def _has_lines(port: Any) -> bool:  # noqa: ANN401 - pyserial's
    """Whether a device has modem lines; pseudo terminals have none."""
    return _modem_bits(port) is not None


def _modem_bits(port: Any) -> int | None:  # noqa: ANN401 - pyserial's
    if sys.platform == "win32":
        return None
    import fcntl  # noqa: PLC0415 - POSIX only
    import termios  # noqa: PLC0415 - POSIX only

    try:
        answer = fcntl.ioctl(port.fileno(), termios.TIOCMGET, bytes(4))
    except (OSError, AttributeError):  # no descriptor, or one without lines
        return None
    return int.from_bytes(answer, sys.byteorder)


def set_lines(wire: Wire, *, dtr: bool, rts: bool) -> None:
    """Set DTR and RTS, in one step where the system can; True asserts, which is a low pin.

    Where it takes two steps, their order is one that does not pass through RTS alone, which is a reset.

    Raises:
        UnusablePortError: The port is lost.
    """
    port = wire.serial
    with losses(wire):
        bits = _modem_bits(port)
        if bits is not None:
            import fcntl  # noqa: PLC0415 - POSIX only
            import termios  # noqa: PLC0415 - POSIX only

            for bit, on in ((termios.TIOCM_DTR, dtr), (termios.TIOCM_RTS, rts)):
                bits = bits | bit if on else bits & ~bit
            fcntl.ioctl(port.fileno(), termios.TIOCMSET, bits.to_bytes(4, sys.byteorder))
        # Also after one step: pyserial keeps what it was told last, and these change nothing then.
        if not dtr and not rts:
            port.rts = rts
            port.dtr = dtr
        else:
            port.dtr = dtr
            port.rts = rts


# Ports that go away.


@contextlib.contextmanager
def losses(wire: Wire) -> Iterator[None]:
    """Turn the errors that pyserial raises inside into :func:`lost`.

    Raises:
        UnusablePortError: The port is lost.
    """
    try:
        yield
    except _troubles() as error:
        raise lost(wire.name, error) from error


def lost(name: str, error: BaseException) -> LostPortError:
    """The error for a port that failed while it was in use; ``error`` is what pyserial raised."""
    detail = str(error)
    if "://" not in name and Path(name).exists() and "multiple access" in detail:
        message = "the port is lost: it was unplugged, or another program reads from it too"
        who = next((holder for holder in holders(name) if holder.pid != os.getpid()), None)
        if who is None:
            return LostPortError(message, source=name, detail=detail)
        return LostPortError(message, source=name, detail=detail, program=who.program, pid=who.pid)
    cause = "the connection broke" if "://" in name else "it was unplugged, or its adapter failed"
    return LostPortError(f"the port is lost: {cause}", source=name, detail=detail)


# Ports that are there.


@dataclass(frozen=True, kw_only=True)
class PortInfo:
    """A port that is there.

    Attributes:
        path: Its name, as :func:`open_wire` takes it.
        adapter: The chip of its adapter, None if it is not in the table of adapters.
        driver: The system's driver; None where that is not known.
        vid: USB vendor id; None if it is not on USB.
        pid: USB product id.
        serial_number: The adapter's serial number.
        product: What the adapter calls itself.
        likely: Whether a board may well be behind it: its adapter is in the table.
        failure: Why it cannot be opened now, as far as that can be seen without opening it.
    """

    path: str
    adapter: str | None
    driver: str | None
    vid: int | None
    pid: int | None
    serial_number: str | None
    product: str | None
    likely: bool
    failure: UnusablePortError | None = None

    @property
    def problem(self) -> str | None:
        """Why it cannot be opened now, in words."""
        return None if self.failure is None else self.failure.message


def list_ports(machine: Machine = THIS_MACHINE) -> tuple[PortInfo, ...]:
    """The ports that are there, likely ones first; none is opened."""
    taken = all_holders(machine) if machine.posix else {}
    return _found(machine, lambda path: _obstacle(path, taken, machine))


def _found(
    machine: Machine, obstacle: Callable[[str], UnusablePortError | None] = lambda _: None
) -> tuple[PortInfo, ...]:
    found: list[PortInfo] = []
    for port in machine.comports():
        adapter = adapter_of(port.vid, port.pid)
        found.append(
            PortInfo(
                path=port.device,
                adapter=None if adapter is None else adapter.name,
                driver=driver_of(port.device, machine),
                vid=port.vid,
                pid=port.pid,
                serial_number=port.serial_number or None,
                product=port.product or None,
                likely=adapter is not None,
                failure=obstacle(port.device),
            )
        )
    return tuple(sorted(found, key=lambda port: (not port.likely, port.vid is None, _natural(port.path))))


def _natural(path: str) -> list[tuple[int, str]]:
    """A key by which ttyUSB10 comes after ttyUSB9."""
    pieces: list[str] = re.findall(r"\d+|\D+", path)
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in pieces]


def _obstacle(
    path: str, taken: Mapping[str, tuple[Holder, ...]], machine: Machine
) -> UnusablePortError | None:
    if not machine.posix:
        return None  # only an attempt would tell
    if not machine.access(path, os.R_OK | os.W_OK):
        return _no_permission(path, machine)
    who = taken.get(os.path.realpath(path), ())
    return _busy(path, who, machine) if who else None


def find_port(machine: Machine = THIS_MACHINE) -> PortInfo:
    """The one port that a board is likely to be behind.

    Raises:
        UnusablePortError: There is none, or there are several.
    """
    ports = list_ports(machine)
    likely = [port for port in ports if port.likely]
    if len(likely) == 1:
        return likely[0]
    if likely:
        named = Phrase.joined(", ", (Phrase(Name(port.path), f" ({port.adapter})") for port in likely))
        raise SeveralPortsError(
            Phrase(f"there are {len(likely)} serial adapters: ", named),
            ports=tuple(port.path for port in likely),
        )
    message: str = "no known USB serial adapter is there"
    if ports:
        others = Phrase.joined(", ", (Name(port.path) for port in ports))
        message = Phrase(message, "; other ports: ", others)
    raise _none_of(ports, machine, message)
