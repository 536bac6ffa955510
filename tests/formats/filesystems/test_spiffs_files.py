"""Files in SPIFFS: every variant, use, damage."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fixtures import filesystems
from fixtures.filesystems import FILES, LAYOUTS, SLASHED, SMALL, Spiffs, Variant
from imgtool.formats.filesystems import spiffs, spiffs_files, spiffs_plain
from imgtool.formats.filesystems.stored_files import FileSystem
from imgtool.formats.reading import FileKind
from imgtool.formats.registry import identify
from tests.support import IMAGES, flipped, said

PAGE = 256


def read(data: bytes, variant: Variant, *, offset: int = 0, stop: int | None = None) -> FileSystem:
    return spiffs_files.read_files(
        data,
        offset,
        len(data) if stop is None else stop,
        block_size=variant.block,
        blocks=variant.blocks,
    )


def contents(system: FileSystem) -> dict[str, bytes]:
    return {file.path: file.data for file in system.files}


def named(files: dict[bytes, bytes]) -> dict[str, bytes]:
    return {name.decode(): content for name, content in files.items()}


@pytest.mark.parametrize(
    ("name", "variant", "files"),
    [
        ("files-linear", Variant(), FILES),
        ("files-old-formula", Variant(formula="old"), FILES),
        ("files-small", Variant(0x1000, 26), FILES),
        ("files-erased-magic", Variant(), FILES),
        ("files-1.5.1", Variant(0x1000, 32, None, "packed"), FILES),
        ("files-0.9.6", Variant(0x1000, 8, None, "0.9.6"), SMALL),
        ("files-0.9.5", Variant(0x1000, 8, None, "0.9.5"), SMALL),
        ("files-unaligned", Variant(0x2000, 16, None, "unaligned"), FILES),
        ("files-metadata", Variant(0x1000, 8, "linear", "metadata"), SMALL),
        ("files-0.9.6-20150406", Variant(0x1000, 8, None, "0.9.6-20150406"), SMALL),
        ("files-arduino", Variant(0x2000, 16, "constant"), SLASHED),
        ("files-mongoose", Variant(0x1000, 32, "constant", "mongoose"), FILES),
        ("files-sming-4.3", Variant(0x2000, 16, None, "sming-4.3"), FILES),
        ("files-esp32", Variant(0x1000, 32, "linear", "esp32"), FILES),
    ],
)
def test_every_variant(name: str, variant: Variant, files: dict[bytes, bytes]) -> None:
    data = IMAGES[f"spiffs/{name}.bin"]
    if variant.formula in (None, "constant"):
        plain = spiffs_plain.plain_at(data)
        assert plain is not None
        assert (plain.block_size, plain.blocks, plain.files) == (variant.block, variant.blocks, len(files))
        assert (plain.formula, plain.layout) == (variant.formula or "none", variant.layout)
    else:
        signature = spiffs.signature_at(data)
        assert signature is not None
        found = (signature.block_size, signature.blocks, signature.formula)
        assert found == (variant.block, variant.blocks, variant.formula)
    system = read(data, variant)

    assert contents(system) == named(files)
    assert all(file.whole and file.size == len(file.data) for file in system.files)
    assert (system.layout, system.findings) == (variant.layout, ())
    assert (system.half_written, system.most_erases) == (1, 4)


def test_pages_are_counted() -> None:
    made = Spiffs(Variant(0x1000, 4, None))
    gone = made.write(b"gone", bytes(300))
    made.write(b"kept", bytes(300))
    made.remove(gone)
    system = read(made.image(), made.variant)

    assert (system.used, system.deleted, system.free) == (3 * PAGE, 3 * PAGE, (4 * 15 - 6) * PAGE)


@pytest.mark.parametrize("size", [0, 1, 250, 251, 252, 105 * 251, 105 * 251 + 1, 229 * 251, 229 * 251 + 1])
def test_sizes_at_the_edges_of_pages(size: int) -> None:
    content = random.Random(size).randbytes(size)
    variant = Variant(0x2000, 10)

    assert contents(read(filesystems.spiffs({b"f": content}, variant), variant)) == {"f": content}


@st.composite
def variants(draw: st.DrawFn) -> Variant:
    block, blocks = draw(st.sampled_from([(0x1000, 14), (0x2000, 8)]))
    return Variant(
        block, blocks, draw(st.sampled_from([None, "linear", "old"])), draw(st.sampled_from(list(LAYOUTS)))
    )


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1).filter(
    lambda name: len(name.encode()) < 32
)
FILE_SETS = st.dictionaries(NAMES, st.integers(0, 4000), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(variant=variants(), sizes=FILE_SETS, seed=st.integers(0, 99), rewritten=st.booleans())
def test_what_was_written_is_read(
    variant: Variant, sizes: dict[str, int], seed: int, *, rewritten: bool
) -> None:
    # Names that all begin alike could as well have a stray byte of 0.9.5 in front of them.
    assume(variant.layout != "0.9.6-20150406" or len({name.encode()[0] for name in sizes}) > 1)
    chance = random.Random(seed)
    files = {name: chance.randbytes(size) for name, size in sizes.items()}
    made = Spiffs(variant)
    for name, content in files.items():
        made.write(name.encode(), content, rewritten=rewritten)
    system = read(b"\xff" * 0x1000 + made.image() + b"\x00" * 100, variant, offset=0x1000)

    assert contents(system) == files
    assert system.findings == ()


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 40), whole_pages=st.booleans())
def test_damage_is_said(seed: int, count: int, *, whole_pages: bool) -> None:
    chance = random.Random(seed)
    name = chance.choice(["files-linear", "files-1.5.1", "files-unaligned"])
    variant = {
        "files-linear": Variant(),
        "files-1.5.1": Variant(0x1000, 32, None, "packed"),
        "files-unaligned": Variant(0x2000, 16, None, "unaligned"),
    }[name]
    data = bytearray(IMAGES[f"spiffs/{name}.bin"])
    for _ in range(count):
        page = chance.randrange(len(data) // PAGE) * PAGE
        if whole_pages:
            data[page : page + PAGE] = chance.choice([bytes(PAGE), b"\xff" * PAGE, chance.randbytes(PAGE)])
        else:
            # The head of a page: what stands in a data page behind it has no check.
            data[page + chance.randrange(5)] ^= 1 << chance.randrange(8)
    system = read(bytes(data), variant)

    for file in system.files:
        original = FILES.get(file.path.encode())
        if file.whole and original is not None and not whole_pages:
            assert file.data == original
        if not file.whole:
            assert any(f.code == "file-damaged" for f in system.findings)
    assert sum(len(file.data) for file in system.files) <= 2 * len(data)


def page_of(data: bytes, content: bytes) -> int:
    return data.index(content) // PAGE * PAGE


def test_a_page_of_another_file_is_not_taken() -> None:
    data = IMAGES["spiffs/files-linear.bin"]
    start = page_of(data, FILES[b"one-page.bin"][:100])
    system = read(flipped(data, start), Variant())
    file = next(file for file in system.files if file.path == "one-page.bin")

    assert (file.whole, file.size, file.data) == (False, 251, b"")
    errors = [finding for finding in system.findings if finding.code == "file-damaged"]
    assert [(error.offset, error.message.split(" ")[0]) for error in errors] == [(start, "one-page.bin")]
    assert {name: data for name, data in contents(system).items() if name != "one-page.bin"} == {
        name.decode(): content for name, content in FILES.items() if name != b"one-page.bin"
    }


def test_a_lost_stretch_is_zeros_and_all_else_in_its_place() -> None:
    data = IMAGES["broken/spiffs-file.bin"]
    file = next(file for file in read(data, Variant()).files if file.path == "large.bin")

    assert file.data == bytes(251) + FILES[b"large.bin"][251:]
    assert not file.whole


def test_a_missing_index_page() -> None:
    data = IMAGES["spiffs/files-linear.bin"]
    made = bytearray(data)
    # large.bin is object 7; its index page 1 holds pages 105 to 228.
    start = data.index(b"\x07\x80\x01\x00\xf8")
    made[start : start + PAGE] = b"\xff" * PAGE
    file = next(file for file in read(bytes(made), Variant()).files if file.path == "large.bin")

    whole = FILES[b"large.bin"]
    assert file.data == whole[: 105 * 251] + bytes(124 * 251) + whole[229 * 251 :]


def test_a_wrong_lookup_entry_hides_no_file() -> None:
    made = Spiffs(Variant(0x1000, 4))
    page = made.write(b"here.lua", b"x = 1\n")[0]
    data = flipped(made.image(), 2 * (page - 1) + 1, 0x80)
    system = read(data, made.variant)

    assert contents(system) == {"here.lua": b"x = 1\n"}
    assert said(system.findings, "error", "warning") == ["lookup", "file-damaged"]


def test_first_index_pages_that_are_gone_are_counted() -> None:
    made = Spiffs(Variant(0x1000, 16))
    made.delete(made.write(b"large", bytes(30_000))[0])

    assert said(read(made.image(), made.variant).findings, "error", "note") == ["file-lost", "stray-pages"]


def test_two_first_index_pages() -> None:
    made = Spiffs(Variant(0x1000, 4))
    made.write(b"a", b"old")
    made.next_object -= 1
    made.write(b"a", b"newer text")
    system = read(made.image(), made.variant)

    assert contents(system)["a"] in (b"old", b"newer text")
    assert said(system.findings, "warning") == ["index-twice"]


@pytest.mark.parametrize("stop", [0, 1, 0x100, 0x2000, 0x2345, 0xC000, 0x1FFFF])
def test_cut(stop: int) -> None:
    data = IMAGES["spiffs/files-linear.bin"]
    system = read(data[:stop], Variant())

    assert system.size == len(data)
    for file in system.files:
        assert FILES[file.path.encode()].startswith(file.data)
        assert file.whole == (file.data == FILES[file.path.encode()])


def test_a_size_beyond_all_bounds() -> None:
    made = Spiffs(Variant(0x1000, 4))
    page = made.write(b"x", b"abc")[0]
    made.pages[page][8:12] = b"\xfe\xff\xff\xff"
    file = read(made.image(), made.variant).files[0]

    assert (file.size, file.whole, len(file.data)) == (0xFFFF_FFFE, False, 251)


def test_a_file_that_was_never_closed_is_empty() -> None:
    made = Spiffs(Variant(0x1000, 4))
    page = made.write(b"x", b"")[0]
    made.pages[page][8:12] = b"\xff" * 4

    assert contents(read(made.image(), made.variant)) == {"x": b""}


def test_names_are_bytes() -> None:
    made = Spiffs(Variant(0x1000, 4))
    made.write(b"\xfc.txt", b"1")
    made.write("ü.txt".encode(), b"2")

    assert contents(read(made.image(), made.variant)) == {"\\xfc.txt": b"1", "ü.txt": b"2"}


def test_real_files(corpus: Path) -> None:
    data = (corpus / "fs/rgbww-spiff_rom.bin").read_bytes()
    system = read(data, Variant(0x2000, 96))

    assert (system.layout, system.findings) == ("aligned", ())
    sizes = {file.path: file.size for file in system.files}
    assert sizes == {
        "app.min.css.gz": 41592,
        "app.min.js.gz": 162391,
        "index.html.gz": 5479,
        "init.html.gz": 2651,
    }
    opened = {file.path: gzip.decompress(file.data) for file in system.files}  # with a CRC over each
    assert {path: len(content) for path, content in opened.items()} == {
        "app.min.css.gz": 444941,
        "app.min.js.gz": 552685,
        "index.html.gz": 51494,
        "init.html.gz": 16446,
    }
    assert opened["index.html.gz"].startswith(b"<!DOCTYPE html>")


def test_a_stray_byte_in_front_of_names() -> None:
    """0.9.5 leaves what its stack held there, the build of 2015-04-06 has its names from there on."""
    made = Spiffs(Variant(0x1000, 8, None, "0.9.5"))
    for name in (b"init.lua", b"empty.txt", b"a"):
        made.write(name, b"x")
    for stray in (0x00, 0x95, 0xFF, ord("i")):
        for page in made.pages.values():
            if page[1] & 0x80:
                page[11] = stray
        system = read(made.image(), made.variant)
        assert (system.layout, list(contents(system))) == ("0.9.5", ["a", "empty.txt", "init.lua"])


def test_the_variants_are_named() -> None:
    for name, maker in (
        ("files-linear", "SPIFFS, "),
        ("files-arduino", "SPIFFS of the Arduino core, "),
        ("arduino-empty", "SPIFFS of the Arduino core or Mongoose OS, "),
        ("files-mongoose", "SPIFFS of Mongoose OS, "),
        ("files-sming-4.3", "SPIFFS of Sming 4.3 or later, "),
        ("files-esp32", "SPIFFS of mkspiffs for the ESP32, "),
        ("files-0.9.6-20150406", "SPIFFS of NodeMCU 0.9.6 of 2015-04-06, "),
        ("files-0.9.6", "SPIFFS of NodeMCU 0.9.6, "),
        ("files-0.9.5", "SPIFFS of NodeMCU up to 0.9.5, "),
        ("files-1.5.1", "SPIFFS of NodeMCU 1.4.0 or 1.5.1, "),
    ):
        reading = identify(IMAGES[f"spiffs/{name}.bin"])
        assert (reading.kind, len(reading.parts)) == (FileKind.SPIFFS, 1), name
        assert reading.parts[0].note.startswith(maker), name
        assert said(reading.findings, "error", "warning") == [], name


@pytest.mark.parametrize("name", ["files-arduino", "arduino-empty", "files-mongoose"])
@pytest.mark.parametrize("behind", [b"\xff" * 0x5000, bytes(0x3000), b"code" * 0x1000])
def test_the_same_magic_inside_a_flash(name: str, behind: bytes) -> None:
    data = IMAGES[f"spiffs/{name}.bin"]
    flash = b"\xff" * 0x3000 + data + behind
    found, end = spiffs_plain.inside(flash, 0x3000, len(flash))

    assert found is not None
    assert (found.parts[0].offset, found.parts[0].end, end) == (
        0x3000,
        0x3000 + len(data),
        found.parts[0].end,
    )


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_same_magic_in_too_few_blocks(blocks: int) -> None:
    data = IMAGES["spiffs/arduino-empty.bin"][: blocks * 0x1000]

    assert spiffs_plain.plain_at(data) is None
    assert spiffs_plain.plain_at(data + b"\0" * 0x4000) is None


def without_magic(data: bytes, block_size: int, *blocks: int, magic: bytes = b"\xff\xff") -> bytes:
    changed = bytearray(data)
    for block in blocks:
        changed[block * block_size + 0xFC : block * block_size + 0xFE] = magic
    return bytes(changed)


@pytest.mark.parametrize("magic", [b"\xff\xff", b"\x12\x34"])
@pytest.mark.parametrize(
    ("name", "block_size"), [("files-linear", 0x2000), ("files-arduino", 0x2000), ("files-mongoose", 0x1000)]
)
def test_lost_magics(name: str, block_size: int, magic: bytes) -> None:
    """A mount takes one block without its magic for half erased and erases it; more it does not get over."""
    data = IMAGES[f"spiffs/{name}.bin"]
    one = identify(without_magic(data, block_size, 3, magic=magic))
    assert said(one.findings, "error", "warning") == ["magic-lost"]
    assert one.findings[-1].offset == 3 * block_size
    assert "block 3" in one.findings[-1].message
    # A block without files loses nothing.
    free = len(data) // block_size - 2
    assert said(identify(without_magic(data, block_size, free, magic=magic)).findings, "warning") == []


def test_more_lost_magics() -> None:
    data = IMAGES["spiffs/files-linear.bin"]
    assert said(identify(without_magic(data, 0x2000, 3, 5)).findings, "error") == ["magics-lost"]
    inside = spiffs.inside(b"\xff" * 0x1000 + without_magic(data, 0x2000, 3, 5), 0x1000, 0x1000 + len(data))
    assert inside is not None
    assert said(inside.findings, "error", "warning") == ["magics-lost"]
