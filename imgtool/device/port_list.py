"""The serial ports of this machine: which are there, and which one a board is likely to be behind.

None is opened here (imgtool.device.port).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from imgtool.device.host_ports import THIS_MACHINE, all_holders, found_ports
from imgtool.device.port_errors import SeveralPortsError
from imgtool.device.port_reasons import busy, no_permission, none_of
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imgtool.device.host_ports import Holder, Machine, PortInfo
    from imgtool.device.port_errors import UnusablePortError

__all__ = ["find_port", "list_ports"]


def list_ports(machine: Machine = THIS_MACHINE) -> tuple[PortInfo, ...]:
    """The ports that are there, likely ones first; none is opened."""
    taken = all_holders(machine) if machine.posix else {}
    return found_ports(machine, lambda path: _obstacle(path, taken, machine))


def _obstacle(
    path: str, taken: Mapping[str, tuple[Holder, ...]], machine: Machine
) -> UnusablePortError | None:
    if not machine.posix:
        return None  # only an attempt would tell
    if not machine.access(path, os.R_OK | os.W_OK):
        return no_permission(path, machine)
    who = taken.get(os.path.realpath(path), ())
    return busy(path, who, machine) if who else None


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
    raise none_of(ports, machine, message)
