"""Whether files stand where the layout of the firmware beside them has a place for them.

The other half of places.py, where the firmware and the flash size are known: init data, file systems and LFS
images in their regions, and nothing else in the sectors that the SDK keeps for itself.  Not the room in a
region: that is the plan's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.errors import LayoutError, Move
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import Finding, PartKind, Severity
from imgtool.layout.file_places import filesystem_places
from imgtool.layout.regions import align_up
from imgtool.operations.assemble.extras import filesystem_findings
from imgtool.operations.assemble.places import may_be_in_region
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imgtool.formats.reading import Firmware
    from imgtool.layout.regions import FlashLayout
    from imgtool.operations.assemble.places import Placed, Verdict

__all__ = ["outside_layout"]

_SDKS_OWN: Final = (PartKind.RF_CAL, PartKind.INIT_DATA, PartKind.SYSTEM_PARAM)
_WANTED: Final = {
    PartKind.INIT_DATA: "init data",
    PartKind.SPIFFS: "a file system",
    PartKind.LFS: "LFS",
}


def outside_layout(
    placed: Iterable[Placed], layout: FlashLayout, firmware: Firmware | None, irom_end: int
) -> list[Verdict]:
    """What speaks against the addresses of files by the layout of the firmware beside them.

    Args:
        placed: The files.
        layout: The flash, as the firmware will use it.
        firmware: Which firmware; None where it is not known.
        irom_end: Flash address behind its irom part.
    """
    verdicts: list[Verdict] = []
    for each in placed:
        if not may_be_in_region(each):
            continue
        row = KINDS[each.what.kind]
        error = _in_sdks_own(each, layout) or _not_in_region(each, layout)
        if error is not None:
            verdicts.append(error)
        elif row.region is PartKind.SPIFFS:
            verdicts += _not_mounted(each, layout, firmware, irom_end)
    return verdicts


def _in_sdks_own(placed: Placed, layout: FlashLayout) -> LayoutError | None:
    """A sector that the SDK keeps for itself; a backup of it looks like nothing."""
    piece, what = placed
    region = next(
        (r for r in layout.regions if r.start <= piece.address < r.end and r.kind in _SDKS_OWN), None
    )
    if region is None or region.kind is KINDS[what.kind].region:
        return None
    return LayoutError(
        f"it lies on the firmware's own {region.name}",
        source=piece.name,
        offset=region.start,
        expected=KINDS[what.kind].belongs or "another address",
        found=f"0x{piece.address:06x}",
    )


def _not_in_region(placed: Placed, layout: FlashLayout) -> LayoutError | None:
    """A place that is not the region which the layout has for it."""
    piece, what = placed
    kind = KINDS[what.kind].region
    region = None if kind is None else layout.find(kind)
    if region is not None and piece.address != region.start:
        error = LayoutError(
            f"this firmware looks for {_WANTED[region.kind]} elsewhere",
            source=piece.name,
            expected=f"0x{region.start:06x}",
            found=f"0x{piece.address:06x}",
        )
        if kind is not PartKind.LFS and len(piece.data) <= region.size:  # LFS has to be relocated, too
            error.moves = (Move(piece.name, region.start),)
        return error
    partitions = layout.find(PartKind.SPIFFS) is not None
    if kind is PartKind.LFS and region is None and partitions:
        return LayoutError(
            "the firmware has no LFS partition",
            source=piece.name,
            expected="NodeMCU 3.0 or later, built with a partition for LFS",
            found=", ".join(region.name for region in layout.regions),
        )
    return None


def _not_mounted(
    placed: Placed, layout: FlashLayout, firmware: Firmware | None, irom_end: int
) -> Iterator[Finding]:
    """A file system that the firmware does not look for, or would format."""
    piece = placed.piece
    searched = layout.find(PartKind.SPIFFS) is None  # else its partition is the place
    places = filesystem_places(layout, firmware, align_up(irom_end, SECTOR)) if searched else ()
    if places and piece.address not in places and firmware is not None:
        name = KINDS[placed.what.kind].place_name
        by_name = f"; by name {name} it goes there" if name else ""
        message = Phrase(
            "nothing uses ",
            piece.name,
            f" at 0x{piece.address:06x}: {firmware.name} {firmware.version} looks for its file system from "
            f"0x{places[0]:06x} on, unless it was built for another place{by_name}",
        )
        yield Finding(Severity.WARNING, "not-used", message, piece.address)
    else:
        yield from filesystem_findings(piece, layout, firmware)
