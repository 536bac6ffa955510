"""User image of Espressif's first boot loader (2014): a version-1 image, fill, and irom, for flash 0x1000.

Laid out as an aggregated image, but one sector further on in flash, and linked for there: its irom runs at
0x40211000.  Only irom's pointers to itself tell the two apart.  Not an OTA image of later boot loaders, which
begins with 0xEA (version2.py).

Source: tools/gen_appbin.py (boot mode 1) and the linker scripts in
https://github.com/espressif/ESP8266_NONOS_SDK; see docs/formats/at-user.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from construct import Int32ul, Struct

from imgtool.chip import IROM_BASE, IROM_WINDOW
from imgtool.errors import FormatError
from imgtool.formats import fill
from imgtool.formats.checksums import sdk_crc
from imgtool.formats.images import aggregated, irom, version1
from imgtool.formats.images.aggregated import AggregatedImage
from imgtool.formats.images.version1 import BootImage
from imgtool.formats.reading import (
    Checksum,
    Cover,
    FileKind,
    Finding,
    Header,
    Part,
    PartKind,
    Reading,
    Severity,
)
from imgtool.formats.wire import built, parse_at

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["IROM_OFFSET", "UserImage", "read"]

IROM_OFFSET: Final = irom.OFFSETS[0]
"""Where irom begins in the file."""

_CRC = Struct("stored" / Int32ul)
_SLOT_NUMBERS: Final = (1, 2)
_FILL_PER_OTHER: Final = 64


class UserImage(NamedTuple):
    """A user image of 2014 as values.

    Attributes:
        boot: The version-1 image; its header may hold the user slot where the flash size would be.
        code: irom.
        has_crc: Whether the CRC stands behind it.  A wrong one cannot be told from irom, so none is kept.
    """

    boot: BootImage
    code: bytes
    has_crc: bool = False

    @classmethod
    def parse(cls, data: bytes) -> UserImage:
        """Read an image, erased fill and irom; the checksum is read, not judged.

        Raises:
            FormatError: No whole image, or something between it and irom.
        """
        boot = BootImage.parse(data)
        fill.expect(data, version1.scan(data).end, IROM_OFFSET)
        check = _crc_behind(data)
        end = len(data) if check is None else len(data) - _CRC.sizeof()
        return cls(boot, data[IROM_OFFSET:end], check is not None)

    def build(self) -> bytes:
        """The image as bytes.

        Raises:
            FormatError: The image reaches into irom.
        """
        body = AggregatedImage(self.boot, self.code, IROM_OFFSET).build()
        return body + built(_CRC, {"stored": sdk_crc(body)}, "CRC tail") if self.has_crc else body


def read(data: bytes) -> Reading | None:
    """Read a file as an image, fill and irom that is linked for a user slot."""
    if data[:1] != bytes([version1.MAGIC]) or len(data) <= IROM_OFFSET:
        return None
    try:
        found = version1.scan(data)
    except FormatError:
        return None
    if found.problem is not None or found.end > IROM_OFFSET:
        return None
    if not _mostly_fill(data, found.end):
        return None
    slot = irom.linked_slot(data[IROM_OFFSET : IROM_OFFSET + IROM_WINDOW])
    if slot is None:
        return None
    named = irom.behind(data, found.segments, IROM_BASE + slot + len(data), code=IROM_OFFSET)
    code, about_code = _irom_parts(data, slot, named)
    parts = (version1.part_of(found), *aggregated.gap_parts(data, found.end, IROM_OFFSET), *code)
    gap = aggregated.gap_findings(parts)
    findings = (*version1.findings_of(found), *gap, *_mixed(data, found), *about_code)
    return Reading(FileKind.AT_USER, parts, _header(found.header), findings)


def _mostly_fill(data: bytes, start: int) -> bool:
    """Whether fill stands from ``start`` on up to irom, but for a damaged byte or so."""
    size = IROM_OFFSET - start
    alike = max(data.count(data[at], start, IROM_OFFSET) for at in (start, IROM_OFFSET - 1))
    return size - alike <= size // _FILL_PER_OTHER


def _header(header: Header) -> Header:
    """The header, with the user slot that gen_appbin.py writes where the flash size would be."""
    slot = header.size_freq_code
    if header.mode_code or slot not in _SLOT_NUMBERS:
        return header
    return Header(header.version, header.entry, header.mode_code, header.size_freq_code, slot)


def _mixed(data: bytes, found: version1.ImageScan) -> Iterable[Finding]:
    fit = aggregated.fit_of(data, found.segments, data[IROM_OFFSET : IROM_OFFSET + IROM_WINDOW])
    if fit.mixed:
        message = (
            f"irom looks like a different build: of the {fit.pointers} addresses in it that name code of the "
            f"image only {fit.share:.0%} begin a function there"
        )
        yield Finding(Severity.WARNING, "mixed-builds", message, IROM_OFFSET)


def _irom_parts(data: bytes, slot: int, named: irom.Behind) -> tuple[tuple[Part, ...], tuple[Finding, ...]]:
    """irom, and the CRC that later tools append."""
    address = IROM_BASE + slot + IROM_OFFSET
    where = f"for flash 0x{slot:05x}: irom is linked at 0x{slot + IROM_OFFSET:05x}"
    placed = Finding(Severity.NOTE, "flash-address", f"by its pointers this file is {where}", IROM_OFFSET)
    check = _crc_behind(data)
    if check is not None:
        end = len(data) - _CRC.sizeof()
        code = Part(PartKind.IROM, IROM_OFFSET, end - IROM_OFFSET, address)
        tail = Part(PartKind.CRC_TAIL, end, 4, checksum=check, note="covers everything before it")
        return (code, tail), (placed,)
    code = Part(PartKind.IROM, IROM_OFFSET, len(data) - IROM_OFFSET, address)
    return (code,), (placed, irom.cover_finding(data, IROM_OFFSET, slot + IROM_OFFSET, named))


def _crc_behind(data: bytes) -> Checksum | None:
    """The CRC in the last four bytes, None where they are none: then they are irom."""
    end = len(data) - _CRC.sizeof()
    if end <= IROM_OFFSET:
        return None
    stored = parse_at(_CRC, data, end, "CRC tail").stored
    check = Checksum("sdk-crc32", stored, sdk_crc(data[:end]), 32, Cover(end, ((0, end),)))
    return check if check.ok else None
