from __future__ import annotations

import pytest

from imgtool.formats.firmware import identify_firmware
from imgtool.formats.reading import Firmware
from tests.formats.code.listings import MAGIC, SUBTRAHENDS, function
from tests.support import IMAGES, real

# name, version, SDK, build, Lua, builder
Facts = tuple[str, str | None, str | None, str | None, str | None, str | None]
SYNTHESISED: dict[str, Facts | None] = {
    "sample/0x10000.bin": ("NodeMCU", "2.2.0", "2.2.1(6ab97e9)", "20190301", "5.1.4", None),
    "sample/0x00000.bin": None,
    "nodemcu-0.9.5/0x00000.bin": ("NodeMCU", "0.9.5", None, "20150318", "5.1.4", None),
    "nodemcu-1.5.4.1-cloud/0x10000.bin": (
        "NodeMCU",
        "1.5.4.1",
        "1.5.4.1(39cb9a32)",
        "2017-01-19 11:09",
        "5.1.4",
        "frightanic.com",
    ),
    "nodemcu-3.0-2019/0x10000.bin": (
        "NodeMCU",
        "3.0.0.0",
        "3.0.1-dev(fce080e)",
        "2019-09-10 12:34",
        "5.1.4",
        "frightanic.com",
    ),
    "nodemcu-3.0-2021/0x10000.bin": (
        "NodeMCU",
        "3.0.0.0",
        "3.0.1-dev(fce080e)",
        "2021-02-03 04:05",
        "5.1.4",
        "nodemcu-build.com",
    ),
    "nonos-2.0/eagle.irom0text.bin": ("non-OS SDK application", None, "2.0.0(656edbf)", None, None, None),
    "v2/user1.bin": ("non-OS SDK application", None, "2.2.1(6ab97e9)", None, None, None),
}
REAL: dict[str, Facts | None] = {
    "nodemcu/flasher-0x00000.bin": ("NodeMCU", "0.9.5", "0.9.5", "20150213", "5.1.4", None),
    "nodemcu/nodemcu_integer_0.9.5_20150318.bin": ("NodeMCU", "0.9.5", "0.9.5", "20150318", "5.1.4", None),
    "nodemcu/fw092-nodemcu_2M_20141219.bin": ("NodeMCU", "0.9.2", None, "20141219", "5.1.4", None),
    "nodemcu/yuan-nodemcu_integer.bin": ("NodeMCU", "2.1.0", "2.1.0(116b762)", "20181116", "5.1.4", None),
    "nodemcu/heikomat-firmware-lfs.bin": (
        "NodeMCU",
        "3.0.0.0",
        "3.0.1-dev(fce080e)",
        "2020-06-03 17:52",
        "5.1.4",
        "frightanic.com",
    ),
    "at/at-sdk3.0.6-2024-06-user1.bin": (
        "ESP8266 AT",
        "1.7.6",
        "3.0.6-dev(072755c)",
        "Jun 17 2024 07:38:00",
        None,
        None,
    ),
    "boot/boot_v1.7.bin": None,
}


def facts(firmware: Firmware | None) -> Facts | None:
    if firmware is None:
        return None
    return (firmware.name, firmware.version, firmware.sdk, firmware.build, firmware.lua, firmware.builder)


@pytest.mark.parametrize(("name", "expected"), SYNTHESISED.items(), ids=SYNTHESISED)
def test_synthesised(name: str, expected: Facts | None) -> None:
    found = identify_firmware(IMAGES[name])

    assert facts(found) == expected


@pytest.mark.parametrize(("name", "expected"), REAL.items(), ids=REAL)
def test_real(name: str, expected: Facts | None) -> None:
    assert facts(identify_firmware(real(name))) == expected


def test_lines_of_a_banner() -> None:
    found = identify_firmware(IMAGES["nodemcu-3.0-2021/0x10000.bin"])

    assert found is not None
    assert dict(found.details) == {
        "branch": "release",
        "commit": "260cc3c62714969e994fbea740153a9dee0641f2",
        "release": "3.0-release_20210201",
        "release DTS": "202102010145",
        "SSL": "false",
        "build type": "integer",
        "LFS": "0x10000 bytes total capacity",
        "modules": "file,gpio,net,node,sjson,tmr,uart,wifi",
    }


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("2.2.0", (2, 2, 0)),
        ("1.5.4.1", (1, 5, 4, 1)),
        ("3.0.0.0", (3, 0, 0, 0)),
        ("1.7.6-dev", (1, 7, 6)),
        (None, ()),
        ("", ()),
        ("custom", ()),
    ],
)
def test_release(version: str | None, release: tuple[int, ...]) -> None:
    assert Firmware("NodeMCU", version).release == release


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"NodeMCU ",
        b"NodeMCU 2.2.0 build 1",
        b"powered by Lua 5.1.4 on SDK NodeMCU",
        b"\xff" * 4096,
        b"(6ab97e9)",
    ],
    ids=repr,
)
def test_strings_that_name_nothing(data: bytes) -> None:
    assert identify_firmware(data) is None


def test_banner_at_the_end_of_the_file() -> None:
    found = identify_firmware(b"NodeMCU 2.2.0 build 20190301 powered by Lua 5.1.4")

    assert facts(found) == ("NodeMCU", "2.2.0", None, "20190301", "5.1.4", None)


@pytest.mark.parametrize(
    "sdk", ["2.2.1(6ab97e9)", "1.5.4.1(39cb9a32)", "3.0.6-dev(072755c)", "2.2.2-dev(c0eb301)"]
)
def test_sdk_revision(sdk: str) -> None:
    found = identify_firmware(b"\0\0" + sdk.encode() + b"\0")

    assert found is not None
    assert found.sdk == sdk


FORMATS = {
    "old": function(SUBTRAHENDS["old"], MAGIC) * 2,
    "linear": function(SUBTRAHENDS["argument"], MAGIC) * 2,
}


@pytest.mark.parametrize("formula", FORMATS)
@pytest.mark.parametrize(
    ("version", "open_"),
    [
        ("1.5.1", False),
        ("1.5.4.1", True),
        ("2.0.0", True),
        ("2.1.0", True),
        ("2.2.0", False),
        ("3.0.0.0", False),
    ],
)
def test_the_code_tells_what_the_version_leaves_open(version: str, formula: str, *, open_: bool) -> None:
    banner = f"\0NodeMCU {version} build unspecified powered by Lua 5.1.4 on SDK %s\0".encode()
    firmware = identify_firmware(FORMATS[formula] + banner)
    silent = identify_firmware(FORMATS["old"] + FORMATS["linear"] + banner)

    assert firmware is not None
    assert firmware.spiffs_formula == (formula if open_ else None)
    assert silent is not None
    assert silent.spiffs_formula is None
