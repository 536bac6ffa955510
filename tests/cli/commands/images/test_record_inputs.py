"""Intel HEX, S-record and UF2 files wherever an image is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgtool.formats.containers import intel_hex, srecord, uf2
from imgtool.formats.containers.blocks import Block
from tests.support import IMAGES, Command, Put, aggregate

FORMS = {"hex": intel_hex.build, "srec": srecord.build, "uf2": uf2.build}
PAIR = {0: IMAGES["sample/0x00000.bin"], 0x10000: IMAGES["sample/0x10000.bin"]}
WHOLE = aggregate("sample")


@pytest.fixture(params=FORMS)
def records(request: pytest.FixtureRequest, put: Put) -> Path:
    """A file of records that holds the pair, without the fill between."""
    blocks = [Block(address, data) for address, data in PAIR.items()]
    return put(f"image.{request.param}", FORMS[request.param](blocks))


def test_merge_takes_them(records: Path, imgtool: Command, folder: Path) -> None:
    assert imgtool("merge", records, "-o", "out.bin").code == 0

    assert (folder / "out.bin").read_bytes() == WHOLE


def test_merge_goes_from_records_to_records(records: Path, imgtool: Command, folder: Path) -> None:
    assert imgtool("merge", records, "-o", f"out{records.suffix}").code == 0

    assert (folder / f"out{records.suffix}").read_bytes() == records.read_bytes()


def test_fullimage_takes_them(records: Path, imgtool: Command, put: Put, folder: Path) -> None:
    put("whole.bin", WHOLE)

    assert imgtool("fullimage", "--size", "1MB", records, "-o", "one.bin").code == 0
    assert imgtool("fullimage", "--size", "1MB", "whole.bin", "-o", "two.bin").code == 0

    assert (folder / "one.bin").read_bytes() == (folder / "two.bin").read_bytes()


def test_split_takes_them(records: Path, imgtool: Command, folder: Path) -> None:
    assert imgtool("split", records, "-o", "parts").code == 0

    assert {int(path.stem, 16): path.read_bytes() for path in (folder / "parts").iterdir()} == PAIR


def test_flash_and_verify_take_them(put: Put, imgtool: Command, folder: Path) -> None:
    data = IMAGES["ram/hello.bin"]  # a small one: the line takes its time
    put("image.hex", intel_hex.build([Block(0x1000, data)]))
    port = f"sim:1MB,flash={folder / 'chip.bin'}"

    assert imgtool("flash", "-p", port, "--flash-size", "keep", "--no-boot-check", "image.hex").code == 0

    assert (folder / "chip.bin").read_bytes()[0x1000 : 0x1000 + len(data)] == data
    assert imgtool("verify", "-p", port, "image.hex").code == 0


def test_init_data_file_system_and_lfs_may_be_records(imgtool: Command, put: Put, folder: Path) -> None:
    put("whole.bin", WHOLE)
    put("init.hex", intel_hex.build([Block(0xFC000, IMAGES["init-data/v08.bin"])]))

    assert (
        imgtool("fullimage", "--size", "1MB", "--init-data", "init.hex", "whole.bin", "-o", "a.bin").code == 0
    )

    assert (folder / "a.bin").read_bytes()[0xFC000:][:128] == IMAGES["init-data/v08.bin"]


def test_two_files_of_records_go_together(imgtool: Command, put: Put, folder: Path) -> None:
    for address, data in PAIR.items():
        put(f"{address}.hex", intel_hex.build([Block(address, data)]))

    assert imgtool("merge", "0.hex", "65536.hex", "-o", "out.bin").code == 0

    assert (folder / "out.bin").read_bytes() == WHOLE


def test_addresses_of_the_cache_window_are_flash(imgtool: Command, put: Put, folder: Path) -> None:
    put("irom.hex", intel_hex.build([Block(0x4021_0000, PAIR[0x10000])]))
    put("0x00000.bin", PAIR[0])

    assert imgtool("merge", "0x00000.bin", "irom.hex", "-o", "out.bin").code == 0

    assert (folder / "out.bin").read_bytes() == WHOLE


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        pytest.param([Block(0x4010_0000, b"code")], "0x40100000", id="RAM"),
        pytest.param([Block(0, b"boot"), Block(0x4021_0000, b"irom")], "0x40210000", id="mixed"),
        pytest.param([Block(0x100_0000, b"far")], "0x01000000", id="behind the largest flash"),
    ],
)
def test_addresses_without_a_place_in_flash_are_refused(
    blocks: list[Block], words: str, imgtool: Command, put: Put, folder: Path
) -> None:
    put("x.hex", intel_hex.build(blocks))

    run = imgtool("merge", "x.hex", "-o", "out.bin")

    assert run.code == 4
    assert "x.hex" in run.err
    assert words in run.err
    assert not (folder / "out.bin").exists()


def test_an_address_for_a_file_that_has_some_is_a_usage_error(records: Path, imgtool: Command) -> None:
    run = imgtool("merge", "0x10000", records, "-o", "out.bin")

    assert run.code == 2
    assert "addresses of its own" in run.err


def test_damaged_records_are_named(records: Path, imgtool: Command) -> None:
    data = bytearray(records.read_bytes())
    data[20 if records.suffix == ".hex" else 12] ^= 1
    records.write_bytes(data)

    run = imgtool("merge", records, "-o", "out.bin")

    assert run.code in (3, 4)
    assert records.name in run.err


def test_records_without_data_are_refused(imgtool: Command, put: Put) -> None:
    put("x.hex", b":00000001FF\n")

    run = imgtool("merge", "x.hex", "-o", "out.bin")

    assert run.code == 3
    assert "no data" in run.err
