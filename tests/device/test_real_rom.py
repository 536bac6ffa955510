"""The host against a model of the boot ROM as its code is: what only a real chip would have shown."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from imgtool.device.flash_chip import FlashRegisters
from imgtool.device.link import Link
from imgtool.device.protocol import (
    Command,
    RegisterWrite,
    change_baud,
    flash_begin,
    read_register,
    write_registers,
)
from imgtool.device.session import ConnectOptions, Session
from imgtool.device.stub import own_stub, start_stub
from imgtool.errors import FlashError, LayoutError, LineError, NoFlashError
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.transfer import Job, transfer
from tests.device.real_rom import Flash, RealRom

if TYPE_CHECKING:
    from collections.abc import Callable

SECTOR = 0x1000
MEGABYTE = 1 << 20
W25Q128 = b"\xef\x40\x18"
W25Q32 = b"\xef\x40\x16"
MX25L3233F = b"\xc2\x20\x16"
QE = 2  # of register 2
USER, USER2 = 0x6000_021C, 0x6000_0224  # registers of SPI0


def nothing(_: int) -> None:
    """Nobody counts."""


def connect(rom: RealRom, baud: int | None = None) -> Session:
    return Session.connect(rom, ConnectOptions(stub="none", reset="none", baud=baud))


def flash_with(content: bytes, size: int = 4 * MEGABYTE, chip: bytes = W25Q32) -> Flash:
    flash = Flash(size, chip)
    flash.content[: len(content)] = content
    return flash


# In either order of a wait and its write.


@pytest.mark.parametrize("stub_order", [False, True])
def test_no_transfer_is_disturbed_in_either_order(stub_order: bool) -> None:
    content = random.Random(1).randbytes(SECTOR)
    rom = RealRom(flash_with(content), stub_order=stub_order)
    session = connect(rom)
    assert session.flash.id == W25Q32
    registers = FlashRegisters(session.link, stub=False)
    assert registers.read(0x123, 200) == content[0x123 : 0x123 + 200]
    rom.flash.status[:] = bytes([0x1C, QE])
    assert (registers.status(), registers.status_2(session.flash)) == (0x1C, QE)
    registers.unprotect(session.flash)
    assert rom.flash.status == bytes([0, QE])
    registers.erase(0x1000, SECTOR)
    registers.busy_after_program(0x1F00, b"\xa5" * 64, 100)
    assert rom.flash.content[0x1F00:0x1F41] == b"\xa5" * 64 + b"\xff"
    assert rom.spoiled == 0


@pytest.mark.parametrize("stub_order", [False, True])
def test_reads_in_a_row_are_right_and_give_the_registers_back(stub_order: bool) -> None:
    content = random.Random(2).randbytes(3 * SECTOR)
    rom = RealRom(flash_with(content), stub_order=stub_order)
    link = connect(rom).link
    before = [link.read_register(at) for at in (USER, USER2)]
    pieces = [(0x10, 2), (SECTOR - 3, 130), (2 * SECTOR, 64), (0x11, 1)]
    assert FlashRegisters(link, stub=False).read_each(pieces) == [content[at:][:size] for at, size in pieces]
    assert [link.read_register(at) for at in (USER, USER2)] == before
    assert rom.spoiled == 0


@pytest.mark.parametrize("stub_order", [False, True])
def test_a_measured_wait_passes_once_in_either_order(stub_order: bool) -> None:
    rom = RealRom(flash_with(b""), stub_order=stub_order)
    registers = FlashRegisters(connect(rom).link, stub=False)
    registers.status()
    at: list[tuple[float, int]] = []
    command = rom.flash.command

    def timed(sent: bytes, receive: int) -> bytes:
        at.append((rom._time, sent[0]))
        return command(sent, receive)

    rom.flash.command = timed  # type: ignore[method-assign]
    registers.busy_after_program(0, bytes(64), 5000)
    started = next(time for time, opcode in at if opcode == 0x02)
    asked = next(time for time, opcode in at if opcode == 0x05)
    assert 0.0050 <= asked - started < 0.0052


@pytest.mark.parametrize("stub_order", [False, True])
def test_the_speed_is_changed_in_either_order(stub_order: bool) -> None:
    rom = RealRom(flash_with(b""), stub_order=stub_order, baud=True)
    session = connect(rom, 460_800)
    assert session.flasher.name == "rom"
    assert session.baud == 460_800
    assert session.link.read_register(0x4000_1000) == 0xFFF0_C101


def test_a_wait_that_the_rom_cannot_count_is_an_error() -> None:
    write_registers([RegisterWrite(0x6000_0200, 0, wait_us=0xFFFF)])
    with pytest.raises(ValueError, match="65535 us"):
        write_registers([RegisterWrite(0x6000_0200, 0, wait_us=0x1_0000)])


# Attaching the flash.


def test_identifying_and_reading_write_nothing_into_the_flash() -> None:
    rom = RealRom(flash_with(b"\x12" * SECTOR))
    rom.flash.status[:] = bytes([0x9C, QE])
    session = connect(rom)
    assert session.flasher.read(0, 256, nothing) == b"\x12" * 256
    assert Command.FLASH_BEGIN not in rom.requests
    assert rom.flash.status == bytes([0x9C, QE])
    assert not {0x06, 0x01, 0x02, 0x20} & set(rom.flash.opcodes)


def test_where_the_pins_do_not_do_it_the_rom_attaches_the_flash() -> None:
    rom = RealRom(flash_with(b"\x12" * SECTOR), pins_suffice=False)
    session = connect(rom)
    assert session.flash.id == W25Q32
    assert rom.requests.count(Command.FLASH_BEGIN) == 1
    # It leaves the flash busy, which then answers nothing but its status.
    assert rom.flash.ignored == []


def test_a_stub_that_has_just_started_is_asked_when_the_flash_is_ready() -> None:
    rom = RealRom(flash_with(b""), stub_order=True)
    link = Link(rom)
    start_stub(link, own_stub(), nothing)
    registers = FlashRegisters(link, stub=True)
    registers.wait_ready()
    assert registers.read_id() == W25Q32
    assert len(rom.flash.status_writes) == 1
    assert rom.flash.ignored == []


def test_without_a_flash_the_rom_hangs_and_that_is_told() -> None:
    rom = RealRom(Flash(SECTOR, id=None))
    with pytest.raises(NoFlashError, match="the flash does not answer"):
        FlashRegisters(Link(rom), stub=False).read_id()


# How large it is.


@pytest.mark.parametrize("size", [8 * MEGABYTE, 16 * MEGABYTE])
def test_what_lies_beyond_4_mb_is_written(size: int) -> None:
    rom = RealRom(Flash(size, W25Q128 if size == 16 * MEGABYTE else b"\xef\x40\x17"))
    session = connect(rom)
    data = random.Random(2).randbytes(2 * SECTOR)
    session.flasher.write(4 * MEGABYTE - SECTOR, data, nothing, erased=False)
    session.flasher.write(size - SECTOR, data[:SECTOR], nothing, erased=False)
    assert rom.flash.content[4 * MEGABYTE - SECTOR :][: 2 * SECTOR] == data
    assert rom.flash.content[-SECTOR:] == data[:SECTOR]
    assert rom.requests.count(Command.SPI_SET_PARAMS) == 1


def test_a_flash_of_less_than_4_mb_is_told_too() -> None:
    rom = RealRom(Flash(MEGABYTE, b"\xef\x40\x14"))
    session = connect(rom)
    session.flasher.write(0, bytes(SECTOR), nothing, erased=False)
    with pytest.raises(LineError, match="FLASH_BEGIN: a wrong result"):
        session.link.request(flash_begin(MEGABYTE + SECTOR, SECTOR, 4, 0x400, erase=0, stub=False))


def test_of_a_flash_of_unknown_size_the_rom_writes_4_mb_and_no_more() -> None:
    rom = RealRom(Flash(8 * MEGABYTE, b"\x77\x55\x00"))
    session = connect(rom)
    assert session.flash.bytes is None
    data = random.Random(3).randbytes(SECTOR)
    session.flasher.write(4 * MEGABYTE - SECTOR, data, nothing, erased=False)
    assert rom.flash.content[4 * MEGABYTE - SECTOR : 4 * MEGABYTE] == data
    with pytest.raises(LayoutError, match="does not write beyond 4 MB"):
        session.flasher.write(4 * MEGABYTE - SECTOR, bytes(2 * SECTOR), nothing, erased=False)
    assert rom.flash.content[4 * MEGABYTE - SECTOR : 4 * MEGABYTE] == data
    assert Command.SPI_SET_PARAMS not in rom.requests


def misread(opcode: int, times: int = 1) -> Callable[[int, bytes], bytes]:
    """A line that makes another opcode of this one."""
    left = times

    def disturb(_: int, request: bytes) -> bytes:
        nonlocal left
        if request[1] == opcode and left:
            left -= 1
            return request[:1] + b"\x4f" + request[2:]
        return request

    return disturb


def test_a_rom_that_is_not_told_writes_no_further_than_it_knows() -> None:
    rom = RealRom(Flash(16 * MEGABYTE), disturb=misread(Command.SPI_SET_PARAMS, 9))
    session = connect(rom)
    with pytest.raises(LineError):
        session.flasher.write(4 * MEGABYTE, bytes(SECTOR), nothing, erased=False)
    assert Command.FLASH_BEGIN not in rom.requests


# The status registers.


@pytest.mark.parametrize(
    ("chip", "status"),
    [
        (W25Q32, bytes([0, QE])),
        (W25Q32, bytes([0x80, 0x42])),
        (MX25L3233F, b"\x40"),
        (b"\x77\x55\x00", bytes([0, QE])),
        (b"\xc2\x55\x00", b"\x40"),
    ],
)
def test_status_registers_hold_after_a_write_what_they_held(chip: bytes, status: bytes) -> None:
    rom = RealRom(Flash(4 * MEGABYTE, chip, bytearray(status)))
    session = connect(rom)
    session.flasher.write(0, bytes(SECTOR), nothing, erased=False)
    assert rom.flash.content[:SECTOR] == bytes(SECTOR)
    assert rom.flash.status == status
    assert rom.flash.status_writes.count(status) == 1
    assert rom.flash.ignored == []
    assert (0x35 in rom.flash.opcodes) == (len(status) > 1)


def test_status_registers_that_hold_nothing_are_not_written() -> None:
    rom = RealRom(Flash(4 * MEGABYTE, W25Q32))
    session = connect(rom)
    session.flasher.write(0, bytes(SECTOR), nothing, erased=False)
    # By FLASH_BEGIN itself.
    assert len(rom.flash.status_writes) == 2


def test_a_write_of_what_is_blank_leaves_status_registers_alone() -> None:
    rom = RealRom(Flash(4 * MEGABYTE, W25Q32, bytearray([0, QE])))
    connect(rom).flasher.write(0, b"\xff" * SECTOR, nothing, erased=False)
    assert rom.flash.status_writes == []


def test_a_protection_that_was_removed_on_purpose_does_not_come_back() -> None:
    rom = RealRom(Flash(4 * MEGABYTE, W25Q32, bytearray([0x1C, QE])))
    job = Job((Piece(0, bytes(SECTOR), "zeros"),), unprotect=True)
    transfer(connect(rom), job)
    assert rom.flash.content[:SECTOR] == bytes(SECTOR)
    assert rom.flash.status == bytes([0, QE])


def test_status_registers_are_put_back_after_a_connection_was_lost() -> None:
    lost = False

    def disturb(_: int, request: bytes) -> bytes:
        nonlocal lost
        if request[1] == Command.FLASH_DATA and not lost:
            lost = True
            return request[:-1] + bytes([request[-1] ^ 1])
        return request

    rom = RealRom(Flash(4 * MEGABYTE, W25Q32, bytearray([0, QE])), disturb=disturb)
    data = random.Random(4).randbytes(2 * SECTOR)
    done = transfer(connect(rom), Job((Piece(0, data, "noise"),)))
    # Its number was counted, so it was not sent again: the write began anew.
    assert (lost, done.retries) == (True, 1)
    assert rom.requests.count(Command.FLASH_BEGIN) == 2
    assert rom.flash.content[: len(data)] == data
    assert rom.flash.status == bytes([0, QE])


def test_status_registers_that_stay_cleared_are_told() -> None:
    rom = RealRom(Flash(4 * MEGABYTE, W25Q32, bytearray([0, QE])))
    session = connect(rom)
    write_status = rom.flash.write_status
    rom.flash.write_status = lambda value: write_status(bytes(len(value)))  # type: ignore[method-assign]
    with pytest.raises(FlashError, match=r"does not take back its status registers .*0002"):
        session.flasher.write(0, bytes(SECTOR), nothing, erased=False)


# In step.


def test_an_opcode_that_the_rom_does_not_know_is_soon_given_up() -> None:
    rom = RealRom(flash_with(b""))
    link = Link(rom)
    link.sync()
    before = rom.now
    with pytest.raises(LineError):
        link.request(change_baud(921_600))
    assert rom.now - before < 1
    # Eight times the answer to SYNC has come; none of them is one to what is asked next.
    assert link.read_register(0x4000_1000) == 0xFFF0_C101
    assert link.sync()


def test_a_request_that_was_disturbed_right_after_a_sync_is_asked_again() -> None:
    rom = RealRom(flash_with(b""), disturb=misread(Command.READ_REG))
    link = Link(rom)
    link.sync()
    assert link.request(read_register(0x4000_1000)).value == 0xFFF0_C101
    assert link.request(read_register(0x3FF0_005C)).value == 0x0084_0D8E


@pytest.mark.parametrize("divider", [0x1C4, 0x1522])
def test_a_sync_that_was_disturbed_after_another_leaves_no_answers_behind(divider: int) -> None:
    rom = RealRom(flash_with(b""), baud=True)
    rom._registers[0x6000_0014] = divider
    link = Link(rom)
    link.set_baud(52_000_000 // divider)
    link.sync()
    rom._disturb = misread(Command.SYNC)
    # The first is refused eight times, and none of that is taken for the answer to the second.
    assert link.sync(attempts=2)


def test_a_rom_is_known_by_one_value_of_eight() -> None:
    rom = RealRom(flash_with(b""))
    reply = rom._reply
    count = 0

    def damaged(status: bytes = b"\x00\x00") -> None:
        nonlocal count
        reply(status)
        count += 1
        time, speed, first = rom._replies[-8]
        rom._replies[-8] = (time, speed, first.replace(b"\x07\x07\x12\x20", bytes(4)))

    rom._reply = damaged  # type: ignore[method-assign]
    assert Link(rom).sync()
    assert count == 1


def test_the_chip_is_known_by_what_real_ones_answer() -> None:
    # https://github.com/espressif/esptool/issues/620, and the divider of 397
    chip = connect(RealRom(flash_with(b""))).chip
    assert (chip.model, chip.mac, chip.crystal_mhz) == ("ESP8266EX", "84:0d:8e:01:02:12", 26)
