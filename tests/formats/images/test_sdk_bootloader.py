"""Espressif's boot loader for OTA images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fixtures import firmwares
from imgtool.formats.images import sdk_bootloader
from imgtool.formats.registry import identify

if TYPE_CHECKING:
    from pathlib import Path


def test_alone() -> None:
    reading = sdk_bootloader.read(firmwares.boot_files()["boot/boot-1.6.bin"])
    assert reading is not None
    assert reading.firmware is not None
    assert (reading.firmware.name, reading.firmware.version) == ("Espressif boot loader", "1.6")
    assert reading.findings == ()


def test_with_an_application() -> None:
    reading = sdk_bootloader.read(firmwares.boot_files()["boot/boot-1.6-user1.bin"])
    assert reading is not None
    assert [part.kind for part in reading.parts] == [
        "bootloader",
        "gap",
        "image-v2",
        "irom",
        "image-v1",
        "crc-tail",
    ]
    assert [part.address for part in reading.parts if part.kind == "irom"] == [0x40201010]
    assert reading.firmware is not None
    assert reading.firmware.name != "Espressif boot loader"


def test_damage_in_the_application_counts() -> None:
    data = firmwares.boot_files()["boot/boot-1.6-user1.bin"]
    reading = sdk_bootloader.read(firmwares.flipped(data, 0x5000))
    assert reading is not None
    assert [(finding.code, finding.offset) for finding in reading.findings] == [("crc", len(data) - 4)]


def test_too_large() -> None:
    reading = sdk_bootloader.read(firmwares.boot_files()["broken/boot-too-large.bin"])
    assert reading is not None
    assert [finding.code for finding in reading.findings] == ["too-large"]


def test_padded_to_a_sector() -> None:
    reading = sdk_bootloader.read(firmwares.boot_files()["boot/boot-1.6.bin"].ljust(0x1000, b"\xff"))
    assert reading is not None
    assert [part.kind for part in reading.parts] == ["bootloader", "gap"]


@pytest.mark.parametrize(
    ("name", "version"),
    [("boot_v1.2.bin", "1.2"), ("boot_v1.6.bin", "1.6"), ("boot_v1.7.bin", "1.7(5d6f877)")],
)
def test_real_images(corpus: Path, name: str, version: str) -> None:
    reading = identify((corpus / "boot" / name).read_bytes())
    assert (reading.kind, reading.findings) == ("sdk-bootloader", ())
    assert reading.firmware is not None
    assert reading.firmware.version == version
