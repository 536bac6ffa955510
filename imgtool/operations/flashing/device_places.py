"""The named places of the firmware that is on a device, and which init data it needs.

Asked of the device, by as few reads as will tell.  Not the places of a firmware that is written: those are
its layout's, see plan.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES
from imgtool.errors import BringsOwnError, LayoutError, StatedSizeError
from imgtool.formats.regions.init_data import SIZE as INIT_DATA_SIZE
from imgtool.layout.generations import GENERATIONS, generation_of
from imgtool.layout.nodemcu import resolve, table_regions
from imgtool.layout.regions import FlashLayout
from imgtool.layout.traits import InitDataRepair
from imgtool.operations.assemble.extras import (
    BY_FIRMWARE,
    DEFAULT_SET,
    InitDataSource,
    init_data_block,
)
from imgtool.operations.flashing.init_data import INIT_DATA, wants_init
from imgtool.operations.inspect.device_settings import (
    device_header,
    device_page,
    init_data_state,
    region_by_name,
    starts_eboot,
)
from imgtool.operations.inspect.sdk_sectors import rf_cal_state
from imgtool.operations.upgrade.look import firmware_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.layout.regions import Region
    from imgtool.layout.traits import Generation
    from imgtool.operations.assemble.pieces import Piece
    from imgtool.operations.flashing.draft import Device, Draft, PlanRequest
    from imgtool.operations.inspect.device_settings import Reader

__all__ = ["check_stated_size", "device_layout", "rf_cal_spared", "with_init_data_named"]

_REGIONS: Final = {"@rf-cal": "rf-cal", INIT_DATA: "init-data", "@spiffs": "filesystem"}
# What every firmware understands that is not of one week of builds: such a size needs no look at which it is.
_PLAIN_CODES: Final = frozenset.intersection(*(row.sizes.codes for row in GENERATIONS if row.builds is None))


def with_init_data_named(draft: Draft, request: PlanRequest, device: Device, *, alone: bool) -> PlanRequest:
    """The request, with its init data as a file for the named place, where it is one or comes alone.

    Args:
        draft: The plan, which says what was chosen.
        request: What is asked for.
        device: The device.
        alone: Whether no firmware is written: then the device tells the place.

    Raises:
        FormatError: The file is no init data, or a field cannot have its value.
        BringsOwnError: The firmware on the device needs none in the flash.
        LayoutError: Nothing tells what it needs.
    """
    source = request.init_data
    own = next((piece for name, piece in request.named if name == INIT_DATA), None)
    if source is None or not wants_init(request):
        return request
    if own is None and (not alone or source.choice in ("auto", "keep", "none")):
        return request
    if own is not None:
        source = InitDataSource("file", own, source.changes)
    elif source.choice == BY_FIRMWARE:
        source = replace(source, choice=_needed_set(draft, device))
    others = tuple(each for each in request.named if each[0] != INIT_DATA)
    return replace(request, named=(*others, (INIT_DATA, init_data_block(source))), init_data=None)


def _needed_set(draft: Draft, device: Device) -> str:
    """The published set that the firmware on the device needs in the flash."""
    read, capacity = _readable(device, "init data")
    place = region_by_name("init-data", read, capacity)[0]  # refuses what has no place for any
    row = _generation_on(read, capacity)
    if row.missing_init_data is InitDataRepair.COMPILED_IN:
        raise BringsOwnError(
            f"{row.name} is on the device: it has its init data compiled in, and reads none from the flash"
        )
    if row.own_places and init_data_state(read(place.start, INIT_DATA_SIZE)) != "valid":
        raise LayoutError(
            f"{row.name} is on the device: its own code sets the place of init data, and none is found",
            offset=place.start,
            expected="init data, where Espressif's examples have it",
        )
    draft.changes.append(f"init data {BY_FIRMWARE} is {DEFAULT_SET}: {row.name} is on the device")
    return DEFAULT_SET


def device_layout(named: Sequence[tuple[str, Piece]], device: Device) -> FlashLayout:
    """The named places of the firmware that is on the device.

    Args:
        named: What is to go there.
        device: The device.

    Raises:
        NoFirmwareError: There is none.
        StatedSizeError: The size in its header is none that the chip or the firmware can do with.
        BringsOwnError: It has compiled in what is to go there.
        LayoutError: Nothing tells where a place is.
    """
    read, capacity = _readable(device, named[0][1].name)
    header = device_header(read)
    flash = None if header is None else header.flash_size
    page = None if starts_eboot(read) else device_page(read)
    if page is not None and page[1].table is not None:
        table = page[1].table
        if INIT_DATA in {name for name, _ in named}:
            region_by_name("init-data", read, capacity)  # refuses a header that is of no use
        size = capacity if table.resolved or flash is None else flash.bytes
        regions = table_regions(resolve(table, size, 0))
    else:
        wanted = [_REGIONS[name] for name, _ in named if name in _REGIONS]
        wanted += ["rf-cal"] if "init-data" in wanted and "rf-cal" not in wanted else []
        found = [region_by_name(name, read, capacity) for name in wanted]
        regions = tuple(region for regions in found for region in regions[:1])
        if "rf-cal" in wanted:
            check_stated_size(read, capacity)
    if flash is None:
        flash = max((size for size in FLASH_SIZES if size.bytes <= capacity), key=lambda size: size.bytes)
    return FlashLayout(flash, regions, "the firmware on the device")


def rf_cal_spared(region: Region, device: Device) -> str | None:
    """Why the sector for RF calibration is not to be erased on a device whose firmware stays, in words.

    An SDK before 1.5.4.1 leaves that sector to the application.

    Args:
        region: Where it is.
        device: The device.

    Returns:
        None where it is to be erased, and no words where it is blank.
    """
    read, capacity = _readable(device, region.name)
    state = rf_cal_state(read(region.start, region.size), 0, region.size)
    if state.state == "blank":
        return ""
    if state.foreign is not None:
        return state.words
    if state.state == "unfamiliar":
        row = _generation_on(read, capacity)
        return None if row.keeps_rf_cal else f"{row.name} leaves it to the application"
    return None


def _readable(device: Device, what: str) -> tuple[Reader, int]:
    read, capacity = device.read, device.target.flash_bytes
    if read is None or capacity is None or device.erased:
        raise LayoutError(
            "no firmware is written, and that on the device cannot be asked where the named places are",
            source=what,
            expected="a firmware, or a device that can be read",
        )
    return read, capacity


def _generation_on(read: Reader, capacity: int) -> Generation:
    page = device_page(read)
    if page is not None and page[1].table is not None:
        return generation_of(None, paged=True)
    return generation_of(firmware_on(read, capacity))


def check_stated_size(read: Reader, capacity: int) -> None:
    """Refuse a size in the image header on a device by which its SDK does not find its sectors.

    Args:
        read: Reads the device.
        capacity: Bytes of its flash.

    Raises:
        StatedSizeError: The firmware on it cannot use that size.
    """
    header = device_header(read)
    flash = None if header is None else header.flash_size
    if flash is None or flash.code in _PLAIN_CODES:
        return
    row = _generation_on(read, capacity)
    if not row.has_partition_table and flash.code not in row.sizes.codes:
        usable = [
            size.name
            for size in FLASH_SIZES
            if size.code in row.sizes.codes and FLASH_SIZES[0].bytes < size.bytes <= capacity
        ]
        raise StatedSizeError(
            f"the image header on the device states a flash size that {row.name} cannot use: it looks for "
            "its sectors elsewhere",
            offset=3,
            expected=", ".join(usable),
            found=flash.name,
        )
