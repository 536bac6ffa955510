from __future__ import annotations

import hashlib

import pytest
from hypothesis import given

from imgtool.errors import FormatError
from imgtool.formats.reading import FileKind, Reading
from imgtool.formats.regions import init_data
from imgtool.formats.regions.init_data import FIELDS, SETS, InitData
from tests.strategies import INIT_DATA
from tests.support import IMAGES, said

V05 = IMAGES["init-data/v05.bin"]
BY_NAME = {field.name: field for field in FIELDS}


def read(data: bytes) -> Reading:
    reading = init_data.read(data)
    assert reading is not None
    return reading


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("v05", "b5e9562bfdf62840f5ca0eacc58809cd"),
        ("v08", "95659619c2cd734463c6604736a564f8"),
        ("SDK 0.9", "f125fb325cdb9994cb526071d829ef16"),
        ("SDK 1.2", "602f93038d56c7bbaa7b51cd3e3ccac7"),
        ("libphy", "69db90b38a8f97f676c68475828c4b90"),
    ],
)
def test_published_sets(name: str, digest: str) -> None:
    assert hashlib.md5(SETS[name], usedforsecurity=False).hexdigest() == digest


def test_fields_cover_every_byte_once() -> None:
    position = 0
    for field in FIELDS:
        assert field.offset == position
        position += len(field.default)
    assert position == 128


def test_field_names_are_unique() -> None:
    assert len(BY_NAME) == len(FIELDS)


# Offsets and v05 values of the documented names, flash-layouts facts B2.
@pytest.mark.parametrize(
    ("name", "offset", "value"),
    [
        ("spur_freq_cfg", 26, 225),
        ("spur_freq_cfg_div", 27, 10),
        ("target_power_qdb_0", 34, 0x52),
        ("target_power_qdb_5", 39, 0x38),
        ("target_power_index_mcs0", 40, 0),
        ("target_power_index_mcs7", 47, 5),
        ("crystal_26m_en", 48, 1),
        ("sdio_configure", 50, 0),
        ("share_xtal", 55, 0),
        ("low_power_en", 93, 0),
        ("pwr_ind_11b_1", 98, 0),
        ("vdd33_const", 107, 0),
        ("cal_skip_count", 108, 0),
        ("freq_correct_en", 112, 0),
        ("force_freq_offset", 113, 0),
        ("rf_cal_use_flash", 114, 1),
    ],
)
def test_field_table(name: str, offset: int, value: int) -> None:
    assert (BY_NAME[name].offset, InitData.of_set("v05").values[name]) == (offset, value)


@pytest.mark.parametrize(
    ("name", "set_name"),
    [("v05", "v05"), ("v08", "v08"), ("g0", "SDK 0.9"), ("g1", "SDK 1.2"), ("sector", "v05")],
)
def test_sets_are_named(name: str, set_name: str) -> None:
    assert InitData.parse(IMAGES[f"init-data/{name}.bin"]).set_name == set_name


@pytest.mark.parametrize("name", ["v05", "v08", "g0", "g1", "sector"])
def test_published_files_are_init_data_without_a_finding(name: str) -> None:
    reading = read(IMAGES[f"init-data/{name}.bin"])

    assert (reading.kind, reading.findings) == (FileKind.INIT_DATA, ())


def test_wrong_marker_is_an_error() -> None:
    assert said(read(IMAGES["init-data/bad-marker.bin"]).findings, "error") == ["init-data-version"]


@pytest.mark.parametrize(
    ("offset", "value"), [(1, 0x07), (34, 0x53), (40, 6), (48, 3), (107, 17), (112, 2), (114, 4)]
)
def test_values_without_a_meaning_are_warnings(offset: int, value: int) -> None:
    data = V05[:offset] + bytes([value]) + V05[offset + 1 :]

    assert said(read(data).findings, "error", "warning") == ["init-data-value"]


def test_changed_reserved_bytes_are_a_warning() -> None:
    data = V05[:17] + b"\x00" + V05[18:]

    assert said(read(data).findings, "error", "warning") == ["init-data-reserved"]


@given(INIT_DATA)
def test_round_trip(init: InitData) -> None:
    assert InitData.parse(init.build()) == init


@pytest.mark.parametrize(
    ("name", "text", "byte"),
    [
        ("target_power_qdb_0", "20.5", 0x52),
        ("target_power_qdb_0", "20.5dBm", 0x52),
        ("target_power_qdb_0", " 20.5 dbm ", 0x52),
        ("target_power_qdb_0", "0", 0),
        ("target_power_qdb_0", "0x40", 0x40),
        ("target_power_index_mcs3", "5", 5),
        ("crystal_26m_en", "40MHz", 0),
        ("crystal_26m_en", "26mhz", 1),
        ("crystal_26m_en", "2", 2),
        ("vdd33_const", "33", 33),
        ("vdd33_const", "255", 255),
        ("force_freq_offset", "-8kHz", 0xFF),
        ("force_freq_offset", "1016", 0x7F),
        ("force_freq_offset", "0x80", 0x80),
        ("lp_bb_att_ext", "6 dB", 24),
        ("cal_skip_count", "200", 200),
        ("freq_correct_en", "7", 7),
    ],
)
def test_set_a_field(name: str, text: str, byte: int) -> None:
    block = InitData.of_set("v05").replace({name: text}).build()

    offset = BY_NAME[name].offset
    assert block == V05[:offset] + bytes([byte]) + V05[offset + 1 :]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("target_power_qdb_0", "20.6"),
        ("target_power_qdb_0", "20.75"),
        ("target_power_qdb_0", "-1"),
        ("target_power_qdb_0", "loud"),
        ("target_power_qdb_0", ""),
        ("target_power_qdb_0", "nan"),
        ("target_power_qdb_0", "inf"),
        ("target_power_qdb_0", "1e9999999"),
        ("target_power_qdb_0", "0x100"),
        ("target_power_qdb_0", "0x-1"),
        ("crystal_26m_en", "27MHz"),
        ("crystal_26m_en", "3"),
        ("vdd33_const", "17"),
        ("force_freq_offset", "1024"),
        ("force_freq_offset", "4"),
        ("cal_skip_count", "256"),
        ("freq_correct_en", "2"),
    ],
)
def test_values_that_a_field_cannot_have(name: str, text: str) -> None:
    with pytest.raises(FormatError) as caught:
        InitData.of_set("v05").replace({name: text})

    assert (name in caught.value.message, caught.value.found) == (True, text)


@pytest.mark.parametrize("name", ["", "version", "reserved_2", "unused_49", "nonsense", "TARGET_POWER_QDB_0"])
def test_what_is_no_field_to_set(name: str) -> None:
    with pytest.raises(FormatError, match="no field"):
        InitData.of_set("v05").replace({name: "0"})


@pytest.mark.parametrize("field", [f for f in FIELDS if f.settable], ids=lambda field: field.name)
def test_default_is_a_value_the_field_can_have(field: init_data.Field) -> None:
    raw = int.from_bytes(field.default, "big", signed=field.signed)

    assert field.raw_of(field.show(raw)) == raw


@pytest.mark.parametrize("field", [f for f in FIELDS if f.settable], ids=lambda field: field.name)
def test_every_field_that_can_be_set_says_what_it_means(field: init_data.Field) -> None:
    assert field.meaning


@pytest.mark.parametrize(
    "data",
    [b"", V05[:127], bytes(128), b"\xff" * 128, V05.ljust(4097, b"\xff"), V05 + b"x"],
    ids=["empty", "short", "zeros", "erased", "too-long", "followed"],
)
def test_what_is_no_init_data(data: bytes) -> None:
    assert init_data.read(data) is None


def test_parse_says_how_much_is_missing() -> None:
    with pytest.raises(FormatError) as caught:
        InitData.parse(V05[:100])

    assert (caught.value.expected, caught.value.found) == ("128 bytes", "100 bytes")


def test_changed_fields_are_named_in_the_part() -> None:
    block = InitData.of_set("v05").replace({"crystal_26m_en": "40MHz"}).build()

    assert read(block).parts[0].note == "v05 but for crystal_26m_en 40mhz"


@pytest.mark.parametrize(
    ("changes", "nearest"),
    [
        ({112: 3, 1: 0}, "v08"),  # as Tuya has it: the levels of v08
        ({36: 0x52, 37: 0x4C}, "v08"),  # as far from v05, by the levels and the revision
        ({34: 0x40, 35: 0x40, 36: 0x40, 37: 0x40, 38: 0x38}, "v08"),
    ],
)
def test_nearest_set_of_edited_v08(changes: dict[int, int], nearest: str) -> None:
    block = bytearray(init_data.SETS["v08"])
    for offset, value in changes.items():
        block[offset] = value
    assert init_data.nearest_set(bytes(block)) == nearest


def test_the_revision_decides_where_the_levels_are_equally_near() -> None:
    block = bytearray(init_data.SETS["v05"])
    block[1] = init_data.SETS["v08"][1]
    block[34:36] = init_data.SETS["v08"][34:36]
    assert init_data.nearest_set(bytes(block)) == "v08"
