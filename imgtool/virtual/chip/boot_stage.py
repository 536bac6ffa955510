"""What a boot of a virtual ESP8266 is told in: its events, how a stage ends, and the flash that it reads.

Not what any program does: that is boot.py for the ROM, boot_loader.py, boot_sdk.py and boot_nodemcu.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import SECTOR

if TYPE_CHECKING:
    from imgtool.formats.logs.boots import ResetCause

__all__ = [
    "ERASED",
    "ERASE_NS",
    "ROM_BAUD",
    "SDK_BAUD",
    "BootEvent",
    "BootFlash",
    "BootOutcome",
    "Stage",
    "printed",
]

ROM_BAUD: Final = 74_880
"""What the ROM's divider gives on a 26 MHz crystal; the ROM takes it for 115200 on one of 40 MHz."""

SDK_BAUD: Final = 115_200
"""What the same divider gives once an SDK has set its clocks: so speaks the ROM after its restarts, too."""

ERASE_NS: Final = 45_000_000  # a sector and the write behind it; modelled, not measured
ERASED: Final = b"\xff"


class BootOutcome(StrEnum):
    """How a boot ends: an application runs on, it resets itself again and again, or nothing happens."""

    RUNNING = "running"
    BOOT_LOOP = "boot-loop"
    HANGS = "hangs"


@dataclass(frozen=True, slots=True)
class BootEvent:
    """One thing that happens while a chip boots.

    Attributes:
        after_ns: Modelled delay before it, ns; without the time that the text takes on the wire.
        text: What is sent.
        baud: At which rate.
        write: Flash address and bytes that are written there; the sectors are erased first, so no bytes
            mean that one sector is erased.
    """

    after_ns: int
    text: bytes = b""
    baud: int = ROM_BAUD
    write: tuple[int, bytes] | None = None


@dataclass
class BootFlash:
    """A flash as the ESP8266 reads it: addresses behind its end read from its start again.

    That they wrap is what flash chips do with the address bits that they do not have; the SDK goes by the
    size in the image header, so a chip smaller than that is read in mirrors.

    Attributes:
        flash: Its content.
        sectors: What was written since, by sector number.
        calibrated: Sectors that the SDK has written its RF calibration to, which is not modelled.
    """

    flash: memoryview
    sectors: dict[int, bytes] = field(default_factory=dict)
    calibrated: set[int] = field(default_factory=set)

    def read(self, address: int, size: int) -> bytes:
        """``size`` bytes from ``address``; all ones if there is no flash."""
        length = len(self.flash)
        if length == 0:
            return ERASED * size
        blocks: list[bytes] = []
        while size > 0:
            address %= length
            sector, offset = divmod(address, SECTOR)
            count = min(size, SECTOR - offset, length - address)
            written = self.sectors.get(sector)
            source = self.flash[address : address + count]
            blocks.append(bytes(source) if written is None else written[offset : offset + count])
            address += count
            size -= count
        return b"".join(blocks)

    def write(self, address: int, data: bytes) -> None:
        """Erase the sectors from ``address`` on that ``data`` needs, at least one, and write it."""
        for start in range(0, max(1, len(data)), SECTOR):
            sector = (address + start) % max(1, len(self.flash)) // SECTOR
            self.sectors[sector] = data[start : start + SECTOR].ljust(SECTOR, ERASED)

    def is_erased(self, start: int, end: int) -> bool:
        """Whether all bytes from ``start`` to ``end`` are ones."""
        return all(
            self.read(at, min(SECTOR, end - at)).count(ERASED) == min(SECTOR, end - at)
            for at in range(start, end, SECTOR)
        )

    def takes_calibration(self, sector: int) -> bool:
        """Whether the SDK finds a sector for its RF calibration erased, and writes to it now."""
        place = sector * SECTOR % max(1, len(self.flash)) // SECTOR
        if place in self.calibrated or self.read(place * SECTOR, 4) != ERASED * 4:
            return False
        self.calibrated.add(place)
        return True

    def head(self, size: int) -> bytes:
        """Its first bytes, each once."""
        return self.read(0, min(size, len(self.flash)))


class Stage(NamedTuple):
    """How a stage of the boot ends.

    Attributes:
        events: What happens, in order.
        outcome: How it ends; None if the chip restarts now.
        reason: Why, as a sentence without a full stop.
        cause: Cause of the restart, None for the same as before.
        application: The firmware that was started.
        baud: How fast the ROM speaks in the start that follows.
        rounds: The word that boot loader 1.7 counts its starts with, in memory that outlives the restart.
            After power-on it is 0 here; what a chip has there then is not known.
    """

    events: tuple[BootEvent, ...]
    outcome: BootOutcome | None
    reason: str
    cause: ResetCause | None = None
    application: str | None = None
    baud: int = ROM_BAUD
    rounds: int = 0


def printed(text: str | bytes) -> bytes:
    """A text as the ROM's and the SDK's printf send it: each line ends in CR LF."""
    raw = text.encode("ascii") if isinstance(text, str) else text
    return raw.replace(b"\n", b"\r\n")
