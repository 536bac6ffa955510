"""RTOS SDK applications: flash segments in the image, SHA-256, the ESP32's size codes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from fixtures import firmwares
from imgtool.errors import FormatError
from imgtool.formats.images import rtos_app
from imgtool.formats.images.rtos_app import AppDescription
from imgtool.formats.registry import identify

if TYPE_CHECKING:
    from pathlib import Path


@cache
def files() -> dict[str, bytes]:
    return firmwares.rtos_files()


def test_parts_and_facts() -> None:
    reading = rtos_app.read(files()["rtos3/app.bin"])
    assert reading is not None
    app, tail = reading.parts
    assert (app.kind, tail.kind) == ("app", "sha256-tail")
    assert app.address == 0x40210000
    assert app.facts["flash_size"] == "2MB"
    assert tail.checksum is not None
    assert (tail.checksum.ok, tail.checksum.bits) == (True, 256)
    assert [finding.code for finding in reading.findings] == ["flash-size-code"]
    assert reading.firmware is not None
    assert (reading.firmware.name, reading.firmware.version) == ("blinky", "1.2-3-gabcdef0")
    assert reading.firmware.sdk == "3.4"


def test_without_a_hash() -> None:
    reading = rtos_app.read(files()["rtos3/app-no-hash.bin"])
    assert reading is not None
    assert [finding.code for finding in reading.findings] == ["flash-size-code", "no-sha256"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("broken/rtos3-app-bit.bin", "sha256"),
        ("broken/rtos3-app-cut.bin", "cut"),
        ("broken/rtos3-hash-cut.bin", "cut"),
    ],
)
def test_damage_has_its_name(name: str, code: str) -> None:
    reading = rtos_app.read(files()[name])
    assert reading is not None
    assert code in {finding.code for finding in reading.findings}


@pytest.mark.parametrize("gap", [0, 0x7B0])
def test_a_second_application_is_told(gap: int) -> None:
    app = files()["rtos3/app.bin"]
    reading = rtos_app.read(app + b"\xff" * gap + app)
    assert reading is not None
    second = next(finding for finding in reading.findings if finding.code == "second-app")
    assert second.offset == len(app) + gap
    assert "linked for 0x10000," in second.message


@pytest.mark.parametrize(
    "behind", [b"\xe9", b"\xff" * 64 + b"\xe9\x03", bytes(64), b"page" * 64], ids=range(4)
)
def test_what_is_no_second_application(behind: bytes) -> None:
    reading = rtos_app.read(files()["rtos3/app.bin"] + behind)
    assert reading is not None
    assert "second-app" not in {finding.code for finding in reading.findings}


def test_padding_behind_the_hash() -> None:
    reading = rtos_app.read(files()["rtos3/app.bin"].ljust(0x10000, b"\xff"))
    assert reading is not None
    assert [part.kind for part in reading.parts] == ["app", "sha256-tail", "gap"]


def test_an_unknown_size_code_is_a_warning() -> None:
    reading = rtos_app.read(firmwares.flipped(files()["rtos3/app-no-hash.bin"], 3, 0xE0))
    assert reading is not None
    assert "flash-size" in {finding.code for finding in reading.findings}


def test_description_is_strict() -> None:
    with pytest.raises(FormatError):
        AppDescription.parse(bytes(256), 0)


def test_an_arduino_application_alone_is_something_else() -> None:
    assert rtos_app.read(firmwares.arduino_files()["arduino/core-2.7.bin"][0x1000:]) is None


def test_real_image(corpus: Path) -> None:
    reading = identify((corpus / "rtos/rtos3-hello-world.bin").read_bytes())
    assert reading.kind == "rtos-app"
    assert [finding.code for finding in reading.findings] == ["flash-size-code"]
    assert all(part.checksum is not None and part.checksum.ok for part in reading.parts)
    assert reading.firmware is not None
    assert (reading.firmware.name, reading.firmware.sdk) == ("hello-world", "3.4-dirty")
