"""The flash before an upgrade, from a file: a dump, or an image that is taken for flashed and booted once.

What is in that flash is looked at in upgrade/look.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES, SECTOR
from imgtool.errors import ImgtoolError, LayoutError
from imgtool.formats.filesystems.spiffs import MAGIC_OFFSET, SpiffsSignature, magic_of
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import PartKind
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.regions.nodemcu_page import PAGE_ADDRESS, Record, RecordPage
from imgtool.layout.file_places import filesystem_made, spiffs_block
from imgtool.layout.first_boot import spiffs_formula
from imgtool.layout.fit import layout_for
from imgtool.layout.nodemcu import resolve
from imgtool.operations.assemble.extras import InitDataSource, check_layout_known, irom_end_of, table_of
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.assemble.wrong_files import wrong_file
from imgtool.operations.flashing.draft import PlanRequest, Target
from imgtool.operations.flashing.plan import plan_flash
from imgtool.operations.inspect.describe import describe
from imgtool.operations.upgrade.side import OldFlash

if TYPE_CHECKING:
    from imgtool.operations.inspect.describe import Description

__all__ = ["old_flash"]

_SIZES: Final = tuple(sorted({size.bytes for size in FLASH_SIZES}))
_NEITHER: Final = "OLD is neither a dump nor an image"
_OLD_IS: Final = "a dump of the flash, or the image for 0x00000"


def old_flash(data: bytes, capacity: int | None = None) -> OldFlash:
    """What a file says of the flash before an upgrade: a dump, or the image that was flashed.

    Args:
        data: The file.
        capacity: Bytes of the flash; None takes it from a dump.

    Raises:
        FormatError: It is neither a dump nor the image for address 0, or half of a pair.
        LayoutError: It is an image, or part of a dump, which does not tell the capacity; or longer than that.
    """
    found = describe(data)
    if capacity is not None and len(data) > capacity:
        raise LayoutError(
            "OLD is longer than the flash", expected=f"at most {capacity:,} bytes", found=f"{len(data):,}"
        )
    is_dump = _is_dump(data, found)
    if not is_dump and not KINDS[found.kind].at_start:  # such as a web page
        raise wrong_file(found, None, _OLD_IS, _NEITHER)
    if is_dump:
        stated = None if found.header is None else found.header.flash_size
        if capacity is None and stated is None and len(data) not in _SIZES:
            if len(data) % SECTOR:  # no tool reads a flash so
                raise wrong_file(found, None, _OLD_IS, _NEITHER)
            raise LayoutError(
                "OLD does not tell how large the flash is",
                expected="a flash size, or the dump of a whole flash",
                found=f"{len(data):,} bytes without an image header",
            )
        whole = len(data) in _SIZES and (stated is None or stated.bytes <= len(data))
        likely = len(data) if whole or stated is None else max(stated.bytes, len(data))
        return OldFlash.of_dump(data, capacity or likely, "flash-dump")
    if capacity is None:
        raise LayoutError(
            "OLD is an image, and does not tell how large the flash is",
            expected="a flash size, or a dump",
            found=KINDS[found.kind].words,
        )
    if KINDS[found.kind].first_half:
        check_layout_known(found, None)  # half of a pair says nothing of what is behind it
    flashed = _flashed(data, found, capacity)
    return replace(OldFlash.of_dump(flashed, capacity, str(found.kind)), assumed=True)


def _is_dump(data: bytes, found: Description) -> bool:
    if KINDS[found.kind].may_be_dump or len(data) in _SIZES:
        return True
    if not KINDS[found.kind].at_start:
        return False
    table = table_of(found)
    if table is not None:
        return table.resolved
    used = (PartKind.SPIFFS, PartKind.LITTLEFS, PartKind.INIT_DATA, PartKind.SYSTEM_PARAM)
    return any(part.kind in used for part in found.parts)


def _flashed(data: bytes, found: Description, capacity: int) -> bytes:
    """A flash that an image was written to and that booted once: with its table and its file system."""
    flash = bytearray(b"\xff") * capacity
    target = Target("ESP8266EX", embedded=False, mac="", flash_id=b"", flash_bytes=capacity)
    request = PlanRequest((Piece(0, data, "OLD"),), init_data=InitDataSource())
    flash[: len(data)] = data
    try:
        plan = plan_flash(request, target, OldFlash.of_dump(b"", capacity, "").read)
    except ImgtoolError:
        return bytes(flash)
    for piece in plan.pieces:
        flash[piece.address : piece.end] = piece.data
    if plan.flash is None:
        return bytes(flash)
    table = table_of(found)
    end = irom_end_of(found)
    try:
        if table is not None:
            end = table.irom_end or end
            table = resolve(table, plan.flash.bytes, end)
            records = (
                Record(0, nodemcu_page.TABLE, nodemcu_page.table_payload(table)),
                Record(0, nodemcu_page.PHY_DATA_DONE, b""),
            )
            flash[PAGE_ADDRESS : PAGE_ADDRESS + SECTOR] = RecordPage(records).build()
        layout = layout_for(plan.flash, found.firmware, table, end)
    except LayoutError:
        return bytes(flash)
    region = filesystem_made(layout, found.firmware, end)
    formula = spiffs_formula(found.firmware, data)
    if region is not None and formula in ("linear", "old"):
        block = spiffs_block(layout, region.size)
        signature = SpiffsSignature(block, region.size // block, formula)
        for number in range(signature.blocks):
            place = region.start + number * block + MAGIC_OFFSET
            flash[place : place + 2] = magic_of(signature, number)
    return bytes(flash)
