"""What must hold for a linked program before an image is made of it: memory, room, overlaps, entry point.

Each check raises an error that names sections, addresses and bytes, or returns findings.  Not reading the
program (formats/elf/program.py), and not the limits (memory_use.py).

Why each rule is there: docs/how-to/build.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.chip import IROM_BASE, memory_at
from imgtool.errors import FormatError, LayoutError
from imgtool.formats.elf.program import ProgramBlock
from imgtool.formats.images.version1 import MAX_SEGMENTS
from imgtool.formats.reading import Finding, Severity
from imgtool.operations.building.memory_use import CACHE, DRAM, EARLY, IRAM, WINDOW, irom_map
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.chip import FlashSize
    from imgtool.formats.elf.program import Reserved
    from imgtool.operations.building.memory_use import Range

__all__ = [
    "check_entry",
    "check_irom_fits",
    "check_memory",
    "check_overlaps",
    "check_padding",
    "check_ranges",
    "check_segment_count",
    "only_irom",
]

_NOT_WRITABLE: Final = "ROM"
_REGISTERS: Final = "DPORT"
_WORD: Final = 4


def check_memory(blocks: Sequence[ProgramBlock], reserved: Sequence[Reserved]) -> list[Finding]:
    """Check that every section lies in memory that the chip has, and that all of it has room there.

    Raises:
        LayoutError: A section lies nowhere, or a memory overflows.
    """
    everything: list[ProgramBlock | Reserved] = [*blocks, *reserved]
    for one in everything:
        if _named(one) in ("", _NOT_WRITABLE):
            raise _nowhere(one)
    has_irom = any(WINDOW.holds(block.address) for block in blocks)
    for memory in (DRAM, WINDOW):
        _check_room(memory, [one for one in everything if _begins_in(one, memory)])
    return [
        *_check_iram(everything, has_irom=has_irom),
        *(_registers(one) for one in everything if _named(one) == _REGISTERS),
        *(_unaligned(block) for block in blocks if block.address % _WORD),
    ]


def check_ranges(
    blocks: Sequence[ProgramBlock], reserved: Sequence[Reserved], ranges: Sequence[Range]
) -> list[Finding]:
    """Check that every section begins in one of some memories, or in registers, and ends there.

    Raises:
        LayoutError: One does not.
    """
    everything: list[ProgramBlock | Reserved] = [*blocks, *reserved]
    for one in everything:
        if _named(one) != _REGISTERS and not any(memory.holds(one.address) for memory in ranges):
            raise _nowhere(one)
    for memory in ranges:
        _check_room(memory, [one for one in everything if memory.holds(one.address)])
    return [
        *(_registers(one) for one in everything if _named(one) == _REGISTERS),
        *(_unaligned(block) for block in blocks if block.address % _WORD),
    ]


def _nowhere(one: ProgramBlock | Reserved) -> LayoutError:
    return LayoutError(
        f"section {one.name} lies where the chip has no memory to load it to",
        expected="an address in DRAM, IRAM or IROM",
        found=f"0x{one.address:08x}",
    )


def _named(one: ProgramBlock | Reserved) -> str:
    memory = memory_at(one.address)
    return "" if memory is None else memory.name


def _begins_in(one: ProgramBlock | Reserved, memory: Range) -> bool:
    # The address range that is called DRAM goes on behind what programs may use of it.
    return _named(one) == memory.name


def _check_room(memory: Range, sections: Sequence[ProgramBlock | Reserved]) -> None:
    last = max(sections, key=lambda one: one.end, default=None)
    if last is not None and last.end > memory.end:
        raise LayoutError(
            f"{memory.name} overflows by {in_bytes(last.end - memory.end)}: section {last.name} goes too far",
            expected=f"its end at or below 0x{memory.end:08x} ({memory.source})",
            found=f"0x{last.end:08x}",
        )


def _check_iram(sections: Sequence[ProgramBlock | Reserved], *, has_irom: bool) -> list[Finding]:
    """IRAM, and the cache behind it, which is RAM as long as nothing runs from flash."""
    low = [one for one in sections if IRAM.holds(one.address)]
    high = [one for one in sections if CACHE.holds(one.address)]
    if has_irom:
        _check_room(IRAM, [*low, *(one for one in high if not EARLY.holds(one.address))])
    _check_room(CACHE, [*low, *high])
    over = [one.name for one in (*low, *high) if one.end > CACHE.start]
    if not over:
        return []
    names = ", ".join(over)
    if has_irom:
        message = (
            f"{names} lies in the cache's RAM and is gone once the cache is on: a place only for code that "
            "runs before, as NodeMCU 3 has it"
        )
    else:
        message = f"{names} lies in the cache's RAM, which a program has as long as nothing runs from flash"
    return [Finding(Severity.WARNING if has_irom else Severity.NOTE, "cache-ram", message)]


def _registers(one: ProgramBlock | Reserved) -> Finding:
    message = f"section {one.name} is loaded to 0x{one.address:08x}, which are registers"
    return Finding(Severity.WARNING, "load-address", message)


def _unaligned(block: ProgramBlock) -> Finding:
    message = (
        f"section {block.name} begins at 0x{block.address:08x}, which is no multiple of 4; such images are "
        "reported not to boot"
    )
    return Finding(Severity.WARNING, "unaligned", message)


def check_overlaps(blocks: Sequence[ProgramBlock], reserved: Sequence[Reserved]) -> None:
    """Check that no two sections claim the same bytes.

    Raises:
        LayoutError: Two do.
    """
    everything: list[ProgramBlock | Reserved] = [*blocks, *reserved]
    ordered = sorted(everything, key=lambda one: (one.address, one.end))
    furthest: dict[bool, ProgramBlock | Reserved] = {}
    for two in ordered:
        loaded = isinstance(two, ProgramBlock)
        # Overlays share memory; two of them without bytes in the image do not harm each other.
        for one in (furthest.get(True), furthest.get(False) if loaded else None):
            if one is not None and one.end > two.address:
                raise _overlap(one, two)
        if loaded not in furthest or furthest[loaded].end < two.end:
            furthest[loaded] = two


def check_padding(blocks: Sequence[ProgramBlock]) -> None:
    """Check that the zeros that fill a section up to whole words do not go over one that is loaded before.

    Args:
        blocks: In file order, in which they are loaded.

    Raises:
        LayoutError: They would.
    """
    for number, two in enumerate(blocks):
        end = two.address + -(-len(two.data) // _WORD) * _WORD
        for one in blocks[:number]:
            if max(one.address, two.end) < min(one.end, end):
                raise LayoutError(
                    f"section {two.name} is filled up to whole words, over {one.name}, loaded before it",
                    expected=f"{one.name} at or behind 0x{end:08x}, or behind {two.name} in the file",
                    found=f"{one.name} at 0x{one.address:08x}",
                )


def _overlap(one: ProgramBlock | Reserved, two: ProgramBlock | Reserved) -> LayoutError:
    over = min(one.end, two.end) - two.address
    spans = [f"{each.name} (0x{each.address:08x} to 0x{each.end - 1:08x})" for each in (one, two)]
    return LayoutError(f"sections {spans[0]} and {spans[1]} overlap by {in_bytes(over)}")


def only_irom(blocks: Sequence[ProgramBlock]) -> ProgramBlock | None:
    """The one block that runs from flash, None if there is none.

    Raises:
        LayoutError: There are several that are not adjacent.
    """
    found = [block for block in blocks if WINDOW.holds(block.address)]
    if len(found) > 1:
        named = ", ".join(f"{block.name} at 0x{block.address:08x}" for block in found)
        raise LayoutError(
            "several sections are to run from flash, and they are not adjacent, so no image can hold them",
            expected="one irom section, such as .irom0.text",
            found=named,
        )
    return found[0] if found else None


def check_segment_count(blocks: Sequence[ProgramBlock]) -> None:
    """Check that an image can have that many segments.

    Raises:
        FormatError: It cannot.
    """
    if len(blocks) > MAX_SEGMENTS:
        raise FormatError(
            f"the image would have more segments than the {MAX_SEGMENTS} that boot loaders take",
            expected=f"at most {MAX_SEGMENTS} sections that are not adjacent",
            found=f"{len(blocks)}: {', '.join(block.name for block in blocks)}",
        )


def check_entry(entry: int, blocks: Sequence[ProgramBlock]) -> list[Finding]:
    """Check that the program starts in code that the image brings.

    Raises:
        FormatError: It does not.
    """
    home = next((block for block in blocks if block.address <= entry < block.end), None)
    if home is None or not any(memory.holds(entry) for memory in (IRAM, CACHE, WINDOW)):
        raise FormatError(
            "the entry point lies in no section of code",
            expected="an address in a section that is loaded to IRAM",
            found=f"0x{entry:08x}" + ("" if home is None else f" in {home.name}"),
        )
    if WINDOW.holds(entry):
        message = (
            f"the entry point 0x{entry:08x} lies in {home.name}, which runs only once the cache is on; "
            "the boot ROM does not switch it on"
        )
        return [Finding(Severity.WARNING, "entry", message)]
    return []


def check_irom_fits(irom: ProgramBlock, flash: FlashSize) -> list[Finding]:
    """Check irom against the flash of that size, and against the linker map that it follows.

    Raises:
        LayoutError: It leaves the flash.
    """
    end = irom.end - IROM_BASE
    if end > flash.bytes:
        raise LayoutError(
            f"section {irom.name} leaves the flash of {flash.name} by {in_bytes(end - flash.bytes)}",
            expected=f"its end at or below flash address 0x{flash.bytes:06x}",
            found=f"0x{end:06x}",
        )
    row = irom_map(irom.address, flash)
    if row is None or row.size == 0 or len(irom.data) <= row.size:
        return []
    over = len(irom.data) - row.size
    message = f"section {irom.name} is {in_bytes(over)} longer than the 0x{row.size:x} of {row.source}"
    return [Finding(Severity.WARNING, "irom-map", message)]
