"""Unmodified esptool 5.6.0, with its own stub executed by the lx106 core, against the virtual chip.

The content of the flash is compared here, from its file: not by esptool alone.  Every operation that esptool
verifies has a negative control, in which the chip misbehaves and esptool must notice.
"""

from __future__ import annotations

import importlib.util
import json
import random
import socket
import sys
from pathlib import Path

import pytest
import serial

from tests.rom_host import SYNC, SYNC_REPLY
from tests.simulated import Device
from tests.support import IMAGES, PATIENCE, SILENCE

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("esptool") is None, reason="esptool is not installed (dependency group oracle)"
)
no_pty = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo terminals on Windows")

ways = pytest.mark.parametrize(
    "way",
    ["tcp://127.0.0.1:0", pytest.param("pty", marks=[no_pty, pytest.mark.long])],
    ids=["tcp", "pty"],
)
SIZE = 0x100000
AT = 0x20000
DATA = random.Random(8266).randbytes(0x8000) + bytes(range(256)) * 0x40 + b"\xff" * 0x1000 + b"end of data"
DIRT = random.Random(8285).randbytes(0x1000) * 0x100
PADDED = DATA.ljust(-(-len(DATA) // 4) * 4, b"\xff")


def after_write(before: bytes, data: bytes = DATA, at: int = AT) -> bytes:
    """What the flash holds when the data is written and the rest of its last sector erased."""
    end = -(-(at + len(data)) // 0x1000) * 0x1000
    return before[:at] + data.ljust(end - at, b"\xff") + before[end:]


def recorded(path: Path) -> tuple[bytes, bytes]:
    """What a record has of either direction: to the chip, from the chip."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    to_chip, from_chip = (
        b"".join(bytes.fromhex(record.get(way, "")) for record in records) for way in ("in", "out")
    )
    return to_chip, from_chip


@pytest.fixture
def image(tmp_path: Path) -> str:
    (tmp_path / "data.bin").write_bytes(DATA)
    return "data.bin"


@ways
def test_flash_id_and_mac(tmp_path: Path, way: str) -> None:
    with Device(tmp_path, way, options=("--part", "W25Q80", "--mac", "18:fe:34:01:02:03")) as device:
        said = device.esptool("flash-id")
        assert "Manufacturer: ef" in said
        assert "Device: 4014" in said
        assert "Detected flash size: 1MB" in said
        assert "26MHz" in said
        assert "Running stub flasher" in said or "Stub flasher running" in said
        assert "18:fe:34:01:02:03" in device.esptool("read-mac")
    assert device.report["traps"] == []
    assert device.report["instructions"] > 10_000
    assert device.report["receive_overflows"] == 0


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("-b", "115200"), marks=pytest.mark.long),
        pytest.param(("-b", "115200", "-u"), marks=pytest.mark.long),
        ("-b", "921600"),
        pytest.param(("-b", "921600", "-u"), marks=pytest.mark.long),
    ],
    ids=["deflated-115200", "plain-115200", "deflated-921600", "plain-921600"],
)
def test_write_flash(tmp_path: Path, image: str, words: tuple[str, ...]) -> None:
    with Device(tmp_path, content=DIRT) as device:
        options = ("-u",) if "-u" in words else ()
        said = device.esptool(*words[:2], "write-flash", *options, hex(AT), image)
        assert "Hash of data verified" in said
        assert device.now == after_write(DIRT)
    assert device.report["traps"] == []
    assert device.report["violations"] == []
    # The stub asks for the ID while the status write of its own attach goes on.
    assert {found["opcode"] for found in device.report["ignored"]} <= {0x9F}


WORN = ",".join(f"worn=0x20000.{bit}" for bit in range(8) if DATA[0] >> bit & 1)


@pytest.mark.long
@pytest.mark.parametrize(
    "fault",
    [pytest.param(WORN, id="worn", marks=pytest.mark.long), pytest.param("skip=sector:2", id="skipped")],
)
@pytest.mark.parametrize(
    "options", [(), pytest.param(("-u",), marks=pytest.mark.long)], ids=["deflated", "plain"]
)
def test_a_bad_write_is_noticed(tmp_path: Path, image: str, fault: str, options: tuple[str, ...]) -> None:
    with Device(tmp_path, content=DIRT, options=("--fault", fault)) as device:
        device.esptool("write-flash", *options, hex(AT), image, code=2)
        assert device.now != after_write(DIRT)


@pytest.mark.long
def test_a_flipped_bit_on_the_line_is_sent_again(tmp_path: Path, image: str) -> None:
    options = ("--fault", "flip=in:deflate-data:1+1000.3", "--record", "record.jsonl")
    with Device(tmp_path, content=DIRT, options=options) as device:
        device.esptool("write-flash", hex(AT), image)
        assert device.now == after_write(DIRT)
    # The stub has refused the block: C1 is its bad checksum.
    assert '"c00111020000000000c100c0"' in (tmp_path / "record.jsonl").read_text()


@pytest.mark.parametrize(
    "words",
    [pytest.param(("flash-id",), marks=pytest.mark.long), ("read-mac",)],
    ids=["flash-id", "read-mac"],
)
def test_a_damaged_stub_is_noticed(tmp_path: Path, words: tuple[str, ...]) -> None:
    with Device(tmp_path, options=("--fault", "flip=in:mem-data:1+1000.1")) as device:
        assert "checksum" in device.esptool(*words, code=2).lower()
    assert device.report["instructions"] == 0


@ways
def test_verify_flash(tmp_path: Path, image: str, way: str) -> None:
    good = after_write(DIRT)
    with Device(tmp_path, way, content=good) as device:
        assert "Verification successful" in device.esptool("verify-flash", hex(AT), image)
    assert device.now == good


@pytest.mark.long
def test_verify_flash_notices_one_bit(tmp_path: Path, image: str) -> None:
    bad = bytearray(after_write(DIRT))
    bad[AT + 0x7777] ^= 0x10
    with Device(tmp_path, content=bytes(bad)) as device:
        device.esptool("verify-flash", hex(AT), image, code=2)


def test_read_flash(tmp_path: Path) -> None:
    with Device(tmp_path, content=DIRT) as device:
        device.esptool("read-flash", "0x1000", "0x3000", "read.bin")
    assert (tmp_path / "read.bin").read_bytes() == DIRT[0x1000:0x4000]


@pytest.mark.long
def test_read_flash_notices_one_bit(tmp_path: Path) -> None:
    with Device(tmp_path, content=DIRT, options=("--fault", "flip=out:6000.5")) as device:
        device.esptool("read-flash", "0x1000", "0x3000", "read.bin", code=2)


@ways
def test_erase_region_and_flash(tmp_path: Path, way: str) -> None:
    with Device(tmp_path, way, content=DIRT) as device:
        device.esptool("erase-region", "0x10000", "0x12000")
        assert device.now == DIRT[:0x10000] + b"\xff" * 0x12000 + DIRT[0x22000:]
        device.esptool("erase-flash")
        assert device.now == b"\xff" * SIZE
    assert device.report["flash"]["block64"] == 1
    assert device.report["flash"]["sector"] == 2
    assert device.report["flash"]["chip"] == 1


@pytest.mark.long  # a bad write, above, is noticed in the same way
def test_a_skipped_erase_shows(tmp_path: Path) -> None:
    """esptool does not check its erases, so this is a control of the comparison alone."""
    with Device(tmp_path, content=DIRT, options=("--fault", "skip=sector:1")) as device:
        device.esptool("erase-region", "0x10000", "0x1000")
        assert device.now == DIRT


@pytest.mark.long
def test_load_ram_goes_on_over_the_next_connection(tmp_path: Path) -> None:
    (tmp_path / "hello.bin").write_bytes(IMAGES["programs/hello.bin"])
    with Device(tmp_path) as device:
        device.esptool("--no-stub", "load-ram", "hello.bin")
        host, port = device.address.removeprefix("socket://").split(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as line:
            heard = b""
            while heard.count(b"\n") < 2:
                heard += line.recv(100)
        assert b"hello, round " in heard
        # The connection after that is a reset again.
        assert "Manufacturer" in device.esptool("flash-id")


@pytest.mark.long
def test_load_ram_through_the_stub(tmp_path: Path) -> None:
    (tmp_path / "hello.bin").write_bytes(IMAGES["programs/hello.bin"])
    with Device(tmp_path) as device:
        device.esptool("load-ram", "hello.bin")
        host, port = device.address.removeprefix("socket://").split(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as line:
            heard = b""
            while b"hello, round " not in heard:
                heard += line.recv(100)


def test_a_damaged_upload_is_noticed(tmp_path: Path) -> None:
    content = IMAGES["programs/hello.bin"]
    (tmp_path / "hello.bin").write_bytes(content)

    # How often esptool asks for a first answer is a matter of the machine's speed, so the place is that in a
    # packet: byte 25 of MEM_DATA, behind the delimiter and two headers, is the program's first.
    options = ("--fault", "flip=in:mem-data:1+25.2", "--record", "record.jsonl")
    with Device(tmp_path, options=options) as device:
        said = device.esptool("--no-stub", "load-ram", "hello.bin", code=2)

    assert "0107: Checksum error" in said
    assert "executing at" not in said
    to_chip, from_chip = recorded(tmp_path / "record.jsonl")
    # Records hold what was sent, before faults: esptool has sent what is in the file, and nothing behind it.
    packet = to_chip.index(b"\xc0\x00\x07")
    assert to_chip[packet + 25 : packet + 31] == content[16:22]
    assert to_chip.endswith(b"\xc0")
    assert to_chip.count(b"\xc0", packet) == 2
    # The chip has refused that packet, as its last word.
    assert from_chip.endswith(b"\xc0\x01\x07\x02\x00" + bytes(4) + b"\x01\x07\xc0")


def test_without_stub(tmp_path: Path, image: str) -> None:
    with Device(tmp_path, content=DIRT, options=("--part", "W25Q80")) as device:
        assert "Manufacturer: ef" in device.esptool("--no-stub", "flash-id")
        assert "18:fe:34" in device.esptool("--no-stub", "read-mac")
        device.esptool("--no-stub", "write-flash", hex(AT), image)
        assert device.now == after_write(DIRT)
        for words in (("erase-flash",), ("erase-region", "0", "0x1000"), ("read-flash", "0", "64", "x.bin")):
            device.esptool("--no-stub", *words, code=2)
        assert device.now == after_write(DIRT)
    assert device.report["instructions"] == 0


def test_the_rom_erases_one_sector_too_many_for_odd_counts(tmp_path: Path) -> None:
    """Three sectors, all before a 64 KiB block: esptool asks for two, and the ROM erases four."""
    (tmp_path / "three.bin").write_bytes(DIRT[:0x3000])
    with Device(tmp_path, content=DIRT) as device:
        device.esptool("--no-stub", "write-flash", "0x21000", "three.bin")
        assert device.now[0x24000:0x25000] == b"\xff" * 0x1000
        assert device.now[0x25000:] == DIRT[0x25000:]


@pytest.mark.parametrize("version", [pytest.param("1", marks=pytest.mark.long), "2"])
def test_both_stubs_of_espressif(tmp_path: Path, version: str) -> None:
    (tmp_path / "small.bin").write_bytes(DATA[:0x2000])
    with Device(tmp_path, content=DIRT) as device:
        said = device.esptool("--stub-version", version, "write-flash", "0x3000", "small.bin")
        assert "Hash of data verified" in said
        assert device.now == after_write(DIRT, DATA[:0x2000], 0x3000)


@pytest.mark.long
@no_pty
def test_pty(tmp_path: Path, image: str) -> None:
    with Device(tmp_path, "pty", content=DIRT) as device:
        device.esptool("-b", "921600", "write-flash", hex(AT), image)
        assert device.now == after_write(DIRT)
        device.esptool("-b", "921600", "read-flash", hex(AT), "0x4000", "read.bin")
        assert (tmp_path / "read.bin").read_bytes() == DATA[:0x4000]
    assert device.report["receive_overflows"] == 0


@no_pty
@pytest.mark.long
def test_a_pty_shows_a_wrong_speed(tmp_path: Path) -> None:
    """A host that changes its speed without the chip is not understood."""
    with Device(tmp_path, "pty") as device, serial.Serial(device.address, 115200, timeout=PATIENCE) as line:
        line.write(SYNC)
        assert SYNC_REPLY * 8 in line.read_until(SYNC_REPLY * 8)
        line.baudrate = 74880
        line.write(SYNC)
        line.timeout = SILENCE
        assert b"\x01\x08" not in line.read(200)
        line.baudrate = 115200
        line.timeout = PATIENCE
        line.write(SYNC)
        assert SYNC_REPLY in line.read_until(SYNC_REPLY)


@pytest.mark.long
def test_reset_lines_over_rfc2217(tmp_path: Path) -> None:
    """The one way on which esptool's own reset sequences can be seen to work."""
    with Device(
        tmp_path, "rfc2217://127.0.0.1:0", content=IMAGES["dumps/nodemcu-3-used-4m.bin"], size="4MB"
    ) as device:
        # Each request takes a tenth of a second and more here, so few of them.
        words = ("--no-stub", "--before", "default-reset", "--after", "hard-reset", "read-mac")
        assert "18:fe:34" in device.esptool(*words)
    assert device.report["resets"] == {"power_on": 1, "external": 2}
    assert device.report["boot"]["outcome"] == "running"
