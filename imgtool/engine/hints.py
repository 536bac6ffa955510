"""Hints: what to do about an error, by its class and its fields.

Not the cures for a firmware that does not start, which come with their verdicts.  Commands are spelled as the
command line has them.
"""

from __future__ import annotations

from typing import Final

from imgtool.device.port_errors import (
    BusyPortError,
    FaultyPortError,
    ForbiddenPortError,
    LostPortError,
    MissingPortError,
    NotAPortError,
    OneTimePortError,
    RefusedPortError,
    SeveralPortsError,
)
from imgtool.errors import (
    BringsOwnError,
    ChipError,
    CoveredHeaderError,
    FileNameError,
    FilePlaceError,
    FileRoomError,
    FormatError,
    ImgtoolError,
    InterruptedRunError,
    LayoutError,
    LineError,
    LossError,
    NoFirmwareError,
    NoFlashError,
    NoLayoutError,
    NotSaidError,
    PartOfFlashError,
    PortError,
    ProtectedError,
    RehearsalError,
    SilentError,
    SlotRoomError,
    StatedSizeError,
    StubError,
    TableRowError,
    UsageError,
    VerifyError,
    WrongFileError,
)
from imgtool.phrase import Name, Phrase

__all__ = ["HINTS", "INSTEAD", "PLUG_IN", "WHILE_SILENT", "cure_of_port", "hint_for"]

HINTS: Final[dict[type[ImgtoolError], str]] = {
    UsageError: "imgtool COMMAND --help shows the options and an example",
    FormatError: "imgtool inspect FILE shows what a file is and what is wrong with it",
    LayoutError: "imgtool inspect FILE shows what lies where; docs/flash-layouts.md has the rules",
    NoLayoutError: (
        "imgtool flash FILE writes it as it is; imgtool merge FILE --pad-to SIZE makes an image as large as"
        " the flash"
    ),
    FileRoomError: "take files out, or take a larger flash or a build with a smaller firmware",
    FileNameError: "give it a shorter name; a slash counts, and so does each byte of a letter",
    FilePlaceError: (
        "imgtool files make FOLDER --for NAME makes a file system for a firmware that you name;"
        " imgtool flash ADDR FILE writes it"
    ),
    NoFirmwareError: "imgtool flash FIRMWARE writes one, and the init data that it needs",
    StatedSizeError: (
        "imgtool flash FIRMWARE writes the firmware again, and a size into its header that chip and firmware"
        " can use"
    ),
    BringsOwnError: "there is nothing to write; what stands in the flash is not read",
    PortError: "another program may hold it; end that one, or choose another port or file",
    ChipError: "hold GPIO0 low while you reset the board; docs/how-to/connect.md has the cures in order",
    VerifyError: "the same command again writes what is wrong; if it stays, look at supply and wiring",
    InterruptedRunError: "the same command again does it from the start",
    NotSaidError: "imgtool try IMAGE --log FILE keeps all that the firmware says",
    RehearsalError: "nothing was written; imgtool try IMAGE shows all that the firmware says",
    LossError: "--backup auto saves the whole flash first, and goes on",
}
"""What to do about each class of errors, where nothing more is known."""

_WAIVING: Final = "flash"
_FILES: Final = "files"
_SHOWN_SECTORS: Final = 8
_APART: Final = "apart"
_BY_HAND: Final = (
    "in this order: 1. hold GPIO0 low (button FLASH) while you reset the board, and run the command again"
)
_CAPACITOR: Final = (
    " (a reset by DTR and RTS may not reach the loader, as this port changes them one after the other; with a"
    " capacitor of 1 to 10 uF from EN to GND it does)"
)
WHILE_SILENT: Final = (
    "no answer yet: hold GPIO0 low (button FLASH) while you reset the board; the chip is asked on"
)
"""What is said to people while a silent chip is still asked."""
_NEXT_CURES: Final = (
    "; 2. the wires: TX to RX, RX to TX, GND to GND, CH_PD high, GPIO15 low; 3. the power: 3.3 V, 500 mA;"
    " 4. cable and driver: imgtool ports; 5. other programs on the port, ModemManager too; more in"
    " docs/how-to/connect.md"
)
_NO_FLASH: Final = (
    "the chip answers, its flash does not: look at the supply (3.3 V, 500 mA), at GPIO6 to GPIO11, which"
    " belong to the flash, and at the solder joints"
)
_NO_STUB: Final = "--stub auto takes what is there; --stub none works without a flasher stub"
_PROTECTED: Final = "--force protection of imgtool flash removes the protection, if the flash lets it"
INSTEAD: Final = {
    "chip": "imgtool inspect FILE says what it is",
    "damaged": "build or load the file again",
    "fit": "a smaller build fits, or a larger flash",
    "mode": "build it with the mode that is expected",
    "place": "imgtool flash ADDR FILE, or @lfs, @spiffs or @init-data before FILE, says where it goes",
    "sector": "a stub reads the flash: see --stub",
    "size": "build it with the size that is expected",
}
"""What to do about a check that refuses ``flash``, rather than to waive it."""
_BUILD: Final = "imgtool build FILE makes an image of it"
_PATCH: Final = (
    "imgtool patch FILE -o OUT, with the same option, changes the check too; keep instead of a value leaves"
    " the header as it is"
)
_INSTEAD_OF: Final[dict[type[ImgtoolError], str]] = {
    PartOfFlashError: "imgtool read -o backup.bin reads a whole flash, if the device is still as it was",
    CoveredHeaderError: _PATCH,
    SlotRoomError: "a smaller build fits, or a partition with more room",
    TableRowError: "mend the rows of the partition table; imgtool inspect FILE shows them",
}
"""The same where the class of the error says more than the check."""
_ELSEWHERE: Final = {
    "place": "an address before FILE says where it goes: docs/formats/kinds.md has the places"
}
"""The same for the other commands, where it is not the same."""
_BROKEN: Final = "a lower --baud or another cable helps where the line is bad; see docs/how-to/connect.md"
_CURES_OF_CHIPS: Final[dict[type[ImgtoolError], str]] = {
    ProtectedError: _PROTECTED,
    SilentError: _BY_HAND + _NEXT_CURES,
    NoFlashError: _NO_FLASH,
    StubError: _NO_STUB,
    LineError: _BROKEN,
}

# Groups that give more than serial ports: nobody should join one for that.
_MIGHTY: Final = ("root", "wheel", "sudo", "admin", "adm")
PLUG_IN: Final = "plug the board in with a cable that has data lines, and install the driver of its adapter"

_CURES_OF_PORTS: Final[dict[type[PortError], str]] = {
    MissingPortError: f"imgtool ports shows what is there; {PLUG_IN}",
    NotAPortError: "imgtool ports shows the names of ports",
    RefusedPortError: "start the server at that address, or mend the address",
    SeveralPortsError: "choose one with --port",
    LostPortError: "plug it in again, directly or by another cable, and run the command again",
    OneTimePortError: "plug it in again, directly or by another cable, and connect to it anew",
    FaultyPortError: "unplug it and plug it in again; imgtool ports shows what is there",
}


def hint_for(error: ImgtoolError, command: str = _WAIVING, right: str | None = None) -> str:
    """What to do about an error: what was noted on it and a cure for its cause, or the hint for its class.

    Args:
        error: What went wrong.
        command: The command that was given: only ``flash`` goes on in spite of a check.
        right: The command as it should have been given, where that is known.
    """
    if right is not None:
        can_force = command == _WAIVING and error.check in INSTEAD
        force = f"--force {error.check} writes all the same; " if can_force else ""
        return Phrase(f"{force}this command has each file at its place: ", Name(right))
    if isinstance(error, UsageError) and error.hint is not None:
        return error.hint
    if error.check == "repair":
        return "imgtool inspect FILE shows its checks; imgtool patch --repair makes them right"
    words = [*getattr(error, "__notes__", ()), _cure_of(error, command)]
    own = Phrase.joined("; ", [word for word in words if word])
    return own or next(HINTS[kind] for kind in type(error).__mro__ if kind in HINTS)


def _cure_of(error: ImgtoolError, command: str) -> str | None:
    """The cure for the cause of an error, None where there is none of its own."""
    if isinstance(error, VerifyError | LossError):
        return _cure_of_bytes(error) if isinstance(error, VerifyError) else _ways_on(error)
    if isinstance(error, PortError):
        return cure_of_port(error)
    if isinstance(error, ChipError | WrongFileError):
        return _cure_of_chip(error) if isinstance(error, ChipError) else _cure_of_file(error, command)
    if error.check not in INSTEAD:
        return _INSTEAD_OF.get(type(error))
    instead = _INSTEAD_OF.get(type(error), INSTEAD[error.check])
    if command != _WAIVING:
        return _ELSEWHERE.get(error.check, instead)
    return f"{instead}; --force {error.check} of imgtool flash writes all the same"


def _cure_of_file(error: WrongFileError, command: str) -> str | None:
    """What to do about a file that is no firmware; None where its kind has told, or nothing is known."""
    from imgtool.formats.kinds import KINDS  # noqa: PLC0415 - not for errors of usage
    from imgtool.formats.reading import FileKind  # noqa: PLC0415 - likewise

    row = KINDS[FileKind(error.kind)]
    if getattr(error, "__notes__", None):
        return None
    if row.builds:
        return _BUILD
    if error.check is None or command != _WAIVING:
        return None
    return f"{INSTEAD[error.check]}; --force {error.check} of imgtool flash writes all the same"


def _ways_on(error: LossError) -> str:
    """How to go on all the same: with the files, with a backup, or without what is in the way."""
    lose = " ".join(f"--lose {kind}" for kind in error.kinds)
    keep = "--keep-files carries the files over; " if _FILES in error.kinds else ""
    return f"{keep}--backup auto saves the whole flash in a file first, and goes on; {lose} goes on without"


def _cure_of_chip(error: ChipError) -> str | None:
    if isinstance(error, SilentError) and error.lines == _APART:
        return _BY_HAND + _CAPACITOR + _NEXT_CURES
    kinds = type(error).__mro__
    return next((_CURES_OF_CHIPS[kind] for kind in kinds if kind in _CURES_OF_CHIPS), None)


def _cure_of_bytes(error: VerifyError) -> str:
    shown = ", ".join(f"0x{address:06x}" for address in error.sectors[:_SHOWN_SECTORS])
    more = f" and {len(error.sectors) - _SHOWN_SECTORS} more" if len(error.sectors) > _SHOWN_SECTORS else ""
    where = f"sectors at {shown}{more}" if shown else ""
    return "; ".join(words for words in (error.cause, where) if words)


def cure_of_port(error: PortError) -> str | None:
    """What to do about a port that cannot be used, None where nothing is known about it."""
    if isinstance(error, ForbiddenPortError):
        return _permission(error)
    if isinstance(error, BusyPortError):
        return _busy(error)
    if isinstance(error, MissingPortError) and error.suspect is not None:
        return (
            f"{error.suspect} is running, which takes some adapters for Braille displays: remove it (on"
            f" Debian and Ubuntu: sudo apt remove {error.suspect}), then plug the board in again"
        )
    if isinstance(error, LostPortError) and error.program is not None:
        return f"end {error.program} (pid {error.pid}), and run the command again"
    return _CURES_OF_PORTS.get(type(error))


def _permission(error: ForbiddenPortError) -> str:
    if error.group is None or error.group in _MIGHTY or error.in_session:
        return "give your user access to it by a udev rule; sudo chmod a+rw PORT holds until it is unplugged"
    if error.member:
        return f"log out and in again: group {error.group} counts from the next login on"
    return f"sudo usermod -aG {error.group} $USER, then log out and in again"


def _busy(error: BusyPortError) -> str:
    name = error.program or error.suspect
    if name == "ModemManager":
        return "wait half a minute, or stop it: sudo systemctl stop ModemManager"
    if name:
        return f"end {name} (pid {error.pid}), or choose another port"
    return "close the serial monitor or other program that has it open, or choose another port"
