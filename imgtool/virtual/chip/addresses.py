"""What a read answers where the chip has nothing, and where it has what is not emulated.

Not the registers that are emulated, and no RAM.  The answers are those that somebody has noted who has read
the whole address space of a chip: https://www.esp8266.com/wiki/doku.php?id=esp8266_memory_map.  Addresses
that fault there have no row here: a program that reads them is wrong on any chip.  What a store does in these
places is known of two of them alone, so it is a trap everywhere else.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["answer_at", "is_plain_register", "swallows"]

_REPEATED: Final = int.from_bytes(bytes.fromhex("00800000"), "little")
_REPEATED_BEHIND_IRAM: Final = int.from_bytes(bytes.fromhex("5931d8ec"), "little")


class _Answer(NamedTuple):
    start: int
    end: int
    value: int | None  # None: the address itself


_ANSWERS: Final = (
    _Answer(0x2000_0000, 0x3FF0_0000, _REPEATED),
    _Answer(0x3FF1_0000, 0x3FF2_0000, 0),
    _Answer(0x3FF3_0000, 0x3FFC_0000, 0),
    _Answer(0x3FFC_0000, 0x3FFE_0000, None),
    _Answer(0x3FFE_0000, 0x3FFE_8000, 0),
    # The ROM, of which the project has nothing: 0 in place of its words, but for the one that hosts ask for.
    _Answer(0x4000_0000, 0x4001_0000, 0),
    _Answer(0x4001_0000, 0x4010_0000, 0),
    _Answer(0x4011_0000, 0x4014_0000, 0),
    _Answer(0x4014_0000, 0x4020_0000, _REPEATED_BEHIND_IRAM),
    # The window of the flash, closed in download mode.
    _Answer(0x4020_0000, 0x4030_0000, 0),
    _Answer(0x4030_0000, 0x6000_0000, _REPEATED),
    _Answer(0x7000_0000, 0x1_0000_0000, _REPEATED),
)
_SWALLOWING: Final = (range(0x4001_0000, 0x4010_0000), range(0x7000_0000, 0x1_0000_0000))

# Registers, most of which are not emulated: they keep what is written.  The first has those of the processor
# and its surroundings, the second those of the radio, the third all peripherals and the memory of the RTC.
_PLAIN: Final = (
    range(0x3FF0_0000, 0x3FF1_0000),
    range(0x3FF2_0000, 0x3FF3_0000),
    range(0x6000_0000, 0x6000_2000),
)


def is_plain_register(address: int) -> bool:
    """Whether there are registers at an address; they do nothing here unless they are emulated."""
    return any(address in row for row in _PLAIN)


def answer_at(address: int) -> int | None:
    """The word that a read of an address answers, which has no register and no RAM; None if it faults."""
    for row in _ANSWERS:
        if row.start <= address < row.end:
            return address if row.value is None else row.value
    return None


def swallows(address: int) -> bool:
    """Whether a store there is without effect.

    The ROM has been seen to copy an image to 0x88888888 until the flash ended, and to print so:
    https://github.com/pfalcon/esp-open-sdk/issues/368.  To 0x400C0000 esptool's tests on boards write by its
    stub, and go on: https://github.com/espressif/esptool/blob/master/test/test_esptool.py.
    """
    return any(address in row for row in _SWALLOWING)
