from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures import blocks
from imgtool.errors import FormatError
from imgtool.formats.images.version1 import BootImage
from imgtool.formats.reading import FileKind
from imgtool.operations.assemble.merge import merge
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.extract.split import Split, split
from imgtool.operations.inspect.describe import describe
from tests.strategies import LOADABLE_IMAGES, NO_SHRINKING
from tests.support import IMAGES, IROM, aggregate, codes, real

PAIRS = ["sample", "nodemcu-0.9.5", "nodemcu-1.5.4.1-cloud", "nodemcu-3.0-2019", "nodemcu-3.0-2021"]
BOOT = IMAGES["sample/0x00000.bin"]
CODE = IMAGES["sample/0x10000.bin"]


def files(result: Split) -> dict[str, bytes]:
    return {piece.name: piece.data for piece in result.pieces}


def again(result: Split) -> bytes:
    """The parts merged as the result says."""
    return merge(result.pieces, fill_byte=result.fill, pad_to=result.size).data


def pair_of(code: bytes, *, fill: int = 0xFF) -> bytes:
    return BOOT.ljust(IROM, bytes([fill])) + code


@pytest.mark.parametrize("folder", PAIRS)
def test_a_pair(folder: str) -> None:
    assert files(split(aggregate(folder))) == {
        name: IMAGES[f"{folder}/{name}"] for name in ("0x00000.bin", "0x10000.bin")
    }


def test_irom_of_an_old_sdk() -> None:
    boot, code = IMAGES["nonos-1.3/0x00000.bin"], IMAGES["nonos-1.3/0x40000.bin"]

    assert files(split(boot.ljust(0x40000, b"\xff") + code)) == {"0x00000.bin": boot, "0x40000.bin": code}


@given(st.integers(0, 255))
def test_any_fill(value: int) -> None:
    result = split(pair_of(CODE, fill=value))

    assert (files(result), result.fill) == ({"0x00000.bin": BOOT, "0x10000.bin": CODE}, value)


@pytest.mark.parametrize("last", [0x00, 0xFF, 0x55])
@pytest.mark.parametrize("count", [1, 16, 0x1000, 0x5001])
def test_nothing_is_trimmed_from_irom(last: int, count: int) -> None:
    code = CODE + bytes([last]) * count

    assert files(split(pair_of(code)))["0x10000.bin"] == code


@pytest.mark.parametrize("first", [0x00, 0xFF, 0x55])
@pytest.mark.parametrize("fill", [0x00, 0xFF])
def test_nothing_is_trimmed_from_its_start(first: int, fill: int) -> None:
    code = bytes([first]) * 0x20 + CODE

    assert files(split(pair_of(code, fill=fill)))["0x10000.bin"] == code


@pytest.mark.parametrize("last", [0x00, 0xFF])
@pytest.mark.parametrize("size", [0x40000, 0x80000, 0x100000], ids=hex)
def test_a_pair_as_long_as_a_flash(size: int, last: int) -> None:
    # Of a length like that it could be a dump, too; but irom reaches into its last line.
    code = (CODE * 9)[: size - IROM - 0x40] + bytes([last]) * 0x30 + b"\x12\xc1\xf0\x55" * 4
    data = pair_of(code)

    assert again(split(data)) == data


@pytest.mark.parametrize("last", [0x00, 0xFF])
def test_a_256kb_pair_gives_its_parts_back(last: int) -> None:
    # No SDK keeps sectors in 256 KB, so nothing else can be in the last bytes.
    code = (CODE * 2)[: 0x40000 - IROM - 0x40] + bytes([last]) * 0x40

    assert files(split(pair_of(code))) == {"0x00000.bin": BOOT, "0x10000.bin": code}


@settings(max_examples=60)
@given(
    LOADABLE_IMAGES,
    # A text is refused where irom belongs.
    st.binary(min_size=1, max_size=399).map(lambda data: b"\1\2" + data),
    st.integers(0, 255),
)
def test_it_is_the_inverse_of_merge(image: BootImage, code: bytes, fill: int) -> None:
    boot = image.build()
    merged = merge([Piece(0, boot, "a"), Piece(IROM, code, "b")], fill_byte=fill)

    assert files(split(merged.data)) == {"0x00000.bin": boot, "0x10000.bin": code}


@settings(max_examples=30, phases=NO_SHRINKING)
@given(
    st.lists(
        st.tuples(st.integers(0x31, 0xFA), st.sampled_from(["noise", "zeros", "files", "init", "mixed"])),
        max_size=6,
    ),
    st.sampled_from([0x00, 0xFF]),
)
def test_a_whole_flash_comes_back(contents: list[tuple[int, str]], last: int) -> None:
    sectors = {
        "noise": blocks.stream("split", 0x1000),
        "zeros": bytes(0x1000),
        "files": IMAGES["spiffs/linear.bin"][:0x6000],
        "init": IMAGES["init-data/v05.bin"],
        "mixed": blocks.stream("split", 0x7FF) + bytes(0x900) + blocks.stream("more", 0x100),
    }
    data = bytearray(aggregate("sample").ljust(0x100000, b"\xff"))
    for number, name in contents:
        block = sectors[name]
        data[number * 0x1000 : number * 0x1000 + len(block)] = block
    del data[0x100000:]
    data[-1] = last

    assert again(split(bytes(data))) == bytes(data)


def test_old_release_image_comes_back() -> None:
    data = IMAGES["aggregated/sample-with-sdk-sectors.bin"]

    assert again(split(data)) == data


def test_patching_and_splitting_keeps_irom() -> None:
    merged = merge([Piece(0, BOOT, "a"), Piece(IROM, CODE, "b")], header=HeaderChange(size="4MB"))

    assert files(split(merged.data)) == {"0x00000.bin": BOOT[:3] + b"\x40" + BOOT[4:], "0x10000.bin": CODE}


def test_other_fill_is_said() -> None:
    assert "fill" in codes(split(pair_of(CODE, fill=0)).findings)


def test_trailing_bytes_stay_with_their_image() -> None:
    boot = IMAGES["broken/trailing.bin"]
    merged = merge([Piece(0, boot, "a"), Piece(IROM, CODE, "b")])

    assert files(split(merged.data)) == {"0x00000.bin": boot, "0x10000.bin": CODE}


@pytest.mark.parametrize(
    "name", ["sample/0x00000.bin", "sample/0x10000.bin", "v2/user1.bin", "blank.bin", "lfs/lfs-5.1.img"]
)
def test_what_cannot_be_split(name: str) -> None:
    with pytest.raises(
        FormatError, match="only an aggregated image, a flash image or a Tuya OTA file can be split"
    ):
        split(IMAGES[name])


def test_nothing_cannot_be_split() -> None:
    with pytest.raises(FormatError):
        split(b"")


def test_names_are_flash_addresses() -> None:
    names = [piece.name for piece in split(IMAGES["aggregated/sample-with-sdk-sectors.bin"]).pieces]

    assert names == ["0x00000.bin", "0x10000.bin", "0x7b000.bin", "0x7c000.bin"]


@pytest.mark.parametrize(
    ("whole", "boot", "code"),
    [
        ("yuan-nodemcu_integer.bin", "yuan-0x00000.bin", "yuan-0x10000.bin"),
        ("fw-20150112-esp.nodemcu.bin", "fw-20150112-0x00000.bin", "fw-20150112-0x10000.bin"),
    ],
    ids=["yuan", "fw-20150112"],
)
def test_real_images_give_their_parts_back(whole: str, boot: str, code: str) -> None:
    found = files(split(real(f"nodemcu/{whole}")))
    expected = real(f"nodemcu/{code}")

    # The old release goes on with zeros behind irom, and no field says where irom ends.
    kept = found["0x10000.bin"]
    assert (found["0x00000.bin"], kept[: len(expected)], kept[len(expected) :].strip(b"\0")) == (
        real(f"nodemcu/{boot}"),
        expected,
        b"",
    )


@pytest.mark.parametrize(
    "name",
    [
        "nodemcu_integer_0.9.5_20150318.bin",
        "fw-20150112-esp.nodemcu.bin",
        "fw092-nodemcu_2M_20141219.bin",
        "yuan-nodemcu_integer.bin",
        "heikomat-firmware-lfs.bin",
    ],
)
def test_real_images_come_back(name: str) -> None:
    data = real(f"nodemcu/{name}")

    assert again(split(data)) == data


@pytest.mark.parametrize(
    "name", sorted(name for name in IMAGES if name.startswith(("dumps/", "generations/")))
)
def test_dumps_come_back(name: str) -> None:
    assert again(split(IMAGES[name])) == IMAGES[name]


def test_a_user_slot_is_one_file() -> None:
    pieces = split(IMAGES["dumps/sdk-boot-2-slots-1m.bin"]).pieces

    slots = {piece.address: piece.data for piece in pieces if piece.address in (0x1000, 0x81000)}
    assert [describe(data).kind for data in slots.values()] == [FileKind.IMAGE_V2, FileKind.IMAGE_V2]
    assert all(describe(data).checksums[-1][1].ok for data in slots.values())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ota", {"0x01000.bin": "user1", "0x81000.bin": "user2"}),
        ("one", {"0x01000.bin": "user1"}),
    ],
)
def test_the_images_of_a_tuya_file(name: str, expected: dict[str, str]) -> None:
    images = {place: IMAGES[f"v2/{image}.bin"] for place, image in expected.items()}

    assert files(split(IMAGES[f"tuya/{name}.bin"])) == images


def test_a_damaged_tuya_file_is_not_split() -> None:
    with pytest.raises(FormatError, match="the Tuya OTA file is damaged: image 2: the sum is"):
        split(IMAGES["broken/tuya-flipped.bin"])
