"""rBoot, alone and with its configuration and ROMs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from fixtures import firmwares
from imgtool.formats.images import rboot
from imgtool.formats.reading import Severity
from imgtool.formats.registry import identify

if TYPE_CHECKING:
    from pathlib import Path


@cache
def files() -> dict[str, bytes]:
    return firmwares.boot_files()


def test_alone() -> None:
    reading = rboot.read(files()["rboot/rboot.bin"])
    assert reading is not None
    assert reading.firmware is not None
    assert (reading.firmware.name, reading.firmware.version) == ("rBoot", "1.4.2")


def test_with_configuration_and_rom() -> None:
    reading = rboot.read(files()["rboot/whole.bin"])
    assert reading is not None
    assert [part.kind for part in reading.parts] == [
        "bootloader",
        "gap",
        "rboot-config",
        "image-v2",
        "irom",
        "image-v1",
    ]
    config = reading.parts[2]
    assert config.facts["roms"] == [0x2000, 0x82000]
    assert reading.parts[4].address == 0x40202010
    assert [finding.code for finding in reading.findings] == ["no-crc"]


def test_a_blank_configuration_means_the_default() -> None:
    reading = rboot.read(files()["rboot/whole-blank-config.bin"])
    assert reading is not None
    assert "blank" in reading.parts[2].note
    assert reading.parts[3].offset == 0x2000


def test_two_roms() -> None:
    whole = files()["rboot/whole.bin"]
    data = whole.ljust(0x82000, b"\xff") + whole[0x2000:]
    reading = rboot.read(data)
    assert reading is not None
    assert [part.offset for part in reading.parts if part.kind == "image-v2"] == [0x2000, 0x82000]
    assert not [finding for finding in reading.findings if finding.severity is Severity.ERROR]


def test_a_build_that_prints_nothing_is_known_by_its_surroundings() -> None:
    silent = firmwares.loader("test/silent", (b"",), 0x500).ljust(0x1000, b"\xff")
    for name in ("rboot/whole.bin", "rboot/whole-blank-config.bin"):
        reading = rboot.read(silent + files()[name][0x1000:])
        assert reading is not None
        assert [part.kind for part in reading.parts][2:4] == ["rboot-config", "image-v2"]
    assert rboot.read(silent) is None


def test_missing_and_damaged_roms() -> None:
    missing = rboot.read(files()["broken/rboot-no-rom.bin"])
    assert missing is not None
    assert [finding.code for finding in missing.findings] == ["no-app"]
    damaged = rboot.read(files()["broken/rboot-rom-bit.bin"])
    assert damaged is not None
    assert "checksum" in {finding.code for finding in damaged.findings}


def test_real_images(corpus: Path) -> None:
    data = (corpus / "boot/rboot-mger.bin").read_bytes()
    reading = identify(data)
    assert (reading.kind, reading.findings) == ("rboot", ())
    assert reading.firmware is not None
    assert reading.firmware.version == "1.4.2"
    rom = (corpus / "sdkapps/mger-repeater-0x02000.bin").read_bytes()
    alone = identify(rom)
    assert (alone.kind, alone.findings) == ("image-v2", ())
    whole = identify(data.ljust(0x2000, b"\xff") + rom)
    assert (whole.kind, whole.findings) == ("rboot", ())
    assert whole.firmware is not None
    assert whole.firmware.sdk == "3.0.0-dev(c0f7b44)"
