"""Init data of a file changed: single fields by name, or a whole set put in its place.

Where it stands is found by the file's parts; where there is none, by the layout of its firmware.  Not the
fields themselves and what they may hold: those are in imgtool.formats.regions.init_data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgtool.errors import FormatError, LayoutError
from imgtool.formats import fill
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import FileKind, Finding, PartKind, Severity
from imgtool.formats.regions.init_data import FIELDS, InitData
from imgtool.formats.regions.init_data import SIZE as INIT_DATA_SIZE
from imgtool.layout.regions import sdk_regions
from imgtool.operations.assemble.extras import init_data_block, layout_of
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.patch.edits import Edit, hex_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.operations.assemble.extras import InitDataSource
    from imgtool.operations.inspect.describe import Description

__all__ = ["init_data_edits", "place_findings", "rf_cal_findings"]


def init_data_edits(data: bytes, before: Description, source: InitDataSource) -> Iterator[Edit]:
    """The edits that set fields of the init data in a file, or put other init data there.

    Args:
        data: The whole file.
        before: What it is.
        source: ``keep`` for what is there; fields to set.

    Raises:
        FormatError: There is none to set fields in, or a field cannot have its value.
        LayoutError: Nothing tells which of several, or where it belongs.
    """
    start = _init_data_place(data, before, create=source.choice != "keep")
    old = data[start : start + INIT_DATA_SIZE].ljust(INIT_DATA_SIZE, bytes([fill.ERASED]))
    kept = Piece(0, old, "the init data of the file")
    new = init_data_block(source, kept).data[:INIT_DATA_SIZE]
    was, now = InitData.parse(old), InitData.parse(new)
    if fill.is_fill(old, 0, len(old)):
        yield Edit(start, new, "init data", "blank", now.set_name or "a set of its own")
        return
    for each in FIELDS:
        first, second = was.values[each.name], now.values[each.name]
        if first == second:
            continue
        place = start + each.offset
        block = new[each.offset : each.offset + len(each.default)]
        if isinstance(first, int) and isinstance(second, int):
            yield Edit(place, block, f"init data {each.name}", each.show(first), each.show(second))
        else:
            old_words, new_words = (hex_words(b) for b in (old[place - start :][: len(block)], block))
            yield Edit(place, block, f"init data {each.name}", old_words, new_words)


def _init_data_place(data: bytes, before: Description, *, create: bool) -> int:
    """Where the init data stands that the firmware reads, or where it belongs."""
    found = [part.offset for part in before.parts if part.kind is PartKind.INIT_DATA]
    if len(found) == 1:
        return found[0]
    if found:
        stated = None if before.header is None else before.header.flash_size
        regions = () if stated is None or stated.bytes > len(data) else sdk_regions(stated.bytes)
        places = [region.start for region in regions if region.start in found]
        if places:
            return places[0]
        raise LayoutError(
            "it holds init data at several places, and the image header names none of them",
            offset=found[0],
            expected="one, or one where the flash size in the header puts it",
            found=", ".join(f"0x{offset:06x}" for offset in found),
        )
    if not create:
        place = next((f.offset for f in before.findings if f.code == "init-data-missing"), None)
        raise FormatError(
            "there is no init data in it to set fields in",
            offset=place,
            expected="init data, a full image or a dump",
            found=KINDS[before.kind].words if place is None else "another content at its place",
        )
    region = layout_of(before).find(PartKind.INIT_DATA)
    if region is None or region.start + INIT_DATA_SIZE > len(data):
        raise LayoutError(
            "the file does not reach to where init data belongs",
            offset=None if region is None else region.start,
            expected="a full image or a dump",
            found=f"{len(data):,} bytes",
        )
    return region.start


def rf_cal_findings(data: bytes, before: Description) -> tuple[Finding, ...]:
    """That the RF calibration in a file was made with other init data; Espressif's AT guide blanks both."""
    return tuple(
        Finding(
            Severity.NOTE,
            "rf-cal-kept",
            f"the RF calibration at 0x{part.offset:06x} is of the time before this change; with erased flash "
            "there the SDK calibrates anew",
            part.offset,
        )
        for part in before.parts
        if part.kind is PartKind.RF_CAL and not fill.is_fill(data, part.offset, part.end)
    )


def place_findings(after: Description, edits: Sequence[Edit]) -> tuple[Finding, ...]:
    """That the SDK looks for init data elsewhere than where it was changed, by the size in the image header.

    Only for a flash whose firmware has no partition table: that says it by itself.
    """
    size = None if after.header is None else after.header.flash_size
    tables = any(part.kind is PartKind.PARTITION_TABLE for part in after.parts)
    if not edits or size is None or tables or after.kind is not FileKind.FLASH_DUMP:
        return ()
    place = next(region.start for region in sdk_regions(size.bytes) if region.kind is PartKind.INIT_DATA)
    if place <= edits[0].offset < place + INIT_DATA_SIZE:
        return ()
    message = (
        f"with the {size.name} in the image header the SDK looks for init data at 0x{place:06x}, and not "
        "where it was changed"
    )
    return (Finding(Severity.WARNING, "init-data-place", message, edits[0].offset),)
