"""The SPI flash through the chip's SPI registers: identify, erase, read.  Works without any stub.

Not the bulk of writing, which the ROM loader and stubs have commands for (imgtool.device.flasher).  The
registers are those of SPI0, as Espressif's SDK names them (spi_register.h):
https://github.com/espressif/ESP8266_NONOS_SDK/blob/master/driver_lib/include/driver/spi_register.h
That they serve a host over READ_REG and WRITE_REG is established for user commands, which esptool relies
on; nobody has been seen to erase with the ready-made commands (SE, BE, CE) from a host on silicon.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.device.flash_pins import PINS_TO_FLASH
from imgtool.device.protocol import RegisterWrite, flash_begin, pause, read_register, write_registers
from imgtool.errors import FlashError, LineError, NoFlashError
from imgtool.flash_parts import FLASH_PARTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.device.link import Link

__all__ = [
    "BLOCK",
    "MANUFACTURERS",
    "FlashChip",
    "FlashRegisters",
    "capacity_of",
]

BLOCK: Final = 0x1_0000
"""Bytes of the large erase unit."""

_BASE: Final = 0x6000_0200
_CMD, _ADDR, _RD_STATUS, _USER, _USER1, _USER2, _W0 = (
    _BASE + offset for offset in (0x00, 0x04, 0x10, 0x1C, 0x20, 0x24, 0x40)
)
_BUFFER: Final = 64
_CMD_USR: Final = 1 << 18
_CMD_CE: Final = 1 << 22
_CMD_BE: Final = 1 << 23
_CMD_SE: Final = 1 << 24
_CMD_RDSR: Final = 1 << 27
_CMD_WREN: Final = 1 << 30
_USER_COMMAND: Final = 1 << 31
_USER_ADDR: Final = 1 << 30
_USER_DUMMY: Final = 1 << 29
_USER_MISO: Final = 1 << 28
_USER_MOSI: Final = 1 << 27
_EIGHT_BITS: Final = 7 << 28

_RDID, _READ, _RDSFDP, _WRSR, _RDSR2, _PROGRAM = 0x9F, 0x03, 0x5A, 0x01, 0x35, 0x02
_BUSY, _WRITE_ENABLED = 1, 2
_KEPT_BITS: Final = 0xFC  # of register 1: all but those two
_NO_REGISTER: Final = 0xFF
# To Macronix and ISSI the opcode that reads register 2 of others switches to four lines.
_QUAD_BY_RDSR2: Final = (0xC2, 0x9D)
_BP: Final = 0x1C  # BP0 to BP2, where every part has them
_STATUS_S: Final = 0.03
_STATUS_POLLS: Final = 25
_ADDRESS_BITS: Final = 24
_TRANSFER_US: Final = 100  # 64 bytes at 10 MHz take half of it
_TICK_US: Final = 10

# Seconds: what the erase usually takes, and when it is given up.
_ERASES: Final = {_CMD_SE: (0.045, 3.0), _CMD_BE: (0.15, 6.0), _CMD_CE: (1.0, 200.0)}
_POLL: Final = 0.02
_LONG_POLL: Final = 0.2  # in an erase of the chip, which takes seconds
_NEARLY: Final = 0.95

_SFDP_MARK: Final = b"SFDP"
_LEAST_EXPONENT, _MOST_EXPONENT = 18, 24  # 256 KB to 16 MB
_ADESTO: Final = 0x1F
_ADESTO_CODES: Final = range(4, 10)  # 512 KB to 16 MB in the low five bits of the second byte
_NO_FLASH: Final = (b"\xff\xff\xff", b"\x00\x00\x00")

# JEDEC's JEP106, first bank; several firms sell flashes under numbers of another bank or of their own.
# https://github.com/flashrom/flashrom/blob/main/include/flashchips.h
MANUFACTURERS: Final = {
    0x0B: "XTX",
    0x1C: "Eon",
    0x1F: "Adesto",
    0x20: "XMC, Micron or ST",
    0x37: "AMIC",
    0x51: "GigaDevice",
    0x5E: "Zbit",
    0x68: "Boya",
    0x85: "Puya",
    0x8C: "ESMT",
    0x9D: "ISSI",
    0xA1: "Fudan",
    0xBA: "Zetta",
    0xBF: "SST",
    0xC2: "Macronix",
    0xC8: "GigaDevice",
    0xCD: "Generalplus",
    0xE0: "BergMicro",
    0xEF: "Winbond",
}


@dataclass(frozen=True, slots=True)
class FlashChip:
    """A flash as it describes itself.

    Attributes:
        id: Answer to RDID: manufacturer, memory type, capacity.
        sfdp_bytes: Capacity by its SFDP table; None where it has none or was not asked.

    Its ``bytes`` are its capacity; None where neither of the two tells.
    """

    id: bytes
    sfdp_bytes: int | None = None

    @property
    def manufacturer(self) -> str | None:
        """Who makes it, None for a code that the table does not have."""
        return MANUFACTURERS.get(self.id[0])

    @property
    def part(self) -> str | None:
        """Its part number, None for one that the table does not have."""
        return next((part.name for part in FLASH_PARTS if part.id == self.id), None)

    @property
    def bytes(self) -> int | None:
        """The capacity by SFDP, which cannot be a vendor's whim, else by its ID; None if neither tells."""
        return self.sfdp_bytes or capacity_of(self.id)

    @property
    def source(self) -> str:
        """How the capacity is known."""
        if self.bytes is None:
            return "unknown"
        return "SFDP" if self.sfdp_bytes else "JEDEC ID"


def capacity_of(flash_id: bytes) -> int | None:
    """The capacity that a flash ID states, bytes.

    Most vendors give the exponent of two in the third byte; some count it from 0x32 instead of 0x12.

    Args:
        flash_id: Manufacturer, memory type, capacity.
    """
    vendor, kind, code = flash_id
    if vendor == _ADESTO and kind & 0x1F in _ADESTO_CODES:
        return 0x8_0000 << (kind & 0x1F) - _ADESTO_CODES[0]
    exponent = code & 0x1F if code >> 5 == 1 else code
    return 1 << exponent if _LEAST_EXPONENT <= exponent <= _MOST_EXPONENT else None


class FlashRegisters:
    """The flash through the registers of its controller.

    Args:
        link: The line to the chip.
        stub: Whether a stub runs there; it has attached the flash already.
    """

    def __init__(self, link: Link, *, stub: bool) -> None:
        self._link = link
        self._stub = stub
        self._saved: tuple[int, int] | None = None
        self._in_a_row = False
        # What the controller holds of ours, by register: None where it holds what it was found with.
        self._ours: dict[int, int] | None = None
        self._attached = stub
        self._first_id: bytes | None = None
        self._took: dict[int, float] = {}

    def attach(self) -> None:
        """Switch the pins to the flash, by registers: that changes nothing in it.

        Where it then gives no ID, the ROM does it, with a FLASH_BEGIN of 0 bytes.  That clears the flash's
        status registers, and with no flash at all the ROM waits for ever.

        Raises:
            NoFlashError: The ROM hangs: there is no flash.
        """
        if self._attached:
            return
        self._write(*PINS_TO_FLASH)
        self._first_id = self._transfer(_RDID, 3)
        if self._first_id in _NO_FLASH:
            self._first_id = None
            self._give_back()
            try:
                self._link.request(flash_begin(0, 0, 0, 0x400, erase=0, stub=False))
            except LineError:
                raise _no_flash("no answer") from None
            self.wait_ready()
        self._attached = True

    def wait_ready(self) -> None:
        """Wait until the flash has written its status registers, for half a second at most.

        The ROM's routine that attaches the flash, which Espressif's stubs call when they start, has it do so
        and does not wait; until then it answers nothing but its status.
        """
        for _ in range(_STATUS_POLLS):
            if not self._status() & _BUSY:
                return
            self._link.wire.clock.sleep(_POLL)

    def _write(self, *writes: RegisterWrite) -> None:
        self._link.request(write_registers(writes))

    def _user(self, opcode: int, receive: int, address: int | None = None, dummy_bits: int = 0) -> bytes:
        """A user command that answers ``receive`` bytes, 64 at most."""
        self.attach()
        return self._transfer(opcode, receive, address, dummy_bits)

    def _idle(self) -> tuple[int, int]:
        """USER and USER2 as they were found: the ROM's own routines use them, so they get that back."""
        if self._saved is None:
            self._saved = (self._link.read_register(_USER), self._link.read_register(_USER2))
        return self._saved

    @contextmanager
    def _row(self) -> Iterator[None]:
        """Inside, nothing but user commands that read: what they have alike is written once.

        Nothing checks what is written there.  So a second look is worth something in another row alone.
        """
        if self._in_a_row:
            yield
            return
        self._in_a_row = True
        try:
            yield
        finally:
            self._in_a_row = False
            self._give_back()

    def _give_back(self) -> None:
        if self._ours is not None:
            self._ours = {}  # until it is known that it is done
            self._write(*self._restoring())
            self._ours = None

    def _restoring(self) -> tuple[RegisterWrite, ...]:
        user, user2 = self._idle()
        return RegisterWrite(_USER, user, wait_us=_TRANSFER_US), RegisterWrite(_USER2, user2)

    def _transfer(self, opcode: int, receive: int, address: int | None = None, dummy_bits: int = 0) -> bytes:
        self._start_transfer(opcode, receive, address, dummy_bits)
        words = [self._link.read_register(_W0 + 4 * index) for index in range(-(-receive // 4))]
        return b"".join(word.to_bytes(4, "little") for word in words)[:receive]

    def _start_transfer(
        self, opcode: int, receive: int, address: int | None = None, dummy_bits: int = 0
    ) -> None:
        """Have the controller ask the flash; the answer is then in its buffer."""
        restoring = self._restoring()
        user = _USER_COMMAND | _USER_MISO
        user1 = (receive * 8 - 1) << 8
        writes: list[RegisterWrite] = []
        if address is not None:
            user |= _USER_ADDR
            user1 |= (_ADDRESS_BITS - 1) << 26
            writes.append(RegisterWrite(_ADDR, address << (32 - _ADDRESS_BITS)))
        if dummy_bits:
            user |= _USER_DUMMY
            user1 |= dummy_bits - 1
        wanted = {_USER: user, _USER1: user1, _USER2: _EIGHT_BITS | opcode}
        there = self._ours or {}
        writes += [RegisterWrite(at, value) for at, value in wanted.items() if there.get(at) != value]
        # Behind these the transfer goes on; in a row, while the line carries the next two packets.
        writes += [RegisterWrite(_W0, 0), RegisterWrite(_CMD, _CMD_USR, wait_us=_TRANSFER_US)]
        if not self._in_a_row:
            self._write(*writes, *restoring)
            return
        self._ours = {}  # until it is known that they have arrived
        self._write(*writes)
        self._ours = wanted

    def read_id(self) -> bytes:
        """The answer to RDID, 3 bytes: a known one, or one that comes twice, as nothing checks the line.

        Raises:
            ChipError: The flash gives no ID.
        """
        self.attach()
        seen: list[bytes] = []
        while len(seen) < 6:  # noqa: PLR2004
            answer, self._first_id = self._first_id, None
            seen.append(answer or self._transfer(_RDID, 3))
            if seen.count(seen[-1]) > 1 or FlashChip(seen[-1]).part is not None:
                break
        if seen[-1] in _NO_FLASH:
            raise _no_flash(seen[-1].hex())
        return seen[-1]

    def sfdp_bytes(self) -> int | None:
        """The capacity by the SFDP table (JESD216), None if there is none."""
        # The signature, and the pointer to the first table; what is between them has its time on the line.
        self._start_transfer(_RDSFDP, 16, 0, dummy_bits=8)
        mark, pointer = (self._link.read_register(_W0 + at) for at in (0, 12))
        if mark.to_bytes(4, "little") != _SFDP_MARK:
            return None
        table = pointer & 0xFF_FFFF
        density = int.from_bytes(self._user(_RDSFDP, 4, table + 4, dummy_bits=8), "little")
        # Bits less one, or with the top bit set their exponent.
        bits = 1 << (density & 0x3F) if density >> 31 else density + 1
        size = bits // 8
        known = 1 << _LEAST_EXPONENT <= size <= 1 << _MOST_EXPONENT and size & (size - 1) == 0
        return size if known else None

    def read(self, address: int, size: int) -> bytes:
        """Flash content, 64 bytes a command; slow: some 100 bytes of line for four of flash."""
        self.attach()
        blocks: list[bytes] = []
        with self._row():
            for at in range(address, address + size, _BUFFER):
                count = min(_BUFFER, address + size - at)
                blocks.append(self._transfer(_READ, count, at))
        return b"".join(blocks)

    def read_each(self, stretches: Sequence[tuple[int, int]]) -> list[bytes]:
        """Stretches of flash content, each an address and bytes."""
        self.attach()
        with self._row():
            return [self.read(address, size) for address, size in stretches]

    def identify(self) -> FlashChip:
        """Which flash it is, by its ID and by SFDP: an ID alone may tell of more than there is.

        Raises:
            ChipError: The flash gives no ID.
        """
        with self._row():
            return FlashChip(self.read_id(), self.sfdp_bytes())

    def status(self) -> int:
        """Status register 1."""
        self.attach()
        return self._status()

    def _status(self) -> int:
        # The answer is asked for after what the line takes for two packets.  The ROM begins with 0, too.
        writes = (RegisterWrite(_RD_STATUS, 0), RegisterWrite(_CMD, _CMD_RDSR, wait_us=_TICK_US))
        replies = self._link.request_all((write_registers(writes), read_register(_RD_STATUS)))
        return replies[-1].value & 0xFF

    def status_2(self, flash: FlashChip) -> int:
        """Status register 2; 0xFF where a flash has none."""
        return self._user(_RDSR2, 1)[0] if _may_have_second_status(flash) else _NO_REGISTER

    def kept_status(self, flash: FlashChip) -> bytes:
        """What the status registers hold for good: of register 1, and of register 2 where there is one."""
        first, second = self.status() & _KEPT_BITS, self.status_2(flash)
        return bytes([first]) if second == _NO_REGISTER else bytes([first, second])

    def write_status(self, value: bytes) -> None:
        """Write the status registers, and wait until the flash has done so.

        Args:
            value: Of register 1, and of register 2 where there is one.
        """
        self.attach()
        saved = self._idle()
        self._write(
            RegisterWrite(_CMD, _CMD_WREN, wait_us=_TICK_US),
            RegisterWrite(_USER, _USER_COMMAND | _USER_MOSI, wait_us=_TICK_US),
            RegisterWrite(_USER1, (8 * len(value) - 1) << 17),
            RegisterWrite(_USER2, _EIGHT_BITS | _WRSR),
            RegisterWrite(_W0, int.from_bytes(value, "little")),
            RegisterWrite(_CMD, _CMD_USR, wait_us=_TRANSFER_US),
            RegisterWrite(_USER, saved[0], wait_us=_TRANSFER_US),
            RegisterWrite(_USER2, saved[1]),
        )
        self._link.wire.clock.sleep(_STATUS_S)
        self.wait_ready()

    def busy_after_program(self, address: int, data: bytes, wait_us: int) -> bool:
        """Program bytes of one page, and say whether the flash is busy with it some time later.

        Args:
            address: Of the first byte, which is erased.
            data: 64 bytes at most.
            wait_us: Microseconds until the flash is asked; the chip counts them, not the host.
        """
        self.attach()
        link, saved = self._link, self._idle()
        words = [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]
        self._write(*(RegisterWrite(_W0 + 4 * index, word) for index, word in enumerate(words)))
        self._write(
            RegisterWrite(_CMD, _CMD_WREN, wait_us=_TICK_US),
            RegisterWrite(_ADDR, address << (32 - _ADDRESS_BITS), wait_us=_TICK_US),
            RegisterWrite(_USER, _USER_COMMAND | _USER_ADDR | _USER_MOSI),
            RegisterWrite(_USER1, (_ADDRESS_BITS - 1) << 26 | (8 * len(data) - 1) << 17),
            RegisterWrite(_USER2, _EIGHT_BITS | _PROGRAM),
            RegisterWrite(_CMD, _CMD_USR),
            # This wait is what is measured, so it must pass once.
            pause(wait_us),
            RegisterWrite(_USER, saved[0]),
            RegisterWrite(_USER2, saved[1]),
            RegisterWrite(_CMD, _CMD_RDSR, wait_us=_TICK_US),
        )
        busy = bool(link.read_register(_RD_STATUS) & _BUSY)
        while self.status() & _BUSY:
            pass
        return busy

    def protection(self, flash: FlashChip) -> int:
        """The bits of status register 1 that protect content from being written; 0 for none."""
        return self.status() & _protecting(flash)

    def unprotect(self, flash: FlashChip) -> None:
        """Clear the bits that protect content; a second status register keeps what it has.

        Raises:
            ChipError: They stay: the WP pin holds them, or they are fixed for good.
        """
        first, *second = self.kept_status(flash)
        self.write_status(bytes([first & ~_protecting(flash), *second]))
        if self.protection(flash):
            raise FlashError("the write protection of the flash cannot be removed")

    def erase(self, address: int, size: int) -> None:
        """Erase exactly the sectors of a region, in blocks of 64 KB where they fit.

        The ROM's own erase takes more sectors than it is asked for, by its known fault
        (https://github.com/espressif/esptool/issues/33).

        Raises:
            ChipError: The flash does not erase.
        """
        at = address
        while at < address + size:
            block = at % BLOCK == 0 and address + size - at >= BLOCK
            self._erase(_CMD_BE if block else _CMD_SE, at)
            at += BLOCK if block else SECTOR

    def erase_chip(self) -> None:
        """Erase the whole flash.

        Raises:
            ChipError: The flash does not erase.
        """
        self._erase(_CMD_CE, 0)

    def _erase(self, command: int, address: int) -> None:
        self.attach()
        link, clock = self._link, self._link.wire.clock
        usual, patience = _ERASES[command]
        self._write(RegisterWrite(_ADDR, address), RegisterWrite(_CMD, _CMD_WREN, wait_us=_TICK_US))
        # No check covers what a register is written with, so it is read back before it counts.
        if link.read_register(_ADDR) != address or not self.status() & _WRITE_ENABLED:
            self._retry(address)
        self._write(RegisterWrite(_CMD, command, wait_us=_TICK_US))
        start = clock.monotonic()
        clock.sleep(self._took.get(command, usual))
        deadline = start + patience
        late = False
        while (status := self.status()) & _BUSY:
            if late:
                raise FlashError("the flash does not end an erase", offset=address)
            # It is asked once more after that: a busy machine may have stopped this process until now.
            late = clock.monotonic() > deadline
            clock.sleep(_LONG_POLL if command == _CMD_CE else _POLL)
        # The next one takes about as long: so it is hardly asked for before it is done.
        self._took[command] = _NEARLY * (clock.monotonic() - start)
        # An erase that was taken drops the write enable; a protected sector may drop it as well.
        if status & _WRITE_ENABLED:
            raise LineError("the flash has not taken an erase", offset=address)

    def _retry(self, address: int) -> None:
        """The address again, once; a line that fails twice in a row is no line."""
        self._write(RegisterWrite(_ADDR, address), RegisterWrite(_CMD, _CMD_WREN, wait_us=_TICK_US))
        if self._link.read_register(_ADDR) != address:
            raise LineError("the line disturbs what is written to registers", offset=address)
        if not self.status() & _WRITE_ENABLED:
            raise FlashError("the flash does not let itself be written", offset=address)


def _protecting(flash: FlashChip) -> int:
    """Bits of status register 1 that protect content."""
    part = next((part for part in FLASH_PARTS if part.id == flash.id), None)
    return _BP if part is None else part.protection


def _may_have_second_status(flash: FlashChip) -> bool:
    """Whether a flash has a second status register; where its part is not known, whether it may be asked."""
    part = next((part for part in FLASH_PARTS if part.id == flash.id), None)
    return flash.id[0] not in _QUAD_BY_RDSR2 if part is None else part.status_registers > 1


def _no_flash(found: str) -> NoFlashError:
    return NoFlashError("the flash does not answer", expected="a flash ID", found=found)
