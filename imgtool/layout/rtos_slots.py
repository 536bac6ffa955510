"""Which partitions of the RTOS SDK 3 can be, and which applications run in them.

The rules for a table alone, for a flash, and for files that go into one: whoever judges one of these asks
here.  Not parsing (formats/regions/rtos_partitions.py), and not which application is in force
(operations/inspect/flash_slots.py).

Sources: bootloader_utility.c, bootloader_flash.c, flash_partitions.c, gen_esp32part.py and esp8266.ld at the
tags v3.0 to v3.4 of https://github.com/espressif/ESP8266_RTOS_SDK; see docs/formats/rtos-partitions.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import FLASH_SIZES, IROM_BASE, IROM_WINDOW, SECTOR
from imgtool.errors import FormatError, LayoutError, SlotRoomError, TableRowError
from imgtool.formats.images import version1
from imgtool.formats.images.rtos_bootloader import RtosLoader
from imgtool.formats.reading import Finding, Severity
from imgtool.formats.regions import rtos_otadata
from imgtool.formats.regions.rtos_partitions import APP, DATA, ROW_SIZE
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.chip import FlashSize
    from imgtool.formats.regions.rtos_partitions import Partition, RtosPartitionTable

__all__ = [
    "CHECKS",
    "NOT_KNOWN",
    "Application",
    "Fault",
    "application_at",
    "application_faults",
    "flash_faults",
    "hangs_on",
    "least_flash",
    "runs_at",
    "table_faults",
]

NOT_KNOWN: Final = RtosLoader()
"""The boot loader where there is none to look at: what holds for all of them counts."""

CHECKS: Final = {
    "overlap": "fit",
    "partition-align": "fit",
    "partition-flash": "fit",
    "otadata-size": "fit",
    "app-size": "fit",
    "app-line": "fit",
    "app-reach": "place",
    "app-link": "place",
}
"""The codes of faults with which nothing starts, and the name of the check that refuses to write them."""

# Who cures what: a table is mended, an application is built smaller.
_ERRORS: Final[dict[str, type[LayoutError]]] = {
    "overlap": TableRowError,
    "partition-align": TableRowError,
    "partition-flash": TableRowError,
    "otadata-size": TableRowError,
    "app-size": SlotRoomError,
    "app-line": SlotRoomError,
}

_LEAST_REACH, _LARGEST_REACH = 0x20_0000, 0x80_0000
_LARGEST_FLASH: Final = max(size.bytes for size in FLASH_SIZES)
_HEADERS: Final = 0x10  # of the image and of its first segment
_ALL_FROM: Final = "only a boot loader of the RTOS SDK 3.4 or later starts an application from 2 MB on"


class Application(NamedTuple):
    """An application at a place of the flash.

    Attributes:
        offset: Flash address of its first byte.
        size: Bytes.
        linked: Flash address that it is linked for, which may lie beyond what the cache shows; None where
            nothing tells.
    """

    offset: int
    size: int
    linked: int | None = None

    @property
    def end(self) -> int:
        """The flash address behind it."""
        return self.offset + self.size


class Fault(NamedTuple):
    """What is wrong with a table, or with an application in its place.

    Attributes:
        severity: ``error`` where nothing would start, or something would be overwritten.
        code: For programs; those of errors are in :data:`CHECKS`.
        words: The sentence.
        offset: Flash address, or offset in the table, that it is about.
        expected: What should be; empty where the words have it.
        found: What is.
    """

    severity: Severity
    code: str
    words: str
    offset: int
    expected: str = ""
    found: str = ""

    @property
    def finding(self) -> Finding:
        """As what is said of a file."""
        more = f" (expected {self.expected}, found {self.found})" if self.expected else ""
        return Finding(self.severity, self.code, self.words + more, self.offset)

    def refusal(self, source: str | None) -> LayoutError:
        """As the refusal to write that file."""
        return _ERRORS.get(self.code, LayoutError)(
            self.words,
            source=source,
            offset=self.offset,
            expected=self.expected or None,
            found=self.found or None,
            check=CHECKS.get(self.code),
        )


def application_at(data: bytes, offset: int, place: int, size: int | None = None) -> Application | None:
    """The application that begins at an offset of some bytes; None where no whole image does.

    Args:
        data: A flash, or a file.
        offset: Where it begins there.
        place: The same as a flash address.
        size: Its bytes; None for those that the boot loader counts, without a digest behind it.
    """
    try:
        found = version1.scan(data, offset)
    except FormatError:
        return None
    if found.problem is not None or not found.segments:
        return None
    first = found.segments[0].address
    linked = first - _HEADERS - IROM_BASE if first >= IROM_BASE + _HEADERS else None
    return Application(place, found.end - offset if size is None else size, linked)


# --- the table ---


def table_faults(
    table: RtosPartitionTable, loader: RtosLoader = NOT_KNOWN, *, at: int = 0, place: int | None = None
) -> tuple[Fault, ...]:
    """What is wrong with a table, whatever the flash.

    Args:
        table: The table.
        loader: The boot loader that reads it.
        at: Offset of the table, for those of its rows.
        place: Flash address of the table; None where that is not known.
    """
    rows = [(at + index * ROW_SIZE, row) for index, row in enumerate(table.partitions)]
    if not rows:
        words = "the table has no partitions, so that the boot loader finds no application to start"
        return (Fault(Severity.WARNING, "no-partitions", words, at),)
    faults = [*_order_faults(rows, place)]
    for offset, row in rows:
        faults += _row_faults(offset, row)
        if row.type == APP:
            faults += _slot_faults(offset, row, rows, loader)
    return (*faults, *_number_faults(at, table), *_build_faults(at, table))


def _order_faults(rows: Sequence[tuple[int, Partition]], place: int | None) -> list[Fault]:
    """Partitions that reach into each other, or into what stands in front of them."""
    faults: list[Fault] = []
    last: Partition | None = None
    for offset, row in sorted(rows, key=lambda each: (each[1].offset, each[1].end)):
        if place is not None and row.offset < place + SECTOR and row.size:
            words = f"partition {row.label} lies over the boot loader or the partition table"
            faults.append(_error("overlap", words, offset, f"it from 0x{place + SECTOR:06x} on", row.offset))
        elif last is not None and row.offset < last.end and row.size:
            words = f"partition {last.label} reaches into partition {row.label}"
            expected = f"its end at or below 0x{row.offset:06x}"
            faults.append(_error("overlap", words, offset, expected, last.end))
        if last is None or row.end > last.end:
            last = row
    return faults


def _row_faults(offset: int, row: Partition) -> list[Fault]:
    """A place that no partition of its type has."""
    if (row.type, row.subtype) == (DATA, 0) and row.size < rtos_otadata.SIZE:
        words = f"partition {row.label} is smaller than two sectors, and the boot loader stops on that"
        expected = f"at least {in_bytes(rtos_otadata.SIZE)}"
        return [Fault(Severity.ERROR, "otadata-size", words, offset, expected, in_bytes(row.size))]
    if row.offset % SECTOR == 0:
        return []
    if row.type == APP:
        words = f"partition {row.label} is for an application, and does not begin at a sector"
        return [_error("partition-align", words, offset, f"a multiple of 0x{SECTOR:x}", row.offset)]
    words = f"partition {row.label} does not begin at a sector: 0x{row.offset:05x}"
    return [Fault(Severity.WARNING, "partition-align", words, offset)]


def _slot_faults(
    offset: int, row: Partition, rows: Sequence[tuple[int, Partition]], loader: RtosLoader
) -> list[Fault]:
    """A place for applications in which not every application of that size runs."""
    far = _beyond(row.offset, loader)
    if far:
        severity = Severity.WARNING if loader.reach or row.offset >= _LARGEST_REACH else Severity.NOTE
        words = f"an application in partition {row.label} does not start: {far}"
        if severity is Severity.NOTE:
            words = f"partition {row.label} begins at 0x{row.offset:06x}: {far}"
        return [Fault(severity, "slot-reach", words, offset)]
    line = _line_behind(row.offset)
    if row.end <= line:
        return []
    first = min(each.offset for _, each in rows if each.type == APP)
    usual = line + first % IROM_WINDOW
    cure = f"; the usual place is 0x{usual:06x}" if row.offset > first else ""
    words = (
        f"partition {row.label} (0x{row.offset:06x} to 0x{row.end - 1:06x}) crosses the 1 MB line at "
        f"0x{line:06x}: an application that reaches beyond it cannot run, and {in_bytes(line - row.offset)} "
        f"lie before it{cure}"
    )
    return [Fault(Severity.WARNING, "slot-line", words, offset)]


def _number_faults(at: int, table: RtosPartitionTable) -> list[Fault]:
    """Applications that the boot loader does not find by their numbers."""
    apps = [row for row in table.partitions if row.type == APP]
    if not apps:
        words = "no partition of the table is for an application, so that the boot loader starts nothing"
        return [Fault(Severity.WARNING, "no-partitions", words, at)]
    faults = []
    count = sum(row.is_ota for row in apps)
    for row in apps:
        if row.slot is not None and row.slot >= count:
            words = (
                f"partition {row.label} is never started: with {count} of its sort in the table, the boot "
                f"loader looks for ota_0 to ota_{count - 1}"
            )
            faults.append(Fault(Severity.WARNING, "slot-number", words, at))
    subtypes = [row.subtype for row in apps]
    twice = sorted({row.kind for row in apps if subtypes.count(row.subtype) > 1})
    faults += [
        Fault(Severity.WARNING, "slot-number", f"several partitions are {kind}: the last of them counts", at)
        for kind in twice
    ]
    return faults


def _build_faults(at: int, table: RtosPartitionTable) -> list[Fault]:
    """Slots for updates that one build does not serve."""
    slots = [row for row in table.partitions if row.is_ota]
    odd = [row for row in slots if (row.offset - slots[0].offset) % IROM_WINDOW]
    if not odd:
        return []
    words = (
        f"an update for {odd[0].label} must be linked for 0x{odd[0].offset:06x}, and one for "
        f"{slots[0].label} for 0x{slots[0].offset:06x}: one build serves both only where they are whole "
        "megabytes apart, or with a boot loader that copies the one to the other"
    )
    return [Fault(Severity.NOTE, "slot-builds", words, at)]


def least_flash(table: RtosPartitionTable) -> FlashSize | None:
    """The smallest flash that a table fits; None where none is large enough."""
    end = max((row.end for row in table.partitions), default=0)
    fitting = [size for size in FLASH_SIZES if size.bytes >= end and not size.name.endswith("-c1")]
    return min(fitting, key=lambda size: size.bytes, default=None)


def flash_faults(
    table: RtosPartitionTable,
    flash_bytes: int | None,
    why: str,
    *,
    at: int = 0,
    certain: bool = True,
) -> tuple[Fault, ...]:
    """Partitions that end behind the flash; the boot loader takes no table with one.

    Args:
        table: The table.
        flash_bytes: Bytes of the flash; None for the largest that there is.
        why: Where that size is known from, in words.
        at: Offset of the table, for those of its rows.
        certain: Whether the size stays: the header of a boot loader can still be changed.
    """
    end = _LARGEST_FLASH if flash_bytes is None else flash_bytes
    severity = Severity.ERROR if certain or flash_bytes is None else Severity.WARNING
    source = "the largest flash" if flash_bytes is None else why
    return tuple(
        Fault(
            severity,
            "partition-flash",
            f"partition {row.label} ends behind the flash, and the boot loader takes no such table",
            at + index * ROW_SIZE,
            f"its end at or below 0x{end:06x}, {source}",
            f"0x{row.end:06x}",
        )
        for index, row in enumerate(table.partitions)
        if row.end > end
    )


# --- applications ---


def application_faults(row: Partition, app: Application, loader: RtosLoader = NOT_KNOWN) -> tuple[Fault, ...]:
    """Why an application in its partition does not start, or does not run.

    Args:
        row: The partition, which the application begins with.
        app: The application.
        loader: The boot loader that starts it.
    """
    faults: list[Fault] = []
    if app.size > row.size:
        words = f"the application is larger than its partition {row.label}"
        expected = f"at most {in_bytes(row.size)}"
        faults.append(Fault(Severity.ERROR, "app-size", words, app.offset, expected, in_bytes(app.size)))
    far = _beyond(app.offset, loader)
    if far:
        certain = loader.reach is not None or app.offset >= _LARGEST_REACH
        words = f"the application in partition {row.label} does not start: {far}"
        severity = Severity.ERROR if certain else Severity.WARNING
        faults.append(Fault(severity, "app-reach", words, app.offset))
    faults += _line_faults(row, app, loader)
    if not runs_at(app.linked, app.offset, loader, copied=row.slot == 1):
        faults.append(_link_fault(row, app, loader))
    return tuple(faults)


def runs_at(linked: int | None, offset: int, loader: RtosLoader = NOT_KNOWN, *, copied: bool = False) -> bool:
    """Whether an application runs at a flash address: the cache shows it one MiB at a time.

    Args:
        linked: The flash address that it is linked for; None where nothing tells.
        offset: Where it stands.
        loader: The boot loader that starts it.
        copied: Whether it stands in ``ota_1``, which some boot loaders copy to ``ota_0``.
    """
    if linked is None:
        return True
    if linked >= IROM_WINDOW:  # the SDK 3.1 to 3.3 link so for a place from 1 MB on; nothing shows it there
        return False
    return (linked - offset) % IROM_WINDOW == 0 or (copied and loader.copies is True)


def hangs_on(app: Application, loader: RtosLoader) -> str:
    """Why a boot loader that takes an application hangs instead of starting it, in words; else empty."""
    if loader.reach is None:
        return ""
    line = _line_behind(app.offset)
    if loader.ends_before_line and app.end >= line:
        return f"the boot loader hangs on one that does not end before the 1 MB line at 0x{line:06x}"
    return _beyond(app.offset, loader)


def _link_fault(row: Partition, app: Application, loader: RtosLoader) -> Fault:
    linked = app.linked or 0
    words = f"the application in partition {row.label} is linked for another address, and cannot run there"
    expected = f"it linked for 0x{IROM_BASE + app.offset % IROM_WINDOW + _HEADERS:08x}"
    found = f"0x{IROM_BASE + linked + _HEADERS:08x}"
    if linked >= IROM_WINDOW:
        words = f"the application in partition {row.label} is linked for what the cache never shows"
    else:
        found += f", which is that of 0x{linked:06x}"
    # Without the boot loader at hand, it may be one that copies.
    maybe = loader.copies is None and row.slot == 1 and linked < IROM_WINDOW
    severity = Severity.WARNING if maybe else Severity.ERROR
    return Fault(severity, "app-link", words, app.offset, expected, found)


def _line_faults(row: Partition, app: Application, loader: RtosLoader) -> list[Fault]:
    line = _line_behind(app.offset)
    if app.end < line or (app.end == line and loader.ends_before_line is False):
        return []
    if app.end > line:
        words = f"the application in partition {row.label} crosses a 1 MB line, and cannot run so"
        return [_error("app-line", words, app.offset, f"its end before 0x{line:06x}", app.end)]
    words = (
        f"the application in partition {row.label} ends on the 1 MB line at 0x{line:06x}, and boot loaders "
        "before the RTOS SDK 3.4 hang on that"
    )
    severity = Severity.ERROR if loader.ends_before_line else Severity.WARNING
    return [Fault(severity, "app-line", words, app.offset)]


def _beyond(offset: int, loader: RtosLoader) -> str:
    """Why a boot loader starts nothing from an address, in words; empty where it does."""
    if offset >= _LARGEST_REACH:
        return "no boot loader starts one from 8 MB on"
    if loader.reach is not None and offset >= loader.reach:
        return f"the boot loader starts none from 0x{loader.reach:06x} on"
    return _ALL_FROM if loader.reach is None and offset >= _LEAST_REACH else ""


def _line_behind(offset: int) -> int:
    return (offset // IROM_WINDOW + 1) * IROM_WINDOW


def _error(code: str, words: str, offset: int, expected: str, found: int) -> Fault:
    return Fault(Severity.ERROR, code, words, offset, expected, f"0x{found:06x}")
