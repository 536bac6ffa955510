"""Where the firmware that devices are sold with, and some others, keep what is theirs: one row a maker.

A row is told by what stands in the flash, and names places.  Not the firmware itself, and not what all its
generations share (generations.py).  A new maker is a row here, and one in docs/formats/flash-dump.md, which a
test holds to these.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from imgtool.chip import SECTOR
from imgtool.formats.kinds import Starter
from imgtool.formats.reading import PartKind
from imgtool.layout.regions import Region
from imgtool.layout.traits import Standing

__all__ = ["STOCK", "Sign", "StockLayout", "StockPlace", "stock_layout"]


class Sign(NamedTuple):
    """Something by which a row is told.

    Attributes:
        mark: Bytes.
        at: Where they stand; None for anywhere in the firmware.
    """

    mark: bytes
    at: int | None = None


class StockPlace(NamedTuple):
    """A place for something.

    Attributes:
        start: Flash address.
        sectors: How many.
        words: What it is, for people.
        kind: What its part is.
    """

    start: int
    sectors: int
    words: str
    kind: PartKind = PartKind.USER_DATA


class StockLayout(NamedTuple):
    """The places of a maker.

    Attributes:
        name: Whose.
        starter: Who starts the firmware there.
        signs: What tells it; one is enough.
        end: Bytes of the flash that the image header must state; 0 for any.
        places: In address order, none over another.
        standing: How that is known.
        source: Where from.
    """

    name: str
    starter: Starter
    signs: tuple[Sign, ...]
    end: int
    places: tuple[StockPlace, ...]
    standing: Standing
    source: str

    @property
    def regions(self) -> tuple[Region, ...]:
        """Its places as regions."""
        return tuple(
            Region(place.kind, place.start, place.sectors * SECTOR, place.words) for place in self.places
        )


_1MB: Final = 0x10_0000
_CODE: Final = _1MB  # so much is looked through for marks of a firmware
# A region of sysparam begins with its sectors behind the magic; esp-open-rtos's own default has two.
_REGIONS_OF_1: Final = b"EORp\x01"
_REGIONS_OF_4: Final = b"EORp\x04"

STOCK: Final = (
    StockLayout(
        "Tuya",
        Starter.SDK,
        (Sign(b"tuya_mdev_test"), Sign(b"tuyacn"), Sign(b'"auz_key"')),
        _1MB,
        (
            StockPlace(0x7_9000, 1, "rf-cal", PartKind.RF_CAL),
            StockPlace(0x7_A000, 1, "settings of Tuya"),
            StockPlace(0x7_B000, 5, "settings of Tuya, encrypted"),
            StockPlace(0xF_9000, 1, "settings of Tuya"),
            StockPlace(0xF_B000, 1, "keys of the device from its maker (Tuya), no RF calibration"),
        ),
        Standing.SEEN,
        "two dumps",
    ),
    StockLayout(
        "CoolKit",
        Starter.SDK,
        (Sign(b"/dispatch/device"),),
        0,
        (
            StockPlace(0x7_8000, 3, "identity and pairing of the device (CoolKit)"),
            StockPlace(0x7_C000, 3, "state of the switch, and timers (CoolKit)"),
            StockPlace(0x7_F000, 1, "certificate of the server (CoolKit)"),
            StockPlace(0xF_8000, 1, "data of the maker (CoolKit) of unknown meaning"),
            StockPlace(0xF_9000, 2, "two copies of data of the application (CoolKit)"),
        ),
        Standing.SEEN,
        "nineteen dumps",
    ),
    StockLayout(
        "HAA",
        Starter.RBOOT,
        (
            Sign(b"HAABOOT\n"),
            Sign(b"HAA Installer"),
            Sign(b"HAAMAIN"),
            Sign(b"RavenSystem"),
            Sign(_REGIONS_OF_4, 0xF_3000),
        ),
        0,
        (
            StockPlace(0xF_2000, 1, "HomeKit pairing (HAA)"),
            StockPlace(0xF_3000, 8, "settings (HAA)"),
        ),
        Standing.READ,
        "https://github.com/RavenSystem/esp-homekit-devices",
    ),
    StockLayout(
        "LCM",
        Starter.RBOOT,
        (Sign(_REGIONS_OF_1, 0xF_7000),),
        0,
        (
            StockPlace(0xF_7000, 2, "settings (LCM)"),
            StockPlace(0xF_9000, 1, "certificates, first sector (LCM)"),
            StockPlace(0xF_A000, 1, "certificates, second sector (LCM)"),
        ),
        Standing.READ,
        "https://github.com/HomeACcessoryKid/life-cycle-manager",
    ),
    StockLayout(
        "WiFi Repeater",
        Starter.RBOOT,
        (Sign(0x6E2D_C510.to_bytes(4, "little"), 0x6_8000),),
        0,
        (StockPlace(0x6_8000, 1, "settings of the WiFi Repeater, with its networks"),),
        Standing.READ,
        "https://github.com/martin-ger/esp_wifi_repeater",
    ),
)
"""All rows; the first one that fits is taken."""


def stock_layout(data: bytes, starter: Starter | None, end: int) -> StockLayout | None:
    """The row of a flash; None where none fits.

    Args:
        data: The whole flash.
        starter: Who starts what is in it.
        end: Bytes of the flash that the image header states.
    """
    for row in STOCK:
        if row.starter is starter and row.end in (0, end) and any(_shows(data, sign) for sign in row.signs):
            return row
    return None


def _shows(data: bytes, sign: Sign) -> bool:
    return data.find(sign.mark, 0, _CODE) >= 0 if sign.at is None else data.startswith(sign.mark, sign.at)
