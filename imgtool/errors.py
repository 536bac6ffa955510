"""The errors that imgtool raises, as one tree.

::

    ImgtoolError
    ├── FormatError (ValueError)   bytes that are not what they should be
    ├── LayoutError (ValueError)   parts that overlap, or do not fit the flash
    ├── PortError                  a port that cannot be opened, or is lost
    ├── ChipError                  a chip that is silent, or refuses
    └── VerifyError                flash that was written and reads back differently

Errors carry data (which input, at which offset, what was expected and what was found) and no advice about
command-line flags: the library does not know who called it.  Exit codes and hints belong to
:mod:`imgtool.cli.app`.
"""

from __future__ import annotations

from typing import Any

from imgtool.phrase import Name, Phrase

__all__ = [
    "ChipError",
    "FormatError",
    "ImgtoolError",
    "LayoutError",
    "PortError",
    "VerifyError",
]


class ImgtoolError(Exception):
    """Base of all errors that imgtool raises on purpose.

    Args:
        message: What is wrong, as one sentence without a full stop; a :class:`Phrase` where a name is in it.
        source: Name of the input at fault, such as a file name; a :class:`Phrase` if it is not all a name.
        offset: Byte offset in that input.
        expected: What should have been there, in words or as a number.
        found: What is there instead.
        check: Name of the check that refuses, where a caller may choose to go on in spite of it.
    """

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        offset: int | None = None,
        expected: str | int | None = None,
        found: str | int | None = None,
        check: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.offset = offset
        self.expected = expected
        self.found = found
        self.check = check

    def __str__(self) -> str:
        return str(self.phrase)

    @property
    def phrase(self) -> Phrase:
        """All that is to be said, with the names in it known as names."""
        source = self.source
        pieces = [] if source is None else [source if isinstance(source, Phrase) else Name(source), ": "]
        pieces.append(self.message)
        if self.offset is not None:
            pieces.append(f" at offset 0x{self.offset:05x}")
        if self.expected is not None:
            pieces += [" (expected ", _show(self.expected), ", found ", _show(self.found), ")"]
        elif self.found is not None:
            pieces += [" (found ", _show(self.found), ")"]
        return Phrase(*pieces)

    def with_source(self, source: str) -> ImgtoolError:
        """Name the input at fault, where the code that raised did not know it; returns self."""
        if self.source is None:
            self.source = source
        return self

    @property
    def data(self) -> dict[str, Any]:
        """The fields that are known, by name, for machine-readable reports."""
        fields = {
            "source": self.source,
            "offset": self.offset,
            "expected": self.expected,
            "found": self.found,
            "check": self.check,
        }
        return {name: value for name, value in fields.items() if value is not None}


def _show(value: str | int | None) -> str:
    if value is None:
        return "nothing"
    return f"0x{value:02x}" if isinstance(value, int) else value


class FormatError(ImgtoolError, ValueError):
    """The bytes of an input do not have the structure that was asked for."""


class LayoutError(ImgtoolError, ValueError):
    """Parts overlap, do not fit the flash, or have no place that can be justified."""


class PortError(ImgtoolError):
    """A port cannot be opened, or is lost."""


class ChipError(ImgtoolError):
    """The chip is silent, or refuses."""


class VerifyError(ImgtoolError):
    """The flash was written, but reads back differently.

    Args:
        message: What is wrong.
        sectors: Flash addresses of the sectors that differ.
        cause: What may be the reason, in words.
        offset: Flash address of the first byte that differs, if it is known.
        expected: The bytes that should be there, hex.
        found: The bytes that are there, hex.
    """

    def __init__(
        self,
        message: str,
        *,
        sectors: tuple[int, ...] = (),
        cause: str = "",
        offset: int | None = None,
        expected: str | None = None,
        found: str | None = None,
    ) -> None:
        super().__init__(message, offset=offset, expected=expected, found=found)
        self.sectors = sectors
        self.cause = cause

    @property
    def data(self) -> dict[str, Any]:
        """The fields that are known, by name."""
        return {**super().data, "sectors": list(self.sectors), "cause": self.cause}
