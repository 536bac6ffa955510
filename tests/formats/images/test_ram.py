"""RAM programs: code in the half of instruction RAM that becomes the flash cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fixtures import blocks, firmwares, nodemcu
from imgtool.formats.images import ram
from imgtool.formats.registry import identify

if TYPE_CHECKING:
    from pathlib import Path


def test_program() -> None:
    reading = ram.read(firmwares.other_files()["ram/hello.bin"])
    assert reading is not None
    assert [finding.code for finding in reading.findings] == ["ram-image"]


def test_damage() -> None:
    reading = ram.read(firmwares.other_files()["broken/ram-bit.bin"])
    assert reading is not None
    assert "checksum" in {finding.code for finding in reading.findings}


def test_firmware_is_none() -> None:
    assert ram.read(blocks.link(nodemcu.sample_app()).boot) is None
    assert ram.read(firmwares.rtos_files()["rtos3/app.bin"]) is None
    assert ram.read(b"\xe9") is None


def test_boot_loaders_come_first() -> None:
    # eboot loads into the same half.
    assert identify(firmwares.arduino_files()["arduino/core-2.3.bin"]).kind == "arduino"


def test_real_images(corpus: Path) -> None:
    reading = identify((corpus / "sdkapps/esptool-ram-helloworld.bin").read_bytes())
    assert reading.kind == "ram-image"
    other = identify((corpus / "sdkapps/esptool-iotdemo-0x00000.bin").read_bytes())
    assert other.kind == "image-v1"
