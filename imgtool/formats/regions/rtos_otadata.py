"""The partition ``otadata`` of the RTOS SDK 3: which application slot is in force.

Two entries of 32 bytes, each at the start of a sector of its own; as a file of 8,192 bytes, too.  Not the
partition table, which names the slots (rtos_partitions.py).  The ESP32 has the same format.

Source: esp_flash_data_types.h, bootloader_utility.c and bootloader_common.c in
https://github.com/espressif/ESP8266_RTOS_SDK; see docs/formats/rtos-otadata.md.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from construct import Bytes, Int32ul, Struct

from imgtool.chip import SECTOR
from imgtool.errors import FormatError
from imgtool.formats import fill
from imgtool.formats.checksums import otadata_crc
from imgtool.formats.reading import Checksum, Cover, FileKind, Finding, Part, PartKind, Reading, Severity
from imgtool.formats.wire import built, parse_at

__all__ = ["SIZE", "OtaData", "OtaEntry", "read"]

SIZE: Final = 2 * SECTOR
"""Bytes of the partition that are looked at."""

_LABEL: Final = 24
_ENTRY: Final = Struct(
    "sequence" / Int32ul,
    "label" / Bytes(_LABEL),  # erased; nothing reads it
    "crc" / Int32ul,
)
_SIZE: Final = _ENTRY.sizeof()
_NUMBER: Final = 4
_EMPTY: Final = 0xFFFF_FFFF


class OtaEntry(NamedTuple):
    """One entry.

    Attributes:
        sequence: The number of an update; 0xFFFFFFFF where none was written.
        stored_crc: What it has as the CRC of that number; None stands for the right one.
    """

    sequence: int
    stored_crc: int | None = None

    @classmethod
    def parse(cls, data: bytes, offset: int = 0) -> OtaEntry:
        """Read the entry at ``offset``; its CRC is read, not judged.

        Raises:
            FormatError: It is cut short.
        """
        fields = parse_at(_ENTRY, data, offset, "entry")
        return cls(fields.sequence, fields.crc)

    def build(self) -> bytes:
        """The entry as bytes.

        Raises:
            FormatError: A number that its field cannot hold.
        """
        crc = self.crc if self.stored_crc is None else self.stored_crc
        fields = {"sequence": self.sequence, "label": b"\xff" * _LABEL, "crc": crc}
        return built(_ENTRY, fields, "entry")

    @property
    def crc(self) -> int:
        """The CRC that the number gives; unlike the usual one it begins with all bits set."""
        return otadata_crc((self.sequence & _EMPTY).to_bytes(_NUMBER, "little"))

    @property
    def blank(self) -> bool:
        """Whether no update was written."""
        return self.sequence == _EMPTY

    @property
    def valid(self) -> bool:
        """Whether the boot loader takes it."""
        return not self.blank and self.stored_crc in (None, self.crc)


class OtaData(NamedTuple):
    """Both entries; None for one that is not there."""

    entries: tuple[OtaEntry | None, OtaEntry | None]

    @classmethod
    def parse(cls, data: bytes, offset: int = 0) -> OtaData:
        """Read both entries at ``offset`` of a flash; what is behind its end counts as not there."""
        first, second = (_entry(data, offset + at) for at in (0, SECTOR))
        return cls((first, second))

    def build(self) -> bytes:
        """The content of the partition: the entries, and erased flash behind each.

        Raises:
            FormatError: A number that its field cannot hold.
        """
        blank = OtaEntry(_EMPTY, _EMPTY)
        sectors = ((entry or blank).build().ljust(SECTOR, b"\xff") for entry in self.entries)
        return b"".join(sectors)

    @property
    def empty(self) -> bool:
        """Whether no update was ever written."""
        return all(entry is None or entry.blank for entry in self.entries)

    @property
    def newest(self) -> int | None:
        """The number in force, None where no entry is valid."""
        return max((each.sequence for each in self.entries if each is not None and each.valid), default=None)

    def slot(self, count: int) -> int | None:
        """Which of so many OTA slots is in force, from 0; None where no entry says so."""
        # The boot loader subtracts in 32 bits: 0 is as 0x100000000.
        return None if self.newest is None or count == 0 else ((self.newest - 1) & _EMPTY) % count

    def findings(self, offset: int = 0, severity: Severity = Severity.WARNING) -> tuple[Finding, ...]:
        """What is to be said of entries with a wrong CRC; both begin at ``offset``."""
        findings = []
        for number, entry in enumerate(self.entries):
            if entry is None or entry.blank or entry.valid:
                continue
            message = (
                f"entry {number + 1} of otadata has the CRC 0x{entry.stored_crc or 0:08x}, its number "
                f"{entry.sequence} gives 0x{entry.crc:08x}: the boot loader does not take it"
            )
            findings.append(Finding(severity, "otadata-crc", message, offset + number * SECTOR))
        return tuple(findings)


def _entry(data: bytes, offset: int) -> OtaEntry | None:
    try:
        return OtaEntry.parse(data, offset)
    except FormatError:
        return None


def read(data: bytes) -> Reading | None:
    """Read a file that is the content of such a partition; one that was never written is a blank file."""
    if len(data) != SIZE or not all(_is_sector(data, start) for start in (0, SECTOR)):
        return None
    parsed = OtaData.parse(data, 0)
    if parsed.empty:
        return None
    parts: list[Part] = []
    for number, entry in enumerate(parsed.entries):
        start = number * SECTOR
        parts += [_part(start, entry), Part(PartKind.BLANK, start + _SIZE, SECTOR - _SIZE, note="erased")]
    message = "the ESP32 has the same format: the file does not tell which chip it is for"
    findings = (*parsed.findings(0, Severity.ERROR), Finding(Severity.NOTE, "otadata-chip", message))
    return Reading(FileKind.OTADATA, tuple(parts), findings=findings)


def _is_sector(data: bytes, start: int) -> bool:
    """Whether a sector holds an entry, its label erased, and nothing else."""
    label = fill.is_fill(data, start + _NUMBER, start + _NUMBER + _LABEL)
    return label and fill.is_fill(data, start + _SIZE, start + SECTOR)


def _part(start: int, entry: OtaEntry | None) -> Part:
    if entry is None or entry.blank:
        return Part(PartKind.BLANK, start, _SIZE, note="an entry without an update")
    cover = Cover(start + _NUMBER + _LABEL, ((start, start + _NUMBER),))
    check = Checksum("crc32-otadata", entry.stored_crc or 0, entry.crc, 32, cover)
    return Part(PartKind.USER_DATA, start, _SIZE, checksum=check, note=f"update {entry.sequence}")
