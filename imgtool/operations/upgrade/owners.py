"""Whose the bytes of an old flash are: stretches with a name each, of which no two share a byte.

What the rules of files.py and regions.py judge by themselves is in it too, so that nothing is counted twice.
What comes of a write for these stretches is told by overwritten.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import FLASH_SIZES, SECTOR
from imgtool.formats import contents, fill
from imgtool.formats.reading import PartKind
from imgtool.formats.regions import rtos_partitions
from imgtool.formats.regions.init_data import SIZE as INIT_DATA_SIZE
from imgtool.formats.regions.init_data import InitData
from imgtool.formats.regions.nodemcu_page import PAGE_ADDRESS, PAGE_SIZE
from imgtool.formats.regions.system_param import is_structured, station
from imgtool.layout.regions import align_up
from imgtool.operations.inspect.device_settings import init_data_state
from imgtool.operations.inspect.sdk_sectors import rf_cal_state
from imgtool.operations.upgrade.files import in_use
from imgtool.operations.upgrade.old_firmware import partitions_of
from imgtool.operations.upgrade.ranges import FlashRange, common, without
from imgtool.operations.upgrade.values import LossKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.layout.regions import Region
    from imgtool.operations.inspect.device_settings import Reader, Remembered
    from imgtool.operations.upgrade.old_firmware import OldFirmware
    from imgtool.operations.upgrade.side import FlashSide

__all__ = ["Owned", "network_in", "owners"]

_HEAD: Final = 0x200  # bytes of a sector that tell what it holds; without a stub 4 KB take seconds
_ENDS: Final = tuple(dict.fromkeys(size.bytes for size in FLASH_SIZES))[1:]  # 256 KB has no place for it
_OWN_INIT_DATA: Final = "init data of the board's own"
_INIT_DATA_BEFORE: Final = 4 * SECTOR
_COPIES: Final = 2
_OTA, _PHY, _NVS, _NVS_KEYS = 0, 1, 2, 4  # subtypes of data partitions


class Owned(NamedTuple):
    """A stretch of an old flash.

    Attributes:
        start: Flash address.
        end: The address behind it.
        kind: What is lost with it; None where nothing of the user's is in it, or another rule judges it.
        name: What to call it.
    """

    start: int
    end: int
    kind: LossKind | None = None
    name: str = ""


def owners(
    side: FlashSide, read: Remembered, firmware: OldFirmware | None, touched: Sequence[FlashRange]
) -> tuple[Owned, ...]:
    """All that has a name in an old flash, in address order.

    Args:
        side: The flash, as far as it was looked at.
        read: Reads it.
        firmware: Where its firmware stands.
        touched: What is written or formatted: what lies elsewhere is not looked into.
    """
    taken: list[Owned] = []
    for each in _in_order_of_right(side, read, firmware, touched):
        cut = without([FlashRange(each.start, each.end)], [FlashRange(own.start, own.end) for own in taken])
        taken += [each._replace(start=start, end=end) for start, end in cut]
    return tuple(sorted(taken, key=lambda own: own.start))


def _in_order_of_right(
    side: FlashSide, read: Remembered, firmware: OldFirmware | None, touched: Sequence[FlashRange]
) -> Iterator[Owned]:
    """The stretches; where two overlap, the first one has the bytes."""
    main = in_use(side)
    if main is not None:
        yield Owned(main.start, main.end)
    lfs = side.lfs
    if lfs is not None and lfs.signature:
        yield Owned(lfs.start, lfs.start + lfs.size)
    if side.page is not None and side.page.table is not None:
        yield Owned(PAGE_ADDRESS, PAGE_ADDRESS + PAGE_SIZE)
    for region in () if side.layout is None else side.layout.regions:
        look = _LOOKS.get(region.kind)
        if look is not None:
            hit = common([FlashRange(region.start, region.end)], touched)
            yield look(region, read) if hit else Owned(region.start, region.end)
    yield from _by_rule(side, read)
    for start, end in () if firmware is None else firmware.stretches:
        yield Owned(start, align_up(end, SECTOR), LossKind.FIRMWARE)  # nobody has the rest of its last sector
    for each in side.filesystems:
        name = f"the {each.name} at 0x{each.start:06x}, which the firmware does not use"
        yield Owned(each.start, each.end, LossKind.UNKNOWN, name)


def _by_rule(side: FlashSide, read: Remembered) -> Iterator[Owned]:
    """What stands where SDKs have it, whatever the firmware is now."""
    for end in _ENDS:
        if end <= side.capacity:
            yield from _left_behind(read, end)
    for row in partitions_of(read):
        if row.type == rtos_partitions.DATA and row.offset + row.size <= side.capacity:
            yield _of_partition(row)


def _system(region: Region, read: Remembered) -> Owned:
    if network_in(read, region.start):
        return Owned(
            region.start, region.end, LossKind.SETTINGS, "the SDK's parameters, with a network in them,"
        )
    head = read(region.start, SECTOR if read.quick else _HEAD).ljust(SECTOR, b"\xff")
    kind = None if is_structured(head) or fill.is_fill(head, 0, SECTOR) else LossKind.UNKNOWN
    return Owned(region.start, region.end, kind, "what stands in the place of the SDK's parameters")


def _left_behind(read: Remembered, end: int) -> Iterator[Owned]:
    """Init data and RF calibration that a firmware has left that took the flash for another size."""
    at = end - _INIT_DATA_BEFORE
    block = read(at, INIT_DATA_SIZE)
    if init_data_state(block) != "valid":
        return
    own = InitData.parse(block).set_name is None
    yield Owned(at, at + SECTOR, LossKind.SETTINGS if own else None, _OWN_INIT_DATA)
    if rf_cal_state(read(at - SECTOR, _HEAD).ljust(SECTOR, b"\xff"), 0, SECTOR).foreign is None:
        yield Owned(at - SECTOR, at)


def _user_data(region: Region, _: Reader) -> Owned:
    return Owned(region.start, region.end, LossKind.SETTINGS, region.name)


def _init_data(region: Region, read: Reader) -> Owned:
    block = read(region.start, INIT_DATA_SIZE)
    state = init_data_state(block)
    if state == "other":
        return Owned(region.start, region.end, LossKind.UNKNOWN, "what stands in the place of init data")
    own = state == "valid" and InitData.parse(block).set_name is None
    return Owned(region.start, region.end, LossKind.SETTINGS if own else None, _OWN_INIT_DATA)


def _rf_cal(region: Region, read: Reader) -> Owned:
    """The SDK makes it anew; but some vendors keep text there, such as what identifies the device."""
    state = rf_cal_state(read(region.start, _HEAD).ljust(SECTOR, b"\xff"), 0, SECTOR)
    if state.foreign is None:
        return Owned(region.start, region.end)
    kind = LossKind.SETTINGS if state.foreign == contents.HintKind.TEXT else LossKind.UNKNOWN
    return Owned(region.start, region.end, kind, f"{state.foreign} in the place of RF calibration")


_LOOKS: Final = {
    PartKind.SYSTEM_PARAM: _system,
    PartKind.USER_DATA: _user_data,
    PartKind.INIT_DATA: _init_data,
    PartKind.RF_CAL: _rf_cal,
}
"""What a region holds by its kind; the places of files and LFS may hold anything."""


def network_in(read: Reader, start: int) -> bool:
    """Whether a network for the station stands in one of the copies of the SDK's parameters.

    Args:
        read: Reads the flash.
        start: Address of the first copy.
    """
    copies = (read(start + number * SECTOR, _HEAD).ljust(SECTOR, b"\xff") for number in range(_COPIES))
    return any(station(copy) is not None for copy in copies)


def _of_partition(row: rtos_partitions.Partition) -> Owned:
    """A data partition of an RTOS SDK."""
    name = f"the partition {row.label} ({row.kind})"
    kinds = {_NVS: LossKind.SETTINGS, _NVS_KEYS: LossKind.SETTINGS, _OTA: None, _PHY: None}
    return Owned(row.offset, row.offset + row.size, kinds.get(row.subtype, LossKind.UNKNOWN), name)
