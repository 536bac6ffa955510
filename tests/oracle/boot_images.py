"""Images for a boot from flash, whole ones and broken ones of every kind, and what the ROM says of them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from imgtool.flash_parts import default_part
from imgtool.virtual.chip.machine import BOOT_BAUD, Setup
from imgtool.virtual.line.wire import SimWire

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from imgtool.virtual.chip.machine import VirtualChip

LOOP: Final = bytes.fromhex("06ffff00")
"""A program that does nothing for ever, so that nothing is said behind the ROM's lines."""

_IRAM, _DRAM = 0x4010_0000, 0x3FFE_8000
_SHOWN: Final = 0x1_0000  # of the flash, as much as the images take
_SECONDS: Final = 0.5


def image(
    segments: Sequence[tuple[int, bytes, int]],
    entry: int = _IRAM,
    *,
    wrong: int = 0,
    count: int | None = None,
) -> bytes:
    """A version-1 image from load addresses, contents and the lengths that its headers claim."""
    built = struct.pack("<BBBBI", 0xE9, len(segments) if count is None else count, 2, 0x40, entry)
    check = 0xEF ^ wrong
    for address, data, length in segments:
        built += struct.pack("<II", address, length & 0xFFFF_FFFF) + data
        for byte in data:
            check ^= byte
    return built + bytes(15 - len(built) % 16) + bytes([check])


def _with(address: int, data: bytes, *more: tuple[int, bytes, int], length: int | None = None) -> bytes:
    first = LOOP + bytes(12)
    return image(((_IRAM, first, 16), (address, data, len(data) if length is None else length), *more))


def chosen() -> Iterator[bytes]:
    """Each property by itself."""
    first = (_IRAM, LOOP + bytes(12), 16)
    yield image((first,))
    yield b"\xea" + image((first,))[1:]
    yield b""
    yield image((first,), wrong=1)
    yield image(())
    yield image((first,), 0)
    yield image((first,), 0x2000_0000)
    yield image((first,), count=17)
    for size in (0, 1, 2, 3, 4, 5, 8, 12, 16, 17, 20, 24, 32, 33, 36, 48):
        content = b"x" * size
        yield _with(_DRAM, content)
        yield _with(_IRAM + 0x100, content)
        yield _with(_DRAM, content, (_DRAM + 0x1000, b"y" * 40, 40))
        yield _with(_DRAM, content, (_DRAM + 0x1000, b"y" * 8, 8))
    for address in (
        0,
        0x1000_0000,
        0x2000_0000,
        0x3FFE_0000,
        0x4000_0000,
        0x4011_0000,
        0x4020_0000,
        0x6000_0240,
    ):
        yield from (_with(address, b"z" * size) for size in (4, 12, 40))
    for address in (_DRAM + 1, _DRAM + 2, _IRAM + 0x101, 0xFFFF_FFFF):
        yield from (_with(address, b"z" * size) for size in (4, 16, 40))
    # Where nothing takes it, the ROM reads all of the flash in pieces of 16 bytes: not here.
    for length in (-1, -16, 0x2_0000, 0x40_0000, 0x7FFF_FFFF, -2004318072):
        yield _with(_DRAM, b"z" * 16, length=length)


def at_random(rng: random.Random, count: int) -> Iterator[bytes]:
    """Images of some segments in any order, four of ten with a byte changed."""
    for _ in range(count):
        places = [(_IRAM, LOOP + rng.randbytes(4 * rng.randrange(1, 30)))]
        for _ in range(rng.randrange(4)):
            base = rng.choice((_DRAM, _IRAM + 0x1000, _DRAM + 0x1000))
            places.append((base + 4 * rng.randrange(50), rng.randbytes(4 * rng.randrange(40))))
        rng.shuffle(places)
        built = bytearray(image([(address, data, len(data)) for address, data in places]))
        if rng.random() < 0.4:
            built[rng.randrange(8, len(built))] = rng.randrange(256)
        yield bytes(built)


class BootBench:
    """A chip that is switched on with one image after the other in its flash."""

    def __init__(self, make: type[VirtualChip]) -> None:
        self.chip = make(Setup(part=default_part(0x10_0000)))
        self._wire = SimWire(self.chip, boot=True)
        self._wire.set_baud(BOOT_BAUD)
        self._wire.read(1 << 16, _SECONDS)

    def says(self, image: bytes) -> str:
        """All that comes within half a second of its start."""
        store = self.chip.flash
        store._store.write(0, image.ljust(_SHOWN, b"\xff"))  # noqa: SLF001 - no host could so quickly
        self.chip.traps.clear()
        self.chip.power_on(download=False)
        return self._wire.read(1 << 16, _SECONDS).decode("latin-1")
