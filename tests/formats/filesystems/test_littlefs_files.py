"""Files in LittleFS: what littlefs-python wrote is read again; damage and hostile metadata are survived."""

from __future__ import annotations

import random
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from littlefs import LittleFS, LittleFSError

from imgtool.formats.filesystems import littlefs, littlefs_files
from imgtool.formats.filesystems.stored_files import FileSystem
from tests.support import IMAGES, codes

Tree = dict[str, bytes]


def image(
    files: Tree, block_size: int = 4096, blocks: int = 16, version: int = 0, folders: tuple[str, ...] = ()
) -> bytes:
    made = LittleFS(block_size=block_size, block_count=blocks, disk_version=version)
    for folder in folders:
        made.makedirs(folder, exist_ok=True)
    for path, content in files.items():
        if "/" in path:
            made.makedirs(path.rpartition("/")[0], exist_ok=True)
        with made.open(path, "wb") as file:
            file.write(content)
    return bytes(made.context.buffer)


def read(data: bytes, block_size: int = 4096, blocks: int = 16, *, offset: int = 0) -> FileSystem:
    return littlefs_files.read_files(data, offset, len(data), block_size=block_size, blocks=blocks)


def contents(system: FileSystem) -> Tree:
    return {file.path: file.data for file in system.files}


FILES: Tree = {
    "init.lua": b"print('hi')\n",
    "empty": b"",
    "www/index.html": b"<html>" * 300,
    "www/img/logo.png": random.Random(1).randbytes(20_000),
    "ü.txt": b"umlaut",
}


@pytest.mark.parametrize("version", [0x20000, 0x20001])
@pytest.mark.parametrize(("block_size", "blocks"), [(4096, 16), (8192, 20)])
def test_what_the_library_wrote(block_size: int, blocks: int, version: int) -> None:
    data = image(FILES, block_size, blocks, version, ("no/files",))
    found = littlefs.superblock_at(data)
    assert found is not None
    system = read(b"\0" * 0x1000 + data + b"\0" * 100, block_size, blocks, offset=0x1000)

    assert contents(system) == FILES
    assert (system.findings, system.layout) == ((), f"2.{version & 1}")
    made = LittleFS(block_size=block_size, block_count=blocks, mount=False)
    made.context.buffer = bytearray(data)
    made.mount()
    assert system.used == made.used_block_count * block_size
    assert system.free == len(data) - (system.used or 0)


NAMES = st.sampled_from(["a", "b", "c.txt", "Long name with spaces.html", "ä"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.dictionaries(PATHS, st.sampled_from([0, 1, 60, 3000, 9000]), max_size=8), seed=st.integers(0, 9)
)
def test_random_trees(sizes: dict[str, int], seed: int) -> None:
    chance = random.Random(seed)
    files = {path: chance.randbytes(size) for path, size in sizes.items()}
    # A name is a file or a folder.
    files = {
        path: data for path, data in files.items() if not any(other.startswith(f"{path}/") for other in files)
    }

    assert contents(read(image(files, blocks=64), blocks=64)) == files


def test_empty() -> None:
    system = read(IMAGES["littlefs/empty.bin"])
    assert (system.files, system.findings, system.used, system.free) == ((), (), 0x2000, 0xE000)


def test_cut() -> None:
    data = image(FILES)
    for stop in (0x1000, 0x2000, 0x5000, 0x8000, len(data) - 0x1000):
        system = read(data[:stop])
        for file in system.files:
            assert FILES[file.path].startswith(file.data)
            assert file.whole == (file.data == FILES[file.path])
        assert len(system.files) == len(FILES) or system.findings


def test_nothing_there() -> None:
    assert codes(read(b"").findings) == ["not-mounted"]
    assert codes(read(b"\xff" * 0x10000).findings) == ["not-mounted"]
    assert codes(littlefs_files.read_files(b"\xff" * 4096, 0, 4096, block_size=129, blocks=16).findings) == [
        "not-mounted"
    ]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 60))
def test_any_damage(seed: int, count: int) -> None:
    chance = random.Random(seed)
    data = bytearray(DAMAGED)
    used = [at for at in range(len(data)) if data[at] != 0xFF]
    for _ in range(count):
        data[chance.choice(used)] = chance.randrange(256)
    if chance.random() < 0.5:
        mend(data)
    system = read(bytes(data))

    assert sum(len(file.data) for file in system.files) <= len(data)
    for file in system.files:
        assert file.whole or codes(system.findings)


DAMAGED = image(FILES)


def mend(data: bytearray, block_size: int = 4096) -> None:
    """Set the CRC of every commit anew, so that the library believes what it reads."""
    for block in range(0, len(data), block_size):
        place, start, tag = block + 4, block, 0xFFFFFFFF
        while place + 8 <= block + block_size:
            tag ^= int.from_bytes(data[place : place + 4], "big")
            if tag >> 31:
                break
            place += 4
            kind, size = tag >> 20, tag & 0x3FF
            if kind & 0x780 == 0x500:
                data[place : place + 4] = (zlib.crc32(data[start:place]) ^ 0xFFFFFFFF).to_bytes(4, "little")
                place += size
                start = place
                tag ^= (kind & 1) << 31
            else:
                place += 0 if size == 0x3FF else size


def block(revision: int, entries: list[tuple[int, int, bytes]]) -> bytes:
    """A metadata block of one commit."""
    out, before = struct.pack("<I", revision), 0xFFFFFFFF
    for kind, number, content in entries:
        tag = kind << 20 | number << 10 | len(content)
        out += struct.pack(">I", tag ^ before) + content
        before = tag
    out += struct.pack(">I", (0x500 << 20 | 0x3FF << 10 | 4) ^ before)
    return (out + struct.pack("<I", zlib.crc32(out) ^ 0xFFFFFFFF)).ljust(4096, b"\xff")


def pair(a: int, b: int) -> bytes:
    return struct.pack("<II", a, b)


NOWHERE = pair(0xFFFFFFFF, 0xFFFFFFFF)


def hostile(root: list[tuple[int, int, bytes]], others: dict[int, bytes]) -> bytes:
    superblock = struct.pack("<6I", 0x20000, 4096, 16, 255, 0x7FFFFFFF, 1022)
    first = block(1, [(0x0FF, 0, b"littlefs"), (0x201, 0, superblock), *root])
    blocks = {0: first, 1: b"\xff" * 4096, **others}
    return b"".join(blocks.get(number, b"\xff" * 4096) for number in range(16))


# Creation, name (1 file, 2 folder), and where it is: 0x200 a folder's pair, 0x201 in place, 0x202 blocks.
def entry(
    number: int, name: bytes, kind: int, struct_kind: int, content: bytes
) -> list[tuple[int, int, bytes]]:
    return [(0x401, number, b""), (kind, number, name), (struct_kind, number, content)]


def test_a_folder_in_itself_ends() -> None:
    data = hostile([*entry(1, b"loop", 2, 0x200, pair(0, 1)), (0x600, 0x3FF, NOWHERE)], {})
    system = read(data)

    assert system.files == ()
    assert codes(system.findings) == ["folder-damaged"]


@pytest.mark.parametrize("tail", [pair(4, 5), pair(4, 4), pair(5, 4)])
def test_a_folder_that_goes_on_with_itself_ends(tail: bytes) -> None:
    circle = block(1, [(0x601, 0x3FF, tail)])
    data = hostile([*entry(1, b"d", 2, 0x200, pair(4, 5)), (0x600, 0x3FF, NOWHERE)], {4: circle, 5: circle})

    assert "folder-damaged" in codes(read(data).findings)


def test_a_file_larger_than_all_is_not_read() -> None:
    data = hostile([*entry(1, b"f", 1, 0x202, pair(4, 0x7FFFFFF0)), (0x600, 0x3FF, NOWHERE)], {})
    system = read(data)

    assert [(file.size, file.data, file.whole) for file in system.files] == [(0x7FFFFFF0, b"", False)]
    assert codes(system.findings) == ["file-damaged"]


def test_files_in_the_same_blocks_do_not_multiply() -> None:
    entries = [
        part for number in range(1, 40) for part in entry(number, b"%02d" % number, 1, 0x202, pair(4, 4000))
    ]
    system = read(hostile([*entries, (0x600, 0x3FF, NOWHERE)], {}))

    assert len(system.files) == 39
    assert sum(len(file.data) for file in system.files) <= 0x10000
    assert "file-damaged" in codes(system.findings)


def test_blocks_behind_the_end_are_not_read() -> None:
    data = hostile([*entry(1, b"f", 1, 0x202, pair(99, 100)), (0x600, 0x3FF, NOWHERE)], {})
    assert codes(read(data).findings) == ["file-damaged"]


@pytest.mark.parametrize("name", [b"..", b".", b"a/b", b"x" * 300])
def test_names_that_are_none(name: bytes) -> None:
    data = hostile([*entry(1, name, 1, 0x201, b"text"), (0x600, 0x3FF, NOWHERE)], {})
    assert all(not file.whole or file.path not in ("..", ".") for file in read(data).files)


def test_the_hand_made_ones_are_sound() -> None:
    data = hostile([*entry(1, b"f", 1, 0x201, b"text"), (0x600, 0x3FF, NOWHERE)], {})
    system = read(data)
    assert (contents(system), system.findings) == ({"f": b"text"}, ())


def test_errors_of_the_library_have_names() -> None:
    assert LittleFSError(-84).name == "LFS_ERR_CORRUPT"
