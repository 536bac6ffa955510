"""The plan of a write to a device's flash: which bytes go where, what changes, what stays, what is said.

Everything is decided here, from the files and from what the device turned out to be; the flash of the device
is read through a function that is handed in, or not at all.  Not the writing, which compares the plan with
the device sector by sector, and no port.  The rules: docs/flash-layouts.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES, SECTOR, flash_size
from imgtool.errors import ImgtoolError, LayoutError
from imgtool.formats import fill
from imgtool.formats.kinds import KINDS, Starter
from imgtool.formats.reading import FileKind, Finding, PartKind, Severity
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.regions.nodemcu_page import PAGE_ADDRESS
from imgtool.layout.file_places import filesystem_places
from imgtool.layout.fit import layout_for
from imgtool.layout.nodemcu import lowest_protected
from imgtool.layout.regions import align_up
from imgtool.operations.assemble.extras import (
    check_layout_known,
    check_named,
    filesystem_findings,
    init_data_block,
    irom_end_of,
    kept_layout,
    place_named,
    table_of,
)
from imgtool.operations.assemble.joining import lay_out
from imgtool.operations.assemble.merge import patched
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.assemble.places import depends_on_start, start_in, start_on
from imgtool.operations.assemble.right_places import parted, right_places
from imgtool.operations.flashing.checks import (
    FlashContent,
    check_contents,
    check_layout,
    check_partitions,
    check_reserved,
    check_room,
    content_of,
    device_verdicts,
    waive,
)
from imgtool.operations.flashing.cut_dump import check_cut
from imgtool.operations.flashing.device_places import device_layout, rf_cal_spared, with_init_data_named
from imgtool.operations.flashing.draft import (
    Device,
    Draft,
    Fate,
    Kept,
    Place,
    PlanRequest,
    Target,
)
from imgtool.operations.flashing.file_system import add_files
from imgtool.operations.flashing.header import DETECT, KEEP_SIZE, FoundFlash, decide_header
from imgtool.operations.flashing.init_data import INIT_DATA, settle_init_data, wants_init
from imgtool.operations.flashing.losses import Stakes, room_unseen, what_is_lost
from imgtool.operations.flashing.sectors import check_overlaps, into_fill, over, whole_sectors
from imgtool.operations.inspect.device_settings import (
    KeptPage,
    Reader,
    device_header,
    device_page,
    find_filesystems,
    keep_page,
    remembered,
)
from imgtool.operations.upgrade.values import LossKind
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgtool.chip import FlashSize
    from imgtool.errors import Move
    from imgtool.formats.reading import Header
    from imgtool.layout.regions import FlashLayout, Region
    from imgtool.operations.assemble.places import Start, Verdict
    from imgtool.operations.files.carry import FilesPlan
    from imgtool.operations.inspect.describe import Description
    from imgtool.operations.upgrade.values import Loss

__all__ = ["Compare", "FlashPlan", "Kept", "PlanRequest", "Reader", "Target", "check_files", "plan_flash"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashPlan:
    """What will be written to a device.

    Attributes:
        target: The device.
        pieces: The bytes to write: whole sectors, in address order, none overlapping.
        description: What the firmware is; None where none is written.
        header: The image header as it will be; None where none is written.
        flash: The flash size that the firmware will go by; None where that is not known.
        rule: What the addresses of the SDK's sectors rest on, in words; empty where imgtool knows none.
        whole: Whether it is the image of a whole flash, written unchanged.
        erase_all: Whether the whole flash is erased first.
        changes: How the bytes differ from the files, and what is added to them, in words.
        kept: What stays on the device.
        findings: What is to be said.
        losses: What of the user's is destroyed, or put out of reach.
        moves: Where files would be right that stand where the firmware on the device does not look.
        right: Numbers of the sectors that hold already what they should; None where that is not known.
        seconds: How long the write takes, about; None where no device was looked at.
        way: Through what it goes and how fast, in words; empty where no device was looked at.
        files: What becomes of the files that are put in or kept; None where none are.
    """

    target: Target
    pieces: tuple[Piece, ...]
    description: Description | None
    header: Header | None
    flash: FlashSize | None
    rule: str
    whole: bool
    erase_all: bool
    changes: tuple[str, ...]
    kept: tuple[Kept, ...]
    findings: tuple[Finding, ...]
    losses: tuple[Loss, ...] = ()
    moves: tuple[Move, ...] = ()
    right: frozenset[int] | None = None
    seconds: float | None = None
    way: str = ""
    files: FilesPlan | None = None

    @property
    def bytes(self) -> int:
        """How many bytes the pieces have."""
        return sum(len(piece.data) for piece in self.pieces)


_CAPACITIES: Final = frozenset(size.bytes for size in FLASH_SIZES)
_UNSEEN: Final = (
    "NodeMCU's record page on the device was not looked at: the partition table and the start-up settings of "
    "the image take its place"
)


def check_files(request: PlanRequest) -> None:
    """Refuse what no device could make right, before there is one.

    Raises:
        FormatError: A file is damaged, or not what it is given for.
        LayoutError: Files overlap, or stand where they do not belong.
    """
    try:
        _check_files(request)
    except LayoutError as error:
        named = _named_size(request)
        flash = None if named is None else flash_size(named)
        error.moves = right_places(request.pieces, flash, known=error.moves)
        raise


def _check_files(request: PlanRequest) -> None:
    pieces = _laid_out(request)
    content = content_of(pieces, None)
    if content.main is None or not _may_be_a_flash(content):
        start = start_in(content.placed) if any(piece.address == 0 for piece in pieces) else None
        check_contents(content, start, request.force)
        size = _asked_size(request)
        if size not in (DETECT, KEEP_SIZE):
            check_partitions(content, start, flash_size(size), request.force, certain=True)
    else:
        _check_either_way(content, content_of(pieces, len(pieces[0].data)), request.force)
    check_named(request.named, None if content.main is None else content.main.firmware)
    if request.init_data is not None and request.init_data.file is not None:
        init_data_block(request.init_data)


def _check_either_way(part: FlashContent, whole: FlashContent, force: frozenset[str]) -> None:
    """Refuse a file that is wrong both as a part and as a whole flash: the chip tells which it is."""
    try:
        check_contents(part, start_in(part.placed), force)
    except ImgtoolError:
        check_contents(whole, start_in(whole.placed), force)


def _asked_size(request: PlanRequest) -> str:
    """The flash size that is asked for: a name, ``detect`` or ``keep``."""
    return request.header.size or request.size_choice


def _laid_out(request: PlanRequest) -> tuple[Piece, ...]:
    """What has an address; there may be none where something goes to a place by its name."""
    by_name = request.named or wants_init(request)
    return lay_out(request.pieces) if request.pieces or not by_name else ()


def _may_be_a_flash(content: FlashContent) -> bool:
    piece, description = content.pieces[0]
    return len(piece.data) in _CAPACITIES and KINDS[description.kind].may_be_dump


Compare = Callable[[tuple[Piece, ...]], frozenset[int] | None]
"""Pieces to the numbers of the sectors that hold already what they should; None where that cannot be told."""


def plan_flash(
    request: PlanRequest,
    target: Target,
    read: Reader | None = None,
    compare: Compare | None = None,
    *,
    weigh: bool = True,
) -> FlashPlan:
    """Decide what is to be written.

    Args:
        request: What is asked for.
        target: The device.
        read: Reads its flash; None where that cannot be done, or is not to be.
        compare: Finds out what is there already; None where that costs too much.
        weigh: Whether to look for what would be lost; where nothing is written, nothing is.

    Raises:
        FormatError: A file is damaged, or not what it is given for.
        LayoutError: Something does not fit, overlaps, or has no place that can be justified.  Both carry the
            name of the check that could be waived, where there is one.
    """
    # Several steps look at the same places, and each look takes its time on the line.
    device = Device(None if read is None else remembered(read), target, request.erase_all)
    try:
        return _planned(request, device, compare, weigh=weigh)
    except LayoutError as error:
        error.moves = right_places(request.pieces, _size_told(request, device), known=error.moves)
        raise


def _size_told(request: PlanRequest, device: Device) -> FlashSize | None:
    """The flash size that the firmware would be told; None where it cannot be, or where there is none."""
    firmware, _ = parted(request.pieces)
    try:
        pieces = lay_out(firmware)
        content = content_of(pieces, device.target.flash_bytes)
        return _set_header(Draft(list(pieces), [], [], []), content, request, device)[1]
    except ImgtoolError:
        return None


def _planned(request: PlanRequest, device: Device, compare: Compare | None, *, weigh: bool) -> FlashPlan:
    target = device.target
    force = request.force
    asked = _laid_out(request)
    findings = check_room(asked, target.flash_bytes, force)
    content = content_of(asked, target.flash_bytes)
    start = _starts(content, device)
    findings += check_contents(content, start, force)
    findings += check_cut(content, device, force)
    draft = Draft(list(asked), [], [], findings)
    request = with_init_data_named(draft, request, device, alone=content.main is None)
    header, flash = _set_header(draft, content, request, device)
    certain = target.flash_bytes is not None or _asked_size(request) != DETECT
    draft.findings += check_partitions(content, start, flash, force, certain=certain)
    draft.findings += _check_boot_alone(content, device, force)
    # An image of a whole flash is written as it is, unless something is asked for that goes into it.
    as_it_is = content.dump and not (wants_init(request) or request.named or request.wants_files)
    place = None if as_it_is else _find_place(draft, content, flash, request, device)
    if device.read is not None and target.flash_bytes is not None and not device.erased:
        _say_by_device(draft, device_verdicts(content, device.read, target.flash_bytes))
    _add_named(draft, content, request, place, device)
    if place is None and wants_init(request):
        if content.main is not None:
            check_layout_known(content.main, content.name)
        raise LayoutError(
            "imgtool knows no place for the init data of this firmware, and makes none up",
            source=content.name or None,
            expected="NodeMCU or another non-OS SDK firmware without a boot loader",
        )
    if place is not None:
        settled = settle_init_data(draft, place, content, request, device)
        if place.page is not None:
            _put_page(draft, place.page, init_data=settled)
    files = add_files(draft, content, request, place, device)
    check_overlaps(draft.pieces)
    if target.flash_bytes is not None:
        check_room(draft.pieces, target.flash_bytes, force)
    if place is not None and not request.erase_all and not content.dump:
        _note_kept(draft, place, content, device, files)
    pieces = whole_sectors(draft, content, device, force)
    right = None if compare is None or request.erase_all else compare(pieces)
    stakes = what_is_lost(pieces, draft, content, device, right, files) if weigh else Stakes()
    draft.findings += [*stakes.findings, *room_unseen(stakes, content, place, device)]
    if place is not None and stakes.formats:
        _note_fate(draft, place, Fate.FORMATTED)
    elif place is not None and any(loss.kind is LossKind.FILES for loss in stakes.losses):
        _note_fate(draft, place, Fate.LOST)
    return FlashPlan(
        target=target,
        pieces=pieces,
        description=content.main,
        header=header,
        flash=flash,
        rule="" if place is None else place.layout.rule,
        whole=content.dump,
        erase_all=request.erase_all,
        changes=tuple(draft.changes),
        kept=tuple(sorted(draft.kept, key=lambda kept: kept.start)),
        findings=tuple(draft.findings),
        losses=stakes.losses,
        moves=tuple(draft.moves),
        right=right,
        files=files,
    )


def _say_by_device(draft: Draft, verdicts: Iterable[Verdict]) -> None:
    """Say what the firmware on the device makes of the places of files, and where they would be right."""
    for verdict in verdicts:
        if isinstance(verdict, Finding):
            draft.findings.append(verdict)
            continue
        message = Phrase(verdict.phrase, ": by the device")
        draft.findings.append(Finding(Severity.WARNING, "misplaced", message, verdict.offset))
        draft.moves += verdict.moves


def _starts(content: FlashContent, device: Device) -> Start | None:
    """Who starts the firmware: what is written to address 0, or else what is on the device."""
    if any(piece.address == 0 for piece, _ in content.pieces):
        return start_in(content.placed)
    if device.read is None or device.erased or not any(depends_on_start(each) for each in content.placed):
        return None
    return start_on(device.read)


# --- header ---


def _named_size(request: PlanRequest) -> str | None:
    """The flash size that is asked for by its name."""
    return None if request.size_choice in (DETECT, KEEP_SIZE) else request.size_choice


def _set_header(
    draft: Draft, content: FlashContent, request: PlanRequest, device: Device
) -> tuple[Header | None, FlashSize | None]:
    """The header that the image at 0 gets, and the flash size that the firmware will go by."""
    named = _named_size(request)
    asked = replace(request.header, size=request.header.size or named)
    if content.boots:
        chip = FoundFlash(device.target.flash_bytes, device.target.embedded)
        made = decide_header(content, chip, asked, request.size_choice, request.force)
        draft.pieces[0] = made.first
        draft.changes += made.changes
        draft.findings += made.findings
        return made.header, made.flash
    if asked.any and draft.pieces and not (content.dump or request.force & {"chip", "place"}):
        patched(draft.pieces[0], asked, content.first)  # says that there is no header to change
    if device.read is None or device.erased or (draft.pieces and draft.pieces[0].address == 0):
        return None, None
    header = device_header(device.read)
    return None, None if header is None else header.flash_size


# --- layout and record page ---


def _find_place(
    draft: Draft, content: FlashContent, flash: FlashSize | None, request: PlanRequest, device: Device
) -> Place | None:
    """The layout of the firmware that is written; None where imgtool knows none."""
    main = content.main
    if main is None or not _layout_known(content):
        if main is not None and flash is not None and not content.start:
            kept = kept_layout(main, flash)
            behind = irom_end_of(main)
            draft.findings += [] if kept is None else check_layout(content, kept, behind, request.force)
        return None
    table = table_of(main)
    replaces = table is not None and not (request.fresh_settings or device.erased or content.dump)
    if replaces and device.read is None:
        draft.findings.append(Finding(Severity.WARNING, "settings-unseen", _UNSEEN, PAGE_ADDRESS))
    if flash is None:
        return None
    irom_end = content.start + irom_end_of(main)
    if table is not None and table.irom_end is not None:
        irom_end = table.irom_end
    page = None
    if replaces:
        page = _device_settings(draft, content, flash, irom_end, device)
    try:
        layout = layout_for(flash, main.firmware, table if page is None else page.table, irom_end)
    except LayoutError as error:
        draft.findings.append(waive(error.with_source(content.name), "fit", request.force))
        return None
    draft.findings += [each for each in layout.findings if each not in draft.findings]
    if not content.dump:
        draft.findings += check_reserved(content, layout, irom_end, request.force)
    draft.findings += check_layout(content, layout, irom_end, request.force)
    return Place(layout, irom_end, page)


def _layout_known(content: FlashContent) -> bool:
    if content.main is None:
        return False
    if content.start:
        return content.main.kind is FileKind.IROM
    if KINDS[content.pieces[0][1].kind].brings not in (None, Starter.ROM):
        return False  # whatever stands behind a boot loader
    try:
        check_layout_known(content.main, content.name)
    except ValueError:  # a FormatError or LayoutError
        return False
    return True


def _device_settings(
    draft: Draft, content: FlashContent, flash: FlashSize, irom_end: int, device: Device
) -> KeptPage | None:
    """The device's record page if it can be kept, made fit for the new firmware."""
    found = None if device.read is None else device_page(device.read)
    if found is None or found[1].table is None or not found[1].table.resolved:
        return None
    try:
        page = keep_page(found, flash, _boot_end(content), irom_end)
    except LayoutError as error:
        why = Phrase("the settings of the device are replaced by the image's own: ", error.phrase)
        draft.findings.append(Finding(Severity.WARNING, "settings-replaced", why, PAGE_ADDRESS))
        return None
    end = max(entry.address + entry.size for entry in page.table.entries)
    if end < flash.bytes:
        message = f"the partition table of the device ends at 0x{end:06x}: what lies behind it stays unused"
        draft.findings.append(Finding(Severity.NOTE, "table-small", message, PAGE_ADDRESS))
    return page


def _boot_end(content: FlashContent) -> int:
    """The address behind the image at 0; 0 where none is written."""
    if content.start or content.main is None:
        return 0
    return next((part.end for part in content.main.parts if part.kind is PartKind.IMAGE_V1), 0)


def _check_boot_alone(content: FlashContent, device: Device, force: frozenset[str]) -> list[Finding]:
    """An image for 0 that comes without its irom part stays out of what the device's table protects."""
    if content.main is None or not KINDS[content.main.kind].first_half or device.erased:
        return []
    found = None if device.read is None else device_page(device.read)
    region = None if found is None or found[1].table is None else lowest_protected(found[1].table)
    if region is None or _boot_end(content) <= region.start:
        return []
    error = LayoutError(
        f"the image reaches into {region.name} of the device's partition table",
        source=content.name,
        offset=region.start,
        expected=f"its end at or below 0x{region.start:05x}",
        found=f"0x{_boot_end(content):05x}",
    )
    return [waive(error, "fit", force)]


def _put_page(draft: Draft, page: KeptPage, *, init_data: bool) -> None:
    """Put the device's page in place of the image's."""
    if not init_data:
        page = page.without_phy_flag()
    draft.pieces = over(draft.pieces, [Piece(PAGE_ADDRESS, page.data, "record page of the device")])
    draft.changes.append(f"the record page of the device is kept: {page.holds}")
    draft.changes += page.changes
    draft.kept.append(
        Kept("record page", PAGE_ADDRESS, nodemcu_page.PAGE_SIZE, Fate.WRITTEN_BACK, page.holds)
    )


# --- named places ---


def _add_named(
    draft: Draft, content: FlashContent, request: PlanRequest, place: Place | None, device: Device
) -> None:
    """Add what goes to a place by its name."""
    if not request.named:
        return
    firmware = None if content.main is None else content.main.firmware
    if place is not None:
        layout, irom_end = place.layout, place.irom_end
    elif content.boots or content.dump:
        if content.main is not None:
            check_layout_known(content.main, content.name)
        raise LayoutError("nothing tells where the named places of this firmware are", source=content.name)
    else:
        layout, irom_end, firmware = device_layout(request.named, device), 0, None
    for name, piece in request.named:
        placed = place_named([(name, piece)], layout, firmware, irom_end)
        if not placed:
            raise LayoutError("there is no such place", source=piece.name, expected=f"a place for {name}")
        if name == "@spiffs":
            draft.findings += filesystem_findings(piece, layout, firmware)
        if name == INIT_DATA and request.blank_rf_cal:
            _blank_rf_cal(draft, layout, request, None if place is not None else device)
        for each in placed:
            draft.changes.append(Phrase(piece.name, f" goes to 0x{each.address:06x}, the place of {name}"))
            draft.pieces = into_fill(draft.pieces, each)


def _blank_rf_cal(draft: Draft, layout: FlashLayout, request: PlanRequest, device: Device | None) -> None:
    """New init data goes with blank RF calibration, unless that comes by name too.

    Args:
        draft: The plan.
        layout: Where it is.
        request: What is asked for.
        device: The device, where the firmware on it stays: the sector may be none of the SDK's.
    """
    region = layout.find(PartKind.RF_CAL)
    if region is None or any(name == "@rf-cal" for name, _ in request.named):
        return
    spared = None if device is None else rf_cal_spared(region, device)
    if spared is None:
        blank = Piece(region.start, bytes([fill.ERASED]) * region.size, "blank RF calibration")
        draft.pieces = into_fill(draft.pieces, blank)
        draft.changes.append(f"RF calibration at 0x{region.start:06x} is erased, as the init data is new")
    elif spared:
        message = f"the sector for RF calibration stays as it is: {spared}"
        draft.findings.append(Finding(Severity.NOTE, "rf-cal-spared", message, region.start))


# --- what stays ---


def _note_kept(
    draft: Draft, place: Place, content: FlashContent, device: Device, files: FilesPlan | None
) -> None:
    """Name what stays on the device: the regions of the layout that nothing is written to, and the rest."""
    regions = [region for region in place.layout.regions if region.size]
    if place.page is None and place.layout.find(PartKind.SPIFFS) is None:
        written = (p.end for p in draft.pieces if p.address < place.irom_end)
        start = align_up(max((place.irom_end, *written)), SECTOR)
        end = min((r.start for r in regions if r.start >= start), default=place.layout.flash.bytes)
        # To look for files takes a second, so it is done where something could overwrite them.
        if any(p.address < end and start < p.end for p in draft.pieces if p.address >= start):
            regions += _files(place, content, device)
        elif start < end:
            draft.kept.append(Kept("rest of the flash, as it is", start, end - start))
    carried = None if files is None or files.kept is None else files.kept.found.start
    for region in regions:
        hit = next((p for p in draft.pieces if p.address < region.end and region.start < p.end), None)
        if hit is None:
            draft.kept.append(Kept(region.name, region.start, region.size))
        elif region.start == carried:
            continue  # its files are in what is written
        elif region.kind in (PartKind.SPIFFS, PartKind.LITTLEFS) and hit.address != region.start:
            what = f"a part of the {region.name} file system at 0x{region.start:06x}"
            message = Phrase(hit.name, f" overwrites {what}")
            draft.findings.append(Finding(Severity.WARNING, "filesystem-overwritten", message, hit.address))
    end, capacity = place.layout.flash.bytes, device.target.flash_bytes or 0
    if end < capacity and all(p.end <= end for p in draft.pieces):
        draft.kept.append(Kept("beyond the size in the header", end, capacity - end))


def _note_fate(draft: Draft, place: Place, fate: Fate) -> None:
    """Say of the partition of files that its contents do not stay."""
    region = place.layout.find(PartKind.SPIFFS)
    start = None if region is None else region.start
    draft.kept = [kept._replace(fate=fate) if kept.start == start else kept for kept in draft.kept]


def _files(place: Place, content: FlashContent, device: Device) -> tuple[Region, ...]:
    """The file systems on the device that this firmware looks for."""
    firmware = None if content.main is None else content.main.firmware
    if device.read is None or firmware is None:
        return ()
    places = filesystem_places(place.layout, firmware, align_up(place.irom_end, SECTOR))
    return find_filesystems(device.read, place.layout.flash.bytes, places)
