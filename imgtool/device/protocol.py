"""The commands of the ESP8266's ROM loader and of Espressif's flasher stub, as data: no I/O.

Not the frames that packets travel in (imgtool.device.slip), and not the exchange (imgtool.device.link).  A
request is eight bytes of header and its data; a reply has the same header, with a 32-bit value in the place
of the checksum, and ends in two bytes of status:
https://docs.espressif.com/projects/esptool/en/latest/esp8266/advanced-topics/serial-protocol.html
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from operator import xor
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "KNOWN_TO_ROM",
    "MEMORY_PACKET",
    "ROM_FLASH_PACKET",
    "STUB_FLASH_PACKET",
    "SYNC_REPLIES",
    "Command",
    "RegisterWrite",
    "Reply",
    "Request",
    "change_baud",
    "checksum",
    "data_packet",
    "deflate_begin",
    "erase_flash",
    "erase_region",
    "flash_begin",
    "flash_end",
    "flash_parameters",
    "is_disturbed",
    "is_misunderstood",
    "md5",
    "mem_begin",
    "mem_end",
    "parse_reply",
    "pause",
    "read_flash",
    "read_register",
    "reason_of",
    "sync",
    "write_registers",
]


class Command(IntEnum):
    """Operation codes; from CHANGE_BAUD on only a stub knows them."""

    FLASH_BEGIN = 0x02
    FLASH_DATA = 0x03
    FLASH_END = 0x04
    MEM_BEGIN = 0x05
    MEM_END = 0x06
    MEM_DATA = 0x07
    SYNC = 0x08
    WRITE_REG = 0x09
    READ_REG = 0x0A
    SPI_SET_PARAMS = 0x0B
    CHANGE_BAUD = 0x0F
    DEFLATE_BEGIN = 0x10
    DEFLATE_DATA = 0x11
    DEFLATE_END = 0x12
    MD5 = 0x13
    ERASE_FLASH = 0xD0
    ERASE_REGION = 0xD1
    READ_FLASH = 0xD2
    # imgtool's own stub: imgtool.device.own_requests
    INFO = 0xE0
    DIGESTS = 0xE1
    BLANK = 0xE2
    ERASE_DIRTY = 0xE3
    WRITE_FRAME = 0xE4
    READ_BLOCK = 0xE5
    SETUP = 0xE6


MEMORY_PACKET: Final = 0x1800
"""Bytes of a MEM_DATA packet."""

ROM_FLASH_PACKET: Final = 0x400
"""Bytes of a FLASH_DATA packet that the ROM takes."""

STUB_FLASH_PACKET: Final = 0x4000
"""Bytes of a FLASH_DATA or DEFLATE_DATA packet that Espressif's stub takes."""

SYNC_REPLIES: Final = 8

KNOWN_TO_ROM: Final = 0x40_0000
"""Bytes of flash that the ROM believes in until SPI_SET_PARAMS tells it more or less.

Beyond them its routines do nothing, and FLASH_DATA answers all the same that it has written.
"""

_HEADER: Final = struct.Struct("<BBHI")
_STATUS: Final = 2
_CRC: Final = 4
_SEED: Final = 0xEF
_MEGABYTE: Final = 1_000_000
_PIN_CONFIGURATION: Final = 0x6000_0800
_LONGEST_WAIT: Final = 0xFFFF  # the ROM takes no more of it than the low 16 bits

# Seconds.  Times per megabyte are generous multiples of what flash data sheets state: 40 s for an erase of
# 1 MB in sectors of 160 ms, 20 s for a digest at 0.05 MB/s.  To wait is cheap, and a chip may be
# a virtual one on a busy machine: 3 s for an answer were too few there.
_ANSWER: Final = 5.0
_REGISTER: Final = 0.5
_SYNC: Final = 0.1
_CHIP_ERASE: Final = 120.0
_ERASE_PER_MB: Final = 40.0
_DIGEST_PER_MB: Final = 20.0

# Espressif's page names the codes of the ROM; those of the stub are in its source,
# https://github.com/espressif/esp-flasher-stub
_REASONS: Final = {
    0x01: "a bad parameter",
    0x02: "out of memory",
    0x03: "sending failed",
    0x04: "receiving failed",
    0x05: "a message that it does not understand",
    0x06: "a wrong result",
    0x07: "a wrong checksum",
    0x08: "the flash does not hold what was written",
    0x09: "the flash cannot be read",
    0x0A: "a wrong length",
    0x0E: "a wrong memory size",
    0x0F: "a wrong memory address",
    0xC0: "a wrong length",
    0xC1: "a wrong checksum",
    0xC2: "a wrong block size",
    0xC3: "a command that it does not know",
    0xC4: "the flash does not do what it is told",
    0xC5: "the flash cannot be unlocked",
    0xC6: "no write was begun",
    0xC7: "the compressed data is damaged",
    0xC8: "not enough data",
    0xC9: "too much data",
    0xFF: "a command that is not built in",
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the chip.

    Attributes:
        command: What it asks for.
        data: Its data.
        check: Checksum over the payload, for the commands that have one.
        timeout: Seconds until the answer must be there.
        attempts: How often it may be sent: more than once only where doing it twice does no harm.
        answer: Bytes of the answer's data beside the status.
    """

    command: Command
    data: bytes = b""
    check: int = 0
    timeout: float = _ANSWER
    attempts: int = 1
    answer: int = 0

    def build(self) -> bytes:
        """The packet."""
        return _HEADER.pack(0, self.command, len(self.data), self.check) + self.data


class Reply(NamedTuple):
    """A reply taken apart.

    Attributes:
        command: The operation code that it repeats.
        value: The 32-bit value, which READ_REG is about.
        data: What stands before the status.
        status: Its two bytes, the first one 0 for success.
    """

    command: int
    value: int
    data: bytes
    status: bytes

    @property
    def ok(self) -> bool:
        """Whether the chip did what it was asked."""
        return self.status[0] == 0


def parse_reply(packet: bytes) -> Reply | None:
    """A reply, or None where the packet is none: noise, an echo of the request, or a CRC that is wrong."""
    if len(packet) < _HEADER.size + _STATUS:
        return None
    direction, command, length, value = _HEADER.unpack_from(packet)
    data = packet[_HEADER.size :]
    if direction != 1 or length != len(data):
        return None
    if command >= Command.INFO:
        # imgtool's own stub: behind the status is the CRC-32 of all before it.
        data, crc = data[:-_CRC], data[-_CRC:]
        if len(data) < _STATUS or zlib.crc32(packet[:-_CRC]) != int.from_bytes(crc, "little"):
            return None
    return Reply(command, value, data[:-_STATUS], data[-_STATUS:])


# What a request looks like to the chip when the line has changed it.
_DISTURBED: Final = frozenset({0x05, 0x06, 0x07, 0xC0, 0xC1, 0xC2, 0xC3, 0xC6, 0xC7, 0xC8, 0xC9})


def _code_of(reply: Reply) -> int:
    """The ROM has its code in the second byte of the status, the stub in the first."""
    first, second = reply.status
    return first if first >= 0xC0 else second  # noqa: PLR2004 - where the stub's codes begin


def reason_of(reply: Reply) -> str:
    """Why the chip refused, in words."""
    code = _code_of(reply)
    return _REASONS.get(code, f"error 0x{code:02x}")


def is_disturbed(reply: Reply) -> bool:
    """Whether a refusal may be the work of the line."""
    return _code_of(reply) in _DISTURBED


def is_misunderstood(reply: Reply) -> bool:
    """Whether it is what the ROM answers to an opcode that it does not know.

    The reply then has the opcode of the command before, and comes as often as the answer to that did: eight
    times after a SYNC.
    """
    return reply.status == b"\x01\x05"


def checksum(data: bytes) -> int:
    """The 8-bit check of a data packet: all bytes and 0xEF, exclusive-or."""
    return reduce(xor, data, _SEED)


def _words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def _per_megabyte(size: int, seconds: float) -> float:
    return max(_ANSWER, seconds * size / _MEGABYTE)


def sync(timeout: float = _SYNC) -> Request:
    """Makes the ROM measure the speed of the line, and says who is there."""
    return Request(Command.SYNC, b"\x07\x07\x12\x20" + b"\x55" * 32, timeout=timeout)


def read_register(address: int) -> Request:
    """Read a 32-bit register."""
    return Request(Command.READ_REG, _words(address), timeout=_REGISTER, attempts=3)


class RegisterWrite(NamedTuple):
    """A write of a register.

    The ROM reads it first, whatever the mask is, so it must be none that reading changes.

    Attributes:
        address: Of the register.
        value: What it gets.
        mask: Which of its bits.
        wait_us: Microseconds to wait, 65535 at most.  The ROM waits before the write, stubs wait after it:
            nothing may depend on which.  What is to pass between two writes is asked for in both, or by a
            :func:`pause` between them.
    """

    address: int
    value: int
    mask: int = 0xFFFF_FFFF
    wait_us: int = 0


def pause(microseconds: int) -> RegisterWrite:
    """A wait between the writes before and behind it, for a ROM as for a stub: it changes no bit.

    The register is the configuration of the pins, which the ROM's routines write in the same way.
    """
    return RegisterWrite(_PIN_CONFIGURATION, 0, 0, microseconds)


def write_registers(writes: Iterable[RegisterWrite]) -> Request:
    """Write registers, in this order, in one packet; may be done twice, so the order must bear that.

    Raises:
        ValueError: A wait is longer than the ROM can count.
    """
    writes = tuple(writes)
    if any(write.wait_us > _LONGEST_WAIT for write in writes):
        raise ValueError(f"a wait of more than {_LONGEST_WAIT} us")
    data = b"".join(_words(*write) for write in writes)
    return Request(Command.WRITE_REG, data, timeout=_REGISTER, attempts=3)


def flash_begin(offset: int, size: int, packets: int, packet: int, *, erase: int, stub: bool) -> Request:
    """Begin to write plain data.

    Args:
        offset: Flash address.
        size: Bytes that will be written.
        packets: Packets that will come.
        packet: Bytes of each.
        erase: Bytes that the ROM is to erase; the stub erases what is written.  The ROM clears the flash's
            status registers also where it is to erase nothing.
        stub: Whether a stub is asked, which wants one word more.
    """
    words = (size if stub else erase, packets, packet, offset)
    timeout = _ANSWER if stub else _per_megabyte(erase, _ERASE_PER_MB)
    return Request(Command.FLASH_BEGIN, _words(*words, *([0] if stub else [])), timeout=timeout)


def flash_parameters(size: int) -> Request:
    """Tell the ROM, or a stub, how large the flash is.

    Args:
        size: Bytes.
    """
    # A number of the flash, which nothing looks at; its bytes; those of block, sector and page; and which
    # bits of the status register count.
    words = _words(0, size, 0x1_0000, 0x1000, 0x100, 0xFFFF)
    return Request(Command.SPI_SET_PARAMS, words, timeout=_REGISTER, attempts=3)


def deflate_begin(offset: int, size: int, packets: int) -> Request:
    """Begin to write a zlib stream that inflates to ``size`` bytes; stub only."""
    return Request(Command.DEFLATE_BEGIN, _words(size, packets, STUB_FLASH_PACKET, offset, 0))


def data_packet(command: Command, data: bytes, number: int, erases: int = 0) -> Request:
    """A packet of FLASH_DATA, DEFLATE_DATA or MEM_DATA.

    Args:
        command: Which of them.
        data: Its bytes.
        number: Counted from 0.
        erases: Bytes of flash that may have to be erased before the answer comes.
    """
    header = _words(len(data), number, 0, 0)
    timeout = _per_megabyte(erases, _ERASE_PER_MB)
    return Request(command, header + data, checksum(data), timeout=timeout)


def flash_end(*, deflated: bool, erases: int) -> Request:
    """End a write to the stub, which answers when the flash has taken all; the stub stays."""
    command = Command.DEFLATE_END if deflated else Command.FLASH_END
    return Request(command, _words(1), timeout=_per_megabyte(erases, _ERASE_PER_MB))


def mem_begin(address: int, size: int) -> Request:
    """Begin to load bytes into RAM."""
    return Request(Command.MEM_BEGIN, _words(size, -(-size // MEMORY_PACKET), MEMORY_PACKET, address))


def mem_end(entry: int) -> Request:
    """Run what was loaded."""
    return Request(Command.MEM_END, _words(0, entry), timeout=_REGISTER)


def change_baud(baud: int, before: int = 115_200) -> Request:
    """Change the speed of a stub's line; ``before`` is the present one.

    Espressif's stubs scale their divider by it, imgtool's own tells the crystal from it.
    """
    return Request(Command.CHANGE_BAUD, _words(baud, before))


def md5(address: int, size: int) -> Request:
    """The MD5 of a stretch of flash, 16 bytes; stub only."""
    timeout = _per_megabyte(size, _DIGEST_PER_MB)
    return Request(Command.MD5, _words(address, size, 0, 0), timeout=timeout, attempts=2, answer=16)


def erase_flash() -> Request:
    """Erase the whole flash; stub only."""
    return Request(Command.ERASE_FLASH, timeout=_CHIP_ERASE)


def erase_region(address: int, size: int) -> Request:
    """Erase whole sectors; stub only."""
    timeout = _per_megabyte(size, _ERASE_PER_MB)
    return Request(Command.ERASE_REGION, _words(address, size), timeout=timeout, attempts=2)


def read_flash(address: int, size: int, packet: int) -> Request:
    """Read flash; frames of ``packet`` bytes follow, each to be answered, and an MD5; stub only."""
    return Request(Command.READ_FLASH, _words(address, size, packet, 1))
