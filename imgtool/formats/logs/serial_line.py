"""The serial line as a wire: what a receiver makes of bytes that were sent at another speed.

Pure functions over bytes; no clock, no registers (imgtool.virtual.chip.uart) and no port.  The virtual chip's
line and the recognition of logs at a wrong speed (:mod:`imgtool.formats.logs.garbled`) both hear by it.  A
UART samples each bit in its middle, counted from the falling edge of the start bit, so it bears an error of
about 5 % over ten bits; beyond that the bytes come out wrong, fewer or more.
"""

from __future__ import annotations

from itertools import accumulate, groupby
from typing import Final

__all__ = ["agrees", "byte_time", "heard_at"]

_BITS_PER_BYTE: Final = 10
"""A start bit, eight data bits and a stop bit."""

_TOLERANCE: Final = 0.04


def byte_time(baud: int) -> int:
    """Nanoseconds that a byte takes on the line."""
    return round(_BITS_PER_BYTE * 1_000_000_000 / baud)


def agrees(sent: int, heard: int) -> bool:
    """Whether a receiver at one speed reads what was sent at another."""
    return abs(sent - heard) <= _TOLERANCE * heard


def heard_at(data: bytes, sent: int, heard: int) -> bytes:
    """What a receiver at ``heard`` baud reads while ``data`` is sent at ``sent`` baud, back to back.

    The line idles high before and after.  A byte whose stop bit reads low is delivered as it is: the ESP8266
    puts it into the FIFO and raises a framing error, which is not modelled.
    """
    if agrees(sent, heard):
        return data
    levels: list[int] = []
    for byte in data:
        levels += (0, *(byte >> bit & 1 for bit in range(8)), 1)
    runs = [(level, len(list(group))) for level, group in groupby(levels)]
    ends = list(accumulate(length for _, length in runs))
    ratio = sent / heard  # sent bits in the time of one heard bit
    result = bytearray()
    at = 0.0
    index = 0
    while index < len(runs):
        # The next falling edge at or after the point reached begins a byte.
        if runs[index][0] or ends[index] <= at:
            index += 1
            continue
        start = max(at, ends[index] - runs[index][1])
        look = index
        value = 0
        for bit in range(8):
            position = start + (1.5 + bit) * ratio
            while look < len(ends) and ends[look] <= position:
                look += 1
            if look >= len(runs) or runs[look][0]:
                value |= 1 << bit
        result.append(value)
        at = start + (_BITS_PER_BYTE - 0.5) * ratio
        while index < len(ends) and ends[index] <= at:
            index += 1
        # A receiver waits for the line to be high before it takes the next start bit.
        if index < len(runs) and not runs[index][0] and ends[index] - runs[index][1] < at:
            index += 1
    return bytes(result)
