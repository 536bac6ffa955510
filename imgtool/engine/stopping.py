"""Jobs that are stopped: by a listener that raises, or by Ctrl-C; said in words that tell what was done.

Not the listening (imgtool.device.events), and no threads: who listens decides when it is enough.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from imgtool.errors import InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NOTHING_MADE", "stoppable"]

NOTHING_MADE: Final = "nothing was written"
"""What a job over files has done when it is stopped: its outputs come with its result, or not at all."""


@contextmanager
def stoppable(left: str = NOTHING_MADE) -> Iterator[None]:
    """A job, or a step of one, whose end before time is said in words.

    Args:
        left: What was done by then, and what not.

    Raises:
        InterruptedRunError: It was stopped.
    """
    try:
        yield
    except (InterruptedRunError, KeyboardInterrupt):
        raise InterruptedRunError(f"interrupted: {left}") from None
