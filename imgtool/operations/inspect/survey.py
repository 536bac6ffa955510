"""What lies behind the firmware at the start of a file: SDK sectors, file systems, images, blank flash.

A format reads one artefact; a dump, a full-flash image or an old release image goes on behind it.  The survey
cuts that rest into parts without holes: at the places that the layout of the firmware names, and at sector
starts.  Not a format, and no judgement of the firmware itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import IROM_BASE, SECTOR
from imgtool.formats import contents, fill, lx106
from imgtool.formats.images import aggregated
from imgtool.formats.kinds import KINDS, Starter
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity
from imgtool.formats.regions import init_data
from imgtool.formats.registry import identify_inside
from imgtool.layout.first_boot import init_data_repair
from imgtool.layout.generations import generation_of
from imgtool.layout.traits import InitDataRepair
from imgtool.operations.inspect.sdk_sectors import live_checksum, rf_cal_state, system_param_state
from imgtool.operations.inspect.sector_runs import sector_runs
from imgtool.operations.inspect.stored_data import stored_at
from imgtool.operations.inspect.survey_plan import TRAILING, goes_on, head_of, plan_of, stated_irom_end

if TYPE_CHECKING:
    from imgtool.formats.reading import Firmware
    from imgtool.layout.regions import Region
    from imgtool.operations.inspect.survey_plan import SurveyPlan

__all__ = ["NO_START", "Survey", "init_data_cure", "survey"]

NO_START: Final = "SDKs from 1.5.4.1 on do not start without init data"
"""What follows where nobody writes init data."""

# Findings about parts that the survey may tell apart.
_LOOSE_CODES: Final = ("trailing", "padding", "gap")
_FEW_UNKNOWN: Final = 10  # stretches that are named one by one


class Survey(NamedTuple):
    """A surveyed file.

    Attributes:
        reading: What it is, its parts told apart.
        regions: What its firmware reserves, those first that the header's end of the flash gives.
        surveyed: Whether there was anything to tell apart; else the reading is the one before.
    """

    reading: Reading
    regions: tuple[Region, ...]
    surveyed: bool


def survey(data: bytes, reading: Reading, firmware: Firmware | None) -> Survey:
    """The reading with what lies behind the firmware told apart; the same one where there is nothing to tell.

    Args:
        data: The whole file, one that begins at flash address 0.
        reading: What the format at its start made of it.
        firmware: Which firmware that is.
    """
    plan = plan_of(data, reading, firmware)
    if not plan.is_flash and not goes_on(data, reading) and all(r.start >= len(data) for r in plan.regions):
        return Survey(reading, (), surveyed=False)
    head, start = head_of(reading)
    ordered = sorted(plan.regions, key=lambda region: region.start)
    # What a fresh image keeps free below irom is fill in it, and no sector yet.
    before = [region for region in ordered if region.end <= start] if plan.is_flash or plan.used else []
    behind = [region for region in ordered if start <= region.start < len(data)]
    parts, found = _head_parts(data, head, before)
    known_end = stated_irom_end(reading)
    if known_end is not None and start < known_end <= len(data):
        parts.append(Part(PartKind.IROM, start, known_end - start, IROM_BASE + start))
        start = known_end
    for region in (*behind, None):
        if region is not None and region.start < start:
            continue
        free, free_findings = _free_parts(data, start, len(data) if region is None else region.start)
        parts += free
        found += free_findings
        if region is not None:
            region_parts, region_findings = _region_parts(data, region)
            parts += region_parts
            found += region_findings
            start = min(region.end, len(data))
    unknown = {part.offset for part in parts if part.kind is PartKind.UNKNOWN}
    kept = tuple(f for f in reading.findings if f.code not in _LOOSE_CODES or f.offset in unknown)
    if reading.kind is FileKind.UNKNOWN:
        kept = (Finding(Severity.WARNING, "no-image", "no image stands at 0: the chip would not start", 0),)
    missing = _missing(data, plan, firmware) if plan.is_flash or plan.used else ()
    findings = (*kept, *plan.findings, *_few(found), *missing, *_init_findings(data, parts))
    surveyed = reading._replace(parts=tuple(parts), findings=findings)
    if KINDS[reading.kind].brings is Starter.RTOS:
        surveyed = surveyed._replace(firmware=_application(data, parts) or reading.firmware)
    if plan.is_flash:
        surveyed = surveyed._replace(kind=FileKind.FLASH_DUMP)
    fresh = [region for region in plan.regions if region.kind in (PartKind.LFS, PartKind.SPIFFS)]
    return Survey(surveyed, plan.regions if plan.is_flash or plan.used else tuple(fresh), surveyed=True)


def _application(data: bytes, parts: list[Part]) -> Firmware | None:
    """The firmware of the first application in the parts: a boot loader's own name is of less interest."""
    for part in parts:
        if part.kind is PartKind.APP:
            reading = identify_inside(data, part.offset, len(data))
            return None if reading is None else reading.firmware
    return None


def _few(findings: list[Finding]) -> list[Finding]:
    """The findings, but one for all unknown stretches where those are many: the parts have each of them."""
    unknown = [finding for finding in findings if finding.code == "unknown-data"]
    if len(unknown) <= _FEW_UNKNOWN:
        return findings
    message = f"{len(unknown):,} stretches that no format knows, see the parts; the first begins here"
    summary = Finding(Severity.NOTE, "unknown-data", message, unknown[0].offset)
    return [*(finding for finding in findings if finding.code != "unknown-data"), summary]


def _head_parts(
    data: bytes, head: tuple[Part, ...], regions: list[Region]
) -> tuple[list[Part], list[Finding]]:
    """The firmware's parts, and between them the regions that NodeMCU 3 keeps below irom, in fill."""
    parts: list[Part] = []
    findings: list[Finding] = []
    position = 0
    firmware = [part for part in head if part.kind not in TRAILING]
    for stop, part in (*((part.offset, part) for part in firmware), (head[-1].end if head else 0, None)):
        for region in regions:
            if position <= region.start < stop:
                parts += aggregated.gap_parts(data, position, region.start)
                region_parts, region_findings = _region_parts(data, region)
                parts += region_parts
                findings += region_findings
                position = region.end
        parts += aggregated.gap_parts(data, position, stop)
        if part is not None:
            parts.append(part)
            position = part.end
    return parts, findings


def _region_parts(data: bytes, region: Region) -> tuple[list[Part], list[Finding]]:
    stop = min(region.end, len(data))
    size = stop - region.start
    if (
        region.kind is PartKind.INIT_DATA
        and size >= init_data.SIZE
        and init_data.is_init_data(data, region.start)
    ):
        return [init_data.part_at(data, region.start, size)], []
    kept = region.kind in (PartKind.RF_CAL, PartKind.SYSTEM_PARAM)
    if fill.is_fill(data, region.start, stop):
        note = "blank" if kept else f"blank, place of {region.name}"
        return [Part(region.kind if kept else PartKind.BLANK, region.start, size, note=note)], []
    if region.kind in (PartKind.SPIFFS, PartKind.LFS):
        # What was there before the firmware may lie anywhere in it.
        parts, findings = _free_parts(data, region.start, stop, f"in the place of {region.name}")
        return parts, [_of_remnant(finding, parts[0], region) for finding in findings]
    if region.kind is PartKind.USER_DATA:
        return _users_parts(data, region, stop)
    return [_used_part(data, region, stop)], []


def _users_parts(data: bytes, region: Region, stop: int) -> tuple[list[Part], list[Finding]]:
    """What is kept in a region of a firmware's own: data of a known structure, and the rest."""
    parts: list[Part] = []
    findings: list[Finding] = []
    at = region.start
    for start in range(region.start, stop, SECTOR):
        stored = stored_at(data, start, stop) if start >= at else None
        if stored is None:
            continue
        parts += _shapeless(data, region, at, start)
        at = min(start + stored.size, stop)
        note = f"{region.name}: {stored.note}"
        parts.append(Part(region.kind, start, at - start, note=note, value=stored.value))
        findings += stored.findings
    return [*parts, *_shapeless(data, region, at, stop)], findings


def _shapeless(data: bytes, region: Region, start: int, stop: int) -> list[Part]:
    """A stretch of a region of a firmware's own whose structure is not known."""
    if start == stop:
        return []
    if fill.is_fill(data, start, stop):
        return [Part(PartKind.BLANK, start, stop - start, note=f"blank, place of {region.name}")]
    used = stop - start - data.count(fill.ERASED, start, stop)
    return [Part(region.kind, start, stop - start, note=f"{region.name}, {used:,} bytes used, not shown")]


def _of_remnant(finding: Finding, first: Part, region: Region) -> Finding:
    """A finding about what lies in a region: an error only about what the firmware would use there."""
    own = first.kind is region.kind and first.offset == region.start
    if finding.severity is not Severity.ERROR or (own and (finding.offset or 0) <= first.end):
        return finding
    return finding._replace(severity=Severity.WARNING, message=f"a remnant: {finding.message}")


def _used_part(data: bytes, region: Region, stop: int) -> Part:
    """A region with contents, which are told by structure and never shown: they may hold credentials."""
    start, size = region.start, stop - region.start
    if region.kind is PartKind.RF_CAL:
        cal = rf_cal_state(data, start, stop)
        # Some vendors keep text there: what identifies the device, and its network.
        kind = PartKind.USER_DATA if cal.foreign == contents.HintKind.TEXT else PartKind.RF_CAL
        return Part(kind, start, size, note=cal.words)
    if region.kind is PartKind.SYSTEM_PARAM:
        state = system_param_state(data, start, stop)
        check = live_checksum(data, start, stop) if state.state == "present" else None
        return Part(region.kind, start, size, checksum=check, note=state.words)
    return _unknown_part(data, start, stop, f"in the place of {region.name}")


def _unknown_part(data: bytes, start: int, stop: int, where: str = "") -> Part:
    """What no format knows, with what it looks like."""
    hint = contents.hint_of(data, start, stop)
    note = ", ".join(word for word in (where, hint.words) if word)
    return Part(PartKind.UNKNOWN, start, stop - start, note=note, value=hint)


def _free_parts(data: bytes, start: int, stop: int, place: str = "") -> tuple[list[Part], list[Finding]]:
    """What is not reserved as parts: code, known artefacts, fill, blank flash and the unknown.

    Where it is the place of a file system, which ``place`` names, only file systems are known: an image in
    there is a remnant, and nothing that starts.
    """
    parts: list[Part] = []
    findings: list[Finding] = []
    for run in sector_runs(data, start, stop, only_stored=bool(place)):
        if run.reading is not None:
            parts += run.reading.parts
            findings += run.reading.findings
        elif run.value == fill.ERASED:
            note = ", ".join(filter(None, ("erased", place)))
            parts.append(Part(PartKind.BLANK, run.start, run.stop - run.start, note=note))
        elif run.value is not None:
            note = ", ".join(filter(None, (f"filled with 0x{run.value:02X}", place)))
            parts.append(Part(PartKind.GAP, run.start, run.stop - run.start, note=note))
        elif not place and lx106.looks_like_code(data[run.start : run.stop]):
            parts.append(Part(PartKind.IROM, run.start, run.stop - run.start, IROM_BASE + run.start))
        else:
            parts.append(_unknown_part(data, run.start, run.stop, place))
            message = f"{run.stop - run.start:,} bytes that no format knows: {parts[-1].note}"
            findings.append(Finding(Severity.NOTE, "unknown-data", message, run.start))
    return parts, findings


def _missing(data: bytes, plan: SurveyPlan, firmware: Firmware | None) -> tuple[Finding, ...]:
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
        message = f"{what} at 0x{region.start:06x}: {cure or NO_START}"
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
    if repair is InitDataRepair.IF_ERASED and generation_of(firmware).needs_init_data:
        return f"{firmware.name} writes its own on the first boot"
    if repair in (InitDataRepair.SDK_DEFAULT, InitDataRepair.IF_ERASED, InitDataRepair.COMPILED_IN):
        return "this SDK does without, or the firmware writes its own"
    return None


def _init_findings(data: bytes, parts: list[Part]) -> list[Finding]:
    found = [part.offset for part in parts if part.kind is PartKind.INIT_DATA]
    return [finding for offset in found for finding in init_data.findings_of(data, offset)]
