"""Ports by their names: devices, URLs and virtual chips are opened; where none is named, one is found.

Not what is done with one: a port that is open is an :class:`imgtool.device.wire.Wire`, and a caller who has
one of its own needs nothing of this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.errors import FormatError, UsageError

if TYPE_CHECKING:
    from imgtool.device.wire import Wire

__all__ = ["found_port", "is_virtual", "likely_ports", "open_wire"]

_VIRTUAL: Final = "sim:"


def found_port() -> str:
    """The port that is meant where none is named: that of the one adapter that is there.

    Raises:
        PortError: There is none, or several.
    """
    from imgtool.device.port_list import find_port  # noqa: PLC0415 - who names a port needs none

    return find_port().path


def likely_ports() -> tuple[str, ...]:
    """The ports of all known adapters that are there.

    Raises:
        PortError: There is none.
    """
    from imgtool.device.port_list import list_ports  # noqa: PLC0415 - who names a port needs none

    return tuple(port.path for port in list_ports() if port.likely) or (found_port(),)


def is_virtual(name: str) -> bool:
    """Whether a name means a virtual chip in this process, whose time is virtual."""
    return name.startswith(_VIRTUAL)


def open_wire(name: str) -> Wire:
    """Open a port at 115200 baud.

    A device file is locked where the system can, so that no second program that locks gets it.  DTR and RTS
    are released, in a way that does not reset a board with the usual circuit.  A virtual chip is switched on.

    Args:
        name: A device (``/dev/ttyUSB0``, ``COM3``), ``socket://HOST:PORT``, ``rfc2217://HOST:PORT``, another
            URL that pyserial knows, or a virtual chip in this process (``sim:4MB,flash=FILE``).

    Raises:
        PortError: It cannot be opened.
        ImgtoolError: It is the name of no virtual chip (a ``UsageError``), or the flash file of one is of
            another size, or in use.
    """
    if not is_virtual(name):
        from imgtool.device.port import open_serial  # noqa: PLC0415 - who has a port of its own needs none

        return open_serial(name)
    from imgtool.virtual.line.wire import open_sim  # noqa: PLC0415 - the chip is slow to import

    try:
        return open_sim(name)
    except FormatError as error:
        raise UsageError(error.message, expected=error.expected, found=error.found) from None
