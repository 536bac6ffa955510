"""Which application of a flash starts: the slots of its boot loader, and how sure that is.

Rules, one for each boot loader, over the parts that were found.  Not the boot loader's own checks of an
image: of those only the sums are known.  Where each rule is known from: docs/formats/flash-dump.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Final, Literal

from imgtool.chip import SECTOR
from imgtool.formats.contents import Hint, HintKind
from imgtool.formats.kinds import KINDS, Starter
from imgtool.formats.reading import FileKind, PartKind
from imgtool.operations.inspect.sdk_sectors import boot_fields_of

if TYPE_CHECKING:
    from imgtool.formats.reading import FileKind, Part, Reading
    from imgtool.formats.regions.rtos_partitions import Partition
    from imgtool.operations.inspect.sdk_sectors import SystemParamState

__all__ = ["ActiveSlot", "Slot", "active_slot"]

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
_RBOOT_DEFAULT: Final = 0x2000
_RBOOT_GPIO, _RBOOT_TEMPORARY = 0x01, 0x02


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
        name: The slot that starts; None where that is not known.
        offset: Its flash address.
        certainty: ``known``, ``likely`` or ``not known``.
        reason: Why, for people.
        slots: All places that the boot loader knows.
        staged: Flash address of an update that lies ready, for Arduino; None where none does.
    """

    scheme: Literal["none", "espressif", "rboot", "otadata", "eboot"]
    name: str | None = None
    offset: int | None = None
    certainty: Certainty = "not known"
    reason: str
    slots: tuple[Slot, ...] = ()
    staged: int | None = None


def active_slot(
    data: bytes, kind: FileKind, reading: Reading, params: SystemParamState | None
) -> ActiveSlot | None:
    """Which application of a surveyed flash starts, None where there is none.

    Args:
        data: The whole flash.
        kind: What stands at its start.
        reading: What the survey made of it.
        params: The SDK's parameters, where it has any.
    """
    starter = KINDS[kind].brings
    if starter is Starter.SDK:
        return _espressif(data, reading, params)
    if starter is Starter.RBOOT:
        return _rboot(data, reading)
    if starter is Starter.RTOS:
        return _otadata(data, reading)
    if starter is Starter.EBOOT:
        return _eboot(data, reading)
    if starter is Starter.ROM:
        slot = _slot(data, reading, "firmware", 0)
        return ActiveSlot(
            scheme="none",
            name="firmware",
            offset=0,
            certainty="known",
            reason="one firmware, no slots",
            slots=(slot,),
        )
    return None


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


def _of(
    scheme: Literal["espressif", "rboot", "otadata"],
    slot: Slot,
    certainty: Certainty,
    reason: str,
    slots: tuple[Slot, ...],
) -> ActiveSlot:
    return ActiveSlot(
        scheme=scheme, name=slot.name, offset=slot.offset, certainty=certainty, reason=reason, slots=slots
    )


def _espressif(data: bytes, reading: Reading, params: SystemParamState | None) -> ActiveSlot:
    stated = None if reading.header is None else reading.header.flash_size
    second = 0 if stated is None else stated.ota_slot
    places = [("user1", _USER1)] + ([("user2", second + _USER1)] if second else [])
    slots = tuple(_slot(data, reading, name, offset) for name, offset in places)
    with_image = [slot for slot in slots if slot.state in ("whole", "damaged")]
    whole = [slot for slot in with_image if slot.state == "whole"]
    cut = any(slot.state == "cut" for slot in slots)
    if not with_image:
        return ActiveSlot(scheme="espressif", reason="no slot holds an image", slots=slots)
    if len(with_image) == 1 and not cut:
        reason = "the only slot with an image" + ("" if whole else ", which is damaged")
        return _of("espressif", with_image[0], "likely", reason, slots)
    if len(whole) == 1 and not cut:
        return _of("espressif", whole[0], "likely", "the other slot's image is damaged", slots)
    fields = None if params is None else boot_fields_of(data, params)
    named = None if fields is None or fields.slot > len(slots) else slots[fields.slot - 1]
    if named is None:
        reason = "both slots hold an image, and no parameters say which one starts"
        return ActiveSlot(scheme="espressif", reason=reason, slots=slots)
    if named.state == "empty":
        reason = f"the parameters name {named.name}, which holds no image"
        return ActiveSlot(scheme="espressif", reason=reason, slots=slots)
    reason = "by the SDK's unpublished parameters"
    return _of("espressif", named, "likely", reason, slots)


def _rboot(data: bytes, reading: Reading) -> ActiveSlot:
    from imgtool.formats.regions.rboot_config import RbootConfig  # noqa: PLC0415 - rBoot alone

    config = next((part.value for part in reading.parts if part.kind is PartKind.RBOOT_CONFIG), None)
    if not isinstance(config, RbootConfig):
        slot = _slot(data, reading, "ROM 0", _RBOOT_DEFAULT)
        return _of("rboot", slot, "likely", "no configuration: rBoot writes its default", (slot,))
    slots = tuple(_slot(data, reading, f"ROM {number}", rom) for number, rom in enumerate(config.used))
    current = config.current_rom
    if current >= len(slots) or any(
        f.code in ("rboot-config", "checksum")
        and f.severity == "error"
        and _USER1 <= (f.offset or 0) < _USER1 + SECTOR
        for f in reading.findings
    ):
        return ActiveSlot(scheme="rboot", reason="rBoot's configuration is not valid", slots=slots)
    chosen, counted = slots[current], f"the configuration names ROM {current} of {len(slots)}"
    if chosen.state in ("empty", "damaged"):
        what = "no image" if chosen.state == "empty" else "a damaged image"
        return ActiveSlot(scheme="rboot", reason=f"{counted}, which holds {what}", slots=slots)
    if config.mode & _RBOOT_GPIO:
        reason = f"{counted}; a pin at reset selects ROM {config.gpio_rom}"
        return _of("rboot", chosen, "likely", reason, slots)
    if config.mode & _RBOOT_TEMPORARY:
        return _of("rboot", chosen, "likely", f"{counted}; a program may choose another for once", slots)
    return _of("rboot", chosen, "known", counted, slots)


def _otadata(data: bytes, reading: Reading) -> ActiveSlot | None:
    from imgtool.formats.regions import rtos_partitions  # noqa: PLC0415 - RTOS SDK alone

    table = next((part.value for part in reading.parts if part.kind is PartKind.PARTITION_TABLE), None)
    if not isinstance(table, rtos_partitions.RtosPartitionTable) or not table.partitions:
        return ActiveSlot(scheme="otadata", reason="no partition table can be read")
    apps = [row for row in table.partitions if row.type == rtos_partitions.APP]
    slots = tuple(_slot(data, reading, row.label, row.offset) for row in apps)
    pairs = list(zip(apps, slots, strict=True))
    ota = [slot for row, slot in sorted(pairs, key=lambda pair: pair[0].subtype) if row.is_ota]
    factory = next((slot for row, slot in pairs if row.subtype == 0), None)
    place = next(
        (row for row in table.partitions if (row.type, row.subtype) == (rtos_partitions.DATA, 0)), None
    )
    first = factory or (ota[0] if ota else None)
    if first is None:
        return ActiveSlot(scheme="otadata", reason="the table has no application", slots=slots)
    if place is None:
        return _of("otadata", first, "known", "the table has no partition that would choose", slots)
    return _chosen(data, place, ota, first, slots)


def _chosen(
    data: bytes, place: Partition, ota: list[Slot], first: Slot, slots: tuple[Slot, ...]
) -> ActiveSlot:
    """The slot that the partition ``otadata`` names."""
    from imgtool.formats.regions import rtos_otadata  # noqa: PLC0415 - RTOS SDK alone

    chosen = rtos_otadata.OtaData.parse(data, place.offset)
    number = chosen.slot(len(ota))
    if number is not None:
        reason = f"{place.label} has update {chosen.newest} in force"
        return _of("otadata", ota[number], "known", reason, slots)
    if chosen.empty and place.offset < len(data):
        return _of("otadata", first, "known", f"{place.label} is empty: never updated", slots)
    reason = f"{place.label} has no valid entry"
    if place.offset >= len(data):
        reason = f"{place.label}, which chooses, lies behind the end of the file"
    return ActiveSlot(scheme="otadata", reason=reason, slots=slots)


def _eboot(data: bytes, reading: Reading) -> ActiveSlot:
    slot = _slot(data, reading, "sketch", _USER1)
    staged = next((part.offset for part in reading.parts if part.offset > _USER1 and _is_update(part)), None)
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


def _is_update(part: Part) -> bool:
    """Whether a part is a second eboot, with which each sketch for an update begins, or a packed one."""
    packed = isinstance(part.value, Hint) and part.value.kind is HintKind.GZIP
    return packed or part.kind is PartKind.BOOTLOADER
