"""Files put into a SPIFFS that is there, and removed from it, in place: bits are only cleared.

As a device does it, but for collecting garbage: where too few pages are free for that, a new one is composed
(spiffs_make.py), which drops what is deleted.  Which files there are is read by spiffs_files.py; one that is
damaged is not to be changed, and who asks sees to that.

Source: spiffs_nucleus.c of https://github.com/pellepl/spiffs; see docs/formats/spiffs.md.
"""

from __future__ import annotations

from itertools import chain, islice
from struct import unpack_from
from typing import TYPE_CHECKING, Final

from imgtool.formats import fill
from imgtool.formats.filesystems.spiffs_files import read_as
from imgtool.formats.filesystems.spiffs_make import (
    INDEX,
    PAGE,
    FreePages,
    check_files,
    file_pages,
    free_places,
    pages_of,
    put_page,
)
from imgtool.formats.filesystems.stored_files import NewFile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from imgtool.formats.filesystems.spiffs_make import SpiffsShape

__all__ = ["edited", "erase_counts"]

_FREE: Final = 0xFFFF
_GONE: Final = 0x0000
_KEPT_FREE: Final = 2  # blocks, without which a device cannot collect garbage
_ALIVE: Final = 0x80  # flag, active low: deleted
_NOT_BEING_REMOVED: Final = 0x40  # likewise, of a first index page
_COUNT_AT: Final = 0xFE


def edited(
    data: bytes, shape: SpiffsShape, remove: Collection[bytes], add: Sequence[NewFile]
) -> bytes | None:
    """The same file system with files removed and put into it; None where too few pages are free for that.

    Args:
        data: All of it, and nothing else.
        shape: Its shape.
        remove: Names of files that are to go; those that are not there do not matter.
        add: Files that are to come; one that is there with that name is replaced.

    Raises:
        FileNameError: A name is empty, too long, has a zero byte, or stands twice.
        FormatError: Metadata has another length than the layout.
        FileRoomError: All files together do not fit, whatever is collected.
    """
    system = read_as(shape.index, data, block_size=shape.block_size, blocks=shape.blocks)
    going = {*remove, *(file.name for file in add)}
    staying = [NewFile.of(file) for file in system.files if file.name not in going]
    check_files([*staying, *add], shape)
    pages = _Pages(bytearray(data), shape)
    needed = sum(pages_of(len(file.data), shape.index) for file in add)
    free = pages.free()
    places = list(islice(free, needed))
    if len(places) < needed:
        return None
    numbers = pages.unused_objects()
    left = FreePages(shape, chain(places, free))
    for file in add:
        for page in file_pages(file, next(numbers), shape, left):
            put_page(pages.image, shape, page)
    # What goes is deleted when what comes is there.
    pages.delete({file.number for file in system.files if file.name in going and file.number is not None})
    return bytes(pages.image)


def erase_counts(data: bytes, shape: SpiffsShape) -> tuple[int, ...]:
    """How often each block was erased, as its lookup page says; 0 where that says nothing."""
    starts = range(_COUNT_AT, shape.size, shape.block_size)
    counts = (int.from_bytes(data[at : at + 2], "little") for at in starts)
    return tuple(0 if count == _FREE else count for count in counts)


class _Pages:
    """The pages of a file system that is changed, by their entries in the lookup pages.

    Attributes:
        image: All of it.
    """

    def __init__(self, image: bytearray, shape: SpiffsShape) -> None:
        self.image = image
        self._shape = shape
        self._entries = [
            unpack_from(f"<{shape.pages}H", image, block * shape.block_size) for block in range(shape.blocks)
        ]

    def free(self) -> Iterator[int]:
        """Numbers of pages that can be written: first in blocks that are in use; two blocks stay free."""
        blank = [block for block, entries in enumerate(self._entries) if set(entries) == {_FREE}]
        used = [block for block in range(self._shape.blocks) if block not in set(blank)]
        usable = [*used, *blank[: max(0, len(blank) - _KEPT_FREE)]]
        return filter(self._is_free, free_places(self._shape, usable))

    def _is_free(self, page: int) -> bool:
        block, entry = divmod(page, self._shape.pages + 1)
        erased = self.image.count(fill.ERASED, page * PAGE, (page + 1) * PAGE) == PAGE
        return self._entries[block][entry - 1] == _FREE and erased

    def unused_objects(self) -> Iterator[int]:
        """Object numbers that nothing has, from 1 on."""
        used = {entry & ~INDEX for entries in self._entries for entry in entries if entry != _FREE}
        return (number for number in range(1, INDEX - 1) if number not in used)

    def delete(self, objects: Collection[int]) -> None:
        """Delete all pages of objects: in the lookup pages, and in their own flags."""
        for block, entries in enumerate(self._entries):
            for entry, owner in enumerate(entries, 1):
                if owner not in (_FREE, _GONE) and owner & ~INDEX in objects:
                    self._delete_page(block, entry, owner)

    def _delete_page(self, block: int, entry: int, owner: int) -> None:
        start = block * self._shape.block_size
        at = start + entry * PAGE
        first = owner & INDEX and self.image[at + 2 : at + 4] == b"\0\0"
        self.image[at + 4] &= ~(_ALIVE | _NOT_BEING_REMOVED if first else _ALIVE) & 0xFF
        self.image[start + 2 * (entry - 1) : start + 2 * entry] = _GONE.to_bytes(2, "little")
