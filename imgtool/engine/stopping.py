"""Jobs that are stopped: by a listener that raises, or by Ctrl-C; said in words that tell what was done.

Not the listening (imgtool.device.events), and no threads: who listens decides when it is enough.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from imgtool.errors import InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NOTHING_MADE", "Left", "stoppable"]

NOTHING_MADE: Final = "nothing was written"
"""What a job over files has done when it is stopped: its outputs come with its result, or not at all."""


class Left:
    """What a job that is stopped now has done, and what not; no dataclass, as every start makes it.

    Attributes:
        words: In words; a job that changes a board sets them anew as it goes on.
    """

    __slots__ = ("words",)

    def __init__(self, words: str) -> None:
        self.words = words


@contextmanager
def stoppable(left: str = NOTHING_MADE) -> Iterator[Left]:
    """A job, or a step of one, whose end before time is said in words.

    Args:
        left: What was done by then, and what not.

    Yields:
        The same, for who has to change it.

    Raises:
        InterruptedRunError: It was stopped.
    """
    now = Left(left)
    try:
        yield now
    except (InterruptedRunError, KeyboardInterrupt):
        raise InterruptedRunError(f"interrupted: {now.words}") from None
