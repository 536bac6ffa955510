"""What is assumed of a chip by imgtool's own stub, and how what was seen of it is kept: values only.

docs/stub.md says why each is assumed; imgtool.operations.proof.observations observes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Final, NamedTuple

from imgtool.device.flash_chip import BLOCK
from imgtool.device.session import BAUDS

__all__ = [
    "ASSUMPTIONS",
    "BLANK_RATE",
    "BLOCK_S",
    "DIGEST_RATE",
    "FULL",
    "GREETING_S",
    "LINE_SHARE",
    "PAGE_S",
    "SECTOR_S",
    "SKIPPED_S",
    "Amounts",
    "Observation",
    "Proof",
]

# The greatest times and the least speeds at which an assumption holds.  Times of the flash: what data sheets
# give at most, and what a request takes besides.  Speeds: half of those in docs/virtual/timing.md.
GREETING_S: Final = 0.5
SECTOR_S: Final = 0.5
BLOCK_S: Final = 1.2
PAGE_S: Final = 0.0035
SKIPPED_S: Final = 0.0005
DIGEST_RATE: Final = 325_000
BLANK_RATE: Final = 1_000_000
LINE_SHARE: Final = 0.5  # of the speed of the line that is left for what is read and written

ASSUMPTIONS: Final = {
    "chip": "the stub reads the same efuses as the ROM loader",
    "flash-id": "the stub reads the same flash ID as the ROM loader's registers give",
    **{
        f"rom-speed-{baud}": f"the ROM loader goes on at {baud} baud when its UART divider is written"
        for baud in BAUDS
    },
    "stub-start": f"the stub greets within {GREETING_S} s of its start",
    "self-check-ram": "a pattern stays in all RAM that the stub uses",
    "requests": "the stub answers every request at the highest speed",
    "read-by-rom": "SPIRead in the stub and the registers in the ROM loader read the same 1 KB",
    "digest": "the ROM's MD5 functions are where Espressif's linker script has them: the digest of that KB",
    "status-registers": "the stub and the ROM loader read the same status register 1, without protection",
    "digest-speed": f"at least {DIGEST_RATE:,} bytes a second are digested",
    "blank-check": f"a blank block is known as one, at {BLANK_RATE:,} bytes a second at least",
    "page-program": f"a page is programmed within {1000 * PAGE_S:.1f} ms",
    "page-skipped": f"a page of 0xFF is not programmed, and takes less than {1000 * SKIPPED_S:.1f} ms",
    "page-of-ff": "a program of 0xFF takes the flash no longer than one of 0x00",
    "erase-sector": f"a sector is erased within {SECTOR_S} s, and blank then",
    "erase-block": f"a block of 64 KB is erased within {BLOCK_S} s, and blank then",
    "write-in-flight": "frames that follow each other without a pause lose no byte and are in the flash",
    "content-by-read": "READ gives what was written, every block with its CRC",
    "content-by-registers": "the SPI registers give what was written: 1 KB of it",
    "read-speed": "reading takes no longer than twice the time of the line",
    "write-during-erase": "while a block is erased, the interrupt handler loses no byte of what comes",
    "write-deflated": "deflated frames are inflated to what was packed",
    "frame-wrong-crc": "a frame with a wrong CRC is refused, and changes nothing",
    "frame-wrong-check": "a request with a wrong check word is refused, and changes nothing",
    "frame-again": "a frame that comes a second time leaves the content as it is",
    "beyond-the-flash": "what lies beyond the end of the flash is refused",
    "watchdog": "the stub is not reset while it has nothing to do",
    "change-baud": "CHANGE_BAUDRATE changes the speed, and changes it back",
    "neighbours": "the blocks beside the one that was written hold what they did",
    "restored": "the block that was written holds again what it did",
}
"""What is assumed, by the names of the observations, in their order."""

_NOT_OBSERVED: Final = "not observed"


class Amounts(NamedTuple):
    """How much is done for each observation.

    Attributes:
        requests: Requests at each speed.
        by_registers: Bytes read through registers.
        digest: Bytes to digest.
        read: Bytes to read.
        write: Bytes to write at a stretch, 64 KB at most.
        burst: Bytes that do not compress, written while a block is erased; more than the stub's ring holds.
        sectors: Sectors that are timed, 15 at most.
        blocks: Blocks that are timed.
        idle: Seconds to wait for the watchdog.
    """

    requests: int = 32
    by_registers: int = 0x400
    digest: int = 0x4_0000
    read: int = 0x4000
    write: int = BLOCK
    burst: int = 0x6000
    sectors: int = 8
    blocks: int = 3
    idle: float = 10.0


FULL: Final = Amounts()
"""As much as imgtool prove does."""


@dataclass(frozen=True, slots=True)
class Observation:
    """An assumption, and what was seen of it.

    Attributes:
        name: What is assumed, by the names of docs/stub.md.
        assumed: The assumption as a sentence.
        seen: What was seen; empty if nothing was.
        holds: Whether it holds; None if it was not observed.
        times: Seconds, each measured, where it is about a time.
    """

    name: str
    assumed: str
    seen: str = ""
    holds: bool | None = None
    times: tuple[float, ...] = ()

    @property
    def verdict(self) -> str:
        """``yes``, ``no`` or ``not observed``."""
        return _NOT_OBSERVED if self.holds is None else "yes" if self.holds else "no"

    @property
    def seconds(self) -> float | None:
        """The median of the times; None where there are none."""
        return median(self.times) if self.times else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was seen on one chip.

    Attributes:
        observations: One for each assumption, in their order.
        stub_sha256: Digest of the stub that was loaded: its code, its data, then its late code.
        stub_bytes: Bytes of it.
        baud: The highest speed at which the ROM loader went on.
        scratch: Address of the block that was written; None if none was.
        restored: Whether that block holds what it did.
    """

    observations: tuple[Observation, ...]
    stub_sha256: str
    stub_bytes: int
    baud: int
    scratch: int | None
    restored: bool

    @property
    def ok(self) -> bool:
        """Whether everything was observed and holds."""
        return all(each.holds for each in self.observations)
