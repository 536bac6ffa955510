"""A record of the line (record.py) played again to a chip, and what the chip says compared.

Not a measurement of a real line.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.errors import FormatError
from imgtool.virtual.chip.machine import Activity, Stop
from imgtool.virtual.line.link import PortGoneError
from imgtool.virtual.line.record import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgtool.virtual.line.link import VirtualLine

__all__ = ["ReplayDifference", "replay"]

_WINDOW_NS: Final = 60_000_000_000


class ReplayDifference(NamedTuple):
    """Where the chip answered otherwise: line of the record from 1, and the bytes."""

    line: int
    expected: bytes
    found: bytes


def replay(lines: Iterable[str], link: VirtualLine) -> ReplayDifference | None:
    """Play the host's part of a record to a chip, and compare what it says.

    Args:
        lines: The record.
        link: The line to a chip that is as the record's was: the same part, flash content and MAC address.

    Returns:
        The first difference, or None.  What the chip says after the last bytes of the record is no
        difference, unless the record says that the host went and had not heard it.

    Raises:
        FormatError: A line is not of a record.
    """
    player = _Player(link)
    number = 0
    for number, line in enumerate(lines, 1):
        record = _parse(line, number)
        try:
            difference = player.play(record, number) if number > 1 else None
        except (KeyError, TypeError, ValueError):
            raise FormatError(f"line {number} of the record is not understood", found=line.strip()) from None
        if difference is not None:
            return difference
    if number == 0:
        raise FormatError("the record of traffic is empty", expected="a JSON object")
    return None


class _Player:
    """What the chip has said and the record has not come to yet: (byte, time)."""

    def __init__(self, link: VirtualLine) -> None:
        self._link = link
        self._output: list[tuple[int, int]] = []

    def play(self, record: dict[str, Any], number: int) -> ReplayDifference | None:
        """Do what a line says."""
        if "in" in record:
            # What the chip has said by now may stand behind this line: it spoke while the host did.
            with contextlib.suppress(PortGoneError):
                self._link.send(bytes.fromhex(record["in"]), baud=record["baud"], at=record.get("t", 0))
            return None
        if "out" in record:
            return self._compare(bytes.fromhex(record["out"]), number)
        self._run_to(record.get("t", 0))
        return self._do(record, number)

    def _compare(self, expected: bytes, number: int) -> ReplayDifference | None:
        """Let the chip run until it has said that much, or nothing more."""
        chip = self._link.chip
        deadline = chip.now + _WINDOW_NS
        self._output += self._link.take()
        while len(self._output) < len(expected) and chip.run(deadline) not in (Stop.IDLE, Stop.DUE):
            self._output += self._link.take()
        self._output += self._link.take()
        found = bytes(byte for byte, _ in self._output[: len(expected)])
        del self._output[: len(expected)]
        return None if found == expected else ReplayDifference(number, expected, found)

    def _run_to(self, moment: int) -> None:
        chip = self._link.chip
        while chip.now < moment:
            if chip.run(moment) is Stop.IDLE:
                chip.pass_time(moment)
            self._output += self._link.take()

    def _do(self, record: dict[str, Any], number: int) -> ReplayDifference | None:
        name, link = record["event"], self._link
        if name == "connect":
            link.connect(download=record["download"])
            if link.chip.activity is not Activity.PROGRAM:
                self._output.clear()  # of a chip that was reset before it had said that
        elif name == "power":
            link.power_on(download=record["download"])
        elif name == "lines":
            link.lines(dtr=record["dtr"], rts=record["rts"])
        elif name == "disconnect":
            link.disconnect()
            end = record.get("t", 0)
            unheard = bytes(byte for byte, at in self._output if at <= end)
            # A program that goes on says the rest over the next connection.
            self._output = [item for item in self._output if item[1] > end]
            return ReplayDifference(number, b"", unheard) if unheard else None
        else:
            raise ValueError(name)
        return None


def _parse(line: str, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict) or (number == 1 and record.get("traffic") != VERSION):
        raise FormatError(f"line {number} is not of a record of traffic", expected="a JSON object")
    return record
