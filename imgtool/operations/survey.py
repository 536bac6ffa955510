"""What lies behind the firmware at the start of a file: SDK sectors, file systems, images, blank flash.

A format reads one artefact; a dump, a full-flash image or an old release image goes on behind it.  The survey
cuts that rest into parts without holes: at the places that the layout of the firmware names, and at sector
starts.  Not a format, and no judgement of the firmware itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES, IROM_BASE, SECTOR
from imgtool.errors import LayoutError
from imgtool.formats import (
    aggregated,
    fill,
    identify_inside,
    init_data,
    irom,
    lx106,
    nodemcu_page,
    rtos_partitions,
)
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity
from imgtool.layout import Region, arduino_regions, resolve, rtos_regions, sdk_regions, table_regions
from imgtool.operations.first_boot import InitDataRepair, init_data_repair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.formats.nodemcu_page import PartitionTable
    from imgtool.formats.reading import Firmware

__all__ = ["init_data_cure", "reserved_regions", "survey"]

_SIZES: Final = tuple(sorted({size.bytes for size in FLASH_SIZES}))
_TRAILING: Final = (PartKind.GAP, PartKind.UNKNOWN)
# Findings about parts that the survey may tell apart.
_LOOSE_CODES: Final = ("trailing", "padding", "gap")
_NODEMCU_2: Final = (2,)
_RTOS_TABLE: Final = 0x8000
_LEAST_TEXT: Final = 32
_PRINTABLE: Final = frozenset(b"\t\r\n") | frozenset(range(0x20, 0x7F))
_BLANK_SECTOR: Final = bytes([fill.ERASED]) * SECTOR
_ZERO_SECTOR: Final = bytes(SECTOR)


def survey(data: bytes, reading: Reading, firmware: Firmware | None) -> Reading:
    """The reading with what lies behind the firmware told apart; the same one where there is nothing to tell.

    Args:
        data: The whole file, one that begins at flash address 0.
        reading: What the format at its start made of it.
        firmware: Which firmware that is.
    """
    plan = _plan(data, reading)
    if not plan.is_flash and not plan.regions:
        return reading
    head, start = _head(reading)
    behind = [region for region in plan.regions if start <= region.start < len(data)]
    before = [region for region in plan.regions if region.end <= start]
    parts = list(_head_parts(data, head, before))
    found: list[Finding] = []
    known_end = _stated_irom_end(data, reading)
    if known_end is not None and start < known_end <= len(data):
        parts.append(Part(PartKind.IROM, start, known_end - start, IROM_BASE + start))
        start = known_end
    for region in (*behind, None):
        free, told = _free_parts(data, start, len(data) if region is None else region.start)
        parts += free
        found += told
        if region is not None:
            parts += _region_parts(data, region)
            start = min(region.end, len(data))
    unknown = {part.offset for part in parts if part.kind is PartKind.UNKNOWN}
    kept = tuple(f for f in reading.findings if f.code not in _LOOSE_CODES or f.offset in unknown)
    if reading.kind is FileKind.UNKNOWN:
        kept = (Finding(Severity.WARNING, "no-image", "no image stands at 0: the chip would not start", 0),)
    said = (*kept, *plan.findings, *found, *_missing(data, plan, firmware), *_init_findings(data, parts))
    if not plan.is_flash:
        return replace(reading, parts=tuple(parts), findings=said)
    return replace(
        reading,
        kind=FileKind.FLASH_DUMP,
        parts=tuple(parts),
        findings=said,
        firmware=_application(data, parts) if reading.kind is FileKind.RTOS_BOOTLOADER else reading.firmware,
    )


def reserved_regions(data: bytes, reading: Reading) -> tuple[Region, ...]:
    """What the firmware in a file that begins at flash address 0 reserves, as the survey goes by it.

    Args:
        data: The whole file.
        reading: What the format at its start made of it.
    """
    return _plan(data, reading).regions


def _application(data: bytes, parts: list[Part]) -> Firmware | None:
    """The firmware of the first application in the parts: a boot loader's own name is of less interest."""
    for part in parts:
        if part.kind is PartKind.APP:
            reading = identify_inside(data, part.offset, len(data))
            return None if reading is None else reading.firmware
    return None


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the survey goes by: the reserved regions, and whether the file is a whole flash."""

    regions: tuple[Region, ...]
    is_flash: bool
    findings: tuple[Finding, ...] = ()


def _plan(data: bytes, reading: Reading) -> _Plan:
    size = len(data)
    is_flash = size in _SIZES and _stated_irom_end(data, reading) != size and not _runs_to_end(data, reading)
    stated = None if reading.header is None else reading.header.flash_size
    stated_end = 0 if stated is None else stated.bytes
    regions, findings = _regions(data, reading, stated_end, is_flash=is_flash)
    if (
        is_flash
        and stated is not None
        and stated_end != size
        and reading.kind is not FileKind.RTOS_BOOTLOADER
    ):
        findings = (*findings, _size_differs(stated.name, size))
    return _Plan(regions, is_flash, findings)


def _runs_to_end(data: bytes, reading: Reading) -> bool:
    """Whether irom goes on to the last sectors: then the file is as long as a flash by chance."""
    first, init, _ = sdk_regions(len(data))
    is_code = lx106.looks_like_code(data[first.start :])
    return reading.kind is FileKind.AGGREGATED and is_code and not init_data.is_init_data(data, init.start)


def _regions(
    data: bytes, reading: Reading, stated_end: int, *, is_flash: bool
) -> tuple[tuple[Region, ...], tuple[Finding, ...]]:
    """What the firmware reserves, by its kind and the end of the flash that the image header states."""
    size = len(data)
    if reading.kind is FileKind.ARDUINO:
        end = stated_end if 0 < stated_end <= size else size
        return (arduino_regions(end), ()) if is_flash else ((), ())
    if reading.kind is FileKind.RTOS_BOOTLOADER:
        rtos = rtos_partitions.table_at(data, _RTOS_TABLE)
        return (() if rtos is None else rtos_regions(rtos, size)), ()
    table = _table(data, reading)
    if table is not None:
        return _of_table(table, stated_end or size) if is_flash else ((), ())
    # No SDK keeps anything at the end of 256KB.
    ends = sorted({stated_end, next((end for end in _SIZES if end >= size), 0)} - {0, _SIZES[0]})
    found = [end for end in ends if init_data.is_init_data(data, sdk_regions(end)[1].start)]
    if not found and is_flash and stated_end <= size:  # of a cut flash the last sectors are not in the file
        found = [stated_end or size]
    found = [end for end in found if end != _SIZES[0]]
    return tuple(region for end in found for region in sdk_regions(end)), ()


def _size_differs(stated: str, size: int) -> Finding:
    message = f"the image header says {stated}, the file has {size:,} bytes: the SDK goes by the header"
    return Finding(Severity.WARNING, "flash-size-differs", message, 3)


def _of_table(table: PartitionTable, flash_bytes: int) -> tuple[tuple[Region, ...], tuple[Finding, ...]]:
    try:
        return table_regions(resolve(table, flash_bytes, 0)), ()
    except LayoutError as problem:
        return (), (Finding(Severity.WARNING, "partition-table", str(problem), problem.offset),)


def _table(data: bytes, reading: Reading) -> PartitionTable | None:
    for part in reading.parts:
        if part.kind is PartKind.PARTITION_TABLE:
            page = nodemcu_page.page_at(data, part.offset)
            return None if page is None else page.table
    return None


def _stated_irom_end(data: bytes, reading: Reading) -> int | None:
    """The end of irom that an unresolved NodeMCU table states; None where there is none."""
    for part in reading.parts:
        if part.kind is PartKind.PARTITION_TABLE:
            return irom.irom_end(data, part.offset)
    return None


def _head(reading: Reading) -> tuple[tuple[Part, ...], int]:
    """The firmware's own parts, and where the rest begins: at irom, whose end is not known, or behind all."""
    head = list(reading.parts)
    start = head[-1].end
    if reading.kind is FileKind.AGGREGATED:
        return tuple(head[:-1]), head[-1].offset
    while head and head[-1].kind in _TRAILING:
        start = head.pop().offset
    return tuple(head), start


def _head_parts(data: bytes, head: tuple[Part, ...], regions: list[Region]) -> Iterator[Part]:
    """The firmware's parts, and between them the regions that NodeMCU 3 keeps below irom, in fill."""
    position = 0
    for part in head:
        if part.kind in _TRAILING:
            continue
        yield from _hole(data, position, part.offset, regions)
        yield part
        position = part.end
    yield from _hole(data, position, head[-1].end if head else 0, regions)


def _hole(data: bytes, start: int, stop: int, regions: list[Region]) -> Iterator[Part]:
    for region in regions:
        if start <= region.start < stop:
            yield from aggregated.gap_parts(data, start, region.start)
            yield from _region_parts(data, region)
            start = region.end
    yield from aggregated.gap_parts(data, start, stop)


def _region_parts(data: bytes, region: Region) -> tuple[Part, ...]:
    stop = min(region.end, len(data))
    size = stop - region.start
    if region.kind is PartKind.INIT_DATA and init_data.is_init_data(data[:stop], region.start):
        return (init_data.part_at(data, region.start, size),)
    if region.kind in (PartKind.SPIFFS, PartKind.LFS):
        found = identify_inside(data, region.start, stop)
        if found is not None:
            end = found.parts[-1].end
            kind = PartKind.BLANK if fill.is_fill(data, end, stop) else PartKind.UNKNOWN
            rest = Part(kind, end, stop - end, note=f"rest of {region.name}")
            return (*found.parts, rest) if end < stop else found.parts
    kept = region.kind in (PartKind.RF_CAL, PartKind.SYSTEM_PARAM)
    if fill.is_fill(data, region.start, stop):
        note = "blank" if kept else f"blank, place of {region.name}"
        return (Part(region.kind if kept else PartKind.BLANK, region.start, size, note=note),)
    return (_used_part(data, region, stop),)


def _used_part(data: bytes, region: Region, stop: int) -> Part:
    """A region with contents, which are counted and never shown: they may hold credentials."""
    start, size = region.start, stop - region.start
    used = size - data.count(fill.ERASED, start, stop)
    if region.kind is PartKind.RF_CAL and _is_text(data[start:stop]):
        return Part(PartKind.USER_DATA, start, size, note="text in the place of RF calibration, not shown")
    if region.kind is PartKind.SYSTEM_PARAM:
        note = "filled with 0x00" if fill.is_fill(data, start, stop, 0) else f"{used:,} bytes used, not shown"
        return Part(region.kind, start, size, note=note)
    if region.kind is PartKind.RF_CAL:
        note = "filled with 0x00" if fill.is_fill(data, start, stop, 0) else f"{used:,} bytes used"
        return Part(region.kind, start, size, note=note)
    if region.kind is PartKind.USER_DATA:
        return Part(region.kind, start, size, note=f"{region.name}, {used:,} bytes used, not shown")
    return Part(PartKind.UNKNOWN, start, size, note=f"in the place of {region.name}")


def _is_text(block: bytes) -> bool:
    """Whether the bytes begin with printable text, which some vendors keep where RF cal belongs."""
    return len(block) >= _LEAST_TEXT and all(byte in _PRINTABLE for byte in block[:_LEAST_TEXT])


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of sectors: of fill, or of data (value None); ``reading`` where it is a known artefact."""

    start: int
    stop: int
    value: int | None = None
    reading: Reading | None = None

    @property
    def loose(self) -> bool:
        """Whether it is data that no format knows."""
        return self.value is None and self.reading is None


def _free_parts(data: bytes, start: int, stop: int) -> tuple[list[Part], list[Finding]]:
    """What is not reserved as parts: code, known artefacts, fill, blank flash and the unknown."""
    parts: list[Part] = []
    findings: list[Finding] = []
    for run in _trimmed(data, _with_code_joined(data, list(_runs(data, start, stop)))):
        if run.reading is not None:
            parts += run.reading.parts
            findings += run.reading.findings
        elif run.value == fill.ERASED:
            parts.append(Part(PartKind.BLANK, run.start, run.stop - run.start, note="erased"))
        elif run.value is not None:
            note = f"filled with 0x{run.value:02X}"
            parts.append(Part(PartKind.GAP, run.start, run.stop - run.start, note=note))
        elif lx106.looks_like_code(data[run.start : run.stop]):
            parts.append(Part(PartKind.IROM, run.start, run.stop - run.start, IROM_BASE + run.start))
        else:
            parts.append(Part(PartKind.UNKNOWN, run.start, run.stop - run.start))
            message = f"{run.stop - run.start:,} bytes that no format knows"
            findings.append(Finding(Severity.NOTE, "unknown-data", message, run.start))
    return parts, findings


def _runs(data: bytes, start: int, stop: int) -> Iterator[_Run]:
    """Consecutive sectors of one sort, joined; the first and the last may be less than a sector."""
    current: _Run | None = None
    while start < stop:
        run = _sector(data, start, stop)
        joins = current is not None and not current.reading and not run.reading and run.value == current.value
        if current is not None and joins:
            current = replace(current, stop=run.stop)
        else:
            if current is not None:
                yield current
            current = run
        start = run.stop
    if current is not None:
        yield current


def _sector(data: bytes, start: int, stop: int) -> _Run:
    end = min(stop, (start // SECTOR + 1) * SECTOR)
    block = data[start:end]
    for value, sector in ((fill.ERASED, _BLANK_SECTOR), (0, _ZERO_SECTOR)):
        if block == sector[: len(block)]:
            return _Run(start, end, value)
    found = identify_inside(data, start, stop) if start % SECTOR == 0 else None
    return _Run(start, end) if found is None else _Run(start, found.parts[-1].end, None, found)


def _with_code_joined(data: bytes, runs: list[_Run]) -> list[_Run]:
    """Fill between two runs of code belongs to the code: constant tables hold long runs of zeros."""
    joined: list[_Run] = []
    for run in runs:
        between = joined[-2:]
        if (
            len(between) == 2  # noqa: PLR2004 - code and the fill behind it
            and run.loose
            and between[0].loose
            and between[1].value is not None
            and all(lx106.looks_like_code(data[r.start : r.stop]) for r in (between[0], run))
        ):
            joined[-2:] = [replace(between[0], stop=run.stop)]
        else:
            joined.append(run)
    return joined


def _trimmed(data: bytes, runs: list[_Run]) -> list[_Run]:
    """Data ends at its last byte that is not the fill behind it, or erased flash before something known."""
    trimmed: list[_Run] = []
    for run, behind in zip_longest(runs, runs[1:]):
        start = trimmed[-1].stop if trimmed else run.start
        if not run.loose or behind is None:
            trimmed.append(replace(run, start=start))
            continue
        value = fill.ERASED if behind.value is None else behind.value
        end = fill.run_start(data, start, run.stop, value)
        trimmed.append(replace(run, start=start, stop=end))
        if end < run.stop and behind.value is None:
            trimmed.append(_Run(end, run.stop, value))
    return trimmed


def _missing(data: bytes, plan: _Plan, firmware: Firmware | None) -> tuple[Finding, ...]:
    """What a place for init data without init data leads to."""
    findings = []
    for region in plan.regions:
        if region.kind is not PartKind.INIT_DATA or region.start >= len(data):
            continue
        if init_data.is_init_data(data, region.start):
            continue
        blank = fill.is_fill(data, region.start, min(region.end, len(data)))
        what = "no init data" if blank else "something else than init data"
        cure = init_data_cure(firmware, blank=blank)
        message = (
            f"{what} at 0x{region.start:06x}: {cure or 'the SDK would not start without (from 1.5.4.1 on)'}"
        )
        severity = Severity.WARNING if cure is None else Severity.NOTE
        findings.append(Finding(severity, "init-data-missing", message, region.start))
    return tuple(findings)


def init_data_cure(firmware: Firmware | None, *, blank: bool) -> str | None:
    """Who writes init data where there is none, None if nobody does (releases: docs/flash-layouts.md).

    Args:
        firmware: Which firmware; None where it is not known.
        blank: Whether its place is erased, and not filled with something else.
    """
    repair = init_data_repair(firmware)
    if repair is InitDataRepair.UNLESS_RECORDED:
        return "NodeMCU writes its own on the first boot"
    if firmware is None or not blank:
        return None
    if repair is InitDataRepair.IF_ERASED and firmware.release >= _NODEMCU_2:
        return "NodeMCU writes its own on the first boot"
    if repair in (InitDataRepair.SDK_DEFAULT, InitDataRepair.IF_ERASED):
        return "this SDK does without, or the firmware writes its own"
    return None


def _init_findings(data: bytes, parts: list[Part]) -> list[Finding]:
    found = [part.offset for part in parts if part.kind is PartKind.INIT_DATA]
    return [finding for offset in found for finding in init_data.findings_of(data, offset)]
