"""The file systems that are there, in a file or on a device, and which of them the firmware works with.

What a firmware looks for where is imgtool.operations.upgrade's to say; reading one is reading.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import SECTOR
from imgtool.errors import FormatError, NoFilesError, UsageError
from imgtool.formats.filesystems.spiffs import SpiffsSignature
from imgtool.formats.filesystems.spiffs_plain import PlainSpiffs, plain_at
from imgtool.formats.filesystems.stored_files import Superblock
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import Finding, PartKind, Severity
from imgtool.layout.first_boot import spiffs_formula
from imgtool.layout.traits import Magics
from imgtool.operations.files.reading import read_system
from imgtool.operations.inspect.device_settings import find_filesystems, remembered
from imgtool.operations.upgrade.glance import glance
from imgtool.operations.upgrade.look import side_before, with_geometry
from imgtool.operations.upgrade.mount import mounted
from imgtool.operations.upgrade.side import FoundFileSystem, OldFlash

if TYPE_CHECKING:
    from imgtool.formats.reading import Part
    from imgtool.operations.files.reading import ReadFileSystem
    from imgtool.operations.inspect.describe import Description
    from imgtool.operations.inspect.device_settings import Reader
    from imgtool.operations.upgrade.side import FlashSide

__all__ = ["HeldFiles", "held_in", "held_on"]

_KINDS: Final = (PartKind.SPIFFS, PartKind.LITTLEFS)
_WINDOW: Final = 0x1_0000  # bytes by which a SPIFFS without magics is known
_SDK_SECTORS: Final = 4


class HeldFiles(NamedTuple):
    """The file systems of a file or a device.

    Attributes:
        found: All of them, in address order.
        used: The one that the firmware works with; None where nothing tells.
        read: Reads one with its files.
    """

    found: tuple[FoundFileSystem, ...]
    used: FoundFileSystem | None
    read: Callable[[FoundFileSystem], ReadFileSystem]

    def chosen(self, at: int | None) -> FoundFileSystem:
        """The file system that is meant.

        Args:
            at: Where it begins; None for the one in use, or the only one.

        Raises:
            UsageError: None begins there, or nothing tells which of several is in use.
        """
        places = ", ".join(f"0x{each.start:x}" for each in self.found)
        if at is not None:
            here = next((each for each in self.found if each.start == at), None)
            if here is None:
                raise UsageError("no file system begins there", expected=places or "none", found=f"0x{at:x}")
            return here
        main = self.used if len(self.found) > 1 else next(iter(self.found), None)
        if main is None:
            raise UsageError(
                f"{len(self.found)} file systems are there, and nothing tells which one is in use",
                expected=f"one of {places}",
            )
        return main


# In a file.


def held_in(data: bytes, description: Description) -> HeldFiles:
    """The file systems in a file: an image of one, a dump, a full image.

    Args:
        data: The whole file.
        description: What it is.

    Raises:
        FormatError: There is none.
    """
    parts = [part for part in description.parts if part.kind in _KINDS]
    found = tuple(_found(part) for part in parts)
    if not found:
        raise FormatError(
            "no file system is in it",
            expected="a part spiffs or littlefs",
            found=", ".join(dict.fromkeys(part.kind for part in description.parts)) or "nothing",
        )
    flash = OldFlash.of_dump(data, len(data), "flash-dump")
    used = None
    without_magics = any(each.formula == Magics.NONE.value for each in found)
    if KINDS[description.kind].at_start and (len(found) > 1 or without_magics):
        side = side_before(flash)
        found = tuple(_to_its_end(each, side) for each in found)
        used = _used_of(side, found)

    def read(one: FoundFileSystem) -> ReadFileSystem:
        kept = _at_its_place(read_system(one, flash.read))
        missing = one.end - len(data)
        if missing <= 0:
            return kept
        message = f"the file ends before its file system does: {missing:,} bytes are missing"
        cut = Finding(Severity.ERROR, "cut", message, len(data))
        return kept._replace(findings=(cut, *kept.findings))

    return HeldFiles(found, used, read)


def _to_its_end(found: FoundFileSystem, side: FlashSide) -> FoundFileSystem:
    """The file system with the erased blocks behind it that its firmware counts to it."""
    if found.formula != Magics.NONE.value or not side.generation.without_magics:
        return found
    return next((each for each in side.filesystems if each.start == found.start), found)


def _at_its_place(kept: ReadFileSystem) -> ReadFileSystem:
    """The same with offsets in what it is in."""
    start = kept.found.start

    def moved(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        return tuple(
            each if each.offset is None else each._replace(offset=each.offset + start) for each in findings
        )

    system = replace(kept.system, offset=start, findings=moved(kept.system.findings))
    return kept._replace(system=system, findings=moved(kept.findings))


def _found(part: Part) -> FoundFileSystem:
    value = part.value
    if isinstance(value, SpiffsSignature | PlainSpiffs):
        return FoundFileSystem(part.kind, part.offset, value.size, value.block_size, value.formula)
    if isinstance(value, Superblock):
        return FoundFileSystem(part.kind, part.offset, value.size, value.block_size)
    return FoundFileSystem(part.kind, part.offset, part.size)


# On a device.


def held_on(read: Reader, capacity: int, at: int | None = None) -> HeldFiles:
    """The file systems on a device, by as little of it as tells them.

    Args:
        read: Reads the device.
        capacity: Bytes of its flash.
        at: Where to look as well; None for where firmware puts them.

    Raises:
        NoFilesError: There is none.
    """
    read = remembered(read)
    side = glance(read, capacity)
    found = side.filesystems
    if at is not None and all(each.start != at for each in found):
        found = tuple(sorted((*found, *_found_at(read, capacity, at)), key=lambda each: each.start))
    if not found:
        raise NoFilesError(
            "no file system is found on the board", expected="a SPIFFS or a LittleFS where firmware puts one"
        )
    used = _used_of(side, found) if len(found) > 1 else None
    if used is None and len(found) > 1 and at is None and read.quick:
        # Its strings tell what its traces do not; that takes some seconds.
        used = _used_of(side_before(OldFlash(read, capacity, capacity, "device")), found)
    return HeldFiles(found, used, lambda one: _at_its_place(read_system(one, read)))


def _found_at(read: Reader, capacity: int, at: int) -> list[FoundFileSystem]:
    """The file system that begins at an address."""
    regions = find_filesystems(read, capacity, [at])
    if regions:
        return [with_geometry(read, region.start, region.kind, region.size) for region in regions]
    window = read(at, min(_WINDOW, capacity - at)) if at < capacity else b""
    plain = plain_at(window) if window else None
    if plain is None:
        return []
    size = plain.size
    if size + plain.block_size > len(window):  # it goes on behind that
        size = (capacity - _SDK_SECTORS * SECTOR - at) // plain.block_size * plain.block_size
    return [FoundFileSystem(PartKind.SPIFFS, at, size, plain.block_size, plain.formula)]


def _used_of(side: FlashSide, found: tuple[FoundFileSystem, ...]) -> FoundFileSystem | None:
    """The one of several that the firmware works with; None where its rules do not tell."""
    if side.generation.without_magics:
        return next((each for each in found if each.formula == "none"), None)
    if not side.nodemcu:
        return None
    main = mounted(side, spiffs_formula(side.firmware, side.boot))
    return None if main is None else next((each for each in found if each.start == main.start), None)
