"""UART0 of the virtual ESP8266: registers, a receive FIFO of 128 bytes metered by the clock, a transmit FIFO.

Not the chip's programs, and not the host's end.  Register names and bits are those of Espressif's
uart_register.h (https://github.com/espressif/ESP8266_RTOS_SDK,
components/esp8266/include/esp8266/uart_register.h).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.formats.logs.serial_line import byte_time, heard_at

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["APB_HZ", "CLKDIV", "CONF0", "FIFO_RESETS", "FIFO_SIZE", "Uart"]

APB_HZ: Final = 52_000_000
"""The peripheral clock in download mode: twice the crystal's 26 MHz; the divider shows it to hosts."""

FIFO_SIZE: Final = 128

_MUCH_OUTPUT: Final = 4096
_NEVER: Final = 1 << 62

FIFO: Final = 0x00
INT_RAW: Final = 0x04
INT_ST: Final = 0x08
INT_ENA: Final = 0x0C
INT_CLR: Final = 0x10
CLKDIV: Final = 0x14
AUTOBAUD: Final = 0x18
STATUS: Final = 0x1C
CONF0: Final = 0x20
CONF1: Final = 0x24
_PLAIN: Final = (AUTOBAUD, CONF0, 0x28, 0x2C, 0x30, 0x7C)
_DATE: Final = 0x78
_DATE_VALUE: Final = 0x0006_2000
"""What hosts tell the chip by: esptool up to 3.0 asks for it."""

RX_FULL: Final = 1 << 0
TX_EMPTY: Final = 1 << 1
RX_OVERFLOW: Final = 1 << 4
RX_TIMEOUT: Final = 1 << 8
_DIVIDER: Final = 0xFFFFF
_DIVIDER_AT_RESET: Final = 0x2B6  # some firmware divides by it before it sets it
_EIGHT_BITS: Final = 0b11 << 2
_RX_RESET: Final = 1 << 17
_TX_RESET: Final = 1 << 18
FIFO_RESETS: Final = _RX_RESET | _TX_RESET
"""Bits of CONF0."""
_TIMEOUT_ON: Final = 1 << 31


@dataclass(slots=True)
class _Burst:
    """Bytes that the host put on the line back to back; byte i has arrived at ``start + (i + 1) * step``.

    ``sent`` is the host's speed until the first byte arrives: only then it shows what a chip hears of them.
    """

    data: bytes
    start: int
    step: int
    sent: int | None
    taken: int = 0

    def hear(self, baud: int) -> None:
        """The chip begins to receive, at its own speed."""
        if self.sent is not None:
            time = len(self.data) * self.step
            self.data = heard_at(self.data, self.sent, baud)
            self.step = max(1, time // max(1, len(self.data)))
            self.sent = None


class Uart:
    """The registers at 0x60000000 and both directions of the line.

    Args:
        now: The chip's clock, nanoseconds.

    Attributes:
        baud: What its divider makes, bits a second.
        overflows: Received bytes that found the FIFO full and were lost.
        on_side_effect: Called when a read changes something, so that a loop around it is not taken for idle.
        on_speaking: Called when output begins: after silence, or after what there was has been booked.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._hz = APB_HZ
        self._line: deque[_Burst] = deque()
        self._sent: deque[tuple[int, int, int]] = deque()
        self._unanswered: int | None = None
        self._line_free = 0
        self._unbooked_ns = 0
        self._event = 0  # when something can come in; 0 where that has to be looked up
        self.overflows = 0
        self.on_side_effect: Callable[[], None] = lambda: None
        self.on_speaking: Callable[[], None] = lambda: None
        self.reset()

    def reset(self) -> None:
        """Power-on values; what is on the line at that moment is lost."""
        self._fifo: deque[int] = deque()
        self._line.clear()
        now = self._now()
        self._hz = APB_HZ
        self._drop_sent(now)
        self._unanswered = None
        self._line_free = now
        self._plain = dict.fromkeys(_PLAIN, 0) | {_DATE: _DATE_VALUE}
        self.measure(115_200)
        self._set_conf1(0x60)
        self._raw = 0
        self._enabled = 0
        self._last_arrival = 0
        self._timeout_due = False
        self._event = 0

    def set_up_by_rom(self) -> None:
        """As the ROM's loader leaves it for a program that it starts: an interrupt for every single byte."""
        self._plain[CONF0] = _EIGHT_BITS
        self._set_conf1(1)
        self._enabled = RX_FULL

    def measure(self, baud: int) -> None:
        """Take a host's speed as one's own, as the ROM does.

        It takes the mean of a low and a high pulse, and 12 more; at 115200 baud chips show 0x1C4 for it, one
        more than their clock would give (https://github.com/espressif/esptool/issues/397).
        """
        self._set_divider(round(APB_HZ / baud) + 1)

    def _set_divider(self, value: int) -> None:
        self._divider = max(1, value & _DIVIDER)
        self._baud = round(self._hz / self._divider)
        self._step = byte_time(self._baud)
        self._event = 0

    def set_clock(self, hz: int) -> None:
        """The peripheral clock changes, and with it the speed."""
        self._hz = hz
        self._set_divider(self._divider)

    def set_clock_at_reset(self) -> None:
        """As a reset leaves it, the divider included."""
        self._hz = APB_HZ
        self._set_divider(_DIVIDER_AT_RESET)

    def _set_conf1(self, value: int) -> None:
        self._conf1 = value
        self._threshold = max(1, value & 0x7F)
        # Of the time-out, in units of eight bits (technical reference, rx_tout_thrhd).
        self._timeout_units = value >> 24 & 0x7F if value & _TIMEOUT_ON else 0
        self._event = 0

    @property
    def baud(self) -> int:
        """Bits a second."""
        return self._baud

    @baud.setter
    def baud(self, value: int) -> None:
        self._set_divider(APB_HZ // value)

    @property
    def divider(self) -> int:
        """The value of the divider register."""
        return self._divider

    # The host's side.

    def arrive(self, data: bytes, start: int, baud: int | None) -> int:
        """Put bytes on the line from a host at some speed; returns when the last one has arrived.

        Args:
            data: What the host sends, back to back.
            start: When the first start bit begins, ns.
            baud: The host's speed; None where it cannot be known, which is taken as the chip's own.
        """
        step = byte_time(baud or self.baud)
        if data:
            self._line.append(_Burst(data, start, step, baud))
            self._event = 0
        return start + len(data) * step

    @property
    def on_the_line(self) -> int:
        """Bytes that have not arrived yet."""
        return sum(len(burst.data) - burst.taken for burst in self._line)

    def drain(self, until: int | None = None) -> list[tuple[int, int, int]]:
        """What has been sent since the last call: (byte, time when its stop bit ends, speed), in order.

        Args:
            until: Only what has left by then; that it has been drained is no reaction yet, see
                :attr:`pending`.  None for all.
        """
        if until is None:
            sent = list(self._sent)
            self._sent.clear()
            self._unanswered = None
            return sent
        sent = []
        while self._sent and self._sent[0][1] <= until:
            sent.append(self._sent.popleft())
        if sent:
            self._unanswered = sent[-1][1]
        return sent

    @property
    def pending(self) -> int | None:
        """When the last byte has left to which the host has not had its chance to react; None for none."""
        return self._sent[-1][1] if self._sent else self._unanswered

    @property
    def oldest(self) -> int | None:
        """When the first byte that nobody has drained has left, or will have; None for none."""
        return self._sent[0][1] if self._sent else None

    @property
    def step(self) -> int:
        """Nanoseconds that a byte takes at its speed."""
        return self._step

    @property
    def can_interrupt(self) -> bool:
        """Whether any interrupt is switched on."""
        return bool(self._enabled)

    @property
    def crowded(self) -> bool:
        """Whether so much output waits that it should be drained before there is more."""
        return len(self._sent) >= _MUCH_OUTPUT

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way to the chip, and no time-out is: only the host can change that."""
        return self._event == _NEVER

    @property
    def sending(self) -> bool:
        """Whether there is output that nobody has drained."""
        return bool(self._sent)

    def _empty_sender(self) -> None:
        """Forget what waits in the FIFO; the byte that is on its way leaves."""
        now = self._now()
        if self._sent:
            self._drop_sent(now + byte_time(self._sent[0][2]))
        self._line_free = max(now, self._sent[-1][1]) if self._sent else now

    def _drop_sent(self, moment: int) -> None:
        """Forget what would leave after a moment."""
        while self._sent and self._sent[-1][1] > moment:
            _, _, speed = self._sent.pop()
            self._unbooked_ns = max(0, self._unbooked_ns - byte_time(speed))

    # The chip's side.

    def deliver(self) -> None:
        """Move what has arrived by now into the FIFO, and set the interrupt bits that follow."""
        now = self._now()
        if now < self._event:
            return
        if not self._line and not self._timeout_due:
            self._event = _NEVER
            return
        while self._line and self._arrived_from(self._line[0], now):
            self._line.popleft()
        if len(self._fifo) >= self._threshold:
            self._raw |= RX_FULL
        if self._timeout_due and self._fifo and self._timeout_units and now >= self._timeout_at:
            self._timeout_due = False
            self._raw |= RX_TIMEOUT
        self._event = self._next_event()

    def _next_event(self) -> int:
        """When the next byte arrives, or the time-out after the last one does; what is past counts too."""
        event = _NEVER
        if self._line:
            burst = self._line[0]
            event = burst.start + (burst.taken + 1) * burst.step
        if self._timeout_due and self._fifo and self._timeout_units:
            event = min(event, self._timeout_at)
        return event

    def _arrived_from(self, burst: _Burst, now: int) -> bool:
        """Take what has arrived of a burst; whether that is all of it."""
        if now >= burst.start + burst.step:
            burst.hear(self._baud)
        count = min(len(burst.data), (now - burst.start) // burst.step)
        if count > burst.taken:
            fresh = burst.data[burst.taken : count]
            room = FIFO_SIZE - len(self._fifo)
            if len(fresh) > room:
                self.overflows += len(fresh) - room
                self._raw |= RX_OVERFLOW
                fresh = fresh[:room]
            self._fifo.extend(fresh)
            burst.taken = count
            self._last_arrival = burst.start + count * burst.step
            self._timeout_due = True
        return burst.taken == len(burst.data)

    @property
    def _timeout_at(self) -> int:
        return self._last_arrival + self._timeout_units * self._step * 8 // 10

    def _times_out_within(self, burst: _Burst) -> bool:
        """Whether bytes that come back to back are so slow that each is followed by the time-out."""
        return 0 < self._timeout_units * self._step * 8 // 10 < burst.step

    def next_change(self) -> int | None:
        """When a register or an interrupt bit changes next by itself; None if nothing is due."""
        now = self._now()
        next_change = _NEVER
        past = False
        timeout = _NEVER
        if self._timeout_due and self._fifo and self._timeout_units:
            timeout = self._timeout_at
        if self._line:
            burst = self._line[0]
            wanted = burst.taken + 1
            if burst.start + wanted * burst.step <= timeout:
                timeout = _NEVER  # it begins anew with that byte
            if self._enabled & RX_FULL and not self._times_out_within(burst):
                # A program that waits for the interrupt sees nothing before the FIFO is that full.
                wanted = burst.taken + max(1, self._threshold - len(self._fifo))
            moment = burst.start + min(wanted, len(burst.data)) * burst.step
            if moment > now:
                next_change = moment
            else:
                past = True
        if timeout <= now:
            past = True
        elif timeout < next_change:
            next_change = timeout
        if self._line_free > now:
            next_change = min(next_change, now + (self._line_free - now - 1) % self._step + 1)
        if next_change < _NEVER:
            return next_change
        return now + 1 if past else None

    def arrival_of(self, count: int) -> int | None:
        """When that many more bytes of the first burst, or its rest, have arrived; None if there are none."""
        if not self._line:
            return None
        burst = self._line[0]
        return burst.start + min(len(burst.data), burst.taken + count) * burst.step

    @property
    def interrupt(self) -> bool:
        """Whether the interrupt line is up."""
        return bool(self._raw & self._enabled)

    @property
    def interrupts(self) -> int:
        """The conditions that are switched on and hold, as bits of the interrupt registers."""
        return self._pending & self._enabled

    def next_interrupt(self) -> int | None:
        """When a condition that is switched on can come up next by itself; None if none can."""
        moments = []
        if self._enabled & (RX_FULL | RX_TIMEOUT):
            change = self.next_change()
            if change is not None:
                moments.append(change)
        if self._enabled & TX_EMPTY and self._line_free > self._now():
            moments.append(max(self._now() + 1, self._line_free - self._step))
        return min(moments, default=None)

    @property
    def waiting(self) -> int:
        """Bytes in the receive FIFO."""
        return len(self._fifo)

    def pop(self) -> int | None:
        """The oldest received byte, or None."""
        if not self._fifo:
            return None
        if len(self._fifo) <= self._threshold:
            self._raw &= ~RX_FULL
        return self._fifo.popleft()

    def take(self) -> bytes:
        """All received bytes."""
        data = bytes(self._fifo)
        self._fifo.clear()
        self._raw &= ~RX_FULL
        return data

    def send(self, data: bytes, *, baud: int | None = None, now: int | None = None) -> int:
        """Send bytes as the chip; returns when the last one has left."""
        speed = baud or self.baud
        step = byte_time(speed)
        start = self._now() if now is None else now
        if start >= self._line_free or not self._unbooked_ns:
            self.on_speaking()
        free = max(self._line_free, start)
        self._unbooked_ns += len(data) * step
        for byte in data:
            free += step
            self._sent.append((byte, free, speed))
        self._line_free = free
        return free

    def put(self, value: int) -> None:
        """Store a byte to the FIFO, as a program does."""
        start = self._now()
        if start >= self._line_free or not self._unbooked_ns:
            self.on_speaking()
        free = max(self._line_free, start) + self._step
        self._unbooked_ns += self._step
        self._sent.append((value & 0xFF, free, self._baud))
        self._line_free = free

    def book(self) -> int:
        """Nanoseconds on the line of what was sent since the last call."""
        ns, self._unbooked_ns = self._unbooked_ns, 0
        return ns

    @property
    def unsent(self) -> int:
        """Bytes in the transmit FIFO, the one on the line not counted."""
        return max(0, -(-(self._line_free - self._now()) // self._step) - 1)

    def space_at(self) -> int:
        """When the transmit FIFO has room for a byte."""
        over = self.unsent - (FIFO_SIZE - 2)
        return self._now() + max(0, over) * self._step

    @property
    def departs_at(self) -> int:
        """When the byte that is on its way out has left, while there is one."""
        now = self._now()
        return now + (self._line_free - now - 1) % self._step + 1

    @property
    def quiet_at(self) -> int:
        """When all output has left."""
        return max(self._now(), self._line_free)

    def read_fifo(self) -> int:
        """Take the oldest received byte, 0 if there is none: the register at 0."""
        self.deliver()
        self.on_side_effect()
        return self.pop() or 0

    def read_status(self) -> int:
        """How full both FIFOs are: the register at 0x1C."""
        now = self._now()
        if now >= self._event:
            self.deliver()
        received = len(self._fifo)
        if now >= self._line_free:
            return received
        return received | min(FIFO_SIZE - 1, (self._line_free - now - 1) // self._step) << 16

    def read(self, offset: int) -> int:  # noqa: PLR0911 - one for each register
        """Read a register.

        Raises:
            KeyError: There is none at that offset.
        """
        if offset == FIFO:
            return self.read_fifo()
        if offset == STATUS:
            return self.read_status()
        self.deliver()
        if offset == INT_RAW:
            return self._pending
        if offset == INT_ST:
            return self._pending & self._enabled
        if offset == INT_ENA:
            return self._enabled
        if offset == CLKDIV:
            return self._divider
        if offset == CONF1:
            return self._conf1
        if offset == INT_CLR:
            return 0
        return self._plain[offset]

    @property
    def _pending(self) -> int:
        return self._raw | (TX_EMPTY if self.unsent == 0 else 0)

    def write(self, offset: int, value: int) -> None:
        """Write a register.

        Raises:
            KeyError: There is none at that offset.
        """
        if offset == FIFO:
            self.put(value)
        elif offset == INT_ENA:
            self._enabled = value
        elif offset == INT_CLR:
            self._raw &= ~value
            self._event = 0
            self.deliver()  # a condition that still holds comes back at once
        elif offset == CLKDIV:
            self._set_divider(value)
        elif offset == CONF1:
            self._set_conf1(value)
        elif offset not in (INT_RAW, INT_ST, STATUS):
            if offset not in self._plain:
                raise KeyError(offset)
            self._plain[offset] = value
            if offset == CONF0 and value & _RX_RESET:
                self._fifo.clear()
                self._raw &= ~RX_FULL
            if offset == CONF0 and value & _TX_RESET:
                self._empty_sender()
