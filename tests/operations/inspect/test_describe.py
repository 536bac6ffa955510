from __future__ import annotations

import gzip
import hashlib
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgtool.formats.reading import FileKind, Severity
from imgtool.operations.inspect.describe import describe
from tests.strategies import NO_SHRINKING
from tests.support import IMAGES, aggregate, corpus_folder, flipped, holes, real, said

# kind, whether every check holds
SYNTHESISED = {
    "sample/0x00000.bin": ("image-v1", True),
    "sample/0x10000.bin": ("irom", True),
    "nodemcu-0.9.5/0x00000.bin": ("image-v1", True),
    "nodemcu-0.9.5/0x10000.bin": ("irom", True),
    "nodemcu-1.5.4.1-cloud/0x00000.bin": ("image-v1", True),
    "nodemcu-1.5.4.1-cloud/0x10000.bin": ("irom", True),
    "nodemcu-3.0-2019/0x00000.bin": ("image-v1", True),
    "nodemcu-3.0-2019/0x10000.bin": ("irom", True),
    "nodemcu-3.0-2021/0x00000.bin": ("image-v1", True),
    "nodemcu-3.0-2021/0x10000.bin": ("irom", True),
    "nodemcu-3.0-2021-used/0x10000.bin": ("irom", True),
    "nonos-2.0/eagle.flash.bin": ("image-v1", True),
    "nonos-2.0/eagle.irom0text.bin": ("irom", True),
    "nonos-1.3/0x00000.bin": ("image-v1", True),
    "nonos-1.3/0x40000.bin": ("irom", True),
    "v2/user1.bin": ("image-v2", True),
    "v2/user2.bin": ("image-v2", True),
    "v2/no-tail.bin": ("image-v2", True),
    "v2/bad-crc.bin": ("image-v2", False),
    "init-data/v05.bin": ("init-data", True),
    "init-data/v08.bin": ("init-data", True),
    "init-data/g0.bin": ("init-data", True),
    "init-data/g1.bin": ("init-data", True),
    "init-data/sector.bin": ("init-data", True),
    "init-data/bad-marker.bin": ("init-data", False),
    "blank.bin": ("blank", True),
    "lfs/lfs-5.1.img": ("lfs", True),
    "lfs/lfs-5.1.raw": ("lfs", True),
    "lfs/lfs-5.1-at-0x98000.bin": ("lfs", True),
    "spiffs/linear.bin": ("spiffs", True),
    "spiffs/old-formula.bin": ("spiffs", True),
    "aggregated/sample-with-sdk-sectors.bin": ("aggregated", True),
    "broken/cut-in-segment.bin": ("image-v1", False),
    "broken/cut-before-checksum.bin": ("image-v1", False),
    "broken/bad-checksum.bin": ("image-v1", False),
    "broken/header-only.bin": ("image-v1", False),
    "broken/seventeen-segments.bin": ("image-v1", False),
    "broken/trailing.bin": ("image-v1", True),
    "broken/overlong-irom.bin": ("image-v1", True),
    "broken/cut-v2-irom.bin": ("image-v2", False),
    "broken/mixed/0x00000.bin": ("image-v1", True),
    "broken/mixed/0x10000.bin": ("irom", True),
}

# kind, checks in file order as they are stored (all of them hold), firmware and version
REAL: dict[str, tuple[str, list[int], tuple[str, str | None] | None]] = {
    "nodemcu/flasher-0x00000.bin": ("image-v1", [0xAE], ("NodeMCU", "0.9.5")),
    "nodemcu/flasher-0x10000.bin": ("irom", [], ("non-OS SDK application", None)),
    "nodemcu/nodemcu_integer_0.9.5_20150318.bin": ("aggregated", [0x4F], ("NodeMCU", "0.9.5")),
    "nodemcu/fw-20150112-0x00000.bin": ("image-v1", [0x06], ("NodeMCU", "0.9.5")),
    "nodemcu/fw-20150112-0x10000.bin": ("irom", [], None),
    "nodemcu/fw-20150112-esp.nodemcu.bin": ("aggregated", [0x06], ("NodeMCU", "0.9.5")),
    "nodemcu/fw092-2M-eagle.app.v6.flash.bin": ("image-v1", [0x31], ("NodeMCU", "0.9.2")),
    "nodemcu/fw092-2M-eagle.app.v6.irom0text.bin": ("irom", [], None),
    "nodemcu/fw092-nodemcu_2M_20141219.bin": ("aggregated", [0x31], ("NodeMCU", "0.9.2")),
    "nodemcu/yuan-0x00000.bin": ("image-v1", [0x16], None),
    "nodemcu/yuan-0x10000.bin": ("irom", [], ("NodeMCU", "2.1.0")),
    "nodemcu/yuan-nodemcu_integer.bin": ("aggregated", [0x16], ("NodeMCU", "2.1.0")),
    "nodemcu/heikomat-firmware-lfs.bin": ("aggregated", [0xD7], ("NodeMCU", "3.0.0.0")),
    "nodemcu/heikomat-lfs.img": ("lfs", [], None),
    "at/at-sdk3.0.6-2024-06-user1.bin": ("image-v2", [0x8C, 0x74A62BB4], ("ESP8266 AT", "1.7.6")),
    "at/at-sdk3.0.6-2024-06-user2.bin": ("image-v2", [0x8C, 0x70DFAEB4], ("ESP8266 AT", "1.7.6")),
    "at/sdk1.4-user1.1024.new.2.bin": ("image-v2", [0xC7, 0x17A3564E], ("ESP8266 AT", None)),
    "at/at-sdk2.0-noboot-eagle.flash.bin": ("image-v1", [0x11], ("ESP8266 AT", None)),
    "at/at-sdk2.0-noboot-eagle.irom0text.bin": ("irom", [], ("non-OS SDK application", None)),
    "sdkapps/mger-repeater-0x02000.bin": ("image-v2", [0x98, 0x12569844], ("WiFi Repeater", "2.2.17")),
    "sdkapps/esptool-iotdemo-0x00000.bin": ("image-v1", [0xB4], ("non-OS SDK application", None)),
    "sdkapps/esptool-iotdemo-0x10000.bin": ("irom", [], ("non-OS SDK application", None)),
    "initdata/blank.bin": ("blank", [], None),
    "initdata/esp_init_data_default-2014.bin": ("init-data", [], None),
    "initdata/esp_init_data_default_v05.bin": ("init-data", [], None),
    "initdata/esp_init_data_default_v08.bin": ("init-data", [], None),
}

# The other real files: kind, and whether nothing is wrong.
REAL_OTHERS = {
    "boot/boot_v1.2.bin": ("sdk-bootloader", True),
    "boot/boot_v1.6.bin": ("sdk-bootloader", True),
    "boot/boot_v1.7.bin": ("sdk-bootloader", True),
    "boot/rboot-mger.bin": ("rboot", True),
    "boot/rtos3-bootloader.bin": ("rtos-bootloader", True),
    "elf/esp8266-nonosssdk20-iotdemo.elf": ("elf", True),
    "esphome/webtools-esp8266-2021.bin": ("arduino", True),
    "fs/rgbww-spiff_rom.bin": ("spiffs", True),
    "micropython/firmware-combined-2017.bin": ("micropython", True),
    "nearmiss/esp32c3-bootloader.bin": ("esp32", False),
    "nearmiss/image_header_only.bin": ("image-v1", False),
    "rtos/rtos3-hello-world.bin": ("rtos-app", True),
    "rtos/rtos3-partition-table.bin": ("partition-table", True),
    "sdkapps/esptool-deepsleep.bin": ("arduino", True),
    "sdkapps/esptool-ram-helloworld.bin": ("ram-image", True),
    "wled/WLED_0.14.3_ESP8266_160.bin": ("arduino", True),
}

WHOLE = {**IMAGES, **{f"{name}, merged": aggregate(name) for name in ("sample", "nodemcu-3.0-2021")}}
DUMP = aggregate("sample").ljust(0xFC000, b"\xff") + IMAGES["init-data/sector.bin"] + b"\xff" * 0x3000
SEEDS = {
    "aggregated": aggregate("sample"),
    "nodemcu-3": aggregate("nodemcu-3.0-2021"),
    "sdk-sectors": IMAGES["aggregated/sample-with-sdk-sectors.bin"],
    "dump": DUMP,
    "boot": IMAGES["sample/0x00000.bin"],
    "user1": IMAGES["v2/user1.bin"],
    "page": IMAGES["nodemcu-3.0-2021-used/0x10000.bin"][:0x3000],
    "spiffs": IMAGES["spiffs/linear.bin"],
    "lfs": IMAGES["lfs/lfs-5.1.raw"],
    "lfs-gzip": IMAGES["lfs/lfs-5.1.img"],
    "init-data": IMAGES["init-data/sector.bin"],
}
MAGICS = [
    b"\xe9",
    b"\xe9\x01",
    b"\xe9\x03",
    b"\xea\x04",
    b"\x50\xa1\xfa\xfa",
    b"\x1f\x8b\x08",
    b"\x1bLua\x53",
]
# The places that formats look at, so that edits hit them more often than chance would.
HOT = [0, 1, 2, 3, 4, 8, 12, 0x8530, 0xFFFF, 0x10000, 0x10004, 0x10010, 0x10028, 0x7C000, 0xFC000, 0xFD000]


@st.composite
def edited(draw: st.DrawFn) -> bytes:
    """A known image, cut, with a few bytes changed."""
    data = bytearray(SEEDS[draw(st.sampled_from(sorted(SEEDS)))])
    size = len(data)
    for _ in range(draw(st.integers(0, 4))):
        offset = draw(st.one_of(st.sampled_from(HOT), st.integers(0, 64), st.integers(0, size - 1)))
        change = draw(st.binary(min_size=1, max_size=8))
        if offset + len(change) <= size:
            data[offset : offset + len(change)] = change
    if draw(st.booleans()):
        del data[draw(st.integers(0, size)) :]
    if draw(st.booleans()):
        data += draw(st.binary(max_size=40))
    return bytes(data)


@pytest.mark.parametrize("name", SYNTHESISED)
def test_kind_and_checks(name: str) -> None:
    description = describe(IMAGES[name])

    assert (str(description.kind), description.ok) == SYNTHESISED[name]


@pytest.mark.parametrize("name", REAL)
def test_real_images(name: str) -> None:
    description = describe(real(name))

    firmware = description.firmware and (description.firmware.name, description.firmware.version)
    assert (str(description.kind), [c.stored for _, c in description.checksums], firmware) == REAL[name]


@pytest.mark.parametrize("name", REAL_OTHERS)
def test_other_real_images(name: str) -> None:
    description = describe(real(name))

    assert (str(description.kind), description.ok) == REAL_OTHERS[name]


def test_the_tables_have_every_real_image() -> None:
    root = corpus_folder()
    files = {str(path.relative_to(root)) for path in root.glob("*/*")}

    assert files == {*REAL, *REAL_OTHERS}


@pytest.mark.parametrize("name", REAL)
def test_every_check_of_real_images_holds(name: str) -> None:
    description = describe(real(name))

    assert (said(description.findings, "error"), [c.ok for _, c in description.checksums if not c.ok]) == (
        [],
        [],
    )


@pytest.mark.parametrize("name", WHOLE)
def test_a_description_is_consistent(name: str) -> None:
    description = describe(WHOLE[name])
    findings = description.findings
    order = [list(Severity).index(finding.severity) for finding in findings]

    assert holes(description) == []
    assert description.ok == all(finding.severity is not Severity.ERROR for finding in findings)
    assert order == sorted(order)
    assert [f for f in findings if f.offset is not None and f.offset > description.size] == []
    assert not (description.ok and any(not check.ok for _, check in description.checksums))


def test_parts_cover_every_real_file() -> None:
    files = sorted(path for path in corpus_folder().rglob("*") if path.is_file())

    assert {path.name: holes(describe(path.read_bytes())) for path in files} == {p.name: [] for p in files}


def test_size_and_digest() -> None:
    description = describe(b"some bytes")

    assert (description.size, description.sha256) == (10, hashlib.sha256(b"some bytes").hexdigest())


@pytest.mark.parametrize(
    ("data", "foreign"),
    [(b"", True), (b"text", True), (IMAGES["blank.bin"], False), (IMAGES["broken/header-only.bin"], False)],
    ids=["empty", "text", "blank", "damaged"],
)
def test_foreign(data: bytes, foreign: bool) -> None:
    assert describe(data).foreign is foreign


@pytest.mark.parametrize("length", range(9))
@pytest.mark.parametrize("first", [0x00, 0x05, 0x1B, 0x1F, 0x50, 0x55, 0xE9, 0xEA, 0xFF])
def test_shortest_files(first: int, length: int) -> None:
    assert holes(describe(bytes([first] * length))) == []


@given(st.binary(max_size=2000))
def test_any_bytes(data: bytes) -> None:
    assert holes(describe(data)) == []


@given(st.sampled_from(MAGICS), st.binary(max_size=200))
def test_any_bytes_behind_a_magic(magic: bytes, data: bytes) -> None:
    assert holes(describe(magic + data)) == []


@settings(max_examples=150, phases=NO_SHRINKING)
@given(edited())
def test_edited_images(data: bytes) -> None:
    assert holes(describe(data)) == []


@pytest.mark.long
@settings(max_examples=20_000, phases=NO_SHRINKING)
@given(edited())
def test_many_edited_images(data: bytes) -> None:
    assert holes(describe(data)) == []


@pytest.mark.long
def test_cut_and_flipped_real_images() -> None:
    files = sorted(path for path in corpus_folder().rglob("*") if path.is_file())
    wrong: list[str] = []
    for path, number in product(files, range(40)):
        data = path.read_bytes()
        noise = hashlib.sha256(f"{path.name}/{number}".encode()).digest()
        place = int.from_bytes(noise[:4], "little") % len(data)
        variants = (data[:place], data[:place] + noise[4:12] + data[place + 8 :])
        wrong += [f"{path.name} at 0x{place:x}" for variant in variants if holes(describe(variant))]
    assert wrong == []


@settings(max_examples=25)
@given(st.integers(0, 0xFFFFFFFF), st.data())
def test_real_images_cut_and_edited(seed: int, draw: st.DataObject) -> None:
    names = sorted(str(p.relative_to(corpus_folder())) for p in corpus_folder().rglob("*.bin"))
    data = real(draw.draw(st.sampled_from(names)))
    place = seed % len(data)
    changed = flipped(data, place, 1 + seed % 0xFF)

    assert [holes(describe(data[:place])), holes(describe(changed))] == [[], []]


def test_kinds_of_the_contract() -> None:
    contract = (
        "image-v1 image-v2 aggregated irom arduino micropython rtos-app rtos-bootloader sdk-bootloader rboot "
        "rboot-config at-user flash-dump init-data blank lfs spiffs littlefs espfs partition-table gzip elf "
        "intel-hex tuya-ota ram-image esp32 text empty unknown"
    )

    assert set(contract.split()) <= {str(kind) for kind in FileKind}


def test_a_damaged_image_in_a_wrapper_is_an_error_of_the_wrapper() -> None:
    description = describe(gzip.compress(IMAGES["broken/bad-checksum.bin"]))

    assert (description.kind, description.ok, said(description.findings, "error")) == (
        FileKind.GZIP,
        False,
        ["content"],
    )


def test_what_is_no_firmware_in_a_wrapper_is_a_warning() -> None:
    description = describe(gzip.compress(b"just a text\n" * 100))

    assert (description.ok, said(description.findings, "warning")) == (True, ["content"])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b"+CWSAP\0+CIPMUX\0AT version:%d.%d", None),
        (b"2.0.0(656edbf)", None),
        (b"MicroPython v1.19.1 on 2022-06-18; ESP32", "MicroPython"),
    ],
)
def test_an_image_for_another_chip_has_no_name_of_this_chip(text: bytes, name: str | None) -> None:
    description = describe(IMAGES["esp32/unknown-chip.bin"] + bytes(64) + text)

    assert description.kind is FileKind.ESP32
    assert (description.firmware and description.firmware.name) == name
