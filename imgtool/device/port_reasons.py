"""Why a port cannot be opened: from what the system says, and what the machine knows, to an error of a class.

Not the classes (port_errors.py), and not the opening (port.py).
"""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING, Final

from imgtool.device.host_ports import found_ports, holders, runs
from imgtool.device.port_errors import (
    BusyPortError,
    FaultyPortError,
    ForbiddenPortError,
    MissingPortError,
    NotAPortError,
    PortProblem,
    RefusedPortError,
    UnusablePortError,
)
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgtool.device.host_ports import Holder, Machine, PortInfo

__all__ = ["busy", "failure", "missing", "network_failure", "no_permission", "none_of", "not_a_port"]

# Programs that are known to take ports that nobody gave them: ModemManager asks new ports whether they are
# modems; brltty's udev rules took every CH340 for a Braille display, and the port was gone.
_PROBER: Final = "ModemManager"
_SNATCHER: Final = "brltty"

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


def missing(name: str, machine: Machine) -> MissingPortError:
    """That there is no such port, and which there are."""
    ports = found_ports(machine)
    listed = _listed(port.path for port in ports)
    return none_of(ports, machine, Phrase("there is no such port; ", listed), name)


def none_of(
    ports: tuple[PortInfo, ...], machine: Machine, message: str, name: str | None = None
) -> MissingPortError:
    """That a port is not among those that are there, and who may have taken it."""
    taken = not any(port.likely for port in ports) and runs(_SNATCHER, machine)
    paths = tuple(port.path for port in ports)
    return MissingPortError(message, source=name, ports=paths, suspect=_SNATCHER if taken else None)


def _listed(ports: Iterable[str]) -> str:
    names = Phrase.joined(", ", map(Name, ports))
    return Phrase("those that are there: ", names) if names else "there is no serial port at all"


def no_permission(name: str, machine: Machine) -> ForbiddenPortError:
    """That this user may not open it, and which group may."""
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


def busy(name: str, who: tuple[Holder, ...], machine: Machine) -> BusyPortError:
    """That another program has it, and which one, as far as that can be seen."""
    if who:
        named = ", ".join(f"{holder.program} (pid {holder.pid})" for holder in who)
        return BusyPortError(f"in use by {named}", source=name, program=who[0].program, pid=who[0].pid)
    if runs(_PROBER, machine):
        message = f"in use by another program; {_PROBER} is running, which tries new ports for modems"
        return BusyPortError(message, source=name, suspect=_PROBER)
    return BusyPortError("in use by another program", source=name)


def failure(name: str, error: BaseException, machine: Machine) -> UnusablePortError:
    """What an error at opening a device means."""
    code = _errno(error)
    reason = _REASONS.get(code, PortProblem.OTHER) if code is not None else PortProblem.OTHER
    if reason is PortProblem.PERMISSION and not machine.posix:
        # Windows gives "access denied" for a port that another program has; ports have no permissions there.
        reason = PortProblem.BUSY
    if reason is PortProblem.MISSING:
        return missing(name, machine)
    if reason is PortProblem.PERMISSION:
        return no_permission(name, machine)
    if reason is PortProblem.BUSY:
        return busy(name, holders(name, machine) if machine.posix else (), machine)
    if reason is PortProblem.NOT_A_PORT:
        return not_a_port(name, "a device, but not a serial port")
    if code == errno.EIO:
        # What /dev/ttyS0 gives on a machine that has the name but not the hardware.
        message = "there is no serial hardware behind this name, or it does not answer"
        return FaultyPortError(message, source=name, detail=str(error))
    return FaultyPortError(f"it cannot be opened: {_plain(error)}", source=name, detail=str(error))


def not_a_port(name: str, what: str) -> NotAPortError:
    """That this is something else than a serial port."""
    return NotAPortError(f"this is {what}", source=name)


def network_failure(name: str, error: BaseException) -> RefusedPortError:
    """What an error at connecting to a server means."""
    text = str(error)
    if "does not seem to support" in text or "does not accept" in text:
        message = "the other side is no RFC 2217 server"
    elif isinstance(error.__context__, OSError):
        # A name that cannot be resolved has numbers of its own, and words.
        message = f"no connection: {error.__context__.strerror or error.__context__}"
    else:
        message = f"no connection: {text}"
    return RefusedPortError(message, source=name, detail=text)


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
