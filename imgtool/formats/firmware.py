"""Which firmware a file holds, by the strings in it: banners, versions, marks of well-known applications.

Strings can only name a firmware; whether it is whole is for the checks to say.  Banner grammar of each
NodeMCU generation: docs/formats/aggregated.md; strings of Arduino applications: docs/formats/arduino.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from imgtool.formats.reading import Firmware

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ARDUINO_NAMES", "arduino_firmware", "identify_firmware"]

ARDUINO_NAMES: Final = (
    "Arduino",
    "Tasmota",
    "ESPHome",
    "ESP Easy",
    "ESPurna",
    "WLED",
    "ESP8266 Deauther",
)
"""What firmware on the Arduino core is called here."""

# Patterns are compiled when they are first searched for, as no file needs all of them.

# "NodeMcu" is how 0.9.2 spelled it.
_NAMES: Final = (b"NodeMCU ", b"NodeMcu ")
_WINDOW: Final = 2048
_AROUND: Final = 128
_SPAN: Final = 0x20_0000  # two OTA slots of 1 MB: no firmware runs from further on
_VERSION: Final = rb"(\d+(?:\.\d+)+|custom build)"
_BUILDER: Final = rb"(?:custom build by|built on|built with Docker provided by|provided by) ([\w.-]+)"
_BUILD: Final = rb"\bbuild[\s\0]+(?:built on:|created on)?[\s\0]*([0-9][0-9 :.-]*[0-9]|unspecified)"
_LUA: Final = rb"powered by Lua (\d+(?:\.\d+)*)"
_FIELD: Final = rb"\n\t([A-Za-z][\w ]*): ([^\n\0]*)"
# Digits, an optional -dev and the commit in parentheses: 1.5.4.1(39cb9a32), 3.0.6-dev(072755c).  The search
# starts from the parenthesis, which is rare, and looks back.
_COMMIT: Final = rb"\([0-9a-f]{7,8}\)"
_SDK: Final = rb"\d+\.\d+\.\d+(?:\.\d+)?(?:-dev)?\([0-9a-f]{7,8}\)\Z"
_SDK_LONGEST: Final = 32
_AT: Final = b"AT version:"
_AT_VERSION: Final = rb"Bin version(?:\([^)]*\))?:(\d+(?:\.\d+)+)"
_COMPILED: Final = rb"compile time:([A-Z][a-z]{2} +\d+ \d{4} [\d:]{8})"
# Strings of the SDK's own libraries, which every application links.
_SDK_MARKS: Final = (b"rf_cal[0] !=0x05,is ", b"SDK ver: %s compiled @ ")

_PYTHON: Final = rb"(MicroPython|CircuitPython) v?(\d[\w.+-]*) on (\d{4}-\d\d-\d\d)(?:; ([^\0\r\n]{1,64}))?"

# The magic words around Tasmota's version number; ESPHome borrows them with all bits set.
_TASMOTA: Final = rb"(?s)\xa5\x5a\xa5\x5a(.{4})\x5a\xa5\x5a\xa5"
_NO_VERSION: Final = b"\xff\xff\xff\xff"
_TASMOTA_AUTHOR: Final = b"Theo Arends"
_ESPHOME: Final = rb"(?:ESPHome version |\(esphome v)(\d+\.\d+\.[\w.-]+)"
# WLED's description since 0.15: magic, layout version, then (from layout 2 on) the version as text.
_WLED_RECORD: Final = rb"STSW([\1-\x10])\0\0\0([\x20-\x7e]{1,47})\0"
_WLED: Final = rb"WLED v(\d+\.\d+[\w.-]*)"
_WLED_TITLE: Final = b"<title>WLED"
_ESP_EASY: Final = rb"ESP_Easy_mega[_-](\d{8}(?:-\d+)?)"
_ESP_EASY_HOME: Final = b"www.letscontrolit.com"
_ESPURNA: Final = rb"\0ESPURNA[ \0]{1,4}(?:v?(\d+\.\d+\.\d+[\w.-]*))?"
_DEAUTHER: Final = rb"(?i)esp8266[_ ]deauther"
_DEAUTHER_VERSION: Final = rb"\0v(\d+\.\d+\.\d+)\0"
# The core's release is a string of its own where an application asks for it: 2_7_4, 3_0_0_RC1.
_CORE: Final = rb"\0(\d_\d{1,2}_\d{1,2}(?:[_-](?:RC|rc|beta|dev)\d*|_\d+)?)\0"
# Strings of the core's exception dump, which every sketch links.
_CORE_MARKS: Final = (b"core_esp8266_main.cpp", b"ctx: cont", b"core_esp8266_postmortem")


def identify_firmware(data: bytes) -> Firmware | None:
    """Name the firmware in ``data`` by its strings; None if there is no string to go by."""
    data = data[:_SPAN]
    sdk = _sdk(data)
    for banner in _banners(data):
        firmware = _nodemcu(banner, sdk)
        if firmware is not None:
            return firmware
    python = _search(_PYTHON, data, b"Python ")
    if python is not None:
        details = {} if python[4] is None else {"board": _text(python[4])}
        return Firmware(_text(python[1]), _text(python[2]), sdk, _text(python[3]), details=details)
    named = _sketch(data)
    if named is not None or any(mark in data for mark in _CORE_MARKS):
        return arduino_firmware(data)
    if _AT in data:
        version = re.search(_AT_VERSION, data)
        compiled = re.search(_COMPILED, data)
        return Firmware(
            "ESP8266 AT",
            None if version is None else _text(version[1]),
            sdk,
            None if compiled is None else _text(compiled[1]),
        )
    if sdk is not None or any(mark in data for mark in _SDK_MARKS):
        return Firmware("non-OS SDK application", sdk=sdk)
    return None


def arduino_firmware(data: bytes) -> Firmware:
    """The firmware of a file that is known to hold an Arduino application.

    An application that does not name itself is ``Arduino``, with the core's release as its version.
    """
    data = data[:_SPAN]
    core = re.search(_CORE, data)
    release = None if core is None else _text(core[1]).replace("_", ".", 2)
    named = _sketch(data)
    if named is None:
        return Firmware("Arduino", release, _sdk(data))
    details = {} if release is None else {"Arduino core": release}
    return Firmware(named[0], named[1], _sdk(data), details=details)


def _sketch(data: bytes) -> tuple[str, str | None] | None:
    """Name and version of a well-known Arduino application."""
    marker = re.search(_TASMOTA, data)
    if marker is not None and marker[1] != _NO_VERSION:
        return "Tasmota", _tasmota_version(marker[1])
    stated = _search(_ESPHOME, data, b"ESPHome version ", b"(esphome v")
    if marker is not None or stated is not None:
        return "ESPHome", None if stated is None else _text(stated[1])
    for name, version, mark in (
        ("ESP Easy", _ESP_EASY, _ESP_EASY_HOME),
        ("ESPurna", _ESPURNA, None),
        ("WLED", _WLED, _WLED_TITLE),
    ):
        stated = re.search(version, data)
        if stated is not None or (mark is not None and mark in data):
            number = None if stated is None or stated[1] is None else _text(stated[1])
            return name, number
    record = re.search(_WLED_RECORD, data)
    if record is not None:
        # Layout 1 begins with the name of the release, which is no version.
        return "WLED", _text(record[2]) if record[1] > b"\1" else None
    if _search(_DEAUTHER, data, b"eauther", b"EAUTHER") is not None:
        stated = re.search(_DEAUTHER_VERSION, data)
        return "ESP8266 Deauther", None if stated is None else _text(stated[1])
    return ("Tasmota", None) if _TASMOTA_AUTHOR in data else None


def _search(pattern: bytes, data: bytes, *literals: bytes) -> re.Match[bytes] | None:
    """Search for a pattern with one of the literals in it.

    A pattern that does not begin with a literal is tried at every byte; those of a 16 MB flash take a second.
    """
    for literal in literals:
        place = data.find(literal)
        while place >= 0:
            found = re.compile(pattern).search(data, max(0, place - _AROUND), place + _AROUND)
            if found is not None:
                return found
            place = data.find(literal, place + 1)
    return None


def _tasmota_version(word: bytes) -> str:
    numbers = list(reversed(word))
    return ".".join(str(n) for n in (numbers if numbers[-1] else numbers[:-1]))


def _banners(data: bytes) -> Iterator[bytes]:
    for name in _NAMES:
        start = data.find(name)
        while start >= 0:
            yield data[start + len(name) : start + _WINDOW]
            start = data.find(name, start + 1)


def _nodemcu(banner: bytes, sdk: str | None) -> Firmware | None:
    lua = re.search(_LUA, banner)
    stated = re.match(_VERSION, banner)
    if lua is None or stated is None:
        return None
    # Lines that stand behind the Lua version belong to something else.
    banner = banner[: lua.end()]
    build = re.search(_BUILD, banner)
    builder = re.search(_BUILDER, banner)
    version = _text(stated[1])
    if version == "custom build":
        # The cloud builder's banner replaces the version number; NodeMCU's releases carry the SDK's.
        version = (sdk or "").split("(", maxsplit=1)[0]
    return Firmware(
        name="NodeMCU",
        version=version or None,
        sdk=sdk,
        build=None if build is None else _text(build[1]),
        lua=_text(lua[1]),
        builder=None if builder is None else _text(builder[1]),
        details={_text(name): _text(value) for name, value in re.findall(_FIELD, b"\n" + banner)},
    )


def _sdk(data: bytes) -> str | None:
    for commit in re.finditer(_COMMIT, data):
        found = re.search(_SDK, data[max(0, commit.start() - _SDK_LONGEST) : commit.end()])
        if found is not None:
            return _text(found[0])
    return None


def _text(value: bytes) -> str:
    return value.decode("ascii", "replace").strip()
