from __future__ import annotations

import pytest

from imgtool.formats.logs.boots import ResetCause
from imgtool.operations.explain.messages.table import read_log as read
from tests.boot_logs import BANNER, LOADED, LOADER, MB4, NOISE, RF, SDK


def test_facts_of_a_boot() -> None:
    result = read(
        "\n" + BANNER.replace("\r\n", "\n") + LOADED.replace("\r\n", "\n") + MB4 + RF.format(1019) + SDK
    )
    (boot,) = result.boots

    assert boot.cause == (2, "external reset: RST or EN pin, or wake-up from deep sleep")
    assert boot.mode == (3, 6, "boot from flash", False, True, True)
    assert [segment[:6] for segment in boot.segments] == [
        (4, 0x40100000, 28740, 16, 4, 0xE7),
        (7, 0x3FFE8000, 2888, 4, 4, 0xD6),
        (10, 0x3FFE8B50, 15536, 4, 12, 0x39),
    ]
    assert all(segment.consistent and segment.plausible for segment in boot.segments)
    assert boot.checksum == 0x39
    assert boot.loader == (15, "1.7(5d6f877)", "40MHz", "DIO", "4MB", 1, 0x1000)
    assert boot.rf_cal == (21, 1019, "4MB")
    assert boot.firmware == ()


@pytest.mark.parametrize(
    ("code", "pins"),
    [
        (0, (0, 0, 0)),
        (1, (0, 0, 1)),
        (2, (0, 1, 0)),
        (3, (0, 1, 1)),
        (4, (1, 0, 0)),
        (7, (1, 1, 1)),
        (8, (None,) * 3),
    ],
)
def test_straps(code: int, pins: tuple[int | None, ...]) -> None:
    mode = read(BANNER.replace("(3", f"({code}")).boots[0].mode

    assert mode is not None
    assert (mode.gpio15, mode.gpio0, mode.gpio2) == pins


@pytest.mark.parametrize(
    ("sector", "size"),
    [(123, "512KB"), (251, "1MB"), (507, "2MB"), (1019, "4MB"), (2043, "8MB"), (4091, "16MB")]
    + [(number, None) for number in (0, 59, 120, 128, 249, 1017, 99999)],
)
def test_rf_cal_sector(sector: int, size: str | None) -> None:
    rf_cal = read(BANNER + LOADED + RF.format(sector)).boots[0].rf_cal

    assert rf_cal is not None
    assert rf_cal.flash_size == size


@pytest.mark.parametrize(
    ("words", "size"),
    [
        ("4Mbit(256KB+256KB)", "512KB"),
        ("16Mbit(512KB+512KB)", "2MB"),
        ("16Mbit(1024KB+1024KB)", "2MB-c1"),
        ("32Mbit(1024KB+1024KB)", "4MB-c1"),
        ("128Mbit(1024KB+1024KB)", "16MB"),
        ("4Mbit", "512KB"),
        ("3Mbit", None),
    ],
)
def test_map_of_the_boot_loader(words: str, size: str | None) -> None:
    loader = read(BANNER + LOADED + LOADER.format(map=words)).boots[0].loader

    assert loader is not None
    assert loader.flash_size == size


def test_load_lines_without_a_banner_begin_a_boot() -> None:
    assert [boot.cause for boot in read(LOADED + SDK + LOADED + SDK).boots] == [None, None]


@pytest.mark.parametrize("cause", ResetCause)
def test_every_reset_cause_has_a_name(cause: ResetCause) -> None:
    found = read(BANNER.replace("cause:2", f"cause:{cause}")).boots[0].cause

    assert found is not None
    assert (found.code, found.name != "unknown") == (cause, True)


def test_a_reset_cause_that_the_chip_does_not_have() -> None:
    assert read(BANNER.replace("cause:2", "cause:9")).boots[0].cause == (9, "unknown")


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("", (0, False, False)),
        (NOISE * 4, (0, False, True)),
        (NOISE * 4 + BANNER, (1, False, False)),
        (BANNER * 2, (2, False, False)),
        ("ESP-ROM:esp32c3-api1-20210207\n" + BANNER, (0, True, False)),
    ],
)
def test_what_a_log_is(log: str, expected: tuple[int, bool, bool]) -> None:
    found = read(log)

    assert (len(found.boots), found.other_chip, found.noise) == expected


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("no GPIO select!\r\n", "gpio-select"),
        ("vffffffff\r\n", "eboot-erased"),
        ("~ld\r\n", "eboot-load"),
        ("boot not set\r\n", "boot-not-set"),
    ],
)
def test_lines_before_the_firmware_are_not_its_own(line: str, kind: str) -> None:
    (boot,) = read(BANNER + LOADED + line).boots

    assert (boot.has(kind), boot.firmware_lines) == (True, 0)
    assert read(line).boots == ()


def test_a_map_that_the_boot_loader_does_not_know() -> None:
    (boot,) = read(BANNER + LOADED + LOADER.format(map="flash map not support")).boots

    assert boot.loader is not None
    assert (boot.loader.flash_size, boot.loader.slot, boot.firmware_lines) == (None, 1, 0)
