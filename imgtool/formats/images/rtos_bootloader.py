"""Boot loader of Espressif's RTOS SDK 3, for flash offset 0: a version-1 image known by its strings.

It reads the partition table, mostly at 0x8000, and starts an application from it.  Not the non-OS SDK's boot
loader (sdk_bootloader.py), which knows no partitions.

Source: https://github.com/espressif/ESP8266_RTOS_SDK/tree/master/components/bootloader_support and a real
image; see docs/formats/rtos-bootloader.md.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final, NamedTuple

from imgtool.chip import RTOS_TABLE_PLACE
from imgtool.errors import FormatError
from imgtool.formats.images import version1
from imgtool.formats.reading import FileKind, Finding, Firmware, PartKind, Reading, Severity

__all__ = ["RtosLoader", "loader_of", "read"]


_LONGEST: Final = 0x1_0000  # instruction RAM, and some data
_REACH, _FAR_REACH = 0x20_0000, 0x80_0000

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
# Errors, which builds that log anything hold; the text of a copy is information alone.
_HANGS: Final = b"app bin error"
_MAPS: Final = b"flash mapped address"
_COPIES: Final = (b"Fail to initialize OTA0", b"Copy application from OAT1")
_LOGS: Final = b"load partition table error!"
_VERSION: Final = re.compile(rb"\0(v\d+\.\d+[\w.+-]*)\0")


class RtosLoader(NamedTuple):
    """What a boot loader of the RTOS SDK can start; None where its strings do not tell.

    Attributes:
        reach: Applications begin below this flash address: 2 MB up to SDK 3.3, 8 MB from 3.4 on.  Up to 3.3
            it also hangs where an image does not end before the 1 MB line behind its start.
        copies: Whether it copies the application in ``ota_1`` to ``ota_0`` and starts that one.
    """

    reach: int | None = None
    copies: bool | None = None

    @property
    def ends_before_line(self) -> bool | None:
        """Whether an image must end before a 1 MB line, and not on it; None where that is not known."""
        return None if self.reach is None else self.reach == _REACH


def loader_of(data: bytes) -> RtosLoader:
    """What the boot loader at the start of a file or a flash can start.

    By its strings and not by its version: builds of 3.2-dev have the loader of 3.4.
    """
    head = data[: _end_of(data)]
    copies = True if any(text in head for text in _COPIES) else False if _LOGS in head else None
    return RtosLoader(_REACH if _HANGS in head else _FAR_REACH if _MAPS in head else None, copies)


def _end_of(data: bytes) -> int:
    """The end of the boot loader; of a damaged one, the usual place of what follows it."""
    try:
        found = version1.scan(data)
    except FormatError:
        return RTOS_TABLE_PLACE
    return found.end if found.problem is None and found.segments else RTOS_TABLE_PLACE


def read(data: bytes) -> Reading | None:
    """Read a file as the RTOS SDK's boot loader, whole or damaged, with whatever follows it."""
    # The ESP32's boot loaders have the same strings.
    if data[:1] != bytes([version1.MAGIC]) or not version1.is_plausible(data):
        return None
    head = data[:_LONGEST]
    if sum(mark in head for mark in _MARKS) < _ENOUGH_MARKS:
        return None
    try:
        found = version1.scan(data)
    except FormatError:
        return None
    if any(segment.memory == "IROM" for segment in found.segments):
        return None
    findings = version1.findings_of(found)
    if found.end > RTOS_TABLE_PLACE and found.problem is None:
        message = (
            f"the boot loader has {found.end:,} bytes: the partition table must be behind it, and "
            f"cannot be at 0x{RTOS_TABLE_PLACE:05x} as in most builds"
        )
        findings = (*findings, Finding(Severity.WARNING, "too-large", message, RTOS_TABLE_PLACE))
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
