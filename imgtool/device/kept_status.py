"""The status registers of a flash, kept over what the boot ROM does to them.

Not the registers themselves (imgtool.device.flash_chip).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.errors import FlashError, LineError

if TYPE_CHECKING:
    from imgtool.device.flash_chip import FlashChip, FlashRegisters

__all__ = ["KeptStatus"]

_READS: Final = 6
_WRITES: Final = 3


class KeptStatus:
    """The status registers of a flash over what the ROM does to them: its FLASH_BEGIN clears both.

    They hold the protection of the content, and QE.  It outlives a connection, as a write may.
    """

    def __init__(self) -> None:
        self._before: bytes | None = None

    def keep(self, registers: FlashRegisters, flash: FlashChip) -> None:
        """Remember what they hold, unless that is done already."""
        if self._before is None:
            self._before = _read_twice(registers, flash)

    def put_back(self, registers: FlashRegisters, flash: FlashChip) -> None:
        """Write them, if they do not hold it: that wears the flash.

        Raises:
            FlashError: They do not take it.
        """
        before = self._before
        if not before or not any(before):
            return
        for _ in range(_WRITES):
            if registers.kept_status(flash)[: len(before)] == before:
                return
            registers.write_status(before)
        raise FlashError(
            "the flash does not take back its status registers",
            expected=before.hex(),
            found=registers.kept_status(flash).hex(),
        )

    def forget(self) -> None:
        """What they hold is as it should be, after they were written on purpose."""
        self._before = None


def _read_twice(registers: FlashRegisters, flash: FlashChip) -> bytes:
    """The status registers; nothing checks the line, so they are read until they come twice the same."""
    seen: list[bytes] = []
    while len(seen) < _READS:
        seen.append(registers.kept_status(flash))
        if seen.count(seen[-1]) > 1:
            return seen[-1]
    raise LineError("the status of the flash comes out differently every time")
