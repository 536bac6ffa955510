"""Stretches of a flash: what is reserved for whom, and the sectors that do not depend on a release.

Which firmware reserves what is in generations.py, what comes of it for a flash size in fit.py.  Not parsing
(imgtool.formats), and not the making of images (imgtool.operations).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgtool.chip import SDK_SECTORS, SECTOR
from imgtool.formats.reading import Finding, PartKind

if TYPE_CHECKING:
    from imgtool.chip import FlashSize
    from imgtool.formats.reading import Finding
    from imgtool.formats.regions.rtos_partitions import RtosPartitionTable

__all__ = ["FlashLayout", "Region", "align_up", "rtos_regions", "sdk_regions"]


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of flash with a use: kind, first address, bytes, and its name in the table or the SDK."""

    kind: PartKind
    start: int
    size: int
    name: str

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class FlashLayout:
    """What is reserved in a flash beside the firmware itself.

    Attributes:
        flash: The flash size.
        regions: In address order.
        rule: What the addresses rest on, in words.
        findings: What is to be said about this firmware on this size.
    """

    flash: FlashSize
    regions: tuple[Region, ...]
    rule: str
    findings: tuple[Finding, ...] = ()

    def find(self, kind: PartKind) -> Region | None:
        """The first region of a kind."""
        return next((region for region in self.regions if region.kind is kind), None)


def align_up(value: int, step: int) -> int:
    """The least multiple of ``step`` that is not below ``value``."""
    return -(-value // step) * step


def sdk_regions(end: int) -> tuple[Region, ...]:
    """The sectors that a non-OS SDK before 3.0 keeps in front of flash address ``end``."""
    return tuple(
        Region(PartKind(sector.name), end - sector.from_end * SECTOR, sector.sectors * SECTOR, sector.name)
        for sector in SDK_SECTORS
    )


def rtos_regions(table: RtosPartitionTable, end: int) -> tuple[Region, ...]:
    """The data partitions of an RTOS SDK table that lie below flash address ``end``, in address order."""
    from imgtool.formats.regions.rtos_partitions import DATA, SPIFFS  # noqa: PLC0415 - few layouts are of one

    rows = sorted((row for row in table.partitions if row.type == DATA), key=lambda row: row.offset)
    regions: list[Region] = []
    for row in rows:
        last = regions[-1].end if regions else 0
        if last <= row.offset < end and row.size and row.offset % SECTOR == 0:
            kind = PartKind.SPIFFS if row.subtype == SPIFFS else PartKind.USER_DATA
            regions.append(Region(kind, row.offset, row.size, row.label))
    return tuple(regions)
