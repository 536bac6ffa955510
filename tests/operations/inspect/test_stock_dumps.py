"""Dumps of devices as they are sold, and of firmware with places of its own: what is where, and hidden."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from fixtures import blocks, dumps, firmwares, generations, nodemcu
from imgtool.engine.documents import description_fields
from imgtool.layout.stock import STOCK
from imgtool.operations.inspect.describe import describe
from tests.stored import json_record, mongoose_config, nvs_page, protected, short, sysparam
from tests.support import IMAGES, holes, real, said

if TYPE_CHECKING:
    from imgtool.formats.reading import Part
    from imgtool.operations.inspect.describe import Description

KB, MB, SECTOR = 1 << 10, 1 << 20, 0x1000
SECRET = b'{"devicekey":"swordfish-1234","ssid":"SecretNetwork","pwd":"hunter2hunter2"}'
HIDDEN = ("swordfish", "SecretNetwork", "hunter2")
NOISE: bytes = blocks.stream("stock", 0x5000)
USER1, USER2 = IMAGES["v2/user1.bin"], IMAGES["v2/user2.bin"]
LOADER = {0: dumps.boot_loader(IMAGES)}
FIVE = generations.five_sectors(MB, 1)
RBOOT = {0: dumps.sized(IMAGES["rboot/rboot.bin"], blocks.SIZE_1MB)}
ROM = IMAGES["v2/no-tail.bin"]


def marked(mark: bytes) -> bytes:
    """A user image with a mark in its irom, and the CRC that belongs to it."""
    body = USER1[:0x8000] + mark + USER1[0x8000 + len(mark) : -4]
    return body + blocks.words(blocks.sdk_crc(body))


def rboot(config: bytes, contents: dict[int, bytes]) -> bytes:
    return dumps.flash(MB, RBOOT | {0x1000: config} | contents | FIVE)


def parts_of(description: Description, kind: str = "user-data") -> list[Part]:
    return [part for part in description.parts if part.kind == kind]


def places(description: Description, kind: str = "user-data") -> list[tuple[int, int]]:
    return [(part.offset, part.size) for part in parts_of(description, kind)]


class Stock(NamedTuple):
    """A dump, and what is to be told of it: places of user data, and words of the notes on those."""

    data: bytes
    user_data: list[tuple[int, int]]
    words: tuple[str, ...]


COOLKIT = dumps.flash(
    MB,
    LOADER
    | {
        0x1000: marked(b"/dispatch/device\0"),
        0x78000: short(SECRET * 4),
        0x7C000: short(b"\x01\x02", SECRET, live=1),
        0x7F000: b"-----BEGIN CERTIFICATE-----",
        0xF8000: NOISE[:4076],
    }
    | FIVE,
)
TUYA = dumps.flash(
    MB,
    LOADER
    | {
        0x1000: marked(b"tuya_mdev_test\0"),
        0x79000: dumps.CALIBRATION,
        0x7A000: json_record(SECRET),
        0x7B000: (b"0123456789abcdef" * 0x40 + NOISE[:0x400]) * 10,
        0xF9000: json_record(SECRET),
    }
    | FIVE
    | {0xFB000: SECRET},
)
TUYA = TUYA[:0xFD000] + protected(dumps.PARAMETERS, dumps.PARAMETERS, live=1, writes=1042)
CONFIG = firmwares.rboot_config(0x2000)
SETTINGS = {"wifi_ssid": b"SecretNetwork", "wifi_password": b"hunter2hunter2"}

STOCKS = {
    "CoolKit": Stock(
        COOLKIT,
        [(0x78000, 0x3000), (0x7C000, 0x3000), (0x7F000, SECTOR), (0xF8000, SECTOR)],
        ("identity and pairing", "second copy in force", "certificate of the server"),
    ),
    "HAA": Stock(
        rboot(
            CONFIG,
            {
                0x2000: ROM,
                0xF2000: NOISE[:300],
                0xF3000: sysparam(SETTINGS, sectors=4) + sysparam({}, sectors=4, second=True, active=False),
            },
        ),
        [(0xF2000, SECTOR), (0xF3000, 0x4000), (0xF7000, 0x4000)],
        ("HomeKit pairing (HAA)", "in force: wifi_ssid, wifi_password", "not in force: nothing is set"),
    ),
    "LCM": Stock(
        rboot(
            CONFIG,
            {0x2000: ROM, 0xF7000: sysparam(SETTINGS, sectors=1), 0xF9000: NOISE[:900], 0xFA000: NOISE[:800]},
        ),
        [(0xF7000, SECTOR), (0xF9000, SECTOR), (0xFA000, SECTOR)],
        ("settings (LCM)", "certificates, first sector"),
    ),
    "WiFi Repeater": Stock(
        rboot(CONFIG, {0x2000: ROM, 0x68000: bytes.fromhex("10c52d6e") + SECRET}),
        [(0x68000, SECTOR)],
        ("settings of the WiFi Repeater",),
    ),
    "esp-open-rtos": Stock(
        rboot(CONFIG, {0x2000: ROM, 0xF7000: sysparam(SETTINGS, step=4), 0xF9000: sysparam({}, second=True)}),
        [(0xF7000, 0x2000), (0xF9000, 0x2000)],
        ("settings of esp-open-rtos (sysparam), first region, in force: wifi_ssid, wifi_password",),
    ),
    "AT with its parameters": Stock(
        dumps.flash(MB, LOADER | {0x1000: USER1, 0x7D000: protected(b"VER6" + SECRET, length=0x60)} | FIVE),
        [(0x7D000, 0x3000)],
        ("protected parameters of the application, first copy in force", "checksum right, saved 7 times"),
    ),
    "512 KB with parameters": Stock(
        dumps.flash(
            512 * KB,
            {
                0: IMAGES["nonos-1.3/0x00000.bin"],
                0x3C000: short(SECRET),
                0x40000: IMAGES["nonos-1.3/0x40000.bin"],
            }
            | generations.four_sectors(512 * KB, nodemcu.G0),
        ),
        [(0x3C000, 0x3000)],
        ("protected parameters of the application, first copy in force",),
    ),
}


@pytest.mark.parametrize("name", STOCKS)
def test_what_a_maker_keeps_is_named(name: str) -> None:
    stock = STOCKS[name]
    found = describe(stock.data)

    assert (found.kind, holes(found), said(found.findings, "error")) == ("flash-dump", [], [])
    assert places(found) == stock.user_data
    notes = " | ".join(part.note for part in parts_of(found))
    assert [words for words in stock.words if words not in notes] == []
    assert [part.offset for part in parts_of(found) if "not shown" not in part.note] == []


@pytest.mark.parametrize("name", [*STOCKS, "Tuya"])
def test_no_secret_is_shown(name: str) -> None:
    data = TUYA if name == "Tuya" else STOCKS[name].data
    document = json.dumps(description_fields("dump.bin", describe(data)))

    assert [secret for secret in HIDDEN if secret in document] == []
    assert any(secret.encode() in data for secret in HIDDEN)


def test_every_row_of_a_maker_has_a_dump() -> None:
    assert [row.name for row in STOCK if row.name not in (*STOCKS, "Tuya")] == []


def test_the_page_has_every_place_of_every_row() -> None:
    page = (Path(__file__).parents[3] / "docs" / "formats" / "flash-dump.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    for place in (place for row in STOCK for place in row.places):
        start, end = f"0x{place.start:X}", f"0x{place.start + place.sectors * SECTOR - 1:X}"
        address = f"| {start} |" if place.sectors == 1 else f"| {start} to {end} |"
        words = "RF calibration" if place.kind == "rf-cal" else place.words
        assert [row for row in rows if address in row and f"| {words}" in row], (address, words)


def test_places_of_a_row_are_in_order() -> None:
    for row in STOCK:
        ends = [region.end for region in row.regions]
        assert [r.start for r, end in zip(row.regions[1:], ends, strict=False) if r.start < end] == []


# --- Tuya ----------------------------------------------------------------------------------------


def test_tuya_keeps_keys_where_others_have_rf_calibration() -> None:
    found = describe(TUYA)

    assert places(found, "rf-cal") == [(0x79000, SECTOR)]
    assert (0xFB000, SECTOR) in places(found)
    assert "keys of the device" in next(part.note for part in parts_of(found) if part.offset == 0xFB000)
    assert found.state is not None
    assert found.state.rf_cal is not None
    assert (found.state.rf_cal.offset, found.state.rf_cal.state) == (0x79000, "plausible")


def test_records_of_tuya_name_their_fields() -> None:
    notes = [part.note for part in parts_of(describe(TUYA)) if part.offset in (0x7A000, 0xF9000)]

    assert len(notes) == 2
    assert all("JSON, CRC right: devicekey, ssid, pwd, not shown" in note for note in notes)


def test_a_sketch_that_speaks_of_tuya_is_no_stock() -> None:
    data = bytearray(IMAGES["dumps/arduino-4m.bin"])
    data[0x6000:0x600F] = b"tuya_mdev_test\0"

    assert not any("Tuya" in part.note for part in describe(bytes(data)).parts)


# --- checksums of parameters ---------------------------------------------------------------------

PARAMS = dumps.PARAMETERS


def with_params(block: bytes) -> Description:
    base = bytearray(dumps.flash(MB, LOADER | {0x1000: USER1} | FIVE))
    base[0xFD000:] = block
    return describe(bytes(base))


@pytest.mark.parametrize(
    ("block", "checksums", "live", "warnings"),
    [
        (protected(PARAMS, PARAMS), (True, True), 0, []),
        (protected(PARAMS, PARAMS, live=1, writes=3), (True, True), 1, []),
        (protected(PARAMS), (True, None), 0, []),
        (protected(PARAMS, PARAMS, length=0x1C, end=0xFFFFFFFF), (True, True), 0, []),
        (protected(PARAMS, PARAMS, length=0x48C), (True, True), 0, []),
        (protected(PARAMS, PARAMS, sums=(0, 0)), (False, False), 0, ["system-param-checksum"] * 2),
        (
            protected(PARAMS[:8] + b"\1" + PARAMS[9:], PARAMS, sums=(0, 0)),
            (False, False),
            0,
            ["system-param-checksum"] * 2,
        ),
    ],
    ids=["both", "second", "first", "sdk-1", "rtos", "wrong", "changed"],
)
def test_checksums_of_the_sdks_parameters(
    block: bytes, checksums: tuple[bool | None, ...], live: int, warnings: list[str]
) -> None:
    found = with_params(block)

    assert found.state is not None
    state = found.state.system_param
    assert state is not None
    assert (state.checksums, state.live, found.ok) == (checksums, live, True)
    assert said(found.findings, "warning") == warnings
    assert state.words.endswith("network stored")
    part = parts_of(found, "system-param")[0]
    assert part.checksum is not None
    assert part.checksum.ok is (not warnings)


NEWER: bytes = b"VER6" + SECRET * 2
OLDER: bytes = b"VER6" + SECRET
# As an update of the first copy leaves it that was interrupted, or one that begins with the second.
SECOND_ALONE = b"\xff" * SECTOR + protected(NEWER, NEWER, live=1)[SECTOR:]


@pytest.mark.parametrize("at", [0x3C000, 0x7D000, 0xF4000, 0xF8000])
@pytest.mark.parametrize(
    ("block", "words"),
    [
        (protected(NEWER), "first copy in force"),
        (protected(NEWER, OLDER), "first copy in force"),
        (protected(OLDER, NEWER, live=1), "second copy in force"),
        (protected(OLDER, NEWER, live=0xFF), "second copy in force"),
        (SECOND_ALONE, "second copy in force"),
        (protected(NEWER, writes=1), "checksum right, saved once"),
        (short(NEWER), "first copy in force"),
        (short(NEWER, OLDER), "first copy in force"),
        (short(OLDER, NEWER, live=1), "second copy in force"),
        (short(b"", NEWER, live=1), "second copy in force"),
    ],
)
def test_parameters_of_an_application_in_all_states(block: bytes, words: str, at: int) -> None:
    found = describe(dumps.flash(MB, LOADER | {0x1000: USER1, at: block} | FIVE))

    assert (places(found), holes(found), said(found.findings, "error", "warning")) == ([(at, 0x3000)], [], [])
    note = parts_of(found)[0].note
    assert words in note
    assert f"{len(NEWER)} bytes used" in note


def test_two_sets_of_parameters_in_a_row() -> None:
    both = protected(NEWER, OLDER) + protected(OLDER, NEWER, live=1)
    found = describe(dumps.flash(MB, LOADER | {0x1000: USER1, 0x78000: both} | FIVE))

    assert places(found) == [(0x78000, 0x3000), (0x7B000, 0x3000)]


@pytest.mark.parametrize(
    "block",
    [
        protected(NEWER, OLDER)[: 2 * SECTOR],  # no flags
        protected(NEWER, OLDER)[: 2 * SECTOR]
        + b"\2".ljust(SECTOR, b"\xff"),  # no such copy in the short form
        short(b"", NEWER),  # the copy in force is erased
        short(b"\xe9" + NEWER),
        b"\xff" * (2 * SECTOR) + b"\1",
        bytes(2 * SECTOR) + b"\1",
    ],
    ids=["no flags", "another number", "erased", "an image", "blank", "zeros"],
)
def test_what_are_no_parameters_of_an_application(block: bytes) -> None:
    found = describe(dumps.flash(MB, LOADER | {0x1000: USER1, 0x78000: block} | FIVE))

    assert places(found) == []


def test_what_the_checksum_does_not_cover_may_change() -> None:
    block = bytearray(protected(PARAMS, PARAMS))
    block[0x100] ^= 0x55

    assert said(with_params(bytes(block)).findings, "warning") == []
    block[0x10] ^= 0x55
    assert said(with_params(bytes(block)).findings, "warning") == ["system-param-checksum"]


def test_parameters_of_another_size_are_the_sdks() -> None:
    data = dumps.flash(2 * MB, {0: dumps.boot_loader(IMAGES, blocks.SIZE_1MB), 0x1000: USER1} | FIVE)
    data = data[: 2 * MB - 3 * SECTOR] + protected(PARAMS, PARAMS)

    notes = [part.note for part in describe(data).parts if part.offset == 2 * MB - 3 * SECTOR]
    assert len(notes) == 1
    assert notes[0].startswith("parameters of the SDK for a flash of 2MB, which the header does not state")


# --- Mongoose OS ---------------------------------------------------------------------------------


def mongoose_spiffs(count: int) -> bytes:
    """A file system as Mongoose OS formats it: the same magic in every block of 4 KB."""
    block = (b"\xff" * 0xFC + bytes.fromhex("2904")).ljust(SECTOR, b"\xff")
    return block * count


def mongoose(config: bytes, place: int = 0x7000, size: int = 2 * MB) -> bytes:
    return dumps.flash(
        size,
        {
            0: dumps.sized(IMAGES["rboot/rboot.bin"], 0x30),
            place: config,
            0x8000: ROM,
            0xDB000: mongoose_spiffs(16),
            0x108000: ROM,
            0x1DB000: mongoose_spiffs(16),
        }
        | generations.five_sectors(size, 1),
    )


ROMS, FILES = (0x8000, 0x108000), ((0xDB000, 0x10000), (0x1DB000, 0x10000))


@pytest.mark.parametrize("place", [0x1000, 0x7000])
@pytest.mark.parametrize("checksum", [False, True])
def test_configuration_of_mongoose(place: int, checksum: bool) -> None:
    found = describe(mongoose(mongoose_config(ROMS, FILES, checksum=checksum), place))

    assert (holes(found), said(found.findings, "error"), said(found.findings, "warning")) == ([], [], [])
    (config,) = parts_of(found, "rboot-config")
    assert (config.offset, config.facts["roms"]) == (place, [*ROMS])
    assert places(found, "spiffs") == [*FILES]
    assert (config.checksum is not None) is checksum


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "ROM 0"),
        ({"current": 1}, "ROM 1"),
        ({"current": 1, "first_boot": 1}, "ROM 1"),
        ({"current": 1, "first_boot": 1, "attempts": 1}, "ROM 0"),
        ({"current": 0, "previous": 1, "first_boot": 1, "attempts": 1, "updated": 1}, "ROM 1"),
        ({"current": 1, "attempts": 1}, "ROM 1"),
        ({"current": 2}, "ROM 0"),
    ],
)
def test_rom_of_mongoose(fields: dict[str, Any], name: str) -> None:
    state = describe(mongoose(mongoose_config(ROMS, FILES, **fields))).state

    assert state is not None
    assert state.active_slot is not None
    assert (state.active_slot.name, state.active_slot.certainty) == (name, "known")


def test_rboots_own_configuration_stays_its_own() -> None:
    for config in (CONFIG, firmwares.rboot_config(0x2000, 0x82000, current=1), firmwares.rboot_config(0)):
        parts = describe(rboot(config, {0x2000: ROM})).parts
        (part,) = [part for part in parts if part.kind == "rboot-config"]
        assert "file_systems" not in part.facts


# --- Espressif's boot loader with an empty user1 --------------------------------------------------


@pytest.mark.parametrize("version", ["1.2", "1.6", "1.7"])
@pytest.mark.parametrize(
    ("users", "starts"),
    [
        ({0x1000: USER1, 0x81000: USER2}, ("user1", "user1", "user1")),
        ({0x81000: USER2}, (None, "user2", "user2")),
        ({}, (None, None, None)),
    ],
    ids=["both", "user2", "none"],
)
def test_real_boot_loaders(version: str, users: dict[int, bytes], starts: tuple[str | None, ...]) -> None:
    loader = dumps.sized(real(f"boot/boot_v{version}.bin"), blocks.SIZE_1MB)
    blank = {MB - 4 * SECTOR: nodemcu.V05}
    found = describe(dumps.flash(MB, {0: loader} | users | blank))

    assert (found.kind, found.parts[0].kind) == ("flash-dump", "bootloader")
    assert found.parts[0].note.startswith(f"Espressif boot loader {version}")
    assert places(found, "init-data") == [(0xFC000, SECTOR)]
    assert places(found, "system-param") == [(0xFD000, 3 * SECTOR)]
    assert found.state is not None
    assert found.state.active_slot is not None
    assert found.state.active_slot.name == starts[("1.2", "1.6", "1.7").index(version)]


@pytest.mark.parametrize("end", [0x101000, 0x101000 + len(USER2), 2 * MB])
def test_a_boot_loader_and_user2_alone(end: int) -> None:
    whole = dumps.flash(2 * MB, {0: dumps.boot_loader(IMAGES, 0x50), 0x101000: USER2})
    found = describe(whole[:end])

    assert found.parts[0].note.startswith("Espressif boot loader 1.6")
    assert said(found.findings, "error") == []
    active = None if found.state is None else found.state.active_slot
    assert active is not None
    if end == 0x101000:
        assert (active.name, active.certainty) == (None, "not known")
        return
    # Flags that lie behind the end of the file cannot change what the only image is.
    certainty = "known" if end == 2 * MB else "likely"
    assert (active.scheme, active.name, active.offset, active.certainty) == (
        "espressif",
        "user2",
        0x101000,
        certainty,
    )


@pytest.mark.parametrize("first", [0x00, 0x69, 0xE8, 0xFF])
def test_a_boot_loader_with_another_first_byte_is_not_started(first: int) -> None:
    data = bytearray(dumps.flash(MB, LOADER | {0x1000: USER1} | FIVE))
    data[0] = first
    found = describe(bytes(data))

    assert found.parts[0].kind == "bootloader"
    assert "magic" in said(found.findings, "error")
    assert found.state is not None
    active = found.state.active_slot
    assert active is not None
    assert (active.scheme, active.name, active.certainty) == ("espressif", None, "known")
    assert active.reason.startswith("the image at 0 has a wrong first byte")


def test_a_flash_without_its_boot_loader_is_no_code() -> None:
    found = describe(dumps.flash(MB, {0x1000: USER1, 0x81000: USER2} | FIVE))

    assert (found.kind, holes(found)) == ("flash-dump", [])
    assert said(found.findings, "warning") == ["no-image"]
    assert [part.offset for part in parts_of(found, "image-v2")] == [0x1000, 0x81000]


# --- esp-open-rtos ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0x00, 0x20, 0x40])
def test_places_of_haa_do_not_depend_on_the_size(code: int) -> None:
    head = {0: dumps.sized(IMAGES["rboot/rboot.bin"], code), 0x1000: CONFIG, 0x2000: ROM}
    kept = {0xF2000: NOISE[:300], 0xF3000: sysparam(SETTINGS, sectors=4)}

    found = places(describe(dumps.flash(MB, head | kept)))
    assert found == [(0xF2000, SECTOR), (0xF3000, 0x4000)]


# --- RTOS SDK ---------------------------------------------------------------------------------------

NVS = nvs_page(
    [(0, "nvs.net80211", 1), (1, "sta.ssid", b"SecretNetwork"), (1, "sta.pswd", b"hunter2hunter2")]
)


def rtos(contents: dict[int, bytes]) -> bytes:
    """A flash with NVS at 0x9000, a SPIFFS at 0x80000 and data of the project at 0xC0000."""
    rows = (
        firmwares.partition(1, 2, 0x9000, 0x6000, b"nvs"),
        firmwares.partition(0, 0, 0x10000, 0x60000, b"factory"),
        firmwares.partition(1, 0x82, 0x80000, 0x30000, b"storage"),
        firmwares.partition(1, 0x40, 0xC0000, 0x4000, b"own"),
    )
    loader, app = (IMAGES[f"rtos3/{name}.bin"] for name in ("bootloader", "app"))
    head = {0: dumps.sized(loader, blocks.SIZE_1MB), 0x8000: b"".join(rows), 0x10000: app}
    return dumps.flash(MB, head | contents)


@pytest.mark.parametrize(
    ("contents", "kept"),
    [
        ({0x9000: NVS}, [(0x9000, 0x1000)]),
        ({0x9000: NVS * 6}, [(0x9000, 0x6000)]),
        # Pages take turns: the first one of a partition may be erased.
        ({0xA000: NVS, 0xD000: NVS}, [(0xA000, 0x1000), (0xD000, 0x1000)]),
        ({0x9000: NOISE[:0x2000], 0xB000: NVS}, [(0x9000, 0x2000), (0xB000, 0x1000)]),
        ({0x9000: NOISE[:0x10]}, [(0x9000, 0x6000)]),
        ({}, []),
    ],
    ids=["one", "all", "not the first", "behind others", "none", "blank"],
)
def test_nvs_of_the_rtos_sdk(contents: dict[int, bytes], kept: list[tuple[int, int]]) -> None:
    found = describe(rtos(contents))

    assert (found.kind, holes(found), said(found.findings, "error")) == ("flash-dump", [], [])
    assert places(found) == kept
    pages = [part.note for part in parts_of(found) if "namespaces" in part.facts]
    assert len(pages) == sum(block is NVS or block == NVS * 6 for block in contents.values())
    assert all("NVS of the RTOS SDK" in note and "nvs.net80211, not shown" in note for note in pages)
    assert [secret for secret in HIDDEN if secret in json.dumps(description_fields("x", found))] == []


MARK = b"PHYINIT\0"


@pytest.mark.parametrize(
    ("block", "known"),
    [
        (MARK + nodemcu.V05 + MARK, True),
        (MARK + nodemcu.V05, False),
        (nodemcu.V05 + MARK, False),
        (MARK + NOISE[:128] + MARK, False),
    ],
)
def test_init_data_in_a_partition(block: bytes, known: bool) -> None:
    used = len(block) - block.count(0xFF)
    note = "own: init data of the RTOS SDK, set v05" if known else f"own, {used} bytes used, not shown"

    found = parts_of(describe(rtos({0xC0000: block})))
    assert [(part.offset, part.note) for part in found] == [(0xC0000, note)]


def test_nvs_is_known_where_another_firmware_has_left_it() -> None:
    found = describe(dumps.flash(MB, LOADER | {0x1000: USER1, 0x79000: NVS} | FIVE))

    assert places(found) == [(0x79000, SECTOR)]


def test_a_partition_for_a_file_system_is_looked_into() -> None:
    files = IMAGES["spiffs/files-metadata.bin"]
    found = describe(rtos({0x80000: files[:0x30000], 0xC0000: NOISE[:0x40]}))

    assert places(found, "spiffs")[0][0] == 0x80000
    assert places(found) == [(0xC0000, 0x4000)]
