"""The layout of a firmware on a flash size, and the flash size for a firmware on a chip.

Addresses come from the flash size and the generation of the firmware, never from the file that is looked at,
except that NodeMCU 3.0 and later carry a partition table.  The rules and where they are known from:
docs/flash-layouts.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES, SECTOR
from imgtool.errors import LayoutError
from imgtool.formats.reading import Finding, Severity
from imgtool.formats.regions.nodemcu_page import PAGE_ADDRESS
from imgtool.layout.generations import generation_of
from imgtool.layout.nodemcu import resolve, table_regions
from imgtool.layout.regions import FlashLayout, Region

if TYPE_CHECKING:
    from imgtool.chip import FlashSize
    from imgtool.formats.reading import Firmware
    from imgtool.formats.regions.nodemcu_page import PartitionTable
    from imgtool.layout.traits import Generation, Uncertainty

__all__ = ["kept_regions", "layout_for", "size_findings", "size_for"]

_NO_LAYOUT: Final = "256KB"


def kept_regions(row: Generation, end: int) -> tuple[Region, ...]:
    """What a generation keeps in front of flash address ``end``."""
    return tuple(
        Region(each.kind, end - each.from_end * SECTOR, each.sectors * SECTOR, each.name) for each in row.kept
    )


def layout_for(
    flash: FlashSize, firmware: Firmware | None, table: PartitionTable | None, irom_end: int
) -> FlashLayout:
    """The layout of a flash that holds a non-OS SDK firmware.

    Args:
        flash: The size, which the firmware will read from the image header.
        firmware: Which firmware it is; None where its strings do not tell.
        table: Its partition table, for NodeMCU >= 3.0.
        irom_end: Flash address behind its irom part.

    Raises:
        LayoutError: The firmware cannot work on this size, or imgtool knows no layout for it.
    """
    row = generation_of(firmware, paged=table is not None)
    if row.starts_behind_eboot:
        row = generation_of(None)  # nothing starts a sketch here: its strings are left of an older firmware
    name = _name(firmware)
    if flash.name == _NO_LAYOUT:
        raise LayoutError(
            "a 256KB flash has no room for the SDK's own sectors, and no SDK defines a place for them",
            expected="512KB or more",
            found=flash.name,
        )
    if flash.bytes < row.sizes.least and table is not None:
        raise LayoutError(
            f"{name} does not start on this flash: NodeMCU 3.0 and later need 1MB",
            expected="1MB or more",
            found=flash.name,
        )
    if table is not None:
        regions = table_regions(resolve(table, flash.bytes, irom_end))
        state = "partition table" if table.resolved else "partition table as its first boot will resolve it"
        return FlashLayout(flash, regions, f"NodeMCU's {state}")
    if row.has_partition_table:
        raise LayoutError(
            f"{name} should carry a partition table at 0x10000, and there is none", offset=PAGE_ADDRESS
        )
    if flash.code in row.sizes.own:
        raise LayoutError(
            f"{name} numbers the flash sizes in a way of its own and would take {flash.name} for another",
            expected=_names(row.sizes.codes),
            found=flash.name,
        )
    return FlashLayout(flash, kept_regions(row, flash.bytes), row.rule, size_findings(flash, firmware))


def size_for(
    capacity: int,
    stated: FlashSize | None,
    firmware: Firmware | None,
    table: PartitionTable | None = None,
) -> FlashSize | None:
    """The flash size that a firmware is to be told on a chip: the largest that fits and that it understands.

    A map with OTA slots of 1 MB (``-c1``) stays one with such slots.

    Args:
        capacity: Bytes of the chip's flash.
        stated: What its header states; None where that has no meaning.
        firmware: Which firmware it is.
        table: Its partition table, for NodeMCU >= 3.0.

    Returns:
        None where no size will do.
    """
    large_slots = stated is not None and stated.name.endswith("-c1")
    sizes = generation_of(firmware, paged=table is not None).sizes
    least = 0 if table is None else sizes.least
    fitting = [
        size
        for size in FLASH_SIZES
        if least <= size.bytes <= capacity
        and size.code in sizes.codes
        and (size.ota_slot == stated.ota_slot if large_slots and stated else not size.name.endswith("-c1"))
    ]
    return max(fitting, key=lambda size: size.bytes, default=None)


def size_findings(flash: FlashSize, firmware: Firmware | None) -> tuple[Finding, ...]:
    """What is uncertain about a firmware on a flash size."""
    row = generation_of(firmware)
    others = None if flash.code in row.sizes.codes else row.sizes.others
    return tuple(_finding(each, firmware, flash) for each in (others, row.uncertain) if each is not None)


def _finding(what: Uncertainty, firmware: Firmware | None, flash: FlashSize) -> Finding:
    return Finding(Severity.WARNING, what.code, what.words.format(name=_name(firmware), size=flash.name))


def _names(codes: frozenset[int]) -> str:
    """The sizes of some nibbles in words, smallest first, that imgtool has a layout for."""
    names = [size.name for size in FLASH_SIZES if size.code in codes and size.name != _NO_LAYOUT]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _name(firmware: Firmware | None) -> str:
    return "the firmware" if firmware is None else f"{firmware.name} {firmware.version or ''}".strip()
