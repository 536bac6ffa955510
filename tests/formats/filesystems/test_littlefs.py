"""The superblock of a LittleFS: every commit of its two blocks, on-disk versions 2.0 and 2.1."""

from __future__ import annotations

import gzip
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from littlefs import LittleFS

from imgtool.formats.filesystems import littlefs
from imgtool.formats.filesystems.littlefs import LittleFsSuperblock
from imgtool.formats.reading import FileKind
from imgtool.operations.inspect.describe import describe
from imgtool.operations.inspect.file_systems import file_systems, with_files
from tests.support import flipped, said

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = (0x20000, 0x20001)
# Bytes that are read and written at once: the library's own, MicroPython's, Arduino's.
UNITS = (1, 32, 64)


def made(version: int, block_size: int = 4096, blocks: int = 16, unit: int = 1) -> LittleFS:
    return LittleFS(
        block_size=block_size,
        block_count=blocks,
        disk_version=version,
        block_cycles=4,
        read_size=unit,
        prog_size=unit,
        cache_size=128,
    )


def again(data: bytes, version: int) -> LittleFS:
    system = LittleFS(block_size=4096, block_count=len(data) // 4096, disk_version=version, mount=False)
    system.context.buffer = bytearray(data)
    system.mount()
    return system


def superblock(data: bytes) -> LittleFsSuperblock:
    found = littlefs.superblock_at(data)
    assert found is not None
    return found


@settings(max_examples=40, deadline=None)
@given(
    version=st.sampled_from(VERSIONS),
    geometry=st.sampled_from([(4096, 16), (8192, 24), (4096, 64)]),
    unit=st.sampled_from(UNITS),
    writes=st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 3000)), max_size=40),
)
def test_what_the_library_wrote_is_whole(
    version: int, geometry: tuple[int, int], unit: int, writes: list[tuple[str, int]]
) -> None:
    system = made(version, *geometry, unit)
    chance = random.Random(len(writes))
    for name, size in writes:
        with system.open(name, "wb") as file:
            file.write(chance.randbytes(size))
    data = bytes(system.context.buffer)
    reading = littlefs.read(data)

    assert reading is not None
    assert (reading.findings, reading.parts[0].size) == ((), len(data))
    found = superblock(data)
    expected = (*geometry, f"2.{version & 1}", True)
    assert (found.block_size, found.blocks, found.version, found.intact) == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_one_damaged_block_is_replaced_by_the_other(version: int) -> None:
    data = bytes(made(version).context.buffer)
    for block in (0, 1):
        found = superblock(flipped(data, block * 4096 + 20))
        assert (found.intact, found.block) == (True, 1 - block)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("field", [20, 36, 40])
def test_two_damaged_blocks_are_said(version: int, field: int) -> None:
    data = flipped(flipped(bytes(made(version).context.buffer), field), 4096 + field)
    reading = littlefs.read(data)

    assert reading is not None
    assert said(reading.findings, "error") == ["crc"]


def forward_crcs(block: bytes) -> list[int]:
    """Where the contents of the records of type 0x5FF stand in the first commit of a block."""
    position, tag, found = 4, 0xFFFF_FFFF, []
    while True:
        tag ^= int.from_bytes(block[position : position + 4], "big")
        position += 4
        if tag >> 20 == 0x5FF:
            found.append(position)
        elif tag >> 20 >= 0x500:
            return found
        position += tag & 0x3FF


def test_a_forward_crc_is_covered() -> None:
    """The record of eight bytes in front of the CRC, which ends no commit."""
    system = made(VERSIONS[1], unit=32)
    for number in range(200):  # until both blocks were written anew
        with system.open("a", "wb") as file:
            file.write(bytes([number]))
    data = bytes(system.context.buffer)
    places = [block + at for block in (0, 4096) for at in forward_crcs(data[block : block + 4096])]
    assert len(places) == 2
    for at in range(8):
        damaged = flipped(flipped(data, places[0] + at), places[1] + at)
        assert superblock(data).intact
        assert not superblock(damaged).intact


def test_a_later_commit_counts() -> None:
    """littlefs from 2.6 on makes a disk of 2.0 one of 2.1 when it first writes: in a commit behind others."""
    old = made(VERSIONS[0])
    with old.open("a", "wb") as file:
        file.write(b"1")
    data = bytes(old.context.buffer)
    assert superblock(data).version == "2.0"
    new = again(data, VERSIONS[1])
    with new.open("b", "wb") as file:
        file.write(b"2")

    assert superblock(bytes(new.context.buffer)).version == "2.1"
    assert littlefs.read(bytes(new.context.buffer)).findings == ()  # type: ignore[union-attr]


def test_a_real_one_of_2_1_that_was_mutated(corpus: Path) -> None:
    """One that was found by mutation: whole, with a forward CRC in front of the CRC."""
    case = corpus.parent / "cases" / "fuzz" / "02-littlefs-2.1-valid.bin.gz"
    if not case.is_file():
        pytest.skip(f"{case} is not there")
    data = gzip.decompress(case.read_bytes())
    described = with_files(data, describe(data))
    (system,) = file_systems(data, described)

    assert (described.kind, superblock(data).version) == (FileKind.LITTLEFS, "2.1")
    assert said(described.findings, "error", "warning") == []
    assert [(file.path, file.size, file.whole) for file in system.files] == [("a", 100, True)]
    assert forward_crcs(data[:4096]) or forward_crcs(data[4096:8192])
