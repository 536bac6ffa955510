"""A chip that is watched, for a user: lines and notes as they come, with cures that have their commands.

No port, no clock and no terminal; the judgement is :mod:`imgtool.operations.watching.stream`'s.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imgtool.engine.cures import filled
from imgtool.operations.watching import stream
from imgtool.operations.watching.stream import WatchNote

if TYPE_CHECKING:
    from imgtool.operations.watching.stream import WatchEvent

__all__ = ["Watch"]


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
