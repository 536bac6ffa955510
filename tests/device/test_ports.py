"""Ports: what is listed, why one cannot be opened, what an open one can do, and how a loss is told."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import serial

from imgtool.device import host_ports as machines
from imgtool.device import port as ports
from imgtool.device.adapters import ADAPTERS, UNKNOWN_HIGHEST_BAUD, adapter_of
from imgtool.device.host_ports import Group, Holder, Machine, holders
from imgtool.device.port import SerialWire, open_serial
from imgtool.device.port_errors import PortProblem, UnusablePortError
from imgtool.device.port_list import find_port, list_ports
from imgtool.device.wire import READ_TIMEOUT, Lines, WallClock, Wire, WireTraits, losses, lost
from imgtool.errors import PortError

posix = pytest.mark.skipif(sys.platform == "win32", reason="device files")


@dataclass
class Found:
    """What pyserial says of a port."""

    device: str
    vid: int | None = None
    pid: int | None = None
    serial_number: str | None = None
    product: str | None = None


PC = Found("/dev/ttyS0")
CH340 = Found("/dev/ttyUSB10", 0x1A86, 0x7523, "", "USB Serial")
CP2102 = Found("/dev/ttyUSB9", 0x10C4, 0xEA60, "0001", "CP2102 USB to UART Bridge Controller")
MODEM = Found("/dev/ttyACM0", 0x1199, 0x9071, "X1", "Some modem")


def dialout(*, may: bool = True, member: bool = False, in_session: bool = False) -> Group:
    return Group("dialout", may, member, in_session)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Linux machine without ports and without processes, on which everything is allowed."""
    for folder in ("proc", "sys/class/tty"):
        (tmp_path / folder).mkdir(parents=True)
    return Machine(
        comports=list,
        root=tmp_path,
        access=lambda _path, _mode: True,
        group=lambda _path: dialout(),
        platform="linux",
    )


def with_ports(machine: Machine, *found: Found) -> Machine:
    return replace(machine, comports=lambda: found)


def add_process(machine: Machine, pid: int, program: str, *opened: str) -> None:
    folder = machine.root / "proc" / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "comm").write_text(f"{program}\n")
    for number, path in enumerate(opened):
        (folder / "fd" / str(number)).symlink_to(path)


def add_driver(machine: Machine, name: str, driver: str) -> None:
    drivers = machine.root / "sys/bus/usb-serial/drivers" / driver
    drivers.mkdir(parents=True, exist_ok=True)
    device = machine.root / "sys/class/tty" / name / "device"
    device.mkdir(parents=True)
    (device / "driver").symlink_to(drivers)


def failure_of(call: Callable[[], object]) -> UnusablePortError:
    with pytest.raises(UnusablePortError) as caught:
        call()
    return caught.value


# Adapters.


def test_no_ids_are_twice_in_the_table() -> None:
    assert len({(adapter.vid, adapter.pid) for adapter in ADAPTERS}) == len(ADAPTERS)


@pytest.mark.parametrize(
    ("vid", "pid", "name"),
    [
        (0x1A86, 0x7523, "CH340"),
        (0x10C4, 0xEA60, "CP2102"),
        (0x0403, 0x6001, "FT232R"),
        (0x067B, 0x23A3, "PL2303GC"),
        (0x10C4, 0x7523, None),
        (None, None, None),
    ],
)
def test_adapter_of(vid: int | None, pid: int | None, name: str | None) -> None:
    adapter = adapter_of(vid, pid)

    assert (None if adapter is None else adapter.name) == name


def test_what_is_tried_on_an_unknown_adapter_is_what_all_known_ones_can() -> None:
    assert min(adapter.highest_baud for adapter in ADAPTERS) == UNKNOWN_HIGHEST_BAUD
    assert all(adapter.source for adapter in ADAPTERS)


# The list.


@posix
def test_likely_ports_come_first_and_numbers_in_their_order(machine: Machine) -> None:
    add_driver(machine, "ttyUSB9", "cp210x")

    found = list_ports(with_ports(machine, PC, CH340, MODEM, CP2102))

    assert [(port.path, port.adapter, port.driver, port.likely) for port in found] == [
        ("/dev/ttyUSB9", "CP2102", "cp210x", True),
        ("/dev/ttyUSB10", "CH340", None, True),
        ("/dev/ttyACM0", None, None, False),
        ("/dev/ttyS0", None, None, False),
    ]
    assert (found[0].vid, found[0].pid, found[0].serial_number) == (0x10C4, 0xEA60, "0001")
    assert found[1].serial_number is None
    assert [port.problem for port in found] == [None] * 4


@posix
@pytest.mark.parametrize(
    ("group", "message", "facts"),
    [
        (
            dialout(),
            "no permission to open it: it belongs to group dialout, and this user is not in it",
            {"group": "dialout", "member": False, "in_session": False},
        ),
        (
            dialout(member=True),
            "no permission to open it: this user is in its group dialout, but this session is not yet",
            {"group": "dialout", "member": True, "in_session": False},
        ),
        (
            dialout(member=True, in_session=True),
            "no permission to open it: although this user is in its group dialout",
            {"group": "dialout", "member": True, "in_session": True},
        ),
        (dialout(may=False), "no permission to open it", {}),
        (None, "no permission to open it", {}),
    ],
    ids=["stranger", "new-member", "member", "mode", "no-group"],
)
def test_no_permission(machine: Machine, group: Group | None, message: str, facts: dict[str, object]) -> None:
    closed = replace(with_ports(machine, CH340), access=lambda _p, _m: False, group=lambda _: group)

    (port,) = list_ports(closed)

    assert (port.problem, port.likely) == (message, True)
    assert port.failure is not None
    assert port.failure.data == {"source": "/dev/ttyUSB10", "reason": "permission", **facts}


@posix
def test_who_holds_a_port(machine: Machine) -> None:
    add_process(machine, 812, "picocom", "/dev/pts/1", "/dev/ttyUSB10")
    add_process(machine, 5, "cat", "/dev/ttyUSB10", "socket:[7]")
    (machine.root / "proc" / "self-made").mkdir()
    (machine.root / "proc" / "77").mkdir()  # ended, or somebody else's: it has no fd to be read

    both = list_ports(with_ports(machine, CH340, CP2102))

    assert holders("/dev/ttyUSB10", machine) == (Holder(5, "cat"), Holder(812, "picocom"))
    assert [port.problem for port in both] == [None, "in use by cat (pid 5), picocom (pid 812)"]
    assert both[1].failure is not None
    assert both[1].failure.data == {
        "source": "/dev/ttyUSB10",
        "reason": "busy",
        "program": "cat",
        "pid": 5,
    }


def test_on_windows_nothing_is_looked_at(machine: Machine) -> None:
    closed = replace(
        with_ports(machine, Found("COM3", 0x1A86, 0x7523)), access=lambda _p, _m: False, platform="win32"
    )

    assert [(port.path, port.problem) for port in list_ports(closed)] == [("COM3", None)]


@posix
def test_the_group_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o660)
    group = machines._group_of(str(file))
    assert group is not None
    assert (group.may, group.in_session) == (True, True)

    file.chmod(0o600)
    assert machines._group_of(str(file)) == group._replace(may=False)
    assert machines._group_of(str(tmp_path / "none")) is None


@posix
def test_this_machine_can_be_looked_at() -> None:
    assert isinstance(list_ports(), tuple)


# The port of the board.


@posix
def test_the_one_likely_port_is_found(machine: Machine) -> None:
    assert find_port(with_ports(machine, PC, CH340, MODEM)).path == "/dev/ttyUSB10"


@posix
@pytest.mark.parametrize(
    ("found", "message", "data"),
    [
        ((), "no known USB serial adapter is there", {"reason": "missing", "ports": []}),
        (
            (PC, MODEM),
            "no known USB serial adapter is there; other ports: /dev/ttyACM0, /dev/ttyS0",
            {"reason": "missing", "ports": ["/dev/ttyACM0", "/dev/ttyS0"]},
        ),
        (
            (PC, CH340, CP2102),
            "there are 2 serial adapters: /dev/ttyUSB9 (CP2102), /dev/ttyUSB10 (CH340)",
            {"reason": "several", "ports": ["/dev/ttyUSB9", "/dev/ttyUSB10"]},
        ),
    ],
    ids=["none", "unlikely", "several"],
)
def test_no_port_is_chosen(
    machine: Machine, found: tuple[Found, ...], message: str, data: dict[str, object]
) -> None:
    error = failure_of(lambda: find_port(with_ports(machine, *found)))

    assert (str(error), error.data) == (message, data)


def test_a_program_that_takes_adapters_is_named(machine: Machine) -> None:
    add_process(machine, 4, "brltty")

    assert failure_of(lambda: find_port(machine)).data["suspect"] == "brltty"


# Opening.


@posix
def test_a_missing_port(machine: Machine) -> None:
    none = failure_of(lambda: open_serial("/dev/ttyUSB77", machine))
    some = failure_of(lambda: open_serial("/dev/ttyUSB77", with_ports(machine, PC, CH340)))

    assert str(none) == "/dev/ttyUSB77: there is no such port; there is no serial port at all"
    assert str(some).endswith("no such port; those that are there: /dev/ttyUSB10, /dev/ttyS0")
    assert some.data == {
        "source": "/dev/ttyUSB77",
        "reason": "missing",
        "ports": ["/dev/ttyUSB10", "/dev/ttyS0"],
    }
    assert isinstance(some, PortError)


@posix
@pytest.mark.parametrize(
    ("name", "message"),
    [
        (".", "this is a folder, not a serial port"),
        (__file__, "this is a file, not a serial port"),
        ("/dev/null", "this is a device, but not a serial port"),
        ("socket://127.0.0.1", "this is no address of the form SCHEME://HOST:PORT"),
        ("socket://127.0.0.1:seven", "this is no address of the form SCHEME://HOST:PORT"),
        ("rfc2217://:5", "this is no address of the form SCHEME://HOST:PORT"),
        ("gopher://x:1", "this is no kind of port that pyserial knows: gopher://"),
    ],
)
def test_no_serial_ports(machine: Machine, name: str, message: str) -> None:
    error = failure_of(lambda: open_serial(name, machine))

    assert (error.message, error.source, error.reason) == (message, name, PortProblem.NOT_A_PORT)


@pytest.mark.parametrize("name", ["", "no\0name"])
def test_names_that_are_none(machine: Machine, name: str) -> None:
    assert failure_of(lambda: open_serial(name, machine)).reason is PortProblem.MISSING


@posix
def test_a_port_without_permission_is_not_tried(machine: Machine, terminal: str) -> None:
    closed = replace(machine, access=lambda _path, _mode: False)

    error = failure_of(lambda: open_serial(terminal, closed))

    assert error.reason is PortProblem.PERMISSION
    assert error.data["group"] == "dialout"


@pytest.fixture
def terminal() -> Iterator[str]:
    """A pseudo terminal, which is a serial port without DTR and RTS."""
    master, slave = os.openpty()
    try:
        yield os.ttyname(slave)
    finally:
        os.close(master)
        os.close(slave)


@posix
def test_an_open_device(machine: Machine, terminal: str) -> None:
    wire = open_serial(terminal, machine)
    try:
        assert (wire.name, wire.traits.baud, wire.traits.lines) == (terminal, True, Lines.NONE)
        assert (wire.traits.highest_baud, wire.traits.adapter) == (UNKNOWN_HIGHEST_BAUD, None)
        assert (wire._port.baudrate, wire._port.timeout) == (115200, READ_TIMEOUT)
    finally:
        wire.close()
        wire.close()
    assert not wire._port.is_open


@posix
def test_the_adapter_decides_on_the_highest_speed(machine: Machine, terminal: str, tmp_path: Path) -> None:
    link = tmp_path / "by-id"
    link.symlink_to(terminal)
    there = with_ports(machine, Found(terminal, 0x0403, 0x6001))
    wire = open_serial(str(link), there)
    wire.close()

    assert wire.traits.adapter is not None
    assert (wire.traits.adapter.name, wire.traits.highest_baud) == ("FT232R", 3_000_000)


@posix
def test_a_port_that_another_program_has_locked(terminal: str) -> None:
    code = (
        "import serial, sys; p = serial.Serial(sys.argv[1], exclusive=True); print('x', flush=True); input()"
    )
    command = [sys.executable, "-c", code, terminal]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline()
        error = failure_of(lambda: open_serial(terminal))
        other.communicate(b"\n")

    assert (error.reason, error.source) == (PortProblem.BUSY, terminal)
    # This process has the terminal open too, as its maker.
    assert f"(pid {other.pid})" in error.message or sys.platform != "linux"


OPENING = {
    "no-permission": (serial.SerialException(errno.EACCES, "could not open"), "linux", "permission"),
    "busy": (serial.SerialException(errno.EBUSY, "could not open"), "linux", "busy"),
    "locked": (serial.SerialException(errno.EAGAIN, "could not lock"), "linux", "busy"),
    "gone-by-now": (serial.SerialException(errno.ENXIO, "could not open"), "linux", "missing"),
    "no-hardware": (OSError(errno.EIO, "Input/output error"), "linux", "other"),
    "bad-speed": (ValueError("invalid baud rate"), "linux", "other"),
    "windows-busy": (
        serial.SerialException(
            "could not open port 'COM3': PermissionError(13, 'Access is denied.', None, 5)"
        ),
        "win32",
        "busy",
    ),
    "windows-missing": (
        serial.SerialException("could not open port 'COM3': FileNotFoundError(2, 'not found', None, 2)"),
        "win32",
        "missing",
    ),
}


@pytest.mark.parametrize(("raised", "platform", "reason"), OPENING.values(), ids=OPENING)
def test_what_the_system_says_is_understood(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, raised: Exception, platform: str, reason: str
) -> None:
    class Unopenable(serial.Serial):
        def open(self) -> None:
            raise raised

    monkeypatch.setattr(serial, "Serial", Unopenable)
    monkeypatch.setattr(ports, "_check_device", lambda *_: None)

    error = failure_of(lambda: open_serial("COM3", replace(machine, platform=platform)))

    assert (error.reason, error.source, error.__cause__) == (PortProblem(reason), "COM3", raised)


def test_modem_manager_is_suspected_where_no_holder_is_seen(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Taken(serial.Serial):
        def open(self) -> None:
            raise serial.SerialException(errno.EBUSY, "could not open")

    monkeypatch.setattr(serial, "Serial", Taken)
    monkeypatch.setattr(ports, "_check_device", lambda *_: None)
    assert failure_of(lambda: open_serial("x", machine)).message == "in use by another program"
    add_process(machine, 3, "ModemManager")

    error = failure_of(lambda: open_serial("x", machine))

    assert "ModemManager is running" in error.message
    assert error.data == {"source": "x", "reason": "busy", "suspect": "ModemManager"}


# Networks.


@pytest.fixture
def nobody() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
def test_a_connection_that_is_refused(machine: Machine, nobody: str, scheme: str) -> None:
    error = failure_of(lambda: open_serial(f"{scheme}://{nobody}", machine))

    assert error.reason is PortProblem.REFUSED
    assert error.message == f"no connection: {os.strerror(errno.ECONNREFUSED)}"
    assert nobody in error.data["detail"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:serial")
def test_a_server_that_does_not_speak_rfc2217(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        name = f"rfc2217://127.0.0.1:{server.getsockname()[1]}?timeout=0.05"
        error = failure_of(lambda: open_serial(name, machine))

    assert (error.reason, error.message) == (PortProblem.REFUSED, "the other side is no RFC 2217 server")


def test_a_raw_connection_has_no_speed_and_no_lines(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        wire = open_serial(f"socket://127.0.0.1:{server.getsockname()[1]}", machine)
        client, _ = server.accept()
        client.close()
        assert wire.traits == WireTraits(baud=False, lines=Lines.NONE, highest_baud=115200)
        error = failure_of(lambda: read(wire))
        wire.close()

    assert (error.message, error.source) == ("the port is lost: the connection broke", wire.name)


def read(wire: Wire) -> bytes:
    with losses(wire):
        return wire.read(1, READ_TIMEOUT)


def test_pyserials_other_urls(machine: Machine) -> None:
    wire = open_serial("loop://", machine)
    wire.write(b"x")
    assert read(wire) == b"x"
    wire.close()


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({}, None),
        ({"vid": 0x0403, "pid": 0x6001}, "FT232R"),
        ({"vid": 0x0403, "pid": 0xFFFF}, None),
        ({"vid": None, "pid": None}, None),
        ({"adapter": ADAPTERS[0]}, "CH340"),
        ({"adapter": "CH340"}, None),
    ],
)
def test_a_url_can_say_which_adapter_it_is(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, said: dict[str, object], name: str | None
) -> None:
    for key, value in said.items():
        monkeypatch.setattr("serial.urlhandler.protocol_loop.Serial." + key, value, raising=False)
    wire = open_serial("loop://", machine)
    wire.close()

    adapter = wire.traits.adapter
    assert (None if adapter is None else adapter.name) == name
    assert wire.traits.lines is Lines.APART
    assert wire.traits.highest_baud == (UNKNOWN_HIGHEST_BAUD if adapter is None else adapter.highest_baud)


@posix
def test_a_url_that_leads_to_a_device_is_that_device(machine: Machine, terminal: str) -> None:
    there = with_ports(machine, Found(terminal, 0x0403, 0x6001))
    wire = open_serial(f"alt://{terminal}", there)
    wire.close()

    assert wire.traits == WireTraits(lines=Lines.NONE, highest_baud=3_000_000, adapter=wire.traits.adapter)
    assert wire.traits.adapter is not None


def test_without_pyserial_there_are_no_ports(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)

    error = failure_of(lambda: open_serial("/dev/ttyUSB0", machine))

    assert (error.message, error.reason) == ("this Python has no serial ports", PortProblem.OTHER)


# Reading.


class Timed:
    """A port that notes how it is read."""

    def __init__(self, coming: bytes = b"", timeout: float = READ_TIMEOUT) -> None:
        self.__dict__.update(coming=coming, timeout=timeout, noted=[])

    def __setattr__(self, name: str, value: object) -> None:
        if name == "timeout":
            self.noted.append(f"timeout {value}")
        self.__dict__[name] = value

    @property
    def in_waiting(self) -> int:
        return len(self.coming)

    def read(self, size: int) -> bytes:
        self.noted.append(f"read {size}")
        data, self.__dict__["coming"] = self.coming[:size], self.coming[size:]
        return bytes(data)

    coming: bytes
    noted: list[str]


@pytest.mark.parametrize(
    ("lines", "timeout", "expected"),
    [
        (Lines.TOGETHER, READ_TIMEOUT, ["read 9"]),
        (Lines.TOGETHER, 0.01, ["timeout 0.01", "read 9"]),
        (Lines.TOGETHER, 0, ["read 3"]),
        (Lines.SLOW, READ_TIMEOUT, ["read 9"]),
        (Lines.SLOW, 0, ["read 3"]),
    ],
)
def test_a_time_out_is_changed_where_it_must_be(lines: Lines, timeout: float, expected: list[str]) -> None:
    port = Timed(b"abc")

    assert SerialWire("x", port, WireTraits(lines=lines)).read(9, timeout) == b"abc"
    assert port.noted == expected


@pytest.mark.parametrize("timeout", [0.02, 0.2])
def test_a_time_out_is_never_changed_over_a_network(timeout: float) -> None:
    port = Timed(b"abc")

    assert SerialWire("x", port, WireTraits(lines=Lines.SLOW)).read(3, timeout) == b"abc"
    assert SerialWire("x", port, WireTraits(lines=Lines.SLOW)).read(3, 0.01) == b""
    assert not [note for note in port.noted if note.startswith("timeout")]


# Opened again.


@posix
def test_a_port_that_is_opened_again_is_one_that_is_opened(machine: Machine, terminal: str) -> None:
    wire = open_serial(terminal, machine)
    before = wire._port
    wire.set_baud(9600)
    wire.reopen()
    try:
        assert wire._port is not before
        assert not before.is_open
        assert (wire._port.is_open, wire._port.baudrate) == (True, 115200)
    finally:
        wire.close()


@posix
def test_a_port_that_is_not_back_says_why(machine: Machine) -> None:
    master, slave = os.openpty()
    wire = open_serial(os.ttyname(slave), machine)
    os.close(slave)
    os.close(master)

    assert failure_of(wire.reopen).reason is PortProblem.MISSING
    with pytest.raises(UnusablePortError, match="the port is lost"), losses(wire):
        wire.write(b"x")


# Losses.


@posix
def test_an_unplugged_port(machine: Machine) -> None:
    master, slave = os.openpty()
    wire = open_serial(os.ttyname(slave), machine)
    os.close(slave)
    os.close(master)

    error = failure_of(lambda: read(wire))
    wire.close()

    assert (error.reason, error.source) == (PortProblem.LOST, wire.name)
    assert error.message.startswith("the port is lost: it was unplugged, or ")
    assert error.data["detail"]


@posix
def test_a_loss_at_a_change_of_speed() -> None:
    termios = pytest.importorskip("termios")

    class Gone:
        @property
        def baudrate(self) -> int:
            raise NotImplementedError

        @baudrate.setter
        def baudrate(self, _: int) -> None:
            raise termios.error(errno.EIO, "Input/output error")

    wire = SerialWire("x", Gone(), WireTraits())
    with pytest.raises(UnusablePortError, match="the port is lost") as caught, losses(wire):
        wire.set_baud(9600)
    assert caught.value.detail == "[Errno 5] Input/output error"


@posix
def test_a_second_reader_may_be_the_reason(terminal: str) -> None:
    silence = serial.SerialException("device disconnected or multiple access on port?")

    assert lost(terminal, silence).message.endswith("or another program reads from it too")
    assert lost("/dev/ttyUSB77", silence).message.endswith("or its adapter failed")


def test_other_errors_pass_through() -> None:
    wire = SerialWire("x", None, WireTraits())
    with pytest.raises(ZeroDivisionError), losses(wire):
        raise ZeroDivisionError


# Lines.


class NotingPort:
    """A port that notes what its lines do; its descriptor has modem lines if it has one."""

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = descriptor
        self.steps: list[tuple[bool, bool]] = []
        self._dtr = self._rts = False

    def fileno(self) -> int:
        if self.descriptor is None:
            raise OSError(errno.EBADF, "no descriptor")
        return self.descriptor

    def note(self) -> None:
        if self.steps[-1:] != [(self._dtr, self._rts)]:
            self.steps.append((self._dtr, self._rts))

    @property
    def dtr(self) -> bool:
        return self._dtr

    @dtr.setter
    def dtr(self, value: bool) -> None:
        self._dtr = value
        self.note()

    @property
    def rts(self) -> bool:
        return self._rts

    @rts.setter
    def rts(self, value: bool) -> None:
        self._rts = value
        self.note()


@pytest.mark.parametrize("lines", [Lines.TOGETHER, Lines.APART, Lines.SLOW])
@pytest.mark.parametrize("start", [(False, False), (True, True), (True, False), (False, True)])
@pytest.mark.parametrize("end", [(False, False), (True, True), (True, False), (False, True)])
def test_two_steps_never_pass_through_a_reset(
    start: tuple[bool, bool], end: tuple[bool, bool], lines: Lines
) -> None:
    port = NotingPort()
    port.dtr, port.rts = start
    port.steps[:] = [start]

    SerialWire("x", port, WireTraits(lines=lines)).set_lines(*end)

    assert port.steps[-1] == end
    assert (False, True) not in [step for step in port.steps if step not in {start, end}]


def test_both_lines_leave_a_reset_at_once_where_the_driver_passes_rts_on_with_dtr() -> None:
    class Usbser(NotingPort):
        def note(self) -> None:
            """RTS is kept until DTR is written, in whatever state."""

        @property
        def dtr(self) -> bool:
            return self._dtr

        @dtr.setter
        def dtr(self, value: bool) -> None:
            self._dtr = value
            self.steps.append((self._dtr, self._rts))

    port = Usbser()
    wire = SerialWire("COM3", port, WireTraits(lines=Lines.APART))
    for state in ((False, True), (True, False), (False, False)):
        wire.set_lines(*state)

    assert port.steps == [(False, True), (True, False), (False, False)]


@posix
def test_one_step_where_the_system_can(monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")
    termios = pytest.importorskip("termios")

    port = NotingPort(descriptor=99)
    state = termios.TIOCM_CTS
    sets: list[int] = []

    def ioctl(descriptor: int, request: int, argument: bytes) -> bytes:
        nonlocal state
        assert descriptor == 99
        if request == termios.TIOCMSET:
            state = int.from_bytes(argument, sys.byteorder)
            sets.append(state)
        return int(state).to_bytes(4, sys.byteorder)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)

    wire = SerialWire("x", port, WireTraits(lines=Lines.TOGETHER))
    wire.set_lines(dtr=True, rts=True)
    wire.set_lines(dtr=False, rts=True)

    both = termios.TIOCM_DTR | termios.TIOCM_RTS
    assert sets == [termios.TIOCM_CTS | both, termios.TIOCM_CTS | termios.TIOCM_RTS]
    assert (port.dtr, port.rts) == (False, True)


@posix
def test_opening_releases_the_lines_without_a_reset(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, terminal: str
) -> None:
    states: list[tuple[bool, bool]] = []

    def note(self: serial.Serial) -> None:
        states.append((self.dtr, self.rts))

    monkeypatch.setattr(serial.Serial, "_update_dtr_state", note)
    monkeypatch.setattr(serial.Serial, "_update_rts_state", note)
    monkeypatch.setattr(ports, "_has_lines", lambda _: True)

    open_serial(terminal, machine).close()

    # The system has asserted both; from there on only GPIO0 is low for a moment, and never EN.
    assert states[0] == (True, True)
    assert states[-1] == (False, False)
    assert (False, True) not in states


def test_wall_clock() -> None:
    clock = WallClock()
    before = clock.monotonic()
    clock.sleep(-1)
    assert clock.monotonic() >= before
