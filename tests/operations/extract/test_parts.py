"""Taking files apart and putting them together again: the identity, for whatever file."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures import blocks
from imgtool.chip import FLASH_SIZES
from imgtool.errors import FormatError, ImgtoolError
from imgtool.formats.reading import PartKind
from imgtool.formats.registry import identify
from imgtool.operations.assemble.extras import AT_ITS_PLACE, InitDataSource, own_init_data
from imgtool.operations.assemble.fullimage import Extras, fullimage
from imgtool.operations.assemble.merge import merge
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.extract.manifest import Assembled, Manifest
from imgtool.operations.extract.parts import Extraction, extract
from imgtool.operations.inspect.describe import describe
from tests.strategies import NO_SHRINKING
from tests.support import IMAGES, IROM, aggregate, codes, corpus_folder

FILE_NAME = re.compile(r"0x[0-9a-f]{5,6}-[a-z0-9-]+\.bin\Z")


def put_together(taken: Extraction) -> Assembled:
    """The files of an extraction and its manifest, as they come back from a folder."""
    files = {part.file: part.data for part in taken.parts}
    return Manifest.parse(taken.manifest.build()).assemble(files, "parts")


def again(data: bytes) -> bytes:
    made = put_together(extract(data, "it.bin"))
    assert made.same
    return merge([made], verbatim=True).data


def inside(data: bytes) -> bytes:
    """What is inside of a file that only wraps another."""
    content = identify(data).content
    return data if content is None else inside(content)


@pytest.mark.parametrize("name", [name for name in IMAGES if len(IMAGES[name]) < 1 << 20])
def test_every_synthesised_image_comes_back(name: str) -> None:
    assert again(IMAGES[name]) == inside(IMAGES[name])


def test_every_real_image_comes_back() -> None:
    files = [path for path in corpus_folder().glob("*/*") if path.is_file()]

    assert len(files) >= 42
    assert [path.name for path in files if again(path.read_bytes()) != path.read_bytes()] == []


@pytest.mark.parametrize("name", [name for name in IMAGES if name.startswith(("dumps/", "generations/"))])
def test_every_dump_comes_back_by_names_that_sort_and_tell_the_kind(name: str) -> None:
    taken = extract(IMAGES[name])
    made = put_together(taken)
    names = [stretch.file for stretch in taken.manifest.files]

    assert (made.data == IMAGES[name], made.same) == (True, True)
    assert names == sorted(names)
    assert all(FILE_NAME.match(file) for file in names)
    assert [int(file[2:].split("-")[0], 16) for file in names] == [s.address for s in taken.manifest.files]


def test_parts_of_an_aggregated_image() -> None:
    taken = extract(aggregate("sample"))

    assert {part.file: part.data for part in taken.parts} == {
        "0x00000-image-v1.bin": IMAGES["sample/0x00000.bin"],
        "0x10000-irom.bin": IMAGES["sample/0x10000.bin"],
    }
    assert [(part.name, part.part.address) for part in taken.parts] == [
        ("image-v1", None),
        ("irom", 0x40210000),
    ]


def test_blank_sectors_are_parts_but_no_files() -> None:
    made = fullimage([Piece(0, aggregate("sample"), "a")], "1MB")
    taken = extract(made.data)

    assert [part.name for part in taken.parts] == ["image-v1", "irom", "rf-cal", "init-data", "system-param"]
    assert [stretch.file for stretch in taken.manifest.files] == [
        "0x00000-image-v1.bin",
        "0x10000-irom.bin",
        "0xfc000-init-data.bin",
    ]


def test_several_parts_of_a_kind_have_numbers() -> None:
    taken = extract(IMAGES["dumps/sdk-boot-2-slots-1m.bin"])
    names = [part.name for part in taken.parts]

    assert [name for name in names if name.startswith("image-v1")] == ["image-v1", "image-v1-2"]
    assert (len(set(names)), taken.find("irom-2"), taken.find("irom-3")) == (
        len(names),
        taken.find(0x81010),
        None,
    )
    assert (taken.find(0x81011), taken.find("gap")) == (None, None)


def test_init_data_alone_is_128_bytes() -> None:
    part = extract(IMAGES["dumps/nodemcu-2.2-4m.bin"]).find("init-data")

    assert part is not None
    assert (len(part.data), part.alone) == (0x1000, part.data[:128])


def test_segments_are_without_their_headers() -> None:
    taken = extract(IMAGES["sample/0x00000.bin"])
    segments = taken.images[0].part.segments

    assert [taken.segment(segment) for segment in segments] == [
        IMAGES["sample/0x00000.bin"][s.offset : s.offset + s.size] for s in segments
    ]


@pytest.mark.parametrize(
    ("name", "wrapper"),
    [("gzip/sample.bin.gz", "gzip"), ("hex/sample.hex", "intel-hex"), ("uf2/md5.uf2", "uf2")],
)
def test_what_is_inside_is_taken_apart(name: str, wrapper: str) -> None:
    taken = extract(IMAGES[name])
    around = taken.manifest.source.wrapper

    assert around is not None
    assert (around.kind, around.size, taken.data) == (wrapper, len(IMAGES[name]), inside(IMAGES[name]))
    assert "wrapped" in codes(taken.findings)


def test_a_damaged_wrapper_is_said() -> None:
    assert codes(extract(IMAGES["broken/bad-crc.bin.gz"]).findings) == ["wrapped", "crc", "damaged"]


@pytest.mark.parametrize("name", ["broken/bad-checksum.bin", "text/page.bin"])
def test_damage_is_said(name: str) -> None:
    assert codes(extract(IMAGES[name]).findings) == ["damaged"]


@pytest.mark.parametrize("size", [0, (1 << 24) + 1])
def test_sizes_that_no_flash_has(size: int) -> None:
    with pytest.raises(FormatError):
        extract(bytes(size))


@pytest.mark.long
def test_the_largest_flash() -> None:
    assert again(bytes(1 << 24)) == bytes(1 << 24)


# --- damaged and changed parts ---


def test_a_damaged_source_comes_back_with_a_warning() -> None:
    made = put_together(extract(IMAGES["broken/bad-checksum.bin"]))
    merged = merge([made], verbatim=True)

    assert (merged.data, codes(merged.findings)) == (IMAGES["broken/bad-checksum.bin"], ["damaged"])


def test_a_header_is_not_changed_in_what_is_damaged() -> None:
    made = put_together(extract(IMAGES["broken/bad-checksum.bin"]))

    with pytest.raises(FormatError, match="checksum"):
        merge([made], verbatim=True, header=HeaderChange(mode="dio"))


def test_checks_hold_for_what_was_changed() -> None:
    taken = extract(aggregate("sample"))
    files = {part.file: part.data for part in taken.parts}
    image = files["0x00000-image-v1.bin"]
    files["0x00000-image-v1.bin"] = image[:0x20] + bytes([image[0x20] ^ 1]) + image[0x21:]
    made = taken.manifest.assemble(files, "parts")

    assert (made.same, made.changed) == (False, ("0x00000-image-v1.bin",))
    with pytest.raises(FormatError, match="the image checksum is wrong"):
        merge([made])


PLACES = st.integers(0, 1 << 12) | st.integers(0, 1 << 24)
SMALL = [data for data in IMAGES.values() if len(data) < 0x30000 and describe(data).content is None]


@settings(max_examples=60, phases=NO_SHRINKING, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(SMALL) | st.binary(max_size=500),
    st.lists(st.tuples(PLACES, st.integers(0, 255)), max_size=6),
    st.just(0) | PLACES,
)
def test_whatever_is_edited_and_cut_comes_back(seed: bytes, edits: list[tuple[int, int]], end: int) -> None:
    changed = bytearray(seed) or bytearray(1)
    for place, value in edits:
        changed[place % len(changed)] = value
    data = bytes(changed[: max(1, len(changed) - end)])

    assert again(data) == inside(data)


# --- a full image ---

RAW = IMAGES["lfs/lfs-5.1.raw"]
# The fixture is built for floating-point firmware; the second release in the fixtures is an integer build.
INTEGER_LFS = Piece(0, bytes([RAW[0] & 0xF0 | 0x02]) + RAW[1:], "lfs.img")
FILES = Piece(AT_ITS_PLACE, IMAGES["spiffs/linear.bin"], "files.img")
SET = InitDataSource("v08", None, {"vdd33_const": "255"})
EXTRAS = {
    "plain": Extras(),
    "set": Extras(SET),
    "no init data": Extras(InitDataSource("none")),
    "files": Extras(filesystem=FILES),
    "files elsewhere": Extras(SET, Piece(0x70000, FILES.data, FILES.name)),
    "noise for files": Extras(filesystem=Piece(AT_ITS_PLACE, blocks.stream("files", 0x5000), "noise")),
}


def pair(folder: str) -> list[Piece]:
    second = "0x40000" if folder == "nonos-1.3" else "0x10000"
    return [
        Piece(0, IMAGES[f"{folder}/0x00000.bin"], "0x00000.bin"),
        Piece(int(second, 16), IMAGES[f"{folder}/{second}.bin"], f"{second}.bin"),
    ]


def full_again(data: bytes, size: str) -> bytes:
    made = put_together(extract(data))
    return fullimage([made], size, Extras(InitDataSource(own_init_data([made])))).data


FOLDERS = [
    "sample",
    "nodemcu-0.9.5",
    "nodemcu-1.5.4.1-cloud",
    "nodemcu-3.0-2019",
    "nodemcu-3.0-2021",
    "nonos-1.3",
]


def full_images(folder: str, size: str) -> dict[str, bytes]:
    """The full images that there are of a firmware for a size."""
    made = {}
    for name, extras in EXTRAS.items():
        with suppress(ImgtoolError):  # no such flash for this firmware, or no such place in it
            made[name] = fullimage(pair(folder), size, extras).data
    return made


@pytest.mark.parametrize(
    ("folder", "size"),
    [
        ("sample", "512KB"),
        ("nodemcu-0.9.5", "512KB"),
        ("nodemcu-1.5.4.1-cloud", "1MB"),
        ("nodemcu-3.0-2019", "1MB"),
        ("nodemcu-3.0-2021", "1MB"),
        ("nonos-1.3", "512KB"),
    ],
)
def test_a_full_image_comes_back(folder: str, size: str) -> None:
    made = full_images(folder, size)

    assert {"plain", "set", "no init data"} <= made.keys()
    assert [name for name, data in made.items() if full_again(data, size) != data] == []


@pytest.mark.long
@pytest.mark.parametrize("size", [size.name for size in FLASH_SIZES])
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_full_image_comes_back(folder: str, size: str) -> None:
    made = full_images(folder, size)

    assert [name for name, data in made.items() if full_again(data, size) != data] == []


@pytest.mark.parametrize("size", ["2MB-c1", "4MB"])
def test_a_full_image_of_a_large_flash_comes_back(size: str) -> None:
    data = fullimage(pair("nodemcu-3.0-2021"), size, EXTRAS["files"]).data

    assert full_again(data, size) == data


def test_a_full_image_with_lfs_and_files_comes_back() -> None:
    data = fullimage(pair("nodemcu-3.0-2021"), "1MB", Extras(SET, FILES, INTEGER_LFS)).data
    kinds = {part.kind for part in describe(data).parts}

    assert {PartKind.LFS, PartKind.SPIFFS, PartKind.INIT_DATA} <= kinds
    assert full_again(data, "1MB") == data


def test_init_data_of_what_is_no_flash() -> None:
    assert own_init_data([Piece(0, aggregate("sample"), "a")]) == "auto"
    assert own_init_data([Piece(0, aggregate("sample").ljust(IROM * 8, b"\xff"), "a")]) == "none"


def test_the_name_of_the_source_is_only_a_name() -> None:
    source = extract(aggregate("sample"), "../../x.bin").manifest.source

    assert (source.name, source.kind, source.flash_size) == ("../../x.bin", "aggregated", "1MB")
