"""A dump of the ESP8266's boot ROM: 64 KiB of Espressif's code, which the project has nothing of.

Not the emulated functions of it (imgtool.virtual.chip.rom).  A user brings it: from one's own chip, or the
public one that docs/virtual/boot-rom.md names.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from imgtool.chip import ROM_SHA256, ROM_SIZE
from imgtool.errors import FormatError

__all__ = ["BootRom"]


@dataclass(frozen=True)
class BootRom:
    """A dump that is the chip's.

    Attributes:
        content: Its 65,536 bytes.
    """

    content: bytes = field(repr=False)

    @classmethod
    def parse(cls, data: bytes, *, source: str | None = None) -> BootRom:
        """Check a dump.

        Args:
            data: All of the file.
            source: Its name, for errors.

        Raises:
            FormatError: It is not the ROM.
        """
        if len(data) != ROM_SIZE:
            raise FormatError(
                "not a dump of the boot ROM",
                source=source,
                expected=f"{ROM_SIZE} bytes",
                found=f"{len(data)} bytes",
            )
        digest = hashlib.sha256(data).hexdigest()
        if digest != ROM_SHA256:
            raise FormatError(
                "not a dump of the boot ROM", source=source, expected=f"SHA-256 {ROM_SHA256}", found=digest
            )
        return cls(data)
