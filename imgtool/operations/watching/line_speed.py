"""At which speed a chip talks: by whether what is heard can be read.

Values only: whoever has the port changes its speed.  The boot ROM prints at 74880 baud with a crystal of
26 MHz (at 115200 with 40 MHz), and firmware goes on at a speed of its own: NodeMCU and most others at 115200,
NodeMCU before 1.5 at 9600.  docs/how-to/monitor.md.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FIRMWARE_BAUD", "ROM_BAUD", "SPEEDS", "Heard", "LineSpeed", "is_clean"]

ROM_BAUD: Final = 74_880
"""Speed of the boot ROM with a crystal of 26 MHz."""

FIRMWARE_BAUD: Final = 115_200
"""Speed of most firmware."""

SPEEDS: Final = (ROM_BAUD, FIRMWARE_BAUD, 9600)
"""What is tried, in this order."""

# Of uniform noise 0.62 cannot be read, of noise in real logs 0.35 to 0.67 (formats/logs/clean_lines.py), of
# text nothing; a much lower speed reads as zeros.  24 characters at 74880 baud are 3 ms.
_WINDOW: Final = 24
_NOISE: Final = 8  # unreadable ones among them
# s in which noise may be of the speed before: USB adapters keep what they have heard for 16 ms and more.
_GRACE: Final = 0.1
_TOLD_CONTROLS: Final = "\t\r\n\b\a\x1b"
_UNTOLD: Final = str.maketrans("", "", _TOLD_CONTROLS)
_CHANGES: Final = 8  # away from a speed that was right, until firmware is taken for one that prints both


def is_clean(text: str) -> bool:
    """Whether all of a text can be read."""
    return text.isprintable() or text.translate(_UNTOLD).isprintable()


class Heard(Enum):
    """What the last characters were."""

    LITTLE = "little"
    TEXT = "text"
    NOISE = "noise"


class LineSpeed:
    """Judges what is heard, and says which speed to try next.

    Args:
        baud: The speed of the line now.
        auto: Whether another one may be tried.
        firmware: Speeds at which the firmware may speak, the likeliest first; they are tried before others.

    Attributes:
        baud: The speed of the line now.
        auto: Whether another one may be tried.
        rom: Speed at which the chip boots; where it restarts by itself, that may be its firmware's.
        first: Speed at which it boots after a reset by hand.
        speeds: What is tried, in this order.
    """

    def __init__(self, baud: int, *, auto: bool, firmware: Sequence[int] = (FIRMWARE_BAUD,)) -> None:
        self.baud = baud
        self.auto = auto
        self.rom = baud
        self.first = baud
        self._firmware = firmware[0]
        self._read = False  # whether that was read, and not only expected
        self.speeds = tuple(dict.fromkeys((baud, *firmware, *SPEEDS)))
        self._tried = {baud}
        self._window: deque[bool] = deque(maxlen=_WINDOW)
        self._bad = self._good = 0
        self._from = 0.0
        self._deaf = False
        self._settled = False
        self._left = 0

    def hear(self, char: str, now: float) -> Heard:
        """Take the next character; bytes that are no UTF-8 come as lone surrogates.

        Args:
            char: The character.
            now: The time, s.
        """
        if self._deaf:
            return Heard.LITTLE
        bad = not is_clean(char)
        self._good = 0 if bad else self._good + 1
        if now >= self._from:
            window = self._window
            if len(window) == _WINDOW and window[0]:
                self._bad -= 1
            window.append(bad)
            self._bad += bad
            if self._bad >= _NOISE:
                return Heard.NOISE
        return self._after_good()

    def _after_good(self) -> Heard:
        if self._good < _WINDOW:
            return Heard.LITTLE
        self._settled = True
        if self.baud != self.rom:
            self._firmware = self.baud
            self._read = True
        return Heard.TEXT

    def hear_clean(self, count: int, now: float) -> Heard:
        """Take so many characters that can all be read: the same as one after the other, and fast.

        Args:
            count: How many; at least 1.
            now: The time, s.
        """
        if self._deaf:
            return Heard.LITTLE
        self._good += count
        if now >= self._from:
            self._window.extend((False,) * min(count, _WINDOW))
            self._bad = sum(self._window)
        return self._after_good()

    def boots_here(self) -> None:
        """The boot ROM was read at the speed that the line has now."""
        self.rom = self.baud
        self._deaf = False
        self._left = 0

    def next(self) -> int | None:
        """What to try after noise; None where everything was, or nothing else may be.

        Nothing is judged until the speed is set, or the boot ROM is heard.
        """
        self._deaf = True
        if not self.auto:
            return None
        if self._settled:
            self._settled = False
            self._left += 1
            if self._left > _CHANGES:
                return None
            # If it was a reset, the chip comes back to this speed.
            self._tried = set()
        order = (self.rom, self._firmware, *self.speeds)
        return next((baud for baud in order if baud not in {self.baud, *self._tried}), None)

    def prefer(self, firmware: Sequence[int]) -> None:
        """Which firmware boots is known now: its speeds come first, until one of them was read."""
        if not firmware or self._read:
            return
        self._firmware = firmware[0]
        self.speeds = tuple(dict.fromkeys((self.rom, *firmware, *SPEEDS)))

    def expect(self) -> int:
        """Where the firmware is expected to speak next; from there all may be tried, that of the ROM too."""
        self._tried = set()
        self._settled = False
        self._left = 0
        return self._firmware

    @property
    def resting(self) -> int:
        """Where to listen when no speed is right: where the firmware was read, or where the chip boots."""
        return self._firmware if self._left > _CHANGES else self.rom

    def set(self, baud: int, now: float, *, judging: bool = True) -> None:
        """The line has this speed now."""
        self.baud = baud
        self._tried.add(baud)
        self._window.clear()
        self._bad = self._good = 0
        self._from = now + _GRACE
        self._deaf = not judging

    def restart(self, now: float) -> None:
        """The chip is reset on purpose: all may be tried again."""
        self.set(self.baud, now)
        self._from = now
        self._tried = {self.rom}
        self._settled = False
        self._left = 0
