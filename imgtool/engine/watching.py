"""A chip that is watched, for a user: lines and notes as they come, with cures that have their commands.

Which lines are shown, what is made harmless in them, and what they are as JSON.  No port, no clock and no
terminal; the judgement is :mod:`imgtool.operations.watching.stream`'s, and the port is
:mod:`imgtool.engine.jobs.monitor`'s.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.engine.cures import filled
from imgtool.engine.documents import cure_fields
from imgtool.errors import UsageError
from imgtool.operations.watching import stream
from imgtool.operations.watching.stream import WatchLine, WatchNote, WatchSpeed, WatchText

if TYPE_CHECKING:
    from imgtool.operations.watching.stream import WatchEvent

__all__ = [
    "Selection",
    "Watch",
    "WatchLine",
    "WatchNote",
    "WatchText",
    "event_fields",
    "harmless",
    "line_fields",
    "note_fields",
    "pattern_of",
]

# Controls but tabs; and what Unicode has to turn directions and to hide.
_HARMFUL: Final = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


class Watch(stream.Watch):
    """What a chip says, as lines, and what that means, as notes.

    A line ends with a line feed, or with carriage returns and a line feed or none.

    Args:
        baud: Speed of the line; None begins at that of the boot ROM and follows the chip.
        notes: Whether there are notes.
        symbols: The linked programs that are on the chip, which name the functions of a crash.
    """

    def feed(self, data: bytes, now: float) -> list[WatchEvent]:
        """Take bytes that have come.

        Args:
            data: The bytes.
            now: The time, s; it only grows.

        Returns:
            What they come to, in order; the last one is a :class:`WatchText` if a line is open.
        """
        return [_filled(event) for event in super().feed(data, now)]

    def pause(self, now: float) -> list[WatchEvent]:
        """Nothing has come; what came before may be judged now.

        Args:
            now: The time, s.
        """
        return [_filled(event) for event in super().pause(now)]

    def close(self, now: float) -> list[WatchEvent]:
        """The end: the line that is open, and what the last boot comes to."""
        return [_filled(event) for event in super().close(now)]


def _filled(event: WatchEvent) -> WatchEvent:
    if isinstance(event, WatchNote) and event.cure is not None:
        return replace(event, cure=filled(event.cure))
    return event


# Which lines are shown.


def harmless(text: str) -> str:
    r"""A text as it can be shown: controls and what else drives a terminal stand as ``\x1b``."""
    return _HARMFUL.sub(_spelled, text)


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - a byte


def pattern_of(text: str) -> re.Pattern[str]:
    """What a user wants to find in lines.

    Raises:
        UsageError: It is no regular expression.
    """
    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(f"not a regular expression: {error}", found=text) from None


class Selection(NamedTuple):
    """Which lines are shown: those that match the first and not the second."""

    only: re.Pattern[str] | None = None
    but: re.Pattern[str] | None = None

    @property
    def all(self) -> bool:
        """Whether it leaves nothing out."""
        return self.only is None and self.but is None

    def takes(self, text: str) -> bool:
        """Whether a line is shown."""
        if self.only is not None and not self.only.search(text):
            return False
        return self.but is None or not self.but.search(text)


# As JSON.


def note_fields(note: WatchNote) -> dict[str, Any]:
    """A note, for JSON."""
    return {
        "at": round(note.at, 3),
        "kind": note.kind,
        "text": note.text,
        "verdict": None if note.verdict is None else str(note.verdict),
        "cure": None if note.cure is None else cure_fields(note.cure),
        "frames": [frame._asdict() for frame in note.frames],
    }


def line_fields(line: WatchLine) -> dict[str, Any]:
    """A line, for JSON."""
    return {"at": round(line.at, 3), "line": line.number, "text": line.text}


def event_fields(event: object, selection: Selection) -> dict[str, Any] | None:
    """A line, a note or a change of speed as an object of ``--events``; None for what is not told."""
    if isinstance(event, WatchLine) and selection.takes(harmless(event.text)):
        return {"event": "line", **line_fields(event)}
    if isinstance(event, WatchNote):
        return {"event": "note", **note_fields(event)}
    if isinstance(event, WatchSpeed):
        return {"event": "speed", "at": round(event.at, 3), "baud": event.baud}
    return None
