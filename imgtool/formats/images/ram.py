"""RAM program: a version-1 image that is loaded over the serial line and runs without flash (load-ram).

Its code loads into the upper half of instruction RAM, which turns into the flash cache as soon as code runs
from flash; so it is no firmware.  Not a boot loader: eboot and others load there too, and are read before.

Memory: https://github.com/esp8266/esp8266-wiki/wiki/Memory-Map; see docs/formats/ram-image.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from imgtool.chip import memory_at
from imgtool.errors import FormatError
from imgtool.formats.images import version1
from imgtool.formats.reading import FileKind, Finding, Reading, Severity

__all__ = ["read"]

_CACHE: Final = "IRAM (cache)"
_RAM: Final = (_CACHE, "IRAM", "DRAM")


def read(data: bytes) -> Reading | None:
    """Read a version-1 image whose segments all load into RAM, and code of it into the cache's half."""
    if data[:1] != bytes([version1.MAGIC]):
        return None
    try:
        found = version1.scan(data)
    except FormatError:
        return None
    memories = [segment.memory for segment in found.segments]
    entry = memory_at(found.header.entry)
    at_entry = None if entry is None else entry.name
    if not memories or any(memory not in _RAM for memory in memories) or at_entry not in _RAM:
        return None
    if _CACHE not in memories:
        return None
    message = (
        "its code loads where the flash cache will be: it is run from RAM (load-ram), not written to flash"
    )
    tail, tail_findings = version1.trailing(data, found.end)
    part = replace(version1.part_of(found))
    findings = (*version1.findings_of(found), Finding(Severity.NOTE, "ram-image", message), *tail_findings)
    return Reading(FileKind.RAM_IMAGE, (part, *tail), found.header, findings)
