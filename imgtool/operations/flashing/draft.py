"""What the steps of a flash plan share: the request, the device, the plan in the making.

Values only.  The steps are plan.py's, and those of the modules beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.operations.assemble.pieces import KEEP
from imgtool.operations.flashing.header import DETECT

if TYPE_CHECKING:
    from imgtool.errors import Move
    from imgtool.formats.filesystems.stored_files import NewFile
    from imgtool.formats.reading import Finding
    from imgtool.layout.regions import FlashLayout
    from imgtool.operations.assemble.extras import InitDataSource
    from imgtool.operations.assemble.pieces import HeaderChange, Piece
    from imgtool.operations.inspect.device_settings import KeptPage, Reader

__all__ = ["Device", "Draft", "Fate", "Kept", "Place", "PlanRequest", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """What the device turned out to be.

    Attributes:
        model: Such as ``ESP8266EX``.
        embedded: Whether the flash is in the package (ESP8285).
        mac: Its address, such as ``5c:cf:7f:00:00:01``.
        flash_id: The flash's answer to RDID, 3 bytes.
        flash_bytes: Its capacity; None where neither its ID nor its SFDP tells.
        part: Name of the flash part; None for an ID that no table has.
    """

    model: str
    embedded: bool
    mac: str
    flash_id: bytes
    flash_bytes: int | None
    part: str | None = None


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What is to be written, and how.

    Attributes:
        pieces: Files with their addresses.
        named: Files that go to a place with a name: ``@lfs``, ``@spiffs``, ``@init-data``, ``@rf-cal``.
        header: Image header fields that are asked for; a size here goes before ``size_choice``.
        size_choice: ``detect``, ``keep``, or the name of a flash size.
        init_data: ``auto`` writes v05 where a firmware that needs init data finds none, ``keep`` (and None)
            only looks, ``none`` does not look; every other choice writes, and ``default`` what the firmware
            needs.  Where no firmware is written, the one on the device tells the place.
        fresh_settings: Whether NodeMCU's record page comes from the image, not from the device.
        erase_all: Whether the whole flash is erased first.
        force: Names of the checks that are waived, see :data:`imgtool.operations.flashing.waivers.CHECKS`.
        blank_rf_cal: Whether the RF calibration that was made under other init data is erased with it; not
            for what is only compared, as the firmware has calibrated anew since.
        lose: What the user has given up, by kind of loss: of that a note is made, and no warning.
        files: Files of which a file system is made, as the firmware takes it; None for none.
        keep_files: Whether the files on the device are carried to where the firmware looks for them.
    """

    pieces: tuple[Piece, ...] = ()
    named: tuple[tuple[str, Piece], ...] = ()
    header: HeaderChange = KEEP
    size_choice: str = DETECT
    init_data: InitDataSource | None = None
    fresh_settings: bool = False
    erase_all: bool = False
    force: frozenset[str] = frozenset()
    blank_rf_cal: bool = True
    lose: frozenset[str] = frozenset()
    files: tuple[NewFile, ...] | None = None
    keep_files: bool = False

    @property
    def wants_files(self) -> bool:
        """Whether a file system is to be made."""
        return self.files is not None or self.keep_files


class Fate(Enum):
    """What becomes of a stretch of the device's flash that stays."""

    UNTOUCHED = "untouched"  # nothing is written there
    FORMATTED = "formatted"  # nothing is written there, and the first boot of the firmware formats it
    LOST = "lost"  # nothing is written there, and the firmware makes nothing of what is in it
    WRITTEN_BACK = "written back"  # it is written with what the device has there


class Kept(NamedTuple):
    """A stretch of the device's flash that stays as it is.

    Attributes:
        name: What it is.
        start: Flash address.
        size: Bytes.
        fate: What becomes of it.
        holds: A few words on what is there, where that is known.
    """

    name: str
    start: int
    size: int
    fate: Fate = Fate.UNTOUCHED
    holds: str = ""

    @property
    def why(self) -> str:
        """A few words on what is there, or why it stays."""
        return _WHY.get(self.fate, self.holds)


_WHY: Final = {
    Fate.UNTOUCHED: "not written",
    Fate.FORMATTED: "not written; the first boot formats it",
    Fate.LOST: "not written; the files in it are lost",
}


@dataclass(slots=True)
class Draft:
    """A plan in the making; each step adds to it."""

    pieces: list[Piece]
    changes: list[str]
    kept: list[Kept]
    findings: list[Finding]
    moves: list[Move] = field(default_factory=list)


class Device(NamedTuple):
    """The device as the steps see it: what can be read of it, and what it is."""

    read: Reader | None
    target: Target
    erased: bool


class Place(NamedTuple):
    """Where things stand under the firmware: its layout, the page that it keeps, the address behind it."""

    layout: FlashLayout
    irom_end: int
    page: KeptPage | None = None
