"""When a client gets what the chip sends: while it is sent, and answers apart from what follows them.

Most of it goes by the chip's clock, over a channel in the same thread.  Clients with short time-outs, over
TCP and over a pseudo terminal, are here too: what is wrong for them is so with each block that they read,
and a busy machine is late with some.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Generator
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
import serial

from fixtures.programs import DRAM, ETS_DELAY_US, ETS_PRINTF, Program, callx0, jump
from imgtool.virtual.chip.machine import Setup, VirtualChip
from imgtool.virtual.chip.store import MemoryStore
from imgtool.virtual.line.link import VirtualLine
from imgtool.virtual.line.servers import Closed, Server
from tests.rom_host import MEM_BEGIN, MEM_DATA, MEM_END, SYNC, data_request, frame, request, words
from tests.simulated import Device
from tests.stub.host import stub
from tests.support import PATIENCE, SILENCE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and pseudo terminals")

MS: Final = 1_000_000
READ_FLASH: Final = 0xD2
PACKET: Final = 0x1800
SIZE: Final = 0x4000
BLOCK: Final = 0x1000
CONTENT: Final = bytes(range(1, 252)) * 70
GREETING: Final = b"\xc0OHAI\xc0"
STARTED: Final = bytes.fromhex("c0 01 06 02 00 07071220 00 00 c0")

Host = Generator[bytes, bytes, None]


def upload(blocks: list[tuple[int, bytes]], entry: int) -> Host:
    """What a host says to have a program run, one frame after the other; it ends before the last answer."""
    yield SYNC
    for _ in range(7):
        yield b""
    for address, data in blocks:
        pieces = [data[at : at + PACKET] for at in range(0, len(data), PACKET)]
        yield request(MEM_BEGIN, words(len(data), len(pieces), PACKET, address))
        for number, piece in enumerate(pieces):
            yield data_request(MEM_DATA, piece, number)
    yield request(MEM_END, words(0, entry))


def stub_upload() -> Host:
    return upload(list(stub().blocks), stub().entry)


def printing(text: bytes, first_us: int, then_us: int) -> Host:
    """A program that waits, prints, waits, and prints again."""
    program = Program(ETS_PRINTF, ETS_DELAY_US, first_us, then_us, DRAM)
    loop = program.here
    for wait in (2, 3):
        loop = program.here
        if program.literals[wait]:
            program.load(2, wait)
            program.load(0, 1)
            program.add(callx0(0))
        program.load(2, 4)
        program.load(0, 0)
        program.add(callx0(0))
    program.add(jump(loop, program.here))
    code = program.segment()
    return upload([(code.address, code.data), (DRAM, text + bytes(4 - len(text) % 4))], program.entry)


def reading(size: int) -> Host:
    """Start the stub, and read the flash from its beginning, in the way that esptool's stubs know."""
    yield from stub_upload()
    greeting = yield b""
    assert greeting == b"OHAI"
    yield request(READ_FLASH, words(0, size, BLOCK, 1))
    found = b""
    while len(found) < size:
        found += yield (frame(words(len(found))) if found else b"")
    yield frame(words(size))  # its answer is the digest
    assert found == CONTENT[:size]


class SameThread:
    """A channel whose client is a generator: it gets frames, and gives what is sent for each.

    Attributes:
        writes: What was written at once, and when by the chip's clock.
    """

    address = "in the same thread"

    def __init__(self, chip: VirtualChip, host: Host) -> None:
        self.writes: list[tuple[int, bytes]] = []
        self.done = False
        self._chip = chip
        self._host = host
        self._near, self._far = socket.socketpair()
        self._outbox: list[bytes] = [b""]
        self._inside: bytearray | None = None

    def wait(self, wake: int) -> bool:
        del wake
        return True

    def client(self) -> int:
        return self._near.fileno()

    def read(self, link: VirtualLine) -> bool:
        self._near.recv(1)
        if self.done:
            raise Closed
        link.send(self._outbox.pop(0), baud=115200)
        return True

    def tune(self, link: VirtualLine) -> None:
        link.host_baud = None

    def _say(self, data: bytes) -> None:
        if data or self.done:
            self._outbox.append(data)
            self._far.send(b".")

    def write(self, data: bytes) -> None:
        if not data:
            return
        self.writes.append((self._chip.now, data))
        if self._inside is None and b"\xc0" not in data:
            self._outbox.clear()
            self._say(next(self._host))  # it has heard the banner
            return
        for byte in data:
            if byte != 0xC0:
                if self._inside is not None:
                    self._inside.append(byte)
                continue
            heard, self._inside = self._inside, bytearray()
            if heard:
                self._hear(bytes(heard).replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb"))

    def _hear(self, heard: bytes) -> None:
        try:
            self._say(self._host.send(heard))
        except StopIteration:
            self.done = True
            self._say(b"")

    def flush(self) -> bool:
        return True

    def hang_up(self) -> None:
        self._near.close()
        self._far.close()

    def close(self) -> None:
        pass


def served(host: Host, *, realtime: bool = False) -> SameThread:
    """What a channel has seen of one session."""
    store = MemoryStore(0x40_0000)
    store.write(0, CONTENT)
    chip = VirtualChip(Setup(store=store))
    channel = SameThread(chip, host)
    server = Server(chip, channel, realtime=realtime)
    server.serve(1)
    server.close()
    assert channel.done
    assert not chip.traps
    return channel


@pytest.mark.parametrize("realtime", [False, True], ids=["at once", "in real time"])
def test_what_is_read_comes_while_it_is_sent(realtime: bool) -> None:
    writes = served(reading(SIZE), realtime=realtime).writes
    # 115200 baud: 11.5 bytes a millisecond.
    assert max(len(data) for _, data in writes) < 250
    (greeted,) = (number for number, (_, data) in enumerate(writes) if data == GREETING)
    read = [at for at, _ in writes[greeted + 1 :]]
    assert len(read) > SIZE // 250
    if not realtime:  # in which the gap before the host's word is the machine's
        assert max(then - now for now, then in pairwise(read)) < 25 * MS


def test_an_answer_is_not_in_one_piece_with_what_the_program_says() -> None:
    def greeted() -> Host:
        yield from printing(GREETING, 0, 500_000)
        yield b""

    pieces = [data for _, data in served(greeted()).writes]
    assert pieces[-2:] == [STARTED, GREETING]


# Clients in earnest.


class Impatient:
    """A client that minds when a byte does not come within 0.1 s of the one before, and goes on.

    Attributes:
        blocks: Of each frame that holds a block of the flash, whether all its bytes came in time.
    """

    def __init__(self, line: serial.SerialBase, host: Host) -> None:
        self.blocks: list[bool] = []
        self._line = line
        self._host = host

    def _frame(self) -> bytes:
        heard: bytearray | None = None  # what comes before a frame is the banner
        in_time = True
        while True:
            # A first byte may take its time: that is the chip's work.
            self._line.timeout = 0.1 if heard and in_time else PATIENCE
            byte = self._line.read(1)
            if not byte:
                assert heard, "no frame"
                assert in_time, f"nothing after {len(heard)} bytes of a frame"
                in_time = False
            elif byte != b"\xc0":
                if heard is not None:
                    heard += byte
            elif not heard:
                heard = bytearray()
            else:
                if len(heard) >= BLOCK:
                    self.blocks.append(in_time)
                return bytes(heard).replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")

    def run(self) -> None:
        # The banner, as far as pyserial does not drop it: it begins with what comes after the port is open.
        self._line.timeout = SILENCE
        while self._line.read(1):
            pass
        self._line.write(next(self._host))
        while True:
            try:
                said = self._host.send(self._frame())
            except StopIteration:
                return
            self._line.write(said)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="at once"),
        pytest.param(("--realtime",), id="in real time", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("way", ["tcp://127.0.0.1:0", "pty"], ids=["tcp", "pty"])
def test_a_client_that_waits_a_tenth_of_a_second_for_a_byte(
    tmp_path: Path, way: str, options: tuple[str, ...]
) -> None:
    content = CONTENT.ljust(0x10_0000, b"\xff")
    with (
        Device(tmp_path, way, options=options, content=content) as device,
        serial.serial_for_url(device.address, baudrate=115200, timeout=PATIENCE) as line,
    ):
        client = Impatient(line, reading(SIZE))
        client.run()
    assert len(client.blocks) == SIZE // BLOCK
    assert any(client.blocks), "bytes of each block come apart"


# What goes on over the next connection.


class Connection:
    """A TCP connection that hears frames, and text."""

    def __init__(self, device: Device) -> None:
        host, port = device.address.removeprefix("socket://").rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE)
        self.heard = b""

    def until(self, wanted: bytes) -> bytes:
        while wanted not in self.heard:
            piece = self.socket.recv(4096)
            assert piece, f"the line is closed after {self.heard!r}"
            self.heard += piece
        end = self.heard.index(wanted) + len(wanted)
        found, self.heard = self.heard[:end], self.heard[end:]
        return found

    def start(self, host: Host) -> None:
        """Load a program and start it; the answer to that is heard."""
        self.until(b"\r\n\r\n")
        self.socket.sendall(next(host))
        while True:
            self.until(b"\xc0")
            answer = b"\xc0" + self.until(b"\xc0")
            if answer == STARTED:
                return
            self.socket.sendall(host.send(answer))


def test_a_stub_that_has_greeted_is_gone_with_its_connection(tmp_path: Path) -> None:
    with Device(tmp_path) as device:
        for _ in range(2):
            line = Connection(device)
            line.start(stub_upload())
            assert line.until(b"OHAI\xc0") == GREETING
            line.socket.close()
        line = Connection(device)
        assert b"ets Jan  8 2013" in line.until(b"\r\n\r\n")
        line.socket.close()
    assert device.report["resets"]["external"] == 3


def test_a_silent_program_speaks_over_the_next_connection(tmp_path: Path) -> None:
    with Device(tmp_path) as device:
        line = Connection(device)
        line.start(printing(b"here I am\n", 500_000, 500_000))
        line.socket.close()
        line = Connection(device)
        assert b"ets" not in line.until(b"here I am\r\n")
        line.socket.close()


def test_a_program_that_has_printed_goes_on_too(tmp_path: Path) -> None:
    """Text is for whoever reads it, and no greeting."""
    with Device(tmp_path) as device:
        line = Connection(device)
        line.start(printing(b"here I am\n", 500_000, 500_000))
        line.until(b"here I am\r\n")
        line.socket.close()
        line = Connection(device)
        assert b"ets" not in line.until(b"here I am\r\n")
        line.socket.close()
