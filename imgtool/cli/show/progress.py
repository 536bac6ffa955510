"""Progress on stderr: a bar a board on a terminal, short lines elsewhere, JSON for programs.

Shows what imgtool.device.events tells.  Several threads may tell at the same time.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from imgtool.cli.show.text import columns, stderr, wrapped
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from imgtool.cli.show.text import Screen
    from imgtool.device.events import Event, Listener
    from imgtool.device.wire import Clock

__all__ = ["Progress"]

_WORDS: Final = {
    "try": "booting",
    "rehearsal": "rehearsing",
    "connect": "connecting",
    "upload": "loading stub",
    "compare": "comparing",
    "erase": "erasing",
    "write": "writing",
    "verify": "verifying",
    "read": "reading",
    "backup": "backing up",
    "prove": "observing",
    "boot": "starting",
}
_TELLING: Final = ("boot",)  # stages whose messages say what is done, and change meanwhile
_STAGE_WIDTH: Final = max(map(len, _WORDS.values()))
_REDRAW: Final = 0.1  # s between two pictures
_NEWS: Final = 10.0  # s between two lines where there is no bar
_LEAST_BAR: Final = 8
_MOST_BAR: Final = 30
_LEAST_RATE: Final = 0.2  # s before a rate means something
_LABEL: Final = 20
_MINUTE: Final = 60
_SPEED_WIDTH: Final = len("  9999 KB/s  00:00 left")


@dataclass
class _BarRow:
    """What one board does now."""

    label: Name
    stage: str = ""
    done: int = 0
    total: int = 0
    message: str = ""
    begun: float = 0.0
    now: float = 0.0
    shown: float = 0.0
    ended: str = ""
    seen: set[str] = field(default_factory=set)


class Progress:
    """The progress of one board, or of several side by side.

    Args:
        ports: Their ports.
        events: Whether to tell a program rather than a person.
        silent: Whether to say nothing.
    """

    def __init__(self, ports: Sequence[str], *, events: bool = False, silent: bool = False) -> None:
        self._lock = threading.RLock()
        several = len(ports) > 1
        self._rows = {port: _BarRow(Name(port if several else "")) for port in ports}
        self._clocks: dict[str, Clock] = {}
        self._events = events
        self._silent = silent and not events
        self._screen = stderr()
        self._bar = not events and not self._silent and _takes_pictures()
        self._drawn = 0
        self._last = 0.0
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def stop(self) -> None:
        """Have every board end at its next event."""
        self._stopped = True

    def clock(self, port: str, clock: Clock) -> None:
        """Take rates of a port by its own time, which is virtual where the chip is."""
        self._clocks[port] = clock

    def listener(self, port: str) -> Listener:
        """Who is to be told what happens at a port."""
        row = self._rows[port]

        def listen(event: Event) -> None:
            if self._stopped:
                raise KeyboardInterrupt
            with self._lock:
                clock = self._clocks.get(port)
                self._take(port, row, event, time.monotonic() if clock is None else clock.monotonic())

        return listen

    def note(self, text: str, port: str = "", kind: str = "note") -> None:
        """Say something, above the bars."""
        with self._lock:
            if self._events:
                self._write_event(port, kind, message=text)
            elif not self._silent:
                self.clear()
                self._screen.paragraph(_labelled(self._rows.get(port), text))
                self._draw()

    def end(self, port: str, text: str) -> None:
        """Show that a board is done, and how."""
        with self._lock:
            row = self._rows[port]
            row.ended = text
            if self._events:
                self._write_event(port, "end", message=text)
            elif self._bar and row.label:
                self._draw()
            elif row.label and not self._silent:
                self._screen.paragraph(_labelled(row, text))

    def clear(self) -> None:
        """Take the bars away, so that something else can be written."""
        with self._lock:
            if self._drawn:
                up = f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else ""
                self._screen.stream.write(f"\r{up}\x1b[J")
                self._screen.stream.flush()
                self._drawn = 0

    # Events.

    def _take(self, port: str, row: _BarRow, event: Event, now: float) -> None:
        if self._events:
            self._write_event(port, event.stage, event.done, event.total, event.message)
            return
        if self._silent:
            return
        if event.stage in ("retry", "note"):
            words = Phrase("trying again: ", event.message) if event.stage == "retry" else event.message
            self.note(words, port)
            return
        fresh = event.stage != row.stage
        other = event.stage in _TELLING and event.message != row.message
        if fresh or event.done < row.done:
            row.begun = now
        row.stage, row.done, row.total = event.stage, event.done, event.total
        row.message, row.now = event.message, now
        if self._bar:
            whole = event.total and event.done >= event.total
            if fresh or whole or time.monotonic() - self._last >= _REDRAW:
                self._draw()
        elif other or (event.stage not in _TELLING and self._is_news(row, now)):
            self._tell(row, now)

    def _is_news(self, row: _BarRow, now: float) -> bool:
        """Whether a stage is to be told where there is no bar: a new one, or one that lasts."""
        return row.stage not in row.seen or now - row.shown >= _NEWS

    def _tell(self, row: _BarRow, now: float) -> None:
        row.seen.add(row.stage)
        row.shown = now
        words = row.message if row.stage in _TELLING else _WORDS.get(row.stage, row.stage)
        size = f" {row.total:,} bytes" if row.total else ""
        at = f": {100 * row.done // row.total} %" if row.total and row.done and row.begun < now else ""
        self._screen.paragraph(_labelled(row, f"{words}{size}{at}"))

    def _write_event(self, port: str, stage: str, done: int = 0, total: int = 0, message: str = "") -> None:
        fields = {"event": stage, "port": port, "done": done, "total": total, "message": message}
        self._screen.stream.write(json.dumps(fields) + "\n")
        self._screen.stream.flush()

    # Pictures.

    def _draw(self) -> None:
        if not self._bar:
            return
        self.clear()
        self._last = time.monotonic()
        lines = [
            line
            for row in self._rows.values()
            if row.stage or row.ended
            for line in _picture(row, self._screen)
        ]
        if lines:
            self._screen.stream.write("\n".join(lines))
            self._screen.stream.flush()
        # A name may be longer than the terminal is wide.
        self._drawn = sum(max(1, -(-columns(line) // self._screen.width)) for line in lines)


def _takes_pictures() -> bool:
    """Whether stderr is a terminal that can be drawn over."""
    # Old Windows consoles show escape codes as they are; the ones that do not set one of these.
    capable = os.name != "nt" or "WT_SESSION" in os.environ or "TERM" in os.environ
    return sys.stderr.isatty() and capable and os.environ.get("TERM") != "dumb"


def _labelled(row: _BarRow | None, text: str) -> str:
    return text if row is None or not row.label else Phrase(row.label, ": ", text)


def _picture(row: _BarRow, screen: Screen) -> list[str]:
    """Label, stage, bar, how much of how much, rate, time left; a long label on a line of its own."""
    if len(row.label) > _LABEL:
        return [row.label, *_beside("  ", row, screen)]
    return _beside(f"{row.label:<{_LABEL}}  " if row.label else "", row, screen)


def _beside(lead: str, row: _BarRow, screen: Screen) -> list[str]:
    if not row.ended:
        lead += f"{_WORDS.get(row.stage, row.stage):<{_STAGE_WIDTH}}  "
    if row.ended or not row.total:
        first, *others = wrapped(row.ended or row.message, screen.width - 1 - len(lead))
        return [lead + first, *(" " * len(lead) + other for other in others)]
    share = min(1.0, row.done / row.total)
    done, speed = _numbers(row, share)
    # Room for the speed from the start, or the bar would change its length.
    room = screen.width - 1 - len(lead) - len(done) - _SPEED_WIDTH - 2
    if room < _LEAST_BAR:
        return [f"{lead}{done}{speed}"[: screen.width - 1]]
    cells = min(room, _MOST_BAR)
    full, empty = ("█", "░") if screen.unicode else ("#", ".")
    filled = int(cells * share)
    return [f"{lead}{full * filled}{empty * (cells - filled)}  {done}{speed}"]


def _numbers(row: _BarRow, share: float) -> tuple[str, str]:
    """How much is done; and how fast, with the time left, once that is known."""
    words = f"{int(100 * share):3d} %"
    if not row.label:
        total = f"{row.total:,}"
        words += f"  {row.done:>{len(total)},} of {total}"
    passed = row.now - row.begun
    if passed < _LEAST_RATE or not row.done:
        return words, ""
    rate = row.done / passed
    left = round((row.total - row.done) / rate)
    return words, f"  {rate / 1024:.0f} KB/s  {left // _MINUTE}:{left % _MINUTE:02d} left"
