from __future__ import annotations

import pytest

from imgtool.chip import flash_size
from imgtool.errors import LayoutError
from imgtool.formats.reading import Firmware, PartKind
from imgtool.formats.regions.nodemcu_page import Entry, PartitionTable, RecordPage
from imgtool.layout.file_places import filesystem_made, filesystem_places, filesystem_start, spiffs_room
from imgtool.layout.fit import layout_for, size_findings, size_for
from imgtool.layout.nodemcu import lowest_protected, resolve, table_regions
from imgtool.layout.regions import FlashLayout, sdk_regions
from tests.support import IMAGES, codes

# Contract section 7: RF cal, init data and system parameters of firmware on a non-OS SDK before 3.
SDK_ADDRESSES = {
    "512KB": (0x7B000, 0x7C000, 0x7D000),
    "1MB": (0xFB000, 0xFC000, 0xFD000),
    "2MB": (0x1FB000, 0x1FC000, 0x1FD000),
    "2MB-c1": (0x1FB000, 0x1FC000, 0x1FD000),
    "4MB": (0x3FB000, 0x3FC000, 0x3FD000),
    "4MB-c1": (0x3FB000, 0x3FC000, 0x3FD000),
    "8MB": (0x7FB000, 0x7FC000, 0x7FD000),
    "16MB": (0xFFB000, 0xFFC000, 0xFFD000),
}
FROM_1MB = [name for name in SDK_ADDRESSES if name != "512KB"]
ALL = 0xFFFFFFFF
ENDS = {"nodemcu-3.0-2019": 0x2B000, "nodemcu-3.0-2021": 0x2D000}

SAMPLE = Firmware("NodeMCU", "2.2.0", "2.2.1(6ab97e9)")
OLDEST = Firmware("NodeMCU", "0.9.5")
NEWEST = Firmware("NodeMCU", "3.0.0.0", "3.0.1-dev(fce080e)")


def table_of(name: str) -> PartitionTable:
    table = RecordPage.parse(IMAGES[f"{name}/0x10000.bin"]).table
    assert table is not None
    return table


def regions(layout: FlashLayout) -> list[tuple[str, int, int]]:
    return [(str(region.kind), region.start, region.size) for region in layout.regions]


def resolved(*entries: tuple[int, int, int], flash: int = 0x100000, irom_end: int = 0x50000) -> list[Entry]:
    start = ((101, 0, 0xB000), (102, 0x10000, 0))
    table = PartitionTable(tuple(Entry(*entry) for entry in (*start, *entries, (0, 0, 0))))
    return list(resolve(table, flash, irom_end).entries[2:])


@pytest.mark.parametrize("size", SDK_ADDRESSES)
@pytest.mark.parametrize("firmware", [SAMPLE, Firmware("non-OS SDK application", sdk="2.0.0(656edbf)"), None])
def test_sdk_sectors(size: str, firmware: Firmware | None) -> None:
    layout = layout_for(flash_size(size), firmware, None, 0x50000)

    rf_cal, init_data, parameters = SDK_ADDRESSES[size]
    assert regions(layout) == [
        ("rf-cal", rf_cal, 0x1000),
        ("init-data", init_data, 0x1000),
        ("system-param", parameters, 0x3000),
    ]


def test_sdk_sectors_are_named() -> None:
    assert [region.name for region in sdk_regions(0x100000)] == ["rf-cal", "init-data", "system-param"]


@pytest.mark.parametrize("firmware", [SAMPLE, OLDEST, None])
def test_256kb_has_no_place_for_them(firmware: Firmware | None) -> None:
    with pytest.raises(LayoutError, match="256KB flash has no room"):
        layout_for(flash_size("256KB"), firmware, None, 0x20000)


def test_256kb_is_refused_to_nodemcu_3() -> None:
    with pytest.raises(LayoutError):
        layout_for(flash_size("256KB"), NEWEST, table_of("nodemcu-3.0-2021"), 0x2D000)


@pytest.mark.parametrize("name", ENDS)
def test_nodemcu_3_needs_1mb(name: str) -> None:
    with pytest.raises(LayoutError, match=r"NodeMCU 3\.0 and later need 1MB"):
        layout_for(flash_size("512KB"), NEWEST, table_of(name), ENDS[name])


def test_nodemcu_3_without_its_table_is_refused() -> None:
    with pytest.raises(LayoutError, match="should carry a partition table"):
        layout_for(flash_size("4MB"), NEWEST, None, 0x50000)


@pytest.mark.parametrize("version", ["0.9.2", "0.9.5", "0.9.6", "1.4.0", "1.5.1"])
@pytest.mark.parametrize("size", ["2MB-c1", "4MB-c1", "8MB", "16MB"])
def test_sizes_that_old_releases_take_for_others(size: str, version: str) -> None:
    with pytest.raises(LayoutError, match="numbers the flash sizes in a way of its own"):
        layout_for(flash_size(size), Firmware("NodeMCU", version), None, 0x50000)


def test_rtos_sdk_3_keeps_nothing_at_the_end() -> None:
    layout = layout_for(flash_size("1MB"), Firmware("ESP8266 RTOS SDK boot loader", "3.2"), None, 0x50000)

    assert layout.regions == ()


def test_strings_of_a_sketch_without_its_boot_loader_move_no_sector() -> None:
    # They are left of an older firmware: what starts here is no sketch.
    layout = layout_for(flash_size("1MB"), Firmware("Tasmota", "12.5.0"), None, 0x50000)

    assert regions(layout)[1] == ("init-data", 0xFC000, 0x1000)


@pytest.mark.parametrize("size", ["512KB", "1MB", "2MB", "4MB"])
def test_sizes_that_old_releases_know(size: str) -> None:
    layout = layout_for(flash_size(size), OLDEST, None, 0x50000)

    assert layout.findings == ()


@pytest.mark.parametrize("size", FROM_1MB)
def test_first_partition_table(size: str) -> None:
    end = flash_size(size).bytes
    layout = layout_for(flash_size(size), NEWEST, table_of("nodemcu-3.0-2019"), 0x2B000)

    # irom ends at 0x2B000 and is rounded up to 0x2000; there is no LFS, and SPIFFS takes the rest.
    assert regions(layout) == [
        ("rf-cal", 0xB000, 0x1000),
        ("init-data", 0xC000, 0x1000),
        ("system-param", 0xD000, 0x3000),
        ("spiffs", 0x2C000, end - 0x2C000),
    ]


@pytest.mark.parametrize("size", FROM_1MB)
def test_current_partition_table(size: str) -> None:
    end = flash_size(size).bytes
    layout = layout_for(flash_size(size), NEWEST, table_of("nodemcu-3.0-2021"), 0x2D000)

    assert regions(layout) == [
        ("rf-cal", 0xD000, 0x1000),
        ("init-data", 0xF000, 0x1000),
        ("lfs", 0x2E000, 0x10000),
        ("spiffs", 0x3E000, end - 0x3000 - 0x3E000),
        ("system-param", end - 0x3000, 0x3000),
    ]


def test_resolving_gives_what_the_first_boot_wrote() -> None:
    fresh, used = table_of("nodemcu-3.0-2021"), table_of("nodemcu-3.0-2021-used")

    assert resolve(fresh, 0x400000, 0) == used


def test_a_resolved_table_stays_as_it_is() -> None:
    used = table_of("nodemcu-3.0-2021-used")

    assert resolve(used, 0x400000, 0x12345) is used


@pytest.mark.parametrize("size", ["1MB", "2MB"])
def test_a_resolved_table_that_leaves_the_flash_is_refused(size: str) -> None:
    # It was resolved for 4 MB; SDK 3 stops where the table is larger than the flash.
    with pytest.raises(LayoutError):
        layout_for(flash_size(size), NEWEST, table_of("nodemcu-3.0-2021-used"), 0x2D000)


@pytest.mark.parametrize(
    ("size", "flash", "start"),
    [
        (0x80000, 0x100000, 0x50000),  # does not fit above 1 MB: right behind what comes before
        (0x80000, 0x200000, 0x100000),
        (0xFD000, 0x200000, 0x100000),
        (0xFE000, 0x200000, 0x50000),
    ],
)
def test_file_system_of_a_fixed_size(size: int, flash: int, start: int) -> None:
    entries = resolved((106, 0, size), (6, 0, 0x3000), flash=flash)

    assert entries[0] == Entry(106, start, size)


def test_lfs_is_rounded_up_to_its_step() -> None:
    entries = resolved((103, 0, 0x11000), irom_end=0x4F000)

    assert entries == [Entry(103, 0x50000, 0x12000)]


def test_empty_entries_are_dropped() -> None:
    assert resolved((103, 0, 0), (106, 0, ALL)) == [Entry(106, 0x50000, 0xB0000)]


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([(103, 0x50800, 0x2000)], "not aligned"),
        ([(103, 0x40000, 0x2000)], "begins inside the one before it"),
        ([(103, 0xF0000, 0x20000)], "leaves the flash"),
        ([(106, 0x80000, ALL), (6, 0, 0x3000)], "leaves the flash"),
    ],
    ids=["alignment", "overlap", "end", "rest-counted-from-elsewhere"],
)
def test_tables_at_which_the_first_boot_stops(entries: list[tuple[int, int, int]], reason: str) -> None:
    with pytest.raises(LayoutError, match=reason):
        resolved(*entries)


@pytest.mark.parametrize(("name", "start"), [("nodemcu-3.0-2019", 0xB000), ("nodemcu-3.0-2021", 0xD000)])
def test_lowest_protected_region(name: str, start: int) -> None:
    region = lowest_protected(table_of(name))

    assert region is not None
    assert (region.kind, region.start) == (PartKind.RF_CAL, start)


def test_no_region_is_protected_below_irom() -> None:
    assert lowest_protected(PartitionTable((Entry(101, 0, 0x10000), Entry(6, 0x3FD000, 0x3000)))) is None


def test_table_regions_leave_out_the_firmware() -> None:
    kinds = [region.kind for region in table_regions(table_of("nodemcu-3.0-2021-used"))]

    assert kinds == ["rf-cal", "init-data", "lfs", "spiffs", "system-param"]


# facts D7
@pytest.mark.parametrize(
    ("version", "size", "firmware_end", "start"),
    [
        ("0.9.5", "512KB", 0x66000, 0x68000),
        ("0.9.5", "512KB", 0x65000, 0x68000),
        ("1.4.0", "4MB", 0x61000, 0x64000),
        ("1.5.4.1", "4MB", 0x60000, 0x60000),
        ("1.5.4.1", "4MB", 0x61000, 0x70000),
        ("2.2.0", "512KB", 0x61000, 0x62000),
        ("2.2.0", "1MB", 0x61000, 0x70000),
    ],
)
def test_where_old_releases_look_for_files(version: str, size: str, firmware_end: int, start: int) -> None:
    layout = layout_for(flash_size(size), Firmware("NodeMCU", version), None, firmware_end)

    assert filesystem_start(layout, Firmware("NodeMCU", version), firmware_end) == start


def test_nodemcu_3_looks_nowhere_but_in_its_partition() -> None:
    table = PartitionTable((Entry(101, 0, 0xB000), Entry(102, 0x10000, 0x40000)))
    layout = layout_for(flash_size("4MB"), NEWEST, table, 0x50000)

    assert filesystem_start(layout, NEWEST, 0x50000) is None
    assert filesystem_places(layout, NEWEST, 0x50000) == ()
    assert filesystem_made(layout, NEWEST, 0x50000) is None


@pytest.mark.parametrize(
    ("version", "size", "firmware_end", "made"),
    [
        ("0.9.5", "4MB", 0x60000, (0x60000, 0x39C000)),
        ("1.5.1", "512KB", 0x61000, (0x64000, 0x18000)),
        ("1.5.4.1", "4MB", 0x60000, (0x70000, 0x38A000)),
        ("2.2.0", "1MB", 0xB0000, (0xB8000, 0x42000)),  # less than 400,000 bytes would be left
        ("2.2.0", "512KB", 0x61000, (0x62000, 0x18000)),
        ("2.2.0", "512KB", 0x75000, (0x76000, 0x5000)),  # fewer than four blocks of 8 KB
    ],
)
def test_the_file_system_that_is_made(
    version: str, size: str, firmware_end: int, made: tuple[int, int]
) -> None:
    firmware = Firmware("NodeMCU", version)
    region = filesystem_made(layout_for(flash_size(size), firmware, None, 0), firmware, firmware_end)

    assert region is not None
    assert (region.start, region.size) == made


@pytest.mark.parametrize(
    ("version", "built", "start", "room"),
    [
        ("1.5.4.1", None, 0x70000, {0x2000: 0x38A000}),
        ("2.1.0", "20170521", 0x70000, {0x2000: 0x38A000}),
        ("2.1.0", "20170811", 0x70000, {0x1000: 0x38B000, 0x2000: 0x38A000}),
        ("2.2.0", None, 0x70000, {0x1000: 0x38B000, 0x2000: 0x38A000}),
        ("2.0.0", None, 0x3F5000, {0x1000: 0x6000}),
        ("3.0.0", None, 0x70000, {}),
    ],
)
def test_the_room_of_a_file_system(version: str, built: str | None, start: int, room: dict[int, int]) -> None:
    firmware = Firmware("NodeMCU", version, build=built)
    table = PartitionTable(()) if version == "3.0.0" else None

    assert spiffs_room(layout_for(flash_size("4MB"), firmware, table, 0), firmware, start) == room


@pytest.mark.parametrize(
    ("formula", "room"), [("old", {0x2000: 0x38A000}), ("linear", {0x1000: 0x38B000, 0x2000: 0x38A000})]
)
def test_the_room_of_a_file_system_where_the_code_tells(formula: str, room: dict[int, int]) -> None:
    firmware = Firmware("NodeMCU", "2.1.0", build="20181116", spiffs_formula=formula)

    assert spiffs_room(layout_for(flash_size("4MB"), firmware, None, 0), firmware, 0x70000) == room


@pytest.mark.parametrize("firmware", [None, Firmware("NodeMCU"), Firmware("ESP8266 AT", "1.7.6")])
def test_where_others_look_is_not_known(firmware: Firmware | None) -> None:
    layout = layout_for(flash_size("4MB"), firmware, None, 0x50000)

    assert filesystem_start(layout, firmware, 0x50000) is None


@pytest.mark.parametrize(
    ("firmware", "size", "expected"),
    [
        (Firmware("NodeMCU", "1.5.4.1"), "8MB", ["old-nodemcu-size"]),
        (Firmware("NodeMCU", "2.0.0"), "4MB-c1", ["old-nodemcu-size"]),
        (Firmware("NodeMCU", "2.0.0"), "4MB", []),
        (Firmware("NodeMCU", "2.1.0"), "16MB", []),
        (Firmware("ESP8266 AT", "1.7.6", "3.0.6-dev(072755c)"), "4MB", ["sdk-3-layout"]),
        (Firmware("non-OS SDK application", None, "2.0.0(656edbf)"), "4MB", []),
        (Firmware("non-OS SDK application", None, "2.0.0(656edbf)"), "8MB", ["old-sdk-size"]),
        (Firmware("ESP8266 AT", "1.3", "1.5.4(baaeaebb)"), "16MB", ["old-sdk-size"]),
        (Firmware("ESP8266 AT", "1.6.2", "2.2.1(6ab97e9)"), "16MB", []),
        (None, "4MB", []),
    ],
)
def test_what_is_uncertain_is_said(firmware: Firmware | None, size: str, expected: list[str]) -> None:
    assert codes(size_findings(flash_size(size), firmware)) == expected


# --- sizes for a chip, places of file systems ---


@pytest.mark.parametrize(
    ("capacity", "stated", "firmware", "size"),
    [
        (0x40_0000, "1MB", None, "4MB"),
        (0x40_0000, None, None, "4MB"),
        (0x30_0000, "1MB", None, "2MB"),
        (0x40_0000, "4MB-c1", None, "4MB-c1"),
        (0x40_0000, "2MB-c1", None, "4MB-c1"),
        (0x20_0000, "4MB-c1", None, "2MB-c1"),
        (0x80_0000, "4MB-c1", None, "4MB-c1"),
        (0x10_0000, "4MB-c1", None, None),
        (0x100_0000, "1MB", Firmware("NodeMCU", "0.9.5"), "4MB"),
        # On a chip above 4 MB it sets 1 MB itself, and has its files behind that.
        (0x100_0000, "1MB", Firmware("NodeMCU", "2.0.0"), "1MB"),
        (0x40_0000, "1MB", Firmware("NodeMCU", "2.0.0"), "4MB"),
        (0x100_0000, "1MB", Firmware("NodeMCU", "2.1.0"), "16MB"),
        # Which SDK is inside is not known: 4 MB runs with each.
        (0x100_0000, "1MB", Firmware("NodeMCU"), "4MB"),
        (0x100_0000, "1MB", Firmware("ESP8266 AT", "1.3"), "4MB"),
        # An SDK before 2.1 takes 8MB and 16MB for 512KB; MicroPython's version does not tell which it has.
        (0x100_0000, "1MB", Firmware("ESP8266 AT", "1.3", "1.5.4(baaeaebb)"), "4MB"),
        (0x80_0000, "1MB", Firmware("non-OS SDK application", None, "2.0.0(656edbf)"), "4MB"),
        (0x80_0000, "4MB-c1", Firmware("non-OS SDK application", None, "2.0.0(656edbf)"), "4MB-c1"),
        (0x100_0000, "1MB", Firmware("ESP8266 AT", "1.6.2", "2.2.1(6ab97e9)"), "16MB"),
        (0x100_0000, "1MB", Firmware("MicroPython", "1.14"), "4MB"),
        (0x100_0000, "1MB", Firmware("MicroPython", "1.12", "2.2.0-dev(9422289)"), "4MB"),
        (0x100_0000, "1MB", Firmware("Arduino", "2.3.0", "1.5.3(aec24ac9)"), "4MB"),
        (0x100_0000, "1MB", Firmware("Tasmota", "12.5.0", "2.2.2-dev(38a443e)"), "16MB"),
        (0x2_0000, "1MB", None, None),
    ],
)
def test_the_size_for_a_chip(
    capacity: int, stated: str | None, firmware: Firmware | None, size: str | None
) -> None:
    found = size_for(capacity, None if stated is None else flash_size(stated), firmware)

    assert (None if found is None else found.name) == size


def test_nodemcu_3_gets_no_less_than_1mb() -> None:
    table = PartitionTable(())

    assert size_for(0x8_0000, flash_size("1MB"), Firmware("NodeMCU", "3.0.0"), table) is None


@pytest.mark.parametrize(
    ("version", "size", "places"),
    [
        ("2.2.0", "4MB", [*range(0x60000, 0xE0000, 0x10000), *range(0x62000, 0x70000, 0x2000)]),
        ("2.2.0", "512KB", [*range(0x60000, 0x70000, 0x2000)]),
        ("1.4.0", "4MB", [0x60000]),
        ("0.9.5", "4MB", [0x60000]),
        (None, "4MB", []),
    ],
)
def test_where_nodemcu_looks_for_files(version: str | None, size: str, places: list[int]) -> None:
    firmware = Firmware("NodeMCU", version)
    layout = layout_for(flash_size(size), firmware, None, 0x60000)

    assert list(filesystem_places(layout, firmware, 0x60000)) == places
