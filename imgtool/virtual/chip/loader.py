"""The serial loader in the boot ROM, at wire level: what an ESP8266 in download mode answers.

Not the ROM's code: its behaviour as documented and as hosts rely on it.  The commands are those of
https://docs.espressif.com/projects/esptool/en/latest/esp8266/advanced-topics/serial-protocol.html; what is
only assumed (which error code answers which mistake, that a wrong sequence number is refused) is marked so in
docs/virtual/index.md.  Unlike flasher stubs, it has no digest, no reading of flash and no change of speed.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from functools import reduce
from operator import xor
from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.device.slip import Decoder, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.virtual.chip.access import ChipAccess

__all__ = ["LoaderError", "Opcode", "RomLoader", "checksum", "reply"]

_SYNC_REPLIES: Final = 8
_SYNC_VALUE: Final = 0x2012_0707
_SYNC_PAYLOAD: Final = b"\x07\x07\x12\x20" + b"\x55" * 32
_REQUEST: Final = struct.Struct("<BBHI")
_REPLY: Final = struct.Struct("<BBHI")
_LONGEST: Final = 0x1_0000
_SEED: Final = 0xEF
_DATA_HEADER: Final = 16
_REGISTER_WRITE: Final = 16
_ALL_BITS: Final = 0xFFFF_FFFF


class Opcode(IntEnum):
    """What the ROM knows."""

    FLASH_BEGIN = 0x02
    FLASH_DATA = 0x03
    FLASH_END = 0x04
    MEM_BEGIN = 0x05
    MEM_END = 0x06
    MEM_DATA = 0x07
    SYNC = 0x08
    WRITE_REG = 0x09
    READ_REG = 0x0A


class LoaderError(IntEnum):
    """The second status byte of a refusal."""

    BAD_PARAMETER = 0x01
    BAD_MESSAGE = 0x05
    WRONG_RESULT = 0x06
    BAD_CHECKSUM = 0x07
    BAD_WRITE = 0x08


class _RefusedError(Exception):
    def __init__(self, code: LoaderError) -> None:
        super().__init__(code.name)
        self.code = code


def checksum(data: bytes) -> int:
    """The XOR that goes with a data packet."""
    return reduce(xor, data, _SEED)


def reply(opcode: int, value: int = 0, status: tuple[int, int] = (0, 0)) -> bytes:
    """A reply packet, framed: two status bytes, as the ESP8266 sends them."""
    return encode(_REPLY.pack(1, opcode, 2, value) + bytes(status))


class RomLoader:
    """The loader's state: what is being downloaded, and where to.

    Attributes:
        synced: Whether a SYNC was answered since the reset: until then it takes the host's speed as its own.
    """

    def __init__(self, chip: ChipAccess) -> None:
        self._chip = chip
        self._commands: Final[dict[int, Callable[[bytes, int], int]]] = {
            Opcode.FLASH_BEGIN: self._flash_begin,
            Opcode.FLASH_DATA: self._flash_data,
            Opcode.FLASH_END: self._flash_end,
            Opcode.MEM_BEGIN: self._mem_begin,
            Opcode.MEM_DATA: self._mem_data,
            Opcode.MEM_END: self._mem_end,
            Opcode.SYNC: self._sync,
            Opcode.WRITE_REG: self._write_reg,
            Opcode.READ_REG: self._read_reg,
        }
        self.reset()

    def reset(self) -> None:
        """As after a reset into download mode."""
        self.synced = False
        self._decoder = Decoder(_LONGEST)
        self._flash: tuple[int, int] | None = None  # offset, bytes of a packet
        self._memory: tuple[int, int] | None = None
        self._next = 0
        self._after: Callable[[], None] | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes from the line and answer what they ask."""
        for frame in self._decoder.feed(data):
            self._answer(frame)
            if self._after is not None:
                after, self._after = self._after, None
                after()
                return

    def _answer(self, frame: bytes) -> None:
        if len(frame) < _REQUEST.size or frame[0] != 0:
            return
        _, opcode, length, given = _REQUEST.unpack_from(frame)
        payload = frame[_REQUEST.size :]
        command = self._commands.get(opcode)
        try:
            value = (command if command and length == len(payload) else self._unknown)(payload, given)
        except _RefusedError as refused:
            self._send(reply(opcode, 0, (1, refused.code)))
            return
        for _ in range(_SYNC_REPLIES if opcode == Opcode.SYNC else 1):
            self._send(reply(opcode, value))

    def _send(self, packet: bytes) -> None:
        self._chip.uart.send(packet)

    def _unknown(self, _payload: bytes, _given: int) -> int:
        raise _RefusedError(LoaderError.BAD_MESSAGE)

    def _sync(self, payload: bytes, _: int) -> int:
        if payload != _SYNC_PAYLOAD:
            raise _RefusedError(LoaderError.BAD_MESSAGE)
        self.synced = True
        return _SYNC_VALUE

    def _flash_begin(self, payload: bytes, _: int) -> int:
        size, _, packet, offset = _words(payload, 4)
        chip = self._chip
        if offset + size > chip.flash.length or offset % SECTOR:
            raise _RefusedError(LoaderError.BAD_PARAMETER)
        chip.attach_flash()
        if size:
            chip.erase_area(offset // SECTOR, -(-size // SECTOR))
        self._flash, self._next = (offset, packet), 0
        return 0

    def _flash_data(self, payload: bytes, given: int) -> int:
        if self._flash is None:
            raise _RefusedError(LoaderError.BAD_PARAMETER)
        data = self._packet(payload, given)
        offset, packet = self._flash
        address = offset + (self._next - 1) * packet
        if address % 4 or address + len(data) > self._chip.flash.length:
            raise _RefusedError(LoaderError.BAD_PARAMETER)
        self._chip.program(address, data)
        # The ROM reads back and compares eight bits of check (Espressif's description of error 08).
        if checksum(self._chip.flash.read(address, len(data))) != checksum(data):
            raise _RefusedError(LoaderError.BAD_WRITE)
        return 0

    def _flash_end(self, payload: bytes, _: int) -> int:
        (stay,) = _words(payload, 1)
        chip = self._chip
        self._after = chip.boot_flash if stay else self._reset
        return 0

    def _reset(self) -> None:
        # The answer leaves before the reset silences the transmitter.
        self._chip.advance(self._chip.uart.quiet_at)
        self._chip.reset_by_software()

    def _mem_begin(self, payload: bytes, _: int) -> int:
        size, _, packet, address = _words(payload, 4)
        if not self._chip.is_ram(address, size):
            raise _RefusedError(LoaderError.BAD_PARAMETER)
        self._memory, self._next = (address, packet), 0
        return 0

    def _mem_data(self, payload: bytes, given: int) -> int:
        if self._memory is None:
            raise _RefusedError(LoaderError.BAD_PARAMETER)
        data = self._packet(payload, given)
        address, packet = self._memory
        place = address + (self._next - 1) * packet
        if not self._chip.is_ram(place, len(data)):
            raise _RefusedError(LoaderError.BAD_PARAMETER)
        self._chip.core.load(place, data)
        return 0

    def _packet(self, payload: bytes, given: int) -> bytes:
        if len(payload) < _DATA_HEADER:
            raise _RefusedError(LoaderError.BAD_MESSAGE)
        length, sequence, _, _ = _words(payload[:_DATA_HEADER], 4)
        data = payload[_DATA_HEADER:]
        if length != len(data):
            raise _RefusedError(LoaderError.BAD_MESSAGE)
        if checksum(data) != given & 0xFF:
            raise _RefusedError(LoaderError.BAD_CHECKSUM)
        if sequence != self._next:
            raise _RefusedError(LoaderError.WRONG_RESULT)
        self._next += 1
        return data

    def _mem_end(self, payload: bytes, _: int) -> int:
        stay, entry = _words(payload, 2)
        self._memory = None
        if not stay:
            self._after = lambda: self._chip.start(entry)
        return 0

    def _write_reg(self, payload: bytes, _: int) -> int:
        if not payload or len(payload) % _REGISTER_WRITE:
            raise _RefusedError(LoaderError.BAD_MESSAGE)
        chip = self._chip
        for at in range(0, len(payload), _REGISTER_WRITE):
            address, value, mask, delay = _words(payload[at : at + _REGISTER_WRITE], 4)
            if mask != _ALL_BITS:
                value = chip.peek(address) & ~mask | value & mask
            chip.poke(address, value)
            chip.pause(delay * 1000)
        return 0

    def _read_reg(self, payload: bytes, _: int) -> int:
        (address,) = _words(payload, 1)
        return self._chip.peek(address)


def _words(payload: bytes, count: int) -> tuple[int, ...]:
    if len(payload) != 4 * count:
        raise _RefusedError(LoaderError.BAD_MESSAGE)
    return struct.unpack(f"<{count}I", payload)
