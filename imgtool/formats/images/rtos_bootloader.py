"""Boot loader of Espressif's RTOS SDK 3, for flash offset 0: a version-1 image known by its strings.

It reads the partition table at 0x8000 and starts an application from it.  Not the non-OS SDK's boot loader
(sdk_bootloader.py), which knows no partitions.

Source: https://github.com/espressif/ESP8266_RTOS_SDK/tree/master/components/bootloader_support and a real
image; see docs/formats/rtos-bootloader.md.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from imgtool.errors import FormatError
from imgtool.formats.images import version1
from imgtool.formats.reading import FileKind, Finding, Firmware, PartKind, Reading, Severity

__all__ = ["TABLE_OFFSET", "read"]

TABLE_OFFSET: Final = 0x8000
"""Flash offset of the partition table, unless a project moves it."""

# Log levels decide which of them a build holds; two tell it, also with a byte damaged.
_MARKS: Final = (
    b"2nd stage bootloader",
    b"load partition table error!",
    b"failed to load bootloader header!",
    b" is not bootable",
    b"Factory app partition",
    b"OTA app partition slot",
    b"Loaded app from partition at offset",
)
_ENOUGH_MARKS: Final = 2
_VERSION: Final = re.compile(rb"\0(v\d+\.\d+[\w.+-]*)\0")


def read(data: bytes) -> Reading | None:
    """Read a file as the RTOS SDK's boot loader, whole or damaged, with whatever follows it."""
    # The ESP32's boot loaders have the same strings.
    if data[:1] != bytes([version1.MAGIC]) or not version1.is_plausible(data):
        return None
    head = data[:TABLE_OFFSET]
    if sum(mark in head for mark in _MARKS) < _ENOUGH_MARKS:
        return None
    try:
        found = version1.scan(data)
    except FormatError:
        return None
    if any(segment.memory == "IROM" for segment in found.segments):
        return None
    findings = version1.findings_of(found)
    if found.end > TABLE_OFFSET and found.problem is None:
        message = f"the boot loader has {found.end:,} bytes and reaches into the partition table at 0x08000"
        findings = (*findings, Finding(Severity.ERROR, "too-large", message, TABLE_OFFSET))
    part = replace(version1.part_of(found), kind=PartKind.BOOTLOADER, note="RTOS SDK boot loader")
    if found.problem is not None:
        part = replace(part, size=len(data))
    tail, tail_findings = version1.trailing(data, part.end)
    stated = _VERSION.search(head)
    version = None if stated is None else stated[1].decode("ascii").removeprefix("v")
    return Reading(
        FileKind.RTOS_BOOTLOADER,
        (part, *tail),
        found.header,
        (*findings, *tail_findings),
        firmware=Firmware("ESP8266 RTOS SDK boot loader", version),
    )
