"""``imgtool flash`` of every sort of image, onto a flash of every size: what the board holds afterwards.

By the ROM loader: the virtual chip interprets a stub instruction by instruction, and tests/device has that.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from imgtool.chip import FLASH_SIZES, SECTOR
from tests.support import IMAGES, Command, Put

if TYPE_CHECKING:
    from pathlib import Path

FLASH = ("--stub", "none", "--json")
SIZES = {size.name: size.bytes for size in FLASH_SIZES if size.name != "256KB"}


def dirty(size: int) -> bytes:
    """A flash that was in use: nothing is blank, and no sector is another's."""
    return b"".join(number.to_bytes(4, "little") * (SECTOR // 4) for number in range(1, size // SECTOR + 1))


def most_are_long(name: str) -> object:
    sizes = ("1MB", "2MB", "2MB-c1", "4MB-c1", "8MB", "16MB")
    return pytest.param(name, marks=pytest.mark.long) if name in sizes else name


@pytest.mark.parametrize("name", [most_are_long(name) for name in SIZES])
def test_full_image_of_every_size(pair: Path, imgtool: Command, name: str) -> None:
    size = SIZES[name]
    (pair / "board.bin").write_bytes(dirty(size))
    made = imgtool("fullimage", "--size", name, "-o", "full.bin")
    run = imgtool("flash", "full.bin", "-p", f"sim:{name.removesuffix('-c1')},flash=board.bin", *FLASH)

    assert (made.code, run.code) == (0, 0), made.err + run.err
    # Bytes are what they were, the size in the header too: it is that of the flash, or its c1 map.
    assert (pair / "board.bin").read_bytes() == (pair / "full.bin").read_bytes()
    fields = json.loads(run.out)["results"][0]
    assert (fields["plan"]["flash_size"], fields["boot"]["verdict"]) == (name, "runs")
    assert fields["written"] + fields["erased"] == size


@pytest.mark.parametrize("name", [most_are_long(name) for name in SIZES if not name.endswith("-c1")])
def test_pair_onto_every_size(pair: Path, imgtool: Command, name: str) -> None:
    board, end = pair / "board.bin", SIZES[name]
    before = dirty(end)
    board.write_bytes(before)
    run = imgtool("flash", "-p", f"sim:{name},flash=board.bin", *FLASH)

    assert run.code == 0, run.err
    after = board.read_bytes()
    found = json.loads(imgtool("inspect", "board.bin", "--json").out)["results"][0]["header"]["size"]
    assert found == name
    expected = bytearray(before)
    rf, init = end - 0x5000, end - 0x4000
    for address, data in (
        (0, IMAGES["sample/0x00000.bin"]),
        (0x10000, IMAGES["sample/0x10000.bin"]),
        (rf, b"\xff" * SECTOR),
        (init, IMAGES["init-data/v05.bin"]),
    ):
        whole = data.ljust(-(-len(data) // SECTOR) * SECTOR, b"\xff")
        expected[address : address + len(whole)] = whole
    expected[3] = after[3]  # the size
    assert after == expected


@pytest.mark.parametrize(
    ("name", "size", "changed"),
    [
        ("aggregated/sample-with-sdk-sectors.bin", "4MB", ["header size 512KB -> 4MB"]),
        pytest.param("arduino/core-2.3.bin", "4MB", [], marks=pytest.mark.long),
        ("arduino/core-3.1.bin", "4MB", []),
        pytest.param("arduino/esphome.bin", "4MB", [], marks=pytest.mark.long),
        pytest.param(
            "micropython/micropython.bin", "4MB", ["header size 1MB -> 4MB"], marks=pytest.mark.long
        ),
        ("rboot/whole.bin", "1MB", []),
        pytest.param("dumps/nodemcu-2.2-4m.bin", "4MB", [], marks=pytest.mark.long),
        pytest.param("dumps/arduino-4m.bin", "4MB", [], marks=pytest.mark.long),
    ],
)
def test_other_images(
    put: Put, imgtool: Command, folder: Path, name: str, size: str, changed: list[str]
) -> None:
    put("image.bin", name)
    board = folder / "board.bin"
    board.write_bytes(dirty(SIZES[size]))
    run = imgtool("flash", "image.bin", "-p", f"sim:{size},flash=board.bin", *FLASH)

    assert run.code == 0, run.err
    fields = json.loads(run.out)["results"][0]
    told = [change.split(",")[0] for change in fields["plan"]["changes"] if change.startswith("header")]
    after, image = board.read_bytes(), IMAGES[name]
    different = [at for at in range(len(image)) if after[at] != image[at]]
    assert (told, different) == (changed, [3] if changed else [])
    assert fields["boot"]["verdict"] in ("runs", "unfinished")
