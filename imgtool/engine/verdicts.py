"""Verdicts: what a result comes to: whether a firmware starts, whether the answer is no, and the exit code.

Not the judging itself, which is of operations; docs/exit-codes.md has the whole table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.errors import (
    ChipError,
    FormatError,
    ImgtoolError,
    InterruptedRunError,
    LayoutError,
    LossError,
    NotSaidError,
    PortError,
    RehearsalError,
    UsageError,
    VerifyError,
)

if TYPE_CHECKING:
    from imgtool.operations.compare.values import Comparison
    from imgtool.operations.explain.log import Explanation

__all__ = [
    "BUG",
    "DONE",
    "EXIT_CODES",
    "FOREIGN",
    "INTERRUPTED",
    "LOST",
    "NO",
    "USAGE",
    "answers_no",
    "code_of_explanation",
    "exit_code_of",
    "may_start",
]

DONE: Final = 0
NO: Final = 1
FOREIGN: Final = 3
LOST: Final = 8
USAGE: Final = 2
BUG: Final = 70
INTERRUPTED: Final = 130
EXIT_CODES: Final[dict[type[ImgtoolError], int]] = {
    UsageError: USAGE,
    FormatError: 3,
    LayoutError: 4,
    PortError: 5,
    ChipError: 6,
    VerifyError: 7,
    LossError: LOST,
    RehearsalError: LOST,
    NotSaidError: NO,
    InterruptedRunError: INTERRUPTED,
}
"""Exit code of each error; docs/exit-codes.md has the whole table."""


def exit_code_of(error: ImgtoolError) -> int:
    """The exit code of an error: that of the nearest class in :data:`EXIT_CODES`."""
    return next(EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES)


def code_of_explanation(result: Explanation) -> int:
    """The exit code of ``explain``."""
    return FOREIGN if result.foreign else DONE if result.ok else NO


def answers_no(comparison: Comparison, *, exact: bool) -> bool:
    """Whether ``compare`` answers no: to a difference that no firmware made, or to any if that is asked."""
    return not comparison.same if exact else comparison.differs


def may_start(boot: Explanation | None) -> bool:
    """Whether nothing in a boot log says that the firmware does not start; None for no log."""
    from imgtool.operations.explain.values import Verdict  # noqa: PLC0415 - only where a boot was watched

    if boot is None or boot.ok or boot.foreign:
        return True
    # Words of failure that no rule knows are no proof: firmware that runs says "failed" of a network, too.
    return boot.verdict in (
        Verdict.UNFINISHED,
        Verdict.CANNOT_JUDGE,
        Verdict.NOTHING_KNOWN,
        Verdict.WRONG_BAUD,
    )
