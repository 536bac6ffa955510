"""A dump for every generation of firmware, fixtures/generations.py: what stands where, and its state."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest

from fixtures import dumps
from imgtool.engine.documents import description_fields
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES, holes, said, spans

if TYPE_CHECKING:
    from imgtool.operations.inspect.describe import Description
    from imgtool.operations.inspect.flash_state import FlashState

LOADER = [("bootloader", 0)]
SLOT_1 = [("image-v2", 0x1000), ("irom", 0x1010), ("image-v1", 0x16A10), ("crc-tail", 0x1FFC0)]
SLOT_2 = [("image-v2", 0x81000), ("irom", 0x81010), ("image-v1", 0x96A10), ("crc-tail", 0x9FFC0)]
PAIR = [("image-v1", 0), ("irom", 0x10000)]
FIVE_512K = [("rf-cal", 0x7B000), ("init-data", 0x7C000), ("system-param", 0x7D000)]
FOUR_512K = [("unknown", 0x7B000), ("init-data", 0x7C000), ("system-param", 0x7D000)]
FIVE_1M = [("rf-cal", 0xFB000), ("init-data", 0xFC000), ("system-param", 0xFD000)]
ARDUINO_1M = [("user-data", 0xFB000), ("rf-cal", 0xFC000), ("system-param", 0xFD000)]
FIRST = [("rf-cal", 0xB000), ("init-data", 0xC000), ("system-param", 0xD000)]


class Expected(NamedTuple):
    """What a dump is: parts, the slot that starts and how sure that is, and a word for each topic."""

    parts: list[tuple[str, int]]
    starts: tuple[str, int, str]
    lfs: str | None
    init_data: str | None
    rf_cal: str | None
    params: str | None


ONE = ("firmware", 0, "known")
SDK = ("v05", "plausible", "present")

GENERATIONS = {
    "nodemcu-0.9.5": Expected([*PAIR, *FOUR_512K], ONE, None, "SDK 0.9", "none", "present"),
    "nodemcu-1.5.1": Expected([*PAIR, *FOUR_512K], ONE, None, "SDK 1.2", "none", "present"),
    "nodemcu-0.9.5-files": Expected(
        [*PAIR, ("spiffs", 0x2C000), *FOUR_512K[1:]], ONE, None, "SDK 0.9", "none", "present"
    ),
    "nodemcu-1.5.1-files": Expected(
        [*PAIR, ("spiffs", 0x30000), *FOUR_512K[1:]], ONE, None, "SDK 1.2", "none", "present"
    ),
    "nodemcu-1.5.4.1-20160802": Expected(PAIR, ONE, None, "blank", "blank", "blank"),
    "nodemcu-1.5.4.1-20161201": Expected([*PAIR, *FIVE_512K], ONE, None, *SDK),
    "nodemcu-2.0": Expected([*PAIR, *FIVE_512K], ONE, None, *SDK),
    "nodemcu-2.1": Expected([*PAIR, *FIVE_512K], ONE, "none", *SDK),
    "nodemcu-2.2-lfs": Expected([*PAIR, ("lfs", 0x2E000), *FIVE_512K], ONE, "present", *SDK),
    "nodemcu-2.2-lfs-empty": Expected([*PAIR, *FIVE_512K], ONE, "empty", *SDK),
    "nodemcu-3-first": Expected(
        [
            ("image-v1", 0),
            *FIRST,
            ("partition-table", 0x10000),
            ("irom", 0x11000),
            ("lfs", 0x2C000),
            ("spiffs", 0x3C000),
        ],
        ONE,
        "present",
        *SDK,
    ),
    "nodemcu-3-current": Expected(
        [
            ("image-v1", 0),
            ("rf-cal", 0xD000),
            ("init-data", 0xF000),
            ("partition-table", 0x10000),
            ("irom", 0x11000),
            ("lfs", 0x2E000),
            ("spiffs", 0x3E000),
            ("system-param", 0xFD000),
        ],
        ONE,
        "present",
        *SDK,
    ),
    "espressif-sdk-3": Expected(
        [*LOADER, *SLOT_1, *SLOT_2, *FIVE_1M],
        ("user1", 0x1000, "known"),
        None,
        "v08",
        "plausible",
        "present",
    ),
    "espressif-sdk-3-user2": Expected(
        [*LOADER, *SLOT_1, *SLOT_2, *FIVE_1M],
        ("user2", 0x81000, "known"),
        None,
        "v08",
        "plausible",
        "present",
    ),
    "rtos-1": Expected([*LOADER, *SLOT_1, *FIVE_1M], ("user1", 0x1000, "known"), None, *SDK),
    "tuya": Expected(
        [*LOADER, *SLOT_1, ("user-data", 0xFB000), *FIVE_1M[1:]],
        ("user1", 0x1000, "known"),
        None,
        "like v08",
        "blank",
        "present",
    ),
    "arduino-sdk-2": Expected(
        [*LOADER, ("length-crc-words", 0xFF8), ("app", 0x1000), *ARDUINO_1M],
        ("sketch", 0x1000, "known"),
        None,
        None,
        "plausible",
        "present",
    ),
    "arduino-sdk-3": Expected(
        [
            *LOADER,
            ("app", 0x1000),
            ("length-crc-words", 0x1010),
            ("app", 0x1018),
            ("bootloader", 0x40000),
            ("app", 0x41000),
            ("length-crc-words", 0x41010),
            ("app", 0x41018),
            *ARDUINO_1M,
        ],
        ("sketch", 0x1000, "known"),
        None,
        None,
        "plausible",
        "present",
    ),
    "rtos-3": Expected(
        [
            *LOADER,
            ("partition-table", 0x8000),
            ("user-data", 0x9000),
            ("user-data", 0xD000),
            ("user-data", 0xF000),
            ("app", 0x10000),
            ("sha256-tail", 0x1A830),
            ("app", 0x80000),
            ("sha256-tail", 0x8A830),
        ],
        ("ota_1", 0x80000, "known"),
        None,
        None,
        None,
        None,
    ),
    "shelly": Expected(
        [
            *LOADER,
            ("rboot-config", 0x1000),
            ("image-v2", 0x8000),
            ("irom", 0x8010),
            ("image-v1", 0x10010),
            *FIVE_1M,
        ],
        ("ROM 0", 0x8000, "known"),
        None,
        *SDK,
    ),
    "micropython": Expected(
        [
            ("image-v1", 0),
            ("length-crc-words", 0x8FFC),
            ("irom", 0x9000),
            ("md5-tail", 0x150FC),
            ("littlefs", 0x98000),
            *FIVE_1M,
        ],
        ONE,
        None,
        *SDK,
    ),
}
# Images, which no chip has run.
MERGED = {
    "nodemcu-3-with-lfs": [("lfs", 0x2E000)],
    "nodemcu-3-with-files": [("lfs", 0x2E000), ("spiffs", 0x3E000)],
    "nodemcu-3-resolved-with-lfs": [("lfs", 0x2E000)],
}


def data_of(name: str) -> bytes:
    return IMAGES[f"generations/{name}.bin"]


@cache
def described(name: str) -> Description:
    return describe(data_of(name))


def state_of(name: str) -> FlashState:
    state = described(name).state
    assert state is not None
    return state


def kept(description: Description, data: bytes) -> list[tuple[str, int]]:
    """The parts that hold something; a reserved sector that is erased holds nothing."""
    return [
        (kind, start)
        for kind, start, end in spans(description.parts)
        if kind not in ("blank", "gap") and data.count(0xFF, start, end) != end - start
    ]


def test_every_generation_is_looked_at() -> None:
    names = {name for name in IMAGES if name.startswith("generations/")}

    assert {f"generations/{name}.bin" for name in (*GENERATIONS, *MERGED)} == names


@pytest.mark.parametrize("name", GENERATIONS)
def test_parts(name: str) -> None:
    description = described(name)

    assert (description.kind, holes(description)) == ("flash-dump", [])
    assert kept(description, data_of(name)) == GENERATIONS[name].parts


@pytest.mark.parametrize("name", GENERATIONS)
def test_slot_that_starts(name: str) -> None:
    active = state_of(name).active_slot

    assert active is not None
    assert (active.name, active.offset, active.certainty) == GENERATIONS[name].starts
    assert [slot.state for slot in active.slots if slot.offset == active.offset] == ["whole"]


@pytest.mark.parametrize("name", GENERATIONS)
def test_states(name: str) -> None:
    state, expected = state_of(name), GENERATIONS[name]
    init = state.init_data
    words = None
    if init is not None:
        words = init.set or (f"like {init.nearest}" if init.nearest else init.state)

    assert words == expected.init_data
    assert (
        state.lfs and state.lfs.state,
        state.rf_cal and state.rf_cal.state,
        state.system_param and state.system_param.state,
    ) == (expected.lfs, expected.rf_cal, expected.params)


@pytest.mark.parametrize("name", [name for name in GENERATIONS if name != "nodemcu-1.5.4.1-20160802"])
def test_a_device_in_use_gives_no_warning(name: str) -> None:
    assert said(described(name).findings, "warning", "error") == []


def test_an_erased_chip_on_which_the_first_1_5_4_1_does_not_start() -> None:
    assert said(described("nodemcu-1.5.4.1-20160802").findings, "warning") == ["init-data-missing"]


@pytest.mark.parametrize("name", ["nodemcu-2.2-lfs", "nodemcu-3-first", "nodemcu-3-current"])
def test_lfs_image_in_place(name: str) -> None:
    lfs = state_of(name).lfs

    assert lfs is not None
    assert (lfs.used, lfs.lua, lfs.packed, lfs.fits_place) == (4812, "5.1", True, True)
    assert lfs.region_size == (None if name == "nodemcu-2.2-lfs" else 0x10000)


def test_numbers_of_lfs_and_firmware() -> None:
    found = {name: state_of(name).lfs for name in ("nodemcu-3-first", "nodemcu-3-current")}

    assert [lfs and (lfs.number_type, lfs.fits_firmware) for lfs in found.values()] == [
        ("float", True),
        ("integer", True),
    ]


def test_edits_of_a_vendor_by_name() -> None:
    init = state_of("tuya").init_data

    assert init is not None
    assert [(each.field, each.expected, each.found) for each in init.deviations] == [
        ("revision", "8", "0"),
        ("freq_correct_en", "0", "3"),
    ]


def test_the_copy_that_is_not_in_force_may_be_older() -> None:
    params = state_of("espressif-sdk-3-user2").system_param

    assert params is not None
    assert (params.live, params.mirrored, params.network_stored) == (1, False, True)


def test_staged_update() -> None:
    active = {name: state_of(name).active_slot for name in ("arduino-sdk-2", "arduino-sdk-3")}

    assert [each and each.staged for each in active.values()] == [None, 0x40000]


@pytest.mark.parametrize("name", MERGED)
def test_what_is_merged_behind_irom(name: str) -> None:
    description = described(name)
    behind = [(kind, start) for kind, start in kept(description, data_of(name)) if start >= 0x2E000]

    assert (description.kind, holes(description), behind) == ("aggregated", [], MERGED[name])
    assert said(description.findings, "warning", "error") == []
    lfs = state_of(name).lfs
    assert lfs is not None
    assert (lfs.state, lfs.fits_place, lfs.region_size) == ("present", True, 0x10000)


@pytest.mark.parametrize("name", [*GENERATIONS, *MERGED])
def test_no_secret_in_json(name: str) -> None:
    text = json.dumps(description_fields("dump.bin", described(name)))

    assert [secret for secret in dumps.SECRETS if secret in text or secret.encode().hex() in text] == []
