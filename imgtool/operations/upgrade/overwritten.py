"""What of an old flash a write hits that has no rule of its own: another firmware, settings, unknown data.

Files, LFS, NodeMCU's settings and the SDK's parameters have rules, in files.py and regions.py.  Whose the
bytes are is told by owners.py; here they are laid against the ranges that a write changes, and the first boot
formats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import SECTOR
from imgtool.formats.filesystems.littlefs import superblock_at
from imgtool.formats.firmware import names_itself, same_application
from imgtool.formats.kinds import Starter
from imgtool.layout.generations import generation_of
from imgtool.operations.inspect.device_settings import remembered
from imgtool.operations.upgrade.old_firmware import firmware_of, name_of
from imgtool.operations.upgrade.owners import owners
from imgtool.operations.upgrade.ranges import FlashRange, common, joined, near, used, without
from imgtool.operations.upgrade.values import AdviceVerdict, Loss, LossKind
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.formats.reading import Firmware
    from imgtool.operations.inspect.device_settings import Remembered
    from imgtool.operations.upgrade.old_firmware import OldFirmware
    from imgtool.operations.upgrade.owners import Owned
    from imgtool.operations.upgrade.side import FlashSide

__all__ = ["Coming", "others_hit"]

_SAMPLE: Final = 16  # bytes at the start of a sector
_UNKNOWN: Final = "unknown data"
_LITTLEFS: Final = slice(8, 16)
_JUMPS: Final = (0xE9, 0xEB)
_FAT_MARK: Final = b"\x55\xaa"
_FAT_MARK_AT: Final = 510

_STARTED_BY: Final = {
    Starter.EBOOT: "an Arduino sketch",
    Starter.RTOS: "an application of the RTOS SDK",
    Starter.RBOOT: "an application behind rBoot",
    Starter.SDK: "an application behind Espressif's boot loader",
    Starter.ROM: "a firmware that imgtool does not know",
}


class Coming(NamedTuple):
    """What comes.

    Attributes:
        firmware: Which firmware; None where its strings do not say.
        starter: Who starts it; None where that stays as it is.
        whole: Whether it is a firmware, and not half of one, or data.
        name: What to call it.
        written: The stretches that change.
        formatted: The stretch that the first boot formats; None where it formats none.
        erased: Whether the old content is erased altogether.
    """

    firmware: Firmware | None
    starter: Starter | None
    whole: bool
    name: str
    written: tuple[tuple[int, int], ...]
    formatted: tuple[int, int] | None = None
    erased: bool = False


def others_hit(before: FlashSide, coming: Coming) -> tuple[Loss, ...]:
    """What of an old flash is lost that no other rule judges.

    Args:
        before: The flash as it is.
        coming: What is written, and what comes of it.
    """
    read = remembered(before.read)
    firmware = firmware_of(before, read, before.capacity)
    written = joined(FlashRange(*each) for each in coming.written)
    made = joined(() if coming.formatted is None else (FlashRange(*coming.formatted),))
    owned = owners(before, read, firmware, joined((*written, *made)))
    losses = [*_firmware_lost(before, read, firmware, owned, written, coming)]
    losses += _settings_lost(read, owned, written, AdviceVerdict.OVERWRITTEN)
    losses += _settings_lost(read, owned, without(made, written), AdviceVerdict.FORMATTED)
    named = [FlashRange(each.start, each.end) for each in owned if each.kind is not LossKind.UNKNOWN]
    known = [each for each in owned if each.kind is LossKind.UNKNOWN and each.name]
    losses += _unknown_lost(read, without(written, named), known, AdviceVerdict.OVERWRITTEN)
    elsewhere = without(without(made, written), named)
    losses += _unknown_lost(read, elsewhere, known, AdviceVerdict.FORMATTED)
    return tuple(losses)


# The firmware.


def _firmware_lost(
    before: FlashSide,
    read: Remembered,
    firmware: OldFirmware | None,
    owned: Sequence[Owned],
    written: Sequence[FlashRange],
    coming: Coming,
) -> Iterator[Loss]:
    code = [FlashRange(each.start, each.end) for each in owned if each.kind is LossKind.FIRMWARE]
    hit = common(code, written)
    if firmware is None or not hit:
        return
    other = _is_another(before, read, firmware, coming)
    if other is None:
        return
    size = firmware.size
    what = f"{other} at 0x{code[0].start:06x}, {in_bytes(size)}"
    if coming.erased and not coming.whole:
        reason = f"{what}, is erased"
    elif coming.whole:
        reason = f"{what}, is another firmware than {coming.name}, which takes its place"
    else:
        count = sum(each.size for each in hit)
        reason = f"{in_bytes(min(count, size))} of {what}, are written over"
    yield Loss(
        kind=LossKind.FIRMWARE,
        name=other,
        start=code[0].start,
        size=size,
        verdict=AdviceVerdict.OVERWRITTEN,
        reason=reason,
    )


def _is_another(before: FlashSide, read: Remembered, firmware: OldFirmware, coming: Coming) -> str | None:
    """What to call the old firmware if it is another one than what comes; None where it may be the same."""
    if coming.whole and before.generation.is_nodemcu and _is_nodemcu_here(before, firmware):
        if generation_of(coming.firmware).is_nodemcu:
            return None
        return before.firmware.name if before.firmware is not None else "NodeMCU"
    old = name_of(firmware, before, read, coming.firmware)
    called = _STARTED_BY[firmware.starter]
    if old is not None and names_itself(old):
        called = f"{old.name} {old.version or ''}".strip()
    if not coming.whole:
        return called
    same = same_application(old, coming.firmware)
    starters_differ = coming.starter is not None and coming.starter is not firmware.starter
    if same is None:
        return called if starters_differ else None
    if same or (old is None and not read.quick and not starters_differ):
        return None
    return called


def _is_nodemcu_here(before: FlashSide, firmware: OldFirmware) -> bool:
    """Whether what it has left says that it is NodeMCU: its page, or a file system of its generation."""
    return firmware.starter is Starter.ROM and (
        before.firmware is not None or before.era is not None or before.partitions
    )


# Settings.


def _settings_lost(
    read: Remembered, owned: Sequence[Owned], hit: Sequence[FlashRange], verdict: AdviceVerdict
) -> Iterator[Loss]:
    for each in owned:
        if each.kind is not LossKind.SETTINGS or not common([FlashRange(each.start, each.end)], hit):
            continue
        found = used(read, [FlashRange(each.start, each.end)])
        size = sum(part.size for part in found)
        if size:
            verb = "are written over" if verdict is AdviceVerdict.OVERWRITTEN else "are formatted"
            yield Loss(
                kind=LossKind.SETTINGS,
                name=each.name,
                start=each.start,
                size=size,
                verdict=verdict,
                reason=f"{in_bytes(size)} of {each.name} at 0x{each.start:06x} {verb}",
            )


# What nobody knows.


def _unknown_lost(
    read: Remembered,
    places: Sequence[FlashRange],
    known: Sequence[Owned],
    verdict: AdviceVerdict,
) -> Iterator[Loss]:
    found = used(read, places)
    for each in known:
        mine = common([FlashRange(each.start, each.end)], found)
        if mine:
            yield _unknown(mine, each.name, verdict)
    rest = without(found, [FlashRange(each.start, each.end) for each in known])
    for group in near(rest):
        files = next(filter(None, (_files_at(read, each.start) for each in group)), None)
        if files is None:
            yield _unknown(group, _UNKNOWN, verdict)
        else:
            yield _of_files(group, files, verdict)


def _unknown(group: Sequence[FlashRange], name: str, verdict: AdviceVerdict) -> Loss:
    size = sum(each.size for each in group)
    what = f"{in_bytes(size)} of {name}"
    start, end = group[0].start, group[-1].end
    verb = "are written over" if verdict is AdviceVerdict.OVERWRITTEN else "are formatted by the first boot"
    return Loss(
        kind=LossKind.UNKNOWN,
        name=name,
        start=start,
        size=size,
        verdict=verdict,
        reason=f"{what} between 0x{start:06x} and 0x{end:06x} {verb}",
    )


def _of_files(group: Sequence[FlashRange], name: str, verdict: AdviceVerdict) -> Loss:
    size = sum(each.size for each in group)
    verb = "are written over" if verdict is AdviceVerdict.OVERWRITTEN else "are formatted by the first boot"
    return Loss(
        kind=LossKind.FILES,
        name=name,
        start=group[0].start,
        size=size,
        verdict=verdict,
        reason=f"{in_bytes(size)} of the {name} at 0x{group[0].start:06x} {verb}",
    )


def _files_at(read: Remembered, start: int) -> str | None:
    """The file system that begins at a sector, of those that stand anywhere: LittleFS, FAT; None for none."""
    head = read(start, _SAMPLE)
    if head[_LITTLEFS] == b"littlefs" and superblock_at(read(start, SECTOR)) is not None:
        return "LittleFS"
    if head[0] in _JUMPS and read(start + _FAT_MARK_AT, len(_FAT_MARK)) == _FAT_MARK:
        return "FAT volume"
    return None
