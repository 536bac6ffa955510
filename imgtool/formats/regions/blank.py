"""Blank files: erased flash, nothing but 0xFF (blank.bin), and files of no bytes at all.

See docs/formats/blank.md.
"""

from __future__ import annotations

from typing import Final

from imgtool.formats import fill
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity

__all__ = ["read"]

# What a file of that length may be; it may be as well any other piece of erased flash.
_LENGTHS: Final = {
    0x2000: (
        "blank-otadata",
        "the RTOS SDK's ota_data_initial.bin is such a file: for its otadata partition, before any update",
    ),
}


def read(data: bytes) -> Reading | None:
    """Read a file of nothing but 0xFF, or of nothing at all."""
    if not data:
        finding = Finding(Severity.ERROR, "empty", "the file has no bytes")
        return Reading(FileKind.EMPTY, (), findings=(finding,))
    if not fill.is_fill(data, 0, len(data)):
        return None
    part = Part(PartKind.BLANK, 0, len(data), note="erased")
    known = _LENGTHS.get(len(data))
    findings = () if known is None else (Finding(Severity.NOTE, *known),)
    return Reading(FileKind.BLANK, (part,), findings=findings)
