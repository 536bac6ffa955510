"""What is in a flash before and after a write: looks at it, and fills in the values of side.py.

A device is read in small stretches, a file is at hand as a whole.  What a firmware mounts of it is
mount.py; no rule on what becomes of things is here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES, SECTOR
from imgtool.errors import LayoutError
from imgtool.formats import fill
from imgtool.formats.filesystems.littlefs import superblock_at
from imgtool.formats.filesystems.spiffs import (
    CONSTANT_MAGIC,
    MAGIC_OFFSET,
    blocks_left,
    in_front,
    signature_at,
)
from imgtool.formats.filesystems.spiffs_plain import PlainSpiffs, plain_at
from imgtool.formats.kinds import KINDS, Starter
from imgtool.formats.reading import FileKind, PartKind
from imgtool.formats.regions.nodemcu_page import PAGE_ADDRESS
from imgtool.layout.file_places import filesystem_places, places_before_tables
from imgtool.layout.fit import kept_regions, layout_for
from imgtool.layout.generations import ARDUINO, generation, generation_of
from imgtool.layout.nodemcu import table_regions
from imgtool.layout.regions import FlashLayout, align_up
from imgtool.layout.traits import Magics
from imgtool.operations.assemble.extras import FIRMWARE
from imgtool.operations.inspect.describe import describe
from imgtool.operations.inspect.device_settings import (
    constant_on,
    device_header,
    device_page,
    find_filesystems,
    read_ahead,
    spiffs_on,
)
from imgtool.operations.upgrade.side import FlashSide, FoundFileSystem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgtool.formats.reading import Firmware
    from imgtool.operations.assemble.pieces import Piece
    from imgtool.operations.inspect.describe import Description
    from imgtool.operations.inspect.device_settings import Reader
    from imgtool.operations.upgrade.side import OldFlash

__all__ = ["firmware_on", "overlaid", "plain_on", "side_after", "side_before", "with_geometry", "with_layout"]

_CHUNK: Final = 0x2000
_CODE_END: Final = 0x10_0000  # the cache window: no irom goes on behind it
_MOST_BLOCKS: Final = 0x1000  # of 4 KB in 16 MB
_ERASED_ENTRY: Final = b"\xff\xff"
_DELETED_ENTRY: Final = b"\0\0"
_FLAGS_AT: Final = 4  # in a page; active low
_NOT_USED: Final = 0x01
_NOT_DELETED: Final = 0x80
_ENTRY: Final = 2
_LOOKUP: Final = 30  # bytes of the entries of a block of 4 KB, of which the lookup page takes one page
_PAGE: Final = 0x100
_SDK_SECTORS: Final = 4


class _Overlaid:
    def __init__(self, read: Reader, pieces: Sequence[Piece]) -> None:
        self._read = read
        self._pieces = pieces

    def __call__(self, address: int, size: int, /) -> bytes:
        # Mostly one piece covers it all, and then the flash beneath is not asked: it may be a device.
        for piece in self._pieces:
            if piece.address <= address and address + size <= piece.end:
                return piece.data[address - piece.address : address - piece.address + size]
        block, at = b"", address
        for piece in self._pieces:
            start, stop = max(at, piece.address), min(address + size, piece.end)
            if start < stop:
                block += self._read(at, start - at) if at < start else b""
                block += piece.data[start - piece.address : stop - piece.address]
                at = stop
        return block + (self._read(at, address + size - at) if at < address + size else b"")

    def ahead(self, stretches: Iterable[tuple[int, int]]) -> None:
        """What no piece touches is asked of the flash beneath."""
        beneath = [
            (start, size)
            for start, size in stretches
            if all(start + size <= piece.address or piece.end <= start for piece in self._pieces)
        ]
        read_ahead(self._read, beneath, max((start + size for start, size in beneath), default=0))


def overlaid(read: Reader, pieces: Sequence[Piece]) -> Reader:
    """Reads a flash as it is with pieces written over it; they are in address order, none overlapping."""
    return _Overlaid(read, pieces)


# Before.


def side_before(old: OldFlash) -> FlashSide:
    """The flash as it is."""
    data = _firmware_bytes(old.read, old.capacity) if old.data is None else old.data
    found = describe(data)
    header = device_header(old.read)
    on_device = device_page(old.read)
    files = _first_filesystem(data)
    side = FlashSide(
        read=old.read,
        size=old.size,
        capacity=old.capacity,
        kind=found.kind,
        firmware=found.firmware,
        header=header,
        flash=None if header is None else header.flash_size,
        irom_end=min(_irom_end(found), files),
        page=None if on_device is None else on_device[1],
        boot=data[:PAGE_ADDRESS],
        code=data[: min(files, _CODE_END)],
        assumed=old.assumed,
    )
    side = with_layout(side, arduino=_is_arduino(found))
    return replace(side, filesystems=_with_described(_filesystems(old, side), found, old))


def firmware_on(read: Reader, capacity: int) -> Firmware | None:
    """Which firmware is on a device; all of it is read for that, which takes seconds.

    Args:
        read: Reads the device.
        capacity: Bytes of its flash.
    """
    return describe(_firmware_bytes(read, capacity)).firmware


def _firmware_bytes(read: Reader, capacity: int) -> bytes:
    """As much of a device as its firmware takes: up to a file system, or the first chunk that ends erased.

    Of the 64 KB in front of irom that is the image alone: without a stub a kilobyte takes most of a second.
    """
    data = b""
    while len(data) < PAGE_ADDRESS:
        sector = read(len(data), SECTOR)
        if fill.is_fill(sector, 0, len(sector)):
            break
        data += sector
    data = data.ljust(PAGE_ADDRESS, b"\xff")
    while len(data) < min(capacity, _CODE_END):
        chunk = read(len(data), min(_CHUNK, capacity - len(data)))
        data += chunk
        if fill.is_fill(chunk, len(chunk) - SECTOR, len(chunk)):
            break
    # What was read may end inside of the first blocks: the magics behind it are read for themselves.
    for start in range(PAGE_ADDRESS + SECTOR, len(data), SECTOR):
        left = blocks_left(data, start)
        if left is not None and left <= _MOST_BLOCKS and spiffs_on(read, start) is not None:
            return data[:start].rstrip(b"\xff")
    return data[: _first_filesystem(data)].rstrip(b"\xff")


def _first_filesystem(data: bytes) -> int:
    """Where the first file system behind the record page begins; the end of the data where there is none."""
    for start in range(PAGE_ADDRESS + SECTOR, min(len(data), _CODE_END), SECTOR):
        if data[start + 8 : start + 16] == b"littlefs" and superblock_at(data[start : start + SECTOR]):
            return start
        if blocks_left(data, start) is not None and signature_at(data, start) is not None:
            return start
        # Where one without magics may begin, every page of it is looked at.
        erased = data[start : start + 2] == _ERASED_ENTRY
        if not erased and plain_at(data, start) is not None:
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
        KINDS[found.kind].brings is Starter.EBOOT
        or (found.firmware is not None and generation_of(found.firmware).starts_behind_eboot is not False)
    )


def _by_its_table(side: FlashSide) -> FlashSide:
    """A flash without an image at 0, as an interrupted write leaves it: a resolved table still holds."""
    table = None if side.page is None else side.page.table
    size = next((size for size in FLASH_SIZES if size.bytes == side.capacity), None)
    if side.header is not None or table is None or not table.resolved or size is None:
        return side
    return replace(side, layout=FlashLayout(size, table_regions(table), "the partition table"), problem="")


def with_layout(side: FlashSide, *, arduino: bool = False) -> FlashSide:
    """The flash with what its firmware reserves in it, or why that is not known."""
    return _by_its_table(_by_header(side, arduino=arduino))


def _by_header(side: FlashSide, *, arduino: bool) -> FlashSide:
    if side.flash is None:
        return replace(side, problem="the size in the image header has no meaning")
    if arduino:
        core = generation(ARDUINO)
        regions = kept_regions(core, side.flash.bytes)
        return replace(side, layout=FlashLayout(side.flash, regions, core.rule))
    table = None if side.page is None else side.page.table
    try:
        return replace(side, layout=layout_for(side.flash, side.firmware, table, side.irom_end))
    except LayoutError as error:
        return replace(side, problem=error.phrase)


def _filesystems(old: OldFlash, side: FlashSide) -> tuple[FoundFileSystem, ...]:
    """Everything in the flash that begins like a file system, none inside another."""
    if old.data is None:
        found = [
            with_geometry(old.read, region.start, region.kind, region.size)
            for region in _looked_for(old, side)
        ]
    else:
        found = _scanned(old.data, old.capacity)
    if side.generation.without_magics and old.data is None:
        found += plain_on(side)
    elif side.generation.without_magics and old.data is not None:
        start, data = len(side.code), old.data
        plain = plain_at(data[: old.capacity], start) if start < len(data) else None
        if plain is not None:
            end = min(start + plain.size, _plain_end(side))
            found.append(FoundFileSystem(PartKind.SPIFFS, start, end - start, plain.block_size, "none"))
    return tuple(sorted(found, key=lambda each: each.start))


def _with_described(
    known: tuple[FoundFileSystem, ...], found: Description, old: OldFlash
) -> tuple[FoundFileSystem, ...]:
    """With those of a dump that nothing but all of their pages tells: without magics, of Sming and others."""
    if old.data is None:
        return known
    more = [
        FoundFileSystem(PartKind.SPIFFS, part.offset, value.size, value.block_size, value.formula)
        for part in found.parts
        if isinstance(value := part.value, PlainSpiffs) and value.formula == Magics.NONE.value
    ]
    new = (each for each in more if all(each.end <= one.start or one.end <= each.start for one in known))
    return tuple(sorted([*known, *new], key=lambda each: each.start))


def _looked_for(old: OldFlash, side: FlashSide) -> list[FoundFileSystem]:
    places: set[int] = set()
    if side.layout is not None and side.nodemcu:
        region = side.layout.find(PartKind.SPIFFS)
        end = align_up(side.irom_end, SECTOR)
        places |= set(filesystem_places(side.layout, side.firmware, end))
        if side.generation.has_partition_table:
            places |= set(places_before_tables(side.layout, end))
        places |= set() if region is None else {region.start}
    found = find_filesystems(old.read, old.capacity, sorted(places)) if places else ()
    if not found:
        found = find_filesystems(old.read, old.capacity)
    return [FoundFileSystem(region.kind, region.start, region.size) for region in found]


def with_geometry(read: Reader, start: int, kind: PartKind, size: int) -> FoundFileSystem:
    """A file system that begins at an address, with what the magics of a SPIFFS say of it."""
    signature = spiffs_on(read, start) if kind is PartKind.SPIFFS else None
    if signature is None:
        constant = constant_on(read, start, start + size) if kind is PartKind.SPIFFS else None
        block, formula = (constant.block_size, Magics.CONSTANT.value) if constant is not None else (0, "")
        return FoundFileSystem(kind, start, size, block, formula)
    return FoundFileSystem(kind, start, signature.size, signature.block_size, signature.formula)


def _scanned(data: bytes, capacity: int) -> list[FoundFileSystem]:
    """The file systems at sector starts, as a dump of a used flash may hold several."""
    found: list[FoundFileSystem] = []
    for start in range(PAGE_ADDRESS, len(data), SECTOR):
        if found and start < found[-1].end:
            continue
        # An erased block in front of a file system looks like its first one.
        signature = None if blocks_left(data, start) is None else signature_at(data, start)
        if signature is not None and in_front(lambda at, size: data[at : at + size], start, signature):
            continue
        if signature is not None and start + signature.size <= capacity:
            kind = PartKind.SPIFFS
            size, block, formula = signature.size, signature.block_size, signature.formula
            found.append(FoundFileSystem(kind, start, size, block, formula))
            continue
        if data[start + 8 : start + 16] == b"littlefs":
            little = superblock_at(data[start : start + SECTOR])
            if little is not None and start + little.size <= capacity:
                found.append(FoundFileSystem(PartKind.LITTLEFS, start, little.size))
        elif data.startswith(CONSTANT_MAGIC, start + MAGIC_OFFSET):
            constant = constant_on(lambda at, size: data[at : at + size], start, min(capacity, len(data)))
            if constant is not None:
                size, block = constant.size, constant.block_size
                found.append(FoundFileSystem(PartKind.SPIFFS, start, size, block, Magics.CONSTANT.value))
    return found


# SPIFFS without magics.


def _plain_end(side: FlashSide) -> int:
    size = side.capacity if side.flash is None else min(side.flash.bytes, side.capacity)
    return size - _SDK_SECTORS * SECTOR


def plain_on(side: FlashSide) -> list[FoundFileSystem]:
    """The file system without magics of an old NodeMCU, which goes on to the end of the flash."""
    end = _plain_end(side)
    rule = side.generation.files
    step = SECTOR if rule is None else rule.near_step
    starts = range(align_up(PAGE_ADDRESS + SECTOR, step), min(end, _CODE_END), step)
    read_ahead(side.read, [(start, _ENTRY) for start in starts], end)
    used = [start for start in starts if side.read(start, _ENTRY) != _ERASED_ENTRY]
    read_ahead(side.read, [(start + _PAGE, _ENTRY) for start in used], end)
    for start in starts:
        if _begins_plain(side.read, start):
            return [FoundFileSystem(PartKind.SPIFFS, start, end - start, SECTOR, Magics.NONE.value)]
    return []


def _begins_plain(read: Reader, start: int) -> bool:
    """Whether pages behind a lookup page begin with the numbers that it has for them, or are deleted."""
    first = read(start, _ENTRY)
    if first == _ERASED_ENTRY:
        return False  # pages are taken in order
    if not _is_page_of(read, start, 0, first):
        return False  # as nearly everywhere, and nearly nothing was read for that
    head = read(start, _LOOKUP)
    entries = [head[at : at + _ENTRY] for at in range(0, _LOOKUP, _ENTRY)]
    used = [number for number, entry in enumerate(entries) if entry != _ERASED_ENTRY]
    looked_at = dict.fromkeys((used[len(used) // 2], used[-1]))
    return all(_is_page_of(read, start, number, entries[number]) for number in looked_at)


def _is_page_of(read: Reader, start: int, number: int, entry: bytes) -> bool:
    """Whether a page of a block is what its entry says: one of that object, or a deleted one."""
    place = start + (number + 1) * _PAGE
    if entry != _DELETED_ENTRY:
        return read(place, _ENTRY) == entry
    owner, flags = read(place, _ENTRY), read(place + _FLAGS_AT, 1)[0]
    return owner not in (_ERASED_ENTRY, _DELETED_ENTRY) and not flags & (_NOT_DELETED | _NOT_USED)


# After.


def side_after(
    before: FlashSide, pieces: Sequence[Piece], main: Description | None, start: int = 0
) -> FlashSide:
    """The flash with pieces written to it, as their firmware will find it.

    Args:
        before: The flash as it is.
        pieces: What is written, whole sectors.
        main: What the new firmware is; None where there is none.
        start: Where it begins.
    """
    read = overlaid(before.read, pieces)
    header = device_header(read)
    foreign = main is not None and main.firmware is not None and not generation_of(main.firmware).is_nodemcu
    on_device = None if foreign else device_page(read)  # no other firmware goes by that page
    page = None if on_device is None else on_device[1]
    stated = None if page is None or page.table is None else page.table.irom_end
    side = FlashSide(
        read=read,
        size=before.size,
        capacity=before.capacity,
        kind=FileKind.UNKNOWN if main is None else main.kind,
        firmware=None if main is None else main.firmware,
        header=header,
        flash=None if header is None else header.flash_size,
        irom_end=stated or _end_after(before, main, start),
        page=page,
        boot=next((piece.data[:PAGE_ADDRESS] for piece in pieces if piece.address == 0), before.boot),
        written=tuple((piece.address, piece.end) for piece in pieces),
    )
    return with_layout(side, arduino=main is not None and _is_arduino(main))


def _end_after(before: FlashSide, main: Description | None, start: int) -> int:
    """The address behind the irom of the new firmware, by its parts; 0 where it is not known."""
    if main is None:
        return 0
    if start:
        return start + max((part.end for part in main.parts if part.kind in FIRMWARE), default=0)
    end = _irom_end(main)
    # Half of a firmware: what is behind it stays.
    return max(end, before.irom_end) if KINDS[main.kind].first_half else end
