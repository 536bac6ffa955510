"""The RTOS SDK's boot loader, known by its strings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fixtures import blocks, firmwares
from imgtool.formats.images import rtos_bootloader
from imgtool.formats.registry import identify

if TYPE_CHECKING:
    from pathlib import Path


def test_version() -> None:
    reading = rtos_bootloader.read(firmwares.rtos_files()["rtos3/bootloader.bin"])
    assert reading is not None
    assert reading.firmware is not None
    assert reading.firmware.version == "3.4"
    assert [part.kind for part in reading.parts] == ["bootloader"]


def test_damage() -> None:
    data = firmwares.rtos_files()["rtos3/bootloader.bin"]
    reading = rtos_bootloader.read(firmwares.flipped(data, 0x200))
    assert reading is not None
    assert [finding.code for finding in reading.findings] == ["checksum"]
    cut = rtos_bootloader.read(data[:-1])
    assert cut is not None
    assert [finding.code for finding in cut.findings] == ["cut"]


def test_one_that_reaches_into_the_table() -> None:
    data = firmwares.loader("test/large", firmwares.RTOS_LOADER_TEXT, 0x100)
    assert rtos_bootloader.read(data) is not None
    text = blocks.strings(*firmwares.RTOS_LOADER_TEXT)
    segments = (blocks.Segment(blocks.DRAM, text), blocks.Segment(blocks.IRAM, bytes(0x7FF0)))
    reading = rtos_bootloader.read(blocks.boot_image(blocks.Header(blocks.IRAM), segments))
    assert reading is not None
    assert [finding.code for finding in reading.findings] == ["too-large"]


def test_real_images(corpus: Path) -> None:
    reading = identify((corpus / "boot/rtos3-bootloader.bin").read_bytes())
    assert (reading.kind, reading.findings) == ("rtos-bootloader", ())
    assert reading.firmware is not None
    assert reading.firmware.version == "3.4-dirty"
    other_chip = (corpus / "nearmiss/esp32c3-bootloader.bin").read_bytes()
    assert rtos_bootloader.read(other_chip) is None
