"""What speaks against writing an image: damage, another chip, the wrong place, no room.

Each check has a name, and whoever knows better can waive it by that name; what is impossible has no name and
cannot be waived.  Not the plan itself: that is plan.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import FLASH_SIZES, IROM_PLACE
from imgtool.errors import FormatError, ImgtoolError, LayoutError
from imgtool.formats import fill
from imgtool.formats.images.version1 import MAGIC
from imgtool.formats.kinds import KINDS, Spot, Starter
from imgtool.formats.reading import FileKind, Finding, PartKind, Severity
from imgtool.formats.regions.init_data import SIZE as INIT_DATA_SIZE
from imgtool.formats.registry import identify
from imgtool.layout.nodemcu import table_regions
from imgtool.layout.regions import FlashLayout, sdk_regions
from imgtool.layout.rtos_slots import CHECKS
from imgtool.operations.assemble.joining import join
from imgtool.operations.assemble.layout_places import outside_layout
from imgtool.operations.assemble.merge import check_start
from imgtool.operations.assemble.partitions import by_flash, by_table
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.assemble.places import Placed, misplaced, wants_layout
from imgtool.operations.assemble.wrong_files import as_data, not_for_flash, wrong_file
from imgtool.operations.inspect.describe import Description, describe, described
from imgtool.operations.inspect.device_settings import device_header, device_page, init_data_state
from imgtool.phrase import Phrase
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgtool.chip import FlashSize
    from imgtool.formats.reading import Reading
    from imgtool.layout.regions import Region
    from imgtool.operations.assemble.partitions import FileFault
    from imgtool.operations.assemble.places import Start, Verdict
    from imgtool.operations.inspect.device_settings import Reader

__all__ = [
    "FlashContent",
    "check_contents",
    "check_layout",
    "check_partitions",
    "check_reserved",
    "check_room",
    "content_of",
    "device_verdicts",
    "waive",
]


_SDKS_OWN: Final = (PartKind.RF_CAL, PartKind.INIT_DATA, PartKind.SYSTEM_PARAM)


class FlashContent(NamedTuple):
    """What is to be written, described.

    Attributes:
        pieces: Each piece with its description, in address order.
        first: What the first piece alone was identified as; None where there is none.
        start: Flash address of the firmware.
        data: The firmware's bytes, all of its pieces joined; empty where there is none.
        main: Their description; None where there is no firmware.
        dump: Whether it is the image of a whole flash, to be written as it is.
    """

    pieces: tuple[tuple[Piece, Description], ...]
    first: Reading | None = None
    start: int = 0
    data: bytes = b""
    main: Description | None = None
    dump: bool = False

    @property
    def placed(self) -> tuple[Placed, ...]:
        """The same for the rule of places."""
        return tuple(Placed(piece, description) for piece, description in self.pieces)

    @property
    def boots(self) -> bool:
        """Whether an image with a header stands at address 0."""
        if self.main is None or self.main.header is None:
            return False
        return self.start == 0 and self.data[0] == MAGIC

    @property
    def name(self) -> str:
        """What to call the firmware."""
        return next((p.name for p, _ in self.pieces if p.address == self.start), "")


def content_of(pieces: Sequence[Piece], capacity: int | None) -> FlashContent:
    """What the pieces are, one by one and as the firmware that some of them make up together.

    Args:
        pieces: In address order, none overlapping.
        capacity: Bytes of the chip's flash: a file as long as that is an image of it, whatever it holds.
    """
    if not pieces:
        return FlashContent(())
    first, *others = pieces
    reading = identify(first.data)
    first_description = described(first.data, reading)
    each = ((first, first_description), *((piece, describe(piece.data)) for piece in others))
    if first.address == 0:
        whole = len(first.data) == capacity and KINDS[first_description.kind].may_be_dump
        if first_description.kind is FileKind.FLASH_DUMP or whole:
            return FlashContent(each, reading, 0, first.data, first_description, dump=True)
        own = [first, *(p for p, description in each[1:] if KINDS[description.kind].of_firmware)]
        data = join(own, own[-1].end, 0xFF)
        return FlashContent(each, reading, 0, data, first_description if len(own) == 1 else describe(data))
    for piece, description in each:
        if piece.address == IROM_PLACE and Spot.LINKED in KINDS[description.kind].spots:
            return FlashContent(each, reading, IROM_PLACE, piece.data, description)
    return FlashContent(each, reading)


def waive(error: ImgtoolError, check: str, force: frozenset[str]) -> Finding:
    """Refuse by a check, or turn the refusal into a warning where that check is waived.

    Raises:
        ImgtoolError: The error itself, with the name of the check, if it is not waived.
    """
    error.check = check
    if check not in force:
        raise error
    message = Phrase(f"in spite of check {check}: ", error.phrase)
    return Finding(Severity.WARNING, f"forced-{check}", message, error.offset)


def check_contents(content: FlashContent, start: Start | None, force: frozenset[str]) -> list[Finding]:
    """Refuse what is for another chip, stands where it does not belong, or is damaged.

    Args:
        content: What is written.
        start: Who starts the firmware; None where that is not known.
        force: The checks that are waived.

    Raises:
        FormatError: Checks ``chip`` and ``damaged``.
        LayoutError: Checks ``place`` and ``fit``.
    """
    findings: list[Finding] = []
    ours: list[Placed] = []
    for piece, description in content.pieces:
        error = _of_chip(piece, description, start, dump=content.dump)
        if error is None:
            ours.append(Placed(piece, description))
        else:
            findings.append(waive(error, "chip", force))
    verdicts = misplaced(ours, start)
    faults = by_table(ours, start)
    refused = bool(findings) or any(not isinstance(verdict, Finding) for verdict in verdicts)
    findings += [*_judged(verdicts, force), *as_data(ours)]
    findings += _judged_faults(faults, force)
    if not refused:  # of what is none of ours, damage says nothing
        findings += _damage(content, force)
    return findings


def _of_chip(
    piece: Piece, description: Description, start: Start | None, *, dump: bool
) -> FormatError | None:
    """The refusal of what no chip starts; of a whole flash what stands at its start is its own."""
    if dump and not KINDS[description.kind].no_content:
        return None
    wrong = not_for_flash(description, piece.address, start)
    return wrong_file(description, piece.name) if wrong else None


def _damage(content: FlashContent, force: frozenset[str]) -> list[Finding]:
    findings: list[Finding] = []
    for piece, description in content.pieces:
        broken = _broken(description)
        if broken is not None and content.dump and piece.address == 0:
            findings.append(_of_dump(piece, content.first or description, broken, force))
        # What is no image may be data.
        elif broken is not None and broken.code in CHECKS:
            unfit = LayoutError(broken.message, source=piece.name, offset=broken.offset)
            findings.append(waive(unfit, CHECKS[broken.code], force))
        elif broken is not None and not (description.foreign and piece.address):
            error = FormatError(broken.message, source=piece.name, offset=broken.offset)
            findings.append(waive(error, "damaged", force))
    if findings or content.main is None or content.start or content.dump:
        return findings
    try:
        # That no image stands at 0 has been said.
        return [finding for finding in check_start(content.placed) if finding.code != "no-image"]
    except FormatError as error:
        return [waive(error, "damaged", force)]
    except LayoutError as error:
        return [waive(error, "fit", force)]


def _broken(description: Description) -> Finding | None:
    """What is damaged; of a partition table alone, its partitions have been judged with the other files."""
    judged = CHECKS if description.kind is FileKind.PARTITION_TABLE else ()
    errors = (f for f in description.findings if f.severity is Severity.ERROR and f.code not in judged)
    return next(errors, None)


def _of_dump(piece: Piece, what: Reading | Description, broken: Finding, force: frozenset[str]) -> Finding:
    """Damage in an image of a whole flash: what the chip boots from must be whole, the rest is its own."""
    try:
        check_start([Placed(piece, what)])
    except FormatError as error:
        return waive(error, "damaged", force)
    except LayoutError:
        pass  # its places are as they were
    return Finding(Severity.WARNING, f"dump-{broken.code}", broken.message, broken.offset)


def check_room(pieces: Sequence[Piece], capacity: int | None, force: frozenset[str]) -> list[Finding]:
    """Nothing leaves the flash of the chip; that cannot be waived.

    Raises:
        LayoutError: A piece goes beyond the end.
    """
    if capacity is None:
        message = "the capacity of the flash is not known: whether the image fits was not checked"
        return [Finding(Severity.WARNING, "capacity-unknown", message)]
    for piece in pieces:
        if piece.end > capacity:
            vain = ", whatever check is waived: the bytes have no place" if "fit" in force else ""
            raise LayoutError(
                f"it goes beyond the end of the flash{vain}",
                source=piece.name,
                offset=capacity,
                expected=f"its end at or below 0x{capacity:06x}",
                found=f"0x{piece.end:06x}, {in_bytes(piece.end - capacity)} too many",
            )
    return []


def check_layout(
    content: FlashContent, layout: FlashLayout, irom_end: int, force: frozenset[str]
) -> list[Finding]:
    """What has a region in the firmware's layout stands there, and nothing stands in the SDK's own.

    Args:
        content: What is written.
        layout: The flash, as the firmware will use it.
        irom_end: Flash address behind the firmware.
        force: The checks that are waived.

    Raises:
        LayoutError: Check ``place``.
    """
    firmware = None if content.main is None else content.main.firmware
    return _judged(outside_layout(content.placed, layout, firmware, irom_end), force)


def device_verdicts(content: FlashContent, read: Reader, capacity: int) -> list[Verdict]:
    """What the firmware on the device makes of places, where none is written: no refusal, it may be replaced.

    Args:
        content: What is written.
        read: Reads the device.
        capacity: Bytes of its flash.
    """
    if content.main is not None or not wants_layout(content.placed):
        return []
    page = device_page(read)
    header = device_header(read)
    size = None if header is None else header.flash_size
    table = None if page is None else page[1].table
    by_table = table is not None and table.resolved
    if table is not None and by_table:
        regions = table_regions(table)
    elif size is not None and size.bytes <= capacity:
        regions = sdk_regions(size.bytes)
    else:
        return []
    flash = max((size for size in FLASH_SIZES if size.bytes <= capacity), key=lambda size: size.bytes)
    layout = FlashLayout(flash, regions, "the firmware on the device")
    verdicts = outside_layout(content.placed, layout, None, 0)
    place = layout.find(PartKind.INIT_DATA)
    if not verdicts or not (by_table or (place is not None and _has_init_data(read, place.start))):
        return []
    return verdicts


def _has_init_data(read: Reader, place: int) -> bool:
    """Whether the firmware on a device keeps its sectors before the end, as others do not."""
    return init_data_state(read(place, INIT_DATA_SIZE)) == "valid"


def _judged(verdicts: Iterable[Verdict], force: frozenset[str]) -> list[Finding]:
    """What is said of places; a refusal may be waived."""
    return [each if isinstance(each, Finding) else waive(each, "place", force) for each in verdicts]


def check_partitions(
    content: FlashContent,
    start: Start | None,
    flash: FlashSize | None,
    force: frozenset[str],
    *,
    certain: bool,
) -> list[Finding]:
    """The partitions of an RTOS SDK table lie in the flash that its boot loader goes by.

    Args:
        content: What is written.
        start: Who starts the firmware.
        flash: The size in the header at address 0, as it will be; None where that is not known.
        force: The checks that are waived.
        certain: Whether it stays so, and does not depend on a chip that was not looked at.

    Raises:
        LayoutError: Check ``fit``.
    """
    if start is None or start.starter is not Starter.RTOS or content.dump:
        return []
    return _judged_faults(by_flash(content.placed, flash, certain=certain), force)


def _judged_faults(faults: Iterable[FileFault], force: frozenset[str]) -> list[Finding]:
    """What is said of partitions; a refusal may be waived."""
    return [
        waive(each.refusal, CHECKS[each.fault.code], force)
        if each.fault.severity is Severity.ERROR
        else each.finding
        for each in faults
    ]


def check_reserved(
    content: FlashContent, layout: FlashLayout, irom_end: int, force: frozenset[str]
) -> list[Finding]:
    """The firmware, and what else has an address, stay out of what the firmware's layout reserves.

    Args:
        content: What is written.
        layout: The flash, as the firmware will use it.
        irom_end: Flash address behind the firmware.
        force: The checks that are waived.

    Raises:
        LayoutError: Check ``fit``.
    """
    findings: list[Finding] = []
    for region in layout.regions:
        if content.main is not None and IROM_PLACE <= region.start < irom_end:
            error = _reaches(content.name, irom_end, region, region.start)
            findings.append(waive(error, "fit", force))
            break
    for piece, description in content.pieces:
        row = KINDS[description.kind]
        placed = row.of_firmware or row.region is PartKind.INIT_DATA
        if placed or piece.address == 0:
            continue
        if any(piece.address == region.start for region in layout.regions):
            continue  # it is meant for there, such as a backup of these sectors
        for region in layout.regions:
            start, stop = max(piece.address, region.start), min(piece.end, region.end)
            block = piece.data[start - piece.address : stop - piece.address]
            if region.kind in _SDKS_OWN and start < stop and not fill.is_fill(block, 0, len(block)):
                findings.append(waive(_reaches(piece.name, piece.end, region, start), "fit", force))
                break
    return findings


def _reaches(name: str, end: int, region: Region, start: int) -> LayoutError:
    return LayoutError(
        f"it reaches into {region.name} (0x{region.start:06x} to 0x{region.end - 1:06x}) "
        f"by {in_bytes(min(end, region.end) - start)}",
        source=name,
        offset=start,
        expected=f"its end at or below 0x{region.start:06x}",
        found=f"0x{end:06x}",
    )
