"""What a flash loses, by the firmware that is on it: how many bytes of what, and nothing where nothing is."""

from __future__ import annotations

from typing import Final

import pytest

from fixtures import blocks
from fixtures.upgrades import MB, before_3, flash, from_3, spiffs, used, used_3
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.draft import PlanRequest, Target
from imgtool.operations.flashing.plan import plan_flash
from tests.slow_reader import SlowReader
from tests.support import IMAGES

NEW: Final = from_3()
EMPTY: Final = used(before_3("2.2.1"), {}, MB)
NOISE: Final = blocks.stream("losses/unknown", 0x3000)


def losses(old: bytes, new: bytes = NEW, at: int = 0, *, quick: bool = True) -> dict[tuple[str, str], int]:
    request = PlanRequest((Piece(at, new, "new.bin"),), init_data=InitDataSource())
    target = Target("ESP8266EX", False, "", b"", len(old))
    found = plan_flash(request, target, SlowReader(old, quick=quick)).losses
    return {(str(loss.kind), loss.name): loss.size for loss in found}


PARAMETERS: Final = ("settings", "the SDK's parameters")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("dumps/arduino-4m.bin", {("firmware", "Tasmota 9.5.0.1"): 32432, ("settings", "EEPROM"): 4096}),
        (
            "dumps/micropython-1m.bin",
            {("firmware", "MicroPython 1.19.1"): 87344, ("files", "FAT volume"): 28672},
        ),
        ("dumps/rboot-1m.bin", {("firmware", "an application behind rBoot"): 126368}),
        ("dumps/sdk-boot-1m.bin", {("firmware", "an application behind Espressif's boot loader"): 129424}),
        ("dumps/tuya-like-1m.bin", {("settings", "text in the place of RF calibration"): 4096}),
        ("dumps/rtos3-1m.bin", {("settings", "the partition nvs (data, nvs)"): 4096}),
        ("generations/shelly.bin", {("firmware", "a firmware that imgtool does not know"): 5584}),
    ],
)
def test_what_is_lost_of_another_firmware(name: str, wanted: dict[tuple[str, str], int]) -> None:
    found = losses(IMAGES[name])
    assert wanted.items() <= found.items(), found


@pytest.mark.parametrize("name", [n for n in IMAGES if n.startswith("dumps/") and len(IMAGES[n]) >= MB])
def test_a_dump_that_is_cut_is_no_reason_to_fail(name: str) -> None:
    for size in (0x123, 0x1000, 0x1_2345, 0x8_0000):
        assert isinstance(losses(IMAGES[name][:size].ljust(len(IMAGES[name]), b"\xff")), dict)


@pytest.mark.parametrize(
    "old",
    [
        b"\xff" * MB,
        EMPTY,
        used_3(from_3(), {}, MB),
        flash(before_3("2.2.1"), {}, MB),
        IMAGES["dumps/wiped-1m.bin"],
    ],
    ids=["erased", "2.2 without files", "3 without files", "2.2, nothing else", "wiped"],
)
@pytest.mark.parametrize("quick", [True, False])
def test_where_nothing_is_of_value_nothing_is_lost(old: bytes, quick: bool) -> None:
    found = losses(old, quick=quick)
    assert {kind for kind, _ in found} <= {"settings"}, found


@pytest.mark.parametrize(("start", "size"), [(0x28000, 0x1000), (0x28000, 0x3000), (0x24000, 0x2000)])
def test_unknown_data_is_counted_by_sectors(start: int, size: int) -> None:
    old = bytearray(b"\xff" * MB)
    old[start : start + size] = NOISE[:size]
    assert losses(bytes(old), b"\x5a" * 0x10000, 0x20000) == {("unknown", "unknown data"): size}


def test_unknown_data_elsewhere_is_not_lost() -> None:
    old = bytearray(b"\xff" * MB)
    old[0x80000:0x83000] = NOISE
    assert losses(bytes(old), b"\x5a" * 0x10000, 0x20000) == {}


def test_a_sector_that_begins_erased_is_seen_by_its_digest() -> None:
    old = bytearray(b"\xff" * MB)
    old[0x2_0800:0x2_0900] = NOISE[:0x100]
    assert losses(bytes(old), b"\x5a" * 0x10000, 0x20000) == {("unknown", "unknown data"): 0x1000}


def test_data_over_files_and_settings_is_told() -> None:
    old = used_3(from_3(), {0x20000: spiffs(16)}, MB)
    assert ("files", "SPIFFS") in losses(old, b"\x5a" * 0x1000, 0x21000)
    assert ("settings", "NodeMCU's settings") in losses(old, b"\x5a" * 0x1000, 0x10000)


def test_no_network_is_named_where_none_is_stored() -> None:
    request = PlanRequest((Piece(0, from_3(early=True), "new.bin"),), init_data=InitDataSource())
    target = Target("ESP8266EX", False, "", b"", MB)
    bare = bytearray(EMPTY)
    bare[MB - 0x3000 :] = b"\xff" * 0x3000
    for old, stored in ((EMPTY, True), (bytes(bare), False)):
        plan = plan_flash(request, target, SlowReader(old))
        words = " ".join(str(finding.message) for finding in plan.findings)
        assert ("with a network in them" in words) is stored
        assert any(loss.name == PARAMETERS[1] for loss in plan.losses) is stored
