"""Switch the chip's pins to the flash by registers: what the boot ROM does, but for the flash's status.

Not what is then said to the flash (imgtool.device.flash_chip).  The ROM's own way is spi_flash_attach
(0x40004644), which FLASH_BEGIN calls first.  That is SelectSpiFunction, SPIFlashCnfig(5, 4) and
SPIReadModeCnfig(5), as Espressif's linker scripts name them.  They were read in the ROM's code, and executed;
the writes here are theirs, in their order, with two left out:

* The last of the three has the flash write its status register: what register 1 holds, and 0 to register 2.
  That clears QE where it is bit 1 of register 2.
* The first one writes 0 to 0x60000D48.  Espressif's SDK sets and clears bits of it to reset analog parts, and
  leaves them at 0.

Names of registers: eagle_soc.h and pin_mux_register.h of Espressif's SDK,
https://github.com/espressif/ESP8266_NONOS_SDK/tree/master/include
"""

from __future__ import annotations

from typing import Final

from imgtool.device.protocol import RegisterWrite

__all__ = ["PINS_TO_FLASH"]

_PADS: Final = 0x6000_0800
# SD_CLK, SD_DATA0 to SD_DATA3 and SD_CMD: GPIO 6 to 11.
_FLASH_PADS: Final = tuple(_PADS + offset for offset in (0x1C, 0x20, 0x24, 0x28, 0x2C, 0x30))
_PULL_UP: Final = 1 << 7
_FUNCTION: Final = 0x130
_SPI: Final = 1 << 4  # function 1
_CLOCK_OF_SYSTEM: Final = 1 << 8  # undivided

_SPI0: Final = 0x6000_0200
_CMD, _CTRL, _USER = _SPI0, _SPI0 + 0x08, _SPI0 + 0x1C
_FLASH_MODE: Final = 1 << 2
# One line each way, WP held high; the low bits divide the clock by 4.
_SLOW_READ: Final = 0x28_8313
_WAKE: Final = 1 << 20  # RES (AB), which ends a deep power-down

PINS_TO_FLASH: Final = (
    *(RegisterWrite(pad, _SPI, _PULL_UP | _FUNCTION) for pad in _FLASH_PADS),
    RegisterWrite(_USER, _FLASH_MODE, _FLASH_MODE),
    RegisterWrite(_PADS, 0, _CLOCK_OF_SYSTEM),
    RegisterWrite(_CTRL, _SLOW_READ),
    RegisterWrite(_CMD, _WAKE),
)
"""After these the flash answers; what they leave is what the ROM's routines work with."""
