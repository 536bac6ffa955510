"""Other clients than the esptool of the other tests, each unmodified, against the virtual chip.

esptool 2.8, 3.3.3, 4.8.1 and 5.6.0, each in an environment of its own that is made here, and Espressif's
esptool-js in Node.js.  They know each other's chips and nothing of this project.  What they wrote is compared
in the flash's own file.  A few minutes, and packages from PyPI and npm: ``nox -s clients``.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.simulated import Device
from tests.support import PATIENCE

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo terminals on Windows"),
]

SIZE: Final = 0x10_0000
AT: Final = 0x2_0000
SECTOR: Final = 0x1000
MAC: Final = "18:fe:34:01:02:03"
PART: Final = ("--part", "W25Q80", "--mac", MAC)
DATA: Final = (
    random.Random(28).randbytes(0x6000)
    + b"\xff" * 0x3000
    + random.Random(48).randbytes(0x1800)
    + bytes(0x800)
    + b"end!"
)
END: Final = -(-(AT + len(DATA)) // SECTOR) * SECTOR
DIRT: Final = random.Random(56).randbytes(SIZE)
WRITTEN: Final = DIRT[:AT] + DATA.ljust(END - AT, b"\xff") + DIRT[END:]
WORN: Final = ",".join(f"worn=0x20000.{bit}" for bit in range(8) if DATA[0] >> bit & 1)
HEAD: Final = 16
"""Sectors: the ROM loader erases up to so many more than it is asked for."""

COMMANDS: Final = ("flash_id", "read_mac", "write_flash", "verify_flash", "read_flash")
"""As esptool spelled them before 5."""

NO_LINES: Final = ("--before", "no_reset", "--after", "no_reset")
"""A pty has no DTR and RTS, which versions before 4 do not forgive."""

ESPTOOL_JS: Final = ("esptool-js@0.7.0", "pako@2.1.0", "atob-lite@2.0.0")
ONE_BIT: Final = 0x80
"""What esptool-js takes for the ID of a flash whose maker's number has its high bit: it asks for one bit.

A chip gives the same (https://github.com/thelastoutpostworkshop/ESPConnect/issues/27)."""


@dataclass(frozen=True)
class Client:
    """A release of esptool, and what it needs beside it.

    Attributes:
        version: Of esptool.
        needs: Packages that have to be of these versions.
        dashes: What separates the words of its commands.
        on_pty: What it needs to be told where there are no modem lines.
        attempts: How often it may be run.  Releases before 4 give the answer to MEM_END 50 ms and to a SYNC
            100 ms, which no file can change: too little for a virtual chip on a busy machine.
    """

    version: str
    needs: tuple[str, ...]
    dashes: str = "_"
    on_pty: tuple[str, ...] = ()
    attempts: int = 1


CLIENTS: Final = (
    Client("2.8", ("pyserial==3.5", "ecdsa==0.19.2", "pyaes==1.6.1"), on_pty=NO_LINES, attempts=3),
    Client("3.3.3", ("pyserial==3.5", "ecdsa==0.19.2", "reedsolo==1.5.4"), on_pty=NO_LINES, attempts=3),
    Client("4.8.1", ("pyserial==3.5", "ecdsa==0.19.2", "reedsolo==1.7.0")),
    Client("5.6.0", ("pyserial==3.5", "reedsolo==1.7.0"), dashes="-"),
)


@dataclass(frozen=True)
class Installed:
    """A client that can be run."""

    client: Client
    python: Path

    def run(self, device: Device, *words: str, code: int = 0) -> str:
        """Run it on the chip; its output, after a check of its exit code."""
        lines = self.client.on_pty if device.address.startswith("/") else ()
        limits = device.folder / "esptool.cfg"
        limits.write_text("[esptool]\ntimeout = 30\nmem_end_rom_timeout = 30\nsync_timeout = 2\n")
        command = [str(self.python), "-m", "esptool", "--chip", "esp8266", "--port", device.address, *lines]
        command += [word.replace("_", self.client.dashes) if word in COMMANDS else word for word in words]
        said = ""
        for _ in range(self.client.attempts):
            done = subprocess.run(
                command,
                cwd=device.folder,
                env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", "ESPTOOL_CFGFILE": str(limits)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=PATIENCE,
            )
            said = done.stdout
            if done.returncode == code:
                return said
        pytest.fail(said)


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def made(*words: str | Path) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module", params=CLIENTS, ids=lambda client: client.version)
def esptool(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A release of esptool in an environment of its own."""
    client: Client = request.param
    folder = tmp_path_factory.mktemp(f"esptool-{client.version}")
    made(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    made(python, "-m", "pip", "install", "--quiet", f"esptool=={client.version}", *client.needs)
    return Installed(client, python)


@pytest.fixture(scope="module")
def esptool_js(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """esptool-js, as npm has it."""
    program("node")
    folder = tmp_path_factory.mktemp("esptool-js")
    words = ("install", "--no-audit", "--no-fund", "--no-package-lock", "--prefix", folder, *ESPTOOL_JS)
    made(program("npm"), *words)
    return folder / "node_modules" / "esptool-js" / "lib" / "index.js"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data.bin").write_bytes(DATA)
    return tmp_path


ways = pytest.mark.parametrize(
    "way", ["tcp://127.0.0.1:0", "pty", "rfc2217://127.0.0.1:0"], ids=["tcp", "pty", "rfc2217"]
)
quick_ways = pytest.mark.parametrize("way", ["tcp://127.0.0.1:0", "pty"], ids=["tcp", "pty"])
js_ways = pytest.mark.parametrize(
    "way", ["tcp://127.0.0.1:0", "rfc2217://127.0.0.1:0"], ids=["tcp", "rfc2217"]
)


def check_report(device: Device) -> None:
    assert device.report["traps"] == []
    assert device.report["violations"] == []
    assert device.report["receive_overflows"] == 0


# esptool


@ways
def test_identify(esptool: Installed, folder: Path, way: str) -> None:
    with Device(folder, way, options=PART, content=DIRT) as device:
        said = esptool.run(device, "flash_id")
        assert "ESP8266EX" in said
        assert "26MHz" in said
        assert "Manufacturer: ef" in said
        assert "Device: 4014" in said
        assert MAC in esptool.run(device, "read_mac")
        assert device.now == DIRT
    check_report(device)


@ways
def test_write_and_verify(esptool: Installed, folder: Path, way: str) -> None:
    with Device(folder, way, options=PART, content=DIRT) as device:
        assert "Hash of data verified" in esptool.run(device, "write_flash", hex(AT), "data.bin")
        assert device.now == WRITTEN
        said = esptool.run(device, "verify_flash", hex(AT), "data.bin").lower()
        assert "digest matched" in said or "verification successful" in said
    check_report(device)


@ways
def test_read_back(esptool: Installed, folder: Path, way: str) -> None:
    with Device(folder, way, options=PART, content=WRITTEN) as device:
        esptool.run(device, "read_flash", hex(AT), hex(len(DATA)), "back.bin")
        assert (folder / "back.bin").read_bytes() == DATA
    check_report(device)


def test_another_speed(esptool: Installed, folder: Path) -> None:
    with Device(folder, "pty", options=PART, content=DIRT) as device:
        esptool.run(device, "--baud", "460800", "write_flash", hex(AT), "data.bin")
        assert device.now == WRITTEN
    check_report(device)


def test_a_bad_write_is_noticed(esptool: Installed, folder: Path) -> None:
    with Device(folder, options=(*PART, "--fault", WORN), content=DIRT) as device:
        esptool.run(device, "write_flash", hex(AT), "data.bin", code=2)
        assert device.now != WRITTEN


def test_a_changed_bit_is_noticed(esptool: Installed, folder: Path) -> None:
    bad = bytearray(WRITTEN)
    bad[AT + 0x7000] ^= 1
    with Device(folder, options=PART, content=bytes(bad)) as device:
        said = esptool.run(device, "verify_flash", hex(AT), "data.bin", code=2).lower()
        assert "fail" in said or "differ" in said
    check_report(device)


@quick_ways
def test_without_a_stub(esptool: Installed, folder: Path, way: str) -> None:
    with Device(folder, way, options=PART, content=DIRT) as device:
        assert "Device: 4014" in esptool.run(device, "--no-stub", "flash_id")
        esptool.run(device, "--no-stub", "write_flash", hex(AT), "data.bin")
        now = device.now
        assert now[:AT] == DIRT[:AT]
        assert now[AT:END] == WRITTEN[AT:END]
        assert now[END + HEAD * SECTOR :] == DIRT[END + HEAD * SECTOR :]
        # No release can do these without its stub.
        for words in (("verify_flash", hex(AT), "data.bin"), ("read_flash", hex(AT), "0x100", "back.bin")):
            assert "ROM does not support function" in esptool.run(device, "--no-stub", *words, code=2)
    check_report(device)
    assert device.report["instructions"] == 0


# esptool-js


def run_js(module: Path, device: Device, **job: object) -> subprocess.CompletedProcess[str]:
    wanted = {"stub": True, "baud": 115200, "address": AT, "write": "data.bin", "back": "back.bin", **job}
    script = Path(__file__).with_name("esptool_js_client.mjs")
    port = device.address.replace("socket:", "tcp:")
    return subprocess.run(
        [program("node"), script, module, port, json.dumps(wanted)],
        cwd=device.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def answer_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@js_ways
@pytest.mark.parametrize("baud", [115200, 460800])
def test_esptool_js(esptool_js: Path, folder: Path, way: str, baud: int) -> None:
    with Device(folder, way, options=PART, content=DIRT) as device:
        answer = answer_of(run_js(esptool_js, device, baud=baud))
        assert device.now == WRITTEN
    assert (answer["chip"], answer["mac"]) == ("ESP8266", MAC)
    assert answer["same"]
    assert (folder / "back.bin").read_bytes() == DATA
    assert "Hash of data verified" in answer["said"]
    assert answer["flash"] == ONE_BIT
    check_report(device)


def test_esptool_js_knows_the_chip_at_its_first_attempt(esptool_js: Path, folder: Path) -> None:
    """It asks for what only later chips have; the ROM's way to refuse that is how it knows this one."""
    with Device(folder, "rfc2217://127.0.0.1:0", options=PART, content=DIRT) as device:
        answer = answer_of(run_js(esptool_js, device, write=None))
    assert "Autodetection failed" not in answer["said"]


def test_esptool_js_without_a_stub_is_refused(esptool_js: Path, folder: Path) -> None:
    """As by a chip: it begins a write with 20 bytes (https://github.com/espressif/esp-serial-flasher/issues/65)."""
    with Device(folder, options=PART, content=DIRT) as device:
        done = run_js(esptool_js, device, stub=False)
        assert done.returncode != 0
        assert "enter Flash download mode failed with status 1,5" in done.stderr
        assert device.now == DIRT
    check_report(device)
