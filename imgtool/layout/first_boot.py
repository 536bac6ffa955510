"""What the first boot of a firmware does by itself about its init data, and which magics its SPIFFS has.

What the generation of the firmware leaves open is decided here by its image, in pure functions; the rows are
in generations.py, and where it makes its file system in file_places.py.  Nothing here looks at a flash: that
is operations/upgrade/look.py.  The virtual chip spells the same a second time
(imgtool/virtual/chip/boot_sdk.py), and the tests hold the two against each other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from imgtool.chip import IROM_PLACE, SECTOR
from imgtool.layout.generations import generation_of
from imgtool.layout.traits import InitDataRepair, Magics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgtool.formats.reading import Firmware
    from imgtool.layout.traits import OwnInitData

__all__ = [
    "format_seconds",
    "init_data_repair",
    "init_data_tested_at",
    "init_data_written",
    "spiffs_formula",
]

# 2.1.0 came out on 2017-05-21 with the old formula, on 2017-08-11 with the linear one, which all branches had
# by then.  A build that names no branch was made of whatever source its builder had: one of November 2018
# formats with the old formula (run).
_LINEAR_FROM: Final = "20170811"
_BY_RELEASE: Final = {"20170521": "old", "20170811": "linear", "20170824": "linear"}
_ERASE_TYPICAL: Final = 0.045  # seconds a sector, docs/virtual/timing.md
_ERASE_MOST: Final = 0.4


def init_data_repair(firmware: Firmware | None, boot: bytes | None = None) -> InitDataRepair:
    """What the firmware does about missing init data; never ``IF_CARRIED``.

    Args:
        firmware: Which firmware; None where it is not known.
        boot: Its image for 0, which holds the init data of releases that write it; None if it is not at hand:
            then those of 1.5.4.1, of which some write it and some do not, are not known.
    """
    row = generation_of(firmware)
    if row.missing_init_data is not InitDataRepair.IF_CARRIED:
        return row.missing_init_data
    if boot is None or row.own_init_data is None:
        return InitDataRepair.UNKNOWN
    return InitDataRepair.IF_ERASED if _carries(boot, row.own_init_data) else InitDataRepair.NEVER


def init_data_written(firmware: Firmware | None, images: Iterable[bytes]) -> bytes | None:
    """The init data that the firmware writes on its first boot; None where it writes none.

    Args:
        firmware: Which firmware.
        images: Images for 0, in one of which it is.
    """
    own = generation_of(firmware).own_init_data
    if own is None or (own.carried and not any(_carries(image, own) for image in images)):
        return None
    return _bytes_of(own)


def _carries(boot: bytes, own: OwnInitData) -> bool:
    # The whole block, as the SDK's own default in every 1.5.4.1 differs from it in byte 112 only.
    return _bytes_of(own) in boot[:IROM_PLACE]


def _bytes_of(own: OwnInitData) -> bytes:
    from imgtool.formats.regions.init_data import SETS  # noqa: PLC0415 - most that ask for a layout need no bytes

    block = bytearray(SETS[own.set_name])
    for offset, value in own.changed:
        block[offset] = value
    return bytes(block)


def init_data_tested_at(firmware: Firmware, code: int, place: int) -> int:
    """Where a firmware tests for init data: not where its SDK reads it, in two releases of NodeMCU.

    Args:
        firmware: Which firmware.
        code: Size nibble of its header.
        place: Where its SDK reads init data.
    """
    doubled = generation_of(firmware).sizes.doubled_from
    return place if doubled is None or code < doubled else (0x4_0000 << code) - 4 * SECTOR


def spiffs_formula(firmware: Firmware | None, boot: bytes | None = None) -> str | None:
    """By which formula NodeMCU writes SPIFFS magics: ``linear``, ``old``, ``none``, or None if not known.

    Its code tells best (formats/code/spiffs_formula.py), where that was at hand.

    Args:
        firmware: Which firmware.
        boot: Its image for 0, which tells the releases of 1.5.4.1 apart where their code was not read; None
            where it is not at hand.
    """
    row = generation_of(firmware)
    if firmware is None or row.files is None or not row.finds_files:
        return None
    if firmware.spiffs_formula is not None:
        return firmware.spiffs_formula
    if row.files.magics is Magics.AS_INIT_DATA:
        # The release that began to write init data, 2016-12-01, is also the first with the old formula.
        known = {InitDataRepair.IF_ERASED: "old", InitDataRepair.NEVER: "linear"}
        return known.get(init_data_repair(firmware, boot))
    if row.files.magics is Magics.BY_BUILD:
        return _formula_by_build(firmware)
    return row.files.magics.value


def _formula_by_build(firmware: Firmware) -> str | None:
    built = re.sub(r"\D", "", firmware.build or "")[:8]
    branch = firmware.details.get("branch")
    if branch is None:
        return _BY_RELEASE.get(built)
    if built >= _LINEAR_FROM:
        return "linear"
    return "old" if built and branch == "master" else None


def format_seconds(size: int) -> tuple[float, float]:
    """Seconds that the erasing of so many bytes takes, by typical and by maximum times; modelled."""
    sectors = -(-size // SECTOR)
    return sectors * _ERASE_TYPICAL, sectors * _ERASE_MOST
