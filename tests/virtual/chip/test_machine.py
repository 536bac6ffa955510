"""The chip as a whole, without a line: straps, programs with interrupts, traps, boots, and times."""

from __future__ import annotations

import struct

import pytest

from imgtool.virtual.chip.boot import boot
from imgtool.virtual.chip.faults import parse_plan
from imgtool.virtual.chip.ledger import COLUMNS, HOST_FIXED_NS, Ledger
from imgtool.virtual.chip.machine import Activity, Setup, Stop, VirtualChip
from imgtool.virtual.chip.nor import Operation
from imgtool.virtual.chip.store import MemoryStore
from imgtool.virtual.cpu.core import Trap
from imgtool.virtual.line.link import VirtualLine
from tests.support import IMAGES

MS = 1_000_000


def with_flash(content: bytes, **settings: object) -> VirtualChip:
    """A chip whose flash of 4 MB begins with these bytes."""
    store = MemoryStore(0x40_0000)
    store.write(0, content)
    return VirtualChip(Setup(store=store, **settings))  # type: ignore[arg-type] # by name


def loaded(name: str) -> VirtualChip:
    """A chip that has just been told to run a program of the fixtures."""
    chip = VirtualChip(Setup())
    chip.power_on(download=True)
    chip.uart.drain()
    image = IMAGES[f"programs/{name}.bin"]
    (entry,) = struct.unpack_from("<I", image, 4)
    at = 8
    for _ in range(image[1]):
        address, size = struct.unpack_from("<II", image, at)
        chip.core.load(address, image[at + 8 : at + 8 + size])
        at += 8 + size
    chip.attach_flash()
    chip.start(entry)
    return chip


def output(chip: VirtualChip, until: int) -> bytes:
    """What the chip says until a moment."""
    said = bytearray()
    while chip.now < until:
        pause = chip.run(until)
        said += bytes(byte for byte, _, _ in chip.uart.drain())
        if pause is Stop.IDLE:
            break
    return bytes(said)


# Reset lines.

RELEASED, DOWN, BOTH, GPIO0 = (False, False), (False, True), (True, True), (True, False)


@pytest.mark.parametrize(
    ("steps", "activity"),
    [
        # (lines, milliseconds until the next step)
        ([(DOWN, 100), (GPIO0, 50), (RELEASED, 10)], Activity.LOADER),
        ([(DOWN, 100), (BOTH, 0), (GPIO0, 50), (RELEASED, 10)], Activity.LOADER),
        ([(BOTH, 0), (DOWN, 100), (BOTH, 0), (GPIO0, 50), (RELEASED, 10)], Activity.LOADER),
        ([(DOWN, 100), (BOTH, 20), (GPIO0, 50), (RELEASED, 10)], Activity.APPLICATION),  # both pull neither
        ([(DOWN, 100), (RELEASED, 10)], Activity.BOOT),
        ([(DOWN, 100), (GPIO0, 1), (RELEASED, 10)], Activity.BOOT),  # let go before it is read
        ([(DOWN, 100)], Activity.HELD),
        ([(GPIO0, 100)], Activity.LOADER),  # GPIO0 alone resets nothing
    ],
)
def test_straps(steps: list[tuple[tuple[bool, bool], int]], activity: Activity) -> None:
    chip = with_flash(IMAGES["sample/0x00000.bin"])
    chip.power_on(download=True)
    for (dtr, rts), pause in steps:
        chip.set_lines(dtr=dtr, rts=rts)
        end = chip.now + pause * MS
        while chip.now < end and chip.run(end) is not Stop.IDLE:
            chip.uart.drain()
        chip.pass_time(end)
    assert chip.activity is activity


@pytest.mark.parametrize(
    ("rise", "neither", "activity"),
    [
        (3, 2, Activity.LOADER),
        (3, 4, Activity.APPLICATION),
        (50, 40, Activity.LOADER),
        (50, 60, Activity.APPLICATION),
    ],
)
def test_gpio0_is_read_when_en_has_risen(rise: int, neither: int, activity: Activity) -> None:
    chip = with_flash(IMAGES["sample/0x00000.bin"], rise_ns=rise * MS)
    chip.power_on(download=True)
    for (dtr, rts), pause in [(DOWN, 100), (RELEASED, neither), (GPIO0, 50)]:
        chip.set_lines(dtr=dtr, rts=rts)
        output(chip, chip.now + pause * MS)
        chip.pass_time(chip.now + pause * MS)
    assert chip.activity is activity


def test_slow_lines_pass_through_both_asserted() -> None:
    chip = VirtualChip(Setup())
    chip.slow_lines = True
    chip.power_on(download=False)
    for (dtr, rts), pause in [(DOWN, 200), (BOTH, 200), (GPIO0, 200), (RELEASED, 10)]:
        chip.set_lines(dtr=dtr, rts=rts)
        output(chip, chip.now + pause * MS)
        chip.pass_time(chip.now + pause * MS)
    assert chip.activity is Activity.LOADER


# Programs.


def test_an_interrupt_handler_echoes_and_idling_costs_nothing() -> None:
    chip = loaded("echo")
    link = VirtualLine(chip)
    chip.run()
    assert chip.activity is Activity.PROGRAM
    begun = chip.core.instructions
    link.send(b"HAL" * 30)
    said = output(chip, chip.now + 200 * MS)
    assert said == b"IBM" * 30
    # The ROM leaves the UART so that every byte interrupts.
    assert chip.core.instructions - begun < 90 * 1_200
    assert chip.uart.overflows == 0
    assert not chip.traps


def test_a_program_prints_at_its_own_pace() -> None:
    chip = loaded("hello")
    said = output(chip, 3500 * MS)
    assert said == b"hello, round 0\r\nhello, round 1\r\nhello, round 2\r\nhello, round 3\r\n"


@pytest.mark.parametrize(
    ("name", "cause", "address"),
    [
        ("erase-without-enable", "flash command 0x20: no write enable", 0),
        ("unaligned-load", "unaligned access", 0x3FFE_8002),
        ("byte-from-iram", "8-bit load from instruction RAM", 0x4010_8000),
        ("unknown-rom", "call of an unknown ROM address 0x40000f00", 0x4000_0F00),
    ],
)
def test_traps_stop_the_program_and_tell_the_registers(name: str, cause: str, address: int) -> None:
    chip = loaded(name)
    chip.run(10 * MS)
    assert chip.activity is Activity.TRAPPED
    (trap,) = chip.traps
    assert trap.cause == cause
    assert trap.address == address
    assert len(trap.registers) == 16
    chip.power_on(download=True)
    assert chip.resets == {"power_on": 1, "external": 1}


# Boots.

WHOLE = IMAGES["dumps/nodemcu-2.2-4m.bin"]


def test_a_boot_says_what_boot_says() -> None:
    chip = with_flash(WHOLE)
    chip.power_on(download=False)
    said = output(chip, 10_000 * MS)
    assert said == b"".join(event.text for event in boot(WHOLE, chip.reset_cause).events)
    assert chip.activity is Activity.APPLICATION
    assert b"load 0x40100000" in said


def test_missing_init_data_is_a_loop() -> None:
    wiped = bytearray(IMAGES["dumps/sdk-boot-1m.bin"])
    wiped[0xFC000:0xFD000] = b"\xff" * 0x1000
    chip = with_flash(bytes(wiped))
    chip.power_on(download=False)
    said = output(chip, 20_000 * MS)
    assert said.count(b"ets Jan  8 2013,rst cause:") > 2
    assert said.count(b"rf_cal[0] !=0x05,is 0xFF") > 2
    assert chip.last_boot is not None
    assert "0x0fc000" in chip.last_boot.reason


def test_first_boot_writes_only_when_told() -> None:
    fresh = bytearray(WHOLE)
    fresh[0x3FC000:0x3FD000] = b"\xff" * 0x1000
    for writes in (False, True):
        chip = with_flash(bytes(fresh), boot_writes=writes)
        chip.power_on(download=False)
        output(chip, 20_000 * MS)
        assert (chip.flash.read(0x3FC000, 1) == b"\x05") is writes


# Time.


def test_the_columns_by_hand() -> None:
    ledger = Ledger(0x40_0000)
    step = 86_806
    ledger.sent(1000, step, turned=False)
    ledger.received(0, step)
    ledger.operated(Operation("sector", 0, 0x1000, 1, blank=False), slow=False)
    ledger.operated(Operation("page", 0, 256, 1, blank=True), slow=False)
    ledger.waited()
    ledger.speaks()
    ledger.answered(12 * step)
    ledger.sent(12, step, turned=True)
    line = 1000 * step
    expected = {}
    for column in COLUMNS:
        sector = 45 * MS if column.flash == "typical" else 400 * MS
        page = 700_000 if column.flash == "typical" else 3 * MS
        if column.blank_pages == "short":
            page = 50_000
        total = line + sector + page + 12 * step + column.latency_ms * MS + 12 * step
        expected[column] = (total + HOST_FIXED_NS) / 1e9
    assert dict(zip(COLUMNS, ledger.seconds(), strict=True)) == pytest.approx(expected)


def request(opcode: int, payload: bytes, check: int = 0) -> bytes:
    packet = struct.pack("<BBHI", 0, opcode, len(payload), check) + payload
    return b"\xc0" + packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


def test_the_first_column_is_the_clock() -> None:
    chip = VirtualChip(Setup())
    link = VirtualLine(chip)
    link.connect(download=True)
    link.take()
    sync = request(8, b"\x07\x07\x12\x20" + b"\x55" * 32)
    data = bytes(range(256)) * 4
    check = 0xEF  # each value occurs four times, so that they cancel out
    packets = [request(3, struct.pack("<IIII", len(data), n, 0, 0) + data, check) for n in range(16)]
    for frame in (sync, request(2, struct.pack("<IIII", 0x4000, 16, 0x400, 0x10000)), *packets):
        link.send(frame, baud=115200)
        while chip.run() is not Stop.IDLE and not chip.uart.sending:
            pass
        assert link.take()
    assert chip.flash.read(0x10000, 0x4000) == data * 16
    assert ledger_seconds(chip) == pytest.approx(chip.now / 1e9, rel=0.01)


def ledger_seconds(chip: VirtualChip) -> float:
    return chip.ledger.seconds()[0] - HOST_FIXED_NS / 1e9


def test_what_the_chip_does_while_it_sends_is_no_time_of_its_own() -> None:
    ledger = Ledger(0x40_0000)
    ledger.worked(5 * MS)
    ledger.speaks()
    ledger.worked(3 * MS)
    ledger.answered(10 * MS)
    assert ledger.seconds()[0] == pytest.approx((15 * MS + HOST_FIXED_NS) / 1e9)


def test_output_is_booked_from_when_it_began() -> None:
    """A reply; 1 ms of work, of which the line needs a part; a second reply behind a pause."""
    chip = VirtualChip(Setup())
    start, step = ledger_seconds(chip), chip.uart.step
    chip.uart.send(b"\xc0" * 4)
    chip.work(40_000)
    chip.uart.send(b"\xc0" * 4)
    chip.book_output()
    assert ledger_seconds(chip) - start == pytest.approx((1 * MS + 4 * step) / 1e9)
    chip.work(400)
    chip.uart.send(b"\xc0" * 4)
    chip.book_output()
    assert ledger_seconds(chip) - start == pytest.approx((1 * MS + 8 * step) / 1e9)


def test_the_line_goes_on_while_the_flash_is_busy() -> None:
    ledger = Ledger(0x40_0000)
    step = 10_000
    ledger.sent(100, step, turned=False)
    ledger.received(0, step)
    ledger.speaks()
    ledger.answered(step)
    ledger.operated(Operation("sector", 0, 0x1000, 1, blank=False), slow=False)
    ledger.sent(1000, step, turned=True)  # 10 ms of line within 45 ms of erase
    ledger.received(0, step)
    ledger.waited()
    assert ledger.seconds()[0] == pytest.approx(
        (101 * step + 1 * MS * 0 + 45 * MS - step + HOST_FIXED_NS) / 1e9
    )


def test_a_slow_operation_takes_the_maximum() -> None:
    chip = VirtualChip(Setup(plan=parse_plan("slow=sector:2")))
    chip.power_on(download=True)
    chip.attach_flash()
    times = []
    for sector in (0x1000, 0x2000, 0x3000):
        start = chip.now
        chip.erase("sector", sector)
        times.append(chip.now - start)
    assert times == [45 * MS, 400 * MS, 45 * MS]


def test_a_power_cut_leaves_half_and_the_chip_off() -> None:
    chip = VirtualChip(Setup(plan=parse_plan("cut=sector:1:0.5")))
    chip.power_on(download=True)
    chip.attach_flash()
    chip.flash.program(0, 0x1000, bytes(256))
    chip.flash.program(chip.flash.busy_until, 0x1F00, bytes(256))
    link = VirtualLine(chip)
    begin = struct.pack("<IIII", 0x1000, 4, 0x400, 0x1000)
    link.send(b"\xc0" + struct.pack("<BBHI", 0, 2, 16, 0) + begin + b"\xc0")
    chip.run()
    assert chip.activity is Activity.OFF
    assert chip.flash.read(0x1000, 0x800) == b"\xff" * 0x800
    assert chip.flash.read(0x1F00, 0x100) == bytes(256)
    link.connect(download=True)
    assert chip.resets == {"power_on": 2}


def test_a_store_where_boards_swallow_it_is_no_fault_and_elsewhere_it_is() -> None:
    chip = VirtualChip(Setup())
    for address in (0x400C_0000, 0x8888_8888):
        chip.write(address, 0xABAD_1DEA, 4)
    with pytest.raises(Trap, match="nothing can be written"):
        chip.write(0x4FF0_0000, 0, 4)
