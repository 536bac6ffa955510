from __future__ import annotations

from typing import Any

import pytest

from imgtool.formats.containers import tuya
from imgtool.formats.images import version2
from imgtool.formats.reading import FileKind, PartKind, Severity
from imgtool.formats.registry import identify
from tests.support import flipped, said


@pytest.mark.parametrize("name", ["tuya/ota.bin", "tuya/other-table.bin"])
def test_both_images_are_found_and_checked(made: dict[str, bytes], name: str) -> None:
    reading = identify(made[name])
    user1 = len(made["v2/user1.bin"])
    assert reading.kind is FileKind.TUYA_OTA
    places = [{"offset": 0x33, "size": user1}, {"offset": 0x33 + user1, "size": user1}]
    assert reading.parts[0].facts == {"version": "1.0.7", "images": places}
    tails = [part for part in reading.parts if part.kind is PartKind.CRC_TAIL]
    starts = [part.offset for part in reading.parts if part.kind is PartKind.IMAGE_V2]
    assert [tail.checksum.ok for tail in tails if tail.checksum is not None] == [True, True]
    assert starts == [0x33, 0x33 + user1]
    inner = [part for part in reading.parts if part.kind is PartKind.IMAGE_V1]
    assert all(made[name][part.offset] == 0xE9 for part in inner)
    assert inner[1].segments[0].offset == inner[1].offset + 16


def test_the_sums_hold(made: dict[str, bytes]) -> None:
    for name, count in (("tuya/ota.bin", 3), ("tuya/one.bin", 2)):
        reading = identify(made[name])
        sums = [
            part.checksum for part in reading.parts if part.checksum and part.checksum.algorithm == "sum32"
        ]
        assert [check.ok for check in sums] == [True] * count
        assert reading.findings == ()


def test_without_a_table_no_sum_covers_the_images(made: dict[str, bytes]) -> None:
    reading = identify(made["tuya/other-table.bin"])
    assert [(finding.severity, finding.code) for finding in reading.findings] == [
        (Severity.WARNING, "tuya-table")
    ]


@pytest.mark.parametrize(
    ("name", "codes", "message"),
    [
        ("broken/tuya-cut.bin", ["cut", "cut"], "image 2: "),
        ("broken/tuya-cut-header.bin", ["cut"], "the file is cut short: by its table"),
        ("broken/tuya-flipped.bin", ["checksum", "crc"], "image 2: the sum is"),
        ("broken/tuya-version.bin", ["checksum"], "the header's sum is"),
    ],
)
def test_damage(made: dict[str, bytes], name: str, codes: list[str], message: str) -> None:
    reading = identify(made[name])
    assert reading.kind is FileKind.TUYA_OTA
    assert [(f.severity, f.code) for f in reading.findings] == [(Severity.ERROR, code) for code in codes]
    assert reading.findings[0].message.startswith(message)


@pytest.mark.parametrize("name", ["tuya/ota.bin", "tuya/one.bin"])
def test_every_byte_of_the_header_is_told(made: dict[str, bytes], name: str) -> None:
    for place in range(4, identify(made[name]).parts[0].end):
        for mask in (0x01, 0x7C, 0x80):
            reading = identify(flipped(made[name], place, mask))
            assert reading.kind is FileKind.TUYA_OTA
            assert Severity.ERROR in {finding.severity for finding in reading.findings}, (place, mask)


@pytest.mark.parametrize("place", range(0x33, 0x43))
def test_an_image_that_no_table_names_is_missed(made: dict[str, bytes], place: int) -> None:
    reading = identify(flipped(made["tuya/other-table.bin"], place, 0x40))
    assert Severity.ERROR in {finding.severity for finding in reading.findings}


def test_every_byte_is_covered(made: dict[str, bytes]) -> None:
    """By a sum, or by the magics and the table, without which it is no such file, or says so."""
    whole = made["tuya/ota.bin"]
    for at in (*range(4, 0x33), *range(0x33, len(whole), 4001)):
        assert identify(flipped(whole, at)).findings, hex(at)


def test_an_image_of_no_known_kind(made: dict[str, bytes]) -> None:
    whole = bytearray(made["tuya/ota.bin"])
    second = 0x33 + len(made["v2/user1.bin"])
    whole[second] ^= 0xFF
    reading = identify(bytes(whole))
    assert [finding.code for finding in reading.findings] == ["checksum", "tuya-image"]
    assert reading.parts[-1].size == len(made["v2/user2.bin"])


def test_a_container_for_another_chip(made: dict[str, bytes]) -> None:
    whole = made["tuya/ota.bin"]
    reading = identify(whole[:51] + bytes(len(whole) - 51))
    assert [f.code for f in reading.findings] == ["other-chip"]
    assert said(reading.findings, "error") == ["other-chip"]
    assert tuya.read(b"\x55\xaa\x55\xaa" + bytes(60)) is None


def test_an_image_anywhere_in_a_file(made: dict[str, bytes]) -> None:
    user1 = made["v2/user1.bin"]
    alone = version2.read(user1)
    moved = version2.read_at(b"xyz" + user1 + b"behind", 3, len(user1))
    assert alone is not None
    assert moved is not None
    assert [part.offset - 3 for part in moved.parts] == [part.offset for part in alone.parts]
    assert moved.findings == alone.findings
    assert version2.read_at(user1, 1, 100) is None


def test_any_bytes(made: dict[str, bytes], survives: Any) -> None:  # noqa: ANN401
    survives(tuya.read, [data for name, data in made.items() if "tuya" in name])
