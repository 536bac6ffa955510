"""A boot log of an ESP8266 as values: what the boot ROM, Espressif's boot loader and the SDK say.

The values only, which :func:`imgtool.formats.logs.reader.read` makes of a text.  No judgement of what
they come to.  What the lines mean and where that is known from: docs/how-to/boot-logs.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import memory_at
from imgtool.formats.logs.line_forms import BootStage

if TYPE_CHECKING:
    from imgtool.formats.logs.crash import Crash

__all__ = [
    "DOWNLOAD",
    "FLASH",
    "Boot",
    "BootCause",
    "BootLog",
    "BootMessage",
    "BootMode",
    "BootSegment",
    "LoaderLines",
    "ResetCause",
    "RfCalSector",
]

DOWNLOAD: Final = 1
"""First number of the boot mode: the straps choose the download mode."""

FLASH: Final = 3
"""The straps choose the flash."""


class ResetCause(IntEnum):
    """Why the chip starts, as the ROM prints it (``rst cause``).

    Values: https://github.com/esp8266/esp8266-wiki/wiki/Boot-Process.  A restart by software leaves the value
    of the last hardware reset, which is why every log of a firmware that restarts itself repeats 1 or 2.
    """

    NOT_RECORDED = 0
    POWER_ON = 1
    EXTERNAL = 2
    SOFTWARE = 3
    WATCHDOG = 4
    DEEP_SLEEP = 5
    DEEP_SLEEP_POWER_ON = 6


class BootCause(NamedTuple):
    """The reset cause of a log, from ``rst cause:N``.

    Attributes:
        code: The number, mostly one of ``ResetCause``; a log that lost characters may have others.
        name: What it means.
    """

    code: int
    name: str


class BootMode(NamedTuple):
    """Where the ROM boots from, by the straps: the first number of ``boot mode:(M,N)``.

    Attributes:
        code: The number; its bits are the levels of three pins at reset.
        second: The second number, which says nothing in the modes that occur.
        name: What the ROM does.
        gpio15: Bit 2, the level of GPIO15; None where the code is no strap code.
        gpio0: Bit 1.
        gpio2: Bit 0.
    """

    code: int
    second: int | None
    name: str
    gpio15: bool | None
    gpio0: bool | None
    gpio2: bool | None


class BootSegment(NamedTuple):
    """A segment that the ROM loads, from ``load``, ``tail`` and ``chksum``.

    Attributes:
        line: Line of the log, from 1.
        address: Load address.
        length: Bytes; negative where the ROM printed it so.
        room: Bytes of the current 16-byte block that are left for it.
        tail: Bytes of it in its last block, if the line is there.
        checksum: XOR checksum so far, if the line is there.
        consistent: Whether length, room and tail agree; if not, the log has lost characters.
    """

    line: int
    address: int
    length: int
    room: int
    tail: int | None = None
    checksum: int | None = None
    consistent: bool = True

    @property
    def plausible(self) -> bool:
        """Whether the chip has memory there, so that this can be a segment of an image."""
        region = memory_at(self.address)
        return region is not None and region.name not in ("DPORT", "ROM", "IROM") and self.length >= 0


class LoaderLines(NamedTuple):
    """What Espressif's boot loader says: version, header values and the slot that it starts.

    Attributes:
        line: Line of its first message.
        version: Such as ``1.7(5d6f877)``.
        speed: SPI speed of the header.
        mode: SPI mode of the header.
        flash_size: Flash size of the header by its name here, such as ``2MB-c1``; None if it has none.
        slot: 1 for user1, 2 for user2.
        address: Flash address of the slot.
    """

    line: int
    version: str | None = None
    speed: str | None = None
    mode: str | None = None
    flash_size: str | None = None
    slot: int | None = None
    address: int | None = None


class RfCalSector(NamedTuple):
    """The sector that the firmware keeps its RF calibration in, from ``rf cal sector: N``.

    Attributes:
        line: Line of the log.
        sector: The number.
        flash_size: The size that it is the 5th sector from the end of; None for a place of the vendor's own.
    """

    line: int
    sector: int
    flash_size: str | None


class BootMessage(NamedTuple):
    """Another line that is known.

    Attributes:
        line: Line of the log.
        kind: Short stable name, such as ``csum-err``.
        text: The words of the log.
    """

    line: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """One start of the chip.

    Attributes:
        line: Its first line in the log, from 1.
        cause: Why it started; None where the banner is not in the log, or cut.
        mode: How the straps stood; None likewise.
        segments: What the ROM loaded.
        checksum: The checksum over all of them, from ``csum``; None where the ROM did not get there.
        loader: Espressif's boot loader, if it is there.
        rf_cal: The RF-cal sector that the firmware names.
        init_data_byte: The byte that stands where init data should begin, from ``rf_cal[0] !=0x05,is``.
        flash_size: The flash size that a line names, by its name here: that of the header, mostly.
        messages: Other known lines in order: the first ones of each kind, and the last one.
        stage: Who has spoken: the highest :class:`~imgtool.formats.logs.line_forms.BootStage` of its lines.
        firmware: The first readable lines behind the loading, with their numbers.
        firmware_lines: How many lines stand there.
        noise: Whether some of them are unreadable.
        crashes: The first crashes that the firmware tells of.
        crash_count: How many there are.
        last_line: Its last line that says anything, 0 where there is none.
    """

    line: int
    cause: BootCause | None = None
    mode: BootMode | None = None
    segments: tuple[BootSegment, ...] = ()
    checksum: int | None = None
    loader: LoaderLines | None = None
    rf_cal: RfCalSector | None = None
    init_data_byte: int | None = None
    flash_size: str | None = None
    messages: tuple[BootMessage, ...] = ()
    stage: BootStage = BootStage.ROM
    firmware: tuple[tuple[int, str], ...] = ()
    firmware_lines: int = 0
    noise: bool = False
    crashes: tuple[Crash, ...] = ()
    crash_count: int = 0
    last_line: int = 0

    def has(self, *kinds: str) -> bool:
        """Whether there is a message of one of these kinds."""
        return any(message.kind in kinds for message in self.messages)

    def text_of(self, kind: str) -> str:
        """The first message of a kind, empty where there is none."""
        return next((message.text for message in self.messages if message.kind == kind), "")


@dataclass(frozen=True, slots=True)
class BootLog:
    """What is read from a log.

    Attributes:
        boots: Every start of the chip, in order.
        other_chip: Whether a line is another chip's, such as an ESP32's; then there are no boots.
        noise: Whether there is no boot in it, and most of it cannot be read.
        garbled: The first unreadable stretch that stands before a line of the firmware's, or is the whole
            log.
        readable: The first readable lines outside of all boots, with their numbers.
    """

    boots: tuple[Boot, ...]
    other_chip: bool = False
    noise: bool = False
    garbled: str = ""
    readable: tuple[tuple[int, str], ...] = ()
