"""A host of the ROM loader, spelled out from the published protocol: no encoder of imgtool takes part.

https://docs.espressif.com/projects/esptool/en/latest/esp8266/advanced-topics/serial-protocol.html
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from imgtool.virtual.line.port import open_port

if TYPE_CHECKING:
    from types import TracebackType

SYNC: Final = bytes.fromhex("c0 00 08 24 00 00 00 00 00 07 07 12 20") + b"\x55" * 32 + b"\xc0"
SYNC_REPLY: Final = bytes.fromhex("c0 01 08 02 00 07 07 12 20 00 00 c0")

FLASH_BEGIN, FLASH_DATA, FLASH_END = 0x02, 0x03, 0x04
MEM_BEGIN, MEM_END, MEM_DATA = 0x05, 0x06, 0x07
WRITE_REG, READ_REG, SPI_SET_PARAMS = 0x09, 0x0A, 0x0B


def frame(payload: bytes) -> bytes:
    """Payload between delimiters, with C0 and DB escaped."""
    escapes = {0xC0: b"\xdb\xdc", 0xDB: b"\xdb\xdd"}
    return b"\xc0" + b"".join(escapes.get(byte, bytes([byte])) for byte in payload) + b"\xc0"


def frames(stream: bytes) -> list[bytes]:
    """What stands between delimiters, unescaped; the stream holds whole frames and nothing else."""
    assert stream == b"" or (stream[0] == 0xC0 and stream[-1] == 0xC0), stream
    inside = [piece for piece in stream.split(b"\xc0") if piece]
    return [piece.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb") for piece in inside]


def words(*values: int) -> bytes:
    """32-bit words, least significant byte first."""
    return struct.pack(f"<{len(values)}I", *values)


def request(opcode: int, data: bytes = b"", check: int = 0) -> bytes:
    """A framed request."""
    return frame(bytes([0, opcode]) + struct.pack("<HI", len(data), check) + data)


def data_request(opcode: int, data: bytes, number: int) -> bytes:
    """A framed packet of FLASH_DATA or MEM_DATA with its checksum."""
    check = 0xEF
    for byte in data:
        check ^= byte
    return request(opcode, words(len(data), number, 0, 0) + data, check)


class Reply(NamedTuple):
    """A reply packet taken apart."""

    opcode: int
    value: int
    status: bytes


def reply_of(packet: bytes) -> Reply:
    """Take a reply apart; its form is checked."""
    direction, opcode, length, value = struct.unpack_from("<BBHI", packet)
    assert direction == 1
    assert length == len(packet) - 8 == 2
    return Reply(opcode, value, packet[8:])


OK: Final = b"\x00\x00"


class RomHost:
    """A virtual chip at the other end of a line, in virtual time.

    Args:
        spec: The chip, ``sim:...``.
    """

    def __init__(self, spec: str = "sim:1MB", baud: int = 115200) -> None:
        self.port = open_port(spec, baudrate=baud, timeout=60)
        self.chip = self.port.chip
        self.hear()  # the ROM's banner

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.port.close()

    def hear(self) -> bytes:
        """All that comes within a minute of virtual time."""
        return self.port.read(1 << 16)

    def talk(self, *sent: bytes) -> list[Reply]:
        """Send bytes and take the replies apart."""
        for piece in sent:
            self.port.write(piece)
        return [reply_of(packet) for packet in frames(self.hear())]

    def ask(self, opcode: int, data: bytes = b"", check: int = 0) -> Reply:
        """Send a request and take its one reply apart."""
        (reply,) = self.talk(request(opcode, data, check))
        assert reply.opcode == opcode
        return reply

    def put(self, opcode: int, data: bytes, number: int) -> bytes:
        """Send a packet of data; the status of its reply."""
        (reply,) = self.talk(data_request(opcode, data, number))
        assert reply.opcode == opcode
        return reply.status

    def register(self, address: int) -> int:
        """READ_REG."""
        reply = self.ask(READ_REG, words(address))
        assert reply.status == OK
        return reply.value

    def set_register(self, address: int, value: int, mask: int = 0xFFFF_FFFF, delay: int = 0) -> None:
        """WRITE_REG."""
        assert self.ask(WRITE_REG, words(address, value, mask, delay)).status == OK

    def sync(self) -> None:
        """SYNC, and its eight replies."""
        self.port.write(SYNC)
        assert self.hear() == SYNC_REPLY * 8

    def start_program(self, image: bytes) -> None:
        """Load a version-1 image into RAM and start it."""
        entry = int.from_bytes(image[4:8], "little")
        at = 8
        for _ in range(image[1]):
            address, size = struct.unpack_from("<II", image, at)
            at += 8
            data = image[at : at + size]
            at += size
            assert self.ask(MEM_BEGIN, words(size, 1, 0x1800, address)).status == OK
            assert self.put(MEM_DATA, data, 0) == OK
        self.port.write(request(MEM_END, words(0, entry)))
