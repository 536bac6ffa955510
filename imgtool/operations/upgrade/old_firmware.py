"""Where the firmware of an old flash stands, and which it is: by its headers, and by as little as will tell.

A line carries ninety kilobytes a second at best, so of a device the headers are followed, and the strings are
looked for where they mostly stand: at the end of the code, and in the image at 0.  What is in the rest of a
flash is told by owners.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import RTOS_TABLE_PLACE, SECTOR
from imgtool.formats.firmware import arduino_firmware, identify_firmware, names_itself
from imgtool.formats.kinds import Starter
from imgtool.formats.reading import Firmware
from imgtool.formats.regions import rtos_partitions
from imgtool.formats.regions.nodemcu_page import IROM, PAGE_ADDRESS
from imgtool.layout.regions import align_up
from imgtool.operations.inspect.device_settings import read_ahead, starts_eboot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.operations.inspect.device_settings import Remembered
    from imgtool.operations.upgrade.side import FlashSide

__all__ = ["OldFirmware", "firmware_of", "name_of", "partitions_of"]

_IMAGE, _IMAGE_2 = 0xE9, 0xEA
_MOST_SEGMENTS: Final = 16
_LINE: Final = 16  # an image ends with a line of this many bytes
_LONGEST: Final = 0x10_0000
_EBOOT_SKETCH: Final = 0x1000
_RBOOT_CONFIG: Final = 0x1000
_RBOOT_MARK: Final = b"\xe1"
_RBOOT_SLOT: Final = 0x2000
_LOADER: Final = 0x1000  # bytes: both loaders are shorter
# Where Espressif's boot loader and rBoot have applications, on flashes of 512 KB to 4 MB.
_SLOTS: Final = (0x1000, 0x2000, 0x4_1000, 0x4_2000, 0x8_1000, 0x8_2000, 0x10_1000, 0x10_2000, 0x20_2000)
_END_OF_CODE: Final = 4  # erased sectors in a row, as no firmware has them inside
_CODE_AT: Final = (PAGE_ADDRESS, 0x4_0000)  # where irom begins; behind a long image it follows at once
_WORD: Final = 4
_CHUNK: Final = 0x8000  # bytes that are searched for strings at a time
_OVERLAP: Final = 0x100
_AT_ONCE: Final = 0x1_0000


class OldFirmware(NamedTuple):
    """The firmware in a flash.

    Attributes:
        starter: Who starts it.
        stretches: Where it stands: addresses from and to, in order.
    """

    starter: Starter
    stretches: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        """Its bytes."""
        return sum(end - start for start, end in self.stretches)


def firmware_of(side: FlashSide, read: Remembered, capacity: int) -> OldFirmware | None:
    """Where the firmware of a flash stands; None where no image stands at 0.

    Args:
        side: The flash, as far as it was looked at.
        read: Reads it.
        capacity: Its bytes.
    """
    end = _image_end(read, 0, capacity)
    if end is None:
        return None
    if read(0, 1)[0] == _IMAGE_2:
        return OldFirmware(Starter.ROM, ((0, end),))
    if starts_eboot(read):
        return OldFirmware(Starter.EBOOT, _with_images((0, end), read, (_EBOOT_SKETCH,), capacity))
    applications = [row for row in partitions_of(read) if row.type == rtos_partitions.APP]
    if applications:
        table = ((0, end), (RTOS_TABLE_PLACE, RTOS_TABLE_PLACE + SECTOR))
        places = tuple(row.offset for row in applications)
        return OldFirmware(Starter.RTOS, (*table, *_images(read, places, capacity)))
    slots = tuple(_images(read, _SLOTS, capacity)) if end <= _LOADER else ()
    if slots:
        configured = read(_RBOOT_CONFIG, 1) == _RBOOT_MARK
        config = ((_RBOOT_CONFIG, _RBOOT_CONFIG + SECTOR),) if configured else ()
        starter = Starter.RBOOT if configured or slots[0][0] == _RBOOT_SLOT else Starter.SDK
        return OldFirmware(starter, ((0, end), *config, *slots))
    return OldFirmware(Starter.ROM, ((0, end), *_code(side, read, end, capacity)))


def partitions_of(read: Remembered) -> tuple[rtos_partitions.Partition, ...]:
    """The rows of an RTOS SDK's partition table; none where there is no such table."""
    if read(RTOS_TABLE_PLACE, len(rtos_partitions.MAGIC)) != rtos_partitions.MAGIC:
        return ()
    table = rtos_partitions.table_at(read(RTOS_TABLE_PLACE, rtos_partitions.SIZE), 0)
    return () if table is None else table.partitions


def _with_images(
    first: tuple[int, int], read: Remembered, places: tuple[int, ...], capacity: int
) -> tuple[tuple[int, int], ...]:
    return (first, *_images(read, places, capacity))


def _images(read: Remembered, places: tuple[int, ...], capacity: int) -> Iterator[tuple[int, int]]:
    """The images that stand at these places."""
    for place in sorted(places):
        if place + SECTOR <= capacity and read(place, 1)[0] in (_IMAGE, _IMAGE_2):
            end = _image_end(read, place, capacity)
            if end is not None:
                yield place, end


def _image_end(read: Remembered, start: int, capacity: int) -> int | None:
    """The address behind an image, by the headers of its segments; None for what is none, or is cut."""
    head = read(start, 8)
    position = start + 8
    if head[0] == _IMAGE_2:  # its irom comes first, and behind that an image of version 1
        position += 8 + int.from_bytes(read(position + 4, 4), "little")
        if position + 8 > capacity or position - start > _LONGEST:
            return None
        head = read(position, 8)
        position += 8
    if head[0] != _IMAGE or not 0 < head[1] <= _MOST_SEGMENTS:
        return None
    for _ in range(head[1]):
        if position + 8 > capacity:
            return None
        position += 8 + int.from_bytes(read(position, 8)[4:], "little")
        if position - start > _LONGEST:
            return None
    return min(align_up(position + 1, _LINE), capacity)


def _code(side: FlashSide, read: Remembered, end: int, capacity: int) -> Iterator[tuple[int, int]]:
    """The code that an image at 0 goes with, which has no header of its own."""
    table = None if side.page is None else side.page.table
    code = None if table is None or not table.resolved else table.find(IROM)
    if code is not None:
        yield code.address, code.address + code.size
        return
    stop = min((*(each.start for each in side.filesystems if each.start >= end), capacity, _LONGEST))
    first = align_up(end, SECTOR)
    for start in (first, *(place for place in _CODE_AT if place > first)):
        if start < stop and read(start, _WORD) != b"\xff" * _WORD:
            yield start, _code_end(read, start, stop)
            return


def _code_end(read: Remembered, start: int, stop: int) -> int:
    erased, last = 0, start + SECTOR
    for at in range(start, stop, SECTOR):
        if at == start or at % _AT_ONCE == 0:
            read_ahead(read, [(place, _WORD) for place in range(at, at + _AT_ONCE, SECTOR)], stop)
        if read(at, _WORD) == b"\xff" * _WORD:
            erased += 1
            if erased == _END_OF_CODE:
                break
        else:
            erased, last = 0, at + SECTOR
    return min(last, stop)


# Which one.


def name_of(old: OldFirmware, side: FlashSide, read: Remembered, wanted: Firmware | None) -> Firmware | None:
    """Which firmware it is, by its strings; None where there are none, or reading them would take too long.

    Args:
        old: Where it stands.
        side: The flash, as far as it was looked at.
        read: Reads it.
        wanted: The one that it may be: where that is found, nothing more is read.
    """
    if side.firmware is not None and names_itself(side.firmware):
        return side.firmware
    if not read.quick:
        return None
    best: Firmware | None = None
    for data in _likely_first(old, read):
        found = arduino_firmware(data) if old.starter is Starter.EBOOT else identify_firmware(data)
        if names_itself(found) or (wanted is not None and found is not None and found.name == wanted.name):
            return found
        best = best or found
    return best


def _likely_first(old: OldFirmware, read: Remembered) -> Iterator[bytes]:
    """All of the firmware in stretches: the end of its code, the image at 0, and then the rest."""
    start, end = old.stretches[-1]
    chunks = [(max(start, at - _CHUNK), at) for at in range(end, start, -_CHUNK)]
    others = [
        (at, min(at + _CHUNK, last))
        for first, last in old.stretches[:-1]
        for at in range(first, last, _CHUNK)
    ]
    for first, last in (*chunks[:2], *others, *chunks[2:]):
        stop = min(last + _OVERLAP, end) if first >= start else last
        yield read(first, stop - first)
