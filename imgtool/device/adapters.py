"""USB serial adapters that boards of the ESP8266 have, by their USB ids, and how fast they can be used.

Not a search for ports (imgtool.device.port).  The rates are those of the data sheets; none was tried by this
project on an adapter.  Ids: drivers/usb/serial/{ch341,cp210x,ftdi_sio,pl2303}.c of Linux, and the vendors'
data sheets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["ADAPTERS", "UNKNOWN_HIGHEST_BAUD", "Adapter", "adapter_of"]

UNKNOWN_HIGHEST_BAUD: Final = 921_600
"""What is tried at most where the adapter is not known, baud: every one of the table can do it."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """One kind of adapter.

    Attributes:
        name: The chip, or the family where the ids do not tell more.
        vid: USB vendor id.
        pid: USB product id.
        highest_baud: Highest rate that every chip with these ids has, baud.
        source: Where that rate is from.
        releases_dtr: Whether the last step of a reset, which lets go of DTR, may be played.
    """

    name: str
    vid: int
    pid: int
    highest_baud: int
    source: str
    releases_dtr: bool = True


_WCH, _SILABS, _FTDI, _PROLIFIC = 0x1A86, 0x10C4, 0x0403, 0x067B
_CP2102 = "CP2102/9 data sheet, table 12"
_CAUTION = "no source at hand; that of the CP2102"
_FT = "FT232R, FT2232D and FT231X data sheets"
_HXN = "drivers/usb/serial/pl2303.c of Linux: 12 Mbaud; what boards are sold with is given as 6"
_PL2303 = "drivers/usb/serial/pl2303.c of Linux: 1,228,800 for the oldest; the standard rate below it"

ADAPTERS: Final = (
    Adapter("CH340", _WCH, 0x7523, 2_000_000, "CH340 data sheet 2C: 50 to 2,000,000"),
    Adapter("CH341", _WCH, 0x5523, 2_000_000, "the CH340's; it has the same driver"),
    Adapter("CH343", _WCH, 0x55D3, 6_000_000, "CH343 data sheet: 50 to 6,000,000"),
    Adapter("CH9102", _WCH, 0x55D4, 2_000_000, "no source at hand; that of the CH340"),
    # The CP2102N has the id of the CP2102, and could do 3,000,000.  Above 921,600 the CP2102 fails, as users
    # found: https://github.com/cnlohr/espusb/issues/8
    Adapter("CP2102", _SILABS, 0xEA60, 921_600, _CP2102),
    Adapter("CP2105", _SILABS, 0xEA70, 921_600, _CAUTION),
    Adapter("CP2108", _SILABS, 0xEA71, 921_600, _CAUTION),
    # Other tools leave its DTR as it is at the end of a reset; why, no source says.
    Adapter("CP2102C", _SILABS, 0xEA64, 921_600, _CAUTION, releases_dtr=False),
    Adapter("FT232R", _FTDI, 0x6001, 3_000_000, _FT),
    Adapter("FT2232", _FTDI, 0x6010, 3_000_000, _FT),
    Adapter("FT4232H", _FTDI, 0x6011, 3_000_000, _FT),
    Adapter("FT232H", _FTDI, 0x6014, 3_000_000, _FT),
    Adapter("FT-X", _FTDI, 0x6015, 3_000_000, _FT),
    Adapter("PL2303", _PROLIFIC, 0x2303, 921_600, _PL2303),
    Adapter("PL2303GC", _PROLIFIC, 0x23A3, 6_000_000, _HXN),
    Adapter("PL2303GB", _PROLIFIC, 0x23B3, 6_000_000, _HXN),
    Adapter("PL2303GT", _PROLIFIC, 0x23C3, 6_000_000, _HXN),
    Adapter("PL2303GL", _PROLIFIC, 0x23D3, 6_000_000, _HXN),
    Adapter("PL2303GE", _PROLIFIC, 0x23E3, 6_000_000, _HXN),
    Adapter("PL2303GS", _PROLIFIC, 0x23F3, 6_000_000, _HXN),
)
"""The adapters that imgtool takes for a board's, if one is plugged in."""

_BY_IDS: Final = {(adapter.vid, adapter.pid): adapter for adapter in ADAPTERS}


def adapter_of(vid: int | None, pid: int | None) -> Adapter | None:
    """The adapter with these USB ids, None if it is not in the table."""
    return None if vid is None or pid is None else _BY_IDS.get((vid, pid))
