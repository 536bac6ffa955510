"""ESP8266 and ESP8285 facts as frozen tables: flash sizes, modes, frequencies, the memory map.

Not code: look-ups by name or code are all there is.  Sources are named at each table; "SDK" is Espressif's
ESP8266_NONOS_SDK, https://github.com/espressif/ESP8266_NONOS_SDK.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = [
    "FLASH_FREQUENCIES",
    "FLASH_MODES",
    "FLASH_SIZES",
    "IROM_BASE",
    "IROM_PLACE",
    "IROM_WINDOW",
    "MEGABIT_SIZES",
    "MEMORY",
    "OWN_ROM",
    "ROM_BASE",
    "ROM_SHA256",
    "ROM_SIZE",
    "RTOS_TABLE_PLACE",
    "SDK_SECTORS",
    "SECTOR",
    "FlashSize",
    "MemoryRegion",
    "SdkSector",
    "flash_size",
    "flash_size_of_code",
    "loadable",
    "memory_at",
    "runnable",
]

SECTOR: Final = 0x1000
"""Smallest erasable unit of the SPI flash, bytes."""

IROM_BASE: Final = 0x4020_0000
"""Where flash offset 0 appears in the address space once the cache is on."""

IROM_WINDOW: Final = 0x10_0000
"""Bytes of flash that the cache shows at a time."""

IROM_PLACE: Final = 0x1_0000
"""Flash offset of irom behind a version-1 image, whose file is called 0x10000.bin: the SDK's from 2.0 on, and
NodeMCU's always.  The image for 0 ends before it."""

RTOS_TABLE_PLACE: Final = 0x8000
"""Flash offset of the RTOS SDK's partition table, which a build can move (its PARTITION_TABLE_OFFSET)."""

ROM_BASE: Final = 0x4000_0000
"""Where the boot ROM begins in the address space."""

ROM_SIZE: Final = 0x1_0000
"""Bytes of the boot ROM."""

ROM_SHA256: Final = "32f199bf10da9a08c6c4e1b556b29c7606656b8a6d04e4f17d5afa74e5d98c68"
"""Of the one boot ROM that every ESP8266 and ESP8285 has that was read (docs/virtual/boot-rom.md)."""


OWN_ROM: Final = "own"
"""What users write for imgtool's own functions in place of a dump of the boot ROM."""


class FlashSize(NamedTuple):
    """One value of the size nibble, the upper half of image header byte 3.

    Attributes:
        name: Spelling used for options and output.
        code: The nibble.
        bytes: Capacity that the SDK derives from it.
        ota_slot: Bytes of one of its two OTA slots; 0 where the map has a single slot.
    """

    name: str
    code: int
    bytes: int
    ota_slot: int


# SDK Makefile (SPI_SIZE_MAP) and user_interface.h (enum flash_size_map); nibble 7 exists in the enum, but no
# tool and no documentation gives it a name.
FLASH_SIZES: Final = (
    FlashSize("256KB", 1, 0x4_0000, 0),
    FlashSize("512KB", 0, 0x8_0000, 0x4_0000),
    FlashSize("1MB", 2, 0x10_0000, 0x8_0000),
    FlashSize("2MB", 3, 0x20_0000, 0x8_0000),
    FlashSize("2MB-c1", 5, 0x20_0000, 0x10_0000),
    FlashSize("4MB", 4, 0x40_0000, 0x8_0000),
    FlashSize("4MB-c1", 6, 0x40_0000, 0x10_0000),
    FlashSize("8MB", 8, 0x80_0000, 0x10_0000),
    FlashSize("16MB", 9, 0x100_0000, 0x10_0000),
)

# The spellings of esptool 1.x and of the SDK's own tools, in megabits.
MEGABIT_SIZES: Final = {"4m": "512KB", "8m": "1MB", "16m": "2MB", "32m": "4MB"}

# Image header byte 2.
FLASH_MODES: Final = {"qio": 0, "qout": 1, "dio": 2, "dout": 3}

# Image header byte 3, lower half.
FLASH_FREQUENCIES: Final = {"40m": 0x0, "26m": 0x1, "20m": 0x2, "80m": 0xF}


class MemoryRegion(NamedTuple):
    """A named stretch of the address space.

    Attributes:
        name: Its name.
        start: Its first address.
        end: The address behind it.
        loads: Whether a segment of an image can be loaded there, or run there from flash.
        runs: Whether code that an image brings can run there.
    """

    name: str
    start: int
    end: int
    loads: bool = False
    runs: bool = False


# https://github.com/esp8266/esp8266-wiki/wiki/Memory-Map and the linker scripts of the SDK (eagle.app.v6.ld).
# 0x40108000..0x40110000 is instruction cache that serves as RAM until the cache is switched on: boot loaders
# and RAM programs load there.  DPORT are registers, which the linker scripts have a section for.  RTC memory
# is loaded by the RTOS SDK alone (esp8266.ld: rtc_seg).
MEMORY: Final = (
    MemoryRegion("DPORT", 0x3FF0_0000, 0x3FF0_0010, loads=True),
    MemoryRegion("DRAM", 0x3FFE_8000, 0x4000_0000, loads=True),
    MemoryRegion("ROM", ROM_BASE, ROM_BASE + ROM_SIZE),
    MemoryRegion("IRAM", 0x4010_0000, 0x4010_8000, loads=True, runs=True),
    MemoryRegion("IRAM (cache)", 0x4010_8000, 0x4011_0000, loads=True, runs=True),
    MemoryRegion("IROM", IROM_BASE, IROM_BASE + IROM_WINDOW, loads=True, runs=True),
    MemoryRegion("RTC", 0x6000_1200, 0x6000_1400, loads=True),
)


class SdkSector(NamedTuple):
    """A run of sectors that the non-OS SDK before 3.0 keeps at the end of the flash.

    Attributes:
        name: Its name, as in ``@rf-cal``.
        from_end: Its first sector, counted back from the end of the flash (1 is the last sector).
        sectors: How many sectors it has.
    """

    name: str
    from_end: int
    sectors: int


# The pattern ABCCC of user_rf_cal_sector_set() in every SDK example from 1.5.4.1 on: A is RF cal, B init data
# and C the SDK's parameters.  Older SDKs have no RF-cal sector; there the same sector is left blank, which
# harms none.
SDK_SECTORS: Final = (
    SdkSector("rf-cal", 5, 1),
    SdkSector("init-data", 4, 1),
    SdkSector("system-param", 3, 3),
)


_SIZE_BY_NAME: Final = {size.name: size for size in FLASH_SIZES}
_SIZE_BY_CODE: Final = {size.code: size for size in FLASH_SIZES}


def flash_size(name: str) -> FlashSize:
    """The flash size of that name.

    Raises:
        KeyError: No size has that name.
    """
    return _SIZE_BY_NAME[name]


def flash_size_of_code(code: int) -> FlashSize | None:
    """The flash size of a header nibble, or None for the nibbles that have no meaning."""
    return _SIZE_BY_CODE.get(code)


def memory_at(address: int) -> MemoryRegion | None:
    """The memory region that holds an address, or None."""
    return next((region for region in MEMORY if region.start <= address < region.end), None)


def loadable(address: int, size: int) -> bool:
    """Whether all bytes from an address on lie in memory that they can be loaded to, or run from."""
    end = address + size
    while address < end:
        region = memory_at(address)
        if region is None or not region.loads:
            return False
        address = region.end
    return True


def runnable(address: int) -> bool:
    """Whether code that an image brings can run at an address: in IRAM, or in flash once the cache is on."""
    region = memory_at(address)
    return region is not None and region.runs
