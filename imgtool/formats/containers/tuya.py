"""Tuya's OTA file for the ESP8266: a header with the version, then the version-2 images for the user slots.

The images are taken where the header's table says if there are any, and looked for otherwise.  Header and
images have a sum each, beside the checks that each image has for itself.

There is no documentation; https://github.com/codetheweb/tuyapi/issues/49 is how users read the header, and
its fields were seen in two real files: docs/formats/tuya-ota.md.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from construct import Bytes, Const, Int8ub, Int32ub, Struct

from imgtool.errors import FormatError
from imgtool.formats.checksums import sum32
from imgtool.formats.images import version1, version2
from imgtool.formats.images.version2 import OtaImage
from imgtool.formats.reading import (
    Checksum,
    Cover,
    FileKind,
    Finding,
    Part,
    PartKind,
    Reading,
    Severity,
)
from imgtool.formats.wire import built, parse_at

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TuyaHeader", "TuyaImage", "TuyaOta", "TuyaPlace", "read"]

_MAGIC: Final = b"\x55\xaa\x55\xaa"
_VERSION: Final = 14
_HEADER = Struct(
    "magic" / Const(_MAGIC),
    "version" / Bytes(_VERSION),  # text
    "count" / Int8ub,
)
_ENTRY = Struct(
    "offset" / Int32ub,
    "size" / Int32ub,
    "sum" / Int32ub,  # of the image's bytes
)
_END_MAGIC: Final = b"\xaa\x55\xaa\x55"
_END = Struct(
    "sum" / Int32ub,  # of all bytes before it
    "magic" / Const(_END_MAGIC),
)
_ENOUGH_RIGHT: Final = 3  # bytes of that magic
_SUM: Final = 4
_MOST_IMAGES: Final = 8
_LARGEST_HEADER: Final = 0x1000  # those of real files have 43 bytes
# Magic, 4, mode, slot or size, an entry point in IRAM, and 0 as the address of irom.
_IMAGE: Final = re.compile(rb"\xea\x04..[\s\S]{2}\x10\x40\0{4}", re.DOTALL)
_NO_IMAGE: Final = "no version-2 image"
_MOST_TRIED: Final = 1024  # places that look like an image; real files have two


class TuyaPlace(NamedTuple):
    """Where an image stands in the file by the header's table.

    Attributes:
        offset: Of its first byte.
        size: Its bytes.
        stored_sum: Their sum, as the table has it; None for an image that no table names.
        entry: Offset of the sum in the table.
    """

    offset: int
    size: int
    stored_sum: int | None = None
    entry: int = 0


class TuyaHeader(NamedTuple):
    """What stands in front of the images.

    Attributes:
        version: Version of the firmware; None where it is not readable.
        images: The images by the table, in file order; those found by their contents where it is none.
    """

    version: str | None
    images: tuple[TuyaPlace, ...] = ()


class TuyaImage(NamedTuple):
    """An image of the file.

    Attributes:
        image: The version-2 image.
        stored_sum: The sum of its bytes, as the table has it, right or wrong.
    """

    image: OtaImage
    stored_sum: int


class TuyaOta(NamedTuple):
    """A Tuya OTA file as values.

    Attributes:
        version: Version of the firmware.
        images: The images in the order of the file, one after the other.
        stored_sum: The sum of the header before it, right or wrong.
    """

    version: str
    images: tuple[TuyaImage, ...]
    stored_sum: int

    @classmethod
    def of(cls, version: str, images: tuple[OtaImage, ...]) -> TuyaOta:
        """The file with these images, all sums right.

        Raises:
            FormatError: As :meth:`build`.
        """
        summed = tuple(TuyaImage(image, sum32([image.build()])) for image in images)
        return cls(version, summed, sum32([_head_of(version, summed)]))

    @classmethod
    def parse(cls, data: bytes) -> TuyaOta:
        """Read a file whose table says where its images are; sums and checks are read, not judged.

        Raises:
            FormatError: No such header, no such table, or an image that is not whole or not in its place.
        """
        fields = parse_at(_HEADER, data, 0, "Tuya header")
        header = _header(data)
        if header is None or header.version is None or len(header.images) != fields.count:
            message = "no table of images stands in the Tuya header"
            raise FormatError(message, offset=_HEADER.sizeof(), found=f"{fields.count:,} images")
        images = []
        position = header.images[0].offset
        for number, place in enumerate(header.images, 1):
            image = _image_at(data, place, f"image {number}")
            if place.offset != position:
                message = f"image {number} does not follow what stands before it"
                raise FormatError(message, offset=position, expected=position, found=place.offset)
            images.append(TuyaImage(image, place.stored_sum or 0))
            position += place.size
        end = parse_at(_END, data, _end_of(fields.count), "end of the Tuya header")
        return cls(header.version, tuple(images), end.sum)

    def build(self) -> bytes:
        """The file as bytes.

        Raises:
            FormatError: No image or more than 8, a version that is no text of 14 bytes, or an image that
                cannot be built.
        """
        end = built(_END, {"sum": self.stored_sum}, "end of the Tuya header")
        return b"".join(
            (_head_of(self.version, self.images), end, *(each.image.build() for each in self.images))
        )


def _head_of(version: str, images: tuple[TuyaImage, ...]) -> bytes:
    """The header without its sum."""
    if not 1 <= len(images) <= _MOST_IMAGES:
        raise FormatError("no number of images", expected=f"1 to {_MOST_IMAGES}", found=str(len(images)))
    text = version.encode("ascii", "ignore") if version.isprintable() else b""
    if text.decode("ascii") != version or len(text) > _VERSION:
        expected = f"at most {_VERSION} printable ASCII characters"
        raise FormatError("no version of a Tuya OTA file", expected=expected, found=repr(version))
    header = {"version": text.ljust(_VERSION, b"\0"), "count": len(images)}
    table = [built(_HEADER, header, "Tuya header")]
    position = _end_of(len(images)) + _END.sizeof()
    for each in images:
        size = len(each.image.build())
        entry = {"offset": position, "size": size, "sum": each.stored_sum}
        table.append(built(_ENTRY, entry, "Tuya image entry"))
        position += size
    return b"".join(table)


def _end_of(count: int) -> int:
    """Offset of what ends the header of so many images."""
    return _HEADER.sizeof() + _ENTRY.sizeof() * count


def _image_at(data: bytes, place: TuyaPlace, what: str) -> OtaImage:
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


@dataclass(slots=True)
class _Found:
    """What is read of a file, in file order."""

    parts: list[Part]
    findings: list[Finding]
    position: int = 0

    def begin(self, data: bytes, header: TuyaHeader, count: int) -> None:
        """The header, with its sum where it has a table of so many images."""
        start = header.images[0].offset if header.images else len(data)
        words = "Tuya header" if header.version is None else f"Tuya header, version {header.version}"
        check = None
        if count:
            place = _end_of(count)
            stored = int.from_bytes(data[place : place + _SUM], "big")
            cover = Cover(place, ((0, place),))
            check = Checksum("sum32", stored, sum32([data[:place]]), 8 * _SUM, cover)
            if not check.ok:
                message = f"the header's sum is 0x{stored:08x}, but its bytes give 0x{check.computed:08x}"
                self.findings.append(_checksum(message, place))
            self.findings += _about_end(data, place + _SUM)
        elif start > _LARGEST_HEADER:
            message = f"no image begins in the {start:,} bytes before 0x{start:05x}: one there is damaged"
            self.findings.append(Finding(Severity.ERROR, "damaged", message, _HEADER.sizeof()))
        end = min(start, len(data))
        self.parts.append(Part(PartKind.UNKNOWN, 0, end, checksum=check, note=words, value=header))
        self.position = end

    def add(self, data: bytes, place: TuyaPlace, number: int) -> Reading | None:
        """An image, with the check of the table on its first part; what it is by its own bytes."""
        reading = version2.read_at(data, place.offset, place.size) if _is_image(data, place.offset) else None
        check = _check_of(data, place)
        if check is not None and not check.ok:
            found = f"the sum is 0x{check.stored:08x}, but its bytes give 0x{check.computed:08x}"
            self.findings.append(_checksum(f"image {number}: {found}", place.entry))
        if reading is None:
            size = min(place.size, len(data) - place.offset)
            self.parts.append(Part(PartKind.UNKNOWN, place.offset, size, checksum=check, note=_NO_IMAGE))
            message = f"image {number} is no version-2 image"
            self.findings.append(Finding(Severity.WARNING, "tuya-image", message, place.offset))
        else:
            first, *others = reading.parts
            note = f"image {number}, {first.note}"
            self.parts += [replace(first, checksum=check or first.checksum, note=note), *others]
            self.findings += [
                finding._replace(message=f"image {number}: {finding.message}") for finding in reading.findings
            ]
        self.position = self.parts[-1].end
        return reading


def read(data: bytes) -> Reading | None:
    """Read a Tuya OTA file, whole or damaged."""
    if not data.startswith(_MAGIC):
        return None
    header = _header(data)
    table = () if header is None else header.images
    if header is None or not any(_is_image(data, place.offset) for place in table):
        header = TuyaHeader(_version(data), tuple(_searched(data)))
    if not header.images and not table:
        return None
    found = _Found([], [])
    found.begin(data, header, len(table))
    if not table:
        message = (
            "the header's table cannot be read: the images were found by what they are, no sum covers them"
        )
        found.findings.append(Finding(Severity.WARNING, "tuya-table", message, _HEADER.sizeof()))
    first = None
    for number, place in enumerate(header.images, 1):
        if found.position <= place.offset < len(data):
            found.parts += _between(found.position, place.offset)
            reading = found.add(data, place, number)
            first = first or (None if reading is None else reading.header)
    found.parts += _between(found.position, len(data))
    findings = (*found.findings, *_missing(data, header.images, table))
    return Reading(FileKind.TUYA_OTA, tuple(found.parts), first, findings)


def _about_end(data: bytes, place: int) -> Iterator[Finding]:
    """That the magic behind the table is damaged, which no sum covers."""
    found = data[place : place + len(_END_MAGIC)]
    if found != _END_MAGIC:
        message = f"the header ends with {found.hex(' ')}, and should with {_END_MAGIC.hex(' ')}"
        yield Finding(Severity.ERROR, "damaged", message, place)


def _checksum(message: str, offset: int) -> Finding:
    return Finding(Severity.ERROR, "checksum", message, offset)


def _check_of(data: bytes, place: TuyaPlace) -> Checksum | None:
    """The sum of an image that is all there."""
    end = place.offset + place.size
    if place.stored_sum is None or end > len(data):
        return None
    cover = Cover(place.entry, ((place.offset, end),))
    return Checksum("sum32", place.stored_sum, sum32([data[place.offset : end]]), 8 * _SUM, cover)


def _version(data: bytes) -> str | None:
    text = data[len(_MAGIC) : len(_MAGIC) + _VERSION].rstrip(b"\0")
    return text.decode("ascii") if text.isascii() and text.decode("ascii").isprintable() else None


def _header(data: bytes) -> TuyaHeader | None:
    """The version and the table of images; None where there is none."""
    count = _count(data)
    if count is None:
        return None
    end = _end_of(count)
    places = []
    for start in range(_HEADER.sizeof(), end, _ENTRY.sizeof()):
        entry = parse_at(_ENTRY, data, start, "Tuya image entry")
        at = start + _ENTRY.sizeof() - _SUM
        places.append(TuyaPlace(entry.offset, entry.size, entry.sum, at))
    return TuyaHeader(_version(data), tuple(sorted(places)))


def _count(data: bytes) -> int | None:
    """How many images the table has, by its end, as the number may be damaged; None without a table."""
    if len(data) < _end_of(1) + _END.sizeof():
        return None
    stated = data[_HEADER.sizeof() - 1]
    counts = sorted(range(1, _MOST_IMAGES + 1), key=lambda count: count != stated)
    return next((count for count in counts if _ends_at(data, _end_of(count) + _SUM)), None)


def _ends_at(data: bytes, place: int) -> bool:
    right = sum(a == b for a, b in zip(data[place : place + len(_END_MAGIC)], _END_MAGIC, strict=False))
    return right >= _ENOUGH_RIGHT


def _searched(data: bytes) -> Iterator[TuyaPlace]:
    """The images by their contents; each reaches to the next one."""
    found: list[int] = []
    for tried, match in enumerate(_IMAGE.finditer(data)):
        if tried >= _MOST_TRIED or len(found) >= _MOST_IMAGES:
            break
        if _is_image(data, match.start()):
            found.append(match.start())
    for start, end in itertools.pairwise([*found, len(data)]):
        yield TuyaPlace(start, end - start)


def _is_image(data: bytes, offset: int) -> bool:
    """Whether a version-2 image begins here: the inner image stands where the outer header says."""
    inner = version2.inner_offset(data, offset)
    if inner is None:
        return False
    if inner >= len(data):  # cut; then the header has to do
        return _IMAGE.match(data, offset) is not None
    return data[inner] == version1.MAGIC and version1.is_plausible(data, inner)


def _between(start: int, end: int) -> tuple[Part, ...]:
    return () if start >= end else (Part(PartKind.UNKNOWN, start, end - start),)


def _missing(data: bytes, images: tuple[TuyaPlace, ...], table: tuple[TuyaPlace, ...]) -> Iterator[Finding]:
    behind = [place for place in table if place.offset + place.size > len(data)]
    if behind:
        end = max(place.offset + place.size for place in behind)
        message = f"the file is cut short: by its table it ends at 0x{end:05x}, not at 0x{len(data):05x}"
        yield Finding(Severity.ERROR, "cut", message, len(data))
    elif not images:
        yield Finding(Severity.ERROR, "other-chip", "there is no image for the ESP8266 in it", 0)
