"""Somebody at the serial line of a board that runs firmware: types, reads, waits; times are the chip's.

Not the judgement of what is said, nor when a boot has come to its end (session.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.virtual.board.session import Missing, missing_of
from imgtool.virtual.chip.machine import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.virtual.board.firmware_chip import FirmwareChip

__all__ = ["PROMPT", "Console"]

PROMPT: Final = b"\n> "
"""How what it has said ends where Lua waits for a line."""

_SECOND: Final = 1_000_000_000
_STEP_NS: Final = 20_000_000


class Console:
    """The line.

    Args:
        chip: The board.

    Attributes:
        said: All that the firmware has sent.
    """

    def __init__(self, chip: FirmwareChip) -> None:
        self._chip = chip
        self.said = bytearray()

    @property
    def seconds(self) -> float:
        """Time since the board was made, by its clock."""
        return self._chip.now / _SECOND

    @property
    def missing(self) -> Missing | None:
        """What of the boot ROM firmware has needed and is not there: it goes on no more."""
        return missing_of(self._chip)

    def power_on(self) -> None:
        """Switch the board on for a boot from flash, or reset it by its pin if it is on."""
        self._chip.power_on(download=False)

    def type(self, data: bytes) -> None:
        """Send bytes to the firmware, at the speed of its line."""
        self._chip.uart.arrive(data, self._chip.now, None)

    def run(self, seconds: float, done: Callable[[bytearray], bool] = lambda _: False) -> bool:
        """Let the board run.

        Args:
            seconds: How long at most.
            done: Asked of all that was said, whenever there is more: whether it is enough.

        Returns:
            Whether it was enough.
        """
        chip = self._chip
        end = chip.now + round(seconds * _SECOND)
        while chip.now < end and chip.missing is None:
            moment = min(end, chip.now + _STEP_NS)
            if chip.run(moment) is Stop.IDLE:
                chip.pass_time(moment)
            fresh = bytes(byte for byte, _, _ in chip.uart.drain())
            self.said += fresh
            if fresh and done(self.said):
                return True
        return False
