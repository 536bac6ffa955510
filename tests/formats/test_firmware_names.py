"""Names and versions of well-known firmware, each by its own strings and beside what looks like them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures import firmwares
from imgtool.formats.firmware import ARDUINO_NAMES, arduino_firmware, identify_firmware
from imgtool.formats.firmware_names import APPLICATIONS, SKETCHES, NameRow
from imgtool.formats.strings import Strings
from imgtool.layout.generations import generation_of
from imgtool.layout.traits import Family

ROWS = (*SKETCHES, *APPLICATIONS)
NOISE = b"\xe9\x00" * 8 + b"\0lwip_ %s\0"

# Name, version and build; and what a file has in it for them.
KNOWN: list[tuple[str, str | None, str | None, bytes]] = [
    ("ESP Easy", "20221105", None, b"ESP_Easy_mega_20221105_normal_ESP8266_4M1M.bin"),
    ("ESP Easy", None, None, b"href='http://www.letscontrolit.com'"),
    ("ESP Easy", None, None, b"Welcome to ESP Easy: %s\0<TR><TD>Build nr:<TD>"),
    ("ESP Easy", None, None, b"ESPEasy\0Build nr:\0"),
    ("ESPurna", "1.13.5", None, b"\0ESPURNA\0\0\0\x001.13.5\0"),
    ("ESPurna", "1.15.0-dev", None, b"[MAIN] ESPURNA 1.15.0-dev\0"),
    ("ESPurna", None, None, b"\0ESPURNA\0"),
    ("WLED", "0.14.3", None, b"WLED-AP\0#0001 OK - WLED v0.14.3\0"),
    ("WLED", "0.8.4", None, b"WLED-AP\0\x000.8.4\0"),
    ("WLED", "0.13.0-b5", None, b"<title>WLED UI</title>\0\x000.13.0-b5\0"),
    ("WLED", "0.16.0", None, b"STSW\2\0\0\x000.16.0\0"),
    ("WLED", None, None, b"WLED-AP\0\x001.4.9\0"),
    ("ESP8266 Deauther", "2.6.1", None, b"https://deauther.tk\0\x002.6.1\0"),
    ("ESP8266 Deauther", "2.1.0", None, b"ESP8266 Deauther \0v2.1.0\0"),
    ("ESP8266 Deauther", None, None, b"C:\\esp8266_deauther\\reset.ino"),
    ("Tasmota", "8.5.0", None, b"Tasmota %s" + firmwares.marker(0x08050000)),
    ("Tasmota", None, None, b"Tasmota %s" + firmwares.marker(0xFFFFFFFF)),
    ("Tasmota", None, None, b"<a>Sonoff-Tasmota %s by Theo Arends</a>"),
    ("ESPHome", "1.19.0-dev", None, b"ESPHome version 1.19.0-dev compiled on %s"),
    ("ESPHome", None, None, firmwares.marker(0xFFFFFFFF) + b"core_esp8266_main.cpp"),
    ("ESPHome", None, None, b"/src/esphome/core\0" + firmwares.marker(0xFFFFFFFF)),
    ("esp-link", "2.2.3", None, b"\0esp-link v2.2.3 - 2016\0"),
    ("esp-link", "3.2.47-g9c6530d", None, b"esp-link v3.2.47-g9c6530d - 2019"),
    ("esp-link", None, None, b"esp-link no.tag - now"),
    ("Espruino", "1v99", None, b"Espruino\0\x001v99\0"),
    ("Espruino", "2v13.131", None, b"Espruino %s\0 2v13.131\0"),
    ("Espruino", "1v75", None, b"|_| http://espruino.com\n 1v75 Copyright 2015"),
    ("WiFi Repeater", "2.2.17", None, b"Welcome to WiFi Repeater V2.2.17\0"),
    ("WiFi Repeater", "2.2.11", None, b"WiFi Repeater %s starting\0V2.2.11\0"),
    ("WiFi Repeater", None, None, b"WiFi Repeater %s starting\0"),
    ("WiFi Repeater", None, None, b"WiFi Repeater starting\r\n"),
    ("uMQTT Broker", "2.0.7", None, b"uMQTT Broker %s starting\0V2.0.7\0\x001.4.9\0"),
    ("uMQTT Broker", None, None, b"uMQTT Broker %s starting\0"),
    ("Sming", "3.8.1", None, b"Sming Framework Version : 3.8.1\n"),
    ("Sming", None, None, b"ESP8266 Sming Framework\0"),
    ("Sming", None, None, b"Sming Framework Version : %s\n"),
    (
        "LCM",
        "2.2.1",
        None,
        b"\x000.9.9\0RavenSystem/haa\0HomeACcessoryKid/lcm\x0060.0.0\x002.2.1\0LifeCycleManager version %s",
    ),
    ("LCM", None, None, b"--- running ota-main software\0LCM/OTA could not\x000.0.0\0"),
    ("HAA", None, None, b"HAABOOT\n"),
    ("HAA", None, None, b"HAA Installer\0ESP-Open-SDK ver: %s compiled @ %s"),
    ("HAA", "12.17.1", None, b"RavenSystem HAA Merlin\0User-Agent: HAA/12.17.1\r\n"),
    ("HAA", "12.18.0", None, b"RavenSystem HAA\nHome Accessory Architect 12.18.0\n"),
    ("HAA", "6.0.7", None, b"HAAMAIN\x001.1.0\0Home Accessory Architect v%s\n\0\0\x006.0.7\0"),
    ("HAA", "4.7.4", None, b"\n\nHAA Installer v%s\n\n\n\x004.7.4\0ota_version\x000.0.0\0"),
    ("HAA", "7.14.0", None, b"HAA Installer 7.14.0\nREPO" + firmwares.marker(0xFFFFFFFF)),
    (
        "Shelly",
        "1.5.6",
        "20191127-090654",
        b"SHSW-1\0conf9.json\0Mongoose/6.14\0\x0020191127-090654/v1.5.6@0d769d69\0",
    ),
    ("Shelly", None, "20200206-083750", b"SHSW-PM\0conf9.json\x0020200206-083750/master@0e2b1a8f\0"),
    ("Mongoose OS", None, None, b"Mongoose/6.18\0conf9.json\0"),
    ("Tuya", None, None, b"tuya_mdev_test1\0"),
    ("Tuya", None, None, b"http://a.gw.tuyacn.com/gw.json\0oem_esp_light1\0"),
    ("CoolKit", "1.5.5", None, b"/dispatch/device\0\x001.5.5\0" + bytes(0x300) + b"romVersion\0"),
    ("CoolKit", "2.0.1", None, b"\x002.0.1\0\x001.1.0\0" + bytes(0x300) + b"romVersion\0/dispatch/device"),
    ("CoolKit", None, None, b"/dispatch/device\0romVersion\0PSA-B01-GL\0\x001.5.5\0"),
    ("esp-open-rtos", None, None, b"\nESP-Open-SDK ver: %s compiled @ %s %s"),
    ("ESP8266 AT", None, None, b"+CWSAP\0+CIPMUX\0AT version:0.21.0.0"),
    ("ESP8266 AT", None, None, b"AT+CWSAP=?\0AT+CIPMUX?"),
    ("ESP8266 AT", None, None, b"AT version:0.25.0.0(Jun  5 2015 16:27:16)"),
    ("MicroPython", "1.19.1", "2022-06-18", b"MicroPython v1.19.1 on 2022-06-18; ESP"),
    ("NodeMCU", "0.9.2", None, b"NodeMcu 0.9.2 build powered by Lua 5.1.4"),
    ("NodeMCU", "0.9.5", "20150105", b"NodeMcu 0.9.5 build 20150105  powered by Lua 5.1.4"),
]

# What other firmware has of them.
NEAR_MISSES = [
    b"ESPEasy compatible",
    b"ESP Easy p2p\0",
    b"Build nr:",
    b"espurna-compatible MQTT",
    b"MYESPURNA\0",
    b"works with WLED 0.13",
    b"WLED sync",
    b"STSW\0\0\0\0text\0",
    b"Deauther attack seen",
    b"deauther",
    b"Tasmota template",
    b"esp-link compatible",
    b"esp-link v3",
    b"Espruino",
    b"Espruino on the ESP32",
    b"2v13\0",
    b"Espruino 12v135",
    b"WiFi Repeater mode",
    b"WiFi Repeater ",
    b"sming",
    b"Sming Framework",
    b"HAA",
    b"SGFBUkFB HAA base64",
    b"HAABOOT",
    b"RavenSystem/haa",
    b"Home Accessory Architect",
    b"LifeCycleManager",
    b"HomeACcessoryKid/rboot4lcm",
    b"uMQTT Broker",
    b"see espruino.com",
    firmwares.marker(0xFFFFFFFF),
    b"Shelly 1",
    b"SHSW-1",
    b"SHSW-1\0conf9.json",
    b"\x0020191127-090654/v1.5.6@0d769d69\0",
    b"conf9.json",
    b"Mongoose/6.18",
    b"Mongoose OS mgos_init",
    b"Tuya MCU",
    b"TuyaMCU tuyacn",
    b"oem_esp_light1",
    b"/dispatch/device",
    b"romVersion\0PSA-B01-GL",
    b"ESP-Open-SDK",
    b"itead",
    b"AT version: none",
    b"AT+CIPSTART\0AT+CWJAP\0AT+CIPMUX",
    b"+CWSAP",
    b"MicroPython v1.19",
    b"NodeMCU 1.0 (ESP-12E Module)",
    b"NodeMcu",
]


@pytest.mark.parametrize(
    ("name", "version", "build", "text"), KNOWN, ids=[f"{name}-{text[:20]!r}" for name, _, _, text in KNOWN]
)
def test_it_names_itself(name: str, version: str | None, build: str | None, text: bytes) -> None:
    for data in (text, NOISE + text + NOISE, bytes(0x1_0000) + text + b"\xff" * 0x1000):
        found = identify_firmware(data)
        assert found is not None
        assert (found.name, found.version, found.build) == (name, version, build)


@pytest.mark.parametrize("text", NEAR_MISSES, ids=repr)
def test_a_near_miss_is_nothing(text: bytes) -> None:
    assert identify_firmware(NOISE + text + NOISE) is None
    assert arduino_firmware(NOISE + text + NOISE).name == "Arduino"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name}-{row.marks[0]!r}")
def test_every_row_has_a_text(row: NameRow) -> None:
    assert any(name == row.name and row.find(Strings(NOISE + text + NOISE)) for name, _, _, text in KNOWN)
    assert not any(row.find(Strings(NOISE + text + NOISE)) for text in NEAR_MISSES)


def test_tasmota_holds_the_words_of_many() -> None:
    text = b"Tasmota %s\0Shelly 2.5\0Tuya MCU\0WLED\0ESPEasy\0Sonoff Basic\0" + firmwares.marker(0x09050001)
    found = identify_firmware(text)

    assert found is not None
    assert (found.name, found.version) == ("Tasmota", "9.5.0.1")


def test_more_is_said() -> None:
    shelly = identify_firmware(b"SHSW-25\0conf9.json\0 20191127-090654/v1.5.6@0d769d69\0")
    assert shelly is not None
    assert shelly.details == {"model": "SHSW-25"}
    coolkit = identify_firmware(b"/dispatch/device\0romVersion\0PSF-B01-GL\0")
    assert coolkit is not None
    assert coolkit.details == {"module": "PSF-B01-GL"}
    tuya = identify_firmware(b"tuya_mdev_test\0oem_esp_plug_1\0")
    assert tuya is not None
    assert tuya.details == {"product": "oem_esp_plug_1"}


def test_the_families() -> None:
    for row in SKETCHES:
        assert row.name in ARDUINO_NAMES
    open_rtos = [(name, Family.OPEN_RTOS) for name in ("esp-open-rtos", "HAA", "LCM")]
    for name, family in (*open_rtos, ("Sming", Family.SMING), ("esp-link", Family.NON_OS)):
        (text,) = [text for known, _, _, text in KNOWN if known == name][:1]
        assert generation_of(identify_firmware(text)).family is family


def test_real_images(corpus: Path) -> None:
    expected = {
        "sdkapps/mger-repeater-0x02000.bin": ("WiFi Repeater", "2.2.17", "3.0.0-dev(c0f7b44)"),
        "at/sdk1.4-user1.1024.new.2.bin": ("ESP8266 AT", None, "1.4.0"),
        "at/at-sdk2.0-noboot-eagle.irom0text.bin": ("non-OS SDK application", None, "2.0.0(656edbf)"),
        "nodemcu/nodemcu_integer_0.9.5_20150318.bin": ("NodeMCU", "0.9.5", "0.9.5"),
        "wled/WLED_0.14.3_ESP8266_160.bin": ("WLED", "0.14.3", "2.2.2-dev(38a443e)"),
    }
    for name, facts in expected.items():
        found = identify_firmware((corpus / name).read_bytes())
        assert found is not None
        assert (found.name, found.version, found.sdk) == facts


def test_every_name_is_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats" / "firmware.md").read_text(encoding="utf-8")

    assert [row.name for row in ROWS if f"\n| {row.name} | " not in page] == []
