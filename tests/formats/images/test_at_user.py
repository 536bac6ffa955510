"""User images of 2014: told from aggregated images by irom's pointers alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from fixtures import blocks, firmwares, nodemcu
from imgtool.formats.images import at_user
from imgtool.formats.reading import FileKind
from imgtool.formats.registry import identify
from tests.support import IMAGES, flipped

if TYPE_CHECKING:
    from pathlib import Path


@cache
def files() -> dict[str, bytes]:
    return firmwares.other_files()


@pytest.mark.parametrize(
    ("name", "address", "slot"),
    [
        ("at-2014/user1.bin", 0x40211000, None),
        ("at-2014/user2.bin", 0x40251000, 2),
        ("at-2014/user1-crc.bin", 0x40211000, 1),
    ],
)
def test_slots(name: str, address: int, slot: int | None) -> None:
    reading = at_user.read(files()[name])
    assert reading is not None
    assert [part.address for part in reading.parts if part.kind == "irom"] == [address]
    assert reading.header is not None
    assert reading.header.slot == slot


def test_crc_tail() -> None:
    reading = at_user.read(files()["at-2014/user1-crc.bin"])
    assert reading is not None
    tail = reading.parts[-1]
    assert tail.kind == "crc-tail"
    assert tail.checksum is not None
    assert tail.checksum.ok


@pytest.mark.parametrize("place", [0x95B0, 0xB335, 0xFFFF])
@pytest.mark.parametrize("name", ["at-2014/user1.bin", "at-2014/user1-crc.bin"])
def test_a_byte_that_is_no_fill_is_told(name: str, place: int) -> None:
    reading = identify(flipped(IMAGES[name], place, 0x24))

    assert reading.kind is FileKind.AT_USER
    assert [f.offset for f in reading.findings if f.code == "gap"]


def test_other_bytes_between_are_no_such_image() -> None:
    data = IMAGES["at-2014/user1.bin"]
    reading = identify(data[:0xC000] + data[0x12000:0x13000] + data[0xD000:])

    assert reading.kind is not FileKind.AT_USER


def test_mixed_builds_are_said() -> None:
    first, second = files()["at-2014/user1.bin"], files()["at-2014/user1-crc.bin"]
    reading = at_user.read(first[:0x10000] + second[0x10000:])
    assert reading is not None
    assert "mixed-builds" in {finding.code for finding in reading.findings}


@pytest.mark.parametrize("app", [nodemcu.sample_app, nodemcu.nodemcu_095, nodemcu.nodemcu_cloud])
def test_an_aggregated_image_is_none(app: object) -> None:
    assert callable(app)
    linked = blocks.link(app())
    data = linked.boot.ljust(0x10000, b"\xff") + linked.irom
    assert at_user.read(data) is None
    assert identify(data).kind == "aggregated"


def test_real_aggregated_images_are_none(corpus: Path) -> None:
    for path in sorted((corpus / "nodemcu").iterdir()):
        assert at_user.read(path.read_bytes()) is None, path.name
