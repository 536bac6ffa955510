"""ESP8266 and ESP8285 facts as frozen tables: flash sizes, modes, frequencies, the memory map, SPI flashes.

Not code: look-ups by name or code are all there is.  Sources are named at each table; "SDK" is Espressif's
ESP8266_NONOS_SDK, https://github.com/espressif/ESP8266_NONOS_SDK.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = [
    "FLASH_FREQUENCIES",
    "FLASH_MODES",
    "FLASH_PARTS",
    "FLASH_SIZES",
    "IROM_BASE",
    "IROM_WINDOW",
    "MEGABIT_SIZES",
    "MEMORY",
    "SDK_SECTORS",
    "SECTOR",
    "FlashPart",
    "FlashSize",
    "MemoryRegion",
    "SdkSector",
    "default_part",
    "flash_part",
    "flash_size",
    "flash_size_of_code",
    "memory_at",
]

SECTOR: Final = 0x1000
"""Smallest erasable unit of the SPI flash, bytes."""

IROM_BASE: Final = 0x4020_0000
"""Where flash offset 0 appears in the address space once the cache is on."""

IROM_WINDOW: Final = 0x10_0000
"""Bytes of flash that the cache shows at a time."""


@dataclass(frozen=True, slots=True)
class FlashSize:
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
    """A named stretch of the address space; ``end`` is exclusive."""

    name: str
    start: int
    end: int


# https://github.com/esp8266/esp8266-wiki/wiki/Memory-Map and the linker scripts of the SDK (eagle.app.v6.ld).
# 0x40108000..0x40110000 is instruction cache that serves as RAM until the cache is switched on: boot loaders
# and RAM programs load there.
MEMORY: Final = (
    MemoryRegion("DPORT", 0x3FF0_0000, 0x3FF0_0010),
    MemoryRegion("DRAM", 0x3FFE_8000, 0x4000_0000),
    MemoryRegion("ROM", 0x4000_0000, 0x4001_0000),
    MemoryRegion("IRAM", 0x4010_0000, 0x4010_8000),
    MemoryRegion("IRAM (cache)", 0x4010_8000, 0x4011_0000),
    MemoryRegion("IROM", IROM_BASE, IROM_BASE + IROM_WINDOW),
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


@dataclass(frozen=True, slots=True)
class FlashPart:
    """An SPI NOR flash that is seen on ESP8266 modules.

    Attributes:
        name: Part number; the letters of package and speed are left out.
        vendor: Who makes it, or sells it under that number.
        id: Answer to RDID (9F): manufacturer, memory type, capacity.
        bytes: Capacity.
        sfdp: Whether it answers RDSFDP (5A).
        status_registers: How many it has, 1 to 3.
        protection: Bits of status register 1 that protect the array: 2..4 BP0..BP2, 5 TB, 6 SEC.
        quad_enable: Number of its QE bit, counted from bit 0 of status register 1; None where it has none.
        cite: Where its ID is known from.
    """

    name: str
    vendor: str
    id: bytes
    bytes: int
    sfdp: bool
    status_registers: int
    protection: int
    quad_enable: int | None
    cite: str


_FLASHROM: Final = "https://github.com/flashrom/flashrom/blob/main/include/flashchips.h"
# IDs as read from ESP8266 modules, capacity first; the part numbers are those that carry that vendor's mark.
_SEEN: Final = "https://github.com/RavenSystem/esp-homekit-devices/wiki/Flash-Modes-Database"
_KILO: Final = 1024
_MEGA: Final = 1024 * 1024
_BP: Final = 0x1C
_BP_TB_SEC: Final = 0x7C


def _w25q(name: str, vendor: str, jedec: str, size: int, cite: str) -> FlashPart:
    """A part whose status registers are laid out as Winbond's: QE is S9."""
    registers = 3 if size >= 2 * _MEGA else 2
    return FlashPart(name, vendor, bytes.fromhex(jedec), size, True, registers, _BP_TB_SEC, 9, cite)


def _single(name: str, vendor: str, jedec: str, size: int, *, sfdp: bool, qe: int | None) -> FlashPart:
    """A part with one status register; a BP3 that it may have is not in the table."""
    return FlashPart(name, vendor, bytes.fromhex(jedec), size, sfdp, 1, _BP, qe, _FLASHROM)


# IDs are from the document that each row names.  The QE bits are those of ESP-IDF's table of flash chips,
# https://github.com/espressif/esp-idf/blob/518edac42fde29cc68d6a0d033d279007da6c82c/components/bootloader/subproject/main/flash_qio_mode.c
# which names Macronix, ISSI, Winbond, GigaDevice and Fudan, and takes all others to be as GigaDevice's.
# Which revision of a part answers SFDP and how many status registers it has differs within one part number;
# those two columns, and TB and SEC outside Winbond and GigaDevice, are assumed, not confirmed on silicon.
FLASH_PARTS: Final = (
    _w25q("GD25Q40", "GigaDevice", "c84013", 512 * _KILO, _FLASHROM),
    _w25q("GD25Q80", "GigaDevice", "c84014", _MEGA, _FLASHROM),
    _w25q("GD25Q16", "GigaDevice", "c84015", 2 * _MEGA, _FLASHROM),
    _w25q("GD25Q32", "GigaDevice", "c84016", 4 * _MEGA, _FLASHROM),
    _w25q("GD25Q64", "GigaDevice", "c84017", 8 * _MEGA, _FLASHROM),
    _w25q("GD25Q128", "GigaDevice", "c84018", 16 * _MEGA, _FLASHROM),
    _w25q("W25Q40", "Winbond", "ef4013", 512 * _KILO, _FLASHROM),
    _w25q("W25Q80", "Winbond", "ef4014", _MEGA, _FLASHROM),
    _w25q("W25Q16", "Winbond", "ef4015", 2 * _MEGA, _FLASHROM),
    _w25q("W25Q32", "Winbond", "ef4016", 4 * _MEGA, _FLASHROM),
    _w25q("W25Q64", "Winbond", "ef4017", 8 * _MEGA, _FLASHROM),
    _w25q("W25Q128", "Winbond", "ef4018", 16 * _MEGA, _FLASHROM),
    _single("MX25L8006E", "Macronix", "c22014", _MEGA, sfdp=True, qe=None),
    _single("MX25L3233F", "Macronix", "c22016", 4 * _MEGA, sfdp=True, qe=6),
    _single("MX25L12835F", "Macronix", "c22018", 16 * _MEGA, sfdp=True, qe=6),
    _single("IS25LP064", "ISSI", "9d6017", 8 * _MEGA, sfdp=True, qe=6),
    _single("IS25LP128", "ISSI", "9d6018", 16 * _MEGA, sfdp=True, qe=6),
    _w25q("BY25Q64", "Boya", "684017", 8 * _MEGA, _FLASHROM),
    _w25q("BY25Q128", "Boya", "684018", 16 * _MEGA, _FLASHROM),
    _w25q("XM25QH16C", "XMC", "204015", 2 * _MEGA, _FLASHROM),
    _w25q("XM25QH32C", "XMC", "204016", 4 * _MEGA, _FLASHROM),
    _w25q("XM25QH128C", "XMC", "204018", 16 * _MEGA, _FLASHROM),
    _w25q("P25Q80H", "Puya", "856014", _MEGA, "https://github.com/letscontrolit/ESPEasy/pull/2005"),
    _w25q("BG25Q80A", "BergMicro", "e04014", _MEGA, "https://github.com/esp8266/Arduino/issues/822"),
    _w25q("BG25Q32A", "BergMicro", "e04016", 4 * _MEGA, _SEEN),
    _single("A25L080", "AMIC", "373014", _MEGA, sfdp=False, qe=None),
    _single("A25LQ032", "AMIC", "374016", 4 * _MEGA, sfdp=False, qe=None),
    _single("EN25Q80", "Eon", "1c3014", _MEGA, sfdp=False, qe=None),
    _single("EN25QH16", "Eon", "1c7015", 2 * _MEGA, sfdp=True, qe=None),
    _single("EN25Q32", "Eon", "1c3016", 4 * _MEGA, sfdp=False, qe=None),
    _w25q("FM25Q08", "Fudan", "a14014", _MEGA, _FLASHROM),
    _w25q("FM25Q32", "Fudan", "a14016", 4 * _MEGA, _FLASHROM),
    # Adesto's third byte is no capacity: the lower five bits of the second are.
    _w25q("AT25SF041", "Adesto", "1f8401", 512 * _KILO, _FLASHROM),
    _w25q("AT25SF081", "Adesto", "1f8501", _MEGA, _FLASHROM),
    _w25q("AT25SF161", "Adesto", "1f8601", 2 * _MEGA, _FLASHROM),
    _w25q("ZB25VQ32", "Zbit", "5e4016", 4 * _MEGA, _SEEN),
)

_PART_BY_NAME: Final = {part.name: part for part in FLASH_PARTS}
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


def flash_part(name: str) -> FlashPart:
    """The SPI flash of that part number.

    Raises:
        KeyError: The table has no such part.
    """
    return _PART_BY_NAME[name]


def default_part(size: int) -> FlashPart:
    """A common SPI flash of ``size`` bytes: GigaDevice's.

    Raises:
        KeyError: No part has that capacity.
    """
    for part in FLASH_PARTS:
        if part.bytes == size:
            return part
    raise KeyError(size)


def memory_at(address: int) -> MemoryRegion | None:
    """The memory region that holds an address, or None."""
    return next((region for region in MEMORY if region.start <= address < region.end), None)
