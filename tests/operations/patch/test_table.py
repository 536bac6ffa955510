"""NodeMCU's partition table changed, fresh and resolved."""

from __future__ import annotations

import pytest

from imgtool.errors import FormatError, ImgtoolError, LayoutError
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.regions.nodemcu_page import LFS0, SPIFFS0, PartitionTable
from imgtool.layout.nodemcu import resolve
from imgtool.operations.assemble.extras import table_of
from imgtool.operations.assemble.fullimage import fullimage
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.inspect.describe import describe
from imgtool.operations.patch.steps import Changes, Patched, Write, patch
from imgtool.operations.patch.table import REST, TableChange
from tests.support import IMAGES, aggregate, codes, real

FRESH = {name: aggregate(name) for name in ("nodemcu-3.0-2019", "nodemcu-3.0-2021")}
USED = IMAGES["dumps/nodemcu-3-used-4m.bin"]
FLASH = 0x40_0000


def on_4mb(data: bytes) -> bytes:
    return patch(data, Changes(HeaderChange(size="4MB"))).data


def table_in(data: bytes) -> PartitionTable:
    table = table_of(describe(data))
    assert table is not None
    return table


def places(data: bytes) -> dict[str, tuple[int, int]]:
    """Address and size of LFS and SPIFFS, as the firmware sees them after its first boot."""
    table = resolve(table_in(data), FLASH, 0)
    return {e.name: (e.address, e.size) for e in table.entries if e.type in (LFS0, SPIFFS0)}


def changed(data: bytes, **change: int) -> Patched:
    return patch(data, Changes(table=TableChange(**change)))


@pytest.mark.parametrize("name", FRESH)
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"lfs_size": 0x2_0000}, {"LFS0": (None, 0x2_0000)}),
        ({"lfs_size": 0x1_F000}, {"LFS0": (None, 0x2_0000)}),  # NodeMCU rounds it up
        ({"lfs_size": 0}, {"LFS0": None}),
        ({"lfs_size": 0x1_0000, "lfs_address": 0x8_0000}, {"LFS0": (0x8_0000, 0x1_0000)}),
        ({"spiffs_address": 0x10_0000}, {"SPIFFS0": (0x10_0000, 0x2F_D000)}),
        ({"spiffs_address": 0x10_0000, "spiffs_size": 0x4_0000}, {"SPIFFS0": (0x10_0000, 0x4_0000)}),
        ({"spiffs_size": 0x4_0000}, {"SPIFFS0": (0x10_0000, 0x4_0000)}),
    ],
)
def test_a_fresh_table_stays_fresh_and_its_first_boot_does_what_was_asked(
    name: str, change: dict[str, int], expected: dict[str, tuple[int | None, int] | None]
) -> None:
    data = on_4mb(FRESH[name])
    if name.endswith("2019") and change.get("spiffs_address") and "spiffs_size" not in change:
        expected = {"SPIFFS0": (0x10_0000, 0x30_0000)}  # its system parameters are not at the end

    made = changed(data, **change)

    assert not table_in(made.data).resolved
    assert table_in(made.data).irom_end == table_in(data).irom_end
    now = places(made.data)
    for part, place in expected.items():
        assert (now.get(part) is None) == (place is None)
        if place is not None:
            assert now[part][1] == place[1]
            assert place[0] in (None, now[part][0])
    assert now["SPIFFS0"][0] + now["SPIFFS0"][1] <= FLASH
    assert len(made.data) == len(data)
    assert {run.offset // 0x1000 for run in made.differences} <= {0x10}


def test_a_place_of_its_own_for_spiffs_does_not_make_the_first_boot_spin() -> None:
    """With "the rest" as its size the firmware would count from the partition before and leave the flash."""
    data = on_4mb(FRESH["nodemcu-3.0-2021"])

    entry = table_in(changed(data, spiffs_address=0x10_0000).data).find(SPIFFS0)

    assert entry is not None
    assert (entry.address, entry.size) == (0x10_0000, FLASH - 0x3000 - 0x10_0000)


def test_there_and_back() -> None:
    for data in (*map(on_4mb, FRESH.values()), USED):
        before = table_in(data)
        made = changed(data, spiffs_address=0x10_0000, spiffs_size=0x10_0000).data
        entry = before.find(SPIFFS0)
        assert entry is not None
        assert changed(made, spiffs_address=entry.address, spiffs_size=entry.size).data == data


def test_lfs_comes_into_a_resolved_table_and_spiffs_makes_room() -> None:
    without = changed(USED, lfs_size=0).data
    spiffs = table_in(without).find(SPIFFS0)
    assert spiffs is not None
    assert table_in(without).find(LFS0) is None

    made = changed(without, lfs_size=0x1_8000)

    table = table_in(made.data)
    lfs, moved, code = table.find(LFS0), table.find(SPIFFS0), table.find(nodemcu_page.IROM)
    assert lfs is not None
    assert moved is not None
    assert code is not None
    assert (lfs.address, lfs.size) == (code.address + code.size, 0x1_8000)
    assert moved.address >= lfs.address + lfs.size
    assert moved.address + moved.size == spiffs.address + spiffs.size
    assert resolve(table, FLASH, 0) == table


def test_a_rebuilt_page_keeps_its_other_records() -> None:
    page = nodemcu_page.page_at(USED, 0x10000)
    assert page is not None
    others = [
        (r.id, r.payload) for r in page.records if r.id not in (nodemcu_page.DELETED, nodemcu_page.TABLE)
    ]

    made = changed(USED, lfs_size=0).data

    again = nodemcu_page.page_at(made, 0x10000)
    assert again is not None
    assert [(r.id, r.payload) for r in again.records if r.id != nodemcu_page.TABLE] == others


def test_what_is_lost_is_said() -> None:
    assert "filesystem-formatted" in codes(changed(USED, spiffs_address=0x20_0000).findings)
    assert "lfs-lost" in codes(changed(USED, lfs_size=0).findings)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lfs_size": 0, "lfs_address": 0x8_0000}, "LFS has no size"),
        ({"lfs_size": 0x10_0000}, "leaves the part of it that the cache shows"),
        ({"lfs_size": 0x1_0000, "lfs_address": 0x8_0800}, "not aligned"),
        ({"lfs_size": 0x1_0000, "lfs_address": 0x1_0000}, "begins inside"),
        ({"spiffs_address": 0x10_0800}, "not aligned"),
        ({"spiffs_address": 0x1_1000}, "begins inside"),
        ({"spiffs_size": 0x40_0000}, "leaves the flash"),
        ({"spiffs_address": FLASH}, "nothing is left for SPIFFS"),
        ({"spiffs_address": FLASH, "spiffs_size": REST}, "nothing is left for SPIFFS"),
        ({"spiffs_address": 0x3F_0000, "spiffs_size": 0x2_0000}, "leaves the flash|begins inside"),
    ],
)
@pytest.mark.parametrize("name", [*FRESH, "used"])
def test_tables_at_which_the_firmware_would_stop_are_refused(
    name: str, change: dict[str, int], words: str
) -> None:
    data = USED if name == "used" else on_4mb(FRESH[name])

    with pytest.raises(ImgtoolError, match=words):
        changed(data, **change)


def test_a_smaller_size_in_the_header_than_the_table_needs_is_refused() -> None:
    with pytest.raises(LayoutError, match="leaves the flash"):
        patch(USED, Changes(HeaderChange(size="1MB")))


def test_a_page_without_an_image_header_is_changed_and_that_is_said() -> None:
    page = IMAGES["nodemcu-3.0-2021/0x10000.bin"]

    made = changed(page, lfs_size=0x2_0000)

    assert "table-unchecked" in codes(made.findings)
    assert {run.offset for run in made.differences} <= set(range(0x1000))


def test_files_without_such_a_table_are_refused() -> None:
    for data in (aggregate("sample"), IMAGES["init-data/v05.bin"], IMAGES["rtos3/partitions.bin"]):
        with pytest.raises(FormatError, match="no NodeMCU partition table"):
            changed(data, lfs_size=0x1_0000)


def test_a_full_image_takes_its_table_along() -> None:
    whole = fullimage([Piece(0, FRESH["nodemcu-3.0-2021"], "x")], "4MB").data

    made = changed(whole, lfs_size=0x4_0000, spiffs_address=0x10_0000, spiffs_size=REST)

    assert places(made.data) == {
        "LFS0": (places(whole)["LFS0"][0], 0x4_0000),
        "SPIFFS0": (0x10_0000, 0x2F_D000),
    }
    assert made.after.ok


def test_a_real_image_of_nodemcu_3() -> None:
    data = on_4mb(real("nodemcu/heikomat-firmware-lfs.bin"))

    made = changed(data, lfs_size=0x4_0000, spiffs_address=0x10_0000, spiffs_size=0x10_0000)

    assert made.after.ok
    assert places(made.data)["SPIFFS0"] == (0x10_0000, 0x10_0000)


def test_an_lfs_that_moves_into_spiffs_pushes_it_on() -> None:
    spiffs = table_in(USED).find(SPIFFS0)
    assert spiffs is not None
    data = USED[: spiffs.address] + b"\xff" * spiffs.size + USED[spiffs.address + spiffs.size :]

    made = changed(data, lfs_address=0x8_0000, lfs_size=0x1_0000)

    assert places(made.data) == {
        "LFS0": (0x8_0000, 0x1_0000),
        "SPIFFS0": (0x9_0000, spiffs.address + spiffs.size - 0x9_0000),
    }


def test_the_rest_ends_before_the_system_parameters_where_the_first_boot_put_them() -> None:
    larger = patch(USED, Changes(HeaderChange(size="16MB"))).data
    system = table_in(USED).find(nodemcu_page.SYSTEM_PARAM)
    assert system is not None

    address, size = places(changed(larger, spiffs_size=REST).data)["SPIFFS0"]

    assert address + size == system.address


def test_bytes_in_the_table_are_held_to_its_rules() -> None:
    data = on_4mb(FRESH["nodemcu-3.0-2021"])
    page = nodemcu_page.page_at(data, 0x10000)
    assert page is not None
    for write, error in (
        (Write(0x10000, b"\xff" * 4), FormatError),  # no table any more
        (Write(0x1003C, b"\x00\x00\x20\x00"), LayoutError),  # an LFS of 2 MB
    ):
        with pytest.raises(error):
            patch(data, Changes(writes=(write,)))


def test_an_lfs_image_can_be_put_in_again() -> None:
    lfs = Piece(0, IMAGES["lfs/lfs-5.1.img"], "lfs.img")
    change = Changes(table=TableChange(lfs_size=0x1_0000), lfs=lfs)
    once = patch(on_4mb(FRESH["nodemcu-3.0-2019"]), change).data

    assert patch(once, Changes(lfs=lfs)).data == once


def test_a_table_that_was_wrong_before_does_not_stop_other_changes() -> None:
    data = USED[:3] + b"\x20" + USED[4:]  # a header of 1MB before a table of 4MB

    assert patch(data, Changes(entry=0x4010_0008)).data[4:8] == b"\x08\x00\x10\x40"
    assert patch(data, Changes(HeaderChange(size="4MB"))).data == USED
