from __future__ import annotations

import pytest

from imgtool import chip
from imgtool.chip import FLASH_FREQUENCIES, FLASH_MODES, FLASH_SIZES, MEGABIT_SIZES, SDK_SECTORS

# SPI_SIZE_MAP of the SDK's Makefile: name, size nibble, bytes, bytes of an OTA slot.
SIZES = [
    ("256KB", 1, 256 * 1024, 0),
    ("512KB", 0, 512 * 1024, 256 * 1024),
    ("1MB", 2, 1024 * 1024, 512 * 1024),
    ("2MB", 3, 2 * 1024 * 1024, 512 * 1024),
    ("2MB-c1", 5, 2 * 1024 * 1024, 1024 * 1024),
    ("4MB", 4, 4 * 1024 * 1024, 512 * 1024),
    ("4MB-c1", 6, 4 * 1024 * 1024, 1024 * 1024),
    ("8MB", 8, 8 * 1024 * 1024, 1024 * 1024),
    ("16MB", 9, 16 * 1024 * 1024, 1024 * 1024),
]


@pytest.mark.parametrize(("name", "code", "size", "slot"), SIZES, ids=[row[0] for row in SIZES])
def test_flash_size(name: str, code: int, size: int, slot: int) -> None:
    found = chip.flash_size(name)

    assert (found.name, found.code, found.bytes, found.ota_slot) == (name, code, size, slot)


def test_there_is_no_other_flash_size() -> None:
    assert [size.name for size in FLASH_SIZES] == [row[0] for row in SIZES]


@pytest.mark.parametrize(("name", "code"), [row[:2] for row in SIZES], ids=[row[0] for row in SIZES])
def test_flash_size_of_code(name: str, code: int) -> None:
    found = chip.flash_size_of_code(code)

    assert found == chip.flash_size(name)


@pytest.mark.parametrize("code", [7, 10, 11, 12, 13, 14, 15])
def test_code_without_a_size(code: int) -> None:
    assert chip.flash_size_of_code(code) is None


@pytest.mark.parametrize("name", ["", "1mb", "1M", "4MB-c2", "32MB"])
def test_name_without_a_size(name: str) -> None:
    with pytest.raises(KeyError):
        chip.flash_size(name)


def test_flash_modes() -> None:
    assert FLASH_MODES == {"qio": 0, "qout": 1, "dio": 2, "dout": 3}


def test_flash_frequencies() -> None:
    assert FLASH_FREQUENCIES == {"40m": 0, "26m": 1, "20m": 2, "80m": 15}


def test_megabit_spellings() -> None:
    assert MEGABIT_SIZES == {"4m": "512KB", "8m": "1MB", "16m": "2MB", "32m": "4MB"}


def test_sdk_sectors_are_the_last_five() -> None:
    numbers = [(s.name, s.from_end, s.sectors) for s in SDK_SECTORS]

    assert numbers == [("rf-cal", 5, 1), ("init-data", 4, 1), ("system-param", 3, 3)]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (0x3FF00000, "DPORT"),
        (0x3FFE7FFF, None),
        (0x3FFE8000, "DRAM"),
        (0x40000000, "ROM"),
        (0x400FFFFF, None),
        (0x40100000, "IRAM"),
        (0x40107FFF, "IRAM"),
        (0x40108000, "IRAM (cache)"),
        (0x4010F000, "IRAM (cache)"),
        (0x40110000, None),
        (0x40200000, "IROM"),
        (0x402FFFFF, "IROM"),
        (0x40300000, None),
        (0, None),
    ],
    ids=lambda value: f"{value:08x}" if isinstance(value, int) else str(value),
)
def test_memory_at(address: int, name: str | None) -> None:
    region = chip.memory_at(address)

    assert (region and region.name) == name
