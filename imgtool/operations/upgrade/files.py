"""What becomes of the file system in an upgrade, and how long its formatting takes.

Rules over the flash before and after; which release looks where: :mod:`imgtool.layout`.  Where they are known
from: docs/how-to/upgrade.md; nobody has seen them on silicon for this project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.formats.reading import PartKind
from imgtool.layout.file_places import filesystem_made, filesystem_places, filesystem_start, spiffs_block
from imgtool.layout.file_room import no_room
from imgtool.layout.first_boot import format_seconds, spiffs_formula
from imgtool.layout.regions import align_up
from imgtool.operations.upgrade.mount import mounted, probed, room_at
from imgtool.operations.upgrade.side import FoundFileSystem
from imgtool.operations.upgrade.values import AdvicePoint, AdviceVerdict, Topic
from imgtool.phrase import Phrase
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from imgtool.operations.upgrade.side import FlashSide

__all__ = ["file_points", "in_use", "magics_taken"]

_SECTOR: Final = 0x1000
_SDK_SECTORS: Final = 5 * _SECTOR
_FORMULA_WORDS: Final = {
    "old": "the old magics",
    "linear": "the linear magics",
    "constant": "the same magic in each block",
    "none": "no magics",
}


def in_use(side: FlashSide) -> FoundFileSystem | None:
    """The file system that the firmware works with now; None where it has none that imgtool knows."""
    if not side.filesystems:
        return None
    if side.generation.without_magics:
        return next((each for each in side.filesystems if each.formula == "none"), None)
    if side.nodemcu:
        found = mounted(side, spiffs_formula(side.firmware, side.boot))
        if found is not None:
            return next((each for each in side.filesystems if each.start == found.start), found)
    return max(side.filesystems, key=lambda each: each.size)


def file_points(before: FlashSide, after: FlashSide, *, made: bool) -> list[AdvicePoint]:
    """The points about files.

    Args:
        before: The flash as it is.
        after: The flash with the new firmware.
        made: Whether the new image brings a file system of its own to the place where it looks.
    """
    main = in_use(before)
    found, formatted = _fate(before, after, main, made=made)
    points = [found]
    # One that the one in use is the end of was formatted together with it.
    stale = [
        each
        for each in before.filesystems
        if main is not None and each.start != main.start and each.end != main.end
    ]
    if stale:
        places = ", ".join(f"0x{each.start:06x}" for each in stale)
        what = "another one begins" if len(stale) == 1 else "others begin"
        reason = (
            f"{what} at {places}; a firmware that looks there first mounts it in place of the one in use, "
            "until the flash is erased"
        )
        points.append(AdvicePoint(Topic.STALE_FILES, AdviceVerdict.KEPT, reason))
    return points + _first_start(after) if formatted or after.generation.without_magics else points


def _first_start(after: FlashSide) -> list[AdvicePoint]:
    """What comes of the first start of a firmware that mounts nothing."""
    reason = _lacks_room(after)
    if reason:
        return [AdvicePoint(Topic.FILE_ROOM, AdviceVerdict.MISSING, reason)]
    return [] if after.generation.without_magics else _formatting(after)


def _lacks_room(side: FlashSide) -> str:
    """Why a firmware that mounts nothing can keep no file; empty where it can, or that is not known."""
    if side.layout is None:
        return ""
    return no_room(side.layout, side.firmware, side.irom_end, capacity=side.capacity)


def _formatting(after: FlashSide) -> list[AdvicePoint]:
    region = _new_place(after)
    if region is None:
        reason = "it formats a file system and is silent meanwhile; how long depends on the size"
        return [AdvicePoint(Topic.FIRST_BOOT, AdviceVerdict.CHANGED, reason)]
    typical, most = format_seconds(region.size)
    reason = (
        f"it formats {region.where} and is silent for about {typical:.0f} s "
        f"(up to {most:.0f} s): modelled, 45 ms and at most 400 ms a sector; do not reset it meanwhile"
    )
    return [AdvicePoint(Topic.FIRST_BOOT, AdviceVerdict.CHANGED, reason)]


def _new_place(after: FlashSide) -> FoundFileSystem | None:
    if after.layout is None:
        return None
    region = filesystem_made(after.layout, after.firmware, after.irom_end)
    if region is None:
        return None
    return FoundFileSystem(PartKind.SPIFFS, region.start, region.size)


def _point(verdict: AdviceVerdict, reason: str) -> AdvicePoint:
    return AdvicePoint(Topic.FILES, verdict, reason)


def _fate(
    before: FlashSide, after: FlashSide, main: FoundFileSystem | None, *, made: bool
) -> tuple[AdvicePoint, bool]:
    """What becomes of the files, and whether the first boot formats."""
    unseen = _unseen(before) if main is None else ""
    if not after.nodemcu:
        return _point(AdviceVerdict.UNKNOWN, unseen) if unseen else _foreign(before, after, main), False
    if after.layout is None:
        reason = Phrase("where the new firmware looks for them is not known: ", after.problem)
        return _point(AdviceVerdict.UNKNOWN, reason), False
    if unseen:
        # What an image's chip holds is not known; that the new firmware finds none of its own is.
        blank = before.size == before.capacity and not after.generation.without_magics
        return _point(AdviceVerdict.UNKNOWN, unseen), blank
    if after.generation.without_magics:
        return _without_magics(before, after, main), False
    return _with_magics(before, after, main, made=made)


def _unseen(before: FlashSide) -> str:
    """Why it is not known whether the old flash holds files, where none were found; empty if it is."""
    if before.size < before.capacity - _SDK_SECTORS:
        return (
            f"OLD ends at 0x{before.size:06x} and the flash at 0x{before.capacity:06x}: "
            "what lies between was not read, and file systems lie there"
        )
    if before.assumed and not before.generation.without_magics:
        return "OLD is an image, which does not show whether its chip holds files: a dump of it does"
    if before.firmware is not None and before.generation.files_in_fat:
        return f"{before.name} may keep files in a FAT volume, which imgtool does not read"
    return ""


def _foreign(before: FlashSide, after: FlashSide, main: FoundFileSystem | None) -> AdvicePoint:
    if main is None:
        return _point(AdviceVerdict.NONE, "no file system that imgtool knows is in the old flash")
    if after.hit(main.start, main.end):
        return _overwritten(after, main)
    if before.nodemcu:
        reason = (
            f"the {main.name} at {main.where} stays as bytes, but {after.name} does not look for files of "
            "NodeMCU"
        )
        return _point(AdviceVerdict.LOST, reason)
    reason = (
        f"the {main.name} at {main.where} is not overwritten; whether {after.name} takes it over depends on "
        "settings of its build, which no file shows"
    )
    return _point(AdviceVerdict.UNKNOWN, reason)


def _overwritten(after: FlashSide, main: FoundFileSystem) -> AdvicePoint:
    count = sum(max(0, min(b, main.end) - max(a, main.start)) for a, b in after.written)
    reason = f"{in_bytes(count)} of the {main.name} at {main.where} are written over"
    if after.irom_end > main.start:
        reason += f": the new firmware ends at 0x{after.irom_end:06x}"
    return _point(AdviceVerdict.OVERWRITTEN, reason)


# NodeMCU before 1.5.4.1.


def _without_magics(before: FlashSide, after: FlashSide, main: FoundFileSystem | None) -> AdvicePoint:
    """What becomes of files under a release without magics: it never formats, and takes what is there."""
    if main is None and not (before.generation.without_magics and before.assumed):
        new = _new_place(after)
        where = "" if new is None else f" at {new.where}"
        reason = f"OLD has no files; {after.name} takes what is{where} for its own, and never formats"
        return _point(AdviceVerdict.NONE, reason)
    if main is not None and after.hit(main.start, main.end):
        return _overwritten(after, main)
    if main is not None and not before.generation.without_magics:
        return _unreadable(after, main)
    return _within_old(before, after, main)


def _unreadable(after: FlashSide, main: FoundFileSystem) -> AdvicePoint:
    """Files of a later release, under one without magics."""
    new = _new_place(after)
    reason = (
        f"{after.name} has no magics in its SPIFFS and another page layout: it does not read the {main.name} "
        f"at {main.where}"
    )
    if new is not None and new.start < main.end and main.start < new.end:
        reason += (
            f", takes what is at {new.where} for its own, and shows files under wrong names: file.format() "
            "clears that"
        )
    return _point(AdviceVerdict.LOST, reason)


def _within_old(before: FlashSide, after: FlashSide, main: FoundFileSystem | None) -> AdvicePoint:
    """Files of a release without magics, under another one."""
    new = _new_place(after)
    start = None if main is None else main.start
    if start is None and before.layout is not None:
        start = filesystem_start(before.layout, before.firmware, align_up(before.irom_end, _SECTOR))
    if start is None or before.layout is None or after.layout is None:
        return _point(AdviceVerdict.UNKNOWN, "where the file system begins is not known")
    if after.irom_end > start:
        lost = FoundFileSystem(PartKind.SPIFFS, start, before.layout.flash.bytes - 4 * _SECTOR - start)
        return _overwritten(after, lost)
    if new is None:
        return _point(AdviceVerdict.LOST, f"it was at 0x{start:06x}; {after.name} has no room for files")
    if start == new.start:
        return _at_the_same_place(before, after, start, new.end)
    reason = (
        f"it was at 0x{start:06x}; {after.name} takes what is at {new.where} for its own, and finds every "
        "page at a wrong place: file.format() clears that"
    )
    return _point(AdviceVerdict.LOST, reason)


def _at_the_same_place(before: FlashSide, after: FlashSide, start: int, end: int) -> AdvicePoint:
    old, new = before.generation.files, after.generation.files
    if old is not None and new is not None and old.pages != new.pages:
        reason = f"both releases have it at 0x{start:06x}, but {after.name} has another page layout"
        return _point(AdviceVerdict.LOST, f"{reason}: files show under wrong names")
    was = 0 if before.layout is None else before.layout.flash.bytes
    now = 0 if after.layout is None else after.layout.flash.bytes
    if now < was:
        reason = (
            f"both releases have it at 0x{start:06x}, but the flash size in the header is a smaller one: "
            f"what lies behind 0x{end:06x} is lost"
        )
        return _point(AdviceVerdict.LOST, reason)
    size = "the same flash size" if now == was else "a larger flash size, which adds room"
    return _point(AdviceVerdict.KEPT, f"both releases have it at 0x{start:06x}, to the end of {size}")


# NodeMCU from 1.5.4.1 on.


def _with_magics(
    before: FlashSide, after: FlashSide, main: FoundFileSystem | None, *, made: bool
) -> tuple[AdvicePoint, bool]:
    formula = magics_taken(before, after, main)
    found = mounted(after, formula)
    if made and found is not None and after.hit(found.start, found.end):
        verdict = AdviceVerdict.OVERWRITTEN if main is not None else AdviceVerdict.NONE
        return _point(verdict, f"the new image brings a file system of its own, at {found.where}"), False
    if (before.generation.without_magics and before.assumed) if main is None else main.formula == "none":
        return _old_to_new(before, after, main), True
    if main is None:
        point = _out_of_nothing(after, found, formula)
    elif after.hit(main.start, main.end):
        point = _rest_of(after, main, found, formula)
    elif after.partitions:
        return _in_partition(after, main, found)
    elif found is None:
        point = _not_found(after, main, formula)
    else:
        point = _same_as_before(before, after, main, found) or _found(after, main, found, formula)
    return point, found is None


def magics_taken(before: FlashSide, after: FlashSide, main: FoundFileSystem | None) -> str | None:
    """The formula of the new firmware; the same build takes what it has made, where nothing else tells.

    Args:
        before: The flash as it is.
        after: The flash with the new firmware.
        main: The file system in use.
    """
    formula = spiffs_formula(after.firmware, after.boot)
    same = after.firmware is not None and after.firmware.build and after.firmware == before.firmware
    return main.formula or None if formula is None and same and main is not None else formula


def _out_of_nothing(after: FlashSide, found: FoundFileSystem | None, formula: str | None) -> AdvicePoint:
    if found is None:
        return _point(AdviceVerdict.NONE, "no file system that imgtool knows is in the old flash")
    if formula is None:
        reason = f"the {found.name} at {found.where} is found by some builds of {after.name}"
        return _point(AdviceVerdict.UNKNOWN, f"{reason}; the others format")
    return _point(AdviceVerdict.KEPT, f"the {found.name} at {found.where} is found")


def _rest_of(
    after: FlashSide, main: FoundFileSystem, found: FoundFileSystem | None, formula: str | None
) -> AdvicePoint:
    """The file system in use was written over, and what is left of it may be mounted."""
    point = _overwritten(after, main)
    if found is None or not main.start < found.start < main.end:
        return point
    who = "is" if formula else f"by some builds of {after.name} is"
    reason = (
        f"{point.reason}; what is left from 0x{found.start:06x} on looks like a file system, and {who} "
        "mounted with files that are empty or broken: file.format() clears that"
    )
    if formula is None:
        reason += "; the others format"
    return _point(AdviceVerdict.OVERWRITTEN, reason)


def _same_as_before(
    before: FlashSide, after: FlashSide, main: FoundFileSystem, found: FoundFileSystem
) -> AdvicePoint | None:
    """Both firmwares mount the same, though it is inside of the one that is found first in the flash."""
    if not before.nodemcu:
        return None
    now = mounted(before, spiffs_formula(before.firmware, before.boot))
    if now is None or not now.start == found.start != main.start:
        return None
    reason = f"what {before.name} mounts at 0x{now.start:06x} is found there by {after.name} too"
    return _point(AdviceVerdict.KEPT, reason)


def _old_to_new(before: FlashSide, after: FlashSide, main: FoundFileSystem | None) -> AdvicePoint:
    old = main or _new_place(before)  # where a release before magics would make it, it looks for it
    where = "" if old is None else f" at {old.where}"
    reason = f"{after.name} cannot read the SPIFFS of {before.name}{where}, which has no magics: it formats"
    new = _new_place(after)
    return _point(AdviceVerdict.FORMATTED, reason + ("" if new is None else f" {new.where}"))


def _in_partition(
    after: FlashSide, main: FoundFileSystem, found: FoundFileSystem | None
) -> tuple[AdvicePoint, bool]:
    region = None if after.layout is None else after.layout.find(PartKind.SPIFFS)
    if after.layout is None or region is None:
        return _point(AdviceVerdict.LOST, "the new partition table has no SPIFFS"), True
    block = spiffs_block(after.layout, region.size)
    was = f"the {main.name} is at {main.where}"
    there = f"the SPIFFS partition is at 0x{region.start:06x}, {region.size:,} bytes"
    made = filesystem_made(after.layout, after.firmware, after.irom_end)
    room = region.size if made is None else made.size
    why = ""
    if main.start != region.start:
        why = "and only what begins there is mounted"
    elif main.kind is not PartKind.SPIFFS:
        why = "and what begins there is no SPIFFS"
    elif main.block != block:
        why = f"with blocks of {block} bytes, the old ones have {main.block}"
    elif main.formula != "linear":
        words = _FORMULA_WORDS.get(main.formula, "other magics")
        why = f"and it has {words}, which 3.0 does not know"
    elif main.size > room:
        why = f"with room for {room:,} bytes: the old one is larger, gets too few blocks, and is not mounted"
    if found is not None and found.start != main.start:
        inside = "inside it" if main.start < found.start < main.end else "on a stale one"
        reason = f"{was}; {there}, {inside}, and what begins there is mounted: files show as empty or broken"
        return _point(AdviceVerdict.LOST, reason), False
    if why:
        return _point(AdviceVerdict.FORMATTED, f"{was}; {there}, {why}"), True
    return _point(AdviceVerdict.KEPT, f"{was}, where the SPIFFS partition begins, and fits"), False


def _not_found(after: FlashSide, main: FoundFileSystem, formula: str | None) -> AdvicePoint:
    layout = after.layout
    places = (
        () if layout is None else filesystem_places(layout, after.firmware, align_up(after.irom_end, _SECTOR))
    )
    hit = probed(after, formula)
    if main.kind is not PartKind.SPIFFS:
        why = f"{after.name} reads SPIFFS alone, and {main.name} is at {main.where}"
    elif formula is not None and main.formula != formula:
        why = (
            f"the SPIFFS at {main.where} has {_FORMULA_WORDS[main.formula]}, "
            f"{after.name} takes {_FORMULA_WORDS[formula]} alone"
        )
    elif hit is not None and hit.start == main.start:
        why = f"the SPIFFS is at {main.where}, but {_refused(after, hit)}, and is not mounted"
    elif hit is not None:
        why = (
            f"the SPIFFS is at {main.where}, but {after.name} finds a stale one at 0x{hit.start:06x} first: "
            f"{_refused(after, hit)}, and is not mounted"
        )
    elif main.start in places:
        why = f"the SPIFFS at {main.where} has blocks of {main.block} bytes; {after.name} looks for others"
    else:
        first, last = (min(places), max(places)) if places else (0, 0)
        why = (
            f"the SPIFFS is at {main.where}; {after.name} ends at 0x{after.irom_end:06x} and looks at "
            f"{len(places)} places from 0x{first:06x} to 0x{last:06x}, not there"
        )
    new = _new_place(after)
    return _point(AdviceVerdict.FORMATTED, why + ("" if new is None else f": it makes one at {new.where}"))


def _refused(after: FlashSide, hit: FoundFileSystem) -> str:
    """Why a mount does not accept what was probed."""
    room = room_at(after, hit.start).get(hit.block, 0)
    if hit.size > room:
        return f"it has {hit.size:,} bytes where there is room for {room:,}"
    return "not all of its blocks have their magics"


def _found(
    after: FlashSide, main: FoundFileSystem, found: FoundFileSystem, formula: str | None
) -> AdvicePoint:
    if formula is None:
        reason = (
            f"the SPIFFS at {main.where} has {_FORMULA_WORDS.get(main.formula, 'magics')}; some releases of "
            f"{after.name} take these, and some do not"
        )
        return _point(AdviceVerdict.UNKNOWN, reason)
    if main.start < found.start < main.end:
        reason = (
            f"the SPIFFS is at {main.where}, but {after.name} first looks at 0x{found.start:06x}, inside it, "
            "and takes that for one: files show as empty or broken"
        )
        return _point(AdviceVerdict.LOST, reason)
    if found.start + found.block == main.start:
        reason = (
            f"the SPIFFS is at {main.where}; {after.name} first looks at 0x{found.start:06x}, takes the "
            "erased block there for its first one, and finds every page at a wrong place"
        )
        return _point(AdviceVerdict.LOST, reason)
    if found.start != main.start:
        reason = (
            f"{after.name} finds a stale SPIFFS at 0x{found.start:06x} first and mounts that; "
            f"the one in use, at {main.where}, stays as bytes"
        )
        return _point(AdviceVerdict.LOST, reason)
    reason = f"the SPIFFS at {main.where} is at a place where {after.name} looks, with its magics"
    return _point(AdviceVerdict.KEPT, reason)
