"""What crosses the line, as JSON lines: written by a recorder, and played again to a chip.

A record is one object a line: first ``{"traffic": 1, ...}`` with what the chip was, then in order

* ``{"t": ns, "in": "hex", "baud": 115200}``: bytes from the host (``baud`` is null where it is not known),
* ``{"t": ns, "out": "hex", "baud": 74880}``: bytes from the chip,
* ``{"t": ns, "event": "connect", "download": true}``, ``"disconnect"``, ``"lines"`` with ``dtr`` and ``rts``.

Times are the chip's, in nanoseconds.  Not a measurement of a real line.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from imgtool.errors import FormatError
from imgtool.virtual.machine import Pause

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgtool.virtual.link import Link

__all__ = ["VERSION", "Difference", "Recorder", "replay"]

VERSION: Final = 1
_WINDOW_NS: Final = 60_000_000_000


class _Sink(Protocol):
    def write(self, text: str, /) -> object: ...


class Recorder:
    """Writes a record.

    Args:
        sink: Where the lines go.
        facts: What the chip is; into the first line.
    """

    def __init__(self, sink: _Sink, facts: dict[str, Any]) -> None:
        self._sink = sink
        self._pending: dict[str, Any] | None = None
        self._line({"traffic": VERSION, **facts})

    def heard(self, ns: int, data: bytes, baud: int | None) -> None:
        """Bytes from the host."""
        self._bytes(ns, "in", data, baud)

    def said(self, ns: int, data: bytes, baud: int) -> None:
        """Bytes from the chip."""
        self._bytes(ns, "out", data, baud)

    def event(self, ns: int, name: str, **facts: bool) -> None:
        """What is no byte."""
        self.flush()
        self._line({"t": ns, "event": name, **facts})

    def flush(self) -> None:
        """Write the line that more bytes of the same direction could still lengthen."""
        if self._pending is not None:
            self._line(self._pending)
            self._pending = None

    def _bytes(self, ns: int, way: str, data: bytes, baud: int | None) -> None:
        if not data:
            return
        pending = self._pending
        if pending is not None and way in pending and pending["baud"] == baud:
            pending[way] += data.hex()
            return
        self.flush()
        self._pending = {"t": ns, way: data.hex(), "baud": baud}

    def _line(self, fields: dict[str, Any]) -> None:
        self._sink.write(json.dumps(fields) + "\n")


class Difference(NamedTuple):
    """Where the chip answered otherwise: line of the record from 1, and the bytes."""

    line: int
    expected: bytes
    found: bytes


def replay(lines: Iterable[str], link: Link) -> Difference | None:
    """Play the host's part of a record to a chip, and compare what it says.

    Args:
        lines: The record.
        link: The line to a chip that is as the record's was: the same part, flash content and MAC address.

    Returns:
        The first difference, or None.

    Raises:
        FormatError: A line is not of a record.
    """
    said = bytearray()
    for number, line in enumerate(lines, 1):
        record = _parse(line, number)
        if "event" in record:
            _do(record, link, number)
        elif "in" in record:
            if said:
                return Difference(number, b"", bytes(said))
            link.send(bytes.fromhex(record["in"]), baud=record["baud"])
        elif "out" in record:
            expected = bytes.fromhex(record["out"])
            _run(link, said, len(expected))
            found = bytes(said[: len(expected)])
            if found != expected:
                return Difference(number, expected, found)
            del said[: len(expected)]
    return None


def _run(link: Link, said: bytearray, wanted: int) -> None:
    """Let the chip run until it has said that much, or nothing more."""
    deadline = link.chip.now + _WINDOW_NS
    while True:
        said += bytes(byte for byte, _ in link.take())
        if len(said) >= wanted or link.chip.run(deadline) in (Pause.IDLE, Pause.DUE):
            said += bytes(byte for byte, _ in link.take())
            return


def _do(record: dict[str, Any], link: Link, number: int) -> None:
    name = record["event"]
    if name == "connect":
        link.connect(download=record["download"])
    elif name == "disconnect":
        link.disconnect()
    elif name == "lines":
        link.lines(dtr=record["dtr"], rts=record["rts"])
    else:
        raise FormatError(f"line {number} of the record is not understood", found=str(name))


def _parse(line: str, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict) or (number == 1 and record.get("traffic") != VERSION):
        raise FormatError(f"line {number} is not of a record of traffic", expected="a JSON object")
    return record
