"""The SPI NOR flash of the virtual ESP8266: opcodes, status registers, protection, busy times.

Not the chip's SPI controller (:mod:`imgtool.virtual.chip.spi`), and not where the bytes are kept
(:mod:`imgtool.virtual.chip.store`).

Opcodes, status bits and what a flash ignores: the data sheets of the W25Q family (W25Q32FV,
https://www.winbond.com), chapters "Status Registers" and "Instructions".  SFDP: JEDEC JESD216.  An operation
changes the array when it begins; until its time is over only the status registers can be read, so nothing on
the bus sees the difference.  WP#, HOLD#, QPI, suspend, security registers and CMP are not modelled; quad
reads are answered whatever QE is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.errors import LayoutError
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.flash_parts import FlashPart
    from imgtool.virtual.chip.store import Store

__all__ = [
    "BLOCK32",
    "BLOCK64",
    "ERASES",
    "MAXIMUM",
    "PAGE",
    "TYPICAL",
    "TYPICAL_BLANK",
    "Disturbance",
    "FlashTiming",
    "NorFlash",
    "Operation",
    "PowerCut",
    "Violation",
    "protected_range",
    "sfdp_table",
]

PAGE: Final = 256
"""Bytes that one program instruction can reach."""

BLOCK32: Final = 0x8000
BLOCK64: Final = 0x1_0000
_SECTOR: Final = 0x1000
_FOUR_MB: Final = 0x40_0000

_MS: Final = 1_000_000  # ns
_US: Final = 1_000


@dataclass(frozen=True, slots=True)
class FlashTiming:
    """How long a flash is busy, in nanoseconds.

    Attributes:
        page: A page program.
        blank_page: A page program whose data is all 0xFF.
        sector: An erase of 4 KiB.
        block32: An erase of 32 KiB.
        block64: An erase of 64 KiB.
        chip: An erase of a chip of 4 MiB; other sizes in proportion.
        status: A write of non-volatile status bits.
        reset: A software reset.
    """

    page: int
    blank_page: int
    sector: int
    block32: int
    block64: int
    chip: int
    status: int
    reset: int

    def duration(self, kind: str, *, size: int, blank: bool) -> int:
        """How long an operation takes.

        Args:
            kind: ``page``, ``sector``, ``block32``, ``block64`` or ``chip``.
            size: Bytes of the whole flash, for ``chip``.
            blank: Whether a page is all 0xFF.
        """
        times = {
            "page": self.blank_page if blank else self.page,
            "sector": self.sector,
            "block32": self.block32,
            "block64": self.block64,
            "chip": self.chip * size // _FOUR_MB,
        }
        return times[kind]


# Round figures of the W25Q32 class, fixed before any result.  The times of a status write and of a reset are
# Winbond's tW and tRST.
TYPICAL: Final = FlashTiming(
    page=700 * _US,
    blank_page=700 * _US,
    sector=45 * _MS,
    block32=120 * _MS,
    block64=150 * _MS,
    chip=10_000 * _MS,
    status=10 * _MS,
    reset=30 * _US,
)
MAXIMUM: Final = FlashTiming(
    page=3 * _MS,
    blank_page=3 * _MS,
    sector=400 * _MS,
    block32=800 * _MS,
    block64=1_000 * _MS,
    chip=50_000 * _MS,
    status=15 * _MS,
    reset=30 * _US,
)
TYPICAL_BLANK: Final = replace(TYPICAL, blank_page=50 * _US)
"""Typical times for a flash that sees at once that a page is all 0xFF; whether any does is not confirmed."""


class Operation(NamedTuple):
    """A program or an erase that the flash has accepted.

    Attributes:
        kind: ``page``, ``sector``, ``block32``, ``block64`` or ``chip``.
        address: Its first byte; for a page, the byte that the first byte of data goes to.
        size: Bytes that it covers; for a page, bytes of data.
        number: How many of that kind so far, this one included.
        blank: Whether the data of a page is all 0xFF, or the region of an erase is already.
    """

    kind: str
    address: int
    size: int
    number: int
    blank: bool


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What goes wrong with one operation.

    Attributes:
        slow: It takes its maximum time.
        cut: The power is lost when this much of it is done, 0 to 1.  That much of its bytes, in address order
            (a real flash leaves all of them undefined), has its new value.
        stuck: Worn cells, as address and bit: an erase leaves them 0.
        skipped: It takes its time and changes nothing.
    """

    slow: bool = False
    cut: float | None = None
    stuck: tuple[tuple[int, int], ...] = ()
    skipped: bool = False


class PowerCut(Exception):  # noqa: N818 - no error: the plan asked for it
    """The power is lost in the middle of an operation.

    Whoever owns the flash calls :meth:`NorFlash.power_on` when it is back.

    Attributes:
        operation: What is cut short.
        time: When, in ns.
    """

    def __init__(self, operation: Operation, time: int) -> None:
        super().__init__(f"power cut in {operation.kind} {operation.number}")
        self.operation = operation
        self.time = time


class Violation(NamedTuple):
    """Something that the flash ignored, and a driver should not have done.

    Attributes:
        kind: ``no write enable``, ``busy``, ``protected``, ``powered down``, ``not attached``, ``incomplete``
            or ``unknown opcode``.
        address: The address of the instruction, if it has one.
        time: When, in ns.
        opcode: The instruction.
    """

    kind: str
    address: int | None
    time: int
    opcode: int


class _Erase(NamedTuple):
    kind: str
    size: int  # 0 is the whole chip
    opcode: int


_ERASE_ROWS: Final = (
    _Erase("sector", _SECTOR, 0x20),
    _Erase("block32", BLOCK32, 0x52),
    _Erase("block64", BLOCK64, 0xD8),
    _Erase("chip", 0, 0xC7),
    _Erase("chip", 0, 0x60),
)
ERASES: Final = {row.kind: row.opcode for row in reversed(_ERASE_ROWS)}
"""Opcode of each kind of erase."""

_PROGRAM: Final = 0x02
_WRITE_ENABLE: Final = 0x06
_VOLATILE_ENABLE: Final = 0x50
_WRITE_DISABLE: Final = 0x04
_RESET_ENABLE: Final = 0x66
_RESET: Final = 0x99
_POWER_DOWN: Final = 0xB9
_RELEASE: Final = 0xAB
# A hint to drive the bus faster (Winbond W25Q80BL and others); accepted, without effect.
_HIGH_PERFORMANCE: Final = 0xA3

# Bytes between the address and the data; the mode bits of the dual and quad I/O reads count as a byte.
_READ_ROWS: Final = {0x03: 0, 0x0B: 1, 0x3B: 1, 0x6B: 1, 0xBB: 1, 0xEB: 3}
_SFDP: Final = 0x5A
_UNIQUE_ID: Final = 0x4B
_JEDEC_ID: Final = 0x9F
_DEVICE_ID: Final = 0x90

_STATUS_READS: Final = {0x05: 0, 0x35: 1, 0x15: 2}
_HARMLESS_WHILE_BUSY: Final = {0x9F, 0xAB, 0x5A, 0x06, 0x04}  # RDID, RES, SFDP, WREN, WRDI
_STATUS_WRITES: Final = {0x01: 0, 0x31: 1, 0x11: 2}
_WRITABLE: Final = (0xFC, 0x7F, 0xFF)  # BUSY, WEL and SUS are read-only
_BUSY: Final = 0x01
_WEL: Final = 0x02
_BP: Final = 0x1C
_BP_SHIFT: Final = 2
_TB: Final = 0x20
_SEC: Final = 0x40
_ALL_BLOCKS: Final = 7
_SMALLEST_SHARE: Final = 64  # BP=1 protects this share of the array, but no less than a block
_MOST_SECTORS: Final = 4  # SEC: 4, 8, 16, 32, 32, 32 KiB

_ADDRESS_END: Final = 4  # opcode and three bytes
_ADDRESSES: Final = 0xFF_FFFF
_FILL: Final = 0xFF
_MOST_VIOLATIONS: Final = 1000
_ERASED: Final = {row.size: b"\xff" * row.size for row in _ERASE_ROWS if row.size}


def protected_range(part: FlashPart, status: int) -> range:
    """The addresses that a value of status register 1 protects; empty where it protects none.

    The rule is that of Winbond's and GigaDevice's tables with CMP = 0, tabulated at
    https://onlinedocs.microchip.com/oxy/GUID-EF5727DA-42CC-4107-8984-4D8EAF42FF5D-en-US-1/GUID-626A1F24-F21B-4979-9ED0-A68860ED817E.html
    for 16 MB and
    https://www.intel.com/content/www/us/en/docs/programmable/683818/current/read-status-operation.html
    for 512 KB and 2 MB.  That other vendors' parts follow it is assumed.
    """
    bits = status & part.protection
    level = (bits & _BP) >> _BP_SHIFT
    if level == 0:
        return range(0)
    if level == _ALL_BLOCKS:
        size = part.bytes
    elif bits & _SEC:
        size = _SECTOR << min(level, _MOST_SECTORS) - 1
    else:
        size = min(part.bytes, max(BLOCK64, part.bytes // _SMALLEST_SHARE) << level - 1)
    return range(size) if bits & _TB else range(part.bytes - size, part.bytes)


def sfdp_table(part: FlashPart) -> bytes:
    """The 256 bytes that RDSFDP reads: a JESD216 header and one basic parameter table, at 0x30.

    It says what :class:`NorFlash` does: density, erases of 4, 32 and 64 KiB, dual and quad reads.
    """
    pointer = 0x30
    double_words = 9
    header = b"SFDP" + bytes([0, 1, 0, 0xFF])
    table_header = bytes([0, 0, 1, double_words, *pointer.to_bytes(3, "little"), 0xFF])
    table = b"".join(
        (
            # 4 KiB erase by 20, programs of a page, 3-byte addresses, 1-1-2, 1-2-2, 1-4-4 and 1-1-4 reads
            bytes([0xE5, 0x20, 0xF1, 0xFF]),
            (part.bytes * 8 - 1).to_bytes(4, "little"),
            bytes([0x44, 0xEB, 0x08, 0x6B]),  # 1-4-4: 2 mode clocks, 4 dummies; 1-1-4: 8 dummies
            bytes([0x08, 0x3B, 0x80, 0xBB]),  # 1-1-2: 8 dummies; 1-2-2: 4 mode clocks
            bytes([0xEE, 0xFF, 0xFF, 0xFF]),  # neither 2-2-2 nor 4-4-4
            bytes([0xFF, 0xFF, 0x00, 0xFF]),
            bytes([0xFF, 0xFF, 0x00, 0xFF]),
            bytes([12, 0x20, 15, 0x52]),  # erase types, as a power of two and an opcode
            bytes([16, 0xD8, 0x00, 0xFF]),
        )
    )
    return (header + table_header).ljust(pointer, b"\xff") + table.ljust(PAGE - pointer, b"\xff")


class NorFlash:
    """A SPI NOR flash on its bus.

    Args:
        part: Which flash it is.
        store: Where its array is kept; of the part's size.
        timing: How long it is busy.
        on_operation: Told of every program and erase, after it is done to the array.
        disturb: Asked before every program and erase what goes wrong with it.

    Attributes:
        attached: Whether the pins of the chip are switched to the flash.  Until they are, all that is read is
            0xFF.  It is for the owner to set.
        busy_until: When the present operation is over, in ns.
        counts: How many programs and erases it has begun, by kind.
        on_status_write: Called when bits of a status register are written that outlive the power.
        violations: What it has ignored, in order; the first thousand, for a driver may poll for ever.
        violation_counts: How much of each kind it has ignored.
        ignored: Those of the same that found it busy and have only missed an answer.  Espressif's stubs do
            so when they start: the ROM's spi_flash_attach has a status register written and does not wait.

    Raises:
        LayoutError: The store has another size than the part.
    """

    def __init__(
        self,
        part: FlashPart,
        store: Store,
        *,
        timing: FlashTiming = TYPICAL,
        on_operation: Callable[[Operation], None] | None = None,
        disturb: Callable[[Operation], Disturbance | None] | None = None,
    ) -> None:
        if store.size != part.bytes:
            raise LayoutError(
                f"the store is not of the size of a {part.name}",
                expected=in_bytes(part.bytes),
                found=in_bytes(store.size),
            )
        self.part = part
        self.timing = timing
        self.on_operation = on_operation
        self.disturb = disturb
        self.on_status_write: Callable[[], None] = lambda: None
        self.attached = True
        self.counts: Counter[str] = Counter()
        self.violations: list[Violation] = []
        self.violation_counts: Counter[str] = Counter()
        self.ignored: list[Violation] = []
        self._store = store
        self._kept = [0, 0, 0]  # status bits that outlive the power
        self._tables = self._make_tables()
        self.busy_until = 0
        self.power_on()

    def power_on(self) -> None:
        """Forget what does not outlive the power: busy, write enable, volatile status bits, power-down."""
        self.busy_until = 0
        self._status = list(self._kept)
        self._write_enabled = False
        self._volatile_enabled = False
        self._reset_enabled = False
        self._powered_down = False

    @property
    def length(self) -> int:
        """Bytes of the array."""
        return self.part.bytes

    def status(self, register: int, now: int) -> int:
        """A status register, 1 to 3, as it would be read at ``now``."""
        value = self._status[register - 1]
        if register == 1:
            value |= _BUSY if now < self.busy_until else 0
            value |= _WEL if self._write_enabled else 0
        return value

    def protect(self) -> None:
        """Set the bits that protect the whole array, as one finds them on a locked flash."""
        self._kept[0] |= _BP
        self._status[0] |= _BP

    # The bus.

    def transact(self, now: int, sent: bytes, receive: int) -> bytes:
        """One period with chip select low.

        Args:
            now: When it ends, in ns: operations begin then.
            sent: Bytes clocked in; dummy and mode bytes are among them.
            receive: Bytes clocked out behind those.

        Returns:
            ``receive`` bytes; 0xFF where the flash drives nothing.

        Raises:
            PowerCut: A disturbance asked for it.
        """
        if not sent:
            return b"\xff" * receive
        opcode = sent[0]
        refusal = self._refusal(opcode, now)
        if refusal is not None:
            self._note(refusal, now, sent)
            return b"\xff" * receive
        armed, self._reset_enabled = self._reset_enabled, False
        if opcode in _STATUS_READS:
            return self._read_status(opcode, now, sent, receive)
        if opcode in _READ_ROWS:
            return self._read_array(sent, receive)
        if opcode in self._tables:
            return self._read_table(sent, receive)
        if opcode in _STATUS_WRITES:
            self._write_status(now, sent)
        elif opcode == _PROGRAM:
            self._page_program(now, sent)
        elif opcode in _ERASE_BY_OPCODE:
            self._erase(now, sent)
        elif opcode == _RESET:
            self._reset(now, sent, armed=armed)
        else:
            self._set_latch(opcode, now, sent)
        return b"\xff" * receive

    def _refusal(self, opcode: int, now: int) -> str | None:
        if not self.attached:
            return "not attached"
        if now < self.busy_until:
            return None if opcode in _STATUS_READS else "busy"
        if self._powered_down and opcode != _RELEASE:
            return "powered down"
        return None

    def _note(self, kind: str, now: int, sent: bytes) -> None:
        opcode = sent[0]
        addressed = opcode in _READ_ROWS or opcode == _PROGRAM or opcode in _ERASE_BY_OPCODE
        address = _address(sent) if addressed and len(sent) >= _ADDRESS_END else None
        harmless = kind == "busy" and opcode in _HARMLESS_WHILE_BUSY
        if not harmless:
            self.violation_counts[kind] += 1
        kept = self.ignored if harmless else self.violations
        if len(kept) < _MOST_VIOLATIONS:
            kept.append(Violation(kind, address, now, opcode))

    def _set_latch(self, opcode: int, now: int, sent: bytes) -> None:
        if opcode == _WRITE_ENABLE:
            self._write_enabled = True
        elif opcode == _WRITE_DISABLE:
            self._write_enabled = False
        elif opcode == _VOLATILE_ENABLE:
            self._volatile_enabled = True
        elif opcode == _RESET_ENABLE:
            self._reset_enabled = True
        elif opcode == _POWER_DOWN:
            self._powered_down = True
        elif opcode not in {_HIGH_PERFORMANCE, _FILL}:
            self._note("unknown opcode", now, sent)

    # Reads.

    def read(self, address: int, length: int) -> bytes:
        """Bytes of the array, without the bus and without time; the array wraps at its end."""
        address %= self.length
        if address + length <= self.length:
            return self._store.read(address, length)
        found = self._store.read(address, self.length - address)
        whole, rest = divmod(length - len(found), self.length)
        everything = self._store.read(0, self.length) if whole else b""
        return found + everything * whole + self._store.read(0, rest)

    def at_hand(self, address: int, length: int) -> bool:
        """Whether bytes of the array cost nothing to read."""
        address %= self.length
        length = min(length, self.length)
        around = max(0, address + length - self.length)
        return self._store.at_hand(address, length - around) and self._store.at_hand(0, around)

    def _read_status(self, opcode: int, now: int, sent: bytes, receive: int) -> bytes:
        register = _STATUS_READS[opcode] + 1
        if register > self.part.status_registers:
            self._note("unknown opcode", now, sent)
            return b"\xff" * receive
        return bytes([self.status(register, now)]) * receive

    def _read_array(self, sent: bytes, receive: int) -> bytes:
        header = _ADDRESS_END + _READ_ROWS[sent[0]]
        # Bytes that the header lacks are clocked in while the host already listens.
        silent = min(max(0, header - len(sent)), receive)
        late = max(0, len(sent) - header)
        return b"\xff" * silent + self.read(_address(sent) + late, receive - silent)

    def _make_tables(self) -> dict[int, tuple[int, int, bytes]]:
        """Constant answers by opcode: bytes of the header, whether it has an address, one round of data."""
        part = self.part
        device = part.bytes.bit_length() - 2  # 15 for 4 MB, as Winbond numbers them
        unique = part.id + b"\x00\x00\x00\x00\x01"
        return {
            _JEDEC_ID: (1, 0, part.id),
            _DEVICE_ID: (_ADDRESS_END, 1, bytes([part.id[0], device])),
            _RELEASE: (_ADDRESS_END, 0, bytes([device])),
            _UNIQUE_ID: (_ADDRESS_END + 1, 0, unique),
            _SFDP: (_ADDRESS_END + 1, 1, sfdp_table(part) if part.sfdp else b"\xff"),
        }

    def _read_table(self, sent: bytes, receive: int) -> bytes:
        if sent[0] == _RELEASE:
            self._powered_down = False
        header, addressed, table = self._tables[sent[0]]
        silent = min(max(0, header - len(sent)), receive)
        start = (_address(sent) if addressed else 0) + max(0, len(sent) - header)
        start %= len(table)
        count = receive - silent
        return b"\xff" * silent + (table * (count // len(table) + 2))[start : start + count]

    # Writes.

    def _allowed(self, now: int, sent: bytes) -> bool:
        if not self._write_enabled:
            self._note("no write enable", now, sent)
        return self._write_enabled

    def _write_status(self, now: int, sent: bytes) -> None:
        if not (self._volatile_enabled or self._allowed(now, sent)):
            return
        first = _STATUS_WRITES[sent[0]]
        registers = range(first, self.part.status_registers)
        values = sent[1 : 3 if first == 0 else 2]
        if not values or not registers:
            self._note("incomplete" if registers else "unknown opcode", now, sent)
            return
        kept = not self._volatile_enabled
        for register, value in zip(registers, values, strict=False):
            self._status[register] = value & _WRITABLE[register]
            if kept:
                self._kept[register] = self._status[register]
        if kept:
            self.busy_until = now + self.timing.status
            self.on_status_write()
        self._write_enabled = self._volatile_enabled = False

    def _page_program(self, now: int, sent: bytes) -> None:
        if not self._allowed(now, sent):
            return
        data = sent[_ADDRESS_END:]
        if not data:
            self._note("incomplete", now, sent)
            return
        address = _address(sent) % self.length
        page, column = address & -PAGE, address % PAGE
        if len(data) > PAGE:  # it has gone round, and only the last 256 are left
            column = (column + len(data)) % PAGE
            data = data[-PAGE:]
        if self._is_protected(range(page, page + PAGE)):
            self._deny(now, sent)
            return
        operation = self._begin("page", page + column, len(data), blank=_is_blank(data))
        fault = self._disturbance(operation)
        done = data if fault.cut is None else data[: int(len(data) * fault.cut)]
        ahead = PAGE - column
        image = done[ahead:].ljust(column, b"\xff")[:column] + done[:ahead].ljust(ahead, b"\xff")
        old = int.from_bytes(self._store.read(page, PAGE), "little")
        new = old & int.from_bytes(image, "little")
        if new != old and not fault.skipped:
            self._store.write(page, new.to_bytes(PAGE, "little"))
        self._finish(operation, fault, now)

    def _erase(self, now: int, sent: bytes) -> None:
        if not self._allowed(now, sent):
            return
        row = _ERASE_BY_OPCODE[sent[0]]
        if row.size and len(sent) < _ADDRESS_END:
            self._note("incomplete", now, sent)
            return
        size = row.size or self.length
        address = _address(sent) % self.length & -size if row.size else 0
        if self._is_protected(range(address, address + size)):
            self._deny(now, sent)
            return
        erased = _ERASED.get(size) or b"\xff" * size
        # What is not at hand is taken for used: to read it would be all that it takes to lose it.
        blank = self._store.at_hand(address, size) and self._store.read(address, size) == erased
        operation = self._begin(row.kind, address, size, blank=blank)
        fault = self._disturbance(operation)
        done = size if fault.cut is None else int(size * fault.cut)
        if not blank and not fault.skipped:
            self._store.write(address, erased[:done])
        for cell, bit in fault.stuck:
            if address <= cell < address + done:
                worn = self._store.read(cell, 1)[0] & ~(1 << bit)
                self._store.write(cell, bytes([worn]))
        self._finish(operation, fault, now)

    def _is_protected(self, region: range) -> bool:
        locked = protected_range(self.part, self._status[0])
        return max(locked.start, region.start) < min(locked.stop, region.stop)

    def _deny(self, now: int, sent: bytes) -> None:
        """A protected program or erase is not begun; that it clears WEL all the same is assumed."""
        self._note("protected", now, sent)
        self._write_enabled = False

    def _begin(self, kind: str, address: int, size: int, *, blank: bool) -> Operation:
        self.counts[kind] += 1
        return Operation(kind, address, size, self.counts[kind], blank)

    def _disturbance(self, operation: Operation) -> Disturbance:
        return (self.disturb(operation) if self.disturb is not None else None) or _UNDISTURBED

    def _finish(self, operation: Operation, fault: Disturbance, now: int) -> None:
        timing = MAXIMUM if fault.slow else self.timing
        time = timing.duration(operation.kind, size=self.length, blank=operation.blank)
        self.busy_until = now + time
        self._write_enabled = False
        if self.on_operation is not None:
            self.on_operation(operation)
        if fault.cut is not None:
            raise PowerCut(operation, now + int(time * fault.cut))

    def _reset(self, now: int, sent: bytes, *, armed: bool) -> None:
        if not armed:
            self._note("unknown opcode", now, sent)
            return
        self.power_on()
        self.busy_until = now + self.timing.reset

    # For the ROM's own routines.

    def erase(self, now: int, kind: str, address: int = 0) -> int:
        """Write enable and one erase, begun as soon as the flash is ready.

        Args:
            now: Time in ns.
            kind: ``sector``, ``block32``, ``block64`` or ``chip``.
            address: Anywhere in the region.

        Returns:
            When it is done, in ns.  The transfer itself takes no time here.

        Raises:
            KeyError: There is no such erase.
            PowerCut: A disturbance asked for it.
        """
        opcode = ERASES[kind]
        start = max(now, self.busy_until)
        self.transact(start, bytes([_WRITE_ENABLE]), 0)
        self.transact(start, bytes([opcode]) + (address & _ADDRESSES).to_bytes(3, "big"), 0)
        return max(start, self.busy_until)

    def program(self, now: int, address: int, data: bytes) -> int:
        """Program any number of bytes, page by page, each with its write enable.

        Returns:
            When the last page is done, in ns.  The transfers themselves take no time here.

        Raises:
            PowerCut: A disturbance asked for it.
        """
        time = max(now, self.busy_until)
        position = 0
        while position < len(data):
            place = address + position & _ADDRESSES
            piece = data[position : position + PAGE - place % PAGE]
            self.transact(time, bytes([_WRITE_ENABLE]), 0)
            self.transact(time, bytes([_PROGRAM]) + place.to_bytes(3, "big") + piece, 0)
            time = max(time, self.busy_until)
            position += len(piece)
        return time


_ERASE_BY_OPCODE: Final = {row.opcode: row for row in _ERASE_ROWS}
_UNDISTURBED: Final = Disturbance()


def _address(sent: bytes) -> int:
    return int.from_bytes(sent[1:_ADDRESS_END].ljust(3, b"\x00"), "big")


def _is_blank(data: bytes) -> bool:
    return data.count(_FILL) == len(data)
