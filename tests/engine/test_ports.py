"""Ports by their names: one function for devices, URLs and virtual chips."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import imgtool
from imgtool.device import port
from imgtool.device.port_errors import MissingPortError
from imgtool.device.wire import Lines, Wire, WireTraits
from imgtool.engine.ports import is_virtual, open_wire
from imgtool.errors import LayoutError, UsageError
from imgtool.virtual.line.wire import SimWire

if TYPE_CHECKING:
    from pathlib import Path


def test_a_virtual_chip() -> None:
    wire = open_wire("sim:4MB")

    assert isinstance(wire, SimWire)
    assert (wire.name, wire.baud, wire.chip.flash.length) == ("sim:4MB", 115_200, 0x40_0000)
    assert wire.traits == WireTraits(lines=Lines.TOGETHER, highest_baud=921_600)
    wire.close()
    wire.close()


def test_it_is_the_public_one() -> None:
    assert imgtool.open_wire is open_wire


@pytest.mark.parametrize("name", ["sim:3MB", "sim:4MB,colour=red", "sim:chip=esp32", "sim:fault=nonsense"])
def test_a_name_of_no_virtual_chip_makes_no_sense(name: str) -> None:
    with pytest.raises(UsageError):
        open_wire(name)


def test_a_flash_file_of_another_size_is_no_matter_of_usage(tmp_path: Path) -> None:
    (tmp_path / "f.bin").write_bytes(b"short")
    with pytest.raises(LayoutError, match="wrong length"):
        open_wire(f"sim:1MB,flash={tmp_path / 'f.bin'}")


def test_all_else_is_a_port_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def note(name: str) -> Wire:
        opened.append(name)
        return open_wire("sim:1MB")

    monkeypatch.setattr(port, "open_serial", note)
    for name in ("/dev/ttyUSB0", "COM3", "socket://x:1", "simulated"):
        open_wire(name).close()

    assert opened == ["/dev/ttyUSB0", "COM3", "socket://x:1", "simulated"]


def test_a_port_that_is_not_there() -> None:
    with pytest.raises(MissingPortError):
        open_wire("/dev/no-such-port")


@pytest.mark.parametrize(("name", "virtual"), [("sim:", True), ("sim:4MB", True), ("/dev/sim:", False)])
def test_whose_time_is_virtual(name: str, virtual: bool) -> None:
    assert is_virtual(name) is virtual
