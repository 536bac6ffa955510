"""What goes where in a flash, and what is to change in a header: values that several operations share.

No work is done here: merge.py joins pieces and changes headers.  Apart from it, as building/images.py needs
the values and mostly nothing else of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["KEEP", "HeaderChange", "Piece", "address_in_name"]

_ADDRESS_IN_NAME: Final = re.compile(r"0x([0-9a-f]{5,6})\.bin\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes for one place in the flash.

    Attributes:
        address: Flash address of the first byte.
        data: The bytes.
        name: What to call it in messages, such as its file name.
    """

    address: int
    data: bytes
    name: str

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + len(self.data)


@dataclass(frozen=True, slots=True)
class HeaderChange:
    """Which image header fields to change, by name; None keeps a field.

    Attributes:
        mode: A name from :data:`imgtool.chip.FLASH_MODES`.
        freq: A name from :data:`imgtool.chip.FLASH_FREQUENCIES`.
        size: The name of a flash size.
    """

    mode: str | None = None
    freq: str | None = None
    size: str | None = None

    @property
    def any(self) -> bool:
        """Whether it changes anything."""
        return any(value is not None for value in (self.mode, self.freq, self.size))


KEEP: Final = HeaderChange()
"""No change."""


def address_in_name(name: str) -> int | None:
    """The flash address that a file's name ends in, as in ``0x10000.bin``; None where it does not."""
    match = _ADDRESS_IN_NAME.search(name)
    return None if match is None else int(match[1], 16)
