"""Which file system of a flash a NodeMCU from 1.5.4.1 on mounts: the probe of its SPIFFS, and its mount.

What such a firmware does, over what a flash holds; what that means for files is told by files.py.  For
SPIFFS without magics, of older releases, see formats/filesystems/spiffs_plain.py.

Source: spiffs.c and spiffs_nucleus.c of https://github.com/nodemcu/nodemcu-firmware at its tags; see
docs/flash-layouts.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.formats.filesystems.spiffs import MAGIC_OFFSET, SpiffsSignature, magic_of, probe
from imgtool.formats.reading import PartKind
from imgtool.layout.file_places import file_room, filesystem_places, spiffs_block, spiffs_room
from imgtool.layout.nodemcu import PARTITION_STEP
from imgtool.layout.regions import align_up
from imgtool.operations.inspect.device_settings import read_ahead, spiffs_blocks_left
from imgtool.operations.upgrade.side import FoundFileSystem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imgtool.operations.upgrade.side import FlashSide

__all__ = ["mounted", "probed", "room_at"]

_LOOKED_AT: Final = 5  # blocks
_BLOCKS: Final = (0x2000, 0x1000)
_FIRST_BLOCKS: Final = (0, 0x1000, 0x2000, 0x4000)  # where the first three of either size begin
_ERASED_MAGIC: Final = b"\xff\xff"


def mounted(side: FlashSide, formula: str | None) -> FoundFileSystem | None:
    """The file system that NodeMCU from 1.5.4.1 on mounts; None where it mounts none, and formats.

    Args:
        side: The flash.
        formula: Of its magics; None takes either.
    """
    found = probed(side, formula)
    return found if found is not None and _mounts(side, found, formula) else None


def probed(side: FlashSide, formula: str | None) -> FoundFileSystem | None:
    """What such a NodeMCU takes for a file system, first of all, and does not look on behind.

    Args:
        side: The flash.
        formula: Of its magics; None takes either, and any block size.
    """
    if side.layout is None:
        return None
    region = side.layout.find(PartKind.SPIFFS)
    places = (
        (align_up(region.start, PARTITION_STEP),)
        if region is not None
        else filesystem_places(side.layout, side.firmware, align_up(side.irom_end, SECTOR))
    )
    formulas = ("linear", "old") if formula is None else (formula,)
    magics = [(place + at + MAGIC_OFFSET, 2) for place in places for at in _FIRST_BLOCKS]
    read_ahead(side.read, magics, side.size)
    for place in places:
        # Two bytes tell most places that hold none.
        if all(side.read(place + at + MAGIC_OFFSET, 2) == _ERASED_MAGIC for at in (0, _BLOCKS[0])):
            continue
        for block in _BLOCKS if formula is None else sorted(room_at(side, place)):
            left = [spiffs_blocks_left(side.read, place + number * block) for number in range(3)]
            found = probe(left, block, formulas)
            if found is not None:
                return FoundFileSystem(PartKind.SPIFFS, place, found.size, block, found.formula)
    return None


def room_at(side: FlashSide, start: int) -> Mapping[int, int]:
    """How many bytes a SPIFFS may have that begins at an address, by the block sizes looked for there.

    Args:
        side: The flash.
        start: The address.
    """
    if side.layout is None:
        return {}
    region = side.layout.find(PartKind.SPIFFS)
    if region is None:
        return spiffs_room(side.layout, side.firmware, start)
    room = file_room(side.layout, side.firmware, side.irom_end)
    if room is not None and not room.enough:
        return {}
    block = spiffs_block(side.layout, region.size)
    return {block: region.size // block * block}


def _mounts(side: FlashSide, found: FoundFileSystem, formula: str | None) -> bool:
    """Whether the mount accepts what was probed: no larger than there is room, and with all of its magics."""
    if side.layout is None or found.end > side.capacity:
        return False
    if formula is not None and found.size > room_at(side, found.start).get(found.block, 0):
        return False
    signature = SpiffsSignature(found.block, found.size // found.block, found.formula)
    return _ends_well(side, found.start, signature)


def _ends_well(side: FlashSide, start: int, signature: SpiffsSignature) -> bool:
    """Whether the mount accepts what the probe found: it looks at every block, and lets one be erased.

    Looked at here are the first five and the last.
    """
    erased = 0
    for number in sorted({*range(min(_LOOKED_AT, signature.blocks)), signature.blocks - 1}):
        place = start + number * signature.block_size + MAGIC_OFFSET
        if place + 2 > side.size:
            break
        magic = side.read(place, 2)
        erased += magic == _ERASED_MAGIC
        if erased > 1 or magic not in (_ERASED_MAGIC, magic_of(signature, number)):
            return False
    return True
