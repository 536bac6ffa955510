from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.errors import FormatError
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.regions.nodemcu_page import Record, RecordPage
from tests.strategies import RECORD_PAGES
from tests.support import IMAGES, real

FRESH_2019 = IMAGES["nodemcu-3.0-2019/0x10000.bin"]
FRESH_2021 = IMAGES["nodemcu-3.0-2021/0x10000.bin"]
USED = IMAGES["nodemcu-3.0-2021-used/0x10000.bin"]
ALL = 0xFFFFFFFF
TABLES = {
    "2019": (
        FRESH_2019,
        [
            ("EAGLEROM", 0, 0xB000),
            ("RF cal", 0xB000, 0x1000),
            ("init data", 0xC000, 0x1000),
            ("system parameters", 0xD000, 0x3000),
            ("irom", 0x10000, 0),
            ("LFS0", 0, 0),
            ("SPIFFS0", 0, ALL),
            ("end of irom", 0x4022B000, 0),
        ],
    ),
    "2021": (
        FRESH_2021,
        [
            ("EAGLEROM", 0, 0xB000),
            ("RF cal", 0xD000, 0x1000),
            ("init data", 0xF000, 0x1000),
            ("irom", 0x10000, 0),
            ("LFS0", 0, 0x10000),
            ("SPIFFS0", 0, ALL),
            ("system parameters", 0, 0x3000),
            ("end of irom", 0x4022D000, 0),
        ],
    ),
    "used": (
        USED,
        [
            ("EAGLEROM", 0, 0xB000),
            ("RF cal", 0xD000, 0x1000),
            ("init data", 0xF000, 0x1000),
            ("irom", 0x10000, 0x1E000),
            ("LFS0", 0x2E000, 0x10000),
            ("SPIFFS0", 0x3E000, 0x3BF000),
            ("system parameters", 0x3FD000, 0x3000),
        ],
    ),
}


@pytest.mark.parametrize(("data", "entries"), TABLES.values(), ids=TABLES)
def test_table(data: bytes, entries: list[tuple[str, int, int]]) -> None:
    table = RecordPage.parse(data).table

    assert table is not None
    assert [(entry.name, entry.address, entry.size) for entry in table.entries] == entries


@pytest.mark.parametrize(
    ("data", "resolved"), [(FRESH_2019, False), (FRESH_2021, False), (USED, True)], ids=TABLES
)
def test_only_a_first_boot_resolves_it(data: bytes, resolved: bool) -> None:
    table = RecordPage.parse(data).table

    assert table is not None
    assert table.resolved is resolved


def test_records_of_a_used_page() -> None:
    records = RecordPage.parse(USED).records

    assert [(record.id, len(record.payload)) for record in records] == [(0, 96), (1, 84), (2, 0), (5, 20)]


def test_start_command_of_a_used_page() -> None:
    assert RecordPage.parse(USED).records[-1].payload.rstrip(b"\0") == b"dofile('init.lua')"


@pytest.mark.parametrize("data", [FRESH_2019, FRESH_2021, USED], ids=TABLES)
def test_parsed_and_built_again_it_is_the_same(data: bytes) -> None:
    assert RecordPage.parse(data).build() == data[:0x1000]


@given(RECORD_PAGES)
def test_round_trip(page: RecordPage) -> None:
    assert RecordPage.parse(page.build()) == page


@given(RECORD_PAGES, st.integers(0, 100))
def test_round_trip_at_an_offset(page: RecordPage, offset: int) -> None:
    assert RecordPage.parse(bytes(offset) + page.build(), offset) == page


def test_records_that_do_not_fit() -> None:
    page = RecordPage(tuple(Record(0, 5, bytes(256)) for _ in range(16)))

    with pytest.raises(FormatError, match="the records do not fit"):
        page.build()


@pytest.mark.parametrize(
    "start",
    [b"\x01\x07\x00\x00", b"\x41\x01\x00\x00", b"\x01\x01\x01\x00", b"\x20\x01\x00\x00abcd"],
    ids=["unknown-id", "too-long", "not-zero", "cut"],
)
def test_what_is_no_record(start: bytes) -> None:
    with pytest.raises(FormatError):
        RecordPage.parse(start)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff" * 4096, bytes(4096), IMAGES["sample/0x10000.bin"], FRESH_2021[4:], FRESH_2021[:50]],
    ids=["empty", "erased", "zeros", "code", "shifted", "cut"],
)
def test_what_is_no_page(data: bytes) -> None:
    assert nodemcu_page.page_at(data, 0) is None


def test_type_without_a_name_is_shown_by_number() -> None:
    assert nodemcu_page.Entry(99, 0, 0).name == "type 99"


def test_real_first_release_has_the_signature() -> None:
    start = real("nodemcu/heikomat-firmware-lfs.bin")[0x10000:0x10010]

    assert start == struct.pack("<BBHIII", 24, 1, 0, 101, 0, 0xB000)


def test_real_table() -> None:
    page = nodemcu_page.page_at(real("nodemcu/heikomat-firmware-lfs.bin"), 0x10000)

    assert page is not None
    assert page.table is not None
    assert [(e.name, e.address) for e in page.table.entries[:4]] == [
        ("EAGLEROM", 0),
        ("RF cal", 0xB000),
        ("init data", 0xC000),
        ("system parameters", 0xD000),
    ]
