"""What a chip says, while it says it: bytes from a serial line to lines, notes and changes of speed.

A value machine: no port, no clock and no terminal.  Whoever has them feeds it bytes and the time, shows what
comes out, and changes the speed of the line where it is told to (imgtool.engine.jobs.monitor does).  How the
bytes are cut into pieces changes neither lines nor notes.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.operations.watching.line_speed import FIRMWARE_BAUD, ROM_BAUD, SPEEDS, Heard, LineSpeed, is_clean
from imgtool.operations.watching.notes import BootNotes, WatchNote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.formats.elf.symbols import ElfSymbols

__all__ = ["Watch", "WatchEvent", "WatchLine", "WatchNote", "WatchSpeed", "WatchText"]

_LONGEST: Final = 4096  # characters; what goes on longer is cut into lines
_PAUSE: Final = 0.3  # s without a byte, after which what has come is judged
_PIECES: Final = re.compile(r"[^\r\n]+|[\r\n]")
_SILENCE: Final = 3.0  # s in which a chip that was reset should have said something


@dataclass(frozen=True, slots=True)
class WatchLine:
    r"""A line that has ended.

    Attributes:
        number: From 1.
        at: When its first byte came, s.
        text: What it says, in UTF-8; bytes that are none stand as ``\xNN``.  Control characters of the
            device are in it as they came.
        data: Its bytes, without the end of the line.
    """

    number: int
    at: float
    text: str
    data: bytes


@dataclass(frozen=True, slots=True)
class WatchText:
    """The beginning of a line that has not ended, such as a prompt.

    Attributes:
        number: That of the line.
        at: When its first byte came, s.
        text: All of it that has come.
    """

    number: int
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class WatchSpeed:
    """Set the line to another speed, and say so with ``Watch.speed_is``.

    Attributes:
        at: When, s.
        baud: To which.
    """

    at: float
    baud: int


WatchEvent = WatchLine | WatchText | WatchNote | WatchSpeed
"""What comes out of a :class:`Watch`."""


class Watch:
    """What a chip says, as lines, and what that means, as notes.

    A line ends with a line feed, or with carriage returns and a line feed or none.

    Args:
        baud: Speed of the line; None begins at that of the boot ROM and follows the chip.
        notes: Whether there are notes.
        symbols: The linked programs that are on the chip, which name the functions of a crash.
        rom: Speed of the boot ROM, where ``baud`` is None.
        firmware: Speeds at which the firmware may speak, where ``baud`` is None.
    """

    def __init__(
        self,
        baud: int | None = None,
        *,
        notes: bool = True,
        symbols: Sequence[ElfSymbols] = (),
        rom: int = ROM_BAUD,
        firmware: Sequence[int] = (FIRMWARE_BAUD,),
    ) -> None:
        self._speed = LineSpeed(baud or rom, auto=baud is None, firmware=firmware)
        self._notes = BootNotes(symbols) if notes else None
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._line: list[str] = []
        self._size = 0  # characters in it
        self._at = 0.0
        self._count = 1
        self._returned = False
        self._heard_at: float | None = None
        self._silent_at: float | None = None
        self._told_noise = False

    @property
    def baud(self) -> int:
        """The speed that the line should have."""
        return self._speed.baud

    def feed(self, data: bytes, now: float) -> list[WatchEvent]:
        """Take bytes that have come.

        Args:
            data: The bytes.
            now: The time, s; it only grows.

        Returns:
            What they come to, in order; the last one is a :class:`WatchText` if a line is open.
        """
        if not data:
            return []
        self._heard_at = now
        self._silent_at = None
        events = self._characters(self._decoder.decode(data), now)
        if self._line:
            events.append(WatchText(self._count, self._at, _shown("".join(self._line))))
        return events

    def pause(self, now: float) -> list[WatchEvent]:
        """Nothing has come; what came before may be judged now.

        Args:
            now: The time, s.
        """
        if self._silent_at is not None and now >= self._silent_at:
            self._silent_at = None
            return self._say(now, "silence", "nothing has come since the reset")
        if self._notes is None or self._heard_at is None or now - self._heard_at < _PAUSE:
            return []
        return list(self._notes.judge(now))

    def restart(self, now: float) -> list[WatchEvent]:
        """The chip is about to be reset by whoever watches it.

        Returns:
            The line that was open, and the speed at which it boots, where that is not the one of now.
        """
        events = self._end_line(now)
        if self._notes is not None:
            self._notes.restart(now)
        self._speed.restart(now)
        self._told_noise = False
        self._silent_at = now + _SILENCE
        if self._speed.auto and self._speed.baud != self._speed.rom:
            events.append(WatchSpeed(now, self._speed.rom))
        return events

    def speed_is(self, baud: int, now: float, *, chosen: bool = False) -> list[WatchEvent]:
        """The line has another speed now.

        Args:
            baud: Which.
            now: The time, s.
            chosen: Whether the user wants it so, and it is to stay.

        Returns:
            What was left of a line at the speed of before.
        """
        if chosen:
            self._speed.auto = self._told_noise = False
        # Without another one to try the boot ROM's own is listened to, and not judged before it speaks.
        self._speed.set(baud, now, judging=not self._told_noise)
        return self._end_line(now)

    def expect(self, now: float) -> list[WatchEvent]:
        """The chip is quiet where its firmware may speak next.

        Args:
            now: The time, s.

        Returns:
            The line that was open, and the speed of the firmware, where that is not the one of now.
        """
        if not self._speed.auto or self._speed.baud not in (self._speed.first, self._speed.rom):
            return []
        baud = self._speed.expect()
        return [] if baud == self._speed.baud else [*self._end_line(now), WatchSpeed(now, baud)]

    def next_speed(self) -> int:
        """The speed behind that of now, for who goes through them by hand."""
        speeds = tuple(dict.fromkeys((*SPEEDS, self._speed.baud)))
        return speeds[(speeds.index(self._speed.baud) + 1) % len(speeds)]

    def close(self, now: float) -> list[WatchEvent]:
        """The end: the line that is open, and what the last boot comes to."""
        events = self._characters(self._decoder.decode(b"", final=True), now)
        events += self._end_line(now)
        return events if self._notes is None else [*events, *self._notes.judge(now)]

    # Characters.

    def _characters(self, text: str, now: float) -> list[WatchEvent]:
        events: list[WatchEvent] = []
        for match in _PIECES.finditer(text):
            piece = match[0]
            if len(piece) == 1 or is_clean(piece):
                events += self._piece(piece, now)
            else:
                for char in piece:
                    events += self._piece(char, now)
        return events

    def _piece(self, piece: str, now: float) -> list[WatchEvent]:
        """Take a character, or several that can be read and end no line."""
        speed = self._speed
        heard = speed.hear(piece, now) if len(piece) == 1 else speed.hear_clean(len(piece), now)
        events: list[WatchEvent] = []
        if piece == "\r":
            if self._line or not self._returned:
                events = self._end_line(now, empty=True)
            self._returned = True
        elif piece == "\n":
            if not self._returned:
                events = self._end_line(now, empty=True)
            self._returned = False
        else:
            self._returned = False
            events = self._go_on(piece, now)
        if heard is Heard.NOISE:
            events += self._unreadable(now)
        elif heard is Heard.TEXT and speed.auto:
            self._told_noise = False
        return events

    def _go_on(self, piece: str, now: float) -> list[WatchEvent]:
        """The line goes on; where it gets too long it ends."""
        events: list[WatchEvent] = []
        while piece:
            if not self._line:
                self._at = now
                self._size = 0
            part = piece[: _LONGEST - self._size]
            self._line.append(part)
            self._size += len(part)
            piece = piece[len(part) :]
            if self._size >= _LONGEST:
                events += self._end_line(now)
        return events

    def _end_line(self, now: float, *, empty: bool = False) -> list[WatchEvent]:
        if not self._line:
            if not empty:
                return []
            self._at = now
        text = "".join(self._line)
        self._line.clear()
        line = WatchLine(self._count, self._at, _shown(text), _bytes(text))
        self._count += 1
        if b"rst cause:" in line.data:
            self._speed.boots_here()
        if self._notes is None:
            return [line]
        return [*self._notes.before(line.data, now), line, *self._notes.take(line.data, now)]

    # Speeds.

    def _unreadable(self, now: float) -> Iterator[WatchEvent]:
        if self._notes is not None and self._speed.auto:
            self._speed.prefer(self._notes.bauds)
        was, baud = self._speed.baud, self._speed.next()
        if baud is not None:
            yield from self._end_line(now)
            yield from self._say(now, "speed", f"unreadable at {was} baud: now {baud}")
            yield WatchSpeed(now, baud)
        elif not self._told_noise:
            self._told_noise = True
            yield from self._end_line(now)
            yield from self._say(now, "speed", self._no_speed())
            if self._speed.auto and was != self._speed.resting:
                yield WatchSpeed(now, self._speed.resting)

    def _no_speed(self) -> str:
        if self._speed.auto:
            tried = ", ".join(str(baud) for baud in self._speed.speeds)
            return f"unreadable at each of {tried} baud: another speed, or a bad line"
        return (
            f"unreadable at {self._speed.baud} baud: the boot ROM prints at {ROM_BAUD}, most firmware at "
            f"{FIRMWARE_BAUD}"
        )

    def _say(self, now: float, kind: str, text: str) -> list[WatchEvent]:
        return [] if self._notes is None else [WatchNote(now, kind, text)]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _shown(text: str) -> str:
    if text.isascii():
        return text
    return _bytes(text).decode("utf-8", "backslashreplace")
