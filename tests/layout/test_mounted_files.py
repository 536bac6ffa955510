"""Where a NodeMCU works with the file system that it has made: against a model of each release that mounts.

The places of the model are told a second time, in tests/nodemcu_files.py.
"""

from __future__ import annotations

from typing import Final

import pytest

from fixtures.upgrades import MB
from imgtool.chip import FlashSize, flash_size
from imgtool.errors import FileRoomError
from imgtool.formats.filesystems.spiffs import inside
from imgtool.formats.reading import Firmware, PartKind
from imgtool.layout.file_places import filesystem_made, filesystem_mounted
from imgtool.layout.file_targets import target_for
from imgtool.layout.fit import layout_for
from imgtool.operations.inspect.device_settings import find_filesystems
from imgtool.operations.inspect.file_systems import file_systems
from tests.nodemcu_files import RELEASES, Release, mounted
from tests.spiffs_model import Spiffs

BEHIND: Final = [release for release in RELEASES if release.magic != "none" and release.name[0] != "3"]
ENDS: Final = range(0x6_0000, 0xE_0000, 0x3000)
FILES: Final = {b"init.lua": b"print(1)\n", b"empty": b"", b"long": b"x" * 30_000}


def firmware_of(release: Release) -> Firmware:
    version = release.name.partition("-")[0]
    return Firmware("NodeMCU", version, build=release.name.rpartition("-")[2], spiffs_formula=release.magic)


def made(release: Release, size: int, irom_end: int) -> bytes | None:
    """The flash of a board whose firmware has formatted; None where it has no room."""
    flash = b"\xff" * size
    try:
        start, config = release.made(flash, irom_end)
    except IndexError:  # no block size fits four times
        return None
    model = Spiffs(config)
    model.format()
    return flash[:start] + model.data + flash[start + len(model.data) :]


def used(release: Release, flash: bytes, irom_end: int) -> tuple[int, bytes]:
    """Where it mounts one, and the flash when it has written files there."""
    found = mounted(release, flash, irom_end)
    assert found is not None
    start, model = found
    for name, data in FILES.items():
        assert model.write(name, data)
    return start, flash[:start] + model.data + flash[start + len(model.data) :]


@pytest.mark.parametrize("size", ["512KB", "1MB", "2MB"])
@pytest.mark.parametrize("release", BEHIND, ids=lambda release: release.name)
def test_the_target_is_what_is_mounted(release: Release, size: str) -> None:
    chip = flash_size(size)
    firmware = firmware_of(release)
    compared = 0
    for end in (end for end in ENDS if end < chip.bytes):
        flash = made(release, chip.bytes, end)
        layout = layout_for(chip, firmware, None, end)
        if flash is None:
            with pytest.raises(FileRoomError):
                target_for(layout, firmware, end)
            continue
        found = mounted(release, flash, end)
        assert found is not None
        start, model = found
        target = target_for(layout, firmware, end)
        assert (target.start, target.shape.block_size, target.shape.blocks) == (
            start,
            model.config.block,
            model.blocks,
        ), hex(end)
        compared += 1
    assert compared > 5


ONE_MB: Final = flash_size("1MB")
LARGE_END: Final = 0x8_B000  # a build with all modules


@pytest.mark.parametrize(
    ("version", "formula", "chip", "end", "start", "size"),
    [
        ("1.5.4.1", "linear", ONE_MB, LARGE_END, 0xA_0000, 0x5_A000),  # made from 0x94000 on
        ("2.2.1", "linear", ONE_MB, LARGE_END, 0xA_0000, 0x5_A000),
        ("2.0.0", "old", ONE_MB, LARGE_END, 0x9_4000, 0x6_6000),  # no block looks like the first
        ("1.5.4.1", "linear", ONE_MB, 0x8_8000, 0x9_0000, 0x6_A000),  # where it is made
        ("1.5.4.1", "linear", ONE_MB, 0x8_0000, 0x9_0000, 0x6_A000),
        ("1.5.4.1", "linear", ONE_MB, 0xD_C000, 0xF_0000, 0xA000),  # of 23 blocks the last five
        ("1.5.4.1", "linear", ONE_MB, 0x8_A000, 0x9_0000, 0x6_A000),  # made a block behind that
        ("2.0.0", "old", ONE_MB, 0x8_A000, 0x9_2000, 0x6_8000),
        ("1.5.4.1", "linear", flash_size("4MB"), LARGE_END, 0xA_0000, 0x35_A000),
        ("1.5.4.1", "linear", flash_size("512KB"), 0x6_1000, 0x6_2000, 0x1_8000),
        ("0.9.5", "none", ONE_MB, LARGE_END, 0x8_C000, 0x7_0000),
    ],
)
def test_what_is_mounted(
    version: str, formula: str, chip: FlashSize, end: int, start: int, size: int
) -> None:
    firmware = Firmware("NodeMCU", version)
    region = filesystem_mounted(layout_for(chip, firmware, None, end), firmware, end, formula)

    assert region is not None
    assert (region.start, region.size) == (start, size)


def test_a_flash_with_one_that_is_mounted_in_its_middle() -> None:
    release = next(each for each in BEHIND if each.name == "2.2.1")
    blank = made(release, MB, LARGE_END)
    assert blank is not None
    start, flash = used(release, blank, LARGE_END)
    firmware = firmware_of(release)
    region = filesystem_made(layout_for(ONE_MB, firmware, None, LARGE_END), firmware, LARGE_END)

    assert region is not None
    assert (region.start, start) == (0x9_4000, 0xA_0000)
    # In a dump, in what lies from its first block on, and on a device.
    reading = inside(flash, region.start, len(flash))
    assert reading is not None
    assert [(part.kind, part.offset, part.end) for part in reading.parts] == [
        (PartKind.UNKNOWN, region.start, start),
        (PartKind.SPIFFS, start, region.end),
    ]
    (system,) = file_systems(flash[region.start : region.end])
    assert {file.name: file.data for file in system.files} == FILES
    assert all(file.whole for file in system.files)
    for starts in (None, [region.start, start]):
        found = find_filesystems(lambda at, size: flash[at : at + size], MB, starts)
        assert [(each.start, each.end) for each in found] == [(start, region.end)]


def test_where_the_first_blocks_were_collected_it_begins_all_the_same() -> None:
    release = next(each for each in BEHIND if each.name == "2.2.1")
    blank = made(release, MB, 0x8_8000)
    assert blank is not None
    start, flash = used(release, blank, 0x8_8000)
    # Its pages behind, and its first blocks blank, as garbage collection leaves them.
    found = mounted(release, flash, 0x8_8000)
    assert found is not None
    model = found[1]
    while set(model.data[:2]) != {0xFF}:
        assert model.write(b"long", b"y" * 30_000)
    flash = flash[:start] + model.data + flash[start + len(model.data) :]

    reading = inside(flash, start, len(flash))
    assert reading is not None
    assert [(part.kind, part.offset) for part in reading.parts] == [(PartKind.SPIFFS, start)]
