"""What the survey of a flash goes by: what the firmware reserves, and whether it is whole.

The SDK goes by the size in the image header, people by the chip, and files may be cut: here it is decided
which of them counts.  Not the survey itself (survey.py).  The rules: docs/formats/flash-dump.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES, SECTOR
from imgtool.errors import LayoutError
from imgtool.formats import fill, lx106
from imgtool.formats.kinds import KINDS, Starter
from imgtool.formats.reading import Finding, PartKind, Severity
from imgtool.formats.regions import init_data, rtos_partitions
from imgtool.formats.regions.nodemcu_page import PartitionTable
from imgtool.formats.regions.rboot_config import MongooseConfig
from imgtool.layout.fit import kept_regions
from imgtool.layout.generations import ARDUINO, generation, generation_of
from imgtool.layout.nodemcu import resolve, table_regions
from imgtool.layout.regions import Region, rtos_regions
from imgtool.layout.stock import stock_layout
from imgtool.operations.inspect.sdk_sectors import rf_cal_state

if TYPE_CHECKING:
    from imgtool.chip import FlashSize
    from imgtool.formats.reading import Firmware, Part, Reading
    from imgtool.layout.traits import Generation


__all__ = ["TRAILING", "SurveyPlan", "goes_on", "head_of", "plan_of", "reserved_regions", "stated_irom_end"]

TRAILING: Final = (PartKind.GAP, PartKind.UNKNOWN)
"""Parts behind a firmware that the survey may tell apart."""

_SIZES: Final = tuple(sorted({size.bytes for size in FLASH_SIZES}))
_BLANK_SECTOR: Final = bytes([fill.ERASED]) * SECTOR


@dataclass(frozen=True, slots=True)
class SurveyPlan:
    """What the survey goes by: the reserved regions, and whether the file is a whole flash.

    ``used`` is whether a firmware has run from it, or is to be found with the SDK's sectors: then what it
    keeps below irom is looked at also where the file is no whole flash.
    """

    regions: tuple[Region, ...]
    is_flash: bool
    findings: tuple[Finding, ...] = ()
    used: bool = True


def plan_of(data: bytes, reading: Reading, firmware: Firmware | None) -> SurveyPlan:
    """What the survey of a file goes by.

    Args:
        data: The whole file, one that begins at flash address 0.
        reading: What the format at its start made of it.
        firmware: Which firmware that is.
    """
    size = len(data)
    row = _row_at_end(firmware)
    is_flash = size in _SIZES and stated_irom_end(reading) != size and not _runs_to_end(data, reading, row)
    stated = None if reading.header is None else reading.header.flash_size
    stated_end = 0 if stated is None else stated.bytes
    regions, findings = _regions(data, reading, stated_end, row, is_flash=is_flash)
    if is_flash or goes_on(data, reading):
        regions = _with_makers(regions, _makers_regions(data, reading, stated_end))
    if not generation_of(firmware).keeps_rf_cal:
        regions = tuple(r for r in regions if r.kind is not PartKind.RF_CAL or _is_rf_cal(data, r))
    fresh = not is_flash and stated_irom_end(reading) is not None
    image = fresh and (size >= stated_end or not _ends_erased(data))
    if stated is None or stated_end == size or image or KINDS[reading.kind].brings is Starter.RTOS:
        return SurveyPlan(regions, is_flash, findings, not fresh)
    if is_flash or goes_on(data, reading):
        findings = (*findings, *_size_differs(stated, size, regions, row, is_flash=is_flash))
    return SurveyPlan(regions, is_flash, findings, not fresh)


def _makers_regions(data: bytes, reading: Reading, stated_end: int) -> tuple[Region, ...]:
    """What a maker, or a boot loader's configuration, has places of its own for."""
    row = stock_layout(data, KINDS[reading.kind].brings, stated_end)
    config = next((part.value for part in reading.parts if part.kind is PartKind.RBOOT_CONFIG), None)
    files = config.file_systems if isinstance(config, MongooseConfig) else ()
    found = () if row is None else row.regions
    return (*found, *(Region(PartKind.SPIFFS, start, size, "SPIFFS") for start, size in files))


def _with_makers(regions: tuple[Region, ...], makers: tuple[Region, ...]) -> tuple[Region, ...]:
    """The SDK's regions with a maker's among them: that may use the place of RF calibration, and no other."""
    taken = [r for r in regions if r.kind is not PartKind.RF_CAL]
    own = tuple(m for m in makers if not any(m.start < r.end and r.start < m.end for r in taken))
    kept = (r for r in regions if not any(m.start < r.end and r.start < m.end for m in own))
    return (*kept, *own)


def _ends_erased(data: bytes) -> bool:
    """Whether a file ends as dumps do and builds do not: at a sector, with much erased flash."""
    start = max(0, len(data) - fill.LEAST_ERASED)
    return len(data) % SECTOR == 0 and fill.is_fill(data, start, len(data))


def _is_rf_cal(data: bytes, region: Region) -> bool:
    """Whether a sector holds calibration all the same: RTOS SDKs have low versions, too."""
    return rf_cal_state(data, region.start, region.end).state in ("plausible", "cut")


def _row_at_end(firmware: Firmware | None) -> Generation:
    """The generation whose init data is looked for at the end of the flash."""
    row = generation_of(firmware)
    return row if any(each.kind is PartKind.INIT_DATA for each in row.kept) else generation_of(None)


def _init_place(row: Generation, end: int) -> Region:
    return next(region for region in kept_regions(row, end) if region.kind is PartKind.INIT_DATA)


def _runs_to_end(data: bytes, reading: Reading, row: Generation) -> bool:
    """Whether irom goes on to the last sectors: then the file is as long as a flash by chance."""
    first, init = kept_regions(row, len(data))[0], _init_place(row, len(data))
    is_code = lx106.looks_like_code(data[first.start :])
    return KINDS[reading.kind].open_end and is_code and not init_data.is_init_data(data, init.start)


def _regions(
    data: bytes, reading: Reading, stated_end: int, row: Generation, *, is_flash: bool
) -> tuple[tuple[Region, ...], tuple[Finding, ...]]:
    """What the firmware reserves, by its kind and the end of the flash that the image header states."""
    size = len(data)
    starter = KINDS[reading.kind].brings
    if starter is Starter.EBOOT:
        end = stated_end if 0 < stated_end <= size else size
        return (kept_regions(generation(ARDUINO), end), ()) if is_flash else ((), ())
    if starter is Starter.RTOS:
        place = rtos_partitions.place_in(data)
        rtos = rtos_partitions.table_at(data, place)
        regions = () if rtos is None else rtos_regions(rtos, size)
        # What would lie over the table itself hides nothing.
        return tuple(region for region in regions if region.start >= place + SECTOR), ()
    table = _table(reading)
    if table is not None:
        return _of_table(table, stated_end or size, is_flash=is_flash)
    # No SDK keeps anything at the end of 256KB.
    ends = sorted({stated_end, next((end for end in _SIZES if end >= size), 0)} - {0, _SIZES[0]})
    found = [end for end in ends if init_data.is_init_data(data, _init_place(row, end).start)]
    if not found and (is_flash or (stated_end > size and goes_on(data, reading))):
        found = [stated_end or size]  # of a cut flash they lie behind the end of the file
    found = sorted((end for end in found if end != _SIZES[0]), key=lambda end: end != stated_end)
    return tuple(region for end in found for region in kept_regions(row, end)), ()


def _size_differs(
    stated: FlashSize, size: int, regions: tuple[Region, ...], row: Generation, *, is_flash: bool
) -> tuple[Finding, ...]:
    """What to say where header and length do not agree: the SDK goes by the header."""
    lengths = f"the image header says {stated.name}, the file has {size:,} bytes"
    if size > stated.bytes:
        message = f"{lengths}: the SDK goes by the header, and keeps its sectors before 0x{stated.bytes:06x}"
        return (Finding(Severity.WARNING, "flash-size-differs", message, 3),) if is_flash else ()
    missing = stated.bytes - size
    place = _init_place(row, stated.bytes)
    inside = any(r.kind is PartKind.INIT_DATA and r.start == place.start and r.end <= size for r in regions)
    if inside and not is_flash:
        # Images of 2014 and 2015 end so, before the sector with the flags.
        message = f"the file ends {missing:,} bytes before the end of the {stated.name} in the image header"
        return (Finding(Severity.NOTE, "cut-dump", message, size),)
    lost = ": the SDK goes by the header, so this is a part of a flash, or the header is wrong"
    code = "flash-size-differs" if is_flash else "cut-dump"
    return (Finding(Severity.WARNING, code, f"{lengths}{lost}; {missing:,} bytes are missing", 3),)


def _of_table(
    table: PartitionTable, flash_bytes: int, *, is_flash: bool
) -> tuple[tuple[Region, ...], tuple[Finding, ...]]:
    try:
        return table_regions(resolve(table, flash_bytes, 0)), ()
    except LayoutError as problem:
        if not is_flash:  # of an image the header's size may still change
            return (), ()
        return (), (Finding(Severity.WARNING, "partition-table", str(problem), problem.offset),)


def _table(reading: Reading) -> PartitionTable | None:
    value = next((part.value for part in reading.parts if part.kind is PartKind.PARTITION_TABLE), None)
    return value if isinstance(value, PartitionTable) else None


def stated_irom_end(reading: Reading) -> int | None:
    """The end of irom that an unresolved NodeMCU table states; None where there is none."""
    table = _table(reading)
    return None if table is None else table.irom_end


def goes_on(data: bytes, reading: Reading) -> bool:
    """Whether a file whose length is not that of a flash holds more than its firmware.

    That is: something behind the end of irom that a fresh NodeMCU table states, the partition table of the
    RTOS SDK behind its boot loader, something behind an erased sector, or more erased flash than builds pad
    with; the last alone where the file does not end with a sector.

    Args:
        data: The whole file, one that begins at flash address 0.
        reading: What the format at its start made of it.
    """
    known_end = stated_irom_end(reading)
    if known_end is not None:
        return known_end < len(data)
    if _has_rtos_table(data, reading):
        return True
    _, start = head_of(reading)
    if len(data) % SECTOR:  # code of any length may hold an erased sector, a dump cut anywhere holds more
        return data.find(bytes([fill.ERASED]) * fill.LEAST_ERASED, start) >= 0
    first = -(-start // SECTOR) * SECTOR
    blank = next((at for at in range(first, len(data), SECTOR) if _is_blank_sector(data, at)), len(data))
    end = fill.run_end(data, blank, len(data))
    return end < len(data) or end - blank >= fill.LEAST_ERASED


def _has_rtos_table(data: bytes, reading: Reading) -> bool:
    """Whether a file holds the boot loader of the RTOS SDK, and a partition table behind it."""
    magics = (rtos_partitions.MAGIC, rtos_partitions.MD5_MAGIC)
    return KINDS[reading.kind].brings is Starter.RTOS and data.startswith(
        magics, rtos_partitions.place_in(data)
    )


def _is_blank_sector(data: bytes, offset: int) -> bool:
    return data[offset] == fill.ERASED and data.startswith(_BLANK_SECTOR, offset)


def reserved_regions(data: bytes, reading: Reading, firmware: Firmware | None = None) -> tuple[Region, ...]:
    """What the firmware in a file that begins at flash address 0 reserves, as the survey goes by it.

    Args:
        data: The whole file.
        reading: What the format at its start made of it.
        firmware: Which firmware that is.
    """
    return plan_of(data, reading, firmware).regions


def head_of(reading: Reading) -> tuple[tuple[Part, ...], int]:
    """The firmware's own parts, and where the rest begins: at irom, whose end is not known, or behind all."""
    head = list(reading.parts)
    start = head[-1].end
    if KINDS[reading.kind].open_end:
        return tuple(head[:-1]), head[-1].offset
    while head and head[-1].kind in TRAILING:
        start = head.pop().offset
    return tuple(head), start
