"""States of a flash: slots, LFS, the SDK's sectors; cut and long dumps; noise, which never passes for any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fixtures import blocks, dumps, firmwares, generations
from imgtool.formats.images.version1 import patch_header
from imgtool.operations.inspect.describe import describe
from imgtool.operations.inspect.sdk_sectors import stored_networks
from tests.strategies import NO_SHRINKING
from tests.support import IMAGES, aggregate, flipped, holes, said, spans

if TYPE_CHECKING:
    from imgtool.operations.inspect.describe import Description
    from imgtool.operations.inspect.flash_slots import ActiveSlot
    from imgtool.operations.inspect.flash_state import FlashState
    from imgtool.operations.inspect.sdk_sectors import InitDataState, RfCalState, SystemParamState

KB, MB, SECTOR = 1 << 10, 1 << 20, 0x1000
SAMPLE = aggregate("sample")
V05, V08 = IMAGES["init-data/v05.bin"], IMAGES["init-data/v08.bin"]
NOISE: bytes = blocks.stream("flash-state", SECTOR)
CODE = SAMPLE[0x11000:0x12000]
TEXT = b'{"key": "value", "list": [1, 2, 3], "name": "a device"}\n' * 20
RF_CAL, INIT, PARAMS, COPY_2, FLAGS = (MB - n * SECTOR for n in (5, 4, 3, 2, 1))
TWO_SLOTS = IMAGES["generations/espressif-sdk-3.bin"]
RTOS_3 = IMAGES["generations/rtos-3.bin"]
RBOOT = IMAGES["generations/shelly.bin"]
CURRENT_3 = IMAGES["generations/nodemcu-3-current.bin"]
SIZES = {
    "512KB": (0, 512 * KB),
    "2MB": (3, 2 * MB),
    "4MB": (4, 4 * MB),
    "8MB": (8, 8 * MB),
    "16MB": (9, 16 * MB),
}


def put(data: bytes, contents: dict[int, bytes]) -> bytes:
    """A copy with other contents, the rest of each last sector erased."""
    changed = bytearray(data)
    for offset, block in contents.items():
        padded = block.ljust(-(-len(block) // SECTOR) * SECTOR or SECTOR, b"\xff")
        changed[offset : offset + len(padded)] = padded
    return bytes(changed)


BASE = dumps.flash(MB, {0: SAMPLE} | generations.five_sectors(MB, 1))


def state_of(data: bytes) -> FlashState:
    state = describe(data).state
    assert state is not None
    return state


def slot_of(data: bytes) -> ActiveSlot:
    active = state_of(data).active_slot
    assert active is not None
    return active


# --- RF cal --------------------------------------------------------------------------------------


def rf_cal_of(content: bytes) -> RfCalState:
    state = state_of(put(BASE, {RF_CAL: content})).rf_cal
    assert state is not None
    return state


@pytest.mark.parametrize(
    ("content", "state", "foreign"),
    [
        (b"", "blank", None),
        (bytes(SECTOR), "zeros", None),
        (dumps.CALIBRATION, "plausible", None),
        (NOISE[:500], "unfamiliar", None),
        (TEXT, "foreign", "text"),
        (V05, "foreign", "init data"),
        (CODE, "foreign", "code"),
        (NOISE, "foreign", "compressed or encrypted (7.9 bits a byte)"),
        (b"\x1f\x8b\x08" + NOISE[:900], "foreign", "gzip data"),
    ],
    ids=["blank", "zeros", "calibration", "short", "text", "init-data", "code", "noise", "gzip"],
)
def test_rf_cal(content: bytes, state: str, foreign: str | None) -> None:
    found = rf_cal_of(content)

    assert (found.state, found.foreign, found.offset) == (state, foreign, RF_CAL)


# --- init data -----------------------------------------------------------------------------------


def init_of(content: bytes) -> InitDataState:
    state = state_of(put(BASE, {INIT: content})).init_data
    assert state is not None
    return state


@pytest.mark.parametrize(
    ("content", "state", "nearest"),
    [
        (V05, "present", "v05"),
        (V08, "present", "v08"),
        (b"", "blank", None),
        (bytes(SECTOR), "zeros", None),
        (TEXT, "foreign", None),
        (IMAGES["init-data/bad-marker.bin"], "damaged", "v05"),
    ],
    ids=["v05", "v08", "blank", "zeros", "text", "bad-marker"],
)
def test_init_data(content: bytes, state: str, nearest: str | None) -> None:
    found = init_of(content)

    assert (found.state, found.nearest) == (state, nearest)


def test_deviations_have_names_and_units() -> None:
    found = init_of(flipped(flipped(V05, 34, 0x52 ^ 0x44), 113, 0xFE))

    assert [(each.field, each.offset, each.expected, each.found) for each in found.deviations] == [
        ("target_power_qdb_0", 34, "20.50 dBm", "17.00 dBm"),
        ("force_freq_offset", 113, "0 kHz", "-16 kHz"),
    ]


# --- system parameters ---------------------------------------------------------------------------


def params_of(contents: dict[int, bytes], base: bytes = BASE) -> SystemParamState:
    state = state_of(put(base, contents)).system_param
    assert state is not None
    return state


COPY = generations.parameters(MB, 1)[PARAMS]
OTHER = COPY[:300]
SECOND = b"\1" + dumps.FLAGS[1:]


@pytest.mark.parametrize(
    ("contents", "state", "live", "mirrored", "stored"),
    [
        ({}, "present", 0, True, True),
        ({PARAMS: b"", COPY_2: b"", FLAGS: b""}, "blank", None, None, False),
        ({PARAMS: bytes(SECTOR), FLAGS: b""} | {COPY_2: b""}, "blank", None, False, False),
        ({FLAGS: b""}, "present", 1, True, True),
        ({COPY_2: OTHER}, "present", 0, False, True),
        ({COPY_2: OTHER, FLAGS: b""}, "present", 1, False, True),
        ({COPY_2: OTHER, FLAGS: NOISE}, "corrupt", None, False, True),
        ({PARAMS: b""}, "corrupt", 0, False, True),
        ({PARAMS: b"", FLAGS: SECOND}, "present", 1, False, True),
        ({COPY_2: TEXT, FLAGS: SECOND}, "corrupt", 1, False, True),
        ({PARAMS: TEXT, COPY_2: TEXT}, "foreign", 0, True, None),
        ({PARAMS: NOISE, COPY_2: NOISE, FLAGS: NOISE}, "foreign", None, True, None),
        ({PARAMS: CODE, COPY_2: CODE, FLAGS: b""}, "foreign", 1, True, None),
    ],
)
def test_system_parameters(
    contents: dict[int, bytes], state: str, live: int | None, mirrored: bool | None, stored: bool | None
) -> None:
    found = params_of(contents)

    if state == "blank":
        mirrored = found.mirrored
    assert (found.state, found.live, found.mirrored) == (state, live, mirrored)
    if state != "corrupt":
        assert found.network_stored == stored


def test_corrupt_parameters_are_a_warning() -> None:
    assert said(describe(put(BASE, {PARAMS: b""})).findings, "warning") == ["system-param-corrupt"]


def test_parameters_without_a_network() -> None:
    found = params_of({PARAMS: COPY[:12] + bytes(100), COPY_2: COPY[:12] + bytes(100)})

    assert (found.state, found.network_stored) == ("present", False)


def test_networks_for_who_asks() -> None:
    found = stored_networks(BASE, params_of({}))

    assert [(each.offset, each.ssid, each.password) for each in found] == [
        (PARAMS, dumps.SSID, dumps.PASSWORD)
    ]


# --- which slot starts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contents", "name", "certainty"),
    [
        ({}, "user1", "known"),
        ({PARAMS: b"", COPY_2: b"", FLAGS: b""}, "user1", "known"),
        ({PARAMS: NOISE, COPY_2: NOISE, FLAGS: NOISE}, "user1", "known"),  # of another version: as fresh
        ({0x5000: NOISE}, "user1", "known"),  # the loader does not look at the code in flash
        ({0x1000: NOISE}, "user2", "known"),
        ({0x81000: NOISE, 0x1000: NOISE}, None, "known"),
    ],
    ids=["parameters", "blank", "noise", "user1-damaged", "no-user1", "none"],
)
def test_espressifs_boot_loader(contents: dict[int, bytes], name: str | None, certainty: str) -> None:
    active = slot_of(put(TWO_SLOTS, contents))

    assert (active.scheme, active.name, active.certainty) == ("espressif", name, certainty)


@pytest.mark.parametrize(
    ("first", "version", "name"),
    [
        (0xFC, 6, "user1"),
        (0xFD, 6, "user2"),
        (0xF8, 6, "user2"),
        (0xF9, 6, "user1"),
        (0xF8, 4, "user1"),
        (0x5C, 6, "user1"),
        (0xFE, 6, None),
    ],
)
def test_fields_of_the_boot_loader(first: int, version: int, name: str | None) -> None:
    copy = bytes([first, 0xE0 | version]) + COPY[2:]

    assert slot_of(put(TWO_SLOTS, {PARAMS: copy, COPY_2: copy})).name == name


@pytest.mark.parametrize(
    ("contents", "name", "certainty"),
    [
        ({}, "ota_1", "known"),
        ({0xE000: b""}, "ota_0", "known"),
        ({0xD000: b"", 0xE000: b""}, "ota_0", "known"),
        ({0xE000: firmwares.ota_entry(7)}, "ota_0", "known"),
        ({0xE000: flipped(firmwares.ota_entry(2), 0)}, "ota_0", "known"),
        ({0xD000: NOISE, 0xE000: NOISE}, "ota_0", "known"),
    ],
    ids=["second", "first", "never", "seventh", "wrong-crc", "noise"],
)
def test_otadata(contents: dict[int, bytes], name: str | None, certainty: str) -> None:
    active = slot_of(put(RTOS_3, contents))

    assert (active.scheme, active.name, active.certainty) == ("otadata", name, certainty)


def config(mode: int, current: int, *roms: int) -> bytes:
    body = bytearray(firmwares.rboot_config(*roms, current=current))
    body[2] = mode
    return bytes(body)


@pytest.mark.parametrize(
    ("content", "name", "certainty"),
    [
        (config(0, 0, 0x8000), "ROM 0", "known"),
        (config(1, 0, 0x8000, 0x82000), "ROM 0", "likely"),
        (config(2, 0, 0x8000, 0x82000), "ROM 0", "likely"),
        (config(0, 1, 0x8000, 0x82000), "ROM 0", "known"),
        (config(0, 3, 0x8000), "ROM 0", "known"),
    ],
    ids=["standard", "pin", "once", "empty", "invalid"],
)
def test_rboot(content: bytes, name: str | None, certainty: str) -> None:
    active = slot_of(put(RBOOT, {0x1000: content}))

    assert (active.scheme, active.name, active.certainty) == ("rboot", name, certainty)


# --- LFS -----------------------------------------------------------------------------------------

LFS = 0x2E000


@pytest.mark.parametrize(
    ("content", "state", "fits"),
    [
        (generations.integer_lfs_at(LFS), "present", True),
        (generations.integer_lfs_at(0x98000), "present", False),
        (b"\xff" * 0x2000, "empty", None),
        (bytes(0x2000), "empty", None),
        (NOISE * 2, "foreign", None),
        (bytes([0x5F]) + generations.integer_lfs_at(LFS)[1:], "interrupted", True),
    ],
    ids=["in-place", "elsewhere", "erased", "zeros", "noise", "unfinished"],
)
def test_lfs(content: bytes, state: str, fits: bool | None) -> None:
    lfs = state_of(put(CURRENT_3, {LFS: content})).lfs

    assert lfs is not None
    assert (lfs.state, lfs.fits_place, lfs.region_size) == (state, fits, 0x10000)


def test_lfs_for_another_place_is_a_warning() -> None:
    assert said(describe(put(CURRENT_3, {LFS: generations.integer_lfs_at(0x98000)})).findings, "warning") == [
        "lfs-address"
    ]


def test_lfs_of_lua_5_3() -> None:
    image = blocks.words(0xFAFAA250, 0x400) + blocks.stream("lua-5.3", 0x3F8)
    lfs = state_of(put(CURRENT_3, {LFS: image})).lfs

    assert lfs is not None
    assert (lfs.state, lfs.lua, lfs.used, lfs.number_type) == ("present", "5.3", 0x400, None)


# --- lengths -------------------------------------------------------------------------------------


def sized(name: str) -> bytes:
    """A whole flash of a size, with the SDK's sectors before its end."""
    code, size = SIZES[name]
    data = dumps.flash(size, {0: SAMPLE} | generations.five_sectors(size, 1))
    return patch_header(data, size=code)


def cut_kinds(description: Description) -> list[tuple[str, int]]:
    return [(kind, start) for kind, start, _ in spans(description.parts) if kind not in ("blank", "gap")]


@pytest.mark.parametrize("name", SIZES)
def test_any_size(name: str) -> None:
    end, state = SIZES[name][1], state_of(sized(name))

    assert state.rf_cal is not None
    assert state.init_data is not None
    assert state.system_param is not None
    assert (state.rf_cal.state, state.rf_cal.offset) == ("plausible", end - 5 * SECTOR)
    assert (state.init_data.set, state.system_param.state) == ("v05", "present")


@pytest.mark.parametrize("size", [MB, 3 * MB, 4 * MB - 0x10000, MB - SECTOR])
def test_a_cut_dump(size: int) -> None:
    description = describe(sized("4MB")[:size])

    assert (holes(description), description.ok) == ([], True)
    assert cut_kinds(description) == [("image-v1", 0), ("irom", 0x10000)]
    assert said(description.findings, "warning") == ["flash-size-differs" if size == MB else "cut-dump"]
    state = description.state
    assert state is not None
    assert state.system_param is not None
    assert (state.system_param.state, state.system_param.offset) == ("cut", 4 * MB - 3 * SECTOR)


def test_a_dump_without_its_last_sector() -> None:
    data = patch_header(BASE, size=2)[: MB - SECTOR]
    description = describe(data)

    assert cut_kinds(description)[-3:] == [("rf-cal", RF_CAL), ("init-data", INIT), ("system-param", PARAMS)]
    assert said(description.findings, "note")[-1:] == ["cut-dump"]
    assert said(description.findings, "warning") == []


def test_a_dump_of_a_larger_chip() -> None:
    description = describe(patch_header(BASE, size=2) + b"\xff" * (3 * MB))

    assert (holes(description), said(description.findings, "warning")) == ([], ["flash-size-differs"])
    state = description.state
    assert state is not None
    assert state.rf_cal is not None
    assert (state.rf_cal.state, state.rf_cal.offset) == ("plausible", RF_CAL)


def test_a_plain_image_has_no_state() -> None:
    assert [describe(data).state for data in (SAMPLE, aggregate("nodemcu-3.0-2021"))] == [None, None]


# --- laws ----------------------------------------------------------------------------------------

DEVICES = (
    "espressif-sdk-3",
    "nodemcu-3-current",
    "nodemcu-2.2-lfs",
    "rtos-3",
    "shelly",
    "arduino-sdk-3",
    "tuya",
)
PLACES = st.one_of(st.integers(0, 0x40), st.integers(0x7A, 0x90), st.integers(0xF8, 0xFF))


@settings(max_examples=30, phases=NO_SHRINKING)
@given(st.sampled_from(DEVICES), st.sets(PLACES, min_size=1, max_size=6))
@example("espressif-sdk-3", {0xFD, 0xFE, 0xFF})
def test_noise_is_never_taken_for_settings(device: str, sectors: set[int]) -> None:
    data = bytearray(IMAGES[f"generations/{device}.bin"])
    for number in sectors:
        if (number + 1) * SECTOR <= len(data):
            data[number * SECTOR : (number + 1) * SECTOR] = blocks.stream(f"noise/{number}", SECTOR)
    description = describe(bytes(data))

    assert holes(description) == []
    state = description.state
    if state is None:
        return
    system = state.system_param
    if system is not None and system.offset < len(data):
        noisy = {number * SECTOR for number in sectors}
        copies = [system.offset + n * SECTOR for n in range(2)]
        assert [system.copies[n] for n in range(2) if copies[n] in noisy] == ["foreign"] * len(
            noisy & {*copies}
        )
        assert not system.network_stored or not noisy.issuperset(copies)
    if state.rf_cal is not None and state.rf_cal.offset in {number * SECTOR for number in sectors}:
        assert state.rf_cal.state in ("foreign", "cut")


@settings(max_examples=30, phases=NO_SHRINKING)
@given(st.sampled_from(DEVICES), st.integers(1, 0xFF))
def test_a_dump_cut_anywhere_has_no_holes(device: str, sectors: int) -> None:
    assert holes(describe(IMAGES[f"generations/{device}.bin"][: sectors * SECTOR])) == []


def test_a_flash_from_which_nothing_starts_is_a_warning() -> None:
    found = describe(put(TWO_SLOTS, {0x1000: NOISE, 0x81000: NOISE}))

    assert "nothing-starts" in said(found.findings, "warning")
    assert "nothing-starts" not in said(describe(TWO_SLOTS).findings, "warning")


def test_eboot_without_a_sketch_starts_nothing() -> None:
    arduino = IMAGES["dumps/arduino-4m.bin"]
    active = slot_of(arduino[:0x1000] + b"\xff" * (len(arduino) - 0x1000))

    assert (active.name, active.nothing, slot_of(arduino).name) == (None, True, "sketch")


@pytest.mark.parametrize(("first", "rom"), [(b"", "ROM 1"), (NOISE[:1] * 32, "ROM 1")])
def test_rboot_goes_on_to_the_next_rom(first: bytes, rom: str) -> None:
    rom_0, config_of = 0x8000, config(0, 0, 0x8000, 0x82000)
    contents = {0x1000: config_of, rom_0: first.ljust(0x1000, b"\xff"), 0x82000: RBOOT[rom_0:0x48000]}
    active = slot_of(put(RBOOT, contents))

    assert (active.name, active.certainty) == (rom, "known")
