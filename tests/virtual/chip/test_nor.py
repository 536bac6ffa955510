from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgtool.errors import LayoutError
from imgtool.flash_parts import FLASH_PARTS, FlashPart, default_part, flash_part
from imgtool.virtual.chip.nor import (
    MAXIMUM,
    TYPICAL,
    TYPICAL_BLANK,
    Disturbance,
    NorFlash,
    Operation,
    PowerCut,
    Violation,
    protected_range,
)
from imgtool.virtual.chip.store import MemoryStore

KB = 1024
MS = 1_000_000
LATER = 10**15  # ns; longer than any operation


def make(part: str = "W25Q32") -> NorFlash:
    row = flash_part(part)
    return NorFlash(row, MemoryStore(row.bytes))


def kinds(flash: NorFlash) -> list[str]:
    return [violation.kind for violation in flash.violations]


# The table of parts.


@pytest.mark.parametrize("part", FLASH_PARTS, ids=[part.name for part in FLASH_PARTS])
def test_part(part: FlashPart) -> None:
    exponent = 14 + (part.id[1] & 0x1F) + 1 if part.vendor == "Adesto" else part.id[2]

    assert len(part.id) == 3
    assert part.bytes == 1 << exponent
    assert 1 <= part.status_registers <= 3
    assert part.quad_enable is None or part.quad_enable < 8 * part.status_registers
    assert part.cite.startswith("https://")
    assert flash_part(part.name) is part


def test_ids_and_names_are_unique() -> None:
    assert len({part.id for part in FLASH_PARTS}) == len(FLASH_PARTS)
    assert len({part.name for part in FLASH_PARTS}) == len(FLASH_PARTS)


@pytest.mark.parametrize("size", [512 * KB, 1024 * KB, 2048 * KB, 4096 * KB, 8192 * KB, 16384 * KB])
def test_default_part(size: int) -> None:
    assert default_part(size).bytes == size
    assert default_part(size).vendor == "GigaDevice"


def test_no_such_part() -> None:
    with pytest.raises(KeyError):
        flash_part("W25Q33")
    with pytest.raises(KeyError):
        default_part(3 << 20)


def test_store_of_another_size() -> None:
    with pytest.raises(LayoutError, match=r"W25Q32 \(expected 4,194,304 bytes, found 4,096 bytes\)"):
        NorFlash(flash_part("W25Q32"), MemoryStore(4096))


# Reads.

READS = [
    ("03", "123456", 0),
    ("0b", "123456", 1),
    ("3b", "123456", 1),
    ("6b", "123456", 1),
    ("bb", "123456", 1),
    ("eb", "123456", 3),
]


@pytest.mark.parametrize(("opcode", "address", "dummies"), READS)
def test_read(opcode: str, address: str, dummies: int) -> None:
    flash = make()
    flash.program(0, 0x123456, b"some bytes")

    sent = bytes.fromhex(opcode + address) + bytes(dummies)

    assert flash.transact(LATER, sent, 10) == b"some bytes"
    assert flash.violations == []


@pytest.mark.parametrize(("opcode", "address", "dummies"), READS)
def test_dummies_that_are_missing_or_too_many_shift_the_data(opcode: str, address: str, dummies: int) -> None:
    flash = make()
    flash.program(0, 0x123456, b"some bytes")
    sent = bytes.fromhex(opcode + address)

    assert flash.transact(LATER, sent, 4 + dummies) == b"\xff" * dummies + b"some"
    assert flash.transact(LATER, sent + bytes(dummies + 2), 4) == b"me b"


def test_read_wraps_at_the_end_of_the_array() -> None:
    flash = make()
    now = flash.program(0, 0x3FFFFC, b"tail")
    flash.program(now, 0, b"head")

    assert flash.transact(LATER, bytes.fromhex("033ffffc"), 10) == b"tailhead\xff\xff"
    assert flash.read(0x3FFFFC, 8) == b"tailhead"
    assert flash.transact(LATER, bytes.fromhex("03fffffe"), 4) == b"ilhe"  # address bits above are unused
    small = make("GD25Q40")
    assert len(small.read(1, 2 * small.length + 5)) == 2 * small.length + 5


ANSWERS = [
    ("9f", 3, "ef4016"),
    ("9f", 7, "ef4016ef4016ef"),
    ("90000000", 4, "ef15ef15"),
    ("90000001", 4, "15ef15ef"),
    ("ab000000", 3, "151515"),
    ("ab", 5, "ffffff1515"),
    ("4b00000000", 8, "ef40160000000001"),
    ("05", 2, "0000"),
    ("35", 1, "00"),
    ("15", 1, "00"),
    ("a3000000", 0, ""),
    ("", 2, "ffff"),
]


@pytest.mark.parametrize(("sent", "receive", "answer"), ANSWERS)
def test_answer(sent: str, receive: int, answer: str) -> None:
    flash = make()

    assert flash.transact(0, bytes.fromhex(sent), receive).hex() == answer
    assert flash.violations == []


def test_unknown_opcode() -> None:
    flash = make()

    assert flash.transact(5, b"\x77\x01", 2) == b"\xff\xff"
    assert flash.violations == [Violation("unknown opcode", None, 5, 0x77)]


def test_id_can_be_replaced() -> None:
    part = replace(flash_part("GD25Q32"), id=b"\x01\x02\x03")

    assert NorFlash(part, MemoryStore(part.bytes)).transact(0, b"\x9f", 3) == b"\x01\x02\x03"


# SFDP, by a parser that shares nothing with the module.


class Sfdp(NamedTuple):
    density: int
    sector_opcode: int
    erases: dict[int, int]
    reads: dict[str, tuple[int, int]]


def parse_sfdp(flash: NorFlash) -> Sfdp:
    def at(address: int, length: int) -> bytes:
        return flash.transact(LATER, b"\x5a" + address.to_bytes(3, "big") + b"\0", length)

    assert at(0, 4) == b"SFDP"
    minor, major, headers, unused = at(4, 4)
    assert (minor, major, headers, unused) == (0, 1, 0, 0xFF)
    low, _, table_major, words = at(8, 4)
    pointer = int.from_bytes(at(12, 3), "little")
    assert (low, at(15, 1)[0], table_major) == (0, 0xFF, 1)
    dword = [int.from_bytes(at(pointer + 4 * i, 4), "little") for i in range(words)]
    assert dword[0] & 0b11 == 0b01  # 4 KiB erase everywhere
    assert dword[0] >> 17 & 0b11 == 0  # three address bytes only
    assert dword[1] >> 31 == 0
    erases = {}
    for word in dword[7:9]:
        for half in (word & 0xFFFF, word >> 16):
            if half & 0xFF:
                erases[1 << (half & 0xFF)] = half >> 8
    reads = {}
    for name, bit, word, shift in (
        ("1-4-4", 21, dword[2], 0),
        ("1-1-4", 22, dword[2], 16),
        ("1-1-2", 16, dword[3], 0),
        ("1-2-2", 20, dword[3], 16),
    ):
        if dword[0] >> bit & 1:
            half = word >> shift & 0xFFFF
            reads[name] = (half >> 8, (half & 0x1F) + (half >> 5 & 0x7))
    return Sfdp((dword[1] + 1) // 8, dword[0] >> 8 & 0xFF, erases, reads)


@pytest.mark.parametrize("part", [part for part in FLASH_PARTS if part.sfdp], ids=lambda part: part.name)
def test_sfdp_says_what_the_part_is(part: FlashPart) -> None:
    sfdp = parse_sfdp(NorFlash(part, MemoryStore(part.bytes)))

    assert sfdp.density == part.bytes
    assert sfdp.sector_opcode == 0x20
    assert sfdp.erases == {0x1000: 0x20, 0x8000: 0x52, 0x10000: 0xD8}
    assert sfdp.reads == {"1-4-4": (0xEB, 6), "1-1-4": (0x6B, 8), "1-1-2": (0x3B, 8), "1-2-2": (0xBB, 4)}


def test_part_without_sfdp() -> None:
    assert make("EN25Q32").transact(0, bytes.fromhex("5a00000000"), 4) == b"\xff" * 4


# Write enable and status registers.


def test_write_enable_is_a_latch() -> None:
    flash = make()

    flash.transact(0, b"\x06", 0)
    assert flash.status(1, 0) == 0x02
    flash.transact(0, b"\x04", 0)
    assert flash.status(1, 0) == 0
    flash.transact(0, b"\x50", 0)
    assert flash.status(1, 0) == 0


NEEDS_ENABLE = ["02000000aa", "20000000", "52000000", "d8000000", "c7", "60", "0100", "3100", "1100"]


@pytest.mark.parametrize("sent", NEEDS_ENABLE)
def test_nothing_happens_without_write_enable(sent: str) -> None:
    flash = make()
    flash.program(0, 0, b"\x55")

    flash.transact(LATER, bytes.fromhex(sent), 0)

    assert kinds(flash) == ["no write enable"]
    assert flash.read(0, 1) == b"\x55"
    assert flash.status(1, LATER) == 0


@pytest.mark.parametrize("sent", NEEDS_ENABLE)
def test_write_enable_is_used_up(sent: str) -> None:
    flash = make()

    flash.transact(0, b"\x06", 0)
    flash.transact(0, bytes.fromhex(sent), 0)

    assert flash.status(1, 1) == 0x01
    assert flash.status(1, LATER) == 0
    assert flash.violations == []


@pytest.mark.parametrize("sent", ["02000000", "02", "200000", "52", "d80000", "01", "31"])
def test_incomplete_instruction(sent: str) -> None:
    flash = make()

    flash.transact(0, b"\x06", 0)
    flash.transact(0, bytes.fromhex(sent), 0)

    assert kinds(flash) == ["incomplete"]
    assert flash.busy_until == 0


@pytest.mark.parametrize(
    ("sent", "registers"),
    [("01ff", (0xFC, 0, 0)), ("01ffff", (0xFC, 0x7F, 0)), ("3102", (0, 2, 0)), ("1160", (0, 0, 0x60))],
)
def test_status_write(sent: str, registers: tuple[int, int, int]) -> None:
    flash = make()

    flash.transact(0, b"\x06", 0)
    flash.transact(0, bytes.fromhex(sent), 0)

    assert flash.busy_until == 10 * MS
    read = [flash.transact(LATER, bytes([opcode]), 1)[0] for opcode in (0x05, 0x35, 0x15)]
    assert tuple(read) == registers
    flash.power_on()
    assert tuple(flash.status(number, 0) for number in (1, 2, 3)) == registers


def test_volatile_status_is_lost_with_the_power() -> None:
    flash = make()

    flash.transact(0, b"\x50", 0)
    flash.transact(0, b"\x01\x1c\x02", 0)

    assert (flash.status(1, 0), flash.status(2, 0)) == (0x1C, 0x02)
    flash.power_on()
    assert (flash.status(1, 0), flash.status(2, 0)) == (0, 0)


def test_volatile_enable_is_for_status_writes_only() -> None:
    flash = make()

    flash.transact(0, b"\x50", 0)
    flash.transact(0, bytes.fromhex("0200000055"), 0)

    assert kinds(flash) == ["no write enable"]


def test_status_register_that_the_part_has_not() -> None:
    flash = make("MX25L8006E")

    assert flash.transact(0, b"\x35", 1) == b"\xff"
    flash.transact(0, b"\x06", 0)
    flash.transact(0, b"\x31\x02", 0)

    assert kinds(flash) == ["unknown opcode", "unknown opcode"]


# Busy, reset, power-down, attachment.

OPERATIONS = [
    ("0200000055", 700_000, 3 * MS),
    ("02000000ff", 700_000, 3 * MS),
    ("20000000", 45 * MS, 400 * MS),
    ("52000000", 120 * MS, 800 * MS),
    ("d8000000", 150 * MS, 1000 * MS),
    ("c7", 10_000 * MS, 50_000 * MS),
    ("60", 10_000 * MS, 50_000 * MS),
]


@pytest.mark.parametrize(("sent", "typical", "maximum"), OPERATIONS)
def test_busy_time(sent: str, typical: int, maximum: int) -> None:
    for timing, expected in ((TYPICAL, typical), (MAXIMUM, maximum)):
        part = flash_part("GD25Q32")
        flash = NorFlash(part, MemoryStore(part.bytes), timing=timing)
        flash.transact(100, b"\x06", 0)
        flash.transact(100, bytes.fromhex(sent), 0)

        assert flash.busy_until == 100 + expected
        assert flash.transact(99 + expected, b"\x05", 1) == b"\x01"
        assert flash.transact(100 + expected, b"\x05", 1) == b"\x00"


def test_blank_pages_in_the_other_column() -> None:
    part = flash_part("GD25Q32")
    flash = NorFlash(part, MemoryStore(part.bytes), timing=TYPICAL_BLANK)

    assert flash.program(0, 0, b"\xff" * 256) == 50_000
    assert flash.program(10**6, 0, b"\xff" * 255 + b"\0") == 10**6 + 700_000


def test_chip_erase_scales_with_the_size() -> None:
    assert make("GD25Q40").erase(0, "chip") == 1_250 * MS
    assert make("GD25Q128").erase(0, "chip") == 40_000 * MS


@pytest.mark.parametrize("sent", ["9f", "03000000", "5a00000000", "ab", "06", "20000000", "0255", "66"])
def test_busy_flash_answers_only_status_reads(sent: str) -> None:
    flash = make()
    end = flash.erase(0, "sector", 0)

    assert flash.transact(end - 1, bytes.fromhex(sent), 3) == b"\xff\xff\xff"
    # What only misses an answer is no fault of a driver.
    kept = flash.ignored if sent[:2] in ("9f", "5a", "ab", "06") else flash.violations
    assert [violation.kind for violation in kept] == ["busy"]
    assert len(flash.ignored) + len(flash.violations) == 1
    assert flash.transact(end - 1, b"\x35", 1) == b"\x00"
    assert flash.transact(end - 1, b"\x15", 1) == b"\x00"
    assert flash.status(1, end) == 0
    assert flash.transact(end, b"\x9f", 3).hex() == "ef4016"


def test_reset_needs_both_opcodes_in_a_row() -> None:
    flash = make()
    flash.transact(0, b"\x06", 0)
    flash.transact(0, b"\x99", 0)
    flash.transact(0, b"\x66", 0)
    flash.transact(0, b"\x9f", 3)
    flash.transact(0, b"\x99", 0)
    assert flash.status(1, 0) == 0x02
    assert kinds(flash) == ["unknown opcode"] * 2

    flash.transact(0, b"\x66", 0)
    flash.transact(0, b"\x99", 0)

    assert flash.status(1, 0) == 0x01
    assert flash.status(1, 30_000) == 0


def test_power_down() -> None:
    flash = make()
    flash.transact(0, b"\xb9", 0)

    assert flash.transact(0, b"\x9f", 3) == b"\xff" * 3
    assert flash.transact(0, b"\x05", 1) == b"\xff"
    assert flash.transact(0, b"\xab\0\0\0", 1) == b"\x15"
    assert flash.transact(0, b"\x9f", 3).hex() == "ef4016"
    assert kinds(flash) == ["powered down"] * 2


def test_detached_flash_reads_ff_and_keeps_its_data() -> None:
    flash = make()
    flash.attached = False

    assert flash.transact(0, b"\x9f", 3) == b"\xff" * 3
    flash.program(0, 0, b"\0")
    flash.attached = True

    assert flash.read(0, 1) == b"\xff"
    assert kinds(flash) == ["not attached"] * 3


def test_violations_are_counted_but_not_kept_for_ever() -> None:
    flash = make()
    flash.attached = False

    for now in range(1200):
        flash.transact(now, b"\x05", 1)

    assert len(flash.violations) == 1000
    assert flash.violation_counts == {"not attached": 1200}


# Protection, by the tables of the data sheets.

PROTECTED = [
    ("GD25Q40", 0x04, 0x70000, 0x80000),
    ("GD25Q40", 0x0C, 0x40000, 0x80000),
    ("GD25Q40", 0x10, 0, 0x80000),
    ("GD25Q16", 0x04, 0x1F0000, 0x200000),
    ("GD25Q16", 0x14, 0x100000, 0x200000),
    ("GD25Q16", 0x18, 0, 0x200000),
    ("GD25Q16", 0x24, 0, 0x10000),
    ("GD25Q32", 0x18, 0x200000, 0x400000),
    ("GD25Q32", 0x38, 0, 0x200000),
    ("GD25Q32", 0x1C, 0, 0x400000),
    ("GD25Q32", 0x7C, 0, 0x400000),
    ("GD25Q32", 0x44, 0x3FF000, 0x400000),
    ("GD25Q32", 0x48, 0x3FE000, 0x400000),
    ("GD25Q32", 0x4C, 0x3FC000, 0x400000),
    ("GD25Q32", 0x50, 0x3F8000, 0x400000),
    ("GD25Q32", 0x54, 0x3F8000, 0x400000),
    ("GD25Q32", 0x64, 0, 0x1000),
    ("GD25Q32", 0x74, 0, 0x8000),
    ("GD25Q128", 0x04, 0xFC0000, 0x1000000),
    ("GD25Q128", 0x08, 0xF80000, 0x1000000),
    ("GD25Q128", 0x24, 0, 0x40000),
    ("MX25L3233F", 0x44, 0x3F0000, 0x400000),
]


@pytest.mark.parametrize(("part", "status", "start", "end"), PROTECTED)
def test_protected_range(part: str, status: int, start: int, end: int) -> None:
    assert protected_range(flash_part(part), status) == range(start, end)


@pytest.mark.parametrize("status", [0x00, 0x20, 0x40, 0x60, 0x80])
def test_nothing_is_protected(status: int) -> None:
    assert not protected_range(flash_part("W25Q32"), status)


def test_protected_operations_are_ignored() -> None:
    flash = make()
    now = flash.program(0, 0x3F0000, b"kept")
    flash.transact(now, b"\x06", 0)
    flash.transact(now, b"\x01\x04", 0)
    now = flash.busy_until

    assert flash.program(now, 0x3F0010, b"\0") == now
    for kind in ("sector", "block32", "block64", "chip"):
        assert flash.erase(now, kind, 0x3F0000) == now
    assert flash.erase(now, "sector", 0x3EF000) > now

    assert flash.read(0x3F0000, 32) == b"kept" + b"\xff" * 28
    assert kinds(flash) == ["protected"] * 5
    assert flash.violations[0].address == 0x3F0010
    assert flash.counts == {"page": 1, "sector": 1}


def test_locked_flash() -> None:
    flash = make()
    flash.protect()
    flash.power_on()

    flash.program(0, 0, b"\0")

    assert flash.transact(0, b"\x05", 1) == b"\x1c"
    assert kinds(flash) == ["protected"]


# Operations, observer, disturbances.


def test_observer_sees_every_operation() -> None:
    seen: list[Operation] = []
    part = flash_part("GD25Q32")
    flash = NorFlash(part, MemoryStore(part.bytes), on_operation=seen.append)

    now = flash.program(0, 0x10FE, b"abcd")
    now = flash.program(now, 0x2000, b"\xff" * 10)
    now = flash.erase(now, "sector", 0x1ABC)
    now = flash.erase(now, "sector", 0x1000)
    now = flash.erase(now, "block32", 0x8001)
    flash.erase(now, "block64", 0x12345)

    assert seen == [
        Operation("page", 0x10FE, 2, 1, blank=False),
        Operation("page", 0x1100, 2, 2, blank=False),
        Operation("page", 0x2000, 10, 3, blank=True),
        Operation("sector", 0x1000, 0x1000, 1, blank=False),
        Operation("sector", 0x1000, 0x1000, 2, blank=True),
        Operation("block32", 0x8000, 0x8000, 1, blank=True),
        Operation("block64", 0x10000, 0x10000, 1, blank=True),
    ]


def disturbed(fault: Disturbance, kind: str) -> NorFlash:
    part = flash_part("GD25Q32")

    def disturb(operation: Operation) -> Disturbance | None:
        return fault if operation.kind == kind and operation.number == 2 else None

    return NorFlash(part, MemoryStore(part.bytes), disturb=disturb)


def test_slow_operation() -> None:
    flash = disturbed(Disturbance(slow=True), "sector")

    assert flash.erase(0, "sector") == 45 * MS
    assert flash.erase(LATER, "sector") == LATER + 400 * MS


@pytest.mark.parametrize(("fraction", "done"), [(0.0, 0), (0.5, 0x800), (1.0, 0x1000)])
def test_power_cut_in_an_erase(fraction: float, done: int) -> None:
    flash = disturbed(Disturbance(cut=fraction), "sector")
    now = flash.program(0, 0x1000, bytes(0x1000))
    now = flash.erase(now, "sector", 0x5000)

    with pytest.raises(PowerCut) as caught:
        flash.erase(now, "sector", 0x1000)

    assert caught.value.time == now + int(45 * MS * fraction)
    assert caught.value.operation == Operation("sector", 0x1000, 0x1000, 2, blank=False)
    flash.power_on()
    assert flash.status(1, now) == 0
    assert flash.read(0x1000, 0x1000) == b"\xff" * done + bytes(0x1000 - done)


def test_power_cut_in_a_page() -> None:
    flash = disturbed(Disturbance(cut=0.25), "page")
    now = flash.program(0, 0, b"\0")

    with pytest.raises(PowerCut, match="power cut in page 2"):
        flash.program(now, 0x100, bytes(256))

    assert flash.read(0x100, 256) == bytes(64) + b"\xff" * 192


def test_worn_cells_stay_zero() -> None:
    flash = disturbed(Disturbance(stuck=((0x1003, 4), (0x1004, 0), (0x9000, 1))), "sector")
    now = flash.erase(0, "sector", 0x1000)
    assert flash.read(0x1000, 6) == b"\xff" * 6

    flash.erase(now, "sector", 0x1000)

    assert flash.read(0x1000, 6).hex() == "ffffffeffeff"
    assert flash.read(0x9000, 1) == b"\xff"


def test_no_such_erase() -> None:
    with pytest.raises(KeyError):
        make().erase(0, "block128")


# The law: the same as a model that knows one byte at a time.

SMALL = FlashPart(
    name="law",
    vendor="none",
    id=b"\xc8\x40\x11",
    bytes=0x2_0000,
    sfdp=True,
    status_registers=3,
    protection=0x7C,
    quad_enable=9,
    cite="https://none",
)
SIZES = {0x20: 0x1000, 0x52: 0x8000, 0xD8: 0x10000}
# What this status protects of 128 KiB, written down by hand.
LOCKS = {
    0x00: (0, 0),
    0x04: (0x10000, 0x20000),
    0x24: (0, 0x10000),
    0x44: (0x1F000, 0x20000),
    0x68: (0, 0x2000),
}


class Model:
    def __init__(self) -> None:
        self.array = [0xFF] * SMALL.bytes
        self.enabled = False
        self.lock = (0, 0)

    def locked(self, start: int, size: int) -> bool:
        return any(self.lock[0] <= place < self.lock[1] for place in (start, start + size - 1)) or (
            start <= self.lock[0] < start + size and self.lock[0] < self.lock[1]
        )

    def step(self, sent: bytes) -> None:
        if sent[0] == 0x06:
            self.enabled = True
            return
        if not self.enabled:
            return
        self.enabled = False
        address = int.from_bytes(sent[1:4], "big") % SMALL.bytes
        if sent[0] == 0x01:
            self.lock = LOCKS[sent[1]]
        elif sent[0] == 0x02:
            page = address // 256 * 256
            latch: dict[int, int] = {}
            for number, byte in enumerate(sent[4:]):
                latch[page + (address + number) % 256] = byte
            if not self.locked(page, 256):
                for place, byte in latch.items():
                    self.array[place] &= byte
        else:
            size = SIZES.get(sent[0], SMALL.bytes)
            start = address // size * size if sent[0] in SIZES else 0
            if not self.locked(start, size):
                self.array[start : start + size] = [0xFF] * size


places = st.one_of(st.integers(0, 0x400), st.integers(0x1FC00, 0x20100), st.integers(0xFF00, 0x10100))
pages = st.builds(
    lambda address, data: b"\x02" + address.to_bytes(3, "big") + data,
    places,
    st.one_of(st.binary(min_size=1, max_size=8), st.binary(min_size=250, max_size=600)),
)
erases = st.builds(
    lambda opcode, address: bytes([opcode]) + address.to_bytes(3, "big"), st.sampled_from([*SIZES]), places
)
steps = st.one_of(
    pages,
    pages,
    erases,
    st.just(b"\x06"),
    st.just(b"\xc7"),
    st.sampled_from([*LOCKS]).map(lambda s: bytes([1, s])),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), steps), max_size=25))
def test_law_flash_is_as_its_model(script: list[tuple[bool, bytes]]) -> None:
    flash = NorFlash(SMALL, MemoryStore(SMALL.bytes))
    model = Model()
    now = 0

    for enable, sent in script:
        for item in (b"\x06", sent) if enable else (sent,):
            flash.transact(now, item, 0)
            model.step(item)
            now = max(now, flash.busy_until)
            assert bool(flash.status(1, now) & 2) == model.enabled

    assert flash.read(0, SMALL.bytes) == bytes(model.array)
    assert set(kinds(flash)) <= {"no write enable", "protected"}


@settings(max_examples=40, deadline=None)
@given(places, st.binary(max_size=1500), st.binary(max_size=1500))
def test_law_program_only_clears_bits(address: int, first: bytes, second: bytes) -> None:
    flash = NorFlash(SMALL, MemoryStore(SMALL.bytes))

    now = flash.program(0, address, first)
    now = flash.program(now, address, second)

    both = zip(first.ljust(1500, b"\xff"), second.ljust(1500, b"\xff"), strict=True)
    assert flash.read(address, 1500) == bytes(a & b for a, b in both)
    assert now == 700_000 * sum(flash.counts.values())
    assert flash.violations == []
