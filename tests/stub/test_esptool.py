"""Unmodified esptool on a virtual chip that runs imgtool's stub already."""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

import pytest
import serial

from imgtool.device.own_requests import own_request
from imgtool.device.protocol import MEMORY_PACKET, Command, data_packet, mem_begin, mem_end
from imgtool.device.slip import encode
from imgtool.device.stub import own_late_code
from tests.rom_host import SYNC, SYNC_REPLY
from tests.simulated import Device
from tests.stub.host import stub
from tests.stub.scenarios import sample
from tests.support import PATIENCE

pytest.importorskip("esptool")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo terminals on Windows")


def start(line: serial.Serial) -> None:
    """Load the stub by hand."""
    line.write(SYNC)
    assert line.read_until(SYNC_REPLY * 8).endswith(SYNC_REPLY * 8)
    for address, data in stub().blocks:
        line.write(encode(mem_begin(address, len(data)).build()))
        line.read(12)
        for number, at in enumerate(range(0, len(data), MEMORY_PACKET)):
            line.write(encode(data_packet(Command.MEM_DATA, data[at : at + MEMORY_PACKET], number).build()))
            line.read(12)
    line.write(encode(mem_end(stub().entry).build()))
    assert b"\xc0OHAI\xc0" in line.read(18)
    address, code = own_late_code()
    checked = own_request(Command.SETUP, struct.pack("<2I", zlib.crc32(code), 0))
    for request in (mem_begin(address, len(code)), data_packet(Command.MEM_DATA, code, 0), checked):
        line.write(encode(request.build()))
        assert line.read_until(b"\xc0") + line.read_until(b"\xc0")


LEAST = pytest.param(False, id="writes and verifies")
ALL = pytest.param(True, id="reads and erases too", marks=pytest.mark.long)


@pytest.mark.parametrize("whole", [LEAST, ALL])
def test_esptool(tmp_path: Path, whole: bool) -> None:
    size = 0x6000 if whole else 0x1000
    image = tmp_path / "image.bin"
    image.write_bytes(sample(size))
    common = ("--before", "no-reset", "--after", "no-reset-stub")
    with (
        Device(tmp_path, "pty", content=b"\x5a" * 0x100000) as device,
        # Held open: the chip goes back to its loader when nobody has the line.
        serial.Serial(device.address, 115200, timeout=PATIENCE) as line,
    ):
        start(line)
        wrote = device.esptool(*common, "write-flash", "0x3000", str(image))
        assert "Stub flasher is already running" in wrote
        assert "Hash of data verified" in wrote
        if whole:
            device.esptool(*common, "flash-id")
            device.esptool(*common, "verify-flash", "0x3000", str(image))
            device.esptool(*common, "read-flash", "0x3000", hex(size), "read.bin")
            assert (tmp_path / "read.bin").read_bytes() == image.read_bytes()
            device.esptool(*common, "erase-region", "0x8000", "0x1000")
            assert device.now[0x3000:0x8000] == image.read_bytes()[:0x5000]
            assert device.now[0x8000:0x9000] == b"\xff" * 0x1000
        else:
            assert device.now[0x3000:0x4000] == image.read_bytes()
        assert device.now[:0x3000] == b"\x5a" * 0x3000
        assert device.now[0x9000:] == b"\x5a" * 0xF7000
    assert not device.report.get("traps")
