"""The least room for the SPIFFS of NodeMCU: what is just enough, and what is one step less."""

from __future__ import annotations

import pytest

from imgtool.chip import flash_size
from imgtool.formats.reading import Firmware
from imgtool.formats.regions.nodemcu_page import Entry, PartitionTable
from imgtool.layout.file_places import FileRoom, file_room, filesystem_made, spiffs_block
from imgtool.layout.file_room import NO_ROOM, no_room, room_findings
from imgtool.layout.fit import layout_for

ALL = 0xFFFFFFFF
NEWEST = Firmware("NodeMCU", "3.0.0.0", "3.0.1-dev(fce080e)")
SINCE_2020 = ((101, 0, 0xB000), (4, 0xD000, 0x1000), (5, 0xF000, 0x1000))
FIRST = ((101, 0, 0xB000), (4, 0xB000, 0x1000), (5, 0xC000, 0x1000), (6, 0xD000, 0x3000))


def room_of(firmware: Firmware, size: str, end: int, table: PartitionTable | None = None) -> FileRoom:
    room = file_room(layout_for(flash_size(size), firmware, table, end), firmware, end)
    assert room is not None
    return room


# The borders are those of app/spiffs/spiffs.c at each tag.  Run with real code: 2.1.0 with 0x5000 keeps
# files, with 0x3000 and 0x1000 it says "unable to format"; 2.2.1 with 0x1000 likewise; the library of 0.9.5
# and 1.5.1 keeps 8 files in three blocks and none in two.
@pytest.mark.parametrize(
    ("version", "built", "size", "end", "start", "room", "enough"),
    [
        ("1.5.4.1", "", "512KB", 0x76000, 0x76000, 0x5000, True),
        ("1.5.4.1", "", "512KB", 0x76001, 0x78000, 0x3000, False),
        ("1.5.4.1", "", "512KB", 0x78174, 0x7A000, 0x1000, False),
        ("1.5.4.1", "", "512KB", 0x7A800, 0x7C000, 0, False),
        ("2.0.0", "", "512KB", 0x76000, 0x76000, 0x5000, True),
        ("2.1.0", "20181116", "512KB", 0x76000, 0x76000, 0x5000, True),
        ("2.1.0", "20181116", "512KB", 0x77000, 0x78000, 0x3000, False),
        ("2.2.1", "", "512KB", 0x76001, 0x78000, 0x3000, False),
        ("2.2.1", "", "1MB", 0xE0000, 0xE8000, 0x13000, True),
        ("2.2.1", "", "1MB", 0xE0001, 0x100000, 0, False),  # though 0x1A000 bytes lie behind it
        ("2.2.1", "", "4MB", 0xE0001, 0x100000, 0x2FB000, True),
        ("0.9.5", "20150318", "512KB", 0x78000, 0x78000, 0x4000, True),
        ("0.9.5", "20150318", "512KB", 0x78001, 0x7C000, 0, False),
        ("0.9.5", "20150107", "512KB", 0x79000, 0x79000, 0x3000, True),
        ("0.9.5", "20150107", "512KB", 0x79001, 0x7A000, 0x2000, False),
        ("1.5.1", "", "512KB", 0x78000, 0x78000, 0x4000, True),
        ("1.5.1", "", "512KB", 0x78001, 0x7C000, 0, False),
    ],
)
def test_behind_the_firmware(  # noqa: PLR0913 - a column each
    version: str, built: str, size: str, end: int, start: int, room: int, *, enough: bool
) -> None:
    firmware = Firmware("NodeMCU", version, build=built or None)
    layout = layout_for(flash_size(size), firmware, None, end)
    found = room_of(firmware, size, end)

    assert (found.start, found.size, found.enough) == (start, room, enough)
    assert (filesystem_made(layout, firmware, end) is not None) == enough
    assert (no_room(layout, firmware, end) == "") == enough


@pytest.mark.parametrize(
    ("rows", "spiffs", "room", "enough"),
    [
        (SINCE_2020, (0x80000, 0x4000), 0x4000, True),
        (SINCE_2020, (0x80000, 0x3000), 0x2000, False),
        (SINCE_2020, (0x81000, 0x5000), 0x4000, True),  # its borders are moved inwards, to steps of 0x2000
        (SINCE_2020, (0x81000, 0x4000), 0x2000, False),
        (SINCE_2020, None, 0, False),
        # The first two releases always take blocks of 0x2000, and find three of them again.  One of 2020-05
        # was run: 0x8000 and 0x6000 keep files, 0x4000, 0x2000 and none do not.
        (FIRST, (0x80000, 0x8000), 0x8000, True),
        (FIRST, (0x80000, 0x6000), 0x6000, True),
        (FIRST, (0x80000, 0x5000), 0x4000, False),
        (FIRST, None, 0, False),
    ],
)
def test_in_a_partition(
    rows: tuple[tuple[int, int, int], ...], spiffs: tuple[int, int] | None, room: int, *, enough: bool
) -> None:
    files = () if spiffs is None else (Entry(106, *spiffs),)
    table = PartitionTable((*(Entry(*row) for row in rows), Entry(102, 0x10000, 0x70000), *files))
    found = room_of(NEWEST, "1MB", 0x80000, table)

    assert (found.size, found.enough) == (room, enough)
    made = filesystem_made(layout_for(flash_size("1MB"), NEWEST, table, 0x80000), NEWEST, 0x80000)
    assert (0 if made is None else made.size) == (room if enough else 0)


@pytest.mark.parametrize(
    ("lfs", "room", "enough"), [(0x79000, 0x2000, False), (0x78000, 0x4000, True), (0x7C000, 0, False)]
)
def test_what_lfs_leaves_at_the_first_boot(lfs: int, room: int, *, enough: bool) -> None:
    entries = (
        *SINCE_2020,
        (102, 0x10000, 0),
        (103, 0, lfs),
        (106, 0, ALL),
        (6, 0, 0x3000),
        (0, 0x40280000, 0),
    )
    table = PartitionTable(tuple(Entry(*entry) for entry in entries))
    found = room_of(NEWEST, "1MB", 0x80000, table)

    assert (found.size, found.enough) == (room, enough)


def test_the_block_size_by_the_table() -> None:
    first, later = (
        layout_for(
            flash_size("1MB"),
            NEWEST,
            PartitionTable((*(Entry(*row) for row in rows), Entry(102, 0x10000, 0x70000))),
            0x80000,
        )
        for rows in (FIRST, SINCE_2020)
    )

    assert [spiffs_block(later, size) for size in (0x4000, 0x7000, 0x8000)] == [0x1000, 0x1000, 0x2000]
    assert [spiffs_block(first, size) for size in (0x4000, 0x7000, 0x8000)] == [0x2000, 0x2000, 0x2000]


@pytest.mark.parametrize(
    "firmware",
    [
        None,
        Firmware("NodeMCU"),
        Firmware("NodeMCU", "0.9.2"),  # its size is compiled in
        Firmware("Tasmota", "9.5.0"),
        Firmware("non-OS SDK application", sdk="2.2.1(6ab97e9)"),
    ],
)
def test_nothing_is_said_of_what_is_not_known(firmware: Firmware | None) -> None:
    layout = layout_for(flash_size("512KB"), Firmware("NodeMCU", "2.2.1"), None, 0x7A000)

    assert room_findings(layout, firmware, 0x7A000) == ()


def test_a_file_system_that_is_there_is_mounted_where_a_new_one_would_not_fit() -> None:
    firmware = Firmware("NodeMCU", "2.2.1")
    layout = layout_for(flash_size("1MB"), firmware, None, 0xE1000)

    assert [each.code for each in room_findings(layout, firmware, 0xE1000)] == [NO_ROOM]
    assert room_findings(layout, firmware, 0xE1000, brought=0xE2000) == ()
    assert [each.code for each in room_findings(layout, firmware, 0xE1000, brought=0xF8000)] == [NO_ROOM]


def test_a_release_that_corrects_its_header_goes_by_a_larger_chip() -> None:
    firmware = Firmware("NodeMCU", "2.2.1")
    layout = layout_for(flash_size("512KB"), firmware, None, 0x7A000)

    assert room_findings(layout, firmware, 0x7A000, capacity=0x40_0000) == ()
    assert room_findings(layout, firmware, 0x7A000, capacity=0x8_0000)


@pytest.mark.parametrize(
    ("version", "end", "words"),
    [
        (
            "1.5.4.1",
            0x78174,
            "from 0x07a000 to 0x07b000, 4,096 bytes, and needs at least 16,384 bytes: formatting",
        ),
        ("2.2.1", 0x7A800, "may erase the firmware itself"),
        ("0.9.5", 0x79000, "needs at least 12,288 bytes: no file can be kept. Take"),
    ],
)
def test_what_is_said(version: str, end: int, words: str) -> None:
    firmware = Firmware("NodeMCU", version)
    reason = no_room(layout_for(flash_size("512KB"), firmware, None, end), firmware, end)

    assert reason.startswith(f"NodeMCU {version} on 512KB makes its SPIFFS from ")
    assert words in reason
