"""The SPIFFS model by itself: against images of the real makers, against what devices do, against damage."""

from __future__ import annotations

from dataclasses import replace
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.formats.filesystems.spiffs_make import SpiffsShape, compose
from imgtool.formats.filesystems.stored_files import NewFile
from tests.spiffs_model import (
    CONTENT,
    LAYOUTS,
    PAGE,
    Config,
    DamagedError,
    Flash,
    RefusedError,
    Spiffs,
)
from tests.spiffs_samples import (
    FIRMWARES,
    SHAPES,
    Change,
    Use,
    config_of,
    digests,
    holds,
    judge,
    references,
    stuff,
    use,
)

SHAPE = SpiffsShape(block_size=0x1000, blocks=16)
FILES = {b"init.lua": stuff(400, 1), b"large": stuff(30_000, 2), b"empty": b"", b"a/b": stuff(252, 3)}
IMAGE = compose([NewFile(name, data) for name, data in FILES.items()], SHAPE)


def formatted(config: Config) -> Spiffs:
    system = Spiffs(config)
    if config.magic != "none":
        system.format()
    system.mount()
    return system


def test_flash_only_clears_bits() -> None:
    flash = Flash(b"\xff" * 0x2000)
    flash.write(0x10, b"\xf0")
    with pytest.raises(AssertionError, match="would set bits"):
        flash.write(0x10, b"\xf1")
    flash.erase(0)
    flash.write(0x10, b"\xf1")
    with pytest.raises(AssertionError):
        flash.erase(0x10)


def test_offsets_agree_with_what_index_pages_hold() -> None:
    for layout in LAYOUTS.values():
        assert layout.in_first == (PAGE - layout.first) // 2
        assert layout.in_more == (PAGE - layout.more) // 2
        assert 0 <= layout.first - (layout.name + layout.name_length + layout.metadata) <= 1


def test_images_of_the_real_makers() -> None:
    """Mounted, listed, read, written to, and nothing found wrong before and after."""
    count = 0
    for image in references():
        system = judge(image.data, image.shape)
        files = {name: system.read(name) for name, _ in system.listing()}
        assert digests(iter(files.items())) == image.files, image.title
        assert len(system.listing()) == len(files), image.title
        assert system.check() == [], image.title
        assert system.write(b"further", stuff(3000, 1), chunk=1000), image.title
        holds(system, files | {b"further": stuff(3000, 1)})
        system.remove(b"further")
        holds(system, files)
        count += 1
    assert count > 20


@pytest.mark.parametrize(
    ("block", "blocks", "pages"), [(0x1000, 6, 60), (0x2000, 4, 62), (0x2000, 8, 186), (0x2000, 32, 930)]
)
def test_where_a_device_stops(block: int, blocks: int, pages: int) -> None:
    """As run by the sources of NodeMCU: files of 0 and 1 byte, a page or two each."""
    system = formatted(Config(block, blocks))
    number = 0
    while system.write(b"%d" % number, b"x" * (number % 2)):
        number += 1
    # What did not fit may have been created; it has no contents.
    assert pages - 1 <= system.used <= pages
    assert system.deleted == 0


def test_a_file_that_is_not_listed() -> None:
    """As SPIFFS has it before 0.3.6: the first index pages of two files in the last two pages of a block."""
    system = formatted(Config(0x1000, 6))
    for number in range(17):
        assert system.write(b"%d" % number, b"")
    names = [b"%d" % number for number in range(17)]
    assert [name for name, _ in system.listing()] == names
    old = Spiffs(replace(system.config, skips_last=True), system.data)
    old.mount()
    assert [name for name, _ in old.listing()] == [*names[:14], *names[15:]]
    assert old.read(b"14") == b""


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(("layout", "magic", "block"), FIRMWARES)
def test_use_until_garbage_was_collected(layout: str, magic: str, block: int, *, old: bool) -> None:
    system = formatted(Config(block, 0xA000 // block, layout, magic, not old, old))
    files = {b"stays": stuff(2000, 5), b"slash/\xc3\xa9": b""}
    for name, data in files.items():
        assert system.write(name, data)
    for number in range(25):
        name, data = b"again%d" % (number % 2), stuff(3000 + 100 * number, number)
        assert system.write(name, data, chunk=1000)
        files[name] = data
        if number % 5 == 0:
            files[b"stays"] += b"more"
            assert system.append(b"stays", b"more")
    assert system.collections > 3
    holds(system, files)
    again = Spiffs(system.config, system.data)
    again.mount()
    holds(again, files)
    assert (again.used, again.deleted) == (system.used, system.deleted)
    for name in files:
        again.remove(name)
    holds(again, {})


@given(shape=SHAPES, seed=st.integers(0, 99), old=st.booleans())
def test_any_use(shape: SpiffsShape, seed: int, *, old: bool) -> None:
    system = formatted(replace(config_of(shape), any_block=not old, skips_last=old))
    kinds = ("write", "rewrite", "append", "remove")
    uses = [Use(kinds[(seed + n * n) % 4], n % 5, (seed * n * 97) % 4000, 500) for n in range(30)]
    holds(system, use(system, {}, uses))


def test_a_file_of_several_index_pages() -> None:
    system = formatted(Config(0x1000, 30))
    for size in (105 * CONTENT, 105 * CONTENT + 1, 229 * CONTENT, 229 * CONTENT + 1, 70_001):
        data = stuff(size, size)
        assert system.write(b"large", data, chunk=5000)
        holds(system, {b"large": data})
    assert not system.write(b"too much", stuff(90_000, 1))
    assert system.read(b"large") == stuff(70_001, 70_001)


def with_magics(*wrong: int, blocks: int = 16, formula: str = "linear") -> Spiffs:
    shape = SpiffsShape(block_size=0x1000, blocks=blocks, formula=formula)
    files = [NewFile(name, data) for name, data in FILES.items()]
    data = bytearray(compose(files, shape))
    for block in wrong:
        data[block * 0x1000 + 0xFC : block * 0x1000 + 0xFE] = b"\xff\xff"
    return Spiffs(config_of(shape), bytes(data))


@pytest.mark.parametrize("formula", ["linear", "old", "constant"])
def test_a_block_without_its_magic_is_erased(formula: str) -> None:
    system = with_magics(1, formula=formula)
    assert system.check() == ["block 1 has a wrong magic"]
    system.mount()
    assert {name for name, _ in system.listing()} == set(FILES)
    assert system.erase_counts()[:3] == [0, 1, 0]
    assert system.check() != []
    with pytest.raises(DamagedError):
        system.read(b"large")


@pytest.mark.parametrize("wrong", [(0, 1), (1, 9), (8, 9)])
@pytest.mark.parametrize("formula", ["linear", "old", "constant"])
def test_two_blocks_without_their_magics(formula: str, wrong: tuple[int, int]) -> None:
    with pytest.raises(RefusedError):
        with_magics(*wrong, formula=formula).mount()


def test_what_is_refused() -> None:
    """As run by the sources of NodeMCU: the other formula, another block size, a space that is too small."""
    for made, looked_for in (("linear", "old"), ("old", "linear"), ("constant", "linear")):
        data = with_magics(formula=made).data
        with pytest.raises(RefusedError):
            Spiffs(Config(0x1000, 16, magic=looked_for), data).mount()
    with pytest.raises(RefusedError):
        Spiffs(Config(0x2000, 8), IMAGE).mount()
    with pytest.raises(RefusedError):
        Spiffs(Config(0x1000, 8), IMAGE[:0x8000]).mount()
    with pytest.raises(RefusedError):  # the old formula looks at the end, too
        with_magics(14, 15, formula="old").mount()
    with_magics(15, formula="old").mount()


def test_less_than_the_space_that_there_is() -> None:
    system = Spiffs(Config(0x1000, 20), IMAGE + b"\xff" * 0x4000)
    system.mount()
    assert system.blocks == 16
    holds(system, FILES)


# What the check notices: changes of an image that is right.

HEAD = 1  # page of init.lua, its data in 2 and 3
LARGE = 4


def put(at: int, *values: int, size: str = "H") -> Change:
    def change(data: bytearray) -> None:
        new = pack(f"<{len(values)}{size}", *values)
        data[at : at + len(new)] = new

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(put(0, 0), id="lookup: the first index page deleted"),
        pytest.param(put(2, 0), id="lookup: a data page deleted"),
        pytest.param(put(2, 0xFFFF), id="lookup: a data page free"),
        pytest.param(put(2, 2), id="lookup: a data page of another object"),
        pytest.param(put(2, 0x8001), id="lookup: a data page as an index page"),
        pytest.param(put(15 * 0x1000, 9), id="lookup: a free page in use"),
        pytest.param(put(2 * 15, 9), id="lookup: an entry behind the last page"),
        pytest.param(put(0xFC, 0x1234), id="magic"),
        pytest.param(put(0xFE, 0xFFFF), id="no erase count"),
        pytest.param(put(HEAD * PAGE, 0x8002), id="index page of another object"),
        pytest.param(put(HEAD * PAGE + 2, 1), id="span of an index page"),
        pytest.param(put(HEAD * PAGE + 4, 0x78, size="B"), id="index page deleted"),
        pytest.param(put(HEAD * PAGE + 4, 0xB8, size="B"), id="file being removed"),
        pytest.param(put(HEAD * PAGE + 4, 0xFA, size="B"), id="index page not final"),
        pytest.param(put(HEAD * PAGE + 12, 2, size="B"), id="type"),
        pytest.param(put(HEAD * PAGE + 13, 0, size="B"), id="no name"),
        pytest.param(put(HEAD * PAGE + 13, *b"x" * 32, size="B"), id="name without an end"),
        pytest.param(put(HEAD * PAGE + 13, *b"large\0\0\0", size="B"), id="name twice"),
        pytest.param(put(HEAD * PAGE + 8, 251, size="I"), id="a page too few by the size"),
        pytest.param(put(HEAD * PAGE + 8, 503, size="I"), id="a page too many by the size"),
        pytest.param(put(HEAD * PAGE + 8, 399, size="I"), id="a byte behind the end"),
        pytest.param(put(HEAD * PAGE + 8, 2**32 - 2, size="I"), id="a size beyond all bounds"),
        pytest.param(put(HEAD * PAGE + 46, 3, 2), id="index: two pages swapped"),
        pytest.param(put(HEAD * PAGE + 46, 2, 2), id="index: a page twice"),
        pytest.param(put(HEAD * PAGE + 46, 16), id="index: a lookup page"),
        pytest.param(put(HEAD * PAGE + 46, 256), id="index: behind the end"),
        pytest.param(put(HEAD * PAGE + 46, 0xFFFF), id="index: a page is missing"),
        pytest.param(put(HEAD * PAGE + 50, 5), id="index: a page too many"),
        pytest.param(put(2 * PAGE, 3), id="data page of another object"),
        pytest.param(put(2 * PAGE + 2, 5), id="span of a data page"),
        pytest.param(put(2 * PAGE + 4, 0x7C, size="B"), id="data page deleted"),
        pytest.param(put(2 * PAGE + 4, 0xFE, size="B"), id="data page not final"),
        pytest.param(put(0xF80, 0, size="B"), id="a free page that is not erased"),
    ],
)
def test_damage_is_found(change: Change) -> None:
    shape = SpiffsShape(block_size=0x1000, blocks=16)
    files = [NewFile(name, FILES[name]) for name in (b"init.lua", b"a/b")]
    files.append(NewFile(b"large", stuff(1000, 1)))
    data = bytearray(compose(files, shape))
    assert Spiffs(config_of(shape), bytes(data)).check() == []
    change(data)
    assert Spiffs(config_of(shape), bytes(data)).check() != []


def means_nothing(at: int, system: Spiffs) -> bool:
    """Whether a byte is one that nothing looks at: alignment, metadata, erase counts, a file's contents."""
    page, inside = divmod(at, PAGE)
    if page % (system.config.entries + 1) == 0:
        return inside >= 0xFE
    number, span, _ = system._head(page)  # noqa: SLF001 - the judge's own eyes
    if number in (0, 0xFFFF):
        return False
    layout = system.layout
    if not number & 0x8000:
        return inside >= 5
    if span:
        return 5 <= inside < layout.more
    named = layout.name + layout.name_length
    between = {
        *range(5, layout.size),
        *range(layout.size + 4, layout.type),
        *range(layout.type + 1, layout.name),
    }
    return inside in between or named <= inside < layout.first


@given(st.sampled_from(FIRMWARES), st.integers(0, 4 * 0x1000 - 1), st.integers(0, 7))
def test_each_bit_means_something(firmware: tuple[str, str, int], at: int, bit: int) -> None:
    """One that is flipped is found by the check, or a name or a size is another one."""
    layout, magic, block = firmware
    system = formatted(Config(block, 8, layout, magic))
    for name in (b"init.lua", b"a/b"):
        assert system.write(name, FILES[name])
    assert system.write(b"large", stuff(3000, 4))
    before = system.listing()
    system.flash.data[at] ^= 1 << bit
    noticed = system.check() != [] or system.listing() != before
    system.flash.data[at] ^= 1 << bit
    assert noticed or means_nothing(at, system)
