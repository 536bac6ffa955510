"""What all commands that talk to a chip take: options for port, speed, stub and reset, and what they mean.

Words only; run/connecting.py opens the port.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Final

import typer

from imgtool.engine.choices import STUBS
from imgtool.errors import UsageError
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from imgtool.device.session import ConnectOptions

__all__ = [
    "BaudOption",
    "EventsOption",
    "NoStubOption",
    "PortOption",
    "PortsOption",
    "ResetOption",
    "StubOption",
    "connect_options",
    "port_name",
    "port_names",
    "ports_of",
]

_VARIABLES: Final = ("IMGTOOL", "ESPTOOL")
_PORT_HELP: Final = "Port, socket://, rfc2217:// or sim:4MB."
_PORT_DEFAULT: Final = "$IMGTOOL_PORT, or the one adapter"
_BAUD_DEFAULT: Final = "$IMGTOOL_BAUD, or the fastest"
# A list, so that a second one is not taken for the first in silence.
PortOption = Annotated[
    list[str] | None,
    typer.Option("-p", "--port", metavar="PORT", help=_PORT_HELP, show_default=_PORT_DEFAULT),
]
PortsOption = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--port",
        metavar="PORT",
        help=f"{_PORT_HELP} May be repeated.",
        show_default=_PORT_DEFAULT,
    ),
]
BaudOption = Annotated[
    int | None,
    typer.Option("-b", "--baud", metavar="BAUD", help="Highest speed.", show_default=_BAUD_DEFAULT),
]
StubOption = Annotated[str, typer.Option("--stub", metavar="STUB", help=f"Flasher stub: {', '.join(STUBS)}.")]
NoStubOption = Annotated[bool, typer.Option("--no-stub", hidden=True, help="As --stub none.")]
ResetOption = Annotated[
    str,
    typer.Option(
        "--reset", metavar="HOW", help="auto; none (the chip is in its loader); or steps as D0|R1|W0.1|R0."
    ),
]
EventsOption = Annotated[
    bool, typer.Option("--events", help="Progress as one JSON object a line, on stderr.")
]


def connect_options(baud: int | None, stub: str, reset: str, *, no_stub: bool = False) -> ConnectOptions:
    """How to connect, by the options and the environment.

    Raises:
        UsageError: One of them makes no sense.
    """
    from imgtool.engine import connecting

    speed = _baud_here() if baud is None else baud
    return connecting.connect_options(speed, stub, reset, no_stub=no_stub)


def _baud_here() -> int | None:
    name, text = _variable("BAUD")
    if not text:
        return None
    if not text.isdecimal():
        raise UsageError(f"not a speed in {name}", expected="baud, such as 460800", found=text)
    return int(text)


def _variable(what: str) -> tuple[str, str]:
    """The environment variable that is set, and its value; two empty strings for none."""
    names = (f"{prefix}_{what}" for prefix in _VARIABLES)
    return next(((name, os.environ[name]) for name in names if os.environ.get(name)), ("", ""))


def port_names(given: list[str] | None) -> list[str]:
    """The ports that are meant: those given, that of the environment, or the one that is there.

    Raises:
        PortError: None is given, and there is none, or several.
        UsageError: One has no name.
    """
    if given and "" in given:
        raise UsageError("the name of the port is empty", expected="a port")
    if given:
        return list(given)
    found = _variable("PORT")[1]
    if found:
        return [found]
    from imgtool.engine.ports import found_port

    return [found_port()]


def port_name(given: list[str] | None) -> str:
    """The one port that is meant, for commands that work on one.

    Raises:
        PortError: None is given, and there is none, or several.
        UsageError: Several are given.
    """
    names = port_names(given)
    if len(names) > 1:
        found = Phrase.joined(", ", map(Name, names))
        raise UsageError("several ports are given", expected="one", found=found)
    return names[0]


def ports_of(given: list[str] | None, *, all_ports: bool) -> list[str]:
    """The ports that are meant, each once.

    Raises:
        UsageError: One is given twice, or ``--all-ports`` beside others.
        PortError: None is given, and there is none, or several.
    """
    if all_ports:
        if given:
            raise UsageError("--port and --all-ports are both given", expected="one", found="both")
        from imgtool.engine.ports import likely_ports

        return list(likely_ports())
    ports = port_names(given)
    twice = next((name for name in ports if ports.count(name) > 1), None)
    if twice is not None:
        raise UsageError("a port is given twice", expected="each port once", found=Name(twice))
    return ports
