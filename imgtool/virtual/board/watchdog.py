"""The hardware watchdog of the ESP8266.

Not the SDK's software watchdog, which is code that runs in the first stage's interrupt.

Registers and bits: ``WDT_CTL``, ``WDT_OP``, ``WDT_OP_ND`` and ``WDT_RST`` of ``ets_sys.h``, and the watchdog
of https://github.com/espressif/ESP8266_RTOS_SDK (components/esp8266/source/task_wdt.c).  A stage takes
0.8 ms, doubled as often as its register says.  As SDKs set it, with 11 and 13, it is 8.2 s to the reset:
boards show 8 to 9 s.  That bit 2 leaves one stage only is what Espressif's boot loaders need to restart when
they find no application.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Watchdog"]

CONTROL, FIRST, SECOND, FEED = 0x00, 0x04, 0x08, 0x14
_ENABLE: Final = 1 << 0
_ONE_STAGE: Final = 1 << 2
_FOOD: Final = 0x73
_UNIT_NS: Final = 800_000


class Watchdog:
    """Two stages: an interrupt, then a reset.

    Args:
        now: The clock, ns.

    Attributes:
        due: When the stage that runs is over; None while it is off.
        bites: Whether the end of that stage is a reset, and not an interrupt.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self.reset()

    def reset(self) -> None:
        """As a reset of the chip leaves it: off."""
        self._registers = {CONTROL: 0, FIRST: 0, SECOND: 0}
        self.due: int | None = None
        self.bites = False

    def read(self, offset: int) -> int:
        """A register."""
        return self._registers.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        if offset in self._registers:
            self._registers[offset] = value
            self.feed()
        elif offset == FEED and value & 0xFF == _FOOD:
            self.feed()

    def feed(self) -> None:
        """Begin the first stage anew, if it is on."""
        self.bites = bool(self._registers[CONTROL] & _ONE_STAGE)
        running = self._registers[CONTROL] & _ENABLE
        self.due = self._now() + self._stage(FIRST) if running else None

    def _stage(self, register: int) -> int:
        return _UNIT_NS << (self._registers[register] & 0xF)

    def warn(self) -> None:
        """The first stage is over: the second begins."""
        self.bites = True
        self.due = self._now() + self._stage(SECOND)
