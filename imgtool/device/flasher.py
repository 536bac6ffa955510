"""Erase, write, digest and read flash: by a stub, or by the ROM loader alone.

Not what goes where, and what is left alone: that is decided in imgtool.operations.flashing.transfer.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING, Final, Protocol

from imgtool.chip import SECTOR
from imgtool.device import protocol
from imgtool.device.protocol import KNOWN_TO_ROM, ROM_FLASH_PACKET, STUB_FLASH_PACKET, Command
from imgtool.errors import ChipError, FlashError, LayoutError, LineError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imgtool.device.flash_chip import FlashChip, FlashRegisters
    from imgtool.device.link import Link

__all__ = ["Flasher", "KeptStatus", "RomFlasher", "StubFlasher", "tell_capacity"]

_READ_PACKET: Final = 0x1000  # the stub sends no more at a time
_READ_STRETCH: Final = 0x1_0000  # what is asked for again when a part of it is broken
_READ_TIMEOUT: Final = 3.0
_ABANDON_S: Final = 0.2  # until a stub has sent what it was sending
_READ_ATTEMPTS: Final = 5
_MD5: Final = 16
# An inflated packet may be far longer than it is on the line; the stub has to write all of it.
_INFLATE_STEP: Final = 0x8000
_FIFO: Final = 128  # bytes that the UART keeps, whatever the loader is doing
_WORD_REQUEST: Final = 18  # bytes at most: header, address, two delimiters, an escape for each of the address
_STATUS_READS: Final = 6
_STATUS_WRITES: Final = 3


class Flasher(Protocol):
    """A way to work on the flash.

    Attributes:
        name: What to call it.
        digests: Whether the device can digest its flash.
        reads_at_once: Whether many short reads are quicker together.
        ahead: How many requests for a word of memory may be under way.
        speed: Bytes of flash content that it reads a second at 115200 baud, about.
    """

    name: str
    digests: bool
    reads_at_once: bool
    ahead: int

    def erase(self, address: int, size: int) -> None:
        """Erase exactly these sectors."""

    def erase_chip(self) -> None:
        """Erase the whole flash."""

    def write(self, address: int, data: bytes, on_bytes: Callable[[int], None], *, erased: bool) -> None:
        """Erase and write whole sectors.

        Args:
            address: A multiple of a sector.
            data: A multiple of a sector.
            on_bytes: Told how many bytes are done.
            erased: Whether they are known to be erased.
        """

    def digest(self, address: int, size: int) -> bytes:
        """The MD5 of a stretch of flash, 16 bytes."""

    def matching(self, address: int, contents: Sequence[bytes]) -> set[int]:
        """Which sectors hold what they should: their indexes.

        Args:
            address: Of the first one.
            contents: What each should hold; of the last one, its beginning may be given alone.
        """

    def read(self, address: int, size: int, on_bytes: Callable[[int], None]) -> bytes:
        """Flash content."""

    def read_each(self, stretches: Sequence[tuple[int, int]]) -> list[bytes]:
        """Short stretches of flash content: address and bytes, of a sector at most."""


def tell_capacity(link: Link, size: int) -> None:
    """Tell the ROM, or a stub of Espressif's, how large the flash is.

    One that does not know the request goes on as it is where its own idea of the flash reaches far enough.

    Raises:
        ChipError: It does not take it, and the flash has more than it believes.
        PortError: The port is lost.
    """
    try:
        link.request(protocol.flash_parameters(size))
    except ChipError:
        if size > KNOWN_TO_ROM:
            raise


class StubFlasher:
    """Works through a stub that knows Espressif's commands.

    Args:
        link: The line to it.
        name: What to call it.
    """

    digests = True
    reads_at_once = False
    ahead = 1  # of frames that come while it works, Espressif's stub keeps the last alone (stub_flasher.c)

    def __init__(self, link: Link, name: str) -> None:
        self._link = link
        self.name = name

    def erase(self, address: int, size: int) -> None:
        """Erase exactly these sectors; the stub takes 64 KB blocks where they fit."""
        self._link.request(protocol.erase_region(address, size))

    def erase_chip(self) -> None:
        """Erase the whole flash."""
        self._link.request(protocol.erase_flash())

    def write(self, address: int, data: bytes, on_bytes: Callable[[int], None], *, erased: bool) -> None:
        """Erase and write whole sectors, compressed where that is less; the stub finds out what is erased."""
        del erased
        stream = zlib.compress(data, 9)
        deflated = len(stream) < len(data)
        if not deflated:
            stream = data
        # Plain packets are all of one length.
        length = STUB_FLASH_PACKET if deflated or len(data) % STUB_FLASH_PACKET == 0 else SECTOR
        packets = -(-len(stream) // length)
        link = self._link
        if deflated:
            link.request(protocol.deflate_begin(address, len(data), packets))
        else:
            link.request(protocol.flash_begin(address, len(data), packets, length, erase=0, stub=True))
        command = Command.DEFLATE_DATA if deflated else Command.FLASH_DATA
        inflater = zlib.decompressobj() if deflated else None
        done = before = 0
        for number, start in enumerate(range(0, len(stream), length)):
            packet = stream[start : start + length]
            size = len(packet) if inflater is None else len(inflater.decompress(packet))
            # The answer to a packet comes when the stub has done with the one before.
            link.request(protocol.data_packet(command, packet, number, erases=before + _INFLATE_STEP))
            before = size
            done += size
            on_bytes(done)
        link.request(protocol.flash_end(deflated=deflated, erases=before + _INFLATE_STEP))

    def digest(self, address: int, size: int) -> bytes:
        """The MD5 of a stretch of flash, 16 bytes."""
        return self._link.request(protocol.md5(address, size)).data

    def matching(self, address: int, contents: Sequence[bytes]) -> set[int]:
        """Which sectors hold what they should, found by digests of all, of quarters, and so on."""
        return _by_quarters(self.digest, address, contents)

    def read(self, address: int, size: int, on_bytes: Callable[[int], None]) -> bytes:
        """Flash content; what comes broken is asked for again.

        Raises:
            LineError: It comes broken every time.
        """
        content = bytearray()
        while len(content) < size:
            count = min(_READ_STRETCH, size - len(content))
            content += self._stretch(address + len(content), count, on_bytes, len(content))
        return bytes(content)

    def read_each(self, stretches: Sequence[tuple[int, int]]) -> list[bytes]:
        """Short stretches of flash content, one after the other."""
        return [self.read(address, size, _unheard) for address, size in stretches]

    def _stretch(self, address: int, size: int, on_bytes: Callable[[int], None], before: int) -> bytes:
        for attempt in range(_READ_ATTEMPTS):
            if attempt:
                self._abandon()
            try:
                return self._read_once(address, size, on_bytes, before)
            except (LineError, RefusedError):
                continue
        raise LineError("the flash content comes broken every time", offset=address)

    def _read_once(self, address: int, size: int, on_bytes: Callable[[int], None], before: int) -> bytes:
        link = self._link
        link.request(protocol.read_flash(address, size, _READ_PACKET))
        content = bytearray()
        while len(content) < size:
            wanted = min(_READ_PACKET, size - len(content))
            block = link.receive(_READ_TIMEOUT, wanted + 2)
            if len(block) != wanted:
                raise LineError("a block of flash content is broken", offset=address + len(content))
            content += block
            link.send(len(content).to_bytes(4, "little"))
            on_bytes(before + len(content))
        if link.receive(_READ_TIMEOUT, _MD5 + 2) != hashlib.md5(content, usedforsecurity=False).digest():
            raise LineError("flash content does not have the digest that the chip gives", offset=address)
        return bytes(content)

    def _abandon(self) -> None:
        """End a reading that has gone wrong: an answer of the wrong length makes the stub stop."""
        link = self._link
        link.wire.clock.sleep(_ABANDON_S)
        link.forget()
        link.send(b"\x00")
        link.wire.clock.sleep(_ABANDON_S / 2)
        link.forget()


def _by_quarters(
    digest: Callable[[int, int], bytes], address: int, contents: Sequence[bytes], first: int = 0
) -> set[int]:
    """Indexes of the sectors that hold what they should, counted from ``first``."""
    content = b"".join(contents)
    if digest(address, len(content)) == hashlib.md5(content, usedforsecurity=False).digest():
        return set(range(first, first + len(contents)))
    if len(contents) == 1:
        return set()
    step = max(1, len(contents) // 4)
    found: set[int] = set()
    for start in range(0, len(contents), step):
        part = contents[start : start + step]
        found |= _by_quarters(digest, address + start * SECTOR, part, first + start)
    return found


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
        for _ in range(_STATUS_WRITES):
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
    while len(seen) < _STATUS_READS:
        seen.append(registers.kept_status(flash))
        if seen.count(seen[-1]) > 1:
            return seen[-1]
    raise LineError("the status of the flash comes out differently every time")


class RomFlasher:
    """Works through the ROM loader alone, which can write and nothing else.

    Erasing and reading go through the SPI registers.  To begin a write the ROM clears the flash's status
    registers, whatever is asked for; after each write they get back what they held.

    Args:
        link: The line to it.
        registers: The flash.
        flash: Which flash it is.
        status: What its status registers held before the first write.
    """

    name = "rom"
    digests = False
    reads_at_once = True
    ahead = _FIFO // _WORD_REQUEST

    def __init__(self, link: Link, registers: FlashRegisters, flash: FlashChip, status: KeptStatus) -> None:
        self._link = link
        self._registers = registers
        self._flash = flash
        self._status = status
        self._told = False

    def erase(self, address: int, size: int) -> None:
        """Erase exactly these sectors."""
        self._registers.erase(address, size)

    def erase_chip(self) -> None:
        """Erase the whole flash."""
        self._registers.erase_chip()

    def write(self, address: int, data: bytes, on_bytes: Callable[[int], None], *, erased: bool) -> None:
        """Erase and write whole sectors; stretches that are blank are only erased.

        Raises:
            LayoutError: It goes beyond what the ROM loader writes of a flash of unknown capacity.
        """
        self._tell_capacity(address + len(data))
        self._status.keep(self._registers, self._flash)
        if not erased:
            self.erase(address, len(data))
        stretches = _written(data)
        for start, end in stretches:
            self._write_erased(address + start, data[start:end], on_bytes, start)
        if stretches:
            self._status.put_back(self._registers, self._flash)
        on_bytes(len(data))

    def _tell_capacity(self, end: int) -> None:
        size = self._flash.bytes
        if size is None and end > KNOWN_TO_ROM:
            # It would answer that it has written them.
            raise LayoutError(
                "the ROM loader does not write beyond 4 MB of a flash of which the capacity is not known",
                expected=f"an end at or below 0x{KNOWN_TO_ROM:06x}, or a flasher stub",
                found=f"0x{end:06x}",
            )
        if size is not None and not self._told:
            tell_capacity(self._link, size)
            self._told = True

    def _write_erased(self, address: int, data: bytes, on_bytes: Callable[[int], None], before: int) -> None:
        link = self._link
        packets = len(data) // ROM_FLASH_PACKET
        # With nothing to erase, the ROM's known fault in counting sectors has nothing to work on.  It counts
        # a packet of which the checksum is wrong, so none is sent again: that begins anew.
        link.request(protocol.flash_begin(address, len(data), packets, ROM_FLASH_PACKET, erase=0, stub=False))
        for number in range(packets):
            start = number * ROM_FLASH_PACKET
            packet = data[start : start + ROM_FLASH_PACKET]
            try:
                link.request(protocol.data_packet(Command.FLASH_DATA, packet, number))
            except RefusedError as refused:
                refused.offset = address + start
                raise
            on_bytes(before + start + len(packet))

    def digest(self, address: int, size: int) -> bytes:
        """The MD5 of a stretch of flash, after reading all of it."""
        return hashlib.md5(self.read(address, size, _unheard), usedforsecurity=False).digest()

    def matching(self, address: int, contents: Sequence[bytes]) -> set[int]:
        """Which sectors hold what they should, each read."""
        return {
            number
            for number, content in enumerate(contents)
            if self.read(address + number * SECTOR, len(content), _unheard) == content
        }

    def read(self, address: int, size: int, on_bytes: Callable[[int], None]) -> bytes:
        """Flash content; nothing checks the line, so every stretch is read until it comes twice the same."""
        content = bytearray()
        while len(content) < size:
            count = min(SECTOR // 16, size - len(content))
            content += self._read_twice(address + len(content), count)
            on_bytes(len(content))
        return bytes(content)

    def read_each(self, stretches: Sequence[tuple[int, int]]) -> list[bytes]:
        """Short stretches of flash content: read twice, and what differs until it comes twice alike."""
        first, second = (self._registers.read_each(stretches) for _ in range(2))
        return [
            one if one == other else self._read_twice(address, size)
            for one, other, (address, size) in zip(first, second, stretches, strict=True)
        ]

    def _read_twice(self, address: int, size: int) -> bytes:
        seen: list[bytes] = []
        while len(seen) < _READ_ATTEMPTS:
            seen.append(self._registers.read(address, size))
            if seen.count(seen[-1]) > 1:
                return seen[-1]
        raise LineError("the flash content comes out differently every time", offset=address)


def _unheard(_: int) -> None:
    """Nobody wants to know how far it is."""


def _written(data: bytes) -> list[tuple[int, int]]:
    """Stretches that are not blank; each begins at a sector, as the ROM wants it, and ends at a packet."""
    stretches: list[tuple[int, int]] = []
    for start in range(0, len(data), SECTOR):
        used = data[start : start + SECTOR].rstrip(b"\xff")
        if not used:
            continue
        end = start + -(-len(used) // ROM_FLASH_PACKET) * ROM_FLASH_PACKET
        if stretches and stretches[-1][1] == start:
            stretches[-1] = (stretches[-1][0], end)
        else:
            stretches.append((start, end))
    return stretches
