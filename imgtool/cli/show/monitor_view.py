"""What the monitor shows: lines and notes on a screen, or as JSON lines.

Nothing that a device sends reaches the terminal as a command, unless the user wants it so.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from imgtool.cli.show.text import Span, columns, wrapped
from imgtool.engine.watching import WatchLine, WatchNote, WatchText, event_fields, harmless

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from imgtool.cli.show.text import Screen
    from imgtool.engine.jobs.monitor import MonitorEvent
    from imgtool.engine.watching import Selection
    from imgtool.operations.explain.crash_frames import Frame

__all__ = ["JsonLines", "ScreenView", "Stamp", "View"]

_PREFIX: Final = "-- imgtool: "
_STYLES: Final = {"failure": "bold yellow", "verdict": "bold cyan"}

_PLAIN: Final = "\x1b[0m"  # a device may have left a colour


class View(Protocol):
    """Who is shown what happens."""

    def show(self, event: MonitorEvent) -> None:
        """Something has happened."""


class Stamp(NamedTuple):
    """The time in front of each line: ``elapsed``, ``clock``, or none; and when the monitor began."""

    form: str
    began: datetime

    def words(self, at: float) -> str:
        """The time of a line that came so many seconds after the beginning."""
        if self.form == "elapsed":
            return f"[{at:10.3f}] "
        if self.form == "clock":
            from datetime import timedelta

            return f"[{(self.began + timedelta(seconds=at)).strftime('%H:%M:%S.%f')[:-3]}] "
        return ""


class ScreenView:
    """Lines as they come, notes in between, and the line that is being typed.

    Args:
        screen: Where to.
        stamp: The time in front of lines.
        selection: Which lines are shown.
        raw: Whether control characters of the device go to the terminal as they are.
        live: Whether the beginning of a line is shown before its end has come.
    """

    def __init__(
        self, screen: Screen, stamp: Stamp, selection: Selection, *, raw: bool = False, live: bool = True
    ) -> None:
        self._screen = screen
        self._stamp = stamp
        self._selection = selection
        self._raw = raw
        self._live = live and selection.all
        self._open = ""
        self._draft = ""
        self._drawn = 0

    def show(self, event: MonitorEvent) -> None:
        """Show a line, the beginning of one, or a note."""
        self._rub_out()
        if isinstance(event, WatchText):
            if self._live:
                self._go_on(event)
        elif isinstance(event, WatchLine):
            if self._selection.takes(harmless(event.text)):
                self._go_on(event)
                self._write("\n")
                self._open = ""
        elif isinstance(event, WatchNote):
            self._note(event)
        self._draw()

    def draft(self, text: str) -> None:
        """Show what has been typed and was not sent."""
        self._rub_out()
        self._draft = text
        self._draw()

    def echo(self, text: str) -> None:
        """Show what is sent, on a line of its own."""
        self._rub_out()
        with self._aside():
            self._screen.line(Span(text, "dim"))
        self._draw()

    def lines(self, texts: tuple[str, ...]) -> None:
        """Show lines of the monitor's own."""
        self._rub_out()
        with self._aside():
            for text in texts:
                self._own(text, "cyan")
        self._draw()

    def flush(self) -> None:
        """Have what was written be seen."""
        self._screen.stream.flush()

    def close(self) -> None:
        """Leave the terminal at the beginning of a line."""
        self._rub_out()
        if self._open:
            self._write("\n")
        self._open = ""
        if self._raw and self._screen.colour:
            self._write(_PLAIN)
        self.flush()

    def _go_on(self, line: WatchLine | WatchText) -> None:
        """Show what of a line is not shown yet."""
        text = self._stamp.words(line.at) + (line.text if self._raw else harmless(line.text))
        self._write(text[len(self._open) :])
        self._open = text

    def _note(self, note: WatchNote) -> None:
        style = _STYLES.get(note.kind, "cyan")
        with self._aside():
            self._own(note.text, style)
            if note.frames:
                self._frames(note.frames)
            if note.cure is not None:
                self._own(note.cure.text)
                for command in note.cure.commands:
                    # Never wrapped: a command is there to be copied.
                    self._screen.line(Span(_PREFIX, "dim"), "  ", Span(command, "cyan"))

    def _frames(self, frames: Sequence[Frame]) -> None:
        from imgtool.engine.boot_logs import place_words, source_words

        width = max(len(frame.source) for frame in frames)
        room = self._screen.width - len(_PREFIX)
        for frame in frames:
            where = f"  {frame.source:{width}}  0x{frame.address:08x}  {place_words(frame)}"
            source = source_words(frame)
            beside = f"{where}, {source}" if source else where
            # Templates have long names, which are cut; the place in the source is not.
            self._screen.line(Span(_PREFIX, "dim"), beside if len(beside) <= room else where[:room])
            if source and len(beside) > room:
                self._screen.line(Span(_PREFIX, "dim"), "    ", source)

    def _own(self, text: str, style: str = "") -> None:
        """A text of the monitor's own, told apart at the beginning of each line."""
        for piece in wrapped(text, self._screen.width - len(_PREFIX)):
            self._screen.line(Span(_PREFIX, "dim"), Span(piece, style))

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """For lines between those of the device; one that is open is shown again behind them."""
        if self._open:
            self._write("\n")
        yield
        self._write(self._open)

    def _write(self, text: str) -> None:
        self._screen.stream.write(text)

    # The line that is being typed, behind what the device has put out.

    def _rub_out(self) -> None:
        if self._drawn:
            self._write("\b" * self._drawn + " " * self._drawn + "\b" * self._drawn)
            self._drawn = 0

    def _draw(self) -> None:
        room = self._screen.width - 1 - columns(self._open) % self._screen.width
        shown = harmless(self._draft.replace("\t", " "))[-room:] if room > 0 else ""
        while columns(shown) > room:
            shown = shown[1:]
        self._write(shown)
        self._drawn = columns(shown)


class JsonLines:
    """Each line, note and change of speed as a line of JSON.

    Args:
        screen: Where to.
        port: The port.
        selection: Which lines are told.
    """

    def __init__(self, screen: Screen, port: str, selection: Selection) -> None:
        self._screen = screen
        self._port = port
        self._selection = selection

    def show(self, event: MonitorEvent) -> None:
        """Write what has happened."""
        fields = event_fields(event, self._selection)
        if fields is not None:
            line = {"event": fields.pop("event"), "port": self._port, **fields}
            self._screen.stream.write(json.dumps(line) + "\n")
            self._screen.stream.flush()
