"""The file system that a firmware takes: type, place, length, block size, magics, page layout and names.

Pure functions over the layout and the generation of the firmware; nothing is made here
(imgtool.formats.filesystems), and what is in a flash is not looked at.  The rules and where they are known
from: docs/flash-layouts.md.

Of firmware whose build decides where its files are, no image shows that: it has rows with names.  The places
of MicroPython are those of
https://github.com/micropython/micropython/blob/v1.22.0/ports/esp8266/modules/flashbdev.py
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import SECTOR
from imgtool.errors import FilePlaceError, FileRoomError, UsageError
from imgtool.formats.filesystems.littlefs_shape import ARDUINO, MICROPYTHON, LittleFsShape, shape_for
from imgtool.formats.filesystems.spiffs_make import SpiffsShape
from imgtool.layout.arduino_places import ARDUINO_PLACES
from imgtool.layout.file_places import file_room, filesystem_mounted
from imgtool.layout.first_boot import spiffs_formula
from imgtool.layout.generations import GENERATIONS, generation_of
from imgtool.layout.traits import Family, Magics, NameRule
from imgtool.phrase import Name, Phrase
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.chip import FlashSize
    from imgtool.formats.reading import Firmware
    from imgtool.layout.regions import FlashLayout
    from imgtool.layout.traits import SpiffsRule

__all__ = ["TARGETS", "TARGET_NAMES", "FileTarget", "NamedTarget", "named_target", "target_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTarget:
    """A file system as a firmware takes it.

    Attributes:
        title: Whose it is, in words, such as ``NodeMCU 3.0.0``.
        shape: How it is laid out.
        names: Which names it can open.
        start: Its flash address; None where that is not known.
    """

    title: str
    shape: SpiffsShape | LittleFsShape
    names: NameRule
    start: int | None = None

    @property
    def end(self) -> int | None:
        """The address behind it."""
        return None if self.start is None else self.start + self.shape.size


# By the firmware.


def target_for(
    layout: FlashLayout,
    firmware: Firmware | None,
    irom_end: int,
    boot: bytes | None = None,
    *,
    formula: str | None = None,
) -> FileTarget:
    """The file system that a firmware makes on a flash, and mounts there.

    Where it mounts no more than a part of what it makes, it is that part.

    Args:
        layout: The flash.
        firmware: Which firmware.
        irom_end: Flash address behind irom.
        boot: Its image for 0, which tells the builds of NodeMCU 1.5.4.1 apart where their code does not;
            None where it is not at hand.
        formula: Of its magics, where that is known from elsewhere; None for by its release.

    Raises:
        FilePlaceError: Nothing tells where it looks for files, or by which formula its magics are.
        FileRoomError: It has too little room for any file.
    """
    row = generation_of(firmware)
    name = "this firmware" if firmware is None else f"{firmware.name} {firmware.version or ''}".strip()
    room = file_room(layout, firmware, irom_end) if row.finds_files else None
    if row.files is None or room is None:
        raise FilePlaceError(
            f"nothing in {name} tells where it looks for files, how much, and of which kind",
            expected="NodeMCU of a release that is known, or the file system of another firmware by name",
        )
    if room.start is None or not room.enough:
        raise FileRoomError(
            f"{name} on {layout.flash.name} has no room for files",
            too_many=room.least - room.size,
            expected=f"at least {in_bytes(room.least)}",
            found=in_bytes(room.size),
        )
    formula = formula or spiffs_formula(firmware, boot)
    if formula is None:
        raise FilePlaceError(
            f"some builds of {name} want the old SPIFFS magics, and the others the linear ones",
            expected="irom whose code tells which, or a build that says of which day and branch it is",
        )
    mounted = filesystem_mounted(layout, firmware, irom_end, formula)
    start, size = (room.start, room.size) if mounted is None else (mounted.start, mounted.size)
    blocks = size // room.block
    shape = SpiffsShape(block_size=room.block, blocks=blocks, formula=formula, layout=row.files.pages)
    return FileTarget(title=name, shape=shape, names=row.files.names, start=start)


# By name.


class NamedTarget(NamedTuple):
    """A row: the file system of a firmware that is named, and not looked at.

    Attributes:
        name: What it is called at the command line.
        title: Whose it is, in words.
        shape: How it is laid out: bytes of it to its shape.
        names: Which names the firmware can open.
        start: Flash address, where that does not differ; None where it does, or hangs on the flash size.
        length: Bytes, likewise.
        place: Flash size to start and length, of firmware that goes by that; None for none.
    """

    name: str
    title: str
    shape: Callable[[int], SpiffsShape | LittleFsShape]
    names: NameRule
    start: int | None = None
    length: int | None = None
    place: Callable[[FlashSize], tuple[int, int]] | None = None


def named_target(name: str, length: int | None = None, flash: FlashSize | None = None) -> FileTarget:
    """The file system of a firmware by its name in :data:`TARGETS`.

    Args:
        name: The name.
        length: Bytes, where the row has none.
        flash: The flash, where the place hangs on its size.

    Raises:
        UsageError: There is no such name, or the length is missing, or is given twice.
        FormatError: No file system has that length.
    """
    row = TARGETS.get(name.lower())
    if row is None:
        raise UsageError(Phrase("no firmware is known by the name ", Name(name)), expected=TARGET_NAMES)
    start = row.start
    given = length
    if row.place is not None:
        if flash is None:
            raise UsageError(
                f"where {row.title} has its files hangs on the flash size", expected="a flash size"
            )
        start, length = row.place(flash)
    elif row.length is not None:
        length = row.length
    if length is None:
        raise UsageError(
            f"nothing tells how long the file system of {row.title} is", expected="its length in bytes"
        )
    if given is not None and given != length:
        raise UsageError(
            f"the file system of {row.title} has a length of its own",
            expected=f"0x{length:x}",
            found=f"0x{given:x}",
        )
    return FileTarget(title=row.title, shape=row.shape(length), names=row.names, start=start)


_SMALL: Final = 0x1000
_LARGE: Final = 0x2000


def _spiffs(
    formula: str, pages: str = "aligned", block: int | None = None, rule: SpiffsRule | None = None
) -> Callable[[int], SpiffsShape]:
    def shape(length: int) -> SpiffsShape:
        size = block or (_LARGE if rule is None else rule.block_for(length))
        return SpiffsShape(block_size=size, blocks=length // size, formula=formula, layout=pages)

    return shape


# NodeMCU.

_NODEMCU: Final = {
    "0.9.5": "none",
    "0.9.6": "none",
    "1.4": "none",
    "1.5": "none",
    "1.5.4.1": "linear",
    "2.0": "old",
    "2.1": "linear",
    "2.2": "linear",
    "3": "linear",
}
# Releases of a version that came out with the other formula.
_OLD_BUILDS: Final = {"1.5.4.1-20161201": "1.5.4.1", "2.1-20170521": "2.1"}


def _of_nodemcu() -> Iterator[NamedTarget]:
    rows = {row.name.removeprefix("NodeMCU "): row for row in GENERATIONS if row.family is Family.NODEMCU}
    releases = {**{name: name for name in _NODEMCU}, **_OLD_BUILDS}
    for name, release in sorted(releases.items()):
        rule = rows[release].files
        if rule is not None:
            formula = Magics.OLD.value if name in _OLD_BUILDS else _NODEMCU[release]
            shape = _spiffs(formula, rule.pages, rule=rule)
            title = f"NodeMCU {name.replace('-', ' of ')}"
            yield NamedTarget(f"nodemcu-{'3.0' if name == '3' else name}", title, shape, rule.names)


# The Arduino core.


_ARDUINO_SPIFFS: Final = NameRule(slash=True)
_ARDUINO_LITTLEFS: Final = NameRule(folders=True)  # the core's own check, though name_max is 32


def _arduino_littlefs(block: int) -> Callable[[int], LittleFsShape]:
    return lambda length: shape_for(ARDUINO, block_size=block, blocks=length // block, version="2.0")


def _of_arduino() -> Iterator[NamedTarget]:
    for name, place in ARDUINO_PLACES.items():
        length, word = place.size, name.lower()
        spiffs = _spiffs(Magics.CONSTANT.value, block=place.block)
        little = _arduino_littlefs(place.block)
        title = f"Arduino core {name}"
        yield NamedTarget(f"arduino-spiffs-{word}", title, spiffs, _ARDUINO_SPIFFS, place.start, length)
        yield NamedTarget(f"arduino-littlefs-{word}", title, little, _ARDUINO_LITTLEFS, place.start, length)


# MicroPython, from 1.13 on.

_PYTHON_NAMES: Final = NameRule(longest=255, folders=True)
_PYTHON_KEPT: Final = 5  # sectors at the end
_SMALL_FLASH: Final = 0x10_0000
_PYTHON_STARTS: Final = (0x9_9000, 0x10_0000)


def _python_place(flash: FlashSize) -> tuple[int, int]:
    start = _PYTHON_STARTS[flash.bytes > _SMALL_FLASH]
    length = flash.bytes - _PYTHON_KEPT * SECTOR - start
    if length <= 0:
        raise UsageError(f"MicroPython has no files on {flash.name}", expected="1MB or more")
    return start, length


def _python_shape(version: str) -> Callable[[int], LittleFsShape]:
    return lambda length: shape_for(MICROPYTHON, block_size=_SMALL, blocks=length // _SMALL, version=version)


def _all_targets() -> Iterator[NamedTarget]:
    yield from _of_nodemcu()
    yield from _of_arduino()
    for name, title, version in (
        ("micropython-1.13", "MicroPython 1.13 to 1.21", "2.0"),
        ("micropython-1.22", "MicroPython 1.22 and later", "2.1"),
    ):
        yield NamedTarget(name, title, _python_shape(version), _PYTHON_NAMES, place=_python_place)
    sming = NameRule()
    none = Magics.NONE.value
    yield NamedTarget("sming-4.2", "Sming before 4.3", _spiffs(none), sming)
    yield NamedTarget("sming-4.3", "Sming 4.3 and later", _spiffs(none, "sming-4.3"), sming)
    yield NamedTarget(
        "mongoose",
        "Mongoose OS",
        _spiffs(Magics.CONSTANT.value, "mongoose", _SMALL),
        NameRule(longest=47),
    )


TARGETS: Final[Mapping[str, NamedTarget]] = {row.name: row for row in _all_targets()}
"""File systems by the name of their firmware."""

TARGET_NAMES: Final = (
    f"{', '.join(name for name in TARGETS if not name.startswith('arduino-'))}, arduino-spiffs-LAYOUT, "
    f"arduino-littlefs-LAYOUT with a LAYOUT such as {', '.join(ARDUINO_PLACES)}"
)
"""The names for people: those of the Arduino core are one for each of its flash layouts."""
