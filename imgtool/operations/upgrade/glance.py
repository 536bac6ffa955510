"""A quick look at the flash of a device before a write: what is at stake in it, by as few reads as will tell.

Which firmware is there is mostly not looked for, as its strings lie anywhere in some hundred kilobytes, and a
line carries ninety a second: what it has left shows how it works.  For the whole look see look.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imgtool.chip import RTOS_TABLE_PLACE, SECTOR
from imgtool.formats.filesystems.spiffs import MAGIC_OFFSET
from imgtool.formats.reading import FileKind, PartKind
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.regions.nodemcu_page import PAGE_ADDRESS
from imgtool.formats.regions.rtos_partitions import MAGIC as TABLE_MAGIC
from imgtool.layout.arduino_places import ARDUINO_STARTS
from imgtool.layout.file_places import places_before_tables
from imgtool.layout.generations import GENERATIONS, generation_of
from imgtool.layout.regions import align_up
from imgtool.layout.traits import FilePlace, LfsPlace
from imgtool.operations.inspect.device_settings import (
    device_header,
    find_filesystems,
    from_its_start,
    read_ahead,
    remembered,
    spiffs_blocks_left,
    starts_eboot,
)
from imgtool.operations.upgrade.look import plain_on, with_geometry, with_layout
from imgtool.operations.upgrade.side import LFS_MARKS, FlashSide, FoundFileSystem, LfsRegion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgtool.layout.traits import Generation
    from imgtool.operations.inspect.device_settings import Reader

__all__ = ["glance"]

_STEP: Final = 0x100
_FREE: Final = b"\xff" * 8  # behind the last record
_COARSE: Final = 0x1_0000
_FINE: Final = 0x2000
_NEAR: Final = 0x10_0000  # file systems of NodeMCU may begin at any 8 KB below it, and no code lies behind it
_LITTLEFS: Final = b"litt"
_LITTLEFS_AT: Final = 8
_ERASED: Final = b"\xff\xff"
_END_OF_CODE: Final = 4  # erased sectors in a row, as no firmware has them inside
_MOST_BLOCKS: Final = 0x1000  # of 4 KB in 16 MB
_OLD_FIRMWARE: Final = "the old firmware"


def glance(read: Reader, capacity: int) -> FlashSide:
    """What is in the flash of a device, as far as it can be lost by a write.

    Args:
        read: Reads it.
        capacity: Bytes of the flash.
    """
    read = remembered(read)
    header = device_header(read)
    page = _page(read)
    side = FlashSide(
        read=read,
        size=capacity,
        capacity=capacity,
        kind=FileKind.UNKNOWN,
        firmware=None,
        header=header,
        flash=None if header is None else header.flash_size,
        irom_end=0 if page is None else _irom_end(page),
        page=page,
        boot=b"",
        title=_OLD_FIRMWARE,
    )
    side = with_layout(side, arduino=starts_eboot(read)) if page or not _has_rtos_table(read) else side
    side = replace(side, filesystems=_filesystems(side))
    era = _era(side)
    return replace(side, era=era, lfs_in_irom=_lfs_in_irom(side, era))


def _page(read: Reader) -> nodemcu_page.RecordPage | None:
    """The record page, of which mostly a few hundred bytes are written; one of an old flash is resolved."""
    if read(PAGE_ADDRESS + 2, 2) != b"\0\0":
        return None
    block = b""
    while len(block) < nodemcu_page.PAGE_SIZE and not block.endswith(_FREE):
        block += read(PAGE_ADDRESS + len(block), _STEP)
    return nodemcu_page.page_at(block.ljust(nodemcu_page.PAGE_SIZE, b"\xff"), 0)


def _irom_end(page: nodemcu_page.RecordPage) -> int:
    code = None if page.table is None else page.table.find(nodemcu_page.IROM)
    return 0 if code is None else code.address + code.size


def _has_rtos_table(read: Reader) -> bool:
    return read(RTOS_TABLE_PLACE, len(TABLE_MAGIC)) == TABLE_MAGIC


# File systems.


def _filesystems(side: FlashSide) -> tuple[FoundFileSystem, ...]:
    """The file systems that begin where firmware puts them, none inside another."""
    found = _at(side, _coarse(side))
    if found or side.header is None or side.page is not None or starts_eboot(side.read):
        return tuple(found)
    # Nothing but NodeMCU before 3.0 has any at other places.
    found = _at(side, range(_COARSE, min(side.capacity, _NEAR), _FINE))
    return tuple(found or plain_on(side))


def _at(side: FlashSide, starts: Iterable[int]) -> list[FoundFileSystem]:
    places = list(starts)
    # In the order of _may_begin, each time for those places of which it has yet to be told.
    read_ahead(side.read, [(start + MAGIC_OFFSET, 2) for start in places], side.capacity)
    open_ones = [start for start in places if not _is_marked(side, start)]
    looks = [(start + _LITTLEFS_AT, 4) for start in open_ones] if side.header is not None else []
    looks += [(start, 2) for start in open_ones if spiffs_blocks_left(side.read, start) is None]
    read_ahead(side.read, looks, side.capacity)
    looks = [(start + SECTOR + MAGIC_OFFSET, 2) for start in open_ones if _is_unmarked(side, start)]
    read_ahead(side.read, looks, side.capacity)
    likely = [start for start in places if _may_begin(side, start)]
    regions = find_filesystems(side.read, side.capacity, likely)
    # Each block of a SPIFFS looks like the first of a shorter one.
    whole = (from_its_start(side.read, region) for region in regions)
    return [with_geometry(side.read, region.start, region.kind, region.size) for region in whole]


def _coarse(side: FlashSide) -> list[int]:
    starts = {*range(_COARSE, side.capacity, _COARSE), *(s for s in ARDUINO_STARTS if s < side.capacity)}
    region = None if side.layout is None else side.layout.find(PartKind.SPIFFS)
    if side.page is not None and side.layout is not None:
        # What an older firmware has left may stand where that one looked.
        starts |= set(places_before_tables(side.layout, align_up(side.irom_end, SECTOR)))
        starts |= set() if region is None else {region.start}
    return sorted(starts)


def _may_begin(side: FlashSide, start: int) -> bool:
    """Whether a file system may begin at an address: a word or two tell of most that none does."""
    read = side.read
    if _is_marked(side, start):
        return True
    if side.header is not None and read(start + _LITTLEFS_AT, 4) == _LITTLEFS:
        return True
    # The magic of one block may be erased.
    return _is_unmarked(side, start) and spiffs_blocks_left(read, start + SECTOR) is not None


def _is_marked(side: FlashSide, start: int) -> bool:
    """Whether the magic of a SPIFFS stands at a place, as long as one may be."""
    left = spiffs_blocks_left(side.read, start)
    return left is not None and left <= _MOST_BLOCKS


def _is_unmarked(side: FlashSide, start: int) -> bool:
    """Whether a place is written, and no magic of a SPIFFS stands there."""
    return spiffs_blocks_left(side.read, start) is None and side.read(start, 2) != _ERASED


# Which firmware.


def _era(side: FlashSide) -> Generation | None:
    """The generation whose traces are there; None where there are none that tell."""
    if side.page is not None and side.page.table is not None:
        return generation_of(None, paged=True)
    formulas = {each.formula for each in side.filesystems if each.formula}
    rows = (row for row in GENERATIONS if row.files is not None and row.files.place is FilePlace.BEHIND)
    fitting = [row for row in rows if row.files is not None and row.files.magics.value in formulas]
    return fitting[-1] if fitting and side.header is not None else None


def _lfs_in_irom(side: FlashSide, era: Generation | None) -> LfsRegion | None:
    """LFS in the last pages of irom, as NodeMCU 2.2 has it: it begins at a page, with a signature."""
    if side.header is None or side.page is not None or starts_eboot(side.read):
        return None
    if era is not None and era.lfs is not LfsPlace.IN_IROM:
        return None
    end = min((*(each.start for each in side.filesystems), side.capacity, _NEAR))
    erased = 0
    for start in range(PAGE_ADDRESS, end, SECTOR):
        if start % _COARSE == 0:
            read_ahead(side.read, [(at, 4) for at in range(start, start + _COARSE, SECTOR)], end)
        word = side.read(start, 4)
        if word[1:] in LFS_MARKS:
            return LfsRegion(start, end - start, int.from_bytes(word, "little"))
        erased = erased + 1 if word == 2 * _ERASED else 0
        if erased == _END_OF_CODE:
            break
    return None
