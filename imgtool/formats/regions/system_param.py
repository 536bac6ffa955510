"""What is in a copy of the SDK's own parameters: the boot loader's flags, and the network of the station.

The SDK's structure is not published; these are the few fields that are.  Which of the two copies is in force
is protected_param.py's.  Nothing here is built.

Sources: runs of Espressif's boot loaders, and the code of its RTOS SDK 3 that takes over a device from the
non-OS SDK (https://github.com/espressif/ESP8266_RTOS_SDK, ``CONFIG_ESP8266_OTA_FROM_OLD``), for the flags;
real dumps for the rest; https://github.com/nodemcu/nodemcu-firmware/issues/3208 for the place of the SSID.
See docs/formats/flash-dump.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from imgtool.chip import SECTOR
from imgtool.formats import fill

__all__ = ["LoaderFlags", "Station", "is_loaders", "is_structured", "station"]

_USED_END: Final = 0x600  # real copies end before 0x4a4; the RTOS SDK takes over 0x500 bytes of one
_STATUS_BIT: Final = 0x04
_USER_BITS: Final = 0x03
_UNUSED_BITS: Final = 0xF8  # set in every dump: fc or fd is the first byte
_VERSION_BITS: Final = 0x1F
_VERSIONS: Final = range(2, 8)  # of boot loaders 1.2 to 1.7
_FIRST_VERSION: Final = 2
_AS_FRESH: Final = 0xFC
_NORMAL: Final = 0xE0
_TEST_CHOSEN, _TEST_OVER, _NOT_ENHANCED = 0x20, 0x40, 0x80
_FIELDS: Final = 8
_TEST_PLACE, _FIRST_PLACE = 2, 5  # three bytes each
_SSID_LENGTH, _SSID, _PASSWORD = 0x0C, 0x10, 0x30
_LONGEST_SSID, _LONGEST_PASSWORD = 32, 64


@dataclass(frozen=True, slots=True)
class LoaderFlags:
    """What Espressif's boot loader keeps in the first eight bytes of the parameters, as it stands there.

    Which image starts by them depends on the loader's version: imgtool/operations/inspect/sdk_loader.py.

    Attributes:
        first: The first byte.
        second: The second one.
        test_image: Flash address of an image that is tried once, or after the other has failed.
        first_image: Flash address of the image that is tried first; it counts where ``enhanced``.
    """

    first: int
    second: int
    test_image: int
    first_image: int

    @classmethod
    def parse(cls, copy: bytes) -> LoaderFlags:
        """Read them from a copy of the parameters; what is not there counts as erased."""
        field = copy[:_FIELDS].ljust(_FIELDS, b"\xff")
        return cls(
            field[0],
            field[1],
            int.from_bytes(field[_TEST_PLACE:_FIRST_PLACE], "little"),
            int.from_bytes(field[_FIRST_PLACE:], "little"),
        )

    @classmethod
    def fresh_of(cls, version: int) -> LoaderFlags:
        """Those that loaders from 1.3 on write before they have any of their own."""
        return cls.parse(bytes((_AS_FRESH, _NORMAL | version)))

    @property
    def slot(self) -> int:
        """The number in the first two bits: 0, 1, 2 or 3."""
        return self.first & _USER_BITS

    @property
    def fresh(self) -> bool:
        """Whether they name nothing yet."""
        return self.slot == _USER_BITS

    @property
    def good(self) -> bool:
        """Whether the image that they name is not known to have failed."""
        return bool(self.first & _STATUS_BIT)

    @property
    def version(self) -> int:
        """Minor version of the loader that wrote them, 6 for 1.6."""
        return self.second & _VERSION_BITS

    @property
    def in_test(self) -> bool:
        """Whether ``test_image`` is tried, and no other."""
        return self.second & (_TEST_CHOSEN | _TEST_OVER) == _TEST_CHOSEN

    @property
    def enhanced(self) -> bool:
        """Whether the addresses choose, and not the slot."""
        return not self.second & _NOT_ENHANCED


@dataclass(frozen=True, slots=True)
class Station:
    """The network that the station connects to.

    Attributes:
        ssid: Its name.
        password: Its password; empty where none is stored.  Its place is inferred.
    """

    ssid: str
    password: str


def is_structured(copy: bytes) -> bool:
    """Whether a copy is as long as parameters are, with erased flash behind them."""
    return not fill.is_fill(copy, 0, len(copy)) and fill.is_fill(copy, _USED_END, len(copy))


def is_loaders(copy: bytes) -> bool:
    """Whether a copy begins as Espressif's boot loader has it begin."""
    if len(copy) < SECTOR or not is_structured(copy):
        return False
    flags = LoaderFlags.parse(copy)
    if flags.version == _FIRST_VERSION and flags.second == _FIRST_VERSION:
        return flags.first in (0, 1)
    return flags.first & _UNUSED_BITS == _UNUSED_BITS and flags.slot <= 1 and flags.version in _VERSIONS


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
