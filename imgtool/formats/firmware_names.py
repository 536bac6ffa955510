"""What well-known firmware calls itself: one row a firmware, with the strings that are surely its own.

A vendor's bare word is never enough: Tasmota holds those of many.  Where a row finds no version, the version
is not in the file.  NodeMCU's banner, MicroPython's, and the marks of Tasmota and ESPHome are in firmware.py.

Source: the strings of 289 images, of which each row names its own alone; see docs/formats/firmware.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imgtool.formats.strings import Strings

__all__ = ["APPLICATIONS", "SKETCHES", "NameRow", "Named", "named_by"]

_BEFORE: Final = 0x500  # bytes in front of a literal, in which a version stands


class Named(NamedTuple):
    """What a row makes of a file; always made with keywords.

    Attributes:
        name: The firmware.
        version: Its version; None where the file does not say.
        build: When it was built; None likewise.
        details: What else it says of itself, by name.
    """

    name: str
    version: str | None
    build: str | None
    details: Mapping[str, str]


class NameRow(NamedTuple):
    """A firmware and how it is told; always made with keywords.

    Attributes:
        name: What it is called.
        source: Where it is known from.
        marks: One of these must be there: literals of printable ASCII, as a search for those takes next to
            no time.
        also: One of these, too; empty for none.
        must: And all these patterns.
        versions: Patterns of its version, tried in order.
        version_before: The version stands in front of the first of these literals, and nowhere else.
        build: Pattern of the date of its build.
        details: Patterns of what else it says, by name.
    """

    name: str
    source: str
    marks: tuple[bytes, ...]
    also: tuple[bytes, ...] = ()
    must: tuple[bytes, ...] = ()
    versions: tuple[bytes, ...] = ()
    version_before: bytes = b""
    build: bytes = b""
    details: tuple[tuple[str, bytes], ...] = ()

    def find(self, strings: Strings) -> Named | None:
        """What the row makes of a file; None where it is another firmware."""
        if not strings.have_any(*self.marks):
            return None
        if self.also and not strings.have_any(*self.also):
            return None
        data = strings.data
        if any(re.search(pattern, data) is None for pattern in self.must):
            return None
        where = data
        if self.version_before:
            end = max(0, data.find(self.version_before))
            where = data[max(0, end - _BEFORE) : end]
        stated = (_first(pattern, where) for pattern in self.versions)
        details = {name: value for name, pattern in self.details if (value := _first(pattern, data))}
        return Named(
            name=self.name,
            version=next((version for version in stated if version is not None), None),
            build=_first(self.build, data) if self.build else None,
            details=details,
        )


def _first(pattern: bytes, data: bytes) -> str | None:
    found = re.search(pattern, data)
    return None if found is None or found[1] is None else found[1].decode("ascii", "replace").strip()


_SEEN: Final = "the strings of its images"  # there is no source
_MODEL: Final = rb"\b(SH[A-Z][A-Z0-9]{0,5}-[0-9A-Z]+)\b"
_MONGOOSE_BUILD: Final = rb"/(?<=\d{8}-\d{6}/)(?:v[\w.-]+|master)@[0-9a-f]{6}"
# WLED's description since 0.15: magic, layout version, then (from layout 2 on) the version as text.  Layout 1
# begins with the name of the release, which is no version.
_WLED_RECORD: Final = rb"STSW([\1-\x10])\0\0\0[\x20-\x7e]{1,47}\0"

SKETCHES: Final = (
    NameRow(
        name="ESP Easy",
        marks=(b"ESP_Easy_mega", b"www.letscontrolit.com"),
        versions=(rb"ESP_Easy_mega[_-](\d{8}(?:-\d+)?)",),
        source="https://github.com/letscontrolit/ESPEasy",
    ),
    # Its releases of 2016 and before; the number of the build is no string of theirs.
    NameRow(
        name="ESP Easy",
        marks=(b"Build nr:",),
        also=(b"ESP Easy", b"ESPEasy"),
        source="https://github.com/ESP8266nu/ESPEasy",
    ),
    NameRow(
        name="ESPurna",
        marks=(b"ESPURNA",),
        must=(rb"ESPURNA (?:\d+\.\d+\.\d|\0)|\0ESPURNA\0",),
        versions=(rb"ESPURNA[ \0]{1,4}v?(\d+\.\d+\.\d+[\w.-]*)",),
        source="https://github.com/xoseperez/espurna",
    ),
    NameRow(
        name="WLED",
        marks=(b"WLED",),
        must=(rb"<title>WLED|WLED-AP| - WLED v",),
        versions=(
            rb"WLED v?(\d+\.\d+\.\d+[\w.-]*)",
            rb"STSW[\2-\x10]\0\0\0([\x20-\x7e]{1,47})\0",
            rb"\0(0\.\d{1,2}\.\d{1,2}(?:-b\d+)?)\0",
        ),
        source="https://github.com/wled/WLED",
    ),
    NameRow(
        name="WLED",
        marks=(b"STSW",),
        must=(_WLED_RECORD,),
        versions=(rb"STSW[\2-\x10]\0\0\0([\x20-\x7e]{1,47})\0",),
        source="https://github.com/wled/WLED/blob/main/wled00/wled_metadata.cpp",
    ),
    NameRow(
        name="ESP8266 Deauther",
        marks=(b"eauther", b"EAUTHER"),
        must=(rb"deauther\.tk|(?:ESP|esp)8266[_ ](?:[Dd]eauther|DEAUTHER)",),
        versions=(rb"\0v(\d+\.\d+\.\d+)\0", rb"\0(2\.[5-9]\.\d+)\0"),
        source="https://github.com/SpacehuhnTech/esp8266_deauther",
    ),
)
"""Applications on the Arduino core."""

APPLICATIONS: Final = (
    NameRow(
        name="esp-link",
        marks=(b"esp-link ",),
        must=(rb"esp-link (?:v\d+\.\d+\.\d|no\.tag)",),
        versions=(rb"esp-link v(\d+\.\d+\.\d+[\w.-]*)",),
        source="https://github.com/jeelabs/esp-link",
    ),
    NameRow(
        name="Espruino",
        marks=(b"Espruino", b"espruino.com"),
        must=(rb"(?<![\w.])[12]v\d\d(?:\.\d+)?(?![\w.])",),
        versions=(rb"(?<![\w.])([12]v\d\d(?:\.\d+)?)(?![\w.])",),
        source="https://github.com/espruino/Espruino",
    ),
    NameRow(
        name="WiFi Repeater",
        marks=(b"WiFi Repeater ",),
        must=(rb"WiFi Repeater (?:V\d+\.\d+\.\d|(?:%s )?starting)",),
        versions=(rb"WiFi Repeater V(\d+\.\d+\.\d+)", rb"\0V(\d+\.\d+\.\d+)\0"),
        source="https://github.com/martin-ger/esp_wifi_repeater",
    ),
    NameRow(
        name="uMQTT Broker",
        marks=(b"uMQTT Broker %s starting",),
        versions=(rb"\0V(\d+\.\d+\.\d+)\0",),
        source="https://github.com/martin-ger/esp_mqtt",
    ),
    NameRow(
        name="Sming",
        marks=(b"Sming Framework",),
        must=(rb"Sming Framework Version : |ESP8266 Sming Framework",),
        versions=(rb"Sming Framework Version : v?(\d[\w.+-]*)",),
        source="https://github.com/SmingHub/Sming",
    ),
    # It fetches HAA, too, and names it.  The only number of it that begins with neither 0 nor two digits.
    NameRow(
        name="LCM",
        marks=(b"LifeCycleManager version", b"--- running ota-"),
        must=(rb"HomeACcessoryKid/|LCM/OTA",),
        versions=(rb"\0([1-9]\.\d{1,2}\.\d{1,2})\0",),
        source="https://github.com/HomeACcessoryKid/life-cycle-manager",
    ),
    NameRow(
        name="HAA",
        marks=(b"HAA", b"RavenSystem"),
        must=(rb"HAABOOT\n|HAA Installer|HAAMAIN|RavenSystem HAA|RavenSystem/haa/releases",),
        versions=(
            rb"Home Accessory Architect v?(\d+\.\d+\.\d+)",
            rb"(?:HAA Installer|Home Accessory Architect) v%s\n*\0+(\d+\.\d+\.\d+)\0",
            rb"HAA(?: Installer v?|/)(\d+\.\d+\.\d+)",
        ),
        source="https://github.com/RavenSystem/esp-homekit-devices",
    ),
    # On Mongoose OS; its model and the build with its commit are sure, the vendor's word is in many others.
    NameRow(
        name="Shelly",
        marks=(b"conf9.json",),
        must=(_MODEL, _MONGOOSE_BUILD),
        versions=(rb"/(?<=\d{8}-\d{6}/)v(\d[\w.-]*)@[0-9a-f]{6}",),
        build=rb"\b(\d{8}-\d{6})/(?:v[\w.-]+|master)@[0-9a-f]{6}",
        details=(("model", _MODEL),),
        source="https://shelly-api-docs.shelly.cloud/gen1/",
    ),
    NameRow(
        name="Mongoose OS",
        marks=(b"conf9.json",),
        must=(rb"Mongoose/\d",),
        source="https://github.com/cesanta/mongoose-os",
    ),
    NameRow(
        name="Tuya",
        marks=(b"tuya_mdev_test", b"oem_esp_"),
        must=(rb"tuya_mdev_test|tuyacn",),
        details=(("product", rb"\b(oem_esp_\w+)"),),
        source=_SEEN,
    ),
    # What the Sonoff switches of iTead, and others, come with.
    NameRow(
        name="CoolKit",
        marks=(b"/dispatch/device",),
        also=(b"romVersion",),
        versions=(rb"\0(\d\.\d\.\d)\0",),
        version_before=b"romVersion",
        details=(("module", rb"\b(PS[A-F]-B\w\w-GL)\b"),),
        source=_SEEN,
    ),
    NameRow(
        name="esp-open-rtos",
        marks=(b"ESP-Open-SDK ver: %s compiled @",),
        source="https://github.com/SuperHouse/esp-open-rtos/blob/master/core/app_main.c",
    ),
)
"""Firmware on an SDK without the Arduino core."""


def named_by(rows: tuple[NameRow, ...], strings: Strings) -> Named | None:
    """What the first row makes of a file that knows it; None if none does."""
    return next((named for row in rows if (named := row.find(strings)) is not None), None)
