"""What a run costs in time by each set of constants, counted beside the simulation as it goes.

Not the simulation's own clock: that goes by one set.  Here every set has four timelines (host, line, chip,
flash) and every event moves all of them, so that one run gives the figures for a slow adapter, for a slow
flash and for a flash that finishes blank pages early.  The constants were fixed before any result, and are
modelled: nobody has measured them for this project.  They are listed in docs/virtual/timing.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Final

from imgtool.virtual.chip.nor import MAXIMUM, TYPICAL, TYPICAL_BLANK

if TYPE_CHECKING:
    from imgtool.virtual.chip.nor import FlashTiming, Operation

__all__ = ["COLUMNS", "HOST_FIXED_NS", "INSTRUCTION_NS", "Column", "Ledger", "digest_ns"]

INSTRUCTION_NS: Final = 25
"""An instruction of the lx106: 1.3 cycles of 52 MHz."""

HOST_FIXED_NS: Final = 350_000_000
"""Resets and settling in a host tool, the same for every tool."""

_DIGEST_BYTES_PER_SECOND: Final = 650_000


@dataclass(frozen=True, slots=True)
class Column:
    """One set of constants.

    Attributes:
        latency_ms: The host's turn-round per request and reply.
        flash: ``typical`` or ``maximum`` times of the flash.
        blank_pages: ``full`` page time, or ``short`` (0.05 ms), for a page that is all 0xFF.
        digest: ``equal`` (0.65 MB/s for any digest of flash content, with its read) or ``counted`` (by
            instructions, where the digest is code that the host has uploaded).
    """

    latency_ms: int
    flash: str
    blank_pages: str
    digest: str

    @property
    def timing(self) -> FlashTiming:
        """The times of the flash."""
        timing = TYPICAL if self.flash == "typical" else MAXIMUM
        return timing if self.blank_pages == "full" else replace(timing, blank_page=TYPICAL_BLANK.blank_page)


COLUMNS: Final = tuple(
    Column(*values)
    for values in product((1, 16), ("typical", "maximum"), ("full", "short"), ("equal", "counted"))
)
"""The first one is the headline."""


def digest_ns(size: int) -> int:
    """Nanoseconds that a digest of so many bytes of flash takes, reading them included."""
    return size * 1_000_000_000 // _DIGEST_BYTES_PER_SECOND


class _LineCount:
    """The timelines of one column, ns."""

    __slots__ = ("chip", "column", "flash", "host", "line", "out", "speaking", "timing")

    def __init__(self, column: Column) -> None:
        self.column = column
        self.timing = column.timing
        self.host = self.line = self.chip = self.flash = self.out = self.speaking = 0


class Ledger:
    """All columns of a run; every method is an event, in the order in which the chip sees them."""

    def __init__(self, flash_size: int) -> None:
        self._size = flash_size
        self._lines = [_LineCount(column) for column in COLUMNS]

    def sent(self, size: int, step: int, *, turned: bool) -> None:
        """The host sends bytes; ``turned`` where it had to wait for an answer before."""
        for one in self._lines:
            ready = one.host + (one.column.latency_ms * 1_000_000 if turned else 0)
            one.line = max(one.line, ready) + size * step

    def received(self, left: int, step: int) -> None:
        """The chip has taken all that was sent but for ``left`` bytes."""
        for one in self._lines:
            one.chip = max(one.chip, one.line - left * step)

    def worked(self, ns: int) -> None:
        """The chip computes."""
        if ns:
            for one in self._lines:
                one.chip += ns

    def operated(self, operation: Operation, *, slow: bool) -> None:
        """The flash begins an operation, once it has ended the one before."""
        for one in self._lines:
            timing = MAXIMUM if slow else one.timing
            one.chip = max(one.chip, one.flash)
            one.flash = one.chip + timing.duration(operation.kind, size=self._size, blank=operation.blank)

    def status_written(self) -> None:
        """The flash begins to write its status register, once it has ended what it did before."""
        for one in self._lines:
            one.chip = max(one.chip, one.flash)
            one.flash = one.chip + one.timing.status

    def waited(self) -> None:
        """The chip waits until the flash is ready."""
        for one in self._lines:
            one.chip = max(one.chip, one.flash)

    def digested(self, counted_ns: int, equal_ns: int) -> None:
        """The chip makes a digest of flash content."""
        for one in self._lines:
            one.chip += equal_ns if one.column.digest == "equal" else counted_ns

    def speaks(self) -> None:
        """The chip begins to send; it may go on with its work meanwhile."""
        for one in self._lines:
            one.speaking = one.chip

    def answered(self, ns: int) -> None:
        """The chip has sent, since it began, what takes so long on the line."""
        for one in self._lines:
            one.out = max(one.out, one.speaking) + ns
            one.host = max(one.host, one.out)

    def seconds(self) -> list[float]:
        """Modelled seconds of each column, the host's fixed share included."""
        return [(max(one.host, one.line, one.chip) + HOST_FIXED_NS) / 1e9 for one in self._lines]
