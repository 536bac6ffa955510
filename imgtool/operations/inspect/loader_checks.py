"""What boot loaders look at in an image before they start it: its first bytes and one checksum.

Not all checks of an image: none of these loaders looks at the code that runs from flash, at a CRC or at a
digest.  So a damaged image may well be started.  Known from runs of real loaders: docs/formats/flash-dump.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from imgtool.errors import FormatError
from imgtool.formats.images import version1, version2

__all__ = ["Refusal", "refusal_of"]

_OUTER: Final = 16  # bytes of a version-2 image before its irom, whose length are the last four
_LENGTH: Final = 12
_NEW: Final = bytes((version2.MAGIC, 4))


class Refusal(StrEnum):
    """Why a boot loader does not start an image, in words that follow its name."""

    MISSING = "is not there"
    BAD_SUM = "has a wrong checksum"
    BROKEN = "is not whole"
    TOO_LARGE = "is larger than its partition"


def refusal_of(
    data: bytes, address: int, *, version_2: bool = True, room: int | None = None
) -> Refusal | None:
    """Why a boot loader does not start the image at a flash address; None if it does.

    Args:
        data: The whole flash.
        address: Where the image begins.
        version_2: Whether the loader knows images of version 2.
        room: Bytes that it may have; None where the loader does not look.
    """
    magic = data[address : address + 2]
    if version_2 and magic == _NEW:
        length = int.from_bytes(data[address + _LENGTH : address + _OUTER], "little")
        address += _OUTER + length
    elif magic[:1] != bytes((version1.MAGIC,)):
        return Refusal.MISSING
    try:
        found = version1.scan(data, address)
    except FormatError:
        return Refusal.BROKEN
    if found.problem is not None or found.checksum is None or not found.segments:
        return Refusal.BROKEN
    if not found.checksum.ok:
        return Refusal.BAD_SUM
    return Refusal.TOO_LARGE if room is not None and found.end - address > room else None
