"""Which application of a flash starts: the slots of its boot loader, and how sure that is.

Rules, one for each boot loader, over the parts that were found; Espressif's own has its in sdk_loader.py.
Whether a loader takes an image is asked of loader_checks.py, and not of the state of a slot: loaders look at
less.  Where each rule is known from: docs/formats/flash-dump.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from imgtool.chip import SECTOR
from imgtool.formats import fill
from imgtool.formats.contents import Hint, HintKind
from imgtool.formats.images import version1
from imgtool.formats.kinds import KINDS, Starter
from imgtool.formats.reading import PartKind
from imgtool.operations.inspect.loader_checks import Refusal, refusal_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from imgtool.formats.reading import FileKind, Part, Reading
    from imgtool.formats.regions.rtos_partitions import Partition

__all__ = ["ActiveSlot", "Slot", "active_slot"]

Scheme = Literal["none", "espressif", "rboot", "otadata", "eboot"]
Certainty = Literal["known", "likely", "not known"]

_IMAGE: Final = (
    PartKind.IMAGE_V2,
    PartKind.IROM,
    PartKind.IMAGE_V1,
    PartKind.CRC_TAIL,
    PartKind.APP,
    PartKind.SHA256_TAIL,
    PartKind.LENGTH_CRC_WORDS,
)
_STARTS: Final = (PartKind.IMAGE_V2, PartKind.IMAGE_V1, PartKind.APP)
_USER1: Final = 0x1000
_LINE: Final = 16


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for an application.

    Attributes:
        name: ``user1``, ``ROM 0``, ``ota_0``, ``factory``, ``sketch``, ``firmware``.
        offset: Its flash address.
        state: ``whole`` (its checks hold), ``damaged``, ``empty`` (no image is there) or ``cut`` (behind the
            end of the file).
    """

    name: str
    offset: int
    state: Literal["whole", "damaged", "empty", "cut"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveSlot:
    """Which application starts.

    Attributes:
        scheme: Who decides: ``none`` (one firmware, which the boot ROM starts), ``espressif``, ``rboot``,
            ``otadata`` or ``eboot``.
        name: The slot that runs in the end; None where nothing does, or that is not known.
        offset: Its flash address.
        certainty: ``known``, ``likely`` or ``not known``.
        reason: Why, for people.
        slots: All places that the boot loader knows.
        staged: Flash address of an update that lies ready, for Arduino; None where none does.
        behind: Flash address of the slot that it would start and that lies behind the end of the file.
    """

    scheme: Scheme
    name: str | None = None
    offset: int | None = None
    certainty: Certainty = "not known"
    reason: str
    slots: tuple[Slot, ...] = ()
    staged: int | None = None
    behind: int | None = None

    @property
    def nothing(self) -> bool:
        """Whether no application runs in the end."""
        return self.name is None and self.certainty != "not known"


def active_slot(data: bytes, kind: FileKind, reading: Reading) -> ActiveSlot | None:
    """Which application of a surveyed flash starts, None where there is none.

    Args:
        data: The whole flash.
        kind: What stands at its start.
        reading: What the survey made of it.
    """
    starter = KINDS[kind].brings
    rule = _RULES.get(starter) if starter is not None else None
    active = None if rule is None else rule(data, reading)
    if active is None or not reading.parts:
        return active
    check = reading.parts[0].checksum
    # The boot ROM has such a look at the image for 0 itself.
    if data[0] != version1.MAGIC:
        reason = "the image at 0 has a wrong first byte, and the boot ROM does not start it"
    elif check is not None and not check.ok:
        reason = "the image at 0 has a wrong checksum, and the boot ROM does not start it"
    else:
        return active
    return replace(active, name=None, offset=None, certainty="known", reason=reason)


def _slot(data: bytes, reading: Reading, name: str, offset: int) -> Slot:
    """The image that begins at a flash address, by the parts and findings there."""
    if offset >= len(data):
        return Slot(name, offset, "cut")
    index = next((n for n, part in enumerate(reading.parts) if part.offset == offset), None)
    if index is None or reading.parts[index].kind not in _STARTS:
        return Slot(name, offset, "empty")
    run = [reading.parts[index], *takewhile(_continues, reading.parts[index + 1 :])]
    checks = [part.checksum.ok for part in run if part.checksum is not None]
    end = run[-1].end
    wrong = any(f.severity == "error" and offset <= (f.offset or 0) < end for f in reading.findings)
    return Slot(name, offset, "whole" if checks and all(checks) and not wrong else "damaged")


def _continues(part: Part) -> bool:
    """Whether a part belongs to the image before it; another one begins at a sector."""
    begins = part.kind in (PartKind.IMAGE_V2, PartKind.APP) and part.offset % SECTOR == 0
    return part.kind in _IMAGE and not begins


def _of(scheme: Scheme, slot: Slot, certainty: Certainty, reason: str, slots: tuple[Slot, ...]) -> ActiveSlot:
    if slot.state == "damaged":
        reason += "; it is damaged where the boot loader does not look"
    return ActiveSlot(
        scheme=scheme, name=slot.name, offset=slot.offset, certainty=certainty, reason=reason, slots=slots
    )


def _firmware(data: bytes, reading: Reading) -> ActiveSlot:
    slot = _slot(data, reading, "firmware", 0)
    return ActiveSlot(
        scheme="none",
        name="firmware",
        offset=0,
        certainty="known",
        reason="one firmware, no slots",
        slots=(slot,),
    )


def _espressif(data: bytes, reading: Reading) -> ActiveSlot:
    from imgtool.formats.images import sdk_bootloader  # noqa: PLC0415 - Espressif's loader alone
    from imgtool.operations.inspect.sdk_loader import loader_choice  # noqa: PLC0415

    version = sdk_bootloader.version_of(data, reading.parts[0].end)
    choice = loader_choice(data, version or "")
    slots = tuple(_slot(data, reading, place.name, place.offset) for place in choice.places)
    started = next((slot for slot in slots if choice.starts and slot.offset == choice.starts.offset), None)
    if started is not None:
        return _of("espressif", started, choice.certainty, choice.reason, slots)
    return ActiveSlot(scheme="espressif", certainty=choice.certainty, reason=choice.reason, slots=slots)


class _Found(NamedTuple):
    """The first slot of some that a loader takes, None for none; and what was wrong with those before it.

    Attributes:
        slot: That one.
        before: In words; empty where there were none.
        certainty: ``not known`` where one of them lies behind the end of the file.
        behind: Flash address of that one.
    """

    slot: Slot | None
    before: str
    certainty: Certainty = "known"
    behind: int | None = None


def _first(
    data: bytes, order: Sequence[Slot], *, version_2: bool, rooms: Mapping[int, int] | None = None
) -> _Found:
    refused: list[str] = []
    certainty: Certainty = "known"
    for slot in order:
        if slot.state == "cut":
            reason = f"{slot.name} lies behind the end of the file"
            return _Found(None, reason, "not known", slot.offset)
        room = None if rooms is None else rooms[slot.offset]
        refusal = (
            refusal_of(data, slot.offset, version_2=version_2, room=room) if slot.offset else Refusal.MISSING
        )
        if refusal is None:
            return _Found(slot, ", ".join(refused), certainty)
        if refusal is Refusal.BROKEN:  # of which loaders may make more than of other damage
            certainty = "likely"
        refused.append(f"{slot.name} {refusal}")
    return _Found(None, ", ".join(refused), certainty)


def _rboot(data: bytes, reading: Reading) -> ActiveSlot:
    """The ROM that the configuration names, or the next one below it that is whole; below 0 is the last."""
    from imgtool.operations.inspect.rboot_choice import rom_choice  # noqa: PLC0415 - rBoot alone

    choice = rom_choice(data, reading)
    slots = tuple(_slot(data, reading, f"ROM {number}", rom) for number, rom in enumerate(choice.roms))
    if choice.first is None:
        return ActiveSlot(scheme="rboot", reason=choice.why, slots=slots)
    first, why = choice.first, choice.why
    if first >= len(slots):
        first, why = 0, f"{why}, so rBoot takes ROM 0"
    found = _first(data, [slots[first - step] for step in range(len(slots))], version_2=True)
    # The second place of the default differs with the build.
    sure: Certainty = "likely" if found.before and choice.default else "known"
    if found.slot is None or found.certainty == "not known":
        known = found.certainty if found.certainty != "known" else sure
        reason = found.before if known == "not known" else f"{found.before}, and rBoot knows no other"
        return ActiveSlot(scheme="rboot", certainty=known, reason=reason, slots=slots, behind=found.behind)
    reason = f"{found.before}; {why}" if found.before else why
    if choice.doubt:
        return _of("rboot", found.slot, "likely", f"{reason}; {choice.doubt}", slots)
    if choice.reach is not None and found.slot.offset >= choice.reach:
        reason = f"{reason}; this build of rBoot maps the first MB alone, so its code in flash does not run"
        return _of("rboot", found.slot, "likely", reason, slots)
    return _of("rboot", found.slot, found.certainty if found.certainty != "known" else sure, reason, slots)


def _otadata(data: bytes, reading: Reading) -> ActiveSlot:
    """The first application that the boot loader takes, of those that it tries."""
    from imgtool.formats.regions import rtos_partitions  # noqa: PLC0415 - RTOS SDK alone
    from imgtool.operations.inspect.rtos_choice import rtos_choice  # noqa: PLC0415

    table = next((part.value for part in reading.parts if part.kind is PartKind.PARTITION_TABLE), None)
    if not isinstance(table, rtos_partitions.RtosPartitionTable):
        return ActiveSlot(scheme="otadata", reason="no partition table can be read")
    apps = [row for row in table.partitions if row.type == rtos_partitions.APP]
    slots = {row: _slot(data, reading, row.label, row.offset) for row in apps}
    choice = rtos_choice(data, table)
    places, why = tuple(slots.values()), choice.reason
    if not choice.order:
        return ActiveSlot(scheme="otadata", certainty=choice.certainty, reason=why, slots=places)
    rooms = {row.offset: row.size for row in apps}
    found = _first(data, [slots[row] for row in choice.order], version_2=False, rooms=rooms)
    if found.slot is None:
        reason = found.before
        if found.certainty != "not known":
            reason = f"{reason}, and there is no other application"
        return ActiveSlot(
            scheme="otadata", certainty=found.certainty, reason=reason, slots=places, behind=found.behind
        )
    reason = f"{found.before}; {why}" if found.before else why
    row = next(row for row in apps if row.offset == found.slot.offset)
    return _rtos_start(data, _of("otadata", found.slot, found.certainty, reason, places), row)


def _rtos_start(data: bytes, taken: ActiveSlot, row: Partition) -> ActiveSlot:
    """What comes of the application that the boot loader takes: it may hang on it all the same."""
    from imgtool.formats.images.rtos_bootloader import loader_of  # noqa: PLC0415 - RTOS SDK alone
    from imgtool.layout import rtos_slots  # noqa: PLC0415

    loader = loader_of(data)
    app = rtos_slots.application_at(data, row.offset, row.offset)
    if app is None:
        return taken
    hangs = rtos_slots.hangs_on(app, loader)
    if hangs:
        reason = f"{row.label} at 0x{row.offset:06x} has its turn, but {hangs}; {taken.reason}"
        return replace(taken, name=None, offset=None, reason=reason)
    if rtos_slots.runs_at(app.linked, app.offset, loader, copied=row.slot == 1):
        return taken
    return replace(taken, reason=f"{taken.reason}; it is linked for another address, and cannot run there")


def _eboot(data: bytes, reading: Reading) -> ActiveSlot:
    slot = _slot(data, reading, "sketch", _USER1)
    staged = next((part.offset for part in reading.parts if part.offset > _USER1 and _is_update(part)), None)
    if len(data) > _USER1 and fill.is_fill(data, _USER1, min(_USER1 + _LINE, len(data)), data[_USER1]):
        reason = "no sketch is at 0x1000, and eboot jumps to where nothing is"
        return ActiveSlot(scheme="eboot", certainty="known", reason=reason, slots=(slot,), staged=staged)
    reason = "one sketch, no slots"
    if staged is not None:
        reason += "; what eboot is to copy is kept in RAM alone, and lost with the power"
    return ActiveSlot(
        scheme="eboot",
        name=slot.name,
        offset=slot.offset,
        certainty="known",
        reason=reason,
        slots=(slot,),
        staged=staged,
    )


_RULES: Final[Mapping[Starter, Callable[[bytes, Reading], ActiveSlot]]] = {
    Starter.SDK: _espressif,
    Starter.RBOOT: _rboot,
    Starter.RTOS: _otadata,
    Starter.EBOOT: _eboot,
    Starter.ROM: _firmware,
}


def _is_update(part: Part) -> bool:
    """Whether a part is a second eboot, with which each sketch for an update begins, or a packed one."""
    packed = isinstance(part.value, Hint) and part.value.kind is HintKind.GZIP
    return packed or part.kind is PartKind.BOOTLOADER
