"""Init data in a flash plan: whether it will be where the firmware looks for it, and what is done if not.

The addresses are the layout's.  Not the fields of init data: those are imgtool.formats.regions.init_data.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.errors import LayoutError
from imgtool.formats import fill
from imgtool.formats.reading import Finding, PartKind, Severity
from imgtool.formats.regions.init_data import SIZE as INIT_DATA_SIZE
from imgtool.formats.regions.nodemcu_page import PAGE_ADDRESS
from imgtool.operations.assemble.extras import InitDataSource, init_data_block
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.sectors import is_fill, over, without_fill
from imgtool.operations.inspect.device_settings import init_data_name, init_data_state
from imgtool.operations.inspect.survey import NO_START, init_data_cure
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.layout.regions import Region
    from imgtool.operations.flashing.checks import FlashContent
    from imgtool.operations.flashing.draft import Device, Draft, Place, PlanRequest

__all__ = ["INIT_DATA", "settle_init_data", "wants_init"]

INIT_DATA: Final = "@init-data"
"""The name of its place."""

_ERASED: Final = bytes([fill.ERASED])


def wants_init(request: PlanRequest) -> bool:
    """Whether init data is asked for by what it is to be, and not left to what is found."""
    source = request.init_data
    return source is not None and (source.choice not in ("auto", "keep", "none") or bool(source.changes))


def settle_init_data(
    draft: Draft, place: Place, content: FlashContent, request: PlanRequest, device: Device
) -> bool:
    """See to init data where this firmware looks for it; whether it will certainly be there.

    Raises:
        FormatError: The file is no init data, there is none to keep, or a field cannot have its value.
        LayoutError: It is asked for, and the firmware has no place for it.
    """
    region = place.layout.find(PartKind.INIT_DATA)
    source = request.init_data or InitDataSource("keep")
    if wants_init(request) and (region is None or source.choice == "none"):
        raise LayoutError("there is no init data to set fields in, or no place for it", source=content.name)
    if region is None or (content.dump and not wants_init(request)):
        return True
    if not wants_init(request):
        _spare_settings(draft, place, source, device)
    block, origin = _content_after(draft.pieces, region.start, device)
    state = None if block is None else init_data_state(block)
    named = any(name == INIT_DATA for name, _ in request.named)
    if wants_init(request) and not named:
        found = block if state == "valid" else None
        _write_init_data(draft, place, region, source, found, blank_rf_cal=request.blank_rf_cal)
        return True
    if state == "valid" and block is not None:
        message = Phrase(f"init data at 0x{region.start:06x}: {init_data_name(block)}, ", origin)
        draft.findings.append(Finding(Severity.NOTE, "init-data", message, region.start))
        return True
    guessed = any(finding.code == "sdk-3-layout" for finding in place.layout.findings)
    if state is not None and source.choice == "auto" and not guessed:
        why = "none would be there" if state == "blank" else "something else would be there"
        draft.changes.append(f"init data v05 is added at 0x{region.start:06x}, as {why}")
        _write_init_data(draft, place, region, InitDataSource(), None, blank_rf_cal=request.blank_rf_cal)
        return True
    if source.choice != "none":
        draft.findings.append(_no_init_data(region, state, content))
    return False


def _spare_settings(draft: Draft, place: Place, source: InitDataSource, device: Device) -> None:
    """Leave the SDK's sectors of the device alone where the image has only fill in their place.

    NodeMCU >= 3.0 keeps them below irom; in one file the gap there is filled with 0xFF, which is no content.
    """
    init = place.layout.find(PartKind.INIT_DATA)
    if init is None or init.start >= PAGE_ADDRESS or device.erased:
        return
    if device.read is None:
        if source.choice == "auto":
            return
    elif init_data_state(device.read(init.start, INIT_DATA_SIZE)) != "valid" and source.choice == "auto":
        return
    for region in place.layout.regions:
        if region.end <= PAGE_ADDRESS:
            draft.pieces = without_fill(draft.pieces, region.start, region.end)


def _content_after(pieces: Sequence[Piece], start: int, device: Device) -> tuple[bytes | None, str]:
    """The 128 bytes that will stand at an address, None where that is not known, and where they come from."""
    for piece in pieces:
        if piece.address < start + INIT_DATA_SIZE and start < piece.end:
            inside = piece.data[
                max(0, start - piece.address) : max(0, start - piece.address) + INIT_DATA_SIZE
            ]
            return inside.ljust(INIT_DATA_SIZE, b"\xff"), Phrase("from ", piece.name)
    if device.erased:
        return _ERASED * INIT_DATA_SIZE, "erased"
    if device.read is None:
        return None, ""
    return device.read(start, INIT_DATA_SIZE), "on the device"


def _write_init_data(
    draft: Draft,
    place: Place,
    region: Region,
    source: InitDataSource,
    found: bytes | None,
    *,
    blank_rf_cal: bool,
) -> None:
    """Put init data in its place, and blank the RF calibration, which was made under the old one."""
    choice = source
    if source.choice == "auto" and source.changes and found is not None:
        choice = replace(source, choice="keep")
    kept = None if found is None else Piece(0, found, "init data of the device")
    block = replace(init_data_block(choice, kept), address=region.start)
    new = [replace(block, data=block.data.ljust(SECTOR, b"\xff"))]
    rf = place.layout.find(PartKind.RF_CAL) if blank_rf_cal else None
    if rf is not None and not any(
        p.address < rf.end and rf.start < p.end and not is_fill(p, rf.start, rf.end) for p in draft.pieces
    ):
        new.append(Piece(rf.start, _ERASED * rf.size, "blank RF calibration"))
        draft.changes.append(f"RF calibration at 0x{rf.start:06x} is erased, as the init data is new")
    if source.choice != "auto" or source.changes:
        draft.changes.append(Phrase(block.name, f" goes to 0x{region.start:06x}"))
    draft.pieces = over(draft.pieces, new)


def _no_init_data(region: Region, state: str | None, content: FlashContent) -> Finding:
    if state is None:
        message = f"init data was not looked for at 0x{region.start:06x}, and none is written"
        return Finding(Severity.NOTE, "init-data-unseen", message, region.start)
    firmware = None if content.main is None else content.main.firmware
    cure = init_data_cure(firmware, blank=state == "blank")
    what = "no init data" if state == "blank" else "something else than init data"
    rest = cure or NO_START
    severity = Severity.WARNING if cure is None else Severity.NOTE
    return Finding(severity, "init-data-missing", f"{what} at 0x{region.start:06x}: {rest}", region.start)
