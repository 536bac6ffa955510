"""rBoot's configuration sector."""

from __future__ import annotations

import pytest

from fixtures import firmwares
from imgtool.errors import FormatError
from imgtool.formats.regions import rboot_config
from imgtool.formats.regions.rboot_config import RbootConfig


def sector(*roms: int, current: int = 0, checksum: bool = False) -> bytes:
    return firmwares.rboot_config(*roms, current=current, checksum=checksum).ljust(0x1000, b"\xff")


def codes(data: bytes) -> list[str]:
    reading = rboot_config.read(data)
    assert reading is not None
    return [finding.code for finding in reading.findings]


def test_fields() -> None:
    config = RbootConfig.parse(sector(0x2000, 0x82000, current=1))
    assert (config.mode, config.current_rom, config.count) == (0, 1, 2)
    assert config.used == (0x2000, 0x82000)
    assert config.checksum is None
    assert config.problems == ()


def test_checksum() -> None:
    data = sector(0x2000, 0x82000, checksum=True)
    config = RbootConfig.parse(data)
    assert config.checksum is not None
    assert config.checksum.ok
    assert codes(data) == []
    assert codes(firmwares.flipped(data, 3, 1)) == ["checksum"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (sector(0x2000, current=1), "rboot-config"),
        (sector(0x2001), "rboot-config"),
        (sector(0x1000), "rboot-config"),
        (firmwares.flipped(sector(0x2000), 2, 0x40), "rboot-mode"),
        (bytes(0x1000), "rboot-config-by-elimination"),
        (bytes(0x800), "rboot-config-by-elimination"),
    ],
)
def test_findings(data: bytes, code: str) -> None:
    assert codes(data) == [code]


@pytest.mark.parametrize("data", [b"", b"\xe1\x01", b"\xe1\x01" + b"\x5a" * 60, b"\0" * 100, b"\xe1\2" * 99])
def test_other_files(data: bytes) -> None:
    assert rboot_config.read(data) is None


def test_parse_is_strict() -> None:
    with pytest.raises(FormatError) as caught:
        RbootConfig.parse(b"\xe1\x01\0\0\0\x02\0\0\0\x20\0\0")
    assert caught.value.offset == 12
