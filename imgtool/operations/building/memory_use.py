"""How much of the chip's memory a program takes, and how much there is by the linker maps of its SDK.

Limits as tables with their sources, and what sections make of them.  Not the checks that refuse a program:
link_checks.py.

Sources: the SDK's linker scripts, https://github.com/espressif/ESP8266_NONOS_SDK/tree/master/ld; NodeMCU's,
https://github.com/nodemcu/nodemcu-firmware/blob/release/ld/nodemcu.ld; rBoot's guide,
https://github.com/raburton/rboot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import IROM_BASE, IROM_WINDOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.chip import FlashSize
    from imgtool.formats.elf.program import ProgramBlock, Reserved

__all__ = ["CACHE", "DRAM", "EARLY", "IRAM", "WINDOW", "IromMap", "MemoryUse", "Range", "SectionUse"]
__all__ += ["RTOS_RANGES", "irom_map", "memory_uses", "rtos_uses"]


class Range(NamedTuple):
    """A named stretch of memory that a program may use.

    Attributes:
        name: As in reports.
        start: Its first address.
        size: Bytes.
        source: Where the limit is known from.
    """

    name: str
    start: int
    size: int
    source: str

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.start + self.size

    def holds(self, address: int) -> bool:
        """Whether an address lies in it."""
        return self.start <= address < self.end


IRAM: Final = Range("IRAM", 0x4010_0000, 0x8000, "iram1_0_seg of the SDK's linker maps")
DRAM: Final = Range("DRAM", 0x3FFE_8000, 0x1_4000, "dram0_0_seg of the SDK's linker maps")
CACHE: Final = Range("cache RAM", 0x4010_8000, 0x8000, "the instruction cache, while it is off")
EARLY: Final = Range("cache RAM", 0x4010_E000, 0x2000, "iram0_0_seg of NodeMCU 3's linker map")
"""Where NodeMCU 3 has code that runs before the cache is switched on, see its ``.pre_init`` sections."""

WINDOW: Final = Range("IROM", IROM_BASE, IROM_WINDOW, "the window that the cache shows")

RTOS_RANGES: Final = (
    Range("IRAM", 0x4010_0000, 0xC000, "iram0_0_seg of the RTOS SDK's linker script"),
    Range("DRAM", 0x3FFE_8000, 0x1_8000, "dram0_0_seg of the RTOS SDK's linker script"),
    WINDOW,
    Range("RTC", 0x6000_1200, 0x200, "rtc_data_seg of the RTOS SDK's linker script"),
)
"""The memories of a program of the RTOS SDK 3; 16 KB of IRAM less where a build has the cache at its largest.

Source: esp8266.ld and Kconfig in components/esp8266 of https://github.com/espressif/ESP8266_RTOS_SDK.
"""


class IromMap(NamedTuple):
    """Where a linker map puts irom.

    Attributes:
        start: Its first address.
        size: Bytes that the map gives it; 0 where no map is known, and the window is the limit.
        ota_slot: The size of the OTA slots that the map is for, bytes; 0 for any.
        slots: The user slots that it is for; none for firmware without a slot.
        source: What the map is.
    """

    start: int
    size: int
    ota_slot: int
    slots: tuple[int, ...]
    source: str


_QUARTER: Final = 0x4_0000
_HALF: Final = 0x8_0000
_WHOLE: Final = 0x10_0000

# Slots of 1 MB are shown at the same addresses, whichever of the two is in use.
IROM_MAPS: Final = (
    IromMap(0x4021_0000, 0xE_0000, 0, (), "NodeMCU's linker map"),
    IromMap(0x4024_0000, 0x3_C000, 0, (), "the linker map of SDKs before 2.0, for 512KB"),
    IromMap(0x4020_1010, 0x2_B000, _QUARTER, (1,), "the SDK's map of user1 in 256 KB slots"),
    IromMap(0x4024_1010, 0x2_B000, _QUARTER, (2,), "the SDK's map of user2 in 256 KB slots"),
    IromMap(0x4020_1010, 0x6_B000, _HALF, (1,), "the SDK's map of user1 in 512 KB slots"),
    IromMap(0x4028_1010, 0x6_B000, _HALF, (2,), "the SDK's map of user2 in 512 KB slots"),
    IromMap(0x4020_1010, 0xE_0000, _WHOLE, (1, 2), "the SDK's map of user1 and user2 in 1 MB slots"),
    IromMap(0x4020_2010, 0, 0, (1,), "the first slot of rBoot; its map is the user's own"),
    IromMap(0x4028_2010, 0, 0, (2,), "the second slot of rBoot; its map is the user's own"),
)


def irom_map(address: int, flash: FlashSize) -> IromMap | None:
    """The linker map that puts irom at an address, for a flash of that size; None if none does."""
    fitting = (row for row in IROM_MAPS if row.start == address and row.ota_slot in (0, flash.ota_slot))
    return next(fitting, None)


class SectionUse(NamedTuple):
    """A section in memory.

    Attributes:
        name: Its name.
        address: Its first byte.
        size: Bytes.
        loaded: Whether the image holds its bytes; ``.bss`` has none.
    """

    name: str
    address: int
    size: int
    loaded: bool


class MemoryUse(NamedTuple):
    """What a program takes of one memory.

    Attributes:
        name: ``IRAM``, ``DRAM``, ``IROM``, ``cache RAM`` or ``RTC``.
        start: Where the memory begins for such a program.
        used: Bytes from there to the end of the last section, as linkers count.
        limit: Bytes that there are.
        source: Where the limit is known from.
        sections: What lies in it, by address.
    """

    name: str
    start: int
    used: int
    limit: int
    source: str
    sections: tuple[SectionUse, ...]

    @property
    def free(self) -> int:
        """Bytes left; below 0 where a linker map is exceeded that is only one of several."""
        return self.limit - self.used


def memory_uses(
    blocks: Sequence[ProgramBlock], reserved: Sequence[Reserved], flash: FlashSize
) -> tuple[MemoryUse, ...]:
    """How full each memory is: always IRAM and DRAM, the others where something is in them.

    Args:
        blocks: What the image loads.
        reserved: What the program uses beside that.
        flash: The flash size, by which OTA slots are as large as they are.
    """
    sections = _sections(blocks, reserved)
    uses = [_use(IRAM, sections), _use(DRAM, sections)]
    if any(CACHE.holds(section.address) for section in sections):
        uses.append(_use(CACHE, sections))
    irom = [section for section in sections if WINDOW.holds(section.address)]
    if irom:
        uses.append(_use(_irom_range(irom[0].address, flash), irom))
    return tuple(uses)


def rtos_uses(
    blocks: Sequence[ProgramBlock], reserved: Sequence[Reserved], place: int
) -> tuple[MemoryUse, ...]:
    """The same for a program of the RTOS SDK 3.

    Args:
        blocks: What the image loads, and what runs from flash.
        reserved: What the program uses beside that.
        place: Address of what runs from flash.
    """
    iram, dram, window, rtc = RTOS_RANGES
    irom = Range(window.name, place, window.end - place, window.source)
    sections = _sections(blocks, reserved)
    own = {each: [one for one in sections if each.holds(one.address)] for each in (iram, dram, irom, rtc)}
    return tuple(_filled(each, inside) for each, inside in own.items() if inside or each is not rtc)


def _sections(blocks: Sequence[ProgramBlock], reserved: Sequence[Reserved]) -> list[SectionUse]:
    return sorted(
        [
            *(SectionUse(block.name, block.address, len(block.data), loaded=True) for block in blocks),
            *(SectionUse(area.name, area.address, area.size, loaded=False) for area in reserved),
        ],
        key=lambda section: section.address,
    )


def _irom_range(address: int, flash: FlashSize) -> Range:
    row = irom_map(address, flash)
    if row is None:
        return Range("IROM", address, WINDOW.end - address, WINDOW.source)
    return Range("IROM", address, row.size or WINDOW.end - address, row.source)


def _use(memory: Range, sections: Sequence[SectionUse]) -> MemoryUse:
    # A section that begins in irom is counted there, also where it leaves the map.
    return _filled(memory, [s for s in sections if memory.holds(s.address) or memory.name == "IROM"])


def _filled(memory: Range, inside: Sequence[SectionUse]) -> MemoryUse:
    end = max((section.address + section.size for section in inside), default=memory.start)
    return MemoryUse(memory.name, memory.start, end - memory.start, memory.size, memory.source, tuple(inside))
