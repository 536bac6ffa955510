"""The virtual port, used as a pyserial port is; its time is virtual."""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import serial

from imgtool.errors import LayoutError, PortError
from imgtool.virtual.chip.machine import Activity
from imgtool.virtual.line.port import SimPort, open_port
from tests.rom_host import (
    FLASH_BEGIN,
    FLASH_DATA,
    OK,
    READ_REG,
    SYNC,
    SYNC_REPLY,
    RomHost,
    data_request,
    frames,
    reply_of,
    request,
    words,
)
from tests.support import IMAGES, PATIENCE, comes_true

NODEMCU = "dumps/nodemcu-2.2-4m.bin"
DATE = request(READ_REG, words(0x4000_1000))


@pytest.fixture
def port() -> Iterator[SimPort]:
    made = open_port("sim:1MB", baudrate=115200, timeout=1)
    made.read(1000)  # the banner
    yield made
    made.close()


def test_it_is_a_serial_port(port: SimPort) -> None:
    assert isinstance(port, serial.SerialBase)
    assert port.is_open
    assert port.port == "sim:1MB"
    assert (port.readable(), port.writable(), port.cts, port.ri) == (True, True, False, False)


def test_settings_are_pyserials() -> None:
    with open_port("sim:", baudrate=9600, timeout=0.25) as port:
        assert (port.baudrate, port.timeout) == (9600, 0.25)


# Time.


@pytest.mark.parametrize("timeout", [0.1, 3.0, 86_400.0])
def test_a_timeout_costs_virtual_time_only(port: SimPort, timeout: float) -> None:
    port.timeout = timeout
    began = port.clock.monotonic()
    assert port.read(1) == b""
    assert port.clock.monotonic() - began == pytest.approx(timeout)


def test_a_read_without_timeout_ends_where_nothing_more_can_come(port: SimPort) -> None:
    port.timeout = None
    assert port.read(10) == b""
    port.write(SYNC)
    assert port.read(12) == SYNC_REPLY


def test_a_read_takes_as_long_as_the_line(port: SimPort) -> None:
    began = port.clock.monotonic()
    port.write(SYNC)
    assert port.read(96) == SYNC_REPLY * 8
    taken = port.clock.monotonic() - began
    assert taken == pytest.approx((len(SYNC) + 96) * 10 / 115200, rel=0.01)


def test_a_read_ends_with_the_bytes_that_it_asked_for(port: SimPort) -> None:
    port.timeout = 1000
    port.write(SYNC)
    began = port.clock.monotonic()
    assert port.read(5) + port.read(7) == SYNC_REPLY
    assert port.clock.monotonic() - began < 1


def test_reading_without_waiting_comes_to_an_end(port: SimPort) -> None:
    """A loop round a read with time-out 0 gets its answer: looking costs the host time."""
    port.timeout = 0
    port.write(SYNC)
    heard = b""
    for _ in range(1000):
        heard += port.read(1000)
        if len(heard) == 96:
            break
    assert heard == SYNC_REPLY * 8


def test_in_waiting(port: SimPort) -> None:
    assert port.in_waiting == 0
    port.write(SYNC)
    looks = 0
    while not port.in_waiting:
        looks += 1
    assert looks > 10  # the line is slower than the look
    port.clock.sleep(1)
    assert port.in_waiting == 96
    assert port.read(port.in_waiting) == SYNC_REPLY * 8
    assert port.in_waiting == 0


def test_out_waiting_and_flush(port: SimPort) -> None:
    port.write(b"\x00" * 1152)
    assert port.out_waiting == pytest.approx(1152, abs=2)
    began = port.clock.monotonic()
    port.flush()
    assert port.clock.monotonic() - began == pytest.approx(0.1, rel=0.01)
    assert port.out_waiting == 0


def test_reset_input_buffer(port: SimPort) -> None:
    port.write(SYNC)
    port.clock.sleep(1)
    port.reset_input_buffer()
    assert port.in_waiting == 0
    port.write(SYNC)
    port.reset_input_buffer()  # nothing has come yet
    assert port.read(96) == SYNC_REPLY * 8


def test_reading_lines(port: SimPort) -> None:
    port.baudrate = 74880
    hard_reset(port)
    port.timeout = 2
    assert port.read_until(b"boot mode:(") == b"\r\n ets Jan  8 2013,rst cause:2, boot mode:("
    assert port.readline().endswith(b"\n")


def test_a_clock_of_real_time() -> None:
    with open_port("sim:1MB", wall=True) as port:
        began, real = port.clock.monotonic(), time.monotonic()
        port.timeout = 10 * PATIENCE
        port.read(1000)
        assert port.clock.monotonic() - began >= 10 * PATIENCE
        assert time.monotonic() - real < PATIENCE
        began = port.clock.monotonic()
        assert comes_true(lambda: port.clock.monotonic() > began)


def test_two_ports_are_two_chips() -> None:
    with (
        open_port("sim:mac=18fe34000001", timeout=1) as one,
        open_port("sim:mac=18fe34000002", timeout=1) as two,
    ):
        for port in (one, two):
            port.read(1000)
            port.baudrate = 115200
            port.write(SYNC)
        assert one.read(1000) == two.read(1000) == SYNC_REPLY * 8
        for port in (one, two):
            port.write(request(READ_REG, words(0x3FF0_0050)))
        assert [reply_of(frames(port.read(100))[0]).value >> 24 for port in (one, two)] == [1, 2]


# Opening and closing.


def test_closed_ports(port: SimPort) -> None:
    with pytest.raises(serial.SerialException, match="open already"):
        port.open()
    port.close()
    port.close()
    for action in (
        lambda: port.read(1),
        lambda: port.write(b"x"),
        lambda: port.in_waiting,
        port.reset_input_buffer,
    ):
        with pytest.raises(serial.PortNotOpenError):
            action()


def test_opening_again_is_a_reset(port: SimPort) -> None:
    port.write(SYNC)
    port.close()
    port.open()
    heard = port.read(1000)
    assert SYNC_REPLY not in heard
    port.write(SYNC)
    assert port.read(1000) == SYNC_REPLY * 8


def test_a_program_goes_on_over_the_next_opening_only() -> None:
    with RomHost() as host:
        host.sync()
        host.start_program(IMAGES["programs/hello.bin"])
        host.port.read(12)
        host.port.close()
        host.port.clock.sleep(10.5)
        host.port.open()
        host.port.timeout = 1
        # Nobody listened to what was said before.
        assert host.port.read(100) == b"hello, round 11\r\n"
        host.port.close()
        host.port.open()
        assert b"hello" not in host.port.read(100)
        assert host.chip.activity is Activity.LOADER


def test_the_flash_file(tmp_path: Path) -> None:
    flash = tmp_path / "flash.bin"
    name = f"sim:4MB,flash={flash}"
    with open_port(name, timeout=60) as port:
        assert flash.read_bytes() == b"\xff" * 0x40_0000
        with pytest.raises(PortError, match="in use"):
            open_port(name)
        port.baudrate = 115200
        port.read(1000)
        for sent in (
            SYNC,
            request(FLASH_BEGIN, words(4096, 1, 64, 0x1000)),
            data_request(FLASH_DATA, b"kept" * 16, 0),
        ):
            port.write(sent)
            assert reply_of(frames(port.read(1000))[-1]).status == OK
        assert flash.read_bytes()[0x1000:0x1040] == b"kept" * 16
    # A closed port has let go of it, and takes it up again.
    with open_port(name):
        assert flash.read_bytes()[0x1000:0x1040] == b"kept" * 16
        with pytest.raises(PortError, match="in use"):
            port.open()
    port.open()
    port.write(SYNC)
    assert SYNC_REPLY in port.read(1000)
    port.close()
    with pytest.raises(LayoutError, match="wrong length"):
        open_port(f"sim:1MB,flash={flash}")
    assert flash.stat().st_size == 0x40_0000


# Speed.


@pytest.mark.parametrize("baud", [1200, 74880, 115200, 250000, 921600])
def test_the_loader_takes_the_hosts_speed(baud: int) -> None:
    with open_port("sim:", baudrate=baud, timeout=10) as port:
        port.read(1000)
        port.write(SYNC)
        assert port.read(1000) == SYNC_REPLY * 8


def test_a_wrong_speed_is_not_understood(port: SimPort) -> None:
    port.write(SYNC)
    port.read(1000)
    # Neither by the chip ...
    port.baudrate = 74880
    port.write(SYNC)
    assert port.read(1000) == b""
    port.baudrate = 115200
    port.write(b"\xc0" + DATE)
    assert reply_of(frames(port.read(1000))[-1]).value == 0xFFF0_C101
    # ... nor by the host.
    port.write(DATE)
    port.flush()
    port.baudrate = 460800
    heard = port.read(1000)
    assert heard
    assert b"\x01\x0a" not in heard
    port.baudrate = 115200
    port.write(DATE)
    assert reply_of(frames(port.read(1000))[-1]).value == 0xFFF0_C101


def test_what_was_read_before_a_change_of_speed_stays(port: SimPort) -> None:
    port.write(SYNC)
    port.clock.sleep(1)
    port.baudrate = 9600
    assert port.read(96) == SYNC_REPLY * 8


@pytest.mark.parametrize(("baud", "clear"), [(74880, True), (76000, True), (115200, False), (9600, False)])
def test_the_banner_at_power_on(baud: int, clear: bool) -> None:
    with open_port("sim:", baudrate=baud, timeout=1) as port:
        heard = port.read(1000)
        assert heard
        assert (b"ets Jan  8 2013,rst cause:1, boot mode:(1,6)" in heard) is clear


# Reset lines.


def hard_reset(port: SimPort) -> None:
    port.rts = True
    port.clock.sleep(0.1)
    port.rts = False


def classic(port: SimPort, wait: float) -> None:
    port.dtr = False
    port.rts = True
    port.clock.sleep(0.1)
    port.dtr = True
    port.rts = False
    port.clock.sleep(wait)
    port.dtr = False


def tight(port: SimPort, wait: float) -> None:
    """Pairs of (DTR, RTS); with two settings for each, as pyserial has no other."""
    for dtr, rts, pause in (
        (False, False, 0.0), (True, True, 0.0), (False, True, 0.1), (True, False, wait), (False, False, 0.0)
    ):  # fmt: skip
        port.dtr = dtr
        port.rts = rts
        port.clock.sleep(pause)
    port.dtr = False


@pytest.mark.parametrize("sequence", [classic, tight])
@pytest.mark.parametrize("wait", [0.05, 0.55])
@pytest.mark.parametrize("spec", ["sim:1MB", "sim:1MB,boot=run"])
def test_reset_into_the_loader(sequence: Callable[[SimPort, float], None], wait: float, spec: str) -> None:
    with open_port(spec, baudrate=115200, timeout=1) as port:
        port.clock.sleep(5)
        sequence(port, wait)
        port.reset_input_buffer()
        port.write(SYNC)
        assert port.read(1000).endswith(SYNC_REPLY * 8)
        assert port.chip.resets["external"] == 1


def test_without_gpio0_the_reset_boots(port: SimPort) -> None:
    hard_reset(port)
    port.write(SYNC)
    assert SYNC_REPLY not in port.read(1000)


def test_the_chip_is_silent_while_it_is_held(port: SimPort) -> None:
    port.rts = True
    port.write(SYNC)
    assert port.read(1000) == b""
    assert port.chip.activity is Activity.HELD


def test_both_lines_do_nothing(port: SimPort) -> None:
    port.write(SYNC)
    port.read(1000)
    port.dtr = True
    port.rts = True
    port.clock.sleep(1)
    port.rts = False
    port.dtr = False
    port.write(DATE)
    assert reply_of(frames(port.read(1000))[0]).value == 0xFFF0_C101


@pytest.mark.parametrize(("baud", "clear"), [(74880, True), (115200, False)])
def test_a_hard_reset_boots_the_flash(tmp_path: Path, baud: int, clear: bool) -> None:
    (tmp_path / "flash.bin").write_bytes(IMAGES[NODEMCU])
    with open_port(f"sim:4MB,flash={tmp_path / 'flash.bin'}", baudrate=baud, timeout=3) as port:
        port.read(1000)
        hard_reset(port)
        heard = port.read(10_000)
        for text in (b"ets Jan  8 2013,rst cause:2, boot mode:(3,6)", b"load 0x40100000, len "):
            assert (text in heard) is clear
        # The firmware speaks at 115200.
        assert (b"NodeMCU" in heard) is not clear
    assert (tmp_path / "flash.bin").read_bytes() == IMAGES[NODEMCU]


def test_a_host_that_follows_the_speed_reads_it_all(tmp_path: Path) -> None:
    (tmp_path / "flash.bin").write_bytes(IMAGES[NODEMCU])
    with open_port(f"sim:4MB,flash={tmp_path / 'flash.bin'},boot=run", baudrate=74880, timeout=3) as port:
        assert b"ets Jan" in port.read_until(b"csum 0x")
        port.baudrate = 115200
        assert b"NodeMCU" in port.read(10_000)


# Lost ports.


def test_a_lost_port_comes_back() -> None:
    with open_port("sim:fault=gone=in:60:2s", baudrate=115200, timeout=1) as port:
        port.read(1000)
        port.write(SYNC)
        assert port.read(1000) == SYNC_REPLY * 8
        with pytest.raises(serial.SerialException, match="unplugged"):
            port.write(SYNC)
        with pytest.raises(serial.SerialException):
            port.read(1)
        port.close()
        with pytest.raises(serial.SerialException, match="gone"):
            port.open()
        port.clock.sleep(2)
        port.open()
        port.read(1000)
        port.write(SYNC)
        assert port.read(1000) == SYNC_REPLY * 8


def test_a_port_that_was_lost_must_be_opened_again() -> None:
    with open_port("sim:fault=gone=in:10:1s", baudrate=115200, timeout=1) as port:
        with pytest.raises(serial.SerialException):
            port.write(SYNC)
        port.clock.sleep(5)
        for action in (lambda: port.write(SYNC), lambda: port.read(1), lambda: port.in_waiting):
            with pytest.raises(serial.SerialException):
                action()
        port.close()
        port.open()
        assert port.in_waiting == 0


def test_a_port_lost_in_a_reply(tmp_path: Path) -> None:
    name = f"sim:flash={tmp_path / 'flash.bin'},fault=gone=out:80:1s"
    port = open_port(name, baudrate=115200, timeout=1)
    port.write(SYNC)
    port.read(28)  # what came before, less than the banner
    with pytest.raises(serial.SerialException):
        port.read(1000)
    port.close()
    # The file is free, whatever has become of the port.
    open_port(name).close()


# Unmodified esptool in this process.


@pytest.mark.skipif(importlib.util.find_spec("esptool") is None, reason="esptool is not installed")
def test_esptools_own_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its script of the same name lies beside pytest, and would be found first.
    monkeypatch.setattr(
        sys, "path", [folder for folder in sys.path if not (Path(folder) / "esptool.py").exists()]
    )
    esptool = importlib.import_module("esptool")
    with (
        open_port("sim:part=W25Q32,mac=18:fe:34:01:02:03", wall=True, baudrate=115200) as port,
        redirect_stdout(io.StringIO()),
    ):
        chip = esptool.detect_chip(port, connect_mode="no-reset")
        assert chip.CHIP_NAME == "ESP8266"
        assert bytes(chip.read_mac()) == bytes.fromhex("18fe34010203")
        assert esptool.run_stub(chip).flash_id() == 0x16_40_EF


def test_the_report_is_written_when_the_port_is_closed(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    with open_port(f"sim:1MB,timing=maximum,report={file}") as port:
        assert port.chip.flash.timing.block64 == 1_000_000_000
        assert not file.exists()
    assert json.loads(file.read_text())["schema"] == 1
