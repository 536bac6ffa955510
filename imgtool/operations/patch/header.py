"""Image headers changed: flash mode, frequency, size and entry point, wherever an image repeats them.

Not the checks that cover them: steps.py has those computed.  Which headers a file has is a matter of its
kind: docs/how-to/patch.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgtool.chip import FLASH_FREQUENCIES, FLASH_MODES, flash_size, runnable
from imgtool.errors import FormatError, LayoutError
from imgtool.formats.images import arduino, version1, version2
from imgtool.formats.images.rtos_app import ESP32_SIZES
from imgtool.formats.kinds import KINDS, Headers
from imgtool.formats.reading import Header
from imgtool.formats.registry import identify
from imgtool.layout.fit import layout_for, size_findings, told_findings
from imgtool.layout.generations import generation_of
from imgtool.operations.assemble.extras import irom_end_of, table_of
from imgtool.operations.assemble.wrong_files import not_for_flash, wrong_file
from imgtool.operations.patch.edits import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.chip import FlashSize
    from imgtool.formats.reading import FileKind, Finding
    from imgtool.operations.assemble.pieces import HeaderChange
    from imgtool.operations.inspect.describe import Description

__all__ = ["findings_of_size", "header_edits"]

_MODE, _SIZE_FREQ, _ENTRY = 2, 3, 4  # offsets in a header


@dataclass(frozen=True, slots=True)
class _HeaderPlace:
    """A header: where it is, what to call it, and which of its fields follow a change."""

    offset: int
    name: str = ""
    flash: bool = True  # mode, frequency and size
    entry: bool = True
    follows: bool = False


def header_edits(data: bytes, change: HeaderChange, entry: int | None) -> tuple[Edit, ...]:
    """The edits that give an image another header.

    Args:
        data: The whole file.
        change: Mode, frequency and size.
        entry: The entry point.

    Raises:
        FormatError: There is no image header, or one that states a user slot and not a flash.
        LayoutError: No code can run at the entry point, or the image knows no such flash size.
    """
    if not change.any and entry is None:
        return ()
    reading = identify(data)
    edits: list[Edit] = []
    if reading.header is None and not_for_flash(reading, 0, None):
        raise wrong_file(reading, None)
    places = tuple(_places(data, reading.kind, reading.header))
    if change.any and not any(place.flash for place in places):
        raise FormatError(
            "the header states a user slot, and neither flash mode nor size: its boot loader knows them",
            offset=_SIZE_FREQ,
            expected="a header with mode and size",
            found=f"slot {data[_SIZE_FREQ]}",
        )
    for place in places:
        if place.flash and change.any:
            edits += _flash_edits(data, place, change, reading.kind)
        if place.entry and entry is not None:
            edits += _entry_edit(data, place, entry)
    return tuple(edit for edit in edits if edit.old != edit.new)


def _places(data: bytes, kind: FileKind, header: Header | None) -> Iterator[_HeaderPlace]:
    if header is None:
        raise FormatError(
            "there is no image header to change", expected="an image", found=KINDS[kind].words, offset=0
        )
    headers = KINDS[kind].headers
    if headers is Headers.SLOTTED and header.slot is not None:
        yield _HeaderPlace(0, flash=False)
        return
    if headers is Headers.BOTH:
        yield _HeaderPlace(0, "boot loader's ")
        # The boot ROM jumps to the boot loader, and that to the application's own entry point.
        if data[arduino.APP_OFFSET : arduino.APP_OFFSET + 1] == bytes([version1.MAGIC]):
            yield _HeaderPlace(arduino.APP_OFFSET, "application's ", entry=False, follows=True)
        return
    if headers is not Headers.INNER:
        yield _HeaderPlace(0)
        return
    inner = version2.inner_offset(data)
    if inner is None or data[inner : inner + 1] != bytes([version1.MAGIC]):
        raise FormatError("the image inside the version-2 image is not there", offset=inner)
    yield _HeaderPlace(inner)
    repeats = data[_MODE:_ENTRY] == data[inner + _MODE : inner + _ENTRY]
    same_entry = data[_ENTRY:8] == data[inner + _ENTRY : inner + 8]
    yield _HeaderPlace(0, "outer ", flash=repeats, entry=same_entry, follows=True)


def _flash_edits(data: bytes, place: _HeaderPlace, change: HeaderChange, kind: FileKind) -> Iterator[Edit]:
    mode, packed = data[place.offset + _MODE], data[place.offset + _SIZE_FREQ]
    before = Header(1, 0, mode, packed)
    if change.mode is not None:
        code = FLASH_MODES[change.mode]
        old = before.mode or f"code {mode}"
        yield _edit(place, _MODE, code, "flash mode", old, change.mode)
    if change.freq is not None:
        packed = packed & 0xF0 | FLASH_FREQUENCIES[change.freq]
        old = before.freq or f"code {before.size_freq_code & 0xF}"
        yield _edit(place, _SIZE_FREQ, packed, "flash frequency", old, change.freq)
    if change.size is not None:
        packed = packed & 0x0F | _size_code(change.size, kind) << 4
        yield _edit(place, _SIZE_FREQ, packed, "flash size", _size_name(before, kind), change.size)


def _edit(place: _HeaderPlace, at: int, byte: int, name: str, old: str, new: str) -> Edit:
    return Edit(place.offset + at, bytes([byte]), f"{place.name}{name}", old, new, follows=place.follows)


def _size_code(name: str, kind: FileKind) -> int:
    if not KINDS[kind].esp32_sizes:
        return flash_size(name).code
    codes = {size: code for code, size in ESP32_SIZES.items()}
    if name not in codes:
        raise LayoutError(
            "an RTOS SDK application states its flash size by another table, which has no such size",
            offset=_SIZE_FREQ,
            expected=", ".join(codes),
            found=name,
        )
    return codes[name]


def _size_name(header: Header, kind: FileKind) -> str:
    code = header.size_freq_code >> 4
    named = ESP32_SIZES.get(code) if KINDS[kind].esp32_sizes else header.size
    return named or f"code {code}"


def _entry_edit(data: bytes, place: _HeaderPlace, entry: int) -> Iterator[Edit]:
    if not runnable(entry):
        raise LayoutError(
            "no code can run at this entry point",
            expected="an address in IRAM or in the flash window, from 0x40100000 on",
            found=f"0x{entry:08x}",
        )
    start = place.offset + _ENTRY
    old = int.from_bytes(data[start : start + 4], "little")
    word = entry.to_bytes(4, "little")
    name = f"{place.name}entry point"
    yield Edit(start, word, name, f"0x{old:08x}", f"0x{entry:08x}", follows=place.follows)


def findings_of_size(description: Description, size: str, stated: FlashSize | None) -> tuple[Finding, ...]:
    """What a firmware makes of another flash size.

    Args:
        description: The file with that size.
        size: Its name.
        stated: What the header stated before; None where that had no meaning.

    Raises:
        LayoutError: It would not start on it, or would take it for another.
    """
    firmware, row = description.firmware, KINDS[description.kind]
    flash = flash_size(size)
    if generation_of(firmware).is_nodemcu and row.has_layout:
        layout_for(flash, firmware, table_of(description), irom_end_of(description))
        return size_findings(flash, firmware)
    return () if stated is None or row.esp32_sizes else told_findings(flash, stated, firmware, row.brings)
