"""Whether files agree with the partition table of the RTOS SDK 3 that they come with, or go to.

Gathers the files for the rules of layout/rtos_slots.py, for merge and flash alike.  Not those rules, and not
whether a file may stand where it does whatever the table (places.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from imgtool.chip import SECTOR
from imgtool.formats.kinds import KINDS, Starter
from imgtool.formats.reading import FileKind, Finding, Severity
from imgtool.operations.assemble.places import table_in
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgtool.chip import FlashSize
    from imgtool.errors import LayoutError
    from imgtool.formats.regions.rtos_partitions import Partition
    from imgtool.layout.rtos_slots import Fault
    from imgtool.operations.assemble.places import Placed, PlacedTable, Start

__all__ = ["FileFault", "as_warnings", "by_flash", "by_table", "judged_faults"]


class FileFault(NamedTuple):
    """What is wrong, and with which file.

    Attributes:
        fault: What is wrong.
        name: The file.
        base: What to take from the fault's offset for one in the file: its address, or 0.
    """

    fault: Fault
    name: str
    base: int = 0

    @property
    def refusal(self) -> LayoutError:
        """As the refusal to write that file."""
        refusal = self.fault.refusal(self.name)
        if self.base:
            # Of all of a file no offset is to be named.
            refusal.offset = (self.fault.offset - self.base) or None
        return refusal

    @property
    def finding(self) -> Finding:
        """As what is said of that file."""
        said = self.fault.finding
        return said._replace(message=Phrase(self.name, f": {said.message}"))


def by_table(placed: Sequence[Placed], start: Start | None) -> list[FileFault]:
    """What is wrong with a table among some files, and with applications in its slots.

    Args:
        placed: The files.
        start: Who starts the firmware; its table counts where the files have none.
    """
    others = start is not None and start.starter is not Starter.RTOS
    if others or not any(Starter.RTOS in KINDS[each.what.kind].started_by for each in placed):
        return []
    from imgtool.layout import rtos_slots  # noqa: PLC0415 - most firmware has none

    found = table_in(placed)
    table = found.table if found is not None else None if start is None else start.table
    if table is None:
        return []
    loader = rtos_slots.NOT_KNOWN if start is None or start.loader is None else start.loader
    faults: list[FileFault] = []
    if found is not None and _alone(found):
        said = rtos_slots.table_faults(table, loader, place=None if start is None else found.address)
        name = found.piece.name
        faults += [FileFault(fault, name) for fault in said if fault.severity is not Severity.NOTE]
    rows = {row.offset: row for row in table.applications}
    for piece, what in placed:
        row = rows.get(piece.address)
        if row is None or what.kind is not FileKind.RTOS_APP:
            continue
        app = rtos_slots.application_at(piece.data, 0, piece.address, len(piece.data))
        if app is not None:
            said = rtos_slots.application_faults(row, app, loader)
            faults += [FileFault(fault, piece.name, piece.address) for fault in said]
    return faults + _otadata_elsewhere(placed, table.partitions)


def by_flash(placed: Sequence[Placed], flash: FlashSize | None, *, certain: bool) -> list[FileFault]:
    """Partitions of a table among some files that end behind the flash.

    Args:
        placed: The files.
        flash: The size in the header of the boot loader; None where that is not known.
        certain: Whether that is the size that it will be written with.
    """
    found = table_in(placed) if flash is not None else None
    if found is None or flash is None:
        return []
    from imgtool.layout import rtos_slots  # noqa: PLC0415 - most firmware has none

    why = f"that of the {flash.name} in the boot loader's header"
    at = 0 if _alone(found) else found.address
    faults = rtos_slots.flash_faults(found.table, flash.bytes, why, at=at, certain=certain)
    return [FileFault(fault, found.piece.name) for fault in faults[:1]]


def _alone(found: PlacedTable) -> bool:
    """Whether a table is a file of its own; of one inside a file it is said where that file is described."""
    return found.piece.address == found.address and len(found.piece.data) <= SECTOR


def _otadata_elsewhere(placed: Iterable[Placed], rows: Iterable[Partition]) -> list[FileFault]:
    """Files with otadata where the table has no such partition."""
    from imgtool.formats.regions.rtos_partitions import DATA  # noqa: PLC0415 - as above
    from imgtool.layout.rtos_slots import Fault  # noqa: PLC0415

    places = [row.offset for row in rows if (row.type, row.subtype) == (DATA, 0)]
    faults: list[FileFault] = []
    for piece, what in placed:
        if what.kind is FileKind.OTADATA and piece.address not in places:
            known = f"the table has it at 0x{places[0]:06x}" if places else "the table has no place for it"
            words = f"nothing reads this otadata at 0x{piece.address:06x}: {known}"
            faults.append(FileFault(Fault(Severity.WARNING, "not-used", words, piece.address), piece.name))
    return faults


def as_warnings(faults: Iterable[FileFault]) -> list[FileFault]:
    """The same with no error among them, for files that are to stay as they are."""
    return [each._replace(fault=each.fault._replace(severity=Severity.WARNING)) for each in faults]


def judged_faults(faults: Iterable[FileFault]) -> list[Finding]:
    """What is said of files, where nothing can be waived.

    Raises:
        LayoutError: The first refusal.
    """
    findings: list[Finding] = []
    for each in faults:
        if each.fault.severity is Severity.ERROR:
            raise each.refusal
        findings.append(each.finding)
    return findings
