"""Images inside a longer file: another format's reading moved to the offset where its bytes stand.

Not a format.  Boot loader files that go on hold the application in a later sector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgtool.formats import fill
from imgtool.formats.images import version1, version2
from imgtool.formats.reading import Finding, Part, PartKind, Severity

if TYPE_CHECKING:
    from imgtool.formats.reading import Reading

__all__ = ["Stretch", "application_at", "filler"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Parts of a file in a row, and what is to be said of them."""

    parts: tuple[Part, ...] = ()
    findings: tuple[Finding, ...] = ()

    def __add__(self, other: Stretch) -> Stretch:
        return Stretch((*self.parts, *other.parts), (*self.findings, *other.findings))


def filler(data: bytes, start: int, stop: int) -> Stretch:
    """A stretch that should be fill: one part of fill, or one of unknown contents and a warning."""
    if start >= stop:
        return Stretch()
    value = data[start]
    if fill.is_fill(data, start, stop, value):
        return Stretch((Part(PartKind.GAP, start, stop - start, note=f"filled with 0x{value:02X}"),))
    message = f"{stop - start:,} bytes between two parts are not fill"
    part = Part(PartKind.UNKNOWN, start, stop - start, note="not fill")
    return Stretch((part,), (Finding(Severity.WARNING, "gap", message, start),))


def application_at(data: bytes, start: int, stop: int) -> Stretch:
    """What stands in ``[start, stop)``, where a boot loader looks for an application.

    The file is a flash from its first byte on, so the offset gives the addresses too.
    """
    if start >= stop:
        return Stretch()
    block = data[start:stop]
    reading = version2.read(block) or version1.read(block)
    if reading is not None:
        return _moved(reading, start)
    if fill.is_fill(block, 0, len(block), block[0]):
        return Stretch((Part(PartKind.GAP, start, stop - start, note=f"filled with 0x{block[0]:02X}"),))
    message = f"no application begins at 0x{start:05x}"
    part = Part(PartKind.UNKNOWN, start, stop - start)
    return Stretch((part,), (Finding(Severity.WARNING, "no-app", message, start),))


def _moved(reading: Reading, by: int) -> Stretch:
    moved = reading.moved(by)
    return Stretch(tuple(version2.with_address(part) for part in moved.parts), moved.findings)
