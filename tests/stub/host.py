"""A host for imgtool's stub on a virtual chip: every command, pipelined writes, and the modelled time."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from imgtool.device.protocol import checksum
from imgtool.device.slip import Decoder, encode
from imgtool.device.stub import Stub, own_late_code, parse_stub
from imgtool.virtual.line.port import SimPort, open_port

STUB_FILE: Final = Path(__file__).parents[2] / "imgtool" / "device" / "firmware" / "stub.json"
RING: Final = 20480
PLAIN, DEFLATED, ERASED, WHOLE_BLOCK = 0, 1, 1 << 8, 1 << 9
INFO, DIGESTS, BLANK, ERASE, WRITE, READ, SETUP = range(0xE0, 0xE7)
OWN: Final = 0xE0


def stub() -> Stub:
    return parse_stub(STUB_FILE.read_text(), "imgtool")


def loaded(spec: str = "sim:4MB", baud: int = 115_200, *, late: bool = True) -> Host:
    """A chip on which the stub has just been started, as MEM_END does."""
    port = open_port(spec)
    chip = port.chip
    chip.uart.drain()
    read = json.loads(STUB_FILE.read_text())
    # What RAM holds where nothing is loaded is anything.
    chip.core.load(read["bss_start"], b"\xa5" * (0x3FFFAC00 - read["bss_start"]))
    chip.core.load(0x4010_0000, b"\xa5" * 0x8000)
    for address, data in stub().blocks:
        chip.core.load(address, data)
    chip.uart.baud = baud
    port.baudrate = baud
    port.timeout = 1
    chip.start(stub().entry)
    host = Host(port)
    assert host.frame() == b"OHAI"
    if late:
        load_late(host)
    return host


def load_late(host: Host) -> None:
    """What it inflates with, and what else it needs for esptool."""
    address, code = own_late_code()
    assert host.words(0x05, len(code), 1, 0x1800, address).code == 0
    assert host.packet(0x07, code).code == 0
    assert host.words(SETUP, zlib.crc32(code), 0).code == 0


@dataclass
class Answer:
    command: int
    value: int
    data: bytes
    code: int


@dataclass
class Host:
    port: SimPort
    decoder: Decoder = field(default_factory=Decoder)
    frames: list[bytes] = field(default_factory=list)

    def frame(self, timeout: float = 30) -> bytes:
        """The next frame from the stub."""
        deadline = self.port.clock.ns + round(timeout * 1e9)
        while not self.frames:
            assert not self.port.chip.traps, self.port.chip.traps[0]
            assert self.port.clock.ns < deadline, "the stub is silent"
            self.frames += self.decoder.feed(self.port.read(1) + self.port.read(self.port.in_waiting))
        return self.frames.pop(0)

    def silent(self, seconds: float = 0.2) -> bool:
        self.port.clock.sleep(seconds)
        self.frames += self.decoder.feed(self.port.read(self.port.in_waiting))
        return not self.frames

    def send(self, packet: bytes) -> None:
        self.port.write(encode(packet))

    def answer(self, timeout: float = 30) -> Answer:
        frame = self.frame(timeout)
        direction, command, length, value = struct.unpack_from("<BBHI", frame)
        assert direction == 1
        assert length == len(frame) - 8
        if command >= OWN:
            assert zlib.crc32(frame[:-4]) == int.from_bytes(frame[-4:], "little")
            frame = frame[:-4]
        assert frame[-1] == 0
        return Answer(command, value, frame[8:-2], frame[-2])

    def ask(self, command: int, data: bytes = b"", check: int | None = None, timeout: float = 30) -> Answer:
        self.send(request(command, data, check))
        found = self.answer(timeout)
        assert found.command == command
        return found

    def words(self, command: int, *words: int) -> Answer:
        return self.ask(command, struct.pack(f"<{len(words)}I", *words))

    def packet(self, command: int, data: bytes, number: int = 0) -> Answer:
        head = struct.pack("<IIII", len(data), number, 0, 0)
        return self.ask(command, head + data, checksum(data))

    def flash(self, address: int, size: int) -> bytes:
        return self.port.chip.flash.read(address, size)

    def put(self, address: int, data: bytes) -> None:
        self.port.chip.flash._store.write(address, data)

    def pipelined(self, requests: list[bytes], window: int = RING) -> list[Answer]:
        """Send requests so that no more bytes are outstanding than the ring has; answers in order."""
        answers: list[Answer] = []
        outstanding: list[int] = []
        for packet in requests:
            framed = encode(packet)
            while sum(outstanding) + len(framed) > window:
                answers.append(self.answer())
                outstanding.pop(0)
            self.port.write(framed)
            outstanding.append(len(framed))
        answers += [self.answer() for _ in outstanding]
        return answers

    def clean(self) -> None:
        """Nothing happened that a chip would mind."""
        chip = self.port.chip
        assert not chip.traps
        assert not chip.flash.violations
        assert chip.uart.overflows == 0


def request(command: int, data: bytes = b"", check: int | None = None) -> bytes:
    head = struct.pack("<BBH", 0, command, len(data))
    if check is None:
        check = zlib.crc32(head + data[:16]) if command >= OWN else 0
    return head + struct.pack("<I", check) + data


def deflate(data: bytes, dictionary: bytes = b"", level: int = 9) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, dictionary)
    return packer.compress(data) + packer.flush()


def write_request(
    address: int, data: bytes, flags: int = 0, dictionary: bytes = b"", *, plain: bool = False
) -> bytes:
    """A WRITE frame; plain where deflate does not make it shorter."""
    packed = deflate(data, dictionary)
    method = DEFLATED | len(dictionary) // 256 << 16 | flags
    if plain or len(packed) >= len(data):
        packed, method = data, PLAIN | flags
    return request(WRITE, struct.pack("<IIII", address, len(data), zlib.crc32(data), method) + packed)


def image_requests(image: bytes, address: int = 0, size: int = 0x4000) -> list[bytes]:
    """The frames that write an image, blocks erased as wholes where they fit."""
    frames = []
    for at in range(0, len(image), size):
        whole = (address + at) // 0x10000 * 0x10000 + 0x10000 <= address + len(image)
        piece = image[at : at + size]
        piece += b"\xff" * (-len(piece) % 256)
        dictionary = image[max(0, at - 0x8000) : at]
        frames.append(write_request(address + at, piece, WHOLE_BLOCK if whole else 0, dictionary))
    return frames
