"""Runs of real boot loaders on the board: images that say who they are, and which of them ran in the end.

The loaders and the boot ROM are not here: IMGTOOL_CORPUS and IMGTOOL_BOOT_ROM name them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.flash_parts import default_part
from imgtool.formats.images.version1 import BootImage, Segment
from imgtool.formats.images.version2 import OtaImage
from imgtool.virtual.board.firmware_chip import FirmwareChip
from imgtool.virtual.chip.machine import Activity, Setup
from imgtool.virtual.chip.store import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imgtool.virtual.board.boot_rom import BootRom

__all__ = ["WITNESS", "Seen", "flash_of", "run", "user_image", "wrong_sum"]

WITNESS: Final = 0xE0
"""What an image sends once it runs, plus its number: no byte of any text of a loader."""

_IRAM: Final = 0x4010_0000
_SECOND: Final = 1_000_000_000
_STEP_NS: Final = 50_000_000
_SILENCE_NS: Final = 12 * _SECOND  # longer than the watchdog lets a loader hang
_MOST_NS: Final = 60 * _SECOND
_SIZE_AND_FREQ: Final = 0x40


class Seen(NamedTuple):
    """What a run came to.

    Attributes:
        number: Of the image that ran in the end; None for none.
        log: What the chip sent until then, the witness left out.
    """

    number: int | None
    log: str


def user_image(number: int, *, new: bool = True) -> bytes:
    """An image that sends ``WITNESS + number`` once and then waits for ever, the watchdog fed.

    Args:
        number: Which one.
        new: Whether with the header of version 2, that boot loader 1.2 and later know.
    """
    code = bytes.fromhex(
        "22a003 302201"  # movi a2, 3; slli a2, a2, 29: the UART's FIFO at 0x60000000
        f"32a0{WITNESS + number:02x} 326200"  # movi a3, ...; s32i a3, a2, 0
        "42d209 52a073"  # addmi a4, a2, 0x900; movi a5, 0x73
        "526405 46feff"  # s32i a5, a4, 0x14: feeds the watchdog; j to it
    )
    boot = BootImage(2, _SIZE_AND_FREQ, _IRAM, (Segment(_IRAM, code.ljust(32, b"\0")),))
    return OtaImage(2, _SIZE_AND_FREQ, _IRAM, bytes(16), boot).build() if new else boot.build()


def wrong_sum(image: bytes) -> bytes:
    """An image with another checksum than its bytes give."""
    return image[:-1] + bytes((image[-1] ^ 0x5A,))


def flash_of(size: int, contents: Mapping[int, bytes]) -> bytes:
    """An erased flash with contents by address."""
    data = bytearray(b"\xff" * size)
    for address, content in contents.items():
        data[address : address + len(content)] = content
    return bytes(data)


def run(rom: BootRom, flash: bytes, *, starts: int = 12) -> Seen:
    """Switch a board with this flash on, until an image says who it is or nothing happens any more."""
    store = MemoryStore(len(flash))
    store.write(0, flash)
    chip = FirmwareChip(Setup(default_part(len(flash)), store), rom)
    chip.power_on(download=False)
    begin = last = chip.now
    heard = bytearray()
    while chip.now - begin < _MOST_NS and chip.now - last < _SILENCE_NS:
        chip.run(chip.now + _STEP_NS)
        fresh = bytes(byte for byte, _, _ in chip.uart.drain())
        if fresh:
            last = chip.now
            heard += fresh
        witness = next((byte for byte in fresh if WITNESS <= byte < WITNESS + 16), None)
        if witness is not None:
            return Seen(witness - WITNESS, _text(heard))
        if chip.activity is not Activity.FIRMWARE or heard.count(b"ets Jan") > starts:
            break
    return Seen(None, _text(heard))


def _text(heard: bytes | bytearray) -> str:
    return bytes(byte for byte in heard if byte < WITNESS).decode("latin-1")
