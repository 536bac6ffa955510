"""Where the Arduino core has its file system, SPIFFS and LittleFS alike: a row for each of its flash layouts.

Which of them a sketch was built with is compiled in, and no file shows it.  Not the core's other sectors,
which are in generations.py.

Source: the linker scripts of https://github.com/esp8266/Arduino/tree/3.1.2/tools/sdk/ld
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ARDUINO_PLACES", "ARDUINO_STARTS", "ArduinoPlace"]

_SMALL: Final = 0x1000
_LARGE: Final = 0x2000


class ArduinoPlace(NamedTuple):
    """Place and block size of a file system.

    Attributes:
        start: Flash address.
        end: Address behind its last whole block; before 2.6.0 some layouts ended half a block later.
        block: Bytes of a block.
    """

    start: int
    end: int
    block: int = _SMALL

    @property
    def size(self) -> int:
        """Bytes of it."""
        return self.end - self.start


ARDUINO_PLACES: Final[Mapping[str, ArduinoPlace]] = {
    "512K32": ArduinoPlace(0x7_3000, 0x7_B000),
    "512K64": ArduinoPlace(0x6_B000, 0x7_B000),
    "512K128": ArduinoPlace(0x5_B000, 0x7_B000),
    "1M64": ArduinoPlace(0xE_B000, 0xF_B000),
    "1M128": ArduinoPlace(0xD_B000, 0xF_B000),
    "1M144": ArduinoPlace(0xD_7000, 0xF_B000),
    "1M160": ArduinoPlace(0xD_3000, 0xF_B000),
    "1M192": ArduinoPlace(0xC_B000, 0xF_B000),
    "1M256": ArduinoPlace(0xB_B000, 0xF_B000),
    "1M512": ArduinoPlace(0x7_B000, 0xF_B000, _LARGE),
    "2M64": ArduinoPlace(0x1F_0000, 0x1F_B000),
    "2M128": ArduinoPlace(0x1E_0000, 0x1F_B000),
    "2M256": ArduinoPlace(0x1C_0000, 0x1F_B000),
    "2M512": ArduinoPlace(0x18_0000, 0x1F_A000, _LARGE),
    "2M1M": ArduinoPlace(0x10_0000, 0x1F_A000, _LARGE),
    "4M1M": ArduinoPlace(0x30_0000, 0x3F_A000, _LARGE),
    "4M2M": ArduinoPlace(0x20_0000, 0x3F_A000, _LARGE),
    "4M3M": ArduinoPlace(0x10_0000, 0x3F_A000, _LARGE),
    "8M6M": ArduinoPlace(0x20_0000, 0x7F_A000, _LARGE),
    "8M7M": ArduinoPlace(0x10_0000, 0x7F_A000, _LARGE),
    "16M14M": ArduinoPlace(0x20_0000, 0xFF_A000, _LARGE),
    "16M15M": ArduinoPlace(0x10_0000, 0xFF_A000, _LARGE),
}
"""The flash layouts by the core's own short names: the flash, then its file system."""

ARDUINO_STARTS: Final = tuple(sorted({place.start for place in ARDUINO_PLACES.values()}))
"""Where a file system of the core may begin."""
