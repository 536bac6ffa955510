"""The line between a host and the virtual chip: who sends when, what faults do to it, what crosses it.

Not a port and not a server: those carry bytes to and from here.  Times are the chip's, in nanoseconds.
"""

from __future__ import annotations

import re
from collections import deque
from itertools import groupby
from typing import TYPE_CHECKING, Final

from imgtool.errors import PortError
from imgtool.formats.logs.serial_line import byte_time, heard_at
from imgtool.virtual.chip.faults import LinePause, Unplugged
from imgtool.virtual.chip.machine import Activity

if TYPE_CHECKING:
    from imgtool.virtual.chip.machine import VirtualChip
    from imgtool.virtual.line.record import Recorder

__all__ = ["Count", "PortGoneError", "VirtualLine"]

_TAIL: Final = 64
# The last frame of a host that loads a program and goes: MEM_END (06) with eight bytes, of which the first
# four are 0 for "execute".  The checksum and the entry point may have escapes in them.
_STARTS: Final = re.compile(rb"\xc0\x00\x06\x08\x00[^\xc0]{4,8}\x00{4}[^\xc0]{4,8}\xc0\Z", re.DOTALL)


class PortGoneError(PortError):
    """The fault plan has unplugged the port."""


class Count:
    """Bytes and SLIP frames that have passed in one direction."""

    def __init__(self) -> None:
        self.size = 0
        self.frames = 0
        self._open = False
        self._empty = True

    def add(self, data: bytes) -> None:
        """Count bytes."""
        self.size += len(data)
        pieces = data.split(b"\xc0")
        for number, piece in enumerate(pieces):
            if number:
                # A delimiter: it ends a frame that has content, and otherwise begins one.
                if self._open and not self._empty:
                    self.frames += 1
                    self._open = False
                else:
                    self._open = True
                self._empty = True
            if piece:
                self._empty = False


class VirtualLine:
    """One line to one chip, over all connections.

    Args:
        chip: The chip.
        recorder: Takes down the traffic.

    Attributes:
        chip: The chip.
        host_baud: The host's speed where it is known; None where it is not.  What reaches the host is read
            at this speed.
        to_chip: What the chip was sent, before faults.
        from_chip: What the chip has sent, before faults.
        line_free: When the last byte of the host has left.
        wall_ns: The host's time where it is bound to real time, else None.
        slept_ns: How long the host has really been silent since the last output, where that was a pause.
    """

    def __init__(self, chip: VirtualChip, recorder: Recorder | None = None) -> None:
        self.chip = chip
        self.host_baud: int | None = None
        self.to_chip = Count()
        self.from_chip = Count()
        self.line_free = 0
        self.wall_ns: int | None = None
        self.slept_ns = 0
        self._recorder = recorder
        self._host_ready = 0
        self._turned = False
        self._held_until = 0
        self._back_at = 0
        self._gone = False
        self._kept = False
        self._tail = b""
        self._frames_before = 0  # from the chip, when the host last sent something
        self._on_its_way: deque[tuple[int, int, int]] = deque()

    # Connections.

    def power_on(self, *, download: bool) -> None:
        """Switch the chip on, if it is off."""
        if self.chip.activity is Activity.OFF:
            if self._recorder is not None:
                self._recorder.event(self.chip.now, "power", download=download)
            self.chip.power_on(download=download)

    def connect(self, *, download: bool) -> None:
        """A host opens the line: the chip is reset, unless it runs a program that was started last.

        A host that loads a program into RAM closes the line when it has started it; the next one sees what
        the program says.  Not so a flasher stub that has greeted the host which started it: that host was
        there to go on with it, and another one expects the loader.
        """
        if self._recorder is not None:
            self._recorder.event(self.chip.now, "connect", download=download)
        chip = self.chip
        chip.injector.connect()
        started_last = chip.activity is Activity.PROGRAM and _STARTS.search(self._tail) is not None
        if started_last and not self._greeted and not self._kept:
            self._kept = True
        else:
            self._kept = False
            chip.power_on(download=download)
            # What the last host has put on the line is gone with the reset.
            self.line_free = chip.now
        self._turned = False

    @property
    def _greeted(self) -> bool:
        """Whether the chip has said more in frames, since the host last spoke, than the answer to that."""
        return self.from_chip.frames - self._frames_before > 1

    def disconnect(self) -> None:
        """The host closes the line."""
        if self._recorder is not None:
            self._recorder.event(self.chip.now, "disconnect")
            self._recorder.flush()

    def lines(self, *, dtr: bool, rts: bool) -> None:
        """The host sets DTR and RTS."""
        if self._recorder is not None:
            self._recorder.event(self.chip.now, "lines", dtr=dtr, rts=rts)
        self.chip.set_lines(dtr=dtr, rts=rts)

    def gone(self, now: int) -> int:
        """For how long the port is still unplugged, ns; 0 if it is there."""
        if self._gone and now >= self._back_at:
            self._gone = False
        return max(0, self._back_at - now) if self._gone else 0

    # Host to chip.

    def send(self, data: bytes, *, baud: int | None = None, at: int = 0) -> None:
        """The host sends bytes.

        Args:
            data: What it sends.
            baud: At which speed; None where that is not known.
            at: Not before this time.

        Raises:
            PortGoneError: The port is unplugged, or the fault plan unplugs it within these bytes.
        """
        if not data:
            return
        chip = self.chip
        chip.book_output()
        self.host_baud = baud
        self.to_chip.add(data)
        self._frames_before = self.from_chip.frames
        self._tail = (self._tail + data)[-_TAIL:]
        if baud is not None and chip.activity is Activity.LOADER and not chip.loader.synced:
            chip.uart.measure(baud)
        step = byte_time(baud or chip.uart.baud)
        ready = at
        if self.wall_ns is not None:
            ready = max(ready, self.wall_ns)
        elif self._turned:
            ready = max(ready, self._host_ready + max(chip.setup.latency_ns, self.slept_ns))
        # A host that was late in real time is late here too: what the chip has computed stands.
        start = max(ready, self.line_free, chip.now)
        chip.ledger.sent(len(data), step, turned=self._turned)
        self._turned = False
        self.line_free = start + len(data) * step
        if self._recorder is not None:
            self._recorder.to_chip(start, data, baud)
        for piece in chip.injector.incoming(data):
            if isinstance(piece, Unplugged):
                self._unplug(piece.ns)
                raise PortGoneError("the fault plan has unplugged the port")
            if isinstance(piece, LinePause):
                start += piece.ns
            else:
                start = chip.uart.arrive(piece, start, baud)
        self.line_free = max(self.line_free, start)

    def _unplug(self, ns: int) -> None:
        self._gone = True
        self._back_at = self.chip.now + ns

    # Chip to host.

    def take(self, until: int | None = None) -> list[tuple[int, int]]:
        """What reaches the host and was not taken before: (byte, time), in order.

        Args:
            until: Leave on the line what the chip sends after this time: the host may change its speed by
                then.  None for all that the chip has put out.
        """
        return self._pass_on(self.chip.uart.drain(), until)

    def take_sent(self, until: int) -> list[tuple[int, int]]:
        """As :meth:`take`, but more may follow at once: the host has its chance to react after that."""
        return self._pass_on(self.chip.uart.drain(until), until)

    def _pass_on(self, drained: list[tuple[int, int, int]], until: int | None) -> list[tuple[int, int]]:
        for baud, group in groupby(drained, key=lambda item: item[2]):
            self._book([(byte, at) for byte, at, _ in group], baud)
        waiting = self._on_its_way
        waiting += drained
        due: list[tuple[int, int, int]] = []
        while waiting and (until is None or waiting[0][1] <= until):
            due.append(waiting.popleft())
        arrived: list[tuple[int, int]] = []
        for baud, group in groupby(due, key=lambda item: item[2]):
            arrived += self._through_faults([(byte, at) for byte, at, _ in group], baud)
        if arrived:
            self._host_ready = max(self._host_ready, arrived[-1][1])
        return arrived

    def _book(self, sent: list[tuple[int, int]], baud: int) -> None:
        data = bytes(byte for byte, _ in sent)
        self.from_chip.add(data)
        if self._recorder is not None:
            self._recorder.from_chip(sent[0][1], data, baud)
        self._turned = True
        self._host_ready = max(self._host_ready, sent[-1][1])

    def _through_faults(self, sent: list[tuple[int, int]], baud: int) -> list[tuple[int, int]]:
        arrived: list[tuple[int, int]] = []
        at = 0
        for piece in self.chip.injector.outgoing(bytes(byte for byte, _ in sent)):
            if isinstance(piece, Unplugged):
                self._unplug(piece.ns)
                break
            if isinstance(piece, LinePause):
                moment = sent[min(at, len(sent) - 1)][1]
                self._held_until = max(self._held_until, moment) + piece.ns
                continue
            # Each byte at the time of the one in whose place it stands.
            for byte in piece if self.host_baud is None else heard_at(piece, baud, self.host_baud):
                # What was held back comes at once when the hold ends, and what is sent later in its time.
                arrived.append((byte, max(sent[min(at, len(sent) - 1)][1], self._held_until)))
                at += 1
        return arrived
