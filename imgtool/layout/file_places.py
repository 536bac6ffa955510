"""Where a NodeMCU looks for its SPIFFS, where it makes one, how large that is, and whether that is enough.

Pure functions over the layout and the generation of the firmware; what is in a flash is not looked at.  The
rules and where they are known from: docs/flash-layouts.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import SECTOR
from imgtool.formats.reading import PartKind
from imgtool.layout.first_boot import spiffs_formula
from imgtool.layout.generations import FILES_OF_FIRST_TABLES, GENERATIONS, generation_of
from imgtool.layout.nodemcu import PARTITION_STEP
from imgtool.layout.regions import Region, align_up
from imgtool.layout.traits import FilePlace, Magics, SpiffsRule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imgtool.formats.reading import Firmware
    from imgtool.layout.regions import FlashLayout

__all__ = [
    "FileRoom",
    "file_room",
    "filesystem_made",
    "filesystem_mounted",
    "filesystem_places",
    "filesystem_start",
    "places_before_tables",
    "spiffs_block",
    "spiffs_room",
]

_FIRST_RF_CAL: Final = 0xB000
"""Where the tables of the first two releases of NodeMCU 3.0 have RF calibration."""


class FileRoom(NamedTuple):
    """The room that a NodeMCU has for a SPIFFS of its own making.

    Attributes:
        start: Where it makes one; None where its partition table has no place for one.
        end: Where that must end; below ``start`` where nothing is left.
        least: Bytes that it must have.
        block: Bytes of a block.
        formats: Whether it formats what it does not know; releases without magics do not.
    """

    start: int | None
    end: int
    least: int
    block: int
    formats: bool

    @property
    def size(self) -> int:
        """Bytes of it."""
        return 0 if self.start is None else max(0, self.end - self.start)

    @property
    def enough(self) -> bool:
        """Whether a file can be kept there."""
        return self.size >= self.least


def filesystem_start(layout: FlashLayout, firmware: Firmware | None, firmware_end: int) -> int | None:
    """Where a NodeMCU before 3.0 looks first for its file system; None where that is not known.

    Args:
        layout: The flash.
        firmware: Which firmware.
        firmware_end: Flash address behind irom, rounded up to a sector.
    """
    rule = _behind(firmware)
    return None if rule is None else _first_place(layout, rule, firmware_end)


def _first_place(layout: FlashLayout, rule: SpiffsRule, firmware_end: int) -> int:
    # 0.9 rounds end + 0x3000 down to 0x4000: behind whole sectors that is the same.
    return align_up(firmware_end, rule.near_step if _is_small(layout, rule) else rule.step)


def filesystem_places(layout: FlashLayout, firmware: Firmware | None, firmware_end: int) -> tuple[int, ...]:
    """Where a NodeMCU before 3.0 looks for a file system, in this order; empty where that is not known.

    Args:
        layout: The flash.
        firmware: Which firmware.
        firmware_end: Flash address behind irom, rounded up to a sector.
    """
    rule = _behind(firmware)
    return () if rule is None else _places(layout, rule, firmware_end)


def places_before_tables(layout: FlashLayout, firmware_end: int) -> tuple[int, ...]:
    """Where the newest releases that search look: what they made is left there under one with a table.

    Args:
        layout: The flash.
        firmware_end: Flash address behind irom, rounded up to a sector.
    """
    rules = (
        row.files for row in GENERATIONS if row.files is not None and row.files.place is FilePlace.BEHIND
    )
    return _places(layout, [*rules][-1], firmware_end)


def _places(layout: FlashLayout, rule: SpiffsRule, firmware_end: int) -> tuple[int, ...]:
    first = _first_place(layout, rule, firmware_end)
    if not rule.tries:
        return (first,)
    end = layout.flash.bytes
    near = align_up(firmware_end, rule.near_step)
    far = range(0 if _is_small(layout, rule) else rule.tries)
    places = [first + number * rule.step for number in far]
    places += [near + number * rule.near_step for number in range(rule.tries)]
    return tuple(dict.fromkeys(place for place in places if place < end))


def filesystem_made(layout: FlashLayout, firmware: Firmware | None, firmware_end: int) -> Region | None:
    """The file system that NodeMCU makes where it finds none; None where that is not known, or has no room.

    A build with a fixed place, or a largest size, for its file system does otherwise before 3.0, and no file
    shows that.

    Args:
        layout: The flash.
        firmware: Which firmware.
        firmware_end: Flash address behind irom.
    """
    room = file_room(layout, firmware, firmware_end)
    if room is None or room.start is None or not room.enough:
        return None
    return Region(PartKind.SPIFFS, room.start, room.size // room.block * room.block, "SPIFFS")


def filesystem_mounted(
    layout: FlashLayout, firmware: Firmware | None, firmware_end: int, formula: str | None
) -> Region | None:
    """The file system that NodeMCU works with when it has made one; None where that is not known, or no room.

    Mostly that is what it has made.  But each block of a SPIFFS with linear magics looks like the first of a
    shorter one, and an erased block in front of it like that of a longer one.  A release that looks at
    multiples of 64 KB first finds it there when it has made it behind one of 8 KB, and counts pages from
    there, at once and after each start (run: 1.5.4.1 on 1 MB).

    Args:
        layout: The flash.
        firmware: Which firmware.
        firmware_end: Flash address behind irom.
        formula: Of its magics, as :func:`imgtool.layout.first_boot.spiffs_formula` has it.
    """
    made = filesystem_made(layout, firmware, firmware_end)
    rule = _behind(firmware)
    room = file_room(layout, firmware, firmware_end)
    if made is None or room is None or rule is None or formula != Magics.LINEAR:
        return made
    for place in _places(layout, rule, align_up(firmware_end, SECTOR)):
        blocks, rest = divmod(place - made.start, room.block)
        seen = not rest and -1 <= blocks < made.size // room.block
        if seen and room.block in spiffs_room(layout, firmware, place):
            return replace(made, start=place, size=made.end - place)
    return made


def file_room(layout: FlashLayout, firmware: Firmware | None, firmware_end: int) -> FileRoom | None:
    """The room for the file system that NodeMCU makes where it finds none; None where that is not known.

    The same holds for builds with a place of their own as of :func:`filesystem_made`.

    Args:
        layout: The flash.
        firmware: Which firmware.
        firmware_end: Flash address behind irom.
    """
    files = generation_of(firmware).files
    region = layout.find(PartKind.SPIFFS)
    if region is not None or (files is not None and files.place is FilePlace.PARTITION):
        return _room_in_table(layout, region)
    rule = _behind(firmware)
    end_of_code = align_up(firmware_end, SECTOR)
    start = filesystem_start(layout, firmware, end_of_code)
    if rule is None or start is None:
        return None
    end = layout.flash.bytes - rule.kept_sectors * SECTOR
    if rule.gap is not None and not _is_small(layout, rule):
        start = align_up(end_of_code + rule.gap, rule.step)
        if 0 <= end - start < rule.least:
            start = align_up(end_of_code + rule.near_gap, rule.near_step)
    return _room(rule, start, end)


def _room_in_table(layout: FlashLayout, region: Region | None) -> FileRoom:
    rule = _rule_of_partitions(layout)
    if region is None:
        return _room(rule, None, 0)
    return _room(rule, align_up(region.start, PARTITION_STEP), region.end // PARTITION_STEP * PARTITION_STEP)


def _room(rule: SpiffsRule, start: int | None, end: int) -> FileRoom:
    block = rule.block_for(0 if start is None else end - start)
    return FileRoom(start, end, rule.least_room, block, rule.magics is not Magics.NONE)


def spiffs_block(layout: FlashLayout, size: int) -> int:
    """The block size that NodeMCU 3.0 and later takes for a partition.

    Args:
        layout: The flash, whose table tells the first releases from the others.
        size: Bytes of the partition.
    """
    return _rule_of_partitions(layout).block_for(size)


def spiffs_room(layout: FlashLayout, firmware: Firmware | None, start: int) -> Mapping[int, int]:
    """How many bytes a SPIFFS may have that begins at an address, by block size: NodeMCU 1.5.4.1 to 2.2.1.

    A block size that is missing is one that it does not look for there.

    Args:
        layout: The flash.
        firmware: Which firmware.
        start: The address.
    """
    rule = _behind(firmware)
    if rule is None:
        return {}
    size = layout.flash.bytes - rule.kept_sectors * SECTOR - start
    fitting = {block: size // block * block for block in rule.blocks if size // block >= rule.least_blocks}
    if rule.probes_each and spiffs_formula(firmware) != Magics.OLD:
        return fitting
    largest = max(fitting, default=0)
    return {block: room for block, room in fitting.items() if block == largest}


def _behind(firmware: Firmware | None) -> SpiffsRule | None:
    """The rule of a firmware that looks behind its code."""
    rule = generation_of(firmware).files
    return rule if rule is not None and rule.place is FilePlace.BEHIND else None


def _rule_of_partitions(layout: FlashLayout) -> SpiffsRule:
    rf_cal = layout.find(PartKind.RF_CAL)
    if rf_cal is not None and rf_cal.start == _FIRST_RF_CAL:
        return FILES_OF_FIRST_TABLES
    rule = generation_of(None, paged=True).files
    return SpiffsRule(magics=Magics.LINEAR, place=FilePlace.PARTITION) if rule is None else rule


def _is_small(layout: FlashLayout, rule: SpiffsRule) -> bool:
    return layout.flash.bytes < rule.small_flash
