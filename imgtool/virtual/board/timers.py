"""The two timers of the ESP8266, FRC1 and FRC2, as firmware sets them.

Not the processor's own (CCOMPARE, imgtool.virtual.cpu.full_core), and not the watchdog.  Times are
nanoseconds of the virtual clock, counts are of the peripheral clock.

Registers and bits: ``eagle_soc.h`` of https://github.com/espressif/ESP8266_NONOS_SDK and ``timer_register.h``
of https://github.com/espressif/ESP8266_RTOS_SDK.  Seen by running firmware: a load of 0 into FRC1 is a whole
round, and nobody waits for an interrupt at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DownTimer", "UpTimer"]

LOAD, COUNT, CONTROL, CLEAR, ALARM = 0x00, 0x04, 0x08, 0x0C, 0x10

_ENABLE: Final = 1 << 7
_RELOAD: Final = 1 << 6
_EXPIRED: Final = 1 << 8
_BITS: Final = 23
_WORD: Final = 0xFFFF_FFFF
_PRESCALE: Final = {0: 1, 1: 16, 2: 256, 3: 256}


def _ticks(ns: int, hz: int, prescale: int) -> int:
    return ns * hz // (1_000_000_000 * prescale)


def _ns(ticks: int, hz: int, prescale: int) -> int:
    return -(-ticks * prescale * 1_000_000_000 // hz)


class DownTimer:
    """FRC1: counts down 23 bits, and interrupts at 0.

    Args:
        now: The clock.
        hz: Gives the peripheral clock.
    """

    def __init__(self, now: Callable[[], int], hz: Callable[[], int]) -> None:
        self._now, self._hz = now, hz
        self.reset()

    def reset(self) -> None:
        """As a reset of the chip leaves it."""
        self._load = 0
        self._control = 0
        self._expired = False
        self._started = 0
        self._from = 0
        self.due: int | None = None

    @property
    def _prescale(self) -> int:
        return _PRESCALE[self._control >> 2 & 3]

    def _start(self, at: int, count: int) -> None:
        self._started, self._from = at, count or 1 << _BITS
        self.plan()

    def plan(self) -> None:
        """See when it is due."""
        running = self._control & _ENABLE
        self.due = self._started + _ns(self._from, self._hz(), self._prescale) if running else None

    def rebase(self) -> None:
        """Before the clock changes: go on from the count that it has."""
        self._from, self._started = self._count(), self._now()

    def _count(self) -> int:
        if not self._control & _ENABLE:
            return self._from & (1 << _BITS) - 1
        gone = _ticks(self._now() - self._started, self._hz(), self._prescale)
        return self._from - gone & (1 << _BITS) - 1

    def read(self, offset: int) -> int:
        """A register."""
        if offset == LOAD:
            return self._load
        if offset == COUNT:
            return self._count()
        if offset == CONTROL:
            return self._control | (_EXPIRED if self._expired else 0)
        return 0

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        now = self._now()
        if offset == LOAD:
            self._load = value & (1 << _BITS) - 1
            self._start(now, self._load)
        elif offset == CONTROL:
            count = self._count()
            self._control = value & 0xFF
            self._start(now, count)
        elif offset == CLEAR:
            self._expired = False

    def expire(self) -> None:
        """Its moment has come: go on from the load value, or from the top."""
        moment = self.due or 0
        self._expired = True
        self._start(moment, self._load if self._control & _RELOAD else 0)


class UpTimer:
    """FRC2: counts up 32 bits, and interrupts at its alarm.

    Args:
        now: The clock.
        hz: Gives the peripheral clock.
    """

    def __init__(self, now: Callable[[], int], hz: Callable[[], int]) -> None:
        self._now, self._hz = now, hz
        self.reset()

    def reset(self) -> None:
        """As a reset of the chip leaves it."""
        self._control = 0
        self._alarm = 0
        self._base = 0
        self._since = 0
        self._expired = False
        self.due: int | None = None

    @property
    def _prescale(self) -> int:
        return _PRESCALE[self._control >> 2 & 3]

    def _count(self) -> int:
        if not self._control & _ENABLE:
            return self._base
        return self._base + _ticks(self._now() - self._since, self._hz(), self._prescale) & _WORD

    def plan(self) -> None:
        """See when it is due."""
        if not self._control & _ENABLE:
            self.due = None
            return
        ahead = (self._alarm - self._base & _WORD) or 1 << 32
        self.due = self._since + _ns(ahead, self._hz(), self._prescale)

    def rebase(self) -> None:
        """Before the clock or the prescaler changes: go on from the count that it has."""
        if not self._control & _ENABLE:
            self._since = self._now()
            return
        gone = _ticks(self._now() - self._since, self._hz(), self._prescale)
        self._base = self._base + gone & _WORD
        self._since += gone * self._prescale * 1_000_000_000 // self._hz()

    def read(self, offset: int) -> int:
        """A register."""
        if offset == COUNT:
            return self._count()
        if offset == CONTROL:
            return self._control | (_EXPIRED if self._expired else 0)
        return self._alarm if offset == ALARM else 0

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        self.rebase()
        if offset == LOAD:
            self._base = value & _WORD
        elif offset == CONTROL:
            self._control = value & 0xFF
        elif offset == CLEAR:
            self._expired = False
        elif offset == ALARM:
            self._alarm = value & _WORD
        self.plan()

    def expire(self) -> None:
        """Its alarm has come."""
        self._expired = True
        self.rebase()
        self.plan()
