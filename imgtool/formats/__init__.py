"""Formats: bytes to frozen values and back, one file a format, and :func:`identify` over all of them.

Nothing here opens files or prints.  construct and crcmod live here and nowhere else. A further format is one
module with a ``read(data)`` function, one row in :data:`FORMATS`, one fixture, one doc page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.formats import (
    aggregated,
    arduino,
    at_user,
    blank,
    boot_image,
    init_data,
    irom,
    lfs,
    micropython,
    ota_image,
    ram_image,
    rboot,
    rboot_config,
    rtos_app,
    rtos_bootloader,
    rtos_partitions,
    sdk_bootloader,
    spiffs,
)
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FORMATS", "Format", "identify"]


@dataclass(frozen=True, slots=True)
class Format:
    """One row of the registry.

    Attributes:
        name: The format in words.
        read: Reads a whole file, or returns None if the file is something else.  It never raises on any
            bytes.
    """

    name: str
    read: Callable[[bytes], Reading | None]


# First match wins: what has a magic comes before what is recognised by its shape, and irom, which has
# neither, comes last.
FORMATS: Final = (
    Format("empty file", blank.read_empty),
    Format("erased flash", blank.read),
    Format("Arduino firmware", arduino.read),
    Format("Espressif boot loader", sdk_bootloader.read),
    Format("rBoot", rboot.read),
    Format("RTOS SDK boot loader", rtos_bootloader.read),
    Format("RTOS SDK application", rtos_app.read),
    Format("MicroPython", micropython.read),
    Format("AT user image of 2014", at_user.read),
    Format("aggregated image", aggregated.read),
    Format("RAM program", ram_image.read),
    Format("version-1 image", boot_image.read),
    Format("version-2 image", ota_image.read),
    Format("init data", init_data.read),
    Format("LFS image", lfs.read),
    Format("SPIFFS", spiffs.read),
    Format("RTOS SDK partition table", rtos_partitions.read),
    Format("rBoot configuration", rboot_config.read),
    Format("raw irom part", irom.read),
)


def identify(data: bytes) -> Reading:
    """Read a file by the first format that knows it; kind ``unknown`` if none does."""
    for form in FORMATS:
        reading = form.read(data)
        if reading is not None:
            return reading
    finding = Finding(Severity.ERROR, "unknown", "no ESP8266 file that imgtool knows begins like this")
    return Reading(FileKind.UNKNOWN, (Part(PartKind.UNKNOWN, 0, len(data)),), findings=(finding,))
