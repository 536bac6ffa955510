"""What is in a flash before and after a write: the values that the rules of an advice go by.

A device is read in small stretches, a file is at hand as a whole.  No rule on what becomes of things is here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import FLASH_SIZES, SECTOR
from imgtool.errors import LayoutError
from imgtool.formats import fill
from imgtool.formats.littlefs import superblock_at
from imgtool.formats.reading import FileKind, PartKind
from imgtool.formats.spiffs import MAGIC_OFFSET, SpiffsSignature, blocks_left, magic_of, probe, signature_at
from imgtool.formats.spiffs_plain import plain_at
from imgtool.layout import (
    FlashLayout,
    align_up,
    arduino_regions,
    filesystem_places,
    layout_for,
    table_regions,
)
from imgtool.operations.describe import describe
from imgtool.operations.device_settings import (
    PAGE_ADDRESS,
    device_header,
    device_page,
    find_filesystems,
    spiffs_on,
)
from imgtool.operations.extras import FIRMWARE
from imgtool.operations.first_boot import is_old_nodemcu, spiffs_block, spiffs_room

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imgtool.chip import FlashSize
    from imgtool.formats.nodemcu_page import RecordPage
    from imgtool.formats.reading import Firmware, Header
    from imgtool.operations.describe import Description
    from imgtool.operations.device_settings import Reader
    from imgtool.operations.flash_checks import Content
    from imgtool.operations.pieces import Piece

__all__ = [
    "FoundFileSystem",
    "LfsRegion",
    "OldFlash",
    "Side",
    "mounted",
    "mounts",
    "overlaid",
    "probed",
    "side_after",
    "side_before",
]

_CHUNK: Final = 0x2000
_CODE_END: Final = 0x10_0000  # the cache window: no irom goes on behind it
_LFS_MARK: Final = b"\xa1\xfa\xfa"  # bytes 1 to 3 of a Lua 5.1 LFS signature
_LFS_MARK_53: Final = b"\xa2\xfa\xfa"
_SIGNATURE: Final = 4
_PLAIN_STEP: Final = 0x4000
_WITH_LFS: Final = (2,)  # before 3.0; 2.2 is the first
_MOST_BLOCKS: Final = 0x1000  # of 4 KB in 16 MB
_LOOKED_AT: Final = 5  # blocks
_ERASED_MAGIC: Final = b"\xff\xff"


class FoundFileSystem(NamedTuple):
    """A file system in a flash.

    Attributes:
        kind: SPIFFS, LittleFS.
        start: Flash address.
        size: Bytes, by what it says of itself.
        block: Bytes of a block; 0 where that does not matter.
        formula: Of SPIFFS: ``linear``, ``old``, or ``none`` without magics.
    """

    kind: PartKind
    start: int
    size: int
    block: int = 0
    formula: str = ""

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.start + self.size

    @property
    def name(self) -> str:
        """The kind as people write it."""
        return "SPIFFS" if self.kind is PartKind.SPIFFS else "LittleFS"

    @property
    def where(self) -> str:
        """Place and size in words."""
        return f"0x{self.start:06x} ({self.size:,} bytes)"


class LfsRegion(NamedTuple):
    """A place for LFS: address, bytes, and the signature of what is loaded there; 0 for nothing."""

    start: int
    size: int
    signature: int = 0

    @property
    def lua(self) -> str:
        """The Lua of what is loaded; empty where nothing is."""
        return {0xA1: "5.1", 0xA2: "5.3"}.get(self.signature >> 8 & 0xFF, "")


@dataclass(frozen=True, slots=True)
class OldFlash:
    """What there is before an upgrade.

    Attributes:
        read: Reads it; what is not there reads as erased.
        size: How many bytes from 0 on can be read.
        capacity: Bytes of the flash.
        kind: ``device``, or the kind of the file.
        data: All of it, where it is at hand.
        assumed: Whether it was made from an image: a chip that the image was flashed to and that booted once.
        embedded: Whether the flash is in the package (ESP8285).
    """

    read: Reader
    size: int
    capacity: int
    kind: str
    data: bytes | None = None
    assumed: bool = False
    embedded: bool = False

    @classmethod
    def of_dump(cls, data: bytes, capacity: int, kind: str) -> OldFlash:
        """The dump of a flash, which may be shorter than that."""

        def read(address: int, size: int) -> bytes:
            return data[address : address + size].ljust(size, b"\xff")

        return cls(read, len(data), capacity, kind, data)


@dataclass(frozen=True, slots=True)
class Side:
    """A flash and the firmware in it, at one moment.

    Attributes:
        read: Reads the flash.
        size: How many bytes from 0 on are known.
        capacity: Bytes of the flash.
        kind: What the firmware is.
        firmware: Which it is, by its strings.
        header: The image header at 0.
        flash: The size that it states.
        irom_end: Flash address behind the firmware; 0 where that is not known.
        page: NodeMCU's record page.
        layout: What the firmware reserves; None where that is not known.
        problem: Why there is no layout.
        boot: The first 64 KB.
        filesystems: What file systems stand there, in address order.
        written: The stretches that a write has covered.
        code: The old firmware, as far as it was read, with what follows on it.
        assumed: Whether it was made from an image, see OldFlash.
    """

    read: Reader
    size: int
    capacity: int
    kind: FileKind
    firmware: Firmware | None
    header: Header | None
    flash: FlashSize | None
    irom_end: int
    page: RecordPage | None
    layout: FlashLayout | None
    problem: str
    boot: bytes
    filesystems: tuple[FoundFileSystem, ...] = ()
    written: tuple[tuple[int, int], ...] = ()
    code: bytes = b""
    assumed: bool = False

    @property
    def nodemcu(self) -> bool:
        """Whether it is NodeMCU, of a release that is known."""
        return self.firmware is not None and self.firmware.name == "NodeMCU" and bool(self.firmware.release)

    @property
    def release(self) -> tuple[int, ...]:
        """Its release as numbers; empty for other firmware."""
        return self.firmware.release if self.firmware is not None and self.nodemcu else ()

    @property
    def partitions(self) -> bool:
        """Whether it goes by a partition table."""
        return self.page is not None and self.page.table is not None

    @property
    def name(self) -> str:
        """The firmware in words."""
        if self.firmware is None:
            return str(self.kind)
        return f"{self.firmware.name} {self.firmware.version or ''}".strip()

    @property
    def lfs(self) -> LfsRegion | None:
        """Where LFS is, and what is loaded there; None where there is no place for it."""
        return _lfs_of(self)

    def hit(self, start: int, end: int) -> bool:
        """Whether the write covers some of a stretch."""
        return any(a < end and start < b for a, b in self.written)


def overlaid(read: Reader, pieces: Sequence[Piece]) -> Reader:
    """Reads a flash as it is with pieces written over it."""

    def over(address: int, size: int) -> bytes:
        # Mostly one piece covers it all, and then the flash beneath is not asked: it may be a device.
        for piece in pieces:
            if piece.address <= address and address + size <= piece.end:
                return piece.data[address - piece.address : address - piece.address + size]
        block = bytearray(read(address, size))
        for piece in pieces:
            start, stop = max(address, piece.address), min(address + size, piece.end)
            if start < stop:
                block[start - address : stop - address] = piece.data[
                    start - piece.address : stop - piece.address
                ]
        return bytes(block)

    return over


# Before.


def side_before(old: OldFlash) -> Side:
    """The flash as it is."""
    data = _firmware_bytes(old) if old.data is None else old.data
    found = describe(data)
    header = device_header(old.read)
    flash = None if header is None else header.flash_size
    held = device_page(old.read)
    page = None if held is None else held[1]
    files = _first_filesystem(data)
    end = min(_irom_end(found), files)
    side = Side(
        old.read,
        old.size,
        old.capacity,
        found.kind,
        found.firmware,
        header,
        flash,
        end,
        page,
        None,
        "",
        data[:PAGE_ADDRESS],
        code=data[: min(files, _CODE_END)],
        assumed=old.assumed,
    )
    side = _by_its_table(_with_layout(side, _is_arduino(found)))
    return replace(side, filesystems=_filesystems(old, side))


def _firmware_bytes(old: OldFlash) -> bytes:
    """As much of a device as its firmware takes: up to a file system, or the first chunk that ends erased.

    Of the 64 KB in front of irom that is the image alone: without a stub a kilobyte takes most of a second.
    """
    data = b""
    while len(data) < PAGE_ADDRESS:
        sector = old.read(len(data), SECTOR)
        if fill.is_fill(sector, 0, len(sector)):
            break
        data += sector
    data = data.ljust(PAGE_ADDRESS, b"\xff")
    while len(data) < min(old.capacity, _CODE_END):
        chunk = old.read(len(data), min(_CHUNK, old.capacity - len(data)))
        data += chunk
        if fill.is_fill(chunk, len(chunk) - SECTOR, len(chunk)):
            break
    # What was read may end inside of the first blocks: the magics behind it are read for themselves.
    for start in range(PAGE_ADDRESS + SECTOR, len(data), SECTOR):
        left = blocks_left(data, start)
        if left is not None and left <= _MOST_BLOCKS and spiffs_on(old.read, start) is not None:
            return data[:start].rstrip(b"\xff")
    return data[: _first_filesystem(data)].rstrip(b"\xff")


def _first_filesystem(data: bytes) -> int:
    """Where the first file system behind the record page begins; the end of the data where there is none."""
    for start in range(PAGE_ADDRESS + SECTOR, min(len(data), _CODE_END), SECTOR):
        if data[start + 8 : start + 16] == b"littlefs" and superblock_at(data[start : start + SECTOR]):
            return start
        if blocks_left(data, start) is not None and signature_at(data, start) is not None:
            return start
        # Releases without magics begin it at 16 KB steps; every page of it is looked at.
        erased = data[start : start + 2] == _ERASED_MAGIC
        if start % _PLAIN_STEP == 0 and not erased and plain_at(data, start) is not None:
            return start
    return len(data)


def _irom_end(found: Description) -> int:
    """The address behind irom that follows on the image at 0; code further on is not of it."""
    end = 0
    for part in found.parts:
        if part.kind in FIRMWARE and (part.offset <= PAGE_ADDRESS or part.offset == end):
            end = max(end, part.end)
    return end


def _is_arduino(found: Description) -> bool:
    return any(part.kind is PartKind.APP for part in found.parts) and (
        found.kind is FileKind.ARDUINO
        or (found.firmware is not None and found.firmware.name not in ("NodeMCU", "ESP8266 AT"))
    )


def _by_its_table(side: Side) -> Side:
    """A flash without an image at 0, as an interrupted write leaves it: a resolved table still holds."""
    table = None if side.page is None else side.page.table
    size = next((size for size in FLASH_SIZES if size.bytes == side.capacity), None)
    if side.header is not None or table is None or not table.resolved or size is None:
        return side
    return replace(side, layout=FlashLayout(size, table_regions(table), "the partition table"), problem="")


def _with_layout(side: Side, arduino: bool) -> Side:
    if side.flash is None:
        return replace(side, problem="the size in the image header has no meaning")
    if arduino:
        regions = arduino_regions(side.flash.bytes)
        return replace(side, layout=FlashLayout(side.flash, regions, "the Arduino core's"))
    table = None if side.page is None else side.page.table
    try:
        return replace(side, layout=layout_for(side.flash, side.firmware, table, side.irom_end))
    except LayoutError as error:
        return replace(side, problem=str(error))


def _filesystems(old: OldFlash, side: Side) -> tuple[FoundFileSystem, ...]:
    """Everything in the flash that begins like a file system, none inside another."""
    if old.data is None:
        found = [_told(old.read, region.start, region.kind, region.size) for region in _looked_for(old, side)]
    else:
        found = _scanned(old.data, old.capacity)
    if is_old_nodemcu(side.firmware):
        start = len(side.code)
        data = old.data if old.data is not None else b""
        plain = plain_at(data[: old.capacity], start) if start < len(data) else None
        if plain is not None:
            size = plain.block_size * plain.blocks
            found.append(FoundFileSystem(PartKind.SPIFFS, start, size, plain.block_size, "none"))
    return tuple(sorted(found, key=lambda each: each.start))


def _looked_for(old: OldFlash, side: Side) -> list[FoundFileSystem]:
    places: set[int] = set()
    if side.layout is not None and side.nodemcu:
        region = side.layout.find(PartKind.SPIFFS)
        places |= set(filesystem_places(side.layout, side.firmware, align_up(side.irom_end, SECTOR)))
        places |= set() if region is None else {region.start}
    found = find_filesystems(old.read, old.capacity, sorted(places)) if places else ()
    if not found:
        found = find_filesystems(old.read, old.capacity)
    return [FoundFileSystem(region.kind, region.start, region.size) for region in found]


def _told(read: Reader, start: int, kind: PartKind, size: int) -> FoundFileSystem:
    signature = spiffs_on(read, start) if kind is PartKind.SPIFFS else None
    if signature is None:
        return FoundFileSystem(kind, start, size)
    return FoundFileSystem(kind, start, signature.size, signature.block_size, signature.formula)


def _scanned(data: bytes, capacity: int) -> list[FoundFileSystem]:
    """The file systems at sector starts, as a dump of a used flash may hold several."""
    found: list[FoundFileSystem] = []
    for start in range(PAGE_ADDRESS, len(data), SECTOR):
        if found and start < found[-1].end:
            continue
        # An erased block in front of a file system looks like its first one.
        signature = None if blocks_left(data, start) is None else signature_at(data, start)
        if signature is not None and start + signature.size <= capacity:
            kind = PartKind.SPIFFS
            size, block, formula = signature.size, signature.block_size, signature.formula
            found.append(FoundFileSystem(kind, start, size, block, formula))
            continue
        if data[start + 8 : start + 16] == b"littlefs":
            little = superblock_at(data[start : start + SECTOR])
            if little is not None and start + little.size <= capacity:
                found.append(FoundFileSystem(PartKind.LITTLEFS, start, little.size))
    return found


def _lfs_of(side: Side) -> LfsRegion | None:
    if side.partitions:
        region = None if side.layout is None else side.layout.find(PartKind.LFS)
        if region is None:
            return None
        word = side.read(region.start, _SIGNATURE)
        loaded = word[1:] in (_LFS_MARK, _LFS_MARK_53)
        return LfsRegion(region.start, region.size, int.from_bytes(word, "little") if loaded else 0)
    # Before 3.0 it is the last pages of irom; it begins at a page, and what is loaded there has a signature.
    for start in range(PAGE_ADDRESS, len(side.code) if side.release[:1] == _WITH_LFS else 0, SECTOR):
        word = side.code[start : start + _SIGNATURE]
        if word[1:] == _LFS_MARK:
            return LfsRegion(start, len(side.code) - start, int.from_bytes(word, "little"))
    return None


# After.


def side_after(before: Side, pieces: Sequence[Piece], content: Content) -> Side:
    """The flash with pieces written to it, as their firmware will find it.

    Args:
        before: The flash as it is.
        pieces: What is written, whole sectors.
        content: What the new image is.
    """
    read = overlaid(before.read, pieces)
    header = device_header(read)
    flash = None if header is None else header.flash_size
    main = content.main
    foreign = main is not None and main.firmware is not None and main.firmware.name != "NodeMCU"
    held = None if foreign else device_page(read)  # no other firmware goes by that page
    page = None if held is None else held[1]
    end = 0 if main is None else content.start + _irom_end(main)
    if main is not None and main.kind is FileKind.IMAGE_V1 and before.irom_end > end:
        end = before.irom_end  # half of a firmware: what is behind it stays
    if main is not None and content.start:
        end = content.start + max((part.end for part in main.parts if part.kind in FIRMWARE), default=0)
    stated = None if page is None or page.table is None else page.table.irom_end
    side = Side(
        read,
        before.size,
        before.capacity,
        FileKind.UNKNOWN if main is None else main.kind,
        None if main is None else main.firmware,
        header,
        flash,
        stated or end,
        page,
        None,
        "",
        read(0, PAGE_ADDRESS),
        written=tuple((piece.address, piece.end) for piece in pieces),
    )
    return _with_layout(side, main is not None and _is_arduino(main))


def mounted(side: Side, formula: str | None) -> FoundFileSystem | None:
    """The file system that NodeMCU from 1.5.4.1 on mounts; None where it mounts none, and formats.

    Args:
        side: The flash.
        formula: Of its magics; None takes either.
    """
    found = probed(side, formula)
    return found if found is not None and mounts(side, found, formula) else None


def probed(side: Side, formula: str | None) -> FoundFileSystem | None:
    """What such a NodeMCU takes for a file system, first of all, and does not look on behind.

    Args:
        side: The flash.
        formula: Of its magics; None takes either, and any block size.
    """
    if side.layout is None:
        return None
    region = side.layout.find(PartKind.SPIFFS)
    places = (
        (region.start,)
        if region is not None
        else filesystem_places(side.layout, side.firmware, align_up(side.irom_end, SECTOR))
    )
    formulas = ("linear", "old") if formula is None else (formula,)
    for place in places:
        # Two bytes tell most places that hold none.
        if side.read(place + 0xFC, 2) == b"\xff\xff" == side.read(place + 0x20FC, 2):
            continue
        for block in (0x2000, 0x1000) if formula is None else sorted(_room(side, place)):
            left = [_left(side.read, place + number * block) for number in range(3)]
            found = probe(left, block, formulas)
            if found is not None:
                return FoundFileSystem(PartKind.SPIFFS, place, found.size, block, found.formula)
    return None


def _room(side: Side, start: int) -> Mapping[int, int]:
    """How many bytes a SPIFFS may have that begins at an address, by the block sizes looked for there."""
    if side.layout is None:
        return {}
    region = side.layout.find(PartKind.SPIFFS)
    if region is None:
        return spiffs_room(side.layout, side.firmware, start)
    block = spiffs_block(region.size)
    return {block: region.size // block * block}


def _left(read: Reader, block: int) -> int | None:
    return blocks_left(bytes(MAGIC_OFFSET) + read(block + MAGIC_OFFSET, 2), 0)


def mounts(side: Side, found: FoundFileSystem, formula: str | None) -> bool:
    """Whether the mount accepts what was probed: no larger than there is room, and with all of its magics."""
    if side.layout is None or found.end > side.capacity:
        return False
    if formula is not None and found.size > _room(side, found.start).get(found.block, 0):
        return False
    signature = SpiffsSignature(found.block, found.size // found.block, found.formula)
    return _ends_well(side, found.start, signature)


def _ends_well(side: Side, start: int, signature: SpiffsSignature) -> bool:
    """Whether the mount accepts what the probe found: it looks at every block, and lets one be erased.

    Looked at here are the first five and the last.
    """
    erased = 0
    for number in sorted({*range(min(_LOOKED_AT, signature.blocks)), signature.blocks - 1}):
        place = start + number * signature.block_size + MAGIC_OFFSET
        if place + 2 > side.size:
            break
        magic = side.read(place, 2)
        erased += magic == _ERASED_MAGIC
        if erased > 1 or magic not in (_ERASED_MAGIC, magic_of(signature, number)):
            return False
    return True
