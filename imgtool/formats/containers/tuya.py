"""Tuya's OTA file for the ESP8266: a header with the version, then the version-2 images for both user slots.

The images are taken where the header's table says if there are any, and looked for otherwise.

There is no documentation; the header is read after what users found out,
https://github.com/codetheweb/tuyapi/issues/49.  Not confirmed: docs/formats/tuya-ota.md.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from construct import Bytes, Const, Int32ub, Struct

from imgtool.errors import FormatError
from imgtool.formats.images import version1, version2
from imgtool.formats.images.version2 import OtaImage
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity
from imgtool.formats.wire import built, parse_at

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TuyaHeader", "TuyaImage", "TuyaOta", "read"]

_MAGIC: Final = b"\x55\xaa\x55\xaa"
_VERSION: Final = 7
_HEADER = Struct(
    "magic" / Const(_MAGIC),
    "version" / Bytes(_VERSION),  # text
    "unknown" / Int32ub,
    "count" / Int32ub,
)
_ENTRY = Struct(
    "offset" / Int32ub,
    "size" / Int32ub,
    "unknown" / Bytes(8),
)
_MOST_IMAGES: Final = 8
# Magic, 4, mode, slot or size, an entry point in IRAM, and 0 as the address of irom.
_IMAGE: Final = re.compile(rb"\xea\x04..[\s\S]{2}\x10\x40\0{4}", re.DOTALL)
_MOST_TRIED: Final = 1024  # places that look like an image; real files have two


class TuyaHeader(NamedTuple):
    """What stands in front of the images.

    Attributes:
        version: Version of the firmware; None where it is not readable.
    """

    version: str | None


class TuyaImage(NamedTuple):
    """An image of the file.

    Attributes:
        image: The version-2 image.
        unknown: Eight bytes in the table whose meaning nobody has told.
    """

    image: OtaImage
    unknown: bytes = bytes(8)


class TuyaOta(NamedTuple):
    """A Tuya OTA file as values.

    Attributes:
        version: Version of the firmware.
        images: The images in the order of the file, one after the other.
        unknown: A number in the header whose meaning nobody has told.
    """

    version: str
    images: tuple[TuyaImage, ...]
    unknown: int = 0

    @classmethod
    def parse(cls, data: bytes) -> TuyaOta:
        """Read a file whose table says where its images are; their checks are read, not judged.

        Raises:
            FormatError: No such header, no such table, or an image that is not whole or not in its place.
        """
        fields = parse_at(_HEADER, data, 0, "Tuya header")
        version, places = _header(data)
        if version is None or not places:
            message = "no table of images stands in the Tuya header"
            raise FormatError(message, offset=_HEADER.sizeof(), found=f"{fields.count:,} images")
        images = []
        position = places[0].offset
        for number, place in enumerate(places, 1):
            image = _image_at(data, place, f"image {number}")
            if place.offset != position:
                message = f"image {number} does not follow what stands before it"
                raise FormatError(message, offset=position, expected=position, found=place.offset)
            images.append(TuyaImage(image, place.unknown))
            position += place.size
        return cls(version, tuple(images), fields.unknown)

    def build(self) -> bytes:
        """The file as bytes.

        Raises:
            FormatError: No image or more than 8, a version that is no text of 7 bytes, or an image that
                cannot be built.
        """
        if not 1 <= len(self.images) <= _MOST_IMAGES:
            raise FormatError(
                "no number of images", expected=f"1 to {_MOST_IMAGES}", found=str(len(self.images))
            )
        version = self.version.encode("ascii", "ignore") if self.version.isprintable() else b""
        if version.decode("ascii") != self.version or len(version) > _VERSION:
            expected = f"at most {_VERSION} printable ASCII characters"
            raise FormatError("no version of a Tuya OTA file", expected=expected, found=repr(self.version))
        header = {
            "version": version.ljust(_VERSION, b"\0"),
            "unknown": self.unknown,
            "count": len(self.images),
        }
        blocks = [each.image.build() for each in self.images]
        table = [built(_HEADER, header, "Tuya header")]
        position = _HEADER.sizeof() + _ENTRY.sizeof() * len(self.images)
        for each, block in zip(self.images, blocks, strict=True):
            entry = {"offset": position, "size": len(block), "unknown": each.unknown}
            table.append(built(_ENTRY, entry, "Tuya image entry"))
            position += len(block)
        return b"".join((*table, *blocks))


def _image_at(data: bytes, place: _ImagePlace, what: str) -> OtaImage:
    block = data[place.offset : place.offset + place.size]
    try:
        image = OtaImage.parse(block)
    except FormatError as error:
        offset = place.offset + (error.offset or 0)
        message = f"{what}: {error.message}"
        raise FormatError(message, offset=offset, expected=error.expected, found=error.found) from error
    size = len(image.build())
    if size != place.size:
        expected, found = f"{size:,} bytes", f"{place.size:,} bytes"
        raise FormatError(f"{what} has another size", offset=place.offset, expected=expected, found=found)
    return image


@dataclass(frozen=True, slots=True)
class _ImagePlace:
    offset: int
    size: int
    unknown: bytes = b""


def read(data: bytes) -> Reading | None:
    """Read a Tuya OTA file, whole or damaged."""
    if not data.startswith(_MAGIC):
        return None
    version, table = _header(data)
    places = [p for p in table if _is_image(data, p.offset)] or list(_searched(data))
    if not places and not table:
        return None
    parts: list[Part] = []
    findings: list[Finding] = []
    header = None
    position = 0
    for number, place in enumerate(places, 1):
        if place.offset < position:
            continue
        reading = version2.read_at(data, place.offset, place.size)
        if reading is None:
            continue
        parts += [*_between(position, place.offset, version), *reading.parts]
        findings += [f._replace(message=f"image {number}: {f.message}") for f in reading.findings]
        header = header or reading.header
        position = parts[-1].end
    parts += _between(position, len(data), version)
    findings += _missing(data, places, table)
    return Reading(FileKind.TUYA_OTA, tuple(parts), header, tuple(findings))


def _header(data: bytes) -> tuple[str | None, tuple[_ImagePlace, ...]]:
    """The version, and the table of images if it is one."""
    try:
        fields = parse_at(_HEADER, data, 0, "Tuya header")
    except FormatError:
        return None, ()
    text = fields.version.rstrip(b"\0")
    version = text.decode("ascii") if text.isascii() and text.decode("ascii").isprintable() else None
    end = _HEADER.sizeof() + _ENTRY.sizeof() * fields.count
    if version is None or not 1 <= fields.count <= _MOST_IMAGES or end > len(data):
        return version, ()
    entries = [
        parse_at(_ENTRY, data, _HEADER.sizeof() + _ENTRY.sizeof() * index, "Tuya image entry")
        for index in range(fields.count)
    ]
    places = sorted(
        (_ImagePlace(entry.offset, entry.size, entry.unknown) for entry in entries), key=lambda p: p.offset
    )
    # The first image follows the table; anything else shows that this is not the table that it is taken for.
    return version, tuple(places) if places[0].offset == end else ()


def _searched(data: bytes) -> Iterator[_ImagePlace]:
    """The images by their contents; each reaches to the next one."""
    found: list[int] = []
    for tried, match in enumerate(_IMAGE.finditer(data)):
        if tried >= _MOST_TRIED or len(found) >= _MOST_IMAGES:
            break
        if _is_image(data, match.start()):
            found.append(match.start())
    for start, end in itertools.pairwise([*found, len(data)]):
        yield _ImagePlace(start, end - start)


def _is_image(data: bytes, offset: int) -> bool:
    """Whether a version-2 image begins here: the inner image stands where the outer header says."""
    inner = version2.inner_offset(data, offset)
    if inner is None:
        return False
    if inner >= len(data):  # cut; then the header has to do
        return _IMAGE.match(data, offset) is not None
    return data[inner] == version1.MAGIC and version1.is_plausible(data, inner)


def _between(start: int, end: int, version: str | None) -> tuple[Part, ...]:
    if start == end:
        return ()
    if start:
        return (Part(PartKind.UNKNOWN, start, end - start),)
    note = "Tuya header" if version is None else f"Tuya header, version {version}"
    return (Part(PartKind.UNKNOWN, 0, end, note=note, value=TuyaHeader(version)),)


def _missing(data: bytes, places: list[_ImagePlace], table: tuple[_ImagePlace, ...]) -> Iterator[Finding]:
    behind = [place for place in table if place.offset + place.size > len(data)]
    if behind:
        end = max(place.offset + place.size for place in behind)
        message = f"the file is cut short: by its table it ends at 0x{end:05x}, not at 0x{len(data):05x}"
        yield Finding(Severity.ERROR, "cut", message, len(data))
    elif not places:
        yield Finding(Severity.ERROR, "other-chip", "there is no image for the ESP8266 in it", 0)
