"""What reading a file yields: its kind, its parts, its checks and what is to be said about it.

The common vocabulary of all formats and of everything above them.  Not a format, and no rendering: these are
values.  These classes are made at every start of ``inspect``: named tuples, and where a default or a replaced
field asks for a dataclass, one without slots, for which a class is made twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.chip import FLASH_FREQUENCIES, FLASH_MODES, flash_size_of_code, memory_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imgtool.chip import FlashSize

__all__ = [
    "Checksum",
    "Cover",
    "Fact",
    "FileKind",
    "Finding",
    "Firmware",
    "Header",
    "Part",
    "PartKind",
    "Reading",
    "SegmentInfo",
    "Severity",
]

Fact = str | int | float | bool | None | list["Fact"] | dict[str, "Fact"]
"""A value that has a JSON form as it is."""


class FileKind(StrEnum):
    """What a whole file is."""

    IMAGE_V1 = "image-v1"
    IMAGE_V2 = "image-v2"
    AGGREGATED = "aggregated"
    IROM = "irom"
    ARDUINO = "arduino"
    MICROPYTHON = "micropython"
    RTOS_APP = "rtos-app"
    RTOS_BOOTLOADER = "rtos-bootloader"
    SDK_BOOTLOADER = "sdk-bootloader"
    RBOOT = "rboot"
    RBOOT_CONFIG = "rboot-config"
    AT_USER = "at-user"
    FLASH_DUMP = "flash-dump"
    INIT_DATA = "init-data"
    BLANK = "blank"
    LFS = "lfs"
    SPIFFS = "spiffs"
    LITTLEFS = "littlefs"
    ESPFS = "espfs"
    PARTITION_TABLE = "partition-table"
    OTADATA = "otadata"
    GZIP = "gzip"
    ELF = "elf"
    INTEL_HEX = "intel-hex"
    S_RECORD = "s-record"
    UF2 = "uf2"
    TUYA_OTA = "tuya-ota"
    RAM_IMAGE = "ram-image"
    ESP32 = "esp32"
    ARCHIVE = "archive"
    TEXT = "text"
    EMPTY = "empty"
    UNKNOWN = "unknown"


class PartKind(StrEnum):
    """What a stretch of a file is."""

    IMAGE_V1 = "image-v1"
    IMAGE_V2 = "image-v2"
    IROM = "irom"
    GAP = "gap"
    BOOTLOADER = "bootloader"
    RBOOT_CONFIG = "rboot-config"
    APP = "app"
    INIT_DATA = "init-data"
    RF_CAL = "rf-cal"
    SYSTEM_PARAM = "system-param"
    PARTITION_TABLE = "partition-table"
    SPIFFS = "spiffs"
    LITTLEFS = "littlefs"
    LFS = "lfs"
    BLANK = "blank"
    CRC_TAIL = "crc-tail"
    MD5_TAIL = "md5-tail"
    SHA256_TAIL = "sha256-tail"
    LENGTH_CRC_WORDS = "length-crc-words"
    USER_DATA = "user-data"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How much a finding matters: an error means that the file is not whole or not valid."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Finding(NamedTuple):
    """One thing worth saying about a file.

    Attributes:
        code: Short stable name for programs, such as ``checksum``.
        message: The sentence for people.
        offset: Where in the file, if it is about a place.
    """

    severity: Severity
    code: str
    message: str
    offset: int | None = None


class Cover(NamedTuple):
    """What a check value is computed over and where it stands; all are offsets in the file.

    Attributes:
        place: Offset of the stored value.
        spans: Start and stop of each covered stretch, in the order in which they are taken.
        zeroed: Start and stop of bytes that are taken as zeros, such as those of the value itself.
    """

    place: int
    spans: tuple[tuple[int, int], ...]
    zeroed: tuple[int, int] | None = None

    def moved(self, by: int) -> Cover:
        """The same in a longer file, ``by`` bytes further on."""
        zeroed = None if self.zeroed is None else (self.zeroed[0] + by, self.zeroed[1] + by)
        return Cover(self.place + by, tuple((start + by, stop + by) for start, stop in self.spans), zeroed)

    def touches(self, start: int, stop: int) -> bool:
        """Whether a change of the bytes from ``start`` to ``stop`` changes the computed value."""
        return any(start < end and begin < stop for begin, end in self.spans)


_ALGORITHMS: Final = {
    "xor8": "XOR",
    "sdk-crc32": "CRC-32",
    "crc32": "CRC-32",
    "crc32-mpeg2": "CRC-32",
    "sum32": "sum",
    "crc32-otadata": "CRC-32",
    "md5": "MD5",
    "sha256": "SHA-256",
}


class Checksum(NamedTuple):
    """A stored check value beside the computed one.

    Attributes:
        algorithm: ``xor8`` (seed 0xEF), ``crc32``, ``sdk-crc32``, ``crc32-mpeg2``, ``crc32-otadata``,
            ``sum32``, ``md5``, ``sha256``.
        stored: The value in the file; digests too are numbers, first byte highest.
        computed: The value that the bytes give.
        bits: Width of both.
        cover: What it is computed over; None where it is not over bytes of the file as they stand.
    """

    algorithm: str
    stored: int
    computed: int
    bits: int = 8
    cover: Cover | None = None

    @property
    def ok(self) -> bool:
        """Whether both agree."""
        return self.stored == self.computed

    @property
    def name(self) -> str:
        """The algorithm as people call it."""
        return _ALGORITHMS.get(self.algorithm, self.algorithm)

    def moved(self, by: int) -> Checksum:
        """The same in a longer file, ``by`` bytes further on."""
        return self if self.cover is None else self._replace(cover=self.cover.moved(by))


class SegmentInfo(NamedTuple):
    """Where one segment of an image lies and loads.

    Attributes:
        offset: File offset of its data, behind its 8-byte header.
        size: Bytes of data.
        address: Load address.
    """

    offset: int
    size: int
    address: int

    @property
    def memory(self) -> str | None:
        """Name of the memory that the address lies in, None where there is none."""
        region = memory_at(self.address)
        return None if region is None else region.name


class Header(NamedTuple):
    """The image header fields that the boot ROM and the SDK read.

    Attributes:
        version: 1 for E9 images, 2 for EA images.
        entry: Entry point address.
        mode_code: Header byte 2.
        size_freq_code: Header byte 3, flash size in the upper nibble and frequency in the lower.
        slot: User slot of an SDK image (1 or 2), None where the header has none.
    """

    version: int
    entry: int
    mode_code: int
    size_freq_code: int
    slot: int | None = None

    @property
    def mode(self) -> str | None:
        """Flash mode by name, None for a code without one."""
        return _name_of(FLASH_MODES, self.mode_code)

    @property
    def freq(self) -> str | None:
        """Flash frequency by name, None for a code without one."""
        return _name_of(FLASH_FREQUENCIES, self.size_freq_code & 0xF)

    @property
    def flash_size(self) -> FlashSize | None:
        """Flash size that the header declares, None for a code without one."""
        return flash_size_of_code(self.size_freq_code >> 4)

    @property
    def size(self) -> str | None:
        """Name of :attr:`flash_size`."""
        return None if self.flash_size is None else self.flash_size.name


def _name_of(table: Mapping[str, int], code: int) -> str | None:
    return next((name for name, value in table.items() if value == code), None)


@dataclass(frozen=True)
class Part:
    """One stretch of a file.

    Attributes:
        kind: What it is.
        offset: Where it begins in the file.
        size: Bytes.
        address: Load or run address of its first byte, where it has one.
        checksum: Its check, where it has one.
        segments: Its segments, for images.
        note: A few words on its contents; for people, nothing goes by them.
        value: Its contents as its format reads them, to be told by their class:
            imgtool/formats/part_facts.py lists those.  None where there is nothing to read, or it cannot be.
            An offset in it counts from where its own format begins.
    """

    kind: PartKind
    offset: int
    size: int
    address: int | None = None
    checksum: Checksum | None = None
    segments: tuple[SegmentInfo, ...] = ()
    note: str = ""
    value: object = None

    @property
    def end(self) -> int:
        """Offset behind its last byte."""
        return self.offset + self.size

    @property
    def facts(self) -> Mapping[str, Fact]:
        """The value as in JSON, by name; made for output, as programs go by ``value``."""
        # Most runs print no facts, and nothing else needs to know all formats.
        rendered: Any = import_module("imgtool.formats.part_facts")
        facts: Mapping[str, Fact] = rendered.facts_of(self.value)
        return facts


@dataclass(frozen=True)
class Firmware:
    """Which firmware a file holds, by the strings in it; None where they do not say.

    Attributes:
        name: ``NodeMCU``, ``ESP8266 AT`` or ``non-OS SDK application``.
        version: Its version.  Cloud builds do not carry one: then it is the SDK's, which their releases
            share.
        sdk: The SDK's own version string, such as ``2.2.1(6ab97e9)``.
        build: Build date as written in the firmware.
        lua: Lua version.
        builder: Who built it, such as ``frightanic.com``.
        details: Further lines of a NodeMCU banner by name: branch, commit, release, SSL, build type, LFS,
            modules.
        spiffs_formula: By which formula the code of a NodeMCU computes SPIFFS magics, ``old`` or ``linear``;
            read where the builds of its version differ in that, else None; also None where it is not clear.
    """

    name: str
    version: str | None = None
    sdk: str | None = None
    build: str | None = None
    lua: str | None = None
    builder: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    spiffs_formula: str | None = None

    @property
    def release(self) -> tuple[int, ...]:
        """The version as numbers, empty where there is none."""
        numbers = (self.version or "").split("-", maxsplit=1)[0].split(".")
        return tuple(int(n) for n in numbers) if all(n.isdigit() for n in numbers) else ()


class Reading(NamedTuple):
    """What a file is, by one format's rules.

    Attributes:
        kind: What the whole file is.
        parts: Its parts in file order, without holes.
        header: The image header, if there is an image.
        findings: What is to be said.
        content: The bytes inside, for files that only wrap another one (gzip, Intel HEX); read in their turn.
        firmware: The firmware, where the format knows it better than the strings do.
    """

    kind: FileKind
    parts: tuple[Part, ...]
    header: Header | None = None
    findings: tuple[Finding, ...] = ()
    content: bytes | None = None
    firmware: Firmware | None = None

    def moved(self, by: int) -> Reading:
        """The same reading of bytes that stand ``by`` bytes further on in a longer file."""
        parts = tuple(
            replace(
                part,
                offset=part.offset + by,
                checksum=None if part.checksum is None else part.checksum.moved(by),
                segments=tuple(segment._replace(offset=segment.offset + by) for segment in part.segments),
            )
            for part in self.parts
        )
        findings = tuple(
            finding if finding.offset is None else finding._replace(offset=finding.offset + by)
            for finding in self.findings
        )
        return self._replace(parts=parts, findings=findings)
