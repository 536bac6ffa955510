"""What a device operation or a job tells while it runs: plain values, for whoever shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Event", "Listener", "ignore"]


@dataclass(frozen=True)  # every start of inspect makes it: with slots a class is made twice
class Event:
    """A step of a device operation, or of a job over files.

    Attributes:
        stage: ``connect``, ``upload``, ``compare``, ``erase``, ``write``, ``verify``, ``read``, ``backup``,
            ``prove``, ``boot``, ``retry``, ``note``, or ``silent`` where a chip has not answered for 5 s and
            is asked on; of a job over files the name of the job.
        done: Bytes done so far in this stage; of ``boot`` the seconds that it has lasted, of a job over files
            its steps.
        total: Bytes or steps of this stage; 0 where that is not known.
        message: A sentence for people, where there is something to say; of a job over files the file's name.
    """

    stage: str
    done: int = 0
    total: int = 0
    message: str = ""


Listener = Callable[[Event], None]


def ignore(_: Event) -> None:
    """Listen to nothing."""
