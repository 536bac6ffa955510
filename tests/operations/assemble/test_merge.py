from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.errors import FormatError, LayoutError
from imgtool.formats.images.version1 import BootImage, Segment
from imgtool.operations.assemble.merge import merge
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES, IROM, aggregate, codes, real, said

PAIRS = [
    "sample",
    "nodemcu-0.9.5",
    "nodemcu-1.5.4.1-cloud",
    "nodemcu-3.0-2019",
    "nodemcu-3.0-2021",
]
BOOT = IMAGES["sample/0x00000.bin"]
CODE = IMAGES["sample/0x10000.bin"]


def pieces(folder: str) -> list[Piece]:
    return [
        Piece(0, IMAGES[f"{folder}/0x00000.bin"], "0x00000.bin"),
        Piece(IROM, IMAGES[f"{folder}/0x10000.bin"], "0x10000.bin"),
    ]


def image(size: int) -> bytes:
    """A valid image of that many bytes."""
    return BootImage(2, 0x20, 0x40100004, (Segment(0x40100000, b"\x55" * (size - 17)),)).build()


@pytest.mark.parametrize("folder", PAIRS)
def test_a_pair(folder: str) -> None:
    assert merge(pieces(folder)).data == aggregate(folder)


@pytest.mark.parametrize("folder", PAIRS)
def test_parts_of_one_build_are_not_warned_about(folder: str) -> None:
    assert merge(pieces(folder)).findings == ()


def test_order_does_not_matter() -> None:
    one, two = pieces("sample")

    assert merge([two, one]).data == merge([one, two]).data


def test_irom_of_an_old_sdk() -> None:
    boot, code = IMAGES["nonos-1.3/0x00000.bin"], IMAGES["nonos-1.3/0x40000.bin"]

    assert merge([Piece(0, boot, "a"), Piece(0x40000, code, "b")]).data == boot.ljust(0x40000, b"\xff") + code


@given(st.integers(0, 255))
def test_any_fill(value: int) -> None:
    assert merge(pieces("sample"), fill_byte=value).data == aggregate("sample", fill=value)


@given(
    st.lists(st.tuples(st.integers(0, 200), st.binary(min_size=1, max_size=50)), min_size=1, max_size=6),
    st.integers(0, 255),
)
def test_any_gaps(blocks: list[tuple[int, bytes]], fill: int) -> None:
    given_pieces, expected = [], b""
    for gap, block in blocks:
        address = len(expected) + gap + (not expected)  # alone at 0 it would have to be an image
        given_pieces.append(Piece(address, b"\0" + block, str(address)))
        expected = expected.ljust(address, bytes([fill])) + b"\0" + block

    assert merge(given_pieces, fill_byte=fill).data == expected


@pytest.mark.parametrize("length", [len(aggregate("sample")), 0x40000, 0x100000])
def test_pad_to(length: int) -> None:
    assert merge(pieces("sample"), pad_to=length).data == aggregate("sample").ljust(length, b"\xff")


def test_more_than_there_is_to_pad_to() -> None:
    with pytest.raises(LayoutError) as caught:
        merge(pieces("sample"), pad_to=0x20000)

    assert caught.value.found == "0x2d5b4, 54,708 bytes too many"


@pytest.mark.parametrize(("overlap", "text"), [(1, "1 byte"), (100, "100 bytes"), (0x1000, "4,096 bytes")])
def test_overlap_to_the_byte(overlap: int, text: str) -> None:
    parts = [Piece(0, bytes(0x8000), "a.bin"), Piece(0x8000 - overlap, bytes(0x8000), "b.bin")]

    with pytest.raises(LayoutError) as caught:
        merge(parts)

    assert [word in str(caught.value) for word in ("a.bin", "b.bin", text)] == [True] * 3


def test_overlap_of_a_part_inside_another() -> None:
    parts = [Piece(0, bytes(0x8000), "a.bin"), Piece(0x1000, bytes(0x10), "b.bin")]

    with pytest.raises(LayoutError, match="overlap by 16 bytes"):
        merge(parts)


def test_parts_that_touch_do_not_overlap() -> None:
    parts = [Piece(0, bytes(0x10), "a.bin"), Piece(0x10, b"\x01", "b.bin")]

    assert merge(parts).data == bytes(0x10) + b"\x01"


def test_an_image_past_irom_is_refused() -> None:
    with pytest.raises(LayoutError) as caught:
        merge([Piece(0, IMAGES["broken/overlong-irom.bin"], "boot.bin"), Piece(IROM, CODE, "irom.bin")])

    assert "boot.bin" in str(caught.value)
    assert "irom.bin" in str(caught.value)
    assert f"{65984 - IROM} bytes" in str(caught.value)


def test_an_image_up_to_irom_is_taken() -> None:
    data = image(IROM)

    assert merge([Piece(0, data, "a"), Piece(IROM, CODE, "b")]).data == data + CODE


@pytest.mark.parametrize(("folder", "size"), [("nodemcu-3.0-2019", 0xB010), ("nodemcu-3.0-2021", 0xD010)])
def test_what_the_table_of_nodemcu_3_protects(folder: str, size: int) -> None:
    with pytest.raises(LayoutError, match="16 bytes into RF cal") as caught:
        merge([Piece(0, image(size), "boot.bin"), pieces(folder)[1]])

    assert (caught.value.source, caught.value.offset) == ("boot.bin", size - 16)


@pytest.mark.parametrize(("folder", "size"), [("nodemcu-3.0-2019", 0xB000), ("nodemcu-3.0-2021", 0xD000)])
def test_an_image_up_to_what_it_protects_is_taken(folder: str, size: int) -> None:
    boot, code = Piece(0, image(size), "boot.bin"), pieces(folder)[1]

    assert merge([boot, code]).data == boot.data.ljust(IROM, b"\xff") + code.data


def test_the_same_holds_for_an_aggregated_image() -> None:
    data = image(0xD010).ljust(IROM, b"\xff") + IMAGES["nodemcu-3.0-2021/0x10000.bin"]

    with pytest.raises(LayoutError, match="RF cal"):
        merge([Piece(0, data, "whole.bin")])


def test_an_image_larger_than_its_partition_is_a_warning() -> None:
    parts = [Piece(0, image(0xB010), "boot.bin"), pieces("nodemcu-3.0-2021")[1]]

    assert "eaglerom" in said(merge(parts).findings, "warning")


def test_different_builds_are_a_warning() -> None:
    assert said(merge(pieces("broken/mixed")).findings, "warning") == ["mixed-builds"]


@pytest.mark.parametrize("boot", PAIRS)
@pytest.mark.parametrize("code", PAIRS)
def test_every_mixture_is_told(boot: str, code: str) -> None:
    """A warning by the statistics of the two; a refusal where the image names what irom does not have."""
    parts = [pieces(boot)[0], pieces(code)[1]]
    try:
        found = codes(merge(parts).findings)
    except FormatError as error:
        found = ["mixed-builds"] if "it is not the irom of" in error.message else []

    assert ("mixed-builds" in found) == (boot != code)


@pytest.mark.parametrize(
    ("change", "bytes_2_and_3"),
    [
        (HeaderChange(mode="qio"), "0020"),
        (HeaderChange(mode="qout"), "0120"),
        (HeaderChange(mode="dout"), "0320"),
        (HeaderChange(freq="80m"), "022f"),
        (HeaderChange(freq="26m"), "0221"),
        (HeaderChange(size="4MB"), "0240"),
        (HeaderChange(size="4MB-c1"), "0260"),
        (HeaderChange(size="16MB"), "0290"),
        (HeaderChange("dio", "40m", "512KB"), "0200"),
    ],
)
def test_header_options(change: HeaderChange, bytes_2_and_3: str) -> None:
    expected = bytearray(aggregate("sample"))
    expected[2:4] = bytes.fromhex(bytes_2_and_3)

    assert merge(pieces("sample"), header=change).data == bytes(expected)


def test_the_checksum_stays_right() -> None:
    merged = merge(pieces("sample"), header=HeaderChange("dout", "80m", "16MB"))

    assert describe(merged.data).ok


def test_no_image_to_change_the_header_of() -> None:
    with pytest.raises(FormatError, match="no image header"):
        merge([Piece(IROM, CODE, "irom.bin")], header=HeaderChange(mode="dio"))


def test_what_may_cover_the_header_is_not_changed() -> None:
    with pytest.raises(FormatError, match="cannot be changed alone"):
        merge([Piece(0, IMAGES["broken/trailing.bin"], "a.bin")], header=HeaderChange(mode="dio"))


def test_more_than_the_size_asked_for() -> None:
    with pytest.raises(LayoutError, match="leaves the flash of 256KB"):
        merge([*pieces("sample"), Piece(0x3FFFF, b"ab", "end.bin")], header=HeaderChange(size="256KB"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken/bad-checksum.bin", "the image checksum is wrong"),
        ("broken/cut-in-segment.bin", "cut short"),
        ("broken/cut-before-checksum.bin", "cut before its checksum"),
        ("broken/header-only.bin", "cut short"),
        ("broken/seventeen-segments.bin", "too many segments"),
    ],
)
def test_a_damaged_image_is_refused_by_name(name: str, words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        merge([Piece(0, IMAGES[name], "boot.bin"), Piece(IROM, CODE, "irom.bin")])

    assert caught.value.source == "boot.bin"


def test_an_empty_file_is_refused_by_name() -> None:
    with pytest.raises(FormatError, match="the file has no bytes") as caught:
        merge([Piece(0, BOOT, "boot.bin"), Piece(IROM, b"", "irom.bin")])

    assert caught.value.source == "irom.bin"


def test_no_pieces_are_refused() -> None:
    with pytest.raises((FormatError, LayoutError)):
        merge([])


@pytest.mark.parametrize("address", [0x1000000, 0x40210000])
def test_an_address_that_no_flash_has_is_refused(address: int) -> None:
    with pytest.raises(LayoutError):
        merge([Piece(0, BOOT, "boot.bin"), Piece(address, CODE[:16], "irom.bin")])


def test_nothing_at_address_0_is_a_note() -> None:
    merged = merge([Piece(IROM, CODE, "irom.bin"), Piece(0x40000, b"x", "x.bin")])

    assert said(merged.findings, "note") == ["no-image"]


@pytest.mark.parametrize(
    ("boot", "code", "whole", "irom_end"),
    [
        ("fw-20150112-0x00000.bin", "fw-20150112-0x10000.bin", "fw-20150112-esp.nodemcu.bin", 0x5B2B4),
        ("yuan-0x00000.bin", "yuan-0x10000.bin", "yuan-nodemcu_integer.bin", 430448),
    ],
    ids=["fw-20150112", "yuan"],
)
def test_real_pairs_give_the_real_image_up_to_the_end_of_irom(
    boot: str, code: str, whole: str, irom_end: int
) -> None:
    parts = [Piece(0, real(f"nodemcu/{boot}"), boot), Piece(IROM, real(f"nodemcu/{code}"), code)]

    assert merge(parts).data == real(f"nodemcu/{whole}")[:irom_end]


def test_the_real_2mb_pair_differs_in_the_size_alone() -> None:
    boot = real("nodemcu/fw092-2M-eagle.app.v6.flash.bin")
    code = real("nodemcu/fw092-2M-eagle.app.v6.irom0text.bin")
    whole = real("nodemcu/fw092-nodemcu_2M_20141219.bin")
    merged = merge([Piece(0, boot, "boot"), Piece(IROM, code, "irom")], header=HeaderChange(size="2MB")).data

    assert (merged, boot[3], whole[3]) == (whole[: len(merged)], 0x00, 0x30)


@pytest.mark.parametrize(
    ("boot", "code"),
    [
        ("nodemcu/fw-20150112-0x00000.bin", "nodemcu/fw-20150112-0x10000.bin"),
        ("nodemcu/flasher-0x00000.bin", "nodemcu/flasher-0x10000.bin"),
        ("nodemcu/yuan-0x00000.bin", "nodemcu/yuan-0x10000.bin"),
        ("nodemcu/fw092-2M-eagle.app.v6.flash.bin", "nodemcu/fw092-2M-eagle.app.v6.irom0text.bin"),
        ("at/at-sdk2.0-noboot-eagle.flash.bin", "at/at-sdk2.0-noboot-eagle.irom0text.bin"),
        ("sdkapps/esptool-iotdemo-0x00000.bin", "sdkapps/esptool-iotdemo-0x10000.bin"),
    ],
)
def test_real_pairs_are_of_one_build(boot: str, code: str) -> None:
    assert merge([Piece(0, real(boot), "boot"), Piece(IROM, real(code), "irom")]).findings == ()


def test_the_header_of_micropython_can_be_changed() -> None:
    name = "micropython/micropython.bin"
    merged = merge([Piece(0, IMAGES[name], name)], header=HeaderChange(size="2MB"))

    assert (merged.data[3] >> 4, describe(merged.data).ok) == (3, True)


def test_the_header_under_the_crc_of_arduino_is_not_changed() -> None:
    name = "arduino/core-2.7.bin"

    with pytest.raises(FormatError, match="a check covers the header"):
        merge([Piece(0, IMAGES[name], name)], header=HeaderChange(size="2MB"))
