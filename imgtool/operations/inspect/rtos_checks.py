"""What is said of a partition table of the RTOS SDK 3, and of a flash that has one.

Gathers what a flash holds for the rules of layout/rtos_slots.py.  Not those rules, and not which application
is in force (flash_slots.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES, flash_size_of_code
from imgtool.formats.images.rtos_bootloader import loader_of
from imgtool.formats.reading import Finding, PartKind, Severity
from imgtool.formats.regions.rtos_otadata import OtaData
from imgtool.formats.regions.rtos_partitions import APP, DATA, RtosPartitionTable
from imgtool.layout import rtos_slots
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgtool.formats.reading import Part
    from imgtool.layout.rtos_slots import Fault
    from imgtool.operations.inspect.flash_slots import ActiveSlot

__all__ = ["flash_findings", "table_findings"]

_SIZES: Final = frozenset(size.bytes for size in FLASH_SIZES)
_HEADER_SIZE: Final = 3  # its size code is the upper half of this byte


def table_findings(parts: Iterable[Part]) -> tuple[Finding, ...]:
    """What is said of a table alone, by the parts of its file."""
    part, table = _table_in(parts)
    if part is None or table is None:
        return ()
    faults = (*rtos_slots.table_faults(table), *rtos_slots.flash_faults(table, None, ""))
    findings = [fault.finding for fault in faults]
    least = rtos_slots.least_flash(table)
    if table.partitions and least is not None:
        end = max(row.end for row in table.partitions)
        message = (
            f"the partitions end at 0x{end:06x}: the flash, and the size in the boot loader's header, must "
            f"be {least.name} or more"
        )
        findings.append(Finding(Severity.NOTE, "flash-needed", message))
    return tuple(findings)


def flash_findings(data: bytes, parts: Iterable[Part], active: ActiveSlot | None) -> tuple[Finding, ...]:
    """What is said of a flash that begins with the boot loader of the RTOS SDK.

    Args:
        data: The whole file.
        parts: The parts of it.
        active: Which application starts.
    """
    size = flash_size_of_code(data[_HEADER_SIZE] >> 4)
    stated = None if size is None else size.bytes
    whole = len(data) in _SIZES
    findings: list[Finding] = []
    if whole and size is not None and size.bytes > len(data):
        message = (
            f"the boot loader's header says {size.name}, the file has {in_bytes(len(data))}: it is a part of "
            "a flash, or the header is wrong"
        )
        findings.append(Finding(Severity.WARNING, "flash-size-differs", message, _HEADER_SIZE))
    part, table = _table_in(parts)
    if part is None or table is None:
        return tuple(findings)
    loader = loader_of(data)
    faults = list(rtos_slots.table_faults(table, loader, at=part.offset, place=part.offset))
    why = "the size in the boot loader's header"
    faults += rtos_slots.flash_faults(table, stated, why, at=part.offset, certain=whole)
    faults += _of_applications(data, table, active)
    findings += [fault.finding for fault in faults]
    findings += _of_otadata(data, table)
    if whole:
        findings += _behind_file(len(data), stated, table, part.offset)
    return tuple(findings)


def _table_in(parts: Iterable[Part]) -> tuple[Part | None, RtosPartitionTable | None]:
    for part in parts:
        if part.kind is PartKind.PARTITION_TABLE and isinstance(part.value, RtosPartitionTable):
            return part, part.value
    return None, None


def _behind_file(size: int, stated: int | None, table: RtosPartitionTable, at: int) -> list[Finding]:
    """Partitions that the boot loader takes, and that are not in the file."""
    lost = [row for row in table.partitions if size < row.end <= (stated or 0)]
    if not lost:
        return []
    message = f"partition {lost[0].label} ends at 0x{lost[0].end:06x}, and the file at 0x{size:06x}"
    return [Finding(Severity.WARNING, "partition-cut", message, at)]


def _of_applications(data: bytes, table: RtosPartitionTable, active: ActiveSlot | None) -> list[Fault]:
    """What is wrong with applications; of one that does not start no more than a warning."""
    loader = loader_of(data)
    chosen = None if active is None or active.certainty == "not known" else active.offset
    faults: list[Fault] = []
    for row in table.partitions:
        app = rtos_slots.application_at(data, row.offset, row.offset) if row.type == APP else None
        found = () if app is None else rtos_slots.application_faults(row, app, loader)
        starts = chosen is None or chosen == row.offset
        faults += [fault if starts else fault._replace(severity=Severity.WARNING) for fault in found]
    return faults


def _of_otadata(data: bytes, table: RtosPartitionTable) -> list[Finding]:
    """Entries that the boot loader does not take."""
    return [
        finding
        for row in table.partitions
        if (row.type, row.subtype) == (DATA, 0) and row.offset < len(data)
        for finding in OtaData.parse(data, row.offset).findings(row.offset)
    ]
