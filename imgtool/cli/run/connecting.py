"""What all commands that talk to a chip share: their options, opening the port, the cures for a silent chip.

Not the commands, and not the protocol (imgtool.device).
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from imgtool.cli.input.arguments import UsageError
from imgtool.errors import ChipError, FormatError, ImgtoolError, PortError, VerifyError
from imgtool.phrase import Name, Phrase
from imgtool.quantities import capacity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from imgtool.cli.show.progress import Progress
    from imgtool.device.events import Listener
    from imgtool.device.flash_chip import FlashChip
    from imgtool.device.port import Wire
    from imgtool.device.session import ConnectOptions, Session

__all__ = [
    "BaudOption",
    "EventsOption",
    "NoStubOption",
    "PortOption",
    "PortsOption",
    "ResetOption",
    "StubOption",
    "chip_fields",
    "connect_options",
    "connected",
    "flash_fields",
    "flash_words",
    "hint_of",
    "open_wire",
    "port_name",
    "port_names",
    "reader_of",
    "reopen_wire",
]

_STUBS: Final = ("auto", "imgtool", "espressif", "none")
_VARIABLES: Final = ("IMGTOOL", "ESPTOOL")
_VIRTUAL: Final = "sim:"
_USUAL_BAUD: Final = 115_200
_SHOWN_SECTORS: Final = 8

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
StubOption = Annotated[
    str, typer.Option("--stub", metavar="STUB", help=f"Flasher stub: {', '.join(_STUBS)}.")
]
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


# Words to options.


def connect_options(baud: int | None, stub: str, reset: str, *, no_stub: bool = False) -> ConnectOptions:
    """How to connect, by the options and the environment.

    Raises:
        UsageError: One of them makes no sense.
    """
    from imgtool.device.reset import parse_sequence
    from imgtool.device.session import ConnectOptions

    if stub not in _STUBS:
        raise UsageError("not a flasher stub", expected=", ".join(_STUBS), found=stub)
    if no_stub and stub not in ("auto", "none"):
        raise UsageError("two flasher stubs are asked for", expected="one", found=f"--stub {stub} --no-stub")
    if reset not in ("auto", "none"):
        try:
            parse_sequence(reset)
        except FormatError as error:
            raise UsageError(error.message, expected=error.expected, found=error.found) from None
    speed = _baud_here() if baud is None else baud
    if speed is not None and speed <= 0:
        raise UsageError("not a speed", expected="baud, such as 460800", found=str(speed))
    return ConnectOptions(speed, "none" if no_stub else stub, reset)


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
        raise UsageError("the name of the port is empty", expected="a port", found="nothing")
    if given:
        return list(given)
    found = _variable("PORT")[1]
    if found:
        return [found]
    from imgtool.device.port import find_port

    return [find_port().path]


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


# Ports and chips.


def open_wire(name: str) -> Wire:
    """Open a port: a real one, one in the network, or a virtual chip.

    Raises:
        PortError: It cannot be opened.
        UsageError: It is the name of no virtual chip.
        ImgtoolError: The flash file of a virtual chip is of another size, or in use.
    """
    from imgtool.device import port

    if not name.startswith(_VIRTUAL):
        return port.open_wire(name)
    from imgtool.virtual.line.port import open_port

    try:
        chip = open_port(name, baudrate=_USUAL_BAUD, timeout=port.READ_TIMEOUT)
    except FormatError as error:
        raise UsageError(error.message, expected=error.expected, found=error.found) from None
    return port.Wire(name, chip, chip.clock, baud=True, lines=True, slow_lines=False, highest_baud=921_600)


def reopen_wire(wire: Wire) -> Wire:
    """Open a port again that was lost.

    Raises:
        PortError: It cannot be opened, or not yet.
    """
    wire.close()
    if not wire.name.startswith(_VIRTUAL):
        return open_wire(wire.name)
    from imgtool.device.port import losses

    with losses(wire):
        wire.serial.open()  # the same chip as before
    return wire


@contextmanager
def connected(
    name: str, options: ConnectOptions, progress: Progress, *, run: bool = True
) -> Iterator[Session]:
    """A session with the chip at a port.

    Args:
        name: The port.
        options: How to connect.
        progress: Who is told what happens; it takes its time from the port.
        run: Whether the chip is reset into its firmware in the end, if it can be.

    Raises:
        ChipError: It is silent.
        PortError: The port cannot be opened, or is lost.
    """
    from imgtool.device.session import Session

    wire = open_wire(name)
    try:
        progress.clock(name, wire.clock)
        try:
            session = Session.connect(wire, options, progress.listener(name))
        except ChipError as error:
            if options.baud is not None and options.baud < _USUAL_BAUD:
                error.add_note(f"the chip was asked at {options.baud} baud: try it without --baud")
            raise
        yield session
        if run:
            with suppress(ChipError, PortError):
                session.run_firmware()
    finally:
        wire.close()


def reader_of(session: Session, listener: Listener) -> Callable[[int, int], bytes]:
    """Reads the flash for whoever plans; says that it does, as it takes its time without a stub."""
    from imgtool.device.events import Event
    from imgtool.operations.flashing.transfer import read_flash

    def read(address: int, size: int) -> bytes:
        listener(Event("read", message=f"what is at 0x{address:06x}"))
        return read_flash(session, address, size)

    return read


# What was found.


def chip_fields(session: Session) -> dict[str, Any]:
    """Port, chip, flash and the way to them, for JSON."""
    chip = session.chip
    return {
        "port": session.wire.name,
        "chip": {
            "model": chip.model,
            "mac": chip.mac,
            "chip_id": chip.chip_id,
            "crystal_mhz": chip.crystal_mhz,
            "embedded_bytes": chip.embedded_bytes,
        },
        "flash": flash_fields(session.flash),
    }


def flash_fields(flash: FlashChip) -> dict[str, Any]:
    """The flash, for JSON."""
    return {
        "id": flash.id.hex(),
        "manufacturer": flash.manufacturer,
        "part": flash.part,
        "bytes": flash.bytes,
        "sfdp_bytes": flash.sfdp_bytes,
        "source": flash.source,
    }


def flash_words(session: Session) -> str:
    """The flash on one line."""
    flash = session.flash
    name = " ".join(word for word in (flash.manufacturer or "unknown flash", flash.part) if word)
    return f"{name} ({flash.id[:1].hex()} {flash.id[1:].hex()}), {capacity(flash.bytes)}"


# Cures.

_SILENT: Final = (
    "in this order: 1. hold GPIO0 low (button FLASH) while you reset the board, and run the command again;"
    " 2. the wires: TX to RX, RX to TX, GND to GND, CH_PD high, GPIO15 low; 3. the power: 3.3 V, 500 mA;"
    " 4. cable and driver: imgtool ports; 5. other programs on the port, ModemManager too; more in"
    " docs/how-to/connect.md"
)
_NO_FLASH: Final = (
    "the chip answers, its flash does not: look at the supply (3.3 V, 500 mA), at GPIO6 to GPIO11, which"
    " belong to the flash, and at the solder joints"
)
_NO_STUB: Final = "--stub auto takes what is there; --stub none works without a flasher stub"
_PROTECTED: Final = "--force protection of imgtool flash removes the protection, if the flash lets it"
_WAIVED: Final = {
    "chip": "imgtool inspect FILE says what it is",
    "damaged": "build or load the file again",
    "fit": "a smaller build fits, or a larger flash",
    "mode": "build it with the mode that is expected",
    "place": "imgtool flash ADDR FILE, or @lfs, @spiffs or @init-data before FILE, says where it goes",
    "sector": "a stub reads the flash: see --stub",
    "size": "build it with the size that is expected",
}
"""What to do about a check that refuses, rather than to waive it."""
_BROKEN: Final = "a lower --baud or another cable helps where the line is bad; see docs/how-to/connect.md"


def hint_of(error: ImgtoolError) -> str | None:
    """The cure for an error on the way to a chip, None where there is none of its own."""
    words = [*getattr(error, "__notes__", ()), _cure(error)]
    return Phrase.joined("; ", [word for word in words if word]) or None


def _cure(error: ImgtoolError) -> str | None:
    if isinstance(error, VerifyError):
        return _cure_of_bytes(error)
    if isinstance(error, PortError):
        from imgtool.cli.commands.board.ports import cure_of

        return cure_of(error)
    if isinstance(error, ChipError):
        return _cure_of_chip(error)
    check = error.data.get("check")
    if check not in _WAIVED:
        return None
    return f"{_WAIVED[check]}; --force {check} of imgtool flash writes all the same"


def _cure_of_bytes(error: VerifyError) -> str:
    shown = ", ".join(f"0x{address:06x}" for address in error.sectors[:_SHOWN_SECTORS])
    more = f" and {len(error.sectors) - _SHOWN_SECTORS} more" if len(error.sectors) > _SHOWN_SECTORS else ""
    where = f"sectors at {shown}{more}" if shown else ""
    return "; ".join(words for words in (error.cause, where) if words)


def _cure_of_chip(error: ChipError) -> str | None:
    from imgtool.device.link import LineError
    from imgtool.device.session import ProtectedError

    if isinstance(error, ProtectedError):
        return _PROTECTED
    if error.expected == "an answer to SYNC":
        return _SILENT
    if error.expected == "a flash ID":
        return _NO_FLASH
    if "flasher stub" in error.message:
        return _NO_STUB
    return _BROKEN if isinstance(error, LineError) else None
