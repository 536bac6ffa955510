"""Raw irom part: code that runs from flash, without any header (0x10000.bin, eagle.irom0text.bin).

Recognised by elimination, as it has no magic, no length and no checksum.  What it begins with is arbitrary.
"""

from __future__ import annotations

from typing import Final

from imgtool.chip import IROM_BASE, IROM_WINDOW
from imgtool.formats import lx106, nodemcu_page
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity

__all__ = ["OFFSETS", "parts_at", "read"]

OFFSETS: Final = (0x10000, 0x40000)
"""Flash offsets that irom is linked at: 0x10000, or 0x40000 before SDK 2.0 (never for NodeMCU)."""

_ENOUGH_POINTERS: Final = 16
# The right offset gives 21 to 83 % function starts on seven real parts, wrong ones at most 9 %.
_CLEAR_SHARE: Final = 0.15


def parts_at(data: bytes, offset: int, flash_offset: int) -> tuple[Part, ...]:
    """The irom part from ``offset`` to the end of the file, a NodeMCU record page at its start apart."""
    address = IROM_BASE + flash_offset
    page = nodemcu_page.part_at(data, offset, address)
    if page is None:
        return (Part(PartKind.IROM, offset, len(data) - offset, address),)
    size = len(data) - page.end
    rest = Part(PartKind.IROM, page.end, size, address + page.size)
    return (page, rest) if size else (page,)


def linked_at(data: bytes) -> int | None:
    """The flash offset that irom was linked for by its pointers to itself; None if they do not tell."""
    for offset in OFFSETS:
        base = IROM_BASE + offset
        end = min(base + len(data), IROM_BASE + IROM_WINDOW)
        count, share = lx106.function_share(lx106.pointers(data, base, end), data, base)
        if count >= _ENOUGH_POINTERS and share >= _CLEAR_SHARE:
            return offset
    return None


def read(data: bytes) -> Reading | None:
    """Read a file as a raw irom part if it looks like lx106 code and nothing else has claimed it."""
    page = nodemcu_page.part_at(data, 0, IROM_BASE + OFFSETS[0])
    if len(data) > IROM_WINDOW or (page is None and not lx106.looks_like_code(data)):
        return None
    linked = OFFSETS[0] if page is not None else linked_at(data)
    if linked is None:
        where = (
            "its pointers do not tell which flash offset it belongs to (0x10000, or 0x40000 before SDK 2.0)"
        )
    else:
        where = f"its pointers place it at flash offset 0x{linked:05x}"
    certainty = (
        "by its record page" if page is not None else "by elimination: it has no header, and it is lx106 code"
    )
    findings = (
        Finding(Severity.NOTE, "irom-by-elimination", f"taken for a raw irom part {certainty}; {where}"),
        Finding(Severity.NOTE, "irom-uncovered", "no length and no checksum covers it: a cut cannot be seen"),
    )
    return Reading(FileKind.IROM, parts_at(data, 0, linked or OFFSETS[0]), findings=findings)
