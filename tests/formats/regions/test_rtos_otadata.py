"""The RTOS SDK's otadata: entries, and files of them."""

from __future__ import annotations

import pytest

from fixtures import firmwares
from imgtool.formats.reading import Severity
from imgtool.formats.regions.rtos_otadata import OtaData, OtaEntry, read
from imgtool.formats.registry import identify
from imgtool.operations.inspect.describe import describe
from tests.support import codes, flipped, said

SECTOR = 0x1000
BLANK = b"\xff" * SECTOR


def sector(number: int) -> bytes:
    return firmwares.ota_entry(number).ljust(SECTOR, b"\xff")


@pytest.mark.parametrize(("number", "crc"), [(1, 0x4743989A), (2, 0x55F63774)])
def test_published_crcs(number: int, crc: int) -> None:
    assert OtaEntry(number).crc == crc
    assert sector(number)[28:32] == crc.to_bytes(4, "little")


@pytest.mark.parametrize(
    ("first", "second", "newest", "of_two"),
    [
        (sector(1), BLANK, 1, 0),
        (sector(1), sector(2), 2, 1),
        (sector(3), sector(2), 3, 0),
        (BLANK, sector(4), 4, 1),
        (sector(1), b"\0" * 4 + BLANK[4:], 1, 0),  # as Arduino for the ESP32 writes it
        (BLANK, b"\0" * 4 + BLANK[4:], 0, 1),  # 0 less 1 in 32 bits
    ],
    ids=["first", "both", "third", "second alone", "zero behind", "zero alone"],
)
def test_the_update_in_force(first: bytes, second: bytes, newest: int, of_two: int) -> None:
    parsed = OtaData.parse(first + second)

    assert (parsed.newest, parsed.slot(2), parsed.empty) == (newest, of_two, False)


def test_a_file() -> None:
    description = describe(sector(1) + sector(2))

    assert (description.kind, description.ok, description.foreign) == ("otadata", True, False)
    assert [(part.kind, part.offset, part.note) for part in description.parts] == [
        ("user-data", 0, "update 1"),
        ("blank", 0x20, "erased"),
        ("user-data", 0x1000, "update 2"),
        ("blank", 0x1020, "erased"),
    ]
    assert [check.ok for _, check in description.checksums] == [True, True]
    assert codes(description.findings) == ["otadata-chip"]


@pytest.mark.parametrize("offset", [0, 3, 28, 31, 0x1000, 0x101F])
def test_damage_is_an_error(offset: int) -> None:
    description = describe(flipped(sector(1) + sector(2), offset))

    assert description.kind == "otadata"
    assert said(description.findings, "error") == ["otadata-crc"]


@pytest.mark.parametrize(
    "data",
    [
        sector(1),
        sector(1) + BLANK + b"\xff",
        flipped(sector(1) + BLANK, 4),
        flipped(sector(1) + BLANK, 0x20),
        flipped(sector(1) + BLANK, 0x1FFF),
        bytes(2 * SECTOR),
    ],
    ids=["half", "longer", "label", "behind", "last", "zeros"],
)
def test_what_is_none(data: bytes) -> None:
    assert read(data) is None
    assert identify(data).kind != "otadata"


def test_never_written_is_blank_and_says_what_it_may_be() -> None:
    description = describe(BLANK + BLANK)

    assert description.kind == "blank"
    assert codes(description.findings) == ["blank-otadata"]
    assert codes(describe(BLANK).findings) == []


def test_in_a_flash_a_wrong_crc_is_a_warning() -> None:
    findings = OtaData.parse(b"\xff" * 0x10 + flipped(sector(1), 0) + BLANK, 0x10).findings(0x10)

    assert [(f.severity, f.code, f.offset) for f in findings] == [(Severity.WARNING, "otadata-crc", 0x10)]
