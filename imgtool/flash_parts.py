"""SPI NOR flashes of ESP8266 modules as a frozen table.

Not code: look-ups by name or capacity are all there is.  Apart from chip.py, as few commands need the table,
and every start would pay for it.  Sources are named in each row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["FLASH_PARTS", "FlashPart", "default_part", "flash_part"]


@dataclass(frozen=True, slots=True, kw_only=True)
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
    return FlashPart(
        name=name,
        vendor=vendor,
        id=bytes.fromhex(jedec),
        bytes=size,
        sfdp=True,
        status_registers=registers,
        protection=_BP_TB_SEC,
        quad_enable=9,
        cite=cite,
    )


def _single(name: str, vendor: str, jedec: str, size: int, *, sfdp: bool, qe: int | None) -> FlashPart:
    """A part with one status register; a BP3 that it may have is not in the table."""
    return FlashPart(
        name=name,
        vendor=vendor,
        id=bytes.fromhex(jedec),
        bytes=size,
        sfdp=sfdp,
        status_registers=1,
        protection=_BP,
        quad_enable=qe,
        cite=_FLASHROM,
    )


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
