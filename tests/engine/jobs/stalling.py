"""A port, its chip and the clock of a machine that stands still for seconds after each wait."""

from __future__ import annotations

from typing import Final

from imgtool.device.wire import Lines, Wire, WireTraits

STALL: Final = 4.0  # seconds
BAUD: Final = 115_200


class Board(Wire):
    """Each line is answered, and after each wait the machine stands still: that is no silence of the chip.

    Args:
        coming: What the chip says, and when.
        lines: Whether DTR and RTS reach it.

    Attributes:
        now: Seconds.
        heard: What has been read and written, in order.
        gone: Whether the port is lost.
    """

    def __init__(self, *coming: tuple[float, bytes], lines: Lines = Lines.NONE) -> None:
        self.name = "board"
        self.clock = self
        self.traits = WireTraits(lines=lines)
        self.now = 0.0
        self.coming = list(coming)
        self.heard: list[bytes] = []
        self.gone = False

    # The clock.

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    # The port.

    def set_baud(self, baud: int) -> None:
        assert baud > 0

    def set_lines(self, dtr: bool, rts: bool) -> None:
        """Nothing follows from it here."""

    def close(self) -> None:
        """Nothing to close."""

    def read(self, size: int, timeout: float) -> bytes:
        if self.gone:
            raise OSError("pulled")
        waiting = b"".join(data for at, data in self.coming if at <= self.now)
        later = [(at, data) for at, data in self.coming if at > self.now]
        self.coming = [(self.now, waiting[size:]), *later] if waiting[size:] else later
        if waiting:
            self.heard.append(waiting[:size])
        if waiting or timeout:
            self.now += STALL
        return waiting[:size]

    def write(self, data: bytes) -> None:
        if self.gone:
            raise OSError("pulled")
        self.heard.append(data)
        self.coming.append((self.now + 0.2, b"answer\n"))
