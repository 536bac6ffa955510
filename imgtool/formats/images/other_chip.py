"""Images for Espressif's other chips, to be named and refused: they begin with 0xE9 as ESP8266 images do.

They have a header of 24 bytes, with the number of the chip in it, where the ESP8266's has 8.  What can be
read as an image for the ESP8266 is never taken for another chip's: there the same bytes are the length of
the first segment, and any value occurs.

Source: esp_app_format.h of https://github.com/espressif/esp-idf/tree/master/components/bootloader_support;
see docs/formats/esp32.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from construct import Const, Int8ul, Int16ul, Int32ul, Padding, Struct

from imgtool.errors import FormatError
from imgtool.formats import fill
from imgtool.formats.checksums import xor8
from imgtool.formats.images import version1
from imgtool.formats.reading import (
    Checksum,
    FileKind,
    Finding,
    Part,
    PartKind,
    Reading,
    SegmentInfo,
    Severity,
)
from imgtool.formats.wire import parse_at

__all__ = ["CHIPS", "ChipImage", "image_at", "read"]

_HEADER = Struct(
    "magic" / Const(version1.MAGIC, Int8ul),
    "segment_count" / Int8ul,
    "mode" / Int8ul,
    "size_freq" / Int8ul,
    "entry" / Int32ul,
    "wp_pin" / Int8ul,
    "pin_drive" / Padding(3),
    "chip" / Int16ul,
    "revisions" / Padding(5),
    "reserved" / Padding(4),
    "has_digest" / Int8ul,
)
_SEGMENT = Struct(
    "address" / Int32ul,
    "size" / Int32ul,
)
_PARTITION_MAGIC: Final = b"\xaa\x50"
_PARTITION_TABLE: Final = 0x8000
# The ESP32 and the S2 look for their boot loader at 0x1000, the P4 and the C5 at 0x2000, the others at 0.
_BOOT_OFFSETS: Final = (0x1000, 0x2000)
# From the cached flash to the RTC memory of any of these chips; the boot ROM loads nothing below or above.
_LOADABLE: Final = range(0x3C00_0000, 0x6020_0000)
_LARGEST: Final = 1 << 24
_LINE: Final = 16

CHIPS: Final = {
    0: "ESP32",
    2: "ESP32-S2",
    5: "ESP32-C3",
    9: "ESP32-S3",
    12: "ESP32-C2",
    13: "ESP32-C6",
    16: "ESP32-H2",
    18: "ESP32-P4",
    20: "ESP32-C61",
    23: "ESP32-C5",
    25: "ESP32-H21",
    28: "ESP32-H4",
    32: "ESP32-S31",
}
"""The numbers in the header by esp-idf's enum; the last one is second hand."""


@dataclass(frozen=True, slots=True)
class ChipImage:
    """An image for another chip.

    Attributes:
        chip: Number of the chip.
        entry: Entry point.
        segments: The segments that are whole.
        whole: Whether all of them are.
        checksum: Stored and computed, if the image is whole.
    """

    chip: int
    entry: int
    segments: tuple[SegmentInfo, ...]
    whole: bool
    checksum: Checksum | None

    @property
    def known_name(self) -> str | None:
        """Name of the chip, None for a number without one."""
        return CHIPS.get(self.chip)

    @property
    def name(self) -> str:
        """Name of the chip in words."""
        return self.known_name or f"another Espressif chip (id {self.chip})"


def image_at(data: bytes, offset: int = 0) -> ChipImage | None:
    """The image for another chip that begins at ``offset``; None if there is none that is plausible.

    The first segment must be loadable on one of those chips, where that is empty all others, too; where the
    number of the chip is not a known one, the checksum must be right, too.
    """
    if data[offset : offset + 1] != bytes([version1.MAGIC]) or version1.is_plausible(data, offset):
        return None
    try:
        fields = parse_at(_HEADER, data, offset, "image header")
        first = parse_at(_SEGMENT, data, offset + _HEADER.sizeof(), "header of segment 0")
    except FormatError:
        return None
    count = fields.segment_count
    if not 1 <= count <= version1.MAX_SEGMENTS or fields.has_digest > 1:
        return None
    if first.address not in _LOADABLE or first.size >= _LARGEST:
        return None
    segments, end = _segments(data, offset + _HEADER.sizeof(), count)
    whole = len(segments) == count
    # The checksum is the last byte of a line, counted from the start of the image.
    place = offset + ((end - offset) | (_LINE - 1))
    check = None
    if whole and place < len(data):
        computed = xor8(data[s.offset : s.offset + s.size] for s in segments)
        check = Checksum("xor8", data[place], computed)
    unsure = fields.chip not in CHIPS and (check is None or not check.ok)
    if unsure or (first.size == 0 and not _are_loadable(segments)):
        return None
    return ChipImage(fields.chip, fields.entry, segments, whole, check)


def _are_loadable(segments: tuple[SegmentInfo, ...]) -> bool:
    """Whether there are bytes in the segments, all for memory: an empty first segment tells little."""
    return any(segment.size for segment in segments) and all(
        segment.address in _LOADABLE for segment in segments
    )


def _segments(data: bytes, position: int, count: int) -> tuple[tuple[SegmentInfo, ...], int]:
    segments: list[SegmentInfo] = []
    for index in range(count):
        try:
            fields = parse_at(_SEGMENT, data, position, f"header of segment {index}")
        except FormatError:
            break
        start = position + _SEGMENT.sizeof()
        if start + fields.size > len(data):
            break
        segments.append(SegmentInfo(start, fields.size, fields.address))
        position = start + fields.size
    return tuple(segments), position


def read(data: bytes) -> Reading | None:
    """Read a file that is an image or a whole flash of another chip."""
    image = image_at(data)
    if image is not None:
        what = f"image for the {image.name}" if image.chip in CHIPS else f"image for {image.name}"
        message = f"this is an {what}, not for the ESP8266: it cannot run there"
        return _reading(data, image, what, message)
    for offset in _BOOT_OFFSETS:
        if data[_PARTITION_TABLE : _PARTITION_TABLE + 2] != _PARTITION_MAGIC:
            break
        image = image_at(data, offset)
        if image is not None and fill.is_fill(data, 0, offset):
            what = f"flash contents of the {image.name}"
            return _reading(data, image, what, f"these are {what}, not of an ESP8266")
    return None


def _reading(data: bytes, image: ChipImage, what: str, message: str) -> Reading:
    findings = [Finding(Severity.ERROR, "other-chip", message, 0)]
    if not image.whole:
        findings.append(Finding(Severity.NOTE, "cut", "the image in it is cut short", len(data)))
    part = Part(
        PartKind.UNKNOWN,
        0,
        len(data),
        checksum=image.checksum,
        segments=image.segments,
        note=what,
        value=image,
    )
    return Reading(FileKind.ESP32, (part,), findings=tuple(findings))
