"""Records of what crosses the line, as JSON lines: written here, played again in replay.py.

A record is one object a line: first ``{"traffic": 1, ...}`` with what the chip was, then in order

* ``{"t": ns, "in": "hex", "baud": 115200}``: bytes from the host (``baud`` is null where it is not known),
* ``{"t": ns, "out": "hex", "baud": 74880}``: bytes from the chip,
* ``{"t": ns, "event": "connect", "download": true}``, ``"power"`` likewise, ``"disconnect"``, ``"lines"``
  with ``dtr`` and ``rts``.

Times are the chip's, in nanoseconds: that of the first byte, or of the event; a record written by hand may
leave them out.  Not a measurement of a real line.
"""

from __future__ import annotations

import json
from typing import Any, Final, Protocol

from imgtool.formats.logs.serial_line import byte_time

__all__ = ["VERSION", "Recorder"]

VERSION: Final = 1
_SHORT_NS: Final = 100_000  # a byte where the speed is not known, at about 115200


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
        self._end = 0
        self._line({"traffic": VERSION, **facts})

    def to_chip(self, ns: int, data: bytes, baud: int | None) -> None:
        """Bytes from the host, of which the first begins at that time."""
        if ns > self._end:
            self.flush()  # after a pause
        self._end = ns + len(data) * (byte_time(baud) if baud else _SHORT_NS)
        self._bytes(ns, "in", data, baud)

    def from_chip(self, ns: int, data: bytes, baud: int) -> None:
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
