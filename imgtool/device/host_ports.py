"""What the machine tells about its serial ports: which are there, whose they are, who has them open.

Nothing here opens a port (imgtool.device.port).  All of it comes through a :class:`Machine`, so that tests
need none.  Most of it is known on Linux alone, by sysfs(5) and proc(5).
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

__all__ = ["THIS_MACHINE", "Group", "Holder", "Machine", "all_holders", "driver_of", "holders", "runs"]


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
    from serial.tools.list_ports import comports  # noqa: PLC0415 - pyserial is slow to import

    return comports()


def _group_of(path: str) -> Group | None:
    """The group of a file, None where there are no groups or no such file."""
    if sys.platform == "win32":
        return None
    import grp  # noqa: PLC0415 - POSIX only
    import pwd  # noqa: PLC0415 - POSIX only

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
