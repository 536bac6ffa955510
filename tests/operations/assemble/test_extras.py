from __future__ import annotations

import pytest

from fixtures.upgrades import from_3, spiffs
from imgtool.chip import flash_size
from imgtool.errors import FormatError, LayoutError
from imgtool.formats.reading import Firmware
from imgtool.layout.fit import layout_for
from imgtool.operations.assemble.extras import AT_ITS_PLACE, filesystem_findings, place_by_name
from imgtool.operations.assemble.fullimage import Extras, fullimage
from imgtool.operations.assemble.pieces import Piece
from tests.support import IMAGES, IROM, aggregate, real, said

V05 = IMAGES["init-data/v05.bin"]
FILES = Piece(AT_ITS_PLACE, IMAGES["spiffs/linear.bin"], "files.img")
RAW = IMAGES["lfs/lfs-5.1.raw"]
# The fixture is built for floating-point firmware; the second release in the fixtures is an integer build.
NO_PARTITION = layout_for(flash_size("4MB"), None, None, 0)
INTEGER_LFS = bytes([RAW[0] & 0xF0 | 0x02]) + RAW[1:]


def pieces_of(folder: str) -> list[Piece]:
    return [
        Piece(0, IMAGES[f"{folder}/0x00000.bin"], "0x00000.bin"),
        Piece(IROM, IMAGES[f"{folder}/0x10000.bin"], "0x10000.bin"),
    ]


def at(address: int) -> Piece:
    return Piece(address, FILES.data, FILES.name)


# --- file systems ---


@pytest.mark.parametrize(
    ("folder", "size", "start"),
    [
        ("sample", "512KB", 0x2E000),
        ("sample", "1MB", 0x30000),
        ("sample", "4MB", 0x30000),
        ("nodemcu-1.5.4.1-cloud", "4MB", 0x30000),
        ("nodemcu-0.9.5", "4MB", 0x2C000),
        ("nodemcu-3.0-2019", "4MB", 0x2C000),
        ("nodemcu-3.0-2021", "4MB", 0x3E000),
        ("nodemcu-3.0-2021", "1MB", 0x3E000),
    ],
)
def test_file_system_where_the_firmware_looks(folder: str, size: str, start: int) -> None:
    made = fullimage(pieces_of(folder), size, Extras(filesystem=FILES))

    assert made.data[start : start + len(FILES.data)] == FILES.data


def test_file_system_at_a_given_address() -> None:
    made = fullimage(pieces_of("sample"), "4MB", Extras(filesystem=at(0x100000)))

    assert made.data[0x100000:0x140000] == FILES.data


def test_file_system_at_the_partition_by_its_address() -> None:
    made = fullimage(pieces_of("nodemcu-3.0-2021"), "4MB", Extras(filesystem=at(0x3E000)))

    assert made.data[0x3E000:0x7E000] == FILES.data


@pytest.mark.parametrize(
    ("folder", "size", "address"),
    [
        ("nodemcu-3.0-2021", "4MB", 0x100000),  # not its partition
        ("sample", "1MB", 0x20000),  # inside irom
        ("sample", "1MB", 0xC0000),  # runs into the SDK's sectors
        ("sample", "1MB", 0x100000),  # behind the flash
        ("sample", "512KB", 0x41000),
    ],
)
def test_file_system_where_it_cannot_be(folder: str, size: str, address: int) -> None:
    with pytest.raises(LayoutError, match=r"files\.img"):
        fullimage(pieces_of(folder), size, Extras(filesystem=at(address)))


def test_file_system_of_a_firmware_that_imgtool_does_not_know() -> None:
    pieces = [
        Piece(0, IMAGES["nonos-2.0/eagle.flash.bin"], "a"),
        Piece(IROM, IMAGES["nonos-2.0/eagle.irom0text.bin"], "b"),
    ]

    with pytest.raises(LayoutError, match="does not know where this firmware looks"):
        fullimage(pieces, "4MB", Extras(filesystem=FILES))


def test_file_system_for_a_table_without_spiffs() -> None:
    # NodeMCU 3 looks in its partition alone.
    with pytest.raises(LayoutError, match="does not know where this firmware looks"):
        fullimage([Piece(0, from_3(spiffs=0), "a")], "4MB", Extras(filesystem=FILES))


def test_empty_file_system() -> None:
    with pytest.raises(FormatError, match="the file is empty"):
        fullimage(pieces_of("sample"), "4MB", Extras(filesystem=Piece(AT_ITS_PLACE, b"", "files.img")))


def test_file_system_larger_than_its_partition() -> None:
    large = Piece(AT_ITS_PLACE, b"\0" * 0xC0000, "files.img")

    with pytest.raises(LayoutError, match="does not fit SPIFFS0"):
        fullimage(pieces_of("nodemcu-3.0-2021"), "1MB", Extras(filesystem=large))


@pytest.mark.parametrize(
    ("version", "built", "formula", "warned"),
    [
        ("2.0.0", None, "linear", ["filesystem-formatted"]),
        ("2.0.0", None, "old-formula", []),
        ("2.2.0", None, "linear", []),
        ("2.2.0", None, "old-formula", ["filesystem-formatted"]),
        ("3.0.0.0", None, "linear", []),
        ("3.0.0.0", None, "old-formula", ["filesystem-formatted"]),
        ("2.1.0", None, "linear", ["filesystem-magics"]),
        ("2.1.0", "20181116", "linear", ["filesystem-magics"]),
        ("2.1.0", None, "old-formula", ["filesystem-magics"]),
        ("2.1.0", "20170824", "linear", []),
        ("2.1.0", "20170521", "old-formula", []),
    ],
)
def test_magics_that_the_firmware_would_not_know(
    version: str, built: str | None, formula: str, warned: list[str]
) -> None:
    image = Piece(AT_ITS_PLACE, IMAGES[f"spiffs/{formula}.bin"], "files.img")
    found = filesystem_findings(image, NO_PARTITION, Firmware("NodeMCU", version, build=built))

    assert said(tuple(found), "warning") == warned


@pytest.mark.parametrize(
    ("told", "formula", "warned"),
    [
        ("old", "old-formula", []),
        ("old", "linear", ["filesystem-formatted"]),
        ("linear", "linear", []),
        ("linear", "old-formula", ["filesystem-formatted"]),
    ],
)
def test_magics_that_the_code_of_the_firmware_tells(told: str, formula: str, warned: list[str]) -> None:
    image = Piece(AT_ITS_PLACE, IMAGES[f"spiffs/{formula}.bin"], "files.img")
    firmware = Firmware("NodeMCU", "2.1.0", build="20181116", spiffs_formula=told)

    assert said(tuple(filesystem_findings(image, NO_PARTITION, firmware)), "warning") == warned


def test_no_spiffs_at_all_is_a_warning_for_nodemcu() -> None:
    image = Piece(AT_ITS_PLACE, b"\0" * 0x10000, "files.img")
    found = filesystem_findings(image, NO_PARTITION, Firmware("NodeMCU", "2.2.0"))

    assert said(tuple(found), "warning") == ["filesystem-formatted"]


@pytest.mark.parametrize(
    ("version", "image", "warned"),
    [
        ("0.9.5", spiffs(8, 0x1000, magic=False), ["filesystem-misread"]),
        ("0.9.5", IMAGES["spiffs/files-0.9.5.bin"], []),
        ("0.9.6", IMAGES["spiffs/files-0.9.5.bin"], ["filesystem-misread"]),
        ("0.9.5", IMAGES["spiffs/files-linear.bin"], ["filesystem-misread"]),
        ("0.9.5", b"\0" * 0x1000, ["filesystem-misread"]),
        ("1.5.1", spiffs(8, 0x1000, magic=False), []),
        ("1.5.4.1", spiffs(8, 0x1000, magic=False), ["filesystem-formatted"]),
    ],
)
def test_a_file_system_without_magics(version: str, image: bytes, warned: list[str]) -> None:
    # Before 1.5.4.1 NodeMCU looks for none, formats nothing, and reads its own layout of pages.
    piece = Piece(AT_ITS_PLACE, image, "files.img")
    found = filesystem_findings(piece, NO_PARTITION, Firmware("NodeMCU", version))

    assert said(tuple(found), "warning") == warned


@pytest.mark.parametrize(("firmware", "size"), [("sample", "4MB"), ("nodemcu-3.0-2021", "4MB")])
def test_files_that_the_firmware_mounts_give_no_warning(firmware: str, size: str) -> None:
    made = fullimage(pieces_of(firmware), size, Extras(filesystem=FILES))

    assert said(made.findings, "warning") == []


def test_blocks_of_another_size_than_the_partition_wants() -> None:
    small = b"".join(
        (b"\xff" * 0xFC + (0x0429 ^ (26 - block)).to_bytes(2, "little")).ljust(0x1000, b"\xff")
        for block in range(26)
    )
    made = fullimage(
        pieces_of("nodemcu-3.0-2021"), "4MB", Extras(filesystem=Piece(AT_ITS_PLACE, small, "files.img"))
    )

    assert said(made.findings, "warning") == ["filesystem-formatted"]


# --- LFS ---


def test_lfs_is_relocated_to_its_partition() -> None:
    made = fullimage(pieces_of("nodemcu-3.0-2021"), "4MB", Extras(lfs=Piece(0, INTEGER_LFS, "lfs.img")))

    words = int.from_bytes(RAW[4812:], "little")
    first = next(index for index in range(8, 1203) if words >> index & 1)
    stored = int.from_bytes(RAW[4 * first : 4 * first + 4], "little")
    placed = made.data[0x2E000 : 0x2E000 + 4812]
    assert int.from_bytes(placed[4 * first : 4 * first + 4], "little") == 0x40200000 + 0x2E000 + 4 * stored


def test_lfs_passes_inspect() -> None:
    made = fullimage(pieces_of("nodemcu-3.0-2021"), "4MB", Extras(lfs=Piece(0, INTEGER_LFS, "lfs.img")))

    assert ("lfs", 0x2E000) in [(str(part.kind), part.offset) for part in made.description.parts]


def test_lfs_of_the_other_number_type() -> None:
    with pytest.raises(FormatError, match="another number type") as caught:
        fullimage(pieces_of("nodemcu-3.0-2021"), "4MB", Extras(lfs=Piece(0, RAW, "lfs.img")))

    assert (caught.value.source, caught.value.expected, caught.value.found) == ("lfs.img", "integer", "float")


@pytest.mark.parametrize("folder", ["sample", "nodemcu-3.0-2019"])
def test_lfs_without_a_partition(folder: str) -> None:
    with pytest.raises(LayoutError, match="no LFS partition"):
        fullimage(pieces_of(folder), "4MB", Extras(lfs=Piece(0, RAW, "lfs.img")))


def test_lfs_larger_than_its_partition() -> None:
    size = 0x10004
    large = INTEGER_LFS[:4] + size.to_bytes(4, "little") + INTEGER_LFS[8:4812]
    large = large.ljust(size, b"\0") + bytes(0x804)

    with pytest.raises(LayoutError, match="does not fit LFS0"):
        fullimage(pieces_of("nodemcu-3.0-2021"), "4MB", Extras(lfs=Piece(0, large, "lfs.img")))


@pytest.mark.parametrize(
    "data", [b"", b"text", IMAGES["spiffs/linear.bin"], RAW[:100]], ids=["", "text", "files", "cut"]
)
def test_what_is_no_lfs(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        fullimage(pieces_of("nodemcu-3.0-2021"), "4MB", Extras(lfs=Piece(0, data, "lfs.img")))

    assert caught.value.source == "lfs.img"


def test_real_firmware_was_built_without_room_for_its_real_lfs() -> None:
    # Its table has an LFS entry of no size: the users of that project set the partition up by hand.
    firmware = Piece(0, real("nodemcu/heikomat-firmware-lfs.bin"), "firmware.bin")

    with pytest.raises(LayoutError, match="no LFS partition"):
        fullimage([firmware], "4MB", Extras(lfs=Piece(0, real("nodemcu/heikomat-lfs.img"), "lfs.img")))


# --- by name ---


@pytest.mark.parametrize(
    ("name", "data", "folder", "size", "address"),
    [
        ("@init-data", V05, "sample", None, 0xFC000),
        ("@init-data", V05, "sample", "4MB", 0x3FC000),
        ("@init-data", V05, "nodemcu-3.0-2021", None, 0xF000),
        ("@init-data", V05, "nodemcu-3.0-2019", "4MB", 0xC000),
        ("@rf-cal", b"\xff" * 0x1000, "sample", "4MB", 0x3FB000),
        ("@rf-cal", b"\xff" * 0x1000, "nodemcu-3.0-2021", None, 0xD000),
        ("@spiffs", FILES.data, "nodemcu-3.0-2021", None, 0x3E000),
        ("@spiffs", FILES.data, "sample", None, 0x30000),
        ("@lfs", INTEGER_LFS, "nodemcu-3.0-2021", None, 0x2E000),
    ],
)
def test_places_by_name(name: str, data: bytes, folder: str, size: str | None, address: int) -> None:
    placed = place_by_name(pieces_of(folder), [(name, Piece(0, data, "it"))], size)

    assert [piece.address for piece in placed] == [address]


def test_rf_cal_larger_than_its_sector() -> None:
    with pytest.raises(LayoutError, match="does not fit"):
        place_by_name(pieces_of("sample"), [("@rf-cal", Piece(0, bytes(0x1001), "it"))], None)


def test_places_by_name_need_a_firmware() -> None:
    with pytest.raises((FormatError, LayoutError)):
        place_by_name([], [("@lfs", Piece(0, RAW, "it"))], "4MB")


@pytest.mark.parametrize("name", ["v2/user1.bin", "arduino/core-3.1.bin", "micropython/micropython.bin"])
def test_places_by_name_need_a_firmware_whose_places_are_known(name: str) -> None:
    # Arduino, for one, keeps RF calibration where others have init data.
    firmware = Piece(0, IMAGES[name], "firmware.bin")

    with pytest.raises((FormatError, LayoutError)):
        place_by_name([firmware], [("@init-data", Piece(0, V05, "it"))], "4MB")


def test_one_file_with_the_firmware_will_do() -> None:
    placed = place_by_name(
        [Piece(0, aggregate("nodemcu-3.0-2021"), "nodemcu.bin")], [("@init-data", Piece(0, V05, "it"))], None
    )

    assert [piece.address for piece in placed] == [0xF000]
