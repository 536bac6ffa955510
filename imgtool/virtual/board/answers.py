"""Registers that firmware waits for, and what they must answer: a row each.

Not the registers of what is modelled as a whole (timers, UART, SPI, window, radio), which do more than
answer.  All others keep what is written; ``unmodelled`` of :class:`~imgtool.virtual.board.peripherals.Board`
lists them.

What each row says was seen by running firmware and taking the answer away; nobody has confirmed it on
silicon.  Names without a source are descriptions: no document has one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["ANSWERS", "Answer"]


class Answer(NamedTuple):
    """A register that keeps what is written, but for some bits.

    Attributes:
        address: Where it is.
        name: What it is, or does.
        reader: Who reads it.
        without: What happens if the bits are not as they should be.
        ones: Bits that always read as 1.
        zeros: Bits that always read as 0.
        at_reset: Its value after a reset.
    """

    address: int
    name: str
    reader: str
    without: str
    ones: int = 0
    zeros: int = 0
    at_reset: int = 0


ANSWERS: Final = (
    Answer(
        0x6000_0370,
        "RTC calibration",
        "every SDK, when it measures the clock of the RTC",
        "the chip never idles after its prompt",
        ones=1 << 31,
        at_reset=256 * 26_000_000 // 150_000,  # clocks of the crystal in 256 of the RTC
    ),
    Answer(
        0x6000_057C,
        "IQ estimation, done",
        "rom_iq_est_enable of the ROM, for the PHY",
        "it waits for ever in the calibration of the PHY",
        ones=1 << 31,
    ),
    Answer(
        0x6000_0728,
        "RTC sleep, over",
        "every SDK, after the short sleep that starts the PLL",
        "it waits for ever after the image is loaded",
        ones=1 << 0,
    ),
    Answer(
        0x6000_0F14,
        "UART1 CLKDIV",
        "RTOS SDK, which divides by it",
        "an exception: a division by zero",
        at_reset=0x2B6,
    ),
    Answer(
        0x6000_9B60,
        "PHY, busy",
        "the PHY",
        "time-outs of ten million instructions",
        zeros=1 << 1,
    ),
)
