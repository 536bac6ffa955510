"""What the first boot of a firmware does by itself: about its init data, and about its file system.

The rules by release, as pure functions over what a file shows of the firmware; docs/flash-layouts.md has them
as tables, with their standing.  Nothing here looks at a flash: that is advise_look.py.  The virtual chip
spells the same a second time (imgtool/virtual/chip/boot_sdk.py), and the tests hold the two against each
other.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.formats.reading import PartKind
from imgtool.formats.regions.init_data import SETS
from imgtool.layout.regions import Region, align_up, filesystem_start

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imgtool.formats.reading import Firmware
    from imgtool.layout.regions import FlashLayout

__all__ = [
    "InitDataRepair",
    "filesystem_made",
    "format_seconds",
    "init_data_repair",
    "init_data_tested_at",
    "is_old_nodemcu",
    "spiffs_block",
    "spiffs_formula",
    "spiffs_room",
]

_NODEMCU_1_4: Final = (1, 4)
_NODEMCU_1: Final = (1,)
_SDK_NEEDS_INIT_DATA: Final = (1, 5, 4, 1)
_NODEMCU_2: Final = (2,)
_NODEMCU_2_1: Final = (2, 1)
_NODEMCU_2_2: Final = (2, 2)
_NODEMCU_3: Final = (3,)
_IRREGULAR: Final = 5  # the first size nibble that is no power of two of 256 KB
_BOOT_PART: Final = 0x1_0000
# 2.1.0 came out on 2017-05-21 with the old formula, on 2017-08-11 with the linear one, which dev had by then.
_LINEAR_FROM: Final = "20170811"
_OLD_UNTIL: Final = "20170521"

# SPIFFS of NodeMCU >= 3.0: small blocks where fewer than four large ones fit the partition.
_LARGE_BLOCK: Final = 0x2000
_SMALL_BLOCK: Final = 0x1000
_LEAST_BLOCKS: Final = 4
_SDK_SECTORS: Final = 5 * SECTOR

_SMALL_FLASH: Final = 700_000  # bytes, below which NodeMCU looks and formats behind its code at once
_LEAST_SIZE: Final = 400_000  # bytes of a file system, below which it wastes no 64 KB in front of it
_ERASE_TYPICAL: Final = 0.045  # seconds a sector, docs/virtual/timing.md
_ERASE_MOST: Final = 0.4


class InitDataRepair(StrEnum):
    """What a firmware does about missing init data before its SDK looks for it."""

    IF_ERASED = "if-erased"
    """It writes its own where the place is erased, and leaves everything else there alone."""
    UNLESS_RECORDED = "unless-recorded"
    """NodeMCU from 3.0 on: it writes its own unless byte 0 is 5, once; a record then stops it."""
    SDK_DEFAULT = "sdk-default"
    """It does nothing, and its SDK (before 1.5.4.1) starts with a default of its own."""
    NEVER = "never"
    """It does nothing, and its SDK does not start without."""
    UNKNOWN = "unknown"
    """1.5.4.1, of which some releases write it and some do not; or a firmware that imgtool does not know."""


def is_old_nodemcu(firmware: Firmware | None) -> bool:
    """Whether it is a NodeMCU before 1.5.4.1, whose SPIFFS has no magics."""
    return (
        firmware is not None and firmware.name == "NodeMCU" and () < firmware.release < _SDK_NEEDS_INIT_DATA
    )


def init_data_repair(firmware: Firmware | None, boot: bytes | None = None) -> InitDataRepair:
    """What the firmware does about missing init data.

    Args:
        firmware: Which firmware; None where it is not known.
        boot: Its image for 0, which holds the init data of releases that write it; None if it is not at hand.
    """
    if firmware is None:
        return InitDataRepair.UNKNOWN
    if firmware.name != "NodeMCU":
        numbers = re.findall(r"\d+", (firmware.sdk or "").split("(", maxsplit=1)[0])
        sdk = tuple(int(number) for number in numbers)
        return InitDataRepair.SDK_DEFAULT if () < sdk < _SDK_NEEDS_INIT_DATA else InitDataRepair.NEVER
    return _repair_of_nodemcu(firmware.release, boot)


def _repair_of_nodemcu(release: tuple[int, ...], boot: bytes | None) -> InitDataRepair:
    if not release:
        return InitDataRepair.UNKNOWN
    if release >= _NODEMCU_3:
        return InitDataRepair.UNLESS_RECORDED
    if release >= _NODEMCU_2:
        return InitDataRepair.IF_ERASED
    if release >= _SDK_NEEDS_INIT_DATA and boot is None:
        return InitDataRepair.UNKNOWN
    if release >= _SDK_NEEDS_INIT_DATA and boot is not None:
        # The whole block, as the SDK's own default in every 1.5.4.1 differs from it in byte 112 only.
        return InitDataRepair.IF_ERASED if SETS["v05"] in boot[:_BOOT_PART] else InitDataRepair.NEVER
    old = release < _NODEMCU_1 or release[:2] == _NODEMCU_1_4
    return InitDataRepair.IF_ERASED if old else InitDataRepair.SDK_DEFAULT


def init_data_tested_at(firmware: Firmware, code: int, place: int) -> int:
    """Where a NodeMCU before 3.0 tests for init data: not where its SDK reads it, in two releases.

    Args:
        firmware: Which NodeMCU.
        code: Size nibble of its header.
        place: Where its SDK reads init data.
    """
    if _SDK_NEEDS_INIT_DATA <= firmware.release < _NODEMCU_2_1 and code >= _IRREGULAR:
        return (0x4_0000 << code) - 4 * SECTOR
    return place


def spiffs_formula(firmware: Firmware | None, boot: bytes | None = None) -> str | None:
    """By which formula NodeMCU writes SPIFFS magics: ``linear``, ``old``, ``none``, or None if not known.

    Args:
        firmware: Which firmware.
        boot: Its image for 0, which tells the releases of 1.5.4.1 apart; None where it is not at hand.
    """
    if firmware is None or firmware.name != "NodeMCU" or not firmware.release:
        return None
    release = firmware.release
    if release < _SDK_NEEDS_INIT_DATA:
        return "none"
    if release < _NODEMCU_2:
        # The release that began to write init data, 2016-12-01, is also the first with the old formula.
        repair = init_data_repair(firmware, boot)
        known = {InitDataRepair.IF_ERASED: "old", InitDataRepair.NEVER: "linear"}
        return known.get(repair)
    if release < _NODEMCU_2_1:
        return "old"
    return _formula_of_2_1(firmware)


def _formula_of_2_1(firmware: Firmware) -> str | None:
    if firmware.release >= _NODEMCU_2_2:
        return "linear"
    built = re.sub(r"\D", "", firmware.build or "")[:8]
    if built >= _LINEAR_FROM:
        return "linear"
    if built == _OLD_UNTIL or (built and firmware.details.get("branch") == "master"):
        return "old"
    return None


def spiffs_block(size: int) -> int:
    """The block size that NodeMCU 3.0 and later takes for a partition of so many bytes."""
    return _LARGE_BLOCK if size >= _LEAST_BLOCKS * _LARGE_BLOCK else _SMALL_BLOCK


def filesystem_made(layout: FlashLayout, firmware: Firmware | None, firmware_end: int) -> Region | None:
    """The file system that NodeMCU makes where it finds none; None where that is not known, or has no room.

    A build with a fixed place, or a largest size, for its file system does otherwise before 3.0, and no file
    shows that.

    Args:
        layout: The flash.
        firmware: Which firmware.
        firmware_end: Flash address behind irom.
    """
    region = layout.find(PartKind.SPIFFS)
    if region is not None:
        block = spiffs_block(region.size)
        return _blocks(region.start, region.end, block)
    end_of_code = align_up(firmware_end, SECTOR)
    start = filesystem_start(layout, firmware, end_of_code)
    if start is None or firmware is None:
        return None
    if firmware.release < _SDK_NEEDS_INIT_DATA:
        return _blocks(start, layout.flash.bytes - 4 * SECTOR, _SMALL_BLOCK)
    end = layout.flash.bytes - _SDK_SECTORS
    if layout.flash.bytes >= _SMALL_FLASH:
        start = align_up(end_of_code + 0x1_0000, 0x1_0000)
        if 0 <= end - start < _LEAST_SIZE:
            start = align_up(end_of_code + 0x8000, _LARGE_BLOCK)
    return _blocks(start, end, spiffs_block(end - start))


def spiffs_room(layout: FlashLayout, firmware: Firmware | None, start: int) -> Mapping[int, int]:
    """How many bytes a SPIFFS may have that begins at an address, by block size: NodeMCU 1.5.4.1 to 2.2.1.

    A block size that is missing is one that it does not look for there.

    Args:
        layout: The flash.
        firmware: Which firmware.
        start: The address.
    """
    size = layout.flash.bytes - _SDK_SECTORS - start
    fitting = {
        block: size // block * block
        for block in (_SMALL_BLOCK, _LARGE_BLOCK)
        if size // block >= _LEAST_BLOCKS
    }
    both = firmware is not None and firmware.release >= _NODEMCU_2_1 and _formula_of_2_1(firmware) != "old"
    if _LARGE_BLOCK in fitting and not both:
        del fitting[_SMALL_BLOCK]  # up to 2.1.0-20170521 it looks for small ones where no large ones fit
    return fitting


def _blocks(start: int, end: int, block: int) -> Region | None:
    count = (end - start) // block
    return Region(PartKind.SPIFFS, start, count * block, "SPIFFS") if count > 0 else None


def format_seconds(size: int) -> tuple[float, float]:
    """Seconds that the erasing of so many bytes takes, by typical and by maximum times; modelled."""
    sectors = -(-size // SECTOR)
    return sectors * _ERASE_TYPICAL, sectors * _ERASE_MOST
