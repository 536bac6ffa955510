"""Where the pages of files come to stand in a SPIFFS: as old releases list them, and search for them.

``listed`` walks lookup pages as SPIFFS before 0.3.6 does, which goes on behind the file that it found last,
and there never looks at the last page of a block first: https://github.com/pellepl/spiffs/issues/90.
"""

from __future__ import annotations

from struct import unpack_from
from typing import Final

import pytest

from imgtool.formats.filesystems.spiffs_edit import edited
from imgtool.formats.filesystems.spiffs_files import read_files
from imgtool.formats.filesystems.spiffs_make import PAGE, SpiffsShape, compose, room_of, space_for
from imgtool.formats.filesystems.stored_files import NewFile

SMALL: Final = SpiffsShape(block_size=0x1000, blocks=12, formula="none", layout="0.9.5")
LARGE: Final = SpiffsShape(block_size=0x2000, blocks=8)
SHAPES: Final = (SMALL, LARGE)
INDEX: Final = 0x8000


def index_pages(data: bytes, shape: SpiffsShape) -> list[tuple[int, int, int]]:
    """Block, entry and span of each live index page, in their order."""
    found = []
    for block in range(shape.blocks):
        start = block * shape.block_size
        for entry, owner in enumerate(unpack_from(f"<{shape.pages}H", data, start)):
            number, span = unpack_from("<HH", data, start + (entry + 1) * PAGE)
            if owner & INDEX and owner != 0xFFFF:
                assert number == owner
                found.append((block, entry, span))
    return found


def listed(data: bytes, shape: SpiffsShape) -> int:
    """How many files such a release lists."""
    heads = {(block, entry) for block, entry, span in index_pages(data, shape) if span == 0}
    count = block = entry = 0
    while block < shape.blocks:
        if entry >= shape.pages - 1:
            block, entry = block + 1, 0
        found = min((place for place in heads if place >= (block, entry)), default=None)
        if found is None:
            return count
        count += 1
        block, entry = found[0], found[1] + 1
    return count


def many(count: int, size: int = 0) -> list[NewFile]:
    return [NewFile(b"f%d" % number, bytes([number % 256]) * size) for number in range(count)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "files",
    [
        many(80),
        many(50, 200),
        [*many(29), NewFile(b"long", b"x" * 2000), *many(30)[29:]],
        [NewFile(b"long", b"x" * 27_000), *many(10)],
        [*many(7), NewFile(b"long", b"x" * 27_000)],
        [*many(40, 1), NewFile(b"a", b"x" * 251 * 3), NewFile(b"b", b"")],
    ],
)
def test_an_index_page_is_not_the_last_of_a_block(shape: SpiffsShape, files: list[NewFile]) -> None:
    data = compose(files, shape)

    assert all(entry < shape.pages - 1 for _, entry, _ in index_pages(data, shape))
    assert listed(data, shape) == len(files)
    system = read_files(data, 0, len(data), block_size=shape.block_size, blocks=shape.blocks)
    assert {file.name: file.data for file in system.files} == {file.name: file.data for file in files}


@pytest.mark.parametrize("shape", SHAPES)
def test_where_no_other_page_is_left_it_is(shape: SpiffsShape) -> None:
    files = many(room_of(shape))
    assert space_for(files, shape).needed == room_of(shape)

    data = compose(files, shape)

    assert len(index_pages(data, shape)) == len(files)
    assert listed(data, shape) < len(files)
    assert index_pages(data, shape)[-1][0] == shape.blocks - 3  # two blocks stay free


@pytest.mark.parametrize("shape", SHAPES)
def test_the_last_pages_hold_data(shape: SpiffsShape) -> None:
    # Full to the last page, of which no more are data than are last of their blocks.
    last = shape.blocks - 2
    files = [*many(room_of(shape) - last - 1), NewFile(b"long", b"x" * 251 * last)]
    assert space_for(files, shape).needed == room_of(shape)

    data = compose(files, shape)

    assert listed(data, shape) == len(files)


@pytest.mark.parametrize("shape", SHAPES)
def test_files_that_are_put_in(shape: SpiffsShape) -> None:
    data: bytes | None = compose(many(shape.pages - 1), shape)
    for number in range(3 * shape.pages):
        assert data is not None
        data = edited(data, shape, (), [NewFile(b"put%d" % number, b"x" * (number % 2))])
    assert data is not None

    assert all(entry < shape.pages - 1 for _, entry, _ in index_pages(data, shape))
    assert listed(data, shape) == 4 * shape.pages - 1
