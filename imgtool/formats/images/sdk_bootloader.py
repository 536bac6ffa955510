"""Espressif's boot loader for OTA images: boot_v1.1.bin to boot_v1.7.bin, for flash offset 0.

A version-1 image that names itself.  Not firmware: it starts user1.bin at 0x1000 or user2.bin in the second
half of the flash.

Source: the files in https://github.com/espressif/ESP8266_NONOS_SDK/tree/master/bin; see
docs/formats/sdk-bootloader.md.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from imgtool.chip import SECTOR
from imgtool.errors import FormatError
from imgtool.formats.firmware import identify_firmware
from imgtool.formats.images import version1
from imgtool.formats.images.embedded import Stretch, application_at, filler
from imgtool.formats.reading import FileKind, Finding, Firmware, Part, PartKind, Reading, Severity

__all__ = ["loader_stretch", "read", "version_of"]

_VERSION: Final = re.compile(rb"2nd boot version : (\d+\.\d+[\w.]*(?:\([0-9a-f]+\))?)")
# Its own string is within its image, and that small; an application's copy of the words would be elsewhere.
_LARGEST: Final = 4 * SECTOR


def version_of(data: bytes, end: int) -> str | None:
    """The version that the boot loader states whose image ends at ``end``, None if it is none."""
    stated = _VERSION.search(data[: min(end, _LARGEST)])
    return None if stated is None else stated[1].decode("ascii")


def loader_stretch(data: bytes, found: version1.ImageScan, note: str) -> Stretch:
    """A boot loader as a part of its own sector, and what is to be said of it."""
    part: Part = replace(version1.part_of(found), kind=PartKind.BOOTLOADER, note=note)
    findings = version1.findings_of(found)
    if found.problem is None and found.end > SECTOR:
        message = (
            f"the boot loader has {found.end:,} bytes and reaches into the next sector, where data begins"
        )
        findings = (*findings, Finding(Severity.ERROR, "too-large", message, SECTOR))
    if found.problem is None and found.end >= len(data):
        return Stretch((part,), findings)
    if found.problem is not None:
        return Stretch((replace(part, size=len(data)),), findings)
    if len(data) <= SECTOR or found.end > SECTOR:
        return Stretch((part,), findings) + Stretch(*version1.trailing(data, found.end))
    return Stretch((part,), findings) + filler(data, found.end, SECTOR)


def read(data: bytes) -> Reading | None:
    """Read a file as Espressif's boot loader, with the application at 0x1000 if the file goes on."""
    try:
        found = version1.scan(data)
    except FormatError:
        return None
    version = version_of(data, found.end)
    if version is None:
        return None
    whole = loader_stretch(data, found, f"Espressif boot loader {version}")
    end = whole.parts[-1].end
    whole += application_at(data, end, len(data))
    # With an application behind it, the file is that application's.
    firmware = identify_firmware(data[SECTOR:]) or Firmware("Espressif boot loader", version)
    return Reading(FileKind.SDK_BOOTLOADER, whole.parts, found.header, whole.findings, firmware=firmware)
