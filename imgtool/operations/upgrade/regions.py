"""What becomes of init data, LFS, NodeMCU's settings and the rest of what is not files, in an upgrade.

Rules over the flash before and after.  Where they are known from: docs/flash-layouts.md; nobody has seen them
on silicon for this project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.chip import IROM_PLACE
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import PartKind
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.regions.nodemcu_page import PAGE_ADDRESS, PAGE_SIZE
from imgtool.layout.first_boot import init_data_repair, init_data_tested_at
from imgtool.layout.traits import InitDataRepair
from imgtool.operations.inspect.device_settings import (
    init_data_name,
    init_data_state,
    record_names,
)
from imgtool.operations.upgrade.owners import network_in
from imgtool.operations.upgrade.values import AdvicePoint, AdviceVerdict, Topic
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from imgtool.layout.regions import Region
    from imgtool.operations.upgrade.side import FlashSide, LfsRegion

__all__ = ["init_data_points", "lfs_point", "settings_point", "size_points", "wifi_point"]

_BLOCK: Final = 128
_MARKER: Final = 5
_PAGE_END: Final = PAGE_ADDRESS + PAGE_SIZE


# LFS.


def lfs_point(before: FlashSide, after: FlashSide) -> AdvicePoint | None:
    """What becomes of LFS; None where neither has one."""
    old = before.lfs
    if before.size < _PAGE_END:
        return AdvicePoint(
            Topic.LFS, AdviceVerdict.UNKNOWN, f"OLD ends at 0x{before.size:06x}, before any LFS"
        )
    if old is None:
        return _first_lfs(after)
    if not before.partitions:
        reason = f"{before.name} has it inside 0x10000.bin, at 0x{old.start:06x}, which is written over"
        return AdvicePoint(Topic.LFS, AdviceVerdict.LOST, reason)
    if not old.signature and not before.assumed:
        return AdvicePoint(Topic.LFS, AdviceVerdict.NONE, f"nothing is loaded at 0x{old.start:06x}")
    loaded = "what is loaded there" if before.assumed else f"the image at 0x{old.start:06x}"
    why = _lfs_lost(before, after, old)
    if why:
        return AdvicePoint(Topic.LFS, AdviceVerdict.LOST, f"{loaded} {why}")
    reason = f"{loaded} stays: the partition is at 0x{old.start:06x} as before, and nothing is written to it"
    return AdvicePoint(Topic.LFS, AdviceVerdict.KEPT, reason)


def _first_lfs(after: FlashSide) -> AdvicePoint | None:
    new = after.lfs
    if new is None or not after.nodemcu:
        return None
    what = f"OLD has none; the new firmware has {new.size:,} bytes at 0x{new.start:06x}, empty"
    return AdvicePoint(Topic.LFS, AdviceVerdict.NONE, what)


def _lfs_lost(before: FlashSide, after: FlashSide, old: LfsRegion) -> str:
    """Why the LFS of the old flash is lost; empty where it is not."""
    new = after.lfs
    if after.hit(old.start, old.start + old.size):
        return "is written over"
    if new is None:
        return f"has no place in {after.name}, which has no LFS partition"
    if new.start != old.start:
        return (
            f"holds absolute addresses, and the partition moves from 0x{old.start:06x} to 0x{new.start:06x}: "
            "load it again"
        )
    if new.size < old.size:
        return f"may not fit: the partition shrinks from {old.size:,} to {new.size:,} bytes"
    return _other_lua(before, after, old)


def _other_lua(before: FlashSide, after: FlashSide, old: LfsRegion) -> str:
    """Why the new firmware cannot run what is loaded; empty where it can."""
    lua = after.firmware.lua if after.firmware is not None else None
    if old.lua and lua and not lua.startswith(old.lua):
        return f"is for Lua {old.lua}, and the new firmware has Lua {lua}"
    one, two = (
        side.firmware.details.get("build type") if side.firmware else None for side in (before, after)
    )
    one = old.number_type or one  # what is loaded says so itself
    if one and two and one != two:
        return f"is for {one} numbers, and the new firmware has {two}"
    return ""


# Settings: NodeMCU's record page.


def settings_point(before: FlashSide, after: FlashSide) -> AdvicePoint | None:
    """What becomes of partition table, start-up command, start-up options and a pending LFS image."""
    old = before.page
    if before.size < _PAGE_END:
        reason = f"OLD ends at 0x{before.size:06x}: the page at 0x10000 was not read"
        return AdvicePoint(Topic.SETTINGS, AdviceVerdict.UNKNOWN, reason)
    records = {} if old is None else record_names(old)
    if old is None or old.table is None or not (old.table.resolved or len(records) > 1):
        return None  # one as the image has it holds nothing of the user's
    words = ", ".join(records.values())
    if not after.partitions or after.page is None:
        gone = "takes its place" if after.hit(PAGE_ADDRESS, _PAGE_END) else "does not look at it"
        reason = f"{words}: {after.name} has no such page at 0x10000, and {gone}"
        return AdvicePoint(Topic.SETTINGS, AdviceVerdict.LOST, reason)
    left = record_names(after.page)
    lost = [name for kind, name in records.items() if kind not in left and kind != nodemcu_page.TABLE]
    if lost:
        reason = f"{', '.join(lost)} and the partition table are replaced by those of the image"
        return AdvicePoint(Topic.SETTINGS, AdviceVerdict.LOST, reason)
    table = after.page.table
    if not after.hit(PAGE_ADDRESS, _PAGE_END):
        reason = f"{words}: the page at 0x10000 stays as it is"
    elif table == old.table:
        reason = f"{words}: the page at 0x10000 is carried over"
    elif table is not None and table.resolved:
        reason = f"{words}: carried over, with more room for irom in the partition table"
    else:
        reason = "the partition table is the image's own, and is resolved anew on the first boot"
        return AdvicePoint(Topic.SETTINGS, AdviceVerdict.CHANGED, reason)
    return AdvicePoint(Topic.SETTINGS, AdviceVerdict.KEPT, reason)


# What the SDK keeps of the network.


def wifi_point(before: FlashSide, after: FlashSide) -> AdvicePoint | None:
    """What becomes of the SDK's own parameters, and of a network in them."""
    one, two = (
        None if side.layout is None else side.layout.find(PartKind.SYSTEM_PARAM) for side in (before, after)
    )
    if one is None or two is None:
        return None
    network = not before.assumed and network_in(before.read, one.start)
    if after.hit(one.start, one.end):
        words = ", with a network in them," if network else ""
        reason = f"the SDK's parameters at 0x{one.start:06x}{words} are written over"
        verdict = AdviceVerdict.OVERWRITTEN if network else AdviceVerdict.REWRITTEN
        return AdvicePoint(Topic.WIFI, verdict, reason)
    if one.start != two.start:
        words = ", with a network in them," if network else ""
        again = ": set the network again" if network or before.assumed else ""
        reason = (
            f"the SDK's parameters{words} were at 0x{one.start:06x}, "
            f"and are looked for at 0x{two.start:06x}{again}"
        )
        return AdvicePoint(Topic.WIFI, AdviceVerdict.LOST if network else AdviceVerdict.MOVED, reason)
    reason = f"the SDK's parameters stay at 0x{one.start:06x}"
    if (
        before.firmware is not None
        and after.firmware is not None
        and before.firmware.sdk != after.firmware.sdk
    ):
        reason += "; whether another SDK takes them over is not documented"
    return AdvicePoint(Topic.WIFI, AdviceVerdict.KEPT, reason)


# Init data.


def init_data_points(before: FlashSide, after: FlashSide) -> list[AdvicePoint]:
    """What becomes of init data and RF calibration, and whether the SDK starts."""
    if KINDS[after.kind].compiled_in:
        reason = f"{after.name} has it compiled in, and uses none in the flash"
        return [AdvicePoint(Topic.INIT_DATA, AdviceVerdict.NONE, reason)]
    if after.layout is None:
        reason = Phrase("where the new firmware looks for it is not known: ", after.problem)
        return [AdvicePoint(Topic.INIT_DATA, AdviceVerdict.UNKNOWN, reason)]
    region = after.layout.find(PartKind.INIT_DATA)
    if region is None:
        return []
    if region.start + _BLOCK > after.size:
        reason = (
            f"OLD ends at 0x{after.size:06x}: what is at 0x{region.start:06x} was not read; "
            "when the image is flashed, imgtool looks there, and writes init data if there is none"
        )
        return [AdvicePoint(Topic.INIT_DATA, AdviceVerdict.UNKNOWN, reason)]
    points = [_init_data(before, after, region)]
    rf = after.layout.find(PartKind.RF_CAL)
    if rf is not None and after.hit(rf.start, rf.end):
        reason = f"0x{rf.start:06x} is written over or erased; the SDK calibrates anew"
        points.append(AdvicePoint(Topic.RF_CAL, AdviceVerdict.REWRITTEN, reason))
    return points


def _init_data(before: FlashSide, after: FlashSide, region: Region) -> AdvicePoint:
    block = after.read(region.start, _BLOCK)
    state = init_data_state(block)
    where = f"0x{region.start:06x}"
    old = None if before.layout is None else before.layout.find(PartKind.INIT_DATA)
    was = "" if old is None or old.start == region.start else f"; it was at 0x{old.start:06x}"
    if state == "valid":
        if not after.hit(region.start, region.end) or before.read(region.start, _BLOCK) == block:
            kept = f"{init_data_name(block)} at {where} stays{was}"
            return AdvicePoint(Topic.INIT_DATA, AdviceVerdict.KEPT, kept)
        written = f"{init_data_name(block)} is written to {where} with the image{was}"
        return AdvicePoint(Topic.INIT_DATA, AdviceVerdict.REWRITTEN, written)
    if block[0] == _MARKER:
        reason = f"what is at {where} begins like init data, and is none that imgtool knows"
        return AdvicePoint(Topic.INIT_DATA, AdviceVerdict.KEPT, reason)
    what = "nothing" if state == "blank" else f"something else (first byte 0x{block[0]:02x})"
    return _without(after, region, what)


def _without(after: FlashSide, region: Region, what: str) -> AdvicePoint:
    """What a firmware makes of a place for init data that holds none."""
    name, where = after.name, f"{what} is at 0x{region.start:06x}"
    loop = "its SDK stops with rf_cal[0] !=0x05, and restarts for ever"
    repair = init_data_repair(after.firmware, after.boot or None)
    verdict, reason = AdviceVerdict.BOOT_LOOP, f"{where}, and {name} writes none itself: {loop}"
    if repair is InitDataRepair.UNLESS_RECORDED:
        if _recorded(after):
            reason = f"{where}, and a record says that NodeMCU has set it up before: {loop}"
        else:
            verdict = AdviceVerdict.REWRITTEN
            reason = f"{where}: the first boot of {name} writes v05"
    elif repair is InitDataRepair.IF_ERASED and after.firmware is not None:
        erased = after.read(region.start, 4) == b"\xff" * 4
        code = 0 if after.header is None else after.header.size_freq_code >> 4
        if init_data_tested_at(after.firmware, code, region.start) != region.start:
            reason = f"{where}, and {name} tests another place on this flash size: {loop}"
        elif erased:
            verdict, reason = AdviceVerdict.REWRITTEN, f"{where}: the first boot of {name} writes its own"
        elif after.generation.needs_init_data:
            reason = f"{where}, and {name} repairs only erased flash: {loop}"
        else:
            verdict = AdviceVerdict.REWRITTEN
            reason = f"{where}; the SDK of {name} starts with a default of its own"
    elif repair is InitDataRepair.SDK_DEFAULT:
        verdict = AdviceVerdict.REWRITTEN
        reason = f"{where}; the SDK of {name} starts with a default of its own"
    elif repair is InitDataRepair.UNKNOWN or not after.nodemcu:
        verdict, reason = AdviceVerdict.UNKNOWN, f"{where}, and what {name} does about that is not known"
    return AdvicePoint(Topic.INIT_DATA, verdict, reason)


def _recorded(after: FlashSide) -> bool:
    return after.page is not None and any(r.id == nodemcu_page.PHY_DATA_DONE for r in after.page.records)


# Flash size.


def size_points(before: FlashSide, after: FlashSide) -> list[AdvicePoint]:
    """Whether the size that the new firmware will go by is that of the chip, and what follows if not."""
    if after.flash is None:
        return []
    stated, capacity = after.flash, after.capacity
    old = "" if before.flash is None or before.flash is stated else f"; OLD's said {before.flash.name}"
    header_words = f"the new header says {stated.name}{old}"
    point = AdvicePoint(Topic.FLASH_SIZE, AdviceVerdict.KEPT, f"{header_words}, as much as the chip has")
    if stated.bytes > capacity:
        reason = f"{header_words}, the chip has {capacity:,} bytes: reads behind the end return other sectors"
        point = AdvicePoint(Topic.FLASH_SIZE, AdviceVerdict.REFUSED, reason)
    elif stated.bytes < after.generation.sizes.least:
        reason = f"{header_words}: NodeMCU from 3.0 on does not start below 1MB"
        point = AdvicePoint(Topic.FLASH_SIZE, AdviceVerdict.REFUSED, reason)
    elif stated.bytes < capacity:
        reason = f"{header_words}, the chip has {capacity:,} bytes: the rest is not used"
        if after.generation.has_partition_table:
            reason += "; from 3.0 on NodeMCU never corrects that, and its table keeps the size for good"
        elif after.generation.sizes.corrects and capacity in after.generation.sizes.own.values():
            reason += f"; {after.name} puts a number of its own for the chip's size there, and restarts"
        elif after.nodemcu and capacity > after.generation.sizes.largest:
            reason += (
                "; NodeMCU before 2.1.0 does not know larger sizes (2.0.0 looks for files behind the "
                "stated size)"
            )
        elif after.nodemcu:
            reason += "; NodeMCU up to 2.2.1 may correct that itself, and then formats"
        point = AdvicePoint(Topic.FLASH_SIZE, AdviceVerdict.CHANGED, reason)
    elif old:
        point = AdvicePoint(Topic.FLASH_SIZE, AdviceVerdict.CHANGED, f"{header_words}; that is the chip's")
    return [point, *_room(after)]


def _room(after: FlashSide) -> list[AdvicePoint]:
    """Whether the firmware leaves the SDK its sectors."""
    regions = () if after.layout is None else after.layout.regions
    hit = next((r for r in regions if IROM_PLACE <= r.start < after.irom_end), None)
    if hit is None:
        return []
    reason = f"the firmware ends at 0x{after.irom_end:06x} and reaches into {hit.name} at 0x{hit.start:06x}"
    return [AdvicePoint(Topic.FLASH_SIZE, AdviceVerdict.REFUSED, reason)]
