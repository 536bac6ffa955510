"""The protocol of an open port: what a port of one's own needs, and what imgtool makes of its failures."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from imgtool.device.link import Link
from imgtool.device.port_errors import LostPortError, OneTimePortError
from imgtool.device.session import ConnectOptions, Session
from imgtool.device.wire import Clock, Lines, WallClock, Wire, WireTraits, losses
from imgtool.errors import LineError, PortError
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.transfer import Job, transfer
from imgtool.virtual.line.wire import SimWire, open_sim

if TYPE_CHECKING:
    from pathlib import Path


class Own:
    """A port of one's own, derived from nothing: only what the protocol lists."""

    def __init__(self, sim: SimWire) -> None:
        self.name = "mine"
        self.clock: Clock = sim.clock
        self.traits = WireTraits()
        self.sim = sim
        self.calls: set[str] = set()

    def read(self, size: int, timeout: float) -> bytes:
        return self.sim.read(size, timeout)

    def write(self, data: bytes) -> None:
        self.sim.write(data)

    def set_baud(self, baud: int) -> None:
        self.sim.set_baud(baud)

    def set_lines(self, dtr: bool, rts: bool) -> None:
        self.sim.set_lines(dtr, rts)

    def drain(self) -> None:
        self.sim.drain()

    def discard(self) -> None:
        self.sim.discard()

    def close(self) -> None:
        self.calls.add("close")

    def reopen(self) -> None:
        self.calls.add("reopen")
        self.sim.reopen()


class Derived(Wire):
    """A port of one's own with all that the protocol gives."""

    def __init__(self, sim: SimWire) -> None:
        self.name = "mine"
        self.clock = sim.clock
        self.sim = sim

    def read(self, size: int, timeout: float) -> bytes:
        return self.sim.read(size, timeout)

    def write(self, data: bytes) -> None:
        self.sim.write(data)

    def set_baud(self, baud: int) -> None:
        self.sim.set_baud(baud)

    def set_lines(self, dtr: bool, rts: bool) -> None:
        self.sim.set_lines(dtr, rts)

    def close(self) -> None:
        self.sim.close()


def wire_of(kind: type[Own | Derived], spec: str = "sim:1MB") -> Own | Derived:
    return kind(open_sim(spec))


@pytest.mark.parametrize("kind", [Own, Derived])
@pytest.mark.parametrize("stub", ["none", "imgtool"])
def test_a_port_of_ones_own_is_enough_to_write(kind: type[Own | Derived], stub: str) -> None:
    wire = wire_of(kind)
    data = bytes(range(256)) * 20
    with Session.connect(wire, ConnectOptions(stub=stub)) as session:
        done = transfer(session, Job((Piece(0x1000, data, "data.bin"),), verify="readback"))
        assert session.run_firmware()

    assert (done.written, session.chip.model) == (0x2000, "ESP8266EX")
    assert wire.sim.chip.flash.read(0x1000, len(data)) == data


def test_what_a_derived_port_has_of_itself() -> None:
    wire = wire_of(Derived)

    assert wire.traits == WireTraits(baud=True, lines=Lines.APART, highest_baud=921_600, adapter=None)
    assert isinstance(Wire.clock, WallClock)
    wire.drain()
    wire.clock.sleep(0.1)
    wire.discard()
    assert wire.read(1, 0.1) == b""
    with pytest.raises(OneTimePortError, match="mine: the port is lost, and cannot be opened again"):
        wire.reopen()


def test_a_port_without_its_methods_is_none() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Wire()  # type: ignore[misc]


def test_a_port_that_never_runs_dry_is_left_as_it_is() -> None:
    class Endless(Derived):
        def read(self, size: int, timeout: float) -> bytes:
            assert timeout == 0
            return bytes(size)

    Endless(open_sim()).discard()


# Failures.


@pytest.mark.parametrize("name", ["read", "write", "set_baud", "set_lines", "discard"])
@pytest.mark.parametrize("error", [OSError("no longer there"), TimeoutError(110, "timed out")])
def test_a_failure_of_any_method_is_a_lost_port(
    monkeypatch: pytest.MonkeyPatch, name: str, error: OSError
) -> None:
    def fail(*_: object, **__: object) -> Any:  # noqa: ANN401 - as the method it stands for
        raise error

    wire = wire_of(Own, "sim:1MB,boot=run")
    monkeypatch.setattr(wire, name, fail)

    with pytest.raises(LostPortError, match="mine: the port is lost: it was unplugged") as caught:
        Session.connect(wire)
    assert (caught.value.detail, caught.value.__cause__) == (str(error), error)


def test_what_a_port_says_itself_stays() -> None:
    said = PortError("the browser has taken it away", source="mine")
    with pytest.raises(PortError) as caught, losses(wire_of(Own)):
        raise said
    assert caught.value is said


def test_a_speed_that_is_not_taken_is_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise ValueError

    wire = wire_of(Own)
    monkeypatch.setattr(wire, "set_baud", refuse)

    with pytest.raises(LineError, match=r"does not take this speed \(found 9600 baud\)"):
        Link(wire).set_baud(9600)
    with pytest.raises(LineError, match=r"does not take this speed \(found 115200 baud\)"):
        Session.connect(wire)


def test_a_speed_that_does_not_reach_the_chip_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = wire_of(Own)
    monkeypatch.setattr(wire, "traits", WireTraits(baud=False, lines=Lines.NONE))
    monkeypatch.delattr(Own, "set_baud")
    monkeypatch.delattr(Own, "set_lines")

    session = Session.connect(wire, ConnectOptions(stub="none", baud=921_600))

    assert (session.reset_used, session.target_baud) == ("none", 115_200)
    assert not session.run_firmware()


def test_a_port_that_comes_back_is_opened_again() -> None:
    wire = Own(open_sim("sim:1MB"))
    session = Session.connect(wire, ConnectOptions(stub="none"))
    wire.sim.link._gone = True
    wire.sim.link._back_at = wire.sim.clock.ns + 2_500_000_000

    with pytest.raises(LostPortError) as caught:
        session.link.read_register(0x4000_1000)
    session.recover(caught.value)

    assert wire.calls == {"close", "reopen"}
    assert session.link.read_register(0x4000_1000) == 0xFFF0_C101


def test_a_port_that_cannot_come_back_is_not_waited_for() -> None:
    wire = wire_of(Derived)
    session = Session.connect(wire, ConnectOptions(stub="none"))
    before = wire.clock.monotonic()
    error = LostPortError("gone", source="mine")

    with pytest.raises(LostPortError) as caught:
        session.recover(error)

    assert caught.value is error
    assert wire.clock.monotonic() - before < 2


def test_a_port_that_does_not_come_back_is_given_up() -> None:
    class Away(Own):
        def reopen(self) -> None:
            raise PortError("it is not there yet", source=self.name)

    session = Session.connect(Away(open_sim("sim:1MB")), ConnectOptions(stub="none"))
    error = LostPortError("gone", source="mine")
    with pytest.raises(LostPortError) as caught:
        session.recover(error)
    assert caught.value is error


# Where there is no pyserial, and nothing of POSIX.

ALONE = """
import importlib, sys

class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in GONE:
            raise ImportError(name)

GONE = {"fcntl", "grp", "mmap", "pwd", "serial", "termios"}
for name in GONE:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Without())

import imgtool
from imgtool import errors

for name in "port port_list port_reasons host_ports reset session link".split():
    importlib.import_module("imgtool.device." + name)
assert imgtool.list_ports() == ()
try:
    imgtool.open_wire("/dev/ttyUSB0")
except errors.PortError as error:
    assert str(error) == "/dev/ttyUSB0: this Python has no serial ports", error
wire = imgtool.open_wire("sim:1MB,flash=" + sys.argv[1])
files = (imgtool.InputFile("data.bin", b"abcd" * 64, 0x1000),)
options = imgtool.ConnectOptions(stub="none")
request = imgtool.FlashRequest(files=files, verify="readback", force=frozenset({"place"}), connect=options)
imgtool.flash(wire, request)
"""


def test_a_virtual_chip_needs_no_pyserial_and_no_posix(tmp_path: Path) -> None:
    flash = tmp_path / "flash.bin"

    subprocess.run([sys.executable, "-c", ALONE, str(flash)], check=True, timeout=120)

    content = flash.read_bytes()
    assert (len(content), content[0x1000:0x1100], content[0xFFF]) == (0x10_0000, b"abcd" * 64, 0xFF)
