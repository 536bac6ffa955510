"""Make a whole-flash image: firmware, init data, blank RF-cal and system-parameter sectors, file system, LFS.

The addresses come from imgtool.layout, by the firmware's generation and the flash size.  What they do not
justify is refused: a firmware whose layout is not known gets no image.  Not patching: of the inputs only
header bits change.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR, flash_size
from imgtool.errors import FormatError, LayoutError
from imgtool.formats import fill, nodemcu_page
from imgtool.formats.init_data import SIZE as INIT_DATA_SIZE
from imgtool.formats.init_data import InitData, is_init_data
from imgtool.formats.lfs import LfsImage
from imgtool.formats.reading import FileKind, Finding, PartKind, Severity
from imgtool.formats.spiffs import signature_at
from imgtool.layout import align_up, filesystem_start, layout_for
from imgtool.operations.describe import describe
from imgtool.operations.merge import HeaderChange, Piece, join, lay_out, merge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imgtool.chip import FlashSize
    from imgtool.formats.nodemcu_page import PartitionTable
    from imgtool.formats.reading import Firmware
    from imgtool.layout import FlashLayout, Region
    from imgtool.operations.describe import Description

__all__ = ["Extras", "FullImage", "InitDataSource", "fullimage"]


@dataclass(frozen=True, slots=True)
class InitDataSource:
    """Where init data comes from.

    Attributes:
        choice: ``auto``, ``keep``, ``none``, the name of a published set (``v05``, ``v08``), or ``file``.
        file: The bytes and name of a file, for ``file``.
        changes: Fields to set, by name, as texts.
    """

    choice: str = "auto"
    file: Piece | None = None
    changes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Extras:
    """What goes into the flash beside the firmware.

    Attributes:
        init_data: Where init data comes from.
        filesystem: A file system image; an address below 0 means the place where the firmware looks for it.
        lfs: An LFS image; it goes to the LFS partition.
    """

    init_data: InitDataSource = InitDataSource()
    filesystem: Piece | None = None
    lfs: Piece | None = None


@dataclass(frozen=True, slots=True)
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
_RENEWED: Final = (PartKind.RF_CAL, PartKind.INIT_DATA, PartKind.SYSTEM_PARAM, PartKind.BLANK, PartKind.GAP)
_FIRMWARE: Final = (PartKind.IMAGE_V1, PartKind.PARTITION_TABLE, PartKind.IROM)
_AT_ITS_PLACE: Final = -1
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
    merged = merge(pieces)
    source = describe(merged.data)
    _check_kind(source, pieces)
    _check_header(source, flash, keep=keep_header)
    table = _table(merged.data, source)
    irom_end = max(part.end for part in source.parts if part.kind in _FIRMWARE)
    layout = layout_for(flash, source.firmware, table, irom_end)
    change = replace(header, size=None if keep_header else size)
    kept = _kept_parts(merged.data, source, pieces)
    firmware = merge(kept, header=change) if change.any else merge(kept)
    added = [
        *_init_data(extras.init_data, layout, merged.data, source),
        *_filesystem(extras.filesystem, layout, source.firmware, irom_end),
        *_lfs(extras.lfs, layout, source.firmware),
    ]
    placed = lay_out([*firmware.pieces, *added])
    _check_fit(placed, firmware.pieces, layout)
    data = join(placed, flash.bytes, fill.ERASED)
    description = describe(data)
    findings = (
        *merged.findings,
        *layout.findings,
        *_advice(description, flash),
        *_filesystem_findings(extras.filesystem, source.firmware),
        *_left_out(source, extras.init_data),
    )
    return FullImage(data, flash, layout.rule, placed, description, findings, _name(source.firmware, flash))


def _check_kind(source: Description, pieces: Sequence[Piece]) -> None:
    if source.kind in (FileKind.AGGREGATED, FileKind.FLASH_DUMP):
        return
    if source.kind is FileKind.IMAGE_V1 and source.parts[-1].kind is not PartKind.UNKNOWN:
        raise FormatError(
            "this is only the image for 0x00000; the irom part (0x10000.bin) is missing",
            source=pieces[0].name,
            expected="an aggregated image or both of its parts",
            found=str(source.kind),
        )
    raise LayoutError(
        "imgtool knows no flash layout for this firmware, and makes none up",
        source=pieces[0].name,
        expected="an aggregated image, its parts, or an image of a flash",
        found=str(source.kind),
    )


def _check_header(source: Description, flash: FlashSize, *, keep: bool) -> None:
    stated = None if source.header is None else source.header.size
    if keep and stated != flash.name:
        raise LayoutError(
            "the size in the image header is to be kept, but does not agree with the size asked for",
            offset=3,
            expected=flash.name,
            found=stated or "a code without a meaning",
        )


def _table(data: bytes, source: Description) -> PartitionTable | None:
    for part in source.parts:
        if part.kind is PartKind.PARTITION_TABLE:
            page = nodemcu_page.page_at(data, part.offset)
            return None if page is None else page.table
    return None


def _kept_parts(data: bytes, source: Description, pieces: Sequence[Piece]) -> list[Piece]:
    """The parts of the input that go into the image, named after the inputs that they come from."""
    kept: list[Piece] = []
    for part in source.parts:
        if part.kind in _RENEWED:
            continue
        origin = next((piece.name for piece in pieces if piece.address <= part.offset < piece.end), "")
        block = data[part.offset : part.end]
        before = kept[-1] if kept else None
        if before is not None and before.end == part.offset and before.name == origin:
            kept[-1] = replace(before, data=before.data + block)
        else:
            kept.append(Piece(part.offset, block, origin))
    return kept


def _init_data(
    source: InitDataSource, layout: FlashLayout, data: bytes, description: Description
) -> list[Piece]:
    region = layout.find(PartKind.INIT_DATA)
    if source.choice == "none" or region is None:
        if source.changes:
            raise LayoutError("there is no init data to set fields in")
        return []
    base, name = _init_base(source, data, description)
    block = InitData.parse(base).replace(source.changes).build() + base[INIT_DATA_SIZE:]
    return [Piece(region.start, block, name)]


def _init_base(source: InitDataSource, data: bytes, description: Description) -> tuple[bytes, str]:
    """The bytes before any field is set, and what to call them."""
    if source.choice == "keep":
        for part in description.parts:
            if part.kind is PartKind.INIT_DATA:
                return data[part.offset : part.end].rstrip(b"\xff"), "init data of the input"
        raise FormatError(
            "the input holds no init data to keep", expected="init data at its place", found="none"
        )
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
    name = "v05" if source.choice == "auto" else source.choice
    return InitData.of_set(name).build(), f"init data {name}"


def _filesystem(
    image: Piece | None, layout: FlashLayout, firmware: Firmware | None, irom_end: int
) -> list[Piece]:
    if image is None:
        return []
    if not image.data:
        raise FormatError("the file is empty", source=image.name, expected="a file system", found="0 bytes")
    region = layout.find(PartKind.SPIFFS)
    if region is not None:
        if image.address not in (_AT_ITS_PLACE, region.start):
            raise LayoutError(
                "the firmware mounts only the file system in its partition",
                source=image.name,
                expected=f"address 0x{region.start:06x}",
                found=f"0x{image.address:06x}",
            )
        _check_in(image, region)
        return [replace(image, address=region.start)]
    if image.address != _AT_ITS_PLACE:
        return [image]
    start = filesystem_start(layout, firmware, align_up(irom_end, SECTOR))
    if start is None:
        raise LayoutError(
            "imgtool does not know where this firmware looks for a file system",
            source=image.name,
            expected="an address",
            found="none",
        )
    return [replace(image, address=start)]


def _lfs(image: Piece | None, layout: FlashLayout, firmware: Firmware | None) -> list[Piece]:
    if image is None:
        return []
    region = layout.find(PartKind.LFS)
    if region is None:
        raise LayoutError(
            "the firmware has no LFS partition",
            source=image.name,
            expected="NodeMCU 3.0 or later with a partition for LFS",
            found=layout.rule,
        )
    try:
        lfs = LfsImage.parse(image.data)
        _check_numbers(lfs, firmware)
        relocated = Piece(region.start, lfs.at(region.start), image.name)
    except FormatError as error:
        raise error.with_source(image.name) from None
    _check_in(relocated, region)
    return [relocated]


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
    if len(piece.data) > region.size:
        raise LayoutError(
            f"it does not fit {region.name}",
            source=piece.name,
            offset=region.start,
            expected=f"at most {region.size:,} bytes",
            found=f"{len(piece.data):,}, {len(piece.data) - region.size:,} too many",
        )


def _check_fit(placed: Sequence[Piece], firmware: Sequence[Piece], layout: FlashLayout) -> None:
    """Nothing leaves the flash, and the firmware and file systems stay out of what is reserved."""
    for piece in placed:
        if piece.end > layout.flash.bytes:
            raise LayoutError(
                f"it leaves a {layout.flash.name} flash",
                source=piece.name,
                offset=layout.flash.bytes,
                expected=f"its end at or below 0x{layout.flash.bytes:06x}",
                found=f"0x{piece.end:06x}, {piece.end - layout.flash.bytes:,} bytes too many",
            )
    own = {id(piece) for piece in firmware}
    for piece in placed:
        for region in layout.regions:
            if id(piece) not in own and piece.address == region.start:
                continue
            over = min(piece.end, region.end) - max(piece.address, region.start)
            if over > 0:
                raise LayoutError(
                    f"it reaches into {region.name} (0x{region.start:06x} to 0x{region.end - 1:06x}) "
                    f"by {over:,} bytes",
                    source=piece.name,
                    offset=max(piece.address, region.start),
                    expected=f"its end at or below 0x{region.start:06x}",
                    found=f"0x{piece.end:06x}",
                )


def _advice(description: Description, flash: FlashSize) -> list[Finding]:
    """The flash mode that NodeMCU's flashing guide recommends, where the header has another."""
    header = description.header
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


def _filesystem_findings(image: Piece | None, firmware: Firmware | None) -> list[Finding]:
    if image is None:
        return []
    signature = signature_at(image.data)
    if signature is None:
        if firmware is None or firmware.name != "NodeMCU":
            return []
        message = f"{image.name} is no SPIFFS that NodeMCU knows: its first boot would format it"
        return [Finding(Severity.WARNING, "filesystem", message)]
    release = () if firmware is None else firmware.release
    # Old formula: 1.5.4.1-20161201 up to 2.1.0-20170521; the releases at both edges exist with either.
    wanted = "old" if (2, 0) <= release < (2, 1) else "linear" if release >= (2, 2) else signature.formula
    if signature.formula == wanted:
        return []
    message = (
        f"{image.name} has the {signature.formula} SPIFFS magics, NodeMCU {firmware and firmware.version} "
        f"wants the {wanted} ones: its first boot would format it"
    )
    return [Finding(Severity.WARNING, "spiffs-formula", message)]


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
