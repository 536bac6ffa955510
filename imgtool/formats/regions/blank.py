"""Blank files: erased flash, nothing but 0xFF (blank.bin), and files of no bytes at all.

See docs/formats/blank.md.
"""

from __future__ import annotations

from imgtool.formats import fill
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity

__all__ = ["read"]


def read(data: bytes) -> Reading | None:
    """Read a file of nothing but 0xFF, or of nothing at all."""
    if not data:
        finding = Finding(Severity.ERROR, "empty", "the file has no bytes")
        return Reading(FileKind.EMPTY, (), findings=(finding,))
    if not fill.is_fill(data, 0, len(data)):
        return None
    return Reading(FileKind.BLANK, (Part(PartKind.BLANK, 0, len(data), note="erased"),))
