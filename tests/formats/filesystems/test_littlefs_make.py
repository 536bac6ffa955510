"""LittleFS made of files: littlefs-python reads it with a firmware's own parameters, and goes on writing."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from littlefs import LittleFS, LittleFSError

from imgtool.errors import FileNameError, FileRoomError, FormatError, UsageError
from imgtool.formats.filesystems import littlefs, littlefs_library
from imgtool.formats.filesystems.littlefs_files import read_files
from imgtool.formats.filesystems.littlefs_make import check_files, compose, space_for, writable_room
from imgtool.formats.filesystems.littlefs_metadata import blocks_in_use, blocks_of
from imgtool.formats.filesystems.littlefs_shape import (
    ARDUINO,
    MICROPYTHON,
    LittleFsShape,
    Parameters,
    shape_for,
    shape_of,
)
from imgtool.formats.filesystems.stored_files import FileSystem, NewFile, StoredFolder
from tests.support import corpus_folder

Attributes = tuple[tuple[int, bytes], ...]
Tree = dict[bytes, tuple[bytes, Attributes]]

ENCODING: Final = "latin-1"
NUMBERS: Final = (0, 1, 0x63, 0x74, 255)
VERSIONS: Final = ("2.0", "2.1")


class Board:
    """Flash that is written as flash is: bits are cleared, and only erasing sets them."""

    def __init__(self, image: bytes, block: int) -> None:
        self.image, self._block = bytearray(image), block

    def read(self, _: object, block: int, off: int, size: int) -> bytes:
        return bytes(self.image[block * self._block + off :][:size])

    def prog(self, _: object, block: int, off: int, data: bytes) -> int:
        start = block * self._block + off
        there = self.image[start : start + len(data)]
        both = int.from_bytes(there, "little") & int.from_bytes(data, "little")
        self.image[start : start + len(data)] = both.to_bytes(len(data), "little")
        return 0

    def erase(self, _: object, block: int) -> int:
        self.image[block * self._block : (block + 1) * self._block] = b"\xff" * self._block
        return 0

    def sync(self, _: object) -> int:
        return 0


class Device:
    """A firmware with its own parameters on a flash: it mounts what is there, or refuses it."""

    def __init__(self, image: bytes, shape: LittleFsShape) -> None:
        self.board = Board(image, shape.block_size)
        self.system = LittleFS(
            cast("Any", self.board),
            mount=False,
            filename_encoding=ENCODING,
            block_size=shape.block_size,
            block_count=shape.blocks,
            read_size=shape.prog_size,
            prog_size=shape.prog_size,
            cache_size=shape.cache_size,
            lookahead_size=shape.lookahead_size,
            block_cycles=shape.block_cycles,
            name_max=shape.name_max,
            disk_version={"2.0": 0x20000, "2.1": 0x20001}[shape.version],
        )
        self.system.mount()

    def attributes(self, path: str) -> Attributes:
        found = []
        for number in NUMBERS:
            with contextlib.suppress(LittleFSError):
                found.append((number, self.system.getattr(path, number)))
        return tuple(found)

    def tree(self) -> tuple[Tree, dict[bytes, Attributes]]:
        """All files and all folders, by name."""
        files: Tree = {}
        folders = {b"": self.attributes("/")}
        for top, inner, names in self.system.walk("/"):
            above = top.strip("/") + "/" if top.strip("/") else ""
            folders |= {(above + each).encode(ENCODING): self.attributes(above + each) for each in inner}
            for each in names:
                with self.system.open(above + each, "rb") as file:
                    files[(above + each).encode(ENCODING)] = file.read(), self.attributes(above + each)
        return files, folders

    def write(self, path: str, data: bytes) -> None:
        with self.system.open(path, "wb") as file:
            file.write(data)

    @property
    def used(self) -> int:
        return self.system.used_block_count


def read(image: bytes, shape: LittleFsShape) -> FileSystem:
    return read_files(image, 0, len(image), block_size=shape.block_size, blocks=shape.blocks)


def tree_of(files: Iterable[NewFile]) -> Tree:
    return {file.name: (file.data, tuple(sorted(file.attributes))) for file in files}


def arduino(blocks: int = 32, block_size: int = 0x1000, version: str = "2.0") -> LittleFsShape:
    return shape_for(ARDUINO, block_size=block_size, blocks=blocks, version=version)


def file(name: str, size: int = 10, attributes: Attributes = ()) -> NewFile:
    return NewFile(name.encode(), random.Random(f"{name} {size}").randbytes(size), b"", attributes)


# Trees.

PLAIN: Final = shape_for(MICROPYTHON, block_size=0x1000, blocks=4096, version="2.1")
SHAPES: Final = [
    replace(shape, version=version)
    for shape in (PLAIN, arduino(4096), arduino(2048, 0x2000))
    for version in VERSIONS
]
# At the limits of inline files, of one block and of two, and more.
SIZES: Final = (0, 1, 64, 65, 128, 129, 4000, 4096, 4097, 8184, 8192, 8193, 26_356, 65_537, 70_001)


@st.composite
def parts(draw: st.DrawFn, longest: int) -> bytes:
    size = draw(st.sampled_from((1, 1, 2, 2, 3, 8, longest)))
    return bytes(draw(st.sampled_from(b"ab.\xe4\xff")) for _ in range(min(size, 3))).ljust(size, b"n")


@st.composite
def trees(draw: st.DrawFn, shape: LittleFsShape, most: int = 12) -> tuple[list[NewFile], list[StoredFolder]]:
    """Files with content and attributes, and folders without files in them."""
    name = st.lists(parts(shape.name_max), min_size=1, max_size=4).map(b"/".join)
    names = draw(st.lists(name, max_size=most, unique=True))
    inside = st.lists(
        st.tuples(st.sampled_from(NUMBERS), st.binary(max_size=9)), max_size=2, unique_by=lambda each: each[0]
    )
    chance = random.Random(draw(st.integers(0, 1 << 16)))
    files, folders = [], [StoredFolder(b"", tuple(sorted(draw(inside))))]
    for each in names:
        if any(part in (b".", b"..") for part in each.split(b"/")):
            continue
        attributes = tuple(sorted(draw(inside)))
        if any(other.startswith(each + b"/") for other in names) or draw(st.integers(0, 9)) == 0:
            folders.append(StoredFolder(each, attributes))
        else:
            files.append(NewFile(each, chance.randbytes(draw(st.sampled_from(SIZES))), b"", attributes))
    return files, folders


Made = tuple[LittleFsShape, tuple[list[NewFile], list[StoredFolder]]]


def check_made(made: Made) -> None:
    """In exactly as many blocks as are needed: read, in use, used on; and not in one fewer."""
    large, (files, folders) = made
    space = space_for(files, large, folders)
    shape = replace(large, blocks=space.needed)
    image = compose(files, shape, folders)

    device = Device(image, shape)
    found, found_folders = device.tree()
    assert found == tree_of(files)
    assert {folder.name: folder.attributes for folder in folders}.items() <= found_folders.items()
    assert device.used == shape.blocks
    assert blocks_in_use(image, shape.block_size, shape.blocks) == frozenset(range(shape.blocks))
    system = read(image, shape)
    assert (tree_of(map(NewFile.of, system.files)), system.findings) == (found, ())
    assert {folder.name: folder.attributes for folder in system.folders} == found_folders
    superblock = littlefs.superblock_at(image)
    assert superblock is not None
    assert (superblock.version, superblock.name_max, superblock.size) == (
        shape.version,
        shape.name_max,
        len(image),
    )
    assert compose(files, shape, folders) == image
    if space.needed > 2:
        with pytest.raises(FileRoomError) as caught:
            compose(files, replace(large, blocks=space.needed - 1), folders)
        assert caught.value.too_many == shape.block_size


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(SHAPES).flatmap(lambda shape: st.tuples(st.just(shape), trees(shape))))
def test_any_tree(made: Made) -> None:
    check_made(made)


@pytest.mark.long
@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(SHAPES).flatmap(lambda shape: st.tuples(st.just(shape), trees(shape, 40))))
def test_any_large_tree(made: Made) -> None:
    check_made(made)


@pytest.mark.parametrize("count", [0, 1, 60, pytest.param(1000, marks=pytest.mark.long)])
@pytest.mark.parametrize("shape", SHAPES[1:4], ids=lambda shape: f"{shape.name_max}-{shape.block_size:x}")
def test_many_small_files(shape: LittleFsShape, count: int) -> None:
    files = [
        file(f"small/file {number:04d}.txt", number % 150, ((0x74, b"8 bytes."),)) for number in range(count)
    ]
    check_made((shape, (files, [])))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("block_size", [0x1000, 0x2000])
def test_blocks_of_a_file(size: int, block_size: int) -> None:
    """The closed form is what the library takes."""
    device = Device(compose([], arduino(64, block_size)), arduino(64, block_size))
    device.write("a", bytes(size))

    assert device.used - 2 == (0 if size <= 64 else blocks_of(size, block_size))


@given(size=st.integers(1, 1 << 24), block_size=st.sampled_from([128, 4096, 8192]))
def test_blocks_of_any_size(size: int, block_size: int) -> None:
    """By the rule itself: pointers in front of each block but the first."""
    blocks, room = 1, block_size
    while room < size and blocks < 5000:
        room += block_size - 4 * ((blocks & -blocks).bit_length())
        blocks += 1
    assert room < size or blocks_of(size, block_size) == blocks


# What firmware does with it.


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.name_max}-{shape.block_size:x}")
def test_the_same_bytes_as_with_the_buffers_of_the_firmware(shape: LittleFsShape) -> None:
    """But that a firmware moves metadata after so many writes."""
    shape = replace(shape, blocks=160)
    files = [file(f"{number % 3}/{number}", SIZES[number % 12], ((1, b"time"),)) for number in range(30)]
    device = Device(compose([], shape), replace(shape, block_cycles=-1))
    for folder in "012":
        device.system.mkdir(folder)
    for each in files:
        device.write(each.name.decode(), each.data)
        device.system.setattr(each.name.decode(), 1, b"time")

    assert compose(files, shape) == bytes(device.board.image)


@pytest.mark.parametrize("parameters", [ARDUINO, MICROPYTHON])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_device_writes_on(parameters: Parameters, version: str) -> None:
    shape = shape_for(parameters, block_size=0x1000, blocks=64, version=version)
    files = [file("init.lua", 137), file("www/index.html", 20_000), file("empty", 0)]
    device = Device(compose(files, shape, [StoredFolder(b"old")]), shape)
    expected = {each.name: (each.data, each.attributes) for each in files}
    chance = random.Random(1)
    for number in range(150):
        name = f"{chance.choice(['', 'www/', 'old/'])}{number % 7}"
        if name.encode() in expected and chance.random() < 0.4:
            device.system.remove(name)
            del expected[name.encode()]
        else:
            data = chance.randbytes(chance.choice((0, 60, 130, 3000, 9000)))
            device.write(name, data)
            expected[name.encode()] = data, ()
    again = Device(bytes(device.board.image), shape)

    assert again.tree()[0] == expected
    found = read(bytes(device.board.image), shape)
    assert (tree_of(map(NewFile.of, found.files)), found.findings) == (expected, ())


@pytest.mark.parametrize("parameters", [ARDUINO, MICROPYTHON])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("largest", [0, 100, 5000, 70_001])
def test_what_stays_writable(parameters: Parameters, version: str, largest: int) -> None:
    large = shape_for(parameters, block_size=0x1000, blocks=4096, version=version)
    files = [file("largest", largest), *(file(f"d/{number}", 50 * number) for number in range(20))]
    needed = space_for(files, large).needed
    shape = replace(large, blocks=needed + writable_room(files, large))
    device = Device(compose(files, shape), shape)
    for number in range(20):
        device.write("largest", bytes([number]) * largest)
        device.write(f"d/{number}", b"new" + bytes(47 * number))

    assert Device(bytes(device.board.image), shape).tree()[0][b"largest"] == (bytes([19]) * largest, ())


def test_a_full_one_takes_no_writes_but_removing() -> None:
    files = [file("a", 5000), file("b", 9000)]
    shape = arduino(space_for(files, arduino()).needed)
    device = Device(compose(files, shape), shape)
    with pytest.raises(LittleFSError, match="NOSPC"):
        device.write("a", bytes(5000))
    device.system.remove("b")

    assert device.tree()[0].keys() >= {b"a"}


@pytest.mark.parametrize("version", VERSIONS)
def test_which_firmware_mounts_it(version: str) -> None:
    made = compose([file("a")], arduino(version=version))
    old = arduino(version="2.0")
    if version == "2.0":
        assert Device(made, old).tree()[0].keys() == {b"a"}
    else:
        with pytest.raises(LittleFSError):
            Device(made, old)
    long_names = shape_for(MICROPYTHON, block_size=0x1000, blocks=32, version="2.0")
    with pytest.raises(LittleFSError):
        Device(compose([], long_names), old)


# Nothing that is unused is written.


def test_what_is_unused_is_erased() -> None:
    image = compose([file("a", 300)], arduino(32))
    used = blocks_in_use(image, 0x1000, 32)

    assert used is not None
    assert len(used) == 3
    for number in set(range(32)) - used:
        assert image[number * 0x1000 :][:0x1000] == b"\xff" * 0x1000
    assert image[0x1000 - 2048 : 0x1000] == b"\xff" * 2048


# What the makers made.


def reference_images() -> list[Path]:
    found = corpus_folder().parent / "fs-reference"
    if not found.is_dir():
        pytest.skip("no folder fs-reference beside the real images")
    return [path.with_suffix(".bin.gz") for path in sorted(found.glob("*littlefs*.json"))]


def test_as_the_makers_made_it() -> None:
    """Made again, with the shape of the original: the same for firmware, by name, content and attribute."""
    images = reference_images()
    assert len(images) >= 10
    for path in images:
        original = gzip.decompress(path.read_bytes())
        superblock = littlefs.superblock_at(original)
        assert superblock is not None
        shape = shape_of(superblock)
        system = read(original, shape)
        listed = json.loads(path.with_name(path.name.replace(".bin.gz", ".json")).read_text())["files"]
        assert {each["name"].lstrip("/") for each in listed} == {each.path for each in system.files}
        made = compose([NewFile.of(each) for each in system.files], shape, system.folders)

        assert Device(made, shape).tree() == Device(original, shape).tree(), path.name
        assert blocks_in_use(original, shape.block_size, shape.blocks) is not None, path.name
        assert len(made) == len(original)
        assert b"\0" * 0x400 not in made or b"\0" * 0x400 in b"".join(each.data for each in system.files)


# What is refused.


@pytest.mark.parametrize(
    "names",
    [
        ["", "a"],
        ["/a"],
        ["a/"],
        ["a//b"],
        ["a\0b"],
        ["."],
        ["a/../b"],
        ["x" * 33],
        ["a/" + "x" * 33 + "/b"],
        ["a", "b", "a"],
        ["a", "a/b"],
        ["a/b/c", "a/b"],
        ["/".join("d" * 33)],
    ],
)
def test_names_that_are_refused(names: Sequence[str]) -> None:
    files = [file(name) for name in names]
    for refuse in (compose, space_for, check_files):
        with pytest.raises(FileNameError) as caught:
            refuse(files, arduino())
        assert set(caught.value.names) <= set(names)


def test_names_that_are_not() -> None:
    files = [file("x" * 32), file("/".join("d" * 32)), file("a b"), file("..a"), file("A"), file("a")]
    shape = arduino(70)
    image = compose(files, shape)

    assert Device(image, shape).tree()[0] == tree_of(files)
    assert read(image, shape).findings == ()


@pytest.mark.parametrize(
    ("files", "folders"),
    [
        (["a"], ["a"]),
        (["a"], ["a/b"]),
        ([], ["a", "a"]),
        ([], ["x" * 33]),
        ([], ["/".join("d" * 33)]),
        ([], ["", ""]),
    ],
)
def test_folders_that_are_refused(files: Sequence[str], folders: Sequence[str]) -> None:
    with pytest.raises(FileNameError):
        compose([file(name) for name in files], arduino(), [StoredFolder(name.encode()) for name in folders])


@pytest.mark.parametrize(
    "attributes",
    [((256, b""),), ((-1, b""),), ((1, b"a"), (1, b"b")), ((1, bytes(1023)),)],
)
def test_attributes_that_are_refused(attributes: Attributes) -> None:
    for files, folders in (
        ([file("a", 1, attributes)], []),
        ([], [StoredFolder(b"a", attributes)]),
        ([], [StoredFolder(b"", attributes)]),
    ):
        with pytest.raises(FormatError, match="attributes"):
            compose(files, arduino(), folders)


def test_attributes_that_are_not() -> None:
    attributes = tuple((number, bytes([number]) * (number % 3)) for number in range(256))
    longest = ((7, bytes(1022)),)
    files = [file("all", 1, attributes[::-1]), file("longest", 1, longest)]
    found = {each.name: each.attributes for each in read(compose(files, arduino()), arduino()).files}

    assert found == {b"all": attributes, b"longest": longest}


def test_more_than_a_block_of_attributes() -> None:
    attributes = tuple((number, bytes(1000)) for number in range(5))
    with pytest.raises(FormatError, match="a cannot be written"):
        compose([file("a", 1, attributes)], arduino())


def test_too_many_bytes() -> None:
    with pytest.raises(FileRoomError) as caught:
        compose([file("a", 70_000), file("b", 30_000)], arduino(16))

    assert caught.value.too_many == (2 + 18 + 8 - 16) * 0x1000
    assert "2 files do not fit into a LittleFS of 65,536 bytes: 49,152 bytes too many" in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": "2.2"},
        {"version": "1.7"},
        {"block_size": 0},
        {"block_size": 100},
        {"block_size": 0x1001},
        {"block_size": 0x1020},
        {"block_size": 0x2_0000},
        {"blocks": 1},
        {"blocks": 4097},
        {"name_max": 0},
        {"name_max": 256},
        {"prog_size": 0},
        {"cache_size": 96},
        {"block_cycles": 0},
    ],
)
def test_shapes_that_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        replace(arduino(), **wrong)


@pytest.mark.parametrize(("parameters", "inline"), [(ARDUINO, 64), (MICROPYTHON, 128)])
def test_the_shape_of_one_that_is_there(parameters: Parameters, inline: int) -> None:
    for version in VERSIONS:
        shape = shape_for(parameters, block_size=0x1000, blocks=20, version=version)
        superblock = littlefs.superblock_at(compose([], shape))
        assert superblock is not None
        assert shape_of(superblock) == shape
        assert shape.inline_max == inline


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(littlefs_library, "has_library", lambda: False)
    with pytest.raises(UsageError, match="littlefs-python"):
        compose([file("a")], arduino())
