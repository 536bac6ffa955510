"""Packets on a line, found by their delimiters: the places of faults that are named by packet.

Not a decoder (imgtool.device.slip): bytes count as they stand on the line, escapes and all.  A host whose
time is real asks again when an answer is late, so that byte 300 of the line is not the same one in every run.
Byte 25 of its first MEM_DATA packet is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from imgtool.device.protocol import Command

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["COMMAND_BY_NAME", "FIRST_OFFSET", "PacketPlace", "PacketPlaces"]

COMMAND_BY_NAME: Final = {command.name.lower().replace("_", "-"): command for command in Command}
"""The commands by their names in a fault plan."""

FIRST_OFFSET: Final = 3
"""The first byte that can be named: those before it say which packet it is."""

_END: Final = 0xC0  # SLIP
_HEAD: Final = 2  # whose packet it is, and the command

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PacketPlace:
    """``mem-data:2+25``: a byte of a packet.

    Attributes:
        command: The command of the packet, a request or a reply.
        number: Which of the packets with this command, from 1.
        offset: Which byte of it, from 0 at the delimiter that begins it.
    """

    command: Command
    number: int
    offset: int

    def __str__(self) -> str:
        name = self.command.name.lower().replace("_", "-")
        return f"{name}:{self.number}+{self.offset}"


class PacketPlaces(Generic[_T]):
    """What is to happen in the packets of one direction of a line.

    Args:
        first: The byte that packets begin with: 0 in requests, 1 in replies.
        planned: What is to happen, and where.
    """

    def __init__(self, first: int, planned: Iterable[tuple[PacketPlace, _T]]) -> None:
        self._first = first
        self._planned: defaultdict[tuple[int, int], list[tuple[int, _T]]] = defaultdict(list)
        for place, what in planned:
            self._planned[place.command, place.number].append((place.offset, what))
        self._seen: Counter[int] = Counter()
        self._begun: int | None = None  # where the last delimiter stands
        self._head = b""
        self._due: defaultdict[int, list[_T]] = defaultdict(list)

    def pass_on(self, data: bytes, start: int) -> dict[int, list[_T]]:
        """What happens in these bytes, by offset on the line.

        Args:
            data: The bytes that are next.
            start: Where on the line they begin.
        """
        if not self._planned and not self._due:
            return {}
        for at, byte in enumerate(data, start):
            if byte == _END:
                self._end(at)
                self._begun, self._head = at, b""
            elif self._begun is not None and len(self._head) < _HEAD:
                self._head += bytes([byte])
                if len(self._head) == _HEAD:
                    self._begin(self._begun)
        end = start + len(data)
        return {at: self._due.pop(at) for at in sorted(self._due) if at < end}

    def _begin(self, begun: int) -> None:
        """Find the places in a packet of which the command has come."""
        first, command = self._head
        if first != self._first:
            return
        self._seen[command] += 1
        for offset, what in self._planned.pop((command, self._seen[command]), ()):
            self._due[begun + offset].append(what)

    def _end(self, at: int) -> None:
        """Forget the places behind the end of a packet."""
        for place in [place for place in self._due if place > at]:
            del self._due[place]

    def connect(self) -> None:
        """A new connection: a packet that was under way is over."""
        self._begun, self._head = None, b""
        self._due.clear()
