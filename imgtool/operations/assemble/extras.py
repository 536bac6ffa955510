"""What goes into a flash beside the firmware, each at the place that the layout has for it.

Init data, file systems and LFS images for full-flash images, and for images that a merge places by name.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR, flash_size
from imgtool.errors import FormatError, LayoutError, Move, NoLayoutError
from imgtool.formats import fill
from imgtool.formats.containers.lfs import LfsImage
from imgtool.formats.filesystems.spiffs import signature_at
from imgtool.formats.filesystems.spiffs_files import read_files
from imgtool.formats.filesystems.spiffs_plain import plain_at
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import FileKind, Finding, PartKind, Severity
from imgtool.formats.regions.init_data import SIZE as INIT_DATA_SIZE
from imgtool.formats.regions.init_data import InitData, is_init_data
from imgtool.formats.regions.nodemcu_page import PartitionTable
from imgtool.layout.file_places import filesystem_start, spiffs_block
from imgtool.layout.first_boot import spiffs_formula
from imgtool.layout.fit import kept_regions, layout_for
from imgtool.layout.generations import generation_of
from imgtool.layout.regions import FlashLayout, align_up
from imgtool.operations.assemble.joining import join, lay_out
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.inspect.describe import describe
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imgtool.chip import FlashSize
    from imgtool.formats.kinds import KindRow
    from imgtool.formats.reading import Firmware
    from imgtool.layout.regions import Region
    from imgtool.operations.inspect.describe import Description

__all__ = [
    "AT_ITS_PLACE",
    "BY_FIRMWARE",
    "DEFAULT_SET",
    "InitDataSource",
    "check_layout_known",
    "check_named",
    "filesystem_findings",
    "init_data_block",
    "irom_end_of",
    "kept_layout",
    "layout_of",
    "own_init_data",
    "place_by_name",
    "place_filesystem",
    "place_init_data",
    "place_lfs",
    "place_named",
    "table_of",
]

BY_FIRMWARE: Final = "default"
"""The choice of init data that the firmware on a device decides."""

DEFAULT_SET: Final = "v05"
"""The published set for NodeMCU, and for all that is not known; no source says who needs v08."""

AT_ITS_PLACE: Final = -1
"""Address of a piece that goes where the firmware looks for it."""

# Parts of firmware that keeps its sectors elsewhere, or that a boot loader starts.
_OF_OTHERS: Final = (
    PartKind.APP,
    PartKind.BOOTLOADER,
    PartKind.IMAGE_V2,
    PartKind.LENGTH_CRC_WORDS,
    PartKind.MD5_TAIL,
    PartKind.RBOOT_CONFIG,
    PartKind.SHA256_TAIL,
)
FIRMWARE: Final = (PartKind.IMAGE_V1, PartKind.PARTITION_TABLE, PartKind.IROM)
"""The parts that are the firmware itself."""


@dataclass(frozen=True, slots=True)
class InitDataSource:
    """Where init data comes from.

    Attributes:
        choice: ``auto``, ``keep``, ``none``, the name of a published set (``v05``, ``v08``), ``file``, or
            ``default``: of a device, what its firmware needs.
        file: The bytes and name of a file, for ``file``.
        changes: Fields to set, by name, as texts.
    """

    choice: str = "auto"
    file: Piece | None = None
    changes: Mapping[str, str] = field(default_factory=dict)


def place_init_data(
    source: InitDataSource, layout: FlashLayout, data: bytes, description: Description
) -> list[Piece]:
    """The init data at its place; nothing for ``none``, and where the layout has no place for it.

    Args:
        source: Where it comes from.
        layout: The flash.
        data: The input, for ``keep``.
        description: What the input is.

    Raises:
        FormatError: The file is no init data, there is none to keep, or a field cannot have its value.
        LayoutError: Fields are to be set where there is no init data.
    """
    region = layout.find(PartKind.INIT_DATA)
    if source.choice == "none" or region is None:
        if source.changes:
            raise LayoutError("there is no init data to set fields in")
        return []
    kept = next((data[p.offset : p.end] for p in description.parts if p.kind is PartKind.INIT_DATA), None)
    block = init_data_block(source, None if kept is None else Piece(0, kept, "init data of the input"))
    return [replace(block, address=region.start)]


def own_init_data(pieces: Sequence[Piece]) -> str:
    """The choice of init data that leaves an image as it is: ``keep``, or ``none`` for a flash without any.

    ``auto`` for what is no image of a flash and has none.
    """
    description = describe(_joined(pieces))
    if any(part.kind is PartKind.INIT_DATA for part in description.parts):
        return "keep"
    return "none" if description.kind is FileKind.FLASH_DUMP else "auto"


def init_data_block(source: InitDataSource, kept: Piece | None = None) -> Piece:
    """The init data that a source stands for, at address 0.

    Args:
        source: Where it comes from.
        kept: What there is already, for ``keep``.

    Raises:
        FormatError: The file is no init data, there is none to keep, or a field cannot have its value.
    """
    base, name = _init_base(source, kept)
    block = InitData.parse(base).replace(source.changes).build() + base[INIT_DATA_SIZE:]
    count = len(source.changes)
    changed = f", {count} field{'s' if count > 1 else ''} set" if count else ""
    return Piece(0, block, Phrase(name, changed))


def _init_base(source: InitDataSource, kept: Piece | None) -> tuple[bytes, str]:
    """The bytes before any field is set, and what to call them."""
    if source.choice == "keep":
        if kept is not None:
            return kept.data.rstrip(b"\xff").ljust(INIT_DATA_SIZE, b"\xff"), kept.name
        raise FormatError("the input holds no init data to keep", expected="init data at its place")
    if source.choice == "file" and source.file is not None:
        block = source.file.data
        if not is_init_data(block) or len(block) > SECTOR or block[0] != InitData.of_set("v05").build()[0]:
            raise FormatError(
                "this is no init data",
                source=source.file.name,
                offset=0,
                expected=f"{INIT_DATA_SIZE} bytes that begin with 0x05",
                found=f"{len(block):,} bytes that begin with 0x{block[:1].hex() or '..'}",
            )
        return block, source.file.name
    name = DEFAULT_SET if source.choice in ("auto", BY_FIRMWARE) else source.choice
    return InitData.of_set(name).build(), f"init data {name}"


def place_filesystem(
    image: Piece | None, layout: FlashLayout, firmware: Firmware | None, irom_end: int
) -> list[Piece]:
    """The file system image at the address that was given for it, or where the firmware looks for it.

    Raises:
        FormatError: The image is empty.
        LayoutError: It does not fit, or is given another place than its partition, or no place is known.
    """
    if image is None:
        return []
    _check_not_empty(image)
    region = layout.find(PartKind.SPIFFS)
    if region is not None:
        if image.address not in (AT_ITS_PLACE, region.start):
            error = LayoutError(
                "the firmware mounts only the file system in its partition",
                source=image.name,
                expected=f"address 0x{region.start:06x}",
                found=f"0x{image.address:06x}",
                check="place",
            )
            error.moves = (Move(image.name, region.start),)
            raise error
        _check_in(image, region)
        return [replace(image, address=region.start)]
    if image.address != AT_ITS_PLACE:
        return [image]
    start = filesystem_start(layout, firmware, align_up(irom_end, SECTOR))
    if start is None:
        raise LayoutError(
            "imgtool does not know where this firmware looks for a file system",
            source=image.name,
            expected="an address",
        )
    return [replace(image, address=start)]


def place_lfs(image: Piece | None, layout: FlashLayout, firmware: Firmware | None) -> list[Piece]:
    """The LFS image, relocated to the firmware's LFS partition.

    Raises:
        FormatError: It is no LFS image, or one for another Lua or number type.
        LayoutError: The firmware has no LFS partition, or it is too small.
    """
    if image is None:
        return []
    region = layout.find(PartKind.LFS)
    if region is None:
        raise LayoutError(
            "the firmware has no LFS partition",
            source=image.name,
            expected="NodeMCU 3.0 or later, built with a partition for LFS",
            found=", ".join(region.name for region in layout.regions) or "a firmware without any",
        )
    try:
        relocated = Piece(region.start, _lfs_for(image, firmware).at(region.start), image.name)
    except FormatError as error:
        raise error.with_source(image.name) from None
    _check_in(relocated, region)
    return [relocated]


def _check_not_empty(image: Piece) -> None:
    if not image.data:
        raise FormatError("the file is empty", source=image.name, expected="a file system")


def _lfs_for(image: Piece, firmware: Firmware | None) -> LfsImage:
    """The LFS image in a piece, if the firmware takes it wherever its partition is."""
    try:
        lfs = LfsImage.parse(image.data)
        _check_numbers(lfs, firmware)
    except FormatError as error:
        raise error.with_source(image.name) from None
    return lfs


def _check_numbers(lfs: LfsImage, firmware: Firmware | None) -> None:
    """The firmware refuses an image of the other Lua or the other number type."""
    if firmware is None:
        return
    if firmware.lua is not None and not firmware.lua.startswith("5.1"):
        raise FormatError("the LFS image is for another Lua", expected=f"Lua {firmware.lua}", found="Lua 5.1")
    built = firmware.details.get("build type")
    if built in ("integer", "float") and built != lfs.number_type:
        raise FormatError("the LFS image has another number type", expected=built, found=lfs.number_type)


def _check_in(piece: Piece, region: Region) -> None:
    _check_size(piece, region.name, region.size, region.start)


def _check_size(piece: Piece, where: str, size: int, start: int | None = None) -> None:
    if len(piece.data) > size:
        raise LayoutError(
            f"it does not fit {where}",
            source=piece.name,
            offset=start,
            expected=f"at most {size:,} bytes",
            found=f"{len(piece.data):,}, {len(piece.data) - size:,} too many",
        )


def table_of(source: Description) -> PartitionTable | None:
    """The NodeMCU partition table in a file that is described, None where there is none."""
    value = next((part.value for part in source.parts if part.kind is PartKind.PARTITION_TABLE), None)
    return value if isinstance(value, PartitionTable) else None


def filesystem_findings(image: Piece | None, layout: FlashLayout, firmware: Firmware | None) -> list[Finding]:
    """Why a NodeMCU firmware would format the file system image that goes with it; empty if it would not."""
    row = generation_of(firmware)
    if image is None or firmware is None or not row.is_nodemcu:
        return []
    signature = signature_at(image.data)
    if row.files is not None and row.without_magics:
        return _without_magics(image, firmware, row.files.pages)
    if signature is None:
        return [_formats(image, "is no SPIFFS that NodeMCU knows")]
    wanted = spiffs_formula(firmware)
    if wanted is None and row.finds_files:
        words = (
            f" has the {signature.formula} SPIFFS magics; some builds of NodeMCU {firmware.version} want "
            "these, and some the others: those would format it at the first boot"
        )
        return [Finding(Severity.WARNING, "filesystem-magics", Phrase(image.name, words))]
    region = layout.find(PartKind.SPIFFS)
    block = signature.block_size if region is None else spiffs_block(layout, region.size)
    reason = ""
    if signature.formula != (wanted or signature.formula):
        reason = (
            f"has the {signature.formula} SPIFFS magics, NodeMCU {firmware.version} wants the {wanted} ones"
        )
    elif signature.block_size != block:
        reason = f"has blocks of {signature.block_size} bytes, in this partition NodeMCU uses {block}"
    return [_formats(image, reason)] if reason else []


def _without_magics(image: Piece, firmware: Firmware, pages: str) -> list[Finding]:
    """Why a NodeMCU that knows no magics, and so takes any SPIFFS for its own, would not read an image."""
    found = signature_at(image.data) or plain_at(image.data)
    if found is None:
        what = "is no SPIFFS that NodeMCU knows"
    else:
        system = read_files(image.data, 0, len(image.data), block_size=found.block_size, blocks=found.blocks)
        if system.layout == pages and found.block_size == SECTOR:
            return []
        what = f"has blocks of {found.block_size} bytes, and its index pages are {system.layout}"
    words = f" {what}; NodeMCU {firmware.version} has others, and would show files that are broken"
    return [Finding(Severity.WARNING, "filesystem-misread", Phrase(image.name, words))]


def _formats(image: Piece, reason: str) -> Finding:
    message = Phrase(image.name, f" {reason}: the first boot would format it")
    return Finding(Severity.WARNING, "filesystem-formatted", message)


def check_layout_known(source: Description, name: str | None) -> None:
    """Refuse what is no firmware whose flash layout is known.

    Raises:
        FormatError: The irom part, or the image for 0 before it, is missing.
        LayoutError: It is another firmware, or none; a NoLayoutError where it starts all the same.
    """
    row = KINDS[source.kind]
    foreign = [part for part in source.parts if part.kind in _OF_OTHERS]
    if row.has_layout and not foreign:
        return
    if row.other_half and (not row.first_half or source.parts[-1].kind is not PartKind.UNKNOWN):
        lacks = "the irom part" if row.first_half else "the image for 0x00000"
        raise FormatError(
            f"this is only one half of a firmware ({row.words}); {lacks} ({row.other_half}) is missing",
            source=name,
        )
    starts = row.at_start and row.brings is not None
    if foreign and source.kind is FileKind.FLASH_DUMP:
        starts, why = True, f"it is complete as it is, with other firmware in it ({foreign[0].kind})"
    elif row.first_half:
        why = "nothing tells what the bytes behind its image are"
    else:
        why = row.no_layout or _instead(row)
    error = NoLayoutError if starts else LayoutError
    raise error(f"imgtool knows no flash layout for this file ({row.words}): {why}", source=name)


def _instead(row: KindRow) -> str:
    """What a file is rather than the firmware for address 0."""
    if row.belongs:
        return f"it goes to {row.belongs}"
    what = row.no_content or row.no_start
    return f"it is {what}" if what else "it is no firmware"


def kept_layout(source: Description, flash: FlashSize) -> FlashLayout | None:
    """The SDK's own sectors on a flash, of a firmware of whose layout no more is known; None for any other.

    MicroPython reads and writes them where the SDK has them, and makes its file system by itself.
    """
    if source.kind is not FileKind.MICROPYTHON:
        return None
    row = generation_of(source.firmware)
    return FlashLayout(flash, kept_regions(row, flash.bytes), row.rule)


def layout_of(description: Description) -> FlashLayout:
    """What the firmware in a file reserves, on the flash that its image header states.

    Raises:
        FormatError: The irom part is missing.
        LayoutError: It is another firmware, or the size in the header has no meaning.
    """
    check_layout_known(description, None)
    stated = None if description.header is None else description.header.flash_size
    if stated is None:
        raise LayoutError(
            "the flash size in the image header has no meaning, so nothing tells what lies where"
        )
    table = table_of(description)
    return layout_for(stated, description.firmware, table, irom_end_of(description))


def irom_end_of(description: Description) -> int:
    """The flash address behind the firmware's own parts."""
    return max((part.end for part in description.parts if part.kind in FIRMWARE), default=0)


def place_by_name(
    pieces: Sequence[Piece], named: Sequence[tuple[str, Piece]], size: str | None
) -> tuple[Piece, ...]:
    """The named pieces with the addresses that the firmware in ``pieces`` has for them.

    Args:
        pieces: The firmware.
        named: Names (``@init-data``, ``@rf-cal``, ``@lfs``, ``@spiffs``) and their pieces.
        size: Name of the flash size; None takes the one in the image header.

    Raises:
        FormatError: A piece is not what it is given for.
        LayoutError: The firmware has no such place, or it is too small.
    """
    data = _joined(pieces)
    firmware = describe(data)
    check_layout_known(firmware, pieces[0].name)
    end = irom_end_of(firmware)
    layout = layout_for(_flash_of(firmware, size), firmware.firmware, table_of(firmware), end)
    return place_named(named, layout, firmware.firmware, end)


def _joined(pieces: Sequence[Piece]) -> bytes:
    ordered = lay_out(pieces)
    return join(ordered, ordered[-1].end, fill.ERASED)


def check_named(named: Sequence[tuple[str, Piece]], firmware: Firmware | None) -> None:
    """Refuse pieces that are right at their named places in no layout: what can be said before there is one.

    Args:
        named: Names and their pieces, as for :func:`place_named`.
        firmware: Which firmware they go with; None where it is not known.

    Raises:
        FormatError: A piece is not what it is given for.
        LayoutError: It is too large for its place in any flash.
    """
    for name, piece in named:
        if name == "@lfs":
            _lfs_for(piece, firmware)
        elif name == "@spiffs":
            _check_not_empty(piece)
        elif name == "@init-data":
            init_data_block(InitDataSource("file", piece))
        else:
            _check_size(piece, "the sector of RF calibration", SECTOR)


def place_named(
    named: Sequence[tuple[str, Piece]], layout: FlashLayout, firmware: Firmware | None, irom_end: int
) -> tuple[Piece, ...]:
    """The named pieces with the addresses that a layout has for them.

    Args:
        named: Names (``@init-data``, ``@rf-cal``, ``@lfs``, ``@spiffs``) and their pieces.
        layout: The flash.
        firmware: Which firmware; None where it is not known.
        irom_end: Flash address behind its irom part.

    Raises:
        FormatError: A piece is not what it is given for.
        LayoutError: The firmware has no such place, or it is too small.
    """
    placed: list[Piece] = []
    for name, piece in named:
        if name == "@lfs":
            placed += place_lfs(piece, layout, firmware)
        elif name == "@spiffs":
            placed += place_filesystem(replace(piece, address=AT_ITS_PLACE), layout, firmware, irom_end)
        elif name == "@init-data":
            region = layout.find(PartKind.INIT_DATA)
            if region is not None:
                block = init_data_block(InitDataSource("file", piece))
                placed.append(replace(block, address=region.start))
        else:
            region = layout.find(PartKind.RF_CAL)
            if region is not None:
                _check_in(piece, region)
                placed.append(replace(piece, address=region.start))
    return tuple(placed)


def _flash_of(firmware: Description, size: str | None) -> FlashSize:
    if size is not None:
        return flash_size(size)
    stated = None if firmware.header is None else firmware.header.flash_size
    if stated is None:
        raise LayoutError("no flash size to place things by: the image header states none", offset=3)
    return stated
