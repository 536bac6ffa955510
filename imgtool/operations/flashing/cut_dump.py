"""A dump that is only a part of a flash: whether what is missing keeps the firmware in it from working.

The SDK goes by the size in the image header, and so does this.  Not damage inside of the file, which is
checks.py's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from imgtool.errors import PartOfFlashError
from imgtool.formats.reading import Finding, PartKind, Severity
from imgtool.formats.regions.init_data import SIZE as INIT_DATA_SIZE
from imgtool.formats.regions.nodemcu_page import PartitionTable
from imgtool.formats.regions.rtos_partitions import DATA, RtosPartitionTable
from imgtool.layout.nodemcu import table_regions
from imgtool.operations.flashing.checks import waive
from imgtool.operations.inspect.device_settings import init_data_state
from imgtool.operations.inspect.survey import init_data_cure
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.operations.flashing.checks import FlashContent
    from imgtool.operations.flashing.draft import Device
    from imgtool.operations.inspect.describe import Description

__all__ = ["check_cut"]


def check_cut(content: FlashContent, device: Device, force: frozenset[str]) -> list[Finding]:
    """Refuse a part of a flash without what its firmware needs; say of any other that it is one.

    Args:
        content: What is written.
        device: The device: init data that it has already need not be in the file.
        force: The checks that are waived.

    Raises:
        PartOfFlashError: Check ``damaged``: the slot that would start, init data or partitions are missing.
    """
    whole = next((description for piece, description in content.pieces if piece.address == 0), None)
    if whole is None or whole.state is None or whole.header is None:
        return []
    stated = whole.header.flash_size
    if stated is None or stated.bytes <= whole.size:
        return []
    missing = _slots(whole)
    if content.dump:
        missing += [*_init_data(whole, device), *_partitions(whole)]
    others = [piece for piece, _ in content.pieces if piece.address]
    missing = [each for each in missing if not any(p.address <= each.start < p.end for p in others)]
    if missing:
        error = PartOfFlashError(
            f"this is only a part of a flash: {_listed(missing)} not in it",
            source=content.name,
            expected=f"all {in_bytes(stated.bytes)} of the {stated.name} in its header",
            found=in_bytes(whole.size),
        )
        return [waive(error, "damaged", force)]
    if not content.dump:
        return []
    message = (
        f"this is only a part of a flash, {in_bytes(whole.size)} of the {stated.name} in its header: "
        "all that starts is in it, and what lay behind it is not"
    )
    return [Finding(Severity.WARNING, "cut-dump", message, whole.size)]


class _Missing(NamedTuple):
    """Something behind the end of a file: where it begins, and what it is."""

    start: int
    words: str


def _slots(dump: Description) -> list[_Missing]:
    """The slots that would start, if they lie behind the end of the file."""
    active = None if dump.state is None else dump.state.active_slot
    if active is None or active.name is not None:
        return []
    inside = any(slot.state in ("whole", "damaged") for slot in active.slots)
    return [
        _Missing(slot.offset, f"{slot.name} (0x{slot.offset:06x})")
        for slot in active.slots
        if slot.state == "cut" and (not inside or slot.offset == active.behind)
    ]


def _init_data(dump: Description, device: Device) -> list[_Missing]:
    """Init data behind the end of the file, if nobody writes any, and the device has none there."""
    state = None if dump.state is None else dump.state.init_data
    if state is None or state.state != "cut" or init_data_cure(dump.firmware, blank=True) is not None:
        return []
    capacity = device.target.flash_bytes or 0
    seen = device.read is not None and not device.erased and state.offset < capacity
    block = device.read(state.offset, INIT_DATA_SIZE) if seen and device.read is not None else b""
    if init_data_state(block) == "valid":
        return []
    return [_Missing(state.offset, f"init data (0x{state.offset:06x})")]


def _partitions(dump: Description) -> list[_Missing]:
    """Partitions of data that are not, or not as a whole, in the file; the SDK makes its parameters anew."""
    value = next((part.value for part in dump.parts if part.kind is PartKind.PARTITION_TABLE), None)
    if isinstance(value, RtosPartitionTable):
        rows = [(row.label, row.offset, row.size) for row in value.partitions if row.type == DATA]
    elif isinstance(value, PartitionTable) and value.resolved:
        regions = (each for each in table_regions(value) if each.kind is not PartKind.SYSTEM_PARAM)
        rows = [(region.name, region.start, region.size) for region in regions]
    else:
        return []
    return [
        _Missing(start, f"{name} (0x{start:06x} to 0x{start + size - 1:06x})")
        for name, start, size in rows
        if start + size > dump.size
    ]


def _listed(missing: Sequence[_Missing]) -> str:
    """What is missing in words, with the verb behind it."""
    words = [each.words for each in missing]
    return f"{words[0]} is" if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]} are"
