"""What the machine tells about its serial ports: which are there, whose they are, who has them open.

Nothing here opens a port (imgtool.device.port).  All of it comes through a :class:`Machine`, so that tests
need none.  Most of it is known on Linux alone, by sysfs(5) and proc(5).
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.device.adapters import adapter_of

if TYPE_CHECKING:
    from imgtool.device.port_errors import UnusablePortError

__all__ = [
    "THIS_MACHINE",
    "Group",
    "Holder",
    "Machine",
    "PortInfo",
    "all_holders",
    "driver_of",
    "found_ports",
    "holders",
    "runs",
]


_WITHOUT_PORTS: Final = ("emscripten", "wasi")


class Group(NamedTuple):
    """The group that a device file belongs to.

    Attributes:
        name: Its name, or its number as text where it has none.
        may: Whether the file's mode lets the group read and write.
        member: Whether the user is in the group by the user database.
        in_session: Whether this process is in it: a new membership counts from the next login on.
    """

    name: str
    may: bool
    member: bool
    in_session: bool


class Holder(NamedTuple):
    """A process that has a port open: its number, and its program's name."""

    pid: int
    program: str


def _comports() -> Iterable[Any]:
    if sys.platform in _WITHOUT_PORTS:
        return ()  # pyserial would ask for a report
    try:
        from serial.tools.list_ports import comports  # noqa: PLC0415 - pyserial is slow to import
    except ImportError:  # not there, or it does not know this system
        return ()
    return comports()


def _group_of(path: str) -> Group | None:
    """The group of a file, None where there are no groups or no such file."""
    try:
        import grp  # noqa: PLC0415 - POSIX only
        import pwd  # noqa: PLC0415 - POSIX only
    except ImportError:
        return None
    try:
        found = Path(path).stat()
    except OSError:
        return None
    in_session = found.st_gid in (os.getegid(), *os.getgroups())
    may = found.st_mode & (stat.S_IRGRP | stat.S_IWGRP) == stat.S_IRGRP | stat.S_IWGRP
    try:
        entry = grp.getgrgid(found.st_gid)
        user = pwd.getpwuid(os.geteuid())
    except KeyError:
        return Group(str(found.st_gid), may, in_session, in_session)
    member = user.pw_name in entry.gr_mem or user.pw_gid == found.st_gid
    return Group(entry.gr_name, may, member, in_session)


@dataclass(frozen=True)
class Machine:
    """How the machine is looked at.

    Attributes:
        comports: Gives pyserial's descriptions of the ports that are there.
        root: Where ``sys`` and ``proc`` are, of Linux; elsewhere they are not there, and nothing is known.
        access: ``os.access``.
        group: The group of a device file.
        platform: ``sys.platform``.
    """

    comports: Callable[[], Iterable[Any]] = _comports
    root: Path = Path("/")
    access: Callable[[str, int], bool] = os.access
    group: Callable[[str], Group | None] = _group_of
    platform: str = sys.platform

    @property
    def posix(self) -> bool:
        """Whether ports are device files."""
        return self.platform != "win32"


THIS_MACHINE: Final = Machine()
"""The one that this runs on."""


def holders(name: str, machine: Machine = THIS_MACHINE) -> tuple[Holder, ...]:
    """The processes that have a port open, as far as this user may see.

    Only Linux tells, and only root sees the processes of others.  A port that was opened without a lock may
    have several; each then gets a part of the bytes.
    """
    return all_holders(machine).get(os.path.realpath(name), ())


def all_holders(machine: Machine) -> dict[str, tuple[Holder, ...]]:
    """Who has which device file open."""
    found: dict[str, set[Holder]] = {}
    for process in _processes(machine):
        try:
            opened = {str(entry.readlink()) for entry in (process / "fd").iterdir()}
        except OSError:  # somebody else's, or it has ended
            continue
        for path in opened:
            if path.startswith("/dev/"):
                found.setdefault(path, set()).add(Holder(int(process.name), _program(process)))
    return {path: tuple(sorted(who)) for path, who in found.items()}


def _processes(machine: Machine) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from (entry for entry in (machine.root / "proc").iterdir() if entry.name.isdigit())


def _program(process: Path) -> str:
    try:
        return (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "?"


def runs(program: str, machine: Machine) -> bool:
    """Whether a program of that name runs."""
    # The names of processes can be read by everybody; Linux keeps 15 bytes of them.
    return any(_program(process) == program for process in _processes(machine))


def driver_of(path: str, machine: Machine) -> str | None:
    """The driver of a port by sysfs, such as ``ch341-uart``."""
    link = machine.root / "sys/class/tty" / Path(os.path.realpath(path)).name / "device/driver"
    return link.resolve().name if link.exists() else None


# Ports that are there.


@dataclass(frozen=True, kw_only=True)
class PortInfo:
    """A port that is there.

    Attributes:
        path: Its name, as it is opened by.
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


def found_ports(
    machine: Machine, obstacle: Callable[[str], UnusablePortError | None] = lambda _: None
) -> tuple[PortInfo, ...]:
    """The ports that are there, likely ones first.

    Args:
        machine: How the machine is looked at.
        obstacle: Says of a path why it cannot be opened.
    """
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
