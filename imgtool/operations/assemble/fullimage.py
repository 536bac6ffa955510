"""Make a whole-flash image: firmware, init data, blank RF-cal and system-parameter sectors, file system, LFS.

The addresses come from imgtool.layout, by the firmware's generation and the flash size.  What they do not
justify is refused: a firmware whose layout is not known gets no image.  Not patching: of the inputs only
header bits change.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from imgtool.chip import IROM_PLACE, flash_size
from imgtool.errors import FormatError, LayoutError
from imgtool.formats import fill
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import FileKind, Finding, PartKind, Severity
from imgtool.layout.file_room import NO_ROOM, room_findings
from imgtool.layout.fit import layout_for
from imgtool.layout.generations import generation_of
from imgtool.operations.assemble.extras import (
    FIRMWARE,
    InitDataSource,
    check_layout_known,
    filesystem_findings,
    irom_end_of,
    place_filesystem,
    place_init_data,
    place_lfs,
    table_of,
)
from imgtool.operations.assemble.filesystem import place_files
from imgtool.operations.assemble.joining import join, lay_out
from imgtool.operations.assemble.layout_places import outside_layout
from imgtool.operations.assemble.merge import check_in_flash, check_start, put_together
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.assemble.places import judged, misplaced, place, start_in
from imgtool.operations.assemble.right_places import right_places
from imgtool.operations.assemble.wrong_files import as_data, refuse_wrong_files
from imgtool.operations.inspect.describe import describe
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.chip import FlashSize
    from imgtool.formats.filesystems.stored_files import NewFile
    from imgtool.formats.reading import Firmware, Header
    from imgtool.layout.regions import FlashLayout
    from imgtool.operations.inspect.describe import Description

__all__ = ["Extras", "FullImage", "fullimage", "mode_advice"]


@dataclass(frozen=True, slots=True)
class Extras:
    """What goes into the flash beside the firmware.

    Attributes:
        init_data: Where init data comes from.
        filesystem: A file system image; an address below 0 means the place where the firmware looks for it.
        lfs: An LFS image; it goes to the LFS partition.
        files: Files of which a file system is made, as the firmware takes it; None for none.
    """

    init_data: InitDataSource = field(default_factory=InitDataSource)
    filesystem: Piece | None = None
    lfs: Piece | None = None
    files: tuple[NewFile, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FullImage:
    """A whole-flash image.

    Attributes:
        data: Its bytes, as many as the flash has.
        flash: The flash size.
        rule: What the addresses rest on, in words.
        pieces: What was put where, in address order.
        description: What the image is, read back.
        findings: What is to be said about it.
        name: A file name after firmware and size.
    """

    data: bytes
    flash: FlashSize
    rule: str
    pieces: tuple[Piece, ...]
    description: Description
    findings: tuple[Finding, ...]
    name: str


# Sectors that a new image starts with anew, whatever an input held in their place.
_RENEWED: Final = (PartKind.RF_CAL, PartKind.INIT_DATA, PartKind.SYSTEM_PARAM, PartKind.BLANK)
# Regions whose contents an image of a flash brings along.
_HELD: Final = (PartKind.SPIFFS, PartKind.LFS)
_FILE_SYSTEMS: Final = (PartKind.SPIFFS, PartKind.LITTLEFS)
_QUAD_FROM: Final = 0x8_0000
_DIO_FROM: Final = 0x40_0000


def fullimage(
    pieces: Sequence[Piece],
    size: str,
    extras: Extras = Extras(),
    *,
    header: HeaderChange = HeaderChange(),  # noqa: B008 - frozen
    keep_header: bool = False,
) -> FullImage:
    """Make the image of a whole flash.

    Args:
        pieces: The firmware: an aggregated image, its parts, or an image of a flash.
        size: Name of the flash size.
        extras: Init data, file system, LFS.
        header: Changes to mode and frequency; the size follows from ``size``.
        keep_header: Leave the size in the header as it is; it must agree with ``size`` then.

    Raises:
        FormatError: An input is damaged, or is not what it is given for.
        LayoutError: Something does not fit, overlaps, or has no place that can be justified.
        KeyError: No flash size has that name.
    """
    flash = flash_size(size)
    try:
        return _made(pieces, flash, extras, header=header, keep_header=keep_header)
    except LayoutError as error:
        given = [*pieces, *([] if extras.filesystem is None else [extras.filesystem])]
        # What lies in the sector of init data is made anew, unless it comes by name.
        error.moves = right_places(given, flash, known=error.moves, by_name=frozenset((FileKind.INIT_DATA,)))
        raise


def _made(
    pieces: Sequence[Piece], flash: FlashSize, extras: Extras, *, header: HeaderChange, keep_header: bool
) -> FullImage:
    ordered = lay_out(pieces)
    files = place(ordered)
    refuse_wrong_files(files, start_in(files))
    input_findings = check_start(files)
    data = join(ordered, ordered[-1].end, fill.ERASED)
    source = describe(data)
    check_layout_known(source, pieces[0].name)
    irom_start = _irom_start(source, pieces[0].name)
    _check_header(source, flash, keep=keep_header)
    table = table_of(source)
    irom_end = irom_end_of(source)
    layout = layout_for(flash, source.firmware, table, irom_end)
    input_findings += [*judged(misplaced(files, start_in(files))), *as_data(files)]
    input_findings += judged(outside_layout(files, layout, source.firmware, irom_end))
    change = replace(header, size=None if keep_header else flash.name)
    kept = _kept_parts(data, source, pieces, layout, irom_start, with_files=extras.files is None)
    firmware = put_together(kept, header=change)
    added = [
        *place_init_data(extras.init_data, layout, data, source),
        *place_filesystem(extras.filesystem, layout, source.firmware, irom_end),
        *place_lfs(extras.lfs, layout, source.firmware),
        *place_files(extras.files, layout, source.firmware, irom_end, data[:IROM_PLACE]),
    ]
    placed = lay_out([*firmware.pieces, *added])
    reserved = _reserved(layout, source.firmware)
    _check_fit(placed, firmware.pieces, reserved, in_flash=source.kind is FileKind.FLASH_DUMP)
    whole = join(placed, flash.bytes, fill.ERASED)
    description = describe(whole)
    findings = (
        *input_findings,
        *layout.findings,
        *mode_advice(description.header, flash),
        *filesystem_findings(extras.filesystem, layout, source.firmware),
        *_room_findings(layout, source, irom_end, description),
        *_left_out(source, extras.init_data),
    )
    return FullImage(
        data=whole,
        flash=flash,
        rule=layout.rule,
        pieces=placed,
        description=description,
        findings=findings,
        name=_name(source.firmware, flash),
    )


def _room_findings(
    layout: FlashLayout, source: Description, irom_end: int, made: Description
) -> tuple[Finding, ...]:
    """That the firmware can keep no file, unless the image that was made says so itself."""
    if any(each.code == NO_ROOM for each in made.findings):
        return ()
    files = min((part.offset for part in made.parts if part.kind is PartKind.SPIFFS), default=None)
    return room_findings(layout, source.firmware, irom_end, brought=files)


def _check_header(source: Description, flash: FlashSize, *, keep: bool) -> None:
    stated = None if source.header is None else source.header.size
    if keep and stated != flash.name:
        raise LayoutError(
            "the size in the image header is to be kept, but does not agree with the size asked for",
            offset=3,
            expected=flash.name,
            found=stated or "a code without a meaning",
        )


def _irom_start(source: Description, name: str | None) -> int:
    """The flash address of irom, or of the settings page in front of it.

    Raises:
        FormatError: The image of a flash holds no firmware, or only the half for 0x00000.
    """
    starts = [part.offset for part in source.parts if part.kind in FIRMWARE[1:]]
    if starts:
        return min(starts)
    half = any(part.kind is PartKind.IMAGE_V1 for part in source.parts)
    raise FormatError(
        "this flash holds only the image for 0x00000; the irom part (0x10000.bin) is missing"
        if half
        else "this flash holds no firmware",
        source=name,
        expected="an image at 0 and its irom part",
        found=KINDS[source.kind].words,
    )


def _kept_parts(
    data: bytes,
    source: Description,
    pieces: Sequence[Piece],
    layout: FlashLayout,
    irom_start: int,
    *,
    with_files: bool,
) -> list[Piece]:
    """The parts of the input that go into the image, named after the inputs that they come from.

    Args:
        data: The input.
        source: What it is.
        pieces: What it comes from.
        layout: The flash.
        irom_start: Flash address of irom.
        with_files: Whether a file system in it goes along; else another one takes its place.
    """
    kept: list[Piece] = []
    borders = {region.start for region in layout.regions if region.kind in _HELD}
    in_flash = source.kind is FileKind.FLASH_DUMP
    for part in source.parts:
        # Fill is kept where it may be somebody's: in a flash, behind the firmware.
        dropped = part.kind is PartKind.GAP and not (in_flash and part.offset > irom_start)
        if part.kind in _RENEWED or dropped or (part.kind in _FILE_SYSTEMS and not with_files):
            continue
        origin = next((piece.name for piece in pieces if piece.address <= part.offset < piece.end), "")
        block = data[part.offset : part.end]
        before = kept[-1] if kept else None
        joins = part.offset not in borders and before is not None and before.end == part.offset
        if before is not None and joins and before.name == origin:
            kept[-1] = replace(before, data=before.data + block)
        else:
            kept.append(Piece(part.offset, block, origin))
    return kept


def _reserved(layout: FlashLayout, firmware: Firmware | None) -> FlashLayout:
    """The layout without the sector of RF calibration where that is the application's."""
    if generation_of(firmware).keeps_rf_cal:
        return layout
    return replace(layout, regions=tuple(each for each in layout.regions if each.kind is not PartKind.RF_CAL))


def _check_fit(
    placed: Sequence[Piece], firmware: Sequence[Piece], layout: FlashLayout, *, in_flash: bool
) -> None:
    """Nothing leaves the flash, and the firmware and file systems stay out of what is reserved.

    Args:
        placed: Everything.
        firmware: What of it comes from the input.
        layout: The flash.
        in_flash: Whether the input is the image of a flash, which has file system and LFS in their regions.
    """
    for piece in placed:
        check_in_flash(piece, layout.flash)
    own = {id(piece) for piece in firmware}
    for piece in placed:
        for region in layout.regions:
            if id(piece) not in own and piece.address == region.start:
                continue
            begins = region.start <= piece.address if in_flash else region.start == piece.address
            own_region = region.kind in _HELD and begins
            if own_region and piece.end <= region.end:
                continue
            over = min(piece.end, region.end) - max(piece.address, region.start)
            if over > 0:
                raise LayoutError(
                    f"it reaches into {region.name} (0x{region.start:06x} to 0x{region.end - 1:06x}) "
                    f"by {in_bytes(over)}",
                    source=piece.name,
                    offset=max(piece.address, region.start),
                    expected=f"its end at or below 0x{region.start:06x}",
                    found=f"0x{piece.end:06x}",
                )


def mode_advice(header: Header | None, flash: FlashSize) -> list[Finding]:
    """The flash mode that NodeMCU's flashing guide recommends, where the header has another."""
    if header is None or header.mode is None:
        return []
    if flash.bytes == _QUAD_FROM and header.mode != "qio":
        wanted = "qio for 512KB modules"
    elif flash.bytes >= _DIO_FROM and header.mode != "dio":
        wanted = "dio for modules of 4MB and more"
    else:
        return []
    message = f"the flash mode is {header.mode}; NodeMCU's guide recommends {wanted} (ESP8285: dout)"
    return [Finding(Severity.NOTE, "flash-mode", message, 2)]


def _left_out(source: Description, init: InitDataSource) -> list[Finding]:
    kinds = [part.kind for part in source.parts if part.kind in (PartKind.INIT_DATA, PartKind.RF_CAL)]
    if PartKind.INIT_DATA not in kinds or init.choice == "keep":
        return []
    message = "the init data, RF-cal and system-parameter sectors that the input carries are left out"
    return [Finding(Severity.NOTE, "sectors-renewed", message)]


def _name(firmware: Firmware | None, flash: FlashSize) -> str:
    words = ["firmware"] if firmware is None else [firmware.name, firmware.version or ""]
    slug = "-".join(word.lower().replace(" ", "-") for word in words if word)
    return f"{slug}-{flash.name}.bin"
