"""LittleFS changed inside: only what must change does; hostile metadata ends nothing but the work itself."""

from __future__ import annotations

import gzip
import random
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgtool.errors import FileNameError, FileRoomError, ImgtoolError, UsageError
from imgtool.formats.filesystems import littlefs, littlefs_library
from imgtool.formats.filesystems.littlefs_edit import edited
from imgtool.formats.filesystems.littlefs_make import compose, folders_above, space_for
from imgtool.formats.filesystems.littlefs_metadata import Log, blocks_in_use
from imgtool.formats.filesystems.littlefs_shape import (
    MICROPYTHON,
    LittleFsShape,
    shape_for,
    shape_of,
)
from imgtool.formats.filesystems.stored_files import NewFile, StoredFolder
from tests.formats.filesystems.test_littlefs_files import NOWHERE, entry, hostile, mend
from tests.formats.filesystems.test_littlefs_make import (
    SHAPES,
    VERSIONS,
    Device,
    Tree,
    arduino,
    file,
    read,
    reference_images,
    tree_of,
    trees,
)

TIME: Final = ((0x74, b"8 bytes."),)


def blocks_that_differ(one: bytes, other: bytes, size: int) -> set[int]:
    assert len(one) == len(other)
    return {at // size for at in range(0, len(one), size) if one[at : at + size] != other[at : at + size]}


def version_of(image: bytes) -> str:
    found = littlefs.superblock_at(image)
    assert found is not None
    return found.version


def holds(image: bytes, shape: LittleFsShape, expected: Tree) -> None:
    assert Device(image, shape).tree()[0] == expected
    system = read(image, shape)
    assert (tree_of(map(NewFile.of, system.files)), system.findings) == (expected, ())
    assert blocks_in_use(image, shape.block_size, shape.blocks) is not None
    assert version_of(image) == shape.version


# Sequences of changes.


def apart(add: list[NewFile], image: bytes, shape: LittleFsShape, gone: set[bytes]) -> list[NewFile]:
    """Those of which no name is a folder and a file at once, with what stays."""
    system = read(image, shape)
    folders = {folder.name for folder in system.folders}
    files = {each.name for each in system.files} - gone | {each.name for each in add}
    return [each for each in add if each.name not in folders and not folders_above([each.name]) & files]


def check_changes(shape: LittleFsShape, data: st.DataObject) -> None:
    files, folders = data.draw(trees(shape))
    free = data.draw(st.sampled_from((0, 1, 8, 60)))
    shape = replace(shape, blocks=space_for(files, shape, folders).needed + free)
    image = compose(files, shape, folders)
    expected = tree_of(files)
    for _ in range(data.draw(st.integers(1, 4))):
        remove = data.draw(
            st.sets(st.sampled_from(sorted(expected)), max_size=3) if expected else st.just(set())
        )
        more, _ = data.draw(trees(shape, 3))
        add = apart(more, image, shape, remove)
        if expected and data.draw(st.sampled_from((True, False))):
            again = data.draw(st.sampled_from(sorted(expected)))
            kept = [each for each in add if each.name != again and again not in folders_above([each.name])]
            add = [*kept, NewFile(again, data.draw(st.binary(max_size=9)) * 1000, b"", TIME)]
        wanted = {name: value for name, value in expected.items() if name not in remove} | tree_of(add)
        # The contents are there as they should be: left alone.
        wanted |= {
            each.name: expected[each.name]
            for each in add
            if not each.attributes and expected.get(each.name, (None,))[0] == each.data
        }
        before = {folder.name: folder.attributes for folder in read(image, shape).folders}
        all_of_them = [NewFile(name, *value[:1], b"", value[1]) for name, value in wanted.items()]
        kept_folders = [StoredFolder(name, value) for name, value in before.items()]
        space = space_for(all_of_them, shape, kept_folders)
        try:
            changed = edited(image, shape, remove, add)
        except FileRoomError:
            assert not space.fits
            continue
        holds(changed, shape, wanted)
        assert before.items() <= Device(changed, shape).tree()[1].items()
        image, expected = changed, wanted


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(SHAPES), st.data())
def test_any_changes(shape: LittleFsShape, data: st.DataObject) -> None:
    check_changes(shape, data)


@pytest.mark.long
@settings(max_examples=1000, deadline=None)
@given(st.sampled_from(SHAPES), st.data())
def test_many_changes(shape: LittleFsShape, data: st.DataObject) -> None:
    check_changes(shape, data)


# What changes, and what does not.


def filled(shape: LittleFsShape) -> bytes:
    files = [
        file("init.lua", 137, TIME),
        file("www/index.html", 20_000, TIME),
        file("www/css/style.css", 3000),
        file("big", 70_001, ((1, b""),)),
    ]
    return compose(files, shape, [StoredFolder(b"", ((0x63, b"made"),)), StoredFolder(b"empty", TIME)])


def test_nothing_to_do() -> None:
    shape = arduino(64)
    image = filled(shape)

    assert edited(image, shape, [], []) == image
    assert edited(image, shape, [b"not there", b"empty", b"www"], []) == image
    assert edited(image, shape, [], [file("init.lua", 137), file("big", 70_001)]) == image
    assert edited(image, shape, [b"big"], [file("big", 70_001)]) == image
    assert edited(image, shape, [], [file("init.lua", 137, TIME)]) == image
    assert edited(image, shape, [], [file("init.lua", 137, ((1, b"another"),))]) != image


def test_what_lies_behind_stays() -> None:
    shape = arduino(64)
    image = filled(shape) + b"behind"

    assert edited(image, shape, [b"big"], [])[-6:] == b"behind"


def test_attributes_of_what_is_replaced_are_the_new_ones() -> None:
    shape = arduino(64)
    image = edited(filled(shape), shape, [], [file("init.lua", 20), file("big", 3, ((7, b"x"),))])
    files, folders = Device(image, shape).tree()

    assert files[b"init.lua"] == (file("init.lua", 20).data, ())
    assert {each.name: each.attributes for each in read(image, shape).files}[b"big"] == ((7, b"x"),)
    assert files[b"www/index.html"][1] == TIME
    assert (folders[b""], folders[b"empty"]) == (((0x63, b"made"),), TIME)


def test_a_folder_stays_that_becomes_empty() -> None:
    shape = arduino(64)
    image = edited(filled(shape), shape, [b"www/css/style.css", b"www/index.html"], [])

    assert {b"www", b"www/css", b"empty"} <= Device(image, shape).tree()[1].keys()


@pytest.mark.parametrize("told", VERSIONS)
@pytest.mark.parametrize("there", VERSIONS)
def test_what_the_disk_says_stays(there: str, told: str) -> None:
    """Also where a firmware would make it 2.1, or has other names and another size."""
    shape = arduino(64, version=there)
    other = shape_for(MICROPYTHON, block_size=0x2000, blocks=20, version=told)
    image = edited(filled(shape), other, [b"big"], [file("new", 100)])

    holds(image, shape, Device(edited(filled(shape), shape, [b"big"], [file("new", 100)]), shape).tree()[0])
    with pytest.raises(FileNameError):
        edited(filled(shape), other, [], [file("x" * 33)])


def test_images_of_the_makers() -> None:
    for path in reference_images():
        image = gzip.decompress(path.read_bytes())
        superblock = littlefs.superblock_at(image)
        assert superblock is not None
        shape = shape_of(superblock)
        before, folders = Device(image, shape).tree()
        gone = sorted(before)[: len(before) // 2]
        changed = edited(image, shape, gone, [file("new/one", 5000, TIME)])
        expected = {name: value for name, value in before.items() if name not in gone}

        holds(changed, shape, expected | tree_of([file("new/one", 5000, TIME)]))
        assert Device(changed, shape).tree()[1] == folders | {b"new": ()}
        differing = blocks_that_differ(image, changed, shape.block_size)
        assert len(differing) <= 12, path.name


# Room.


def test_a_full_one_gives_room_to_what_replaces() -> None:
    files = [file("a", 20_000), file("b", 30_000)]
    shape = arduino(space_for(files, arduino()).needed)
    image = compose(files, shape)
    other = NewFile(b"a", bytes(20_000))

    holds(edited(image, shape, [], [other]), shape, tree_of([other, files[1]]))
    holds(edited(image, shape, [b"b"], [file("c", 30_000)]), shape, tree_of([files[0], file("c", 30_000)]))
    with pytest.raises(FileRoomError) as caught:
        edited(image, shape, [], [file("c", 30_000)])
    assert caught.value.too_many == 8 * 0x1000
    with pytest.raises(FileRoomError) as caught:
        edited(image, shape, [b"a"], [file("c", 26_000)])
    assert caught.value.too_many == 2 * 0x1000


# What is refused.


@pytest.mark.parametrize(
    "add", [["a\0"], [""], ["a", "a"], ["www"], ["init.lua/b"], ["n", "n/m"], ["x" * 33]]
)
def test_names_that_are_refused(add: list[str]) -> None:
    with pytest.raises(FileNameError):
        edited(filled(arduino(64)), arduino(64), [], [file(name) for name in add])


def test_a_file_that_goes_may_become_a_folder() -> None:
    shape = arduino(64)
    image = edited(filled(shape), shape, [b"init.lua"], [file("init.lua/b")])
    assert Device(image, shape).tree()[0].keys() > {b"init.lua/b"}


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(littlefs_library, "has_library", lambda: False)
    with pytest.raises(UsageError, match="littlefs-python"):
        edited(filled_before, arduino(64), [], [file("a")])


filled_before: Final = filled(arduino(64))


# Metadata that no library writes.  What the library would do with some of it is to end the process.

SOUND: Final = [*entry(1, b"f", 1, 0x201, b"text"), (0x600, 0x3FF, NOWHERE)]
CHECK: Final = (0x500, 0x3FF, b"crc?")
# The next tag lies over the CRC of this one.
SHORT_CHECK: Final = (0x500, 2, b"")


@pytest.mark.parametrize("check", [CHECK, SHORT_CHECK], ids=["", "short"])
@pytest.mark.parametrize(
    "tag",
    [
        pytest.param((0x101, 1, b""), id="a move, by an address in memory"),
        pytest.param((0x102, 1, b"12345"), id="attributes, by an address in memory"),
        pytest.param((0x202, 2, b"8 bytes."), id="contents of nothing"),
        pytest.param((0x202, 1, b"8 bytes."), id="blocks that are not there"),
    ],
)
def test_metadata_that_no_library_writes(tag: tuple[int, int, bytes], check: tuple[int, int, bytes]) -> None:
    image = bytearray(hostile([*SOUND, CHECK, tag, check], {}))
    mend(image)
    assert blocks_in_use(bytes(image), 0x1000, 16) is None
    shape = replace(arduino(16), version="2.0")
    try:
        changed = edited(bytes(image), shape, [], [file("new")])
    except ImgtoolError:
        return
    assert {each.name for each in read(changed, shape).files} >= {b"new"}


@pytest.mark.parametrize(("check", "sound"), [(CHECK, True), (SHORT_CHECK, False)])
def test_the_check_of_a_commit(check: tuple[int, int, bytes], *, sound: bool) -> None:
    image = bytearray(hostile([*SOUND, CHECK, check], {}))
    mend(image)
    assert (blocks_in_use(bytes(image), 0x1000, 16) is not None) == sound


def check_mutants(seeds: range) -> None:
    """Bytes of the metadata are changed, with right CRCs: refused, or what comes out is sound."""
    shape = arduino(64)
    image = filled(shape)
    for number in range(12):
        image = edited(image, shape, [], [file(f"www/{number % 5}", 30 * number)])
    used = blocks_in_use(image, 0x1000, 64)
    assert used is not None
    places = [
        number * 0x1000 + at
        for number in used
        if Log(image[number * 0x1000 :][:0x1000]).whole
        for at in range(0x1000)
        if image[number * 0x1000 + at] != 0xFF
    ]
    for seed in seeds:
        chance = random.Random(seed)
        mutant = bytearray(image)
        for _ in range(chance.choice((1, 1, 2, 8))):
            mutant[chance.choice(places)] ^= 1 << chance.randrange(8)
        mend(mutant)
        try:
            changed = edited(bytes(mutant), shape, [b"init.lua"], [file("new/one", 6000)])
        except ImgtoolError:
            continue
        found = littlefs.superblock_at(changed)
        assert found is not None
        own = replace(shape_of(found), version=found.version)
        system = read(changed, own)
        assert system.findings == ()
        names = {each.name for each in system.files}
        assert b"new/one" in names
        assert b"init.lua" not in names


def test_mutants() -> None:
    check_mutants(range(150))


@pytest.mark.long
def test_many_mutants() -> None:
    check_mutants(range(1000, 21_000))
