"""Files put into a SPIFFS in place, and removed from it, judged by a model of the firmware."""

from __future__ import annotations

from itertools import product
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgtool.errors import FileRoomError
from imgtool.formats.filesystems.spiffs_edit import edited, erase_counts
from imgtool.formats.filesystems.spiffs_make import SpiffsShape, compose, space_for
from imgtool.formats.filesystems.stored_files import NewFile
from tests.spiffs_model import Config, Spiffs

KINDS: Final = [
    *product(("aligned",), ("linear", "old", "constant")),
    *product(("0.9.5", "0.9.6", "packed", "sming-4.3"), ("none",)),
    ("mongoose", "constant"),
]
NAMES: Final = st.sampled_from([b"a", b"init.lua", b"http/x.gif", b"n" * 31, "\u00e9".encode()])
SIZES: Final = st.sampled_from([0, 1, 251, 252, 3000, 26_355, 26_356])
STEPS: Final = st.lists(st.tuples(NAMES, st.none() | SIZES), min_size=1, max_size=8)


def mounted(data: bytes, shape: SpiffsShape) -> Spiffs:
    model = Spiffs(Config(shape.block_size, shape.blocks, shape.layout, shape.formula), data)
    model.mount()
    assert model.check() == []
    return model


def contents(model: Spiffs) -> dict[bytes, bytes]:
    return {name: model.read(name) for name, _ in model.listing()}


def filled(name: bytes, size: int) -> bytes:
    return bytes((len(name) + at * 7 + (at >> 8)) & 0xFF for at in range(size))


def new_files(files: dict[bytes, bytes]) -> list[NewFile]:
    return [NewFile(name, data) for name, data in files.items()]


@pytest.mark.parametrize(("layout", "formula"), KINDS)
@settings(max_examples=8)
@given(steps=STEPS, used=st.booleans())
def test_every_step_leaves_a_sound_one(
    layout: str, formula: str, steps: list[tuple[bytes, int | None]], used: bool
) -> None:
    block = 0x1000 if layout in ("0.9.5", "0.9.6", "packed", "mongoose") else 0x2000
    shape = SpiffsShape(block_size=block, blocks=0x28000 // block, formula=formula, layout=layout)
    there: dict[bytes, bytes] = {b"kept": filled(b"kept", 700)}
    data = compose(new_files(there), shape)
    if used:  # a device has written, rewritten and removed meanwhile
        model = mounted(data, shape)
        assert model.write(b"a", filled(b"old", 9000))
        assert model.write(b"a", filled(b"a", 500))
        assert model.write(b"gone", bytes(4000))
        model.remove(b"gone")
        there[b"a"], data = filled(b"a", 500), model.data
    for name, size in steps:
        wanted = {key: value for key, value in there.items() if key != name}
        add = [] if size is None else [NewFile(name, filled(name, size))]
        wanted |= {file.name: file.data for file in add}
        try:
            changed = edited(data, shape, [] if add else [name], add)
        except FileRoomError:
            assert not space_for(new_files(wanted), shape).fits
            continue
        if changed is None:
            changed = compose(new_files(wanted), shape, erase_counts(data, shape))
        else:
            old, new = int.from_bytes(data, "little"), int.from_bytes(changed, "little")
            assert old | new == old, "bits are cleared alone"
        there, data = wanted, changed
        assert contents(mounted(data, shape)) == there
    model = mounted(data, shape)
    if space_for([*new_files(there), NewFile(b"more", bytes(1000))], shape).fits:
        assert model.write(b"more", bytes(1000))
        assert model.check() == []


def test_what_is_there_is_left_where_it_is() -> None:
    shape = SpiffsShape(block_size=0x2000, blocks=16)
    data = compose([NewFile(b"one", filled(b"one", 30_000)), NewFile(b"two", b"x")], shape)

    changed = edited(data, shape, [], [NewFile(b"three", filled(b"three", 400))])

    assert changed is not None
    sectors = {at // 0x1000 for at in range(len(data)) if data[at] != changed[at]}
    assert len(sectors) <= 2


def test_two_blocks_stay_free() -> None:
    shape = SpiffsShape(block_size=0x1000, blocks=8)
    data = compose([], shape)
    room = space_for([], shape).room
    assert edited(data, shape, [], [NewFile(b"all", bytes(251 * (room - 1)))]) is not None
    with pytest.raises(FileRoomError):
        edited(data, shape, [], [NewFile(b"all", bytes(251 * (room - 1) + 1))])


def test_a_full_one_with_deleted_pages_has_to_be_made_anew() -> None:
    shape = SpiffsShape(block_size=0x1000, blocks=8)
    full = compose([NewFile(b"all", bytes(251 * 80))], shape)
    there = edited(full, shape, [b"all"], [])
    assert there is not None
    assert edited(there, shape, [], [NewFile(b"new", bytes(251 * 40))]) is None
