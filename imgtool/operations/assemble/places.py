"""Whether files may stand at their flash addresses: one rule for flash, merge and full images.

What cannot work is refused, what nothing in the flash would use is a warning, and what imgtool does not know
may stand anywhere.  Goes by the rows of formats/kinds.py, by what the bytes are linked for, and by what
stands at address 0.  Not room, overlaps or damage.  Each cell of the table: docs/formats/kinds.md.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, TypeGuard

from imgtool.chip import IROM_BASE, RTOS_TABLE_PLACE, SECTOR
from imgtool.errors import FormatError, LayoutError
from imgtool.formats.images import aggregated, irom, version1
from imgtool.formats.kinds import KINDS, Spot, Starter
from imgtool.formats.reading import Finding, PartKind, Severity
from imgtool.formats.registry import identify
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from imgtool.formats.images.rtos_bootloader import RtosLoader
    from imgtool.formats.reading import Reading
    from imgtool.formats.regions.rtos_partitions import RtosPartitionTable
    from imgtool.operations.assemble.pieces import Piece
    from imgtool.operations.inspect.describe import Description

__all__ = [
    "Placed",
    "PlacedTable",
    "Start",
    "Verdict",
    "depends_on_start",
    "judged",
    "may_be_in_region",
    "misplaced",
    "place",
    "start_in",
    "start_on",
    "table_in",
    "wants_layout",
]

_SLOTS: Final = (*irom.SLOTS, 0x10_1000)  # of Espressif's boot loader, by flash size
_COPIED: Final = 1  # ota_1, which some boot loaders of the RTOS SDK copy to ota_0
_WINDOW: Final = 0x10_0000  # flash is mapped one MiB at a time
_IMAGE_HEADERS: Final = 0x10  # of a version-2 image, before its irom
_MAGICS: Final = (0xE9, 0xEA)  # of images
_TABLE_MAGIC: Final = b"\xaa\x50"
_LOOKS: Final = {
    Starter.SDK: _SLOTS,
    Starter.EBOOT: (0x1000,),
    Starter.RBOOT: (irom.RBOOT_SLOT,),
    Starter.RTOS: (0x1_0000,),
}
_COMPILED_IN: Final = frozenset(row.brings for row in KINDS.values() if row.compiled_in)
# The 4th sector from the end of every flash size but 256 KB, and those of NodeMCU 3 (docs/flash-layouts.md).
_INIT_DATA: Final = (0xC000, 0xF000, *((1 << power) - 0x4000 for power in range(19, 25)))

Verdict = LayoutError | Finding
"""A refusal, or what is to be said."""


class Placed(NamedTuple):
    """Bytes for a place, and what they are."""

    piece: Piece
    what: Reading | Description


class Start(NamedTuple):
    """Who starts the firmware of a flash.

    Attributes:
        starter: Who that is.
        in_files: Whether it is among the files; else it is on the device, where it may be replaced later.
        slots: The addresses that it starts applications from; None where it may be any sector.
        half: Whether it is an image that needs irom at a place of its own.
        table: The partition table of the RTOS SDK that it goes by; None without one.
        loader: What it can start, for the boot loader of the RTOS SDK; None where that is not known.
    """

    starter: Starter
    in_files: bool
    slots: tuple[int, ...] | None = None
    half: bool = False
    table: RtosPartitionTable | None = None
    loader: RtosLoader | None = None

    @property
    def looks(self) -> tuple[int, ...]:
        """The addresses at which nothing but what it starts may stand."""
        if self.half:
            return irom.OFFSETS[:1]
        return self.slots if self.slots is not None else _LOOKS.get(self.starter, ())


def start_in(placed: Iterable[Placed]) -> Start | None:
    """Who starts the firmware, by the file for address 0; None without one."""
    placed = tuple(placed)
    first = next((each for each in placed if each.piece.address == 0), None)
    row = None if first is None else KINDS[first.what.kind]
    if row is None or row.brings is None:
        return None
    found = None if row.brings is not Starter.RTOS else table_in(placed)
    return _start(row.brings, None if found is None else found.table, first, half=row.first_half)


def _start(starter: Starter, table: RtosPartitionTable | None, first: Placed | None, *, half: bool) -> Start:
    """Who starts the firmware, as values; ``first`` is None where that is on the device."""
    loader = None
    if first is not None and starter is Starter.RTOS:
        from imgtool.formats.images.rtos_bootloader import loader_of  # noqa: PLC0415 - most firmware has none

        loader = loader_of(first.piece.data)
    slots = _slots_of(starter, table)
    return Start(starter, in_files=first is not None, slots=slots, half=half, table=table, loader=loader)


class PlacedTable(NamedTuple):
    """A partition table of the RTOS SDK among files: its values, its flash address, the file it is in."""

    table: RtosPartitionTable
    address: int
    piece: Piece


def table_in(placed: Iterable[Placed]) -> PlacedTable | None:
    """The partition table of the RTOS SDK among some files, alone or in one of them; None for none.

    Of several the one at the usual address.
    """
    found = [
        PlacedTable(part.value, piece.address + part.offset, piece)
        for piece, what in placed
        for part in what.parts
        if part.kind is PartKind.PARTITION_TABLE and _is_table(part.value)
    ]
    return min(found, key=lambda each: each.address != RTOS_TABLE_PLACE, default=None)


def _is_table(value: object) -> TypeGuard[RtosPartitionTable]:
    from imgtool.formats.regions.rtos_partitions import RtosPartitionTable  # noqa: PLC0415 - most firmware has none

    return isinstance(value, RtosPartitionTable)


def start_on(read: Callable[[int, int], bytes]) -> Start | None:
    """Who starts the firmware on a device, by its first sector; None where that is not known.

    Args:
        read: Reads its flash: address and number of bytes to these bytes.
    """
    block = read(0, SECTOR)
    row = KINDS[identify(block).kind]
    if row.brings is None:
        return None
    # Two bytes tell most devices, which have no table; a sector takes its time on the line.
    is_table = read(RTOS_TABLE_PLACE, len(_TABLE_MAGIC)) == _TABLE_MAGIC
    table = _table_of(read(RTOS_TABLE_PLACE, SECTOR)) if is_table else None
    # Of a long boot loader the first sector is no more than an image that is cut.
    starter = row.brings if table is None else Starter.RTOS
    return _start(starter, table, None, half=row.first_half and starter is Starter.ROM)


def _slots_of(starter: Starter, table: RtosPartitionTable | None) -> tuple[int, ...] | None:
    if starter is Starter.ROM:
        return ()
    if starter in (Starter.SDK, Starter.EBOOT):
        return _LOOKS[starter]
    if starter is not Starter.RTOS or table is None:
        return None
    return tuple(row.offset for row in table.applications)


def _table_of(data: bytes) -> RtosPartitionTable | None:
    """The partition table of the RTOS SDK that some bytes begin with; None for what is no such table."""
    from imgtool.formats.regions import rtos_partitions  # noqa: PLC0415 - most firmware has none

    return rtos_partitions.table_at(data, 0)


def place(pieces: Sequence[Piece]) -> tuple[Placed, ...]:
    """Pieces in address order with what they are.

    Code that is linked for where it stands is asked for no other format, nor is the image that it is of one
    build with: that is what nearly every merge joins, and most formats take a while to be imported.
    """
    codes = {piece.address: reading for piece in pieces if (reading := _code_at_home(piece)) is not None}
    return tuple(
        Placed(
            piece,
            codes.get(piece.address) or _first_half(piece, pieces, codes) or identify(piece.data),
        )
        for piece in pieces
    )


def _code_at_home(piece: Piece) -> Reading | None:
    """Code that is linked for where it stands; None for everything else."""
    if piece.address not in irom.OFFSETS or piece.data[0] in _MAGICS:
        return None
    return irom.read(piece.data) if _linked_irom(piece.data) == piece.address else None


def _first_half(piece: Piece, pieces: Sequence[Piece], codes: Mapping[int, Reading]) -> Reading | None:
    """The image for 0 that code among the pieces is clearly of one build with; None for everything else."""
    if piece.address or not codes:
        return None
    reading = version1.read(piece.data)
    if reading is None or len(reading.parts) != 1:
        return None
    codes_here = (each for each in pieces if each.address in codes)
    fits = (aggregated.fit_of(piece.data, reading.parts[0].segments, code.data) for code in codes_here)
    return reading if any(fit.sure for fit in fits) else None


def misplaced(placed: Sequence[Placed], start: Start | None) -> list[Verdict]:
    """What speaks against the addresses of files, at most one verdict a file.

    Args:
        placed: The files.
        start: Who starts the firmware; None where that is not known.
    """
    irom_at = {each.piece.address for each in placed if Spot.LINKED in KINDS[each.what.kind].spots}
    verdicts = (
        _wrong(each, start)
        or _other_starter(each, start)
        or _without_irom(each, start, irom_at)
        or _unusual(each, start)
        or _packed(each, start)
        or _second(each)
        for each in placed
    )
    return [verdict for verdict in verdicts if verdict is not None]


def _wrong(placed: Placed, start: Start | None) -> LayoutError | None:
    """A place where it cannot work, whatever stands elsewhere."""
    expected = _expected_at_start(placed) if placed.piece.address == 0 else _expected_elsewhere(placed, start)
    if not expected:
        return None
    return LayoutError(
        f"{KINDS[placed.what.kind].words} does not belong at that address",
        source=placed.piece.name,
        expected=expected,
        found=f"0x{placed.piece.address:05x}",
    )


def _expected_at_start(placed: Placed) -> str:
    """Where a file belongs that is for another address than 0; empty where it is right there."""
    row = KINDS[placed.what.kind]
    if not row.never_at_start:
        return ""
    if Spot.LINKED not in row.spots:
        return row.belongs
    linked = _linked_irom(placed.piece.data)
    return "the address it is linked for, mostly 0x10000" if linked is None else f"0x{linked:05x}"


def _expected_elsewhere(placed: Placed, start: Start | None) -> str:
    """Where a file belongs that is not right at its address behind 0; empty where it may be."""
    piece, what = placed
    row = KINDS[what.kind]
    starter = None if start is None else start.starter
    if row.only_at_start:
        # An update may lie behind the sketch that took it in; nothing takes one in on a device.
        staged = Spot.STAGED not in row.spots or (start is not None and start.in_files)
        return "" if starter in row.started_by and staged else row.belongs or Spot.START
    if row.region is PartKind.LFS and not _stands(piece):
        return f"{row.belongs}, for which it is relocated"
    if row.in_sectors and piece.address % SECTOR:
        return f"the start of a sector: {row.belongs}"
    linked = _linked_at(placed)
    if _apart(placed, linked) and not _copied(placed, start):
        return f"0x{linked:05x}, for which it is linked"
    # rBoot may have a ROM in any sector, also where irom of other firmware stands.
    if row.first_half and linked is None and piece.address in irom.OFFSETS and starter is not Starter.RBOOT:
        return f"0x00000; irom ({row.other_half}) belongs here"
    return ""


def _apart(placed: Placed, linked: int | None) -> bool:
    """Whether code stands elsewhere than it is linked for; a boot loader may map another MiB."""
    apart = 0 if linked is None else linked - placed.piece.address
    return bool(apart % _WINDOW if KINDS[placed.what.kind].in_slot else apart)


def _copied(placed: Placed, start: Start | None) -> bool:
    """Whether it stands in a slot of a table from which the boot loader copies it, or may be built to."""
    if start is None or start.starter is not Starter.RTOS or start.table is None:
        return False
    copies = start.loader is None or start.loader.copies is not False
    return copies and any(
        row.offset == placed.piece.address and row.slot == _COPIED for row in start.table.applications
    )


def _stands(piece: Piece) -> bool:
    """Whether an LFS image can be used at its address as it is; what was read from a flash can."""
    from imgtool.formats.containers.lfs import LfsImage  # noqa: PLC0415 - LFS images are rare

    try:
        image = LfsImage.parse(piece.data)
    except FormatError:
        return True
    try:
        return image.absolute and bool(image.at(piece.address))
    except FormatError:
        return False


@lru_cache(maxsize=2)  # each rule asks it of the same code, and it looks at all of it
def _linked_irom(data: bytes) -> int | None:
    """The flash offset that irom is linked for; None where its pointers do not tell."""
    if irom.record_page(data, 0) is not None:
        return irom.OFFSETS[0]
    linked = irom.linked_at(data)
    # Code of a user slot has pointers that look like code of 0x10000 too.
    return None if linked is None or irom.linked_slot(data) is not None else linked


def _linked_at(placed: Placed) -> int | None:
    """The flash address that code is linked for, in a slot within its MiB; None if nothing tells."""
    piece, what = placed
    row = KINDS[what.kind]
    if Spot.LINKED in row.spots:
        return _linked_irom(piece.data)
    if not row.in_slot:
        return None
    mapped = [s for part in what.parts for s in part.segments if s.memory == "IROM"]
    if mapped:
        return mapped[0].address - IROM_BASE - mapped[0].offset
    code = next((part for part in what.parts if part.kind is PartKind.IROM), None)
    if code is None:
        return None
    if code.address is not None:
        return code.address - IROM_BASE - code.offset
    return (
        irom.linked_user_slot(piece.data[code.offset : code.end]) if code.offset == _IMAGE_HEADERS else None
    )


def _other_starter(placed: Placed, start: Start | None) -> Verdict | None:
    """A file that nothing starts or reads, by what stands at address 0."""
    row = KINDS[placed.what.kind]
    used = {Spot.SLOT, Spot.FIXED, Spot.LINKED} & {*row.spots}
    if start is None or placed.piece.address == 0 or not used:
        return None
    if start.starter in row.started_by:
        return _not_in_slot(placed, start) if row.in_slot else None
    return None if _is_any_data(placed) else _of_another_family(placed, start)


def _not_in_slot(placed: Placed, start: Start) -> Finding | None:
    """An application where its boot loader starts none, or not this one."""
    if start.slots is not None and placed.piece.address not in start.slots:
        return _not_used(placed, start, f"no slot of {start.starter} begins there")
    linked = _linked_at(placed)
    if not _apart(placed, linked) or (start.loader is not None and start.loader.copies):
        return None
    return _not_used(
        placed, start, f"it is linked for 0x{linked:05x}, unless the boot loader copies it there"
    )


def _of_another_family(placed: Placed, start: Start) -> Verdict:
    """Firmware, or a table, that whoever starts the firmware does not know."""
    piece, what = placed
    if not (start.in_files and piece.address in start.looks):
        return _not_used(placed, start, f"{start.starter} starts or reads no {KINDS[what.kind].words}")
    return LayoutError(
        f"{start.starter} starts no {KINDS[what.kind].words}",
        source=piece.name,
        offset=piece.address,
        expected=_accepted(start),
        found=KINDS[what.kind].words,
    )


def _is_any_data(placed: Placed) -> bool:
    """Whether it may be anybody's data: zeros, and what only looks like code."""
    piece, what = placed
    if Spot.LINKED in KINDS[what.kind].spots:
        return _linked_irom(piece.data) is None
    return not any(piece.data)


def depends_on_start(placed: Placed) -> bool:
    """Whether it depends on who starts the firmware what a file is good for at its address."""
    return placed.piece.address != 0 and bool(KINDS[placed.what.kind].started_by)


def _accepted(start: Start) -> str:
    """The kinds that may stand where somebody looks, in words."""
    if start.half:
        rows = [row for row in KINDS.values() if Spot.LINKED in row.spots]
    else:
        rows = [row for row in KINDS.values() if row.in_slot and start.starter in row.started_by]
    return " or ".join(row.words for row in rows)


def _not_used(placed: Placed, start: Start, why: str) -> Finding:
    where = "" if start.in_files else ", which is on the device"
    piece = placed.piece
    message = Phrase("nothing uses ", piece.name, f" at 0x{piece.address:06x}: {why}{where}")
    return Finding(Severity.WARNING, "not-used", message, piece.address)


def _without_irom(placed: Placed, start: Start | None, irom_at: set[int]) -> Finding | None:
    """Half of a firmware in a slot of Espressif's boot loader: of 2014, and then irom stands behind it."""
    piece, what = placed
    row = KINDS[what.kind]
    if start is None or start.starter is not Starter.SDK or not (start.in_files and row.first_half):
        return None
    behind = piece.address + irom.OFFSETS[0]
    if piece.address == 0 or behind in irom_at:
        return None
    return _not_used(
        placed, start, f"in a slot it runs only with irom at 0x{behind:05x}, and none goes there"
    )


def _unusual(placed: Placed, start: Start | None) -> Finding | None:
    """A place that is not the usual one, where nothing tells which one this firmware was built for."""
    piece, what = placed
    row = KINDS[what.kind]
    if piece.address == 0:
        return None
    if row.region is PartKind.INIT_DATA:
        if start is not None and start.in_files and start.starter in _COMPILED_IN:
            return _not_used(placed, start, "this firmware has init data compiled in")
        wrong, usual = piece.address not in _INIT_DATA, row.belongs
    else:
        own = start is None or start.starter in row.started_by[:1]
        elsewhere = own and row.address not in (None, piece.address)
        wrong, usual = elsewhere and not _is_any_data(placed), row.belongs
    if not wrong:
        return None
    where = f" goes to 0x{piece.address:06x}: {row.words} is mostly looked for at {usual}"
    message = Phrase(piece.name, where)
    return Finding(Severity.WARNING, "unusual-place", message, piece.address)


def _packed(placed: Placed, start: Start | None) -> Finding | None:
    """A packed firmware, which nothing but a boot loader for updates unpacks."""
    piece, what = placed
    row = KINDS[what.kind]
    if not row.wraps or row.no_content or piece.address == 0 or what.content is None:
        return None
    inside = what.content
    kind = identify(inside).kind if isinstance(inside, bytes) else inside.kind
    if not KINDS[kind].is_firmware or (start is not None and start.starter in row.started_by):
        return None
    how = f" is written packed, as {row.words} with {KINDS[kind].words} inside: nothing starts that"
    message = Phrase(piece.name, how)
    return Finding(Severity.WARNING, "not-used", message, piece.address)


def _second(placed: Placed) -> Finding | None:
    """Two applications in one file, of which the boot loader starts the first alone."""
    piece, what = placed
    at = next((finding.offset for finding in what.findings if finding.code == "second-app"), None)
    if at is None:
        return None
    where = piece.address + at
    message = Phrase("nothing starts the second application in ", piece.name, f", at 0x{where:06x}")
    return Finding(Severity.WARNING, "not-used", message, where)


def wants_layout(placed: Iterable[Placed]) -> bool:
    """Whether a file may stand in a region of the firmware's layout, so that this has to be known."""
    return any(may_be_in_region(each) for each in placed)


def may_be_in_region(placed: Placed) -> bool:
    """Whether a file may stand in a region of the firmware's layout: one of its own, or the SDK's."""
    row = KINDS[placed.what.kind]
    return bool(placed.piece.address and row.spots) and not (row.of_firmware or row.bare)


def judged(verdicts: Iterable[Verdict]) -> list[Finding]:
    """What is said of places, where nothing can be waived.

    Raises:
        LayoutError: The first refusal, as check ``place``.
    """
    findings: list[Finding] = []
    for verdict in verdicts:
        if not isinstance(verdict, Finding):
            verdict.check = "place"
            raise verdict
        findings.append(verdict)
    return findings
