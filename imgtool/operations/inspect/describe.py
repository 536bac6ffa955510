"""Describe a file: what it is, its parts, its checks, which firmware it holds.

Joins the formats (what the bytes at its start are), the survey (what lies behind) and the strings (who made
it). Not rendering: the command line and other programs do that.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import FLASH_SIZES, IROM_BASE, IROM_PLACE, RTOS_TABLE_PLACE, SDK_SECTORS, SECTOR
from imgtool.formats import fill
from imgtool.formats.firmware import AT_FIRMWARE, GENERIC_NAMES
from imgtool.formats.kinds import KINDS, Starter
from imgtool.formats.reading import FileKind, Finding, PartKind, Severity
from imgtool.formats.registry import identify
from imgtool.operations.inspect.active_firmware import firmware_at_start, firmware_of_slot

if TYPE_CHECKING:
    from imgtool.formats.reading import Checksum, Firmware, Header, Part, Reading
    from imgtool.operations.inspect.flash_state import FlashState

__all__ = ["PLENTY_BEHIND_IROM", "Description", "describe", "described"]

PLENTY_BEHIND_IROM: Final = 0x3_0000
"""More bytes of a flash than any NodeMCU without a partition table skips, keeps and needs for its files."""

_IN_INIT_DATA: Final = b"\x04\x02\x05\x05\x05\x02"  # bytes 2 to 7 of every published set
_SIZES: Final = tuple(sorted({size.bytes for size in FLASH_SIZES}))
_DEEPEST: Final = 2  # a gzip in a gzip is looked into, no further


class Description(NamedTuple):
    """What a file is; always made with keywords.

    Attributes:
        kind: What the whole file is.
        size: Its bytes.
        sha256: Their digest, lower-case hex.
        firmware: Which firmware it holds, by its strings.
        header: The image header in force, if there is an image.
        parts: Its parts in file order, without holes.
        findings: What is to be said, errors first.
        content: What is inside, for files that only wrap another one.
        state: What the flash is set up for, where the file is one, or holds more than its firmware.
    """

    kind: FileKind
    size: int
    sha256: str
    firmware: Firmware | None
    header: Header | None
    parts: tuple[Part, ...]
    findings: tuple[Finding, ...]
    content: Description | None = None
    state: FlashState | None = None

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)

    @property
    def foreign(self) -> bool:
        """Whether it is no ESP8266 artefact at all, or a packed archive."""
        packed = self.content is not None and KINDS[self.content.kind].packs
        return packed or KINDS[self.kind].foreign

    @property
    def checksums(self) -> tuple[tuple[Part, Checksum], ...]:
        """Every check with the part that it stands in."""
        return tuple((part, part.checksum) for part in self.parts if part.checksum is not None)


def describe(data: bytes) -> Description:
    """Describe a file by its bytes; works on any bytes, raises nothing.

    Args:
        data: The whole file.
    """
    return described(data, identify(data))


def described(data: bytes, reading: Reading) -> Description:
    """Describe a file that was read already: to read it again takes as long as all the rest.

    Args:
        data: The whole file.
        reading: What :func:`imgtool.formats.registry.identify` said of it.
    """
    return _described(data, reading, _DEEPEST)


def _may_go_on(data: bytes, reading: Reading) -> bool:
    """Whether a file is as large as a flash, or has something where the SDK keeps its init data."""
    size = len(data)
    if reading.kind is FileKind.UNKNOWN:
        return size in _SIZES and _has_init_data(data)
    if not KINDS[reading.kind].at_start:
        return False
    if size in _SIZES:
        return True
    stated = None if reading.header is None else reading.header.flash_size
    ends = {next((end for end in _SIZES if end >= size), 0), 0 if stated is None else stated.bytes} - {0}
    places = [end - SDK_SECTORS[1].from_end * SECTOR for end in ends]
    # One of the two is right also where the other is damaged; the survey then looks closely.
    if any(data[p : p + 1] == b"\x05" or data[p + 2 : p + 8] == _IN_INIT_DATA for p in places):
        return True
    return _has_erased_sector(data) or _behind_table(data, reading) or _behind_loader(data, reading)


def _has_erased_sector(data: bytes) -> bool:
    """Whether an erased sector lies where firmware runs from, as in a flash that was read in part."""
    if len(data) % SECTOR:  # then it takes more to be no image
        return data.find(b"\xff" * fill.LEAST_ERASED, IROM_PLACE) >= 0
    erased = b"\xff" * SECTOR
    starts = range(IROM_PLACE, len(data), SECTOR)
    return any(data[at] == erased[0] and data.startswith(erased, at) for at in starts)


def _behind_table(data: bytes, reading: Reading) -> bool:
    """Whether a file holds more than irom by its NodeMCU table: one that is resolved knows no end of it."""
    tables = [part.value for part in reading.parts if part.kind is PartKind.PARTITION_TABLE]
    if not tables:
        return False
    from imgtool.formats.regions.nodemcu_page import END_MARKER, PartitionTable  # noqa: PLC0415 - few have one

    table = next((each for each in tables if isinstance(each, PartitionTable)), None)
    if table is None:
        return False
    return all(row.address - IROM_BASE < len(data) for row in table.entries if row.type == END_MARKER)


def _behind_loader(data: bytes, reading: Reading) -> bool:
    """Whether the boot loader of the RTOS SDK is followed by more, so that the survey has to look."""
    return KINDS[reading.kind].brings is Starter.RTOS and len(data) > RTOS_TABLE_PLACE


def _has_init_data(data: bytes) -> bool:
    """Whether init data stands at its place before the end: a flash of which the start was wiped."""
    from imgtool.formats.regions.init_data import is_init_data  # noqa: PLC0415 - rare

    return is_init_data(data, len(data) - SDK_SECTORS[1].from_end * SECTOR)


def _may_lack_room(reading: Reading) -> bool:
    """Whether a firmware may have too little room for files, which only the rules of its release tell."""
    if reading.header is None or not KINDS[reading.kind].has_layout:
        return False
    flash = reading.header.flash_size
    ends = [part.end for part in reading.parts if part.kind is PartKind.IROM]
    with_table = any(part.kind is PartKind.PARTITION_TABLE for part in reading.parts)
    if flash is None or with_table or reading.kind is FileKind.FLASH_DUMP:
        return True
    return flash.bytes - max(ends, default=0) < PLENTY_BEHIND_IROM


def _about_content(content: Description | None) -> tuple[Finding, ...]:
    """What the contents of a file mean for the file."""
    if content is None or content.ok:
        return ()
    if KINDS[content.kind].packs:
        return (Finding(Severity.ERROR, "archive", "what is inside is an archive: unpack it first"),)
    if content.foreign:
        return (Finding(Severity.WARNING, "content", "what is inside is no ESP8266 file"),)
    return (Finding(Severity.ERROR, "content", "what is inside is damaged"),)


def _described(data: bytes, reading: Reading, depth: int) -> Description:
    firmware = reading.firmware
    if firmware is None and KINDS[reading.kind].holds_firmware and reading.content is None:
        firmware = _for_its_chip(reading, firmware_at_start(data, reading))
    state = None
    if _may_go_on(data, reading):
        reading, firmware, state = _surveyed(data, reading, firmware)
    content = None
    if reading.content is not None and depth:
        content = _described(reading.content, identify(reading.content), depth - 1)
    findings = (*reading.findings, *_about_content(content))
    if reading.kind is FileKind.PARTITION_TABLE:
        from imgtool.operations.inspect.rtos_checks import table_findings  # noqa: PLC0415 - few files are one

        findings += table_findings(reading.parts)
    if firmware is not None and _may_lack_room(reading):
        from imgtool.operations.inspect.room_for_files import room_in_file  # noqa: PLC0415 - most have room

        findings += room_in_file(reading, firmware, len(data))
    rank = list(Severity)
    return Description(
        kind=reading.kind,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        firmware=firmware,
        header=reading.header,
        parts=reading.parts,
        findings=tuple(sorted(findings, key=lambda finding: rank.index(finding.severity))),
        content=content,
        state=state,
    )


def _for_its_chip(reading: Reading, firmware: Firmware | None) -> Firmware | None:
    """The firmware; None where an image for another chip would get a name that is this chip's."""
    ours = firmware is not None and firmware.name in (AT_FIRMWARE, *GENERIC_NAMES)
    return None if ours and reading.kind is FileKind.ESP32 else firmware


def _surveyed(
    data: bytes, reading: Reading, firmware: Firmware | None
) -> tuple[Reading, Firmware | None, FlashState | None]:
    """The reading with all that the file holds, its firmware, and the state of the flash."""
    from imgtool.operations.inspect.survey import survey  # noqa: PLC0415 - half of all files do not need it

    kind = reading.kind
    reading, regions, surveyed = survey(data, reading, firmware)
    firmware = reading.firmware or firmware
    if not surveyed:
        return reading, firmware, None
    from imgtool.operations.inspect.flash_state import flash_state, state_findings  # noqa: PLC0415 - as above

    state = flash_state(data, kind, reading, regions, firmware)
    firmware = firmware_of_slot(data, reading, state.active_slot) or firmware
    findings = (*reading.findings, *state_findings(state))
    if KINDS[kind].brings is Starter.RTOS:
        from imgtool.operations.inspect.rtos_checks import flash_findings  # noqa: PLC0415 - few flashes have it

        findings += flash_findings(data, reading.parts, state.active_slot)
    return reading._replace(findings=findings), firmware, state
