"""Which firmware a file holds, by the strings in it: NodeMCU's banner, the SDK's version, Espressif's AT.

Strings can only name a firmware; whether it is whole is for the checks to say.
Banner grammar of each NodeMCU generation: docs/formats/aggregated.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from imgtool.formats.reading import Firmware

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["identify_firmware"]

# "NodeMcu" is how 0.9.2 spelled it.
_NAMES: Final = (b"NodeMCU ", b"NodeMcu ")
_WINDOW: Final = 2048
_VERSION: Final = re.compile(rb"(\d+(?:\.\d+)+|custom build)")
_BUILDER: Final = re.compile(
    rb"(?:custom build by|built on|built with Docker provided by|provided by) ([\w.-]+)"
)
_BUILD: Final = re.compile(
    rb"\bbuild[\s\0]+(?:built on:|created on)?[\s\0]*([0-9][0-9 :.-]*[0-9]|unspecified)"
)
_LUA: Final = re.compile(rb"powered by Lua (\d+(?:\.\d+)*)")
_FIELD: Final = re.compile(rb"\n\t([A-Za-z][\w ]*): ([^\n\0]*)")
# Digits, an optional -dev and the commit in parentheses: 1.5.4.1(39cb9a32), 3.0.6-dev(072755c).  The search
# starts from the parenthesis, which is rare, and looks back.
_COMMIT: Final = re.compile(rb"\([0-9a-f]{7,8}\)")
_SDK: Final = re.compile(rb"\d+\.\d+\.\d+(?:\.\d+)?(?:-dev)?\([0-9a-f]{7,8}\)\Z")
_SDK_LONGEST: Final = 32
_AT: Final = b"AT version:"
_AT_VERSION: Final = re.compile(rb"Bin version(?:\([^)]*\))?:(\d+(?:\.\d+)+)")
_COMPILED: Final = re.compile(rb"compile time:([A-Z][a-z]{2} +\d+ \d{4} [\d:]{8})")
# Strings of the SDK's own libraries, which every application links.
_SDK_MARKS: Final = (b"rf_cal[0] !=0x05,is ", b"SDK ver: %s compiled @ ")


def identify_firmware(data: bytes) -> Firmware | None:
    """Name the firmware in ``data`` by its strings; None if there is no string to go by."""
    sdk = _sdk(data)
    for banner in _banners(data):
        firmware = _nodemcu(banner, sdk)
        if firmware is not None:
            return firmware
    if _AT in data:
        version = _AT_VERSION.search(data)
        compiled = _COMPILED.search(data)
        return Firmware(
            "ESP8266 AT",
            None if version is None else _text(version[1]),
            sdk,
            None if compiled is None else _text(compiled[1]),
        )
    if sdk is not None or any(mark in data for mark in _SDK_MARKS):
        return Firmware("non-OS SDK application", sdk=sdk)
    return None


def _banners(data: bytes) -> Iterator[bytes]:
    for name in _NAMES:
        start = data.find(name)
        while start >= 0:
            yield data[start + len(name) : start + _WINDOW]
            start = data.find(name, start + 1)


def _nodemcu(banner: bytes, sdk: str | None) -> Firmware | None:
    lua = _LUA.search(banner)
    stated = _VERSION.match(banner)
    if lua is None or stated is None:
        return None
    # Lines that stand behind the Lua version belong to something else.
    banner = banner[: lua.end()]
    build = _BUILD.search(banner)
    builder = _BUILDER.search(banner)
    version = _text(stated[1])
    if version == "custom build":
        # The cloud builder's banner replaces the version number; NodeMCU's releases carry the SDK's.
        version = (sdk or "").split("(", maxsplit=1)[0]
    return Firmware(
        "NodeMCU",
        version or None,
        sdk,
        None if build is None else _text(build[1]),
        _text(lua[1]),
        None if builder is None else _text(builder[1]),
        {_text(name): _text(value) for name, value in _FIELD.findall(b"\n" + banner)},
    )


def _sdk(data: bytes) -> str | None:
    for commit in _COMMIT.finditer(data):
        found = _SDK.search(data[max(0, commit.start() - _SDK_LONGEST) : commit.end()])
        if found is not None:
            return _text(found[0])
    return None


def _text(value: bytes) -> str:
    return value.decode("ascii", "replace").strip()
