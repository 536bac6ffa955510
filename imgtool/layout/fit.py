"""The layout of a firmware on a flash size, and the flash size for a firmware on a chip.

Addresses come from the flash size and the generation of the firmware, never from the file that is looked at,
except that NodeMCU 3.0 and later carry a partition table.  The rules and where they are known from:
docs/flash-layouts.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES, SECTOR, flash_size_of_code
from imgtool.errors import LayoutError
from imgtool.formats.reading import Finding, Severity
from imgtool.formats.regions.nodemcu_page import PAGE_ADDRESS
from imgtool.layout.generations import BUILT_SIZES, generation_of
from imgtool.layout.nodemcu import resolve, table_regions
from imgtool.layout.regions import FlashLayout, Region

if TYPE_CHECKING:
    from imgtool.chip import FlashSize
    from imgtool.formats.kinds import Starter
    from imgtool.formats.reading import Firmware
    from imgtool.formats.regions.nodemcu_page import PartitionTable
    from imgtool.layout.traits import BuiltSize, Generation, Uncertainty

__all__ = ["built_size", "kept_regions", "layout_for", "size_findings", "size_for", "told_findings"]

_NO_LAYOUT: Final = "256KB"
_SIZE_OFFSET: Final = 3


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
        and size.code in sizes.sure
        and (size.ota_slot == stated.ota_slot if large_slots and stated else not size.name.endswith("-c1"))
    ]
    if sizes.beyond is not None and capacity > sizes.largest:
        return flash_size_of_code(sizes.beyond)
    return max(fitting, key=lambda size: size.bytes, default=None)


def built_size(firmware: Firmware | None, starter: Starter | None = None) -> BuiltSize | None:
    """That the size in a header is the one that what it starts is built for; None where every size will do.

    Args:
        firmware: Which firmware.
        starter: What the image at 0 starts it with; a boot loader's rule goes before the firmware's.
    """
    by_starter = None if starter is None else BUILT_SIZES.get(starter)
    return generation_of(firmware).sizes.built if by_starter is None else by_starter


def told_findings(
    flash: FlashSize, stated: FlashSize | None, firmware: Firmware | None, starter: Starter | None = None
) -> tuple[Finding, ...]:
    """What a firmware makes of a flash size that it is told in its header.

    Args:
        flash: The size.
        stated: What its header stated before; the same where that stays.
        firmware: Which firmware.
        starter: What the image at 0 starts it with.
    """
    findings = [*_unusable(flash, firmware)]
    built = built_size(firmware, starter)
    if built is not None and stated is not None and flash.code != stated.code:
        harmful = flash.bytes <= stated.bytes or built.larger
        if harmful:
            message = (
                f"the header said {stated.name}, and is told {flash.name}: {built.why}, and with another "
                f"{built.otherwise}. Leave {stated.name} unless the build is for {flash.name}"
            )
            findings.append(Finding(Severity.WARNING, "size-not-built-for", message, _SIZE_OFFSET))
    return tuple(findings)


def size_findings(flash: FlashSize, firmware: Firmware | None) -> tuple[Finding, ...]:
    """What is uncertain about a firmware on a flash size."""
    uncertain = generation_of(firmware).uncertain
    findings = _unusable(flash, firmware)
    return findings if uncertain is None else (*findings, _finding(uncertain, firmware, flash))


def _unusable(flash: FlashSize, firmware: Firmware | None) -> tuple[Finding, ...]:
    """What is wrong about a size that a firmware is not to be told unasked."""
    sizes = generation_of(firmware).sizes
    if flash.code in sizes.sure or sizes.others is None:
        return ()
    return (_finding(sizes.others, firmware, flash),)


def _finding(what: Uncertainty, firmware: Firmware | None, flash: FlashSize) -> Finding:
    codes = generation_of(firmware).sizes.sure
    plain = [size for size in FLASH_SIZES if size.code in codes and not size.name.endswith("-c1")]
    largest = max(plain, key=lambda size: size.bytes).name
    message = what.words.format(name=_name(firmware), size=flash.name, largest=largest)
    return Finding(Severity.WARNING, what.code, message)


def _names(codes: frozenset[int]) -> str:
    """The sizes of some nibbles in words, smallest first, that imgtool has a layout for."""
    names = [size.name for size in FLASH_SIZES if size.code in codes and size.name != _NO_LAYOUT]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _name(firmware: Firmware | None) -> str:
    return "the firmware" if firmware is None else f"{firmware.name} {firmware.version or ''}".strip()
