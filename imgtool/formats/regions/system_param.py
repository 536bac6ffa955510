"""The SDK's system parameters: two copies in a sector each, and a sector that says which one is in force.

The SDK's own structure is not published.  What is read here are the few fields that are: the copy in force,
what Espressif's boot loader keeps at the start of it, and the network of the station.  Nothing here is built.

Sources: the code of Espressif's RTOS SDK 3 that takes over a device from the non-OS SDK
(https://github.com/espressif/ESP8266_RTOS_SDK, ``CONFIG_ESP8266_OTA_FROM_OLD``) for flag and boot fields;
real dumps for the rest; https://github.com/nodemcu/nodemcu-firmware/issues/3208 for the place of the SSID.
See docs/formats/flash-dump.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from imgtool.chip import SECTOR
from imgtool.formats import fill

__all__ = ["BootFields", "Station", "boot_fields", "is_structured", "live_copy", "station"]

# 0x55AA55AA behind the number of the copy: seen in every dump whose flag sector is not blank.
_FLAG: Final = bytes.fromhex("ffffff aa55aa55")
_USED_END: Final = 0x600  # real copies end before 0x4a4; the RTOS SDK takes over 0x500 bytes of one
_STATUS_BIT: Final = 0x04
_USER_BITS: Final = 0x03
_UNUSED_BITS: Final = 0xF8  # set in every dump: fc or fd is the first byte
_VERSION_BITS: Final = 0x1F
_VERSIONS: Final = range(2, 8)  # of boot loaders 1.2 to 1.7
_NO_STATUS_BEFORE: Final = 4
_SSID_LENGTH, _SSID, _PASSWORD = 0x0C, 0x10, 0x30
_LONGEST_SSID, _LONGEST_PASSWORD = 32, 64


@dataclass(frozen=True, slots=True)
class BootFields:
    """What Espressif's boot loader keeps in the first two bytes of the parameters.

    Attributes:
        user_bin: 0 for user1, 1 for user2; it counts only together with the other two.
        confirmed: Whether that image has been started.
        version: Minor version of the boot loader that wrote it, 6 for 1.6.
    """

    user_bin: int
    confirmed: bool
    version: int

    @property
    def slot(self) -> int:
        """The user slot that starts next, 1 or 2, by the rule of Espressif's RTOS SDK 3."""
        named = 2 if self.user_bin == 1 else 1
        if self.confirmed or (named == 1 and self.version == _NO_STATUS_BEFORE):
            return named
        return 3 - named


@dataclass(frozen=True, slots=True)
class Station:
    """The network that the station connects to.

    Attributes:
        ssid: Its name.
        password: Its password; empty where none is stored.  Its place is inferred.
    """

    ssid: str
    password: str


def live_copy(flags: bytes) -> int | None:
    """Which copy is in force by the flag sector: 0 the first, 1 the second; None if it does not say."""
    return flags[0] if flags[:1] in (b"\0", b"\1") and flags[1:8] == _FLAG else None


def is_structured(copy: bytes) -> bool:
    """Whether a copy is as long as parameters are, with erased flash behind them."""
    return not fill.is_fill(copy, 0, len(copy)) and fill.is_fill(copy, _USED_END, len(copy))


def boot_fields(copy: bytes) -> BootFields | None:
    """The boot loader's fields of a copy, None where they are not as it writes them."""
    if len(copy) < SECTOR or not is_structured(copy):
        return None
    first, version = copy[0], copy[1] & _VERSION_BITS
    if first & _UNUSED_BITS != _UNUSED_BITS or first & _USER_BITS > 1 or version not in _VERSIONS:
        return None
    return BootFields(first & _USER_BITS, bool(first & _STATUS_BIT), version)


def station(copy: bytes) -> Station | None:
    """The network in a copy; None where none is stored, or the bytes are not as the SDK writes them."""
    if not is_structured(copy):
        return None
    ssid = _text(copy, _SSID, _LONGEST_SSID)
    if not ssid:
        return None
    # The length in front of the name was seen as well; it or the zeros behind the name must bear it out.
    size = len(ssid.encode())
    rest = copy[_SSID + size : _SSID + _LONGEST_SSID]
    padded = bool(rest) and not rest.strip(b"\0")
    if not padded and int.from_bytes(copy[_SSID_LENGTH:_SSID], "little") != size:
        return None
    return Station(ssid, _text(copy, _PASSWORD, _LONGEST_PASSWORD) or "")


def _text(copy: bytes, start: int, size: int) -> str | None:
    """The text in a field that ends with a zero or fills it; None where the field holds something else."""
    try:
        text = copy[start : start + size].split(b"\0", maxsplit=1)[0].decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None
