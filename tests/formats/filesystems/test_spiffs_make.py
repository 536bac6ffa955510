"""SPIFFS made of files, judged by a firmware: tests/spiffs_model.py."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgtool.errors import FileNameError, FileRoomError, FormatError
from imgtool.formats.filesystems.spiffs_make import SpiffsShape, compose, magics, pages_of, space_for
from imgtool.formats.filesystems.stored_files import NewFile
from imgtool.operations.inspect.describe import describe
from imgtool.operations.inspect.file_systems import file_systems, with_files
from tests.spiffs_model import CONTENT, LAYOUTS, PAGE, Spiffs
from tests.spiffs_samples import (
    FIRMWARES,
    NAMED,
    SHAPES,
    USES,
    Use,
    config_of,
    contents,
    digests,
    filling,
    holds,
    is_listed_by_all,
    judge,
    largest,
    pages_for,
    read_back,
    references,
    room_for,
    shape_of,
    stuff,
    trees,
    use,
)
from tests.support import said

LAYOUT_NAMES = sorted(LAYOUTS)
SHAPE = SpiffsShape(block_size=0x1000, blocks=8)


def judged(files: list[NewFile], shape: SpiffsShape, uses: list[Use]) -> None:
    """A firmware reads what was made, and uses it; imgtool reads what became of it."""
    data = compose(files, shape)
    assert data == compose(files, shape)
    assert len(data) == shape.size
    system = judge(data, shape)
    holds(system, contents(files))
    assert system.data == data  # the mount had nothing to mend
    assert (system.used, system.deleted) == (
        sum(pages_for(len(file.data), shape.layout) for file in files),
        0,
    )
    assert system.free_blocks >= 2
    assert system.erase_counts() == [0xFFFF if shape.formula == "none" else 0] * shape.blocks
    if is_listed_by_all(files, shape):
        older = judge(data, shape, old=True)
        holds(older, contents(files))
        holds(older, use(older, contents(files), uses))
    left = use(system, contents(files), uses)
    holds(system, left)
    read = read_back(system.data, shape)
    assert {file.name: file.data for file in read.files} == left
    assert (said(read.findings, "error", "warning"), len(read.files)) == ([], len(left))


@given(data=st.data(), uses=USES)
def test_a_firmware_takes_what_is_made(data: st.DataObject, uses: list[Use]) -> None:
    shape = data.draw(SHAPES)
    judged(data.draw(trees(shape)), shape, uses)


@pytest.mark.long
@settings(max_examples=3000)
@given(data=st.data(), uses=USES)
def test_a_firmware_takes_what_is_made_long(data: st.DataObject, uses: list[Use]) -> None:
    shape = data.draw(SHAPES)
    judged(data.draw(trees(shape, 60)), shape, uses)


@pytest.mark.parametrize(
    "firmware",
    [
        pytest.param(each, marks=pytest.mark.long if number % 3 else ())
        for number, each in enumerate(FIRMWARES)
    ],
)
def test_the_edges_of_each_layout(firmware: tuple[str, str, int]) -> None:
    shape = shape_of(firmware, 0x80000 // firmware[2])
    layout = LAYOUTS[shape.layout]
    first = layout.in_first * CONTENT
    more = layout.in_more * CONTENT
    edges = {
        0,
        1,
        250,
        251,
        252,
        first - 1,
        first,
        first + 1,
        first + more,
        first + more + 1,
        0x10000,
        70_001,
    }
    sized = [NewFile(b"of %d" % size, stuff(size, size)) for size in sorted(edges)]
    longest = layout.name_length - 1
    named = [NewFile(bytes([letter]) * longest, b"x") for letter in b"az\xc3\xff"]
    judged(
        [*sized, *named],
        shape,
        [Use("write", 1, 3000, 1000), Use("remove", 3, 0, 1), Use("rewrite", 0, 9, 9)],
    )


def test_the_magics_of_each_block() -> None:
    """Of 40 blocks; by the old formula they become FBxx once fewer than 4 times the block are left."""
    linear = [0x0429 ^ (40 - block) for block in range(40)]
    old = [0x0429 ^ ((40 - step) & 0xFFFF) for step in (0, 1, 3, *range(12, 160, 4))]
    for formula, expected in (
        ("linear", linear),
        ("old", old),
        ("constant", [0x0429] * 40),
        ("none", [0xFFFF] * 40),
    ):
        shape = SpiffsShape(block_size=0x1000, blocks=40, formula=formula)
        data = compose([], shape)
        found = [int.from_bytes(data[at : at + 2], "little") for at in range(0xFC, len(data), 0x1000)]
        assert found == expected
        assert b"".join(magics(shape)) == b"".join(value.to_bytes(2, "little") for value in expected)
    assert old[11] >> 8 == 0xFB
    assert old[10] >> 8 == 0x04


def test_erase_counts_stay() -> None:
    shape = replace(SHAPE, formula="none")
    for formula, rest in (("none", 0xFFFF), ("linear", 0)):
        data = compose([NewFile(b"a", b"b")], replace(shape, formula=formula), erases=[3, 0, 7])
        system = judge(data, replace(shape, formula=formula))
        assert system.erase_counts() == [3, 0, 7, *[rest] * 5]
        assert system.next_count == 8
        holds(system, {b"a": b"b"})


def test_an_empty_one_without_magics_is_erased_flash() -> None:
    shape = replace(SHAPE, formula="none")
    assert compose([], shape) == b"\xff" * shape.size
    holds(judge(compose([], shape), shape), {})


def test_metadata_is_stored() -> None:
    for layout in ("sming-4.3", "mongoose", "esp32", "metadata"):
        size = LAYOUTS[layout].metadata
        shape = replace(SHAPE, layout=layout)
        files = [NewFile(b"set", b"1", bytes(range(size))), NewFile(b"unset", b"2")]
        system = judge(compose(files, shape), shape)
        assert system.metadata(b"set") == bytes(range(size))
        assert system.metadata(b"unset") == b"\xff" * size
        with pytest.raises(FormatError, match="metadata of set"):
            compose([NewFile(b"set", b"1", bytes(size + 1))], shape)


# Space.


@given(st.integers(0, 200_000), st.sampled_from(LAYOUT_NAMES))
def test_pages_of_a_file(size: int, layout: str) -> None:
    assert pages_of(size, SpiffsShape(block_size=0x1000, blocks=4, layout=layout).index) == pages_for(
        size, layout
    )


def test_pages_that_are_known() -> None:
    """Counted on images of NodeMCU's own SPIFFS."""
    known = {0: 1, 1: 2, 251: 2, 252: 3, 26_355: 106, 26_356: 108, 70_001: 282}
    assert {size: pages_of(size, SHAPE.index) for size in known} == known


@given(data=st.data(), extra=st.integers(-3, 6))
def test_space_is_exact(data: st.DataObject, extra: int) -> None:
    """Random trees, made to leave some pages or to be some too many."""
    shape = data.draw(SHAPES)
    files = data.draw(trees(shape, 6))
    needed = sum(pages_for(len(file.data), shape.layout) for file in files)
    more = room_for(shape) - needed + extra
    files += filling(max(0, more), shape.layout, set(contents(files)))
    needed += max(0, more)
    space = space_for(files, shape)
    assert (space.needed, space.room, space.unit) == (needed, room_for(shape), PAGE)
    over = max(0, needed - room_for(shape))
    assert (space.fits, space.too_many) == (over == 0, over * PAGE)
    if over:
        with pytest.raises(FileRoomError) as refused:
            compose(files, shape)
        assert refused.value.too_many == over * PAGE
    else:
        holds(judge(compose(files, shape), shape), contents(files))


@pytest.mark.parametrize("firmware", FIRMWARES)
def test_full_to_the_last_page(firmware: tuple[str, str, int]) -> None:
    """Nothing more can be written, and once a file was removed, something can."""
    shape = shape_of(firmware, 9)
    files = filling(room_for(shape), shape.layout)
    system = judge(compose(files, shape), shape)
    assert (system.used, system.free_blocks) == (room_for(shape), 2)
    holds(system, contents(files))
    assert not system.write(b"one more", b"x")
    assert not system.append(files[0].name, bytes(CONTENT))
    gone = max(files, key=lambda file: len(file.data))
    system.remove(gone.name)
    # Less than that by a block, which is about what the sources of SPIFFS then write: pages are scattered.
    size = largest(pages_for(len(gone.data), shape.layout) - shape.block_size // PAGE, shape.layout)
    assert system.write(b"another", stuff(size, 1), chunk=1000)
    holds(system, contents([file for file in files if file is not gone]) | {b"another": stuff(size, 1)})
    assert system.collections > 0


@pytest.mark.parametrize("count", [13, 14, 15, 16, 17, 40, 89, 90])
def test_many_empty_files(count: int) -> None:
    """SPIFFS before 0.3.6 does not list the last one of a block of them: other places are taken first."""
    files = [NewFile(b"%d" % number, b"") for number in range(count)]
    holds(judge(compose(files, SHAPE), SHAPE), contents(files))
    listed = judge(compose(files, SHAPE), SHAPE, old=True).listing()
    # All 90 pages are in use, or what is left are the last pages of some of the six blocks.
    assert len(listed) == min(count, 6 * 14)


def test_more_files_than_can_be_numbered() -> None:
    shape = SpiffsShape(block_size=0x2000, blocks=2048)
    files = [NewFile(b"%d" % number, b"") for number in range(0x7FFF)]
    with pytest.raises(FileRoomError, match="number") as refused:
        compose(files, shape)
    assert refused.value.too_many == PAGE


# What is refused.


@pytest.mark.parametrize(
    "names", [[b""], [b"a\0b"], [b"x" * 32], [b"a", b"b", b"a"], [b"\xc3\xa9" * 16], [b"fine", b"\0"]]
)
@pytest.mark.parametrize("layout", ["aligned", "packed", "sming-4.3"])
def test_names_that_are_refused(names: list[bytes], layout: str) -> None:
    files = [NewFile(name, b"x") for name in names]
    with pytest.raises(FileNameError) as refused:
        compose(files, replace(SHAPE, layout=layout))
    assert len(refused.value.names) == 1


def test_longer_names_of_mongoose() -> None:
    shape = replace(SHAPE, layout="mongoose", formula="constant")
    holds(judge(compose([NewFile(b"x" * 47, b"1")], shape), shape), {b"x" * 47: b"1"})
    with pytest.raises(FileNameError):
        compose([NewFile(b"x" * 48, b"1")], shape)


@pytest.mark.parametrize(
    "wrong",
    [
        {"formula": "magic"},
        {"layout": "aligned "},
        {"block_size": 0x1080},
        {"block_size": 0x200},
        {"block_size": 0x10000},
        {"blocks": 0},
        {"blocks": 4097},
    ],
)
def test_shapes_that_are_none(wrong: dict[str, int | str]) -> None:
    with pytest.raises(FormatError):
        replace(SHAPE, **wrong)  # type: ignore[arg-type]


# Beside the makers.


def test_equal_in_content_to_the_makers() -> None:
    """The same files as in each image of a real maker, and no less space left."""
    for image in references():
        theirs = judge(image.data, image.shape)
        files = [NewFile(name, theirs.read(name)) for name, _ in theirs.listing()]
        data = compose(files, image.shape)
        ours = judge(data, image.shape)
        assert digests((name, ours.read(name)) for name, _ in ours.listing()) == image.files, image.title
        holds(ours, contents(files))
        assert (ours.deleted, ours.used) == (0, theirs.used), image.title
        assert ours.free_blocks >= theirs.free_blocks, image.title
        mine, old = read_back(data, image.shape), read_back(image.data, image.shape)
        assert {f.name: f.data for f in mine.files} == {f.name: f.data for f in old.files} == contents(files)
        assert (mine.free or 0) >= (old.free or 0), image.title


# Read by imgtool as the file that it is.


def inspected(data: bytes, shape: SpiffsShape, files: dict[bytes, bytes]) -> None:
    """It is known for what it is, all its files are read, and nothing is said against it."""
    described = with_files(data, describe(data))
    systems = file_systems(data, described)
    if shape.formula == "none" and not files:
        assert systems == ()  # erased flash
        return
    (system,) = systems
    assert (system.size, system.block_size) == (shape.size, shape.block_size)
    assert {file.name: file.data for file in system.files} == files
    assert all(file.whole for file in system.files)
    assert said(described.findings, "error", "warning") == []


@pytest.mark.parametrize("blocks", [4, 7, 32])
@pytest.mark.parametrize("firmware", [row for row in FIRMWARES if row[0] in NAMED])
def test_inspect_knows_it(firmware: tuple[str, str, int], blocks: int) -> None:
    """Empty ones, one file, several; as made, and as a firmware made and used it."""
    shape = shape_of(firmware, blocks)
    one = {b"init.lua": stuff(137, 1)}
    some = one | {b"empty.txt": b"", b"http/index.html": stuff(2000, 2), b"long": stuff(30_000, 3)}
    for files in ({}, one, {name: data for name, data in some.items() if len(data) < 100 * shape.blocks**2}):
        inspected(compose([NewFile(*file) for file in files.items()], shape), shape, files)
        system = Spiffs(config_of(shape))
        if shape.formula != "none":
            system.format()
        system.mount()
        for name, data in files.items():
            assert system.write(name, data, chunk=1000)
        inspected(system.data, shape, files)
        if files:
            for number in range(30):
                assert system.write(b"init.lua", stuff(1500 + 10 * number, number), chunk=700)
            assert system.collections > 0 or blocks == 32
            inspected(system.data, shape, files | {b"init.lua": stuff(1790, 29)})
