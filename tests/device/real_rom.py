"""A small model of the boot ROM's loader as its code is, and of the flash behind it: a port for the host.

Independent of imgtool.virtual, and of imgtool's encoders.  What it does otherwise than the published protocol
says was read in the ROM's code: it waits before a register write and reads the register first; a transfer
over SPI takes its time, and what is written to its registers meanwhile spoils it; FLASH_BEGIN clears the
status registers of the flash and hangs without one; sizes are those of SPI_SET_PARAMS, 4 MB before; a packet
of which the checksum is wrong is counted; an opcode that it does not know is answered with the one before,
eight times after SYNC.  A stub's order of waits can be had, too.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from imgtool.device.wire import Lines, Wire, WireTraits
from tests.rom_host import frame, frames, words

if TYPE_CHECKING:
    from collections.abc import Callable

_US: Final = 1e-6
_TUPLE_S: Final = 1 * _US  # of the loop over register writes: 38 instructions
_SPI_HZ: Final = 13_000_000
_UART_HZ: Final = 52_000_000
_PADS: Final = (0x6000_081C, 0x6000_0820, 0x6000_0824, 0x6000_0828, 0x6000_082C, 0x6000_0830)
_CMD, _ADDR, _CTRL, _RD_STATUS = 0x6000_0200, 0x6000_0204, 0x6000_0208, 0x6000_0210
_USER, _USER1, _USER2, _W0 = 0x6000_021C, 0x6000_0220, 0x6000_0224, 0x6000_0240
_DIVIDER: Final = 0x6000_0014
_REFUSED: Final = b"\x01\x05"


@dataclass
class Flash:
    """A flash with two status registers, or with one.

    Attributes:
        id: Its answer to RDID; None for no flash.
        status: Its status registers, as many as it has; BUSY and WEL stand apart.
        status_writes: How often they were written.
        stuck: Whether they keep what they hold.
        busy: How many times it still says that it is busy, as after a write of its status.
        ignored: Opcodes that came while it was busy.
    """

    size: int
    id: bytes | None = b"\xef\x40\x18"
    status: bytearray = field(default_factory=lambda: bytearray(2))
    status_writes: list[bytes] = field(default_factory=list)
    stuck: bool = False
    busy: int = 0
    ignored: list[int] = field(default_factory=list)
    enabled: bool = False
    opcodes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.content = bytearray(b"\xff") * self.size

    def write_status(self, value: bytes) -> None:
        if self.enabled:
            self.status_writes.append(value)
            self.enabled = False
            self.busy = 2
            if not self.stuck:
                # One byte alone clears the second register, as it does on older parts of Winbond.
                self.status[:] = value.ljust(len(self.status), b"\x00")[: len(self.status)]

    def program(self, address: int, data: bytes) -> None:
        self.enabled = False
        for at, byte in enumerate(data, address % self.size):
            self.content[at % self.size] &= byte

    def erase(self, address: int, size: int) -> None:
        if self.enabled and not self.status[0] & 0x1C:
            start = address % self.size // size * size
            self.content[start : start + size] = b"\xff" * size
        self.enabled = False

    def command(self, sent: bytes, receive: int) -> bytes:
        """A command on one line."""
        if self.id is None:
            return b"\xff" * receive
        opcode, address = sent[0], int.from_bytes(sent[1:4], "big")
        if self.busy and opcode != 0x05:
            self.ignored.append(opcode)
            return b"\xff" * receive
        self.opcodes.append(opcode)
        answer = b""
        if opcode == 0x05:
            answer = bytes([self.status[0] | 2 * self.enabled | bool(self.busy)]) * receive
            self.busy = max(0, self.busy - 1)
        elif opcode in (0x9F, 0x35, 0x03):
            content = (self.content[(address + at) % self.size] for at in range(receive))
            answer = {0x9F: self.id, 0x35: bytes(self.status[1:2]), 0x03: bytes(content)}[opcode]
        elif opcode == 0x06:
            self.enabled = True
        elif opcode == 0x01:
            self.write_status(sent[1:])
        elif opcode == 0x02:
            self.program(address, sent[4:])
        elif opcode in (0x20, 0xD8):
            self.erase(address, 0x1000 if opcode == 0x20 else 0x1_0000)
        return answer.ljust(receive, b"\xff")[:receive]


class RealRom(Wire):
    """The port; its clock is its own.

    Args:
        flash: Behind it.
        stub_order: Whether it waits after a register write, as stubs do.
        pins_suffice: Whether the flash answers once the pins are switched by registers.
        baud: Whether the port can change its speed.
        disturb: What the line makes of each request.

    Attributes:
        now: Seconds.
        spoiled: How often a transfer was disturbed by a write to its registers.
        requests: Opcodes that came, in order.
    """

    def __init__(
        self,
        flash: Flash,
        *,
        stub_order: bool = False,
        pins_suffice: bool = True,
        baud: bool = False,
        disturb: Callable[[int, bytes], bytes] = lambda _, request: request,
    ) -> None:
        self.name, self.clock = "real rom", self
        self.traits = WireTraits(lines=Lines.NONE, baud=baud)
        self.flash = flash
        self.now = 0.0
        self.spoiled = 0
        self.requests: list[int] = []
        self.value = 0
        self.last = 0
        self._stub_order, self._pins_suffice, self._disturb = stub_order, pins_suffice, disturb
        self._size = 0x40_0000
        self._time = 0.0  # of the chip
        self._busy_until = 0.0
        self._hung = False
        self._registers = {
            0x4000_1000: 0xFFF0_C101,
            0x3FF0_0050: 0x1234_5600,
            0x3FF0_0054: 0x0200_0102,
            0x3FF0_0058: 0xF200_B000,
            0x3FF0_005C: 0x0084_0D8E,
            _DIVIDER: 0x1C4,
            _USER: 0x8000_0040,
            _USER2: 0x7000_0000,
        }
        self._attached = False
        self._replies: list[tuple[float, float, bytes]] = []  # when, at which speed of the chip, what
        self._bauds = [(0.0, 115_200)]
        self._file: dict[str, int] = {}
        self._left = False
        self._arrives = 0.0

    # The port.

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def set_baud(self, baud: int) -> None:
        self._bauds.append((self.now, baud))

    def set_lines(self, dtr: bool, rts: bool) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to close."""

    def drain(self) -> None:
        self.now = max(self.now, self._arrives)

    def discard(self) -> None:
        self._replies = [reply for reply in self._replies if reply[0] > self.now]

    def _baud_at(self, time: float) -> int:
        return [baud for since, baud in self._bauds if since <= time][-1]

    def read(self, size: int, timeout: float) -> bytes:
        if not self._replies or self._replies[0][0] > self.now + timeout:
            self.now += timeout
            return b""
        time, speed, reply = self._replies.pop(0)
        self.now = max(self.now, time)
        if abs(self._baud_at(time) / speed - 1) > 0.03:
            reply = b"\x00\xc0\x80" * (len(reply) // 3)
            speed = self._baud_at(time)
        if len(reply) > size:
            self._replies.insert(0, (time, speed, reply[size:]))
        return reply[:size]

    def write(self, data: bytes) -> None:
        baud = self._baud_at(self.now)
        self._arrives = self.now + len(data) * 10 / baud
        self._time = max(self._time, self._arrives)
        if abs(baud * self._registers[_DIVIDER] / _UART_HZ - 1) > 0.03:
            return
        for packet in frames(data):
            if not self._hung and not self._left:
                self._serve(self._disturb(len(self.requests), packet))

    def _reply(self, status: bytes = b"\x00\x00") -> None:
        speed = _UART_HZ / self._registers[_DIVIDER]
        for _ in range(8 if self.last == 0x08 else 1):
            self._time += 14 * 10 / speed
            packet = struct.pack("<BBHI", 1, self.last, 2, self.value) + status
            self._replies.append((self._time, speed, frame(packet)))

    # The loader.

    def _serve(self, packet: bytes) -> None:
        direction, opcode, length, check = struct.unpack_from("<BBHI", packet)
        payload = packet[8 : 8 + length]
        self.requests.append(opcode)
        served = {
            0x02: self._flash_begin,
            0x03: lambda data: self._flash_data(data, check),
            0x04: self._flash_end,
            0x05: lambda _: b"\x00\x00",
            0x06: lambda _: b"\x00\x00",
            0x07: lambda _: b"\x00\x00",
            0x08: self._sync,
            0x09: self._write_registers,
            0x0A: self._read_register,
            0x0B: self._set_parameters,
        }.get(opcode)
        if direction or served is None:
            self._reply(_REFUSED)
            return
        status = served(payload)
        self.last = opcode
        if not self._hung:
            self._reply(status)
        if opcode == 0x06:
            self._start_stub()

    def _sync(self, payload: bytes) -> bytes:
        (self.value,) = struct.unpack_from("<I", payload)
        return b"\x00\x00"

    def _read_register(self, payload: bytes) -> bytes:
        self.value = self._get(*struct.unpack_from("<I", payload))
        return b"\x00\x00"

    def _write_registers(self, payload: bytes) -> bytes:
        for address, value, mask, wait in struct.iter_unpack("<4I", payload):
            wait_s = (wait if self._stub_order else wait & 0xFFFF) * _US
            self._time += _TUPLE_S + (0 if self._stub_order else wait_s)
            self._set(address, self._get(address) & ~mask | value & mask)
            self._time += wait_s if self._stub_order else 0
        return b"\x00\x00"

    def _set_parameters(self, payload: bytes) -> bytes:
        if len(payload) != 24:
            return _REFUSED
        number, self._size, *rest = struct.unpack("<6I", payload)
        assert (number, rest) == (0, [0x1_0000, 0x1000, 0x100, 0xFFFF])
        return b"\x00\x00"

    def _write_status(self, value: bytes) -> None:
        if self.flash.id is None:
            self._hung = True  # it waits for the write enable
            return
        self.flash.enabled = True
        self.flash.write_status(value)  # and does not wait for it

    def _start_stub(self) -> None:
        """One that attaches the flash by the ROM's routine, and greets before its status is written."""
        self._attached = True
        self._write_status(bytes([self.flash.status[0], 0]))
        self._time += 6 * 10 / 115_200
        self._replies.append((self._time, 115_200.0, frame(b"OHAI")))

    def _flash_begin(self, payload: bytes) -> bytes:
        self._attached = True
        self._registers[_USER] |= 4
        self._registers[_CTRL] = 0x68_8313
        self._write_status(bytes([self.flash.status[0], 0]))
        if len(payload) != 16 or int.from_bytes(payload[8:12], "little") > 0x1800:
            return _REFUSED
        erase, packets, packet, offset = struct.unpack("<4I", payload)
        self._file = {"at": offset, "next": 0, "packet": packet, "left": packets}
        assert erase == 0
        if offset > self._size or offset % 0x1000:
            return b"\x01\x06"
        self._write_status(b"\x00\x00")
        return b"\x00\x00"

    def _flash_data(self, payload: bytes, check: int) -> bytes:
        length, number = struct.unpack_from("<2I", payload)
        data = payload[16:]
        if length % 4 or length > self._file["packet"] or number != self._file["next"]:
            return _REFUSED
        self._file["next"] += 1
        self.flash.busy = 0  # the ROM waits for it
        own = 0xEF
        for byte in data:
            own ^= byte
        if own != check & 0xFF:
            return b"\x01\x07"
        at = self._file["at"]
        if at + length <= self._size:  # or nothing is done, and nobody is told
            self.flash.program(at, data)
        self._file["at"] += length
        return b"\x00\x00"

    def _flash_end(self, _: bytes) -> bytes:
        self._left = True
        return b"\x01\x06"

    # Registers.

    def _reaches(self) -> bool:
        pads = all(self._registers.get(pad, 0x80) & 0x1B0 == 0x10 for pad in _PADS)
        set_up = self._registers.get(_CTRL, 0) & 0xFFF == 0x313
        return self._attached or (self._pins_suffice and pads and set_up)

    def _get(self, address: int) -> int:
        if address == _CMD:
            return 0 if self._time >= self._busy_until else 1 << 18
        return self._registers.get(address, 0x80 if address in _PADS else 0)

    def _set(self, address: int, value: int) -> None:
        if self._time < self._busy_until and (address in (_CMD, _ADDR, _CTRL) or _USER <= address < _W0 + 64):
            self.spoiled += 1
            for at in range(_W0, _W0 + 64, 4):
                self._registers[at] = 0x5A5A_5A5A
        if address == _CMD:
            self._start(value)
        else:
            self._registers[address] = value

    def _command(self, sent: bytes, receive: int) -> bytes:
        self._busy_until = self._time + 8 * (len(sent) + receive) / _SPI_HZ
        return self.flash.command(sent, receive) if self._reaches() else b"\xff" * receive

    def _start(self, command: int) -> None:
        registers = self._registers
        address = registers.get(_ADDR, 0)
        if command & 1 << 18:
            self._user(registers[_USER], registers.get(_USER1, 0), address)
        elif command & 1 << 27:
            registers[_RD_STATUS] = self._command(b"\x05", 1)[0]
        elif command & (1 << 24 | 1 << 23):
            opcode = 0x20 if command & 1 << 24 else 0xD8
            self._command(bytes([opcode]) + (address & 0xFF_FFFF).to_bytes(3, "big"), 0)
        elif command:
            self._command({1 << 30: b"\x06", 1 << 20: b"\xab\x00\x00\x00"}[command], 0)

    def _user(self, user: int, user1: int, address: int) -> None:
        sent = bytes([self._registers[_USER2] & 0xFF])
        if user & 1 << 30:
            sent += (address >> 8).to_bytes(3, "big")
        if user & 1 << 29:
            sent += b"\x00"
        buffer = b"".join(words(self._registers.get(_W0 + at, 0)) for at in range(0, 64, 4))
        if user & 1 << 27:
            sent += buffer[: ((user1 >> 17 & 0x1FF) + 1) // 8]
        receive = ((user1 >> 8 & 0x1FF) + 1) // 8 if user & 1 << 28 else 0
        answer = self._command(sent, receive)
        if user & 1 << 28:
            for at, word in enumerate(struct.iter_unpack("<I", answer.ljust(64, b"\x00"))):
                self._registers[_W0 + 4 * at] = word[0]
