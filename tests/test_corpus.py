"""Every real image of the corpus: what it is, whether it is whole, whose it is, and what its checks are.

The values were computed from the files once and compared with what their projects and esptool say of them.
"""

from __future__ import annotations

import random
from typing import NamedTuple

import pytest

from imgtool.formats.reading import FileKind, PartKind, Severity
from imgtool.operations.inspect.describe import Description, describe
from tests.support import real


class Real(NamedTuple):
    """A real file and what is to be said of it; of each check part, algorithm and stored value."""

    path: str
    kind: str
    ok: bool
    firmware: tuple[str, str | None] | None
    checks: tuple[tuple[str, str, int], ...]


FILES = (
    Real(
        "nodemcu/flasher-0x00000.bin", "image-v1", True, ("NodeMCU", "0.9.5"), (("image-v1", "xor8", 0xAE),)
    ),
    Real("nodemcu/flasher-0x10000.bin", "irom", True, ("non-OS SDK application", None), ()),
    Real(
        "nodemcu/nodemcu_integer_0.9.5_20150318.bin",
        "aggregated",
        True,
        ("NodeMCU", "0.9.5"),
        (("image-v1", "xor8", 0x4F),),
    ),
    Real(
        "nodemcu/fw-20150112-0x00000.bin",
        "image-v1",
        True,
        ("NodeMCU", "0.9.5"),
        (("image-v1", "xor8", 0x6),),
    ),
    Real("nodemcu/fw-20150112-0x10000.bin", "irom", True, None, ()),
    Real(
        "nodemcu/fw-20150112-esp.nodemcu.bin",
        "aggregated",
        True,
        ("NodeMCU", "0.9.5"),
        (("image-v1", "xor8", 0x6),),
    ),
    Real(
        "nodemcu/fw092-2M-eagle.app.v6.flash.bin",
        "image-v1",
        True,
        ("NodeMCU", "0.9.2"),
        (("image-v1", "xor8", 0x31),),
    ),
    Real("nodemcu/fw092-2M-eagle.app.v6.irom0text.bin", "irom", True, None, ()),
    Real(
        "nodemcu/fw092-nodemcu_2M_20141219.bin",
        "aggregated",
        True,
        ("NodeMCU", "0.9.2"),
        (("image-v1", "xor8", 0x31),),
    ),
    Real("nodemcu/yuan-0x00000.bin", "image-v1", True, None, (("image-v1", "xor8", 0x16),)),
    Real("nodemcu/yuan-0x10000.bin", "irom", True, ("NodeMCU", "2.1.0"), ()),
    Real(
        "nodemcu/yuan-nodemcu_integer.bin",
        "aggregated",
        True,
        ("NodeMCU", "2.1.0"),
        (("image-v1", "xor8", 0x16),),
    ),
    Real(
        "nodemcu/heikomat-firmware-lfs.bin",
        "aggregated",
        True,
        ("NodeMCU", "3.0.0.0"),
        (("image-v1", "xor8", 0xD7),),
    ),
    Real("nodemcu/heikomat-lfs.img", "lfs", True, None, ()),
    Real(
        "at/at-sdk3.0.6-2024-06-user1.bin",
        "image-v2",
        True,
        ("ESP8266 AT", "1.7.6"),
        (
            ("image-v1", "xor8", 0x8C),
            ("crc-tail", "sdk-crc32", 0x74A62BB4),
        ),
    ),
    Real(
        "at/at-sdk3.0.6-2024-06-user2.bin",
        "image-v2",
        True,
        ("ESP8266 AT", "1.7.6"),
        (
            ("image-v1", "xor8", 0x8C),
            ("crc-tail", "sdk-crc32", 0x70DFAEB4),
        ),
    ),
    Real(
        "at/at-sdk2.0-noboot-eagle.flash.bin",
        "image-v1",
        True,
        ("ESP8266 AT", None),
        (("image-v1", "xor8", 0x11),),
    ),
    Real("at/at-sdk2.0-noboot-eagle.irom0text.bin", "irom", True, ("non-OS SDK application", None), ()),
    Real(
        "at/sdk1.4-user1.1024.new.2.bin",
        "image-v2",
        True,
        ("ESP8266 AT", None),
        (
            ("image-v1", "xor8", 0xC7),
            ("crc-tail", "sdk-crc32", 0x17A3564E),
        ),
    ),
    Real(
        "boot/boot_v1.2.bin",
        "sdk-bootloader",
        True,
        ("Espressif boot loader", "1.2"),
        (("bootloader", "xor8", 0xCF),),
    ),
    Real(
        "boot/boot_v1.6.bin",
        "sdk-bootloader",
        True,
        ("Espressif boot loader", "1.6"),
        (("bootloader", "xor8", 0xD8),),
    ),
    Real(
        "boot/boot_v1.7.bin",
        "sdk-bootloader",
        True,
        ("Espressif boot loader", "1.7(5d6f877)"),
        (("bootloader", "xor8", 0x22),),
    ),
    Real("boot/rboot-mger.bin", "rboot", True, ("rBoot", "1.4.2"), (("bootloader", "xor8", 0x34),)),
    Real(
        "boot/rtos3-bootloader.bin",
        "rtos-bootloader",
        True,
        ("ESP8266 RTOS SDK boot loader", "3.4-dirty"),
        (("bootloader", "xor8", 0x41),),
    ),
    Real(
        "sdkapps/mger-repeater-0x02000.bin",
        "image-v2",
        True,
        ("WiFi Repeater", "2.2.17"),
        (
            ("image-v1", "xor8", 0x98),
            ("crc-tail", "sdk-crc32", 0x12569844),
        ),
    ),
    Real(
        "sdkapps/esptool-iotdemo-0x00000.bin",
        "image-v1",
        True,
        ("non-OS SDK application", None),
        (("image-v1", "xor8", 0xB4),),
    ),
    Real("sdkapps/esptool-iotdemo-0x10000.bin", "irom", True, ("non-OS SDK application", None), ()),
    Real("sdkapps/esptool-ram-helloworld.bin", "ram-image", True, None, (("image-v1", "xor8", 0x12),)),
    Real(
        "sdkapps/esptool-deepsleep.bin",
        "arduino",
        True,
        ("Arduino", None),
        (
            ("bootloader", "xor8", 0x2D),
            ("app", "xor8", 0xC6),
        ),
    ),
    Real("elf/esp8266-nonosssdk20-iotdemo.elf", "elf", True, ("non-OS SDK application", None), ()),
    Real("initdata/blank.bin", "blank", True, None, ()),
    Real("initdata/esp_init_data_default-2014.bin", "init-data", True, None, ()),
    Real("initdata/esp_init_data_default_v05.bin", "init-data", True, None, ()),
    Real("initdata/esp_init_data_default_v08.bin", "init-data", True, None, ()),
    Real(
        "micropython/firmware-combined-2017.bin",
        "micropython",
        True,
        ("MicroPython", "1.9.2-69-gcc7fece"),
        (
            ("image-v1", "xor8", 0xF0),
            ("md5-tail", "md5", 0x4C6387738FE7208C3BED63943BE7C162),
        ),
    ),
    Real(
        "rtos/rtos3-hello-world.bin",
        "rtos-app",
        True,
        ("hello-world", "3.4-dirty"),
        (
            ("app", "xor8", 0xF),
            ("sha256-tail", "sha256", 0xC855005C8D48D1312A1F0BA06E83E1FE517EC6925642192DBE3794A93E6B53E5),
        ),
    ),
    Real("rtos/rtos3-partition-table.bin", "partition-table", True, None, ()),
    Real(
        "wled/WLED_0.14.3_ESP8266_160.bin",
        "arduino",
        True,
        ("WLED", "0.14.3"),
        (
            ("bootloader", "xor8", 0x2B),
            ("length-crc-words", "crc32-mpeg2", 0x7F84317B),
            ("app", "xor8", 0x77),
        ),
    ),
    Real(
        "esphome/webtools-esp8266-2021.bin",
        "arduino",
        True,
        ("ESPHome", "1.19.0-dev"),
        (
            ("bootloader", "xor8", 0xB0),
            ("length-crc-words", "crc32-mpeg2", 0xD86098AA),
            ("app", "xor8", 0x61),
        ),
    ),
    Real("fs/rgbww-spiff_rom.bin", "spiffs", True, None, ()),
    Real("nearmiss/esp32c3-bootloader.bin", "esp32", False, None, (("unknown", "xor8", 0x77),)),
    Real("nearmiss/image_header_only.bin", "image-v1", False, None, ()),
)
IMAGES = [each for each in FILES if each.checks and each.ok]
# Parts that no length and no check covers, so that a change or a cut in them cannot be seen.
UNCOVERED = (PartKind.IROM, PartKind.GAP, PartKind.BLANK, PartKind.RF_CAL, PartKind.SYSTEM_PARAM)


def name_of(each: Real) -> str:
    return each.path


def errors(description: Description) -> list[str]:
    return [finding.code for finding in description.findings if finding.severity is Severity.ERROR]


@pytest.mark.parametrize("each", FILES, ids=name_of)
def test_kind_and_verdict(each: Real) -> None:
    description = describe(real(each.path))

    assert (str(description.kind), description.ok) == (each.kind, each.ok)


@pytest.mark.parametrize("each", FILES, ids=name_of)
def test_firmware(each: Real) -> None:
    firmware = describe(real(each.path)).firmware

    assert (None if firmware is None else (firmware.name, firmware.version)) == each.firmware


@pytest.mark.parametrize("each", FILES, ids=name_of)
def test_checks_stored_and_computed(each: Real) -> None:
    found = [
        (part.kind, check.algorithm, check.stored) for part, check in describe(real(each.path)).checksums
    ]
    computed = [check.computed for _, check in describe(real(each.path)).checksums]

    assert found == list(each.checks)
    assert computed == [value for _, _, value in each.checks]


@pytest.mark.parametrize("each", FILES, ids=name_of)
def test_no_warning_about_a_good_file(each: Real) -> None:
    description = describe(real(each.path))
    warnings = [finding.code for finding in description.findings if finding.severity is Severity.WARNING]

    assert warnings == []


def covered(each: Real, data: bytes, description: Description) -> list[int]:
    """Offsets in parts that a check covers; of version-1 headers it covers what decides what is loaded."""
    whole = {FileKind.IMAGE_V2: len(data), FileKind.RTOS_APP: len(data), FileKind.MICROPYTHON: len(data)}
    if description.kind in whole and any(check[1] != "xor8" for check in each.checks):
        start = 4 if description.kind is FileKind.MICROPYTHON else 0
        return list(range(start, whole[description.kind]))
    if any(check[1] == "crc32-mpeg2" for check in each.checks):
        return list(range(len(data)))
    return [
        offset
        for part in description.parts
        for segment in part.segments
        for offset in range(segment.offset, segment.offset + segment.size)
    ]


@pytest.mark.parametrize("each", IMAGES, ids=name_of)
def test_a_flipped_byte_is_noticed(each: Real) -> None:
    data = real(each.path)
    places = covered(each, data, describe(data))
    chosen = random.Random(each.path).sample(places, min(12, len(places)))

    for place in chosen:
        damaged = data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]
        assert errors(describe(damaged)), f"byte 0x{place:x}"


@pytest.mark.parametrize("each", IMAGES, ids=name_of)
def test_a_cut_is_noticed_or_said_not_to_be_knowable(each: Real) -> None:
    data = real(each.path)
    chosen = random.Random(each.path).sample(range(1, len(data)), min(12, len(data) - 1))

    for end in chosen:
        cut = describe(data[:end])
        unknowable = any(f.code in ("irom-uncovered", "no-crc", "padding") for f in cut.findings)
        assert errors(cut) or unknowable, f"cut at 0x{end:x}: {cut.kind}"
