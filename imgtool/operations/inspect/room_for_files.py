"""Whether the NodeMCU in a file has room for a file system on the flash that the file is for.

Of the image of a whole flash that is a warning.  An image alone is for the flash that whoever flashes it has,
and its header only says what is likely: a note.  The rule: imgtool/layout/file_room.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES
from imgtool.errors import LayoutError
from imgtool.formats.reading import FileKind, Finding, PartKind, Severity
from imgtool.formats.regions.nodemcu_page import PartitionTable
from imgtool.layout.file_room import NO_ROOM, no_room, room_findings
from imgtool.layout.fit import layout_for
from imgtool.layout.generations import generation_of

if TYPE_CHECKING:
    from imgtool.chip import FlashSize
    from imgtool.formats.reading import Firmware, Reading

__all__ = ["room_in_file"]

_FILES: Final = (PartKind.SPIFFS, PartKind.LITTLEFS)


def room_in_file(reading: Reading, firmware: Firmware, size: int) -> tuple[Finding, ...]:
    """That the firmware in a file can keep no file; empty where it can, or that is not known.

    Args:
        reading: What the file is, surveyed.
        firmware: Which firmware it holds.
        size: Bytes of the file.
    """
    values = [part.value for part in reading.parts if part.kind is PartKind.PARTITION_TABLE]
    table = next((each for each in values if isinstance(each, PartitionTable)), None)
    row = generation_of(firmware, paged=table is not None)
    irom_end = max((part.end for part in reading.parts if part.kind is PartKind.IROM), default=0)
    if not row.is_nodemcu or not irom_end or reading.header is None:
        return ()
    whole = reading.kind is FileKind.FLASH_DUMP
    flash = _flash(reading.header.flash_size, size, whole=whole, corrects=row.sizes.corrects)
    if flash is None:
        return ()
    try:
        layout = layout_for(flash, firmware, table, irom_end)
    except LayoutError:
        return ()
    files = min((part.offset for part in reading.parts if part.kind in _FILES), default=None)
    if whole:
        return room_findings(layout, firmware, irom_end, brought=files)
    if irom_end > flash.bytes:  # so it is for another flash than its header says
        return ()
    reason = no_room(layout, firmware, irom_end, brought=files)
    message = f"no room for files, if the chip is as large as the header says: {reason}"
    return (Finding(Severity.NOTE, NO_ROOM, message),) if reason else ()


def _flash(stated: FlashSize | None, size: int, *, whole: bool, corrects: bool) -> FlashSize | None:
    """The flash that the firmware will go by; None where that is not known."""
    if not whole:
        return stated
    capacity = next((each for each in FLASH_SIZES if each.bytes == size), None)
    if stated is None or (capacity is not None and corrects and capacity.bytes != stated.bytes):
        return capacity
    # What is missing of a flash may hold its files.
    return stated if capacity is not None and stated.bytes <= size else None
