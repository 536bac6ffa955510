"""What the radio's registers must answer so that firmware gets past its calibration: no radio is here.

Who reads each of them, and what happens without the answer, was seen by running firmware on an emulator and
taking the answer away: nothing of it is confirmed on silicon.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Radio"]

# rom_i2c_readReg and rom_i2c_writeReg of the ROM: block, register, data, and two bits.
_I2C: Final = frozenset(range(0x6000_0D00, 0x6000_0D24, 4))
_WRITE: Final = 1 << 24
_BUSY: Final = 1 << 25
# The synthesizer of the radio: without its lock the PHY says so, and tries again and again.
_SYNTHESIZER, _LOCK, _LOCKED = 0x62, 7, 1 << 7
# The PLL that processor and peripherals run from; SDKs write its dividers once, and start it.
_BASEBAND_PLL: Final = 0x67
# Power of a tone as sums of words, inverted in 11 bits.  Only the differences count; the SDK of NodeMCU 0.9.2
# divides by one of them.
_TONE: Final = {
    0x6000_0D80 + 4 * word: ~level & 0x7FF
    for word, level in enumerate([0x480] * 4 + [0x380] * 2 + [0x180] * 2)
}


class Radio:
    """The bus to the analog part, with its registers, and the PHY's measurements.

    Attributes:
        addresses: What it answers at.
        pll_on: Whether the clocks come from the PLL.
    """

    addresses = _I2C | frozenset(_TONE)

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """As a reset of the chip leaves it."""
        self._analog: dict[tuple[int, int], int] = {}
        self._commands: dict[int, int] = {}
        self.pll_on = False

    def write(self, address: int, value: int) -> None:
        """Write a register; on the bus, a command is over at once."""
        self._commands[address] = value
        if address in _I2C and value & _WRITE:
            block, register, data = value & 0xFF, value >> 8 & 0xFF, value >> 16 & 0xFF
            self._analog[block, register] = data
            self.pll_on |= block == _BASEBAND_PLL

    def read(self, address: int) -> int:
        """Read a register."""
        if address in _TONE:
            return _TONE[address]
        command = self._commands.get(address, 0)
        block, register = command & 0xFF, command >> 8 & 0xFF
        data = self._analog.get((block, register), 0)
        if (block, register) == (_SYNTHESIZER, _LOCK):
            data |= _LOCKED
        return command & 0xFFFF & ~_BUSY | data << 16
