"""The RTOS SDK's partition table: rows and MD5."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from fixtures import firmwares
from imgtool.errors import FormatError
from imgtool.formats.regions import rtos_partitions
from imgtool.formats.regions.rtos_partitions import Partition, RtosPartitionTable
from imgtool.formats.registry import identify

if TYPE_CHECKING:
    from pathlib import Path


@cache
def files() -> dict[str, bytes]:
    return firmwares.rtos_files()


def test_rows() -> None:
    table = RtosPartitionTable.parse(files()["rtos3/partitions.bin"])
    assert [(p.label, p.kind, p.offset, p.size) for p in table.partitions] == [
        ("nvs", "data, nvs", 0x9000, 0x4000),
        ("otadata", "data, ota", 0xD000, 0x2000),
        ("phy_init", "data, phy", 0xF000, 0x1000),
        ("ota_0", "app, ota_0", 0x10000, 0xF0000),
        ("ota_1", "app, ota_1", 0x110000, 0xF0000),
    ]
    assert table.rows == firmwares.PARTITIONS
    assert table.checksum is not None
    assert table.checksum.ok


def test_kinds_without_a_name() -> None:
    assert Partition(0x40, 7, 0, 0, "own").kind == "0x40, 0x07"
    assert Partition(0, 0x20, 0, 0, "t").kind == "app, test"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("broken/partitions-row.bin", "partition-row"),
        ("broken/partitions-size.bin", "md5"),
        ("broken/partitions-cut.bin", "cut"),
        ("rtos3/partitions-no-md5.bin", "no-md5"),
    ],
)
def test_findings(name: str, code: str) -> None:
    reading = rtos_partitions.read(files()[name])
    assert reading is not None
    assert [finding.code for finding in reading.findings] == [code]


@pytest.mark.parametrize("offset", [0x42, 0x6C, 0xA0, 0xA2, 0xBF, 0xC0, 0xBFF])
def test_damage_behind_and_in_rows_is_an_error(offset: int) -> None:
    reading = rtos_partitions.read(firmwares.flipped(files()["rtos3/partitions.bin"], offset))
    assert reading is not None
    assert reading.findings


ALONE = b"\xeb\xeb" + b"\xff" * 14 + bytes.fromhex("d41d8cd98f00b204e9800998ecf8427e")


@pytest.mark.parametrize("size", [0xC00, 0x1000])
def test_a_table_without_partitions_is_one(size: int) -> None:
    reading = identify(ALONE.ljust(size, b"\xff"))

    assert (reading.kind, reading.parts[0].note) == ("partition-table", "no partitions")
    assert [check.ok for part in reading.parts if (check := part.checksum)] == [True]


def test_bytes_like_an_md5_row_are_no_table() -> None:
    assert rtos_partitions.read(ALONE.ljust(0x2000, b"\xff")) is None
    assert rtos_partitions.read((ALONE + b"\1").ljust(0xC00, b"\xff")) is None
    assert rtos_partitions.read((ALONE[:2] + b"\xfe" + ALONE[3:]).ljust(0xC00, b"\xff")) is None


@pytest.mark.parametrize(("count", "found"), [(95, ["no-md5"]), (96, ["no-md5", "partition-row"])])
def test_a_table_ends_with_an_erased_row(count: int, found: list[str]) -> None:
    rows = b"".join(firmwares.partition(1, 2, 0x9000 + n * 0x1000, 0x1000, b"%d" % n) for n in range(count))
    reading = rtos_partitions.read(rows.ljust(0xC00, b"\xff"))

    assert reading is not None
    assert [finding.code for finding in reading.findings] == found


def test_parse_is_strict() -> None:
    rows = firmwares.PARTITIONS
    with pytest.raises(FormatError) as caught:
        RtosPartitionTable.parse(rows)
    assert caught.value.offset == len(rows)
    md5 = files()["rtos3/partitions.bin"][len(rows) : len(rows) + 32]
    with pytest.raises(FormatError, match="behind the MD5 row"):
        RtosPartitionTable.parse((rows + md5 + rows[:32]).ljust(0xC00, b"\xff"))
    with pytest.raises(FormatError, match="no readable name"):
        RtosPartitionTable.parse(firmwares.partition(1, 2, 0, 0, b"\x80\x81").ljust(0xC00, b"\xff"))


def test_two_bytes_are_not_enough() -> None:
    assert rtos_partitions.read(b"\xaa\x50" + bytes(range(200, 255))) is None


def test_real_image(corpus: Path) -> None:
    reading = identify((corpus / "rtos/rtos3-partition-table.bin").read_bytes())
    assert reading.kind == "partition-table"
    assert [finding.code for finding in reading.findings] == ["no-md5"]
    assert reading.parts[0].note == "3 partitions"
