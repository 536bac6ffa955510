"""Connecting, identifying and working on a virtual chip; what a disturbed or silent line leads to."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from imgtool.device.session import ConnectOptions, Session
from imgtool.device.wire import Lines
from imgtool.errors import ChipError, LineError, PortError, ProtectedError, SilentError
from tests.device.boards import WAYS, chip_of, connect, flash_of, needs_stub, put, wire_to

if TYPE_CHECKING:
    from imgtool.device.events import Event

SECTOR = 0x1000


def nothing(_: int) -> None:
    """Nobody counts."""


def nothing_of(_: bytes) -> None:
    """Nobody listens."""


@pytest.mark.parametrize(
    ("spec", "model", "part", "size"),
    [
        ("sim:4MB", "ESP8266EX", "GD25Q32", 0x40_0000),
        ("sim:part=BG25Q32A", "ESP8266EX", "BG25Q32A", 0x40_0000),
        ("sim:512KB", "ESP8266EX", "GD25Q40", 0x8_0000),
        ("sim:16MB", "ESP8266EX", "GD25Q128", 0x100_0000),
        ("sim:1MB,chip=esp8285", "ESP8285N08", "GD25Q80", 0x10_0000),
        ("sim:part=AT25SF161", "ESP8266EX", "AT25SF161", 0x20_0000),
    ],
)
def test_chip_and_flash_are_identified(spec: str, model: str, part: str, size: int) -> None:
    session = connect(wire_to(spec + ",mac=18:fe:34:01:02:03"))
    assert (session.chip.model, session.flash.part, session.flash.bytes) == (model, part, size)
    assert (session.chip.mac, session.chip.crystal_mhz) == ("18:fe:34:01:02:03", 26)
    assert session.reset_used == "tight"


def test_sfdp_is_asked_for_where_the_id_is_unknown() -> None:
    session = connect(wire_to("sim:4MB,fault=id=775500"))
    assert (session.flash.part, session.flash.bytes, session.flash.source) == (None, 0x40_0000, "SFDP")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("baud", [115_200, 460_800, 921_600])
def test_every_way_erases_writes_and_reads_exactly(way: str, baud: int) -> None:
    before = random.Random(1).randbytes(0x4_0000)
    wire = wire_to("sim:1MB", before)
    session = connect(wire, way, baud)
    data = random.Random(2).randbytes(0x1400) + b"\xff" * 0x800 + bytes(0x400)
    flasher = session.flasher
    flasher.write(0x1_1000, data, nothing, erased=False)
    flasher.erase(0x1_5000, SECTOR)
    flasher.erase(0x2_0000, 0x1_1000)
    assert session.baud == baud
    after = bytearray(before)
    after[0x1_1000 : 0x1_1000 + len(data)] = data
    after[0x1_5000:0x1_6000] = b"\xff" * SECTOR
    after[0x2_0000:0x3_1000] = b"\xff" * 0x1_1000
    assert flash_of(wire, 0, len(after)) == bytes(after)
    assert flasher.read(0x1_1040, 0x100, nothing) == data[0x40:0x140]
    assert flasher.digest(0x1_1000, 0x80) == hashlib.md5(data[:0x80], usedforsecurity=False).digest()
    flasher.erase_chip()
    assert flash_of(wire, 0, 0x10_0000) == b"\xff" * 0x10_0000
    assert chip_of(wire).chip.flash.violations == []
    # Espressif's stub asks for the ID while the status write of its own attach goes on; we do not.
    assert len(chip_of(wire).chip.flash.ignored) <= 1
    assert not chip_of(wire).chip.traps


@needs_stub
def test_a_read_block_that_comes_broken_is_asked_for_again() -> None:
    content = random.Random(3).randbytes(0x4000)
    wire = wire_to("sim:1MB,fault=flip=out:3000.2,drop=out:9000", content)
    assert connect(wire, "espressif").flasher.read(0, 0x4000, nothing) == content


def test_the_firmware_is_started_and_its_log_read() -> None:
    session = connect(wire_to("sim:1MB"))
    assert session.run_firmware()
    log = b"".join(session.hear(0.01) for _ in range(200))
    assert b"ets Jan  8 2013,rst cause:2, boot mode:(3," in log


def test_the_firmware_is_heard_at_another_speed() -> None:
    session = connect(wire_to("sim:1MB"))
    session.run_firmware(115_200)
    assert (session.baud, session.rom_baud) == (115_200, 74_880)
    session.hear_at(74_880)
    assert session.baud == 74_880


def test_without_lines_the_firmware_cannot_be_started() -> None:
    assert not connect(wire_to("sim:1MB", lines=False)).run_firmware()


def test_without_lines_a_chip_that_waits_in_its_loader_is_taken_as_it_is() -> None:
    session = connect(wire_to("sim:1MB", lines=False))
    assert session.reset_used == "none"


def test_a_silent_chip_is_told_with_what_was_tried() -> None:
    wire = wire_to("sim:1MB,boot=run", lines=False)
    with pytest.raises(ChipError, match=r"the chip does not answer .*no reset \(4 times\)"):
        connect(wire)


@pytest.mark.parametrize("lines", Lines)
@pytest.mark.parametrize("reset", ["auto", "none", "D0|R1|W0.1|D1|R0|W0.05|D0"])
def test_a_silent_chip_is_told_within_nine_seconds_with_a_hint_after_five(lines: Lines, reset: str) -> None:
    wire = chip_of(wire_to("sim:1MB,boot=run"))
    wire.traits = replace(wire.traits, lines=lines)
    wire.chip.loader.feed = nothing_of  # type: ignore[method-assign, assignment]
    events: list[tuple[str, float]] = []
    start = wire.clock.monotonic()

    with pytest.raises(SilentError):
        Session.connect(
            wire,
            ConnectOptions(reset=reset),
            lambda event: events.append((event.stage, wire.clock.monotonic() - start)),
        )

    (hint,) = [at for stage, at in events if stage == "silent"]
    assert 5 <= hint < 6
    # The rest is for the start of the program.
    assert hint < wire.clock.monotonic() - start < 8.5


def test_rounds_that_are_asked_for_go_on() -> None:
    wire = chip_of(wire_to("sim:1MB,boot=run"))
    wire.chip.loader.feed = nothing_of  # type: ignore[method-assign, assignment]

    with pytest.raises(SilentError) as caught:
        Session.connect(wire, ConnectOptions(attempts=4))

    assert str(caught.value.found).endswith(
        "tight (once), tight-long (4 times), classic (once), classic-long (4 times)"
    )


def test_a_chip_that_only_talks_nonsense_is_silent() -> None:
    # As an application that prints at another speed does.
    wire = wire_to("sim:1MB,fault=garbage=4096", lines=False)
    chip_of(wire).chip.loader.feed = nothing  # type: ignore[method-assign, assignment]
    with pytest.raises(ChipError, match="does not answer"):
        connect(wire)


def test_noise_before_and_between_answers_is_passed_over() -> None:
    session = connect(wire_to("sim:1MB,fault=insert=out:0:55,insert=out:13:c0,insert=out:40:db,garbage=3"))
    assert session.flash.part == "GD25Q80"


def test_another_chip_is_named() -> None:
    wire = wire_to("sim:1MB")
    chip = chip_of(wire).chip
    peek = chip.peek
    chip.peek = lambda address: 0x00F0_1D83 if address == 0x4000_1000 else peek(address)  # type: ignore[method-assign]
    with pytest.raises(ChipError, match=r"this is ESP32, not an ESP8266 or ESP8285"):
        connect(wire)


def test_a_flash_that_is_not_there_is_told() -> None:
    with pytest.raises(ChipError, match="the flash does not answer"):
        connect(wire_to("sim:1MB,fault=id=ffffff"))


def test_a_lost_port_is_told_and_comes_back() -> None:
    wire = wire_to("sim:1MB")
    session = connect(wire)
    chip_of(wire).link._gone = True
    chip_of(wire).link._back_at = chip_of(wire).clock.ns + 1_500_000_000
    with pytest.raises(PortError, match="the port is lost") as caught:
        session.link.read_register(0x4000_1000)
    session.recover(caught.value)
    assert session.link.read_register(0x4000_1000) == 0xFFF0_C101


@pytest.mark.parametrize("way", WAYS)
def test_a_chip_that_does_not_follow_to_a_high_speed_is_worked_with_at_a_lower_one(way: str) -> None:
    wire = wire_to("sim:1MB", b"\x00" * SECTOR)
    uart = chip_of(wire).chip.uart
    set_divider = uart._set_divider
    # A divider that cannot be set below that of 230400 baud.
    uart._set_divider = lambda value: set_divider(max(value, 225))  # type: ignore[method-assign]
    notes: list[Event] = []
    session = Session.connect(wire, ConnectOptions(stub=way, baud=921_600), notes.append)
    session.flasher.write(0, b"\x55" * SECTOR, nothing, erased=False)
    assert session.baud in (115_200, 230_400, 460_800)
    assert any("does not follow" in note.message for note in notes)
    assert flash_of(wire, 0, SECTOR) == b"\x55" * SECTOR


def test_a_port_that_does_not_take_a_speed_goes_on_at_a_lower_one() -> None:
    wire = wire_to("sim:1MB")
    set_baud = wire.set_baud

    def refuse(baud: int) -> None:
        if baud > 460_800:
            raise ValueError("Failed to set custom baud rate")
        set_baud(baud)

    wire.set_baud = refuse  # type: ignore[method-assign]
    session = connect(wire, "none", 921_600)
    assert session.flasher.name == "rom"
    assert session.baud <= 460_800
    assert session.link.read_register(0x4000_1000) == 0xFFF0_C101


@needs_stub
def test_where_no_stub_starts_the_rom_is_worked_with(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise LineError("the flasher stub does not start")

    monkeypatch.setattr("imgtool.device.session.start_stub", broken)
    notes: list[Event] = []
    session = Session.connect(wire_to("sim:1MB"), ConnectOptions(stub="auto"), notes.append)
    assert session.flasher.name == "rom"
    assert any("going on with the ROM loader alone" in note.message for note in notes)
    with pytest.raises(ChipError, match="does not start"):
        _ = connect(wire_to("sim:1MB"), "espressif").flasher


def test_without_esptool_there_is_no_stub_of_espressif(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgtool.device.session.espressif_stubs", tuple)
    assert connect(wire_to("sim:1MB"), "auto").flasher.name == "imgtool"
    with pytest.raises(ChipError, match="no esptool"):
        _ = connect(wire_to("sim:1MB"), "espressif").flasher


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("part", ["W25Q32", "MX25L3233F", "GD25Q32"])
def test_a_write_protection_is_told_and_can_be_removed(way: str, part: str) -> None:
    wire = wire_to(f"sim:part={part},fault=protect", b"\x00" * SECTOR)
    session = connect(wire, way)
    with pytest.raises(ProtectedError, match=r"write-protected \(expected .*, found 0x1c\)"):
        session.check_protection(remove=False)
    session.check_protection(remove=True)
    session.check_protection(remove=False)
    session.flasher.write(0, b"\x55" * SECTOR, nothing, erased=False)
    assert flash_of(wire, 0, SECTOR) == b"\x55" * SECTOR


def test_an_erase_of_which_the_address_was_disturbed_is_asked_for_again() -> None:
    wire = wire_to("sim:1MB", b"\x00" * 0x2_0000)
    session = connect(wire)
    session.flasher  # noqa: B018 - raises the speed
    link = chip_of(wire).link
    send, count = link.send, 0

    def disturb(data: bytes, **rest: object) -> None:
        nonlocal count
        place = data.find((0x1_1000).to_bytes(4, "little"))
        if place >= 0 and not count:
            count += 1
            data = data[: place + 1] + bytes([data[place + 1] ^ 0x40]) + data[place + 2 :]
        send(data, **rest)  # type: ignore[arg-type]

    link.send = disturb  # type: ignore[method-assign]
    session.flasher.erase(0x1_1000, SECTOR)
    assert count == 1
    content = flash_of(wire, 0, 0x2_0000)
    assert content == b"\x00" * 0x1_1000 + b"\xff" * SECTOR + b"\x00" * 0xE000


def test_a_disturbed_opcode_of_reads_in_a_row_is_found_out() -> None:
    content = random.Random(4).randbytes(8 * SECTOR)
    wire = wire_to("sim:1MB", content)
    session = connect(wire, "none")
    flasher = session.flasher
    send, count = session.link.send, 0

    def disturb(payload: bytes) -> None:
        nonlocal count
        read = b"\x24\x02\x00\x60" + b"\x03\x00\x00\x70"  # USER2: eight bits of opcode, and READ
        if read in payload and count == 0:
            count += 1
            payload = payload.replace(read, read[:4] + b"\x0b" + read[5:])  # which reads a byte further on
        send(payload)

    session.link.send = disturb  # type: ignore[method-assign]
    pieces = [(at, 4) for at in range(0, 8 * SECTOR, SECTOR)]
    assert flasher.read_each(pieces) == [content[at:][:size] for at, size in pieces]
    assert count == 1


def test_the_put_helper_reaches_the_flash() -> None:
    wire = wire_to("sim:1MB")
    put(chip_of(wire), 0x100, b"abc")
    assert flash_of(wire, 0xFF, 5) == b"\xffabc\xff"


@needs_stub
def test_espressifs_stub_reaches_what_lies_beyond_4_mb() -> None:
    """It works by the ROM's routines, which believe in 4 MB until the ROM is told another size."""
    wire = wire_to("sim:16MB")
    session = connect(wire, "espressif")
    data = random.Random(3).randbytes(2 * SECTOR)
    session.flasher.write(0x3F_F000, data, nothing, erased=False)
    assert flash_of(wire, 0x3F_F000, len(data)) == data
    assert (
        session.flasher.digest(0x40_0000, SECTOR)
        == hashlib.md5(data[SECTOR:], usedforsecurity=False).digest()
    )
    assert session.flasher.read(0xFF_F000, 16, nothing) == b"\xff" * 16
