"""Numbers as a user writes them: in any base, with K and M for bytes.

Not flash sizes, which have names (imgtool.engine.placing), and no pairs of a number and something else.
"""

from __future__ import annotations

import re
from typing import Final

from imgtool.errors import UsageError
from imgtool.phrase import Name, Phrase

__all__ = ["number", "number_in", "number_of_32_bits"]

_NUMBER: Final = re.compile(r"(0x[0-9a-f_]+|0b[01_]+|0o[0-7_]+|[0-9][0-9_]*)(k|kb|m|mb)?\Z", re.IGNORECASE)
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20}
_END: Final = 1 << 32


def number(word: str | int, what: str = "number") -> int:
    """A number in any base, with K, M, KB or MB for bytes; one that is no word any more as it is.

    Args:
        word: The number.
        what: What to call it in the refusal.

    Raises:
        UsageError: It is none.
    """
    if isinstance(word, int):
        return word
    value = number_in(word)
    if value is None:
        raise UsageError(
            Phrase(f"not a {what}: ", Name(word)), expected="such as 0x10000, 64K or 1MB", found=Name(word)
        )
    return value


def number_in(word: str) -> int | None:
    """The number that a word is, as :func:`number` has it; None where it is none."""
    match = _NUMBER.match(word)
    if match is None:
        return None
    digits, unit = match.groups()
    base = 0 if digits[:2].lower() in ("0x", "0b", "0o") else 10
    try:
        return int(digits, base) * _UNITS[(unit or "").lower()[:1]]
    except ValueError:
        return None


def number_of_32_bits(word: str | int) -> int:
    """An address or a size that the chip can have.

    Raises:
        UsageError: It is no number, or needs more than 32 bits.
    """
    value = number(word)
    if not 0 <= value < _END:
        found = word if isinstance(word, str) else f"{value:#x}"
        raise UsageError("not a number of 32 bits", expected="at most 0xffffffff", found=found)
    return value
