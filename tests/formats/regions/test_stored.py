"""What firmware keeps in sectors of its own: protected parameters, sysparam, NVS, JSON records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures import blocks, dumps
from imgtool.errors import FormatError
from imgtool.formats.part_facts import facts_of
from imgtool.formats.regions.json_record import JsonRecord
from imgtool.formats.regions.nvs import NvsPages
from imgtool.formats.regions.protected_param import Protection, params_at, starts_in
from imgtool.formats.regions.sysparam import StoredValue, SysparamRegion
from tests.stored import json_record, nvs_page, protected, short, sysparam

SECTOR = 0x1000
SETTINGS = b"settings of an application, of which nothing is known \x01\x02\x03" * 8
OTHER = b"older ones" * 30
CODE: bytes = blocks.stream("stored/noise", SECTOR)


# --- protected parameters ------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "live"), [(0, 0), (1, 1), (2, 1), (0xFF, 1)])
def test_any_first_byte_but_0_means_the_second_copy(first: int, live: int) -> None:
    flags = protected(SETTINGS, OTHER, live=first)[2 * SECTOR :]

    found = Protection.parse(flags)
    assert found is not None
    assert (found.live, found.writes) == (live, 7)


@pytest.mark.parametrize(
    ("data", "live", "right", "writes"),
    [
        (protected(SETTINGS, OTHER), 0, (True, True), 7),
        (protected(SETTINGS, OTHER, live=1, length=0x48C, writes=1234), 1, (True, True), 1234),
        (protected(SETTINGS), 0, (True, None), 7),
        (protected(SETTINGS, end=0xFFFFFFFF, length=0x1C), 0, (True, None), 7),
        (protected(SETTINGS, OTHER, sums=(0, 0x11)), 0, (False, False), 7),
        (short(SETTINGS), 0, (None, None), None),
        (short(OTHER, SETTINGS, live=1), 1, (None, None), None),
    ],
    ids=["both", "rtos", "first", "sdk-1", "wrong", "short", "short-second"],
)
def test_parameters_of_an_application(
    data: bytes, live: int, right: tuple[bool | None, bool | None], writes: int | None
) -> None:
    found = params_at(data, 0)

    assert found is not None
    assert (found.protection.live, found.right, found.protection.writes) == (live, right, writes)
    assert facts_of(found)["checksums"] == list(right)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 3 * SECTOR,
        bytes(3 * SECTOR),
        short(b""),
        short(SETTINGS, live=1),
        short(CODE[:3000], bytes(SECTOR)),
        short(b"\xe9\x03" + SETTINGS),
        short(b"\x1f\x8b\x08" + CODE[:900]),
        short(SETTINGS)[: 2 * SECTOR] + b"\0\0" + b"\xff" * (SECTOR - 2),
        protected(SETTINGS, OTHER, end=1),
        protected(SETTINGS, length=0x1001),
        CODE * 3,
    ],
    ids=[
        "erased",
        "zeros",
        "nothing",
        "live-erased",
        "zeros-beside",
        "image",
        "gzip",
        "two-bytes",
        "end-magic",
        "length",
        "noise",
    ],
)
def test_what_is_no_parameters(data: bytes) -> None:
    assert params_at(data, 0) is None
    assert [*starts_in(data, 0, len(data))] == []


def test_they_are_found_at_any_sector() -> None:
    data = b"\xff" * SECTOR + short(SETTINGS) + CODE + protected(SETTINGS, OTHER, live=1) + b"\xff" * SECTOR

    assert [*starts_in(data, 0, len(data))] == [SECTOR, 5 * SECTOR]
    assert [*starts_in(data, 0, 8 * SECTOR - 1)] == [SECTOR]


@given(st.binary(max_size=64))
def test_any_flags_are_read(data: bytes) -> None:
    found = Protection.parse(data.ljust(SECTOR, b"\xff"))

    assert found is None or found.live in (0, 1)
    assert Protection.parse(data) is None or len(data) >= 32


# --- sysparam ------------------------------------------------------------------------------------

VALUES = {"hostname": b"lamp", "wifi_password": b"hunter2hunter2", "count": b"\x01\x02\x03\x04"}


@pytest.mark.parametrize("step", [1, 4])
@pytest.mark.parametrize(("active", "second"), [(True, False), (False, True)])
def test_sysparam(step: int, active: bool, second: bool) -> None:
    region = SysparamRegion.parse(sysparam(VALUES, step=step, active=active, second=second))

    assert (region.sectors, region.active, region.second, region.damaged) == (2, active, second, False)
    assert region.values == tuple(StoredValue(name, len(value), False) for name, value in VALUES.items())
    assert "hunter2" not in repr(region) + repr(facts_of(region))


def test_sysparam_leaves_out_what_is_deleted_or_half_written() -> None:
    data = bytearray(sysparam({"old": b"1", "half": b"2", "new": b"3"}))
    for name, flags in ((b"old", 0x0001), (b"half", 0xC002)):
        at = data.index(name) - 4
        data[at : at + 2] = flags.to_bytes(2, "little")

    assert [each.name for each in SysparamRegion.parse(bytes(data)).values] == ["new"]


def test_sysparam_that_is_damaged() -> None:
    assert SysparamRegion.parse(sysparam(VALUES, more=b"\x07\xa0\xf0\xff")).damaged


def test_a_full_sysparam_region_is_whole() -> None:
    free = 2 * SECTOR - 8 - 8 - len(b"key")
    region = SysparamRegion.parse(sysparam({"key": bytes(free)}))

    assert (region.values, region.damaged) == ((StoredValue("key", free, False),), False)


@pytest.mark.parametrize("data", [b"EORp\0\x40\0\0", b"EOR", b"EORq\x02\x40\0\0".ljust(SECTOR, b"\xff")])
def test_no_sysparam(data: bytes) -> None:
    with pytest.raises(FormatError):
        SysparamRegion.parse(data)


@given(st.binary(max_size=300))
def test_any_sysparam_is_read(data: bytes) -> None:
    region = SysparamRegion.parse(b"EORp\x01\x40\0\0" + data)

    assert region.size == SECTOR


# --- records of JSON -----------------------------------------------------------------------------


def test_record() -> None:
    text = b'{"ssid":"SecretNetwork","token":"x1","n":[1,2]}'

    record = JsonRecord.parse(json_record(text).ljust(SECTOR, b"\xff"))
    assert record == JsonRecord(len(text), ("ssid", "token", "n"))
    assert dumps.SSID not in repr(facts_of(record))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * SECTOR,
        json_record(b'{"a":1}')[:-1],
        json_record(b'["a"]'),
        json_record(b'{"a":'),
        json_record(b'{"a":1}').replace(b"1", b"2"),
        json_record(b"{" * 4000),
    ],
    ids=["empty", "erased", "cut", "list", "half", "changed", "deep"],
)
def test_no_record(data: bytes) -> None:
    assert JsonRecord.parse(data) is None


# --- NVS ------------------------------------------------------------------------------------------

NETWORK: list[tuple[int, str, int | bytes]] = [
    (0, "nvs.net80211", 1),
    (1, "sta.ssid", b"SecretNetwork"),
    (1, "sta.chan", 6),
]
PAGE = nvs_page([*NETWORK, (0, "app", 2), (2, "starts", 3)])


@pytest.mark.parametrize(
    ("data", "pages", "namespaces", "values"),
    [
        (PAGE, 1, ("nvs.net80211", "app"), 3),
        (nvs_page([]), 1, (), 0),
        (PAGE + nvs_page([(1, "sta.pswd", b"x" * 64)], number=1), 2, ("nvs.net80211", "app"), 4),
        (nvs_page(NETWORK, state=0xFFFFFFFC) + b"\xff" * SECTOR + PAGE, 1, ("nvs.net80211",), 2),
        (nvs_page([(0, "a" * 15, 1)] + [(1, f"k{n}", n) for n in range(125)]), 1, ("a" * 15,), 125),
    ],
    ids=["one", "empty", "two", "an erased one behind", "full"],
)
def test_pages_of_nvs(data: bytes, pages: int, namespaces: tuple[str, ...], values: int) -> None:
    found = NvsPages.parse(data, 0, len(data))

    assert found is not None
    assert (found.pages, found.namespaces, found.values, found.size) == (
        pages,
        namespaces,
        values,
        pages * SECTOR,
    )
    assert facts_of(found) == {"pages": pages, "values": values, "namespaces": list(namespaces)}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * SECTOR,
        bytes(SECTOR),
        CODE,
        PAGE[:-1],
        nvs_page(NETWORK, state=0),
        nvs_page(NETWORK, state=0xFFFFFFF0),
        PAGE[:4] + b"\7" + PAGE[5:],
        b"\xfe\xff\xff\xff".ljust(SECTOR, b"\xff"),
    ],
    ids=[
        "empty",
        "erased",
        "zeros",
        "noise",
        "cut",
        "invalid",
        "corrupt",
        "wrong CRC",
        "nothing but a state",
    ],
)
def test_no_page_of_nvs(data: bytes) -> None:
    assert NvsPages.parse(data, 0, len(data)) is None


def test_entries_with_a_wrong_crc_do_not_count() -> None:
    damaged = bytearray(PAGE)
    damaged[64 + 32 + 10] ^= 1  # in the name of the second entry

    found = NvsPages.parse(bytes(damaged), 0, SECTOR)
    assert found is not None
    assert (found.namespaces, found.values) == (("nvs.net80211", "app"), 2)


def test_erased_entries_do_not_count() -> None:
    erased = bytearray(PAGE)
    erased[32] &= 0b1111_0011  # of the second entry, whose text then is none either
    found = NvsPages.parse(bytes(erased), 0, SECTOR)

    assert found is not None
    assert found.values == 2


@given(data=st.binary(max_size=200), at=st.integers(0, SECTOR - 200))
def test_a_damaged_page_of_nvs_is_read_or_none(data: bytes, at: int) -> None:
    found = NvsPages.parse(PAGE[:at] + data + PAGE[at + len(data) :], 0, SECTOR)

    assert found is None or found.pages == 1
