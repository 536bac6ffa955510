"""Requests to the serial loader, right and wrong in every way, and what a chip answers to them.

Not the protocol of a host: bytes are put on the line as they are, delimiters and escapes among them.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from imgtool.flash_parts import default_part
from imgtool.virtual.chip.machine import Setup
from imgtool.virtual.line.wire import SimWire

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator

    from imgtool.virtual.chip.machine import VirtualChip

SYNC: Final = bytes.fromhex("c0 00 08 24 00 00 00 00 00 07 07 12 20") + b"\x55" * 32 + b"\xc0"
FLASH_BEGIN, FLASH_DATA, FLASH_END, MEM_BEGIN, MEM_END, MEM_DATA = 2, 3, 4, 5, 6, 7
SYNC_OPCODE, WRITE_REG, READ_REG, SPI_SET_PARAMS = 8, 9, 10, 11
LEAVING: Final = (FLASH_END, MEM_END)

_PATIENCE: Final = 600.0  # seconds of virtual time, in which any area is erased
_LEFT: Final = 0.5  # likewise, for what is said when the loader was left; it may be a loop without end
_STATUS_READ: Final = 0x05
_WRITE_ENABLE: Final = 0x06
_PROGRAM, _READ = 0x02, 0x03
_ADDRESSED: Final = (0x20, 0xD8, _PROGRAM, _READ)


def words(*values: int) -> bytes:
    """32-bit words, least significant byte first."""
    return struct.pack(f"<{len(values)}I", *values)


def slip(packet: bytes) -> bytes:
    """A packet between delimiters."""
    return b"\xc0" + packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


def packet(
    opcode: int, data: bytes = b"", check: int = 0, length: int | None = None, direction: int = 0
) -> bytes:
    """A request, not yet framed; the length in its header may be another than that of its data."""
    size = len(data) if length is None else length
    return struct.pack("<BBHI", direction, opcode, size, check) + data


def data_packet(opcode: int, data: bytes, number: int, *, wrong: int = 0, size: int | None = None) -> bytes:
    """FLASH_DATA or MEM_DATA; ``wrong`` is what its checksum is changed by."""
    check = 0xEF ^ wrong
    for byte in data:
        check ^= byte
    return packet(opcode, words(len(data) if size is None else size, number, 0, 0) + data, check)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request.

    Attributes:
        said: All that the chip has sent.
        flash: Commands that reached the flash, in their order, as words; reads of a status are left out, and
            programs and reads of which one goes on where the other ends are one.  Of a request that may end
            the loader, reads are left out, too: those of the boot that follows.
        alive: Whether the chip has not stopped, or may have left the loader.
    """

    said: bytes
    flash: tuple[str, ...]
    alive: bool

    def as_json(self) -> dict[str, Any]:
        """For a line of a fixture."""
        return {"said": self.said.hex(), "flash": list(self.flash), "alive": self.alive}

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> Self:
        """Of a line of a fixture."""
        return cls(bytes.fromhex(line["said"]), tuple(line["flash"]), line["alive"])


@dataclass
class _Stretch:
    """Programs or reads in a row."""

    opcode: int
    start: int
    data: bytes
    size: int

    def __str__(self) -> str:
        digest = f" {hashlib.sha256(self.data).hexdigest()[:8]}" if self.opcode == _PROGRAM else ""
        return f"{self.opcode:02x} {self.start:06x} {self.size}{digest}"


def commands(sent: Iterable[tuple[bytes, int]]) -> tuple[str, ...]:
    """Transactions on the flash's bus, as words of an :class:`Answer`."""
    found: list[str | _Stretch] = []
    enabled = False  # a write enable that belongs to the next program
    for out, receive in sent:
        opcode = out[0]
        if opcode == _STATUS_READ:
            continue
        last = found[-1] if found else None
        if opcode in {_PROGRAM, _READ}:
            start, size = int.from_bytes(out[1:4], "big"), len(out) - 4 if opcode == _PROGRAM else receive
            if isinstance(last, _Stretch) and last.opcode == opcode and last.start + last.size == start:
                last.data, last.size, enabled = last.data + out[4:], last.size + size, False
                continue
            found += ["06"] if enabled else []
            found.append(_Stretch(opcode, start, out[4:], size))
            enabled = False
            continue
        found += ["06"] if enabled else []
        enabled = opcode == _WRITE_ENABLE
        if not enabled:
            found.append(out.hex(" ", 1) if opcode not in _ADDRESSED else f"{opcode:02x} {out[1:4].hex()}")
    found += ["06"] if enabled else []
    return tuple(str(item) for item in found)


class Bench:
    """A chip in download mode that is asked.

    Args:
        make: Makes the chip.
        size: Bytes of its flash.
    """

    def __init__(self, make: type[VirtualChip], size: int = 0x40_0000) -> None:
        self.chip = make(Setup(part=default_part(size)))
        self._seen: list[tuple[bytes, int]] = []
        transact = self.chip.flash.transact

        def watched(now: int, sent: bytes, receive: int) -> bytes:
            self._seen.append((bytes(sent), receive))
            return transact(now, sent, receive)

        self.chip.flash.transact = watched  # type: ignore[method-assign]
        self.wire = SimWire(self.chip)
        self._synchronise()

    def _synchronise(self) -> None:
        self.wire.read(1 << 16, 0.2)  # the banner
        for _ in range(2):  # the speed is measured by the first one, which is not answered by every chip
            self.wire.write(SYNC)
            self.wire.read(1 << 16, 0.2)

    def start_again(self) -> None:
        """Reset the chip into its loader."""
        self.chip.traps.clear()
        self.chip.power_on(download=True)
        self._synchronise()

    def ask(self, sent: bytes) -> Answer:
        """Put bytes on the line, and take all that comes of them."""
        self._seen.clear()
        self.wire.write(sent)
        said = self.wire.read(1 << 16, _LEFT if leaves(sent) else _PATIENCE)
        seen = commands(self._seen)
        if leaves(sent):
            return Answer(said, tuple(word for word in seen if word[:3] != "03 "), alive=True)
        return Answer(said, seen, not self.chip.traps)

    @property
    def content(self) -> str:
        """Digest of the flash."""
        flash = self.chip.flash
        return hashlib.sha256(flash.read(0, flash.length)).hexdigest()


def leaves(sent: bytes) -> bool:
    """Whether bytes may end the loader."""
    return re.search(rb"\xc0\x00[\x04\x06]", sent) is not None


# Requests ----------------------------------------------------------------------------------------

READABLE: Final = (
    0x3FFE_8000,
    0x3FFE_8004,
    0x3FFF_7FFC,
    0x4010_0000,
    0x4010_FFFC,
    0x4000_1000,
    0x3FF0_0050,
    0x3FF0_0054,
    0x3FF0_0058,
    0x3FF0_005C,
    0x6000_0014,
    0x6000_0078,
    0x3FFF_A000,
    0x3FFF_A008,
    0x3FFF_DE00,
    0x3FFF_DE04,
    0x2000_0000,
    0x400C_0000,
    0x5000_0000,
    0x7000_0000,
)
"""Addresses of which the answer is that of the loader and of the chip, and not of what the ROM has in RAM."""

WRITABLE: Final = (0x3FFE_8000, 0x3FFE_8100, 0x3FFF_7FFC, 0x4010_0000, 0x4010_8000, 0x6000_0240, 0x6000_0044)
LOADABLE: Final = (0x3FFE_8000, 0x3FFE_8010, 0x3FFE_8001, 0x4010_0000, 0x4010_1000)


def systematic() -> Iterator[bytes]:
    """Every opcode, every length near the right one, orders, bounds and damages, one by one."""
    yield from (slip(packet(opcode)) for opcode in range(256) if opcode not in LEAVING)
    for opcode in range(2, 16):
        if opcode in LEAVING:
            continue
        for size in (0, 1, 3, 4, 8, 12, 15, 16, 17, 20, 23, 24, 25, 32, 48, 64):
            data = bytes(range(1, 1 + size)) if opcode in {SYNC_OPCODE, SPI_SET_PARAMS} else bytes(size)
            if opcode == SPI_SET_PARAMS and size == 24:
                data = words(0, 0x40_0000, 0x1_0000, 0x1000, 0x100, 0xFFFF)
            if opcode in {READ_REG, WRITE_REG}:
                data = (words(0x3FFE_8000, 5, 0xFFFF_FFFF, 0) * 4)[:size]
            yield slip(packet(opcode, data))
    yield slip(packet(READ_REG, words(0x4000_1000), direction=1))
    yield slip(packet(READ_REG, words(0x4000_1000), direction=0xFF))
    for length in (0, 3, 5, 16, 0xFFFF):
        yield slip(packet(READ_REG, words(0x4000_1000), length=length))
    yield from (slip(packet(READ_REG, words(address))) for address in READABLE)
    yield from _frames()
    yield from _register_writes()
    yield from _downloads()
    yield from _areas()


def _frames() -> Iterator[bytes]:
    good = packet(READ_REG, words(0x4000_1000))
    whole = slip(good)
    yield b"\xc0" * 9
    yield whole + whole
    yield whole[:-1] + whole  # one delimiter for the end of one and the beginning of the next
    yield whole[:-1] + b"\xc0" + good + b"\xc0" + whole
    yield b"noise" + whole + b"noise"
    yield b"\xc0\xdb\xc0" + good + b"\xc0"  # an escape before a delimiter
    yield b"\xc0\xdb\x41" + good[1:] + b"\xc0"
    yield b"\xc0\xdb\xdb" + good[1:] + b"\xc0"
    yield whole  # whatever state the last ones have left
    yield whole
    yield from (slip(good[:size]) for size in range(1, len(good)))
    yield slip(packet(SYNC_OPCODE, b"\xc0\xdb\xc0\xdb"))
    yield slip(packet(0x1F)) + slip(packet(0x1F))
    yield whole


def _register_writes() -> Iterator[bytes]:
    at = 0x3FFE_8000
    for mask in (0xFFFF_FFFF, 0xFF, 0, 0xF0F0_F0F0):
        yield slip(packet(WRITE_REG, words(at, 0x1234_5678, mask, 0)))
        yield slip(packet(READ_REG, words(at)))
    # In one packet: the second reads what the first has written.
    yield slip(packet(WRITE_REG, words(at, 1, 0xFFFF_FFFF, 0) + words(at, 6, 0xFE, 3)))
    yield slip(packet(READ_REG, words(at)))
    yield slip(packet(WRITE_REG, words(at, 9, 0xFFFF_FFFF, 0xFFFF_0001)))
    yield slip(packet(READ_REG, words(at)))


def _downloads() -> Iterator[bytes]:
    for begin, data, where in ((MEM_BEGIN, MEM_DATA, 0x3FFE_8000), (FLASH_BEGIN, FLASH_DATA, 0x1000)):
        content = bytes(range(64))
        yield slip(packet(begin, words(128, 2, 64, where)))
        yield slip(data_packet(data, content, 0))
        yield slip(data_packet(data, content, 0))  # again
        yield slip(data_packet(data, content, 2))  # one is missing
        yield slip(data_packet(data, content, 1, wrong=1))
        yield slip(data_packet(data, content, 1))  # it was counted
        yield slip(data_packet(data, content, 2))
        yield slip(data_packet(data, content[:60], 3))
        yield slip(data_packet(data, content[:3], 4))
        yield slip(data_packet(data, content + b"more", 5))
        yield slip(data_packet(data, content[:4], 4, size=8))  # it has less than it says
        yield slip(data_packet(data, b"", 5))
        yield slip(packet(data, words(0, 6, 0, 0), length=0x1811))
        for size in (0, 0x1800, 0x1801, 0xFFFF_FFFF):
            yield slip(packet(begin, words(16, 1, size, where)))
        yield slip(packet(begin, words(0x1800, 1, 0x1800, where)))
        yield slip(data_packet(data, bytes(range(256)) * 24, 0))
    yield slip(packet(MEM_BEGIN, words(64, 1, 64, 0)))
    yield slip(packet(MEM_BEGIN, words(64, 1, 64, 0xFFFF_FFF0)))
    yield slip(packet(FLASH_DATA, words(0, 0, 0, 0), 0xEF))
    yield slip(packet(READ_REG, words(0x3FFE_8000)))


def _areas() -> Iterator[bytes]:
    """FLASH_BEGIN: where it begins, and how much, round blocks and ends."""
    for start in (
        0,
        0x1000,
        0xF000,
        0x1_0000,
        0x1_F000,
        0x3E_0000,
        0x3F_0000,
        0x3F_F000,
        0x40_0000,
        0x40_1000,
    ):
        for sectors in (0, 1, 2, 15, 16, 17, 33, 47):
            yield slip(packet(FLASH_BEGIN, words(sectors * 0x1000, 1, 0x400, start)))
        yield slip(packet(FLASH_BEGIN, words(1, 1, 0x400, start)))
        yield slip(packet(FLASH_BEGIN, words(0x1001, 1, 0x400, start)))
    yield slip(packet(FLASH_BEGIN, words(0x1000, 1, 0x400, 1)))
    yield slip(packet(FLASH_BEGIN, words(0xFFFF_F000, 1, 0x400, 0x1000)))
    yield slip(packet(FLASH_BEGIN, words(0, 1, 64, 0x40_0000)))
    yield slip(data_packet(FLASH_DATA, bytes(64), 0))  # beyond what the ROM believes in
    for size in (0x8_0000, 0x10_0000, 0x100_0000):
        yield slip(packet(SPI_SET_PARAMS, words(0, size, 0x1_0000, 0x1000, 0x100, 0xFFFF)))
        for start in (0x7_F000, 0x8_0000, 0xF_F000, 0x40_0000):
            yield slip(packet(FLASH_BEGIN, words(0x1000, 1, 64, start)))
            yield slip(data_packet(FLASH_DATA, bytes(range(64)), 0))


def endings() -> Iterator[tuple[bytes, ...]]:
    """Sequences, each for a chip that was reset, that end with what ends the loader."""
    program = bytes.fromhex("0df00000")  # ret.n
    load = slip(packet(MEM_BEGIN, words(4, 1, 64, 0x4010_0000))), slip(data_packet(MEM_DATA, program, 0))
    for flag, entry in ((0, 0x4010_0000), (0x100, 0x4010_0000), (1, 0x4010_0000), (0, 0), (0xFF, 0)):
        yield (*load, slip(packet(MEM_END, words(flag, entry))))
    yield (*load, slip(packet(MEM_END, words(0, 0x4010_0000) + b"more")))
    yield (*load, slip(packet(MEM_END, words(0))))
    begin = slip(packet(FLASH_BEGIN, words(64, 1, 64, 0x1000)))
    data = slip(data_packet(FLASH_DATA, bytes(64), 0))
    for flag in (0, 1):
        end = slip(packet(FLASH_END, words(flag)))
        yield (begin, data, end)
        yield (begin, end)
        yield (slip(packet(FLASH_BEGIN, words(0, 0, 64, 0))), end)
        yield (end,)
    yield (slip(packet(FLASH_BEGIN, words(0, 0, 64, 0))), slip(packet(FLASH_END)))


class _Random:
    """What random requests are made from: the download that is going on."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._flash = False
        self._number = 0
        self._size = 64

    def _content(self) -> bytes:
        return self._rng.randbytes(self._rng.choice((4, 16, 64, 60, 63, 256, self._size)))

    def begin(self) -> bytes:
        rng = self._rng
        self._flash = rng.random() < 0.5
        self._number, self._size = 0, rng.choice((16, 64, 256, 0x400, 0x1800))
        where = rng.randrange(0x402) * 0x1000 if self._flash else rng.choice(LOADABLE)
        wanted = rng.choice((0, 1, self._size, rng.randrange(0x4_0000)))
        opcode = FLASH_BEGIN if self._flash else MEM_BEGIN
        return packet(opcode, words(wanted, rng.randrange(4), self._size, where))

    def data(self) -> bytes:
        content = self._content()
        if not self._flash:
            content = content[: len(content) & ~3]  # half a word in instruction RAM stops the chip
        wrong = int(self._rng.random() < 0.1)
        opcode = FLASH_DATA if self._flash else MEM_DATA
        made = data_packet(opcode, content, self._number, wrong=wrong)
        self._number += self._rng.random() < 0.85
        return made

    def read(self) -> bytes:
        return packet(READ_REG, words(self._rng.choice(READABLE)))

    def write(self) -> bytes:
        rng = self._rng
        tuples = (
            words(rng.choice(WRITABLE), rng.getrandbits(32), rng.getrandbits(32), rng.randrange(50))
            for _ in range(rng.randrange(4))
        )
        return packet(WRITE_REG, b"".join(tuples))

    def parameters(self) -> bytes:
        size = self._rng.choice((0x8_0000, 0x10_0000, 0x40_0000, 0x100_0000))
        return packet(SPI_SET_PARAMS, words(0, size, 0x1_0000, 0x1000, 0x100, 0xFFFF))

    def sync(self) -> bytes:
        return packet(SYNC_OPCODE, self._rng.choice((SYNC[9:-1], self._content())))

    def any_opcode(self) -> bytes:
        return packet(self._rng.choice(_WITHOUT_REGISTERS), self._content()[:16])

    def any_length(self) -> bytes:
        rng = self._rng
        opcode = rng.choice([opcode for opcode in _WITHOUT_REGISTERS if opcode < 12])
        direction = int(rng.random() < 0.1)
        return packet(opcode, self._content()[: rng.randrange(20)], direction=direction)


# Registers at random addresses would stop the chip.
_WITHOUT_REGISTERS: Final = [opcode for opcode in range(256) if opcode not in {READ_REG, WRITE_REG}]


def at_random(rng: random.Random, count: int) -> Iterator[bytes]:
    """Requests, mostly right ones, mostly in an order that makes sense; one in twelve damaged by the line."""
    made = _Random(rng)
    kinds = {
        made.begin: 5,
        made.data: 6,
        made.read: 2,
        made.write: 2,
        made.parameters: 1,
        made.sync: 1,
        made.any_opcode: 1,
        made.any_length: 2,
    }
    for kind in rng.choices(list(kinds), weights=list(kinds.values()), k=count):
        frame = slip(kind())
        yield _damaged(frame, rng) if rng.random() < 0.08 else frame


def _damaged(frame: bytes, rng: random.Random) -> bytes:
    """A frame that the line has cut or lengthened, but not so that a register's address changes."""
    kind = rng.randrange(5)
    if kind == 0:
        return frame[1:]
    if kind == 1:
        return frame[:-1]
    if kind == 2:
        return rng.randbytes(3).replace(b"\xc0", b"") + frame
    if kind == 3:
        return frame + b"\xc0" * rng.randrange(4)
    return frame[:2] + bytes([rng.choice((0, 1, 12, 15, 0x30, 0xD2))]) + frame[3:]
