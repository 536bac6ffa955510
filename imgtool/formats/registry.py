"""The registry of formats, and :func:`identify` over all of them: the first row that knows a file wins.

No format itself: each is a module of its own, which is imported when a file may be of its format.  A further
format is one module with a ``read(data)`` function, one row in :data:`FORMATS`, one fixture, one doc page.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, Final, NamedTuple

from imgtool.chip import ROM_SIZE
from imgtool.formats import fill
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity

__all__ = ["FORMATS", "Format", "identify", "identify_inside"]


class Format(NamedTuple):
    """One row of the registry.

    The module is imported when a file may be of its format: most files never need most formats, and
    start-up is a feature.

    Attributes:
        name: The format in words.
        module: Its module, below :mod:`imgtool.formats`.  ``read(data)`` reads a whole file, or returns None
            if it is something else; it never raises on any bytes.  ``inside(data, offset, stop)``, where
            ``embedded`` is set, does so with what begins at an offset of a flash, up to a stop at the most.
        starts: What such a file can begin with; empty where it can begin with anything.
        embedded: Whether it can be told inside a flash.
    """

    name: str
    module: str
    starts: tuple[bytes, ...] = ()
    embedded: bool = False

    def read(self, data: bytes) -> Reading | None:
        """Read a whole file as this format."""
        if self.starts and not data.startswith(self.starts):
            return None
        reading: Reading | None = _module(self.module).read(data)
        return reading

    def inside(self, data: bytes, offset: int, stop: int) -> Reading | None:
        """Read what begins at an offset of a flash as this format, which must be embedded."""
        if self.starts and not data.startswith(self.starts, offset):
            return None
        reading: Reading | None = _module(self.module).inside(data, offset, stop)
        return reading


@cache
def _module(name: str) -> Any:  # noqa: ANN401 - modules have no common type; a test checks each
    return import_module(f"imgtool.formats.{name}")


_E9: Final = (b"\xe9",)
_IMAGES: Final = (b"\xe9", b"\xea")
_LFS: Final = (
    b"\x1f\x8b",
    b"\x1bLua\x53",
    *(bytes([low, lua, 0xFA, 0xFA]) for lua in (0xA1, 0xA2, 0xAF) for low in range(0x50, 0x60)),
)

# First match wins: what has a magic comes before what is recognised by its shape, and irom, which has
# neither, comes last.  Of the many that begin with 0xE9 the most common comes first, but for
# boot loaders: what stands behind them is no irom of theirs.
FORMATS: Final = (
    Format("blank or empty file", "regions.blank"),
    Format("RTOS SDK otadata", "regions.rtos_otadata"),
    Format("Espressif boot loader", "images.sdk_bootloader", _E9),
    Format("rBoot", "images.rboot", _E9),
    Format("RTOS SDK boot loader", "images.rtos_bootloader", _E9),
    Format("aggregated image", "images.aggregated", _E9),
    Format("Arduino firmware", "images.arduino", _E9, embedded=True),
    Format("RTOS SDK application", "images.rtos_app", _E9, embedded=True),
    Format("MicroPython", "images.micropython", _E9),
    Format("user image of 2014", "images.at_user", _E9),
    Format("RAM program", "images.ram", _E9),
    Format("version-1 image", "images.version1", _E9, embedded=True),
    Format("image for another chip", "images.other_chip", (*_E9, b"\xff")),
    Format("version-2 image", "images.version2", (b"\xea",), embedded=True),
    Format("LFS image", "containers.lfs", _LFS, embedded=True),
    Format("gzip", "containers.gzip_file", (b"\x1f\x8b",)),
    Format("ELF", "elf.file", (b"\x7fELF",)),
    Format("UF2", "containers.uf2", (b"UF2\n",)),
    Format("Tuya OTA file", "containers.tuya", (b"\x55\xaa\x55\xaa",)),
    Format("archive", "containers.archive"),
    Format("espfs", "filesystems.espfs", (b"ESfs",), embedded=True),
    Format("LittleFS", "filesystems.littlefs", embedded=True),
    Format("Intel HEX", "containers.intel_hex", (b":",)),
    Format("S-record", "containers.srecord", (b"S",)),
    Format("init data", "regions.init_data"),
    Format("SPIFFS", "filesystems.spiffs", embedded=True),
    Format("RTOS SDK partition table", "regions.rtos_partitions", (b"\xaa\x50", b"\xeb\xeb"), embedded=True),
    Format("rBoot configuration", "regions.rboot_config"),
    Format("text", "containers.text_file"),
    Format("SPIFFS without magics", "filesystems.spiffs_plain"),
    Format("raw irom part", "images.irom"),
)


_EMBEDDED: Final = tuple(form for form in FORMATS if form.embedded)


def identify(data: bytes) -> Reading:
    """Read a file by the first format that knows it; kind ``unknown`` if none does."""
    reading = _first(data)
    damaged = any(finding.severity is Severity.ERROR for finding in reading.findings)
    if damaged and data.startswith(_IMAGES):
        mangled: Reading | None = _module("images.mangled").read(data)
        if mangled is not None:
            return mangled
    if damaged or reading.kind is FileKind.IROM:
        restored: Reading | None = _module("first_bytes").restored(data, _first)
        return restored or reading
    return reading


def _first(data: bytes) -> Reading:
    if len(data) == ROM_SIZE:
        from imgtool.formats.contents import is_boot_rom  # noqa: PLC0415 - few files are of that size

        if is_boot_rom(data):
            # It is code, and would pass for irom.
            return _unknown(data, "this is the boot ROM of the chip: it is no firmware, and in no flash")
    for form in FORMATS:
        reading = form.read(data)
        if reading is not None:
            return reading
    return _unknown(data)


def _unknown(data: bytes, why: str = "") -> Reading:
    from imgtool.formats.contents import HintKind, hint_of  # noqa: PLC0415 - what has no name is rare

    hint = hint_of(data, 0, len(data))
    if not why and hint.kind is HintKind.MAGIC:
        why = f"this is {hint.words}, not firmware"
    if not why and fill.is_fill(data, 0, len(data), data[0]):
        why = f"every byte is 0x{data[0]:02X}: this is no firmware"
    why = why or "no ESP8266 file that imgtool knows begins like this"
    part = Part(PartKind.UNKNOWN, 0, len(data), note=hint.words, value=hint)
    return Reading(FileKind.UNKNOWN, (part,), findings=(Finding(Severity.ERROR, "unknown", why),))


def identify_inside(data: bytes, offset: int, stop: int) -> Reading | None:
    """Read the artefact that begins at an offset of a flash by the first format that knows it, or None."""
    readings = (form.inside(data, offset, stop) for form in _EMBEDDED)
    return next((reading for reading in readings if reading is not None), None)
