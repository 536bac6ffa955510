"""rBoot: the open boot loader that Sming, esp-open-rtos and others use, for flash offset 0.

A version-1 image that names itself.  A file that goes on holds its configuration at 0x1000 and applications
(ROMs) at the sectors named there.  Not firmware by itself.

Source: https://github.com/raburton/rboot and its strings in a real image; see docs/formats/rboot.md.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Final

from imgtool.chip import SECTOR
from imgtool.errors import FormatError
from imgtool.formats import fill
from imgtool.formats.firmware import identify_firmware
from imgtool.formats.images import version1
from imgtool.formats.images.embedded import Stretch, application_at, filler
from imgtool.formats.images.sdk_bootloader import loader_stretch
from imgtool.formats.reading import FileKind, Finding, Firmware, PartKind, Reading, Severity
from imgtool.formats.regions import rboot_config

__all__ = ["read"]

_VERSION: Final = re.compile(rb"rBoot v(\d+\.\d+[\w.-]*)")
# Builds differ in what they print.  Two of these tell rBoot even where a byte is damaged.
_MARKS: Final = (
    b"rBoot v",
    b"richardaburton@gmail.com",
    b"Writing default boot config.",
    b"Invalid rom selected",
    b"No good rom available",
    b"Rom %d is bad",
    b"Booting rom %d",
)
_ENOUGH_MARKS: Final = 2
_DEFAULT_ROM: Final = 0x2000
_ROM_MAGIC: Final = b"\xea\x04"


def _is_rboot(data: bytes, found: version1.ImageScan) -> bool:
    head = data[:SECTOR]
    if _VERSION.search(head) is not None or sum(mark in head for mark in _MARKS) >= _ENOUGH_MARKS:
        return True
    # A build that prints nothing is known by what stands behind it: its configuration, or where the default
    # one has the first ROM, with nothing between.
    if found.problem is not None or found.end > SECTOR or len(data) <= rboot_config.OFFSET:
        return False
    part, config, _ = rboot_config.part_at(data, rboot_config.OFFSET)
    if config is not None:
        return not config.problems
    blank = fill.is_fill(data, found.end, part.end, data[part.offset])
    return blank and data[_DEFAULT_ROM : _DEFAULT_ROM + 2] == _ROM_MAGIC


def read(data: bytes) -> Reading | None:
    """Read a file as rBoot, with its configuration and applications if the file goes on."""
    try:
        found = version1.scan(data)
    except FormatError:
        return None
    if not _is_rboot(data, found):
        return None
    stated = _VERSION.search(data[:SECTOR])
    version = None if stated is None else stated[1].decode("ascii")
    note = f"rBoot {version}" if version else "rBoot"
    place = _config_place(data)
    if place == rboot_config.OFFSET or found.problem is not None:
        whole = loader_stretch(data, found, note)
    else:
        loader = replace(version1.part_of(found), kind=PartKind.BOOTLOADER, note=note)
        whole = Stretch((loader,), version1.findings_of(found)) + filler(data, found.end, place)
    if whole.parts[-1].end == place < len(data):
        whole += _behind(data, place)
    # With an application behind it, the file is that application's.
    firmware = identify_firmware(data[SECTOR:]) or Firmware("rBoot", version)
    return Reading(FileKind.RBOOT, whole.parts, found.header, whole.findings, firmware=firmware)


def _config_place(data: bytes) -> int:
    """Where the configuration is: Mongoose OS may have it further on."""
    further = rboot_config.MONGOOSE_OFFSET
    at_usual = (
        len(data) > rboot_config.OFFSET and rboot_config.part_at(data, rboot_config.OFFSET)[1] is not None
    )
    moved = not at_usual and rboot_config.MongooseConfig.parse(data, further) is not None
    return further if moved else rboot_config.OFFSET


def _behind(data: bytes, place: int) -> Stretch:
    """The configuration and the ROMs that the file holds."""
    part, config, findings = rboot_config.part_at(data, place)
    whole = Stretch((part,), findings)
    named = (_DEFAULT_ROM,) if config is None else config.used
    starts = sorted({rom for rom in named if part.end <= rom < len(data) and rom % SECTOR == 0})
    for start, stop in itertools.pairwise([*starts, len(data)]):
        whole += filler(data, whole.parts[-1].end, start)
        whole += application_at(data, start, stop)
    if not starts:
        message = f"no ROM is in this file: the first belongs at 0x{min(named, default=0):05x}"
        whole += Stretch((), (Finding(Severity.NOTE, "no-rom", message, len(data)),))
    return whole + filler(data, whole.parts[-1].end, len(data))
