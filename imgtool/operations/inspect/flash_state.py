"""The state of a flash: which application starts, what its LFS holds, and what the SDK's sectors hold.

Sums up what the survey cut into parts (survey.py), one value a topic.  Not the parts, not the checks, and
never what the sectors hold of networks and passwords.  Where each rule is known from:
docs/formats/flash-dump.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from imgtool.chip import SECTOR
from imgtool.formats import fill
from imgtool.formats.reading import Finding, PartKind, Severity
from imgtool.formats.regions.protected_param import COPY_NAMES
from imgtool.layout.generations import generation_of
from imgtool.layout.traits import LfsPlace
from imgtool.operations.inspect.flash_slots import active_slot
from imgtool.operations.inspect.sdk_sectors import (
    RfCalState,
    init_data_state,
    rf_cal_state,
    system_param_state,
)

if TYPE_CHECKING:
    from imgtool.formats.reading import FileKind, Firmware, Part, Reading
    from imgtool.layout.regions import Region
    from imgtool.operations.inspect.flash_slots import ActiveSlot
    from imgtool.operations.inspect.sdk_sectors import InitDataState, SystemParamState

__all__ = ["FlashState", "LfsState", "flash_state", "state_findings"]

_NUMBER_TYPES: Final = ("float", "integer")


@dataclass(frozen=True, slots=True, kw_only=True)
class LfsState:
    """The Lua Flash Store of NodeMCU.

    Attributes:
        state: ``present``, ``empty``, ``interrupted`` (the firmware was stopped while it wrote the image),
            ``foreign`` (something else stands in its region), ``cut`` (its region lies behind the end of the
            file) or ``none`` (no LFS is seen).
        offset: Where it begins; None where there is none.
        lua: Lua version of the image.
        number_type: ``float`` or ``integer``; None for Lua 5.3, whose header does not say.
        packed: Whether values are packed, as is the default; None as above.
        used: Bytes of the image.
        region_size: Bytes of its region; None where nothing says so.
        fits_place: Whether its addresses are those of the place where it stands; None where nothing
            tells.
        fits_firmware: Whether its number type is that of the firmware; None where that does not say.
        words: What it is, for people.
    """

    state: Literal["present", "empty", "interrupted", "foreign", "cut", "none"]
    offset: int | None
    words: str
    region_size: int | None = None
    used: int = 0
    lua: str | None = None
    number_type: str | None = None
    packed: bool | None = None
    fits_place: bool | None = None
    fits_firmware: bool | None = None


@dataclass(frozen=True, slots=True)
class FlashState:
    """What a flash is set up for, a value for each topic; None where the firmware has no such thing.

    Attributes:
        active_slot: Which application starts.
        lfs: The Lua Flash Store of NodeMCU.
        init_data: The SDK's init data.
        rf_cal: Its RF calibration.
        system_param: Its parameters.
    """

    active_slot: ActiveSlot | None
    lfs: LfsState | None
    init_data: InitDataState | None
    rf_cal: RfCalState | None
    system_param: SystemParamState | None


def flash_state(
    data: bytes, kind: FileKind, reading: Reading, regions: tuple[Region, ...], firmware: Firmware | None
) -> FlashState:
    """The state of a surveyed flash.

    Args:
        data: The whole file, which begins at flash address 0.
        kind: What stands at its start.
        reading: What the survey made of the file.
        regions: What the firmware reserves, those that count first.
        firmware: Which firmware.
    """
    first = {region.kind: region for region in reversed(regions)}
    init, cal, params = (
        first.get(kind) for kind in (PartKind.INIT_DATA, PartKind.RF_CAL, PartKind.SYSTEM_PARAM)
    )
    system = None if params is None else system_param_state(data, params.start, params.end)
    return FlashState(
        active_slot(data, kind, reading),
        _lfs_state(data, reading, first.get(PartKind.LFS), firmware),
        None if init is None else init_data_state(data, init.start, init.end),
        _rf_cal_state(data, cal, firmware),
        system,
    )


def _rf_cal_state(data: bytes, region: Region | None, firmware: Firmware | None) -> RfCalState | None:
    state = None if region is None else rf_cal_state(data, region.start, region.end)
    if generation_of(firmware).keeps_rf_cal or (state is not None and state.state == "plausible"):
        return state
    return RfCalState("none", None, 0, "none: this SDK keeps no RF calibration in flash")


def state_findings(state: FlashState) -> tuple[Finding, ...]:
    """What of a state would keep the firmware from working as its owner expects."""
    findings = []
    active, lfs, system = state.active_slot, state.lfs, state.system_param
    if active is not None and active.nothing:
        message = f"nothing starts: {active.reason}"
        findings.append(Finding(Severity.WARNING, "nothing-starts", message))
    if lfs is not None and lfs.state == "present" and lfs.fits_place is False:
        message = f"the addresses in the LFS image are not those of 0x{lfs.offset:06x}, where it stands"
        findings.append(Finding(Severity.WARNING, "lfs-address", message, lfs.offset))
    if lfs is not None and lfs.state == "interrupted":
        message = "the firmware was interrupted while it wrote the LFS image"
        findings.append(Finding(Severity.WARNING, "lfs-unfinished", message, lfs.offset))
    if system is not None and system.state == "corrupt":
        message = f"system parameters: {system.words}"
        findings.append(Finding(Severity.WARNING, "system-param-corrupt", message, system.offset))
    if system is not None and system.state == "present":
        findings += _checksum_findings(system)
    return tuple(findings)


def _checksum_findings(system: SystemParamState) -> list[Finding]:
    """A copy of the parameters that the SDK does not take."""
    findings = []
    for number, right in enumerate(system.checksums):
        if right is False:
            name, live = COPY_NAMES[number], number == system.live
            then = "the SDK takes those that were saved before" if live else "the other one counts"
            message = f"the checksum of the {name} copy of the system parameters is wrong: {then}"
            place = system.offset + number * SECTOR
            findings.append(Finding(Severity.WARNING, "system-param-checksum", message, place))
    return findings


def _lfs_state(
    data: bytes, reading: Reading, region: Region | None, firmware: Firmware | None
) -> LfsState | None:
    if firmware is None:
        return None
    place = generation_of(firmware).lfs
    if place is LfsPlace.NONE and region is None:
        return None
    found = [part for part in reading.parts if part.kind is PartKind.LFS]
    if region is not None:
        inside = next((part for part in found if part.offset == region.start), None)
        return _in_region(data, region) if inside is None else _present(inside, region.size, firmware)
    stated = _stated_size(firmware)
    if found:
        return _present(found[0], stated, firmware)
    if place is LfsPlace.PARTITION:
        return LfsState(state="none", offset=None, words="the partition table has none")
    return _behind_irom(data, reading, stated) if place is LfsPlace.IN_IROM else None


def _present(part: Part, region_size: int | None, firmware: Firmware) -> LfsState:
    from imgtool.formats.containers.lfs import LfsHeader  # noqa: PLC0415 - few flashes have one

    used = f"{part.size:,} of {region_size:,} bytes" if region_size else f"{part.size:,} bytes"
    image = part.value
    if not isinstance(image, LfsHeader):
        return LfsState(
            state="present",
            offset=part.offset,
            words=f"Lua 5.3, {used}",
            region_size=region_size,
            used=part.size,
            lua="5.3",
        )
    lua, number_type = "5.1", image.number_type
    fits_place = image.stands_at(part.offset)
    built = firmware.details.get("build type")
    fits_firmware = built == number_type if built in _NUMBER_TYPES else None
    words = [f"Lua {lua}, {number_type}", "packed" if image.packed else "not packed", used]
    words.append("addresses fit" if fits_place else "its addresses are for another place")
    words += [] if fits_firmware is not False else [f"but the firmware is built with {built} numbers"]
    return LfsState(
        state="interrupted" if image.unfinished else "present",
        offset=part.offset,
        words=", ".join(words),
        region_size=region_size,
        used=part.size,
        lua=lua,
        number_type=number_type,
        packed=image.packed,
        fits_place=fits_place,
        fits_firmware=fits_firmware,
    )


def _in_region(data: bytes, region: Region) -> LfsState:
    """What a region without a readable image holds; the firmware takes the first word for the sign of one."""
    size, first = region.size, data[region.start : region.start + 4]
    if region.start >= len(data):
        return LfsState(
            state="cut", offset=region.start, words="behind the end of the file", region_size=size
        )
    if first in (b"\xff" * 4, bytes(4)):
        return LfsState(
            state="empty", offset=region.start, words=f"empty, {size:,} bytes reserved", region_size=size
        )
    return LfsState(
        state="foreign", offset=region.start, words=f"something else in its {size:,} bytes", region_size=size
    )


def _behind_irom(data: bytes, reading: Reading, stated: int | None) -> LfsState:
    """LFS of NodeMCU 2 without an image: zeros behind irom, or erased flash, which cannot be told apart."""
    irom = next((part for part in reversed(reading.parts) if part.kind is PartKind.IROM), None)
    start = 0 if irom is None else -(-irom.end // SECTOR) * SECTOR
    zeros = fill.run_end(data, start, len(data), 0) // SECTOR * SECTOR - start if irom is not None else 0
    if stated:
        return LfsState(
            state="empty",
            offset=start,
            words=f"empty, {stated:,} bytes reserved behind irom",
            region_size=stated,
        )
    if zeros > 0:
        words = f"empty, if the {zeros:,} zeros behind irom are its place"
        return LfsState(state="empty", offset=start, words=words, region_size=zeros)
    return LfsState(state="none", offset=None, words="no image is seen behind irom")


def _stated_size(firmware: Firmware) -> int | None:
    """The bytes that the banner states, None where it does not, or states none."""
    stated = re.match(r"0x([0-9a-fA-F]+)|(\d+)", firmware.details.get("LFS", ""))
    if stated is None:
        return None
    return (int(stated[1], 16) if stated[1] else int(stated[2])) or None
