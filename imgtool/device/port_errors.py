"""Why a port cannot be used, as errors: a class for each reason, with what is known of it.

Not the looking for reasons (port_reasons.py), and no cures (imgtool.engine).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar

from imgtool.errors import PortError

__all__ = [
    "BusyPortError",
    "FaultyPortError",
    "ForbiddenPortError",
    "LostPortError",
    "MissingPortError",
    "NotAPortError",
    "OneTimePortError",
    "PortProblem",
    "RefusedPortError",
    "SeveralPortsError",
    "UnusablePortError",
]


class PortProblem(StrEnum):
    """Why a port cannot be used."""

    MISSING = "missing"
    PERMISSION = "permission"
    BUSY = "busy"
    NOT_A_PORT = "not-a-port"
    REFUSED = "refused"
    SEVERAL = "several"
    LOST = "lost"
    OTHER = "other"


class UnusablePortError(PortError):
    """A port cannot be used, and the reason is known; each reason has a class.

    Args:
        message: What is wrong, as one sentence without a full stop.
        source: The port's name.
        detail: The system's own words.

    Attributes:
        reason: The kind of problem.
    """

    reason: ClassVar[PortProblem] = PortProblem.OTHER

    def __init__(self, message: str, *, source: str | None = None, detail: str | None = None) -> None:
        super().__init__(message, source=source)
        self.detail = detail

    @property
    def facts(self) -> dict[str, Any]:
        """What else is known of it, by name; None for what is not."""
        return {"detail": self.detail}

    @property
    def data(self) -> dict[str, Any]:
        """The fields that are known, by name."""
        known = {name: value for name, value in self.facts.items() if value is not None}
        return {**super().data, "reason": str(self.reason), **known}


class MissingPortError(UnusablePortError):
    """There is no such port, or none that a board is likely to be behind.

    Args:
        message: What is wrong.
        source: The port's name.
        ports: Names of those that are there.
        suspect: A program that runs and is known to take ports away.
    """

    reason = PortProblem.MISSING

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        ports: tuple[str, ...] = (),
        suspect: str | None = None,
    ) -> None:
        super().__init__(message, source=source)
        self.ports = ports
        self.suspect = suspect

    @property
    def facts(self) -> dict[str, Any]:
        """The ports that are there, and who may have taken the one that is not."""
        return {"ports": list(self.ports), "suspect": self.suspect}


class ForbiddenPortError(UnusablePortError):
    """This user may not open it.

    Args:
        message: What is wrong.
        source: The port's name.
        group: The group that may; None where no group helps.
        member: Whether this user is in it.
        in_session: Whether this session knows that.
    """

    reason = PortProblem.PERMISSION

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        group: str | None = None,
        member: bool | None = None,
        in_session: bool | None = None,
    ) -> None:
        super().__init__(message, source=source)
        self.group = group
        self.member = member
        self.in_session = in_session

    @property
    def facts(self) -> dict[str, Any]:
        """The group that may open it, and whether this user is in it."""
        return {"group": self.group, "member": self.member, "in_session": self.in_session}


class BusyPortError(UnusablePortError):
    """Another program has it.

    Args:
        message: What is wrong.
        source: The port's name.
        program: Name of that program; None where that is not seen.
        pid: Its process id.
        suspect: A program that runs and is known to take ports.
    """

    reason = PortProblem.BUSY

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        program: str | None = None,
        pid: int | None = None,
        suspect: str | None = None,
    ) -> None:
        super().__init__(message, source=source)
        self.program = program
        self.pid = pid
        self.suspect = suspect

    @property
    def facts(self) -> dict[str, Any]:
        """Who has it, or may have it."""
        return {"program": self.program, "pid": self.pid, "suspect": self.suspect}


class NotAPortError(UnusablePortError):
    """A name, a file or a device that is no serial port."""

    reason = PortProblem.NOT_A_PORT


class SeveralPortsError(UnusablePortError):
    """Several ports could be meant.

    Args:
        message: What is wrong.
        source: The port's name.
        ports: Names of those that could be.
    """

    reason = PortProblem.SEVERAL

    def __init__(self, message: str, *, source: str | None = None, ports: tuple[str, ...] = ()) -> None:
        super().__init__(message, source=source)
        self.ports = ports

    @property
    def facts(self) -> dict[str, Any]:
        """The ports that could be meant."""
        return {"ports": list(self.ports)}


class RefusedPortError(UnusablePortError):
    """The other side of a network refuses, or is not what it should be."""

    reason = PortProblem.REFUSED


class LostPortError(UnusablePortError):
    """A port went away while it was in use.

    Args:
        message: What is wrong.
        source: The port's name.
        detail: The system's own words.
        program: Another program that reads from it; None where none is seen.
        pid: Its process id.
    """

    reason = PortProblem.LOST

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        detail: str | None = None,
        program: str | None = None,
        pid: int | None = None,
    ) -> None:
        super().__init__(message, source=source, detail=detail)
        self.program = program
        self.pid = pid

    @property
    def facts(self) -> dict[str, Any]:
        """The system's words, and who else reads from it."""
        return {"detail": self.detail, "program": self.program, "pid": self.pid}


class OneTimePortError(LostPortError):
    """A port went away, and is of a kind that cannot be opened again by itself."""


class FaultyPortError(UnusablePortError):
    """The system does not open it, for a reason that has no class of its own."""
