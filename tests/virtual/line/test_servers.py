"""``imgtool simulate`` as a process: TCP, pseudo terminal, RFC 2217; signals, files, records, faults.

Clients here are raw sockets and pyserial; esptool is in tests/oracle.
"""

from __future__ import annotations

import json
import re
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
import serial

from imgtool.virtual.chip.machine import VirtualChip
from imgtool.virtual.line.link import VirtualLine
from imgtool.virtual.line.servers import Server, Tcp
from tests.rom_host import (
    FLASH_BEGIN,
    FLASH_DATA,
    MEM_BEGIN,
    MEM_DATA,
    MEM_END,
    OK,
    READ_REG,
    SYNC,
    SYNC_REPLY,
    data_request,
    frames,
    reply_of,
    request,
    words,
)
from tests.simulated import Device
from tests.support import IMAGES, PATIENCE, SILENCE, Run, comes_true

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and pseudo terminals")

DATE = request(READ_REG, words(0x4000_1000))
DATE_REPLY = bytes.fromhex("c0 01 0a 02 00 01c1f0ff 00 00 c0")
SECTOR = 4096


class Line:
    """A raw TCP connection to a device."""

    def __init__(self, device: Device) -> None:
        host, port = device.address.removeprefix("socket://").rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE)
        self.heard = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def until(self, wanted: bytes) -> bytes:
        """All that has come up to these bytes and with them."""
        while wanted not in self.heard:
            piece = self.socket.recv(4096)
            assert piece, f"the line is closed after {self.heard!r}"
            self.heard += piece
        end = self.heard.index(wanted) + len(wanted)
        found, self.heard = self.heard[:end], self.heard[end:]
        return found

    def sync(self) -> None:
        self.socket.sendall(SYNC)
        self.until(SYNC_REPLY * 8)

    def ask(self, sent: bytes) -> bytes:
        """Send a request; the status of its reply."""
        self.socket.sendall(sent)
        self.until(b"\xc0")
        return reply_of(frames(b"\xc0" + self.until(b"\xc0"))[0]).status

    def closed(self) -> bool:
        """Whether the other side closes."""
        try:
            while self.socket.recv(4096):
                pass
        except ConnectionError:
            pass
        return True

    def write(self, address: int, data: bytes, pieces: int) -> None:
        """FLASH_BEGIN and the packets of data, each acknowledged."""
        step = len(data) // pieces
        assert self.ask(request(FLASH_BEGIN, words(len(data), pieces, step, address))) == OK
        for number in range(pieces):
            piece = data[number * step : (number + 1) * step]
            assert self.ask(data_request(FLASH_DATA, piece, number)) == OK


def hello(line: Line) -> None:
    """Load the program that prints, and start it."""
    image = IMAGES["programs/hello.bin"]
    at = 8
    for _ in range(image[1]):
        address, size = (int.from_bytes(image[at + n : at + n + 4], "little") for n in (0, 4))
        at += 8
        assert line.ask(request(MEM_BEGIN, words(size, 1, 0x1800, address))) == OK
        assert line.ask(data_request(MEM_DATA, image[at : at + size], 0)) == OK
        at += size
    assert line.ask(request(MEM_END, words(0, int.from_bytes(image[4:8], "little")))) == OK


# TCP.


def test_the_first_line_says_where(tmp_path: Path) -> None:
    with Device(tmp_path, "tcp://0.0.0.0:0", options=("--json",)) as device:
        first = json.loads(device.address)
        assert first["command"] == "simulate"
        assert first["results"][0]["address"].startswith("socket://0.0.0.0:")
    # Only this machine is let in unless it is told otherwise.
    assert "0.0.0.0 can be reached from other machines" in device.said


def test_ipv6(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with Device(tmp_path, "tcp://[::1]:0") as device:
        assert device.address.startswith("socket://[::1]:")
        port = int(device.address.rsplit(":", 1)[1])
        with socket.create_connection(("::1", port), timeout=PATIENCE) as line:
            line.sendall(SYNC)
            assert line.recv(1)


def test_each_connection_is_a_reset(tmp_path: Path) -> None:
    with Device(tmp_path) as device:
        for _ in range(3):
            with Line(device) as line:
                assert b"ets Jan  8 2013" in line.until(b"\r\n\r\n")
                line.sync()
                assert line.ask(DATE) == OK
    assert device.report["resets"] == {"power_on": 1, "external": 3}
    assert device.report["frames"] == {"to_chip": 6, "from_chip": 27}


def test_a_program_goes_on_over_the_next_connection_only(tmp_path: Path) -> None:
    with Device(tmp_path) as device:
        with Line(device) as line:
            line.sync()
            hello(line)
        with Line(device) as line:
            assert b"ets" not in line.until(b"hello, round ")
        with Line(device) as line:
            assert b"hello" not in line.until(b"\r\n\r\n")
            line.sync()


def test_a_client_that_hangs_up_in_the_middle_of_a_frame(tmp_path: Path) -> None:
    with Device(tmp_path) as device:
        for _ in range(2):
            with Line(device) as line:
                line.sync()
                line.socket.sendall(data_request(FLASH_DATA, bytes(1024), 0)[:500])
        with Line(device) as line:
            line.sync()
            # With a reset instead of an orderly end.
            line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        with Line(device) as line:
            line.sync()
            assert line.ask(DATE) == OK


def test_what_is_on_the_line_when_a_client_goes_does_not_delay_the_next(tmp_path: Path) -> None:
    """A megabyte takes a minute and a half of the chip's time, here counted in earnest."""
    with Device(tmp_path, options=("--realtime",)) as device:
        with Line(device) as line:
            line.sync()
            line.socket.sendall(b"\x00" * (1 << 20))
        with Line(device) as line:
            line.sync()


def test_a_trap_is_told(tmp_path: Path) -> None:
    with Device(tmp_path) as device, Line(device) as line:
        line.sync()
        line.socket.sendall(request(READ_REG, words(0x1000_0000)))
        # It is told at once, and not when somebody asks or at the end.
        assert device.process.stderr is not None
        assert select.select([device.process.stderr], [], [], PATIENCE)[0]
    assert "the chip has stopped: nothing can be read at 0x10000000" in " ".join(device.said.split())
    assert device.report["traps"][0]["address"] == 0x1000_0000
    assert device.report["activity"] == "trapped"


class Stopped(Tcp):
    """A TCP port of a process that is stopped behind each write until the client has spoken."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1", 0)
        self.slept: list[float] = []

    def flush(self) -> bool:
        wrote = bool(self._unsent)
        done = super().flush()
        if wrote:
            assert select.select([self.client()], [], [], PATIENCE)[0]
        return done

    def read(self, link: VirtualLine) -> bool:
        self.slept.append(link.slept_ns / 1e9)
        return super().read(link)


class Computing(Stopped):
    """One that computes meanwhile, and on."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped: list[float] = []

    def flush(self) -> bool:
        wrote = bool(self._unsent)
        began, computed = time.monotonic(), time.thread_time()
        done = super().flush()
        if wrote:
            while time.thread_time() < computed + 0.3:
                pass
            # On a busy machine others have had their turns, too.
            self.stopped.append(time.monotonic() - began - (time.thread_time() - computed))
        return done


def first_sleep(channel: Stopped, pause: float) -> float:
    """What a chip takes for the sleep of a client that pauses before it speaks; seconds."""
    server = Server(VirtualChip(), channel)
    thread = threading.Thread(target=server.serve, args=(1,), daemon=True)
    thread.start()
    host, port = channel.address.removeprefix("socket://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as line:
        assert line.recv(1)
        time.sleep(pause)
        line.sendall(SYNC)
        assert line.recv(1)
    thread.join(PATIENCE)
    server.close()
    return channel.slept[0]


def test_a_client_that_sleeps_is_seen_to_on_a_busy_machine() -> None:
    """A chip that changes its speed takes a moment, for which its client sleeps."""
    assert first_sleep(Stopped(), 0.1) >= 0.1


def test_what_the_chip_computes_is_no_sleep_of_its_client() -> None:
    channel = Computing()
    assert first_sleep(channel, 0) < channel.stopped[0] + 0.15


# Signals and reports.


@pytest.mark.parametrize(("number", "connected"), [(signal.SIGTERM, False), (signal.SIGINT, True)])
def test_signals_end_it_with_a_report(tmp_path: Path, number: int, connected: bool) -> None:
    device = Device(tmp_path)
    with device:
        if connected:
            with Line(device) as line:
                line.sync()
                device.process.send_signal(number)
                assert device.process.wait(PATIENCE) == 0
        else:
            device.process.send_signal(number)
            assert device.process.wait(PATIENCE) == 0
    assert device.report["schema"] == 1
    assert device.report["frames"]["to_chip"] == connected
    assert len(device.report["modelled_seconds"]) == 16


def test_a_report_meanwhile(tmp_path: Path) -> None:
    with Device(tmp_path) as device, Line(device) as line:
        line.sync()
        path = tmp_path / "report.json"
        before = path.stat().st_ino
        device.process.send_signal(signal.SIGUSR1)
        assert comes_true(lambda: path.stat().st_ino != before)
        report: dict[str, Any] = json.loads(path.read_text())
        assert report["frames"] == {"to_chip": 1, "from_chip": 8}
        assert line.ask(DATE) == OK
    assert device.report["frames"] == {"to_chip": 2, "from_chip": 9}


# Files.


def test_what_was_acknowledged_is_in_the_file_after_a_kill(tmp_path: Path) -> None:
    data = bytes(range(256)) * 64
    device = Device(tmp_path)
    device.__enter__()
    try:
        with Line(device) as line:
            line.sync()
            line.write(0, data, 16)
            # The next one is on its way.
            line.socket.sendall(request(FLASH_BEGIN, words(SECTOR, 1, 1024, 0x8000)))
            device.process.kill()
            assert device.process.wait(PATIENCE) == -signal.SIGKILL
    finally:
        device.process.communicate()
    assert device.now[: len(data)] == data
    assert set(device.now[len(data) :]) == {0xFF}
    # It can be used again at once.
    with Device(tmp_path) as again, Line(again) as line:
        line.sync()
        assert again.now[: len(data)] == data


def test_two_devices_on_one_file(tmp_path: Path, imgtool: Callable[..., Run]) -> None:
    with Device(tmp_path) as device:
        ran = imgtool("simulate", "--flash", device.flash, "--flash-size", "1MB")
        assert (ran.code, "in use" in ran.err) == (5, True)


@pytest.mark.parametrize("scheme", ["tcp", "rfc2217"])
def test_a_port_in_use(imgtool: Callable[..., Run], scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = imgtool("simulate", "--listen", f"{scheme}://127.0.0.1:{taken.getsockname()[1]}")
    assert (ran.code, "in use" in ran.err) == (5, True)


# Boots.


def test_boot_run(tmp_path: Path) -> None:
    flash = IMAGES["dumps/nodemcu-2.2-4m.bin"]
    # Without init data, which this release writes if it is let.
    flash = flash[:0x3F_C000] + b"\xff" * SECTOR + flash[0x3F_D000:]
    with Device(tmp_path, options=("--boot", "run"), content=flash, size="4MB") as device:
        for _ in range(2):
            with Line(device) as line:
                log = line.until(b"NodeMCU")
                assert b"boot mode:(3,6)" in log
                assert b"load 0x40100000, len " in log
        assert device.now == flash
    assert device.report["boot"]["outcome"] == "running"


def test_boot_writes(tmp_path: Path) -> None:
    flash = IMAGES["dumps/nodemcu-2.2-4m.bin"]
    blank = flash[:0x3F_C000] + b"\xff" * SECTOR + flash[0x3F_D000:]
    with Device(tmp_path, options=("--boot", "run", "--boot-writes"), content=blank, size="4MB") as device:
        with Line(device) as line:
            line.until(b"NodeMCU")
        assert device.now[0x3F_C000] == 0x05


# Real time.


def test_realtime_waits(tmp_path: Path) -> None:
    with Device(tmp_path, options=("--realtime",), size="16MB") as device, Line(device) as line:
        line.sync()
        began = time.monotonic()
        # Seven sectors from the middle of a block: three asked for, six erased, and one more behind.
        assert line.ask(request(FLASH_BEGIN, words(4 * SECTOR, 1, 1024, 0x2000))) == OK
        assert time.monotonic() - began >= 0.25
        # It can be ended in the middle of what would take minutes.
        line.socket.sendall(request(FLASH_BEGIN, words(0x70_0000, 1, 1024, 0x1000)))
    assert device.report["flash"]["sector"] * 0.045 >= 0.3


# Records.


def traffic(line: Line) -> None:
    line.sync()
    line.write(0x1000, bytes(range(256)) * 4, 1)
    hello(line)


def test_a_record_is_played_again(tmp_path: Path, imgtool: Callable[..., Run]) -> None:
    with Device(tmp_path, options=("--record", "record.jsonl")) as device:
        with Line(device) as line:
            traffic(line)
        with Line(device) as line:
            line.until(b"hello, round 1\r\n")
        with Line(device) as line:
            line.sync()
    play = ("simulate", "--flash-size", "1MB", "--replay")
    ran = imgtool(*play, tmp_path / "record.jsonl")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("all answers as recorded\n")

    record = (tmp_path / "record.jsonl").read_text()
    changed = re.sub("(c0010302[0-9a-f]{10})0000", r"\g<1>0001", record, count=1)
    assert changed != record
    (tmp_path / "changed.jsonl").write_text(changed)
    ran = imgtool(*play, tmp_path / "changed.jsonl", "--json")
    assert ran.code == 1
    document = json.loads(ran.out)
    assert document["ok"] is False
    (result,) = document["results"]
    assert result["expected"].replace("0001", "0000") == result["found"].replace("0001", "0000")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no JSON\n",
        '{"traffic": 2}\n',
        '{"traffic": 1}\n[]\n',
        '{"traffic": 1}\n{"in": "c0"}\n',
        '{"traffic": 1}\n{"in": "zz", "baud": null}\n',
        '{"traffic": 1}\n{"in": 5, "baud": null}\n',
        '{"traffic": 1}\n{"event": "explode"}\n',
        '{"traffic": 1}\n{"event": "connect"}\n',
        '{"traffic": 1}\n{}\n',
        '{"traffic": 1}\n{"t": "x", "event": "disconnect"}\n',
    ],
)
def test_what_is_no_record(tmp_path: Path, imgtool: Callable[..., Run], content: str) -> None:
    (tmp_path / "record.jsonl").write_text(content)
    assert imgtool("simulate", "--replay", tmp_path / "record.jsonl").code == 3


# Faults.


def test_a_port_that_goes_and_comes_back(tmp_path: Path) -> None:
    with Device(tmp_path, options=("--fault", "gone=in:50:50ms")) as device:
        with Line(device) as line:
            line.sync()
            line.socket.sendall(SYNC)
            assert line.closed()
        with Line(device) as line:
            line.sync()
            assert line.ask(DATE) == OK


def test_a_power_cut(tmp_path: Path) -> None:
    with Device(tmp_path, options=("--fault", "cut=sector:1:0.5"), content=bytes(0x10_0000)) as device:
        with Line(device) as line:
            line.sync()
            line.socket.sendall(request(FLASH_BEGIN, words(SECTOR, 1, 1024, 0)))
        with Line(device) as line:
            line.sync()
        assert device.now[:SECTOR] not in {bytes(SECTOR), b"\xff" * SECTOR}
        assert device.now[SECTOR:] == bytes(0xF_F000)


# A pseudo terminal.


def exchange(line: serial.SerialBase, sent: bytes, wanted: bytes) -> bool:
    """Whether the answer comes; False after the time-out of the port."""
    line.write(sent)
    return wanted in line.read_until(wanted)


def opened(device: Device, baud: int) -> serial.Serial:
    """The terminal, opened so that the device has noticed: it resets the chip, which says something.

    A terminal that is closed and opened again at once cannot be told from one that stays open.
    """
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        line = serial.Serial(device.address, baud, timeout=SILENCE)
        if line.read(1):
            line.timeout = PATIENCE
            return line
        line.close()
        time.sleep(SILENCE)  # for the device to see it closed
    pytest.fail("the device does not notice that somebody listens")


def test_pty(tmp_path: Path) -> None:
    with Device(tmp_path, "pty") as device:
        for baud in (115200, 74880, 921600):
            with opened(device, baud) as line:
                assert exchange(line, SYNC, SYNC_REPLY * 8)
                assert exchange(line, DATE, DATE_REPLY)
    assert device.report["resets"]["external"] >= 3
    assert device.report["receive_overflows"] == 0


def test_a_pty_that_only_listens_hears_at_its_speed(tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells the speed of a pseudo terminal")
    flash = IMAGES["dumps/nodemcu-2.2-4m.bin"]
    with Device(tmp_path, "pty", options=("--boot", "run"), content=flash, size="4MB") as device:
        with opened(device, 115200) as line:
            log = line.read_until(b"NodeMCU")
            assert b"NodeMCU" in log
            assert b"boot mode" not in log
        with opened(device, 74880) as line:
            assert b"csum" in line.read_until(b"csum")
            line.timeout = SILENCE
            assert b"NodeMCU" not in line.read(10_000)


def test_a_pty_client_that_does_not_read(tmp_path: Path) -> None:
    """Neither does the device hang, nor does it keep the client from writing."""
    with (
        Device(tmp_path, "pty") as device,
        serial.Serial(device.address, 921600, timeout=PATIENCE, write_timeout=PATIENCE) as line,
    ):
        for _ in range(300):
            line.write(SYNC)


# RFC 2217.


# pyserial's client.
@pytest.mark.filterwarnings("ignore::DeprecationWarning:serial")
def test_rfc2217(tmp_path: Path, imgtool: Callable[..., Run]) -> None:
    flash = IMAGES["dumps/nodemcu-2.2-4m.bin"]
    options = ("--record", "record.jsonl")
    with Device(tmp_path, "rfc2217://127.0.0.1:0", options, content=flash, size="4MB") as device:
        assert device.address.startswith("rfc2217://127.0.0.1:")
        with serial.serial_for_url(device.address, baudrate=115200, timeout=PATIENCE) as line:
            # The classic sequence; each change takes its time on the network.
            line.dtr = False
            line.rts = True
            line.dtr = True
            line.rts = False
            assert line.read(20)  # of the banner, as noise
            line.dtr = False
            line.reset_input_buffer()
            assert exchange(line, SYNC, SYNC_REPLY * 8)
            # All byte values, that of the telnet escape among them.
            data = bytes(range(256))
            line.write(request(FLASH_BEGIN, words(256, 1, 256, 0x20_0000)))
            assert reply_of(frames(line.read(12))[0]).status == OK
            line.write(data_request(FLASH_DATA, data, 0))
            assert reply_of(frames(line.read(12))[0]).status == OK
            assert exchange(line, DATE, DATE_REPLY)
        assert device.now[0x20_0000:0x20_0100] == data
    assert device.report["resets"]["external"] >= 1

    # The record holds the changes of the lines, and plays again.
    (tmp_path / "flash.bin").write_bytes(flash)
    ran = imgtool("simulate", "--flash", tmp_path / "flash.bin", "--replay", tmp_path / "record.jsonl")
    assert (ran.code, ran.err) == (0, ""), ran.out


def test_broken_telnet_does_not_end_the_device(tmp_path: Path) -> None:
    with Device(tmp_path, "rfc2217://127.0.0.1:0") as device:
        port = int(device.address.rsplit(":", 1)[1])
        for sent in (
            b"\xff\xfa\x2c\x01\x00\xff\xf0",  # a speed of one byte
            b"\xff\xfa\xff\xf0",  # nothing
            b"\xff\xfa\x2c\x01\x00\x00\x00\x00\xff\xf0",  # speed 0: only asks
            b"\xff\xff\xff",
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line:
                line.sendall(sent)
                line.shutdown(socket.SHUT_WR)
                while line.recv(100):
                    pass
