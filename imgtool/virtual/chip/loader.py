"""The serial loader in the boot ROM, at wire level: what an ESP8266 in download mode answers.

Not the ROM's code, but its behaviour, as that code shows it when it is executed: a test asks both the same
(tests/oracle/test_boot_rom.py), and fixtures/boot_rom holds what the ROM answered.  The commands are those of
https://docs.espressif.com/projects/esptool/en/latest/esp8266/advanced-topics/serial-protocol.html.  Unlike
flasher stubs, it has no digest, no reading of flash and no change of speed.

What surprises in it, and is meant: a packet stays in its buffer, and a request that is shorter than the
handler looks takes the rest from the one before; the length in the header is compared with what a command
wants, and never with what came; a value or an error code that a command does not set is that of the last one
that did; a request of which it does not know the opcode is answered with the opcode of the one before, eight
times if that was a SYNC.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from functools import reduce
from operator import xor
from typing import TYPE_CHECKING, Final

from imgtool.device.slip import encode
from imgtool.virtual.chip.rom_flash import FlashParameters
from imgtool.virtual.cpu.memory import IRAM_BASE, Trap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from imgtool.virtual.chip.access import ChipAccess
    from imgtool.virtual.chip.rom_flash import RomFlash

__all__ = ["LoaderError", "Opcode", "RomLoader", "checksum", "reply"]

_SYNC_REPLIES: Final = 8
_REPLY: Final = struct.Struct("<BBHI")
_SEED: Final = 0xEF
_REGISTER_WRITE: Final = 16
_WORD: Final = 0xFFFF_FFFF
_SHORT_WORD: Final = 0xFFFF

_BUFFER: Final = 0x3FFF_A000
"""Where a packet is kept; what MEM_DATA puts there is overwritten by the next one."""
_BUFFER_SIZE: Final = 0x2000
_HEADER: Final = 0x3FFF_DE00
"""Where the header of the reply is kept, which every command changes a part of."""

# Where things are in a packet.
_OPCODE, _LENGTH, _CHECK, _PAYLOAD, _DATA = 1, 2, 4, 8, 24

_BEGIN_LENGTH: Final = 16
_MOST_DATA: Final = 0x1800
_PARAMETERS_LENGTH: Final = 24
_END_LENGTH: Final = 8


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
    SPI_SET_PARAMS = 0x0B


class LoaderError(IntEnum):
    """The second status byte of a refusal."""

    NONE = 0x00
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


class _Receiver:
    """Finds packets in what comes, as the ROM does: each has to have a delimiter of its own before it.

    Not imgtool.device.slip, which takes the end of one for the beginning of the next, too.
    """

    def __init__(self) -> None:
        self._packet: bytearray | None = None  # None: waits for a delimiter
        self._escaped = False

    def packets(self, data: bytes) -> Iterator[bytes]:
        """The packets that these bytes complete."""
        for byte in data:
            if self._packet is None:
                if byte == _END:
                    self._packet = bytearray()
            elif self._escaped:
                self._escaped = False
                # After an escape any byte stands for itself, a delimiter among them.
                self._packet.append(_ESCAPES.get(byte, byte))
            elif byte == _ESCAPE:
                self._escaped = True
            elif byte != _END:
                self._packet.append(byte)
            elif self._packet:
                packet, self._packet = self._packet, None
                yield bytes(packet[:_BUFFER_SIZE])


_END, _ESCAPE = 0xC0, 0xDB
_ESCAPES: Final = {0xDC: _END, 0xDD: _ESCAPE}


class _Download:
    """What is being written, to flash or to RAM: the ROM has one place for both.

    It is on the ROM's stack, and holds before anything is begun what stood there: no number of a packet.
    """

    def __init__(self) -> None:
        self.size = self.packets = self.packet_size = self.address = 0
        self.next = -1
        self.received = 0


class RomLoader:
    """The loader's state: what is being downloaded, and where to.

    Args:
        chip: The chip.
        flash: The ROM's routines for the flash.

    Attributes:
        synced: Whether a packet has come since the reset: until then it takes the host's speed as its own.
    """

    def __init__(self, chip: ChipAccess, flash: RomFlash) -> None:
        self._chip = chip
        self._flash = flash
        self._commands: Final[dict[int, Callable[[], None]]] = {
            Opcode.FLASH_BEGIN: self._flash_begin,
            Opcode.FLASH_DATA: self._flash_data,
            Opcode.FLASH_END: self._flash_end,
            Opcode.MEM_BEGIN: self._mem_begin,
            Opcode.MEM_DATA: self._mem_data,
            Opcode.MEM_END: self._mem_end,
            Opcode.SYNC: self._sync,
            Opcode.WRITE_REG: self._write_reg,
            Opcode.READ_REG: self._read_reg,
            Opcode.SPI_SET_PARAMS: self._spi_set_params,
        }
        self.reset()

    def reset(self) -> None:
        """As after a reset into download mode."""
        self.synced = False
        self._receiver = _Receiver()
        self._download = _Download()
        self._opcode = self._value = 0
        self._code = LoaderError.NONE
        self._after: Callable[[], None] | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes from the line and answer what they ask."""
        for packet in self._receiver.packets(data):
            self.synced = True
            self._chip.core.load(_BUFFER, packet)
            self._answer()
            if self._after is not None:
                after, self._after = self._after, None
                after()
                return

    def _answer(self) -> None:
        failed = False
        try:
            self._obey()
        except _RefusedError as refused:
            self._code, failed = refused.code, True
        status = (int(failed), int(self._code))
        header = _REPLY.pack(1, self._opcode, 2, self._value) + bytes(status)
        self._chip.core.load(_HEADER, header)
        for _ in range(_SYNC_REPLIES if self._opcode == Opcode.SYNC else 1):
            self._chip.uart.send(reply(self._opcode, self._value, status))

    def _obey(self) -> None:
        direction, opcode = self._chip.core.fetch(_BUFFER, 2)
        command = self._commands.get(opcode)
        if direction or command is None:
            raise _RefusedError(LoaderError.BAD_MESSAGE)
        try:
            command()
        finally:
            self._opcode = opcode

    # The packet.

    def _word(self, offset: int) -> int:
        return int.from_bytes(self._chip.core.fetch(_BUFFER + offset, 4), "little")

    @property
    def _length(self) -> int:
        """The length in its header."""
        return self._word(0) >> 16

    def _require(self, *, met: bool) -> None:
        if not met:
            raise _RefusedError(LoaderError.BAD_MESSAGE)

    # Commands.

    def _sync(self) -> None:
        self._value = self._word(_PAYLOAD)
        self._code = LoaderError.NONE

    def _read_reg(self) -> None:
        self._value = self._chip.peek(self._word(_PAYLOAD))
        self._code = LoaderError.NONE

    def _write_reg(self) -> None:
        chip = self._chip
        for at in range(
            _PAYLOAD, _PAYLOAD + self._length // _REGISTER_WRITE * _REGISTER_WRITE, _REGISTER_WRITE
        ):
            address, value, mask, delay = (self._word(at + offset) for offset in (0, 4, 8, 12))
            # The delay comes before the write, and the register is read also where all of it is written.
            chip.pause((delay & _SHORT_WORD) * 1000)
            was = chip.peek(address)
            chip.poke(address, value & mask | was & ~mask & _WORD)
        self._code = LoaderError.NONE

    def _spi_set_params(self) -> None:
        self._require(met=self._length == _PARAMETERS_LENGTH)
        _, size, block, sector, page = (self._word(_PAYLOAD + 4 * number) for number in range(5))
        self._flash.configure(FlashParameters(size, block, sector, page))

    def _begin(self) -> None:
        packet_size = self._word(_PAYLOAD + 8)
        self._require(met=self._length == _BEGIN_LENGTH and packet_size <= _MOST_DATA)
        download = self._download
        download.size, download.packets = self._word(_PAYLOAD), self._word(_PAYLOAD + 4)
        download.packet_size, download.address = packet_size, self._word(_PAYLOAD + 12)
        download.next = download.received = 0

    def _flash_begin(self) -> None:
        self._flash.attach()
        self._begin()
        if not self._flash.erase_area(self._download.address, self._download.size):
            raise _RefusedError(LoaderError.WRONG_RESULT)

    def _mem_begin(self) -> None:
        self._begin()

    def _data(self, multiple: int) -> bytes:
        """The data of a packet; one of which the checksum is wrong is counted all the same."""
        download, size = self._download, self._word(_PAYLOAD)
        self._require(
            met=self._length <= _MOST_DATA + _BEGIN_LENGTH
            and self._word(_PAYLOAD + 4) == download.next
            and size <= download.packet_size
            and size % multiple == 0
        )
        download.next += 1
        data = self._chip.core.fetch(_BUFFER + _DATA, size) if size else b""
        if checksum(data) != self._word(_CHECK) & 0xFF:
            raise _RefusedError(LoaderError.BAD_CHECKSUM)
        return data

    def _flash_data(self) -> None:
        data = self._data(4)
        download = self._download
        self._flash.write(download.address, data)
        # The ROM reads back into the same buffer, where what was sent still is if nothing could be read.
        found = self._flash.read(download.address, len(data))
        if found:
            self._chip.core.load(_BUFFER + _DATA, found)
        if found is not None and checksum(found) != checksum(data):
            raise _RefusedError(LoaderError.BAD_WRITE)
        self._count(len(data))

    def _mem_data(self) -> None:
        data = self._data(1)
        address = self._download.address
        if data and address >= IRAM_BASE and (address % 4 or len(data) % 4):
            raise Trap("8-bit store to instruction RAM", address=address)
        if data:
            self._chip.core.load(address, data)
        self._count(len(data))

    def _count(self, size: int) -> None:
        self._download.address = self._download.address + size & _WORD
        self._download.received = self._download.received + size & _WORD

    def _flash_end(self) -> None:
        download = self._download
        self._after = self._boot
        if download.packets != download.next or download.size != download.received:
            raise _RefusedError(LoaderError.WRONG_RESULT)
        self._flash.lock()

    def _mem_end(self) -> None:
        self._require(met=self._length <= _END_LENGTH)
        entry = self._word(_PAYLOAD + 4)
        if self._word(_PAYLOAD) & 0xFF == 0:
            self._after = (lambda: self._chip.start(entry)) if entry else self._boot

    def _boot(self) -> None:
        self._chip.boot_flash(continued=True)
