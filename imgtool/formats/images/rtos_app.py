"""Application of Espressif's RTOS SDK 3: a version-1 image with its flash segments in it, and a SHA-256.

Its checksum covers all segments, those that run from flash too.  It has no gap and no second file.  Not an
Arduino application, which has one flash segment and a boot loader before it.

Source: elf2image version 3 and esp_app_format.h in https://github.com/espressif/ESP8266_RTOS_SDK, confirmed
on a real image; see docs/formats/rtos-app.md.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from construct import Bytes, Const, Int32ul, Struct

from imgtool.chip import IROM_BASE, IROM_WINDOW
from imgtool.errors import FormatError
from imgtool.formats import fill
from imgtool.formats.firmware import RTOS_APPLICATION
from imgtool.formats.images import version1
from imgtool.formats.images.version1 import BootImage
from imgtool.formats.reading import (
    Checksum,
    Cover,
    FileKind,
    Finding,
    Firmware,
    Part,
    PartKind,
    Reading,
    Severity,
)
from imgtool.formats.wire import built, parse_at

if TYPE_CHECKING:
    from imgtool.formats.images.version1 import ImageScan

__all__ = ["ESP32_SIZES", "AppDescription", "RtosApp", "RtosAppDetails", "inside", "read"]

ESP32_SIZES: Final = {0: "1MB", 1: "2MB", 2: "4MB", 3: "8MB", 4: "16MB"}
"""Flash sizes by the size code of ESP32 images, which the RTOS SDK's tools write here."""

_DESCRIPTION_MAGIC: Final = 0xABCD_5432
_DESCRIPTION = Struct(
    "magic" / Const(_DESCRIPTION_MAGIC, Int32ul),
    "secure_version" / Int32ul,
    "reserved" / Bytes(8),
    "version" / Bytes(32),
    "project" / Bytes(32),
    "time" / Bytes(16),
    "date" / Bytes(16),
    "idf_version" / Bytes(32),
    "elf_sha256" / Bytes(32),
    "reserved_too" / Bytes(256 - 176),
)
_HASH: Final = 32
_APP_SLOT: Final = 0x4021_0000  # flash offset 0x10000, and every slot a MiB further
_IN_SLOT: Final = 0xFFFF
_FIRST_DATA: Final = 0x10  # behind the image header and the first segment's


@dataclass(frozen=True, slots=True)
class AppDescription:
    """What an application says of itself (esp_app_desc_t).

    Attributes:
        project: Its name.
        version: Its version.
        built: Date and time of compilation.
        sdk: Version of the RTOS SDK.
        elf_sha256: Digest of the ELF file that the image was made from; empty where none was filled in.
        secure_version: Number that counts up where a device refuses older versions.
    """

    project: str
    version: str
    built: str
    sdk: str
    elf_sha256: str
    secure_version: int = 0

    @classmethod
    def parse(cls, data: bytes, offset: int) -> AppDescription:
        """Read the description at ``offset``.

        Raises:
            FormatError: Another magic, or it is cut short.
        """
        fields = parse_at(_DESCRIPTION, data, offset, "application description")
        built = f"{_text(fields.date)} {_text(fields.time)}".strip()
        return cls(
            _text(fields.project),
            _text(fields.version),
            built,
            _text(fields.idf_version),
            fields.elf_sha256.hex() if any(fields.elf_sha256) else "",
            fields.secure_version,
        )

    def build(self) -> bytes:
        """The description as bytes, reserved ones zero.

        Raises:
            FormatError: A text is too long for its field, or could not be read back; no digest.
        """
        # The time has no space in it, the date has.
        date, _, time = self.built.rpartition(" ")
        fields = {
            "secure_version": self.secure_version,
            "reserved": bytes(8),
            "version": _field(self.version, 32),
            "project": _field(self.project, 32),
            "time": _field(time, 16),
            "date": _field(date, 16),
            "idf_version": _field(self.sdk, 32),
            "elf_sha256": _elf_digest(self.elf_sha256),
            "reserved_too": bytes(256 - 176),
        }
        return built(_DESCRIPTION, fields, "application description")

    @property
    def firmware(self) -> Firmware:
        """The same in the words of all formats."""
        return Firmware(
            self.project or RTOS_APPLICATION,
            _number(self.version),
            _number(self.sdk),
            self.built or None,
        )


class RtosAppDetails(NamedTuple):
    """What an application says beside its segments.

    Attributes:
        size_code: The size code in its header, which the ESP32's table gives a meaning to.
        description: What it says of itself, None where it does not.
    """

    size_code: int
    description: AppDescription | None = None

    @property
    def flash_size(self) -> str | None:
        """The flash size that its header states, None for a code without a meaning."""
        return ESP32_SIZES.get(self.size_code)


class RtosApp(NamedTuple):
    """An application as values.

    Attributes:
        image: The version-1 image.
        stored_sha256: The SHA-256 behind it; None where there is none.
    """

    image: BootImage
    stored_sha256: bytes | None = None

    @classmethod
    def parse(cls, data: bytes) -> RtosApp:
        """Read an application; the checks are read, not judged, and bytes behind it are ignored.

        Raises:
            FormatError: No whole image, or the SHA-256 is cut short.
        """
        image = BootImage.parse(data)
        end = version1.scan(data).end
        tail = data[end : end + _HASH]
        if 0 < len(tail) < _HASH:
            expected, found = f"{_HASH} bytes", f"{len(tail)} bytes"
            raise FormatError("the SHA-256 is cut short", offset=end, expected=expected, found=found)
        if len(data) - end == _HASH or _hash_is_right(data, end):
            return cls(image, tail)
        return cls(image)

    def build(self) -> bytes:
        """The application as bytes, with its stored SHA-256 if it has one.

        Raises:
            FormatError: An image that cannot be built, or no SHA-256.
        """
        body = self.image.build()
        return (
            body if self.stored_sha256 is None else body + built(Bytes(_HASH), self.stored_sha256, "SHA-256")
        )

    @property
    def sha256(self) -> bytes:
        """The SHA-256 that its bytes give."""
        return hashlib.sha256(self.image.build()).digest()


def _field(text: str, size: int) -> bytes:
    """A text as its field holds it."""
    field = text.encode(errors="ignore")
    if len(field) > size or _text(field) != text:
        message = "a text of the application description does not fit its field"
        raise FormatError(message, expected=f"at most {size} bytes, no blanks around them", found=repr(text))
    return field.ljust(size, b"\0")


def _elf_digest(text: str) -> bytes:
    """The digest of the ELF file as its field holds it."""
    try:
        digest = bytes.fromhex(text) if text else bytes(_HASH)
    except ValueError:
        digest = b""
    if len(digest) != _HASH or (text and (digest.hex() != text or not any(digest))):
        expected = f"{2 * _HASH} lower-case hex digits"
        raise FormatError("no digest of an ELF file", expected=expected, found=repr(text))
    return digest


def _text(field: bytes) -> str:
    return field.split(b"\0", maxsplit=1)[0].decode("utf-8", "replace").strip()


def _number(version: str) -> str | None:
    # Both come from git tags: v3.4-dirty.
    return (version[1:] if version[:1] == "v" and version[1:2].isdigit() else version) or None


def _description(data: bytes, found: ImageScan) -> AppDescription | None:
    """The description, which begins the read-only data, a segment of its own."""
    for segment in found.segments:
        try:
            return AppDescription.parse(data, segment.offset)
        except FormatError:
            continue
    return None


def _is_app(data: bytes, found: ImageScan, description: AppDescription | None) -> bool:
    if found.problem is not None and not found.segments:
        # Cut inside its first segment: all that is left to go by is where that would run.
        return _in_slot(data)
    if description is not None:
        return True
    if not found.segments or found.segments[0].memory != "IROM":
        return False
    return _flash_segments(found) > 1 or _hash_is_right(data, found.end)


def _flash_segments(found: ImageScan) -> int:
    return sum(segment.memory == "IROM" for segment in found.segments)


def _in_slot(data: bytes) -> bool:
    """Whether the first segment runs where an application slot would be mapped."""
    address = _first_address(data)
    return _APP_SLOT <= address < _APP_SLOT + IROM_WINDOW and address & _IN_SLOT == _FIRST_DATA


def _first_address(data: bytes) -> int:
    return int.from_bytes(data[8:12], "little")


def _hash_is_right(data: bytes, end: int) -> bool:
    tail = data[end : end + _HASH]
    return len(tail) == _HASH and hashlib.sha256(data[:end]).digest() == tail


def read(data: bytes) -> Reading | None:
    """Read a file as an RTOS SDK application, whole or damaged, with whatever follows it."""
    try:
        found = version1.scan(data)
    except FormatError:
        return None
    description = _description(data, found)
    if not _is_app(data, found, description):
        return None
    findings = [f for f in version1.findings_of(found) if f.code != "flash-size"]
    findings.append(_size_finding(found))
    part = _part(data, found, description)
    if found.problem is None:
        tail, tail_findings = _tail(data, found.end)
    else:
        part, tail, tail_findings = replace(part, size=len(data)), (), ()
    firmware = Firmware(RTOS_APPLICATION) if description is None else description.firmware
    findings += tail_findings
    return Reading(FileKind.RTOS_APP, (part, *tail), found.header, tuple(findings), firmware=firmware)


def _part(data: bytes, found: ImageScan, description: AppDescription | None) -> Part:
    value = RtosAppDetails(found.header.size_freq_code >> 4, description)
    # Flash is mapped as it is, so the image's first byte runs as far before the segment as it stands.
    address = _first_address(data) - _FIRST_DATA
    return replace(version1.part_of(found), kind=PartKind.APP, address=address, value=value)


def _size_finding(found: ImageScan) -> Finding:
    code = found.header.size_freq_code >> 4
    size = ESP32_SIZES.get(code)
    if size is None:
        message = f"flash size code {code} has no meaning in the ESP32's table, which RTOS SDK images use"
        return Finding(Severity.WARNING, "flash-size", message, 3)
    message = (
        f"the header's size code {code} is to be read by the ESP32's table, as in all RTOS SDK images: {size}"
    )
    return Finding(Severity.NOTE, "flash-size-code", message, 3)


def _tail(data: bytes, end: int) -> tuple[tuple[Part, ...], tuple[Finding, ...]]:
    """The SHA-256 behind the image and whatever follows."""
    size = len(data) - end
    if size == 0:
        message = "no SHA-256 stands behind the image; builds without one exist, a cut there looks the same"
        return (), (Finding(Severity.NOTE, "no-sha256", message, end),)
    if size < _HASH:
        part = Part(PartKind.SHA256_TAIL, end, size, note="cut")
        message = f"the SHA-256 behind the image is cut: {size} of {_HASH} bytes"
        return (part,), (Finding(Severity.ERROR, "cut", message, end),)
    if size != _HASH and not _hash_is_right(data, end):
        return version1.trailing(data, end)
    stored = int.from_bytes(data[end : end + _HASH], "big")
    computed = int.from_bytes(hashlib.sha256(data[:end]).digest(), "big")
    check = Checksum("sha256", stored, computed, 256, Cover(end, ((0, end),)))
    part = Part(PartKind.SHA256_TAIL, end, _HASH, checksum=check, note="covers everything before it")
    rest, findings = _rest(data, part.end)
    if not check.ok:
        message = "the SHA-256 behind the image is not that of the bytes before it"
        findings = (Finding(Severity.ERROR, "sha256", message, end), *findings)
    return (part, *rest), findings


def _rest(data: bytes, end: int) -> tuple[tuple[Part, ...], tuple[Finding, ...]]:
    """What stands behind an application: in NAME.ota.bin the same one again, linked for the second slot.

    The SDK's ``make ota`` builds the two where the slots are not whole megabytes apart (components/esptool_py
    in https://github.com/espressif/ESP8266_RTOS_SDK); an update over the network takes one of them.
    """
    parts, findings = version1.trailing(data, end)
    start = fill.run_end(data, end, len(data))
    second = data[start:]
    if second[:1] != bytes([version1.MAGIC]) or not version1.is_plausible(second):
        return parts, findings
    try:
        found = version1.scan(second)
    except FormatError:  # cut inside its headers
        return parts, findings
    if found.problem is not None or not _is_app(second, found, _description(second, found)):
        return parts, findings
    linked = _first_address(second) - _FIRST_DATA - IROM_BASE
    message = (
        f"another application, linked for 0x{linked:05x}, stands behind the first: an update takes one"
        " of them, and a slot has room for one"
    )
    return parts, (Finding(Severity.WARNING, "second-app", message, start),)


def inside(data: bytes, offset: int, stop: int) -> Reading | None:
    """Read the application that begins at ``offset`` of a flash, without what stands behind it."""
    if not version1.is_plausible(data, offset):
        return None
    reading = read(version1.stretch_of(data, offset, stop))
    return None if reading is None else version1.without_trailing(reading).moved(offset)
