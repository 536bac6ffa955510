"""What a chip says, as a monitor gives it to programs: which lines, made harmless, and notes, as JSON.

Not the reading of the port, and not the screen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from imgtool.engine.documents import cure_fields
from imgtool.operations.watching.stream import WatchLine, WatchNote, WatchSpeed

if TYPE_CHECKING:
    from imgtool.operations.watching.stream import WatchEvent

__all__ = [
    "MonitorRecord",
    "MonitorRunFacts",
    "Selection",
    "View",
    "event_fields",
    "harmless",
    "line_fields",
    "monitor_fields",
    "note_fields",
]

# Controls but tabs; and what Unicode has to turn directions and to hide.
_HARMFUL: Final = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def harmless(text: str) -> str:
    r"""A text as it can be shown: controls and what else drives a terminal stand as ``\x1b``."""
    return _HARMFUL.sub(_spelled, text)


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - a byte


class View(Protocol):
    """Who is shown what happens."""

    def show(self, event: WatchEvent) -> None:
        """Something has happened."""


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


@dataclass
class MonitorRecord:
    """Keeps lines and notes for a document.

    Attributes:
        selection: Which lines are kept.
        lines: Those that have ended.
        notes: What was said.
    """

    selection: Selection
    lines: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)

    def show(self, event: WatchEvent) -> None:
        """Keep a line or a note."""
        if isinstance(event, WatchLine) and self.selection.takes(harmless(event.text)):
            self.lines.append(line_fields(event))
        elif isinstance(event, WatchNote):
            self.notes.append(note_fields(event))


def event_fields(event: WatchEvent, selection: Selection) -> dict[str, Any] | None:
    """A line, a note or a change of speed as an object of ``--events``; None for what is not told."""
    if isinstance(event, WatchLine) and selection.takes(harmless(event.text)):
        return {"event": "line", **line_fields(event)}
    if isinstance(event, WatchNote):
        return {"event": "note", **note_fields(event)}
    if isinstance(event, WatchSpeed):
        return {"event": "speed", "at": round(event.at, 3), "baud": event.baud}
    return None


class MonitorRunFacts(NamedTuple):
    """What there is to say of a run of the monitor beside its lines and notes.

    Attributes:
        port: Name of the port.
        baud: The speed at its end, None where it is not known.
        seconds: How long it ran.
        ended: Why it ended.
        size: Bytes that came.
        log: The file that they were written to, None for none.
    """

    port: str
    baud: int | None
    seconds: float
    ended: str
    size: int
    log: str | None


def monitor_fields(facts: MonitorRunFacts, record: MonitorRecord) -> dict[str, Any]:
    """A run of the monitor, for JSON."""
    return {
        "port": facts.port,
        "baud": facts.baud,
        "seconds": round(facts.seconds, 3),
        "ended": facts.ended,
        "bytes": facts.size,
        "log": facts.log,
        "lines": record.lines,
        "notes": record.notes,
    }
