from __future__ import annotations

from dataclasses import replace

import pytest

from imgtool.formats.reading import Firmware
from imgtool.formats.regions.init_data import SETS
from imgtool.layout.first_boot import (
    init_data_repair,
    init_data_tested_at,
    init_data_written,
    spiffs_formula,
)
from imgtool.layout.traits import InitDataRepair

CARRIES = b"\xff" * 0x800 + SETS["v05"] + b"\xff" * 0x800
LACKS = b"\xff" * 0x1000
BEHIND = b"\xff" * 0x1_0000 + SETS["v05"]


def nodemcu(version: str, built: str | None = None, branch: str = "") -> Firmware:
    return Firmware("NodeMCU", version, build=built, details={"branch": branch} if branch else {})


@pytest.mark.parametrize(
    ("firmware", "boot", "repair"),
    [
        (None, None, InitDataRepair.UNKNOWN),
        (Firmware("NodeMCU"), None, InitDataRepair.UNKNOWN),
        (nodemcu("0.9.5"), None, InitDataRepair.IF_ERASED),
        (nodemcu("1.4.0"), None, InitDataRepair.IF_ERASED),
        (nodemcu("1.5.1"), None, InitDataRepair.SDK_DEFAULT),
        (nodemcu("1.5.4.1"), None, InitDataRepair.UNKNOWN),
        (nodemcu("1.5.4.1"), LACKS, InitDataRepair.NEVER),
        (nodemcu("1.5.4.1"), BEHIND, InitDataRepair.NEVER),
        (nodemcu("1.5.4.1"), CARRIES, InitDataRepair.IF_ERASED),
        (nodemcu("2.2.1"), LACKS, InitDataRepair.IF_ERASED),
        (nodemcu("3.0.0"), LACKS, InitDataRepair.UNLESS_RECORDED),
        (Firmware("ESP8266 AT", "1.3", "1.5.4(baaeaebb)"), None, InitDataRepair.SDK_DEFAULT),
        (Firmware("ESP8266 AT", "1.7.6", "3.0.6-dev(072755c)"), None, InitDataRepair.NEVER),
        (Firmware("ESP8266 AT"), None, InitDataRepair.UNKNOWN),
        (Firmware("MicroPython", "1.14", "2.0.0(5a875ba)"), None, InitDataRepair.IF_ERASED),
        (Firmware("Tasmota", "12.5.0.3"), None, InitDataRepair.COMPILED_IN),
    ],
)
def test_what_is_done_about_missing_init_data(
    firmware: Firmware | None, boot: bytes | None, repair: InitDataRepair
) -> None:
    assert init_data_repair(firmware, boot) is repair


OLD = SETS["SDK 0.9"]


@pytest.mark.parametrize(
    ("firmware", "images", "written"),
    [
        (nodemcu("0.9.5"), [LACKS], OLD),
        (nodemcu("1.4.0"), [LACKS], OLD[:107] + b"\xff" + OLD[108:]),
        (nodemcu("1.5.1"), [LACKS], None),
        (nodemcu("1.5.4.1"), [LACKS], None),
        (nodemcu("1.5.4.1"), [BEHIND], None),
        (nodemcu("1.5.4.1"), [LACKS, CARRIES], SETS["v05"]),
        (nodemcu("2.2.1"), [CARRIES], SETS["v05"]),
        (nodemcu("3.0.0"), [LACKS], SETS["v05"]),
        (Firmware("ESP8266 AT", "1.7.6", "3.0.6-dev(072755c)"), [CARRIES], None),
    ],
)
def test_which_init_data_is_written(firmware: Firmware, images: list[bytes], written: bytes | None) -> None:
    assert init_data_written(firmware, images) == written


@pytest.mark.parametrize(
    ("version", "code", "place"),
    [
        ("1.5.4.1", 4, 0x3F_C000),
        ("1.5.4.1", 5, 0x7F_C000),
        ("2.0.0", 6, 0xFF_C000),
        ("2.1.0", 6, 0x3F_C000),
        ("0.9.5", 6, 0x3F_C000),
    ],
)
def test_two_releases_test_another_place(version: str, code: int, place: int) -> None:
    assert init_data_tested_at(nodemcu(version), code, 0x3F_C000) == place


@pytest.mark.parametrize(
    ("firmware", "boot", "formula"),
    [
        (None, None, None),
        (Firmware("NodeMCU"), None, None),
        (Firmware("ESP8266 AT", "1.7.6"), None, None),
        (Firmware("Arduino", "2.7.4"), None, None),
        (nodemcu("0.9.5"), None, "none"),
        (nodemcu("1.5.4.1"), None, None),
        (nodemcu("1.5.4.1"), LACKS, "linear"),
        (nodemcu("1.5.4.1"), CARRIES, "old"),
        (nodemcu("2.0.0"), None, "old"),
        (nodemcu("2.1.0"), None, None),
        (nodemcu("2.1.0", "20170521"), None, "old"),
        (nodemcu("2.1.0", "2017-06-01 10:00", "master"), None, "old"),
        (nodemcu("2.1.0", "2017-06-01 10:00", "dev"), None, None),
        (nodemcu("2.1.0", "2017-08-11 10:00"), None, "linear"),
        (nodemcu("2.1.0", "2018-11-16 10:00", "release"), None, "linear"),
        (nodemcu("2.1.0", "20181116"), None, None),  # whatever source its builder had
        (nodemcu("2.2.1"), None, "linear"),
        (nodemcu("3.0.0"), None, "linear"),
    ],
)
def test_the_formula_of_magics(firmware: Firmware | None, boot: bytes | None, formula: str | None) -> None:
    assert spiffs_formula(firmware, boot) == formula


@pytest.mark.parametrize("code", ["old", "linear"])
@pytest.mark.parametrize(
    ("firmware", "boot"),
    [
        (nodemcu("1.5.4.1"), None),
        (nodemcu("1.5.4.1"), LACKS),
        (nodemcu("1.5.4.1"), CARRIES),
        (nodemcu("2.1.0", "20181116"), None),
        (nodemcu("2.1.0", "2017-06-01 10:00", "dev"), None),
        (nodemcu("2.1.0", "2018-11-16 10:00", "release"), None),
    ],
)
def test_the_code_tells_the_formula_best(firmware: Firmware, boot: bytes | None, code: str) -> None:
    assert spiffs_formula(replace(firmware, spiffs_formula=code), boot) == code
