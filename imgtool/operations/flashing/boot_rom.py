"""Take the boot ROM out of a chip: word by word, and proved.

Not what runs it (imgtool.virtual.board), and nothing of the flash.  The ROM is the same in every chip that
was read, so its digest proves a reading.  Where that is another one, a second reading has to.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import ROM_BASE, ROM_SHA256, ROM_SIZE
from imgtool.device.events import Event, Listener, ignore
from imgtool.errors import LineError
from imgtool.operations.flashing.transfer import read_memory
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.device.session import Session

__all__ = ["RomReading", "read_boot_rom"]

_STRETCH: Final = 0x100  # bytes that are read again where two readings differ
_ATTEMPTS: Final = 5


class RomReading(NamedTuple):
    """What was read.

    Attributes:
        content: The 65,536 bytes.
        known: Whether they are the boot ROM that is known; if not, they have come twice alike.
    """

    content: bytes
    known: bool


def read_boot_rom(session: Session, on_event: Listener = ignore, *, known: str = ROM_SHA256) -> RomReading:
    """Read the boot ROM.

    Args:
        session: The device.
        on_event: Told what happens.
        known: SHA-256 of the boot ROM, lower-case hex.

    Raises:
        LineError: A part of it comes differently every time.
        ChipError: The chip is silent, or refuses.
        PortError: The port is lost and does not come back.
    """
    first = read_memory(session, ROM_BASE, ROM_SIZE, on_event)
    if _sha256(first) == known:
        return RomReading(first, known=True)
    on_event(Event("note", message="not the boot ROM that is known; it is read a second time"))
    second = read_memory(session, ROM_BASE, ROM_SIZE, on_event, stage="verify")
    content = bytearray(first)
    for at in _differing(first, second):
        content[at : at + _STRETCH] = _settled(session, at, (first, second), on_event)
    return RomReading(bytes(content), known=_sha256(content) == known)


def _sha256(content: bytes | bytearray) -> str:
    return hashlib.sha256(content).hexdigest()


def _differing(first: bytes, second: bytes) -> Iterator[int]:
    """Where the stretches begin in which two readings differ."""
    for at in range(0, ROM_SIZE, _STRETCH):
        if first[at : at + _STRETCH] != second[at : at + _STRETCH]:
            yield at


def _settled(session: Session, at: int, readings: tuple[bytes, bytes], on_event: Listener) -> bytes:
    """A stretch in which two readings differ, as it comes twice alike."""
    place = f"{in_bytes(_STRETCH)} at 0x{ROM_BASE + at:08x}"
    on_event(Event("retry", message=f"two readings of the {place} differ"))
    seen = [reading[at : at + _STRETCH] for reading in readings]
    while len(seen) < _ATTEMPTS:
        seen.append(read_memory(session, ROM_BASE + at, _STRETCH, on_event, stage="verify"))
        if seen.count(seen[-1]) > 1:
            return seen[-1]
    raise LineError(f"{in_bytes(_STRETCH)} of the boot ROM come differently every time", offset=ROM_BASE + at)
