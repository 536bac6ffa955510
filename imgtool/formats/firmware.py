"""Which firmware a file holds, by the strings in it: banners, versions, marks of well-known applications.

Strings can only name a firmware; whether it is whole is for the checks to say.  Firmware that is told by a
string or two is a row of firmware_names.py, which SDK it is on is sdk_version.py's, and what the strings of a
NodeMCU leave open code/spiffs_formula.py reads in its code.  Banner grammar of each NodeMCU generation:
docs/formats/aggregated.md; all other strings: docs/formats/firmware.md.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imgtool.formats import fill
from imgtool.formats.reading import Firmware
from imgtool.formats.sdk_version import sdk_of
from imgtool.formats.strings import Strings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.formats.firmware_names import Named

__all__ = [
    "ARDUINO_NAMES",
    "AT_FIRMWARE",
    "GENERIC_NAMES",
    "RTOS_APPLICATION",
    "SDK_APPLICATION",
    "arduino_firmware",
    "identify_firmware",
]

SDK_APPLICATION: Final = "non-OS SDK application"
"""What is called so of which nothing but its SDK is known."""

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

RTOS_APPLICATION: Final = "ESP8266 RTOS SDK application"
"""What is called so that has no description of its own."""

GENERIC_NAMES: Final = (SDK_APPLICATION, RTOS_APPLICATION, "Arduino")
"""What firmware is called that does not name itself."""

AT_FIRMWARE: Final = "ESP8266 AT"
"""What Espressif's AT firmware is called."""

# Patterns are compiled when they are first searched for, as no file needs all of them.

# "NodeMcu" is how 0.9.2 spelled it.
_NAMES: Final = (b"NodeMCU ", b"NodeMcu ")
_WINDOW: Final = 2048
_AROUND: Final = 128
_SPAN: Final = 0x20_0000  # two OTA slots of 1 MB: no firmware runs from further on
# From the first to before the second, builds of one version have one formula or the other.
_TWO_FORMULAS: Final = (1, 5, 4, 1)
_ONE_FORMULA: Final = (2, 2)
_VERSION: Final = rb"(\d+(?:\.\d+)+|custom build)"
_BUILDER: Final = rb"(?:custom build by|built on|built with Docker provided by|provided by) ([\w.-]+)"
_BUILD: Final = rb"\bbuild[\s\0]+(?:built on:|created on)?[\s\0]*([0-9][0-9 :.-]*[0-9]|unspecified)"
_LUA: Final = rb"powered by Lua (\d+(?:\.\d+)*)"
_FIELD: Final = rb"\n\t([A-Za-z][\w ]*): ([^\n\0]*)"
# Every AT firmware has both commands; stock firmware has some of the others.
_AT: Final = (b"+CWSAP", b"+CIPMUX")
_AT_BANNER: Final = rb"AT version:[\d%]"
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
# The core's release is a string of its own where an application asks for it: 2_7_4, 3_0_0_RC1.
_CORE: Final = rb"\0(\d_\d{1,2}_\d{1,2}(?:[_-](?:RC|rc|beta|dev)\d*|_\d+)?)\0"
# Strings of the core's exception dump, which every sketch links.
_CORE_MARKS: Final = (b"core_esp8266_main.cpp", b"ctx: cont", b"core_esp8266_postmortem")

# What stands for the name of an application that has none.
_BUILT_WITH: Final = ("Arduino", "non-OS SDK application")


def same_application(one: Firmware | None, other: Firmware | None) -> bool | None:
    """Whether two files hold the same application, of whatever release; None where nothing tells.

    Names that say no more than what an application is built with tell nothing of two that have the same one.
    """
    names = [None if each is None or each.name in _BUILT_WITH else each.name for each in (one, other)]
    if names[0] is None and names[1] is None:
        return None
    return names[0] == names[1]


def names_itself(firmware: Firmware | None) -> bool:
    """Whether a name is that of the application, and not of what it is built with."""
    return firmware is not None and firmware.name not in _BUILT_WITH


def identify_firmware(data: bytes) -> Firmware | None:
    """Name the firmware in ``data`` by its strings; None if there is no string to go by."""
    data = _programmed(data)
    sdk = sdk_of(data)
    ways = (_of_nodemcu, _of_python, _of_sketch, _of_at, _of_application, _of_core, _of_sdk)
    strings = Strings(data)
    return next((firmware for way in ways if (firmware := way(strings, sdk)) is not None), None)


def _of_nodemcu(strings: Strings, sdk: str | None) -> Firmware | None:
    read = (_nodemcu(banner, sdk) for banner in _banners(strings.data))
    firmware = next((firmware for firmware in read if firmware is not None), None)
    if firmware is None or not _TWO_FORMULAS <= firmware.release < _ONE_FORMULA:
        return firmware
    from imgtool.formats.code.spiffs_formula import magic_formula  # noqa: PLC0415 - few versions need it

    return replace(firmware, spiffs_formula=magic_formula(strings.data))


def _of_python(strings: Strings, sdk: str | None) -> Firmware | None:
    python = _search(_PYTHON, strings, b"Python ")
    if python is None:
        return None
    details = {} if python[4] is None else {"board": _text(python[4])}
    return Firmware(_text(python[1]), _text(python[2]), sdk, _text(python[3]), details=details)


def _of_sketch(strings: Strings, sdk: str | None) -> Firmware | None:
    named = _sketch(strings)
    return None if named is None else _on_the_core(strings.data, named, sdk)


def _of_application(strings: Strings, sdk: str | None) -> Firmware | None:
    from imgtool.formats.firmware_names import APPLICATIONS, named_by  # noqa: PLC0415 - see _sketch

    named = named_by(APPLICATIONS, strings)
    return named and Firmware(named.name, named.version, sdk, named.build, details=named.details)


def _of_core(strings: Strings, sdk: str | None) -> Firmware | None:
    return _on_the_core(strings.data, None, sdk) if strings.have_any(*_CORE_MARKS) else None


def _of_at(strings: Strings, sdk: str | None) -> Firmware | None:
    data = strings.data
    if not all(map(strings.have, _AT)) and re.search(_AT_BANNER, data) is None:
        return None
    version = re.search(_AT_VERSION, data)
    compiled = re.search(_COMPILED, data)
    return Firmware(
        AT_FIRMWARE,
        None if version is None else _text(version[1]),
        sdk,
        None if compiled is None else _text(compiled[1]),
    )


def _of_sdk(strings: Strings, sdk: str | None) -> Firmware | None:
    named = sdk is not None or strings.have_any(*_SDK_MARKS)
    return Firmware(SDK_APPLICATION, sdk=sdk) if named else None


def _programmed(data: bytes) -> bytes:
    """What may run, without the erased flash behind it."""
    return data[: fill.run_start(data, 0, min(len(data), _SPAN))]


def arduino_firmware(data: bytes) -> Firmware:
    """The firmware of a file that is known to hold an Arduino application.

    An application that does not name itself is ``Arduino``, with the core's release as its version.
    """
    data = _programmed(data)
    return _on_the_core(data, _sketch(Strings(data)), sdk_of(data))


def _on_the_core(data: bytes, named: Named | None, sdk: str | None) -> Firmware:
    core = re.search(_CORE, data)
    release = None if core is None else _text(core[1]).replace("_", ".", 2)
    if named is None:
        return Firmware("Arduino", release, sdk)
    details = {} if release is None else {"Arduino core": release}
    return Firmware(named.name, named.version, sdk, named.build, details={**details, **named.details})


def _sketch(strings: Strings) -> Named | None:
    """Name and version of a well-known Arduino application."""
    marker = re.search(_TASMOTA, strings.data)
    if marker is not None and marker[1] != _NO_VERSION:
        return _named("Tasmota", _tasmota_version(marker[1]))
    stated = _search(_ESPHOME, strings, b"ESPHome version ", b"(esphome v")
    if stated is not None:
        return _named("ESPHome", _text(stated[1]))
    if marker is not None and strings.have(b"Tasmota"):
        return _named("Tasmota", None)  # that of 2025 has no version in it either
    if marker is not None and strings.have_any(b"esphome", *_CORE_MARKS):
        # HAA has it appended, where Tasmota is to load it.
        return _named("ESPHome", None)
    from imgtool.formats.firmware_names import SKETCHES, named_by  # noqa: PLC0415 - NodeMCU needs no rows

    named = named_by(SKETCHES, strings)
    if named is not None:
        return named
    return _named("Tasmota", None) if strings.have(_TASMOTA_AUTHOR) else None


def _named(name: str, version: str | None) -> Named:
    from imgtool.formats.firmware_names import Named  # noqa: PLC0415 - see _sketch

    return Named(name=name, version=version, build=None, details={})


def _search(pattern: bytes, strings: Strings, *literals: bytes) -> re.Match[bytes] | None:
    """Search for a pattern with one of the literals in it.

    A pattern that does not begin with a literal is tried at every byte; those of a 16 MB flash take a second.
    """
    data = strings.data
    for literal in filter(strings.have, literals):
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


def _text(value: bytes) -> str:
    return value.decode("ascii", "replace").strip()
