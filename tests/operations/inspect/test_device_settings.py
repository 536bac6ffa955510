from __future__ import annotations

from typing import Final

import pytest

from imgtool.chip import flash_size
from imgtool.errors import LayoutError
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.regions.nodemcu_page import RecordPage
from imgtool.operations.inspect.device_settings import (
    Reader,
    device_header,
    device_page,
    find_filesystems,
    init_data_state,
    keep_page,
    region_by_name,
)
from tests.support import IMAGES, IROM, aggregate

MEGA: Final = 0x10_0000
USED: Final = IMAGES["dumps/nodemcu-3-used-4m.bin"]
DUMP_2_2: Final = IMAGES["dumps/nodemcu-2.2-4m.bin"]
ARDUINO: Final = IMAGES["dumps/arduino-4m.bin"]


class Flash:
    """A flash that counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.read_bytes = 0

    def read(self, address: int, size: int) -> bytes:
        self.read_bytes += size
        return self.data[address : address + size]


def reader(data: bytes) -> Reader:
    return Flash(data).read


def fresh(folder: str, size: int, code: int) -> bytes:
    """A flash with firmware that was never started."""
    data = bytearray(aggregate(folder).ljust(size, b"\xff"))
    data[3] = code << 4
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "data", "places"),
    [
        ("rf-cal", USED, [(0xD000, 0x1000)]),
        ("init-data", USED, [(0xF000, 0x1000)]),
        ("system-param", USED, [(0x3FD000, 0x3000)]),
        ("filesystem", USED, [(0x3E000, 0x3BF000)]),
        ("rf-cal", DUMP_2_2, [(0x3FB000, 0x1000)]),
        ("init-data", DUMP_2_2, [(0x3FC000, 0x1000)]),
        ("system-param", DUMP_2_2, [(0x3FD000, 0x3000)]),
        ("filesystem", DUMP_2_2, [(0x30000, 0x40000)]),
        ("filesystem", ARDUINO, [(0x200000, 0x10000)]),
        ("rf-cal", IMAGES["dumps/at-512k.bin"], [(0x7B000, 0x1000)]),
        ("init-data", fresh("nodemcu-3.0-2019", 2 * MEGA, 3), [(0xC000, 0x1000)]),
        ("system-param", fresh("nodemcu-3.0-2019", 2 * MEGA, 3), [(0xD000, 0x3000)]),
        ("rf-cal", fresh("sample", 2 * MEGA, 2), [(0xFB000, 0x1000)]),
    ],
)
def test_region_by_name(name: str, data: bytes, places: list[tuple[int, int]]) -> None:
    regions = region_by_name(name, reader(data), len(data))

    assert [(region.start, region.size) for region in regions] == places


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("rf-cal", b"\xff" * MEGA),
        ("filesystem", b"\xff" * MEGA),
        ("rf-cal", ARDUINO),
        ("init-data", ARDUINO),
        ("system-param", IMAGES["dumps/rtos3-1m.bin"]),
        ("init-data", fresh("sample", 2 * MEGA, 7)),
        ("init-data", fresh("sample", 2 * MEGA, 4)),
        ("init-data", fresh("sample", MEGA, 1)),
        ("rf-cal", fresh("sample", MEGA, 2)[:0xFC000] + bytes(0x4000)),
        ("filesystem", fresh("sample", MEGA, 2)),
    ],
    ids=[
        "blank",
        "blank-files",
        "arduino-rf-cal",
        "arduino-init-data",
        "rtos",
        "no-size",
        "size-beyond",
        "256KB",
        "not-init-data",
        "no-files",
    ],
)
def test_a_region_that_nothing_justifies(name: str, data: bytes) -> None:
    with pytest.raises(LayoutError):
        region_by_name(name, reader(data), len(data))


@pytest.mark.parametrize("name", ["rf-cal", "init-data", "system-param", "filesystem"])
@pytest.mark.parametrize("data", [USED, DUMP_2_2], ids=["3.0", "2.2"])
def test_little_is_read(name: str, data: bytes) -> None:
    flash = Flash(data)
    region_by_name(name, flash.read, len(data))

    assert flash.read_bytes < 0x8000


def test_an_unknown_name() -> None:
    with pytest.raises(KeyError):
        region_by_name("firmware", reader(USED), len(USED))


@pytest.mark.parametrize("start", [0x7B000, 0xBB000, 0x12000, 0x40000, 0x90000])
@pytest.mark.parametrize("image", ["spiffs/linear.bin", "spiffs/old-formula.bin", "littlefs/empty.bin"])
def test_file_systems_are_found_where_firmware_puts_them(image: str, start: int) -> None:
    block = IMAGES[image]
    data = bytearray(fresh("sample", MEGA, 2))
    data[start : start + len(block)] = block

    assert [(r.start, r.size) for r in find_filesystems(reader(bytes(data)), MEGA)] == [(start, len(block))]


def test_only_where_asked() -> None:
    assert find_filesystems(reader(DUMP_2_2), len(DUMP_2_2), [0x20000]) == ()


def test_a_file_system_that_leaves_the_flash_is_none() -> None:
    data = b"\xff" * 0x70000 + IMAGES["spiffs/linear.bin"][:0x10000]

    assert find_filesystems(reader(data), len(data)) == ()


def test_header() -> None:
    header = device_header(reader(DUMP_2_2))

    assert header is not None
    assert (header.size, header.mode) == ("4MB", "dio")


@pytest.mark.parametrize("data", [b"\xff" * 64, bytes(64), b"", b"\xe9\x01"])
def test_no_header(data: bytes) -> None:
    assert device_header(reader(data)) is None


@pytest.mark.parametrize("data", [DUMP_2_2, b"\xff" * 0x20000, bytes(0x20000), USED[:IROM]])
def test_no_page(data: bytes) -> None:
    assert device_page(reader(data)) is None


@pytest.mark.parametrize(
    ("block", "state"),
    [
        (IMAGES["init-data/v05.bin"], "valid"),
        (IMAGES["init-data/v08.bin"], "valid"),
        (IMAGES["init-data/g0.bin"], "valid"),
        (IMAGES["init-data/bad-marker.bin"], "other"),
        (b"\xff" * 128, "blank"),
        (bytes(128), "other"),
        (b"\x05" + bytes(127), "other"),
    ],
)
def test_init_data_state(block: bytes, state: str) -> None:
    assert init_data_state(block) == state


def used_page() -> tuple[bytes, RecordPage]:
    found = device_page(reader(USED))
    assert found is not None
    return found


def test_a_kept_page_is_the_same_to_the_byte() -> None:
    kept = keep_page(used_page(), flash_size("4MB"), 0xA000, 0x2C000)

    assert (kept.data, kept.changes) == (USED[IROM : IROM + 0x1000], ())


def test_without_the_phy_flag_the_rest_stays() -> None:
    kept = keep_page(used_page(), flash_size("4MB"), 0xA000, 0x2C000).without_phy_flag()
    page = RecordPage.parse(kept.data)

    assert [record.id for record in page.records] == [nodemcu_page.TABLE, nodemcu_page.START_COMMAND]
    assert page.table == used_page()[1].table
    assert kept.without_phy_flag() is kept


@pytest.mark.parametrize(
    ("size", "boot_end", "irom_end", "word"),
    [
        ("4MB", 0xD001, 0x2C000, "RF cal"),
        ("4MB", 0xA000, 0x2E001, "LFS0"),
        ("2MB", 0xA000, 0x2C000, "leaves the flash"),
    ],
)
def test_a_page_that_does_not_fit(size: str, boot_end: int, irom_end: int, word: str) -> None:
    with pytest.raises(LayoutError, match=word):
        keep_page(used_page(), flash_size(size), boot_end, irom_end)


def test_a_page_that_no_boot_resolved() -> None:
    found = device_page(reader(fresh("nodemcu-3.0-2021", MEGA, 2)))
    assert found is not None

    with pytest.raises(LayoutError, match="never resolved"):
        keep_page(found, flash_size("1MB"), 0, 0x2C000)
