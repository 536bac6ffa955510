from __future__ import annotations

import pytest

from fixtures import blocks
from imgtool.chip import FLASH_SIZES, flash_size
from imgtool.errors import FormatError, LayoutError, NoLayoutError
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.fullimage import Extras, FullImage, fullimage
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES, IROM, aggregate, codes, real, said, spans

SIZES = [size.name for size in FLASH_SIZES if size.name != "256KB"]
PLAIN_SIZES = ["512KB", "1MB", "2MB", "4MB"]
FROM_1MB = [name for name in SIZES if name != "512KB"]
V05 = IMAGES["init-data/v05.bin"]
V08 = IMAGES["init-data/v08.bin"]
BOOT_3 = IMAGES["nodemcu-3.0-2021/0x00000.bin"]
NOISE: bytes = blocks.stream("fullimage", 0x1000)


def pair(folder: str, names: tuple[str, str] = ("0x00000", "0x10000")) -> list[Piece]:
    return [
        Piece(address, IMAGES[f"{folder}/{name}.bin"], f"{name}.bin")
        for address, name in zip((0, IROM), names, strict=True)
    ]


def whole(name: str, data: bytes) -> list[Piece]:
    return [Piece(0, data, name)]


def dump(size: int, contents: dict[int, bytes]) -> list[Piece]:
    """A flash of the sample with things at their addresses."""
    data = bytearray(aggregate("sample").ljust(size, b"\xff"))
    for address, block in contents.items():
        data[address : address + len(block)] = block
    return whole("dump.bin", bytes(data))


def expected(firmware: bytes, size: str, blocks: dict[int, bytes]) -> bytes:
    """The firmware with the size in its header, blocks, and nothing else in a flash of that size."""
    flash = flash_size(size)
    data = bytearray(firmware.ljust(flash.bytes, b"\xff"))
    data[3] = data[3] & 0x0F | flash.code << 4
    for address, block in blocks.items():
        data[address : address + len(block)] = block
    return bytes(data)


@pytest.mark.parametrize("size", SIZES)
def test_every_byte_of_a_pair_on_every_size(size: str) -> None:
    made = fullimage(pair("sample"), size)

    assert made.data == expected(aggregate("sample"), size, {flash_size(size).bytes - 0x4000: V05})


@pytest.mark.parametrize("size", SIZES)
def test_the_result_passes_inspect_with_every_region_named(size: str) -> None:
    made = fullimage(pair("sample"), size)

    kinds = [kind for kind, _, _ in spans(made.description.parts) if kind not in ("gap", "blank")]
    assert (said(made.description.findings, "error", "warning"), kinds) == (
        [],
        ["image-v1", "irom", "rf-cal", "init-data", "system-param"],
    )


@pytest.mark.parametrize("size", FROM_1MB)
@pytest.mark.parametrize(
    ("folder", "place"), [("nodemcu-3.0-2019", 0xC000), ("nodemcu-3.0-2021", 0xF000)], ids=["2019", "2021"]
)
def test_every_byte_of_nodemcu_3(folder: str, place: int, size: str) -> None:
    made = fullimage(pair(folder), size)

    assert made.data == expected(aggregate(folder), size, {place: V05})


@pytest.mark.parametrize("size", FROM_1MB)
@pytest.mark.parametrize("folder", ["nodemcu-3.0-2019", "nodemcu-3.0-2021"])
def test_nodemcu_3_passes_inspect(folder: str, size: str) -> None:
    made = fullimage(pair(folder), size)

    kinds = [kind for kind, _, _ in spans(made.description.parts)]
    assert said(made.description.findings, "error", "warning") == []
    assert {"rf-cal", "init-data", "system-param", "partition-table"} - set(kinds) == set()
    assert "unknown" not in kinds


def test_one_file_gives_the_same_as_the_pair() -> None:
    one = fullimage(whole("nodemcu.bin", aggregate("sample")), "4MB")

    assert one.data == fullimage(pair("sample"), "4MB").data


def test_the_same_inputs_give_the_same_bytes() -> None:
    assert fullimage(pair("sample"), "4MB") == fullimage(pair("sample"), "4MB")


def test_a_full_image_of_a_full_image_is_the_same() -> None:
    first = fullimage(pair("sample"), "4MB").data

    assert fullimage(whole("flash.bin", first), "4MB").data == first


def test_moving_a_full_image_to_another_size() -> None:
    small = fullimage(pair("sample"), "1MB").data

    assert fullimage(whole("flash.bin", small), "4MB").data == fullimage(pair("sample"), "4MB").data


@pytest.mark.parametrize(
    ("folder", "names", "name"),
    [
        ("sample", ("0x00000", "0x10000"), "nodemcu-2.2.0-4MB.bin"),
        ("nodemcu-0.9.5", ("0x00000", "0x10000"), "nodemcu-0.9.5-4MB.bin"),
        ("nodemcu-3.0-2021", ("0x00000", "0x10000"), "nodemcu-3.0.0.0-4MB.bin"),
        ("nonos-2.0", ("eagle.flash", "eagle.irom0text"), "non-os-sdk-application-4MB.bin"),
    ],
)
def test_the_name_of_the_result(folder: str, names: tuple[str, str], name: str) -> None:
    assert fullimage(pair(folder, names), "4MB").name == name


# --- what is refused ---


def refusal(pieces: list[Piece], size: str, extras: Extras | None = None) -> LayoutError:
    with pytest.raises(LayoutError) as caught:
        fullimage(pieces, size, extras or Extras())
    return caught.value


@pytest.mark.parametrize("folder", ["sample", "nodemcu-0.9.5", "nodemcu-1.5.4.1-cloud", "nodemcu-3.0-2021"])
def test_256kb(folder: str) -> None:
    assert "256KB" in str(refusal(pair(folder), "256KB"))


@pytest.mark.parametrize("folder", ["nodemcu-3.0-2019", "nodemcu-3.0-2021"])
def test_nodemcu_3_on_512kb(folder: str) -> None:
    assert "need 1MB" in str(refusal(pair(folder), "512KB"))


@pytest.mark.parametrize("size", ["2MB-c1", "4MB-c1", "8MB", "16MB"])
def test_nodemcu_0_9_on_sizes_that_it_takes_for_others(size: str) -> None:
    assert size in str(refusal(pair("nodemcu-0.9.5"), size))


@pytest.mark.parametrize("size", PLAIN_SIZES)
def test_nodemcu_0_9_on_the_others(size: str) -> None:
    made = fullimage(pair("nodemcu-0.9.5"), size)

    assert made.data == expected(aggregate("nodemcu-0.9.5"), size, {flash_size(size).bytes - 0x4000: V05})


def test_firmware_that_reaches_into_the_sdk_sectors() -> None:
    code = (IMAGES["sample/0x10000.bin"] * 4)[: 0x7B001 - IROM]
    error = refusal([pair("sample")[0], Piece(IROM, code, "irom.bin")], "512KB")

    assert [word in str(error) for word in ("irom.bin", "rf-cal", "by 1 byte")] == [True] * 3


def test_firmware_that_ends_right_before_them() -> None:
    code = (IMAGES["sample/0x10000.bin"] * 4)[: 0x7B000 - IROM]
    made = fullimage([pair("sample")[0], Piece(IROM, code, "irom.bin")], "512KB")

    assert made.data[IROM:0x7B000] == code


def test_firmware_larger_than_the_flash() -> None:
    code = (IMAGES["sample/0x10000.bin"] * 5)[:0x78000]
    error = refusal([pair("sample")[0], Piece(IROM, code, "irom.bin")], "512KB")

    assert "irom.bin" in str(error)


def test_only_the_image_for_0() -> None:
    with pytest.raises(FormatError, match=r"the irom part \(0x10000.bin\) is missing"):
        fullimage(pair("sample")[:1], "4MB")


def test_a_flash_without_firmware() -> None:
    with pytest.raises(FormatError, match="this flash holds no firmware") as caught:
        fullimage(whole("wiped.bin", IMAGES["dumps/wiped-1m.bin"]), "1MB")

    assert caught.value.source == "wiped.bin"


def test_a_flash_with_only_the_image_for_0() -> None:
    boot, wiped = IMAGES["sample/0x00000.bin"], IMAGES["dumps/wiped-1m.bin"]

    with pytest.raises(FormatError, match=r"the irom part \(0x10000.bin\) is missing"):
        fullimage(whole("half.bin", boot + wiped[len(boot) :]), "1MB")


@pytest.mark.parametrize(
    ("name", "starts", "why"),
    [
        ("arduino/core-2.7.bin", True, "it has init data compiled in, and its build decides"),
        ("micropython/micropython.bin", True, "it writes init data and makes its file system by itself"),
        ("boot/boot-1.6-user1.bin", True, "the user images that it starts decide"),
        ("rboot/whole.bin", True, "its configuration and the ROMs that it starts decide"),
        ("rtos3/bootloader.bin", True, "the partition table says what lies where"),
        ("dumps/arduino-4m.bin", True, "it is complete as it is, with other firmware in it"),
        ("broken/trailing.bin", True, "nothing tells what the bytes behind its image are"),
        ("v2/user1.bin", False, "it goes to 0x01000 or another slot, behind a boot loader"),
        ("rtos3/app.bin", False, "it goes to 0x10000 or another partition"),
        ("spiffs/linear.bin", False, "it goes to the place of the file system, by name @spiffs"),
        ("init-data/v05.bin", False, "it goes to the place of init data, by name @init-data"),
        ("programs/byte-from-iram.bin", False, "it runs in RAM"),
    ],
)
def test_what_has_no_layout_that_imgtool_knows(name: str, *, starts: bool, why: str) -> None:
    error = refusal(whole(name, IMAGES[name]), "4MB")

    assert isinstance(error, NoLayoutError) == starts
    assert f"): {why}" in str(error)


@pytest.mark.parametrize(
    ("name", "lacks"), [("sample/0x00000.bin", "irom part"), ("sample/0x10000.bin", "image for 0x00000")]
)
def test_one_half_of_a_firmware(name: str, lacks: str) -> None:
    with pytest.raises(FormatError, match=rf"; the {lacks} \("):
        fullimage(whole(name, IMAGES[name]), "4MB")


@pytest.mark.parametrize(
    "name",
    [
        "esphome/webtools-esp8266-2021.bin",
        "wled/WLED_0.14.3_ESP8266_160.bin",
        "micropython/firmware-combined-2017.bin",
        "rtos/rtos3-hello-world.bin",
    ],
)
def test_real_firmware_with_rules_of_its_own(name: str) -> None:
    with pytest.raises((FormatError, LayoutError)):
        fullimage(whole(name, real(name)), "4MB")


def test_a_damaged_image() -> None:
    with pytest.raises(FormatError, match="the image checksum is wrong"):
        fullimage([Piece(0, IMAGES["broken/bad-checksum.bin"], "a"), pair("sample")[1]], "4MB")


def test_a_cut_nodemcu_3_is_refused() -> None:
    cut = aggregate("nodemcu-3.0-2021")[:-0x4000]

    with pytest.raises((FormatError, LayoutError)):
        fullimage(whole("cut.bin", cut), "4MB")


@pytest.mark.parametrize("size", ["1MB", "2MB"])
def test_a_table_that_was_resolved_for_a_larger_flash(size: str) -> None:
    used = [Piece(0, BOOT_3, "a"), Piece(IROM, IMAGES["nodemcu-3.0-2021-used/0x10000.bin"], "b")]

    assert "leaves the flash" in str(refusal(used, size))


def test_a_table_that_was_resolved_for_this_flash() -> None:
    used = [Piece(0, BOOT_3, "a"), Piece(IROM, IMAGES["nodemcu-3.0-2021-used/0x10000.bin"], "b")]

    assert fullimage(used, "4MB").data[0xF000:0xF080] == V05


def test_different_builds_are_a_warning() -> None:
    assert "mixed-builds" in said(fullimage(pair("broken/mixed"), "4MB").findings, "warning")


# --- header ---


@pytest.mark.parametrize("size", SIZES)
def test_the_size_in_the_header(size: str) -> None:
    header = fullimage(pair("sample"), size).description.header

    assert header is not None
    assert header.size == size


def test_mode_and_frequency() -> None:
    made = fullimage(pair("sample"), "4MB", header=HeaderChange(mode="dout", freq="80m"))

    assert made.data[2:4] == b"\x03\x4f"


def test_kept_header_that_agrees() -> None:
    assert fullimage(pair("sample"), "1MB", keep_header=True).data[3] == 0x20


def test_kept_header_that_does_not() -> None:
    with pytest.raises(LayoutError, match="does not agree") as caught:
        fullimage(pair("sample"), "4MB", keep_header=True)

    assert (caught.value.expected, caught.value.found) == ("4MB", "1MB")


@pytest.mark.parametrize(
    ("mode", "size", "advised"),
    [
        ("qio", "512KB", False),
        ("dio", "512KB", True),
        ("qio", "1MB", False),
        ("qio", "4MB", True),
        ("dio", "4MB", False),
        ("qio", "16MB", True),
    ],
)
def test_advice_on_the_mode(mode: str, size: str, advised: bool) -> None:
    made = fullimage(pair("sample"), size, header=HeaderChange(mode=mode))

    assert ("flash-mode" in said(made.findings, "note")) == advised


# --- init data ---


def init_of(source: InitDataSource, pieces: list[Piece] | None = None) -> bytes:
    return fullimage(pieces or pair("sample"), "1MB", Extras(source)).data[0xFC000:0xFD000]


@pytest.mark.parametrize(
    ("source", "block"),
    [
        (InitDataSource(), V05),
        (InitDataSource("auto"), V05),
        (InitDataSource("v05"), V05),
        (InitDataSource("v08"), V08),
        (InitDataSource("none"), b""),
        (InitDataSource("file", Piece(0, IMAGES["init-data/g1.bin"], "g1.bin")), IMAGES["init-data/g1.bin"]),
        (InitDataSource("file", Piece(0, IMAGES["init-data/sector.bin"], "s.bin")), V05),
    ],
    ids=["default", "auto", "v05", "v08", "none", "file", "sector"],
)
def test_init_data(source: InitDataSource, block: bytes) -> None:
    assert init_of(source) == block.ljust(0x1000, b"\xff")


def test_kept_init_data() -> None:
    source = dump(0x100000, {0xFC000: V08})

    assert init_of(InitDataSource("keep"), source) == V08.ljust(0x1000, b"\xff")


@pytest.mark.parametrize("tail", [b"", b"\xff" * 13, b"\x00" * 13 + b"more"])
def test_kept_init_data_is_kept_to_the_byte(tail: bytes) -> None:
    block = V08[: 128 - 13] + tail if tail else V08

    assert init_of(InitDataSource("keep"), dump(0x100000, {0xFC000: block})) == block.ljust(0x1000, b"\xff")


def test_kept_init_data_moves_with_the_size() -> None:
    made = fullimage(dump(0x100000, {0xFC000: V08}), "4MB", Extras(InitDataSource("keep")))

    assert made.data[0x3FC000:0x3FC080] == V08


def test_nothing_to_keep() -> None:
    with pytest.raises(FormatError, match="no init data to keep"):
        init_of(InitDataSource("keep"))


def test_changed_fields() -> None:
    source = InitDataSource("auto", None, {"crystal_26m_en": "40MHz", "target_power_qdb_0": "10"})

    assert init_of(source)[:128] == V05[:34] + b"\x28" + V05[35:48] + b"\x00" + V05[49:]


def test_fields_of_nothing() -> None:
    with pytest.raises(LayoutError, match="no init data to set fields in"):
        init_of(InitDataSource("none", None, {"crystal_26m_en": "40MHz"}))


@pytest.mark.parametrize(
    "data", [b"", b"\xff" * 128, IMAGES["init-data/bad-marker.bin"], V05[:100], V05.ljust(0x1001, b"\xff")]
)
def test_a_file_that_is_no_init_data(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        init_of(InitDataSource("file", Piece(0, data, "wrong.bin")))

    assert caught.value.source == "wrong.bin"


@pytest.mark.parametrize("content", [NOISE, bytes(0x1000)], ids=["used", "zeros"])
@pytest.mark.parametrize("address", [0xFB000, 0xFD000, 0xFE000, 0xFF000], ids=hex)
def test_the_sdks_sectors_start_blank_whatever_the_input_held(address: int, content: bytes) -> None:
    made = fullimage(dump(0x100000, {0xFC000: V05, address: content}), "1MB")

    assert made.data[address : address + 0x1000] == b"\xff" * 0x1000


def test_that_they_are_left_out_is_said() -> None:
    made = fullimage(dump(0x100000, {0xFC000: V08}), "1MB")

    assert "sectors-renewed" in codes(made.findings)


def test_rf_cal_and_parameters_below_irom_are_blank() -> None:
    made = fullimage(pair("nodemcu-3.0-2019"), "4MB")

    assert [set(made.data[start:end]) for start, end in ((0xB000, 0xC000), (0xD000, 0x10000))] == [{0xFF}] * 2


# --- what a flash image holds is kept ---


@pytest.mark.parametrize(
    "content",
    [
        NOISE,
        NOISE + bytes(0x1000) + NOISE,
        bytes(0x1000),
        NOISE[:0x7FF] + bytes(0x1000),
        IMAGES["spiffs/linear.bin"],
        IMAGES["lfs/lfs-5.1-at-0x98000.bin"],
    ],
    ids=["data", "zeros-inside", "zeros", "zeros-behind", "files", "lfs"],
)
def test_user_data_of_a_flash_image_is_kept(content: bytes) -> None:
    made = fullimage(dump(0x100000, {0x80000: content, 0xFC000: V05}), "4MB")

    assert made.data[0x80000 : 0x80000 + len(content)] == content


@pytest.mark.parametrize("last", [0x00, 0xFF])
def test_irom_that_ends_with_the_flash_is_kept(last: int) -> None:
    code = (IMAGES["sample/0x10000.bin"] * 4)[: 0x70000 - 0x40] + bytes([last]) * 0x40

    made = fullimage([pair("sample")[0], Piece(IROM, code, "irom.bin")], "1MB")
    assert made.data[IROM:0x80000] == code


# --- real images ---

REAL_PAIRS = {
    "yuan": ("nodemcu/yuan-0x00000.bin", "nodemcu/yuan-0x10000.bin"),
    "fw-20150112": ("nodemcu/fw-20150112-0x00000.bin", "nodemcu/fw-20150112-0x10000.bin"),
    "at": ("at/at-sdk2.0-noboot-eagle.flash.bin", "at/at-sdk2.0-noboot-eagle.irom0text.bin"),
    "iotdemo": ("sdkapps/esptool-iotdemo-0x00000.bin", "sdkapps/esptool-iotdemo-0x10000.bin"),
}


def real_pair(name: str) -> list[Piece]:
    boot, code = REAL_PAIRS[name]
    return [Piece(0, real(boot), boot), Piece(IROM, real(code), code)]


def sectors(made: FullImage) -> dict[str, bytes]:
    end = made.flash.bytes
    return {
        "rf-cal": made.data[end - 0x5000 : end - 0x4000],
        "init-data": made.data[end - 0x4000 : end - 0x3000],
        "system-param": made.data[end - 0x3000 :],
    }


@pytest.mark.parametrize("size", PLAIN_SIZES)
@pytest.mark.parametrize("name", REAL_PAIRS)
def test_real_pairs(name: str, size: str) -> None:
    made = fullimage(real_pair(name), size)

    assert sectors(made) == {
        "rf-cal": b"\xff" * 0x1000,
        "init-data": V05.ljust(0x1000, b"\xff"),
        "system-param": b"\xff" * 0x3000,
    }
    assert (made.data[3] >> 4, describe(made.data).ok) == (flash_size(size).code, True)


@pytest.mark.parametrize("size", ["2MB-c1", "4MB-c1", "8MB", "16MB"])
def test_real_pair_on_the_other_sizes(size: str) -> None:
    made = fullimage(real_pair("yuan"), size)

    assert (made.data[3] >> 4, sectors(made)["init-data"][:128]) == (flash_size(size).code, V05)


@pytest.mark.parametrize("size", FROM_1MB)
def test_real_nodemcu_3_has_its_init_data_where_its_table_says(size: str) -> None:
    name = "nodemcu/heikomat-firmware-lfs.bin"
    made = fullimage(whole(name, real(name)), size)

    assert made.data == expected(real(name), size, {0xC000: V05})


def test_real_nodemcu_3_on_512kb() -> None:
    name = "nodemcu/heikomat-firmware-lfs.bin"

    assert "1MB" in str(refusal(whole(name, real(name)), "512KB"))


@pytest.mark.parametrize("size", ["2MB-c1", "4MB-c1", "8MB", "16MB"])
@pytest.mark.parametrize("name", ["nodemcu_integer_0.9.5_20150318.bin", "fw092-nodemcu_2M_20141219.bin"])
def test_real_nodemcu_0_9_on_sizes_that_it_takes_for_others(name: str, size: str) -> None:
    assert size in str(refusal(whole(name, real(f"nodemcu/{name}")), size))


def test_real_old_release_is_renewed() -> None:
    made = fullimage(whole("old", real("nodemcu/fw-20150112-esp.nodemcu.bin")), "1MB")

    kinds = [kind for kind, _, _ in spans(made.description.parts)]
    # Its SDK keeps no RF calibration: the blank sector for it is blank flash.
    assert (kinds.count("init-data"), kinds.count("rf-cal"), made.data[0xFC000:0xFC080]) == (1, 0, V05)
    assert made.data[0xFB000:0xFC000] == b"\xff" * 0x1000
