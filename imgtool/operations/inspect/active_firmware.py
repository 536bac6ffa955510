"""Which firmware a flash starts, where remnants of an earlier one lie behind it.

A flash keeps what a write does not cover: behind a small firmware stands the end of a larger one, with its
banner and its SDK's version.  Strings are taken from the image that starts; only where those do not say, from
the rest of the file.  Not the strings themselves: imgtool/formats/firmware.py.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.formats.firmware import GENERIC_NAMES, identify_firmware
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import PartKind

if TYPE_CHECKING:
    from imgtool.formats.reading import Firmware, Reading
    from imgtool.operations.inspect.flash_slots import ActiveSlot

__all__ = ["firmware_at_start", "firmware_of_slot"]

_IROM_MOST: Final = 0x10_0000  # the cache window: no irom goes on behind it
_TAIL: Final = b"\xff" * 16  # a write ends in a sector that is erased behind it; code has no such run there
_BY_BOOT_LOADER: Final = ("espressif", "rboot")
_IMAGE: Final = (PartKind.IMAGE_V2, PartKind.IMAGE_V1, PartKind.IROM, PartKind.CRC_TAIL)


def firmware_at_start(data: bytes, reading: Reading) -> Firmware | None:
    """Which firmware starts from address 0, by its strings; None if there is none to go by.

    Args:
        data: The whole file.
        reading: What the format at its start made of it.
    """
    end = _end_of_code(data, reading)
    named = None if end is None else identify_firmware(data[:end])
    if named is None or named.version is None:
        # Nothing but marks of the SDK, mostly: the code may go on behind what looks like its end.
        whole = identify_firmware(data)
        if named is None or named.name in GENERIC_NAMES or (whole is not None and whole.name == named.name):
            return whole
        return named
    if named.sdk is not None:
        return named
    from imgtool.layout.generations import generation_of  # noqa: PLC0415 - most firmware names its SDK there

    if generation_of(named).names_sdk:
        whole = identify_firmware(data)
        return replace(named, sdk=None if whole is None else whole.sdk)
    return named


def _end_of_code(data: bytes, reading: Reading) -> int | None:
    """The end of the first sector of irom that ends erased; None where nothing tells, or nothing follows."""
    if not KINDS[reading.kind].open_end:
        return None
    irom = next((part.offset for part in reading.parts if part.kind is PartKind.IROM), None)
    if irom is None:
        return None
    ends = range((irom // SECTOR + 1) * SECTOR, min(len(data), _IROM_MOST), SECTOR)
    return next((end for end in ends if data.endswith(_TAIL, irom, end)), None)


def firmware_of_slot(data: bytes, reading: Reading, active: ActiveSlot | None) -> Firmware | None:
    """Which firmware the slot that starts holds; None where that is not known, or its strings do not say.

    Args:
        data: The whole flash.
        reading: What the survey made of it.
        active: Which slot starts.
    """
    if active is None or active.offset is None or active.scheme not in _BY_BOOT_LOADER:
        return None
    parts = [part for part in reading.parts if part.offset >= active.offset and part.kind in _IMAGE]
    if not parts or parts[0].offset != active.offset:
        return None
    end = next((one.end for one, two in pairwise(parts) if two.offset != one.end), parts[-1].end)
    return identify_firmware(data[active.offset : end])
