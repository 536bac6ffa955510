"""Merge build outputs into one image.

Pieces are bytes with a flash address and a name to call them by.  Merging checks what can be checked:
overlaps to the byte, the checksum of the image at 0, what a NodeMCU partition table protects, whether parts
are of one build. Not the choice of addresses for a whole flash: that is fullimage.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_FREQUENCIES, FLASH_MODES, FLASH_SIZES, IROM_BASE, flash_size
from imgtool.errors import CoveredHeaderError, FormatError, ImgtoolError, LayoutError
from imgtool.formats import fill
from imgtool.formats.images import aggregated, irom, version1
from imgtool.formats.images.version1 import MAGIC
from imgtool.formats.kinds import KINDS, Spot, Starter
from imgtool.formats.reading import FileKind, Finding, PartKind, Severity
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.registry import identify
from imgtool.layout.nodemcu import lowest_protected
from imgtool.operations.assemble.joining import LARGEST_FLASH, join, lay_out
from imgtool.operations.assemble.partitions import as_warnings, by_flash, by_table, judged_faults
from imgtool.operations.assemble.pieces import KEEP, HeaderChange, Piece
from imgtool.operations.assemble.places import Placed, judged, misplaced, place, start_in, wants_layout
from imgtool.operations.assemble.wrong_files import as_data, refuse_wrong_files
from imgtool.phrase import Phrase
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.chip import FlashSize
    from imgtool.errors import Move
    from imgtool.formats.images.aggregated import Fit
    from imgtool.formats.images.version1 import ImageScan
    from imgtool.formats.reading import Part, Reading
    from imgtool.operations.assemble.places import Start, Verdict
    from imgtool.operations.inspect.describe import Description

__all__ = [
    "Merged",
    "check_in_flash",
    "check_start",
    "header_cover",
    "image_at_start",
    "merge",
    "patched",
    "put_together",
]


# Checks that cover the header of the image at 0.
_OVER_HEADER: Final = (PartKind.LENGTH_CRC_WORDS, PartKind.SHA256_TAIL)


@dataclass(frozen=True, slots=True)
class Merged:
    """One image made of several pieces.

    Attributes:
        data: Its bytes; the first one is for flash address ``start``.
        start: Flash address of the first byte.
        pieces: The pieces in address order, as they went in.
        fill: The value between and behind them.
        findings: What is to be said about them.
        moves: Where files would be right that stand where the firmware does not look.
    """

    data: bytes
    start: int
    pieces: tuple[Piece, ...]
    fill: int
    findings: tuple[Finding, ...]
    moves: tuple[Move, ...] = ()


def merge(
    pieces: Sequence[Piece],
    *,
    header: HeaderChange = KEEP,
    fill_byte: int = fill.ERASED,
    pad_to: int | None = None,
    verbatim: bool = False,
) -> Merged:
    """Merge pieces into the bytes of the flash from address 0 on.

    Args:
        pieces: In any order.
        header: Changes to the header of the image at address 0.
        fill_byte: Value between the pieces.
        pad_to: Length to fill the result up to, bytes.
        verbatim: The pieces are the bytes of some file, to be given back as they were: what the checks would
            refuse is a warning, unless the header is changed.

    Raises:
        FormatError: A piece is empty, or no part of a flash, or the image at 0 is damaged or cannot be
            patched.
        LayoutError: Pieces overlap or stand where they do not belong, the image at 0 reaches into what a
            partition table protects, or the result does not fit ``pad_to`` or the flash size that is asked
            for.
    """
    try:
        ordered = lay_out(pieces)
        as_they_were = verbatim and not header.any
        placed = place(ordered)
        if not as_they_were:
            refuse_wrong_files(placed, start_in(placed))
        findings = _start_findings(placed) if as_they_were else check_start(placed)
        by_place, moves = _place_findings(placed, header, refuse=not as_they_were)
        findings += by_place
        findings += _size_findings(placed, header, pad_to)
        merged = put_together(ordered, header=header, fill_byte=fill_byte, pad_to=pad_to)
    except LayoutError as error:
        error.moves = _right_places(pieces, header, error.moves)
        raise
    return replace(merged, findings=tuple(findings), moves=moves)


def _right_places(pieces: Sequence[Piece], header: HeaderChange, known: tuple[Move, ...]) -> tuple[Move, ...]:
    """Where files would be right that are refused."""
    from imgtool.operations.assemble.right_places import parted, right_places  # noqa: PLC0415 - for errors alone

    firmware, _ = parted(pieces)
    first = next((piece for piece in firmware if piece.address == 0), None)
    stated = None if first is None else identify(first.data).header
    flash = flash_size(header.size) if header.size is not None else stated and stated.flash_size
    return known if flash is None else right_places(pieces, flash, known=known)


def put_together(
    ordered: Sequence[Piece],
    *,
    header: HeaderChange = KEEP,
    fill_byte: int = fill.ERASED,
    pad_to: int | None = None,
) -> Merged:
    """The same of pieces that were laid out and checked.

    Raises:
        FormatError: The image at 0 cannot be patched.
        LayoutError: The result does not fit ``pad_to`` or the flash size that is asked for.
    """
    if header.any:
        ordered = (patched(ordered[0], header), *ordered[1:])
    end = ordered[-1].end
    _check_size(ordered, header)
    if pad_to is not None and pad_to > LARGEST_FLASH:
        raise LayoutError(
            "no flash is that large",
            expected=f"a length of at most 0x{LARGEST_FLASH:x}",
            found=f"0x{pad_to:x}",
        )
    if pad_to is not None and end > pad_to:
        raise LayoutError(
            "the pieces are larger than the length to pad to",
            source=ordered[-1].name,
            expected=f"at most 0x{pad_to:x}",
            found=f"0x{end:x}, {in_bytes(end - pad_to)} too many",
        )
    data = join(ordered, max(end, pad_to or 0), fill_byte)
    return Merged(data, 0, tuple(ordered), fill_byte, ())


def _start_findings(placed: Sequence[Placed]) -> list[Finding]:
    """What :func:`check_start` says of the pieces, a refusal as a warning."""
    try:
        return check_start(placed)
    except ImgtoolError as problem:
        return [Finding(Severity.WARNING, "damaged", problem.phrase, problem.offset)]


def _place_findings(
    placed: Sequence[Placed], header: HeaderChange, *, refuse: bool
) -> tuple[list[Finding], tuple[Move, ...]]:
    """What speaks against the addresses, a refusal as a warning where the pieces are to stay as they were."""
    start = start_in(placed)
    verdicts = misplaced(placed, start)
    certain, by_layout = _by_layout(placed, header)
    findings = judged(verdicts) if refuse else [_as_warning(verdict) for verdict in verdicts]
    findings += [*as_data(placed), *_partition_findings(placed, start, header, refuse=refuse)]
    if refuse and certain:
        return findings + judged(by_layout), ()
    moves = [move for verdict in by_layout if not isinstance(verdict, Finding) for move in verdict.moves]
    return findings + [_as_warning(verdict) for verdict in by_layout], tuple(moves)


def _partition_findings(
    placed: Sequence[Placed], start: Start | None, header: HeaderChange, *, refuse: bool
) -> list[Finding]:
    """What a partition table of the RTOS SDK says of the files, a refusal as a warning likewise."""
    first = placed[0]
    stated = None
    if start is not None and start.starter is Starter.RTOS:
        now = first.what.header
        stated = flash_size(header.size) if header.size else None if now is None else now.flash_size
    # Whoever flashes it may put another size into the header.
    faults = [*by_table(placed, start), *by_flash(placed, stated, certain=header.size is not None)]
    return judged_faults(faults) if refuse else [fault.finding for fault in as_warnings(faults)]


def _as_warning(verdict: Verdict) -> Finding:
    if isinstance(verdict, Finding):
        return verdict
    return Finding(Severity.WARNING, "misplaced", verdict.phrase, verdict.offset)


def _by_layout(placed: Sequence[Placed], header: HeaderChange) -> tuple[bool, list[Verdict]]:
    """What the layout of the firmware says of the addresses, and whether the flash size in it is certain."""
    ordered = [piece for piece, _ in placed]
    if ordered[0].address != 0 or not wants_layout(placed):
        return True, []
    # Most merges join a firmware and nothing beside it.
    from imgtool.layout.fit import layout_for  # noqa: PLC0415
    from imgtool.operations.assemble.extras import (  # noqa: PLC0415
        check_layout_known,
        irom_end_of,
        kept_layout,
        table_of,
    )
    from imgtool.operations.assemble.layout_places import outside_layout  # noqa: PLC0415
    from imgtool.operations.inspect.describe import describe  # noqa: PLC0415

    data = join(ordered, ordered[-1].end, fill.ERASED)
    firmware = describe(data)
    table = table_of(firmware)
    stated = None if firmware.header is None else firmware.header.flash_size
    flash = stated if header.size is None else flash_size(header.size)
    end = irom_end_of(firmware)
    try:
        layout = None if flash is None else kept_layout(firmware, flash)
        if flash is not None and layout is None:
            check_layout_known(firmware, None)
            layout = layout_for(flash, firmware.firmware, table, end)
    except (FormatError, LayoutError):
        return True, []
    if layout is None:
        return True, []
    # Whoever flashes it may put another size into the header.
    certain = header.size is not None or table is not None
    return certain, outside_layout(placed, layout, firmware.firmware, end)


def _size_findings(placed: Sequence[Placed], header: HeaderChange, pad_to: int | None) -> tuple[Finding, ...]:
    """What the firmware makes of the flash size that its header gets, or that is filled up to."""
    first, what = placed[0]
    filled = next((size for size in FLASH_SIZES if size.bytes == pad_to), None)
    if (header.size is None and filled is None) or first.address != 0 or what.header is None:
        return ()
    from imgtool.layout.fit import told_findings  # noqa: PLC0415 - most merges change no header
    from imgtool.operations.inspect.describe import describe  # noqa: PLC0415

    ordered = [piece for piece, _ in placed]
    merged = describe(join(ordered, ordered[-1].end, fill.ERASED))
    room = _room_findings(merged, header, filled)
    if header.size is None:
        return room
    told = told_findings(
        flash_size(header.size), what.header.flash_size, merged.firmware, KINDS[what.kind].brings
    )
    return (*told, *room)


def _room_findings(
    merged: Description, header: HeaderChange, filled: FlashSize | None
) -> tuple[Finding, ...]:
    """That a NodeMCU can keep no file on the flash that it is merged for."""
    from imgtool.layout.file_room import room_findings  # noqa: PLC0415 - as above
    from imgtool.layout.fit import layout_for  # noqa: PLC0415
    from imgtool.layout.generations import generation_of  # noqa: PLC0415
    from imgtool.operations.assemble.extras import check_layout_known, irom_end_of, table_of  # noqa: PLC0415

    stated = None if merged.header is None else merged.header.flash_size
    corrects = generation_of(merged.firmware).sizes.corrects
    agrees = corrects or (stated is not None and filled is not None and stated.bytes == filled.bytes)
    flash = flash_size(header.size) if header.size is not None else filled if agrees else None
    if flash is None:
        return ()
    try:
        check_layout_known(merged, None)
        end = irom_end_of(merged)
        layout = layout_for(flash, merged.firmware, table_of(merged), end)
    except (FormatError, LayoutError):
        return ()
    files = min((part.offset for part in merged.parts if part.kind is PartKind.SPIFFS), default=None)
    return room_findings(layout, merged.firmware, end, brought=files)


def image_at_start(piece: Piece, kind: FileKind) -> ImageScan | None:
    """The image at the start of a piece, whole and with a right checksum; None if it begins otherwise.

    Args:
        piece: The piece for address 0.
        kind: What its bytes are: formats that write into a segment after its checksum was computed are known.

    Raises:
        FormatError: It begins with such an image, but is cut or damaged, or the chip cannot start it.
    """
    if piece.data[0] != MAGIC:
        return None
    try:
        found = version1.scan(piece.data)
        if found.problem is not None:
            raise found.problem
    except FormatError as problem:
        raise problem.with_source(piece.name) from None
    check = found.checksum
    if check is not None and not check.ok and KINDS[kind].brings is not Starter.EBOOT:
        raise FormatError(
            "the image checksum is wrong",
            source=piece.name,
            offset=found.end - 1,
            expected=check.computed,
            found=check.stored,
        )
    for finding in version1.address_findings(found):
        if finding.severity is Severity.ERROR:
            raise FormatError(finding.message, source=piece.name, offset=finding.offset)
    return found


def check_start(placed: Sequence[Placed]) -> list[Finding]:
    """Check the image at address 0 against the other pieces, which are in address order.

    Returns:
        What is to be said.

    Raises:
        FormatError: The image is damaged, or its irom part is cut.
        LayoutError: It reaches into what a NodeMCU table keeps for the SDK.
    """
    pieces = [piece for piece, _ in placed]
    first, what = placed[0]
    if first.address != 0:
        return (
            []
            if len(pieces) == 1
            else [_note("no-image", "no piece goes to address 0, where the chip boots from")]
        )
    found = image_at_start(first, what.kind)
    if found is None:
        return [_note("no-image", Phrase(first.name, " is no image that the boot ROM loads"))]
    if KINDS[what.kind].brings is not Starter.ROM:
        return []  # what stands behind a boot loader is of another build
    for offset in irom.OFFSETS:
        code = _bytes_from(pieces, offset)
        if code and found.end <= offset:
            fit = aggregated.fit_of(first.data, found.segments, code.data)
            if _may_be_irom(placed, offset):
                _check_whole(first, code, _named_behind(pieces, found, code), fit)
            return [*_protected(first, found, code), *_same_build(first, code, fit)]
    return []


def _note(code: str, message: str) -> Finding:
    return Finding(Severity.NOTE, code, message, 0)


def _bytes_from(pieces: Sequence[Piece], offset: int) -> Piece | None:
    """The bytes at a flash address and behind it in the piece that holds it."""
    for piece in pieces:
        if piece.address <= offset < piece.end:
            return Piece(offset, piece.data[offset - piece.address :], piece.name)
    return None


def _may_be_irom(placed: Sequence[Placed], offset: int) -> bool:
    """Whether what stands at an offset is irom; other firmware does not belong there, and is told so."""
    piece, what = next(each for each in placed if each.piece.address <= offset < each.piece.end)
    row = KINDS[what.kind]
    return piece.address == 0 or Spot.LINKED in row.spots or not row.is_firmware


def _named_behind(pieces: Sequence[Piece], found: ImageScan, code: Piece) -> irom.Behind:
    """What image and irom name behind that irom, and no other piece brings: irom may come in several."""
    end = IROM_BASE + code.end
    by_image = irom.behind(pieces[0].data, found.segments, end)
    own = irom.behind(code.data, (), end, code=0).own

    def missing(words: frozenset[int]) -> frozenset[int]:
        return frozenset(
            word for word in words if not any(p.address <= word - IROM_BASE < p.end for p in pieces)
        )

    return by_image._replace(named=missing(by_image.named), own=missing(own))


def _check_whole(first: Piece, code: Piece, named: irom.Behind, fit: Fit) -> None:
    """Refuse an irom part that is shorter than its own partition table says, or than its image needs."""
    finding = irom.cover_finding(code.data, 0, code.address, named)
    if finding.severity is not Severity.ERROR:
        return
    message: str = finding.message
    if fit.mixed and named.cut:
        message = Phrase("it is not the irom of ", first.name, f", or is cut short: {named.words}")
    raise FormatError(message, source=code.name, offset=len(code.data))


def _protected(first: Piece, found: ImageScan, code: Piece) -> list[Finding]:
    """Refuse an image that reaches into what a NodeMCU table keeps for the SDK below irom."""
    page = nodemcu_page.page_at(code.data, 0)
    if page is None or page.table is None:
        return []
    region = lowest_protected(page.table)
    if region is not None and found.end > region.start:
        raise LayoutError(
            f"the image reaches {in_bytes(found.end - region.start)} into {region.name} of its table",
            source=first.name,
            offset=region.start,
            expected=f"its end at or below 0x{region.start:05x}",
            found=f"0x{found.end:05x}",
        )
    entry = page.table.find(nodemcu_page.EAGLEROM)
    if entry is not None and found.end > entry.address + entry.size:
        over = found.end - entry.address - entry.size
        larger = f" is {over:,} bytes larger than the EAGLEROM partition of NodeMCU's table"
        message = Phrase(first.name, larger)
        return [Finding(Severity.WARNING, "eaglerom", message, entry.address + entry.size)]
    return []


def _same_build(first: Piece, code: Piece, fit: Fit) -> list[Finding]:
    if not fit.mixed:
        return []
    message = Phrase(
        first.name,
        " and ",
        code.name,
        f" look like different builds: of the {fit.pointers} addresses in the second that name code of the "
        f"first only {fit.share:.0%} begin a function there",
    )
    return [Finding(Severity.WARNING, "mixed-builds", message, code.address)]


def header_cover(reading: Reading) -> Part | None:
    """The part with a check, or with what may be one, over the header of the image at 0; None for none."""
    # A length word alone, as MicroPython has one, covers no header; its MD5 leaves the header out.
    covered = [part for part in reading.parts if part.kind in _OVER_HEADER and part.checksum is not None]
    if KINDS[reading.kind].brings is Starter.RTOS:
        return None  # the SDK's tools compute none over the boot loader
    loose = [part for part in reading.parts if part.kind is PartKind.UNKNOWN]
    return next(iter(covered or loose), None)


def patched(piece: Piece, header: HeaderChange, reading: Reading | None = None) -> Piece:
    """The piece for address 0 with another image header.

    Args:
        piece: What it is now.
        header: What to change.
        reading: What its bytes were identified as, if that was asked already.

    Raises:
        FormatError: It is no image; a CoveredHeaderError where a check covers the header.
    """
    if piece.address != 0 or piece.data[0] != MAGIC:
        raise FormatError("there is no image header at address 0 to change", source=piece.name, offset=0)
    part = header_cover(identify(piece.data) if reading is None else reading)
    if part is not None:
        loose = part.kind is PartKind.UNKNOWN
        what = "what stands behind the image may cover the header" if loose else "a check covers the header"
        raise CoveredHeaderError(
            f"the header cannot be changed alone: {what}", source=piece.name, offset=part.offset
        )
    data = version1.patch_header(
        piece.data,
        mode=None if header.mode is None else FLASH_MODES[header.mode],
        freq=None if header.freq is None else FLASH_FREQUENCIES[header.freq],
        size=None if header.size is None else flash_size(header.size).code,
    )
    return replace(piece, data=data)


def _check_size(pieces: Sequence[Piece], header: HeaderChange) -> None:
    """What is asked to be a flash of some size must fit it."""
    if header.size is None:
        return
    check_in_flash(pieces[-1], flash_size(header.size))


def check_in_flash(piece: Piece, flash: FlashSize) -> None:
    """Refuse a piece that does not end within a flash.

    Raises:
        LayoutError: It does not.
    """
    if piece.end > flash.bytes:
        raise LayoutError(
            f"it leaves the flash of {flash.name}",
            source=piece.name,
            offset=flash.bytes,
            expected=f"its end at or below 0x{flash.bytes:06x}",
            found=f"0x{piece.end:06x}, {in_bytes(piece.end - flash.bytes)} too many",
        )
