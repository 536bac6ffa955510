"""Which chip it is: model, MAC address and crystal, by its efuses and its UART divider.

Not the flash beside it (imgtool.device.flash_chip).  What the efuse bits mean is known from Espressif's
tools: https://docs.espressif.com/projects/esptool/en/latest/esp8266/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.errors import ChipError, WrongChipError

if TYPE_CHECKING:
    from imgtool.device.link import Link

__all__ = ["UART_DIVIDER", "ChipIdentity", "identify_chip", "identity_of"]

UART_DIVIDER: Final = 0x6000_0014
"""The clock divider of UART0."""

_EFUSES: Final = (0x3FF0_0050, 0x3FF0_0054, 0x3FF0_0058, 0x3FF0_005C)
_ROM_WORD: Final = 0x4000_1000  # a word of the ROM that differs from chip to chip
_ESP8266: Final = 0xFFF0_C101
_OTHERS: Final = {0x00F0_1D83: "ESP32", 0x0000_07C6: "ESP32-S2"}
_DIVIDER_BITS: Final = 0xF_FFFF
_MEGABYTE: Final = 1024 * 1024

# Efuse word 0 bit 4 and word 3 bits 25 to 27, and the flash in the package that they stand for.
_EMBEDDED: Final[dict[tuple[int, ...], int]] = {
    (1, 0, 0, 0): _MEGABYTE,
    (1, 0, 1, 0): 2 * _MEGABYTE,
    (0, 1, 0, 0): 2 * _MEGABYTE,
    (0, 1, 1, 0): 4 * _MEGABYTE,
}
# First three bytes of the MAC address where word 3 does not hold them, by bits 16 to 23 of word 1.
_PREFIXES: Final = {0: b"\x18\xfe\x34", 1: b"\xac\xd0\x74"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipIdentity:
    """A chip as its efuses describe it.

    Attributes:
        model: ``ESP8266EX``, or ``ESP8285`` with its flash and temperature range where they are known.
        mac_bytes: MAC address of the station, 6 bytes.
        chip_id: The number that NodeMCU's ``node.chipid()`` gives.
        embedded: Whether the flash is in the package.
        embedded_bytes: Its capacity; None where there is none or the efuses do not tell.
        high_temperature: Whether it is made for 105 degrees rather than 85.
        crystal_mhz: 26 or 40, by the UART divider.
        uart_hz: Clock of the UART by its divider, which the ROM has measured: within 1 %.
    """

    model: str
    mac_bytes: bytes
    chip_id: int
    embedded: bool
    embedded_bytes: int | None
    high_temperature: bool
    crystal_mhz: int
    uart_hz: int

    @property
    def mac(self) -> str:
        """The MAC address with colons."""
        return self.mac_bytes.hex(":")


def identify_chip(link: Link) -> ChipIdentity:
    """Ask the chip who it is; the line must be at the speed at which it was synchronised.

    Raises:
        ChipError: It is another chip, or the line fails.
    """
    word = link.read_register(_ROM_WORD)
    if word != _ESP8266:
        name = _OTHERS.get(word, "another chip")
        raise WrongChipError(
            f"this is {name}, not an ESP8266 or ESP8285",
            expected=f"0x{_ESP8266:08x} at 0x{_ROM_WORD:08x}",
            found=f"0x{word:08x}",
        )
    words = [link.read_register(address) for address in _EFUSES]
    divider = link.read_register(UART_DIVIDER) & _DIVIDER_BITS
    return identity_of(words, divider * link.baud)


def identity_of(words: list[int], uart_hz: int) -> ChipIdentity:
    """What four efuse words say.

    Args:
        words: The words from 0x3FF00050 on.
        uart_hz: Clock of the UART: twice the crystal's in download mode.

    Raises:
        ChipError: They name no MAC address.
    """
    first, second, third, fourth = words
    if fourth:
        prefix: bytes | None = (fourth & 0xFF_FFFF).to_bytes(3, "big")
    else:
        prefix = _PREFIXES.get(second >> 16 & 0xFF)
    if prefix is None:
        raise ChipError("the efuses name no MAC address", found=f"0x{second:08x}")
    mac = prefix + bytes((second >> 8 & 0xFF, second & 0xFF, first >> 24))
    embedded = bool(first >> 4 & 1 or third >> 16 & 1)
    size = _EMBEDDED.get((first >> 4 & 1, *(fourth >> bit & 1 for bit in (25, 26, 27)))) if embedded else None
    hot = bool(first >> 5 & 1)
    # 52 MHz and 80 MHz lie far apart, and the divider is within 1 % of either.
    crystal = 40 if uart_hz > 66_000_000 else 26  # noqa: PLR2004 - the middle
    return ChipIdentity(
        model=_model(size, embedded=embedded, hot=hot),
        mac_bytes=mac,
        chip_id=first >> 24 | (second & 0xFF_FFFF) << 8,
        embedded=embedded,
        embedded_bytes=size,
        high_temperature=hot,
        crystal_mhz=crystal,
        uart_hz=uart_hz,
    )


def _model(size: int | None, *, embedded: bool, hot: bool) -> str:
    if not embedded:
        return "ESP8266EX"
    if size is None or size > 2 * _MEGABYTE:
        return "ESP8285"
    return f"ESP8285{'H' if hot else 'N'}{8 * size // _MEGABYTE:02d}"
