"""Whether a NodeMCU has room for a file system, in words and as a finding.

The room is that of file_places.py.  Not which file system is in a flash: operations/upgrade/look.py.  Why it
must be so much, and what happened where it was less: docs/flash-layouts.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.formats.reading import Finding, Severity
from imgtool.layout.file_places import file_room, spiffs_room
from imgtool.layout.generations import generation_of
from imgtool.layout.traits import LfsPlace
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from imgtool.formats.reading import Firmware
    from imgtool.layout.file_places import FileRoom
    from imgtool.layout.regions import FlashLayout

__all__ = ["NO_ROOM", "no_room", "room_findings"]

NO_ROOM: Final = "no-file-system-room"
"""Code of the finding that a firmware can keep no file."""


def room_findings(
    layout: FlashLayout,
    firmware: Firmware | None,
    firmware_end: int,
    *,
    brought: int | None = None,
    capacity: int | None = None,
) -> tuple[Finding, ...]:
    """What :func:`no_room` says of the same arguments, as a warning; empty for nothing."""
    reason = no_room(layout, firmware, firmware_end, brought=brought, capacity=capacity)
    if not reason:
        return ()
    return (Finding(Severity.WARNING, NO_ROOM, f"no room for files: {reason}"),)


def no_room(
    layout: FlashLayout,
    firmware: Firmware | None,
    firmware_end: int,
    *,
    brought: int | None = None,
    capacity: int | None = None,
) -> str:
    """Why a firmware can keep no file on a flash; empty where it can, or that is not known.

    Args:
        layout: The flash.
        firmware: Which firmware.
        firmware_end: Flash address behind irom.
        brought: Where a file system begins that is there already; None for none.
        capacity: Bytes of the chip's flash; None where no chip is known.
    """
    row = generation_of(firmware)
    larger = capacity is not None and capacity > layout.flash.bytes and row.sizes.corrects
    if larger or row.size_compiled_in:  # then it goes by another size than that of the layout
        return ""
    room = file_room(layout, firmware, firmware_end)
    if room is None or room.enough or (brought is not None and spiffs_room(layout, firmware, brought)):
        return ""
    name = "the firmware" if firmware is None else f"{firmware.name} {firmware.version or ''}".strip()
    smaller = "fewer modules" if row.lfs is LfsPlace.NONE else "fewer modules or a smaller LFS"
    cure = f"Take a larger flash, or a build with {smaller}"
    return f"{name} on {layout.flash.name} {_left(room)}: {_effect(room)}. {cure}"


def _left(room: FileRoom) -> str:
    """What is left, and what it takes."""
    least = f"at least {in_bytes(room.least)}"
    if room.start is None:
        return f"has no SPIFFS in its partition table, and needs {least}"
    if room.size:
        return (
            f"makes its SPIFFS from 0x{room.start:06x} to 0x{room.end:06x}, {in_bytes(room.size)}, "
            f"and needs {least}"
        )
    return (
        f"makes its SPIFFS from 0x{room.start:06x} on, which must end at 0x{room.end:06x}, and needs {least}"
    )


def _effect(room: FileRoom) -> str:
    if not room.formats:
        return "no file can be kept"
    if room.start is not None and room.end < room.start:
        # With NodeMCU's own code on the virtual board: what it takes for the size is a negative number.
        return (
            "no file can be kept, and its formatting does not stop at the end of the flash: it may erase "
            "the firmware itself"
        )
    return "formatting fails, and no file can be kept"
