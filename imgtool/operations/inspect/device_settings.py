"""What a device has in its flash and would lose: NodeMCU's record page, the SDK's sectors, file systems.

Looks at as little of the flash as it can, as every kilobyte takes its time on the line: the image header, the
record page, the first bytes of where things may stand.  Not the plan of what to write: that is
flashing/plan.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from imgtool.chip import FLASH_SIZES, RTOS_TABLE_PLACE, SECTOR
from imgtool.errors import BringsOwnError, LayoutError, NoFirmwareError, StatedSizeError
from imgtool.formats import fill
from imgtool.formats.filesystems.littlefs import superblock_at
from imgtool.formats.filesystems.spiffs import (
    CONSTANT_MAGIC,
    MAGIC_OFFSET,
    SpiffsSignature,
    blocks_left,
    in_front,
    signature_at,
)
from imgtool.formats.filesystems.spiffs_files import blocks_in_front
from imgtool.formats.filesystems.stored_files import Superblock
from imgtool.formats.images import version1
from imgtool.formats.reading import Header, PartKind
from imgtool.formats.regions import nodemcu_page, rtos_partitions
from imgtool.formats.regions.init_data import SIZE as INIT_DATA_SIZE
from imgtool.formats.regions.init_data import InitData, is_init_data
from imgtool.formats.regions.nodemcu_page import PAGE_ADDRESS, Entry, PartitionTable, RecordPage
from imgtool.layout.arduino_places import ARDUINO_STARTS
from imgtool.layout.nodemcu import PARTITION_STEP, lowest_protected, resolve, table_regions
from imgtool.layout.regions import Region, align_up, sdk_regions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgtool.chip import FlashSize

__all__ = [
    "KeptPage",
    "Reader",
    "ReadsAhead",
    "ReadsSeveral",
    "ReadsSlowly",
    "Remembered",
    "constant_on",
    "device_header",
    "device_page",
    "find_filesystems",
    "from_its_start",
    "init_data_name",
    "init_data_state",
    "keep_page",
    "read_ahead",
    "record_names",
    "region_by_name",
    "remembered",
    "spiffs_blocks_left",
    "spiffs_on",
    "spiffs_start",
    "starts_eboot",
]

_HEADER_SIZE: Final = 8
_FIRST_SEGMENT: Final = slice(8, 12)
_EBOOT: Final = 0x4010_F000  # load address of the Arduino core's boot loader
_INIT_DATA_MARK: Final = 5
_STEP_64K: Final = 0x1_0000
_STEP_8K: Final = 0x2000
_CONSTANT_AT: Final = {0x1000: (0, 1, 2), 0x2000: (0, 2, 3)}  # which of those, by the size of blocks
_BLOCKS_AT_ONCE: Final = 32
_NEAR: Final = 0x10_0000  # below this NodeMCU's file systems may begin at any 8 KB
_HEAD: Final = 16  # LittleFS's magic, or the first entries of a SPIFFS block, which are used in order
_LITTLEFS: Final = b"littlefs"
_SPIFFS_MAGICS: Final = (0x00FC, 0x10FC, 0x20FC, 0x40FC)  # of the first three blocks of either size
_BEGINNINGS: Final = ((0, _HEAD), *((place, 4) for place in _SPIFFS_MAGICS))
_NAMES: Final = {
    "rf-cal": PartKind.RF_CAL,
    "init-data": PartKind.INIT_DATA,
    "system-param": PartKind.SYSTEM_PARAM,
    "filesystem": PartKind.SPIFFS,
    "lfs": PartKind.LFS,
}
_RECORD_NAMES: Final = {
    nodemcu_page.TABLE: "partition table",
    nodemcu_page.LFS_PENDING: "pending LFS image",
    nodemcu_page.START_COMMAND: "start-up command",
    nodemcu_page.START_OPTION: "start-up options",
}


class Reader(Protocol):
    """Reads the flash of a device: address and number of bytes to these bytes."""

    def __call__(self, address: int, size: int, /) -> bytes:
        """The bytes from an address on."""


@runtime_checkable
class ReadsSeveral(Protocol):
    """A reader that may be quicker with several short stretches at once; None where it is not."""

    def several(self, stretches: Sequence[tuple[int, int]]) -> list[bytes] | None:
        """The bytes of each stretch, which is an address and a number of bytes."""


@runtime_checkable
class ReadsAhead(Protocol):
    """A reader that can be told what will probably be asked."""

    def ahead(self, stretches: Iterable[tuple[int, int]]) -> None:
        """Read these stretches, addresses and numbers of bytes, where that is quicker at once."""


@runtime_checkable
class ReadsSlowly(Protocol):
    """A reader of a device, of which every byte takes its time on the line."""

    @property
    def quick(self) -> bool:
        """Whether some ten kilobytes take no more than a second."""

    def blank(self, start: int, size: int, /) -> bool | None:
        """Whether a stretch is erased, by a digest of the device; None where it makes none."""


def read_ahead(read: Reader, stretches: Iterable[tuple[int, int]], end: int) -> None:
    """Tell a reader what will probably be asked; most do nothing about it.

    Args:
        read: The reader.
        stretches: Addresses and numbers of bytes; few ones of each.
        end: Address behind the flash: what lies beyond is left out.
    """
    if isinstance(read, ReadsAhead):
        read.ahead((start, size) for start, size in stretches if start + size <= end)


class Remembered:
    """A reader that asks for nothing twice, as several questions are about the same bytes.

    Args:
        read: Reads the device.
    """

    def __init__(self, read: Reader) -> None:
        self._read = read
        self._known: dict[tuple[int, int], bytes] = {}
        self._blank: dict[tuple[int, int], bool | None] = {}

    def __call__(self, address: int, size: int, /) -> bytes:
        """The bytes from an address on."""
        asked = (address, size)
        if asked not in self._known:
            self._known[asked] = self._read(address, size)
        return self._known[asked]

    @property
    def at_hand(self) -> bool:
        """Whether all of it can be read for nothing, as that of a file can."""
        return not isinstance(self._read, ReadsSlowly)

    @property
    def quick(self) -> bool:
        """Whether some ten kilobytes take no more than a second."""
        return self._read.quick if isinstance(self._read, ReadsSlowly) else True

    def blank(self, start: int, size: int, /) -> bool | None:
        """Whether a stretch is erased; None where that would take too long."""
        asked = (start, size)
        if asked not in self._blank:
            slow = self._read if isinstance(self._read, ReadsSlowly) else None
            if slow is not None:
                self._blank[asked] = slow.blank(start, size)
            else:
                self._blank[asked] = fill.is_fill(self._read(start, size), 0, size)
        return self._blank[asked]

    def ahead(self, stretches: Iterable[tuple[int, int]]) -> None:
        """Read what is not known of these stretches, where that is quicker at once."""
        wanted = [asked for asked in dict.fromkeys(stretches) if asked not in self._known]
        if wanted and isinstance(self._read, ReadsSeveral):
            self._known.update(zip(wanted, self._read.several(wanted) or (), strict=False))


def remembered(read: Reader) -> Remembered:
    """The reader, so that it asks for nothing twice."""
    return read if isinstance(read, Remembered) else Remembered(read)


def device_header(read: Reader) -> Header | None:
    """The image header at the start of the flash; None where no image stands there."""
    block = read(0, _HEADER_SIZE)
    if block[:1] != bytes([version1.MAGIC]) or len(block) < _HEADER_SIZE:
        return None
    return Header(1, int.from_bytes(block[4:8], "little"), block[2], block[3])


def starts_eboot(read: Reader) -> bool:
    """Whether the image at 0 is the Arduino core's boot loader, by the load address of its first segment."""
    return read(0, 16)[_FIRST_SEGMENT] == _EBOOT.to_bytes(4, "little")


def device_page(read: Reader) -> tuple[bytes, RecordPage] | None:
    """NodeMCU's record page as bytes and as records; None where none stands at 0x10000."""
    # Most devices have none: four bytes tell that.
    if read(PAGE_ADDRESS + 2, 2) != b"\0\0":
        return None
    block = read(PAGE_ADDRESS, nodemcu_page.PAGE_SIZE)
    page = nodemcu_page.page_at(block, 0)
    return None if page is None else (block, page)


@dataclass(frozen=True, slots=True)
class KeptPage:
    """A record page of a device, made fit for new firmware.

    Attributes:
        data: The page, 4 KiB; the very bytes of the device where nothing had to be changed.
        table: The partition table in it.
        holds: What it holds, in words.
        changes: What was changed, in words.
    """

    data: bytes
    table: PartitionTable
    holds: str
    changes: tuple[str, ...] = ()

    def without_phy_flag(self) -> KeptPage:
        """The page without the record that init data was looked after: the first boot does so anew."""
        page = RecordPage.parse(self.data)
        records = tuple(r for r in page.records if r.id != nodemcu_page.PHY_DATA_DONE)
        if len(records) == len(page.records):
            return self
        change = (
            "the record that init data is in place is taken out of the record page: NodeMCU then writes it"
        )
        return replace(self, data=RecordPage(records).compacted().build(), changes=(*self.changes, change))


def keep_page(device: tuple[bytes, RecordPage], flash: FlashSize, boot_end: int, irom_end: int) -> KeptPage:
    """The device's record page for new firmware: its regions stay where they are.

    Args:
        device: What :func:`device_page` returned.
        flash: The flash size that the new header states.
        boot_end: Address behind the new image at 0; 0 where that stays as it is.
        irom_end: Address behind the new irom part.

    Raises:
        LayoutError: The new firmware does not fit between its regions, or the table was never resolved.
    """
    block, page = device
    table = page.table
    if table is None or not table.resolved:
        raise LayoutError("the device's partition table was never resolved by a first boot")
    resolve(table, flash.bytes, irom_end)
    region = lowest_protected(table)
    if region is not None and boot_end > region.start:
        raise LayoutError(
            f"the new image at 0 reaches into {region.name} of the device's partition table",
            offset=region.start,
            expected=f"its end at or below 0x{region.start:05x}",
            found=f"0x{boot_end:05x}",
        )
    code = table.find(nodemcu_page.IROM)
    if code is None or code.address != PAGE_ADDRESS:
        raise LayoutError("the device's partition table has irom elsewhere", expected="0x10000")
    limit = min((e.address for e in table.entries if e.address > code.address), default=flash.bytes)
    if irom_end > limit:
        name = next((e.name for e in table.entries if e.address == limit), "the end of the flash")
        raise LayoutError(
            f"the new firmware reaches into {name} of the device's partition table",
            offset=limit,
            expected=f"its end at or below 0x{limit:06x}",
            found=f"0x{irom_end:06x}",
        )
    holds = ", ".join(record_names(page).values())
    if irom_end <= code.address + code.size:
        return KeptPage(block, table, holds)
    size = min(align_up(irom_end - code.address, PARTITION_STEP), limit - code.address)
    grown = PartitionTable(tuple(Entry(e.type, e.address, size) if e is code else e for e in table.entries))
    change = f"irom in the device's partition table: 0x{code.size:x} -> 0x{size:x} bytes"
    return KeptPage(page.with_table(grown).build(), grown, holds, (change,))


def record_names(page: RecordPage) -> dict[int, str]:
    """What the records of a page that a user would miss are, in words, by their ids."""
    found = {record.id for record in page.records}
    return {kind: name for kind, name in _RECORD_NAMES.items() if kind in found}


def init_data_state(block: bytes) -> str:
    """``valid``, ``blank`` or ``other``, for the first 128 bytes of where init data belongs."""
    if len(block) >= INIT_DATA_SIZE and block[0] == _INIT_DATA_MARK and is_init_data(block):
        return "valid"
    return "blank" if fill.is_fill(block, 0, min(len(block), INIT_DATA_SIZE)) else "other"


def init_data_name(block: bytes) -> str:
    """Which published set valid init data is, in words."""
    name = InitData.parse(block).set_name
    return "a set of its own" if name is None else f"set {name}"


def find_filesystems(read: Reader, end: int, starts: Iterable[int] | None = None) -> tuple[Region, ...]:
    """The file systems that begin where firmware puts them, none inside another.

    NodeMCU before 3.0 looks at steps of 64 KB and of 8 KB behind its code, the Arduino core has fixed places.
    What no firmware made there, and SPIFFS without magics (NodeMCU before 1.5.4.1), is not found.

    Args:
        read: Reads the device.
        end: Address behind the flash.
        starts: Where to look; None looks everywhere, at the steps of 8 KB only if the others find nothing.
    """
    if starts is not None:
        return _found(read, starts, end)
    coarse = sorted({*range(_STEP_64K, end, _STEP_64K), *(start for start in ARDUINO_STARTS if start < end)})
    # Each block of a SPIFFS looks like the first of a shorter one: what a 64 KB step hits is followed back.
    found = tuple(from_its_start(read, region) for region in _found(read, coarse, end))
    return found or _found(read, range(_STEP_64K, min(end, _NEAR), _STEP_8K), end)


def from_its_start(read: Reader, region: Region) -> Region:
    """The file system that an address is in the middle of; one that begins there as it is."""
    left = spiffs_blocks_left(read, region.start) if region.kind is PartKind.SPIFFS else None
    if not left:
        return region
    block = region.size // left
    start = spiffs_start(read, region.start, block, left)
    start += block * blocks_in_front(read, start, block_size=block, blocks=(region.end - start) // block)
    return replace(region, start=start, size=region.end - start)


def spiffs_start(read: Reader, start: int, block: int, left: int) -> int:
    """Where the SPIFFS begins that has one of its blocks at an address.

    Args:
        read: Reads the device.
        start: Address of the block.
        block: Bytes of a block.
        left: What the magic of that block says, see :func:`spiffs_blocks_left`.
    """
    while start - block >= PAGE_ADDRESS and spiffs_blocks_left(read, start - block) == left + 1:
        start, left = start - block, left + 1
    return start


def spiffs_blocks_left(read: Reader, start: int) -> int | None:
    """How many blocks the SPIFFS goes on for by the magic of the block at an address; None for no magic."""
    return blocks_left(bytes(MAGIC_OFFSET) + read(start + MAGIC_OFFSET, 2), 0)


def _found(read: Reader, starts: Iterable[int], end: int) -> tuple[Region, ...]:
    places = list(starts)
    read_ahead(read, [(start + at, size) for start in places for at, size in _BEGINNINGS], end)
    regions: list[Region] = []
    for start in places:
        if regions and start < regions[-1].end:
            continue
        region = _filesystem_at(read, start, end)
        if region is not None:
            regions.append(region)
    return tuple(regions)


def _filesystem_at(read: Reader, start: int, end: int) -> Region | None:
    head = read(start, _HEAD)
    if head.endswith(_LITTLEFS):
        found = superblock_at(read(start, SECTOR))
        if found is not None and start + found.size <= end:
            return Region(PartKind.LITTLEFS, start, found.size, "LittleFS")
    if start + _SPIFFS_MAGICS[-1] + 4 > end:
        return None
    constant = constant_on(read, start, end)
    if constant is not None:
        return Region(PartKind.SPIFFS, start, constant.size, "SPIFFS")
    # An erased block in front of a file system looks like its first one.
    first = head + read(start + _SPIFFS_MAGICS[0], 4)
    if fill.is_fill(first, 0, len(first)):
        return None
    signature = spiffs_on(read, start)
    if signature is None or start + signature.size > end or in_front(read, start, signature):
        return None
    return Region(PartKind.SPIFFS, start, signature.size, "SPIFFS")


def spiffs_on(read: Reader, start: int) -> SpiffsSignature | None:
    """The SPIFFS that begins at an address of a device, by the magics of its first blocks."""
    # Only the magics are read; what lies between them does not matter to the signature.
    sparse = bytearray([fill.ERASED]) * (_SPIFFS_MAGICS[-1] + 4)
    for place in _SPIFFS_MAGICS:
        sparse[place : place + 4] = read(start + place, 4)
    return signature_at(bytes(sparse))


def constant_on(read: Reader, start: int, end: int) -> Superblock | None:
    """The SPIFFS with the same magic in every block that begins at an address; None where none does.

    The Arduino core and Mongoose OS make such ones.  It ends in front of the second block without the magic.

    Args:
        read: Reads the device.
        start: The address.
        end: Address behind the flash.
    """
    marked = [read(start + place, len(CONSTANT_MAGIC)) == CONSTANT_MAGIC for place in _SPIFFS_MAGICS]
    block = next((size for size, places in _CONSTANT_AT.items() if all(marked[n] for n in places)), None)
    if block is None:
        return None
    blocks, lost = 0, 0
    for first in range(start, end - block + 1, _BLOCKS_AT_ONCE * block):
        last = min(first + _BLOCKS_AT_ONCE * block, end - block + 1)
        magics = [(at + MAGIC_OFFSET, len(CONSTANT_MAGIC)) for at in range(first, last, block)]
        read_ahead(read, magics, end)
        for number, stretch in enumerate(magics, (first - start) // block + 1):
            if read(*stretch) == CONSTANT_MAGIC:
                blocks = number
            else:
                lost += 1
            if lost > 1:
                return Superblock(block, blocks)
    return Superblock(block, blocks)


def region_by_name(name: str, read: Reader, flash_bytes: int) -> tuple[Region, ...]:
    """Where something that has a name stands on a device.

    Args:
        name: ``rf-cal``, ``init-data``, ``system-param``, ``filesystem`` or ``lfs``.
        read: Reads the device.
        flash_bytes: Capacity of its flash.

    Returns:
        Mostly one region; of file systems all that were found.

    Raises:
        NoFirmwareError: No image stands at 0.
        StatedSizeError: The size in its header has no meaning, or is more than there is.
        BringsOwnError: The firmware has it compiled in.
        LayoutError: There is none, or nothing on the device justifies a place for it.
        KeyError: No region has that name.
    """
    kind = _NAMES[name]
    header = device_header(read)
    if header is None:
        raise NoFirmwareError(
            f"no image stands at 0, so nothing tells where {name} is",
            offset=0,
            expected=0xE9,
            found=read(0, 1)[0],
        )
    size = header.flash_size
    end = flash_bytes if size is None else size.bytes
    if end > flash_bytes:
        raise StatedSizeError(
            "the image header on the device states more flash than there is: nothing tells where things are",
            offset=3,
            expected=f"at most {flash_bytes:,} bytes",
            found=f"{end:,} bytes",
        )
    # A small sketch leaves the page of an earlier NodeMCU behind it.
    page = None if starts_eboot(read) else device_page(read)
    if page is not None and page[1].table is not None:
        # A table that a first boot has resolved holds for the chip, whatever the header says by now.
        table = resolve(page[1].table, flash_bytes if page[1].table.resolved else end, 0)
        regions = tuple(region for region in table_regions(table) if region.kind is kind)
    elif kind is PartKind.LFS:
        raise LayoutError(
            "no partition table of NodeMCU is on the device, and nothing else tells where LFS is; before "
            "3.0 it lies within the firmware"
        )
    elif kind is PartKind.SPIFFS:
        regions = find_filesystems(read, flash_bytes)
    elif size is None:
        raise StatedSizeError(
            f"the size code in the image header has no meaning, so nothing tells where {name} is", offset=3
        )
    else:
        _check_sdk_rule(name, read, end)
        regions = tuple(region for region in sdk_regions(end) if region.kind is kind)
    if not regions:
        raise LayoutError(f"the device has no {name} that imgtool can find")
    return regions


def _check_sdk_rule(name: str, read: Reader, end: int) -> None:
    """The last five sectors are the SDK's only under a non-OS SDK before 3.0, on a flash that it knows."""
    arduino = starts_eboot(read)
    if arduino or rtos_partitions.table_at(read(RTOS_TABLE_PLACE, SECTOR), 0) is not None:
        what = f"an {'Arduino' if arduino else 'RTOS SDK'} firmware is on the device"
        if _NAMES[name] is PartKind.INIT_DATA:
            raise BringsOwnError(f"{what}: it has its init data compiled in, and reads none from the flash")
        raise LayoutError(f"{what}: imgtool does not name its {name}")
    if end == FLASH_SIZES[0].bytes:
        raise LayoutError("on a 256KB flash no SDK defines a place for its sectors")
    place = sdk_regions(end)[1].start
    if init_data_state(read(place, INIT_DATA_SIZE)) == "other":
        raise LayoutError(
            f"what stands in the place of init data is none, so nothing tells where {name} is",
            offset=place,
            expected="init data, or erased flash",
            found="other bytes",
        )
