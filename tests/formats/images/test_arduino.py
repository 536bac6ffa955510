"""Arduino firmware: eboot, words, application, and what it says of itself."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from fixtures import firmwares
from imgtool.errors import FormatError
from imgtool.formats.firmware import identify_firmware
from imgtool.formats.images import arduino
from imgtool.formats.images.arduino import Words
from imgtool.formats.reading import PartKind, Severity
from imgtool.formats.registry import identify

if TYPE_CHECKING:
    from pathlib import Path

    from imgtool.formats.reading import Reading


@cache
def files() -> dict[str, bytes]:
    return firmwares.arduino_files()


def read(name: str) -> Reading:
    reading = arduino.read(files()[name])
    assert reading is not None
    return reading


def words_of(reading: Reading) -> tuple[int, bool] | None:
    for part in reading.parts:
        if part.kind is PartKind.LENGTH_CRC_WORDS:
            assert part.checksum is not None
            return part.offset, part.checksum.ok
    return None


def codes(reading: Reading) -> set[str]:
    return {finding.code for finding in reading.findings}


@pytest.mark.parametrize(
    ("name", "words", "firmware"),
    [
        ("arduino/core-2.3.bin", None, ("Arduino", None)),
        ("arduino/core-2.7.bin", 0xFF8, ("Tasmota", "9.5.0.1")),
        ("arduino/core-2.7-trailing.bin", 0xFF8, ("Tasmota", "9.5.0.1")),
        ("arduino/core-3.1.bin", 0x1010, ("WLED", "0.15.0-b1")),
        ("arduino/esphome.bin", 0xFF8, ("ESPHome", "2022.3.1")),
    ],
)
def test_generations(name: str, words: int | None, firmware: tuple[str, str | None]) -> None:
    reading = read(name)
    assert words_of(reading) == (None if words is None else (words, True))
    assert reading.firmware is not None
    assert (reading.firmware.name, reading.firmware.version) == firmware
    assert reading.firmware.sdk == "2.2.2-dev(38a443e)"
    assert identify_firmware(files()[name]) == reading.firmware


def test_parts_of_core_2() -> None:
    reading = read("arduino/core-2.7.bin")
    assert [part.kind for part in reading.parts] == ["bootloader", "gap", "length-crc-words", "app"]
    assert reading.parts[-1].address == 0x40201000
    assert reading.firmware is not None
    assert reading.firmware.details["Arduino core"] == "2.7.4"


def test_parts_of_core_3() -> None:
    reading = read("arduino/core-3.1.bin")
    assert [part.kind for part in reading.parts] == ["bootloader", "gap", "app", "length-crc-words", "app"]
    app = reading.parts[-1]
    assert app.offset == 0x1018
    assert any(segment.size % 4 for segment in app.segments)
    assert app.checksum is not None
    assert app.checksum.ok, "computed with the words zeroed, as the core does"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("broken/arduino-cut.bin", "cut"),
        ("broken/arduino-3-cut.bin", "cut"),
        ("broken/arduino-no-app.bin", "cut"),
        ("broken/arduino-bit.bin", "crc"),
        ("broken/arduino-length.bin", "length"),
        ("broken/arduino-3-length.bin", "length"),
        ("broken/arduino-header-patched.bin", "crc"),
    ],
)
def test_damage_has_its_name(name: str, code: str) -> None:
    assert code in codes(read(name))


def test_a_patched_header_is_told_from_damage() -> None:
    (finding,) = read("broken/arduino-header-patched.bin").findings
    assert finding.severity is Severity.ERROR
    assert "flash mode and size" in finding.message


def test_a_cut_file_states_its_length() -> None:
    messages = [finding.message for finding in read("broken/arduino-cut.bin").findings]
    assert "the file is cut: by its length word it has 35,120 bytes, 17,185 are there" in messages


def test_a_damaged_magic_does_not_hide_the_rest() -> None:
    for offset in (0, 8, 0x1000):
        reading = arduino.read(firmwares.flipped(files()["arduino/core-2.7.bin"], offset))
        assert reading is not None
        assert words_of(reading) == (0xFF8, False)


def test_damaged_fill_without_words_is_a_warning() -> None:
    reading = arduino.read(firmwares.flipped(files()["arduino/core-2.3.bin"], 0xFFA))
    assert reading is not None
    assert words_of(reading) is None
    assert "gap" in codes(reading)


def test_other_chips_and_formats_are_left_alone() -> None:
    assert arduino.read(b"") is None
    assert arduino.read(b"\xe9" * 0x2000) is None
    assert arduino.read(b"\xaa" * 0x2000) is None


def test_words_parse_and_build() -> None:
    data = files()["arduino/core-3.1.bin"]
    words = Words.parse(data, 0x1010)
    assert words.length == len(data)
    assert words.build() == data[0x1010:0x1018]
    with pytest.raises(FormatError) as caught:
        Words.parse(data[:0x1014], 0x1010)
    assert caught.value.offset == 0x1010


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        (b"\0ESPURNA\0\0\0\0001.13.5\0", "ESPurna", "1.13.5"),
        (b"\0ESPURNA\0", "ESPurna", None),
        (b"ESP_Easy_mega_20221105_normal_ESP8266_4M1M.bin", "ESP Easy", "20221105"),
        (b"ESP8266 Deauther \0v2.1.0\0", "ESP8266 Deauther", "2.1.0"),
        (firmwares.marker(0x0C050000), "Tasmota", "12.5.0"),
        (firmwares.marker(0xFFFFFFFF) + b"ctx: cont", "ESPHome", None),
        (b"STSW\2\0\0\x000.16.0\0", "WLED", "0.16.0"),
        (b"STSW\1\0\0\0ESP8266\0", "WLED", None),
        (b"<a>Tasmota %s by Theo Arends</a>", "Tasmota", None),
        (b"ctx: cont", "Arduino", None),
        (b"ctx: cont\0\0003_0_0_RC1\0", "Arduino", "3.0.0_RC1"),
    ],
)
def test_names_of_applications(text: bytes, name: str, version: str | None) -> None:
    firmware = identify_firmware(text)
    assert firmware is not None
    assert (firmware.name, firmware.version) == (name, version)


@pytest.mark.parametrize(
    ("name", "words", "firmware"),
    [
        ("wled/WLED_0.14.3_ESP8266_160.bin", (0x1010, True), ("WLED", "0.14.3")),
        ("esphome/webtools-esp8266-2021.bin", (0xFF8, True), ("ESPHome", "1.19.0-dev")),
        ("sdkapps/esptool-deepsleep.bin", None, ("Arduino", None)),
    ],
)
def test_real_images(
    corpus: Path, name: str, words: tuple[int, bool] | None, firmware: tuple[str, str | None]
) -> None:
    reading = identify((corpus / name).read_bytes())
    assert reading.kind == "arduino"
    assert all(finding.severity is Severity.NOTE for finding in reading.findings)
    assert words_of(reading) == words
    assert reading.firmware is not None
    assert (reading.firmware.name, reading.firmware.version) == firmware
