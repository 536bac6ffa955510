"""MicroPython and CircuitPython: length word, irom at 0x9000, MD5."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from fixtures import firmwares
from imgtool.errors import FormatError
from imgtool.formats.firmware import identify_firmware
from imgtool.formats.images import micropython
from imgtool.formats.images.micropython import Tail
from imgtool.formats.reading import PartKind
from imgtool.formats.registry import identify

if TYPE_CHECKING:
    from pathlib import Path


@cache
def files() -> dict[str, bytes]:
    return firmwares.python_files()


@pytest.mark.parametrize(
    ("name", "firmware"),
    [
        ("micropython/micropython.bin", ("MicroPython", "1.19.1", "2022-06-18")),
        ("micropython/circuitpython.bin", ("CircuitPython", "3.1.2", "2019-01-07")),
        ("micropython/early.bin", ("MicroPython", "1.4", "2015-05-01")),
    ],
)
def test_names(name: str, firmware: tuple[str, str, str]) -> None:
    found = identify_firmware(files()[name])
    assert found is not None
    assert (found.name, found.version, found.build) == firmware


def test_parts() -> None:
    reading = micropython.read(files()["micropython/micropython.bin"])
    assert reading is not None
    assert [part.kind for part in reading.parts] == [
        "image-v1",
        "gap",
        "length-crc-words",
        "irom",
        "md5-tail",
    ]
    irom, md5 = reading.parts[3:]
    assert (irom.offset, irom.address) == (0x9000, 0x40209000)
    assert md5.checksum is not None
    assert md5.checksum.ok


def test_flash_mode_and_size_may_be_patched() -> None:
    reading = identify(firmwares.flipped(files()["micropython/micropython.bin"], 3, 0x60))
    assert reading.findings == ()


def test_trailing_bytes_are_said() -> None:
    reading = micropython.read(files()["micropython/micropython.bin"] + b"\xff" * 100)
    assert reading is not None
    assert [finding.code for finding in reading.findings] == ["padding"]
    assert reading.parts[-1].kind is PartKind.GAP


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("broken/micropython-cut.bin", "cut"),
        ("broken/micropython-bit.bin", "md5"),
        ("broken/micropython-length.bin", "length"),
    ],
)
def test_damage_has_its_name(name: str, code: str) -> None:
    reading = micropython.read(files()[name])
    assert reading is not None
    assert [finding.code for finding in reading.findings] == [code]


def test_tail_is_strict() -> None:
    with pytest.raises(FormatError) as caught:
        Tail.parse(bytes(0x8FFD))
    assert caught.value.offset == 0x8FFC
    assert Tail.parse(files()["micropython/early.bin"]) == Tail(None, None)


def test_real_image(corpus: Path) -> None:
    data = (corpus / "micropython/firmware-combined-2017.bin").read_bytes()
    reading = identify(data)
    assert (reading.kind, reading.findings) == ("micropython", ())
    found = identify_firmware(data)
    assert found is not None
    assert (found.name, found.version) == ("MicroPython", "1.9.2-69-gcc7fece")
