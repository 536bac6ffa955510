"""The application that a linked program of the RTOS SDK 3 is: one image, for a partition of its boot loader.

Which sections go into it, in which order, is that of the SDK's own converter.  Not the pair and not the
version-2 image (images.py), and not what the image is as a format (formats/images/rtos_app.py).

Source: elf2image version 3 in components/esptool_py, esp8266.ld and esp8266.project.ld.in of
https://github.com/espressif/ESP8266_RTOS_SDK; rules and differences: docs/how-to/build.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.chip import IROM_BASE, IROM_WINDOW, SECTOR
from imgtool.errors import FormatError, LayoutError, UsageError
from imgtool.formats.images.rtos_app import ESP32_SIZES, RtosApp
from imgtool.formats.images.version1 import BootImage, Segment
from imgtool.operations.building import link_checks
from imgtool.operations.building.memory_use import RTOS_RANGES, WINDOW
from imgtool.operations.building.sections import joined, padded
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.formats.elf.program import ElfProgram, ProgramBlock
    from imgtool.formats.reading import Finding

__all__ = ["check", "image_of", "is_rtos_program", "place_of", "segments_of", "size_code"]

_TEXT, _RODATA = ".flash.text", ".flash.rodata"
_HEADERS: Final = 0x10  # of the image and of its first segment: what runs from flash begins behind them
_SEGMENT_HEADER: Final = 8
_WORD: Final = 4


def is_rtos_program(program: ElfProgram) -> bool:
    """Whether a program is one of the RTOS SDK 3.

    From 3.3 on its linker script has names of its own.  Before that it is told by where it starts: in flash,
    behind the two headers of an image in a sector.  All else starts in RAM.
    """
    blocks = program.sections or program.segments
    if any(block.name == _TEXT for block in blocks):
        return True
    mapped = [block for block in blocks if WINDOW.holds(block.address)]
    first = min((block.address for block in mapped), default=0)
    starts = any(block.address <= program.entry < block.end for block in mapped)
    return starts and first % SECTOR == _HEADERS


def size_code(name: str) -> int:
    """The code of a flash size in the header of an application, which is the ESP32's.

    Raises:
        UsageError: It has none.
    """
    code = next((code for code, size in ESP32_SIZES.items() if size == name), None)
    if code is None:
        raise UsageError(
            "the header of an RTOS SDK application has no code for that flash size",
            expected=", ".join(ESP32_SIZES.values()),
            found=name,
        )
    return code


def check(program: ElfProgram, blocks: Sequence[ProgramBlock]) -> list[Finding]:
    """Check what must hold before an application is made of a program.

    Raises:
        FormatError: It does not start in code that runs from flash.
        LayoutError: A section lies nowhere or overlaps another one, or a memory overflows.
    """
    findings = link_checks.check_ranges(blocks, program.reserved, RTOS_RANGES)
    link_checks.check_overlaps(blocks, program.reserved)
    link_checks.check_padding(blocks)
    home = next((block for block in blocks if block.address <= program.entry < block.end), None)
    if home is None or not WINDOW.holds(program.entry):
        raise FormatError(
            "the entry point lies in no code that runs from flash, and the RTOS SDK's boot loader loads "
            "nothing into RAM",
            expected=f"an address in {_TEXT}",
            found=f"0x{program.entry:08x}" + ("" if home is None else f" in {home.name}"),
        )
    return findings


def place_of(segments: Sequence[ProgramBlock]) -> int:
    """The flash address that an application is linked for, the first of those a megabyte apart.

    Args:
        segments: Its segments.

    Raises:
        LayoutError: No application can begin there.
    """
    first = segments[0].address
    if first % SECTOR != _HEADERS:
        raise LayoutError(
            f"section {segments[0].name} is linked for no application: its image would begin in a sector",
            expected=f"an address that is 0x{_HEADERS:x} behind a multiple of 0x{SECTOR:x}",
            found=f"0x{first:08x}",
        )
    return first - _HEADERS - IROM_BASE


def segments_of(blocks: Sequence[ProgramBlock]) -> list[ProgramBlock]:
    """The segments of the image, in file order: what runs from flash, and then the rest, by address.

    Where the linker script left 8 bytes free at the start of the read-only data, as the SDK's does from 3.3
    on, the header of its segment goes there, and no sections are joined: that is the SDK's converter to the
    byte.  Without that room adjacent sections are joined, as by esptool, which is right for every address.

    Args:
        blocks: The sections with bytes.
    """
    parts = list(map(padded, blocks)) if any(map(_has_room, blocks)) else joined(blocks)
    ordered = sorted(parts, key=lambda block: block.address)
    mapped = [block for block in ordered if WINDOW.holds(block.address)]
    behind = [block for block in ordered if block.address >= WINDOW.end]
    loaded = [block for block in ordered if block.address < WINDOW.start]
    # The converter takes all behind the window for flash, RTC memory too.
    segments = [*_mapped(mapped), *behind, *loaded]
    link_checks.check_segment_count(segments)
    return segments


def _has_room(block: ProgramBlock) -> bool:
    """Whether a section is the read-only data, with room for the header of a segment before it."""
    blank = block.data.startswith(bytes(_SEGMENT_HEADER)) and len(block.data) > _SEGMENT_HEADER
    return block.name == _RODATA and blank and block.address % _WORD == 0


def _mapped(blocks: Sequence[ProgramBlock]) -> list[ProgramBlock]:
    """What runs from flash: each byte stands as far behind the start of the image as its address tells."""
    segments: list[ProgramBlock] = []
    for block in blocks:
        last = segments[-1] if segments else None
        if last is None:
            segments.append(block)
            continue
        between = last.data.ljust(block.address - last.address + _shift(segments), b"\0")
        if _has_room(block):
            # The header has the address of the room, where it stands itself.
            segments[-1] = last._replace(data=between)
            segments.append(block._replace(data=block.data[_SEGMENT_HEADER:]))
        else:
            segments[-1] = last._replace(name=f"{last.name} {block.name}", data=between + block.data)
    return list(map(padded, segments))


def _shift(segments: Sequence[ProgramBlock]) -> int:
    """Bytes that the data of the last segment stands behind the address in its header, less than 0."""
    return -_SEGMENT_HEADER if len(segments) > 1 else 0


def image_of(
    program: ElfProgram, segments: Sequence[ProgramBlock], mode_code: int, size_freq_code: int
) -> bytes:
    """The application as bytes, with its SHA-256.

    Raises:
        LayoutError: It does not end before the 1 MB line behind the place that it is linked for.
    """
    parts = tuple(Segment(block.address, block.data) for block in segments)
    app = RtosApp(BootImage(mode_code, size_freq_code, program.entry, parts))
    data = app._replace(stored_sha256=app.sha256).build()
    room = IROM_WINDOW - place_of(segments)
    if len(data) > room:
        raise LayoutError(
            "the application does not end before the 1 MB line behind the place that it is linked for",
            expected=f"at most {in_bytes(room)}",
            found=in_bytes(len(data)),
        )
    return data
