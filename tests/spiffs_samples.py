"""SPIFFS for tests: every shape that a firmware has, trees of files that fit or fill it, and who judges them.

The judge is spiffs_model.py, which is the firmware; here it meets imgtool's shapes and files.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import strategies as st

from imgtool.formats.filesystems.spiffs_files import read_as
from imgtool.formats.filesystems.spiffs_make import SpiffsShape
from imgtool.formats.filesystems.stored_files import FileSystem, NewFile
from tests.spiffs_model import CONTENT, LAYOUTS, PAGE, Config, Spiffs
from tests.support import corpus_folder

FIRMWARES: Final = (
    ("0.9.2", "none", 0x1000),
    ("0.9.5", "none", 0x1000),
    ("0.9.6", "none", 0x1000),
    ("0.9.6-20150406", "none", 0x1000),
    ("packed", "none", 0x1000),  # NodeMCU 1.4.0 and 1.5.1
    ("aligned", "linear", 0x1000),  # 1.5.4.1 and later
    ("aligned", "linear", 0x2000),
    ("aligned", "old", 0x1000),  # 1.5.4.1-20161201 to 2.1.0-20170521
    ("aligned", "old", 0x2000),
    ("aligned", "constant", 0x1000),  # Arduino
    ("aligned", "constant", 0x2000),
    ("aligned", "none", 0x2000),  # Sming before 4.3
    ("sming-4.3", "none", 0x2000),
    ("mongoose", "constant", 0x1000),
    ("metadata", "linear", 0x1000),
    ("esp32", "linear", 0x1000),
    ("unaligned", "linear", 0x1000),  # mkspiffs
    ("unaligned", "linear", 0x2000),
)
"""Layout of index pages, formula of the magics, block size."""


NAMED: Final = frozenset(LAYOUTS) - {"0.9.2"}
"""Layouts that are known by any file: names of 0.9.2 begin where one build of 0.9.6 has them."""


def shape_of(firmware: tuple[str, str, int], blocks: int) -> SpiffsShape:
    layout, formula, block = firmware
    return SpiffsShape(block_size=block, blocks=blocks, formula=formula, layout=layout)


SHAPES: Final = st.builds(
    shape_of, st.sampled_from(FIRMWARES), st.one_of(st.integers(4, 8), st.sampled_from([13, 28, 40]))
)


def config_of(shape: SpiffsShape) -> Config:
    return Config(shape.block_size, shape.blocks, shape.layout, shape.formula)


# What fits.


def pages_for(size: int, layout: str) -> int:
    """Pages of a file, counted by filling index pages one after the other."""
    data = left = (size + CONTENT - 1) // CONTENT
    indices, room = 1, LAYOUTS[layout].in_first
    while left > room:
        left -= room
        indices, room = indices + 1, LAYOUTS[layout].in_more
    return data + indices


def room_for(shape: SpiffsShape) -> int:
    """Pages that files may take with two blocks left free."""
    return (shape.blocks - 2) * (shape.block_size // PAGE - 1)


def largest(pages: int, layout: str) -> int:
    """Bytes of the largest file in so many pages."""
    return max(data * CONTENT for data in range(pages) if pages_for(data * CONTENT, layout) <= pages)


# Trees of files.


def stuff(size: int, seed: int) -> bytes:
    """Made-up contents; some are nothing but erased or cleared flash."""
    if seed % 7 == 0:
        return (b"\xff", b"\0")[seed % 2] * size
    return random.Random(seed).randbytes(size)


def names(room: int = 32) -> st.SearchStrategy[bytes]:
    """Up to the greatest length, beyond ASCII, with slashes, no UTF-8."""
    text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=room - 1)
    paths = st.from_regex(r"[a-z]{1,8}(/[a-z0-9_.]{1,8}){0,2}\.(lua|lc|html)", fullmatch=True)
    raw = st.binary(min_size=1, max_size=room - 1).map(lambda name: name.replace(b"\0", b"\xfe"))
    longest = st.integers(0, 99).map(lambda seed: f"{seed:0{room - 1}}".encode())
    fitting = text.map(str.encode).filter(lambda name: len(name) < room)
    return st.one_of(paths.map(str.encode), fitting, raw, longest)


def sizes(layout: str) -> st.SearchStrategy[int]:
    """Around the edges of pages and of index pages, 64 KB and more, and anything."""
    first = LAYOUTS[layout].in_first * CONTENT
    second = first + LAYOUTS[layout].in_more * CONTENT
    edges = (0, 1, 250, 251, 252, first - 1, first, first + 1, second, second + 1, 0xFFFF, 0x10000, 70_001)
    return st.one_of(st.sampled_from(edges), st.integers(0, 2000), st.integers(0, 60))


@st.composite
def trees(draw: st.DrawFn, shape: SpiffsShape, most: int = 12) -> list[NewFile]:
    """Files that fit; at times up to the last page."""
    room = LAYOUTS[shape.layout].name_length
    left = room_for(shape)
    files = []
    count = draw(st.integers(0, most))
    for name in draw(st.lists(names(room), min_size=count, max_size=count, unique=True)):
        size = draw(sizes(shape.layout))
        if pages_for(size, shape.layout) <= left:
            files.append(NewFile(name, stuff(size, len(name) + size + count)))
            left -= pages_for(size, shape.layout)
    if draw(st.booleans()):
        files += filling(left, shape.layout, {file.name for file in files})
    return draw(st.permutations(files))


def filling(pages: int, layout: str, taken: set[bytes] | None = None) -> list[NewFile]:
    """Files that take exactly so many pages."""
    files: list[NewFile] = []
    fresh = (name for number in range(pages + 1000) if (name := b"fill%d" % number) not in (taken or ()))
    while pages:
        size = largest(min(pages, 250), layout)
        files.append(NewFile(next(fresh), stuff(size, pages)))
        pages -= pages_for(size, layout)
    return files


# Judging.


def judge(data: bytes, shape: SpiffsShape, *, old: bool = False) -> Spiffs:
    """A firmware that has mounted it; an old one is that of NodeMCU before 2.1.0-20170811."""
    judged = Spiffs(replace(config_of(shape), any_block=not old, skips_last=old), data)
    judged.mount()
    return judged


def holds(system: Spiffs, files: dict[bytes, bytes]) -> None:
    """It has exactly these files, reads them, and finds nothing wrong with itself."""
    assert sorted(system.listing()) == sorted((name, len(data)) for name, data in files.items())
    for name, data in files.items():
        assert system.read(name) == data
    assert system.check() == []


def is_listed_by_all(files: Sequence[NewFile], shape: SpiffsShape) -> bool:
    """Whether there are pages enough that no file has to lie where an old SPIFFS does not list it."""
    empty = sum(not file.data for file in files)
    needed = sum(pages_for(len(file.data), shape.layout) for file in files)
    left_out = empty // (shape.block_size // PAGE - 2)  # last pages of blocks
    return left_out <= room_for(shape) - empty and (left_out == 0 or needed > 2 * empty or needed == empty)


def read_back(data: bytes, shape: SpiffsShape) -> FileSystem:
    """What imgtool reads, knowing the layout."""
    return read_as(shape.index, data, block_size=shape.block_size, blocks=shape.blocks)


def contents(files: Sequence[NewFile]) -> dict[bytes, bytes]:
    return {file.name: file.data for file in files}


@dataclass(frozen=True)
class Use:
    """One thing that somebody does with files: writes one, appends to one, removes one."""

    what: str
    which: int
    size: int
    chunk: int


USES: Final = st.lists(
    st.builds(
        Use,
        st.sampled_from(["write", "write", "rewrite", "append", "remove"]),
        st.integers(0, 30),
        st.one_of(st.integers(0, 1500), st.sampled_from([0, 251, 5000, 30_000])),
        st.sampled_from([100, 251, 1000, 1 << 20]),
    ),
    max_size=14,
)


def use(system: Spiffs, files: dict[bytes, bytes], uses: Sequence[Use]) -> dict[bytes, bytes]:
    """What is in a file system after use, which goes on until it is full.

    A write for which there is no space may leave pages that belong to nothing, as on a device: it is done to
    a copy, and what the file system is has not changed.
    """
    files = dict(files)
    for number, step in enumerate(uses):
        there = sorted(files)
        name = there[step.which % len(there)] if there else b""
        data = stuff(step.size, number + step.size)
        before = system.data, system.next_count
        if step.what == "write" or not there:
            name = b"written%d" % step.which
            done = system.write(name, data, chunk=step.chunk)
            files[name] = data
        elif step.what == "rewrite":
            done = system.write(name, data, chunk=step.chunk)
            files[name] = data
        elif step.what == "append":
            done = system.append(name, data)
            files[name] += data
        else:
            system.remove(name)
            del files[name]
            done = True
        if not done:
            system.flash.data[:] = before[0]
            system.mount()
            return {name: system.read(name) for name, _ in system.listing()}
    return files


# Images by the real makers.

_MAKERS: Final[Sequence[tuple[str, str, str]]] = (
    (r"nodemcu-(0\.9\.5|20150213|dev20150310)", "0.9.5", "none"),
    (r"nodemcu-0\.9\.6-(dev_)?20150406", "0.9.6-20150406", "none"),
    (r"nodemcu-0\.9\.6", "0.9.6", "none"),
    (r"nodemcu-1\.(4\.0|5\.1)", "packed", "none"),
    (r"(nodemcu|spiffsimg)-(1\.5\.4\.1-20161201|2\.0\.0|2\.1\.0-20170521)", "aligned", "old"),
    (r"(nodemcu|spiffsimg)-", "aligned", "linear"),
    (r"mkspiffs-arduino", "aligned", "constant"),
    (r"mkspiffs-(esp32|esp-idf|idf)", "esp32", "linear"),
    (r"mkspiffs-generic", "unaligned", "linear"),
    (r"sming-(4\.[3-9]|[5-9])", "sming-4.3", "none"),
    (r"sming-", "aligned", "none"),
    (r"mongoose-", "mongoose", "constant"),
)


@dataclass(frozen=True)
class Reference:
    """An image that its own maker wrote; digests by name."""

    title: str
    data: bytes
    shape: SpiffsShape
    files: dict[bytes, tuple[int, str]]


def references(title: str = "") -> Iterator[Reference]:
    """The SPIFFS beside the real images, of which the title has some words in it."""
    folder = corpus_folder().parent / "fs-reference"
    if not folder.is_dir():
        pytest.skip("no folder fs-reference beside the real images")
    for listing in sorted(folder.glob("*.json")):
        if "littlefs" not in listing.stem and title in listing.stem:
            yield _reference(listing)


def _reference(listing: Path) -> Reference:
    data = gzip.decompress(listing.with_suffix(".bin.gz").read_bytes())
    layout, formula = next(found for maker, *found in _MAKERS if re.match(maker, listing.stem))
    block = 0x400 * int(re.findall(r"-(\d+)k-", listing.stem.replace("k-", "k--"))[1])
    files = json.loads(listing.read_text())["files"]
    return Reference(
        listing.stem,
        data,
        SpiffsShape(block_size=block, blocks=len(data) // block, formula=formula, layout=layout),
        {file["name"].encode(): (file["size"], file["sha256"]) for file in files},
    )


def digests(files: Iterator[tuple[bytes, bytes]]) -> dict[bytes, tuple[int, str]]:
    return {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in files}


Change = Callable[[bytearray], None]
